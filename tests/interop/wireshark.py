"""What tshark makes of frames with our dissector, in the shape of `our_reading`."""

from __future__ import annotations

import enum
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.export.catalogue import all_classes, snake
from protocol.export.lua import lua
from protocol.field_types import BlobType, CodedType, IntegerType, TextType
from protocol.fields import Field, PlacesType, RecordsType, layout_of
from protocol.framing import LineFault
from protocol.messages.log import LogRecord
from tests.interop.our_reading import REJECTED, bits_of

LINK_TYPE_USER0 = 147
DEADLINE_S = 300
UNKNOWN_FLOW, INBOUND, OUTBOUND = 0, 1, 2
"""The directions of pcapng's packet flags."""
_CLASS_OF = {snake(cls.__name__): cls for cls in all_classes()}
# What an expert says of a frame that must not be read, and of one that may.
_EXPERTS_AGAINST = {
    *(f"vpump.rejected.{fault.value}" for fault in LineFault),
    "vpump.unreadable",
    "vpump.unfinished",
}
_EXPERTS = _EXPERTS_AGAINST | {"vpump.wrong_way", "vpump.unknown", "vpump.refused", "vpump.odd_record", "vpump.sealed"}


def missing() -> str | None:
    """Why tshark cannot run here; None when it can."""
    return None if shutil.which("tshark") else "tshark is not installed: run scripts/install-test-tools"


@dataclass(frozen=True)
class Dissected:
    """One frame in a packet: what it holds, and the abbreviations of what the experts say of it."""

    reading: dict[str, Any]
    experts: tuple[str, ...]
    info: str
    way: str

    @property
    def against(self) -> tuple[str, ...]:
        """The experts that say that it must not be read."""
        return tuple(name for name in self.experts if name in _EXPERTS_AGAINST)


def dissect(packets: Sequence[bytes], directory: Path, flow: int = UNKNOWN_FLOW) -> list[list[Dissected]]:
    """What tshark tells of each packet, frame by frame; all of them go one way. A packet is at least one byte long."""
    capture = directory / "frames.pcapng"
    capture.write_bytes(_file(packets, flow))
    return dissect_capture(capture, directory)


