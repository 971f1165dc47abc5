"""A host at the line of a pump, and the writing down of all that passes: remarks, keys, frames in words and in hex."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from emulator.assembly import DEFAULT_SERIAL_NUMBER, build_device
from emulator.device import Device
from emulator.events import FrameSeen
from emulator.faults.arming import arming
from emulator.inputs import LineChange
from emulator.wire import Direction
from protocol import keys
from protocol.channel import Direction as Way
from protocol.channel import Opener, SessionKeys
from protocol.fields import encode
from protocol.frame import MAJOR, MINOR, Flag, Frame, parse_body
from protocol.framing import StreamReader
from protocol.host_end import Answered, HostEnd, HostEvent, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import CHALLENGE_SIZE, Handshake
from protocol.messages.codes import Role
from protocol.messages.link import HelloAnswer, HelloRequest

PROFILE: Final = "reference-20"
ROLE: Final = Role.CLINICIAN
ROLE_KEY: Final = keys.test_keys(DEFAULT_SERIAL_NUMBER).of_role[ROLE]
HOST_ID: Final = 0x00C11111
FIRST_TXN: Final = 7


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody does between two frames."""

    text: str


@dataclass(frozen=True, slots=True)
class Values:
    """What both ends have derived, in the order of its derivation."""

    rows: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class WorkedFrame:
    """A frame: which way it goes, what it says, its bytes, and its payload in the clear if it is sealed."""

    to_pump: bool
    words: str
    wire: bytes
    clear: bytes | None = None
    lost: bool = False


Entry = Remark | Values | WorkedFrame


@dataclass(slots=True)
class Desk:
    """The device, the host's end of its line, and the entries so far."""

    device: Device = field(
        default_factory=lambda: build_device(
            PROFILE, seed=0, serial_number=DEFAULT_SERIAL_NUMBER, insecure=False, session_floor=0
        )
    )
    host: HostEnd = field(default_factory=lambda: HostEnd(first_txn=FIRST_TXN))
    entries: list[Entry] = field(default_factory=list)
    sessions: int = 0
    _session_keys: SessionKeys | None = None

    def remark(self, text: str) -> None:
        self.entries.append(Remark(text))

    def open_line(self) -> None:
        """A line, and a host that knows of no session."""
        self.host = HostEnd(first_txn=FIRST_TXN)
        self.device.line(LineChange.OPENED, self.device.now_us)

    def close_line(self) -> None:
        self.device.line(LineChange.CLOSED, self.device.now_us)

    def wait(self, duration_us: int) -> None:
        self.device.advance(self.device.now_us + duration_us)

    def arm(self, fault: str) -> None:
        self.device.control(arming(fault, self.device.fault_names), self.device.now_us)

    def open_session(self, host_challenge: bytes) -> None:
        """HELLO, OPEN and AUTH; what both ends derive is written down between the last two."""
        self._session_keys = None
        hello = self.ask(HelloRequest(major=MAJOR, minor=MINOR))
        if not isinstance(hello, HelloAnswer):
            raise TypeError(f"the worked session was greeted with {hello!r}")
        self.host.open_session(SessionWanted(ROLE, HOST_ID, ROLE_KEY, host_challenge), self.device.now_us)
        ready = self._exchange(lambda: self._derive(host_challenge, hello))
        if not isinstance(ready, SessionReady):
            raise TypeError(f"the worked session came to {ready!r}")

    def ask(self, message: object) -> object:
        """The answer, which must be one."""
        event = self.attempt(message)
        if not isinstance(event, Answered):
            raise TypeError(f"the worked session came to {event!r}")
        return event.message

    def attempt(self, message: object) -> HostEvent:
        """Ask, and retry as the host's rules say, until the request has its end."""
        self.host.request(message, self.device.now_us)
        return self._exchange()

    def _exchange(self, behind_open: Callable[[], None] | None = None) -> HostEvent:
        while (event := self.host.next_event()) is None:
            request = self.host.data_to_send()
            if not request:
                deadline = self.host.next_deadline()
                assert deadline is not None  # noqa: S101 - a request is in hand
                self.device.advance(deadline)
                self.host.advance(deadline)
                continue
            now = self.device.now_us
            self.device.receive(request, now)
            answer = self.device.data_to_send(now)
            self._note(answer)
            if behind_open is not None and self._session_keys is None:
                behind_open()
            self.host.receive(answer, now)
        return event

    def _note(self, arrived: bytes) -> None:
        """Write down the frames that have passed; an answer that is not among what arrived is lost."""
        while (event := self.device.next_event()) is not None:
            if isinstance(event, FrameSeen):
                to_pump = event.direction == Direction.REQUEST.value
                clear = self._clear(event.raw, Way.HOST_TO_PUMP if to_pump else Way.PUMP_TO_HOST)
                lost = not to_pump and event.raw not in arrived
                self.entries.append(WorkedFrame(to_pump, f"{event.name} {event.summary}", event.raw, clear, lost))

    def _clear(self, wire: bytes, way: Way) -> bytes | None:
        frame = frame_in(wire)
        if Flag.SECURED not in frame.flags or self._session_keys is None:
            return None
        return Opener(self._session_keys, way).look(frame)

    def _derive(self, host_challenge: bytes, hello: HelloAnswer) -> None:
        """Take the device challenge out of OPEN's answer, and write down all that follows from it."""
        answer = next(entry for entry in reversed(self.entries) if isinstance(entry, WorkedFrame))
        self.sessions += 1
        handshake = Handshake(
            role=ROLE,
            flags=0,
            serial_number=DEFAULT_SERIAL_NUMBER,
            host_id=HOST_ID,
            host_challenge=host_challenge,
            device_challenge=frame_in(answer.wire).payload[1 : 1 + CHALLENGE_SIZE],
            hello_hash=keys.hello_hash(encode(hello)),
        )
        self._session_keys = of_session = keys.session_keys(ROLE_KEY, handshake)
        rows = (
            ("the clinician's key", ROLE_KEY),
            ("host challenge", host_challenge),
            (f"device challenge, session counter {self.sessions}", handshake.device_challenge),
            ("hash of HELLO's answer", handshake.hello_hash),
            ("session context", handshake.context()),
            ("device cryptogram", keys.device_cryptogram(ROLE_KEY, handshake)),
            ("host cryptogram", keys.host_cryptogram(ROLE_KEY, handshake)),
            ("K_h2d", of_session.host_to_pump),
            ("K_d2h", of_session.pump_to_host),
            ("salt", of_session.salt),
        )
        self.entries.append(Values(rows))


def frame_in(wire: bytes) -> Frame:
    """The one frame among these bytes."""
    return parse_body(next(piece.body for piece in StreamReader().feed(wire) if piece.body is not None))


def entries_markdown(entries: Sequence[Entry]) -> str:
    """The entries as the specification prints them."""
    lines: list[str] = []
    for entry in entries:
        match entry:
            case Remark(text):
                lines.append(f"# {text}")
            case Values(rows):
                lines += [f"{name}: {value.hex()}" for name, value in rows]
            case WorkedFrame(to_pump, words, wire, clear, lost):
                note = "  (this answer is lost)" if lost else ""
                lines.append(f"{'>' if to_pump else '<'} {words}{note}")
                if clear is not None:
                    lines.append(f"  clear {clear.hex(' ')}".rstrip())
                lines.append(f"  wire {wire.hex(' ')}")
        lines.append("")
    return "```\n" + "\n".join(lines).rstrip() + "\n```"
