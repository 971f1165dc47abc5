"""`vpump ls`: the pumps that run on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main
from emulator.running import PortRecord, RunningPump, register


@pytest.fixture(autouse=True)
def _own_pumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other pump of this machine is seen."""
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(tmp_path / "pumps"))


PUMP = RunningPump(
    serial_number="00C0FFEE",
    ports=(PortRecord("pty", "/dev/pts/3"), PortRecord("tcp:127.0.0.1:0", "socket://127.0.0.1:8100")),
    control="http://127.0.0.1:8123",
    control_token="not-to-be-shown",  # noqa: S106 - stands for a token
    profile="reference-20",
    seed=0,
    speed=1,
    pid=os.getpid(),
    started=1.0,
)


def ls(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["ls", *arguments])


def test_no_pump_runs() -> None:
    result = ls()
    assert result.exit_code == 0
    assert result.stdout == "No pump runs on this machine; start one with 'vpump serve'.\n"
    assert json.loads(ls("--json").stdout) == []


def test_a_pump_is_a_line_of_the_table() -> None:
    with register(PUMP):
        result = ls()
    heading, row = result.stdout.splitlines()
    assert heading.split() == ["SERIAL", "NUMBER", "PROFILE", "PROTOCOL", "PORTS", "CONTROL", "PID"]
    ports = "/dev/pts/3, socket://127.0.0.1:8100"
    assert row.split("  ")[0] == "00C0FFEE"
    assert row[heading.index("PROTOCOL") :].startswith("vpump ")
    assert row[heading.index("PORTS") :].startswith(ports)
    assert row[heading.index("CONTROL") :].startswith("http://127.0.0.1:8123")
    assert row.endswith(str(os.getpid()))


def test_a_document_has_everything_but_the_token() -> None:
    with register(PUMP):
        result = ls("--json")
    (document,) = json.loads(result.stdout)
    assert document["serial_number"] == "00C0FFEE"
    assert document["ports"][0] == {"spec": "pty", "url": "/dev/pts/3"}
    assert document["control"] == "http://127.0.0.1:8123"
    assert document["speed"] == 1, "a number, as in the ready line"
    assert "not-to-be-shown" not in result.stdout


def test_a_list_that_cannot_be_trusted_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("file").touch()
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(tmp_path / "file"))
    result = ls()
    assert result.exit_code == 3
    assert "should be the directory of running pumps" in result.stderr
