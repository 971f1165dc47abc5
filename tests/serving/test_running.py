"""The register of the pumps that run on this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from emulator.running import PortRecord, RunningError, RunningPump, register, running_pumps, runtime_directory

PUMP = RunningPump(
    serial_number="00C0FFEE",
    ports=(PortRecord("pty", "/dev/pts/3"),),
    control="http://127.0.0.1:7000",
    control_token="secret",  # noqa: S106 - a secret of this test
    profile="reference-20",
    seed=0,
    speed=0.5,
    pid=os.getpid(),
    started=1.5,
)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pumps"
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(path))
    return path


def test_a_pump_is_listed_while_it_runs() -> None:
    assert running_pumps() == []
    with register(PUMP):
        assert running_pumps() == [PUMP]
    assert running_pumps() == []


def test_the_oldest_pump_comes_first(directory: Path) -> None:
    with register(PUMP) as path:
        older = replace(PUMP, serial_number="00000001", started=1.0)
        # Another pump of the same process and start would have the same name; leading zeros make it another one.
        path.with_name(f"0{path.name}").write_text(json.dumps(asdict(older)))
        assert [pump.serial_number for pump in running_pumps()] == ["00000001", "00C0FFEE"]
    assert len(list(directory.iterdir())) == 1


def test_nobody_else_can_read_it(directory: Path) -> None:
    with register(PUMP) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_directory_that_is_too_open_is_closed(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    assert stat.S_IMODE(runtime_directory().stat().st_mode) == 0o700


def test_processes_that_are_gone_are_removed(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        process.wait()
    directory.mkdir(mode=0o700)
    record = json.dumps(asdict(PUMP))
    gone = directory / f"{process.pid}-12345.json"
    reused = directory / f"{os.getpid()}-1.json"
    gone.write_text(record)
    reused.write_text(record)
    assert running_pumps() == []
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"serial_number": 1}', "null", '{"control": 1}'])
def test_files_that_make_no_sense_are_passed_over(directory: Path, text: str) -> None:
    with register(PUMP) as path:
        path.with_name(f"0{path.name}").write_text(text)
        (directory / "notes.txt").write_text("mine")
        assert running_pumps() == [PUMP]
    assert (directory / "notes.txt").exists()


def test_a_record_that_somebody_removed_is_no_error() -> None:
    with register(PUMP) as path:
        path.unlink()


def test_a_link_or_a_file_in_place_of_the_directory_is_refused(tmp_path: Path, directory: Path) -> None:
    directory.symlink_to(tmp_path)
    with pytest.raises(RunningError, match="and is none"):
        running_pumps()
    directory.unlink()
    directory.write_text("")
    with pytest.raises(RunningError, match="and is none"):
        running_pumps()


def test_somebody_elses_directory_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir(mode=0o700)
    owner = directory.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(RunningError, match="belongs to somebody else"):
        running_pumps()


def test_a_directory_that_cannot_be_made_is_one_sentence(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(directory / "deep" / "down"))
    with pytest.raises(RunningError, match=r"No such file or directory\.$"), register(PUMP):
        pass


def test_the_directory_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VPUMP_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_directory() == tmp_path / "vpump"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert runtime_directory() == tmp_path / f"vpump-{os.getuid()}"
