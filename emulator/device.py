"""The whole device: one pump, one wire, any number of lines; sans-IO, with explicit time.

Rules of this file:

- Everything that happens to a device is an `Input`, and goes through `apply`. The calls `receive`, `line`, `control`
  and `advance` only build one.
- Whatever is due before an input happens before it: `apply` lets time pass first.
- What anybody may observe leaves as an event, what a line may read by `data_to_send`. Taking either changes nothing.
- A line fault stands between a line and the wire: a dropped request is one that the wire never sees, a dropped answer
  one that it has sent and nobody receives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator import events
from emulator.events import Event
from emulator.faults.carrier import Cargo, Carrier, Lane, Load, PowerBack, PowerGoes
from emulator.faults.device_faults import fault_text
from emulator.faults.line import LineFaults
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
    UseSyringe,
)
from emulator.wire import Direction, FrameCutter, Guard, WireFrame, WireProtocol
from firmware_model.faults import ArmedFault
from firmware_model.plant.mixture import mixture_of
from firmware_model.pump import FaultChanged, PowerCut, PowerRestored, Pump, Recorded, ToneSounded

OUTPUT_LIMIT = 65_536
"""Bytes kept for a line until its driver takes them. What is beyond is lost, as on a line that nobody reads."""
EVENT_OUTPUT_LIMIT = 16_384
"""Beyond so many, frames that answer nothing are lost, so that answers never are on their account."""

NO_POWER = "the pump has no power"
NO_CLIENT = "no client has opened the line"


@dataclass(slots=True)
class _LineState:
    """One line: whether a client is there (None: none ever was) and reads, its two cutters, and the bytes for it.

    `mended` cuts what faults have let through to the pump, as long as it holds a piece that is not finished.
    """

    requests: FrameCutter
    answers: FrameCutter
    open: bool | None = None
    reading: bool = True
    mended: FrameCutter | None = None
    mended_bytes: int = 0
    output: bytearray = field(default_factory=bytearray)


class Device:
    """A pump behind a wire. All times are virtual microseconds and never go back."""

    def __init__(self, pump: Pump, wire: WireProtocol) -> None:
        self.pump = pump
        self.wire = wire
        self._faults = LineFaults()
        self._carrier = Carrier()
        self._lines: dict[int, _LineState] = {}
        self._events: deque[Event] = deque()
        self._events_made = 0
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
    def fault_names(self) -> tuple[str, ...]:
        """The operations that a line fault can name."""
        return self.wire.names

    def armed_faults(self) -> tuple[str | ArmedFault, ...]:
        """The faults that are armed: those of the line as they are written, those of the pump as they stand."""
        return (*map(line_fault_text, self._faults.armed(self.now_us)), *self.pump.faults.armed)

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
        self._settle(happening.at_us)

    def data_to_send(self, now: int, limit: int = OUTPUT_LIMIT, port: int = 0) -> bytes:
        """Bytes for a line, at most `limit` of them."""
        if now < self.now_us:
            raise ValueError(f"time cannot go back from {self.now_us} to {now}")
        output = self._line(port).output
        taken = bytes(output[:limit])
        del output[:limit]
        return taken

    def next_deadline(self) -> int | None:
        """When the device next wants to be woken; None for never."""
        carried_due = self._carrier.next_deadline()
        if not self.pump.powered:
            return carried_due
        due, wire_due = self.pump.next_deadline(), self.wire.next_deadline()
        if due is None or (wire_due is not None and wire_due < due):
            due = wire_due
        return due if carried_due is None or (due is not None and due < carried_due) else carried_due

    def next_event(self) -> Event | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

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
        line = self._line(port)
        if line.open is None:
            self._change_line(port, LineChange.OPENED, now)
        if not line.open:
            self._reject(port, data, NO_CLIENT)
            return
        for frame in line.requests.feed(data, now):
            if not frame.silent:
                self._take_frame(port, frame, now)

    def _take_frame(self, port: int, frame: WireFrame, now: int) -> None:
        if not self.pump.powered:
            self._reject(port, frame.raw, NO_POWER)
            return
        if not frame.rejected:
            self._see(port, frame)
        else:
            self._reject(port, frame.raw, frame.rejected)
        self._carry(port, frame, now)
        self._settle(now)

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
        while (load := self._carrier.take(now)) is not None:
            self._deliver(load, now)
            self._serve(now)

    def _change_line(self, port: int, change: LineChange, now: int) -> None:
        line = self._line(port)
        if change in (LineChange.HELD, LineChange.FLOWING):
            self._hold_line(port, line, now, reading=change is LineChange.FLOWING)
            return
        line.open = change is not LineChange.CLOSED
        line.reading = True
        line.requests.reset()
        line.answers.reset()
        line.output.clear()
        line.mended, line.mended_bytes = None, 0
        self._carrier.forget_line(port)
        self._emit(events.LineChanged, port=port, change=change.value)
        if line.open:
            self.wire.line_opened(port, now)
            if not self.pump.powered:
                self._silence_wire()
        else:
            self.wire.line_closed(port, now)
        self._drain()

    def _hold_line(self, port: int, line: _LineState, now: int, *, reading: bool) -> None:
        if line.open and line.reading is not reading:
            line.reading = reading
            self._emit(events.LineChanged, port=port, change="flowing" if reading else "held")
            self.wire.line_reading(port, now, reading=reading)
            self._serve(now)

    def _silence_wire(self) -> None:
        """A pump without power opens no session, and so none is told of; the next frame that it hears opens one."""
        self.wire.power_lost()
        while self.wire.next_session_change() is not None:
            pass

    def _control(self, action: Action, now: int) -> None:
        match action:
            case ArmFault(fault):
                self._faults.arm(fault, now)
                self._emit(events.FaultArmed, fault=line_fault_text(fault))
            case ArmDeviceFault(fault):
                self.pump.arm_fault(fault, now)
                self._emit(events.FaultArmed, fault=fault_text(fault))
            case UseSyringe():
                self._use_syringe(action, now)
            case ClearFaults():
                self._faults.clear()
                self.pump.disarm_power_cut()
                self.pump.clear_faults(now)
                self._emit(events.FaultsCleared)
            case CutPower(None):
                self._carrier.forget_power()
                self.pump.cut_power(now)
            case CutPower(int(at_write), mode, torn_bytes):
                self.pump.arm_power_cut(at_write, mode, torn_bytes, now)
                self._emit(events.FaultArmed, fault=f"power cut {mode.value} write {at_write}")
            case RestorePower():
                self._carrier.forget_power()
                self.pump.restore_power(now)
            case ReplaceKeys(keys):
                self.wire.replace_keys(keys)
                self._emit(events.KeysReplaced, roles=", ".join(keys))
                self._serve(now)
            case RaiseSessionCounter(floor):
                self.pump.raise_session_counter(floor, now)

    def _use_syringe(self, action: UseSyringe, now: int) -> None:
        withdraw_nl = self.pump.plant.reservoir.volume_nl if action.withdraw_nl is None else action.withdraw_nl
        out_nl, in_nl = self.pump.syringe(withdraw_nl, action.inject_nl, mixture_of(*action.drugs), now)
        self._emit(events.SyringeUsed, withdrawn_nl=out_nl, injected_nl=in_nl)

    def _drain(self) -> None:
        """Take what pump and wire have made of the last happening, until both are silent."""
        while (happened := self.pump.next_event()) is not None:
            self.wire.happened(happened, self.now_us)
            match happened:
                case Recorded():
                    self._tell_record(happened)
                case PowerCut(_, write):
                    self.wire.power_lost()
                    self._emit(events.PowerChanged, change="cut", write=write)
                case PowerRestored():
                    # What the pump had heard of a frame it has forgotten, and what came without power it never heard.
                    for line in self._lines.values():
                        line.requests.reset()
                        line.mended, line.mended_bytes = None, 0
                    self._emit(events.PowerChanged, change="restored", write="")
                case ToneSounded(at_us, alarm, critical):
                    tone = "dual" if critical else "single"
                    self._emit(events.ToneSounded, at_us=at_us, alarm=alarm.name.lower(), tone=tone)
                case FaultChanged(at_us, number, fault, began):
                    change = "began" if began else "ended"
                    self._emit(
                        events.FaultChanged, at_us=at_us, fault_number=number, fault=fault_text(fault), change=change
                    )
        while (changed := self.wire.next_session_change()) is not None:
            self._emit(
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
        for port, line in self._lines.items():
            for raw in self.wire.frames_to_send(port):
                self._send(port, line, raw)

    def _send(self, port: int, line: _LineState, raw: bytes) -> None:
        for frame in line.answers.feed(raw, self.now_us):
            if frame.silent:
                continue
            self._see(port, frame)
            self._carry(port, frame, self.now_us)

    def _carry(self, port: int, frame: WireFrame, now: int) -> None:
        """Let a frame go its way, through the faults of the line and behind whatever they hold up."""
        lane = Lane(port, frame.direction is Direction.REQUEST)
        struck = self._faults.strike(port, frame, now)
        if struck is None:
            ahead = None if self._carrier.idle else self._carrier.ahead(lane)
            if ahead is None:
                self._arrive(lane, frame, frame.raw, now, untouched=True)
            else:
                waits = Cargo(lane, frame, ahead.fault, frame.raw, now)
                self._carrier.put(waits, now)
            return
        for fault in struck.faults:
            self._emit(events.FaultFired, fault=fault, port=port, raw=frame.raw)
        if struck.power_off_us is not None:
            self._carrier.schedule(PowerGoes(struck.power_off_us), now)
        fault, as_sent = " + ".join(struck.faults), True
        for piece in struck.pieces:
            is_frame = as_sent and piece.raw == frame.raw and not piece.turned
            as_sent = as_sent and not is_frame
            goes = Lane(port, lane.to_pump is not piece.turned)
            cargo = Cargo(goes, frame, fault, piece.raw, now, as_sent=is_frame)
            self._carrier.put(cargo, now + piece.after_us, loose=piece.loose)

    def _deliver(self, load: Load, now: int) -> None:
        match load:
            case PowerGoes(off_us):
                self.pump.cut_power(now)
                if off_us:
                    self._carrier.schedule(PowerBack(), now + off_us)
            case PowerBack():
                self.pump.restore_power(now)
            case Cargo(lane):
                untouched = load.as_sent and now == load.sent_us
                if not untouched:
                    self._emit(
                        events.FrameInjected,
                        fault=load.fault,
                        port=lane.port,
                        direction=Direction.REQUEST.value if lane.to_pump else _from_pump(load.frame).value,
                        raw=load.raw,
                        struck=load.frame.raw,
                        late_us=now - load.sent_us,
                    )
                self._arrive(lane, load.frame, load.raw, now, untouched=untouched)
        self._drain()

    def _arrive(self, lane: Lane, frame: WireFrame, raw: bytes, now: int, *, untouched: bool) -> None:
        """Bytes are at the end of their way: `untouched` if they are the frame, as it was sent and when."""
        line = self._line(lane.port)
        if not lane.to_pump:
            limit = EVENT_OUTPUT_LIMIT if frame.direction is Direction.EVENT else OUTPUT_LIMIT
            if len(line.output) + len(raw) <= limit:
                line.output += raw
        elif untouched and line.mended is None and self.pump.powered:
            if reason := self.wire.receive(lane.port, frame, now):
                self._reject(lane.port, raw, reason)
        else:
            self._hear_mended(lane.port, line, raw, now, judged=raw == frame.raw and bool(frame.rejected))
        if not self._carrier.idle:
            self._carrier.overtake(lane, now)

    def _hear_mended(self, port: int, line: _LineState, raw: bytes, now: int, *, judged: bool) -> None:
        """Bytes that faults have let through to the pump, cut to frames once more: what is left of one may be none.

        Not by the line's own cutter: that is in the middle of what came with the frame that was struck.
        """
        line.mended = line.mended or self.wire.cutter(Direction.REQUEST)
        line.mended_bytes += len(raw)
        for piece in line.mended.feed(raw, now):
            line.mended_bytes -= len(piece.raw)
            if piece.silent:
                continue
            if not self.pump.powered:
                self._reject(port, piece.raw, NO_POWER)
                continue
            reason = self.wire.receive(port, piece, now) or piece.rejected
            if reason and not judged:
                self._reject(port, piece.raw, reason)
            self._serve(now)
        if not line.mended_bytes:
            line.mended = None

    def _line(self, port: int) -> _LineState:
        if port not in self._lines:
            self._lines[port] = _LineState(self.wire.cutter(Direction.REQUEST), self.wire.cutter(Direction.ANSWER))
        return self._lines[port]

    def _emit(self, kind: Callable[..., Event], at_us: int | None = None, **fields: object) -> None:
        """Add an event of a kind: `at_us` None is now."""
        self._events_made += 1
        self._events.append(kind(number=self._events_made, at_us=self.now_us if at_us is None else at_us, **fields))

    def _see(self, port: int, frame: WireFrame) -> None:
        self._events_made += 1
        self._events.append(
            events.FrameSeen(
                number=self._events_made,
                at_us=self.pump.now_us,
                port=port,
                direction=frame.direction.value,
                name=frame.name,
                effect=frame.effect,
                summary=frame.summary,
                raw=frame.raw,
            )
        )

    def _reject(self, port: int, raw: bytes, reason: str) -> None:
        self._emit(events.BytesRejected, port=port, reason=reason, raw=raw)

    def _tell_record(self, happened: Recorded) -> None:
        record = happened.record
        self._emit(
            events.Logged,
            at_us=happened.at_us,
            sequence=record.sequence,
            type=record.type.name.lower(),
            op_id=record.op_id,
            detail=record.detail,
        )


def _from_pump(frame: WireFrame) -> Direction:
    return Direction.EVENT if frame.direction is Direction.EVENT else Direction.ANSWER
