"""The gate of states: every command in every state of the pump, by the one table of access and by none of its own."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.dispatcher import gate_of as wire_gate_of
from firmware_model import commands
from firmware_model.commands import DENY_ALL, Command, Origin, Reason, Refusal, Reply
from firmware_model.firmware.codes import AlarmType, Block, BolusKind, ChangedFlag, Mode, PumpState, Role
from firmware_model.firmware.gate import pump_state
from firmware_model.handlers import HANDLERS
from protocol.access import ACCESS
from tests.firmware_model.bedside import Bedside, fingerprint_of, gate_of, granted, refused
from tests.firmware_model.drug_programs import new_program

FOREVER_S = 3_600


def running(_bedside: Bedside) -> None:
    pass


def with_a_bolus(bedside: Bedside) -> None:
    bedside.bolus(100_000, FOREVER_S)


def stopped(bedside: Bedside) -> None:
    bedside.stop()


def idle(bedside: Bedside) -> None:
    granted(bedside.program(new_program(mode=Mode.STOPPED)))


def held(bedside: Bedside) -> None:
    """By an empty reservoir, as good as by any other alarm that forbids all flow."""
    bedside.wait(2_500)


def failed(bedside: Bedside) -> None:
    bedside.cut_power()
    region = bedside.pump.memory.control.region
    for place in range(len(region)):
        region[place] ^= 1
    bedside.restore_power()


BROUGHT: dict[PumpState, Callable[[Bedside], None]] = {
    PumpState.RUNNING: running,
    PumpState.BOLUS: with_a_bolus,
    PumpState.STOPPED: stopped,
    PumpState.IDLE: idle,
    PumpState.HELD: held,
    PumpState.FAILED: failed,
}


def brought_to(state: PumpState) -> Bedside:
    bedside = Bedside()
    BROUGHT[state](bedside)
    return bedside


def therapy(bedside: Bedside, origin: Origin) -> dict[str, object]:
    op_id = bedside.op_high() + 1
    return {
        "origin": origin,
        "op_id": op_id,
        "therapy_rev": bedside.therapy_rev(),
        "fingerprint": fingerprint_of("gate", op_id),
    }


ASKED: dict[str, Callable[[Bedside, Origin], Command]] = {
    "THERAPY_READ": lambda _, origin: commands.ReadProgram(origin, Block.IMAGE, 0, 117),
    "PROGRAM_BEGIN": lambda _, origin: commands.BeginProgram(origin),
    "PROGRAM_WRITE": lambda _, origin: commands.WriteProgram(origin, 1, Block.ALARMS, 0, b""),
    "PROGRAM_VALIDATE": lambda _, origin: commands.ValidateProgram(origin, 1),
    "STAGE_READ": lambda _, origin: commands.ReadStage(origin, 1, Block.IMAGE, 0, 117),
    "PROGRAM_COMMIT": lambda bedside, origin: commands.CommitProgram(
        **therapy(bedside, origin),  # type: ignore[arg-type]
        stage_id=1,
        crc32=0,
    ),
    "PROGRAM_ABORT": lambda _, origin: commands.AbortProgram(origin, 1),
    "START": lambda bedside, origin: commands.Start(**therapy(bedside, origin)),  # type: ignore[arg-type]
    "BOLUS_PREPARE": lambda _, origin: commands.PrepareBolus(
        origin=origin, kind=BolusKind.PATIENT, volume_nl=5_000, duration_s=60
    ),
    "BOLUS_EXECUTE": lambda bedside, origin: commands.ExecuteBolus(
        **therapy(bedside, origin),  # type: ignore[arg-type]
        bolus_id=99,
        volume_nl=5_000,
        duration_s=60,
    ),
    "BOLUS_CANCEL": lambda bedside, origin: commands.CancelBolus(
        **therapy(bedside, origin),  # type: ignore[arg-type]
        bolus_id=99,
    ),
    "PATIENT_BOLUS": lambda bedside, origin: commands.GivePatientBolus(
        **therapy(bedside, origin)  # type: ignore[arg-type]
    ),
    "ALARM_ACK": lambda _, origin: commands.AcknowledgeAlarm(origin, 99),
    "ALARM_SILENCE": lambda _, origin: commands.SilenceAlarm(origin, 99),
    "ALARM_CLEAR": lambda _, origin: commands.ClearAlarm(origin, 99),
    "LIMITS": lambda _, origin: commands.ReadAllowance(origin),
    "REFILL_BEGIN": lambda _, origin: commands.BeginRefill(origin),
    "REFILL_COMMIT": lambda bedside, origin: commands.CommitRefill(
        **therapy(bedside, origin),  # type: ignore[arg-type]
        refill_id=99,
        measured_nl=0,
        volume_nl=0,
        drugs=(),
    ),
    "TIME_SET": lambda bedside, origin: commands.SetTime(
        **therapy(bedside, origin),  # type: ignore[arg-type]
        unix_s=0,
        offset_min=0,
    ),
    "SELFTEST": lambda _, origin: commands.TestSelf(origin),
    "RESET_FLAGS": lambda _, origin: commands.ResetFlags(origin, ChangedFlag.BOOT, 99, 0),
}
"""Every command that asks the gate, each wrong in what is looked at behind it, where that is possible."""

BEHIND: dict[str, set[Reason]] = {
    "PROGRAM_WRITE": {Reason.NOTHING_STAGED},
    "PROGRAM_VALIDATE": {Reason.NOTHING_STAGED},
    "STAGE_READ": {Reason.NOTHING_STAGED},
    "PROGRAM_COMMIT": {Reason.NOTHING_STAGED},
    "PROGRAM_ABORT": {Reason.NOTHING_STAGED},
    "BOLUS_PREPARE": {Reason.KIND},
    "BOLUS_EXECUTE": {Reason.NO_SUCH_BOLUS},
    "BOLUS_CANCEL": {Reason.NO_SUCH_BOLUS},
    "PATIENT_BOLUS": {Reason.CONDITIONS},
    "ALARM_ACK": {Reason.NO_SUCH_ALARM},
    "ALARM_SILENCE": {Reason.NO_SUCH_ALARM},
    "ALARM_CLEAR": {Reason.NO_SUCH_ALARM},
    "REFILL_COMMIT": {Reason.NOTHING_STAGED},
    "TIME_SET": {Reason.CLOCK_INVALID},
    "RESET_FLAGS": {Reason.LOG_EPOCH},
}
"""What each is refused for once the gate has let it through; the others are granted."""
FOR_THE_LEDGER = {
    "START",
    "PROGRAM_COMMIT",
    "BOLUS_EXECUTE",
    "BOLUS_CANCEL",
    "PATIENT_BOLUS",
    "REFILL_COMMIT",
    "TIME_SET",
}
"""Those that are entered there: without a ledger they need no row to be refused."""


def ask(bedside: Bedside, operation: str, origin: Origin | None = None) -> Reply | None:
    origin = bedside.origin(operation=operation) if origin is None else origin
    return bedside.ask(ASKED[operation](bedside, origin))


def refusal_in(bedside: Bedside, reason: Reason) -> Refusal:
    """The refusal with what stands in the way."""
    status = bedside.status()
    if reason is Reason.BOLUS_RUNNING and status.bolus_id:
        return Refusal(reason, detail=status.bolus_id)
    rows = bedside.pump.profile.alarm
    for alarm in bedside.alarms():
        if reason is Reason.ALARM_BLOCKS and rows[alarm.type].flow == "stop":
            return Refusal(reason, element=alarm.type, detail=alarm.instance)
    return Refusal(reason)


def test_every_command_that_brings_a_row_is_asked_here_but_stop() -> None:
    bedside = Bedside()
    asked = {type(command(bedside, bedside.origin())) for command in ASKED.values()}
    with_a_row = {kind for kind in HANDLERS if hasattr(kind, "origin")}
    # What begins a self-test is asked where its end is: in test_supervisor.py.
    assert asked == with_a_row - {commands.Stop, commands.BeginSelfTest}


@pytest.mark.parametrize("state", PumpState)
def test_a_pump_is_in_the_state_that_it_has_been_brought_to(state: PumpState) -> None:
    assert pump_state(brought_to(state).pump.firmware) is state


@pytest.mark.parametrize("state", PumpState)
@pytest.mark.parametrize("operation", ASKED)
def test_every_command_in_every_state_as_the_table_says(operation: str, state: PumpState) -> None:
    bedside = brought_to(state)
    reason = gate_of(operation)[state]
    expected = None if reason is None else refusal_in(bedside, reason)
    before = bedside.pump.digest()
    reply = ask(bedside, operation)
    if expected is not None:
        assert reply == expected
        assert bedside.pump.digest() == before, "a refusal is no trace"
    elif operation in BEHIND:
        assert refused(reply).reason in BEHIND[operation]
    else:
        assert not isinstance(reply, Refusal)


_cells = st.one_of(st.none(), st.sampled_from(Reason))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ASKED)), st.sampled_from(PumpState), st.dictionaries(st.sampled_from(PumpState), _cells))
def test_the_firmware_asks_the_row_and_nothing_else(
    operation: str, state: PumpState, row: dict[PumpState, Reason | None]
) -> None:
    """Whatever a row says is so; what it does not name is not possible. Only a lost ledger needs no row."""
    bedside = brought_to(state)
    reason = row.get(state, Reason.CONDITIONS)
    if state is PumpState.FAILED and operation in FOR_THE_LEDGER:
        reason = Reason.MEMORY_FAILURE
    if reason is not None:
        expected = refusal_in(bedside, reason)
        assert ask(bedside, operation, replace(bedside.origin(), gate=row)) == expected
    elif state is not PumpState.FAILED:
        reply = ask(bedside, operation, replace(bedside.origin(), gate=row))
        behind = {*BEHIND.get(operation, ()), *({Reason.BOLUS_RUNNING} if operation == "SELFTEST" else ())}
        assert not isinstance(reply, Refusal) or reply.reason in behind


@pytest.mark.parametrize("operation", ASKED)
def test_an_origin_without_a_row_may_nothing(operation: str) -> None:
    bedside = Bedside()
    stranger = Origin(Role.CLINICIAN, 7, 1)
    assert stranger.gate is DENY_ALL
    assert refused(ask(bedside, operation, stranger)) == Refusal(Reason.CONDITIONS)


@pytest.mark.parametrize("state", PumpState)
def test_a_stop_asks_no_gate_and_halts_in_every_state(state: PumpState) -> None:
    bedside = brought_to(state)
    steps = bedside.pump.plant.motor.steps
    reply = bedside.ask(commands.Stop(**therapy(bedside, Origin(Role.CLINICIAN, 7, 1))))  # type: ignore[arg-type]
    if state is PumpState.FAILED:
        assert refused(reply).reason is Reason.MEMORY_FAILURE
    else:
        assert granted(reply).entered
    bedside.wait(1_000)
    assert bedside.pump.plant.motor.steps == steps


def test_an_alarm_that_holds_outranks_the_program_that_says_stopped() -> None:
    bedside = brought_to(PumpState.HELD)
    granted(bedside.program(new_program(mode=Mode.STOPPED)))
    assert pump_state(bedside.pump.firmware) is PumpState.HELD
    bedside.acknowledge(2)
    assert refused(bedside.start()) == Refusal(Reason.ALARM_BLOCKS, element=AlarmType.EMPTY_RESERVOIR, detail=2)


def test_the_state_is_asked_behind_ledger_op_high_and_revision() -> None:
    """A START that was taken is answered as such by a pump that runs, and an old revision is said before the state."""
    bedside = Bedside()
    bedside.stop(1)
    granted(bedside.start(2))
    assert granted(bedside.start(2)).repeated
    assert refused(bedside.start(1)).reason is Reason.OP_ID_REUSED
    assert refused(bedside.start(1_003)).reason is Reason.OP_ID_ABOVE_WINDOW
    assert refused(bedside.start(3, rev=0)).reason is Reason.UNRESOLVED
    assert refused(bedside.start(3)).reason is Reason.ALREADY_IN_STATE


@pytest.mark.parametrize(("op_id", "rev"), [(9, 0), (5_000, None), (1, 77)])
def test_a_pump_that_has_lost_its_ledger_says_of_no_op_id_that_it_was_never_taken(op_id: int, rev: int | None) -> None:
    """Above the window, or of another revision: either would resolve an intention of which nobody knows any more."""
    bedside = brought_to(PumpState.FAILED)
    for reply in (bedside.start(op_id, rev=rev), bedside.commit(1, 0, op_id, rev=rev)):
        assert refused(reply) == Refusal(Reason.MEMORY_FAILURE)


@pytest.mark.parametrize("operation", ACCESS)
def test_the_dispatcher_brings_the_same_rows(operation: str) -> None:
    """The tests of the model read the table by the names that both sides share; the product has its own way."""
    assert dict(wire_gate_of(operation)) == dict(gate_of(operation))
