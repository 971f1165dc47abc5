"""`vpump spec`: the wire protocol in forms that other tools and languages read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested

FORM_NAMES = ("markdown", "ksy", "lua", "vectors")
"""The names in `protocol.export.formats`, which is loaded only when a form is made."""

_EXAMPLES = """
\b
Examples:
  vpump spec                                        tables for people, in Markdown
  vpump spec --format vectors -o vectors.json       test vectors for a client, in JSON
  vpump spec --format vectors | jq '.dropped[0]'
  vpump spec --format ksy -o vpump.ksy              for the Kaitai Struct compiler:
  kaitai-struct-compiler -t python vpump.ksy        a parser in Python (or javascript, java, go …)
  vpump spec --format lua -o vpump.lua              a Wireshark dissector:
  tshark -X lua_script:vpump.lua -r capture.pcapng  reads a capture of the line

\b
All of them are made from the tables that the pump itself runs by. docs/protocol.md has the rules
between the tables, docs/foreign-tools.md says how to use each form.
"""


@click.command(epilog=_EXAMPLES)
@click.option("--format", "form", type=click.Choice(FORM_NAMES), default="markdown", help="Which form (markdown).")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write FILE, not stdout."
)
@json_option
def spec(form: str, output: Path | None) -> None:
    """The wire protocol, described for other tools and languages."""
    from protocol.export.formats import FORMS

    text = FORMS[form].text()
    if output is not None:
        _write(output, text)
        told: dict[str, Any] = {"format": form, "file": str(output), "bytes": len(text.encode())}
        click.echo(json.dumps(told) if json_requested() else f"{output} has the protocol as {form}.")
    elif not json_requested():
        sys.stdout.write(text)
    elif form == "vectors":
        # They are JSON already.
        click.echo(json.dumps(json.loads(text)))
    else:
        click.echo(json.dumps({"format": form, "text": text}))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageFailure(f"FILE {str(file)!r} cannot be written: {error.strerror}.") from error
