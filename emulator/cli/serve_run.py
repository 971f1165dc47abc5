"""One run of the pump of `vpump serve`: from its ports to its end."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from emulator.cli.errors import say
from emulator.cli.serve_opens import keeper, open_ports, start_capture, start_control_plane, start_journal
from emulator.cli.serve_said import ready_line, running_pump, say_line, security_line, tracer, welcome
from emulator.cli.until_eof import when_standard_input_ends

if TYPE_CHECKING:
    from emulator.cli.serve_options import ServeOptions
    from emulator.control.server import ControlHandle
    from emulator.device import Device
    from emulator.inputs import ArmDeviceFault, ArmFault
    from emulator.ports.port import Port
    from emulator.serving import Serving
    from emulator.state_file import StateFile
    from emulator.trace import LineWriter


class Run:
    """One run of a pump: what it opened, and how it ends."""

    def __init__(
        self,
        options: ServeOptions,
        device: Device,
        armed: Sequence[ArmFault | ArmDeviceFault],
        state: StateFile | None = None,
    ) -> None:
        self._state = state
        self._options = options
        self._device = device
        self._armed = armed
        self._serving: Serving | None = None
        self._signal: signal.Signals | None = None

    async def run(self) -> bool:
        """Serve until a signal or the control plane ends it; says whether it was an interrupt."""
        import asyncio

        from emulator.pacing import Pacer
        from emulator.running import RunningError, register
        from emulator.serving import Serving

        options = self._options
        # Before anything is opened, so that a signal at any moment leaves nothing behind.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, number)
        if options.until_eof:
            when_standard_input_ends(lambda: self._end(signal.SIGTERM))
        async with contextlib.AsyncExitStack() as stack:
            ports = open_ports(options.ports, stack)
            pacer = Pacer(options.speed, options.session_speed, time.monotonic_ns(), self._device.now_us)
            keep = None if self._state is None else keeper(self._state, self._device)
            kept = None if self._state is None else self._state.found
            door = self._device if options.journal is None else start_journal(options, self._device, kept, stack)

            def enter_in_register() -> None:
                try:
                    stack.enter_context(register(running_pump(options, self._device, ports, control)))
                except RunningError as error:
                    say(f"'vpump ls' will not show this pump: {error}")

            def moved(port: Port) -> None:
                say(f"the line of {port.spec.text} has come back at {port.url}: its old terminal is still held open.")
                enter_in_register()

            serving = self._serving = Serving(door, ports, pacer, moved=moved, keep=keep)
            if options.capture is not None:
                start_capture(options.capture, options, self._device, serving, stack)
            control = await start_control_plane(options, self._device, serving, stack)
            # Whatever else can fail has not: a start that is refused leaves the file as it was.
            if keep is not None:
                keep()
            say_line(security_line(options, self._device.guard))
            enter_in_register()
            writer = self._announce(ports, control, stack)
            if writer is not None:
                serving.observe(tracer(writer, as_json=options.as_json))
            serving.start()
            for fault in self._armed:
                serving.apply(fault)
            if self._signal is not None:
                serving.shutdown()
            await serving.run()
        return self._signal is signal.SIGINT

    def _end(self, number: signal.Signals) -> None:
        if self._signal is None:
            self._signal = number
        if self._serving is not None:
            self._serving.shutdown()

    def _announce(
        self, ports: Sequence[Port], control: ControlHandle | None, stack: contextlib.AsyncExitStack
    ) -> LineWriter | None:
        """Say where the pump is to be found; returns the writer of its trace, if one is wanted."""
        options = self._options
        describe = ready_line if options.as_json else welcome
        click.echo(describe(options, self._device, ports, control))
        sys.stdout.flush()
        if not options.trace:
            return None
        from emulator.trace import LineWriter

        if options.as_json:
            writer = LineWriter(sys.stdout, dropped_line=lambda count: json.dumps({"event": "dropped", "count": count}))
        else:
            writer = LineWriter(sys.stderr)
        stack.callback(writer.close)
        return writer
