"""`vpump scenario`: the group of its commands, each loaded only when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

from emulator.cli.loading import load_command

_EXAMPLES: Final = """
\b
Examples:
  vpump scenario list
  vpump scenario run lost-answer-to-bolus
  vpump scenario run lost-answer-to-bolus --sample naive
  vpump scenario check my-scenario.toml
"""

_PLACES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "check": ("scenario_shown", "check_scenarios"),
        "list": ("scenario_shown", "list_scenarios"),
        "run": ("scenario_run", "run"),
        "sample": ("scenario_sample", "run_sample"),
        "schema": ("scenario_shown", "show_schema"),
        "show": ("scenario_shown", "show_scenario"),
    }
)
"""The module and the function of each command."""


class _Commands(click.Group):
    """The commands, where they are."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        del ctx
        return list(_PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the module of one."""
        del ctx
        if cmd_name not in _PLACES:
            return None
        module, name = _PLACES[cmd_name]
        return load_command(module, name)


@click.group(cls=_Commands, epilog=_EXAMPLES)
def scenario() -> None:
    """The ways in which programmer software has hurt people, staged: a pump, what goes wrong, and what must be true."""
