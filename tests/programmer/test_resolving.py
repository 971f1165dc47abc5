"""What each answer, each ledger state and each log says of a command that has left: taken, not taken, or unknown."""

import msgspec
import pytest

from emulator.programmer.book import Book
from emulator.programmer.effects import LineLost, NoPump, PumpRefused, run
from emulator.programmer.ledger import MAX_PENDING_QUERIES, Host, read_op_list, search_log
from emulator.programmer.outcomes import NotTaken, Taken, Unknown, Why, from_booked, to_booked
from emulator.programmer.rules import (
    MAX_ID_COLLISIONS,
    BolusOrder,
    OtherCommand,
    Report,
    book_as_unknown,
    close,
    deliver_bolus,
    settle_one,
    shortest_duration_s,
    start,
    stop,
)
from protocol.messages.codes import BolusEndReason, BolusKind, Mode, OpState, Role
from protocol.messages.deliver import BolusExecuteRequest, StopRequest
from protocol.messages.log import LogRecord
from protocol.messages.log_records import (
    BolusEndedData,
    BolusStartedData,
    ProgramChangedData,
    RefilledData,
    TimeSetData,
    log_record,
)
from protocol.messages.op import OpListAnswer, OpListRequest, OpQueryRequest
from protocol.refusals import NOT_TAKEN, Nak, NakCode
from tests.programmer.programs import CAPS
from tests.programmer.scripted_pump import ScriptedPump

ORDER = BolusOrder(BolusKind.SINGLE, 50_000, 180)
OP_ID = 7


def deliver(pump: ScriptedPump, op_id: int | None = None, order: BolusOrder = ORDER) -> Report:
    host = Host(pump.book)
    report = run(deliver_bolus(host, order, op_id), pump)
    run(close(host, report), pump)
    return report


@pytest.mark.parametrize("code", sorted(set(NakCode) - {NakCode.OP_ID_REUSED}))
def test_a_refusal_of_the_list_resolves_and_every_other_is_asked_about(code: NakCode) -> None:
    pump = ScriptedPump(replies=[Nak(code)], states=[OpState.PARTIAL])
    outcome = deliver(pump).outcome
    if code in NOT_TAKEN:
        assert outcome == NotTaken(Why.REFUSED, Nak(code))
        assert not any(isinstance(message, OpQueryRequest) for message in pump.asked)
    else:
        assert outcome == Taken(OpState.PARTIAL, 30_000, 30_000)


def test_the_intention_is_durable_before_the_command_leaves_and_quotes_the_booked_list() -> None:
    pump = ScriptedPump(replies=[OpState.EXECUTING])
    seen = []
    ask = pump.ask

    def look(message: object) -> object:
        if isinstance(message, BolusExecuteRequest):
            seen.append(pump.book)
        return ask(message)

    pump.ask = look  # type: ignore[method-assign, assignment]  # only to look over its shoulder
    deliver(pump)
    (book,) = seen
    (intention,) = book.intentions
    assert (intention.op_id, intention.stage, intention.epoch) == (OP_ID, "open", 1)
    assert pump.executed is not None
    assert book.op_list is not None
    assert pump.executed.therapy_rev == book.op_list.therapy_rev == 5


def test_not_seen_counts_only_behind_a_complete_list() -> None:
    pump = ScriptedPump()
    assert deliver(pump).outcome == NotTaken(Why.NOT_SEEN)
    kinds = [type(message) for message in pump.asked]
    assert kinds.index(OpListRequest, kinds.index(BolusExecuteRequest)) < kinds.index(OpQueryRequest)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([OpState.NEVER_TAKEN], NotTaken(Why.NEVER_TAKEN)),
        ([OpState.PENDING, OpState.PENDING, OpState.DONE], Taken(OpState.DONE, 30_000, 30_000)),
        ([OpState.EXECUTING], Taken(OpState.EXECUTING, 30_000, 30_000)),
    ],
)
def test_states_of_the_ledger(states: list[OpState], expected: object) -> None:
    assert deliver(ScriptedPump(states=states)).outcome == expected


