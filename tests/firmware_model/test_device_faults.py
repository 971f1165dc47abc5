"""Device faults: every verb does what it says, to what is truly so; when, for how long and how often; and no sooner."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.faults import FAULTS, device_fault
from firmware_model.faults.board import MOST_ARMED, TooManyDeviceFaults
from firmware_model.plant.cell import Load
from firmware_model.plant.mixture import mixture_of
from firmware_model.pump import FaultChanged, PowerCut
from firmware_model.state import digest
from firmware_model.write_faults import Region, WriteFaultKind
from tests.firmware_model.bedside import SECOND, Bedside
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
STEP_NL, RATE = PROFILE.motor.step_volume_nl, PROFILE.therapy.rate_nl_per_day
COMMANDED = RATE // STEP_NL
"""Steps in a day."""
DAY_S = 86_400
COMPLIANT_STEPS = PROFILE.catheter.compliance_nl // STEP_NL
WRITES_LOST = list(WriteFaultKind).index(WriteFaultKind.LOST)


def after_a_day(bedside: Bedside) -> None:
    bedside.wait(DAY_S)


def at_once(_bedside: Bedside) -> None:
    pass


def after_a_stop(bedside: Bedside) -> None:
    bedside.stop()


def after_a_refill(bedside: Bedside) -> None:
    bedside.pump.syringe(10_000_000, 10_000_000, mixture_of(("baclofen", 500_000)), bedside.now)


def true(name: str) -> Callable[[Bedside], object]:
    """A number of the pump's truth."""
    return lambda bedside: bedside.pump.truth()[name]


def steps(bedside: Bedside) -> object:
    return bedside.pump.plant.motor.steps


def clock_s(bedside: Bedside) -> object:
    return bedside.pump.plant.clock.reading_us(bedside.now) // SECOND


def lost_copies(bedside: Bedside) -> object:
    memory = bedside.pump.memory
    return tuple(memory.check(pair) for pair in (memory.control, memory.security))


def measured_mv(bedside: Bedside) -> object:
    """What the circuits measure, less what is so."""
    plant = bedside.pump.plant
    return plant.cell_mv(Load.MOTOR) - plant.cell.voltage_mv(Load.MOTOR)


class Effect(NamedTuple):
    """A fault's own values, what is done then, what is looked at, and what that is without and with the fault."""

    values: dict[str, int]
    then: Callable[[Bedside], None]
    look: Callable[[Bedside], object]
    without: object
    with_it: object


