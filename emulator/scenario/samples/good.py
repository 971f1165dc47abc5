"""The good sample programmer: every task by the real rules of `emulator.programmer`.

A new task is a procedure here or in the room of its subject, an entry of `GOOD`, and one of `scenario.tasks`.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.book import Intention
from emulator.programmer.effects import NoPump, Pause, Procedure, PumpRefused, read
from emulator.programmer.ledger import resolve
from emulator.programmer.outcomes import Taken
from emulator.programmer.program_file import ProgramFile, ProgramFileError, read_program_file
from emulator.programmer.programming import (
    Earlier,
    StageDiffers,
    StageGone,
    Unchanged,
    commit_program,
    prepare_program,
    read_program,
)
from emulator.programmer.rules import (
    BolusOrder,
    NothingToCancel,
    cancel,
    close,
    deliver_bolus,
    follow,
    settle_one,
    start,
    stop,
)
from emulator.programmer.rules import Report as RuleReport
from emulator.scenario.samples.history import ages_by_elapsed_time, read_new_records, told_of_reading
from emulator.scenario.samples.sample import Desk, Report, Sample
from emulator.scenario.samples.telling import done, leave, told_of
from emulator.scenario.samples.upkeep import prime, refill, scan, set_clock, set_zone, silence
from emulator.scenario.tasks import Task, read_task
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest, AlarmEntry
from protocol.messages.codes import AlarmState, BolusKind, Mode, OpState, RunState
from protocol.messages.deliver import BolusCancelAnswer
from protocol.messages.read import StatusAnswer, StatusRequest

US_PER_S: Final = 1_000_000
LOOK_US: Final = 60_000_000
LONGEST_LOOK_US: Final = 600_000_000
LAST_VOLUME: Final = "last volume"


def bolus(desk: Desk, task: Task) -> Procedure[Report]:
    """Give a bolus once, and say what became of it."""
    duration_us = task.number("DURATION")
    order = BolusOrder(
        BolusKind.SINGLE, task.number("VOLUME") or 0, None if duration_us is None else duration_us // US_PER_S
    )
    report = yield from deliver_bolus(desk.host, order)
    desk.shelf.notes[LAST_VOLUME] = order.volume_nl
    named = {"op_id": report.intention.op_id, "requested_nl": order.volume_nl}
    if "follow" in task.said and _executing(report):
        try:
            report = yield from follow(desk.host, report)
        except NoPump as error:
            # It stays open in the book: `resolve` finds out what it came to.
            return {**told_of(report.outcome), **named, "reason": f"it was given, and its end was not seen: {error}"}
    yield from close(desk.host, report)
    return {**told_of(report.outcome), **named}


def dose(desk: Desk, task: Task) -> Procedure[Report]:
    """Give so much of a drug: the volume follows from the concentration that the pump itself holds."""
    holds = {drug.name: drug.concentration_ng_per_ml for drug in (yield from read_program()).drugs}
    name = str(task.values["DRUG"])
    if name not in holds:
        return {"outcome": "not-given", "reason": f"the pump holds no {name}", "delivered_nl": 0}
    volume_nl = (task.number("MASS") or 0) // holds[name]
    told = yield from bolus(desk, replace(task, values={**task.values, "VOLUME": volume_nl}))
    return {**told, "concentration_ng_per_ml": holds[name]}


def complete(desk: Desk, task: Task) -> Procedure[Report]:
    """Give what the last bolus can have missed: what it was ordered to give, less the most that it can have given."""
    del task
    host = desk.host
    last = _last_bolus(desk)
    if last is None:
        return {"outcome": "not-given", "reason": "no bolus is known", "delivered_nl": 0}
    outcome = yield from resolve(host, last)
    if not isinstance(outcome, Taken) or outcome.state != OpState.PARTIAL:
        return told_of(outcome)
    rest_nl = desk.number(LAST_VOLUME) - outcome.max_nl
    return (yield from bolus(desk, read_task(f"bolus {rest_nl}nL")))


def resolve_all(desk: Desk, task: Task) -> Procedure[Report]:
    """Find out what became of all that is open, and of the last bolus."""
    del task
    host, found, told = desk.host, [], None
    for intention in host.book.unfinished:
        report = yield from settle_one(host, intention)
        told = told_of(report.outcome)
        found.append(f"{intention.command}: {told['outcome']}")
        yield from close(host, report)
    last = _last_bolus(desk)
    if told is None and last is not None:
        told = told_of((yield from resolve(host, last)))
        found.append(f"{last.command}: {told['outcome']}")
    return {**(told or {"outcome": "done"}), "resolved": found}


def halt(desk: Desk, task: Task) -> Procedure[Report]:
    """Halt all delivery."""
    del task
    return (yield from done(desk, (yield from stop(desk.host))))


def resume(desk: Desk, task: Task) -> Procedure[Report]:
    """Resume the programmed infusion; a pump that runs is told so, and not started again."""
    del task
    begun = any(intention.operation == "START" for intention in desk.host.book.unfinished)
    if not begun and (yield from read(StatusRequest(), StatusAnswer)).run_state == RunState.RUNNING:
        return {"outcome": "done", "ran_already": True}
    return (yield from done(desk, (yield from start(desk.host))))


def cancel_bolus(desk: Desk, task: Task) -> Procedure[Report]:
    """End the bolus that runs, whoever has given it, and say how much it gave; if none runs, what ours has come to."""
    del task
    try:
        report = yield from cancel(desk.host)
        ended = yield from done(desk, report)
        if isinstance(report.answer, BolusCancelAnswer) and report.answer.target_op_id:
            amounts = {"delivered_nl": report.answer.target_min_nl, "at_most_nl": report.answer.target_max_nl}
            return {**ended, "bolus": "partial", **amounts}
    except NothingToCancel:
        ended = {"outcome": "nothing-to-cancel"}
    last = _last_bolus(desk)
    if last is None:
        return ended
    given = told_of((yield from resolve(desk.host, last)))
    known: Report = {name: given[name] for name in ("delivered_nl", "at_most_nl") if name in given}
    return {**ended, "bolus": given["outcome"], **known}


def program(desk: Desk, task: Task) -> Procedure[Report]:
    """Set the pump's program."""
    name = str(task.values["FILE"])
    return (yield from _program(desk, read_program_file(name, desk.program(name))))


