"""Pages that show a console: what is typed there, and what the screen shows then.

A page's consoles are one after another what one person types at one machine. `vpump serve` runs in a first terminal. In
what is shown, `…` stands for any text, and alone on a line for any number of lines.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.product import Commands, Finished, Home, serving
from tests.end_to_end.streams import DEADLINE_S

PROMPT = "$ "
ANYTHING = "…"
PLUGIN = "emulator.pytest_vpump.plugin"
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Typed:
    """A line that is typed, and what the screen shows until the next."""

    command: str
    shown: list[str] = field(default_factory=list)


def typed_in(page: Path) -> list[Typed]:
    """All that is typed on a page, in its order."""
    found: list[Typed] = []
    for console in _CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in console.splitlines():
            if line.startswith(PROMPT):
                found.append(Typed(line.removeprefix(PROMPT)))
            else:
                found[-1].shown.append(line)
    return found


def fits(shown: list[str], screen: str) -> bool:
    """Whether the screen shows what the page says."""
    pattern = ""
    for line in shown:
        words = ".*".join(map(re.escape, line.split(ANYTHING)))
        pattern += r"(?:.*\n)*?" if line.strip() == ANYTHING else f"{words}\n"
    return re.fullmatch(pattern, screen) is not None


class Person:
    """Who types what a page says. `/tmp` is a directory of this person's own."""

    def __init__(self, commands: Commands, home: Home, terminals: contextlib.ExitStack) -> None:
        self._commands, self._home, self._terminals = commands, home, terminals
        self._last: Finished | None = None

    def types(self, line: Typed) -> None:
        """Type a line, and compare the screen; an exit status above 0 is one that the page goes on to show."""
        if line.command == "echo $?":
            assert self._last is not None
            assert line.shown == [str(self._last.status)], self._last
            self._last = None
            return
        self.leaves()
        program, *words = shlex.split(line.command.replace("/tmp/", f"{self._home.directory}/"))  # noqa: S108
        if program == "pytest":
            self._tests(words)
            return
        assert program == "vpump", line.command
        words = [sys.executable if word == "python" else word for word in words]
        if words[0] == "serve":
            process = self._commands.start(self._home, [*words, "--json"])
            self._terminals.enter_context(serving(process))
            return
        into = words[words.index(">") + 1] if ">" in words else None
        finished = self._commands.run(self._home, words[:-2] if into else words)
        self._last = finished
        if words[:2] == ["control", "shutdown"]:
            self._terminals.close()
        if into is not None:
            (self._home.directory / into).write_text(finished.stdout)
            return
        screen = finished.stderr + finished.stdout
        # What tells of progress may be left out.
        assert fits(line.shown, screen) or fits(line.shown, finished.stdout), (
            f"after {line.command!r} the screen shows\n{screen}"
        )

    def _tests(self, words: list[str]) -> None:
        """Run pytest, as in a place where vpump is installed: a checkout has no entry point for its plugin."""
        subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *words],
            check=True,
            cwd=self._home.directory,
            env=self._home.environment(),
            timeout=DEADLINE_S,
        )

    def leaves(self) -> None:
        """See that the last command ended well, unless the page has said how it ended."""
        assert self._last is None or self._last.status == 0, self._last
