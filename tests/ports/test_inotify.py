"""Watching one file."""

from pathlib import Path

import pytest

from emulator.ports.inotify import FileWatch, Happening


def test_opening_writing_and_closing_are_seen_in_their_order_and_a_pause_hides_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    watch = FileWatch(str(path))
    path.read_bytes()
    assert watch.read() == [Happening.OPENED, Happening.CLOSED]
    watch.pause()
    path.read_bytes()
    watch.resume()
    with path.open("wb") as file:
        file.write(b"x")
    assert watch.read()[-3:] == [Happening.OPENED, Happening.WRITTEN, Happening.CLOSED]
    assert watch.read() == []
    watch.close()
    watch.close()


def test_a_file_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileWatch(str(tmp_path / "missing"))
