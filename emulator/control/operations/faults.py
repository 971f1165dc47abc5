"""Faults of line and pump: armed, listed, cleared."""

from __future__ import annotations

from emulator.control.answers import Armed, FaultUnderstood
from emulator.control.armed import armed_document
from emulator.control.bodies import EmptyBody, FaultBody
from emulator.control.operation import Plane
from emulator.control.refusal import RequestError
from emulator.faults.arming import arming, as_written
from emulator.inputs import ClearFaults


async def list_faults(plane: Plane, _asked: EmptyBody) -> Armed:
    """GET /faults"""
    return {"armed": armed_document(plane.serving.armed_faults())}


async def arm_fault(plane: Plane, asked: FaultBody) -> FaultUnderstood:
    """POST /faults"""
    try:
        action = arming(asked.fault, plane.serving.fault_names)
    except ValueError as error:
        raise RequestError(400, str(error), field="fault", allowed=FaultBody.ALLOWED["fault"]) from None
    plane.apply(action)
    # What strikes at once is not armed any more, so the answer says what was understood.
    return {"fault": as_written(action), "armed": armed_document(plane.serving.armed_faults())}


async def clear_faults(plane: Plane, _asked: EmptyBody) -> Armed:
    """DELETE /faults"""
    plane.apply(ClearFaults())
    return {"armed": armed_document(plane.serving.armed_faults())}
