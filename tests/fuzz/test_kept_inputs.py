"""Every seed, every kept input, every input that once showed a fault, and what Hypothesis makes: no promise is broken.

`scripts/soak fuzz` goes on from there, led by coverage.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types
from hypothesis import given
from hypothesis import strategies as st

from protocol import device_end, fields, host_end
from protocol.device_end import DeviceEnd
from protocol.errands import Errands
from protocol.framing import Piece, StreamReader
from protocol.messages.codes import Role
from protocol.messages.operations import OPERATIONS
from protocol.sessions import Session, Sessions
from scripts.soak_campaigns import FUZZ_SHARES
from tests.conftest import Counted
from tests.fuzz import device_target, host_target, session_target
from tests.fuzz.acts import act
from tests.fuzz.kept_inputs import CORPUS_MAX_BYTES, HERE, corpus_file, corpus_of, regressions
from tests.fuzz.targets import TARGETS

VERBS = {"device": device_target.VERBS, "session": session_target.VERBS, "host": host_target.VERBS}


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_fuzzer_begins_with_is_well(target: str, counted: Counted) -> None:
    inputs = corpus_of(target)
    for data in inputs:
        TARGETS[target](data)
    counted(f"inputs of the corpus for {target}", len(inputs))


def test_what_once_showed_a_fault_is_well() -> None:
    for target, data in regressions():
        TARGETS[target](data)


def test_the_corpus_is_small_and_readable() -> None:
    files = list((HERE / "corpus").iterdir())
    assert {file.name for file in files} == {corpus_file(target).name for target in TARGETS}
    assert sum(file.stat().st_size for file in files) <= CORPUS_MAX_BYTES
    assert all(re.fullmatch(r"([0-9a-f]+\n)*", file.read_text(encoding="ascii")) for file in files)


def test_every_target_has_its_share_of_a_thousand_inputs() -> None:
    assert FUZZ_SHARES.keys() == TARGETS.keys()
    assert sum(FUZZ_SHARES.values()) == 1_000


@pytest.mark.parametrize("target", ["reader", "messages"])
@given(data=st.binary(max_size=600))
def test_any_bytes(target: str, data: bytes) -> None:
    TARGETS[target](data)


def acts(target: str) -> st.SearchStrategy[bytes]:
    """Rows of acts, most of them of operations that there are."""
    opcodes = st.sampled_from([operation.opcode.to_bytes(2, "little") for operation in OPERATIONS])
    head = st.binary(max_size=2)
    argument = st.one_of(st.binary(max_size=255), st.builds(lambda *parts: b"".join(parts), head, opcodes, head))
    row = st.lists(st.builds(act, st.integers(0, len(VERBS[target]) - 1), argument), max_size=12).map(b"".join)
    return row if target == "device" else st.builds(lambda first, rest: bytes((first,)) + rest, st.integers(0, 3), row)


@pytest.mark.parametrize("target", VERBS)
@given(data=st.data())
def test_any_acts(target: str, data: st.DataObject) -> None:
    TARGETS[target](data.draw(acts(target)))


def ruins_of(target: str, count: int) -> Iterator[bytes]:
    """Some kept inputs, each with a few bytes of it others, and with the end of another."""
    random = Random(target)  # noqa: S311 - chance for a search, no secret
    inputs = corpus_of(target)
    for _ in range(count):
        data = bytearray(random.choice(inputs))
        for _ in range(random.randrange(4)):
            if data:
                data[random.randrange(len(data))] = random.randrange(256)
        yield bytes(data) + random.choice(inputs)[random.randrange(64) :]


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs_in_ruins(target: str) -> None:
    for data in ruins_of(target, 150):
        TARGETS[target](data)


def forgets_what_is_unfinished(reader: StreamReader, data: bytes) -> Iterator[Piece]:
    pieces = list(_FEED(reader, data))
    reader.reset()
    return iter(pieces)


def begins_as_clinician(sessions: Sessions, **given: Any) -> Session:
    return _BEGIN(sessions, **given | {"role": Role.CLINICIAN})


_FEED, _BEGIN = StreamReader.feed, Sessions.begin
FAULTS: dict[str, tuple[str, Callable[[], AbstractContextManager[object]]]] = {
    "a reader that forgets": ("reader", lambda: patch.object(StreamReader, "feed", forgets_what_is_unfinished)),
    "a coding error that escapes": ("reader", lambda: patch.object(cobs, "DecodeError", KeyError)),
    "a count that nobody looks at": (
        "messages",
        lambda: patch.object(fields.Layout, "measure", lambda _layout, payload: len(payload)),
    ),
    "a format error that escapes": ("host", lambda: patch.object(host_end, "FormatError", KeyError)),
    "a request that outlives its session": ("session", lambda: patch.object(Errands, "forget", lambda *_: None)),
    "a session that outlives its silence": ("session", lambda: patch.object(DeviceEnd, "advance", lambda *_: None)),
    "a reader who is taken for a clinician": ("device", lambda: patch.object(Sessions, "begin", begins_as_clinician)),
    "an answer that nobody can read": ("device", lambda: patch.object(device_end, "granted", lambda _: b"\x0f\x01")),
}


@pytest.mark.parametrize(("target", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_that_is_there_is_found(target: str, fault: Callable[[], AbstractContextManager[object]]) -> None:
    def search() -> None:
        for data in (*corpus_of(target), *ruins_of(target, 400)):
            TARGETS[target](data)

    with fault(), pytest.raises(Exception):  # noqa: B017, PT011 - whatever comes out is what a fuzzer finds
        search()
