"""The room where wire words meet model words: every word of one side has its word on the other."""

from dataclasses import fields, replace
from enum import IntEnum, IntFlag
from typing import Any, get_args
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as altered

from emulator import dispatcher, identity
from firmware_model import commands
from firmware_model.commands import Command, Outcome, Reason, Refusal
from firmware_model.firmware import codes as model
from firmware_model.firmware.event_log import DETAIL
from firmware_model.firmware.event_log import LogType as ModelLogType
from firmware_model.firmware.supervisor import SelfTestPart
from firmware_model.profile import Profile
from protocol.access import PumpState, access_of
from protocol.errands import Errand, Request, SlowRequestDue
from protocol.fields import decode, encode, table_of
from protocol.messages import codes as wire
from protocol.messages import operations
from protocol.messages.deliver import BolusPrepareRequest, StartRequest
from protocol.messages.link import CapsRequest
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import OPERATIONS, by_name
from protocol.messages.read import IdentAnswer, IdentRequest
from protocol.refusals import NO_FIELD, REFUSALS, Nak, NakCode
from tests.device.desk import HELLO, Desk, new_device, prepare, turned
from tests.firmware_model.pump_profiles import LONG_LOG, changed, shipped

WIRES_OWN = {"HELLO", "OPEN", "AUTH", "CLOSE", "KEEPALIVE", "LINK_STATS", "SUBSCRIBE", "UNSUBSCRIBE"}
# What the model replies to the wire's own errands, and nobody else ever sees.
ERRANDS_ENDS = {
    commands.SessionNumber,
    commands.AttemptCounted,
    commands.AttemptConfirmed,
    commands.Noted,
    commands.TelemetryAnswer,
    commands.SelfTestBegun,
}

Words = type[IntEnum] | type[IntFlag]
SAME_NAMES: list[tuple[Words, Words, set[str]]] = [
    (model.Role, wire.Role, set()),
    (model.RunState, wire.RunState, set()),
    (model.StopReason, wire.StopReason, set()),
    (model.PumpState, PumpState, set()),
    (model.Mode, wire.Mode, set()),
    (model.Block, wire.Block, set()),
    (model.ProgramWarning, wire.Warnings, set()),
    (model.BolusKind, wire.BolusKind, set()),
    (model.BolusEnd, wire.BolusEndReason, set()),
    # Said of the op of an unanswered request; the model answers at once.
    (model.OpState, wire.OpState, {"PENDING"}),
    (model.AlarmType, wire.AlarmType, set()),
    (model.AlarmState, wire.AlarmState, set()),
    (model.ResetReason, wire.ResetReason, set()),
    (model.ChangedFlag, wire.ChangedFlag, set()),
    (SelfTestPart, wire.SelfTestPart, set()),
    (ModelLogType, wire.LogType, set()),
]


@pytest.mark.parametrize(("ours", "theirs", "wires_own"), SAME_NAMES, ids=lambda words: getattr(words, "__name__", ""))
def test_both_sides_have_the_same_words(ours: Words, theirs: Words, wires_own: set[str]) -> None:
    assert {word.name for word in ours} | wires_own == {word.name for word in theirs}


def test_words_that_cross_as_numbers_have_the_same_numbers_too() -> None:
    """In log records and in the element of a NAK a number goes through as it is."""
    for ours, theirs in (
        (model.Role, wire.Role),
        (model.StopReason, wire.StopReason),
        (model.Mode, wire.Mode),
        (model.Block, wire.Block),
        (model.BolusEnd, wire.BolusEndReason),
        (model.AlarmType, wire.AlarmType),
        (model.ResetReason, wire.ResetReason),
    ):
        assert {word.name: word.value for word in ours} == {word.name: word.value for word in theirs}


def test_every_operation_is_answered_by_the_model_or_by_the_wire() -> None:
    mine = {operation.request for operation in OPERATIONS if operation.name not in WIRES_OWN}
    assert set(dispatcher.COMMANDS) == mine


