"""Commands that read the pump, and those that begin or end delivery."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.commands.origin import Origin, TherapyCommand
from firmware_model.firmware.codes import BolusKind, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(TherapyCommand):
    """Halt all delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(TherapyCommand):
    """Resume the programmed infusion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteBolus(TherapyCommand):
    """Give the bolus that was prepared under `bolus_id`; volume and duration repeat what was answered then."""

    bolus_id: int
    volume_nl: int
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBolus(TherapyCommand):
    """End the running bolus."""

    bolus_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GivePatientBolus(TherapyCommand):
    """The patient's own bolus, as the program allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareBolus:
    """Ask for a bolus: checked, quantised and leased; nothing moves.

    Of a priming or bridge bolus volume and duration may be 0: then they are what the pump computes.
    """

    origin: Origin
    kind: BolusKind
    volume_nl: int
    duration_s: int


@dataclass(frozen=True, slots=True)
class QueryOp:
    """What became of one operation."""

    role: Role
    op_id: int


@dataclass(frozen=True, slots=True)
class ListOps:
    """The whole ledger."""


@dataclass(frozen=True, slots=True)
class ReadStatus:
    """What the pump believes of itself now."""


@dataclass(frozen=True, slots=True)
class ReadIdentity:
    """Which pump this is."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Every limit and quantum."""


@dataclass(frozen=True, slots=True)
class ReadAllowance:
    """The active program's own limits, and what of them is left."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class ReadTime:
    """Elapsed time and the labelling clock."""


@dataclass(frozen=True, slots=True)
class ListAlarms:
    """All alarm instances from one on."""

    from_instance: int


@dataclass(frozen=True, slots=True)
class ReadAlarm:
    """One alarm instance with its freeze frame."""

    instance: int


@dataclass(frozen=True, slots=True)
class AcknowledgeAlarm:
    """Say that an alarm has been seen."""

    origin: Origin
    instance: int


@dataclass(frozen=True, slots=True)
class ReadLogRange:
    """Which records the log holds."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Records from one sequence number on."""

    epoch: int
    from_sequence: int
    maximum: int


@dataclass(frozen=True, slots=True)
class FindLog:
    """Where the records of an elapsed time, or of a later one, begin."""

    epoch: int
    elapsed_s: int
