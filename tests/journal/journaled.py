"""Sessions by chance with faults of both kinds, and journals of them that are made without a file."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from random import Random

from emulator.assembly import build_device
from emulator.device import Device
from emulator.faults.arming import arming
from emulator.faults.catalogue import DEVICE, LINE, catalogue
from emulator.faults.line import TooManyFaults
from emulator.inputs import (
    ClearFaults,
    CutPower,
    Input,
    LineChange,
    ReplaceKeys,
    RestorePower,
    RestoreState,
    SetEnvironment,
    SwapPump,
    UseSyringe,
)
from emulator.journal.header import header_of
from emulator.journal.input_lines import InputReading, fingerprint
from emulator.journal.reader import JournalReader
from emulator.journal.recording import JournaledDevice
from emulator.journal.replaying import Replay, Replayed
from emulator.protocols import InstalledProtocol, installed_protocol
from firmware_model.faults.board import TooManyDeviceFaults
from firmware_model.memory import CutMode
from protocol.messages.deliver import StartRequest, StopRequest
from protocol.messages.link import KeepaliveRequest
from tests.device.desk import SECOND, SERIAL, prepare
from tests.device.hand_host import HandHost, RecordedDevice, recorded_device
from tests.firmware_model.pump_profiles import shipped

PORTS = 2
PROFILE = shipped("reference-20")
FAULTS = {kind: tuple(fault.example for fault in catalogue() if fault.kind == kind) for kind in (LINE, DEVICE)}
MOST_PAUSE_US = 30 * SECOND
OWN_KEYS = {"reader": b"\x01" * 16, "patient": b"\x02" * 16, "clinician": b"\x03" * 16}


def session_by_chance(random: Random, steps: int) -> list[Input]:
    """The inputs of a clinician's session to whom, and to whose pump, anything may happen."""
    device = recorded_device(PROFILE)
    host = HandHost(device).open_line()
    if random.random() < 0.9:
        host.connect()
    for kind in FAULTS:
        arm_by_chance(random, device, kind)
    states = [device.save_state()]
    for _ in range(steps):
        _step(random, device, host, states)
    return device.inputs


def arm_by_chance(random: Random, device: RecordedDevice, kind: str) -> None:
    """A fault of this kind, if it may be armed besides those that are."""
    fault = random.choice(FAULTS[kind])
    if kind == LINE:
        verb, direction, _, *parameters = fault.split()
        nth = f"nth={random.randint(1, 3)}"
        fault = " ".join((verb, direction, "any", nth, *(each for each in parameters if not each.startswith("nth="))))
    with contextlib.suppress(TooManyFaults, TooManyDeviceFaults):
        device.control(arming(fault, device.fault_names), device.now_us)


def _step(random: Random, device: RecordedDevice, host: HandHost, states: list[bytes]) -> None:
    now = device.now_us
    match random.randrange(10):
        case 0 | 1 | 2 | 3:
            message = random.choice(
                (
                    KeepaliveRequest(),
                    prepare(50_000, 600),
                    StopRequest(op_id=random.randint(1, 9), therapy_rev=0),
                    StartRequest(op_id=random.randint(1, 9), therapy_rev=random.randint(0, 3)),
                )
            )
            device.receive(host.request(message), now)
        case 4:
            device.receive(random.randbytes(random.randint(1, 40)) + b"\x00", now, random.randrange(PORTS))
        case 5:
            arm_by_chance(random, device, random.choice((LINE, DEVICE)))
        case 6:
            actions = (
                ClearFaults(),
                CutPower(),
                CutPower(random.randint(1, 9), random.choice(list(CutMode)), random.randrange(8)),
                RestorePower(),
                UseSyringe(random.choice((None, 1_000)), random.randrange(5_000), (("morphine", 10_000_000),)),
                ReplaceKeys(random.choice(({}, OWN_KEYS))),
                SetEnvironment(random.choice((None, 3_950)), random.choice((None, True, False))),
                SwapPump(random.choice((SERIAL, SERIAL + 1)), random.randrange(1_000)),
                RestoreState(random.choice(states), random.randrange(1_000)),
            )
            device.control(random.choice(actions), now)
            if random.random() < 0.2:
                states.append(device.save_state())
        case 7:
            device.line(random.choice(list(LineChange)), now, random.randrange(PORTS))
        case _:
            device.advance(now + random.randrange(MOST_PAUSE_US))


def drain(device: Device | JournaledDevice) -> None:
    """Take all that came of an input, as serving does."""
    for port in range(PORTS):
        while device.data_to_send(device.now_us, port=port):
            pass
    while device.next_event() is not None:
        pass


def journal_of(
    inputs: Sequence[Input],
    *,
    keys: Mapping[str, bytes] | None = None,
    protocol: InstalledProtocol | None = None,
    close: bool = True,
    taken: bool = True,
) -> list[str]:
    """The lines of a new pump's journal; `taken`: whether its driver lived to take what came of the last input."""
    spoken = protocol or installed_protocol("vpump")
    built = build_device("reference-20", 0, SERIAL, insecure=False, session_floor=0, keys=keys, protocol=spoken)
    header = header_of(
        built,
        protocol=spoken.name,
        profile_text=None,
        seed=0,
        session_floor=0,
        insecure=False,
        keys=keys,
        ports=("pty",) * PORTS,
    )
    lines = [header.line()]
    device = JournaledDevice(built, lines.append, PORTS)
    drain(device)
    for number, happening in enumerate(inputs, 1):
        with contextlib.suppress(ValueError):
            device.apply(happening)
        if taken or number < len(inputs):
            drain(device)
    if close:
        device.close()
    return lines


def replay_of(
    lines: Sequence[str], *, until_us: int | None = None, protocol: InstalledProtocol | None = None
) -> Replayed:
    """Live through it; the user has given OWN_KEYS."""

    def keys_of(_roles: Sequence[str], mark: str) -> Mapping[str, bytes] | None:
        return OWN_KEYS if mark == fingerprint(OWN_KEYS) else None

    reader = JournalReader(io.BytesIO("".join(lines).encode()))
    header = reader.header()
    device = header.build(protocol or installed_protocol(header.protocol), keys_of)
    items = reader.items(InputReading(device.fault_names, keys_of))
    return Replay(device, len(header.ports)).run(items, until_us)
