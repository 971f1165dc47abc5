"""Recordings of a line in words, for `vpump decode` and `vpump send`."""

from __future__ import annotations

from emulator.wire import DecoderSetting, Direction, FieldRow, FrameWords, WireFrame
from wand_pump.frames import DATA_AT, Cutter, parts_of
from wand_pump.messages import fields_in, summary_of


class Recordings:
    """Explains what was recorded of a line; who spoke stands in every frame."""

    def __init__(self, setting: DecoderSetting) -> None:
        self._thorough = setting.thorough

    def cutter(self, direction: Direction | None) -> Cutter:
        """A new cutter."""
        return Cutter(direction)

    def explain(self, frame: WireFrame) -> FrameWords:
        """What a good frame says."""
        operation, data = parts_of(frame.raw)
        verdict, fields, values = fields_in(operation, data)
        document = {"verdict": verdict.lower() or None, "fields": values}
        if values is None:
            problem = "the data is not what its fields are"
            return FrameWords(frame.direction.value, verdict, document, problem, at=DATA_AT)
        rows = []
        at = DATA_AT + (1 if verdict else 0)
        for field in fields:
            rows.append(FieldRow(at, field.name, str(values[field.name]), field.unit))
            at += field.size
        words = summary_of(operation, data)
        return FrameWords(frame.direction.value, words, document, rows=tuple(rows) if self._thorough else ())

    def unfinished(self, rest: bytes) -> str:
        """Why the bytes at the end are no frame."""
        return f"unfinished: {len(rest)} bytes of a frame"
