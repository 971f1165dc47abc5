"""A port on a TCP listener of this machine: one client at a time, the newest one.

- A new connection is a newly opened line: it ends the one before.
- A client that shuts its sending side down, as `printf … | nc` does, still gets what it was owed: the connection is
  closed once the answers to what it sent are written. The line counts as closed then.
- A client that does not read loses its connection once `QUEUE_LIMIT` bytes wait for it.
- A line that breaks ends its connection, and new ones are refused until it is mended. Its address stays bound.
- When no connection can be accepted (no descriptors are left), accepting pauses for `ACCEPT_PAUSE_S` and does not spin.
"""

from __future__ import annotations

import asyncio
import errno
import socket

from emulator.ports.port import QUEUE_LIMIT, PortError, Sink, Started
from emulator.ports.spec import TcpSpec

READ_BYTES = 32 * 1024
# What the kernel takes for a client that does not read; left alone it would grow to megabytes before we notice.
SEND_BUFFER_BYTES = 32 * 1024
BACKLOG = 16
ACCEPT_PAUSE_S = 1.0

# The connection that was to be accepted is at fault, not the listener.
_CLIENT_GAVE_UP = (errno.ECONNABORTED, errno.EPROTO, errno.EPERM)


class TcpPort(Started):
    """A listener on a loopback address, and the client that is connected to it."""

    link: str | None = None

    def __init__(self, spec: TcpSpec) -> None:
        self.spec = spec
        self._pause: asyncio.TimerHandle | None = None
        self._client: socket.socket | None = None
        self._half_closed = False
        self._broken = False
        self._queue = bytearray()
        self._listener = _listen(spec)
        host, number = self._listener.getsockname()[:2]
        self.url = f"socket://[{host}]:{number}" if ":" in host else f"socket://{host}:{number}"

    def start(self, loop: asyncio.AbstractEventLoop, sink: Sink) -> None:
        self._started = loop, sink
        loop.add_reader(self._listener, self._accept)

    def send(self, data: bytes) -> None:
        client = self._client
        if not data or client is None:
            return
        if not self._queue:
            written = self._write(client, data)
            if written is None:
                # Inside a call of the sink's, so its line ends a moment later.
                self._loop.call_soon(self._end, client)
                return
            data = data[written:]
            if not data:
                return
            self._loop.add_writer(client, self._write_queued, client)
        if len(self._queue) + len(data) > QUEUE_LIMIT:
            self._sink.overrun()
            self._end(client)
            return
        waiting = bool(self._queue)
        self._queue += data
        if not waiting:
            self._sink.held()

    def break_line(self) -> None:
        if self._started is None or self._broken:
            return
        self._broken = True
        self._stop_accepting()
        self._disconnect()
        # Whoever is not listening refuses, and whoever is bound keeps the address.
        host, number = self._listener.getsockname()[:2]
        self._listener.close()
        self._listener = _bind(self.spec, host, number)

    def mend_line(self) -> None:
        if self._started is None or not self._broken:
            return
        self._broken = False
        _begin_listening(self.spec, self._listener)
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        self._stop_accepting()
        self._disconnect()
        self._started = None
        self._listener.close()

    def _stop_accepting(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._started is not None:
            self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno not in _CLIENT_GAVE_UP:
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(ACCEPT_PAUSE_S, self._accept_again)
            return
        client.setblocking(False)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError:
            # It has been reset already.
            client.close()
            return
        if self._client is not None:
            self._read(self._client)
        if self._client is not None:
            self._end(self._client)
        if self._started is None:
            client.close()
            return
        self._client = client
        self._loop.add_reader(client, self._read, client)
        self._sink.opened()

    def _accept_again(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def _read(self, client: socket.socket) -> None:
        if client is not self._client or self._half_closed:
            return
        try:
            data = client.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end(client)
            return
        if data:
            self._sink.received(data)
        elif self._queue:
            self._half_closed = True
            self._loop.remove_reader(client)
        else:
            self._end(client)

    def _write(self, client: socket.socket, data: bytes | bytearray) -> int | None:
        """How much of it the kernel took, or None if the connection is broken."""
        try:
            return client.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return None

    def _write_queued(self, client: socket.socket) -> None:
        if client is not self._client:
            return
        written = self._write(client, self._queue)
        if written is None:
            self._end(client)
            return
        del self._queue[:written]
        if not self._queue:
            self._loop.remove_writer(client)
            self._sink.flowing()
            if self._half_closed:
                self._end(client)

    def _end(self, client: socket.socket) -> None:
        if client is self._client:
            self._disconnect()
            self._sink.closed()

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        self._queue.clear()
        self._half_closed = False
        if client is not None:
            self._loop.remove_reader(client)
            self._loop.remove_writer(client)
            client.close()


def _listen(spec: TcpSpec) -> socket.socket:
    listener = _bind(spec, "127.0.0.1" if spec.host == "localhost" else spec.host, spec.port)
    _begin_listening(spec, listener)
    return listener


def _bind(spec: TcpSpec, host: str, number: int) -> socket.socket:
    """A socket that has the address and does not listen yet."""
    try:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise PortError(f"{spec.text}: no socket is to be had: {error.strerror}.") from error
    try:
        # A pump that was just stopped does not keep its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, number))
    except OSError as error:
        listener.close()
        raise _taken(spec, host, number, error) from error
    return listener


def _begin_listening(spec: TcpSpec, listener: socket.socket) -> None:
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        host, number = listener.getsockname()[:2]
        listener.close()
        raise _taken(spec, host, number, error) from error


def _taken(spec: TcpSpec, host: str, number: int, error: OSError) -> PortError:
    return PortError(f"{spec.text}: {host} port {number} cannot be listened on: {error.strerror}.")
