"""A person at a terminal is shown two programs and asked which one the pump shall have: yes, no, and every way out."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.product import INTERRUPTED, Home, ServedPump
from tests.end_to_end.streams import DEADLINE_S

QUESTION = "Commit this program? [y/N] "
DECLINED = "vpump: nothing was changed."
NOBODY_ANSWERS = "vpump: there was a question, and nobody to answer it; give the answer as an option (see --help)."
OLD, NEW = "32687E0C", "BA3342D0"
CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"
# As a shell starts a command: the terminal is its own, so that what is typed there can also be a signal.
AT_ITS_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("emulator", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Terminal:
    """A command on a terminal, and the person who sits there."""

    screen: int
    process: subprocess.Popen[bytes]

    def read_until(self, text: str) -> str:
        """What the screen has shown when it shows this for the first time."""
        shown = ""
        while text not in shown:
            shown += self._shown_next()
        return shown.replace("\r\n", "\n")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.screen, text.encode())

    def read_to_end(self) -> tuple[int, str]:
        """Wait for the end of the command: its exit status, and what the screen has shown until then."""
        shown = ""
        # A terminal whose last user is gone fails to be read.
        with contextlib.suppress(OSError):
            while more := self._shown_next():
                shown += more
        return self.process.wait(DEADLINE_S), shown.replace("\r\n", "\n")

    def _shown_next(self) -> str:
        readable, _, _ = select.select([self.screen], [], [], DEADLINE_S)
        assert readable, "the screen shows nothing more"
        return os.read(self.screen, 4096).decode()


@contextlib.contextmanager
def terminal(home: Home, *arguments: str) -> Iterator[Terminal]:
    """Start a command at a terminal; it is killed with the test, if it still runs."""
    screen, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            (sys.executable, "-c", AT_ITS_TERMINAL, *arguments),
            cwd=home.directory,
            env=home.environment() | {"TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            yield Terminal(screen, process)
        finally:
            process.kill()
            process.wait(DEADLINE_S)
    finally:
        os.close(screen)


@pytest.fixture
def pump(serve: Serve, vpump: Vpump, home: Home) -> ServedPump:
    """A pump with its first program, a second port for another terminal, and the file of another program."""
    (home.directory / "my.toml").write_text(vpump("program", "--example", "simple-continuous").stdout)
    return serve("--speed", "0", "--listen", "tcp:127.0.0.1:0", "--listen", "pty", "--trace")


def shown_beside(shown: str) -> dict[str, tuple[str, ...]]:
    """The rows that are marked as changed, out of what stands before the question."""
    rows = [line.split() for line in shown.splitlines() if line.startswith("*")]
    return {row[1]: tuple(row[2:]) for row in rows}


def active_program(vpump: Vpump) -> str:
    """The program that the pump has."""
    return str(vpump("program", "--show", "--json").document["crc32"])


def requests_of(pump: ServedPump) -> list[str]:
    """What the pump was asked, by its trace to the end."""
    events = pump.end().documents
    return [each["name"] for each in events if each["event"] == "frame" and each["direction"] == "request"]


@pytest.mark.parametrize(
    ("answer", "status", "last_line", "active"),
    [
        (f"y{ENTER}", 0, f"operation 1: program {NEW} is active.", NEW),
        (f"n{ENTER}", 1, DECLINED, OLD),
        (ENTER, 1, DECLINED, OLD),
        (CTRL_D, 2, NOBODY_ANSWERS, OLD),
        (CTRL_C, INTERRUPTED, "vpump: interrupted; no operation was begun.", OLD),
    ],
    ids=["y", "n", "Enter", "Ctrl-D", "Ctrl-C"],
)
def test_an_answer_decides_which_program_the_pump_has(
    pump: ServedPump, vpump: Vpump, home: Home, answer: str, status: int, last_line: str, active: str
) -> None:
    assert active_program(vpump) == OLD
    with terminal(home, "program", "my.toml", "--timeout", "20s", "-p", pump.urls[1]) as person:
        asked = person.read_until(QUESTION)
        assert asked.endswith(QUESTION)
        assert shown_beside(asked)["program"] == (OLD, NEW)
        # While the question stands, nothing has happened; another terminal sees the old program.
        assert active_program(vpump) == OLD
        person.type(answer)
        ended, told = person.read_to_end()
    assert (ended, told.splitlines()[-1]) == (status, last_line), told
    assert "Traceback" not in told
    assert active_program(vpump) == active
    records = [record["type"] for record in vpump("log", "--json").documents]
    assert records.count("program_changed") == (active == NEW)
    if active == NEW:
        assert vpump("op", "1", "--json").document["state"] == "done"
    else:
        assert vpump("op", "--json").document["ops"] == []
    asked_of_pump = requests_of(pump)
    assert asked_of_pump.count("PROGRAM_COMMIT") == (active == NEW)
    assert asked_of_pump.count("PROGRAM_ABORT") == (active == OLD), "who does not mean it leaves no stage behind"


def test_without_a_person_there_is_no_answer(pump: ServedPump, vpump: Vpump) -> None:
    asked = vpump("program", "my.toml", stdin=b"y\n")
    assert (asked.status, asked.sentence) == (2, NOBODY_ANSWERS.removeprefix("vpump: "))
    assert shown_beside(asked.stdout)["program"] == (OLD, NEW)
    assert active_program(vpump) == OLD

    meant = vpump("program", "my.toml", "--yes")
    assert (meant.status, meant.stderr) == (0, "")
    assert meant.stdout.splitlines()[-1] == f"operation 1: program {NEW} is active."
    assert active_program(vpump) == NEW
    again = vpump("program", "my.toml")
    assert (again.status, again.stdout) == (
        0,
        f"the pump has this program already ({NEW}), so nothing was committed.\n",
    )
    assert requests_of(pump).count("PROGRAM_COMMIT") == 1