NOT_DRUGGED = {"baclofen": 10_000_000 * 500_000 // 20_000_000}
EFFECTS: dict[str, Effect] = {
    "stall": Effect({}, after_a_day, steps, COMMANDED, 0),
    "intermittent-stall": Effect(
        {"lasts": DAY_S // 4, "every": DAY_S // 2, "count": 2}, after_a_day, steps, COMMANDED, COMMANDED // 2
    ),
    "missed-steps": Effect({"one_in": 20}, after_a_day, steps, COMMANDED, COMMANDED - COMMANDED // 20),
    "gain-error": Effect({"ppm": 150_000}, after_a_day, true("delivered_nl"), RATE, RATE * 115 // 100),
    "occlusion": Effect({}, after_a_day, steps, COMMANDED, COMPLIANT_STEPS),
    "leak": Effect({"ppm": 300_000}, after_a_day, true("pocket_nl"), 0, RATE * 3 // 10),
    "disconnection": Effect({}, after_a_day, true("tip_nl"), RATE, 0),
    "catheter-cut": Effect(
        {"nl": 20_000},
        at_once,
        lambda bedside: bedside.pump.plant.catheter.implanted.volume_nl,
        PROFILE.catheter.catheter_nl,
        PROFILE.catheter.catheter_nl - 20_000,
    ),
    "pocket-fill": Effect({"ppm": 1_000_000}, after_a_refill, true("reservoir_ng_per_ml"), NOT_DRUGGED, {}),
    "cell-sag": Effect({"mv": 900}, at_once, true("cell_mv"), 2_949, 2_049),
    "cell-film": Effect({"mohm": 100_000}, at_once, true("cell_mv"), 2_949, 2_447),
    # 2.4 Ah in a day, of the 1.6 Ah that a cell has.
    "internal-short": Effect({"na": 100_000_000}, after_a_day, lambda bedside: bedside.pump.powered, True, False),
    "clock-drift": Effect({"ppm": -200_000}, after_a_day, clock_s, DAY_S, DAY_S * 8 // 10),
    "clock-loss": Effect({}, after_a_day, clock_s, DAY_S, 0),
    "clock-jump": Effect({"s": 3_600}, after_a_day, clock_s, DAY_S, DAY_S + 3_600),
    "memory-flip": Effect({"region": 1, "bit": 77}, at_once, lost_copies, (0, 0), (0, 1)),
    "write-cut": Effect({"at": 3}, after_a_stop, lambda bedside: bedside.pump.powered, True, False),
    "write-fault": Effect({"kind": WRITES_LOST}, after_a_stop, lambda bedside: bedside.pump.memory.repairs, 0, 1),
    "voltage-lie": Effect({"mv": -400}, at_once, measured_mv, 0, -400),
    "emf-lie": Effect({"shows": 0}, after_a_day, lambda bedside: bedside.pump.plant.rotor_followed(), True, False),
    "field": Effect({"reverse": 200}, after_a_day, steps, COMMANDED, -200),
    "temperature": Effect({"cc": 4_100}, at_once, true("temperature_cc"), 3_700, 4_100),
    "watchdog-hang": Effect({}, after_a_day, lambda bedside: bedside.pump.plant.motor.pulses, COMMANDED, 0),
    "reset": Effect({}, at_once, lambda bedside: bedside.status().boot, 1, 2),
}


# --- what each does -------------------------------------------------------------------------------------------------


def test_every_fault_is_looked_at_here() -> None:
    assert set(EFFECTS) == set(FAULTS)


@pytest.mark.parametrize("verb", EFFECTS)
def test_a_fault_does_what_it_says(verb: str) -> None:
    effect = EFFECTS[verb]
    without, with_it = Bedside(PROFILE), Bedside(PROFILE)
    with_it.fault(verb, **effect.values)
    for bedside in (without, with_it):
        effect.then(bedside)
    assert (effect.look(without), effect.look(with_it)) == (effect.without, effect.with_it)


@pytest.mark.parametrize("verb", EFFECTS)
def test_armed_for_later_it_changes_nothing_until_then(verb: str) -> None:
    quiet, armed = Bedside(PROFILE), Bedside(PROFILE)
    armed.fault(verb, **{**EFFECTS[verb].values, "after": DAY_S})
    for bedside in (quiet, armed):
        bedside.pump.advance(DAY_S * SECOND - 1)
    assert all_but_the_board(armed) == all_but_the_board(quiet)
    assert armed.events() == quiet.events()
    for bedside in (quiet, armed):
        bedside.pump.advance(DAY_S * SECOND)
    changes = [event for event in armed.events() if isinstance(event, FaultChanged)]
    assert [(change.at_us, change.fault.verb, change.began) for change in changes] == [(DAY_S * SECOND, verb, True)]


def all_but_the_board(bedside: Bedside) -> str:
    pump = bedside.pump
    return digest((pump.plant, pump.memory, pump.firmware, pump.now_us))


@pytest.mark.parametrize("verb", [verb for verb, kind in FAULTS.items() if kind.lasting is not None])
def test_cleared_it_leaves_a_sound_plant_behind(verb: str) -> None:
    bedside = Bedside(PROFILE)
    sound = bedside.pump.plant.condition
    bedside.fault(verb, **{name: value for name, value in EFFECTS[verb].values.items() if name != "reverse"})
    assert bedside.pump.plant.condition != sound
    bedside.clear_faults()
    assert bedside.pump.plant.condition == sound
    assert bedside.pump.faults.armed == []


def test_a_flip_counts_its_bits_round_and_round() -> None:
    for region in Region:
        bits = Bedside(PROFILE).pump.memory.bits(region)
        once, round_ = Bedside(PROFILE), Bedside(PROFILE)
        once.fault("memory-flip", region=list(Region).index(region), bit=5)
        round_.fault("memory-flip", region=list(Region).index(region), bit=5 + 3 * bits)
        assert all_but_the_board(once) == all_but_the_board(round_) != all_but_the_board(Bedside(PROFILE))


# --- several at once ------------------------------------------------------------------------------------------------


def test_two_that_overlap_end_each_at_its_own_time() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("stall", lasts=600)
    bedside.fault("stall", after=300, lasts=600)
    bedside.wait(899.999_999)
    assert (steps(bedside), bedside.pump.truth()["rotor_stalled"]) == (0, True)
    bedside.wait(0.000_001)
    assert not bedside.pump.truth()["rotor_stalled"]


def test_shares_and_drains_add_up_and_stay_within_what_is_possible() -> None:
    bedside = Bedside(PROFILE)
    for verb, values in (("leak", {"ppm": 700_000}), ("gain-error", {"ppm": -600_000}), ("cell-sag", {"mv": 100})):
        bedside.fault(verb, **values)
        bedside.fault(verb, **values)
    condition = bedside.pump.plant.condition
    assert (condition.leak_ppm, condition.gain_ppm, condition.sag_mv) == (1_000_000, -1_000_000, 200)


def test_at_one_instant_they_begin_in_the_order_in_which_they_were_armed() -> None:
    bedside = Bedside(PROFILE)
    for verb in ("reset", "clock-loss", "stall"):
        bedside.fault(verb, after=60)
    bedside.wait(60)
    assert [word for word in bedside.words() if word.endswith("began")] == [
        "reset began",
        "clock-loss began",
        "stall began",
    ]


def test_so_many_are_armed_at_once_and_no_more() -> None:
    bedside = Bedside(PROFILE)
    for _ in range(MOST_ARMED):
        bedside.fault("stall", after=60, lasts=60)
    said = f"^{MOST_ARMED} device faults are armed already, and more are not allowed at once$"
    with pytest.raises(TooManyDeviceFaults, match=said):
        bedside.fault("stall")
    bedside.wait(120)
    assert bedside.fault("stall") == MOST_ARMED + 1, "the numbers go on"


# --- when, how long, how often --------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["stall", "clock-jump"]),
    st.integers(0, 10**10),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.integers(1, 5),
    st.lists(st.integers(1, 2 * 10**9), max_size=8),
)
def test_it_begins_and_ends_at_its_microseconds_however_time_is_cut(
    verb: str, after_us: int, for_us: int, gap_us: int, count: int, waits_us: list[int]
) -> None:
    bedside = Bedside(PROFILE)
    lasting = FAULTS[verb].lasting is not None
    times = {"after": after_us, "every": for_us + gap_us, "count": count, **({"for": for_us} if lasting else {})}
    number = bedside.pump.arm_fault(device_fault(verb, **times), 0)
    for wait_us in waits_us:
        bedside.pump.advance(bedside.now + wait_us)
    bedside.pump.advance(10**11)
    expected = []
    for turn in range(count):
        begins_us = after_us + turn * (for_us + gap_us)
        expected += [(begins_us, True), *([(begins_us + for_us, False)] if lasting else [])]
    changes = [event for event in bedside.events() if isinstance(event, FaultChanged)]
    assert [(change.at_us, change.began) for change in changes] == expected
    assert {change.number for change in changes} == {number}
    assert bedside.pump.faults.armed == []


def test_without_an_end_it_lasts_until_it_is_cleared() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("stall")
    bedside.wait(20 * DAY_S)
    assert steps(bedside) == 0
    bedside.clear_faults()
    bedside.wait(DAY_S)
    assert abs(bedside.pump.plant.motor.steps - COMMANDED) <= 1


def test_a_field_that_the_rotor_recovers_from_at_once_is_over_with_its_end() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("field", lasts=600)
    bedside.wait(599)
    assert bedside.pump.truth()["rotor_stalled"]
    bedside.wait(1)
    assert not bedside.pump.truth()["rotor_stalled"]
    assert bedside.pump.faults.armed == []


def test_faults_go_on_while_the_pump_has_no_power() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("clock-jump", s=10, after=60, every=60, count=3)
    bedside.cut_power()
    bedside.wait(300)
    assert clock_s(bedside) == 330
    assert [type(event) for event in bedside.events()][-4:] == [PowerCut, *[FaultChanged] * 3]
