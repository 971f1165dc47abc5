"""However bytes are cut and time is cut, the same bytes and events come out of a device."""

from dataclasses import dataclass, replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.events import BytesRejected, Event
from emulator.faults.registry import REGISTRY
from emulator.inputs import CutPower, LineChange, RestorePower
from emulator.lines import NO_CLIENT
from protocol.messages.codes import BolusKind, ChangedFlag, Role, TelemetryField
from protocol.messages.deliver import (
    BolusCancelRequest,
    BolusExecuteRequest,
    BolusPrepareRequest,
    StartRequest,
    StopRequest,
)
from protocol.messages.link import HelloRequest, LinkStatsRequest
from protocol.messages.log import LogReadRequest
from protocol.messages.op import OpListRequest, OpQueryRequest
from protocol.messages.read import StatusRequest
from protocol.messages.stream import ResetFlagsRequest, SubscribeRequest, UnsubscribeRequest
from tests.device.desk import SECOND, arm, frame_of, happened, new_device, turned
from tests.device.hand_host import HandHost, requests_of
from tests.firmware_model.pump_profiles import SMALL

_small = st.integers(1, 6)


def _execute(bolus_id: int, volume_nl: int, duration_s: int, op_id: int, therapy_rev: int) -> BolusExecuteRequest:
    return BolusExecuteRequest(
        bolus_id=bolus_id,
        volume_nl=volume_nl,
        volume_complement=turned(volume_nl),
        duration_s=duration_s,
        op_id=op_id,
        therapy_rev=therapy_rev,
    )


def _prepare(volume_nl: int, duration_s: int) -> BolusPrepareRequest:
    return BolusPrepareRequest(
        kind=BolusKind.SINGLE, volume_nl=volume_nl, volume_complement=turned(volume_nl), duration_s=duration_s
    )


# Volumes, durations, revisions and ids of few values, so that many an EXECUTE fits what was prepared.
_volume, _duration = st.sampled_from([20_000, 50_000]), st.sampled_from([60, 300])
_requests = st.one_of(
    st.just(HelloRequest(major=1, minor=0)),
    st.just(StatusRequest()),
    st.just(LinkStatsRequest()),
    st.just(OpListRequest(page=0)),
    st.builds(lambda op_id: OpQueryRequest(role=Role.CLINICIAN, op_id=op_id), _small),
    st.just(LogReadRequest(epoch=1, from_sequence=1, maximum=4)),
    st.builds(lambda op_id: StopRequest(op_id=op_id, therapy_rev=0), _small),
    st.builds(lambda op_id, rev: StartRequest(op_id=op_id, therapy_rev=rev), _small, _small),
    st.builds(
        lambda fields, period_s: SubscribeRequest(fields=TelemetryField(fields), period_s=period_s),
        st.sampled_from([0, 33, 0x3FF]),
        st.integers(1, 60),
    ),
    st.just(UnsubscribeRequest()),
    st.builds(
        lambda sequence: ResetFlagsRequest(changed=ChangedFlag(0x3FF), log_epoch=1, log_sequence=sequence), _small
    ),
    st.builds(_prepare, _volume, _duration),
    st.builds(_execute, _small, _volume, _duration, _small, _small),
    st.builds(
        lambda bolus_id, op_id: BolusCancelRequest(bolus_id=bolus_id, op_id=op_id, therapy_rev=0), _small, _small
    ),
)


@dataclass(frozen=True)
class Burst:
    """Bytes that come `after_us` after the burst before them, or something that befalls the device."""

    after_us: int
    data: bytes = b""
    befalls: str = ""
    port: int = 0


