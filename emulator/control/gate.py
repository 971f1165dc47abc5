"""Who may talk to a control plane on TCP: programs of this machine that know the token, and no page in a browser.

A browser lets any page send requests to 127.0.0.1. It names the page in `Origin`, and after a trick with name servers
it names the page's host in `Host`; so the first is always refused, and the second must be a loopback name.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from emulator.control.refusal import RequestError
from emulator.control.spec import LOOPBACK_ADDRESSES, loopback_names

_BEARER = "bearer"


class Gate:
    """Refuses requests by their headers; `token` is None on a Unix socket, where the file's mode keeps others out."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def check(self, headers: Mapping[str, str]) -> None:
        """Return for a request that may pass; raise `RequestError` for any other."""
        if "origin" in headers:
            raise RequestError(
                403, "a request with an Origin header is refused: the control plane is not for web pages"
            )
        if self._token is None:
            return
        host = headers.get("host", "")
        if _host_name(host) not in LOOPBACK_ADDRESSES:
            raise RequestError(
                403,
                f"the Host header is '{host[:60]}'; allowed are {loopback_names()}",
                field="Host",
                allowed=loopback_names(),
            )
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode(), self._token.encode())
        if scheme.lower() != _BEARER or not known:
            wrong = "does not have the token of this pump" if scheme else "is missing"
            raise RequestError(
                401,
                f"the Authorization header {wrong}; write 'Bearer TOKEN' with the token that serve printed",
                field="Authorization",
                allowed="Bearer TOKEN",
            )


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        return name if bracket and (not port or port.startswith(":")) else ""
    return host.partition(":")[0].lower()
