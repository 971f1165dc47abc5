"""Priming and bridge: exactly what lies between reservoir and tip is moved, and the dose at the tip is what counts."""

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import CountersAnswer, PreparedBolus, ReadCounters, Reason, Refusal
from firmware_model.firmware.codes import BolusKind, Mode, OpState, ProgramWarning
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import Drug, Program
from firmware_model.firmware.schedule import Change
from firmware_model.plant.mixture import masses_fg
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY, ceil_div
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import changed, shipped

PROFILE: Final = changed(shipped("reference-20"), "reservoir", residual_nl=0)
"""With a reservoir that can be emptied wholly, so that a refill is of one concentration."""
STEP_NL = PROFILE.motor.step_volume_nl
CATHETER_NL = PROFILE.catheter.catheter_nl
PATH_NL = PROFILE.catheter.tubing_nl + CATHETER_NL
FASTEST_S = ceil_div(PATH_NL * SECONDS_PER_DAY, PROFILE.bolus.rate_max_nl_per_day)
HOUR_S = 3_600
WEAK, STRONG = Drug("baclofen", 500_000), Drug("baclofen", 2_000_000)
"""Nanograms per millilitre: 500 and 2,000 ug/mL."""
OLD_RATE, NEW_RATE = 480_000, 120_000
"""With either drug 240 ug a day."""


def programmed(drugs: tuple[Drug, ...] = (), rate: int = OLD_RATE, **values: int) -> Program:
    return new_program(PROFILE, drugs=drugs, rate_nl_per_day=rate, **{"catheter_nl": CATHETER_NL, **values})


def at_bedside(program: Program | None = None, profile: Profile = PROFILE) -> Bedside:
    bedside = Bedside(profile)
    granted(bedside.program(programmed() if program is None else program))
    return bedside


def prepared(bedside: Bedside, kind: BolusKind, volume_nl: int = 0, duration_s: int = 0) -> PreparedBolus:
    reply = bedside.prepare(volume_nl, duration_s, kind=kind)
    assert isinstance(reply, PreparedBolus), reply
    return reply


def begun(bedside: Bedside, kind: BolusKind, volume_nl: int = 0, duration_s: int = 0) -> PreparedBolus:
    lease = prepared(bedside, kind, volume_nl, duration_s)
    granted(bedside.execute(lease.bolus_id, lease.volume_nl, lease.duration_s))
    return lease


def counters(bedside: Bedside) -> CountersAnswer:
    reply = bedside.ask(ReadCounters())
    assert isinstance(reply, CountersAnswer), reply
    return reply


def steps(bedside: Bedside) -> int:
    return bedside.pump.plant.motor.steps


def at_tip_fg(bedside: Bedside) -> int:
    """All of the drug that has left the tip, whole femtograms."""
    return int(masses_fg(bedside.pump.plant.catheter.tip.portions()).get("baclofen", 0))


# --- priming --------------------------------------------------------------------------------------------------------


def test_a_new_pump_primes_tubing_and_catheter_as_fast_as_it_may() -> None:
    bedside = at_bedside()
    lease = begun(bedside, BolusKind.PRIMING)
    assert (lease.volume_nl, lease.duration_s) == (PATH_NL, FASTEST_S) == (418_000, 1_505)
    bedside.wait(FASTEST_S)
    assert steps(bedside) == PATH_NL // STEP_NL, "and no base rate beside it"
    ended = bedside.log()[-1]
    assert (ended.type, ended.detail["delivered_min_nl"]) == (LogType.BOLUS_ENDED, PATH_NL)


def test_a_path_that_has_been_primed_is_revised_at_its_catheter() -> None:
    """A revision implants a new catheter; the pump's tubing is still full of drug (CMSC 2015, CC13)."""
    bedside = at_bedside()
    begun(bedside, BolusKind.PRIMING)
    bedside.wait(FASTEST_S)
    assert prepared(bedside, BolusKind.PRIMING).volume_nl == CATHETER_NL
    assert prepared(bedside, BolusKind.PRIMING, PATH_NL).volume_nl == PATH_NL


