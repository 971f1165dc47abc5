"""The latched flags: set by log records alone, and reset only as far as somebody has read."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model import commands
from firmware_model.commands import FlagsReset, Reason, Refusal
from firmware_model.firmware.changed_flags import CAUSES, ChangedFlags
from firmware_model.firmware.codes import ChangedFlag, Role
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.pump_events import FlagsSet
from tests.firmware_model.bedside import Bedside

ALL = ChangedFlag(sum(ChangedFlag))
KINDS = [kind for kind in LogType if kind is not LogType.CORRUPT]


def record(sequence: int, kind: LogType) -> LogRecord:
    return LogRecord(sequence, 1, 1, 0, 0, kind, 0, MappingProxyType({}))


def test_every_record_sets_one_flag_and_every_flag_has_a_cause() -> None:
    caused = [kind for kinds in CAUSES.values() for kind in kinds]
    assert sorted(caused) == sorted(KINDS)
    assert list(CAUSES) == list(ChangedFlag)
    assert all(CAUSES.values())


acts = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.lists(st.sampled_from(KINDS), max_size=3)),
        st.tuples(st.sampled_from(Role), st.integers(0, ALL), st.integers(0, 40)),
    ),
    max_size=40,
)


@given(acts)
def test_the_flags_are_those_of_a_simple_mind_that_forgets_nothing(history: list[tuple[Any, ...]]) -> None:
    """It keeps every record and every reset, and works a flag out anew each time."""
    flags = ChangedFlags()
    logged: list[tuple[int, ChangedFlag]] = [(0, ALL)]
    resets: list[tuple[Role, ChangedFlag, int]] = []

    def simple(role: Role) -> ChangedFlag:
        found = ChangedFlag(0)
        for flag in ChangedFlag:
            last = max(sequence for sequence, set_by_it in logged if flag in set_by_it)
            if not any(whose is role and flag in which and upto >= last for whose, which, upto in resets):
                found |= flag
        return found

    for act in history:
        match act:
            case ("log", [*kinds]):
                before = {role: simple(role) for role in Role}
                records = [record(len(logged) + at, kind) for at, kind in enumerate(kinds)]
                told = flags.note(records)
                for each in records:
                    sets = next(flag for flag, causes in CAUSES.items() if each.type in causes)
                    if each.type is LogType.BOOT:
                        resets.clear()
                        sets = ALL
                    logged.append((each.sequence, sets))
                assert told == tuple(role for role in Role if simple(role) & ~before[role])
            case (Role() as role, int(which), int(upto)):
                sequence = min(upto, len(logged) - 1)
                flags.reset(role, ChangedFlag(which), sequence)
                resets.append((role, ChangedFlag(which), sequence))
        assert {role: flags.of_role(role) for role in Role} == {role: simple(role) for role in Role}


def changed(bedside: Bedside, role: Role = Role.READER) -> ChangedFlag:
    answer = bedside.ask(commands.ReadTelemetry(role))
    assert isinstance(answer, commands.TelemetryAnswer)
    return answer.changed


def reset(bedside: Bedside, upto: int, flags: ChangedFlag = ALL, role: Role = Role.READER) -> object:
    origin = bedside.origin(role=role, operation="RESET_FLAGS")
    return bedside.ask(commands.ResetFlags(origin, flags, 1, upto))


def last(bedside: Bedside) -> int:
    return bedside.status().log_last


def test_a_new_pump_has_every_flag_set_for_every_role() -> None:
    bedside = Bedside()
    assert [changed(bedside, role) for role in Role] == [ALL] * 3


def test_a_reset_forgets_what_was_set_up_to_the_record_that_it_names_and_no_more() -> None:
    bedside = Bedside()
    assert reset(bedside, last(bedside)) == FlagsReset(ChangedFlag(0))
    bedside.stop()
    seen = last(bedside)
    bedside.start()
    assert changed(bedside) == ChangedFlag.THERAPY
    assert reset(bedside, seen) == FlagsReset(ChangedFlag.THERAPY), "it was set again since"
    assert reset(bedside, seen + 1, ALL & ~ChangedFlag.THERAPY) == FlagsReset(ChangedFlag.THERAPY), "it was not named"
    assert reset(bedside, seen + 1) == FlagsReset(ChangedFlag(0))
    assert changed(bedside, Role.CLINICIAN) == ALL, "each role reads for itself"


def test_every_record_of_a_commit_sets_its_flag() -> None:
    bedside = Bedside()
    bedside.bolus(20_000, 600)
    reset(bedside, last(bedside))
    bedside.stop()
    assert [record.type.name for record in bedside.log()[-2:]] == ["THERAPY_STOPPED", "BOLUS_ENDED"]
    assert changed(bedside) == ChangedFlag.THERAPY | ChangedFlag.BOLUS


def test_what_has_not_happened_yet_cannot_have_been_read() -> None:
    bedside = Bedside()
    assert reset(bedside, last(bedside) + 1) == Refusal(Reason.ABOVE_MAXIMUM, "log_sequence", detail=last(bedside))
    origin = bedside.origin(role=Role.READER, operation="RESET_FLAGS")
    other = bedside.ask(commands.ResetFlags(origin, ALL, 2, 1))
    assert other == Refusal(Reason.LOG_EPOCH, "log_epoch", detail=1)
    assert changed(bedside) == ALL


def test_a_flag_that_is_newly_set_is_told_once_and_to_whom_it_is_new() -> None:
    bedside = Bedside()
    reset(bedside, last(bedside))
    reset(bedside, last(bedside), ChangedFlag.THERAPY, Role.PATIENT)
    bedside.events()
    bedside.stop()
    told = [event.role for event in bedside.events() if isinstance(event, FlagsSet)]
    assert told == [Role.READER, Role.PATIENT]
    bedside.start()
    assert not [event for event in bedside.events() if isinstance(event, FlagsSet)]


def test_a_boot_sets_all_flags_at_its_record() -> None:
    bedside = Bedside()
    before = last(bedside)
    reset(bedside, before)
    bedside.cut_power()
    bedside.restore_power()
    assert changed(bedside) == ALL
    assert reset(bedside, before) == FlagsReset(ALL), "who has read no further does not know of the boot"
    assert reset(bedside, before + 1) == FlagsReset(ChangedFlag.ALARM), "the alarm of the reset came behind it"


def test_a_memory_that_fails_sets_all_flags_for_good_and_tells_of_it() -> None:
    bedside = Bedside()
    reset(bedside, last(bedside))
    bedside.events()
    bedside.pump._fail_memory()
    assert {event.role for event in bedside.events() if isinstance(event, FlagsSet)} == {Role.READER}
    assert changed(bedside) == ALL
    assert reset(bedside, 0) == Refusal(Reason.MEMORY_FAILURE)


@pytest.mark.parametrize("role", Role)
def test_flags_are_no_part_of_what_is_delivered(role: Role) -> None:
    bedside = Bedside()
    delivery, whole = bedside.pump.delivery_digest(), bedside.pump.digest()
    reset(bedside, last(bedside), role=role)
    assert bedside.pump.delivery_digest() == delivery
    assert bedside.pump.digest() != whole, "but they are part of the pump, and of its save-states"
