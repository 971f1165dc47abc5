"""A pump in an isolated interpreter of its own: started, spoken to and ended, each within a deadline.

It holds the other end of the pump's standard input, and the pump ends with that (`serve --until-eof`): also when this
process is killed and does nothing any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

MOST_READY_BYTES = 64 * 1024
MOST_SHOWN_CHARACTERS = 4_000  # of what a pump said on stderr, in a message
_VARIABLES = "VPUMP_"


class PumpFailed(Exception):
    """A pump that did not come up, or did not end in good order; a sentence, and below it what the pump said."""


class PumpProcess:
    """A running pump. `ready` is what it said when its ports were open: the ready line of `vpump serve --json`."""

    def __init__(self, words: Iterable[str], *, folder: Path, errors: Path, running: Path, deadline_s: float) -> None:
        """Start one; `errors` is the file for its stderr, `running` a directory for it alone. Raises PumpFailed."""
        self._deadline_s = deadline_s
        self._errors = errors
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_VARIABLES)}
        command = (sys.executable, "-I", "-m", "emulator", "serve", "--json", "--until-eof", *words)
        with errors.open("wb") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=folder,
                # A directory of running pumps for it alone, so that no command takes it for the pump at your desk.
                env=inherited | {"VPUMP_RUNTIME_DIR": str(running)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                # Ctrl-C at the terminal is for the tests; they end the pump.
                start_new_session=True,
            )
        try:
            self.ready = self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def end(self) -> None:
        """Have it end in good order; raises PumpFailed when it does not, or has ended by itself in bad order."""
        try:
            with contextlib.suppress(BrokenPipeError):
                _pipe(self._process.stdin).close()
            status = self._process.wait(self._deadline_s)
        except subprocess.TimeoutExpired:
            raise self._failed(f"the pump did not end within {self._deadline_s:g} s, and was killed") from None
        finally:
            self.kill()
        if status:
            raise self._failed(f"the pump ended with status {status}, and not in good order")

    def kill(self) -> None:
        """End it at once, and whatever is left of it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()

    def _wait_until_ready(self) -> dict[str, Any]:
        said = bytearray()
        give_up = time.monotonic() + self._deadline_s
        stdout = _pipe(self._process.stdout)
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in said and len(said) < MOST_READY_BYTES:
                if not selector.select(max(give_up - time.monotonic(), 0)):
                    raise self._failed(f"the pump did not come up within {self._deadline_s:g} s, and was killed")
                part = os.read(stdout.fileno(), MOST_READY_BYTES)
                if not part:
                    raise self._failed("the pump did not come up")
                said += part
        try:
            ready: dict[str, Any] = json.loads(said)
        except ValueError:
            shown = said.decode("utf-8", "replace").strip()[:MOST_SHOWN_CHARACTERS]
            raise self._failed(f"the pump did not come up, and said {shown!r}") from None
        return ready

    def _failed(self, sentence: str) -> PumpFailed:
        said = self._errors.read_text(encoding="utf-8", errors="replace").strip()[-MOST_SHOWN_CHARACTERS:]
        return PumpFailed(f"{sentence}; it said on stderr:\n\n{said or '(nothing)'}")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - both were asked for
    return pipe
