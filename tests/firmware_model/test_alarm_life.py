"""The life of an alarm: raised by its cause, frozen, heard, silenced, seen, cleared, and what it does to the flow."""

from dataclasses import replace

import pytest

from firmware_model.commands import (
    AlarmAcknowledged,
    AlarmCleared,
    AlarmSilenced,
    BatteryAnswer,
    ReadAlarm,
    ReadBattery,
    Reason,
    Refusal,
)
from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, OpState, RunState
from firmware_model.firmware.event_log import LogType
from firmware_model.pump import Recorded, ToneSounded
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.brought_about import (
    CAUSES,
    FOR_EVER,
    PASSING,
    PROFILE,
    RATE,
    brought_to,
    running,
    standing,
    stands,
)

ROWS = PROFILE.alarm
READABLE = [kind for kind in AlarmType if kind is not AlarmType.MEMORY_FAILURE]
"""Those that a clinician can do something about: with the memory lost, nothing is acknowledged, silenced or cleared."""
BOOTING = frozenset({AlarmType.RESET, AlarmType.LOW_BATTERY_RESET, AlarmType.MEMORY_FAILURE})
STOPPED_BEFORE = frozenset({AlarmType.STOPPED_TOO_LONG, AlarmType.PROGRAM_INCOMPLETE})
BESIDE_A_BOLUS = [kind for kind in AlarmType if kind not in BOOTING | STOPPED_BEFORE]
"""Those that come while a bolus can run on."""
MINUTE_S = 60


def loaded_mv(bedside: Bedside) -> int:
    reply = bedside.ask(ReadBattery())
    assert isinstance(reply, BatteryAnswer)
    return reply.loaded_mv


def drain_na(bedside: Bedside) -> int:
    """What the tones of all alarms that sound cost, by their rows."""
    cell, na = bedside.pump.plant.cell, 0
    for alarm in bedside.alarms():
        row = ROWS[alarm.type]
        if alarm.state is AlarmState.RAISED and alarm.silent_until_s * SECOND <= bedside.status().elapsed_us:
            na += cell.tone_fc(dual=row.tone == "dual") // (row.repeat_min * MINUTE_S * SECOND)
    return na


# --- raised ---------------------------------------------------------------------------------------------------------


def test_every_alarm_is_brought_about_here() -> None:
    assert set(CAUSES) == set(AlarmType) == set(ROWS)


@pytest.mark.parametrize("kind", AlarmType)
def test_it_is_raised_by_its_cause_and_by_nothing_before(kind: AlarmType) -> None:
    bedside = running()
    CAUSES[kind].lead_up(bedside)
    assert not stands(bedside, kind)
    CAUSES[kind].strike(bedside)
    alarm = standing(bedside, kind)
    assert (alarm.state, alarm.critical) == (AlarmState.RAISED, ROWS[kind].critical)
    assert bedside.ask(ReadAlarm(alarm.instance)) == alarm


