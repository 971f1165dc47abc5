"""Any program that can open a serial port talks to the pump, with nothing but docs/protocol.md."""

from __future__ import annotations

import secrets
import signal
import struct

import pytest

from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.foreign import (
    ANSWER_BIT,
    HELLO,
    HELLO_VECTOR,
    OK,
    RESP_FLAG,
    STATUS,
    frame,
    on_wire,
    opened,
    read_answer,
)
from tests.end_to_end.foreign_session import (
    CLINICIAN,
    CLOSE,
    HEADER_SIZE,
    OP_LIST,
    PATIENT,
    READER,
    SaidNo,
    challenge_pump,
    give_bolus,
    granted,
)
from tests.end_to_end.product import INSECURE_LINE, INTERRUPTED, TEST_KEYS_LINE, Home

READY_KEYS = ["event", "serial_number", "ports", "control", "profile", "seed", "speed"]
MORE_READY_KEYS = ["keys", "insecure", "protocol", "state", "journal", "capture", "artefacts"]
CAPABILITIES = {
    1: "single_bolus",
    2: "alarms",
    4: "event_log",
    8: "op_ledger",
    16: "sessions",
    32: "programs",
    64: "schedules",
    128: "patient_bolus",
    256: "dead_volume_boluses",
    512: "refill",
    1024: "clock",
    2048: "selftest",
    4096: "stream",
}
MARKS = {1: "emulator", 2: "test_keys", 4: "insecure"}
RUNNING = 0x33
AUTH_REQUIRED, ROLE, NO_SUCH_SESSION = 0x34, 0x33, 0x7F


def greet(url: str) -> dict[str, object]:
    """Send the vector of the design, and read HELLO's answer by the offsets of its table."""
    with opened(url) as line:
        line.send(HELLO_VECTOR)
        body = read_answer(line)
    first, txn, opcode, address, session, length = struct.unpack_from("<BBHIHH", body)
    payload = body[HEADER_SIZE:]
    assert (first, txn, opcode, session) == (0x10 | RESP_FLAG, 0, HELLO | ANSWER_BIT, 0)
    assert length == len(payload)
    assert payload[0] == OK
    assert address == int.from_bytes(payload[27:31], "little")
    return {
        "major": payload[1],
        "minor": payload[2],
        "capabilities": names(int.from_bytes(payload[3:11], "little"), CAPABILITIES),
        "model": payload[11:27].rstrip(b"\0").decode("ascii"),
        "serial_number": f"{address:08X}",
        "firmware_hash": payload[31:39].hex(),
        "max_payload": int.from_bytes(payload[39:41], "little"),
        "marks": names(payload[41], MARKS),
    }


def names(bits: int, known: dict[int, str]) -> list[str]:
    assert not bits & ~sum(known)
    return [name for bit, name in known.items() if bits & bit]


@pytest.fixture
def seed() -> int:
    return secrets.randbits(64)


def test_a_foreign_client_greets_a_pump_of_any_serial_number(serve_afresh: Serve, vpump: Vpump, seed: int) -> None:
    pump = serve_afresh("--speed", "0", "--seed", str(seed), "--listen", "pty", "--listen", "tcp:127.0.0.1:0")
    for url in pump.urls:
        told = greet(url)
        assert (told["serial_number"], told["marks"]) == (pump.serial_number, ["emulator", "test_keys"]), f"seed {seed}"
        shown = vpump("interrogate", "--json", "-p", url).document
        assert shown["hello"] == told
        assert shown["ident"]["serial_number"] == told["serial_number"]


