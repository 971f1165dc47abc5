"""`vpump bolus` is killed at each call to its disk and line, and run again with the same intention: one dose."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.end_to_end.bedside import BOLUS_NL, BOLUS_S, Patient
from tests.end_to_end.conftest import Vpump
from tests.end_to_end.product import Commands, Home, ServedPump

BOLUS = ("bolus", "10uL", "--over", "60s", "--json")
MOST_CALLS = 500


@pytest.mark.parametrize("named", [True, False], ids=["with --op-id", "without"])
def test_a_killed_bolus_is_run_again(
    frozen_pump: ServedPump,
    commands: Commands,
    home: Home,
    vpump: Vpump,
    named: bool,
    record_property: Callable[[str, object], None],
) -> None:
    patient = Patient(frozen_pump)
    continued = told = 0
    for call in range(1, MOST_CALLS):
        # A machine on which vpump has never run: its first run also makes the directories.
        home.variables["VPUMP_STATE_HOME"] = str(home.directory / "states" / str(call))
        command = (*BOLUS, "--op-id", str(call)) if named else BOLUS
        killed = commands.run(home, command, kill_at=call)
        if killed.status == 0:
            assert killed.calls == call - 1, "it was killed at every call before"
            assert killed.document["op_id"] == call
            break
        assert (killed.status, killed.calls) == (-signal.SIGKILL, call)
        if killed.stdout and not named:
            # Who has been told the outcome, and asks again, means another bolus.
            told += 1
            assert killed.document["op_id"] == call
        else:
            again = commands.run(home, command)
            assert again.status == 0, again
            assert (again.document["op_id"], again.document["state"]) == (call, "executing")
            continued += again.document["continued"]
        patient.wait(BOLUS_S)
        assert patient.doses_nl() == call * BOLUS_NL, f"killed at call {call}"
    else:
        pytest.fail("it makes calls without end")
    assert continued >= 5, "runs were killed at several calls after EXECUTE had left"
    records = vpump("log", "--json").documents
    assert [record["op_id"] for record in records if record["type"] == "bolus_started"] == list(range(1, call + 1))
    record_property(f"kills {'with' if named else 'without'} --op-id", call - 1)
    print(f"killed at {call - 1} calls, {continued} continued, {told} had been told")  # noqa: T201 - for `pytest -s`
