"""Loads the module of a command, without an interrupt in between.

An interrupt is an exception out of nowhere. While a module is loaded, some of what it can strike turns it into another
exception, or prints and forgets it: `__set_name__`, and callbacks of weak references. So it waits until that is over.
"""

from __future__ import annotations

import importlib
import signal

import click


def load_command(module: str, name: str) -> click.Command:
    """The command of that name in a module of `emulator.cli`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        command = getattr(importlib.import_module(f"emulator.cli.{module}"), name)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert isinstance(command, click.Command)  # noqa: S101 - a defect of ours, not a user's mistake
    return command
