"""The output of a process, read by a thread as it comes, and waited for with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO

DEADLINE_S = 30.0


class LineStream:
    """The lines of a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """All that came so far."""
        return "".join(f"{line}\n" for line in self.lines)

    def wait_for(self, fits: Callable[[str], bool]) -> str:
        """The first line that fits, now or later; fails when the stream ends or the deadline passes without one."""
        looked_at = 0
        found: list[str] = []

        def look() -> bool:
            nonlocal looked_at
            while looked_at < len(self.lines) and not found:
                if fits(self.lines[looked_at]):
                    found.append(self.lines[looked_at])
                looked_at += 1
            return bool(found) or self._ended

        with self._changed:
            self._changed.wait_for(look, DEADLINE_S)
        assert found, f"no such line came (ended: {self._ended}): {self.lines}"
        return found[0]

    def wait_for_number(self, number: int) -> str:
        """The line of that number, from 1."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.lines) >= number or self._ended, DEADLINE_S)
        assert len(self.lines) >= number, f"line {number} did not come (ended: {self._ended}): {self.lines}"
        return self.lines[number - 1]

    def join(self) -> None:
        """Wait for the end of a pipe whose writer has ended."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "somebody else holds the pipe open"

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                with self._changed:
                    self.lines.append(line.decode().rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
