"""The listening socket of a control plane: private from its first moment, and never in the place of anything else."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from emulator.control.spec import ControlSpec, ControlSpecError, TcpSpec, UnixSpec

BACKLOG = 32  # clients that may wait to be accepted
PROBE_TIMEOUT_S = 1.0  # a socket that takes longer to take a connection is alive, and busy
OWNER_ONLY_UMASK = 0o177  # leaves mode 0600


class Listener:
    """A socket that listens, and where it was put."""

    def __init__(self, listening: socket.socket, spec: ControlSpec) -> None:
        self.socket = listening
        self.spec = spec
        self._identity = _identity(spec.path) if isinstance(spec, UnixSpec) else None

    def withdraw(self) -> None:
        """Remove the socket's file if it is still ours.

        That comes before closing: in between, another vpump could find the socket stale and take its place.
        """
        if isinstance(self.spec, UnixSpec) and self._identity is not None:
            if _identity(self.spec.path) == self._identity:
                self.spec.path.unlink(missing_ok=True)
            self._identity = None

    def close(self) -> None:
        """Withdraw, and stop listening."""
        self.withdraw()
        self.socket.close()


def open_listener(spec: ControlSpec) -> Listener:
    """Listen there, or say in one sentence why not."""
    if isinstance(spec, UnixSpec):
        return _open_unix(spec)
    return _open_tcp(spec)


def _open_unix(spec: UnixSpec) -> Listener:
    if not hasattr(socket, "AF_UNIX"):
        raise ControlSpecError("this system has no Unix sockets; write tcp:127.0.0.1:0")
    _make_room(spec.path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under this umask the socket is nobody else's from the moment it exists; a chmod afterwards would come too late.
    former_umask = os.umask(OWNER_ONLY_UMASK)
    try:
        listening.bind(str(spec.path))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise _in_use(spec.path) from None
        raise ControlSpecError(f"control socket '{spec.path}' cannot be made: {error.strerror}") from None
    finally:
        os.umask(former_umask)
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return Listener(listening, spec)


def _open_tcp(spec: TcpSpec) -> Listener:
    family = socket.AF_INET6 if ":" in spec.address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # A port whose last connection is still in TIME_WAIT is free for a new pump.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((spec.address, spec.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ControlSpecError(f"control port {spec.port} is in use by another program") from None
        raise ControlSpecError(f"control port {spec.port} cannot be opened: {error.strerror}") from None
    listening.setblocking(False)
    return Listener(listening, TcpSpec(spec.address, listening.getsockname()[1]))


def _make_room(path: Path) -> None:
    """Remove a socket that nobody listens on; refuse to touch anything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ControlSpecError(f"control socket '{path}' cannot be made: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlSpecError(f"control socket '{path}' exists and is no socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            pass  # stale: the process that made it is gone
        except FileNotFoundError:
            return
        except (TimeoutError, BlockingIOError):
            raise _in_use(path) from None
        except OSError as error:
            message = f"control socket '{path}' exists and cannot be asked whether it is in use: {error.strerror}"
            raise ControlSpecError(message) from None
        else:
            raise _in_use(path)
    # Another vpump may have replaced the stale socket since.
    if _identity(path) != (found.st_dev, found.st_ino):
        raise _in_use(path)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ControlSpecError(f"stale control socket '{path}' cannot be removed: {error.strerror}") from None


def _in_use(path: Path) -> ControlSpecError:
    return ControlSpecError(f"control socket '{path}' is in use by another vpump")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
