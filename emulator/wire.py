"""The seam for protocols: what a device needs of a wire protocol, and what others may know of its frames.

Line faults, trace, capture, `send` and `decode` work on `WireFrame`s alone. Whoever brings the protocol of his own
pump offers a `ProtocolPlugin` with a `WireProtocol` and a `Decoder` in it; docs/your-own-protocol.md walks through one.
No room above this seam imports a protocol by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from firmware_model.commands import Command, Reply
from firmware_model.profile import Profile
from firmware_model.pump_events import PumpEvent


class Direction(Enum):
    """Which way a frame goes: to the pump, or from it as an answer or of its own accord."""

    REQUEST = "request"
    ANSWER = "answer"
    EVENT = "event"


Names = Mapping[Direction, Sequence[str]]
"""The names that a frame can have, by its direction. A direction without any is one in which nothing ever goes."""


def operation_names(operations: Sequence[str], announcements: Sequence[str] = ()) -> Names:
    """The names of operations that are asked and answered, and of what a pump says of its own accord."""
    return {Direction.REQUEST: operations, Direction.ANSWER: operations, Direction.EVENT: announcements}


class Ability(Enum):
    """What not every protocol can do for the faults of the line, as a sentence has it that misses it."""

    SEALS = "frames with a tag and a counter"
    SESSIONS = "sessions"


@dataclass(frozen=True, slots=True)
class FaultNames:
    """What a fault of the line can say on one wire: `of` has the names of each direction."""

    of: Names
    abilities: frozenset[Ability] = frozenset(Ability)


class LazyText(Struct, eq=False):
    """Words that are made when somebody reads them: most frames pass by unread."""

    _make: Callable[[], str]

    def __str__(self) -> str:
        return self._make()

    def __repr__(self) -> str:
        return repr(str(self))

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | LazyText) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True, slots=True)
class WireFrame:
    """A piece of a byte stream, cut where the protocol says that a frame ends, and classified.

    direction EVENT for a frame from the pump that answers nothing; a piece that is no frame goes as its line does
    name      the operation's name, as faults and trace name it; empty for a piece that is no frame
    effect    link, read, stage, therapy or alarm; empty when unknown
    summary   the fields, for people
    rejected  why the piece is no acceptable frame, in words; empty for a good one
    at        index in `raw` of the byte for which it is rejected; None where nobody has looked for it
    silent    True for bytes that mean nothing at all, such as a spare delimiter
    sealed    a tag and a counter come with it
    """

    raw: bytes
    direction: Direction
    name: str = ""
    effect: str = ""
    summary: str | LazyText = ""
    rejected: str = ""
    silent: bool = False
    at: int | None = None
    sealed: bool = False


class FrameCutter(Protocol):
    """Cuts one direction of one line into frames. The pieces' raw bytes, joined, are the bytes that went in.

    What it holds back of an unfinished piece is bounded, whatever the bytes claim of their length.
    """

    def feed(self, data: bytes, now: int) -> Iterable[WireFrame]:
        """The pieces that are complete with these bytes, each classified when it is taken, as things stand then.

        `now` is when the bytes came, in virtual microseconds; in a recording that has no times it stands still.
        """

    def reset(self) -> None:
        """Forget an unfinished piece: the line is a new one."""


class ModelRequest(Struct, frozen=True):
    """A command for the model, and the token under which the wire waits for its reply."""

    token: int
    command: Command


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session of the wire began or ended (`reason` is empty for one that began).

    session      the number that leases and stages know it by, never used again
    session_id   as its frames name it, 0 where the protocol has none
    role         whose it is, in the protocol's word
    """

    port: int
    session: int
    opened: bool
    reason: str = ""
    session_id: int = 0
    role: str = ""
    host_id: int = 0


class Guard(Enum):
    """What protects a pump from whoever can open its port."""

    OWN_KEYS = "own"
    TEST_KEYS = "test"
    NO_KEYS = "none"


