"""The door of a device whose journal is kept: every input is written down before it happens, what came of it behind it.

Rules of this file:

- The device behind the door behaves as without it: nothing here changes an input, or holds one back.
- Lines are whole when they are put; where they go, and how slow that is, is the sink's business.
- What came of an input is told in one line, when the driver has taken the last of its events.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Final

from emulator.device import Device
from emulator.events import Event
from emulator.inputs import Action, Advance, Bytes, Control, Input, Line, LineChange
from emulator.journal.input_lines import input_document
from emulator.lines import LineBreak
from emulator.wire import FaultNames, LazyText
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment

CHECK_EVERY: Final = 64
"""So many inputs after the last check point the digest of the state is written again."""
MARK_DIGITS: Final = 16

Put = Callable[[str], None]


def event_mark(event: Event) -> str:
    """An event's kind, and a digest over all of it but its words for people."""
    hashed = hashlib.sha256()
    for described in fields(event):
        value = getattr(event, described.name)
        if isinstance(value, LazyText) or described.name == "summary":
            continue
        plain = sorted(value.items()) if isinstance(value, Mapping) else value
        hashed.update(f"{described.name}={plain!r};".encode())
    return f"{event.kind} {hashed.hexdigest()[:MARK_DIGITS]}"


class JournaledDevice:
    """A device behind its journal; to whoever serves it, the device itself."""

    def __init__(self, device: Device, put: Put, ports: int) -> None:
        self.device = device
        self._put = put
        self._ports = ports
        self._inputs = 0
        self._sent: dict[int, bytes] = {}
        self._marks: list[str] = []
        self._raised = ""
        self._broken = False

    def receive(self, data: bytes, now: int, port: int = 0) -> None:
        """See Device, as of all that follow."""
        self.apply(Bytes(now, port, data))

    def line(self, change: LineChange, now: int, port: int = 0) -> None:
        """The line itself has changed."""
        self.apply(Line(now, port, change))

    def control(self, action: Action, now: int) -> None:
        """The tester's hand."""
        self.apply(Control(now, action))

    def advance(self, now: int) -> None:
        """Let time pass."""
        self.apply(Advance(now))

    def apply(self, happening: Input) -> None:
        """Write the input down, then let it happen."""
        self._tell()
        if self._inputs and not self._inputs % CHECK_EVERY:
            self._check("check")
        self._inputs += 1
        self._write(input_document(self._inputs, happening))
        try:
            self.device.apply(happening)
        except Exception as error:
            self._raised = type(error).__name__
            self._broken = not isinstance(error, ValueError)
            raise

    def data_to_send(self, now: int, limit: int = 65_536, port: int = 0) -> bytes:
        """Bytes for a line."""
        data = self.device.data_to_send(now, limit, port)
        if data:
            self._sent[port] = self._sent.get(port, b"") + data
        return data

    def next_event(self) -> Event | None:
        """What happened, oldest first."""
        event = self.device.next_event()
        if event is None:
            self._tell()
        else:
            self._marks.append(event_mark(event))
        return event

    def next_line_break(self) -> LineBreak | None:
        """What the driver has to do at a port."""
        return self.device.next_line_break()

    def next_deadline(self) -> int | None:
        """When the device next wants to be woken."""
        return self.device.next_deadline()

    @property
    def now_us(self) -> int:
        """The virtual time that it has reached."""
        return self.device.now_us

    @property
    def session_open(self) -> bool:
        """Whether a client holds a session."""
        return self.device.session_open

    @property
    def fault_names(self) -> FaultNames:
        """The operations that a line fault can name."""
        return self.device.fault_names

    def armed_faults(self) -> Sequence[str | ArmedFault]:
        """The faults that are armed."""
        return self.device.armed_faults()

    @property
    def serial_number(self) -> int:
        """The serial number of the pump that is there now."""
        return self.device.serial_number

    @property
    def environment(self) -> Environment:
        """What is around the pump as long as no fault makes it another."""
        return self.device.environment

    def save_state(self) -> bytes:
        """The save-state of the pump."""
        return self.device.save_state()

    def truth(self) -> dict[str, object]:
        """What is physically so."""
        return self.device.truth()

    def close(self) -> None:
        """Nothing more happens: write what is left, and the state at the end.

        A driver that has failed leaves with the device what it has not taken any more: it came of the last input, too.
        """
        for port in range(self._ports):
            while self.data_to_send(self.device.now_us, port=port):
                pass
        while self.next_event() is not None:
            pass
        if not self._broken:
            self._check("end")

    def _tell(self) -> None:
        """What has come of the last input, if anything has."""
        if not (self._sent or self._marks or self._raised):
            return
        document: dict[str, object] = {"output": self._inputs}
        if self._raised:
            document["raised"] = self._raised
        document["sent"] = [{"port": port, "data": data.hex()} for port, data in sorted(self._sent.items())]
        document["events"] = self._marks
        self._write(document)
        self._sent, self._marks, self._raised = {}, [], ""

    def _check(self, name: str) -> None:
        self._write({name: self._inputs, "at_us": self.device.now_us, "digest": self.device.digest()})

    def _write(self, document: dict[str, object]) -> None:
        self._put(json.dumps(document, separators=(",", ":")) + "\n")
