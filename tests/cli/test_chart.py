"""A small picture: as high as the level, to an eighth of a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cli.chart import level_chart

HEIGHT_OF = {letter: height for height, letter in enumerate(" ▁▂▃▄▅▆▇█")}


def test_full_half_and_empty() -> None:
    assert level_chart([100, 50, 25, 0], full=100, rows=2) == ["█   ", "██▄ "]


@given(st.lists(st.integers(-5, 120), max_size=20), st.integers(1, 7))
def test_a_column_is_as_high_as_its_level(levels: list[int], rows: int) -> None:
    lines = level_chart(levels, full=100, rows=rows)
    assert len(lines) == rows
    for column, level in enumerate(levels):
        height = sum(HEIGHT_OF[line[column]] for line in lines)
        assert height == min(max(level, 0), 100) * rows * 8 // 100


@pytest.mark.parametrize(("full", "rows"), [(0, 3), (100, 0)])
def test_a_chart_without_room_is_refused(full: int, rows: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        level_chart([1], full, rows)
