"""Quantities in expectations: written with a unit, kept in the model's, and shown as they can be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.quantities import MAX_VOLUME_NL
from emulator.scenario.subjects import SubjectError, quantity, shown

AMOUNTS = st.integers(-MAX_VOLUME_NL, MAX_VOLUME_NL)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("told.delivered_nl", "20uL", 20_000),
        ("told.discrepancy_nl", "-8mL", -8_000_000),
        ("truth.tip_fg.baclofen", "5ug", 5 * 10**9),
        ("told.concentration_ng_per_ml", "500ug/mL", 500_000),
        ("belief.base_rate_nl_per_day", "0.62mL/day", 620_000),
        ("run.elapsed_us", "2h", 7_200_000_000),
        ("log.last.detail.duration_s", "2h", 7_200),
        ("told.outcome", "20uL", "20uL"),
        ("told.motor_steps", 20, 20),
    ],
)
def test_a_quantity_has_the_unit_of_its_field(name: str, text: str | int, value: object) -> None:
    assert quantity(name, text) == value


@given(st.sampled_from(["told.delivered_nl", "truth.tip_fg.baclofen", "truth.pocket_nl"]), AMOUNTS)
def test_what_is_shown_can_be_written(name: str, value: int) -> None:
    assert quantity(name, shown(name, value)) == value


def test_a_second_is_not_divided() -> None:
    with pytest.raises(SubjectError, match="no whole number of seconds"):
        quantity("log.last.detail.duration_s", "1500ms")
