"""What a stranger, a wrong key, an old session and a careless host are told: every refusal that no pump state makes."""

from __future__ import annotations

from emulator.inputs import CutPower, RestorePower
from protocol.access import PumpState
from protocol.fields import encode
from protocol.frame import Frame
from protocol.messages.alarm import AlarmAckRequest
from protocol.messages.codes import Role
from protocol.messages.deliver import BolusPrepareRequest, StopRequest
from protocol.messages.link import AuthRequest
from protocol.messages.operations import by_name
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import StatusRequest
from protocol.refusals import Nak, NakCode
from tests.device.care_requests import nak, nak_of
from tests.device.desk import HOST_ID, SECOND, new_device, prepare, turned
from tests.device.hand_host import HandHost
from tests.device.pump_states import BOLUS_NL, BOLUS_S, host_of
from tests.device.refusal_story import Told, story
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import STATUS, TIME_READ, PumpLine

STRANGER = 0x0BAD
LAST_TXN = 77


def clinician(state: PumpState = PumpState.RUNNING) -> HandHost:
    return host_of(state, Role.CLINICIAN)


def guess(host: HandHost) -> Nak:
    """OPEN, and then a cryptogram that was guessed; whichever of them is refused."""
    answer = host.open(host.wanted())
    if isinstance(answer, Nak):
        return answer
    host.auth_request = AuthRequest(host_cryptogram=b"a guess!")
    refused = host.auth()
    assert isinstance(refused, Nak)
    return refused


@story(NakCode.UNKNOWN_SERVICE)
def test_a_host_of_a_later_version_asks_for_a_service_that_this_pump_never_heard_of() -> Told:
    host = clinician()
    return nak_of(host, host.opcode(0x4201, b"\x01\x02\x03")), Nak(NakCode.UNKNOWN_SERVICE)


@story(NakCode.UNKNOWN_OP)
def test_a_host_of_a_later_version_asks_for_a_new_operation_of_a_service_that_there_is() -> Told:
    host = clinician()
    return nak_of(host, host.opcode(0x0407, b"")), Nak(NakCode.UNKNOWN_OP)


@story(NakCode.FORMAT)
def test_a_host_prepares_a_bolus_of_a_kind_that_there_is_not() -> Told:
    host = clinician()
    payload = b"\x34" + encode(prepare(BOLUS_NL, BOLUS_S))[1:]
    return nak_of(host, host.opcode(0x0403, payload)), Nak(NakCode.FORMAT, field=0)


@story(NakCode.FORMAT)
def test_a_host_sends_a_stop_that_is_cut_off_within_its_revision() -> Told:
    host = clinician()
    payload = encode(StopRequest(op_id=3, therapy_rev=0))
    return nak_of(host, host.opcode(0x0401, payload[:-1])), Nak(NakCode.FORMAT, field=1)


@story(NakCode.REDUNDANCY_MISMATCH)
def test_a_host_asks_for_ten_times_the_volume_and_its_complement_gives_it_away() -> Told:
    host = clinician()
    wanted = BolusPrepareRequest(
        kind=prepare(1, 1).kind, volume_nl=BOLUS_NL * 10, volume_complement=turned(BOLUS_NL), duration_s=BOLUS_S
    )
    payload = bytes((wanted.kind,)) + b"".join(
        number.to_bytes(4, "little") for number in (wanted.volume_nl, wanted.volume_complement, wanted.duration_s)
    )
    return nak_of(host, host.opcode(0x0403, payload)), Nak(NakCode.REDUNDANCY_MISMATCH, field=2)


@story(NakCode.SEQUENCE)
def test_a_host_has_lost_count_and_is_told_where_the_pump_stands() -> Told:
    host = clinician()
    host.txns[True] = LAST_TXN - 1
    host.ask(StatusRequest())
    host.txns[True] = LAST_TXN + 5
    return nak(host, TimeReadRequest()), Nak(NakCode.SEQUENCE, detail=LAST_TXN)


@story(NakCode.PENDING)
def test_an_impatient_host_asks_again_what_a_slow_pump_has_not_answered_yet() -> Told:
    host = Host(PumpLine(insecure=False)).connect()
    host.send(TIME_READ, 5)
    host.send(TIME_READ, 5)
    ((_, told),) = host.replies()
    assert isinstance(told, Nak)
    return told, Nak(NakCode.PENDING)


