"""What others have published about AES-CMAC, SP 800-108 and AES-CCM holds for the functions that we use."""

from collections.abc import Iterator, Mapping

import cryptography_vectors
import pytest
from cryptography.exceptions import InvalidTag

from protocol.channel import (
    COUNTER_MAX,
    COUNTER_SIZE,
    TAG_SIZE,
    CounterOld,
    Direction,
    Opener,
    Sealer,
    cipher_of,
    nonce_of,
)
from protocol.export.vectors import CHECK_VECTORS, VECTOR_KEYS
from protocol.frame import Flag, parse_body
from protocol.framing import CRC_SIZE
from protocol.keys import counter_mode
from tests.protocol.naive_cmac import naive_cmac

Case = Mapping[str, str]

# RFC 4493, section 4: one key, and the first 0, 16, 40 and 64 bytes of one message.
RFC_4493_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
RFC_4493_MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
RFC_4493 = [
    (0, "bb1d6929e95937287fa37d129b756746"),
    (16, "070a16b46b4d4144f79bdd9dd04a287c"),
    (40, "dfa66747de9ae63030ca32611497c827"),
    (64, "51f0bebf7e3b9d92fc49741779363cfe"),
]

# RFC 3610, section 8, packet vector 1: it has our sizes, a nonce of 13 bytes and a tag of 8.
RFC_3610_KEY = bytes(range(0xC0, 0xD0))
RFC_3610_NONCE = bytes.fromhex("00000003020100a0a1a2a3a4a5")
RFC_3610_SEALED = bytes.fromhex("588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0")


def cases(filename: str) -> Iterator[Case]:
    """The cases of a file of NIST's: `[name = value]` and what stands behind it, up to `Count`, hold for all below."""
    common: dict[str, str] = {}
    case: dict[str, str] | None = None
    with cryptography_vectors.open_vector_file(filename, "r") as lines:
        for line in (line.strip() for line in lines):
            if line.startswith("#") or "=" not in line:
                continue
            name, value = (part.strip() for part in line.strip("[]").split("=", 1))
            if case is not None and (line.startswith("[") or name.upper() == "COUNT"):
                yield case
                case = None
            if case is None and name.upper() == "COUNT":
                case = dict(common)
            (common if case is None else case)[name] = value
    if case is not None:
        yield case


def data(case: Case, name: str) -> bytes:
    return bytes.fromhex(case[name])


KDF_CASES = [
    case
    for case in cases("KDF/nist-800-108-KBKDF-CTR.txt")
    if (case["PRF"], case["CTRLOCATION"], case["RLEN"]) == ("CMAC_AES128", "MIDDLE_FIXED", "8_BITS")
]
CCM_CASES = [case for case in cases("ciphers/AES/CCM/VTT128.rsp") if case["Nlen"] == "13"]
CCM_OF_OUR_TAG = [case for case in CCM_CASES if int(case["Tlen"]) == TAG_SIZE]
CCM_OF_LONGER_TAGS = [case for case in CCM_CASES if int(case["Tlen"]) > TAG_SIZE]


def test_the_files_hold_what_these_tests_are_about() -> None:
    assert len(KDF_CASES) == 40
    assert {int(case["L"]) for case in KDF_CASES} > {128}
    assert len(CCM_OF_OUR_TAG) == 10
    assert len(CCM_OF_LONGER_TAGS) == 40


@pytest.mark.parametrize(("length", "mac"), RFC_4493)
def test_the_cmac_that_measures_ours_meets_rfc_4493(length: int, mac: str) -> None:
    assert naive_cmac(RFC_4493_KEY, RFC_4493_MESSAGE[:length]).hex() == mac


def test_the_cmac_that_measures_ours_meets_sp_800_38b() -> None:
    published = list(cases("CMAC/nist-800-38b-aes128.txt"))
    assert len(published) == 4
    for case in published:
        assert naive_cmac(data(case, "KEY"), data(case, "MESSAGE")) == data(case, "OUTPUT")


