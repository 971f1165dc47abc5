"""Clients of a TCP port: coming, going, dying, taking each other's place, and not reading."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import serial

from emulator.ports import tcp
from emulator.ports.port import QUEUE_LIMIT, PortError
from emulator.ports.spec import TcpSpec, open_port, parse_port
from emulator.ports.tcp import TcpPort
from tests.ports.recording_sink import DEADLINE_S, RecordingSink, open_descriptors

CYCLES = 1000


@asynccontextmanager
async def served(spec: str = "tcp:127.0.0.1:0") -> AsyncIterator[tuple[TcpPort, RecordingSink]]:
    port, sink = open_port(parse_port(spec)), RecordingSink()
    assert isinstance(port, TcpPort)
    sink.port = port
    port.start(asyncio.get_running_loop(), sink)
    try:
        yield port, sink
    finally:
        port.close()


def address(port: TcpPort) -> tuple[str, int]:
    host, number = port.url.removeprefix("socket://").rsplit(":", 1)
    return host.strip("[]"), int(number)


def client(port: TcpPort) -> socket.socket:
    connection = socket.create_connection(address(port), DEADLINE_S)
    connection.setblocking(False)
    return connection


async def read_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(DEADLINE_S):
        while len(data) < size:
            part = await asyncio.get_running_loop().sock_recv(connection, 65536)
            assert part, "the connection has ended"
            data += part
    return data


async def at_end(connection: socket.socket) -> bool:
    """Whether the pump ends the connection, without another byte."""
    async with asyncio.timeout(DEADLINE_S):
        try:
            return await asyncio.get_running_loop().sock_recv(connection, 65536) == b""
        except ConnectionResetError:
            return True


@pytest.mark.parametrize("spec", ["tcp:127.0.0.1:0", "tcp:localhost:0", "tcp:[::1]:0"])
def test_a_request_is_answered_and_the_line_is_seen_to_open_and_close(spec: str) -> None:
    async def run() -> None:
        async with served(spec) as (port, sink):
            with client(port) as connection:
                connection.send(b"hello;")
                assert await read_exactly(connection, 7) == b"<hello>"
            await sink.until_count("closed", 1)
            assert sink.log == [("opened", b""), ("received", b"hello;"), ("closed", b"")]

    asyncio.run(run())


def test_many_clients_come_and_go_and_none_sees_the_bytes_of_another() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            before = open_descriptors()
            for number in range(CYCLES):
                with client(port) as connection:
                    if number % 4 == 3:
                        connection.send(b"half of %d" % number)
                    else:
                        connection.send(b"%d;" % number)
                    if number % 4 == 0:
                        assert await read_exactly(connection, len(str(number)) + 2) == b"<%d>" % number
                    elif number % 4 == 1:
                        # Closed with a reset.
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                await sink.until_count("closed", number + 1)
            assert open_descriptors() == before

    asyncio.run(run())


def test_a_client_that_is_killed_is_a_client_that_left() -> None:
    program = (
        "import socket, sys; c = socket.create_connection((sys.argv[1], int(sys.argv[2])));"
        "c.send(b'half'); print(flush=True); input()"
    )

    def kill_a_client(host: str, number: int) -> None:
        with subprocess.Popen(
            [sys.executable, "-S", "-c", program, host, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()

    async def run() -> None:
        async with served() as (port, sink):
            for number in range(3):
                await asyncio.to_thread(kill_a_client, *address(port))
                await sink.until_count("closed", number + 1)
            assert sink.kinds == ["opened", "received", "closed"] * 3

    asyncio.run(run())


def test_a_new_connection_takes_the_place_of_the_old_one() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            with client(port) as first:
                await sink.until_count("opened", 1)
                with client(port) as second:
                    await sink.until_count("opened", 2)
                    assert await at_end(first)
                    assert sink.kinds == ["opened", "closed", "opened"]
                    second.send(b"hello;")
                    assert await read_exactly(second, 7) == b"<hello>"
                await sink.until_count("closed", 2)

    asyncio.run(run())


def test_what_the_old_client_sent_before_it_was_replaced_counts_and_is_answered_to_it_alone() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            with client(port) as first:
                await sink.until_count("opened", 1)
                # Both before the loop runs again.
                first.send(b"mine;")
                with client(port) as second:
                    await sink.until_count("opened", 2)
                    assert await read_exactly(first, 6) == b"<mine>"
                    second.send(b"hello;")
                    assert await read_exactly(second, 7) == b"<hello>"

    asyncio.run(run())


def test_a_client_that_shuts_its_sending_side_down_gets_its_answers_first() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            with client(port) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                text = b"x" * 60_000
                await asyncio.get_running_loop().sock_sendall(connection, text + b";")
                connection.shutdown(socket.SHUT_WR)
                assert await read_exactly(connection, len(text) + 2) == b"<" + text + b">"
                assert await at_end(connection)
                assert sink.flow in ([], ["held", "flowing"])
            await sink.until_count("closed", 1)

    asyncio.run(run())


def test_a_client_that_does_not_read_loses_its_connection_and_holds_nobody_up() -> None:
    async def run() -> None:
        async with served() as (port, sink):
            before = open_descriptors()
            with client(port) as connection:
                await sink.until_count("opened", 1)
                sent = 0
                while not sink.count("overrun"):
                    port.send(b"x" * 10_000)
                    sent += 10_000
                    assert len(port._queue) <= QUEUE_LIMIT
                    # Beside ours there are only the kernel's: a bounded one here, and the client's own.
                    assert sent < 10_000_000
                    await asyncio.sleep(0)
                await sink.until_count("closed", 1)
                assert sink.kinds == ["opened", "overrun", "closed"]
                port.send(b"to nobody")
            assert open_descriptors() == before
            with client(port) as connection:
                connection.send(b"next;")
                assert await read_exactly(connection, 6) == b"<next>"

    asyncio.run(run())


def test_an_address_that_is_taken_is_one_sentence() -> None:
    async def run() -> None:
        async with served() as (port, _):
            number = address(port)[1]
            with pytest.raises(PortError, match=f"port {number} cannot be listened on: Address already in use"):
                TcpPort(TcpSpec("tcp", "127.0.0.1", number))

    asyncio.run(run())


def test_without_descriptors_accepting_pauses_and_then_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "ACCEPT_PAUSE_S", 0.01)

    class Exhausted:
        """A listener that finds no descriptor, once."""

        def __init__(self, listener: socket.socket) -> None:
            self._listener = listener
            self.refusals = 0

        def __getattr__(self, name: str) -> object:
            return getattr(self._listener, name)

        def accept(self) -> tuple[socket.socket, object]:
            if not self.refusals:
                self.refusals += 1
                raise OSError(errno.EMFILE, "Too many open files")
            return self._listener.accept()

    async def run() -> None:
        async with served() as (port, sink):
            exhausted = Exhausted(port._listener)
            monkeypatch.setattr(port, "_listener", exhausted)
            with client(port) as connection:
                connection.send(b"patience;")
                assert await read_exactly(connection, 10) == b"<patience>"
            assert exhausted.refusals == 1
            await sink.until_count("closed", 1)

    asyncio.run(run())


def test_pyserial_talks_through_it() -> None:
    def talk(url: str) -> bytes:
        with serial.serial_for_url(url, timeout=DEADLINE_S) as line:
            line.write(b"hello;")
            answer: bytes = line.read(7)
        return answer

    async def run() -> None:
        async with served() as (port, sink):
            assert await asyncio.to_thread(talk, port.url) == b"<hello>"
            await sink.until_count("closed", 1)

    asyncio.run(run())


def test_closing_gives_every_descriptor_back_and_may_be_repeated() -> None:
    async def run() -> None:
        before = open_descriptors()
        for _ in range(20):
            async with served() as (port, sink):
                with client(port):
                    await sink.until_count("opened", 1)
                    port.close()
        assert open_descriptors() == before

    asyncio.run(run())


def test_a_broken_line_ends_its_client_and_refuses_the_next_until_it_is_mended() -> None:
    async def run() -> None:
        before = open_descriptors()
        async with served() as (port, sink):
            place = address(port)
            for _ in range(3):
                with client(port) as connection:
                    connection.send(b"hello;")
                    assert await read_exactly(connection, 7) == b"<hello>"
                    sink.log.clear()
                    port.break_line()
                    port.break_line()
                    assert await at_end(connection)
                    with pytest.raises(ConnectionRefusedError):
                        client(port)
                    port.send(b"nobody hears it")
                port.mend_line()
                port.mend_line()
                assert address(port) == place
                assert sink.log == []
            port.break_line()
        assert open_descriptors() == before

    asyncio.run(run())
