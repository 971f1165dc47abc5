"""The serial link on real ports: what opens, what does not, and each failure as one sentence of its own kind."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from emulator.assembly import build_device
from emulator.inputs import LineChange
from emulator.programmer.link import LinkBroke, LinkError, NobodyThere, PortInUse, PortNotThere, SerialLink, open_line
from protocol import keys
from protocol.host_end import Answered
from protocol.messages.codes import Role
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest

ADDRESS = 0x00C0FFEE
SHORT_US = 10_000


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """A pseudo terminal: the master's descriptor, and the name of the port. The test may close the descriptor."""
    master, slave = os.openpty()
    name = os.ttyname(slave)
    try:
        yield master, name
    finally:
        os.close(slave)


def serve(client: socket.socket, *, insecure: bool) -> None:
    """A pump, until its client is gone."""
    device = build_device("reference-20", 0, ADDRESS, insecure=insecure, session_floor=0)
    device.line(LineChange.OPENED, 0)
    with client:
        while data := client.recv(256):
            device.receive(data, 0)
            client.sendall(device.data_to_send(0))


@pytest.mark.parametrize("insecure", [False, True])
def test_a_socket_reaches_a_pump_and_learns_its_address(insecure: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: serve(server.accept()[0], insecure=insecure))
        thread.start()
        with SerialLink(f"socket://127.0.0.1:{server.getsockname()[1]}") as link:
            assert link.hello.serial_number == ADDRESS
            if not insecure:
                link.open_session(Role.READER, keys.test_keys(ADDRESS).of_role[Role.READER], 5)
            reply = link.exchange(TimeReadRequest())
            assert isinstance(reply, Answered)
            assert isinstance(reply.message, TimeReadAnswer)
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
    with pytest.raises(LinkBroke, match=f"^the line to {pty[1]} broke: its other end has gone\\.$"):
        SerialLink(pty[1])
    thread.join()
