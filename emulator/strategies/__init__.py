"""Hypothesis strategies for tests of programmer software: programs, faults, and histories of a tester's deeds.

What may be drawn is what vpump itself says that it takes, asked of an interpreter of its own: nothing of the wire or of
the model is imported here, so that a project may have a `protocol` of its own. docs/strategies.md has examples.
"""

from emulator.strategies.faults import fault_schedules, faults
from emulator.strategies.histories import Deed, histories, play
from emulator.strategies.programs import Change, Drug, PatientBolus, Program, programs

__all__ = [
    "Change",
    "Deed",
    "Drug",
    "PatientBolus",
    "Program",
    "fault_schedules",
    "faults",
    "histories",
    "play",
    "programs",
]
