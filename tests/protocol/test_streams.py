"""The pump's side of a stream: when an event is owed, its number, and what becomes of it where nobody reads."""

from dataclasses import dataclass, field

import pytest

from protocol.channel import COUNTER_MAX
from protocol.errands import TelemetryWanted
from protocol.fields import decode, encode
from protocol.frame import Flag
from protocol.messages.codes import Role, TelemetryField
from protocol.messages.stream import StreamEvent, SubscribeAnswer, SubscribeRequest, UnsubscribeAnswer
from protocol.pump_line import EVENTS_HELD_MAX, FRAMES_HELD_MAX
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import NEVER, SILENCE_US
from protocol.streams import ALL_FIELDS
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import CLOSE, KEEPALIVE, STOP, TIME, TIME_READ, PumpLine, event_of, frame_of

SECOND = 1_000_000
UNSUBSCRIBE = ("UNSUBSCRIBE", b"")


def subscribe(period_s: int = 10, fields: TelemetryField = ALL_FIELDS) -> tuple[str, bytes]:
    return ("SUBSCRIBE", encode(SubscribeRequest(fields=fields, period_s=period_s)))


@dataclass
class Watcher:
    """A host of a role that has a session, and what it has got: `ok` for an answer, the number of an event."""

    pump: PumpLine
    host: Host
    txn: int = 0
    got: list[str | int] = field(default_factory=list)

    @classmethod
    def at(cls, pump: PumpLine, role: Role = Role.READER, host_id: int = 7, port: int = 0) -> "Watcher":
        return cls(pump, Host(pump, role, host_id, port).connect())

    def ask(self, named: tuple[str, bytes]) -> list[str | int]:
        """A request, and all that came with its answer."""
        self.txn = (self.txn + 1) & 0xFF
        self.host.send(named, self.txn)
        request = self.pump.next_request()
        if request is not None:
            self.pump.end.answer(request.token, TIME)
        return self.take()

    def take(self) -> list[str | int]:
        """What has come since, in its order; an event is sealed, and its txn is the low byte of its number."""
        self.pump.serve()
        came: list[str | int] = []
        for wire in self.pump.wires(self.host.port):
            frame = frame_of(wire)
            assert frame.session_id == self.host.session_id
            plain = self.host.opener.open(frame)
            if Flag.EVENT in frame.flags:
                assert (frame.flags, frame.opcode) == (Flag.EVENT | Flag.SECURED, 0x0704)
                event = decode(StreamEvent, plain)
                assert frame.txn == event.stream_sequence & 0xFF
                came.append(event.stream_sequence)
            else:
                assert Flag.RESP in frame.flags
                came.append("ok" if plain[0] == OK else Nak.decode(plain).code.name)
        self.got += came
        return came

    def wait(self, seconds: float) -> list[str | int]:
        """Let time pass, deadline by deadline, and take what comes."""
        until = self.pump.now + round(seconds * SECOND)
        came: list[str | int] = []
        while (due := self.pump.end.next_deadline()) is not None and due <= until:
            self.pump.now = due
            self.pump.end.advance(due)
            came += self.take()
        self.pump.now = until
        self.pump.end.advance(until)
        return came + self.take()


def new_pump(*, insecure: bool = False) -> PumpLine:
    pump = PumpLine(insecure=insecure)
    pump.tells = True
    return pump


@pytest.fixture
def watcher() -> Watcher:
    return Watcher.at(new_pump())


def test_the_first_event_comes_right_behind_the_answer_and_the_next_ones_with_each_period(watcher: Watcher) -> None:
    assert watcher.ask(subscribe(10)) == ["ok", 1]
    assert watcher.wait(9.999999) == []
    assert watcher.wait(0.000001) == [2]
    assert watcher.wait(35) == [3, 4, 5]


