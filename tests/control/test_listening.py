"""Where the control plane listens, who it lets in, and what it leaves behind."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from emulator.control.operation import Operation
from emulator.control.operations import OPERATIONS
from emulator.control.spec import ControlSpecError
from tests.control.fake_serving import PATIENCE_S, ServedControl


def test_the_socket_is_private_and_removed_at_the_end(socket_path: Path) -> None:
    served = ServedControl(str(socket_path))
    try:
        assert served.handle.url == f"unix:{socket_path}"
        assert served.handle.token is None
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
        assert served.send("GET", "/truth").status == 200
    finally:
        served.stop()
    assert not socket_path.exists()


def test_stopping_twice_is_stopping_once(socket_path: Path) -> None:
    served = ServedControl(str(socket_path))
    served.call(served.handle.stop())
    served.stop()


def test_a_socket_in_use_is_refused_and_left_alone(served: ServedControl) -> None:
    with pytest.raises(ControlSpecError, match="is in use by another vpump"):
        ServedControl(served.handle.url)
    assert served.send("GET", "/truth").status == 200


def test_a_stale_socket_is_replaced(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(socket_path))
    served = ServedControl(str(socket_path))
    try:
        assert served.send("GET", "/truth").status == 200
    finally:
        served.stop()


@pytest.mark.parametrize("kind", ["file", "directory", "link to a socket", "link to nothing"])
def test_what_is_no_socket_is_never_touched(tmp_path: Path, socket_path: Path, kind: str) -> None:
    if kind == "file":
        socket_path.write_text("precious", encoding="utf-8")
    elif kind == "directory":
        socket_path.mkdir()
    else:
        target = tmp_path / "elsewhere"
        if kind == "link to a socket":
            with socket.socket(socket.AF_UNIX) as crashed:
                crashed.bind(str(target))
        socket_path.symlink_to(target)
    before = socket_path.lstat()
    with pytest.raises(ControlSpecError, match="exists and is no socket"):
        ServedControl(str(socket_path))
    assert socket_path.lstat() == before


def test_a_socket_that_is_no_longer_ours_stays(socket_path: Path) -> None:
    served = ServedControl(str(socket_path))
    socket_path.rename(socket_path.with_suffix(".moved"))
    with socket.socket(socket.AF_UNIX) as newcomer:
        newcomer.bind(str(socket_path))
        served.stop()
    assert socket_path.is_socket()


def test_a_directory_that_does_not_exist_is_named(socket_path: Path) -> None:
    with pytest.raises(ControlSpecError, match=r"pump\.sock' cannot be made: No such file or directory"):
        ServedControl(str(socket_path.parent / "missing" / "pump.sock"))


def test_a_port_in_use_is_refused(served_tcp: ServedControl) -> None:
    port = served_tcp.handle.url.rpartition(":")[2]
    with pytest.raises(ControlSpecError, match=f"control port {port} is in use"):
        ServedControl(f"tcp:127.0.0.1:{port}")


def test_the_other_loopback() -> None:
    if not socket.has_ipv6:
        pytest.skip("this system has no IPv6")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this system has no IPv6 loopback")
    served = ServedControl("tcp:[::1]:0")
    try:
        assert served.handle.url.startswith("http://[::1]:")
        assert served.send("GET", "/truth", headers={"Host": served.handle.url[7:]}).status == 200
    finally:
        served.stop()


def test_tcp_lets_in_who_knows_the_token(served_tcp: ServedControl) -> None:
    assert len(served_tcp.handle.token or "") >= 32
    assert served_tcp.send("GET", "/truth").status == 200
    token = served_tcp.handle.token
    assert served_tcp.send("GET", "/truth", headers={"Authorization": f"bearer  {token}"}).status == 200


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer x", "Basic dTpw", "Bearer \xff", ""])
@pytest.mark.parametrize("path", ["/truth", "/nowhere"])
def test_tcp_refuses_a_wrong_token(served_tcp: ServedControl, authorization: str, path: str) -> None:
    answer = served_tcp.send("GET", path, headers={"Authorization": authorization}, authorized=False)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (served_tcp.handle.token or "") not in answer.raw.decode()


def test_tcp_refuses_a_missing_token(served_tcp: ServedControl) -> None:
    answer = served_tcp.send("POST", "/shutdown", authorized=False)
    assert answer.status == 401
    assert "the Authorization header is missing" in answer.json["error"]
    assert not served_tcp.serving.was_shut_down.is_set()


def test_the_token_in_another_scheme_is_refused(served_tcp: ServedControl) -> None:
    headers = {"Authorization": f"Basic {served_tcp.handle.token}"}
    assert served_tcp.send("GET", "/truth", headers=headers).status == 401


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1", ""])
def test_a_web_page_is_refused(served: ServedControl, served_tcp: ServedControl, origin: str) -> None:
    for either in (served, served_tcp):
        answer = either.send("POST", "/shutdown", headers={"Origin": origin})
        assert answer.status == 403
        assert "Origin" in answer.json["error"]
        assert not either.serving.was_shut_down.is_set()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_operation_is_for_strangers(served_tcp: ServedControl, operation: Operation) -> None:
    """No token, a wrong one, a web page that has stolen one, and a page whose host was made this machine's."""
    path = operation.path.format(name="x")
    body = dict(operation.example) or None
    for status, headers, authorized in (
        (401, {}, False),
        (401, {"Authorization": "Bearer guess"}, False),
        (403, {"Origin": "https://example.org"}, True),
        (403, {"Host": "pump.example.org"}, True),
    ):
        answer = served_tcp.send(operation.method, path, body, headers=headers, authorized=authorized)
        assert (answer.status, "error" in answer.json) == (status, True)
    assert served_tcp.serving.actions == []
    assert not served_tcp.serving.was_shut_down.is_set()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]", "[::1]:80"])
def test_loopback_hosts_are_let_in(served_tcp: ServedControl, host: str) -> None:
    assert served_tcp.send("GET", "/truth", headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "", "[::1].example.org", "::1", "[127.0.0.1"])
def test_other_hosts_are_refused(served_tcp: ServedControl, host: str) -> None:
    answer = served_tcp.send("GET", "/truth", headers={"Host": host})
    assert (answer.status, answer.json["field"]) == (403, "Host")


def test_a_unix_socket_asks_for_no_host(served: ServedControl) -> None:
    assert served.send("GET", "/truth", headers={"Host": "pump"}).status == 200


def test_moves_that_the_end_interrupts_are_answered(socket_path: Path) -> None:
    served = ServedControl(str(socket_path))
    served.hold_moves()
    request = b'POST /advance HTTP/1.1\r\nHost: x\r\nContent-Length: 19\r\n\r\n{"duration_us": 10}'
    with served.connect() as moving, served.connect() as waiting:
        moving.sendall(request)
        assert served.serving.move_began.wait(PATIENCE_S)
        waiting.sendall(request)
        # What comes later is answered later: by then the second move waits for its turn.
        for _ in range(2):
            assert served.send("GET", "/truth").status == 200
        served.stop()
        for connection in (moving, waiting):
            assert connection.recv(1000).startswith(b"HTTP/1.1 409 ")
    assert served.serving.moves == ["begin"]
