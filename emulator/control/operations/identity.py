"""Which pump is behind the line, and in which state: another one, a save-state made or restored."""

from __future__ import annotations

from emulator.control.answers import Identity
from emulator.control.bodies import EmptyBody, IdentityBody, StateBody
from emulator.control.operation import Plane
from emulator.control.refusal import RequestError
from emulator.inputs import RestoreState, SwapPump
from firmware_model.savestate import SaveStateError, read_sealed


async def swap_pump(plane: Plane, asked: IdentityBody) -> Identity:
    """POST /identity"""
    plane.apply(SwapPump(int(asked.serial_number, 16), plane.session_floor()))
    return _identity(plane)


async def save_state(plane: Plane, _asked: EmptyBody) -> bytes:
    """GET /state"""
    try:
        return plane.serving.save_state()
    except SaveStateError as error:
        raise RequestError(409, str(error)) from None


async def restore_state(plane: Plane, asked: StateBody) -> Identity:
    """PUT /state"""
    try:
        read_sealed(asked.state)
    except SaveStateError as error:
        raise RequestError(400, str(error), field="state", allowed=StateBody.ALLOWED["state"]) from None

    async def move() -> None:
        plane.apply(RestoreState(asked.state, plane.session_floor()))

    # Time is another one afterwards, so this waits for its turn as moves of time do.
    await plane.moves.run(move())
    return _identity(plane)


def _identity(plane: Plane) -> Identity:
    return {"serial_number": f"{plane.serving.serial_number:08X}", "now_us": plane.serving.now_us()}
