"""Device faults: what can be made to go wrong with a pump, for how long and how often."""

from firmware_model.faults.board import ArmedFault, DeviceFault, FaultBoard
from firmware_model.faults.registry import FAULTS, FaultKind, Parameter, device_fault

__all__ = ["FAULTS", "ArmedFault", "DeviceFault", "FaultBoard", "FaultKind", "Parameter", "device_fault"]
