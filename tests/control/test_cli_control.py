"""`vpump control` against a control plane that serves, and against none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main
from emulator.inputs import CutPower, ReplaceKeys, RestorePower, UseSyringe
from emulator.running import PortRecord, RunningPump, register
from firmware_model.memory import CutMode
from tests.control.fake_serving import PATIENCE_S, ServedControl

FAULT = "drop answer BOLUS_EXECUTE nth=1 count=1"


@pytest.fixture(autouse=True)
def _own_pumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other pump of this machine is seen, and no setting of whoever runs the tests."""
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(tmp_path / "pumps"))
    monkeypatch.delenv("VPUMP_CONTROL", raising=False)
    monkeypatch.delenv("VPUMP_CONTROL_TOKEN", raising=False)


@pytest.fixture
def _running(served: ServedControl) -> Iterator[None]:
    """The served pump is the one that runs here."""
    with register(running_pump(served.handle.url, None)):
        yield


def running_pump(control: str | None, token: str | None, pid: int | None = None) -> RunningPump:
    return RunningPump(
        serial_number="00C0FFEE",
        ports=(PortRecord("pty", "/dev/pts/3"),),
        control=control,
        control_token=token,
        profile="reference-20",
        seed=0,
        speed=1,
        pid=os.getpid() if pid is None else pid,
        started=1.0,
    )


def vpump(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env=env)


def test_every_group_and_verb_teaches_by_example() -> None:
    verbs = [[], ["advance"], ["run-until"], ["fault"], ["faults"], ["syringe"], ["truth"], ["keys"], ["shutdown"]]
    verbs += [["power"], ["power", "cut"], ["power", "restore"], ["environment"], ["events"], ["identity"]]
    verbs += [["state"], ["state", "save"], ["state", "load"], ["openapi"]]
    verbs += [["capture"], *(["capture", verb] for verb in ("start", "end", "list", "fetch"))]
    for verb in verbs:
        result = vpump("control", *verb, "--help")
        assert result.exit_code == 0
        assert " ".join(["  vpump control", *verb]) in result.stdout
        assert "Example" in result.stdout


@pytest.mark.usefixtures("_running")
def test_advance(served: ServedControl) -> None:
    result = vpump("control", "advance", "1d12h")
    assert (result.exit_code, result.stdout) == (0, "virtual time is now 1d 12h\n")
    assert served.serving.time_us == 129_600_000_000
    result = vpump("control", "advance", "1us", "--json")
    assert json.loads(result.stdout) == {"now_us": 129_600_000_001}


@pytest.mark.usefixtures("_running")
def test_json_may_stand_at_the_group_too() -> None:
    result = vpump("control", "--json", "advance", "1us")
    assert json.loads(result.stdout) == {"now_us": 1}


@pytest.mark.usefixtures("_running")
def test_a_duration_without_a_unit_is_wrong_usage(served: ServedControl) -> None:
    result = vpump("control", "advance", "30")
    assert result.exit_code == 2
    assert "has no unit" in result.stderr
    assert served.serving.time_us == 0


@pytest.mark.usefixtures("_running")
def test_a_duration_beyond_the_bounds_is_wrong_usage() -> None:
    result = vpump("control", "advance", "40000d")
    assert result.exit_code == 2
    assert "(100 years)" in result.stderr
    assert result.stderr.endswith(".\n")


@pytest.mark.usefixtures("_running")
def test_run_until() -> None:
    result = vpump(
        "control", "run-until", "log", "type=bolus_started", "op_id=7", "detail.bolus_id=40", "--within", "60d"
    )
    assert result.exit_code == 0
    sentence = "reached log sequence=1 type=bolus_started op_id=7 detail.bolus_id=40; virtual time is now 5us\n"
    assert result.stdout == sentence
    result = vpump("control", "run-until", "power", "--within", "60d", "--json")
    document = json.loads(result.stdout)
    assert (document["reached"], document["event"]["write"]) == (True, "log.record")


