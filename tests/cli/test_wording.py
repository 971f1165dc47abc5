"""How messages read: JSON under the wire's names, and refusals as sentences with limits in units."""

import json

import pytest

from emulator.cli.wording import (
    aligned,
    document_of,
    document_of_record,
    in_peoples_units,
    names_of,
    refusal_sentence,
    summary_of,
)
from protocol.messages.alarm import AlarmAckRequest
from protocol.messages.codes import BolusKind, Marks, Role
from protocol.messages.deliver import BolusPrepareRequest, StartRequest
from protocol.messages.link import HelloAnswer
from protocol.messages.log import LogRecord
from protocol.refusals import Nak, NakCode

PREPARE = BolusPrepareRequest(
    kind=BolusKind.SINGLE, volume_nl=50_000_000, volume_complement=50_000_000 ^ 0xFFFFFFFF, duration_s=180
)


def test_serial_numbers_hashes_flags_and_enumerations_in_json() -> None:
    hello = HelloAnswer.__new__(HelloAnswer)
    for name, value in {"serial_number": 0xC0FFEE, "firmware_hash": b"\x01" * 8, "marks": Marks(5)}.items():
        object.__setattr__(hello, name, value)
    for name in ("major", "minor", "max_payload"):
        object.__setattr__(hello, name, 1)
    object.__setattr__(hello, "capabilities", Marks(0))
    object.__setattr__(hello, "model", "X")
    document = json.loads(json.dumps(document_of(hello)))
    assert document["serial_number"] == "00C0FFEE"
    assert document["firmware_hash"] == "01" * 8
    assert document["marks"] == ["emulator", "insecure"]
    assert document_of(PREPARE)["kind"] == "single"


def test_a_bit_of_a_later_version_is_shown_as_a_number() -> None:
    assert names_of(Marks(0x81)) == ["emulator", "0x80"]


@pytest.mark.parametrize(
    ("nak", "request_", "said"),
    [
        (Nak(NakCode.ABOVE_MAXIMUM, 1, 0, 1_000_000), PREPARE, "volume_nl is 50 mL, the maximum: 1 mL"),
        (Nak(NakCode.BELOW_MINIMUM, 3, 0, 60), PREPARE, "duration_s is 3min, the minimum: 1min"),
        (Nak(NakCode.LOCKOUT, detail=1_800), PREPARE, "seconds left: 30min"),
        (Nak(NakCode.RESERVOIR, 1, 0, 30_000), PREPARE, "nl left: 30 uL"),
        (Nak(NakCode.WINDOW_DOSE_LIMIT, detail=0), PREPARE, "nl available now: 0 nL"),
        (Nak(NakCode.UNRESOLVED, 0xFF, 3, 7), StartRequest(op_id=1, therapy_rev=1), "vpump op"),
        (Nak(NakCode.RANGE, 0, 0, 1_007), StartRequest(op_id=9_000, therapy_rev=1), "op_id is 9000, the limit"),
    ],
)
def test_a_refusal_names_the_limit_in_units(nak: Nak, request_: object, said: str) -> None:
    sentence = refusal_sentence(nak, request_)
    assert said in sentence
    assert nak.code.name in sentence
    assert sentence.endswith(".")


def test_a_role_that_is_not_enough_is_named_beside_the_one_that_is() -> None:
    nak = Nak(NakCode.ROLE)
    assert refusal_sentence(nak, PREPARE, Role.PATIENT) == (
        "role patient may not do BOLUS_PREPARE (ROLE); that needs role clinician, see --role."
    )
    assert "needs role patient or clinician" in refusal_sentence(nak, AlarmAckRequest(instance=1), Role.READER)
    assert "this role may not do that" in refusal_sentence(nak, PREPARE)


@pytest.mark.parametrize("code", list(NakCode))
@pytest.mark.parametrize("field", [0, 3, 200, 0xFF])
def test_every_refusal_is_one_sentence(code: NakCode, field: int) -> None:
    assert "\n" not in refusal_sentence(Nak(code, field, 1, 0xFFFFFFFF), PREPARE)


def test_a_record_of_an_unknown_type_or_with_wrong_data_is_hex() -> None:
    for type_, name in ((0x0777, "type 0777"), (0x0104, "bolus_ended")):
        record = LogRecord(
            sequence=1,
            epoch=1,
            boot=1,
            elapsed_s=0,
            rtc_unix_s=0,
            type=type_,
            flags=0,
            data_length=2,
            op_id=0,
            data=b"\xff" * 20,
        )
        document = document_of_record(record)
        assert (document["type"], document["data"]) == (name, "ffff")


def test_a_summary_leaves_out_what_only_repeats() -> None:
    assert summary_of(PREPARE) == "kind=single volume_nl=50 mL duration_s=3min"


def test_the_programmers_sentences_get_units() -> None:
    assert in_peoples_units("delivered 2500 nl of 50000 nl over 600 s.") == "delivered 2.5 uL of 50 uL over 10min."


def test_columns_stand_under_each_other() -> None:
    assert aligned([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]
