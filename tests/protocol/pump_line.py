"""A pump's end with one or more lines, driven frame by frame, for stories about who asks what and what comes back."""

from protocol.device_end import DeviceEnd, Request, SessionEnded, SessionOpened
from protocol.fields import encode
from protocol.frame import Flag, Frame, parse_body
from protocol.framing import LineFault, Piece, StreamReader, encode_wire
from protocol.messages.codes import Role
from protocol.messages.deliver import StopRequest
from protocol.messages.link import HelloRequest
from protocol.messages.op import OpQueryRequest
from protocol.messages.operations import by_name
from protocol.messages.pump_time import TimeReadAnswer
from protocol.refusals import OK, Nak

ADDRESS = 0x00C0FFEE
NO_FLAGS = Flag(0)
HELLO = ("HELLO", encode(HelloRequest(major=1, minor=0)))
STATUS = ("STATUS", b"")
TIME_READ = ("TIME_READ", b"")
ALARM_ACK = ("ALARM_ACK", b"\x05\x00")
STOP = ("STOP", encode(StopRequest(op_id=1, therapy_rev=0)))
OP_QUERY = ("OP_QUERY", encode(OpQueryRequest(role=Role.CLINICIAN, op_id=1)))
TIME = TimeReadAnswer(elapsed_s=5, rtc_unix_s=0, offset_min=0)

Named = tuple[str, bytes]


class PumpLine:
    """Port 0 is open from the start. A reply is read as `(txn, OK)` or `(txn, Nak)`."""

    def __init__(self, *, insecure: bool = True) -> None:
        self.end = DeviceEnd(address=ADDRESS, insecure=insecure)
        self.now = 0
        self.end.line_opened(0, 0)

    def send_body(self, body: bytes, port: int = 0) -> LineFault | None:
        (piece,) = StreamReader().feed(encode_wire(body))
        return self.end.receive(port, piece, self.now)

    def send(self, named: Named, txn: int, port: int = 0, *, flags: Flag = NO_FLAGS, address: int = ADDRESS) -> None:
        """A frame arrives, and the pump leaves it unanswered."""
        name, payload = named
        frame = Frame(opcode=by_name[name].opcode, txn=txn, address=address, payload=payload, flags=flags)
        self.send_body(frame.to_body(), port)

    def fault(self, piece: Piece, port: int = 0) -> LineFault | None:
        return self.end.receive(port, piece, self.now)

    def wires(self, port: int = 0) -> list[bytes]:
        return self.end.frames_to_send(port)

    def replies(self, port: int = 0) -> list[tuple[int, Nak | int]]:
        return [reply_of(wire) for wire in self.wires(port)]

    def asked(self) -> Request:
        request = self.end.next_request()
        assert request is not None, "nothing was handed to the pump"
        return request

    def exchange(self, txn: int, port: int = 0) -> bytes:
        """TIME_READ is asked and answered; gives the answer's wire bytes."""
        self.send(TIME_READ, txn, port)
        self.end.answer(self.asked().token, TIME)
        (wire,) = self.wires(port)
        assert reply_of(wire) == (txn, OK)
        return wire

    def events(self) -> list[SessionOpened | SessionEnded]:
        events = []
        while (event := self.end.next_event()) is not None:
            events.append(event)
        return events


def reply_of(wire: bytes) -> tuple[int, Nak | int]:
    (piece,) = StreamReader().feed(wire)
    assert piece.body is not None
    frame = parse_body(piece.body)
    assert (frame.flags, frame.address) == (Flag.RESP, ADDRESS)
    return frame.txn, OK if frame.payload[0] == OK else Nak.decode(frame.payload)