@pytest.mark.usefixtures("_running")
def test_run_until_the_time_is_over() -> None:
    result = vpump("control", "run-until", "log", "type=boot", "--within", "2s")
    assert result.exit_code == 5
    assert result.stdout == ""
    assert result.stderr == "vpump: no event 'log type=boot' within 2s; virtual time is now 2s.\n"
    result = vpump("control", "run-until", "log", "type=boot", "--within", "2s", "--json")
    assert result.exit_code == 5
    assert json.loads(result.stdout) == {"now_us": 4_000_000, "event": None, "reached": False}


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize(
    ("arguments", "part_of_the_sentence"),
    [
        (["log"], "Missing option '--within'"),
        (["lgo", "--within", "1s"], "event 'lgo' is no kind of event; allowed are: line"),
        (["log", "tpye=x", "--within", "1s"], "no field 'tpye'"),
        (["log", "type=bolus-ended", "--within", "1s"], "match 'type' is 'bolus-ended'; allowed are: boot"),
        (["log", "type", "--within", "1s"], "'type' is no condition; write FIELD=VALUE"),
        (["log", "=x", "--within", "1s"], "is no condition"),
        (["log", "op_id=seven", "--within", "1s"], "field 'op_id' is 'seven'; allowed is a whole number"),
        (["log", "op_id=7", "op_id=8", "--within", "1s"], "field 'op_id' is given twice"),
    ],
)
def test_run_until_what_cannot_be(served: ServedControl, arguments: list[str], part_of_the_sentence: str) -> None:
    result = vpump("control", "run-until", *arguments)
    assert result.exit_code == 2
    assert part_of_the_sentence in result.stderr
    assert served.serving.time_us == 0


@pytest.mark.usefixtures("_running")
def test_faults() -> None:
    assert vpump("control", "faults").stdout == "no fault is armed\n"
    assert vpump("control", "fault", FAULT).stdout == f"armed: {FAULT}\n"
    assert vpump("control", "fault", *FAULT.split()).stdout == f"armed: {FAULT}\n" * 2
    listed = {"fault": FAULT, "kind": "line"}
    assert json.loads(vpump("control", "faults", "--json").stdout) == {"armed": [listed, listed]}
    assert vpump("control", "faults", "--clear").stdout == "no fault is armed\n"


@pytest.mark.usefixtures("_running")
def test_faults_of_the_pump() -> None:
    assert vpump("control", "fault", "stall", "for=2h").stdout == "armed: stall for=2h  (number 1, active until 2h)\n"
    vpump("control", "fault", "field recovery=3h")
    result = vpump("control", "fault", "cell-sag mv=0.9V after=10min for=1min")
    assert result.stdout.splitlines() == [
        "armed: stall for=2h  (number 1, active until 2h)",
        "armed: field recovery=3h reverse=0  (number 2, active until it is cleared)",
        "armed: cell-sag mv=900 after=10min for=1min  (number 3, begins at 10min)",
    ]
    document = json.loads(vpump("control", "faults", "--json").stdout)
    assert document["armed"][0] == {
        "fault": "stall for=2h",
        "kind": "device",
        "number": 1,
        "active": True,
        "next_change_us": 7_200_000_000,
        "left": 0,
    }
    assert vpump("control", "faults", "--clear").stdout == "no fault is armed\n"


@pytest.mark.usefixtures("_running")
def test_a_fault_that_strikes_at_once() -> None:
    assert vpump("control", "fault", "reset").stdout == "struck at once: reset\n"
    vpump("control", "fault", FAULT)
    assert vpump("control", "fault", "reset").stdout == f"struck at once: reset\narmed: {FAULT}\n"


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize(
    ("fault", "part_of_the_sentence"),
    [
        ("lose everything at once", "'lose' is not known"),
        ("stall for=2", "for is '2', but allowed is a duration from 0s to 7320d with its unit d, h, min"),
        ("write-cut mode=tron", "mode 'tron' is not known (did you mean torn?)"),
    ],
)
def test_a_fault_that_is_none_is_wrong_usage(fault: str, part_of_the_sentence: str) -> None:
    result = vpump("control", "fault", fault)
    assert result.exit_code == 2
    assert part_of_the_sentence in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("_running")
