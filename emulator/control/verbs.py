"""The tester's hand as Python calls: the verbs that are the same on a pump of another process and on one in this."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

if TYPE_CHECKING:
    from emulator.control.answers import (
        ArmedFault,
        Capture,
        Described,
        Environment,
        FaultUnderstood,
        Identity,
        KeysReplaced,
        Now,
        PowerChanged,
        RunUntil,
        SyringeUsed,
        Truth,
    )

MAX_SHOWN_CHARACTERS = 200  # of an answer that is no JSON, in a message
_DONE = 200

Document = dict[str, Any]


class ControlError(Exception):
    """The control plane refused; `status` is its HTTP status, `field` and `allowed` what it named."""

    def __init__(self, sentence: str, status: int, *, field: str | None = None, allowed: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        self.field = field
        self.allowed = allowed


class PumpControl(ABC):
    """The tester's hand on one pump. What the pump refuses is a ControlError.

    Answers are dictionaries with the fields that `emulator.control.answers` and docs/control.md say.
    """

    url: str

    @abstractmethod
    def _answer(self, method: str, path: str, query: str, body: bytes | None) -> bytes:
        """The content of the answer to one request. Raises ControlError."""

    @abstractmethod
    def _lines(self, path: str, query: str) -> Iterator[bytes]:
        """The lines of an answer that may come over a long time. Raises ControlError."""

    def _request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        return self._parsed(self._answer(method, path, "", content))

    def _parsed(self, answer: bytes) -> Any:
        try:
            document = json.loads(answer)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise not_of_a_vpump(self.url, _DONE, answer)
        return document

    def describe(self) -> Described:
        """Version, virtual time and routes."""
        return cast("Described", self._request("GET", "/"))

    def advance(self, duration_us: int) -> int:
        """Let virtual time pass; returns the new time in microseconds."""
        return _whole(self._request("POST", "/advance", {"duration_us": duration_us}), "now_us")

    def run_until(self, event: str, *, limit_us: int, match: Mapping[str, int | str] | None = None) -> RunUntil:
        """Let time pass up to an event; the answer has `reached`, `event` (or None) and `now_us`."""
        body = {"event": event, "match": dict(match or {}), "limit_us": limit_us}
        return cast("RunUntil", self._request("POST", "/run-until", body))

    def arm_fault(self, fault: str) -> FaultUnderstood:
        """Arm a fault of line or pump; the answer has the `fault` as it was understood, and all that is `armed`.

        A fault that strikes at once is not armed any more.
        """
        return cast("FaultUnderstood", self._request("POST", "/faults", {"fault": fault}))

    def faults(self) -> list[ArmedFault]:
        """The armed faults: each has its `fault` as it is written, and its `kind`, line or device."""
        return _listed(self._request("GET", "/faults"), "armed")

    def clear_faults(self) -> list[ArmedFault]:
        """End and disarm all faults and power cuts; returns the armed ones, which are none."""
        return _listed(self._request("DELETE", "/faults"), "armed")

    def environment(self) -> Environment:
        """What is around the pump: `temperature_cc` and `field_on`, as long as no fault makes it another."""
        return cast("Environment", self._request("GET", "/environment"))

    def set_environment(self, *, temperature_cc: int | None = None, field_on: bool | None = None) -> Environment:
        """Let other things be around the pump; None as it is."""
        told = {"temperature_cc": temperature_cc, "field_on": field_on}
        body = {name: value for name, value in told.items() if value is not None}
        return cast("Environment", self._request("PUT", "/environment", body))

    def swap_pump(self, serial_number: int) -> Identity:
        """Put another pump behind the line, as new; with test keys of its own, or else the keys of the one before."""
        return cast("Identity", self._request("POST", "/identity", {"serial_number": f"{serial_number:08X}"}))

    def save_state(self) -> bytes:
        """A save-state of the pump, now."""
        return self._answer("GET", "/state", "", None)

    def restore_state(self, state: bytes) -> Identity:
        """Restore a save-state: the pump that it is of is behind the line, and virtual time is what it was then."""
        return cast("Identity", self._parsed(self._answer("PUT", "/state", "", state)))

    def events(self, *, since: int = 0, follow: bool = False) -> Generator[Document]:
        """What has happened behind the event of a number, and with `follow` what happens from now on, to the end.

        An event `dropped` stands for so many (`count`) that nobody keeps any more.
        """
        for line in self._lines("/events", f"?since={since}&follow={str(follow).lower()}"):
            yield self._parsed(line)

    def start_capture(self, name: str) -> Capture:
        """Begin to write what passes on the lines to a file of that name in the artefact folder."""
        return cast("Capture", self._request("POST", "/captures", {"name": name}))

    def end_capture(self, name: str) -> Capture:
        """End a capture; its file stays."""
        return cast("Capture", self._request("DELETE", f"/captures/{quote(name, safe='')}"))

    def captures(self) -> list[Capture]:
        """The captures of this run, those that have ended too."""
        return _listed(self._request("GET", "/captures"), "captures")

    def fetch_capture(self, name: str) -> bytes:
        """What a capture has so far: a pcapng file."""
        return self._answer("GET", f"/captures/{quote(name, safe='')}", "", None)

    def use_syringe(
        self, *, withdraw_nl: int | Literal["all"] = 0, inject_nl: int = 0, drugs: Mapping[str, int] | None = None
    ) -> SyringeUsed:
        """A syringe at the reservoir's port: withdraw, then inject a mixture of drugs, by name in ng/mL.

        The answer has `withdrawn_nl` and `injected_nl`: what truly came out of the reservoir, and went into it.
        """
        named = [{"name": name, "concentration_ng_per_ml": strength} for name, strength in (drugs or {}).items()]
        body = {"withdraw_nl": withdraw_nl, "inject_nl": inject_nl, "drugs": named}
        return cast("SyringeUsed", self._request("POST", "/syringe", body))

    def cut_power(
        self, *, at_write: int | None = None, mode: str | None = None, torn_bytes: int | None = None
    ) -> PowerChanged:
        """Cut the power now, or at the `at_write`-th memory write from now; `mode` says what becomes of that write."""
        body: Document = {"change": "cut"}
        for name, value in (("at_write", at_write), ("mode", mode), ("torn_bytes", torn_bytes)):
            if value is not None:
                body[name] = value
        return cast("PowerChanged", self._request("POST", "/power", body))

    def restore_power(self) -> PowerChanged:
        """Give the power back."""
        return cast("PowerChanged", self._request("POST", "/power", {"change": "restore"}))

    def replace_keys(self, keys: Mapping[str, bytes] | None = None) -> KeysReplaced:
        """Give the pump other keys by their names, all that it has; None for its test keys. Its sessions end."""
        body = {name: key.hex() for name, key in (keys or {}).items()}
        return cast("KeysReplaced", self._request("PUT", "/keys", body))

    def truth(self) -> Truth:
        """What is physically so."""
        return cast("Truth", self._request("GET", "/truth"))

    def shutdown(self) -> Now:
        """End the pump."""
        return cast("Now", self._request("POST", "/shutdown", {}))


def not_of_a_vpump(url: str, status: int, answer: bytes) -> ControlError:
    """An answer that is no JSON object."""
    shown = answer[:MAX_SHOWN_CHARACTERS].decode("utf-8", "replace").strip()
    return ControlError(f"{url} answered with status {status} and not as a vpump: '{shown}'", status)


def _whole(document: Document, name: str) -> int:
    value = document.get(name)
    if not isinstance(value, int):
        raise ControlError(f"the answer has no whole number '{name}', as every vpump's has", _DONE)
    return value


def _listed(document: Document, name: str) -> list[Any]:
    value = document.get(name)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ControlError(f"the answer has no list '{name}', as every vpump's has", _DONE)
    return value
