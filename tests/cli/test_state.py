"""`vpump state`: what a save-state holds and where two differ, of any classes, model version and profile."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from hypothesis import given

from emulator.cli import main
from firmware_model import MODEL_VERSION, savestate
from firmware_model.savestate import MAX_SAVE_STATE_BYTES, profile_digest, seal
from firmware_model.state import canonical
from tests.firmware_model.pump_profiles import shipped
from tests.firmware_model.state_values import near_values, values

PROFILE = shipped("reference-20")
SERIAL = 0x00C0FFEE


class Way(IntEnum):
    FORWARD = 1


class Word(Enum):
    TORN = ("torn", 3)


class Change(NamedTuple):
    start_min: int
    rate_nl_per_day: int


@dataclass
class Motor:
    steps: int = 7
    way: Way = Way.FORWARD


@dataclass
class Pump:
    now_us: int = 90_000_000
    powered: bool = True
    motor: Motor = field(default_factory=Motor)
    name: str = "mine"
    schedule: tuple[Change, ...] = (Change(0, 500),)
    doses: deque[int] = field(default_factory=lambda: deque([4], 8))
    short: bytes = b"\x01\xff"
    log: bytearray = field(default_factory=lambda: bytearray(1000))
    cut: Word | None = None


def vpump(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["state", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


Saving = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saving:
    """A function that makes a file with the save-state of a value."""

    def save(value: object, name: str = "pump.state", serial: int = SERIAL) -> Path:
        path = tmp_path / name
        path.write_bytes(seal(canonical(value), PROFILE, serial))
        return path

    return save


def test_a_state_is_shown_value_by_value(saved: Saving) -> None:
    result = vpump("show", saved(Pump()))
    assert result.exit_code == 0
    assert result.stdout == (
        "profile         reference-20\n"
        f"profile sha256  {profile_digest(PROFILE)}\n"
        "serial number   00C0FFEE\n"
        f"model version   {MODEL_VERSION}\n"
        "virtual time    1min 30s\n"
        "\n"
        ". = Pump\n"
        "now_us = 90000000\n"
        "powered = true\n"
        "motor = Motor\n"
        "motor.steps = 7\n"
        "motor.way = Way(1)\n"
        'name = "mine"\n'
        "schedule = tuple of 1\n"
        "schedule[0] = Change, a named tuple\n"
        "schedule[0].start_min = 0\n"
        "schedule[0].rate_nl_per_day = 500\n"
        "doses = deque of 1, at most 8\n"
        "doses[0] = 4\n"
        "short = bytes 01ff\n"
        "log = bytearray of 1000, sha256 541b3e9daa09…\n"
        "cut = none\n"
    )


def test_a_state_in_json(saved: Saving) -> None:
    document = json.loads(vpump("show", saved(Pump()), "--json").stdout)
    assert {name: value for name, value in document.items() if name != "fields"} == {
        "profile": "reference-20",
        "profile_sha256": profile_digest(PROFILE),
        "serial_number": "00C0FFEE",
        "model_version": MODEL_VERSION,
        "now_us": 90_000_000,
    }
    assert document["fields"] == {
        ".": {"class": "Pump"},
        "now_us": 90_000_000,
        "powered": True,
        "motor": {"class": "Motor"},
        "motor.steps": 7,
        "motor.way": {"enum": "Way", "value": 1},
        "name": "mine",
        "schedule": {"tuple": 1},
        "schedule[0]": {"named_tuple": "Change"},
        "schedule[0].start_min": 0,
        "schedule[0].rate_nl_per_day": 500,
        "doses": {"deque": 1, "maxlen": 8},
        "doses[0]": 4,
        "short": {"bytes": 2, "hex": "01ff"},
        "log": {"bytearray": 1000, "sha256": "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"},
        "cut": None,
    }


def test_a_state_that_says_no_time_is_shown_without_one(saved: Saving) -> None:
    for value in ([1, "x"], 3, Motor(), Change(True, 2)):
        path = saved(value)
        assert "virtual time" not in vpump("show", path).stdout
        assert json.loads(vpump("show", path, "--json").stdout)["now_us"] is None
    assert vpump("show", saved([1, Word.TORN])).stdout.endswith(
        '\n. = list of 2\n[0] = 1\n[1] = Word(…)\n[1].value = tuple of 2\n[1].value[0] = "torn"\n[1].value[1] = 3\n'
    )


def test_a_text_cannot_reach_the_terminal(saved: Saving) -> None:
    shown = vpump("show", saved(["\x1b[2J\n\u202e", "long" * 100])).stdout
    assert '[0] = "\\u001b[2J\\n\\u202e"\n' in shown
    assert f'[1] = "{"long" * 19}lon…\n' in shown


def test_a_state_of_another_model_and_of_a_lost_profile_is_shown(
    saved: Saving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(savestate, "MODEL_VERSION", 1)
    path = saved(Pump())
    monkeypatch.undo()
    assert "model version   1\n" in vpump("show", path).stdout


def test_equal_states(saved: Saving) -> None:
    one, other = saved(Pump()), saved(Pump(), "other.state")
    assert (vpump("diff", one, other).exit_code, vpump("diff", one, other).stdout) == (0, "The two states are equal.\n")
    assert json.loads(vpump("diff", one, other, "--json").stdout) == {"equal": True, "header": {}, "fields": {}}


def other_pump() -> Pump:
    changed = bytearray(1000)
    changed[512] = 1
    return Pump(
        powered=False,
        motor=Motor(steps=1),
        schedule=(Change(0, 500), Change(60, 0)),
        doses=deque([4]),
        short=b"\x01",
        log=changed,
        cut=Word.TORN,
    )


def test_states_that_differ_are_told_path_by_path(saved: Saving) -> None:
    other = other_pump()
    sha256 = hashlib.sha256(other.log).hexdigest()
    result = vpump("diff", saved(Pump()), saved(other, "other.state", serial=1))
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == (
        "serial number: 00C0FFEE -> 00000001\n"
        "powered: true -> false\n"
        "motor.steps: 7 -> 1\n"
        "schedule: tuple of 1 -> tuple of 2\n"
        "doses: deque of 1, at most 8 -> deque of 1\n"
        "short: bytes 01ff -> bytes 01 (from byte 1 on)\n"
        "log: bytearray of 1000, sha256 541b3e9daa09… -> "
        f"bytearray of 1000, sha256 {sha256[:12]}… (from byte 512 on)\n"
        "cut: none -> Word(…)\n"
        "schedule[1]: absent -> Change, a named tuple\n"
        "schedule[1].start_min: absent -> 60\n"
        "schedule[1].rate_nl_per_day: absent -> 0\n"
        "cut.value: absent -> tuple of 2\n"
        'cut.value[0]: absent -> "torn"\n'
        "cut.value[1]: absent -> 3\n"
    )


def test_states_that_differ_in_json(saved: Saving) -> None:
    result = vpump("diff", saved(Pump()), saved(other_pump(), "other.state", serial=1), "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["equal"] is False
    assert document["header"] == {"serial_number": {"old": "00C0FFEE", "new": "00000001"}}
    assert document["fields"]["motor.steps"] == {"old": 7, "new": 1}
    assert document["fields"]["schedule[1].start_min"] == {"new": 60}
    assert document["fields"]["short"]["first_difference"] == 1


def test_the_header_alone_makes_two_states_different(saved: Saving) -> None:
    result = vpump("diff", saved(Pump()), saved(Pump(), "other.state", serial=1))
    assert (result.exit_code, result.stdout) == (1, "serial number: 00C0FFEE -> 00000001\n")


@given(near_values, near_values)
def test_the_status_says_whether_they_are_equal(
    tmp_path_factory: pytest.TempPathFactory, one: object, other: object
) -> None:
    """Whatever tells two values apart, their types included."""
    paths = [tmp_path_factory.getbasetemp() / name for name in ("one.state", "other.state")]
    for path, value in zip(paths, (one, other), strict=True):
        path.write_bytes(seal(canonical(value), PROFILE, SERIAL))
    assert (vpump("diff", *paths).exit_code == 0) == (canonical(one) == canonical(other))


@given(values)
def test_any_state_is_shown(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any.state"
    path.write_bytes(seal(canonical(value), PROFILE, SERIAL))
    lines = vpump("show", path).stdout.splitlines()[5:]
    assert all(re.fullmatch(r"[\w.\[\]]+ = .+", line) for line in lines)
    assert len(lines) == len(json.loads(vpump("show", path, "--json").stdout)["fields"])


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"hello"), "this is no save-state of a pump."),
        (lambda path: path.write_bytes(b""), "this is no save-state of a pump."),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "this save-state is truncated: it has 100 of"),
        (damaged, "this save-state is damaged: its SHA-256"),
        (lambda path: path.write_bytes(seal(b"X", PROFILE, SERIAL)), "the state is damaged: byte 58 begins no value"),
        (
            lambda path: path.write_bytes(path.read_bytes().ljust(MAX_SAVE_STATE_BYTES + 2)),
            "a save-state has at most 16,777,216 bytes; this has more.",
        ),
    ],
    ids=["text", "empty", "truncated", "damaged", "content", "large"],
)
def test_what_is_no_save_state_is_said_in_one_sentence(saved: Saving, spoil: Callable[[Path], Any], said: str) -> None:
    path, good = saved(Pump()), saved(Pump(), "good.state")
    spoil(path)
    for arguments in (("show", path), ("show", path, "--json"), ("diff", good, path), ("diff", path, good)):
        result = vpump(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"vpump: {path}: {said}")
        assert result.stderr.count("\n") == 1


def test_a_file_that_cannot_be_read(saved: Saving, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Pump())

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    result = vpump("show", path)
    assert (result.exit_code, result.stderr) == (2, f"vpump: {path} cannot be read: Permission denied.\n")


@pytest.mark.parametrize("arguments", [("show",), ("diff", "a"), ("show", "no-such-file"), ("look",)])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = vpump(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("vpump: ")
