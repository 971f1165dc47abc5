"""`serve --state`: a pump that is killed, and started again with its memory; what was answered stands."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve, Start, Vpump
from tests.end_to_end.product import Commands, Home, ServedPump

KEPT = ("--speed", "0", "--listen", "pty:port", "--control", "unix:control.sock", "--state", "pump.state")
BOLUS = ("bolus", "50uL", "--over", "10min", "--json", "-p", "port")
MINUTE_US = 60_000_000
SETTINGS = '[infusion]\nrate = "400uL/day"\n'


def kill(pump: ServedPump, home: Home) -> None:
    """As the system does when it has no memory left; the link to its port is left behind."""
    pump.process.kill()
    pump.finished = pump.process.wait()
    (home.directory / "port").unlink()


def begun(vpump: Vpump) -> list[int]:
    """The boluses that the pump has ever begun, by its log."""
    records = vpump("log", "--json", "-p", "port").documents
    return [record["op_id"] for record in records if record["type"] == "bolus_started"]


def test_a_bolus_whose_pump_was_killed_before_its_answer_came_is_given_once(
    serve: Serve, start: Start, vpump: Vpump, home: Home
) -> None:
    (home.directory / "wanted.toml").write_text(SETTINGS)
    lost = ("--fault", "corrupt answer BOLUS_EXECUTE count=9", "--fault", "corrupt answer OP_QUERY count=9")
    pump = serve(*KEPT, *lost, "--trace")
    assert pump.ready["state"] == str(home.directory / "pump.state")
    assert vpump("program", "wanted.toml", "--yes", "-p", "port").status == 0
    pump.control.advance(90 * MINUTE_US)
    asking = start(*BOLUS)
    pump.wait_for_event(event="log", type="bolus_started")
    pump.control.advance(4 * MINUTE_US)
    given = pump.control.truth()
    kill(pump, home)
    left = asking.wait()
    assert left.status in (3, 6), "nobody knows what has become of it"

    again = serve(*KEPT)
    resumed = again.control.truth()
    same = ("delivered_nl", "reservoir_nl", "now_us", "motor_steps")
    assert [dict(resumed)[name] for name in same] == [dict(given)[name] for name in same]
    resolved = vpump(*BOLUS).document
    assert resolved["continued"] is True
    assert begun(vpump) == [resolved["op_id"]] == [2], "it was begun once, before the kill"
    entry = vpump("op", "2", "--json", "-p", "port").document
    assert entry["delivered_min_nl"] <= 20_000 <= entry["delivered_max_nl"] < 50_000, "a bolus never goes on by itself"
    again.control.advance(60 * MINUTE_US)
    after = again.control.truth()
    assert int(str(after["delivered_nl"])) - int(str(given["delivered_nl"])) <= 400_000 // 24 + 25
    assert begun(vpump) == [2]
    status = vpump("interrogate", "--json", "-p", "port").document["status"]
    assert status["base_rate_nl_per_day"] == 400_000, "its program is that of before the kill"


def test_what_the_tester_did_is_kept_and_what_he_armed_is_not(serve: Serve, vpump: Vpump, home: Home) -> None:
    pump = serve(*KEPT, "--fault", "stall", "--fault", "drop answer HELLO count=1000000")
    pump.control.advance(60 * MINUTE_US)
    stalled = pump.control.truth()
    kill(pump, home)
    again = serve(*KEPT)
    again.control.advance(60 * MINUTE_US)
    assert int(str(again.control.truth()["motor_steps"])) > int(str(stalled["motor_steps"]))
    assert again.control.truth()["now_us"] == 120 * MINUTE_US
    assert vpump("interrogate", "--json", "-p", "port").status == 0


def test_the_file_is_a_save_state_and_a_journal_that_goes_on_from_it_replays(
    serve: Serve, vpump: Vpump, home: Home
) -> None:
    first = serve(*KEPT, "--journal", "first.journal")
    assert vpump(*BOLUS).status == 0
    first.control.advance(11 * MINUTE_US)
    first.end()
    second = serve(*KEPT, "--journal", "second.journal")
    assert vpump("log", "--json", "-p", "port").status == 0
    second.end()
    shown = vpump("state", "show", "pump.state", "--json").document
    assert shown["now_us"] == shown["fields"]["now_us"] == 11 * MINUTE_US
    assert shown["fields"]["plant.motor.steps"] > 2_000
    assert shown["fields"]["serial_number"] == first.address
    for name in ("first", "second"):
        done = vpump("replay", f"{name}.journal", "--json")
        assert (done.status, done.document["same"], done.document["ended"]) == (0, True, True), done
    head = json.loads((home.directory / "second.journal").read_text().splitlines()[0])
    assert len(head["state"]) < 32_768
    (home.directory / "second.journal").write_text(json.dumps(head | {"state": "bm9uc2Vuc2U="}) + "\n")
    refused = vpump("replay", "second.journal")
    assert refused.status == 2
    assert refused.sentence.startswith("second.journal, line 1: state is ")


def test_a_second_pump_on_the_same_file_is_refused(serve: Serve, vpump: Vpump, home: Home) -> None:
    serve(*KEPT)
    os.symlink("pump.state", home.directory / "other-name")  # noqa: PTH211
    for name in ("pump.state", "other-name"):
        refused = vpump("serve", "--state", name)
        holder = (home.directory / "pump.state.lock").read_text().strip()
        assert (refused.status, refused.sentence) == (
            2,
            f"--state: {name} is the state of the pump that process {holder} runs; give each a file of its own.",
        )


def _text(path: Path) -> None:
    path.write_text("My thesis.\n")


def _cut_off(path: Path) -> None:
    os.truncate(path, 5_000)


def _changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[1_000] ^= 1
    path.write_bytes(data)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "more", "words"),
    [
        (_text, (), "this is no save-state of a pump."),
        (_empty, (), "this is no save-state of a pump."),
        (_cut_off, (), "this save-state is truncated: "),
        (_changed, (), "this save-state is damaged: its SHA-256 "),
        (_folder, (), "pump.state is no file; a state is kept in one."),
        (None, ("--profile", "reference-40"), "this save-state is of a pump of profile reference-20; "),
        (
            None,
            ("--serial-number", "1"),
            "this save-state is of pump 00C0FFEE, which has seed 0; this is pump 00000001",
        ),
        (None, ("--seed", "1", "--serial-number", "C0FFEE"), "this save-state is of a pump with seed 0; this one has "),
        (None, ("--state", "no/such/folder"), "which guards the state, cannot be opened: No such file or directory."),
    ],
)
def test_what_is_no_state_of_this_pump_is_refused_and_not_touched(
    serve: Serve,
    vpump: Vpump,
    home: Home,
    spoil: Callable[[Path], None] | None,
    more: tuple[str, ...],
    words: str,
) -> None:
    serve(*KEPT).end()
    path = home.directory / "pump.state"
    if spoil is not None:
        spoil(path)
    before = path.read_bytes() if path.is_file() else None
    refused = vpump("serve", "--state", "pump.state", *more)
    assert refused.status == 2
    assert words in refused.sentence
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_start_that_fails_at_something_else_leaves_the_state_as_it_was(
    home: Home, serve_afresh: Serve, vpump: Vpump
) -> None:
    serve_afresh(*KEPT).end(signal.SIGINT, status=130)
    held = (home.directory / "pump.state").read_bytes()
    (home.directory / "notes").write_text("not to be lost")
    for option in ("--capture", "--journal"):
        assert vpump("serve", *KEPT, option, "notes").status == 2
        refused = vpump("serve", *KEPT, option, "./pump.state")
        assert refused.status == 2
        assert refused.sentence == f"{option}: pump.state is the file of --state, too; give each a file of its own."
    assert (home.directory / "pump.state").read_bytes() == held
    assert vpump("serve", "--state", "new", "--journal", "new").status == 2
    assert not (home.directory / "new").exists()


@pytest.mark.parametrize("full_at", [1, 6, 9, 14, 20, 26, 45, 80])
def test_wherever_the_disk_becomes_full_there_are_sentences_and_no_more(
    commands: Commands, home: Home, vpump: Vpump, serve: Serve, full_at: int
) -> None:
    kept = (*KEPT, "--journal", "pump.journal", "--capture", "pump.pcapng")
    process = commands.start(home, ("serve", "--json", *kept), full_at=full_at)
    with contextlib.suppress(AssertionError):
        process.stdout.wait_for(lambda line: '"ready"' in line)
    if process.stdout.lines:
        assert vpump(*BOLUS).status in (0, 3, 6)
    finished = process.wait()
    assert finished.status == 2, finished
    said = finished.stderr.splitlines()
    assert said[-1].endswith("."), said
    assert all(line.startswith("vpump: ") for line in said[said[0].startswith("TEST KEYS") :]), said
    with contextlib.suppress(FileNotFoundError):
        (home.directory / "port").unlink()
    serve(*kept)
    assert vpump("log", "--json", "-p", "port").status == 0


def test_a_disk_that_takes_no_more_ends_the_pump_before_it_answers(serve_afresh: Serve, vpump: Vpump) -> None:
    pump = serve_afresh(*KEPT)
    assert vpump("interrogate", "--json", "-p", "port").status == 0
    held = vpump("state", "show", "pump.state", "--json").document
    pid = pump.process._process.pid  # type: ignore[attr-defined]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4_096, 4_096))
    assert vpump(*BOLUS).status in (3, 6)
    finished = pump.end(signal.SIGTERM, status=2)
    assert finished.stderr.splitlines()[1:] == [
        "vpump: --state: the state in pump.state cannot be kept: File too large; what it held before is still whole."
    ]
    assert vpump("state", "show", "pump.state", "--json").document == held
    again = serve_afresh(*KEPT)
    assert begun(vpump) == []
    assert again.control.truth()["powered"] is True
