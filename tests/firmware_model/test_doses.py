"""The program's own doses: one single bolus and then nothing more, or one in every interval."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import Reason, RefillBegun, Refusal
from firmware_model.firmware.codes import (
    AlarmType,
    BolusEnd,
    BolusKind,
    Mode,
    OpState,
    PumpState,
    RunState,
    StopReason,
)
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.firmware.gate import pump_state
from firmware_model.quantities import US_PER_DAY
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
STEP_NL = PROFILE.motor.step_volume_nl
HOUR_S = 3_600
VOLUME_NL, STEPS = 100_000, 4_000


def once(duration_s: int = HOUR_S) -> Bedside:
    """A pump that has just begun a single bolus of 100 uL."""
    bedside = Bedside(PROFILE)
    program = new_program(PROFILE, mode=Mode.SINGLE_BOLUS, dose_volume_nl=VOLUME_NL, dose_duration_s=duration_s)
    granted(bedside.program(program))
    return bedside


def each(interval_s: int = 4 * HOUR_S, duration_s: int = HOUR_S, rate: int = 0, catheter_nl: int = 0) -> Bedside:
    """A pump that gives 100 uL in every interval."""
    bedside = Bedside(PROFILE)
    program = new_program(
        PROFILE,
        mode=Mode.PERIODIC_BOLUS,
        rate_nl_per_day=rate,
        dose_volume_nl=VOLUME_NL,
        dose_duration_s=duration_s,
        dose_interval_s=interval_s,
        catheter_nl=catheter_nl,
    )
    granted(bedside.program(program))
    return bedside


def steps(bedside: Bedside) -> int:
    """What the motor has truly made."""
    return bedside.pump.plant.motor.steps


def logged(bedside: Bedside, kind: LogType) -> list[LogRecord]:
    return [record for record in bedside.log() if record.type is kind]


def starts_s(bedside: Bedside) -> list[int]:
    return [record.elapsed_s for record in logged(bedside, LogType.BOLUS_STARTED)]


# --- properties -----------------------------------------------------------------------------------------------------

_volumes = st.integers(40, 4_000).map(lambda count: count * STEP_NL)


@settings(max_examples=40, deadline=None)
@given(_volumes, st.integers(360, 86_400), st.lists(st.integers(1, 30 * HOUR_S * SECOND), min_size=1, max_size=4))
def test_a_single_bolus_gives_its_volume_evenly_and_not_one_step_more(
    volume_nl: int, duration_s: int, waits_us: list[int]
) -> None:
    bedside = Bedside(PROFILE)
    program = new_program(PROFILE, mode=Mode.SINGLE_BOLUS, dose_volume_nl=volume_nl, dose_duration_s=duration_s)
    granted(bedside.program(program))
    for wait_us in waits_us:
        bedside.pump.advance(bedside.now + wait_us)
        given_us = min(bedside.now, duration_s * SECOND)
        assert steps(bedside) == volume_nl // STEP_NL * given_us // (duration_s * SECOND)
        over = bedside.now >= duration_s * SECOND
        assert (bedside.status().run_state is RunState.STOPPED) == over


@settings(max_examples=40, deadline=None)
@given(
    _volumes,
    st.integers(3_600, 20_000),
    st.integers(0, 40_000),
    st.sampled_from([0, 48_000, 155_000, 620_000]),
    st.lists(st.integers(1, 3 * US_PER_DAY), min_size=1, max_size=3),
)
def test_of_a_periodic_bolus_the_nth_begins_exactly_n_intervals_after_the_start(
    volume_nl: int, duration_s: int, longer_s: int, rate: int, waits_us: list[int]
) -> None:
    bedside = Bedside(PROFILE)
    program = new_program(
        PROFILE,
        mode=Mode.PERIODIC_BOLUS,
        rate_nl_per_day=rate,
        dose_volume_nl=volume_nl,
        dose_duration_s=duration_s,
        dose_interval_s=duration_s + longer_s,
    )
    granted(bedside.program(program))
    interval_us, dose_us = (duration_s + longer_s) * SECOND, duration_s * SECOND
    for wait_us in waits_us:
        bedside.pump.advance(bedside.now + wait_us)
        begun, since_us = divmod(bedside.now, interval_us)
        expected = rate * bedside.now // (STEP_NL * US_PER_DAY)
        if begun:
            dose_steps = volume_nl // STEP_NL
            expected += dose_steps * (begun - 1) + dose_steps * min(since_us, dose_us) // dose_us
        assert steps(bedside) == expected


# --- the single bolus -----------------------------------------------------------------------------------------------


def test_a_single_bolus_reverts_to_stopped() -> None:
    """As the modes of a clinic's programmer have it (functionalneuro.surgery, programming of intrathecal pumps)."""
    bedside = once()
    bedside.pump.advance(HOUR_S * SECOND - 1)
    assert (steps(bedside), bedside.status().run_state) == (STEPS - 1, RunState.RUNNING)
    bedside.pump.advance(HOUR_S * SECOND)
    status = bedside.status()
    assert (steps(bedside), status.run_state, status.stop_reason) == (STEPS, RunState.STOPPED, StopReason.PROGRAMMED)
    begun, ended, stopped = bedside.log()[-3:]
    assert (begun.type, begun.detail["kind"]) == (LogType.BOLUS_STARTED, BolusKind.PROGRAMMED)
    assert (ended.type, ended.detail["reason"], ended.detail["delivered_min_nl"], ended.detail["delivered_max_nl"]) == (
        LogType.BOLUS_ENDED,
        BolusEnd.COMPLETE,
        VOLUME_NL,
        VOLUME_NL,
    )
    assert (stopped.type, stopped.detail["reason"]) == (LogType.THERAPY_STOPPED, StopReason.PROGRAMMED)
    bedside.wait(86_400)
    assert steps(bedside) == STEPS


