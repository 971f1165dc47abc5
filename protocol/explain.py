"""A frame in words: which operation, which way, its fields, and what is wrong with it. For trace, decode and send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntFlag
from types import MappingProxyType
from typing import Any, Final

from protocol.fields import FormatError, decode, layout_of, table_of
from protocol.frame import EVENT_FLAGS, MAJOR, OPCODE_OFFSET, Flag, Frame, FrameError, parse_body
from protocol.framing import HEADER_SIZE, LineFault
from protocol.messages.log import LogRecord
from protocol.messages.log_records import data_of
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS, by_opcode
from protocol.refusals import NO_FIELD, OK, REFUSALS, Nak

FAULT_WORDS = {
    LineFault.COBS: "broken COBS coding",
    LineFault.CRC: "wrong CRC",
    LineFault.SHORT: "shorter than a frame",
    LineFault.LENGTH: "length is not the header's",
    LineFault.FLAGS: "flags contradict opcode, session id or direction",
    LineFault.OVERSIZE: "255 bytes without a delimiter",
    LineFault.VERSION: "another major version",
    LineFault.ADDRESS: "another pump's address",
    LineFault.TAG: "the tag does not verify: another key, another session, or a changed frame",
    LineFault.COUNTER: "the counter is not above the last one: a copy of an earlier frame",
}
"""Why bytes were dropped in silence, for people."""
_NAMES: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {row.opcode: (row.name, row.effect.value) for row in OPERATIONS}
)
_EVENT_NAMES: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {opcode: (row.name, row.effect.value) for opcode, row in ANNOUNCEMENTS.items()}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A good frame in words.

    direction   request, answer or event
    effect      link, read, stage, therapy or alarm; empty for an operation that this version does not know
    message     the decoded request or granted answer; None where there is none to be had
    nak         the refusal that an answer is
    problem     why the payload is not what it should be, or cannot be read; empty when it is well
    problem_at  offset in the body of the field that is not what it should be; None where it is no one field
    """

    name: str
    direction: str
    effect: str
    frame: Frame
    message: object | None = None
    nak: Nak | None = None
    problem: str = ""
    problem_at: int | None = None

    @property
    def summary(self) -> str:
        """One line: txn, verdict, fields, in the wire's own units."""
        retry = " RETRY" if Flag.RETRY in self.frame.flags else ""
        secured = f" session={self.frame.session_id:04X}" if self.frame.secured else ""
        words = [f"txn={self.frame.txn}{retry}{secured}"]
        if self.nak is not None:
            words += _nak_words(self.frame.opcode, self.nak)
        elif self.message is not None:
            words += ["OK"] if self.direction == "answer" else []
            words += [f"{name}={value}" for name, value in field_words(self.message)]
        else:
            words += [f"payload={self.frame.payload.hex()}"] if self.frame.payload else []
        return " ".join(words + ([f"({self.problem})"] if self.problem else []))


def name_of(frame: Frame) -> tuple[str, str]:
    """Name and effect of a frame's operation; one that this version does not know is named by its number."""
    names = _EVENT_NAMES if frame.flags in EVENT_FLAGS else _NAMES
    return names.get(frame.opcode) or (f"{frame.opcode:04X}", "")


def explain(body: bytes, plain: bytes | None = None) -> Explained:
    """The words for a body (header to tag). Raises FrameError when it is no frame.

    `plain` is the payload of a secured frame in the clear, for who holds its keys.
    """
    frame = parse_body(body)
    name, effect = name_of(frame)
    direction = "event" if Flag.EVENT in frame.flags else "answer" if Flag.RESP in frame.flags else "request"
    known = Explained(name=name, direction=direction, effect=effect, frame=frame)
    if frame.secured and plain is None:
        return replace(known, problem="secured")
    if frame.major != MAJOR:
        return replace(known, problem=f"major version {frame.major}, not {MAJOR}", problem_at=0)
    payload = frame.payload if plain is None else plain
    if direction == "answer":
        if not payload:
            return replace(known, problem="an answer without its result byte")
        if payload[0] != OK:
            return _refused(known, payload)
        payload = payload[1:]
    message_class = _class_of(frame, direction, payload, secured=plain is not None)
    if message_class is None:
        what = "event" if direction == "event" else "operation"
        return replace(known, problem=f"unknown {what}", problem_at=OPCODE_OFFSET)
    try:
        return replace(known, message=decode(message_class, payload))
    except FormatError as error:
        at = HEADER_SIZE + (direction == "answer")
        return replace(
            known, problem=f"no {message_class.__name__}: {error.reason}", problem_at=_place(message_class, error, at)
        )


def _class_of(frame: Frame, direction: str, payload: bytes, *, secured: bool) -> type[Any] | None:
    """What a payload is, result byte aside; None for what this version does not know."""
    if direction == "event":
        told = ANNOUNCEMENTS.get(frame.opcode)
        return told.message if told else None
    operation = by_opcode.get(frame.opcode)
    if operation is None or direction == "request":
        return operation.request if operation else None
    reduced = None if secured else operation.reduced
    if reduced is not None and len(payload) == layout_of(reduced).fixed_size:
        return reduced
    return operation.answer


def reject_words(fault: LineFault | None, body: bytes | None) -> str:
    """Why a piece of the stream is no acceptable frame; empty when it is one."""
    if fault is not None:
        return FAULT_WORDS[fault]
    if body is None:
        return ""
    try:
        parse_body(body)
    except FrameError as error:
        return FAULT_WORDS[error.fault]
    return ""


def field_words(message: object) -> tuple[tuple[str, str], ...]:
    """Names and values of a message's fields, for people."""
    values = ((row, getattr(message, row.name)) for row in table_of(type(message)))
    return tuple((row.name, _word(value)) for row, value in values if row.present is None or value is not None)


def _place(message_class: type[Any], error: FormatError, at: int) -> int | None:
    """Where the field lies that a message at an offset could not be read for."""
    table = table_of(message_class)
    offset = table[error.field].offset if error.field < len(table) else None
    return None if offset is None else at + offset


def _refused(known: Explained, payload: bytes) -> Explained:
    try:
        return replace(known, nak=Nak.decode(payload))
    except ValueError as error:
        return replace(known, problem=f"no known NAK: {error}", problem_at=HEADER_SIZE)


def _nak_words(opcode: int, nak: Nak) -> list[str]:
    """A refusal, the name of the field that it is about, and what it names."""
    operation = by_opcode.get(opcode)
    table = table_of(operation.request) if operation else ()
    words = [f"NAK {nak.code:02X} {nak.code.name}: {REFUSALS[nak.code].meaning};"]
    if nak.field != NO_FIELD:
        words.append(f"field={table[nak.field].name if nak.field < len(table) else nak.field}")
    words += [f"detail={nak.detail}"] if nak.detail else []
    return words + ([f"element={nak.element}"] if nak.element else [])


def _word(value: object) -> str:
    if isinstance(value, IntFlag):
        names = [flag.name or "" for flag in type(value) if flag in value]
        return "|".join(names) if names else "0"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return "[" + ", ".join(_record_words(item) for item in value) + "]"
    return str(value)


def _record_words(item: object) -> str:
    words = dict(field_words(item))
    if isinstance(item, LogRecord):
        try:
            detail = data_of(item)
        except FormatError:
            detail = None
        if detail is not None:
            del words["data"], words["type"]
            words = {"record": type(detail).__name__.removesuffix("Data"), **words, **dict(field_words(detail))}
    return "{" + " ".join(f"{name}={value}" for name, value in words.items()) + "}"
