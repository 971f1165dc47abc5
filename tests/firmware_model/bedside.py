"""A clinician at a pump: commands with the right op id and revision, unless a test says otherwise."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from firmware_model import commands
from firmware_model.commands import OpOutcome, Origin, PreparedBolus, ProgramValidated, Reason, Refusal, Reply
from firmware_model.faults import device_fault
from firmware_model.firmware.codes import Block, BolusKind, PumpState, Role
from firmware_model.firmware.event_log import LogRecord
from firmware_model.firmware.program import Program
from firmware_model.memory import CutMode
from firmware_model.plant.mixture import mixture_of
from firmware_model.profile import Profile
from firmware_model.pump import FaultChanged, PowerCut, PowerRestored, Pump, PumpEvent, Recorded, ToneSounded
from firmware_model.pump_events import FlagsSet
from protocol.access import access_of
from tests.firmware_model.drug_programs import wire_blocks
from tests.firmware_model.pump_profiles import LONG_LOG

SECOND = 1_000_000
SERIAL = 0x00C0FFEE


def fingerprint_of(*content: object) -> bytes:
    return hashlib.sha256(repr(content).encode()).digest()[:8]


def gate_of(operation: str) -> Mapping[PumpState, Reason | None]:
    """The operation's row of the table of access in the model's words, which have the names of the wire's."""
    row = access_of(operation).in_state
    return MappingProxyType(
        {PumpState[state.name]: None if code is None else Reason[code.name] for state, code in row.items()}
    )


