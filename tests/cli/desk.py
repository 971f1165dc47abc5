"""A pump in this process, its serial line, and a person who types commands."""

from __future__ import annotations

import json
import time
from functools import partialmethod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main
from emulator.events import SessionChanged
from emulator.inputs import LineChange, ReplaceKeys
from emulator.programmer import link as link_module
from emulator.programmer.link import LinkBroke, SerialLink
from protocol import keys
from protocol.host_end import Answered, HostEnd, NoAnswer, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import RoleKeys
from protocol.messages.codes import Role
from protocol.messages.link import HelloRequest
from tests.programmer.dying_host import SERIAL_NUMBER, World

HOUR_US = 3_600_000_000
OTHER_PORT, OTHER_HOST = 1, 0xB2
OWN_KEYS = RoleKeys(MappingProxyType({role: bytes([role]) * 16 for role in Role}))


class Desk:
    """A pump, its line and a person who types commands. `interrupts` and `breaks` strike behind requests of a class.

    `before` is done once, before the next request of a class leaves.
    """

    def __init__(self, *, insecure: bool, profile: str = "reference-20") -> None:
        self.world = World(insecure=insecure, profile=profile)
        self.insecure = insecure
        self.interrupts: type | None = None
        self.breaks: type | None = None
        self.before: dict[type, Any] = {}
        self.answers: dict[type, list[Answered | Refused | NoAnswer]] = {}

    def vpump(self, *arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def document(self, *arguments: str, status: int = 0) -> Any:
        result = self.vpump(*arguments, "--json")
        assert result.exit_code == status, result.stderr
        return json.loads(result.stdout)

    def exchange(self, link: SerialLink, message: object) -> Answered | Refused | NoAnswer:
        happens = self.before.pop(type(message), None)
        if happens is not None:
            happens()
        reply = EXCHANGE(link, message)
        if self.interrupts is not None and isinstance(message, self.interrupts):
            raise KeyboardInterrupt
        if self.breaks is not None and isinstance(message, self.breaks):
            raise LinkBroke("the line broke: it was pulled.")
        scripted = self.answers.get(type(message))
        return scripted.pop(0) if scripted else reply

    def lose_power(self) -> None:
        """The pump has its power again before anybody can miss it, and no session any more."""
        self.world.power_cycle()
        self.world.pause(1)

    def has_keys_of_its_own(self) -> None:
        self.world.device.control(
            ReplaceKeys({role.name.lower(): key for role, key in OWN_KEYS.of_role.items()}), self.world.now
        )

    def another_programmer_comes(self) -> None:
        """At a port of its own, and takes the clinician's place."""
        device, now, end = self.world.device, self.world.now, HostEnd()

        def event() -> object:
            while (found := end.next_event()) is None:
                device.receive(end.data_to_send(), now, OTHER_PORT)
                end.receive(device.data_to_send(now, port=OTHER_PORT), now)
            return found

        device.line(LineChange.OPENED, now, OTHER_PORT)
        end.request(HelloRequest(major=1, minor=0), now)
        assert isinstance(event(), Answered)
        key = keys.test_keys(SERIAL_NUMBER).of_role[Role.CLINICIAN]
        end.open_session(
            SessionWanted(Role.CLINICIAN, OTHER_HOST, key, self.world.chance.token_bytes(8), takeover=True), now
        )
        assert isinstance(event(), SessionReady)

    def sessions(self) -> list[tuple[str, int]]:
        """The role and host of each session that was opened since this was asked last."""
        self.world.collect()
        found = [each for each in self.world.events if isinstance(each, SessionChanged) and each.change == "opened"]
        self.world.events.clear()
        return [(each.role, each.host_id) for each in found]


EXCHANGE = SerialLink.exchange


def _exchange(link: SerialLink, desk: Desk, message: object) -> Answered | Refused | NoAnswer:
    return desk.exchange(link, message)


def desk_of(monkeypatch: pytest.MonkeyPatch, home: Path, *, insecure: bool, profile: str = "reference-20") -> Desk:
    for name in ("VPUMP_KEYS", "VPUMP_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VPUMP_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("VPUMP_PORT", "desk")
    made = Desk(insecure=insecure, profile=profile)
    monkeypatch.setattr(link_module, "open_line", made.world.open_line)
    monkeypatch.setattr(link_module, "_now_us", lambda: made.world.now)
    monkeypatch.setattr(link_module, "secrets", made.world.chance)
    monkeypatch.setattr(SerialLink, "exchange", partialmethod(_exchange, made))
    monkeypatch.setattr(time, "sleep", lambda seconds: made.world.pause(int(seconds * 1_000_000)))
    return made
