"""Failed attempts: they cost the guesser his tries, the clinician a minute at most, and no cut of power buys one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.device import Device
from emulator.events import Logged
from emulator.inputs import CutPower, LineChange, RestorePower
from firmware_model.memory import CutMode
from protocol.handshake import Opening
from protocol.messages.codes import Role
from protocol.messages.link import AuthAnswer, AuthRequest, KeepaliveRequest
from protocol.refusals import OK, Nak, NakCode
from tests.device.desk import SECOND, happened, new_device, of_kind
from tests.device.hand_host import HandHost, nothing_moves
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
LONGEST_S = 60
# What the specification says: seconds to wait behind so many failures in a row; 60 behind all further ones.
WAITS_S = (0, 0, 0, 0, 0, 15, 30)
WRONG = AuthRequest(host_cryptogram=b"a guess!")
ROLES = tuple(Role)


@dataclass
class Guesser:
    """Somebody at a port who tries as often as the pump lets him, and gives the pump its power back when it is gone."""

    device: Device
    port: int = 0
    role: Role = Role.CLINICIAN
    host: HandHost = field(init=False)

    def __post_init__(self) -> None:
        self.host = HandHost(self.device, self.role, 0x0BAD, self.port)

    def guess(self) -> Nak | None:
        """OPEN and a wrong AUTH; None where the pump has lost its power on the way."""
        for request in (self.host.wanted().request(), WRONG):
            answers = self.host.send(self.host.plain(request))
            if not answers:
                return None
            if answers[0].payload[0] != OK:
                return Nak.decode(answers[0].payload)
        raise AssertionError("a guess opened a session")

    def power(self) -> None:
        self.device.control(RestorePower(), self.device.now_us)

    def cycle_power(self) -> None:
        self.device.control(CutPower(), self.device.now_us)
        self.power()

    def greedy_until(self, end_us: int) -> None:
        """Try, wait no longer than one is told to, and try again."""
        while self.device.now_us < end_us:
            self.power()
            refused = self.guess()
            waits_s = refused.detail if refused and refused.code in (NakCode.DELAY, NakCode.ATTEMPTS) else 0
            self.device.advance(min(end_us, self.device.now_us + waits_s * SECOND))


@contextmanager
def counted_checks() -> Iterator[list[tuple[Role, int]]]:
    """For each cryptogram that is compared within: whose it was to be, and when, by the pump's time."""
    checks: list[Any] = []
    compare = Opening.fits

    def counting(opening: Opening, request: AuthRequest) -> bool:
        checks.append(opening.role)
        return compare(opening, request)

    with patch.object(Opening, "fits", counting):
        yield checks


def most_checks(elapsed_us: int) -> int:
    """How many checks in a row the delays leave room for, the first at 0 and the last by then."""
    checks, at_us = 1, 0
    while True:
        at_us += (WAITS_S[checks] if checks < len(WAITS_S) else LONGEST_S) * SECOND
        if at_us > elapsed_us:
            return checks
        checks += 1


def at_device() -> Device:
    device = new_device(PROFILE, insecure=False)
    for port in (0, 1):
        device.line(LineChange.OPENED, 0, port)
    return device


def wait_for_session(host: HandHost) -> int:
    """How long a host that holds the key waits for its session, in microseconds; it does as it is told."""
    began_us = host.device.now_us
    while True:
        for step in (lambda: host.open(host.wanted()), host.auth):
            answer = step()
            if isinstance(answer, Nak):
                assert answer.code is NakCode.DELAY
                assert 0 < answer.detail <= LONGEST_S
                host.device.advance(host.device.now_us + answer.detail * SECOND)
                break
        else:
            return host.device.now_us - began_us


def test_the_waits_are_those_of_the_specification_and_the_answer_names_them() -> None:
    guesser = Guesser(at_device())
    for expected in [*WAITS_S[1:], 60, 60, 60]:
        refused = guesser.guess()
        assert refused == (Nak(NakCode.ATTEMPTS, detail=expected) if expected else Nak(NakCode.KEY))
        if expected:
            guesser.device.advance(guesser.device.now_us + expected * SECOND - 1)
            assert guesser.guess() == Nak(NakCode.DELAY, detail=1)
            guesser.device.advance(guesser.device.now_us + 1)


def test_a_session_that_was_opened_is_told_of_the_failures_before_it_and_they_count_no_more() -> None:
    guesser = Guesser(at_device())
    for _ in range(4):
        guesser.guess()
    host = HandHost(guesser.device)
    host.open(host.wanted())
    answer = host.auth()
    assert isinstance(answer, AuthAnswer)
    assert answer.failed_attempts == 4
    for _ in range(4):
        assert guesser.guess() == Nak(NakCode.KEY)


def test_a_failed_attempt_ends_no_live_session() -> None:
    device = at_device()
    host = HandHost(device).connect()
    with nothing_moves(device):
        for port in (0, 1):
            for _ in range(len(WAITS_S)):
                Guesser(device, port).guess()
    Guesser(device, port=0).greedy_until(100 * SECOND)
    assert host.verdict(host.sealed(KeepaliveRequest())) is None


