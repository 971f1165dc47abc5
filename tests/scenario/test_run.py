"""`vpump scenario run`: verdicts alone and at once, evidence, JUnit XML, exit statuses, and an interruption."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main, scenario_run
from emulator.scenario import batch
from emulator.scenario.batch import Job, perform, perform_all
from emulator.scenario.reading import shipped_scenarios
from emulator.scenario.verdict import Verdict

# The shipped ones that take least, however many there are.
SOME = {
    "lost-answer-to-bolus": "resends-under-a-new-id",
    "lost-request-to-bolus": "books-unanswered-as-given",
    "motor-stall-temporary": "books-in-full",
}


def vpump(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["scenario", *arguments])


def verdicts(*arguments: str) -> list[dict[str, Any]]:
    result = vpump("run", *arguments, "--json")
    found: list[dict[str, Any]] = json.loads(result.stdout)["verdicts"]
    return found


def written(folder: Path, text: str, name: str = "own.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


OWN = """
title = "Mine"
kind = "own"
[limits]
virtual = "1h"
[[step]]
STEP
[[expect]]
name = "never"
of = "rejected.count"
equals = 0
why = "nothing happens"
"""


def test_many_at_once_come_to_the_same_as_one_after_another() -> None:
    jobs = [Job(name, sample) for name, flaw in list(SOME.items())[:2] for sample in ("good", flaw)]
    at_once: dict[int, Verdict] = {}
    one_by_one: dict[int, Verdict] = {}
    perform_all(jobs, 2, at_once.__setitem__)
    perform_all(jobs, 1, one_by_one.__setitem__)
    assert at_once == one_by_one
    assert len(at_once) == len(jobs)


def test_a_failing_expectation_is_told_with_its_limit_its_reason_and_what_a_good_programmer_does() -> None:
    result = vpump("run", "lost-answer-to-bolus", "--sample", "naive")
    assert result.exit_code == 4
    assert "one-bolus: log.count (type bolus_started) is 2, and had to be 1" in result.stdout
    assert "A good programmer: Takes silence for what it is" in result.stdout
    assert result.stderr == "vpump: 1 of 1 did not pass: lost-answer-to-bolus.\n"


@pytest.mark.parametrize(
    ("step", "sample", "status"),
    [
        ('advance = "1min"', "good", 0),
        ('advance = "2h"', "good", 5),
        ('when = { event = "power" }\nadvance = "1s"', "good", 5),
        ("\n[[step]]\n".join(['fault = "stall after=10d"'] * 65), "good", 2),
        ('advance = "1min"', "nobody", 2),
        ('advance = "1min"', "naive", 2),
    ],
)
def test_exit_statuses(tmp_path: Path, step: str, sample: str, status: int) -> None:
    result = vpump("run", written(tmp_path, OWN.replace("STEP", step)), "--sample", sample)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output


def test_a_programmer_behind_two_dashes_that_hangs_or_is_not_there(tmp_path: Path) -> None:
    text = OWN.replace("STEP", 'task = "interrogate"').replace('virtual = "1h"', 'wall = "200ms"')
    own = written(tmp_path, text)
    assert vpump("run", own, "--", "sleep", "60").exit_code == 3
    absent = vpump("run", own, "--", "/no/such/programmer", "{port}")
    assert (absent.exit_code, absent.stderr) == (
        2,
        "vpump: /no/such/programmer cannot be started: No such file or directory.\n",
    )
    assert vpump("run", own, "--").exit_code == 2
    assert vpump("run", own, "--sample", "good", "--", "true").exit_code == 2


def test_real_time_is_told_and_belongs_to_a_programmer_without_the_lockstep_clock(tmp_path: Path) -> None:
    own = written(tmp_path, OWN.replace("STEP", 'task = "interrogate"'))
    junit = tmp_path / "junit.xml"
    result = vpump("run", own, "--speed", "60", "--junit", str(junit), "--", "echo", "{}")
    assert result.exit_code == 0
    assert "Time went by the wall clock" in result.stdout
    assert b'<property name="reproducible" value="false" />' in junit.read_bytes()
    for refused in (["--speed", "60"], ["--speed", "60", "--", "x", "{clock}"], ["--speed", "-1", "--", "x"]):
        assert vpump("run", own, *refused).exit_code == 2


def test_a_report_that_cannot_be_written_is_told_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finished = vpump("run", *SOME, "--junit", str(tmp_path / "file" / "junit.xml"))
    assert (finished.exit_code, finished.stdout) == (2, "")
    assert finished.stderr.count("\n") == 1, "nothing of a scenario"


def test_junit_and_evidence_name_seed_time_digest_and_faults(tmp_path: Path) -> None:
    junit, out = tmp_path / "junit.xml", tmp_path / "out"
    arguments = ["run", *SOME, "--sample", "naive", "--seed", "7", "--junit", str(junit), "--out", str(out)]
    assert vpump(*arguments).exit_code == 4
    root = ElementTree.fromstring(junit.read_bytes())  # noqa: S314 - we have written it
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    assert root.tag == "testsuites"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "3", "0")
    assert [case.get("name") for case in cases] == list(SOME)
    for case, name in zip(cases, SOME, strict=True):
        # What the schemas of readers allow in a case, in their order.
        assert [child.tag for child in case] == ["properties", "failure", "system-out"]
        verdict = json.loads((out / name / "verdict.json").read_text())
        properties = [(each.get("name"), each.get("value")) for each in case.iterfind("properties/property")]
        assert ("seed", "7") in properties
        assert ("digest", verdict["digest"]) in properties
        assert ("virtual_us", str(verdict["ended_us"] - verdict["began_us"])) in properties
        assert [value for key, value in properties if key == "fault_fired"] == verdict["faults_fired"]
        assert verdict["faults_fired"]
        replayed = CliRunner().invoke(main, ["replay", str(out / name / "pump.journal"), "--json"])
        assert json.loads(replayed.stdout)["digest"] == verdict["digest"]
        capture = (out / name / "line.pcapng").read_bytes()
        assert capture.startswith(b"\x0a\x0d\x0d\x0a")
        assert (b"drop" in capture) or (b"stall" in capture)
    again = junit.read_bytes()
    assert vpump(*arguments).exit_code == 4
    assert junit.read_bytes() == again


def test_to_look_at_what_the_pump_believes_leaves_no_trace(tmp_path: Path) -> None:
    judged = 'fault = "stall after=1min"\n[[step]]\nadvance = "20min"\n[[step]]\nexpect = "believes"'
    looks = """
