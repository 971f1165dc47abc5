"""Key files: what is read, what is refused in one sentence, that nothing of a key is ever said; and `vpump keys`."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
from click.testing import CliRunner, Result
from hypothesis import assume, given
from hypothesis import strategies as st

from emulator import keyfile
from emulator.cli import main
from emulator.keyfile import MAX_FILE_BYTES, ROLES, KeyFileError, new_keys, read_key_file, write_key_file
from protocol.keys import RoleKeys
from protocol.messages.codes import Role

PUMP = 0x00C0FFEE
KEY = "0123456789abcdefFEDCBA9876543210"

serial_numbers = st.integers(1, 0xFFFF_FFFE)
role_keys = st.dictionaries(st.sampled_from(list(Role)), st.binary(min_size=16, max_size=16), min_size=1).map(
    lambda found: RoleKeys(MappingProxyType(found))
)


def key_file(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(KeyFileError) as caught:
        read_key_file(path)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(path) in sentence
    assert caught.value.__cause__ is None
    return sentence


@given(pumps=st.dictionaries(serial_numbers, role_keys, max_size=5))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, pumps: dict[int, RoleKeys]) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    write_key_file(path, pumps)
    assert read_key_file(path).pumps == pumps
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        f'[00C0FFEE]\nclinician = "{KEY}"\n',
        f"# mine\n\n[c0ffee] # short\r\nclinician='{KEY}' # and a comment\r\n",
        f'00C0FFEE.clinician = "{KEY}"',
        f'C0FFEE = {{ clinician = "{KEY}" }}',
        f'["00c0ffee"]\n"clinician" = """{KEY}"""',
    ],
)
def test_any_way_in_which_toml_says_it(tmp_path: Path, text: str) -> None:
    found = read_key_file(key_file(tmp_path / "k", text))
    assert dict(found.pumps[PUMP].of_role) == {Role.CLINICIAN: bytes.fromhex(KEY)}
    assert KEY.lower() not in repr(found).lower()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pump]\n", "line 1: 'pump' is no table of a pump; allowed are tables that are named by a serial number"),
        ("\n[0]\n", "line 2: '0' is no table"),
        ("[FFFFFFFF]\n", "line 1: this name is no table of a pump"),
        (f'{KEY} = "reader"\n', "line 1: this name is no table of a pump"),
        (f'reader = "{KEY}"\n', "line 1: 'reader' is no table of a pump"),
        (
            f'[00C0FFEE]\nreader = "{KEY}"\n[c0ffee]\nreader = "{KEY}"',
            "line 3: there is a second table for pump 00C0FFEE",
        ),
        ("[00C0FFEE]\n", "line 1: [00C0FFEE] holds no key; allowed are reader, patient, clinician."),
        (f'[00C0FFEE]\n\nservice = "{KEY}"', "line 3: 'service' is no role; allowed in [00C0FFEE] are reader, patient"),
        (f'[00C0FFEE]\n{KEY} = "reader"', "line 2: this name is no role"),
        (f'[00C0FFEE]\nreader = "{KEY[:-1]}"', "line 2: reader in [00C0FFEE] is no key; allowed are 32 hex digits in"),
        (f'[00C0FFEE]\nreader = "{KEY}0"', "line 2: reader in"),
        (f'[00C0FFEE]\nreader = "{KEY[:-1]}\N{FULLWIDTH DIGIT ZERO}"', "line 2: reader in"),
        (f'[00C0FFEE]\nreader = ["{KEY}"]', "line 2: reader in"),
        ("[00C0FFEE]\nreader = 12345678901234567890123456789012", "line 2: reader in"),
        (f"[00C0FFEE]\nreader = {KEY}", "line 2: this is no TOML; allowed are tables such as [00C0FFEE]"),
        (f'[00C0FFEE]\nreader = "{KEY}', "line 2: this is no TOML"),
        (f'[00C0FFEE]\nreader = "{KEY}"\nreader = "{KEY}"', "this is no TOML"),
        (f"[{KEY}]\n[{KEY}]\n", "this is no TOML"),
        ("[00C0FFEE]\nreader = " + "1" * 5_000, "this is no TOML"),
        ("[00C0FFEE]\nreader = " + "[" * 20_000, "nested too deeply"),
        (f'[00C0FFEE]\nreader = "{KEY}"\n'.encode() + b"\xff", "line 3: this is not UTF-8 text"),
        ("#" * (MAX_FILE_BYTES + 1), f"more than {MAX_FILE_BYTES} bytes"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    sentence = refusal(key_file(tmp_path / "k", text))
    assert said in sentence
    assert not shared(sentence, KEY)


def shared(sentence: str, key: str) -> list[str]:
    """Eight digits of a key, and where they stand in a sentence."""
    return [key[at : at + 8] for at in range(len(key) - 7) if key[at : at + 8].lower() in sentence.lower()]


def what_is_said_of(path: Path) -> str:
    try:
        return repr(read_key_file(path))
    except KeyFileError as error:
        return f"{error} {error!r} {error.__cause__!r}"


MANGLINGS: list[Callable[[str, str], str]] = [
    lambda text, key: text.replace(f'"{key}"', key),
    lambda text, key: text.replace(f'"{key}"', f'"{key}'),
    lambda text, key: text.replace(f'"{key}"', f'"{key[1:]}"'),
    lambda text, key: text.replace(f'"{key}"', f'"{key} "'),
    lambda text, key: text.replace(f'"{key}"', f'["{key}"]'),
    lambda text, key: text.replace("reader", key),
    lambda text, key: text.replace("reader", f'"{key} "'),
    lambda text, key: text.replace("00C0FFEE", key),
    lambda text, key: text.replace("00C0FFEE", f"{key}.x"),
    lambda text, key: text + f'{key} = "{key}"\n{key} = 1\n',
    lambda text, key: f"[{key}]\n[{key}]\n{text}",
    lambda text, _: text + text,
]


@given(key=st.binary(min_size=16, max_size=16).map(bytes.hex), upper=st.booleans(), data=st.data())
def test_no_error_says_anything_of_a_key(
    tmp_path_factory: pytest.TempPathFactory, key: str, upper: bool, data: st.DataObject
) -> None:
    key = key.upper() if upper else key
    text = f'[00C0FFEE]\nreader = "{key}"\n'
    for mangle in data.draw(st.lists(st.sampled_from(MANGLINGS), min_size=1, max_size=3)):
        text = mangle(text, key)
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(['"', "\n", "[", "]", "=", ".", "{", "\\", "\x00"])) + text[at:]
    path = tmp_path_factory.mktemp("keys") / "k"
    # Of what every sentence may say, a key that looks like it has nothing to hide.
    assume(not shared(f"{path} 00C0FFEE 00000001 FFFFFFFE", key))
    assert not shared(what_is_said_of(key_file(path, text)), key)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_mine_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_key_file(key_file(tmp_path / "k", f'[1]\nreader = "{KEY}"', mode)).pumps.keys() == {1}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o666])
def test_a_file_that_others_may_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "my keys", f'[1]\nreader = "{KEY}"', mode)
    assert refusal(path).endswith(
        f"has mode {mode:04o}, which lets others at it; run chmod 600 '{path}' to make it yours alone."
    )


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path / "k", "")
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert "belongs to somebody else" in refusal(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        assert refusal(path).endswith("is no regular file.")
    assert refusal(tmp_path / "none").endswith("cannot be read: No such file or directory.")


def test_the_checked_file_is_the_one_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever swaps the name behind the check swaps nothing."""
    path = key_file(tmp_path / "k", f'[1]\nreader = "{KEY}"')
    other = key_file(tmp_path / "other", "", 0o666)
    real = os.fstat

    def swap(descriptor: int) -> os.stat_result:
        other.replace(path)
        return real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", swap)
        assert read_key_file(path).pumps.keys() == {1}
    assert "mode 0666" in refusal(path)


