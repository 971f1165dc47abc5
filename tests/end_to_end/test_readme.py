"""Whoever types what the README says, in its order, sees what it promises."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.end_to_end.product import ROOT, Commands, Finished, Home, serving

README = (ROOT / "README.md").read_text()
INDENT, PROMPT, COMMAND = "    ", "$ ", "./scripts/vpump "
QUESTION = "Commit this program? [y/N] "
TIME_STANDS_STILL = ("--speed", "0")


@dataclass(frozen=True)
class Typed:
    """A command line of the README. `shown`: what it says that the screen shows then, if it does."""

    words: tuple[str, ...]
    into: str | None
    shown: tuple[str, ...]


def typed_lines(section: str) -> list[Typed]:
    """The command lines of a section, in their order."""
    lines = section.splitlines()
    found = []
    for number, line in enumerate(lines):
        text = line.removeprefix(INDENT)
        typed = text.removeprefix(PROMPT)
        if text == line or not typed.startswith(COMMAND):
            continue
        words = shlex.split(typed.removeprefix(COMMAND), comments=True)
        into = words[words.index(">") + 1] if ">" in words else None
        shown = []
        if typed != text:
            for below in lines[number + 1 :]:
                if below and not below.startswith(INDENT):
                    break
                shown.append(below.removeprefix(INDENT))
        found.append(
            Typed(tuple(words[:-2] if into else words), into, tuple("\n".join(shown).strip("\n").splitlines()))
        )
    return found


SECTIONS = {section.splitlines()[0]: typed_lines(section) for section in README.split("\n## ")}
TOLD = {title: lines for title, lines in SECTIONS.items() if lines}


@contextlib.contextmanager
def keyboard(typed: bytes) -> Iterator[int]:
    """The end of a terminal at which a command reads what a person has typed."""
    master, slave = pty.openpty()
    try:
        os.write(master, typed)
        yield slave
    finally:
        os.close(slave)
        os.close(master)


class Reader:
    """Who types what is told, and says yes when asked."""

    def __init__(self, commands: Commands, home: Home) -> None:
        self._commands, self._home = commands, home
        self._pump = contextlib.ExitStack()
        self.shown: dict[str, str] = {}

    def types(self, line: Typed) -> None:
        """A command line; a pump that already runs in the first terminal is ended for the next."""
        if line.words[0] == "serve":
            self.starts_pump(*line.words[1:])
            return
        with keyboard(b"y\n") as stdin:
            finished = self._commands.start(self._home, line.words, stdin=stdin).wait()
        assert finished.status == 0, finished
        self.shown[line.words[0]] = finished.stdout
        if line.into is not None:
            (self._home.directory / line.into).write_text(finished.stdout)
        if line.shown:
            assert as_on_screen(finished) == line.shown

    def starts_pump(self, *arguments: str) -> None:
        """`vpump serve`, with a socket of this test's own; time stands still, so that every run is the same."""
        self.leaves()
        own = [each.replace("/tmp/", f"{self._home.directory}/") for each in arguments]  # noqa: S108 - as it is told
        process = self._commands.start(self._home, ["serve", "--json", *TIME_STANDS_STILL, *own])
        self._pump.enter_context(serving(process))

    def leaves(self) -> None:
        """End what runs in the first terminal."""
        self._pump.close()


def as_on_screen(finished: Finished) -> tuple[str, ...]:
    """Both streams of a command that has asked and was told yes, as a terminal shows them."""
    *before, last = finished.stdout.splitlines()
    assert finished.stderr.rstrip("\n") == QUESTION
    return (*before, f"{QUESTION}y", last)


@pytest.fixture
def reader(commands: Commands, home: Home) -> Iterator[Reader]:
    someone = Reader(commands, home)
    yield someone
    someone.leaves()


def test_the_first_success(reader: Reader) -> None:
    demo, serve, *lines = TOLD["First success"]
    assert demo.words == ("demo",), "which has a test of its own"
    reader.types(serve)
    for line in lines:
        reader.types(line)
    assert "running" in reader.shown["bolus"], "given once all the same"
    assert "low reservoir" in reader.shown["alarm"], "a month later"
    assert reader.shown["log"].count("bolus_started") == 1


def test_a_program_is_shown_as_it_stands_there(reader: Reader, home: Home) -> None:
    reader.starts_pump()
    (line,) = TOLD["A program"]
    assert line.shown
    example = next(each for each in TOLD["First success"] if each.into in line.words)
    reader.types(example)
    reader.types(line)
    assert (home.directory / "my.toml").exists()


def test_keys_of_ones_own(reader: Reader, home: Home) -> None:
    for line in TOLD["Keys"]:
        reader.types(line)
    assert (home.directory / "pump.keys").stat().st_mode & 0o777 == 0o600
    assert "TEST KEYS" not in reader.shown["interrogate"]


def test_no_command_is_left_out() -> None:
    assert list(TOLD) == ["First success", "A program", "Keys"]
    told = sum(line.startswith((INDENT + COMMAND, INDENT + PROMPT + COMMAND)) for line in README.splitlines())
    assert told == sum(len(lines) for lines in TOLD.values())
