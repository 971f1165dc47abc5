"""`vpump serve` from the outside: its lines, its signals, what it leaves behind, and its refusals."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import serial

from emulator.cli import main
from emulator.control.client import ControlClient
from emulator.keyfile import write_key_file
from protocol import keys
from protocol.host_end import Answered, HostEnd, KeyWrong, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import RoleKeys
from protocol.messages.codes import Marks, Role
from protocol.messages.link import CapsRequest, HelloRequest
from protocol.refusals import NakCode

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20
TEST_KEYS = "TEST KEYS: the keys of this pump are published; it protects nobody."
INSECURE = "INSECURE: this pump asks nobody for a key; whoever can open its port can program it."


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "emulator", "serve", *arguments]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"VPUMP_RUNTIME_DIR": str(tmp_path / "pumps"), "PYTHONPATH": str(ROOT)}


@contextmanager
def pump(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(*arguments),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_document(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    document: dict[str, Any] = json.loads(process.stdout.readline())
    return document


def say_hello(url: str) -> object:
    """What the pump answers to HELLO, through any port."""
    with Client(url) as client:
        return client.ask(HelloRequest(major=1, minor=0))


class Client:
    """A programmer without patience or rules."""

    def __init__(self, url: str) -> None:
        self._line = serial.serial_for_url(url, timeout=0.2)
        self._end = HostEnd()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def ask(self, message: object) -> object:
        self._end.request(message, _now_us())
        return self._event()

    def open_session(self, key: bytes) -> object:
        self._end.open_session(SessionWanted(Role.READER, 5, key, secrets.token_bytes(8)), _now_us())
        return self._event()

    def _event(self) -> object:
        for _ in range(DEADLINE_S * 5):
            self._line.write(self._end.data_to_send())
            data = self._line.read(self._line.in_waiting or 1)
            self._end.receive(data, _now_us())
            # It asks again, as a new client may have to that comes while the bytes of the one before are still read.
            self._end.advance(_now_us())
            event = self._end.next_event()
            if event is not None:
                return event
        return None


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def test_the_ready_line_and_an_interrupt(environment: dict[str, str], tmp_path: Path) -> None:
    link = tmp_path / "pump"
    listen = ["--listen", f"pty:{link}", "--listen", "tcp:127.0.0.1:0"]
    with pump(environment, "--json", *listen) as process:
        document = first_document(process)
        urls = [port["url"] for port in document["ports"]]
        assert document == {
            "event": "ready",
            "serial_number": "00C0FFEE",
            "ports": [{"spec": f"pty:{link}", "url": urls[0]}, {"spec": "tcp:127.0.0.1:0", "url": urls[1]}],
            "control": None,
            "profile": "reference-20",
            "seed": 0,
            "speed": 1,
            "keys": "test",
            "insecure": False,
            "protocol": "vpump",
            "state": None,
            "journal": None,
            "capture": None,
            "artefacts": None,
        }
        assert isinstance(document["speed"], int)
        assert link.readlink() == Path(urls[0])
        (entry,) = (tmp_path / "pumps").iterdir()
        assert entry.name.startswith(f"{process.pid}-")
        for url in (urls[0], str(link), urls[1]):
            assert isinstance(say_hello(url), Answered)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 130
        assert out == ""
        assert err.splitlines() == [TEST_KEYS, "vpump: interrupted."]
        assert not link.is_symlink()
        assert not entry.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_is_an_end_like_any_other(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    link = tmp_path / "pump"
    with pump(environment, "--listen", f"pty:{link}", "--speed", "0.5") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Pump 00C0FFEE (reference-20, seed 0) is running.\n"
        assert f"(link: {link})" in process.stdout.readline()
        assert process.stdout.readline() == "  speed    0.5, in a session 1\n"
        assert process.stdout.readline().endswith(f"vpump interrogate -p {link}\n")
        assert process.stdout.readline() == "Stop it with Ctrl-C.\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert err.splitlines() == [TEST_KEYS]
        assert not link.is_symlink()


def test_the_trace_as_json_lines_and_for_people(environment: dict[str, str]) -> None:
    with pump(environment, "--json", "--trace", "--fault", "drop answer HELLO nth=9 count=1") as process:
        url = first_document(process)["ports"][0]["url"]
        assert isinstance(say_hello(url), Answered)
        assert process.stdout is not None
        kinds: list[str] = []
        while kinds.count("line") < 2:
            kinds.append(json.loads(process.stdout.readline())["event"])
        assert "fault-armed" in kinds
        assert [kind for kind in kinds if kind in ("line", "frame")] == ["line", "frame", "frame", "line"]
    with pump(environment, "--trace") as process:
        assert process.stdout is not None
        process.stdout.readline()
        url = process.stdout.readline().split()[1]
        assert isinstance(say_hello(url), Answered)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert "port 0  ->  HELLO" in err
        assert "port 0  <-  HELLO" in err
        assert "\x1b" not in err


def test_a_reader_of_the_trace_that_does_not_read_holds_nobody_up(environment: dict[str, str]) -> None:
    with pump(environment, "--json", "--trace") as process:
        url = first_document(process)["ports"][0]["url"]
        # So many rejected frames make more lines than any pipe holds.
        with serial.serial_for_url(url, timeout=DEADLINE_S) as line:
            line.write(b"rubbish\0" * 5_000)
        assert isinstance(say_hello(url), Answered)
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)
        assert process.returncode == 0


def test_the_control_plane_is_announced_and_can_end_the_pump(environment: dict[str, str], tmp_path: Path) -> None:
    with pump(environment, "--json", "--speed", "0", "--control", f"unix:{tmp_path}/c") as process:
        document = first_document(process)
        assert document["control"] == f"unix:{tmp_path}/c"
        assert "control_token" not in document
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{tmp_path}/c")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
        assert not (tmp_path / "c").exists()
    with pump(environment, "--json", "--control", "tcp:127.0.0.1:0") as process:
        assert len(first_document(process)["control_token"]) > 20


def test_the_files_of_a_run_are_told_and_a_tester_captures_in_its_folder(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    files = {"journal": f"{tmp_path}/j", "capture": f"{tmp_path}/c.pcapng", "artefacts": str(folder)}
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    with pump(environment, "--json", "--control", f"unix:{tmp_path}/c", *options) as process:
        document = first_document(process)
        (listed,) = json.loads(vpump(environment, "ls", "--json"))
        described = ControlClient(f"unix:{tmp_path}/c").describe()
        for told in (document, listed, dict(described)):
            assert {name: told[name] for name in files} == files
        assert "files" not in listed
        for name in ("night.pcapng", "../night.pcapng"):
            said = vpump(environment, "control", "capture", "start", name)
            assert ("runs" in said) is (name == "night.pcapng")
        assert isinstance(say_hello(document["ports"][0]["url"]), Answered)
        assert "has ended" in vpump(environment, "control", "capture", "end", "night.pcapng")
        assert "night.pcapng" in vpump(environment, "control", "capture", "list")
        assert "so far" in vpump(environment, "control", "capture", "fetch", "night.pcapng", "-o", f"{tmp_path}/got")
        ended(process)
    assert [file.name for file in folder.iterdir()] == ["night.pcapng"]
    assert (tmp_path / "got").read_bytes() == (folder / "night.pcapng").read_bytes()
    frames = [json.loads(line) for line in vpump(environment, "decode", f"{tmp_path}/got", "--json").splitlines()]
    assert [frame["name"] for frame in frames if "name" in frame] == ["HELLO", "HELLO"]


def vpump(environment: dict[str, str], *arguments: str) -> str:
    """What a command says, whatever becomes of it."""
    words = [sys.executable, "-P", "-m", "emulator", *arguments]
    done = subprocess.run(words, env=environment, check=False, capture_output=True, text=True, timeout=DEADLINE_S)
    return done.stdout


def marks_of(url: str) -> Marks:
    reply = say_hello(url)
    assert isinstance(reply, Answered)
    marks: Marks = reply.message.marks
    return marks


def ended(process: subprocess.Popen[str]) -> str:
    """End it, and give what it has said on stderr."""
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    return str(err)


def own_keys(path: Path) -> RoleKeys:
    found = RoleKeys(MappingProxyType({role: bytes([role]) * 16 for role in Role}))
    write_key_file(path, {0x00C0FFEE: found, 7: found})
    return found


def test_without_keys_it_has_the_published_ones_and_says_so(environment: dict[str, str]) -> None:
    with pump(environment, "--json") as process:
        url = first_document(process)["ports"][0]["url"]
        assert marks_of(url) == Marks.EMULATOR | Marks.TEST_KEYS
        with Client(url) as client:
            client.ask(HelloRequest(major=1, minor=0))
            refused = client.ask(CapsRequest())
            assert isinstance(refused, Refused)
            assert refused.nak.code == NakCode.AUTH_REQUIRED
            assert isinstance(client.open_session(keys.test_keys(0x00C0FFEE).of_role[Role.READER]), SessionReady)
            assert isinstance(client.ask(CapsRequest()), Answered)
        assert ended(process) == f"{TEST_KEYS}\n"


@pytest.mark.parametrize("insecure", [False, True])
def test_with_keys_of_its_own_it_takes_no_others(environment: dict[str, str], tmp_path: Path, insecure: bool) -> None:
    own = own_keys(tmp_path / "keys.toml")
    more = ["--insecure"] if insecure else []
    with pump(environment, "--json", "--keys", str(tmp_path / "keys.toml"), *more) as process:
        ready = first_document(process)
        assert list(ready)[-7:-3] == ["keys", "insecure", "protocol", "state"]
        assert (ready["keys"], ready["insecure"]) == ("own", insecure)
        url = ready["ports"][0]["url"]
        assert marks_of(url) == Marks.EMULATOR | (Marks.INSECURE if insecure else Marks(0))
        with Client(url) as client:
            client.ask(HelloRequest(major=1, minor=0))
            assert isinstance(client.open_session(keys.test_keys(0x00C0FFEE).of_role[Role.READER]), KeyWrong)
            assert isinstance(client.open_session(own.of_role[Role.READER]), SessionReady)
        said = ended(process)
        expected = INSECURE if insecure else f"This pump has keys of its own, from {tmp_path / 'keys.toml'}."
        assert said == f"{expected}\n"
        assert not any(key.hex() in said + json.dumps(ready) for key in own.of_role.values())


def test_insecure_asks_nobody_for_a_key_and_is_loud(environment: dict[str, str]) -> None:
    with pump(environment, "--json", "--insecure") as process:
        ready = first_document(process)
        assert (ready["keys"], ready["insecure"]) == ("test", True)
        with Client(ready["ports"][0]["url"]) as client:
            client.ask(HelloRequest(major=1, minor=0))
            assert isinstance(client.ask(CapsRequest()), Answered)
        assert ended(process) == f"{INSECURE}\n"


def test_published_keys_in_a_file_are_still_published(environment: dict[str, str], tmp_path: Path) -> None:
    own = own_keys(tmp_path / "own.toml")
    mixed = {**own.of_role, Role.PATIENT: keys.test_keys(0x00C0FFEE).of_role[Role.PATIENT]}
    write_key_file(tmp_path / "keys.toml", {0x00C0FFEE: RoleKeys(mixed)})
    with pump(environment, "--json", "--keys", str(tmp_path / "keys.toml")) as process:
        ready = first_document(process)
        assert ready["keys"] == "test"
        assert Marks.TEST_KEYS in marks_of(ready["ports"][0]["url"])
        assert ended(process) == f"{TEST_KEYS}\n"


def test_no_two_runs_challenge_a_host_alike(environment: dict[str, str]) -> None:
    challenges = set()
    request = SessionWanted(Role.READER, 5, bytes(16), bytes(8)).request()
    for _ in range(2):
        with pump(environment, "--json") as process, Client(first_document(process)["ports"][0]["url"]) as client:
            client.ask(HelloRequest(major=1, minor=0))
            answer = client.ask(request)
            assert isinstance(answer, Answered)
            challenges.add(answer.message.device_challenge)
    assert len(challenges) == 2


def test_a_key_file_that_will_not_do_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.toml"
    own_keys(path)
    cases = [
        (["--serial-number", "8"], "has no table [00000008]"),
        (["--seed", "1"], "a pump needs its own, with reader, patient, clinician"),
    ]
    for arguments, words in cases:
        assert words in usage_sentence(capsys, ["--keys", str(path), *arguments])
    path.chmod(0o640)
    assert f"--keys: the key file {path} has mode 0640" in usage_sentence(capsys, ["--keys", str(path)])


def usage_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = err.splitlines()
    return sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "com7"], "'com7'"),
        (["--listen", "tcp:0.0.0.0:1"], "this machine only"),
        (["--speed", "fast"], "--speed: 'fast'"),
        (["--session-speed", "-1"], "--session-speed"),
        (["--serial-number", "XYZ"], "'XYZ'"),
        (["--serial-number", "ffffffff"], "'ffffffff'"),
        (["--serial-number", "0"], "'0'"),
        (["--seed", "-1"], "--seed"),
        (["--profile", "unheard-of"], "unheard-of"),
        (["--fault", "drop everything"], "--fault"),
        (["--control", "nowhere"], "nowhere"),
        (["--listen", "pty:/dev/null"], "already"),
        (["--listen", "pty"] * 17, "at most 16"),
        (["--artefacts", "."], "--artefacts is for who has a control plane"),
        (["--artefacts", "no-such-folder", "--control", "./c"], "--artefacts: no-such-folder is no folder"),
        (["--keys", "no-such-file"], "--keys: the key file no-such-file cannot be read"),
    ],
)
def test_wrong_usage_is_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert words in usage_sentence(capsys, arguments)


def test_a_register_that_cannot_be_used_is_said_and_nothing_more(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pumps").write_text("")
    with pump(environment, "--json") as process:
        assert first_document(process)["event"] == "ready"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0
        assert "'vpump ls' will not show this pump" in err


def test_its_help_loads_nothing_heavy() -> None:
    heavy = "{'asyncio', 'construct', 'msgspec', 'serial', 'uvicorn', 'protocol', 'firmware_model'}"
    program = f"import sys, emulator.cli.serve; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    assert done.stdout == "\n"
