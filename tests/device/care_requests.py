"""What stories of care ask for: a press, a refill, drugs; and a self-test; a refusal that is expected, and time."""

from typing import Any

from protocol.fields import decode
from protocol.messages import codes, deliver, link, routine
from protocol.refusals import OK, Nak, NakCode
from tests.device.desk import SECOND, frames_in, turned
from tests.device.hand_host import HandHost
from tests.device.pump_states import REFILL_NL, therapy_rev
from tests.firmware_model.pump_profiles import LONG_LOG

NO_DRUG = routine.RefillDrug(name="", concentration_ng_per_ml=0)


def wait(host: HandHost, seconds: int) -> None:
    """Time passes, and the session is kept alive meanwhile."""
    for at in range(0, seconds, 100):
        host.device.advance(host.device.now_us + min(100, seconds - at) * SECOND)
        host.ask(link.KeepaliveRequest())


def self_tested(host: HandHost) -> codes.SelfTestPart:
    """What failed in a self-test, for which the host has waited: the pump first says PENDING."""
    assert nak(host, routine.SelftestRequest()) == Nak(NakCode.PENDING)
    host.device.advance(host.device.now_us + LONG_LOG.supervisor.self_test_s * SECOND)
    payload = host.opened(frames_in(host.device.data_to_send(host.device.now_us)))
    assert payload[0] == OK, Nak.decode(payload)
    return decode(routine.SelftestAnswer, payload[1:]).failed


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
