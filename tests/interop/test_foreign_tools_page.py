"""docs/foreign-tools.md: its programs print what it says, and it names what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from protocol.export.formats import FORMS
from protocol.export.vector_document import vectors_json
from protocol.framing import LineFault
from tests.interop.kaitai_parsers import DEADLINE_S, MODULES, Parsers, missing

PAGE = (Path(__file__).parents[2] / "docs" / "foreign-tools.md").read_text(encoding="utf-8")


def program(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert isinstance(text, str)
    return text


@pytest.fixture(scope="module")
def parsers() -> Parsers:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return Parsers()


def test_the_program_in_python_prints_what_the_page_says(parsers: Parsers, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(program("python"), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(parsers.directory)}
    done = subprocess.run(
        (sys.executable, str(script)), env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout == "above_maximum 1000000\n-90\n"
    assert "It prints `above_maximum 1000000` and `-90`." in PAGE


def test_the_program_in_javascript_prints_what_the_page_says(parsers: Parsers, tmp_path: Path) -> None:
    script = tmp_path / "example.cjs"
    (tmp_path / "Vpump.js").write_bytes((parsers.directory / "Vpump.cjs").read_bytes())
    script.write_text(program("js"), encoding="utf-8")
    environment = os.environ | {"NODE_PATH": str(MODULES)}
    done = subprocess.run(
        ("node", str(script)), env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout == "ABOVE_MAXIMUM 1000000\n"
    assert "It prints `ABOVE_MAXIMUM 1000000`." in PAGE


def test_it_names_every_section_of_the_vectors_and_every_file() -> None:
    sections = [name for name, value in json.loads(vectors_json()).items() if isinstance(value, list)]
    table = PAGE.split("## Test vectors")[1].split("## Kaitai")[0]
    assert [name for name in sections if f"`{name}`" not in table] == []
    assert [
        form.file_name for form in FORMS.values() if f"(foreign/{form.file_name})" not in PAGE and form.file_name
    ] == []


def test_every_filter_that_it_names_is_one_of_the_dissector() -> None:
    dissector = FORMS["lua"].text()
    declared = set(re.findall(r'(?:"vpump\.|expert_on\(")([a-z0-9_.]+)"', dissector))
    declared |= {f"rejected.{fault.value}" for fault in LineFault}
    named = set(re.findall(r"\bvpump\.([a-z0-9_.]+)", PAGE.split("## Wireshark")[1])) - {"lua", "pcapng", "rejected"}
    # Those of messages are put together from the names of types and fields.
    messages = {name for name in named if name.count(".") == 1 and not name.startswith("rejected.")}
    assert named - messages <= declared
    for name in messages:
        type_name, field = name.split(".")
        assert re.search(rf"^    {type_name} = {{.*?name = \"{field}\"", dissector, re.DOTALL | re.MULTILINE), name
