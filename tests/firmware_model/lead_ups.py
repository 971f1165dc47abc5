"""Histories that lead up to a commit. What the pump there is like, and when something happens, is chosen for the tests.

The base rate stands almost still, so that every step of the motor is one of a bolus or a dose. Four steps are an
interval of the journal, the log holds twelve records at the most, and the ledger three outcomes of a role.
"""

from collections.abc import Callable
from typing import TypeAlias

from firmware_model.commands import PreparedBolus, RefillBegun
from firmware_model.firmware.codes import AlarmType, BolusKind, Mode
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import PatientBolusSetting, Program
from firmware_model.write_faults import Region
from tests.firmware_model.bedside import granted
from tests.firmware_model.copied import copy_of
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.drug_programs import new_program, same_every_day
from tests.firmware_model.pump_profiles import SMALL, changed

PROFILE = changed(
    changed(changed(SMALL, "therapy", rate_nl_per_day=1), "memory", dose_history=4), "log", pages=3, records_per_page=4
)
STILL_WHILE_PROGRAMMING = changed(PROFILE, "therapy", stops_while_programming=1)
SHORT_LIFE = changed(PROFILE, "cell", life_max_days=1)
INTERVAL_NL = 4_000
BOLUS_NL, BOLUS_S = 40_000, 40
DOSE_NL, DOSE_S, DOSE_INTERVAL_S = 40_000, 40, 7_200
PATIENT = PatientBolusSetting(volume_nl=20_000, duration_s=40, lockout_s=600, window_s=3_600, activations_max=2)
CATHETER_NL = 178_000
MORPHINE = (("morphine", 10_000_000),)
MICROSECOND = 0.000_001

STOPPED = new_program(PROFILE, mode=Mode.STOPPED, rate_nl_per_day=0)
MINIMUM = new_program(PROFILE, mode=Mode.MINIMUM_RATE, rate_nl_per_day=0)
SIMPLE = new_program(PROFILE, rate_nl_per_day=2, low_reservoir_nl=100_000)
FLEX = new_program(PROFILE, mode=Mode.FLEX, rate_nl_per_day=3, schedule=same_every_day((0, 4), (600, 4), (1_200, 4)))
SINGLE = new_program(PROFILE, mode=Mode.SINGLE_BOLUS, rate_nl_per_day=0, dose_volume_nl=DOSE_NL, dose_duration_s=DOSE_S)
PERIODIC = new_program(
    PROFILE,
    mode=Mode.PERIODIC_BOLUS,
    rate_nl_per_day=0,
    dose_volume_nl=DOSE_NL,
    dose_duration_s=DOSE_S,
    dose_interval_s=DOSE_INTERVAL_S,
)
PROGRAMS = (STOPPED, MINIMUM, SIMPLE, FLEX, SINGLE, PERIODIC)

Act: TypeAlias = Callable[[Doorway], object]


def instant(door: Doorway) -> None:
    """What is due at the next instant."""
    door.wait(MICROSECOND)


def just_before(kind: LogType, history: Act) -> Act:
    """A history, and time up to the last microsecond before something of a kind is logged."""

    def bring(door: Doorway) -> None:
        history(door)
        ahead = copy_of(door)
        while kind.name not in ahead.words():
            due_us = ahead.pump.next_deadline()
            assert due_us is not None
            ahead.pump.advance(due_us)
        door.pump.advance(ahead.now - 1)

    return bring


def after(history: Act, *more: Act) -> Act:
    """One history after another."""

    def bring(door: Doorway) -> None:
        for each in (history, *more):
            each(door)

    return bring


def full_ledger(door: Doorway) -> None:
    """Four outcomes, so that the ledger is full; records enough for the log to wrap soon."""
    for _ in range(2):
        granted(door.stop())
        granted(door.start())


def stopped(door: Doorway) -> None:
    """It stands still by command."""
    full_ledger(door)
    granted(door.stop())


def prepared(door: Doorway) -> None:
    """A bolus is prepared."""
    full_ledger(door)
    door.prepared(BOLUS_NL, BOLUS_S)


def running(door: Doorway) -> None:
    """13 of 40 steps are given."""
    full_ledger(door)
    granted(door.bolus(BOLUS_NL, BOLUS_S))
    door.wait(13.5)


