"""A worked session as docs/protocol.md prints it, read back from the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

SPECIFICATION = Path(__file__).parents[2] / "docs" / "protocol.md"
WORKED = ("session", "lost-answer")


@dataclass
class ToldFrame:
    """A frame: direction, name, bytes, its payload in the clear if it is sealed, and whether it is lost."""

    way: str
    name: str
    wire: bytes = b""
    clear: bytes | None = None
    lost: bool = False


@dataclass
class ToldSession:
    """The frames of one session, HELLO to its end, and the values by name."""

    values: dict[str, bytes] = field(default_factory=dict)
    frames: list[ToldFrame] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def told_sessions(part: str) -> list[ToldSession]:
    """The sessions of a part of the page; each begins with HELLO."""
    text = SPECIFICATION.read_text(encoding="utf-8")
    found = re.search(rf"<!-- generated: {part} -->\n\n```\n(.*?)\n```\n", text, re.DOTALL)
    assert found, part
    sessions: list[ToldSession] = []
    for line in found[1].splitlines():
        word, _, rest = line.strip().partition(" ")
        if word in {">", "<"}:
            name = rest.split()[0]
            if (word, name) == (">", "HELLO"):
                sessions.append(ToldSession())
            sessions[-1].frames.append(ToldFrame(word, name, lost=rest.endswith("(this answer is lost)")))
        elif word == "wire":
            sessions[-1].frames[-1].wire = bytes.fromhex(rest)
        elif word == "clear":
            sessions[-1].frames[-1].clear = bytes.fromhex(rest)
        elif word == "#":
            sessions[-1].remarks.append(rest)
        elif line:
            name, value = line.split(": ")
            sessions[-1].values[name] = bytes.fromhex(value)
    return sessions
