"""The therapy commands: how a pump comes to where each is due, and how often its effect is seen in the pump itself.

What is counted is the truth: steps of the motor, the program's image, the computed content and the clock. Nothing here
looks at the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from emulator.device import Device
from firmware_model.firmware.program import Drug, PatientBolusSetting
from firmware_model.quantities import SECONDS_PER_DAY
from protocol.messages import deliver, op, program, pump_time, routine
from protocol.messages.codes import BolusKind, Role
from tests.device.care_requests import NO_DRUG
from tests.device.desk import SECOND, execute, turned
from tests.device.hand_host import HandHost, live_sessions
from tests.device.pump_states import commit_program, therapy_rev, validated
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import LONG_LOG, changed

WATCH_S = 20
"""How long the motor is watched at each look: some steps at the running rate, none at the quiet one."""
RUNNING_NL_PER_DAY = 8_640_000
NEW_NL_PER_DAY = 2 * RUNNING_NL_PER_DAY
LATER_NL_PER_DAY = RUNNING_NL_PER_DAY // 2
FAST_NL_PER_DAY = 24_000_000
"""At this rate a bridge takes no longer than any other bolus here."""
QUIET_NL_PER_DAY = 1
TUBING_NL, CATHETER_NL = 5_000, 15_000
BOLUS_NL, BOLUS_S = 20_000, 75
LONG_BOLUS_NL, LONG_BOLUS_S = 100_000, 1_000
PRESS_NL, PRESS_S, LOCKOUT_S = 10_000, 10, 15
FILL_NL, LATER_FILL_NL = 900_000, 800_000
UNIX_S, LATER_UNIX_S, OFFSET_MIN = 1_900_000_000, 2_000_000_000, 60
_CLOCK_SLACK_S = 5
BACLOFEN, MORPHINE = Drug("baclofen", 500_000, 0), Drug("morphine", 1_000_000, 0)
PATIENT = PatientBolusSetting(PRESS_NL, PRESS_S, LOCKOUT_S, window_s=86_400, activations_max=100)

PUMP = changed(
    changed(changed(LONG_LOG, "catheter", tubing_nl=TUBING_NL), "patient", lockout_min_s=1, activations_max=200),
    "therapy",
    rate_min_nl_per_day=1,
)
"""Three places in each role's ledger, steps of 1 uL, short tubing, and no lockout that is long."""

PUMP_OF_SHORT_LOG = changed(PUMP, "log", pages=3, records_per_page=6)


@dataclass(frozen=True)
class Look:
    """What is so in a pump that has power. `flowing`: steps while it was watched; `by`: what was done before."""

    by: str
    steps: int
    flowing: int
    crc32: int
    fill_nl: int
    clock_s: int


def look(device: Device, by: str) -> Look:
    """Watch the pump for a while."""
    pump = device.pump
    steps = pump.plant.motor.steps
    device.advance(device.now_us + WATCH_S * SECOND)
    firmware = pump.firmware
    return Look(
        by,
        pump.plant.motor.steps,
        pump.plant.motor.steps - steps,
        firmware.record.program.crc32(),
        firmware.reservoir_nl + firmware.steps_total * firmware.flow.step_volume_nl,
        firmware.rtc_unix_s - device.now_us // SECOND,
    )


Looks = Sequence[Look]
UNDOING = "undone"
"""What a clinician did himself afterwards: its change is no effect of the command."""


def changes(looks: Looks, changed_between: Callable[[Look, Look], bool]) -> int:
    """How often something changed that a later command of the clinician did not change."""
    return sum(changed_between(before, after) for before, after in pairwise(looks) if after.by != UNDOING)


@dataclass(frozen=True)
class Command:
    """A therapy command that a host of one role may give.

    bring     a clinician brings the pump to where the command is due
    made      the request under an op id and a revision; a host that may prepare it has done so
    undo      what a clinician does afterwards, so that a second effect would show
    effects   how often its effect is seen
    steps     of the motor, that are its effect; 0: its effect is another
    resets    what the loss of power does by itself looks like its effect
    """

    name: str
    operation: str
    whose: Role
    bring: Callable[[HandHost], None]
    made: Callable[[HandHost, int, int], Any]
    undo: Callable[[HandHost], None]
    effects: Callable[[Looks], int]
    steps: int = 0
    resets: bool = False


def may_prepare(host: HandHost) -> bool:
    """Whether the host has a clinician's session; who has none makes up what it would have prepared."""
    return any(each.port == host.port and each.role is Role.CLINICIAN for each in live_sessions(host.device))


def new_op(host: HandHost) -> int:
    """The next op id of a clinician."""
    op_id: int = host.ask(op.OpListRequest(page=0)).clinician_op_high + 1
    return op_id


