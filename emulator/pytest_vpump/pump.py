"""The pump that a test is given: an emulated one, or a device at a real port that looks the same as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import pytest

from .evidence import Evidence
from .process import PumpProcess

if TYPE_CHECKING:
    from emulator.control.client import ControlClient

MOST_SOCKET_BYTES = 100
"""Of the path of a Unix socket; a little below the shortest limit among the systems that we run on."""


class Pump(Protocol):
    """A pump for one test. On a device (`--vpump-target`) only `port` is known; a test that wants more is skipped."""

    @property
    def port(self) -> str:
        """Where it is, as pyserial's `serial_for_url` takes it, such as /dev/pts/3 or socket://127.0.0.1:40123."""

    @property
    def serial_number(self) -> str:
        """Eight hexadecimal digits."""

    @property
    def control(self) -> ControlClient:
        """The tester's hand: `advance`, `run_until`, `arm_fault`, `truth` and more; see docs/control.md."""

    @property
    def ready(self) -> Mapping[str, Any]:
        """What it said when it came up: the ready line of `vpump serve --json`."""

    @property
    def journal(self) -> Path:
        """All that it was given; `vpump replay` takes it."""

    @property
    def capture(self) -> Path:
        """What passed on its line, as pcapng."""


class Pumps(Protocol):
    """Starts one more pump for this test: with the settings of the test, and what is given here in their place."""

    def __call__(self, **settings: object) -> Pump: ...


class EmulatedPump:
    """A pump in a process of its own; see Pump."""

    def __init__(self, process: PumpProcess, evidence: Evidence) -> None:
        self._process = process
        self._evidence = evidence
        self._control: ControlClient | None = None

    @property
    def port(self) -> str:
        """See Pump."""
        return str(self.ready["ports"][0]["url"])

    @property
    def serial_number(self) -> str:
        """See Pump."""
        return str(self.ready["serial_number"])

    @property
    def ready(self) -> Mapping[str, Any]:
        """See Pump."""
        return self._process.ready

    @property
    def journal(self) -> Path:
        """See Pump."""
        return self._evidence.journal

    @property
    def capture(self) -> Path:
        """See Pump."""
        return self._evidence.capture

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def control(self) -> ControlClient:
        """See Pump."""
        if self._control is None:
            self._control = _control_client()(self.ready["control"], self.ready.get("control_token"))
        return self._control


class Target:
    """A device at a real port: there is no tester's hand, so a test that wants one is skipped and told why."""

    def __init__(self, url: str) -> None:
        self.port = url

    @property
    def serial_number(self) -> NoReturn:
        """See Pump."""
        self.lacks("pump.serial_number")

    @property
    def control(self) -> NoReturn:
        """See Pump."""
        self.lacks("pump.control")

    @property
    def ready(self) -> NoReturn:
        """See Pump."""
        self.lacks("pump.ready")

    @property
    def journal(self) -> NoReturn:
        """See Pump."""
        self.lacks("pump.journal")

    @property
    def capture(self) -> NoReturn:
        """See Pump."""
        self.lacks("pump.capture")

    def lacks(self, wanted: str) -> NoReturn:
        """Skip the test, which wants what a device has not."""
        pytest.skip(f"wants {wanted}, which the device at --vpump-target {self.port} cannot give")


def control_words(directory: Path) -> tuple[str, str]:
    """The words for `vpump serve` that open its control plane: a socket in its directory, if that has a short path."""
    path = str(directory / "control.sock")
    return ("--control", f"unix:{path}" if len(path.encode()) <= MOST_SOCKET_BYTES else "tcp:127.0.0.1:0")


def _control_client() -> type[ControlClient]:
    """The client, imported at its first use; it brings nothing of ours but itself into this process."""
    import importlib.util

    found = importlib.util.find_spec("emulator")
    # Installed, we are beside it; in a checkout we are in it.
    above = Path(__file__).parents[1]
    ours = (above / "emulator", above)
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found is not None else []
    if not any(place in ours for place in places):
        theirs = found.origin if found is not None else None
        pytest.fail(
            f"pump.control needs vpump's package 'emulator', but in this process 'emulator' is {theirs}. "
            "The pump runs, and pump.port is good; rename that module, or take it off the import path of these tests.",
            pytrace=False,
        )
    from emulator.control.client import ControlClient

    return ControlClient
