"""Who holds the keys and overhears the handshake opens every frame behind it, whatever is missing or comes twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import keys
from protocol.frame import Flag, Frame
from protocol.keys import RoleKeys
from protocol.listener import MOST_PUMPS, MOST_SESSIONS, Listener, Overheard
from protocol.messages.codes import Role
from protocol.messages.operations import by_name
from tests.device.overheard_session import READS, OverheardLine

OWN = RoleKeys(MappingProxyType({role: bytes((role,)) * 16 for role in Role}))


def published(serial_number: int) -> Iterable[RoleKeys]:
    return (keys.test_keys(serial_number),)


def is_step(frame: Frame, name: str, *, answer: bool) -> bool:
    return frame.opcode == by_name[name].opcode and (Flag.RESP in frame.flags) is answer


def without(frames: Iterable[Frame], name: str, *, answer: bool) -> list[Frame]:
    return [frame for frame in frames if not is_step(frame, name, answer=answer)]


def a_session(reads: Iterable[int] = (0, 1), own: RoleKeys | None = None, role: Role = Role.READER) -> OverheardLine:
    line = OverheardLine(own)
    host = line.host(role)
    for number in reads:
        line.read(host, number)
    return line


def sealed(frames: Iterable[Frame]) -> list[Frame]:
    return [frame for frame in frames if Flag.SECURED in frame.flags]


def heard(frames: Iterable[Frame], listener: Listener | None = None) -> list[Overheard]:
    """What is made of the sealed ones."""
    listener = listener or Listener(published)
    return [told for frame in frames for told in [listener.hear(frame)] if Flag.SECURED in frame.flags]


@given(st.lists(st.integers(0, len(READS) - 1), max_size=6), st.data())
@settings(max_examples=25)
def test_every_frame_behind_a_handshake_is_opened_whatever_is_lost_or_repeated(
    reads: list[int], data: st.DataObject
) -> None:
    line = a_session(reads)
    handshake, rest = line.frames[:5], line.frames[5:]
    passed = [frame for frame in rest for _ in range(data.draw(st.integers(0, 2)))]
    listener = Listener(published)
    for frame in handshake:
        assert listener.hear(frame).remark == ""
    last = {Flag(0): 0, Flag.RESP: 0}
    for frame in passed:
        told = listener.hear(frame)
        if frame.to_body() in line.clear:
            assert told.plain == line.clear[frame.to_body()]
        assert told.plain is not None
        assert (told.role, told.host_id) == (Role.READER, 5)
        counter, direction = int.from_bytes(frame.sealed[:5], "little"), frame.flags & Flag.RESP
        if counter > last[direction]:
            assert (told.problem, told.skipped) == ("", counter - last[direction] - 1)
            last[direction] = counter
        else:
            assert told.problem == f"counter {counter} is not above {last[direction]}: a copy of an earlier frame"


def test_two_sessions_at_once_on_two_lines() -> None:
    line = OverheardLine()
    reader, clinician = line.host(), line.host(Role.CLINICIAN, port=1, host_id=9)
    for number in range(3):
        line.read(reader, number)
        line.read(clinician, number)
    told = heard(line.frames)
    assert {(each.role, each.host_id) for each in told} == {(Role.READER, 5), (Role.CLINICIAN, 9)}
    assert not [each for each in told if each.problem or each.plain is None]


def test_a_handshake_whose_steps_all_came_twice() -> None:
    line = a_session()
    told = heard(frame for frame in line.frames for _ in range(2))
    assert all(each.plain is not None for each in told)
    assert [each.problem == "" for each in told] == [True, False] * (len(told) // 2)


def test_a_session_whose_first_answer_is_missing_is_known_by_its_next_frame() -> None:
    line = a_session()
    told = heard(without(line.frames, "AUTH", answer=True))
    assert all(each.plain is not None for each in told)
    assert [each.skipped for each in told] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("HELLO", True, "HELLO's answer is not here, and session keys depend on it"),
        ("OPEN", False, "its OPEN is not here"),
        ("OPEN", True, "its OPEN is not here"),
    ],
)
def test_without_a_step_of_the_handshake_the_frames_stay_sealed_and_say_why(name: str, answer: bool, why: str) -> None:
    told = heard(without(a_session().frames, name, answer=answer))
    assert {(each.plain, each.problem, each.remark) for each in told} == {(None, "", why)}


def test_a_handshake_is_followed_by_the_greeting_that_it_was_made_with() -> None:
    line = a_session()
    greeting = next(frame for frame in line.frames if is_step(frame, "HELLO", answer=True))
    other = replace(greeting, payload=greeting.payload[:-1] + b"\xff")
    listener = Listener(published)
    listener.hear(other)
    told = heard([*line.frames[:2], other, *line.frames[2:]], listener)
    assert not [each for each in told if each.problem]


def test_keys_of_its_own_are_needed_and_suffice() -> None:
    line = a_session(own=OWN, role=Role.CLINICIAN)
    (opened,) = [frame for frame in line.frames if is_step(frame, "OPEN", answer=True)]
    stranger = Listener(published)
    for frame in line.frames[:2]:
        stranger.hear(frame)
    stranger.hear(line.frames[2])
    why = "no key that is given here fits for role clinician of pump 00C0FFEE"
    assert stranger.hear(opened).remark == why
    assert {each.remark for each in heard(line.frames)} == {why}
    reader_only = RoleKeys(MappingProxyType({Role.READER: OWN.of_role[Role.READER]}))
    assert {each.remark for each in heard(line.frames, Listener(lambda _: [reader_only]))} == {
        "no key is given here for role clinician of pump 00C0FFEE"
    }
    both = Listener(lambda serial: [keys.test_keys(serial), OWN])
    assert not [each for each in heard(line.frames, both) if each.problem or each.plain is None]


def test_a_host_that_has_not_the_key_is_told_of() -> None:
    line = a_session()
    (auth,) = [frame for frame in line.frames if is_step(frame, "AUTH", answer=False)]
    listener = Listener(published)
    for frame in line.frames[:4]:
        listener.hear(frame)
    wrong = replace(auth, payload=bytes(8))
    assert "the host's cryptogram fits no OPEN" in listener.hear(wrong).remark
    assert listener.hear(auth).remark == ""
    heard(line.frames[5:], listener)
    assert listener.hear(auth).remark == "", "its session has begun, and it is the same cryptogram"


@given(st.integers(0, 3), st.data())
@settings(max_examples=25)
def test_a_changed_frame_is_never_opened(number: int, data: st.DataObject) -> None:
    line = a_session()
    listener = Listener(published)
    heard(line.frames, listener)
    frame = sealed(line.frames)[number]
    part = data.draw(st.sampled_from(["payload", "sealed", "txn"] if frame.payload else ["sealed", "txn"]))
    if part == "txn":
        changed = replace(frame, txn=frame.txn ^ 1 << data.draw(st.integers(0, 7)))
    else:
        content = bytearray(frame.payload if part == "payload" else frame.sealed)
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        bent = bytes(content)
        changed = replace(frame, payload=bent) if part == "payload" else replace(frame, sealed=bent)
    told = listener.hear(changed)
    assert told.plain is None
    assert told.problem == "the tag does not verify: a changed frame, or another session's"


def test_a_frame_of_a_session_that_nobody_opened() -> None:
    line = a_session()
    frame = sealed(line.frames)[0]
    assert Listener(published).hear(frame) == Overheard(None, remark="its OPEN is not here")
    listener = Listener(published)
    heard(line.frames, listener)
    strange = listener.hear(replace(frame, session_id=99))
    assert (strange.plain, strange.remark) == (None, "it is of no session that was opened here")


def test_a_session_in_the_clear_needs_nothing() -> None:
    frame = Frame(opcode=by_name["STATUS"].opcode, txn=1, address=7, payload=b"abc")
    assert Listener(published).hear(frame) == Overheard(b"abc")


def test_what_is_remembered_is_bounded() -> None:
    line = OverheardLine()
    listener = Listener(published)
    for _ in range(MOST_SESSIONS + 5):
        line.host()
    heard(line.frames, listener)
    for address in range(3 * MOST_PUMPS):
        listener.hear(Frame(opcode=1, txn=1, address=address, payload=b""))
    assert len(listener._pumps) == MOST_PUMPS
    listener = Listener(published)
    heard(line.frames, listener)
    (pump,) = [pump for address, pump in listener._pumps.items() if address == line.device.serial_number]
    assert len(pump.sessions) == MOST_SESSIONS


@given(
    st.lists(
        st.builds(
            lambda opcode, payload, flags: Frame(opcode=opcode, txn=0, address=1, payload=payload, flags=flags),
            st.sampled_from([by_name[name].opcode for name in ("HELLO", "OPEN", "AUTH")]),
            st.binary(max_size=40),
            st.sampled_from([Flag(0), Flag.RESP]),
        ),
        max_size=8,
    )
)
def test_any_handshake_is_listened_to(frames: list[Frame]) -> None:
    listener = Listener(published)
    for frame in frames:
        assert listener.hear(frame).plain == frame.payload