@story(NakCode.BUSY)
def test_an_impatient_host_asks_for_something_else_before_a_slow_pump_has_answered() -> Told:
    host = Host(PumpLine(insecure=False)).connect()
    host.send(TIME_READ, 5)
    host.send(STATUS, 6)
    ((_, told),) = host.replies()
    assert isinstance(told, Nak)
    return told, Nak(NakCode.BUSY)


@story(NakCode.AUTH_REQUIRED)
def test_somebody_without_a_key_wants_the_pump_to_stop() -> Told:
    stranger = host_of(PumpState.RUNNING, None)
    return nak(stranger, StopRequest(op_id=1, therapy_rev=0)), Nak(NakCode.AUTH_REQUIRED)


@story(NakCode.ROLE)
def test_a_patient_wants_to_stop_his_pump() -> Told:
    patient = host_of(PumpState.RUNNING, Role.PATIENT)
    return nak(patient, StopRequest(op_id=1, therapy_rev=0)), Nak(NakCode.ROLE)


@story(NakCode.KEY)
def test_somebody_guesses_the_clinicians_key() -> Told:
    return guess(host_of(PumpState.RUNNING, None)), Nak(NakCode.KEY)


@story(NakCode.ATTEMPTS)
def test_the_fifth_guess_costs_him_fifteen_seconds() -> Told:
    guesser = host_of(PumpState.RUNNING, None)
    assert [guess(guesser).code for _ in range(4)] == [NakCode.KEY] * 4
    return guess(guesser), Nak(NakCode.ATTEMPTS, detail=15)


@story(NakCode.DELAY)
def test_he_does_not_wait_and_is_told_how_long_he_should_have() -> Told:
    guesser = host_of(PumpState.RUNNING, None)
    for _ in range(5):
        guess(guesser)
    guesser.device.advance(guesser.device.now_us + 6 * SECOND)
    return guess(guesser), Nak(NakCode.DELAY, detail=9)


@story(NakCode.CONDITIONS)
def test_a_host_answers_a_challenge_that_it_was_never_given() -> Told:
    stranger = host_of(PumpState.RUNNING, None)
    return nak(stranger, AuthRequest(host_cryptogram=bytes(8))), Nak(NakCode.CONDITIONS)


@story(NakCode.NO_SUCH_SESSION)
def test_the_power_went_and_with_it_the_session_that_the_host_still_believes_in() -> Told:
    host = clinician()
    host.device.control(CutPower(), host.device.now_us)
    host.device.control(RestorePower(), host.device.now_us)
    (answer,) = host.send(host.sealed(StatusRequest()))
    return Nak.decode(answer.payload), Nak(NakCode.NO_SUCH_SESSION)


@story(NakCode.BUSY_OTHER_HOST)
def test_a_second_clinician_finds_the_place_taken_and_learns_by_whom() -> Told:
    first = HandHost(new_device(insecure=False)).open_line().connect()
    second = HandHost(first.device, host_id=STRANGER, port=1).open_line()
    second.open(second.wanted())
    refused = second.auth()
    assert isinstance(refused, Nak)
    return refused, Nak(NakCode.BUSY_OTHER_HOST, detail=HOST_ID)


def test_a_refused_request_is_refused_in_the_same_words_when_it_comes_again() -> None:
    host = clinician()
    first = host.opened(host.send(host.sealed(AlarmAckRequest(instance=9))))
    host.txns[True] -= 1
    assert host.opened(host.send(host.sealed(AlarmAckRequest(instance=9)))) == first


def test_a_refusal_on_the_wire_is_eight_bytes_that_were_written_down_by_hand() -> None:
    stranger = host_of(PumpState.RUNNING, None)
    opcode = by_name["STOP"].opcode
    frame = Frame(opcode=opcode, txn=8, address=stranger.device.serial_number, payload=bytes(8))
    (answer,) = stranger.send(frame.to_wire())
    assert (answer.opcode, answer.txn, answer.payload.hex(" ")) == (opcode, 8, "34 ff 00 00 00 00 00 00")
