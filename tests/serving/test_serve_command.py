"""`vpump serve` from the outside: its lines, its signals, what it leaves behind, and its refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial

from emulator.cli import main
from protocol.host_end import Answered, HostEnd
from protocol.messages.link import HelloRequest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "emulator", "serve", *arguments]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"VPUMP_RUNTIME_DIR": str(tmp_path / "pumps"), "PYTHONPATH": str(ROOT)}


@contextmanager
def pump(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(*arguments),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_document(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    document: dict[str, Any] = json.loads(process.stdout.readline())
    return document


def say_hello(url: str) -> object:
    """What the pump answers to HELLO, through any port."""
    host = HostEnd()
    with serial.serial_for_url(url, timeout=0.2) as line:
        host.request(HelloRequest(major=1, minor=0), time.monotonic_ns() // 1000)
        for _ in range(DEADLINE_S * 5):
            line.write(host.data_to_send())
            data = line.read(line.in_waiting or 1)
            host.receive(data, time.monotonic_ns() // 1000)
            # It asks again, as a new client may have to that comes while the bytes of the one before are still read.
            host.advance(time.monotonic_ns() // 1000)
            event = host.next_event()
            if event is not None:
                return event
    return None


def test_the_ready_line_and_an_interrupt(environment: dict[str, str], tmp_path: Path) -> None:
    link = tmp_path / "pump"
    listen = ["--listen", f"pty:{link}", "--listen", "tcp:127.0.0.1:0"]
    with pump(environment, "--json", *listen) as process:
        document = first_document(process)
        urls = [port["url"] for port in document["ports"]]
        assert document == {
            "event": "ready",
            "serial_number": "00C0FFEE",
            "ports": [{"spec": f"pty:{link}", "url": urls[0]}, {"spec": "tcp:127.0.0.1:0", "url": urls[1]}],
            "control": None,
            "profile": "reference-20",
            "seed": 0,
            "speed": 1,
        }
        assert isinstance(document["speed"], int)
        assert link.readlink() == Path(urls[0])
        (entry,) = (tmp_path / "pumps").iterdir()
        assert entry.name.startswith(f"{process.pid}-")
        for url in (urls[0], str(link), urls[1]):
            assert isinstance(say_hello(url), Answered)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 130
        assert out == ""
        assert [line for line in err.splitlines() if not line.startswith("INSECURE: ")] == ["vpump: interrupted."]
        assert not link.is_symlink()
        assert not entry.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_is_an_end_like_any_other(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    link = tmp_path / "pump"
    with pump(environment, "--listen", f"pty:{link}", "--speed", "0.5") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Pump 00C0FFEE (reference-20, seed 0) is running.\n"
        assert f"(link: {link})" in process.stdout.readline()
        assert process.stdout.readline() == "  speed    0.5, in a session 1\n"
        assert process.stdout.readline().endswith(f"vpump interrogate -p {link}\n")
        assert process.stdout.readline() == "Stop it with Ctrl-C.\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert err.count("INSECURE: ") == len(err.splitlines()) == 1
        assert not link.is_symlink()


def test_the_trace_as_json_lines_and_for_people(environment: dict[str, str]) -> None:
    with pump(environment, "--json", "--trace", "--fault", "drop answer HELLO nth=9 count=1") as process:
        url = first_document(process)["ports"][0]["url"]
        assert isinstance(say_hello(url), Answered)
        assert process.stdout is not None
        kinds: list[str] = []
        while kinds.count("line") < 2:
            kinds.append(json.loads(process.stdout.readline())["event"])
        assert "fault-armed" in kinds
        assert [kind for kind in kinds if kind in ("line", "frame")] == ["line", "frame", "frame", "line"]
    with pump(environment, "--trace") as process:
        assert process.stdout is not None
        process.stdout.readline()
        url = process.stdout.readline().split()[1]
        assert isinstance(say_hello(url), Answered)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert "port 0  ->  HELLO" in err
        assert "port 0  <-  HELLO" in err
        assert "\x1b" not in err


def test_a_reader_of_the_trace_that_does_not_read_holds_nobody_up(environment: dict[str, str]) -> None:
    with pump(environment, "--json", "--trace") as process:
        url = first_document(process)["ports"][0]["url"]
        # So many rejected frames make more lines than any pipe holds.
        with serial.serial_for_url(url, timeout=DEADLINE_S) as line:
            line.write(b"rubbish\0" * 5_000)
        assert isinstance(say_hello(url), Answered)
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)
        assert process.returncode == 0


def test_the_control_plane_is_announced_and_can_end_the_pump(environment: dict[str, str], tmp_path: Path) -> None:
    with pump(environment, "--json", "--speed", "0", "--control", f"unix:{tmp_path}/c") as process:
        document = first_document(process)
        assert document["control"] == f"unix:{tmp_path}/c"
        assert "control_token" not in document
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{tmp_path}/c")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        assert not (tmp_path / "c").exists()
    with pump(environment, "--json", "--control", "tcp:127.0.0.1:0") as process:
        assert len(first_document(process)["control_token"]) > 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "com7"], "'com7'"),
        (["--listen", "tcp:0.0.0.0:1"], "this machine only"),
        (["--speed", "fast"], "--speed: 'fast'"),
        (["--session-speed", "-1"], "--session-speed"),
        (["--serial-number", "XYZ"], "'XYZ'"),
        (["--serial-number", "ffffffff"], "'ffffffff'"),
        (["--serial-number", "0"], "'0'"),
        (["--seed", "-1"], "--seed"),
        (["--profile", "unheard-of"], "unheard-of"),
        (["--fault", "drop everything"], "--fault"),
        (["--control", "nowhere"], "nowhere"),
        (["--listen", "pty:/dev/null"], "already"),
        (["--listen", "pty"] * 17, "at most 16"),
    ],
)
def test_wrong_usage_is_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = err.splitlines()
    assert words in sentence


def test_a_register_that_cannot_be_used_is_said_and_nothing_more(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pumps").write_text("")
    with pump(environment, "--json") as process:
        assert first_document(process)["event"] == "ready"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert "'vpump ls' will not show this pump" in err


def test_its_help_loads_nothing_heavy() -> None:
    heavy = "{'asyncio', 'construct', 'msgspec', 'serial', 'uvicorn', 'protocol', 'firmware_model'}"
    program = f"import sys, emulator.cli.serve; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    assert done.stdout == "\n"
