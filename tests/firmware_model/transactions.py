"""Everything that a pump commits, each with the history that leads to it: what power cuts and bad writes are tried on.

The base rate stands almost still, so that every step of the motor is one of a bolus or a dose. Four steps are an
interval of the journal, the log holds twelve records at the most, and the ledger three outcomes of a role.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from firmware_model import commands
from firmware_model.commands import RefillBegun
from firmware_model.firmware.codes import AlarmType, Mode, Role
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import PatientBolusSetting, Program
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY
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
MORPHINE = (("morphine", 10_000_000),)
UNIX_S = 1_900_000_000
MICROSECOND = 0.000_001

Act: TypeAlias = Callable[[Doorway], object]


@dataclass(frozen=True)
class Transaction:
    """What stands before it, what it does, and in how many commits."""

    name: str
    before: Act
    act: Act
    commits: int = 1
    profile: Profile = PROFILE

    def brought_before(self) -> Doorway:
        """A pump at which it is about to happen."""
        door = Doorway(self.profile)
        self.before(door)
        return door


def _nothing(_door: Doorway) -> None:
    pass


def _instant(door: Doorway) -> None:
    """What is due at the next instant."""
    door.wait(MICROSECOND)


def _before(kind: LogType, history: Act) -> Act:
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


def _ticked(history: Act, *more: Act) -> Act:
    """One history after another."""

    def bring(door: Doorway) -> None:
        for each in (history, *more):
            each(door)

    return bring


def _history(door: Doorway) -> None:
    """Four outcomes, so that the ledger is full; records enough for the log to wrap soon."""
    for _ in range(2):
        granted(door.stop())
        granted(door.start())


def _stopped(door: Doorway) -> None:
    _history(door)
    granted(door.stop())


def _prepared(door: Doorway) -> None:
    _history(door)
    door.prepared(BOLUS_NL, BOLUS_S)


def _running(door: Doorway) -> None:
    """13 of 40 steps are given."""
    _history(door)
    granted(door.bolus(BOLUS_NL, BOLUS_S))
    door.wait(13.5)


def _just_begun(door: Doorway) -> None:
    granted(door.bolus(BOLUS_NL, BOLUS_S))
    door.wait(0.5)


def _slow_bolus_stalled(door: Doorway) -> None:
    """A bolus of one step in 80 s goes well for ten minutes, and then the rotor stands."""
    granted(door.bolus(BOLUS_NL, 3_200))
    door.wait(600)
    door.fault("stall")


def _hung(door: Doorway) -> None:
    _running(door)
    door.fault("watchdog-hang")


def _validated(program: Program) -> Act:
    def bring(door: Doorway) -> None:
        _history(door)
        door.validated(program)

    return bring


def _commit_program(door: Doorway) -> object:
    (stage,) = door.pump.firmware.stages
    assert stage.validated is not None
    return door.commit(stage.stage_id, stage.validated.crc32())


def _program(program: Program) -> Act:
    return lambda door: granted(door.program(program))


def _wait(seconds: float) -> Act:
    return lambda door: door.wait(seconds)


def _cut_power(door: Doorway) -> None:
    door.cut_power()


def boot(door: Doorway) -> None:
    """And whatever is due at once behind it."""
    door.restore_power()
    door.wait(0)


def _copy_lost(region: Region) -> Act:
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


def _patient(door: Doorway) -> None:
    granted(door.program(new_program(PROFILE, patient=PATIENT)))
    door.wait(PATIENT.lockout_s)


def _refilling(door: Doorway) -> None:
    _history(door)
    assert isinstance(door.begin_refill(), RefillBegun)


def _refill(door: Doorway) -> object:
    refill = door.pump.firmware.refill
    return refill and door.commit_refill(refill.refill_id, 300_000, 900_000, MORPHINE)


def _low(door: Doorway) -> None:
    """The reservoir holds less than the low level, and the pump has said so."""
    door.refill(100_000)
    door.wait(0)
    assert [alarm.type for alarm in door.alarms()] == [AlarmType.LOW_RESERVOIR]


def _dose_and_bolus(door: Doorway) -> None:
    """There is enough for a bolus that is asked for, but not for the program's own dose beside it."""
    door.refill(70_000)
    granted(door.program(SINGLE))
    granted(door.bolus(10_000, BOLUS_S))


