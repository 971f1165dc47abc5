"""What this project tests with emulated pumps, or with the device on the desk."""

import sys
from pathlib import Path

import protocol.hello
import pytest
from protocol.hello import HELLO, serial_number

HOUR_US = 3_600_000_000


def ours(modules) -> set[str]:
    """What of vpump is there. The strategies are imported by who wants them."""
    found = {name for name in modules if name.partition(".")[0] in {"emulator", "firmware_model"}}
    return {name for name in found if not name.startswith(("emulator.strategies", "emulator.quantities"))}


def test_a_pump_says_hello(pump, line_to) -> None:
    assert len(serial_number(line_to(pump.port).ask(HELLO))) == 8


def test_the_hand_of_the_tester(pump, line_to) -> None:
    """Also: it brings the client into this process, and nothing that could stand in the way."""
    assert pump.control.advance(HOUR_US) >= HOUR_US
    assert serial_number(line_to(pump.port).ask(HELLO)) == pump.serial_number
    assert pump.ready["profile"] == "reference-40"
    assert all(name == "emulator" or name.startswith("emulator.control") for name in ours(sys.modules))


@pytest.mark.vpump(profile="reference-20", seed=5, speed=0, faults=["drop answer HELLO", "stall after=1h"])
def test_a_pump_as_this_test_wants_it(pump, pumps) -> None:
    assert (pump.ready["profile"], pump.ready["seed"], pump.ready["speed"]) == ("reference-20", 5, 0)
    assert len(pump.control.faults()) == 2
    other = pumps(seed=6, faults=[])
    assert other.port != pump.port
    assert other.serial_number != pump.serial_number
    assert other.control.faults() == []


def test_nothing_is_imported_before_it_is_used(imported_at_first) -> None:
    assert ours(imported_at_first) == set()
    assert Path(protocol.hello.__file__).parents[1] == Path(__file__).parents[1]