def test_pending_for_ever_is_unknown_and_stays_open() -> None:
    pump = ScriptedPump(states=[OpState.PENDING])
    outcome = deliver(pump).outcome
    assert isinstance(outcome, Unknown)
    assert not outcome.final
    assert sum(isinstance(message, OpQueryRequest) for message in pump.asked) == MAX_PENDING_QUERIES
    assert [each.stage for each in pump.book.intentions] == ["open"]


def test_a_session_that_is_gone_is_no_verdict() -> None:
    """The command was not taken because it never arrived, not because the pump said so."""
    pump = ScriptedPump(replies=[Nak(NakCode.NO_SUCH_SESSION)])
    assert deliver(pump).outcome == NotTaken(Why.NOT_SEEN)


@pytest.mark.parametrize(
    ("role", "host_id", "final"),
    [(Role.CLINICIAN, 0, True), (Role.CLINICIAN, 5, True), (Role.READER, 0, False), (Role.PATIENT, 0, False)],
)
def test_only_who_has_ended_the_session_that_sent_it_calls_not_seen_final(
    role: Role, host_id: int, final: bool
) -> None:
    """The clinician's place is one, so that any session in it will do; beside others, an earlier one may still live."""
    pump = ScriptedPump(replies=[LineLost("the cable is out")])
    deliver(pump)
    host = Host(pump.book, role, host_id)
    outcome = run(settle_one(host, pump.book.unfinished[0]), pump).outcome
    if final:
        assert outcome == NotTaken(Why.NOT_SEEN)
    else:
        assert isinstance(outcome, Unknown)
        assert not outcome.final
        assert [each.stage for each in pump.book.intentions] == ["open"]


@pytest.mark.parametrize(("host_id", "final"), [(7, True), (8, False)])
def test_one_patient_cannot_end_anothers_session(host_id: int, final: bool) -> None:
    pump = ScriptedPump(replies=[LineLost("the cable is out")])
    deliver(pump)
    intention = msgspec.structs.replace(pump.book.unfinished[0], role=int(Role.PATIENT), host_id=7)
    pump.book = Book(serial_number=pump.book.serial_number, intentions=(intention,))
    outcome = run(settle_one(Host(pump.book, Role.PATIENT, host_id), intention), pump).outcome
    assert isinstance(outcome, NotTaken) is final


@pytest.mark.parametrize("role", [Role.READER, Role.PATIENT])
def test_a_role_that_may_not_stop_therapy_intends_nothing(role: Role) -> None:
    pump = ScriptedPump()
    with pytest.raises(PumpRefused) as refused:
        run(stop(Host(pump.book, role, 5)), pump)
    assert (refused.value.nak.code, type(refused.value.request)) == (NakCode.ROLE, StopRequest)
    assert pump.book.intentions == ()
    assert {type(message) for message in pump.asked} == {OpListRequest}


def test_the_intention_names_its_host() -> None:
    pump = ScriptedPump(replies=[OpState.EXECUTING])
    run(deliver_bolus(Host(pump.book, Role.CLINICIAN, 0xFEED), ORDER), pump)
    assert [(each.role, each.host_id) for each in pump.book.intentions] == [(3, 0xFEED)]


def test_a_lost_line_is_unknown_and_the_next_run_asks() -> None:
    pump = ScriptedPump(replies=[LineLost("the cable is out")])
    assert deliver(pump).outcome == Unknown("the cable is out", final=False)
    pump.states = [OpState.DONE]
    again = deliver(pump)
    assert again.continued
    assert again.outcome == Taken(OpState.DONE, 30_000, 30_000)
    assert sum(isinstance(message, BolusExecuteRequest) for message in pump.asked) == 1


def test_an_entry_of_another_command_says_that_ours_was_not_taken() -> None:
    pump = ScriptedPump(states=[OpState.DONE], foreign_hash=True)
    assert deliver(pump, op_id=9).outcome == NotTaken(Why.OTHER_COMMAND)


def records(*data: object) -> tuple[LogRecord, ...]:
    return tuple(
        log_record(each, sequence=40 + place, epoch=1, boot=1, elapsed_s=0, op_id=OP_ID)
        for place, each in enumerate(data)
    )


def started(bolus_id: int = 17, host_id: int = 0) -> BolusStartedData:
    return BolusStartedData(
        role=Role.CLINICIAN,
        host_id=host_id,
        bolus_id=bolus_id,
        volume_nl=50_000,
        duration_s=180,
        kind=BolusKind.SINGLE,
    )