def just_begun(door: Doorway) -> None:
    """A bolus that has made no step yet."""
    granted(door.bolus(BOLUS_NL, BOLUS_S))
    door.wait(0.5)


def priming(door: Doorway) -> None:
    """The catheter is being filled."""
    granted(door.program(new_program(PROFILE, catheter_nl=CATHETER_NL)))
    lease = door.prepare(CATHETER_NL, 0, kind=BolusKind.PRIMING)
    assert isinstance(lease, PreparedBolus)
    granted(door.execute(lease.bolus_id, lease.volume_nl, lease.duration_s))


def slow_bolus_stalled(door: Doorway) -> None:
    """A bolus of one step in 80 s goes well for ten minutes, and then the rotor stands."""
    granted(door.bolus(BOLUS_NL, 3_200))
    door.wait(600)
    door.fault("stall")


def hung(door: Doorway) -> None:
    """The motor's scheduler is blocked while a bolus runs."""
    running(door)
    door.fault("watchdog-hang")


def validated(program: Program) -> Act:
    """A program is staged and validated."""

    def bring(door: Doorway) -> None:
        full_ledger(door)
        door.validated(program)

    return bring


def commit_program(door: Doorway) -> object:
    """COMMIT of what was validated."""
    (stage,) = door.pump.firmware.stages
    assert stage.validated is not None
    return door.commit(stage.stage_id, stage.validated.crc32())


def programmed(program: Program) -> Act:
    """A program is made the active one."""
    return lambda door: granted(door.program(program))


def waited(seconds: float) -> Act:
    """Time passes."""
    return lambda door: door.wait(seconds)


def without_power(door: Doorway) -> None:
    """The power is away."""
    door.cut_power()


def boot(door: Doorway) -> None:
    """And whatever is due at once behind it."""
    door.restore_power()
    door.wait(0)


def copy_lost(region: Region) -> Act:
    """A bit of the older copy of a record turns over."""

    def lose(door: Doorway) -> None:
        memory = door.pump.memory
        pair = memory.control if region is Region.CONTROL else memory.security
        newest = pair.read()
        for slot in (0, 1):
            bit = 8 * (slot * pair.slot_bytes + 20)
            memory.flip_bit(region, bit)
            left = pair.read()
            if newest is not None and left is not None and left.body == newest.body:
                return
            memory.flip_bit(region, bit)
        raise AssertionError("both slots are the newest")

    return lose


def patient_may(door: Doorway) -> None:
    """The patient may press."""
    granted(door.program(new_program(PROFILE, patient=PATIENT)))
    door.wait(PATIENT.lockout_s)


def refilling(door: Doorway) -> None:
    """A refill is in hand."""
    full_ledger(door)
    assert isinstance(door.begin_refill(), RefillBegun)


def refill(door: Doorway) -> object:
    """The reservoir is full, of a drug."""
    in_hand = door.pump.firmware.refill
    assert in_hand is not None
    return door.commit_refill(in_hand.refill_id, 300_000, 900_000, MORPHINE)


def reservoir_low(door: Doorway) -> None:
    """The reservoir holds less than the low level, and the pump has said so."""
    door.refill(100_000)
    door.wait(0)
    assert [alarm.type for alarm in door.alarms()] == [AlarmType.LOW_RESERVOIR]


def dose_and_bolus(door: Doorway) -> None:
    """There is enough for a bolus that is asked for, but not for the program's own dose beside it."""
    door.refill(70_000)
    granted(door.program(SINGLE))
    granted(door.bolus(10_000, BOLUS_S))


def reset(door: Doorway) -> None:
    """It has lost its power and come back."""
    door.cut_power()
    door.restore_power()


def clock_lost(door: Doorway) -> None:
    """The clock is lost."""
    door.fault("clock-loss")


def cell_low(door: Doorway) -> None:
    """The cell shows less than it should."""
    full_ledger(door)
    door.fault("voltage-lie", mv=-1_000)


def program_begun(door: Doorway) -> None:
    """A program is begun."""
    door.begin()


def attempted(door: Doorway) -> None:
    """A session has a number, and one attempt was wrong."""
    full_ledger(door)
    door.number()
    door.attempt()
