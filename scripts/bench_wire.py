"""How fast the wire is: exchanges of both ends with a whole device, and what the libraries below take of them."""

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType

from scripts.bench_exchange import BareExchanges, BareLibraries, BulkBytes, DeviceExchanges
from scripts.bench_timing import Figure, Run

EXCHANGES = 100
SLICES = 300
FRAMES = 2_000
"""Frames of the bulk bytes."""


class WireRun(Run):
    """Exchanges of one session. What several measures look at is timed once."""

    @cached_property
    def exchange_us(self) -> float:
        """Microseconds of one exchange, both ends and the device between them."""
        return self.best_us(DeviceExchanges().run, EXCHANGES, SLICES)

    @cached_property
    def bare(self) -> BareLibraries:
        """The libraries alone."""
        return BareLibraries()


def exchanges_per_second(run: WireRun) -> Figure:
    """STATUS in a session, asked, sealed, framed, answered and decoded; beside its structures in bare construct."""
    bare_us = run.best_us(run.bare.build_and_parse, EXCHANGES, SLICES)
    return Figure(1e6 / run.exchange_us, "exchanges/s", "bare construct on its structures", 1e6 / bare_us)


def exchange_vs_ends(run: WireRun) -> Figure:
    """The same exchange, beside the two ends of the protocol and the model without the device around them."""
    return Figure(run.exchange_us, "us", "both ends and the model", run.best_us(BareExchanges().run, EXCHANGES, SLICES))


def exchange_vs_aes_ccm(run: WireRun) -> Figure:
    """The same exchange, beside its two payloads sealed and opened by bare AES-CCM."""
    bare_us = run.best_us(run.bare.seal_and_open, EXCHANGES, SLICES)
    return Figure(run.exchange_us, "us", "bare AES-CCM on its payloads", bare_us)


def frames_per_second(run: WireRun) -> Figure:
    """Frames that a reader cuts out of bulk bytes, beside bare COBS and CRC-32 on frames that are cut."""
    bulk = BulkBytes(run.count(FRAMES // 2))
    read_us, bare_us = (run.best_us(each, 1, SLICES) / bulk.frames for each in (bulk.read, bulk.decode))
    return Figure(1e6 / read_us, "frames/s", "bare COBS and CRC-32", 1e6 / bare_us)


WIRE_MEASURES: Mapping[str, Callable[[WireRun], Figure]] = MappingProxyType(
    {
        "wire.exchanges_per_second": exchanges_per_second,
        "wire.exchange_vs_ends": exchange_vs_ends,
        "wire.exchange_vs_aes_ccm": exchange_vs_aes_ccm,
        "wire.frames_per_second": frames_per_second,
    }
)