def test_the_ready_line_says_all_that_a_program_needs(serve_afresh: Serve, vpump: Vpump, home: Home) -> None:
    serial_number = f"{secrets.randbelow(0xFFFF_FFFE) + 1:08X}"
    pump = serve_afresh(
        *("--speed", "0.5", "--seed", "42", "--serial-number", serial_number, "--profile", "reference-40"),
        *("--listen", "pty:pump", "--listen", "tcp:127.0.0.1:0", "--control", "unix:control.sock"),
    )
    assert list(pump.ready) == [*READY_KEYS, *MORE_READY_KEYS]
    pty, tcp = pump.urls
    assert pty.startswith("/dev/")
    assert tcp.startswith("socket://127.0.0.1:")
    assert pump.ready == {
        "event": "ready",
        "serial_number": serial_number,
        "ports": [{"spec": "pty:pump", "url": pty}, {"spec": "tcp:127.0.0.1:0", "url": tcp}],
        "control": pump.control.url,
        "profile": "reference-40",
        "seed": 42,
        "speed": 0.5,
        "keys": "test",
        "insecure": False,
        "protocol": "vpump",
        "state": None,
        "journal": None,
        "capture": None,
        "artefacts": None,
    }
    assert greet(tcp)["serial_number"] == serial_number
    link = str(home.directory / "pump")
    assert greet(link) == greet(pty)
    assert vpump("interrogate", "--json", "-p", link).document["ident"]["profile"] == "reference-40"
    finished = pump.end()
    assert finished.stdout == f"{pump.process.stdout.lines[0]}\n"
    assert finished.stderr == f"{TEST_KEYS_LINE}\n"
    assert not list((home.directory / "running").iterdir())
    assert not (home.directory / "pump").is_symlink()


@pytest.mark.parametrize("port", ["pty", "tcp:127.0.0.1:0"], ids=["pty", "tcp"])
def test_a_foreign_client_opens_a_session_and_gives_a_bolus(serve_afresh: Serve, vpump: Vpump, port: str) -> None:
    pump = serve_afresh("--speed", "0", "--listen", port, "--control", "unix:control.sock")
    with opened(pump.url) as line:
        line.send(on_wire(frame(OP_LIST, b"\0", address=pump.address)))
        with pytest.raises(SaidNo) as refused:
            granted(read_answer(line)[HEADER_SIZE:])
        assert refused.value.code == AUTH_REQUIRED

        session = challenge_pump(line, role=CLINICIAN).authenticate()
        status = session.ask(STATUS)
        assert (status[0], int.from_bytes(status[20:24], "little")) == (RUNNING, 20_000_000)
        give_bolus(session, 50_000, 600, op_id=1)
        session.ask(CLOSE)
        with pytest.raises(SaidNo) as refused:
            session.ask(STATUS)
        assert refused.value.code == NO_SUCH_SESSION
    pump.control.advance(600_000_000)
    told = vpump("op", "1", "--json").document
    assert (told["state"], told["delivered_min_nl"], told["delivered_max_nl"]) == ("done", 50_000, 50_000)


def test_each_role_has_a_key_and_what_it_may_do(serve_afresh: Serve) -> None:
    pump = serve_afresh("--speed", "0", "--control", "unix:control.sock")
    for role in (READER, PATIENT):
        with opened(pump.url) as line:
            session = challenge_pump(line, role=role).authenticate()
            assert session.ask(STATUS)[0] == RUNNING
            with pytest.raises(SaidNo) as refused:
                give_bolus(session, 50_000, 600, op_id=1)
            assert refused.value.code == ROLE
    with opened(pump.url) as line, pytest.raises(AssertionError, match="the pump has another key"):
        challenge_pump(line, bytes(16), role=CLINICIAN)


def test_the_first_steps_of_a_client_need_no_key_on_an_insecure_pump(serve_afresh: Serve) -> None:
    """It may begin with garbage, and goes on with reads in the clear."""
    pump = serve_afresh("--speed", "0", "--control", "tcp:127.0.0.1:0", "--insecure")
    assert list(pump.ready) == [*READY_KEYS, "control_token", *MORE_READY_KEYS]
    assert pump.ready["insecure"] is True
    assert pump.control.truth()["powered"] is True
    assert greet(pump.url)["marks"] == ["emulator", "test_keys", "insecure"]
    with opened(pump.url) as line:
        line.send(b"\x55\xaa" * 200 + on_wire(frame(STATUS, address=pump.address, txn=9)))
        body = read_answer(line)
    assert struct.unpack_from("<BBHI", body) == (0x11, 9, STATUS | ANSWER_BIT, pump.address)
    status = granted(body[HEADER_SIZE:])
    assert status[0] == RUNNING
    assert int.from_bytes(status[20:24], "little") == 20_000_000, "the reservoir is full"
    assert pump.end(signal.SIGINT, INTERRUPTED).stderr.startswith(INSECURE_LINE)
