"""A port on a pseudo-terminal: how clients come and go on one, and which bytes belong to whom.

What the kernel tells, and how the rules follow from it:

- While no client has the terminal open, reading the master ends with EIO, at once and for ever, after the last byte
  that was written. So EIO is the exact sign that the last client is gone and that nothing of it is left. Without a
  client the master is not polled at all (that would spin); the only descriptor that can wake us is inotify's.
- Each OPEN that inotify shows is a new line, also when a client is there already: the line of the one before ends.
  Whatever opens the terminal counts, `stty -F` as well. When one opener of several leaves, the line stays.
- What we wrote and nobody read stays in the terminal and would reach the next client. So the end of a line flushes the
  terminal. That needs the client's side of it for a moment, hidden from the watch; whoever opens it just then is
  found by the read that follows.
- A client may leave and the next one come before we look. Bytes are the new client's if only it has written since;
  if both have, they cannot be told apart, and all count as the old one's, whose answers are thrown away. The new
  client asks again, and nobody reads an answer that is not theirs.
- A line that breaks is the end of its terminal: the client reads an end of file and cannot write, as when a device is
  unplugged, and the link is gone. Mended it is a new terminal. It has the old one's name, if nobody holds that by
  keeping the old one open, and the link again.
- Settings survive their client. The end of a line puts raw mode back if a client took it away; its speed stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pty
import select
import termios
import tty
from pathlib import Path

from emulator.ports.inotify import FileWatch, Happening
from emulator.ports.port import QUEUE_LIMIT, PortError, Sink, Started
from emulator.ports.spec import PtySpec

# More than the kernel holds of one client (about 20 KB), so that bytes beyond come from one that is still writing.
READ_LIMIT = 32 * 1024
# How often to look again for one that goes on writing while we look.
LOOK_LIMIT = 4
# Terminals of lower numbers that are taken, for a moment, to get the old one's.
MOST_TRIED = 64

# A read of a terminal returns less than this.
_READ_BYTES = 16 * 1024

_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6


class PtyPort(Started):
    """A pseudo-terminal in raw mode, for one client at a time."""

    def __init__(self, spec: PtySpec) -> None:
        self.spec = spec
        self.link: str | None = None
        self._present = False
        # While it is set, what is sent is for a client that is gone.
        self._muted = False
        self._queue = bytearray()
        self._unhandled: list[Happening] = []
        self._unread = False
        self._broken = False
        self._plug_in(_raw_terminal(spec))

    def _plug_in(self, terminal: tuple[int, str]) -> None:
        with contextlib.ExitStack() as undo:
            self._master, self.url = terminal
            undo.callback(os.close, self._master)
            self._raw = termios.tcgetattr(self._master)
            self._state = select.poll()
            self._state.register(self._master, select.POLLIN)
            try:
                self._watch = FileWatch(self.url)
            except OSError as error:
                raise PortError(f"{self.spec.text}: {self.url} cannot be watched: {error.strerror}.") from error
            undo.callback(self._watch.close)
            if self.spec.link is not None:
                _make_link(self.url, self.spec.link)
                self.link = self.spec.link
            self._undo = undo.pop_all()

    def start(self, loop: asyncio.AbstractEventLoop, sink: Sink) -> None:
        self._started = loop, sink
        self._attend()

    def _attend(self) -> None:
        self._loop.add_reader(self._watch.fileno(), self._look)
        # A client may have come before.
        self._loop.call_soon(self._look)

    def send(self, data: bytes) -> None:
        if not data or not self._present or self._line_is_over():
            return
        if not self._queue:
            data = data[self._write(data) :]
            if not data:
                return
            self._loop.add_writer(self._master, self._write_queued)
        if len(self._queue) + len(data) > QUEUE_LIMIT:
            self._drop_output()
            self._sink.overrun()
            return
        waiting = bool(self._queue)
        self._queue += data
        if not waiting:
            self._sink.held()

    def break_line(self) -> None:
        if self._started is not None and not self._broken:
            self._broken = True
            self._unplug()

    def mend_line(self) -> None:
        if self._started is not None and self._broken:
            self._plug_in(_raw_terminal(self.spec, self.url))
            self._broken = False
            self._attend()

    def close(self) -> None:
        if not self._broken:
            self._unplug()
        self._started = None

    def _unplug(self) -> None:
        if self._started is not None:
            for fd in (self._watch.fileno(), self._master):
                self._loop.remove_reader(fd)
                self._loop.remove_writer(fd)
        self._present = False
        self._queue.clear()
        self._unhandled.clear()
        self._unread = False
        if self.link is not None:
            with contextlib.suppress(OSError):
                if Path(self.link).readlink() == Path(self.url):
                    Path(self.link).unlink()
            self.link = None
        self._undo.close()
        self._master = -1

    def _look(self) -> None:
        """See who is there, and what they wrote. Called whenever any of it may have changed."""
        if self._started is None or self._broken:
            return
        happenings, data, gone = self._gather()
        came = next((i for i in reversed(range(len(happenings))) if happenings[i] is Happening.OPENED), None)
        self._muted = False
        if not self._present:
            if came is not None or data or not gone:
                self._begin_line()
                self._hand_over(data)
        elif came is None:
            self._hand_over(data)
        else:
            before, after = happenings[:came], happenings[came:]
            data_is_new = Happening.WRITTEN in after and Happening.WRITTEN not in before
            self._muted = True
            if not data_is_new:
                self._hand_over(data)
            self._end_line()
            self._begin_line()
            if data_is_new:
                self._hand_over(data)
        if gone and self._present:
            self._end_line()
            # Somebody may have come while the watch was paused.
            if self._started is not None:
                self._loop.call_soon(self._look)

    def _gather(self) -> tuple[list[Happening], bytes, bool]:
        """Everything that is to be known now: what happened, what was written, and whether nobody is left.

        Happenings are read before and after the bytes, until no WRITTEN is newer than our reading: then a WRITTEN that
        comes later speaks of bytes that come later.
        """
        happenings = [Happening.WRITTEN] if self._unread else []
        happenings += self._unhandled + self._watch.read()
        self._unhandled = []
        data = bytearray()
        gone = False
        for _ in range(LOOK_LIMIT):
            gone = self._read_into(data)
            newer = self._watch.read()
            happenings += newer
            self._unread = Happening.WRITTEN in newer
            if not self._unread:
                break
        # If happenings were lost, somebody may have come among them.
        return [Happening.OPENED if seen is Happening.LOST else seen for seen in happenings], bytes(data), gone

    def _read_into(self, data: bytearray) -> bool:
        """Read all there is; says whether no client has the terminal open (then nothing is left to read)."""
        while len(data) < READ_LIMIT:
            try:
                data += os.read(self._master, _READ_BYTES)
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return True
        return False

    def _hand_over(self, data: bytes) -> None:
        if data and self._started is not None:
            self._sink.received(data)

    def _begin_line(self) -> None:
        if self._started is None:
            return
        self._present = True
        self._muted = False
        self._loop.add_reader(self._master, self._look)
        self._sink.opened()

    def _end_line(self) -> None:
        if self._started is None:
            return
        self._muted = True
        self._loop.remove_reader(self._master)
        self._drop_output()
        self._restore_raw_mode()
        self._present = False
        self._sink.closed()

    def _line_is_over(self) -> bool:
        """Whether the client of this line is gone or another one came, though `_look` has not seen it yet."""
        if not self._muted:
            newer = self._watch.read()
            state = sum(flags for _, flags in self._state.poll(0))
            # Without bytes to read, a WRITTEN speaks of bytes that have been read; kept, it would make a new client's
            # first bytes look like the old one's.
            self._unhandled += [seen for seen in newer if state & select.POLLIN or seen is not Happening.WRITTEN]
            if state & select.POLLHUP or Happening.OPENED in newer or Happening.LOST in newer:
                self._muted = True
                # Reading them has taken them from the loop's sight.
                self._loop.call_soon(self._look)
        return self._muted

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            # The client has left this very moment; `_look` is about to be told.
            if error.errno != errno.EIO:
                raise
            return len(data)

    def _write_queued(self) -> None:
        if self._line_is_over():
            self._queue.clear()
        else:
            del self._queue[: self._write(self._queue)]
            if not self._queue:
                self._sink.flowing()
        if not self._queue:
            self._loop.remove_writer(self._master)

    def _drop_output(self) -> None:
        """Throw away what we wrote and nobody has read, here and in the kernel."""
        self._queue.clear()
        self._loop.remove_writer(self._master)
        # The watch must not take our own opening for a client's.
        self._unhandled += self._watch.read()
        self._watch.pause()
        try:
            slave = os.open(self.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                # On their way, then arrived: neither flush does both.
                termios.tcflush(self._master, termios.TCOFLUSH)
                termios.tcflush(slave, termios.TCIFLUSH)
            finally:
                os.close(slave)
        finally:
            self._watch.resume()

    def _restore_raw_mode(self) -> None:
        now = termios.tcgetattr(self._master)
        raw = self._raw
        changed = any(now[i] != raw[i] for i in (_IFLAG, _OFLAG, _LFLAG, _CC))
        if changed or (now[_CFLAG] ^ raw[_CFLAG]) & (termios.CSIZE | termios.PARENB):
            speeds = now[4:6]
            termios.tcsetattr(self._master, termios.TCSANOW, [*raw[:4], *speeds, raw[_CC]])


def _raw_terminal(spec: PtySpec, wanted: str = "") -> tuple[int, str]:
    """A new pseudo-terminal, raw before anybody can open it: its master, and the path for clients.

    `wanted`: the path that it should have. The kernel gives the lowest number that is free, so those below are taken
    and given back. If the one that is wanted is not to be had, it is any other.
    """
    with contextlib.ExitStack() as others:
        for _ in range(MOST_TRIED if wanted else 0):
            master, path = _new_terminal(spec)
            if path == wanted:
                return master, path
            others.callback(os.close, master)
            if _number(path) > _number(wanted):
                break
    return _new_terminal(spec)


def _new_terminal(spec: PtySpec) -> tuple[int, str]:
    try:
        master, slave = pty.openpty()
    except OSError as error:
        raise PortError(f"{spec.text}: no pseudo-terminal is to be had: {error.strerror}.") from error
    try:
        tty.setraw(slave)
        os.set_blocking(master, False)
        return master, os.ttyname(slave)
    finally:
        os.close(slave)


def _number(path: str) -> int:
    return int(path.rpartition("/")[2])


def _make_link(target: str, link: str) -> None:
    # Creating a symbolic link neither follows nor replaces what is there.
    try:
        if _is_left_over(Path(link), target):
            Path(link).unlink()
        Path(link).symlink_to(target)
    except FileExistsError:
        raise PortError(f"The link {link} cannot be made: something is there already.") from None
    except OSError as error:
        raise PortError(f"The link {link} cannot be made: {error.strerror}.") from error


def _is_left_over(link: Path, target: str) -> bool:
    """Whether a pump that was killed has left a link: to a terminal that is no more, or is ours by now."""
    try:
        old = link.readlink()
    except OSError:
        return False
    return old == Path(target) or (old.parent == Path(target).parent and not old.exists())
