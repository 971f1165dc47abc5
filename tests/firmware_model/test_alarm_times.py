"""Alarms that wait for time: 48 hours of standing still, the cell's replacement, the end of service; and their list."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from firmware_model.commands import BatteryAnswer, ReadBattery, Reason, Refusal
from firmware_model.firmware.alarms import LAST_INSTANCE
from firmware_model.firmware.codes import AlarmState, AlarmType, Mode, RunState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import PatientBolusSetting
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_DAY
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.brought_about import (
    PROFILE,
    RATE,
    nearly_drain_the_cell,
    running,
    standing,
    stands,
    stop,
)
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import changed, shipped

TOO_LONG_S = PROFILE.supervisor.stopped_too_long_s
CELL = PROFILE.cell


def cell(bedside: Bedside) -> BatteryAnswer:
    reply = bedside.ask(ReadBattery())
    assert isinstance(reply, BatteryAnswer)
    return reply


# --- stopped too long -----------------------------------------------------------------------------------------------


def test_after_48_hours_of_standing_still_to_the_microsecond() -> None:
    """More than 48 hours stopped is a critical alarm (Gillette Children's, ITB discharge information)."""
    assert TOO_LONG_S == 48 * 3_600
    bedside = running()
    bedside.wait(1_234)
    granted(bedside.stop())
    bedside.pump.advance(bedside.now + TOO_LONG_S * SECOND - 1)
    assert not stands(bedside, AlarmType.STOPPED_TOO_LONG)
    bedside.pump.advance(bedside.now + 1)
    assert standing(bedside, AlarmType.STOPPED_TOO_LONG).critical


def test_a_start_in_between_begins_the_48_hours_anew_and_a_second_stop_does_not() -> None:
    bedside = running()
    granted(bedside.stop())
    bedside.wait(TOO_LONG_S - 1)
    granted(bedside.start())
    granted(bedside.stop())
    bedside.wait(TOO_LONG_S - 3_600)
    granted(bedside.stop())
    bedside.wait(3_599)
    assert not stands(bedside, AlarmType.STOPPED_TOO_LONG)
    bedside.wait(1)
    assert stands(bedside, AlarmType.STOPPED_TOO_LONG)


def test_a_program_that_says_stopped_stands_still_as_well() -> None:
    bedside = Bedside(shipped("reference-40"))
    limit_s = bedside.pump.profile.supervisor.stopped_too_long_s
    assert limit_s == SECONDS_PER_DAY, "of this model it is another limit"
    granted(bedside.program(new_program(bedside.pump.profile, mode=Mode.STOPPED)))
    bedside.wait(limit_s - 1)
    assert not stands(bedside, AlarmType.STOPPED_TOO_LONG)
    bedside.wait(1)
    assert stands(bedside, AlarmType.STOPPED_TOO_LONG)


def test_time_without_power_does_not_count() -> None:
    """Elapsed time stands still meanwhile, and is then ahead by a minute at most."""
    bedside = running()
    stop(bedside)
    bedside.wait(TOO_LONG_S - 3_600)
    bedside.cut_power()
    bedside.wait(10 * SECONDS_PER_DAY)
    bedside.restore_power()
    bedside.wait(3_600 - 61)
    assert not stands(bedside, AlarmType.STOPPED_TOO_LONG)
    bedside.wait(61)
    assert stands(bedside, AlarmType.STOPPED_TOO_LONG)


# --- replacement ----------------------------------------------------------------------------------------------------


def test_replacement_is_indicated_by_the_measured_voltage_at_the_days_first_look() -> None:
    bedside = running()
    nearly_drain_the_cell(bedside)
    assert cell(bedside).loaded_mv < CELL.eri_mv
    bedside.pump.advance(US_PER_DAY - 1)
    assert not stands(bedside, AlarmType.REPLACEMENT)
    bedside.pump.advance(US_PER_DAY)
    assert standing(bedside, AlarmType.REPLACEMENT).battery_mv < CELL.eri_mv
    assert (cell(bedside).replacement_since_s, cell(bedside).end_of_service_s) == (
        SECONDS_PER_DAY,
        (1 + CELL.eos_after_eri_days) * SECONDS_PER_DAY,
    )


def test_a_cell_that_only_looks_bad_is_believed() -> None:
    """A sensor that shows 600 mV too little for one look costs the patient his pump; nothing takes it back."""
    bedside = running()
    bedside.fault("voltage-lie", mv=-600, lasts=SECONDS_PER_DAY)
    bedside.wait(10 * SECONDS_PER_DAY)
    assert cell(bedside).loaded_mv > CELL.eri_mv
    alarm = standing(bedside, AlarmType.REPLACEMENT)
    assert alarm.elapsed_s == SECONDS_PER_DAY
    bedside.clear(alarm.instance)
    assert stands(bedside, AlarmType.REPLACEMENT)


def test_a_cell_that_only_looks_good_is_believed_too() -> None:
    bedside = running()
    bedside.fault("voltage-lie", mv=600)
    nearly_drain_the_cell(bedside)
    bedside.wait(10 * SECONDS_PER_DAY)
    assert not stands(bedside, AlarmType.REPLACEMENT)
    bedside.clear_faults()
    bedside.wait(SECONDS_PER_DAY)
    assert stands(bedside, AlarmType.REPLACEMENT)


# --- end of service -------------------------------------------------------------------------------------------------


def no_step_ever(bedside: Bedside) -> None:
    """Whatever anyone tries, the motor stands."""
    steps = bedside.pump.plant.motor.pulses
    instance = standing(bedside, AlarmType.END_OF_SERVICE).instance
    held = Refusal(Reason.ALARM_BLOCKS, element=AlarmType.END_OF_SERVICE, detail=instance)
    assert refused(bedside.start()) == refused(bedside.prepare(10_000, 600)) == refused(bedside.patient_bolus()) == held
    granted(bedside.program(new_program(PROFILE, patient=PatientBolusSetting(10_000, 600, 300, 3_600, 5))))
    granted(bedside.stop())
    assert bedside.status().stop_reason is StopReason.END_OF_SERVICE
    bedside.fault("reset")
    bedside.cut_power()
    bedside.restore_power()
    bedside.acknowledge(instance)
    bedside.clear(instance)
    again = standing(bedside, AlarmType.END_OF_SERVICE).instance
    assert (again > instance, refused(bedside.start()).detail) == (True, again)
    bedside.wait(100 * SECONDS_PER_DAY)
    assert bedside.status().run_state is RunState.STOPPED
    assert bedside.pump.plant.motor.pulses == steps


def test_ninety_days_after_replacement_was_indicated_service_ends_for_good() -> None:
    """Medtronic UK and US: the pump stops 90 days after ERI."""
    assert CELL.eos_after_eri_days == 90
    bedside = running()
    bedside.fault("voltage-lie", mv=-600, lasts=SECONDS_PER_DAY)
    bedside.pump.advance(91 * US_PER_DAY - 1)
    assert bedside.status().base_rate_nl_per_day == RATE
    bedside.pump.advance(91 * US_PER_DAY)
    assert (bedside.status().base_rate_nl_per_day, bedside.status().stop_reason) == (0, StopReason.END_OF_SERVICE)
    no_step_ever(bedside)


def test_at_the_calendars_end_service_ends_with_however_good_a_cell() -> None:
    """Seven years at most (Medtronic UK and US). The pump is filled up each half year; its cell is a large one."""
    years = changed(PROFILE, "cell", capacity_mah=100_000)
    bedside = Bedside(years)
    granted(bedside.program(new_program(years, rate_nl_per_day=RATE)))
    life_days = years.cell.life_max_days
    while bedside.now < (life_days - 170) * US_PER_DAY:
        bedside.wait(160 * SECONDS_PER_DAY)
        bedside.refill(years.reservoir.capacity_nl)
    bedside.pump.advance(life_days * US_PER_DAY - 1)
    assert (bedside.status().base_rate_nl_per_day, bedside.alarms()) == (RATE, ())
    assert cell(bedside).replacement_since_s is None
    bedside.pump.advance(life_days * US_PER_DAY)
    assert [alarm.type for alarm in bedside.alarms()] == [AlarmType.END_OF_SERVICE]
    no_step_ever(bedside)


def test_replacement_shortly_before_the_calendars_end_gains_no_day() -> None:
    short = changed(PROFILE, "cell", life_max_days=30)
    bedside = Bedside(short)
    nearly_drain_the_cell(bedside)
    bedside.wait(2 * SECONDS_PER_DAY)
    assert cell(bedside).end_of_service_s == 30 * SECONDS_PER_DAY
    bedside.pump.advance(30 * US_PER_DAY)
    assert stands(bedside, AlarmType.END_OF_SERVICE)


# --- the list -------------------------------------------------------------------------------------------------------


def test_a_full_list_lets_go_of_the_oldest_that_is_over_and_never_of_one_that_stands() -> None:
    bedside = running()
    bedside.fault("clock-loss")
    lost = standing(bedside, AlarmType.CLOCK_LOST).instance
    for _ in range(3 * PROFILE.memory.alarm_capacity):
        bedside.fault("reset")
        bedside.clear(standing(bedside, AlarmType.RESET).instance)
    kept = [alarm.instance for alarm in bedside.alarms()]
    assert len(kept) == PROFILE.memory.alarm_capacity
    assert kept == [lost, *range(kept[-1] - len(kept) + 2, kept[-1] + 1)]
    raised = [record.detail["instance"] for record in bedside.log() if record.type is LogType.ALARM_RAISED]
    assert raised == list(range(1, kept[-1] + 1)), "the log has them all"
    assert refused(bedside.acknowledge(2)) == Refusal(Reason.NO_SUCH_ALARM, "instance", detail=kept[-1])


def test_behind_the_last_number_of_an_instance_they_begin_anew() -> None:
    bedside = running()
    bedside.pump.firmware.record.next_alarm = LAST_INSTANCE
    bedside.fault("clock-loss")
    for expected in (1, 2):
        bedside.clear(standing(bedside, AlarmType.CLOCK_LOST).instance)
        assert standing(bedside, AlarmType.CLOCK_LOST).instance == expected
    assert [alarm.instance for alarm in bedside.alarms()] == [LAST_INSTANCE, 1, 2]


def with_row(kind: AlarmType, **cells: object) -> Bedside:
    """A pump in whose table of alarms this row has other cells."""
    rows = {**PROFILE.alarm, kind: replace(PROFILE.alarm[kind], **cells)}  # type: ignore[arg-type]
    return Bedside(replace(PROFILE, alarm=MappingProxyType(rows)))


def test_one_that_is_not_to_sound_is_raised_all_the_same() -> None:
    bedside = with_row(AlarmType.RESET, tone="none")
    bedside.fault("reset")
    alarm = standing(bedside, AlarmType.RESET)
    assert ("tone" in bedside.words(), bedside.pump.plant.cell.tones_na) == (False, 0)
    bedside.silence(alarm.instance)
    bedside.wait(86_400)
    assert "tone" not in bedside.words()


def test_one_that_is_to_sound_once_does_not_drain_the_cell() -> None:
    bedside = with_row(AlarmType.RESET, repeat_min=0)
    bedside.fault("reset")
    assert (bedside.words().count("tone"), bedside.pump.plant.cell.tones_na) == (1, 0)


@pytest.mark.parametrize("flow", ["stop", "minimum", "continue"])
def test_a_profile_says_what_a_stall_does_to_the_flow(flow: str) -> None:
    bedside = with_row(AlarmType.MOTOR_STALL, flow=flow)
    bedside.fault("stall", lasts=3_600)
    bedside.wait(3_600)
    expected = {"stop": 0, "minimum": 48_000, "continue": 620_000}
    assert bedside.status().base_rate_nl_per_day == expected[flow]
    assert standing(bedside, AlarmType.MOTOR_STALL).state is AlarmState.RAISED
