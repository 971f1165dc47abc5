"""Seeded sessions that somebody hurts on their way: bits that fall over, and frames that come again, in every state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from emulator.device import Device
from emulator.inputs import CutPower, RaiseSessionCounter, RestorePower
from protocol.access import PumpState
from protocol.frame import Flag, Frame, parse_body
from protocol.messages.codes import Role
from protocol.messages.link import CloseRequest
from protocol.messages.operations import OPERATIONS, Effect, by_name
from protocol.refusals import NakCode
from tests.device.desk import SECOND, happened
from tests.device.hand_host import HandHost, body_of, live_sessions, nothing_moves, rewired
from tests.device.pump_states import WellMeant, pump_in

LEAST_REQUESTS, MOST_REQUESTS = 6, 12
MOST_PAUSE_US = 20 * SECOND
_AUTH = by_name["AUTH"].opcode
NAMES = tuple(operation.name for operation in OPERATIONS if operation.name not in ("OPEN", "AUTH", "CLOSE"))
THERAPY = tuple(operation.name for operation in OPERATIONS if operation.effect in (Effect.THERAPY, Effect.STAGE))


@dataclass
class HurtHost(HandHost):
    """A good host at a bad line: before each of its frames, `hurt` happens to the device."""

    sent: list[bytes] = field(default_factory=list)
    coming: bytes = b""

    def send(self, wire: bytes) -> list[Frame]:
        self.coming = wire
        self.hurt()
        self.sent.append(wire)
        return super().send(wire)

    def hurt(self) -> None:
        """Nothing, unless somebody does something."""

    def inject(self, wire: bytes) -> list[Frame]:
        """Bytes that are not this host's, on its line."""
        return super().send(wire)


def run_session(seed: int, make: Callable[[Device, Role], HurtHost] = HurtHost) -> tuple[HurtHost, list[str]]:
    """A session in any state and of any role, and the digest of delivery behind each of its requests."""
    random = Random(seed)  # noqa: S311 - a session that can be repeated
    host = make(pump_in(random.choice(tuple(PumpState))), random.choice((Role.CLINICIAN, *Role)))
    host.open_line().connect()
    digests = []
    for _ in range(random.randint(LEAST_REQUESTS, MOST_REQUESTS)):
        host.device.advance(host.device.now_us + random.randrange(MOST_PAUSE_US))
        request = WellMeant(host).request(random.choice(random.choice((NAMES, THERAPY))))
        if host.verdict(host.request(request)) is NakCode.PENDING:
            host.outlast()
        digests.append(host.device.pump.delivery_digest())
    host.ask(CloseRequest())
    host.channel = None
    return host, digests


@dataclass
class FlippedHost(HurtHost):
    """Bits of one of its frames fall over, one at a time: on the line, and under a CRC that fits again."""

    flips: int = 0
    target: int = 0
    every: int = 1

    def hurt(self) -> None:
        if len(self.sent) != self.target:
            return
        with nothing_moves(self.device):
            for bit in range(0, 8 * len(self.coming), self.every):
                # A delimiter that fell over is made good, so that each copy stands alone.
                self._inject(_flipped(self.coming, bit) + b"\x00")
            body = body_of(self.coming)
            if Flag.SECURED in parse_body(body).flags:
                for bit in range(0, 8 * len(body), self.every):
                    self._inject(rewired(_flipped(body, bit)))

    def _inject(self, damaged: bytes) -> None:
        self.flips += 1
        for answer in self.inject(damaged):
            assert Flag.SECURED not in answer.flags, "a damaged frame was taken"
        for session in live_sessions(self.device):
            # Not what is asked here: a long frame has more bits than a session outlives wrong tags.
            session.wrong_tags = 0
        happened(self.device)


def _flipped(data: bytes, bit: int) -> bytes:
    at = bit // 8
    return data[:at] + bytes((data[at] ^ 1 << bit % 8,)) + data[at + 1 :]


def flip_every_bit(seed: int, figures: Counter[str], every: int = 1) -> None:
    """A session, once for each of its frames, whose bits fall over before it comes; it is taken all the same.

    `every`: only one in so many of them does.
    """
    plain, digests = run_session(seed)
    for target in range(len(plain.sent)):
        hurt, hurt_digests = run_session(seed, partial(FlippedHost, target=target, every=every))
        assert isinstance(hurt, FlippedHost)
        assert hurt.sent == plain.sent, "the session has gone another way"
        assert hurt_digests == digests, "delivery has gone another way"
        figures["bits"] += hurt.flips
        figures["frames"] += 1
    figures["sessions"] += 1


@dataclass
class HauntedHost(HurtHost):
    """All frames that it has sent since its session began come again before each new one."""

    replays: int = 0

    def hurt(self) -> None:
        if self.channel is None:
            return
        with nothing_moves(self.device):
            for earlier in self.sent:
                for answer in self.inject(earlier):
                    # What it has subscribed to comes whenever it is due.
                    if Flag.EVENT in answer.flags:
                        continue
                    # The stored answer to AUTH is sealed: it is the same bytes again.
                    assert Flag.SECURED not in answer.flags or answer.opcode == _AUTH, "an old frame was taken"
                self.replays += 1
        happened(self.device)


def replay_everywhere(seed: int, figures: Counter[str]) -> None:
    """A session whose frames come again in each of its later states, and in those that a pump has behind its end."""
    plain, digests = run_session(seed)
    haunted, haunted_digests = run_session(seed, HauntedHost)
    assert isinstance(haunted, HauntedHost)
    assert haunted_digests == digests, "delivery has gone another way"
    figures["replays"] += haunted.replays
    device = plain.device
    for befalls in _LATER:
        befalls(device)
        happened(device)
        for port in (0, 1):
            attacker = HandHost(device, port=port).open_line()
            with nothing_moves(device):
                for frame in plain.sent:
                    for answer in attacker.send(frame):
                        assert Flag.SECURED not in answer.flags, "a recorded frame has opened a session"
                    figures["replays"] += 1
    figures["sessions"] += 1


def _cycle_power(device: Device) -> None:
    device.control(CutPower(), device.now_us)
    device.control(RestorePower(), device.now_us)


def _open_another(device: Device) -> None:
    """Somebody else has a session now, on a line of his own."""
    device.advance(device.now_us + 60 * SECOND)
    HandHost(device, port=2, host_id=0x0C33).open_line().connect()


_LATER = (
    lambda device: device.advance(device.now_us + 60 * SECOND),
    _cycle_power,
    _open_another,
    _cycle_power,
    lambda device: device.control(RaiseSessionCounter(1 << 40), device.now_us),
)