def test_every_command_and_every_outcome_of_the_model_has_its_way() -> None:
    assert set(dispatcher.ANSWERS) == set(get_args(Outcome)) - ERRANDS_ENDS
    assert set(dispatcher.ERRANDS) == set(get_args(Errand)) - {Request, SlowRequestDue}
    # That the keys were replaced is nobody's request: the tester's hand did it.
    ways = len(dispatcher.COMMANDS) + len(dispatcher.ERRANDS) + len(dispatcher.SLOW_ENDS)
    assert ways + 1 == len(get_args(Command))


def test_every_reason_has_a_nak_that_is_explained() -> None:
    assert set(dispatcher.NAKS) == set(Reason)
    assert set(dispatcher.NAKS.values()) <= set(REFUSALS)


def test_every_kind_of_op_has_the_opcode_of_its_command() -> None:
    assert {kind.name: opcode for kind, opcode in dispatcher.OPCODE_OF_KIND.items()} == {
        "STOP": by_name["STOP"].opcode,
        "START": by_name["START"].opcode,
        "BOLUS": by_name["BOLUS_EXECUTE"].opcode,
        "CANCEL": by_name["BOLUS_CANCEL"].opcode,
        "PROGRAM": by_name["PROGRAM_COMMIT"].opcode,
        "PATIENT_BOLUS": by_name["PATIENT_BOLUS"].opcode,
        "REFILL": by_name["REFILL_COMMIT"].opcode,
        "TIME_SET": by_name["TIME_SET"].opcode,
    }
    assert set(dispatcher.OPCODE_OF_KIND) == set(model.OpKind)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_gate_is_the_row_of_the_table_of_access_in_the_models_words(operation: operations.Operation) -> None:
    gate = dispatcher.gate_of(operation.name)
    told = {state.name: None if reason is None else dispatcher.NAKS[reason] for state, reason in gate.items()}
    assert told == {state.name: code for state, code in access_of(operation.name).in_state.items()}
    assert set(gate) == set(model.PumpState)


def test_an_operation_that_no_table_knows_is_let_through_in_no_state() -> None:
    assert dispatcher.gate_of("EVENT") == {}


@pytest.mark.parametrize("kind", ModelLogType, ids=lambda kind: kind.name)
def test_a_log_record_has_the_same_fields_on_both_sides(kind: ModelLogType) -> None:
    """Names, order and widths: what memory holds is what the wire says."""
    widths = {"B": 1, "H": 2, "h": 2, "I": 4, "Q": 8}
    table = table_of(DATA_OF[wire.LogType[kind.name]])
    assert [(name, widths[code]) for name, code in DETAIL[kind]] == [(field.name, field.size) for field in table]


def request_for(message: Any) -> Request:
    operation = operations.operation_of(message)
    return Request(
        token=1,
        port=0,
        session=1,
        role=wire.Role.CLINICIAN,
        host_id=0,
        operation=operation,
        message=message,
        txn=1,
    )


@given(st.sampled_from(Reason), st.sampled_from(["", "volume_nl", "duration_s", "kind", "op_id"]), st.integers(0, 99))
def test_a_nak_bears_a_detail_exactly_where_its_code_names_one(reason: Reason, field: str, detail: int) -> None:
    """`else 0`, says the specification: the model's own numbers are nobody's business."""
    nak = dispatcher.nak_of(request_for(prepare(5_000, 60)), Refusal(reason, field, detail=detail))
    assert nak.code is dispatcher.NAKS[reason]
    assert nak.detail == (detail if REFUSALS[nak.code].detail else 0)
    names = [row.name for row in table_of(BolusPrepareRequest)]
    assert nak.field == (names.index(field) if field in names else NO_FIELD)


def test_refused_kind_says_which_field_and_no_number_of_the_model() -> None:
    desk = Desk(new_device())
    desk.open()
    pressed = BolusPrepareRequest(
        kind=wire.BolusKind.PATIENT, volume_nl=5_000, volume_complement=turned(5_000), duration_s=60
    )
    assert desk.refusal(pressed) == Nak(NakCode.CONDITIONS, field=0)


