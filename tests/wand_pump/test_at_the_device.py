"""The older pump behind its wire: programmed, bolused, hurt by every line fault, and doubly dosed by a lost answer."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wand_pump.frames import frame_of
from wand_pump.messages import ANSWER_BIT, BOLUS, IDENTIFY, NAK, OPERATIONS, SET_RATE, START, STATUS, STOP, Why

from emulator.assembly import shipped_profiles
from emulator.device import Device
from emulator.events import BytesRejected, FaultFired, FrameInjected, FrameSeen, Logged, SessionChanged
from emulator.faults.arming import arming
from emulator.faults.registry import REGISTRY
from emulator.faults.syntax import FaultSyntaxError
from emulator.inputs import CutPower, Input, LineChange, ReplaceKeys, RestorePower
from emulator.protocols import ProtocolError
from emulator.trace import trace_line
from emulator.wire import Guard, WireSetting
from firmware_model.pump import Pump
from tests.wand_pump.wand import PATIENCE_US, SERIAL, WAND, Wand, new_device, read, request

ROOT = Path(__file__).parents[2]
DAY_S = 86_400
PUBLIC = {
    "emulator.wire",
    "firmware_model.commands",
    "firmware_model.firmware.codes",
    "firmware_model.firmware.program_image",
    "firmware_model.pump_events",
}
"""What a package may lean on, as docs/your-own-protocol.md says."""
SOME_WRITES = [1, 2, *range(10, 450, 40), 1_000]
"""Of the memory's writes for a first bolus: the lease's, the bolus's own, and one that is never made."""
PUBLIC = {
    "emulator.wire",
    "firmware_model.commands",
    "firmware_model.firmware.codes",
    "firmware_model.firmware.program_image",
    "firmware_model.pump_events",
}
"""What a package may lean on, as docs/your-own-protocol.md says."""
MORE_THAN_A_LEASE = 8
"""Memory writes: those of a bolus come behind those of the lease that it is given under."""


@pytest.fixture
def wand() -> Wand:
    held = Wand(new_device())
    held.open()
    return held


def arm(wand: Wand, fault: str) -> None:
    wand.device.control(arming(fault, wand.device.fault_names), wand.device.now_us)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("tag-flip answer BOLUS", "needs frames with a tag and a counter, and the protocol of this pump has none"),
        ("counter-skip answer BOLUS", "needs frames with a tag and a counter, and the protocol of this pump has none"),
        ("session-drop answer BOLUS", "needs sessions, and the protocol of this pump has none"),
        ("drop event any", "no event ever goes on this line; allowed are request, answer"),
    ],
)
def test_faults_that_this_protocol_has_no_place_for_are_refused(wand: Wand, fault: str, why: str) -> None:
    with pytest.raises(FaultSyntaxError, match=f"{why}$"):
        arm(wand, fault)
    assert wand.device.armed_faults() == ()


def test_a_wand_that_is_pulled_away_hears_nothing_until_it_is_back(wand: Wand) -> None:
    arm(wand, "disconnect answer STOP lasting=2s")
    assert wand.send(request(STOP)) == b""
    wand.open()
    assert wand.send(request(STATUS)) == b""
    wand.wait(2)
    wand.open()
    assert wand.ask(STATUS)["running"] == 0


def test_who_it_is_and_what_it_does(wand: Wand) -> None:
    assert wand.ask(IDENTIFY) == {"serial_number": SERIAL}
    status = wand.ask(STATUS)
    # 620 uL a day are 25.83 uL an hour.
    assert status == {"running": 1, "rate": 258, "reservoir": 200, "bolus_left": 0, "alarms": 0}


@pytest.mark.parametrize("profile", shipped_profiles())
def test_a_rate_is_programmed_in_its_own_units(profile: str) -> None:
    wand = Wand(new_device(profile))
    # 100 uL an hour are 2.4 mL a day.
    assert wand.ask(SET_RATE, 1_000) == {"rate": 1_000}
    if not wand.ask(STATUS)["running"]:
        wand.ask(START)
    assert wand.ask(STATUS)["rate"] == 1_000
    before = wand.delivered_nl()
    wand.wait(DAY_S)
    assert wand.delivered_nl() - before == 2_400_000


