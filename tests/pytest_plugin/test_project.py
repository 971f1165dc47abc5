"""A project of somebody else, with a `protocol` of its own, tests with the plugin as the wheel has installed it."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator.pytest_vpump.scenario import ScenarioFailed, Task
from tests.end_to_end.product import Home, serving, start_afresh
from tests.end_to_end.streams import DEADLINE_S
from tests.end_to_end.test_installed_protocol import pip

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
MISHAPS = "tests/mishaps.py"


@dataclass(frozen=True)
class Run:
    """A run of pytest that has ended: its outcomes by test, each with what it said."""

    status: int
    stdout: str
    results: dict[str, tuple[str, str]]
    properties: dict[str, dict[str, str]]

    @property
    def outcomes(self) -> dict[str, str]:
        """What became of each test."""
        return {name: outcome for name, (outcome, _) in self.results.items()}


class Project:
    """The project in a directory of its own, and an interpreter in which vpump is installed."""

    def __init__(self, directory: Path, python: Path) -> None:
        self.directory = directory
        self._python = python
        shutil.copytree(PROJECT, directory, dirs_exist_ok=True)

    def pytest(self, *arguments: str) -> Run:
        """Run its tests to their end."""
        report = self.directory / "report.xml"
        report.unlink(missing_ok=True)
        words = ("-rs", "-p", "no:cacheprovider", f"--basetemp={self.directory / 'tmp'}", f"--junitxml={report}")
        finished = subprocess.run(
            [self._python, "-m", "pytest", *words, *arguments],
            check=False,
            cwd=self.directory,
            env={
                name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "VPUMP"))
            },
            capture_output=True,
            text=True,
            timeout=4 * DEADLINE_S,
        )
        tree = ET.parse(report) if report.exists() else ET.ElementTree(ET.Element("none"))  # noqa: S314 - our own
        # A test that was interrupted has no name there.
        cases = {case.attrib["name"]: case for case in tree.iter("testcase") if "name" in case.attrib}
        return Run(
            finished.returncode,
            finished.stdout + finished.stderr,
            {name: _outcome(case) for name, case in cases.items()},
            {
                name: {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
                for name, case in cases.items()
            },
        )

    def vpump(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the report prints it."""
        _, _, words = command.partition("vpump ")
        return subprocess.run(
            [self._python, "-I", "-m", "emulator", *words.split()],
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    def pump_is_gone(self) -> bool:
        """Whether the pump of which a test left word has ended, now or soon."""
        try:
            process = os.pidfd_open(int((self.directory / "pump.pid").read_text()))
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([process], [], [], DEADLINE_S)[0])
        finally:
            os.close(process)


def _outcome(case: ET.Element) -> tuple[str, str]:
    for outcome in ("error", "failure", "skipped"):
        if (found := case.find(outcome)) is not None:
            return outcome, f"{found.get('message')}\n{found.text}"
    return "passed", ""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel of vpump, and of this one's packages what is in no checkout."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory / "venv", with_pip=False)
    (site,) = (directory / "venv").glob("lib/python3.*/site-packages")
    pip("wheel", "-w", directory, ROOT)
    pip("install", "--no-compile", "--target", site, *directory.glob("vpump-*.whl"))
    # Directories that are named in a .pth are only put on the path: the .pth of the checkout there does nothing.
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return directory / "venv" / "bin" / Path(sys.executable).name


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    return Project(tmp_path / "project", python)


SPOKEN = {
    "test_a_pump_says_hello[pyserial]": "passed",
    "test_a_pump_says_hello[serialx]": "passed",
    "test_the_hand_of_the_tester[pyserial]": "passed",
    "test_the_hand_of_the_tester[serialx]": "passed",
    "test_a_pump_as_this_test_wants_it": "passed",
    "test_nothing_is_imported_before_it_is_used": "passed",
}
EXAMPLES = {
    "test_a_bolus_whose_answer_is_lost_is_given_once": "passed",
    "test_what_was_delivered_is_never_taken_back": "passed",
}


@pytest.mark.parametrize(
    ("how", "outcomes"),
    [((), SPOKEN | EXAMPLES), (("tests/test_programmer.py", "-n", "2", "--vpump-port-kind", "tcp"), SPOKEN)],
    ids=["one process, PTY", "two workers, TCP"],
)
def test_its_tests_pass_and_leave_nothing(project: Project, how: tuple[str, ...], outcomes: dict[str, str]) -> None:
    run = project.pytest(*how, "--vpump-artefacts", "kept")
    assert run.status == 0, run.stdout
    assert run.outcomes == outcomes
    assert run.properties["test_a_pump_says_hello[pyserial]"] == {
        "vpump_serial_number": "00C0FFEE",
        "vpump_profile": "reference-40",
        "vpump_seed": "0",
    }
    assert list((project.directory / "kept").iterdir()) == []


def test_what_failed_is_kept_and_replays_with_the_printed_command(project: Project) -> None:
    run = project.pytest(MISHAPS, "-k", "that_fails and pyserial", "--vpump-artefacts", "kept", "-n", "1")
    assert run.outcomes == {"test_that_fails[pyserial]": "failure"}
    assert "vpump: pump 00C0FFEE (reference-40, seed 0)" in run.stdout
    (replay,) = [line for line in run.stdout.splitlines() if "vpump replay " in line]
    (decode,) = [line for line in run.stdout.splitlines() if "vpump decode " in line]
    replayed = project.vpump(f"{replay} --json")
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads(replayed.stdout)["same"] is True
    assert "injected fault: corrupt answer HELLO" in project.vpump(decode).stdout
    (kept,) = (project.directory / "kept").iterdir()
    assert kept.name.endswith("-gw0")
    assert {path.name for path in kept.iterdir()} == {"pump.journal", "pump.pcapng", "pump.state", "stderr.txt"}
    (show,) = [line for line in run.stdout.splitlines() if "vpump state show " in line]
    assert project.vpump(show).returncode == 0


