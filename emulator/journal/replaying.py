"""A journal lived through again: the same inputs to a device built anew, and the first thing that differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

from emulator.device import Device
from emulator.events import Event
from emulator.inputs import Advance, Input
from emulator.journal.input_lines import input_document
from emulator.journal.reader import Came, Checked, Given, Item
from emulator.journal.recording import event_mark
from emulator.trace import event_words


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference.

    line      of the journal that says otherwise; that of the input where it says nothing of what came
    input     number of the input whose effect differs, 0 before the first; `at_us`: its virtual time
    what      bytes, event, raised, time or digest
    place     which byte of those for the port, or which event of the input, from 0; None where there is only one
    expected  as the journal has it, `found` as it is now; "nothing" where nothing is
    """

    line: int
    input: int
    at_us: int
    given: str
    what: str
    expected: str
    found: str
    port: int | None = None
    place: int | None = None

    def sentence(self) -> str:
        """For people."""
        where = f"event {self.place}" if self.what == "event" else self.what
        if self.what == "bytes":
            where = f"byte {self.place} for port {self.port}"
        return (
            f"line {self.line}: the first divergence is at input {self.input} ({self.given}, at {self.at_us} us): "
            f"{where} was {self.expected} and is now {self.found}."
        )


@dataclass(slots=True)
class Replayed:
    """How far it came. `unrecorded`: what came of the last input does not stand in the journal."""

    inputs: int = 0
    sent_bytes: int = 0
    events: int = 0
    checks: int = 0
    now_us: int = 0
    digest: str = ""
    ended: bool = False
    unrecorded: bool = False
    divergence: Divergence | None = None

    def document(self) -> dict[str, object]:
        """As JSON values."""
        return {"same": self.divergence is None, **asdict(self)}


@dataclass(slots=True)
class _Effect:
    """What came of one input now."""

    raised: str = ""
    sent: dict[int, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    failure: Exception | None = None


class Replay:
    """One device that lives through a journal."""

    def __init__(self, device: Device, ports: int) -> None:
        self.device = device
        self._ports = ports
        self._given: Given | None = None
        self._effect = _Effect()
        self._told: list[Came] = []
        self._broken = False
        self.replayed = Replayed()

    def run(self, items: Iterable[Item], until_us: int | None = None) -> Replayed:
        """Apply and compare, up to a virtual time. Raises what reading raises."""
        done = self.replayed
        self._take_effect()
        done.divergence = next(self._differences(items, until_us), None)
        if done.divergence is None and until_us is not None and not self._broken and self.device.now_us < until_us:
            self.device.advance(until_us)
        done.now_us = self.device.now_us
        # What a defect has left has no digest.
        done.digest = "" if self._broken else self.device.digest()
        return done

    def _differences(self, items: Iterable[Item], until_us: int | None) -> Iterator[Divergence]:
        for item in items:
            match item:
                case Came():
                    self._told.append(item)
                    continue
                case Given() if until_us is not None and item.input.at_us > until_us:
                    yield from self._compare()
                    return
                case Given():
                    yield from self._compare()
                    self._apply(item)
                case Checked():
                    yield from self._compare()
                    yield from self._compare_state(item)
        if self.replayed.ended or self._told:
            yield from self._compare()
        else:
            # Whoever wrote it was killed between the input and what came of it.
            self.replayed.unrecorded = self._given is not None

    def _apply(self, given: Given) -> None:
        self._given = given
        self.replayed.inputs = given.number
        self._effect = _Effect()
        try:
            self.device.apply(given.input)
        except Exception as error:  # a refusal or a defect: the journal says which it was
            self._effect.raised, self._effect.failure = type(error).__name__, error
            self._broken = self._broken or not isinstance(error, ValueError)
        self._take_effect()

    def _take_effect(self) -> None:
        device, effect = self.device, self._effect
        for port in range(self._ports):
            while data := device.data_to_send(device.now_us, port=port):
                effect.sent[port] = effect.sent.get(port, b"") + data
                self.replayed.sent_bytes += len(data)
        while device.next_line_break() is not None:
            pass  # No port is here to be broken; that the line broke is an event.
        while (event := device.next_event()) is not None:
            effect.events.append(event)
        self.replayed.events += len(effect.events)

    def _compare(self) -> Iterator[Divergence]:
        """What came of the input now against what the journal says, once all that it says is known."""
        told, self._told = self._told, []
        effect, self._effect = self._effect, _Effect()
        line = told[0].line if told else None
        raised = "".join(came.raised for came in told)
        if raised != effect.raised:
            refusal = f"{effect.raised} ({effect.failure})" if effect.failure else "nothing"
            yield self._diverges(line, "raised", raised or "nothing", refusal)
        sent: dict[int, bytes] = {}
        for came in told:
            for port, data in came.sent:
                sent[port] = sent.get(port, b"") + data
        for port in sorted({*sent, *effect.sent}):
            then, now = sent.get(port, b""), effect.sent.get(port, b"")
            if then != now:
                place = _first_difference(then, now)
                yield self._diverges(line, "bytes", _byte(then, place), _byte(now, place), port, place)
        marks = [mark for came in told for mark in came.marks]
        found = [event_mark(event) for event in effect.events]
        if marks != found:
            place = _first_difference(marks, found)
            expected = marks[place] if place < len(marks) else "nothing"
            event = f"{found[place]}, {event_words(effect.events[place])}" if place < len(found) else "nothing"
            yield self._diverges(line, "event", expected, event, None, place)

    def _compare_state(self, checked: Checked) -> Iterator[Divergence]:
        if self._broken:
            yield self._diverges(checked.line, "digest", checked.digest, "none, for the device is broken")
            return
        if checked.at_us != self.device.now_us:
            yield self._diverges(checked.line, "time", f"{checked.at_us} us", f"{self.device.now_us} us")
        digest = self.device.digest()
        if checked.digest != digest:
            yield self._diverges(checked.line, "digest", checked.digest, digest)
        self.replayed.checks += 1
        self.replayed.ended = checked.last

    def _diverges(
        self, line: int | None, what: str, expected: str, found: str, port: int | None = None, place: int | None = None
    ) -> Divergence:
        given = self._given
        return Divergence(
            line=line or (given.line if given else 1),
            input=given.number if given else 0,
            at_us=given.input.at_us if given else 0,
            given=_words(given.input) if given else "the start",
            what=what,
            expected=expected,
            found=found,
            port=port,
            place=place,
        )


def _words(happening: Input) -> str:
    """An input in a few words: its kind, and what tells it from others of that kind."""
    if isinstance(happening, Advance):
        return "advance"
    document = input_document(0, happening)
    told = document.get("fault") or document.get("action") or document.get("change")
    return f"{document['kind']} {told}" if told else f"bytes at port {document['port']}"


def _first_difference(then: bytes | list[str], now: bytes | list[str]) -> int:
    pairs = enumerate(zip(then, now, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(then), len(now)))


def _byte(data: bytes, place: int) -> str:
    return f"{data[place]:02x}" if place < len(data) else "nothing"