def ended(reason: BolusEndReason, given_nl: int) -> BolusEndedData:
    return BolusEndedData(
        role=Role.CLINICIAN,
        host_id=0,
        reason=reason,
        bolus_id=17,
        delivered_min_nl=given_nl,
        delivered_max_nl=given_nl,
    )


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (records(started(), ended(BolusEndReason.COMPLETE, 50_000)), Taken(OpState.DONE, 50_000, 50_000)),
        (records(started(), ended(BolusEndReason.RESET, 30_000)), Taken(OpState.PARTIAL, 30_000, 30_000)),
        (records(ended(BolusEndReason.EMPTY, 25)), Taken(OpState.PARTIAL, 25, 25)),
        (records(started(bolus_id=16)), NotTaken(Why.OTHER_COMMAND)),
        (records(started()), None),
        (records(started(host_id=5)), None),
        ((), None),
    ],
)
def test_the_log_knows_what_the_ledger_gave_up(held: tuple[LogRecord, ...], expected: object) -> None:
    pump = ScriptedPump(states=[OpState.UNKNOWN_EVICTED], records=held, first_record=40)
    outcome = deliver(pump, op_id=OP_ID).outcome
    if expected is not None:
        assert outcome == expected
    else:
        assert isinstance(outcome, Unknown)
        assert outcome.final


def test_the_log_knows_a_program_that_was_committed() -> None:
    pump = ScriptedPump(replies=[LineLost("the cable is out")])
    deliver(pump)
    # A stage, the image's checksum, the op id and the revision.
    payload = "07000000010000000100000001000000"
    commit = msgspec.structs.replace(pump.book.unfinished[0], operation="PROGRAM_COMMIT", payload=payload)
    another = msgspec.structs.replace(commit, payload="07000000020000000100000001000000")
    changed = ProgramChangedData(role=Role.CLINICIAN, host_id=0, crc32=1, mode=Mode.STOPPED, rate_nl_per_day=0)
    pump.records, pump.first_record = records(changed), 40
    assert run(search_log(commit), pump) == Taken(OpState.DONE)
    assert run(search_log(another), pump) == NotTaken(Why.OTHER_COMMAND), "another host's program under this op id"
    assert run(search_log(msgspec.structs.replace(commit, operation="STOP")), pump) == NotTaken(Why.OTHER_COMMAND)


@pytest.mark.parametrize(
    ("operation", "data"),
    [
        ("TIME_SET", TimeSetData(role=Role.CLINICIAN, host_id=0, unix_s=1, offset_min=0, rate_nl_per_day=0)),
        ("REFILL_COMMIT", RefilledData(role=Role.CLINICIAN, host_id=0, computed_nl=2, measured_nl=1, volume_nl=3)),
    ],
)
def test_the_log_tells_of_the_care_of_a_pump_too(operation: str, data: object) -> None:
    pump = ScriptedPump(states=[OpState.UNKNOWN_EVICTED])
    deliver(pump)
    intention = msgspec.structs.replace(pump.book.unfinished[0], operation=operation)
    pump.records, pump.first_record = records(data), 40
    assert run(search_log(intention), pump) == Taken(OpState.DONE)
    other = msgspec.structs.replace(intention, operation="START")
    assert run(search_log(other), pump) == NotTaken(Why.OTHER_COMMAND)


def test_what_nobody_can_know_stands_in_the_way_until_a_person_books_it() -> None:
    pump = ScriptedPump(states=[OpState.UNKNOWN_EVICTED])
    assert isinstance(deliver(pump).outcome, Unknown)
    other = BolusOrder(BolusKind.SINGLE, 60_000, 180)
    blocked = deliver(pump, order=other)
    assert blocked.intention.op_id == OP_ID
    assert isinstance(blocked.outcome, Unknown)
    host = Host(pump.book)
    (intention,) = pump.book.unfinished
    run(book_as_unknown(host, intention), pump)
    pump.replies = [OpState.EXECUTING]
    assert deliver(pump, order=other).outcome == Taken(OpState.EXECUTING)


