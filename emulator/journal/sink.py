"""Where the lines of a journal go: a file of its own, and a thread that writes them, so that no disk holds the pump up.

Rules of this file:

- `put` never waits and never fails.
- A journal with a gap is worth nothing behind it: what cannot be written, or not in time, ends it, and is told.
- What a failing disk has taken part of is cut off again.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from emulator.host_files import SYSTEM, HostFiles
from emulator.journal.header import START

QUEUE_BYTES: Final = 8 << 20
"""What waits for the disk at most."""
MOST_FILE_BYTES: Final = 4 << 30
"""The largest journal: weeks of a busy line. One that nobody looks after must not fill a disk."""
CLOSE_DEADLINE_S: Final = 2.0
"""How long the end of a journal waits for what is still to be written."""
FILE_MODE: Final = 0o666  # less the umask, as of any file that is no secret


class JournalFailed(Exception):
    """The journal cannot begin; the message is one sentence."""


class JournalSink:
    """A file, a queue of bytes for it, and the thread between."""

    def __init__(
        self,
        path: Path,
        header: str,
        tell: Callable[[str], None],
        limit_bytes: int = QUEUE_BYTES,
        *,
        most_bytes: int = MOST_FILE_BYTES,
        files: HostFiles = SYSTEM,
    ) -> None:
        """Begin a journal; `tell` takes a sentence, also from another thread. Raises JournalFailed."""
        self._path = path
        self._tell = tell
        self._limit_bytes = limit_bytes
        self._most_bytes = most_bytes
        self._files = files
        self._fd = _open(files, path)
        self._size = 0
        try:
            self._write(header.encode())
        except OSError as error:
            self._close()
            raise JournalFailed(f"{path} cannot be written: {error.strerror}.") from None
        self._put_bytes = self._size
        self._waiting = bytearray()
        self._writing = 0
        self._closing = False
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queue a whole line. Never waits."""
        data = line.encode()
        with self._changed:
            if self._ended or self._closing:
                return
            too_slow = len(self._waiting) + self._writing + len(data) > self._limit_bytes
            too_large = self._put_bytes + len(data) > self._most_bytes
            if not (too_slow or too_large):
                self._put_bytes += len(data)
                self._waiting += data
                self._changed.notify()
                return
            # What waits is whole, and is still written.
            self._ended = True
            self._changed.notify()
        why = (
            f"has come to {self._most_bytes:,} bytes, the most that one may have"
            if too_large
            else "is written too slowly"
        )
        self._tell(f"journal: {self._path} {why}; it ends here, is whole up to here, and the pump goes on.")

    def close(self, deadline_s: float = CLOSE_DEADLINE_S) -> None:
        """Write what is queued, for so long at most; what could not be written is told."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            self._tell(f"journal: {self._path} has not taken the last lines in time; it ends before them.")

    def _run(self) -> None:
        try:
            while batch := self._next():
                self._write(batch)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._files.truncate(self._fd, self._size)
            with self._changed:
                self._ended = True
                self._waiting.clear()
            self._tell(
                f"journal: {self._path} cannot be written: {error.strerror}; it ends here, is whole up to here, and "
                "the pump goes on."
            )
        finally:
            self._close()

    def _close(self) -> None:
        # The system may say only now that it has lost something; the journal is as it is then.
        with contextlib.suppress(OSError):
            self._files.close(self._fd)

    def _next(self) -> bytes:
        """Wait for lines; none means that the end has come."""
        with self._changed:
            self._writing = 0
            while not (self._waiting or self._closing or self._ended):
                self._changed.wait()
            batch = bytes(self._waiting)
            self._waiting.clear()
            self._writing = len(batch)
            return batch

    def _write(self, data: bytes) -> None:
        """Write whole lines. What was written of one that was not taken wholly is cut off by whoever catches."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._files.write(self._fd, rest) :]
        finally:
            taken = data[: len(data) - len(rest)]
            self._size += taken.rfind(b"\n") + 1


def _open(files: HostFiles, path: Path) -> int:
    """The file, ours alone while it is written, and empty."""
    try:
        fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, FILE_MODE)
    except OSError as error:
        raise JournalFailed(f"{path} cannot be opened: {error.strerror}.") from None
    try:
        _take_possession(files, fd, path)
    except (JournalFailed, OSError) as error:
        with contextlib.suppress(OSError):
            files.close(fd)
        if isinstance(error, OSError):
            raise JournalFailed(f"{path} cannot be written: {error.strerror}.") from None
        raise
    return fd


def _take_possession(files: HostFiles, fd: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise JournalFailed(f"{path} is no file; a journal goes to one.")
    if not files.lock(fd):
        raise JournalFailed(f"{path} is being written by another pump; give each a file of its own.")
    # A begun one that was not written on is none yet, and nothing is lost with it.
    if not START.startswith(files.read(fd, len(START), 0)):
        raise JournalFailed(
            f"{path} is there and is no journal; allowed are a new file, and a journal (which is written over)."
        )
    files.truncate(fd, 0)
