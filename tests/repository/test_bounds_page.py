"""The bounds that docs/hostile-lines.md names exist, and have the values that it gives."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from scripts.soak_campaigns import CAMPAIGNS, FUZZ_SHARES

PAGE = (Path(__file__).parents[2] / "docs" / "hostile-lines.md").read_text(encoding="utf-8")
BOUNDS = re.findall(r"^\| `([\w.]+)\.(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("module", "name", "value"), BOUNDS, ids=str)
def test_a_bound_has_the_value_that_the_page_gives(module: str, name: str, value: str) -> None:
    assert getattr(import_module(module), name) == int(value)


def test_the_page_names_bounds_and_campaigns_that_there_are() -> None:
    assert len(BOUNDS) > 10
    named = {
        name for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE) for name in row.split("`")[1::2]
    }
    assert named == {"siege", "flood", "bits", "replay", "archive", "fuzz"} <= CAMPAIGNS.keys()


def test_the_page_gives_each_target_of_the_fuzzer_its_share() -> None:
    shares = re.findall(r"(\d+) (?:go )?to\s+`(\w+)`", PAGE)
    assert {target: int(share) for share, target in shares} == FUZZ_SHARES
