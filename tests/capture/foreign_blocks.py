"""Blocks of pcapng as other programs write them: either byte order, any resolution, kinds that ours never has."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

Options = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Writer:
    """Writes blocks of one byte order."""

    order: Literal["little", "big"] = "little"

    @property
    def mark(self) -> str:
        return "<" if self.order == "little" else ">"

    def pack(self, layout: str, *values: int) -> bytes:
        return struct.pack(self.mark + layout, *values)

    def block(self, kind: int, body: bytes) -> bytes:
        assert len(body) % 4 == 0
        length = self.pack("I", len(body) + 12)
        return self.pack("I", kind) + length + body + length

    def options(self, options: Options) -> bytes:
        written = b"".join(self.pack("HH", code, len(value)) + padded(value) for code, value in options)
        return written + self.pack("HH", 0, 0) if options else b""

    def section(self, options: Options = (), *, major: int = 1) -> bytes:
        return self.block(0x0A0D0D0A, self.pack("IHHQ", 0x1A2B3C4D, major, 0, 2**64 - 1) + self.options(options))

    def interface(self, options: Options = (), *, link_type: int = 147, snap_bytes: int = 0) -> bytes:
        return self.block(1, self.pack("HHI", link_type, 0, snap_bytes) + self.options(options))

    def enhanced(
        self, data: bytes, ticks: int, options: Options = (), *, interface: int = 0, missing: int = 0
    ) -> bytes:
        sizes = (len(data), len(data) + missing)
        fixed = self.pack("IIIII", interface, *divmod(ticks, 1 << 32), *sizes)
        return self.block(6, fixed + padded(data) + self.options(options))

    def simple(self, data: bytes) -> bytes:
        return self.block(3, self.pack("I", len(data)) + padded(data))

    def obsolete(self, data: bytes, ticks: int, *, interface: int = 0) -> bytes:
        fixed = self.pack("HHIIII", interface, 0, *divmod(ticks, 1 << 32), len(data), len(data))
        return self.block(2, fixed + padded(data))


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
