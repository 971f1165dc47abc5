"""The older pump's protocol as a user has it: a package that is built, installed beside vpump, and served on a PTY."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import serial
from wand_pump.messages import ANSWER_BIT, BOLUS, IDENTIFY, SET_RATE, START, STATUS, STOP, Why

from emulator.control.client import ControlError
from tests.end_to_end.conftest import Serve
from tests.end_to_end.product import NO_KEYS_LINE, ROOT, Finished, Home, start_afresh
from tests.end_to_end.streams import DEADLINE_S
from tests.wand_pump.wand import Said, read, request

PACKAGE = ROOT / "tests" / "wand_pump"
PAGE = (ROOT / "docs" / "your-own-protocol.md").read_text(encoding="utf-8")
MINUTE_US = 60_000_000
FIRST_BOLUS = 4
"""The number that the model gives it, behind those of SET_RATE, STOP and START."""
ANSWER_US = 5_000
"""The least that an answer takes: the pump turns from hearing to speaking."""
WHERE_FROM = """
from pathlib import Path
import emulator.protocols
print(Path(emulator.__file__).parent)
print(*(emulator.protocols.installed_protocol(name).source for name in ("vpump", "wand")), sep="\\n")
"""


def pip(verb: str, *arguments: str | Path) -> None:
    """Let pip build or install with what is here, and nothing from a network."""
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--no-input", "-q")
    command = [sys.executable, "-P", "-m", "pip", verb, *offline, *map(str, arguments)]
    subprocess.run(command, check=True, timeout=4 * DEADLINE_S)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the package is installed, and nothing else."""
    directory = tmp_path_factory.mktemp("site")
    pip("install", "--no-compile", "--target", directory, PACKAGE)
    return directory


