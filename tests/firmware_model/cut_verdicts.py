"""What a boot makes of what a power cut has left: exactly what it makes of an old record or of a new one, never else.

A cut is judged by another pump: the same one, with its power lost between two commits. What holds for any pump that has
booted is checked once for each different pump that comes out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from firmware_model.commands import LedgerEntry
from firmware_model.firmware.codes import AlarmState, AlarmType, Mode, OpKind, OpState, RunState, StopReason
from firmware_model.firmware.event_log import RECORD_BYTES, LogRecord, LogType
from firmware_model.memory import CutMode
from firmware_model.write_faults import Region
from tests.firmware_model.copied import Snapshot, copy_of
from tests.firmware_model.cut_points import Off, Records, Stored, every_cut, records_in, records_of, stored_by
from tests.firmware_model.doorway import Doorway

WHY_STOPPED = {
    StopReason.EMPTY_RESERVOIR: AlarmType.EMPTY_RESERVOIR,
    StopReason.END_OF_SERVICE: AlarmType.END_OF_SERVICE,
    StopReason.SUPERVISOR: AlarmType.SUPERVISOR,
    StopReason.PROGRAM_INCOMPLETE: AlarmType.PROGRAM_INCOMPLETE,
}
"""The alarm that says why a pump stands still; for any other reason somebody asked for it."""
MOST_BOOT_WRITES = 300
"""What a boot may write: both records whole, and some log records."""
_BOLUSES = (OpKind.BOLUS, OpKind.PATIENT_BOLUS)


class Booted(NamedTuple):
    """All that a boot decides: records, log, and what flows."""

    records: Records
    log: tuple[bytes, ...]
    run_state: RunState
    flows: tuple[int, bool, bool]
    steps_total: int
    elapsed_us: int


def booted(off: Off[Doorway]) -> tuple[Doorway, Booted]:
    """Give the power back."""
    door = off.again()
    door.restore_power()
    firmware = door.pump.firmware
    ring, flow, log_next = firmware.ring, firmware.flow, firmware.record.log_next
    log = tuple(
        ring.memory.read_log(ring._offset(*ring._locate(sequence)), RECORD_BYTES)
        for sequence in range(ring.first(log_next), log_next)
    )
    flows = (flow.base.gain, flow.dose is None, flow.bolus is None)
    return door, Booted(
        records_of(door), log, firmware.record.run_state, flows, firmware.steps_total, firmware.elapsed_us
    )


@dataclass
class Figures:
    """What was tried: cuts, different memories that they left, different pumps that booted from them."""

    cuts: int = 0
    memories: int = 0
    pumps: int = 0


@dataclass
class Verdicts:
    """The cuts of one act, judged: `chain` is what memory holds at first, and behind each commit of its own."""

    before: Snapshot[Doorway]
    act: Callable[[Doorway], object]
    interval_nl: int
    figures: Figures = field(default_factory=Figures)
    chain: list[tuple[Records, Stored]] = field(default_factory=list)
    _legal: dict[tuple[Records, bytes], frozenset[Booted]] = field(default_factory=dict)
    _checked: set[Booted] = field(default_factory=set)

    def judge(self) -> None:
        """Try every cut."""
        offs = list(every_cut(self.before, self.act))
        self._find_chain(offs)
        seen: set[tuple[Stored, bytes]] = set()
        for off in offs:
            self.figures.cuts += 1
            # A boot knows nothing of a cut but what it has left.
            if (left := (off.stored, off.beside)) not in seen:
                seen.add(left)
                self._judge(off)
        self.figures.memories, self.figures.pumps = len(seen), len(self._checked)

    def _find_chain(self, offs: list[Off[Doorway]]) -> None:
        """What memory holds between any two writes, when it is not the same as before."""
        first, last = self.before.copy(), self.before.copy()
        self.act(last)
        between = [off.stored for off in offs if off.mode is CutMode.BEFORE]
        for stored in (stored_by(first), *between, stored_by(last)):
            records = records_in(stored)
            if not self.chain or records != self.chain[-1][0]:
                self.chain.append((records, stored))

    def _judge(self, off: Off[Doorway]) -> None:
        found = records_in(off.stored)
        clean = [stored for records, stored in self.chain if records == found]
        assert clean, f"{off}: the records are none that was committed"
        if (found, off.beside) not in self._legal:
            self._legal[found, off.beside] = frozenset(
                booted(off._replace(stored=stored))[1] for stored in _with_copies_lost(off, clean[0])
            )
        door, result = booted(off)
        assert result in self._legal[found, off.beside], f"{off}: another pump than without this cut"
        if result not in self._checked:
            self._checked.add(result)
            _check_bounded(off)
            check_after_boot(door, self.interval_nl)


def _with_copies_lost(off: Off[Doorway], stored: Stored) -> list[Stored]:
    """A memory as it is, and without the copy of either record that is not the newest."""
    variants = [stored]
    for region in (Region.CONTROL, Region.SECURITY):
        for slot in (0, 1):
            door = off._replace(stored=stored).again()
            memory = door.pump.memory
            memory.flip_bit(region, memory.bits(region) // 2 * slot + 77)
            if records_of(door) == records_in(stored):
                variants.append(stored_by(door))
    return variants


def check_after_boot(door: Doorway, interval_nl: int) -> None:
    """What holds for any pump that has booted, however its power was lost."""
    assert door.pump.powered
    assert door.words().count("power restored") == 1
    _check_boluses(door, interval_nl)
    _check_flow(door)
    _check_log(door)
    # A boot behind this one changes no therapy.
    again = copy_of(door)
    again.cut_power()
    again.restore_power()
    assert again.pump.firmware.record.program == door.pump.firmware.record.program
    assert again.status().run_state is door.status().run_state
    # And it obeys.
    door.stop()
    assert door.status().run_state is RunState.STOPPED


def _check_bounded(off: Off[Doorway]) -> None:
    """A boot comes to its end in so many writes, and needs no other one."""
    door = off.again()
    memory = door.pump.memory
    memory.watched, already = True, memory.primitives
    door.restore_power()
    assert memory.primitives - already < MOST_BOOT_WRITES
    assert door.pump.powered


def _check_boluses(door: Doorway, interval_nl: int) -> None:
    """None resumes, and what moved is known: between min and max, which are an interval apart at most.

    How little has moved in a stall is known to the last sample only, and unknown before any sample has shown it.
    """
    status, pump = door.status(), door.pump
    given_nl = pump.plant.motor.steps * door.step_nl
    entries = [entry for entry in door.ops().entries if entry.kind in _BOLUSES]
    ends = [record.detail for record in door.log() if record.type is LogType.BOLUS_ENDED and not record.detail["role"]]
    bounds = [(entry.min_nl, entry.max_nl) for entry in entries]
    bounds += [(end["delivered_min_nl"], end["delivered_max_nl"]) for end in ends]
    assert given_nl <= sum(most for _, most in bounds)
    if not pump.plant.condition.stalled:
        assert sum(least for least, _ in bounds) <= given_nl
        assert all(most - least <= interval_nl for least, most in bounds)
    for entry in entries:
        _check_entry(entry)
    assert (status.bolus_id, pump.firmware.flow.bolus) == (0, None)
    dose = pump.firmware.record.dose
    if dose is not None:
        # The next one of a periodic program: its turn has come, and it is none that was under way.
        assert dose.bolus_id not in {end["bolus_id"] for end in ends}
        assert pump.firmware.dose_steps == 0
        return
    assert pump.firmware.flow.dose is None
    door.wait(100)
    assert pump.plant.motor.steps * door.step_nl == given_nl


def _check_entry(entry: LedgerEntry) -> None:
    match entry.state:
        case OpState.DONE:
            assert entry.min_nl == entry.max_nl > 0
        case OpState.REJECTED:
            assert entry.max_nl == 0
        case OpState.PARTIAL:
            assert entry.max_nl > 0
        case state:
            raise AssertionError(f"{state.name} after a boot")
    assert entry.min_nl <= entry.max_nl


def _check_flow(door: Doorway) -> None:
    """It runs what its program says, or it stands still for a reason that somebody gave or an alarm tells."""
    status, program = door.status(), door.pump.firmware.record.program
    standing = {alarm.type for alarm in door.alarms() if alarm.state is not AlarmState.CLEARED}
    if status.run_state is RunState.RUNNING:
        assert status.base_rate_nl_per_day == status.programmed_rate_nl_per_day
        assert program.mode is not Mode.STOPPED
        return
    assert status.run_state is RunState.STOPPED
    assert status.base_rate_nl_per_day == 0
    match status.stop_reason:
        case StopReason.COMMANDED:
            assert any(_is_command_to_stop(record) for record in door.log())
        case StopReason.PROGRAMMED:
            assert program.mode in (Mode.STOPPED, Mode.SINGLE_BOLUS)
        case reason:
            assert WHY_STOPPED[reason] in standing, "silently stopped"


def _is_command_to_stop(record: LogRecord) -> bool:
    return record.type is LogType.THERAPY_STOPPED and record.detail["reason"] == StopReason.COMMANDED


def _check_log(door: Doorway) -> None:
    """The log has no half record and no gap, and its last boot is this one."""
    records, status = door.log(), door.status()
    assert [record.sequence for record in records] == list(range(records[0].sequence, status.log_last + 1))
    assert LogType.CORRUPT not in [record.type for record in records]
    boots = [record for record in records if record.type is LogType.BOOT]
    assert boots[-1].boot == status.boot
