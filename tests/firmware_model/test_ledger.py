"""The ledger: an op id is taken once, its outcome is kept, and what is no longer kept is not guessed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import OpOutcome, QueryOp, Reason, Refusal
from firmware_model.firmware.codes import BolusEnd, BolusKind, OpState, Role, RunState, StopReason
from firmware_model.firmware.record_layout import unpack_record
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.pump_profiles import LONG_LOG, changed

PLACES = 3


def op_ids(bedside: Bedside, role: Role = Role.CLINICIAN) -> list[int]:
    return [entry.op_id for entry in bedside.ops().entries if entry.role is role]


def test_a_new_op_id_lies_in_the_window_above_the_highest() -> None:
    bedside = Bedside()
    bedside.stop(1_000)
    assert refused(bedside.start(2_001)) == Refusal(Reason.OP_ID_ABOVE_WINDOW, "op_id", detail=2_000)
    assert refused(bedside.start(999)) == Refusal(Reason.OP_ID_STALE, "op_id", detail=1_000)
    assert bedside.op_high() == 1_000, "a refusal enters nothing"
    assert granted(bedside.start(2_000)).op_id == 2_000


def test_a_known_command_is_answered_from_the_ledger_and_nothing_moves() -> None:
    bedside = Bedside()
    first = bedside.bolus(10_000, 100, 1)
    bedside.wait(200)
    told, rev = len(bedside.log()), bedside.therapy_rev()
    again = granted(bedside.execute(1, 10_000, 100, 1, rev=0))
    assert again == OpOutcome(
        op_id=1, state=OpState.DONE, min_nl=10_000, max_nl=10_000, log_sequence=first.log_sequence, repeated=True
    )
    bedside.wait(200)
    assert bedside.status().bolus_id == 0
    assert (len(bedside.log()), bedside.therapy_rev()) == (told, rev)


def test_a_running_bolus_is_told_with_what_it_has_given_so_far() -> None:
    bedside = Bedside(changed(LONG_LOG, "therapy", rate_nl_per_day=1))
    bedside.bolus(10_000, 100, 1)
    bedside.wait(35)
    again = granted(bedside.execute(1, 10_000, 100, 1))
    assert (again.state, again.min_nl, again.max_nl, again.repeated) == (OpState.EXECUTING, 3_000, 3_000, True)
    (listed,) = bedside.ops().entries
    assert (listed.min_nl, listed.max_nl) == (3_000, 3_000)
    assert bedside.query(1).entry == listed


def test_another_hash_another_host_or_another_command_is_no_repetition() -> None:
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    for reply in (
        bedside.execute(1, 20_000, 100, 1),
        bedside.execute(1, 10_000, 100, 1, host=8),
        bedside.start(1),
        bedside.cancel(1, 1),
    ):
        assert refused(reply).reason is Reason.OP_ID_REUSED
    assert bedside.status().bolus_id == 1


def test_the_roles_have_ledgers_of_their_own() -> None:
    bedside = Bedside()
    bedside.stop(5)
    assert granted(bedside.start(5, role=Role.PATIENT)).repeated is False
    assert bedside.query(5).state is OpState.DONE
    assert op_ids(bedside) == op_ids(bedside, Role.PATIENT) == [5]
    ops = bedside.ops()
    assert (ops.clinician_op_high, ops.patient_op_high) == (5, 5)
    assert ops.therapy_rev == bedside.therapy_rev()


def test_the_oldest_finished_outcome_makes_room_and_its_op_id_is_unknown_from_then_on() -> None:
    bedside = Bedside()
    bedside.stop(10)
    bedside.start(20)
    bedside.stop(30)
    assert bedside.query(5).state is OpState.NEVER_TAKEN
    assert bedside.query(31).state is OpState.NOT_SEEN
    bedside.start(40)
    assert op_ids(bedside) == [20, 30, 40]
    states = {op_id: bedside.query(op_id).state.name for op_id in (5, 10, 11, 20, 25, 40, 41)}
    assert states == {
        5: "UNKNOWN_EVICTED",
        10: "UNKNOWN_EVICTED",
        11: "NEVER_TAKEN",
        20: "DONE",
        25: "NEVER_TAKEN",
        40: "DONE",
        41: "NOT_SEEN",
    }
    assert bedside.query(41).op_high == 40
    assert refused(bedside.start(10)).reason is Reason.OP_ID_STALE


def test_an_executing_op_is_never_pushed_out() -> None:
    """The ledger's own rule, with more entries than commands could make while a bolus runs."""
    bedside = Bedside()
    bedside.bolus(10_000, 3_600, 1)
    part = bedside.pump.firmware.record.ledger.of(Role.CLINICIAN)
    executing = part.find(1)
    assert executing is not None
    for op_id in range(2, 12):
        finished = type(executing)(
            role=Role.CLINICIAN,
            op_id=op_id,
            host_id=1,
            kind=executing.kind,
            fingerprint=bytes(8),
            state=OpState.DONE,
            min_nl=0,
            max_nl=0,
            log_sequence=executing.log_sequence + op_id,
        )
        part = part.enter(finished)
        assert part.find(1) == executing
        assert part.find(op_id) == finished
        assert sum(entry is not None for entry in part.places) == min(op_id, PLACES)
    assert part.evicted_high == 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 1_002), st.booleans()), max_size=14))