@pytest.mark.parametrize("test", ["test_that_is_killed", "test_that_is_interrupted"])
def test_a_run_that_is_ended_leaves_no_pump_and_keeps_the_evidence(project: Project, test: str) -> None:
    project.pytest(f"{MISHAPS}::{test}", "--vpump-artefacts", "kept")
    assert project.pump_is_gone()
    (journal,) = (project.directory / "kept").glob("*/pump.journal")
    assert '"end"' in journal.read_text().splitlines()[-1]


def test_a_pump_that_does_not_come_up_is_an_error_within_its_deadline(project: Project) -> None:
    late = project.pytest(f"{MISHAPS}::test_that_comes_too_late", "--vpump-deadline", "0.001")
    outcome, said = late.results["test_that_comes_too_late"]
    assert outcome == "error"
    assert "the pump did not come up within 0.001 s, and was killed; it said on stderr:" in said
    broken = project.pytest(MISHAPS, "-k", "of_no_pump or kills_its_pump")
    outcome, said = broken.results["test_of_no_pump"]
    assert outcome == "error"
    assert "profile 'nobody-has-it' is neither a file nor one of reference-20, reference-40." in said
    assert "During handling" not in said
    outcome, said = broken.results["test_that_kills_its_pump"]
    assert outcome == "error"
    assert "the pump ended with status -9, and not in good order; it said on stderr:\n\nTEST KEYS" in said


def test_a_test_is_the_programmer_of_a_scenario(project: Project) -> None:
    chosen = "lost or silence or does_nothing or no_scenario or does_not_ask"
    run = project.pytest("tests/scenarios.py", MISHAPS, "-k", chosen, "--vpump-artefacts", "kept")
    assert run.outcomes == {
        "test_an_answer_that_is_lost": "passed",
        "test_silence_that_is_taken_for_failure": "failure",
        "test_that_does_nothing": "error",
        "test_of_no_scenario": "failure",
        "test_that_does_not_ask_for_its_scenario": "error",
    }
    _, said = run.results["test_silence_that_is_taken_for_failure"]
    assert "scenario lost-answer-to-bolus: failed. The answer to a bolus is lost" in said
    assert "told-the-truth: " in said
    assert " is failed, and had to be one of given, delivered, unknown" in said
    assert "one-bolus" not in said
    (replay,) = [line for line in run.stdout.splitlines() if "vpump replay " in line and "silence" in line]
    assert project.vpump(replay).returncode == 0
    _, said = run.results["test_that_does_nothing"]
    assert "asks for the task 'bolus 100uL over 10min', and the test did not do it" in said
    _, said = run.results["test_of_no_scenario"]
    assert "scenario 'lost-answer-to-bulos' is neither a file nor one that is shipped" in said
    _, said = run.results["test_that_does_not_ask_for_its_scenario"]
    assert "this test has the marker vpump_scenario, and does not ask for the fixture `scenario`" in said


def test_a_test_that_a_scenario_has_killed_is_told_so(tmp_path: Path) -> None:
    test, programmer = socket.socketpair()
    said = dict.fromkeys(("port", "clock", "programs", "report"), str(tmp_path)) | {"task": "stop"}
    task = Task(test, said)
    programmer.close()
    with pytest.raises(
        ScenarioFailed, match="has killed its programmer at the task 'stop', and a test cannot be killed"
    ):
        task.end()


def test_an_emulator_of_its_own_hides_the_client_and_says_so(project: Project) -> None:
    theirs = project.directory / "emulator"
    theirs.mkdir()
    (theirs / "__init__.py").write_text('"""Theirs."""\n')
    run = project.pytest(MISHAPS, "-k", "of_a_port or of_the_hand")
    assert run.outcomes == {"test_of_a_port": "passed", "test_of_the_hand": "failure"}
    _, said = run.results["test_of_the_hand"]
    assert f"'emulator' is {theirs / '__init__.py'}" in said


def test_the_same_tests_on_a_device(project: Project, tmp_path: Path) -> None:
    with serving(start_afresh(Home(tmp_path), ["serve", "--json"])) as device:
        run = project.pytest("--vpump-target", device.url)
        assert run.outcomes == {
            "test_a_pump_says_hello[pyserial]": "passed",
            "test_a_pump_says_hello[serialx]": "passed",
            "test_the_hand_of_the_tester[pyserial]": "skipped",
            "test_the_hand_of_the_tester[serialx]": "skipped",
            "test_a_pump_as_this_test_wants_it": "skipped",
            "test_a_bolus_whose_answer_is_lost_is_given_once": "skipped",
            "test_nothing_is_imported_before_it_is_used": "passed",
            "test_what_was_delivered_is_never_taken_back": "skipped",
        }
        assert f"wants pump.control, which the device at --vpump-target {device.url} cannot give" in run.stdout
        shared = project.pytest("--vpump-target", device.url, "-n", "2")
    assert "--vpump-target is one device, and 2 workers would share it; run without -n." in shared.stdout
    assert shared.status == pytest.ExitCode.USAGE_ERROR
