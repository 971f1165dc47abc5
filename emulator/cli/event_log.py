"""`vpump log`: the pump's event log, with its gaps and its unreadable records."""

from __future__ import annotations

import json
from typing import Any

import click

from emulator.cli.connection import LineHands, Target, open_link, talks_to_pump
from emulator.cli.errors import json_requested
from emulator.cli.quantities import US_PER_S, format_duration_us
from emulator.cli.reader_gone import nobody_reads
from emulator.cli.wording import document_of_record, record_type_name, summary_of
from emulator.programmer.effects import PumpRefused, read, run
from emulator.programmer.ledger import read_log_page
from protocol.fields import FormatError
from protocol.messages.codes import LogType
from protocol.messages.log import LogRecord, LogStatusAnswer, LogStatusRequest
from protocol.messages.log_records import data_of
from protocol.refusals import NakCode

FOLLOW_INTERVAL_US = 500_000
MAX_SEQUENCE = 0xFFFF_FFFF
MAX_PAGES_AT_ONCE = 1 << 20


@click.command(epilog="\b\nExamples:\n  vpump log\n  vpump log --since 120 --follow\n  vpump log --json")
@click.option("--since", type=click.IntRange(1, MAX_SEQUENCE), metavar="N", help="From record N on (the first).")
@click.option("--follow", is_flag=True, help="Go on with new records until interrupted.")
@talks_to_pump(role="reader")
def log(target: Target, since: int | None, follow: bool) -> None:
    """Read the event log, oldest record first; with --json, one JSON document per line."""
    with open_link(target) as link:
        hands = LineHands(link)
        reader = _Reader(hands, since)
        reader.show_new()
        while follow:
            hands.pause(FOLLOW_INTERVAL_US)
            if nobody_reads():
                raise BrokenPipeError
            reader.show_new()


class _Reader:
    """Shows records once each, and says where some are missing."""

    def __init__(self, hands: LineHands, since: int | None) -> None:
        self._hands = hands
        self._following = since
        self._epoch: int | None = None

    def show_new(self) -> None:
        status = run(read(LogStatusRequest(), LogStatusAnswer), self._hands)
        if self._epoch is not None and self._is_another(status):
            _show({"epoch": status.epoch}, f"--- this is another log: epoch {status.epoch}, up to record {status.last}")
            self._following = None
        self._epoch = status.epoch
        if self._following is None:
            self._following = status.first
        for _ in range(MAX_PAGES_AT_ONCE):
            if not 0 < self._following <= status.last:
                break
            try:
                records, following = run(read_log_page(status.epoch, self._following), self._hands)
            except PumpRefused as refused:
                if refused.nak.code != NakCode.LOG_EPOCH:
                    raise
                return  # begun anew while we read; the next status says so
            self._show_page(records, following)

    def _is_another(self, status: LogStatusAnswer) -> bool:
        """Whether the log was begun anew or put back: another epoch, or an end before what was read already."""
        return status.epoch != self._epoch or status.last + 1 < (self._following or 0)

    def _show_page(self, records: tuple[LogRecord, ...], following: int) -> None:
        expected = self._following or 0
        for record in records:
            _show_gap(expected, record.sequence)
            _show(document_of_record(record), _line(record))
            expected = record.sequence + 1
        _show_gap(expected, following)
        self._following = following


def _show_gap(expected: int, found: int) -> None:
    if found > expected:
        gap = {"gap": {"first": expected, "last": found - 1}}
        _show(gap, f"--- gap: records {expected} to {found - 1} are no longer held")


def _show(document: dict[str, Any], line: str) -> None:
    click.echo(json.dumps(document) if json_requested() else line)


def _line(record: LogRecord) -> str:
    when = format_duration_us(record.elapsed_s * US_PER_S)
    op = f" op {record.op_id}" if record.op_id else ""
    if record.type == LogType.CORRUPT:
        return f"{record.sequence:>6}  ---  corrupt: this record can no longer be read"
    try:
        data = data_of(record)
    except FormatError:
        data = None
    told = record.data[: record.data_length].hex() if data is None else summary_of(data)
    return f"{record.sequence:>6}  {when}  boot {record.boot}  {record_type_name(record)}{op}  {told}".rstrip()
