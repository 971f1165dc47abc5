"""Our own programmer's session, recorded on its line and played to the pump that was started again: nobody gets in."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.foreign import Line, opened, read_answer
from tests.end_to_end.foreign_session import HEADER_SIZE, SaidNo, granted
from tests.end_to_end.product import ServedPump
from tests.end_to_end.streams import DEADLINE_S

PUMP = ("--speed", "0", "--seed", "7", "--listen", "tcp:127.0.0.1:0", "--control", "unix:control.sock", "--trace")
MINUTE_US = 60_000_000
CHALLENGE_SIZE = 8
KEY, ATTEMPTS, DELAY, NO_SUCH_SESSION = 0x35, 0x36, 0x37, 0x7F
FREE_ATTEMPTS, FIRST_DELAY_S = 5, 15


@dataclass
class Recorder:
    """Stands between a programmer and its pump; `sent` is what went to the pump."""

    url: str
    sent: bytearray = field(default_factory=bytearray)

    @property
    def requests(self) -> list[bytes]:
        """What went to the pump, frame by frame as on the wire."""
        return [b"\0" + part + b"\0" for part in bytes(self.sent).split(b"\0") if part]


@contextlib.contextmanager
def recording(pump: ServedPump) -> Iterator[Recorder]:
    """A port that leads to the pump's, for one client, with a recorder on it."""
    host, _, port = pump.url.removeprefix("socket://").rpartition(":")
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(DEADLINE_S)
        recorder = Recorder(f"socket://127.0.0.1:{listener.getsockname()[1]}")

        def carry() -> None:
            client, _ = listener.accept()
            with client, socket.create_connection((host, int(port)), DEADLINE_S) as line:
                other = {client: line, line: client}
                while ready := select.select([client, line], [], [], DEADLINE_S)[0]:
                    for each in ready:
                        data = each.recv(4096)
                        if not data:
                            return
                        if each is client:
                            recorder.sent += data
                        other[each].sendall(data)

        carrier = threading.Thread(target=carry, daemon=True)
        carrier.start()
        yield recorder
        carrier.join(DEADLINE_S)
        assert not carrier.is_alive(), "the client does not leave"


def play(line: Line, request: bytes) -> bytes | SaidNo:
    """Send recorded bytes again: the fields of the answer, or the refusal."""
    line.send(request)
    try:
        return granted(read_answer(line)[HEADER_SIZE:])
    except SaidNo as no:
        return no


def refused(answer: bytes | SaidNo) -> tuple[int, int]:
    """Code and detail of a refusal."""
    assert isinstance(answer, SaidNo)
    return answer.code, answer.detail


def answers(events: list[Any], name: str) -> list[str]:
    """What a trace says of the pump's answers of this name."""
    frames = [each for each in events if each["event"] == "frame" and each["direction"] == "answer"]
    return [each["summary"] for each in frames if each["name"] == name]


def test_a_recorded_stop_does_not_stop_the_pump_that_is_started_again(serve: Serve, vpump: Vpump) -> None:
    first = serve(*PUMP)
    with recording(first) as recorder:
        stopping = vpump("therapy", "stop", "-p", recorder.url, "--timeout", "20s")
        assert stopping.stdout == "operation 1: therapy is stopped.\n"
    first.control.advance(10 * MINUTE_US)
    assert first.control.truth()["motor_steps"] == 0, "the stop, when it was no copy, stops"
    events = first.end().documents
    asked = [each["name"] for each in events if each["event"] == "frame" and each["direction"] == "request"]
    assert asked[:3] == ["HELLO", "OPEN", "AUTH"]
    assert {"OP_LIST", "STOP", "CLOSE"} <= set(asked)
    requests = recorder.requests
    assert len(requests) == len(asked), "each of them was recorded"

    again = serve(*PUMP)
    assert (again.serial_number, again.ready["keys"]) == (first.serial_number, "test")
    hello, opening, auth, *sealed = requests
    with opened(again.url) as line:
        assert isinstance(play(line, hello), bytes)
        for attempt in range(1, FREE_ATTEMPTS + 1):
            assert isinstance(play(line, opening), bytes)
            assert refused(play(line, auth)) == ((KEY, 0) if attempt < FREE_ATTEMPTS else (ATTEMPTS, FIRST_DELAY_S))
            assert [refused(play(line, request)) for request in sealed] == [(NO_SUCH_SESSION, 0)] * len(sealed)
        assert refused(play(line, opening)) == (DELAY, FIRST_DELAY_S)

    again.control.advance(10 * MINUTE_US)
    status = vpump("interrogate", "--json").document["status"]
    assert (status["run_state"], status["therapy_rev"]) == ("running", 1), "nothing was taken"
    assert again.control.truth()["delivered_nl"] == status["base_rate_nl_per_day"] * 10 // (24 * 60) // 25 * 25 > 0
    assert vpump("op", "--json").document["ops"] == []

    told = again.end().documents
    assert answers(told, "HELLO")[0] == answers(events, "HELLO")[0], "the same pump"
    challenges = re.findall(r"device_challenge=([0-9a-f]{16})", "".join(answers(events + told, "OPEN")))
    assert len(challenges) == len(set(challenges)) >= 1 + FREE_ATTEMPTS, "no challenge comes twice"
    naks = {
        name: re.findall(r"NAK [0-9A-F]{2} [A-Z_]+", "".join(answers(told, name))) for name in ("OPEN", "AUTH", "STOP")
    }
    assert naks == {
        "OPEN": ["NAK 37 DELAY"],
        "AUTH": ["NAK 35 KEY"] * (FREE_ATTEMPTS - 1) + ["NAK 36 ATTEMPTS"],
        "STOP": ["NAK 7F NO_SUCH_SESSION"] * FREE_ATTEMPTS,
    }
    roles = [each["role"] for each in told if each["event"] == "session" and each["change"] == "opened"]
    assert roles == ["reader", "reader"], "both are our own commands"
