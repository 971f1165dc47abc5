"""The lockstep clock: how a programmer in a process of its own lets virtual time pass, and waits without a wall clock.

A request and its answer are a line of JSON each, on a socket of this machine that belongs to the user alone:

    {"sent": 25, "got": 0, "until_us": 700000, "rest": false, "line": true}
    {"now_us": 200000, "coming": 31, "gone": false}

`sent` and `got` are how many bytes the programmer has written to its line, and read from it, since it opened it. The
answer comes when the pump has taken all that was sent. While there is nothing to read, time passes up to `until_us`; at
`rest` it does even if there is. `coming` is how many bytes the pump has written to the line: all that are beyond `got`
are there, or on their way.

`gone` says that the line has broken: what was coming and was not read is lost, and the line has to be opened again, as
soon as that is possible. Whoever has none open says so by `line`: then only time passes.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

MAX_LINE_BYTES = 4_096


class ClockRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a programmer asks of the clock."""

    sent: int
    got: int
    until_us: int
    rest: bool = False
    line: bool = True


class ClockAnswer(Struct, frozen=True):
    """What it is told."""

    now_us: int
    coming: int
    gone: bool = False


def encode_line(message: ClockRequest | ClockAnswer) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> ClockRequest:
    """A request; raises msgspec.MsgspecError."""
    return msgspec.json.decode(line, type=ClockRequest)


def decode_answer(line: bytes) -> ClockAnswer:
    """An answer; raises msgspec.MsgspecError."""
    return msgspec.json.decode(line, type=ClockAnswer)
