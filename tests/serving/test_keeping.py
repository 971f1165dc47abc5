"""A pump that is kept: before anybody is told anything, every few seconds, and at the end; not after a defect."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest

from emulator.inputs import ClearFaults
from emulator.pacing import Pacer
from emulator.ports.port import Sink
from emulator.ports.spec import parse_port
from emulator.serving import NotKept, Serving, ServingFailed, ServingStopped
from tests.serving.fake_device import FakeDevice

DEADLINE_S = 20
SENTENCE = "the state cannot be kept: No space left on device."


class Diary:
    """A port and a keeper that write down what happens; the keeper fails from its `full_at`-th time on."""

    spec = parse_port("pty")
    url = "diary"
    link = None

    def __init__(self, full_at: int = 0) -> None:
        self.entries: list[str] = []
        self.full_at = full_at

    def start(self, loop: object, sink: Sink) -> None:
        pass

    def close(self) -> None:
        pass

    def break_line(self) -> None:
        pass

    def mend_line(self) -> None:
        pass

    def send(self, data: bytes) -> None:
        self.entries.append(f"sent {data.decode()}")

    def keep(self) -> None:
        if self.full_at and self.entries.count("kept") + 1 >= self.full_at:
            raise NotKept(SENTENCE)
        self.entries.append("kept")

    def serving(self, speed: int = 0) -> Serving:
        return Serving(FakeDevice(), [self], Pacer(Fraction(speed), Fraction(speed), 0), keep=self.keep)


def test_it_is_kept_before_an_answer_leaves_and_before_the_tester_is_answered() -> None:
    diary = Diary()

    async def run() -> None:
        serving = diary.serving()
        serving.take_bytes(b"a;", 0)
        serving.take_bytes(b"half", 0)
        assert diary.entries == ["kept", "sent <a>"], "what nobody is told waits"
        serving.apply(ClearFaults())
        assert await serving.jump(1_000_000) == 1_000_000
        assert await serving.run_until(lambda _: False, 1_000_000) is None
        serving.truth()
        assert diary.entries[2:] == ["kept"] * 4
        serving.take_bytes(b"rest", 0)
        serving.shutdown()
        await serving.run()
        assert diary.entries[6:] == ["kept"], "the end is kept, too"

    asyncio.run(run())


def test_what_cannot_be_kept_is_told_to_nobody() -> None:
    async def run(tester: bool) -> None:
        diary = Diary(full_at=1)
        serving = diary.serving()
        if tester:
            with pytest.raises(ServingStopped):
                serving.apply(ClearFaults())
        serving.take_bytes(b"a;", 0)
        with pytest.raises(NotKept, match=SENTENCE):
            await serving.run()
        assert diary.entries == []

    for tester in (False, True):
        asyncio.run(run(tester))


def test_what_a_defect_has_left_is_not_kept() -> None:
    diary = Diary()

    async def run() -> None:
        serving = diary.serving()
        serving.take_bytes(b"a;boom;", 0)
        with pytest.raises(ServingFailed):
            await serving.run()
        assert diary.entries == []

    asyncio.run(run())


def test_while_nobody_asks_it_is_kept_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.serving.KEEP_EVERY_S", 0.001)

    async def run() -> None:
        diary = Diary(full_at=4)
        with pytest.raises(NotKept):
            await asyncio.wait_for(diary.serving(speed=1).run(), DEADLINE_S)
        assert diary.entries == ["kept"] * 3

    asyncio.run(run())
