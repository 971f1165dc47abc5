"""What was recorded through a PTY at speed 1 replays in process; `scripts/soak journals` does it a hundred times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.journal.journaled_line import record_and_replay


@pytest.mark.parametrize("seed", range(4))
def test_a_session_through_a_pty_replays_to_the_same(seed: int, tmp_path: Path) -> None:
    figures: Counter[str] = Counter()
    record_and_replay(seed, tmp_path, figures)
    assert figures["inputs"] > 20
    assert figures["bytes sent"] > 0
    assert figures["line faults struck"] + figures["device faults begun"] > 0
