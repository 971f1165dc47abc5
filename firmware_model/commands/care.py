"""Commands of a clinician's care beside the infusion itself: alarms, refill, clock, self-test; and what they answer."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from firmware_model.commands.origin import Origin, TherapyCommand
from firmware_model.firmware.codes import AlarmState


class SilenceAlarm(Struct, frozen=True):
    """Let an alarm be silent for a while. Its state does not change, and it sounds again."""

    origin: Origin
    instance: int


class ClearAlarm(Struct, frozen=True):
    """End an alarm. With its cause still there a new instance is raised at once."""

    origin: Origin
    instance: int


class BeginRefill(Struct, frozen=True):
    """Begin a refill: the pump tells what it computes to be left, for comparison with what is withdrawn."""

    origin: Origin


class CommitRefill(TherapyCommand, frozen=True, kw_only=True):
    """The reservoir has been refilled.

    measured_nl  what was withdrawn
    volume_nl    what the reservoir holds now
    drugs        name and concentration in ng/mL of each drug in it; none: not said
    """

    refill_id: int
    measured_nl: int
    volume_nl: int
    drugs: tuple[tuple[str, int], ...]


class SetTime(TherapyCommand, frozen=True, kw_only=True):
    """Set the labelling clock: UTC in Unix seconds, and the offset of local time in minutes."""

    unix_s: int
    offset_min: int


class BeginSelfTest(Struct, frozen=True):
    """Run the self-test, which takes a while."""

    origin: Origin


class SelfTestBegun(Struct, frozen=True):
    """It runs until then, in virtual microseconds; TestSelf tells at that instant what it has found."""

    until_us: int


class TestSelf(Struct, frozen=True):
    """Run the self-test now."""

    origin: Origin


class ReadBattery(Struct, frozen=True):
    """The cell as the firmware measures it."""


class ReadReservoir(Struct, frozen=True):
    """The reservoir as the firmware computes it, and when it is to be refilled."""


class ReadCounters(Struct, frozen=True):
    """Lifetime counts."""


class AlarmCleared(Struct, frozen=True):
    """The instance after CLEAR; `raised_again` is the number of the new instance, 0 when the cause is gone."""

    instance: int
    state: AlarmState
    raised_again: int


class AlarmSilenced(Struct, frozen=True):
    """Until when, in elapsed seconds, the instance is silent."""

    instance: int
    silent_until_s: int


class RefillBegun(Struct, frozen=True):
    """The number of this refill, and the computed content of the reservoir."""

    refill_id: int
    computed_nl: int


class SelfTestDone(Struct, frozen=True):
    """What the self-test found: good, or which parts failed (see `SelfTestPart`)."""

    failed: int


class BatteryAnswer(Struct, frozen=True, kw_only=True):
    """Voltages in mV; times in elapsed seconds, None when they have not come or are not known."""

    idle_mv: int
    loaded_mv: int
    temperature_cc: int
    replacement_since_s: int | None
    end_of_service_s: int


class RefillDates(NamedTuple):
    """When the reservoir must be refilled, in seconds from now; None for never or not known.

    low_in_s        the low level, at the program's own flow
    refill_in_s     the low level, if the patient takes all boluses that the program allows
    stability_in_s  the first drug's end of stability, from the last refill on
    """

    low_in_s: int | None
    refill_in_s: int | None
    stability_in_s: int | None


class ReservoirAnswer(Struct, frozen=True, kw_only=True):
    """The computed content, the last refill (elapsed seconds; None before the first) and the dates to come."""

    volume_nl: int
    capacity_nl: int
    refilled_s: int | None
    filled_nl: int
    discrepancy_nl: int
    dates: RefillDates


class CountersAnswer(Struct, frozen=True, kw_only=True):
    """Lifetime counts: motor steps as commanded, volume, dead volume apart, boots, memory repairs."""

    steps: int
    delivered_nl: int
    dead_volume_nl: int
    stalled_pulses: int
    boots: int
    repairs: int
