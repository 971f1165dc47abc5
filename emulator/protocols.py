"""The protocols that are installed: our own, and what packages offer as entry points of the group `vpump.protocols`.

A package is imported only when its protocol is asked for. Whatever is wrong with one is a `ProtocolError`, whose text
is one sentence that names the package: a user can uninstall it, or tell who wrote it.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final

from emulator import OUR_PROTOCOL
from emulator.wire import (
    Decoder,
    DecoderSetting,
    Direction,
    FrameCutter,
    FrameWords,
    Guard,
    ProtocolPlugin,
    WireFrame,
    WireProtocol,
    WireSetting,
)

GROUP: Final = "vpump.protocols"
OURS: Final = EntryPoint(OUR_PROTOCOL, "emulator.vpump_protocol:PLUGIN", GROUP)
"""As pyproject.toml declares it, too: a checkout that is not installed has no metadata."""
MOST_OPERATIONS: Final = 1_000

# As the grammar of faults reads them.
_OPERATION = re.compile(r"(?!ANY\Z)[A-Z0-9_]{1,40}\Z", re.ASCII)


class ProtocolError(Exception):
    """A protocol that is not there or cannot be used; the message is one sentence."""


class KeysError(ProtocolError):
    """The keys that the user gave are of no use; the message is one sentence without anything of a key."""


@dataclass(frozen=True, slots=True)
class InstalledProtocol:
    """A protocol by its name. `source`: the package that offers it, for people."""

    name: str
    source: str
    plugin: ProtocolPlugin

    def new_wire(self, setting: WireSetting) -> WireProtocol:
        """The end of a new pump. Raises ProtocolError."""
        if self.plugin.read_keys is None and (setting.insecure or setting.keys is not None):
            raise ProtocolError(f"the protocol {self.name} has no keys, so there are none to give or to waive.")
        try:
            with self.blamed("making a wire", but=(ValueError,)):
                wire = self.plugin.new_wire(setting)
        except ValueError as error:
            raise ProtocolError(f"the protocol {self.name} cannot serve this pump: {_told(error)}.") from error
        self._check("wire", wire, WireProtocol)
        with self.blamed("asking a wire for its words"):
            names, guard = wire.names, wire.guard
        self._check_words(names, guard)
        return wire

    def new_decoder(self, setting: DecoderSetting) -> Decoder:
        """What explains recordings. Raises ProtocolError, then and whenever it fails, and KeysError."""
        if self.plugin.read_keys is None and setting.key_file is not None:
            raise self._keyless()
        try:
            with self.blamed("making a decoder", but=(ValueError,)):
                decoder = self.plugin.new_decoder(setting)
        except ValueError as error:
            raise KeysError(str(error)) from error
        self._check("decoder", decoder, Decoder)
        return _BlamedDecoder(self, decoder)

    def read_keys(self, path: Path, serial_number: int) -> Mapping[str, bytes]:
        """The keys of a pump from a file. Raises ProtocolError and KeysError."""
        if self.plugin.read_keys is None:
            raise self._keyless()
        try:
            with self.blamed("reading keys", but=(ValueError,)):
                return self.plugin.read_keys(path, serial_number)
        except ValueError as error:
            raise KeysError(str(error)) from error

    @contextmanager
    def blamed(self, what: str, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Whatever is raised within is a ProtocolError that says what was being done; `but`: errors that say enough."""
        try:
            yield
        except but:
            raise
        except Exception as error:
            raise self._broken(f"{what} ends with {_named(error)}") from error

    def _check(self, what: str, made: object, interface: type) -> None:
        # A class that names the interface as its base inherits stubs that do nothing; they count as missing.
        stubs = {name: stub for name, stub in vars(interface).items() if not name.startswith("_")}
        lacking = [name for name, stub in stubs.items() if inspect.getattr_static(made, name, stub) is stub]
        if lacking:
            raise self._broken(f"its {what} lacks {', '.join(lacking)}")

    def _check_words(self, names: object, guard: object) -> None:
        if not isinstance(names, Mapping) or not all(_are_operations(names.get(way)) for way in Direction):
            allowed = (
                f"at most {MOST_OPERATIONS} in a direction, of capital letters, digits and _, and none of them ANY"
            )
            raise self._broken(f"the names of its operations are not what faults can name: {allowed}")
        if not isinstance(guard, Guard):
            raise self._broken(f"the guard of its wire is {guard!r} and no Guard")

    def _keyless(self) -> KeysError:
        return KeysError(f"the protocol {self.name} has no keys; leave it out.")

    def _broken(self, why: str) -> ProtocolError:
        return _broken(self.name, self.source, why)


