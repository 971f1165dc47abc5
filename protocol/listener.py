"""Who overhears a line and holds keys of its pump: follows handshakes, and opens the sealed frames of both directions.

Rules of this file:

- Nothing is believed for its place: a device cryptogram shows which OPEN, greeting and key belong together, and a tag
  shows which session a frame is of. So frames may be lost, repeated, late, or of several lines and pumps at once.
- A frame that nobody can open says why. What is said never holds anything of a key.
- What is remembered is bounded; of what is forgotten, the frames behind it stay sealed.
"""

from __future__ import annotations

import hmac
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from protocol import keys
from protocol.channel import Direction, Opener, SessionKeys, TagWrong, counter_of
from protocol.fields import FormatError, decode
from protocol.frame import Flag, Frame
from protocol.keys import Handshake, RoleKeys
from protocol.messages import link
from protocol.messages.codes import Role
from protocol.messages.operations import by_name
from protocol.refusals import OK

MOST_PUMPS: Final = 16
"""Pumps whose greetings and handshakes are remembered; the one that spoke least lately is forgotten."""
MOST_GREETINGS: Final = 4
"""Different answers to HELLO of one pump."""
MOST_OPENS: Final = 16
"""OPEN requests to one pump."""
MOST_OPENINGS: Final = 16
"""Handshakes of one pump that nobody has authenticated yet."""
MOST_SESSIONS: Final = 64
"""Sessions of one pump; the one that spoke least lately is forgotten."""

_HANDSHAKE: Final = {by_name[name].opcode: name for name in ("HELLO", "OPEN", "AUTH")}

_WRONG_TAG: Final = "the tag does not verify: a changed frame, or another session's"
M = TypeVar("M")

