"""The reservoir: what goes in and out of it, and what it then holds."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.plant.mixture import CSF, Mixture, Portion, masses_fg, mixture_of
from firmware_model.plant.reservoir import Reservoir

STRONG, WEAK = mixture_of(("morphine", 20_000_000)), mixture_of(("clonidine", 50_000), ("morphine", 9_000_000))
ML = 1_000_000

_volumes = st.integers(0, 25 * ML)
_deeds = st.tuples(
    st.sampled_from(["draw", "withdraw", "inject", "absorb"]), _volumes, st.sampled_from([CSF, STRONG, WEAK])
)


def filled(volume_nl: int, mixture: Mixture = STRONG) -> Reservoir:
    return Reservoir(volume_nl, mixture, capacity_nl=20 * ML, residual_nl=1_400_000, overfill_max_nl=2 * ML)


@given(st.integers(0, 22 * ML), st.lists(_deeds, max_size=12))
def test_what_came_is_what_went_and_what_is_left(volume_nl: int, deeds: list[tuple[str, int, Mixture]]) -> None:
    reservoir = filled(volume_nl)
    came: list[Portion] = [(volume_nl, STRONG)]
    went: list[Portion] = []
    for deed, asked_nl, mixture in deeds:
        held_nl, held = reservoir.volume_nl, reservoir.mixture
        match deed:
            case "draw":
                went.append((reservoir.draw(asked_nl), held))
                assert went[-1][0] == min(asked_nl, held_nl)
            case "withdraw":
                went.append((reservoir.withdraw(asked_nl), held))
                assert went[-1][0] == max(0, min(asked_nl, held_nl - reservoir.residual_nl))
            case "inject":
                came.append((reservoir.inject(asked_nl, mixture), mixture))
                assert came[-1][0] == max(0, min(asked_nl, 22 * ML - held_nl))
            case _:
                reservoir.absorb(asked_nl, mixture)
                came.append((asked_nl, mixture))
        assert reservoir.overfilled == (reservoir.volume_nl > 20 * ML)
        left = (reservoir.volume_nl, reservoir.mixture)
        assert sum(volume for volume, _ in came) == sum(volume for volume, _ in [*went, left])
        assert masses_fg(came) == masses_fg([*went, left])


def test_a_refill_of_another_concentration_begins_with_what_the_syringe_left() -> None:
    """20 mg/mL were in it; the syringe leaves 1.4 mL behind, and 18.6 mL of 10 mg/mL come on top of them."""
    reservoir = filled(6 * ML)
    assert reservoir.withdraw(20 * ML) == 4_600_000
    assert reservoir.inject(18_600_000, mixture_of(("morphine", 10_000_000))) == 18_600_000
    assert reservoir.volume_nl == 20 * ML
    assert reservoir.mixture.concentration_ng_per_ml("morphine") == 10_700_000


def test_rinsing_leaves_a_trace_that_is_known_exactly() -> None:
    """Three rinses with 2 mL, as before ziconotide: each time 1.4 of 3.4 mL stay."""
    reservoir = filled(1_400_000)
    for _ in range(3):
        reservoir.inject(2 * ML, CSF)
        reservoir.withdraw(20 * ML)
    assert reservoir.mixture.concentration_ng_per_ml("morphine") == 20_000_000 * Fraction(14, 34) ** 3


def test_too_much_is_possible_and_far_too_much_is_not() -> None:
    reservoir = filled(1_400_000)
    seen = [(reservoir.inject(volume_nl, STRONG), reservoir.overfilled) for volume_nl in (18_600_000, 5 * ML, 1)]
    assert seen == [(18_600_000, False), (2 * ML, True), (0, True)]


def test_the_motor_draws_what_no_syringe_reaches() -> None:
    reservoir = filled(1_000_000)
    assert reservoir.withdraw(5) == 0
    assert reservoir.draw(2 * ML) == 1_000_000
    assert reservoir.draw(1) == 0
    reservoir.absorb(10, WEAK)
    assert (reservoir.volume_nl, reservoir.mixture) == (10, WEAK)


@pytest.mark.parametrize(
    "deed",
    [
        lambda reservoir: reservoir.draw(-1),
        lambda reservoir: reservoir.withdraw(-1),
        lambda reservoir: reservoir.inject(-1, CSF),
        lambda reservoir: reservoir.absorb(-1, CSF),
    ],
    ids=["draw", "withdraw", "inject", "absorb"],
)
def test_a_negative_volume_is_refused_and_changes_nothing(deed: Callable[[Reservoir], object]) -> None:
    reservoir = filled(5)
    with pytest.raises(ValueError, match=r"^a volume of -1 nl is negative$"):
        deed(reservoir)
    assert reservoir == filled(5)
