"""Those without the right to change delivery do not, whatever they send; `scripts/soak siege` has a million frames."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from unittest.mock import patch

import pytest

from emulator.dispatcher import requests
from firmware_model.commands import Origin
from firmware_model.firmware import codes as model
from protocol import device_end
from protocol.access import PumpState, access_of, role_refusal
from protocol.channel import Opener, TagWrong
from protocol.errands import Request
from protocol.frame import Frame
from protocol.messages.codes import Role
from protocol.messages.operations import OPERATIONS, Operation, by_name
from protocol.refusals import NakCode
from protocol.sessions import Session, Sessions
from tests.conftest import Counted
from tests.device.payload_grammar import PAYLOADS
from tests.device.siege import ATTACKS, STATES, Besieged, Siege, besiege

SEED = 1
FRAMES = 400
GRANTED_TO_READER = {operation.name for operation in OPERATIONS if Role.READER in access_of(operation.name).roles}
BEYOND_READER = [operation for operation in OPERATIONS if Role.READER not in access_of(operation.name).roles]


def test_a_siege_of_a_pump_in_each_state_changes_nothing_that_is_delivered(counted: Counted) -> None:
    """And it was one: each operation was asked for in every way, and met as it should be."""
    figures: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    met: Counter[str] = Counter()
    for number in range(2 * len(STATES)):
        siege = besiege(SEED, number, figures, FRAMES)
        sent += siege.sent
        met += siege.met
    assert figures["frames"] == 2 * len(STATES) * FRAMES
    assert min(sent[kind] for kind in (*ATTACKS, *(f"payload {kind}" for kind in PAYLOADS))) > 100
    # The reader is one: whatever he may ask was granted him.
    for name in GRANTED_TO_READER - {"CLOSE"}:
        assert met[f"{name} OK"] > 0, f"{name} was never granted"
    for operation in BEYOND_READER:
        if operation.name not in ("OPEN", "AUTH"):
            assert met[f"{operation.name} NAK 33 ROLE"] > 3, f"{operation.name} was hardly asked for in the session"
            assert met[f"{operation.name} NAK 34 AUTH_REQUIRED"] > 3, f"{operation.name} was hardly asked for without"
            assert met[f"{operation.name} OK"] == 0
    counted("frames of a siege", figures["frames"])


@pytest.mark.parametrize(
    ("state", "granted"),
    [(PumpState.RUNNING, "BOLUS_EXECUTE"), (PumpState.STOPPED, "PROGRAM_COMMIT"), (PumpState.BOLUS, "BOLUS_CANCEL")],
)
def test_the_doors_are_prepared(state: PumpState, granted: str) -> None:
    """What the besieged clinician could send next is granted him: a frame that is let through has its effect."""
    besieged = Besieged(state)
    before = besieged.device.pump.delivery_digest()
    assert besieged.clinician.verdict(besieged.clinician.sealed(besieged.well_meant[granted])) is None
    assert besieged.device.pump.delivery_digest() != before


def test_the_same_seed_is_the_same_siege() -> None:
    one, other, another = ([siege.next_frame() for _ in range(50)] for siege in (Siege(7, 0), Siege(7, 0), Siege(8, 0)))
    assert one == other != another


def opened_to_readers(name: str) -> Callable[[str, Role | None], NakCode | None]:
    """The table with a hole: a reader, too, may ask for one operation."""
    return lambda asked, role: None if (asked, role) == (name, Role.READER) else role_refusal(asked, role)


def taken_for_another(role: model.Role) -> Callable[[Request], Origin]:
    """As if the model were told that a reader is somebody else."""
    origin_of = requests._origin

    def origin(request: Request) -> Origin:
        told = origin_of(request)
        return replace(told, role=role) if told.role is model.Role.READER else told

    return origin


THERAPY_ROLE = {"PATIENT_BOLUS": model.Role.PATIENT}
HOLES = (
    "STOP",
    "START",
    "BOLUS_PREPARE",
    "BOLUS_CANCEL",
    "PATIENT_BOLUS",
    "PROGRAM_BEGIN",
    "TIME_SET",
    "REFILL_BEGIN",
)
"""What changes delivery, or what it rests on. What a session has begun, a stage, a lease or a refill, is its own."""


def lay(number_of_frames: int, operations: tuple[Operation, ...] = OPERATIONS, checked_every: int = 10) -> None:
    """A siege of a pump in each state."""
    for number in range(len(STATES)):
        Siege(SEED, number, checked_every, operations).run(number_of_frames)


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_for_one_operation_is_found(name: str) -> None:
    """A reader may ask for it, and the model takes him for one who may: both walls are down for this operation."""
    with (
        patch.object(device_end, "role_refusal", opened_to_readers(name)),
        patch.object(requests, "_origin", taken_for_another(THERAPY_ROLE.get(name, model.Role.CLINICIAN))),
        pytest.raises(AssertionError, match="delivery has been changed: seed 1"),
    ):
        lay(200, (by_name[name], by_name["STATUS"]))


def test_where_the_first_wall_is_down_for_readers_the_model_refuses_them() -> None:
    with patch.object(
        device_end, "role_refusal", lambda _name, role: None if role is Role.READER else role_refusal(_name, role)
    ):
        lay(100, tuple(by_name[name] for name in HOLES), checked_every=25)


def unchecked_tag(look: Callable[[Opener, Frame], bytes]) -> Callable[[Opener, Frame], bytes]:
    def opened(opener: Opener, frame: Frame) -> bytes:
        try:
            return look(opener, frame)
        except TagWrong:
            return frame.payload

    return opened


def _any_port(sessions: Sessions, session_id: int, _port: int) -> Session | None:
    """As if a session belonged to every line."""
    return next((each for each in sessions.live if each.session_id == session_id), None)


@pytest.mark.parametrize(
    ("hole", "told"),
    [
        (lambda: patch.object(device_end, "role_refusal", lambda _name, _role: None), "has come without a role"),
        (lambda: patch.object(Opener, "look", unchecked_tag(Opener.look)), "a session has answered on line 0"),
        (lambda: patch.object(Sessions, "find", _any_port), "a session has answered on line"),
    ],
    ids=["no roles", "no tags", "no lines"],
)
def test_a_wall_that_is_missing_is_found(hole: Callable[[], AbstractContextManager[object]], told: str) -> None:
    with hole(), pytest.raises((AssertionError, RuntimeError), match=told):
        lay(FRAMES)
