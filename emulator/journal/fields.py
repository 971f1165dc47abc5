"""The fields of one line of a journal, read strictly: what is wrong is one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

MOST_SHOWN: Final = 60
"""Characters of a wrong value that a sentence shows."""


class JournalError(Exception):
    """A journal that cannot be used; the message is one sentence with the line, the field, and what is allowed."""


class Fields:
    """The fields of a line that have not been taken yet. Every method raises JournalError."""

    def __init__(self, line: int, document: Mapping[str, Any]) -> None:
        self.line = line
        self._left = dict(document)

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number."""
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, value, f"a whole number from {least} to {most}")
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self._take(name)
        if not isinstance(value, str):
            raise self.wrong(name, value, "a text")
        return value

    def word(self, name: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self._take(name)
        if value not in allowed:
            raise self.wrong(name, value, ", ".join(allowed))
        return str(value)

    def flag(self, name: str) -> bool:
        """Yes or no."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise self.wrong(name, value, "true or false")
        return value

    def octets(self, name: str) -> bytes:
        """Bytes in hex."""
        value = self._take(name)
        try:
            return bytes.fromhex(value)
        except (TypeError, ValueError):
            raise self.wrong(name, value, "bytes in hex") from None

    def items(self, name: str) -> list[Any]:
        """A list."""
        value = self._take(name)
        if not isinstance(value, list):
            raise self.wrong(name, value, "a list")
        return value

    def nullable(self, name: str) -> Any:
        """Whatever it is; None, too."""
        return self._take(name)

    def has(self, name: str) -> bool:
        """Whether the field is there and has not been taken."""
        return name in self._left

    def end(self) -> None:
        """Nothing more may be there."""
        for name in self._left:
            raise JournalError(f"line {self.line}: the field {name!r} is not known here; leave it out.")

    def wrong(self, name: str, value: object, allowed: str) -> JournalError:
        """A value that is none."""
        shown = json.dumps(value)
        shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"
        return JournalError(f"line {self.line}: {name} is {shown}; allowed is {allowed}.")

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise JournalError(f"line {self.line}: the field {name} is missing.")
        return self._left.pop(name)
