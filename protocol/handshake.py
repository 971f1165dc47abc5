"""The pump's side of OPEN and AUTH on one line: challenges out, cryptograms in, and what a repetition is answered with.

Rules of this file:

- An identical OPEN is answered with the same bytes until an AUTH has been checked; any other one takes its place.
- A cryptogram is checked once for each OPEN. The same AUTH again gets the stored answer, and is not counted: while the
  session that it opened lives, or, when it was refused, until the next OPEN.
- While the pump is at one of them, its copy gets PENDING; another OPEN ends it, another AUTH gets BUSY.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from protocol import keys
from protocol.channel import SessionKeys
from protocol.fields import encode
from protocol.keys import Handshake
from protocol.messages.codes import OpenFlag, Role
from protocol.messages.link import AuthRequest, OpenAnswer, OpenRequest
from protocol.refusals import OK


@dataclass(frozen=True, slots=True)
class Opening:
    """An OPEN that has been answered. `counter` is the session counter that it was given."""

    request: OpenRequest
    counter: int
    handshake: Handshake
    answer: bytes
    role_key: bytes = field(repr=False)

    @property
    def role(self) -> Role:
        return self.request.role

    @property
    def takes_over(self) -> bool:
        return OpenFlag.TAKEOVER in self.request.flags

    def fits(self, request: AuthRequest) -> bool:
        """Whether the host has shown that it holds the role's key."""
        return hmac.compare_digest(keys.host_cryptogram(self.role_key, self.handshake), request.host_cryptogram)

    def session_keys(self) -> SessionKeys:
        return keys.session_keys(self.role_key, self.handshake)


def answer_open(
    request: OpenRequest, *, role_key: bytes, counter: int, serial_number: int, hello_hash: bytes
) -> Opening:
    """The answer to an OPEN under a session counter that was never used before."""
    handshake = Handshake(
        role=request.role,
        flags=int(request.flags),
        serial_number=serial_number,
        host_id=request.host_id,
        host_challenge=request.host_challenge,
        device_challenge=keys.device_challenge(role_key, counter, serial_number),
        hello_hash=hello_hash,
    )
    answer = OpenAnswer(
        device_challenge=handshake.device_challenge, device_cryptogram=keys.device_cryptogram(role_key, handshake)
    )
    return Opening(request, counter, handshake, bytes((OK,)) + encode(answer), role_key)
