"""A cell that gives out: the electronics go at the very microsecond, come back when they can, and never flutter."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import Reason, Refusal, Reply
from firmware_model.firmware.codes import AlarmState, AlarmType, Mode, OpState, RunState
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import PatientBolusSetting
from firmware_model.plant.cell import FC_PER_UC, Load
from firmware_model.pump import PowerCut, PowerRestored
from tests.firmware_model.bedside import SECOND, Bedside, granted
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
CELL, THERAPY, STEP_NL = PROFILE.cell, PROFILE.therapy, PROFILE.motor.step_volume_nl
AMPERE_NA = 1_000_000_000
SOUND_MV = CELL.ocv_0_mv - (CELL.base_na + CELL.motor_na) * CELL.resistance_37c_mohm // 1_000_000_000 - 2
"""The voltage under the motor's load of a new cell that has given its first coulomb, rounded down."""


def powered(bedside: Bedside) -> bool:
    return bedside.pump.powered


def loaded_mv(bedside: Bedside) -> int:
    return bedside.pump.plant.cell.voltage_mv(Load.MOTOR)


def powers(bedside: Bedside) -> list[tuple[str, int]]:
    """When power went and came back, in microseconds."""
    names = {PowerCut: "went", PowerRestored: "came"}
    return [
        (names[type(event)], event.at_us) for event in bedside.events() if isinstance(event, PowerCut | PowerRestored)
    ]


def standing(bedside: Bedside) -> set[AlarmType]:
    return {alarm.type for alarm in bedside.alarms() if alarm.state is not AlarmState.CLEARED}


# --- the very instant -----------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.integers(AMPERE_NA // 100, AMPERE_NA),
    st.sampled_from([48_000, 620_000, 7_777_000]),
    st.lists(st.integers(1, 40 * 3_600 * SECOND), max_size=5),
)
def test_it_goes_at_the_first_microsecond_at_which_the_voltage_is_too_low(
    short_na: int, rate: int, cuts: list[int]
) -> None:
    """However the time until then is cut; a microsecond before, the voltage still does."""

    def drained() -> Bedside:
        bedside = Bedside(PROFILE)
        granted(bedside.program(new_program(PROFILE, rate_nl_per_day=rate)))
        bedside.fault("internal-short", na=short_na)
        return bedside

    whole = drained()
    whole.wait(200 * 3_600)
    ((went, at_us),) = powers(whole)
    assert (went, whole.pump.browned_out) == ("went", True)

    pieces = drained()
    for cut_us in sorted(cut for cut in cuts if cut < at_us):
        pieces.pump.advance(cut_us)
    pieces.pump.advance(at_us - 1)
    assert powered(pieces)
    assert loaded_mv(pieces) >= CELL.brownout_mv
    pieces.pump.advance(at_us)
    assert not powered(pieces)
    assert loaded_mv(pieces) < CELL.brownout_mv
    pieces.wait(200 * 3_600)
    whole.pump.advance(pieces.now)
    assert pieces.pump.digest() == whole.pump.digest()


@pytest.mark.parametrize(
    ("verb", "values", "holds"),
    [
        ("cell-sag", {"mv": SOUND_MV - CELL.brownout_mv}, True),
        ("cell-sag", {"mv": SOUND_MV - CELL.brownout_mv + 1}, False),
        ("cell-film", {"mohm": 188_000}, True),
        ("cell-film", {"mohm": 190_000}, False),
        ("temperature", {"cc": -5_000}, True),
    ],
)
def test_what_takes_voltage_takes_the_electronics_with_it_below_the_brown_out(
    verb: str, values: dict[str, int], holds: bool
) -> None:
    bedside = Bedside(PROFILE)
    bedside.fault(verb, after=100, **values)
    bedside.wait(200)
    assert powered(bedside) == holds
    assert powers(bedside) == ([] if holds else [("went", 100 * SECOND)])
    assert (loaded_mv(bedside) >= CELL.brownout_mv) == holds


def test_the_cold_takes_a_cell_that_the_warmth_gives_back() -> None:
    """Of a film and the cold each alone would do no harm."""
    bedside = Bedside(PROFILE)
    bedside.fault("cell-film", mohm=170_000)
    bedside.fault("temperature", cc=0, lasts=600)
    assert not powered(bedside)
    bedside.wait(599)
    assert not powered(bedside)
    bedside.wait(1)
    assert not powered(bedside), "above the brown-out, but not above the restart"
    bedside.clear_faults()
    assert powers(bedside) == [("went", 0), ("came", 600 * SECOND)]


