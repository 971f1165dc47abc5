"""The test keys of the pump of the examples, as everybody can work them out."""

from __future__ import annotations

from typing import Final

from protocol import keys
from protocol.messages.codes import Role

SERIAL_NUMBER: Final = 0x00C0FFEE


def published_keys_markdown() -> str:
    """The part of the specification."""
    published = keys.test_keys(SERIAL_NUMBER).of_role
    lines = [f"{role.name.lower()}, role {role:X}: {published[role].hex()}" for role in Role]
    return "```\n" + "\n".join(lines) + "\n```"
