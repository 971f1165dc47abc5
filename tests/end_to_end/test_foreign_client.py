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
    line_to,
    on_wire,
    read_answer,
)
from tests.end_to_end.product import INSECURE_LINE, INTERRUPTED, Home

READY_KEYS = ["event", "serial_number", "ports", "control", "profile", "seed", "speed"]
CAPABILITIES = {1: "single_bolus", 2: "alarms", 4: "event_log", 8: "op_ledger"}
MARKS = {1: "emulator", 2: "test_keys", 4: "insecure"}


def greet(url: str) -> dict[str, object]:
    """Send the vector of the design, and read HELLO's answer by the offsets of its table."""
    line = line_to(url)
    try:
        line.send(HELLO_VECTOR)
        body = read_answer(line)
    finally:
        line.close()
    first, txn, opcode, address, session, length = struct.unpack_from("<BBHIHH", body)
    payload = body[12:]
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
        assert told["serial_number"] == pump.serial_number, f"seed {seed}"
        shown = vpump("interrogate", "--json", "-p", url).document
        assert shown["hello"] == told
        assert shown["ident"]["serial_number"] == told["serial_number"]


def test_the_ready_line_says_all_that_a_program_needs(serve_afresh: Serve, vpump: Vpump, home: Home) -> None:
    serial_number = f"{secrets.randbelow(0xFFFF_FFFE) + 1:08X}"
    pump = serve_afresh(
        *("--speed", "0.5", "--seed", "42", "--serial-number", serial_number, "--profile", "reference-40"),
        *("--listen", "pty:pump", "--listen", "tcp:127.0.0.1:0", "--control", "unix:control.sock"),
    )
    assert list(pump.ready) == READY_KEYS
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
    }
    assert greet(tcp)["serial_number"] == serial_number
    link = str(home.directory / "pump")
    assert greet(link) == greet(pty)
    assert vpump("interrogate", "--json", "-p", link).document["ident"]["profile"] == "reference-40"
    finished = pump.end()
    assert finished.stdout == f"{pump.process.stdout.lines[0]}\n"
    assert finished.stderr == f"{INSECURE_LINE}\n"
    assert not list((home.directory / "running").iterdir())
    assert not (home.directory / "pump").is_symlink()


def test_a_session_may_begin_with_garbage_and_go_on_with_reads(serve_afresh: Serve) -> None:
    pump = serve_afresh("--speed", "0", "--control", "tcp:127.0.0.1:0")
    assert list(pump.ready) == [*READY_KEYS, "control_token"]
    assert pump.control.truth()["powered"] is True
    line = line_to(pump.url)
    try:
        line.send(b"\x55\xaa" * 200 + on_wire(frame(STATUS, address=int(pump.serial_number, 16), txn=9)))
        body = read_answer(line)
    finally:
        line.close()
    assert struct.unpack_from("<BBHI", body) == (0x11, 9, STATUS | ANSWER_BIT, int(pump.serial_number, 16))
    assert (body[12], body[13]) == (OK, 0x33), "OK, and therapy runs"
    assert int.from_bytes(body[12 + 21 : 12 + 25], "little") == 20_000_000, "the reservoir is full"
    pump.end(signal.SIGINT, INTERRUPTED)
