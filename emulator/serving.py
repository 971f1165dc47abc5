"""The loop that serves a pump: ports, wall clock and observers around a device, on one asyncio loop and one thread.

Each input reaches the device at the pacer's `now`. After each, `_settle` does what an input can make necessary: bytes
go to their ports, events to the observers, the speed follows the session, and the one timer is set to the deadline.

A defect, that is an exception from the device or an observer, ends the serving: a pump that broke off in the middle
of a command is no longer the pump that the tester asked for, so it must not answer on. `run` raises `ServingFailed`
then, whose text is one sentence, and whoever runs it exits with status 1.

A pump that is kept in a file is kept before bytes leave for a port, before the tester is answered, every few seconds,
and at the end: nothing that anybody was told is lost. Where that fails nothing more is told, and the serving ends, too.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from emulator.events import Event
from emulator.inputs import Action, LineChange
from emulator.lines import LineBreak
from emulator.pacing import Pacer
from emulator.ports.port import Port
from emulator.serveable import SEND_LIMIT, Serveable
from emulator.wire import FaultNames
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment

# So much virtual time at most passes in one call of the device (more only if nothing happens in it), so that its
# queue of events stays short.
SLICE_US = 3600 * 1_000_000
# What nobody was told waits no longer than this to be kept.
KEEP_EVERY_S = 10.0
# Other work of the loop (clients, control) waits no longer than this for a long way through virtual time.
CHUNK_NS = 50 * 1_000_000
# Bytes of one input: whatever they are, they make a bounded number of events and answers.
INPUT_LIMIT = 4096

# Further than a day ahead nothing needs to be set: waking up once a day costs nothing, and no clock overflows.
_MAX_DELAY_NS = 86_400 * 1_000_000_000

Observer = Callable[[Event], None]


class ServingFailed(Exception):
    """A defect ended the serving; the text is one sentence."""


class NotKept(Exception):
    """The pump cannot be kept in its file any more; the text is one sentence."""


class ServingStopped(Exception):
    """The serving ended before it could do what it was asked."""


class _PortSink:
    """Hands what happens at one port to the device."""

    def __init__(self, serving: Serving, index: int) -> None:
        self._serving = serving
        self._index = index

    def opened(self) -> None:
        self._serving.take_line(LineChange.OPENED, self._index)

    def closed(self) -> None:
        self._serving.take_line(LineChange.CLOSED, self._index)

    def held(self) -> None:
        self._serving.take_line(LineChange.HELD, self._index)

    def flowing(self) -> None:
        self._serving.take_line(LineChange.FLOWING, self._index)

    def overrun(self) -> None:
        self._serving.take_line(LineChange.OVERRUN, self._index)

    def received(self, data: bytes) -> None:
        self._serving.take_bytes(data, self._index)


class Serving:
    """A device, its ports, its time and its observers. `moved` is told of a port that clients now find elsewhere."""

    def __init__(
        self,
        device: Serveable,
        ports: Sequence[Port],
        pacer: Pacer,
        observers: Sequence[Observer] = (),
        wall_ns: Callable[[], int] = time.monotonic_ns,
        moved: Callable[[Port], None] = lambda _: None,
        keep: Callable[[], None] | None = None,
    ) -> None:
        """`keep` makes the device as it is now durable, or raises NotKept."""
        self.device = device
        self.ports = tuple(ports)
        self.pacer = pacer
        self._observers = list(observers)
        self._wall_ns = wall_ns
        self._moved = moved
        self._keep = keep
        self._is_kept = keep is None
        self._keeping: asyncio.TimerHandle | None = None
        self._inputs: deque[Callable[[], None]] = deque()
        self._working = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        # One long way through virtual time after the other.
        self._moving = asyncio.Lock()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call the observer with every event from now on; returns what ends that."""
        self._observers.append(observer)

        def stop() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return stop

    def now_us(self) -> int:
        """The virtual time: the one at which an input would reach the device now.

        A device that is far behind, for want of computing power, is not made to catch up at one go.
        """
        now_us = max(self.pacer.now_us(self._wall_ns()), self.device.now_us)
        return self._slice_end(now_us, SLICE_US)

    @property
    def fault_names(self) -> FaultNames:
        """What a line fault may name, in each direction."""
        return self.device.fault_names

    def armed_faults(self) -> Sequence[str | ArmedFault]:
        """The faults that are armed: those of the line as they were written, those of the pump as they stand."""
        return self.device.armed_faults()

    @property
    def stopped(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Begin to take clients and to let time pass; call it on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._take_exception)
        for index, port in enumerate(self.ports):
            port.start(self._loop, _PortSink(self, index))
        self._do(lambda: None)
        self._keep_on()

    async def run(self) -> None:
        """Serve until `shutdown`; raises `ServingFailed` after a defect, or `NotKept`. Ports are closed in any case."""
        try:
            if self._loop is None:
                self.start()
            await self._stopped.wait()
        finally:
            self._stopped.set()
            self._cancel_timer()
            if self._keeping is not None:
                self._keeping.cancel()
            for port in self.ports:
                port.close()
            # What a defect has left is no pump.
            if self._failure is None:
                self._keep_now()
        if isinstance(self._failure, NotKept):
            raise self._failure
        if self._failure is not None:
            raise ServingFailed(_sentence(self._failure)) from self._failure

    def shutdown(self) -> None:
        """End `run`."""
        self._stopped.set()

    def apply(self, action: Action) -> None:
        """The tester's hand, now. A ValueError is the pump's refusal of the action."""
        self._check_alive()
        refusals: list[ValueError] = []

        def act() -> None:
            now_us = self.now_us()
            try:
                self.device.control(action, now_us)
            except ValueError as refusal:
                refusals.append(refusal)
            if self.device.now_us != now_us:
                self.pacer.go_on_from(self.device.now_us, self._wall_ns())

        self._do(act)
        self._keep_now()
        self._check_alive()
        if refusals:
            raise refusals[0]

    @property
    def serial_number(self) -> int:
        """The serial number of the pump that is there now."""
        return self.device.serial_number

    @property
    def environment(self) -> Environment:
        """What is around the pump as long as no fault makes it another."""
        return self.device.environment

    def save_state(self) -> bytes:
        """The save-state of the pump, now. Raises SaveStateError."""
        self._come_to_now()
        return self.device.save_state()

    def truth(self) -> dict[str, object]:
        """What is physically so, now."""
        self._come_to_now()
        return self.device.truth()

    def _come_to_now(self) -> None:
        self._check_alive()
        self._do(lambda: self.device.advance(self.now_us()))
        self._keep_now()
        self._check_alive()

    async def jump(self, delta_us: int) -> int:
        """Let virtual time pass at once, and return the time reached.

        Long ways are gone in chunks. Between two, clients are served, at the virtual time that has been reached; where
        the jump ends does not change by that.
        """
        if delta_us < 0:
            raise ValueError("virtual time does not go back")
        async with self._moving:
            await self._move(self.now_us() + delta_us, SLICE_US, lambda: False)
        return self.now_us()

    async def run_until(self, predicate: Callable[[Event], bool], limit_us: int) -> Event | None:
        """Let virtual time pass at once until an event matches; None if none does within the limit.

        Time stops at the instant of the event. What else happens at that instant has happened, too.
        """
        if limit_us < 0:
            raise ValueError("virtual time does not go back")
        found: list[Event] = []

        def watch(event: Event) -> None:
            if not found and predicate(event):
                found.append(event)

        async with self._moving:
            forget = self.observe(watch)
            try:
                await self._move(self.now_us() + limit_us, 0, lambda: bool(found))
            finally:
                forget()
        return found[0] if found else None

    def take_bytes(self, data: bytes, port: int) -> None:
        """Bytes came in at a port."""
        for start in range(0, len(data), INPUT_LIMIT):
            self._do(partial(self._receive, data[start : start + INPUT_LIMIT], port))

    def take_line(self, change: LineChange, port: int) -> None:
        """A line changed."""
        self._do(lambda: self.device.line(change, self.now_us(), port))

    def _receive(self, data: bytes, port: int) -> None:
        self.device.receive(data, self.now_us(), port)

    async def _move(self, target_us: int, slice_us: int, done: Callable[[], bool]) -> None:
        """Bring virtual time forward to the target, or until it is done."""
        chunk_end_ns = self._wall_ns() + CHUNK_NS
        self._check_alive()
        while self.device.now_us < target_us and not done():
            self._do(lambda: self._jump_step(target_us, slice_us))
            self._check_alive()
            if self._wall_ns() >= chunk_end_ns:
                await asyncio.sleep(0)
                chunk_end_ns = self._wall_ns() + CHUNK_NS
        self._keep_now()
        self._check_alive()

    def _jump_step(self, target_us: int, slice_us: int) -> None:
        stop_us = self._slice_end(target_us, slice_us)
        wall_ns = self._wall_ns()
        self.pacer.jump(max(0, stop_us - self.pacer.now_us(wall_ns)), wall_ns)
        self._advance(stop_us)

    def _slice_end(self, target_us: int, slice_us: int) -> int:
        """How far the device may go at once: over nothing, or over a slice that holds a bounded number of events."""
        deadline_us = self.device.next_deadline()
        if deadline_us is None:
            return target_us
        return min(target_us, max(deadline_us, self.device.now_us + slice_us))

    def _advance(self, stop_us: int) -> None:
        self.device.advance(stop_us)
        deadline_us = self.device.next_deadline()
        if deadline_us is not None and deadline_us <= stop_us:
            # Served on, it would take a whole core and get nowhere.
            raise RuntimeError(f"at {stop_us} us the device wants to be woken at {deadline_us} us")

    def _do(self, act: Callable[[], None]) -> None:
        """Act on the device and settle what follows. What a port reports meanwhile comes after, in its order."""
        if self._stopped.is_set():
            return
        self._inputs.append(act)
        if self._working:
            return
        self._working = True
        try:
            while self._inputs and not self._stopped.is_set():
                self._is_kept = self._keep is None
                self._inputs.popleft()()
                self._settle()
        except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, it is a defect, and said so by `run`
            self._fail(error)
        finally:
            self._working = False

    def _settle(self) -> None:
        for index, port in enumerate(self.ports):
            while data := self.device.data_to_send(self.device.now_us, SEND_LIMIT, index):
                self._make_durable()
                port.send(data)
        while (line_break := self.device.next_line_break()) is not None:
            self._break(line_break)
        while (event := self.device.next_event()) is not None:
            for observer in tuple(self._observers):
                observer(event)
        wall_ns = self._wall_ns()
        if self.device.session_open is not self.pacer.session_open:
            # From the instant of the input on, not from the end of the work on it: at a high speed that is hours later,
            # and the session would have ended by its silence.
            self.pacer.hold_back(self.device.now_us, wall_ns)
            self.pacer.set_session_open(self.device.session_open, wall_ns)
        self._set_timer(wall_ns)

    def _break(self, line_break: LineBreak) -> None:
        """Let a port break its line, or mend it; a moment later, for it may be the one whose bytes are being taken."""
        if self._loop is not None and line_break.port < len(self.ports):
            port = self.ports[line_break.port]
            self._loop.call_soon(port.break_line if line_break.broken else partial(self._mend, port))

    def _mend(self, port: Port) -> None:
        url = port.url
        port.mend_line()
        if port.url != url:
            self._moved(port)

    def _make_durable(self) -> None:
        if self._keep is not None and not self._is_kept:
            self._keep()
            self._is_kept = True

    def _keep_now(self) -> None:
        """The same outside of an input; where it fails, the serving ends."""
        try:
            self._make_durable()
        except Exception as error:  # noqa: BLE001, RUF100 - as in `_do`
            self._fail(error)

    def _keep_on(self) -> None:
        """Time passes, and nobody asks: keep where it has come to, and again after a while."""
        if self._keep is None or self._loop is None or self._stopped.is_set():
            return
        if self.now_us() > self.device.now_us:
            self._do(lambda: self.device.advance(self.now_us()))
        self._keep_now()
        self._keeping = self._loop.call_later(KEEP_EVERY_S, self._keep_on)

    def _set_timer(self, wall_ns: int) -> None:
        self._cancel_timer()
        deadline_us = self.device.next_deadline()
        if deadline_us is None or self._loop is None or self._stopped.is_set():
            return
        delay_ns = self.pacer.wall_delay_ns(deadline_us, wall_ns)
        if delay_ns is not None:
            self._timer = self._loop.call_later(min(delay_ns, _MAX_DELAY_NS) / 1e9, self._wake)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        """The timer: bring the device to the present. After a chunk, the next timer, due at once, does the rest."""
        self._timer = None
        now_us = self.now_us()
        chunk_end_ns = self._wall_ns() + CHUNK_NS
        while self.device.now_us < now_us and not self.stopped:
            self._do(lambda: self._advance(self._slice_end(now_us, SLICE_US)))
            if self._wall_ns() >= chunk_end_ns:
                # Faster than it can be computed: time then goes as fast as it can.
                self.pacer.hold_back(self.device.now_us, self._wall_ns())
                break

    def _check_alive(self) -> None:
        if self._stopped.is_set():
            raise ServingStopped("The pump has been stopped.")

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._cancel_timer()
        self._stopped.set()

    def _take_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What escapes from a callback or a task. A connection of somebody else's that broke is no defect."""
        error = context.get("exception")
        if isinstance(error, OSError) and "handle" not in context:
            return
        self._fail(error if isinstance(error, BaseException) else RuntimeError(str(context.get("message"))))


def _sentence(error: BaseException) -> str:
    place = ""
    trace = error.__traceback__
    while trace is not None:
        # With its package: a protocol that somebody else has brought may be what broke.
        module = str(trace.tb_frame.f_globals.get("__name__", "?")).replace(".", "/")
        place = f" ({module}.py, line {trace.tb_lineno})"
        trace = trace.tb_next
    text = " ".join(str(error).split())
    return f"A defect ended the pump: {type(error).__name__}: {text}{place}."
