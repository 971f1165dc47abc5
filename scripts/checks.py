"""Runs the project's checks one after another and gives one verdict; `scripts/test` starts it."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# -P keeps the directory of the caller off the import path, as in scripts/vpump.
PYTHON = (sys.executable, "-P")

# Quick ones first: what is cheap to find should be found before the tests start.
LINTERS: dict[str, tuple[str, ...]] = {
    "ruff": (*PYTHON, "-m", "ruff", "check"),
    "format": (*PYTHON, "-m", "ruff", "format", "--check"),
    "mypy": (*PYTHON, "-m", "mypy", "--no-error-summary"),
    # Not the console script: its first line names a directory, and a checkout may be moved.
    "imports": (*PYTHON, "-c", "from importlinter.cli import lint_imports_command as main; main()"),
    "site": (
        *PYTHON,
        "-m",
        "sphinx",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
        "-b",
        "html",
        "docs",
        "build/site",
    ),
}
# Whole processes, exhaustive matrices and long searches run untraced: tracing makes them several times slower, and a
# line that is reached only there is not tested as by a test of its own.
UNTRACED = (
    "tests/at_most_once",
    "tests/cli/test_program.py",
    "tests/cli/test_program_limits.py",
    "tests/cli/test_program_view.py",
    "tests/device/test_access.py",
    "tests/device/test_bounds.py",
    "tests/device/test_foreign_frames.py",
    "tests/device/test_haunted_pump.py",
    "tests/device/test_hurt_sessions.py",
    "tests/device/test_line_flood.py",
    "tests/device/test_lockout.py",
    "tests/device/test_programming_cuts.py",
    "tests/device/test_replays.py",
    "tests/device/test_scenario_k.py",
    "tests/device/test_siege.py",
    "tests/device/test_split_invariance.py",
    "tests/device/test_watching.py",
    "tests/device/test_what_nobody_knows.py",
    "tests/durability",
    "tests/end_to_end",
    "tests/firmware_model/invariants",
    "tests/firmware_model/plant",
    "tests/firmware_model/test_accounts.py",
    "tests/firmware_model/test_against_twin.py",
    "tests/firmware_model/test_commits.py",
    "tests/firmware_model/test_flex.py",
    "tests/firmware_model/test_flipped_bits.py",
    "tests/firmware_model/test_power_cuts.py",
    "tests/firmware_model/test_program_image.py",
    "tests/firmware_model/test_programs.py",
    "tests/firmware_model/test_restored_history.py",
    "tests/firmware_model/test_schedule.py",
    "tests/firmware_model/test_security_cuts.py",
    "tests/firmware_model/test_split_invariance.py",
    "tests/firmware_model/test_spoilt_transactions.py",
    "tests/firmware_model/test_staging.py",
    "tests/firmware_model/test_state.py",
    "tests/firmware_model/test_ten_years.py",
    "tests/firmware_model/test_write_behind.py",
    "tests/fuzz",
    "tests/interop",
    "tests/journal/test_replaying.py",
    "tests/one_dose",
    "tests/programmer/test_odd_pumps.py",
    "tests/programmer/test_one_dose.py",
    "tests/programmer/test_programming.py",
    "tests/protocol/test_bounded_reading.py",
    "tests/protocol/test_channel.py",
    "tests/protocol/test_lossy_line.py",
    "tests/protocol/test_secured_line.py",
    "tests/pytest_plugin",
    "tests/repository/test_soak.py",
    "tests/scenario/test_outside.py",
    "tests/scenario/test_run.py",
    "tests/serving/test_serve_command.py",
)
TESTS: dict[str, tuple[str, ...]] = {
    "pytest": ("--cov", "--cov-report=term", *(f"--ignore={path}" for path in UNTRACED)),
    "searches": UNTRACED,
}
# Who drives other processes waits for them, and leaves a core to another worker.
WAITING_WORKERS = {"pytest": 0, "searches": 1}
PARTS = (*LINTERS, *TESTS)


@dataclass(frozen=True)
class Outcome:
    """How one part ended."""

    part: str
    passed: bool
    seconds: float


@dataclass(frozen=True)
class TestCase:
    """What the report of pytest says about one test."""

    name: str
    area: str
    seconds: float
    skip_reason: str | None


def run_linters(parts: Sequence[str]) -> list[Outcome]:
    """Run linters side by side; the output of one is shown only if it found something."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(run_linter, parts))


