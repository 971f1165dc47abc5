"""Control planes for the tests: one on a Unix socket and one on TCP for each module, with a new pump for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control.fake_serving import FakeServing, ServedControl


@pytest.fixture(scope="module")
def _unix_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedControl]:
    served = ServedControl(f"unix:{tmp_path_factory.mktemp('control') / 'pump.sock'}")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def _tcp_server() -> Iterator[ServedControl]:
    served = ServedControl("tcp:127.0.0.1:0")
    yield served
    served.stop()


@pytest.fixture
def served(_unix_server: ServedControl) -> ServedControl:
    """A control plane on a Unix socket, over a pump that nothing has happened to."""
    # The server keeps the pump that it was started with, so that one is made new in place.
    _unix_server.serving.__dict__.update(FakeServing().__dict__)
    return _unix_server


@pytest.fixture
def served_tcp(_tcp_server: ServedControl) -> ServedControl:
    """A control plane on TCP, over a pump that nothing has happened to."""
    _tcp_server.serving.__dict__.update(FakeServing().__dict__)
    return _tcp_server


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    """A free path for a socket."""
    return tmp_path / "pump.sock"
