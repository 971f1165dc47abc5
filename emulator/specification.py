"""The generated parts of docs/protocol.md: those of the tables, and those that a real pump has to take part in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from emulator.reference import flag_causes_markdown
from emulator.state_machines import MACHINES, Machine
from emulator.worked.lost_answer import lost_answer_markdown
from emulator.worked.to_commit import session_markdown
from protocol.export import markdown
from protocol.export.program_ranges import program_ranges_markdown
from protocol.export.published_keys import published_keys_markdown
from protocol.export.refusal_causes import refusal_causes_markdown
from protocol.export.types import types_markdown


def _diagram(machine: Callable[[], Machine]) -> Callable[[], str]:
    return lambda: machine().markdown()


PARTS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        **markdown.GENERATED,
        **{name: _diagram(machine) for name, machine in MACHINES.items()},
        "types": types_markdown,
        "published-keys": published_keys_markdown,
        "refusal-causes": refusal_causes_markdown,
        "program-ranges": program_ranges_markdown,
        "flag-causes": flag_causes_markdown,
        "session": session_markdown,
        "lost-answer": lost_answer_markdown,
    }
)


def specification(present: str) -> str:
    """The specification with its generated parts made anew."""
    return markdown.refresh(present, PARTS)
