"""What becomes of a frame that a line fault strikes: pure functions from its bytes to what goes on in its place.

Nothing here knows a protocol: a frame is bytes, and the one that matched before it is bytes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from emulator.faults.baud import heard_at
from emulator.wire import Direction, SealingWire

MOST_PIECES: Final = 1_024
"""Of one frame, whatever is armed on it; what is beyond is lost."""
BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that go on: `after_us` later than the frame would have.

    loose   what comes behind may overtake it, and it follows then; everything else keeps its order
    turned  it goes back to whoever has sent the frame
    """

    raw: bytes
    after_us: int = 0
    loose: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Struck:
    """A frame, or what an earlier fault has left of it, with all that a fault may know.

    draw       a whole number from 0 to below its argument, from the fault's own generator
    direction  which way it goes
    seal       what makes another sealed frame of it; None where the protocol has none
    earlier    the frame that matched before it, as it was sent; None for the first
    """

    raw: bytes
    values: Mapping[str, int]
    draw: Callable[[int], int]
    direction: Direction
    seal: SealingWire | None = None
    earlier: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of it.

    silence_us    for so long the line then carries nothing, either way
    power_off_us  the power goes, and comes back so much later; 0: when the tester gives it back; None: it stays
    broken_us     the line breaks, and is mended so much later; 0: it does not
    forgotten     the pump forgets the session of the line
    """

    pieces: tuple[Piece, ...] = ()
    silence_us: int = 0
    power_off_us: int | None = None
    broken_us: int = 0
    forgotten: bool = False


Act = Callable[[Struck], Outcome]


def drop(_struck: Struck) -> Outcome:
    """Nothing goes on."""
    return Outcome()


def corrupt(struck: Struck) -> Outcome:
    """So many bits in a row are turned over, from a place that is given or drawn."""
    bits = len(struck.raw) * BITS
    place = (struck.values["byte"] * BITS + struck.values["bit"]) if struck.values["where"] == 0 else struck.draw(bits)
    place %= bits
    changed = bytearray(struck.raw)
    for bit in range(place, min(place + struck.values["burst"], bits)):
        changed[bit // BITS] ^= 1 << bit % BITS
    return _in_its_place(bytes(changed))


def truncate(struck: Struck) -> Outcome:
    """Its last bytes are missing."""
    return _in_its_place(struck.raw[: -struck.values["lost"]])


def duplicate(struck: Struck) -> Outcome:
    """It comes, and so many copies of it behind, each so much later."""
    times = struck.values["copies"] + 1
    return Outcome(tuple(Piece(struck.raw, struck.values["gap"] * at) for at in range(times)))


def delay(struck: Struck) -> Outcome:
    """It comes later, and all behind it waits."""
    return Outcome((Piece(struck.raw, struck.values["by"]),))


def reorder(struck: Struck) -> Outcome:
    """What comes next overtakes it, if it comes in time."""
    return Outcome((Piece(struck.raw, struck.values["by"], loose=True),))


def misread(struck: Struck) -> Outcome:
    """It is read at another speed than it was sent."""
    return _in_its_place(heard_at(struck.raw, struck.values["sent"], struck.values["heard"]))


def insert(struck: Struck) -> Outcome:
    """Garbage before it, or behind."""
    garbage = Piece(bytes(struck.draw(256) for _ in range(struck.values["bytes"])))
    frame = Piece(struck.raw)
    return Outcome((garbage, frame) if struck.values["where"] == 0 else (frame, garbage))


def split(struck: Struck) -> Outcome:
    """It comes in two parts."""
    at = struck.values["at"]
    return _in_parts((struck.raw[:at], struck.raw[at:]), struck.values["gap"])


def slow(struck: Struck) -> Outcome:
    """It comes in parts of so many bytes, each a while behind the one before."""
    size = struck.values["bytes"]
    parts = tuple(struck.raw[at : at + size] for at in range(0, len(struck.raw), size))
    return _in_parts(parts, struck.values["gap"])


def echo(struck: Struck) -> Outcome:
    """It goes on, and comes back to whoever has sent it."""
    return Outcome((Piece(struck.raw, turned=True), Piece(struck.raw)))


def replay(struck: Struck) -> Outcome:
    """The one that matched before comes once more behind it."""
    earlier = () if struck.earlier is None else (Piece(struck.earlier, struck.values["gap"]),)
    return Outcome((Piece(struck.raw), *earlier))


def stale(struck: Struck) -> Outcome:
    """The one that matched before comes in its place."""
    return _in_its_place(struck.raw if struck.earlier is None else struck.earlier)


def hang(struck: Struck) -> Outcome:
    """It is lost, and everything behind it for a while."""
    return Outcome(silence_us=struck.values["lasting"])


def crash(struck: Struck) -> Outcome:
    """It is lost, and the power goes."""
    return Outcome(power_off_us=struck.values["off"])


def disconnect(struck: Struck) -> Outcome:
    """It is lost, and the line breaks."""
    return Outcome(broken_us=struck.values["lasting"])


def flip_tag(struck: Struck) -> Outcome:
    """Its tag is wrong."""
    return _in_its_place(struck.seal.with_wrong_tag(struck.raw) if struck.seal else struck.raw)


def skip_counter(struck: Struck) -> Outcome:
    """It is sealed with another counter."""
    by = struck.values["by"]
    return _in_its_place(struck.seal.with_counter(struck.raw, struck.direction, by) if struck.seal else struck.raw)


def drop_session(struck: Struck) -> Outcome:
    """It goes on, and the pump has forgotten the session."""
    return Outcome((Piece(struck.raw),), forgotten=True)


class Composition:
    """What several faults, one after the other, make of one frame. `faults`: those that have struck, as written."""

    def __init__(self, frame: bytes, faults: Sequence[str] = (), *, lost: bool = False) -> None:
        self.frame = frame
        self.pieces: tuple[Piece, ...] = () if lost else (Piece(frame),)
        self.faults = list(faults)
        self.silence_us = 0
        self.power_off_us: int | None = None
        self.broken_us = 0
        self.forgotten = False

    def add(self, fault: str, strike: Callable[[bytes], Outcome]) -> None:
        """Let one more fault strike each piece that is left."""
        pieces: list[Piece] = []
        for piece in self.pieces:
            outcome = strike(piece.raw)
            self.silence_us = max(self.silence_us, outcome.silence_us)
            self.broken_us = max(self.broken_us, outcome.broken_us)
            self.forgotten = self.forgotten or outcome.forgotten
            if outcome.power_off_us is not None:
                self.power_off_us = outcome.power_off_us
            pieces += [
                replace(
                    each,
                    after_us=piece.after_us + each.after_us,
                    loose=piece.loose or each.loose,
                    turned=piece.turned is not each.turned,
                )
                for each in outcome.pieces
                if each.raw
            ]
        self.pieces = tuple(pieces[:MOST_PIECES])
        self.faults.append(fault)


def _in_its_place(raw: bytes) -> Outcome:
    return Outcome((Piece(raw),))


def _in_parts(parts: tuple[bytes, ...], gap_us: int) -> Outcome:
    return Outcome(tuple(Piece(part, gap_us * at) for at, part in enumerate(parts)))
