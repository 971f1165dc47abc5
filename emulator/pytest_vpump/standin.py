"""Stands in for a programmer where a scenario wants a process: passes each task on to the test that does it.

    python -I standin.py SOCKET PORT TASK REPORT CLOCK PROGRAMS

It ends well when the test says that the task is done, and with status 1 when the test is gone.
"""

from __future__ import annotations

import json
import socket
import sys

NAMES = ("port", "task", "report", "clock", "programs")
PLACEHOLDERS = tuple(f"{{{name}}}" for name in NAMES)
DONE = b"done\n"


def main(words: list[str]) -> int:
    """Pass the task on, and wait for its end."""
    address, *values = words
    with socket.socket(socket.AF_UNIX) as test:
        try:
            test.connect(address)
            test.sendall(json.dumps(dict(zip(NAMES, values, strict=True))).encode() + b"\n")
            return 0 if test.recv(len(DONE)) else 1
        except OSError:
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
