"""The reference of docs/control.md, made from the one table of operations: requests, their fields and their answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from emulator.control.operation import Content, Operation
from emulator.control.operations import OPERATIONS


def request_table() -> str:
    """Every operation: what it does, an example of what it takes, and what its answer has."""
    rows = [
        f"| `{each.method} {each.path}` | {each.does} | {_example(each)} | {_answer(each.answer)} |"
        for each in OPERATIONS
    ]
    return "\n".join(["| request | what it does | body | fields of the answer |", "|---|---|---|---|", *rows])


def field_table() -> str:
    """Every field of every request: where it stands, whether it must be there, and what is allowed."""
    rows = []
    for operation in OPERATIONS:
        body = operation.body
        for described in msgspec.structs.fields(body):
            name = described.encode_name
            place = "the body itself" if name == body.WHOLE else "body"
            place = "path" if name in body.PATH else "query" if name in body.QUERY else place
            needed = "" if described.required else ", optional"
            allowed = body.ALLOWED[name].replace("|", "\\|")
            rows.append(f"| `{operation.method} {operation.path}` | `{name}` | {place}{needed} | {allowed} |")
    return "\n".join(["| request | field | where | allowed |", "|---|---|---|---|", *rows])


def _example(operation: Operation) -> str:
    return f"`{json.dumps(dict(operation.example))}`" if operation.example else ""


def _answer(answer: Any) -> str:
    if isinstance(answer, Content):
        return answer.meaning
    # Not by `__optional_keys__`, which knows nothing of annotations that are texts.
    required = msgspec.json.schema_components([answer])[1][answer.__name__]["required"]
    return ", ".join(f"`{name}`{'' if name in required else '?'}" for name in answer.__annotations__)


CONTROL_PARTS: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {"requests": request_table, "fields": field_table}
)
"""The generated parts of docs/control.md."""
