"""The observer that captures: every event of a pump to the recorder, every packet that is complete to the sink."""

from __future__ import annotations

from collections.abc import Callable

from emulator.capture.recorder import Recorder
from emulator.capture.sink import Sink
from emulator.events import Event


class CaptureObserver:
    """Takes events as they happen. `call_soon` has the held packet written when this turn of the loop is over.

    All that an input brings about is told in one turn, so nothing more can be said of the packet then.
    """

    def __init__(self, sink: Sink, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._recorder = Recorder()
        self._sink = sink
        self._call_soon = call_soon
        self._flush_is_due = False

    def __call__(self, event: Event) -> None:
        for packet in self._recorder.take(event):
            self._sink.put(packet)
        if self._recorder.holding and not self._flush_is_due:
            self._flush_is_due = True
            self._call_soon(self._flush)

    def close(self) -> None:
        """Nothing more happens: write what is left."""
        self._flush()
        self._sink.close()

    def _flush(self) -> None:
        self._flush_is_due = False
        for packet in self._recorder.flush():
            self._sink.put(packet)
