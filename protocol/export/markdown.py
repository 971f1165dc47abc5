"""The generated parts of the specification, and putting them into a document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from protocol.access import STATE_MEANINGS, PumpState, access_of
from protocol.export.examples import (
    EXAMPLE_NAK,
    EXAMPLES,
    announcement_wire,
    answer_wire,
    refusal_wire,
    request_wire,
)
from protocol.export.tables import markdown_table as _table
from protocol.export.vectors import CHECK_VECTORS
from protocol.field_types import INTEGERS, BlobType
from protocol.fields import Field, layout_of
from protocol.messages.codes import CODE_TABLES, Role
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS, Announcement, Operation, Service, by_name
from protocol.messages.program import BLOCKS
from protocol.refusals import NOT_TAKEN, REFUSALS, NakCode

_HEX_PER_LINE: Final = 32
_EXAMPLE_OF: Final[Mapping[type, object]] = MappingProxyType({type(example): example for example in EXAMPLES})


def operations_markdown() -> str:
    parts = []
    for service in Service:
        built = [operation for operation in OPERATIONS if operation.service is service]
        parts.append(f"### Service {service:02X}: {service.name.lower()}")
        parts.extend(_operation(operation) for operation in built)
        parts.extend(_announcement(row) for row in ANNOUNCEMENTS.values() if row.service is service)
    return "\n\n".join(parts)


def refusals_markdown() -> str:
    rows = (
        (f"{code:02X}", code.name, row.meaning, row.cure, row.detail, "yes" if code in NOT_TAKEN else "")
        for code, row in REFUSALS.items()
    )
    return _table(("code", "name", "cause", "cure", "detail", "not taken"), rows)


def codes_markdown() -> str:
    parts = []
    for table in CODE_TABLES:
        rows = ((f"{code.value:X}", code.name or "", table.meanings[code]) for code in table.code)
        critical = " (critical: codes at Hamming distance 4)" if table.critical else ""
        parts.append(f"**{table.code.__name__}**{critical}\n\n" + _table(("hex", "name", "meaning"), rows))
    return "\n\n".join(parts)


def log_records_markdown() -> str:
    parts = []
    for code, data in DATA_OF.items():
        fields = _message_table(data, 0) if layout_of(data).fields else "No data."
        parts.append(f"**{code:04X} {code.name}**\n\n{fields}")
    return "\n\n".join(parts)


def access_markdown() -> str:
    states = _table(("state", "when"), ((state.name.lower(), STATE_MEANINGS[state]) for state in PumpState))
    head = ("operation", "roles", "without a session", *(state.name.lower() for state in PumpState))
    return states + "\n\n" + _table(head, (_access_row(operation) for operation in OPERATIONS))


def blocks_markdown() -> str:
    parts = []
    offset = 0
    for block, cls in BLOCKS.items():
        size = layout_of(cls).maximum_size
        where = f"{size} bytes, at offset {offset} of the canonical image"
        parts.append(f"**{block:X} {block.name}**: {cls.__name__}, {where}. {_words(cls)}\n\n{_message_table(cls, 0)}")
        offset += size
    parts.append(f"The canonical image has {offset} bytes.")
    return "\n\n".join(parts)


def vectors_markdown() -> str:
    parts = []
    for vector in CHECK_VECTORS:
        parts.append(f"{vector.title}\n  body {vector.body.hex(' ')}\n  wire {vector.wire.hex(' ')}")
    refused = refusal_wire(by_name["BOLUS_PREPARE"], EXAMPLE_NAK).hex(" ")
    parts.append(f"NAK A1 ABOVE_MAXIMUM to BOLUS_PREPARE: field 1, at most 1,000,000 nl\n  wire {refused}")
    return "```\n" + "\n".join(parts) + "\n```"


GENERATED: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "operations": operations_markdown,
        "refusals": refusals_markdown,
        "codes": codes_markdown,
        "log-records": log_records_markdown,
        "access": access_markdown,
        "blocks": blocks_markdown,
        "vectors": vectors_markdown,
    }
)


_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vectors": "Check vectors",
        "refusals": "Refusals",
        "access": "Who may do what, when",
        "operations": "Operations",
        "blocks": "Blocks of a program",
        "log-records": "Data of log records",
        "codes": "Codes",
    }
)


def tables_page() -> str:
    """Every generated table on one page, for who has the program and not its documents."""
    parts = ["# The wire protocol: its tables", "The rules between them are in docs/protocol.md."]
    for name, title in _TITLES.items():
        parts += [f"## {title}", GENERATED[name]()]
    return "\n\n".join(parts) + "\n"


def refresh(text: str, parts: Mapping[str, Callable[[], str]] = GENERATED) -> str:
    """The document, made anew between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; KeyError for no NAME."""
    return re.sub(
        r"(<!-- generated: (\S+) -->\n).*?(<!-- end: \2 -->)",
        lambda found: f"{found[1]}\n{parts[found[2]]()}\n\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def _operation(operation: Operation) -> str:
    # An answer's payload begins with its result byte, so its first field lies at offset 1.
    parts = [
        f"#### {operation.opcode:04X} {operation.name}",
        f"{operation.meaning[0].upper()}{operation.meaning[1:]}. {_properties(operation)}",
        f"Request:{_fields_or_nothing(operation.request, 0)}",
        _hex(request_wire(_EXAMPLE_OF[operation.request])),
        f"Answer, after the result byte 0F:{_fields_or_nothing(operation.answer, 1)}",
        _hex(answer_wire(_EXAMPLE_OF[operation.answer])),
    ]
    if operation.reduced is not None:
        parts.append(f"Answer without a session, after the result byte 0F:{_fields_or_nothing(operation.reduced, 1)}")
        parts.append(_hex(answer_wire(_EXAMPLE_OF[operation.reduced])))
    return "\n\n".join(parts)


def _announcement(row: Announcement) -> str:
    return "\n\n".join(
        (
            f"#### {row.opcode:04X} {row.name}",
            f"{row.meaning[0].upper()}{row.meaning[1:]}. *From the pump; flag EVENT, no result byte.*",
            f"Payload:{_fields_or_nothing(row.message, 0)}",
            _hex(announcement_wire(_EXAMPLE_OF[row.message])),
        )
    )


def _properties(operation: Operation) -> str:
    order = "in sequence" if operation.sequenced else "outside the sequence"
    row = access_of(operation.name)
    who = [f"roles: {_roles(operation)}"] if row.roles else []
    if row.without_session:
        who.append("also without a session" if row.roles else "only without a session")
    return f"*Effect: {operation.effect.value}; {'; '.join((order, *who))}.*"


def _roles(operation: Operation) -> str:
    roles = access_of(operation.name).roles
    return ", ".join(role.name.lower() for role in Role if role in roles) or "none"


def _access_row(operation: Operation) -> tuple[str, ...]:
    row = access_of(operation.name)
    cells = (_cell(row.in_state[state]) for state in PumpState)
    return (operation.name, _roles(operation), "yes" if row.without_session else "NAK 34", *cells)


def _cell(refusal: NakCode | None) -> str:
    return "allowed" if refusal is None else f"NAK {refusal:02X}"


def _fields_or_nothing(cls: type, start: int) -> str:
    return "\n\n" + _message_table(cls, start) if layout_of(cls).fields else " no fields."


def _message_table(cls: type, start: int) -> str:
    layout = layout_of(cls)
    rows = [_row(index, field, start) for index, field in enumerate(layout.fields)]
    if layout.ends_with_crc32 and layout.fixed_size is not None:
        rows.append(("", str(start + layout.fixed_size - 4), "crc32", "u32", "", "", "zlib's, over all before it"))
    table = _table(("#", "offset", "field", "type", "unit", "allowed", "meaning"), rows)
    # Several fields may hold the same items: they are explained once.
    for item in dict.fromkeys(field.item for field in layout.fields if field.item):
        size = layout_of(item).fixed_size
        table += f"\n\nEach {item.__name__}, {size} bytes. {_words(item)}\n\n{_message_table(item, 0)}"
    return table


def _words(cls: type) -> str:
    """What a message or record is, in the first line of its own description."""
    return (cls.__doc__ or "").strip().splitlines()[0]


def _row(index: int, field: Field, start: int) -> tuple[str, ...]:
    offset = "" if field.offset is None else str(start + field.offset)
    meaning = field.meaning if field.present is None else f"{field.meaning}; with {field.present.name} only"
    return (str(index), offset, f"`{field.name}`", _kind(field), field.unit, _allowed(field), meaning)


def _kind(field: Field) -> str:
    if field.kind.size is not None:
        return field.type_name
    return "u8 count, bytes" if isinstance(field.kind, BlobType) else f"u8 count, {field.type_name}"


def _allowed(field: Field) -> str:
    if field.complement_of:
        return f"`{field.complement_of}` xor FFFFFFFF"
    if field.enum:
        return field.enum.__name__
    if field.kind.size is None:
        return f"at most {field.maximum}"
    whole = INTEGERS.get(field.type_name)
    if whole is None or (field.minimum, field.maximum) == (whole.minimum, whole.maximum):
        return ""
    return f"{field.minimum} to {field.maximum}"


def _hex(wire: bytes) -> str:
    lines = (wire[at : at + _HEX_PER_LINE].hex(" ") for at in range(0, len(wire), _HEX_PER_LINE))
    return "```\n" + "\n".join(lines) + "\n```"