_waits = st.one_of(st.just(0), st.integers(0, 20 * SECOND), st.integers(0, 400 * SECOND))
_port = st.sampled_from([0, 0, 0, 1])
_bursts = st.one_of(
    st.builds(
        lambda after_us, messages, txn, port: Burst(
            after_us, b"".join(frame_of(message, (txn + at) & 0xFF) for at, message in enumerate(messages)), "", port
        ),
        _waits,
        st.lists(_requests, min_size=1, max_size=3),
        st.integers(0, 4),
        _port,
    ),
    st.builds(Burst, _waits, st.binary(min_size=1, max_size=30)),
    st.builds(
        lambda after_us, befalls, port: Burst(after_us, b"", befalls, port),
        _waits,
        st.sampled_from(["open", "close", "overrun", "held", "flowing", "cut", "restore", "restore", "drop"]),
        _port,
    ),
)


def _taken_care(prepared: tuple[int, int], after_us: int) -> list[Burst]:
    """A bolus as it is meant to be: opened, prepared, executed, at the first revision of a life."""
    volume_nl, duration_s = prepared
    return [
        Burst(after_us, b"", "open"),
        Burst(0, frame_of(_prepare(volume_nl, duration_s), 1)),
        Burst(SECOND, frame_of(_execute(1, volume_nl, duration_s, 1, 1), 2)),
    ]


_stories = st.builds(
    lambda begin, rest: begin + rest,
    st.one_of(st.just([]), st.builds(_taken_care, st.tuples(_volume, _duration), _waits)),
    st.lists(_bursts, max_size=8),
)
_cuts = st.lists(st.integers(0, 1_000), max_size=30)


@cache
def _session_of(role: Role) -> tuple[bytes, ...]:
    """The frames of a host that opens a pump's first session: another new pump takes them for its own host's."""
    host = HandHost(new_device(SMALL, insecure=False), role).open_line().connect()
    for message in (
        StatusRequest(),
        SubscribeRequest(fields=TelemetryField.BOLUS, period_s=7),
        ResetFlagsRequest(changed=ChangedFlag.BOLUS, log_epoch=1, log_sequence=1),
        _prepare(20_000, 60),
        _execute(1, 20_000, 60, 1, 1),
        StopRequest(op_id=2, therapy_rev=0),
    ):
        host.send(host.sealed(message))
    return tuple(requests_of(host.device))


_frames_of_session = (
    st.sampled_from(Role)
    .map(_session_of)
    .flatmap(
        lambda frames: st.one_of(
            st.just(b"".join(frames)),
            st.just(b"".join(frames[:3])),
            st.lists(st.sampled_from(frames), min_size=1, max_size=4).map(b"".join),
        )
    )
)
_session_bursts = st.one_of(
    st.builds(lambda after_us, data, port: Burst(after_us, data, "", port), _waits, _frames_of_session, _port), _bursts
)


Outcome = tuple[list[bytes], list[dict[str, object]], str]


def joined(events: list[Event]) -> list[dict[str, object]]:
    """The events as observers get them; what nobody heard on a closed line is told in the pieces that it came in."""
    told: list[Event] = []
    for event in events:
        last = told[-1] if told else None
        if (
            isinstance(event, BytesRejected)
            and isinstance(last, BytesRejected)
            and event.reason == last.reason == NO_CLIENT
            and (event.port, event.at_us) == (last.port, last.at_us)
        ):
            told[-1] = replace(last, raw=last.raw + event.raw)
        else:
            told.append(replace(event, number=len(told) + 1))
    return [event.as_json() for event in told]


