"""A pump's end with one or more lines, driven frame by frame, for stories about who asks what and what comes back."""

from typing import Any

from protocol import keys
from protocol.device_end import DeviceEnd
from protocol.errands import (
    AttemptToConfirm,
    AttemptToCount,
    Errand,
    FailureToNote,
    Request,
    SessionNumberWanted,
    TelemetryWanted,
)
from protocol.fields import encode, table_of
from protocol.frame import Flag, Frame, parse_body
from protocol.framing import HEADER_SIZE, LineFault, Piece, StreamReader, encode_wire
from protocol.keys import RoleKeys
from protocol.messages.codes import Capability, ChangedFlag, Marks, Role, TelemetryField
from protocol.messages.deliver import StopRequest
from protocol.messages.link import HelloAnswer, HelloRequest
from protocol.messages.op import OpQueryRequest
from protocol.messages.operations import by_name
from protocol.messages.pump_time import TimeReadAnswer
from protocol.messages.stream import StreamEvent
from protocol.refusals import OK, Nak
from protocol.sessions import Session, SessionEnded, SessionOpened

ADDRESS = 0x00C0FFEE
NO_FLAGS = Flag(0)
HELLO = ("HELLO", encode(HelloRequest(major=1, minor=0)))
STATUS = ("STATUS", b"")
TIME_READ = ("TIME_READ", b"")
ALARM_ACK = ("ALARM_ACK", b"\x05\x00")
STOP = ("STOP", encode(StopRequest(op_id=1, therapy_rev=0)))
OP_QUERY = ("OP_QUERY", encode(OpQueryRequest(role=Role.CLINICIAN, op_id=1)))
KEEPALIVE = ("KEEPALIVE", b"")
CLOSE = ("CLOSE", b"")
TIME = TimeReadAnswer(elapsed_s=5, rtc_unix_s=0, offset_min=0)

Named = tuple[str, bytes]
Reply = tuple[int, Nak | int]


def hello_of(serial_number: int) -> HelloAnswer:
    return HelloAnswer(
        major=1,
        minor=0,
        capabilities=Capability.SESSIONS,
        model="reference",
        serial_number=serial_number,
        firmware_hash=bytes(8),
        max_payload=224,
        marks=Marks.EMULATOR,
    )


