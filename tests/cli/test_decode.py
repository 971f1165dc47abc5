"""Decode: every frame explained, everything else told why, whatever the input looks like."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from emulator.capture.explainer import Explainer, explain
from emulator.cli import main
from emulator.cli.decode import SNIFFED_BYTES, bytes_of_hex, form_of
from emulator.cli.decode_view import document_of, line_of
from emulator.cli.errors import UsageFailure
from emulator.vpump_decoder import VpumpDecoder

HELLO = "00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00"
STATUS = "00 08 10 07 01 02 ee ff c0 01 01 01 01 05 7f 1e 46 8a 00"
REFUSED = "00 08 11 08 03 84 ee ff c0 01 01 02 08 03 34 ff 01 01 01 01 01 05 2c 17 16 bb 00"
SECURED = "00 08 18 09 05 01 ee ff c0 04 34 12 02 04 7d e4 01 01 01 01 0d f7 4f 58 94 a3 e0 95 1e 32 30 f0 25 00"
EVENT = "000812010407eeffc00101021a050101a00f01021201010201022a010102110101063c0240420f051e55979500"


def decode(text: str | bytes, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["decode", *arguments], input=text)


def test_the_specifications_frames() -> None:
    hello, status, refused = explain(bytes_of_hex(HELLO + STATUS + REFUSED), VpumpDecoder())
    greeting, reading, refusal = (document_of(each) for each in (hello, status, refused))
    assert (greeting["name"], greeting["direction"]) == ("HELLO", "request")
    assert greeting["fields"] == {"major": 1, "minor": 0}
    assert (reading["name"], reading["txn"], reading["address"]) == ("STATUS", 7, "00C0FFEE")
    assert refusal["fields"] == {"nak": "auth_required", "field": 255, "element": 0, "detail": 0}
    assert [each.offset for each in (hello, status, refused)] == [0, 21, 40]


@pytest.mark.parametrize(
    "text",
    [
        HELLO,
        HELLO.replace(" ", ""),
        HELLO.upper().replace(" ", "\n"),
        "0x" + HELLO.replace(" ", ", 0x"),
        HELLO.replace(" ", ":"),
        f"# a greeting\n{HELLO[:30]} // its first half\n{HELLO[30:]} ; and the rest",
        "\\x" + HELLO.replace(" ", "\\x"),
    ],
)
def test_hex_may_look_as_it_likes(text: str) -> None:
    result = decode(text)
    assert result.exit_code == 0
    assert "HELLO" in result.stdout


def test_raw_bytes_are_known_for_raw() -> None:
    assert "STATUS" in decode(bytes.fromhex(STATUS)).stdout


def test_an_event_says_what_it_has() -> None:
    told = json.loads(decode(EVENT, "--json").stdout)
    assert (told["name"], told["direction"], told["txn"]) == ("EVENT", "event", 1)
    assert told["fields"] == {
        "stream_sequence": 257,
        "elapsed_s": 4_000,
        "changed": ["therapy", "alarm"],
        "log_epoch": 1,
        "log_last": 42,
        "fields": ["run_state", "reservoir"],
        "run_state": "stopped",
        "stop_reason": "empty_reservoir",
        "reservoir_nl": 1_000_000,
    }
    assert "None" not in decode(EVENT).stdout


def test_json_is_a_document_per_line() -> None:
    lines = decode(HELLO + STATUS, "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["HELLO", "STATUS"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HELLO.replace("47", "48"), "wrong CRC"),
        ("00 05 11 00", "COBS"),
        ("00 02 11 00", "shorter"),
        (HELLO[:-3], "unfinished"),
        ("00" + " 11" * 300, "without a delimiter"),
    ],
)
def test_what_is_no_frame_is_told_why(text: str, said: str) -> None:
    result = decode(text)
    assert result.exit_code == 0
    assert "rejected" in result.stdout
    assert said in result.stdout


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "hello", "00 0g", "001"])
def test_wrong_input_is_one_sentence(text: str) -> None:
    result = decode(text)
    assert result.exit_code == 2
    assert result.stderr.startswith("vpump: ")


def test_wrong_hex_names_its_line() -> None:
    with pytest.raises(UsageFailure, match="line 2: 'xyz'"):
        bytes_of_hex("00\nxyz")


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_explained_however_they_arrive(data: bytes, size: int) -> None:
    explainer = Explainer(VpumpDecoder())
    found = [each for start in range(0, len(data), size) for each in explainer.feed(data[start : start + size])]
    found += explainer.rest()
    assert found == explain(data, VpumpDecoder())
    for each in found:
        assert each.offset is not None
        assert data[each.offset : each.offset + len(each.raw)] == each.raw
        assert each.at is None or each.at < len(each.raw)
        assert line_of(each)
        json.dumps(document_of(each))


def test_a_secured_frame_is_a_good_one_that_only_its_keys_open() -> None:
    assert decode(SECURED).stdout.endswith(
        "request  KEEPALIVE txn=9 address=00C0FFEE  secured: session 1234, counter 1, 2 bytes  (its OPEN is not here)\n"
    )
    document = json.loads(decode(SECURED, "--json").stdout)
    assert (document["session"], document["counter"], document["fields"]) == ("1234", 1, None)
    assert "rejected" not in document
    assert "session" not in json.loads(decode(HELLO, "--json").stdout)


@pytest.mark.parametrize(
    ("head", "ended", "from_file", "form"),
    [
        (b"", False, False, "auto"),
        (b"", True, False, "hex"),
        (b"", True, True, "raw"),
        (b"\n\r", False, False, "auto"),
        (b"\n\r\r\n", False, True, "pcapng"),
        (b"\xd4\xc3\xb2\xa1", False, True, "pcapng"),
        (b"\xd4\xc3", True, True, "raw"),
        (b"00 02 10", False, False, "auto"),
        (b"00 02 10\n", False, False, "hex"),
        (b"00 02 10\nzz", False, True, "hex"),
        (b"hello\n", False, False, "hex"),
        (b"hello\n", False, True, "raw"),
        (b"0" * SNIFFED_BYTES, False, True, "hex"),
        (b"\x00", False, False, "raw"),
        (b"00 \xff", False, True, "raw"),
    ],
)
def test_what_an_input_is_its_first_bytes_tell(head: bytes, ended: bool, from_file: bool, form: str) -> None:
    assert form_of(head, ended=ended, from_file=from_file) == form


def test_hex_that_is_wrong_further_on_is_told_behind_what_was_right() -> None:
    result = decode(f"{HELLO}\nzz\n")
    assert result.exit_code == 2
    assert "HELLO" in result.stdout
    assert "line 2: 'zz' is no hex" in result.stderr


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has a file that nobody can read")
def test_an_input_that_cannot_be_read_is_one_sentence() -> None:
    # What lies at the beginning of a process's memory, nobody can read.
    result = CliRunner().invoke(main, ["decode", "/proc/self/mem"])
    assert result.exit_code == 2
    assert result.stderr == "vpump: the input cannot be read: Input/output error.\n"
