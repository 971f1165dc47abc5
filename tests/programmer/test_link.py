"""The serial link on real ports: what opens, what does not, and each failure as one sentence of its own kind."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from emulator.programmer.link import LinkBroke, LinkError, NobodyThere, PortInUse, PortNotThere, SerialLink, open_line
from protocol.device_end import DeviceEnd
from protocol.framing import StreamReader
from protocol.host_end import Answered
from protocol.messages.codes import Capability, Marks
from protocol.messages.link import HelloAnswer
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest

ADDRESS = 0x00C0FFEE
SHORT_US = 10_000
HELLO = HelloAnswer(
    major=1,
    minor=0,
    capabilities=Capability(0),
    model="TEST",
    serial_number=ADDRESS,
    firmware_hash=bytes(8),
    max_payload=224,
    marks=Marks.EMULATOR,
)
TIME = TimeReadAnswer(elapsed_s=5, rtc_unix_s=0, offset_min=0)


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """A pseudo terminal: the master's descriptor, and the name of the port. The test may close the descriptor."""
    master, slave = os.openpty()
    name = os.ttyname(slave)
    try:
        yield master, name
    finally:
        os.close(slave)


def serve(client: socket.socket) -> None:
    """A pump that tells its name and the time, until its client is gone."""
    end, reader = DeviceEnd(address=ADDRESS), StreamReader()
    end.line_opened(0, 0)
    with client:
        while data := client.recv(256):
            for piece in reader.feed(data):
                end.receive(0, piece, 0)
            while (request := end.next_request()) is not None:
                end.answer(request.token, HELLO if request.operation.name == "HELLO" else TIME)
            client.sendall(b"".join(end.frames_to_send(0)))


def test_a_socket_reaches_a_pump_and_learns_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: serve(server.accept()[0]))
        thread.start()
        with SerialLink(f"socket://127.0.0.1:{server.getsockname()[1]}") as link:
            assert link.hello == HELLO
            reply = link.exchange(TimeReadRequest())
            assert isinstance(reply, Answered)
            assert reply.message == TIME
        thread.join()


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(PortNotThere, match=r"there is no port /dev/no-such-port\."):
        SerialLink("/dev/no-such-port")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(PortNotThere, match="nobody listens"):
        SerialLink(f"socket://127.0.0.1:{number}")


@pytest.mark.parametrize("url", ["nothing://here", "socket://127.0.0.1", "/dev/null", "socket://[::", "rfc2217://x:y"])
def test_what_is_no_serial_port(url: str) -> None:
    with pytest.raises(LinkError) as caught:
        SerialLink(url)
    assert url in str(caught.value)


def test_a_port_with_nobody_behind_it(pty: tuple[int, str]) -> None:
    with pytest.raises(NobodyThere, match="no pump answers"):
        SerialLink(pty[1], SHORT_US)
    os.close(pty[0])


def test_a_port_that_another_program_has(pty: tuple[int, str]) -> None:
    line = open_line(pty[1])
    with pytest.raises(PortInUse, match="in use"):
        SerialLink(pty[1])
    line.close()
    os.close(pty[0])


def test_a_line_that_breaks(pty: tuple[int, str]) -> None:
    def hang_up() -> None:
        os.read(pty[0], 1)
        os.close(pty[0])

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(LinkBroke, match="broke"):
        SerialLink(pty[1])
    thread.join()
