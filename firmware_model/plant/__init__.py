"""What is physically so. The firmware reaches it by its pulses and through `Sensors`, and no other way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from firmware_model.agenda import NEVER
from firmware_model.plant.catheter import PPM, Catheter
from firmware_model.plant.cell import Cell, Load
from firmware_model.plant.clock import PS_PER_US, Clock
from firmware_model.plant.condition import Condition
from firmware_model.plant.mixture import CSF, Mixture
from firmware_model.plant.motor import Motor
from firmware_model.plant.reservoir import Reservoir
from firmware_model.profile import Profile


class Sensors(Protocol):
    """All that the firmware can find out about the plant: what its own circuits measure."""

    def rotor_followed(self) -> bool:
        """Whether the back-EMF shows that the rotor followed the last pulse."""

    def cell_mv(self, load: Load) -> int:
        """The cell's voltage under a load, as measured."""

    def cell_is_weak(self) -> bool:
        """Whether the measured voltage, under the motor's load, is less than what the electronics start with."""

    def temperature_cc(self) -> int:
        """Hundredths of a degree Celsius."""

    def clock_reading_us(self, now_us: int) -> int:
        """What the real-time counter shows."""

    def clock_wait_us(self, wait_us: int, now_us: int) -> int:
        """When the counter will show so much more than now: its alarm. NEVER, if it does not."""

    def clock_lost(self) -> bool:
        """Whether the counter says that it has been lost."""

    def restart_clock(self, now_us: int) -> None:
        """Let a lost counter count again."""

    def sound_tone(self, *, dual: bool) -> None:
        """Sound one alarm tone."""

    def repeat_tones(self, repeats: Sequence[tuple[int, bool]]) -> None:
        """Sound a tone, the dual one if so, in every so many microseconds, each of these from now on and no other."""


