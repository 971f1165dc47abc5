"""Every route of the control plane: what it does, and what it refuses."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator.control.bodies import MAX_BODY_BYTES
from emulator.events import SCHEMA
from emulator.inputs import ArmDeviceFault, ArmFault, ClearFaults, CutPower, ReplaceKeys, RestorePower, UseSyringe
from emulator.serving import ServingStopped
from firmware_model.faults import device_fault
from firmware_model.memory import CutMode
from tests.control.fake_serving import PATIENCE_S, RESERVOIR_NL, ROOM_NL, ServedControl

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
FAULT = "drop answer BOLUS_EXECUTE nth=1 count=1"


def test_the_root_lists_the_routes(served: ServedControl) -> None:
    document = served.send("GET", "/").json
    assert document["name"] == "vpump"
    assert document["version"]
    routes = {(route["method"], route["path"]): route["fields"] for route in document["routes"]}
    assert set(routes) == {
        ("GET", "/"),
        ("GET", "/openapi.json"),
        ("GET", "/events"),
        ("POST", "/advance"),
        ("POST", "/run-until"),
        ("GET", "/faults"),
        ("POST", "/faults"),
        ("DELETE", "/faults"),
        ("GET", "/environment"),
        ("PUT", "/environment"),
        ("POST", "/syringe"),
        ("POST", "/power"),
        ("PUT", "/keys"),
        ("GET", "/captures"),
        ("POST", "/captures"),
        ("GET", "/captures/{name}"),
        ("DELETE", "/captures/{name}"),
        ("POST", "/identity"),
        ("GET", "/state"),
        ("PUT", "/state"),
        ("GET", "/truth"),
        ("POST", "/shutdown"),
    }
    assert "100 years" in routes["POST", "/advance"]["duration_us"]


def test_advance_moves_time(served: ServedControl) -> None:
    answer = served.send("POST", "/advance", {"duration_us": DAY_US})
    assert (answer.status, answer.json) == (200, {"now_us": DAY_US})
    assert answer.headers["Content-Type"] == "application/json"
    assert served.send("POST", "/advance", {"duration_us": 1}).json == {"now_us": DAY_US + 1}


def test_run_until_finds_an_event(served: ServedControl) -> None:
    match = {"type": "bolus_ended", "op_id": 7}
    document = served.send("POST", "/run-until", {"event": "log", "match": match, "limit_us": 100}).json
    assert document["reached"] is True
    assert document["now_us"] == 9
    assert document["event"] == {
        "event": "log", "number": 3, "at_us": 9, "sequence": 2, "type": "bolus_ended", "op_id": 7, "detail": {}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "match", "number"),
    [
        ("log", {}, 1),
        ("log", {"detail.bolus_id": 40}, 1),
        ("power", {"change": "cut", "write": "log.record"}, 2),
        ("log", {"detail.bolus_id": 41}, None),
        ("log", {"detail.volume_nl": 0}, None),
        ("power", {"change": "restored"}, None),
        ("frame", {"raw": "00ff"}, None),
        ("line", {"change": "broken"}, None),
        ("line", {"change": "mended"}, None),
    ],
)
def test_run_until_compares_fields(
    served: ServedControl, kind: str, match: dict[str, object], number: int | None
) -> None:
    document = served.send("POST", "/run-until", {"event": kind, "match": match, "limit_us": 100}).json
    assert (document["event"] or {"number": None})["number"] == number
    assert document["reached"] is (number is not None)


def test_run_until_ends_at_its_limit(served: ServedControl) -> None:
    document = served.send("POST", "/run-until", {"event": "log", "limit_us": 4}).json
    assert document == {"now_us": 4, "event": None, "reached": False}


@pytest.mark.parametrize(
    ("body", "field", "part_of_the_sentence"),
    [
        ({"event": "lgo", "limit_us": 1}, "event", "event 'lgo' is no kind of event; allowed are: line, session"),
        ({"event": "log", "limit_us": 1, "match": {"tpye": "x"}}, "match", "no field 'tpye'; allowed are: number"),
        ({"event": "log", "limit_us": 1, "match": {"detail": 1}}, "match", "no field 'detail"),
        ({"event": "log", "limit_us": 1, "match": {"detail.": 1}}, "match", "no field 'detail"),
        ({"event": "log", "limit_us": 1, "match": {"type.x": 1}}, "match", "no field 'type.x'"),
        ({"event": "log", "limit_us": 1, "match": {"op_id": "7"}}, "match", "match 'op_id' is '7'; allowed is a whole"),
        ({"event": "log", "limit_us": 1, "match": {"type": 7}}, "match", "match 'type' is 7; allowed is a text"),
        ({"event": "log", "limit_us": 1, "match": {"detail.steps": "x"}}, "match", "allowed is a whole number"),
        ({"event": "frame", "limit_us": 1, "match": {"raw": 7}}, "match", "allowed is bytes as lower-case hex"),
        (
            {"event": "log", "limit_us": 1, "match": {"type": "bolus"}},
            "match",
            "is 'bolus'; allowed are: boot, therapy",
        ),
        ({"event": "power", "limit_us": 1, "match": {"change": "on"}}, "match", "is 'on'; allowed are: cut, restored"),
        ({"event": "tone", "limit_us": 1, "match": {"tone": "loud"}}, "match", "is 'loud'; allowed are: dual, single"),
        ({"event": "tone", "limit_us": 1, "match": {"alarm": "stall"}}, "match", "motor_stall"),
        (
            {"event": "device-fault", "limit_us": 1, "match": {"change": "on"}},
            "match",
            "is 'on'; allowed are: began, ended",
        ),
        ({"event": "log", "limit_us": 1, "match": {"detail.step": 1}}, "match", "no field 'detail.step'; allowed are:"),
        ({"event": "log", "limit_us": 1, "match": {"type": "boot", "detail.steps": 1}}, "match", "detail.reset_reason"),
        ({"event": "log", "limit_us": 1, "match": {"op_id": 1.5}}, "match", "allowed is an object of at most 16"),
        ({"event": "log"}, "limit_us", "field 'limit_us' is missing"),
        ({"limit_us": 1}, "event", "field 'event' is missing"),
    ],
)
def test_run_until_refuses_what_could_never_happen(
    served: ServedControl, body: object, field: str, part_of_the_sentence: str
) -> None:
    answer = served.send("POST", "/run-until", body)
    assert answer.status == 400
    assert answer.json["field"] == field
    assert part_of_the_sentence in answer.json["error"]
    assert served.serving.time_us == 0


@pytest.mark.parametrize("kind", [described.kind for described in SCHEMA])
def test_run_until_knows_every_kind_of_event(served: ServedControl, kind: str) -> None:
    body = {"event": kind, "match": {"number": 1_000}, "limit_us": 1}
    assert served.send("POST", "/run-until", body).json["reached"] is False


def test_faults_are_armed_listed_and_cleared(served: ServedControl) -> None:
    assert served.send("GET", "/faults").json == {"armed": []}
    armed = served.send("POST", "/faults", {"fault": FAULT})
    listed = [{"fault": FAULT, "kind": "line"}]
    assert (armed.status, armed.json) == (200, {"fault": FAULT, "armed": listed})
    (action,) = served.serving.actions
    assert isinstance(action, ArmFault)
    assert served.send("GET", "/faults").json == {"armed": listed}
    assert served.send("DELETE", "/faults").json == {"armed": []}
    assert served.serving.actions[-1] == ClearFaults()


def test_faults_of_the_pump_stand_in_the_same_list_with_what_will_become_of_them(served: ServedControl) -> None:
    served.serving.time_us = 1_000
    served.send("POST", "/faults", {"fault": "stall for=2h"})
    served.send("POST", "/faults", {"fault": "gain-error ppm=15%"})
    answer = served.send("POST", "/faults", {"fault": "intermittent-stall after=10min"})
    assert answer.json["fault"] == "intermittent-stall after=10min for=30min every=8h count=9"
    assert served.serving.actions[0] == ArmDeviceFault(device_fault("stall", **{"for": 2 * HOUR_US}))
    served.send("POST", "/faults", {"fault": FAULT})
    until_us, from_us = 1_000 + 2 * HOUR_US, 1_000 + HOUR_US // 6
    assert served.send("GET", "/faults").json["armed"] == [
        {"fault": FAULT, "kind": "line"},
        described("stall for=2h", number=1, active=True, next_change_us=until_us, left=0),
        described("gain-error ppm=150000", number=2, active=True, next_change_us=None, left=0),
        described(answer.json["fault"], number=3, active=False, next_change_us=from_us, left=9),
    ]
    assert served.send("DELETE", "/faults").json == {"armed": []}


def described(fault: str, **standing: object) -> dict[str, object]:
    return {"fault": fault, "kind": "device", **standing}


def test_a_fault_that_strikes_at_once_is_told_and_not_armed(served: ServedControl) -> None:
    assert served.send("POST", "/faults", {"fault": " reset  count=1"}).json == {"fault": "reset", "armed": []}


@pytest.mark.parametrize(
    "fault",
    ["", "nonsense", "drop answer NO_SUCH_OPERATION", "stall for=2", "stall ever=1h", "write-cut mode=x", "x" * 1001],
)
def test_a_fault_that_is_none_is_refused(served: ServedControl, fault: str) -> None:
    answer = served.send("POST", "/faults", {"fault": fault})
    assert answer.status == 400
    assert answer.json["field"] == "fault"
    assert served.serving.actions == []


@pytest.mark.parametrize(
    ("body", "action", "answer"),
    [
        ({"withdraw_nl": "all"}, UseSyringe(None, 0), (RESERVOIR_NL, 0)),
        ({"withdraw_nl": 5}, UseSyringe(5, 0), (5, 0)),
        ({"inject_nl": 7}, UseSyringe(0, 7), (0, 7)),
        (
            {
                "withdraw_nl": "all",
                "inject_nl": ROOM_NL + 1,
                "drugs": [
                    {"name": "baclofen", "concentration_ng_per_ml": 500_000},
                    {"name": "saline 0.9", "concentration_ng_per_ml": 0},
                ],
            },
            UseSyringe(None, ROOM_NL + 1, (("baclofen", 500_000), ("saline 0.9", 0))),
            (RESERVOIR_NL, ROOM_NL),
        ),
    ],
)
def test_a_syringe(served: ServedControl, body: dict[str, object], action: UseSyringe, answer: tuple[int, int]) -> None:
    served.serving.time_us = 9
    used = served.send("POST", "/syringe", body)
    assert (used.status, used.json) == (200, {"withdrawn_nl": answer[0], "injected_nl": answer[1], "now_us": 9})
    assert served.serving.actions == [action]
    assert served.serving.observers == []


BACLOFEN = {"name": "baclofen", "concentration_ng_per_ml": 1}


@pytest.mark.parametrize(
    ("body", "field", "part_of_the_sentence"),
    [
        ({}, "withdraw_nl", "the syringe would do nothing"),
        ({"withdraw_nl": 0, "inject_nl": 0}, "withdraw_nl", "the syringe would do nothing"),
        ({"withdraw_nl": -1}, "withdraw_nl", 'allowed is a whole number from 0 to 1000000000, or "all"'),
        ({"withdraw_nl": 10**9 + 1}, "withdraw_nl", "is 1000000001"),
        ({"withdraw_nl": "everything"}, "withdraw_nl", '"everything"'),
        ({"withdraw_nl": 1.5}, "withdraw_nl", "is 1.5"),
        ({"inject_nl": "all"}, "inject_nl", "allowed is a whole number from 0 to 1000000000"),
        ({"inject_nl": 1, "drugs": {}}, "drugs", "at most 5 objects"),
        ({"inject_nl": 1, "drugs": [{"name": "baclofen"}]}, "drugs", "concentration_ng_per_ml"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"name": ""}]}, "drugs", "1 to 16 characters"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"name": "x" * 17}]}, "drugs", "1 to 16 characters"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"name": "a\n"}]}, "drugs", "printable ASCII"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"name": "\u03b1"}]}, "drugs", "printable ASCII"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"concentration_ng_per_ml": -1}]}, "drugs", "(0 to 4294967294)"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"dose": 1}]}, "drugs", "at most 5 objects"),
        ({"inject_nl": 1, "drugs": [BACLOFEN, BACLOFEN]}, "drugs", "drug 'baclofen' is there twice"),
        ({"inject_nl": 1, "drugs": [BACLOFEN | {"name": f"d{number}"} for number in range(6)]}, "drugs", "at most 5"),
        ({"withdraw_nl": "all", "drugs": [BACLOFEN]}, "drugs", "so they need inject_nl"),
        ({"volume_nl": 1}, "volume_nl", "allowed are: withdraw_nl, inject_nl, drugs"),
    ],
)
def test_a_syringe_that_cannot_be(served: ServedControl, body: object, field: str, part_of_the_sentence: str) -> None:
    answer = served.send("POST", "/syringe", body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert part_of_the_sentence in answer.json["error"]
    assert served.serving.actions == []


def test_what_the_pump_refuses_is_a_conflict(served: ServedControl) -> None:
    served.serving.refusal = ValueError("64 faults are armed, and no more can be")
    answer = served.send("POST", "/faults", {"fault": FAULT})
    assert (answer.status, answer.json) == (409, {"error": "64 faults are armed, and no more can be"})


@pytest.mark.parametrize(
    ("body", "action"),
    [
        ({"change": "cut"}, CutPower()),
        ({"change": "cut", "at_write": None}, CutPower()),
        ({"change": "cut", "at_write": 3}, CutPower(at_write=3)),
        ({"change": "cut", "at_write": 3, "mode": "after"}, CutPower(at_write=3, mode=CutMode.AFTER)),
        ({"change": "cut", "at_write": 1, "mode": "torn"}, CutPower(at_write=1, mode=CutMode.TORN, torn_bytes=4)),
        (
            {"change": "cut", "at_write": 1, "mode": "torn", "torn_bytes": 7},
            CutPower(at_write=1, mode=CutMode.TORN, torn_bytes=7),
        ),
        (
            {"change": "cut", "at_write": 1, "mode": "garbage", "torn_bytes": 4_096},
            CutPower(at_write=1, mode=CutMode.GARBAGE, torn_bytes=4_096),
        ),
        *(
            ({"change": "cut", "at_write": 2, "mode": mode.value}, CutPower(at_write=2, mode=mode, torn_bytes=4))
            for mode in CutMode
        ),
        ({"change": "restore"}, RestorePower()),
    ],
)
def test_power(served: ServedControl, body: dict[str, object], action: object) -> None:
    answer = served.send("POST", "/power", body)
    assert answer.status == 200
    assert answer.json["change"] == body["change"]
    assert served.serving.actions == [action]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "change"),
        ({"change": "off"}, "change"),
        ({"change": "restore", "at_write": 1}, "change"),
        ({"change": "cut", "at_write": 0}, "at_write"),
        ({"change": "cut", "at_write": 10**9 + 1}, "at_write"),
        ({"change": "cut", "mode": "after"}, "mode"),
        ({"change": "cut", "at_write": 1, "mode": "later"}, "mode"),
        ({"change": "cut", "at_write": 1, "mode": "torn", "torn_bytes": 0}, "torn_bytes"),
        ({"change": "cut", "at_write": 1, "mode": "garbage", "torn_bytes": 4_097}, "torn_bytes"),
        *(
            ({"change": "cut", "at_write": 1, "mode": mode, "torn_bytes": 4}, "torn_bytes")
            for mode in (None, "before", "after", "ignored", "late")
        ),
        ({"change": "cut", "when": 1}, "when"),
    ],
)
def test_power_is_refused(served: ServedControl, body: object, field: str) -> None:
    answer = served.send("POST", "/power", body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert answer.json["error"]
    assert answer.json["allowed"]
    assert served.serving.actions == []


KEYS = {"reader": "00112233445566778899aabbccddeeff", "patient": "0f" * 16, "clinician": "A5" * 16}


def test_keys_are_replaced(served: ServedControl) -> None:
    answer = served.send("PUT", "/keys", KEYS)
    assert (answer.status, answer.json["keys"]) == (200, "own")
    assert served.serving.actions == [ReplaceKeys({role: bytes.fromhex(key) for role, key in KEYS.items()})]


def test_keys_that_were_forgotten_are_not_taken_for_the_published_ones(served: ServedControl) -> None:
    answer = served.send("PUT", "/keys", raw=b" ")
    assert answer.status == 400
    assert answer.json["error"].startswith("the body is missing; allowed is an object of at most 16 names")


def test_no_keys_are_the_published_ones(served: ServedControl) -> None:
    answer = served.send("PUT", "/keys", {})
    assert (answer.status, answer.json["keys"]) == (200, "test")
    assert served.serving.actions == [ReplaceKeys({})]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reader": ""}, "reader"),
        (KEYS | {"clinician": KEYS["clinician"][:-1]}, "clinician"),
        (KEYS | {"clinician": KEYS["clinician"] + "\n"}, "clinician"),
        (KEYS | {"clinician": "g" + KEYS["clinician"][1:]}, "clinician"),
        (KEYS | {"patient": 7}, "patient"),
        (KEYS | {KEYS["reader"]: "reader"}, "…"),
    ],
)
def test_keys_are_refused_and_never_shown(served: ServedControl, body: dict[str, object], field: str) -> None:
    answer = served.send("PUT", "/keys", body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert served.serving.actions == []
    for key in KEYS.values():
        assert key[:8].encode() not in answer.raw


def test_truth(served: ServedControl) -> None:
    assert served.send("GET", "/truth").json == served.serving.truth()


def test_head_is_get_without_a_body(served: ServedControl) -> None:
    for path in ("/truth", "/events?follow=true"):
        answer = served.send("HEAD", path)
        assert (answer.status, answer.raw) == (200, b"")


def test_shutdown_comes_after_its_answer(served: ServedControl) -> None:
    answer = served.send("POST", "/shutdown")
    assert (answer.status, answer.json) == (200, {"now_us": 0})
    assert served.serving.was_shut_down.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("raw", "part_of_the_sentence"),
    [
        (b"", "field 'duration_us' is missing"),
        (b"{", "no JSON that can be read"),
        (b'{"duration_us": "\xff"}', "no JSON that can be read"),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"duration_us": 1, "duration": 2}', "field 'duration' is unknown; allowed are: duration_us"),
    ],
)
def test_a_wrong_body_is_refused(served: ServedControl, raw: bytes, part_of_the_sentence: str) -> None:
    answer = served.send("POST", "/advance", raw=raw)
    assert answer.status == 400
    assert part_of_the_sentence in answer.json["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/truth"), ("GET", "/faults"), ("DELETE", "/faults"), ("POST", "/shutdown")],
)
def test_a_field_where_none_is_known_is_refused(served: ServedControl, method: str, path: str) -> None:
    answer = served.send(method, path, {"x": 1})
    assert (answer.status, answer.json["field"]) == (400, "x")
    assert not served.serving.was_shut_down.is_set()


def test_a_body_of_the_allowed_size_is_read(served: ServedControl) -> None:
    raw = b'{"duration_us": 1}'.ljust(MAX_BODY_BYTES)
    assert served.send("POST", "/advance", raw=raw).status == 200


@pytest.mark.parametrize("path", ["/advance", "/faults", "/shutdown"])
def test_a_larger_body_is_refused(served: ServedControl, path: str) -> None:
    answer = served.send("POST", path, raw=b" " * (MAX_BODY_BYTES + 1))
    assert (answer.status, answer.json["allowed"]) == (413, "65536 bytes")
    assert not served.serving.was_shut_down.is_set()


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/advance/",
        "//advance",
        "/" + "x" * 5000,
        "/truth/x",
        "/captures/../etc/passwd",
        "/captures/%2e%2e%2fpasswd",
    ],
)
def test_an_unknown_path_is_refused(served: ServedControl, path: str) -> None:
    answer = served.send("POST", path, {"duration_us": 1})
    assert answer.status == 404
    assert "/run-until" in answer.json["allowed"]
    assert len(answer.json["error"]) < 300


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("GET", "/advance", "POST"), ("PUT", "/faults", "GET, POST, DELETE"), ("OPTIONS", "/truth", "GET"),
    ("POST", "/captures/x", "GET, DELETE"),
])  # fmt: skip
def test_another_method_is_refused(served: ServedControl, method: str, path: str, allowed: str) -> None:
    answer = served.send(method, path)
    assert (answer.status, answer.json["allowed"], answer.headers["Allow"]) == (405, allowed, allowed)


def test_a_defect_shows_the_client_no_traceback(served: ServedControl, caplog: pytest.LogCaptureFixture) -> None:
    served.serving.defect = RuntimeError("secret of the source")
    with caplog.at_level(logging.ERROR):
        answer = served.send("GET", "/truth")
    assert answer.status == 500
    assert b"secret" not in answer.raw
    assert b"Traceback" not in answer.raw
    assert "secret of the source" in caplog.text


def test_a_pump_that_has_ended_is_a_conflict(served: ServedControl) -> None:
    served.serving.defect = ServingStopped("it has ended")
    answer = served.send("GET", "/truth")
    assert (answer.status, answer.json) == (409, {"error": "the pump is shutting down"})


def test_moves_of_time_do_not_overlap(served: ServedControl) -> None:
    served.hold_moves()
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(served.send, "POST", "/advance", {"duration_us": 10}) for _ in range(3)]
        assert served.serving.move_began.wait(PATIENCE_S)
        # What moves no time does not wait for those that do.
        assert served.send("GET", "/truth").status == 200
        served.release_moves()
        assert sorted(answer.result(PATIENCE_S).json["now_us"] for answer in answers) == [10, 20, 30]
    assert served.serving.moves == ["begin", "end"] * 3


def test_a_move_goes_on_when_its_client_goes_away(served: ServedControl) -> None:
    served.hold_moves()
    body = b'{"duration_us": 10}'
    with served.connect() as leaving:
        leaving.sendall(b"POST /advance HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert served.serving.move_began.wait(PATIENCE_S)
    served.release_moves()
    assert served.send("POST", "/advance", {"duration_us": 5}).json == {"now_us": 15}


def test_a_client_that_leaves_in_the_middle_of_its_request_changes_nothing(served: ServedControl) -> None:
    with served.connect() as leaving:
        leaving.sendall(b"POST /advance HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert served.send("POST", "/advance", {"duration_us": 5}).json == {"now_us": 5}


def test_what_is_no_http_is_refused_and_changes_nothing(served: ServedControl) -> None:
    with served.connect() as babbling:
        babbling.sendall(b"\x00\x01\x02 nonsense\r\n\r\n")
        assert babbling.recv(100).startswith(b"HTTP/1.1 400 ")
    assert served.send("GET", "/truth").status == 200
