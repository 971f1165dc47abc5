"""What a sample programmer is: for each word of a task a procedure; and what it keeps between its tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from emulator.programmer.book import Book, decode_book, encode_book
from emulator.programmer.effects import Procedure
from emulator.programmer.ledger import Host
from emulator.scenario.tasks import Task

Report = dict[str, object]
"""What a programmer tells its user: `outcome`, and what belongs to it, with units in the names."""


@dataclass(slots=True)
class Shelf:
    """What outlives the process of a programmer: its books by the pump, notes of its own, and the sessions opened."""

    books: dict[int, Book] = field(default_factory=dict)
    notes: dict[str, int | str | list[int]] = field(default_factory=dict)
    challenges: int = 0

    def encode(self) -> bytes:
        """The shelf as the bytes of a file."""
        books = [encode_book(book).decode() for book in self.books.values()]
        return json.dumps({"books": books, "notes": self.notes, "challenges": self.challenges}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Shelf:
        """The shelf in the bytes of a file that `encode` has made."""
        found = json.loads(data)
        books = [decode_book(text.encode()) for text in found["books"]]
        return cls({book.serial_number: book for book in books}, found["notes"], found["challenges"])


@dataclass(slots=True)
class Desk:
    """A programmer at work on one pump. `programs`: the bytes of the programs that a task may name."""

    host: Host
    shelf: Shelf
    program: Callable[[str], bytes]

    def number(self, name: str, default: int = 0) -> int:
        """A number among the notes, whatever the pump."""
        value = self.shelf.notes.get(name, default)
        return value if isinstance(value, int) else default

    def note(self, numbers: Mapping[str, int]) -> None:
        """Note numbers about this pump."""
        self.shelf.notes |= {self._of_this_pump(name): value for name, value in numbers.items()}

    def noted(self, name: str) -> int | None:
        """A number that was noted about this pump, None if none was."""
        value = self.shelf.notes.get(self._of_this_pump(name))
        return value if isinstance(value, int) else None

    def _of_this_pump(self, name: str) -> str:
        return f"{name} of {self.host.book.serial_number:08X}"


TaskProcedure = Callable[[Desk, Task], Procedure[Report]]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample programmer."""

    name: str
    meaning: str
    tasks: Mapping[str, TaskProcedure]

    def flawed(self, name: str, meaning: str, tasks: Mapping[str, TaskProcedure]) -> Sample:
        """The same with a flaw: other procedures for some tasks."""
        return replace(self, name=name, meaning=meaning, tasks={**self.tasks, **tasks})
