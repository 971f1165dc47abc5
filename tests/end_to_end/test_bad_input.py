"""What goes wrong is said in one sentence, with the exit status that scripts rely on."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import tty
from collections.abc import Iterator

import pytest

from emulator.faults.registry import REGISTRY
from firmware_model.faults.registry import FAULTS
from protocol.messages.codes import AlarmType
from protocol.messages.operations import OPERATIONS
from tests.end_to_end.conftest import Serve, Start, Vpump
from tests.end_to_end.product import INTERRUPTED, Finished, Home, ServedPump

REFUSED, USAGE, NO_PUMP, UNKNOWN = 1, 2, 3, 6


def fails(finished: Finished, status: int, sentence: str) -> None:
    assert (finished.status, finished.stdout, finished.sentence) == (status, "", sentence)


@contextlib.contextmanager
def port_without_a_pump() -> Iterator[str]:
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        yield os.ttyname(slave)
    finally:
        os.close(slave)
        os.close(master)


def test_no_pump_is_to_be_found(vpump: Vpump, home: Home) -> None:
    fails(
        vpump("interrogate"),
        NO_PUMP,
        "no pump runs here; start one with 'vpump serve', or name its port with --port.",
    )
    fails(
        vpump("control", "truth"),
        NO_PUMP,
        "no pump with a control plane runs here; start one with 'vpump serve --control unix:PATH', or say where it is "
        "with --control URL.",
    )
    assert vpump("ls").stdout == "No pump runs on this machine; start one with 'vpump serve'.\n"
    assert vpump("ls", "--json").document == []
    nowhere = str(home.directory / "nowhere")
    for command in (("caps",), ("bolus", "50uL"), ("op", "7"), ("send", "00"), ("log", "--follow")):
        fails(vpump(*command, "-p", nowhere), NO_PUMP, f"there is no port {nowhere}.")
    fails(vpump("caps", "-p", "socket://127.0.0.1:1"), NO_PUMP, "nobody listens on socket://127.0.0.1:1.")
    fails(
        vpump("control", "--control", f"unix:{nowhere}", "advance", "1s"),
        NO_PUMP,
        f"nobody answers at unix:{nowhere}: No such file or directory.",
    )
    with port_without_a_pump() as port:
        fails(
            vpump("bolus", "50uL", "-p", port, "--timeout", "50ms"),
            NO_PUMP,
            f"{port} can be opened, but no pump answers there.",
        )
    assert not home.state.exists(), "nothing was intended"


QUANTITIES = [
    (("bolus", "50"), "'VOLUME': '50' has no unit; write a volume with its unit nL, uL or mL, such as 50uL."),
    (
        ("bolus", "0,05mL"),
        "'VOLUME': '0,05mL' has a comma; write a decimal point and no separators, such as 0.5.",
    ),
    (("bolus", "0uL"), "'VOLUME': '0uL' is zero; it must be above zero."),
    (("bolus", "0.5nL"), "'VOLUME': '0.5nL' is finer than 1 nL, the smallest step there is."),
    (
        ("bolus", "50ug"),
        "'VOLUME': '50ug' has the unit 'ug', which is not known here; write a volume with its unit nL, uL or mL, such "
        "as 50uL.",
    ),
    (("bolus", "50uL", "--over", "1500ms"), "--over: a bolus lasts whole seconds, such as 90s."),
    (
        ("control", "advance", "30"),
        "'DURATION': '30' has no unit; write a duration with its unit d, h, min, s, ms or us, such as 90s or 1d12h.",
    ),
    (
        ("control", "advance", "12h1d"),
        "'DURATION': '12h1d' has its units in the wrong order; write the larger ones first, as in 1d12h.",
    ),
    (("op", "0"), "'[ID]': 0 is not in the range 1<=x<=4294967294."),
    (("bolus", "50uL", "--op-id", "x"), "'--op-id': 'x' is not a valid integer range."),
]


def test_quantities_are_exact_or_refused(vpump: Vpump) -> None:
    for command, sentence in QUANTITIES:
        name = " ".join(word for word in command[:2] if word.isalpha())
        finished = vpump(*command)
        assert (finished.status, finished.stdout) == (USAGE, ""), finished
        assert finished.sentence == f"Invalid value for {sentence} (See vpump {name} --help.)", finished


def test_words_that_mean_nothing(vpump: Vpump) -> None:
    fails(vpump("blous", "50uL"), USAGE, "No such command 'blous'. (See vpump --help.)")
    fails(vpump("bolus"), USAGE, "Missing argument 'VOLUME'. (See vpump bolus --help.)")
    fails(
        vpump("bolus", "-50uL"),
        USAGE,
        "'-5' is negative or no option; a quantity must be above zero. (See vpump bolus --help.)",
    )
    fails(vpump("decode", stdin=b"00 1g"), USAGE, "line 1: '1g' is no hex; allowed are pairs of 0 to 9 and a to f.")
    fails(
        vpump("decode", stdin=b"00 02\n10 07 zz\n"),
        USAGE,
        "line 2: 'zz' is no hex; allowed are pairs of 0 to 9 and a to f.",
    )
    fails(vpump("decode"), USAGE, "there are no bytes to decode; give hex on standard input, or a FILE.")
    garbage = vpump("decode", stdin=b"\x00\x05\xff\x01\x00\xfe\xfd")
    assert garbage.status == 0
    assert garbage.stdout.splitlines() == [
        "     0  rejected: broken COBS coding: code 05 says that 4 bytes follow, and 2 do (byte 1)  00 05 ff 01 00",
        "     5  rejected: unfinished: 2 bytes without a final 00  fe fd",
    ]


PROFILES = {
    "no TOML": (
        'extends = "reference-20',
        "profile broken is not valid TOML: Illegal character '\\n' (at line 1, column 24)",
    ),
    "an unknown base": (
        'extends = "reference-30"',
        "profile broken, line 1: extends 'reference-30', which is no profile",
    ),
    "an unknown section": (
        'extends = "reference-20"\n[pumping]\n',
        "profile broken, line 2: 'pumping' is no section; allowed are device, motor, reservoir, therapy, bolus, "
        "patient, catheter, memory, log, clock, cell, stall, supervisor, tones, stream, "
        + ", ".join(f"alarm.{kind.name.lower()}" for kind in AlarmType),
    ),
    "an unknown parameter": (
        'extends = "reference-20"\n[tones]\nvolts = { value = 3, chosen = "why not" }',
        "profile broken, line 3: tones.volts is no parameter; [tones] has repeat_min_min, repeat_max_min, silence_min",
    ),
    "a value out of range": (
        'extends = "reference-20"\n\n[motor]\nstep_volume_nl = { value = 0, chosen = "a still motor" }',
        "profile broken, line 4: motor.step_volume_nl is 0, but allowed is a whole number from 1 to 10000 nl",
    ),
    "a value without its source": (
        'extends = "reference-20"\n[motor]\nstep_volume_nl = 25',
        'profile broken, line 3: motor.step_volume_nl must be { value = …, found = "source" } or '
        '{ value = …, chosen = "reason" }',
    ),
    "limits that contradict each other": (
        'extends = "reference-20"\n[bolus]\nvolume_min_nl = { value = 2_000_000, chosen = "much" }',
        "profile broken, line 3: bolus.volume_min_nl is 2000000, but at most 1000000 is allowed (bolus.volume_max_nl)",
    ),
    "half of a profile": ("[cell]\n", "profile broken: device.model is missing (model name)"),
}


def test_a_broken_profile_is_refused_where_it_is_broken(vpump: Vpump, home: Home) -> None:
    path = home.directory / "broken.toml"
    for content, sentence in PROFILES.values():
        path.write_text(f"{content}\n")
        fails(vpump("serve", "--profile", str(path)), USAGE, f"{sentence}.")
    path.write_bytes(b"\xff\xfe")
    fails(vpump("serve", "--profile", str(path)), USAGE, f"profile {path} is not UTF-8 text: byte 0.")
    fails(
        vpump("serve", "--profile", str(home.directory / "none.toml")),
        USAGE,
        f"profile {home.directory / 'none.toml'}: No such file or directory.",
    )
    fails(
        vpump("serve", "--profile", "reference-30"),
        USAGE,
        "profile 'reference-30' is neither a file nor one of reference-20, reference-40.",
    )


SPECS = {
    "--listen ptty": "'ptty' is no port: allowed are pty, pty:LINK and tcp:HOST:PORT, such as tcp:127.0.0.1:0.",
    "--listen tcp:127.0.0.1": "'tcp:127.0.0.1' has no port number: allowed are pty, pty:LINK and tcp:HOST:PORT, such "
    "as tcp:127.0.0.1:0.",
    "--listen tcp:0.0.0.0:7000": "'tcp:0.0.0.0:7000' has the host '0.0.0.0', and a pump listens on this machine only: "
    "allowed are 127.0.0.1, ::1, localhost.",
    "--speed fast": "'fast' is no speed: allowed are decimal numbers from 0 to 1000000000, with up to 9 decimals, such "
    "as 200, 0.5 or 0.",
    "--serial-number C0FFEE42A": "'C0FFEE42A' is none: allowed are 1 to 8 hexadecimal digits, from 00000001 to "
    "FFFFFFFE.",
    "--fault lose answer HELLO": "fault 'lose answer HELLO': verb 'lose' is not known; allowed are "
    + ", ".join([*REGISTRY, *FAULTS])
    + ".",
    "--fault drop answer HELLO nth=0": "fault 'drop answer HELLO nth=0': nth is '0', but allowed is a whole number"
    " from 1 to 1000000.",
}


def test_what_serve_cannot_do(vpump: Vpump, home: Home) -> None:
    taken = home.directory / "taken"
    taken.write_text("somebody's file")
    for arguments, sentence in {
        **SPECS,
        f"--listen pty:{taken}": f"The link {taken} cannot be made: something is there already.",
    }.items():
        option, value = arguments.split(" ", 1)
        fails(vpump("serve", option, value), USAGE, f"{option}: {sentence}")
    assert taken.read_text() == "somebody's file"


def test_several_pumps_run_and_none_is_named(serve: Serve, vpump: Vpump) -> None:
    first = serve("--speed", "0", "--control", "unix:control.sock")
    fails(
        vpump("serve", "--control", "unix:control.sock"),
        USAGE,
        f"--control: control socket '{first.ready['control'].removeprefix('unix:')}' is in use by another vpump.",
    )
    second = serve("--speed", "0", "--serial-number", "1234", "--control", "tcp:127.0.0.1:0")
    fails(
        vpump("bolus", "50uL"),
        USAGE,
        f"2 pumps run here (00C0FFEE at {first.url}, 00001234 at {second.url}); name one with --port.",
    )
    fails(
        vpump("control", "truth"),
        USAGE,
        "several pumps with a control plane run here; choose one with --control: "
        f"{first.ready['control']} (00C0FFEE), {second.ready['control']} (00001234).",
    )
    assert vpump("caps", "-p", second.url).status == 0
    assert vpump("control", "--control", second.ready["control"], "truth").status == 0
    refused = vpump("control", "--control", second.ready["control"], "--token", "guessed", "truth")
    assert (refused.status, refused.stdout) == (NO_PUMP, "")
    assert refused.sentence.endswith("Give it with --token or VPUMP_CONTROL_TOKEN.")
    fails(
        vpump("control", "--control", first.ready["control"], "fault", "drop", "answer", "BOLUS_EXECUT"),
        USAGE,
        "fault 'drop answer BOLUS_EXECUT': operation 'BOLUS_EXECUT' is not known (did you mean BOLUS_EXECUTE?); "
        f"allowed are {', '.join(row.name for row in OPERATIONS)}, any.",
    )


@pytest.mark.usefixtures("frozen_pump")
def test_what_the_pump_refuses(vpump: Vpump) -> None:
    """The reason, and the limit that the pump named."""
    limit = vpump("caps", "--json").document["bolus_volume_max_nl"]
    fails(
        vpump("bolus", "1.5mL"),
        REFUSED,
        "the pump refused BOLUS_PREPARE (ABOVE_MAXIMUM): above the most possible, volume_nl is 1.5 mL, the maximum: "
        "1 mL; ask for less.",
    )
    refused = vpump("bolus", "1.5mL", "--json")
    assert refused.status == REFUSED
    assert refused.document == {"error": refused.sentence, "code": "above_maximum", "limit": limit}
    fails(
        vpump("therapy", "start"),
        REFUSED,
        "the pump refused START (ALREADY_IN_STATE): already so; nothing to do.",
    )
    fails(vpump("therapy", "cancel"), REFUSED, "no bolus is running, so there is nothing to cancel.")
    fails(
        vpump("alarm", "ack", "3"),
        REFUSED,
        "the pump refused ALARM_ACK (NO_SUCH_ALARM): no alarm with this instance, instance is 3; read ALARM_LIST.",
    )
    assert vpump("bolus", "50uL", "--op-id", "9").status == 0
    fails(
        vpump("bolus", "60uL", "--op-id", "9"),
        USAGE,
        "op id 9 belongs to another command (bolus single 50 uL over the shortest time); use a new op id.",
    )
    fails(
        vpump("bolus", "60uL", "--op-id", "8"),
        REFUSED,
        "op id 8 has been used on this pump, and not by this programmer's book; 'vpump op 8' says what became of it, "
        "and the next free one is 10.",
    )
    running = vpump("bolus", "60uL")
    assert running.status == REFUSED
    assert "(BOLUS_RUNNING): a bolus is running, its bolus id: 1;" in running.sentence


def test_nobody_answers_after_execute_has_left(frozen_pump: ServedPump, vpump: Vpump) -> None:
    """The outcome is unknown, and says so until somebody can ask the pump."""
    frozen_pump.control.arm_fault("drop answer BOLUS_EXECUTE count=4")
    frozen_pump.control.arm_fault("drop answer OP_LIST nth=2 count=4")
    lost = vpump("bolus", "10uL", "--timeout", "150ms", "--json")
    assert lost.status == UNKNOWN, lost
    assert (lost.document["code"], lost.document["op_id"]) == ("outcome_unknown", 1)
    asking, unknown = lost.stderr.splitlines()
    assert asking == "vpump: operation 1: the pump does not answer; asking what became of it."
    assert unknown == f"vpump: {lost.document['error']}"
    assert unknown == (
        "vpump: the outcome of operation 1 (bolus single 10 uL over the shortest time) is unknown: the pump does not "
        "answer, and asking what became of it failed, as the pump does not answer; ask again with 'vpump op 1'."
    )

    frozen_pump.control.arm_fault("drop answer OP_LIST count=4")
    still = vpump("bolus", "20uL", "--timeout", "150ms")
    assert still.status == UNKNOWN, "nothing new is begun before the old is known"
    assert vpump("op", "1", "--json").document["state"] == "executing"
    assert [op["op_id"] for op in vpump("op", "--json").document["ops"]] == [1]


def test_ctrl_c_tells_which_operation_goes_on(frozen_pump: ServedPump, start: Start, vpump: Vpump) -> None:
    waiting = start("bolus", "10uL", "--wait")
    waiting.stderr.wait_for(lambda line: line.endswith("waiting for its end."))
    finished = waiting.interrupt()
    assert (finished.status, finished.stdout) == (INTERRUPTED, "")
    assert finished.stderr.splitlines()[-1] == (
        "vpump: interrupted; the pump goes on without us, and 'vpump op 1' says what became of operation 1."
    )
    frozen_pump.control.advance(3_600_000_000)
    again = vpump("bolus", "10uL", "--wait", "--json")
    assert (again.status, again.document["op_id"], again.document["continued"]) == (0, 1, True)
    assert again.document["state"] == "done"
    served = frozen_pump.end(signal.SIGINT, INTERRUPTED)
    assert served.stderr.splitlines()[-1] == "vpump: interrupted."
