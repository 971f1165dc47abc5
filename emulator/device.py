"""The whole device: one pump, one wire, any number of lines; sans-IO, with explicit time.

Rules of this file:

- Everything that happens to a device is an `Input`, and goes through `apply`. The calls `receive`, `line`, `control`
  and `advance` only build one.
- Whatever is due before an input happens before it: `apply` lets time pass first.
- What anybody may observe leaves as an event, what a line may read by `data_to_send`, what its driver must do to it by
  `next_line_break`. Taking any of them changes nothing.
- `lines` is the way between a line and the wire, where the faults of the line stand; here pump and wire meet.
"""

from __future__ import annotations

from emulator import events
from emulator.event_queue import EventQueue
from emulator.events import Event
from emulator.faults.device_faults import fault_text
from emulator.faults.registry import line_fault_text
from emulator.inputs import (
    Action,
    Advance,
    ArmDeviceFault,
    ArmFault,
    Bytes,
    ClearFaults,
    Control,
    CutPower,
    Input,
    Line,
    LineChange,
    RaiseSessionCounter,
    ReplaceKeys,
    RestorePower,
    RestoreState,
    SetEnvironment,
    SwapPump,
    UseSyringe,
)
from emulator.lines import OUTPUT_LIMIT, LineBreak, Lines
from emulator.successors import Successors
from emulator.wire import FaultNames, Guard, WireProtocol, abilities_of
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment
from firmware_model.plant.mixture import mixture_of
from firmware_model.pump import FaultChanged, PowerCut, PowerRestored, Pump, Recorded, ToneSounded
from firmware_model.pump_state import restored, save


