"""A profile: every parameter of one device model, with its unit, its range and where its value comes from.

A value is *found* in a public document, or *chosen* because nothing public exists; `profile_text.py` reads both from
TOML. A section is a dataclass, a parameter one of its fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from firmware_model.firmware.codes import AlarmType

U32 = 0xFFFF_FFFE


def number(unit: str, minimum: int, maximum: int, meaning: str) -> Any:
    """Declare an integer parameter."""
    return field(metadata={"unit": unit, "minimum": minimum, "maximum": maximum, "meaning": meaning})


def text(longest: int, meaning: str) -> Any:
    """Declare a text parameter of printable ASCII."""
    return field(metadata={"unit": "", "longest": longest, "meaning": meaning})


def choice(allowed: tuple[str, ...], meaning: str) -> Any:
    """Declare a parameter that is one of a few words."""
    return field(metadata={"unit": "", "allowed": allowed, "meaning": meaning})


def flag(meaning: str) -> Any:
    """Declare a parameter that is true or false."""
    return field(metadata={"unit": "", "flag": True, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """Who the pump says that it is."""

    model: str = text(16, "model name")
    firmware_version: str = text(16, "version of the firmware")


@dataclass(frozen=True, slots=True)
class MotorModel:
    """The stepper motor."""

    step_volume_nl: int = number("nl", 1, 10_000, "volume moved by one motor step")
    journal_interval_steps: int = number("steps", 1, 10_000, "steps between two writes of the step counters to memory")
    rate_max_nl_per_day: int = number("nl/24h", 1, U32, "fastest flow that the motor makes, base and boluses together")
    wear_pulses: int = number("pulses", 1, 10_000_000_000, "pulses after which the gear is worn")
    wear_miss_every: int = number("pulses", 2, 1_000_000, "of a worn gear one in so many pulses is missed")


@dataclass(frozen=True, slots=True)
class ReservoirModel:
    """The reservoir and its alarm levels."""

    capacity_nl: int = number("nl", 1_000_000, 100_000_000, "volume of a full reservoir")
    initial_volume_nl: int = number("nl", 0, 100_000_000, "volume at first power-up")
    low_nl: int = number("nl", 0, 100_000_000, "computed volume at which the low-reservoir alarm is raised")
    empty_nl: int = number("nl", 0, 100_000_000, "computed volume at which the pump stops: empty reservoir")
    residual_nl: int = number("nl", 0, 10_000_000, "what a syringe cannot withdraw")
    overfill_max_nl: int = number("nl", 0, 10_000_000, "what a reservoir takes beyond its capacity, physically")


@dataclass(frozen=True, slots=True)
class CatheterModel:
    """The path from the reservoir to the catheter's tip, as it truly is."""

    tubing_nl: int = number("nl", 1, 10_000_000, "volume of the pump's own tubing")
    catheter_nl: int = number("nl", 1, 10_000_000, "volume of the catheter as implanted")
    compliance_nl: int = number("nl", 0, 1_000_000, "what a blocked path takes up before the rotor stalls")


@dataclass(frozen=True, slots=True)
class TherapyModel:
    """The programmed infusion and its range."""

    rate_nl_per_day: int = number("nl/24h", 1, U32, "simple continuous rate at first power-up")
    rate_min_nl_per_day: int = number("nl/24h", 1, U32, "lowest therapeutic rate")
    rate_max_nl_per_day: int = number("nl/24h", 1, U32, "highest rate")
    rate_quantum_nl_per_day: int = number("nl/24h", 1, 1_000_000, "what a rate is a multiple of")
    concentration_max_ng_per_ml: int = number("ng/mL", 1, U32, "highest concentration of a drug")
    window_max_nl: int = number("nl", 1, U32, "most volume in any 24 hours, base and boluses together")
    drugs_max: int = number("drugs", 1, 5, "most drugs that a program or a refill can name")
    stops_while_programming: bool = flag("whether the pump stands still from PROGRAM_BEGIN until COMMIT")


@dataclass(frozen=True, slots=True)
class BolusLimits:
    """The pump's own limits of a bolus."""

    volume_min_nl: int = number("nl", 1, U32, "least volume of a bolus")
    volume_max_nl: int = number("nl", 1, U32, "most volume of a bolus")
    duration_min_s: int = number("s", 1, 604_800, "least duration of a bolus")
    duration_max_s: int = number("s", 1, 604_800, "most duration of a bolus")
    rate_max_nl_per_day: int = number("nl/24h", 1, U32, "highest rate of a bolus")
    lease_s: int = number("s", 1, 3_600, "how long a prepared bolus may be executed")
    dead_volume_duration_max_s: int = number("s", 1, 2_592_000, "most duration of a priming or bridge bolus")


