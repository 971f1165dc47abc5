"""The model, which jumps from event to event, against a twin that goes from one instant, and one step, to the next."""

from collections import Counter
from random import Random

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import BolusKind, Mode
from firmware_model.firmware.program import PatientBolusSetting
from firmware_model.firmware.schedule import Change
from firmware_model.profile import Profile
from tests.firmware_model.bedside import SECOND, Bedside, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import LONG_LOG, changed
from tests.firmware_model.random_histories import DAY, ROOMY, Act, Acts, a_pump, faults_of, histories, only
from tests.firmware_model.twin.naive_pump import NaiveTwin
from tests.firmware_model.twin.side_by_side import TWIN_ACTS, SideBySide, tell_the_same_story
from tests.firmware_model.twin.story import Dosing

LEASE = 30 * SECOND
MONDAY = 1_893_369_600
"""2029-12-31 00:00 UTC."""


def pump_of(seed: int) -> Profile:
    return a_pump(Random(seed))  # noqa: S311 (chance for a test)


def lived(history: list[Act], pump: SideBySide | None = None) -> SideBySide:
    pump = pump or SideBySide(ROOMY)
    pump.live(history)
    return pump


def noted(pump: SideBySide) -> None:
    """What happened, for whoever asks Hypothesis."""
    for happening in pump.told:
        event(happening.word)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999).flatmap(lambda seed: st.tuples(st.just(seed), histories(pump_of(seed), TWIN_ACTS))))
def test_the_model_and_the_twin_tell_the_same_story(world: tuple[int, list[Act]]) -> None:
    pump, history = pump_of(world[0]), world[1]
    noted(lived(history, SideBySide(pump)))


FOCUS: dict[str, Acts] = {
    "schedules and the clock": {**only("flex", "time", "run"), **faults_of("clock-drift", "clock-jump", "clock-loss")},
    "patients": only("presses", "bolus", "refill", "cancel", "run"),
    "fluid": {**only("refill", "bolus", "program"), **faults_of("stall", "missed-steps", "gain-error")},
    "alarms": {**only("alarm", "pause", "run", "wait"), **faults_of("stall", "intermittent-stall")},
}


@settings(max_examples=10, deadline=None)
@given(histories(ROOMY, FOCUS["schedules and the clock"]))
@example(
    [
        Act(0, "change_program", {"program": new_program(ROOMY, mode=Mode.FLEX, rate_nl_per_day=400_000, schedule=(
            *(((Change(0, 100_000), Change(1_439, 900_000)),) * 6), (Change(0, 300_000),)))}),
        Act(0, "set_time", {"unix_s": MONDAY - 30, "offset_min": 0}),
        Act(DAY, "set_time", {"unix_s": MONDAY - 1, "offset_min": 1}),
        Act(7 * DAY, "set_time", {"unix_s": MONDAY + 3 * 86_400, "offset_min": -1_440}),
    ]
)  # fmt: skip
def test_flex_across_midnight_and_the_weeks_end_with_a_clock_that_is_set_and_drifts(history: list[Act]) -> None:
    noted(lived(history))


@settings(max_examples=10, deadline=None)
@given(histories(ROOMY, FOCUS["patients"]))
def test_patient_boluses_within_lockout_window_and_the_rolling_limit(history: list[Act]) -> None:
    noted(lived(history))


@settings(max_examples=10, deadline=None)
@given(histories(ROOMY, FOCUS["fluid"]))
def test_what_leaves_the_tip_and_of_which_mixture(history: list[Act]) -> None:
    noted(lived(history))


@settings(max_examples=10, deadline=None)
@given(histories(ROOMY, FOCUS["alarms"]))
def test_alarms_and_their_tones(history: list[Act]) -> None:
    noted(lived(history))


WORDS = """
    BOLUS_STARTED BOLUS_ENDED BOLUS_CANCELLED THERAPY_STARTED THERAPY_STOPPED PROGRAM_CHANGED REFILLED TIME_SET
    DELIVERED ALARM_RAISED ALARM_CLEARED ALARM_SILENCED ALARM_ACKNOWLEDGED STALL_ENDED
    LOCKOUT WINDOW_LIMIT RESERVOIR BOLUS_RUNNING PUMP_STOPPED ALARM_BLOCKS CONCENTRATION_MISMATCH CONDITIONS
    ABOVE_MAXIMUM BELOW_MINIMUM LEASE_EXPIRED NO_SUCH_BOLUS ALREADY_IN_STATE KIND
"""
"""What the twin's log tells, and why it refuses."""


