"""The client of a control plane: the tester's hand on a pump of another process, on the standard library alone."""

from __future__ import annotations

import contextlib
import http
import http.client
import json
import socket
from collections.abc import Iterator

from emulator.control.spec import ControlSpecError, TcpSpec, UnixSpec, parse_control_spec, tcp_spec
from emulator.control.verbs import ControlError, Document, PumpControl, not_of_a_vpump

__all__ = ["ControlClient", "ControlError", "ControlUnreachable", "Document", "parse_control_url"]

CONNECT_TIMEOUT_S = 5.0
DEFAULT_TIMEOUT_S = 600.0  # decades of virtual time take a while
MAX_ANSWER_BYTES = 64 << 20  # of the longest capture that a pump hands out


class ControlUnreachable(Exception):
    """Nobody answers at the address, or the answer was lost: `maybe_done` when the request may have had its effect."""

    def __init__(self, sentence: str, *, maybe_done: bool) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.maybe_done = maybe_done


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the path in place of the host."""
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connecting.settimeout(self.timeout)
            connecting.connect(self._path)
        except BaseException:
            connecting.close()
            raise
        self.sock = connecting


class ControlClient(PumpControl):
    """The tester's hand on one pump. Each request is a connection of its own, so any thread may use a client.

    Raises ControlSpecError for a URL or a token that can be none.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.url = url
        self._address = parse_control_url(url)
        if token is not None and not (token.isascii() and token.isprintable()):
            # Not shown: a token that is nearly right is a secret, too.
            raise ControlSpecError("the token has characters that none has; allowed is printable ASCII")
        self._token = token
        self._timeout_s = timeout_s

    def _answer(self, method: str, path: str, query: str, body: bytes | None) -> bytes:
        with (
            contextlib.closing(self._connection()) as connection,
            self._respond(connection, method, path + query, body) as response,
            self._lost(method),
        ):
            status, answer = response.status, response.read(MAX_ANSWER_BYTES + 1)
        if len(answer) > MAX_ANSWER_BYTES:
            raise ControlError(f"{self.url} answered with more than {MAX_ANSWER_BYTES} bytes, as no vpump does", status)
        if status != http.HTTPStatus.OK:
            raise _refusal(self.url, status, answer)
        return answer

    def _lines(self, path: str, query: str) -> Iterator[bytes]:
        with (
            contextlib.closing(self._connection()) as connection,
            self._respond(connection, "GET", path + query, None) as response,
        ):
            if response.status != http.HTTPStatus.OK:
                raise _refusal(self.url, response.status, response.read(MAX_ANSWER_BYTES))
            with self._lost("GET"):
                yield from response

    def _respond(
        self, connection: http.client.HTTPConnection, method: str, target: str, body: bytes | None
    ) -> http.client.HTTPResponse:
        """Send a request, and wait for its answer to begin."""
        headers = {"Accept": "*/*", "Connection": "close"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.connect()
        except OSError as error:
            raise ControlUnreachable(f"nobody answers at {self.url}: {_reason(error)}", maybe_done=False) from None
        connection.sock.settimeout(self._timeout_s)
        with self._lost(method):
            # Who refuses a body before all of it is sent has answered nevertheless.
            with contextlib.suppress(BrokenPipeError):
                connection.request(method, target, body, headers)
            return connection.getresponse()

    @contextlib.contextmanager
    def _lost(self, method: str) -> Iterator[None]:
        """What breaks within has lost the answer."""
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            maybe_done = method != "GET"
            lost = f"{self.url} took the request and gave no answer ({_reason(error)})"
            effect = "; it may have had its effect" if maybe_done else ""
            raise ControlUnreachable(lost + effect, maybe_done=maybe_done) from None

    def _connection(self) -> http.client.HTTPConnection:
        if isinstance(self._address, UnixSpec):
            return _UnixConnection(str(self._address.path), CONNECT_TIMEOUT_S)
        return http.client.HTTPConnection(self._address.address, self._address.port, timeout=CONNECT_TIMEOUT_S)


def parse_control_url(url: str) -> UnixSpec | TcpSpec:
    """Read `http://127.0.0.1:PORT`, or what `--control` of `serve` takes; raises `ControlSpecError`."""
    if url.startswith("http://"):
        return tcp_spec(url.removeprefix("http://").removesuffix("/"))
    if "://" in url or not url.startswith(("unix:", "tcp:", "/", "./", "../")):
        raise ControlSpecError(f"control address '{url}' is not one of unix:PATH and http://127.0.0.1:PORT")
    return parse_control_spec(url)


def _refusal(url: str, status: int, answer: bytes) -> ControlError:
    """What an answer of this status says."""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return not_of_a_vpump(url, status, answer)
    sentence = str(document.get("error", f"{url} answered with status {status} and no reason"))
    named = {name: str(document[name]) for name in ("field", "allowed") if name in document}
    return ControlError(sentence, status, field=named.get("field"), allowed=named.get("allowed"))


def _reason(error: Exception) -> str:
    """The system's words for what went wrong, or the error's own."""
    if isinstance(error, TimeoutError):
        return "it takes too long"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