class _BlamedCutter:
    """A cutter whose failures are its protocol's."""

    def __init__(self, protocol: InstalledProtocol, cutter: FrameCutter) -> None:
        self._protocol = protocol
        self._cutter = cutter

    def feed(self, data: bytes, now: int) -> Iterator[WireFrame]:
        """See FrameCutter."""
        # What is raised where the frames are taken does not come in here.
        with self._protocol.blamed("cutting a recording"):
            yield from self._cutter.feed(data, now)

    def reset(self) -> None:
        """See FrameCutter."""
        with self._protocol.blamed("cutting a recording"):
            self._cutter.reset()


class _BlamedDecoder:
    """A decoder whose failures are its protocol's."""

    def __init__(self, protocol: InstalledProtocol, decoder: Decoder) -> None:
        self._protocol = protocol
        self._decoder = decoder

    def cutter(self, direction: Direction | None) -> FrameCutter:
        """See Decoder."""
        with self._protocol.blamed("making a cutter"):
            return _BlamedCutter(self._protocol, self._decoder.cutter(direction))

    def explain(self, frame: WireFrame) -> FrameWords:
        """See Decoder."""
        with self._protocol.blamed("explaining a frame"):
            return self._decoder.explain(frame)

    def unfinished(self, rest: bytes) -> str:
        """See Decoder."""
        with self._protocol.blamed("explaining an unfinished frame"):
            return self._decoder.unfinished(rest)


def protocol_names() -> tuple[str, ...]:
    """The names of all that are installed, our own first."""
    return tuple(_offers())


def installed_protocol(name: str) -> InstalledProtocol:
    """The protocol of a name, its package imported. Raises ProtocolError."""
    offers = _offers()
    if name not in offers:
        close = difflib.get_close_matches(name, offers, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ProtocolError(f"there is no protocol {name!r}{hint}; installed are {', '.join(offers)}.")
    first, *others = offers[name]
    source = _source(first)
    if others:
        sources = " and ".join(map(_source, offers[name]))
        raise ProtocolError(f"the protocol {name} is offered by {sources}; uninstall all but one of them.")
    try:
        plugin = first.load()
    # A package that ends the program, or raises whatever else while it is imported, is a broken one.
    except (Exception, SystemExit) as error:
        raise _broken(name, source, f"importing {first.value} ends with {_named(error)}") from error
    if not isinstance(plugin, ProtocolPlugin):
        raise _broken(name, source, f"{first.value} is a {type(plugin).__name__} and no ProtocolPlugin")
    for field, (fits, wanted) in _FIELDS.items():
        if not fits(getattr(plugin, field)):
            raise _broken(name, source, f"{field} of {first.value} is {getattr(plugin, field)!r} and not {wanted}")
    return InstalledProtocol(name, source, plugin)


_FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = MappingProxyType(
    {
        "title": (lambda value: isinstance(value, str) and bool(value.strip()), "a text"),
        "new_wire": (callable, "callable"),
        "new_decoder": (callable, "callable"),
        "read_keys": (lambda value: value is None or callable(value), "callable or None"),
        "first_try": (lambda value: isinstance(value, str), "a text"),
    }
)


def _offers() -> Mapping[str, tuple[EntryPoint, ...]]:
    """What is offered under each name. Nobody takes our own name from us."""
    offers: dict[str, tuple[EntryPoint, ...]] = {OUR_PROTOCOL: (OURS,)}
    for offer in sorted(entry_points(group=GROUP), key=lambda offer: (offer.name, offer.value)):
        if offer.name != OUR_PROTOCOL:
            offers[offer.name] = (*offers.get(offer.name, ()), offer)
    return offers


def _source(offer: EntryPoint) -> str:
    return f"{offer.dist.name} {offer.dist.version}" if offer.dist is not None else "vpump itself"


def _broken(name: str, source: str, why: str) -> ProtocolError:
    return ProtocolError(f"the protocol {name}, from {source}, does not work: {why}.")


def _are_operations(names: object) -> bool:
    return (
        isinstance(names, list | tuple)
        and len(names) <= MOST_OPERATIONS
        and all(isinstance(name, str) and _OPERATION.match(name) is not None for name in names)
    )


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}{f': {_told(error)}' if str(error) else ''}"


def _told(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
