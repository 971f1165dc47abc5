"""The values of a device fault: their defaults, their ranges, and what is said to somebody who gives another one."""

import re

import pytest

from firmware_model.faults import FAULTS, FaultKind, Parameter, device_fault
from firmware_model.faults.registry import times_of


def parameters() -> list[tuple[FaultKind, Parameter]]:
    return [(kind, parameter) for kind in FAULTS.values() for parameter in (*kind.parameters, *times_of(kind))]


@pytest.mark.parametrize(
    ("kind", "parameter"), parameters(), ids=[f"{kind.verb} {parameter.name}" for kind, parameter in parameters()]
)
def test_a_value_out_of_range_is_refused_with_field_value_and_what_is_allowed(
    kind: FaultKind, parameter: Parameter
) -> None:
    scope = f"{parameter.minimum} to {parameter.maximum} {parameter.unit}".rstrip()
    for value in (parameter.minimum - 1, parameter.maximum + 1):
        with pytest.raises(ValueError, match=f"^{kind.verb}: {parameter.name} is ") as caught:
            device_fault(kind.verb, **{parameter.name: value})
        assert str(caught.value) == f"{kind.verb}: {parameter.name} is {value}, but allowed is {scope}"


def test_what_strikes_once_has_no_duration() -> None:
    with pytest.raises(ValueError, match=r"^reset has no 'for'; it has after, every, count$"):
        device_fault("reset", **{"for": 1})


@pytest.mark.parametrize("kind", FAULTS.values(), ids=FAULTS)
def test_a_fault_without_values_is_made_of_its_defaults(kind: FaultKind) -> None:
    fault = device_fault(kind.verb)
    assert dict(fault.values) == {parameter.name: parameter.default for parameter in kind.parameters}
    assert (fault.after_us, fault.for_us, fault.every_us, fault.times) == (0, kind.for_us, kind.every_us, kind.count)
    assert all(each.minimum <= each.default <= each.maximum for each in kind.parameters)
    assert kind.example.split()[0] == kind.verb


@pytest.mark.parametrize(
    ("verb", "values", "said"),
    [
        ("stal", {}, f"'stal' is no device fault; allowed are {', '.join(FAULTS)}"),
        ("leak", {"mv": 3}, "leak has no 'mv'; it has ppm, after, for, every, count"),
        ("stall", {"count": 2, "for": 10, "every": 10}, "stall: to come 2 times, every must be longer than for"),
        ("clock-jump", {"count": 3}, "clock-jump: to come 3 times, every must be longer than for"),
        ("stall", {"count": 2, "every": 10}, "stall: to come 2 times, it must end: say for how long"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(verb: str, values: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        device_fault(verb, **values)
