"""Staging: whatever is written, the active program is the old one until a commit makes it what was validated."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from firmware_model.commands import (
    BlockWritten,
    ProgramAborted,
    ProgramPart,
    ProgramValidated,
    Reason,
    Refusal,
    StageBegun,
    StagePart,
)
from firmware_model.firmware.codes import Block, Mode, OpState, Role
from firmware_model.firmware.program import (
    BLOCK_BYTES,
    IMAGE_BYTES,
    Program,
    check_image,
    check_limits,
    quantised,
    unpack_program,
)
from firmware_model.firmware.schedule import Change
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import BLOCKS, new_program, programs_near, wire_blocks, wire_image
from tests.firmware_model.pump_profiles import LONG_LOG

FASTER = new_program(rate_nl_per_day=17_280_000, bolus_volume_max_nl=20_000)
"""One step in five seconds instead of ten, and smaller boluses."""
SESSIONS = (1, 2, 3, 4, 5)


def in_mode(mode: Mode, rate: int) -> Program:
    """A program of any mode, with this rate where it has one."""
    return new_program(
        mode=mode,
        rate_nl_per_day=rate,
        dose_volume_nl=5_000,
        dose_duration_s=60,
        dose_interval_s=3_600,
        schedule=((Change(0, rate),),) * 7,
    )


class Staging(RuleBasedStateMachine):
    """Five sessions at one pump. `parts` is what a host would say that it has staged."""

    def __init__(self) -> None:
        super().__init__()
        self.bedside = Bedside()
        self.runs(self.bedside.pump.firmware.record.program)
        self.ids: dict[int, int] = {}
        self.given_ids: set[int] = set()
        self.parts: dict[int, dict[Block, bytes]] = {}
        self.validated: dict[int, tuple[Program, int]] = {}

    def runs(self, program: Program) -> None:
        """From now on this is the active program; `blocks` are its blocks as the wire has them."""
        self.active, self.blocks = program, wire_blocks(program)

    def forget(self, *sessions: int) -> None:
        for session in sessions:
            self.parts.pop(session, None)
            self.validated.pop(session, None)

    @rule(session=st.sampled_from(SESSIONS))
    def begin(self, session: int) -> None:
        reply = self.bedside.begin(session)
        assert isinstance(reply, StageBegun)
        assert reply.stage_id not in self.given_ids
        self.given_ids.add(reply.stage_id)
        self.forget(session)
        if len(self.parts) == 4:
            self.forget(min(self.parts, key=self.ids.__getitem__))
        self.ids[session] = reply.stage_id
        self.parts[session] = dict.fromkeys(BLOCKS, b"")

    def write(self, session: int, block: Block, offset: int, data: bytes) -> None:
        reply = self.bedside.write(self.ids.get(session, 0), block, offset, data, session)
        if session not in self.parts:
            assert reply == Refusal(Reason.NOTHING_STAGED, "stage_id")
            return
        if block is Block.IMAGE:
            assert reply == Refusal(Reason.BLOCK_SEQUENCE, "block", element=block)
            return
        before, size = self.parts[session][block], BLOCK_BYTES[block]
        if offset not in (0, len(before)):
            assert reply == Refusal(Reason.BLOCK_SEQUENCE, "offset", element=block, detail=len(before))
        elif offset + len(data) > size:
            assert reply == Refusal(Reason.BLOCK_SEQUENCE, "data", element=block, detail=size)
        else:
            self.parts[session][block] = (before if offset else b"") + data
            self.validated.pop(session, None)
            assert reply == BlockWritten(offset + len(data))

    @rule(session=st.sampled_from(SESSIONS), block=st.sampled_from(Block), offset=st.integers(0, 5), data=st.binary())
    def write_anything(self, session: int, block: Block, offset: int, data: bytes) -> None:
        self.write(session, block, offset, data)

    @rule(session=st.sampled_from(SESSIONS), block=st.sampled_from(BLOCKS), data=st.binary(min_size=1, max_size=60))
    def write_on(self, session: int, block: Block, data: bytes) -> None:
        self.write(session, block, len(self.parts.get(session, {}).get(block, b"")), data)

    @rule(
        session=st.sampled_from(SESSIONS),
        program=programs_near(LONG_LOG),
        order=st.permutations(BLOCKS),
        cuts=st.lists(st.integers(0, 100), min_size=len(BLOCKS), max_size=len(BLOCKS)),
    )
    def write_a_program(self, session: int, program: Program, order: list[Block], cuts: list[int]) -> None:
        """Each block in one part or in two."""
        blocks = wire_blocks(program)
        for block, cut in zip(order, cuts, strict=True):
            content = blocks[block]
            self.write(session, block, 0, content[:cut])
            if content[cut:]:
                self.write(session, block, cut, content[cut:])

    @rule(session=st.sampled_from(SESSIONS))
    def validate(self, session: int) -> None:
        reply = self.bedside.validate(self.ids.get(session, 0), session)
        if session not in self.parts:
            assert reply == Refusal(Reason.NOTHING_STAGED, "stage_id")
            return
        parts = self.parts[session]
        missing = [block for block in BLOCKS if len(parts[block]) < BLOCK_BYTES[block]]
        if missing:
            expected = Refusal(Reason.BLOCK_SEQUENCE, element=missing[0], detail=len(parts[missing[0]]))
            assert reply == expected
            return
        image = b"".join(parts.values())
        if refusal := check_image(image) or check_limits(unpack_program(image), LONG_LOG):
            assert reply == refusal
            return
        program = quantised(unpack_program(image), LONG_LOG)
        assert isinstance(reply, ProgramValidated)
        assert reply.crc32 == program.crc32()
        self.validated[session] = program, self.bedside.therapy_rev()

    @rule(session=st.sampled_from(SESSIONS), block=st.sampled_from(Block), offset=st.integers(0, 120))
    def read_back(self, session: int, block: Block, offset: int) -> None:
        reply = self.bedside.read_stage(self.ids.get(session, 0), block, offset, 20, session)
        if session not in self.validated:
            assert reply == Refusal(Reason.NOTHING_STAGED, "stage_id")
            return
        program, _ = self.validated[session]
        whole = wire_image(program) if block is Block.IMAGE else wire_blocks(program)[block]
        assert reply == StagePart(len(whole), whole[offset : offset + 20])

    @rule(
        session=st.sampled_from(SESSIONS),
        rate=st.integers(1, 24_000_000),
        mode=st.sampled_from(Mode),
        at_once=st.booleans(),
    )
    def stage_and_validate(self, session: int, rate: int, mode: Mode, at_once: bool) -> None:
        self.begin(session)
        self.write_a_program(session, in_mode(mode, rate), list(BLOCKS), [60, 2, 8, 0, 4, 8, 4])
        self.validate(session)
        assert session in self.validated
        if at_once:
            self.commit(session, 0)

    @rule(session=st.sampled_from(SESSIONS), wrong=st.sampled_from([0, 0, 0, 1]))
    def commit(self, session: int, wrong: int) -> None:
        """With the CRC-32 of VALIDATE's answer, or with another."""
        program, rev = self.validated.get(session, (self.active, -1))
        reply = self.bedside.commit(self.ids.get(session, 0), program.crc32() ^ wrong, session=session)
        if self.bedside.status().bolus_id and isinstance(reply, Refusal):
            assert reply.reason is Reason.BOLUS_RUNNING
        elif session not in self.validated:
            assert reply == Refusal(Reason.NOTHING_STAGED, "stage_id")
        elif wrong:
            assert reply == Refusal(Reason.STAGE_CHANGED, "crc32")
        elif rev != self.bedside.therapy_rev() - (not isinstance(reply, Refusal)):
            assert reply == Refusal(Reason.STAGE_CHANGED)
        else:
            assert granted(reply).state is OpState.DONE
            self.runs(program)
            self.forget(session)

    @rule(session=st.sampled_from(SESSIONS))
    def abort(self, session: int) -> None:
        reply = self.bedside.abort(self.ids.get(session, 0), session)
        there = session in self.parts
        assert reply == (ProgramAborted() if there else Refusal(Reason.NOTHING_STAGED, "stage_id"))
        self.forget(session)

    @rule(session=st.sampled_from(SESSIONS))
    def end_session(self, session: int) -> None:
        self.bedside.pump.end_session(session, self.bedside.now)
        self.forget(session)

    @rule()
    def stop(self) -> None:
        self.bedside.stop()
        self.forget(*SESSIONS)

    @rule()
    def start(self) -> None:
        self.bedside.start()

    @rule()
    def power(self) -> None:
        self.bedside.cut_power()
        self.bedside.restore_power()
        self.forget(*SESSIONS)

    @rule()
    def give_a_bolus(self) -> None:
        reply = self.bedside.prepare(1_000, 5)
        if not isinstance(reply, Refusal):
            granted(self.bedside.execute(reply.bolus_id, 1_000, 5))  # type: ignore[union-attr]

    @precondition(lambda self: self.bedside.now < 500 * SECOND)
    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.bedside.wait(seconds)

    @invariant()
    def the_active_program_is_the_one_that_was_committed_last(self) -> None:
        crc32, image = self.active.crc32(), b"".join(self.blocks.values())
        limits = self.blocks[Block.LIMITS]
        assert self.bedside.read_program(length=IMAGE_BYTES) == ProgramPart(crc32, IMAGE_BYTES, image)
        assert self.bedside.read_program(Block.LIMITS, 3, 4) == ProgramPart(crc32, len(limits), limits[3:7])