def test_a_pump_needs_a_key_for_each_role(tmp_path: Path) -> None:
    found = read_key_file(key_file(tmp_path / "k", f'[1]\nreader = "{KEY}"'))
    with pytest.raises(KeyFileError, match=r"lacks patient, clinician in \[00000001\]"):
        found.all_of(1)
    with pytest.raises(KeyFileError, match=r"has no table \[00000002\]"):
        found.all_of(2)


def test_new_keys_are_all_different() -> None:
    found = [key for keys in new_keys(range(1, 20)).values() for key in keys.of_role.values()]
    assert len(set(found)) == len(found) == 19 * len(ROLES)


def test_a_file_that_cannot_be_written_is_not_left_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left on device"):
        write_key_file(tmp_path / "k", new_keys([1]))
    assert list(tmp_path.iterdir()) == []


# The command


def vpump(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_keys_new_makes_a_file_and_says_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    made = vpump("keys", "new", str(path), "c0ffee", "7")
    assert made.stdout == f"{path} has keys for 00C0FFEE, 00000007.\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path).all_of(PUMP) != read_key_file(path).all_of(7)
    before = path.read_bytes()
    again = vpump("keys", "new", str(path), "c0ffee")
    assert (again.exit_code, again.stderr) == (
        2,
        f"vpump: {path} is there already; a key file is never written over.\n",
    )
    assert path.read_bytes() == before
    documented = vpump("keys", "new", str(tmp_path / "more"), "1", "--json")
    assert json.loads(documented.stdout) == {"file": str(tmp_path / "more"), "pumps": ["00000001"]}
    assert not re.search("[0-9a-f]{32}", made.output + documented.output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["k", "xyz"], "SERIAL 'xyz' is none"),
        (["k", "0"], "SERIAL '0' is none"),
        (["k", "ffffffff"], "from 00000001 to FFFFFFFE"),
        (["k", "1", "01"], "SERIAL 00000001 is given twice"),
        (["k", *(f"{number:x}" for number in range(1, 300))], "at most 256"),
        (["k"], "SERIAL"),
        (["no/such/directory", "1"], "cannot be made: No such file or directory"),
    ],
)
def test_wrong_usage_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = vpump("keys", "new", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="is there already"):
        write_key_file(tmp_path / "link", new_keys([1]))
    assert not (tmp_path / "elsewhere").exists()


def test_whatever_the_umask_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        write_key_file(tmp_path / "k", new_keys([1]))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == keyfile.FILE_MODE
