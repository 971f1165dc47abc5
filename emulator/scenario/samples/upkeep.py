"""The good procedures for the care of a pump: priming, refill, clock, the tones of alarms, and an MRI scan."""

from __future__ import annotations

from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Pause, Procedure, Tell, read
from emulator.programmer.program_image import Program
from emulator.programmer.programming import read_program
from emulator.programmer.rules import BolusOrder, carry_out, close, deliver_bolus, follow, settle, start, stop
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.samples.telling import done, leave, told_of
from emulator.scenario.tasks import Task
from protocol.messages.alarm import AlarmSilenceAnswer, AlarmSilenceRequest
from protocol.messages.codes import AlarmState, BolusKind, RunState, SelfTestPart
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest, TimeSetRequest
from protocol.messages.read import StatusAnswer, StatusRequest
from protocol.messages.routine import (
    REFILL_DRUGS_MAX,
    RefillBeginAnswer,
    RefillBeginRequest,
    RefillCommitRequest,
    RefillDrug,
    SelftestAnswer,
    SelftestRequest,
)

WHOLE: Final = 0xFFFF_FFFF
US_PER_S: Final = 1_000_000
US_PER_MIN: Final = 60 * US_PER_S
FIRST_PULSES_US: Final = 120_000_000
"""The self-test tells whether the rotor followed its last pulse; at the least rates there is one in a minute."""
_NO_DRUG: Final = RefillDrug(name="", concentration_ng_per_ml=0)


def prime(desk: Desk, task: Task) -> Procedure[Report]:
    """Fill what is empty, and stay with it: the pump computes its own dead volume, the catheter's is its program's."""
    program = yield from read_program()
    return (yield from give_priming(desk, program.catheter_nl if "alone" in task.said else 0))


def give_priming(desk: Desk, volume_nl: int) -> Procedure[Report]:
    """A priming bolus to its end; volume 0 is what the pump computes."""
    report = yield from deliver_bolus(desk.host, BolusOrder(BolusKind.PRIMING, volume_nl, 0))
    report = yield from follow(desk.host, report)
    yield from close(desk.host, report)
    return told_of(report.outcome)


def refill(desk: Desk, task: Task) -> Procedure[Report]:
    """Commit a refill with what was measured, and tell how far that is from what the pump had computed."""
    return (yield from commit_refill(desk, task, task.number("MEASURED")))


def commit_refill(desk: Desk, task: Task, measured_nl: int | None) -> Procedure[Report]:
    """A refill with the program's drugs; `measured_nl` None: what the pump has computed."""
    volume_nl = task.number("VOLUME") or 0
    program = yield from read_program()
    earlier = yield from settle(desk.host, task.text, None)
    if earlier is not None:
        return (yield from done(desk, earlier))
    begun = yield from read(RefillBeginRequest(), RefillBeginAnswer)
    found_nl = begun.computed_nl if measured_nl is None else measured_nl

    def build(op_id: int, therapy_rev: int) -> object:
        return RefillCommitRequest(
            refill_id=begun.refill_id,
            measured_nl=found_nl,
            volume_nl=volume_nl,
            volume_complement=volume_nl ^ WHOLE,
            drugs=_drugs_of(program),
            op_id=op_id,
            therapy_rev=therapy_rev,
        )

    report = yield from carry_out(desk.host, task.text, build, None)
    return {
        **(yield from done(desk, report)),
        "computed_nl": begun.computed_nl,
        "discrepancy_nl": found_nl - begun.computed_nl,
    }


def set_clock(desk: Desk, task: Task) -> Procedure[Report]:
    """Set the pump's clock forward or back by so much."""
    found = yield from read(TimeReadRequest(), TimeReadAnswer)
    moved_s = (task.number("OFFSET") or 0) // US_PER_S
    return (yield from _set_time(desk, task, found.rtc_unix_s + moved_s, found.offset_min))


def set_zone(desk: Desk, task: Task) -> Procedure[Report]:
    """Say how far local time is ahead of UTC, which itself stays as it is."""
    found = yield from read(TimeReadRequest(), TimeReadAnswer)
    return (yield from _set_time(desk, task, found.rtc_unix_s, (task.number("OFFSET") or 0) // US_PER_MIN))


def _set_time(desk: Desk, task: Task, unix_s: int, offset_min: int) -> Procedure[Report]:
    earlier = yield from settle(desk.host, task.text, None)
    if earlier is not None:
        return (yield from done(desk, earlier))

    def build(op_id: int, therapy_rev: int) -> object:
        return TimeSetRequest(unix_s=unix_s, offset_min=offset_min, op_id=op_id, therapy_rev=therapy_rev)

    return (yield from done(desk, (yield from carry_out(desk.host, task.text, build, None))))


def silence(desk: Desk, task: Task) -> Procedure[Report]:
    """Pause the tones of the alarms that nobody has acknowledged yet: they sound again, and wait for a person still."""
    del desk, task
    sounding = [entry for entry in (yield from read_alarms()) if entry.state == AlarmState.RAISED]
    for entry in sounding:
        yield from read(AlarmSilenceRequest(instance=entry.instance), AlarmSilenceAnswer)
    return {"outcome": "done", "silenced": sorted(entry.type.name.lower() for entry in sounding)}


def scan(desk: Desk, task: Task) -> Procedure[Report]:
    """Stop the pump before the scan and look whether it stands; behind it resume, and test whether the rotor turns."""
    ran = (yield from read(StatusRequest(), StatusAnswer)).run_state == RunState.RUNNING
    stopped = yield from done(desk, (yield from stop(desk.host)))
    status = yield from read(StatusRequest(), StatusAnswer)
    if status.run_state == RunState.RUNNING:
        return {**stopped, "outcome": "failed", "reason": "the pump does not stand still: no scan"}
    yield Tell("the pump stands still; empty its reservoir before the scan, if its kind asks for that.")
    yield from leave(desk)
    yield Pause(task.number("DURATION") or 0)
    resumed = (yield from done(desk, (yield from start(desk.host)))) if ran else stopped
    yield Pause(FIRST_PULSES_US)
    return {**resumed, "self_test_failed": (yield from failed_parts())}


def failed_parts() -> Procedure[list[str]]:
    """What the pump's self-test finds wrong."""
    failed = (yield from read(SelftestRequest(), SelftestAnswer)).failed
    return [part.name.lower() for part in SelfTestPart if part in failed and part.name]


def _drugs_of(program: Program) -> tuple[RefillDrug, ...]:
    found = [RefillDrug(name=drug.name, concentration_ng_per_ml=drug.concentration_ng_per_ml) for drug in program.drugs]
    return tuple(found + [_NO_DRUG] * (REFILL_DRUGS_MAX - len(found)))
