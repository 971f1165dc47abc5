"""The refill as a procedure, and all that goes wrong with a needle: what the pump believes, and what is in it."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import BeginRefill, ReadReservoir, Reason, RefillBegun, Refusal, ReservoirAnswer
from firmware_model.firmware.codes import AlarmState, AlarmType, OpState, Role, RunState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import Drug
from firmware_model.plant.mixture import mixture_of
from firmware_model.quantities import SECONDS_PER_DAY
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
RESERVOIR = PROFILE.reservoir
FULL_NL, RESIDUAL_NL = RESERVOIR.capacity_nl, RESERVOIR.residual_nl
A_DAY_NL = PROFILE.therapy.rate_nl_per_day
BACLOFEN = ("baclofen", 500_000)
MOST_NG = PROFILE.therapy.concentration_max_ng_per_ml


def begun(bedside: Bedside, session: int = 1) -> RefillBegun:
    reply = bedside.begin_refill(session)
    assert isinstance(reply, RefillBegun), reply
    return reply


def told(bedside: Bedside) -> ReservoirAnswer:
    reply = bedside.ask(ReadReservoir())
    assert isinstance(reply, ReservoirAnswer), reply
    return reply


def truly_nl(bedside: Bedside) -> int:
    return bedside.pump.plant.reservoir.volume_nl


def standing(bedside: Bedside) -> set[AlarmType]:
    return {alarm.type for alarm in bedside.alarms() if alarm.state is not AlarmState.CLEARED}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 30 * SECONDS_PER_DAY),
    st.integers(0, FULL_NL + RESERVOIR.overfill_max_nl + 2),
    st.integers(0, FULL_NL + 2),
)
def test_what_is_committed_is_what_the_pump_computes_from_then_on(
    wait_s: int, measured_nl: int, volume_nl: int
) -> None:
    bedside = Bedside(PROFILE)
    bedside.wait(wait_s)
    computed_nl = begun(bedside).computed_nl
    assert computed_nl == FULL_NL - bedside.pump.plant.motor.steps * bedside.step_nl
    reply = bedside.commit_refill(begun(bedside).refill_id, measured_nl, volume_nl)
    if measured_nl > FULL_NL + RESERVOIR.overfill_max_nl:
        most_nl = FULL_NL + RESERVOIR.overfill_max_nl
        assert refused(reply) == Refusal(Reason.ABOVE_MAXIMUM, "measured_nl", detail=most_nl)
    elif volume_nl > FULL_NL:
        assert refused(reply) == Refusal(Reason.ABOVE_MAXIMUM, "volume_nl", detail=FULL_NL)
    else:
        assert granted(reply).state is OpState.DONE
        answer = told(bedside)
        assert (answer.volume_nl, answer.filled_nl) == (volume_nl, volume_nl)
        assert answer.discrepancy_nl == measured_nl - computed_nl
        steps = bedside.pump.plant.motor.steps
        bedside.wait(SECONDS_PER_DAY)
        flowed_nl = (bedside.pump.plant.motor.steps - steps) * bedside.step_nl
        assert told(bedside).volume_nl == max(0, volume_nl - flowed_nl)
        assert standing(bedside) == {
            kind
            for kind, level_nl in (
                (AlarmType.LOW_RESERVOIR, RESERVOIR.low_nl),
                (AlarmType.EMPTY_RESERVOIR, RESERVOIR.empty_nl),
            )
            if told(bedside).volume_nl <= level_nl
        }


# --- the procedure --------------------------------------------------------------------------------------------------


def test_a_refill_by_the_book() -> None:
    """Interrogated, drained, compared, filled, committed, and the new date read: nothing but the commit changes any."""
    bedside = Bedside(PROFILE)
    bedside.wait(20 * SECONDS_PER_DAY)
    refill = begun(bedside)
    withdrawn_nl, _ = bedside.pump.syringe(FULL_NL, 0, mixture_of(BACLOFEN), bedside.now)
    assert withdrawn_nl == refill.computed_nl - RESIDUAL_NL, "what a syringe does not get stays in"
    _, injected_nl = bedside.pump.syringe(0, FULL_NL - RESIDUAL_NL, mixture_of(BACLOFEN), bedside.now)
    assert (injected_nl, truly_nl(bedside)) == (FULL_NL - RESIDUAL_NL, FULL_NL)
    assert bedside.status().reservoir_nl == refill.computed_nl, "the pump does not feel it"
    assert told(bedside).refilled_s is None
    outcome = granted(bedside.commit_refill(refill.refill_id, withdrawn_nl + RESIDUAL_NL, FULL_NL))
    record = bedside.log()[-1]
    assert (record.type, record.op_id, record.sequence) == (LogType.REFILLED, outcome.op_id, outcome.log_sequence)
    assert [record.detail[name] for name in ("computed_nl", "measured_nl", "volume_nl")] == [
        refill.computed_nl,
        refill.computed_nl,
        FULL_NL,
    ]
    answer = told(bedside)
    assert (answer.refilled_s, answer.discrepancy_nl) == (20 * SECONDS_PER_DAY, 0)
    assert answer.dates.low_in_s == (FULL_NL - RESERVOIR.low_nl) * SECONDS_PER_DAY // A_DAY_NL + 1


def test_an_alarm_of_the_reservoir_goes_with_the_refill_but_the_pump_waits_for_its_start() -> None:
    bedside = Bedside(PROFILE)
    bedside.wait(32 * SECONDS_PER_DAY)
    assert standing(bedside) == {AlarmType.LOW_RESERVOIR, AlarmType.EMPTY_RESERVOIR}
    bedside.refill(FULL_NL)
    assert standing(bedside) == set()
    ended = [record.detail for record in bedside.log() if record.type is LogType.ALARM_CLEARED]
    assert [detail["role"] for detail in ended] == [0, 0], "by the pump itself"
    assert (bedside.status().run_state, bedside.status().stop_reason) == (RunState.STOPPED, StopReason.EMPTY_RESERVOIR)
    granted(bedside.start())
    assert bedside.status().base_rate_nl_per_day == A_DAY_NL


def test_too_little_raises_the_alarm_at_once() -> None:
    bedside = Bedside(PROFILE)
    granted(bedside.commit_refill(begun(bedside).refill_id, 0, RESERVOIR.low_nl))
    assert standing(bedside) == {AlarmType.LOW_RESERVOIR}


def test_a_refill_is_taken_once() -> None:
    bedside = Bedside(PROFILE)
    refill = begun(bedside)
    granted(bedside.commit_refill(refill.refill_id, 0, 5_000_000, op_id=1))
    bedside.wait(SECONDS_PER_DAY)
    again = granted(bedside.commit_refill(refill.refill_id, 0, 5_000_000, op_id=1))
    assert (again.repeated, bedside.status().reservoir_nl) == (True, 5_000_000 - A_DAY_NL)
    assert refused(bedside.commit_refill(refill.refill_id, 0, 5_000_000)) == Refusal(Reason.NOTHING_STAGED, "refill_id")


@pytest.mark.parametrize("case", ["another session", "another number", "begun anew", "session over", "power"])
def test_a_refill_belongs_to_the_session_that_has_begun_it(case: str) -> None:
    bedside = Bedside(PROFILE)
    refill_id, session = begun(bedside).refill_id, 1
    match case:
        case "another session":
            session = 2
        case "another number":
            refill_id += 1
        case "begun anew":
            assert begun(bedside).refill_id != refill_id
        case "session over":
            bedside.pump.end_session(1, bedside.now)
        case _:
            bedside.cut_power()
            bedside.restore_power()
    reply = bedside.commit_refill(refill_id, 0, FULL_NL, session=session)
    assert refused(reply) == Refusal(Reason.NOTHING_STAGED, "refill_id")


def test_another_sessions_end_leaves_a_refill_alone() -> None:
    bedside = Bedside(PROFILE)
    refill = begun(bedside)
    bedside.pump.end_session(2, bedside.now)
    assert granted(bedside.commit_refill(refill.refill_id, 0, FULL_NL)).state is OpState.DONE


def test_a_reader_refills_nothing() -> None:
    bedside = Bedside(PROFILE)
    reader = bedside.origin(Role.READER, operation="REFILL_BEGIN")
    assert bedside.ask(BeginRefill(reader)) == Refusal(Reason.ROLE)


def test_a_prepared_bolus_was_prepared_for_what_was_in_the_reservoir_before() -> None:
    bedside = Bedside(PROFILE)
    lease = bedside.prepared(10_000, 60)
    bedside.refill(FULL_NL)
    assert refused(bedside.execute(lease.bolus_id, 10_000, 60)).reason is Reason.LEASE_EXPIRED


@pytest.mark.parametrize(
    ("drugs", "expected"),
    [
        ((("", 1),), Refusal(Reason.FORMAT, "drugs")),
        ((("a" * 17, 1),), Refusal(Reason.FORMAT, "drugs")),
        ((("caf\u00e9", 1),), Refusal(Reason.FORMAT, "drugs")),
        ((("a\tb", 1),), Refusal(Reason.FORMAT, "drugs")),
        ((("a", 1), ("a", 2)), Refusal(Reason.FORMAT, "drugs")),
        (tuple((name, 1) for name in "abcdef"), Refusal(Reason.FORMAT, "drugs")),
        ((("a", 0),), Refusal(Reason.BELOW_MINIMUM, "drugs", detail=1)),
        ((("a", 1), ("b", MOST_NG + 1)), Refusal(Reason.ABOVE_MAXIMUM, "drugs", detail=MOST_NG)),
    ],
)
def test_drugs_that_no_reservoir_can_hold_are_refused(drugs: tuple[tuple[str, int], ...], expected: Refusal) -> None:
    bedside = Bedside(PROFILE)
    refill = begun(bedside)
    assert refused(bedside.commit_refill(refill.refill_id, 0, FULL_NL, drugs)) == expected
    assert granted(bedside.commit_refill(refill.refill_id, 0, FULL_NL, (("a", MOST_NG),))).state is OpState.DONE


def test_a_refill_names_no_more_drugs_than_the_pump_keeps_apart() -> None:
    bedside = Bedside(shipped("reference-40"))
    refill = begun(bedside)
    mixture = tuple((name, 1_000) for name in "abcde")
    reply = refused(bedside.commit_refill(refill.refill_id, 0, FULL_NL, mixture))
    assert reply == Refusal(Reason.TOO_MANY_DRUGS, "drugs", detail=4)
    assert granted(bedside.commit_refill(refill.refill_id, 0, FULL_NL, mixture[:4])).state is OpState.DONE


# --- drugs that do not fit the program ------------------------------------------------------------------------------


OTHERS = {
    "another drug": (("morphine", 500_000),),
    "another concentration": (("baclofen", 2_000_000),),
    "one more": (BACLOFEN, ("morphine", 1_000)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_program_for_other_drugs_is_not_committed_and_a_stopped_pump_does_not_start(case: str) -> None:
    bedside = Bedside(PROFILE)
    program = new_program(PROFILE, drugs=(Drug(*BACLOFEN),))
    granted(bedside.program(program))
    bedside.stop()
    bedside.refill(FULL_NL, OTHERS[case])
    assert refused(bedside.start()) == Refusal(Reason.CONCENTRATION_MISMATCH)
    mismatch = refused(bedside.program(new_program(PROFILE, drugs=(Drug(*BACLOFEN),), rate_nl_per_day=700_000)))
    assert mismatch.reason is Reason.CONCENTRATION_MISMATCH
    assert bedside.pump.firmware.record.program == program
    fitting = tuple(Drug(name, concentration) for name, concentration in OTHERS[case])
    granted(bedside.program(new_program(PROFILE, drugs=fitting)))
    assert granted(bedside.start()).state is OpState.DONE


def test_the_order_of_drugs_and_how_long_they_keep_make_no_other_mixture() -> None:
    bedside = Bedside(PROFILE)
    bedside.refill(FULL_NL, (BACLOFEN, ("morphine", 1_000)))
    granted(bedside.program(new_program(PROFILE, drugs=(Drug("morphine", 1_000, 30), Drug(*BACLOFEN)))))


def test_where_nothing_is_said_anything_fits() -> None:
    bedside = Bedside(PROFILE)
    bedside.refill(FULL_NL)
    granted(bedside.program(new_program(PROFILE, drugs=(Drug(*BACLOFEN),))))


def test_a_drug_that_keeps_for_a_fortnight_brings_the_date_before_the_volume_does() -> None:
    bedside = Bedside(PROFILE)
    drugs = (Drug("baclofen", 500_000, 90), Drug("ziconotide", 1_000, 14))
    granted(bedside.program(new_program(PROFILE, drugs=drugs, rate_nl_per_day=100_000)))
    bedside.wait(3 * SECONDS_PER_DAY)
    bedside.refill(FULL_NL, tuple((drug.name, drug.concentration_ng_per_ml) for drug in drugs))
    bedside.wait(2 * SECONDS_PER_DAY)
    dates = told(bedside).dates
    assert dates.stability_in_s == 12 * SECONDS_PER_DAY
    assert dates.low_in_s is not None
    assert dates.low_in_s > 100 * SECONDS_PER_DAY


# --- what goes wrong with a needle ----------------------------------------------------------------------------------


def test_what_no_syringe_gets_out_blends_with_what_is_filled_in() -> None:
    bedside = Bedside(PROFILE)
    bedside.refill(FULL_NL, (("baclofen", 500_000),))
    # The solvent that a pump comes with, or the last filling: 1.4 mL of 20 are always of the one before.
    true = bedside.pump.plant.reservoir.mixture.concentration_ng_per_ml("baclofen")
    assert true == Fraction(500_000 * (FULL_NL - RESIDUAL_NL), FULL_NL) == 465_000


def test_overfilled_it_holds_more_than_the_pump_can_be_told() -> None:
    bedside = Bedside(PROFILE)
    _, injected_nl = bedside.pump.syringe(0, 5_000_000, mixture_of(), bedside.now)
    assert (injected_nl, truly_nl(bedside)) == (RESERVOIR.overfill_max_nl, FULL_NL + RESERVOIR.overfill_max_nl)
    refill = begun(bedside)
    reply = bedside.commit_refill(refill.refill_id, refill.computed_nl, truly_nl(bedside))
    assert refused(reply) == Refusal(Reason.ABOVE_MAXIMUM, "volume_nl", detail=FULL_NL)


def test_a_pocket_fill_is_found_at_the_next_refill_and_not_before() -> None:
    """The needle is beside the port (FSN of 2011 and 2013): what the pump counts down is in the patient's tissue."""
    bedside = Bedside(PROFILE)
    bedside.wait(28 * SECONDS_PER_DAY)
    bedside.fault("pocket-fill", ppm=1_000_000)
    bedside.refill(FULL_NL, (BACLOFEN,))
    bedside.clear_faults()
    astray_nl = FULL_NL - truly_nl(bedside)
    truth = bedside.pump.truth()
    assert (truth["pocket_nl"], truth["believed_reservoir_nl"]) == (astray_nl, FULL_NL)
    assert astray_nl == FULL_NL - RESIDUAL_NL
    bedside.wait(10 * SECONDS_PER_DAY)
    assert (truly_nl(bedside), standing(bedside)) == (0, set()), "it runs dry, and no alarm knows"
    assert bedside.status().reservoir_nl == FULL_NL - 10 * A_DAY_NL
    bedside.refill(FULL_NL)
    assert told(bedside).discrepancy_nl == -(FULL_NL - 10 * A_DAY_NL)


def test_an_over_infusion_shows_as_a_residual_that_is_too_small() -> None:
    """No pump of this kind measures its flow; the refill is where it comes out (TGA RC-2016-RN-01458-1)."""
    bedside = Bedside(PROFILE)
    bedside.fault("gain-error", ppm=150_000)
    bedside.wait(20 * SECONDS_PER_DAY)
    refill = begun(bedside)
    more_nl = 20 * A_DAY_NL * 15 // 100
    assert refill.computed_nl - truly_nl(bedside) == more_nl
    granted(bedside.commit_refill(refill.refill_id, truly_nl(bedside), FULL_NL))
    assert told(bedside).discrepancy_nl == -more_nl
    assert standing(bedside) == set()
