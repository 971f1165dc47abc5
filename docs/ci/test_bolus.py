"""The dose is in the person, and the answer is gone: what does our programmer do?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMMER = Path(__file__).with_name("programmer.py")
DAY_US = 86_400_000_000


@pytest.mark.vpump(speed=0)
def test_a_bolus_is_given_once(pump, tmp_path):
    pump.control.arm_fault("drop answer BOLUS_EXECUTE count=4")
    report = tmp_path / "report.json"
    subprocess.run([sys.executable, PROGRAMMER, pump.port, "bolus 100uL over 10min", report], check=True)
    assert json.loads(report.read_text())["outcome"] in ("given", "unknown")
    assert pump.control.run_until("log", match={"type": "bolus_ended"}, limit_us=DAY_US)["reached"]
    assert not pump.control.run_until("log", match={"type": "bolus_started"}, limit_us=DAY_US)["reached"]
