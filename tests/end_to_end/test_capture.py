"""`vpump serve --capture`: what the real tshark reads in it, also while it is written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve, Start, Vpump
from tests.end_to_end.product import VPUMP, Home, Process, serving
from tests.end_to_end.streams import DEADLINE_S

FIELDS = ("frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction", "data.data", "frame.comment")
INBOUND, OUTBOUND = "0x00000001", "0x00000002"
needs_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="tshark is not installed; see scripts/install-test-tools"
)


def tshark_command(*arguments: str) -> list[str]:
    fields = [word for field in FIELDS for word in ("-e", field)]
    return ["tshark", "-n", *arguments, "-T", "fields", "-E", "aggregator=|", *fields]


def rows_of(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def tshark(home: Home, path: Path) -> list[list[str]]:
    """The fields of each packet."""
    done = subprocess.run(
        tshark_command("-r", str(path)),
        env=home.environment() | {"HOME": str(home.directory), "TMPDIR": str(home.directory)},
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return rows_of(done.stdout)


@needs_tshark
def test_a_captured_session_with_a_lost_answer(home: Home, serve: Serve, vpump: Vpump) -> None:
    pump = serve(
        *("--listen", "tcp:127.0.0.1:0", "--listen", "pty", "--capture", "pump.pcapng"),
        *("--speed", "0", "--control", "unix:c", "--trace", "--fault", "drop answer STATUS"),
    )
    pump.control.advance(3_600_000_000)
    assert vpump("interrogate", "-p", pump.urls[0]).status == 0
    assert vpump("send", "00 05 11 00", "-p", pump.urls[1], "--wait", "1ms").status == 0
    pump.wait_for_event(event="rejected")
    pump.end(signal.SIGINT, 130)
    rows = tshark(home, home.directory / "pump.pcapng")
    assert {row[0] for row in rows} == {"3600.000000000"}, "virtual time stood still"
    assert {row[1] for row in rows[:-1]} == {"tcp:127.0.0.1:0"}
    hello, answer = rows[:2]
    assert (hello[2], answer[2]) == (INBOUND, OUTBOUND)
    assert "port 0  line opened" in hello[4]
    assert hello[3].startswith("00")
    assert hello[3].endswith("00")
    lost = [row for row in rows if "injected fault: drop answer STATUS nth=1 count=1" in row[4]]
    assert [row[2] for row in lost] == [OUTBOUND]
    _, interface, direction, data, comments = rows[-1]
    assert (interface, direction, data) == ("pty", INBOUND, "00051100")
    assert "rejected: broken COBS coding" in comments.split("|")


@needs_tshark
def test_the_header_says_how_to_bring_the_same_about_again(home: Home, serve: Serve) -> None:
    serve("--capture", "pump.pcapng", "--seed", "7", "--profile", "reference-40").end()
    done = subprocess.run(
        ["capinfos", str(home.directory / "pump.pcapng")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert "profile reference-40, serial number" in done.stdout
    assert "seed 7, model version" in done.stdout
    assert "File encapsulation:  USER 0" in done.stdout


@needs_tshark
def test_wireshark_live_on_a_named_pipe_and_a_second_one_after_it(home: Home, serve: Serve, vpump: Vpump) -> None:
    pipe = home.directory / "pipe"
    os.mkfifo(pipe)
    pump = serve("--listen", "tcp:127.0.0.1:0", "--capture", str(pipe))
    for reader in range(2):
        live = watching(home, pipe)
        assert vpump("interrogate", "-p", pump.url).status == 0
        live.stdout.wait_for(lambda line: "session ended" in line)
        first, *_ = rows_of(live.stdout.text)
        assert "line opened" in first[4], "each reader has a capture from its beginning"
        live.send_signal(signal.SIGINT)
        live.wait()
        said = pump.process.stderr.wait_for_number(2 + reader)
        assert said == f"vpump: capture: whoever read {pipe} has gone; the pump goes on, and waits for another reader."
    assert vpump("interrogate", "-p", pump.url).status == 0
    finished = pump.end()
    assert "packets were not written to" in finished.stderr.splitlines()[-1]


def watching(home: Home, pipe: Path) -> Process:
    """tshark, as Wireshark's `-k -i` has it read a pipe."""
    arguments = tshark_command("-l", "-i", str(pipe))
    process = subprocess.Popen(
        arguments,
        env=home.environment() | {"HOME": str(home.directory), "TMPDIR": str(home.directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    return Process(arguments, process, process.stdout, process.stderr)


def test_a_full_disk_ends_the_capture_and_not_the_pump(home: Home, vpump: Vpump) -> None:
    # The limit of a file's size, in blocks of 512 bytes, stands for the disk.
    process = subprocess.Popen(
        ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *VPUMP, "serve", "--json", "--capture", "pump.pcapng"),
        cwd=home.directory,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with serving(Process((), process, process.stdout, process.stderr)) as pump:
        for _ in range(2):
            assert vpump("interrogate", "-p", pump.url).status == 0
        assert pump.process.stderr.wait_for_number(2) == (
            "vpump: capture: pump.pcapng cannot be written: File too large; it ends here, is whole up to here, and the "
            "pump goes on."
        )
    path = home.directory / "pump.pcapng"
    assert 3000 < path.stat().st_size <= 8 * 512
    if shutil.which("tshark"):
        assert tshark(home, path)


def test_a_pump_that_was_killed_leaves_a_capture_that_can_be_read(serve: Serve, vpump: Vpump) -> None:
    pump = serve("--capture", "pump.pcapng")
    assert vpump("interrogate", "-p", pump.url).status == 0
    whole = len(vpump("decode", "pump.pcapng").stdout.splitlines())
    pump.end(signal.SIGKILL, -signal.SIGKILL)
    decoded = vpump("decode", "pump.pcapng")
    assert decoded.status == 0
    assert len(decoded.stdout.splitlines()) >= whole > 10


def test_a_capture_that_ends_when_nobody_can_be_told_ends_alone(home: Home, vpump: Vpump) -> None:
    process = subprocess.Popen(
        (*VPUMP, "serve", "--json", "--capture", "pump.pcapng"),
        cwd=home.directory,
        env=home.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = json.loads(process.stdout.readline())["ports"][0]["url"]
        process.stderr.close()
        (home.directory / "pump.pcapng").unlink()
        for _ in range(2):
            assert vpump("interrogate", "-p", url).status == 0
        process.terminate()
        assert process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("name", ["nowhere/pump.pcapng", "."])
def test_a_capture_that_cannot_begin_is_one_sentence(vpump: Vpump, name: str) -> None:
    finished = vpump("serve", "--capture", name)
    assert finished.status == 2
    assert f"vpump: --capture: {name} cannot be opened: " in finished.stderr.splitlines()[-1]


def test_a_pipe_that_nobody_reads_holds_up_neither_the_beginning_nor_the_end(home: Home, serve: Serve) -> None:
    os.mkfifo(home.directory / "pipe")
    pump = serve("--capture", "pipe")
    assert pump.end(signal.SIGINT, 130).stderr.splitlines()[-1] == "vpump: interrupted."


@needs_tshark
def test_what_other_tools_have_made_of_a_capture_is_decoded_alike(home: Home, serve: Serve, vpump: Vpump) -> None:
    pump = serve("--capture", "pump.pcapng")
    assert vpump("interrogate", "-p", pump.url).status == 0
    pump.end()
    ours = vpump("decode", "pump.pcapng", "--json").documents
    assert {"HELLO", "OPEN", "AUTH", "STATUS", "CLOSE"} <= {document["name"] for document in ours}
    assert all(document["fields"] is not None for document in ours), "every sealed frame was opened"
    for command in (
        ["tshark", "-r", "pump.pcapng", "-w", "other.pcapng"],
        ["editcap", "-F", "pcapng", "pump.pcapng", "other.pcapng"],
        ["mergecap", "-w", "other.pcapng", "pump.pcapng"],
    ):
        (home.directory / "other.pcapng").unlink(missing_ok=True)
        environment = home.environment() | {"HOME": str(home.directory)}
        subprocess.run(command, cwd=home.directory, env=environment, check=True, capture_output=True)
        assert vpump("decode", "other.pcapng", "--json").documents == ours, command
    subprocess.run(["editcap", "-F", "pcap", "pump.pcapng", "old.pcap"], cwd=home.directory, check=True)
    assert "make pcapng of it with 'editcap -F pcapng" in vpump("decode", "old.pcap").sentence


def test_decode_reads_a_pump_live_through_a_pipe(home: Home, serve: Serve, vpump: Vpump, start: Start) -> None:
    os.mkfifo(home.directory / "pipe")
    decoding = start("decode", "pipe")
    pump = serve("--listen", "tcp:127.0.0.1:0", "--capture", "pipe")
    assert vpump("interrogate", "-p", pump.url).status == 0
    decoding.stdout.wait_for(lambda line: "answer   CLOSE" in line)
    assert not decoding.has_ended
    pump.end()
    assert decoding.wait().status == 0
    assert "secured:" not in decoding.stdout.text


def test_decode_ends_well_on_an_interrupt_and_when_nobody_reads_it(
    home: Home, serve: Serve, vpump: Vpump, start: Start
) -> None:
    os.mkfifo(home.directory / "pipe")
    decoding = start("decode", "pipe")
    with (home.directory / "pipe").open("wb") as pipe:
        pipe.write(bytes.fromhex("000210070101ffffffff01020202010547b8454200"))
        pipe.flush()
        decoding.stdout.wait_for(lambda line: "HELLO" in line)
        assert decoding.interrupt().status == 130
    pump = serve("--capture", "pump.pcapng")
    assert vpump("interrogate", "-p", pump.url).status == 0
    pump.end()
    piped = subprocess.run(
        ("sh", "-c", '"$@" -v pump.pcapng | head -n 1', "sh", *VPUMP, "decode"),
        cwd=home.directory,
        env=home.environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert len(piped.stdout.splitlines()) == 1
    assert piped.stderr == ""