def _reset_told(door: Doorway) -> None:
    door.cut_power()
    door.restore_power()


def _clock_lost(door: Doorway) -> None:
    door.fault("clock-loss")


def _cell_low(door: Doorway) -> None:
    _history(door)
    door.fault("voltage-lie", mv=-1_000)


def _begun(door: Doorway) -> None:
    door.begin()


def _attempted(door: Doorway) -> None:
    _history(door)
    door.number()
    door.attempt()


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

_BOLUSES = (
    Transaction("prepare", _history, lambda door: door.prepare(BOLUS_NL, BOLUS_S)),
    Transaction("execute", _prepared, lambda door: door.execute(1, BOLUS_NL, BOLUS_S)),
    Transaction(
        "execute, the first of a life",
        lambda door: door.prepared(BOLUS_NL, BOLUS_S),
        lambda door: door.execute(1, BOLUS_NL, BOLUS_S),
    ),
    Transaction("cancel", _running, lambda door: door.cancel(1)),
    Transaction("end of the bolus", _before(LogType.BOLUS_ENDED, _running), _instant),
    Transaction("patient bolus", _patient, lambda door: door.patient_bolus()),
    Transaction(
        "end of the patient bolus",
        _before(LogType.BOLUS_ENDED, _ticked(_patient, lambda door: door.patient_bolus())),
        _instant,
    ),
)
_DOSES = (
    Transaction("dose begins", _before(LogType.BOLUS_STARTED, _program(PERIODIC)), _instant),
    Transaction(
        "dose ends",
        _before(LogType.BOLUS_ENDED, _ticked(_program(PERIODIC), _wait(DOSE_INTERVAL_S))),
        _instant,
    ),
    Transaction("single dose ends", _before(LogType.BOLUS_ENDED, _program(SINGLE)), _instant),
)
_RUN = (
    Transaction("stop", _history, lambda door: door.stop()),
    Transaction("stop while a bolus runs", _running, lambda door: door.stop()),
    Transaction("stop before its first step", _just_begun, lambda door: door.stop()),
    Transaction("stop while a dose runs", _ticked(_program(SINGLE), _wait(13.5)), lambda door: door.stop()),
    Transaction("start", _stopped, lambda door: door.start()),
    Transaction(
        "start, stopped too long",
        _ticked(_stopped, _wait(3 * SECONDS_PER_DAY)),
        lambda door: door.start(),
        commits=2,
    ),
    Transaction(
        "start of a single dose", _ticked(lambda door: door.stop(), _program(SINGLE)), lambda door: door.start()
    ),
)
_PROGRAMS = (
    *(Transaction(f"program {each.mode.name}", _validated(each), _commit_program) for each in PROGRAMS),
    Transaction(
        "program while a dose runs",
        _ticked(_program(SINGLE), _wait(13.5), lambda door: door.validated(SIMPLE)),
        _commit_program,
    ),
    Transaction("program is begun", _history, lambda door: door.begin(), profile=STILL_WHILE_PROGRAMMING),
    Transaction(
        "program is left",
        _ticked(_history, _begun),
        lambda door: door.pump.end_session(1, door.now),
        profile=STILL_WHILE_PROGRAMMING,
    ),
    Transaction(
        "program that was begun",
        lambda door: door.validated(SIMPLE),
        _commit_program,
        profile=STILL_WHILE_PROGRAMMING,
    ),
)
_REFILLS = (
    Transaction("refill", _refilling, _refill),
    Transaction("refill, reservoir low", _ticked(_low, _refilling), _refill, commits=2),
)
_ALARMS = (
    Transaction(
        "low reservoir",
        _before(
            LogType.ALARM_RAISED, _ticked(lambda door: door.refill(134_000), lambda door: door.bolus(BOLUS_NL, BOLUS_S))
        ),
        _instant,
    ),
    Transaction("empty reservoir", _before(LogType.THERAPY_STOPPED, _ticked(_dose_and_bolus, _wait(0))), _instant),
    Transaction("motor stall", _before(LogType.ALARM_RAISED, _slow_bolus_stalled), _instant),
    Transaction("watchdog", _before(LogType.ALARM_RAISED, _hung), _instant),
    Transaction("acknowledge", _low, lambda door: door.acknowledge(1)),
    Transaction("silence", _low, lambda door: door.silence(1)),
    Transaction("clear", _reset_told, lambda door: door.clear(1)),
    Transaction("clear, and it comes again", _low, lambda door: door.clear(1)),
)
_TIMES = (
    Transaction("time set", _history, lambda door: door.set_time(UNIX_S)),
    Transaction("time set, clock lost", _clock_lost, lambda door: door.set_time(UNIX_S), commits=2),
    Transaction("clock lost", _history, _clock_lost, commits=2),
    Transaction("day", _before(LogType.DELIVERED, _history), _instant),
    Transaction(
        "day, a bolus runs", _before(LogType.DELIVERED, _ticked(_wait(SECONDS_PER_DAY - 14), _just_begun)), _instant
    ),
    Transaction("day, cell low", _before(LogType.DELIVERED, _cell_low), _instant),
    Transaction(
        "day, a copy lost",
        _ticked(_before(LogType.DELIVERED, _history), _copy_lost(Region.CONTROL)),
        _instant,
    ),
    Transaction("end of service", _before(LogType.THERAPY_STOPPED, _history), _instant, commits=2, profile=SHORT_LIFE),
    Transaction("stopped for too long", _before(LogType.ALARM_RAISED, _stopped), _instant, commits=2),
)
_SESSIONS = (
    Transaction("session number", _attempted, lambda door: door.number()),
    Transaction("attempt", _attempted, lambda door: door.attempt()),
    Transaction("good attempt", _attempted, lambda door: door.confirm()),
    Transaction("taken over", _attempted, lambda door: door.confirm(from_host_id=8), commits=2),
    Transaction("wrong attempt logged", _attempted, lambda door: door.note(Role.CLINICIAN)),
    Transaction("keys replaced", _history, lambda door: door.ask(commands.NoteKeysReplaced(test_keys=False))),
)
_BOOTS = (
    Transaction("boot", _ticked(_history, _cut_power), boot),
    Transaction("boot, a bolus ran", _ticked(_running, _cut_power), boot),
    Transaction("boot, a dose ran", _ticked(_program(SINGLE), _wait(13.5), _cut_power), boot),
    Transaction("boot, reservoir low", _ticked(lambda door: door.refill(124_000), _cut_power), boot, commits=2),
    Transaction("boot, a program begun", _ticked(_begun, _cut_power), boot, profile=STILL_WHILE_PROGRAMMING),
    Transaction("boot, clock lost", _ticked(_history, _cut_power, _clock_lost), boot),
    Transaction("boot, a copy lost", _ticked(_running, _cut_power, _copy_lost(Region.CONTROL)), boot),
    Transaction(
        "boot, a security copy lost", _ticked(_attempted, _cut_power, _copy_lost(Region.SECURITY)), boot, commits=2
    ),
)
TRANSACTIONS = (*_BOLUSES, *_DOSES, *_RUN, *_PROGRAMS, *_REFILLS, *_ALARMS, *_TIMES, *_SESSIONS, *_BOOTS)


def transaction(name: str) -> Transaction:
    """The transaction of a name."""
    (found,) = [each for each in TRANSACTIONS if each.name == name]
    return found
