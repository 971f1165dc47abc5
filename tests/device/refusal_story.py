"""A story of a refusal: what somebody does, what he is told by the wire, and what the specification says he is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from protocol.refusals import NO_FIELD, REFUSALS, Nak, NakCode

STORIES: dict[NakCode, list[str]] = {}
"""The stories of each code, by the names of their tests."""

Told = tuple[Nak, Nak]
"""The refusal as it came, and as it must be."""


def story(code: NakCode) -> Callable[[Callable[[], Told]], Callable[[], None]]:
    """A test that ends with this refusal, to the last word of it."""

    def tells(provoke: Callable[[], Told]) -> Callable[[], None]:
        STORIES.setdefault(code, []).append(provoke.__name__)

        @wraps(provoke)
        def test() -> None:
            told, expected = provoke()
            assert told == expected, f"{told}, and not {expected}"
            assert told.code is code
            check_words(told)

        # Of the story itself, which gives what was told, the test must not look like one.
        del test.__wrapped__
        return test

    return tells


def check_words(told: Nak) -> None:
    """A NAK holds no number that the table of codes does not explain, and misses none that it promises."""
    row = REFUSALS[told.code]
    assert bool(told.detail) == bool(row.detail), f"{told}: its detail is to be '{row.detail}'"
    assert not told.element or "element" in row.meaning or told.field != NO_FIELD, told
