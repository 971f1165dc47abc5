"""The digest of what is delivered, and what changes it: nothing but therapy, however loud it is at the pump's door."""

from collections.abc import Callable

from msgspec.structs import replace

from firmware_model.commands import ConfirmAttempt, NoteKeysReplaced
from firmware_model.firmware.codes import Role
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.drug_programs import new_program

ACTS: tuple[Callable[[Doorway], object], ...] = (
    lambda door: door.bolus(20_000, 600),
    lambda door: door.wait(400),
    lambda door: door.stop(),
    lambda door: door.begin(),
    lambda door: door.start(),
    lambda door: door.program(new_program(rate_nl_per_day=17_280_000)),
    lambda door: door.wait(500),
    lambda door: door.cut_power(),
    lambda door: door.restore_power(),
    lambda door: door.prepare(20_000, 600),
)


def besiege(door: Doorway) -> None:
    """All that a host can bring about without a session, and what is done for one that is being opened."""
    for role in (None, *Role):
        door.note(role)
    door.number()
    door.attempt()
    door.ask(ConfirmAttempt(Role.CLINICIAN, 0, 4, 5))
    door.ask(NoteKeysReplaced(test_keys=True))
    door.pump.raise_session_counter(door.now, door.now)


def test_each_act_of_therapy_changes_it_and_a_siege_of_the_door_does_not() -> None:
    """Two pumps live through the same day; at the door of one of them there is no peace."""
    quiet, besieged = Doorway(), Doorway()
    seen = {quiet.pump.delivery_digest()}
    for act in ACTS:
        act(quiet)
        act(besieged)
        besiege(besieged)
        assert besieged.pump.delivery_digest() == quiet.pump.delivery_digest()
        seen.add(quiet.pump.delivery_digest())
    assert len(seen) == 1 + len(ACTS)
    assert besieged.log() != quiet.log()


def test_to_look_and_to_acknowledge_change_nothing_that_is_delivered() -> None:
    door = Doorway()
    door.wait(1_800)
    assert [alarm.instance for alarm in door.alarms()] == [1]
    door.stop()
    before, whole = door.pump.delivery_digest(), door.pump.digest()
    door.acknowledge(1)
    door.status()
    door.log()
    door.wait(1_000)
    assert door.pump.delivery_digest() == before
    assert door.pump.digest() != whole


def test_without_power_it_is_what_memory_says() -> None:
    door = Doorway()
    door.wait(100)
    door.cut_power()
    before = door.pump.delivery_digest()
    door.pump.firmware.record = replace(door.pump.firmware.record, therapy_rev=99)
    assert door.pump.delivery_digest() == before
    pair = door.pump.memory.control
    for slot in (0, 1):
        pair.region[slot * pair.slot_bytes + 9] ^= 4
    assert door.pump.delivery_digest() != before
