"""`vpump faults`: the list of everything that can be made to go wrong, for people, for programs and as a page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.cli import main
from emulator.faults.arming import arming, as_written
from emulator.faults.catalogue import DEVICE, LINE, catalogue, line_parameters, own_parameters, times
from emulator.faults.registry import REGISTRY
from emulator.reference import faults_page
from emulator.wire import FaultNames, operation_names
from firmware_model.faults import FAULTS
from protocol.messages.operations import OPERATIONS

NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))


def listed(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["faults", *arguments])
    assert result.exit_code == 0, result.output
    assert not result.stderr
    return result.stdout


def documents() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(listed("--json"))["faults"]
    return found


def test_the_document_has_every_verb_of_both_kinds() -> None:
    kinds = [(each["verb"], each["kind"]) for each in documents()]
    assert kinds == [*((verb, LINE) for verb in REGISTRY), *((verb, DEVICE) for verb in FAULTS)]


def test_the_document_has_the_operations_that_a_fault_of_the_line_can_name() -> None:
    named = json.loads(listed("--json"))["operations"]
    assert named == {direction.value: list(names) for direction, names in NAMES.of.items()}


def test_every_example_of_the_document_can_be_armed() -> None:
    for each in documents():
        assert as_written(arming(each["example"], NAMES)).startswith(each["verb"])
        assert each["meaning"]
        assert each["form"].startswith(each["verb"])


def test_every_parameter_may_have_its_default_and_any_of_its_words() -> None:
    for each in documents():
        start = f"{each['verb']} answer any" if each["kind"] == LINE else each["verb"]
        for parameter in each["parameters"]:
            for value in parameter["choices"] or [parameter["default"]]:
                line = f"{start} {parameter['name']}={value}"
                assert as_written(arming(line, NAMES)).startswith(each["verb"])
            if not parameter["choices"]:
                assert parameter["minimum"] <= parameter["maximum"]


def test_a_kind_with_times_of_its_own_tells_them() -> None:
    shared = {each.name: each.default for each in times()}
    assert shared == {"after": "0s", "for": "0s", "every": "0s", "count": "1"}
    (again,) = (fault for fault in catalogue() if fault.verb == "intermittent-stall")
    assert {each.name: each.default for each in own_parameters(again)} == {"for": "30min", "every": "8h", "count": "9"}


@pytest.mark.parametrize("whole", ["page", "list"])
def test_people_find_every_verb_with_its_parameters_and_its_example(whole: str) -> None:
    text = faults_page() if whole == "page" else listed()
    for fault in catalogue():
        assert fault.verb in text
        assert fault.meaning in text
        assert fault.example in text
        for parameter in own_parameters(fault):
            assert parameter.meaning in text
            assert parameter.scope in text
    for shared in (*line_parameters(), *times()):
        assert shared.meaning in text


def test_what_a_fault_does_is_told_apart_by_whether_it_lasts() -> None:
    lasting = {fault.verb for fault in catalogue() if fault.lasts}
    assert lasting == {verb for verb, kind in FAULTS.items() if kind.lasting is not None}
    assert "| `reset` | the pump resets | strikes | `reset after=10min` |" in faults_page()
    assert "| `stall` | the rotor does not turn | lasts | `stall for=2h` |" in faults_page()


def test_a_scope_has_the_units_that_a_value_may_have() -> None:
    scopes = {f"{fault.verb} {each.name}": each.scope for fault in catalogue() for each in own_parameters(fault)}
    assert scopes["internal-short na"] == "1 to 1000000000 nA (or in uA, mA, A)"
    assert scopes["temperature cc"] == "-5000 to 10000 x 0.01 °C (or in C)"
    assert scopes["missed-steps one_in"] == "1 to 1000000 pulses"
    assert scopes["field recovery"] == "0s to 366d"
    assert scopes["emf-lie shows"] == "standstill, motion"
