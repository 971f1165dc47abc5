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

import protocol.explain
from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.wording import document_of, summary_of, summary_of_nak
from protocol.channel import counter_of
from protocol.explain import explain as explain_body
from protocol.explain import reject_words
from protocol.frame import Flag
from protocol.framing import Piece, StreamReader

MAX_INPUT_BYTES = 64 << 20
READ_BYTES = 1 << 16

_COMMENT = re.compile(r"(?:#|//|;).*")
_PREFIX = re.compile(r"0[xX]|\\x")
_SEPARATORS = re.compile(r"[\s,:_\-]+")
_HEX_TEXT = re.compile(rb"[0-9A-Fa-fxX\\\s,:_\-]*")


@dataclass(frozen=True, slots=True)
class Explained:
    """A stretch of bytes: a frame with its name and fields, or something else and why it is none.

    direction   request, answer, event; empty when it is no frame
    session     of a secured frame: what is in it, only its keys tell
    counter     of a secured frame, as its sender says it
    rejected    why it is no good frame; empty for a good one
    """

    offset: int
    raw: bytes
    name: str = ""
    direction: str = ""
    retry: bool = False
    txn: int | None = None
    address: int | None = None
    session: int | None = None
    counter: int | None = None
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
        if self.session is not None:
            document |= {"session": f"{self.session:04X}", "counter": self.counter}
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
    rejected = reject_words(piece.fault, piece.body)
    if rejected or piece.body is None:
        return Explained(offset, piece.raw, rejected=rejected)
    told = explain_body(piece.body)
    secured = Flag.SECURED in told.frame.flags
    return Explained(
        offset=offset,
        raw=piece.raw,
        name=told.name,
        direction=told.direction,
        retry=Flag.RETRY in told.frame.flags,
        txn=told.frame.txn,
        address=told.frame.address,
        session=told.frame.session_id if secured else None,
        counter=counter_of(told.frame) if secured else None,
        summary=_sealed_summary(told) if secured else _summary(told),
        fields=_fields(told),
        rejected="" if secured else told.problem,
    )


def _sealed_summary(told: protocol.explain.Explained) -> str:
    frame = told.frame
    return f"{told.problem}: session {frame.session_id:04X}, counter {counter_of(frame)}, {len(frame.payload)} bytes"


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
    "Input that consists of hex digits is read as hex, anything else as raw bytes. What is in a\n"
    "secured frame, only the keys of its session tell: its header is explained, no more."
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
