"""What sessions have prepared and staged, and every deed by which that becomes void."""

from __future__ import annotations

from collections.abc import Callable

from firmware_model.firmware.core import Firmware, Lease, Stage
from firmware_model.firmware.lives.lease import LEASE_LIFE, LeaseDeed, LeaseState
from firmware_model.firmware.lives.stage import STAGE_LIFE, StageDeed, StageState


def any_lease(_: Lease) -> bool:
    """A deed that strikes every lease."""
    return True


def any_stage(_: Stage) -> bool:
    """A deed that strikes every stage."""
    return True


def state_of(stage: Stage) -> StageState:
    """Where a stage that is kept is in its life."""
    return StageState.WRITTEN if stage.validated is None else StageState.VALIDATED


def end_leases(firmware: Firmware, deed: LeaseDeed, struck: Callable[[Lease], bool] = any_lease) -> None:
    """Let a deed happen to the leases that it strikes: those that are held no more are gone."""
    if LEASE_LIFE[LeaseState.HELD, deed] is not LeaseState.HELD:
        firmware.leases = [lease for lease in firmware.leases if not struck(lease)]


def end_stages(firmware: Firmware, deed: StageDeed, struck: Callable[[Stage], bool] = any_stage) -> None:
    """Let a deed happen to the stages that it strikes: those that are kept no more are gone."""
    firmware.stages = [stage for stage in firmware.stages if not struck(stage) or is_kept(stage, deed)]


def is_kept(stage: Stage, deed: StageDeed) -> bool:
    """Whether a stage lives on behind a deed."""
    return STAGE_LIFE[state_of(stage), deed] in (StageState.WRITTEN, StageState.VALIDATED)


def void_prepared(firmware: Firmware) -> None:
    """The pump stops: whatever a session has prepared or staged is void."""
    end_leases(firmware, LeaseDeed.HALT)
    end_stages(firmware, StageDeed.HALT)
