"""The committed inputs: `corpus/TARGET.hex`, which a fuzzer begins with, and `regressions.txt`, which found a fault.

Both are read by people as well: one input a line, in hex; what stands behind # is a remark.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.fuzz.seeds import seeds_of

HERE: Final = Path(__file__).resolve().parent
CORPUS_MAX_BYTES: Final = 200_000
"""Of all files of the corpus together."""


def corpus_file(target: str) -> Path:
    """Where the corpus of a target lies."""
    return HERE / "corpus" / f"{target}.hex"


def corpus_of(target: str) -> tuple[bytes, ...]:
    """The inputs that a fuzzer begins with: what it has once come to, and the seeds."""
    path = corpus_file(target)
    kept = [bytes.fromhex(line) for line in _lines(path)] if path.exists() else []
    return tuple(dict.fromkeys((*kept, *seeds_of(target))))


def write_corpus(target: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs, the shortest first."""
    ordered = sorted(set(inputs) - set(seeds_of(target)), key=lambda each: (len(each), each))
    corpus_file(target).write_text("".join(f"{each.hex()}\n" for each in ordered), encoding="ascii")


def regressions() -> tuple[tuple[str, bytes], ...]:
    """Target and input of each fault that was found."""
    words = [line.split(maxsplit=1) for line in _lines(HERE / "regressions.txt")]
    return tuple((target, bytes.fromhex(data)) for target, data in words)


def _lines(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]