def test_the_drug_stands_at_the_tip_when_priming_ends_and_not_one_step_sooner() -> None:
    bedside = at_bedside(programmed((WEAK,)))
    bedside.refill(20_000_000, (("baclofen", 500_000),))
    begun(bedside, BolusKind.PRIMING)
    bedside.wait(FASTEST_S)
    truth = bedside.pump.truth()
    assert (truth["tip_ng_per_ml"], truth["tip_fg"]) == ({"baclofen": 500_000}, {})
    bedside.wait(SECONDS_PER_DAY)
    assert at_tip_fg(bedside) == 500_000 * OLD_RATE


def test_the_catheter_that_counts_is_the_clinicians_figure() -> None:
    """With 10 uL less than there truly are, the drug stops that far before the tip: a dose late, and nobody sees it."""
    bedside = at_bedside(programmed((WEAK,), catheter_nl=CATHETER_NL - 10_000))
    bedside.refill(20_000_000, (("baclofen", 500_000),))
    bedside.wait(begun(bedside, BolusKind.PRIMING).duration_s)
    assert bedside.pump.truth()["next_at_tip_in_nl"] == 10_000


def test_without_a_catheters_volume_nobody_knows_what_fills_it() -> None:
    bedside = at_bedside(programmed(catheter_nl=0))
    assert refused(bedside.prepare(0, 0, kind=BolusKind.PRIMING)) == Refusal(Reason.CONDITIONS, "volume_nl")


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.integers(1, 600_000), st.integers(-30, 30).map(lambda more: PATH_NL + more), st.just(CATHETER_NL)),
    st.integers(0, 2 * PROFILE.bolus.dead_volume_duration_max_s),
)
def test_priming_takes_the_volumes_that_the_pump_computes_and_no_other(volume_nl: int, duration_s: int) -> None:
    reply = at_bedside().prepare(volume_nl, duration_s, kind=BolusKind.PRIMING)
    whole_nl = volume_nl - volume_nl % STEP_NL
    shortest_s = ceil_div(whole_nl * SECONDS_PER_DAY, PROFILE.bolus.rate_max_nl_per_day)
    longest_s = PROFILE.bolus.dead_volume_duration_max_s
    if whole_nl not in (PATH_NL, CATHETER_NL):
        assert refused(reply) == Refusal(Reason.NOT_AS_PREPARED, "volume_nl", detail=PATH_NL)
    elif duration_s > longest_s:
        assert refused(reply) == Refusal(Reason.ABOVE_MAXIMUM, "duration_s", detail=longest_s)
    elif 0 < duration_s < shortest_s:
        assert refused(reply) == Refusal(Reason.BELOW_MINIMUM, "duration_s", detail=shortest_s)
    else:
        assert isinstance(reply, PreparedBolus)
        assert (reply.volume_nl, reply.duration_s) == (whole_nl, duration_s or shortest_s)


# --- the account ----------------------------------------------------------------------------------------------------


def test_no_limit_of_doses_counts_it_and_it_has_an_account_of_its_own() -> None:
    bedside = at_bedside(programmed(bolus_volume_max_nl=10_000, window_max_nl=OLD_RATE + 10_000))
    begun(bedside, BolusKind.PRIMING)
    bedside.wait(FASTEST_S)
    assert bedside.prepared(10_000, 60).available_nl == 10_000, "the day's limit is still whole"
    told = counters(bedside)
    assert (told.dead_volume_nl, told.delivered_nl) == (PATH_NL, PATH_NL)
    assert bedside.status().reservoir_nl == PROFILE.reservoir.initial_volume_nl - PATH_NL
    bedside.wait(HOUR_S)
    assert counters(bedside).dead_volume_nl == PATH_NL


