"""Whoever types what the tutorial or a how-to page says, in its order, sees what it shows."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.console_pages import Person, Typed, fits, typed_in
from tests.end_to_end.product import ROOT, Commands, Home

PAGES = [page for page in sorted(ROOT.glob("docs/**/*.md")) if typed_in(page)]
FILES = [*ROOT.glob("docs/ci/*.py"), *ROOT.glob("docs/howto/*.toml")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_shows_what_happens(page: Path, commands: Commands, home: Home) -> None:
    for file in FILES:
        shutil.copy(file, home.directory)
    with contextlib.ExitStack() as terminals:
        person = Person(commands, home, terminals)
        for line in typed_in(page):
            person.types(line)
        person.leaves()


def test_the_workflow_file_runs_what_the_tutorial_tells(commands: Commands, home: Home) -> None:
    steps = yaml.safe_load((ROOT / "docs/ci/workflow.yml").read_text(encoding="utf-8"))["jobs"]["pump"]["steps"]
    run = {step["name"]: step["run"] for step in steps if "run" in step}
    assert run.pop("install") == "pip install 'vpump[testing]'"
    for file in FILES:
        shutil.copy(file, home.directory)
    with contextlib.ExitStack() as terminals:
        person = Person(commands, home, terminals)
        for command in run.values():
            person.types(Typed(command, shown=["…"]))
        person.leaves()
    assert {report.name for report in (home.directory / "results").iterdir()} == {"scenarios.xml", "tests.xml"}


def test_what_is_left_out_on_a_page_may_be_anything_and_nothing_else_may() -> None:
    assert fits(["one …", "…", "last"], "one and two\nmore\nand more\nlast\n")
    assert fits(["…", "last"], "last\n")
    assert not fits(["one …", "last"], "one and two\nmore\nlast\n")
    assert not fits(["one"], "one more\n")
