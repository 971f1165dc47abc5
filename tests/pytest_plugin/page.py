"""docs/pytest.md and docs/strategies.md: tables that the plugin runs by, and examples that are tests that run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

from emulator.pytest_vpump.pump import Pump
from emulator.pytest_vpump.settings import SETTINGS, Setting

EXAMPLES = Path(__file__).parent / "project" / "tests"


def _table(headings: str, rows: Iterable[Sequence[str]]) -> str:
    bars = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    return "\n".join([f"| {headings} |", "|" + "---|" * (headings.count("|") + 1), *(f"| {bar} |" for bar in bars)])


def _settings() -> str:
    return _table("setting | what it says | allowed | default | command line and ini", map(_setting, SETTINGS))


def _setting(setting: Setting) -> Sequence[str]:
    session = f"`{setting.option}`, `{setting.ini_name}`" if setting.of_session else ""
    default = "" if setting.default is None else f"`{setting.default!r}`"
    return f"`{setting.name}`", setting.meaning, setting.allowed, default, session


def _pump() -> str:
    members = {name: each for name, each in vars(Pump).items() if isinstance(each, property)}
    rows = [(f"`pump.{name}`", _type_word(each), inspect.getdoc(each) or "") for name, each in members.items()]
    return _table("attribute | type | what it is", rows)


def _type_word(member: property) -> str:
    assert member.fget is not None
    return f"`{member.fget.__annotations__['return']}`"


def _example(name: str) -> str:
    return f"```python\n{(EXAMPLES / name).read_text(encoding='utf-8').rstrip()}\n```"


PARTS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "settings": _settings,
        "pump": _pump,
        "example": partial(_example, "test_lost_answer.py"),
        "scenario": partial(_example, "scenarios.py"),
        "drawn": partial(_example, "test_drawn.py"),
    }
)
"""The generated parts of the pages."""
