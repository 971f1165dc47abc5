"""`vpump serve --journal` at a real PTY at speed 1, and `vpump replay` of what it leaves, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.product import VPUMP, Home, Process, ServedPump, serving

JOURNAL = "pump.journal"


def use(pump: ServedPump, vpump: Vpump) -> None:
    """A programmer's visit, at a line that loses an answer, and to a pump whose motor stalls."""
    pump.control.arm_fault("drop answer STATUS")
    pump.control.arm_fault("stall after=1s for=1h")
    assert vpump("interrogate", "-p", pump.url).status == 0
    assert vpump("bolus", "50uL", "--over", "10min", "-p", pump.url).status == 0
    vpump("send", "00 05 11 00", "-p", pump.url, "--wait", "1ms")


def lines_of(home: Home) -> list[str]:
    return (home.directory / JOURNAL).read_text(encoding="utf-8").splitlines(keepends=True)


@pytest.fixture
def journal(home: Home, serve: Serve, vpump: Vpump) -> Path:
    """The journal of a pump that a programmer has visited."""
    pump = serve("--journal", JOURNAL, "--control", "unix:c")
    use(pump, vpump)
    pump.end(signal.SIGINT, 130)
    return home.directory / JOURNAL


def test_a_visit_at_speed_1_replays_to_the_same_and_a_change_is_named(journal: Path, home: Home, vpump: Vpump) -> None:
    lines = lines_of(home)
    replayed = vpump("replay", JOURNAL, "--json")
    assert replayed.status == 0
    found = replayed.document
    assert found["same"] is True
    assert found["ended"] is True
    assert found["digest"] == json.loads(lines[-1])["digest"]
    assert found["sent_bytes"] > 500
    assert any('"action":"fault"' in line for line in lines)
    until = vpump("replay", JOURNAL, "--until", "1ms", "--json").document
    assert (until["same"], until["now_us"], until["ended"]) == (True, 1_000, False)
    at = next(at for at, line in enumerate(lines) if '"sent":[{' in line)
    document = json.loads(lines[at])
    data = document["sent"][0]["data"]
    document["sent"][0]["data"] = data[:6] + f"{int(data[6:8], 16) ^ 1:02x}" + data[8:]
    journal.write_text("".join([*lines[:at], json.dumps(document) + "\n", *lines[at + 1 :]]), encoding="utf-8")
    diverged = vpump("replay", JOURNAL)
    assert diverged.status == 4
    assert f"{JOURNAL}, line {at + 1}: the first divergence is at input {document['output']} (" in diverged.sentence
    assert "byte 3 for port 0 was" in diverged.sentence


def test_a_pump_that_was_killed_leaves_a_journal_that_replays(home: Home, serve: Serve, vpump: Vpump) -> None:
    pump = serve("--journal", JOURNAL, "--control", "unix:c")
    use(pump, vpump)
    pump.end(signal.SIGKILL, -signal.SIGKILL)
    replayed = vpump("replay", JOURNAL, "--json").document
    assert (replayed["same"], replayed["ended"]) == (True, False)
    assert replayed["sent_bytes"] > 500
    torn = home.directory / JOURNAL
    torn.write_bytes(torn.read_bytes()[:-5])
    again = vpump("replay", JOURNAL)
    assert again.status == 0
    assert "bytes are no whole line, and were left out." in again.stderr


def test_keys_of_its_own_are_given_again_and_stand_nowhere(home: Home, serve: Serve, vpump: Vpump) -> None:
    assert vpump("keys", "new", "keys.toml", "00C0FFEE").status == 0
    pump = serve("--journal", JOURNAL, "--keys", "keys.toml")
    assert vpump("interrogate", "-p", pump.url, "--keys", "keys.toml").status == 0
    pump.end(signal.SIGINT, 130)
    text = "".join(lines_of(home)).lower()
    keys = [line.split('"')[1] for line in (home.directory / "keys.toml").read_text().splitlines() if '"' in line]
    assert len(keys) == 3
    assert not any(key.lower() in text for key in keys)
    assert vpump("replay", JOURNAL, "--keys", "keys.toml").status == 0
    refused = vpump("replay", JOURNAL)
    assert refused.status == 2
    assert refused.sentence.endswith("which no journal holds; give the file that has them with --keys.")


def test_a_profile_of_ones_own_is_in_the_journal(home: Home, serve: Serve, vpump: Vpump) -> None:
    (home.directory / "mine.toml").write_text(
        'extends = "reference-40"\n[therapy]\nrate_nl_per_day = { value = 500_000, chosen = "slow" }\n'
    )
    pump = serve("--journal", JOURNAL, "--profile", "mine.toml")
    assert vpump("interrogate", "-p", pump.url).status == 0
    pump.end(signal.SIGINT, 130)
    (home.directory / "mine.toml").unlink()
    assert vpump("replay", JOURNAL).status == 0


def test_a_full_disk_ends_the_journal_and_not_the_pump(home: Home, vpump: Vpump) -> None:
    # The limit of a file's size, in blocks of 512 bytes, stands for the disk.
    process = subprocess.Popen(
        ("sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *VPUMP, "serve", "--json", "--journal", JOURNAL),
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
            f"vpump: journal: {JOURNAL} cannot be written: File too large; it ends here, is whole up to here, and the "
            "pump goes on."
        )
    replayed = vpump("replay", JOURNAL)
    assert (replayed.status, replayed.stderr) == (0, "")


def test_what_is_no_journal_is_neither_written_over_nor_replayed(home: Home, vpump: Vpump) -> None:
    (home.directory / "notes").write_text("mine\n")
    refused = vpump("serve", "--journal", "notes")
    assert refused.status == 2
    assert "vpump: --journal: notes is there and is no journal; allowed are a new file" in refused.stderr
    assert (home.directory / "notes").read_text() == "mine\n"
    assert vpump("replay", "notes", "--until", "soon").sentence.startswith("--until: ")
    unread = vpump("replay", "notes")
    assert (unread.status, unread.sentence) == (
        2,
        "notes, line 1: this is no JSON object; a journal has one in each line.",
    )