def test_it_is_given_once_and_a_start_asks_in_vain() -> None:
    bedside = once()
    bedside.wait(HOUR_S)
    assert pump_state(bedside.pump.firmware) is PumpState.IDLE
    assert refused(bedside.start()) == Refusal(Reason.CONDITIONS)
    bedside.wait(HOUR_S)
    assert steps(bedside) == STEPS


def test_stopped_in_the_middle_it_does_not_go_on_either() -> None:
    bedside = once()
    bedside.wait(HOUR_S / 4)
    granted(bedside.stop())
    ended = logged(bedside, LogType.BOLUS_ENDED)[-1].detail
    assert (ended["reason"], ended["delivered_max_nl"]) == (BolusEnd.STOPPED, VOLUME_NL // 4)
    assert refused(bedside.start()) == Refusal(Reason.CONDITIONS)
    bedside.wait(HOUR_S)
    assert steps(bedside) == STEPS // 4


def test_cut_in_the_middle_it_never_resumes_and_its_account_holds_the_truth() -> None:
    bedside = once()
    bedside.wait(HOUR_S / 4 + 1)
    bedside.cut_power()
    bedside.wait(60)
    bedside.restore_power()
    given_nl = steps(bedside) * STEP_NL
    ended = logged(bedside, LogType.BOLUS_ENDED)[-1].detail
    assert ended["reason"] == BolusEnd.RESET
    assert ended["delivered_min_nl"] <= given_nl <= ended["delivered_max_nl"]
    assert ended["delivered_max_nl"] - ended["delivered_min_nl"] <= PROFILE.motor.journal_interval_steps * STEP_NL
    status = bedside.status()
    assert (status.run_state, status.stop_reason) == (RunState.STOPPED, StopReason.PROGRAMMED)
    assert AlarmType.RESET in {alarm.type for alarm in bedside.alarms()}, "never silently stopped"
    assert refused(bedside.start()) == Refusal(Reason.CONDITIONS)
    bedside.wait(86_400)
    assert steps(bedside) * STEP_NL == given_nl


def test_the_same_program_committed_anew_gives_it_anew() -> None:
    bedside = once()
    bedside.wait(2 * HOUR_S)
    granted(bedside.program(bedside.pump.firmware.record.program))
    bedside.wait(2 * HOUR_S)
    assert steps(bedside) == 2 * STEPS


def test_committed_while_the_pump_is_stopped_it_waits_for_the_start() -> None:
    bedside = Bedside(PROFILE)
    bedside.stop()
    granted(
        bedside.program(new_program(PROFILE, mode=Mode.SINGLE_BOLUS, dose_volume_nl=VOLUME_NL, dose_duration_s=HOUR_S))
    )
    bedside.wait(HOUR_S)
    assert (steps(bedside), pump_state(bedside.pump.firmware)) == (0, PumpState.STOPPED)
    granted(bedside.start())
    bedside.wait(2 * HOUR_S)
    assert (steps(bedside), pump_state(bedside.pump.firmware)) == (STEPS, PumpState.IDLE)


def test_when_it_reverts_to_stopped_a_bolus_beside_it_stops_too() -> None:
    """A stopped pump gives nothing, whoever has asked for it."""
    bedside = once()
    bolus = bedside.bolus(VOLUME_NL, 2 * HOUR_S)
    bedside.wait(HOUR_S)
    assert steps(bedside) == STEPS + STEPS // 2
    assert pump_state(bedside.pump.firmware) is PumpState.IDLE
    entry = bedside.query(bolus.op_id).entry
    assert entry is not None
    assert (entry.state, entry.min_nl, entry.max_nl) == (OpState.PARTIAL, VOLUME_NL // 2, VOLUME_NL // 2)
    bedside.wait(86_400)
    assert steps(bedside) == STEPS + STEPS // 2


# --- the periodic bolus ---------------------------------------------------------------------------------------------


def test_the_first_dose_comes_after_one_interval() -> None:
    bedside = each()
    bedside.pump.advance(4 * HOUR_S * SECOND - 1)
    assert (steps(bedside), bedside.status().run_state) == (0, RunState.RUNNING)
    bedside.wait(24 * HOUR_S)
    assert starts_s(bedside) == [hours * HOUR_S for hours in (4, 8, 12, 16, 20, 24)]
    assert bedside.status().bolus_id == 0, "a dose of the program is no bolus that anyone has asked for"


def test_a_dose_as_long_as_its_interval_follows_on_the_one_before() -> None:
    bedside = each(interval_s=HOUR_S)
    bedside.pump.advance(10 * HOUR_S * SECOND)
    assert steps(bedside) == 9 * STEPS
    assert starts_s(bedside) == [hours * HOUR_S for hours in range(1, 11)]


def test_stop_and_start_begin_a_new_interval() -> None:
    bedside = each()
    bedside.wait(4.5 * HOUR_S)
    granted(bedside.stop())
    assert logged(bedside, LogType.BOLUS_ENDED)[-1].detail["delivered_max_nl"] == VOLUME_NL // 2
    bedside.wait(7 * HOUR_S)
    granted(bedside.start())
    bedside.wait(8 * HOUR_S)
    assert starts_s(bedside) == [4 * HOUR_S, round(15.5 * HOUR_S), round(19.5 * HOUR_S)]


def test_a_bolus_of_the_clinician_flows_beside_a_dose() -> None:
    bedside = each(rate=240_000)
    bedside.wait(4 * HOUR_S)
    bolus = bedside.bolus(VOLUME_NL, HOUR_S)
    bedside.wait(HOUR_S)
    assert bedside.query(bolus.op_id).state is OpState.DONE
    assert steps(bedside) == 2 * STEPS + 240_000 * 5 // 24 // STEP_NL


def test_after_a_reset_doses_go_on_in_their_old_rhythm() -> None:
    """The dose under way is lost and not made up for; the pump's own time has gone ahead by a minute at most."""
    bedside = each()
    bedside.wait(4.5 * HOUR_S)
    bedside.cut_power()
    bedside.restore_power()
    ended = logged(bedside, LogType.BOLUS_ENDED)[-1].detail
    assert (ended["reason"], ended["role"]) == (BolusEnd.RESET, 0)
    before = steps(bedside)
    bedside.pump.advance((8 * HOUR_S - 61) * SECOND)
    assert steps(bedside) == before
    bedside.pump.advance((9 * HOUR_S + 60) * SECOND)
    assert steps(bedside) == before + STEPS
    assert [round(start_s / 60) for start_s in starts_s(bedside)] in ([240, 480], [240, 481])


def test_while_dead_volume_is_moved_the_turn_of_a_dose_passes() -> None:
    bedside = each(catheter_nl=PROFILE.catheter.catheter_nl)
    bedside.wait(3.9 * HOUR_S)
    lease = bedside.prepare(0, 0, kind=BolusKind.PRIMING)
    granted(bedside.execute(lease.bolus_id, lease.volume_nl, lease.duration_s))  # type: ignore[union-attr]
    bedside.wait(5 * HOUR_S)
    kinds = [record.detail["kind"] for record in logged(bedside, LogType.BOLUS_STARTED)]
    assert kinds == [BolusKind.PRIMING, BolusKind.PROGRAMMED]
    assert starts_s(bedside)[-1] == 8 * HOUR_S


def test_while_an_alarm_holds_the_flow_down_no_dose_begins() -> None:
    """A low-battery reset leaves the minimum rate: of a program without a base rate nothing, and no doses."""
    bedside = each()
    bedside.wait(HOUR_S)
    bedside.fault("cell-sag", mv=2_000, lasts=60)
    bedside.wait(60)
    (alarm,) = bedside.alarms()
    assert alarm.type is AlarmType.LOW_BATTERY_RESET
    bedside.wait(8 * HOUR_S)
    assert (steps(bedside), starts_s(bedside)) == (0, [])
    bedside.clear(alarm.instance)
    bedside.wait(4 * HOUR_S)
    (start_s,) = starts_s(bedside)
    assert 12 * HOUR_S <= start_s <= 12 * HOUR_S + 60, "at the next turn, and in the old rhythm"


def test_a_dose_that_empties_the_reservoir_ends_there() -> None:
    bedside = Bedside(PROFILE)
    begun = bedside.begin_refill()
    assert isinstance(begun, RefillBegun)
    granted(bedside.commit_refill(begun.refill_id, 0, PROFILE.reservoir.empty_nl + VOLUME_NL // 4))
    program = new_program(PROFILE, mode=Mode.SINGLE_BOLUS, dose_volume_nl=VOLUME_NL, dose_duration_s=HOUR_S)
    granted(bedside.program(program))
    bedside.wait(HOUR_S)
    assert steps(bedside) == STEPS // 4
    ended = logged(bedside, LogType.BOLUS_ENDED)[-1].detail
    assert (ended["reason"], ended["delivered_max_nl"]) == (BolusEnd.EMPTY, VOLUME_NL // 4)
    assert bedside.status().stop_reason is StopReason.EMPTY_RESERVOIR
