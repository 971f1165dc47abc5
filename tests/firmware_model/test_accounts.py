"""The accounts of fluid, steps, time and revisions, through whatever happens to a pump."""

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import Alarm, OpOutcome, Reason, Refusal
from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, Mode, RunState, StopReason
from firmware_model.pump import PowerCut, PowerRestored, Recorded
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.programmes import Act, Hand, programmes, programmes_with_cuts
from tests.firmware_model.pump_profiles import LONG_LOG, SMALL, changed


@settings(max_examples=50, deadline=None)
@given(programmes_with_cuts)
def test_what_left_the_reservoir_was_delivered_step_by_step(programme: list[Act]) -> None:
    bedside = Bedside(LONG_LOG)
    plant, firmware_steps = bedside.pump.plant, 0
    hand = Hand(bedside)
    for act in programme:
        before = plant.motor.steps
        bedside.pump.advance(bedside.now + act.after_us)
        hand.do(act)
        assert plant.motor.steps >= before
        assert plant.delivered_nl == plant.motor.steps * bedside.step_nl
        assert plant.reservoir.volume_nl + plant.delivered_nl == 300_000
        if bedside.pump.powered:
            # Lifetime counters resume at the upper end of what is possible, and so never go back.
            assert bedside.pump.firmware.steps_total >= max(firmware_steps, plant.motor.steps)
            firmware_steps = bedside.pump.firmware.steps_total


@settings(max_examples=50, deadline=None)
@given(programmes)
def test_without_power_cuts_belief_is_truth(programme: list[Act]) -> None:
    bedside = Bedside(LONG_LOG)
    hand = Hand(bedside)
    for act in programme:
        bedside.pump.advance(bedside.now + act.after_us)
        hand.do(act)
        truth, status = bedside.pump.truth(), bedside.status()
        assert truth["believed_delivered_nl"] == truth["delivered_nl"] == status.delivered_nl
        assert truth["believed_reservoir_nl"] == truth["reservoir_nl"] == status.reservoir_nl
        assert status.elapsed_us == bedside.now


@settings(max_examples=50, deadline=None)
@given(programmes_with_cuts)
def test_elapsed_time_and_records_never_go_back(programme: list[Act]) -> None:
    bedside = Bedside(LONG_LOG)
    hand = Hand(bedside)
    told_us = 0
    for act in programme:
        bedside.pump.advance(bedside.now + act.after_us)
        hand.do(act)
        if bedside.pump.powered:
            assert bedside.pump.firmware.elapsed_us >= told_us
            told_us = bedside.pump.firmware.elapsed_us
    records = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    for older, newer in pairwise(records):
        assert (newer.boot, newer.elapsed_s, newer.rtc_unix_s) >= (older.boot, older.elapsed_s, older.rtc_unix_s)
        assert newer.elapsed_s >= older.elapsed_s


RAISING = {"THERAPY_STARTED", "THERAPY_STOPPED", "BOLUS_STARTED", "BOLUS_CANCELLED", "PROGRAM_CHANGED", "BOOT"}


def raises(event: object) -> bool:
    """Whether a record stands for a commit that raises the revision.

    A bolus that a command, the reservoir or a boot has ended is in one commit with the record of that.
    """
    if not isinstance(event, Recorded):
        return False
    completed = event.record.type.name == "BOLUS_ENDED" and event.record.detail["reason"] == BolusEnd.COMPLETE
    return completed or event.record.type.name in RAISING


@settings(max_examples=60, deadline=None)
@given(programmes_with_cuts)
def test_the_revision_rises_with_every_change_of_therapy_and_with_nothing_else(programme: list[Act]) -> None:
    bedside = Bedside(LONG_LOG)
    hand = Hand(bedside)
    bedside.events()
    rev = bedside.therapy_rev()
    for act in [*programme, Act(0, "restore")]:
        bedside.pump.advance(bedside.now + act.after_us)
        hand.do(act)
        if bedside.pump.powered:
            rev += sum(raises(event) for event in bedside.events())
            assert bedside.therapy_rev() == rev