@dataclass(slots=True)
class Plant:
    """Motor, reservoir, catheter, cell and clock of one pump.

    delivered_nl  what has truly left the reservoir by the motor
    brownout_fc   the charge at and below which the cell can no longer hold the electronics up
    weak_fc       the charge at and below which the electronics measure less than they start with; -1 for none
    is_sound      every pulse is a step, and moves its volume
    """

    profile: Profile = field(metadata={"wiring": True}, repr=False, compare=False)
    motor: Motor
    reservoir: Reservoir
    catheter: Catheter
    cell: Cell
    clock: Clock
    condition: Condition = field(default_factory=Condition)
    delivered_nl: int = 0
    brownout_fc: int = 0
    weak_fc: int = -1
    is_sound: bool = True

    def turn(self, pulses: int, elapsed_us: int) -> bool:
        """Time passes, and the coil gets so many pulses in it. False, and nothing has happened: the cell gives out."""
        cell = self.cell
        charge_fc = cell.charge_fc - cell.drain_na * elapsed_us - cell.step_fc * pulses
        if charge_fc <= self.brownout_fc:
            return False
        cell.charge_fc = charge_fc
        if pulses:
            self._move(pulses)
        return True

    def run_down(self, pulses: int, elapsed_us: int) -> None:
        """Time passes, with so many pulses in it, whatever the cell says."""
        self.cell.draw(elapsed_us, pulses)
        if pulses:
            self._move(pulses)

    def _move(self, pulses: int) -> None:
        motor, reservoir = self.motor, self.reservoir
        volume_nl = pulses * motor.step_volume_nl
        if self.is_sound and volume_nl <= reservoir.volume_nl and motor.pulses + pulses <= motor.wear_pulses:
            motor.pulses += pulses
            motor.steps += pulses
            reservoir.volume_nl -= volume_nl
            self.delivered_nl += volume_nl
            self.catheter.push(volume_nl, reservoir.mixture)
        else:
            self._turn(pulses)

    def _turn(self, pulses: int) -> None:
        """Pulses to a motor that may miss some, in a path that may take less."""
        steps = self.motor.turn(pulses)
        if self.condition.occluded:
            possible = self.motor.steps_within(self.catheter.room_nl())
            if possible < steps:
                self.motor.block(steps - possible)
                steps = possible
        drawn_nl = self.reservoir.draw(self.motor.volume_nl(steps))
        self.delivered_nl += drawn_nl
        self.catheter.push(drawn_nl, self.reservoir.mixture)

    def turn_back(self, steps: int) -> None:
        """The rotor is turned backwards: fluid comes back out of the path."""
        self.motor.turn_back(steps)
        for volume_nl, mixture in self.catheter.pull(steps * self.motor.step_volume_nl):
            self.reservoir.absorb(volume_nl, mixture)
            self.delivered_nl -= volume_nl

    def holds_out(self, elapsed_us: int, pulses: int) -> bool:
        """Whether the cell can hold the electronics up so long."""
        cell = self.cell
        return cell.charge_fc - cell.drain_na * elapsed_us - cell.step_fc * pulses > self.brownout_fc

    def has_supply(self) -> bool:
        """Whether the cell holds running electronics up now."""
        return self.cell.charge_fc > self.brownout_fc

    def may_restart(self) -> bool:
        """Whether the cell has voltage enough for electronics that have been reset to come back."""
        return self.cell.voltage_mv(Load.MOTOR) >= self.profile.cell.restart_mv

    def supply(self, *, on: bool) -> None:
        """The electronics get the cell's supply, or none."""
        self.cell.set_electronics(on)
        if not on:
            self.cell.set_telemetry(False)

    def take(self, condition: Condition, now_us: int) -> None:
        """From now on this is wrong, and nothing else."""
        self.motor.stalled = condition.stalled or condition.field_on
        self.motor.miss(condition.miss_every)
        self.motor.gain_ppm = condition.gain_ppm
        catheter, before = self.catheter, self.condition
        if condition.disconnected != before.disconnected:
            (catheter.disconnect if condition.disconnected else catheter.reconnect)()
        if condition.occluded != before.occluded:
            (catheter.occlude if condition.occluded else catheter.release)()
        if condition.leak_ppm != before.leak_ppm:
            catheter.leak(condition.leak_ppm)
        cell = self.cell
        cell.film_mohm, cell.sag_mv = condition.film_mohm, condition.sag_mv
        cell.temperature_centidegrees = condition.temperature_cc
        cell.set_short(condition.short_na)
        if condition.drift_ppm != before.drift_ppm:
            self.clock.set_drift(condition.drift_ppm, now_us)
        self.condition = condition
        self.is_sound = not (
            self.motor.stalled
            or self.motor.miss_every
            or self.motor.gain_ppm
            or self.motor.volume_phase
            or condition.occluded
            or not self.motor.followed
        )
        limits = self.profile.cell
        self.brownout_fc = cell.charge_fc_below(limits.brownout_mv, Load.MOTOR)
        weak_mv = limits.restart_mv - condition.voltage_lie_mv
        self.weak_fc = cell.charge_fc_below(weak_mv, Load.MOTOR) if weak_mv > 0 else -1

    def syringe(self, withdraw_nl: int, inject_nl: int, mixture: Mixture) -> tuple[int, int]:
        """A syringe at the port: withdraw, then inject; returns what came out and what went into the reservoir.

        With a pocket fill a share of what is injected goes into the tissue beside the port.
        """
        withdrawn_nl = self.reservoir.withdraw(withdraw_nl)
        astray_nl = inject_nl * self.condition.pocket_fill_ppm // PPM
        self.catheter.pocket.add(astray_nl, mixture)
        return withdrawn_nl, self.reservoir.inject(inject_nl - astray_nl, mixture)

    @property
    def rotor_is_doubtful(self) -> bool:
        """Whether the back-EMF can differ from that of a sound motor: else a sample shows nothing new."""
        condition, motor = self.condition, self.motor
        return (
            motor.stalled
            or not motor.followed
            or bool(motor.miss_every)
            or condition.occluded
            or condition.emf_lie is not None
            or motor.pulses >= motor.wear_pulses
        )

    def rotor_followed(self) -> bool:
        """See `Sensors`."""
        lie = self.condition.emf_lie
        return self.motor.followed if lie is None else lie

    def cell_mv(self, load: Load) -> int:
        """See `Sensors`."""
        return max(0, self.cell.voltage_mv(load) + self.condition.voltage_lie_mv)

    def cell_is_weak(self) -> bool:
        """See `Sensors`."""
        return self.cell.charge_fc <= self.weak_fc

    def temperature_cc(self) -> int:
        """See `Sensors`."""
        return self.condition.temperature_cc

    def clock_reading_us(self, now_us: int) -> int:
        """See `Sensors`."""
        return self.clock.reading_us(now_us)

    def clock_wait_us(self, wait_us: int, now_us: int) -> int:
        """See `Sensors`."""
        clock = self.clock
        if not (clock.drift_ppm or clock.lost or clock.anchor_reading_ps % PS_PER_US):
            return now_us + wait_us
        when_us = clock.when_us(clock.reading_us(now_us) + wait_us, now_us)
        return NEVER if when_us is None else when_us

    def clock_lost(self) -> bool:
        """See `Sensors`."""
        return self.clock.lost

    def restart_clock(self, now_us: int) -> None:
        """See `Sensors`."""
        self.clock.restart(now_us)

    def sound_tone(self, *, dual: bool) -> None:
        """See `Sensors`."""
        self.cell.spend(self.cell.tone_fc(dual))

    def repeat_tones(self, repeats: Sequence[tuple[int, bool]]) -> None:
        """See `Sensors`."""
        self.cell.set_tones(sum(self.cell.tone_fc(dual) // period_us for period_us, dual in repeats))


def new_plant(profile: Profile) -> Plant:
    """The plant of a new pump: solvent in the reservoir and in its tubing, cerebrospinal fluid in the catheter."""
    motor, reservoir, path = profile.motor, profile.reservoir, profile.catheter
    plant = Plant(
        profile=profile,
        motor=Motor(motor.step_volume_nl, motor.wear_pulses, motor.wear_miss_every),
        reservoir=Reservoir(
            volume_nl=reservoir.initial_volume_nl,
            mixture=CSF,
            capacity_nl=reservoir.capacity_nl,
            residual_nl=reservoir.residual_nl,
            overfill_max_nl=reservoir.overfill_max_nl,
        ),
        catheter=Catheter.filled(path.tubing_nl, path.catheter_nl, CSF, path.compliance_nl),
        cell=Cell(profile.cell),
        clock=Clock(),
    )
    plant.take(Condition(), 0)
    return plant
