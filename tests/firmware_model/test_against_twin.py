"""The model, which jumps from event to event, against a twin that makes one motor step after the other."""

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from firmware_model.commands import Reason, Refusal, Reply
from firmware_model.profile import Profile
from firmware_model.pump import Recorded
from tests.firmware_model.bedside import SECOND, Bedside, refused
from tests.firmware_model.naive_twin import Happening, NaiveTwin
from tests.firmware_model.programmes import LEASE, Act, Hand, programmes
from tests.firmware_model.pump_profiles import LONG_LOG, changed


def happened_at(bedside: Bedside) -> list[Happening]:
    """The pump's events in the twin's words: whose command it was is left out."""
    told = []
    for happened in bedside.events():
        assert isinstance(happened, Recorded)
        detail = {name: value for name, value in happened.record.detail.items() if name not in ("role", "host_id")}
        told.append((happened.at_us, happened.record.type.name, detail))
    return told


def word(reply: Reply | None) -> str:
    return reply.reason.name if isinstance(reply, Refusal) else ""


def do_to_twin(twin: NaiveTwin, act: Act, bolus_id: int) -> str:
    match act.what:
        case "stop":
            return twin.stop()
        case "start":
            return twin.start()
        case "prepare":
            return twin.prepare(act.volume_nl, act.duration_s)
        case "execute":
            return twin.execute(bolus_id)
        case "cancel":
            return twin.cancel(bolus_id)
        case "program":
            assert act.program is not None
            return twin.change_program(act.program)
    return ""


def small_pumps() -> st.SearchStrategy[Profile]:
    """Small pumps whose steps do not fall on round instants, with levels that lie close or together or above."""

    def build(step_nl: int, rate: int, least: int, quantum: int, initial: int, low: int, empty: int) -> Profile:
        profile = changed(LONG_LOG, "motor", step_volume_nl=step_nl)
        profile = changed(profile, "therapy", rate_nl_per_day=rate, rate_min_nl_per_day=least)
        profile = changed(profile, "therapy", rate_quantum_nl_per_day=quantum)
        return changed(profile, "reservoir", initial_volume_nl=initial, low_nl=low, empty_nl=min(empty, low))

    odd = st.builds(
        build,
        st.sampled_from([997, 1_000, 1_001, 2_500]),
        st.sampled_from([8_640_000, 7_777_777, 30_000_001, 1]),
        st.sampled_from([1, 1_234_567]),
        st.sampled_from([1, 1_000, 999_999]),
        st.integers(0, 300_000).map(lambda used: 300_000 - used),
        st.integers(0, 200_000),
        st.integers(0, 200_000),
    )
    return st.one_of(st.just(LONG_LOG), odd)


@settings(max_examples=200, deadline=None)
@given(small_pumps(), programmes)
@example(LONG_LOG, [Act(0, "prepare", 200_000, 600), Act(LEASE, "execute")])
@example(LONG_LOG, [Act(0, "prepare", 200_000, 3_600), Act(LEASE - 1, "execute"), Act(3_000 * SECOND, "pass")])
def test_the_model_and_the_twin_tell_the_same_story(profile: Profile, programme: list[Act]) -> None:
    bedside, twin = Bedside(profile), NaiveTwin(profile)
    hand = Hand(bedside)
    for act in [*programme, Act(400 * SECOND, "pass")]:
        bolus_id = hand.last[0]
        bedside.pump.advance(bedside.now + act.after_us)
        twin.advance(twin.now + act.after_us)
        assert bedside.pump.plant.motor.steps == twin.steps
        assert word(hand.do(act)) == do_to_twin(twin, act, bolus_id)
        assert bedside.pump.firmware.reservoir_nl == twin.reservoir_nl
        assert bedside.op_high() == twin.op_high
    told = happened_at(bedside)
    assert told == twin.happened
    for _, name, detail in told:
        event(name + (f" reason {detail['reason']}" if "reason" in detail else ""))


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
    twin.prepare(steps * 1_000, duration_s)
    twin.execute(1)
    twin.advance(start_us + 100 * SECOND)
    made = 0
    for instant in sorted(set(twin.stepped_at)):
        if instant > bedside.now:
            bedside.pump.advance(instant - 1)
            assert bedside.pump.plant.motor.steps == made
            bedside.pump.advance(instant)
        made = sum(at <= instant for at in twin.stepped_at)
        assert bedside.pump.plant.motor.steps == made


def test_a_bolus_whose_last_step_empties_the_reservoir_is_done_and_then_the_pump_stops() -> None:
    """Bolus end, low reservoir and empty reservoir at one instant, in this order."""
    profile = changed(LONG_LOG, "reservoir", initial_volume_nl=100_000, low_nl=50_000, empty_nl=50_000)
    bedside = Bedside(changed(profile, "therapy", rate_nl_per_day=1))
    bedside.bolus(50_000, 100)
    bedside.events()
    bedside.wait(99.999_999)
    assert bedside.words() == []
    bedside.wait(0.000_001)
    assert bedside.words() == ["BOLUS_ENDED", "ALARM_RAISED", "ALARM_RAISED", "THERAPY_STOPPED"]
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


def test_a_year_at_the_least_rate_is_exact() -> None:
    bedside = Bedside(changed(LONG_LOG, "therapy", rate_nl_per_day=599))
    bedside.pump.advance(365 * 86_400 * SECOND)
    assert bedside.pump.plant.motor.steps == 365 * 599 // 1_000


def test_what_is_leased_is_admitted_by_execute() -> None:
    """Rounded down to whole steps of 997 nl, the least bolus of 1,000 nl would be too small."""
    bedside = Bedside(changed(LONG_LOG, "motor", step_volume_nl=997))
    assert refused(bedside.prepare(1_000, 10)) == Refusal(Reason.BELOW_MINIMUM, "volume_nl", detail=1_000)
    assert bedside.bolus(1_994, 10).state.name == "EXECUTING"
