"""The product as a user has it: pumps and commands in processes of their own, with a deadline on everything."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from emulator.control.client import ControlClient
from tests.end_to_end.streams import DEADLINE_S, LineStream

ROOT = Path(__file__).parents[2]
VPUMP = (sys.executable, "-m", "emulator")
INSECURE_LINE = "INSECURE: this pump asks nobody for a key; whoever can open its port can program it."
TEST_KEYS_LINE = "TEST KEYS: the keys of this pump are published; it protects nobody."
NO_KEYS_LINE = "NO KEYS: the protocol of this pump has none; whoever can open its port can program it."
INTERRUPTED = 130
NEVER = 0
MAX_OUTPUT_BYTES = 1 << 20


class Home:
    """A user's machine, as far as a test needs one: a directory of work, running pumps and a book of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.variables: dict[str, str] = {
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "VPUMP_RUNTIME_DIR": str(directory / "running"),
            "VPUMP_STATE_HOME": str(self.state),
        }

    def environment(self) -> dict[str, str]:
        """What a process of this user sees; nothing of the settings of whoever runs the tests."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VPUMP_")}
        return inherited | self.variables

    def keys_in(self, name: str) -> dict[str, bytes]:
        """The keys in a key file of this user that has one table, by role."""
        (table,) = tomllib.loads((self.directory / name).read_text()).values()
        return {role: bytes.fromhex(key) for role, key in table.items()}


@dataclass(frozen=True)
class Finished:
    """A command that has ended. `calls`: how many of the calls at which a host can die it made, where they count."""

    arguments: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    calls: int = 0

    def __post_init__(self) -> None:
        assert "Traceback" not in self.stderr, self
        # Python's own are named as DeprecationWarning is; a pump's begin with the word alone.
        assert re.search(r"\wWarning\b", self.stderr) is None, self

    @property
    def document(self) -> Any:
        """Its one JSON document, with nothing else on stdout."""
        return json.loads(self.stdout)

    @property
    def documents(self) -> list[Any]:
        """Its JSON documents, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def sentence(self) -> str:
        """What it said on stderr, which is one sentence and no more."""
        # After Ctrl-C an empty line comes first: it ends the line on which a terminal shows ^C.
        (line,) = self.stderr.lstrip("\n").splitlines()
        said = line.removeprefix("vpump: ")
        assert said != line, self
        return said


class Running(Protocol):
    """A process, as `subprocess.Popen` has it."""

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""

    def wait(self, timeout: float) -> int:
        """Wait for its end; raises TimeoutExpired."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""


class Process:
    """A command that runs on; its output is read as it comes, so that no pipe can fill."""

    def __init__(self, arguments: Sequence[str], process: Running, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.arguments = tuple(arguments)
        self._process = process
        self.stdout = LineStream(stdout)
        self.stderr = LineStream(stderr)

    @property
    def has_ended(self) -> bool:
        """Whether it has."""
        return self._process.poll() is not None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to a process that runs."""
        assert not self.has_ended, (self.stdout.lines, self.stderr.lines)
        self._process.send_signal(number)

    def wait(self) -> Finished:
        """Wait for its end; one that does not come is killed, and a failure."""
        try:
            status = self._process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.stdout.join()
            self.stderr.join()
        return Finished(self.arguments, status, self.stdout.text, self.stderr.text)

    def kill(self) -> None:
        """End a process of which nothing more is expected."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(DEADLINE_S)

    def interrupt(self) -> Finished:
        """End it as Ctrl-C does."""
        self.send_signal(signal.SIGINT)
        return self.wait()


class ServedPump:
    """A pump that `vpump serve` runs; `ready` is the line that said so."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.finished: Finished | None = None
        self.ready: dict[str, Any] = json.loads(process.stdout.wait_for(lambda line: '"ready"' in line))

    @property
    def urls(self) -> list[str]:
        """Where its clients find it."""
        return [port["url"] for port in self.ready["ports"]]

    @property
    def url(self) -> str:
        """Its only port."""
        (url,) = self.urls
        return url

    @property
    def serial_number(self) -> str:
        """Its serial number in hex."""
        return str(self.ready["serial_number"])

    @property
    def address(self) -> int:
        """Its serial number, as its frames bear it."""
        return int(self.serial_number, 16)

    @property
    def warning(self) -> str:
        """How the first line that it says on stderr begins, by how it was started."""
        if self.ready["keys"] == "none":
            return f"{NO_KEYS_LINE}\n"
        if "--insecure" in self.process.arguments:
            return f"{INSECURE_LINE}\n"
        return "This pump has keys of its own, from " if "--keys" in self.process.arguments else f"{TEST_KEYS_LINE}\n"

    @property
    def control(self) -> ControlClient:
        """The tester's hand on it."""
        return ControlClient(self.ready["control"], self.ready.get("control_token"), timeout_s=DEADLINE_S)

    def wait_for_event(self, **wanted: object) -> dict[str, Any]:
        """The first event of a JSON trace with these fields."""

        def fits(line: str) -> bool:
            event = json.loads(line)
            return all(event.get(name) == value for name, value in wanted.items())

        found: dict[str, Any] = json.loads(self.process.stdout.wait_for(fits))
        return found

    def end(self, number: signal.Signals = signal.SIGTERM, status: int = 0) -> Finished:
        """End it, and see that it leaves as it should: with its status, and no word too many."""
        if not self.process.has_ended:
            self.process.send_signal(number)
        self.finished = finished = self.process.wait()
        assert finished.status == status, finished
        assert finished.stderr.startswith(self.warning), finished
        return finished


