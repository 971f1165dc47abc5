"""Random programmes: what a clinician does at a pump and how long she waits before it."""

from dataclasses import dataclass

from hypothesis import strategies as st

from firmware_model.commands import Refusal, Reply
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.program import Program
from tests.firmware_model.bedside import SECOND, Bedside
from tests.firmware_model.drug_programs import new_program, programs_near
from tests.firmware_model.pump_profiles import LONG_LOG


@dataclass(frozen=True)
class Act:
    """One thing that is done, `after_us` after the one before it."""

    after_us: int
    what: str
    volume_nl: int = 0
    duration_s: int = 0
    program: Program | None = None


LEASE = 30 * SECOND
# A step falls each 10 s: its very instant, one microsecond beside it, and anything.
_waits = st.one_of(
    st.just(0),
    st.sampled_from([1, LEASE, LEASE - 1, 10 * SECOND, 10 * SECOND - 1]),
    st.integers(0, 100 * SECOND),
    st.integers(0, 1_500 * SECOND),
)
_volumes = st.one_of(st.integers(900, 30_000), st.integers(0, 210_000))
_durations = st.one_of(st.integers(1, 60), st.integers(0, 3_700))

_plain = st.builds(Act, _waits, st.sampled_from(["stop", "start", "start", "execute", "cancel", "pass"]))
_prepare = st.builds(Act, _waits, st.just("prepare"), _volumes, _durations)
_bolus = st.builds(
    lambda prepare, after_us: [prepare, Act(after_us, "execute")],
    _prepare,
    st.one_of(st.just(0), st.integers(0, LEASE + 1)),
)

_rates = st.one_of(st.sampled_from([8_640_000, 7_777_777, 24_000_000]), st.integers(1, 24_000_000))
_levels = st.one_of(st.just(120_000), st.integers(50_000, 300_000))
_programs = st.one_of(
    st.builds(lambda mode, rate: new_program(mode=mode, rate_nl_per_day=rate), st.sampled_from(Mode), _rates),
    st.builds(
        lambda rate, low_nl, bolus_nl: new_program(
            rate_nl_per_day=rate, low_reservoir_nl=low_nl, bolus_volume_max_nl=bolus_nl
        ),
        _rates,
        _levels,
        st.one_of(st.just(200_000), st.integers(1_000, 200_000)),
    ),
    programs_near(LONG_LOG),
)
_program = st.builds(lambda after_us, program: Act(after_us, "program", program=program), _waits, _programs)

_pause = st.builds(lambda before_us, pause_us: [Act(before_us, "stop"), Act(pause_us, "start")], _waits, _waits)
_one = st.one_of(_plain, _program).map(lambda act: [act])

programmes = st.lists(
    st.one_of(_one, _prepare.map(lambda act: [act]), _bolus, _bolus, _pause), min_size=2, max_size=12
).map(lambda groups: [act for group in groups for act in group])

_power = st.builds(Act, _waits, st.sampled_from(["cut", "restore", "restore"]))
programmes_with_cuts = st.lists(
    st.one_of(_one, _bolus, _bolus, _pause, _power.map(lambda act: [act])), min_size=2, max_size=14
).map(lambda groups: [act for group in groups for act in group])


class Hand:
    """Does what a programme says, and quotes what was prepared last."""

    def __init__(self, bedside: Bedside) -> None:
        self.bedside = bedside
        self.last = (1, 0, 0)

    def do(self, act: Act) -> Reply | None:
        """The act itself; the time before it has passed already."""
        bedside = self.bedside
        match act.what:
            case "stop":
                return bedside.stop()
            case "start":
                return bedside.start()
            case "prepare":
                reply = bedside.prepare(act.volume_nl, act.duration_s)
                if reply is not None and not isinstance(reply, Refusal):
                    steps = act.volume_nl // bedside.step_nl
                    self.last = (
                        bedside.pump.firmware.record.next_bolus_id - 1,
                        steps * bedside.step_nl,
                        act.duration_s,
                    )
                return reply
            case "execute":
                return bedside.execute(*self.last)
            case "cancel":
                return bedside.cancel(self.last[0])
            case "program":
                assert act.program is not None
                return bedside.program(act.program)
            case "cut":
                bedside.cut_power()
            case "restore":
                bedside.restore_power()
        return None
