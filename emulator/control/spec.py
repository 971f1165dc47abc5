"""Where a control plane listens: the grammar of `--control SPEC`.

    unix:PATH       a Unix socket that only its owner may use; a bare PATH with a `/` in it means the same
    tcp:HOST:PORT   loopback only: 127.0.0.1, [::1] or localhost; port 0 takes any free one

The control plane has full power over the pump, so there is no spec that offers it to a network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MAX_PORT = 65_535
MAX_UNIX_PATH_BYTES = 103  # the shortest limit among the systems that we run on, without its terminating zero

# `localhost` is taken for its meaning and never resolved: a name service could send it elsewhere.
LOOPBACK_ADDRESSES = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}

_TCP = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*|.*:.*):(?P<port>[^:]*)")
_PORT = re.compile(r"[0-9]{1,5}")


class ControlSpecError(ValueError):
    """A control plane cannot be where it was asked to be; its message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class UnixSpec:
    """A Unix socket at an absolute path."""

    path: Path

    @property
    def url(self) -> str:
        """The address as clients write it."""
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpSpec:
    """A port of a loopback address; 0 means any free one."""

    address: str
    port: int

    @property
    def url(self) -> str:
        """The address as clients write it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


ControlSpec = UnixSpec | TcpSpec


def parse_control_spec(text: str) -> ControlSpec:
    """Read the value of `--control`."""
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "unix":
        return unix_spec(rest)
    if colon and scheme == "tcp":
        return tcp_spec(rest)
    if "/" in text:
        return unix_spec(text)
    raise ControlSpecError(f"control spec '{text}' is not one of unix:PATH, a path with a / in it, or tcp:HOST:PORT")


def unix_spec(path: str) -> UnixSpec:
    """Read the path of a Unix socket; a relative one starts at the current directory."""
    if not path or "\0" in path:
        raise ControlSpecError("the path of the control socket is empty or has a zero byte in it; write unix:PATH")
    absolute = Path(path).absolute()
    length = len(bytes(absolute))
    if length > MAX_UNIX_PATH_BYTES:
        raise ControlSpecError(
            f"the path of the control socket '{absolute}' has {length} bytes; at most {MAX_UNIX_PATH_BYTES} are allowed"
        )
    return UnixSpec(absolute)


def tcp_spec(host_and_port: str) -> TcpSpec:
    """Read HOST:PORT."""
    match = _TCP.fullmatch(host_and_port)
    if match is None:
        raise ControlSpecError(f"control spec 'tcp:{host_and_port}' has no port; write tcp:127.0.0.1:PORT")
    host, port = match["host"].removeprefix("[").removesuffix("]"), match["port"]
    address = LOOPBACK_ADDRESSES.get(host.lower())
    if address is None:
        raise ControlSpecError(f"control host '{host}' is no loopback address; allowed are {loopback_names()}")
    if not _PORT.fullmatch(port) or int(port) > MAX_PORT:
        raise ControlSpecError(f"control port '{port}' is no port; allowed is 0 (any free one) to {MAX_PORT}")
    return TcpSpec(address, int(port))


def loopback_names() -> str:
    """The hosts that are allowed, for messages."""
    return "127.0.0.1, [::1] and localhost"
