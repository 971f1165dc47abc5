"""Who the client commands come as, with which key, and what they do about sessions that die."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from emulator.events import FrameSeen
from emulator.keyfile import write_key_file
from emulator.programmer.link import SerialLink
from protocol.host_end import Refused
from protocol.keys import RoleKeys
from protocol.messages.alarm import AlarmListRequest
from protocol.messages.codes import Role
from protocol.messages.deliver import BolusExecuteRequest
from protocol.messages.link import KeepaliveRequest
from protocol.messages.op import OpListRequest
from protocol.messages.read import StatusRequest
from protocol.messages.stream import SubscribeRequest
from protocol.refusals import Nak, NakCode
from tests.cli.desk import HOUR_US, OTHER_HOST, OWN_KEYS, Desk
from tests.programmer.dying_host import SERIAL_NUMBER

# Who comes, and with which key


READING = [["interrogate"], ["caps"], ["watch", "--count", "1"], ["op"], ["op", "7"], ["log"], ["alarm", "list"]]
WORKING = [["bolus", "50uL"], ["therapy", "stop"], ["alarm", "ack", "--all"]]


def test_each_command_comes_as_the_least_role_that_will_do(keyed_desk: Desk) -> None:
    for command in READING:
        keyed_desk.vpump(*command)
        ((role, _),) = keyed_desk.sessions()
        assert role == "reader", command
    hosts = set()
    for command in WORKING:
        keyed_desk.vpump(*command)
        ((role, host_id),) = keyed_desk.sessions()
        assert role == "clinician", command
        hosts.add(host_id)
    assert len(hosts) == 1
    assert 0 not in hosts


def test_a_role_can_be_chosen_and_must_be_enough(keyed_desk: Desk) -> None:
    for role in ("reader", "patient", "clinician"):
        assert keyed_desk.vpump("caps", "--role", role).exit_code == 0
        assert [opened for opened, _ in keyed_desk.sessions()] == [role]
    refused = keyed_desk.document("bolus", "50uL", "--role", "patient", status=1)
    assert refused["code"] == "role"
    assert refused["error"] == ("role patient may not do BOLUS_PREPARE (ROLE); that needs role clinician, see --role.")
    stopped = keyed_desk.vpump("therapy", "stop", "--role", "reader")
    assert (stopped.exit_code, stopped.stderr) == (
        1,
        "vpump: role reader may not do STOP (ROLE); that needs role clinician, see --role.\n",
    )
    keyed_desk.world.pause(31 * 24 * HOUR_US)
    assert "that needs role patient or clinician" in keyed_desk.vpump("alarm", "ack", "1", "--role", "reader").stderr
    assert keyed_desk.vpump("alarm", "ack", "1", "--role", "patient").exit_code == 0


def test_a_pump_with_keys_of_its_own_wants_them(
    keyed_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed_desk.has_keys_of_its_own()
    for command in (*READING, *WORKING):
        result = keyed_desk.vpump(*command)
        assert result.exit_code == 2
        assert result.stderr == "vpump: pump 00C0FFEE has keys of its own; give them with --keys FILE.\n"
    file = tmp_path / "keys.toml"
    write_key_file(file, {SERIAL_NUMBER: RoleKeys({Role.READER: OWN_KEYS.of_role[Role.READER]})})
    assert keyed_desk.vpump("caps", "--keys", str(file)).exit_code == 0
    refused = keyed_desk.vpump("bolus", "50uL", "--keys", str(file))
    assert refused.exit_code == 2
    assert refused.stderr == f"vpump: {file} holds no key for role clinician of pump 00C0FFEE.\n"
    monkeypatch.setenv("VPUMP_KEYS", str(file))
    assert "TEST KEYS" not in keyed_desk.vpump("interrogate").stdout


def test_wrong_keys_and_wrong_files(keyed_desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    write_key_file(file, {SERIAL_NUMBER: OWN_KEYS})
    wrong = keyed_desk.vpump("therapy", "stop", "--keys", str(file))
    assert wrong.exit_code == 3
    assert wrong.stderr == f"vpump: the key for role clinician in {file} is not the key of pump 00C0FFEE.\n"
    # Nothing was tried at the pump, so nothing is held against us.
    assert keyed_desk.vpump("therapy", "stop").exit_code == 0
    file.chmod(0o644)
    for command in (*READING, *WORKING):
        result = keyed_desk.vpump(*command, "--keys", str(file), "--port", "/dev/no-such-port")
        assert result.exit_code == 2
        assert "mode 0644" in result.stderr
    write_key_file(tmp_path / "other.toml", {7: OWN_KEYS})
    assert keyed_desk.vpump("caps", "--keys", str(tmp_path / "other.toml")).exit_code == 0


def test_a_delay_after_wrong_keys_is_a_refusal_with_its_seconds(keyed_desk: Desk) -> None:
    keyed_desk.vpump("caps")
    script = iter([Refused(Nak(NakCode.DELAY, detail=30), 1), Refused(Nak(NakCode.ATTEMPTS, detail=15), 1)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SerialLink, "_open_and_authenticate", lambda *_: next(script))
        refused = keyed_desk.document("therapy", "stop", status=1)
        assert (refused["code"], refused["limit"]) == ("delay", 30)
        wrong = keyed_desk.vpump("therapy", "stop")
        assert wrong.exit_code == 3
        assert "is not the key of pump 00C0FFEE, and the pump takes the next one in 15 s." in wrong.stderr


def test_an_insecure_pump_is_asked_without_a_session_and_says_so_to_who_has_its_keys(
    insecure_desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "keys.toml"
    write_key_file(file, {SERIAL_NUMBER: OWN_KEYS})
    insecure_desk.world.events.clear()
    result = insecure_desk.vpump("therapy", "stop", "--keys", str(file))
    assert result.exit_code == 0
    assert result.stderr == f"vpump: pump 00C0FFEE is INSECURE, so its keys in {file} protect nothing.\n"
    insecure_desk.world.collect()
    assert "OPEN" not in {each.name for each in insecure_desk.world.events if isinstance(each, FrameSeen)}
    assert not (tmp_path / "state" / "host-id").exists()


# The place, and sessions that die


def test_another_clinician_is_named_and_can_be_relieved(keyed_desk: Desk) -> None:
    keyed_desk.another_programmer_comes()
    busy = keyed_desk.document("bolus", "50uL", status=1)
    assert (busy["code"], busy["limit"]) == ("busy_other_host", OTHER_HOST)
    assert "host 000000B2" in busy["error"]
    assert "--takeover" in busy["error"]
    assert keyed_desk.vpump("caps").exit_code == 0
    assert keyed_desk.vpump("bolus", "50uL", "--takeover").exit_code == 0
    lines = [json.loads(line) for line in keyed_desk.vpump("log", "--json").stdout.splitlines()]
    assert "session_taken_over" in [line["type"] for line in lines]


@pytest.mark.parametrize("at", [OpListRequest, StatusRequest, AlarmListRequest])
def test_reading_goes_on_in_a_new_session_when_the_pump_has_lost_its_power(keyed_desk: Desk, at: type) -> None:
    keyed_desk.before[at] = keyed_desk.lose_power
    result = keyed_desk.vpump("interrogate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert not keyed_desk.before
    assert len(keyed_desk.sessions()) == 2


def test_a_bolus_whose_session_dies_before_it_is_not_given_and_that_is_known(keyed_desk: Desk) -> None:
    keyed_desk.before[BolusExecuteRequest] = keyed_desk.lose_power
    result = keyed_desk.vpump("bolus", "50uL")
    assert result.exit_code == 3
    assert "the pump never received operation 1, so nothing has happened; run the command again." in result.stderr
    assert keyed_desk.world.started() == 0
    assert keyed_desk.vpump("bolus", "50uL").exit_code == 0
    assert keyed_desk.world.started() == 1


def test_a_bolus_whose_place_was_taken_is_unknown_until_somebody_may_ask(keyed_desk: Desk) -> None:
    keyed_desk.before[BolusExecuteRequest] = keyed_desk.another_programmer_comes
    unknown = keyed_desk.document("bolus", "50uL", status=6)
    assert (unknown["op_id"], unknown["final"]) == (1, False)
    assert "host 000000B2" in unknown["error"]
    # The same command again knows no more, and any role may ask, though without a final word.
    assert keyed_desk.document("bolus", "50uL", status=6)["op_id"] == 1
    assert keyed_desk.document("op", "1", "--role", "clinician", status=6)["op_id"] == 1
    keyed_desk.sessions()
    asked = keyed_desk.vpump("op", "1")
    assert asked.exit_code == 6
    assert "only a session of role clinician makes that final" in asked.stderr
    assert [role for role, _ in keyed_desk.sessions()] == ["reader"]
    assert keyed_desk.document("op", "1", "--takeover")["outcome"] == "not_taken"
    assert keyed_desk.world.started() == 0


def test_a_taken_bolus_is_told_to_a_reader_while_another_clinician_has_the_place(keyed_desk: Desk) -> None:
    keyed_desk.breaks = BolusExecuteRequest
    keyed_desk.document("bolus", "50uL", status=6)
    keyed_desk.breaks = None
    keyed_desk.another_programmer_comes()
    assert keyed_desk.document("op", "1")["outcome"] == "taken"


def test_an_operation_that_is_not_finished_is_settled_in_its_own_role(keyed_desk: Desk) -> None:
    keyed_desk.before[BolusExecuteRequest] = keyed_desk.lose_power
    keyed_desk.breaks = BolusExecuteRequest
    assert keyed_desk.vpump("bolus", "50uL").exit_code == 6
    keyed_desk.breaks = None
    ((_, host_id),) = keyed_desk.sessions()
    assert keyed_desk.document("op", "1")["outcome"] == "not_taken"
    assert keyed_desk.sessions() == [("clinician", host_id)]
    keyed_desk.vpump("op", "1")
    assert [role for role, _ in keyed_desk.sessions()] == ["reader"]


def test_keys_that_are_replaced_while_a_bolus_waits_leave_it_unknown(keyed_desk: Desk) -> None:
    keyed_desk.before[BolusExecuteRequest] = keyed_desk.has_keys_of_its_own
    unknown = keyed_desk.document("bolus", "50uL", status=6)
    assert "is not the key of pump 00C0FFEE" in unknown["error"]


def test_a_place_that_is_taken_while_a_bolus_is_waited_for(keyed_desk: Desk) -> None:
    def later() -> None:
        keyed_desk.before[StatusRequest] = keyed_desk.another_programmer_comes

    keyed_desk.before[StatusRequest] = later
    unknown = keyed_desk.document("bolus", "50uL", "--wait", status=6)
    assert unknown["error"].startswith("operation 1 was taken, and then another programmer (host 000000B2)")


def test_watching_with_long_pauses_keeps_its_session(keyed_desk: Desk) -> None:
    watched = keyed_desk.vpump("watch", "--interval", "10min", "--count", "4")
    assert watched.exit_code == 0
    assert watched.stdout.count("\n") == 4
    assert len(keyed_desk.sessions()) == 1
    assert keyed_desk.world.now >= 30 * 60_000_000


def test_a_line_that_breaks_in_a_long_pause_ends_the_watch(keyed_desk: Desk) -> None:
    keyed_desk.breaks = KeepaliveRequest
    watched = keyed_desk.vpump("watch", "--interval", "10min")
    assert (watched.exit_code, watched.stdout.count("\n")) == (3, 1)
    assert watched.stderr == "vpump: the line broke: it was pulled.\n"


def test_watching_outlives_any_number_of_power_cuts(keyed_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(_: float) -> None:
        keyed_desk.before[StatusRequest] = keyed_desk.lose_power

    monkeypatch.setattr(time, "sleep", sleep)
    watched = keyed_desk.vpump("watch", "--interval", "1500ms", "--count", "9")
    assert (watched.exit_code, watched.stderr, watched.stdout.count("\n")) == (0, "", 9)
    assert len(keyed_desk.sessions()) == 9


@pytest.mark.parametrize(("interval", "asked"), [("1500ms", StatusRequest), ("5min", SubscribeRequest)])
def test_a_command_whose_sessions_always_die_comes_to_an_end(keyed_desk: Desk, interval: str, asked: type) -> None:
    def cut_again() -> None:
        keyed_desk.lose_power()
        keyed_desk.before[asked] = cut_again

    keyed_desk.before[asked] = cut_again
    watched = keyed_desk.vpump("watch", "--interval", interval, "--count", "6")
    assert watched.exit_code == 3
    assert "has ended our session 4 times" in watched.stderr


def test_send_opens_no_session(keyed_desk: Desk) -> None:
    hello = "00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00"
    assert "HELLO" in keyed_desk.vpump("send", hello).stdout
    assert keyed_desk.sessions() == []
    assert keyed_desk.vpump("send", hello, "--keys", "x").exit_code == 2


def test_whose_operation_is_not_as_whom_we_come(keyed_desk: Desk) -> None:
    asked = keyed_desk.document("op", "7", "--of", "patient", "--role", "clinician")
    assert asked["role"] == "patient"
    assert [role for role, _ in keyed_desk.sessions()] == ["clinician"]
