"""The supervisor: apart from the motor's scheduler, it watches that one, tests the pump, and makes it safe."""

from __future__ import annotations

from enum import IntFlag

from firmware_model.agenda import NEVER
from firmware_model.commands import BeginSelfTest, Origin, Reason, Refusal, SelfTestBegun, SelfTestDone, TestSelf
from firmware_model.firmware.alarms import raise_alarm
from firmware_model.firmware.codes import AlarmType, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.gate import gate_refusal
from firmware_model.quantities import US_PER_SECOND


class SelfTestPart(IntFlag):
    """What a self-test may find to be bad."""

    MEMORY = 1
    CELL = 2
    CLOCK = 4
    ROTOR = 8


def hang(firmware: Firmware, *, hung: bool) -> None:
    """The motor's scheduler is blocked, or goes on where it was: what did not flow meanwhile is not made up for."""
    if hung and firmware.hung_since_us is None:
        firmware.hung_since_us = firmware.now_us
    elif not hung:
        firmware.hung_since_us = None


def watchdog_due(firmware: Firmware) -> int:
    """When the scheduler has been silent for too long."""
    if firmware.hung_since_us is None or firmware.standing_alarm(AlarmType.SUPERVISOR):
        return NEVER
    if firmware.record.run_state is RunState.FAILED:
        return NEVER
    due_us = firmware.hung_since_us + firmware.profile.supervisor.watchdog_s * US_PER_SECOND
    return max(firmware.now_us, due_us)


def make_safe(firmware: Firmware) -> None:
    """The safe state: stopped, with an alarm that says why."""
    raise_alarm(firmware, AlarmType.SUPERVISOR)


def begin_self_test(firmware: Firmware, command: BeginSelfTest) -> SelfTestBegun | Refusal:
    """The self-test on demand begins: until when it takes."""
    refusal = _at_rest(firmware, command.origin)
    return refusal or SelfTestBegun(firmware.now_us + firmware.profile.supervisor.self_test_s * US_PER_SECOND)


def test_self(firmware: Firmware, command: TestSelf) -> SelfTestDone | Refusal:
    """What it has found, at its end: it changes nothing."""
    refusal = _at_rest(firmware, command.origin)
    return refusal or SelfTestDone(self_test(firmware))


def _at_rest(firmware: Firmware, origin: Origin) -> Refusal | None:
    refusal = gate_refusal(firmware, origin)
    if refusal is None and firmware.record.bolus is not None:
        return Refusal(Reason.BOLUS_RUNNING, detail=firmware.record.bolus.bolus_id)
    return refusal


def self_test(firmware: Firmware) -> SelfTestPart:
    """What is bad now: memory, cell under load, clock, or the rotor as far as it has been given pulses."""
    finds = {
        SelfTestPart.MEMORY: bool(firmware.lost_copies()),
        SelfTestPart.CELL: firmware.sensors.cell_is_weak(),
        SelfTestPart.CLOCK: firmware.sensors.clock_lost(),
        SelfTestPart.ROTOR: not firmware.counting or not firmware.sensors.rotor_followed(),
    }
    found = SelfTestPart(0)
    for part, bad in finds.items():
        if bad:
            found |= part
    return found
