"""The one input stream of a device: everything that can happen to it from outside, typed and stamped.

A journal is a sequence of `Input`s in their order; replaying it is handing each to `Device.apply`. Nothing else can
change a device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from emulator.faults.spec import FaultSpec
from firmware_model.faults import DeviceFault
from firmware_model.memory import CutMode


class LineChange(Enum):
    """What can happen to a line itself.

    OPENED    a client has opened it; an open line that is opened again is a new line (the old one ended)
    CLOSED    its client is gone
    OVERRUN   its client does not read: the bytes queued for it were thrown away, and the line counts as new
    HELD      its client does not take what it is sent for now: the pump drops what it would tell of its own accord
    FLOWING   it does again
    """

    OPENED = "opened"
    CLOSED = "closed"
    OVERRUN = "overrun"
    HELD = "held"
    FLOWING = "flowing"


@dataclass(frozen=True, slots=True)
class ArmFault:
    """Arm a fault of the registry in `emulator.faults`."""

    fault: FaultSpec


@dataclass(frozen=True, slots=True)
class ClearFaults:
    """End and disarm every fault, of the line and of the pump, and every armed power cut."""


@dataclass(frozen=True, slots=True)
class CutPower:
    """Take the power away now (`at_write` None), or at the `at_write`-th primitive write from now (1 = the next).

    `mode` says what becomes of that write, and when the power goes; see `CutMode`. `torn_bytes` counts for TORN and
    GARBAGE: so many of its first bytes are written, or become garbage.
    """

    at_write: int | None = None
    mode: CutMode = CutMode.BEFORE
    torn_bytes: int = 4


@dataclass(frozen=True, slots=True)
class RestorePower:
    """Give the power back: the pump boots from its memory. Without effect on a pump that has power."""


@dataclass(frozen=True, slots=True)
class ReplaceKeys:
    """Give the pump other keys, by the name of the role; none at all means the published test keys."""

    keys: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RaiseSessionCounter:
    """Raise the counter that sessions are numbered by to at least `floor`: a driver's first input.

    What a pump has challenged a host with must never come again, although a pump that is started anew, or from a
    save-state, cannot remember it.
    """

    floor: int


@dataclass(frozen=True, slots=True)
class ArmDeviceFault:
    """Arm a fault of the pump itself, of the registry in `firmware_model.faults`."""

    fault: DeviceFault


@dataclass(frozen=True, slots=True)
class UseSyringe:
    """A syringe at the reservoir's port: withdraw so much, then inject so much of a mixture.

    `withdraw_nl` None: all that a syringe can withdraw. `drugs`: name and concentration in ng/mL of each.
    """

    withdraw_nl: int | None
    inject_nl: int
    drugs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SetEnvironment:
    """Let other things be around the pump: hundredths of a degree Celsius, a strong magnetic field; None as it is."""

    temperature_cc: int | None = None
    field_on: bool | None = None


@dataclass(frozen=True, slots=True)
class SwapPump:
    """Another pump is behind the line from now on, of the same model and as new, with keys as the one before had them.

    `session_floor`: its sessions are numbered from above it, see RaiseSessionCounter.
    """

    serial_number: int
    session_floor: int


@dataclass(frozen=True, slots=True)
class RestoreState:
    """The pump that a save-state is of is behind the line from now on. Virtual time is where it was then."""

    state: bytes = field(repr=False)
    session_floor: int


Action = (
    ArmFault
    | ArmDeviceFault
    | UseSyringe
    | ClearFaults
    | CutPower
    | RestorePower
    | ReplaceKeys
    | RaiseSessionCounter
    | SetEnvironment
    | SwapPump
    | RestoreState
)


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes from a line."""

    at_us: int
    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """A change of a line itself."""

    at_us: int
    port: int
    change: LineChange


@dataclass(frozen=True, slots=True)
class Control:
    """The tester's hand."""

    at_us: int
    action: Action


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes; nothing else happens."""

    at_us: int


Input = Bytes | Line | Control | Advance