# --- nothing new on a cell that a reset would not come back from ----------------------------------------------------


def start_of_therapy(bedside: Bedside) -> Reply | None:
    granted(bedside.stop())
    return bedside.start()


def bolus(bedside: Bedside) -> Reply | None:
    return bedside.prepare(100_000, 3_600)


def prepared_bolus(bedside: Bedside) -> Reply | None:
    """Prepared while the cell still could."""
    sag = bedside.pump.faults.armed[0]
    bedside.clear_faults()
    lease = bedside.prepared(100_000, 3_600)
    bedside.fault(sag.fault.verb, **dict(sag.fault.values))
    return bedside.execute(lease.bolus_id, lease.volume_nl, lease.duration_s)


def patient_bolus(bedside: Bedside) -> Reply | None:
    setting = PatientBolusSetting(100_000, 3_600, PROFILE.patient.lockout_min_s, PROFILE.patient.window_min_s, 1)
    granted(bedside.program(new_program(PROFILE, patient=setting)))
    bedside.wait(setting.lockout_s)
    return bedside.patient_bolus()


def program_that_runs_again(bedside: Bedside) -> Reply | None:
    granted(bedside.program(new_program(PROFILE, mode=Mode.STOPPED)))
    return bedside.program(new_program(PROFILE))


def program_of_one_dose(bedside: Bedside) -> Reply | None:
    once = new_program(PROFILE, mode=Mode.SINGLE_BOLUS, rate_nl_per_day=0, dose_volume_nl=100_000)
    return bedside.program(replace(once, dose_duration_s=3_600))


BEGINNINGS = (start_of_therapy, bolus, prepared_bolus, patient_bolus, program_that_runs_again, program_of_one_dose)


@pytest.mark.parametrize("begins", BEGINNINGS, ids=lambda begins: begins.__name__)
@pytest.mark.parametrize("below_mv", [0, 1])
def test_nothing_begins_below_the_voltage_that_the_electronics_start_with(
    begins: Callable[[Bedside], Reply | None], below_mv: int
) -> None:
    bedside = Bedside(PROFILE)
    bedside.wait(86_400)
    bedside.fault("cell-sag", mv=SOUND_MV - CELL.restart_mv + below_mv)
    reply = begins(bedside)
    assert loaded_mv(bedside) == CELL.restart_mv - below_mv
    if below_mv:
        assert reply == Refusal(Reason.BATTERY_LOW, detail=CELL.restart_mv)
    else:
        assert not isinstance(reply, Refusal | None)


def test_what_runs_on_a_weak_cell_runs_on_and_can_be_changed_and_stopped() -> None:
    bedside = Bedside(PROFILE)
    running = bedside.bolus(100_000, 3_600)
    bedside.fault("cell-sag", mv=SOUND_MV - CELL.restart_mv + 1)
    bedside.wait(3_600)
    entry = bedside.query(running.op_id).entry
    assert entry is not None
    assert entry.state is OpState.DONE
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=THERAPY.rate_nl_per_day // 2)))
    assert bedside.status().run_state is RunState.RUNNING
    granted(bedside.program(new_program(PROFILE, mode=Mode.STOPPED)))
    granted(bedside.program(new_program(PROFILE, mode=Mode.STOPPED, low_reservoir_nl=3_000_000)))
    assert bedside.status().run_state is RunState.STOPPED


# --- and back again -------------------------------------------------------------------------------------------------


def test_it_comes_back_above_the_restart_voltage_and_not_before() -> None:
    bedside = Bedside(PROFILE)
    to_restart_mv = SOUND_MV - CELL.restart_mv
    bedside.fault("cell-sag", mv=to_restart_mv, lasts=1_200)
    bedside.fault("cell-sag", mv=1, lasts=900)
    bedside.fault("cell-sag", mv=500, lasts=600)
    assert not powered(bedside)
    bedside.wait(600)
    assert CELL.brownout_mv <= loaded_mv(bedside) < CELL.restart_mv
    assert not powered(bedside)
    bedside.wait(300)
    assert loaded_mv(bedside) == CELL.restart_mv
    assert powers(bedside) == [("went", 0), ("came", 900 * SECOND)]


