"""Equal inputs, equal bytes and equal state: in another process, under another hash seed, and under `python -O`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_model import MODEL_VERSION
from tests.firmware_model import fixed_scenario

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("hash_seed", "options"), [("0", []), ("4711", ["-O"])], ids=["hash seed 0", "hash seed 4711, optimised"]
)
def test_the_fixed_scenario_ends_the_same_in_another_process(hash_seed: str, options: list[str]) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, *options, "-m", "tests.firmware_model.fixed_scenario"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == fixed_scenario.run()


def test_the_fixed_day_is_the_one_that_was() -> None:
    """Another state for equal inputs needs a new MODEL_VERSION; then change this digest, as for another profile."""
    digest, _ = fixed_scenario.day().split()
    assert (MODEL_VERSION, digest) == (5, "169490e03bbea49bbf84995543ecb44664d5c1caf8aae10b715cd2baad361031")
