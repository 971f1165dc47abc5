"""The pages that are made from the program's tables are what the program would make of them now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.cli.reference import command_line_page
from emulator.faults.arming import arming
from emulator.reference import MODEL_PARTS, PAGES
from emulator.specification import specification
from emulator.wire import FaultNames, operation_names
from protocol.export import markdown
from protocol.export.formats import FORMS
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS
from tests.pytest_plugin.page import PARTS as PYTEST_PARTS
from tests.repository import shown_files
from tests.wand_pump.page import WALKTHROUGH

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run scripts/docs"


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if form.file_name])
def test_a_description_for_other_tools_is_current(name: str) -> None:
    text = (ROOT / "docs" / "foreign" / FORMS[name].file_name).read_text(encoding="utf-8")
    assert text == FORMS[name].text(), "run scripts/docs"


def test_the_reference_of_the_command_line_is_current() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == command_line_page(), "run scripts/docs"


def test_the_specification_is_current() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert text == specification(text), "run scripts/docs"


def test_the_tables_of_the_pumps_page_are_current() -> None:
    text = (ROOT / "docs" / "pump-model.md").read_text(encoding="utf-8")
    assert text == markdown.refresh(text, MODEL_PARTS), "run scripts/docs"


def test_the_pages_for_users_of_pytest_are_current() -> None:
    pages = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("pytest.md", "strategies.md")]
    assert pages == [markdown.refresh(text, PYTEST_PARTS) for text in pages], "run scripts/docs"
    assert all(f"<!-- generated: {name} -->" in "".join(pages) for name in PYTEST_PARTS)


def test_the_files_that_pages_show_are_shown_as_they_are() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in shown_files.PAGES]
    assert texts == [markdown.refresh(text, shown_files.SHOWN) for text in texts], "run scripts/docs"
    assert all(any(f"<!-- generated: {name} -->" in text for text in texts) for name in shown_files.SHOWN)


def test_the_walkthrough_of_a_protocol_shows_every_file_of_its_package_as_it_is() -> None:
    text = (ROOT / "docs" / "your-own-protocol.md").read_text(encoding="utf-8")
    assert text == markdown.refresh(text, WALKTHROUGH), "run scripts/docs"
    assert all(f"<!-- generated: {name} -->" in text for name in WALKTHROUGH)


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_faults_that_a_page_shows_can_be_armed(page: Path) -> None:
    names = FaultNames(operation_names([row.name for row in OPERATIONS], [row.name for row in ANNOUNCEMENTS.values()]))
    for fault in re.findall(r"^ +vpump control fault '([^…']+)'", page.read_text(encoding="utf-8"), re.MULTILINE):
        arming(fault, names)
