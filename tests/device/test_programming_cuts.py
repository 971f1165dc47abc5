"""A program is the old one or the new one: the line and the power are cut everywhere between OPEN and COMMIT's answer.

After each cut a new session looks: which program is active, by its hash; whether it flows; what became of the command.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count, islice

import pytest

from emulator.device import Device
from emulator.events import PowerChanged
from emulator.inputs import CutPower, LineChange
from emulator.programmer.program_image import program_of
from emulator.vpump_wire import VpumpWire
from firmware_model.firmware.event_log import encode_record
from firmware_model.memory import WORD_BYTES, CutMode, WritePoint
from firmware_model.pump import Pump
from protocol.messages.codes import AlarmType, Mode, OpState, RunState, StopReason
from protocol.messages.log_records import ProgramChangedData, TherapyStartedData, TherapyStoppedData, data_of
from protocol.messages.operations import by_name
from protocol.messages.program import DrugEntry
from tests.conftest import Counted
from tests.device.desk import HOST_ID, SERIAL, Desk, happened, of_kind
from tests.device.transaction import (
    WATCHED_S,
    Found,
    Moment,
    Recording,
    Transaction,
    copy_of,
    copy_of_dead,
    counters_in,
    found_by,
    recorded,
)
from tests.firmware_model.pump_profiles import SMALL

OTHER_HOST = 0x0C22
SHARES = 5
DAY_S = 86_400
STEP_NL = SMALL.motor.step_volume_nl

DRUGS = (
    DrugEntry(name="baclofen", concentration_ng_per_ml=500_000, stability_days=0),
    DrugEntry(name="morphine", concentration_ng_per_ml=10_000_000, stability_days=0),
)
RUNNING = {"rate_nl_per_day": 6_480_000}
STOPPED = {"mode": Mode.STOPPED}
OTHER = {
    "rate_nl_per_day": 4_320_000,
    "drugs": DRUGS,
    "rate_max_nl_per_day": 9_000_000,
    "bolus_volume_max_nl": 100_000,
    "low_reservoir_nl": 110_000,
}
RUNNING_AGAIN = {"mode": Mode.SIMPLE_CONTINUOUS, "rate_nl_per_day": 4_320_000}

TRANSACTIONS = (
    Transaction("another program", RUNNING, OTHER),
    Transaction("stop by program", RUNNING, STOPPED),
    Transaction("run again by program", STOPPED, RUNNING_AGAIN),
    Transaction("given up for a STOP", RUNNING, OTHER, stops=True),
)

Cut = tuple[CutMode, int]
BYTES_OF_PAGE = (1, 7, 8, 48, 100)
"""How much of a page is erased when the power goes within: its first record, half of it, both of them."""

_FIRST_MODES: Mapping[WritePoint, tuple[CutMode, ...]] = {
    WritePoint.LOG_RECORD: (),
    WritePoint.LOG_ERASE: (),
    WritePoint.CONTROL_WIPE: (CutMode.IGNORED,),
    WritePoint.CONTROL_BODY: (CutMode.IGNORED,),
    WritePoint.CONTROL_COMMIT: (CutMode.AFTER,),
    WritePoint.SECURITY_WIPE: (CutMode.IGNORED,),
    WritePoint.SECURITY_BODY: (CutMode.IGNORED,),
    WritePoint.SECURITY_COMMIT: (CutMode.AFTER,),
}

recording_of = cache(recorded)


def every_cut(write: str) -> tuple[Cut, ...]:
    """All modes, with each number of bytes that can be torn or become garbage in a word, and some of a page's."""
    counts: dict[CutMode, Iterable[int]] = {
        CutMode.TORN: range(1, WORD_BYTES),
        CutMode.GARBAGE: range(1, WORD_BYTES + 1),
    }
    if write == WritePoint.LOG_ERASE.value:
        counts = dict.fromkeys(counts, BYTES_OF_PAGE)
    return tuple((mode, count) for mode in CutMode for count in counts.get(mode, (0,)))


def judge(recording: Recording, found: Found, *, heard: bool, given: int) -> None:
    """What holds after any cut. `heard`: the command was answered before it; `given`: the last session counter then."""
    transaction, status = recording.transaction, found.status

    # The program is the old one or the new one to the byte.
    assert found.image in (recording.old, recording.new)
    assert found.crc32 == zlib.crc32(found.image)
    program = program_of(found.image)

    # It is taken by all signs, or by none; and if the host knows that it is, it is.
    taken = status.stop_reason == StopReason.COMMANDED if transaction.stops else found.image != recording.old
    entry = [each for each in found.ops if each.op_id == recording.op_id]
    if taken:
        assert found.op.state == OpState.DONE
        assert (found.op.host_id, found.op.opcode) == (HOST_ID, by_name[transaction.command].opcode)
        assert [each.state for each in entry] == [OpState.DONE]
    else:
        assert found.op.state == OpState.NOT_SEEN
        assert entry == []
    assert taken or not heard
    assert [record.op_id for record in found.log if record.op_id == recording.op_id] == [recording.op_id] * taken
    if transaction.stops:
        assert found.image == recording.old

    # It flows as the program says, or the log says why not.
    expected = RunState.STOPPED if program.mode == Mode.STOPPED or (transaction.stops and taken) else RunState.RUNNING
    assert status.run_state == expected
    if expected == RunState.RUNNING:
        assert status.base_rate_nl_per_day == status.programmed_rate_nl_per_day == program.rate_nl_per_day
        assert abs(found.steps * STEP_NL * DAY_S - program.rate_nl_per_day * WATCHED_S) < STEP_NL * DAY_S
    else:
        assert (status.base_rate_nl_per_day, found.steps) == (0, 0)
        assert last_switch(found) == ((found.crc32, Mode.STOPPED) if program.mode == Mode.STOPPED else recording.op_id)
    assert found.alarms <= {AlarmType.RESET, AlarmType.MEMORY_REPAIRED}

    # No session number came twice.
    assert found.counter > given


