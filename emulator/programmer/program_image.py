"""A program as the programmer holds it: out of the blocks of its canonical image, and into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from protocol.fields import FormatError, decode, encode, layout_of, table_of
from protocol.framing import crc32
from protocol.messages.codes import Block, Mode
from protocol.messages.link import CapsAnswer
from protocol.messages.program import (
    BLOCKS,
    CHANGES_MAX,
    DRUGS_MAX,
    NO_CHANGE,
    WEEKDAYS,
    ChangeEntry,
    DrugEntry,
    DrugsBlock,
    ScheduleBlock,
)

Day = tuple[ChangeEntry, ...]
Week = tuple[Day, ...]
"""The used places of each day, from Monday on."""
NO_SCHEDULE: Final[Week] = ((),) * len(WEEKDAYS)
MINUTES_PER_DAY: Final = 1_440
S_PER_DAY: Final = 86_400
_EMPTY_DRUG: Final = DrugEntry(name="", concentration_ng_per_ml=0, stability_days=0)
_EMPTY_CHANGE: Final = ChangeEntry(start_min=NO_CHANGE, rate_nl_per_day=0)

RATE: Final = "rate_nl_per_day"
SCHEDULE: Final = "schedule"
OF_SOME_MODES: Final[Mapping[str, Any]] = MappingProxyType(
    {RATE: 0, "dose_volume_nl": 0, "dose_duration_s": 0, "dose_interval_s": 0, SCHEDULE: NO_SCHEDULE}
)
"""What some modes use and others do not, with its value where it is not used."""
USES: Final[Mapping[Mode, tuple[str, ...]]] = MappingProxyType(
    {
        Mode.STOPPED: (),
        Mode.MINIMUM_RATE: (),
        Mode.SIMPLE_CONTINUOUS: (RATE,),
        Mode.FLEX: (RATE, SCHEDULE),
        Mode.SINGLE_BOLUS: ("dose_volume_nl", "dose_duration_s"),
        Mode.PERIODIC_BOLUS: ("dose_volume_nl", "dose_duration_s", "dose_interval_s", RATE),
    }
)
"""What each mode uses. PERIODIC_BOLUS may do without a rate."""


def attribute_of(block: Block, field: str) -> str:
    """The program's attribute that holds a field of a block; of the schedule, the weekday itself."""
    return f"patient_{field}" if block == Block.PATIENT else field


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a clinician sets. `drugs` are the used places only; all of `patient_…` is 0 where there is no such bolus."""

    drugs: tuple[DrugEntry, ...]
    mode: Mode
    rate_nl_per_day: int
    dose_volume_nl: int = 0
    dose_duration_s: int = 0
    dose_interval_s: int = 0
    schedule: Week = NO_SCHEDULE
    patient_volume_nl: int = 0
    patient_duration_s: int = 0
    patient_lockout_s: int = 0
    patient_window_s: int = 0
    patient_activations_max: int = 0
    rate_max_nl_per_day: int
    bolus_volume_max_nl: int
    window_max_nl: int
    low_reservoir_nl: int
    critical_repeat_min: int = 0
    non_critical_repeat_min: int = 0
    catheter_nl: int = 0

    def blocks(self) -> Mapping[Block, bytes]:
        """The bytes of each block, in the order of the image."""
        return {block: encode(self._message(block, table)) for block, table in BLOCKS.items()}

    def _message(self, block: Block, table: type) -> object:
        if table is DrugsBlock:
            return DrugsBlock(drugs=self.drugs + (_EMPTY_DRUG,) * (DRUGS_MAX - len(self.drugs)))
        if table is ScheduleBlock:
            days = [day + (_EMPTY_CHANGE,) * (CHANGES_MAX - len(day)) for day in self.schedule]
            return ScheduleBlock(**dict(zip(WEEKDAYS, days, strict=True)))
        return table(**{field.name: getattr(self, attribute_of(block, field.name)) for field in table_of(table)})

    def image(self) -> bytes:
        """The canonical image."""
        return b"".join(self.blocks().values())

    @property
    def crc32(self) -> int:
        """What names this program."""
        return crc32(self.image())

    def used(self) -> Program:
        """The program without what its mode does not use."""
        unused = {name: value for name, value in OF_SOME_MODES.items() if name not in USES[self.mode]}
        return replace(self, **unused)

    def quantised(self, caps: CapsAnswer) -> Program:
        """What a pump makes of it: rates rounded down to whole quanta, volumes to motor steps, the unused left out."""
        used, quantum, step_nl = self.used(), max(1, caps.rate_quantum_nl_per_day), max(1, caps.volume_quantum_nl)
        return replace(
            used,
            rate_nl_per_day=_rounded(used.rate_nl_per_day, quantum),
            dose_volume_nl=_rounded(used.dose_volume_nl, step_nl),
            patient_volume_nl=_rounded(used.patient_volume_nl, step_nl),
            schedule=tuple(
                tuple(replace(change, rate_nl_per_day=_rounded(change.rate_nl_per_day, quantum)) for change in day)
                for day in used.schedule
            ),
        )

    def base_nl_per_day(self, caps: CapsAnswer) -> int:
        """The base rate while therapy runs; FLEX: the one that flows while the clock is lost."""
        if self.mode == Mode.MINIMUM_RATE:
            return caps.rate_min_nl_per_day
        return self.rate_nl_per_day if RATE in USES[self.mode] else 0

    def flow_nl_per_day(self, caps: CapsAnswer) -> int:
        """The volume of a day on average over a week, programmed doses included, as VALIDATE says it."""
        if self.mode == Mode.FLEX:
            return sum(day_volumes(self.schedule)) // (len(WEEKDAYS) * MINUTES_PER_DAY)
        interval_s = max(1, self.dose_interval_s)
        doses = -(-self.dose_volume_nl * S_PER_DAY // interval_s) if self.mode == Mode.PERIODIC_BOLUS else 0
        return self.base_nl_per_day(caps) + doses


def day_volumes(schedule: Week) -> list[int]:
    """What flows on each day from midnight to midnight: rates (nl a day) times minutes, exact."""
    volumes = []
    for day in schedule:
        ends = [change.start_min for change in day[1:]] + [MINUTES_PER_DAY]
        volumes.append(
            sum(change.rate_nl_per_day * (end - change.start_min) for change, end in zip(day, ends, strict=False))
        )
    return volumes


def program_of(image: bytes) -> Program:
    """The program of a canonical image; ValueError says why it is none."""
    values: dict[str, Any] = {}
    at = 0
    for block, table in BLOCKS.items():
        size = layout_of(table).fixed_size or 0
        try:
            message: Any = decode(table, image[at : at + size])
        except FormatError as error:
            raise ValueError(f"block {block.name}: {error}") from error
        values |= {attribute_of(block, field.name): getattr(message, field.name) for field in table_of(table)}
        at += size
    values["drugs"] = tuple(drug for drug in values["drugs"] if drug != _EMPTY_DRUG)
    days = (values.pop(weekday) for weekday in WEEKDAYS)
    values[SCHEDULE] = tuple(tuple(change for change in day if change != _EMPTY_CHANGE) for day in days)
    program = Program(**values)
    if program.image() != image:
        raise ValueError("another layout than the canonical one")
    return program


def _rounded(value: int, quantum: int) -> int:
    return value - value % quantum
