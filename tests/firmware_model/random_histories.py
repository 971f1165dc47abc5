"""Random histories: what clinician, patient, tester and fate do to a pump, and how long each waits before it.

An act is drawn from a `Random`. For the long campaigns one seed gives a whole history; for the tests Hypothesis draws a
seed for each act, and so finds the shortest history that fails. A kind of act is one entry of `ACTS` and one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from firmware_model.commands import Reply
from firmware_model.faults import FAULTS
from firmware_model.firmware.codes import BolusKind, Mode, Role
from firmware_model.memory import CutMode
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_SECOND
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import LONG_LOG, changed
from tests.firmware_model.random_faults import a_fault
from tests.firmware_model.random_programs import MIXTURES, a_program, any_scale

SECOND, DAY = US_PER_SECOND, SECONDS_PER_DAY * US_PER_SECOND


def _roomy() -> Profile:
    profile = changed(LONG_LOG, "therapy", rate_nl_per_day=120_000)
    profile = changed(profile, "reservoir", initial_volume_nl=900_000, capacity_nl=1_500_000)
    profile = changed(profile, "catheter", tubing_nl=5_500, catheter_nl=7_250)
    return changed(profile, "log", pages=200, records_per_page=20)


ROOMY = _roomy()
"""A pump of few, large steps, 120 a day at first, a short catheter, and room for a story of weeks."""


@dataclass(frozen=True)
class Act:
    """One thing that is done, `after_us` after the one before it: a method of `Hand`, and what it is called with."""

    after_us: int
    what: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def by(self, hand: Hand) -> Reply | None:
        """Do it; the time before it has passed already."""
        reply: Reply | None = getattr(hand, self.what)(**self.values)
        return reply


Draw = Callable[[Random, Profile], list[Act]]


def a_wait(random: Random) -> int:
    """None at all, around the very instants at which much is due, or anything up to some days."""
    match random.randrange(10):
        case 0 | 1:
            return 0
        case 2:
            return random.choice((1, 10 * SECOND - 1, 10 * SECOND, 30 * SECOND - 1, 30 * SECOND, 60 * SECOND))
        case 3:
            return random.choice((300, 3_600, 86_400, 172_800)) * SECOND - random.choice((0, 0, 1))
        case 4 | 5:
            return random.randint(0, 100 * SECOND)
        case 6 | 7:
            return random.randint(0, 3_600 * SECOND)
        case 8:
            return random.randint(0, DAY)
    return random.randint(0, 4 * DAY)


def _plain(*names: str) -> Draw:
    return lambda random, _profile: [Act(a_wait(random), random.choice(names))]


def _prepare(random: Random, profile: Profile) -> list[Act]:
    kind = random.choice((BolusKind.SINGLE,) * 6 + (BolusKind.PRIMING, BolusKind.BRIDGE, BolusKind.PATIENT))
    most_nl = profile.bolus.volume_max_nl
    volume_nl = random.choice((random.randint(0, 30) * profile.motor.step_volume_nl, random.randint(0, most_nl + 10)))
    duration_s = random.choice((random.randint(1, 60), random.randint(0, profile.bolus.duration_max_s + 9)))
    if kind in (BolusKind.PRIMING, BolusKind.BRIDGE) and random.random() < 0.8:
        volume_nl, duration_s = 0, random.choice((0, 600))
    session = random.choice((1, 1, 1, 2))
    return [Act(a_wait(random), "prepare", {"volume_nl": volume_nl, "duration_s": duration_s, "kind": kind,
                                            "session": session})]  # fmt: skip


def _bolus(random: Random, profile: Profile) -> list[Act]:
    execute = Act(random.choice((0, 0, SECOND, random.randint(0, 31 * SECOND))), "execute")
    cancel = [Act(random.choice((0, SECOND, random.randint(0, 1_800 * SECOND))), "cancel")]
    return [*_prepare(random, profile), execute, *(cancel if random.random() < 0.2 else [])]


def _presses(random: Random, profile: Profile) -> list[Act]:
    """A patient who presses again and again, perhaps under a new program that lets him."""
    program = a_program(random, profile, (Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS), for_patient=True)
    allow = [Act(a_wait(random), "change_program", {"program": program})]
    waits = [random.choice((0, 300 * SECOND, a_wait(random))) for _ in range(random.randint(1, 6))]
    return [*(allow if random.random() < 0.5 else []), *(Act(wait_us, "patient_bolus") for wait_us in waits)]


def _pause(random: Random, _profile: Profile) -> list[Act]:
    return [Act(a_wait(random), "stop"), Act(a_wait(random), "start")]


def _program(random: Random, profile: Profile) -> list[Act]:
    return [Act(a_wait(random), "change_program", {"program": a_program(random, profile)})]


def _flex(random: Random, profile: Profile) -> list[Act]:
    """A flex program, and days in which it goes through its schedule."""
    program = Act(a_wait(random), "change_program", {"program": a_program(random, profile, (Mode.FLEX,))})
    return [program, *(Act(random.randint(0, 3 * DAY), "wait") for _ in range(random.randint(0, 3)))]


def _leave_program(random: Random, profile: Profile) -> list[Act]:
    session, program = random.choice((1, 2)), a_program(random, profile)
    leave = Act(a_wait(random), "leave_program", {"program": program, "session": session})
    return [leave, Act(a_wait(random), "end_session", {"session": random.choice((1, 2))})]


def _refill(random: Random, profile: Profile) -> list[Act]:
    full_nl = profile.reservoir.capacity_nl
    volume_nl = random.choice((random.randint(0, full_nl // 2), random.randint(0, full_nl // 2), full_nl, full_nl + 1))
    mixture = random.choice((MIXTURES[1], *MIXTURES))
    drugs = tuple((drug.name, drug.concentration_ng_per_ml) for drug in mixture)
    refill = Act(a_wait(random), "refill", {"volume_nl": volume_nl, "drugs": drugs})
    return [refill, *(Act(0, "start") for _ in range(random.choice((0, 1))))]


def _set_time(random: Random, _profile: Profile) -> list[Act]:
    monday = 1_893_456_000 - SECONDS_PER_DAY
    near_midnight = monday + random.randint(0, 8) * SECONDS_PER_DAY + random.randint(-90, 90)
    unix_s = random.choice(
        (near_midnight, monday + any_scale(random, 0, 50_000_000), any_scale(random, 0, 0xFFFF_FFFF))
    )
    offset_min = random.choice((0, 60, -300, random.randint(-1_441, 1_441)))
    return [Act(a_wait(random), "set_time", {"unix_s": unix_s, "offset_min": offset_min})]


def _alarm(random: Random, _profile: Profile) -> list[Act]:
    what = random.choice(("acknowledge", "silence", "silence", "clear"))
    return [Act(a_wait(random), what, {"ago": random.choice((0, 0, 1, 2, 3))})]


def _fault(random: Random, _profile: Profile) -> list[Act]:
    return [_armed(random, tuple(FAULTS))]


def _cut(random: Random, _profile: Profile) -> list[Act]:
    """Power goes between writes or at one, and comes back, perhaps, or much later."""
    at_write = {
        "write": any_scale(random, 1, 60),
        "mode": random.choice(tuple(CutMode)),
        "torn_bytes": random.randint(1, 8),
    }
    cut = Act(a_wait(random), "cut_power_at", at_write) if random.random() < 0.7 else Act(a_wait(random), "cut_power")
    return [cut, *(Act(a_wait(random), "restore_power") for _ in range(random.choice((0, 1, 1, 1))))]


def _session(random: Random, _profile: Profile) -> list[Act]:
    if random.random() < 0.5:
        return [Act(a_wait(random), "set_telemetry", {"on": random.random() < 0.5})]
    values = {"role": random.choice((Role.CLINICIAN, Role.PATIENT)), "good": random.random() < 0.5}
    return [Act(a_wait(random), "open_session", values)]


def _begin_refill(random: Random, _profile: Profile) -> list[Act]:
    return [Act(a_wait(random), "begin_refill", {"session": random.choice((1, 2))})]


Acts = Mapping[str, tuple[int, Draw]]
ACTS: Acts = MappingProxyType(
    {
        "wait": (6, _plain("wait")),
        "run": (6, _plain("stop", "start", "start")),
        "pause": (3, _pause),
        "prepare": (2, _prepare),
        "bolus": (8, _bolus),
        "cancel": (4, _plain("cancel", "cancel", "execute")),
        "presses": (8, _presses),
        "program": (10, _program),
        "flex": (5, _flex),
        "refill": (6, _refill),
        "time": (4, _set_time),
        "alarm": (8, _alarm),
        "fault": (12, _fault),
        "clear faults": (2, _plain("clear_faults")),
        "power": (6, _cut),
        "restore": (3, _plain("restore_power")),
        "leave program": (2, _leave_program),
        "begin refill": (1, _begin_refill),
        "session": (2, _session),
        "look": (2, _plain("look", "test_self")),
    }
)
"""What may happen: how likely each is beside the others, and how it is drawn."""


def an_act(random: Random, profile: Profile, acts: Acts = ACTS) -> list[Act]:
    """One act, or some that belong together."""
    (kind,) = random.choices(list(acts), [share for share, _ in acts.values()])
    return acts[kind][1](random, profile)


def a_pump(random: Random) -> Profile:
    """A pump whose steps do not fall on round instants, with levels that lie close or together or above."""
    if random.random() < 0.5:
        return ROOMY
    profile = changed(ROOMY, "motor", step_volume_nl=random.choice((997, 1_000, 2_500)))
    least, quantum = random.choice((1, 1_234)), random.choice((1, 1_000, 999_999))
    profile = changed(profile, "therapy", rate_min_nl_per_day=least, rate_quantum_nl_per_day=quantum)
    profile = changed(profile, "therapy", rate_nl_per_day=random.choice((120_000, 77_777, 300_001, least)))
    low_nl = random.randint(0, 300_000)
    initial_nl, empty_nl = 900_000 - random.randint(0, 700_000), min(low_nl, random.randint(0, 100_000))
    profile = changed(profile, "reservoir", initial_volume_nl=initial_nl, low_nl=low_nl, empty_nl=empty_nl)
    return changed(profile, "stall", sample_s=random.choice((300, 3_607)))


def history_of(random: Random, profile: Profile, acts: Acts = ACTS, most: int = 30) -> list[Act]:
    """A history of up to so many acts."""
    return [act for _ in range(random.randint(2, most)) for act in an_act(random, profile, acts)]


@st.composite
def histories(draw: st.DrawFn, profile: Profile, acts: Acts = ACTS) -> list[Act]:
    """Histories for Hypothesis: some fifteen acts or groups of them, left out as long as the rest still fails."""
    # A list of these is five long on average, whatever it may be at most.
    seeds = st.lists(st.integers(0, (1 << 64) - 1), max_size=10)
    return [act for _ in range(3) for seed in draw(seeds) for act in an_act(_chance(seed), profile, acts)]


def _chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 (chance for a test, no secret)


def only(*kinds: str) -> Acts:
    """These kinds of act, as likely beside each other as ever."""
    return MappingProxyType({kind: ACTS[kind] for kind in kinds})


def faults_of(*verbs: str, share: int = 8) -> Acts:
    """Device faults of these verbs."""
    return MappingProxyType({"fault": (share, lambda random, _: [_armed(random, verbs)])})


def _armed(random: Random, verbs: tuple[str, ...]) -> Act:
    return Act(a_wait(random), "fault", {"fault": a_fault(random, verbs)})
