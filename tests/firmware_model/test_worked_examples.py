"""The worked examples of docs/pump-model.md: the figures on the page are those that the model gives."""

import re
from pathlib import Path

import pytest

from tests.firmware_model.worked_examples import EXAMPLES

PAGE = Path(__file__).parents[2] / "docs" / "pump-model.md"
BLOCK = re.compile(r"```figures (\S+)\n(.*?)```", re.DOTALL)


def shown_figures() -> dict[str, dict[str, int]]:
    """The page's blocks: figures by their names."""
    return {
        name: {key: int(value.replace(",", "")) for key, value in re.findall(r"(\w+) = ([\d,]+)", body)}
        for name, body in BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    }


def test_the_page_shows_every_example() -> None:
    assert set(shown_figures()) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_figures_of_the_page_are_those_of_the_model(name: str) -> None:
    assert shown_figures()[name] == dict(EXAMPLES[name]())