def test_a_bolus_is_given_over_its_minutes(wand: Wand) -> None:
    wand.ask(STOP)
    wand.ask(START)
    assert wand.ask(BOLUS, 50, 10) == {"volume": 50, "duration": 10}
    assert wand.ask(STATUS)["bolus_left"] == 50
    wand.wait(300)
    assert wand.ask(STATUS)["bolus_left"] == 25
    assert wand.refusal(BOLUS, 50, 10) == {"reason": Why.NOT_NOW, "limit": 0}
    wand.wait(300)
    assert wand.ask(STATUS)["bolus_left"] == 0


def test_the_rate_stays_as_it_is_while_a_bolus_runs(wand: Wand) -> None:
    wand.ask(BOLUS, 50, 10)
    assert wand.refusal(SET_RATE, 1_000) == {"reason": Why.NOT_NOW, "limit": 0}
    assert wand.ask(STATUS)["rate"] == 258
    wand.wait(600)
    assert wand.ask(SET_RATE, 1_000)


def test_stopping_ends_a_bolus_and_starting_resumes_the_rate(wand: Wand) -> None:
    wand.ask(BOLUS, 50, 10)
    wand.ask(STOP)
    assert wand.ask(STATUS) | {"reservoir": 0} == {
        "running": 0,
        "rate": 0,
        "reservoir": 0,
        "bolus_left": 0,
        "alarms": 0,
    }
    assert wand.refusal(BOLUS, 50, 10)["reason"] == Why.NOT_NOW
    wand.ask(STOP)
    wand.ask(START)
    assert wand.refusal(START)["reason"] == Why.NOT_NOW
    assert wand.ask(STATUS)["rate"] == 258


@pytest.mark.parametrize(
    ("operation", "asked", "why", "limit", "admitted"),
    [
        # 48 uL a day are the least, 24 mL the most; a bolus is 1 to 1,000 uL, and 24 mL a day are its fastest.
        (SET_RATE, (19,), Why.TOO_LOW, 20, (20,)),
        (SET_RATE, (10_001,), Why.TOO_HIGH, 10_000, (10_000,)),
        (BOLUS, (0, 10), Why.TOO_LOW, 1, (1, 10)),
        (BOLUS, (1_001, 200), Why.TOO_HIGH, 1_000, (1_000, 200)),
        (BOLUS, (100, 5), Why.TOO_LOW, 6, (100, 6)),
        # 378 s: a limit of part of a minute is the next whole one.
        (BOLUS, (105, 6), Why.TOO_LOW, 7, (105, 7)),
    ],
)
def test_a_refusal_names_its_limit_in_the_units_of_this_wire(
    wand: Wand, operation: int, asked: tuple[int, ...], why: Why, limit: int, admitted: tuple[int, ...]
) -> None:
    before = wand.ask(STATUS)
    assert wand.refusal(operation, *asked) == {"reason": why, "limit": limit}
    assert wand.ask(STATUS) == before
    assert wand.device.pump.firmware.stages == [], "what was staged is given up"
    assert wand.ask(operation, *admitted)


@pytest.mark.parametrize("raw", [frame_of(0x55, b""), frame_of(STOP, b"\x00"), frame_of(BOLUS, b"\x00")])
def test_a_request_that_is_none_is_refused(wand: Wand, raw: bytes) -> None:
    answer = wand.send(raw)
    assert answer == frame_of(raw[2] | ANSWER_BIT, bytes((NAK, Why.FORMAT, 0, 0)))


def test_the_pump_never_speaks_first_and_takes_its_time(wand: Wand) -> None:
    device = wand.device
    wand.wait(DAY_S)
    assert device.data_to_send(device.now_us) == b""
    device.receive(request(STATUS), device.now_us)
    assert device.session_open, "the exchange takes the time that it takes, whatever the speed"
    sent_at = device.now_us
    due = device.wire.next_deadline()
    assert due is not None
    device.advance(due - 1)
    assert device.data_to_send(device.now_us) == b""
    device.advance(due)
    answer = device.data_to_send(device.now_us)
    assert due - sent_at == 5_000 + len(answer) * 10 * 1_000_000 // 4_800
    assert not device.session_open


def test_while_it_answers_it_hears_nothing(wand: Wand) -> None:
    device = wand.device
    device.receive(request(STATUS) + request(STOP), device.now_us)
    device.receive(request(STOP)[:3], device.now_us)
    rejected = [event for event in wand.events() if isinstance(event, BytesRejected)]
    assert [(event.reason, event.raw) for event in rejected] == [
        ("came while the pump was answering", request(STOP)),
        ("came while the pump was answering", request(STOP)[:3]),
    ]
    device.advance(device.now_us + PATIENCE_US)
    assert read(device.data_to_send(device.now_us)).values["running"] == 1
    device.receive(request(STOP)[3:], device.now_us)
    (rest,) = [event for event in wand.events() if isinstance(event, BytesRejected)]
    assert rest.reason == "noise", "the half that it has heard is none"


