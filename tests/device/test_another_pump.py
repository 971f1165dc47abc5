"""Another pump behind the line: swapped in as new, or restored from a save-state; and what is around it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from emulator.assembly import build_device
from emulator.device import Device
from emulator.events import EnvironmentChanged, Logged, PumpSwapped, SessionChanged, StateRestored
from emulator.inputs import ArmDeviceFault, ClearFaults, CutPower, RestorePower, RestoreState, SetEnvironment, SwapPump
from emulator.wire import Guard
from firmware_model.faults import device_fault
from firmware_model.pump import LATEST_FIRST_POWER_UP_US
from firmware_model.savestate import SaveStateError
from protocol.host_end import HostEnd
from tests.device.desk import HELLO, SERIAL, Desk, happened, of_kind, prepare

OTHER = 0x0BADCAFE
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
OWN = dict(zip(("reader", "patient", "clinician"), (bytes([each]) * 16 for each in range(3)), strict=True))


def device_with(keys: Mapping[str, bytes] | None = None) -> Device:
    return build_device("reference-20", 0, SERIAL, insecure=False, session_floor=100, keys=keys)


def at_desk(device: Device) -> Desk:
    desk = Desk(device)
    desk.open()
    desk.open_session()
    happened(device)
    return desk


def session_counter(device: Device) -> int:
    record = device.pump.firmware.security.record
    assert record is not None
    return record.session_counter


def test_a_swap_puts_a_new_pump_behind_the_line_whose_memory_is_its_own() -> None:
    device = device_with()
    device.advance(DAY_US)
    desk = at_desk(device)
    device.control(ArmDeviceFault(device_fault("stall")), device.now_us)
    device.control(SwapPump(OTHER, 5_000), device.now_us)
    told = happened(device)
    (swapped,) = of_kind(told, PumpSwapped)
    assert (swapped.serial_number, swapped.former, swapped.at_us) == (f"{OTHER:08X}", f"{SERIAL:08X}", DAY_US)
    assert [(each.change, each.reason) for each in of_kind(told, SessionChanged)] == [("ended", "power")]
    assert [(each.sequence, each.type) for each in of_kind(told, Logged)][-1] == (1, "boot")
    assert (device.serial_number, device.now_us, device.armed_faults()) == (OTHER, DAY_US, ())
    assert device.truth()["delivered_nl"] == 0
    # Whoever is on the line stays there, and finds another pump.
    assert not desk.has_session()
    desk.host = HostEnd(address=OTHER)
    assert desk.ask(HELLO).serial_number == OTHER


def test_the_sessions_of_a_pump_that_comes_are_numbered_from_above_the_floor() -> None:
    device = device_with()
    device.control(SwapPump(OTHER, 5_000), 0)
    assert session_counter(device) >= 5_000
    saved = device.save_state()
    device.control(RestoreState(saved, 9_000), 0)
    assert session_counter(device) >= 9_000


@pytest.mark.parametrize(("keys", "guard"), [(None, Guard.TEST_KEYS), (OWN, Guard.OWN_KEYS)])
def test_another_pump_has_test_keys_of_its_own_or_the_same_own_keys(
    keys: Mapping[str, bytes] | None, guard: Guard
) -> None:
    device = device_with(keys)
    device.control(SwapPump(OTHER, 1), 0)
    assert device.guard is guard


def test_a_save_state_is_restored_with_its_time_and_whatever_came_later_has_not_been() -> None:
    device = device_with()
    device.advance(DAY_US)
    before, digest = device.save_state(), device.digest()
    device.advance(9 * DAY_US)
    device.control(SwapPump(OTHER, 1), device.now_us)
    happened(device)
    device.control(RestoreState(before, 0), device.now_us)
    (restored,) = of_kind(happened(device), StateRestored)
    assert (restored.at_us, restored.left_at_us) == (DAY_US, 9 * DAY_US)
    assert (device.now_us, device.digest(), device.serial_number) == (DAY_US, digest, SERIAL)
    # And it lives on as if nothing had been.
    other = device_with()
    for each in (device, other):
        each.advance(20 * DAY_US)
    assert device.digest() == other.digest()


def test_what_a_session_had_prepared_is_not_restored_for_nobody_holds_it() -> None:
    device = device_with()
    desk = at_desk(device)
    desk.ask(prepare(50_000, 600))
    assert device.pump.open_sessions
    device.control(RestoreState(device.save_state(), 0), device.now_us)
    assert not device.pump.open_sessions
    assert not device.session_open


def test_a_pump_that_is_restored_without_power_numbers_its_sessions_from_above_the_floor_once_it_has_it() -> None:
    device = device_with()
    device.control(CutPower(), HOUR_US)
    saved = device.save_state()
    device.control(RestorePower(), 2 * HOUR_US)
    device.control(RestoreState(saved, 7_000), 3 * HOUR_US)
    assert not device.has_power
    device.control(RestorePower(), device.now_us)
    assert session_counter(device) >= 7_000


def test_a_state_of_another_profile_is_refused_and_changes_nothing() -> None:
    device = device_with()
    digest = device.digest()
    other = build_device("reference-40", 0, SERIAL, insecure=False, session_floor=0)
    with pytest.raises(SaveStateError, match="is of a pump of profile reference-40"):
        device.control(RestoreState(other.save_state(), 0), 0)
    with pytest.raises(SaveStateError, match="no save-state"):
        device.control(RestoreState(b"x", 0), 0)
    assert device.digest() == digest


def test_no_pump_begins_so_late_that_it_could_not_count_the_seconds_of_its_life() -> None:
    device = device_with()
    device.advance(LATEST_FIRST_POWER_UP_US)
    device.control(SwapPump(OTHER, 1), device.now_us)
    device.advance(device.now_us + 10 * 365 * DAY_US)
    assert [each.type for each in of_kind(happened(device), Logged)].count("alarm_raised") > 1
    digest = device.digest()
    with pytest.raises(ValueError, match="100 years of virtual time have passed, and a pump begins within these"):
        device.control(SwapPump(SERIAL, 1), device.now_us)
    assert (device.serial_number, device.digest()) == (OTHER, digest)


def test_the_environment_stays_and_a_fault_goes_before_it() -> None:
    device = device_with()
    device.control(SetEnvironment(field_on=True), 0)
    device.control(SetEnvironment(temperature_cc=3_950), 0)
    told = of_kind(happened(device), EnvironmentChanged)
    assert [(each.temperature_cc, each.magnetic_field) for each in told] == [(3_700, "on"), (3_950, "on")]
    device.control(ArmDeviceFault(device_fault("temperature", cc=4_200)), 0)
    assert (device.truth()["temperature_cc"], device.truth()["field_on"]) == (4_200, True)
    device.control(ClearFaults(), 0)
    assert device.truth()["temperature_cc"] == 3_950
    device.control(SetEnvironment(field_on=False), 0)
    assert device.truth()["field_on"] is False
    with pytest.raises(ValueError, match="temperature_cc is 99999, but allowed is -5000 to 10000"):
        device.control(SetEnvironment(temperature_cc=99_999), 0)


def test_a_magnetic_field_stops_the_rotor_as_the_fault_does() -> None:
    with_field, with_fault = device_with(), device_with()
    with_field.control(SetEnvironment(field_on=True), 0)
    with_fault.control(ArmDeviceFault(device_fault("field")), 0)
    for each in (with_field, with_fault):
        each.advance(DAY_US)
    assert with_field.truth() == with_fault.truth()
