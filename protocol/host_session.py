"""The programmer's side of a session: the handshake that opens one, and the channel that its frames go through."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from protocol import keys
from protocol.channel import Direction, Opener, Sealer, SessionKeys
from protocol.frame import Flag, Frame, parse_body
from protocol.keys import CHALLENGE_SIZE, Handshake
from protocol.messages.codes import OpenFlag, Role
from protocol.messages.link import AuthRequest, OpenAnswer, OpenRequest

NO_SESSION: Final = 0


@dataclass(frozen=True, slots=True)
class SessionWanted:
    """The session that a host wants. `challenge` is 8 bytes that it never uses again."""

    role: Role
    host_id: int
    key: bytes = field(repr=False)
    challenge: bytes
    takeover: bool = False

    def __post_init__(self) -> None:
        if len(self.challenge) != CHALLENGE_SIZE:
            raise ValueError(f"a challenge has {CHALLENGE_SIZE} bytes, not {len(self.challenge)}")

    def request(self) -> OpenRequest:
        return OpenRequest(
            role=self.role,
            flags=OpenFlag.TAKEOVER if self.takeover else OpenFlag(0),
            host_id=self.host_id,
            host_challenge=self.challenge,
        )


class CryptogramWrong(Exception):
    """The pump does not hold the key that we hold."""


def answer_challenge(
    wanted: SessionWanted, answer: OpenAnswer, *, serial_number: int, hello_hash: bytes
) -> tuple[AuthRequest, SessionKeys]:
    """What to authenticate with, and the keys of the session that is then open; raises CryptogramWrong."""
    handshake = Handshake(
        role=wanted.role,
        flags=int(wanted.request().flags),
        serial_number=serial_number,
        host_id=wanted.host_id,
        host_challenge=wanted.challenge,
        device_challenge=answer.device_challenge,
        hello_hash=hello_hash,
    )
    if not hmac.compare_digest(keys.device_cryptogram(wanted.key, handshake), answer.device_cryptogram):
        raise CryptogramWrong
    return (
        AuthRequest(host_cryptogram=keys.host_cryptogram(wanted.key, handshake)),
        keys.session_keys(wanted.key, handshake),
    )


class HostChannel:
    """Both directions of a session at the host's end. `session_id` is 0 until AUTH's answer has named it."""

    def __init__(self, session_keys: SessionKeys) -> None:
        self.session_id = NO_SESSION
        self._requests = Sealer(session_keys, Direction.HOST_TO_PUMP)
        self._answers = Opener(session_keys, Direction.PUMP_TO_HOST)

    def seal(self, frame: Frame) -> Frame:
        """A request of ours as it goes out; raises CounterExhausted."""
        return parse_body(
            self.seal_body(
                opcode=frame.opcode, txn=frame.txn, address=frame.address, payload=frame.payload, flags=frame.flags
            )
        )

    def seal_body(self, *, opcode: int, txn: int, address: int, payload: bytes, flags: Flag) -> bytes:
        """The same, of its parts, as it goes on the wire."""
        return self._requests.seal_body(
            opcode=opcode, txn=txn, address=address, session_id=self.session_id, payload=payload, flags=flags
        )

    def open(self, frame: Frame) -> bytes | None:
        """An answer's payload in the clear, None for a frame of another session; raises CounterOld and TagWrong."""
        if not frame.sealed or self.session_id not in (NO_SESSION, frame.session_id):
            return None
        payload = self._answers.open(frame)
        self.session_id = frame.session_id
        return payload

    def open_event(self, frame: Frame) -> bytes | None:
        """The same of an event, which comes only in a session that AUTH's answer has opened."""
        return self.open(frame) if self.session_id != NO_SESSION else None
