"""Everything that a pump commits, each with the history that leads to it: power cuts and bad writes are tried on it."""

from dataclasses import dataclass

from firmware_model import commands
from firmware_model.firmware.codes import Role
from firmware_model.firmware.event_log import LogType
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY
from firmware_model.write_faults import Region
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.lead_ups import (
    BOLUS_NL,
    BOLUS_S,
    DOSE_INTERVAL_S,
    PERIODIC,
    PROFILE,
    PROGRAMS,
    SHORT_LIFE,
    SIMPLE,
    SINGLE,
    STILL_WHILE_PROGRAMMING,
    Act,
    after,
    attempted,
    boot,
    cell_low,
    clock_lost,
    commit_program,
    copy_lost,
    dose_and_bolus,
    full_ledger,
    hung,
    instant,
    just_before,
    just_begun,
    patient_may,
    prepared,
    priming,
    program_begun,
    programmed,
    refill,
    refilling,
    reservoir_low,
    reset,
    running,
    slow_bolus_stalled,
    stopped,
    validated,
    waited,
    without_power,
)

UNIX_S = 1_900_000_000


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


_BOLUSES = (
    Transaction("prepare", full_ledger, lambda door: door.prepare(BOLUS_NL, BOLUS_S)),
    Transaction("execute", prepared, lambda door: door.execute(1, BOLUS_NL, BOLUS_S)),
    Transaction(
        "execute, the first of a life",
        lambda door: door.prepared(BOLUS_NL, BOLUS_S),
        lambda door: door.execute(1, BOLUS_NL, BOLUS_S),
    ),
    Transaction("cancel", running, lambda door: door.cancel(1)),
    Transaction("end of the bolus", just_before(LogType.BOLUS_ENDED, running), instant),
    Transaction("end of priming", just_before(LogType.BOLUS_ENDED, priming), instant),
    Transaction("patient bolus", patient_may, lambda door: door.patient_bolus()),
    Transaction(
        "end of the patient bolus",
        just_before(LogType.BOLUS_ENDED, after(patient_may, lambda door: door.patient_bolus())),
        instant,
    ),
)
_DOSES = (
    Transaction("dose begins", just_before(LogType.BOLUS_STARTED, programmed(PERIODIC)), instant),
    Transaction(
        "dose ends", just_before(LogType.BOLUS_ENDED, after(programmed(PERIODIC), waited(DOSE_INTERVAL_S))), instant
    ),
    Transaction("single dose ends", just_before(LogType.BOLUS_ENDED, programmed(SINGLE)), instant),
)
_RUN = (
    Transaction("stop", full_ledger, lambda door: door.stop()),
    Transaction("stop while a bolus runs", running, lambda door: door.stop()),
    Transaction("stop before its first step", just_begun, lambda door: door.stop()),
    Transaction("stop while a dose runs", after(programmed(SINGLE), waited(13.5)), lambda door: door.stop()),
    Transaction("start", stopped, lambda door: door.start()),
    Transaction(
        "start, stopped too long", after(stopped, waited(3 * SECONDS_PER_DAY)), lambda door: door.start(), commits=2
    ),
    Transaction(
        "start of a single dose", after(lambda door: door.stop(), programmed(SINGLE)), lambda door: door.start()
    ),
)
_PROGRAMS = (
    *(Transaction(f"program {each.mode.name}", validated(each), commit_program) for each in PROGRAMS),
    Transaction(
        "program while a dose runs",
        after(programmed(SINGLE), waited(13.5), lambda door: door.validated(SIMPLE)),
        commit_program,
    ),
    Transaction("program is begun", full_ledger, lambda door: door.begin(), profile=STILL_WHILE_PROGRAMMING),
    Transaction(
        "program is left",
        after(full_ledger, program_begun),
        lambda door: door.pump.end_session(1, door.now),
        profile=STILL_WHILE_PROGRAMMING,
    ),
    Transaction(
        "program that was begun", lambda door: door.validated(SIMPLE), commit_program, profile=STILL_WHILE_PROGRAMMING
    ),
)
_REFILLS = (
    Transaction("refill", refilling, refill),
    Transaction("refill, reservoir low", after(reservoir_low, refilling), refill, commits=2),
)
_ALARMS = (
    Transaction(
        "low reservoir",
        just_before(
            LogType.ALARM_RAISED, after(lambda door: door.refill(134_000), lambda door: door.bolus(BOLUS_NL, BOLUS_S))
        ),
        instant,
    ),
    Transaction("empty reservoir", just_before(LogType.THERAPY_STOPPED, after(dose_and_bolus, waited(0))), instant),
    Transaction("motor stall", just_before(LogType.ALARM_RAISED, slow_bolus_stalled), instant),
    Transaction("watchdog", just_before(LogType.ALARM_RAISED, hung), instant),
    Transaction("acknowledge", reservoir_low, lambda door: door.acknowledge(1)),
    Transaction("silence", reservoir_low, lambda door: door.silence(1)),
    Transaction("clear", reset, lambda door: door.clear(1)),
    Transaction("clear, and it comes again", reservoir_low, lambda door: door.clear(1)),
)
_TIMES = (
    Transaction("time set", full_ledger, lambda door: door.set_time(UNIX_S)),
    Transaction("time set, clock lost", clock_lost, lambda door: door.set_time(UNIX_S), commits=2),
    Transaction("clock lost", full_ledger, clock_lost, commits=2),
    Transaction("day", just_before(LogType.DELIVERED, full_ledger), instant),
    Transaction(
        "day, a bolus runs", just_before(LogType.DELIVERED, after(waited(SECONDS_PER_DAY - 14), just_begun)), instant
    ),
    Transaction("day, cell low", just_before(LogType.DELIVERED, cell_low), instant),
    Transaction(
        "day, a copy lost", after(just_before(LogType.DELIVERED, full_ledger), copy_lost(Region.CONTROL)), instant
    ),
    Transaction(
        "end of service", just_before(LogType.THERAPY_STOPPED, full_ledger), instant, commits=2, profile=SHORT_LIFE
    ),
    Transaction("stopped for too long", just_before(LogType.ALARM_RAISED, stopped), instant, commits=2),
)
_SESSIONS = (
    Transaction("session number", attempted, lambda door: door.number()),
    Transaction("attempt", attempted, lambda door: door.attempt()),
    Transaction("good attempt", attempted, lambda door: door.confirm()),
    Transaction("taken over", attempted, lambda door: door.confirm(from_host_id=8), commits=2),
    Transaction("wrong attempt logged", attempted, lambda door: door.note(Role.CLINICIAN)),
    Transaction("keys replaced", full_ledger, lambda door: door.ask(commands.NoteKeysReplaced(test_keys=False))),
)
_BOOTS = (
    Transaction("boot", after(full_ledger, without_power), boot),
    Transaction("boot, a bolus ran", after(running, without_power), boot),
    Transaction("boot, a dose ran", after(programmed(SINGLE), waited(13.5), without_power), boot),
    Transaction("boot, reservoir low", after(lambda door: door.refill(124_000), without_power), boot, commits=2),
    Transaction("boot, a program begun", after(program_begun, without_power), boot, profile=STILL_WHILE_PROGRAMMING),
    Transaction("boot, clock lost", after(full_ledger, without_power, clock_lost), boot),
    Transaction("boot, a copy lost", after(running, without_power, copy_lost(Region.CONTROL)), boot),
    Transaction(
        "boot, a security copy lost", after(attempted, without_power, copy_lost(Region.SECURITY)), boot, commits=2
    ),
)
TRANSACTIONS = (*_BOLUSES, *_DOSES, *_RUN, *_PROGRAMS, *_REFILLS, *_ALARMS, *_TIMES, *_SESSIONS, *_BOOTS)


def transaction(name: str) -> Transaction:
    """The transaction of a name."""
    (found,) = [each for each in TRANSACTIONS if each.name == name]
    return found
