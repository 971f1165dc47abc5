"""What stories of care ask for: a press, a refill, drugs; and a refusal that is expected, and time that passes."""

from typing import Any

from protocol.messages import deliver, link, routine
from protocol.refusals import OK, Nak
from tests.device.desk import SECOND, turned
from tests.device.hand_host import HandHost
from tests.device.pump_states import REFILL_NL, therapy_rev

NO_DRUG = routine.RefillDrug(name="", concentration_ng_per_ml=0)


def wait(host: HandHost, seconds: int) -> None:
    """Time passes, and the session is kept alive meanwhile."""
    for at in range(0, seconds, 100):
        host.device.advance(host.device.now_us + min(100, seconds - at) * SECOND)
        host.ask(link.KeepaliveRequest())


def nak(host: HandHost, message: object) -> Nak:
    """The refusal, which must be one."""
    return nak_of(host, host.request(message))


def nak_of(host: HandHost, wire: bytes) -> Nak:
    """The refusal of a frame, which must be one."""
    payload = host.opened(host.send(wire))
    assert payload[0] != OK, "it was granted"
    return Nak.decode(payload)


def press(host: HandHost, op_id: int) -> deliver.PatientBolusRequest:
    return deliver.PatientBolusRequest(op_id=op_id, therapy_rev=therapy_rev(host))


def refill(host: HandHost, refill_id: int, **values: Any) -> routine.RefillCommitRequest:
    volume_nl = values.pop("volume_nl", REFILL_NL)
    wanted = {
        "refill_id": refill_id,
        "measured_nl": 40_000,
        "volume_nl": volume_nl,
        "volume_complement": turned(volume_nl),
        "drugs": (NO_DRUG,) * routine.REFILL_DRUGS_MAX,
        "op_id": 3,
        "therapy_rev": therapy_rev(host),
    }
    return routine.RefillCommitRequest(**wanted | values)


def drugs(*used: tuple[str, int]) -> tuple[routine.RefillDrug, ...]:
    places = [routine.RefillDrug(name=name, concentration_ng_per_ml=concentration) for name, concentration in used]
    return (*places, *(NO_DRUG,) * (routine.REFILL_DRUGS_MAX - len(places)))
