"""The command of a programmer in a process of its own: filled in, started, and killed; and what it reports.

A programmer leads a process group of its own, so that nothing of it is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from emulator.scenario.expectations import EXITED

MOST_REPORT_BYTES: Final = 65_536


class ProgrammerNotStarted(Exception):
    """The programmer's command cannot be run; one sentence."""


def asks_for(command: Sequence[str], placeholder: str) -> bool:
    """Whether a command has a placeholder in any of its words."""
    return any(f"{{{placeholder}}}" in word for word in command)


def filled(command: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The command with a value for each of its placeholders."""
    words = list(command)
    for name, value in values.items():
        words = [word.replace(f"{{{name}}}", value) for word in words]
    return words


async def start(
    command: Sequence[str], environment: Mapping[str, str], out: int, err: int
) -> asyncio.subprocess.Process:
    """Start a programmer that writes to two descriptors. Raises ProgrammerNotStarted.

    Broken off while it starts, it is killed.
    """
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Left to itself, it would be ended alone: what it has started itself would go on.
        with contextlib.suppress(OSError):
            process = await starting
            kill(process)
            await process.wait()
        raise
    except OSError as error:
        raise ProgrammerNotStarted(f"{command[0]} cannot be started: {error.strerror or error}.") from None


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a programmer where it stands, with all that it has started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def how_ended(status: int) -> str:
    """How a process has ended, for people; `status` is that of asyncio, negative for a signal."""
    if status == 0:
        return EXITED
    if status > 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def report_in(file: Path, said: Path, said_before: int) -> Mapping[str, object] | None:
    """What the programmer reported: the JSON object in the file, or else in the last line that it printed now."""
    data = _head(file)
    if not data:
        lines = _tail(said, said_before).strip().splitlines()
        data = lines[-1] if lines else b""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _tail(file: Path, begin: int) -> bytes:
    """The last bytes behind a place of a file."""
    with file.open("rb") as opened:
        opened.seek(max(begin, file.stat().st_size - MOST_REPORT_BYTES))
        return opened.read(MOST_REPORT_BYTES)


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_REPORT_BYTES)
    except OSError:
        return b""
