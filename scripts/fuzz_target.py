"""Feeds one target of tests/fuzz with what libFuzzer makes of its corpus, for one run; `scripts/fuzz` starts it.

What it prints is libFuzzer's. The exit status is 0 when so many inputs were well, and libFuzzer's own when one was not:
then that input lies in the directory of findings.
"""

import importlib
import sys
from pathlib import Path

# The packages whose branches and comparisons tell the fuzzer that an input is a new one. What the wire's words become
# in the model has its own searches, and would take half of the time here.
INSTRUMENTED = ("protocol", "emulator")
LONGEST_INPUTS = {"reader": 600, "messages": 256, "host": 512, "session": 768, "device": 1_024}
SLOWEST_INPUT_S = 20
MOST_MEMORY_MB = 1_024


def main(target: str, runs: str, seed: str, directory: str) -> None:
    """Arguments of the command line; `directory` holds `corpus`, which gets what is new, `findings` and `tokens`."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        targets = importlib.import_module("tests.fuzz.targets")
    where = Path(directory)
    options = {
        "runs": runs,
        "seed": seed,
        "max_len": LONGEST_INPUTS[target],
        "timeout": SLOWEST_INPUT_S,
        "rss_limit_mb": MOST_MEMORY_MB,
        "dict": where / "tokens",
        "artifact_prefix": f"{where / 'findings'}/",
        "print_final_stats": 1,
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(where / "corpus")], targets.TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
