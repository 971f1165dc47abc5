"""A device is put together from a profile's name or file, a seed and a serial number."""

from pathlib import Path
from types import MappingProxyType
from unittest.mock import patch

import pytest

from emulator.assembly import (
    DEFAULT_SERIAL_NUMBER,
    MOST_PROFILE_BYTES,
    build_device,
    fresh_session_floor,
    load_profile,
    serial_number_for,
)
from emulator.identity import caps
from firmware_model.firmware.security_record import HIGHEST_COUNTER
from firmware_model.profile_text import ProfileError
from protocol.fields import table_of
from protocol.keys import RoleKeys
from protocol.messages.codes import Role
from protocol.messages.link import CapsAnswer
from tests.device.desk import SERIAL
from tests.device.hand_host import HandHost, live_sessions

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
    device = build_device("reference-40", seed=3, serial_number=77, insecure=True, session_floor=0)
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


def test_sessions_are_numbered_from_above_the_floor() -> None:
    for floor in (0, 41, 0x1_2345):
        device = build_device("reference-20", 0, SERIAL, insecure=False, session_floor=floor)
        HandHost(device).open_line().connect()
        (session,) = live_sessions(device)
        assert session.session_id == (floor + 1) & 0xFFFF


def test_a_pump_is_given_its_own_keys_or_has_the_published_ones() -> None:
    own = RoleKeys(MappingProxyType({role: bytes((role,)) * 16 for role in Role}))
    device = build_device(
        "reference-20",
        0,
        SERIAL,
        insecure=False,
        session_floor=0,
        keys={role.name.lower(): key for role, key in own.of_role.items()},
    )
    HandHost(device, key=own.of_role[Role.CLINICIAN]).open_line().connect()
    device = build_device("reference-20", 0, SERIAL, insecure=False, session_floor=0)
    HandHost(device).open_line().connect()


def test_a_fresh_floor_is_above_every_one_of_a_second_before_and_leaves_room_for_sessions() -> None:
    floors = []
    for wall_s in (1_700_000_000.0, 1_700_000_000.9, 1_700_000_001.0, 4_000_000_000.0):
        with patch("time.time", return_value=wall_s):
            floors.append([fresh_session_floor() for _ in range(5)])
    assert max(floors[0] + floors[1]) < min(floors[2]) < max(floors[2]) < min(floors[3])
    assert len({floor for drawn in floors for floor in drawn}) == 20, "the same second does not give the same floor"
    assert max(floors[3]) + (1 << 32) < HIGHEST_COUNTER


def test_the_two_shipped_profiles_differ_in_every_value_of_caps() -> None:
    """So that a figure which a programmer has written down for itself shows with one of the two pumps."""
    one, other = (caps(load_profile(name)) for name in ("reference-20", "reference-40"))
    assert [row.name for row in table_of(CapsAnswer) if getattr(one, row.name) == getattr(other, row.name)] == []
