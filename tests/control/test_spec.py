"""The grammar of `--control SPEC`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.control.spec import (
    MAX_UNIX_PATH_BYTES,
    ControlSpecError,
    TcpSpec,
    UnixSpec,
    parse_control_spec,
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("unix:/run/pump.sock", UnixSpec(Path("/run/pump.sock"))),
        ("/run/pump.sock", UnixSpec(Path("/run/pump.sock"))),
        ("unix:pump.sock", UnixSpec(Path.cwd() / "pump.sock")),
        ("./pump.sock", UnixSpec(Path.cwd() / "pump.sock")),
        ("tcp:127.0.0.1:0", TcpSpec("127.0.0.1", 0)),
        ("tcp:localhost:65535", TcpSpec("127.0.0.1", 65535)),
        ("tcp:[::1]:8123", TcpSpec("::1", 8123)),
        ("tcp:::1:8123", TcpSpec("::1", 8123)),
    ],
)
def test_specs_are_read(text: str, spec: object) -> None:
    if isinstance(spec, UnixSpec) and len(bytes(spec.path)) > MAX_UNIX_PATH_BYTES:
        pytest.skip("this checkout lies too deep for a socket in it")
    assert parse_control_spec(text) == spec


def test_addresses_are_shown_as_clients_write_them() -> None:
    assert UnixSpec(Path("/run/pump.sock")).url == "unix:/run/pump.sock"
    assert TcpSpec("127.0.0.1", 8123).url == "http://127.0.0.1:8123"
    assert TcpSpec("::1", 8123).url == "http://[::1]:8123"


@pytest.mark.parametrize(
    ("text", "part_of_the_sentence"),
    [
        ("", "is not one of unix:PATH"),
        ("pump.sock", "is not one of unix:PATH"),
        ("unix:", "is empty"),
        ("unix:a\0b", "zero byte"),
        ("unix:/" + "x" * MAX_UNIX_PATH_BYTES, f"at most {MAX_UNIX_PATH_BYTES} are allowed"),
        ("tcp:", "has no port"),
        ("tcp:127.0.0.1", "has no port"),
        ("tcp:0.0.0.0:1", "no loopback address"),
        ("tcp:192.168.0.1:1", "no loopback address"),
        ("tcp:127.0.0.2:1", "no loopback address"),
        ("tcp:[::]:1", "no loopback address"),
        ("tcp::1", "no loopback address"),
        ("tcp:pump.example:1", "no loopback address"),
        ("tcp:127.0.0.1:", "is no port"),
        ("tcp:127.0.0.1:65536", "is no port"),
        ("tcp:127.0.0.1:-1", "is no port"),
        ("tcp:127.0.0.1:\N{ARABIC-INDIC DIGIT ONE}", "is no port"),
    ],
)
def test_other_specs_are_refused_in_a_sentence(text: str, part_of_the_sentence: str) -> None:
    with pytest.raises(ControlSpecError) as caught:
        parse_control_spec(text)
    assert part_of_the_sentence in str(caught.value)


@given(st.sampled_from(["", "unix:", "tcp:", "tcp:127.0.0.1:", "tcp:[", "/"]), st.text(max_size=20))
def test_any_text_is_a_spec_or_refused(prefix: str, rest: str) -> None:
    try:
        spec = parse_control_spec(prefix + rest)
    except ControlSpecError:
        return
    assert isinstance(spec, UnixSpec) or spec.address in ("127.0.0.1", "::1")