def test_a_syringe(served: ServedControl) -> None:
    result = vpump("control", "syringe", "--withdraw", "all", "--inject", "20mL", "--drug", "baclofen 500ug/mL")
    assert (result.exit_code, result.stdout) == (0, "withdrawn: 18.5 mL\ninjected: 20 mL\n")
    result = vpump("control", "syringe", "--inject", "22mL", "--drug", "no 7 500 ug/mL", "--drug", "x 0.1mg/ml")
    assert result.stdout.splitlines() == [
        "withdrawn: 0 nL",
        "injected: 20 mL",
        "not in the reservoir: 2 mL of what was to be injected",
    ]
    assert json.loads(vpump("control", "syringe", "--withdraw", "50uL", "--json").stdout) == {
        "withdrawn_nl": 50_000,
        "injected_nl": 0,
        "now_us": 0,
    }
    assert served.serving.actions == [
        UseSyringe(None, 20_000_000, (("baclofen", 500_000),)),
        UseSyringe(0, 22_000_000, (("no 7", 500_000), ("x", 100_000))),
        UseSyringe(50_000, 0, ()),
    ]


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize(
    ("arguments", "part_of_the_sentence"),
    [
        ([], "the syringe would do nothing"),
        (["--withdraw", "20"], "--withdraw: '20' has no unit; write a volume with its unit nL, uL or mL"),
        (["--withdraw", "some"], "or all."),
        (["--inject", "all"], "'all'"),
        (["--inject", "2000mL"], "1000000000"),
        (["--inject", "1mL", "--drug", "baclofen"], "write its name and its concentration"),
        (["--inject", "1mL", "--drug", "500ug/mL"], "write its name and its concentration"),
        (["--inject", "1mL", "--drug", "baclofen 500ug"], "--drug: '500ug' has the unit 'ug'"),
        (["--inject", "1mL", "--drug", "x 1mg/mL", "--drug", "x 2mg/mL"], "--drug: 'x' is given twice"),
        (["--withdraw", "all", "--drug", "x 1mg/mL"], "so they need inject_nl"),
    ],
)
def test_a_syringe_that_cannot_be(served: ServedControl, arguments: list[str], part_of_the_sentence: str) -> None:
    result = vpump("control", "syringe", *arguments)
    assert result.exit_code == 2
    assert part_of_the_sentence in result.stderr
    assert served.serving.actions == []


@pytest.mark.usefixtures("_running")
def test_what_the_pump_refuses(served: ServedControl) -> None:
    served.serving.refusal = ValueError("64 faults are armed already")
    result = vpump("control", "fault", FAULT)
    assert (result.exit_code, result.stderr) == (1, "vpump: 64 faults are armed already.\n")


@pytest.mark.usefixtures("_running")
def test_truth() -> None:
    lines = vpump("control", "truth").stdout.splitlines()
    assert lines == [
        "at_us                            0  0s",
        "reservoir.volume_nl       18500000  18.5 mL",
        "reservoir.empty              False",
        "rate_nl_per_day             500000  500 uL/day",
        "tip_ng_per_ml.baclofen      500000  500 ug/mL",
        "tip_fg.x_nl             1500000000  1.5 ug",
        "tip_fg.y.z                      12  12 fg",
        "pocket_fg                        -",
        "next_at_tip_in_nl                -",
        "cell_charge_ppm             985000  98.5 %",
        "cell_mv                       2950  2.95 V",
        "temperature_cc                3705  37.05 °C",
    ]
    assert json.loads(vpump("control", "truth", "--json").stdout)["reservoir"]["volume_nl"] == 18_500_000


@pytest.mark.usefixtures("_running")
def test_power(served: ServedControl) -> None:
    assert vpump("control", "power", "cut").stdout == "the power is cut\n"
    cut = vpump("control", "power", "cut", "--at-write", "3", "--mode", "torn", "--torn-bytes", "5")
    assert cut.stdout == "the power will be cut at write 3 from now\n"
    assert vpump("control", "power", "restore").stdout == "the power is on\n"
    torn = CutPower(at_write=3, mode=CutMode.TORN, torn_bytes=5)
    assert served.serving.actions == [CutPower(), torn, RestorePower()]
    for mode in CutMode:
        vpump("control", "power", "cut", "--at-write", "1", "--mode", mode.value)
        assert served.serving.actions[-1] == CutPower(at_write=1, mode=mode)
    assert json.loads(vpump("control", "power", "restore", "--json").stdout) == {"change": "restore", "now_us": 0}


@pytest.mark.usefixtures("_running")
@pytest.mark.parametrize(
    "arguments",
    [["--at-write", "0"], ["--mode", "after"], ["--at-write", "1", "--mode", "soon"], ["--torn-bytes", "3"],
     ["--at-write", "1", "--mode", "garbage", "--torn-bytes", "4097"],
     ["--at-write", "1", "--mode", "late", "--torn-bytes", "4"]],
)  # fmt: skip
def test_a_power_cut_that_cannot_be_is_wrong_usage(served: ServedControl, arguments: list[str]) -> None:
    assert vpump("control", "power", "cut", *arguments).exit_code == 2
    assert served.serving.actions == []


