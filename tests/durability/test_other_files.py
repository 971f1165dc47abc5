"""Journal, capture and the programmer's book: whichever call to the host's files fails, it is one sentence.

A journal and a capture tell the pump's own story, so the pump goes on without them; without its book a programmer does
nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from emulator.capture import pcapng
from emulator.capture.pcapng import Packet
from emulator.capture.sink import open_sink
from emulator.capture.targets import CaptureFailed
from emulator.journal.header import START
from emulator.journal.sink import JournalFailed, JournalSink
from emulator.programmer.book import BookError, decode_book, open_book
from emulator.programmer.disk import RealDisk
from emulator.programmer.host_identity import HostIdError, kept_host_id
from tests.durability.campaigns import is_sentence
from tests.durability.host_records import ERRORS, FailingFiles, ModelDisk, QuickFiles, RecordedFiles, Told
from tests.programmer.test_book import SERIAL_NUMBER, intention

HEADER = START.decode() + "1}\n"
LINES = [f'{{"line":{number}}}\n' for number in range(5)]
CAPTURE = pcapng.section_header(hardware="a pump", application="a test") + pcapng.interface(name="p", description="")
PACKETS = [Packet(interface=0, at_us=number, data=b"\0%d\0" % number) for number in range(5)]
BOOK = f"{SERIAL_NUMBER:08X}.book"


def failing() -> Iterator[FailingFiles]:
    """One after the other the first, second, … call fails, alone and with all behind it; until there is none."""
    for call in count(1):
        for on in (False, True):
            files = FailingFiles(call, ERRORS[call % len(ERRORS)], on=on)
            yield files
            if files.calls < call:
                assert call > 5
                return


def write_journal(path: Path, files: QuickFiles) -> list[str]:
    """What was told of a journal that was written."""
    told: list[str] = []
    try:
        sink = JournalSink(path, HEADER, told.append, files=files)
    except JournalFailed as failed:
        return [str(failed)]
    for line in LINES:
        sink.put(line)
    sink.close()
    return told


def write_capture(path: Path, files: QuickFiles) -> list[str]:
    """The same of a capture."""
    told: list[str] = []
    try:
        sink = open_sink(path, CAPTURE, told.append, files=files)
    except CaptureFailed as failed:
        return [str(failed)]
    for packet in PACKETS:
        sink.put(packet)
    sink.close()
    return told


def test_a_journal_ends_behind_a_whole_line(tmp_path: Path) -> None:
    whole = "".join((HEADER, *LINES))
    path = tmp_path / "j"
    for files in failing():
        for sentence in write_journal(path, files):
            is_sentence(sentence)
        if not files.on and path.exists():
            left = path.read_text()
            assert whole.startswith(left) or left in HEADER, "a single failure is cut off again"
            assert left.endswith("\n") or len(left) < len(HEADER)
        assert write_journal(path, QuickFiles()) == []
        assert path.read_text() == whole
        path.unlink()


def test_a_capture_ends_behind_a_whole_packet(tmp_path: Path) -> None:
    path = tmp_path / "c.pcapng"
    for files in failing():
        for sentence in write_capture(path, files):
            is_sentence(sentence)
        left = path.read_bytes() if path.exists() else b""
        if not files.on and len(left) >= len(CAPTURE):
            assert left in [CAPTURE + b"".join(map(pcapng.packet, PACKETS[:many])) for many in range(6)]
        assert write_capture(path, QuickFiles()) == []
        assert path.read_bytes() == CAPTURE + b"".join(map(pcapng.packet, PACKETS))
        path.unlink()


@pytest.mark.parametrize("left", [b"", START[:1], START[:-1]])
def test_a_journal_that_had_hardly_begun_is_begun_again(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "j").write_bytes(left)
    assert write_journal(tmp_path / "j", QuickFiles()) == []
    start = pcapng.section_header(hardware="", application="")[: len(left) % 4]
    (tmp_path / "c").write_bytes(start)
    assert write_capture(tmp_path / "c", QuickFiles()) == []


def test_a_journal_has_a_bound_and_ends_there_whole(tmp_path: Path) -> None:
    told: list[str] = []
    sink = JournalSink(tmp_path / "j", HEADER, told.append, most_bytes=1_000)
    for number in range(1_000):
        sink.put(f"{number:09}\n")
    sink.close()
    kept = (1_000 - len(HEADER)) // 10
    assert (tmp_path / "j").read_text() == HEADER + "".join(f"{number:09}\n" for number in range(kept))
    assert told == [
        f"journal: {tmp_path / 'j'} has come to 1,000 bytes, the most that one may have; it ends here, is whole up to "
        "here, and the pump goes on."
    ]


def keep_twice(folder: Path, files: QuickFiles) -> list[str]:
    """Two runs of a programmer: what each was told."""
    told: list[str] = []
    for op_id in (1, 2):
        try:
            with open_book(RealDisk(files), folder, SERIAL_NUMBER, 0) as book:
                book.keep(book.book.adding(intention(op_id)))
                if isinstance(files, RecordedFiles):
                    files.tell(Told(op_id, 0, 0))
        except BookError as error:
            told.append(str(error))
    return told


def booked(data: bytes) -> list[int]:
    """The operations in a book."""
    return [each.op_id for each in decode_book(data).intentions]


def test_a_book_is_the_old_one_or_the_new_one_whichever_call_fails(tmp_path: Path) -> None:
    for files in failing():
        told = keep_twice(tmp_path, files)
        for sentence in told:
            is_sentence(sentence)
        path = tmp_path / BOOK
        left = booked(path.read_bytes()) if path.exists() else []
        assert left in ([], [1], [2], [1, 2])
        assert told or left == [1, 2]
        with open_book(RealDisk(QuickFiles()), tmp_path, SERIAL_NUMBER, 0) as book:
            book.keep(book.book.adding(intention(3)))
        assert booked(path.read_bytes()) == [*left, 3]
        for each in tmp_path.iterdir():
            each.unlink()


def test_a_book_is_the_old_one_or_the_new_one_wherever_the_host_crashes(tmp_path: Path) -> None:
    files = RecordedFiles()
    assert keep_twice(tmp_path, files) == []
    disk, told = ModelDisk({}), 0
    for operation in files.operations:
        disk.do(operation)
        told = operation.knows.now_us if operation.knows else told
        for crashed in disk.crashed():
            data = crashed.get(str(tmp_path / BOOK))
            assert len(booked(data) if data is not None else []) >= told


def test_a_host_id_is_whole_whichever_call_fails(tmp_path: Path) -> None:
    for files in failing():
        found: list[int] = []
        try:
            found.append(kept_host_id(RealDisk(files), tmp_path))
        except HostIdError as error:
            is_sentence(str(error))
        with contextlib.suppress(FileNotFoundError):
            found.append(int((tmp_path / "host-id").read_text(), 16))
        found.append(kept_host_id(RealDisk(QuickFiles()), tmp_path))
        assert len(set(found)) == 1
        for each in tmp_path.iterdir():
            each.unlink()