def test_queries_say_what_a_full_history_would(asked: list[tuple[int, bool]]) -> None:
    """Stops and starts under any op ids, against a list of all that were taken in a ledger of three places."""
    bedside = Bedside()
    taken: list[int] = []
    for above, stop in asked:
        high = max(taken, default=0)
        op_id = max(1, high + above)
        reply = bedside.stop(op_id) if stop else bedside.start(op_id)
        fresh = high < op_id <= high + 1_000
        if isinstance(reply, OpOutcome) and fresh:
            taken.append(op_id)
        if fresh and stop:
            assert isinstance(reply, OpOutcome)
    kept, evicted_high = taken[-PLACES:], max(taken[:-PLACES], default=0)
    assert op_ids(bedside) == kept
    high = max(taken, default=0)
    for op_id in {1, high, high + 1, evicted_high + 1, evicted_high, *taken} - {0}:
        state = bedside.query(op_id).state
        if op_id in kept:
            assert state is OpState.DONE
        elif op_id > high:
            assert state is OpState.NOT_SEEN
        else:
            assert state is (OpState.NEVER_TAKEN if op_id > evicted_high else OpState.UNKNOWN_EVICTED)
    stored = bedside.pump.memory.control.read()
    assert stored is not None
    assert unpack_record(stored.body, LONG_LOG).ledger == bedside.pump.firmware.record.ledger


def test_a_reader_may_nothing_and_has_no_ledger() -> None:
    bedside = Bedside()
    bedside.bolus(10_000, 100)
    for reply in (
        bedside.stop(9, role=Role.READER),
        bedside.start(9, role=Role.READER),
        bedside.prepare(10_000, 100, role=Role.READER),
        bedside.execute(1, 10_000, 100, 9, role=Role.READER),
        bedside.cancel(1, 9, role=Role.READER),
    ):
        assert refused(reply).reason is Reason.ROLE
    assert refused(bedside.ask(QueryOp(Role.READER, 1))) == Refusal(Reason.ROLE, "role")


def test_a_stop_that_its_role_may_not_give_stops_nothing() -> None:
    """A refusal changes nothing; half of a STOP would be a motor that stands still while the pump says it runs."""
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    assert refused(bedside.stop(9, role=Role.READER)).reason is Reason.ROLE
    bedside.wait(100)
    assert bedside.pump.plant.motor.steps == 10 + 10
    assert bedside.query(1).state is OpState.DONE


# --- STOP ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op_id", "entered", "repeated"),
    [
        pytest.param(13, True, False, id="new"),
        pytest.param(1_012, True, False, id="at the end of the window"),
        pytest.param(1_013, False, False, id="above the window"),
        pytest.param(9, False, False, id="stale"),
        pytest.param(12, False, False, id="taken by the bolus"),
        pytest.param(10, True, True, id="a stop of old"),
    ],
)
def test_a_stop_halts_whatever_its_op_id(op_id: int, entered: bool, repeated: bool) -> None:
    bedside = Bedside()
    bedside.stop(10)
    bedside.start(11)
    bedside.bolus(30_000, 300, 12)
    bedside.wait(100)
    steps, rev, high = bedside.pump.plant.motor.steps, bedside.therapy_rev(), bedside.op_high()
    outcome = granted(bedside.stop(op_id, rev=0))
    assert (outcome.state, outcome.entered, outcome.repeated) == (OpState.DONE, entered, repeated)
    assert (outcome.target.op_id, outcome.target.min_nl, outcome.target.max_nl) == (12, 10_000, 10_000)
    assert outcome.target.reason is BolusEnd.STOPPED
    status = bedside.status()
    assert (status.run_state, status.stop_reason) == (RunState.STOPPED, StopReason.COMMANDED)
    assert bedside.therapy_rev() == rev + 1
    assert bedside.op_high() == (op_id if entered and not repeated else high)
    assert bedside.query(12).state is OpState.PARTIAL
    stopped, ended = bedside.log()[-2:]
    assert (stopped.sequence, stopped.op_id, stopped.type.name) == (outcome.log_sequence, op_id, "THERAPY_STOPPED")
    assert (ended.op_id, ended.type.name) == (12, "BOLUS_ENDED")
    bedside.wait(10_000)
    assert bedside.pump.plant.motor.steps == steps


