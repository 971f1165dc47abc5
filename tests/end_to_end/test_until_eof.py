"""A pump that ends with its standard input: however whoever has started it goes, it leaves no pump behind."""

from __future__ import annotations

import os

import pytest

from tests.end_to_end.conftest import Vpump
from tests.end_to_end.product import Commands, Home, ServedPump


@pytest.mark.parametrize("said", [b"", b"whatever"], ids=["silent", "talking"])
def test_it_runs_while_the_pipe_is_open_and_ends_in_good_order_behind_it(
    commands: Commands, home: Home, said: bytes
) -> None:
    read_end, held_end = os.pipe()
    try:
        started = commands.start(home, ["serve", "--json", "--until-eof", "--journal", "j"], stdin=read_end)
    finally:
        os.close(read_end)
    pump = ServedPump(started)
    try:
        os.write(held_end, said)
        assert not pump.process.has_ended
    finally:
        os.close(held_end)
    pump.finished = finished = pump.process.wait()
    assert finished.status == 0, finished
    assert '"end"' in (home.directory / "j").read_text().splitlines()[-1]


def test_an_input_that_has_no_end_is_refused(vpump: Vpump) -> None:
    refused = vpump("serve", "--until-eof")
    assert (refused.status, refused.sentence) == (
        2,
        "--until-eof: standard input is neither a pipe nor a terminal, so there is no end of it to wait for.",
    )
