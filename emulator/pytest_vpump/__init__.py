"""The pytest plugin of vpump: fixtures that give a test a pump at a serial port; docs/pytest.md has them.

Installed it is a package of its own, `pytest_vpump`, and imports nothing else of ours before a test asks for it: pytest
loads it in projects that may well have a `protocol` or an `emulator` of their own. Hence its relative imports.
"""

from .pump import Pump, Pumps
from .scenario import ScenarioRun, Task

__all__ = ["Pump", "Pumps", "ScenarioRun", "Task"]
