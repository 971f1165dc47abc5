"""The parsers that Kaitai's own compiler makes of our description, in Python and in JavaScript."""

from __future__ import annotations

import enum
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import kaitaistruct  # type: ignore[import-untyped]  # it ships no types

from protocol.export.ksy import ksy
from tests.interop.our_reading import REJECTED

HERE = Path(__file__).parent / "kaitai"
MODULES = HERE / "node_modules"
INSTALL = "run scripts/install-test-tools"
OLDEST_NODE = (20, 15)
"""The first that has a CRC-32 of its own."""
DEADLINE_S = 600
LANGUAGES = ("python", "javascript")
# What a generated parser, or the reader of COBS and CRC-32 before it, says of bytes that are not as they should be.
_REFUSALS = (kaitaistruct.KaitaiStructError, EOFError, ValueError)


def missing() -> str | None:
    """Why the compiler cannot run here; None when it can."""
    node = shutil.which("node")
    if node is None:
        return f"node is not installed: {INSTALL}"
    told = subprocess.run((node, "--version"), capture_output=True, text=True, check=True).stdout
    if tuple(int(number) for number in re.findall(r"\d+", told)[:2]) < OLDEST_NODE:
        return f"node is {told.strip()}, and {'.'.join(map(str, OLDEST_NODE))} or newer is needed"
    installed = MODULES / "installed-package-lock.json"
    if not installed.exists() or installed.read_bytes() != (HERE / "package-lock.json").read_bytes():
        return f"tests/interop/kaitai/node_modules is missing or not current: {INSTALL}"
    return None


@dataclass(frozen=True)
class WholeFrame:
    """A frame, from delimiter to delimiter."""

    wire: bytes

    @property
    def line(self) -> str:
        return f"frame {self.wire.hex()}"


@dataclass(frozen=True)
class ClearPayload:
    """A payload in the clear, as a session's cipher has opened it; `opcode` with bit 15."""

    payload: bytes
    opcode: int
    is_event: bool = False
    is_secured: bool = True

    @property
    def line(self) -> str:
        return f"payload {self.opcode} {self.is_event:d} {self.is_secured:d} {self.payload.hex()}"


@dataclass(frozen=True)
class OneType:
    """The bytes of one type of the description, such as a block of a program."""

    name: str
    image: bytes

    @property
    def line(self) -> str:
        return f"type {self.name} {self.image.hex()}"


Asked = WholeFrame | ClearPayload | OneType


class Parsers:
    """Both parsers, of the description as it is now. Compiled once for each text of it."""

    def __init__(self) -> None:
        self.directory = _compiled(ksy())
        self._python: Any = _module(self.directory / "vpump.py").Vpump
        self._javascript = self.directory / "Vpump.cjs"

    def read(self, language: str, asked: Sequence[Asked]) -> Iterator[Any]:
        """What a parser makes of each of them, in order, in the shape of `our_reading`."""
        return map(self._read_python, asked) if language == "python" else self._read_javascript(asked)

    def _read_python(self, asked: Asked) -> Any:
        try:
            return _dump(self._parse(asked))
        except _REFUSALS:
            return REJECTED

    def _parse(self, asked: Asked) -> Any:
        match asked:
            case WholeFrame(wire):
                frame = self._python.from_bytes(_checked(_undo_cobs(wire[1:-1])))
                for record in getattr(getattr(getattr(frame, "payload", None), "message", None), "_raw_records", ()):
                    _checked(record)
                return frame
            case ClearPayload(payload, opcode, is_event, is_secured):
                stream = kaitaistruct.KaitaiStream(BytesIO(payload))
                return self._python.Payload(opcode, is_event, is_secured, 1, stream)
            case OneType(name, image):
                return getattr(self._python, name).from_bytes(image)

    def _read_javascript(self, asked: Sequence[Asked]) -> Iterator[Any]:
        command = ("node", str(HERE / "decode.mjs"), str(self._javascript))
        done = subprocess.run(
            command,
            input="".join(f"{each.line}\n" for each in asked),
            env=os.environ | {"NODE_PATH": str(MODULES)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
        )
        for line in done.stdout.splitlines():
            told = json.loads(line)
            yield REJECTED if "rejected" in told else told


def same(ours: Any, theirs: Any) -> bool:
    """Whether two readings agree. JavaScript's numbers hold 53 bits: a greater one is compared as it rounds there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, int) and abs(ours) > 1 << 53:
        return float(ours) == float(theirs)
    return bool(ours == theirs)


def _compiled(description: str) -> Path:
    """The directory of the parsers of a description; the compiler takes seconds, so it runs once for each text."""
    pins = (HERE / "package-lock.json").read_bytes() + (HERE / "compile.mjs").read_bytes()
    directory = MODULES / ".vpump" / hashlib.sha256(description.encode() + pins).hexdigest()[:16]
    if directory.exists():
        return directory
    directory.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as beside:
        made = Path(beside, "made")
        made.mkdir()
        file = made / "vpump.ksy"
        file.write_text(description, encoding="utf-8")
        command = ("node", str(HERE / "compile.mjs"), str(file), str(made), *LANGUAGES)
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the compiler refuses the description: {done.stderr}")
        try:
            made.rename(directory)
        except OSError:
            # Another worker was quicker.
            if not directory.exists():
                raise
    return directory


def _undo_cobs(coded: bytes) -> bytes:
    plain = bytearray()
    at = 0
    while at < len(coded):
        code = coded[at]
        if at + code > len(coded):
            raise ValueError("COBS")
        plain += coded[at + 1 : at + code]
        at += code
        if code < 0xFF and at < len(coded):
            plain.append(0)
    return bytes(plain)


def _checked(image: bytes) -> bytes:
    if len(image) < 4 or zlib.crc32(image[:-4]) != int.from_bytes(image[-4:], "little"):
        raise ValueError("CRC-32")
    return image


def _module(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("vpump_by_kaitai", path)
    if specification is None or specification.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _dump(value: Any) -> Any:
    if isinstance(value, list):
        return [_dump(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str | int):
        return value
    name = type(value).__name__
    if name == "Text":
        return value.value
    told: dict[str, Any] = {"#": name}
    told |= {key.replace("_", ""): _dump(each) for key, each in vars(value).items() if not key.startswith("_")}
    if name == "LogRecord":
        told["record"] = _record(value)
    return told


def _record(record: Any) -> Any:
    try:
        data = record.record
    except _REFUSALS:
        return None
    return None if isinstance(data, bytes) else _dump(data)
