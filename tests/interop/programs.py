"""The foreign programs: what they need, what of it is missing here, and running one with a deadline."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.product import Process
from tests.end_to_end.streams import DEADLINE_S

HERE = Path(__file__).parent
CLIENT = str(HERE / "node" / "client.mjs")
NODE_MODULES = HERE / "node_modules"
OLDEST_NODE = 18
"""What the oldest supported Debian and Ubuntu have, and these programs were tried with."""
INSTALL = "run scripts/install-test-tools"
REFUSED, NO_ANSWER = 1, 3


def missing_node() -> str | None:
    """Why Node's programs cannot run here; None when they can."""
    node = shutil.which("node")
    if node is None:
        return f"node is not installed: {INSTALL}"
    told = subprocess.run((node, "--version"), capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout
    if int(told.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        return f"node is {told.strip()}, and {OLDEST_NODE} or newer is needed"
    installed = NODE_MODULES / "installed-package-lock.json"
    if not installed.exists() or installed.read_bytes() != (HERE / "package-lock.json").read_bytes():
        return f"tests/interop/node_modules is missing or not current: {INSTALL}"
    return None


def missing_compiler() -> str | None:
    """Why C programs cannot be compiled here; None when they can."""
    return None if shutil.which("cc") else f"cc is not installed: {INSTALL}"


@dataclass(frozen=True)
class Said:
    """A program that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Its one JSON document, of a program that did what it was asked."""
        assert (self.status, self.stderr) == (0, ""), self
        return json.loads(self.stdout)


def run(command: Sequence[str], directory: Path) -> Said:
    """Run a program to its end; one that takes too long is killed, and a failure."""
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class NodeClient:
    """tests/interop/node/client.mjs at one port, with its book in one directory."""

    port: str
    directory: Path
    host_id: int = 0x00DE_C0DE

    def command(self, *arguments: str) -> tuple[str, ...]:
        """What is run for one command of it."""
        return ("node", CLIENT, "--port", self.port, "--host", str(self.host_id), *arguments)

    def run(self, *arguments: str) -> Said:
        """Run one command of it: `run("--role", "reader", "status")`."""
        return run(self.command(*arguments), self.directory)

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[Process]:
        """A command that tells as it goes on; it must have ended by itself, or it is killed."""
        command = self.command(*arguments)
        started = subprocess.Popen(
            command,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert started.stdout is not None
        assert started.stderr is not None
        process = Process(command, started, started.stdout, started.stderr)
        try:
            yield process
        finally:
            if not process.has_ended:
                process.kill()

    def __call__(self, *arguments: str) -> Any:
        """Run a command that must succeed, and give its document."""
        return self.run(*arguments).document

    def refusal(self, *arguments: str) -> dict[str, int]:
        """Run a command that the pump must refuse, and give code, field, element and detail."""
        said = self.run(*arguments)
        assert said.status == REFUSED, said
        refused: dict[str, int] = json.loads(said.stdout)["refused"]
        return refused
