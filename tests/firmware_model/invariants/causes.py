"""Which cause each alarm has, as the books know it; and which alarm each fault must raise, and within which time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from firmware_model.agenda import NEVER
from firmware_model.firmware.codes import AlarmType, ResetReason, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.profile import Profile
from firmware_model.quantities import US_PER_DAY, US_PER_SECOND
from tests.firmware_model.invariants.fault_book import EMF

if TYPE_CHECKING:
    from tests.firmware_model.invariants.books import Books


def _low(books: Books) -> bool:
    return _believed_at_least_nl(books) <= books.program.low_reservoir_nl


def _empty(books: Books) -> bool:
    return _believed_at_least_nl(books) <= books.profile.reservoir.empty_nl


def _believed_at_least_nl(books: Books) -> int:
    return books.reservoir_nl - books.slack * books.flow.step_nl


def _stalled(books: Books) -> bool:
    """Something made pulses fail to move the rotor not longer than a sample ago; or the stall is known already."""
    ago_us = books.now_us - books.profile.stall.sample_s * US_PER_SECOND
    worn = books.flow.pulses > books.profile.motor.wear_pulses
    return worn or not books.flow.counting or books.faults.last_us(EMF) >= ago_us


def _is_due(kind: AlarmType) -> Callable[[Books], bool]:
    return lambda books: books.now_us >= DUES[kind](books)


def _repaired(books: Books) -> bool:
    """A boot, or a look at the memory, that found a copy lost or a write gone wrong, in the same commit."""
    for told in reversed(books.step.told):
        kind = told.record.type
        if kind is LogType.MEMORY_REPAIRED or (kind is LogType.BOOT and told.record.detail["memory"]):
            return told.record.elapsed_s == books.step.told[-1].record.elapsed_s
    return False


def _booted(*reasons: ResetReason) -> Callable[[Books], bool]:
    def cause(books: Books) -> bool:
        boots = books.step.of(LogType.BOOT)
        return bool(boots) and boots[-1].at_us == books.now_us and boots[-1].record.detail["reset_reason"] in reasons

    return cause


CAUSES: Final[Mapping[AlarmType, Callable[[Books], bool]]] = MappingProxyType(
    {
        AlarmType.LOW_RESERVOIR: _low,
        AlarmType.EMPTY_RESERVOIR: _empty,
        AlarmType.MEMORY_FAILURE: lambda books: books.flow.failed,
        AlarmType.MEMORY_REPAIRED: _repaired,
        # The first time it is the cell's voltage, which is in no book: see `memory.thresholds_fire_in_order`.
        AlarmType.REPLACEMENT: lambda books: books.replacement_s > 0,
        AlarmType.END_OF_SERVICE: _is_due(AlarmType.END_OF_SERVICE),
        AlarmType.MOTOR_STALL: _stalled,
        AlarmType.STOPPED_TOO_LONG: _is_due(AlarmType.STOPPED_TOO_LONG),
        AlarmType.LOW_BATTERY_RESET: _booted(ResetReason.LOW_BATTERY),
        AlarmType.RESET: _booted(ResetReason.POWER, ResetReason.COMMANDED),
        AlarmType.CLOCK_LOST: lambda books: books.clock.lost or not books.clock.valid,
        AlarmType.PROGRAM_INCOMPLETE: lambda books: books.stop_reason is StopReason.PROGRAM_INCOMPLETE,
        AlarmType.SUPERVISOR: _is_due(AlarmType.SUPERVISOR),
    }
)
"""Whether the cause of an alarm is there at this instant: nothing else may raise it."""


def _over(_books: Books) -> bool:
    return False


STAYING: Final[Mapping[AlarmType, Callable[[Books], bool]]] = MappingProxyType(
    {
        **CAUSES,
        AlarmType.RESET: _over,
        AlarmType.LOW_BATTERY_RESET: _over,
        AlarmType.MEMORY_REPAIRED: _over,
        AlarmType.MOTOR_STALL: lambda books: not books.flow.counting,
        AlarmType.SUPERVISOR: lambda books: books.hung_since_us is not None,
    }
)
"""Whether the cause of an alarm that stands is still there: then it cannot be cleared for good."""
LEVELS: Final = (AlarmType.LOW_RESERVOIR, AlarmType.EMPTY_RESERVOIR)
"""Alarms that come when a level is reached; all flow stops counting at no instant between two events."""


def _hung_too_long_us(books: Books) -> int:
    if books.hung_since_us is None:
        return NEVER
    return books.hung_since_us + books.profile.supervisor.watchdog_s * US_PER_SECOND


def _stopped_too_long_us(books: Books) -> int:
    if books.flow.running:
        return NEVER
    limit_s = books.profile.supervisor.stopped_too_long_s
    return (books.stopped_since_s + limit_s) * US_PER_SECOND - books.offset_us


DUES: Final[Mapping[AlarmType, Callable[[Books], int]]] = MappingProxyType(
    {
        AlarmType.SUPERVISOR: _hung_too_long_us,
        AlarmType.STOPPED_TOO_LONG: _stopped_too_long_us,
        AlarmType.END_OF_SERVICE: lambda books: books.end_of_service_us() - books.offset_us,
    }
)
"""The virtual instants at which causes come that only wait for time: from then on the alarm stands."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Faults, the alarm that they must raise, and how: `within` says the time, `while_` under what condition."""

    verbs: tuple[str, ...]
    alarm: AlarmType | None
    within: str
    while_: str = ""


