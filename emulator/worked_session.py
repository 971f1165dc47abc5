"""A whole session in hex for the specification: a real pump and a real host, from HELLO to CLOSE, with every key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emulator.assembly import DEFAULT_SERIAL_NUMBER, build_device
from emulator.events import FrameSeen
from emulator.inputs import LineChange
from emulator.wire import Direction
from protocol import keys
from protocol.fields import encode
from protocol.frame import MAJOR, MINOR, parse_body
from protocol.framing import StreamReader
from protocol.host_end import Answered, HostEnd, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import Handshake
from protocol.messages.codes import BolusKind, ChangedFlag, Role, TelemetryField
from protocol.messages.deliver import BolusPrepareRequest
from protocol.messages.link import CloseRequest, HelloRequest, KeepaliveRequest
from protocol.messages.op import OpListRequest
from protocol.messages.read import StatusRequest
from protocol.messages.stream import ResetFlagsRequest, SubscribeRequest

HOST_ID: Final = 0x00C11111
HOST_CHALLENGE: Final = bytes.fromhex("0102030405060708")
FIRST_TXN: Final = 7
ANSWER_THAT_IS_LOST: Final = "OP_LIST"
_BOLUS_NL: Final = 50_000
ALL_FLAGS: Final = ChangedFlag(sum(ChangedFlag))


@dataclass(frozen=True, slots=True)
class WorkedFrame:
    """A frame of the session: which way it goes, what it says, its bytes, and what it is sealed from if it is."""

    to_pump: bool
    words: str
    wire: bytes
    lost: bool = False


@dataclass(frozen=True, slots=True)
class WorkedSession:
    """All frames, and the values that both ends have derived, in the order of their derivation."""

    values: tuple[tuple[str, bytes], ...]
    frames: tuple[WorkedFrame, ...]


class _Desk:
    """A host at the line of a pump, that writes down what passes."""

    def __init__(self) -> None:
        self.device = build_device(
            "reference-20", seed=0, serial_number=DEFAULT_SERIAL_NUMBER, insecure=False, session_floor=0
        )
        self.device.line(LineChange.OPENED, 0)
        self.host = HostEnd(first_txn=FIRST_TXN)
        self.frames: list[WorkedFrame] = []

    def exchange(self, lose_answer: str = "") -> object:
        """Let the request in hand come to its end; the first answer of that name is lost."""
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
            lost = self._note(lose_answer)
            if lost:
                lose_answer = ""
            else:
                self.host.receive(answer, now)
        return event

    def ask(self, message: object, lose_answer: str = "") -> object:
        self.host.request(message, self.device.now_us)
        event = self.exchange(lose_answer)
        if not isinstance(event, Answered):
            raise TypeError(f"the worked session came to {event!r}")
        return event.message

    def _note(self, lose_answer: str) -> bool:
        """Write down the frames that have passed; says whether the answer among them is to be lost."""
        lost = False
        while (event := self.device.next_event()) is not None:
            if isinstance(event, FrameSeen):
                to_pump = event.direction == Direction.REQUEST.value
                lost = not to_pump and event.name == lose_answer
                self.frames.append(WorkedFrame(to_pump, f"{event.name} {event.summary}", event.raw, lost))
        return lost


def worked_session() -> WorkedSession:
    """HELLO, OPEN, AUTH, reads, a lost answer and its retry, a prepared bolus, an event, KEEPALIVE, CLOSE."""
    desk = _Desk()
    hello = desk.ask(HelloRequest(major=MAJOR, minor=MINOR))
    role_key = keys.test_keys(DEFAULT_SERIAL_NUMBER).of_role[Role.CLINICIAN]
    desk.host.open_session(SessionWanted(Role.CLINICIAN, HOST_ID, role_key, HOST_CHALLENGE), desk.device.now_us)
    ready = desk.exchange()
    if not isinstance(ready, SessionReady):
        raise TypeError(f"the worked session came to {ready!r}")
    values = _values(role_key, encode(hello), desk.frames)
    desk.ask(StatusRequest())
    desk.ask(OpListRequest(page=0), lose_answer=ANSWER_THAT_IS_LOST)
    desk.ask(
        BolusPrepareRequest(
            kind=BolusKind.SINGLE,
            volume_nl=_BOLUS_NL,
            volume_complement=_BOLUS_NL ^ 0xFFFF_FFFF,
            duration_s=300,
        )
    )
    desk.ask(SubscribeRequest(fields=TelemetryField.RUN_STATE | TelemetryField.RESERVOIR, period_s=60))
    desk.ask(ResetFlagsRequest(changed=ALL_FLAGS, log_epoch=1, log_sequence=1))
    desk.ask(KeepaliveRequest())
    desk.ask(CloseRequest())
    return WorkedSession(values, tuple(desk.frames))


def _values(role_key: bytes, hello: bytes, frames: Sequence[WorkedFrame]) -> tuple[tuple[str, bytes], ...]:
    answer = next(frame for frame in frames if not frame.to_pump and frame.words.startswith("OPEN "))
    body = next(piece.body for piece in StreamReader().feed(answer.wire) if piece.body is not None)
    device_challenge = parse_body(body).payload[1 : 1 + keys.CHALLENGE_SIZE]
    handshake = Handshake(
        role=Role.CLINICIAN,
        flags=0,
        serial_number=DEFAULT_SERIAL_NUMBER,
        host_id=HOST_ID,
        host_challenge=HOST_CHALLENGE,
        device_challenge=device_challenge,
        hello_hash=keys.hello_hash(hello),
    )
    of_session = keys.session_keys(role_key, handshake)
    return (
        ("the clinician's key", role_key),
        ("host challenge", HOST_CHALLENGE),
        ("device challenge, session counter 1", device_challenge),
        ("hash of HELLO's answer", handshake.hello_hash),
        ("session context", handshake.context()),
        ("device cryptogram", keys.device_cryptogram(role_key, handshake)),
        ("host cryptogram", keys.host_cryptogram(role_key, handshake)),
        ("K_h2d", of_session.host_to_pump),
        ("K_d2h", of_session.pump_to_host),
        ("salt", of_session.salt),
    )


def session_markdown() -> str:
    """The part of the specification."""
    session = worked_session()
    lines = [f"{name}: {value.hex()}" for name, value in session.values]
    for frame in session.frames:
        lost = "  (this answer is lost)" if frame.lost else ""
        lines += ["", f"{'>' if frame.to_pump else '<'} {frame.words}{lost}", f"  wire {frame.wire.hex(' ')}"]
    return "```\n" + "\n".join(lines) + "\n```"
