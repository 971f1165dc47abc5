"""All that may be done to a pump in a step, and how often each is done beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from tests.firmware_model.invariants import program_deeds as programs
from tests.firmware_model.invariants import therapy_deeds as therapy
from tests.firmware_model.invariants import trouble_deeds as trouble
from tests.firmware_model.invariants.ward import Ward

Deed = Callable[[Ward, Random], None]

CARE: Final[Mapping[Deed, int]] = MappingProxyType(
    {
        trouble.wait: 64,
        therapy.start: 12,
        therapy.stop: 12,
        therapy.give_bolus: 40,
        therapy.fill_window: 6,
        therapy.move_dead_volume: 4,
        therapy.cancel: 12,
        therapy.press: 24,
        programs.set_program: 20,
        therapy.refill: 12,
        therapy.set_time: 12,
        therapy.see_to_alarm: 20,
        therapy.ask_again: 12,
        trouble.open_session: 12,
        trouble.save_and_restore: 1,
        trouble.wait_in_pieces: 1,
        trouble.look: 1,
    }
)
"""What happens to any pump."""
TROUBLE: Final[Mapping[Deed, int]] = MappingProxyType(
    {
        trouble.arm_fault: 40,
        trouble.clear_faults: 12,
        trouble.cut_power: 20,
        trouble.restore_power: 12,
        trouble.flip_a_bit: 1,
        therapy.syringe: 4,
        therapy.press_on: 8,
        trouble.put_right: 16,
    }
)
"""What should not happen to any, and how it is mended."""
