"""Bytes that somebody wrote as hex digits, line by line: spaces, commas, colons, 0x and comments do not matter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MAX_LINE_CHARACTERS: Final = 1 << 20
"""Of a line that has not ended."""

_COMMENT: Final = re.compile(r"(?:#|//|;).*")
_PREFIX: Final = re.compile(r"0[xX]|\\x")
_SEPARATORS: Final = re.compile(r"[\s,:_\-]+")
_HEX_TEXT: Final = re.compile(r"[0-9A-Fa-fxX\\\s,:_\-]*")


class HexError(ValueError):
    """Text that is no hex; the message is one sentence that names the line."""


class HexText:
    """Turns hex that arrives in pieces into bytes, each line when it is complete."""

    def __init__(self) -> None:
        self._held = ""
        self._line = 0

    def feed(self, text: str) -> Iterator[bytes]:
        """The bytes of each line that is complete with this text; raises HexError behind the last good one."""
        *lines, self._held = (self._held + text).split("\n")
        yield from map(self._bytes_of, lines)
        if len(self._held) > MAX_LINE_CHARACTERS:
            raise HexError(f"line {self._line + 1}: more than {MAX_LINE_CHARACTERS} characters without an end.")

    def end(self) -> bytes:
        """The bytes of a last line without an end; raises HexError."""
        rest, self._held = self._held, ""
        return self._bytes_of(rest)

    def _bytes_of(self, line: str) -> bytes:
        self._line += 1
        found = bytearray()
        for word in _SEPARATORS.split(_bare(line)):
            if not word:
                continue
            try:
                # Bytes that were written one by one may lack their leading zero; longer words may not.
                found += bytes.fromhex(word.zfill(2) if len(word) == 1 else word)
            except ValueError:
                raise HexError(
                    f"line {self._line}: '{word[:32]}' is no hex; allowed are pairs of 0 to 9 and a to f."
                ) from None
        return bytes(found)


def is_hex(text: str) -> bool:
    """Whether a text is hex and comments, and some of it is hex."""
    bare = "\n".join(_COMMENT.sub("", line) for line in text.splitlines())
    return _HEX_TEXT.fullmatch(bare) is not None and bool(bare.strip())


def _bare(line: str) -> str:
    return _PREFIX.sub(" ", _COMMENT.sub("", line))
