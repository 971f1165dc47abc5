"""The hand that does to a pump what a history says: each act is a method, under the act's own name."""

from __future__ import annotations

from firmware_model import commands
from firmware_model.commands import PreparedBolus, ProgramValidated, RefillBegun, Refusal, Reply, StageBegun
from firmware_model.faults import DeviceFault
from firmware_model.faults.board import TooManyDeviceFaults
from firmware_model.firmware.codes import Block, BolusKind, Role
from firmware_model.firmware.program import BLOCK_BYTES, WRITABLE_BLOCKS, Program
from firmware_model.memory import CutMode
from firmware_model.plant.mixture import mixture_of
from tests.firmware_model.bedside import Bedside

Drugs = tuple[tuple[str, int], ...]


class Hand:
    """Whoever acts at one pump; quotes what was prepared last. A reply of None: the pump has no power, or lost it."""

    def __init__(self, bedside: Bedside) -> None:
        self.bedside = bedside
        self.prepared = PreparedBolus(bolus_id=1, volume_nl=0, duration_s=0, steps=0, lease_s=0, available_nl=0)
        self.session = 1

    def stop(self) -> Reply | None:
        return self.bedside.stop()

    def start(self) -> Reply | None:
        return self.bedside.start()

    def prepare(self, volume_nl: int, duration_s: int, kind: BolusKind, session: int) -> Reply | None:
        reply = self.bedside.prepare(volume_nl, duration_s, kind=kind, session=session)
        if isinstance(reply, PreparedBolus):
            self.prepared, self.session = reply, session
        return reply

    def execute(self) -> Reply | None:
        prepared = self.prepared
        return self.bedside.execute(prepared.bolus_id, prepared.volume_nl, prepared.duration_s, session=self.session)

    def cancel(self) -> Reply | None:
        """The bolus that runs, else the one that was prepared last."""
        running = self.bedside.pump.firmware.record.bolus if self.bedside.pump.powered else None
        return self.bedside.cancel(self.prepared.bolus_id if running is None else running.bolus_id)

    def patient_bolus(self) -> Reply | None:
        return self.bedside.patient_bolus()

    def change_program(self, program: Program) -> Reply | None:
        """The whole transaction, or what it came to."""
        stage_id = self._staged(program, 1)
        if not isinstance(stage_id, int):
            return stage_id
        reply = self.bedside.validate(stage_id)
        return self.bedside.commit(stage_id, reply.crc32) if isinstance(reply, ProgramValidated) else reply

    def leave_program(self, program: Program, session: int) -> Reply | None:
        """Staged, and left at that."""
        stage_id = self._staged(program, session)
        return None if isinstance(stage_id, int) else stage_id

    def _staged(self, program: Program, session: int) -> int | Reply | None:
        begun = self.bedside.begin(session)
        if not isinstance(begun, StageBegun):
            return begun
        for block in WRITABLE_BLOCKS:
            reply = self.bedside.write(begun.stage_id, block, 0, program.part(block, 0, BLOCK_BYTES[block]), session)
            if reply is None or isinstance(reply, Refusal):
                return reply
        return begun.stage_id

    def end_session(self, session: int) -> None:
        self.bedside.pump.end_session(session, self.bedside.now)

    def refill(self, volume_nl: int, drugs: Drugs) -> Reply | None:
        """Drained as far as a syringe can, filled up to a volume, and committed."""
        begun = self.bedside.begin_refill()
        reservoir, mixture = self.bedside.pump.plant.reservoir, mixture_of(*drugs)
        withdrawn_nl, _ = self.bedside.pump.syringe(reservoir.volume_nl, 0, mixture, self.bedside.now)
        self.bedside.pump.syringe(0, max(0, volume_nl - reservoir.volume_nl), mixture, self.bedside.now)
        if not isinstance(begun, RefillBegun):
            return begun
        return self.bedside.commit_refill(begun.refill_id, withdrawn_nl, volume_nl, drugs)

    def begin_refill(self, session: int) -> Reply | None:
        return self.bedside.begin_refill(session)

    def set_time(self, unix_s: int, offset_min: int) -> Reply | None:
        return self.bedside.set_time(unix_s, offset_min)

    def acknowledge(self, ago: int) -> Reply | None:
        return self.bedside.acknowledge(self._instance(ago))

    def silence(self, ago: int) -> Reply | None:
        return self.bedside.silence(self._instance(ago))

    def clear(self, ago: int) -> Reply | None:
        return self.bedside.clear(self._instance(ago))

    def _instance(self, ago: int) -> int:
        """The alarm that was raised so many before the newest one."""
        return max(0, self.bedside.pump.firmware.record.next_alarm - 1 - ago)

    def fault(self, fault: DeviceFault) -> None:
        try:
            self.bedside.pump.arm_fault(fault, self.bedside.now)
        except TooManyDeviceFaults:
            self.bedside.clear_faults()

    def clear_faults(self) -> None:
        self.bedside.clear_faults()

    def cut_power(self) -> None:
        self.bedside.cut_power()

    def cut_power_at(self, write: int, mode: CutMode, torn_bytes: int) -> None:
        self.bedside.cut_power_at(write, mode, torn_bytes)

    def restore_power(self) -> None:
        self.bedside.restore_power()

    def set_telemetry(self, on: bool) -> None:
        self.bedside.pump.set_telemetry(on=on, now=self.bedside.now)

    def open_session(self, role: Role, good: bool) -> Reply | None:
        """A session's number, an attempt that is counted, and what came of it."""
        number = self.bedside.ask(commands.NumberSession(role, 0))
        self.bedside.ask(commands.CountAttempt(role, 0))
        confirming = commands.ConfirmAttempt(role, 0, host_id=7, from_host_id=None)
        self.bedside.ask(confirming if good else commands.NoteFailure(0, role))
        return number

    def test_self(self) -> Reply | None:
        return self.bedside.self_test()

    def look(self) -> Reply | None:
        """Everything that anyone may read; it must change nothing."""
        for question in (
            commands.ListOps(),
            commands.ReadBattery(),
            commands.ReadReservoir(),
            commands.ReadCounters(),
            commands.ReadTime(),
            commands.ListAlarms(0),
            commands.ReadLogRange(),
            commands.ReadAllowance(self.bedside.origin(operation="LIMITS")),
        ):
            self.bedside.ask(question)
        self.bedside.read_program(Block.IMAGE)
        return self.bedside.ask(commands.ReadStatus())

    def wait(self) -> None:
        """Nothing: only the time before it has passed."""
