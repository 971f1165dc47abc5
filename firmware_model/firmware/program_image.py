"""A program: what the clinician sets. Its fields, and its canonical image.

The image is these blocks in this order, nothing between or behind them; its CRC-32 names the program:

    DRUGS       five places: name 16 bytes (printable ASCII, filled up with NUL) | concentration_ng_per_ml u32
                | stability_days u16 (0: not said)
    INFUSION    mode u8 | rate_nl_per_day u32 | dose_volume_nl u32 | dose_duration_s u32 | dose_interval_s u32
    SCHEDULE    seven days from Monday on, each of thirteen places: start_min u16 | rate_nl_per_day u32
    PATIENT     volume_nl u32 | duration_s u32 | lockout_s u32 | window_s u32 | activations_max u16; all 0: none
    LIMITS      rate_max_nl_per_day u32 | bolus_volume_max_nl u32 | window_max_nl u32
    ALARMS      low_reservoir_nl u32 | critical_repeat_min u16 | non_critical_repeat_min u16
    CATHETER    catheter_nl u32 (0: not known)

Used places come first. An empty place of a drug is all zero; one of a day is FFFF, then zeros.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import attrgetter
from types import MappingProxyType

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.schedule import MINUTES_PER_DAY, NO_SCHEDULE, WEEKDAYS, Change, Day, Week
from firmware_model.profile import Profile

DRUG_PLACES = 5
DRUG_NAME_BYTES = 16
CHANGES_PER_DAY = 13
"""Flex dosing has up to 13 rate changes a day (Medtronic UK, programming adjustments)."""
_EMPTY_START = 0xFFFF
_DRUG = struct.Struct(f"<{DRUG_NAME_BYTES}sIH")
_INFUSION = struct.Struct("<BIIII")
_CHANGE = struct.Struct("<HI")
_PATIENT = struct.Struct("<IIIIH")
_PATIENT_VALUES = attrgetter("volume_nl", "duration_s", "lockout_s", "window_s", "activations_max")
_LIMITS = struct.Struct("<III")
_ALARMS = struct.Struct("<IHH")
_CATHETER = struct.Struct("<I")
_EMPTY_CHANGE = _CHANGE.pack(_EMPTY_START, 0)
_DAY_BYTES = CHANGES_PER_DAY * _CHANGE.size
_PRINTABLE = frozenset(range(0x20, 0x7F))

_SIZES: Mapping[Block, int] = MappingProxyType(
    {
        Block.DRUGS: DRUG_PLACES * _DRUG.size,
        Block.INFUSION: _INFUSION.size,
        Block.SCHEDULE: len(WEEKDAYS) * _DAY_BYTES,
        Block.PATIENT: _PATIENT.size,
        Block.LIMITS: _LIMITS.size,
        Block.ALARMS: _ALARMS.size,
        Block.CATHETER: _CATHETER.size,
    }
)
WRITABLE_BLOCKS = tuple(_SIZES)
"""The blocks in the order of the image; IMAGE is to be read only."""
IMAGE_BYTES = sum(_SIZES.values())
BLOCK_BYTES: Mapping[Block, int] = MappingProxyType({Block.IMAGE: IMAGE_BYTES, **_SIZES})
_START: Mapping[Block, int] = MappingProxyType(
    {Block.IMAGE: 0, **dict(zip(_SIZES, accumulate(_SIZES.values(), initial=0), strict=False))}
)


@dataclass(frozen=True, slots=True)
class Drug:
    """One drug of the mixture. The pump meters volume; the concentration is for display.

    `stability_days` is how long it may stay in the reservoir, 0 where nobody has said.
    """

    name: str
    concentration_ng_per_ml: int
    stability_days: int = 0


@dataclass(frozen=True, slots=True)
class PatientBolusSetting:
    """What the patient may give himself: a bolus, and how often. The lockout counts from the start of a bolus."""

    volume_nl: int
    duration_s: int
    lockout_s: int
    window_s: int
    activations_max: int


NO_PATIENT_BOLUS = PatientBolusSetting(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What the clinician has set. `drugs` are the used places.

    rate_nl_per_day  the base rate; FLEX: what flows while the clock is lost
    dose_…           SINGLE_BOLUS and PERIODIC_BOLUS: what the program gives by itself
    schedule         FLEX: the rates of the week
    patient          the patient's bolus, or NO_PATIENT_BOLUS
    window_max_nl    the most volume in any 24 hours
    …_repeat_min     how often an alarm sounds again, 0 for what the pump's table of alarms says
    catheter_nl      the volume of the implanted catheter as the clinician knows it, 0 for not known
    """

    drugs: tuple[Drug, ...]
    mode: Mode
    rate_nl_per_day: int
    dose_volume_nl: int = 0
    dose_duration_s: int = 0
    dose_interval_s: int = 0
    schedule: Week = NO_SCHEDULE
    patient: PatientBolusSetting = NO_PATIENT_BOLUS
    rate_max_nl_per_day: int
    bolus_volume_max_nl: int
    window_max_nl: int
    low_reservoir_nl: int
    critical_repeat_min: int = 0
    non_critical_repeat_min: int = 0
    catheter_nl: int = 0

    def flow_nl_per_day(self, profile: Profile) -> int:
        """The base rate that this program makes while it runs; FLEX: while the clock is lost."""
        if self.mode is Mode.MINIMUM_RATE:
            return profile.therapy.rate_min_nl_per_day
        with_a_rate = self.mode in (Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS)
        return self.rate_nl_per_day if with_a_rate else 0

    def image(self) -> bytes:
        """The canonical image."""
        drugs = (
            _DRUG.pack(drug.name.encode("ascii"), drug.concentration_ng_per_ml, drug.stability_days)
            for drug in self.drugs
        )
        dose = (self.dose_volume_nl, self.dose_duration_s, self.dose_interval_s)
        return b"".join(
            (
                b"".join(drugs).ljust(BLOCK_BYTES[Block.DRUGS], b"\0"),
                _INFUSION.pack(self.mode, self.rate_nl_per_day, *dose),
                *(_pack_day(day) for day in self.schedule),
                _PATIENT.pack(*_PATIENT_VALUES(self.patient)),
                _LIMITS.pack(self.rate_max_nl_per_day, self.bolus_volume_max_nl, self.window_max_nl),
                _ALARMS.pack(self.low_reservoir_nl, self.critical_repeat_min, self.non_critical_repeat_min),
                _CATHETER.pack(self.catheter_nl),
            )
        )

    def crc32(self) -> int:
        """What names this program."""
        return zlib.crc32(self.image())

    def part(self, block: Block, offset: int, length: int) -> bytes:
        """Bytes of a block from an offset on: fewer at its end, none behind it."""
        start, end = _START[block], _START[block] + BLOCK_BYTES[block]
        return self.image()[start:end][offset : offset + length]


