"""All that may be done to a pump in a step, and how often each is done beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from tests.firmware_model.invariants import therapy_deeds as therapy
from tests.firmware_model.invariants import trouble_deeds as trouble
from tests.firmware_model.invariants.ward import Ward

Deed = Callable[[Ward, Random], None]

CARE: Final[Mapping[Deed, int]] = MappingProxyType(
    {
        trouble.wait: 32,
        therapy.start: 6,
        therapy.stop: 6,
        therapy.give_bolus: 20,
        therapy.cancel: 6,
        therapy.press: 12,
        therapy.set_program: 14,
        therapy.refill: 6,
        therapy.set_time: 6,
        therapy.see_to_alarm: 10,
        therapy.ask_again: 6,
        trouble.open_session: 6,
        trouble.save_and_restore: 1,
        trouble.wait_in_pieces: 1,
        trouble.look: 1,
    }
)
"""What happens to any pump."""
TROUBLE: Final[Mapping[Deed, int]] = MappingProxyType(
    {
        trouble.arm_fault: 20,
        trouble.clear_faults: 6,
        trouble.cut_power: 10,
        trouble.restore_power: 6,
        trouble.flip_a_bit: 1,
        therapy.syringe: 2,
        trouble.put_right: 8,
    }
)
"""What should not happen to any, and how it is mended."""
