"""The specification's generated parts are those of the tables."""

from pathlib import Path

import pytest

from protocol.export import markdown
from protocol.export.vectors import EXAMPLES
from protocol.messages.operations import OPERATIONS
from protocol.refusals import NakCode

SPECIFICATION = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"


def test_the_specification_is_current() -> None:
    text = SPECIFICATION.read_text(encoding="utf-8")
    assert markdown.refresh(text) == text, "run scripts/docs"
    for name in markdown.GENERATED:
        assert f"<!-- generated: {name} -->" in text


def test_refresh_replaces_only_what_stands_between_its_marks() -> None:
    text = "before\n<!-- generated: refusals -->\nold\n<!-- end: refusals -->\nafter\n"
    fresh = markdown.refresh(text)
    assert fresh.startswith("before\n<!-- generated: refusals -->\n\n| code |")
    assert fresh.endswith("|\n\n<!-- end: refusals -->\nafter\n")
    assert markdown.refresh(fresh) == fresh
    with pytest.raises(KeyError):
        markdown.refresh("<!-- generated: weather -->\n<!-- end: weather -->")


def test_there_is_one_example_of_every_message() -> None:
    wanted = {cls for operation in OPERATIONS for cls in (operation.request, operation.answer)}
    assert [type(example) for example in EXAMPLES if type(example) not in wanted] == []
    assert len(EXAMPLES) == len(wanted)


def test_every_operation_field_and_code_is_printed() -> None:
    operations = markdown.operations_markdown()
    assert all(f"#### {operation.opcode:04X} {operation.name}\n" in operations for operation in OPERATIONS)
    assert "Nothing is built yet" in operations
    assert all(f"| {code:02X} | {code.name} |" in markdown.refusals_markdown() for code in NakCode)
