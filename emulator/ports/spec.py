"""The grammar of a port: what `--listen` takes, and the port that it names.

pty              a new pseudo-terminal
pty:LINK         the same, and a symbolic link LINK to it
tcp:HOST:PORT    a TCP listener on a loopback address; port 0 is any free one
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.ports.port import Port

# A line has no authentication below its protocol, so it is not offered to other machines.
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
MAX_TCP_PORT = 65535

_ALLOWED = "allowed are pty, pty:LINK and tcp:HOST:PORT, such as tcp:127.0.0.1:0"


class PortSpecError(ValueError):
    """A spec that is no port; its text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class PtySpec:
    """A pseudo-terminal; `link` is the path of its symbolic link, if one is wanted."""

    text: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class TcpSpec:
    """A listener on a loopback address."""

    text: str
    host: str
    port: int


PortSpec = PtySpec | TcpSpec


def parse_port(spec: str) -> PortSpec:
    """Read a spec; raises `PortSpecError`."""
    kind, colon, rest = spec.partition(":")
    if kind == "pty":
        return _parse_pty(spec, rest if colon else None)
    if kind == "tcp" and colon:
        return _parse_tcp(spec, rest)
    raise PortSpecError(f"{spec!r} is no port: {_ALLOWED}.")


def open_port(spec: PortSpec) -> Port:
    """Take the pseudo-terminal or the address, so that its URL is known; raises `PortError`.

    No byte is read and no client is taken before the port's `start`.
    """
    # Imported here: whoever only reads a spec needs no sockets.
    if isinstance(spec, PtySpec):
        from emulator.ports.pty import PtyPort

        return PtyPort(spec)
    from emulator.ports.tcp import TcpPort

    return TcpPort(spec)


def _parse_pty(spec: str, link: str | None) -> PtySpec:
    if link is None:
        return PtySpec(spec)
    if not link or "\0" in link or link.endswith("/"):
        raise PortSpecError(
            f"{spec!r} names no link: after pty: comes the path of a symbolic link that does not exist yet."
        )
    return PtySpec(spec, link)


def _parse_tcp(spec: str, address: str) -> TcpSpec:
    host, colon, digits = address.rpartition(":")
    if not colon:
        raise PortSpecError(f"{spec!r} has no port number: {_ALLOWED}.")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if host not in LOOPBACK_HOSTS:
        raise PortSpecError(
            f"{spec!r} has the host {host!r}, and a pump listens on this machine only: "
            f"allowed are {', '.join(LOOPBACK_HOSTS)}."
        )
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 5 or int(digits) > MAX_TCP_PORT:
        raise PortSpecError(
            f"{spec!r} has the port number {digits!r}: allowed are 1 to {MAX_TCP_PORT}, and 0 for any free one."
        )
    return TcpSpec(spec, host, int(digits))
