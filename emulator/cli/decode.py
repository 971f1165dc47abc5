"""`vpump decode`: explains what was recorded of a line, frame by frame, and says why the rest is none."""

from __future__ import annotations

import codecs
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, cast

import click
from click.core import ParameterSource

from emulator import OUR_PROTOCOL
from emulator.capture.explainer import Explained, Explainer, PacketExplainer
from emulator.capture.hex_text import HexError, HexText, is_hex
from emulator.capture.pcapng import LINKTYPE_USER0
from emulator.capture.reader import PCAP_MAGICS, SECTION_START, CaptureError, Interface, PcapngReader
from emulator.cli.connection import json_option
from emulator.cli.decode_view import document_of, lines_of
from emulator.cli.errors import UsageFailure, json_requested, say
from emulator.cli.speaking import protocol_failures, protocol_named, protocol_option
from emulator.wire import Decoder, DecoderSetting, Direction

READ_BYTES: Final = 1 << 16
SNIFFED_BYTES: Final = 4096
"""By so many first bytes at most it is known what the input is."""
USER_LINK_TYPES: Final = range(LINKTYPE_USER0, LINKTYPE_USER0 + 16)
"""What a packet of a line can be captured as: for private use, so each may be ours."""


class _Readable(Protocol):
    """Gives what is there, and waits only while nothing is."""

    def read1(self, size: int, /) -> bytes: ...


Explain = Callable[[Iterator[bytes], Decoder, Direction | None], Iterator[Explained]]


@click.command(
    epilog="\b\nExamples:\n"
    "  vpump decode pump.pcapng                     what 'vpump serve --capture' has written\n"
    "  vpump decode pump.pcapng --keys keys.toml    the same, of a pump that has keys of its own\n"
    "  vpump decode -v < frames.hex                 hex, with a table of all fields of each frame\n"
    "  vpump decode line.bin --json                 raw bytes of a line; a document per frame\n"
    "  tail -c +1 -f pump.pcapng | vpump decode     while it is being written\n"
    "  vpump decode line.bin --protocol NAME        of a pump that speaks another protocol\n\n"
    "Sealed frames are opened if their handshake was recorded, too, from HELLO on, and the pump has the\n"
    "published test keys or keys that stand in --keys FILE."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "hex", "raw", "pcapng"]),
    default="auto",
    help="What it is. [default: as its first bytes tell]",
)
@click.option(
    "--keys",
    "key_file",
    metavar="FILE",
    envvar="VPUMP_KEYS",
    type=click.Path(path_type=Path),
    help="Keys of your pumps ('vpump keys --help'), to open sealed frames; else VPUMP_KEYS.",
)
@click.option(
    "-v", "--verbose", is_flag=True, help="A table for each frame: offset, name, value and unit of all fields."
)
@click.option(
    "--direction",
    type=click.Choice([Direction.REQUEST.value, Direction.ANSWER.value]),
    help="Who spoke, for hex or raw bytes of a protocol whose frames do not say so. [default: unknown, or both]",
)
@protocol_option(default=OUR_PROTOCOL)
@json_option
@click.pass_context
def decode(
    context: click.Context,
    file: Path | None,
    form: str,
    key_file: Path | None,
    verbose: bool,
    direction: str | None,
    protocol: str,
) -> None:
    """Explain what was recorded of a line: FILE, or standard input; hex, raw bytes, or pcapng."""
    spoken = protocol_named(protocol)
    if spoken.plugin.read_keys is None and context.get_parameter_source("key_file") is ParameterSource.ENVIRONMENT:
        # The environment speaks of all pumps, and not of this one.
        key_file = None
    with protocol_failures():
        decoder = spoken.new_decoder(DecoderSetting(key_file=key_file, thorough=verbose))
        speaker = Direction(direction) if direction else None
        if file is None:
            _decode(cast("_Readable", sys.stdin.buffer), form, decoder, speaker, from_file=False, verbose=verbose)
            return
        with file.open("rb") as opened:
            _decode(opened, form, decoder, speaker, from_file=True, verbose=verbose)


def bytes_of_hex(text: str) -> bytes:
    """Hex digits to bytes; raises UsageFailure."""
    reader = HexText()
    try:
        return b"".join(reader.feed(text)) + reader.end()
    except HexError as error:
        raise UsageFailure(str(error)) from None


