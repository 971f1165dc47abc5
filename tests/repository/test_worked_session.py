"""The session in docs/protocol.md is one that a stranger can check: by a real pump, and by arithmetic of his own."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from emulator.assembly import build_device
from emulator.inputs import LineChange
from tests.protocol.naive_cmac import naive_cmac

SPECIFICATION = Path(__file__).parents[2] / "docs" / "protocol.md"
SERIAL_NUMBER = 0x00C0FFEE
SEALED = 0x08


@dataclass(frozen=True)
class Told:
    """What the specification says: the values by name, and the frames with their direction."""

    values: dict[str, bytes]
    frames: list[tuple[str, str, bytes]]


@pytest.fixture(scope="module")
def told() -> Told:
    text = SPECIFICATION.read_text(encoding="utf-8")
    part = re.search(r"<!-- generated: session -->(.*?)<!-- end: session -->", text, re.DOTALL)
    assert part is not None
    values = dict(re.findall(r"^([^<>\n]+): ([0-9a-f]+)$", part[1], re.MULTILINE))
    frames = re.findall(r"^([<>]) (\S+).*\n  wire ([0-9a-f ]+)$", part[1], re.MULTILINE)
    return Told(
        {name: bytes.fromhex(value) for name, value in values.items()},
        [(way, name, bytes.fromhex(wire)) for way, name, wire in frames],
    )


def derived(key: bytes, constant: int, context: bytes, size: int) -> bytes:
    """The derivation, laid out as the specification words it."""
    return naive_cmac(key, bytes(11) + bytes((constant, 0)) + (8 * size).to_bytes(2, "big") + b"\x01" + context)[:size]


def body_of(wire: bytes) -> bytes:
    checked: bytes = cobs.decode(wire[1:-1])
    assert zlib.crc32(checked[:-4]) == int.from_bytes(checked[-4:], "little")
    return checked[:-4]


def test_a_pump_answers_each_frame_as_the_specification_says(told: Told) -> None:
    device = build_device("reference-20", 0, SERIAL_NUMBER, insecure=False, session_floor=0)
    device.line(LineChange.OPENED, 0)
    names = [name for way, name, _ in told.frames if way == ">"]
    assert names == [
        "HELLO", "OPEN", "AUTH", "STATUS", "OP_LIST", "OP_LIST", "BOLUS_PREPARE", "SUBSCRIBE", "RESET_FLAGS",
        "KEEPALIVE", "CLOSE",
    ]  # fmt: skip
    for way, _, frame in told.frames:
        if way == ">":
            device.receive(frame, device.now_us)
        else:
            assert device.data_to_send(device.now_us, len(frame)) == frame
    assert device.data_to_send(device.now_us) == b""


def test_an_event_is_sealed_among_the_answers(told: Told) -> None:
    names = [name for way, name, _ in told.frames if way == "<"]
    assert names[names.index("SUBSCRIBE") + 1] == "EVENT"
    (event,) = (body_of(wire) for _, name, wire in told.frames if name == "EVENT")
    assert (event[0], event[1], event[2:4]) == (0x1A, 1, b"\x04\x07"), "EVENT and SECURED; the number; no bit 15"
    sealed = event[-13:]
    nonce = told.values["salt"] + (1 << 39 | int.from_bytes(sealed[:5], "little")).to_bytes(5, "big")
    plain = AESCCM(told.values["K_d2h"], tag_length=8).decrypt(nonce, event[12:-13] + sealed[5:], event[:12])
    assert plain[:2] == b"\x01\x00"
    assert len(plain) == 20 + 2 + 4, "the head, run_state and stop_reason, reservoir_nl"


def test_the_values_follow_from_the_published_constant(told: Told) -> None:
    values, serial = told.values, SERIAL_NUMBER.to_bytes(4, "little")
    key = values["the clinician's key"]
    assert key == derived(b"vpump TEST KEYS!", 0x10, serial + b"\x03", 16)
    challenge = values["device challenge, session counter 1"]
    assert challenge == derived(key, 0x02, (1).to_bytes(8, "little") + serial, 8)
    hello = next(body_of(wire) for way, name, wire in told.frames if (way, name) == ("<", "HELLO"))
    assert values["hash of HELLO's answer"] == sha256(hello[13:]).digest()[:16]
    host_id = 0x00C11111.to_bytes(4, "little")
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


def test_the_sealed_frames_open_under_those_keys(told: Told) -> None:
    opened, counters = [], {">": 0, "<": 0}
    for way, name, wire in told.frames:
        body = body_of(wire)
        if not body[0] & SEALED:
            continue
        header, sealed, counter, tag = body[:12], body[12:-13], int.from_bytes(body[-13:-8], "little"), body[-8:]
        assert counter == counters[way] + 1
        counters[way] = counter
        direction = 0 if way == ">" else 1
        nonce = told.values["salt"] + (direction << 39 | counter).to_bytes(5, "big")
        cipher = AESCCM(told.values["K_h2d" if way == ">" else "K_d2h"], tag_length=8)
        opened.append((way, name, cipher.decrypt(nonce, sealed + tag, header)))
    assert opened[0] == ("<", "AUTH", bytes.fromhex("0f b4 00 00"))
    assert opened[-1] == ("<", "CLOSE", b"\x0f")
    first, again = [plain for way, name, plain in opened if (way, name) == ("<", "OP_LIST")]
    assert first == again
