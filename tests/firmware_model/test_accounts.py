"""The accounts of fluid, steps, time, revisions and boluses, through whatever happens to a pump."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import Alarm, OpOutcome, Reason, Refusal
from firmware_model.firmware.codes import (
    DEAD_VOLUME_KINDS,
    AlarmState,
    AlarmType,
    BolusEnd,
    Mode,
    Role,
    RunState,
    StopReason,
)
from firmware_model.firmware.record import NOBODY
from firmware_model.pump import PowerCut, PowerRestored, Recorded, ToneSounded
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import LONG_LOG, SMALL, changed
from tests.firmware_model.random_histories import DAY, ROOMY, Act, histories, only

CARE = only("wait", "run", "pause", "prepare", "bolus", "cancel", "presses", "program", "flex", "time", "alarm", "look")
REFILLS, POWER = only("refill"), only("power", "restore")
BY_CARE = histories(ROOMY, CARE)
WITH_REFILLS = histories(ROOMY, {**CARE, **REFILLS})
WITH_CUTS = histories(ROOMY, {**CARE, **REFILLS, **POWER})


def lived(bedside: Bedside, history: list[Act]) -> Iterator[None]:
    """Live a history act by act, with a moment before each, time passed, and one behind each. It ends with power."""
    hand = Hand(bedside)
    for act in (*history, Act(0, "restore_power"), Act(DAY, "wait")):
        bedside.pump.advance(bedside.now + act.after_us)
        yield
        act.by(hand)
        yield
    bedside.pump.disarm_power_cut()
    bedside.restore_power()
    yield


@settings(max_examples=50, deadline=None)
@given(WITH_CUTS)
def test_what_left_the_reservoir_was_delivered_step_by_step(history: list[Act]) -> None:
    bedside = Bedside(ROOMY)
    plant, steps, firmware_steps = bedside.pump.plant, 0, 0
    catheter = plant.catheter
    path_nl = catheter.path_nl
    for _ in lived(bedside, history):
        assert plant.motor.steps >= steps
        steps = plant.motor.steps
        assert plant.delivered_nl == steps * bedside.step_nl or plant.reservoir.volume_nl < bedside.step_nl
        assert catheter.tip.volume_nl + catheter.path_nl == path_nl + plant.delivered_nl
        if bedside.pump.powered:
            # Lifetime counters resume at the upper end of what is possible, and so never go back.
            assert bedside.pump.firmware.steps_total >= max(firmware_steps, steps)
            firmware_steps = bedside.pump.firmware.steps_total


@settings(max_examples=50, deadline=None)
@given(BY_CARE)
def test_without_power_cuts_belief_is_truth(history: list[Act]) -> None:
    bedside = Bedside(ROOMY)
    for _ in lived(bedside, history):
        truth, status = bedside.pump.truth(), bedside.status()
        assert truth["believed_delivered_nl"] == truth["delivered_nl"] == status.delivered_nl
        assert truth["believed_reservoir_nl"] == truth["reservoir_nl"] == status.reservoir_nl
        assert status.elapsed_us == bedside.now


@settings(max_examples=50, deadline=None)
@given(WITH_CUTS)
def test_elapsed_time_and_records_never_go_back(history: list[Act]) -> None:
    bedside = Bedside(ROOMY)
    told_us = 0
    for _ in lived(bedside, history):
        if bedside.pump.powered:
            assert bedside.pump.firmware.elapsed_us >= told_us
            told_us = bedside.pump.firmware.elapsed_us
    records = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    for older, newer in pairwise(records):
        assert (newer.boot, newer.elapsed_s) >= (older.boot, older.elapsed_s)
        assert newer.elapsed_s >= older.elapsed_s


@settings(max_examples=50, deadline=None)
@given(WITH_REFILLS)
def test_the_segments_that_were_told_are_all_that_was_delivered(history: list[Act]) -> None:
    """The sum of the daily records, and what has come since the last, is the lifetime volume."""
    bedside = Bedside(ROOMY)
    for _ in lived(bedside, history):
        pass
    told = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    days = [record.detail for record in told if record.type.name == "DELIVERED"]
    assert sum(day["volume_nl"] for day in days) == days[-1]["steps"] * bedside.step_nl
    assert len(days) == bedside.now // DAY


RAISING = {"THERAPY_STARTED", "THERAPY_STOPPED", "PROGRAM_CHANGED", "BOOT", "REFILLED", "TIME_SET"}
BY_SOMEBODY = {"BOLUS_STARTED", "BOLUS_ENDED", "BOLUS_CANCELLED"}


def raises(event: object) -> bool:
    """Whether a record stands for a commit that raises the revision. The program's own doses are no change of it."""
    if not isinstance(event, Recorded):
        return False
    word, detail = event.record.type.name, event.record.detail
    return word in RAISING or (word in BY_SOMEBODY and detail["role"] != NOBODY)