def check_image(image: bytes) -> Refusal | None:
    """Why an image is none of any program, or None when `unpack_program` may read it.

    A refusal names block and field; of the schedule, the weekday.
    """
    if not _are_drugs(image[: BLOCK_BYTES[Block.DRUGS]]):
        return Refusal(Reason.FORMAT, "drugs", element=Block.DRUGS)
    mode = image[_START[Block.INFUSION]]
    if mode not in list(Mode):
        return Refusal(Reason.FORMAT, "mode", element=Block.INFUSION)
    for weekday, stored in zip(WEEKDAYS, _stored_days(image), strict=True):
        if not _is_day(stored) or (mode == Mode.FLEX and stored.startswith(_EMPTY_CHANGE)):
            return Refusal(Reason.FORMAT, weekday, element=Block.SCHEDULE)
    return None


def unpack_program(image: bytes) -> Program:
    """The program of an image that `check_image` has admitted."""
    places = _DRUG.iter_unpack(image[: BLOCK_BYTES[Block.DRUGS]])
    mode, rate, dose_volume, dose_duration, dose_interval = _INFUSION.unpack_from(image, _START[Block.INFUSION])
    rate_max, bolus_max, window_max = _LIMITS.unpack_from(image, _START[Block.LIMITS])
    low, critical_repeat, non_critical_repeat = _ALARMS.unpack_from(image, _START[Block.ALARMS])
    (catheter,) = _CATHETER.unpack_from(image, _START[Block.CATHETER])
    return Program(
        drugs=tuple(Drug(stored.rstrip(b"\0").decode("ascii"), *rest) for stored, *rest in places if stored[0]),
        mode=Mode(mode),
        rate_nl_per_day=rate,
        dose_volume_nl=dose_volume,
        dose_duration_s=dose_duration,
        dose_interval_s=dose_interval,
        schedule=tuple(_unpack_day(stored) for stored in _stored_days(image)),
        patient=PatientBolusSetting(*_PATIENT.unpack_from(image, _START[Block.PATIENT])),
        rate_max_nl_per_day=rate_max,
        bolus_volume_max_nl=bolus_max,
        window_max_nl=window_max,
        low_reservoir_nl=low,
        critical_repeat_min=critical_repeat,
        non_critical_repeat_min=non_critical_repeat,
        catheter_nl=catheter,
    )


def _are_drugs(stored: bytes) -> bool:
    """Whether used places come first and hold different names of printable ASCII, and empty ones nothing."""
    names: list[bytes] = []
    empty = False
    for place in (stored[at : at + _DRUG.size] for at in range(0, len(stored), _DRUG.size)):
        name = place[:DRUG_NAME_BYTES].rstrip(b"\0")
        if not name:
            empty = True
            if any(place):
                return False
        elif empty or name in names or not _PRINTABLE.issuperset(name):
            return False
        names.append(name)
    return True


def _pack_day(day: Day) -> bytes:
    return b"".join(_CHANGE.pack(*change) for change in day) + _EMPTY_CHANGE * (CHANGES_PER_DAY - len(day))


def _unpack_day(stored: bytes) -> Day:
    return tuple(Change(start, rate) for start, rate in _CHANGE.iter_unpack(stored) if start != _EMPTY_START)


def _stored_days(image: bytes) -> Iterator[bytes]:
    start = _START[Block.SCHEDULE]
    return (image[at : at + _DAY_BYTES] for at in range(start, start + BLOCK_BYTES[Block.SCHEDULE], _DAY_BYTES))


def _is_day(stored: bytes) -> bool:
    """Whether a day is empty, or begins at minute 0, with starts that rise, and nothing behind them."""
    starts = [change.start_min for change in _unpack_day(stored)]
    if stored[len(starts) * _CHANGE.size :] != _EMPTY_CHANGE * (CHANGES_PER_DAY - len(starts)):
        return False
    rise = all(before < after for before, after in pairwise(starts))
    return not starts or (starts[0] == 0 and rise and starts[-1] < MINUTES_PER_DAY)
