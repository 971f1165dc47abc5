"""The client commands against a whole pump in this process: what they print, what they leave with, what they keep."""

from __future__ import annotations

import json
from pathlib import Path

from protocol.host_end import Refused
from protocol.messages.deliver import BolusExecuteRequest
from protocol.messages.link import HelloRequest
from protocol.messages.log import LogReadRequest
from protocol.messages.op import OpListRequest
from protocol.messages.read import StatusRequest, TherapyReadRequest
from protocol.refusals import Nak, NakCode
from tests.cli.desk import HOUR_US, Desk
from tests.programmer.dying_host import LOST, PASSES


def test_interrogate_says_everything(desk: Desk) -> None:
    found = desk.document("interrogate")
    assert list(found) == ["hello", "ident", "status", "program", "time", "alarms", "ops", "log", "link_stats"]
    assert found["hello"]["serial_number"] == found["ident"]["serial_number"] == "00C0FFEE"
    assert found["hello"]["marks"] == ["emulator", "test_keys", *["insecure"] * desk.insecure]
    assert found["status"]["run_state"] == "running"
    assert found["ops"] == {"epoch": 1, "therapy_rev": 1, "clinician_op_high": 0, "patient_op_high": 0, "ops": []}
    assert (found["program"]["mode"], found["program"]["rate_nl_per_day"]) == ("simple_continuous", 620_000)
    text = desk.vpump("interrogate").stdout
    for said in (
        "00C0FFEE",
        "running",
        "620 uL/day",
        "mL",
        "op_high",
        "reference-20",
        "simple continuous",
        "none named",
    ):
        assert said in text
    assert "\n  TEST KEYS: the keys of this pump are published; it protects nobody.\n" in text
    assert ("\n  INSECURE: this pump asks nobody for a key" in text) is desk.insecure


def test_a_pump_that_has_lost_its_memory_still_tells_what_it_can(desk: Desk) -> None:
    lost = Refused(Nak(NakCode.MEMORY_FAILURE), 1)
    desk.answers[TherapyReadRequest] = [lost, lost]
    assert desk.document("interrogate")["program"] is None
    assert "lost with the pump's memory" in desk.vpump("interrogate").stdout
    desk.answers[TherapyReadRequest] = [Refused(Nak(NakCode.CONDITIONS), 1)]
    assert desk.vpump("interrogate").exit_code == 1


def test_caps(desk: Desk) -> None:
    assert desk.document("caps")["volume_quantum_nl"] == 25
    assert "bolus_volume_max_nl" in desk.vpump("caps").stdout


def test_a_bolus_from_its_beginning_to_its_end(desk: Desk) -> None:
    taken = desk.document("bolus", "50uL")
    assert (taken["outcome"], taken["state"], taken["op_id"]) == ("taken", "executing", 1)
    assert taken["answer"]["volume_nl"] == 50_000
    assert "volume_complement" not in taken["request"]
    assert "running" in desk.vpump("op", "1").stdout
    assert desk.document("op")["ops"][0]["state"] == "executing"
    refused = desk.document("bolus", "60uL", status=1)
    assert (refused["code"], refused["limit"]) == ("bolus_running", 1)
    desk.world.pause(HOUR_US)
    assert desk.document("op", "1")["delivered_max_nl"] == 50_000
    assert "BOLUS_EXECUTE" in desk.vpump("op").stdout


def test_waiting_for_the_end(desk: Desk) -> None:
    result = desk.vpump("bolus", "50uL", "--wait", "--over", "5min")
    assert result.exit_code == 0
    assert "50 uL delivered, the whole bolus" in result.stdout
    assert "of 50 uL" in result.stderr


def test_a_bolus_that_ends_early_while_somebody_waits(desk: Desk) -> None:
    desk.vpump("bolus", "50uL", "--op-id", "7")
    desk.world.pause(60_000_000)
    cancelled = desk.document("therapy", "cancel")
    assert cancelled["answer"]["target_op_id"] == 7
    assert desk.vpump("bolus", "50uL", "--op-id", "7", "--wait").exit_code == 4
    assert desk.vpump("bolus", "50uL", "--op-id", "7").exit_code == 0
    assert desk.vpump("bolus", "51uL", "--op-id", "7").exit_code == 2
    assert desk.vpump("therapy", "cancel").exit_code == 1


def test_stop_and_start(desk: Desk) -> None:
    assert desk.vpump("therapy", "start").exit_code == 1
    assert desk.vpump("therapy", "stop").stdout == "operation 1: therapy is stopped.\n"
    assert desk.document("bolus", "50uL", status=1)["code"] == "pump_stopped"
    assert desk.vpump("therapy", "start").stdout == "operation 2: therapy runs.\n"


def test_a_volume_beyond_the_limits_names_the_limit(desk: Desk) -> None:
    refused = desk.document("bolus", "5mL", status=1)
    assert (refused["code"], refused["limit"]) == ("above_maximum", 1_000_000)
    assert "1 mL" in desk.vpump("bolus", "5mL").stderr


def test_an_op_id_that_the_book_does_not_know(desk: Desk) -> None:
    desk.vpump("therapy", "stop", "--op-id", "9")
    refused = desk.document("therapy", "start", "--op-id", "5", status=1)
    assert (refused["code"], refused["limit"]) == ("op_id_reused", 10)
    assert "never taken" in desk.vpump("op", "5").stdout
    assert "not seen" in desk.vpump("op", "10").stdout
    assert desk.vpump("op", "10", "--book-unknown").exit_code == 2


