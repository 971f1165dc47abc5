"""Runs `vpump` commands for the tests, each in a fork of this process, which has loaded everything beforehand.

Each request is a packet on the socket whose descriptor is the first argument, and has one packet for its reply:

    {"arguments": […], "environment": {…}, "directory": …, "kill_at": N}   starts a command; with its three descriptors
    {"wait": PID} and {"poll": PID}                                        its exit status, null while it runs

A command can be killed (SIGKILL) at its n-th call to the host's disk or line, and counts them in the file `calls` then.
With "full_at", its n-th call to the host's files fails, and every one behind it.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from serial.urlhandler import protocol_socket

import emulator.cli
from emulator.host_files import SystemFiles
from emulator.programmer import link
from emulator.programmer.disk import RealDisk

LOADED = (
    *("serving", "pacing", "trace", "ports.pty", "ports.tcp", "control.server", "assembly"),
    *("keyfile", "programmer.host_identity", "protocols", "vpump_protocol"),
)
DISK_CALLS = ("make_directory", "read", "sync", "rename", "lock")
FILE_CALLS = ("open", "read", "write", "truncate", "sync", "rename", "lock")
MAX_PACKET_BYTES = 1 << 16


def main(descriptor: int) -> None:
    """Serve requests until there are no more."""
    for name in [f"cli.{entry.module}" for entry in emulator.cli.COMMANDS.values()] + list(LOADED):
        importlib.import_module(f"emulator.{name}")
    # pyserial sleeps after it has closed a socket, for servers that are slow to take the next client. Ours is not.
    vars(protocol_socket)["time"] = SimpleNamespace(sleep=lambda _seconds: None)
    # What is loaded stays; a fork that looks for rubbish among it would copy all of it.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as requests:
        while True:
            packet, descriptors, _, _ = socket.recv_fds(requests, MAX_PACKET_BYTES, 3)
            if not packet:
                return
            requests.send(json.dumps(_answer(json.loads(packet), descriptors)).encode())


def _answer(request: dict[str, Any], descriptors: list[int]) -> int | None:
    if "arguments" in request:
        child = os.fork()
        if child == 0:
            _become(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return child
    found, how = os.waitpid(request.get("wait") or request["poll"], 0 if "wait" in request else os.WNOHANG)
    return os.waitstatus_to_exitcode(how) if found else None


def _become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Be the command, to its end."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request["kill_at"] is not None:
        _Death(request["kill_at"], os.open("calls", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)).lie_in_wait()
    if request["full_at"] is not None:
        _fill_disk(request["full_at"])
    status = 1
    try:
        emulator.cli.main(request["arguments"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001, RUF100 - as the interpreter does with whatever nobody has caught
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking down an interpreter that has loaded everything takes longer than most commands.
    atexit._run_exitfuncs()
    os._exit(status)


def _fill_disk(full_at: int) -> None:
    """Let the calls to the host's files fail from that one on."""
    calls = count(1)

    def failing(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any) -> Any:
            if next(calls) >= full_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*args)

        return instead

    for name in FILE_CALLS:
        setattr(SystemFiles, name, failing(getattr(SystemFiles, name)))


def _no_wait(self: RealDisk, path: Path) -> None:
    """Instead of a disk that is waited for."""
    del self, path


class _Death:
    """Comes at the n-th call of the host to its disk or its line; 0 is never."""

    def __init__(self, kill_at: int, calls: int) -> None:
        self._left = kill_at
        self._calls = calls

    def strike(self) -> None:
        """A call: one point at which a host can die."""
        os.write(self._calls, b".")
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def lie_in_wait(self) -> None:
        """Put itself before every call to the disk and to the line."""
        # Who is killed loses nothing that is not on the medium yet, so nobody has to wait for it.
        RealDisk.sync = _no_wait  # type: ignore[method-assign]
        for name in DISK_CALLS:
            setattr(RealDisk, name, self._before(getattr(RealDisk, name)))
        RealDisk.write = self._within_write(RealDisk.write)  # type: ignore[method-assign]
        link.open_line = self._after(self._before(link.open_line))
        # Before a request leaves is after whatever came before it: the opening, an answer, or the disk.
        link.write_all = self._after(link.write_all)
        link.read_some = self._after_data(link.read_some)

    def _before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any) -> Any:
            self.strike()
            return call(*args)

        return instead

    def _after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any) -> Any:
            result = call(*args)
            self.strike()
            return result

        return instead

    def _after_data(self, call: Callable[..., bytes]) -> Callable[..., bytes]:
        """After a read that brought something: one that brought nothing is no new point."""

        def instead(*args: Any) -> bytes:
            data = call(*args)
            if data:
                self.strike()
            return data

        return instead

    def _within_write(self, call: Callable[..., None]) -> Callable[..., None]:
        """Before a file is written, and when it is written half."""

        def instead(disk: RealDisk, path: Any, data: bytes) -> None:
            self.strike()
            call(disk, path, data[: len(data) // 2])
            self.strike()
            call(disk, path, data)

        return instead


if __name__ == "__main__":
    main(int(sys.argv[1]))
