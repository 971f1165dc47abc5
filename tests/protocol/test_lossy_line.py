"""Both ends over a line that loses, doubles and damages: every request ends, and each answer is its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from protocol.device_end import DeviceEnd
from protocol.framing import StreamReader
from protocol.host_end import Answered, HostEnd, NoAnswer, Refused
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest
from protocol.messages.codes import AlarmState
from protocol.refusals import Nak, NakCode

ADDRESS = 0x00C0FFEE
PASSES, LOSES, DOUBLES, DAMAGES = range(4)
FATES = st.sampled_from([PASSES, PASSES, LOSES, DOUBLES, DAMAGES])
# How long the pump takes: at once, or so long that retries come first, or never.
DELAYS_US = st.sampled_from([0, 0, 0, 700_000, 3_000_000, None])


@dataclass
class World:
    """A host, a pump that acknowledges alarms, and between them the fates of frames."""

    fates: Iterator[int]
    delays_us: Iterator[int | None]
    now: int = 0
    host: HostEnd = field(default_factory=lambda: HostEnd(address=ADDRESS))
    pump: DeviceEnd = field(default_factory=lambda: DeviceEnd(address=ADDRESS))
    reader: StreamReader = field(default_factory=StreamReader)
    due: list[tuple[int, int, int]] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def carry(self, data: bytes) -> bytes:
        match next(self.fates, PASSES) if data else PASSES:
            case 1:
                return b""
            case 2:
                return data * 2
            case 3:
                return data[:5] + bytes((data[5] ^ 0x40,)) + data[6:]
        return data

    def settle(self) -> None:
        """Carry frames in both directions until both ends are quiet."""
        while data := self.host.data_to_send():
            for piece in self.reader.feed(self.carry(data)):
                self.pump.receive(0, piece, self.now)
            while (request := self.pump.next_request()) is not None:
                self.acknowledged.append(request.message.instance)
                delay_us = next(self.delays_us, 0)
                if delay_us is not None:
                    self.due.append((self.now + delay_us, request.token, request.message.instance))
            self.answer_due()

    def answer_due(self) -> None:
        for at, token, instance in sorted(self.due):
            if at <= self.now:
                self.due.remove((at, token, instance))
                if instance % 5 == 0:
                    self.pump.refuse(token, Nak(NakCode.NO_SUCH_ALARM, element=instance))
                else:
                    self.pump.answer(token, AlarmAckAnswer(instance=instance, state=AlarmState.ACKNOWLEDGED))
        for wire in self.pump.frames_to_send(0):
            self.host.receive(self.carry(wire), self.now)

    def ask(self, instance: int) -> Answered | Refused | NoAnswer:
        self.host.request(AlarmAckRequest(instance=instance), self.now)
        # 4 numberings of 4 copies, each extended by at most 5 PENDINGs: far below this bound.
        for _ in range(500):
            self.settle()
            if (event := self.host.next_event()) is not None:
                return event
            deadline = self.host.next_deadline()
            assert deadline is not None, "a busy host has a deadline"
            self.now = min([deadline, *(at for at, _, _ in self.due)])
            self.host.advance(self.now)
            self.pump.advance(self.now)
            self.answer_due()
        raise AssertionError("the request never ended")


@given(st.lists(FATES, max_size=60), st.lists(DELAYS_US, max_size=8), st.integers(1, 8))
def test_every_request_ends_and_every_answer_is_its_own(
    fates: list[int], delays_us: list[int | None], count: int
) -> None:
    world = World(iter(fates), iter(delays_us))
    world.pump.line_opened(0, 0)
    for instance in range(1, count + 1):
        event = world.ask(instance)
        match event:
            case Answered(message):
                assert message.instance == instance
            case Refused(nak) if nak.code == NakCode.NO_SUCH_ALARM:
                assert nak.element == instance
            case Refused(nak):
                assert nak.code == NakCode.BUSY
    # Within one session the order of txn alone lets nothing through twice.
    if world.now < 180_000_000:
        assert len(set(world.acknowledged)) == len(world.acknowledged)


@given(st.lists(st.sampled_from([PASSES, DOUBLES]), max_size=40))
def test_a_line_that_loses_nothing_needs_no_retry(fates: list[int]) -> None:
    world = World(iter(fates), iter(()))
    world.pump.line_opened(0, 0)
    for instance in (1, 2, 3, 4):
        assert isinstance(world.ask(instance), Answered)
    assert world.now == 0
