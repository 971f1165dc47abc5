"""A small picture of a level over time, in characters."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_WHOLE = len(_EIGHTHS) - 1


def level_chart(levels: Sequence[int], full: int, rows: int) -> list[str]:
    """Lines of characters, top first, a column for each level between 0 and `full`; heights to an eighth of a row."""
    if full <= 0 or rows <= 0:
        raise ValueError(f"a chart needs a full level and rows above zero, not {full} and {rows}")
    eighths = [min(max(level, 0), full) * rows * _WHOLE // full for level in levels]
    return [
        "".join(_EIGHTHS[min(max(height - row * _WHOLE, 0), _WHOLE)] for height in eighths)
        for row in range(rows - 1, -1, -1)
    ]
