"""For each fault of the line: who opens the capture sees, at the packet that it struck, which fault it was."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from emulator.capture.pcapng import Flow
from emulator.capture.reader import CapturedPacket, PcapngReader
from emulator.capture.recorder import Recorder
from emulator.events import Event, FaultFired
from emulator.faults.registry import REGISTRY
from protocol.host_end import Answered
from protocol.messages.read import StatusRequest
from tests.capture.recorded_sessions import capture_of
from tests.device.desk import HELLO, Desk, arm, happened, new_device, of_kind

STRUCK = 2
"""For those that need a frame that matched before."""


def struck_session(fault: str) -> Desk:
    """A session in which a fault strikes the second STATUS, and what comes of it; its beginning is not told."""
    desk = Desk(new_device(insecure=False))
    desk.open()
    desk.open_session()
    happened(desk.device)
    arm(desk.device, fault)
    for _ in range(STRUCK):
        desk.exchange(StatusRequest())
    return desk


def packets_of(events: Sequence[Event]) -> list[CapturedPacket]:
    """As they are read back from the file."""
    recorder, reader = Recorder(), PcapngReader()
    packets = [packet for event in events for packet in recorder.take(event)] + recorder.flush()
    read = list(reader.feed(capture_of(packets)))
    reader.end()
    return read


@pytest.mark.parametrize("direction", ["request", "answer"])
@pytest.mark.parametrize("verb", REGISTRY)
def test_the_struck_packet_says_which_fault_it_was_and_what_that_means(verb: str, direction: str) -> None:
    events = happened(struck_session(f"{verb} {direction} STATUS nth={STRUCK}").device)
    fired, *_ = of_kind(events, FaultFired)
    said = f"injected fault: {verb} {direction} STATUS "
    first = next(packet for packet in packets_of(events) if said in "\n".join(packet.comments))
    assert first.data == fired.raw
    assert first.flow is (Flow.INBOUND if direction == "request" else Flow.OUTBOUND)
    (words,) = [comment for comment in first.comments if comment.startswith(said)]
    assert words.endswith(f"({REGISTRY[verb].meaning})")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("disconnect answer STATUS nth=2 lasting=1s", "line broken"),
        ("session-drop answer STATUS nth=2", "session ended"),
        ("crash answer STATUS nth=2 off=1s", "power cut"),
    ],
)
def test_what_else_it_did_is_told_on_the_packet_behind_it(fault: str, line: str) -> None:
    desk = struck_session(fault)
    desk.wait(1)
    desk.open()
    assert isinstance(desk.exchange(HELLO), Answered)
    packets = packets_of(happened(desk.device))
    place = next(at for at, packet in enumerate(packets) if any("injected fault" in each for each in packet.comments))
    assert any(line in comment for comment in packets[place + 1].comments)
