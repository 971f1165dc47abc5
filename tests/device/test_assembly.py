"""A device is put together from a profile's name or file, a seed and a serial number."""

from pathlib import Path

import pytest

from emulator.assembly import (
    DEFAULT_SERIAL_NUMBER,
    MOST_PROFILE_BYTES,
    build_device,
    load_profile,
    serial_number_for,
)
from firmware_model.profile import ProfileError

MINE = 'extends = "reference-20"\n[bolus]\nlease_s = { value = 7, chosen = "a hasty clinic" }\n'


def sentence(name_or_file: str) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(name_or_file)
    return str(caught.value)


def test_a_serial_number_follows_from_the_seed_and_is_never_that_for_any_pump() -> None:
    assert serial_number_for(0) == DEFAULT_SERIAL_NUMBER == 0x00C0FFEE
    drawn = [serial_number_for(seed) for seed in range(200)]
    assert drawn == [serial_number_for(seed) for seed in range(200)]
    assert len(set(drawn)) == 200
    assert all(0 < number < 0xFFFF_FFFF for number in drawn)


def test_a_device_is_built_of_a_shipped_profile() -> None:
    device = build_device("reference-40", seed=3, serial_number=77)
    assert (device.profile_name, device.serial_number, device.now_us) == ("reference-40", 77, 0)
    assert device.has_power
    assert not device.session_open


def test_a_profile_is_read_from_a_file_and_named_for_it(tmp_path: Path) -> None:
    file = tmp_path / "clinic.toml"
    file.write_text(MINE, encoding="utf-8")
    profile = load_profile(str(file))
    assert (profile.name, profile.bolus.lease_s) == ("clinic", 7)


def test_a_file_that_cannot_be_a_profile_is_refused_with_its_name(tmp_path: Path) -> None:
    missing, folder, latin, huge = (tmp_path / f"{name}.toml" for name in ("missing", "folder", "latin", "huge"))
    folder.mkdir()
    latin.write_bytes(b"# caf\xe9\n")
    huge.write_bytes(b"#" * (MOST_PROFILE_BYTES + 1))
    assert sentence(str(missing)) == f"profile {missing}: No such file or directory"
    assert sentence(str(folder)) == f"profile {folder}: Is a directory"
    assert sentence(str(latin)) == f"profile {latin} is not UTF-8 text: byte 5"
    assert sentence(str(huge)) == f"profile {huge} is larger than 262144 bytes"


def test_a_name_that_is_no_profile_is_refused_with_those_that_are() -> None:
    assert sentence("reference-30") == (
        "profile 'reference-30' is neither a file nor one of reference-20, reference-40"
    )
