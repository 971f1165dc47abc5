"""What the wire asks of the pump's memory while it opens sessions: numbers that never repeat, failures that count."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.firmware.codes import Role


@dataclass(frozen=True, slots=True)
class NumberSession:
    """Raise the session counter, in memory first. Refused while a delay runs for this role and port."""

    role: Role
    port: int


@dataclass(frozen=True, slots=True)
class CountAttempt:
    """Count an authentication as failed, in memory, before it is checked. Refused while a delay runs."""

    role: Role
    port: int


@dataclass(frozen=True, slots=True)
class ConfirmAttempt:
    """The attempt was good: its count begins anew. `from_host_id`: whose place was taken over, None for nobody's."""

    role: Role
    port: int
    host_id: int
    from_host_id: int | None


@dataclass(frozen=True, slots=True)
class NoteFailure:
    """A wrong cryptogram of a role, or (`role` None) a wrong tag: for the log, once a minute at most."""

    port: int
    role: Role | None


@dataclass(frozen=True, slots=True)
class NoteKeysReplaced:
    """The tester gave the pump other keys: for the log."""

    test_keys: bool


@dataclass(frozen=True, slots=True)
class SessionNumber:
    """The raised counter: never given before, whatever happened to power or memory."""

    counter: int


@dataclass(frozen=True, slots=True)
class AttemptCounted:
    """`failures` before this attempt; `delay_s` is how long the next one must wait if this one is wrong, 0 for not."""

    failures: int
    delay_s: int


@dataclass(frozen=True, slots=True)
class AttemptConfirmed:
    """How many attempts had failed before the good one."""

    failures: int


@dataclass(frozen=True, slots=True)
class Noted:
    """It is noted."""
