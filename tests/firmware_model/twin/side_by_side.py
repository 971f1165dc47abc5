"""The model and its twin side by side: each act is done to both, and whatever they say, hold and move is compared."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict
from fractions import Fraction
from random import Random
from types import MappingProxyType

from firmware_model.commands import Reply
from firmware_model.firmware.event_log import LogRecord
from firmware_model.profile import Profile
from firmware_model.pump import Recorded, ToneSounded
from tests.firmware_model.bedside import Bedside
from tests.firmware_model.hand import Hand
from tests.firmware_model.random_histories import DAY, Act, Acts, a_pump, faults_of, history_of, only
from tests.firmware_model.twin.fluid import Contents
from tests.firmware_model.twin.naive_pump import NaiveTwin
from tests.firmware_model.twin.story import Happening
from tests.firmware_model.twin.tester import VERBS

TWIN_ACTS: Acts = MappingProxyType(
    {
        **only("wait", "run", "pause", "prepare", "bolus", "cancel", "presses", "program", "flex", "refill", "time"),
        **only("alarm", "clear faults"),
        **faults_of(*VERBS, "stall", "stall"),
    }
)
"""What the twin knows: everything but power, memory, sessions, and the faults of cell and path."""


class SideBySide:
    """One model and one twin."""

    def __init__(self, profile: Profile) -> None:
        self.bedside, self.twin = Bedside(profile), NaiveTwin(profile)
        self.hand = Hand(self.bedside)
        self.told: list[Happening] = []
        self.tones: list[tuple[int, int]] = []
        self.replies: list[str] = []

    def live(self, history: Iterable[Act]) -> None:
        """A history, and two days more; all that can be compared is the same behind each act."""
        for act in (*history, Act(2 * DAY, "wait")):
            self.pass_time(act.after_us)
            said = word(act.by(self.hand))
            assert said == (getattr(self.twin, act.what)(**act.values) or ""), act
            self.replies.append(f"{act.what} {said or 'granted'}")
            self.agree()
        logged = [_happening(record, self.told[record.sequence - 1].at_us) for record in self.bedside.log()]
        assert logged == self.told[-len(logged) :]

    def pass_time(self, for_us: int) -> None:
        """The twin goes ahead; the model is stopped just before and at one of the twin's steps."""
        twin, motor = self.twin, self.bedside.pump.plant.motor
        before, to = len(twin.stepped_at), twin.now + for_us
        twin.advance(to)
        if len(twin.stepped_at) > before:
            instant = twin.stepped_at[(before + len(twin.stepped_at)) // 2]
            for at in (max(self.bedside.now, instant - 1), instant):
                self.bedside.pump.advance(at)
                assert motor.pulses == bisect_right(twin.stepped_at, at)
        self.bedside.pump.advance(to)

    def agree(self) -> None:
        self._take_events()
        pump, twin = self.bedside.pump, self.twin
        firmware, plant = pump.firmware, pump.plant
        for ours, theirs in zip(self.told[-64:], twin.happened[: len(self.told)][-64:], strict=True):
            assert ours == theirs
        assert len(self.told) == len(twin.happened), twin.happened[len(self.told) :]
        assert self.tones == twin.tones
        assert (plant.motor.pulses, plant.motor.steps) == (twin.fluid.pulses, twin.fluid.rotor)
        assert (firmware.steps_total, firmware.stalled_pulses) == (twin.steps, twin.stalled_pulses)
        assert (firmware.reservoir_nl, plant.reservoir.volume_nl) == (twin.reservoir_nl, twin.fluid.volume_nl)
        assert (firmware.flow.base.gain, firmware.local_us) == (twin.flow_nl_per_day, twin.local_us)
        assert plant.delivered_nl == twin.fluid.delivered_nl
        assert self._tip() == {contents: volume_nl for contents, volume_nl in twin.fluid.tip.items() if volume_nl}
        for alarm, its_twin in zip(firmware.record.alarms, twin.alarms, strict=True):
            frozen = {name: value for name, value in asdict(its_twin).items() if name != "silent"}
            assert {name: getattr(alarm, name) for name in frozen} == frozen

    def _take_events(self) -> None:
        for event in self.bedside.events():
            if isinstance(event, Recorded):
                self.told.append(_happening(event.record, event.at_us))
            elif isinstance(event, ToneSounded):
                self.tones.append((event.at_us, event.alarm))

    def _tip(self) -> dict[Contents, int]:
        """What has left at the tip, of which contents."""
        left: dict[Contents, int] = {}
        for plug in self.bedside.pump.plant.catheter.tip.plugs:
            of = plug.mixture
            left[tuple((name, Fraction(mass, of.volume_nl)) for name, mass in of.masses_fg)] = plug.volume_nl
        return left


def _happening(record: LogRecord, at_us: int) -> Happening:
    times = (at_us, record.sequence, record.elapsed_s, record.rtc_unix_s)
    return Happening(*times, record.type.name, record.op_id, dict(record.detail))


def word(reply: Reply | None) -> str:
    """A reply of the model in the twin's words."""
    return getattr(getattr(reply, "reason", None), "name", "")


def tell_the_same_story(random: Random) -> SideBySide:
    """A pump and a history of chance, lived by both."""
    pump = a_pump(random)
    world = SideBySide(pump)
    world.live(history_of(random, pump, TWIN_ACTS))
    return world
