"""A fixed day of one pump, and worlds of fixed seeds; run as a script it says what came of them.

To be run twice, under whatever may make a difference.
"""

import hashlib
import sys
import zlib
from collections.abc import Callable
from random import Random

from emulator.assembly import build_device
from emulator.device import Device
from emulator.faults.arming import arming
from emulator.inputs import CutPower, LineChange, RestorePower
from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.program import Drug, PatientBolusSetting
from firmware_model.memory import CutMode
from protocol.host_end import HostEnd
from protocol.host_session import SessionWanted
from protocol.keys import test_keys
from protocol.messages import codes as wire
from protocol.messages.alarm import AlarmListRequest
from protocol.messages.deliver import BolusExecuteRequest, BolusPrepareRequest, StopRequest
from protocol.messages.link import HelloRequest
from protocol.messages.log import LogReadRequest
from protocol.messages.op import OpListRequest
from protocol.messages.program import (
    BLOCK_PART_MAX,
    ProgramBeginRequest,
    ProgramCommitRequest,
    ProgramValidateRequest,
    ProgramWriteRequest,
    StageReadRequest,
)
from protocol.messages.read import StatusRequest, TherapyReadRequest
from tests.firmware_model.drug_programs import new_program, same_every_day, wire_blocks, wire_image
from tests.firmware_model.pump_profiles import shipped
from tests.firmware_model.random_histories import ROOMY, history_of
from tests.firmware_model.told_history import told

SECOND = 1_000_000
SERIAL = 0x00C0FFEE
STAGE = 1 << 16 | 1
PROGRAM = new_program(
    shipped("reference-20"),
    drugs=(Drug("baclofen", 2_000_000, 90), Drug("morphine", 10_000_000)),
    mode=Mode.FLEX,
    rate_nl_per_day=1_440_000,
    schedule=same_every_day((0, 1_440_000), (2, 1_501_000), (63, 700_000), (1_439, 2_000_000)),
    patient=PatientBolusSetting(20_000, 300, 1_800, 86_400, 5),
    rate_max_nl_per_day=2_000_000,
    bolus_volume_max_nl=200_000,
    low_reservoir_nl=2_500_000,
    catheter_nl=178_000,
)
FAULTS = (
    "drop answer STATUS",
    "gain-error ppm=123456 after=5min",
    "clock-drift ppm=-200",
    "stall after=2h for=3h",
    "memory-flip region=control bit=4711 after=6h",
)
VOLUME_NL, DURATION_S = 100_000, 600
WORLDS = 12
WHOLE = {"block": wire.Block.IMAGE, "offset": 0, "length": 192}


def parts(block: Block, content: bytes) -> list[ProgramWriteRequest]:
    """A block as it goes over the wire: no more than a frame holds at once."""
    return [
        ProgramWriteRequest(
            stage_id=STAGE, block=wire.Block[block.name], offset=at, data=content[at : at + BLOCK_PART_MAX]
        )
        for at in range(0, len(content), BLOCK_PART_MAX)
    ]


DAY: tuple[tuple[object, int], ...] = (
    (StatusRequest(), 100),
    (ProgramBeginRequest(), 1),
    *((part, 1) for block, content in wire_blocks(PROGRAM).items() for part in parts(block, content)),
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
    (AlarmListRequest(from_instance=0), 100),
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


def day() -> str:
    """The digest of the pump, and one over all bytes and events that came out."""
    device = build_device("reference-20", seed=3, serial_number=SERIAL, insecure=False, session_floor=7)
    device.line(LineChange.OPENED, 0)
    for fault in FAULTS:
        device.control(arming(fault, device.fault_names), 0)
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
    host.request(StopRequest(op_id=3, therapy_rev=0), device.now_us)
    device.receive(host.data_to_send(), device.now_us)
    device.control(RestorePower(), device.now_us + SECOND)
    device.advance(device.now_us + 86_400 * SECOND)
    while (event := device.next_event()) is not None:
        came_out.update(repr(event.as_json()).encode())
    return f"{device.digest()} {came_out.hexdigest()}"


def worlds() -> str:
    """The digest of all that some random histories tell, with every device fault on."""
    everything = hashlib.sha256()
    for seed in range(WORLDS):
        history = history_of(Random(seed), ROOMY)  # noqa: S311 (chance for a test)
        everything.update(repr(told(history, ROOMY)).encode())
    return everything.hexdigest()


def run() -> str:
    return f"{day()} {worlds()}"


if __name__ == "__main__":
    sys.stdout.write(run())
