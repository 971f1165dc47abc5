"""Programming a pump, as one transaction: staged, validated, read back, shown to a person, and committed once.

Rules of this file:

- What a person is shown is the image that the pump has staged and would run, not what was written.
- Earlier intentions are settled before anything is staged. COMMIT quotes the revision that was read then, so that it is
  refused if therapy has changed while the person looked. A pump that stands still while it is programmed moves the
  revision by that, so it is read once more.
- A commit is known by the CRC-32 of its image. The same file gives the same image, so that a later run finds out what
  became of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from emulator.programmer.effects import Ask, NoPump, Procedure, PumpRefused, read
from emulator.programmer.ledger import Host, read_op_list
from emulator.programmer.outcomes import Taken
from emulator.programmer.program_file import ProgramFile
from emulator.programmer.program_image import Program, program_of
from emulator.programmer.program_limits import wanted_program
from emulator.programmer.rules import Report, carry_out, settle, tell_earlier
from protocol.framing import crc32
from protocol.messages.codes import Block
from protocol.messages.link import CapsAnswer, CapsRequest
from protocol.messages.program import (
    BLOCK_PART_MAX,
    ProgramAbortRequest,
    ProgramBeginAnswer,
    ProgramBeginRequest,
    ProgramCommitRequest,
    ProgramValidateAnswer,
    ProgramValidateRequest,
    ProgramWriteAnswer,
    ProgramWriteRequest,
    StageReadAnswer,
    StageReadRequest,
)
from protocol.messages.read import TherapyReadAnswer, TherapyReadRequest
from protocol.refusals import Nak

MAX_READINGS: Final = 5
MAX_BEGINNINGS: Final = 3
MAX_IMAGE_BYTES: Final = 4_096

P = TypeVar("P", TherapyReadAnswer, StageReadAnswer)


@dataclass(frozen=True, slots=True)
class Staged:
    """A program that waits in the pump for a person's word. `new` is what will really run, `asked` what was written."""

    stage_id: int
    caps: CapsAnswer
    old: Program
    asked: Program
    new: Program
    summary: ProgramValidateAnswer


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The pump has this program already."""

    program: Program
    caps: CapsAnswer


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of an earlier run: nothing new was begun. `active` is the program that the pump has."""

    report: Report
    active: Program
    caps: CapsAnswer


Prepared = Staged | Unchanged | Earlier


class ProgramRefused(PumpRefused):
    """The pump refused a program that changes nothing yet: `program` is what was asked of it."""

    def __init__(self, nak: Nak, request: object, program: Program) -> None:
        super().__init__(nak, request)
        self.program = program


class StageDiffers(Exception):
    """The pump staged something else than was written, beyond the quantisation that it may do."""

    def __init__(self, expected: Program, staged: Program) -> None:
        super().__init__(f"{staged.crc32:08X} instead of {expected.crc32:08X}")
        self.expected = expected
        self.staged = staged


class StageGone(Exception):
    """The stage did not outlive the person's thinking; the message is why. Nothing has changed."""


class NotActive(Exception):
    """The commit was taken, and yet another program is active."""

    def __init__(self, wanted: Program, active: Program) -> None:
        super().__init__(f"{active.crc32:08X} instead of {wanted.crc32:08X}")
        self.wanted = wanted
        self.active = active


def read_program() -> Procedure[Program]:
    """The active program: all parts of one image whose checksum is right."""
    for _ in range(MAX_READINGS):
        found = yield from _read_image(_active_part, TherapyReadAnswer)
        # It may have been replaced between two parts; a wrong checksum can come of that as well.
        if found is None:
            continue
        image, parts = found
        if {part.crc32 for part in parts} == {crc32(image)}:
            return _decoded(image)
    raise NoPump("the pump's program went on changing, or does not match its own checksum")


def prepare_program(
    host: Host, file: ProgramFile, op_id: int | None = None, *, settling: bool = True
) -> Procedure[Prepared]:
    """Settle what earlier runs left, and stage what a file asks for. Raises ProgramFileError for what cannot be.

    `settling`: False for who only wants to see, and will not commit.
    """
    for _ in range(MAX_BEGINNINGS):
        caps = yield from read(CapsRequest(), CapsAnswer)
        old = yield from read_program()
        asked = wanted_program(file, old, caps)
        expected = asked.quantised(caps)
        earlier = (yield from settle(host, command_of(expected), op_id)) if settling else None
        # The revision that COMMIT will quote was read just now: the program that is shown must be that revision's.
        if (yield from read_program()) != old:
            continue
        if earlier is not None:
            overtaken = isinstance(earlier.outcome, Taken) and expected != old
            if op_id is not None or not overtaken:
                return Earlier(earlier, old, caps)
            # It was taken, and the program has changed again since: whoever asks now means now.
            yield from tell_earlier(host, earlier)
        if expected == old:
            return Unchanged(old, caps)
        staged = yield from _stage(caps, old, asked)
        if not (settling and caps.stops_while_programming) or (yield from _moved_by_stage_alone(host)):
            return staged
        yield from abort_stage(staged.stage_id)
    raise NoPump("the pump's program went on changing while it was read")


