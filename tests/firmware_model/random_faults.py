"""Random device faults: every verb of the registry with any values, now or later, once or again and again."""

from __future__ import annotations

from random import Random

from firmware_model.faults import FAULTS, DeviceFault, Parameter, device_fault
from firmware_model.quantities import US_PER_SECOND
from tests.firmware_model.random_programs import any_scale

DAY_US = 86_400 * US_PER_SECOND


def a_fault(random: Random, verbs: tuple[str, ...] = tuple(FAULTS)) -> DeviceFault:
    """A fault with any values that it may have; most end by themselves."""
    kind = FAULTS[random.choice(verbs)]
    values = {parameter.name: _a_value(random, parameter) for parameter in kind.parameters}
    values["after"] = random.choice((0, 0, any_scale(random, 0, 2 * DAY_US)))
    if kind.lasting is not None:
        values["for"] = random.choice((0, any_scale(random, 1, 2 * DAY_US), any_scale(random, 1, 2 * DAY_US)))
    if kind.verb == "intermittent-stall" or (values.get("for", 1) and random.random() < 0.2):
        if kind.lasting is not None:
            values["for"] = max(1, values["for"])
        values["every"] = values.get("for", 0) + any_scale(random, 1, DAY_US)
        values["count"] = random.randint(2, 6)
    return device_fault(kind.verb, **values)


def _a_value(random: Random, parameter: Parameter) -> int:
    """Most are near what is usual; some are at their ends, some anything."""
    lowest, highest, usual = parameter.minimum, parameter.maximum, parameter.default
    if parameter.choices:
        return random.randint(lowest, highest)
    chance = random.random()
    if chance < 0.1:
        return random.choice((lowest, highest))
    if chance < 0.3:
        return min(max(lowest, random.choice((-1, 1)) * any_scale(random, 0, max(highest, -lowest))), highest)
    return min(max(lowest, random.choice((-1, 1, 1)) * random.randint(0, 2 * max(1, abs(usual)))), highest)
