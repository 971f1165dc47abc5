"""Commands that read the pump, and those that begin or end delivery."""

from __future__ import annotations

from msgspec import Struct

from firmware_model.commands.origin import Origin, TherapyCommand
from firmware_model.firmware.codes import BolusKind, Role


class Stop(TherapyCommand, frozen=True, kw_only=True):
    """Halt all delivery."""


class Start(TherapyCommand, frozen=True, kw_only=True):
    """Resume the programmed infusion."""


class ExecuteBolus(TherapyCommand, frozen=True, kw_only=True):
    """Give the bolus that was prepared under `bolus_id`; volume and duration repeat what was answered then."""

    bolus_id: int
    volume_nl: int
    duration_s: int


class CancelBolus(TherapyCommand, frozen=True, kw_only=True):
    """End the running bolus."""

    bolus_id: int


class GivePatientBolus(TherapyCommand, frozen=True, kw_only=True):
    """The patient's own bolus, as the program allows it."""


class PrepareBolus(Struct, frozen=True, kw_only=True):
    """Ask for a bolus: checked, quantised and leased; nothing moves.

    Of a priming or bridge bolus volume and duration may be 0: then they are what the pump computes.
    """

    origin: Origin
    kind: BolusKind
    volume_nl: int
    duration_s: int


class QueryOp(Struct, frozen=True):
    """What became of one operation."""

    role: Role
    op_id: int


class ListOps(Struct, frozen=True):
    """The whole ledger."""


class ReadStatus(Struct, frozen=True):
    """What the pump believes of itself now."""


class ReadIdentity(Struct, frozen=True):
    """Which pump this is."""


class ReadLimits(Struct, frozen=True):
    """Every limit and quantum."""


class ReadAllowance(Struct, frozen=True):
    """The active program's own limits, and what of them is left."""

    origin: Origin


class ReadTime(Struct, frozen=True):
    """Elapsed time and the labelling clock."""


class ListAlarms(Struct, frozen=True):
    """All alarm instances from one on."""

    from_instance: int


class ReadAlarm(Struct, frozen=True):
    """One alarm instance with its freeze frame."""

    instance: int


class AcknowledgeAlarm(Struct, frozen=True):
    """Say that an alarm has been seen."""

    origin: Origin
    instance: int


class ReadLogRange(Struct, frozen=True):
    """Which records the log holds."""


class ReadLog(Struct, frozen=True):
    """Records from one sequence number on."""

    epoch: int
    from_sequence: int
    maximum: int


class FindLog(Struct, frozen=True):
    """Where the records of an elapsed time, or of a later one, begin."""

    epoch: int
    elapsed_s: int
