"""What `vpump decode` and `vpump send` show of a frame: a line, a table of its fields, a JSON document."""

from __future__ import annotations

import datetime
from typing import Any, Final

from emulator.capture.explainer import Explained
from emulator.capture.pcapng import Flow
from emulator.capture.reader import CapturedPacket
from emulator.cli.wording import aligned
from emulator.trace import format_time
from emulator.wire import Direction, FrameWords

LAST_VIRTUAL_US: Final = 30 * 365 * 86_400 * 1_000_000
"""Stamps up to here are shown as virtual time, as no capture was made in the years after 1970; later ones as a date."""

_INDENT: Final = " " * 8
_ARROWS: Final = {Flow.INBOUND: "->", Flow.OUTBOUND: "<-", Flow.UNKNOWN: "--"}


def line_of(explained: Explained) -> str:
    """For people: where it is, which way it goes, what it says, and what is wrong with it."""
    parts = [_where(explained)]
    if explained.packet is not None:
        parts += [_time_text(explained.packet.at_us), f"port {explained.packet.interface.number}", _arrow(explained)]
    wrong = f"rejected: {explained.rejected}" if explained.rejected else ""
    if wrong and explained.at is not None:
        wrong += f" (byte {explained.at})"
    if explained.words is not None:
        parts += [f"{explained.words.direction:<7}", f"{explained.name} {explained.words.words}", wrong]
    else:
        parts += [wrong or "no end of a frame yet:", explained.raw.hex(" ")]
    return "  ".join(part for part in parts if part).rstrip()


def lines_of(explained: Explained, *, verbose: bool = False) -> list[str]:
    """The line, then what its packet's comments say, and all its fields if they are wanted."""
    lines = [line_of(explained), *(f"{_INDENT}! {comment}" for comment in explained.comments)]
    if verbose and explained.words is not None and explained.words.rows:
        lines += _table(explained.words)
    return lines


def document_of(explained: Explained, *, verbose: bool = False) -> dict[str, Any]:
    """As JSON values."""
    document: dict[str, Any] = {}
    if explained.offset is not None:
        document["offset"] = explained.offset
    if explained.packet is not None:
        document |= _packet_document(explained.packet)
    document["raw"] = explained.raw.hex()
    if explained.rejected:
        document["rejected"] = explained.rejected
        if explained.at is not None:
            document["at"] = explained.at
    words = explained.words
    if words is not None:
        document |= {"name": explained.name, "direction": words.direction, **words.document}
        if verbose:
            document["rows"] = [
                {"offset": row.offset, "name": row.name, "value": row.value, "unit": row.unit} for row in words.rows
            ]
    if explained.comments:
        document["comments"] = list(explained.comments)
    return document


def _packet_document(packet: CapturedPacket) -> dict[str, Any]:
    return {
        "packet": packet.number,
        "at_us": packet.at_us,
        "port": packet.interface.number,
        "port_name": packet.interface.name,
        "flow": packet.flow.name.lower(),
    }


def _where(explained: Explained) -> str:
    return f"{explained.offset if explained.packet is None else explained.packet.number:>6}"


def _time_text(at_us: int | None) -> str:
    if at_us is None:
        return "no time"
    if at_us <= LAST_VIRTUAL_US:
        return f"{format_time(at_us)}{at_us % 1000:03}"
    try:
        moment = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    except (OverflowError, ValueError):
        return f"{at_us} us"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_us % 1_000_000:06}Z"


def _arrow(explained: Explained) -> str:
    """Which way it goes, by what the frame says of itself; by its packet, if it is none."""
    if explained.words is not None:
        return "->" if explained.words.direction == Direction.REQUEST.value else "<-"
    return "--" if explained.packet is None else _ARROWS[explained.packet.flow]


def _table(words: FrameWords) -> list[str]:
    rows = [("offset", "field", "value")]
    for row in words.rows:
        value = f"{row.value} {row.unit}".rstrip()
        rows.append((str(row.offset), row.name, f"{value} ({row.text})" if row.text else value))
    return aligned(rows, _INDENT)
