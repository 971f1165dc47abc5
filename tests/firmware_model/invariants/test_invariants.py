"""Whatever is done to a pump, in any order, with all faults on: its invariants hold."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from tests.firmware_model.invariants.machine import SEARCH, CleanPump, SafePump, SmallPump, StoppingPump

SHARE = settings(SEARCH, max_examples=20)

TestSafePump: Any = SafePump.TestCase
TestSafePump.settings = SHARE
TestStoppingPump: Any = StoppingPump.TestCase
TestStoppingPump.settings = SHARE
TestSmallPump: Any = SmallPump.TestCase
TestSmallPump.settings = SHARE
TestCleanPump: Any = CleanPump.TestCase
TestCleanPump.settings = SHARE
