"""Whatever answers a programmer on its line, genuine or not: its own errors come out, soon, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.inputs import LineChange
from emulator.programmer import link
from emulator.programmer.link import LinkError, SerialLink
from protocol import keys
from protocol.frame import Flag, Frame, parse_body
from protocol.framing import StreamReader, encode_wire
from protocol.host_end import PENDING_TIMEOUT_US, PENDINGS_MAX
from protocol.messages.codes import Role
from protocol.messages.op import OpListRequest
from protocol.messages.read import StatusRequest
from protocol.refusals import OK, NakCode
from tests.device.desk import SERIAL, new_device

URL = "fake"
TURN_US = 20_000
MOST_TURNS = 4 * PENDINGS_MAX * PENDING_TIMEOUT_US // TURN_US

Bend = Callable[[bytes], bytes]
"""What becomes of a genuine answer on its way."""


def body_in(wire: bytes) -> bytes:
    return next((piece.body for piece in StreamReader().feed(wire) if piece.body is not None), b"")


def _told_instead(payload: bytes) -> Bend:
    """The same answer in the clear, with another payload."""

    def bend(wire: bytes) -> bytes:
        if not (body := body_in(wire)):
            return wire
        frame = parse_body(body)
        told = Frame(opcode=frame.opcode, txn=frame.txn, address=frame.address, payload=payload, flags=Flag.RESP)
        return told.to_wire()

    return bend


def _turned(at: int, bit: int) -> Bend:
    """One bit of the body another, under a CRC that fits again."""

    def bend(wire: bytes) -> bytes:
        if not (body := bytearray(body_in(wire))):
            return wire
        body[at % len(body)] ^= 1 << bit
        return encode_wire(bytes(body))

    return bend


BENDS: st.SearchStrategy[Bend] = st.one_of(
    st.just(lambda wire: wire),
    st.just(lambda wire: wire),
    st.just(lambda _: b""),
    st.just(lambda wire: wire * 2),
    st.binary(max_size=400).map(lambda noise: lambda wire: noise + b"\x00" + wire),
    st.binary(max_size=400).map(lambda noise: lambda _: noise),
    st.integers(1, 60).map(lambda size: lambda wire: wire[:size]),
    st.binary(max_size=60).map(lambda rest: _told_instead(bytes((OK,)) + rest)),
    st.sampled_from(list(NakCode)).map(lambda code: _told_instead(bytes((code, 0xFF)) + bytes(6))),
    st.binary(max_size=224).map(_told_instead),
    st.builds(_turned, st.integers(0, 300), st.integers(0, 7)),
)


@dataclass
class BentLine:
    """A line to a genuine pump, on which answers are bent one after the other; behind the last they are genuine."""

    bends: list[Bend]
    insecure: bool
    turns: int = 0
    answered: int = 0
    _coming: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.device = new_device(insecure=self.insecure)
        self.device.line(LineChange.OPENED, 0)

    @property
    def in_waiting(self) -> int:
        return len(self._coming)

    def write(self, data: bytes) -> int:
        self.device.receive(data, self.now_us())
        answer = self.device.data_to_send(self.now_us())
        bend = self.bends[self.answered] if self.answered < len(self.bends) else lambda wire: wire
        self.answered += 1
        self._coming += bend(answer)
        return len(data)

    def read(self, size: int) -> bytes:
        self.turns += 1
        assert self.turns < MOST_TURNS, "the programmer waits and waits"
        data = bytes(self._coming[:size])
        del self._coming[:size]
        return data

    def close(self) -> None:
        pass

    def now_us(self) -> int:
        return self.turns * TURN_US


@contextmanager
def at(line: BentLine) -> Iterator[None]:
    """The programmer's serial port, its clock and its chance are the line's."""
    numbers = count()
    with (
        patch.object(link, "open_line", lambda _: line),
        patch.object(link, "_now_us", line.now_us),
        patch.object(secrets, "randbelow", lambda _: 7),
        patch.object(secrets, "token_bytes", lambda size: next(numbers).to_bytes(size, "little")),
    ):
        yield


@settings(max_examples=100)
@given(st.lists(BENDS, max_size=8), st.booleans(), st.integers(0, 4))
def test_only_a_links_own_errors_come_out(bends: list[Bend], insecure: bool, genuine: int) -> None:
    """The first answers may be genuine, so that all that comes later is bent as well."""
    line = BentLine([*[lambda wire: wire] * genuine, *bends], insecure)
    with at(line):
        try:
            with SerialLink(URL) as opened:
                if not insecure:
                    opened.open_session(Role.CLINICIAN, keys.test_keys(SERIAL).of_role[Role.CLINICIAN], 5)
                for message in (StatusRequest(), OpListRequest(page=0), StatusRequest()):
                    opened.exchange(message)
                if opened.session_lost:
                    opened.reopen_session()
        except LinkError as error:
            told = str(error)
        else:
            told = "."
    assert told.endswith("."), "an error is one clear sentence"


def test_a_line_that_bends_nothing_is_a_good_one() -> None:
    line = BentLine([], insecure=False)
    with at(line), SerialLink(URL) as opened:
        opened.open_session(Role.READER, keys.test_keys(SERIAL).of_role[Role.READER], 5)
        assert opened.hello.serial_number == SERIAL
