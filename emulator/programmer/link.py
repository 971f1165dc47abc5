"""The serial link: a pump behind whatever pyserial's `serial_for_url` opens, one request at a time."""

from __future__ import annotations

import errno
import os
import secrets
import time
from types import TracebackType

import serial

from protocol.frame import MAJOR, MINOR
from protocol.host_end import Answered, HostEnd, NoAnswer, Refused
from protocol.messages.link import HelloAnswer, HelloRequest

BAUD = 115_200
DEFAULT_TIMEOUT_US = 600_000  # P2, 500 ms, and something for the line itself
RETRIES = 3
# Fixed at opening: on a PTY and over RFC 2217, pyserial cannot change it later without touching the line.
READ_POLL_S = 0.02
WRITE_TIMEOUT_S = 2.0
MAX_READ_BYTES = 4_096
US_PER_S = 1_000_000

_NOT_THERE = frozenset({errno.ENOENT, errno.ENXIO, errno.ENODEV})
_IN_USE = frozenset({errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK})


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


class SerialLink:
    """An open line to a pump. `hello` is its answer to the greeting, which also gave its address."""

    def __init__(self, url: str, timeout_us: int = DEFAULT_TIMEOUT_US) -> None:
        self.url = url
        self._line = open_line(url)
        # Any first txn will do; one that the last run did not use as well is not mistaken for a repetition.
        self._end = HostEnd(first_txn=secrets.randbelow(256), timeout_us=timeout_us, retries=RETRIES)
        try:
            self.hello = self._greet()
        except BaseException:
            self.close()
            raise

    def exchange(self, message: object) -> Answered | Refused | NoAnswer:
        """Send a request, repeat it as the protocol says, and return what became of it; raises LinkBroke."""
        self._end.request(message, _now_us())
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

    def close(self) -> None:
        """Leave the line."""
        self._line.close()

    def __enter__(self) -> SerialLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
    return text.rpartition("] ")[2].strip().rstrip(".") or type(error).__name__


def _now_us() -> int:
    return time.monotonic_ns() // 1_000
