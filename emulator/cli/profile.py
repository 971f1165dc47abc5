"""`vpump profile`: the parameters of device models, each with its source; whether one's own are good."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import click

from emulator.assembly import load_profile, shipped_profiles
from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.quantities import format_volume_nl
from emulator.cli.wording import aligned
from firmware_model.profile import ALARM_SECTIONS, SECTIONS, AlarmModel, Profile, Source
from firmware_model.profile_text import ProfileError

_EXAMPLES = """
\b
Examples:
  vpump profile list
  vpump profile show reference-20
  vpump profile show mine.toml --json | jq '.parameters[] | select(.source == "chosen")'
  vpump profile check mine.toml
  vpump serve --profile mine.toml

\b
A profile of one's own says what differs (docs/profiles.md lists every parameter):
  extends = "reference-20"
  [reservoir]
  low_nl = { value = 3_000_000, chosen = "our clinic refills early" }
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a profile: its value in its unit, and its source."""

    name: str
    value: object
    unit: str
    meaning: str
    source: Source

    def document(self) -> dict[str, object]:
        """As JSON values; `source` is found or chosen, `because` the document or the reason."""
        what = {"name": self.name, "value": self.value, "unit": self.unit, "meaning": self.meaning}
        return what | {"source": self.source.kind, "because": self.source.text}

    def row(self) -> tuple[str, ...]:
        """For people."""
        value = f"{self.value:,}" if isinstance(self.value, int) and not isinstance(self.value, bool) else self.value
        return self.name, f"{value} {self.unit}".rstrip(), f"{self.source.kind}: {self.source.text}"


@click.group(epilog=_EXAMPLES)
def profile() -> None:
    """Profiles: the parameters of device models, each with its source."""


@profile.command("list", epilog="\b\nExamples:\n  vpump profile list\n  vpump profile list --json")
@json_option
def list_() -> None:
    """List the profiles that come with vpump."""
    shipped = [load_profile(name) for name in shipped_profiles()]
    if json_requested():
        told = [
            {"name": each.name, "model": each.device.model, "reservoir_nl": each.reservoir.capacity_nl}
            for each in shipped
        ]
        click.echo(json.dumps({"profiles": told}))
        return
    rows = [(each.name, each.device.model, format_volume_nl(each.reservoir.capacity_nl)) for each in shipped]
    click.echo("\n".join(aligned(rows)))


@profile.command(epilog="\b\nExamples:\n  vpump profile show reference-40\n  vpump profile show mine.toml --json")
@click.argument("name_or_file", metavar="NAME|FILE")
@json_option
def show(name_or_file: str) -> None:
    """Show every parameter of a profile: value, unit, and where it comes from."""
    shown = _loaded(name_or_file)
    if json_requested():
        parameters = [parameter.document() for parameter in parameters_of(shown)]
        click.echo(json.dumps({"name": shown.name, "parameters": parameters}))
        return
    click.echo("\n".join(aligned([parameter.row() for parameter in parameters_of(shown)])))


@profile.command(epilog="\b\nExamples:\n  vpump profile check mine.toml\n  vpump profile check mine.toml --json")
@click.argument("name_or_file", metavar="NAME|FILE")
@json_option
def check(name_or_file: str) -> None:
    """Say whether a profile is good: exit status 0, or 2 with the line, the field and what is allowed."""
    checked = _loaded(name_or_file)
    parameters = list(parameters_of(checked))
    found = sum(parameter.source.kind == "found" for parameter in parameters)
    if json_requested():
        document = {"name": checked.name, "parameters": len(parameters), "found": found}
        click.echo(json.dumps(document | {"chosen": len(parameters) - found}))
        return
    click.echo(
        f"{checked.name}: good; {len(parameters)} parameters, {found} found and {len(parameters) - found} chosen."
    )


def parameters_of(of: Profile) -> Iterator[Parameter]:
    """All parameters of a profile, section by section."""
    for section, model in SECTIONS.items():
        for item in fields(model):
            yield _parameter(of, f"{section}.{item.name}", getattr(getattr(of, section), item.name), item.metadata)
    for section, kind in ALARM_SECTIONS.items():
        for item in fields(AlarmModel):
            yield _parameter(of, f"{section}.{item.name}", getattr(of.alarm[kind], item.name), item.metadata)


def _parameter(of: Profile, name: str, value: object, declared: Mapping[str, Any]) -> Parameter:
    return Parameter(name, value, declared["unit"], declared["meaning"], of.sources[name])


def _loaded(name_or_file: str) -> Profile:
    try:
        return load_profile(name_or_file)
    except ProfileError as error:
        raise UsageFailure(f"{error}.") from None
