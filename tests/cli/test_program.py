"""`vpump program` against a whole pump in this process: what is shown, what is asked, and what it leaves with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main
from emulator.cli import program as program_module
from emulator.cli.program import EXAMPLE_NAMES
from emulator.programmer.program_text import program_text
from protocol.host_end import Answered, NoAnswer, Refused
from protocol.messages.codes import Block, Role
from protocol.messages.program import (
    ProgramAbortRequest,
    ProgramBeginRequest,
    ProgramCommitRequest,
    ProgramValidateRequest,
    StageReadAnswer,
    StageReadRequest,
)
from protocol.messages.read import TherapyReadAnswer, TherapyReadRequest
from protocol.refusals import Nak, NakCode
from tests.cli.desk import Desk
from tests.programmer.programs import FIRST, GOOD_FLEX, NEW, NEW_TEXT, summary_of

SECOND_US = 1_000_000
FIRST_NAME, NEW_NAME = f"{FIRST.crc32:08X}", f"{NEW.crc32:08X}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new.toml"
    path.write_text(NEW_TEXT, encoding="utf-8")
    return path


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A person at the terminal, who does something else first, or has something happen to him."""

    def answer(text: str, *arguments: str, meanwhile: Callable[[], object] = lambda: None) -> Result:
        def somebody() -> bool:
            meanwhile()
            return True

        monkeypatch.setattr(program_module, "somebody_is_there", somebody)
        result = CliRunner().invoke(main, ["program", *arguments], input=text)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return answer


def active(desk: Desk) -> str:
    name: str = desk.document("program", "--show")["crc32"]
    return name


def asked_for(desk: Desk, wanted: type) -> list[object]:
    """Counts requests of a class from now on."""
    seen: list[object] = []

    def count() -> None:
        seen.append(wanted)

    desk.before[wanted] = count
    return seen


def test_a_program_from_its_file_to_the_pump_and_back(desk: Desk, file: Path, tmp_path: Path) -> None:
    committed = desk.document("program", str(file), "--yes")
    assert committed["outcome"] == "committed"
    assert committed["warnings"] == ["rate_rounded", "drugs_changed"]
    assert committed["changed"] == ["drugs", "rate_nl_per_day", "flow_nl_per_day"]
    assert committed["old"]["drugs"] == []
    assert committed["new"]["drugs"] == [
        {
            "name": "baclofen",
            "concentration_ng_per_ml": 500_000,
            "stability_days": 0,
            "dose_fg_per_day": 250_000_000_000,
            "dose_fg": 0,
            "patient_dose_fg": 0,
        }
    ]
    assert (committed["summary"]["rate_nl_per_day"], committed["new"]["rate_nl_per_day"]) == (500_000, 500_000)
    assert (committed["op"]["op_id"], committed["op"]["outcome"]) == (1, "taken")
    assert active(desk) == committed["new"]["crc32"]
    assert "500 uL/day" in desk.vpump("interrogate").stdout

    now = tmp_path / "now.toml"
    now.write_text(desk.vpump("program", "--show").stdout, encoding="utf-8")
    again = desk.document("program", str(now), "--yes")
    assert (again["outcome"], again["op"], again["old"]) == ("unchanged", None, again["new"])
    assert desk.vpump("program", str(now)).stdout.startswith("the pump has this program already (")
    assert [op["operation"] if "operation" in op else op["op_id"] for op in desk.document("op")["ops"]] == [1]


@pytest.mark.usefixtures("desk")
def test_both_programs_stand_side_by_side(file: Path, answering: Callable[..., Result]) -> None:
    result = answering("y\n", str(file))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "                               NOW                NEW",
        f"*  program                     {FIRST_NAME}           {NEW_NAME}",
        "*  drug 1                      none               baclofen 500 ug/mL",
        "   infusion.mode               simple continuous  simple continuous",
        "*  infusion.rate               620 uL/day         500 uL/day",
        "   patient.bolus               none               none",
        "   limits.rate_max             24 mL/day          24 mL/day",
        "   limits.bolus_max            1 mL               1 mL",
        "   limits.window_max           30 mL              30 mL",
        "   alarms.low_reservoir        2 mL               2 mL",
        "   alarms.critical_repeat      default            default",
        "   alarms.non_critical_repeat  default            default",
        "   catheter.volume             unknown            unknown",
        "*  baclofen a day              none               250 ug/day",
        "",
        "Motor steps: 20000 a day.",
        "Low reservoir: in 36 days, on 2030-02-06 UTC.",
        "Warning: rounded down: infusion.rate 500.5 uL/day to 500 uL/day, "
        "for this pump's rates and volumes are multiples of 1 uL/day and 25 nL.",
        "Warning: other drugs or concentrations than now; see to it that the reservoir holds them.",
        f"operation 1: program {NEW_NAME} is active.",
    ]
    assert result.stderr == "Commit this program? [y/N] "


