"""The security record: numbers that never repeat and failures that count, their layout in memory, and the delays.

It has slots of its own beside the control record, so that a pump that has lost that one still opens sessions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from firmware_model.firmware.codes import Role

HIGHEST_COUNTER = 0xFFFF_FFFF_FFFF_FFFF
"""The last session number that there is."""
PORT_PLACES = 16
"""Ports that are counted each for itself; all further ones share the last place."""
MOST_FAILURES = 0xFF
"""Where a count of failures stays."""
DELAYS_S = (0, 0, 0, 0, 0, 15, 30, 60)
"""How long the next attempt must wait after so many failures in a row; the last one holds for all further counts."""
PLACES = len(Role) * PORT_PLACES
_RECORD = struct.Struct(f"<Q{PLACES}s")
SECURITY_BYTES = _RECORD.size
"""The length of an encoded record."""


@dataclass(frozen=True, slots=True)
class SecurityRecord:
    """The last session number that may have been given, and for each role and port the failures since the last success.

    `failures` has one byte for each `place_of` a role and a port.
    """

    session_counter: int = 0
    failures: bytes = bytes(PLACES)

    def counting(self, place: int, failures: int) -> SecurityRecord:
        """This record with another count of failures, saturating."""
        counted = bytes([min(failures, MOST_FAILURES)])
        return replace(self, failures=self.failures[:place] + counted + self.failures[place + 1 :])

    def beyond(self) -> SecurityRecord:
        """A record that is above any that can have been committed right behind this one."""
        return SecurityRecord(
            session_counter=min(self.session_counter + 1, HIGHEST_COUNTER),
            failures=bytes(min(count + 1, MOST_FAILURES) for count in self.failures),
        )


@dataclass(slots=True)
class WrongAuthentications:
    """Failures that have not been logged yet, in volatile memory, and until when none of them may be.

    role   of the last wrong cryptogram, 0 when there was none
    port   of the last failure
    """

    role: int = 0
    port: int = 0
    cryptograms: int = 0
    tags: int = 0
    quiet_until_us: int = 0


@dataclass(slots=True)
class Security:
    """What the firmware knows of sessions while it runs.

    record            as in memory; None: both copies are lost, or it has not been read yet
    delayed_until_us  for each place, when its delay is over
    """

    record: SecurityRecord | None = None
    delayed_until_us: list[int] = field(default_factory=lambda: [0] * PLACES)
    wrong: WrongAuthentications = field(default_factory=WrongAuthentications)


def place_of(role: Role, port: int) -> int:
    """Where the failures of a role on a port are counted."""
    return (role - 1) * PORT_PLACES + min(port, PORT_PLACES - 1)


def delay_s(failures: int) -> int:
    """How long the next attempt must wait after so many failures in a row."""
    return DELAYS_S[min(failures, len(DELAYS_S) - 1)]


def pack_security(record: SecurityRecord) -> bytes:
    """The record's bytes in memory."""
    return _RECORD.pack(record.session_counter, record.failures)


def unpack_security(stored: bytes) -> SecurityRecord:
    """The record that `pack_security` wrote."""
    return SecurityRecord(*_RECORD.unpack(stored))
