"""The recipes of docs/recipes.md, followed to the letter: each difference is applied to a copy, and its story told.

So an addition is as many places as the page shows, and not one more.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
COPIED = ("firmware_model", "protocol", "emulator", "tests/firmware_model")
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

MODEL = ("firmware_model/firmware/codes.py",)
WIRE = ("protocol/messages/codes.py",)
PLACES = {
    "A device fault": ("firmware_model/faults/registry.py",),
    "An alarm": (
        *MODEL,
        "firmware_model/profiles/reference-20.toml",
        "firmware_model/firmware/alarm_causes.py",
        "firmware_model/firmware/housekeeping.py",
        *WIRE,
    ),
    "A mode": (
        *MODEL,
        "firmware_model/firmware/program.py",
        "firmware_model/firmware/program_image.py",
        "firmware_model/firmware/base_rate.py",
        "firmware_model/firmware/dates.py",
        *WIRE,
        "emulator/programmer/program_image.py",
    ),
    "A profile": ("firmware_model/profiles/clinic-20.toml",),
}
"""The files that each recipe touches: number, table, and for what a host must know, the wire's number."""


def recipes() -> dict[str, str]:
    """The sections of the page by their titles."""
    _, *sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    return {section.splitlines()[0]: section for section in sections}


def blocks(section: str) -> list[tuple[str, str, str]]:
    """The blocks of a section: language, file, content."""
    return [(found[1], found[2], found[3]) for found in BLOCK.finditer(section)]


def differences(section: str) -> dict[str, list[str]]:
    """The hunks of a section by file; a file that is new has its whole content."""
    files: dict[str, list[str]] = {}
    for language, name, content in blocks(section):
        if language == "toml":
            files[name] = [content]
        elif language == "diff":
            for part in re.split(r"^\+\+\+ ", content, flags=re.MULTILINE)[1:]:
                changed, *hunks = re.split(r"\n@@\n|\n\Z", part)
                files[changed] = [hunk for hunk in hunks if hunk]
    return files


def apply(hunk: str, text: str) -> str:
    """A text with a hunk applied. What the hunk shows of it must stand there once."""
    lines = hunk.splitlines()
    before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, f"{text.count(before)} times there:\n{before}"
    return text.replace(before, after)


def test_there_is_a_recipe_for_each_kind_of_addition() -> None:
    assert list(recipes()) == list(PLACES)


@pytest.mark.parametrize("title", PLACES)
def test_a_recipe_works_as_it_is_written_and_in_no_more_places(title: str, tmp_path: Path) -> None:
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "test_*.py"))
    section = recipes()[title]
    changed = differences(section)
    assert tuple(changed) == PLACES[title]
    for name, hunks in changed.items():
        file = tmp_path / name
        if file.suffix == ".toml" and not file.exists():
            file.write_text(hunks[0], encoding="utf-8")
            continue
        for hunk in hunks:
            file.write_text(apply(hunk, file.read_text(encoding="utf-8")), encoding="utf-8")
    (story,) = (content for language, _, content in blocks(section) if language == "python")
    told = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", story],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
