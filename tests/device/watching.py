"""A host that watches a pump by the rules of the specification; and the flags as a simple mind would keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from emulator.events import Event, FrameSeen, Logged
from protocol.host_end import Answered, Refused, SessionReady
from protocol.messages.codes import ChangedFlag, Role, TelemetryField
from protocol.messages.log import LogReadRequest
from protocol.messages.read import StatusRequest
from protocol.messages.stream import ResetFlagsRequest, StreamEvent, SubscribeRequest
from protocol.refusals import NakCode
from tests.device.desk import SECOND, Desk

ALL_FLAGS: Final = ChangedFlag(sum(ChangedFlag))
FLAG_OF: Final[Mapping[str, ChangedFlag]] = {
    "boot": ALL_FLAGS,
    "therapy_started": ChangedFlag.THERAPY,
    "therapy_stopped": ChangedFlag.THERAPY,
    "bolus_started": ChangedFlag.BOLUS,
    "bolus_ended": ChangedFlag.BOLUS,
    "bolus_cancelled": ChangedFlag.BOLUS,
    "program_changed": ChangedFlag.PROGRAM,
    "program_begun": ChangedFlag.PROGRAM,
    "alarm_raised": ChangedFlag.ALARM,
    "alarm_acknowledged": ChangedFlag.ALARM,
    "alarm_cleared": ChangedFlag.ALARM,
    "alarm_silenced": ChangedFlag.ALARM,
    "stall_ended": ChangedFlag.ALARM,
    "refilled": ChangedFlag.REFILL,
    "time_set": ChangedFlag.CLOCK,
    "delivered": ChangedFlag.DELIVERY,
    "memory_repaired": ChangedFlag.MEMORY,
    "session_taken_over": ChangedFlag.SECURITY,
    "authentication_failed": ChangedFlag.SECURITY,
    "keys_replaced": ChangedFlag.SECURITY,
}
"""By hand: what a record sets, by the record's name in the device's events."""


@dataclass
class SimpleFlags:
    """All that was logged, and all that was reset since the last boot, as an observer of the device has seen it.

    A flag is worked out anew each time. Which role has a line is for whoever watches to say: `role_of`.
    """

    role_of: Mapping[int, Role]
    logged: list[tuple[int, ChangedFlag]] = field(default_factory=list)
    resets: list[tuple[Role, ChangedFlag, int]] = field(default_factory=list)
    _asked: dict[int, tuple[ChangedFlag, int]] = field(default_factory=dict)

    def see(self, events: Iterable[Event]) -> None:
        """A reset counts when the pump has granted it, whether its answer arrives or not."""
        for event in events:
            match event:
                case Logged():
                    if event.type == "boot":
                        self.resets.clear()
                    self.logged.append((event.sequence, FLAG_OF[event.type]))
                case FrameSeen(direction="request", name="RESET_FLAGS"):
                    self._asked[event.port] = _reset_of(str(event.summary))
                case FrameSeen(direction="answer", name="RESET_FLAGS") if " OK " in str(event.summary):
                    self.resets.append((self.role_of[event.port], *self._asked[event.port]))

    def of(self, role: Role) -> ChangedFlag:
        flags = ChangedFlag(0)
        for flag in ChangedFlag:
            last = max(sequence for sequence, set_by_it in self.logged if flag in set_by_it)
            upto = [sequence for whose, reset, sequence in self.resets if whose is role and flag in reset]
            if last > max(upto, default=0):
                flags |= flag
        return flags


def _reset_of(summary: str) -> tuple[ChangedFlag, int]:
    """What a RESET_FLAGS names, out of its words."""
    words = dict(word.split("=") for word in summary.split() if "=" in word)
    names = words["changed"].split("|")
    return ChangedFlag(sum(ChangedFlag[name] for name in names if name != "0")), int(words["log_sequence"])


@dataclass
class Watcher:
    """A host of a role that keeps the rules: it reads the log behind every hint, and then resets what it was shown.

    `read` are the sequences of the records that it has read.
    """

    desk: Desk
    role: Role
    period_s: int = 10
    next_sequence: int = 1
    read: list[int] = field(default_factory=list)
    missed: int = 0
    heard_us: int = 0
    shown: list[StreamEvent] = field(default_factory=list)

    def begin(self) -> bool:
        """Line, session and subscription; whether all of it came about."""
        self.desk.open()
        self.heard_us = self.desk.device.now_us
        if not isinstance(self.desk.try_session(self.role, host_id=0x100 + self.role), SessionReady):
            return False
        return self._granted(SubscribeRequest(fields=TelemetryField.RUN_STATE, period_s=self.period_s))

    def look(self) -> None:
        """Take what has come, and do what the rules say about it, silence included."""
        device = self.desk.device
        if device.now_us - self.heard_us > (self.period_s + 1) * SECOND:
            self.heard_us = device.now_us
            if not self._granted(StatusRequest()):
                self.begin()
        host = self.desk.host
        host.receive(device.data_to_send(device.now_us, port=self.desk.port), device.now_us)
        while (told := host.next_told()) is not None:
            self.heard_us = device.now_us
            self.missed += told.missed
            self.shown.append(told.event)
            if (told.event.changed or told.event.log_last >= self.next_sequence) and self._has_read(told.event):
                self._granted(
                    ResetFlagsRequest(
                        changed=told.event.changed,
                        log_epoch=told.event.log_epoch,
                        log_sequence=self.next_sequence - 1,
                    )
                )

    def _has_read(self, event: StreamEvent) -> bool:
        """Read the log up to what an event has told of; whether that came about."""
        while self.next_sequence <= event.log_last:
            request = LogReadRequest(epoch=event.log_epoch, from_sequence=self.next_sequence, maximum=4)
            reply = self.desk.exchange(request)
            if not isinstance(reply, Answered):
                overwritten = isinstance(reply, Refused) and reply.nak.code == NakCode.RECORD_OVERWRITTEN
                assert not overwritten, "the log is too short for this story"
                return False
            self.read += [record.sequence for record in reply.message.records]
            self.next_sequence = reply.message.next_sequence
        return True

    def _granted(self, message: object) -> bool:
        return isinstance(self.desk.exchange(message), Answered)