def test_there_are_no_sessions_and_no_keys(wand: Wand) -> None:
    wand.ask(BOLUS, 50, 10)
    assert not [event for event in wand.events() if isinstance(event, SessionChanged)]
    assert wand.device.guard is Guard.NO_KEYS
    with pytest.raises(ValueError, match="the protocol wand has no keys"):
        wand.device.control(ReplaceKeys({"reader": bytes(16)}), wand.device.now_us)
    with pytest.raises(ProtocolError, match="has no keys, so there are none to give or to waive"):
        WAND.new_wire(WireSetting(profile=wand.device.pump.profile, serial_number=1, insecure=True))


def test_the_trace_tells_of_it_as_of_any_other(wand: Wand) -> None:
    wand.events()
    wand.ask(SET_RATE, 120)
    lines = [trace_line(event).partition("  ")[2] for event in wand.events() if isinstance(event, FrameSeen | Logged)]
    assert lines[0] == "port 0  ->  SET_RATE  rate=120 x 0.1 uL/h  [0203030078b9d3]"
    assert lines[1].startswith("log #2  program_changed  op 1")
    assert lines[2].startswith("port 0  <-  SET_RATE  ACK rate=120 x 0.1 uL/h  [0204830600")


@pytest.mark.parametrize("direction", ["request", "answer"])
@pytest.mark.parametrize("verb", [kind.verb for kind in REGISTRY.values() if kind.needs is None])
def test_every_line_fault_strikes_its_frames(wand: Wand, verb: str, direction: str) -> None:
    arm(wand, f"{verb} {direction} STATUS nth=2")
    undisturbed = wand.send(request(STATUS))
    wand.events()
    came = wand.send(request(STATUS))
    told = wand.events()
    fired = [event for event in told if isinstance(event, FaultFired)]
    assert {tuple(event.fault.split()[:3]) for event in fired} == {(verb, direction, "STATUS")}
    # An old frame that says what the new one would have said is the same to everybody.
    assert verb == "stale" or came != undisturbed or any(isinstance(event, FrameInjected) for event in told)
    wand.device.control(RestorePower(), wand.device.now_us)
    wand.wait(60)
    wand.open()
    wand.device.data_to_send(wand.device.now_us)
    assert wand.device.armed_faults() == ()
    assert wand.ask(STATUS)["running"] == 1, "and then it is over"


@pytest.mark.parametrize(("lost", "doses"), [("request", 1), ("answer", 2)])
def test_who_asks_until_he_is_answered_gives_the_dose_of_a_lost_answer_twice(lost: str, doses: int) -> None:
    """The wire has no number for an intention, so no pump behind it can know a repetition."""
    wand, without = Wand(new_device()), Wand(new_device())
    arm(wand, f"drop {lost} BOLUS")
    assert wand.send(request(BOLUS, 50, 10)) == b""
    while read(wand.send(request(BOLUS, 50, 10))).verdict == "NAK":
        wand.wait(60)
    wand.wait(600)
    without.device.advance(wand.device.now_us)
    assert wand.delivered_nl() - without.delivered_nl() == doses * 50_000
    begun = [event for event in wand.events() if isinstance(event, Logged) and event.type == "bolus_started"]
    assert [event.op_id for event in begun] == list(range(1, doses + 1))


def test_a_power_cut_among_the_writes_of_a_bolus_gives_no_answer_and_the_pump_hears_again() -> None:
    survived = [at_write for at_write in SOME_WRITES if _survives_a_cut(at_write)]
    assert survived == SOME_WRITES[-1:], "only the last one comes too late"


def _survives_a_cut(at_write: int) -> bool:
    """Whether a bolus makes fewer writes than that, and is answered; if not, power comes back and nothing runs on."""
    wand = Wand(new_device())
    wand.device.control(CutPower(at_write=at_write), wand.device.now_us)
    answer = wand.send(request(BOLUS, 50, 10))
    if wand.device.has_power:
        assert read(answer).verdict == "ACK"
        return True
    assert answer == b""
    wand.device.control(RestorePower(), wand.device.now_us)
    status = wand.ask(STATUS)
    assert (status["running"], status["bolus_left"]) == (1, 0), "a bolus never resumes"
    return False