def wait(host: HandHost, seconds: int) -> None:
    host.device.advance(host.device.now_us + seconds * SECOND)


def run(rate_nl_per_day: int) -> Callable[[HandHost], None]:
    """Let the pump run at a rate, and the patient's lockout, which begins with a program, be over."""

    def bring(host: HandHost) -> None:
        commit_program(host, new_op(host), new_program(PUMP, rate_nl_per_day=rate_nl_per_day, patient=PATIENT))
        wait(host, LOCKOUT_S)

    return bring


quiet, running, later = run(QUIET_NL_PER_DAY), run(RUNNING_NL_PER_DAY), run(LATER_NL_PER_DAY)


def stopped(host: HandHost) -> None:
    running(host)
    stop(host)


def with_a_bolus(host: HandHost) -> None:
    quiet(host)
    give_bolus(host, LONG_BOLUS_NL, LONG_BOLUS_S)


def with_a_catheter(host: HandHost) -> None:
    commit_program(
        host,
        new_op(host),
        new_program(PUMP, rate_nl_per_day=QUIET_NL_PER_DAY, patient=PATIENT, catheter_nl=CATHETER_NL),
    )
    wait(host, LOCKOUT_S)


def with_another_drug(host: HandHost) -> None:
    for drug, rate in ((BACLOFEN, FAST_NL_PER_DAY), (MORPHINE, QUIET_NL_PER_DAY)):
        wanted = new_program(PUMP, drugs=(drug,), rate_nl_per_day=rate, patient=PATIENT, catheter_nl=CATHETER_NL)
        commit_program(host, new_op(host), wanted)
    wait(host, LOCKOUT_S)


def stop(host: HandHost) -> None:
    host.ask(deliver.StopRequest(op_id=new_op(host), therapy_rev=0))


def start(host: HandHost) -> None:
    host.ask(deliver.StartRequest(op_id=new_op(host), therapy_rev=therapy_rev(host)))


def give_bolus(host: HandHost, volume_nl: int = BOLUS_NL, duration_s: int = 4 * BOLUS_S) -> None:
    host.ask(execute(host.ask(_prepare(BolusKind.SINGLE, volume_nl, duration_s)), new_op(host), therapy_rev(host)))


def fill(host: HandHost, op_id: int = 0) -> None:
    refill_id = host.ask(routine.RefillBeginRequest()).refill_id
    host.ask(_refill(refill_id, LATER_FILL_NL, op_id or new_op(host), therapy_rev(host)))


def set_clock(host: HandHost) -> None:
    op_id, rev = new_op(host), therapy_rev(host)
    host.ask(pump_time.TimeSetRequest(unix_s=LATER_UNIX_S, offset_min=OFFSET_MIN, op_id=op_id, therapy_rev=rev))


def let_it_end(host: HandHost) -> None:
    """The bolus, and the lockout behind it."""
    wait(host, BOLUS_S + LOCKOUT_S)


def _prepare(kind: BolusKind, volume_nl: int, duration_s: int) -> deliver.BolusPrepareRequest:
    return deliver.BolusPrepareRequest(
        kind=kind, volume_nl=volume_nl, volume_complement=turned(volume_nl), duration_s=duration_s
    )


def _made_bolus(
    kind: BolusKind, volume_nl: int, duration_s: int
) -> Callable[[HandHost, int, int], deliver.BolusExecuteRequest]:
    def made(host: HandHost, op_id: int, rev: int) -> deliver.BolusExecuteRequest:
        lease = deliver.BolusPrepareAnswer(
            bolus_id=1, volume_nl=BOLUS_NL, duration_s=BOLUS_S, steps=1, lease_s=1, available_nl=1
        )
        if may_prepare(host):
            lease = host.ask(_prepare(kind, volume_nl, duration_s))
        return execute(lease, op_id, rev)

    return made


def _made_cancel(host: HandHost, op_id: int, rev: int) -> deliver.BolusCancelRequest:
    # The bolus that runs has the highest number.
    bolus_id = host.device.pump.firmware.record.next_bolus_id - 1
    return deliver.BolusCancelRequest(bolus_id=bolus_id, op_id=op_id, therapy_rev=rev)


def _made_program(host: HandHost, op_id: int, rev: int) -> program.ProgramCommitRequest:
    stage_id, crc32 = 1, 1
    if may_prepare(host):
        stage_id, crc32 = validated(host, new_program(PUMP, rate_nl_per_day=NEW_NL_PER_DAY, patient=PATIENT))
    return program.ProgramCommitRequest(stage_id=stage_id, crc32=crc32, op_id=op_id, therapy_rev=rev)


def _made_refill(host: HandHost, op_id: int, rev: int) -> routine.RefillCommitRequest:
    refill_id = host.ask(routine.RefillBeginRequest()).refill_id if may_prepare(host) else 1
    return _refill(refill_id, FILL_NL, op_id, rev)


