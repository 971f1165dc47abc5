"""A sealed frame opens once, at its own end, in its own session, unchanged; nothing else opens, or leaves a trace."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given
from hypothesis import strategies as st

from protocol import channel
from protocol.channel import (
    COUNTER_MAX,
    COUNTER_SIZE,
    CounterExhausted,
    CounterOld,
    Direction,
    Opener,
    Sealer,
    SessionKeys,
    TagWrong,
    counter_of,
    nonce_of,
)
from protocol.export.examples import EXAMPLES
from protocol.fields import encode
from protocol.frame import Flag, Frame, FrameError, parse_body
from protocol.messages.operations import EVENT, OPERATIONS, operation_of
from protocol.messages.stream import StreamEvent
from protocol.refusals import OK
from tests.protocol.message_strategies import messages

KEY = bytes(range(16))
# One key for both directions: whatever is refused here is refused for the direction alone.
KEYS = SessionKeys(host_to_pump=KEY, pump_to_host=KEY, salt=bytes(range(0xA0, 0xA8)))
ADDRESS = 0x00C0FFEE
SESSION = 0x1234

DIRECTIONS = st.sampled_from(Direction)
PAYLOADS = st.binary(max_size=224)
FRAMES = st.fixed_dictionaries(
    {
        "opcode": st.integers(0, 0x7FFF),
        "txn": st.integers(0, 255),
        "address": st.integers(0, 0xFFFFFFFF),
        "session_id": st.integers(1, 0xFFFF),
        "payload": PAYLOADS,
        "flags": st.sampled_from([Flag(0), Flag.RETRY, Flag.RESP, Flag.EVENT]),
    }
)
OPERATION_MESSAGES = st.sampled_from(
    [cls for row in OPERATIONS for cls in (row.request, row.answer, row.reduced) if cls is not None]
).flatmap(messages)


def sealed(payload: bytes, *, counter: int = 1, direction: Direction = Direction.HOST_TO_PUMP, **other: Any) -> Frame:
    sealer = Sealer(KEYS, direction)
    sealer.counter = counter - 1
    fields: dict[str, Any] = {"opcode": 0x0105, "txn": 9, "address": ADDRESS, "session_id": SESSION}
    return sealer.seal(payload=payload, **(fields | other))


def sealed_message(message: object) -> tuple[Frame, bytes, Direction]:
    """A request as its host seals it, an answer or an event as its pump does; and what is sealed in it."""
    if isinstance(message, StreamEvent):
        event = encode(message)
        direction = Direction.PUMP_TO_HOST
        return sealed(event, counter=2, direction=direction, opcode=EVENT.opcode, flags=Flag.EVENT), event, direction
    operation = operation_of(message)
    if type(message) is operation.request:
        payload = encode(message)
        return sealed(payload, counter=2, opcode=operation.opcode), payload, Direction.HOST_TO_PUMP
    payload = bytes((OK,)) + encode(message)
    direction = Direction.PUMP_TO_HOST
    frame = sealed(payload, counter=2, direction=direction, opcode=operation.opcode, flags=Flag.RESP)
    return frame, payload, direction


def opener_after_one(direction: Direction) -> Opener:
    """An opener that has opened its first frame, so that a step back would show."""
    opener = Opener(KEYS, direction)
    opener.open(sealed(b"", direction=direction))
    return opener


def assert_refused(opener: Opener, body: bytes) -> None:
    last = opener.last
    try:
        frame = parse_body(body)
    except FrameError:
        return
    with pytest.raises((TagWrong, CounterOld)):
        opener.open(frame)
    assert opener.last == last


@given(FRAMES, DIRECTIONS, st.integers(1, COUNTER_MAX))
def test_whatever_is_sealed_is_opened_at_the_other_end(
    fields: dict[str, Any], direction: Direction, counter: int
) -> None:
    frame = sealed(counter=counter, direction=direction, **fields)
    opener = Opener(KEYS, direction)
    assert opener.look(frame) == fields["payload"]
    assert opener.last == 0
    assert opener.open(parse_body(frame.to_body())) == fields["payload"]
    assert opener.last == counter == counter_of(frame)


@given(PAYLOADS.filter(lambda payload: len(payload) > 8))
def test_a_sealed_frame_shows_its_header_and_its_length_and_nothing_of_its_payload(payload: bytes) -> None:
    frame = sealed(payload)
    assert len(frame.payload) == len(payload)
    assert payload not in frame.to_body()
    assert frame.payload != sealed(payload, counter=2).payload


@given(OPERATION_MESSAGES, st.data())
def test_a_flipped_bit_anywhere_in_any_message_is_refused_and_leaves_no_trace(
    message: object, drawn: st.DataObject
) -> None:
    frame, payload, direction = sealed_message(message)
    opener = opener_after_one(direction)
    body = bytearray(frame.to_body())
    bit = drawn.draw(st.integers(0, len(body) * 8 - 1), label="bit")
    body[bit // 8] ^= 1 << bit % 8
    assert_refused(opener, bytes(body))
    assert opener.open(frame) == payload


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_every_single_bit_of_every_example_counts(example: object) -> None:
    frame, payload, direction = sealed_message(example)
    opener = opener_after_one(direction)
    body = frame.to_body()
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        assert_refused(opener, bytes(flipped))
    assert opener.open(frame) == payload


@given(FRAMES, DIRECTIONS)
def test_a_frame_that_is_sent_back_to_its_sender_is_refused(fields: dict[str, Any], direction: Direction) -> None:
    frame = sealed(direction=direction, **fields)
    assert_refused(Opener(KEYS, Direction(1 - direction)), frame.to_body())


@given(PAYLOADS, st.integers(1, COUNTER_MAX))
def test_a_counter_that_would_turn_the_direction_is_refused(payload: bytes, counter: int) -> None:
    # The pump's frame `counter` and a host's frame 2^39 + counter would have the same nonce.
    frame = sealed(payload, counter=counter, direction=Direction.PUMP_TO_HOST)
    turned = (1 << 39 | counter).to_bytes(COUNTER_SIZE, "little")
    assert_refused(Opener(KEYS, Direction.HOST_TO_PUMP), replace(frame, sealed=turned + frame.sealed[5:]).to_body())
    assert Opener(KEYS, Direction.PUMP_TO_HOST).open(frame) == payload


@given(PAYLOADS, DIRECTIONS, st.integers(0, 127), st.integers(0, 63))
def test_another_sessions_keys_or_salt_open_nothing(
    payload: bytes, direction: Direction, key_bit: int, salt_bit: int
) -> None:
    frame = sealed(payload, direction=direction)
    other_key = flipped_bit(KEY, key_bit)
    strangers = (
        replace(KEYS, host_to_pump=other_key, pump_to_host=other_key),
        replace(KEYS, salt=flipped_bit(KEYS.salt, salt_bit)),
    )
    for stranger in strangers:
        opener = Opener(stranger, direction)
        with pytest.raises(TagWrong):
            opener.open(frame)
        assert opener.last == 0


def test_each_direction_has_the_key_that_is_named_for_it() -> None:
    other_key = bytes(range(16, 32))
    answers_only = replace(KEYS, host_to_pump=other_key)
    frame = sealed(b"\x0f", direction=Direction.PUMP_TO_HOST)
    assert Opener(answers_only, Direction.PUMP_TO_HOST).open(frame) == b"\x0f"
    with pytest.raises(TagWrong):
        Opener(answers_only, Direction.HOST_TO_PUMP).open(sealed(b""))


@given(
    PAYLOADS,
    st.sampled_from(
        [
            {"address": ADDRESS ^ 1},
            {"session_id": SESSION ^ 1},
            {"opcode": 0x0401},
            {"txn": 10},
            {"flags": Flag.SECURED | Flag.RETRY},
            {"flags": Flag.SECURED | Flag.RESP},
            {"major": 2},
        ]
    ),
)
def test_a_frame_belongs_to_its_pump_its_session_and_its_request(payload: bytes, change: dict[str, Any]) -> None:
    opener = Opener(KEYS, Direction.HOST_TO_PUMP)
    with pytest.raises(TagWrong):
        opener.open(replace(sealed(payload), **change))
    assert opener.last == 0


@given(st.lists(PAYLOADS, min_size=1, max_size=20), DIRECTIONS)
def test_a_sealer_counts_from_one_without_a_gap(payloads: list[bytes], direction: Direction) -> None:
    sealer = Sealer(KEYS, direction)
    for number, payload in enumerate(payloads, start=1):
        frame = sealer.seal(opcode=0x0105, txn=9, address=ADDRESS, session_id=SESSION, payload=payload)
        assert counter_of(frame) == sealer.counter == number


@given(st.lists(st.integers(1, 12), max_size=30))
def test_of_frames_in_any_order_those_open_that_rise(arrivals: list[int]) -> None:
    opener = Opener(KEYS, Direction.HOST_TO_PUMP)
    opened = []
    for counter in arrivals:
        try:
            opener.open(sealed(b"", counter=counter))
        except CounterOld:
            continue
        opened.append(counter)
    assert opened == sorted({n for at, n in enumerate(arrivals) if n > max(arrivals[:at], default=0)})
    assert opener.last == max(arrivals, default=0)


class CountingCipher:
    """The cipher, with a count of what it was asked to open."""

    decrypted = 0

    def __init__(self, key: bytes, tag_length: int) -> None:
        self._cipher = AESCCM(key, tag_length=tag_length)

    def decrypt(self, nonce: bytes, data: bytes, header: bytes) -> bytes:
        CountingCipher.decrypted += 1
        return self._cipher.decrypt(nonce, data, header)


def test_an_old_counter_is_refused_before_any_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [sealed(b"abc", counter=counter) for counter in (4, 5, 6)]
    monkeypatch.setattr(CountingCipher, "decrypted", 0)
    monkeypatch.setattr(channel, "AESCCM", CountingCipher)
    opener = Opener(KEYS, Direction.HOST_TO_PUMP)
    opener.open(frames[1])
    assert CountingCipher.decrypted == 1
    never = replace(frames[0], sealed=bytes(13))
    forged = replace(frames[0], payload=b"xyz")
    for old in (frames[0], frames[1], never, forged):
        with pytest.raises(CounterOld):
            opener.open(old)
    assert (CountingCipher.decrypted, opener.last) == (1, 5)
    opener.open(frames[2])
    assert (CountingCipher.decrypted, opener.last) == (2, 6)


def test_a_forged_frame_with_a_high_counter_locks_nobody_out() -> None:
    opener = Opener(KEYS, Direction.HOST_TO_PUMP)
    genuine = sealed(b"abc")
    high = COUNTER_MAX.to_bytes(COUNTER_SIZE, "little")
    with pytest.raises(TagWrong):
        opener.open(replace(genuine, sealed=high + genuine.sealed[COUNTER_SIZE:]))
    assert opener.open(genuine) == b"abc"


def test_a_frame_without_a_seal_opens_nothing() -> None:
    plain = Frame(opcode=0x0105, txn=9, address=ADDRESS, payload=b"")
    opener = Opener(KEYS, Direction.HOST_TO_PUMP)
    with pytest.raises(CounterOld):
        opener.open(plain)
    with pytest.raises(TagWrong):
        opener.look(plain)


@pytest.mark.parametrize("direction", Direction)
def test_after_its_last_counter_a_direction_seals_no_more(direction: Direction) -> None:
    sealer, opener = Sealer(KEYS, direction), Opener(KEYS, direction)
    sealer.counter = 2**39 - 2
    before = sealer.exhausted
    last = sealer.seal(opcode=0x0105, txn=9, address=ADDRESS, session_id=SESSION, payload=b"last")
    assert (before, sealer.exhausted) == (False, True)
    assert opener.open(last) == b"last"
    assert opener.last == sealer.counter == 2**39 - 1
    for _ in range(2):
        with pytest.raises(CounterExhausted):
            sealer.seal(opcode=0x0105, txn=9, address=ADDRESS, session_id=SESSION, payload=b"one more")
    assert sealer.counter == 2**39 - 1


def test_a_nonce_is_salt_direction_and_counter_big_endian() -> None:
    salt = bytes(range(0xA0, 0xA8))
    assert nonce_of(salt, Direction.HOST_TO_PUMP, 1).hex(" ", 8) == "a0a1a2a3a4 a5a6a70000000001"
    assert nonce_of(salt, Direction.PUMP_TO_HOST, 0x0102030405)[8:].hex() == "8102030405"
    assert nonce_of(salt, Direction.HOST_TO_PUMP, COUNTER_MAX)[8:].hex() == "7fffffffff"
    assert nonce_of(salt, Direction.PUMP_TO_HOST, COUNTER_MAX)[8:].hex() == "ffffffffff"


@given(st.tuples(DIRECTIONS, st.integers(1, COUNTER_MAX)), st.tuples(DIRECTIONS, st.integers(1, COUNTER_MAX)))
def test_no_two_frames_of_a_session_share_a_nonce(one: tuple[Direction, int], two: tuple[Direction, int]) -> None:
    assert (nonce_of(KEYS.salt, *one) == nonce_of(KEYS.salt, *two)) == (one == two)


def test_no_text_of_a_channel_tells_a_key() -> None:
    holders = (KEYS, Sealer(KEYS, Direction.HOST_TO_PUMP), Opener(KEYS, Direction.PUMP_TO_HOST))
    for holder in holders:
        for text in (repr(holder), str(holder), f"{[holder]}"):
            assert not any(form in text for form in (KEY.hex(), KEY.hex(" "), repr(KEY)[2:-1], KEYS.salt.hex()))
    with pytest.raises(TagWrong) as refused:
        Opener(replace(KEYS, host_to_pump=bytes(16)), Direction.HOST_TO_PUMP).open(sealed(b""))
    assert refused.value.args == ()


def flipped_bit(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
