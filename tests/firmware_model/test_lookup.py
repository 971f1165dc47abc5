"""Where a time begins in the log, whatever of it can still be read; one alarm; what the program still allows."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_model.commands import (
    Alarm,
    AllowanceAnswer,
    FindLog,
    LogFound,
    LogRecords,
    ReadAlarm,
    ReadAllowance,
    ReadLog,
    Reason,
    Refusal,
)
from firmware_model.firmware.codes import AlarmType
from firmware_model.firmware.event_log import RECORD_BYTES, LogRecord, LogType
from tests.firmware_model.bedside import Bedside
from tests.firmware_model.pump_profiles import LONG_LOG, SMALL

MOST_EVENTS = 12


def damage(bedside: Bedside, sequence: int) -> None:
    """A bit of a log record falls over."""
    firmware = bedside.pump.firmware
    page, place = divmod(sequence - 1, firmware.ring.records_per_page)
    at = page % firmware.ring.pages * firmware.memory.log_page_bytes + place * RECORD_BYTES
    firmware.memory.log[at] ^= 1


def held(bedside: Bedside) -> list[LogRecord]:
    """Every record that the log holds."""
    firmware = bedside.pump.firmware
    first, after = firmware.ring.first(firmware.record.log_next), firmware.record.log_next
    answer = bedside.ask(ReadLog(1, first, after - first))
    assert isinstance(answer, LogRecords)
    return list(answer.records)


def found(bedside: Bedside, elapsed_s: int) -> int | Refusal:
    answer = bedside.ask(FindLog(1, elapsed_s))
    assert isinstance(answer, LogFound | Refusal)
    return answer if isinstance(answer, Refusal) else answer.sequence


@settings(max_examples=60)
@example(pauses=[3, 4], damaged=set(range(40)), wrapped=False)
@example(pauses=[1] * MOST_EVENTS, damaged=set(range(40)), wrapped=True)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=MOST_EVENTS), st.sets(st.integers(0, 40)), st.booleans())
def test_no_readable_record_of_a_time_lies_before_where_it_begins_and_none_of_before_behind(
    pauses: list[int], damaged: set[int], wrapped: bool
) -> None:
    """On a log that is whole it is exact. Of a damaged record nobody knows the time, so it may stand first."""
    bedside = Bedside(SMALL if wrapped else LONG_LOG)
    for pause_s in pauses:
        bedside.wait(pause_s)
        bedside.stop()
    whole = held(bedside)
    for index in damaged:
        if index < len(whole):
            damage(bedside, whole[index].sequence)
    records = held(bedside)
    for elapsed_s in range(records[0].elapsed_s, sum(pauses) + 2):
        at = found(bedside, elapsed_s)
        readable = [record for record in records if record.type is not LogType.CORRUPT]
        if not readable:
            assert at == Refusal(Reason.RECORD_CORRUPT, detail=records[0].sequence)
            continue
        assert isinstance(at, int)
        assert all(record.elapsed_s < elapsed_s for record in readable if record.sequence < at)
        assert all(record.elapsed_s >= elapsed_s for record in readable if record.sequence >= at)
        assert records[0].sequence <= at <= records[-1].sequence + 1


def test_another_epoch_is_refused_with_the_one_that_is() -> None:
    assert Bedside().ask(FindLog(2, 0)) == Refusal(Reason.LOG_EPOCH, "epoch", detail=1)


def test_an_alarm_is_found_by_its_instance_or_not_at_all() -> None:
    bedside = Bedside()
    assert bedside.ask(ReadAlarm(1)) == Refusal(Reason.NO_SUCH_ALARM, "instance")
    bedside.wait(1_900)
    alarm = bedside.ask(ReadAlarm(1))
    assert isinstance(alarm, Alarm)
    assert (alarm.type, alarm.elapsed_s) == (AlarmType.LOW_RESERVOIR, 1_800)


def test_the_window_that_is_left_falls_with_each_bolus_and_is_whole_again_a_day_after_its_end() -> None:
    bedside = Bedside()

    def left_nl() -> int:
        answer = bedside.ask(ReadAllowance(bedside.origin(operation="LIMITS")))
        assert isinstance(answer, AllowanceAnswer)
        return answer.window_left_nl

    before_nl = left_nl()
    bedside.bolus(20_000, 60)
    assert left_nl() == before_nl - 20_000
    bedside.wait(86_400 + 59)
    assert left_nl() == before_nl - 20_000
    bedside.wait(1)
    assert left_nl() == before_nl


def test_without_a_patient_bolus_nothing_is_left_and_nothing_waits() -> None:
    bedside = Bedside()
    answer = bedside.ask(ReadAllowance(bedside.origin(operation="LIMITS")))
    assert isinstance(answer, AllowanceAnswer)
    assert (answer.activations_max, answer.activations_left, answer.lockout_left_s) == (0, 0, 0)