@pytest.mark.usefixtures("_running")
def test_shutdown(served: ServedControl) -> None:
    result = vpump("control", "shutdown")
    assert (result.exit_code, result.stdout) == (0, "the pump is shutting down; its virtual time is 0s\n")
    assert served.serving.was_shut_down.wait(PATIENCE_S)


def test_the_address_and_token_of_the_environment(served_tcp: ServedControl) -> None:
    address = {"VPUMP_CONTROL": served_tcp.handle.url}
    missing = vpump("control", "truth", env=address)
    assert missing.exit_code == 3
    assert "--token or VPUMP_CONTROL_TOKEN" in missing.stderr
    known = address | {"VPUMP_CONTROL_TOKEN": served_tcp.handle.token or ""}
    assert vpump("control", "truth", env=known).exit_code == 0
    assert vpump("control", "--token", "x", "truth", env=known).exit_code == 3


def test_the_token_of_a_pump_that_runs_here_is_found(served_tcp: ServedControl) -> None:
    with register(running_pump(served_tcp.handle.url, served_tcp.handle.token)):
        assert vpump("control", "truth").exit_code == 0
        assert vpump("control", "--control", served_tcp.handle.url + "/", "truth").exit_code == 0


def test_no_pump_runs() -> None:
    result = vpump("control", "truth")
    assert result.exit_code == 3
    assert "vpump serve --control" in result.stderr


def test_no_running_pump_has_a_control_plane() -> None:
    with register(running_pump(None, None)):
        assert vpump("control", "truth").exit_code == 3


@pytest.mark.usefixtures("_running")
def test_several_pumps_have_one(served: ServedControl) -> None:
    with register(running_pump("unix:/elsewhere.sock", None, pid=os.getppid())):
        result = vpump("control", "truth")
        assert result.exit_code == 2
        assert "unix:/elsewhere.sock (00C0FFEE)" in result.stderr
        assert vpump("control", "--control", served.handle.url, "truth").exit_code == 0


def test_nobody_is_there(socket_path: Path) -> None:
    result = vpump("control", "--control", f"unix:{socket_path}", "truth")
    assert result.exit_code == 3
    assert f"nobody answers at unix:{socket_path}" in result.stderr


def test_an_address_that_is_none() -> None:
    result = vpump("control", "--control", "http://example.org:80", "truth")
    assert result.exit_code == 2
    assert "no loopback address" in result.stderr


def test_the_list_of_pumps_is_not_needed_with_an_address(
    served: ServedControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("file").touch()
    monkeypatch.setenv("VPUMP_RUNTIME_DIR", str(tmp_path / "file"))
    assert vpump("control", "truth").exit_code == 3
    assert vpump("control", "--control", served.handle.url, "truth").exit_code == 0


@pytest.mark.usefixtures("_running")
def test_keys_of_a_file(served: ServedControl, tmp_path: Path) -> None:
    file = tmp_path / "pump.keys"
    assert vpump("keys", "new", str(file), "00C0FFEE").exit_code == 0
    result = vpump("control", "keys", str(file), "--json")
    assert result.exit_code == 0, result.output
    (action,) = served.serving.actions
    assert isinstance(action, ReplaceKeys)
    assert set(action.keys) == {"reader", "patient", "clinician"}
    for key in action.keys.values():
        assert key.hex() in file.read_text()
        assert key.hex() not in result.output


@pytest.mark.usefixtures("_running")
def test_the_published_keys(served: ServedControl) -> None:
    assert vpump("control", "keys", "--test").exit_code == 0
    assert served.serving.actions == [ReplaceKeys({})]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a key FILE, or say --test"),
        (["pump.keys", "--test"], "name a key FILE, or say --test"),
        (["pump.keys", "--serial-number", "xyz"], "which table"),
        (["pump.keys", "--serial-number", "1"], "no table [00000001]"),
        (["two.keys"], "it has 00C0FFEE, 00C0FFEF"),
        (["open.keys"], "chmod 600"),
        (["none.keys"], "cannot be read"),
    ],
)
def test_keys_that_cannot_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, serials in (("pump", ["00C0FFEE"]), ("open", ["00C0FFEE"]), ("two", ["00C0FFEE", "00C0FFEF"])):
        assert vpump("keys", "new", f"{name}.keys", *serials).exit_code == 0
    (tmp_path / "open.keys").chmod(0o644)
    result = vpump("control", "keys", *arguments)
    assert result.exit_code == 2
    assert words in result.output
