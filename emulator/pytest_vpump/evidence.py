"""What is left of a test's pump: journal, capture and words; kept when the test fails, removed when it passes."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

MOST_NAME_CHARACTERS = 80
MOST_OF_ONE_NAME = 10_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """The directory of one pump. `title` says in a few words which pump, `keys` which file has its keys.

    recordings   where in it journal and capture are, if they are not there themselves
    state_of     what gives the save-state of the pump while it runs, or None where there is none
    """

    directory: Path
    title: str = ""
    keys: str | None = None
    recordings: str = ""
    capture_name: str = "pump.pcapng"
    state_of: Callable[[], bytes | None] = lambda: None

    @property
    def journal(self) -> Path:
        """All that it was given."""
        return self.directory / self.recordings / "pump.journal"

    @property
    def capture(self) -> Path:
        """What passed on its line."""
        return self.directory / self.recordings / self.capture_name

    @property
    def state(self) -> Path:
        """The whole of it when its test failed."""
        return self.directory / "pump.state"

    @property
    def errors(self) -> Path:
        """What it said on stderr."""
        return self.directory / "stderr.txt"

    @property
    def running(self) -> Path:
        """Where it is registered while it runs."""
        return self.directory / "running"

    @property
    def replay_command(self) -> str:
        """What lives through it again."""
        keys = () if self.keys is None else ("--keys", self.keys)
        return shlex.join(("vpump", "replay", str(self.journal), *keys))

    def save_state(self) -> None:
        """Keep the pump as it is now."""
        if (state := self.state_of()) is not None:
            self.state.write_bytes(state)

    def words(self) -> tuple[str, ...]:
        """The words for `vpump serve` that have it recorded."""
        return ("--journal", str(self.journal), "--capture", str(self.capture))

    def lines(self) -> Iterator[str]:
        """What a report says of it."""
        if self.journal.exists():
            yield f"live through it again:  {self.replay_command}"
        if self.capture.exists():
            yield f"look at its line:       {shlex.join(('vpump', 'decode', str(self.capture)))}"
        if self.state.exists():
            yield f"look into the pump:     {shlex.join(('vpump', 'state', 'show', str(self.state)))}"
        yield f"all that is kept:       {self.directory}"

    def remove(self) -> None:
        """The test has passed; nobody wants it."""
        shutil.rmtree(self.directory, ignore_errors=True)


def new_directory(parent: Path, test: str, worker: str) -> Path:
    """A directory that is nobody else's, named for the test; also of other runs and workers at the same time."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-.")[-MOST_NAME_CHARACTERS:]
    stem = "-".join(part for part in (name, worker) if part)
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        directory = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            if number == MOST_OF_ONE_NAME:
                raise
        else:
            return directory
    raise AssertionError("count() does not end")