def start_afresh(home: Home, arguments: Sequence[str]) -> Process:
    """Start a command as a user does, in a process of its own from the beginning."""
    process = subprocess.Popen(
        (*VPUMP, *arguments),
        cwd=home.directory,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    return Process(arguments, process, process.stdout, process.stderr)


class Commands:
    """Starts commands in processes that are forked from one that has loaded everything: real ones, and quick."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(DEADLINE_S)
        with theirs:
            self._server = subprocess.Popen(
                (sys.executable, "-W", "error", "-m", "tests.end_to_end.forked_commands", str(theirs.fileno())),
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
            )

    def start(
        self, home: Home, arguments: Sequence[str], *, stdin: int = subprocess.DEVNULL, full_at: int | None = None
    ) -> Process:
        """Start a command that runs on; `stdin` is a descriptor. From its call `full_at` on, all to files fail."""
        (stdout, stdout_end), (stderr, stderr_end) = os.pipe(), os.pipe()
        with open(stdout_end, "wb") as out, open(stderr_end, "wb") as err:  # noqa: PTH123 - descriptors
            pid = self._fork(home, arguments, [stdin, out.fileno(), err.fileno()], None, full_at)
        return Process(arguments, _Forked(self, pid), os.fdopen(stdout, "rb"), os.fdopen(stderr, "rb"))

    def run(self, home: Home, arguments: Sequence[str], *, stdin: bytes = b"", kill_at: int | None = None) -> Finished:
        """Run a command to its end. With `kill_at` it is killed at that call of its host to disk or line, or NEVER."""
        with contextlib.ExitStack() as files:
            opened = [files.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            opened[0].write(stdin)
            opened[0].seek(0)
            pid = self._fork(home, arguments, [file.fileno() for file in opened], kill_at)
            status = self.ask({"wait": pid})
            assert status is not None
            stdout, stderr = [os.pread(file.fileno(), MAX_OUTPUT_BYTES, 0).decode() for file in opened[1:]]
        calls = len((home.directory / "calls").read_bytes()) if kill_at is not None else 0
        return Finished(tuple(arguments), status, stdout, stderr, calls)

    def ask(self, request: dict[str, Any], descriptors: Sequence[int] = ()) -> int | None:
        """Send a request, and wait for its reply."""
        socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
        return self.reply()

    def reply(self) -> int | None:
        """Wait for the reply to a request that was sent."""
        packet = self._socket.recv(MAX_OUTPUT_BYTES)
        assert packet, "the process that commands are forked from is gone"
        status: int | None = json.loads(packet)
        return status

    def close(self) -> None:
        """End the process that commands are forked from."""
        self._socket.close()
        assert self._server.wait(DEADLINE_S) == 0

    def _fork(
        self,
        home: Home,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        kill_at: int | None,
        full_at: int | None = None,
    ) -> int:
        request = {
            "arguments": list(arguments),
            "environment": home.environment(),
            "directory": str(home.directory),
            "kill_at": kill_at,
            "full_at": full_at,
        }
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
            pid = self.ask(request, [nothing.fileno() if each == subprocess.DEVNULL else each for each in descriptors])
        assert pid is not None
        return pid


class _Forked:
    """A process whose parent is not the test's."""

    def __init__(self, commands: Commands, pid: int) -> None:
        self._commands = commands
        self._pid = pid
        self._waiting = False
        self._status: int | None = None

    def poll(self) -> int | None:
        """See Running."""
        if self._status is None:
            self._status = self._commands.ask({"poll": self._pid})
        return self._status

    def wait(self, timeout: float) -> int:
        """See Running; the time is that of the socket."""
        if self._status is None:
            try:
                self._status = self._commands.reply() if self._waiting else self._commands.ask({"wait": self._pid})
            except TimeoutError:
                # The reply is still to come.
                self._waiting = True
                raise subprocess.TimeoutExpired(str(self._pid), timeout) from None
        assert self._status is not None
        return self._status

    def send_signal(self, sig: int) -> None:
        """See Running."""
        os.kill(self._pid, sig)


@contextlib.contextmanager
def serving(process: Process) -> Iterator[ServedPump]:
    """A pump for as long as the context lasts."""
    try:
        pump = ServedPump(process)
    except BaseException:
        process.kill()
        raise
    try:
        yield pump
    finally:
        if pump.finished is None:
            pump.end()
