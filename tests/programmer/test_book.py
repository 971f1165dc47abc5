"""The book on a real disk: what comes back, who may read it, and that a damaged one is left alone."""

import os
import stat
from pathlib import Path

import pytest

from emulator.programmer.book import (
    MAX_CLOSED_INTENTIONS,
    MAX_OPEN_INTENTIONS,
    Book,
    BookError,
    Intention,
    open_book,
    state_directory,
)
from emulator.programmer.disk import RealDisk

SERIAL_NUMBER = 0x00C0FFEE


def intention(op_id: int, **more: object) -> Intention:
    fields: dict[str, object] = {
        "op_id": op_id,
        "role": 3,
        "host_id": 0,
        "serial_number": SERIAL_NUMBER,
        "epoch": 1,
        "operation": "STOP",
        "opcode": 0x0401,
        "payload": "0700000005000000",
        "payload_hash": "00" * 8,
        "command": "therapy stop",
    }
    return Intention(**(fields | more))  # type: ignore[arg-type]  # a test's shorthand


def test_what_was_kept_comes_back_for_this_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "state"
    with open_book(RealDisk(), directory, SERIAL_NUMBER, 0) as file:
        file.keep(file.book.adding(intention(7)))
    with open_book(RealDisk(), directory, SERIAL_NUMBER, 0) as file:
        assert [each.op_id for each in file.book.unfinished] == [7]
    path = directory / "00C0FFEE.book"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(os.listdir(directory)) == ["00C0FFEE.book", "00C0FFEE.lock"]  # noqa: PTH208 - names are enough


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: data[:-1],
        lambda data: data.replace(b'"op_id": 7', b'"op_id": 8'),
        lambda data: b"vpump-book 2 " + data[13:],
        lambda data: b"\xff" * len(data),
        lambda data: data * 2,
    ],
)
def test_a_damaged_book_is_one_sentence_and_left_alone(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    with open_book(RealDisk(), tmp_path, SERIAL_NUMBER, 0) as file:
        file.keep(file.book.adding(intention(7)))
    path = tmp_path / "00C0FFEE.book"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(BookError, match=r"damaged"), open_book(RealDisk(), tmp_path, SERIAL_NUMBER, 0):
        pass
    assert path.read_bytes() == damaged


def test_the_book_of_another_pump_is_refused(tmp_path: Path) -> None:
    with open_book(RealDisk(), tmp_path, 1, 0) as file:
        file.keep(Book(serial_number=1))
    (tmp_path / "00000001.book").rename(tmp_path / "00000002.book")
    with pytest.raises(BookError, match="book of pump 00000001"), open_book(RealDisk(), tmp_path, 2, 0):
        pass


def test_two_commands_do_not_share_a_book(tmp_path: Path) -> None:
    with (
        open_book(RealDisk(), tmp_path, SERIAL_NUMBER, 0),
        pytest.raises(BookError, match="another command"),
        open_book(RealDisk(), tmp_path, SERIAL_NUMBER, 0),
    ):
        pass


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BookError, match="cannot be read"), open_book(RealDisk(), tmp_path / "file" / "x", 1, 0):
        pass


def test_the_book_does_not_grow_for_ever() -> None:
    book = Book(serial_number=SERIAL_NUMBER)
    for op_id in range(1, 3 * MAX_CLOSED_INTENTIONS):
        book = book.adding(intention(op_id, stage="closed"))
    assert len(book.intentions) <= MAX_CLOSED_INTENTIONS + 1
    for op_id in range(MAX_OPEN_INTENTIONS):
        book = book.adding(intention(1_000 + op_id))
    with pytest.raises(BookError, match="unfinished"):
        book.adding(intention(2_000))
    assert len(book.unfinished) == MAX_OPEN_INTENTIONS


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"VPUMP_STATE_HOME": "/a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/vpump"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/c"}, "/c/.local/state/vpump"),
        ({"HOME": "/c"}, "/c/.local/state/vpump"),
    ],
)
def test_where_books_live(environment: dict[str, str], expected: str) -> None:
    assert state_directory(environment) == Path(expected)
