"""What a scenario asks of a programmer, said to ours: programmer.py PORT TASK REPORT.

Ours is vpump's own command line here. Put yours in its place: the call below is all that knows it.
"""

import json
import subprocess
import sys
from pathlib import Path

VPUMP = (sys.executable, "-I", "-m", "emulator")
# By exit status: what our software tells its user.
TOLD = {
    0: {"outcome": "given"},
    1: {"outcome": "refused", "delivered_nl": 0},
    3: {"outcome": "not-given", "delivered_nl": 0},
    6: {"outcome": "unknown"},
}


def give_bolus(port: str, volume: str, over: list[str]) -> dict[str, object]:
    """Give a bolus."""
    duration = ["--over", over[1]] if over else []
    done = subprocess.run([*VPUMP, "bolus", volume, *duration, "--port", port], check=False)
    return TOLD.get(done.returncode, {"outcome": "failed"})


def main() -> None:
    port, task, report = sys.argv[1:]
    word, *rest = task.split()
    if word != "bolus":
        sys.exit(f"this programmer cannot {task!r}")
    Path(report).write_text(json.dumps(give_bolus(port, rest[0], rest[1:])))


if __name__ == "__main__":
    main()
