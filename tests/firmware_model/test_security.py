"""Sessions are numbered for ever, failures count before they are known, and a delay is exact and never long."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import (
    AttemptConfirmed,
    AttemptCounted,
    Noted,
    NoteKeysReplaced,
    Reason,
    Refusal,
    SessionNumber,
)
from firmware_model.firmware.codes import Role, RunState
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.firmware.security_record import (
    HIGHEST_COUNTER,
    MOST_FAILURES,
    PLACES,
    PORT_PLACES,
    SecurityRecord,
    pack_security,
    place_of,
    unpack_security,
)
from firmware_model.pump import PumpEvent, Recorded
from tests.firmware_model.bedside import SECOND, granted
from tests.firmware_model.doorway import CLINICIAN, Doorway

MINUTE = 60 * SECOND
ROLES = st.sampled_from(Role)
PORTS = st.one_of(st.integers(0, PORT_PLACES), st.integers(0, 300))
SCHEDULE_S = (0, 0, 0, 0, 15, 30, 60, 60, 60)
"""How long one waits after the first failure in a row, after the second, and so on."""


def logged(door: Doorway, kind: LogType) -> list[LogRecord]:
    return [record for record in door.log() if record.type is kind]


def holding(record: SecurityRecord) -> Doorway:
    """A pump that has this security record in its memory and has just booted."""
    door = Doorway()
    for _ in range(2):
        door.pump.memory.commit(door.pair, pack_security(record))
    door.cut_power()
    door.restore_power()
    return door


def stored_bytes(door: Doorway) -> tuple[bytes, ...]:
    """All that memory holds: any commit changes it, if only by its generation."""
    memory = door.pump.memory
    return bytes(memory.control.region), bytes(memory.security.region), bytes(memory.log)


def lose_both(door: Doorway, *, control: bool) -> None:
    """Both copies of a record are lost while the power is away."""
    door.cut_power()
    pair = door.pump.memory.control if control else door.pair
    for slot in (0, 1):
        pair.region[slot * pair.slot_bytes + 9] ^= 4
    door.restore_power()


@given(st.integers(0, HIGHEST_COUNTER), st.binary(min_size=PLACES, max_size=PLACES))
def test_a_record_reads_back_and_what_lies_beyond_it_is_above_it_in_everything(counter: int, failures: bytes) -> None:
    record = SecurityRecord(counter, failures)
    assert unpack_security(pack_security(record)) == record
    beyond = record.beyond()
    assert beyond.session_counter == min(counter + 1, HIGHEST_COUNTER)
    assert list(beyond.failures) == [min(count + 1, MOST_FAILURES) for count in failures]


def test_every_role_and_port_has_a_place_and_the_highest_ports_share_theirs() -> None:
    places = [place_of(role, port) for role in Role for port in range(PORT_PLACES)]
    assert sorted(places) == list(range(PLACES))
    assert all(place_of(role, 15) == place_of(role, 16) == place_of(role, 255) for role in Role)


def test_a_new_pump_has_two_copies() -> None:
    assert [unpack_security(body) for body, _ in Doorway().pair.copies()] == [SecurityRecord()] * 2


def test_sessions_are_numbered_from_one_on_whoever_opens_them() -> None:
    door = Doorway()
    told = [door.number(role, port) for role in Role for port in (0, 3, 99)]
    assert told == [SessionNumber(number) for number in range(1, 10)]


def test_the_delays_are_those_of_the_table_to_the_microsecond() -> None:
    door = Doorway()
    for failures, wait_s in enumerate(SCHEDULE_S):
        assert door.attempt() == AttemptCounted(failures, wait_s)
        if wait_s:
            door.pump.advance(door.now + wait_s * SECOND - 1)
            assert door.attempt() == door.number() == Refusal(Reason.DELAY, detail=1)
            door.pump.advance(door.now + 1)


def test_a_refusal_tells_how_many_seconds_are_left_and_costs_nothing() -> None:
    door = Doorway()
    door.fail(7)
    begun, record = door.now, door.stored()
    for left_us, told_s in ((MINUTE, 60), (59 * SECOND + 1, 60), (59 * SECOND, 59), (SECOND, 1), (1, 1)):
        door.pump.advance(begun + MINUTE - left_us)
        assert door.attempt() == door.number() == Refusal(Reason.DELAY, detail=told_s)
    assert door.stored() == record
    door.pump.advance(begun + MINUTE)
    assert door.number() == SessionNumber(1)
    assert door.attempt() == AttemptCounted(7, 60)


@given(ROLES, PORTS, ROLES, PORTS)
def test_failures_delay_nobody_else(role: Role, port: int, other: Role, elsewhere: int) -> None:
    door = Doorway()
    door.fail(5, role, port)
    same = place_of(role, port) == place_of(other, elsewhere)
    assert same == (role is other and min(port, 15) == min(elsewhere, 15))
    if same:
        assert door.attempt(other, elsewhere) == Refusal(Reason.DELAY, detail=15)
    else:
        assert door.attempt(other, elsewhere) == AttemptCounted(0, 0)
        assert isinstance(door.number(other, elsewhere), SessionNumber)


@given(st.integers(0, 10))
def test_a_good_attempt_ends_the_delay_and_the_count(failures: int) -> None:
    door = Doorway()
    door.fail(failures)
    door.wait(60)
    assert door.attempt() == AttemptCounted(failures, SCHEDULE_S[min(failures, 8)])
    assert door.confirm() == AttemptConfirmed(failures)
    assert door.stored().failures == bytes(PLACES)
    assert door.attempt() == AttemptCounted(0, 0)


def test_where_nothing_counts_a_good_attempt_writes_nothing() -> None:
    door = Doorway()
    before = stored_bytes(door)
    assert door.confirm() == AttemptConfirmed(0)
    assert stored_bytes(door) == before


def test_a_count_stays_at_its_highest() -> None:
    place = place_of(CLINICIAN, 0)
    door = holding(SecurityRecord(5).counting(place, MOST_FAILURES - 1))
    for _ in range(3):
        door.wait(60)
        assert door.attempt() == AttemptCounted(MOST_FAILURES - 1, 60)
        assert door.stored().failures[place] == MOST_FAILURES
    assert door.confirm() == AttemptConfirmed(MOST_FAILURES - 1)


def test_after_the_last_number_there_is_none() -> None:
    door = holding(SecurityRecord(HIGHEST_COUNTER - 1))
    assert door.number() == SessionNumber(HIGHEST_COUNTER)
    assert door.number() == Refusal(Reason.CONDITIONS)


@given(st.lists(st.tuples(ROLES, st.integers(0, 15), st.integers(0, 8)), max_size=4), st.integers(0, 70))
def test_a_power_cut_begins_every_delay_anew(counts: list[tuple[Role, int, int]], waited_s: int) -> None:
    record = SecurityRecord()
    for role, port, failures in counts:
        record = record.counting(place_of(role, port), failures)
    door = holding(record)
    door.wait(waited_s)
    door.cut_power()
    door.wait(1_000)
    door.restore_power()
    for role in Role:
        for port in range(PORT_PLACES):
            failures = record.failures[place_of(role, port)]
            wait_s = SCHEDULE_S[failures - 1] if failures else 0
            expected = (
                Refusal(Reason.DELAY, detail=wait_s) if wait_s else AttemptCounted(failures, SCHEDULE_S[failures])
            )
            assert door.attempt(role, port) == expected


def test_a_place_that_is_taken_over_is_logged_and_one_that_was_free_is_not() -> None:
    door = Doorway()
    door.attempt()
    assert door.confirm(host_id=7) == AttemptConfirmed(0)
    assert not logged(door, LogType.SESSION_TAKEN_OVER)
    door.attempt()
    rev = door.therapy_rev()
    assert door.confirm(host_id=8, from_host_id=7) == AttemptConfirmed(0)
    (record,) = logged(door, LogType.SESSION_TAKEN_OVER)
    assert dict(record.detail) == {"role": Role.CLINICIAN, "host_id": 8, "from_host_id": 7}
    assert (record.op_id, door.therapy_rev()) == (0, rev)


def test_other_keys_are_logged() -> None:
    door = Doorway()
    for test_keys in (True, False):
        assert door.ask(NoteKeysReplaced(test_keys)) == Noted()
    assert [dict(record.detail) for record in logged(door, LogType.KEYS_REPLACED)] == [
        {"test_keys": 1},
        {"test_keys": 0},
    ]


def test_the_first_failure_is_logged_at_once_and_later_ones_when_the_minute_is_over() -> None:
    door = Doorway()
    door.wait(100)
    door.note(Role.PATIENT, port=3)
    door.wait(10)
    door.note(Role.CLINICIAN, port=1)
    door.note(port=2)
    door.note(port=400)
    door.wait(49.999_999)
    assert len(logged(door, LogType.AUTHENTICATION_FAILED)) == 1
    assert door.pump.next_deadline() == 160 * SECOND
    door.wait(0.000_001)
    first, second = logged(door, LogType.AUTHENTICATION_FAILED)
    assert dict(first.detail) == {"role": Role.PATIENT, "port": 3, "wrong_cryptograms": 1, "wrong_tags": 0}
    assert dict(second.detail) == {"role": Role.CLINICIAN, "port": 255, "wrong_cryptograms": 1, "wrong_tags": 2}
    assert (first.elapsed_s, second.elapsed_s) == (100, 160)

    # Nothing is gathered any more, and the next minute has begun: it is over before this one.
    door.wait(60)
    door.note(port=2)
    assert dict(logged(door, LogType.AUTHENTICATION_FAILED)[2].detail) == {
        "role": 0,
        "port": 2,
        "wrong_cryptograms": 0,
        "wrong_tags": 1,
    }


def test_an_hour_of_failures_makes_61_records_and_loses_none_of_them() -> None:
    door = Doorway()
    noted = 0
    for quarter in range(3_600 * 4 + 1):
        door.pump.advance(quarter * SECOND // 4)
        door.note(Role.READER if quarter % 3 else None)
        noted += 1
    records = logged(door, LogType.AUTHENTICATION_FAILED)
    assert len(records) == 61
    assert all(later.elapsed_s - earlier.elapsed_s == 60 for earlier, later in pairwise(records))
    waiting = door.pump.firmware.security.wrong
    told = sum(record.detail["wrong_cryptograms"] + record.detail["wrong_tags"] for record in records)
    assert told + waiting.cryptograms + waiting.tags == noted


def test_counts_in_the_log_stay_at_their_highest() -> None:
    door = Doorway()
    door.note()
    door.note()
    wrong = door.pump.firmware.security.wrong
    wrong.cryptograms, wrong.tags = 0x1_0000, 0x1_0000_0000
    door.wait(60)
    detail = logged(door, LogType.AUTHENTICATION_FAILED)[1].detail
    assert (detail["wrong_cryptograms"], detail["wrong_tags"]) == (0xFFFF, 0xFFFF_FFFE)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, MINUTE - 1, MINUTE, MINUTE + 1]) | st.integers(0, 3 * MINUTE), st.booleans())
    ),
    st.lists(st.integers(0, 60 * MINUTE) | st.integers(0, 60).map(lambda minutes: minutes * MINUTE), max_size=12),
)
def test_the_minute_ends_the_same_however_time_is_advanced(notes: list[tuple[int, bool]], cuts: list[int]) -> None:
    def run(cuts: list[int]) -> tuple[list[PumpEvent], str]:
        door = Doorway()
        at = 0
        for after_us, is_tag in notes:
            at += after_us
            for cut in cuts:
                if door.now <= cut <= at:
                    door.pump.advance(cut)
            door.pump.advance(at)
            door.note(None if is_tag else Role.PATIENT)
        for cut in cuts:
            if cut > at:
                door.pump.advance(cut)
        door.pump.advance(at + 61 * MINUTE)
        return door.events(), door.pump.digest()

    whole = run([])
    assert run(sorted(cuts)) == whole
    told = [
        event.at_us
        for event in whole[0]
        if isinstance(event, Recorded) and event.record.type.name == "AUTHENTICATION_FAILED"
    ]
    assert all(later - earlier >= MINUTE for earlier, later in pairwise(told))


def test_a_pump_that_has_lost_its_control_record_still_opens_sessions_and_logs_nothing() -> None:
    door = Doorway()
    door.number()
    door.fail(5)
    lose_both(door, control=True)
    assert door.status().run_state is RunState.FAILED
    log = bytes(door.pump.memory.log)
    assert door.attempt() == Refusal(Reason.DELAY, detail=15), "its security record outlives the other"
    door.wait(15)
    assert door.number() == SessionNumber(2)
    assert door.attempt() == AttemptCounted(5, 30)
    assert door.confirm(from_host_id=9) == AttemptConfirmed(5)
    door.note()
    assert door.ask(NoteKeysReplaced(test_keys=False)) == Noted()
    door.wait(100)
    assert bytes(door.pump.memory.log) == log
    assert (door.log_range().first, door.log_range().last) == (0, 0)


def test_a_pump_that_has_lost_its_security_record_gives_no_number_and_goes_on() -> None:
    door = Doorway()
    bolus = door.bolus(10_000, 3_600)
    lose_both(door, control=False)
    region = bytes(door.pair.region)
    assert door.number() == door.attempt() == door.confirm() == Refusal(Reason.MEMORY_FAILURE)
    door.pump.raise_session_counter(1_000, door.now)
    assert bytes(door.pair.region) == region
    door.note()
    assert len(logged(door, LogType.AUTHENTICATION_FAILED)) == 1
    assert door.status().run_state is RunState.RUNNING
    assert door.query(bolus.op_id).entry is not None
    granted(door.stop())


@pytest.mark.parametrize("floor", [0, 1, 3, 4, 1_000, HIGHEST_COUNTER - 1])
def test_a_raised_counter_is_above_the_floor_in_both_copies_and_never_lower(floor: int) -> None:
    door = Doorway()
    for _ in range(3):
        door.number()
    door.fail(3)
    door.pump.raise_session_counter(floor, door.now)
    copies = [unpack_security(body) for body, _ in door.pair.copies()]
    assert all(copy.session_counter >= floor for copy in copies)
    assert len(copies) == 2
    assert door.stored().failures[place_of(CLINICIAN, 0)] == 3
    assert door.number() == SessionNumber(max(3, floor) + 1)


def test_raising_again_writes_nothing() -> None:
    door = Doorway()
    door.pump.raise_session_counter(50, door.now)
    before = stored_bytes(door)
    door.pump.raise_session_counter(50, door.now)
    door.pump.raise_session_counter(7, door.now)
    assert stored_bytes(door) == before


def test_without_power_no_counter_is_raised() -> None:
    door = Doorway()
    door.cut_power()
    region = bytes(door.pair.region)
    door.pump.raise_session_counter(50, door.now)
    assert bytes(door.pair.region) == region


@pytest.mark.parametrize("floor", [-1, HIGHEST_COUNTER + 1])
def test_a_floor_that_no_counter_can_have_is_an_error(floor: int) -> None:
    with pytest.raises(ValueError, match=rf"^session counter {floor} is not within 0 to {HIGHEST_COUNTER}$"):
        Doorway().pump.raise_session_counter(floor, 0)


def test_what_the_security_record_and_its_delays_are_is_part_of_the_state() -> None:
    digests = set()
    for change in range(5):
        door = Doorway()
        match change:
            case 1:
                door.number()
            case 2:
                door.attempt()
            case 3:
                door.note()
            case 4:
                door.pair.region[-1] ^= 1
        digests.add(door.pump.digest())
    assert len(digests) == 5
