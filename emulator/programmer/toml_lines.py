"""On which line of a TOML document each of its keys stands, which its reader does not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""Keys from the outside in; a number is a place in an array, from 0."""

_TOKEN = re.compile(
    r"""
      (?P<blank>    [ \t]+ | \#[^\n]* )
    | (?P<newline>  \n )
    | (?P<string>   \"{3} (?:[^\\]|\\.)*? \"{3,5} | '{3} .*? '{3,5} | "(?:[^"\\]|\\.)*" | '[^']*' )
    | (?P<mark>     [][{}=,.] )
    | (?P<word>     [^][{}=,.\s"'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)

_BETWEEN = frozenset("]},.=")


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


@dataclass(slots=True)
class _Open:
    """A table, an inline table or an array that the reader is within; `place` counts in an array only."""

    path: KeyPath
    place: int | None = None


def key_lines(document: str) -> Mapping[KeyPath, int]:
    """The line of every key, table and place in an array, each where it first stands.

    The document must be one that `tomllib` reads: here nothing is checked.
    """
    walk = _Walk()
    statement: list[_Token] = []
    depth = 0
    for token in _tokens(document):
        if token.kind == "mark":
            depth += (token.text in "[{") - (token.text in "]}")
        if token.kind != "newline":
            statement.append(token)
        elif statement and depth == 0:
            walk.take(statement)
            statement = []
    if statement:
        walk.take(statement)
    return walk.lines


class _Walk:
    """The places found so far, and the table that the next key belongs to."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._table: KeyPath = ()
        self._last_place: dict[KeyPath, int] = {}

    def take(self, statement: list[_Token]) -> None:
        """A table's head, or a key with its value."""
        if statement[0].text == "[":
            self._header(statement)
        else:
            self._pair(statement)

    def _header(self, statement: list[_Token]) -> None:
        keys = [_key(token) for token in statement if token.kind in ("word", "string")]
        is_array = statement[1].text == "["
        path: KeyPath = ()
        for number, key in enumerate(keys, start=1):
            path = (*path, key)
            self._note(path, statement[0].line)
            if number == len(keys) and is_array:
                self._last_place[path] = self._last_place.get(path, -1) + 1
            if path in self._last_place:
                path = (*path, self._last_place[path])
                self._note(path, statement[0].line)
        self._table = path

    def _pair(self, statement: list[_Token]) -> None:
        within = [_Open(self._table)]
        path, in_key = self._table, True
        for token in statement:
            innermost = within[-1]
            if in_key and token.kind != "mark":
                path = (*path, _key(token))
            if token.text not in _BETWEEN:
                self._note(path, token.line)
            match token.text:
                case "=":
                    in_key = False
                case "[":
                    within.append(_Open(path, 0))
                    path = (*path, 0)
                case "{":
                    within.append(_Open(path))
                    in_key = True
                case "]" | "}":
                    within.pop()
                    in_key = False
                case "," if innermost.place is not None:
                    innermost.place += 1
                    path = (*innermost.path, innermost.place)
                case ",":
                    path, in_key = innermost.path, True

    def _note(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)


def _tokens(document: str) -> list[_Token]:
    text = document.replace("\r\n", "\n")
    tokens, line = [], 1
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind != "blank":
            tokens.append(_Token(kind, found[0], line))
        line += found[0].count("\n")
    return tokens


def _key(token: _Token) -> str:
    if token.kind == "word":
        return token.text
    (value,) = tomllib.loads(f"key = {token.text}").values()
    return str(value)
