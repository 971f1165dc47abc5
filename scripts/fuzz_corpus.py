"""Writes tests/fuzz/corpus anew: what a run of the fuzzer comes to from the old one, as far as it leads to new code.

.venv/bin/python -P scripts/fuzz_corpus.py [THOUSANDS [SEED]]
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from scripts.fuzzing import FUZZ, prepare
from scripts.soak_campaigns import FUZZ_SHARES
from tests.fuzz.kept_inputs import write_corpus
from tests.fuzz.seeds import seeds_of
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parent.parent
LOOKED_AT = tuple(str(ROOT / name) for name in ("protocol", "emulator"))

Arc = tuple[str, int, int]


def arcs_of(target: Target, data: bytes) -> set[Arc]:
    """From which line to which an input leads, in the packages of the wire."""
    arcs: set[Arc] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename
        if not name.startswith(LOOKED_AT):
            return None
        arcs.add((name, last.get(frame, 0), frame.f_lineno))
        last[frame] = frame.f_lineno
        if event == "return":
            del last[frame]
        return trace

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return arcs


def reduced(target: str, inputs: Iterable[bytes]) -> list[bytes]:
    """Of these inputs those that lead where neither a seed does nor a shorter one."""
    known: set[Arc] = set().union(*(arcs_of(TARGETS[target], seed) for seed in seeds_of(target)))
    kept = []
    for data in sorted(inputs, key=len):
        arcs = arcs_of(TARGETS[target], data)
        if not arcs <= known:
            known |= arcs
            kept.append(data)
    return kept


def renew(target: str, runs: int, seed: int) -> int:
    """Write the corpus of a target; how many inputs it has beside the seeds."""
    with tempfile.TemporaryDirectory(prefix="vpump-fuzz-") as name:
        directory = Path(name)
        prepare(directory, target)
        command = (str(FUZZ), target, str(runs), str(seed), name)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        kept = reduced(target, [path.read_bytes() for path in (directory / "corpus").iterdir()])
    write_corpus(target, kept)
    return len(kept)


if __name__ == "__main__":
    thousands, seed = (int(word) for word in (*sys.argv[1:3], "100", "1")[:2])
    for name, share in FUZZ_SHARES.items():
        print(f"{name:<8} {renew(name, thousands * share, seed)} inputs", flush=True)
