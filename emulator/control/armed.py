"""The one list of armed faults, of the line and of the pump, as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.faults.catalogue import DEVICE, LINE
from emulator.faults.device_faults import fault_text
from firmware_model.agenda import NEVER
from firmware_model.faults import ArmedFault


def armed_document(armed: Sequence[str | ArmedFault]) -> list[dict[str, object]]:
    """Each armed fault, in the order of arming, those of the line first."""
    return [_line_fault(each) if isinstance(each, str) else _device_fault(each) for each in armed]


def _line_fault(fault: str) -> dict[str, object]:
    return {"fault": fault, "kind": LINE}


def _device_fault(armed: ArmedFault) -> dict[str, object]:
    """`next_change_us`: the virtual time at which it begins, or ends if it is active; null for never by itself.

    `left`: how often it will yet begin.
    """
    return {
        "fault": fault_text(armed.fault),
        "kind": DEVICE,
        "number": armed.number,
        "active": armed.active,
        "next_change_us": None if armed.change_us >= NEVER else armed.change_us,
        "left": armed.left,
    }