def last_switch(found: Found) -> object:
    """What the log last says of a stop or start: the checksum and mode of a program, or the op id of a STOP."""
    said: object = None
    for record in found.log:
        match data_of(record):
            case ProgramChangedData(crc32=crc32, mode=mode):
                said = crc32, mode
            case TherapyStoppedData(reason=StopReason.COMMANDED):
                said = record.op_id
            case TherapyStartedData():
                said = None
    return said


@dataclass
class Aftermath:
    """What is found after each cut of one transaction; what would be the same once more is not looked at again."""

    recording: Recording
    by_memory: dict[object, Found] = field(default_factory=dict)
    by_boot: dict[object, Found] = field(default_factory=dict)
    judged: set[object] = field(default_factory=set)

    def judge(self, pump: Pump, device: Device | None = None, *, heard: bool, given: int) -> Found:
        """Give a pump its power back and look, in the device that it is in or in a new one. Only memory outlives a cut.

        heard   the host had been told that its command was taken
        given   the last session counter that the pump had given
        """
        left = left_in(pump)
        if left not in self.by_memory:
            pump.restore_power(pump.now_us)
            assert pump.powered
            booted = known_to(pump)
            if booted not in self.by_boot:
                device = device or Device(pump, VpumpWire(SMALL, SERIAL, insecure=False))
                self.by_boot[booted] = found_again(device, self.recording.op_id)
            self.by_memory[left] = self.by_boot[booted]
        found = self.by_memory[left]
        if (id(found), heard, given) not in self.judged:
            judge(self.recording, found, heard=heard, given=given)
            self.judged.add((id(found), heard, given))
        return found


def left_in(pump: Pump) -> object:
    """Everything that a boot begins with."""
    memory, journal = pump.memory, pump.memory.journal
    records = bytes(memory.control.region), bytes(memory.security.region), bytes(memory.log)
    counts = journal.steps_total, journal.bolus_steps, journal.elapsed_us, journal.programmed_steps
    return records, counts, pump.plant.motor.steps, pump.now_us


def known_to(pump: Pump) -> object:
    """Everything that a pump which has just booted can tell: both records, whether each has its copy, and the log."""
    memory, ring, after = pump.memory, pump.firmware.ring, pump.firmware.record.log_next
    return (
        tuple((pair.read(), len(pair.copies())) for pair in (memory.control, memory.security)),
        tuple(encode_record(ring.read(sequence)) for sequence in range(ring.first(after), after)),
        (pump.firmware.steps_total, pump.firmware.elapsed_us, pump.plant.motor.steps, pump.now_us),
    )


def found_again(device: Device, op_id: int, *, port: int = 0, host_id: int = HOST_ID, takeover: bool = False) -> Found:
    """What the host finds that comes back, or another one that comes."""
    happened(device)
    desk = Desk(device, port, challenges=100)
    desk.open()
    desk.open_session(host_id=host_id, takeover=takeover)
    return found_by(desk, op_id)


def cut_in(moment: Moment, at_write: int, cut: Cut) -> Device:
    """The device after the frame, with the power gone at that write if the frame leads to so many."""
    device = copy_of(moment.device)
    device.control(CutPower(at_write, *cut), device.now_us)
    device.receive(moment.frame, device.now_us)
    return device


def writes_in(moment: Moment) -> list[str]:
    """The names of the writes that a frame leads to."""
    names: list[str] = []
    while True:
        device = cut_in(moment, len(names) + 1, (CutMode.BEFORE, 0))
        if device.has_power:
            return names
        names += [event.write for event in of_kind(happened(device), PowerChanged)]


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_a_power_cut_at_any_write_leaves_the_old_program_or_the_new(transaction: Transaction, counted: Counted) -> None:
    recording = recording_of(transaction)
    aftermath, points, names, outcomes = Aftermath(recording), 0, set(), set()
    for number, moment in enumerate(recording.moments):
        for at_write, name in enumerate(writes_in(moment), start=1):
            names.add(name)
            for cut in every_cut(name):
                points += 1
                device = cut_in(moment, at_write, cut)
                assert device.data_to_send(device.now_us) == b"", "answered, and then lost"
                found = aftermath.judge(device.pump, device, heard=number > recording.decisive, given=moment.given)
                outcomes.add(found.op.state)
    # Every kind of write was cut, on both sides of the one that decides.
    assert names == {point.value for point in WritePoint}
    assert outcomes == {OpState.NOT_SEEN, OpState.DONE}
    counted(f"power cuts in '{transaction.name}'", points)