@settings(max_examples=60, deadline=None)
@given(programmes_with_cuts)
def test_what_flows_is_what_the_program_and_the_run_state_say(programme: list[Act]) -> None:
    """And a program that delivers nothing is the one reason for which only another program helps."""
    bedside = Bedside(LONG_LOG)
    hand = Hand(bedside)
    for act in programme:
        bedside.pump.advance(bedside.now + act.after_us)
        hand.do(act)
        if not bedside.pump.powered:
            continue
        status, program = bedside.status(), bedside.pump.firmware.record.program
        runs = status.run_state is RunState.RUNNING
        assert runs == (status.stop_reason is StopReason.NONE)
        assert not runs or program.mode is not Mode.STOPPED
        assert status.stop_reason is not StopReason.PROGRAMMED or program.mode is Mode.STOPPED
        assert status.base_rate_nl_per_day == (status.programmed_rate_nl_per_day if runs else 0)
        assert bedside.pump.firmware.flow.base.gain == status.base_rate_nl_per_day
        match program.mode:
            case Mode.STOPPED:
                assert status.programmed_rate_nl_per_day == 0
            case Mode.MINIMUM_RATE:
                assert status.programmed_rate_nl_per_day == 1
            case Mode.SIMPLE_CONTINUOUS:
                assert status.programmed_rate_nl_per_day == program.rate_nl_per_day > 0
        empty = any(alarm.type == AlarmType.EMPTY_RESERVOIR for alarm in bedside.alarms())
        assert not (runs and empty), "an empty reservoir has nothing to give"


def test_reads_alarms_acknowledgements_preparing_and_refusals_leave_the_revision_alone() -> None:
    bedside = Bedside(LONG_LOG)
    rev = bedside.therapy_rev()
    bedside.wait(1_800)
    assert [alarm.type for alarm in bedside.alarms()] == [AlarmType.LOW_RESERVOIR]
    bedside.acknowledge(1)
    bedside.prepare(5_000, 60)
    assert refused(bedside.start()).reason is Reason.ALREADY_IN_STATE
    bedside.ops()
    bedside.log()
    bedside.query(1)
    assert bedside.status().therapy_rev == bedside.therapy_rev() == rev


@settings(max_examples=60, deadline=None)
@given(programmes_with_cuts)
def test_every_bolus_is_accounted_for_exactly_once(programme: list[Act]) -> None:
    """Each start has one end, what the end says encloses the truth, and the ledger says the same."""
    bedside = Bedside(LONG_LOG)
    hand = Hand(bedside)
    for act in [*programme, Act(0, "restore"), Act(4_000 * SECOND, "pass")]:
        bedside.pump.advance(bedside.now + act.after_us)
        hand.do(act)
    records = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    started = {record.detail["bolus_id"]: record for record in records if record.type.name == "BOLUS_STARTED"}
    ended = {record.detail["bolus_id"]: record for record in records if record.type.name == "BOLUS_ENDED"}
    names = Counter(record.type.name for record in records)
    assert names["BOLUS_STARTED"] == names["BOLUS_ENDED"] == len(started) == len(ended)
    for bolus_id, start in started.items():
        end = ended[bolus_id]
        assert end.op_id == start.op_id
        assert end.detail["delivered_min_nl"] <= end.detail["delivered_max_nl"] <= start.detail["volume_nl"]
        certain = end.detail["reason"] != BolusEnd.RESET
        uncertain_nl = end.detail["delivered_max_nl"] - end.detail["delivered_min_nl"]
        assert uncertain_nl == 0 if certain else uncertain_nl <= 4 * bedside.step_nl
        held = bedside.query(start.op_id)
        if held.entry is not None:
            assert (held.entry.min_nl, held.entry.max_nl) == (
                end.detail["delivered_min_nl"],
                end.detail["delivered_max_nl"],
            )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=8))
def test_a_counter_that_resumes_overstates_by_an_interval_a_boot_at_most(waits: list[int]) -> None:
    bedside = Bedside(LONG_LOG)
    for boots, wait in enumerate(waits, start=1):
        bedside.wait(wait)
        bedside.cut_power()
        bedside.restore_power()
        over = bedside.pump.firmware.steps_total - bedside.pump.plant.motor.steps
        assert 0 <= over <= 4 * boots
        assert bedside.now <= bedside.pump.firmware.elapsed_us <= bedside.now + boots * 60 * SECOND


