"""What happened within one step of a machine, each with what the books said when it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from firmware_model.commands import Command, Reply
from firmware_model.firmware.codes import AlarmType, BolusKind, StopReason
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.firmware.program import Program
from firmware_model.pump_events import ToneSounded
from tests.firmware_model.invariants.flow_book import Running


class Asked(NamedTuple):
    """A question and its answer; `therapy_rev`: the revision after it."""

    command: Command
    reply: Reply | None
    therapy_rev: int


class Told(NamedTuple):
    """A log record, and the books at that instant, before it was entered.

    acted_us  when it became true: earlier than `at_us` when the power went in its commit
    label_s   what the labelling clock showed, 0 while it is not valid; None while it is lost and that may not be known
    slack     how many steps more the firmware may have counted: boots whose commits were cut
    """

    record: LogRecord
    at_us: int
    acted_us: int
    label_s: int | None
    counted: int
    slack: int
    stalled: int
    reservoir_nl: int
    running: bool
    bolus: Running | None
    program: Program


class Start(NamedTuple):
    """A bolus or dose that began: what stood in its way at that instant, as the books know it."""

    told: Told
    kind: BolusKind
    running: Running
    lockout_until_us: int
    activations: int
    given_nl: int
    rate_nl_per_day: int
    holds: bool
    due: bool


class End(NamedTuple):
    """A bolus or dose that ended. `known` is what the books have of it, None if they never heard of it."""

    told: Told
    known: Running | None


class Raising(NamedTuple):
    """An alarm that was raised. `caused`: whether the books have a cause for it; `stood`: one of its type stood;
    `ill_timed`: it should have come earlier, or later.
    """

    told: Told
    type: AlarmType
    caused: bool
    stood: bool
    ill_timed: bool


class Clearing(NamedTuple):
    """An alarm that was cleared. `caused`: whether its cause was there at that instant."""

    told: Told
    type: AlarmType
    caused: bool


class Begun(NamedTuple):
    """Therapy that began to run, or another program: whether reservoir and program were meant for each other."""

    told: Told
    program: Program
    fits: bool
    rate_nl_per_day: int
    holds: bool


class Stop(NamedTuple):
    """Therapy that was stopped."""

    told: Told
    reason: StopReason


class Day(NamedTuple):
    """A record of what was delivered, and the count of the record before it."""

    told: Told
    from_steps: int


class Flip(NamedTuple):
    """What a bit that fell over made of a copy of the pump, beside one whose bits stayed.

    both    the same bit of the other copy fell over, too
    same    it goes on as the other does; `told`: it says that its memory was bad; `flows`: it delivers
    """

    region: str
    bit: int
    both: bool
    same: bool
    told: bool
    failed: bool
    flows: bool


@dataclass(slots=True)
class Step:
    """All of it, in order."""

    asked: list[Asked] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    raisings: list[Raising] = field(default_factory=list)
    clearings: list[Clearing] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    tones: list[ToneSounded] = field(default_factory=list)
    early_tones: list[ToneSounded] = field(default_factory=list)
    missed_doses: list[int] = field(default_factory=list)
    missed_tones: list[AlarmType] = field(default_factory=list)
    untold: list[AlarmType] = field(default_factory=list)
    late_stalls: list[int] = field(default_factory=list)
    boots: int = 0
    restored: int = 0
    cuts: int = 0
    turned_back: int = 0
    faults_changed: frozenset[str] = frozenset()
    pieces: list[tuple[object, object]] = field(default_factory=list)
    flips: list[Flip] = field(default_factory=list)

    @property
    def refills(self) -> list[Told]:
        return self.of(LogType.REFILLED)

    def of(self, kind: LogType) -> list[Told]:
        return [told for told in self.told if told.record.type is kind]
