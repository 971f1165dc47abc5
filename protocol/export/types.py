"""The types of fields, as they lie on the wire."""

from __future__ import annotations

from protocol.export.tables import markdown_table
from protocol.field_types import INTEGERS


def types_markdown() -> str:
    """The part of the specification."""
    whole = [
        (name, str(layout.size), f"{layout.minimum} to {layout.maximum}, little endian{_signed(layout.minimum)}")
        for name, layout in INTEGERS.items()
    ]
    made = [
        ("textN", "N", "printable ASCII (20 to 7E), filled up with 00; no 00 before a character"),
        ("rawN", "N", "bytes as they are"),
        ("u8 count, bytes", "1 + count", "a count, then so many bytes"),
        (
            "u8 count, records of X",
            "1 + count times the size of X",
            "a count, then so many records",
        ),
        ("N x X", "N times the size of X", "always N records; the places behind the used ones are empty"),
    ]
    return markdown_table(("type", "bytes", "values"), (*whole, *made))


def _signed(minimum: int) -> str:
    return ", two's complement" if minimum < 0 else ""
