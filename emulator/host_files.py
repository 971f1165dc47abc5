"""The host's files: one seam for every call that writes or can fail, so that a test can stand at each of them.

State, journal, capture and the programmer's book go through it. What only looks (`stat`) does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final, Protocol


class HostFiles(Protocol):
    """Calls of the system; each raises OSError."""

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        """A descriptor; no other process inherits it."""

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """So many bytes at most from there on; none at the end of the file."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """How many of the bytes were taken."""

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file off."""

    def sync(self, fd: int) -> None:
        """Wait until a file, or the entries of a directory, are on the medium."""

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in the place of another, in one step."""

    def lock(self, fd: int) -> bool:
        """Whether nobody else holds a file; then it is ours until it is closed."""

    def close(self, fd: int) -> None:
        """Give a descriptor back; it is gone also if this fails."""


class SystemFiles:
    """Those of this machine."""

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        """See HostFiles."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOCTTY, mode)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """See HostFiles."""
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """See HostFiles."""
        return os.write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        """See HostFiles."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """See HostFiles."""
        # On macOS fsync stops at the drive's own cache.
        if hasattr(fcntl, "F_FULLFSYNC"):
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
                return
        os.fsync(fd)

    def rename(self, old: Path, new: Path) -> None:
        """See HostFiles."""
        old.replace(new)

    def lock(self, fd: int) -> bool:
        """See HostFiles."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self, fd: int) -> None:
        """See HostFiles."""
        os.close(fd)


SYSTEM: Final = SystemFiles()


def write_all(files: HostFiles, fd: int, data: bytes) -> None:
    """Write all bytes, however few are taken at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[files.write(fd, rest) :]


def read_file(files: HostFiles, path: Path, most: int) -> bytes | None:
    """A whole file, or its first so many bytes; None when there is none."""
    try:
        fd = files.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        found = bytearray()
        while len(found) < most and (part := files.read(fd, most - len(found), len(found))):
            found += part
        return bytes(found)
    finally:
        files.close(fd)


def write_file(files: HostFiles, path: Path, data: bytes, mode: int) -> None:
    """Write a file from its beginning; what stood there is gone. Not durable before `sync_path`."""
    fd = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(files, fd, data)
    finally:
        files.close(fd)


def sync_path(files: HostFiles, path: Path) -> None:
    """Wait until a file, or the entries of a directory, are on the medium."""
    fd = files.open(path, os.O_RDONLY)
    try:
        files.sync(fd)
    finally:
        files.close(fd)
