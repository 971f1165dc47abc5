"""Measures what a pump costs that nobody talks to: without a client, and with a client that is silent.

Starts `vpump serve`, and reads the processor time and the wake-ups of its process from /proc over some seconds each.
Exit status 1 if either takes 1 % of a core or more.

    .venv/bin/python scripts/measure_idle.py [--seconds 10]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_PERCENT = 1.0
# The pump has just started, or a client has just come; what that costs is not idling.
SETTLE_S = 0.5
STOP_DEADLINE_S = 10


@dataclass(frozen=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    wake_ups: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        # The name, in parentheses, may hold blanks; utime and stime are the 14th and 15th fields, counted from 1.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        wake_ups = 0
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            for line in status.read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    wake_ups += int(line.split()[1])
        return cls((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), wake_ups)


@dataclass(frozen=True)
class Measured:
    """One row of the table."""

    state: str
    percent: float
    wake_ups_per_s: float


def measure(state: str, pid: int, seconds: float) -> Measured:
    """Watch a process for some seconds."""
    time.sleep(SETTLE_S)
    before, start_s = Usage.of(pid), time.monotonic()
    time.sleep(seconds)
    after, took_s = Usage.of(pid), time.monotonic() - start_s
    return Measured(state, 100 * (after.cpu_s - before.cpu_s) / took_s, (after.wake_ups - before.wake_ups) / took_s)


def measure_pump(seconds: float) -> list[Measured]:
    """Start a pump, measure it in both states, and stop it."""
    with tempfile.TemporaryDirectory(prefix="vpump-idle-") as directory:
        command = [sys.executable, "-P", "-m", "emulator", "serve", "--json", "--listen", "pty"]
        environment = os.environ | {"VPUMP_RUNTIME_DIR": directory, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as pump:
            try:
                line = pump.stdout.readline() if pump.stdout is not None else ""
                if not line:
                    sys.exit("the pump did not start")
                rows = [measure("no client", pump.pid, seconds)]
                client = os.open(json.loads(line)["ports"][0]["url"], os.O_RDWR | os.O_NOCTTY)
                try:
                    rows.append(measure("silent client", pump.pid, seconds))
                finally:
                    os.close(client)
            finally:
                pump.terminate()
                pump.wait(STOP_DEADLINE_S)
    return rows


def main() -> int:
    """Measure, print the table, judge."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10, help="how long to watch each state (default 10)")
    rows = measure_pump(parser.parse_args().seconds)
    print(f"{'state':<16} {'% of a core':>12} {'wake-ups/s':>12}")
    for row in rows:
        print(f"{row.state:<16} {row.percent:>12.3f} {row.wake_ups_per_s:>12.1f}")
    if any(row.percent >= LIMIT_PERCENT for row in rows):
        print(f"\nFAILED: {LIMIT_PERCENT} % of a core or more")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