def first_cuts(recording: Recording) -> Iterator[tuple[Pump, bool, int]]:
    """Pumps without power, with what `Aftermath.judge` is to know of them.

    Each word of a record is once the only one that is missing, for what a boot writes then must not complete what the
    cut left; each kind of write is once torn, and each record is once whole.
    """
    for number, moment in enumerate(recording.moments):
        # A session is opened alike in all transactions.
        if number != recording.decisive and recording.transaction is not TRANSACTIONS[0]:
            continue
        names = writes_in(moment)
        for at_write, name in enumerate(names, start=1):
            modes = _FIRST_MODES[WritePoint(name)]
            if at_write == names.index(name) + 1:
                modes = (*modes, CutMode.TORN)
            for mode in modes:
                yield cut_in(moment, at_write, (mode, 4)).pump, number > recording.decisive, moment.given


def boot_cuts(dead: Pump) -> Iterator[Pump]:
    """Pumps without power again: each write of the boot in each mode. (After a write is before the next one.)"""
    for at_write in count(1):
        for mode in CutMode:
            if mode is not CutMode.AFTER:
                pump = copy_of_dead(dead)
                pump.arm_power_cut(at_write, mode, 4, pump.now_us)
                pump.restore_power(pump.now_us)
                if pump.powered:
                    return
                yield pump


def cut_twice(transaction: Transaction, share: int) -> int:
    """Cut the boots behind a share of the first cuts at each of their writes; returns how many pairs there were."""
    recording = recording_of(transaction)
    aftermath, pairs = Aftermath(recording), 0
    for first, heard, given in islice(first_cuts(recording), share, None, SHARES):
        for second in boot_cuts(first):
            pairs += 1
            aftermath.judge(second, heard=heard, given=given)
    return pairs


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_a_second_cut_in_the_boot_behind_the_first_changes_nothing(transaction: Transaction, counted: Counted) -> None:
    """A share of them; `scripts/soak programming` tries all."""
    pairs = cut_twice(transaction, TRANSACTIONS.index(transaction))
    assert pairs > 1_000 // SHARES
    counted(f"pairs of power cuts in '{transaction.name}' and in the boot behind it", pairs)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_a_line_that_closes_at_any_frame_leaves_the_old_program_or_the_new(
    transaction: Transaction, counted: Counted
) -> None:
    """Before a frame, within it, behind it with its answer unread, and behind the answer; the host is gone with it."""
    recording = recording_of(transaction)
    seen: dict[str, Found] = {}
    boundaries, outcomes = 0, set()
    for number, moment in enumerate(recording.moments):
        for arrived, read in ((0, False), (len(moment.frame) // 2, False), (None, False), (None, True)):
            boundaries += 1
            device = copy_of(moment.device)
            device.receive(moment.frame[:arrived], device.now_us)
            given = max([moment.given, *counters_in(device)])
            if read:
                assert device.data_to_send(device.now_us)
            device.line(LineChange.CLOSED, device.now_us)
            assert (device.session_open, device.pump.firmware.stages) == (False, [])
            stands = device.digest()
            if stands not in seen:
                seen[stands] = found_again(device, recording.op_id)
            heard = number > recording.decisive or (read and number == recording.decisive)
            judge(recording, seen[stands], heard=heard, given=given)
            outcomes.add(seen[stands].op.state)
    assert outcomes == {OpState.NOT_SEEN, OpState.DONE}
    counted(f"frame boundaries of '{transaction.name}'", boundaries)


@pytest.mark.parametrize("host_id", [HOST_ID, OTHER_HOST], ids=["the same host", "another host"])
@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_who_comes_on_another_port_finds_the_old_program_or_the_new_and_late_frames_change_neither(
    transaction: Transaction, host_id: int
) -> None:
    """The host falls silent behind each frame, and its line stays open; then what it had sent arrives once more."""
    recording = recording_of(transaction)
    for number, moment in enumerate(recording.moments):
        device = copy_of(moment.device)
        device.receive(moment.frame, device.now_us)
        given = max([moment.given, *counters_in(device)])
        found = found_again(device, recording.op_id, port=1, host_id=host_id, takeover=host_id != HOST_ID)
        judge(recording, found, heard=number > recording.decisive, given=given)
        assert device.pump.firmware.stages == []
        stands = device.pump.delivery_digest()
        for late in recording.moments[: number + 1]:
            device.receive(late.frame, device.now_us)
        assert device.pump.delivery_digest() == stands