def test_a_stop_while_stopped_is_entered_when_new_and_changes_nothing_when_not() -> None:
    bedside = Bedside()
    bedside.stop(1)
    assert granted(bedside.stop(2)).entered
    assert bedside.query(2).state is OpState.DONE
    rev, records = bedside.therapy_rev(), len(bedside.log())
    again = granted(bedside.stop(2))
    assert (again.repeated, again.entered, again.state) == (True, True, OpState.DONE)
    unknown = granted(bedside.stop(5_000))
    assert (unknown.repeated, unknown.entered, unknown.state) == (False, False, OpState.DONE)
    assert (bedside.therapy_rev(), len(bedside.log())) == (rev, records)


def test_a_stop_while_the_reservoir_is_empty_keeps_the_reason() -> None:
    bedside = Bedside()
    bedside.wait(3_000)
    bedside.stop(1)
    assert bedside.status().stop_reason is StopReason.EMPTY_RESERVOIR


def test_a_stop_before_the_first_step_leaves_a_bolus_rejected() -> None:
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    bedside.wait(9.9)
    outcome = granted(bedside.stop(2))
    assert (outcome.target.op_id, outcome.target.max_nl) == (1, 0)
    assert bedside.query(1).state is OpState.REJECTED


def test_a_stop_voids_every_lease() -> None:
    bedside = Bedside()
    bedside.prepare(10_000, 100)
    bedside.prepare(10_000, 100, session=2)
    bedside.stop()
    bedside.start()
    assert refused(bedside.execute(1, 10_000, 100)).reason is Reason.LEASE_EXPIRED
    assert refused(bedside.execute(2, 10_000, 100, session=2)).reason is Reason.LEASE_EXPIRED


# --- the order of checks, and what each refusal names ---------------------------------------------------------------


def test_an_old_revision_is_refused_with_the_last_op_and_without_the_revision() -> None:
    bedside = Bedside()
    rev = bedside.therapy_rev()
    assert refused(bedside.start(1, rev=rev + 1)) == Refusal(Reason.UNRESOLVED, "therapy_rev", element=0, detail=0)
    bedside.stop(77)
    bedside.start(5, role=Role.PATIENT)
    assert refused(bedside.start(78, rev=rev)) == Refusal(
        Reason.UNRESOLVED, "therapy_rev", element=Role.PATIENT, detail=5
    )
    bedside.stop(78)
    expected = Refusal(Reason.UNRESOLVED, "therapy_rev", element=Role.CLINICIAN, detail=78)
    assert refused(bedside.start(79, rev=rev)) == expected
    assert granted(bedside.start(79)).op_id == 79


def test_the_checks_come_in_their_order() -> None:
    """One EXECUTE that is wrong in every way; what is wrong first is put right, and the next refusal shows."""
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    told = []

    def ask(**words: int | Role) -> None:
        told.append(refused(bedside.execute(9, 7, 7, **words)).reason.name)  # type: ignore[arg-type]

    ask(role=Role.READER, op_id=1, rev=0)
    ask(op_id=1, rev=0)
    ask(op_id=1_002, rev=0)
    bedside.cancel(1, 5)
    ask(op_id=4, rev=0)
    ask(op_id=6, rev=0)
    bedside.stop(6)
    ask(op_id=7)
    bedside.start(7)
    bedside.bolus(10_000, 100, 8)
    ask(op_id=9)
    bedside.cancel(2, 9)
    ask(op_id=10)
    bedside.prepare(20_000, 50)
    assert told == [
        "ROLE",
        "OP_ID_REUSED",
        "OP_ID_ABOVE_WINDOW",
        "OP_ID_STALE",
        "UNRESOLVED",
        "PUMP_STOPPED",
        "BOLUS_RUNNING",
        "NO_SUCH_BOLUS",
    ]
    assert refused(bedside.execute(3, 7, 7)) == Refusal(Reason.NOT_AS_PREPARED, "volume_nl", detail=20_000)
    assert refused(bedside.execute(3, 20_000, 7)) == Refusal(Reason.NOT_AS_PREPARED, "duration_s", detail=50)
    assert refused(bedside.execute(3, 20_000, 50, session=2)).reason is Reason.LEASE_EXPIRED
    bedside.wait(30)
    assert refused(bedside.execute(3, 20_000, 50)) == Refusal(Reason.LEASE_EXPIRED, "bolus_id")
    assert bedside.op_high() == 9, "no refusal has entered anything"


