"""The published table of access, cell by cell, from outside: a real pump in that state, a session of that role."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.access import PumpState
from protocol.fields import encode
from protocol.frame import RESPONSE_BIT
from protocol.messages.codes import Role
from protocol.messages.operations import OPERATIONS, Effect, Service, by_opcode
from protocol.refusals import NakCode
from tests.conftest import Counted
from tests.device.hand_host import HandHost, body_of, rewired
from tests.device.pump_states import WellMeant, host_of
from tests.protocol.message_strategies import messages

TABLE = Path(__file__).parents[1] / "protocol" / "access.csv"
STATES = tuple(PumpState)
ROLES = (None, *Role)
ALLOWED = "allowed"


def cells() -> dict[tuple[str, str, str], str]:
    """The cells: ALLOWED, or the NAK's code in hex; by operation, state and role."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            (row["operation"], row["state"], role): row[role]
            for row in csv.DictReader(file)
            for role in ("none", "reader", "patient", "clinician")
        }


CELLS = cells()

# Where the table admits a request that cannot be granted all the same: what it asks about is not there.
NOT_THERE = {
    ("BOLUS_CANCEL", PumpState.RUNNING): NakCode.NO_SUCH_BOLUS,
    ("BOLUS_CANCEL", PumpState.STOPPED): NakCode.NO_SUCH_BOLUS,
    ("BOLUS_CANCEL", PumpState.IDLE): NakCode.NO_SUCH_BOLUS,
    ("BOLUS_CANCEL", PumpState.HELD): NakCode.NO_SUCH_BOLUS,
    # It is at it, and says so.
    **{("SELFTEST", state): NakCode.PENDING for state in PumpState},
    # A pump that has lost its memory has no log, and so none of that epoch.
    ("LOG_READ", PumpState.FAILED): NakCode.LOG_EPOCH,
    ("LOG_FIND_BY_ELAPSED", PumpState.FAILED): NakCode.LOG_EPOCH,
}


def word_of(role: Role | None) -> str:
    return "none" if role is None else role.name.lower()


def said(code: NakCode | None) -> str:
    return ALLOWED if code is None else f"{code:02X}"


def found_in(host: HandHost, name: str, state: PumpState) -> str:
    """What a request is answered with; a refusal that the table does not mean counts as admitted."""
    request = WellMeant(host).request(name)
    before = host.device.pump.delivery_digest()
    code = host.verdict(host.request(request))
    assert code is None or host.device.pump.delivery_digest() == before, "a refusal changes nothing"
    return ALLOWED if code is not None and NOT_THERE.get((name, state)) is code else said(code)


def test_the_table_has_a_row_for_every_operation_in_every_state() -> None:
    assert {cell[:2] for cell in CELLS} == {
        (operation.name, state.name.lower()) for operation in OPERATIONS for state in STATES
    }


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name.lower())
@pytest.mark.parametrize("role", ROLES, ids=word_of)
def test_a_pump_admits_what_the_table_admits_and_refuses_the_rest_as_it_says(
    role: Role | None, state: PumpState, counted: Counted
) -> None:
    expected, found = {}, {}
    shared = host_of(state, role)
    for operation in OPERATIONS:
        cell = CELLS[operation.name, state.name.lower(), word_of(role)]
        expected[operation.name] = cell
        # A self-test keeps its session busy for a while.
        harmless = cell != ALLOWED or (operation.effect is Effect.READ and operation.name != "SELFTEST")
        host = shared if harmless else host_of(state, role)
        found[operation.name] = found_in(host, operation.name, state)
    assert found == expected
    counted("cells of the table of access, at a real pump", len(found))


unknown_opcodes = st.integers(0, 0x7FFF).filter(lambda opcode: opcode not in by_opcode)


@settings(max_examples=40)
@given(unknown_opcodes, st.sampled_from(ROLES), st.sampled_from(STATES), st.binary(max_size=40))
def test_an_operation_that_there_is_not_is_refused_to_everybody(
    opcode: int, role: Role | None, state: PumpState, payload: bytes
) -> None:
    host = host_of(state, role)
    code = host.verdict(requested(host, opcode, payload))
    if role is None:
        assert code is NakCode.AUTH_REQUIRED
    elif opcode >> 8 in set(Service):
        assert code is NakCode.UNKNOWN_OP
    else:
        assert code is NakCode.UNKNOWN_SERVICE


def requested(host: HandHost, opcode: int, payload: bytes) -> bytes:
    """A request of any 16 bits; with bit 15 set it contradicts its flags."""
    number = opcode & ~RESPONSE_BIT
    wire = host.opcode(number, payload)
    if not opcode & RESPONSE_BIT:
        return wire
    body = bytearray(body_of(wire))
    body[3] |= RESPONSE_BIT >> 8
    return rewired(bytes(body))


OPCODES = {
    "well meant": st.sampled_from([operation.opcode for operation in OPERATIONS if operation.effect is Effect.THERAPY]),
    "message": st.sampled_from(sorted(by_opcode)),
    "bytes": st.integers(0, 0xFFFF),
}


@settings(max_examples=150)
@given(st.data(), st.sampled_from(sorted(OPCODES)), st.sampled_from(ROLES), st.sampled_from(STATES))
def test_whoever_changes_therapy_has_the_right_to(
    data: st.DataObject, kind: str, role: Role | None, state: PumpState
) -> None:
    """Any 16 bits for an opcode, any payload: what nobody made, what a message can be, what is meant well."""
    host = host_of(state, role)
    opcode = data.draw(OPCODES[kind])
    operation = by_opcode.get(opcode)
    if operation is None or kind == "bytes":
        payload = data.draw(st.binary(max_size=60))
    elif kind == "message":
        payload = encode(data.draw(messages(operation.request)))
    else:
        payload = encode(WellMeant(host).request(operation.name))
    before = host.device.pump.delivery_digest()
    host.send(requested(host, opcode, payload))
    if host.device.pump.delivery_digest() != before:
        assert role in (Role.PATIENT, Role.CLINICIAN)
        assert operation is not None
        assert CELLS[operation.name, state.name.lower(), word_of(role)] == ALLOWED
