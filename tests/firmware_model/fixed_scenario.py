"""A fixed day of one pump; run as a script it says what came of it. Run twice under whatever may make a difference."""

import hashlib
import sys
import zlib
from collections.abc import Callable

from emulator.assembly import build_device
from emulator.device import Device
from emulator.faults.arming import arming
from emulator.inputs import CutPower, LineChange, RestorePower
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.program import Drug, Program
from firmware_model.memory import CutMode
from protocol.host_end import HostEnd
from protocol.host_session import SessionWanted
from protocol.keys import test_keys
from protocol.messages import codes as wire
from protocol.messages.deliver import BolusExecuteRequest, BolusPrepareRequest, StopRequest
from protocol.messages.link import HelloRequest
from protocol.messages.log import LogReadRequest
from protocol.messages.op import OpListRequest
from protocol.messages.program import (
    ProgramBeginRequest,
    ProgramCommitRequest,
    ProgramValidateRequest,
    ProgramWriteRequest,
    StageReadRequest,
)
from protocol.messages.read import StatusRequest, TherapyReadRequest
from tests.firmware_model.drug_programs import wire_blocks, wire_image

SECOND = 1_000_000
SERIAL = 0x00C0FFEE
STAGE = 1 << 16 | 1
PROGRAM = Program(
    drugs=(Drug("baclofen", 2_000_000), Drug("morphine", 10_000_000)),
    mode=Mode.SIMPLE_CONTINUOUS,
    rate_nl_per_day=1_440_000,
    rate_max_nl_per_day=2_000_000,
    bolus_volume_max_nl=200_000,
    low_reservoir_nl=2_500_000,
)
VOLUME_NL, DURATION_S = 100_000, 600
WHOLE = {"block": wire.Block.IMAGE, "offset": 0, "length": 192}

DAY: tuple[tuple[object, int], ...] = (
    (StatusRequest(), 100),
    (ProgramBeginRequest(), 1),
    *(
        (ProgramWriteRequest(stage_id=STAGE, block=wire.Block[block.name], offset=0, data=content), 1)
        for block, content in wire_blocks(PROGRAM).items()
    ),
    (ProgramValidateRequest(stage_id=STAGE), 60),
    (StageReadRequest(stage_id=STAGE, **WHOLE), 60),  # type: ignore[arg-type] # the words of both reads
    (
        ProgramCommitRequest(stage_id=STAGE, crc32=zlib.crc32(wire_image(PROGRAM)), op_id=1, therapy_rev=1),
        100,
    ),
    (TherapyReadRequest(**WHOLE), 100),  # type: ignore[arg-type] # the words of both reads
    (
        BolusPrepareRequest(
            kind=wire.BolusKind.SINGLE,
            volume_nl=VOLUME_NL,
            volume_complement=VOLUME_NL ^ 0xFFFF_FFFF,
            duration_s=DURATION_S,
        ),
        5,
    ),
    (
        BolusExecuteRequest(
            bolus_id=1,
            volume_nl=VOLUME_NL,
            volume_complement=VOLUME_NL ^ 0xFFFF_FFFF,
            duration_s=DURATION_S,
            op_id=2,
            therapy_rev=2,
        ),
        100,
    ),
    (OpListRequest(page=0), 100),
    (StopRequest(op_id=3, therapy_rev=0), 100),
    (LogReadRequest(epoch=1, from_sequence=1, maximum=4), 100),
)
"""What is asked, and the seconds until the next."""


def carry(host: HostEnd, device: Device, note: Callable[[bytes], None]) -> None:
    """The request in hand to its end, a second for each exchange."""
    while host.busy:
        device.receive(host.data_to_send(), device.now_us)
        answer = device.data_to_send(device.now_us)
        note(answer)
        host.receive(answer, device.now_us)
        device.advance(device.now_us + SECOND)
        host.advance(device.now_us)


def run() -> str:
    """The digest of the pump, and one over all bytes and events that came out."""
    device = build_device("reference-20", seed=3, serial_number=SERIAL, insecure=False, session_floor=7)
    device.line(LineChange.OPENED, 0)
    device.control(arming("drop answer STATUS", device.fault_names), 0)
    host, came_out = HostEnd(retries=1), hashlib.sha256()
    host.request(HelloRequest(major=1, minor=0), device.now_us)
    carry(host, device, came_out.update)
    key = test_keys(SERIAL).of_role[wire.Role.CLINICIAN]
    host.open_session(SessionWanted(wire.Role.CLINICIAN, 0x0C11, key, b"fixedday"), device.now_us)
    carry(host, device, came_out.update)
    for message, wait_s in DAY:
        host.request(message, device.now_us)
        carry(host, device, came_out.update)
        device.advance(device.now_us + wait_s * SECOND)
    device.control(CutPower(5, CutMode.TORN, 3), device.now_us)
    host.request(StopRequest(op_id=4, therapy_rev=0), device.now_us)
    device.receive(host.data_to_send(), device.now_us)
    device.control(RestorePower(), device.now_us + SECOND)
    while (event := device.next_event()) is not None:
        came_out.update(repr(event.as_json()).encode())
    return f"{device.digest()} {came_out.hexdigest()}"


if __name__ == "__main__":
    sys.stdout.write(run())
