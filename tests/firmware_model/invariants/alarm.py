"""A1 to A8: what is wrong is told in time, nothing else is; and the log holds all of it."""

from __future__ import annotations

from firmware_model.commands import AlarmCleared, AlarmsAnswer, ListAlarms, ReadLog, Reason, Refusal
from firmware_model.firmware.codes import AlarmState, AlarmType, RunState
from firmware_model.firmware.event_log import LogType
from tests.firmware_model.invariants.ward import Ward


def told_in_time_and_truly(ward: Ward) -> None:
    """A1: each cause has its alarm within its time, and no alarm is raised without a cause."""
    step, books = ward.step, ward.books
    assert not step.late_stalls, f"the rotor stands since {step.late_stalls}, and no alarm says so"
    assert not step.untold, f"no alarm says {step.untold}"
    for raising in step.raisings:
        assert raising.caused or raising.type is AlarmType.REPLACEMENT, f"a false alarm: {raising.type.name}"
        assert not raising.ill_timed, f"{raising.type.name} does not come at its time"
    if books.judged:
        assert AlarmType.CLOCK_LOST in books.alarms.types or not books.clock.lost


def latched_until_cleared(ward: Ward) -> None:
    """A2: what the log raised and did not clear stands, over any loss of power; a cause that is there raises anew."""
    step, books = ward.step, ward.books
    for told, kind, caused in step.clearings:
        after = told.record.sequence + 1
        anew = any(raising.type is kind and raising.told.record.sequence == after for raising in step.raisings)
        if told.record.detail["role"]:
            assert anew == caused, f"{kind.name} was cleared, its cause being there: {caused}"
        else:
            # One that stands for the last time gives way when its cause comes again.
            assert not (ward.profile.alarm[kind].latching or caused) or anew, f"{kind.name} has cleared itself"
    caused_of = {clearing.told.record.detail["instance"]: clearing.caused for clearing in step.clearings}
    for asked in step.asked:
        if isinstance(asked.reply, AlarmCleared):
            assert bool(asked.reply.raised_again) == caused_of[asked.reply.instance], "not what the answer says"
    if not books.judged:
        return
    alarms = ward.pump.firmware.record.alarms
    if alarms is not ward.notes.alarms:
        ward.notes.alarms = alarms
        stand = [(alarm.instance, alarm.type, alarm.state) for alarm in alarms if alarm.state is not AlarmState.CLEARED]
        assert stand == [(alarm.instance, alarm.type, alarm.state) for alarm in books.alarms.standing.values()]


def critical_is_said(ward: Ward) -> None:
    """A3: each is told with its row's priority and tone, in the order of raising; critical ones are counted."""
    step, books, rows = ward.step, ward.books, ward.profile.alarm
    for tone in step.tones:
        assert tone.critical == rows[tone.alarm].critical
    for raising in step.raisings:
        told, row = raising.told, rows[raising.type]
        assert told.record.detail["priority"] == (2 if row.critical else 1)
        assert not raising.stood, f"{raising.type.name} stands twice"
        sounded = any(tone.at_us == told.at_us and tone.alarm is raising.type for tone in step.tones)
        silent = row.tone == "none" or told.acted_us != told.at_us or told.record.boot < books.boot
        assert sounded or silent, f"{raising.type.name} is raised without a tone"
        steps = told.record.detail["steps"] - told.counted if told.record.boot == books.boot else 0
        assert 0 <= steps <= told.slack
    reply = ward.bedside.ask(ListAlarms(0)) if ward.ending or step.raisings else None
    if isinstance(reply, AlarmsAnswer):
        assert len({alarm.instance for alarm in reply.alarms}) == len(reply.alarms) == reply.total
        for alarm in reply.alarms:
            assert alarm.critical == rows[alarm.type].critical


def flow_is_as_alarms_say(ward: Ward) -> None:
    """A4: stop, minimum or on, as the table has it for what stands."""
    books = ward.books
    if books.judged and books.alarms.holds:
        assert not books.flow.running, "therapy runs under an alarm that forbids it"
    for begun in ward.step.begun:
        assert not (begun.holds and begun.told.record.type is LogType.THERAPY_STARTED)
    for start in ward.step.starts:
        assert not start.holds
    if books.judged and books.alarms.lowers:
        assert ward.pump.firmware.flow.base.gain <= ward.profile.therapy.rate_min_nl_per_day


def silence_ends(ward: Ward) -> None:
    """A5: a silenced alarm stands as before, and sounds again at its time, not earlier."""
    step = ward.step
    assert not step.missed_tones, f"{step.missed_tones} stay silent"
    for tone in step.early_tones:
        anew = any(raising.type is tone.alarm and raising.told.at_us == tone.at_us for raising in step.raisings)
        assert anew, f"{tone.alarm.name} sounds while it is silenced"


def log_has_no_gap(ward: Ward) -> None:
    """A6: numbers rise by one, ticks never fall, labels are the clock's; what has been pushed out is refused."""
    books, step, notes = ward.books, ward.step, ward.notes
    assert not books.fell_back, "records under numbers that were not the next ones"
    for told in step.told:
        record = told.record
        assert record.type is not LogType.CORRUPT
        assert record.elapsed_s >= notes.elapsed_s
        notes.elapsed_s = record.elapsed_s
        if told.acted_us == told.at_us and record.type is not LogType.BOOT and record.boot == books.boot:
            assert told.label_s in (None, record.rtc_unix_s), (
                f"label {record.rtc_unix_s}, the clock shows {told.label_s}"
            )
        notes.log.append(record)
    if ward.ending and books.judged:
        _read_back(ward)


def _read_back(ward: Ward) -> None:
    held, kept = ward.bedside.log_range(), ward.profile.log
    remembered = {record.sequence: record for record in ward.notes.log}
    assert held.last == ward.books.next_sequence - 1
    assert held.last - held.first + 1 >= min(held.last, (kept.pages - 1) * kept.records_per_page)
    for record in ward.bedside.log():
        told = remembered.get(record.sequence)
        bad = record.type is LogType.CORRUPT and ward.notes.may_lose_a_copy
        assert told is None or told == record or bad, f"{told} was told, {record} is read"
    if held.first > 1:
        reply = ward.bedside.ask(ReadLog(held.epoch, held.first - 1, 1))
        assert reply == Refusal(Reason.RECORD_OVERWRITTEN, "from_sequence", detail=held.first)


def states_are_logged(ward: Ward) -> None:
    """A7: what the pump does is what its log says, and was committed with it."""
    books = ward.books
    if not books.judged:
        return
    record, flow = ward.pump.firmware.record, books.flow
    assert (record.run_state is RunState.RUNNING) == flow.running
    assert record.stop_reason is books.stop_reason
    assert (record.bolus.bolus_id if record.bolus else 0) == (flow.bolus.bolus_id if flow.bolus else 0)
    assert (record.dose.bolus_id if record.dose else 0) == (flow.dose.bolus_id if flow.dose else 0)
    assert record.clock_valid == books.clock.valid
    assert record.log_next == books.next_sequence
    assert record.boot == books.boot


def stall_is_told(ward: Ward) -> None:
    """A8: stall and recovery are logged, what was commanded meanwhile is not called delivered, nothing is made up."""
    books, flow = ward.books, ward.books.flow
    for told in ward.step.of(LogType.STALL_ENDED):
        assert told.record.detail["pulses"] == told.stalled
    if books.judged:
        assert ward.pump.firmware.counting == flow.counting, "a stall began or ended that the log does not tell of"
        assert flow.counting or (flow.bolus is None and flow.dose is None), "a bolus counts although the rotor stands"