def run_linter(part: str) -> Outcome:
    """Run one linter."""
    start = time.monotonic()
    done = subprocess.run(
        LINTERS[part], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        # In one go: others may be at it as well.
        sys.stdout.buffer.write(f"--- {part}\n".encode() + done.stdout)
        sys.stdout.flush()
    return Outcome(part, done.returncode == 0, time.monotonic() - start)


def run_tests(part: str) -> bool:
    """Run one half of the tests, then say where its time went and what it left out."""
    with tempfile.TemporaryDirectory(prefix="vpump-checks-") as directory:
        report = Path(directory, "junit.xml")
        workers = str((os.cpu_count() or 1) + WAITING_WORKERS[part])
        command = [*PYTHON, "-m", "pytest", "-q", "-n", workers, "--dist", "worksteal", "--durations=10"]
        command += [f"--junitxml={report}", *TESTS[part]]
        # Coverage data lives here too, so that two runs in one checkout do not merge into each other.
        environment = os.environ | {"COVERAGE_FILE": str(Path(directory, "coverage"))}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)
        cases = read_report(report) if report.exists() else []
    print_areas(cases)
    return may_skip(cases) and done.returncode == 0


def read_report(report: Path) -> list[TestCase]:
    """Read the JUnit file that pytest wrote."""
    cases = []
    for element in ET.parse(report).iter("testcase"):  # noqa: S314 - our own pytest wrote the file a moment ago
        module, name = element.get("classname", ""), element.get("name", "")
        if not module:
            # A module that was skipped as a whole has its name in the place of a test's.
            module, name = name, "(all of it)"
        cases.append(
            TestCase(f"{module}::{name}", area_of(module), float(element.get("time", "0")), skip_reason(element))
        )
    return cases


def skip_reason(element: ET.Element) -> str | None:
    """Say why a test was left out, if it was."""
    skipped = element.find("skipped")
    # An expected failure stands under the same tag, and is no test left out.
    if skipped is None or skipped.get("type") == "pytest.xfail":
        return None
    # For a test the message is the reason, and the text adds the place; for a module only the text has the reason.
    return skipped.get("message", "") if skipped.get("type") else skipped.text or ""


def area_of(module: str) -> str:
    """Name the directory below tests/ that a test module lives in: `tests.protocol.test_x` is in `protocol`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 and not parts[1].startswith("test_") else "(top)"


def print_areas(cases: Sequence[TestCase]) -> None:
    """Print what each directory of tests cost, the dearest first."""
    seconds: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for case in cases:
        # Counted in milliseconds: a Counter holds integers.
        seconds[case.area] += round(case.seconds * 1000)
        count[case.area] += 1
    print(f"\n{'tests/':<20} {'tests':>7} {'seconds':>9}")
    for area, milliseconds in seconds.most_common():
        print(f"{area:<20} {count[area]:>7} {milliseconds / 1000:>9.2f}")


def may_skip(cases: Sequence[TestCase]) -> bool:
    """Name the skipped tests; on CI every tool is there, so there a skipped test is a failure."""
    skipped = [case for case in cases if case.skip_reason is not None]
    on_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    if skipped:
        print(f"\n{len(skipped)} skipped{', which CI does not allow' if on_ci else ''}:")
        for case in skipped:
            print(f"  {case.name}: {case.skip_reason}")
    return not (skipped and on_ci)


def print_verdict(outcomes: Sequence[Outcome]) -> None:
    """Print one line for each part, and the verdict."""
    print(f"\n{'part':<20} {'result':>7} {'seconds':>9}")
    for outcome in outcomes:
        print(f"{outcome.part:<20} {'ok' if outcome.passed else 'FAILED':>7} {outcome.seconds:>9.2f}")
    failed = ", ".join(outcome.part for outcome in outcomes if not outcome.passed)
    print(f"\nFAILED: {failed}" if failed else "\nall checks passed")


def run_parts(parts: Sequence[str]) -> int:
    """Run every part, also after one has failed."""
    outcomes = run_linters([part for part in parts if part in LINTERS])
    for part in parts:
        if part in TESTS:
            start = time.monotonic()
            passed = run_tests(part)
            outcomes.append(Outcome(part, passed, time.monotonic() - start))
    print_verdict(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def main(arguments: Sequence[str]) -> int:
    """Choose between the checks and a plain run of pytest."""
    parser = argparse.ArgumentParser(
        prog="scripts/test",
        allow_abbrev=False,
        usage="%(prog)s [--only PART]... | [--] PYTEST-ARGUMENTS",
        description="Runs every check and gives one verdict. Any other argument goes to pytest, and only pytest runs.",
    )
    parser.add_argument("--only", metavar="PART", action="append", choices=PARTS, help=f"one of {', '.join(PARTS)}")
    if "--" in arguments:
        cut = arguments.index("--")
        own, for_pytest = list(arguments[:cut]), list(arguments[cut + 1 :])
        options, unknown = parser.parse_known_args(own)
        for_pytest = unknown + for_pytest
    else:
        options, for_pytest = parser.parse_known_args(arguments)
    if not for_pytest:
        return run_parts([part for part in PARTS if not options.only or part in options.only])
    if options.only:
        parser.error("--only runs a part as it is; leave it out to pass arguments to pytest")
    return subprocess.run((*PYTHON, "-m", "pytest", *for_pytest), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
