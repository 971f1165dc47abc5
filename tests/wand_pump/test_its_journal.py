"""The older pump's journal: the same door, and no line of the journal's rooms is its own."""

from __future__ import annotations

from wand_pump.messages import BOLUS, SET_RATE, STATUS

from emulator.faults.arming import arming
from emulator.inputs import Control, Input
from tests.journal.journaled import drain, journal_of, replay_of
from tests.wand_pump.wand import WAND, Wand, new_device, request


def visit() -> list[Input]:
    """What a wand gives its pump, with a lost answer and a motor that stalls."""
    device = new_device()
    given: list[Input] = []
    apply = device.apply

    def written_down(happening: Input) -> None:
        given.append(happening)
        apply(happening)

    device.apply = written_down  # type: ignore[method-assign]
    wand = Wand(device)
    wand.open()
    wand.ask(SET_RATE, 1_000)
    for fault in ("drop answer BOLUS", "stall after=1min for=1h"):
        device.apply(Control(device.now_us, arming(fault, device.fault_names)))
    for _ in range(2):
        wand.send(request(BOLUS, 50, 10))
        wand.wait(600)
    wand.ask(STATUS)
    drain(device)
    return given


def test_a_wands_visit_replays_to_the_same() -> None:
    lines = journal_of(visit(), protocol=WAND)
    replayed = replay_of(lines, protocol=WAND)
    assert (replayed.divergence, replayed.ended) == (None, True)
    assert replayed.sent_bytes > 0
    assert any('"fault ' in line for line in lines)
    assert any('"device-fault ' in line for line in lines)
