"""The grammar of a port."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.ports.spec import PortSpecError, PtySpec, TcpSpec, parse_port


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("pty", PtySpec("pty")),
        ("pty:/tmp/pump", PtySpec("pty:/tmp/pump", "/tmp/pump")),  # noqa: S108 - a name, nothing is made
        ("pty:a:b", PtySpec("pty:a:b", "a:b")),
        ("tcp:127.0.0.1:0", TcpSpec("tcp:127.0.0.1:0", "127.0.0.1", 0)),
        ("tcp:localhost:65535", TcpSpec("tcp:localhost:65535", "localhost", 65535)),
        ("tcp:::1:7000", TcpSpec("tcp:::1:7000", "::1", 7000)),
        ("tcp:[::1]:7000", TcpSpec("tcp:[::1]:7000", "::1", 7000)),
    ],
)
def test_good_specs(text: str, spec: PtySpec | TcpSpec) -> None:
    assert parse_port(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        *["", "PTY", "com7", "pty:", "pty:dir/", "tcp", "tcp:", "tcp:7000", "tcp:localhost:", "tcp:localhost:-1"],
        *["tcp:localhost:65536", "tcp:localhost:1e3", "tcp:localhost:٣", "tcp:0.0.0.0:1", "tcp::1"],
        "tcp:example.org:80",
    ],
)
def test_bad_specs_are_named_in_one_sentence_with_what_is_allowed(text: str) -> None:
    with pytest.raises(PortSpecError) as caught:
        parse_port(text)
    sentence = str(caught.value)
    assert repr(text) in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert "allowed are" in sentence or "comes the path" in sentence


@given(st.text(max_size=30) | st.from_regex(r"(pty|tcp)(:.{0,10}){0,3}", fullmatch=True))
def test_every_text_is_a_spec_or_a_sentence(text: str) -> None:
    with contextlib.suppress(PortSpecError):
        assert parse_port(text).text == text
