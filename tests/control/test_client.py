"""The client of the control plane: what it asks, and how it fails."""

from __future__ import annotations

import ast
import socket
import sys
import threading
from pathlib import Path

import pytest

from emulator.control import client as client_module
from emulator.control.client import ControlClient, ControlError, ControlUnreachable
from emulator.control.spec import ControlSpecError
from emulator.inputs import ClearFaults, CutPower, RestorePower, UseSyringe
from firmware_model.memory import CutMode
from tests.control.fake_serving import PATIENCE_S, ServedControl

FAULT = "drop answer BOLUS_EXECUTE nth=1 count=1"


def client_of(served: ServedControl) -> ControlClient:
    return ControlClient(served.handle.url, served.handle.token, timeout_s=PATIENCE_S)


@pytest.mark.parametrize("kind", ["served", "served_tcp"])
def test_every_method(kind: str, request: pytest.FixtureRequest) -> None:
    served: ServedControl = request.getfixturevalue(kind)
    pump = client_of(served)
    assert pump.describe()["name"] == "vpump"
    assert pump.run_until("power", limit_us=100, match={"change": "cut"})["now_us"] == 8
    assert pump.run_until("power", limit_us=100, match={"change": "restored"})["reached"] is False
    assert pump.advance(1000) == 1108
    assert pump.faults() == []
    armed = [{"fault": FAULT, "kind": "line"}]
    assert pump.arm_fault(FAULT) == {"fault": FAULT, "armed": armed}
    assert pump.faults() == armed
    assert pump.clear_faults() == []
    drugs = {"baclofen": 500_000}
    assert pump.use_syringe(withdraw_nl="all", inject_nl=7, drugs=drugs)["injected_nl"] == 7
    assert pump.use_syringe(withdraw_nl=5)["withdrawn_nl"] == 5
    pump.cut_power()
    pump.cut_power(at_write=2, mode="torn", torn_bytes=5)
    pump.restore_power()
    assert pump.truth() == served.serving.truth()
    assert served.serving.actions[1:] == [
        ClearFaults(),
        UseSyringe(None, 7, (("baclofen", 500_000),)),
        UseSyringe(5, 0, ()),
        CutPower(),
        CutPower(at_write=2, mode=CutMode.TORN, torn_bytes=5),
        RestorePower(),
    ]
    pump.shutdown()
    assert served.serving.was_shut_down.wait(PATIENCE_S)


def test_a_refusal_has_its_sentence_status_field_and_bounds(served: ServedControl) -> None:
    with pytest.raises(ControlError) as caught:
        client_of(served).advance(0)
    assert caught.value.status == 400
    assert caught.value.field == "duration_us"
    assert "100 years" in (caught.value.allowed or "")
    assert str(caught.value) == caught.value.sentence


def test_a_wrong_token_is_refused(served_tcp: ServedControl) -> None:
    for token in (None, "x"):
        with pytest.raises(ControlError) as caught:
            ControlClient(served_tcp.handle.url, token).truth()
        assert caught.value.status == 401


@pytest.mark.parametrize("token", ["secret\n", "a\rsecret", "secret→"])
def test_what_can_be_no_token_is_refused_and_not_shown(socket_path: Path, token: str) -> None:
    with pytest.raises(ControlSpecError, match="the token has characters that none has") as caught:
        ControlClient(f"unix:{socket_path}", token)
    assert "secret" not in str(caught.value)


def test_a_body_that_is_too_large_is_refused(served: ServedControl) -> None:
    with pytest.raises(ControlError) as caught:
        client_of(served).arm_fault("x" * 70_000)
    assert caught.value.status == 413


def test_nobody_there(socket_path: Path) -> None:
    with pytest.raises(ControlUnreachable, match=r"nobody answers at unix:.*No such file") as caught:
        ControlClient(f"unix:{socket_path}").truth()
    assert not caught.value.maybe_done
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(ControlUnreachable, match=r"nobody answers at http:.*refused"):
            ControlClient(f"http://127.0.0.1:{unheard.getsockname()[1]}").truth()


def answer_once(socket_path: Path, answer: bytes) -> threading.Thread:
    """Listen, take one request, say something, and hang up."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(socket_path))
    listening.listen()
    listening.settimeout(PATIENCE_S)

    def serve() -> None:
        with listening, listening.accept()[0] as accepted:
            accepted.recv(65536)
            accepted.sendall(answer)
            accepted.shutdown(socket.SHUT_WR)
            # Who hangs up with bytes unread resets the connection, and the answer may be lost with it.
            while accepted.recv(65536):
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_lost_answer_may_have_had_its_effect(socket_path: Path) -> None:
    for ask, maybe_done in ((ControlClient.restore_power, True), (ControlClient.truth, False)):
        thread = answer_once(socket_path, b"")
        with pytest.raises(ControlUnreachable, match="took the request and gave no answer") as caught:
            ask(ControlClient(f"unix:{socket_path}"))
        thread.join(PATIENCE_S)
        socket_path.unlink()
        assert caught.value.maybe_done is maybe_done
        assert ("may have had its effect" in caught.value.sentence) is maybe_done


def test_an_answer_that_does_not_come_is_not_waited_for(served: ServedControl) -> None:
    served.hold_moves()
    with pytest.raises(ControlUnreachable, match="it takes too long") as caught:
        ControlClient(served.handle.url, timeout_s=0.01).advance(5)
    assert caught.value.maybe_done
    assert served.serving.move_began.wait(PATIENCE_S)
    served.release_moves()
    assert client_of(served).advance(5) == 10


@pytest.mark.parametrize(
    ("answer", "part_of_the_sentence"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "not as a vpump: 'hello'"),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", "not as a vpump"),
        (b"HTTP/1.1 503 Busy\r\n\r\nService Unavailable", "status 503 and not as a vpump: 'Service Unavailable'"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "no whole number 'now_us'"),
        (b"HTTP/1.1 400 Bad\r\n\r\n{}", "status 400 and no reason"),
    ],
)
def test_who_is_no_vpump_is_named_so(socket_path: Path, answer: bytes, part_of_the_sentence: str) -> None:
    thread = answer_once(socket_path, answer)
    with pytest.raises(ControlError) as caught:
        ControlClient(f"unix:{socket_path}").advance(1)
    thread.join(PATIENCE_S)
    assert part_of_the_sentence in caught.value.sentence


@pytest.mark.parametrize("answer", [b"{}", b'{"armed": {}}', b'{"armed": ["drop answer any"]}'])
def test_an_answer_without_its_list_is_no_vpumps(socket_path: Path, answer: bytes) -> None:
    thread = answer_once(socket_path, b"HTTP/1.1 200 OK\r\n\r\n" + answer)
    with pytest.raises(ControlError, match="no list 'armed'"):
        ControlClient(f"unix:{socket_path}").faults()
    thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    "url", ["", "pump", "https://127.0.0.1:1", "http://example.org:1", "http://127.0.0.1", "ftp://x/y"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ControlSpecError):
        ControlClient(url)


@pytest.mark.parametrize("url", ["http://localhost:1/", "tcp:127.0.0.1:1", "unix:/x", "/x", "./x"])
def test_what_serve_takes_is_an_address_too(url: str) -> None:
    ControlClient(url)


def test_the_client_imports_the_standard_library_alone() -> None:
    imported = set()
    for path in (Path(client_module.__file__), Path(client_module.__file__).with_name("spec.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names == {"emulator"}
