"""The host id that is made once and outlives every crash, and the key that is shown to a pump."""

from __future__ import annotations

import stat
from pathlib import Path
from types import MappingProxyType

import pytest

from emulator.keyfile import KeyFile
from emulator.programmer.disk import LockedError, RealDisk
from emulator.programmer.host_identity import HOST_ID_MAX, HostIdError, NoKey, host_id_for, kept_host_id, key_for
from protocol import keys
from protocol.keys import RoleKeys
from protocol.messages.codes import Capability, Marks, Role
from protocol.messages.link import HelloAnswer
from tests.programmer.dying_host import DIRECTORY, SERIAL_NUMBER, ForgetfulDisk, HostDied, Mortality

OWN = RoleKeys(MappingProxyType({Role.READER: b"r" * 16, Role.CLINICIAN: b"c" * 16}))


def test_a_host_that_dies_at_any_call_is_the_same_host_afterwards() -> None:
    mortality = Mortality()
    kept_host_id(ForgetfulDisk(mortality), DIRECTORY)
    for call in range(mortality.calls):
        for loses_power in (False, True):
            disk = ForgetfulDisk(Mortality(left=call))
            with pytest.raises(HostDied):
                kept_host_id(disk, DIRECTORY)
            if loses_power:
                disk.lose_power()
            host_id = kept_host_id(disk, DIRECTORY)
            assert 0 < host_id <= HOST_ID_MAX
            disk.lose_power()
            assert kept_host_id(disk, DIRECTORY) == host_id


def test_on_a_real_disk_it_is_for_this_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    assert kept_host_id(RealDisk(), directory) == kept_host_id(RealDisk(), directory)
    assert stat.S_IMODE((directory / "host-id").stat().st_mode) == 0o600
    assert not (directory / "host-id.new").exists()


def test_a_reader_is_somebody_new_each_time_and_leaves_no_trace(tmp_path: Path) -> None:
    ids = {host_id_for(Role.READER, RealDisk(), tmp_path) for _ in range(5)}
    assert len(ids) == 5
    assert list(tmp_path.iterdir()) == []
    assert host_id_for(Role.PATIENT, RealDisk(), tmp_path) == host_id_for(Role.CLINICIAN, RealDisk(), tmp_path)


@pytest.mark.parametrize("data", [b"", b"00000000\n", b"FFFFFFFF\n", b"0000000A", b"0000000a\n", b"7\n", b"\xff" * 9])
def test_a_damaged_host_id_is_one_sentence_and_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "host-id"
    path.write_bytes(data)
    with pytest.raises(HostIdError, match=r"host-id is damaged; .*\.$"):
        kept_host_id(RealDisk(), tmp_path)
    assert path.read_bytes() == data


def test_a_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostIdError, match=r"cannot be kept: Not a directory\.$"):
        kept_host_id(RealDisk(), tmp_path / "file" / "x")

    def locked(*_: object) -> None:
        raise LockedError

    monkeypatch.setattr(RealDisk, "lock", locked)
    with pytest.raises(HostIdError, match="another command"):
        kept_host_id(RealDisk(), tmp_path)


def hello(marks: Marks) -> HelloAnswer:
    return HelloAnswer(
        major=1,
        minor=0,
        capabilities=Capability(0),
        model="TEST",
        serial_number=SERIAL_NUMBER,
        firmware_hash=bytes(8),
        max_payload=224,
        marks=marks,
    )


PUBLISHED = keys.test_keys(SERIAL_NUMBER).of_role[Role.CLINICIAN]
HOLDS_IT = KeyFile(Path("ward.toml"), {SERIAL_NUMBER: OWN})
HOLDS_ANOTHER = KeyFile(Path("ward.toml"), {7: OWN})


@pytest.mark.parametrize(
    ("marks", "file", "expected"),
    [
        (Marks.TEST_KEYS, None, (PUBLISHED, "the published test keys")),
        (Marks.TEST_KEYS, HOLDS_ANOTHER, (PUBLISHED, "the published test keys")),
        (Marks.TEST_KEYS, HOLDS_IT, (b"c" * 16, "ward.toml")),
        (Marks.EMULATOR, HOLDS_IT, (b"c" * 16, "ward.toml")),
    ],
)
def test_the_files_key_comes_before_the_published_one(
    marks: Marks, file: KeyFile | None, expected: tuple[bytes, str]
) -> None:
    held = key_for(hello(marks), Role.CLINICIAN, file)
    assert (held.key, held.source) == expected
    assert held.key.hex() not in repr(held)
    assert repr(held.key) not in repr(held)


@pytest.mark.parametrize(
    ("marks", "file", "role", "said"),
    [
        (Marks(0), None, Role.READER, "pump 00C0FFEE has keys of its own; give them with --keys FILE."),
        (Marks(0), HOLDS_ANOTHER, Role.READER, "ward.toml holds no key for role reader of pump 00C0FFEE."),
        (Marks(0), HOLDS_IT, Role.PATIENT, "ward.toml holds no key for role patient of pump 00C0FFEE."),
        (Marks.TEST_KEYS, HOLDS_IT, Role.PATIENT, "ward.toml holds no key for role patient of pump 00C0FFEE."),
    ],
)
def test_no_key_is_one_sentence(marks: Marks, file: KeyFile | None, role: Role, said: str) -> None:
    with pytest.raises(NoKey) as caught:
        key_for(hello(marks), role, file)
    assert str(caught.value) == said
