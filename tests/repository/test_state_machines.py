"""The specification's diagrams have every arrow of their tables, in words that Mermaid reads."""

from __future__ import annotations

import re

import pytest

from emulator.state_machines import MACHINES, OUTSIDE
from tests.repository.worked_text import SPECIFICATION


@pytest.mark.parametrize("name", MACHINES)
def test_every_arrow_is_drawn_once(name: str) -> None:
    machine = MACHINES[name]()
    drawn = []
    for source, target, label in re.findall(r"^    (\S+) --> (\S+) : (.*)$", machine.markdown(), re.MULTILINE):
        drawn += [(source, target, words) for words in label.split("<br>")]
    assert sorted(drawn) == sorted((arrow.source, arrow.target, str(arrow.words)) for arrow in machine.arrows)
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("name", MACHINES)
def test_words_do_not_break_the_diagram(name: str) -> None:
    machine = MACHINES[name]()
    words = [*machine.states.values(), *(arrow.words for arrow in machine.arrows)]
    assert [each for each in words if re.search(r'[:;"<>{}#%]', each)] == []
    assert {arrow.source for arrow in machine.arrows} | {arrow.target for arrow in machine.arrows} == {
        *machine.states,
        OUTSIDE,
    }


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_be_reached(name: str) -> None:
    machine = MACHINES[name]()
    reached, before = {OUTSIDE}, set[str]()
    while reached != before:
        before = set(reached)
        reached |= {arrow.target for arrow in machine.arrows if arrow.source in before}
    assert reached >= set(machine.states)


@pytest.mark.parametrize("name", MACHINES)
def test_every_diagram_has_its_place(name: str) -> None:
    assert f"<!-- generated: {name} -->" in SPECIFICATION.read_text(encoding="utf-8")
