"""Recordings of our own protocol in words: what `decode` and `send` show of each frame, opened where keys are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import IntEnum, IntFlag
from typing import Any

import protocol.explain
from emulator.cli.wording import IN_HEX, document_of, names_of, summary_of, summary_of_nak, text_of
from emulator.vpump_wire import VpumpCutter, VpumpFrame
from emulator.wire import Direction, FieldRow, FrameCutter, FrameWords, WireFrame
from protocol.channel import counter_of
from protocol.diagnosis import diagnose, flipped_bit, place_on_wire
from protocol.frame import Flag, parse_body
from protocol.framing import LineFault
from protocol.listener import KeysOf, Listener, Overheard
from protocol.places import Place, behind_known_fields, places_of

_HEX_WIDTH = {"opcode": 4, "address": 8, "session id": 4, "crc32": 8}


class VpumpDecoder:
    """Explains frames in the order in which they passed.

    keys_of   which keys a pump may have: with them, what is in a secured frame can be told
    thorough  also look for the one bit that would make a frame of bytes that are none, and give every field its row
    """

    def __init__(self, keys_of: KeysOf = lambda _: (), *, thorough: bool = False) -> None:
        self._listener = Listener(keys_of)
        self._thorough = thorough

    def cutter(self, direction: Direction | None) -> FrameCutter:
        """A new cutter: every frame says itself which way it goes."""
        return _DiagnosingCutter(direction or Direction.REQUEST, thorough=self._thorough)

    def explain(self, frame: WireFrame) -> FrameWords:
        """What a good frame says, the wire's header first."""
        if not isinstance(frame, VpumpFrame) or frame.piece.body is None:
            raise TypeError(f"no good frame of this protocol: {frame!r}")
        header = parse_body(frame.piece.body)
        heard = self._listener.hear(header)
        secured = Flag.SECURED in header.flags
        told = protocol.explain.explain(frame.piece.body, heard.plain if secured else None)
        retry, address = Flag.RETRY in header.flags, f"{header.address:08X}"
        words = f"{'retry ' if retry else ''}txn={header.txn} address={address}"
        document: dict[str, Any] = {"retry": retry, "txn": header.txn, "address": address, "fields": _fields(told)}
        if secured:
            session, counter = f"{header.session_id:04X}", counter_of(header)
            document |= {"session": session, "counter": counter}
            if heard.plain is None:
                words += f"  secured: session {session}, counter {counter}, {len(header.payload)} bytes"
            else:
                words += f" session={session} counter={counter}"
        if heard.plain is not None:
            words = f"{words}  {_summary(told)}".rstrip()
        document |= _overheard_document(heard)
        remarks = _remarks(heard)
        if heard.plain is not None and (unknown := behind_known_fields(told, heard.plain)):
            document["behind_known_fields"] = unknown.hex()
            remarks.append(f"{len(unknown)} bytes behind the last field that is known here: {unknown.hex(' ')}")
        if remarks:
            words += f"  ({'; '.join(remarks)})"
        problem = heard.problem or ("" if heard.plain is None else told.problem)
        at = None if told.problem_at is None or heard.problem else place_on_wire(frame.piece, told.problem_at)
        rows = tuple(map(_row, places_of(told, heard.plain if secured else None))) if self._thorough else ()
        return FrameWords(told.direction, words, document, problem, at, rows)

    def unfinished(self, rest: bytes) -> str:
        """Why the bytes at the end are no frame yet; spare delimiters mean nothing."""
        return f"unfinished: {len(rest)} bytes without a final 00" if rest.strip(b"\x00") else ""


class _DiagnosingCutter(VpumpCutter):
    """A cutter that says of a piece that is no frame not only what is wrong, but where."""

    def __init__(self, direction: Direction, *, thorough: bool) -> None:
        super().__init__(direction)
        self._thorough = thorough

    def feed(self, data: bytes, now: int) -> Iterable[WireFrame]:
        """See FrameCutter."""
        return (self._diagnosed(frame) if frame.rejected else frame for frame in super().feed(data, now))

    def _diagnosed(self, frame: WireFrame) -> WireFrame:
        found = diagnose(frame.piece) if isinstance(frame, VpumpFrame) else None
        if found is None or not isinstance(frame, VpumpFrame):
            return frame
        hint = ""
        if self._thorough and found.fault in (LineFault.COBS, LineFault.CRC):
            hint = flipped_bit(frame.piece)
        words = f"{frame.rejected}: {found.words}" + (f"; {hint}" if hint else "")
        return replace(frame, rejected=words, at=found.place)


def _overheard_document(heard: Overheard) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if heard.role is not None:
        document |= {"role": heard.role.name.lower(), "host_id": f"{heard.host_id:08X}"}
    if heard.skipped:
        document["skipped"] = heard.skipped
    if heard.remark:
        document["remark"] = heard.remark
    return document


def _remarks(heard: Overheard) -> list[str]:
    remarks = [heard.remark] if heard.remark else []
    if heard.skipped:
        remarks.append(f"{heard.skipped} of this session's frames before it are missing")
    return remarks


def _summary(told: protocol.explain.Explained) -> str:
    if told.nak is not None:
        return summary_of_nak(told.nak)
    if told.message is None:
        return ""
    return f"OK {summary_of(told.message)}".strip() if told.direction == "answer" else summary_of(told.message)


def _fields(told: protocol.explain.Explained) -> dict[str, Any] | None:
    if told.nak is not None:
        nak = told.nak
        return {"nak": nak.code.name.lower(), "field": nak.field, "element": nak.element, "detail": nak.detail}
    return None if told.message is None else document_of(told.message)


def _row(place: Place) -> FieldRow:
    value = _value_text(place)
    text = text_of(place.value, place.unit) if place.unit and isinstance(place.value, int) else ""
    said_already = text.startswith(value) and not text[len(value) :].lstrip(" ")[:1].isdigit()
    return FieldRow(place.offset, place.name, value, place.unit, "" if said_already else text)


def _value_text(place: Place) -> str:
    """The value as the wire has it: a number, and its name where it has one."""
    value, name = place.value, place.name.rpartition(".")[2]
    if isinstance(value, IntFlag):
        names = ", ".join(names_of(value))
        return f"{int(value):#x} {names}" if names else "0"
    if isinstance(value, IntEnum):
        return f"{int(value):#x} {value.name.lower()}"
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, int) and (name in _HEX_WIDTH or name in IN_HEX):
        return f"{value:0{_HEX_WIDTH.get(name, 8)}X}"
    return str(value)
