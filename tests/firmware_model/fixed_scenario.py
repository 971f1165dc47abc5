"""A fixed day of one pump; run as a script it says what came of it. Run twice under whatever may make a difference."""

import hashlib
import sys

from emulator.assembly import build_device
from emulator.faults.registry import parse_fault
from emulator.inputs import ArmFault, CutPower, LineChange, RestorePower
from firmware_model.memory import CutMode
from protocol.host_end import HostEnd
from protocol.messages.codes import BolusKind
from protocol.messages.deliver import BolusExecuteRequest, BolusPrepareRequest, StopRequest
from protocol.messages.link import HelloRequest
from protocol.messages.log import LogReadRequest
from protocol.messages.op import OpListRequest
from protocol.messages.read import StatusRequest

SECOND = 1_000_000


def run() -> str:
    """The digest of the pump, and one over all bytes and events that came out."""
    device = build_device("reference-20", seed=3, serial_number=0x00C0FFEE)
    device.line(LineChange.OPENED, 0)
    device.control(ArmFault(parse_fault("drop answer STATUS", device.fault_names)), 0)
    host, came_out = HostEnd(retries=1), hashlib.sha256()
    nl = 100_000
    turned = nl ^ 0xFFFF_FFFF
    for message in (
        HelloRequest(major=1, minor=0),
        StatusRequest(),
        BolusPrepareRequest(kind=BolusKind.SINGLE, volume_nl=nl, volume_complement=turned, duration_s=600),
        BolusExecuteRequest(bolus_id=1, volume_nl=nl, volume_complement=turned, duration_s=600, op_id=1, therapy_rev=1),
        OpListRequest(page=0),
        StopRequest(op_id=2, therapy_rev=0),
        LogReadRequest(epoch=1, from_sequence=1, maximum=4),
    ):
        host.request(message, device.now_us)
        while host.busy:
            device.receive(host.data_to_send(), device.now_us)
            answer = device.data_to_send(device.now_us)
            came_out.update(answer)
            host.receive(answer, device.now_us)
            device.advance(device.now_us + SECOND)
            host.advance(device.now_us)
        device.advance(device.now_us + 100 * SECOND)
    device.control(CutPower(5, CutMode.TORN, 3), device.now_us)
    host.request(StopRequest(op_id=3, therapy_rev=0), device.now_us)
    device.receive(host.data_to_send(), device.now_us)
    device.control(RestorePower(), device.now_us + SECOND)
    while (event := device.next_event()) is not None:
        came_out.update(repr(event.as_json()).encode())
    return f"{device.digest()} {came_out.hexdigest()}"


if __name__ == "__main__":
    sys.stdout.write(run())