def _refill(refill_id: int, volume_nl: int, op_id: int, rev: int) -> routine.RefillCommitRequest:
    return routine.RefillCommitRequest(
        refill_id=refill_id,
        measured_nl=100_000,
        volume_nl=volume_nl,
        volume_complement=turned(volume_nl),
        drugs=(NO_DRUG,) * routine.REFILL_DRUGS_MAX,
        op_id=op_id,
        therapy_rev=rev,
    )


def _boluses(steps: int) -> Callable[[Looks], int]:
    """How many boluses the motor has given, a begun one counting whole."""
    return lambda looks: -(-(looks[-1].steps - looks[0].steps) // steps)


def _halts(looks: Looks) -> int:
    return changes(looks, lambda before, after: before.flowing > 0 and after.flowing == 0)


def _starts(looks: Looks) -> int:
    return changes(looks, lambda before, after: before.flowing == 0 and after.flowing > 0)


def _programs(looks: Looks) -> int:
    """The image in memory, and that it flows by it."""
    for each in looks:
        rate = each.flowing * PUMP.motor.step_volume_nl * SECONDS_PER_DAY // WATCH_S
        wanted = new_program(PUMP, rate_nl_per_day=rate, patient=PATIENT)
        assert each.crc32 == wanted.crc32(), f"it flows at {rate} nl a day, and that is not its program"
    return changes(looks, lambda before, after: before.crc32 != after.crc32)


def _refills(looks: Looks) -> int:
    return changes(looks, lambda before, after: before.fill_nl != after.fill_nl)


def _clocks(looks: Looks) -> int:
    return changes(looks, lambda before, after: abs(before.clock_s - after.clock_s) > _CLOCK_SLACK_S)


_BOLUS_STEPS = BOLUS_NL // PUMP.motor.step_volume_nl
_PRESS_STEPS = PRESS_NL // PUMP.motor.step_volume_nl

COMMANDS: tuple[Command, ...] = (
    Command(
        "STOP",
        "STOP",
        Role.CLINICIAN,
        running,
        lambda _, op_id, rev: deliver.StopRequest(op_id=op_id, therapy_rev=rev),
        start,
        _halts,
    ),
    Command(
        "START",
        "START",
        Role.CLINICIAN,
        stopped,
        lambda _, op_id, rev: deliver.StartRequest(op_id=op_id, therapy_rev=rev),
        stop,
        _starts,
    ),
    Command(
        "BOLUS_EXECUTE, single",
        "BOLUS_EXECUTE",
        Role.CLINICIAN,
        quiet,
        _made_bolus(BolusKind.SINGLE, BOLUS_NL, BOLUS_S),
        let_it_end,
        _boluses(_BOLUS_STEPS),
        _BOLUS_STEPS,
    ),
    Command(
        "BOLUS_EXECUTE, priming",
        "BOLUS_EXECUTE",
        Role.CLINICIAN,
        with_a_catheter,
        _made_bolus(BolusKind.PRIMING, 0, BOLUS_S),
        let_it_end,
        _boluses(_BOLUS_STEPS),
        _BOLUS_STEPS,
    ),
    Command(
        "BOLUS_EXECUTE, bridge",
        "BOLUS_EXECUTE",
        Role.CLINICIAN,
        with_another_drug,
        _made_bolus(BolusKind.BRIDGE, 0, 0),
        let_it_end,
        _boluses(_BOLUS_STEPS),
        _BOLUS_STEPS,
    ),
    Command(
        "BOLUS_CANCEL",
        "BOLUS_CANCEL",
        Role.CLINICIAN,
        with_a_bolus,
        _made_cancel,
        give_bolus,
        _halts,
        resets=True,
    ),
    Command(
        "PATIENT_BOLUS",
        "PATIENT_BOLUS",
        Role.PATIENT,
        quiet,
        lambda _, op_id, rev: deliver.PatientBolusRequest(op_id=op_id, therapy_rev=rev),
        let_it_end,
        _boluses(_PRESS_STEPS),
        _PRESS_STEPS,
    ),
    Command("PROGRAM_COMMIT", "PROGRAM_COMMIT", Role.CLINICIAN, running, _made_program, later, _programs),
    Command("REFILL_COMMIT", "REFILL_COMMIT", Role.CLINICIAN, running, _made_refill, fill, _refills),
    Command(
        "TIME_SET",
        "TIME_SET",
        Role.CLINICIAN,
        running,
        lambda _, op_id, rev: pump_time.TimeSetRequest(
            unix_s=UNIX_S, offset_min=OFFSET_MIN, op_id=op_id, therapy_rev=rev
        ),
        set_clock,
        _clocks,
    ),
)
