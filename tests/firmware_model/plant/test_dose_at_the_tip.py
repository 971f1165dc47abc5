"""What the patient gets, told as stories: the dose is what leaves the tip, hours or days after what left the pump.

The pump's tubing holds 240 uL. The catheter is that of the Prometra: 110 cm of 2.6 uL each, of which 40 cm were
trimmed away at implantation, so 182 uL; the path from pump to tip is 422 uL long.
"""

from fractions import Fraction

from firmware_model.plant.catheter import Catheter
from firmware_model.plant.mixture import CSF, Mixture, masses_fg, mixture_of
from firmware_model.plant.reservoir import Reservoir

OLD = mixture_of(("morphine", 20_000_000))
NEW = mixture_of(("morphine", 10_000_000))
BACLOFEN = mixture_of(("baclofen", 2_000_000))
TUBING_NL, CATHETER_NL = 240_000, 182_000
MG = 10**12
"""Femtograms."""


def implanted(mixture: Mixture) -> Catheter:
    path = Catheter.filled(TUBING_NL, 110 * 2_600, mixture, compliance_nl=5_000)
    path.cut(40 * 2_600)
    assert path.path_nl == TUBING_NL + CATHETER_NL == 422_000
    return path


def dose_mg(path: Catheter, drug: str = "morphine") -> Fraction:
    """What has left the tip so far."""
    return masses_fg(path.tip.portions()).get(drug, Fraction(0)) / MG


def daily_doses_mg(path: Catheter, mixture: Mixture, rates_nl_per_day: list[int]) -> list[Fraction]:
    """What leaves the tip on each of these days."""
    doses = []
    for rate_nl in rates_nl_per_day:
        before = dose_mg(path)
        path.push(rate_nl, mixture)
        doses.append(dose_mg(path) - before)
    return doses


def test_a_new_pump_gives_nothing_until_tubing_and_catheter_are_primed() -> None:
    path = implanted(CSF)
    path.push(1, BACLOFEN)
    assert path.next_change_nl() == 421_999, "so far the drug has come one nanolitre into the tubing"
    path.push(421_999, BACLOFEN)
    assert dose_mg(path, "baclofen") == 0, "the priming bolus of 422 uL brings the drug to the tip, and not beyond"
    assert path.next_change_nl() is None
    path.push(1_000, BACLOFEN)
    assert dose_mg(path, "baclofen") == Fraction(2, 1_000), "from here on a microlitre is 2 ug"
    assert path.tip.portions() == [(422_000, CSF), (1_000, BACLOFEN)]


def test_without_a_bridge_the_old_drug_ahead_of_the_new_is_given_at_the_new_rate() -> None:
    """8 mg a day of 20 mg/mL were 400 uL a day; with 10 mg/mL they are 800 uL, and the path still holds 20 mg/mL.

    The first 422 uL of the new rate carry 8.44 mg instead of 4.22 mg, in 12 h 40 min.
    """
    path = implanted(OLD)
    assert daily_doses_mg(path, OLD, [400_000]) == [8]
    path.push(0, NEW)
    assert daily_doses_mg(path, NEW, [422_000, 378_000, 800_000]) == [Fraction("8.44"), Fraction("3.78"), 8]


def test_a_bridge_bolus_of_the_path_at_the_old_rate_keeps_the_dose() -> None:
    """422 uL at 400 uL a day take 25 h 19 min 12 s; on the second day the rate changes just as the new drug arrives."""
    path = implanted(OLD)
    bridge_s = Fraction(path.path_nl * 86_400, 400_000)
    assert bridge_s == 25 * 3_600 + 19 * 60 + 12
    rest_of_the_day_nl = 800_000 * (2 * 86_400 - bridge_s) / 86_400
    second_day_nl = [22_000, int(rest_of_the_day_nl)]
    first, *second, third = daily_doses_mg(path, NEW, [400_000, *second_day_nl, 800_000])
    assert [first, sum(second, Fraction(0)), third] == [8, 8, 8]
    assert path.tip.portions() == [(422_000, OLD), (756_000 + 800_000, NEW)]


def test_drug_that_a_syringe_could_not_withdraw_reaches_the_tip_behind_the_old_and_weakens_no_dose() -> None:
    """1.4 mL of 20 mg/mL stay in the reservoir under 18.6 mL of 10 mg/mL: what comes after the path is 10.7 mg/mL."""
    reservoir = Reservoir(3_000_000, OLD, capacity_nl=20_000_000, residual_nl=1_400_000, overfill_max_nl=2_000_000)
    path = implanted(OLD)
    assert reservoir.withdraw(20_000_000) == 1_600_000
    reservoir.inject(18_600_000, NEW)
    doses = []
    for _ in range(3):
        before = dose_mg(path)
        path.push(reservoir.draw(211_000), reservoir.mixture)
        doses.append(dose_mg(path) - before)
    assert doses == [Fraction("4.22"), Fraction("4.22"), 211_000 * Fraction(10_700_000) / MG]


def test_a_revision_leaves_drug_in_the_tubing_so_only_the_catheter_is_primed() -> None:
    path = implanted(BACLOFEN)
    path.replace(CATHETER_NL)
    assert path.spilled.portions() == [(40 * 2_600 + CATHETER_NL, BACLOFEN)]
    assert path.next_change_nl() == CATHETER_NL
    path.push(CATHETER_NL, BACLOFEN)
    assert dose_mg(path, "baclofen") == 0
    path.push(10_000, BACLOFEN)
    assert dose_mg(path, "baclofen") == Fraction(20, 1_000)


def test_priming_the_whole_path_after_a_revision_is_an_overdose() -> None:
    """What the tubing holds is given at once: 240 uL of 2 mg/mL."""
    path = implanted(BACLOFEN)
    path.replace(CATHETER_NL)
    path.push(path.path_nl, BACLOFEN)
    assert dose_mg(path, "baclofen") == Fraction("0.48")


def test_a_kink_withholds_and_its_release_gives_a_bolus_of_the_drug_at_the_tip() -> None:
    path = implanted(OLD)
    path.occlude()
    assert path.push(4_000, NEW) == 4_000
    assert path.push(4_000, NEW) == 1_000, "5 uL stretch the path; then the rotor stands"
    assert dose_mg(path) == 0
    path.release()
    assert dose_mg(path) == Fraction(5_000 * 20, 10**6), "100 ug of the old drug, and not of the new"
    assert path.next_change_nl() == 417_000


def test_with_a_leak_of_a_fifth_the_pump_meters_all_and_the_patient_gets_less() -> None:
    path = implanted(OLD)
    path.leak(200_000)
    assert daily_doses_mg(path, OLD, [400_000]) == [Fraction("6.4")]
    assert masses_fg(path.pocket.portions()) == {"morphine": Fraction("1.6") * MG}
