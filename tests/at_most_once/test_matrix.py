"""Every therapy command, whatever befalls it, whoever gives it: no effect or one, and it can be found out which."""

from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest

from firmware_model.firmware.change import Change
from firmware_model.firmware.ledger import RoleLedger
from protocol.access import access_of
from protocol.channel import Opener
from protocol.messages.codes import OpState
from protocol.messages.operations import OPERATIONS, Effect
from tests.at_most_once.commands import COMMANDS, Command
from tests.at_most_once.matrix import CELLS, Cell, Figures, reasons, try_cell
from tests.at_most_once.mishaps import (
    ANSWER_LOST,
    BOTH_LOST,
    CLIENT_KILLED,
    DUPLICATED,
    MISHAPS,
    POWER_CUT,
    REQUEST_LOST,
    Mishap,
    behind_a_lost_answer,
    wrap,
    writes_of,
)
from tests.at_most_once.story import Story, Who
from tests.conftest import Counted

STRIDE = 89
"""From row to row of the matrix: prime, so that each mishap comes in all its ways, and power goes at all writes."""
NAMES = [command.name for command in COMMANDS]


def test_every_operation_that_carries_an_op_id_is_in_the_matrix_and_given_by_the_role_that_may() -> None:
    therapy = {operation.name for operation in OPERATIONS if operation.effect is Effect.THERAPY}
    assert {command.operation for command in COMMANDS} == therapy
    assert all({command.whose} == access_of(command.operation).roles for command in COMMANDS)


def test_the_matrix_has_every_cell_once_and_those_that_cannot_be_say_why(counted: Counted) -> None:
    assert len({cell.name for cell in CELLS}) == len(CELLS) == len(COMMANDS) * len(MISHAPS) * len(Who)
    for cell in CELLS:
        assert not (cell.allowed and cell.impossible), f"{cell.name}: {cell.impossible}"
    for reason, number in reasons():
        counted(f"cells of at most once that cannot be: {reason}", number)


def test_a_refused_command_writes_nothing_so_no_power_can_be_cut_in_it() -> None:
    refused = [each for each in CELLS if each.mishap is POWER_CUT and not each.allowed]
    assert [writes_of(Story(each.command, each.who)) for each in refused] == [[]] * len(refused)


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_each_cell_has_no_effect_or_one_and_it_can_be_found_out_which(command: Command, counted: Counted) -> None:
    """One way of each cell, another one from cell to cell; `scripts/soak once` tries them all."""
    figures: Figures = Counter()
    for at, cell in enumerate(CELLS):
        if cell.command is command:
            tried = try_cell(cell, figures, only=at // len(MISHAPS) * STRIDE)
            assert tried == (not cell.impossible), f"{cell.name} was skipped"
    assert figures[OpState.UNKNOWN_EVICTED.name]
    assert figures[OpState.NOT_SEEN.name]
    counted(f"cells of at most once, {command.name}", figures["cells tried"])


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_where_the_log_has_wrapped_as_well_the_gap_shows_and_only_a_person_can_book_it(command: Command) -> None:
    who = Who.PATIENT if command.name == "PATIENT_BOLUS" else Who.CLINICIAN
    story = Story(command, who, short_log=True)
    behind_a_lost_answer(story)
    while (verdict := story.verdict()).records:
        wrap(story, above=verdict.query.op_high)
    story.look("ledger and log wrapped")
    assert story.effects() == 1
    assert verdict.log_first > story.log_begins, "the log has lost nothing, and yet it is not there"
    assert verdict.query.state is OpState.UNKNOWN_EVICTED
    assert verdict.records == ()


# --- and it finds the pumps that it is for --------------------------------------------------------------------------


def cell(command: str, mishap: Mishap, who: Who) -> Cell:
    (found,) = (each for each in CELLS if (each.command.name, each.mishap, each.who) == (command, mishap, who))
    return found


def test_a_pump_that_enters_nothing_in_its_ledger_is_found() -> None:
    for each in (
        cell("STOP", ANSWER_LOST, Who.CLINICIAN),
        cell("PATIENT_BOLUS", CLIENT_KILLED, Who.PATIENT),
        cell("REFILL_COMMIT", BOTH_LOST, Who.SESSION_0),
    ):
        with patch.object(RoleLedger, "enter", lambda ledger, _: ledger), pytest.raises((AssertionError, KeyError)):
            try_cell(each, Counter())


@pytest.mark.parametrize("command", ["START", "PATIENT_BOLUS", "TIME_SET"])
def test_a_pump_that_takes_a_known_op_id_as_a_new_one_is_found(command: str) -> None:
    who = Who.PATIENT if command == "PATIENT_BOLUS" else Who.CLINICIAN
    with (
        patch.object(RoleLedger, "find", lambda *_: None),
        patch("firmware_model.firmware.therapy.check_op_id", lambda *_: None),
        pytest.raises(AssertionError),
    ):
        try_cell(cell(command, DUPLICATED, who), Counter())


def test_a_pump_that_takes_old_counters_stops_twice_and_is_found() -> None:
    with patch.object(Opener, "open", Opener.look), pytest.raises(AssertionError, match="its effect 2 times"):
        try_cell(cell("STOP", REQUEST_LOST, Who.CLINICIAN), Counter())


def test_a_pump_that_starts_the_motor_before_its_commit_is_found() -> None:
    """What flows is committed first: a cut between the two would leave steps of which nobody knows."""
    commit = Change.commit

    def late(change: Change) -> None:
        plant: Any = change.firmware.sensors
        if change.record.bolus is not None:
            plant.run_down(5, 0)
        commit(change)

    with patch.object(Change, "commit", late), pytest.raises(AssertionError):
        try_cell(cell("BOLUS_EXECUTE, single", POWER_CUT, Who.CLINICIAN), Counter(), only=0)


def test_a_patient_who_can_stop_the_pump_is_found() -> None:
    with patch("protocol.device_end.role_refusal", lambda *_: None), pytest.raises(AssertionError):
        try_cell(cell("STOP", DUPLICATED, Who.PATIENT), Counter())