DETECTIONS: Final = (
    Detection(
        ("stall", "intermittent-stall", "field"),
        AlarmType.MOTOR_STALL,
        "(stall.bad_samples + 1) x the longer of stall.sample_s and the time between two pulses, and one sample",
        "pulses are given, and the electronics run and do not hang",
    ),
    Detection(
        ("occlusion",),
        AlarmType.MOTOR_STALL,
        "as a stall, once catheter.compliance_nl is taken up",
        "pulses are given; no leak or disconnection lets them go elsewhere",
    ),
    Detection(
        ("missed-steps",),
        AlarmType.MOTOR_STALL,
        "as a stall",
        "every pulse is missed; a sample that falls on a pulse which the rotor followed shows nothing",
    ),
    Detection(
        ("emf-lie",), AlarmType.MOTOR_STALL, "as a stall", "it shows a standstill; one that shows motion hides a stall"
    ),
    Detection(("watchdog-hang",), AlarmType.SUPERVISOR, "supervisor.watchdog_s", "the electronics run"),
    Detection(("clock-loss",), AlarmType.CLOCK_LOST, "at once", "the electronics run; else at the next boot"),
    Detection(("reset", "write-cut"), AlarmType.RESET, "at the boot"),
    Detection(
        ("cell-sag", "cell-film", "temperature", "internal-short"),
        AlarmType.LOW_BATTERY_RESET,
        "at the boot, once the voltage is back at cell.restart_mv",
        "the voltage under load has fallen below cell.brownout_mv",
    ),
    Detection(
        ("cell-sag", "cell-film", "temperature", "internal-short", "voltage-lie"),
        AlarmType.REPLACEMENT,
        "the next whole day of elapsed time",
        "the measured voltage is below cell.eri_mv then",
    ),
    Detection(
        ("memory-flip",),
        AlarmType.MEMORY_REPAIRED,
        "the next whole day of elapsed time, or the next boot",
        "in a copy of the control or security record, and no commit has overwritten it",
    ),
    Detection(
        ("memory-flip",), AlarmType.MEMORY_FAILURE, "the next boot", "in both copies of the control record by then"
    ),
    Detection(("write-fault",), AlarmType.MEMORY_REPAIRED, "the commit that it struck", "a repeated write lands"),
    Detection(("write-fault",), AlarmType.MEMORY_FAILURE, "the commit that it struck", "no repeated write lands"),
    Detection(
        ("gain-error", "leak", "disconnection", "catheter-cut", "pocket-fill", "clock-drift", "clock-jump"),
        None,
        "never: no sensor of the pump shows them",
    ),
)
"""All faults; a test holds that each verb of the registry is here."""


def stall_noticed_within_us(profile: Profile, rate_nl_per_day: int) -> int:
    """The longest time from the rotor's last step to the alarm, while no less than this rate is commanded."""
    sample_us = profile.stall.sample_s * US_PER_SECOND
    pulse_us = -(-profile.motor.step_volume_nl * US_PER_DAY // rate_nl_per_day)
    return (profile.stall.bad_samples + 1) * max(sample_us, pulse_us) + sample_us
