"""Channels of flow: no remainder is lost, and the instant at which a number of steps is reached is exact."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_model.firmware.flow import Flow
from firmware_model.quantities import US_PER_DAY

_waits = st.integers(0, 10**10)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """A flow in the middle of things: with or without base rate and bolus, each somewhere within a step."""
    flow = Flow(draw(st.sampled_from([1, 25, 40, 1_000])))
    flow.set_base_rate(draw(st.sampled_from([0, 1, 48_000, 620_000, 777_777, 4_294_967_294])))
    flow.pass_time(draw(_waits))
    if draw(st.booleans()):
        flow.begin_bolus(draw(st.integers(1, 40_000)), draw(st.integers(1, 604_800)) * 1_000_000)
        flow.pass_time(draw(st.integers(0, 60_000_000)))
    if draw(st.booleans()):
        flow.set_base_rate(draw(st.sampled_from([0, 96_000])))
    return flow


def steps_in(flow: Flow, elapsed_us: int) -> int:
    """Steps of both channels, each as one floor of its whole phase."""
    channels = [flow.base] + ([flow.bolus] if flow.bolus else [])
    return sum((channel.phase + channel.gain * elapsed_us) // channel.threshold for channel in channels)


@given(flows(), st.integers(-2, 100_000))
def test_the_wait_for_steps_is_the_least_that_brings_them(flow: Flow, steps: int) -> None:
    wait_us = flow.us_until(steps)
    if steps <= 0:
        assert wait_us == 0
    elif flow.base.gain == 0 and flow.bolus is None:
        assert wait_us is None
    else:
        assert wait_us is not None
        assert steps_in(flow, wait_us) >= steps
        assert steps_in(flow, wait_us - 1) < steps


@given(flows(), st.lists(_waits, max_size=6))
def test_time_in_pieces_brings_the_steps_and_the_phase_of_time_as_a_whole(flow: Flow, waits: list[int]) -> None:
    expected = steps_in(flow, sum(waits))
    made = sum(sum(flow.pass_time(wait)) for wait in waits)
    assert made == expected
    assert flow.base.threshold == flow.step_volume_nl * US_PER_DAY
    assert 0 <= flow.base.phase < flow.base.threshold
