"""Who may do what, when: every cell is that of a table written by hand, and what stands nowhere is denied."""

import csv
from itertools import product
from pathlib import Path

import pytest

from protocol.access import ACCESS, STATE_MEANINGS, PumpState, access_of, refusal, role_refusal
from protocol.messages.codes import Role
from protocol.messages.operations import OPERATIONS, Effect, by_name
from protocol.refusals import NOT_TAKEN, NakCode

TABLE = Path(__file__).with_name("access.csv")
WHO: dict[str, Role | None] = {
    "none": None,
    "reader": Role.READER,
    "patient": Role.PATIENT,
    "clinician": Role.CLINICIAN,
}


def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def cell(refused: NakCode | None) -> str:
    return "allowed" if refused is None else f"{refused:02X}"


def test_the_table_has_every_operation_in_every_state_once() -> None:
    states = [state.name.lower() for state in PumpState]
    wanted = list(product((operation.name for operation in OPERATIONS), states))
    assert [(row["operation"], row["state"]) for row in rows()] == wanted
    assert all(list(row) == ["operation", "state", *WHO] for row in rows())


@pytest.mark.parametrize("operation", [operation.name for operation in OPERATIONS])
def test_every_cell_is_that_of_the_table(operation: str) -> None:
    for row in rows():
        if row["operation"] == operation:
            state = PumpState[row["state"].upper()]
            cells = {who: cell(refusal(operation, role, state)) for who, role in WHO.items()}
            assert cells == {who: row[who] for who in WHO}, row["state"]


def test_every_operation_has_its_row_and_every_row_its_states() -> None:
    assert list(ACCESS) == [operation.name for operation in OPERATIONS]
    assert all(list(row.in_state) == list(PumpState) for row in ACCESS.values())
    assert list(STATE_MEANINGS) == list(PumpState)


@pytest.mark.parametrize("name", ["", "hello", "MAGNET", "0101", "EVENT"])
def test_an_operation_without_a_row_is_nobodys(name: str) -> None:
    assert name not in by_name
    row = access_of(name)
    assert (row.roles, row.without_session) == (frozenset(), False)
    for state in PumpState:
        assert refusal(name, None, state) is NakCode.AUTH_REQUIRED
        assert all(refusal(name, role, state) is NakCode.ROLE for role in Role)


def test_a_row_without_a_state_admits_nobody_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ACCESS["STATUS"]
    partial = type(whole)(whole.roles, whole.without_session, {PumpState.RUNNING: None})
    monkeypatch.setattr("protocol.access.ACCESS", {"STATUS": partial})
    assert refusal("STATUS", Role.READER, PumpState.RUNNING) is None
    assert refusal("STATUS", Role.READER, PumpState.BOLUS) is NakCode.CONDITIONS


def test_without_a_session_only_these_are_answered() -> None:
    answered = [operation.name for operation in OPERATIONS if role_refusal(operation.name, None) is None]
    assert answered == ["HELLO", "OPEN", "AUTH", "STATUS"]


def test_a_higher_role_may_all_that_a_lower_one_may_save_press_the_patients_button() -> None:
    for name, row in ACCESS.items():
        assert (Role.READER in row.roles) <= (Role.PATIENT in row.roles)
        assert (Role.PATIENT in row.roles) <= (Role.CLINICIAN in row.roles) or name == "PATIENT_BOLUS"


def test_nobody_but_a_clinician_can_change_therapy_or_stage_a_change_save_the_patients_own_bolus() -> None:
    for operation in OPERATIONS:
        if operation.effect in (Effect.THERAPY, Effect.STAGE):
            whose = Role.PATIENT if operation.name == "PATIENT_BOLUS" else Role.CLINICIAN
            assert access_of(operation.name).roles == {whose}
            assert not access_of(operation.name).without_session


def test_a_reader_can_only_read_subscribe_and_keep_or_end_its_session() -> None:
    allowed = {operation for operation in OPERATIONS if Role.READER in access_of(operation.name).roles}
    assert {operation.effect for operation in allowed} == {Effect.READ, Effect.LINK}
    assert {operation.name for operation in allowed if operation.effect is Effect.LINK} == {
        "HELLO",
        "CLOSE",
        "KEEPALIVE",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "RESET_FLAGS",
    }
    assert "BOLUS_PREPARE" not in {operation.name for operation in allowed}


def test_a_state_refuses_a_command_with_a_code_that_says_it_was_not_taken_or_that_memory_is_lost() -> None:
    for row in ACCESS.values():
        for state, refused in row.in_state.items():
            if refused is not None:
                assert refused in NOT_TAKEN or (state, refused) == (PumpState.FAILED, NakCode.MEMORY_FAILURE)