def commit_program(host: Host, staged: Staged, op_id: int | None = None) -> Procedure[Report]:
    """Make a staged program the active one, once; raises StageGone while nothing has been sent."""
    yield from _require_stage(staged)

    def build(chosen: int, therapy_rev: int) -> object:
        return ProgramCommitRequest(
            stage_id=staged.stage_id, crc32=staged.summary.crc32, op_id=chosen, therapy_rev=therapy_rev
        )

    return (yield from carry_out(host, command_of(staged.new), build, op_id))


def require_active(program: Program) -> Procedure[None]:
    """Read the active program back; raises NotActive if it is another one."""
    active = yield from read_program()
    if active != program:
        raise NotActive(program, active)


def abort_stage(stage_id: int) -> Procedure[None]:
    """Give a stage up. Whatever comes of it, nothing of therapy has changed: the stage dies with the session."""
    yield Ask(ProgramAbortRequest(stage_id=stage_id))


def command_of(program: Program) -> str:
    """The text by which a later run knows that it commits the same."""
    return f"program {program.crc32:08X}"


def _moved_by_stage_alone(host: Host) -> Procedure[bool]:
    """Book the revision of a pump that a stage has brought to a stand, if nothing else has moved it since it was read.

    Should it move behind this, the stage is void by that.
    """
    before = host.book.op_list
    now = yield from read_op_list(host)
    return before is None or (now.therapy_rev <= before.therapy_rev + 1 and now.entries == before.entries)


def _stage(caps: CapsAnswer, old: Program, asked: Program) -> Procedure[Staged]:
    begun = yield from read(ProgramBeginRequest(), ProgramBeginAnswer)
    stage_id = begun.stage_id
    try:
        for block, data in asked.blocks().items():
            yield from _write(stage_id, block, data)
        summary = yield from read(ProgramValidateRequest(stage_id=stage_id), ProgramValidateAnswer)
        new = yield from _read_stage(stage_id, summary)
        if (summary.mode, summary.rate_nl_per_day) != (new.mode, new.flow_nl_per_day(caps)):
            raise NoPump("the pump's summary of the staged program says something else than the program")
        if new != asked.quantised(caps):
            raise StageDiffers(asked.quantised(caps), new)
    except (PumpRefused, StageDiffers) as error:
        yield from abort_stage(stage_id)
        if isinstance(error, PumpRefused):
            raise ProgramRefused(error.nak, error.request, asked) from error
        raise
    return Staged(stage_id, caps, old, asked, new, summary)


def _write(stage_id: int, block: Block, data: bytes) -> Procedure[None]:
    for at in range(0, len(data), BLOCK_PART_MAX):
        part = data[at : at + BLOCK_PART_MAX]
        answer = yield from read(
            ProgramWriteRequest(stage_id=stage_id, block=block, offset=at, data=part), ProgramWriteAnswer
        )
        if answer.written != at + len(part):
            raise NoPump(f"the pump holds {answer.written} bytes of {block.name} where {at + len(part)} were written")


def _read_stage(stage_id: int, summary: ProgramValidateAnswer) -> Procedure[Program]:
    def part(at: int) -> StageReadRequest:
        return StageReadRequest(stage_id=stage_id, block=Block.IMAGE, offset=at, length=BLOCK_PART_MAX)

    found = yield from _read_image(part, StageReadAnswer)
    image = found[0] if found is not None else b""
    if (len(image), crc32(image)) != (summary.image_size, summary.crc32):
        raise NoPump("what the pump has staged does not match the checksum that it gave")
    return _decoded(image)


def _active_part(at: int) -> TherapyReadRequest:
    return TherapyReadRequest(block=Block.IMAGE, offset=at, length=BLOCK_PART_MAX)


def _read_image(request: Callable[[int], object], answer: type[P]) -> Procedure[tuple[bytes, list[P]] | None]:
    """An image in parts, or None if the parts are not those of one image."""
    image, parts = b"", []
    while True:
        part = yield from read(request(len(image)), answer)
        parts.append(part)
        image += part.data
        if {each.block_size for each in parts} != {part.block_size} or len(image) > part.block_size:
            return None
        if len(image) == part.block_size:
            return image, parts
        if not part.data or len(image) > MAX_IMAGE_BYTES:
            return None


def _require_stage(staged: Staged) -> Procedure[None]:
    """A session can have ended while a person thought; to find that out with COMMIT would leave its outcome open."""
    probe = StageReadRequest(stage_id=staged.stage_id, block=Block.IMAGE, offset=0, length=1)
    try:
        yield from read(probe, StageReadAnswer)
    except PumpRefused as refused:
        raise StageGone(f"the pump holds the staged program no longer ({refused})") from refused
    except NoPump as error:
        raise StageGone(str(error)) from error


def _decoded(image: bytes) -> Program:
    try:
        return program_of(image)
    except ValueError as error:
        raise NoPump(f"the pump has a program that this programmer cannot read: {error}") from error
