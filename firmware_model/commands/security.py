"""What the wire asks of the pump's memory while it opens sessions: numbers that never repeat, failures that count."""

from __future__ import annotations

from msgspec import Struct

from firmware_model.firmware.codes import Role


class NumberSession(Struct, frozen=True):
    """Raise the session counter, in memory first. Refused while a delay runs for this role and port."""

    role: Role
    port: int


class CountAttempt(Struct, frozen=True):
    """Count an authentication as failed, in memory, before it is checked. Refused while a delay runs."""

    role: Role
    port: int


class ConfirmAttempt(Struct, frozen=True):
    """The attempt was good: its count begins anew. `from_host_id`: whose place was taken over, None for nobody's."""

    role: Role
    port: int
    host_id: int
    from_host_id: int | None


class NoteFailure(Struct, frozen=True):
    """A wrong cryptogram of a role, or (`role` None) a wrong tag: for the log, once a minute at most."""

    port: int
    role: Role | None


class NoteKeysReplaced(Struct, frozen=True):
    """The tester gave the pump other keys: for the log."""

    test_keys: bool


class SessionNumber(Struct, frozen=True):
    """The raised counter: never given before, whatever happened to power or memory."""

    counter: int


class AttemptCounted(Struct, frozen=True):
    """`failures` before this attempt; `delay_s` is how long the next one must wait if this one is wrong, 0 for not."""

    failures: int
    delay_s: int


class AttemptConfirmed(Struct, frozen=True):
    """How many attempts had failed before the good one."""

    failures: int


class Noted(Struct, frozen=True):
    """It is noted."""
