"""What opening a session asks of the firmware: a number that never repeats, failures counted first, delays, the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from firmware_model.agenda import NEVER
from firmware_model.commands import (
    AttemptConfirmed,
    AttemptCounted,
    ConfirmAttempt,
    CountAttempt,
    Noted,
    NoteFailure,
    NoteKeysReplaced,
    NumberSession,
    Reason,
    Refusal,
    SessionNumber,
)
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.security_record import (
    HIGHEST_COUNTER,
    SecurityRecord,
    WrongAuthentications,
    delay_s,
    pack_security,
    place_of,
    unpack_security,
)
from firmware_model.quantities import HIGHEST_U32, US_PER_SECOND, ceil_div

QUIET_US = 60 * US_PER_SECOND
"""Failures are logged at most once in this time."""
_HIGHEST_U16 = 0xFFFF
_HIGHEST_U8 = 0xFF


def format_security(firmware: Firmware) -> None:
    """First power-up: both copies are written, so that from now on a copy that is not there is one that was lost."""
    for _ in range(2):
        _commit(firmware, SecurityRecord())


def boot_security(firmware: Firmware) -> None:
    """Take up what memory holds. Every delay that a count demands begins anew: cutting the power gains no try.

    With one copy lost the other may be the older one, so all numbers go on above what the lost one can have held.
    """
    security = firmware.security
    image = firmware.memory.security.read()
    if image is None:
        return
    security.record = unpack_security(image.body)
    if image.lost_slots:
        _commit(firmware, security.record.beyond())
    security.delayed_until_us = [
        firmware.now_us + delay_s(failures) * US_PER_SECOND for failures in security.record.failures
    ]


def mend_security(firmware: Firmware) -> int:
    """Write anew the copies that have gone bad, while the record itself is known; returns how many were."""
    record, mended = firmware.security.record, 0
    while record is not None and len(firmware.memory.security.copies()) < 2:
        _commit(firmware, record)
        mended += 1
    return mended


def raise_session_counter(firmware: Firmware, floor: int) -> None:
    """Give no session number up to `floor` any more.

    Both copies hold it then: with one lost, a boot goes on above the other by no more than one commit can raise it.
    """
    record, pair = firmware.security.record, firmware.memory.security
    if record is None:
        return
    raised = replace(record, session_counter=max(record.session_counter, floor))
    while sum(unpack_security(body).session_counter >= floor for body, _ in pair.copies()) < 2:
        _commit(firmware, raised)


def number_session(firmware: Firmware, command: NumberSession) -> SessionNumber | Refusal:
    """The next session number, committed before it is given."""
    record = _free_to_try(firmware, place_of(command.role, command.port))
    if isinstance(record, Refusal):
        return record
    if record.session_counter == HIGHEST_COUNTER:
        return Refusal(Reason.CONDITIONS)
    _follow(firmware, record, replace(record, session_counter=record.session_counter + 1))
    return SessionNumber(record.session_counter + 1)


def count_attempt(firmware: Firmware, command: CountAttempt) -> AttemptCounted | Refusal:
    """Commit an attempt as failed, and let its delay run, before anyone may say whether it is good."""
    place = place_of(command.role, command.port)
    record = _free_to_try(firmware, place)
    if isinstance(record, Refusal):
        return record
    counted = record.counting(place, record.failures[place] + 1)
    if counted != record:
        _follow(firmware, record, counted)
    failures = counted.failures[place]
    firmware.security.delayed_until_us[place] = firmware.now_us + delay_s(failures) * US_PER_SECOND
    return AttemptCounted(failures - 1, delay_s(failures))


def confirm_attempt(firmware: Firmware, command: ConfirmAttempt) -> AttemptConfirmed | Refusal:
    """The attempt was good: no failure counts any more. A place that was taken over is logged."""
    record, place = firmware.security.record, place_of(command.role, command.port)
    if record is None:
        return Refusal(Reason.MEMORY_FAILURE)
    failures = record.failures[place]
    if failures:
        _follow(firmware, record, record.counting(place, 0))
    firmware.security.delayed_until_us[place] = firmware.now_us
    if command.from_host_id is not None:
        detail = {"role": command.role, "host_id": command.host_id, "from_host_id": command.from_host_id}
        _log(firmware, LogType.SESSION_TAKEN_OVER, detail)
    return AttemptConfirmed(max(0, failures - 1))


def note_failure(firmware: Firmware, command: NoteFailure) -> Noted:
    """Log a failure, or gather it while the minute after the last such record runs."""
    if firmware.record.run_state is RunState.FAILED:
        return Noted()
    wrong = firmware.security.wrong
    wrong.port = command.port
    if command.role is None:
        wrong.tags += 1
    else:
        wrong.role = command.role
        wrong.cryptograms += 1
    if firmware.now_us >= wrong.quiet_until_us:
        log_failures(firmware)
    return Noted()


def failures_due(firmware: Firmware) -> int:
    """When failures that were gathered are to be logged."""
    wrong = firmware.security.wrong
    return max(firmware.now_us, wrong.quiet_until_us) if wrong.cryptograms or wrong.tags else NEVER


def log_failures(firmware: Firmware) -> None:
    """Log what was gathered; the next minute begins."""
    wrong = firmware.security.wrong
    detail = {
        "role": wrong.role,
        "port": min(wrong.port, _HIGHEST_U8),
        "wrong_cryptograms": min(wrong.cryptograms, _HIGHEST_U16),
        "wrong_tags": min(wrong.tags, HIGHEST_U32),
    }
    _log(firmware, LogType.AUTHENTICATION_FAILED, detail)
    firmware.security.wrong = WrongAuthentications(quiet_until_us=firmware.now_us + QUIET_US)


def note_keys_replaced(firmware: Firmware, command: NoteKeysReplaced) -> Noted:
    """Log that the pump has other keys."""
    _log(firmware, LogType.KEYS_REPLACED, {"test_keys": int(command.test_keys)})
    return Noted()


def _free_to_try(firmware: Firmware, place: int) -> SecurityRecord | Refusal:
    """The security record, unless it is lost or a delay runs for this place."""
    left_us = firmware.security.delayed_until_us[place] - firmware.now_us
    if firmware.security.record is None:
        return Refusal(Reason.MEMORY_FAILURE)
    if left_us > 0:
        return Refusal(Reason.DELAY, detail=ceil_div(left_us, US_PER_SECOND))
    return firmware.security.record


def _follow(firmware: Firmware, old: SecurityRecord, new: SecurityRecord) -> None:
    """Commit the record that follows on another.

    A copy that was lost meanwhile is mended first, so that the two are never more than one commit apart.
    """
    if len(firmware.memory.security.copies()) < 2:
        _commit(firmware, old)
    _commit(firmware, new)


def _commit(firmware: Firmware, record: SecurityRecord) -> None:
    firmware.memory.commit(firmware.memory.security, pack_security(record))
    firmware.security.record = record


def _log(firmware: Firmware, what: LogType, detail: Mapping[str, int]) -> None:
    """Commit a log record of its own. A pump that has lost its control record has no log."""
    if firmware.record.run_state is not RunState.FAILED:
        change = Change(firmware)
        change.log(what, **detail)
        change.commit()
