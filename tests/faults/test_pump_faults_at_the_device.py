"""Device faults at a pump: armed by their line, told of when they begin and end, listed as they stand, and cleared."""

import pytest

from emulator.events import FaultArmed, FaultChanged, FaultsCleared, SyringeUsed
from emulator.faults.arming import arming
from emulator.faults.line import MOST_ARMED as MOST_LINE_FAULTS
from emulator.inputs import ClearFaults, UseSyringe
from firmware_model.faults import FAULTS, ArmedFault
from firmware_model.faults.board import MOST_ARMED, TooManyDeviceFaults
from tests.device.desk import SECOND, Desk, happened, new_device, of_kind

HOUR = 3_600 * SECOND


def at_desk() -> Desk:
    desk = Desk(new_device())
    desk.open()
    happened(desk.device)
    return desk


def arm(desk: Desk, fault: str) -> None:
    desk.device.control(arming(fault, desk.device.fault_names), desk.device.now_us)


def steps(desk: Desk) -> object:
    return desk.device.truth()["motor_steps"]


def listed(desk: Desk) -> list[tuple[object, ...]]:
    return [
        (each.number, each.fault.verb, each.active, each.change_us) if isinstance(each, ArmedFault) else (each,)
        for each in desk.device.armed_faults()
    ]


def test_a_stall_begins_and_ends_when_its_line_says_so() -> None:
    desk = at_desk()
    arm(desk, "stall after=1min for=2min")
    desk.wait(60)
    before = steps(desk)
    desk.wait(120)
    assert steps(desk) == before
    desk.wait(60)
    assert steps(desk) != before
    events = happened(desk.device)
    assert [event.fault for event in of_kind(events, FaultArmed)] == ["stall after=1min for=2min"]
    changes = [(event.at_us, event.fault_number, event.change) for event in of_kind(events, FaultChanged)]
    assert changes == [(60 * SECOND, 1, "began"), (180 * SECOND, 1, "ended")]
    assert {event.fault for event in of_kind(events, FaultChanged)} == {"stall after=1min for=2min"}


def test_that_it_is_armed_is_told_before_it_begins() -> None:
    desk = at_desk()
    arm(desk, "gain-error")
    kinds = [event.kind for event in happened(desk.device)]
    assert kinds == ["fault-armed", "device-fault"]


def test_one_list_has_the_faults_of_the_line_and_of_the_pump() -> None:
    desk = at_desk()
    arm(desk, "stall for=2h")
    arm(desk, "drop answer STATUS")
    arm(desk, "reset after=10min")
    assert listed(desk) == [
        ("drop answer STATUS nth=1 count=1",),
        (1, "stall", True, 2 * HOUR),
        (2, "reset", False, HOUR // 6),
    ]
    desk.wait(600)
    assert listed(desk) == [("drop answer STATUS nth=1 count=1",), (1, "stall", True, 2 * HOUR)]


def test_all_are_cleared_at_once_and_what_lasts_ends() -> None:
    desk = at_desk()
    arm(desk, "stall")
    arm(desk, "drop answer STATUS")
    desk.wait(60)
    before = steps(desk)
    desk.device.control(ClearFaults(), desk.device.now_us)
    assert listed(desk) == []
    assert of_kind(happened(desk.device), FaultsCleared)
    desk.wait(60)
    assert steps(desk) != before


def test_one_fault_too_many_is_refused_and_not_told_as_armed() -> None:
    desk = at_desk()
    for _ in range(MOST_ARMED):
        arm(desk, "reset after=1d")
    happened(desk.device)
    with pytest.raises(TooManyDeviceFaults):
        arm(desk, "reset after=1d")
    assert happened(desk.device) == []
    assert len(listed(desk)) == MOST_ARMED == MOST_LINE_FAULTS


@pytest.mark.parametrize("verb", FAULTS)
def test_every_verb_can_be_armed_by_its_example_and_be_cleared(verb: str) -> None:
    desk = at_desk()
    arm(desk, FAULTS[verb].example)
    desk.wait(3 * 3_600)
    armed = of_kind(happened(desk.device), FaultArmed)
    assert [sorted(event.fault.split()) for event in armed] == [sorted(FAULTS[verb].example.split())]
    desk.device.control(ClearFaults(), desk.device.now_us)
    assert listed(desk) == []


def test_a_syringe_injects_beside_the_port_what_a_pocket_fill_takes() -> None:
    desk = at_desk()
    arm(desk, "pocket-fill ppm=25%")
    desk.device.control(UseSyringe(None, 800_000, (("baclofen", 500_000),)), desk.device.now_us)
    (used,) = of_kind(happened(desk.device), SyringeUsed)
    assert used.injected_nl == 600_000
    truth = desk.device.truth()
    assert truth["pocket_nl"] == 200_000
    assert truth["pocket_fg"] == {"baclofen": 200_000 * 500_000}
