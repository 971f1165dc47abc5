"""What a capture is written to: a file, or a named pipe and its readers.

Rules of this file:

- Opening waits for nobody; `begin` and `write` may wait, and have a thread for that.
- A block is written whole. What a failing disk has taken part of is cut off again, so that a file can always be read.
- A reader of a pipe that goes away is told of, and the next one gets a capture with a beginning.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from emulator.capture.pcapng import BlockType
from emulator.host_files import SYSTEM, HostFiles, write_all

FILE_MODE: Final = 0o666  # less the umask, as of any file that is no secret

_PCAPNG_START: Final = BlockType.SECTION_HEADER.to_bytes(4, "little")


class CaptureFailed(Exception):
    """The capture cannot begin; the message is one sentence."""


class CaptureEnded(Exception):
    """The capture ends here; the message is one sentence."""


class Target(Protocol):
    """What the thread writes to."""

    @property
    def awaits_reader(self) -> bool:
        """Whether nothing is written now because nobody is there who would read it."""

    @property
    def reader_fd(self) -> int | None:
        """A descriptor at which an error tells that the reader has gone; None where there is no reader."""

    def begin(self) -> None:
        """Wait for a reader, where there has to be one; raises CaptureEnded."""

    def reader_gone(self) -> None:
        """The reader has gone: wait for the next; raises CaptureEnded."""

    def write(self, block: bytes) -> None:
        """Write a whole block; raises CaptureEnded."""

    def close(self) -> None:
        """Nothing more comes."""


def open_target(path: Path, header: bytes, tell: Callable[[str], None], files: HostFiles = SYSTEM) -> Target:
    """The target at a path; raises CaptureFailed for a file that cannot be made, or is there and no capture."""
    try:
        is_pipe = stat.S_ISFIFO(path.stat().st_mode)
    except FileNotFoundError:
        is_pipe = False
    except OSError as error:
        raise CaptureFailed(f"{path} cannot be opened: {error.strerror}.") from None
    return _Pipe(path, header, tell, files) if is_pipe else _File(path, header, files)


class _File:
    """A regular file, ours alone while it is written."""

    awaits_reader = False
    reader_fd = None

    def __init__(self, path: Path, header: bytes, files: HostFiles) -> None:
        self._path = path
        self._files = files
        self._size = 0
        try:
            self._fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, FILE_MODE)
        except OSError as error:
            raise CaptureFailed(f"{path} cannot be opened: {error.strerror}.") from None
        try:
            self._take_possession()
            write_all(files, self._fd, header)
            self._size = len(header)
        except OSError as error:
            self.close()
            raise CaptureFailed(f"{path} cannot be written: {error.strerror}.") from None
        except CaptureFailed:
            self.close()
            raise

    def begin(self) -> None:
        """Its header was written when it was opened."""

    def reader_gone(self) -> None:
        """Never: nobody has to be there."""

    def write(self, block: bytes) -> None:
        try:
            if not os.fstat(self._fd).st_nlink:
                raise CaptureEnded(
                    f"capture: {self._path} has been removed; nothing more is captured, and the pump goes on."
                )
            write_all(self._files, self._fd, block)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._files.truncate(self._fd, self._size)
            raise CaptureEnded(
                f"capture: {self._path} cannot be written: {error.strerror}; it ends here, is whole up to here, and "
                "the pump goes on."
            ) from None
        self._size += len(block)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._files.close(self._fd)

    def _take_possession(self) -> None:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise CaptureFailed(f"{self._path} is neither a file nor a named pipe; a capture goes to one of these.")
        if not self._files.lock(self._fd):
            raise CaptureFailed(f"{self._path} is being written by another pump; give each a file of its own.")
        # A begun one that was not written on is none yet, and nothing is lost with it.
        if not _PCAPNG_START.startswith(self._files.read(self._fd, len(_PCAPNG_START), 0)):
            raise CaptureFailed(
                f"{self._path} is there and is no capture; allowed are a new file, a pcapng file (which is written "
                "over), and a named pipe."
            )
        self._files.truncate(self._fd, 0)


class _Pipe:
    """A named pipe and its readers, one after the other."""

    def __init__(self, path: Path, header: bytes, tell: Callable[[str], None], files: HostFiles) -> None:
        self._path = path
        self._files = files
        self._header = header
        self._tell = tell
        self._fd: int | None = None
        self.awaits_reader = True

    @property
    def reader_fd(self) -> int | None:
        return self._fd

    def begin(self) -> None:
        """Open it and write the header, to a reader who stays for it."""
        self.awaits_reader = True
        while self._fd is None:
            try:
                # The system lets this thread wait until somebody opens the other end.
                self._fd = self._files.open(self._path, os.O_WRONLY)
                self._check(self._fd)
                write_all(self._files, self._fd, self._header)
            except BrokenPipeError:
                self.close()
            except OSError as error:
                raise self._end(error) from None
        self.awaits_reader = False

    def reader_gone(self) -> None:
        self.close()
        self._tell(f"capture: whoever read {self._path} has gone; the pump goes on, and waits for another reader.")
        self.begin()

    def write(self, block: bytes) -> None:
        while self._fd is not None:
            try:
                write_all(self._files, self._fd, block)
            except BrokenPipeError:
                self.reader_gone()
            except OSError as error:
                raise self._end(error) from None
            else:
                return

    def close(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._files.close(self._fd)
            self._fd = None

    def _check(self, fd: int) -> None:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is a named pipe no more")
        if not self._files.lock(fd):
            raise OSError(errno.EBUSY, "another pump writes to it")

    def _end(self, error: OSError) -> CaptureEnded:
        return CaptureEnded(
            f"capture: {self._path} cannot be written: {error.strerror}; nothing more is captured, and the pump goes "
            "on."
        )