def test_a_flag_is_told_at_once_and_does_not_move_the_period(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.wait(7)
    watcher.pump.end.streams.flag_set(Role.READER)
    assert watcher.take() == [2]
    assert watcher.wait(2.9) == []
    assert watcher.wait(0.1) == [3]


def test_a_flag_of_another_role_is_nobodys_business(watcher: Watcher) -> None:
    patient = Watcher.at(watcher.pump, Role.PATIENT, 8)
    watcher.ask(subscribe())
    patient.ask(subscribe())
    watcher.pump.end.streams.flag_set(Role.CLINICIAN)
    watcher.pump.serve()
    assert watcher.pump.wires() == []


def test_what_falls_on_one_instant_is_one_event(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.pump.now += 10 * SECOND
    watcher.pump.end.advance(watcher.pump.now)
    for _ in range(5):
        watcher.pump.end.streams.flag_set(Role.READER)
    assert watcher.take() == [2]


def test_periods_that_nobody_woke_it_for_are_owed_once_and_keep_their_raster(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.pump.now += 34 * SECOND
    watcher.pump.end.advance(watcher.pump.now)
    assert watcher.take() == [2]
    assert watcher.pump.end.next_deadline() == watcher.pump.now + 6 * SECOND


def test_events_pass_a_request_that_is_still_unanswered_and_change_nothing_of_it(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.host.send(TIME_READ, 2)
    request = watcher.pump.end.next_errand()
    assert watcher.wait(10) == [2]
    watcher.host.send(TIME_READ, 2)
    assert watcher.take() == ["PENDING"]
    watcher.pump.end.streams.flag_set(Role.READER)
    assert watcher.take() == [3]
    assert request is not None
    watcher.pump.end.refuse(request.token, Nak(NakCode.CONDITIONS))
    assert watcher.take() == ["CONDITIONS"]
    watcher.txn = 2
    assert watcher.ask(TIME_READ) == ["ok"], "the txn goes on as if there had been no event"


def test_a_repeated_answer_is_sealed_anew_among_the_events(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.ask(TIME_READ)
    watcher.wait(10)
    watcher.txn -= 1
    assert watcher.ask(TIME_READ) == ["ok"]
    assert watcher.wait(10) == [3]
    assert watcher.host.session.channel is not None
    assert watcher.host.session.channel.answers.counter == 1 + 1 + 1 + 1 + 1 + 1 + 1, "one counter for all of it"


def test_another_subscription_takes_the_place_and_the_numbers_go_on(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.wait(8)
    assert watcher.ask(subscribe(60)) == ["ok", 2]
    assert watcher.wait(59) == []
    assert watcher.wait(1) == [3]


def test_an_event_that_the_old_subscription_was_owed_comes_to_nothing(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.pump.end.streams.flag_set(Role.READER)
    (owed,) = errands_of(watcher.pump)
    watcher.host.send(subscribe(20), 2)
    watcher.pump.end.streams.tell(owed.token, event_of(owed))
    assert watcher.take() == ["ok", 3], "number 2 is missing, as if it had been dropped"
    watcher.pump.end.streams.tell(999, event_of(owed))
    assert watcher.take() == []


def errands_of(pump: PumpLine) -> list[TelemetryWanted]:
    wanted = []
    while (errand := pump.end.next_errand()) is not None:
        assert isinstance(errand, TelemetryWanted)
        wanted.append(errand)
    return wanted


def test_unsubscribe_ends_it_and_says_how_far_it_came(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.wait(10)
    watcher.pump.end.streams.flag_set(Role.READER)
    watcher.host.send(UNSUBSCRIBE, 2)
    ((_, payload),) = watcher.host.answers()
    assert decode(UnsubscribeAnswer, payload[1:]) == UnsubscribeAnswer(next_sequence=4)
    watcher.txn = 2
    assert watcher.wait(100) == [], "not even what was owed"
    assert watcher.ask(UNSUBSCRIBE) == ["ok"], "nothing is there to be ended"
    assert watcher.ask(subscribe(10)) == ["ok", 4]


def test_the_answer_says_which_number_comes_next(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.wait(30)
    watcher.host.send(subscribe(10), 2)
    ((_, payload),) = watcher.host.answers()
    assert decode(SubscribeAnswer, payload[1:]) == SubscribeAnswer(next_sequence=5)


@pytest.mark.parametrize(
    ("asked", "nak"),
    [
        ((0x401, 10), Nak(NakCode.RANGE, field=0, detail=0x3FF)),
        ((1 << 31, 10), Nak(NakCode.RANGE, field=0, detail=0x3FF)),
        ((1, 4), Nak(NakCode.BELOW_MINIMUM, field=1, detail=5)),
        ((1, 101), Nak(NakCode.ABOVE_MAXIMUM, field=1, detail=100)),
        ((1, 0), Nak(NakCode.FORMAT, field=1)),
    ],
)
def test_what_is_not_granted_is_refused_with_what_would_be_and_the_old_one_stays(
    watcher: Watcher, asked: tuple[int, int], nak: Nak
) -> None:
    watcher.pump.end.streams._limits = type(watcher.pump.end.streams._limits)(5, 100)
    watcher.ask(subscribe(10))
    fields, period_s = asked
    watcher.host.send(("SUBSCRIBE", fields.to_bytes(4, "little") + period_s.to_bytes(2, "little")), 2)
    assert watcher.host.replies() == [(2, nak)]
    watcher.txn = 2
    assert watcher.wait(10) == [2]


def test_numbers_begin_anew_behind_ffff(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.host.session.stream.next_sequence = 0xFFFE
    assert watcher.wait(40) == [0xFFFE, 0xFFFF, 0, 1]


def test_where_nobody_reads_events_are_dropped_with_their_numbers_and_answers_are_not(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    watcher.pump.end.streams.set_reading(0, reading=False)
    assert watcher.wait(50) == []
    watcher.pump.end.streams.flag_set(Role.READER)
    assert watcher.ask(TIME_READ) == ["ok"]
    assert errands_of(watcher.pump) == [], "the pump is not even asked"
    watcher.pump.end.streams.set_reading(0, reading=True)
    assert watcher.take() == [8], "five periods and a flag are missing"
    assert watcher.wait(10) == [9]


def test_who_reads_again_and_has_missed_nothing_is_told_nothing(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    for reading in (True, False, False, True, True):
        watcher.pump.end.streams.set_reading(0, reading=reading)
    watcher.pump.end.streams.set_reading(5, reading=True)
    assert watcher.take() == []
    watcher.pump.end.line_closed(0, watcher.pump.now)
    watcher.pump.end.streams.set_reading(0, reading=False)
    watcher.pump.end.line_opened(0, watcher.pump.now)
    anew = Watcher.at(watcher.pump)
    assert anew.ask(subscribe()) == ["ok", 1], "a line that is opened is read from"


def test_events_that_nobody_fetches_leave_room_for_answers(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    for _ in range(FRAMES_HELD_MAX):
        watcher.pump.end.streams.flag_set(Role.READER)
        watcher.pump.serve()
    for _ in range(FRAMES_HELD_MAX - EVENTS_HELD_MAX):
        watcher.host.send(KEEPALIVE, 1)
    came = watcher.take()
    assert came == [*range(2, 2 + EVENTS_HELD_MAX), *["ok"] * (FRAMES_HELD_MAX - EVENTS_HELD_MAX)]


@pytest.mark.parametrize("end", ["line", "closed", "silence", "power", "replaced"])
def test_a_subscription_dies_with_its_session(watcher: Watcher, end: str) -> None:
    watcher.ask(subscribe(100))
    pump = watcher.pump
    match end:
        case "line":
            pump.end.line_closed(0, pump.now)
            pump.end.line_opened(0, pump.now)
        case "closed":
            watcher.ask(CLOSE)
        case "silence":
            assert watcher.wait(SILENCE_US / SECOND) == [2], "events do not keep it alive"
        case "power":
            pump.end.power_lost()
        case "replaced":
            Watcher.at(pump)
    pump.wires()
    pump.end.streams.flag_set(Role.READER)
    pump.now += 1_000 * SECOND
    pump.end.advance(pump.now)
    pump.serve()
    assert pump.wires() == []
    assert Watcher.at(pump).ask(subscribe()) == ["ok", 1], "the next session begins its own numbers"


def test_an_event_that_a_dead_session_was_owed_comes_to_nothing(watcher: Watcher) -> None:
    watcher.ask(subscribe(100))
    watcher.pump.end.streams.flag_set(Role.READER)
    (owed,) = errands_of(watcher.pump)
    watcher.pump.end.line_closed(0, watcher.pump.now)
    watcher.pump.end.streams.tell(owed.token, event_of(owed))
    assert watcher.pump.wires() == []


def test_the_last_counter_is_for_no_event_beyond_it(watcher: Watcher) -> None:
    watcher.ask(subscribe(10))
    channel = watcher.host.session.channel
    assert channel is not None
    channel.answers.counter = watcher.host.opener.last = COUNTER_MAX - 1
    assert watcher.wait(10) == [2]
    assert watcher.wait(10) == [], "the counter is used up"
    watcher.host.send(STOP, 9)
    watcher.pump.next_request()
    assert watcher.wait(200) == []


def test_in_an_insecure_pump_session_0_streams_in_the_clear_until_it_loses_its_place() -> None:
    pump = new_pump(insecure=True)
    pump.send(subscribe(10), 1)
    pump.serve()
    answer, event = (frame_of(wire) for wire in pump.wires())
    assert (answer.flags, answer.payload[0]) == (Flag.RESP, OK)
    assert (event.flags, event.session_id, event.txn, event.opcode) == (Flag.EVENT, 0, 1, 0x0704)
    pump.end.streams.flag_set(Role.CLINICIAN)
    pump.serve()
    assert [frame_of(wire).txn for wire in pump.wires()] == [2]
    pump.end.line_opened(1, pump.now)
    pump.end.advance(pump.now + 20 * SECOND)
    pump.serve()
    assert pump.wires() == []


def test_without_a_subscription_nothing_is_due(watcher: Watcher) -> None:
    assert watcher.host.session.stream.due_us == NEVER
    watcher.pump.end.streams.flag_set(Role.READER)
    assert watcher.take() == []
    assert watcher.pump.end.next_deadline() == watcher.host.session.ends_at
