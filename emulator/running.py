"""The pumps that run on this machine: a directory of the user's with one small file per process that serves one.

The name of a file holds the process's id and its start time, so that a file whose process is gone, or whose id has
been given to another one, is known for stale; whoever lists the pumps removes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from emulator import OUR_PROTOCOL

DIRECTORY_VARIABLE = "VPUMP_RUNTIME_DIR"
# Larger files, and more of them, are not ours.
FILE_LIMIT_BYTES = 64 * 1024
PUMP_LIMIT = 1000

_NAME = re.compile(r"([0-9]{1,10})-([0-9]{1,20})\.json", re.ASCII)
# The start time is the 22nd field of /proc/PID/stat; the fields are counted from behind the name, which is the second.
_START_TIME_AFTER_NAME = 19


class RunningError(Exception):
    """The directory of the running pumps cannot be trusted or used; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class PortRecord:
    """One port of a pump."""

    spec: str
    url: str


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files that a run writes, by their whole paths; None for one that it does not.

    artefacts: the folder that captures of the control plane go to.
    """

    journal: str | None = None
    capture: str | None = None
    artefacts: str | None = None


@dataclass(frozen=True, slots=True)
class RunningPump:
    """A pump that is being served.

    serial_number   eight hexadecimal digits
    control         the URL of its control plane, if it has one; `control_token` is None where the file system guards it
    speed           virtual seconds per second
    started         seconds since 1970
    protocol        the name of what it speaks
    """

    serial_number: str
    ports: tuple[PortRecord, ...]
    control: str | None
    control_token: str | None
    profile: str
    seed: int
    speed: float
    pid: int
    started: float
    protocol: str = OUR_PROTOCOL
    files: RunFiles = field(default_factory=RunFiles)


def runtime_directory() -> Path:
    """The directory of this user's running pumps, made if it is not there; raises `RunningError`."""
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    base = os.environ.get("XDG_RUNTIME_DIR")
    if chosen:
        path = Path(chosen)
    elif base:
        path = Path(base, "vpump")
    else:
        path = Path(tempfile.gettempdir(), f"vpump-{os.getuid()}")
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        # In a directory that everybody can write to, the name may be somebody else's trap.
        found = path.lstat()
    except OSError as error:
        raise RunningError(f"The directory of running pumps, {path}, cannot be used: {error.strerror}.") from error
    if not stat.S_ISDIR(found.st_mode):
        raise RunningError(f"{path} should be the directory of running pumps, and is none.")
    if found.st_uid != os.getuid():
        raise RunningError(f"{path} should be your directory of running pumps, and belongs to somebody else.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)
    return path


@contextlib.contextmanager
def register(pump: RunningPump) -> Iterator[Path]:
    """Let others on this machine find the pump; raises `RunningError`."""
    directory = runtime_directory()
    path = directory / f"{pump.pid}-{_start_time(pump.pid) or 0}.json"
    unfinished = path.with_suffix(".new")
    try:
        unfinished.unlink(missing_ok=True)
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(asdict(pump), file)
        unfinished.rename(path)
    except OSError as error:
        raise RunningError(f"The running pump cannot be entered in {directory}: {error.strerror}.") from error
    try:
        yield path
    finally:
        # A tester may have cleared the directory.
        with contextlib.suppress(OSError):
            path.unlink()


def running_pumps() -> list[RunningPump]:
    """The pumps that run, the oldest first; raises `RunningError`. Removes the files of those that do not."""
    directory = runtime_directory()
    found = []
    for path in sorted(directory.iterdir())[:PUMP_LIMIT]:
        name = _NAME.fullmatch(path.name)
        if name is None:
            continue
        if not _runs(int(name[1]), int(name[2])):
            with contextlib.suppress(OSError):
                path.unlink()
            continue
        pump = _read(path)
        if pump is not None:
            found.append(pump)
    return sorted(found, key=lambda pump: (pump.started, pump.pid))


def _runs(pid: int, start_time: int) -> bool:
    actual = _start_time(pid)
    if actual is not None:
        return actual == start_time
    if Path("/proc/self/stat").exists():
        return False
    # Without /proc, the id alone has to do.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_time(pid: int) -> int | None:
    """When the process started, in the kernel's ticks; None if there is no such process, or no /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name is in parentheses and may hold anything, also a parenthesis.
    fields = text.rpartition(b")")[2].split()
    # A process that has ended, and whose parent has not asked yet, serves nothing.
    if len(fields) <= _START_TIME_AFTER_NAME or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[_START_TIME_AFTER_NAME])


def _read(path: Path) -> RunningPump | None:
    """A file that another version wrote, or that is just being removed, is as good as none."""
    try:
        with path.open(encoding="utf-8") as file:
            document = json.loads(file.read(FILE_LIMIT_BYTES))
        return RunningPump(
            serial_number=str(document["serial_number"]),
            ports=tuple(PortRecord(str(port["spec"]), str(port["url"])) for port in document["ports"]),
            control=_text_or_none(document["control"]),
            control_token=_text_or_none(document["control_token"]),
            profile=str(document["profile"]),
            seed=int(document["seed"]),
            speed=_number(document["speed"]),
            pid=int(document["pid"]),
            started=float(document["started"]),
            protocol=str(document["protocol"]),
            files=_files(document.get("files")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _files(value: object) -> RunFiles:
    found = value if isinstance(value, dict) else {}
    return RunFiles(*(_text_or_none(found.get(described.name)) for described in fields(RunFiles)))


def _number(value: object) -> float:
    """As it stands there, so that 1 stays 1 as in the ready line."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