TestStaging = Staging.TestCase
TestStaging.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


GONE = Refusal(Reason.NOTHING_STAGED, "stage_id")


def test_a_stage_has_the_number_of_its_boot_and_dies_with_power() -> None:
    bedside = Bedside()
    first = bedside.staged(FASTER)
    assert first == 1 << 16 | 1
    bedside.cut_power()
    bedside.restore_power()
    assert bedside.validate(first) == GONE
    assert bedside.staged(FASTER) == 2 << 16 | 1


def test_after_65535_stages_of_one_boot_the_numbers_begin_anew() -> None:
    bedside = Bedside()
    bedside.pump.firmware.stages_begun = 65_533
    assert [bedside.staged(FASTER) & 0xFFFF for _ in range(4)] == [65_534, 65_535, 1, 2]
    assert bedside.staged(FASTER) >> 16 == 1


def test_begin_voids_the_older_stage_of_its_session_and_of_no_other() -> None:
    bedside = Bedside()
    first, others = bedside.staged(FASTER), bedside.staged(FASTER, session=2)
    second = bedside.staged(FASTER)
    assert bedside.validate(first) == GONE
    assert isinstance(bedside.validate(second), ProgramValidated)
    assert bedside.validate(others) == GONE, "it is another session's"
    assert isinstance(bedside.validate(others, session=2), ProgramValidated)


