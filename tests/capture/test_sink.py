"""Whatever a file or the reader of a pipe does, the pump never waits, and what was written can be read."""

from __future__ import annotations

import io
import os
import queue
import resource
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pcapng as other  # type: ignore[import-untyped]  # it ships no types
import pytest

from emulator.capture import pcapng
from emulator.capture.pcapng import Packet
from emulator.capture.sink import CaptureSink, open_sink
from emulator.capture.targets import CaptureFailed

DEADLINE_S = 20
HEADER = pcapng.section_header(hardware="a pump", application="a program") + pcapng.interface(name="p", description="")
SMALL = 5_000


def numbered(number: int) -> Packet:
    return Packet(interface=0, at_us=number, data=b"\0%d\0" % number)


def blocks(*packets: Packet) -> bytes:
    return b"".join(map(pcapng.packet, packets))


class Told:
    """The sentences of a sink, which come from its thread."""

    def __init__(self) -> None:
        self._sentences: queue.Queue[str] = queue.Queue()

    def __call__(self, sentence: str) -> None:
        self._sentences.put(sentence)

    def next(self) -> str:
        return self._sentences.get(timeout=DEADLINE_S)

    def is_silent(self) -> bool:
        return self._sentences.empty()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := os.read(fd, size - len(data))):
        data += more
    return data


def filled(sink: CaptureSink, count: int) -> list[Packet]:
    packets = [numbered(number) for number in range(count)]
    for packet in packets:
        sink.put(packet)
    return packets


def test_a_file_holds_the_header_at_once_and_in_the_end_all_packets(tmp_path: Path, told: Told) -> None:
    path = tmp_path / "pump.pcapng"
    sink = open_sink(path, HEADER, told)
    assert path.read_bytes() == HEADER
    packets = filled(sink, 1000)
    sink.close()
    assert path.read_bytes() == HEADER + blocks(*packets)
    assert told.is_silent()


def test_what_comes_after_the_end_is_nobodys(tmp_path: Path, told: Told) -> None:
    sink = open_sink(tmp_path / "c", HEADER, told)
    sink.close()
    sink.put(numbered(1))
    assert (tmp_path / "c").read_bytes() == HEADER


def test_an_old_capture_is_written_over_and_no_other_file(tmp_path: Path, told: Told) -> None:
    old, thesis = tmp_path / "old.pcapng", tmp_path / "thesis.txt"
    old.write_bytes(HEADER + blocks(*map(numbered, range(9))))
    open_sink(old, HEADER, told).close()
    assert old.read_bytes() == HEADER
    thesis.write_text("much work")
    with pytest.raises(CaptureFailed, match=r"thesis\.txt is there and is no capture; allowed are a new file"):
        open_sink(thesis, HEADER, told)
    assert thesis.read_text() == "much work"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere/pump.pcapng", "nowhere/pump.pcapng cannot be opened: No such file or directory."),
        (".", "cannot be opened: Is a directory."),
        ("/dev/null", "/dev/null is neither a file nor a named pipe; a capture goes to one of these."),
    ],
)
def test_where_no_capture_can_go(tmp_path: Path, told: Told, name: str, words: str) -> None:
    with pytest.raises(CaptureFailed) as failed:
        open_sink(tmp_path / name, HEADER, told)
    assert str(failed.value).endswith(words)


def test_two_pumps_do_not_share_a_file(tmp_path: Path, told: Told) -> None:
    first = open_sink(tmp_path / "c", HEADER, told)
    with pytest.raises(CaptureFailed, match="is being written by another pump"):
        open_sink(tmp_path / "c", HEADER, told)
    first.put(numbered(1))
    first.close()
    assert (tmp_path / "c").read_bytes() == HEADER + blocks(numbered(1))
    open_sink(tmp_path / "c", HEADER, told).close()


