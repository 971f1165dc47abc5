"""The worst day of a programmer: the bolus is given, and its answer is lost."""

import os
import subprocess
import sys

import pytest

PROGRAMMER = (sys.executable, "-I", "-m", "emulator")  # vpump's own; here stands yours
DAY_US = 86_400_000_000


@pytest.mark.vpump(speed=0, emulated=True)
def test_a_bolus_whose_answer_is_lost_is_given_once(pump, tmp_path) -> None:
    pump.control.arm_fault("drop answer BOLUS_EXECUTE")
    subprocess.run(
        [*PROGRAMMER, "bolus", "50uL", "--port", pump.port],
        env=os.environ | {"VPUMP_STATE_HOME": str(tmp_path)},
        check=True,
    )
    assert pump.control.run_until("log", match={"type": "bolus_ended"}, limit_us=DAY_US)["reached"]
    assert not pump.control.run_until("log", match={"type": "bolus_started"}, limit_us=DAY_US)["reached"]
