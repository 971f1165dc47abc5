"""Channels of flow: no remainder is lost, and the instant at which a number of steps is reached is exact."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_model.firmware.flow import Channel, Flow
from firmware_model.quantities import US_PER_DAY, US_PER_SECOND

_waits = st.integers(0, 10**10)


@st.composite
def boluses(draw: st.DrawFn) -> Channel:
    """So many steps over a duration, some of it over already."""
    channel = Channel(threshold=draw(st.integers(1, 604_800)) * US_PER_SECOND, gain=draw(st.integers(1, 40_000)))
    channel.pass_time(draw(st.integers(0, 60_000_000)))
    return channel


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """A flow in the middle of things: with or without base rate, dose and bolus, each somewhere within a step."""
    flow = Flow(draw(st.sampled_from([1, 25, 40, 1_000])))
    flow.base.gain = draw(st.sampled_from([0, 1, 48_000, 620_000, 777_777, 4_294_967_294]))
    flow.base.pass_time(draw(_waits))
    flow.dose = draw(st.none() | boluses())
    flow.bolus = draw(st.none() | boluses())
    if draw(st.booleans()):
        flow.base.gain = draw(st.sampled_from([0, 96_000]))
    return flow


def channels(flow: Flow) -> list[Channel]:
    return [channel for channel in (flow.base, flow.dose, flow.bolus) if channel is not None]


def steps_in(flow: Flow, elapsed_us: int) -> int:
    """Steps of all channels, each as one floor of its whole phase."""
    return sum((channel.phase + channel.gain * elapsed_us) // channel.threshold for channel in channels(flow))


@given(flows(), st.integers(-2, 100_000))
def test_the_wait_for_steps_is_the_least_that_brings_them(flow: Flow, steps: int) -> None:
    wait_us = flow.us_until(steps)
    if steps <= 0:
        assert wait_us == 0
    elif not any(channel.gain for channel in channels(flow)):
        assert wait_us is None
    else:
        assert wait_us is not None
        assert flow.steps_in(wait_us) == steps_in(flow, wait_us) >= steps
        assert steps_in(flow, wait_us - 1) < steps


@given(flows(), st.lists(_waits, max_size=6))
def test_time_in_pieces_brings_the_steps_and_the_phase_of_time_as_a_whole(flow: Flow, waits: list[int]) -> None:
    expected = steps_in(flow, sum(waits))
    made = sum(channel.pass_time(wait) for wait in waits for channel in channels(flow))
    assert made == expected
    assert flow.base.threshold == flow.step_volume_nl * US_PER_DAY
    assert all(0 <= channel.phase < channel.threshold for channel in channels(flow))


@given(st.integers(1, 40_000), st.integers(1, 604_800))
def test_a_bolus_makes_its_last_step_exactly_at_its_end(steps: int, duration_s: int) -> None:
    channel = Channel(threshold=duration_s * US_PER_SECOND, gain=steps)
    assert channel.us_until(steps) == duration_s * US_PER_SECOND
    assert channel.pass_time(duration_s * US_PER_SECOND - 1) == steps - 1
    assert (channel.pass_time(1), channel.phase) == (1, 0)