def test_guesses_are_logged_once_a_minute_with_their_number() -> None:
    device = at_device()
    happened(device)
    Guesser(device, port=1).greedy_until(3_600 * SECOND)
    device.advance(3_700 * SECOND)
    told = [event for event in of_kind(happened(device), Logged) if event.type == "authentication_failed"]
    assert len(told) <= 61
    assert sum(event.detail["wrong_cryptograms"] for event in told) == most_checks(3_600 * SECOND - 1)


attempts = st.tuples(
    st.sampled_from([0, 1]),
    st.sampled_from(ROLES),
    st.one_of(st.just(0), st.integers(0, 70 * SECOND)),
    st.sampled_from(["guess", "open", "cut"]),
)


@settings(max_examples=40)
@given(st.lists(attempts, max_size=25), st.sampled_from([0, 1]))
def test_whatever_a_stranger_has_tried_the_clinician_waits_a_minute_at_most(
    story: list[tuple[int, Role, int, str]], port: int
) -> None:
    device = at_device()
    for at, role, waits_us, act in story:
        device.advance(device.now_us + waits_us)
        guesser = Guesser(device, at, role)
        match act:
            case "guess":
                guesser.guess()
            case "open":
                guesser.host.send(guesser.host.plain(guesser.host.wanted().request()))
            case _:
                device.control(CutPower(), device.now_us)
                guesser.power()
    assert wait_for_session(HandHost(device, port=port)) <= LONGEST_S * SECOND


@settings(max_examples=20)
@given(st.integers(0, 300), st.sampled_from(ROLES))
def test_a_stranger_on_another_port_costs_the_clinician_nothing(seconds: int, role: Role) -> None:
    device = at_device()
    Guesser(device, port=1, role=role).greedy_until(seconds * SECOND)
    assert wait_for_session(HandHost(device, port=0)) == 0


def writes_of_a_guess(failures: int) -> int:
    guesser = Guesser(at_device())
    for _ in range(failures):
        guesser.guess()
    guesser.device.pump.memory.watched = True
    before = guesser.device.pump.memory.primitives
    guesser.guess()
    return guesser.device.pump.memory.primitives - before


@pytest.mark.parametrize("mode", list(CutMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("failures", [0, 4])
def test_no_cut_at_any_write_of_a_guess_buys_another_one(mode: CutMode, failures: int) -> None:
    """Around the check: the number for OPEN, the count before the check, the log behind it.

    The first record of a minute is a commit of the control record, of whose body every 15th write is enough.
    """
    writes = writes_of_a_guess(failures)
    assert writes > 4
    for write in sorted({*range(1, min(writes, 20)), *range(20, writes, 15), writes - 1, writes}):
        guesser = Guesser(at_device())
        with counted_checks() as checks:
            for _ in range(failures):
                guesser.guess()
            guesser.device.control(CutPower(write, mode, torn_bytes=write % 7 + 1), 0)
            guesser.guess()
            assert not guesser.device.has_power
            guesser.greedy_until(20 * SECOND)
        assert len(checks) <= most_checks(20 * SECOND - 1)


def test_who_cuts_the_power_while_a_delay_runs_waits_for_all_of_it_again() -> None:
    guesser = Guesser(at_device())
    for _ in range(6):
        guesser.guess()
    guesser.device.advance(14 * SECOND)
    guesser.cycle_power()
    assert guesser.guess() == Nak(NakCode.DELAY, detail=15)


cuts = st.builds(CutPower, st.integers(1, 12), st.sampled_from(CutMode), st.integers(1, 7))
turns = st.lists(
    st.tuples(st.one_of(st.just(0), st.integers(0, 40 * SECOND)), st.one_of(st.none(), st.just(CutPower()), cuts)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40)
@given(turns)
def test_over_any_history_no_more_is_checked_than_the_delays_admit(
    story: list[tuple[int, CutPower | None]],
) -> None:
    """Guesses at any time, power cut at any write of any of them and of the boots between them."""
    guesser = Guesser(at_device())
    device = guesser.device
    first_us: int | None = None
    with counted_checks() as checks:
        for waits_us, cut in story:
            device.advance(device.now_us + waits_us)
            if cut is not None:
                device.control(cut, device.now_us)
                if cut.at_write is None:
                    guesser.power()
            guesser.guess()
            if checks and first_us is None:
                first_us = device.now_us
            guesser.power()
            assert len(checks) <= most_checks(device.now_us - (device.now_us if first_us is None else first_us))


def test_the_bound_on_checks_is_reached_by_one_who_waits_as_he_is_told() -> None:
    """It bounds no less than what the pump does: one check less would be too few."""
    guesser = Guesser(at_device())
    with counted_checks() as checks:
        guesser.greedy_until(200 * SECOND)
    assert len(checks) == most_checks(200 * SECOND - 1) == 9