def dissect_capture(capture: Path, directory: Path) -> list[list[Dissected]]:
    """The same of the packets in a file, with the dissector as it is now."""
    dissector = directory / "vpump.lua"
    dissector.write_text(lua(), encoding="utf-8")
    # -n: no names of hosts are asked for. A home of its own: nobody's plugins and preferences matter here.
    command = ("tshark", "-n", "-X", f"lua_script:{dissector}", "-r", str(capture), "-T", "pdml")
    done = subprocess.run(
        command,
        env={"HOME": str(directory), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert b"Lua Error" not in done.stdout, re.findall(rb"Lua Error[^\"]*", done.stdout)[0]
    document = ET.fromstring(done.stdout)  # noqa: S314 - tshark wrote it a moment ago
    return [[_dissected(proto) for proto in packet if proto.get("name") == "vpump"] for packet in document]


def _file(packets: Sequence[bytes], flow: int) -> bytes:
    """The least pcapng that Wireshark takes: a section, an interface, and packets with their flags."""
    section = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = _block(1, struct.pack("<HHI", LINK_TYPE_USER0, 0, 0))
    flags = struct.pack("<HHIHH", 2, 4, flow, 0, 0)
    blocks = []
    for number, packet in enumerate(packets):
        head = struct.pack("<IIIII", 0, 0, number, len(packet), len(packet))
        blocks.append(_block(6, head + packet + bytes(-len(packet) % 4) + flags))
    return section + interface + b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _dissected(proto: ET.Element) -> Dissected:
    experts = tuple(name for field in proto.iter("field") if (name := field.get("name", "")) in _EXPERTS)
    way = next((field.get("show", "") for field in proto.iter("field") if field.get("name") == "vpump.way"), "")
    return Dissected(_reading(proto, experts), experts, proto.get("showname", ""), way)


def _reading(proto: ET.Element, experts: tuple[str, ...]) -> dict[str, Any]:
    if any(name in _EXPERTS_AGAINST for name in experts):
        return REJECTED
    found = {field.get("name", ""): field for field in proto.iter("field")}

    def number(name: str) -> int:
        return int(found[f"vpump.{name}"].get("show", ""), 0)

    told: dict[str, Any] = {"#": "Vpump", "behind": ""}
    told |= {name: bool(number(name)) for name in ("resp", "event", "retry", "secured")}
    told |= {name: number(name) for name in ("major", "txn", "opcode", "address", "crc32")}
    told |= {"sessionid": number("session_id"), "lenpayload": number("length")}
    assert number("operation") == told["opcode"] & 0x7FFF
    if told["secured"]:
        counter = number("counter")
        told |= {"counterlow": counter & 0xFFFFFFFF, "counterhigh": counter >> 32, "tag": _bytes(found["vpump.tag"])}
        return {**told, "sealedpayload": _bytes(found.get("vpump.sealed_payload"))}
    payload = {"#": "Payload", "secured": False, **{name: told[name] for name in ("opcode", "event", "major")}}
    payload["laterfields"] = _bytes(found.get("vpump.later_fields"))
    if "vpump.result" in found:
        payload["result"] = number("result")
    if "vpump.nak.field" in found:
        refusal = {name: number(f"nak.{name}") for name in ("field", "element", "detail")}
        payload["refusal"] = {"#": "Refusal", **refusal}
    elif "vpump.message" in found:
        message = found["vpump.message"]
        payload["message"] = _fields(message.get("show", ""), message)
    else:
        payload["message"] = {"#": "UnknownPayload", "raw": _bytes(found.get("vpump.unknown_payload"))}
    return {**told, "payload": payload}


def _fields(type_name: str, parent: ET.Element) -> dict[str, Any]:
    """The fields of a message, read from the elements right below the one that stands for it."""
    cls = _CLASS_OF[type_name]
    shown = {child.get("name", ""): child for child in parent}
    told: dict[str, Any] = {"#": cls.__name__}
    for field in layout_of(cls).fields:
        if f"vpump.{type_name}.{field.name}" not in shown and field.present is not None:
            continue
        told |= _field(field, f"vpump.{type_name}.{field.name}", shown)
    if layout_of(cls).ends_with_crc32:
        told["crc32"] = int(shown[f"vpump.{type_name}.crc32"].get("show", ""), 0)
    if cls is LogRecord:
        data = shown.get("vpump.record")
        told["record"] = None if data is None else _fields(data.get("show", ""), data)
    return told


def _field(field: Field, abbreviation: str, row: Mapping[str, ET.Element]) -> dict[str, Any]:
    name, kind = field.name.replace("_", ""), field.kind
    if isinstance(kind, BlobType):
        # Of no bytes only their number is shown.
        length = int(row[f"{abbreviation}_length"].get("show", ""))
        return {f"len{name}": length, name: _bytes(row[abbreviation] if length else None)}
    shown = row[abbreviation]
    text = shown.get("show", "")
    match kind:
        case RecordsType() | PlacesType():
            items = [_fields(snake(kind.item.__name__), child) for child in shown]
            assert len(items) == int(text)
            return ({f"num{name}": len(items)} if isinstance(kind, RecordsType) else {}) | {name: items}
        case TextType():
            return {name: text}
        case CodedType() if issubclass(kind.code, enum.IntFlag):
            told = bits_of(kind, int(text, 0))
            ticked = {child.get("name", "").rsplit(".", 1)[1]: child.get("show") == "1" for child in shown}
            assert {bit.replace("_", ""): on for bit, on in ticked.items()} == {
                bit: on for bit, on in told.items() if isinstance(on, bool)
            }
            return {name: told}
        case IntegerType() | CodedType():
            return {name: int(text, 0)}
    return {name: _bytes(shown)}


def _bytes(shown: ET.Element | None) -> str:
    return "" if shown is None else shown.get("show", "").replace(":", "")
