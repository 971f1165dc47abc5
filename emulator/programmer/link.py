"""The serial link: a pump behind whatever pyserial's `serial_for_url` opens, one request at a time, and its session."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from dataclasses import dataclass, field, replace
from types import TracebackType

import serial

from protocol.frame import MAJOR, MINOR
from protocol.host_end import Answered, HostEnd, HostEvent, KeyWrong, NoAnswer, Refused, SessionReady
from protocol.host_session import NO_SESSION, SessionWanted
from protocol.host_stream import Told
from protocol.keys import CHALLENGE_SIZE
from protocol.messages.codes import Role
from protocol.messages.link import AuthAnswer, CloseRequest, HelloAnswer, HelloRequest
from protocol.refusals import Nak, NakCode

BAUD = 115_200
DEFAULT_TIMEOUT_US = 600_000  # P2, 500 ms, and something for the line itself
RETRIES = 3
# Fixed at opening: on a PTY and over RFC 2217, pyserial cannot change it later without touching the line.
READ_POLL_S = 0.02
WRITE_TIMEOUT_S = 2.0
MAX_READ_BYTES = 4_096
CLOSE_PATIENCE_US = 100_000
INSECURE_HOST_ID = 0
US_PER_S = 1_000_000

_NOT_THERE = frozenset({errno.ENOENT, errno.ENXIO, errno.ENODEV})
_IN_USE = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})
_HUNG_UP = ("returned no data", os.strerror(errno.EIO))
"""What pyserial, or the system below it, says of a line that has been pulled; which of them is a matter of chance."""


class LinkError(Exception):
    """The link does not work; the message is one sentence."""


class PortNotThere(LinkError):
    """Nothing can be opened under this name."""


class PortInUse(LinkError):
    """Another program has the port."""


class NobodyThere(LinkError):
    """The port is open, and no pump answers HELLO."""


class LinkBroke(LinkError):
    """The open port stopped working."""


class KeyNotAccepted(LinkError):
    """The pump and we do not hold the same key."""


class SessionRefused(LinkError):
    """The pump opens no session for us now."""

    def __init__(self, sentence: str, nak: Nak) -> None:
        super().__init__(sentence)
        self.nak = nak


class PlaceTaken(SessionRefused):
    """Another host holds the clinician's place."""


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What a session is opened with. `source`: where the key is from, for people."""

    role: Role
    key: bytes = field(repr=False)
    host_id: int
    takeover: bool
    source: str


class SerialLink:
    """An open line to a pump. `hello` is its answer to the greeting, which also gave its address.

    Without a session, as on an INSECURE pump, we are the clinician of host 0.
    """

    def __init__(self, url: str, timeout_us: int = DEFAULT_TIMEOUT_US) -> None:
        self.url = url
        self._line = open_line(url)
        # Any first txn will do; one that the last run did not use as well is not mistaken for a repetition.
        self._end = HostEnd(first_txn=secrets.randbelow(256), timeout_us=timeout_us, retries=RETRIES)
        self._credentials: _Credentials | None = None
        self._asked_us = 0
        try:
            self.hello = self._greet()
        except BaseException:
            self._line.close()
            raise

    @property
    def role(self) -> Role:
        """As what the pump takes us."""
        return self._credentials.role if self._credentials else Role.CLINICIAN

    @property
    def host_id(self) -> int:
        """As whom the pump takes us."""
        return self._credentials.host_id if self._credentials else INSECURE_HOST_ID

    @property
    def session_id(self) -> int:
        """The id of the open session, 0 for none."""
        return self._end.session_id

    @property
    def session_open(self) -> bool:
        """Whether there is a session, as far as we know."""
        return self._end.session_id != NO_SESSION

    @property
    def session_lost(self) -> bool:
        """Whether the session that was opened has ended."""
        return self._credentials is not None and not self.session_open

    def exchange(self, message: object) -> Answered | Refused | NoAnswer:
        """Send a request, repeat it as the protocol says, and return what became of it; raises LinkBroke."""
        self._asked_us = _now_us()
        self._end.request(message, self._asked_us)
        event = self._event()
        if isinstance(event, SessionReady | KeyWrong):
            raise TypeError(f"{event!r} is no reply to a request")
        return event

    @property
    def silent_us(self) -> int:
        """How long we have asked nothing: events keep no session alive."""
        return _now_us() - self._asked_us

    def listen(self, patience_us: int) -> Told | None:
        """What the pump tells of its own accord, or None if nothing comes within that time; raises LinkBroke."""
        give_up_at_us = _now_us() + patience_us
        while (told := self._end.next_told()) is None and _now_us() < give_up_at_us:
            self._end.receive(read_some(self._line, self.url), _now_us())
        return told

    def open_session(
        self, role: Role, key: bytes, host_id: int, *, takeover: bool = False, source: str = ""
    ) -> AuthAnswer:
        """Open a session; from now on everything is sealed. `source`: where the key is from, for people.

        Raises KeyNotAccepted, SessionRefused, NobodyThere and LinkBroke.
        """
        credentials = _Credentials(role, key, host_id, takeover, source)
        answer = self._shake_hands(credentials)
        # What ends this session may be somebody who took the place: only a person takes it back.
        self._credentials = replace(credentials, takeover=False)
        return answer

    def reopen_session(self) -> None:
        """Open a session like the one that has ended; raises as `open_session`, PlaceTaken above all."""
        if self._credentials is None:
            raise RuntimeError("there was no session")
        # The session is bound to the greeting, and a pump that was given other keys greets otherwise.
        self.hello = self._greet()
        self._shake_hands(self._credentials)

    def close_session(self) -> None:
        """Take leave of the pump."""
        if self.session_open:
            self._credentials = None
            self.say_last(CloseRequest())

    def say_last(self, message: object) -> None:
        """Ask for an end: once, without waiting long, and whatever goes wrong changes nothing any more."""
        if self._end.busy:
            return
        with contextlib.suppress(LinkError, KeyboardInterrupt):
            give_up_at_us = _now_us() + CLOSE_PATIENCE_US
            self._end.request(message, _now_us())
            write_all(self._line, self._end.data_to_send(), self.url)
            while self._end.next_event() is None and _now_us() < give_up_at_us:
                self._end.receive(read_some(self._line, self.url), _now_us())

    def close(self) -> None:
        """Leave the pump and the line."""
        try:
            self.close_session()
        finally:
            self._line.close()

    def __enter__(self) -> SerialLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _event(self) -> HostEvent:
        """What becomes of the request in hand."""
        while True:
            unsent = self._end.data_to_send()
            if unsent:
                write_all(self._line, unsent, self.url)
            event = self._end.next_event()
            if event is not None:
                return event
            data = read_some(self._line, self.url)
            now_us = _now_us()
            if data:
                self._end.receive(data, now_us)
            self._end.advance(now_us)

    def _shake_hands(self, credentials: _Credentials) -> AuthAnswer:
        event = self._open_and_authenticate(credentials)
        if isinstance(event, Refused) and event.nak.code == NakCode.CONDITIONS:
            # It lost its power between OPEN and AUTH, and has forgotten the OPEN.
            event = self._open_and_authenticate(credentials)
        match event:
            case SessionReady():
                return event.answer
            case KeyWrong():
                raise KeyNotAccepted(self._wrong_key(credentials))
            case Refused():
                raise self._no_session(credentials, event.nak)
            case _:
                raise NobodyThere(f"pump {self._name} on {self.url} does not answer any more.")

    def _open_and_authenticate(self, credentials: _Credentials) -> HostEvent:
        wanted = SessionWanted(
            role=credentials.role,
            host_id=credentials.host_id,
            key=credentials.key,
            challenge=secrets.token_bytes(CHALLENGE_SIZE),
            takeover=credentials.takeover,
        )
        self._end.open_session(wanted, _now_us())
        return self._event()

    @property
    def _name(self) -> str:
        return f"{self.hello.serial_number:08X}"

    def _wrong_key(self, credentials: _Credentials) -> str:
        source = f" in {credentials.source}" if credentials.source else ""
        return f"the key for role {credentials.role.name.lower()}{source} is not the key of pump {self._name}."

    def _no_session(self, credentials: _Credentials, nak: Nak) -> LinkError:
        """Why the pump opened no session."""
        match nak.code:
            case NakCode.KEY:
                return KeyNotAccepted(self._wrong_key(credentials))
            case NakCode.ATTEMPTS:
                wait = f"and the pump takes the next one in {nak.detail} s"
                return KeyNotAccepted(f"{self._wrong_key(credentials).rstrip('.')}, {wait}.")
            case NakCode.DELAY:
                wait = f"takes no key for role {credentials.role.name.lower()} for another {nak.detail} s"
                return SessionRefused(f"pump {self._name} {wait}, for wrong ones were tried; wait that long.", nak)
            case NakCode.BUSY_OTHER_HOST:
                holder = f"another programmer (host {nak.detail:08X}) holds the clinician's place"
                return PlaceTaken(
                    f"{holder} at pump {self._name}; wait for its end, or take the place with --takeover.", nak
                )
            case _:
                return SessionRefused(f"pump {self._name} opens no session ({nak.code.name}).", nak)

    def _greet(self) -> HelloAnswer:
        reply = self.exchange(HelloRequest(major=MAJOR, minor=MINOR))
        if isinstance(reply, Answered) and isinstance(reply.message, HelloAnswer):
            return reply.message
        if isinstance(reply, Refused):
            raise NobodyThere(f"the device on {self.url} refuses to greet us ({reply.nak.code.name}).")
        raise NobodyThere(f"{self.url} can be opened, but no pump answers there.")


def open_line(url: str) -> serial.Serial:
    """Open a port for us alone; raises PortNotThere, PortInUse or another LinkError."""
    try:
        line: serial.Serial = serial.serial_for_url(url, do_not_open=True)
        line.baudrate = BAUD
        line.timeout = READ_POLL_S
        if not url.lower().startswith("rfc2217:"):
            # RFC 2217 in pyserial refuses a write time-out.
            line.write_timeout = WRITE_TIMEOUT_S
        if os.name == "posix" and "://" not in url:
            line.exclusive = True
        line.open()
    except (OSError, ValueError) as error:
        # SerialException is an OSError.
        raise _opening_error(url, error) from error
    except Exception as error:
        # pyserial passes on what lies below it (termios.error is no OSError), and its URL handlers anything at all.
        raise LinkError(f"{url} cannot be used as a serial port: {error}.") from error
    return line


def write_all(line: serial.Serial, data: bytes, url: str) -> None:
    """Write; raises LinkBroke."""
    try:
        line.write(data)
    except (OSError, TypeError) as error:
        raise LinkBroke(f"the line to {url} broke: {_plain(error)}.") from error


def read_some(line: serial.Serial, url: str) -> bytes:
    """What has arrived, or nothing after READ_POLL_S; raises LinkBroke."""
    try:
        data = bytes(line.read(1))
        if data:
            # Everything else that is there already; asking for more would wait for it.
            waiting = min(line.in_waiting, MAX_READ_BYTES)
            data += bytes(line.read(waiting)) if waiting else b""
    except (OSError, TypeError) as error:
        # TypeError is what pyserial makes of a port that goes away under it.
        raise LinkBroke(f"the line to {url} broke: {_plain(error)}.") from error
    return data


def _opening_error(url: str, error: OSError | ValueError) -> LinkError:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if number in _NOT_THERE or "No such file" in text or "FileNotFoundError" in text:
        return PortNotThere(f"there is no port {url}.")
    if number in _IN_USE or "lock port" in text:
        return PortInUse(f"{url} is in use by another program.")
    if number in (errno.EACCES, errno.EPERM):
        return LinkError(f"{url} may not be opened by this user.")
    if "refused" in text.lower():
        return PortNotThere(f"nobody listens on {url}.")
    return LinkError(f"{url} cannot be opened: {_plain(error)}.")


def _plain(error: Exception) -> str:
    """What went wrong, without the layers of wrapping that pyserial puts around it."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if any(words in text for words in _HUNG_UP):
        return "its other end has gone"
    return text.rpartition("] ")[2].strip().rstrip(".") or type(error).__name__


def _now_us() -> int:
    return time.monotonic_ns() // 1_000