[[expect]]
name = "believes"
of = "belief.run_state"
equals = "running"
at = "step"
why = "a new pump runs, at the lowest rate"
[[expect]]
name = "alarms"
of = "alarms.count"
where = { type = "reset" }
max = 1
why = "it has booted once"
"""
    own = written(tmp_path, OWN.replace("STEP", judged) + looks)
    without = written(tmp_path, OWN.replace("STEP", judged.partition("\n[[step]]\nexpect")[0]), "without.toml")
    seen, unseen = (verdicts(file, "--out", str(tmp_path / "out"))[0] for file in (own, without))
    assert seen["passed"], seen
    assert (seen["digest"], seen["ended_us"]) == (unseen["digest"], unseen["ended_us"])
    assert CliRunner().invoke(main, ["replay", str(tmp_path / "out" / "own" / "pump.journal")]).exit_code == 0


def test_what_was_finished_is_told_and_written_when_a_person_interrupts(tmp_path: Path) -> None:
    hangs = written(tmp_path, OWN.replace("STEP", 'task = "interrogate"').replace('virtual = "1h"', 'wall = "1h"'))
    quick = written(tmp_path, OWN.replace("STEP", 'advance = "1min"'), "quick.toml")
    for jobs in ("1", "2"):
        junit = tmp_path / f"{jobs}.xml"
        # The programmer says by a file that it has started.
        said = tmp_path / f"{jobs}.pid"
        script = f"echo $$ >{said}.new; mv {said}.new {said}; sleep 3600"
        command = ["run", quick, hangs, "--json", "--junit", str(junit), "--jobs", jobs, "--", "sh", "-c", script]
        process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "scenario", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stderr is not None
        assert process.stderr.readline() == b"vpump: [1/2] quick: passed\n"
        while not said.exists():
            assert process.poll() is None
        # A person who sees nothing happen presses it again.
        for _ in range(4 if jobs == "2" else 1):
            os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, b"Traceback" in stderr) == (130, False), stderr
        assert [each["scenario"] for each in json.loads(stdout)["verdicts"]] == ["quick"]
        assert b'name="quick"' in junit.read_bytes()
        with pytest.raises(ProcessLookupError):
            os.kill(int(said.read_text()), 0)


class AtOnce(Executor):
    """Finishes each job as soon as it is given. `given`: what else happens then."""

    given: Callable[[], None]

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given()
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


JOBS = [Job("lost-answer-to-bolus", sample) for sample in ("good", "resends-under-a-new-id")]


def test_what_is_finished_and_not_told_yet_is_told_when_a_person_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtOnce, "given", lambda _: None, raising=False)
    monkeypatch.setattr(batch, "ProcessPoolExecutor", AtOnce)
    told: list[int] = []

    def interrupted(place: int, verdict: Verdict) -> None:
        del verdict
        told.append(place)
        if len(told) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform_all(JOBS, 2, interrupted)
    assert set(told) == {0, 1}


def test_an_interruption_while_processes_start_is_none_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtOnce, "given", lambda _: signal.raise_signal(signal.SIGINT), raising=False)
    monkeypatch.setattr(batch, "ProcessPoolExecutor", AtOnce)
    told: dict[int, Verdict] = {}
    with pytest.raises(KeyboardInterrupt):
        perform_all(JOBS, 2, told.__setitem__)
    assert set(told) == {0, 1}


def test_a_process_of_ours_that_somebody_ends_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(jobs: Sequence[Job], processes: int, done: Callable[[int, Verdict], None]) -> None:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            done(0, perform(jobs[0]))
            pool.submit(os._exit, 9).result()

    monkeypatch.setattr(scenario_run, "perform_all", broken)
    result = vpump("run", *list(SOME)[:2], "--jobs", "2")
    assert result.exit_code == 3
    assert result.stdout.startswith("passed: lost-answer-to-bolus")
    assert result.stderr.endswith("was ended from outside; run fewer at once with --jobs.\n")


def test_a_sample_that_finds_no_program_says_so() -> None:
    result = vpump("sample", "good", "program two-drugs", "--port", "none", "--clock", "none")
    assert result.exit_code == 2
    said = "vpump: there is no program two-drugs in .; the command of a scenario says --programs {programs}.\n"
    assert result.stderr == said


def test_list_show_check_and_schema() -> None:
    shown = vpump("list").stdout
    assert all(name in shown for name in shipped_scenarios())
    listed = json.loads(vpump("list", "--json").stdout)["scenarios"]
    assert [each["name"] for each in listed] == list(shipped_scenarios())
    assert "one-bolus" in vpump("show", "lost-answer-to-bolus").stdout
    document = json.loads(vpump("show", "lost-answer-to-bolus", "--json").stdout)
    assert document["expectations"][0]["name"] == "one-bolus"
    assert json.loads(vpump("check", "lost-answer-to-bolus", "--json").stdout) == {"scenarios": [document]}
    assert vpump("check", *SOME).exit_code == 0
    assert vpump("check", "nothing-of-that-name").exit_code == 2
    assert json.loads(vpump("schema").stdout)["$schema"].startswith("https://json-schema.org/")
