"""What comes due by itself: for each rank of the agenda when, what is done then, and whose instants that moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_model.agenda import NEVER, Rank
from firmware_model.firmware import (
    alarm_causes,
    alarms,
    base_rate,
    bolus,
    dose,
    housekeeping,
    security,
    stall,
    supervisor,
    tones,
)
from firmware_model.firmware.codes import AlarmType
from firmware_model.firmware.core import Firmware
from firmware_model.plant import Plant

ALL = tuple(Rank)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rank's row. `due` is a pure function of the state, and `now_us` for what should be done already."""

    due: Callable[[Firmware, Plant], int]
    act: Callable[[Firmware], None]
    moves: tuple[Rank, ...] = ALL


def _sample_due(firmware: Firmware, plant: Plant) -> int:
    """Samples of a sound motor show nothing, so none is planned: see `stall.catch_up`."""
    if firmware.counting and not firmware.stall.bad and not plant.rotor_is_doubtful:
        return NEVER
    return stall.next_sample(firmware)


CALENDAR: tuple[Entry, ...] = (
    Entry(lambda firmware, _: bolus.complete_due(firmware), bolus.complete, ()),
    Entry(lambda firmware, _: dose.complete_due(firmware), dose.complete),
    Entry(
        lambda firmware, _: alarm_causes.level_due(firmware, AlarmType.LOW_RESERVOIR),
        lambda firmware: alarms.raise_alarm(firmware, AlarmType.LOW_RESERVOIR),
    ),
    Entry(
        lambda firmware, _: alarm_causes.level_due(firmware, AlarmType.EMPTY_RESERVOIR),
        lambda firmware: alarms.raise_alarm(firmware, AlarmType.EMPTY_RESERVOIR),
    ),
    Entry(lambda firmware, _: supervisor.watchdog_due(firmware), supervisor.make_safe),
    Entry(_sample_due, stall.sample),
    Entry(
        lambda firmware, _: alarm_causes.end_of_service_due(firmware),
        lambda firmware: alarms.raise_alarm(firmware, AlarmType.END_OF_SERVICE),
    ),
    Entry(
        lambda firmware, _: alarm_causes.stopped_too_long_due(firmware),
        lambda firmware: alarms.raise_alarm(firmware, AlarmType.STOPPED_TOO_LONG),
    ),
    Entry(lambda firmware, _: housekeeping.day_due(firmware), housekeeping.keep_house, (Rank.DAY,)),
    Entry(lambda firmware, _: base_rate.change_due(firmware), base_rate.follow, ()),
    Entry(lambda firmware, _: dose.start_due(firmware), dose.start, (Rank.DOSE_START, Rank.DOSE_COMPLETE)),
    Entry(lambda firmware, _: tones.tone_due(firmware), tones.sound_again),
    Entry(lambda firmware, _: bolus.lease_due(firmware), bolus.drop_leases, (Rank.LEASE_OUT,)),
    Entry(lambda firmware, _: security.failures_due(firmware), security.log_failures, (Rank.FAILURES_LOGGED,)),
)
"""The rows, in the order of their ranks."""


def plan(firmware: Firmware, plant: Plant, ranks: tuple[Rank, ...] = ALL) -> None:
    """Work out anew when these ranks are due; all of them, with what else follows, when the firmware asks for it."""
    due_us = firmware.agenda.due_us
    if firmware.unplanned or ranks is ALL:
        firmware.unplanned = False
        ranks = ALL
        firmware.level_steps = alarm_causes.next_level_steps(firmware)
        tones.let_sound(firmware)
    for rank in ranks:
        due_us[rank] = CALENDAR[rank].due(firmware, plant)
