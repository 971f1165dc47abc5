"""Service 04, deliver: stop and start therapy; prepare, execute and cancel a bolus; the patient's own bolus."""

from __future__ import annotations

from typing import Final

from protocol.fields import complement_of, enum8, flags8, message, u16, u32
from protocol.messages.codes import BolusEndReason, BolusKind, OpFlag, OpState

OP_ID_MAX: Final = 0xFFFFFFFE
OP_ID_MEANING: Final = "the host's id of this intention"
THERAPY_REV_MEANING: Final = "the revision of a complete OP_LIST that the host has booked"
_NOT_SAID: Final = "; FFFFFFFF in a REPEATED answer"
_COMPLEMENT: Final = "volume_nl with every bit turned"


@message(extensible=True)
class OpAnswer:
    """What the answer to every command that carries an op id begins with."""

    op_id: int = u32(meaning="the command's op id")
    state: OpState = enum8(OpState, meaning="its outcome so far")
    flags: OpFlag = flags8(OpFlag, meaning="REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it")
    delivered_min_nl: int = u32(unit="nl", meaning="delivered at least")
    delivered_max_nl: int = u32(unit="nl", meaning="delivered at most")
    log_sequence: int = u32(meaning="the log record of this op")


@message(extensible=True)
class HaltAnswer(OpAnswer):
    """Also says what became of the bolus that the command ended."""

    target_op_id: int = u32(meaning="the op that was ended; 0 = none was running")
    target_min_nl: int = u32(unit="nl", meaning="it delivered at least")
    target_max_nl: int = u32(unit="nl", meaning="it delivered at most")
    target_reason: BolusEndReason = enum8(BolusEndReason, meaning="why it ended")


@message
class StopRequest:
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING + "; any is taken")


@message(extensible=True)
class StopAnswer(HaltAnswer):
    pass


@message
class StartRequest:
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING)


@message(extensible=True)
class StartAnswer(OpAnswer):
    pass


@message
class BolusPrepareRequest:
    kind: BolusKind = enum8(BolusKind, meaning="SINGLE, PRIMING or BRIDGE; the others begin otherwise")
    volume_nl: int = u32(unit="nl", meaning="the volume; PRIMING, BRIDGE: 0 = what the pump computes")
    volume_complement: int = complement_of("volume_nl", meaning=_COMPLEMENT)
    duration_s: int = u32(unit="s", meaning="over how long; PRIMING, BRIDGE: 0 = what the pump computes")


@message(extensible=True)
class BolusPrepareAnswer:
    bolus_id: int = u32(meaning="names the prepared bolus; never used again")
    volume_nl: int = u32(unit="nl", meaning="the volume in whole motor steps: EXECUTE quotes this one")
    duration_s: int = u32(unit="s", meaning="the duration")
    steps: int = u32(unit="steps", meaning="motor steps")
    lease_s: int = u16(unit="s", meaning="how long EXECUTE may take to come")
    available_nl: int = u32(unit="nl", meaning="the most that the limits would admit now")


@message
class BolusExecuteRequest:
    bolus_id: int = u32(meaning="of PREPARE's answer")
    volume_nl: int = u32(unit="nl", meaning="of PREPARE's answer")
    volume_complement: int = complement_of("volume_nl", meaning=_COMPLEMENT)
    duration_s: int = u32(unit="s", meaning="of PREPARE's answer")
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING)


@message(extensible=True)
class BolusExecuteAnswer(OpAnswer):
    bolus_id: int = u32(meaning="the bolus that runs")
    volume_nl: int = u32(unit="nl", meaning="its volume")
    duration_s: int = u32(unit="s", meaning="its duration")


@message
class BolusCancelRequest:
    bolus_id: int = u32(meaning="the bolus to end")
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING + "; any is taken")


@message(extensible=True)
class BolusCancelAnswer(HaltAnswer):
    pass


@message
class PatientBolusRequest:
    """Volume, duration and all that limits it are the program's."""

    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING)


@message(extensible=True)
class PatientBolusAnswer(OpAnswer):
    bolus_id: int = u32(meaning="the bolus that runs" + _NOT_SAID)
    volume_nl: int = u32(unit="nl", meaning="its volume" + _NOT_SAID)
    duration_s: int = u32(unit="s", meaning="its duration" + _NOT_SAID)