def rate(desk: Desk, task: Task) -> Procedure[Report]:
    """Set one base rate, and tell the one that the pump makes of it."""
    said = {"mode": Mode.SIMPLE_CONTINUOUS, "rate_nl_per_day": task.number("RATE") or 0}
    return (yield from _program(desk, ProgramFile(task.text, said, {})))


def interrogate(desk: Desk, task: Task) -> Procedure[Report]:
    """What a programmer shows after an interrogation."""
    del task
    return {
        "outcome": "done",
        **(yield from _status()),
        **of_alarms((yield from read_alarms())),
        "program": f"{(yield from read_program()).crc32:08X}",
        "serial_number": desk.host.book.serial_number,
    }


def alarms(desk: Desk, task: Task) -> Procedure[Report]:
    """Which alarms there are."""
    del desk, task
    return {"outcome": "done", **of_alarms((yield from read_alarms()))}


def acknowledge(desk: Desk, task: Task) -> Procedure[Report]:
    """Acknowledge every alarm; what refuses to be is said."""
    del desk, task
    refused: list[str] = []
    found = yield from read_alarms()
    for entry in found:
        if entry.state != AlarmState.RAISED:
            continue
        try:
            yield from read(AlarmAckRequest(instance=entry.instance), AlarmAckAnswer)
        except PumpRefused as error:
            refused.append(f"{entry.type.name.lower()}: {error.nak.code.name.lower()}")
    return {"outcome": "refused" if refused else "done", "not_acknowledged": refused, **of_alarms(found)}


