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
        trouble.wait: 16,
        therapy.start: 3,
        therapy.stop: 3,
        therapy.give_bolus: 10,
        therapy.cancel: 3,
        therapy.press: 6,
        therapy.set_program: 7,
        therapy.refill: 3,
        therapy.set_time: 3,
        therapy.see_to_alarm: 5,
        therapy.ask_again: 3,
        trouble.open_session: 3,
        trouble.save_and_restore: 1,
        trouble.wait_in_pieces: 1,
        trouble.look: 1,
    }
)
"""What happens to any pump."""
TROUBLE: Final[Mapping[Deed, int]] = MappingProxyType(
    {
        trouble.arm_fault: 10,
        trouble.clear_faults: 3,
        trouble.cut_power: 5,
        trouble.restore_power: 3,
        trouble.flip_a_bit: 1,
        therapy.syringe: 1,
        trouble.put_right: 4,
    }
)
"""What should not happen to any, and how it is mended."""
