"""The client of a control plane, on the standard library alone: time, faults, power and truth."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Literal

from emulator.control.spec import ControlSpecError, TcpSpec, UnixSpec, parse_control_spec, tcp_spec

CONNECT_TIMEOUT_S = 5.0
DEFAULT_TIMEOUT_S = 600.0  # decades of virtual time take a while
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_SHOWN_CHARACTERS = 200  # of an answer that is no JSON, in a message

Document = dict[str, object]


class ControlError(Exception):
    """The control plane refused; `status` is its HTTP status, `field` and `allowed` what it named."""

    def __init__(self, sentence: str, status: int, *, field: str | None = None, allowed: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.field = field
        self.allowed = allowed


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


class ControlClient:
    """The tester's hand on one pump. Each request is a connection of its own, so any thread may use a client."""

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.url = url
        self._address = parse_control_url(url)
        self._token = token
        self._timeout_s = timeout_s

    def describe(self) -> Document:
        """Version, virtual time and routes."""
        return self._request("GET", "/")

    def advance(self, duration_us: int) -> int:
        """Let virtual time pass; returns the new time in microseconds."""
        return _integer(self._request("POST", "/advance", {"duration_us": duration_us}), "now_us")

    def run_until(self, event: str, *, limit_us: int, match: Mapping[str, int | str] | None = None) -> Document:
        """Let time pass up to an event; the answer has `reached`, `event` (or None) and `now_us`."""
        body = {"event": event, "match": dict(match or {}), "limit_us": limit_us}
        return self._request("POST", "/run-until", body)

    def arm_fault(self, fault: str) -> Document:
        """Arm a fault of line or pump; the answer has the `fault` as it was understood, and all that is `armed`.

        A fault that strikes at once is not armed any more.
        """
        return self._request("POST", "/faults", {"fault": fault})

    def faults(self) -> list[Document]:
        """The armed faults: each has its `fault` as it is written, and its `kind`, line or device."""
        return _documents(self._request("GET", "/faults"), "armed")

    def clear_faults(self) -> list[Document]:
        """End and disarm all faults and power cuts; returns the armed ones, which are none."""
        return _documents(self._request("DELETE", "/faults"), "armed")

    def environment(self) -> Document:
        """What is around the pump: `temperature_cc` and `field_on`, as long as no fault makes it another."""
        return self._request("GET", "/environment")

    def set_environment(self, *, temperature_cc: int | None = None, field_on: bool | None = None) -> Document:
        """Let other things be around the pump; None as it is."""
        wanted = {"temperature_cc": temperature_cc, "field_on": field_on}
        return self._request("PUT", "/environment", {k: v for k, v in wanted.items() if v is not None})

    def use_syringe(
        self, *, withdraw_nl: int | Literal["all"] = 0, inject_nl: int = 0, drugs: Mapping[str, int] | None = None
    ) -> Document:
        """A syringe at the reservoir's port: withdraw, then inject a mixture of drugs, by name in ng/mL.

        The answer has `withdrawn_nl` and `injected_nl`: what truly came out of the reservoir, and went into it.
        """
        named = [{"name": name, "concentration_ng_per_ml": strength} for name, strength in (drugs or {}).items()]
        return self._request("POST", "/syringe", {"withdraw_nl": withdraw_nl, "inject_nl": inject_nl, "drugs": named})

    def cut_power(
        self, *, at_write: int | None = None, mode: str | None = None, torn_bytes: int | None = None
    ) -> Document:
        """Cut the power now, or at the `at_write`-th memory write from now; `mode` says what becomes of that write."""
        body: Document = {"change": "cut"}
        for name, value in (("at_write", at_write), ("mode", mode), ("torn_bytes", torn_bytes)):
            if value is not None:
                body[name] = value
        return self._request("POST", "/power", body)

    def restore_power(self) -> Document:
        """Give the power back."""
        return self._request("POST", "/power", {"change": "restore"})

    def replace_keys(self, keys: Mapping[str, bytes] | None = None) -> Document:
        """Give the pump other keys by role, all three; None for the published test keys. Its sessions end."""
        return self._request("PUT", "/keys", {role: key.hex() for role, key in (keys or {}).items()})

    def truth(self) -> Document:
        """What is physically so."""
        return self._request("GET", "/truth")

    def shutdown(self) -> Document:
        """End the pump."""
        return self._request("POST", "/shutdown", {})

    def _request(self, method: str, path: str, body: Document | None = None) -> Document:
        headers = {"Accept": "application/json", "Connection": "close"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            try:
                connection.connect()
            except OSError as error:
                raise ControlUnreachable(f"nobody answers at {self.url}: {_reason(error)}", maybe_done=False) from None
            connection.sock.settimeout(self._timeout_s)
            try:
                # Who refuses a body before all of it is sent has answered nevertheless.
                with contextlib.suppress(BrokenPipeError):
                    connection.request(method, path, content, headers)
                with connection.getresponse() as response:
                    status, answer = response.status, response.read(MAX_ANSWER_BYTES + 1)
            except (OSError, http.client.HTTPException) as error:
                maybe_done = method != "GET"
                lost = f"{self.url} took the request and gave no answer ({_reason(error)})"
                effect = "; it may have had its effect" if maybe_done else ""
                raise ControlUnreachable(lost + effect, maybe_done=maybe_done) from None
        finally:
            connection.close()
        return _document(self.url, status, answer)

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


def _document(url: str, status: int, answer: bytes) -> Document:
    """The answer as a document, or the refusal that it is."""
    if len(answer) > MAX_ANSWER_BYTES:
        raise ControlError(f"{url} answered with more than {MAX_ANSWER_BYTES} bytes, as no vpump does", status)
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        shown = answer[:MAX_SHOWN_CHARACTERS].decode("utf-8", "replace").strip()
        raise ControlError(f"{url} answered with status {status} and not as a vpump: '{shown}'", status)
    if status == http.HTTPStatus.OK:
        return document
    sentence = str(document.get("error", f"{url} answered with status {status} and no reason"))
    named = {name: str(document[name]) for name in ("field", "allowed") if name in document}
    raise ControlError(sentence, status, field=named.get("field"), allowed=named.get("allowed"))


def _integer(document: Document, name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int):
        raise ControlError(f"the answer has no whole number '{name}', as every vpump's has", http.HTTPStatus.OK)
    return value


def _documents(document: Document, name: str) -> list[Document]:
    value = document.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ControlError(f"the answer has no list '{name}', as every vpump's has", http.HTTPStatus.OK)
    return value


def _reason(error: Exception) -> str:
    """The system's words for what went wrong, or the error's own."""
    if isinstance(error, TimeoutError):
        return "it takes too long"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