def test_limits_are_checked_at_prepare_with_the_limit_that_would_do() -> None:
    bedside = Bedside()
    assert refused(bedside.prepare(999, 60)) == Refusal(Reason.BELOW_MINIMUM, "volume_nl", detail=1_000)
    assert refused(bedside.prepare(200_001, 60)) == Refusal(Reason.ABOVE_MAXIMUM, "volume_nl", detail=200_000)
    assert refused(bedside.prepare(5_000, 3_601)) == Refusal(Reason.ABOVE_MAXIMUM, "duration_s", detail=3_600)
    assert refused(bedside.prepare(5_000, 0)) == Refusal(Reason.BELOW_MINIMUM, "duration_s", detail=1)
    assert refused(bedside.prepare(100_000, 2)) == Refusal(Reason.BELOW_MINIMUM, "duration_s", detail=3)
    for kind in (BolusKind.PATIENT, BolusKind.PROGRAMMED):
        assert refused(bedside.prepare(5_000, 60, kind=kind)) == Refusal(Reason.KIND, "kind", detail=BolusKind.SINGLE)
    lease = bedside.prepared(5_999, 60)
    assert (lease.bolus_id, lease.volume_nl, lease.steps, lease.lease_s) == (1, 5_000, 5, 30)
    assert lease.available_nl == 200_000
    bedside.wait(1_000)
    assert refused(bedside.prepare(150_001, 60)) == Refusal(Reason.RESERVOIR, "volume_nl", detail=150_000)
    coarse = changed(LONG_LOG, "bolus", volume_min_nl=1_500)
    assert refused(Bedside(coarse).prepare(1_999, 60)) == Refusal(Reason.BELOW_MINIMUM, "volume_nl", detail=1_500)
    fine = changed(LONG_LOG, "bolus", volume_min_nl=10)
    assert refused(Bedside(fine).prepare(999, 60)) == Refusal(Reason.NOT_QUANTIZABLE, "volume_nl", detail=1_000)


def test_limits_are_checked_again_at_execute() -> None:
    bedside = Bedside()
    bedside.wait(500)
    lease = bedside.prepared(200_000, 60)
    bedside.wait(10)
    assert refused(bedside.execute(lease.bolus_id, 200_000, 60)) == Refusal(
        Reason.RESERVOIR, "volume_nl", detail=199_000
    )


def test_a_session_holds_one_lease_and_the_pump_four() -> None:
    bedside = Bedside()
    bedside.prepare(10_000, 100)
    bedside.prepare(10_000, 100)
    assert refused(bedside.execute(1, 10_000, 100)).reason is Reason.LEASE_EXPIRED
    for session in (2, 3, 4, 5):
        bedside.prepare(10_000, 100, session=session)
    assert refused(bedside.execute(2, 10_000, 100)).reason is Reason.LEASE_EXPIRED
    bedside.pump.end_session(3, bedside.now)
    assert refused(bedside.execute(4, 10_000, 100, session=3)).reason is Reason.LEASE_EXPIRED
    assert granted(bedside.execute(3, 10_000, 100, session=2)).state is OpState.EXECUTING


def test_cancel_ends_the_bolus_it_names_and_no_other() -> None:
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    bedside.wait(45)
    assert refused(bedside.cancel(2)) == Refusal(Reason.NO_SUCH_BOLUS, "bolus_id")
    outcome = granted(bedside.cancel(1, 2))
    assert (outcome.target.op_id, outcome.target.max_nl, outcome.target.reason) == (1, 4_000, BolusEnd.CANCELLED)
    assert refused(bedside.cancel(1, 3)) == Refusal(Reason.ALREADY_ENDED, "bolus_id")
    assert granted(bedside.cancel(1, 2)).repeated
    assert bedside.status().run_state is RunState.RUNNING
    assert [bedside.query(op_id).state.name for op_id in (1, 2)] == ["PARTIAL", "DONE"]
    assert [record.type.name for record in bedside.log()[-2:]] == ["BOLUS_CANCELLED", "BOLUS_ENDED"]


def test_a_refusal_is_no_trace() -> None:
    """Whatever is refused leaves a pump that is the same to the bit."""
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    bedside.wait(12)
    before = bedside.pump.digest()
    for reply in (
        bedside.start(2),
        bedside.start(2, rev=0),
        bedside.prepare(10_000, 100),
        bedside.execute(1, 10_000, 100, 2),
        bedside.cancel(9, 2),
        bedside.acknowledge(1),
        bedside.stop(2, role=Role.READER),
    ):
        refused(reply)
        assert bedside.pump.digest() == before
