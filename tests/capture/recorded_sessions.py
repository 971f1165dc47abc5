"""Sessions of a device as a capture has them."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.capture import pcapng
from emulator.capture.pcapng import Packet
from emulator.capture.recorder import CaptureHeader, Recorder
from emulator.device import Device
from protocol.keys import RoleKeys
from protocol.messages.codes import Role
from protocol.messages.link import CloseRequest
from protocol.messages.log import LogReadRequest
from tests.device.desk import Desk, arm, execute, happened, new_device, prepare

HEADER = CaptureHeader(hardware="h", application="a", facts=(("seed", "0"),), ports=("pty", "tcp:h:1")).blocks()


def recorded(device: Device) -> list[Packet]:
    """The packets of all that has happened since."""
    recorder = Recorder()
    packets = [packet for event in happened(device) for packet in recorder.take(event)]
    return packets + recorder.flush()


def capture_of(packets: Sequence[Packet], header: bytes = HEADER) -> bytes:
    return header + b"".join(map(pcapng.packet, packets))


def a_session(own: RoleKeys | None = None) -> list[Packet]:
    """A clinician's bolus whose first EXECUTE goes unanswered, and a page of the log."""
    desk = Desk(new_device(insecure=False, keys=own))
    desk.wait(60)
    desk.open()
    desk.open_session(Role.CLINICIAN, key=None if own is None else own.of_role[Role.CLINICIAN])
    arm(desk.device, "drop answer BOLUS_EXECUTE")
    rev = desk.rev()
    desk.ask(execute(desk.ask(prepare(50_000, 300)), 1, rev))
    desk.ask(LogReadRequest(epoch=1, from_sequence=1, maximum=4))
    desk.ask(CloseRequest())
    return recorded(desk.device)
