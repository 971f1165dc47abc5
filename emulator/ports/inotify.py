"""Watches one file for being opened, written and closed, by Linux's inotify.

The standard library has no inotify; these are its three calls through libc.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from enum import Enum

_IN_MODIFY = 0x2
_IN_CLOSE_WRITE = 0x8
_IN_CLOSE_NOWRITE = 0x10
_IN_OPEN = 0x20
_IN_Q_OVERFLOW = 0x4000
_MASK = _IN_MODIFY | _IN_CLOSE_WRITE | _IN_CLOSE_NOWRITE | _IN_OPEN

# One event of a watch on a file: descriptor, mask, cookie, length of the name (a watch on a file has none).
_EVENT = struct.Struct("iIII")
_READ_BYTES = 64 * 1024


class Happening(Enum):
    """What happened to the file.

    LOST   more happened than the kernel kept
    """

    OPENED = "opened"
    WRITTEN = "written"
    CLOSED = "closed"
    LOST = "lost"


_MEANING = {
    _IN_MODIFY: Happening.WRITTEN,
    _IN_CLOSE_WRITE: Happening.CLOSED,
    _IN_CLOSE_NOWRITE: Happening.CLOSED,
    _IN_OPEN: Happening.OPENED,
    _IN_Q_OVERFLOW: Happening.LOST,
}


class FileWatch:
    """A watch on one file. The kernel merges equal happenings in a row, so that they cannot be counted."""

    def __init__(self, path: str) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._path = os.fsencode(path)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, "this system has no inotify")
        self._fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._watch = -1
        try:
            self.resume()
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor that becomes readable when something happened."""
        return self._fd

    def pause(self) -> None:
        """Stop watching, so that what we do to the file ourselves is not seen."""
        # What happened before stays in the queue and can still be read.
        self._checked(self._libc.inotify_rm_watch(self._fd, self._watch))

    def resume(self) -> None:
        """Watch (again)."""
        self._watch = self._checked(self._libc.inotify_add_watch(self._fd, self._path, ctypes.c_uint32(_MASK)))

    def read(self) -> list[Happening]:
        """What happened since the last call, in its order. Never blocks."""
        happenings: list[Happening] = []
        # One read holds more than a thousand happenings; what is left keeps the descriptor readable.
        with contextlib.suppress(BlockingIOError):
            queued = os.read(self._fd, _READ_BYTES)
            offset = 0
            while offset < len(queued):
                _, mask, _, name_bytes = _EVENT.unpack_from(queued, offset)
                offset += _EVENT.size + name_bytes
                # The end of a paused watch is an event as well, and means nothing to us.
                happenings += [meaning for bit, meaning in _MEANING.items() if mask & bit]
        return happenings

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result
