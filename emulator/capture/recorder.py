"""Events to packets: what of the one event stream a capture holds, and which words go with each packet.

Rules of this file:

- A packet is a stretch of the line as its protocol cut it, with its delimiters: what the sender sent, and besides, what
  a line fault put on the line instead. Which protocol it is, nobody here knows.
- What happens to a frame is told right behind it, so a packet is held until another event, or `flush`, shows that it is
  complete.
- What is no frame (a line that opens, a session that ends, power that fails) is told on the packet behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from emulator.capture.pcapng import Flow, Packet, interface, section_header
from emulator.events import (
    BytesRejected,
    Event,
    FaultFired,
    FrameInjected,
    FrameSeen,
    Logged,
    ToneSounded,
)
from emulator.faults.registry import REGISTRY
from emulator.quantities import format_duration_us
from emulator.trace import event_words, format_time
from emulator.wire import Direction

MOST_NOTES: Final = 16
"""Happenings between two packets that are told on the second."""
MOST_DIFFERENCES: Final = 4
"""Bytes that are named one by one where a fault has changed a frame."""

TIME_NOTE: Final = "Time stamps are virtual: microseconds since the pump's first power-up, not a date."
FLOW_NOTE: Final = "Captured at the pump: inbound goes to it, outbound comes from it."


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureHeader:
    """What stands at the beginning of a capture.

    hardware     whose lines these are
    application  the program that captured them
    facts        name and value of what must be known to bring the same about again
    ports        the specs of the ports, in the order in which events number them
    """

    hardware: str
    application: str
    facts: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]

    def blocks(self) -> bytes:
        """The section header and the interfaces."""
        facts = ", ".join(f"{name} {value}" for name, value in self.facts)
        header = section_header(
            hardware=self.hardware, application=self.application, comments=(facts, TIME_NOTE, FLOW_NOTE)
        )
        ports = (interface(name=spec, description=f"port {index}") for index, spec in enumerate(self.ports))
        return header + b"".join(ports)


class Recorder:
    """Makes packets of events. Holds one packet, and the notes for the next."""

    def __init__(self) -> None:
        self._held: Packet | None = None
        # Whether something has been said of the held packet that is said of a packet once only.
        self._judged = False
        self._notes: list[str] = []
        self._notes_left_out = 0

    @property
    def holding(self) -> bool:
        """Whether a packet waits for what may be said of it."""
        return self._held is not None

    def take(self, event: Event) -> list[Packet]:
        """The packets that are complete with this event."""
        match event:
            case FrameSeen():
                flow = Flow.INBOUND if event.direction == Direction.REQUEST.value else Flow.OUTBOUND
                return self._begin(event, event.raw, flow)
            case FrameInjected():
                flow = Flow.INBOUND if event.direction == Direction.REQUEST.value else Flow.OUTBOUND
                said = f"put on the line by the injected fault: {event.fault}"
                late = f", {format_duration_us(event.late_us)} after it was sent" if event.late_us else ""
                return self._begin(event, event.raw, flow, f"{said}; {difference(event.struck, event.raw)}{late}")
            case FaultFired():
                return self._say(event, f"injected fault: {event.fault}{_meaning(event.fault)}", Flow.UNKNOWN)
            case BytesRejected():
                return self._say(event, f"rejected: {event.reason}", Flow.INBOUND, judgement=True)
            case Logged() | ToneSounded():
                return self.flush()
            case _:
                complete = self.flush()
                self._note(f"{format_time(event.at_us)}  {event_words(event)}")
                return complete

    def flush(self) -> list[Packet]:
        """The packet that is held: nothing more will be said of it."""
        held, self._held, self._judged = self._held, None, False
        return [] if held is None else [held]

    def _begin(
        self, event: FrameSeen | FrameInjected | FaultFired | BytesRejected, raw: bytes, flow: Flow, *said: str
    ) -> list[Packet]:
        complete = self.flush()
        notes = self._notes + ([f"and {self._notes_left_out} more before this"] if self._notes_left_out else [])
        self._notes, self._notes_left_out = [], 0
        comments = (*notes, *said)
        self._held = Packet(interface=event.port, at_us=event.at_us, data=raw, flow=flow, comments=comments)
        return complete

    def _say(
        self, event: FaultFired | BytesRejected, words: str, flow: Flow, *, judgement: bool = False
    ) -> list[Packet]:
        """Words about bytes: of the packet that is held if it is the one, else of a packet of its own."""
        held = self._held
        if (
            held is not None
            and (held.interface, held.at_us, held.data) == (event.port, event.at_us, event.raw)
            and not (judgement and self._judged)
        ):
            self._held = replace(held, comments=(*held.comments, words))
            complete: list[Packet] = []
        else:
            complete = self._begin(event, event.raw, flow, words)
        self._judged = self._judged or judgement
        return complete

    def _note(self, words: str) -> None:
        if len(self._notes) < MOST_NOTES:
            self._notes.append(words)
        else:
            self._notes_left_out += 1


def difference(sent: bytes, instead: bytes) -> str:
    """In words, what a fault has made of a frame: places are counted from 0, in the frame as it was sent."""
    if instead == sent:
        return "a copy of the frame, as it was sent"
    if len(instead) != len(sent):
        if sent.startswith(instead):
            return f"the frame, cut after {len(instead)} of its {len(sent)} bytes"
        if instead in sent:
            return f"{len(instead)} of its {len(sent)} bytes"
        return f"{len(instead)} bytes in place of {len(sent)}"
    places = [place for place in range(len(sent)) if sent[place] != instead[place]]
    named = [f"byte {place} is {instead[place]:02x} instead of {sent[place]:02x}" for place in places]
    return ", ".join(_at_most(named, MOST_DIFFERENCES))


def _at_most(words: list[str], most: int) -> Iterable[str]:
    return words if len(words) <= most else [*words[:most], f"and {len(words) - most} more"]


def _meaning(fault: str) -> str:
    kind = REGISTRY.get(fault.partition(" ")[0])
    return f" ({kind.meaning})" if kind is not None else ""
