"""Where the lines of a journal go: a file of its own, and a thread that writes them, so that no disk holds the pump up.

Rules of this file:

- `put` never waits and never fails.
- A journal with a gap is worth nothing behind it: what cannot be written, or not in time, ends it, and is told.
- What a failing disk has taken part of is cut off again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from emulator.journal.header import START

QUEUE_BYTES: Final = 8 << 20
"""What waits for the disk at most."""
CLOSE_DEADLINE_S: Final = 2.0
"""How long the end of a journal waits for what is still to be written."""
FILE_MODE: Final = 0o666  # less the umask, as of any file that is no secret


class JournalFailed(Exception):
    """The journal cannot begin; the message is one sentence."""


class JournalSink:
    """A file, a queue of bytes for it, and the thread between."""

    def __init__(self, path: Path, header: str, tell: Callable[[str], None], limit_bytes: int = QUEUE_BYTES) -> None:
        """Begin a journal; `tell` takes a sentence, also from another thread. Raises JournalFailed."""
        self._path = path
        self._tell = tell
        self._limit_bytes = limit_bytes
        self._fd = _open(path)
        self._size = 0
        try:
            self._write(header.encode())
        except OSError as error:
            os.close(self._fd)
            raise JournalFailed(f"{path} cannot be written: {error.strerror}.") from None
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
            if len(self._waiting) + self._writing + len(data) <= self._limit_bytes:
                self._waiting += data
                self._changed.notify()
                return
            # What waits is whole, and is still written.
            self._ended = True
            self._changed.notify()
        self._tell(
            f"journal: {self._path} is written too slowly; it ends here, is whole up to here, and the pump goes on."
        )

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
                os.ftruncate(self._fd, self._size)
            with self._changed:
                self._ended = True
                self._waiting.clear()
            self._tell(
                f"journal: {self._path} cannot be written: {error.strerror}; it ends here, is whole up to here, and "
                "the pump goes on."
            )
        finally:
            os.close(self._fd)

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
                rest = rest[os.write(self._fd, rest) :]
        finally:
            taken = data[: len(data) - len(rest)]
            self._size += taken.rfind(b"\n") + 1


def _open(path: Path) -> int:
    """The file, ours alone while it is written, and empty."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK, FILE_MODE)
    except OSError as error:
        raise JournalFailed(f"{path} cannot be opened: {error.strerror}.") from None
    try:
        _take_possession(fd, path)
    except (JournalFailed, OSError) as error:
        os.close(fd)
        if isinstance(error, OSError):
            raise JournalFailed(f"{path} cannot be written: {error.strerror}.") from None
        raise
    return fd


def _take_possession(fd: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise JournalFailed(f"{path} is no file; a journal goes to one.")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalFailed(f"{path} is being written by another pump; give each a file of its own.") from None
    if os.pread(fd, len(START), 0) not in (b"", START):
        raise JournalFailed(
            f"{path} is there and is no journal; allowed are a new file, and a journal (which is written over)."
        )
    os.ftruncate(fd, 0)