def test_a_line_that_breaks_behind_execute_leaves_the_outcome_unknown_until_somebody_asks(desk: Desk) -> None:
    desk.breaks = BolusExecuteRequest
    unknown = desk.document("bolus", "50uL", status=6)
    assert (unknown["op_id"], unknown["final"]) == (1, False)
    desk.breaks = None
    again = desk.document("bolus", "50uL")
    assert (again["continued"], again["state"]) == (True, "executing")
    assert desk.world.started() == 1


def test_a_session_that_is_gone_does_not_make_an_unknown_outcome_a_refusal(insecure_desk: Desk) -> None:
    """The ledger cannot be read, for another program has the place: the earlier dose is as unknown as before."""
    desk = insecure_desk
    desk.breaks = BolusExecuteRequest
    desk.document("bolus", "50uL", status=6)
    desk.breaks = None
    desk.answers[OpListRequest] = [Refused(Nak(NakCode.NO_SUCH_SESSION), txn=0)]
    assert desk.document("bolus", "50uL", status=6)["op_id"] == 1
    assert desk.world.started() == 1


def test_asking_for_it_closes_it(desk: Desk) -> None:
    desk.breaks = BolusExecuteRequest
    assert "vpump op 1" in desk.vpump("bolus", "50uL").stderr
    desk.breaks = None
    asked = desk.document("op", "1")
    assert (asked["outcome"], asked["state"]) == ("taken", "executing")
    desk.world.pause(HOUR_US)
    assert desk.document("bolus", "50uL")["op_id"] == 2


def test_an_interrupted_command_names_its_operation(desk: Desk) -> None:
    desk.interrupts = BolusExecuteRequest
    result = desk.vpump("bolus", "50uL")
    assert result.exit_code == 130
    assert "vpump op 1" in result.stderr
    desk.interrupts = HelloRequest
    assert desk.vpump("bolus", "50uL").exit_code == 130


def test_no_answer_behind_execute_and_no_trace_of_it(desk: Desk) -> None:
    # HELLO, perhaps OPEN and AUTH, OP_LIST, CAPS, BOLUS_PREPARE: a request and an answer each
    frames_before_execute = 8 if desk.insecure else 12
    desk.world.fates = iter([*[PASSES] * frames_before_execute, *[LOST] * 4])
    result = desk.vpump("bolus", "50uL")
    assert result.exit_code == 3
    assert "nothing has happened" in result.stderr
    assert desk.world.started() == 0
    assert desk.vpump("bolus", "50uL").exit_code == 0


def test_another_program_takes_the_place(insecure_desk: Desk) -> None:
    """In INSECURE mode there is one session, and a line that is opened takes it: nothing was refused for its sake."""
    insecure_desk.answers[StatusRequest] = [Refused(Nak(NakCode.NO_SUCH_SESSION), txn=0)]
    watched = insecure_desk.vpump("watch", "--interval", "10ms", "--count", "1")
    assert watched.exit_code == 3
    assert watched.stderr.startswith("vpump: another program has opened a line to this pump and taken our session;")


def test_a_silent_pump(desk: Desk) -> None:
    desk.world.fates = iter([LOST] * 100)
    assert desk.vpump("interrogate").exit_code == 3


def test_alarms(desk: Desk) -> None:
    assert desk.vpump("alarm", "list").stdout == "No alarms.\n"
    assert desk.vpump("alarm", "ack", "--all").stdout == "No alarm waits for it.\n"
    desk.world.pause(31 * 24 * HOUR_US)
    (alarm, *_) = desk.document("alarm", "list")
    assert (alarm["type"], alarm["state"]) == ("low_reservoir", "raised")
    assert "low reservoir" in desk.vpump("alarm", "list").stdout
    undecided = desk.vpump("alarm", "ack")
    assert undecided.exit_code == 2
    assert "alarms 1, 2 wait for it; name one INSTANCE, or --all." in undecided.stderr
    assert "acknowledged" in desk.vpump("alarm", "ack", str(alarm["instance"])).stdout
    assert desk.vpump("alarm", "ack").stdout == "alarm 2 is acknowledged.\n"
    assert desk.document("alarm", "ack", "999", status=1)["code"] == "no_such_alarm"
    assert "alarms:" in desk.vpump("interrogate").stdout
    assert isinstance(desk.document("alarm", "ack", "--all"), list)


def test_the_log_shows_records_and_gaps(desk: Desk) -> None:
    desk.vpump("bolus", "50uL")
    lines = [json.loads(line) for line in desk.vpump("log", "--json").stdout.splitlines()]
    assert [line["type"] for line in lines] == ["boot", "bolus_started"]
    assert desk.vpump("log", "--since", "2").stdout.count("\n") == 1
    desk.answers[LogReadRequest] = [Refused(Nak(NakCode.RECORD_OVERWRITTEN, detail=2), 1)]
    gap, record = desk.vpump("log").stdout.splitlines()
    assert gap == "--- gap: records 1 to 1 are no longer held"
    assert "bolus_started op 1" in record


def test_a_damaged_book_stops_a_command_before_anything_is_sent(desk: Desk, tmp_path: Path) -> None:
    desk.vpump("therapy", "stop")
    (tmp_path / "state" / "00C0FFEE.book").write_bytes(b"rubbish")
    result = desk.vpump("therapy", "start")
    assert result.exit_code == 2
    assert "damaged" in result.stderr
    assert "stopped" in desk.vpump("interrogate").stdout
