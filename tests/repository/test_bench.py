"""The benchmark says what its page says that it says. How fast anything is, no test asserts: that is the machine's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.framing import DELIMITER
from scripts.bench_exchange import BareExchanges, BareLibraries, BulkBytes, DeviceExchanges, Exchanges
from scripts.bench_measures import MEASURES, main
from scripts.bench_model import ModelRun
from scripts.bench_scenes import BOLUSES_A_DAY, CHANGES_A_DAY, DailyUse, bare_events, simpy_events

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "scripts" / "bench"


def test_it_can_be_executed_and_lists_what_there_is() -> None:
    assert os.access(BENCH, os.X_OK)
    done = subprocess.run([BENCH, "--list"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(MEASURES)


def test_each_measure_is_told_in_json_beside_its_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "--scale", "0.003"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {"python", "machine", "model_version", "measures"}
    assert list(report["measures"]) == list(MEASURES)
    for told in report["measures"].values():
        assert told.keys() == {"value", "unit", "baseline", "baseline_value", "ratio"}
        assert told["value"] > 0
        assert told["ratio"] == pytest.approx(told["value"] / told["baseline_value"])


def test_only_what_is_asked_for_is_measured_and_each_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scale", "0.001", "model.event_vs_simpy", "wire.frames_per_second"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["model.event_vs_simpy", "wire.frames_per_second"]


def test_daily_use_is_as_busy_as_it_says() -> None:
    use = DailyUse()
    pump = use._bedside.pump
    first, started = pump.firmware.record.log_next, pump.firmware.record.next_bolus_id
    use.run(7)
    schedule = pump.firmware.record.program.schedule
    rates = [change.rate_nl_per_day for day in schedule for change in day]
    assert [len(day) for day in schedule] == [CHANGES_A_DAY] * 7
    assert all(before != after for before, after in zip(rates, [*rates[1:], rates[0]], strict=True))
    assert pump.firmware.record.next_bolus_id - started == 7 * BOLUSES_A_DAY
    # Two records of each bolus but the last one, which still runs, and that of each midnight between the seven days.
    assert pump.firmware.record.log_next - first == 7 * 2 * BOLUSES_A_DAY - 1 + 6
    assert not pump.has_events


@pytest.mark.parametrize("kind", [DeviceExchanges, BareExchanges])
def test_an_exchange_is_a_status_that_is_asked_and_answered_in_a_session(kind: type[Exchanges]) -> None:
    line = kind()
    line.run(2)
    request, answer = line.request, line.answer
    status = line.status()
    assert (status.base_rate_nl_per_day > 0, status.boot) == (True, 1)
    assert (request, answer) != (line.request, line.answer), "another counter, another frame"
    assert [len(wire) for wire in (line.request, line.answer)] == [32, 89]


def test_bulk_bytes_are_frames_one_behind_the_other() -> None:
    bulk = BulkBytes(3)
    assert bulk.frames == len([piece for piece in bulk._stream.split(DELIMITER) if piece]) == 6
    bulk.read(1)
    bulk.frames += 1
    with pytest.raises(RuntimeError, match="not what was meant: a frame was not found"):
        bulk.read(1)


@pytest.mark.parametrize("run", [BareLibraries.build_and_parse, BareLibraries.seal_and_open])
def test_the_libraries_alone_come_to_their_end(run: Callable[[BareLibraries, int], None]) -> None:
    run(BareLibraries(), 10)


@pytest.mark.parametrize("run", [bare_events, simpy_events])
def test_a_baseline_comes_to_its_end(run: Callable[[int], None]) -> None:
    run(100)


def test_no_scale_leaves_nothing_to_measure() -> None:
    assert ModelRun(0.001).year_days == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.spede"], "no measure 'model.spede'; there are model.pump_years_per_second, "),
        (["--scale", "0"], "'0' is no scale; allowed is a number from 0.001 to 100"),
        (["--scale", "nan"], "is no scale"),
        (["--scale", "much"], "is no scale"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
