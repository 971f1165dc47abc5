"""Ten years without a fault, to the last step: what was delivered is the integral of what was commanded."""

from __future__ import annotations

from fractions import Fraction

import pytest

from firmware_model.commands import OpOutcome
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.program import PatientBolusSetting, Program
from firmware_model.firmware.schedule import Change
from firmware_model.profile import Profile
from tests.firmware_model.bedside import SECOND, Bedside
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import changed, shipped
from tests.firmware_model.random_histories import DAY
from tests.firmware_model.twin import week

DAYS = 3_652
REFILL_DAYS = 20
FULL_NL = 20_000_000


def long_lived() -> Profile:
    """A pump whose cell and service outlast the test."""
    profile = changed(shipped("reference-20"), "cell", capacity_mah=100_000, life_max_days=36_500)
    return changed(profile, "therapy", rate_quantum_nl_per_day=1)


PUMP = long_lived()
STEP_NL = PUMP.motor.step_volume_nl


def program(mode: Mode, **values: object) -> Program:
    limits = {"rate_max_nl_per_day": 2_000_000, "bolus_volume_max_nl": 100_000, "window_max_nl": 2_000_000}
    return Program(drugs=(), mode=mode, low_reservoir_nl=2_000_000, **limits | values)  # type: ignore[arg-type]


FLEX = program(
    Mode.FLEX,
    rate_nl_per_day=400_000,
    schedule=tuple(
        tuple(Change(number * 109 + day, 300_000 + (number * 7 + day * 3) % 5 * 50_003) if number else
              Change(0, 300_001 + day) for number in range(13))
        for day in range(7)
    ),
    patient=PatientBolusSetting(10_000, 600, 3_600, 86_400, 10),
)  # fmt: skip
"""13 rate changes a day, another pattern on each weekday, and a patient's bolus."""
PERIODIC = program(
    Mode.PERIODIC_BOLUS,
    rate_nl_per_day=123_457,
    dose_volume_nl=12_500,
    dose_duration_s=3_210,
    dose_interval_s=37_777,
    patient=PatientBolusSetting(5_025, 300, 3_600, 86_400, 10),
)
SIMPLE = program(Mode.SIMPLE_CONTINUOUS, rate_nl_per_day=777_777)
LEAST = program(Mode.MINIMUM_RATE, rate_nl_per_day=0)
PROGRAMS = {"flex": FLEX, "periodic": PERIODIC, "simple": SIMPLE, "minimum": LEAST}


class Years:
    """One pump under one program from its first microsecond on, refilled before it is low."""

    def __init__(self, running: Program) -> None:
        self.running = running
        self.bedside = Bedside(PUMP)
        self.hand = Hand(self.bedside)
        assert isinstance(self.hand.change_program(running), OpOutcome)
        self.boluses = 0

    def live(self, days: int, boluses_a_day: int) -> None:
        """The patient presses, the clinician refills."""
        for day in range(1, days + 1):
            for number in range(boluses_a_day):
                self.bedside.pump.advance((day - 1) * DAY + (3_601 + number * 5_003) * SECOND)
                reply = self.bedside.patient_bolus()
                assert isinstance(reply, OpOutcome), reply
                self.boluses += 1
            self.bedside.pump.advance(day * DAY)
            if day % REFILL_DAYS == 0:
                assert isinstance(self.hand.refill(FULL_NL, ()), OpOutcome)
                self.bedside.happened.clear()
                self.bedside.events()

    def commanded_nl(self) -> Fraction:
        """The integral of the base rate, minute by minute, and every dose and bolus that is done."""
        now = self.bedside.now
        commanded = Fraction(week.constant_rate(self.running, PUMP) * now, DAY)
        if self.running.mode is Mode.FLEX:
            rates = week.minutes_of(self.running.schedule)
            first, minutes = week.minute_of(PUMP.clock.start_unix_s * SECOND), now // week.MINUTE
            weeks, rest = divmod(minutes, week.WEEK_MIN)
            some = sum(rates[(first + minute) % week.WEEK_MIN] for minute in range(rest))
            commanded = Fraction(weeks * sum(rates) + some, 1_440)
        if self.running.mode is Mode.PERIODIC_BOLUS:
            interval_us, duration_us = self.running.dose_interval_s * SECOND, self.running.dose_duration_s * SECOND
            commanded += (now - duration_us) // interval_us * self.running.dose_volume_nl
        return commanded + self.boluses * self.running.patient.volume_nl


def without_running_dose(years: Years) -> None:
    """Wait until nothing but the base rate flows."""
    record = years.bedside.pump.firmware.record
    while record.dose is not None or record.bolus is not None:
        years.bedside.wait(60)
        record = years.bedside.pump.firmware.record


@pytest.mark.parametrize("name", PROGRAMS)
def test_after_ten_years_what_was_delivered_is_what_was_commanded_to_one_step(name: str) -> None:
    years = Years(PROGRAMS[name])
    years.live(DAYS, boluses_a_day=2 if PROGRAMS[name].patient.volume_nl else 0)
    without_running_dose(years)
    truth = years.bedside.pump.truth()
    delivered_nl = years.bedside.pump.plant.delivered_nl
    assert 0 <= years.commanded_nl() - delivered_nl < STEP_NL
    assert truth["believed_delivered_nl"] == truth["delivered_nl"] == truth["motor_steps"] * STEP_NL  # type: ignore[operator]
    assert delivered_nl > 100_000_000
    assert [alarm for alarm in years.bedside.alarms() if alarm.state.name != "CLEARED"] == []


@pytest.mark.parametrize("ppm", [150_000, -123_457])
def test_with_a_gain_error_belief_is_within_a_step_and_truth_off_by_the_gain(ppm: int) -> None:
    """The firmware counts steps; each of them moves more, or less, to the nanolitre that the last step has begun."""
    years = Years(FLEX)
    years.bedside.fault("gain-error", ppm=ppm)
    years.live(DAYS // 4, boluses_a_day=2)
    without_running_dose(years)
    pump = years.bedside.pump
    believed_nl = pump.firmware.steps_total * STEP_NL
    assert 0 <= years.commanded_nl() - believed_nl < STEP_NL
    assert pump.plant.delivered_nl == believed_nl * (1_000_000 + ppm) // 1_000_000
    assert pump.plant.motor.steps == pump.firmware.steps_total
