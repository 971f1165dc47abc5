"""Crashes of the host at every operation on its files, and failures of every call: short in the tests, long in soak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from emulator.assembly import load_profile
from emulator.programmer.rules import stop
from emulator.serving import NotKept
from emulator.state_file import StateFileError
from firmware_model.pump_state import restored, resumed
from tests.durability.host_records import ERRORS, FailingFiles, ModelDisk, RecordedFiles, Told
from tests.durability.kept_world import STATE, KeptWorld, commands_by_chance, live

PROFILE = load_profile("reference-20")

Figures = Counter[str]


def seeded(seed: int) -> Random:
    """Chance that can be had again."""
    return Random(seed)  # noqa: S311 - nothing secret


def crash_everywhere(folder: Path, random: Random, commands: int, restarts: int) -> Figures:
    """Record the file operations of a session; whatever a crash behind any of them leaves is an old or a new state.

    `restarts`: so many of the folders that may be left are started again, by the product.
    """
    files = RecordedFiles()
    asked = commands_by_chance(random, commands)
    live(KeptWorld(folder=folder, files=files, outside=files.tell), asked)
    path = str((folder / STATE).resolve())
    disk, told = ModelDisk({}), None
    figures = Figures(operations=len(files.operations))
    left: dict[bytes, dict[str, bytes]] = {}
    held: dict[bytes, Told] = {}
    for operation in files.operations:
        disk.do(operation)
        told = operation.knows or told
        for crashed in disk.crashed():
            figures["crashes"] += 1
            if path not in crashed:
                assert told is None, "a state that was told of is gone"
                continue
            found = crashed[path]
            if found not in held:
                held[found] = _held(found)
            assert told is None or told.stands_in(held[found]), "what was told is lost"
            left[found] = crashed
    figures["states"] = len(left)
    for found in random.sample(sorted(left), min(restarts, len(left))):
        _restart(folder, left[found])
        figures["restarts"] += 1
    return figures


def fail_everywhere(folder: Path, random: Random, commands: int, every: int = 1) -> Figures:
    """Let each `every`-th call to the host's files fail, alone or with all behind it: one sentence, nothing lost."""
    asked = commands_by_chance(random, commands)
    figures = Figures()
    for call in _calls(random, every):
        files = FailingFiles(call, random.choice(ERRORS), on=random.random() < 0.5)
        told: list[Told] = []
        _clear(folder)
        world = KeptWorld(folder=folder, files=files, outside=told.append)
        try:
            live(world, asked)
        except (StateFileError, NotKept) as failure:
            is_sentence(str(failure))
            figures["refused at the start"] += 1
        else:
            if files.calls < call:
                figures["calls"] = files.calls
                return figures
            if isinstance(world.failure, NotKept):
                is_sentence(str(world.failure))
                figures["ended while serving"] += 1
            else:
                figures["at the end"] += 1
        left = folder / STATE
        assert not told or told[-1].stands_in(_held(left.read_bytes())), "what was told is lost"
        again = KeptWorld(folder=folder, now=world.now)
        live(again, asked[:1])
        assert again.failure is None, "the next start works"
    raise AssertionError("it makes calls without end")


def _calls(random: Random, every: int) -> Iterator[int]:
    call = random.randrange(1, every + 1)
    while call < 100_000:
        yield call
        call += every


def _held(found: bytes) -> Told:
    """What a state has of what was told. What a start adds counts only where there was no power, and no firmware."""
    before, booted = restored(found, PROFILE), resumed(found, PROFILE)
    return Told.by(before if before.powered else booted)


def _restart(folder: Path, left: dict[str, bytes]) -> None:
    _clear(folder)
    for name, data in left.items():
        Path(name).write_bytes(data)
    world = KeptWorld(folder=folder, now=10**12)
    live(world, [stop])
    assert world.failure is None
    assert world.reports, "a programmer works with it"


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def is_sentence(text: str) -> None:
    """What a user is told when something fails."""
    assert text.endswith("."), text
    assert "\n" not in text
    assert "Traceback" not in text
