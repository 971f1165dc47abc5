"""The strategies for users: whatever is drawn, the product takes; what is found, shrinks to what matters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from emulator.assembly import load_profile, shipped_profiles
from emulator.control.client import ControlClient
from emulator.faults.arming import arming, as_written
from emulator.faults.spec import FaultSpec
from emulator.identity import caps as caps_of
from emulator.inputs import ArmDeviceFault
from emulator.programmer.program_file import read_program_file
from emulator.programmer.program_limits import wanted_program
from emulator.pytest_vpump.process import PumpProcess
from emulator.strategies import (
    Change,
    Deed,
    PatientBolus,
    Program,
    fault_schedules,
    faults,
    histories,
    play,
    programs,
)
from emulator.strategies.facts import faults_of
from emulator.strategies.programs import FLEX, MODES, WEEKDAYS
from emulator.wire import FaultNames, operation_names
from protocol.messages.link import CapsAnswer
from protocol.messages.operations import OPERATIONS
from tests.cli.desk import Desk
from tests.programmer.programs import FIRST

ROOT = Path(__file__).parents[2]
HOUR_US = 3_600_000_000
NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))
FAST = settings(max_examples=40)
SEARCH = settings(database=None, derandomize=True, max_examples=2_000, phases=[Phase.generate, Phase.shrink])


@cache
def caps(profile: str) -> CapsAnswer:
    return caps_of(load_profile(profile))


@pytest.mark.parametrize("profile", shipped_profiles())
@FAST
@given(data=st.data())
def test_a_drawn_program_is_one_that_the_pump_has_as_it_is(profile: str, data: st.DataObject) -> None:
    """It is within the limits of the profile, whatever the pump had; nothing is rounded, and nothing is said twice."""
    program = data.draw(programs(profile))
    wanted = wanted_program(read_program_file("drawn.toml", program.toml.encode()), FIRST, caps(profile))
    assert wanted.quantised(caps(profile)) == wanted
    assert wanted.mode.name.lower().replace("_", " ") == program.mode
    assert wanted.rate_nl_per_day == (program.rate_nl_per_day or 0)
    assert wanted.window_max_nl == program.window_max_nl
    assert wanted.low_reservoir_nl == program.low_reservoir_nl
    assert [(drug.name, drug.concentration_ng_per_ml) for drug in wanted.drugs] == [
        (drug.name, drug.concentration_ng_per_ml) for drug in program.drugs
    ]
    assert (wanted.dose_volume_nl, wanted.dose_duration_s, wanted.dose_interval_s) == (
        program.dose_volume_nl or 0,
        program.dose_duration_s or 0,
        program.dose_interval_s or 0,
    )
    assert wanted.patient_volume_nl == (program.patient.volume_nl if program.patient else 0)
    assert [[(change.start_min, change.rate_nl_per_day) for change in day] for day in wanted.schedule if day] == [
        [(change.start_min, change.rate_nl_per_day) for change in day] for day in program.schedule
    ]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs())
def test_the_pump_takes_a_drawn_program(insecure_desk: Desk, tmp_path: Path, program: Program) -> None:
    path = tmp_path / "drawn.toml"
    path.write_text(program.toml, encoding="utf-8")
    taken = insecure_desk.vpump("program", str(path), "--dry-run")
    assert taken.exit_code == 0, taken.stderr


@pytest.mark.parametrize("mode", MODES)
def test_programs_of_each_mode_are_drawn_and_shrink(mode: str) -> None:
    simplest = find(programs(), lambda program: program.mode == mode, settings=SEARCH)
    assert (simplest.drugs, simplest.patient) == ((), None)
    assert simplest.rate_nl_per_day in (None, 48_000)
    if mode == FLEX:
        assert simplest.schedule == ((Change(0, 48_000),),) * len(WEEKDAYS)
    with_patient = find(programs(modes=(mode,)), lambda program: program.patient is not None, settings=SEARCH)
    assert with_patient.patient == PatientBolus(1_000, 60, 300, 1, 3_600)


@FAST
@given(faults())
def test_a_drawn_fault_can_be_armed(line: str) -> None:
    assert arming(as_written(arming(line, NAMES)), NAMES) == arming(line, NAMES)


@FAST
@given(fault_schedules(kind="line", operations=("STATUS",), within_us=HOUR_US))
def test_a_schedule_keeps_to_what_is_asked(schedule: list[str]) -> None:
    for line in schedule:
        fault = arming(line, NAMES).fault
        assert isinstance(fault, FaultSpec)
        assert fault.name == "STATUS"
        assert fault.after_us <= HOUR_US


@pytest.mark.parametrize("simplest", ["drop request HELLO", "crash request HELLO", "stall", "write-fault"])
def test_a_fault_shrinks_to_its_verb(simplest: str) -> None:
    assert find(faults(), lambda line: line.split()[0] == simplest.split()[0], settings=SEARCH) == simplest


@pytest.mark.parametrize("verb", [fault.verb for fault in faults_of("vpump").verbs if fault.kind == "device"])
def test_what_comes_again_goes_together(verb: str) -> None:
    again = find(faults(verbs=[verb]), lambda line: "count=" in line and "count=1" not in line, settings=SEARCH)
    assert isinstance(arming(again, NAMES), ArmDeviceFault)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlClient]:
    """The hand on a pump in a process of its own."""
    directory = tmp_path_factory.mktemp("pump")
    words = ("--speed", "0", "--control", "tcp:127.0.0.1:0")
    process = PumpProcess(
        words, folder=directory, errors=directory / "stderr", running=directory / "running", deadline_s=30
    )
    yield ControlClient(process.ready["control"], process.ready["control_token"])
    process.end()


@settings(max_examples=25)
@given(history=histories(within_us=HOUR_US))
def test_a_drawn_history_can_be_done(control: ControlClient, history: list[Deed]) -> None:
    control.clear_faults()
    control.restore_power()
    before_us = control.advance(1)
    play(history, control)
    assert control.advance(1) == before_us + sum(deed.wait_us for deed in history) + 1


def test_a_history_shrinks_to_the_deed_that_matters() -> None:
    found = find(histories(), lambda history: any(deed.verb == "cut_power" for deed in history), settings=SEARCH)
    assert [repr(deed) for deed in found] == ["after 0 us cut_power()"]


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(ValueError, match=r"verbs \['stal'\]; there are drop, "):
        find(faults(verbs=["stal"]), bool)
    with pytest.raises(ValueError, match=r"modes is .*, but allowed are stopped, "):
        programs(modes=("bolus",))
    with pytest.raises(ValueError, match="neither a file nor one of"):
        find(programs("nobody-has-it"), bool)


def test_the_strategies_import_nothing_that_a_project_may_have_itself(tmp_path: Path) -> None:
    (tmp_path / "protocol.py").write_text("raise AssertionError('it was imported')\n")
    (tmp_path / "firmware_model.py").write_text("raise AssertionError('it was imported')\n")
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from hypothesis import find\n"
        "from emulator.strategies import *\n"
        "found = [find(each, lambda value: True) for each in (programs(), faults(), fault_schedules(), histories())]\n"
        "print(found[0].mode, '|', type(found[1]).__name__, found[2:])\n"
    )
    command = [sys.executable, "-I", "-c", code, str(tmp_path), str(ROOT)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert told.stdout == "stopped | str [[], []]\n"
