"""Why a request is not carried out: a status, one sentence, and where they apply the field and what is allowed."""

from __future__ import annotations

MAX_SHOWN_CHARACTERS = 60  # of a wrong value, in a message


class RequestError(Exception):
    """A request that is not carried out: HTTP status, sentence, and where they apply the field and what is allowed."""

    def __init__(self, status: int, error: str, *, field: str | None = None, allowed: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.field = field
        self.allowed = allowed

    def as_json(self) -> dict[str, object]:
        """The document that answers the request."""
        document: dict[str, object] = {"error": self.error}
        if self.field is not None:
            document["field"] = self.field
        if self.allowed is not None:
            document["allowed"] = self.allowed
        return document


def shortened(text: str) -> str:
    """A text from outside, as long as it may be in a message."""
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 1]}…"
