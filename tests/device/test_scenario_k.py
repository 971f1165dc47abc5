"""The scenario that justifies the project: a bolus whose answer is lost, and a host that comes back to ask."""

import pytest

from emulator.events import FaultFired, Logged
from emulator.inputs import CutPower, RestorePower
from firmware_model.memory import CutMode
from protocol.host_end import NoAnswer
from protocol.messages.codes import OpState, RunState
from protocol.messages.deliver import BolusExecuteRequest, StopRequest
from protocol.messages.log_records import BolusEndedData, data_of
from protocol.messages.op import OpListRequest
from protocol.messages.read import StatusRequest
from protocol.refusals import Nak, NakCode
from tests.device.desk import HOST_ID, Desk, arm, execute, happened, new_device, of_kind, turned
from tests.firmware_model.pump_profiles import shipped

OP = 900
OTHER_HOST = 0x0C22
VOLUME_NL, DURATION_S = 50_000, 2_000


def begin(desk: Desk, host_id: int = HOST_ID) -> None:
    """A host opens its line, and a clinician's session on it."""
    desk.open()
    desk.open_session(host_id=host_id)


def after_the_answer_was_lost() -> tuple[Desk, Desk]:
    """Steps 1 to 4 until the line breaks: the bolus runs, and the host that wanted it knows nothing of that."""
    device = new_device(shipped("reference-20"), insecure=False)
    host, observer = Desk(device, 0), Desk(device, 1)
    begin(host)
    # The role's op ids have come as far as this; that is another story.
    host.stop(OP - 2)
    host.start(OP - 1)
    lease = host.prepared(VOLUME_NL, DURATION_S)
    assert (lease.volume_nl, lease.steps, lease.lease_s) == (VOLUME_NL, 2_000, 30)
    rev = host.rev()
    happened(device)
    arm(device, "drop answer BOLUS_EXECUTE count=4")
    assert isinstance(host.exchange(execute(lease, OP, rev)), NoAnswer)
    events = happened(device)
    assert len(of_kind(events, FaultFired)) == 4, "the answer and the cached answers to three retries"
    assert [event.type for event in of_kind(events, Logged)] == ["bolus_started"], "it was taken once"
    host.close()
    return host, observer


def test_a_stop_halts_the_bolus_that_nobody_knows_of_and_the_ledger_tells_how_much_it_gave() -> None:
    host, other = after_the_answer_was_lost()
    device = host.device
    host.wait(1_200)
    begin(other, host_id=OTHER_HOST)
    bolus = next(entry for entry in other.ops() if entry.op_id == OP)
    assert bolus.state is OpState.EXECUTING
    so_far = bolus.delivered_min_nl
    assert so_far == bolus.delivered_max_nl
    assert 30_000 <= so_far < 30_100
    halted = other.stop(OP + 1)
    assert (halted.target_op_id, halted.target_min_nl, halted.target_max_nl) == (OP, so_far, so_far)
    motor_steps = device.truth()["motor_steps"]

    # The host returns, and books what was given: not 50,000, not 0.
    host.wait(600)
    begin(host)
    listed = {entry.op_id: entry for entry in host.ops()}
    assert listed[OP].state is OpState.PARTIAL
    assert listed[OP].delivered_min_nl == listed[OP].delivered_max_nl == so_far
    assert device.truth()["motor_steps"] == motor_steps

    # A wrong host sends 900 again: it is told what became of it, and nothing moves.
    again = host.ask(stored_execute(therapy_rev=0))
    assert (again.state.name, again.flags.name, again.delivered_max_nl) == ("PARTIAL", "REPEATED", so_far)
    # Another wrong host sends a new op with the revision that it read before.
    nak = host.refusal(stored_execute(therapy_rev=3, op_id=OP + 2))
    assert nak == Nak(NakCode.UNRESOLVED, field=5, element=3, detail=OP + 1)
    host.wait(600)
    assert device.truth()["motor_steps"] == motor_steps

    # The log says the same without a gap; the host's session has ended by its silence.
    begin(host)
    records = host.log()
    assert [record.sequence for record in records] == list(range(1, len(records) + 1))
    told = [type(data_of(record)).__name__ for record in records[3:]]
    assert told == ["BolusStartedData", "TherapyStoppedData", "BolusEndedData"]
    assert {record.op_id for record in records[3:]} == {OP, OP + 1}
    ended = data_of(records[-1])
    assert isinstance(ended, BolusEndedData)
    assert ended.delivered_min_nl == ended.delivered_max_nl == so_far


