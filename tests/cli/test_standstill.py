"""A person at a pump that stands still while it is programmed: he always knows whether therapy runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import emulator.cli.program as program_module
from emulator.cli import main
from emulator.cli.standstill import LEFT_STANDING
from protocol.messages.program import ProgramBeginRequest, ProgramValidateRequest
from tests.cli.desk import Desk, desk_of


@pytest.fixture(params=[False, True], ids=["keys", "insecure"])
def large(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(monkeypatch, tmp_path, insecure=request.param, profile="reference-40")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new.toml"
    path.write_text("[alarms]\nlow_reservoir = '3mL'\n", encoding="utf-8")
    return path


def run_state(desk: Desk) -> str:
    return desk.world.device.pump.firmware.record.run_state.name.lower()


def answering(monkeypatch: pytest.MonkeyPatch, text: str, *arguments: str) -> Result:
    monkeypatch.setattr(program_module, "somebody_is_there", lambda: True)
    return CliRunner().invoke(main, ["program", *arguments], input=text)


def test_a_program_is_committed_and_runs(large: Desk, file: Path) -> None:
    assert large.document("program", str(file), "--yes")["outcome"] == "committed"
    assert run_state(large) == "running"


def test_a_dry_run_does_not_stop_therapy(large: Desk, file: Path) -> None:
    def begun() -> None:
        raise AssertionError("the pump was brought to a stand to look at a program")

    large.before[ProgramBeginRequest] = begun
    result = large.vpump("program", str(file), "--dry-run")
    assert (result.exit_code, run_state(large)) == (1, "running")
    assert "a dry run would stop therapy; nothing was changed" in result.stderr
    del large.before[ProgramBeginRequest]
    assert large.vpump("therapy", "stop").exit_code == 0
    assert large.vpump("program", str(file), "--dry-run").stdout.endswith("this was a dry run: nothing was changed.\n")


def test_who_says_no_is_told_that_therapy_stands_still(
    large: Desk, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = answering(monkeypatch, "n\n", str(file))
    assert (result.exit_code, run_state(large)) == (1, "stopped")
    said = result.stderr
    assert said.index("therapy stands still until this program is committed") < said.index("Commit this program?")
    assert LEFT_STANDING in said
    assert "nothing was changed" not in said
    assert large.vpump("therapy", "start").exit_code == 0
    assert run_state(large) == "running"


@pytest.mark.parametrize("request_class", [ProgramBeginRequest, ProgramValidateRequest])
def test_who_is_interrupted_is_told_whether_therapy_stands_still(large: Desk, file: Path, request_class: type) -> None:
    large.interrupts = request_class
    result = large.vpump("program", str(file), "--yes")
    large.interrupts = None
    assert result.exit_code == 130
    assert (LEFT_STANDING in result.stderr) == (run_state(large) == "stopped")
