"""From a fault's line to the input that arms it, whichever kind of fault it is."""

from __future__ import annotations

from emulator.faults.device_faults import fault_text
from emulator.faults.registry import line_fault_text, parse_fault
from emulator.faults.spec import FaultSpec
from emulator.inputs import ArmDeviceFault, ArmFault
from emulator.wire import FaultNames


def arming(text: str, names: FaultNames) -> ArmFault | ArmDeviceFault:
    """The input that arms the fault that a line names; `names` are those of the wire.

    Raises FaultSyntaxError.
    """
    fault = parse_fault(text, names)
    return ArmFault(fault) if isinstance(fault, FaultSpec) else ArmDeviceFault(fault)


def as_written(arms: ArmFault | ArmDeviceFault) -> str:
    """The fault that is armed, as it is written, with all that was left to its defaults."""
    return line_fault_text(arms.fault) if isinstance(arms, ArmFault) else fault_text(arms.fault)
