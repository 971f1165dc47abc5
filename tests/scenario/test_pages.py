"""The pages of scenarios are current, and there is one of each."""

from __future__ import annotations

import re
from pathlib import Path

from emulator.scenario.batch import fault_names
from emulator.scenario.pages import FOLDER, PAGES, PARTS
from emulator.scenario.reading import read_scenario
from protocol.export import markdown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scenarios.md"


def test_every_scenario_has_its_page_and_every_page_its_scenario() -> None:
    assert {f"{FOLDER}/{path.name}" for path in (ROOT / FOLDER).iterdir()} == set(PAGES), "run scripts/docs"
    for name, page in PAGES.items():
        assert (ROOT / name).read_text(encoding="utf-8") == page(), "run scripts/docs"


def test_the_tables_of_the_page_of_all_scenarios_are_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == markdown.refresh(text, PARTS), "run scripts/docs"
    assert all(f"<!-- generated: {name} -->" in text for name in PARTS)


def test_the_example_of_the_page_is_a_scenario() -> None:
    (example,) = re.findall(r"```toml\n(title.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert read_scenario("example.toml", example.encode(), fault_names()).fails == ("one-bolus",)