@dataclass(frozen=True, slots=True)
class PatientLimits:
    """The pump's own limits of what a clinician may let a patient do."""

    lockout_min_s: int = number("s", 0, 604_800, "shortest lockout between two patient boluses")
    lockout_max_s: int = number("s", 1, 604_800, "longest lockout")
    window_min_s: int = number("s", 1, 604_800, "shortest window in which activations are counted")
    window_max_s: int = number("s", 1, 604_800, "longest window")
    activations_max: int = number("boluses", 1, 250, "most patient boluses in a window")


@dataclass(frozen=True, slots=True)
class MemoryModel:
    """Sizes of what the control record holds."""

    ledger_entries_per_role: int = number("entries", 2, 64, "operations that the ledger keeps per role")
    alarm_capacity: int = number("alarms", 16, 64, "alarm instances that the pump keeps")
    dose_history: int = number("boluses", 4, 64, "boluses that windows know of; while all lie in one, none is given")


@dataclass(frozen=True, slots=True)
class LogModel:
    """The ring of the event log."""

    pages: int = number("pages", 3, 4_096, "erasable pages of the ring")
    # All pages but one must hold the records of one commit: those of a boot that ends boluses and raises alarms.
    records_per_page: int = number("records", 6, 64, "records in a page")


@dataclass(frozen=True, slots=True)
class ClockModel:
    """The clock that labels records."""

    start_unix_s: int = number("s", 1, U32, "what the clock shows at first power-up, in Unix time")
    offset_min: int = number("min", -1_440, 1_440, "offset of local time from UTC")


@dataclass(frozen=True, slots=True)
class StallModel:
    """How the firmware watches the rotor: it samples the back-EMF of the last pulse on a grid of its elapsed time."""

    sample_s: int = number("s", 1, 86_400, "time between two samples")
    bad_samples: int = number("samples", 1, 100, "samples without motion, one after the other, that make a stall")
    good_samples: int = number("samples", 1, 100, "samples with motion, one after the other, that end one")


@dataclass(frozen=True, slots=True)
class SupervisorModel:
    """The part of the firmware that watches the rest."""

    watchdog_s: int = number("s", 1, 3_600, "how long the motor's scheduler may be silent before the pump is made safe")
    stopped_too_long_s: int = number("s", 60, 2_592_000, "how long therapy may stand still before an alarm")
    self_test_s: int = number("s", 0, 20, "how long the self-test on demand takes")


@dataclass(frozen=True, slots=True)
class ToneModel:
    """How alarms sound."""

    repeat_min_min: int = number("min", 1, 1_440, "shortest repeat interval that a program may ask for")
    repeat_max_min: int = number("min", 1, 1_440, "longest repeat interval that a program may ask for")
    silence_min: int = number("min", 1, 1_440, "how long a silenced alarm is silent")


@dataclass(frozen=True, slots=True)
class StreamModel:
    """Telemetry that a session subscribes to."""

    period_min_s: int = number("s", 1, 3_600, "shortest period between two events that a session may ask for")
    period_max_s: int = number("s", 1, 65_535, "longest period")


@dataclass(frozen=True, slots=True)
class AlarmModel:
    """One row of the table of alarms. Latching: the alarm stays when its cause has gone, until it is cleared."""

    critical: bool = flag("whether it is critical: it ends a bolus, and sounds as such")
    tone: str = choice(("none", "single", "dual"), "how it sounds")
    repeat_min: int = number("min", 0, 1_440, "repeat interval where the program says none; 0 sounds once")
    latching: bool = flag("whether it stays when its cause has gone, until a clinician clears it")
    flow: str = choice(("continue", "minimum", "stop"), "what it does to the flow while it stands")


