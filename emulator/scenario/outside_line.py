"""The line of a programmer in a process of its own: the port that it opens, and the lockstep clock beside it.

Rules of this file:

- What comes from the line is cut to whole frames before the pump is given it, so that it is the same however the
  kernel cuts it up.
- The clock answers when the pump has taken all that was sent before.
- A line that breaks is taken from the programmer. One that cannot let time pass would wait for ever for it: so the time
  until it is mended passes at once, and its port goes away and comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from emulator.inputs import LineChange
from emulator.ports.port import Port
from emulator.ports.spec import PtySpec
from emulator.scenario.clock import ClockAnswer, ClockRequest, decode_request, encode_line
from emulator.scenario.stage import Stage
from emulator.wire import Direction, FrameCutter

LINE_END_S: Final = 2.0
"""How long a line may stay open behind the end of its process."""


@dataclass(slots=True)
class _Opened:
    """The line since it was opened: whether it is open still, or has broken, and how many bytes went either way."""

    cutter: FrameCutter
    open: bool = False
    gone: bool = False
    received: int = 0
    written: int = 0


@dataclass(slots=True)
class OutsideLine:
    """A line at a port; its sink.

    act           does something on the stage, and has `settle` called behind it
    obey          does what the stage has ordered for the programmer
    stands_still  whether the programmer cannot let time pass without its line
    dead          whether the programmer has been killed: it sends nothing any more, and nothing is sent to it
    heard         whether a byte has ever come from it
    """

    stage: Stage
    port: Port
    act: Callable[[Callable[[], None]], None]
    obey: Callable[[], None]
    stands_still: bool
    dead: bool = False
    heard: bool = False
    _line: _Opened = field(init=False)
    _closed: asyncio.Event = field(default_factory=asyncio.Event)
    _clock: tuple[ClockRequest, asyncio.StreamWriter] | None = None
    _breaks: int = 0
    _unplugged: bool = False

    def __post_init__(self) -> None:
        self._line = self._anew()

    @property
    def url(self) -> str:
        """Where the programmer finds its line, also after it was broken and mended."""
        spec = self.port.spec
        return spec.link if isinstance(spec, PtySpec) and spec.link is not None else self.port.url

    def opened(self) -> None:
        """The programmer has opened its line."""
        self._line = self._anew(is_open=True)
        self._closed.clear()
        self.act(lambda: self.stage.line(LineChange.OPENED))

    def closed(self) -> None:
        """It has left it."""
        self._line.open = False
        self._closed.set()
        self.act(lambda: self.stage.line(LineChange.CLOSED))

    def received(self, data: bytes) -> None:
        """Bytes from it."""
        self.heard = True
        self._line.received += len(data)
        for frame in self._line.cutter.feed(data, self.stage.now_us):
            if self.dead:
                return
            raw = frame.raw
            self.act(lambda raw=raw: self.stage.take(raw))  # type: ignore[misc]

    def held(self) -> None:
        """Bytes wait for it; how fast it reads must change nothing."""

    def flowing(self) -> None:
        """None do."""

    def overrun(self) -> None:
        """It does not read."""
        self.act(lambda: self.stage.line(LineChange.OVERRUN))

    def settle(self) -> None:
        """Let the programmer have what came of something on the stage."""
        self._write(self.stage.output())
        self.obey()
        self._lose()
        self._answer_clock()
        self._lose()

    async def become_whole(self) -> None:
        """Let the port be as the line is; whoever cannot let time pass begins with one that can be opened."""
        self.dead = False
        self.act(self.stage.pass_until_mended if self.stands_still and self.stage.broken else self.stage.attend)
        while not self._is_followed and not self.dead:
            await asyncio.sleep(0)
        self._line.gone = self.stage.broken

    async def end(self) -> None:
        """The programmer's process has ended; what it did to the line before that is taken first."""
        for _ in range(3):
            # Each turn of the loop looks at the port once.
            await asyncio.sleep(0)
        if self._line.open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINE_END_S):
                    await self._closed.wait()

    async def serve_clock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody is at the lockstep clock."""
        try:
            while line := await reader.readline():
                self._clock = (decode_request(line), writer)
                self.act(self.stage.attend)
        except (msgspec.MsgspecError, ValueError, ConnectionError):
            # Whoever does not speak to the clock as it wants is left alone.
            pass
        finally:
            self._clock = None
            writer.close()

    def _anew(self, *, is_open: bool = False) -> _Opened:
        return _Opened(self.stage.device.wire.cutter(Direction.REQUEST), is_open)

    def _write(self, data: bytes) -> None:
        if data and not self.dead:
            self._line.written += len(data)
            self.port.send(data)

    @property
    def _is_followed(self) -> bool:
        """Whether the port is as the line is."""
        return self.stage.breaks == self._breaks and self.stage.broken == self._unplugged

    def _lose(self) -> None:
        """The line may have broken, or been mended: the port follows a moment later, for it may be within a call."""
        if self._is_followed:
            return
        if self.stage.breaks != self._breaks:
            self._forget()
        asyncio.get_running_loop().call_soon(self.act, self._follow)

    def _follow(self) -> None:
        """Take the port from the programmer if its line has broken, and let it in again if that is mended."""
        if self.stage.breaks != self._breaks:
            self._breaks = self.stage.breaks
            # Somebody quick may have opened it again.
            self._forget()
            self._unplugged = True
            self.port.break_line()
            if self.stands_still and not self.dead and self.stage.conductor.running is not None:
                self.stage.pass_until_mended()
        elif self._unplugged and not self.stage.broken:
            self._unplugged = False
            self.port.mend_line()

    def _forget(self) -> None:
        self._line.open, self._line.gone = False, True
        self._closed.set()

    def _answer_clock(self) -> None:
        """Answer the request at the clock, if the pump has taken all that was sent before it."""
        if self._clock is None or self.dead:
            return
        request, writer = self._clock
        has_line = request.line and not self._line.gone
        if has_line and (not self._line.open or self._line.received < request.sent):
            return
        self._clock = None
        if request.rest:
            while self.stage.now_us < request.until_us and not self.stage.orders:
                self.stage.pass_until(request.until_us)
            self._write(self.stage.output())
        elif not has_line or self._line.written <= request.got:
            self._write(self.stage.receive(request.until_us))
        self.obey()
        if not self.dead:
            gone = self._line.gone or self.stage.broken
            writer.write(encode_line(ClockAnswer(self.stage.now_us, self._line.written, gone)))