def test_start_does_not_go_past_an_unresolved_operation_and_stop_does() -> None:
    pump = ScriptedPump(states=[OpState.UNKNOWN_EVICTED])
    deliver(pump)
    report = run(start(Host(pump.book)), pump)
    assert (report.intention.op_id, type(report.outcome)) == (OP_ID, Unknown)
    assert [each.stage for each in pump.book.intentions] == ["resolved"]
    with pytest.raises(AssertionError, match="StopRequest"):  # which a scripted pump does not answer
        run(stop(Host(pump.book)), pump)


@pytest.mark.parametrize("change", ["epoch", "op_high", "therapy_rev"])
def test_another_memory_makes_an_open_intention_unknown_for_good(change: str) -> None:
    pump = ScriptedPump(replies=[LineLost("gone")])
    deliver(pump)
    setattr(pump, change, 2 if change == "epoch" else 1)
    outcome = deliver(pump).outcome
    assert isinstance(outcome, Unknown)
    assert outcome.final
    (left,) = pump.book.intentions
    assert left.stage == "resolved"


def test_a_taken_operation_that_a_pump_no_longer_knows_is_another_memory() -> None:
    pump = ScriptedPump(replies=[OpState.EXECUTING])
    deliver(pump)
    assert pump.book.intentions
    run(read_op_list(Host(pump.book)), pump)
    assert pump.book.intentions == ()


def test_a_collision_takes_the_next_id_and_gives_up_in_the_end() -> None:
    reused = Nak(NakCode.OP_ID_REUSED)
    pump = ScriptedPump(replies=[reused, OpState.EXECUTING])
    assert deliver(pump).outcome == Taken(OpState.EXECUTING)
    pump = ScriptedPump(replies=[reused] * 9)
    assert deliver(pump).outcome == NotTaken(Why.REFUSED, reused)
    assert sum(isinstance(message, BolusExecuteRequest) for message in pump.asked) == MAX_ID_COLLISIONS
    pump = ScriptedPump(replies=[reused] * 9)
    assert deliver(pump, op_id=9).outcome == NotTaken(Why.REFUSED, reused)
    assert sum(isinstance(message, BolusExecuteRequest) for message in pump.asked) == 1


def test_a_named_id_of_another_command_is_refused_before_anything_is_sent() -> None:
    pump = ScriptedPump(replies=[OpState.EXECUTING])
    deliver(pump, op_id=9)
    pump.op_high = 9
    with pytest.raises(OtherCommand):
        deliver(pump, op_id=9, order=BolusOrder(BolusKind.SINGLE, 60_000, 180))


def test_a_list_whose_pages_differ_is_read_again_and_not_for_ever() -> None:
    pump = ScriptedPump()
    revisions = iter([5, 6, 6, 6])

    def pages(page: int) -> OpListAnswer:
        return pump.op_list(page, 2, next(revisions))

    pump.pages = pages
    assert run(read_op_list(Host(pump.book)), pump).therapy_rev == 6
    endless = iter(range(10, 1_000))
    pump.pages = lambda page: pump.op_list(page, 2, next(endless))
    with pytest.raises(NoPump):
        run(read_op_list(Host(pump.book)), pump)


def test_outcomes_come_back_from_the_book() -> None:
    nak = Nak(NakCode.LOCKOUT, 1, 0, 1_800)
    for outcome in (Taken(OpState.PARTIAL, 1, 2), NotTaken(Why.REFUSED, nak), Unknown("a gap", final=True)):
        assert from_booked(to_booked(outcome)) == outcome


def test_settling_an_operation_that_executes_asks_for_its_present_state() -> None:
    pump = ScriptedPump(replies=[OpState.EXECUTING])
    host = Host(pump.book)
    report = run(deliver_bolus(host, ORDER), pump)
    pump.op_high, pump.entries = OP_ID, (pump.entry(OpState.DONE, OP_ID, 50_000, 50_000),)
    assert run(settle_one(host, report.intention), pump).outcome == Taken(OpState.DONE, 50_000, 50_000)


@pytest.mark.parametrize(("volume_nl", "expected_s"), [(25, 60), (50_000, 180), (50_001, 181), (10**9, 86_400)])
def test_the_shortest_duration_keeps_the_pumps_limits(volume_nl: int, expected_s: int) -> None:
    assert shortest_duration_s(CAPS, volume_nl) == expected_s