class Bedside:
    """One pump, and whoever stands beside it. Commands happen at the pump's own `now`."""

    def __init__(self, profile: Profile = LONG_LOG) -> None:
        self.pump = Pump(profile, SERIAL)
        self.happened: list[PumpEvent] = []

    @property
    def now(self) -> int:
        return self.pump.now_us

    @property
    def step_nl(self) -> int:
        return self.pump.profile.motor.step_volume_nl

    def wait(self, seconds: float) -> None:
        self.pump.advance(self.now + round(seconds * SECOND))

    def ask(self, command: commands.Command) -> Reply | None:
        return self.pump.command(command, self.now)

    def therapy_rev(self) -> int:
        return self.pump.firmware.record.therapy_rev

    def op_high(self, role: Role = Role.CLINICIAN) -> int:
        return self.pump.firmware.record.ledger.of(role).op_high

    def origin(self, role: Role = Role.CLINICIAN, host: int = 7, session: int = 1, *, operation: str = "") -> Origin:
        """Without an operation it is one that the table of access does not know, and so admits in no state."""
        return Origin(role, host, session, gate_of(operation))

    def stop(
        self, op_id: int | None = None, *, role: Role = Role.CLINICIAN, host: int = 7, rev: int = 0
    ) -> Reply | None:
        op_id = self.op_high(role) + 1 if op_id is None else op_id
        mark = fingerprint_of("stop", op_id)
        origin = self.origin(role, host, operation="STOP")
        return self.ask(commands.Stop(origin=origin, op_id=op_id, therapy_rev=rev, fingerprint=mark))

    def start(
        self, op_id: int | None = None, *, role: Role = Role.CLINICIAN, host: int = 7, rev: int | None = None
    ) -> Reply | None:
        op_id = self.op_high(role) + 1 if op_id is None else op_id
        return self.ask(
            commands.Start(
                origin=self.origin(role, host, operation="START"),
                op_id=op_id,
                therapy_rev=self.therapy_rev() if rev is None else rev,
                fingerprint=fingerprint_of("start", op_id),
            )
        )

    def prepare(
        self,
        volume_nl: int,
        duration_s: int,
        *,
        role: Role = Role.CLINICIAN,
        session: int = 1,
        kind: BolusKind = BolusKind.SINGLE,
    ) -> Reply | None:
        return self.ask(
            commands.PrepareBolus(
                origin=self.origin(role, session=session, operation="BOLUS_PREPARE"),
                kind=kind,
                volume_nl=volume_nl,
                duration_s=duration_s,
            )
        )

    def execute(
        self,
        bolus_id: int,
        volume_nl: int,
        duration_s: int,
        op_id: int | None = None,
        *,
        role: Role = Role.CLINICIAN,
        host: int = 7,
        session: int = 1,
        rev: int | None = None,
    ) -> Reply | None:
        op_id = self.op_high(role) + 1 if op_id is None else op_id
        return self.ask(
            commands.ExecuteBolus(
                origin=self.origin(role, host, session, operation="BOLUS_EXECUTE"),
                op_id=op_id,
                therapy_rev=self.therapy_rev() if rev is None else rev,
                fingerprint=fingerprint_of("execute", bolus_id, volume_nl, duration_s, op_id),
                bolus_id=bolus_id,
                volume_nl=volume_nl,
                duration_s=duration_s,
            )
        )

    def cancel(self, bolus_id: int, op_id: int | None = None, *, role: Role = Role.CLINICIAN) -> Reply | None:
        op_id = self.op_high(role) + 1 if op_id is None else op_id
        return self.ask(
            commands.CancelBolus(
                origin=self.origin(role, operation="BOLUS_CANCEL"),
                op_id=op_id,
                therapy_rev=0,
                fingerprint=fingerprint_of("cancel", bolus_id, op_id),
                bolus_id=bolus_id,
            )
        )

    def acknowledge(self, instance: int) -> Reply | None:
        return self.ask(commands.AcknowledgeAlarm(self.origin(operation="ALARM_ACK"), instance))

    def silence(self, instance: int, *, role: Role = Role.CLINICIAN) -> Reply | None:
        return self.ask(commands.SilenceAlarm(self.origin(role, operation="ALARM_SILENCE"), instance))

    def clear(self, instance: int) -> Reply | None:
        return self.ask(commands.ClearAlarm(self.origin(operation="ALARM_CLEAR"), instance))

    def patient_bolus(self, op_id: int | None = None, *, host: int = 8, rev: int | None = None) -> Reply | None:
        op_id = self.op_high(Role.PATIENT) + 1 if op_id is None else op_id
        return self.ask(
            commands.GivePatientBolus(
                origin=self.origin(Role.PATIENT, host, 2, operation="PATIENT_BOLUS"),
                op_id=op_id,
                therapy_rev=self.therapy_rev() if rev is None else rev,
                fingerprint=fingerprint_of("patient bolus", op_id),
            )
        )

    def begin_refill(self, session: int = 1) -> Reply | None:
        return self.ask(commands.BeginRefill(self.origin(session=session, operation="REFILL_BEGIN")))

    def commit_refill(
        self,
        refill_id: int,
        measured_nl: int,
        volume_nl: int,
        drugs: tuple[tuple[str, int], ...] = (),
        op_id: int | None = None,
        *,
        session: int = 1,
    ) -> Reply | None:
        op_id = self.op_high() + 1 if op_id is None else op_id
        return self.ask(
            commands.CommitRefill(
                origin=self.origin(session=session, operation="REFILL_COMMIT"),
                op_id=op_id,
                therapy_rev=self.therapy_rev(),
                fingerprint=fingerprint_of("refill", refill_id, measured_nl, volume_nl, drugs, op_id),
                refill_id=refill_id,
                measured_nl=measured_nl,
                volume_nl=volume_nl,
                drugs=drugs,
            )
        )

    def refill(self, volume_nl: int, drugs: tuple[tuple[str, int], ...] = ()) -> OpOutcome:
        """Drained as far as a syringe can, filled up to a volume, and committed: all of it as it should be."""
        begun = self.begin_refill()
        assert isinstance(begun, commands.RefillBegun), begun
        reservoir = self.pump.plant.reservoir
        withdrawn_nl, _ = self.pump.syringe(reservoir.volume_nl, 0, mixture_of(*drugs), self.now)
        self.pump.syringe(0, volume_nl - reservoir.volume_nl, mixture_of(*drugs), self.now)
        return granted(self.commit_refill(begun.refill_id, withdrawn_nl, volume_nl, drugs))

    def set_time(self, unix_s: int, offset_min: int = 0, op_id: int | None = None) -> Reply | None:
        op_id = self.op_high() + 1 if op_id is None else op_id
        return self.ask(
            commands.SetTime(
                origin=self.origin(operation="TIME_SET"),
                op_id=op_id,
                therapy_rev=self.therapy_rev(),
                fingerprint=fingerprint_of("set time", unix_s, offset_min, op_id),
                unix_s=unix_s,
                offset_min=offset_min,
            )
        )

    def self_test(self) -> Reply | None:
        return self.ask(commands.TestSelf(self.origin(operation="SELFTEST")))

    def fault(self, verb: str, **values: int) -> int:
        """A device fault, with times in seconds."""
        times: dict[str, int] = {name: values.pop(name) * SECOND for name in ("after", "every") if name in values}
        if "lasts" in values:
            times["for"] = values.pop("lasts") * SECOND
        return self.pump.arm_fault(device_fault(verb, **values, **times), self.now)

    def clear_faults(self) -> None:
        self.pump.clear_faults(self.now)

    def prepared(self, volume_nl: int, duration_s: int, *, role: Role = Role.CLINICIAN) -> PreparedBolus:
        reply = self.prepare(volume_nl, duration_s, role=role)
        assert isinstance(reply, PreparedBolus), reply
        return reply

    def bolus(
        self, volume_nl: int, duration_s: int, op_id: int | None = None, *, role: Role = Role.CLINICIAN
    ) -> OpOutcome:
        """Prepare and execute, both granted."""
        lease = self.prepared(volume_nl, duration_s, role=role)
        return granted(self.execute(lease.bolus_id, lease.volume_nl, lease.duration_s, op_id, role=role))

    def begin(self, session: int = 1, *, role: Role = Role.CLINICIAN) -> Reply | None:
        return self.ask(commands.BeginProgram(self.origin(role, session=session, operation="PROGRAM_BEGIN")))

    def write(self, stage_id: int, block: Block, offset: int, data: bytes, session: int = 1) -> Reply | None:
        origin = self.origin(session=session, operation="PROGRAM_WRITE")
        return self.ask(commands.WriteProgram(origin, stage_id, block, offset, data))

    def validate(self, stage_id: int, session: int = 1) -> Reply | None:
        origin = self.origin(session=session, operation="PROGRAM_VALIDATE")
        return self.ask(commands.ValidateProgram(origin, stage_id))

    def read_stage(
        self, stage_id: int, block: Block = Block.IMAGE, offset: int = 0, length: int = 192, session: int = 1
    ) -> Reply | None:
        origin = self.origin(session=session, operation="STAGE_READ")
        return self.ask(commands.ReadStage(origin, stage_id, block, offset, length))

    def commit(
        self,
        stage_id: int,
        crc32: int,
        op_id: int | None = None,
        *,
        role: Role = Role.CLINICIAN,
        host: int = 7,
        session: int = 1,
        rev: int | None = None,
    ) -> Reply | None:
        op_id = self.op_high(role) + 1 if op_id is None else op_id
        return self.ask(
            commands.CommitProgram(
                origin=self.origin(role, host, session, operation="PROGRAM_COMMIT"),
                op_id=op_id,
                therapy_rev=self.therapy_rev() if rev is None else rev,
                fingerprint=fingerprint_of("commit", stage_id, crc32, op_id),
                stage_id=stage_id,
                crc32=crc32,
            )
        )

    def abort(self, stage_id: int, session: int = 1) -> Reply | None:
        return self.ask(commands.AbortProgram(self.origin(session=session, operation="PROGRAM_ABORT"), stage_id))

    def read_program(self, block: Block = Block.IMAGE, offset: int = 0, length: int = 192) -> Reply | None:
        origin = self.origin(Role.READER, operation="THERAPY_READ")
        return self.ask(commands.ReadProgram(origin, block, offset, length))

    def staged(self, program: Program, session: int = 1) -> int:
        """A program, written whole; the number of its stage."""
        reply = self.begin(session)
        assert isinstance(reply, commands.StageBegun), reply
        for block, content in wire_blocks(program).items():
            written = self.write(reply.stage_id, block, 0, content, session)
            assert written == commands.BlockWritten(len(content))
        return reply.stage_id

    def validated(self, program: Program, session: int = 1) -> tuple[int, ProgramValidated]:
        """A program that is staged and admitted."""
        stage_id = self.staged(program, session)
        reply = self.validate(stage_id, session)
        assert isinstance(reply, ProgramValidated), reply
        return stage_id, reply

    def program(self, program: Program, op_id: int | None = None) -> Reply | None:
        """The whole transaction: what VALIDATE or COMMIT said; None without power."""
        if not self.pump.powered:
            return None
        stage_id = self.staged(program)
        reply = self.validate(stage_id)
        if not isinstance(reply, ProgramValidated):
            return reply
        return self.commit(stage_id, reply.crc32, op_id)

    def active_image(self) -> bytes:
        """The active program, as anyone may read it."""
        reply = self.read_program()
        assert isinstance(reply, commands.ProgramPart), reply
        return reply.data

    def query(self, op_id: int, role: Role = Role.CLINICIAN) -> commands.OpAnswer:
        reply = self.ask(commands.QueryOp(role, op_id))
        assert isinstance(reply, commands.OpAnswer), reply
        return reply

    def ops(self) -> commands.OpsAnswer:
        reply = self.ask(commands.ListOps())
        assert isinstance(reply, commands.OpsAnswer), reply
        return reply

    def status(self) -> commands.StatusAnswer:
        reply = self.ask(commands.ReadStatus())
        assert isinstance(reply, commands.StatusAnswer), reply
        return reply

    def alarms(self) -> tuple[commands.Alarm, ...]:
        reply = self.ask(commands.ListAlarms(0))
        assert isinstance(reply, commands.AlarmsAnswer), reply
        return reply.alarms

    def log_range(self) -> commands.LogRange:
        reply = self.ask(commands.ReadLogRange())
        assert isinstance(reply, commands.LogRange), reply
        return reply

    def log(self) -> list[LogRecord]:
        """The whole log as it can be read, page by page."""
        held = self.log_range()
        records: list[LogRecord] = []
        following = held.first
        while following <= held.last:
            reply = self.ask(commands.ReadLog(held.epoch, following, 4))
            assert isinstance(reply, commands.LogRecords), reply
            assert reply.records
            records += reply.records
            following = reply.next_sequence
        return records

    def events(self) -> list[PumpEvent]:
        """What has happened since this was asked last."""
        fresh = []
        while (event := self.pump.next_event()) is not None:
            fresh.append(event)
        self.happened += fresh
        return fresh

    def words(self) -> list[str]:
        """What has happened since, in a word each."""
        return [word_of(event) for event in self.events()]

    def cut_power(self) -> None:
        self.pump.cut_power(self.now)

    def cut_power_at(self, write: int, mode: CutMode = CutMode.BEFORE, torn_bytes: int = 4) -> None:
        self.pump.arm_power_cut(write, mode, torn_bytes, self.now)

    def restore_power(self) -> None:
        self.pump.restore_power(self.now)


def word_of(event: PumpEvent) -> str:
    match event:
        case Recorded():
            return event.record.type.name
        case PowerCut():
            return "power cut"
        case PowerRestored():
            return "power restored"
        case ToneSounded():
            return "tone"
        case FaultChanged():
            return f"{event.fault.verb} {'began' if event.began else 'ended'}"
        case FlagsSet():
            return f"flag set for {event.role.name}"


def granted(reply: Reply | None) -> OpOutcome:
    assert isinstance(reply, OpOutcome), reply
    return reply


def refused(reply: Reply | None) -> Refusal:
    assert isinstance(reply, Refusal), reply
    return reply
