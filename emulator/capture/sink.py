"""A queue of packets and the thread that writes them, so that neither a disk nor a reader holds the pump up.

Rules of this file:

- `put` never waits and never fails. What the disk or the reader cannot take in time is left out, counted, and told.
- A packet that is written is written at once.
- Whatever ends a capture ends the capture only.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from emulator.capture import pcapng
from emulator.capture.pcapng import Packet
from emulator.capture.targets import CaptureEnded, Target, open_target
from emulator.host_files import SYSTEM, HostFiles

QUEUE_BYTES: Final = 8 << 20
"""What waits for the disk or the reader at most, packets and their comments counted."""
CLOSE_DEADLINE_S: Final = 2.0
"""How long the end of a capture waits for what is still to be written."""

_PACKET_COST: Final = 64
_BELL_BYTES: Final = 4096


class Sink(Protocol):
    """Takes packets."""

    def put(self, packet: Packet) -> None:
        """Queue a packet. Never waits."""

    def close(self, deadline_s: float = CLOSE_DEADLINE_S) -> None:
        """Write what is queued, for so long at most."""


def open_sink(
    path: Path,
    header: bytes,
    tell: Callable[[str], None],
    limit_bytes: int = QUEUE_BYTES,
    files: HostFiles = SYSTEM,
) -> CaptureSink:
    """Begin a capture. Raises CaptureFailed.

    header  what it begins with
    tell    takes a sentence, also from another thread; it neither waits nor fails
    """
    return CaptureSink(path, open_target(path, header, tell, files), tell, limit_bytes)


class CaptureSink:
    """A queue of packets, and the thread that writes them."""

    def __init__(self, path: Path, target: Target, tell: Callable[[str], None], limit_bytes: int) -> None:
        self._path = path
        self._target = target
        self._tell = tell
        self._limit_bytes = limit_bytes
        self._packets: deque[Packet] = deque()
        self._queued_bytes = 0
        self._left_out = 0
        self._told_left_out = False
        self._closing = False
        self._ended = False
        self._lock = threading.Lock()
        # A byte in it says that there is something to do.
        self._bell, self._bell_rope = os.pipe()
        os.set_blocking(self._bell_rope, False)
        # A daemon: a reader who never comes must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def put(self, packet: Packet) -> None:
        """Queue a packet. Never waits."""
        tell_now = False
        with self._lock:
            if self._ended or self._closing:
                return
            if self._queued_bytes + _cost(packet) > self._limit_bytes:
                self._left_out += 1
                tell_now, self._told_left_out = not self._told_left_out, True
            else:
                if self._left_out:
                    packet, self._left_out = _behind_a_gap(packet, self._left_out), 0
                self._packets.append(packet)
                self._queued_bytes += _cost(packet)
        self._ring()
        if tell_now:
            self._tell(
                f"capture: {self._path} takes packets too slowly, so some are left out; the next packet that is "
                "written says how many."
            )

    def close(self, deadline_s: float = CLOSE_DEADLINE_S) -> None:
        """Write what is queued, for so long at most; what could not be written is told."""
        with self._lock:
            self._closing = True
        self._ring()
        self._thread.join(0 if self._target.awaits_reader else deadline_s)
        with self._lock:
            lost = 0 if self._ended else len(self._packets) + self._left_out
        if not self._thread.is_alive():
            os.close(self._bell)
            os.close(self._bell_rope)
        if lost:
            why = "nobody read them in time" if self._target.awaits_reader else "it did not take them in time"
            self._tell(f"capture: {lost} packets were not written to {self._path}: {why}.")

    def _ring(self) -> None:
        # A bell that is full has been rung.
        with contextlib.suppress(BlockingIOError):
            os.write(self._bell_rope, b"\0")

    def _run(self) -> None:
        try:
            self._target.begin()
            while (packet := self._next()) is not None:
                self._target.write(pcapng.packet(packet))
                with self._lock:
                    self._queued_bytes -= _cost(self._packets.popleft())
        except CaptureEnded as end:
            with self._lock:
                self._ended = True
                self._packets.clear()
            self._tell(str(end))
        finally:
            self._target.close()

    def _next(self) -> Packet | None:
        """Wait for a packet, and leave it in the queue until it is written; None means that the end has come."""
        while True:
            with self._lock:
                if self._packets:
                    return self._packets[0]
                if self._closing:
                    return None
            self._wait()

    def _wait(self) -> None:
        """Until the bell rings, or the reader has gone."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        reader_fd = self._target.reader_fd
        if reader_fd is not None:
            poll.register(reader_fd, 0)
        happened = dict(poll.poll())
        if self._bell in happened:
            os.read(self._bell, _BELL_BYTES)
        elif reader_fd in happened:
            self._target.reader_gone()


def _behind_a_gap(packet: Packet, left_out: int) -> Packet:
    said = f"{left_out} packets before this one are not in the capture: it was not written or read in time"
    return replace(packet, lost_before=left_out, comments=(said, *packet.comments))


def _cost(packet: Packet) -> int:
    return len(packet.data) + sum(map(len, packet.comments)) + _PACKET_COST