@settings(max_examples=50, deadline=None)
@given(WITH_CUTS)
def test_the_revision_rises_with_every_change_of_therapy_and_with_nothing_else(history: list[Act]) -> None:
    bedside = Bedside(ROOMY)
    bedside.events()
    rev = bedside.therapy_rev()
    changes = 0
    for _ in lived(bedside, history):
        changes += sum(raises(event) for event in bedside.events())
        if bedside.pump.powered:
            assert rev + bool(changes) <= bedside.therapy_rev() <= rev + changes
            rev, changes = bedside.therapy_rev(), 0


@settings(max_examples=50, deadline=None)
@given(WITH_CUTS)
def test_what_flows_is_what_the_program_and_the_run_state_say(history: list[Act]) -> None:
    """And a program that delivers nothing is the one reason for which only another program helps."""
    bedside = Bedside(ROOMY)
    for _ in lived(bedside, history):
        if not bedside.pump.powered:
            continue
        status, record = bedside.status(), bedside.pump.firmware.record
        program, runs = record.program, status.run_state is RunState.RUNNING
        assert runs == (status.stop_reason is StopReason.NONE)
        assert not runs or program.mode is not Mode.STOPPED
        assert status.stop_reason is not StopReason.PROGRAMMED or program.mode in (Mode.STOPPED, Mode.SINGLE_BOLUS)
        moves_dead_volume = record.bolus is not None and record.bolus.kind in DEAD_VOLUME_KINDS
        flows = runs and not moves_dead_volume
        assert status.base_rate_nl_per_day == (status.programmed_rate_nl_per_day if flows else 0)
        assert runs or (record.bolus is None and record.dose is None)
        match program.mode:
            case Mode.STOPPED | Mode.SINGLE_BOLUS:
                assert status.programmed_rate_nl_per_day == 0
            case Mode.MINIMUM_RATE:
                assert status.programmed_rate_nl_per_day == ROOMY.therapy.rate_min_nl_per_day
            case Mode.SIMPLE_CONTINUOUS | Mode.PERIODIC_BOLUS:
                assert status.programmed_rate_nl_per_day == program.rate_nl_per_day
            case Mode.FLEX:
                rates = {change.rate_nl_per_day for day in program.schedule for change in day}
                assert status.programmed_rate_nl_per_day in rates
        standing = [alarm.type for alarm in bedside.alarms() if alarm.state is not AlarmState.CLEARED]
        assert not (runs and AlarmType.EMPTY_RESERVOIR in standing), "an empty reservoir has nothing to give"


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


@settings(max_examples=50, deadline=None)
@given(WITH_CUTS)
def test_every_bolus_is_accounted_for_exactly_once(history: list[Act]) -> None:
    """Each start has one end, what the end says encloses the truth, and the ledger says the same."""
    bedside = Bedside(ROOMY)
    for _ in lived(bedside, history):
        pass
    record = bedside.pump.firmware.record
    running = {bolus.bolus_id for bolus in (record.bolus, record.dose) if bolus is not None}
    records = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    starts = [record for record in records if record.type.name == "BOLUS_STARTED"]
    ends = [record for record in records if record.type.name == "BOLUS_ENDED"]
    started = {record.detail["bolus_id"]: record for record in starts}
    ended = {record.detail["bolus_id"]: record for record in ends}
    assert len(starts) == len(started)
    assert len(ends) == len(ended)
    assert started.keys() == ended.keys() | running
    for bolus_id, end in ended.items():
        start = started[bolus_id]
        assert (end.op_id, end.detail["role"]) == (start.op_id, start.detail["role"])
        assert end.detail["delivered_min_nl"] <= end.detail["delivered_max_nl"] <= start.detail["volume_nl"]
        uncertain_nl = end.detail["delivered_max_nl"] - end.detail["delivered_min_nl"]
        after_reset = end.detail["reason"] == BolusEnd.RESET
        assert uncertain_nl <= ROOMY.motor.journal_interval_steps * bedside.step_nl * after_reset
        role = end.detail["role"]
        held = bedside.query(start.op_id, Role(role)).entry if role != NOBODY else None
        if held is not None:
            given_nl = (end.detail["delivered_min_nl"], end.detail["delivered_max_nl"])
            assert (held.min_nl, held.max_nl) == given_nl


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
    (low,) = bedside.alarms()
    assert low == Alarm(
        instance=1,
        type=AlarmType.LOW_RESERVOIR,
        critical=False,
        state=AlarmState.RAISED,
        elapsed_s=1_800,
        steps=180,
        rate_nl_per_day=8_640_000,
        reservoir_nl=120_000,
        # 3,000 mV without load, less 51 under that of the motor, rounded down.
        battery_mv=2_948,
        last_op_id=0,
    )
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
    assert bedside.alarms()[:2] == before
    assert [alarm.type for alarm in bedside.alarms()[2:]] == [AlarmType.RESET]
    assert bedside.status().run_state is RunState.STOPPED
    bedside.wait(86_400)
    assert bedside.alarms()[:2] == before
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
    told = [type(event) for event in bedside.events()]
    assert told == [PowerCut, PowerRestored, ToneSounded, Recorded, Recorded], "a boot, and the alarm of the reset"
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
