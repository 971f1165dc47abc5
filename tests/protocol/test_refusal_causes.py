"""What the specification says of where refusals come from names operations that there are, and every code."""

import re

from protocol.export.refusal_causes import REFUSAL_CAUSES
from protocol.messages.codes import BolusKind, OpenFlag
from protocol.messages.operations import ANNOUNCEMENTS, by_name
from protocol.refusals import NakCode

OTHER_WORDS = {"INSECURE", "FF", "PREPARE", "VALIDATE"} | {kind.name for kind in BolusKind} | {OpenFlag.TAKEOVER.name}


def test_every_code_has_its_causes() -> None:
    assert list(REFUSAL_CAUSES) == list(NakCode)


def test_every_operation_that_is_named_exists() -> None:
    announced = {row.name for row in ANNOUNCEMENTS.values()}
    named = {word for causes in REFUSAL_CAUSES.values() for word in re.findall(r"\b[A-Z][A-Z_]+\b", causes)}
    assert named - set(by_name) - announced - OTHER_WORDS == set()