def test_the_pump_holds_four_stages_and_the_oldest_gives_way() -> None:
    bedside = Bedside()
    ids = {session: bedside.staged(FASTER, session) for session in (1, 2, 3, 4)}
    ids[1] = bedside.staged(FASTER, 1)
    assert all(isinstance(bedside.validate(stage_id, session), ProgramValidated) for session, stage_id in ids.items())
    bedside.staged(FASTER, 5)
    gone = [session for session, stage_id in ids.items() if bedside.validate(stage_id, session) == GONE]
    assert gone == [2], "the first session's stage is younger"


@pytest.mark.parametrize("end", ["stop", "session", "empty"])
def test_what_ends_a_stage(end: str) -> None:
    bedside = Bedside()
    stage_id, others = bedside.staged(FASTER), bedside.staged(FASTER, session=2)
    match end:
        case "stop":
            bedside.stop()
        case "session":
            bedside.pump.end_session(1, bedside.now)
        case "empty":
            bedside.wait(2_500)
    assert bedside.validate(stage_id) == GONE
    kept = bedside.validate(others, session=2)
    assert isinstance(kept, ProgramValidated) if end == "session" else kept == GONE


def test_a_write_makes_validation_void_even_of_the_very_same_bytes() -> None:
    bedside = Bedside()
    stage_id, told = bedside.validated(FASTER)
    bedside.write(stage_id, Block.LIMITS, 0, wire_blocks(FASTER)[Block.LIMITS])
    assert bedside.read_stage(stage_id) == GONE
    assert bedside.commit(stage_id, told.crc32) == GONE
    assert isinstance(bedside.validate(stage_id), ProgramValidated)
    assert granted(bedside.commit(stage_id, told.crc32)).state is OpState.DONE


def test_a_refused_write_leaves_what_was_validated() -> None:
    bedside = Bedside()
    stage_id, told = bedside.validated(FASTER)
    before = bedside.pump.digest()
    assert refused(bedside.write(stage_id, Block.DRUGS, 7, b"x")).detail == BLOCK_BYTES[Block.DRUGS]
    assert refused(bedside.write(stage_id, Block.ALARMS, 8, b"x")).detail == BLOCK_BYTES[Block.ALARMS] == 8
    assert bedside.pump.digest() == before
    assert granted(bedside.commit(stage_id, told.crc32)).state is OpState.DONE


def test_what_is_missing_is_named_with_how_much_of_it_is_there() -> None:
    bedside = Bedside()
    stage_id, blocks = bedside.staged(FASTER), wire_blocks(FASTER)
    bedside.write(stage_id, Block.ALARMS, 0, b"")
    bedside.write(stage_id, Block.LIMITS, 0, blocks[Block.LIMITS][:5])
    assert bedside.validate(stage_id) == Refusal(Reason.BLOCK_SEQUENCE, element=Block.LIMITS, detail=5)
    assert bedside.write(stage_id, Block.LIMITS, 6, b"x") == Refusal(
        Reason.BLOCK_SEQUENCE, "offset", element=Block.LIMITS, detail=5
    )
    bedside.write(stage_id, Block.LIMITS, 5, blocks[Block.LIMITS][5:])
    assert bedside.validate(stage_id) == Refusal(Reason.BLOCK_SEQUENCE, element=Block.ALARMS, detail=0)
    bedside.write(stage_id, Block.ALARMS, 0, blocks[Block.ALARMS])
    assert isinstance(bedside.validate(stage_id), ProgramValidated)


def test_a_reader_begins_no_program() -> None:
    assert refused(Bedside().begin(role=Role.READER)).reason is Reason.ROLE
