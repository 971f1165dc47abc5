"""A packet is written in the turn of the loop in which it passed, with all that this turn has to say of it."""

from __future__ import annotations

from collections.abc import Callable

from emulator.capture.observer import CaptureObserver
from emulator.capture.pcapng import Packet
from tests.device.desk import Desk, arm, happened, new_device

HELLO = bytes.fromhex("000210070101ffffffff01020202010547b8454200")


class Sink:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.closed = False

    def put(self, packet: Packet) -> None:
        self.packets.append(packet)

    def close(self, deadline_s: float = 0) -> None:
        del deadline_s
        self.closed = True


def test_all_packets_are_written_when_the_turn_is_over() -> None:
    desk, sink, turn = Desk(new_device(insecure=False)), Sink(), list[Callable[[], None]]()
    observer = CaptureObserver(sink, turn.append)
    desk.open()
    arm(desk.device, "drop answer HELLO")
    for number in range(1, 3):
        desk.raw(HELLO)
        for event in happened(desk.device):
            observer(event)
        (at_the_end,) = turn
        turn.clear()
        at_the_end()
        assert len(sink.packets) == 2 * number
    assert sink.packets[1].comments[0].startswith("injected fault")
    assert not turn


def test_the_end_writes_what_is_held() -> None:
    desk, sink = Desk(new_device(insecure=False)), Sink()
    observer = CaptureObserver(sink, lambda _: None)
    desk.open()
    desk.raw(HELLO)
    for event in happened(desk.device):
        observer(event)
    observer.close()
    assert len(sink.packets) == 2
    assert sink.closed