def test_the_campaign_comes_to_all_that_the_twin_knows() -> None:
    unheard = set(WORDS.split())
    for seed in range(100):
        world = tell_the_same_story(Random(seed))  # noqa: S311 (chance for a test)
        unheard -= {happening.word for happening in world.told} | {reply.split()[1] for reply in world.replies}
        if not unheard:
            break
    assert unheard == set()


def test_a_lease_can_be_executed_to_its_last_microsecond_and_no_longer() -> None:
    prepare = Act(0, "prepare", {"volume_nl": 200_000, "duration_s": 600, "kind": BolusKind.SINGLE, "session": 1})
    for after_us, said in ((LEASE - 1, "execute granted"), (LEASE, "execute LEASE_EXPIRED")):
        assert said in lived([prepare, Act(after_us, "execute")]).replies


def test_a_patient_presses_every_minute() -> None:
    """Five a day at the most, 20 minutes apart, in a day that has room for three."""
    setting = PatientBolusSetting(10_000, 120, 1_200, 86_400, 5)
    program = new_program(ROOMY, rate_nl_per_day=100_000, window_max_nl=130_000, patient=setting)
    presses = [Act(60 * SECOND, "patient_bolus") for _ in range(200)]
    said = Counter(lived([Act(0, "change_program", {"program": program}), *presses]).replies)
    assert said["patient_bolus granted"] == 3
    assert said["patient_bolus LOCKOUT"] > 20
    assert said["patient_bolus WINDOW_LIMIT"] > 20


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(2, 90), st.sampled_from([8_640_000, 7_777_777, 1]), st.integers(0, 9_999_999))
def test_every_step_falls_on_the_microsecond_of_its_definition(
    steps: int, duration_s: int, rate: int, start_us: int
) -> None:
    profile = changed(LONG_LOG, "therapy", rate_nl_per_day=rate)
    bedside, twin = Bedside(profile), NaiveTwin(profile)
    bedside.pump.advance(start_us)
    twin.advance(start_us)
    bedside.bolus(steps * 1_000, duration_s)
    twin.begin_bolus(Dosing(1, BolusKind.SINGLE, {}, 1, steps, duration_s * SECOND, start_us))
    twin.advance(start_us + 100 * SECOND)
    for instant in sorted(set(twin.stepped_at)):
        if instant > bedside.now:
            bedside.pump.advance(instant - 1)
            assert bedside.pump.plant.motor.steps == sum(at < instant for at in twin.stepped_at)
            bedside.pump.advance(instant)
        assert bedside.pump.plant.motor.steps == sum(at <= instant for at in twin.stepped_at)


def test_a_bolus_whose_last_step_empties_the_reservoir_is_done_and_then_the_pump_stops() -> None:
    """Bolus end, low reservoir and empty reservoir at one instant, in this order."""
    profile = changed(LONG_LOG, "reservoir", initial_volume_nl=100_000, low_nl=50_000, empty_nl=50_000)
    bedside = Bedside(changed(profile, "therapy", rate_nl_per_day=1))
    bedside.bolus(50_000, 100)
    bedside.events()
    bedside.wait(99.999_999)
    assert bedside.words() == []
    bedside.wait(0.000_001)
    told = [word for word in bedside.words() if word != "tone"]
    assert told == ["BOLUS_ENDED", "ALARM_RAISED", "ALARM_RAISED", "THERAPY_STOPPED"]
    assert [record.detail["type"] for record in bedside.log() if record.type.name == "ALARM_RAISED"] == [1, 2]
    assert bedside.query(1).state.name == "DONE"


def test_stop_and_start_keep_the_fraction_of_a_step() -> None:
    """The rotor does not turn back: 7 s before a stop and 3 s after it are one step of 10 s."""
    bedside = Bedside()
    bedside.wait(7)
    bedside.stop()
    bedside.wait(3_600)
    bedside.start()
    bedside.wait(2.999_999)
    assert bedside.pump.plant.motor.steps == 0
    bedside.wait(0.000_001)
    assert bedside.pump.plant.motor.steps == 1


def test_what_is_leased_is_admitted_by_execute() -> None:
    """Rounded down to whole steps of 997 nl, the least bolus of 1,000 nl would be too small."""
    bedside = Bedside(changed(LONG_LOG, "motor", step_volume_nl=997))
    assert refused(bedside.prepare(1_000, 10)) == Refusal(Reason.BELOW_MINIMUM, "volume_nl", detail=1_000)
    assert bedside.bolus(1_994, 10).state.name == "EXECUTING"
