"""Histories: what a tester does to a pump, and when; drawn whole, so that they shrink to what matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from emulator.strategies.faults import DAY_US, faults

if TYPE_CHECKING:
    from emulator.control.client import ControlClient

MOST_DEEDS = 64
MOST_SYRINGE_NL = 50_000_000
MOST_WRITES = 64
MOST_TORN_BYTES = 64
_MODES = ("before", "after", "torn", "garbage", "ignored", "late")
_COUNTED_MODES = ("torn", "garbage")


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed: `wait_us` of virtual time after the one before, a verb of the control client with its arguments."""

    wait_us: int
    verb: str
    arguments: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def do(self, control: ControlClient) -> None:
        """Wait, and do it."""
        if self.wait_us:
            control.advance(self.wait_us)
        getattr(control, self.verb)(**self.arguments)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"after {self.wait_us} us {self.verb}({arguments})"


def histories(
    *,
    fault: st.SearchStrategy[str] | None = None,
    within_us: int = DAY_US,
    max_size: int = 8,
) -> st.SearchStrategy[list[Deed]]:
    """What a tester does, in its order: faults armed and cleared, a syringe, power cut and given back.

    fault      the faults that are armed; all that there are if it is None
    within_us  the longest wait before a deed
    """
    if not 0 <= max_size <= MOST_DEEDS:
        raise ValueError(f"max_size is {max_size}, but at most {MOST_DEEDS} deeds are allowed")
    verbs = {
        "arm_fault": st.fixed_dictionaries({"fault": faults() if fault is None else fault}),
        "clear_faults": st.just({}),
        "use_syringe": st.one_of(
            st.fixed_dictionaries({"withdraw_nl": st.one_of(st.just("all"), st.integers(1, MOST_SYRINGE_NL))}),
            st.fixed_dictionaries({"inject_nl": st.integers(1, MOST_SYRINGE_NL)}),
        ),
        "cut_power": st.one_of(st.just({}), *map(_cuts, _MODES)),
        "restore_power": st.just({}),
    }
    waits = st.integers(0, within_us)
    deeds = [st.builds(Deed, waits, st.just(verb), given.map(MappingProxyType)) for verb, given in verbs.items()]
    return st.lists(st.one_of(*deeds), max_size=max_size)


def play(history: Iterable[Deed], control: ControlClient) -> None:
    """Do all of it to a pump."""
    for deed in history:
        deed.do(control)


def _cuts(mode: str) -> st.SearchStrategy[dict[str, object]]:
    counted = {"torn_bytes": st.integers(1, MOST_TORN_BYTES)} if mode in _COUNTED_MODES else {}
    return st.fixed_dictionaries({"at_write": st.integers(1, MOST_WRITES), "mode": st.just(mode)}, optional=counted)