@pytest.mark.parametrize("answer", ["n\n", "\n", "yikes\n", "nein\n"])
def test_no_changes_nothing(desk: Desk, file: Path, answering: Callable[..., Result], answer: str) -> None:
    before = active(desk)
    aborts = asked_for(desk, ProgramAbortRequest)
    result = answering(answer, str(file))
    assert result.exit_code == 1
    assert result.stderr.endswith("vpump: nothing was changed.\n")
    assert (len(aborts), active(desk)) == (1, before)
    assert desk.document("op")["ops"] == []


@pytest.mark.parametrize("answer", ["y\n", "Y\n", " yes \n"])
def test_yes_is_yes(insecure_desk: Desk, file: Path, answering: Callable[..., Result], answer: str) -> None:
    assert answering(answer, str(file)).exit_code == 0
    assert len(insecure_desk.document("op")["ops"]) == 1


def test_a_question_with_nobody_to_answer_it(desk: Desk, file: Path, answering: Callable[..., Result]) -> None:
    before = active(desk)
    aborts = asked_for(desk, ProgramAbortRequest)
    without_terminal = desk.vpump("program", str(file))
    left = answering("", str(file))
    for result in (without_terminal, left):
        assert result.exit_code == 2
        assert "nobody to answer it" in result.stderr
    assert (len(aborts), active(desk)) == (1, before)


@pytest.mark.usefixtures("keyed_desk")
def test_the_question_in_json_leaves_standard_output_to_the_document(
    file: Path, answering: Callable[..., Result]
) -> None:
    refused = answering("n\n", str(file), "--json")
    assert json.loads(refused.stdout) == {"error": "nothing was changed.", "code": "declined", "limit": None}
    assert "NOW" in refused.stderr
    assert json.loads(answering("y\n", str(file), "--json").stdout)["outcome"] == "committed"


