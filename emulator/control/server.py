"""Starts and stops a control plane inside the running event loop.

uvicorn's own `serve` takes signals and looks around ten times a second; the pump's process has its own idea of both, so
only the start and the end of uvicorn's server are used.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import uvicorn

from emulator.control.app import control_app
from emulator.control.artefacts import Artefacts, ArtefactSetting
from emulator.control.contract import Serving
from emulator.control.event_stream import EventStream
from emulator.control.gate import Gate
from emulator.control.listener import BACKLOG, Listener, open_listener
from emulator.control.operation import Plane
from emulator.control.operations import OPERATIONS
from emulator.control.spec import TcpSpec, parse_control_spec
from emulator.control.time_moves import TimeMoves
from emulator.running import RunFiles

MAX_CONNECTIONS = 32  # the next one is answered with 503
MAX_HEADER_BYTES = 16 * 1024
KEEP_ALIVE_S = 5
GRACE_S = 2  # for answers that are on their way when the pump ends
TOKEN_BYTES = 24


class ControlHandle:
    """A control plane that listens. `token` is None where none is asked for."""

    def __init__(
        self, listener: Listener, token: str | None, server: uvicorn.Server, end: Callable[[], object]
    ) -> None:
        self.url = listener.spec.url
        self.token = token
        self._listener = listener
        self._server = server
        self._end = end
        self._stopped = False

    async def stop(self) -> None:
        """Take no more requests, end the ones that are being answered, and leave nothing behind."""
        if self._stopped:
            return
        self._stopped = True
        self._end()
        self._listener.withdraw()
        # uvicorn closes the socket, once it no longer waits for clients there.
        await self._server.shutdown(sockets=[self._listener.socket])


async def start_control(
    spec: str, serving: Serving, artefacts: ArtefactSetting | None = None, files: RunFiles | None = None
) -> ControlHandle:
    """Listen where `spec` says; raises `ControlSpecError` where that cannot be."""
    listener = open_listener(parse_control_spec(spec))
    try:
        token = secrets.token_urlsafe(TOKEN_BYTES) if isinstance(listener.spec, TcpSpec) else None
        kept = None if artefacts is None else Artefacts(artefacts, serving)
        moves, stream = TimeMoves(serving), EventStream()
        plane = Plane(serving, moves, OPERATIONS, stream, artefacts=kept, files=files or RunFiles())
        config = uvicorn.Config(
            control_app(plane, Gate(token)),
            # Named, so that what else is installed changes nothing.
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            access_log=False,
            # uvicorn's remarks are about its clients; ours are answered, and our defects are logged by the application.
            log_config=None,
            log_level="critical",
            backlog=BACKLOG,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener.socket])
    except BaseException:
        listener.close()
        raise
    forget = serving.observe(stream.take)

    def end() -> None:
        moves.stop()
        forget()
        stream.close()
        if kept is not None:
            kept.close()

    return ControlHandle(listener, token, server, end)
