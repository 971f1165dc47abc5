"""The host's disk as the book uses it: one seam for every call, so that a test can end the host at each of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from emulator.host_files import SYSTEM, HostFiles, read_file, sync_path, write_file

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
LOCK_POLL_S = 0.05
MOST_BYTES = 4 << 20
"""More of a file is never read; a book has less."""


class LockedError(Exception):
    """Somebody else has held the lock for all of our patience."""


class HostDisk(Protocol):
    """What a durable book needs of a disk. Every call is one point at which a host can die."""

    def make_directory(self, path: Path) -> None:
        """Make a directory and its parents, for this user alone, durably; an existing one is fine."""

    def read(self, path: Path) -> bytes | None:
        """The whole file, None when there is none."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a file from its beginning; what stood there is gone. Not durable before `sync`."""

    def sync(self, path: Path) -> None:
        """Wait until a file, or the entries of a directory, are on the medium."""

    def rename(self, old: Path, new: Path) -> None:
        """Put a file in the place of another, in one step."""

    def lock(self, path: Path, patience_s: float) -> contextlib.AbstractContextManager[None]:
        """Hold a lock; raises LockedError when another process still holds it after that time."""


class RealDisk:
    """The disk of this machine."""

    def __init__(self, files: HostFiles = SYSTEM) -> None:
        self._files = files

    def make_directory(self, path: Path) -> None:
        """See HostDisk."""
        missing = [level for level in (path, *path.parents) if not level.exists()]
        for level in reversed(missing):
            level.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            self.sync(level.parent)

    def read(self, path: Path) -> bytes | None:
        """See HostDisk."""
        return read_file(self._files, path, MOST_BYTES)

    def write(self, path: Path, data: bytes) -> None:
        """See HostDisk."""
        write_file(self._files, path, data, FILE_MODE)

    def sync(self, path: Path) -> None:
        """See HostDisk."""
        sync_path(self._files, path)

    def rename(self, old: Path, new: Path) -> None:
        """See HostDisk."""
        self._files.rename(old, new)

    @contextlib.contextmanager
    def lock(self, path: Path, patience_s: float) -> Iterator[None]:
        """See HostDisk."""
        # The lock goes with the descriptor, so it cannot outlive a killed process.
        descriptor = self._files.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            give_up_at = time.monotonic() + patience_s
            while not self._files.lock(descriptor):
                if time.monotonic() >= give_up_at:
                    raise LockedError
                time.sleep(LOCK_POLL_S)
            yield
        finally:
            # Whatever it says, the lock is gone.
            with contextlib.suppress(OSError):
                self._files.close(descriptor)
