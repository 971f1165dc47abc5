"""A journal read line by line: its header, then inputs, what came of them, and the digests between.

A last line that is not whole is left out, and said so: whoever wrote it was killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from emulator.inputs import Control, Input, RestoreState
from emulator.journal.fields import Fields, JournalError
from emulator.journal.header import Header, read_header
from emulator.journal.input_lines import MOST_NUMBER, MOST_PORT, MOST_US, InputReading, read_input

MOST_LINE_BYTES: Final = 16 << 20
LINES: Final = ("input", "output", "check", "end")


@dataclass(frozen=True, slots=True)
class Given:
    """An input, its number from 1, and the line of the journal that it stands in."""

    line: int
    number: int
    input: Input


@dataclass(frozen=True, slots=True)
class Came:
    """What came of the input before: bytes by port, marks of events, and what it raised, which is mostly nothing."""

    line: int
    sent: tuple[tuple[int, bytes], ...]
    marks: tuple[str, ...]
    raised: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The state behind the input before; `last`: nothing happened any more."""

    line: int
    at_us: int
    digest: str
    last: bool


Item = Given | Came | Checked


class JournalReader:
    """Reads a journal once, from its beginning."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._line = 0
        self._inputs = 0
        self._at_us = 0
        self.torn = 0
        """Bytes of a last line that is not whole."""

    def header(self) -> Header:
        """The first line. Raises JournalError."""
        fields = self._next()
        if fields is None:
            raise JournalError("line 1: there is no whole line; a journal begins with its header.")
        if not fields.has("journal"):
            raise JournalError("line 1: the field journal is missing; this is no journal of 'vpump serve --journal'.")
        return read_header(fields)

    def items(self, reading: InputReading) -> Iterator[Item]:
        """What follows, in its order. Raises JournalError."""
        ended = False
        while (fields := self._next()) is not None:
            if ended:
                raise JournalError(f"line {fields.line}: there is something behind the end.")
            kind = next((name for name in LINES if fields.has(name)), None)
            if kind is None:
                raise JournalError(f"line {fields.line}: this is no line of a journal; allowed are {', '.join(LINES)}.")
            item = self._item(kind, fields, reading)
            fields.end()
            ended = kind == "end"
            yield item

    def _item(self, kind: str, fields: Fields, reading: InputReading) -> Item:
        number = fields.whole(kind, 0, MOST_NUMBER)
        expected = self._inputs + (kind == "input")
        if number != expected:
            raise fields.wrong(kind, number, f"{expected} here, for inputs are numbered from 1")
        if kind == "input":
            happening = read_input(fields, reading)
            if happening.at_us < self._at_us:
                raise fields.wrong("at_us", happening.at_us, f"at least {self._at_us}, for time does not go back")
            self._inputs = number
            # A save-state brings its own time, which may be an earlier one.
            restores = isinstance(happening, Control) and isinstance(happening.action, RestoreState)
            self._at_us = 0 if restores else happening.at_us
            return Given(fields.line, number, happening)
        if kind == "output":
            return _came(fields)
        at_us, digest = fields.whole("at_us", 0, MOST_US), fields.text("digest")
        return Checked(fields.line, at_us, digest, last=kind == "end")

    def _next(self) -> Fields | None:
        raw = self._stream.readline(MOST_LINE_BYTES + 1)
        if len(raw) > MOST_LINE_BYTES:
            raise JournalError(f"line {self._line + 1}: it has more than {MOST_LINE_BYTES} bytes.")
        if not raw.endswith(b"\n"):
            self.torn = len(raw)
            return None
        self._line += 1
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise JournalError(f"line {self._line}: this is no JSON object; a journal has one in each line.")
        return Fields(self._line, document)


def _came(fields: Fields) -> Came:
    raised = fields.text("raised") if fields.has("raised") else ""
    sent = []
    for entry in fields.items("sent"):
        if not isinstance(entry, dict):
            raise fields.wrong("sent", entry, "a list of tables with port and data")
        of_port = Fields(fields.line, entry)
        sent.append((of_port.whole("port", 0, MOST_PORT), of_port.octets("data")))
        of_port.end()
    marks = fields.items("events")
    if not all(isinstance(mark, str) for mark in marks):
        raise fields.wrong("events", marks, "a list of texts, each a kind and a digest")
    return Came(fields.line, tuple(sent), tuple(marks), raised)