@pytest.fixture
def home(tmp_path: Path, installed: Path) -> Home:
    """A machine with vpump and the package."""
    machine = Home(tmp_path)
    machine.variables["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(installed)))
    return machine


def run(home: Home, *arguments: str) -> Finished:
    return start_afresh(home, arguments).wait()


class WandLine:
    """A wand at a serial port."""

    def __init__(self, line: serial.Serial) -> None:
        self._line = line

    def send(self, operation: int, *values: int) -> None:
        self._line.write(request(operation, *values))

    def answer(self) -> Said:
        head = self._line.read(2)
        assert len(head) == 2, "no answer"
        raw = head + self._line.read(head[1] + 2)
        return read(raw)

    def ask(self, operation: int, *values: int) -> dict[str, int]:
        self.send(operation, *values)
        said = self.answer()
        assert said.verdict == "ACK", said
        return said.values


@contextmanager
def wand_at(url: str) -> Iterator[WandLine]:
    with serial.serial_for_url(url, timeout=DEADLINE_S) as line:
        yield WandLine(line)


def test_the_lost_answer_on_a_real_line_and_in_its_capture(serve_afresh: Serve, home: Home) -> None:
    recorded = ("--capture", "wand.pcapng")
    pump = serve_afresh("--protocol", "wand", "--trace", "--control", "unix:control.sock", *recorded)
    assert {name: pump.ready[name] for name in ("protocol", "keys", "insecure")} == {
        "protocol": "wand",
        "keys": "none",
        "insecure": False,
    }
    control = pump.control
    with wand_at(pump.url) as wand:
        assert wand.ask(IDENTIFY) == {"serial_number": 0x00C0FFEE}
        assert wand.ask(SET_RATE, 1_000) == {"rate": 1_000}
        wand.ask(STOP)
        wand.ask(START)
        assert wand.ask(STATUS)["rate"] == 1_000
        control.arm_fault("drop answer BOLUS")
        wand.send(BOLUS, 50, 10)
        fired = pump.wait_for_event(event="fault")
        assert fired["fault"] == "drop answer BOLUS nth=1 count=1"
        assert fired["raw"][4:6] == f"{BOLUS | ANSWER_BIT:02x}"
        # It waits in vain, and asks again: refused while the first one runs, and granted afterwards.
        wand.send(BOLUS, 50, 10)
        assert wand.answer() == Said("NAK", {"reason": Why.NOT_NOW, "limit": 0})
        control.advance(10 * MINUTE_US)
        assert wand.ask(BOLUS, 50, 10) == {"volume": 50, "duration": 10}
        control.advance(10 * MINUTE_US)
    for op_id in (FIRST_BOLUS, FIRST_BOLUS + 1):
        assert pump.wait_for_event(event="log", type="bolus_ended", op_id=op_id)["detail"]["delivered_max_nl"] == 50_000
    keys = dict.fromkeys(("reader", "patient", "clinician"), bytes(16))
    with pytest.raises(ControlError, match="the protocol wand has no keys"):
        control.replace_keys(keys)
    assert pump.end().stderr == f"{NO_KEYS_LINE}\n"
    told = run(home, "decode", "wand.pcapng", "--protocol", "wand", "--json").documents
    boluses = [frame for frame in told if frame.get("name") == "BOLUS"]
    assert [(frame["flow"], frame["verdict"]) for frame in boluses] == [
        ("inbound", None),
        ("outbound", "ack"),
        ("inbound", None),
        ("outbound", "nak"),
        ("inbound", None),
        ("outbound", "ack"),
    ]
    assert boluses[1]["comments"][0].startswith("injected fault: drop answer BOLUS nth=1 count=1")
    took_us = [answer["at_us"] - asked["at_us"] for asked, answer in zip(boluses[::2], boluses[1::2], strict=True)]
    assert all(duration_us >= ANSWER_US for duration_us in took_us)


def test_the_commands_know_what_a_pump_speaks(serve_afresh: Serve, home: Home) -> None:
    pump = serve_afresh("--protocol", "wand")
    heading, row = run(home, "ls").stdout.splitlines()
    assert row[heading.index("PROTOCOL") :].startswith("wand ")
    told = run(home, "send", request(STATUS).hex(), "--wait", "2s", "-p", pump.url, "--json").document
    assert [frame["fields"]["rate"] for frame in told["frames"]] == [258]
    refused = run(home, "interrogate", "-p", pump.url)
    assert (refused.status, refused.sentence) == (
        2,
        f"the pump 00C0FFEE at {pump.url} speaks the protocol wand, and this command only vpump; "
        "'vpump send' speaks any.",
    )


def test_the_page_tells_what_a_lost_answer_costs(serve_afresh: Serve, home: Home) -> None:
    """Every command of the story in its order; what the page shows below one is what it prints."""
    (story,) = re.findall(r"^## What a lost answer costs$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^    \$ (.*)\n((?:    (?!\$ ).*\n)*)", story, re.MULTILINE)
    (install, _), (serve, _), *typed = [(shlex.split(command), shown) for command, shown in blocks]
    assert install == ["pip", "install", "tests/wand_pump"], "which the fixture has done"
    serve_afresh(*serve[2:-1], "unix:control.sock")
    for (program, *words), shown in typed:
        assert program == "vpump"
        patient = ["--wait", "1s"] if words[0] == "send" and "nothing" not in shown else []
        finished = run(home, *words, *patient)
        assert finished.status == 0, finished
        if shown:
            assert finished.stdout == textwrap.dedent(shown)
    assert [words[1] for words, _ in typed] == ["send", "control", "send", "control", "send", "control"]


def test_a_recording_is_explained(home: Home) -> None:
    recording = home.directory / "recording.bin"
    recording.write_bytes(request(BOLUS, 50, 10) + b"\xfe" + bytes.fromhex("02 04 84 15 04"))
    told = run(home, "decode", str(recording), "--protocol", "wand", "--format", "raw")
    assert told.stdout.splitlines() == [
        "     0  request  BOLUS volume=50 uL duration=10 min",
        "     8  rejected: noise  fe",
        "     9  rejected: unfinished: 5 bytes of a frame  02 04 84 15 04",
    ]
    document, *_ = run(home, "decode", str(recording), "--protocol", "wand", "--json").documents
    assert document["fields"] == {"volume": 50, "duration": 10}


def test_time_that_stands_still_moves_while_an_exchange_goes_on(serve_afresh: Serve) -> None:
    pump = serve_afresh("--protocol", "wand", "--speed", "0", "--session-speed", "1", "--control", "unix:control.sock")
    reached = []
    with wand_at(pump.url) as wand:
        for _ in range(3):
            assert wand.ask(STATUS)["running"] == 1
            reached.append(int(str(pump.control.truth()["now_us"])))
    assert all(later - earlier > ANSWER_US for earlier, later in pairwise(reached))


def test_the_welcome_says_what_it_speaks_and_what_to_try(home: Home) -> None:
    process = start_afresh(home, ["serve", "--protocol", "wand"])
    process.stdout.wait_for(lambda line: line.startswith("Stop it"))
    told = process.interrupt().stdout.splitlines()
    assert told[1] == "  speaks   wand: an older pump under a programming wand, half-duplex, without sessions and keys"
    port = told[2].removeprefix("  port     ")
    assert told[3] == f"Point your program at it, or try: vpump send {request(STATUS).hex(' ')} -p {port}"


def test_both_packages_as_they_are_installed(tmp_path: Path) -> None:
    """Two wheels in a directory of their own: what counts is what stands in them, and not the checkout."""
    pip("wheel", "-w", tmp_path / "wheels", ROOT, PACKAGE)
    wheels = sorted((tmp_path / "wheels").iterdir())
    assert [wheel.name for wheel in wheels] == ["vpump-0.1.0-py3-none-any.whl", "vpump_wand-1.0-py3-none-any.whl"]
    with zipfile.ZipFile(wheels[0]) as wheel:
        declared = wheel.read("vpump-0.1.0.dist-info/entry_points.txt").decode()
    assert "[vpump.protocols]\nvpump = emulator.vpump_protocol:PLUGIN\n" in declared
    pip("install", "--no-compile", "--target", tmp_path / "site", *wheels)
    machine = Home(tmp_path)
    machine.variables["PYTHONPATH"] = str(tmp_path / "site")
    unknown = run(machine, "serve", "--protocol", "wond")
    assert (
        unknown.sentence == "--protocol: there is no protocol 'wond' (did you mean wand?); installed are vpump, wand."
    )
    told = subprocess.run(
        [sys.executable, "-P", "-c", WHERE_FROM], env=machine.environment(), capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == [str(tmp_path / "site" / "emulator"), "vpump itself", "vpump-wand 1.0"]


def test_what_a_wand_did_at_a_real_line_replays(serve_afresh: Serve, home: Home) -> None:
    pump = serve_afresh("--protocol", "wand", "--journal", "wand.journal", "--trace", "--fault", "drop answer BOLUS")
    with wand_at(pump.url) as wand:
        wand.ask(SET_RATE, 100)
        wand.send(BOLUS, 50, 10)
        pump.wait_for_event(event="fault")
        wand.ask(STATUS)
    pump.end()
    replayed = run(home, "replay", "wand.journal", "--json")
    assert replayed.status == 0, replayed.stderr
    assert replayed.document["same"] is True
    assert replayed.document["sent_bytes"] > 0
