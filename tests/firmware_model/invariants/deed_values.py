"""What a command is given: mostly what is right, seldom what is not."""

from __future__ import annotations

from random import Random

from firmware_model.firmware.codes import Role
from tests.firmware_model.invariants.ward import Ward


def seldom(random: Random, one_in: int = 8) -> bool:
    """Once in so many times."""
    return random.randrange(one_in) == 0


def an_op_id(ward: Ward, random: Random, role: Role = Role.CLINICIAN) -> int:
    """The next one, unless it is to be wrong: an old one, one from ahead, or one beyond the window."""
    op_high = ward.bedside.op_high(role)
    ahead = random.choice((0, -1, 2, 1_000, 1_001)) if seldom(random, 12) else 1
    return max(1, op_high + ahead)


def a_rev(ward: Ward, random: Random) -> int:
    """The revision of now, seldom an old one."""
    return max(0, ward.bedside.therapy_rev() - seldom(random, 12))
