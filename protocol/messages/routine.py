"""Service 09, routine: the self-test, and a refill from the computed content to the new one."""

from __future__ import annotations

from typing import Final

from protocol.fields import complement_of, flags8, message, places, text, u32
from protocol.messages.codes import SelfTestPart
from protocol.messages.deliver import OP_ID_MAX, OP_ID_MEANING, THERAPY_REV_MEANING, OpAnswer

REFILL_DRUGS_MAX: Final = 5


@message
class SelftestRequest:
    pass


@message(extensible=True)
class SelftestAnswer:
    failed: SelfTestPart = flags8(SelfTestPart, meaning="what failed; 0 = all is well; unknown bits are to be shown")


@message
class RefillBeginRequest:
    pass


@message(extensible=True)
class RefillBeginAnswer:
    refill_id: int = u32(meaning="names this refill; an older one, of any session, is void")
    computed_nl: int = u32(unit="nl", meaning="what the reservoir should hold, to compare with what is withdrawn")


@message
class RefillDrug:
    """A place for a drug; an empty name with concentration 0 is an empty place."""

    name: str = text(16, meaning="the drug")
    concentration_ng_per_ml: int = u32(unit="ng/mL", meaning="its concentration in what was filled in")


@message
class RefillCommitRequest:
    refill_id: int = u32(meaning="of REFILL_BEGIN's answer")
    measured_nl: int = u32(unit="nl", meaning="what was withdrawn")
    volume_nl: int = u32(unit="nl", meaning="what the reservoir holds now")
    volume_complement: int = complement_of("volume_nl", meaning="volume_nl with every bit turned")
    drugs: tuple[RefillDrug, ...] = places(
        RefillDrug, REFILL_DRUGS_MAX, meaning="used places first; all empty = not said"
    )
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING)


@message(extensible=True)
class RefillCommitAnswer(OpAnswer):
    pass
