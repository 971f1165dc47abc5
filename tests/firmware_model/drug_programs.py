"""Programs for the tests, their image as the wire encodes it, and Hypothesis strategies for good and bad ones."""

from dataclasses import replace

from hypothesis import strategies as st

from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.program import DRUG_PLACES, Drug, Program
from firmware_model.profile import Profile
from protocol.fields import encode
from protocol.messages import codes as wire
from protocol.messages.program import AlarmsBlock, DrugEntry, DrugsBlock, InfusionBlock, LimitsBlock
from tests.firmware_model.pump_profiles import LONG_LOG

BLOCKS = (Block.DRUGS, Block.INFUSION, Block.LIMITS, Block.ALARMS)
U32 = st.integers(0, 0xFFFF_FFFF)


def wire_blocks(program: Program) -> dict[Block, bytes]:
    """The blocks of a program as a host sends them: from the wire's own tables."""
    places = [DrugEntry(name=drug.name, concentration_ng_per_ml=drug.concentration_ng_per_ml) for drug in program.drugs]
    empty = [DrugEntry(name="", concentration_ng_per_ml=0)] * (DRUG_PLACES - len(places))
    return {
        Block.DRUGS: encode(DrugsBlock(drugs=(*places, *empty))),
        Block.INFUSION: encode(
            InfusionBlock(mode=wire.Mode[program.mode.name], rate_nl_per_day=program.rate_nl_per_day)
        ),
        Block.LIMITS: encode(
            LimitsBlock(
                rate_max_nl_per_day=program.rate_max_nl_per_day, bolus_volume_max_nl=program.bolus_volume_max_nl
            )
        ),
        Block.ALARMS: encode(AlarmsBlock(low_reservoir_nl=program.low_reservoir_nl)),
    }


def wire_image(program: Program) -> bytes:
    return b"".join(wire_blocks(program).values())


def new_program(profile: Profile = LONG_LOG, **values: object) -> Program:
    """What a pump of this profile runs at first, with other values."""
    first = Program(
        drugs=(),
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=profile.therapy.rate_nl_per_day,
        rate_max_nl_per_day=profile.therapy.rate_max_nl_per_day,
        bolus_volume_max_nl=profile.bolus.volume_max_nl,
        low_reservoir_nl=profile.reservoir.low_nl,
    )
    return replace(first, **values)  # type: ignore[arg-type]


_names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=16)


def mixtures(concentrations: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Drug, ...]]:
    drugs = st.builds(Drug, _names, concentrations)
    return st.lists(drugs, max_size=DRUG_PLACES, unique_by=lambda drug: drug.name).map(tuple)


any_programs = st.builds(
    Program,
    drugs=mixtures(U32),
    mode=st.sampled_from(Mode),
    rate_nl_per_day=U32,
    rate_max_nl_per_day=U32,
    bolus_volume_max_nl=U32,
    low_reservoir_nl=U32,
)
"""Every program that has an image; hardly any that a pump would run."""


def near(lowest: int, highest: int) -> st.SearchStrategy[int]:
    """Numbers around a range: mostly within, at its ends, and beside them."""
    edges = [max(0, lowest - 1), lowest, lowest + 1, max(0, highest - 1), highest, highest + 1]
    return st.one_of(st.integers(lowest, highest), st.sampled_from(edges))


def programs_near(profile: Profile) -> st.SearchStrategy[Program]:
    """Programs that this pump would run, and such as it only just would not."""
    therapy, bolus, reservoir = profile.therapy, profile.bolus, profile.reservoir
    rates = near(therapy.rate_min_nl_per_day, therapy.rate_max_nl_per_day)
    return st.builds(
        Program,
        drugs=st.one_of(
            mixtures(st.integers(1, therapy.concentration_max_ng_per_ml)),
            mixtures(near(1, therapy.concentration_max_ng_per_ml)),
        ),
        mode=st.sampled_from(Mode),
        rate_nl_per_day=rates,
        rate_max_nl_per_day=st.one_of(st.just(therapy.rate_max_nl_per_day), rates),
        bolus_volume_max_nl=near(bolus.volume_min_nl, bolus.volume_max_nl),
        low_reservoir_nl=near(reservoir.empty_nl, reservoir.capacity_nl),
    )
