"""`vpump serve --fault`: faults of either kind from the start, and what is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.control.client import ControlClient

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20
HOUR_US = 3_600_000_000
LINE_FAULT = "drop answer HELLO nth=1 count=1"


@pytest.fixture
def pump(tmp_path: Path) -> Iterator[ControlClient]:
    """A pump that stands still until it is told, with a fault of each kind from the start."""
    arguments = ["--speed", "0", "--control", f"unix:{tmp_path / 'control'}", "--json", "--trace"]
    faults = ["--fault", "stall after=1h", "--fault", LINE_FAULT]
    command = [sys.executable, "-P", "-m", "emulator", "serve", *arguments, *faults]
    environment = os.environ | {"VPUMP_RUNTIME_DIR": str(tmp_path / "pumps"), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield ControlClient(ready["control"], timeout_s=DEADLINE_S)
        finally:
            process.kill()


def test_faults_of_both_kinds_are_armed_from_the_start(pump: ControlClient) -> None:
    line, device = pump.faults()
    assert line == {"fault": LINE_FAULT, "kind": "line"}
    assert device["fault"] == "stall after=1h"
    assert device["next_change_us"] == HOUR_US
    assert pump.advance(HOUR_US) == HOUR_US
    stalled = pump.truth()
    assert stalled["rotor_stalled"] is True
    pump.advance(24 * HOUR_US)
    assert pump.truth()["motor_steps"] == stalled["motor_steps"]


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["stall for=2"], "--fault: fault 'stall for=2': for is '2', but allowed is a duration"),
        (["stal"], "did you mean stall?"),
        (["reset", "drop everything"], "--fault: fault 'drop everything' is too short"),
        (["reset after=1h"] * 65, "--fault is given 65 times; at most 64"),
    ],
)
def test_a_fault_that_is_none_is_one_sentence(faults: list[str], words: str) -> None:
    arguments = [argument for fault in faults for argument in ("--fault", fault)]
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
