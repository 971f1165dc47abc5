"""Runs the coverage-guided fuzzer on the targets of tests/fuzz, and says what it has found: for `scripts/soak fuzz`."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from tests.fuzz.kept_inputs import corpus_of
from tests.fuzz.seeds import TOKENS

FUZZ = Path(__file__).resolve().parent / "fuzz"
LAST_WORDS = 40
_BANNER = ("INFO:", "WARNING:")
_PROGRESS = re.compile(r"#(\d+)\s+(\w+)\s+cov: (\d+)")


class Found(Exception):
    """An input that was not well: which, for which target, and how the run ended."""


def fuzz(target: str, runs: int, seed: int) -> Iterator[tuple[int, int]]:
    """A run of so many inputs; now and then how many were well and how many places of the code they came to.

    Raises Found.
    """
    with tempfile.TemporaryDirectory(prefix="vpump-fuzz-") as name:
        directory = Path(name)
        prepare(directory, target)
        command = [str(FUZZ), target, str(runs), str(seed), name]
        said: deque[str] = deque(maxlen=LAST_WORDS)
        # The traceback is on its standard output, all else on the other.
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            assert running.stdout is not None  # noqa: S101 - it was asked for
            try:
                for line in running.stdout:
                    if told := _PROGRESS.match(line):
                        yield min(int(told[1]), runs), int(told[3])
                    elif not line.startswith(_BANNER):
                        said.append(line)
            finally:
                running.terminate()
        if running.returncode != 0:
            raise Found(_what_was_found(target, directory / "findings", "".join(said)))


def prepare(directory: Path, target: str) -> None:
    """What a run begins with."""
    for name in ("corpus", "findings"):
        (directory / name).mkdir()
    for each in corpus_of(target):
        (directory / "corpus" / sha256(each).hexdigest()[:20]).write_bytes(each)
    quoted = ("".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS)
    (directory / "tokens").write_text("".join(f'"{token}"\n' for token in quoted), encoding="ascii")


def _what_was_found(target: str, findings: Path, said: str) -> str:
    inputs = [f"{target} {path.read_bytes().hex()}" for path in sorted(findings.iterdir())]
    if not inputs:
        return f"the fuzzer ended by itself:\n{said}"
    return f"{said}\nto repeat it, add this to tests/fuzz/regressions.txt:\n" + "\n".join(inputs)