class PumpLine:
    """Port 0 is open from the start. A reply is read as `(txn, OK)` or `(txn, Nak)`.

    The pump behind it numbers sessions and lets every attempt be checked; a wrong one costs `delay_s`. Events that it
    owes it tells when `tells` is set.
    """

    def __init__(self, *, insecure: bool = True, address: int = ADDRESS, role_keys: RoleKeys | None = None) -> None:
        self.address = address
        self.role_keys = role_keys or keys.test_keys(address)
        self.hello = hello_of(address)
        self.end = DeviceEnd(hello=self.hello, role_keys=self.role_keys, insecure=insecure)
        self.session_counter = 0
        self.delay_s = 0
        self.tells = False
        self.served: list[Errand] = []
        self.now = 0
        self.end.line_opened(0, 0)

    def send_body(self, body: bytes, port: int = 0) -> LineFault | None:
        return self.send_wire(encode_wire(body), port)

    def send_wire(self, wire: bytes, port: int = 0) -> LineFault | None:
        (piece,) = StreamReader().feed(wire)
        return self.end.receive(port, piece, self.now)

    def send(
        self, named: Named, txn: int, port: int = 0, *, flags: Flag = NO_FLAGS, address: int | None = None
    ) -> LineFault | None:
        """A frame in the clear arrives, and the pump leaves it unanswered."""
        name, payload = named
        to = self.address if address is None else address
        frame = Frame(opcode=by_name[name].opcode, txn=txn, address=to, payload=payload, flags=flags)
        return self.send_body(frame.to_body(), port)

    def fault(self, piece: Piece, port: int = 0) -> LineFault | None:
        return self.end.receive(port, piece, self.now)

    def wires(self, port: int = 0) -> list[bytes]:
        return self.end.frames_to_send(port)

    def replies(self, port: int = 0) -> list[Reply]:
        """What comes back in the clear; nothing else may."""
        frames = [frame_of(wire) for wire in self.wires(port)]
        assert all((frame.flags, frame.address) == (Flag.RESP, self.address) for frame in frames)
        return [(frame.txn, verdict_of(frame.payload)) for frame in frames]

    def next_request(self) -> Request | None:
        """What is asked of the pump; what handshakes want of it is done on the way there."""
        while (errand := self.end.next_errand()) is not None:
            if isinstance(errand, Request):
                return errand
            self.served.append(errand)
            self._serve(errand)
        return None

    def asked(self) -> Request:
        request = self.next_request()
        assert request is not None, "nothing was handed to the pump"
        return request

    def serve(self) -> None:
        """Do what handshakes want; nothing else may be wanted."""
        assert self.next_request() is None, "a request was handed to the pump"

    def exchange(self, txn: int, port: int = 0) -> bytes:
        """TIME_READ is asked and answered; gives the answer's wire bytes."""
        self.send(TIME_READ, txn, port)
        self.end.answer(self.asked().token, TIME)
        (wire,) = self.wires(port)
        assert verdict_of(frame_of(wire).payload) == OK
        return wire

    def events(self) -> list[SessionOpened | SessionEnded]:
        events = []
        while (event := self.end.next_event()) is not None:
            events.append(event)
        return events

    def endings(self) -> list[tuple[int, str]]:
        """Which sessions have ended, by their keys, and why."""
        return [(event.session, event.reason) for event in self.events() if isinstance(event, SessionEnded)]

    def live(self) -> list[int]:
        """The keys of the live sessions, in the order of their beginning."""
        return sorted(session.key for session in self.end.sessions())

    def window(self) -> list[object]:
        """All that a frame which is dropped must leave as it was."""
        return [
            (each.key, each.ends_at, each.last, each.last_answer, each.unanswered, _counters(each))
            for each in self.end.sessions()
        ]

    def attempts(self) -> int:
        """How many AUTHs were counted."""
        return sum(isinstance(errand, AttemptToCount) for errand in self.served)

    def _serve(self, errand: Errand) -> None:
        match errand:
            case SessionNumberWanted(token):
                self.session_counter += 1
                self.end.number_session(token, self.session_counter)
            case AttemptToCount(token):
                self.end.check_attempt(token, self.delay_s)
            case AttemptToConfirm(token):
                self.end.open_session(token, 0)
            case TelemetryWanted() if self.tells:
                self.end.streams.tell(errand.token, event_of(errand))
            case FailureToNote() | TelemetryWanted():
                pass


def event_of(wanted: TelemetryWanted) -> StreamEvent:
    """What a pump tells that has nothing to tell but its head."""
    absent: dict[str, Any] = {row.name: None for row in table_of(StreamEvent) if row.present is not None}
    return StreamEvent(
        stream_sequence=wanted.stream_sequence,
        elapsed_s=0,
        changed=ChangedFlag.BOOT,
        log_epoch=1,
        log_last=1,
        fields=TelemetryField(0),
        **absent,
    )


def _counters(session: Session) -> tuple[int, int]:
    assert session.channel is not None, "a session in the clear counts nothing"
    return session.channel.requests.last, session.channel.answers.counter


def frame_of(wire: bytes) -> Frame:
    (piece,) = StreamReader().feed(wire)
    assert piece.body is not None
    return parse_body(piece.body)


def verdict_of(payload: bytes) -> Nak | int:
    """OK, or the refusal that an answer is."""
    return OK if payload[0] == OK else Nak.decode(payload)


def flipped(wire: bytes, bit: int) -> bytes:
    """The frame with one bit of header, payload, counter or tag turned, and a CRC that fits it."""
    (piece,) = StreamReader().feed(wire)
    assert piece.body is not None
    body = bytearray(piece.body)
    body[bit // 8] ^= 1 << bit % 8
    return encode_wire(bytes(body))


def bits_of(wire: bytes, *, behind_header: bool = False) -> range:
    """All bits of a frame that `flipped` can turn."""
    (piece,) = StreamReader().feed(wire)
    assert piece.body is not None
    return range(HEADER_SIZE * 8 if behind_header else 0, len(piece.body) * 8)
