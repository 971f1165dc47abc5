"""The programmer's durable book of one pump: what it intended, what became of it, and the last list of operations.

The file is a line with a checksum, then JSON that a person can read. It is replaced as a whole: a new file is written
and made durable, then takes the old one's place, so that a host that dies at any moment finds one or the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from emulator.programmer.disk import HostDisk, LockedError

BOOK_FORMAT = "vpump-book 1"
MAX_BOOK_BYTES = 1 << 20
MAX_CLOSED_INTENTIONS = 64  # four times what a pump's ledger holds of a role
MAX_OPEN_INTENTIONS = 16


class BookError(Exception):
    """The book cannot be read, written or had for oneself; the message is one sentence."""


class BookedOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of an intention: `state` is the ledger's word for one that was taken, `nak` the refusal in hex."""

    kind: Literal["taken", "not_taken", "unknown"]
    reason: str = ""
    state: str = ""
    min_nl: int = 0
    max_nl: int = 0
    nak: str = ""


class Intention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command that the user wants to happen once, stored before its first byte leaves.

    command      what the user asked for, as text; a run with the same text goes on with this intention
    payload      the whole payload as it leaves, in hex
    stage        open: nobody knows yet what became of it; resolved: known, and not yet told; closed: told
    """

    op_id: int
    role: int
    host_id: int
    serial_number: int
    epoch: int
    operation: str
    opcode: int
    payload: str
    payload_hash: str
    command: str
    stage: Literal["open", "resolved", "closed"] = "open"
    outcome: BookedOutcome | None = None


class BookedOp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry of the pump's ledger, as the pump last listed it."""

    role: int
    op_id: int
    host_id: int
    opcode: int
    payload_hash: str
    state: str
    min_nl: int
    max_nl: int
    log_sequence: int


class BookedOpList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A complete OP_LIST; `op_high` by the number of the role."""

    epoch: int
    therapy_rev: int
    op_high: Mapping[int, int]
    entries: tuple[BookedOp, ...]


class Book(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that a programmer must not forget about one pump. Intentions are in the order of their beginning."""

    serial_number: int
    intentions: tuple[Intention, ...] = ()
    op_list: BookedOpList | None = None

    @property
    def unfinished(self) -> tuple[Intention, ...]:
        """Intentions whose outcome is not known, or was never told."""
        return tuple(intention for intention in self.intentions if intention.stage != "closed")

    def latest(self, role: int, op_id: int) -> Intention | None:
        """The youngest intention under an op id: an id that was not taken can be used again."""
        found = [each for each in self.intentions if (each.role, each.op_id) == (role, op_id)]
        return found[-1] if found else None

    def adding(self, intention: Intention) -> Book:
        """With one more intention, and only so many of the closed ones as are worth keeping."""
        if len(self.unfinished) >= MAX_OPEN_INTENTIONS:
            raise BookError(
                f"the book of pump {self.serial_number:08X} holds {MAX_OPEN_INTENTIONS} unfinished operations already; "
                "ask for them with vpump op, and book what nobody can know."
            )
        closed = [each for each in self.intentions if each.stage == "closed"]
        dropped = set(map(id, closed[: max(0, len(closed) - MAX_CLOSED_INTENTIONS)]))
        kept = tuple(each for each in self.intentions if id(each) not in dropped)
        return msgspec.structs.replace(self, intentions=(*kept, intention))

    def replacing(self, old: Intention, new: Intention) -> Book:
        """With `new` in the place of `old`."""
        return msgspec.structs.replace(
            self, intentions=tuple(new if each is old or each == old else each for each in self.intentions)
        )


def encode_book(book: Book) -> bytes:
    """The bytes of the file."""
    body = msgspec.json.format(msgspec.json.encode(book), indent=1) + b"\n"
    return f"{BOOK_FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def decode_book(data: bytes) -> Book:
    """The book in a file's bytes; ValueError says what is wrong with them."""
    if len(data) > MAX_BOOK_BYTES:
        raise ValueError(f"it has more than {MAX_BOOK_BYTES} bytes")
    head, _, body = data.partition(b"\n")
    if head.rpartition(b" ")[0] != BOOK_FORMAT.encode():
        raise ValueError(f"it does not begin with '{BOOK_FORMAT}'")
    if head.rpartition(b" ")[2] != hashlib.sha256(body).hexdigest().encode():
        raise ValueError("its checksum does not match")
    try:
        return msgspec.json.decode(body, type=Book)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def state_directory(environment: Mapping[str, str]) -> Path:
    """Where books live: VPUMP_STATE_HOME, else XDG_STATE_HOME/vpump, else the XDG default."""
    own = environment.get("VPUMP_STATE_HOME")
    if own:
        return Path(own)
    xdg = environment.get("XDG_STATE_HOME")
    # The XDG specification says that a relative path is to be ignored.
    if xdg and Path(xdg).is_absolute():
        return Path(xdg, "vpump")
    # Path.home raises where no home is to be had; this leaves a path that then says in its error what is missing.
    return Path(environment.get("HOME") or os.path.expanduser("~"), ".local", "state", "vpump")  # noqa: PTH111


class BookFile:
    """The book on the disk, while we hold its lock."""

    def __init__(self, disk: HostDisk, path: Path, book: Book) -> None:
        self._disk = disk
        self._path = path
        self.book = book

    def keep(self, book: Book) -> None:
        """Make a new state of the book durable; afterwards, and not before, it is `book`."""
        beside = self._path.with_suffix(".new")
        try:
            self._disk.write(beside, encode_book(book))
            self._disk.sync(beside)
            self._disk.rename(beside, self._path)
            self._disk.sync(self._path.parent)
        except OSError as error:
            raise BookError(f"the programmer's book {self._path} cannot be written: {error.strerror}.") from error
        self.book = book


@contextlib.contextmanager
def open_book(disk: HostDisk, directory: Path, serial_number: int, patience_s: float) -> Iterator[BookFile]:
    """The book of a pump, for us alone."""
    name = f"{serial_number:08X}"
    path = directory / f"{name}.book"
    with contextlib.ExitStack() as held:
        try:
            disk.make_directory(directory)
            held.enter_context(disk.lock(directory / f"{name}.lock", patience_s))
            data = disk.read(path)
        except LockedError:
            raise BookError(
                f"another command is at work on pump {name}; wait for its end (its lock is {directory / name}.lock)."
            ) from None
        except OSError as error:
            raise BookError(f"the programmer's book {path} cannot be read: {error.strerror}.") from error
        yield BookFile(disk, path, _checked(data, path, serial_number))


def _checked(data: bytes | None, path: Path, serial_number: int) -> Book:
    if data is None:
        return Book(serial_number=serial_number)
    try:
        book = decode_book(data)
        if book.serial_number != serial_number:
            raise ValueError(f"it is the book of pump {book.serial_number:08X}")
    except ValueError as error:
        raise BookError(
            f"the programmer's book {path} is damaged ({error}), so nobody knows which operations are unfinished; "
            "look at the pump's log, then move the file away."
        ) from error
    return book
