"""The runner of the long searches: what it says while it runs, what it says of a fault, and how it is stopped."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.soak_campaigns import CAMPAIGNS, INTERRUPTED, QUICK, main
from scripts.soak_running import Campaign, Figures, Progress, Tick

ROOT = Path(__file__).resolve().parents[2]
SOAK = ROOT / "scripts" / "soak"
NAMES = list(CAMPAIGNS)

Run = Callable[[int, int, Figures, Tick], None]


def counts(seed: int, units: int, figures: Figures, tick: Tick) -> None:
    for _ in range(units):
        figures["things"] += seed
        tick()


def fails_behind(well: int, error: BaseException) -> Run:
    def run(_seed: int, units: int, figures: Figures, tick: Tick) -> None:
        for at in range(units):
            if at == well:
                raise error
            figures["things"] += 1
            tick()

    return run


def table(run: Run, of_seed: int | None = None) -> dict[str, Campaign]:
    return {"try": Campaign("try", "a try", "tries", 200, run, of_seed)}


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SOAK, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_it_can_be_executed() -> None:
    assert os.access(SOAK, os.X_OK)


def test_it_lists_what_there_is() -> None:
    done = soak("--list")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES


def test_each_campaign_runs_at_a_tiny_scale_and_says_its_seed_and_figures() -> None:
    done = soak("--seed", "11", "--scale", "0.001", "worlds", "watch", "bits", "replay")
    assert (done.returncode, done.stderr) == (0, "")
    assert "worlds   2 worlds, seed 11\n" in done.stdout
    for pattern in (
        r"^worlds   ok: 2 of 2 worlds in [\d.]+ s, [\d,]+ commands begun$",
        r"^watch    ok: 1 of 1 worlds in [\d.]+ s, [\d,]+ records, [\d,]+ events, [\d,]+ missing events$",
        r"^bits     ok: 1 of 1 sessions in [\d.]+ s, [\d,]+ bits, [\d,]+ frames, 1 sessions$",
        r"^replay   ok: 1 of 1 sessions in [\d.]+ s, [\d,]+ replays, 1 sessions$",
        r"^all is well \(seed 11\)$",
    ):
        assert re.search(pattern, done.stdout, re.MULTILINE), pattern


def test_who_interrupts_it_is_told_how_far_it_came() -> None:
    with subprocess.Popen([SOAK, "flood", "--seed", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"flood    60 minutes, seed 3\n"
        running.send_signal(signal.SIGINT)
        told, error = running.communicate(timeout=60)
    assert running.returncode == INTERRUPTED == 130
    # On a busy machine a line of progress may have come before.
    assert re.fullmatch(rb"flood    interrupted: \d+ of 60 minutes in [\d.]+ s were well", told.splitlines()[-1])
    assert error == b""


def test_the_same_seed_gives_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for _ in range(2):
        assert main(["replay", "--seed", "9", "--scale", "0.04"]) == 0
        # On a busy machine lines of progress may have come before.
        told.append(re.sub(r"[\d.]+ s,", "", capsys.readouterr().out).splitlines()[-3:])
    assert told[0] == told[1]


def test_without_a_seed_one_is_drawn_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    seeds = set()
    for _ in range(3):
        assert main(["try"], table(counts)) == 0
        (seed,) = set(re.findall(r"seed (\d+)", capsys.readouterr().out))
        seeds.add(seed)
    assert len(seeds) > 1


def test_a_fault_is_told_with_what_repeats_it_and_the_others_run_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    campaigns = table(fails_behind(7, AssertionError("twice")), of_seed=5)
    campaigns["other"] = Campaign("other", "another", "tries", 3, counts)
    assert main(["--seed", "100", "--scale", "0.06"], campaigns) == 1
    told = capsys.readouterr().out
    assert "try      FAILED: 7 of 12 tries in" in told
    assert "AssertionError: twice" in told
    assert "try      to repeat it: scripts/soak try --seed 101 --scale 0.025\n" in told
    assert "other    ok: 1 of 1 tries in" in told
    assert told.endswith("\nFAILED: try (seed 100)\n")


@pytest.mark.parametrize(
    ("of_seed", "done", "total", "arguments"),
    [
        (None, 7, 200, "try --seed 4 --scale 1"),
        (None, 7, 20, "try --seed 4 --scale 0.1"),
        (50, 49, 200, "try --seed 4 --scale 0.25"),
        (50, 50, 200, "try --seed 5 --scale 0.25"),
        (50, 199, 199, "try --seed 7 --scale 0.245"),
        (1, 3, 200, "try --seed 7 --scale 0.005"),
    ],
)
def test_what_repeats_a_fault_is_as_short_as_its_seed_allows(
    of_seed: int | None, done: int, total: int, arguments: str
) -> None:
    campaign = table(counts, of_seed)["try"]
    assert campaign.repeats(4, done, total) == arguments
    repeated = round(campaign.units * float(arguments.split()[-1]))
    assert repeated == (total if of_seed is None else min(of_seed, total - done // of_seed * of_seed))


def test_quick_runs_its_own_list_at_its_own_scales(capsys: pytest.CaptureFixture[str]) -> None:
    campaigns = table(counts)
    campaigns["other"] = Campaign("other", "another", "tries", 3, counts)
    assert main(["--quick", "--seed", "5"], campaigns, {"try": 0.1}) == 0
    assert "try      ok: 20 of 20 tries" in (told := capsys.readouterr().out)
    assert "other" not in told
    assert main(["--quick", "--scale", "0.5"], campaigns, {"try": 0.1}) == 0
    assert "try      ok: 10 of 10 tries" in capsys.readouterr().out


def test_quick_names_campaigns_that_are_there() -> None:
    assert QUICK.keys() <= CAMPAIGNS.keys()


def test_a_campaign_that_is_not_quick_is_not_run_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--quick", "try"], table(counts), {})
    assert caught.value.code == 2
    assert "none is quick" in capsys.readouterr().err


def test_ctrl_c_ends_all_campaigns(capsys: pytest.CaptureFixture[str]) -> None:
    campaigns = table(fails_behind(3, KeyboardInterrupt()))
    campaigns["other"] = Campaign("other", "another", "tries", 3, counts)
    with pytest.raises(KeyboardInterrupt):
        main(["--seed", "1"], campaigns)
    told = capsys.readouterr().out
    assert "try      interrupted: 3 of 200 tries in" in told
    assert "other" not in told


def test_progress_is_told_every_few_seconds_with_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(100))
    progress = Progress(table(counts)["try"], 200, now=lambda: float(next(clock)))
    for _ in range(4):
        progress.tick()
    told = capsys.readouterr().out.splitlines()
    assert told
    assert all(re.fullmatch(r"try      \d of 200 tries, [\d.]+/s", line) for line in told)
    assert len(told) < 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["flod"], "no campaign 'flod'; there are flood, worlds, watch, bits, replay"),
        (["--seed", "-1"], "'-1' is no seed; allowed is a whole number from 0"),
        (["--seed", "²"], "is no seed"),
        (["--scale", "0"], "'0' is no scale; allowed is a number above 0, at most 1,000,000"),
        (["--scale", "nan"], "is no scale"),
        (["--scale", "much"], "is no scale"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
