"""The registry of device faults: each verb with its parameters, and what it does.

A lasting fault changes the plant's `Condition` for as long as it is there; a sudden one strikes once, when it begins.
A new fault is one entry here and one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from firmware_model.faults.board import DeviceFault
from firmware_model.memory import ArmedCut, CutMode, Memory
from firmware_model.plant import Plant
from firmware_model.plant.condition import HIGHEST_CC, LOWEST_CC, Condition
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_SECOND
from firmware_model.write_faults import ArmedWriteFault, Region, WriteFaultKind

Values = Mapping[str, int]
_YEAR_US: Final = 366 * SECONDS_PER_DAY * US_PER_SECOND
_HOUR_US: Final = 3_600 * US_PER_SECOND


class Victim(Protocol):
    """What a sudden fault can strike."""

    plant: Plant
    now_us: int

    @property
    def memory(self) -> Memory:
        """Its memory."""

    def reset(self) -> None:
        """Power goes away for an instant."""

    def arm_fault_now(self, fault: DeviceFault) -> int:
        """Let another fault begin."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number that a fault takes, with its unit and range; `choices`: the words for 0, 1, 2, …"""

    name: str
    unit: str
    meaning: str
    default: int
    minimum: int
    maximum: int
    choices: tuple[str, ...] = ()


def _choice(name: str, meaning: str, choices: tuple[str, ...]) -> Parameter:
    return Parameter(name, "", meaning, 0, 0, len(choices) - 1, choices)


