"""Programming a pump that does not do as it should: what it does wrong is found out before anything is committed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.programmer.book import Book
from emulator.programmer.effects import NoPump, Reply, run
from emulator.programmer.ledger import Host
from emulator.programmer.program_file import ProgramFileError, read_program_file
from emulator.programmer.program_image import Program, program_of
from emulator.programmer.programming import (
    MAX_READINGS,
    NotActive,
    Prepared,
    ProgramRefused,
    Staged,
    StageDiffers,
    Unchanged,
    prepare_program,
    read_program,
    require_active,
)
from protocol.fields import UNKNOWN_U32
from protocol.framing import crc32
from protocol.host_end import Answered, Refused
from protocol.messages.codes import Block, Mode
from protocol.messages.link import CapsRequest
from protocol.messages.program import (
    BLOCKS,
    ProgramAbortAnswer,
    ProgramAbortRequest,
    ProgramBeginAnswer,
    ProgramBeginRequest,
    ProgramValidateAnswer,
    ProgramValidateRequest,
    ProgramWriteAnswer,
    ProgramWriteRequest,
    StageReadAnswer,
    StageReadRequest,
)
from protocol.messages.read import TherapyReadAnswer, TherapyReadRequest
from protocol.refusals import Nak, NakCode
from tests.programmer.programs import CAPS, FIRST, NEW, NEW_TEXT, PROGRAMS, summary_of

FILE = read_program_file("new.toml", NEW_TEXT.encode())
image_of = cache(Program.image)


@cache
def quantised_image(image: bytes) -> bytes:
    """What a pump that does as it should makes of an image."""
    return program_of(image).quantised(CAPS).image()


@dataclass
class OddPump:
    """A pump in INSECURE mode that stages as it should, but for what a test has it do.

    active          the active program, read by read; the last one for good
    part_bytes      how many bytes a part has at most
    crc32_off       added to the checksum of the active program
    stages          what it makes of a staged image
    odd             answers to requests of a class, in the place of the right ones
    """

    active: list[Program] = field(default_factory=lambda: [FIRST])
    part_bytes: int = 192
    crc32_off: int = 0
    stages: Callable[[bytes], bytes] = quantised_image
    odd: dict[type, Callable[[Any], object]] = field(default_factory=dict)
    asked: list[object] = field(default_factory=list)
    written: dict[Block, bytes] = field(default_factory=dict)

    def ask(self, message: object) -> Reply:
        self.asked.append(message)
        odd = self.odd.get(type(message))
        answer = odd(message) if odd is not None else self._answer(message)
        return Refused(answer, 1) if isinstance(answer, Nak) else Answered(answer, 1)

    def keep(self, book: Book) -> None:
        raise AssertionError(f"nothing was to be booked: {book}")

    def pause(self, duration_us: int) -> None:
        raise AssertionError(f"nothing was to be waited for: {duration_us}")

    def tell(self, sentence: str) -> None:
        raise AssertionError(f"nothing was to be said: {sentence}")

    def staged_image(self) -> bytes:
        return self.stages(b"".join(self.written[block] for block in BLOCKS))

    def summary(self) -> ProgramValidateAnswer:
        return summary_of(program_of(self.staged_image()))

    def _answer(self, message: object) -> object:
        match message:
            case CapsRequest():
                return CAPS
            case TherapyReadRequest(offset=at):
                image = image_of(self.active[0])
                if len(self.active) > 1 and at + self.part_bytes >= len(image):
                    self.active.pop(0)
                checksum = (crc32(image) + self.crc32_off) & UNKNOWN_U32
                return TherapyReadAnswer(crc32=checksum, block_size=len(image), data=image[at : at + self.part_bytes])
            case ProgramBeginRequest():
                return ProgramBeginAnswer(stage_id=7)
            case ProgramWriteRequest(block=block, offset=at, data=data):
                self.written[block] = self.written.get(block, b"")[:at] + data
                return ProgramWriteAnswer(written=len(self.written[block]))
            case ProgramValidateRequest():
                return self.summary()
            case StageReadRequest(offset=at):
                image = self.staged_image()
                return StageReadAnswer(block_size=len(image), data=image[at : at + self.part_bytes])
            case ProgramAbortRequest():
                return ProgramAbortAnswer()
        raise AssertionError(f"nobody expected {message}")

    def prepared(self) -> Prepared:
        return run(prepare_program(Host(Book(serial_number=1)), FILE, settling=False), self)

    @property
    def aborted(self) -> bool:
        return any(isinstance(message, ProgramAbortRequest) for message in self.asked)


@given(st.integers(1, 192), PROGRAMS)
def test_an_image_comes_in_parts_of_any_size(part_bytes: int, program: Program) -> None:
    assert run(read_program(), OddPump(active=[program], part_bytes=part_bytes)) == program


@given(st.integers(1, 192))
def test_a_stage_is_read_back_in_parts_of_any_size(part_bytes: int) -> None:
    staged = OddPump(part_bytes=part_bytes).prepared()
    assert isinstance(staged, Staged)
    assert staged.new == NEW


def test_a_program_that_is_replaced_between_two_parts_is_read_again() -> None:
    pump = OddPump()
    # An image comes in four parts.
    images = [FIRST, *[NEW] * 3, *[NEW] * 4]

    def part(message: TherapyReadRequest) -> TherapyReadAnswer:
        image = images.pop(0).image()
        return TherapyReadAnswer(
            crc32=crc32(image), block_size=len(image), data=image[message.offset : message.offset + 192]
        )

    pump.odd[TherapyReadRequest] = part
    assert run(read_program(), pump) == NEW
    assert images == []


def test_a_checksum_that_never_matches_is_no_program() -> None:
    pump = OddPump(crc32_off=1)
    with pytest.raises(NoPump, match="checksum"):
        run(read_program(), pump)
    in_parts = -(-len(FIRST.image()) // pump.part_bytes)
    assert len(pump.asked) == MAX_READINGS * in_parts


@pytest.mark.parametrize(
    ("size", "data"), [(715, b""), (10, bytes(20)), (65_535, bytes(192))], ids=["empty", "too much", "without end"]
)
def test_parts_that_make_no_image(size: int, data: bytes) -> None:
    pump = OddPump()
    pump.odd[TherapyReadRequest] = lambda _: TherapyReadAnswer(crc32=0, block_size=size, data=data)
    with pytest.raises(NoPump):
        run(read_program(), pump)
    assert len(pump.asked) < 200


def test_an_image_of_another_layout() -> None:
    pump = OddPump()
    pump.odd[TherapyReadRequest] = lambda _: TherapyReadAnswer(crc32=crc32(b"new"), block_size=3, data=b"new")
    with pytest.raises(NoPump, match="cannot read"):
        run(read_program(), pump)


def test_a_program_that_changes_between_the_reading_and_the_revision_is_read_again() -> None:
    low = replace(FIRST, low_reservoir_nl=3_000_000)
    staged = OddPump(active=[FIRST, low]).prepared()
    assert isinstance(staged, Staged)
    assert (staged.old, staged.new) == (low, replace(NEW, low_reservoir_nl=3_000_000))
    with pytest.raises(NoPump, match="went on changing"):
        OddPump(active=[FIRST, low] * 5).prepared()


def test_a_pump_that_stages_something_else_is_found_out() -> None:
    louder = replace(NEW, rate_nl_per_day=501_000).image()
    pump = OddPump(stages=lambda _: louder)
    with pytest.raises(StageDiffers):
        pump.prepared()
    assert pump.aborted


@pytest.mark.parametrize(
    "wrong", [{"crc32": 1}, {"image_size": 714}, {"rate_nl_per_day": 499_000}, {"mode": Mode.MINIMUM_RATE}]
)
def test_a_summary_that_contradicts_the_stage_is_found_out(wrong: dict[str, Any]) -> None:
    pump = OddPump()
    pump.odd[ProgramValidateRequest] = lambda _: replace(pump.summary(), **wrong)
    with pytest.raises(NoPump):
        pump.prepared()


def test_a_part_that_was_not_written_as_a_whole_is_found_out() -> None:
    pump = OddPump()
    pump.odd[ProgramWriteRequest] = lambda message: ProgramWriteAnswer(written=len(message.data) - 1)
    with pytest.raises(NoPump, match="bytes of DRUGS"):
        pump.prepared()


def test_a_refusal_says_what_was_asked_and_leaves_no_stage() -> None:
    nak = Nak(NakCode.ABOVE_MAXIMUM, field=1, element=Block.INFUSION, detail=400_000)
    pump = OddPump()
    pump.odd[ProgramValidateRequest] = lambda _: nak
    with pytest.raises(ProgramRefused) as caught:
        pump.prepared()
    assert caught.value.nak == nak
    assert caught.value.program.rate_nl_per_day == 500_500
    assert pump.aborted


def test_a_pump_that_is_set_already_is_not_touched() -> None:
    pump = OddPump(active=[NEW])
    assert pump.prepared() == Unchanged(NEW, CAPS)
    assert not any(isinstance(message, ProgramBeginRequest) for message in pump.asked)


def test_a_file_that_this_pump_cannot_run_stages_nothing() -> None:
    pump = OddPump()
    too_fast = read_program_file("fast.toml", b"[infusion]\nrate = '30mL/day'")
    with pytest.raises(ProgramFileError):
        run(prepare_program(Host(Book(serial_number=1)), too_fast, settling=False), pump)
    assert not any(isinstance(message, ProgramBeginRequest) for message in pump.asked)


def test_another_active_program_than_the_committed_one_is_found_out() -> None:
    run(require_active(NEW), OddPump(active=[NEW]))
    with pytest.raises(NotActive, match=f"{FIRST.crc32:08X} instead of {NEW.crc32:08X}"):
        run(require_active(NEW), OddPump())