KeysOf = Callable[[int], Iterable[RoleKeys]]
"""The keys that may be those of the pump with this serial number, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Overheard:
    """What a frame is to who overhears it.

    plain     the payload in the clear; None if it is sealed and was not opened here
    problem   why its receiver takes no notice of it, as far as that can be known; empty when it is well
    remark    why it was not opened here, or what is the matter with its handshake; empty when there is nothing to say
    role, host_id   whose session it is of; None where that is not known
    skipped   how many frames of its direction and session are missing before it
    """

    plain: bytes | None
    problem: str = ""
    remark: str = ""
    role: Role | None = None
    host_id: int | None = None
    skipped: int = 0


@dataclass(slots=True)
class _Opening:
    """A handshake whose device cryptogram fits."""

    handshake: Handshake
    host_cryptogram: bytes = field(repr=False)
    session_keys: SessionKeys = field(repr=False)


class _Session:
    """An authenticated session, as far as it was overheard."""

    def __init__(self, opening: _Opening) -> None:
        self.opening = opening
        self.role = opening.handshake.role
        self.host_id = opening.handshake.host_id
        self.openers = {direction: Opener(opening.session_keys, direction) for direction in Direction}

    def look(self, frame: Frame, direction: Direction) -> bytes | None:
        """The payload in the clear, None if it is not of this session."""
        try:
            return self.openers[direction].look(frame)
        except TagWrong:
            return None

    def hear(self, frame: Frame, direction: Direction, plain: bytes) -> Overheard:
        """A frame of this session, and where it stands in the order of its direction."""
        opener, counter = self.openers[direction], counter_of(frame)
        if counter <= opener.last:
            problem = f"counter {counter} is not above {opener.last}: a copy of an earlier frame"
            return Overheard(plain, problem, role=self.role, host_id=self.host_id)
        skipped, opener.last = counter - opener.last - 1, counter
        return Overheard(plain, role=self.role, host_id=self.host_id, skipped=skipped)


@dataclass(slots=True)
class _Pump:
    """What was overheard of one pump. `why` says why the last handshake could not be followed."""

    greetings: deque[bytes] = field(default_factory=lambda: deque(maxlen=MOST_GREETINGS))
    opens: deque[link.OpenRequest] = field(default_factory=lambda: deque(maxlen=MOST_OPENS))
    openings: deque[_Opening] = field(default_factory=lambda: deque(maxlen=MOST_OPENINGS))
    sessions: OrderedDict[int, _Session] = field(default_factory=OrderedDict)
    why: str = "its OPEN is not here"

    def handshakes(self) -> Iterator[_Opening]:
        """Those that are not authenticated yet, and those that are."""
        yield from self.openings
        yield from (session.opening for session in self.sessions.values())


class Listener:
    """Overhears frames in the order in which they passed."""

    def __init__(self, keys_of: KeysOf) -> None:
        self._keys_of = keys_of
        self._pumps: OrderedDict[int, _Pump] = OrderedDict()

    def hear(self, frame: Frame) -> Overheard:
        """A frame that keeps the rules of a frame."""
        pump = self._pump(frame.address)
        if Flag.SECURED in frame.flags:
            return self._open(pump, frame)
        return Overheard(frame.payload, remark=self._note(pump, frame) if frame.opcode in _HANDSHAKE else "")

    def _pump(self, address: int) -> _Pump:
        if address not in self._pumps and len(self._pumps) == MOST_PUMPS:
            self._pumps.popitem(last=False)
        pump = self._pumps.setdefault(address, _Pump())
        self._pumps.move_to_end(address)
        return pump

    def _note(self, pump: _Pump, frame: Frame) -> str:
        """Remember a step of a handshake; returns what is wrong with it."""
        answers = Flag.RESP in frame.flags
        if answers and frame.payload[:1] != bytes((OK,)):
            return ""
        payload = frame.payload[1:] if answers else frame.payload
        try:
            match _HANDSHAKE[frame.opcode], answers:
                case ("HELLO", True):
                    _remember(pump.greetings, payload)
                case ("OPEN", False):
                    _remember(pump.opens, decode(link.OpenRequest, payload))
                case ("OPEN", True):
                    return self._follow(pump, frame.address, decode(link.OpenAnswer, payload))
                case ("AUTH", False):
                    return _check_host(pump, decode(link.AuthRequest, payload))
        except FormatError:
            # Whoever reads the frame for people says what is wrong with it.
            return ""
        return ""

    def _follow(self, pump: _Pump, address: int, answer: link.OpenAnswer) -> str:
        """The session keys of the handshake that an answer belongs to; returns why there are none."""
        if any(each.handshake.device_challenge == answer.device_challenge for each in pump.handshakes()):
            return ""
        opening = self._opening(pump, address, answer)
        if opening is None:
            pump.why = self._why_not(pump, address)
        else:
            pump.openings.append(opening)
            pump.why = ""
        return pump.why

    def _opening(self, pump: _Pump, address: int, answer: link.OpenAnswer) -> _Opening | None:
        """The handshake whose device cryptogram this is, the latest first; None if none here is."""
        for request, greeting in itertools.product(reversed(pump.opens), reversed(pump.greetings)):
            handshake = Handshake(
                role=request.role,
                flags=int(request.flags),
                serial_number=address,
                host_id=request.host_id,
                host_challenge=request.host_challenge,
                device_challenge=answer.device_challenge,
                hello_hash=keys.hello_hash(greeting),
            )
            for role_keys in self._keys_of(address):
                key = role_keys.get(request.role)
                if key is None:
                    continue
                if hmac.compare_digest(keys.device_cryptogram(key, handshake), answer.device_cryptogram):
                    return _Opening(handshake, keys.host_cryptogram(key, handshake), keys.session_keys(key, handshake))
        return None

    def _why_not(self, pump: _Pump, address: int) -> str:
        if not pump.greetings:
            return "HELLO's answer is not here, and session keys depend on it"
        if not pump.opens:
            return "its OPEN is not here"
        role = pump.opens[-1].role
        held = any(role_keys.get(role) is not None for role_keys in self._keys_of(address))
        lacking = "no key that is given here fits" if held else "no key is given here"
        return f"{lacking} for role {role.name.lower()} of pump {address:08X}"

    def _open(self, pump: _Pump, frame: Frame) -> Overheard:
        direction = Direction.PUMP_TO_HOST if frame.flags & (Flag.RESP | Flag.EVENT) else Direction.HOST_TO_PUMP
        session = pump.sessions.get(frame.session_id)
        if session is not None and (plain := session.look(frame, direction)) is not None:
            pump.sessions.move_to_end(frame.session_id)
            return session.hear(frame, direction, plain)
        # A session begins with the answer to AUTH; if that is missing, with whichever frame of it comes first.
        for opening in reversed(pump.openings):
            begun = _Session(opening)
            if (plain := begun.look(frame, direction)) is not None:
                pump.openings.remove(opening)
                self._begin(pump, frame.session_id, begun)
                return begun.hear(frame, direction, plain)
        if session is not None:
            return Overheard(None, _WRONG_TAG, role=session.role, host_id=session.host_id)
        return Overheard(None, remark=pump.why or "it is of no session that was opened here")

    @staticmethod
    def _begin(pump: _Pump, session_id: int, session: _Session) -> None:
        if session_id not in pump.sessions and len(pump.sessions) == MOST_SESSIONS:
            pump.sessions.popitem(last=False)
        pump.sessions[session_id] = session
        pump.sessions.move_to_end(session_id)


def _remember(known: deque[M], new: M) -> None:
    """Keep it as the latest of its kind."""
    if new in known:
        known.remove(new)
    known.append(new)


def _check_host(pump: _Pump, request: link.AuthRequest) -> str:
    """Whether the host has shown that it has the key: said only where it can be known."""
    if pump.why:
        return ""
    fits = any(hmac.compare_digest(each.host_cryptogram, request.host_cryptogram) for each in pump.handshakes())
    return "" if fits else "the host's cryptogram fits no OPEN that is here: another key, or a changed handshake"
