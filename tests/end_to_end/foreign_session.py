"""A session, opened and held with none of the product's code: hashlib and raw AES, after docs/protocol.md."""

from __future__ import annotations

import hashlib
import secrets
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from tests.end_to_end.foreign import (
    ANSWER_BIT,
    HELLO_VECTOR,
    OK,
    RESP_FLAG,
    SECURED_FLAG,
    VERSION,
    Line,
    frame,
    on_wire,
    read_answer,
)

OPEN, AUTH, CLOSE = 0x0102, 0x0103, 0x0104
BOLUS_PREPARE, BOLUS_EXECUTE, OP_LIST = 0x0403, 0x0404, 0x0A02
READER, PATIENT, CLINICIAN = 1, 2, 3
TAKEOVER = 1
SINGLE_BOLUS = 0x33
HOST_ID = 0x0F0E_1611
HEADER_SIZE, COUNTER_SIZE, TAG_SIZE = 12, 5, 8
WHOLE_U32 = 0xFFFF_FFFF


def kdf(key: bytes, constant: int, context: bytes, size: int) -> bytes:
    """The derivation: one CMAC, shortened."""
    cmac = CMAC(AES(key))
    cmac.update(bytes(11) + bytes([constant, 0]) + (8 * size).to_bytes(2, "big") + b"\1" + context)
    return cmac.finalize()[:size]


def published_key(address: int, role: int) -> bytes:
    """The published key of a pump that has no other."""
    return kdf(b"vpump TEST KEYS!", 0x10, struct.pack("<IB", address, role), 16)


class SaidNo(Exception):
    """The pump refused a request: code, field, element, detail."""

    def __init__(self, payload: bytes) -> None:
        self.code, self.field, self.element, self.detail = struct.unpack("<BBHI", payload)
        super().__init__(f"NAK {self.code:02X} field {self.field} element {self.element} detail {self.detail}")


def granted(payload: bytes) -> bytes:
    """The fields of an answer, whose result is OK; raises SaidNo."""
    if payload[0] != OK:
        raise SaidNo(payload)
    return payload[1:]


@dataclass
class Opening:
    """OPEN was answered, AUTH is to come. What is kept here is what the example in the document prints."""

    line: Line
    address: int
    device_challenge: bytes
    host_cryptogram: bytes
    to_pump_key: bytes = field(repr=False)
    to_host_key: bytes = field(repr=False)
    salt: bytes = field(repr=False)

    def authenticate(self, cryptogram: bytes | None = None) -> Session:
        """AUTH; `cryptogram` to show another one than the right one. Raises SaidNo."""
        self.line.send(on_wire(frame(AUTH, cryptogram or self.host_cryptogram, address=self.address, txn=9)))
        body = read_answer(self.line)
        if not body[0] & SECURED_FLAG:
            raise SaidNo(body[HEADER_SIZE:])
        (session_id,) = struct.unpack_from("<H", body, 8)
        session = Session(self, session_id)
        granted(session.opened(body, AUTH))
        return session


@dataclass
class Session:
    """An open session: what goes out is sealed, and what comes back must be."""

    opening: Opening
    session_id: int
    sent: int = 0
    received: int = 0
    txn: int = 0

    def ask(self, opcode: int, payload: bytes = b"") -> bytes:
        """The fields of the answer to a request; raises SaidNo."""
        self.opening.line.send(self.sealed(opcode, payload))
        body = read_answer(self.opening.line)
        if not body[0] & SECURED_FLAG:
            raise SaidNo(body[HEADER_SIZE:])
        return granted(self.opened(body, opcode))

    def sealed(self, opcode: int, payload: bytes = b"") -> bytes:
        """The next request, as it leaves."""
        self.sent, self.txn = self.sent + 1, (self.txn + 1) % 256
        first = VERSION | SECURED_FLAG
        plain = frame(
            opcode, payload, address=self.opening.address, txn=self.txn, first=first, session_id=self.session_id
        )
        header = plain[:HEADER_SIZE]
        secret = AESCCM(self.opening.to_pump_key, TAG_SIZE).encrypt(self._nonce(0, self.sent), payload, header)
        counter = self.sent.to_bytes(COUNTER_SIZE, "little")
        return on_wire(header + secret[:-TAG_SIZE] + counter + secret[-TAG_SIZE:])

    def opened(self, body: bytes, opcode: int) -> bytes:
        """The payload of an answer to such a request; its tag must verify, and its counter rise."""
        header, secret = body[:HEADER_SIZE], body[HEADER_SIZE : -COUNTER_SIZE - TAG_SIZE]
        counter = int.from_bytes(body[-COUNTER_SIZE - TAG_SIZE : -TAG_SIZE], "little")
        first, _, answered, address, session_id, length = struct.unpack("<BBHIHH", header)
        assert first == VERSION | SECURED_FLAG | RESP_FLAG
        assert (answered, address, session_id) == (opcode | ANSWER_BIT, self.opening.address, self.session_id)
        assert length == len(secret)
        assert counter > self.received
        self.received = counter
        cipher = AESCCM(self.opening.to_host_key, TAG_SIZE)
        return cipher.decrypt(self._nonce(1, counter), secret + body[-TAG_SIZE:], header)

    def _nonce(self, direction: int, counter: int) -> bytes:
        return self.opening.salt + (direction << 39 | counter).to_bytes(COUNTER_SIZE, "big")


def challenge_pump(
    line: Line, key: bytes | None = None, *, role: int = CLINICIAN, host_id: int = HOST_ID, takeover: bool = False
) -> Opening:
    """HELLO and OPEN; the pump has shown that it has the key (the test key, if none is given). Raises SaidNo."""
    line.send(HELLO_VECTOR)
    greeting = granted(read_answer(line)[HEADER_SIZE:])
    address = int.from_bytes(greeting[26:30], "little")
    key = key or published_key(address, role)
    host_challenge = secrets.token_bytes(8)
    asked = struct.pack("<BBI", role, TAKEOVER if takeover else 0, host_id) + host_challenge
    line.send(on_wire(frame(OPEN, asked, address=address, txn=8)))
    answer = granted(read_answer(line)[HEADER_SIZE:])
    device_challenge, device_cryptogram = answer[:8], answer[8:16]
    context = struct.pack("<BBII", role, TAKEOVER if takeover else 0, address, host_id)
    context += host_challenge + device_challenge + hashlib.sha256(greeting).digest()[:16]
    assert device_cryptogram == kdf(key, 0x00, context, 8), "the pump has another key"
    return Opening(
        line,
        address,
        device_challenge,
        host_cryptogram=kdf(key, 0x01, context, 8),
        to_pump_key=kdf(key, 0x04, context, 16),
        to_host_key=kdf(key, 0x06, context, 16),
        salt=kdf(key, 0x07, context, 8),
    )


def give_bolus(session: Session, volume_nl: int, duration_s: int, op_id: int) -> None:
    """The way of a bolus: the revision out of a complete OP_LIST, PREPARE, EXECUTE. Raises SaidNo."""
    _, therapy_rev, _, pages = struct.unpack_from("<HIBB", session.ask(OP_LIST, b"\0"))
    assert pages == 1
    wanted = struct.pack("<BIII", SINGLE_BOLUS, volume_nl, volume_nl ^ WHOLE_U32, duration_s)
    bolus_id, whole_nl, duration_s = struct.unpack_from("<III", session.ask(BOLUS_PREPARE, wanted))
    session.ask(
        BOLUS_EXECUTE,
        struct.pack("<IIIIII", bolus_id, whole_nl, whole_nl ^ WHOLE_U32, duration_s, op_id, therapy_rev),
    )
