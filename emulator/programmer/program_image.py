"""A program as the programmer holds it: out of the blocks of its canonical image, and into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from protocol.fields import FormatError, decode, encode, layout_of
from protocol.framing import crc32
from protocol.messages.codes import Block, Mode
from protocol.messages.link import CapsAnswer
from protocol.messages.program import BLOCKS, DRUGS_MAX, AlarmsBlock, DrugEntry, DrugsBlock, InfusionBlock, LimitsBlock

_EMPTY_PLACE: Final = DrugEntry(name="", concentration_ng_per_ml=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a clinician sets. `drugs` are the used places only."""

    drugs: tuple[DrugEntry, ...]
    mode: Mode
    rate_nl_per_day: int
    rate_max_nl_per_day: int
    bolus_volume_max_nl: int
    low_reservoir_nl: int

    def blocks(self) -> Mapping[Block, bytes]:
        """The bytes of each block, in the order of the image."""
        places = self.drugs + (_EMPTY_PLACE,) * (DRUGS_MAX - len(self.drugs))
        messages = {
            Block.DRUGS: DrugsBlock(drugs=places),
            Block.INFUSION: InfusionBlock(mode=self.mode, rate_nl_per_day=self.rate_nl_per_day),
            Block.LIMITS: LimitsBlock(
                rate_max_nl_per_day=self.rate_max_nl_per_day, bolus_volume_max_nl=self.bolus_volume_max_nl
            ),
            Block.ALARMS: AlarmsBlock(low_reservoir_nl=self.low_reservoir_nl),
        }
        return {block: encode(messages[block]) for block in sorted(messages)}

    def image(self) -> bytes:
        """The canonical image."""
        return b"".join(self.blocks().values())

    @property
    def crc32(self) -> int:
        """What names this program."""
        return crc32(self.image())

    def quantised(self, caps: CapsAnswer) -> Program:
        """What a pump makes of it: the rate rounded down to a whole quantum, and 0 where the mode has none."""
        rate = self.rate_nl_per_day if self.mode == Mode.SIMPLE_CONTINUOUS else 0
        return replace(self, rate_nl_per_day=rate - rate % max(1, caps.rate_quantum_nl_per_day))

    def flow_nl_per_day(self, caps: CapsAnswer) -> int:
        """The base rate that it makes while therapy runs."""
        return {
            Mode.STOPPED: 0,
            Mode.MINIMUM_RATE: caps.rate_min_nl_per_day,
            Mode.SIMPLE_CONTINUOUS: self.rate_nl_per_day,
        }[self.mode]


def program_of(image: bytes) -> Program:
    """The program of a canonical image; ValueError says why it is none."""
    blocks: dict[Block, Any] = {}
    at = 0
    for block, table in BLOCKS.items():
        size = layout_of(table).fixed_size or 0
        try:
            blocks[block] = decode(table, image[at : at + size])
        except FormatError as error:
            raise ValueError(f"block {block.name}: {error}") from error
        at += size
    drugs, infusion = blocks[Block.DRUGS].drugs, blocks[Block.INFUSION]
    program = Program(
        drugs=tuple(drug for drug in drugs if drug != _EMPTY_PLACE),
        mode=infusion.mode,
        rate_nl_per_day=infusion.rate_nl_per_day,
        rate_max_nl_per_day=blocks[Block.LIMITS].rate_max_nl_per_day,
        bolus_volume_max_nl=blocks[Block.LIMITS].bolus_volume_max_nl,
        low_reservoir_nl=blocks[Block.ALARMS].low_reservoir_nl,
    )
    if program.image() != image:
        raise ValueError("another layout than the canonical one")
    return program
