"""A pump in the very state of another one, so that many cuts can begin where one history has led."""

import copyreg
import io
import pickle
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from tests.firmware_model.bedside import Bedside

AnyBedside = TypeVar("AnyBedside", bound=Bedside)


class Snapshot(Generic[AnyBedside]):
    """All that a pump is at an instant, and whoever stands beside it; what it has told and not told is left behind."""

    def __init__(self, bedside: AnyBedside) -> None:
        firmware = bedside.pump.firmware
        # They are large and never change, so all copies have the same ones.
        self._shared = (bedside.pump.profile, firmware.record.program, firmware.compiled)
        out = io.BytesIO()
        _Writer(out, self._shared).dump(bedside)
        self._content = out.getvalue()

    def copy(self) -> AnyBedside:
        """That pump once more."""
        copied: AnyBedside = _Reader(io.BytesIO(self._content), self._shared).load()
        copied.pump._events.clear()
        copied.happened.clear()
        return copied


def copy_of(bedside: AnyBedside) -> AnyBedside:
    """The same pump once more."""
    return Snapshot(bedside).copy()


class _Writer(pickle.Pickler):
    # What was read from the log is of a kind that pickle does not know.
    dispatch_table = copyreg.dispatch_table | {MappingProxyType: lambda proxy: (_unchanging, (dict(proxy),))}

    def __init__(self, out: io.BytesIO, shared: tuple[object, ...]) -> None:
        super().__init__(out, pickle.HIGHEST_PROTOCOL)
        self._places = {id(part): place for place, part in enumerate(shared) if part is not None}

    def persistent_id(self, part: object) -> int | None:
        return self._places.get(id(part))


def _unchanging(content: dict[object, object]) -> MappingProxyType[object, object]:
    return MappingProxyType(content)


class _Reader(pickle.Unpickler):
    def __init__(self, content: io.BytesIO, shared: tuple[object, ...]) -> None:
        super().__init__(content)
        self._parts = shared

    def persistent_load(self, place: Any) -> object:
        return self._parts[place]
