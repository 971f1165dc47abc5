"""`vpump decode`: explains bytes of the line, frame by frame, and says why others are none."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.wording import document_of, summary_of, summary_of_nak
from protocol.fields import FormatError
from protocol.fields import decode as decode_payload
from protocol.frame import MAJOR, Flag, Frame, FrameError, parse_body
from protocol.framing import LineFault, Piece, StreamReader
from protocol.messages.operations import by_opcode
from protocol.refusals import OK, Nak

MAX_INPUT_BYTES = 64 << 20
READ_BYTES = 1 << 16

_FAULT_TEXT = {
    LineFault.COBS: "the COBS coding is broken",
    LineFault.CRC: "the CRC-32 does not match",
    LineFault.SHORT: "shorter than a header and its CRC",
    LineFault.LENGTH: "the length is not the header's",
    LineFault.FLAGS: "the flags contradict each other or the opcode",
    LineFault.OVERSIZE: "255 bytes without a delimiter",
    LineFault.VERSION: "another major version",
    LineFault.ADDRESS: "another address",
}

_COMMENT = re.compile(r"(?:#|//|;).*")
_PREFIX = re.compile(r"0[xX]|\\x")
_SEPARATORS = re.compile(r"[\s,:_\-]+")
_HEX_TEXT = re.compile(rb"[0-9A-Fa-fxX\\\s,:_\-]*")


@dataclass(frozen=True, slots=True)
class Explained:
    """A stretch of bytes: a frame with its name and fields, or something else and why it is none.

    direction   request, answer, event; empty when it is no frame
    rejected    why it is no good frame; empty for a good one
    """

    offset: int
    raw: bytes
    name: str = ""
    direction: str = ""
    retry: bool = False
    txn: int | None = None
    address: int | None = None
    summary: str = ""
    fields: dict[str, Any] | None = None
    rejected: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        document: dict[str, Any] = {"offset": self.offset, "raw": self.raw.hex()}
        if self.rejected:
            document["rejected"] = self.rejected
        if self.name:
            address = f"{self.address:08X}"
            document |= {"name": self.name, "direction": self.direction, "retry": self.retry}
            document |= {"txn": self.txn, "address": address, "fields": self.fields}
        return document

    def line(self) -> str:
        """For people."""
        head = f"{self.offset:>6}"
        if not self.name:
            return f"{head}  rejected: {self.rejected}  {self.raw.hex(' ')}"
        named = f"{self.name} retry" if self.retry else self.name
        told = f"rejected: {self.rejected}" if self.rejected else self.summary
        return f"{head}  {self.direction:<7}  {named} txn={self.txn} address={self.address:08X}  {told}".rstrip()


def explain(stream: bytes, offset: int = 0) -> list[Explained]:
    """All that a stream holds, an unfinished rest included; spare delimiters and skipped bytes are left out."""
    explainer = Explainer(offset)
    return [*explainer.feed(stream), *explainer.rest()]


class Explainer:
    """Explains a stream that arrives in pieces."""

    def __init__(self, offset: int = 0) -> None:
        self._reader = StreamReader()
        self._offset = offset
        self._held = b""

    def feed(self, data: bytes) -> Iterator[Explained]:
        """What is complete with these bytes."""
        self._held += data
        for piece in self._reader.feed(data):
            at = self._offset
            self._offset += len(piece.raw)
            self._held = self._held[len(piece.raw) :]
            if piece.body is not None or piece.fault is not None:
                yield _explain_piece(at, piece)

    def rest(self) -> Iterator[Explained]:
        """What has begun and not ended."""
        if self._held.strip(b"\x00"):
            yield Explained(
                self._offset, self._held, rejected=f"unfinished: {len(self._held)} bytes without a final 00"
            )


def _explain_piece(offset: int, piece: Piece) -> Explained:
    if piece.body is None:
        reason = _FAULT_TEXT[piece.fault] if piece.fault is not None else "no frame"
        return Explained(offset, piece.raw, rejected=reason)
    try:
        frame = parse_body(piece.body)
    except FrameError as error:
        return Explained(offset, piece.raw, rejected=_FAULT_TEXT[error.fault])
    name, summary, fields, rejected = _explain_frame(frame)
    return Explained(
        offset=offset,
        raw=piece.raw,
        name=name,
        direction="event" if Flag.EVENT in frame.flags else "answer" if Flag.RESP in frame.flags else "request",
        retry=Flag.RETRY in frame.flags,
        txn=frame.txn,
        address=frame.address,
        summary=summary,
        fields=fields,
        rejected=rejected,
    )


def _explain_frame(frame: Frame) -> tuple[str, str, dict[str, Any] | None, str]:
    """Name, summary, fields, and why it is no good message."""
    operation = by_opcode.get(frame.opcode)
    name = operation.name if operation is not None else f"{frame.opcode:04X}"
    payload = frame.payload
    if frame.major != MAJOR:
        return name, "", None, f"major version {frame.major}, not {MAJOR}"
    if Flag.SECURED in frame.flags:
        return name, f"secured, session {frame.session_id:04X}, {len(payload)} bytes enciphered", None, ""
    if Flag.RESP in frame.flags:
        if not payload:
            return name, "", None, "an answer without its result byte"
        if payload[0] != OK:
            return name, *_explain_nak(payload)
        payload = payload[1:]
    if operation is None:
        return name, f"unknown operation, payload {payload.hex(' ')}", None, ""
    message_class: type[Any] = operation.answer if Flag.RESP in frame.flags else operation.request
    try:
        message: Any = decode_payload(message_class, payload)
    except FormatError as error:
        return name, "", None, f"no {message_class.__name__}: {error.reason}"
    told = summary_of(message)
    return name, f"OK {told}".strip() if Flag.RESP in frame.flags else told, document_of(message), ""


def _explain_nak(payload: bytes) -> tuple[str, dict[str, Any] | None, str]:
    try:
        nak = Nak.decode(payload)
    except ValueError:
        return "", None, f"no known NAK: {payload.hex(' ')}"
    document = {"nak": nak.code.name.lower(), "field": nak.field, "element": nak.element, "detail": nak.detail}
    return summary_of_nak(nak), document, ""


def bytes_of_hex(text: str) -> bytes:
    """Hex digits to bytes: spaces, commas, colons, 0x and comments (# // ;) do not matter; raises UsageFailure."""
    found = bytearray()
    for number, line in enumerate(text.splitlines(), start=1):
        bare = _PREFIX.sub(" ", _COMMENT.sub("", line))
        for word in _SEPARATORS.split(bare):
            if not word:
                continue
            try:
                # Bytes that were written one by one may lack their leading zero; longer words may not.
                found += bytes.fromhex(word.zfill(2) if len(word) == 1 else word)
            except ValueError:
                raise UsageFailure(
                    f"line {number}: '{word[:32]}' is no hex; allowed are pairs of 0 to 9 and a to f."
                ) from None
    return bytes(found)


def _is_hex_text(data: bytes) -> bool:
    bare = b"\n".join(re.sub(rb"(?:#|//|;).*", b"", line) for line in data.splitlines())
    return _HEX_TEXT.fullmatch(bare) is not None and bool(bare.strip())


@click.command(
    epilog="\b\nExamples:\n  echo '00 02 10 07 01 01 …' | vpump decode\n  vpump decode capture.bin --json\n\n"
    "Input that consists of hex digits is read as hex, anything else as raw bytes."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--format", "form", type=click.Choice(["auto", "hex", "raw"]), default="auto", help="What it is (auto).")
@json_option
def decode(file: Path | None, form: str) -> None:
    """Explain bytes: hex on standard input, or FILE with hex or a raw capture; with --json, a document per line."""
    data = _read(file)
    if form == "hex" or (form == "auto" and (_is_hex_text(data) or (file is None and _is_text(data)))):
        data = bytes_of_hex(data.decode("utf-8", errors="replace"))
    if not data:
        raise UsageFailure("there are no bytes to decode; give hex on standard input, or a FILE.")
    explainer = Explainer()
    for start in range(0, len(data), READ_BYTES):
        _show(explainer.feed(data[start : start + READ_BYTES]))
    _show(explainer.rest())


def _is_text(data: bytes) -> bool:
    """Whether somebody typed it; what is typed on standard input is meant as hex, and wrong hex is said so."""
    return all(byte in b"\t\r\n" or 0x20 <= byte < 0x7F for byte in data)


def _read(file: Path | None) -> bytes:
    if file is None:
        data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    else:
        with file.open("rb") as opened:
            data = opened.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        raise UsageFailure(f"the input has more than {MAX_INPUT_BYTES} bytes; decode it in parts.")
    return data


def _show(found: Iterator[Explained]) -> None:
    for each in found:
        click.echo(json.dumps(each.document()) if json_requested() else each.line())
