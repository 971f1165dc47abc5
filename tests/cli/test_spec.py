"""`vpump spec`: the protocol's descriptions for others, on the screen and in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main
from emulator.cli.spec import FORM_NAMES
from protocol.export.formats import FORMS


def spec(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["spec", *arguments])


def test_the_forms_on_the_command_line_are_those_that_there_are() -> None:
    assert tuple(FORMS) == FORM_NAMES


@pytest.mark.parametrize("form", FORM_NAMES)
def test_a_form_is_printed_or_written_as_it_is(form: str, tmp_path: Path) -> None:
    printed = spec("--format", form)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout == FORMS[form].text()
    assert printed.stdout.endswith("\n")
    file = tmp_path / "out"
    written = spec("--format", form, "--output", str(file))
    assert (written.exit_code, written.stdout) == (0, f"{file} has the protocol as {form}.\n")
    assert file.read_text(encoding="utf-8") == printed.stdout


@pytest.mark.parametrize("form", FORM_NAMES)
def test_json_is_one_document(form: str, tmp_path: Path) -> None:
    document = json.loads(spec("--format", form, "--json").stdout)
    if form == "vectors":
        assert document == json.loads(FORMS[form].text())
    else:
        assert document == {"format": form, "text": FORMS[form].text()}
    file = tmp_path / "out"
    told = json.loads(spec("--format", form, "--json", "-o", str(file)).stdout)
    assert told == {"format": form, "file": str(file), "bytes": file.stat().st_size}


def test_without_a_form_the_tables_for_people_are_printed() -> None:
    assert spec().stdout == FORMS["markdown"].text()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    result = spec("-o", str(tmp_path / "none" / "spec.md"))
    assert result.exit_code == 2
    assert "FILE" in result.stderr
    assert "cannot be written: No such file or directory." in result.stderr


def test_another_form_is_refused_with_those_that_there_are() -> None:
    result = spec("--format", "asn1")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in FORM_NAMES)
