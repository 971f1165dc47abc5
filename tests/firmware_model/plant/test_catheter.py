"""The fluid path: as its naive twin, the same however the flow is cut, and nothing is lost."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firmware_model.plant.catheter import NO_LIMIT_NL, Catheter
from firmware_model.plant.mixture import CSF, Mixture, Portion, masses_fg
from firmware_model.state import canonical
from tests.firmware_model.plant.fluid_acts import (
    BOTH,
    FAULTS,
    FLOWS,
    MIXTURES,
    MORPHINE,
    SURGERY,
    WEAKER,
    Act,
    do,
    do_naively,
    search_fluid_worlds,
)
from tests.firmware_model.plant.naive_fluid import Drops, NaivePath, seen

_mixtures = st.sampled_from(MIXTURES)
_shares = st.sampled_from([0, 1_000, 150_000, 333_333, 950_000, 1_000_000])
_flows = st.builds(Act, st.sampled_from(FLOWS), st.integers(0, 25), _mixtures)
_acts = st.one_of(
    _flows,
    _flows,
    st.builds(Act, st.sampled_from(FAULTS).filter(lambda what: what != "leak")),
    st.builds(Act, st.just("leak"), _shares),
    st.builds(Act, st.sampled_from(SURGERY), st.integers(0, 8)),
)
_lives = st.lists(_acts, max_size=20)
_sizes = st.tuples(st.integers(0, 12), st.integers(0, 20), st.integers(0, 6))


def path_of(sizes: tuple[int, int, int]) -> Catheter:
    tubing_nl, catheter_nl, compliance_nl = sizes
    return Catheter.filled(tubing_nl, catheter_nl, MORPHINE, compliance_nl)


def lived(sizes: tuple[int, int, int], life: list[Act]) -> Catheter:
    path = path_of(sizes)
    for act in life:
        do(path, act)
    return path


def in_sum(pieces: Iterable[int | Drops | None]) -> int | Drops:
    went_in, came_back = 0, list[Mixture]()
    for piece in pieces:
        if isinstance(piece, list):
            came_back += piece
        else:
            went_in += piece or 0
    return came_back or went_in


@settings(max_examples=300)
@given(_sizes, _lives)
def test_a_path_does_what_its_naive_twin_does(sizes: tuple[int, int, int], life: list[Act]) -> None:
    path = path_of(sizes)
    twin = NaivePath([MORPHINE] * sizes[0], [MORPHINE] * sizes[1], sizes[2])
    for act in life:
        assert do(path, act) == do_naively(twin, act)
        assert seen(path) == seen(twin)


def test_many_lives_beside_the_naive_twin() -> None:
    search_fluid_worlds(seed=4, count=150)


@given(_sizes, st.lists(st.tuples(_acts, st.lists(st.integers(0, 25), max_size=4)), max_size=20))
def test_flow_in_pieces_is_flow_as_a_whole(sizes: tuple[int, int, int], life: list[tuple[Act, list[int]]]) -> None:
    whole, parted = path_of(sizes), path_of(sizes)
    for act, cuts in life:
        noticed = do(whole, act)
        if act.what in FLOWS:
            assert (noticed or 0) == in_sum(do(parted, piece) for piece in act.in_pieces(cuts))
        else:
            do(parted, act)
        assert canonical(parted) == canonical(whole)


@given(_sizes, _lives)
def test_no_nanolitre_and_no_femtogram_is_lost(sizes: tuple[int, int, int], life: list[Act]) -> None:
    path = path_of(sizes)
    came: list[Portion] = [(path.path_nl, MORPHINE)]
    went: list[Portion] = []
    for act in life:
        if act.what == "push":
            came.append((path.push(act.amount, act.mixture), act.mixture))
        elif act.what == "pull":
            went += path.pull(act.amount)
        else:
            do(path, act)
        in_tubes = [plug.portion() for tube in (path.tubing, path.implanted, path.held) for plug in tube.plugs]
        gathered = path.tip.portions() + path.pocket.portions() + path.spilled.portions()
        kept = went + in_tubes + gathered
        assert sum(volume for volume, _ in kept) == path.entered_nl + sum(volume for volume, _ in came)
        assert masses_fg(kept) == masses_fg(came)


@given(_sizes, _lives)
def test_the_next_change_at_the_tip_is_neither_early_nor_late(sizes: tuple[int, int, int], life: list[Act]) -> None:
    path = lived(sizes, life)
    assume(path.implanted.plugs)
    change_nl = path.next_change_nl()
    at_tip = path.implanted.plugs[0].mixture
    # No leak here keeps back more than 19 of 20, so in this flow all that is in the path has left it.
    flow_nl = 20 * path.path_nl if change_nl is None else change_nl
    for pushed_nl in range(1, flow_nl + 1):
        path.push(1, at_tip)
        assert (path.implanted.plugs[0].mixture != at_tip) == (pushed_nl == change_nl)


@given(_sizes, _lives)
def test_neighbours_in_a_path_are_unlike_and_no_plug_is_empty(sizes: tuple[int, int, int], life: list[Act]) -> None:
    path = lived(sizes, life)
    for column in (path.tubing, path.implanted, path.held):
        assert all(plug.volume_nl > 0 for plug in column.plugs)
        assert all(one.mixture != next_one.mixture for one, next_one in pairwise(column.plugs))
    assert path.held.volume_nl <= path.compliance_nl
    assert path.tubing.volume_nl == sizes[0]


@given(_sizes, _lives, _flows)
def test_what_is_only_remembered_for_speed_changes_nothing(
    sizes: tuple[int, int, int], life: list[Act], act: Act
) -> None:
    path, forgetful = lived(sizes, life), lived(sizes, life)
    forgetful.plain = None
    assert do(forgetful, act) == do(path, act)
    assert canonical(forgetful) == canonical(path)


def test_a_path_that_is_full_of_one_mixture_is_known_to_be() -> None:
    path = Catheter.filled(240, 178, CSF, compliance_nl=0)
    path.push(417, MORPHINE)
    assert path.plain is None
    path.push(1, MORPHINE)
    assert path.plain == MORPHINE


def test_a_kink_takes_what_it_can_hold_and_its_release_gives_it_at_once() -> None:
    path = Catheter.filled(240, 178, MORPHINE, compliance_nl=50)
    path.occlude()
    assert [(path.push(20, MORPHINE), path.room_nl()) for _ in range(4)] == [(20, 30), (20, 10), (10, 0), (0, 0)]
    assert (path.tip.volume_nl, path.held.volume_nl) == (0, 50)
    path.release()
    assert (path.tip.volume_nl, path.held.volume_nl) == (50, 0)


def test_a_leak_takes_its_share_to_the_nanolitre() -> None:
    """A seventh, more or less: of a million single nanolitres as much as of a million at once."""
    path = Catheter.filled(0, 10, MORPHINE, compliance_nl=0)
    path.leak(142_857)
    for _ in range(7_000):
        path.push(1, MORPHINE)
    assert (path.pocket.volume_nl, path.tip.volume_nl) == (999, 6_001)
    path.push(993_000, MORPHINE)
    assert (path.pocket.volume_nl, path.tip.volume_nl) == (142_857, 857_143)


def test_with_a_leak_of_a_half_the_next_change_is_twice_as_far() -> None:
    path = Catheter.filled(0, 10, MORPHINE, compliance_nl=0)
    path.push(3, WEAKER)
    path.leak(500_000)
    assert path.next_change_nl() == 13, "the first, third, fifth and so on reach the catheter"
    path.push(1, WEAKER)
    assert path.next_change_nl() == 12, "now it is the turn of the leak"


def test_a_plug_that_leaks_away_is_no_change_at_the_tip() -> None:
    path = Catheter.filled(3, 4, MORPHINE, compliance_nl=0)
    path.push(1, WEAKER)
    path.push(1, MORPHINE)
    assert path.next_change_nl() == 5
    path.leak(500_000)
    assert path.next_change_nl() is None
    path.push(100, MORPHINE)
    assert path.tip.portions() == [(52, MORPHINE)]
    assert path.pocket.portions() == [(1, WEAKER), (49, MORPHINE)]


def test_a_kink_behind_a_leak_sends_everything_into_the_pocket() -> None:
    path = Catheter.filled(10, 10, MORPHINE, compliance_nl=5)
    path.occlude()
    path.push(5, MORPHINE)
    path.leak(1)
    assert path.room_nl() == NO_LIMIT_NL
    assert path.push(100, MORPHINE) == 100
    assert (path.pocket.volume_nl, path.tip.volume_nl, path.held.volume_nl) == (105, 0, 0)


def test_while_the_catheter_is_off_its_fluid_rests() -> None:
    path = Catheter.filled(10, 10, MORPHINE, compliance_nl=0)
    path.disconnect()
    path.push(30, WEAKER)
    assert path.pocket.portions() == [(10, MORPHINE), (20, WEAKER)]
    path.reconnect()
    assert path.next_change_nl() == 10
    path.push(15, WEAKER)
    assert path.tip.portions() == [(10, MORPHINE), (5, WEAKER)]


def test_flow_turned_round_brings_the_newest_fluid_back_first_and_csf_into_the_tip() -> None:
    path = Catheter.filled(10, 10, MORPHINE, compliance_nl=0)
    path.push(4, BOTH)
    assert path.pull(7) == [(4, BOTH), (3, MORPHINE)]
    path.push(5, BOTH)
    assert path.tip.portions() == [(4, MORPHINE), (5, CSF)]
    assert path.entered_nl == 7


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (Act("push", -1, MORPHINE), "pushed volume of -1 nl is negative"),
        (Act("push", -1, WEAKER), "pushed volume of -1 nl is negative"),
        (Act("pull", -1), "pulled volume of -1 nl is negative"),
        (Act("cut", -1), "length of -1 nl is negative"),
        (Act("replace", -1), "column of -1 nl is negative"),
        (Act("leak", -1), "a leak of -1 ppm is not a share"),
        (Act("leak", 1_000_001), "a leak of 1000001 ppm is not a share"),
    ],
)
def test_what_cannot_be_done_changes_nothing(act: Act, complaint: str) -> None:
    path = Catheter.filled(10, 10, MORPHINE, compliance_nl=5)
    before = canonical(path)
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        do(path, act)
    assert canonical(path) == before


def test_a_path_of_no_volume_can_be_had_but_none_of_less() -> None:
    path = Catheter.filled(0, 0, MORPHINE, compliance_nl=0)
    path.push(3, WEAKER)
    assert path.tip.portions() == [(3, WEAKER)]
    bare = Catheter.filled(4, 0, MORPHINE, compliance_nl=0)
    bare.push(1, WEAKER)
    assert bare.next_change_nl() == 3
    with pytest.raises(ValueError, match=r"^column of -1 nl is negative$"):
        Catheter.filled(0, -1, MORPHINE, compliance_nl=0)
    with pytest.raises(ValueError, match=r"^compliance of -1 nl is negative$"):
        Catheter.filled(0, 0, MORPHINE, compliance_nl=-1)
    with pytest.raises(ValueError, match=r"^a catheter of 0 nl cannot lose 1 nl$"):
        path.cut(1)
