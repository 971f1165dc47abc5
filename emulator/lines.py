"""The lines of a device: the way of each frame between a port and the wire, through the faults of the line.

- A frame that no fault strikes, and that waits for nothing, is at its end in the same call.
- A struck frame goes on as pieces, which the carrier holds until they are due. What reaches the pump of them is cut to
  frames once more.
- Nothing here asks the model: `serve` does, whenever a frame must have had its effect before the next is heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from emulator import events
from emulator.event_queue import EventQueue
from emulator.faults.carrier import Cargo, Carrier, Lane, LineBreaks, LineMends, Load, PowerBack, PowerGoes, SessionGoes
from emulator.faults.line import LineFaults
from emulator.inputs import LineChange
from emulator.wire import Direction, FrameCutter, SealingWire, SessionWire, WireFrame, WireProtocol
from firmware_model.pump import Pump

OUTPUT_LIMIT = 65_536
"""Bytes kept for a line until its driver takes them. What is beyond is lost, as on a line that nobody reads."""
EVENT_OUTPUT_LIMIT = 16_384
"""Beyond so many, frames that answer nothing are lost, so that answers never are on their account."""

NO_POWER = "the pump has no power"
NO_CLIENT = "no client has opened the line"


@dataclass(frozen=True, slots=True)
class LineBreak:
    """What a driver has to do at a port: take the line from its client and let none in (`broken`), or let them in."""

    port: int
    broken: bool


@dataclass(slots=True)
class _Line:
    """One line: whether a client is there (None: none ever was) and reads, its two cutters, and the bytes for it.

    `broken`: a fault has broken it, so that no client can be there.
    `mended` cuts what faults have let through to the pump, as long as it holds a piece that is not finished.
    """

    requests: FrameCutter
    answers: FrameCutter
    open: bool | None = None
    reading: bool = True
    broken: bool = False
    mended: FrameCutter | None = None
    mended_bytes: int = 0
    output: bytearray = field(default_factory=bytearray)

    def begin_anew(self) -> None:
        """Whoever was there left nothing behind."""
        self.reading = True
        self.answers.reset()
        self.output.clear()
        self.forget_requests()

    def forget_requests(self) -> None:
        """The pump remembers nothing of what it has begun to hear."""
        self.requests.reset()
        self.mended, self.mended_bytes = None, 0


class Lines:
    """All lines of one pump. Whoever owns it lets the model answer and takes what pump and wire have made of it."""

    def __init__(self, pump: Pump, wire: WireProtocol, told: EventQueue, serve: Callable[[int], None]) -> None:
        self.faults = LineFaults(wire if isinstance(wire, SealingWire) else None)
        self.carrier = Carrier()
        self._pump = pump
        self._wire = wire
        self._told = told
        self._serve = serve
        self._lines: dict[int, _Line] = {}
        self._frames_sent = 0
        self._breaks: deque[LineBreak] = deque()

    def become(self, pump: Pump, wire: WireProtocol, now: int) -> None:
        """Another pump is at the end of the lines: whoever is on one stays there, and what is under way is gone."""
        self._pump, self._wire = pump, wire
        self.carrier = Carrier()
        for port, line in self._lines.items():
            line.requests, line.answers = wire.cutter(Direction.REQUEST), wire.cutter(Direction.ANSWER)
            line.forget_requests()
            if line.open:
                self._wire.line_opened(port, now)
                if not line.reading:
                    self._wire.line_reading(port, now, reading=False)
        if not pump.powered:
            self._silence_wire()

    def is_new(self, port: int) -> bool:
        """Whether no client has ever been on a line."""
        return self._line(port).open is None

    def change(self, port: int, change: LineChange, now: int) -> None:
        """The line itself has changed."""
        line = self._line(port)
        if line.broken:
            return
        if change in (LineChange.HELD, LineChange.FLOWING):
            self._hold(port, line, now, reading=change is LineChange.FLOWING)
            return
        self._begin_anew(port, line, change.value, is_open=change is not LineChange.CLOSED)
        if line.open:
            self._wire.line_opened(port, now)
            if not self._pump.powered:
                self._silence_wire()
        else:
            self._wire.line_closed(port, now)

    def requests(self, port: int, data: bytes, now: int) -> Iterable[WireFrame]:
        """Cut what came from a client: the frames for which the pump has power, rejected ones as well.

        What is on a line that breaks is lost with it, also what came together with the frame at which it broke.
        """
        line = self._line(port)
        if line.broken:
            return
        if not line.open:
            self._reject(port, data, NO_CLIENT)
            return
        for frame in line.requests.feed(data, now):
            if self._line(port).broken:
                return
            if frame.silent:
                continue
            if not self._pump.powered:
                self._reject(port, frame.raw, NO_POWER)
                continue
            yield frame

    def take_request(self, port: int, frame: WireFrame, now: int) -> None:
        """A frame from a client goes its way."""
        if not frame.rejected:
            self._see(port, frame)
        else:
            self._reject(port, frame.raw, frame.rejected)
        self._carry(port, frame, now)

    def send(self, now: int) -> None:
        """Let go its way whatever the wire has for each line."""
        for port, line in self._lines.items():
            for raw in self._wire.frames_to_send(port):
                for frame in line.answers.feed(raw, now):
                    if not frame.silent:
                        self._see(port, frame)
                        self._carry(port, frame, now)

    def take_output(self, port: int, limit: int) -> bytes:
        """Bytes for a client, at most `limit` of them."""
        output = self._line(port).output
        taken = bytes(output[:limit])
        del output[:limit]
        return taken

    def forget_requests(self) -> None:
        """What the pump had heard of a frame it has forgotten, and what came without power it never heard."""
        for line in self._lines.values():
            line.forget_requests()

    def next_break(self) -> LineBreak | None:
        """What a driver has to do at a port, in the order in which it came about."""
        return self._breaks.popleft() if self._breaks else None

    def clear_faults(self) -> None:
        """Disarm all, and end what lasts."""
        self.faults.clear()
        for port, line in self._lines.items():
            if line.broken:
                self.carrier.forget_mending(port)
                self._mend(port, line)

    def deliver(self, load: Load, now: int) -> None:
        """What was under way is at its end."""
        match load:
            case PowerGoes(off_us):
                self._pump.cut_power(now)
                if off_us:
                    self.carrier.schedule(PowerBack(), now + off_us)
            case PowerBack():
                self._pump.restore_power(now)
            case LineBreaks(port, lasting_us):
                self._break(port, self._line(port), lasting_us, now)
            case LineMends(port):
                self._mend(port, self._line(port))
            case SessionGoes(port):
                if isinstance(self._wire, SessionWire):
                    self._wire.forget_session(port, now)
            case Cargo(lane):
                untouched = load.as_sent and now == load.sent_us
                if not untouched:
                    self._told.emit(
                        events.FrameInjected,
                        fault=load.fault,
                        port=lane.port,
                        direction=Direction.REQUEST.value if lane.to_pump else _from_pump(load.frame).value,
                        raw=load.raw,
                        struck=load.frame.raw,
                        late_us=now - load.sent_us,
                    )
                self._arrive(lane, load.frame, load.raw, load.place, now, untouched=untouched)

    def _hold(self, port: int, line: _Line, now: int, *, reading: bool) -> None:
        if line.open and line.reading is not reading:
            line.reading = reading
            self._told.emit(events.LineChanged, port=port, change="flowing" if reading else "held")
            self._wire.line_reading(port, now, reading=reading)
            self._serve(now)

    def _begin_anew(self, port: int, line: _Line, change: str, *, is_open: bool) -> None:
        line.open = is_open
        line.begin_anew()
        self.carrier.forget_line(port)
        self._told.emit(events.LineChanged, port=port, change=change)

    def _break(self, port: int, line: _Line, lasting_us: int, now: int) -> None:
        if line.broken:
            return
        line.broken = True
        self._begin_anew(port, line, "broken", is_open=False)
        self._wire.line_closed(port, now)
        self._breaks.append(LineBreak(port, broken=True))
        self.carrier.schedule(LineMends(port), now + lasting_us)

    def _mend(self, port: int, line: _Line) -> None:
        line.broken = False
        self._breaks.append(LineBreak(port, broken=False))
        self._told.emit(events.LineChanged, port=port, change="mended")

    def _silence_wire(self) -> None:
        """A pump without power opens no session, and so none is told of; the next frame that it hears opens one."""
        self._wire.power_lost()
        while self._wire.next_session_change() is not None:
            pass

    def _carry(self, port: int, frame: WireFrame, now: int) -> None:
        """Let a frame go its way, through the faults of the line and behind whatever they hold up."""
        lane = Lane(port, frame.direction is Direction.REQUEST)
        self._frames_sent += 1
        place = self._frames_sent
        struck = self.faults.strike(port, frame, now)
        if struck is None:
            ahead = None if self.carrier.idle else self.carrier.ahead(lane)
            if ahead is None:
                self._arrive(lane, frame, frame.raw, place, now, untouched=True)
            else:
                waits = Cargo(lane, frame, ahead.fault, frame.raw, now, place)
                self.carrier.put(waits, now)
            return
        for fault in struck.faults:
            self._told.emit(events.FaultFired, fault=fault, port=port, raw=frame.raw)
        if struck.power_off_us is not None:
            self.carrier.schedule(PowerGoes(struck.power_off_us), now)
        if struck.broken_us:
            self.carrier.schedule(LineBreaks(port, struck.broken_us), now)
        if struck.forgotten:
            self.carrier.schedule(SessionGoes(port), now)
        fault, as_sent = " + ".join(struck.faults), True
        for piece in struck.pieces:
            is_frame = as_sent and piece.raw == frame.raw and not piece.turned
            as_sent = as_sent and not is_frame
            goes = Lane(port, lane.to_pump is not piece.turned)
            cargo = Cargo(goes, frame, fault, piece.raw, now, place, as_sent=is_frame)
            self.carrier.put(cargo, now + piece.after_us, loose=piece.loose)

    def _arrive(self, lane: Lane, frame: WireFrame, raw: bytes, place: int, now: int, *, untouched: bool) -> None:
        """Bytes are at the end of their way: `untouched` if they are the frame, as it was sent and when."""
        line = self._line(lane.port)
        if not lane.to_pump:
            limit = EVENT_OUTPUT_LIMIT if frame.direction is Direction.EVENT else OUTPUT_LIMIT
            if len(line.output) + len(raw) <= limit:
                line.output += raw
        elif untouched and line.mended is None and self._pump.powered:
            if reason := self._wire.receive(lane.port, frame, now):
                self._reject(lane.port, raw, reason)
        else:
            self._hear_mended(lane.port, line, raw, now, judged=raw == frame.raw and bool(frame.rejected))
        if not self.carrier.idle:
            self.carrier.overtake(lane, place, now)

    def _hear_mended(self, port: int, line: _Line, raw: bytes, now: int, *, judged: bool) -> None:
        """Bytes that faults have let through to the pump, cut to frames once more: what is left of one may be none.

        Not by the line's own cutter: that is in the middle of what came with the frame that was struck.
        """
        line.mended = line.mended or self._wire.cutter(Direction.REQUEST)
        line.mended_bytes += len(raw)
        for piece in line.mended.feed(raw, now):
            line.mended_bytes -= len(piece.raw)
            if piece.silent:
                continue
            if not self._pump.powered:
                self._reject(port, piece.raw, NO_POWER)
                continue
            reason = self._wire.receive(port, piece, now) or piece.rejected
            if reason and not judged:
                self._reject(port, piece.raw, reason)
            self._serve(now)
        if not line.mended_bytes:
            line.mended = None

    def _line(self, port: int) -> _Line:
        if port not in self._lines:
            self._lines[port] = _Line(self._wire.cutter(Direction.REQUEST), self._wire.cutter(Direction.ANSWER))
        return self._lines[port]

    def _see(self, port: int, frame: WireFrame) -> None:
        self._told.emit(
            events.FrameSeen,
            port=port,
            direction=frame.direction.value,
            name=frame.name,
            effect=frame.effect,
            summary=frame.summary,
            raw=frame.raw,
        )

    def _reject(self, port: int, raw: bytes, reason: str) -> None:
        self._told.emit(events.BytesRejected, port=port, reason=reason, raw=raw)


def _from_pump(frame: WireFrame) -> Direction:
    return Direction.EVENT if frame.direction is Direction.EVENT else Direction.ANSWER
