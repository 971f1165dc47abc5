"""What one operation of the control plane is: its address, its fields, its answer, and what carries it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

from emulator.assembly import fresh_session_floor
from emulator.control.answers import Route
from emulator.control.artefacts import Artefacts
from emulator.control.bodies import Body, EmptyBody
from emulator.control.contract import Serving
from emulator.control.event_stream import EventStream
from emulator.control.refusal import RequestError
from emulator.control.time_moves import Moves
from emulator.events import Event
from emulator.inputs import Action
from emulator.running import RunFiles


@dataclass(frozen=True, slots=True)
class Plane:
    """What operations work on: the running pump, the moves of its time, and the table that they stand in.

    stream         the latest events
    artefacts      where captures go, None for nowhere
    files          what this run writes
    session_floor  where the sessions of a pump that comes in its place begin to be numbered
    """

    serving: Serving
    moves: Moves
    operations: Sequence[Operation]
    stream: EventStream
    session_floor: Callable[[], int] = fresh_session_floor
    artefacts: Artefacts | None = None
    files: RunFiles = field(default_factory=RunFiles)

    def apply(self, action: Action) -> list[Event]:
        """Do one act of the tester; returns what happened with it. Raises RequestError where the pump refuses."""
        happened: list[Event] = []
        forget = self.serving.observe(happened.append)
        try:
            self.serving.apply(action)
        except ValueError as error:
            raise RequestError(409, str(error)) from None
        finally:
            forget()
        return happened


@dataclass(frozen=True, slots=True)
class Content:
    """An answer that is no JSON document, but bytes of a type."""

    media_type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method on one path does.

    name       as clients call it
    body       its fields; `answer`: the type of the document that answers it, or its content
    act        carries it out
    example    fields that do something with any pump, for readers
    afterwards what comes when the answer has been sent
    """

    name: str
    method: str
    path: str
    does: str
    act: Callable[[Plane, Any], Coroutine[Any, Any, Mapping[str, object] | bytes | AsyncIterator[bytes]]]
    answer: Any
    body: type[Body] = EmptyBody
    example: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    afterwards: Callable[[Plane], object] | None = None

    @property
    def media_type(self) -> str:
        """What its answer is."""
        return self.answer.media_type if isinstance(self.answer, Content) else Body.MEDIA_TYPE

    def route(self) -> Route:
        """Its line in the list of routes."""
        names = [described.encode_name for described in msgspec.structs.fields(self.body)]
        fields = {name: self.body.ALLOWED[name] for name in names}
        return {"method": self.method, "path": self.path, "does": self.does, "fields": fields}
