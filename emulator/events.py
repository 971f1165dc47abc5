"""The one event schema: everything about a running pump that anybody may observe.

Trace, watchers, `run-until`, the demo and every later observer (journal, capture, report) read this stream and
nothing else. Each event is a frozen dataclass with a `kind`; `Event.as_json` gives the documented JSON form, in which
bytes are lower-case hex. `SCHEMA` lists the kinds; docs/events.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import ClassVar, get_args

from emulator.wire import LazyText


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happening:
    """What every event has: a running number from 1, and the virtual time in microseconds."""

    kind: ClassVar[str]
    number: int
    at_us: int

    def as_json(self) -> dict[str, object]:
        """The event as JSON values: `event` is its kind, then its fields in their order."""
        document: dict[str, object] = {"event": self.kind}
        for described in fields(self):
            value = getattr(self, described.name)
            if isinstance(value, bytes):
                value = value.hex()
            elif isinstance(value, Mapping):
                value = dict(value)
            elif isinstance(value, LazyText):
                value = str(value)
            document[described.name] = value
        return document


def _meaning(text: str) -> dict[str, str]:
    return {"meaning": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChanged(_Happening):
    """A client opened a line, left it, did not read, or reads again; or a fault broke the line, or it is mended."""

    kind: ClassVar[str] = "line"
    port: int = field(metadata=_meaning("index of the port, in the order of --listen"))
    change: str = field(metadata=_meaning("opened, closed, overrun, held, flowing, broken or mended"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged(_Happening):
    """A session of the wire began or ended."""

    kind: ClassVar[str] = "session"
    port: int = field(metadata=_meaning("index of the port"))
    change: str = field(metadata=_meaning("opened or ended"))
    reason: str = field(
        metadata=_meaning(
            "why it ended: line, silence, displaced, power, closed, replaced, takeover, tags, counter or keys; "
            "empty when it opened"
        )
    )
    session_id: int = field(default=0, metadata=_meaning("the session id of its frames; 0 when nobody asks for keys"))
    role: str = field(default="", metadata=_meaning("reader, patient or clinician"))
    host_id: int = field(default=0, metadata=_meaning("the host's own number; 0 when nobody asks for keys"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSeen(_Happening):
    """A whole frame passed a port, in either direction."""

    kind: ClassVar[str] = "frame"
    port: int = field(metadata=_meaning("index of the port"))
    direction: str = field(
        metadata=_meaning("request (to the pump), answer (from it), or event (from it, of its own accord)")
    )
    name: str = field(metadata=_meaning("name of the operation, as faults name it"))
    effect: str = field(metadata=_meaning("what it is about: link, read, stage, therapy, alarm; empty when unknown"))
    summary: str | LazyText = field(metadata=_meaning("its fields, for people"))
    raw: bytes = field(metadata=_meaning("the bytes on the wire"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesRejected(_Happening):
    """Bytes that are no acceptable frame; the pump says nothing to the line."""

    kind: ClassVar[str] = "rejected"
    port: int = field(metadata=_meaning("index of the port"))
    reason: str = field(metadata=_meaning("why, in words"))
    raw: bytes = field(metadata=_meaning("the bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFired(_Happening):
    """An armed fault acted."""

    kind: ClassVar[str] = "fault"
    fault: str = field(metadata=_meaning("the fault as it was written"))
    port: int = field(metadata=_meaning("index of the port"))
    raw: bytes = field(metadata=_meaning("the frame that it acted on"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameInjected(_Happening):
    """A fault of the line put bytes on it, or let them through late."""

    kind: ClassVar[str] = "injected"
    fault: str = field(metadata=_meaning("the fault as it was written"))
    port: int = field(metadata=_meaning("index of the port"))
    direction: str = field(metadata=_meaning("request (to the pump), or answer or event (from it)"))
    raw: bytes = field(metadata=_meaning("the bytes that go on"))
    struck: bytes = field(metadata=_meaning("the frame that the fault acted on"))
    late_us: int = field(default=0, metadata=_meaning("how long after that frame was sent"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultArmed(_Happening):
    """The tester armed a fault."""

    kind: ClassVar[str] = "fault-armed"
    fault: str = field(metadata=_meaning("the fault as it was written, or which write a power cut waits for"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsCleared(_Happening):
    """The tester disarmed all faults."""

    kind: ClassVar[str] = "faults-cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerChanged(_Happening):
    """The pump lost its power, or got it back and booted."""

    kind: ClassVar[str] = "power"
    change: str = field(metadata=_meaning("cut or restored"))
    write: str = field(metadata=_meaning("the write point at which a cut came; empty when it came between writes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged(_Happening):
    """The pump committed a record to its event log: everything that its firmware does or notices."""

    kind: ClassVar[str] = "log"
    sequence: int = field(metadata=_meaning("sequence number of the record"))
    type: str = field(metadata=_meaning("type of the record, such as bolus_started"))
    op_id: int = field(metadata=_meaning("the operation that it belongs to, 0 for none"))
    detail: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({}), metadata=_meaning("fields of that type of record")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultChanged(_Happening):
    """A device fault began or ended."""

    kind: ClassVar[str] = "device-fault"
    fault_number: int = field(metadata=_meaning("the fault's own number"))
    fault: str = field(metadata=_meaning("the fault, as it can be written"))
    change: str = field(metadata=_meaning("began or ended"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneSounded(_Happening):
    """An alarm sounded."""

    kind: ClassVar[str] = "tone"
    alarm: str = field(metadata=_meaning("the type of the alarm, such as low_reservoir"))
    tone: str = field(metadata=_meaning("dual (critical) or single"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SyringeUsed(_Happening):
    """The tester used a syringe at the reservoir's port."""

    kind: ClassVar[str] = "syringe"
    withdrawn_nl: int = field(metadata=_meaning("what came out"))
    injected_nl: int = field(metadata=_meaning("what went into the reservoir"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysReplaced(_Happening):
    """The tester gave the pump other keys."""

    kind: ClassVar[str] = "keys"
    roles: str = field(metadata=_meaning("whose keys were given; empty when they are the published test keys"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentChanged(_Happening):
    """The tester has changed what is around the pump."""

    kind: ClassVar[str] = "environment"
    temperature_cc: int = field(metadata=_meaning("hundredths of a degree Celsius"))
    magnetic_field: str = field(metadata=_meaning("on or off"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSwapped(_Happening):
    """The tester has put another pump behind the line."""

    kind: ClassVar[str] = "identity"
    serial_number: str = field(metadata=_meaning("of the pump that is there now: eight hexadecimal digits"))
    former: str = field(metadata=_meaning("of the one that was there"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRestored(_Happening):
    """The tester has restored a save-state; virtual time goes on from where that was made."""

    kind: ClassVar[str] = "state"
    serial_number: str = field(metadata=_meaning("of the pump that it is of: eight hexadecimal digits"))
    left_at_us: int = field(metadata=_meaning("the virtual time that was left, in microseconds"))


Event = (
    LineChanged
    | SessionChanged
    | FrameSeen
    | BytesRejected
    | FaultFired
    | FrameInjected
    | FaultArmed
    | FaultsCleared
    | PowerChanged
    | KeysReplaced
    | FaultChanged
    | ToneSounded
    | SyringeUsed
    | EnvironmentChanged
    | PumpSwapped
    | StateRestored
    | Logged
)

SCHEMA: tuple[type[_Happening], ...] = get_args(Event)
