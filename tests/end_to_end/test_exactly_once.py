"""Whatever the line loses, and wherever the power goes: a dose is given exactly once or exactly never, and it shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emulator.programmer.outcomes import Taken
from protocol.messages.codes import BolusKind, OpFlag, OpState, Role
from protocol.messages.deliver import (
    BolusExecuteAnswer,
    BolusExecuteRequest,
    BolusPrepareAnswer,
    BolusPrepareRequest,
    StartAnswer,
    StartRequest,
    StopAnswer,
    StopRequest,
)
from protocol.messages.op import OpListAnswer, OpListRequest, OpQueryAnswer, OpQueryRequest
from protocol.refusals import NakCode
from tests.end_to_end.bedside import BOLUS_NL, BOLUS_S, HostLine, Patient, PowerLost, Programmer
from tests.end_to_end.conftest import Serve, Start, Vpump
from tests.end_to_end.product import Home, ServedPump

JOURNAL_INTERVAL_NL = 400
LEDGER_ENTRIES = 16
MOST_WRITES = 400
BOLUSES_A_DAY = 64  # the pump of these tests remembers so many, and gives no more
DAY_S = 86_400
TRY = ("--timeout", "150ms")
BOLUS = ("bolus", "10uL", "--over", "60s", "--json", *TRY)
PREPARE = BolusPrepareRequest(
    kind=BolusKind.SINGLE, volume_nl=BOLUS_NL, volume_complement=BOLUS_NL ^ 0xFFFF_FFFF, duration_s=BOLUS_S
)

LOST = {
    "the answer once": (["drop answer BOLUS_EXECUTE"], "taken"),
    "a bit of the answer": (["corrupt answer BOLUS_EXECUTE byte=9"], "taken"),
    "the tag of the answer": (["tag-flip answer BOLUS_EXECUTE"], "taken"),
    "the counter of request and answer": (
        ["counter-skip request BOLUS_EXECUTE by=0", "counter-skip answer BOLUS_EXECUTE by=-5"],
        "taken",
    ),
    "the speed of the line": (["baud-mismatch answer BOLUS_EXECUTE"], "taken"),
    "the end of the answer": (["truncate answer BOLUS_EXECUTE"], "taken"),
    "nothing, and the request comes twice": (["duplicate request BOLUS_EXECUTE"], "taken"),
    "nothing, and garbage and an echo come": (["insert answer BOLUS_EXECUTE", "echo request BOLUS_EXECUTE"], "taken"),
    "the answer to every try": (["drop answer BOLUS_EXECUTE count=4"], "taken"),
    "the request once": (["drop request BOLUS_EXECUTE"], "taken"),
    "the request at every try": (["drop request BOLUS_EXECUTE count=4"], "never seen"),
    "first the request, then the answer": (["drop request BOLUS_EXECUTE", "drop answer BOLUS_EXECUTE"], "taken"),
    "both at every try": (["drop request BOLUS_EXECUTE count=2", "drop answer BOLUS_EXECUTE count=2"], "taken"),
}


def test_a_bolus_is_given_once_whatever_the_line_loses(frozen_pump: ServedPump, vpump: Vpump) -> None:
    patient = Patient(frozen_pump)
    for number, (faults, end) in enumerate(LOST.values(), start=1):
        for fault in faults:
            frozen_pump.control.arm_fault(fault)
        finished = vpump(*BOLUS)
        assert frozen_pump.control.faults() == [], "all that was to go wrong went wrong"
        if end == "never seen":
            assert (finished.status, finished.document["code"]) == (3, "not_seen")
            assert patient.doses_nl() == (number - 1) * BOLUS_NL
            finished = vpump(*BOLUS)
        assert finished.status == 0, finished
        told = finished.document
        assert (told["op_id"], told["outcome"], told["continued"]) == (number, "taken", False)
        patient.wait(BOLUS_S)
        assert patient.doses_nl() == number * BOLUS_NL
        ended = vpump("op", str(number), "--json").document
        assert (ended["state"], ended["delivered_min_nl"], ended["delivered_max_nl"]) == ("done", BOLUS_NL, BOLUS_NL)
    started = [record["op_id"] for record in vpump("log", "--json").documents if record["type"] == "bolus_started"]
    assert started == list(range(1, len(LOST) + 1))


@pytest.mark.parametrize("way", ["request", "answer"])
def test_a_bolus_is_given_once_whose_line_breaks(frozen_pump: ServedPump, vpump: Vpump, way: str) -> None:
    patient = Patient(frozen_pump)
    frozen_pump.control.arm_fault(f"disconnect {way} BOLUS_EXECUTE lasting=20s")
    lost = vpump(*BOLUS)
    assert (lost.status, lost.document["code"], lost.document["op_id"]) == (6, "outcome_unknown", 1)
    assert "broke: its other end has gone" in lost.document["error"]
    assert vpump(*BOLUS).stderr.startswith("vpump: there is no port ")
    patient.wait(20)
    told = vpump(*BOLUS).document
    assert (told["op_id"], told["outcome"], told["continued"]) == (1, "taken", way == "answer")
    patient.wait(BOLUS_S)
    assert patient.doses_nl() == BOLUS_NL


@pytest.mark.parametrize("mode", ["before", "after", "torn", "garbage", "ignored", "late"])
def test_the_power_is_cut_at_any_memory_write_of_execute(
    frozen_pump: ServedPump, home: Home, mode: str, record_property: Callable[[str, object], None]
) -> None:
    patient, programmer, control = Patient(frozen_pump), Programmer(home, frozen_pump), frozen_pump.control
    found: list[OpState] = []
    for op_id in range(1, MOST_WRITES):
        doses_nl = patient.doses_nl()
        torn_bytes = op_id % 7 + 1 if mode in ("torn", "garbage") else None
        writes_before = 0

        def cut() -> None:
            nonlocal writes_before
            writes_before = patient.memory_writes
            control.cut_power(at_write=op_id, mode=mode, torn_bytes=torn_bytes)  # noqa: B023 - used in this round

        try:
            report = programmer.bolus(op_id, cut)
        except PowerLost:
            control.restore_power()
        else:
            control.clear_faults()
            assert report.outcome == Taken(OpState.EXECUTING)
            assert patient.memory_writes - writes_before == len(found), "every write had its cut"
            break
        found.append(programmer.query(op_id).state)
        assert found[-1] in (OpState.NOT_SEEN, OpState.PARTIAL)
        again = programmer.bolus(op_id)
        assert again.intention.op_id == op_id
        patient.wait(2 * BOLUS_S)

        told = programmer.query(op_id)
        given_nl = patient.doses_nl() - doses_nl
        assert told.delivered_min_nl <= given_nl <= told.delivered_max_nl
        if found[-1] == OpState.PARTIAL:
            assert (told.state, given_nl) == (OpState.PARTIAL, 0)
            assert told.delivered_max_nl - told.delivered_min_nl <= JOURNAL_INTERVAL_NL
        else:
            assert (told.state, given_nl) == (OpState.DONE, BOLUS_NL)
    assert found == sorted(found, key=[OpState.NOT_SEEN, OpState.PARTIAL].index), "the commit is one write"
    # A word that is torn near its end can be whole nevertheless: the rest of it was the same before.
    assert (OpState.PARTIAL in found) == (mode == "after") or mode == "torn"
    record_property(f"power cuts of EXECUTE, {mode}", len(found))
    print(f"{len(found)} power cuts, {mode} a memory write of EXECUTE")  # noqa: T201 - for whoever asks with -s


def test_the_power_is_cut_again_at_any_write_of_the_boot(frozen_pump: ServedPump, home: Home) -> None:
    """What a bolus has given at least and at most stays true however often the pump has to boot."""
    patient, programmer, control = Patient(frozen_pump), Programmer(home, frozen_pump), frozen_pump.control
    for op_id in range(1, MOST_WRITES):
        if op_id % BOLUSES_A_DAY == 0:
            patient.wait(DAY_S)
        doses_nl = patient.doses_nl()
        programmer.bolus(op_id)
        patient.wait(BOLUS_S // 2)
        control.cut_power()
        control.cut_power(at_write=op_id)
        control.restore_power()
        interrupted = not patient.pump_has_power
        control.clear_faults()
        control.restore_power()
        patient.wait(BOLUS_S)
        told, given_nl = programmer.query(op_id), patient.doses_nl() - doses_nl
        assert (told.state, given_nl) == (OpState.PARTIAL, BOLUS_NL // 2)
        assert told.delivered_min_nl <= given_nl <= told.delivered_max_nl
        assert told.delivered_max_nl - told.delivered_min_nl <= JOURNAL_INTERVAL_NL
        if not interrupted:
            break
    else:
        pytest.fail("the boot writes without end")
    assert op_id > 2, "the boot wrote the outcome"


def test_a_power_cut_in_the_middle_of_a_bolus_ends_it_for_good(frozen_pump: ServedPump, vpump: Vpump) -> None:
    patient = Patient(frozen_pump)
    assert vpump(*BOLUS).document["state"] == "executing"
    patient.wait(37)
    given_nl = patient.doses_nl()
    assert given_nl == 37 * BOLUS_NL // BOLUS_S // 25 * 25
    assert vpump("control", "power", "cut").status == 0
    dead = vpump("op", "1", "--timeout", "50ms")
    assert (dead.status, dead.sentence) == (3, f"{frozen_pump.url} can be opened, but no pump answers there.")
    assert vpump("control", "power", "restore").status == 0

    told = vpump("op", "1", "--json").document
    assert told["state"] == "partial"
    assert told["delivered_min_nl"] <= given_nl <= told["delivered_max_nl"]
    assert told["delivered_max_nl"] - told["delivered_min_nl"] == JOURNAL_INTERVAL_NL
    shown = vpump("op", "1").stdout
    assert f"taken, and ended early; between {told['delivered_min_nl'] / 1000:g} uL and " in shown
    patient.wait(3600)
    assert patient.doses_nl() == given_nl, "a bolus never resumes"
    assert [record["type"] for record in vpump("log", "--json").documents] == [
        "boot", "bolus_started", "boot", "bolus_ended", "alarm_raised",
    ]  # fmt: skip


def test_a_user_finds_out_what_a_power_cut_left(frozen_pump: ServedPump, vpump: Vpump) -> None:
    """The power goes within EXECUTE, and takes the answer with it."""
    patient, command = Patient(frozen_pump), (*BOLUS, "--op-id", "1")
    # Opening a session writes, and so does PREPARE. The memory has two slots for what they write, and only what differs
    # is written: each is filled before writes are counted.
    frozen_pump.control.cut_power(at_write=1_000_000)  # far away: writes are counted while one is armed
    writes = [_session_and_lease(frozen_pump) for _ in range(3)]
    frozen_pump.control.clear_faults()
    within_execute = str(writes[2] - writes[1] + 3)
    cut = vpump("control", "power", "cut", "--at-write", within_execute, "--mode", "torn", "--torn-bytes", "3")
    assert cut.stdout == f"the power will be cut at write {within_execute} from now\n"
    lost = vpump(*command)
    assert lost.status == 6, lost
    assert (lost.document["code"], lost.document["op_id"]) == ("outcome_unknown", 1)
    assert lost.stderr.splitlines() == [
        "vpump: operation 1: the pump does not answer; asking what became of it.",
        "vpump: the outcome of operation 1 (bolus single 10 uL over 1min) is unknown: the pump does not answer, and "
        "asking what became of it failed, as the pump does not answer; ask again with 'vpump op 1'.",
    ]
    assert not patient.pump_has_power
    assert vpump("control", "power", "restore").status == 0
    asked = vpump("op", "1", "--json").document
    assert (asked["state"], asked["outcome"], asked["command"]) == (
        "not_seen", "not_taken", "bolus single 10000 nl over 60 s",
    )  # fmt: skip
    assert vpump(*command).document["state"] == "executing"
    patient.wait(2 * BOLUS_S)
    assert (vpump(*command).document["state"], patient.doses_nl()) == ("done", BOLUS_NL)


def _session_and_lease(pump: ServedPump) -> int:
    """A session with a prepared bolus comes and goes; how often the pump has written to its memory then."""
    with HostLine(pump) as line:
        line.ask(PREPARE, BolusPrepareAnswer)
        return Patient(pump).memory_writes


SEVERED = {
    "request": (3, "the pump never received operation 1, so nothing has happened; run the command again."),
    "answer": (0, "operation 1: the bolus ended early, between 0 nL and 400 nL of 10 uL delivered."),
}


@pytest.mark.parametrize("lost", SEVERED)
def test_the_power_is_gone_and_back_before_the_command_asks_again(
    serve: Serve, start: Start, vpump: Vpump, lost: str
) -> None:
    """The session has died with the power: the command opens another one, and asks there what became of the bolus."""
    pump = serve("--speed", "0", "--control", "unix:control.sock", "--trace")
    pump.control.arm_fault(f"drop {lost} BOLUS_EXECUTE")
    status, told = SEVERED[lost]
    command = start("bolus", "10uL", "--over", "60s", *TRY)
    pump.wait_for_event(event="fault")
    pump.control.cut_power()
    pump.control.restore_power()
    finished = command.wait()
    assert finished.status == status, finished
    asking, *more = finished.stderr.splitlines()
    assert asking == "vpump: operation 1: the pump answered NO_SUCH_SESSION; asking what became of it."
    assert (finished.stdout.splitlines(), more) == (([], [f"vpump: {told}"]) if status else ([told], []))
    started = [record["op_id"] for record in vpump("log", "--json").documents if record["type"] == "bolus_started"]
    assert started == ([1] if lost == "answer" else [])


def test_old_revisions_and_old_op_ids_move_nothing(frozen_pump: ServedPump) -> None:
    """A host that breaks the rules, on a serial line."""
    patient = Patient(frozen_pump)
    with HostLine(frozen_pump) as line:

        def revision() -> int:
            return line.ask(OpListRequest(page=0), OpListAnswer).therapy_rev

        def execute(op_id: int, therapy_rev: int) -> BolusExecuteRequest:
            return BolusExecuteRequest(
                bolus_id=line.ask(PREPARE, BolusPrepareAnswer).bolus_id,
                volume_nl=BOLUS_NL,
                volume_complement=BOLUS_NL ^ 0xFFFF_FFFF,
                duration_s=BOLUS_S,
                op_id=op_id,
                therapy_rev=therapy_rev,
            )

        stale = revision()
        given = execute(1, stale)
        assert line.ask(given, BolusExecuteAnswer).state == OpState.EXECUTING
        patient.wait(BOLUS_S)

        unresolved = line.nak(execute(2, stale))
        assert (unresolved.code, unresolved.element, unresolved.detail) == (NakCode.UNRESOLVED, Role.CLINICIAN, 1)
        assert line.ask(OpQueryRequest(role=Role.CLINICIAN, op_id=2), OpQueryAnswer).state == OpState.NOT_SEEN

        repeated = line.ask(given, BolusExecuteAnswer)
        assert (repeated.state, repeated.flags, repeated.delivered_min_nl) == (OpState.DONE, OpFlag.REPEATED, BOLUS_NL)
        assert line.nak(execute(1, revision())).code == NakCode.OP_ID_REUSED

        for op_id in range(3, 3 + LEDGER_ENTRIES, 2):
            line.ask(StopRequest(op_id=op_id, therapy_rev=revision()), StopAnswer)
            line.ask(StartRequest(op_id=op_id + 1, therapy_rev=revision()), StartAnswer)
        for old in (1, 2):
            refused = line.nak(execute(old, revision()))
            assert (refused.code, refused.detail) == (NakCode.OP_ID_STALE, 2 + LEDGER_ENTRIES)
        assert line.nak(given).code == NakCode.OP_ID_STALE
        assert line.ask(OpQueryRequest(role=Role.CLINICIAN, op_id=1), OpQueryAnswer).state == OpState.UNKNOWN_EVICTED
        far = line.nak(execute(2 + LEDGER_ENTRIES + 1001, revision()))
        assert (far.code, far.detail) == (NakCode.RANGE, 2 + LEDGER_ENTRIES + 1000)
        patient.wait(2 * BOLUS_S)
        assert patient.doses_nl() == BOLUS_NL
