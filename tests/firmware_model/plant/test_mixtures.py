"""Mixtures: exact ratios, equal when they are the same fluid, and no femtogram lost in any blend."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.plant.mixture import (
    CSF,
    POOL_MIXTURES_MAX,
    RATIO_BITS_MAX,
    Mixture,
    Pool,
    Portion,
    blend,
    masses_fg,
    mixture_of,
)
from firmware_model.state import canonical

_concentrations = st.one_of(st.just(0), st.integers(0, 100_000_000))
_mixtures = st.dictionaries(st.sampled_from(["baclofen", "clonidine", "morphine"]), _concentrations).map(
    lambda drugs: mixture_of(*drugs.items())
)
_portions = st.tuples(st.integers(0, 20_000_000), _mixtures)
_some_portions = st.lists(_portions, min_size=1, max_size=6).filter(lambda portions: any(v for v, _ in portions))


def test_ten_millilitres_at_two_milligrams_hold_twenty_milligrams() -> None:
    baclofen = mixture_of(("baclofen", 2_000_000))
    assert masses_fg([(10_000_000, baclofen)]) == {"baclofen": 20_000_000_000_000}
    assert baclofen.concentration_ng_per_ml("baclofen") == 2_000_000
    assert baclofen.concentration_ng_per_ml("morphine") == 0


def test_a_refill_on_a_residual_makes_a_ratio_that_no_decimal_can_say() -> None:
    """1.4 mL of 20 mg/mL stay behind, 18.6 mL of 10 mg/mL come on top: 10.7 mg/mL; with 18.7 mL it has no end."""
    old, new = mixture_of(("morphine", 20_000_000)), mixture_of(("morphine", 10_000_000))
    even = blend((1_400_000, old), (18_600_000, new))
    assert even == mixture_of(("morphine", 10_700_000))
    odd = blend((1_400_000, old), (18_700_000, new))
    assert odd.concentration_ng_per_ml("morphine") == Fraction(215_000_000_000_000, 20_100_000)
    assert odd.concentration_ng_per_ml("morphine").denominator == 201


@given(_some_portions)
def test_a_blend_holds_the_masses_of_its_portions(portions: list[Portion]) -> None:
    together = blend(*portions)
    assert masses_fg([(sum(volume for volume, _ in portions), together)]) == masses_fg(portions)


@given(_some_portions, st.randoms(use_true_random=False), st.data())
def test_neither_order_nor_grouping_makes_another_blend(
    portions: list[Portion], chance: Random, data: st.DataObject
) -> None:
    together = blend(*portions)
    shuffled = list(portions)
    chance.shuffle(shuffled)
    place = data.draw(st.integers(0, len(shuffled)))
    groups = [group for group in (shuffled[:place], shuffled[place:]) if sum(volume for volume, _ in group)]
    again = blend(*((sum(volume for volume, _ in group), blend(*group)) for group in groups))
    assert again == together
    assert canonical(again) == canonical(together)


@given(_mixtures, st.lists(st.integers(0, 10**7), min_size=1).filter(any))
def test_like_with_like_stays_as_it_is(mixture: Mixture, volumes: list[int]) -> None:
    assert blend(*((volume, mixture) for volume in volumes)) == mixture


def test_what_holds_no_drug_is_the_solvent() -> None:
    assert mixture_of() == mixture_of(("morphine", 0)) == blend((5, CSF), (0, mixture_of(("morphine", 9)))) == CSF


@pytest.mark.parametrize(
    ("drugs", "complaint"),
    [((("a", 1), ("a", 2)), "a drug is named twice"), ((("a", -1),), "a concentration is negative")],
)
def test_drugs_that_make_no_mixture(drugs: tuple[tuple[str, int], ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        mixture_of(*drugs)


@pytest.mark.parametrize(
    ("portions", "complaint"),
    [([(1, CSF), (-1, CSF)], "a volume is negative"), ([], "nothing to blend"), ([(0, CSF)], "nothing to blend")],
)
def test_portions_that_make_no_blend(portions: list[Portion], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        blend(*portions)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 40)), max_size=60))
def test_a_pool_is_bounded_and_forgets_no_mass(inflow: list[tuple[int, int]]) -> None:
    portions = [(volume, mixture_of(("morphine", concentration))) for volume, concentration in inflow]
    pool = Pool()
    for portion in portions:
        pool.add(*portion)
    assert len(pool.plugs) <= POOL_MIXTURES_MAX
    assert pool.volume_nl == sum(volume for volume, _ in portions)
    assert masses_fg(pool.portions()) == masses_fg(portions)


def test_a_pool_tells_the_latest_mixtures_apart_and_blends_the_oldest() -> None:
    mixtures = [mixture_of(("morphine", 1_000 + number)) for number in range(POOL_MIXTURES_MAX + 1)]
    pool = Pool()
    for mixture in mixtures[:-1]:
        pool.add(10, mixture)
    pool.add(1, mixtures[0])
    assert pool.portions() == [(10, mixture) for mixture in mixtures[1:-1]] + [(11, mixtures[0])]
    pool.add(10, mixtures[-1])
    earlier = (20, blend((10, mixtures[1]), (10, mixtures[2])))
    later = [(10, mixture) for mixture in mixtures[3:-1]]
    assert pool.portions() == [earlier, *later, (11, mixtures[0]), (10, mixtures[-1])]


def test_however_often_unlike_mixtures_are_blended_the_numbers_stay_bounded_and_right() -> None:
    """Refills of ever other concentrations on a residual that is never the same, beside exact fractions."""
    exact, short, mixture = Fraction(20_000_000), Fraction(0), mixture_of(("morphine", 20_000_000))
    for refill in range(200):
        residual_nl, injected_nl, concentration = 1_400_003 + 77 * refill, 18_600_001, 10_000_019 + refill
        exact = (residual_nl * exact + injected_nl * concentration) / (residual_nl + injected_nl)
        mixture = blend((residual_nl, mixture), (injected_nl, mixture_of(("morphine", concentration))))
        assert mixture.volume_nl.bit_length() <= RATIO_BITS_MAX
        short = exact - mixture.concentration_ng_per_ml("morphine")
        assert 0 <= short < Fraction(1, 2 ** (RATIO_BITS_MAX - 2))
        assert refill >= 40 or short == 0
    assert short > 0
    assert len(canonical(mixture)) < 400
