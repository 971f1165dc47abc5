"""Where a journal goes: whole lines, never a gap, and nobody waits for a disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from emulator.journal.header import START
from emulator.journal.sink import JournalFailed, JournalSink

HEADER = START.decode() + "1}\n"


def test_lines_stand_in_their_order_behind_the_header(tmp_path: Path) -> None:
    told: list[str] = []
    sink = JournalSink(tmp_path / "j", HEADER, told.append)
    for number in range(1_000):
        sink.put(f"{number}\n")
    sink.close()
    sink.put("too late\n")
    assert (tmp_path / "j").read_text() == HEADER + "".join(f"{number}\n" for number in range(1_000))
    assert told == []


def test_a_disk_that_is_too_slow_ends_the_journal_behind_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    sink = JournalSink(tmp_path / "j", HEADER, told.append, limit_bytes=100)
    ready, write = threading.Event(), os.write

    def slow(fd: int, data: bytes) -> int:
        assert ready.wait(10)
        return write(fd, data)

    monkeypatch.setattr("emulator.journal.sink.os.write", slow)
    for _ in range(30):
        sink.put("123456789\n")
    ready.set()
    sink.close()
    assert (tmp_path / "j").read_text() == HEADER + "123456789\n" * 10
    assert told == [
        f"journal: {tmp_path / 'j'} is written too slowly; it ends here, is whole up to here, and the pump goes on."
    ]


def test_what_a_failing_disk_has_taken_part_of_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    sink = JournalSink(tmp_path / "j", HEADER, told.append)
    taken, write = [13, 0], os.write

    def full(fd: int, data: bytes) -> int:
        room = taken.pop(0)
        if not room:
            raise OSError(28, "No space left on device")
        return write(fd, data[:room])

    monkeypatch.setattr("emulator.journal.sink.os.write", full)
    sink.put("123456789\n" * 2)
    sink.close()
    assert (tmp_path / "j").read_text() == HEADER + "123456789\n"
    assert len(told) == 1
    assert "cannot be written: No space left on device; it ends here" in told[0]


def test_one_file_is_one_pumps(tmp_path: Path) -> None:
    sink = JournalSink(tmp_path / "j", HEADER, print)
    with pytest.raises(JournalFailed, match="is being written by another pump"):
        JournalSink(tmp_path / "j", HEADER, print)
    sink.close()
    JournalSink(tmp_path / "j", HEADER, print).close()
    with pytest.raises(JournalFailed, match="cannot be opened"):
        JournalSink(tmp_path, HEADER, print)
