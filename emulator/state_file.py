"""The file of a pump that survives restarts: a save-state that is replaced as a whole, and a lock beside it.

Rules of this file:

- After `keep` has returned, the new state is on the medium. Until then a host that dies finds the old or the new one.
- Nothing is written over that is no save-state: whoever begins reads first.
- A call that has failed is not tried again: what the system had not written by then, it may have forgotten.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from emulator.host_files import SYSTEM, HostFiles, read_file, sync_path, write_all, write_file
from firmware_model.savestate import MAX_SAVE_STATE_BYTES

FILE_MODE: Final = 0o600
_PID_DIGITS: Final = 20


class StateFileError(Exception):
    """The state cannot be had, read or kept; the message is one sentence."""


class StateFile:
    """The file, ours alone until it is closed.

    found  what stood in it, None where there was no file
    """

    def __init__(self, path: Path, files: HostFiles = SYSTEM) -> None:
        """Raises StateFileError."""
        self.path = path
        self._files = files
        self._kept: bytes | None = None
        # In the place of a link its target would be lost.
        self._real = Path(os.path.realpath(path))
        self._lock = self._locked()
        try:
            self.found = self._read()
        except StateFileError:
            self.close()
            raise

    def keep(self, data: bytes) -> None:
        """Make a state durable in the place of the one before, if it is another one. Raises StateFileError."""
        if data == self._kept:
            return
        beside = self._beside(".new")
        try:
            write_file(self._files, beside, data, FILE_MODE)
            sync_path(self._files, beside)
            self._files.rename(beside, self._real)
            sync_path(self._files, self._real.parent)
        except OSError as error:
            raise StateFileError(
                f"the state in {self.path} cannot be kept: {error.strerror}; what it held before is still whole."
            ) from error
        self._kept = data

    def close(self) -> None:
        """Let others have it."""
        with contextlib.suppress(OSError):
            self._files.close(self._lock)

    def _read(self) -> bytes | None:
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG(self._real.stat().st_mode):
                    raise StateFileError(f"{self.path} is no file; a state is kept in one.")
            return read_file(self._files, self._real, MAX_SAVE_STATE_BYTES + 1)
        except OSError as error:
            raise StateFileError(f"{self.path} cannot be read: {error.strerror}.") from error

    def _locked(self) -> int:
        """The lock, which goes with its process. It lies beside, for the file itself is another one after `keep`."""
        path = self._beside(".lock")
        try:
            fd = self._files.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, FILE_MODE)
        except OSError as error:
            raise StateFileError(f"{path}, which guards the state, cannot be opened: {error.strerror}.") from error
        try:
            if not self._files.lock(fd):
                holder = self._files.read(fd, _PID_DIGITS, 0).decode("ascii", "replace").strip()
                of = f"process {holder}" if holder.isdecimal() else "another process"
                raise StateFileError(
                    f"{self.path} is the state of the pump that {of} runs; give each a file of its own."
                )
            self._files.truncate(fd, 0)
            write_all(self._files, fd, f"{os.getpid()}\n".encode())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._files.close(fd)
            raise StateFileError(f"{path}, which guards the state, cannot be held: {error.strerror}.") from error
        except StateFileError:
            self._files.close(fd)
            raise
        return fd

    def _beside(self, suffix: str) -> Path:
        return self._real.with_name(self._real.name + suffix)
