"""The save-state of a running pump, fetched from its control plane by the standard library alone.

A test that fails is no reason to import anything of ours, and one that has hidden it wants its evidence all the same.
"""

from __future__ import annotations

import http
import http.client
import socket

MOST_STATE_BYTES = 16 * 1024 * 1024
_UNIX, _HTTP = "unix:", "http://"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the path in place of the host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def save_state(url: str, token: str | None, timeout_s: float) -> bytes | None:
    """The save-state, as `vpump state show` reads it; None where the pump has none to give, or does not answer."""
    if url.startswith(_UNIX):
        connection: http.client.HTTPConnection = _UnixConnection(url.removeprefix(_UNIX), timeout_s)
    else:
        connection = http.client.HTTPConnection(url.removeprefix(_HTTP).rstrip("/"), timeout=timeout_s)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        connection.request("GET", "/state", headers=headers)
        answer = connection.getresponse()
        state = answer.read(MOST_STATE_BYTES + 1)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return state if answer.status == http.HTTPStatus.OK and len(state) <= MOST_STATE_BYTES else None