def run(story: list[Burst], byte_cuts: list[int], time_cuts: list[int], *, insecure: bool = True) -> Outcome:
    """The output of both lines, all events, and the last digest; cuts are taken in turn."""
    device = new_device(SMALL, insecure=insecure)
    out = [b"", b""]
    at = 0
    bytes_turn, time_turn = iter(byte_cuts * 40), iter(time_cuts * 40)

    def collect() -> None:
        for port in (0, 1):
            out[port] += device.data_to_send(device.now_us, port=port)

    def pass_time(to: int) -> None:
        for thousandths in sorted(cut for cut, _ in zip(time_turn, range(3), strict=False)):
            device.advance(max(device.now_us, at + (to - at) * thousandths // 1_000))

    for burst in [*story, Burst(4_000 * SECOND)]:
        pass_time(at + burst.after_us)
        at += burst.after_us
        match burst.befalls:
            case "open" | "close" | "overrun" | "held" | "flowing":
                change = {"open": LineChange.OPENED, "close": LineChange.CLOSED}
                device.line(change.get(burst.befalls) or LineChange(burst.befalls), at, burst.port)
            case "cut":
                device.control(CutPower(), at)
            case "restore":
                device.control(RestorePower(), at)
            case "drop":
                device.advance(at)
                arm(device, "drop answer any nth=2 count=1")
            case "":
                pass
            case fault:
                device.advance(at)
                arm(device, fault)
        rest = burst.data
        while rest:
            length = 1 + next(bytes_turn, len(rest) - 1) % len(rest)
            piece, rest = rest[:length], rest[length:]
            device.receive(piece, at, burst.port)
            if length % 2:
                device.advance(at)
                collect()
        device.advance(at)
        collect()
    return out, joined(happened(device)), device.digest()


@settings(max_examples=120, deadline=None)
@given(_stories, _cuts, _cuts)
def test_cuts_of_bytes_and_of_time_change_nothing(
    story: list[Burst], byte_cuts: list[int], time_cuts: list[int]
) -> None:
    assert run(story, byte_cuts, time_cuts) == run(story, [], [])


@settings(max_examples=25, deadline=None)
@given(_stories)
def test_byte_by_byte_is_the_same(story: list[Burst]) -> None:
    assert run(story, [0] * 1_000, []) == run(story, [], [])


@settings(max_examples=40, deadline=None)
@given(_stories)
def test_the_same_story_twice_is_the_same_to_the_byte(story: list[Burst]) -> None:
    assert run(story, [], []) == run(story, [], [])


@settings(max_examples=80, deadline=None)
@given(st.lists(_session_bursts, min_size=1, max_size=8), _cuts, _cuts)
def test_with_sessions_cuts_of_bytes_and_of_time_change_nothing_either(
    story: list[Burst], byte_cuts: list[int], time_cuts: list[int]
) -> None:
    assert run(story, byte_cuts, time_cuts, insecure=False) == run(story, [], [], insecure=False)


@st.composite
def _line_faults(draw: st.DrawFn) -> Burst:
    """A fault of the line with delays in the order of the waits between bursts."""
    verb = draw(st.sampled_from(list(REGISTRY)))
    way = draw(st.sampled_from(["request", "answer"]))
    words = [f"nth={draw(st.integers(1, 2))}", f"count={draw(st.integers(1, 3))}", f"seed={draw(st.integers(0, 9))}"]
    words += [f"chance={draw(st.sampled_from([50, 100]))}%"]
    for parameter in REGISTRY[verb].parameters:
        if parameter.unit == "us":
            words.append(f"{parameter.name}={draw(st.sampled_from([1, 50_000, 5_000_000]))}us")
    return Burst(0, b"", " ".join([verb, way, "any", *words]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(_line_faults(), _bursts), min_size=1, max_size=12), _cuts, _cuts)
def test_with_any_faults_of_the_line_cuts_of_bytes_and_of_time_change_nothing_either(
    story: list[Burst], byte_cuts: list[int], time_cuts: list[int]
) -> None:
    assert run(story, byte_cuts, time_cuts) == run(story, [], [])


def test_a_session_whose_frames_were_written_down_comes_about_in_these_stories() -> None:
    """Else the search would be one in handshakes that fail."""
    _, events, _ = run([Burst(0, b"".join(_session_of(Role.CLINICIAN)))], [], [], insecure=False)
    told = [event["type"] for event in events if event["event"] == "log"]
    assert told == ["boot", "bolus_started", "therapy_stopped", "bolus_ended"]
    streamed = [event["at_us"] for event in events if event["event"] == "frame" and event["direction"] == "event"]
    # At SUBSCRIBE, with the first flag that was reset, and in every seven seconds until its silence has lasted.
    assert streamed == [0, 0, *range(7 * SECOND, 180 * SECOND, 7 * SECOND)]
