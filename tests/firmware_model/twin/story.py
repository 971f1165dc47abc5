"""The twin's state, and its story: what it tells, word by word as the pump's log has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from firmware_model.firmware.codes import BolusKind, Role, StopReason
from firmware_model.firmware.program import Program, first_program
from firmware_model.profile import Profile
from tests.firmware_model.twin.clock import TwinClock
from tests.firmware_model.twin.fluid import TwinFluid

SECOND = 1_000_000
DAY = 86_400 * SECOND
CLINICIAN = {"role": Role.CLINICIAN, "host_id": 7}
PATIENT = {"role": Role.PATIENT, "host_id": 8}
NOBODY = {"role": 0, "host_id": 0}


class Happening(NamedTuple):
    """A log record, and the instant at which it became true."""

    at_us: int
    sequence: int
    elapsed_s: int
    rtc_unix_s: int
    word: str
    op_id: int
    detail: dict[str, int]


@dataclass
class Dosing:
    """A bolus under way: so many steps over so long, evenly; `seen` of them when the rotor was last seen to turn."""

    bolus_id: int
    kind: BolusKind
    actor: dict[str, int]
    op_id: int
    steps: int
    duration_us: int
    started_at: int
    done: int = 0
    seen: int = 0

    def next_step_at(self) -> int:
        """When the next step falls: step k of N over D microseconds at the first whole one from k x D / N on."""
        due, rest = divmod((self.done + 1) * self.duration_us, self.steps)
        return self.started_at + due + (rest > 0)


class Story:
    """What the firmware of the twin knows. It never loses its power, so elapsed time is virtual time."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.step_nl = profile.motor.step_volume_nl
        self.now = 0
        self.happened: list[Happening] = []
        self.tones: list[tuple[int, int]] = []
        self.fluid = TwinFluid(profile)
        self.clock = TwinClock()
        self.clock_base_us = profile.clock.start_unix_s * SECOND
        self.offset_min = profile.clock.offset_min
        self.clock_valid = True
        self.program: Program = first_program(profile)
        self.running, self.stop_reason, self.stopped_since_s = True, StopReason.NONE, 0
        self.op_high = {Role.CLINICIAN: 0, Role.PATIENT: 0}
        self.newest_op = 0
        # What has been counted as delivered, and what the reservoir was said to hold at which count.
        self.steps = 0
        self.filled_nl, self.filled_at_steps = profile.reservoir.initial_volume_nl, 0
        self.mixture: tuple[tuple[str, int], ...] = ()
        self.told_steps = 0
        self.dose_anchor, self.dose_spent = 0, False
        self.dose: Dosing | None = None
        self.bolus: Dosing | None = None
        self.tell("BOOT", reset_reason=1, memory=0, generation=0)

    @property
    def counts_from_s(self) -> int:
        """Where a lockout or a window begins: a second that is not over yet is left out of it."""
        return self.now_s + (self.now % SECOND > 0)

    @property
    def now_s(self) -> int:
        return self.now // SECOND

    @property
    def unix_us(self) -> int:
        return self.clock_base_us + self.clock.reading_us(self.now)

    @property
    def local_us(self) -> int:
        return self.unix_us + self.offset_min * 60 * SECOND

    @property
    def reservoir_nl(self) -> int:
        """What is left as far as the steps tell."""
        return max(0, self.filled_nl - (self.steps - self.filled_at_steps) * self.step_nl)

    @property
    def available_nl(self) -> int:
        return max(0, self.reservoir_nl - self.profile.reservoir.empty_nl)

    def tell(self, word: str, op_id: int = 0, **detail: int) -> None:
        """A log record."""
        rtc_unix_s = min(max(0, self.unix_us // SECOND), 0xFFFF_FFFE) if self.clock_valid else 0
        sequence = len(self.happened) + 1
        self.happened.append(Happening(self.now, sequence, self.now_s, rtc_unix_s, word, op_id, detail))

    def next_op(self, role: Role) -> int:
        """An operation has been taken: its op id."""
        self.op_high[role] += 1
        self.newest_op = self.op_high[role]
        return self.newest_op
