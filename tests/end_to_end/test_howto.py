"""Whoever types what a how-to page says, in its order, sees what it shows."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.end_to_end.console_pages import Person, fits, typed_in
from tests.end_to_end.product import ROOT, Commands, Home

PAGES = [page for page in sorted(ROOT.glob("docs/howto/*.md")) if typed_in(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_shows_what_happens(page: Path, commands: Commands, home: Home) -> None:
    with contextlib.ExitStack() as terminals:
        person = Person(commands, home, terminals)
        for line in typed_in(page):
            person.types(line)
        person.leaves()


def test_what_is_left_out_on_a_page_may_be_anything_and_nothing_else_may() -> None:
    assert fits(["one …", "…", "last"], "one and two\nmore\nand more\nlast\n")
    assert fits(["…", "last"], "last\n")
    assert not fits(["one …", "last"], "one and two\nmore\nlast\n")
    assert not fits(["one"], "one more\n")
