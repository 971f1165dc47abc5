"""What the benchmark times: two pumps in use, and the bare events that they are held against."""

from __future__ import annotations

import heapq
import struct
import time
from collections.abc import Generator
from itertools import accumulate, pairwise
from typing import Any

import simpy

from firmware_model.commands import GivePatientBolus
from firmware_model.firmware.codes import Mode, Role
from firmware_model.firmware.program import Drug, PatientBolusSetting, Program
from firmware_model.firmware.schedule import Change
from firmware_model.profile import Profile
from firmware_model.pump import Pump
from firmware_model.quantities import US_PER_DAY
from tests.firmware_model.bedside import SERIAL, Bedside, granted
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import changed, shipped

CHANGES_A_DAY, BOLUSES_A_DAY = 13, 8
EVENTS_A_DAY = CHANGES_A_DAY + 2 * BOLUSES_A_DAY + 1
"""Changes of the rate, beginnings and ends of boluses, and the record of the day."""
DAYS_OF_A_FILL = 30
US_PER_HOUR = US_PER_DAY // 24
TIMERS = 20
"""Timers that wait in the heap, and in simpy: somewhat more than the agenda of a pump has ranks."""
LOG_RECORD = struct.Struct("<IHHIIHBBI24s")
_DRUGS = (("baclofen", 500_000),)


def lasting() -> Profile:
    """The reference pump with a cell that outlasts ten years of daily use, and a life as long; the rest is its own."""
    return changed(shipped("reference-20"), "cell", capacity_mah=5_000, life_max_days=20 * 365)


class DailyUse:
    """A flex program of 13 changes a day, and a patient who takes eight boluses a day; refilled before it is low.

    Log, alarms, catheter and cell are on, and all that happens is taken notice of.
    """

    def __init__(self) -> None:
        self._bedside = Bedside(lasting())
        self._patient = self._bedside.origin(Role.PATIENT, 8, 2, operation="PATIENT_BOLUS")
        self._days = self._presses = 0
        granted(Hand(self._bedside).change_program(_flex_program()))
        self._refill()

    def run(self, days: int) -> None:
        """So many days more. Raises an error when a bolus is refused, or an alarm raised."""
        pump = self._bedside.pump
        for _ in range(days):
            for press in range(BOLUSES_A_DAY):
                now_us = self._days * US_PER_DAY + (5 + 2 * press) * US_PER_HOUR
                pump.advance(now_us)
                self._presses += 1
                reply = pump.command(
                    GivePatientBolus(
                        origin=self._patient,
                        op_id=self._presses,
                        therapy_rev=pump.firmware.record.therapy_rev,
                        fingerprint=b"pressed!",
                    ),
                    now_us,
                )
                granted(reply)
            while pump.next_event() is not None:
                pass
            self._days += 1
            if self._days % DAYS_OF_A_FILL == 0:
                self._refill()
        _require(not pump.firmware.record.alarms, "an alarm was raised")

    def _refill(self) -> None:
        self._bedside.refill(self._bedside.pump.profile.reservoir.capacity_nl, _DRUGS)


class SimpleInfusion:
    """A pump that gives the one rate of its first power-up. Nobody touches it, and it is filled for its whole life."""

    def __init__(self) -> None:
        full_nl = 1_000_000_000
        self._pump = Pump(changed(lasting(), "reservoir", capacity_nl=full_nl, initial_volume_nl=full_nl), SERIAL)
        _require(self._pump.firmware.record.program.mode is Mode.SIMPLE_CONTINUOUS, "the first program is another")
        while self._pump.next_event() is not None:
            pass

    def day(self, *waits_us: int) -> list[float]:
        """One day: the seconds that these waits took, then what was left of the day, then the record at its end."""
        pump, now_us = self._pump, self._pump.now_us
        # The record falls on the day's last microsecond, and nothing on any other.
        ends_us = [now_us + passed_us for passed_us in (*accumulate(waits_us), US_PER_DAY - 1, US_PER_DAY)]
        marks = [time.process_time()]
        for end_us in ends_us:
            pump.advance(end_us)
            marks.append(time.process_time())
        _require(pump.next_event() is not None and pump.next_event() is None, "a day has not one record")
        return [end - begin for begin, end in pairwise(marks)]


def bare_events(count: int) -> None:
    """The ceiling: a heap of timers, of which each event packs a record of 48 bytes and sets one anew."""
    timers = [(at, at) for at in range(TIMERS)]
    heapq.heapify(timers)
    for _ in range(count):
        at, timer = heapq.heappop(timers)
        LOG_RECORD.pack(at & 0xFFFFFFFF, 1, 1, at & 0xFFFFFFFF, 5, 6, 0, 24, 1, b"")
        heapq.heappush(timers, (at + 97, timer))


def simpy_events(count: int) -> None:
    """So many events of simpy: processes that wait for a timeout, again and again."""
    environment = simpy.Environment()

    def waiting(every: int) -> Generator[simpy.Event, Any, None]:
        while True:
            yield environment.timeout(every)

    for _ in range(TIMERS):
        environment.process(waiting(TIMERS))
    environment.run(until=count)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(f"what is timed is not what was meant: {otherwise}")


def _flex_program() -> Program:
    def day(number: int) -> tuple[Change, ...]:
        return tuple(Change(place * 110, 300_000 + (place + number) % 5 * 50_000) for place in range(CHANGES_A_DAY))

    return Program(
        drugs=tuple(Drug(name, concentration) for name, concentration in _DRUGS),
        mode=Mode.FLEX,
        rate_nl_per_day=400_000,
        schedule=tuple(day(number) for number in range(7)),
        patient=PatientBolusSetting(
            volume_nl=10_000, duration_s=600, lockout_s=3_600, window_s=86_400, activations_max=10
        ),
        rate_max_nl_per_day=2_000_000,
        bolus_volume_max_nl=100_000,
        window_max_nl=2_000_000,
        low_reservoir_nl=2_000_000,
    )
