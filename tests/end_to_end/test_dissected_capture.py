"""What a served pump captures, tshark dissects: every field of every frame as our own codec reads it."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from emulator.capture.pcapng import Flow
from emulator.capture.reader import CapturedPacket, PcapngReader
from protocol.framing import StreamReader
from tests.end_to_end.conftest import Serve, Vpump
from tests.end_to_end.product import Home
from tests.interop import wireshark
from tests.interop.our_reading import REJECTED, read
from tests.interop.wireshark import Dissected, dissect_capture

WAY_OF = {Flow.INBOUND: "to the pump", Flow.OUTBOUND: "from the pump"}
SERVE = ("--listen", "tcp:127.0.0.1:0", "--capture", "pump.pcapng", "--trace")
BROKEN = "00 05 11 00"


@pytest.fixture(autouse=True)
def tshark_is_here() -> None:
    reason = wireshark.missing()
    if reason is not None:
        pytest.skip(reason)


def captured(directory: Path) -> Sequence[CapturedPacket]:
    reader = PcapngReader()
    packets = list(reader.feed((directory / "pump.pcapng").read_bytes()))
    reader.end()
    return packets


def dissected(home: Home) -> list[tuple[CapturedPacket, Dissected]]:
    """Each packet with what tshark shows of it; every field of it is compared with our own reading."""
    packets = captured(home.directory)
    told = dissect_capture(home.directory / "pump.pcapng", home.directory)
    pairs = [(packet, only) for packet, (only,) in zip(packets, told, strict=True)]
    for packet, shown in pairs:
        (piece,) = StreamReader().feed(packet.data)
        assert shown.reading == (read(packet.data) if piece.fault is None else REJECTED), packet
        assert shown.way == WAY_OF[packet.flow]
        assert "vpump.wrong_way" not in shown.experts
    return pairs


def names_in(pairs: Sequence[tuple[CapturedPacket, Dissected]]) -> set[str]:
    return {found[1] for _, shown in pairs if (found := re.search(r": (\w+) (?:request|answer|event) ", shown.info))}


def test_an_afternoon_in_the_clear(home: Home, serve: Serve, vpump: Vpump) -> None:
    pump = serve(*SERVE, "--insecure", "--fault", "drop answer BOLUS_EXECUTE")
    for command in (
        ("interrogate",),
        ("caps",),
        ("bolus", "50uL", "--over", "10min"),
        ("therapy", "stop"),
        ("therapy", "start"),
        ("alarm", "list"),
        ("log",),
        ("op",),
        ("watch", "--count", "2"),
    ):
        assert vpump(*command, "-p", pump.url).status == 0, command
    assert vpump("bolus", "900mL", "--over", "10min", "-p", pump.url).status == 1
    assert vpump("send", BROKEN, "-p", pump.url, "--wait", "1ms").status == 0
    pump.wait_for_event(event="rejected")
    pump.end(signal.SIGINT, 130)
    pairs = dissected(home)
    assert {"HELLO", "CAPS", "STATUS", "BOLUS_PREPARE", "BOLUS_EXECUTE", "STOP", "START"} <= names_in(pairs)
    assert {"ALARM_LIST", "LOG_READ", "OP_LIST", "SUBSCRIBE", "EVENT"} <= names_in(pairs)
    assert [shown.experts for packet, shown in pairs if packet.data == bytes.fromhex(BROKEN)] == [
        ("vpump.rejected.cobs",)
    ]
    assert any("vpump.refused" in shown.experts for _, shown in pairs)
    assert any("RETRY" in shown.info for _, shown in pairs), "the lost answer was asked for again"
    assert not any("vpump.unreadable" in shown.experts for _, shown in pairs)


def test_a_session_with_keys_is_shown_as_sealed(home: Home, serve: Serve, vpump: Vpump) -> None:
    pump = serve(*SERVE)
    assert vpump("interrogate", "-p", pump.url).status == 0
    pump.end(signal.SIGINT, 130)
    pairs = dissected(home)
    clear = [shown for _, shown in pairs if not shown.reading["secured"]]
    sealed = [shown for _, shown in pairs if shown.reading["secured"]]
    assert names_in([(packet, shown) for packet, shown in pairs if shown in clear]) == {"HELLO", "OPEN", "AUTH"}
    assert len(sealed) > len(clear)
    assert all(shown.experts == ("vpump.sealed",) for shown in sealed)
