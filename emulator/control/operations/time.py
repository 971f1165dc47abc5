"""Virtual time: a way through it, and up to an event."""

from __future__ import annotations

from emulator.control.answers import Now, RunUntil
from emulator.control.awaited import event_predicate
from emulator.control.bodies import AdvanceBody, RunUntilBody
from emulator.control.operation import Plane


async def advance(plane: Plane, asked: AdvanceBody) -> Now:
    """POST /advance"""

    async def move() -> None:
        await plane.serving.jump(asked.duration_us)

    _, now_us = await plane.moves.run(move())
    return {"now_us": now_us}


async def run_until(plane: Plane, asked: RunUntilBody) -> RunUntil:
    """POST /run-until"""
    predicate = event_predicate(asked.event, asked.match)

    async def move() -> dict[str, object] | None:
        event = await plane.serving.run_until(predicate, asked.limit_us)
        return None if event is None else event.as_json()

    event, now_us = await plane.moves.run(move())
    return {"now_us": now_us, "event": event, "reached": event is not None}