class WireProtocol(Protocol):
    """One pump's end of a wire protocol, sans-IO. Ports are small integers; `now` is virtual microseconds."""

    @property
    def names(self) -> Names:
        """The names that frames have, in each direction, for the grammar of faults."""

    @property
    def session_open(self) -> bool:
        """Whether a client is at work whose time-outs run: time then passes at the speed of a session.

        A protocol without sessions says so while an exchange is under way, or never.
        """

    @property
    def guard(self) -> Guard:
        """Which keys protect the pump now."""

    def cutter(self, direction: Direction) -> FrameCutter:
        """A new cutter for one direction of a line: REQUEST to the pump, ANSWER for all that comes from it."""

    def line_opened(self, port: int, now: int) -> None:
        """A client opened the line: what an earlier one left behind is void."""

    def line_closed(self, port: int, now: int) -> None:
        """The client is gone."""

    def line_reading(self, port: int, now: int, *, reading: bool) -> None:
        """Whether the client takes what it is sent: while it does not, nothing leaves but answers."""

    def happened(self, event: PumpEvent, now: int) -> None:
        """Something happened in the pump, of which the protocol may tell of its own accord."""

    def power_lost(self) -> None:
        """Everything volatile is gone."""

    def replace_keys(self, keys: Mapping[str, bytes]) -> None:
        """The tester gives the pump other keys, by name; none mean the protocol's own test keys.

        Raises ValueError, also where the protocol has no keys.
        """

    def receive(self, port: int, frame: WireFrame, now: int) -> str:
        """Take one piece from the line, good or not; returns why it was silently rejected, or an empty text."""

    def next_request(self) -> ModelRequest | None:
        """The next command for the model."""

    def reply(self, token: int, reply: Reply, now: int) -> None:
        """The model's outcome or refusal of that command."""

    def next_session_change(self) -> SessionChange | None:
        """The next beginning or end of a session."""

    def frames_to_send(self, port: int) -> list[bytes]:
        """Whole frames for the line, in their order; each is handed out once."""

    def next_deadline(self) -> int | None:
        """When a time-out of the wire runs out."""

    def advance(self, now: int) -> None:
        """Let the wire's time-outs run out."""


@runtime_checkable
class SealingWire(Protocol):
    """What a protocol with `sealed` frames can offer besides: the faults `tag-flip` and `counter-skip` work with it.

    Bytes that are no sealed frame of this pump, because an earlier fault has hurt them, come back as they are.
    """

    def with_wrong_tag(self, raw: bytes) -> bytes:
        """A frame whose tag is wrong, and whose checksum of the line is right."""

    def with_counter(self, raw: bytes, direction: Direction, by: int) -> bytes:
        """A frame sealed anew, with a counter that has gone on by so much from the frame before; 1 is as it should."""


@runtime_checkable
class SessionWire(Protocol):
    """What a protocol with sessions can offer besides: the fault `session-drop` works with it."""

    def forget_session(self, port: int, now: int) -> None:
        """End what sessions there are on a line, as if its client had been silent for too long. Tell it nothing."""


def abilities_of(wire: WireProtocol) -> frozenset[Ability]:
    """What a protocol can do for the faults of the line."""
    offers = {Ability.SEALS: isinstance(wire, SealingWire), Ability.SESSIONS: isinstance(wire, SessionWire)}
    return frozenset(ability for ability, offered in offers.items() if offered)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireSetting:
    """The pump that a wire is made for, and what its user has asked for.

    insecure   ask nobody for a key; False for a protocol without keys
    keys       by their names; None: the protocol's own test keys, if it has any
    """

    profile: Profile
    serial_number: int
    insecure: bool = False
    keys: Mapping[str, bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a frame, for people.

    offset  where it begins, as the protocol counts
    text    the value in people's units, where that says more
    """

    offset: int
    name: str
    value: str
    unit: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class FrameWords:
    """A good frame as `decode` and `send` show it.

    direction   request or answer, or what else the protocol calls a frame
    words       what it says, for people
    document    the same as JSON values, by their names
    problem     why its content is not what it should be; empty when it is well
    at          index in its raw bytes of what is not as it should be; None where it is no one place
    rows        all its fields, in the order of their bytes
    """

    direction: str
    words: str
    document: Mapping[str, Any]
    problem: str = ""
    at: int | None = None
    rows: tuple[FieldRow, ...] = ()


class Decoder(Protocol):
    """Explains recordings of a line, without a pump. It is given all frames of a recording in their order."""

    def cutter(self, direction: Direction | None) -> FrameCutter:
        """A new cutter for one direction; for both, mixed, where nobody knows who spoke (None)."""

    def explain(self, frame: WireFrame) -> FrameWords:
        """What a frame says that one of these cutters has cut and not rejected."""

    def unfinished(self, rest: bytes) -> str:
        """Why bytes at the end of a recording are no frame yet; empty for bytes that mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderSetting:
    """What the user wants of a decoder.

    key_file   the keys of pumps as the user has them, to open what is sealed; None for a protocol without keys
    thorough   look closely at what is wrong, and give every field its row
    """

    key_file: Path | None = None
    thorough: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolPlugin:
    """A protocol that pumps can be served with: what an entry point of the group `vpump.protocols` names.

    title        what it is, in a few words
    new_wire     the end of a new pump; raises ValueError, with what is wrong, for a pump that it cannot be made for
    new_decoder  what explains recordings; raises ValueError, with one sentence, for keys that cannot be read
    read_keys    the keys of a pump, given its serial number, from the file of `serve --keys`; raises ValueError with
                 one sentence that holds no key. None: the protocol knows no keys
    first_try    a command that changes nothing, for who has just started a pump: `interrogate`, `send 02 …`
    """

    title: str
    new_wire: Callable[[WireSetting], WireProtocol]
    new_decoder: Callable[[DecoderSetting], Decoder]
    read_keys: Callable[[Path, int], Mapping[str, bytes]] | None = None
    first_try: str = ""
