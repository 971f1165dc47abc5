"""Every transition of the firmware's tables of lives, walked at a real device by what a host can send and a tester do.

The specification draws its diagrams from these tables, so each arrow there is one case here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import pytest

from emulator.inputs import CutPower, RestorePower
from firmware_model.firmware.codes import AlarmState, Mode, OpState, RunState
from firmware_model.firmware.lives.alarm import ALARM_LIFE, FORGETTABLE, NOT_LISTED, AlarmDeed
from firmware_model.firmware.lives.lease import LEASE_LIFE, LeaseDeed, LeaseState
from firmware_model.firmware.lives.op import OP_LIFE, OpDeed
from firmware_model.firmware.lives.run import RUN_LIFE, RunDeed
from firmware_model.firmware.lives.stage import STAGE_LIFE, StageDeed, StageState
from firmware_model.firmware.program import Program
from firmware_model.profile import Profile
from protocol.host_end import Answered, Refused
from protocol.messages import alarm, program, read, routine
from protocol.messages.codes import AlarmType, Block
from protocol.messages.deliver import BolusPrepareAnswer, StopRequest
from protocol.refusals import NakCode
from tests.device.desk import Desk, arm, execute, new_device, turned
from tests.firmware_model.drug_programs import new_program, wire_blocks
from tests.firmware_model.pump_profiles import LONG_LOG, shipped

BOLUS_NL, BOLUS_S = 20_000, 1_000
PART = 192
OP = 2
"""The op id in question; 1 is left out, so that an op id can be overtaken."""


@dataclass
class Bedside(Desk):
    """A host at an insecure pump, with op ids of its own for what only leads up to something."""

    next_op: int = 100
    lease: BolusPrepareAnswer | None = None
    stage_id: int = 0
    crc32: int = 0
    instance: int = 0

    def op(self) -> int:
        self.next_op += 1
        return self.next_op

    def begin_stage(self, wanted: Program | None = None) -> None:
        self.stage_id = self.ask(program.ProgramBeginRequest()).stage_id
        for block, content in wire_blocks(wanted or new_program(low_reservoir_nl=110_000)).items():
            for at in range(0, len(content), PART):
                self.ask(self.part_of(Block[block.name], at, content[at : at + PART]))

    def part_of(self, block: Block, offset: int, data: bytes) -> program.ProgramWriteRequest:
        return program.ProgramWriteRequest(stage_id=self.stage_id, block=block, offset=offset, data=data)

    def validate(self) -> None:
        self.crc32 = self.ask(program.ProgramValidateRequest(stage_id=self.stage_id)).crc32

    def commit(self) -> None:
        self.ask(self.commit_request())

    def commit_request(self) -> program.ProgramCommitRequest:
        return program.ProgramCommitRequest(
            stage_id=self.stage_id, crc32=self.crc32, op_id=self.op(), therapy_rev=self.rev()
        )

    def set_program(self, wanted: Program | None = None) -> None:
        self.begin_stage(wanted)
        self.validate()
        self.commit()

    def refill(self, volume_nl: int = 900_000) -> None:
        begun = self.ask(routine.RefillBeginRequest())
        nothing = (routine.RefillDrug(name="", concentration_ng_per_ml=0),) * routine.REFILL_DRUGS_MAX
        self.ask(
            routine.RefillCommitRequest(
                refill_id=begun.refill_id,
                measured_nl=begun.computed_nl,
                volume_nl=volume_nl,
                volume_complement=turned(volume_nl),
                drugs=nothing,
                op_id=self.op(),
                therapy_rev=self.rev(),
            )
        )

    def power_cycle(self) -> None:
        self.device.control(CutPower(), self.device.now_us)
        self.device.control(RestorePower(), self.device.now_us)
        self.open()

    def alarms(self) -> dict[int, alarm.AlarmEntry]:
        listed: dict[int, alarm.AlarmEntry] = {}
        while True:
            page = self.ask(alarm.AlarmListRequest(from_instance=max(listed, default=0) + 1 if listed else 0)).alarms
            listed |= {entry.instance: entry for entry in page}
            if not page:
                return listed


@pytest.fixture
def desk() -> Bedside:
    return opened()


def opened(profile: Profile = LONG_LOG) -> Bedside:
    made = Bedside(new_device(profile))
    made.open()
    return made


Lead = Callable[[Bedside], object]


def nothing(_: Bedside) -> None:
    """It is so from the first."""


def in_turn(*steps: Lead) -> Lead:
    def lead(desk: Bedside) -> None:
        for step in steps:
            step(desk)

    return lead


# Operations


def take_bolus(desk: Bedside) -> None:
    desk.bolus(BOLUS_NL, BOLUS_S, OP)


def let_half_flow(desk: Bedside) -> None:
    desk.wait(BOLUS_S / 2)


def cancel(desk: Bedside) -> None:
    desk.cancel(1, desk.op())


OPS: Mapping[OpState, Lead] = {
    OpState.NOT_SEEN: nothing,
    OpState.EXECUTING: take_bolus,
    OpState.DONE: lambda desk: desk.stop(OP),
    OpState.PARTIAL: in_turn(take_bolus, let_half_flow, cancel),
    OpState.REJECTED: in_turn(take_bolus, cancel),
    OpState.NEVER_TAKEN: lambda desk: desk.stop(OP + 1),
}
OP_DEEDS: Mapping[OpDeed, Lead] = {
    OpDeed.TAKE_BOLUS: take_bolus,
    OpDeed.TAKE: lambda desk: desk.stop(OP),
    OpDeed.COMPLETE: lambda desk: desk.wait(BOLUS_S),
    OpDeed.CUT_SHORT: in_turn(let_half_flow, cancel),
    OpDeed.NOT_MOVE: cancel,
    OpDeed.OVERTAKE: lambda desk: desk.stop(OP + 1),
    OpDeed.PUSH_OUT: lambda desk: [desk.stop(desk.op()) for _ in range(LONG_LOG.memory.ledger_entries_per_role)],
}


@pytest.mark.parametrize(("state", "deed"), OP_LIFE, ids=lambda each: each.name)
def test_an_operation_lives_as_the_table_says(desk: Bedside, state: OpState, deed: OpDeed) -> None:
    OPS[state](desk)
    assert desk.query(OP).state.name == state.name
    OP_DEEDS[deed](desk)
    assert desk.query(OP).state.name == OP_LIFE[state, deed].name


# Leases


def prepare(desk: Bedside) -> None:
    desk.lease = desk.prepared(BOLUS_NL, BOLUS_S)


def execute_lease(desk: Bedside) -> None:
    assert desk.lease is not None
    desk.ask(execute(desk.lease, desk.op(), desk.rev()))
    desk.wait(BOLUS_S)


LEASE_DEEDS: Mapping[LeaseDeed, Lead] = {
    LeaseDeed.PREPARE: prepare,
    LeaseDeed.EXECUTE: execute_lease,
    LeaseDeed.RUN_OUT: lambda desk: desk.wait(LONG_LOG.bolus.lease_s),
    LeaseDeed.REPLACE: lambda desk: desk.prepared(BOLUS_NL, BOLUS_S),
    LeaseDeed.END_SESSION: in_turn(Bedside.close, Bedside.open),
    LeaseDeed.HALT: in_turn(lambda desk: desk.stop(desk.op()), lambda desk: desk.start(desk.op())),
    LeaseDeed.CHANGE: Bedside.set_program,
}
EXECUTE_SAYS = {
    LeaseState.NONE: NakCode.NO_SUCH_BOLUS,
    LeaseState.EXECUTED: NakCode.LEASE_EXPIRED,
    LeaseState.VOID: NakCode.LEASE_EXPIRED,
}


def executing_says(desk: Bedside) -> NakCode | None:
    """What an EXECUTE gets, of the lease that was taken or, if none was, of the bolus id that will be the next."""
    lease = desk.lease or BolusPrepareAnswer(
        bolus_id=1, volume_nl=BOLUS_NL, duration_s=BOLUS_S, steps=20, lease_s=30, available_nl=0
    )
    event = desk.exchange(execute(lease, desk.op(), desk.rev()))
    return event.nak.code if isinstance(event, Refused) else None


@pytest.mark.parametrize(("state", "deed"), LEASE_LIFE, ids=lambda each: each.name)
def test_a_lease_lives_as_the_table_says(desk: Bedside, state: LeaseState, deed: LeaseDeed) -> None:
    if state is LeaseState.HELD:
        prepare(desk)
    else:
        assert executing_says(desk) == EXECUTE_SAYS[state]
    LEASE_DEEDS[deed](desk)
    assert executing_says(desk) == EXECUTE_SAYS.get(LEASE_LIFE[state, deed])


@pytest.mark.parametrize("what", ["lease", "stage"])
def test_an_alarm_that_stops_the_pump_voids_what_was_prepared(desk: Bedside, what: str) -> None:
    """The other half of the deed HALT: the reservoir runs empty within the lease."""
    desk.wait(2_490)
    if what == "lease":
        desk.prepared(1_000, BOLUS_S)
    else:
        desk.begin_stage()
    desk.wait(29)
    assert desk.ask(read.StatusRequest()).run_state.name == "STOPPED"
    firmware = desk.device.pump.firmware
    assert (firmware.leases, firmware.stages) == ([], [])


# Stages

STAGES: Mapping[StageState, Lead] = {
    StageState.NONE: nothing,
    StageState.WRITTEN: Bedside.begin_stage,
    StageState.VALIDATED: in_turn(Bedside.begin_stage, Bedside.validate),
}
STAGE_DEEDS: Mapping[StageDeed, Lead] = {
    StageDeed.BEGIN: Bedside.begin_stage,
    StageDeed.WRITE: lambda desk: desk.ask(desk.part_of(Block.CATHETER, 0, bytes(4))),
    StageDeed.VALIDATE: Bedside.validate,
    StageDeed.READ: lambda desk: desk.ask(_stage_read(desk)),
    StageDeed.COMMIT: Bedside.commit,
    StageDeed.ABORT: lambda desk: desk.ask(program.ProgramAbortRequest(stage_id=desk.stage_id)),
    StageDeed.REPLACE: lambda desk: desk.ask(program.ProgramBeginRequest()),
    StageDeed.END_SESSION: in_turn(Bedside.close, Bedside.open),
    StageDeed.HALT: lambda desk: desk.stop(desk.op()),
}


def _stage_read(desk: Bedside) -> program.StageReadRequest:
    return program.StageReadRequest(stage_id=desk.stage_id, block=Block.IMAGE, offset=0, length=PART)


def stage_state(desk: Bedside) -> StageState:
    """By what a host is told: what can be read is validated, what can be validated is written."""
    if not desk.stage_id:
        return StageState.NONE
    if isinstance(desk.exchange(_stage_read(desk)), Answered):
        return StageState.VALIDATED
    if isinstance(desk.exchange(program.ProgramValidateRequest(stage_id=desk.stage_id)), Answered):
        return StageState.WRITTEN
    active = desk.ask(read.TherapyReadRequest(block=Block.IMAGE, offset=0, length=1)).crc32
    return StageState.COMMITTED if active == desk.crc32 else StageState.VOID


@pytest.mark.parametrize(("state", "deed"), STAGE_LIFE, ids=lambda each: each.name)
def test_a_stage_lives_as_the_table_says(desk: Bedside, state: StageState, deed: StageDeed) -> None:
    STAGES[state](desk)
    STAGE_DEEDS[deed](desk)
    assert stage_state(desk) is STAGE_LIFE[state, deed]


def test_what_the_table_of_stages_does_not_have_is_refused(desk: Bedside) -> None:
    desk.begin_stage()
    for deed, request in ((StageDeed.READ, _stage_read(desk)), (StageDeed.COMMIT, desk.commit_request())):
        assert (StageState.WRITTEN, deed) not in STAGE_LIFE
        assert desk.refusal(request).code == NakCode.NOTHING_STAGED


# Alarms


def raise_reset(desk: Bedside) -> None:
    desk.power_cycle()
    _see(desk, AlarmType.RESET)


def raise_low_reservoir(desk: Bedside) -> None:
    desk.wait(1_900)
    _see(desk, AlarmType.LOW_RESERVOIR)


def raise_stall(desk: Bedside) -> None:
    arm(desk.device, f"stall for={_STALL_S}s")
    desk.wait(_STALL_S)
    desk.open()
    _see(desk, AlarmType.MOTOR_STALL)
    desk.wait(_STALL_S)
    desk.open()


def stall_again(desk: Bedside) -> None:
    arm(desk.device, "stall")
    desk.wait(_STALL_S)
    desk.open()


def _see(desk: Bedside, kind: AlarmType) -> None:
    (desk.instance,) = (entry.instance for entry in desk.alarms().values() if entry.type is kind)


def acknowledge(desk: Bedside) -> None:
    desk.ask(alarm.AlarmAckRequest(instance=desk.instance))


_STALL_S = LONG_LOG.stall.sample_s * (LONG_LOG.stall.bad_samples + LONG_LOG.stall.good_samples + 1)
RAISES: Mapping[AlarmDeed, Lead] = {AlarmDeed.END: raise_low_reservoir, AlarmDeed.GIVE_WAY: raise_stall}
"""What is raised, for those deeds that not every alarm knows."""
ALARM_DEEDS: Mapping[AlarmDeed, Lead] = {
    AlarmDeed.RAISE: raise_reset,
    AlarmDeed.ACKNOWLEDGE: acknowledge,
    AlarmDeed.SILENCE: lambda desk: desk.ask(alarm.AlarmSilenceRequest(instance=desk.instance)),
    AlarmDeed.CLEAR: lambda desk: desk.ask(alarm.AlarmClearRequest(instance=desk.instance)),
    AlarmDeed.END: Bedside.refill,
    AlarmDeed.GIVE_WAY: stall_again,
}


def alarm_state(desk: Bedside) -> str | None:
    entry = desk.alarms().get(desk.instance)
    return entry.state.name if entry else None


def alarm_in(desk: Bedside, state: AlarmState | None, raising: Lead) -> None:
    if state is not NOT_LISTED:
        raising(desk)
    if state is AlarmState.ACKNOWLEDGED:
        acknowledge(desk)
    if state is AlarmState.CLEARED:
        desk.ask(alarm.AlarmClearRequest(instance=desk.instance))


@pytest.mark.parametrize(("state", "deed"), ALARM_LIFE, ids=lambda each: each.name if each else "NOT_LISTED")
def test_an_alarm_lives_as_the_table_says(state: AlarmState | None, deed: AlarmDeed) -> None:
    # The small pump is empty before a rotor can be found to stand still twice.
    desk = opened(shipped("reference-20") if deed is AlarmDeed.GIVE_WAY else LONG_LOG)
    alarm_in(desk, state, RAISES.get(deed, raise_reset))
    assert alarm_state(desk) == (state.name if state else None)
    ALARM_DEEDS[deed](desk)
    assert alarm_state(desk) == ALARM_LIFE[state, deed].name
    if deed is AlarmDeed.GIVE_WAY:
        _, again = (entry for entry in desk.alarms().values() if entry.type is AlarmType.MOTOR_STALL)
        assert again.state.name == AlarmState.RAISED.name


@pytest.mark.parametrize(
    ("state", "deed"),
    [
        (state, deed)
        for state, deed in product(AlarmState, (AlarmDeed.ACKNOWLEDGE, AlarmDeed.SILENCE, AlarmDeed.CLEAR))
        if (state, deed) not in ALARM_LIFE
    ],
    ids=lambda each: each.name,
)
def test_what_the_table_of_alarms_does_not_have_is_refused(desk: Bedside, state: AlarmState, deed: AlarmDeed) -> None:
    alarm_in(desk, state, raise_reset)
    request = {
        AlarmDeed.ACKNOWLEDGE: alarm.AlarmAckRequest(instance=desk.instance),
        AlarmDeed.SILENCE: alarm.AlarmSilenceRequest(instance=desk.instance),
        AlarmDeed.CLEAR: alarm.AlarmClearRequest(instance=desk.instance),
    }[deed]
    assert desk.refusal(request).code == NakCode.ALREADY_IN_STATE


def test_a_full_list_forgets_the_oldest_that_is_over(desk: Bedside) -> None:
    raise_reset(desk)
    first = desk.instance
    while len(desk.alarms()) < LONG_LOG.memory.alarm_capacity:
        desk.ask(alarm.AlarmClearRequest(instance=max(desk.alarms())))
        desk.power_cycle()
    assert AlarmState[desk.alarms()[first].state.name] in FORGETTABLE
    desk.ask(alarm.AlarmClearRequest(instance=max(desk.alarms())))
    desk.power_cycle()
    assert first not in desk.alarms()
    assert len(desk.alarms()) == LONG_LOG.memory.alarm_capacity


# Therapy

RESTING = new_program(mode=Mode.STOPPED)
DELIVERING = new_program(rate_nl_per_day=4_320_000)


def stopped_by_command(desk: Bedside) -> None:
    desk.stop(desk.op())


def stopped_by_program(desk: Bedside) -> None:
    desk.set_program(RESTING)


def fail(desk: Bedside) -> None:
    arm(desk.device, "write-fault kind=stuck writes=1000")
    assert desk.refusal(StopRequest(op_id=desk.op(), therapy_rev=0)).code == NakCode.MEMORY_FAILURE


def fail_again(desk: Bedside) -> None:
    """The number of a session cannot be written, either."""
    event = desk.try_session()
    assert isinstance(event, Refused)
    assert event.nak.code == NakCode.MEMORY_FAILURE


def has_failed(desk: Bedside) -> bool:
    return desk.device.pump.firmware.record.run_state is RunState.FAILED


STOPPED_BY: Mapping[RunDeed, Lead] = {RunDeed.FOLLOW: stopped_by_program, RunDeed.REST: stopped_by_program}
RUN_DEEDS: Mapping[RunDeed, Lead] = {
    RunDeed.START: lambda desk: desk.start(desk.op()),
    RunDeed.HALT: stopped_by_command,
    RunDeed.FOLLOW: lambda desk: desk.set_program(DELIVERING),
    RunDeed.REST: lambda desk: desk.set_program(RESTING),
    RunDeed.STAY: lambda desk: desk.set_program(DELIVERING),
    RunDeed.FAIL: lambda desk: fail_again(desk) if has_failed(desk) else fail(desk),
}


@pytest.mark.parametrize(("state", "deed"), RUN_LIFE, ids=lambda each: each.name)
def test_therapy_lives_as_the_table_says(desk: Bedside, state: RunState, deed: RunDeed) -> None:
    if state is RunState.STOPPED:
        STOPPED_BY.get(deed, stopped_by_command)(desk)
    if state is RunState.FAILED:
        fail(desk)
    assert desk.ask(read.StatusRequest()).run_state.name == state.name
    RUN_DEEDS[deed](desk)
    assert desk.ask(read.StatusRequest()).run_state.name == RUN_LIFE[state, deed].name
