"""The worked examples of docs/pump-model.md, run on the model: each gives the figures that the page shows."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from firmware_model.commands import OpOutcome, PreparedBolus, ProgramValidated
from firmware_model.firmware.codes import BolusKind, Mode
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import Drug, PatientBolusSetting, Program, first_program
from firmware_model.plant.mixture import masses_fg
from firmware_model.pump import Recorded
from tests.firmware_model.bedside import SECOND, Bedside, granted
from tests.firmware_model.pump_profiles import shipped

DAY_S = 86_400
DAY_US = DAY_S * SECOND
REFERENCE = shipped("reference-20")

BACLOFEN_500 = Drug("baclofen", 500_000)
BACLOFEN_2000 = Drug("baclofen", 2_000_000)

Figures = Mapping[str, int]


def base_program(**values: object) -> Program:
    return replace(first_program(REFERENCE), **values)  # type: ignore[arg-type]


def commit(bedside: Bedside, program: Program) -> ProgramValidated:
    stage_id, summary = bedside.validated(program)
    granted(bedside.commit(stage_id, summary.crc32))
    return summary


def when_logged(bedside: Bedside, kind: LogType) -> int:
    """When the first record of a kind was committed, of those that nobody has taken yet."""
    return next(event.at_us for event in bedside.events() if isinstance(event, Recorded) and event.record.type is kind)


def low_reservoir() -> Figures:
    """A full reservoir at the rate of the shipped program, down to the level of its alarm."""
    bedside = Bedside(REFERENCE)
    bedside.events()
    bedside.wait(30 * DAY_S)
    at_us = when_logged_alarm(bedside)
    return {
        "volume_nl": REFERENCE.reservoir.initial_volume_nl,
        "level_nl": REFERENCE.reservoir.low_nl,
        "rate_nl_per_day": REFERENCE.therapy.rate_nl_per_day,
        "alarm_after_s": at_us // SECOND,
        "alarm_after_days": at_us // DAY_US,
    }


def when_logged_alarm(bedside: Bedside) -> int:
    return when_logged(bedside, LogType.ALARM_RAISED)


def refill_with_patient_boluses() -> Figures:
    """The date by volume, and the one if the patient takes every bolus; and that he can take as many as it assumes."""
    setting = PatientBolusSetting(volume_nl=20_000, duration_s=600, lockout_s=7_200, window_s=DAY_S, activations_max=6)
    bedside = Bedside(REFERENCE)
    program = base_program(mode=Mode.SIMPLE_CONTINUOUS, rate_nl_per_day=300_000, patient=setting)
    summary = commit(bedside, program)
    bedside.wait(setting.lockout_s)
    for _ in range(setting.activations_max):
        assert isinstance(bedside.patient_bolus(), OpOutcome)
        bedside.wait(setting.lockout_s)
    assert not isinstance(bedside.patient_bolus(), OpOutcome)
    assert summary.low_reservoir_in_s is not None
    assert summary.refill_in_s is not None
    return {
        "rate_nl_per_day": 300_000,
        "bolus_nl": setting.volume_nl,
        "boluses_per_day_max": summary.boluses_per_day_max,
        "low_in_days": summary.low_reservoir_in_s // DAY_S,
        "refill_in_days": summary.refill_in_s // DAY_S,
    }


def priming() -> Figures:
    """A new pump: tubing and catheter are filled before the first drug reaches the tip."""
    bedside = Bedside(REFERENCE)
    granted(bedside.stop())
    bedside.refill(20_000_000, (("baclofen", 500_000),))
    catheter_nl = REFERENCE.catheter.catheter_nl
    program = base_program(drugs=(BACLOFEN_500,), mode=Mode.MINIMUM_RATE, rate_nl_per_day=0, catheter_nl=catheter_nl)
    commit(bedside, program)
    granted(bedside.start())
    lease = bedside.prepare(0, 0, kind=BolusKind.PRIMING)
    assert isinstance(lease, PreparedBolus), lease
    before = bedside.pump.plant.catheter.tip.volume_nl
    granted(bedside.execute(lease.bolus_id, lease.volume_nl, lease.duration_s))
    bedside.wait(lease.duration_s)
    tip = bedside.pump.plant.catheter.tip
    return {
        "tubing_nl": REFERENCE.catheter.tubing_nl,
        "catheter_nl": catheter_nl,
        "volume_nl": lease.volume_nl,
        "duration_s": lease.duration_s,
        "left_the_tip_nl": tip.volume_nl - before,
        "drug_left_the_tip_fg": int(masses_fg(tip.portions()).get("baclofen", Fraction(0))),
    }


def change_of_concentration() -> Bedside:
    """A pump that has run baclofen 500 ug/mL, and holds 2,000 ug/mL now, with the program for it committed."""
    bedside = Bedside(REFERENCE)
    catheter_nl = REFERENCE.catheter.catheter_nl
    granted(bedside.stop())
    _rinse(bedside)
    bedside.refill(20_000_000, (("baclofen", 500_000),))
    old = base_program(drugs=(BACLOFEN_500,), rate_nl_per_day=620_000, catheter_nl=catheter_nl)
    commit(bedside, old)
    granted(bedside.start())
    bedside.wait(28 * DAY_S)
    _rinse(bedside)
    bedside.refill(20_000_000, (("baclofen", 2_000_000),))
    commit(bedside, replace(old, drugs=(BACLOFEN_2000,), rate_nl_per_day=155_000))
    return bedside


def _rinse(bedside: Bedside) -> None:
    """What a syringe cannot withdraw is rinsed out, so that the new mixture is not thinned."""
    bedside.pump.plant.reservoir.volume_nl = 0


def dose_at_tip() -> Figures:
    """After a change of concentration the old mixture leaves the tip first: with a bridge bolus, at its own rate."""
    with_bridge, without = change_of_concentration(), change_of_concentration()
    lease = with_bridge.prepare(0, 0, kind=BolusKind.BRIDGE)
    assert isinstance(lease, PreparedBolus), lease
    granted(with_bridge.execute(lease.bolus_id, lease.volume_nl, lease.duration_s))
    figures = {"bridge_nl": lease.volume_nl, "bridge_s": lease.duration_s}
    for name, bedside in (("with", with_bridge), ("without", without)):
        figures[f"first_day_{name}_bridge_ug"] = _given_fg(bedside, DAY_S) // 1_000_000_000
        figures[f"tenth_day_{name}_bridge_ug"] = _tenth_day_fg(bedside) // 1_000_000_000
    return figures


def _given_fg(bedside: Bedside, seconds: int) -> int:
    """What leaves the tip in so many seconds."""
    before = _at_tip_fg(bedside)
    bedside.wait(seconds)
    return int(_at_tip_fg(bedside) - before)


def _tenth_day_fg(bedside: Bedside) -> int:
    bedside.wait(8 * DAY_S)
    return _given_fg(bedside, DAY_S)


def _at_tip_fg(bedside: Bedside) -> Fraction:
    return masses_fg(bedside.pump.plant.catheter.tip.portions()).get("baclofen", Fraction(0))


def end_of_service() -> Figures:
    """The cell at the reference rate: the indicator at a day's sample, the end 90 days later."""
    bedside = Bedside(REFERENCE)
    record = bedside.pump.firmware.record
    eri_us = 0
    while not eri_us:
        granted(bedside.stop())
        bedside.refill(20_000_000)
        granted(bedside.start())
        bedside.wait(28 * DAY_S)
        if record.replacement_since_s:
            eri_us = record.replacement_since_s * SECOND
    bedside.events()
    ended_us = eri_us
    while bedside.pump.firmware.record.stop_reason.name != "END_OF_SERVICE":
        if bedside.pump.firmware.reservoir_nl < 3_000_000:
            bedside.refill(20_000_000)
        bedside.wait(DAY_S / 8)
        ended_us = bedside.now
    steps = bedside.pump.plant.motor.steps
    bedside.wait(100 * DAY_S)
    assert bedside.pump.plant.motor.steps == steps
    return {
        "rate_nl_per_day": REFERENCE.therapy.rate_nl_per_day,
        "replacement_day": eri_us // DAY_US,
        "end_of_service_day": ended_us // DAY_US,
    }


EXAMPLES: Mapping[str, Callable[[], Figures]] = {
    "low-reservoir": low_reservoir,
    "refill-date": refill_with_patient_boluses,
    "priming": priming,
    "dose-at-the-tip": dose_at_tip,
    "end-of-service": end_of_service,
}
