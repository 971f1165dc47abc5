"""The supervisor: a motor's scheduler that hangs is noticed from outside, and the pump is made safe; the self-test."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model import commands
from firmware_model.commands import Reason, Refusal, SelfTestBegun, SelfTestDone
from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, Mode, OpState, PumpState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import pump_state
from firmware_model.firmware.supervisor import SelfTestPart
from firmware_model.quantities import US_PER_DAY
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
STEP_NL, RATE = PROFILE.motor.step_volume_nl, PROFILE.therapy.rate_nl_per_day
WATCHDOG_S = PROFILE.supervisor.watchdog_s


def steps(bedside: Bedside) -> int:
    return bedside.pump.plant.motor.steps


def alarms(bedside: Bedside) -> list[AlarmType]:
    return [alarm.type for alarm in bedside.alarms() if alarm.state is not AlarmState.CLEARED]


# --- the watchdog ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400 * SECOND), st.integers(1, WATCHDOG_S * SECOND - 1)), max_size=8))
def test_a_hang_below_the_limit_shifts_all_flow_and_makes_up_for_none(hangs: list[tuple[int, int]]) -> None:
    bedside = Bedside(PROFILE)
    flowing_us = 0
    for wait_us, hang_us in hangs:
        bedside.pump.advance(bedside.now + wait_us)
        bedside.fault("watchdog-hang")
        bedside.pump.advance(bedside.now + hang_us)
        bedside.clear_faults()
        flowing_us += wait_us
        assert steps(bedside) == RATE * flowing_us // (STEP_NL * US_PER_DAY)
    assert alarms(bedside) == []


def test_at_the_limit_the_pump_is_made_safe_and_says_why() -> None:
    """Within the limit and one tick (M4), and by a part that does not hang with the scheduler (Open PCA R7.1.0)."""
    bedside = Bedside(PROFILE)
    bedside.wait(600)
    bolus = bedside.bolus(50_000, 3_600)
    bedside.wait(600)
    made = steps(bedside)
    bedside.fault("watchdog-hang")
    bedside.pump.advance(bedside.now + WATCHDOG_S * SECOND - 1)
    assert alarms(bedside) == []
    bedside.pump.advance(bedside.now + 1)
    assert alarms(bedside) == [AlarmType.SUPERVISOR]
    assert (pump_state(bedside.pump.firmware), bedside.status().stop_reason) == (
        PumpState.HELD,
        StopReason.SUPERVISOR,
    )
    entry = bedside.query(bolus.op_id).entry
    assert entry is not None
    given_nl = 50_000 // 6
    assert (entry.state, entry.min_nl) == (OpState.PARTIAL, given_nl - given_nl % STEP_NL)
    (ended,) = (record.detail["reason"] for record in bedside.log() if record.type is LogType.BOLUS_ENDED)
    assert ended == BolusEnd.ALARM
    bedside.wait(86_400)
    assert steps(bedside) == made


def test_held_until_the_hang_is_over_and_a_clinician_has_cleared_it() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("watchdog-hang")
    bedside.wait(WATCHDOG_S)
    held = Refusal(Reason.ALARM_BLOCKS, element=AlarmType.SUPERVISOR, detail=1)
    assert refused(bedside.start()) == held
    bedside.clear(1)
    assert alarms(bedside) == [AlarmType.SUPERVISOR], "it still hangs"
    bedside.clear_faults()
    assert refused(bedside.start()).reason is Reason.ALARM_BLOCKS
    bedside.clear(2)
    assert granted(bedside.start()).entered
    bedside.wait(86_400)
    assert steps(bedside) == RATE // STEP_NL


def test_a_bolus_ends_so_much_later_as_the_scheduler_hung() -> None:
    bedside = Bedside(PROFILE)
    bedside.bolus(50_000, 600)
    bedside.wait(300)
    bedside.fault("watchdog-hang", lasts=WATCHDOG_S - 1)
    bedside.wait(300 + WATCHDOG_S - 2)
    assert bedside.status().bolus_id == 1
    bedside.wait(1)
    assert bedside.status().bolus_id == 0
    assert bedside.query(1).state is OpState.DONE


def test_hangs_that_come_close_upon_each_other_are_each_their_own() -> None:
    """Two of 59 s with a second between them: the scheduler was alive, and nobody stops the pump."""
    bedside = Bedside(PROFILE)
    bedside.fault("watchdog-hang", lasts=WATCHDOG_S - 1, every=WATCHDOG_S, count=20)
    bedside.wait(20 * WATCHDOG_S)
    assert alarms(bedside) == []
    assert steps(bedside) == 20 * RATE // 86_400 // STEP_NL


def test_a_boot_does_not_shake_it_off_but_begins_the_limit_anew() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("watchdog-hang")
    bedside.wait(WATCHDOG_S - 1)
    bedside.fault("reset")
    bedside.wait(WATCHDOG_S - 1)
    assert alarms(bedside) == [AlarmType.RESET]
    bedside.wait(1)
    assert alarms(bedside) == [AlarmType.RESET, AlarmType.SUPERVISOR]
    assert steps(bedside) == 0


def test_no_program_starts_a_pump_that_is_held() -> None:
    """It was stopped by its program alone, and the next one would let it run; but meanwhile it has been made safe."""
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, mode=Mode.STOPPED)))
    bedside.fault("watchdog-hang")
    bedside.wait(WATCHDOG_S)
    granted(bedside.program(new_program(PROFILE)))
    assert (pump_state(bedside.pump.firmware), bedside.status().stop_reason) == (
        PumpState.HELD,
        StopReason.SUPERVISOR,
    )


def test_with_its_memory_lost_nothing_is_left_to_be_made_safe() -> None:
    bedside = Bedside(PROFILE)
    bedside.cut_power()
    pair = bedside.pump.memory.control
    for slot in (0, 1):
        bedside.fault("memory-flip", bit=8 * pair.slot_bytes * slot + 99)
    bedside.fault("watchdog-hang")
    bedside.restore_power()
    bedside.wait(86_400)
    assert alarms(bedside) == [AlarmType.MEMORY_FAILURE]


def test_a_stopped_pump_that_hangs_is_held_as_well() -> None:
    bedside = Bedside(PROFILE)
    bedside.stop()
    bedside.fault("watchdog-hang")
    bedside.wait(WATCHDOG_S)
    assert (pump_state(bedside.pump.firmware), bedside.status().stop_reason) == (PumpState.HELD, StopReason.COMMANDED)


# --- the self-test --------------------------------------------------------------------------------------------------


def sound(_bedside: Bedside) -> None:
    pass


def flip(region: int) -> Callable[[Bedside], None]:
    """A bit of either copy of a record is turned over."""

    def struck(bedside: Bedside) -> None:
        bedside.fault("memory-flip", region=region, bit=99)

    return struck


def stall(bedside: Bedside) -> None:
    bedside.fault("stall")
    bedside.wait(60)


def known_stall(bedside: Bedside) -> None:
    stall(bedside)
    bedside.wait(3_600)


def all_at_once(bedside: Bedside) -> None:
    stall(bedside)
    bedside.fault("cell-sag", mv=900)
    bedside.fault("clock-loss")
    flip(0)(bedside)


ALL = SelfTestPart.MEMORY | SelfTestPart.CELL | SelfTestPart.CLOCK | SelfTestPart.ROTOR
FOUND: dict[str, tuple[Callable[[Bedside], object], int]] = {
    "a sound pump": (sound, 0),
    "a bit of the control record": (flip(0), SelfTestPart.MEMORY),
    "a bit of the security record": (flip(1), SelfTestPart.MEMORY),
    "a bit of the log": (flip(2), 0),
    "a weak cell": (lambda bedside: bedside.fault("cell-sag", mv=900), SelfTestPart.CELL),
    "a voltage that only looks weak": (lambda bedside: bedside.fault("voltage-lie", mv=-900), SelfTestPart.CELL),
    "a lost clock": (lambda bedside: bedside.fault("clock-loss"), SelfTestPart.CLOCK),
    "a stall that nobody knows of": (stall, SelfTestPart.ROTOR),
    "a stall that is known": (known_stall, SelfTestPart.ROTOR),
    "a back-EMF that lies": (lambda bedside: bedside.fault("emf-lie", shows=0), SelfTestPart.ROTOR),
    "all at once": (all_at_once, ALL),
}


@pytest.mark.parametrize("case", FOUND)
def test_the_self_test_names_what_is_bad(case: str) -> None:
    bring_about, expected = FOUND[case]
    bedside = Bedside(PROFILE)
    bedside.wait(600)
    bring_about(bedside)
    assert bedside.self_test() == SelfTestDone(expected)


def test_a_rotor_that_turns_again_is_found_good_with_its_next_pulse() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("stall", lasts=60)
    bedside.wait(60)
    assert bedside.self_test() == SelfTestDone(SelfTestPart.ROTOR)
    bedside.wait(10)
    assert bedside.self_test() == SelfTestDone(0)


def test_the_self_test_changes_nothing_and_does_not_disturb_a_bolus() -> None:
    bedside = Bedside(PROFILE)
    bedside.wait(600)
    before = bedside.pump.digest()
    bedside.self_test()
    assert bedside.pump.digest() == before
    bedside.bolus(50_000, 600)
    assert refused(bedside.self_test()) == Refusal(Reason.BOLUS_RUNNING, detail=1)


def begun(bedside: Bedside, *, operation: str = "SELFTEST") -> object:
    return bedside.ask(commands.BeginSelfTest(bedside.origin(operation=operation)))


def test_the_self_test_takes_its_time_and_moves_nothing_meanwhile() -> None:
    bedside = Bedside()
    bedside.wait(7)
    before = bedside.pump.digest()
    assert begun(bedside) == SelfTestBegun(bedside.now + 3 * SECOND)
    assert bedside.pump.digest() == before


def test_it_begins_only_where_it_may_end() -> None:
    bedside = Bedside()
    bedside.bolus(20_000, 600)
    assert begun(bedside) == bedside.self_test() == Refusal(Reason.BOLUS_RUNNING, detail=1)
    assert begun(bedside, operation="MAGNET") == Refusal(Reason.CONDITIONS)