def _decode(
    stream: _Readable, form: str, decoder: Decoder, speaker: Direction | None, *, from_file: bool, verbose: bool
) -> None:
    out = sys.stdout

    def chunks() -> Iterator[bytes]:
        while chunk := _read(stream):
            yield chunk
            # Whoever watches sees all that there is to see before more is waited for.
            out.flush()

    coming, head = chunks(), b""
    while form == "auto":
        chunk = next(coming, b"")
        head += chunk
        form = form_of(head, ended=not chunk, from_file=from_file)
    try:
        for explained in _FORMS[form](itertools.chain([head], coming), decoder, speaker):
            if json_requested():
                out.write(json.dumps(document_of(explained, verbose=verbose)) + "\n")
            else:
                out.writelines(f"{line}\n" for line in lines_of(explained, verbose=verbose))
    finally:
        out.flush()


def _read(stream: _Readable) -> bytes:
    try:
        return stream.read1(READ_BYTES)
    except OSError as error:
        raise UsageFailure(f"the input cannot be read: {error.strerror or error}.") from error


def form_of(head: bytes, *, ended: bool, from_file: bool) -> str:
    """What an input is that begins with these bytes: hex, raw or pcapng; auto while more of them must be seen.

    Text on standard input is meant as hex, and wrong hex is said so; in a file it may be anything.
    """
    if any(magic.startswith(head[:4]) for magic in (SECTION_START, *PCAP_MAGICS)) and not (ended and len(head) < 4):
        return "pcapng" if len(head) >= 4 else "auto"
    if not all(byte in b"\t\r\n" or 0x20 <= byte < 0x7F for byte in head):
        return "raw"
    lines, newline, _ = head.rpartition(b"\n")
    if not (ended or newline or len(head) >= SNIFFED_BYTES):
        return "auto"
    text = (head if ended or not newline else lines).decode("ascii")
    return "hex" if not from_file or is_hex(text) else "raw"


def _explain_raw(chunks: Iterator[bytes], decoder: Decoder, speaker: Direction | None) -> Iterator[Explained]:
    explainer = Explainer(decoder, speaker)
    empty = True
    for chunk in chunks:
        empty = empty and not chunk
        yield from explainer.feed(chunk)
    if empty:
        raise UsageFailure("there are no bytes to decode; give hex on standard input, or a FILE.")
    yield from explainer.rest()


def _explain_hex(chunks: Iterator[bytes], decoder: Decoder, speaker: Direction | None) -> Iterator[Explained]:
    return _explain_raw(_bytes_in(chunks), decoder, speaker)


def _bytes_in(chunks: Iterator[bytes]) -> Iterator[bytes]:
    characters, reader = codecs.getincrementaldecoder("utf-8")("replace"), HexText()
    try:
        for chunk in chunks:
            yield from reader.feed(characters.decode(chunk))
        yield from reader.feed(characters.decode(b"", final=True))
        yield reader.end()
    except HexError as error:
        raise UsageFailure(str(error)) from None


def _explain_pcapng(chunks: Iterator[bytes], decoder: Decoder, _speaker: Direction | None) -> Iterator[Explained]:
    reader, explainer = PcapngReader(), PacketExplainer(decoder)
    strange: set[Interface] = set()
    broken: CaptureError | None = None
    try:
        for chunk in chunks:
            for packet in reader.feed(chunk):
                if packet.interface.link_type in USER_LINK_TYPES:
                    yield from explainer.feed(packet)
                elif packet.interface not in strange:
                    strange.add(packet.interface)
                    say(_strange_sentence(packet.interface))
        reader.end()
    except CaptureError as error:
        broken = error
    yield from explainer.rest()
    if broken is not None:
        raise UsageFailure(f"the capture is broken {broken}")


def _strange_sentence(interface: Interface) -> str:
    first, last = USER_LINK_TYPES[0], USER_LINK_TYPES[-1]
    named = f" ({interface.name})" if interface.name else ""
    return (
        f"interface {interface.number}{named} has link type {interface.link_type}, and a line is captured as one of "
        f"{first} to {last}; its packets are left out."
    )


_FORMS: Final[Mapping[str, Explain]] = MappingProxyType(
    {"hex": _explain_hex, "raw": _explain_raw, "pcapng": _explain_pcapng}
)