@pytest.fixture
def room() -> Iterator[Callable[[int], None]]:
    """Says how large a file can become, as if the disk had no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_the_capture_behind_a_whole_packet(
    tmp_path: Path, told: Told, room: Callable[[int], None]
) -> None:
    path = tmp_path / "c"
    sink = open_sink(path, HEADER, told)
    room(len(HEADER) + len(blocks(numbered(0))) + 7)
    sink.put(numbered(0))
    sink.put(numbered(1))
    assert told.next() == (
        f"capture: {path} cannot be written: File too large; it ends here, is whole up to here, and the pump goes on."
    )
    filled(sink, 100)
    sink.close()
    assert path.read_bytes() == HEADER + blocks(numbered(0))
    assert told.is_silent(), "it is said once"


def test_a_disk_that_is_full_from_the_beginning(tmp_path: Path, told: Told, room: Callable[[int], None]) -> None:
    room(len(HEADER) - 1)
    with pytest.raises(CaptureFailed, match=r"cannot be written: File too large\."):
        open_sink(tmp_path / "c", HEADER, told)


def test_a_file_that_is_taken_away_is_told_of(tmp_path: Path, told: Told) -> None:
    sink = open_sink(tmp_path / "c", HEADER, told)
    (tmp_path / "c").unlink()
    filled(sink, 10)
    assert told.next() == f"capture: {tmp_path}/c has been removed; nothing more is captured, and the pump goes on."
    sink.close()
    assert told.is_silent()


def test_a_pipe_waits_for_its_reader_and_nobody_waits_for_the_pipe(pipe: Path, told: Told) -> None:
    sink = open_sink(pipe, HEADER, told)
    packets = filled(sink, 3)
    reader = os.open(pipe, os.O_RDONLY)
    expected = HEADER + blocks(*packets)
    assert read_exactly(reader, len(expected)) == expected
    sink.put(numbered(4))
    assert read_exactly(reader, len(blocks(numbered(4)))) == blocks(numbered(4)), "each at once"
    sink.close()
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert told.is_silent()


def test_a_pipe_that_nobody_reads_costs_its_packets_and_no_time(pipe: Path, told: Told) -> None:
    sink = open_sink(pipe, HEADER, told)
    filled(sink, 3)
    sink.close(deadline_s=3600)
    assert told.next() == f"capture: 3 packets were not written to {pipe}: nobody read them in time."


def test_the_next_reader_gets_a_capture_with_a_beginning(pipe: Path, told: Told) -> None:
    sink = open_sink(pipe, HEADER, told)
    for number in range(3):
        reader = os.open(pipe, os.O_RDONLY)
        sink.put(numbered(number))
        expected = HEADER + blocks(numbered(number))
        assert read_exactly(reader, len(expected)) == expected
        os.close(reader)
        assert told.next() == f"capture: whoever read {pipe} has gone; the pump goes on, and waits for another reader."
    sink.close()
    assert told.is_silent()


def test_two_pumps_do_not_share_a_pipe(pipe: Path, told: Told) -> None:
    first = open_sink(pipe, HEADER, told)
    reader = os.open(pipe, os.O_RDONLY)
    assert read_exactly(reader, len(HEADER)) == HEADER
    second = open_sink(pipe, HEADER, told)
    assert told.next() == (
        f"capture: {pipe} cannot be written: another pump writes to it; nothing more is captured, and the pump goes on."
    )
    second.put(numbered(7))
    first.put(numbered(1))
    assert read_exactly(reader, len(blocks(numbered(1)))) == blocks(numbered(1))
    first.close()
    second.close()
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert told.is_silent()


def test_a_pipe_that_is_one_no_more_when_its_reader_has_gone(pipe: Path, told: Told) -> None:
    sink = open_sink(pipe, HEADER, told)
    reader = os.open(pipe, os.O_RDONLY)
    read_exactly(reader, len(HEADER))
    pipe.unlink()
    os.close(reader)
    assert "has gone; the pump goes on" in told.next()
    assert told.next() == (
        f"capture: {pipe} cannot be written: No such file or directory; nothing more is captured, and the pump goes on."
    )
    sink.close()


@pytest.mark.filterwarnings("ignore:Field type should not be:DeprecationWarning")
def test_a_reader_that_does_not_read_costs_packets_and_the_capture_says_how_many(pipe: Path, told: Told) -> None:
    sink = open_sink(pipe, HEADER, told, limit_bytes=SMALL)
    reader = os.open(pipe, os.O_RDONLY)
    big = Packet(interface=0, at_us=1, data=bytes(1000))
    sent = 0
    while told.is_silent():
        sink.put(big)
        sent += 1
    assert "takes packets too slowly, so some are left out" in told.next()
    received = b""
    while b"packets before this one are not in the capture" not in received:
        assert select.select([reader], [], [], DEADLINE_S)[0]
        received += os.read(reader, 1 << 16)
        sink.put(big)
        sent += 1
    sink.close()
    while data := os.read(reader, 1 << 16):
        received += data
    os.close(reader)
    packets = [
        block for block in other.FileScanner(io.BytesIO(received)) if isinstance(block, other.blocks.EnhancedPacket)
    ]
    gaps = [
        int.from_bytes(block.options.get_raw("epb_dropcount"), "little")
        for block in packets
        if "epb_dropcount" in block.options
    ]
    at_the_end = 0 if told.is_silent() else int(told.next().split()[1])
    assert len(packets) + sum(gaps) + at_the_end == sent
