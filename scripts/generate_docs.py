"""Writes the generated parts of the documents anew; `--check` only says which are not current."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.cli.reference import command_line_page
from emulator.control.openapi import openapi_text
from emulator.control.operations import OPERATIONS
from emulator.control.reference import CONTROL_PARTS
from emulator.reference import MODEL_PARTS, PAGES
from emulator.scenario import pages as scenario_pages
from emulator.specification import specification
from protocol.export import markdown
from protocol.export.formats import FORMS
from tests.firmware_model.invariants.page import invariants_page
from tests.pytest_plugin.page import PARTS as PYTEST_PARTS
from tests.repository import shown_files
from tests.wand_pump.page import WALKTHROUGH

ROOT = Path(__file__).resolve().parent.parent


def _whole(page: Callable[[], str]) -> Callable[[str], str]:
    """A page that is generated from its first line to its last."""
    return lambda _present: page()


# Each document, and what makes its current text from its present one.
DOCUMENTS: Mapping[str, Callable[[str], str]] = {
    "docs/protocol.md": specification,
    "docs/pump-model.md": lambda present: markdown.refresh(present, MODEL_PARTS),
    "docs/control.md": lambda present: markdown.refresh(present, CONTROL_PARTS),
    "docs/openapi.json": _whole(lambda: openapi_text(OPERATIONS)),
    "docs/your-own-protocol.md": lambda present: markdown.refresh(present, WALKTHROUGH),
    "docs/pytest.md": lambda present: markdown.refresh(present, PYTEST_PARTS),
    **{name: lambda present: markdown.refresh(present, shown_files.SHOWN) for name in shown_files.PAGES},
    "docs/cli.md": _whole(command_line_page),
    "docs/strategies.md": lambda present: markdown.refresh(present, PYTEST_PARTS),
    "docs/invariants.md": _whole(invariants_page),
    "docs/scenarios.md": lambda present: markdown.refresh(present, scenario_pages.PARTS),
    **{name: _whole(page) for name, page in (*PAGES.items(), *scenario_pages.PAGES.items())},
    **{f"docs/foreign/{form.file_name}": _whole(form.text) for form in FORMS.values() if form.file_name},
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if one is not current")
    arguments = parser.parse_args()
    stale = []
    for name, current_text in DOCUMENTS.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        current = current_text(text)
        if current == text:
            continue
        stale.append(name)
        if not arguments.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(current, encoding="utf-8")
    for name in stale:
        print(f"{name}: not current; run scripts/docs" if arguments.check else f"{name}: written")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