@pytest.mark.parametrize("kind", AlarmType)
def test_its_first_tone_sounds_at_once_and_once_and_as_critical_as_it_is(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    tones = [event for event in bedside.events() if isinstance(event, ToneSounded) and event.alarm is kind]
    assert [tone.critical for tone in tones] == [ROWS[kind].critical]
    frozen_s = standing(bedside, kind).elapsed_s
    assert tones[0].at_us // SECOND <= frozen_s <= tones[0].at_us // SECOND + MINUTE_S, "elapsed time may be ahead"


@pytest.mark.parametrize("kind", READABLE)
def test_its_freeze_frame_is_the_pump_of_that_moment(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    alarm = standing(bedside, kind)
    (record,) = (
        event.record
        for event in bedside.events()
        if isinstance(event, Recorded)
        and event.record.type is LogType.ALARM_RAISED
        and event.record.detail["instance"] == alarm.instance
    )
    assert dict(record.detail) == {
        "instance": alarm.instance,
        "type": kind,
        "priority": 2 if ROWS[kind].critical else 1,
        "reservoir_nl": alarm.reservoir_nl,
        "steps": alarm.steps,
    }
    assert record.elapsed_s == alarm.elapsed_s
    assert alarm.rate_nl_per_day == (0 if kind in BOOTING | STOPPED_BEFORE else RATE)
    assert 0 <= alarm.battery_mv - loaded_mv(bedside) <= 10, "a day may have passed since"
    firmware = bedside.pump.firmware
    assert alarm.last_op_id == bedside.op_high()
    counted_since = firmware.steps_total - alarm.steps
    assert alarm.reservoir_nl - bedside.status().reservoir_nl == counted_since * bedside.step_nl


@pytest.mark.parametrize("kind", AlarmType)
def test_what_it_does_to_the_flow_its_row_says(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    status = bedside.status()
    match ROWS[kind].flow:
        case "stop":
            expected = 0
            assert status.run_state in (RunState.STOPPED, RunState.FAILED)
        case "minimum":
            expected = PROFILE.therapy.rate_min_nl_per_day
        case _:
            expected = 0 if kind in STOPPED_BEFORE else RATE
    assert status.base_rate_nl_per_day == expected
    steps = bedside.pump.plant.motor.pulses
    bedside.wait(86_400)
    pulses = bedside.pump.plant.motor.pulses - steps
    assert abs(pulses - expected // bedside.step_nl) <= 1


@pytest.mark.parametrize("kind", BESIDE_A_BOLUS)
def test_a_critical_one_ends_a_bolus_and_any_other_leaves_it_alone(kind: AlarmType) -> None:
    bedside = running()
    CAUSES[kind].lead_up(bedside)
    bolus = bedside.bolus(40_000, 86_400)
    bedside.wait(60)
    CAUSES[kind].strike(bedside)
    standing(bedside, kind)
    state = bedside.query(bolus.op_id).state
    if ROWS[kind].critical:
        assert state is OpState.PARTIAL
        (ended,) = (record.detail for record in bedside.log() if record.type is LogType.BOLUS_ENDED)
        named = {AlarmType.EMPTY_RESERVOIR: BolusEnd.EMPTY, AlarmType.MOTOR_STALL: BolusEnd.STALL}
        assert ended["reason"] == named.get(kind, BolusEnd.ALARM)
    else:
        assert state in (OpState.EXECUTING, OpState.DONE)


# --- heard ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", AlarmType)
def test_while_it_sounds_its_tones_drain_the_cell_evenly(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    assert bedside.pump.plant.cell.tones_na == drain_na(bedside) > 0


@pytest.mark.parametrize("kind", READABLE)
def test_silenced_it_costs_nothing_for_a_while_and_then_sounds_again(kind: AlarmType) -> None:
    """A pause of ten minutes, as Open PCA has it (R6.4.3(5)); it clears nothing."""
    bedside = brought_to(kind)
    alarm = standing(bedside, kind)
    until_s = bedside.status().elapsed_us // SECOND + PROFILE.tones.silence_min * MINUTE_S
    loud_na = bedside.pump.plant.cell.tones_na
    assert bedside.silence(alarm.instance) == AlarmSilenced(alarm.instance, until_s)
    assert standing(bedside, kind).state is AlarmState.RAISED
    assert bedside.pump.plant.cell.tones_na == drain_na(bedside) < loud_na
    bedside.events()
    bedside.wait(PROFILE.tones.silence_min * MINUTE_S - 1)
    assert kind not in {event.alarm for event in bedside.events() if isinstance(event, ToneSounded)}
    bedside.wait(1)
    assert kind in {event.alarm for event in bedside.events() if isinstance(event, ToneSounded)}
    assert bedside.pump.plant.cell.tones_na == drain_na(bedside) == loud_na


@pytest.mark.parametrize("kind", READABLE)
def test_acknowledged_it_sounds_no_more_and_stands(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    alarm = standing(bedside, kind)
    reservoir = bedside.status().base_rate_nl_per_day
    assert bedside.acknowledge(alarm.instance) == AlarmAcknowledged(alarm.instance, AlarmState.ACKNOWLEDGED)
    assert bedside.pump.plant.cell.tones_na == drain_na(bedside)
    assert bedside.status().base_rate_nl_per_day == reservoir, "seen is not mended"
    already = Refusal(Reason.ALREADY_IN_STATE, "instance", detail=alarm.instance)
    assert bedside.acknowledge(alarm.instance) == bedside.silence(alarm.instance) == already
    bedside.events()
    bedside.wait(86_400)
    assert kind not in {event.alarm for event in bedside.events() if isinstance(event, ToneSounded)}


def test_a_program_may_say_how_often_its_alarms_sound() -> None:
    bedside = running()
    granted(bedside.program(replace(bedside.pump.firmware.record.program, non_critical_repeat_min=5)))
    bedside.fault("reset")
    assert bedside.pump.plant.cell.tones_na == bedside.pump.plant.cell.tone_fc(dual=False) // (5 * MINUTE_S * SECOND)


# --- cleared --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", READABLE)
def test_cleared_while_its_cause_is_there_it_comes_back_with_the_next_number(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    alarm, following = standing(bedside, kind), bedside.pump.firmware.record.next_alarm
    flow = bedside.status().base_rate_nl_per_day
    again = 0 if kind in PASSING else following
    assert bedside.clear(alarm.instance) == AlarmCleared(alarm.instance, AlarmState.CLEARED, again)
    assert stands(bedside, kind) == bool(again)
    if again:
        assert standing(bedside, kind).instance == following
        assert bedside.status().base_rate_nl_per_day == flow
    assert refused(bedside.clear(alarm.instance)) == Refusal(Reason.ALREADY_IN_STATE, "instance", detail=alarm.instance)


@pytest.mark.parametrize("kind", [kind for kind in READABLE if kind not in FOR_EVER])
def test_with_its_cause_gone_one_that_latches_waits_for_a_clinician_and_any_other_ends(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    alarm = standing(bedside, kind)
    CAUSES[kind].mend(bedside)
    assert stands(bedside, kind) == ROWS[kind].latching
    if ROWS[kind].latching:
        bedside.wait(86_400)
        assert stands(bedside, kind)
        assert bedside.clear(alarm.instance) == AlarmCleared(alarm.instance, AlarmState.CLEARED, 0)
        assert not stands(bedside, kind)
    else:
        (ended,) = (
            record.detail
            for record in bedside.log()
            if record.type is LogType.ALARM_CLEARED and record.detail["type"] == kind
        )
        assert (ended["instance"], ended["role"]) == (alarm.instance, 0)


@pytest.mark.parametrize("kind", AlarmType)
def test_it_survives_a_power_cut(kind: AlarmType) -> None:
    bedside = brought_to(kind)
    before = standing(bedside, kind)
    bedside.cut_power()
    bedside.restore_power()
    after = standing(bedside, kind)
    assert (after.instance, after.type, after.state) == (before.instance, kind, AlarmState.RAISED)


def test_a_lost_memory_lets_nobody_do_anything_about_its_alarm() -> None:
    bedside = brought_to(AlarmType.MEMORY_FAILURE)
    for reply in (bedside.acknowledge(1), bedside.silence(1), bedside.clear(1), bedside.start()):
        assert refused(reply).reason is Reason.MEMORY_FAILURE
