"""What tests about doses need beside the product: the patient, who knows what was given, and hosts on a real line."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from emulator.programmer.book import Book, BookFile, open_book
from emulator.programmer.disk import RealDisk
from emulator.programmer.effects import Reply, run
from emulator.programmer.ledger import Host
from emulator.programmer.link import open_line, read_some, write_all
from emulator.programmer.rules import BolusOrder, Report, close, deliver_bolus
from protocol.host_end import Answered, HostEnd, HostEvent, KeyWrong, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import CHALLENGE_SIZE, test_keys
from protocol.messages.codes import BolusKind, Role
from protocol.messages.deliver import BolusExecuteRequest
from protocol.messages.link import HelloRequest
from protocol.messages.op import OpQueryAnswer, OpQueryRequest
from protocol.refusals import Nak
from tests.end_to_end.product import Home, ServedPump
from tests.end_to_end.streams import DEADLINE_S

SECOND_US = 1_000_000
STEP_NL = 25
BASE_NL_PER_S = STEP_NL  # the base rate of `frozen_pump`
BOLUS_NL = 10_000
BOLUS_S = 60
HOST_ID = 0x0C11
PATIENCE_US = int(DEADLINE_S * SECOND_US / 4)  # of one try; there are four

A = TypeVar("A")


class Patient:
    """Knows what was given: the pump's truth, less the base rate."""

    def __init__(self, pump: ServedPump) -> None:
        self._control = pump.control

    @property
    def pump_has_power(self) -> bool:
        """Whether the pump has power."""
        return bool(self._control.truth()["powered"])

    @property
    def memory_writes(self) -> int:
        """How often the pump has written to its memory."""
        (writes,) = self._numbers("memory_writes")
        return writes

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self._control.advance(seconds * SECOND_US)

    def doses_nl(self) -> int:
        """What was given on top of the base rate so far, if therapy always ran and time went by whole seconds."""
        now_us, delivered_nl, motor_steps = self._numbers("now_us", "delivered_nl", "motor_steps")
        seconds, rest_us = divmod(now_us, SECOND_US)
        assert rest_us == 0
        assert delivered_nl == motor_steps * STEP_NL
        return delivered_nl - seconds * BASE_NL_PER_S

    def _numbers(self, *names: str) -> list[int]:
        truth = dict(self._control.truth())
        values = [truth[name] for name in names]
        return [value for value in values if isinstance(value, int)]


class PowerLost(Exception):
    """The pump lost its power, and the host its patience."""


class HostLine:
    """A clinician's line without a host's rules: in its session it sends what it is told, and waits for the answer."""

    def __init__(self, pump: ServedPump) -> None:
        self._pump = pump
        self._line = open_line(pump.url)
        self._end = HostEnd(timeout_us=PATIENCE_US)
        self.open_session()

    def open_session(self) -> None:
        """A session of the clinician, which must be granted."""
        assert isinstance(self.reply(HelloRequest(major=1, minor=0)), Answered)
        key = test_keys(int(self._pump.serial_number, 16)).of_role[Role.CLINICIAN]
        challenge = secrets.token_bytes(CHALLENGE_SIZE)
        self._end.open_session(SessionWanted(Role.CLINICIAN, HOST_ID, key, challenge), _now_us())
        opened = self._event()
        assert isinstance(opened, SessionReady), opened

    def __enter__(self) -> HostLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()

    def ask(self, message: object, answer: type[A]) -> A:
        """The answer to a request."""
        reply = self.reply(message)
        assert isinstance(reply, Answered), reply
        assert isinstance(reply.message, answer)
        return reply.message

    def nak(self, message: object) -> Nak:
        """The refusal of a request."""
        reply = self.reply(message)
        assert isinstance(reply, Refused), reply
        return reply.nak

    def reply(self, message: object) -> Reply:
        """What becomes of a request; raises PowerLost, after which the line is of no use."""
        self._end.request(message, _now_us())
        event = self._event()
        assert not isinstance(event, SessionReady | KeyWrong), event
        return event

    def _event(self) -> HostEvent:
        while True:
            write_all(self._line, self._end.data_to_send(), self._pump.url)
            event = self._end.next_event()
            if event is not None:
                return event
            data = read_some(self._line, self._pump.url)
            if not data and not Patient(self._pump).pump_has_power:
                raise PowerLost
            self._end.receive(data, _now_us())
            self._end.advance(_now_us())


@dataclass
class Programmer:
    """The reference programmer on one machine, in the test's own process. Each call is a run of it."""

    home: Home
    pump: ServedPump

    def bolus(self, op_id: int, before_execute: Callable[[], object] | None = None) -> Report:
        """Give the bolus of these tests under an op id; raises PowerLost."""
        serial_number = int(self.pump.serial_number, 16)
        with (
            HostLine(self.pump) as line,
            open_book(RealDisk(), self.home.state, serial_number, DEADLINE_S) as book_file,
        ):
            host = Host(book_file.book, Role.CLINICIAN, HOST_ID)
            hands = _Hands(line, book_file, before_execute)
            report = run(deliver_bolus(host, BolusOrder(BolusKind.SINGLE, BOLUS_NL, BOLUS_S), op_id), hands)
            run(close(host, report), hands)
        return report

    def query(self, op_id: int) -> OpQueryAnswer:
        """What the pump's ledger says of an operation."""
        with HostLine(self.pump) as line:
            return line.ask(OpQueryRequest(role=Role.CLINICIAN, op_id=op_id), OpQueryAnswer)


@dataclass
class _Hands:
    line: HostLine
    book_file: BookFile
    before_execute: Callable[[], object] | None

    def ask(self, message: object) -> Reply:
        if isinstance(message, BolusExecuteRequest) and self.before_execute is not None:
            self.before_execute()
        return self.line.reply(message)

    def keep(self, book: Book) -> None:
        self.book_file.keep(book)

    def pause(self, duration_us: int) -> None:
        raise AssertionError(f"nothing here makes a host wait {duration_us} us")

    def tell(self, sentence: str) -> None:
        assert sentence.endswith(".")


def _now_us() -> int:
    return time.monotonic_ns() // 1_000