class Device:
    """A pump behind a wire. All times are virtual microseconds and never go back."""

    def __init__(self, pump: Pump, wire: WireProtocol, successors: Successors | None = None) -> None:
        """`successors`: how another pump can come behind the lines; None where none can."""
        self.pump = pump
        self.wire = wire
        self._successors = successors
        self._told = EventQueue(pump)
        self._session_floor = 0
        self._lines = Lines(pump, wire, self._told, self._serve)
        self._drain()

    @property
    def now_us(self) -> int:
        """The virtual time that the device has reached."""
        return self.pump.now_us

    @property
    def has_power(self) -> bool:
        """Whether the pump has power."""
        return self.pump.powered

    @property
    def session_open(self) -> bool:
        """Whether a client holds a session, so that leases and time-outs run."""
        return self.pump.powered and self.wire.session_open

    @property
    def serial_number(self) -> int:
        """The pump's serial number."""
        return self.pump.serial_number

    @property
    def profile_name(self) -> str:
        """The name of the pump's profile."""
        return self.pump.profile.name

    @property
    def guard(self) -> Guard:
        """Which keys protect the pump."""
        return self.wire.guard

    @property
    def fault_names(self) -> FaultNames:
        """What a line fault can name, in each direction."""
        return FaultNames(self.wire.names, abilities_of(self.wire))

    def armed_faults(self) -> tuple[str | ArmedFault, ...]:
        """The faults that are armed: those of the line as they are written, those of the pump as they stand."""
        return (*map(line_fault_text, self._lines.faults.armed(self.now_us)), *self.pump.faults.armed)

    @property
    def environment(self) -> Environment:
        """What is around the pump as long as no fault makes it another."""
        return self.pump.environment

    def save_state(self) -> bytes:
        """The save-state of the pump. Raises SaveStateError for one that is too large."""
        return save(self.pump)

    def truth(self) -> dict[str, object]:
        """What is physically so; for the control plane."""
        return dict(self.pump.truth())

    def digest(self) -> str:
        """The digest of the pump's whole state."""
        return self.pump.digest()

    def receive(self, data: bytes, now: int, port: int = 0) -> None:
        """Bytes from a line."""
        self.apply(Bytes(now, port, data))

    def line(self, change: LineChange, now: int, port: int = 0) -> None:
        """The line itself has changed."""
        self.apply(Line(now, port, change))

    def control(self, action: Action, now: int) -> None:
        """The tester's hand. Raises TooManyFaults."""
        self.apply(Control(now, action))

    def advance(self, now: int) -> None:
        """Let time pass up to and including `now`."""
        self.apply(Advance(now))

    def apply(self, happening: Input) -> None:
        """The one door: let time pass up to the input, then let it happen."""
        self._pass_time(happening.at_us)
        match happening:
            case Bytes(now, port, data):
                self._receive(port, data, now)
            case Line(now, port, change):
                self._change_line(port, change, now)
            case Control(now, action):
                self._control(action, now)
            case Advance():
                pass
        self._drain()
        self._settle(self.now_us)

    def data_to_send(self, now: int, limit: int = OUTPUT_LIMIT, port: int = 0) -> bytes:
        """Bytes for a line, at most `limit` of them."""
        if now < self.now_us:
            raise ValueError(f"time cannot go back from {self.now_us} to {now}")
        return self._lines.take_output(port, limit)

    def next_deadline(self) -> int | None:
        """When the device next wants to be woken; None for never."""
        carried_due = self._lines.carrier.next_deadline()
        if not self.pump.powered:
            return carried_due
        due, wire_due = self.pump.next_deadline(), self.wire.next_deadline()
        if due is None or (wire_due is not None and wire_due < due):
            due = wire_due
        return due if carried_due is None or (due is not None and due < carried_due) else carried_due

    def next_event(self) -> Event | None:
        """What happened, oldest first."""
        return self._told.take()

    def next_line_break(self) -> LineBreak | None:
        """What the driver has to do at a port, because a fault has broken its line, or that is over."""
        return self._lines.next_break()

    def _pass_time(self, now: int) -> None:
        """Let everything happen that is due up to `now`, in its order: the pump's own, the wire's, the lines'."""
        while (due := self.next_deadline()) is not None and due <= now:
            self.pump.advance(due)
            if self.pump.powered:
                self.wire.advance(due)
            self._drain()
            self._settle(due)
        self.pump.advance(now)

    def _receive(self, port: int, data: bytes, now: int) -> None:
        if self._lines.is_new(port):
            self._change_line(port, LineChange.OPENED, now)
        for frame in self._lines.requests(port, data, now):
            self._lines.take_request(port, frame, now)
            self._settle(now)

    def _change_line(self, port: int, change: LineChange, now: int) -> None:
        self._lines.change(port, change, now)
        self._drain()

    def _serve(self, now: int) -> None:
        """Let the model answer what the wire asks of it."""
        while (request := self.wire.next_request()) is not None:
            reply = self.pump.command(request.command, now)
            self._drain()
            if reply is not None:
                self.wire.reply(request.token, reply, now)
        self._drain()

    def _settle(self, now: int) -> None:
        """Let the model answer, and let all arrive that faults have held up until now."""
        self._serve(now)
        while (load := self._lines.carrier.take(now)) is not None:
            self._lines.deliver(load, now)
            self._drain()
            self._serve(now)

    def _control(self, action: Action, now: int) -> None:
        match action:
            case ArmFault(fault):
                self._lines.faults.arm(fault, now)
                self._told.emit(events.FaultArmed, fault=line_fault_text(fault))
            case ArmDeviceFault(fault):
                self.pump.arm_fault(fault, now)
                self._told.emit(events.FaultArmed, fault=fault_text(fault))
            case UseSyringe():
                self._use_syringe(action, now)
            case ClearFaults():
                self._lines.clear_faults()
                self.pump.disarm_power_cut()
                self.pump.clear_faults(now)
                self._told.emit(events.FaultsCleared)
            case CutPower(None):
                self._lines.carrier.forget_power()
                self.pump.cut_power(now)
            case CutPower(int(at_write), mode, torn_bytes):
                self.pump.arm_power_cut(at_write, mode, torn_bytes, now)
                self._told.emit(events.FaultArmed, fault=f"power cut {mode.value} write {at_write}")
            case RestorePower():
                self._lines.carrier.forget_power()
                self.pump.restore_power(now)
            case ReplaceKeys(keys):
                self.wire.replace_keys(keys)
                if self._successors is not None:
                    self._successors.keys = keys or None
                self._told.emit(events.KeysReplaced, roles=", ".join(keys))
                self._serve(now)
            case RaiseSessionCounter(floor):
                self.pump.raise_session_counter(floor, now)
            case SetEnvironment():
                self._set_environment(action, now)
            case SwapPump(serial_number, floor):
                pump, former = Pump(self.pump.profile, serial_number, self.pump.seed, now), self.serial_number
                self._become(pump, floor)
                self._told.emit(events.PumpSwapped, serial_number=f"{serial_number:08X}", former=f"{former:08X}")
            case RestoreState(state, floor):
                self._become(restored(state, self.pump.profile), floor)
                self._told.emit(events.StateRestored, serial_number=f"{self.serial_number:08X}", left_at_us=now)

    def _set_environment(self, action: SetEnvironment, now: int) -> None:
        present, cc, on = self.pump.environment, action.temperature_cc, action.field_on
        wanted = Environment(present.temperature_cc if cc is None else cc, present.field_on if on is None else on)
        self.pump.set_environment(wanted, now)
        magnetic_field = "on" if wanted.field_on else "off"
        self._told.emit(events.EnvironmentChanged, temperature_cc=wanted.temperature_cc, magnetic_field=magnetic_field)

    def _become(self, pump: Pump, session_floor: int) -> None:
        """Let another pump be behind the lines. What was of the one before is gone, but for the faults of the line."""
        if self._successors is None:
            raise ValueError("no other pump can come behind these lines")
        wire = self._successors.wire_of(pump)
        self.wire.power_lost()
        self._drain()
        self.pump, self.wire = pump, wire
        self._told.follow(pump)
        self._lines.become(pump, wire, pump.now_us)
        for session in pump.open_sessions:
            pump.end_session(session, pump.now_us)
        pump.set_telemetry(on=False, now=pump.now_us)
        self._session_floor = session_floor
        self._keep_session_floor()

    def _keep_session_floor(self) -> None:
        """A pump without power cannot write it down, so it is kept until it has."""
        if self._session_floor and self.pump.powered:
            self.pump.raise_session_counter(self._session_floor, self.now_us)
            self._session_floor = 0

    def _use_syringe(self, action: UseSyringe, now: int) -> None:
        withdraw_nl = self.pump.plant.reservoir.volume_nl if action.withdraw_nl is None else action.withdraw_nl
        out_nl, in_nl = self.pump.syringe(withdraw_nl, action.inject_nl, mixture_of(*action.drugs), now)
        self._told.emit(events.SyringeUsed, withdrawn_nl=out_nl, injected_nl=in_nl)

    def _drain(self) -> None:
        """Take what pump and wire have made of the last happening, until both are silent."""
        while (happened := self.pump.next_event()) is not None:
            self.wire.happened(happened, self.now_us)
            match happened:
                case Recorded():
                    self._tell_record(happened)
                case PowerCut(_, write):
                    self.wire.power_lost()
                    self._told.emit(events.PowerChanged, change="cut", write=write)
                case PowerRestored():
                    self._keep_session_floor()
                    self._lines.forget_requests()
                    self._told.emit(events.PowerChanged, change="restored", write="")
                case ToneSounded(at_us, alarm, critical):
                    tone = "dual" if critical else "single"
                    self._told.emit(events.ToneSounded, at_us=at_us, alarm=alarm.name.lower(), tone=tone)
                case FaultChanged(at_us, number, fault, began):
                    change = "began" if began else "ended"
                    self._told.emit(
                        events.FaultChanged, at_us=at_us, fault_number=number, fault=fault_text(fault), change=change
                    )
        while (changed := self.wire.next_session_change()) is not None:
            self._told.emit(
                events.SessionChanged,
                port=changed.port,
                change="opened" if changed.opened else "ended",
                reason=changed.reason,
                session_id=changed.session_id,
                role=changed.role,
                host_id=changed.host_id,
            )
            if not changed.opened:
                self.pump.end_session(changed.session, self.now_us)
            self.pump.set_telemetry(on=self.wire.session_open, now=self.now_us)
        self._lines.send(self.now_us)

    def _tell_record(self, happened: Recorded) -> None:
        record = happened.record
        self._told.emit(
            events.Logged,
            at_us=happened.at_us,
            sequence=record.sequence,
            type=record.type.name.lower(),
            op_id=record.op_id,
            detail=record.detail,
        )
