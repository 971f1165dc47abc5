"""What the pump's end of the line wants of its pump, and the tokens under which the pump's replies come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct

from protocol.messages.codes import Role, TelemetryField
from protocol.messages.operations import Operation, payload_hash
from protocol.sessions import Asked, Session

_HANDSHAKE: Final = frozenset({"OPEN", "AUTH"})


class Request(Struct, frozen=True, kw_only=True):
    """A request that awaits `answer` or `refuse` under its token. `session` 0 and `role` None: asked without one."""

    token: int
    port: int
    session: int
    role: Role | None
    host_id: int
    operation: Operation
    message: Any
    txn: int

    @property
    def payload_hash(self) -> bytes:
        """What the ledger knows a command by."""
        return payload_hash(self.operation.opcode, self.message)


@dataclass(frozen=True, slots=True)
class SessionNumberWanted:
    """An OPEN wants a session counter that was never used; awaits `number_session` or `refuse`."""

    token: int
    role: Role
    port: int


@dataclass(frozen=True, slots=True)
class AttemptToCount:
    """An AUTH is to be counted as failed before it is checked; awaits `check_attempt` or `refuse`."""

    token: int
    role: Role
    port: int


@dataclass(frozen=True, slots=True)
class AttemptToConfirm:
    """The cryptogram was right; awaits `open_session` or `refuse`. `from_host_id`: whose place is taken over."""

    token: int
    role: Role
    port: int
    host_id: int
    from_host_id: int | None


@dataclass(frozen=True, slots=True)
class FailureToNote:
    """A wrong cryptogram of a role, or (`role` None) a wrong tag. Awaits nothing; its token is 0."""

    port: int
    role: Role | None
    token: int = 0


@dataclass(frozen=True, slots=True)
class TelemetryWanted:
    """An event is owed to a session of a role: what the pump says of itself now; awaits `streams.tell`."""

    token: int
    role: Role
    fields: TelemetryField
    stream_sequence: int


@dataclass(frozen=True, slots=True)
class SlowRequestDue:
    """A request that was put off is to be answered now; awaits `answer` or `refuse` under the same token."""

    request: Request

    @property
    def token(self) -> int:
        return self.request.token


Errand = (
    Request | SessionNumberWanted | AttemptToCount | AttemptToConfirm | FailureToNote | TelemetryWanted | SlowRequestDue
)


class Token(Struct, frozen=True):
    """What was asked under a token; `session` is the key of a session, 0 for none."""

    port: int
    session: int
    asked: Asked
    operation: Operation


@dataclass(slots=True)
class Errands:
    """The errands that wait to be fetched, and the tokens that wait for their reply."""

    waiting: dict[int, Token] = field(default_factory=dict)
    queue: deque[Errand] = field(default_factory=deque)
    _given: int = 0

    def give_token(self, port: int, session: Session | None, asked: Asked, operation: Operation) -> int:
        token = self.number_token()
        self.waiting[token] = Token(port, session.key if session else 0, asked, operation)
        return token

    def number_token(self) -> int:
        """A token that was never given."""
        self._given += 1
        return self._given

    def unsequenced(self, port: int) -> int:
        """How many requests outside any sequence a line has unanswered."""
        tokens = self.waiting.values()
        return sum(each.port == port and (each.session == 0 or not each.operation.sequenced) for each in tokens)

    def handshake(self, port: int) -> Token | None:
        """The OPEN or AUTH of a line that awaits its reply; there is one at most."""
        tokens = self.waiting.values()
        return next((each for each in tokens if each.port == port and each.operation.name in _HANDSHAKE), None)

    def forget(self, port: int, session: Session | None) -> None:
        """Kill the tokens of a session, or (None) all of a line."""
        self._kill(lambda token: token.port == port and (session is None or token.session == session.key))

    def forget_handshake(self, port: int) -> None:
        """Kill the token of a line's OPEN or AUTH."""
        self._kill(lambda token: token.port == port and token.operation.name in _HANDSHAKE)

    def _kill(self, doomed: Callable[[Token], bool]) -> None:
        dead = {number for number, token in self.waiting.items() if doomed(token)}
        for number in dead:
            del self.waiting[number]
        self.queue = deque(errand for errand in self.queue if errand.token not in dead)

    def clear(self) -> None:
        self.waiting.clear()
        self.queue.clear()
