"""The specification's generated parts are those of the tables."""

import re
from pathlib import Path

import pytest

from protocol.channel import Direction, Opener
from protocol.export import markdown
from protocol.export.examples import EXAMPLES, HANDSHAKE, ROLE_KEY, SESSION_ID, answer_wire
from protocol.export.vectors import CHECK_VECTORS
from protocol.fields import encode
from protocol.frame import parse_body
from protocol.framing import StreamReader
from protocol.keys import session_keys
from protocol.messages.link import AuthAnswer
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS
from protocol.refusals import OK, NakCode
from tests.protocol.message_strategies import ANSWERS, EVENTS, REDUCED, REQUESTS

SPECIFICATION = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"


@pytest.mark.parametrize("name", markdown.GENERATED)
def test_the_specification_is_current(name: str) -> None:
    text = SPECIFICATION.read_text(encoding="utf-8")
    (part,) = re.findall(rf"<!-- generated: {name} -->\n(.*?)<!-- end: {name} -->", text, re.DOTALL)
    assert part == f"\n{markdown.GENERATED[name]()}\n\n", "run scripts/docs"


def test_refresh_replaces_only_what_stands_between_its_marks() -> None:
    text = "before\n<!-- generated: refusals -->\nold\n<!-- end: refusals -->\nafter\n"
    fresh = markdown.refresh(text)
    assert fresh.startswith("before\n<!-- generated: refusals -->\n\n| code |")
    assert fresh.endswith("|\n\n<!-- end: refusals -->\nafter\n")
    assert markdown.refresh(fresh) == fresh
    weather = "<!-- generated: weather -->\n<!-- end: weather -->"
    with pytest.raises(KeyError):
        markdown.refresh(weather)
    sunny = markdown.refresh(weather, {"weather": lambda: "sun"})
    assert sunny == "<!-- generated: weather -->\n\nsun\n\n<!-- end: weather -->"


def test_there_is_one_example_of_every_message() -> None:
    wanted = [*REQUESTS, *ANSWERS, *EVENTS]
    assert sorted(wanted, key=repr) == sorted((type(example) for example in EXAMPLES), key=repr)


def test_the_answer_to_auth_opens_with_the_keys_of_the_example() -> None:
    (answer,) = (example for example in EXAMPLES if isinstance(example, AuthAnswer))
    (piece,) = StreamReader().feed(answer_wire(answer))
    frame = parse_body(piece.body or b"")
    assert frame.session_id == SESSION_ID
    opened = Opener(session_keys(ROLE_KEY, HANDSHAKE), Direction.PUMP_TO_HOST).open(frame)
    assert opened == bytes((OK,)) + encode(answer)


def test_every_operation_field_and_code_is_printed() -> None:
    operations = markdown.operations_markdown()
    assert all(f"#### {operation.opcode:04X} {operation.name}\n" in operations for operation in OPERATIONS)
    assert all(f"#### {row.opcode:04X} {row.name}\n" in operations for row in ANNOUNCEMENTS.values())
    assert all(f"| {code:02X} | {code.name} |" in markdown.refusals_markdown() for code in NakCode)


def test_an_operation_says_who_may_ask_for_it() -> None:
    operations = markdown.operations_markdown()
    assert (
        "*Effect: link; outside the sequence; roles: reader, patient, clinician; also without a session.*" in operations
    )
    assert "*Effect: link; outside the sequence; only without a session.*" in operations
    assert "*Effect: alarm; in sequence; roles: patient, clinician.*" in operations
    assert "*Effect: therapy; outside the sequence; roles: clinician.*" in operations


def test_the_table_of_access_has_a_row_for_each_operation_and_a_column_for_each_state() -> None:
    table = markdown.access_markdown()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines() if line.startswith("| ")}
    assert rows["operation"].endswith("| running | bolus | stopped | idle | held | failed |")
    assert set(rows) >= {operation.name for operation in OPERATIONS}
    assert rows["START"].endswith("| clinician | NAK 34 | NAK AB | NAK AB | allowed | NAK 22 | NAK AC | NAK 72 |")
    assert rows["OPEN"] == "| OPEN | none | yes |" + " allowed |" * 6
    assert rows["PATIENT_BOLUS"].startswith("| PATIENT_BOLUS | patient | NAK 34 |")
    assert rows["held"] == "| held | stopped, and an alarm that forbids flow stands |"


def test_blocks_blobs_places_and_reduced_answers_are_printed() -> None:
    blocks = markdown.blocks_markdown()
    assert "**2 INFUSION**: InfusionBlock, 17 bytes, at offset 110 of the canonical image" in blocks
    assert "| 0 | 0 | `drugs` | 5 x DrugEntry |  |  | five places, used or empty |" in blocks
    assert "Each DrugEntry, 22 bytes. A place for a drug; one whose name is empty" in blocks
    operations = markdown.operations_markdown()
    assert "| 3 | 7 | `data` | u8 count, bytes | bytes | at most 192 |" in operations
    assert operations.count("Answer without a session, after the result byte 0F:") == len(REDUCED)


def test_every_check_vector_is_printed() -> None:
    vectors = markdown.vectors_markdown()
    assert all(f"{vector.title}\n  body {vector.body.hex(' ')}\n" in vectors for vector in CHECK_VECTORS)
