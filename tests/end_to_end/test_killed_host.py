"""`vpump bolus` and `vpump program` are killed at each call to their disk and line, and run again: done once."""

from __future__ import annotations

import signal

import pytest

from emulator.cli.connection import LineHands
from emulator.programmer.effects import run
from emulator.programmer.link import SerialLink
from emulator.programmer.programming import read_program
from protocol.keys import test_keys as published_keys
from protocol.messages.codes import Role
from tests.conftest import Counted
from tests.end_to_end.bedside import BOLUS_NL, BOLUS_S, Patient
from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.product import NEVER, Commands, Home, ServedPump

BOLUS = ("bolus", "10uL", "--over", "60s", "--json")
MOST_CALLS = 500


@pytest.mark.parametrize("named", [True, False], ids=["with --op-id", "without"])
def test_a_killed_bolus_is_run_again(
    frozen_pump: ServedPump,
    commands: Commands,
    home: Home,
    vpump: Vpump,
    named: bool,
    counted: Counted,
) -> None:
    patient = Patient(frozen_pump)
    continued = told = 0
    for call in range(1, MOST_CALLS):
        # A machine on which vpump has never run: its first run also makes the directories.
        home.variables["VPUMP_STATE_HOME"] = str(home.directory / "states" / str(call))
        command = (*BOLUS, "--op-id", str(call)) if named else BOLUS
        killed = commands.run(home, command, kill_at=call)
        if killed.status == 0:
            assert killed.calls < call, "it outlived the call at which it was to die"
            assert killed.document["op_id"] == call
            break
        assert (killed.status, killed.calls) == (-signal.SIGKILL, call)
        if killed.stdout and not named:
            # Who has been told the outcome, and asks again, means another bolus.
            told += 1
            assert killed.document["op_id"] == call
        else:
            again = commands.run(home, command, kill_at=NEVER)
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
    counted(f"kills {'with' if named else 'without'} --op-id", call - 1)
    print(f"killed at {call - 1} calls, {continued} continued, {told} had been told")  # noqa: T201 - for `pytest -s`


def test_a_killed_program_is_run_again(
    serve: Serve, commands: Commands, home: Home, vpump: Vpump, counted: Counted
) -> None:
    """Whenever it dies: the pump has the old program or the new one, and the next run says which and ends it."""
    pump = serve("--speed", "0", "--listen", "pty", "--listen", "tcp:127.0.0.1:0")
    mine, other = pump.urls
    wanted = [home.directory / f"{rate}.toml" for rate in (400, 500)]
    for path in wanted:
        path.write_text(f'[infusion]\nrate = "{path.stem}uL/day"\n')
    found: list[str] = []
    with SerialLink(other) as link:
        link.open_session(Role.READER, published_keys(pump.address).of_role[Role.READER], host_id=1)
        hands = LineHands(link)

        def active() -> str:
            return f"{run(read_program(), hands).crc32:08X}"

        old = active()
        for call in range(1, MOST_CALLS):
            home.variables["VPUMP_STATE_HOME"] = str(home.directory / "states" / str(call))
            command = ("program", str(wanted[call % 2]), "--yes", "--json", "-p", mine)
            killed = commands.run(home, command, kill_at=call)
            if killed.status == 0:
                assert killed.calls < call, "it outlived the call at which it was to die"
                break
            assert (killed.status, killed.calls) == (-signal.SIGKILL, call)
            left = active()
            again = commands.run(home, command, kill_at=NEVER)
            assert again.status == 0, again
            told, new = again.document, active()
            found.append(told["outcome"])
            assert told["new"]["crc32"] == new != old
            assert left in (old, new), "never a mix"
            assert (found[-1] == "committed") == (left == old), "it was not taken, so it was committed now"
            if found[-1] == "earlier":
                assert (told["op"]["op_id"], told["op"]["state"]) == (call, "done")
            old = new
        else:
            pytest.fail("it makes calls without end")
    assert found == sorted(found, key=["committed", "earlier", "unchanged"].index), "the commit is one step"
    assert found.count("earlier") >= 5, "runs were killed at several calls after COMMIT had left"
    changes = [record["op_id"] for record in vpump("log", "--json", "-p", mine).documents[1:]]
    assert changes == list(range(1, call + 1)), "each was committed once"
    counted("kills of a program", call - 1)
