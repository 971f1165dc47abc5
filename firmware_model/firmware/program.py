"""A program: what the clinician sets. Its canonical image, the checks that it must pass, and what of it will run.

The image is the blocks in the order of their numbers, nothing between or behind them; its CRC-32 names the program:

    DRUGS       five places: name 16 bytes (printable ASCII, filled up with NUL) | concentration_ng_per_ml u32
    INFUSION    mode u8 | rate_nl_per_day u32
    LIMITS      rate_max_nl_per_day u32 | bolus_volume_max_nl u32
    ALARMS      low_reservoir_nl u32

An empty name with concentration 0 is an empty place; used places come first.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import Block, Mode
from firmware_model.profile import Profile
from firmware_model.quantities import ceil_div

DRUG_PLACES = 5
CONCENTRATION_MIN_NG_PER_ML = 1
_DRUG = struct.Struct("<16sI")
_INFUSION = struct.Struct("<BI")
_LIMITS = struct.Struct("<II")
_ALARMS = struct.Struct("<I")
_PRINTABLE = frozenset(range(0x20, 0x7F))

WRITABLE_BLOCKS = (Block.DRUGS, Block.INFUSION, Block.LIMITS, Block.ALARMS)
"""The blocks in the order of the image; IMAGE is to be read only."""
_SIZES = (DRUG_PLACES * _DRUG.size, _INFUSION.size, _LIMITS.size, _ALARMS.size)
_STARTS = tuple(accumulate(_SIZES[:-1], initial=0))
IMAGE_BYTES = sum(_SIZES)
BLOCK_BYTES: Mapping[Block, int] = MappingProxyType(
    {Block.IMAGE: IMAGE_BYTES, **dict(zip(WRITABLE_BLOCKS, _SIZES, strict=True))}
)
_START: Mapping[Block, int] = MappingProxyType({Block.IMAGE: 0, **dict(zip(WRITABLE_BLOCKS, _STARTS, strict=True))})


@dataclass(frozen=True, slots=True)
class Drug:
    """One drug of the mixture. The pump meters volume; the concentration is for display."""

    name: str
    concentration_ng_per_ml: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What the clinician has set. `drugs` are the used places; `rate_nl_per_day` counts in SIMPLE_CONTINUOUS only."""

    drugs: tuple[Drug, ...]
    mode: Mode
    rate_nl_per_day: int
    rate_max_nl_per_day: int
    bolus_volume_max_nl: int
    low_reservoir_nl: int

    def flow_nl_per_day(self, profile: Profile) -> int:
        """The base rate that this program makes while it runs."""
        match self.mode:
            case Mode.STOPPED:
                return 0
            case Mode.MINIMUM_RATE:
                return profile.therapy.rate_min_nl_per_day
            case Mode.SIMPLE_CONTINUOUS:
                return self.rate_nl_per_day

    def image(self) -> bytes:
        """The canonical image."""
        drugs = b"".join(_DRUG.pack(drug.name.encode("ascii"), drug.concentration_ng_per_ml) for drug in self.drugs)
        return b"".join(
            (
                drugs.ljust(BLOCK_BYTES[Block.DRUGS], b"\0"),
                _INFUSION.pack(self.mode, self.rate_nl_per_day),
                _LIMITS.pack(self.rate_max_nl_per_day, self.bolus_volume_max_nl),
                _ALARMS.pack(self.low_reservoir_nl),
            )
        )

    def crc32(self) -> int:
        """What names this program."""
        return zlib.crc32(self.image())

    def part(self, block: Block, offset: int, length: int) -> bytes:
        """Bytes of a block from an offset on: fewer at its end, none behind it."""
        start, end = _START[block], _START[block] + BLOCK_BYTES[block]
        return self.image()[start:end][offset : offset + length]


def first_program(profile: Profile) -> Program:
    """What a pump runs when it leaves the factory."""
    return Program(
        drugs=(),
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=profile.therapy.rate_nl_per_day,
        rate_max_nl_per_day=profile.therapy.rate_max_nl_per_day,
        bolus_volume_max_nl=profile.bolus.volume_max_nl,
        low_reservoir_nl=profile.reservoir.low_nl,
    )


