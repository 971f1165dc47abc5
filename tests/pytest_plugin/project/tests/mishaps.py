"""What goes wrong on purpose; run by name."""

import os
import signal
from pathlib import Path

import pytest
from protocol.hello import HELLO


def note(pump) -> None:
    """Leave word of the pump for whoever looks afterwards."""
    Path("pump.pid").write_text(str(pump.pid))


@pytest.mark.vpump(insecure=True, faults=["corrupt answer HELLO byte=3"])
def test_that_fails(pump, line_to) -> None:
    line_to(pump.port).ask(HELLO)
    pump.control.cut_power()
    raise AssertionError("the programmer believed it")


def test_that_is_killed(pump) -> None:
    note(pump)
    os.kill(os.getpid(), signal.SIGKILL)


def test_that_is_interrupted(pump) -> None:
    note(pump)
    os.kill(os.getpid(), signal.SIGINT)


def test_that_kills_its_pump(pump) -> None:
    os.kill(pump.pid, signal.SIGKILL)


def test_that_comes_too_late(pump) -> None:
    raise AssertionError(f"{pump} came up")


@pytest.mark.vpump(profile="nobody-has-it")
def test_of_no_pump(pump) -> None:
    raise AssertionError(f"{pump} came up")


@pytest.mark.vpump_scenario("lost-answer-to-bolus")
def test_that_does_nothing(scenario) -> None:
    assert scenario.name


@pytest.mark.vpump_scenario("lost-answer-to-bulos")
def test_of_no_scenario(scenario) -> None:
    next(scenario.tasks())


@pytest.mark.vpump_scenario("lost-answer-to-bolus")
def test_that_does_not_ask_for_its_scenario(pump) -> None:
    assert pump.port


def test_of_a_port(pump) -> None:
    assert pump.port


def test_of_the_hand(pump) -> None:
    pump.control.truth()