def test_the_life_of_the_alarms() -> None:
    """Low at 120,000 nl leaves the flow as it is; empty at 50,000 nl halts; both stay, also over power."""
    bedside = Bedside(LONG_LOG)
    bedside.wait(1_799)
    assert bedside.alarms() == ()
    bedside.wait(1)
    low = Alarm(
        instance=1,
        type=AlarmType.LOW_RESERVOIR,
        critical=False,
        state=AlarmState.RAISED,
        elapsed_s=1_800,
        steps=180,
        rate_nl_per_day=8_640_000,
        reservoir_nl=120_000,
        battery_mv=2_800,
        last_op_id=0,
    )
    assert bedside.alarms() == (low,)
    assert bedside.status().run_state is RunState.RUNNING
    bedside.acknowledge(1)
    assert refused(bedside.acknowledge(1)) == Refusal(Reason.ALREADY_IN_STATE, "instance", detail=1)
    assert refused(bedside.acknowledge(2)) == Refusal(Reason.NO_SUCH_ALARM, "instance", detail=1)

    bolus = bedside.bolus(60_000, 600)
    bedside.wait(600)
    # 60 base steps and 60 of the bolus would be 120; the level is reached after 70.
    status = bedside.status()
    assert (status.run_state, status.stop_reason) == (RunState.STOPPED, StopReason.EMPTY_RESERVOIR)
    assert (status.reservoir_nl, status.base_rate_nl_per_day, status.bolus_id) == (50_000, 0, 0)
    assert (status.alarms_raised, status.alarms_unacknowledged) == (2, 1)
    low_now, empty = bedside.alarms()
    assert (low_now.state, empty.type, empty.critical) == (AlarmState.ACKNOWLEDGED, AlarmType.EMPTY_RESERVOIR, True)
    assert (empty.reservoir_nl, empty.steps, empty.last_op_id) == (50_000, 250, bolus.op_id)
    given_nl = bedside.query(bolus.op_id).entry
    assert given_nl is not None
    assert (given_nl.state.name, given_nl.min_nl, given_nl.max_nl) == ("PARTIAL", 35_000, 35_000)
    assert refused(bedside.start()) == Refusal(Reason.ALARM_BLOCKS, element=AlarmType.EMPTY_RESERVOIR, detail=2)

    before = bedside.alarms()
    bedside.cut_power()
    bedside.restore_power()
    assert bedside.alarms() == before
    assert bedside.status().run_state is RunState.STOPPED
    bedside.wait(86_400)
    assert bedside.alarms() == before
    assert bedside.pump.plant.motor.steps == 250


def test_an_acknowledged_empty_alarm_blocks_a_start_all_the_same() -> None:
    bedside = Bedside(LONG_LOG)
    bedside.wait(3_000)
    bedside.acknowledge(2)
    assert refused(bedside.start()).reason is Reason.ALARM_BLOCKS


def test_an_empty_reservoir_voids_every_lease() -> None:
    bedside = Bedside(changed(LONG_LOG, "bolus", lease_s=3_600))
    bedside.prepare(5_000, 60)
    bedside.wait(2_499)
    assert len(bedside.pump.firmware.leases) == 1
    bedside.wait(1)
    assert bedside.pump.firmware.leases == []


def test_power_is_taken_and_given_back() -> None:
    bedside = Bedside(SMALL)
    bedside.wait(25)
    bedside.events()
    bedside.cut_power()
    bedside.cut_power()
    assert bedside.pump.next_deadline() is None
    assert bedside.stop() is None
    bedside.wait(1_000)
    assert bedside.pump.plant.motor.steps == 2
    assert "believed_delivered_nl" not in bedside.pump.truth()
    bedside.restore_power()
    bedside.restore_power()
    assert [type(event) for event in bedside.events()] == [PowerCut, PowerRestored, Recorded]
    assert bedside.status().boot == 2
    # The fraction of a step is lost with power: the next one comes a whole step later.
    bedside.wait(9.999_999)
    assert bedside.pump.plant.motor.steps == 2
    bedside.wait(0.000_001)
    assert bedside.pump.plant.motor.steps == 3


def test_a_pump_that_was_stopped_stays_stopped_over_power() -> None:
    bedside = Bedside(SMALL)
    outcome = granted(bedside.stop())
    assert isinstance(outcome, OpOutcome)
    bedside.cut_power()
    bedside.restore_power()
    bedside.wait(1_000)
    status = bedside.status()
    assert (status.run_state, status.stop_reason) == (RunState.STOPPED, StopReason.COMMANDED)
    assert bedside.pump.plant.motor.steps == 0