def test_leaving_while_the_question_is_open(desk: Desk, file: Path, answering: Callable[..., Result]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    before = active(desk)
    aborts = asked_for(desk, ProgramAbortRequest)
    result = answering("y\n", str(file), meanwhile=interrupt)
    assert result.exit_code == 130
    assert result.stderr == "vpump: interrupted; no operation was begun.\n"
    assert (len(aborts), active(desk)) == (1, before)


def test_a_dry_run_shows_and_changes_nothing(desk: Desk, file: Path) -> None:
    before = active(desk)
    result = desk.vpump("program", str(file), "--dry-run")
    assert result.exit_code == 0
    assert "NEW" in result.stdout
    assert result.stdout.endswith("this was a dry run: nothing was changed.\n")
    document = desk.document("program", str(file), "--dry-run")
    assert (document["outcome"], document["op"], document["old"]["crc32"]) == ("dry_run", None, before)
    assert active(desk) == before


def test_an_op_id_is_never_used_for_two_programs(desk: Desk, file: Path, tmp_path: Path) -> None:
    assert desk.document("program", str(file), "--yes", "--op-id", "900")["op"]["op_id"] == 900
    again = desk.document("program", str(file), "--yes", "--op-id", "900")
    assert (again["outcome"], again["op"]["continued"]) == ("earlier", True)
    other = tmp_path / "other.toml"
    other.write_text("[infusion]\nmode = 'stopped'\n", encoding="utf-8")
    refused = desk.vpump("program", str(other), "--yes", "--op-id", "900")
    assert refused.exit_code == 2
    assert re.search(r"op id 900 belongs to another command \(program [0-9A-F]{8}\)", refused.stderr)


def test_an_op_id_of_a_program_that_was_replaced_since_is_not_given_again(desk: Desk, tmp_path: Path) -> None:
    whole, other = tmp_path / "whole.toml", tmp_path / "other.toml"
    whole.write_text(program_text(NEW), encoding="utf-8")
    other.write_text("[infusion]\nmode = 'stopped'\n", encoding="utf-8")
    assert desk.vpump("program", str(whole), "--yes", "--op-id", "900").exit_code == 0
    assert desk.vpump("program", str(other), "--yes").exit_code == 0
    stopped = active(desk)
    told = desk.vpump("program", str(whole), "--yes", "--op-id", "900")
    assert told.stdout == f"operation 900: program {NEW_NAME} was committed; the pump has program {stopped} now.\n"
    assert (told.exit_code, active(desk)) == (0, stopped)


def test_a_line_that_breaks_behind_commit_is_found_out_by_the_next_run(desk: Desk, file: Path) -> None:
    before = active(desk)
    desk.breaks = ProgramCommitRequest
    unknown = desk.document("program", str(file), "--yes", status=6)
    assert (unknown["op_id"], unknown["final"]) == (1, False)
    desk.breaks = None
    assert active(desk) != before
    result = desk.vpump("program", str(file), "--yes")
    assert result.exit_code == 0
    assert "continued operation 1, which an earlier run began; nothing new was begun." in result.stderr
    assert re.fullmatch(r"operation 1: program [0-9A-F]{8} was committed, and is active\.\n", result.stdout)
    assert "program_changed op 1" in desk.vpump("log").stdout
    assert "op 2" not in desk.vpump("log").stdout


def test_an_interrupted_commit_names_its_operation(desk: Desk, file: Path) -> None:
    desk.interrupts = ProgramCommitRequest
    result = desk.vpump("program", str(file), "--yes")
    assert result.exit_code == 130
    assert "vpump op 1" in result.stderr
    desk.interrupts = None
    assert "taken, and done" in desk.vpump("op", "1").stdout


def test_a_commit_that_was_taken_and_cannot_be_read_back(desk: Desk, file: Path) -> None:
    def line_breaks() -> None:
        desk.breaks = TherapyReadRequest

    desk.before[ProgramCommitRequest] = line_breaks
    unknown = desk.vpump("program", str(file), "--yes")
    assert unknown.exit_code == 6
    assert "operation 1 was taken, but that its program is active could not be read back" in unknown.stderr
    desk.breaks = None
    assert desk.document("program", str(file), "--yes")["outcome"] == "earlier"


def test_another_active_program_than_the_committed_one(desk: Desk, file: Path) -> None:
    image = FIRST.image()
    other = Answered(TherapyReadAnswer(crc32=FIRST.crc32, block_size=len(image), data=image), 1)

    def from_now_on() -> None:
        desk.answers[TherapyReadRequest] = [other]

    desk.before[ProgramCommitRequest] = from_now_on
    result = desk.vpump("program", str(file), "--yes")
    assert result.exit_code == 4
    assert f"operation 1 was taken, but the pump now has program {FIRST_NAME} and not {NEW_NAME}" in result.stderr
    assert desk.vpump("program", str(file), "--yes").stdout.startswith("the pump has this program already")


def test_a_session_that_dies_while_a_person_thinks(desk: Desk, file: Path, answering: Callable[..., Result]) -> None:
    for meanwhile in (lambda: desk.world.pause(200 * SECOND_US), desk.lose_power):
        result = answering("y\n", str(file), meanwhile=meanwhile)
        assert result.exit_code == 1
        assert "nothing was changed, so run the command again." in result.stderr
    assert desk.document("op")["ops"] == []
    assert answering("y\n", str(file)).exit_code == 0


def test_a_person_may_read_for_as_long_as_he_likes(
    desk: Desk, file: Path, answering: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = iter(range(60))

    def reads_on(seconds: float) -> bool:
        desk.world.pause(round(seconds * SECOND_US))
        return next(minutes, None) is None

    monkeypatch.setattr(program_module, "answer_comes_within", reads_on)
    assert answering("y\n", str(file)).exit_code == 0
    assert next(minutes, None) is None


def test_another_programmer_comes_while_a_person_thinks(
    keyed_desk: Desk, file: Path, answering: Callable[..., Result]
) -> None:
    result = answering("y\n", str(file), meanwhile=keyed_desk.another_programmer_comes)
    assert result.exit_code == 1
    assert keyed_desk.document("op", "--role", "reader")["ops"] == []


def test_therapy_that_changes_while_a_person_thinks(desk: Desk, file: Path, answering: Callable[..., Result]) -> None:
    desk.vpump("bolus", "20uL", "--over", "2min")
    before = active(desk)
    result = answering("y\n", str(file), meanwhile=lambda: desk.world.pause(150 * SECOND_US))
    assert result.exit_code == 1
    assert "while the programs were looked at, so nothing was changed; run the command again." in result.stderr
    assert active(desk) == before
    assert answering("y\n", str(file)).exit_code == 0


def test_a_bolus_is_in_the_way(desk: Desk, file: Path) -> None:
    desk.vpump("bolus", "50uL")
    refused = desk.document("program", str(file), "--yes", status=1)
    assert (refused["code"], refused["limit"]) == ("bolus_running", 1)


@pytest.mark.parametrize(
    ("nak", "said", "field", "line"),
    [
        (
            Nak(NakCode.ABOVE_MAXIMUM, 1, Block.INFUSION, 400_000),
            "line 6: infusion.rate is 500.5 uL/day, but this pump allows at most 400 uL/day; nothing was changed.",
            "infusion.rate",
            6,
        ),
        (
            Nak(NakCode.BELOW_MINIMUM, 1, Block.LIMITS, 2_000_000),
            "new.toml: limits.bolus_max is 1 mL (as in the pump, for the file does not say it), "
            "but this pump allows at least 2 mL; nothing was changed.",
            "limits.bolus_max",
            None,
        ),
        (
            Nak(NakCode.ABOVE_MAXIMUM, 0, Block.DRUGS, 1_000),
            "line 1: drug is baclofen 500 ug/mL, but this pump allows at most 1 ug/mL; nothing was changed.",
            "drug",
            1,
        ),
        (
            Nak(NakCode.FORMAT, 0, Block.DRUGS),
            "line 1: drug is baclofen 500 ug/mL, which this pump does not take; nothing was changed.",
            "drug",
            1,
        ),
    ],
)
def test_what_the_pump_refuses_is_found_in_the_file(
    insecure_desk: Desk, file: Path, nak: Nak, said: str, field: str, line: int | None
) -> None:
    before = active(insecure_desk)
    insecure_desk.answers[ProgramValidateRequest] = [Refused(nak, 1)]
    refused = insecure_desk.document("program", str(file), "--yes", status=1)
    assert refused["error"].endswith(said)
    assert (refused["code"], refused["field"], refused["line"]) == (nak.code.name.lower(), field, line)
    assert active(insecure_desk) == before


@pytest.mark.parametrize(
    ("nak", "said", "field", "line"),
    [
        (
            Nak(NakCode.ABOVE_MAXIMUM, 2, Block.SCHEDULE, 700_000),
            "line 7: schedule.wednesday is 800 uL/day from 06:30, but this pump allows at most 700 uL/day; "
            "nothing was changed.",
            "schedule.wednesday",
            7,
        ),
        (
            Nak(NakCode.BELOW_MINIMUM, 2, Block.PATIENT, 10_800),
            "line 17: patient.lockout is 2h, but this pump allows at least 3h; nothing was changed.",
            "patient.lockout",
            17,
        ),
        (
            Nak(NakCode.BELOW_MINIMUM, 2, Block.LIMITS, 800_000),
            "flex.toml: limits.window_max is 30 mL (as in the pump, for the file does not say it), "
            "but this pump allows at least 800 uL; nothing was changed.",
            "limits.window_max",
            None,
        ),
        (
            Nak(NakCode.FORMAT, 0, Block.INFUSION),
            "line 3: infusion.mode is flex, which this pump does not take; nothing was changed.",
            "infusion.mode",
            3,
        ),
    ],
)
def test_a_refused_day_or_patient_bolus_is_found_in_the_file(
    insecure_desk: Desk, tmp_path: Path, nak: Nak, said: str, field: str, line: int | None
) -> None:
    path = tmp_path / "flex.toml"
    path.write_bytes(GOOD_FLEX)
    insecure_desk.answers[ProgramValidateRequest] = [Refused(nak, 1)]
    refused = insecure_desk.document("program", str(path), "--yes", status=1)
    assert refused["error"].endswith(said)
    assert (refused["field"], refused["line"]) == (field, line)


@pytest.mark.parametrize(("code", "status"), [(NakCode.MEMORY_FAILURE, 1), (NakCode.NO_SUCH_SESSION, 3)])
def test_a_refusal_that_is_not_about_the_program(insecure_desk: Desk, file: Path, code: NakCode, status: int) -> None:
    insecure_desk.answers[ProgramValidateRequest] = [Refused(Nak(code), 1)]
    result = insecure_desk.vpump("program", str(file), "--yes")
    assert result.exit_code == status
    assert "new.toml" not in result.stderr


def test_a_limit_that_is_checked_again_at_the_commit(insecure_desk: Desk, file: Path) -> None:
    nak = Nak(NakCode.ABOVE_MAXIMUM, 1, Block.INFUSION, 400_000)
    insecure_desk.answers[ProgramCommitRequest] = [Refused(nak, 1)]
    refused = insecure_desk.document("program", str(file), "--yes", status=1)
    assert (refused["code"], refused["field"], refused["line"], refused["limit"]) == (
        "above_maximum",
        "infusion.rate",
        6,
        400_000,
    )


@pytest.mark.parametrize("code", [NakCode.UNRESOLVED, NakCode.STAGE_CHANGED, NakCode.NOTHING_STAGED])
def test_a_stage_that_is_no_longer_good(insecure_desk: Desk, file: Path, code: NakCode) -> None:
    insecure_desk.answers[ProgramCommitRequest] = [Refused(Nak(code, element=Role.CLINICIAN, detail=12), 1)]
    refused = insecure_desk.vpump("program", str(file), "--yes")
    assert refused.exit_code == 1
    assert "nothing was changed; run the command again." in refused.stderr
    assert ("its last operation is 12 of the clinician" in refused.stderr) == (code == NakCode.UNRESOLVED)


def test_a_pump_that_says_nothing_behind_commit_is_asked(insecure_desk: Desk, file: Path) -> None:
    insecure_desk.answers[ProgramCommitRequest] = [NoAnswer(1)]
    assert insecure_desk.document("program", str(file), "--yes")["op"]["state"] == "done"


def test_a_reader_may_look_and_not_program(keyed_desk: Desk, file: Path) -> None:
    assert keyed_desk.vpump("program", "--show").exit_code == 0
    assert [role for role, _ in keyed_desk.sessions()] == ["reader"]
    refused = keyed_desk.document("program", str(file), "--yes", "--role", "reader", status=1)
    assert refused["code"] == "role"


def test_a_pump_that_stages_something_else(insecure_desk: Desk, file: Path) -> None:
    image = FIRST.image()
    insecure_desk.answers[ProgramValidateRequest] = [Answered(summary_of(FIRST), 1)]
    insecure_desk.answers[StageReadRequest] = [Answered(StageReadAnswer(block_size=len(image), data=image), 1)]
    result = insecure_desk.vpump("program", str(file), "--yes")
    assert result.exit_code == 4
    assert "the pump staged another program" in result.stderr


def test_the_help_names_the_examples() -> None:
    result = CliRunner().invoke(main, ["program", "--help"])
    assert {"simple-continuous", "minimum-rate", "stopped", "two-drugs", "flex"} <= set(EXAMPLE_NAMES)
    assert {"patient-boluses", "periodic-bolus", "single-bolus"} <= set(EXAMPLE_NAMES)
    for name in EXAMPLE_NAMES:
        assert name in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a program FILE"),
        (["new.toml", "--show"], "name a program FILE"),
        (["--show", "--yes"], "go with a program FILE"),
        (["--example", "stopped", "--op-id", "7"], "go with a program FILE"),
        (["--example", "simple"], "simple-continuous"),
        (["new.toml", "--yes", "--dry-run"], "exclude each other"),
        (["no-such-file.toml"], "no-such-file.toml cannot be read"),
        (["new.toml", "--op-id", "0"], "--op-id"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["program", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_a_file_is_read_before_a_pump_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPUMP_PORT", str(tmp_path / "no-such-port"))
    path = tmp_path / "bad.toml"
    path.write_text("[infusion]\nrate = 0.62\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["program", str(path)])
    assert result.exit_code == 2
    assert f"{path}, line 2: infusion.rate: '0.62' has no unit" in result.stderr


def test_what_this_pump_cannot_do_is_found_before_anything_is_staged(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "fast.toml"
    path.write_text("[infusion]\nrate = '30mL/day'\n", encoding="utf-8")
    begun = asked_for(desk, ProgramBeginRequest)
    result = desk.vpump("program", str(path), "--yes")
    assert result.exit_code == 2
    assert "line 2: infusion.rate is 30 mL/day, but 48 uL/day to 24 mL/day is allowed on this pump." in result.stderr
    assert begun == []