def test_an_op_id_that_is_taken_is_refused_without_a_number_to_copy() -> None:
    desk = Desk(new_device())
    desk.open()
    desk.stop(1)
    assert desk.refusal(StartRequest(op_id=1, therapy_rev=desk.rev())) == Nak(NakCode.OP_ID_REUSED, field=0)


SECTIONS = (
    *("motor", "reservoir", "therapy", "bolus", "patient", "catheter", "memory", "log", "clock", "cell", "stall"),
    *("supervisor", "tones"),
)


def extreme_profiles() -> list[Profile]:
    """What CAPS and IDENT must be able to say: each parameter at both ends of its range.

    Not so the cell's charge and voltages, of which CAPS says nothing: a pump must have power to answer.
    """
    profiles = []
    for end in ("minimum", "maximum"):
        profile = LONG_LOG
        for section in SECTIONS:
            described = {
                field.name: field.metadata[end]
                for field in fields(getattr(profile, section))
                if end in field.metadata and (section != "cell" or field.metadata["unit"] == "days")
            }
            profile = changed(profile, section, **described)
        profiles.append(profile)
    return profiles


@pytest.mark.parametrize("profile", extreme_profiles(), ids=["all at the minimum", "all at the maximum"])
def test_every_profile_that_may_be_can_be_told(profile: Profile) -> None:
    desk = Desk(new_device(profile))
    desk.open()
    caps = desk.ask(CapsRequest())
    assert caps == identity.caps(profile)
    assert desk.ask(IdentRequest()).profile == profile.name
    assert len(encode(caps)) <= 223


@pytest.mark.parametrize("name", ["reference-20", "reference-40"])
def test_hello_ident_and_caps_tell_the_same_pump(name: str) -> None:
    profile = shipped(name)
    desk = Desk(new_device(profile))
    desk.open()
    hello = identity.hello(profile, desk.device.serial_number, insecure=True, test_keys=True)
    ident = desk.ask(IdentRequest())
    assert (ident.model, ident.serial_number, ident.firmware_hash) == (
        hello.model,
        hello.serial_number,
        hello.firmware_hash,
    )
    assert ident.profile == desk.device.profile_name == name
    assert desk.ask(HELLO) == hello


@pytest.mark.parametrize(
    ("insecure", "test_keys", "marks"),
    [
        (False, False, wire.Marks.EMULATOR),
        (False, True, wire.Marks.EMULATOR | wire.Marks.TEST_KEYS),
        (True, False, wire.Marks.EMULATOR | wire.Marks.INSECURE),
        (True, True, wire.Marks.EMULATOR | wire.Marks.TEST_KEYS | wire.Marks.INSECURE),
    ],
)
def test_the_marks_say_what_a_programmer_must_show(insecure: bool, test_keys: bool, marks: wire.Marks) -> None:
    assert identity.hello(LONG_LOG, 1, insecure=insecure, test_keys=test_keys).marks == marks


def test_a_request_without_a_role_is_a_fault_of_the_program() -> None:
    request = request_for(StartRequest(op_id=1, therapy_rev=0))
    nobody = altered(request, role=None)
    with pytest.raises(RuntimeError, match=r"^START has come without a role$"):
        dispatcher.COMMANDS[StartRequest](nobody)
    assert isinstance(dispatcher.COMMANDS[StartRequest](request), commands.Start)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("my-clinic", "my-clinic"), ("a-name-of-more-than-16", "a-name-of-more-t"), ("männlich", "m?nnlich"), ("", "")],
)
def test_whatever_a_profile_is_called_ident_can_say_it(name: str, shown: str) -> None:
    profile = replace(shipped("reference-20"), name=name)
    outcome = commands.IdentityAnswer(profile=profile, serial_number=7, boots=1)
    answer = dispatcher.ANSWERS[commands.IdentityAnswer](Mock(), outcome)
    assert decode(IdentAnswer, encode(answer)).profile == shown
