"""A C program with nothing but termios frames a HELLO, and reads what the pump on a real PTY says."""

from __future__ import annotations

import os
import pty
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve, Vpump
from tests.interop.programs import HERE, NO_ANSWER, missing_compiler, run

STRICT = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
MARKS = {"emulator": 1, "test_keys": 2, "insecure": 4}
_MISSING = missing_compiler()
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING))


@pytest.fixture(scope="session")
def hello(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compiled program."""
    program = tmp_path_factory.mktemp("c") / "hello"
    compiler = shutil.which("cc")
    assert compiler
    said = run((compiler, *STRICT, "-o", str(program), str(HERE / "c" / "hello.c")), program.parent)
    assert (said.status, said.stderr) == (0, "")
    return str(program)


@pytest.mark.parametrize(("mode", "alarms"), [((), "alarm_present"), (("--insecure",), "alarms_raised")])
def test_a_c_program_greets_the_pump(
    serve: Serve, vpump: Vpump, hello: str, tmp_path: Path, mode: tuple[str, ...], alarms: str
) -> None:
    pump = serve("--speed", "0", "--seed", "7", "--serial-number", "0BADF00D", *mode)
    said = run((hello, pump.url), tmp_path)
    assert (said.status, said.stderr) == (0, "")
    told = dict(line.split(" ", 1) for line in said.stdout.splitlines())
    known = vpump("interrogate", "--json").document["hello"]
    assert told.pop("capabilities") == f"{(1 << len(known['capabilities'])) - 1:x}"
    assert told.pop("marks") == f"{sum(MARKS[mark] for mark in known['marks']):x}"
    assert told == {
        "major": str(known["major"]),
        "minor": str(known["minor"]),
        "model": known["model"],
        "serial_number": "0BADF00D",
        "firmware_hash": known["firmware_hash"],
        "max_payload": str(known["max_payload"]),
        "run_state": "33",
        alarms: "0",
    }


def test_a_c_program_keeps_to_its_retries_when_nobody_answers(hello: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        said = run((hello, os.ttyname(theirs)), tmp_path)
        assert (said.status, said.stderr) == (NO_ANSWER, "no pump answered HELLO\n")
        sent = os.read(ours, 4096).split(b"\0\0")
    finally:
        os.close(ours)
        os.close(theirs)
    first, *again = [frame.strip(b"\0") for frame in sent]
    assert (first[0], first[2:14].hex()) == (0x09, "010101ffffffff0102020201")
    assert [frame[1] for frame in again] == [0x14, 0x14, 0x14], "the same request three times more, with RETRY"
    assert {frame[2:-4] for frame in again} == {first[2:-4]}


def test_a_c_program_says_which_port_is_none(hello: str, tmp_path: Path) -> None:
    said = run((hello, "nowhere"), tmp_path)
    assert (said.status, said.stderr) == (2, "nowhere: No such file or directory\n")