def _nothing(_victim: Victim, _values: Values) -> None:
    pass


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A verb. `lasting` is None for a sudden fault; `begin` and `end` strike when it begins or ends."""

    verb: str
    meaning: str
    example: str
    parameters: tuple[Parameter, ...] = ()
    lasting: Callable[[Condition, Values], None] | None = None
    begin: Callable[[Victim, Values], None] = _nothing
    end: Callable[[Victim, Values], None] = _nothing
    for_us: int = 0
    every_us: int = 0
    count: int = 1


TIMES: Final = (
    Parameter("after", "us", "how long after it was armed it begins", 0, 0, 20 * _YEAR_US),
    Parameter("for", "us", "how long it lasts, if it does; 0 = until it is cleared", 0, 0, 20 * _YEAR_US),
    Parameter("every", "us", "how long after one beginning the next one comes", 0, 0, 20 * _YEAR_US),
    Parameter("count", "", "how often it comes", 1, 1, 1_000_000),
)
"""What every device fault takes."""


def _stall(condition: Condition, _values: Values) -> None:
    condition.stalled = True


def _missed_steps(condition: Condition, values: Values) -> None:
    condition.miss_every = values["one_in"]


def _gain(condition: Condition, values: Values) -> None:
    condition.gain_ppm = max(-1_000_000, condition.gain_ppm + values["ppm"])


def _occlusion(condition: Condition, _values: Values) -> None:
    condition.occluded = True


def _leak(condition: Condition, values: Values) -> None:
    condition.leak_ppm = min(1_000_000, condition.leak_ppm + values["ppm"])


def _disconnection(condition: Condition, _values: Values) -> None:
    condition.disconnected = True


def _cut_catheter(victim: Victim, values: Values) -> None:
    catheter = victim.plant.catheter
    catheter.cut(min(values["nl"], catheter.implanted.volume_nl))


def _pocket_fill(condition: Condition, values: Values) -> None:
    condition.pocket_fill_ppm = values["ppm"]


def _sag(condition: Condition, values: Values) -> None:
    condition.sag_mv += values["mv"]


def _film(condition: Condition, values: Values) -> None:
    condition.film_mohm += values["mohm"]


def _short(condition: Condition, values: Values) -> None:
    condition.short_na += values["na"]


def _drift(condition: Condition, values: Values) -> None:
    condition.drift_ppm = max(-1_000_000, min(1_000_000, condition.drift_ppm + values["ppm"]))


def _lose_clock(victim: Victim, _values: Values) -> None:
    victim.plant.clock.lose(victim.now_us)


def _jump_clock(victim: Victim, values: Values) -> None:
    victim.plant.clock.jump(values["s"] * US_PER_SECOND, victim.now_us)


def _lie_voltage(condition: Condition, values: Values) -> None:
    condition.voltage_lie_mv += values["mv"]


def _lie_emf(condition: Condition, values: Values) -> None:
    condition.emf_lie = bool(values["shows"])


def _field(condition: Condition, _values: Values) -> None:
    condition.field_on = True


def _turn_back(victim: Victim, values: Values) -> None:
    if values["reverse"]:
        victim.plant.turn_back(values["reverse"])


def _recover_late(victim: Victim, values: Values) -> None:
    if values["recovery"]:
        victim.arm_fault_now(DeviceFault("stall", for_us=values["recovery"]))


def _temperature(condition: Condition, values: Values) -> None:
    condition.temperature_cc = values["cc"]


def _hang(condition: Condition, _values: Values) -> None:
    condition.hung = True


def _reset(victim: Victim, _values: Values) -> None:
    victim.reset()


def _flip_memory(victim: Victim, values: Values) -> None:
    region = tuple(Region)[values["region"]]
    victim.memory.flip_bit(region, values["bit"] % victim.memory.bits(region))


def _cut_at_write(victim: Victim, values: Values) -> None:
    victim.memory.armed_cut = ArmedCut(values["at"], tuple(CutMode)[values["mode"]], values["bytes"])


def _spoil_writes(victim: Victim, values: Values) -> None:
    kind = tuple(WriteFaultKind)[values["kind"]]
    victim.memory.armed_fault = ArmedWriteFault(values["at"], kind, values["bit"], values["writes"])


_PPM = Parameter("ppm", "ppm", "the share in parts per million", 100_000, 0, 1_000_000)

_KINDS: Sequence[FaultKind] = (
    FaultKind("stall", "the rotor does not turn", "stall for=2h", lasting=_stall),
    FaultKind(
        "intermittent-stall",
        "the rotor does not turn now and then",
        "intermittent-stall for=30min every=8h count=9",
        lasting=_stall,
        for_us=_HOUR_US // 2,
        every_us=8 * _HOUR_US,
        count=9,
    ),
    FaultKind(
        "missed-steps",
        "the rotor misses one pulse in so many",
        "missed-steps one_in=20",
        (Parameter("one_in", "pulses", "of so many pulses one is missed", 10, 1, 1_000_000),),
        lasting=_missed_steps,
    ),
    FaultKind(
        "gain-error",
        "each step moves more than it should (over-infusion), or less",
        "gain-error ppm=150000",
        (Parameter("ppm", "ppm", "how much more", 150_000, -1_000_000, 10_000_000),),
        lasting=_gain,
    ),
    FaultKind("occlusion", "the catheter is kinked shut", "occlusion for=1d", lasting=_occlusion),
    FaultKind("leak", "a share leaks where the catheter is joined", "leak ppm=300000", (_PPM,), lasting=_leak),
    FaultKind("disconnection", "the catheter slips off", "disconnection after=3d", lasting=_disconnection),
    FaultKind(
        "catheter-cut",
        "the catheter is shortened at its tip",
        "catheter-cut nl=20000",
        (Parameter("nl", "nl", "the volume of the length that is lost", 20_000, 1, 10_000_000),),
        begin=_cut_catheter,
    ),
    FaultKind(
        "pocket-fill",
        "a syringe injects a share beside the port, into the pocket",
        "pocket-fill ppm=1000000",
        (_PPM,),
        lasting=_pocket_fill,
    ),
    FaultKind(
        "cell-sag",
        "the cell loses voltage",
        "cell-sag mv=900 for=1min",
        (Parameter("mv", "mV", "so much", 500, 1, 10_000),),
        lasting=_sag,
    ),
    FaultKind(
        "cell-film",
        "a film in the cell adds to its resistance",
        "cell-film mohm=400000",
        (Parameter("mohm", "mohm", "so much", 100_000, 1, 100_000_000),),
        lasting=_film,
    ),
    FaultKind(
        "internal-short",
        "a short inside drains the cell",
        "internal-short na=2000000",
        (Parameter("na", "nA", "so much", 1_000_000, 1, 1_000_000_000),),
        lasting=_short,
    ),
    FaultKind(
        "clock-drift",
        "the clock runs fast, or slow",
        "clock-drift ppm=-200",
        (Parameter("ppm", "ppm", "how much faster", 100, -1_000_000, 1_000_000),),
        lasting=_drift,
    ),
    FaultKind("clock-loss", "the clock is lost", "clock-loss after=1d", begin=_lose_clock),
    FaultKind(
        "clock-jump",
        "the clock jumps",
        "clock-jump s=-3600",
        (Parameter("s", "s", "so far ahead", 3_600, -2_000_000_000, 2_000_000_000),),
        begin=_jump_clock,
    ),
    FaultKind(
        "memory-flip",
        "a stored bit turns over",
        "memory-flip region=control bit=77",
        (
            _choice("region", "where", tuple(region.value for region in Region)),
            Parameter("bit", "bit", "which one, counted round and round", 0, 0, 100_000_000),
        ),
        begin=_flip_memory,
    ),
    FaultKind(
        "write-cut",
        "power goes at a write to memory",
        "write-cut at=3 mode=torn bytes=4",
        (
            Parameter("at", "writes", "the so-manieth from now", 1, 1, 1_000_000),
            _choice("mode", "what becomes of the write", tuple(mode.value for mode in CutMode)),
            Parameter("bytes", "bytes", "how many of its bytes are written, where the mode asks", 4, 1, 8),
        ),
        begin=_cut_at_write,
    ),
    FaultKind(
        "write-fault",
        "writes to memory go wrong while the power stays",
        "write-fault at=2 kind=flipped bit=5 writes=1",
        (
            Parameter("at", "writes", "the so-manieth from now", 1, 1, 1_000_000),
            _choice("kind", "how", tuple(kind.value for kind in WriteFaultKind)),
            Parameter("bit", "bit", "which bit is flipped", 0, 0, 63),
            Parameter("writes", "writes", "how many, one after the other", 1, 1, 1_000_000),
        ),
        begin=_spoil_writes,
    ),
    FaultKind(
        "voltage-lie",
        "the measured voltage is off",
        "voltage-lie mv=-400",
        (Parameter("mv", "mV", "so much higher", -400, -10_000, 10_000),),
        lasting=_lie_voltage,
    ),
    FaultKind(
        "emf-lie",
        "the back-EMF shows the same whatever the rotor does",
        "emf-lie shows=motion",
        (_choice("shows", "what it shows", ("standstill", "motion")),),
        lasting=_lie_emf,
    ),
    FaultKind(
        "field",
        "a strong magnetic field, as of an MRI scanner: the rotor stands, and may turn back or recover late",
        "field for=40min recovery=3h reverse=200",
        (
            Parameter("recovery", "us", "how long the rotor stands on after the field has gone", 0, 0, _YEAR_US),
            Parameter("reverse", "steps", "steps that the rotor is turned back at once", 0, 0, 100_000),
        ),
        lasting=_field,
        begin=_turn_back,
        end=_recover_late,
    ),
    FaultKind(
        "temperature",
        "the body, or what is around the pump, has another temperature",
        "temperature cc=4100 for=2d",
        (Parameter("cc", "0.01 °C", "hundredths of a degree Celsius", 4_000, LOWEST_CC, HIGHEST_CC),),
        lasting=_temperature,
    ),
    FaultKind("watchdog-hang", "the motor's scheduler is blocked", "watchdog-hang for=5min", lasting=_hang),
    FaultKind("reset", "the pump resets", "reset after=10min", begin=_reset),
)
FAULTS: Mapping[str, FaultKind] = MappingProxyType({kind.verb: kind for kind in _KINDS})
"""All device faults by their verbs."""


def times_of(kind: FaultKind) -> tuple[Parameter, ...]:
    """The times that a fault of this kind has: one that strikes once, suddenly, has no duration."""
    return tuple(time for time in TIMES if time.name != "for" or kind.lasting is not None)


def device_fault(verb: str, **values: int) -> DeviceFault:
    """A fault with its values, the others at their defaults. Raises ValueError that names what is wrong and allowed."""
    if verb not in FAULTS:
        raise ValueError(f"{verb!r} is no device fault; allowed are {', '.join(FAULTS)}")
    kind = FAULTS[verb]
    times = {"after": 0, "for": kind.for_us, "every": kind.every_us, "count": kind.count}
    own = {parameter.name: parameter.default for parameter in kind.parameters}
    known = {parameter.name: parameter for parameter in (*kind.parameters, *times_of(kind))}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{verb} has no {name!r}; it has {', '.join(known)}")
        allowed = known[name]
        if not allowed.minimum <= value <= allowed.maximum:
            scope = f"{allowed.minimum} to {allowed.maximum} {allowed.unit}".rstrip()
            raise ValueError(f"{verb}: {name} is {value}, but allowed is {scope}")
        (own if name in own else times)[name] = value
    if times["count"] > 1 and times["every"] <= times["for"]:
        raise ValueError(f"{verb}: to come {times['count']} times, every must be longer than for")
    if kind.lasting is not None and times["count"] > 1 and not times["for"]:
        raise ValueError(f"{verb}: to come {times['count']} times, it must end: say for how long")
    return DeviceFault(verb, tuple(own.items()), times["after"], times["for"], times["every"], times["count"])
