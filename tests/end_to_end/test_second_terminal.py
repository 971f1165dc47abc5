"""A pump in one terminal, its user in a second one: what they do, and what they read about it afterwards."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from typing import Any

import pytest

from tests.end_to_end.conftest import Serve, Start, Vpump
from tests.end_to_end.foreign import ANSWER_BIT, HELLO_VECTOR, STATUS, coded, frame, on_wire
from tests.end_to_end.product import INTERRUPTED, TEST_KEYS_LINE, VPUMP, Home
from tests.end_to_end.streams import DEADLINE_S

DAY_S = 86_400
DAY_US = DAY_S * 1_000_000
ADDRESS = 0x00C0FFEE

STORY = [
    ("boot", 0),
    ("bolus_started", 1),
    ("bolus_ended", 1),
    ("therapy_stopped", 2),
    ("therapy_started", 3),
    ("bolus_started", 4),
    ("bolus_cancelled", 5),
    ("bolus_ended", 4),
    ("alarm_raised", 0),
    ("alarm_acknowledged", 0),
]


@pytest.fixture(params=["pty", "tcp:127.0.0.1:0"], ids=["pty", "tcp"])
def port(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_month_with_a_pump(serve: Serve, vpump: Vpump, port: str, form: str) -> None:
    """The same story in both forms of output: what a command did, the next ones see."""
    serve("--speed", "0", "--listen", port, "--control", "unix:control.sock")
    as_json = form == "json"

    def told(*arguments: str) -> Any:
        """What a command printed: its document, or its text."""
        finished = vpump(*arguments, *(["--json"] if as_json else []))
        assert (finished.status, finished.stderr) == (0, ""), finished
        return finished.document if as_json else finished.stdout

    def says(found: Any, text: str, **fields: object) -> None:
        """A document has the fields, or a text has the text."""
        if as_json:
            assert fields.items() <= found.items(), found
        else:
            assert text in found

    shown = told("interrogate")
    says(shown["status"] if as_json else shown, "run state          running", run_state="running", bolus_id=0)
    says(told("caps"), "bolus_volume_max_nl          1 mL", bolus_volume_max_nl=1_000_000, journal_interval_nl=400)

    says(
        told("bolus", "50uL", "--over", "10min"),
        "operation 1: a bolus of 50 uL is running.\n",
        op_id=1,
        state="executing",
    )
    says(told("op", "1"), "taken, and running; 0 nL delivered.", state="executing", delivered_max_nl=0)
    says(told("control", "advance", "5min"), "virtual time is now 5min\n", now_us=300_000_000)
    says(told("op", "1"), "taken, and running; 25 uL delivered.", delivered_min_nl=25_000, delivered_max_nl=25_000)
    says(
        told("control", "run-until", "log", "type=bolus_ended", "--within", "1h"),
        "virtual time is now 10min",
        reached=True,
        now_us=600_000_000,
    )
    says(told("op", "1"), "taken, and done; 50 uL delivered.", state="done", delivered_min_nl=50_000)

    says(told("therapy", "stop"), "operation 2: therapy is stopped.\n", op_id=2, state="done")
    stopped = told("control", "truth")
    told("control", "advance", "1d")
    still = told("control", "truth")
    if as_json:
        assert stopped["delivered_nl"] == still["delivered_nl"]
    says(told("therapy", "start"), "operation 3: therapy runs.\n", op_id=3, state="done")

    told("bolus", "100uL", "--over", "1h")
    told("control", "advance", "30min")
    says(told("therapy", "cancel"), "the bolus of operation 4 ended with 50 uL", op_id=5, operation="BOLUS_CANCEL")
    listed = told("op")
    if as_json:
        assert [(op["op_id"], op["state"]) for op in listed["ops"]] == [
            (1, "done"), (2, "done"), (3, "done"), (4, "partial"), (5, "done"),
        ]  # fmt: skip
        assert (listed["clinician_op_high"], listed["ops"][3]["delivered_min_nl"]) == (5, 50_000)
    else:
        assert [line.split()[1] for line in listed.splitlines()] == ["OP", "1", "2", "3", "4", "5"]

    assert told("alarm", "list") == ([] if as_json else "No alarms.\n")
    told("control", "advance", "30d")
    raised = told("alarm", "list")
    says(
        raised[0] if as_json else raised,
        "low reservoir",
        instance=1,
        type="low_reservoir",
        state="raised",
        last_op_id=5,
    )
    acknowledged = told("alarm", "ack", "1")
    says(acknowledged[0] if as_json else acknowledged, "alarm 1 is acknowledged.\n", instance=1, state="acknowledged")
    assert told("alarm", "ack", "--all") == ([] if as_json else "No alarm waits for it.\n")

    watched = vpump("watch", "--count", "2", "--interval", "1ms", *(["--json"] if as_json else []))
    if as_json:
        first, second = watched.documents
        assert first == second, "time stands still"
        assert (first["run_state"], first["alarms_raised"], first["alarms_unacknowledged"]) == ("running", 1, 0)
    else:
        first, second = watched.stdout.splitlines()
        assert first == second
        assert first.endswith("alarms 1 (0 new)")

    running = told("ls")
    if as_json:
        assert [(pump["serial_number"], pump["ports"][0]["spec"]) for pump in running] == [("00C0FFEE", port)]
    else:
        assert running.splitlines()[1].split()[:2] == ["00C0FFEE", "reference-20"]

    log = vpump("log", *(["--json"] if as_json else []))
    rest = vpump("log", "--since", "9", *(["--json"] if as_json else []))
    if as_json:
        days = [record["elapsed_s"] for record in log.documents if record["type"] == "delivered"]
        assert days == [day * DAY_S for day in range(1, 32)], "each day says what was given"
        told_of = [record for record in log.documents if record["type"] != "delivered"]
        assert [(record["type"], record["op_id"]) for record in told_of] == STORY
        assert [record["sequence"] for record in log.documents] == list(range(1, len(STORY) + 32))
        assert log.documents == sorted(log.documents, key=lambda record: int(record["elapsed_s"]))
        assert rest.documents == log.documents[8:]
        assert told_of[6]["data"]["target_op_id"] == 4
        assert told_of[7]["data"]["reason"] == "cancelled"
    else:
        words = [f" {name} op {op_id} " if op_id else f" {name} " for name, op_id in STORY]
        told_of = [line for line in log.stdout.splitlines() if "  delivered  " not in line]
        assert all(word in line for word, line in zip(words, told_of, strict=True)), log.stdout
        assert rest.stdout.splitlines() == log.stdout.splitlines()[8:]


def test_raw_bytes_go_out_and_what_came_back_is_explained(serve: Serve, vpump: Vpump) -> None:
    serve("--speed", "0")
    sent = vpump("send", "--wait", "100ms", "--json", HELLO_VECTOR.hex(" ")).document
    assert sent["sent"] == HELLO_VECTOR.hex()
    (answer,) = sent["frames"]
    assert (answer["name"], answer["direction"], answer["address"]) == ("HELLO", "answer", "00C0FFEE")
    assert answer["fields"] == vpump("interrogate", "--json").document["hello"]
    shown = vpump("send", "--wait", "100ms", HELLO_VECTOR.hex()).stdout.splitlines()
    assert shown[0] == f"sent      {HELLO_VECTOR.hex(' ')}"
    assert shown[1].replace(" ", "") == f"received{sent['received']}"
    assert "answer   HELLO txn=0 address=00C0FFEE  OK major=1 minor=0" in shown[2]
    decoded = vpump("decode", "--json", stdin=bytes.fromhex(sent["received"]))
    assert decoded.document == answer


GOOD = frame(STATUS, address=ADDRESS)
REJECTED = {
    "wrong CRC": coded(GOOD + b"\1\2\3\4"),
    "broken COBS coding": bytes.fromhex("00 20 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 00"),
    "another pump's address": on_wire(frame(STATUS, address=ADDRESS + 1)),
    "255 bytes without a delimiter": b"\0" + 300 * b"\xaa" + b"\0",
    "shorter than a frame": on_wire(GOOD[:8]),
    "length is not the header's": on_wire(GOOD + b"\1"),
    "flags contradict opcode, session id or direction": on_wire(frame(STATUS | ANSWER_BIT, address=ADDRESS)),
    "another major version": on_wire(frame(STATUS, address=ADDRESS, first=0x20)),
}


def test_the_trace_shows_every_frame_and_why_others_are_none(serve: Serve, vpump: Vpump) -> None:
    pump = serve("--speed", "0", "--trace")
    hello = vpump("interrogate", "--json").document["hello"]
    vpump("send", "--wait", "1ms", b"".join(REJECTED.values()).hex())
    stats = vpump("interrogate", "--json").document["link_stats"]
    events = [json.loads(line) for line in pump.end().stdout.splitlines()[1:]]

    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    rejected = [event for event in events if event["event"] == "rejected"]
    assert [event["reason"] for event in rejected] == list(REJECTED)
    assert all(raw.hex().startswith(event["raw"]) for event, raw in zip(rejected, REJECTED.values(), strict=True))
    kinds = ("crc", "cobs", "address", "oversize", "short", "length", "flags", "version")
    assert {kind: stats[f"{kind}_errors"] for kind in kinds} == dict.fromkeys(kinds, 1)

    frames = [event for event in events if event["event"] == "frame"]
    dropped = {event["raw"] for event in rejected}
    asked = [each["name"] for each in frames if each["direction"] == "request" and each["raw"] not in dropped]
    assert asked == [each["name"] for each in frames if each["direction"] == "answer"], "each has its answer"
    assert asked[:6] == ["HELLO", "OPEN", "AUTH", "IDENT", "STATUS", "CAPS"]
    assert asked[-1] == "CLOSE", "a command takes leave"
    decoded = vpump("decode", "--json", stdin=" ".join(each["raw"] for each in frames).encode()).documents
    assert [each["name"] for each in decoded] == [each["name"] for each in frames]
    assert [each["direction"] for each in decoded] == [each["direction"] for each in frames]
    assert decoded[1]["fields"] == hello


def test_the_trace_for_people_goes_to_stderr(start: Start, vpump: Vpump) -> None:
    pump = start("serve", "--speed", "0", "--trace", "--fault", "drop answer STATUS")
    pump.stdout.wait_for(lambda line: line == "Stop it with Ctrl-C.")
    welcome = list(pump.stdout.lines)
    assert welcome[0] == "Pump 00C0FFEE (reference-20, seed 0) is running."
    assert welcome[1].startswith("  port     /dev/")
    assert vpump("watch", "--count", "1", "--interval", "10ms", "--timeout", "100ms").status == 0, (
        "a retry was answered"
    )
    vpump("send", "--wait", "1ms", b"".join(REJECTED.values()).hex())

    finished = pump.interrupt()
    assert finished.status == INTERRUPTED
    assert finished.stdout.splitlines() == welcome
    told, *trace, last = finished.stderr.splitlines()
    assert (told, last) == (TEST_KEYS_LINE, "vpump: interrupted.")
    assert all(line.startswith("0d 00:00:00.000  ") for line in trace)
    wanted = [
        "fault armed: drop answer STATUS nth=1 count=1",
        "port 0  line opened",
        "port 0  ->  HELLO  txn=",
        "port 0  <-  HELLO  txn=",
        "port 0  ->  OPEN  txn=",
        "port 0  <-  OPEN  txn=",
        "port 0  ->  AUTH  txn=",
        "port 0  session opened  ",
        "port 0  <-  AUTH  txn=",
        "port 0  ->  STATUS  txn=",
        "port 0  <-  STATUS  txn=",
        "port 0  fault fired: drop answer STATUS nth=1 count=1",
        " RETRY session=",
        "port 0  <-  STATUS  txn=",
        "port 0  ->  CLOSE  txn=",
        "  (closed)",
        "port 0  <-  CLOSE  txn=",
        *(f"port 0  ->  rejected: {reason}  [" for reason in REJECTED),
    ]
    for text in wanted:
        assert any(text in line for line in trace), text
        trace = trace[next(number for number, line in enumerate(trace) if text in line) + 1 :]


def test_a_pump_is_watched_as_it_speaks(serve: Serve, start: Start) -> None:
    """Twenty seconds of the pump's pass in one: it sends an event every two, until we leave."""
    pump = serve("--session-speed", "20", "--trace")
    watched = start("watch", "--json")
    watched.stdout.wait_for_number(5)
    finished = watched.interrupt()
    assert finished.status == INTERRUPTED
    lines = finished.documents
    assert [line["stream_sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert [later["elapsed_s"] - earlier["elapsed_s"] for earlier, later in pairwise(lines)] == [2] * (len(lines) - 1)
    assert {line["missed"] for line in lines} == {0}
    pump.wait_for_event(event="frame", name="EVENT", direction="event")
    pump.wait_for_event(event="frame", name="UNSUBSCRIBE", direction="answer")
    pump.wait_for_event(event="session", change="ended", reason="closed")


def test_telemetry_and_the_log_are_followed_until_ctrl_c(serve: Serve, start: Start, vpump: Vpump) -> None:
    serve("--speed", "0", "--control", "unix:control.sock")
    watched = start("watch", "--interval", "10ms")
    watched.stdout.wait_for_number(3)
    finished = watched.interrupt()
    assert (finished.status, finished.sentence) == (INTERRUPTED, "interrupted.")
    assert set(finished.stdout.splitlines()) == {
        "0s | running | 620 uL/day | reservoir 20 mL | bolus none | alarms 0 (0 new)"
    }

    vpump("bolus", "50uL")
    followed = start("log", "--follow", "--since", "2", "--json")
    followed.stdout.wait_for(lambda line: json.loads(line)["type"] == "bolus_started")
    vpump("control", "advance", "30d")
    followed.stdout.wait_for(lambda line: json.loads(line)["type"] == "alarm_raised")
    finished = followed.interrupt()
    assert (finished.status, finished.sentence) == (INTERRUPTED, "interrupted.")
    sequences = [record["sequence"] for record in finished.documents]
    assert sequences == list(range(2, 2 + len(sequences)))
    assert [record["type"] for record in finished.documents if record["type"] != "delivered"] == [
        "bolus_started", "bolus_ended", "alarm_raised",
    ]  # fmt: skip


def test_a_log_that_is_put_back_while_it_is_followed_is_told_and_followed_from_its_first_record(
    serve: Serve, start: Start, vpump: Vpump
) -> None:
    serve("--speed", "0", "--control", "unix:control.sock")
    vpump("control", "state", "save", "early.state")
    vpump("control", "advance", "5d")
    followed = start("log", "--follow", "--json")
    followed.stdout.wait_for(lambda line: json.loads(line).get("sequence", 0) >= 5)
    vpump("control", "state", "load", "early.state")
    seen: list[object] = []

    def is_first_of_the_other(line: str) -> bool:
        seen.append(json.loads(line).get("sequence", "anew"))
        return seen[-2:] == ["anew", 1]

    followed.stdout.wait_for(is_first_of_the_other)
    documents = followed.interrupt().documents
    assert [document.get("sequence", "anew") for document in documents] == [1, 2, 3, 4, 5, 6, "anew", 1]


def test_weeks_fly_past_while_nobody_is_there_and_stand_while_a_session_is_open(serve: Serve, vpump: Vpump) -> None:
    pump = serve("--speed", "10000000", "--session-speed", "0", "--trace", "--listen", "pty:pump")
    raised = pump.wait_for_event(event="log", type="alarm_raised")
    assert raised["detail"]["reservoir_nl"] == 2_000_000
    assert raised["at_us"] > 29 * DAY_US
    first, second = vpump("watch", "--count", "2", "--interval", "1ms", "--json").documents
    assert first == second, "time stands still in a session"
    assert first["elapsed_s"] * 1_000_000 >= raised["at_us"] - 1_000_000
    assert first["alarms_raised"] >= 1
    assert first["reservoir_nl"] <= 2_000_000


@pytest.mark.parametrize("follow", [("control", "events", "--follow"), ("log", "--follow", "-p", "port")])
def test_who_follows_a_pump_on_which_nothing_happens_ends_with_its_reader(
    serve: Serve, home: Home, follow: tuple[str, ...]
) -> None:
    serve("--speed", "0", "--listen", "pty:port", "--control", "unix:control.sock")
    piped = subprocess.run(
        ("sh", "-c", '{ "$@"; echo $? >&2; } | head -n 1', "sh", *VPUMP, *follow),
        cwd=home.directory,
        env=home.environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert len(piped.stdout.splitlines()) == 1
    assert piped.stderr == "141\n"
