"""Host's files that are watched: every operation is written down, or the n-th call fails, or takes half."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from emulator.host_files import SystemFiles
from firmware_model.pump import Pump

ERRORS: Final = (errno.ENOSPC, errno.EIO, errno.EROFS)


class QuickFiles(SystemFiles):
    """Those of this machine, without the waiting: what is not durable is worked out from the record, not lost."""

    def sync(self, fd: int) -> None:
        """See HostFiles."""


class Told(NamedTuple):
    """What somebody outside can know of a pump at a moment; no part of it ever goes back."""

    now_us: int
    log_next: int
    steps: int

    @classmethod
    def by(cls, pump: Pump) -> Told:
        """What can be known of a pump now."""
        return cls(pump.now_us, pump.firmware.record.log_next, pump.plant.motor.steps)

    def stands_in(self, later: Told) -> bool:
        """Whether nothing of it is lost."""
        return all(known <= found for known, found in zip(self, later, strict=True))


@dataclass(frozen=True)
class Operation:
    """One operation: `file` numbers an opened file or folder, `knows` is what somebody has been told."""

    name: str
    file: int = 0
    path: str = ""
    to: str = ""
    data: bytes = b""
    size: int = 0
    knows: Told | None = None


@dataclass
class RecordedFiles(QuickFiles):
    """Writes down what changes anything, in its order."""

    operations: list[Operation] = field(default_factory=list)
    _files: dict[int, int] = field(default_factory=dict)
    _opened: int = 0

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        """See HostFiles, as of all that follow."""
        there = path.exists()
        fd = super().open(path, flags, mode)
        self._opened += 1
        self._files[fd] = self._opened
        name = "open" if there or not flags & os.O_CREAT else "create"
        self.operations.append(Operation(name, self._opened, str(path)))
        if there and flags & os.O_TRUNC:
            self.operations.append(Operation("truncate", self._opened))
        return fd

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Appends; nothing of ours writes anywhere else than behind what it wrote."""
        taken = super().write(fd, data)
        self.operations.append(Operation("write", self._files[fd], data=bytes(data[:taken])))
        return taken

    def truncate(self, fd: int, size: int) -> None:
        super().truncate(fd, size)
        self.operations.append(Operation("truncate", self._files[fd], size=size))

    def sync(self, fd: int) -> None:
        self.operations.append(Operation("sync", self._files[fd]))

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.operations.append(Operation("rename", path=str(old), to=str(new)))

    def tell(self, knows: Told) -> None:
        """Somebody outside has been told something."""
        self.operations.append(Operation("told", knows=knows))


class Broken(OSError):
    """The call that was to fail has."""


@dataclass
class FailingFiles(QuickFiles):
    """The `fail_at`-th call fails, and with `on` all after it; a write that fails has taken half. Counts the calls."""

    fail_at: int = 0
    number: int = errno.ENOSPC
    on: bool = False
    calls: int = 0

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        """See HostFiles, as of all that follow."""
        self._call()
        return super().open(path, flags, mode)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        self._call()
        return super().read(fd, size, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        try:
            self._call()
        except Broken:
            super().write(fd, data[: len(data) // 2])
            raise
        return super().write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        self._call()
        super().truncate(fd, size)

    def sync(self, fd: int) -> None:
        del fd
        self._call()

    def rename(self, old: Path, new: Path) -> None:
        self._call()
        super().rename(old, new)

    def lock(self, fd: int) -> bool:
        self._call()
        return super().lock(fd)

    def close(self, fd: int) -> None:
        super().close(fd)
        self._call()

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.fail_at or (self.on and 0 < self.fail_at < self.calls):
            raise Broken(self.number, os.strerror(self.number))


@dataclass
class _Inode:
    now: bytes = b""
    durable: bytes = b""

    def contents(self) -> dict[str, bytes]:
        """What a crash may leave of it: all, what was synchronised, that and half of the rest, or zeros for that."""
        same = self.now.startswith(self.durable)
        half = self.now[: (len(self.durable) + len(self.now)) // 2] if same else self.now[: len(self.now) // 2]
        kept = self.durable if same else b""
        zeros = kept + bytes(len(self.now) - len(kept))
        return {"written": self.now, "synchronised": self.durable, "half": half, "zeros": zeros}


class ModelDisk:
    """A folder, and what a crash of the host may leave in it, after some operations."""

    def __init__(self, before: Mapping[str, bytes]) -> None:
        self._names = {name: _Inode(data, data) for name, data in before.items()}
        self._durable = dict(self._names)
        self._opened: dict[int, _Inode] = {}
        self._folders: set[int] = set()

    def do(self, operation: Operation) -> None:
        """Let an operation happen."""
        path, opened = operation.path, self._opened
        match operation.name:
            case "open" if path in self._names:
                opened[operation.file] = self._names[path]
            case "open":
                self._folders.add(operation.file)
            case "create":
                opened[operation.file] = self._names[path] = _Inode()
            case "write":
                opened[operation.file].now += operation.data
            case "truncate":
                opened[operation.file].now = opened[operation.file].now[: operation.size]
            case "sync" if operation.file in self._folders:
                self._durable = dict(self._names)
            case "sync":
                opened[operation.file].durable = opened[operation.file].now
            case "rename":
                self._names[operation.to] = self._names.pop(path)

    def content(self, name: str) -> bytes:
        """What stands in a file now."""
        return self._names[name].now

    def crashed(self) -> list[dict[str, bytes]]:
        """Every folder that a crash may leave now: names and contents, each old or new by themselves."""
        return [
            {name: inode.contents()[kind] for name, inode in names.items()}
            for names in (self._names, self._durable)
            for kind in ("written", "synchronised", "half", "zeros")
        ]
