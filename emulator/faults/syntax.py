"""What the grammars of both kinds of fault share: PARAMETER=VALUE, and how a line is refused."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence


class FaultSyntaxError(ValueError):
    """A fault's line that says nothing known; one sentence that names the word and what is allowed."""


def split_parameters(text: str, words: Sequence[str], forms: Mapping[str, str]) -> dict[str, str]:
    """The values of a line by their parameters; `forms` has how each is written, as in `for=DURATION`.

    Raises FaultSyntaxError for one that is not known, or is there twice.
    """
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in forms:
            raise unknown(text, "parameter", name, list(forms.values()))
        if name in values:
            raise FaultSyntaxError(f"fault {text!r}: {name} is given twice")
        values[name] = value
    return values


def wrong_value(text: str, name: str, value: str, allowed: str) -> FaultSyntaxError:
    """A parameter's value that is none, with what is allowed."""
    return FaultSyntaxError(f"fault {text!r}: {name} is {value!r}, but allowed is {allowed}")


def unknown(text: str, what: str, word: str, allowed: Sequence[str]) -> FaultSyntaxError:
    """A word that is not known, with those that are and the one that was meant."""
    names = {entry.partition("=")[0]: entry for entry in allowed}
    close = difflib.get_close_matches(word.upper(), names, n=1) or difflib.get_close_matches(word, names, n=1)
    hint = f" (did you mean {names[close[0]]}?)" if close else ""
    return FaultSyntaxError(f"fault {text!r}: {what} {word!r} is not known{hint}; allowed are {', '.join(allowed)}")
