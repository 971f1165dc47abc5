"""How Hypothesis searches in these tests: no verdict may depend on how fast the machine is, nor CI's on chance."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_ANYWHERE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("desk", _ANYWHERE)
# The same cases in each run of CI: a new failure comes from a change. At the desk the search goes on.
settings.register_profile("ci", _ANYWHERE, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI", "").lower() in {"1", "true"} else "desk")
