"""What random histories have found, each as the shortest story that shows it."""

import pytest

from firmware_model.commands import OpOutcome
from firmware_model.firmware.codes import AlarmType, Mode
from firmware_model.firmware.program import PatientBolusSetting
from firmware_model.pump import Recorded, ToneSounded
from firmware_model.write_faults import ArmedWriteFault, WriteFaultKind
from tests.firmware_model.bedside import Bedside, granted
from tests.firmware_model.drug_programs import new_program

LOST = {"kind": list(WriteFaultKind).index(WriteFaultKind.LOST)}
STUCK = {"kind": list(WriteFaultKind).index(WriteFaultKind.STUCK)}


def test_missed_steps_are_counted_anew_when_another_share_is_missed() -> None:
    """Nine pulses of one share are no debt of the next one."""
    bedside = Bedside()
    bedside.fault("missed-steps", one_in=10, lasts=95)
    bedside.wait(95)
    bedside.fault("missed-steps", one_in=2)
    bedside.wait(20)
    motor = bedside.pump.plant.motor
    assert (motor.pulses, motor.steps) == (11, 10)


def test_a_clock_that_has_jumped_to_before_1970_says_nothing() -> None:
    """Set to 1970 and then thrown back, it would show a time that no record can hold."""
    bedside = Bedside()
    bedside.wait(3_600)
    bedside.set_time(1)
    bedside.fault("clock-jump", s=-3_600)
    bedside.stop()
    assert bedside.log()[-1].rtc_unix_s == 0


def test_a_clock_beyond_what_a_record_can_hold_is_told_as_it_is_stored() -> None:
    bedside = Bedside()
    bedside.fault("clock-jump", s=2_000_000_000)
    bedside.fault("clock-jump", s=2_000_000_000)
    bedside.stop()
    told = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    assert bedside.log()[-1] == told[-1]
    assert told[-1].rtc_unix_s == 0xFFFF_FFFE


def test_the_boluses_of_a_patient_are_numbered_one_by_one() -> None:
    setting = PatientBolusSetting(10_000, 60, 300, 3_600, 5)
    bedside = Bedside()
    bedside.program(new_program(patient=setting))
    for _ in range(2):
        bedside.wait(301)
        granted(bedside.patient_bolus())
    bedside.wait(100)
    assert bedside.prepared(5_000, 60).bolus_id == 3
    told = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    assert [record.detail["bolus_id"] for record in told if record.type.name == "BOLUS_STARTED"] == [1, 2]


def test_a_program_that_replaces_a_single_dose_under_way_stops_nothing() -> None:
    bedside = Bedside()
    once = new_program(mode=Mode.SINGLE_BOLUS, rate_nl_per_day=0, dose_volume_nl=20_000, dose_duration_s=600)
    assert isinstance(bedside.program(once), OpOutcome)
    bedside.wait(100)
    bedside.events()
    assert isinstance(bedside.program(new_program()), OpOutcome)
    assert bedside.words() == ["PROGRAM_CHANGED", "BOLUS_ENDED"]
    assert bedside.pump.firmware.flow.base.gain == 8_640_000


def tones(bedside: Bedside) -> list[AlarmType]:
    return [event.alarm for event in bedside.events() if isinstance(event, ToneSounded)]


def test_the_alarm_of_a_repaired_memory_is_heard_when_it_is_raised() -> None:
    bedside = Bedside()
    bedside.fault("write-fault", **LOST)
    bedside.stop()
    assert tones(bedside) == [AlarmType.MEMORY_REPAIRED]
    assert [alarm.type for alarm in bedside.alarms()] == [AlarmType.MEMORY_REPAIRED]


def test_the_alarm_of_a_failed_memory_is_heard_when_it_is_raised() -> None:
    bedside = Bedside()
    bedside.fault("write-fault", **STUCK)
    bedside.stop()
    assert tones(bedside) == [AlarmType.MEMORY_FAILURE]
    assert [alarm.type for alarm in bedside.alarms()] == [AlarmType.MEMORY_FAILURE]


@pytest.mark.parametrize("ahead", [0, 5, 20])
def test_power_may_go_in_the_commit_that_tells_of_a_repair_at_boot(ahead: int) -> None:
    def booting() -> Bedside:
        bedside = Bedside()
        bedside.cut_power()
        bedside.pump.memory.armed_fault = ArmedWriteFault(1, WriteFaultKind.LOST)
        return bedside

    whole = booting()
    whole.cut_power_at(1_000_000)
    before = whole.pump.memory.primitives
    whole.restore_power()
    writes = whole.pump.memory.primitives - before
    assert whole.words()[-2:] == ["MEMORY_REPAIRED", "ALARM_RAISED"]

    cut = booting()
    cut.cut_power_at(writes - ahead)
    cut.restore_power()
    assert not cut.pump.powered
    cut.restore_power()
    assert cut.pump.powered