def stored_execute(*, therapy_rev: int, op_id: int = OP) -> BolusExecuteRequest:
    """The command as the host had stored it before its first byte left."""
    return BolusExecuteRequest(
        bolus_id=1,
        volume_nl=VOLUME_NL,
        volume_complement=turned(VOLUME_NL),
        duration_s=DURATION_S,
        op_id=op_id,
        therapy_rev=therapy_rev,
    )


def test_power_that_fails_on_the_way_leaves_bounds_of_one_journal_interval() -> None:
    host, _ = after_the_answer_was_lost()
    device = host.device
    host.wait(1_207.5)
    given_steps = device.pump.firmware.bolus_steps
    device.control(CutPower(), device.now_us)
    host.wait(60)
    device.control(RestorePower(), device.now_us)
    begin(host)
    bolus = next(entry for entry in host.ops() if entry.op_id == OP)
    assert bolus.state is OpState.PARTIAL
    assert bolus.delivered_min_nl <= given_steps * 25 <= bolus.delivered_max_nl
    assert bolus.delivered_max_nl - bolus.delivered_min_nl == 16 * 25
    assert host.ask(stored_execute(therapy_rev=0)).state is OpState.PARTIAL
    host.wait(3_000)
    assert device.pump.firmware.flow.bolus is None


def test_if_nothing_else_happens_the_bolus_is_given_in_full_and_booked_as_done() -> None:
    host, _ = after_the_answer_was_lost()
    host.wait(2_000)
    begin(host)
    bolus = next(entry for entry in host.ops() if entry.op_id == OP)
    assert (bolus.state, bolus.delivered_min_nl, bolus.delivered_max_nl) == (OpState.DONE, VOLUME_NL, VOLUME_NL)


def test_a_request_that_never_came_is_not_seen_and_may_be_sent_again() -> None:
    desk = Desk(new_device(shipped("reference-20"), insecure=False))
    begin(desk)
    lease, rev = desk.prepared(VOLUME_NL, DURATION_S), desk.rev()
    arm(desk.device, "drop request BOLUS_EXECUTE count=4")
    assert isinstance(desk.exchange(execute(lease, OP, rev)), NoAnswer)
    assert desk.query(OP).state is OpState.NOT_SEEN
    assert desk.ask(OpListRequest(page=0)).therapy_rev == rev
    assert desk.ask(execute(lease, OP, rev)).state is OpState.EXECUTING


@pytest.mark.parametrize("mode", list(CutMode))
def test_a_cut_at_any_write_of_the_execute_never_leaves_moved_but_unknown(mode: CutMode) -> None:
    """Step 2: NOT_SEEN and not a step, or PARTIAL with bounds; until the cut comes after the last write of all."""
    seen = set()
    for write in range(1, 40):
        desk = Desk(new_device(shipped("reference-20"), insecure=False))
        begin(desk)
        lease, rev = desk.prepared(VOLUME_NL, DURATION_S), desk.rev()
        desk.device.control(CutPower(at_write=write, mode=mode), desk.device.now_us)
        outcome = desk.exchange(execute(lease, OP, rev))
        if desk.device.has_power:
            break
        assert isinstance(outcome, NoAnswer)
        desk.device.control(RestorePower(), desk.device.now_us)
        begin(desk)
        queried = desk.query(OP)
        seen.add(queried.state)
        assert desk.device.truth()["motor_steps"] == 0
        if queried.state is OpState.PARTIAL:
            assert (queried.delivered_min_nl, queried.delivered_max_nl) == (0, 16 * 25)
        else:
            assert queried.state is OpState.NOT_SEEN
    else:
        pytest.fail("an EXECUTE does not write so often")
    assert seen <= {OpState.NOT_SEEN, OpState.PARTIAL}
    assert OpState.NOT_SEEN in seen
    assert OpState.PARTIAL in seen or mode is not CutMode.AFTER


def test_a_repeated_stop_would_undo_a_start_so_a_host_asks_first() -> None:
    desk = Desk(new_device(insecure=False))
    begin(desk)
    arm(desk.device, "drop answer STOP count=4")
    assert isinstance(desk.exchange(StopRequest(op_id=1, therapy_rev=0)), NoAnswer)
    answer = desk.query(1)
    assert answer.state is OpState.DONE
    desk.start(2)
    # What the host was kept from by asking: the old STOP again halts the pump again.
    again = desk.stop(1)
    assert again.flags.name == "REPEATED"
    assert desk.ask(StatusRequest()).run_state is RunState.STOPPED
