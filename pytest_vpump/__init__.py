"""The pytest plugin of vpump: fixtures that give a test a pump at a serial port; docs/pytest.md has them.

It is a package of its own, and imports nothing else of ours before a test asks for it: pytest loads it in projects that
may well have a `protocol` or an `emulator` of their own.
"""

from pytest_vpump.pump import Pump, Pumps
from pytest_vpump.scenario import ScenarioRun, Task

__all__ = ["Pump", "Pumps", "ScenarioRun", "Task"]
