"""Pumps and commands for the tests; everything a test starts is ended, and must end well."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.end_to_end.product import Commands, Finished, Home, Process, ServedPump, serving, start_afresh

STEP_A_SECOND = """
extends = "reference-20"

[therapy]
rate_nl_per_day = { value = 2_160_000, chosen = "one motor step of 25 nl a second, which is easy to count" }

[memory]
dose_history = { value = 64, chosen = "a bolus for each power cut of a test" }
"""


class Vpump(Protocol):
    """Runs one `vpump` command to its end."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Finished: ...


class Serve(Protocol):
    """Starts a pump; it is ended with the test."""

    def __call__(self, *arguments: str) -> ServedPump: ...


class Start(Protocol):
    """Starts one `vpump` command; it is interrupted with the test, if it still runs."""

    def __call__(self, *arguments: str) -> Process: ...


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The process that commands are forked from."""
    forked = Commands()
    yield forked
    forked.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A machine on which nothing has happened."""
    return Home(tmp_path)


@pytest.fixture
def vpump(commands: Commands, home: Home) -> Vpump:
    """Run a command: `vpump("op", "7").status`."""

    def run(*arguments: str, stdin: bytes = b"") -> Finished:
        return commands.run(home, arguments, stdin=stdin)

    return run


@pytest.fixture
def serve(commands: Commands, home: Home) -> Iterator[Serve]:
    """Start pumps: `serve("--speed", "0").url`."""
    with contextlib.ExitStack() as running:
        yield lambda *arguments: running.enter_context(serving(commands.start(home, ["serve", "--json", *arguments])))


@pytest.fixture
def serve_afresh(home: Home) -> Iterator[Serve]:
    """The same, as `python -m emulator serve` and not as a fork."""
    with contextlib.ExitStack() as running:
        yield lambda *arguments: running.enter_context(serving(start_afresh(home, ["serve", "--json", *arguments])))


@pytest.fixture
def start(commands: Commands, home: Home) -> Iterator[Start]:
    """Start a command, and go on while it runs."""
    started: list[Process] = []

    def begin(*arguments: str) -> Process:
        started.append(commands.start(home, arguments))
        return started[-1]

    yield begin
    for process in started:
        if not process.has_ended:
            process.interrupt()


@pytest.fixture
def frozen_pump(serve: Serve, home: Home) -> ServedPump:
    """A pump on a virtual serial port whose time moves only when it is moved, and whose base rate is easy to count."""
    profile = home.directory / "step-a-second.toml"
    profile.write_text(STEP_A_SECOND)
    return serve("--speed", "0", "--control", "unix:control.sock", "--profile", str(profile))
