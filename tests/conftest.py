"""How Hypothesis searches in these tests: no verdict may depend on how fast the machine is, nor CI's on chance.

And what an exhaustive test has counted is shown at the end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

_ANYWHERE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("desk", _ANYWHERE)
# The same cases in each run of CI: a new failure comes from a change. At the desk the search goes on.
settings.register_profile("ci", _ANYWHERE, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI", "").lower() in {"1", "true"} else "desk")


Counted = Callable[[str, int], None]


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Counted:
    """Say how many cases a test went through: `counted("cut points", 700)`."""
    # They travel with the report of the test, also from a worker to whoever began it.
    return lambda what, number: request.node.user_properties.append((what, number))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was counted; what several tests counted under one name is added up."""
    rows: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for what, number in report.user_properties:
            rows[what] += number
    if rows:
        terminalreporter.section("counted")
    for what, number in sorted(rows.items()):
        terminalreporter.line(f"{number:>8,} {what}")