def read_log(desk: Desk, task: Task) -> Procedure[Report]:
    """The event log from where it was last read to its end."""
    del task
    reading = yield from read_new_records(desk)
    return told_of_reading(reading, (yield from ages_by_elapsed_time()))


def watch(desk: Desk, task: Task) -> Procedure[Report]:
    """Look at the pump once a minute, leave it alone between, and tell every alarm that was seen.

    An open session drains the pump's cell, so each look has its own; and what does not answer is asked less and less.
    """
    left_us, seen, missed, pause_us = task.number("DURATION") or 0, set[str](), 0, LOOK_US
    status = Report()
    while True:
        try:
            status = yield from _status()
            seen |= {entry.type.name.lower() for entry in (yield from read_alarms())}
            yield from leave(desk)
            pause_us = LOOK_US
        except NoPump:
            missed += 1
            yield from leave(desk)
            pause_us = min(2 * pause_us, LONGEST_LOOK_US)
        if left_us <= 0:
            return {"outcome": "done" if status else "failed", **status, "alarms": sorted(seen), "missed_looks": missed}
        turn_us = min(left_us, pause_us)
        yield Pause(turn_us)
        left_us -= turn_us


def _last_bolus(desk: Desk) -> Intention | None:
    """The bolus that was intended last, no priming; the book knows it, whatever became of the process that gave it."""
    boluses = [each for each in desk.host.book.intentions if each.command.startswith("bolus single")]
    return boluses[-1] if boluses else None


def _executing(report: RuleReport) -> bool:
    return isinstance(report.outcome, Taken) and report.outcome.state == OpState.EXECUTING


def _program(desk: Desk, file: ProgramFile) -> Procedure[Report]:
    try:
        prepared = yield from prepare_program(desk.host, file)
        if isinstance(prepared, Unchanged):
            return {"outcome": "unchanged", "rate_nl_per_day": prepared.program.flow_nl_per_day(prepared.caps)}
        if isinstance(prepared, Earlier):
            return (yield from done(desk, prepared.report))
        report = yield from commit_program(desk.host, prepared)
    except ProgramFileError as error:
        return {"outcome": "refused", "reason": str(error)}
    except (StageDiffers, StageGone) as error:
        return {"outcome": "failed", "reason": str(error)}
    return {
        **(yield from done(desk, report)),
        "rate_nl_per_day": prepared.summary.rate_nl_per_day,
        "rounded": prepared.new != prepared.asked.used(),
    }


def _status() -> Procedure[Report]:
    status = yield from read(StatusRequest(), StatusAnswer)
    return {
        "running": status.run_state == RunState.RUNNING,
        "run_state": status.run_state.name.lower(),
        "stop_reason": status.stop_reason.name.lower(),
        "base_rate_nl_per_day": status.base_rate_nl_per_day,
        "reservoir_nl": status.reservoir_nl,
        "bolus_id": status.bolus_id,
        "bolus_delivered_nl": status.bolus_delivered_nl,
        "total_delivered_nl": status.delivered_nl,
    }


def of_alarms(entries: list[AlarmEntry]) -> Report:
    names = [entry.type.name.lower() for entry in entries]
    waiting = [entry.type.name.lower() for entry in entries if entry.state == AlarmState.RAISED]
    return {"alarms": sorted(set(names)), "unacknowledged": sorted(waiting)}


GOOD: Final = Sample(
    "good",
    "keeps the host's rules of the protocol",
    MappingProxyType(
        {
            "interrogate": interrogate,
            "bolus": bolus,
            "dose": dose,
            "complete": complete,
            "prime": prime,
            "cancel": cancel_bolus,
            "stop": halt,
            "start": resume,
            "program": program,
            "rate": rate,
            "refill": refill,
            "clock": set_clock,
            "zone": set_zone,
            "scan": scan,
            "log": read_log,
            "alarms": alarms,
            "ack": acknowledge,
            "silence": silence,
            "resolve": resolve_all,
            "watch": watch,
        }
    ),
)
