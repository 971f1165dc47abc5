"""A history as a pump tells it, with time cut into pieces as one likes, and whatever is done meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from firmware_model.profile import Profile
from firmware_model.pump_state import restored, save
from tests.firmware_model.bedside import Bedside
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import LONG_LOG, SMALL
from tests.firmware_model.random_histories import DAY, ROOMY, Act, histories, history_of

PUMPS = {"roomy": ROOMY, "small": SMALL, "small with a long log": LONG_LOG}
World = tuple[str, list[Act]]
WORLDS = st.sampled_from(sorted(PUMPS)).flatmap(lambda name: st.tuples(st.just(name), histories(PUMPS[name])))
"""The name of a pump, and a history of it."""
Meanwhile = Callable[[Bedside], None]


class Told(NamedTuple):
    """All that can be known of a history: its events byte by byte, its replies, the pump's state, the plant's truth."""

    events: tuple[str, ...]
    replies: tuple[str, ...]
    digest: str
    truth: str


def nothing(_bedside: Bedside) -> None:
    """Time is cut, and that is all."""


def look(bedside: Bedside) -> None:
    """Somebody looks at everything that can be looked at from outside."""
    bedside.pump.digest()
    bedside.pump.delivery_digest()
    bedside.pump.truth()
    bedside.pump.next_deadline()


def save_and_restore(bedside: Bedside) -> None:
    """The pump goes on as the one that its save-state makes."""
    bedside.events()
    bedside.pump = restored(save(bedside.pump), bedside.pump.profile)


def told(history: Iterable[Act], profile: Profile, cuts: Sequence[int] = (), meanwhile: Meanwhile = nothing) -> Told:
    """Live a history and a day more; at each cut, before what is done at the same instant, do something else."""
    bedside = Bedside(profile)
    hand = Hand(bedside)
    replies, left, at = [], sorted(cuts), 0
    for act in (*history, Act(DAY, "wait")):
        at += act.after_us
        while left and left[0] <= at:
            bedside.pump.advance(left.pop(0))
            meanwhile(bedside)
        bedside.pump.advance(at)
        replies.append(repr(act.by(hand)))
    bedside.events()
    events = tuple(repr(event) for event in bedside.happened)
    return Told(events, tuple(replies), bedside.pump.digest(), repr(bedside.pump.truth()))


def length_us(history: Iterable[Act]) -> int:
    """How long a history takes, with the day behind it."""
    return sum(act.after_us for act in history) + DAY


def first_difference(one: Told, other: Told) -> str:
    """Where two histories part."""
    for name, ours, theirs in zip(Told._fields, one, other, strict=True):
        lines = zip_longest(*((each,) if isinstance(each, str) else each for each in (ours, theirs)))
        for at, (left, right) in enumerate(lines):
            if left != right:
                return f"{name} {at}: {left}, but {right}"
    return "nowhere"


def split_in_three_ways(random: Random, figures: Counter[str]) -> None:
    """A pump and a history of chance; three random ways to cut its time tell the same as time that is not cut."""
    profile = random.choice(list(PUMPS.values()))
    history = history_of(random, profile)
    whole = told(history, profile)
    for most in (1, 6, 40):
        cuts = [random.randrange(length_us(history)) for _ in range(random.randint(1, most))]
        pieces = told(history, profile, cuts)
        assert pieces == whole, first_difference(pieces, whole)
        figures["cuts of time"] += len(cuts)
    figures["events"] += len(whole.events)


def restore_somewhere(random: Random, figures: Counter[str]) -> None:
    """A history that goes on in restored pumps tells the same as one that is not interrupted."""
    profile = random.choice(list(PUMPS.values()))
    history = history_of(random, profile)
    cuts = [random.randrange(length_us(history)) for _ in range(random.randint(1, 3))]
    again, whole = told(history, profile, cuts, save_and_restore), told(history, profile)
    assert again == whole, first_difference(again, whole)
    figures["restored pumps"] += len(cuts)