@pytest.mark.parametrize("case", KDF_CASES, ids=lambda case: f"L{case['L']}-{case['COUNT']}")
def test_the_derivation_meets_the_vectors_of_sp_800_108(case: Case) -> None:
    before, after = data(case, "DataBeforeCtrData"), data(case, "DataAfterCtrData")
    assert counter_mode(data(case, "KI"), before, after, int(case["L"]) // 8) == data(case, "KO")


def nonce_as_of_a_session(nonce: bytes) -> bytes:
    """The nonce, put together anew by our own rule from the parts that a session would have had."""
    salt, rest = nonce[:-COUNTER_SIZE], int.from_bytes(nonce[-COUNTER_SIZE:], "big")
    return nonce_of(salt, Direction(rest >> 39), rest & COUNTER_MAX)


@pytest.mark.parametrize("case", CCM_OF_OUR_TAG, ids=lambda case: case["Count"])
def test_the_cipher_meets_nists_vectors_and_refuses_every_flipped_bit_of_them(case: Case) -> None:
    cipher, nonce = cipher_of(data(case, "Key")), nonce_as_of_a_session(data(case, "Nonce"))
    assert nonce == data(case, "Nonce")
    sealed, header = data(case, "CT"), data(case, "Adata")
    assert cipher.encrypt(nonce, data(case, "Payload"), header) == sealed
    assert cipher.decrypt(nonce, sealed, header) == data(case, "Payload")
    both = sealed + header
    for bit in range(len(both) * 8):
        flipped = bytearray(both)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, bytes(flipped[: len(sealed)]), bytes(flipped[len(sealed) :]))


@pytest.mark.parametrize("case", CCM_OF_LONGER_TAGS, ids=lambda case: f"T{case['Tlen']}-{case['Count']}")
def test_a_published_tag_of_another_length_is_refused_whole_and_cut_to_ours(case: Case) -> None:
    sealed = data(case, "CT")
    for wrong in (sealed, sealed[: int(case["Plen"]) + TAG_SIZE]):
        with pytest.raises(InvalidTag):
            cipher_of(data(case, "Key")).decrypt(data(case, "Nonce"), wrong, data(case, "Adata"))


def test_the_cipher_meets_rfc_3610() -> None:
    cipher = cipher_of(RFC_3610_KEY)
    sealed = cipher.encrypt(nonce_as_of_a_session(RFC_3610_NONCE), bytes(range(8, 31)), bytes(range(8)))
    assert sealed == RFC_3610_SEALED


REQUEST, ANSWER = (vector for vector in CHECK_VECTORS if parse_body(vector.body[:-CRC_SIZE]).sealed)


def test_the_secured_check_vectors_are_sealed_to_the_byte() -> None:
    sealed = Sealer(VECTOR_KEYS, Direction.HOST_TO_PUMP).seal(
        opcode=0x0105, txn=9, address=0x00C0FFEE, session_id=0x1234, payload=b"\xaa\x55"
    )
    assert sealed.to_wire() == REQUEST.wire
    answered = Sealer(VECTOR_KEYS, Direction.PUMP_TO_HOST).seal(
        opcode=0x0105, txn=9, address=0x00C0FFEE, session_id=0x1234, payload=b"\x0f", flags=Flag.RESP
    )
    assert answered.to_wire() == ANSWER.wire


def test_the_secured_check_vectors_are_opened_once() -> None:
    for vector, direction, payload in (
        (REQUEST, Direction.HOST_TO_PUMP, b"\xaa\x55"),
        (ANSWER, Direction.PUMP_TO_HOST, b"\x0f"),
    ):
        opener = Opener(VECTOR_KEYS, direction)
        frame = parse_body(vector.body[:-CRC_SIZE])
        assert opener.open(frame) == payload
        assert opener.last == 1
        with pytest.raises(CounterOld):
            opener.open(frame)
