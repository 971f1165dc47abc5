"""The sessions in docs/protocol.md are ones that a stranger can check: by a real pump, and by arithmetic of his own."""

from __future__ import annotations

import zlib
from hashlib import sha256

import pytest
from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from emulator.assembly import build_device
from emulator.device import Device
from emulator.faults.arming import arming
from emulator.inputs import LineChange
from tests.protocol.naive_cmac import naive_cmac
from tests.repository.worked_text import WORKED, ToldSession, told_sessions

SERIAL_NUMBER = 0x00C0FFEE
HOST_ID = 0x00C11111
SEALED = 0x08
DAY_US = 86_400_000_000
SESSIONS = {f"{part} {number}": told for part in WORKED for number, told in enumerate(told_sessions(part), 1)}
every_session = pytest.mark.parametrize("told", SESSIONS.values(), ids=list(SESSIONS))


def derived(key: bytes, constant: int, context: bytes, size: int) -> bytes:
    """The derivation, laid out as the specification words it."""
    return naive_cmac(key, bytes(11) + bytes((constant, 0)) + (8 * size).to_bytes(2, "big") + b"\x01" + context)[:size]


def body_of(wire: bytes) -> bytes:
    checked: bytes = cobs.decode(wire[1:-1])
    assert zlib.crc32(checked[:-4]) == int.from_bytes(checked[-4:], "little")
    return checked[:-4]


@pytest.mark.parametrize("part", WORKED)
def test_a_pump_answers_each_frame_as_the_specification_says(part: str) -> None:
    device = build_device("reference-20", 0, SERIAL_NUMBER, insecure=False, session_floor=0)
    first, *again = told_sessions(part)
    device.line(LineChange.OPENED, 0)
    replay(first, device)
    for session in again:
        # Between the sessions the line breaks, and the rotor stalls in the bolus.
        device.line(LineChange.CLOSED, device.now_us)
        device.advance(2_400_000 + DAY_US * 6 // 10)
        device.control(arming("stall", device.fault_names), device.now_us)
        device.advance(device.now_us + DAY_US)
        device.line(LineChange.OPENED, device.now_us)
        replay(session, device)


def replay(told: ToldSession, device: Device) -> None:
    for frame in told.frames:
        if frame.way == ">":
            device.receive(frame.wire, device.now_us)
        else:
            assert device.data_to_send(device.now_us, len(frame.wire)) == frame.wire
    assert device.data_to_send(device.now_us) == b""


def test_the_sessions_tell_of_a_program_and_of_a_lost_answer() -> None:
    (to_commit,) = told_sessions("session")
    names = [frame.name for frame in to_commit.frames if frame.way == ">"]
    assert names == [
        *("HELLO", "OPEN", "AUTH", "STATUS", "OP_LIST", "PROGRAM_BEGIN"),
        *["PROGRAM_WRITE"] * 9,
        "PROGRAM_VALIDATE",
        *["STAGE_READ"] * 4,
        *("PROGRAM_COMMIT", "SUBSCRIBE", "RESET_FLAGS", "KEEPALIVE", "CLOSE"),
    ]
    before, after = told_sessions("lost-answer")
    assert [frame.name for frame in before.frames if frame.lost] == ["BOLUS_EXECUTE"] * 4
    assert [frame.name for frame in after.frames if frame.way == ">"] == [
        *("HELLO", "OPEN", "AUTH", "OP_LIST", "OP_QUERY", "ALARM_LIST", "LOG_READ", "BOLUS_EXECUTE", "BOLUS_EXECUTE"),
    ]
    assert any("books PARTIAL" in remark for remark in after.remarks)


def test_an_event_is_sealed_among_the_answers() -> None:
    (told,) = told_sessions("session")
    names = [frame.name for frame in told.frames if frame.way == "<"]
    assert names[names.index("SUBSCRIBE") + 1] == "EVENT"
    (event,) = (frame for frame in told.frames if frame.name == "EVENT")
    body = body_of(event.wire)
    assert (body[0], body[1], body[2:4]) == (0x1A, 1, b"\x04\x07"), "EVENT and SECURED; the number; no bit 15"
    assert event.clear is not None
    assert event.clear[:2] == b"\x01\x00"
    assert len(event.clear) == 20 + 2 + 4, "the head, run_state and stop_reason, reservoir_nl"


@every_session
def test_the_values_follow_from_the_published_constant(told: ToldSession) -> None:
    values, serial = told.values, SERIAL_NUMBER.to_bytes(4, "little")
    key = values["the clinician's key"]
    assert key == derived(b"vpump TEST KEYS!", 0x10, serial + b"\x03", 16)
    (said,) = [name for name in values if name.startswith("device challenge, session counter ")]
    challenge, counter = values[said], int(said.rsplit(" ", 1)[1])
    assert challenge == derived(key, 0x02, counter.to_bytes(8, "little") + serial, 8)
    hello = next(body_of(frame.wire) for frame in told.frames if (frame.way, frame.name) == ("<", "HELLO"))
    assert values["hash of HELLO's answer"] == sha256(hello[13:]).digest()[:16]
    host_id = HOST_ID.to_bytes(4, "little")
    context = b"\x03\x00" + serial + host_id + values["host challenge"] + challenge + values["hash of HELLO's answer"]
    assert values["session context"] == context
    for name, constant, size in (
        ("device cryptogram", 0x00, 8),
        ("host cryptogram", 0x01, 8),
        ("K_h2d", 0x04, 16),
        ("K_d2h", 0x06, 16),
        ("salt", 0x07, 8),
    ):
        assert values[name] == derived(key, constant, context, size), name


@every_session
def test_the_sealed_frames_open_under_those_keys(told: ToldSession) -> None:
    counters = {">": 0, "<": 0}
    for frame in told.frames:
        body = body_of(frame.wire)
        if not body[0] & SEALED:
            assert frame.clear is None
            continue
        header, sealed, counter, tag = body[:12], body[12:-13], int.from_bytes(body[-13:-8], "little"), body[-8:]
        assert counter == counters[frame.way] + 1
        counters[frame.way] = counter
        direction = 0 if frame.way == ">" else 1
        nonce = told.values["salt"] + (direction << 39 | counter).to_bytes(5, "big")
        cipher = AESCCM(told.values["K_h2d" if frame.way == ">" else "K_d2h"], tag_length=8)
        assert cipher.decrypt(nonce, sealed + tag, header) == frame.clear
