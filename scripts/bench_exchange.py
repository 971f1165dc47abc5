"""What the benchmark of the wire times: a host that asks a device, bulk bytes, and the bare libraries on the same."""

from __future__ import annotations

import zlib

import construct
from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types

from emulator.assembly import DEFAULT_SERIAL_NUMBER, build_device, load_profile
from emulator.inputs import LineChange
from emulator.vpump_wire import VpumpWire
from emulator.wire import Direction
from firmware_model.pump import Pump
from protocol.channel import cipher_of
from protocol.fields import encode, layout_of
from protocol.frame import SEAL_SIZE
from protocol.framing import CRC_SIZE, DELIMITER, HEADER_SIZE, StreamReader
from protocol.host_end import Answered, HostEnd, HostEvent, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import KEY_SIZE, test_keys
from protocol.messages.codes import Role
from protocol.messages.link import HelloRequest
from protocol.messages.read import StatusAnswer, StatusRequest
from protocol.refusals import OK

US_BETWEEN = 10_000
"""Virtual time between two exchanges."""
CHUNK = 4_096
PORT = 0
HOST_ID = 7
NONCE = bytes(13)
STATUS = StatusRequest()


class Exchanges:
    """A host with a reader's session at a pump, and the last frames of both. Subclasses carry frames between them."""

    def __init__(self) -> None:
        self._host = HostEnd()
        self._now_us = 0
        self.request, self.answer = b"", b""
        _require(isinstance(self._ask(HelloRequest(major=1, minor=0)), Answered), "nobody greets")
        key = test_keys(DEFAULT_SERIAL_NUMBER).of_role[Role.READER]
        self._host.open_session(SessionWanted(Role.READER, HOST_ID, key, b"bench..."), self._now_us)
        _require(isinstance(self._settle(), SessionReady), "no session was opened")

    def run(self, count: int) -> None:
        """Ask STATUS so often. Raises an error when one is not answered."""
        for _ in range(count):
            self.status()

    def status(self) -> StatusAnswer:
        """Ask STATUS, and its answer."""
        event = self._ask(STATUS)
        if isinstance(event, Answered) and isinstance(event.message, StatusAnswer):
            return event.message
        raise RuntimeError(f"STATUS has come to {event!r}")

    def _ask(self, message: object) -> HostEvent | None:
        self._now_us += US_BETWEEN
        self._host.request(message, self._now_us)
        return self._settle()

    def _settle(self) -> HostEvent | None:
        host = self._host
        while request := host.data_to_send():
            answer = self._answer_to(request, self._now_us)
            host.receive(answer, self._now_us)
            self.request, self.answer = request, answer
        return host.next_event()

    def _answer_to(self, request: bytes, now_us: int) -> bytes:
        raise NotImplementedError


class DeviceExchanges(Exchanges):
    """With a whole device, whose every event is taken notice of."""

    def __init__(self) -> None:
        self._device = build_device("reference-20", 0, DEFAULT_SERIAL_NUMBER, insecure=False, session_floor=0)
        self._device.line(LineChange.OPENED, 0)
        super().__init__()

    def _answer_to(self, request: bytes, now_us: int) -> bytes:
        device = self._device
        device.receive(request, now_us)
        answer = device.data_to_send(now_us)
        while device.next_event() is not None:
            pass
        return answer


class BareExchanges(Exchanges):
    """With the protocol's end and the model, and no device around them: no line's faults, no events, no time-outs."""

    def __init__(self) -> None:
        profile = load_profile("reference-20")
        self._pump = Pump(profile, DEFAULT_SERIAL_NUMBER)
        self._wire = VpumpWire(profile, DEFAULT_SERIAL_NUMBER, insecure=False)
        self._cutter = self._wire.cutter(Direction.REQUEST)
        self._wire.line_opened(PORT, 0)
        super().__init__()

    def _answer_to(self, request: bytes, now_us: int) -> bytes:
        wire = self._wire
        for frame in self._cutter.feed(request, now_us):
            wire.receive(PORT, frame, now_us)
        while (wanted := wire.next_request()) is not None:
            reply = self._pump.command(wanted.command, now_us)
            if reply is not None:
                wire.reply(wanted.token, reply, now_us)
        return b"".join(wire.frames_to_send(PORT))


FRAME = construct.Struct(
    "first" / construct.Int8ul,
    "txn" / construct.Int8ul,
    "opcode" / construct.Int16ul,
    "address" / construct.Int32ul,
    "session_id" / construct.Int16ul,
    "length" / construct.Int16ul,
    "payload" / construct.Bytes(construct.this.length),
    "sealed" / construct.Bytes(SEAL_SIZE),
)
"""A secured frame as construct would have it declared."""


class BareLibraries:
    """The libraries alone, on the bytes of one exchange: no check, no state, no pump."""

    def __init__(self) -> None:
        line = DeviceExchanges()
        message = line.status()
        self._request, self._answer = (_body(wire) for wire in (line.request, line.answer))
        self._payload = encode(message)
        self._frames = [FRAME.parse(body) for body in (self._request, self._answer)]
        self._message = layout_of(StatusAnswer).codec.parse(self._payload)
        self._cipher = cipher_of(bytes(KEY_SIZE))
        self._plain = [(b"", self._request[:HEADER_SIZE]), (bytes((OK,)) + self._payload, self._answer[:HEADER_SIZE])]
        self._sealed = [self._cipher.encrypt(NONCE, payload, header) for payload, header in self._plain]

    def build_and_parse(self, count: int) -> None:
        """The structures of one exchange, built by one end and parsed by the other, payload and frame."""
        codec = layout_of(StatusAnswer).codec
        request, answer = self._frames
        for _ in range(count):
            FRAME.parse(FRAME.build(request))
            codec.parse(codec.build(self._message))
            FRAME.parse(FRAME.build(answer))

    def seal_and_open(self, count: int) -> None:
        """The payloads of one exchange, each enciphered by one end and deciphered by the other."""
        cipher, plain, sealed = self._cipher, self._plain, self._sealed
        for _ in range(count):
            for (payload, header), image in zip(plain, sealed, strict=True):
                cipher.encrypt(NONCE, payload, header)
                cipher.decrypt(NONCE, image, header)


class BulkBytes:
    """The frames of exchanges, one behind the other, as a recording of a line holds them."""

    def __init__(self, exchanges: int) -> None:
        line = DeviceExchanges()
        line.run(1)
        self.frames = 2 * exchanges
        self._stream = (line.request + line.answer) * exchanges

    def read(self, times: int) -> None:
        """Cut them to frames with a reader, chunk by chunk. Raises an error when it does not find every one."""
        for _ in range(times):
            reader, found = StreamReader(), 0
            for start in range(0, len(self._stream), CHUNK):
                found += sum(piece.body is not None for piece in reader.feed(self._stream[start : start + CHUNK]))
            _require(found == self.frames, "a frame was not found")

    def decode(self, times: int) -> None:
        """The same with cobs and zlib alone, on frames that somebody has cut."""
        for _ in range(times):
            for encoded in self._stream.split(DELIMITER):
                if encoded:
                    checked = cobs.decode(encoded)
                    zlib.crc32(checked[:-CRC_SIZE]).to_bytes(CRC_SIZE, "little")


def _body(wire: bytes) -> bytes:
    body: bytes = cobs.decode(wire.strip(DELIMITER))[:-CRC_SIZE]
    return body


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(f"what is timed is not what was meant: {otherwise}")
