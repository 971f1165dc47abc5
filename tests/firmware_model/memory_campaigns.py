"""What is too much for every day: every pair of power cuts, and every bit of both records. A number stands for a share.

Any PAIRS numbers in a row stand for all pairs, any FLIPS for all bits: `scripts/soak` counts on from its seed.
"""

from collections import Counter
from collections.abc import Iterator

from firmware_model.firmware.codes import AlarmState, AlarmType
from firmware_model.memory import CutMode
from firmware_model.write_faults import Region
from tests.firmware_model.copied import Snapshot
from tests.firmware_model.cut_points import Off, Stored, cut_in, every_cut, stored_by
from tests.firmware_model.cut_verdicts import Booted, Verdicts, booted
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.lead_ups import INTERVAL_NL, PROGRAMS, boot
from tests.firmware_model.transactions import transaction

SHARES = 24
BOLUSES_AND_PROGRAMS = (
    "execute",
    "cancel",
    "end of the bolus",
    "patient bolus",
    "end of the patient bolus",
    *(f"program {each.mode.name}" for each in PROGRAMS),
)
"""The transactions of which every cut is tried with every cut of the boot behind it."""
FLIPPED_BEHIND = ("execute", "end of the bolus", "program FLEX", "attempt")
"""The transactions behind which each bit turns over while the power is away."""
PAIRS, FLIPS = SHARES * len(BOLUSES_AND_PROGRAMS), SHARES * len(FLIPPED_BEHIND)
"""How many numbers stand for all."""


def cut_twice(number: int, figures: Counter[str]) -> None:
    """A share of the cuts of one transaction, each with every cut of the boot behind it."""
    share, which = divmod(number % PAIRS, len(BOLUSES_AND_PROGRAMS))
    first = transaction(BOLUSES_AND_PROGRAMS[which])
    # The same memory boots in the same way, so it is cut once.
    different = {(off.stored, off.beside): off for off in every_cut(Snapshot(first.brought_before()), first.act)}
    for off in list(different.values())[share::SHARES]:
        verdicts = Verdicts(Snapshot(off.again()), boot, INTERVAL_NL)
        verdicts.judge()
        figures["first cuts"] += 1
        figures["pairs of cuts"] += verdicts.figures.cuts
        figures["second boots"] += verdicts.figures.memories


def flip_bits(number: int, figures: Counter[str]) -> None:
    """A share of the bits of both slots of both records behind one transaction, each with a boot behind it.

    It is what it is without that slot, and of the control record it is told.
    """
    share, which = divmod(number % FLIPS, len(FLIPPED_BEHIND))
    off = _off_behind(FLIPPED_BEHIND[which])
    for region in (Region.CONTROL, Region.SECURITY):
        bits = off.again().pump.memory.bits(region)
        without = [booted(off._replace(stored=stored))[1] for stored in _without_slots(off, region)]
        assert without[0] != without[1] or region is Region.SECURITY
        for bit in range(share, bits, SHARES):
            door, found = booted(off._replace(stored=_flipped(off, region, bit)))
            assert found == without[bit // (bits // 2)], f"{region.value} bit {bit}"
            _check_told(door, found, region)
            figures[f"bits of the {region.value} record"] += 1


def _off_behind(name: str) -> Off[Doorway]:
    """A pump whose power went right behind a transaction."""
    done = transaction(name)
    door = done.brought_before()
    done.act(door)
    off = cut_in(Snapshot(door), Doorway.cut_power, 1, CutMode.BEFORE)
    assert off is not None
    return off


def _without_slots(off: Off[Doorway], region: Region) -> Iterator[Stored]:
    """The memory without the one slot, and without the other one."""
    for slot in (0, 1):
        door = off.again()
        pair = door.pump.memory.control if region is Region.CONTROL else door.pump.memory.security
        pair.region[slot * pair.slot_bytes : (slot + 1) * pair.slot_bytes] = bytes(pair.slot_bytes)
        yield stored_by(door)


def _flipped(off: Off[Doorway], region: Region, bit: int) -> Stored:
    door = off.again()
    door.pump.memory.flip_bit(region, bit)
    return stored_by(door)


def _check_told(door: Doorway, found: Booted, region: Region) -> None:
    standing = {alarm.type for alarm in door.pump.firmware.record.alarms if alarm.state is not AlarmState.CLEARED}
    assert (AlarmType.MEMORY_REPAIRED in standing) == (region is Region.CONTROL)
    assert found.flows[1:] == (True, True), "a bolus resumes"
    firmware = door.pump.firmware
    assert (firmware.record.bolus, firmware.record.dose) == (None, None)
