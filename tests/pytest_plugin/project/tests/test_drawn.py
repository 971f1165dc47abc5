"""Whatever a tester does to a pump: Hypothesis looks for a history of deeds that disproves what holds."""

from hypothesis import HealthCheck, given, settings

from emulator.strategies import histories, play

HOUR_US = 3_600_000_000


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(within_us=HOUR_US))
def test_what_was_delivered_is_never_taken_back(pump, history) -> None:
    pump.control.clear_faults()
    pump.control.restore_power()
    before = pump.control.truth()
    play(history, pump.control)
    assert pump.control.truth()["delivered_nl"] >= before["delivered_nl"]
