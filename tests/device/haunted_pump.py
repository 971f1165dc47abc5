"""One pump through many sessions, and somebody who has recorded all of them and sends all of it again at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any, Final

from emulator.device import Device
from emulator.events import FrameSeen, SessionChanged
from emulator.inputs import CutPower, RestorePower
from firmware_model.firmware.codes import THERAPY_ROLES
from protocol.access import PumpState
from protocol.frame import Flag, Frame, parse_body
from protocol.messages.codes import Role
from protocol.messages.link import CloseRequest
from protocol.messages.operations import by_name
from protocol.refusals import NakCode
from tests.device.desk import HOST_ID, SECOND, happened
from tests.device.hand_host import HandHost, body_of, live_sessions, nothing_moves
from tests.device.hurt_sessions import NAMES, THERAPY
from tests.device.pump_states import WellMeant, pump_in

HOSTS_PORT, HAUNTED_PORT = 0, 1
LEAST_REQUESTS, MOST_REQUESTS = 4, 9
MOST_PAUSE_US: Final = 20 * SECOND
LONGEST_DELAY_US: Final = 61 * SECOND
"""By then whoever has tried with a wrong key may try again."""
SILENCE_US: Final = 181 * SECOND
_AUTH: Final = by_name["AUTH"].opcode
_HANDSHAKE: Final = frozenset(by_name[name].opcode for name in ("OPEN", "AUTH"))


class _Next(WellMeant):
    """Requests with the op id that is next, so that therapy goes on session after session."""

    @property
    def new_op(self) -> int:
        ledger, role = self.host.device.pump.firmware.record.ledger, self.host.role
        roles = {int(each): each for each in THERAPY_ROLES}
        return ledger.of(roles[role]).op_high + 1 if role in roles else super().new_op


@dataclass
class Recorder:
    """All that has passed on the line, in both directions, and what became of it when it came again."""

    device: Device
    frames: dict[bytes, None] = field(default_factory=dict)
    replays: int = 0
    met: Counter[str] = field(default_factory=Counter)

    def listen(self) -> None:
        """Write down what has just passed."""
        for event in happened(self.device):
            if isinstance(event, FrameSeen) and event.port == HOSTS_PORT:
                self.frames[event.raw] = None

    def haunt(self) -> None:
        """Send all of it again: on a line of its own, and on the host's own while his session lives there."""
        self.listen()
        self._send(HAUNTED_PORT, list(self.frames))
        alive = [session for session in live_sessions(self.device) if session.port == HOSTS_PORT]
        if alive:
            # Wrong cryptograms of old handshakes would only keep the host himself out, for a minute.
            self._send(HOSTS_PORT, [raw for raw in self.frames if parse_body(body_of(raw)).opcode not in _HANDSHAKE])

    def _send(self, port: int, frames: list[bytes]) -> None:
        device = self.device
        # What is due at this instant comes first, whoever sends: behind a boot there may be an alarm to raise.
        device.advance(device.now_us)
        with nothing_moves(device):
            device.receive(b"\x00" + b"".join(frames), device.now_us, port)
        device.data_to_send(device.now_us, port=port)
        self.replays += len(frames)
        for event in happened(device):
            match event:
                case FrameSeen(direction="answer"):
                    frame = parse_body(body_of(event.raw))
                    assert Flag.SECURED not in frame.flags or event.raw in self.frames, "an old frame was taken"
                    self.met["answered in the clear" if Flag.SECURED not in frame.flags else "stored answer"] += 1
                case SessionChanged():
                    raise AssertionError(f"a recorded frame has {event.change} a session")


@dataclass
class RecordedHost(HandHost):
    """A host each of whose frames comes behind all those that were recorded before it."""

    recorder: Recorder | None = None

    def send(self, wire: bytes) -> list[Frame]:
        assert self.recorder is not None
        self.recorder.haunt()
        return super().send(wire)


def _close(host: RecordedHost) -> None:
    host.ask(CloseRequest())


def _cycle_power(host: RecordedHost) -> None:
    host.device.control(CutPower(), host.device.now_us)
    host.device.control(RestorePower(), host.device.now_us)


ENDS: Final[Mapping[str, Callable[[RecordedHost], None]]] = MappingProxyType(
    {
        "closed": _close,
        "line": lambda host: host.close_line(),
        "power": _cycle_power,
        "silence": lambda host: host.device.advance(host.device.now_us + SILENCE_US),
        "left open": lambda _: None,
    }
)


def haunt(seed: int, sessions: int, figures: Counter[str], tick: Callable[[], None] = lambda: None) -> Recorder:
    """So many sessions of one pump, each frame of them behind all that was recorded of them."""
    random = Random(seed)  # noqa: S311 - sessions that can be repeated
    device = pump_in(random.choice(tuple(PumpState)))
    recorder = Recorder(device)
    HandHost(device, port=HAUNTED_PORT).open_line()
    for number in range(sessions):
        _live_through(random, device, recorder, number)
        figures["sessions"] += 1
        figures["frames"] = len(recorder.frames)
        figures["replays"] = recorder.replays
        tick()
    return recorder


def _live_through(random: Random, device: Device, recorder: Recorder, number: int) -> None:
    role = random.choice((Role.CLINICIAN, *Role))
    host = RecordedHost(device, role, HOST_ID + random.randrange(3), HOSTS_PORT, recorder=recorder)
    host.challenges = number * 100
    device.advance(device.now_us + LONGEST_DELAY_US)
    if random.random() < 0.7 or not any(session.port == HOSTS_PORT for session in live_sessions(device)):
        host.open_line()
    host.connect(takeover=True)
    for _ in range(random.randint(LEAST_REQUESTS, MOST_REQUESTS)):
        device.advance(device.now_us + random.randrange(MOST_PAUSE_US))
        request: Any = _Next(host).request(random.choice(random.choice((NAMES, THERAPY))))
        if host.verdict(host.request(request)) is NakCode.PENDING:
            host.outlast()
    ENDS[random.choice(tuple(ENDS))](host)
    recorder.haunt()
