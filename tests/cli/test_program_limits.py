"""What `vpump program` takes of a file: the examples, what is within the pump's limits, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.assembly import load_profile, shipped_profiles
from emulator.cli import main
from emulator.cli.program import EXAMPLE_NAMES
from emulator.identity import caps as caps_of
from emulator.programmer import program_limits
from emulator.programmer.program_file import read_program_file
from emulator.programmer.program_image import Program, Week, attribute_of
from emulator.programmer.program_limits import wanted_program
from emulator.programmer.program_ranges import ranges
from emulator.programmer.program_text import program_text
from firmware_model.firmware.codes import Block as ModelBlock
from firmware_model.firmware.program import check_limits, unpack_program
from protocol.messages.codes import Block, Mode
from protocol.messages.program import ChangeEntry, DrugEntry
from tests.cli.desk import Desk
from tests.programmer.programs import FIRST, mutated


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_an_example_can_be_committed_as_it_is(insecure_desk: Desk, tmp_path: Path, name: str) -> None:
    text = insecure_desk.vpump("program", "--example", name).stdout
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    assert insecure_desk.document("program", str(path), "--yes")["outcome"] == "committed"
    assert insecure_desk.document("program", "--example", name) == {"name": name, "text": text}


@pytest.mark.parametrize("profile", shipped_profiles())
@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_an_example_is_within_the_limits_of_each_shipped_profile(name: str, profile: str) -> None:
    text = CliRunner().invoke(main, ["program", "--example", name]).stdout
    caps = caps_of(load_profile(profile))
    wanted = wanted_program(read_program_file(name, text.encode()), FIRST, caps)
    assert wanted.quantised(caps) == wanted


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
@given(mutated())
def test_any_mutation_of_a_file_is_a_program_or_one_sentence(insecure_desk: Desk, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mutated.toml"
    path.write_bytes(data)
    result = insecure_desk.vpump("program", str(path), "--dry-run")
    assert result.exit_code in (0, 2)
    if result.exit_code == 2:
        assert result.stdout == ""
        assert result.stderr.startswith(f"vpump: {path}")
        assert result.stderr.count("\n") == 1


def around(*edges: int) -> st.SearchStrategy[int]:
    """Numbers at some edges, close to them, and between them."""
    close = [edge + off for edge in edges for off in (-1_000, -1, 0, 1, 999) if edge + off > 0]
    return st.one_of(st.sampled_from(close), st.integers(min(edges), max(edges)))


def rates() -> st.SearchStrategy[int]:
    return around(48_000, 24_000_000)


def weeks() -> st.SearchStrategy[Week]:
    """Weeks in which one day is not as the others."""
    changes = st.lists(st.tuples(st.integers(1, 1_439), rates()), max_size=2, unique_by=lambda change: change[0])
    days = st.tuples(rates(), changes).map(
        lambda day: tuple(
            ChangeEntry(start_min=start, rate_nl_per_day=rate) for start, rate in [(0, day[0]), *sorted(day[1])]
        )
    )
    return st.tuples(days, days).map(lambda pair: (pair[0],) * 3 + (pair[1],) + (pair[0],) * 3)


@st.composite
def near_the_limits(draw: st.DrawFn) -> Program:
    """Programs that the pump would take, and such as it only just would not."""
    patient = {
        "patient_volume_nl": draw(around(1_000, 1_000_000)),
        "patient_duration_s": draw(around(60, 86_400)),
        "patient_lockout_s": draw(around(300, 86_400)),
        "patient_window_s": draw(around(3_600, 86_400)),
        "patient_activations_max": draw(st.integers(1, 25)),
    }
    repeats = st.one_of(st.just(0), st.integers(1, 10), st.integers(200, 250))
    concentrations = around(1, 50_000_000)
    drugs = st.builds(
        DrugEntry, name=st.sampled_from("abc"), concentration_ng_per_ml=concentrations, stability_days=st.just(90)
    )
    mode = draw(st.sampled_from(Mode))
    some_rates = st.one_of(st.just(0), rates()) if mode == Mode.PERIODIC_BOLUS else rates()
    program = Program(
        drugs=tuple(draw(st.lists(drugs, max_size=3, unique_by=lambda drug: drug.name))),
        mode=mode,
        rate_nl_per_day=draw(some_rates),
        dose_volume_nl=draw(around(1_000, 1_000_000)),
        dose_duration_s=draw(around(60, 86_400)),
        dose_interval_s=draw(around(60, 1_000_000)),
        schedule=draw(weeks()),
        **(patient if draw(st.booleans()) else {}),
        rate_max_nl_per_day=draw(st.one_of(st.just(24_000_000), rates())),
        bolus_volume_max_nl=draw(st.one_of(st.just(1_000_000), around(1_000, 1_000_000))),
        window_max_nl=draw(st.one_of(st.just(30_000_000), around(1_000, 30_000_000))),
        low_reservoir_nl=draw(around(1_000_000, 20_000_000)),
        critical_repeat_min=draw(repeats),
        non_critical_repeat_min=draw(repeats),
        catheter_nl=draw(st.integers(0, 10_000_000)),
    )
    return program.used()


NEAR_THE_LIMITS = near_the_limits()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(NEAR_THE_LIMITS)
def test_what_passes_our_limits_passes_the_pumps(insecure_desk: Desk, tmp_path: Path, program: Program) -> None:
    """A range that CAPS shows is found here, with status 2; what is left for the pump to judge, it takes."""
    path = tmp_path / "any.toml"
    path.write_text(program_text(program), encoding="utf-8")
    assert insecure_desk.vpump("program", str(path), "--dry-run").exit_code in (0, 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(NEAR_THE_LIMITS)
def test_what_our_limits_forbid_the_pump_forbids_as_well(insecure_desk: Desk, tmp_path: Path, program: Program) -> None:
    """Neither are we stricter than the pump: it refuses what we would, with the same field."""
    path = tmp_path / "any.toml"
    path.write_text(program_text(program), encoding="utf-8")
    ours = insecure_desk.vpump("program", str(path), "--dry-run")
    with pytest.MonkeyPatch.context() as patched:
        for check in ("check_drugs", "check_ranges"):
            patched.setattr(program_limits, check, lambda *_: None)
        the_pumps = insecure_desk.vpump("program", str(path), "--dry-run")
    assert (ours.exit_code, the_pumps.exit_code) in ((0, 0), (2, 1))


@settings(max_examples=150)
@given(NEAR_THE_LIMITS, st.sampled_from(shipped_profiles()))
def test_our_ranges_are_the_pumps_own(program: Program, name: str) -> None:
    """What CAPS lets a programmer work out is what the pump would refuse first, with the same limit."""
    profile = load_profile(name)
    refusal = check_limits(unpack_program(replace(program, drugs=()).image()), profile)
    beyond = next((allowed for allowed in ranges(program, caps_of(profile)) if not allowed.holds), None)
    assert (refusal is None) == (beyond is None)
    if refusal is not None and beyond is not None:
        field = attribute_of(Block[ModelBlock(refusal.element).name], refusal.field)
        limit = beyond.lowest if beyond.value < beyond.lowest else beyond.highest
        assert (field, refusal.detail) == (beyond.attribute, limit)