def test_it_takes_no_more_than_the_reservoir_has() -> None:
    bedside = at_bedside()
    left_nl = 100_000
    bedside.refill(PROFILE.reservoir.empty_nl + left_nl)
    assert refused(bedside.prepare(0, 0, kind=BolusKind.PRIMING)) == Refusal(
        Reason.RESERVOIR, "volume_nl", detail=left_nl
    )


def test_cancelled_in_the_middle_it_is_partial_and_the_path_counts_as_new() -> None:
    bedside = at_bedside()
    lease = begun(bedside, BolusKind.PRIMING, PATH_NL, 2 * HOUR_S)
    bedside.wait(HOUR_S)
    outcome = granted(bedside.cancel(lease.bolus_id))
    assert (outcome.target.min_nl, outcome.target.max_nl) == (PATH_NL // 2, PATH_NL // 2)
    assert counters(bedside).dead_volume_nl == PATH_NL // 2
    assert prepared(bedside, BolusKind.PRIMING).volume_nl == PATH_NL
    assert bedside.status().base_rate_nl_per_day == OLD_RATE


def test_a_reset_in_the_middle_ends_it_and_the_base_rate_goes_on() -> None:
    bedside = at_bedside()
    begun(bedside, BolusKind.PRIMING, PATH_NL, 2 * HOUR_S)
    bedside.wait(HOUR_S + 3)
    bedside.cut_power()
    bedside.restore_power()
    true_nl = steps(bedside) * STEP_NL
    (entry,) = (each for each in bedside.ops().entries if each.state is OpState.PARTIAL)
    assert entry.min_nl <= true_nl <= entry.max_nl
    assert counters(bedside).dead_volume_nl == entry.max_nl
    assert bedside.status().base_rate_nl_per_day == OLD_RATE
    bedside.wait(SECONDS_PER_DAY)
    assert steps(bedside) == true_nl // STEP_NL + OLD_RATE // STEP_NL


def test_the_base_rate_stands_still_and_takes_its_fraction_of_a_step_up_again() -> None:
    bedside = at_bedside()
    bedside.wait(2.5)
    assert steps(bedside) == 0
    begun(bedside, BolusKind.PRIMING, CATHETER_NL, HOUR_S)
    assert bedside.status().base_rate_nl_per_day == 0
    bedside.wait(HOUR_S)
    primed = CATHETER_NL // STEP_NL
    assert steps(bedside) == primed
    bedside.wait(2.4)
    assert (steps(bedside), STEP_NL * SECONDS_PER_DAY / OLD_RATE) == (primed + 1, 4.5)


# --- the bridge -----------------------------------------------------------------------------------------------------


def before_the_change(rate: int = OLD_RATE) -> Bedside:
    """A pump whose path is full of the weak drug, and whose reservoir has just been filled with the strong one."""
    bedside = at_bedside(programmed((WEAK,), rate))
    bedside.refill(20_000_000, (("baclofen", 500_000),))
    begun(bedside, BolusKind.PRIMING)
    bedside.wait(FASTEST_S)
    bedside.refill(20_000_000, (("baclofen", 2_000_000),))
    return bedside


def test_another_concentration_asks_for_a_bridge_of_path_and_old_rate() -> None:
    bedside = before_the_change()
    _, told = bedside.validated(programmed((STRONG,), NEW_RATE))
    assert told.warnings & ProgramWarning.BRIDGE_DUE
    granted(bedside.program(programmed((STRONG,), NEW_RATE)))
    lease = begun(bedside, BolusKind.BRIDGE)
    assert (lease.volume_nl, lease.duration_s) == (PATH_NL, PATH_NL * SECONDS_PER_DAY // OLD_RATE) == (418_000, 75_240)
    bedside.wait(lease.duration_s)
    assert bedside.status().base_rate_nl_per_day == NEW_RATE
    assert refused(bedside.prepare(0, 0, kind=BolusKind.BRIDGE)) == Refusal(Reason.CONDITIONS, "kind"), "only once"


def test_over_the_bridge_the_dose_at_the_tip_is_the_same_in_every_hour() -> None:
    bedside = before_the_change()
    granted(bedside.program(programmed((STRONG,), NEW_RATE)))
    begun(bedside, BolusKind.BRIDGE)
    start_fg, a_day_fg = at_tip_fg(bedside), 500_000 * OLD_RATE
    for hour in range(1, 72):
        bedside.wait(HOUR_S)
        given_fg = at_tip_fg(bedside) - start_fg
        assert abs(given_fg - a_day_fg * hour // 24) <= 2_000_000 * STEP_NL, "to one motor step of the strong drug"


def test_without_the_bridge_the_tip_gives_a_quarter_of_the_dose_for_three_days_and_a_half() -> None:
    bedside = before_the_change()
    granted(bedside.program(programmed((STRONG,), NEW_RATE)))
    start_fg, a_day_fg = at_tip_fg(bedside), 500_000 * OLD_RATE
    bedside.wait(3 * SECONDS_PER_DAY)
    assert at_tip_fg(bedside) - start_fg == 3 * a_day_fg // 4
    bedside.wait(SECONDS_PER_DAY)
    assert bedside.pump.truth()["tip_ng_per_ml"] == {"baclofen": 2_000_000}


def test_of_a_flex_week_the_bridge_keeps_the_mean() -> None:
    flex = programmed((WEAK,))
    days = ((Change(0, 240_000), Change(720, 480_000)),) * 6 + ((Change(0, 290_000),),)
    flex = new_program(PROFILE, drugs=(WEAK,), mode=Mode.FLEX, schedule=days, catheter_nl=CATHETER_NL)
    bedside = at_bedside(flex)
    granted(bedside.program(programmed((STRONG,), NEW_RATE)))
    mean = (6 * 360_000 + 290_000) // 7
    assert prepared(bedside, BolusKind.BRIDGE).duration_s == ceil_div(PATH_NL * SECONDS_PER_DAY, mean)


def test_nothing_but_what_is_computed_will_do() -> None:
    bedside = at_bedside(programmed((WEAK,)))
    granted(bedside.program(programmed((STRONG,), NEW_RATE)))
    for volume_nl in (CATHETER_NL, PATH_NL - STEP_NL, PATH_NL + STEP_NL):
        assert refused(bedside.prepare(volume_nl, 0, kind=BolusKind.BRIDGE)) == Refusal(
            Reason.NOT_AS_PREPARED, "volume_nl", detail=PATH_NL
        )
    for duration_s in (75_239, 75_241):
        assert refused(bedside.prepare(PATH_NL, duration_s, kind=BolusKind.BRIDGE)) == Refusal(
            Reason.NOT_AS_PREPARED, "duration_s", detail=75_240
        )
    assert prepared(bedside, BolusKind.BRIDGE, PATH_NL + STEP_NL - 1, 75_240).volume_nl == PATH_NL


@pytest.mark.parametrize("drugs", [(WEAK,), ()], ids=["the same drug", "a first drug"])
def test_without_another_concentration_there_is_no_bridge(drugs: tuple[Drug, ...]) -> None:
    """What a pump is first said to hold is no change: nobody knows what was in the path before."""
    bedside = at_bedside(programmed(drugs))
    granted(bedside.program(programmed((WEAK,), NEW_RATE)))
    assert refused(bedside.prepare(0, 0, kind=BolusKind.BRIDGE)) == Refusal(Reason.CONDITIONS, "kind")


def test_a_bridge_that_was_cut_short_is_still_due() -> None:
    bedside = at_bedside(programmed((WEAK,)))
    granted(bedside.program(programmed((STRONG,), NEW_RATE)))
    lease = begun(bedside, BolusKind.BRIDGE)
    bedside.wait(HOUR_S)
    granted(bedside.cancel(lease.bolus_id))
    assert prepared(bedside, BolusKind.BRIDGE).duration_s == 75_240
