"""Decode of captures: ours and those of others, sealed or not, whole or broken, and what is wrong with them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from emulator.capture.pcapng import Flow, Packet
from emulator.cli import main
from emulator.keyfile import write_key_file
from protocol import keys
from protocol.frame import Frame
from protocol.framing import StreamReader, encode_wire
from protocol.keys import RoleKeys
from protocol.messages.codes import Role
from protocol.messages.op import OpListRequest
from tests.capture.foreign_blocks import Writer
from tests.capture.recorded_sessions import a_session, capture_of, recorded
from tests.device.desk import SERIAL, Desk, new_device

HELLO = bytes.fromhex("000210070101ffffffff01020202010547b8454200")
STATUS = bytes.fromhex("000810070102eeffc001010101057f1e468a00")
OWN = RoleKeys(MappingProxyType({role: bytes((role,)) * 16 for role in Role}))
DAY_US = 86_400_000_000


def decode(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["decode", *map(str, arguments)], input=stdin)


def documents(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


A_CAPTURE = capture_of(a_session())


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    path = tmp_path / "pump.pcapng"
    path.write_bytes(A_CAPTURE)
    return path


def test_a_captured_session_is_opened_with_the_published_keys(session_file: Path) -> None:
    result = decode(session_file)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "     1  0d 00:01:00.000000  port 0  ->  request  HELLO txn=1 address=00C0FFEE  major=1 minor=0"
    )
    text = result.stdout
    assert (
        "->  request  BOLUS_EXECUTE txn=3 address=00C0FFEE session=0001 counter=3  bolus_id=1 volume_nl=50 uL" in text
    )
    assert "->  request  BOLUS_EXECUTE retry txn=3 address=00C0FFEE session=0001 counter=4" in text
    assert "! injected fault: drop answer BOLUS_EXECUTE nth=1 count=1 (the frame is lost on its way)" in text
    assert text.count("answer   BOLUS_EXECUTE") == 2
    assert "secured:" not in text
    assert "rejected" not in text


def test_each_frame_is_a_document(session_file: Path) -> None:
    first, *_, last = documents(decode(session_file, "--json"))
    assert (first["packet"], first["at_us"], first["port"], first["port_name"]) == (1, 60_000_000, 0, "pty")
    assert (first["flow"], first["name"], first["fields"]) == ("inbound", "HELLO", {"major": 1, "minor": 0})
    assert (last["name"], last["direction"], last["fields"], last["session"]) == ("CLOSE", "answer", {}, "0001")
    assert (last["role"], last["host_id"]) == ("clinician", "00000C11")
    assert "session ended" in last["comments"][0]


def test_a_table_of_fields_for_each_frame(session_file: Path) -> None:
    lines = decode(session_file, "-v").stdout.splitlines()
    at = next(at for at, line in enumerate(lines) if "request  BOLUS_PREPARE" in line)
    *table, tag, crc32 = [line.split(maxsplit=2) for line in lines[at + 1 : at + 16]]
    assert table == [
        ["offset", "field", "value"],
        ["0", "version", "1"],
        ["0", "flags", "0x8 secured"],
        ["1", "txn", "2"],
        ["2", "opcode", "0403"],
        ["4", "address", "00C0FFEE"],
        ["8", "session", "id         0001"],
        ["10", "length", "13 bytes"],
        ["12", "kind", "0x33 single"],
        ["13", "volume_nl", "50000 nl (50 uL)"],
        ["17", "volume_complement", "4294917295"],
        ["21", "duration_s", "300 s (5min)"],
        ["25", "counter", "2"],
    ]
    assert (tag[:2], crc32[:2]) == (["30", "tag"], ["38", "crc32"])
    rows = documents(decode(session_file, "-v", "--json"))[0]["rows"]
    assert {"offset": 12, "name": "major", "value": "1", "unit": ""} in rows


def test_a_pump_with_keys_of_its_own_is_opened_with_its_key_file_only(tmp_path: Path) -> None:
    capture, key_file = tmp_path / "pump.pcapng", tmp_path / "keys.toml"
    capture.write_bytes(capture_of(a_session(OWN)))
    write_key_file(key_file, {SERIAL: OWN, 7: keys.test_keys(7)})
    opened, sealed = decode(capture, "--keys", key_file), decode(capture)
    assert "secured:" not in opened.stdout
    assert "BOLUS_EXECUTE txn=3 address=00C0FFEE session=0001 counter=3  bolus_id=1" in opened.stdout
    assert "(no key that is given here fits for role clinician of pump 00C0FFEE)" in sealed.stdout
    assert "secured: session 0001, counter 3, " in sealed.stdout
    for key in OWN.of_role.values():
        assert key not in capture.read_bytes()
        assert key.hex() not in opened.output + sealed.output
    by_environment = CliRunner().invoke(main, ["decode", str(capture)], env={"VPUMP_KEYS": str(key_file)})
    assert by_environment.stdout == opened.stdout
    key_file.chmod(0o644)
    assert decode(capture, "--keys", key_file).exit_code == 2


def test_a_frame_that_came_twice_one_that_was_changed_and_one_that_is_missing() -> None:
    packets = a_session()
    execute_request = next(
        at for at, packet in enumerate(packets) if packet.comments and "injected" in packet.comments[0]
    )
    request = packets[execute_request - 1]
    changed = replace(request, data=_with_a_turned_payload_bit(request.data))
    result = decode(stdin=capture_of([*packets[: execute_request + 3], request, changed, packets[-1]]))
    said = result.stdout.splitlines()
    assert "rejected: counter 3 is not above 4: a copy of an earlier frame" in result.stdout
    assert "rejected: the tag does not verify: a changed frame, or another session's" in result.stdout
    assert any("CLOSE" in line and "1 of this session's frames before it are missing" in line for line in said)


def _with_a_turned_payload_bit(wire: bytes) -> bytes:
    (piece,) = StreamReader().feed(wire)
    assert piece.body is not None
    return encode_wire(piece.body[:14] + bytes((piece.body[14] ^ 1,)) + piece.body[15:])


def test_a_capture_that_began_too_late_stays_sealed_and_says_why() -> None:
    packets = a_session()
    result = decode(stdin=capture_of(packets[4:]))
    assert result.stdout.count("(its OPEN is not here)") == len(packets) - 5
    result = decode(stdin=capture_of(packets[2:]))
    assert "HELLO's answer is not here, and session keys depend on it" in result.stdout


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            bytes.fromhex("00151100"),
            "rejected: broken COBS coding: code 15 says that 20 bytes follow, and 1 do (byte 1)",
        ),
        (
            STATUS[:14] + b"\x7e" + STATUS[15:],
            "rejected: wrong CRC: 7e 1e 46 8a, and what is before it has 7f 1e 46 8a (byte 14)",
        ),
        (
            bytes.fromhex("00021100"),
            "rejected: shorter than a frame: 1 bytes, and a frame has 16 at least (byte 3)",
        ),
    ],
)
def test_what_is_wrong_and_at_which_byte(data: bytes, words: str) -> None:
    packet = Packet(interface=1, at_us=0, data=data, flow=Flow.INBOUND, comments=("rejected: told by the pump",))
    result = decode(stdin=capture_of([packet]))
    assert result.stdout == (
        f"     1  0d 00:00:00.000000  port 1  ->  {words}  {data.hex(' ')}\n        ! rejected: told by the pump\n"
    )
    (document,) = documents(decode("--json", stdin=capture_of([packet])))
    assert document["rejected"] == words.removeprefix("rejected: ").rpartition(" (byte")[0]
    assert document["at"] == int(words.rpartition(" ")[2].rstrip(")"))


def test_the_one_bit_that_would_mend_it_is_named_when_all_is_asked_for() -> None:
    wrong = STATUS[:14] + b"\x7e" + STATUS[15:]
    assert "byte 14 as 7f instead of 7e would make it a frame" in decode("-v", "--format", "raw", stdin=wrong).stdout


def test_what_no_version_knows_and_what_a_field_may_not_hold() -> None:
    strange = Frame(opcode=0x0777, txn=1, address=SERIAL, payload=b"abc").to_wire()
    behind = Frame(opcode=0x0101, txn=1, address=SERIAL, payload=b"\1\0later").to_wire()
    no_role = Frame(opcode=0x0102, txn=1, address=SERIAL, payload=b"\x09" + bytes(13)).to_wire()
    result = decode("-v", "--format", "raw", stdin=strange + behind + no_role)
    assert "0777 txn=1 address=00C0FFEE  rejected: unknown operation (byte 4)" in result.stdout
    assert "major=1 minor=0  (5 bytes behind the last field that is known here: 6c 61 74 65 72)" in result.stdout
    assert "behind the last known field  6c 61 74 65 72" in result.stdout
    assert (
        "rejected: no OpenRequest: role: allowed is Role: READER (0x1), PATIENT (0x2), CLINICIAN (0x3) (byte 14)"
        in (result.stdout)
    )


@pytest.mark.parametrize("writer", [Writer("little"), Writer("big")])
def test_a_capture_of_another_program_with_other_blocks_and_a_date(writer: Writer) -> None:
    inbound, outbound = ((2, writer.pack("I", flow)) for flow in (1, 2))
    stream = writer.section() + writer.block(0x0BAD, bytes(40)) + writer.interface(((2, b"ttyS0"), (9, b"\x09")))
    stream += writer.enhanced(HELLO[:9], 1_800_000_000_123_456_789, (inbound,)) + writer.block(5, bytes(12))
    stream += writer.enhanced(STATUS, 1_800_000_000_200_000_000, (outbound,))
    stream += writer.enhanced(HELLO[9:], 1_800_000_001_000_000_000, (inbound,)) + writer.simple(STATUS)
    result = decode(stdin=stream)
    assert result.exit_code == 0
    assert [line.partition(" txn")[0] for line in result.stdout.splitlines()] == [
        "     2  2027-01-15 08:00:00.200000Z  port 0  ->  request  STATUS",
        "     3  2027-01-15 08:00:01.000000Z  port 0  ->  request  HELLO",
        "     4  no time  port 0  ->  request  STATUS",
    ]


def test_frames_that_a_serial_sniffer_has_cut_into_packets() -> None:
    whole = HELLO + STATUS
    packets = [Packet(interface=0, at_us=at, data=whole[at : at + 7]) for at in range(0, len(whole), 7)]
    lines = decode(stdin=capture_of(packets)).stdout.splitlines()
    assert [(line.split()[0], "HELLO" in line) for line in lines] == [("3", True), ("6", False)]


def test_a_comment_on_a_packet_that_ends_no_frame_is_told_too() -> None:
    packet = Packet(interface=0, at_us=5, data=HELLO[:4], comments=("half of it",))
    result = decode(stdin=capture_of([packet]))
    assert result.stdout.splitlines() == [
        "     1  0d 00:00:00.000005  port 0  --  no end of a frame yet:  00 02 10 07",
        "        ! half of it",
        "     1  0d 00:00:00.000005  port 0  --  rejected: unfinished: 4 bytes without a final 00  00 02 10 07",
    ]


def test_packets_that_are_missing_and_bytes_that_are_missing_are_told() -> None:
    writer = Writer()
    lost = (4, writer.pack("Q", 7))
    stream = writer.section() + writer.interface(snap_bytes=9) + writer.enhanced(HELLO[:9], 1, (lost,), missing=12)
    result = decode(stdin=stream)
    assert "! 7 packets before this one were not captured" in result.stdout
    assert "! 12 more bytes of this packet were not captured" in result.stdout


def test_interfaces_that_are_no_lines_are_left_out_and_named_once() -> None:
    writer = Writer()
    stream = writer.section() + writer.interface(((2, b"eth0"),), link_type=1) + writer.interface(link_type=150)
    stream += 3 * writer.enhanced(b"no frame", 1) + writer.enhanced(HELLO, 2, interface=1)
    result = decode(stdin=stream)
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == (
        "vpump: interface 0 (eth0) has link type 1, and a line is captured as one of 147 to 162; its packets are left "
        "out.\n"
    )


def test_a_capture_that_ends_early_is_told_behind_all_that_it_holds(session_file: Path) -> None:
    whole = session_file.read_bytes()
    session_file.write_bytes(whole[:-10])
    result = decode(session_file)
    assert result.exit_code == 2
    assert len([line for line in result.stdout.splitlines() if "port 0" in line and "!" not in line]) > 5
    assert result.stderr.startswith("vpump: the capture is broken at offset ")
    assert "the file ends within a block, after" in result.stderr


@pytest.mark.parametrize(
    ("stdin", "arguments", "words"),
    [
        (b"", ["--format", "pcapng"], "the file is empty; a capture begins with a section header"),
        (bytes.fromhex("d4c3b2a1") + bytes(20), [], "this is the older pcap; make pcapng of it with"),
        (b"\n\r\r\n" + bytes(20), [], "the byte-order magic is 00000000; allowed are 1a2b3c4d and 4d3c2b1a"),
        (b"\n\r", ["--format", "pcapng"], "the file ends within a block, after 2 of its bytes"),
    ],
)
def test_what_is_no_capture_is_one_sentence(stdin: bytes, arguments: list[str], words: str) -> None:
    result = decode(*arguments, stdin=stdin)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("at_us", "text"), [(0, "0d 00:00:00.000000"), (4_000 * DAY_US + 1, "4000d 00:00:00.000001")])
def test_virtual_time(at_us: int, text: str) -> None:
    packet = Packet(interface=0, at_us=at_us, data=HELLO)
    assert decode(stdin=capture_of([packet])).stdout.startswith(f"     1  {text}  port 0")


def test_a_time_beyond_all_calendars_is_a_number() -> None:
    packet = Packet(interface=0, at_us=2**63, data=HELLO)
    assert f"  {2**63} us  port 0" in decode(stdin=capture_of([packet])).stdout


def test_a_session_in_hex_and_in_raw_bytes_is_opened_too() -> None:
    stream = b"".join(packet.data for packet in a_session())
    assert decode(stdin=stream.hex(" ").encode()).stdout == decode("--format", "raw", stdin=stream).stdout
    assert "session=0001 counter=3  bolus_id=1" in decode(stdin=stream).stdout


def test_the_page_of_a_list() -> None:
    desk = Desk(new_device())
    desk.open()
    desk.ask(OpListRequest(page=0))
    result = decode("-v", stdin=capture_of(recorded(desk.device)))
    assert "ops.count" in result.stdout


def test_the_examples_of_the_manual_are_what_is_said() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "captures.md").read_text()
    body = bytes.fromhex("10070102eeffc00000000000")
    wrong = [
        STATUS[:1] + b"\x15" + STATUS[2:],
        STATUS[:14] + b"\x7e" + STATUS[15:],
        encode_wire(body[:10] + b"\3\0"),
        encode_wire(body[:3] + b"\x82" + body[4:]),
        Frame(opcode=0x0102, txn=1, address=SERIAL, payload=b"\x09" + bytes(13)).to_wire(),
    ]
    for data in wrong:
        (line,) = decode("--format", "raw", stdin=data).stdout.splitlines()
        said = re.search(r"rejected: .*\(byte [0-9]+\)", line)
        assert said is not None
        assert f"\n    {said[0]}\n" in manual