def test_a_low_battery_reset_leaves_the_minimum_rate_until_a_clinician_has_looked() -> None:
    """A reset may set the delivery to a very low rate (Medtronic advisory on battery performance)."""
    bedside = Bedside(PROFILE)
    bedside.fault("cell-sag", mv=1_000, lasts=5)
    bedside.wait(5)
    status = bedside.status()
    assert (status.run_state, status.base_rate_nl_per_day) == (RunState.RUNNING, THERAPY.rate_min_nl_per_day)
    assert status.programmed_rate_nl_per_day == THERAPY.rate_nl_per_day
    assert standing(bedside) == {AlarmType.LOW_BATTERY_RESET}
    boot = next(record for record in bedside.log() if record.type is LogType.BOOT and record.boot == 2)
    assert boot.detail["reset_reason"] == 3
    bedside.wait(10 * 86_400)
    assert bedside.status().base_rate_nl_per_day == THERAPY.rate_min_nl_per_day
    bedside.clear(1)
    assert bedside.status().base_rate_nl_per_day == THERAPY.rate_nl_per_day


def test_a_bolus_does_not_survive_it_and_its_account_holds_the_truth() -> None:
    bedside = Bedside(PROFILE)
    bolus = bedside.bolus(100_000, 3_600)
    bedside.wait(1_234)
    bedside.fault("cell-sag", mv=1_000, lasts=5)
    bedside.wait(5)
    base_nl = THERAPY.rate_nl_per_day * 1_234 // 86_400
    given_nl = bedside.pump.plant.delivered_nl - base_nl
    entry = bedside.query(bolus.op_id).entry
    assert entry is not None
    assert entry.state is OpState.PARTIAL
    assert entry.min_nl - STEP_NL <= given_nl <= entry.max_nl + STEP_NL
    assert entry.max_nl - entry.min_nl <= PROFILE.motor.journal_interval_steps * STEP_NL
    assert [record.type for record in bedside.log()].count(LogType.BOLUS_ENDED) == 1
    bedside.wait(3_600)
    assert bedside.status().bolus_id == 0


def test_a_cell_that_sags_again_and_again_makes_a_reset_each_time_and_no_more() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("cell-sag", mv=1_000, lasts=1, every=600, count=10)
    bedside.wait(2 * 86_400)
    assert powers(bedside) == [
        event for n in range(10) for event in (("went", n * 600 * SECOND), ("came", (n * 600 + 1) * SECOND))
    ]
    assert bedside.status().boot == 11


def test_a_cell_that_is_used_up_stays_dark_however_often_power_is_asked_for() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("internal-short", na=AMPERE_NA)
    bedside.wait(3 * 3_600)
    bedside.clear_faults()
    for _ in range(5):
        bedside.cut_power()
        bedside.wait(3_600)
        bedside.restore_power()
        bedside.fault("temperature", cc=6_000, lasts=60)
        bedside.wait(3_600)
    assert [name for name, _ in powers(bedside)] == ["went"]
    assert bedside.patient_bolus() is None


def test_a_tone_can_be_the_last_drop_and_is_not_paid_twice() -> None:
    """The alarm is committed, then its tone takes the voltage: one brown-out, and no boot that sounds again."""
    bedside = Bedside(PROFILE)
    plant = bedside.pump.plant
    plant.cell.charge_fc = plant.brownout_fc + PROFILE.cell.tone_single_uc * FC_PER_UC
    bedside.events()
    bedside.fault("clock-loss")
    assert not powered(bedside)
    assert [name for name, _ in powers(bedside)] == ["went"]
    bedside.wait(86_400)
    assert powers(bedside) == []


def test_power_that_the_tester_takes_and_gives_back_waits_for_the_cell() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("cell-sag", mv=1_000, lasts=600)
    bedside.cut_power()
    bedside.restore_power()
    assert not powered(bedside)
    bedside.wait(600)
    assert powered(bedside)
    assert standing(bedside) == {AlarmType.LOW_BATTERY_RESET}


def test_a_cell_that_recovers_while_the_power_is_taken_leaves_that_to_the_tester() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("cell-sag", mv=1_000, lasts=600)
    bedside.cut_power()
    bedside.wait(600)
    assert not powered(bedside)
    bedside.restore_power()
    assert powered(bedside)


def test_without_a_rate_in_the_program_the_minimum_is_nothing() -> None:
    """The reset lowers a rate and never raises one."""
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=THERAPY.rate_min_nl_per_day)))
    bedside.stop()
    bedside.fault("cell-sag", mv=1_000, lasts=5)
    bedside.wait(86_400)
    assert bedside.pump.plant.delivered_nl == 0
