"""What `vpump program` takes of a file: the examples, what is within the pump's limits, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.assembly import load_profile, shipped_profiles
from emulator.cli import main
from emulator.cli.program import EXAMPLE_NAMES
from emulator.identity import caps as caps_of
from emulator.programmer import program_file
from emulator.programmer.program_file import program_text, read_program_file, wanted_program
from emulator.programmer.program_image import Program
from protocol.messages.codes import Mode
from protocol.messages.program import DrugEntry
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


NEAR_THE_LIMITS = st.builds(
    Program,
    drugs=st.lists(
        st.builds(DrugEntry, name=st.sampled_from(["a", "b", "c"]), concentration_ng_per_ml=around(1, 50_000_000)),
        max_size=3,
        unique_by=lambda drug: drug.name,
    ).map(tuple),
    mode=st.sampled_from(Mode),
    rate_nl_per_day=around(48_000, 24_000_000),
    rate_max_nl_per_day=around(48_000, 24_000_000),
    bolus_volume_max_nl=around(1_000, 1_000_000),
    low_reservoir_nl=around(1_000_000, 20_000_000),
)


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
        for check in ("_check_drugs", "_check_ranges", "_check_rate"):
            patched.setattr(program_file, check, lambda *_: None)
        the_pumps = insecure_desk.vpump("program", str(path), "--dry-run")
    assert (ours.exit_code, the_pumps.exit_code) in ((0, 0), (2, 1))
