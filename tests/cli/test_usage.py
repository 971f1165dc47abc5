"""The command line: its help, its usage errors, and how each kind of failure leaves."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from emulator import VERSION
from emulator.cli import COMMANDS, EXIT_BROKEN_PIPE, main
from emulator.cli.errors import (
    CommandFailure,
    ExpectationFailed,
    Interrupted,
    LinkFailure,
    OutcomeUnknown,
    OutOfTime,
    Refused,
    UsageFailure,
)
from emulator.cli.loading import load_command

ROOT = Path(__file__).resolve().parents[2]
OWN = ["keys", "interrogate", "caps", "bolus", "therapy", "op", "alarm", "log", "watch", "send", "decode"]


@pytest.fixture(autouse=True)
def nobody_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(tmp_path / "running"))
    monkeypatch.setenv("VPUMP_STATE_HOME", str(tmp_path / "state"))
    for name in ("VPUMP_PORT", "VPUMP_KEYS"):
        monkeypatch.delenv(name, raising=False)


def vpump(*arguments: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION
    assert vpump("--version").stdout == f"vpump {VERSION}\n"


@pytest.mark.parametrize("name", OWN)
def test_every_command_is_there_and_has_help(name: str) -> None:
    result = vpump(name, "--help")
    assert result.exit_code == 0
    assert "Usage: vpump" in result.stdout
    module = importlib.import_module(f"emulator.cli.{COMMANDS[name].module}")
    assert isinstance(getattr(module, name), click.Command)


def test_help_lists_the_commands_in_their_order_without_loading_them() -> None:
    code = "import sys; from emulator.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    help_text, _, modules = done.stdout.rpartition("\n[")
    places = [help_text.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    for heavy in ("serial", "construct", "asyncio", "msgspec", "emulator.programmer", "firmware_model"):
        assert f"'{heavy}'" not in modules


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bolus", "50"], "no unit"),
        (["bolus", "0,5mL"], "decimal point"),
        (["bolus", "-5uL"], "above zero"),
        (["bolus", "--", "-5uL"], "negative"),
        (["bolus"], "VOLUME"),
        (["bolus", "50uL", "--over", "90"], "no unit"),
        (["bolus", "50uL", "--over", "1500ms"], "whole seconds"),
        (["bolus", "50uL", "--op-id", "0"], "1<=x<=4294967294"),
        (["bolus", "50uL", "--kind", "large"], "single"),
        (["bolus", "50uL", "--frobnicate"], "--frobnicate"),
        (["nonsense"], "nonsense"),
        (["alarm", "ack", "3", "--all"], "--all"),
        (["op", "--book-unknown"], "ID"),
        (["op", "seven"], "seven"),
        (["watch", "--count", "0"], "--count"),
        (["watch", "--interval", "1"], "no unit"),
        (["log", "--since", "x"], "--since"),
        (["send", "0g"], "'0g' is no hex"),
        (["send", "#"], "no bytes"),
        (["send", "00", "--role", "reader"], "--role"),
        (["caps", "--role", "service"], "'reader', 'patient', 'clinician'"),
        (["caps", "--keys", "no-such-file"], "the key file no-such-file cannot be read"),
        (["op", "7", "--of", "reader"], "'clinician', 'patient'"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], said: str) -> None:
    result = vpump(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("vpump: ")
    assert said in result.stderr


def test_no_command_at_all_shows_the_help() -> None:
    result = vpump()
    assert result.exit_code == 2
    assert "Commands:" in result.stdout


@pytest.mark.parametrize("command", ["interrogate", "caps", "watch", "op", "log"])
def test_no_pump_anywhere(command: str) -> None:
    result = vpump(command, "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "vpump serve" in result.stderr


def test_a_port_that_is_not_there() -> None:
    result = vpump("bolus", "50uL", "--port", "/dev/no-such-port")
    assert (result.exit_code, result.stderr) == (3, "vpump: there is no port /dev/no-such-port.\n")


def test_several_pumps_and_none_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from emulator import running
    from emulator.running import PortRecord, RunningPump

    def pump(number: int) -> RunningPump:
        ports = (PortRecord("pty", f"/dev/pts/9{number}"),)
        return RunningPump(f"0000000{number}", ports, None, None, "reference-20", 0, 1, 100 + number, 0.0)

    monkeypatch.setattr(running, "running_pumps", lambda: [pump(1), pump(2)])
    result = vpump("interrogate")
    assert result.exit_code == 2
    assert "00000001 at /dev/pts/91, 00000002 at /dev/pts/92" in result.stderr
    monkeypatch.setenv("VPUMP_PORT", "/dev/no-such-port")
    assert "no-such-port" in vpump("interrogate").stderr


def test_a_pump_that_speaks_another_protocol(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from emulator import running
    from emulator.running import PortRecord, RunningPump

    device, link = tmp_path / "device", tmp_path / "link"
    device.touch()
    link.symlink_to(device)
    ports = (PortRecord("pty", str(device)),)
    pump = RunningPump("00C0FFEE", ports, None, None, "reference-20", 0, 1, 100, 0.0, protocol="wand")
    monkeypatch.setattr(running, "running_pumps", lambda: [pump])
    only = "speaks the protocol wand, and this command only vpump; 'vpump send' speaks any."
    for port, named in ((str(device), device), (str(link), link), (None, device)):
        result = vpump("interrogate", *(("-p", port) if port else ()))
        assert (result.exit_code, result.stderr) == (2, f"vpump: the pump 00C0FFEE at {named} {only}\n")
    result = vpump("send", "00", "-p", str(link))
    assert (result.exit_code, result.stderr) == (
        2,
        "vpump: --protocol: there is no protocol 'wand'; installed are vpump.\n",
    )


def test_whoever_names_a_port_needs_no_list_of_pumps(monkeypatch: pytest.MonkeyPatch) -> None:
    from emulator import running
    from emulator.running import RunningError

    def refuse() -> None:
        raise RunningError("The directory of running pumps cannot be used.")

    monkeypatch.setattr(running, "running_pumps", refuse)
    assert vpump("interrogate").stderr == "vpump: The directory of running pumps cannot be used.\n"
    result = vpump("interrogate", "-p", "/dev/no-such-port")
    assert (result.exit_code, result.stderr) == (3, "vpump: there is no port /dev/no-such-port.\n")


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Refused("no", code="lockout", limit=5), 1),
        (UsageFailure("no"), 2),
        (LinkFailure("no"), 3),
        (ExpectationFailed("no"), 4),
        (OutOfTime("no"), 5),
        (OutcomeUnknown("no", op_id=7), 6),
        (Interrupted("no"), 130),
        (KeyboardInterrupt(), 130),
        (EOFError(), 2),
        (BrokenPipeError(), EXIT_BROKEN_PIPE),
    ],
)
def test_each_failure_has_its_status(failure: BaseException, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise failure

    monkeypatch.setattr(type(main), "get_command", lambda *_: fails)
    result = vpump("caps")
    assert result.exit_code == status
    assert result.stdout == ""
    if isinstance(failure, CommandFailure):
        assert result.stderr == "vpump: no\n"


def test_a_refusal_in_json_is_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    from emulator.cli.connection import json_option

    @click.command()
    @json_option
    def refused() -> None:
        raise Refused("too much", code="above_maximum", limit=5)

    monkeypatch.setattr(type(main), "get_command", lambda *_: refused)
    result = vpump("caps", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": "too much", "code": "above_maximum", "limit": 5}
    assert result.stderr == "vpump: too much\n"


def test_a_pipe_that_nobody_reads_is_quiet() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "emulator", "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, EXIT_BROKEN_PIPE)


def test_an_interrupt_waits_until_the_module_of_a_command_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def struck(name: str) -> object:
        signal.raise_signal(signal.SIGINT)
        loaded.append(name)
        return load(name)

    loaded: list[str] = []
    load = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", struck)
    with pytest.raises(KeyboardInterrupt):
        load_command("reading", "caps")
    assert loaded == ["emulator.cli.reading"]


def test_an_interrupt_that_strikes_while_a_module_is_loaded_ends_as_any_other(tmp_path: Path) -> None:
    script = """
from emulator.cli import CommandLine, main

def struck(*_):
    exec("raise KeyboardInterrupt")

CommandLine.get_command = struck
main(["ls"])
"""
    (tmp_path / "struck.py").write_text(script)
    # As a module, for then the interpreter asks at its end whether an interrupt was left over.
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    ended = subprocess.run([sys.executable, "-m", "struck"], capture_output=True, env=environment, check=False)
    assert (ended.returncode, ended.stderr.strip()) == (130, b"vpump: interrupted.")
