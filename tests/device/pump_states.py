"""A pump in each of the states that decide what is admitted, and for each operation a request that is meant well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from emulator.device import Device
from emulator.inputs import CutPower, Input, RestorePower
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.gate import pump_state
from firmware_model.firmware.program import PatientBolusSetting, Program
from protocol.access import PumpState
from protocol.fields import decode
from protocol.messages import alarm, deliver, link, log, op, program, pump_time, read, routine, stream
from protocol.messages.codes import Block, ChangedFlag, OpenFlag, Role, TelemetryField
from protocol.refusals import OK
from tests.device.desk import HELLO, SECOND, execute, happened, prepare, turned
from tests.device.hand_host import HandHost, recorded_device, restored
from tests.firmware_model.drug_programs import new_program, wire_blocks
from tests.firmware_model.pump_profiles import LONG_LOG

LOW_RESERVOIR_US = 1_900 * SECOND
"""By then the pump has raised the alarm of the low reservoir, so that there is one to be acknowledged."""
EMPTY_US = 1_000 * SECOND
ALARM = 1
BOLUS_NL, BOLUS_S = 20_000, 3_600
REFILL_NL = 1_000_000
UNIX_S = 1_900_000_000
PART = 192
WRITE_PART = 64
"""Short enough that every bit of a frame can fall over once before a session ends for its bad tags."""
PATIENT_BOLUS = PatientBolusSetting(volume_nl=5_000, duration_s=60, lockout_s=300, window_s=3_600, activations_max=4)
"""What the program allows the patient. The lockout that it begins with is over when the alarm has come."""


def _bolus(host: HandHost) -> None:
    lease = host.ask(prepare(BOLUS_NL, BOLUS_S))
    host.ask(execute(lease, 2, therapy_rev(host)))


def commit_program(host: HandHost, op_id: int, wanted: Program) -> None:
    stage_id, crc32 = validated(host, wanted)
    host.ask(program.ProgramCommitRequest(stage_id=stage_id, crc32=crc32, op_id=op_id, therapy_rev=therapy_rev(host)))


_ON_THE_WAY: Mapping[PumpState, Callable[[HandHost], None]] = {
    PumpState.RUNNING: lambda _: None,
    PumpState.BOLUS: _bolus,
    PumpState.STOPPED: lambda host: host.ask(deliver.StopRequest(op_id=2, therapy_rev=0)),
    PumpState.IDLE: lambda host: commit_program(host, 2, new_program(LONG_LOG, mode=Mode.STOPPED)),
    PumpState.HELD: lambda host: host.device.advance(host.device.now_us + EMPTY_US),
    PumpState.FAILED: lambda _: None,
}


@cache
def _inputs_to(state: PumpState) -> tuple[Input, ...]:
    device = recorded_device()
    host = HandHost(device).open_line().connect()
    commit_program(host, 1, new_program(LONG_LOG, patient=PATIENT_BOLUS))
    host.close_line()
    device.advance(LOW_RESERVOIR_US)
    host = HandHost(device).open_line().connect()
    _ON_THE_WAY[state](host)
    host.close_line()
    return tuple(device.inputs)


def pump_in(state: PumpState) -> Device:
    """A pump in a state, its lines closed."""
    device = restored(_inputs_to(state))
    if state is PumpState.FAILED:
        region = device.pump.memory.control.region
        region[:] = bytes(len(region))
        device.control(CutPower(), device.now_us)
        device.control(RestorePower(), device.now_us)
        happened(device)
    assert pump_state(device.pump.firmware).name == state.name
    return device


def host_of(state: PumpState, role: Role | None, port: int = 0) -> HandHost:
    """A host with a session of a role (None: without one) at a pump in a state."""
    host = HandHost(pump_in(state), role or Role.CLINICIAN, port=port).open_line()
    if role is not None:
        host.connect()
    happened(host.device)
    return host


def therapy_rev(host: HandHost) -> int:
    revision: int = host.ask(op.OpListRequest(page=0)).therapy_rev
    return revision


@dataclass(frozen=True)
class WellMeant:
    """Makes requests that would be granted, as far as the role of the host lets it prepare them.

    What it may not prepare it makes up, a stage or a lease: the refusal by role or state comes before anybody looks.
    """

    host: HandHost

    def request(self, name: str) -> Any:
        made = _REQUESTS[name]
        return made(self) if callable(made) else made

    @property
    def _prepares(self) -> bool:
        return self.host.channel is not None and self.host.role is Role.CLINICIAN and not self._failed

    @property
    def _failed(self) -> bool:
        return pump_state(self.host.device.pump.firmware).name == PumpState.FAILED.name

    @property
    def rev(self) -> int:
        return self.host.device.pump.firmware.record.therapy_rev

    @property
    def new_op(self) -> int:
        return 3

    def begun(self) -> int:
        return self.host.ask(program.ProgramBeginRequest()).stage_id if self._prepares else 1

    def validated(self) -> tuple[int, int]:
        return validated(self.host, new_program(LONG_LOG)) if self._prepares else (1, 1)

    def execute(self) -> deliver.BolusExecuteRequest:
        """Of a lease, if one is to be had."""
        lease = 1
        if self._prepares:
            payload = self.host.opened(self.host.send(self.host.request(prepare(BOLUS_NL, BOLUS_S))))
            lease = decode(deliver.BolusPrepareAnswer, payload[1:]).bolus_id if payload[0] == OK else lease
        return deliver.BolusExecuteRequest(
            bolus_id=lease,
            volume_nl=BOLUS_NL,
            volume_complement=turned(BOLUS_NL),
            duration_s=BOLUS_S,
            op_id=self.new_op,
            therapy_rev=self.rev,
        )

    def commit(self) -> program.ProgramCommitRequest:
        stage_id, crc32 = self.validated()
        return program.ProgramCommitRequest(stage_id=stage_id, crc32=crc32, op_id=self.new_op, therapy_rev=self.rev)

    def refill(self) -> routine.RefillCommitRequest:
        return routine.RefillCommitRequest(
            refill_id=self.host.ask(routine.RefillBeginRequest()).refill_id if self._prepares else 1,
            measured_nl=0,
            volume_nl=REFILL_NL,
            volume_complement=turned(REFILL_NL),
            drugs=(routine.RefillDrug(name="", concentration_ng_per_ml=0),) * routine.REFILL_DRUGS_MAX,
            op_id=self.new_op,
            therapy_rev=self.rev,
        )

    def auth(self) -> link.AuthRequest:
        """With what an OPEN was answered with, which opens a session where there is none."""
        if self.host.channel is not None:
            return link.AuthRequest(host_cryptogram=bytes(8))
        self.host.open(self.host.wanted())
        assert self.host.auth_request is not None
        return self.host.auth_request


def validated(host: HandHost, wanted: Program) -> tuple[int, int]:
    stage_id = host.ask(program.ProgramBeginRequest()).stage_id
    for block, content in wire_blocks(wanted).items():
        for at in range(0, len(content), WRITE_PART):
            part = content[at : at + WRITE_PART]
            host.ask(program.ProgramWriteRequest(stage_id=stage_id, block=Block[block.name], offset=at, data=part))
    crc32 = host.ask(program.ProgramValidateRequest(stage_id=stage_id)).crc32
    return stage_id, crc32


def _stage_read(well: WellMeant) -> program.StageReadRequest:
    stage_id, _ = well.validated()
    return program.StageReadRequest(stage_id=stage_id, block=Block.IMAGE, offset=0, length=PART)


def _write(well: WellMeant) -> program.ProgramWriteRequest:
    first = wire_blocks(new_program(LONG_LOG))
    block, content = next(iter(first.items()))
    return program.ProgramWriteRequest(
        stage_id=well.begun(), block=Block[block.name], offset=0, data=content[:WRITE_PART]
    )


_REQUESTS: Mapping[str, Any] = {
    "HELLO": HELLO,
    "OPEN": link.OpenRequest(role=Role.CLINICIAN, flags=OpenFlag(0), host_id=9, host_challenge=bytes(8)),
    "AUTH": WellMeant.auth,
    "CLOSE": link.CloseRequest(),
    "KEEPALIVE": link.KeepaliveRequest(),
    "CAPS": link.CapsRequest(),
    "LINK_STATS": link.LinkStatsRequest(),
    "STATUS": read.StatusRequest(),
    "IDENT": read.IdentRequest(),
    "LIMITS": read.LimitsRequest(),
    "COUNTERS": read.CountersRequest(),
    "BATTERY": read.BatteryRequest(),
    "RESERVOIR": read.ReservoirRequest(),
    "THERAPY_READ": read.TherapyReadRequest(block=Block.IMAGE, offset=0, length=PART),
    "PROGRAM_BEGIN": program.ProgramBeginRequest(),
    "PROGRAM_WRITE": _write,
    "PROGRAM_VALIDATE": lambda well: program.ProgramValidateRequest(stage_id=well.validated()[0]),
    "STAGE_READ": _stage_read,
    "PROGRAM_COMMIT": WellMeant.commit,
    "PROGRAM_ABORT": lambda well: program.ProgramAbortRequest(stage_id=well.begun()),
    "STOP": lambda well: deliver.StopRequest(op_id=well.new_op, therapy_rev=0),
    "START": lambda well: deliver.StartRequest(op_id=well.new_op, therapy_rev=well.rev),
    "BOLUS_PREPARE": prepare(BOLUS_NL, BOLUS_S),
    "BOLUS_EXECUTE": WellMeant.execute,
    "BOLUS_CANCEL": lambda well: deliver.BolusCancelRequest(bolus_id=1, op_id=well.new_op, therapy_rev=0),
    "PATIENT_BOLUS": lambda well: deliver.PatientBolusRequest(op_id=well.new_op, therapy_rev=well.rev),
    "ALARM_LIST": alarm.AlarmListRequest(from_instance=0),
    "ALARM_ACK": alarm.AlarmAckRequest(instance=ALARM),
    "ALARM_CLEAR": alarm.AlarmClearRequest(instance=ALARM),
    "ALARM_SNAPSHOT": alarm.AlarmSnapshotRequest(instance=ALARM),
    "ALARM_SILENCE": alarm.AlarmSilenceRequest(instance=ALARM),
    "LOG_STATUS": log.LogStatusRequest(),
    "LOG_READ": log.LogReadRequest(epoch=1, from_sequence=1, maximum=4),
    "LOG_FIND_BY_ELAPSED": log.LogFindByElapsedRequest(epoch=1, elapsed_s=0),
    "SUBSCRIBE": stream.SubscribeRequest(fields=TelemetryField(0), period_s=60),
    "UNSUBSCRIBE": stream.UnsubscribeRequest(),
    "RESET_FLAGS": stream.ResetFlagsRequest(changed=ChangedFlag.BOOT, log_epoch=1, log_sequence=1),
    "TIME_READ": pump_time.TimeReadRequest(),
    "TIME_SET": lambda well: pump_time.TimeSetRequest(
        unix_s=UNIX_S, offset_min=60, op_id=well.new_op, therapy_rev=well.rev
    ),
    "SELFTEST": routine.SelftestRequest(),
    "REFILL_BEGIN": routine.RefillBeginRequest(),
    "REFILL_COMMIT": WellMeant.refill,
    "OP_QUERY": op.OpQueryRequest(role=Role.CLINICIAN, op_id=1),
    "OP_LIST": op.OpListRequest(page=0),
}