@dataclass(frozen=True, slots=True)
class CellModel:
    """The battery."""

    voltage_mv: int = number("mV", 0, 10_000, "voltage of the cell")
    capacity_mah: int = number("mAh", 1, 100_000, "charge of a full cell")
    base_na: int = number("nA", 0, 1_000_000_000, "what the electronics draw without pause")
    self_discharge_na: int = number("nA", 0, 1_000_000_000, "what the cell loses by itself")
    step_nc: int = number("nC", 0, 1_000_000_000, "charge of one pulse to the motor")
    motor_na: int = number("nA", 0, 1_000_000_000, "what the motor draws during a pulse, beside the electronics")
    telemetry_na: int = number("nA", 0, 1_000_000_000, "what an open session draws, beside the electronics")
    tone_single_uc: int = number("uC", 0, 1_000_000_000, "charge of one tone of a non-critical alarm")
    tone_dual_uc: int = number("uC", 0, 1_000_000_000, "charge of one tone of a critical alarm")
    ocv_0_mv: int = number("mV", 0, 10_000, "voltage without load of a full cell")
    ocv_250_mv: int = number("mV", 0, 10_000, "voltage without load with 250 per mille of the capacity used up")
    ocv_500_mv: int = number("mV", 0, 10_000, "voltage without load with 500 per mille of the capacity used up")
    ocv_750_mv: int = number("mV", 0, 10_000, "voltage without load with 750 per mille of the capacity used up")
    ocv_900_mv: int = number("mV", 0, 10_000, "voltage without load with 900 per mille of the capacity used up")
    ocv_1000_mv: int = number("mV", 0, 10_000, "voltage without load towards the last of the charge")
    resistance_0c_mohm: int = number("mohm", 0, 10_000_000, "internal resistance at 0 degrees Celsius and below")
    resistance_20c_mohm: int = number("mohm", 0, 10_000_000, "internal resistance at 20 degrees Celsius")
    resistance_37c_mohm: int = number("mohm", 0, 10_000_000, "internal resistance at 37 degrees Celsius")
    resistance_60c_mohm: int = number("mohm", 0, 10_000_000, "internal resistance at 60 degrees Celsius and above")
    eri_mv: int = number("mV", 1, 10_000, "voltage under the motor's load below which ERI is raised")
    brownout_mv: int = number("mV", 1, 10_000, "voltage below which the electronics reset")
    restart_mv: int = number("mV", 1, 10_000, "voltage from which the electronics come back after a reset")
    eos_after_eri_days: int = number("days", 0, 36_500, "days from ERI to the end of service")
    life_max_days: int = number("days", 1, 36_500, "days from first power-up to the end of service at the latest")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: `kind` is found or chosen, `text` the source or the reason."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Profile:
    """All parameters of one device model."""

    name: str
    device: DeviceModel
    motor: MotorModel
    reservoir: ReservoirModel
    therapy: TherapyModel
    bolus: BolusLimits
    patient: PatientLimits
    catheter: CatheterModel
    memory: MemoryModel
    log: LogModel
    clock: ClockModel
    cell: CellModel
    stall: StallModel
    supervisor: SupervisorModel
    tones: ToneModel
    stream: StreamModel
    alarm: Mapping[AlarmType, AlarmModel]
    sources: Mapping[str, Source]


SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "device": DeviceModel,
        "motor": MotorModel,
        "reservoir": ReservoirModel,
        "therapy": TherapyModel,
        "bolus": BolusLimits,
        "patient": PatientLimits,
        "catheter": CatheterModel,
        "memory": MemoryModel,
        "log": LogModel,
        "clock": ClockModel,
        "cell": CellModel,
        "stall": StallModel,
        "supervisor": SupervisorModel,
        "tones": ToneModel,
        "stream": StreamModel,
    }
)
ALARM_SECTIONS: Mapping[str, AlarmType] = MappingProxyType({f"alarm.{kind.name.lower()}": kind for kind in AlarmType})
"""The sections of the table of alarms: one for each type."""

ORDERED = (
    ("reservoir.empty_nl", "reservoir.low_nl"),
    ("reservoir.low_nl", "reservoir.capacity_nl"),
    ("reservoir.initial_volume_nl", "reservoir.capacity_nl"),
    ("therapy.rate_min_nl_per_day", "therapy.rate_nl_per_day"),
    ("therapy.rate_nl_per_day", "therapy.rate_max_nl_per_day"),
    ("bolus.volume_min_nl", "bolus.volume_max_nl"),
    ("bolus.duration_min_s", "bolus.duration_max_s"),
    ("therapy.rate_max_nl_per_day", "motor.rate_max_nl_per_day"),
    ("bolus.rate_max_nl_per_day", "motor.rate_max_nl_per_day"),
    ("reservoir.residual_nl", "reservoir.capacity_nl"),
    ("patient.lockout_min_s", "patient.lockout_max_s"),
    ("patient.window_min_s", "patient.window_max_s"),
    ("tones.repeat_min_min", "tones.repeat_max_min"),
    ("stream.period_min_s", "stream.period_max_s"),
    ("cell.ocv_250_mv", "cell.ocv_0_mv"),
    ("cell.ocv_500_mv", "cell.ocv_250_mv"),
    ("cell.ocv_750_mv", "cell.ocv_500_mv"),
    ("cell.ocv_900_mv", "cell.ocv_750_mv"),
    ("cell.ocv_1000_mv", "cell.ocv_900_mv"),
    ("cell.resistance_20c_mohm", "cell.resistance_0c_mohm"),
    ("cell.resistance_37c_mohm", "cell.resistance_20c_mohm"),
    ("cell.resistance_60c_mohm", "cell.resistance_37c_mohm"),
    ("cell.brownout_mv", "cell.restart_mv"),
    ("cell.brownout_mv", "cell.eri_mv"),
)
"""Pairs of parameters of which the first may not be greater than the second."""