def check_image(image: bytes) -> Refusal | None:
    """Why an image is none of any program, or None when `unpack_program` may read it."""
    names: list[bytes] = []
    empty = False
    for stored, concentration in _DRUG.iter_unpack(image[: BLOCK_BYTES[Block.DRUGS]]):
        name = stored.rstrip(b"\0")
        bad_name = not _PRINTABLE.issuperset(name) or name in names
        # An empty place holds nothing, and no used one comes behind it.
        bad_place = (concentration != 0) if not name else empty
        if bad_name or bad_place:
            return Refusal(Reason.FORMAT, "drugs", element=Block.DRUGS)
        empty = not name
        names += [name] if name else []
    mode, _ = _INFUSION.unpack_from(image, _START[Block.INFUSION])
    if mode not in list(Mode):
        return Refusal(Reason.FORMAT, "mode", element=Block.INFUSION)
    return None


def unpack_program(image: bytes) -> Program:
    """The program of an image that `check_image` has admitted."""
    places = list(_DRUG.iter_unpack(image[: BLOCK_BYTES[Block.DRUGS]]))
    mode, rate = _INFUSION.unpack_from(image, _START[Block.INFUSION])
    rate_max, bolus_max = _LIMITS.unpack_from(image, _START[Block.LIMITS])
    (low,) = _ALARMS.unpack_from(image, _START[Block.ALARMS])
    named = [(stored.rstrip(b"\0").decode("ascii"), concentration) for stored, concentration in places]
    return Program(
        drugs=tuple(Drug(name, concentration) for name, concentration in named if name),
        mode=Mode(mode),
        rate_nl_per_day=rate,
        rate_max_nl_per_day=rate_max,
        bolus_volume_max_nl=bolus_max,
        low_reservoir_nl=low,
    )


def check_limits(program: Program, profile: Profile) -> Refusal | None:
    """Why this pump cannot run a program, with the limit that would do; None when it can.

    A program's own limits are checked before the rate that they limit.
    """
    therapy, bolus, reservoir = profile.therapy, profile.bolus, profile.reservoir
    ranges = [
        _Range(Block.DRUGS, "drugs", CONCENTRATION_MIN_NG_PER_ML, therapy.concentration_max_ng_per_ml),
        _Range(Block.LIMITS, "rate_max_nl_per_day", therapy.rate_min_nl_per_day, therapy.rate_max_nl_per_day),
        _Range(Block.LIMITS, "bolus_volume_max_nl", bolus.volume_min_nl, bolus.volume_max_nl),
    ]
    if program.mode is Mode.SIMPLE_CONTINUOUS:
        # A rate that would be rounded down below the minimum is below it.
        lowest = ceil_div(therapy.rate_min_nl_per_day, therapy.rate_quantum_nl_per_day)
        highest = min(therapy.rate_max_nl_per_day, program.rate_max_nl_per_day)
        ranges.append(_Range(Block.INFUSION, "rate_nl_per_day", lowest * therapy.rate_quantum_nl_per_day, highest))
    ranges.append(_Range(Block.ALARMS, "low_reservoir_nl", reservoir.empty_nl, reservoir.capacity_nl))
    refusals = (allowed.refusal(value) for allowed in ranges for value in _values(program, allowed.field))
    return next((refusal for refusal in refusals if refusal is not None), None)


def quantised(program: Program, profile: Profile) -> Program:
    """The program that will really run: its rate rounded down to the quantum, and 0 in a mode that has none."""
    rate = program.rate_nl_per_day if program.mode is Mode.SIMPLE_CONTINUOUS else 0
    return replace(program, rate_nl_per_day=rate - rate % profile.therapy.rate_quantum_nl_per_day)


class _Range(NamedTuple):
    """What a pump allows of one field."""

    block: Block
    field: str
    lowest: int
    highest: int

    def refusal(self, value: int) -> Refusal | None:
        if value < self.lowest:
            return Refusal(Reason.BELOW_MINIMUM, self.field, element=self.block, detail=self.lowest)
        if value > self.highest:
            return Refusal(Reason.ABOVE_MAXIMUM, self.field, element=self.block, detail=self.highest)
        return None


def _values(program: Program, field: str) -> tuple[int, ...]:
    if field == "drugs":
        return tuple(drug.concentration_ng_per_ml for drug in program.drugs)
    return (getattr(program, field),)
