"""A client in another language, written from docs/protocol.md alone, does all that a programmer does.

It has none of the product's code: npm's `serialport`, and AES and SHA-256 of Node's own `crypto`.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Counted
from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.product import ROOT, Home, ServedPump
from tests.interop.programs import HERE, NO_ANSWER, NodeClient, missing_node, run

RUNNING, SINGLE = 0x33, 0x33
STEP_A_SECOND_NL = 25
EXECUTING, DONE, PARTIAL = "EXECUTING", "DONE", "PARTIAL"
NOT_AUTHORISED = 0x33
ABOVE_MAXIMUM, BOLUS_RUNNING = 0xA1, 0xA9
RATE_ROUNDED, DRUGS_CHANGED = 1, 0x10
FLEX = 0x5A
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
BOOT, BOLUS_STARTED, BOLUS_ENDED, ALARM_RAISED = 0x0001, 0x0103, 0x0104, 0x0201
BOLUS_FIELD, BOLUS_FLAG, ALL_FLAGS = 0x20, 0x004, 0x3FF

_MISSING = missing_node()
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING))


@pytest.fixture
def pump(serve: Serve) -> ServedPump:
    """A pump whose time moves only when it is moved."""
    return serve("--speed", "0", "--control", "unix:control.sock")


@pytest.fixture
def client(pump: ServedPump, tmp_path: Path) -> NodeClient:
    """The foreign client at its port."""
    return NodeClient(pump.url, tmp_path)


def program_file(directory: Path, **parts: Any) -> str:
    """A program in the words of the client, within the limits of a new pump."""
    program = {
        "infusion": {"mode": "simple_continuous", "rate_nl_per_day": 500_000},
        "limits": {"rate_max_nl_per_day": 2_000_000, "bolus_volume_max_nl": 200_000, "window_max_nl": 5_000_000},
        "alarms": {"low_reservoir_nl": 2_000_000},
    }
    (directory / "program.json").write_text(json.dumps(program | parts))
    return "program.json"


def test_it_greets_a_pump_and_reads_what_everybody_may(serve: Serve, vpump: Vpump, tmp_path: Path) -> None:
    pump = serve("--speed", "0", "--seed", "3", "--serial-number", "0BADF00D")
    told = NodeClient(pump.url, tmp_path)("hello")
    known = vpump("interrogate", "--json").document["hello"]
    assert told["status"] == {"run_state": RUNNING, "alarm_present": 0}
    assert told["hello"]["serial_number"] == 0x0BADF00D
    assert {name: told["hello"][name] for name in ("model", "firmware_hash", "max_payload")} == {
        name: known[name] for name in ("model", "firmware_hash", "max_payload")
    }


def test_each_role_reads_the_whole_status_in_a_session(client: NodeClient) -> None:
    for role in ("reader", "patient", "clinician"):
        told = client("--role", role, "status")
        assert told["session"] == {"silence_s": 180, "failed_attempts": 0}
        assert (told["run_state"], told["reservoir_nl"]) == (RUNNING, 20_000_000)
    assert client.refusal("--role", "reader", "bolus", "50000", "300")["code"] == NOT_AUTHORISED


def test_it_has_the_pumps_own_keys_or_gets_nowhere(serve: Serve, vpump: Vpump, home: Home, tmp_path: Path) -> None:
    vpump("keys", "new", "pump.keys", "00C0FFEE")
    pump = serve("--speed", "0", "--keys", "pump.keys")
    client = NodeClient(pump.url, tmp_path)
    key = home.keys_in("pump.keys")["clinician"]
    assert client("--key", key.hex(), "status")["run_state"] == RUNNING
    for arguments, sentence in (
        (("status",), "this pump has keys of its own"),
        (("--key", bytes(16).hex(), "status"), "the pump has another key"),
    ):
        said = client.run(*arguments)
        assert (said.status, json.loads(said.stdout)) == (NO_ANSWER, {"failed": sentence})


def test_it_commits_a_weekly_schedule_as_one_transaction(client: NodeClient, vpump: Vpump, tmp_path: Path) -> None:
    """A schedule of 546 bytes goes in three parts; the rate that is no whole quantum is rounded down, and said so."""
    day = [{"start_min": 60 * hour, "rate_nl_per_day": 400_000 + 10_000 * hour} for hour in range(0, 24, 2)]
    odd_day = [*day, {"start_min": 1439, "rate_nl_per_day": 700_999}]
    name = program_file(
        tmp_path,
        drugs=[{"name": "baclofen", "concentration_ng_per_ml": 500_000, "stability_days": 90}],
        infusion={"mode": "flex", "rate_nl_per_day": 450_000},
        schedule={"every_day": day, "sunday": odd_day},
        patient={
            "volume_nl": 25_000,
            "duration_s": 300,
            "lockout_s": 7200,
            "window_s": 86_400,
            "activations_max": 4,
        },
        catheter={"catheter_nl": 150_000},
    )
    told = client("program", name)
    assert told["summary"]["warnings"] == RATE_ROUNDED | DRUGS_CHANGED
    assert (told["summary"]["mode"], told["summary"]["image_size"]) == (FLEX, 715)
    assert told["summary"]["boluses_per_day_max"] == 4
    assert (told["op"]["op_id"], told["op"]["state"]) == (1, DONE)
    staged = told["image"]["schedule"]
    assert [len([change for change in staged[day] if change["start_min"] != 0xFFFF]) for day in WEEKDAYS] == [
        *([12] * 6),
        13,
    ]
    assert staged["sunday"][12] == {"start_min": 1439, "rate_nl_per_day": 700_000}
    active = tomllib.loads(vpump("program", "--show").stdout)
    assert active["infusion"]["mode"] == "flex"
    assert f"Program {told['summary']['crc32']:08X}" in vpump("program", "--show").stdout


def test_a_program_that_the_pump_refuses_changes_nothing(client: NodeClient, tmp_path: Path) -> None:
    before = client("status")
    limits = {"rate_max_nl_per_day": 2_000_000, "bolus_volume_max_nl": 2_000_000, "window_max_nl": 5_000_000}
    refused = client.refusal("program", program_file(tmp_path, limits=limits))
    assert refused == {"code": ABOVE_MAXIMUM, "field": 1, "element": 3, "detail": 1_000_000}
    assert client("status") == before


def test_it_gives_a_bolus_and_reads_the_outcome(client: NodeClient, pump: ServedPump) -> None:
    told = client("bolus", "50010", "300")
    assert (told["prepared"]["volume_nl"], told["prepared"]["steps"]) == (50_000, 2000), "whole motor steps, no more"
    assert told["op"]["state"] == EXECUTING
    pump.control.advance(5 * MINUTE_US)
    (op,) = client("ops")["intentions"]
    assert op["outcome"] == {"state": DONE, "delivered_min_nl": 50_000, "delivered_max_nl": 50_000}
    assert pump.control.truth()["delivered_nl"] == 50_000 + 620_000 * 5 // 1440 // STEP_A_SECOND_NL * STEP_A_SECOND_NL


def test_a_lost_answer_is_asked_for_again_on_the_line(client: NodeClient, pump: ServedPump) -> None:
    pump.control.arm_fault("drop answer BOLUS_EXECUTE")
    told = client("bolus", "50000", "300")
    assert told["op"]["answer"]["flags"] == 0, "the stored answer, not one from the ledger"
    assert client("ops")["list"]["clinician_op_high"] == 1


def test_a_bolus_whose_every_answer_is_lost_is_found_by_its_op_id(client: NodeClient, pump: ServedPump) -> None:
    pump.control.arm_fault("drop answer BOLUS_EXECUTE count=4")
    told = client("bolus", "50000", "300")
    assert told["op"] == {"op_id": 1, "state": EXECUTING, "delivered_min_nl": 0, "delivered_max_nl": 0}


def test_a_bolus_that_never_arrived_is_known_as_not_taken(client: NodeClient, pump: ServedPump) -> None:
    pump.control.arm_fault("drop request BOLUS_EXECUTE count=4")
    assert client("bolus", "50000", "300")["op"]["state"] == "NOT_SEEN", "not arrived so far"
    # A session of this role ends the one in which it was sent, and with it all its copies.
    told = client("bolus", "50000", "300")
    assert (told["op"]["op_id"], told["op"]["state"]) == (1, EXECUTING)
    first, second = client("ops")["intentions"]
    assert (first["outcome"], second["outcome"]["state"]) == ({"state": "NOT_TAKEN"}, EXECUTING)


def test_a_client_that_is_killed_before_the_answer_finds_out_when_it_is_back(serve: Serve, tmp_path: Path) -> None:
    pump = serve("--speed", "0", "--control", "unix:control.sock", "--trace")
    client = NodeClient(pump.url, tmp_path)
    pump.control.arm_fault("drop answer BOLUS_EXECUTE count=4")
    with client.started("bolus", "50000", "300") as giving:
        pump.wait_for_event(event="log", type="bolus_started")
        giving.kill()
    assert client.refusal("bolus", "50000", "300")["code"] == BOLUS_RUNNING
    told = client("ops")
    assert [op["outcome"]["state"] for op in told["intentions"]] == [EXECUTING]
    assert told["list"]["clinician_op_high"] == 1


def test_the_lost_answer_of_scenario_k(client: NodeClient, pump: ServedPump) -> None:
    """All answers are lost and the line breaks; the bolus runs on until the rotor stalls. What was given is known."""
    pump.control.arm_fault("drop answer BOLUS_EXECUTE count=4")
    pump.control.arm_fault("drop answer OP_QUERY count=4")
    said = client.run("bolus", "50000", "86400")
    assert (said.status, json.loads(said.stdout)) == (NO_ANSWER, {"failed": "OP_QUERY was not answered"})
    pump.control.advance(DAY_US * 6 // 10)
    pump.control.arm_fault("stall")
    pump.control.advance(DAY_US)
    told = client("ops")
    (intention,) = told["intentions"]
    (entry,) = told["list"]["ops"]
    assert intention["outcome"]["state"] == PARTIAL
    assert intention["outcome"]["delivered_max_nl"] == entry["delivered_max_nl"] >= 30_000
    assert entry["delivered_max_nl"] < 50_000
    types = [record["type"] for record in client("log", "2")["records"]]
    assert [kind for kind in types if kind in {BOLUS_STARTED, ALARM_RAISED, BOLUS_ENDED}] == [
        BOLUS_STARTED,
        ALARM_RAISED,
        BOLUS_ENDED,
    ]


def test_it_waits_for_a_self_test_that_takes_its_time(serve: Serve, tmp_path: Path) -> None:
    """The pump says PENDING in time, and answers when it is done; at a speed at which that is soon."""
    pump = serve("--speed", "4", "--trace")
    with NodeClient(pump.url, tmp_path).started("selftest") as testing:
        pending = pump.wait_for_event(event="frame", name="SELFTEST", direction="answer")
        assert "NAK 78 PENDING" in pending["summary"]
        finished = testing.wait()
    assert (finished.status, json.loads(finished.stdout)["failed"]) == (0, 0)


def test_it_reads_the_whole_log_by_pages(client: NodeClient, pump: ServedPump, vpump: Vpump) -> None:
    for _ in range(3):
        client("bolus", "2500", "60")
        pump.control.advance(2 * MINUTE_US)
    told = client("log")
    assert (told["gaps"], told["last"]) == ([], len(told["records"]))
    assert [record["sequence"] for record in told["records"]] == list(range(1, told["last"] + 1))
    assert all(record["good"] for record in told["records"])
    known = [json.loads(line) for line in vpump("log", "--json").stdout.splitlines()]
    same = ("sequence", "epoch", "boot", "elapsed_s", "rtc_unix_s", "op_id")
    assert [{name: record[name] for name in same} for record in told["records"]] == [
        {name: record[name] for name in same} for record in known
    ]
    assert client("log", str(told["last"] + 1))["records"] == []


def test_a_reader_watches_a_bolus_that_a_clinician_gives(serve: Serve, tmp_path: Path) -> None:
    """Events are hints, the log is the truth: each flag is looked up there, and reset up to what was read."""
    pump = serve("--speed", "0", "--control", "unix:control.sock", "--listen", "pty", "--listen", "pty")
    reader, clinician = (NodeClient(url, tmp_path) for url in pump.urls)
    watch = ("--role", "reader", "--book", "reader.json", "watch", str(BOLUS_FIELD), "60", "7")
    with reader.started(*watch) as watching:
        told = watching.stdout
        number = 0

        def say_next() -> Any:
            nonlocal number
            number += 1
            return json.loads(told.wait_for_number(number))

        first = say_next()["event"]
        assert (first["stream_sequence"], first["bolus_id"], first["changed"]) == (1, 0, ALL_FLAGS), (
            "a boot sets them all"
        )
        assert say_next() == {"records": [{"sequence": 1, "type": BOOT}], "still_set": 0}

        clinician("bolus", "50000", "300")
        begun = say_next()["event"]
        assert (begun["stream_sequence"], begun["changed"], begun["bolus_volume_nl"]) == (2, BOLUS_FLAG, 50_000)
        assert say_next() == {"records": [{"sequence": 2, "type": BOLUS_STARTED}], "still_set": 0}
        for minute in range(1, 5):
            pump.control.advance(MINUTE_US)
            event = say_next()["event"]
            assert (event["stream_sequence"], event["changed"]) == (2 + minute, 0)
            assert (event["bolus_delivered_nl"], event["bolus_remaining_s"]) == (10_000 * minute, 300 - 60 * minute)
        pump.control.advance(MINUTE_US)
        over = say_next()["event"]
        assert (over["stream_sequence"], over["changed"], over["bolus_id"]) == (7, BOLUS_FLAG, 0)
        assert say_next() == {"records": [{"sequence": 3, "type": BOLUS_ENDED}], "still_set": 0}
        finished = watching.wait()
        assert (finished.status, finished.stderr) == (0, "")
        last = json.loads(finished.stdout.splitlines()[-1])
        assert (last["seen"], last["missed"], last["next_sequence"]) == (7, 0, 8)


def test_it_finds_every_example_of_the_page_right_by_its_own_arithmetic(tmp_path: Path, counted: Counted) -> None:
    """Check vectors, the example of every message, and the worked sessions with all that is derived in them."""
    checked = run(
        ("node", str(HERE / "node" / "check_page.mjs"), str(ROOT / "docs" / "protocol.md")), tmp_path
    ).document
    assert set(checked) == {"vectors", "keys", "examples", "frames", "sealed", "derived"}
    assert min(checked.values()) > 0
    counted(
        "frames of docs/protocol.md that a foreign client has opened",
        checked["vectors"] + checked["examples"] + checked["frames"],
    )