def test_who_leaves_is_owed_no_answer(wand: Wand) -> None:
    device = wand.device
    device.receive(request(STATUS), device.now_us)
    device.line(LineChange.CLOSED, device.now_us)
    device.line(LineChange.OPENED, device.now_us)
    device.advance(device.now_us + PATIENCE_US)
    assert device.data_to_send(device.now_us) == b""
    assert wand.ask(STATUS)


def test_two_wands_are_one_too_many_at_a_time(wand: Wand) -> None:
    other = Wand(wand.device, port=1)
    other.open()
    wand.device.receive(request(STATUS), wand.device.now_us, 0)
    assert other.send(request(STATUS)) == b"", "the pump was answering the first one"
    assert read(wand.device.data_to_send(wand.device.now_us, port=0)).verdict == "ACK"
    assert other.ask(STATUS)


STEPS = st.one_of(
    st.tuples(st.just("bytes"), st.binary(max_size=30)),
    st.tuples(
        st.just("bytes"),
        st.builds(
            frame_of,
            st.sampled_from([*OPERATIONS, 0x55, 0x82]),
            st.binary(max_size=4),
        ),
    ),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 10_000, 49_999, 50_000, 50_001, 3_600_000_000])),
)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=12))
def test_whatever_comes_it_answers_each_frame_that_it_hears_and_nothing_else(
    steps: list[tuple[str, bytes | int]],
) -> None:
    device = new_device()
    for _, what in steps:
        if isinstance(what, bytes):
            device.receive(what, device.now_us)
        else:
            device.advance(device.now_us + what)
    device.advance(device.now_us + PATIENCE_US)
    seen = [event for event in Wand(device).events() if isinstance(event, FrameSeen)]
    assert [event.direction for event in seen] == ["request", "answer"] * (len(seen) // 2)
    assert [event.name for event in seen[::2]] == [event.name for event in seen[1::2]]


def test_time_in_two_parts_is_time_in_one() -> None:
    digests = []
    for parts in ([DAY_S * 1_000_000], [1, 999_999, 3_600_000_000, DAY_S * 1_000_000 - 3_601_000_000]):
        device = new_device()
        Wand(device).ask(BOLUS, 50, 10)
        for part in parts:
            device.advance(device.now_us + part)
        digests.append(device.digest())
    assert digests[0] == digests[1]


def test_its_inputs_replayed_are_what_happened() -> None:
    """What a journal keeps: inputs with their times, of any protocol."""

    class Recorded(Device):
        inputs: ClassVar[list[Input]] = []

        def apply(self, happening: Input) -> None:
            self.inputs.append(happening)
            super().apply(happening)

    pump = new_device().pump
    setting = WireSetting(profile=pump.profile, serial_number=SERIAL)
    wand = Wand(Recorded(Pump(pump.profile, SERIAL), WAND.new_wire(setting)))
    wand.open()
    arm(wand, "drop answer BOLUS")
    wand.send(request(SET_RATE, 120) + b"rest")
    wand.send(request(BOLUS, 50, 10)[:4])
    wand.send(request(BOLUS, 50, 10))
    wand.wait(DAY_S)
    again = Wand(Device(Pump(pump.profile, SERIAL), WAND.new_wire(setting)))
    for happening in Recorded.inputs:
        again.device.apply(happening)
    told = wand.events()
    assert any(isinstance(event, FaultFired) for event in told)
    assert any(isinstance(event, BytesRejected) and event.reason == "a pause within a frame" for event in told)
    assert again.events() == told
    assert again.device.digest() == wand.device.digest()


def test_no_line_of_the_emulator_is_there_for_its_sake() -> None:
    named = [path.name for path in (ROOT / "emulator").rglob("*.py") if "wand" in path.read_text(encoding="utf-8")]
    assert named == []


def test_it_knows_the_seam_and_the_words_of_the_model_and_nothing_else() -> None:
    package = ROOT / "tests" / "wand_pump" / "src" / "wand_pump"
    imported = {
        node.module
        for path in package.glob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    }
    foreign = {module for module in imported if module.partition(".")[0] in ("emulator", "firmware_model", "protocol")}
    assert foreign <= PUBLIC
    page = (ROOT / "docs" / "your-own-protocol.md").read_text(encoding="utf-8")
    assert all(f"| `{module}` |" in page for module in PUBLIC)
