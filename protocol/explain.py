"""A frame in words: which operation, which way, its fields, and what is wrong with it. For trace, decode and send."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntFlag

from protocol.fields import FormatError, decode, table_of
from protocol.frame import Flag, Frame, FrameError, parse_body
from protocol.framing import LineFault
from protocol.messages.log import LogRecord
from protocol.messages.log_records import data_of
from protocol.messages.operations import by_opcode
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
}
"""Why bytes were dropped in silence, for people."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A good frame in words. `answer`: which way it goes. `problem`: why its payload is not what it should be."""

    name: str
    answer: bool
    effect: str
    frame: Frame
    verdict: str
    fields: tuple[tuple[str, str], ...]
    problem: str = ""

    @property
    def summary(self) -> str:
        """One line: txn, verdict, fields."""
        retry = " RETRY" if Flag.RETRY in self.frame.flags else ""
        words = [f"txn={self.frame.txn}{retry}", self.verdict, *(f"{name}={value}" for name, value in self.fields)]
        return " ".join([word for word in words if word] + ([f"({self.problem})"] if self.problem else []))


def explain(body: bytes) -> Explained:
    """The words for a body (header to tag). Raises FrameError when it is no frame."""
    frame = parse_body(body)
    answer = Flag.RESP in frame.flags
    operation = by_opcode.get(frame.opcode)
    name = operation.name if operation else f"{frame.opcode:04X}"
    effect = operation.effect.value if operation else ""
    payload, verdict = frame.payload, ""
    message_class = operation.request if operation else None
    if Flag.SECURED in frame.flags:
        return Explained(name, answer, effect, frame, "", (), "secured")
    if answer:
        if payload[:1] != bytes((OK,)):
            return _refused(name, effect, frame)
        payload, verdict, message_class = payload[1:], "OK", operation.answer if operation else None
    if message_class is None:
        return Explained(name, answer, effect, frame, verdict, (("payload", payload.hex()),), "unknown operation")
    try:
        message: object = decode(message_class, payload)
    except FormatError as error:
        return Explained(name, answer, effect, frame, verdict, (("payload", payload.hex()),), error.reason)
    return Explained(name, answer, effect, frame, verdict, field_words(message))


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
    return tuple((row.name, _word(getattr(message, row.name))) for row in table_of(type(message)))


def _refused(name: str, effect: str, frame: Frame) -> Explained:
    try:
        nak = Nak.decode(frame.payload)
    except (FormatError, ValueError) as error:
        return Explained(name, True, effect, frame, "NAK", (("payload", frame.payload.hex()),), str(error))
    operation = by_opcode.get(frame.opcode)
    table = table_of(operation.request) if operation else ()
    fields = [("detail", str(nak.detail))] if nak.detail else []
    if nak.field != NO_FIELD:
        fields.insert(0, ("field", table[nak.field].name if nak.field < len(table) else str(nak.field)))
    if nak.element:
        fields.append(("element", str(nak.element)))
    verdict = f"NAK {nak.code:02X} {nak.code.name}: {REFUSALS[nak.code].meaning};"
    return Explained(name, True, effect, frame, verdict, tuple(fields))


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
