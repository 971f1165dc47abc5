"""What fate and the tester do to a pump in a step, and how it is put right again."""

from __future__ import annotations

from random import Random

from firmware_model import commands
from firmware_model.faults import FAULTS
from firmware_model.faults.board import TooManyDeviceFaults
from firmware_model.firmware.codes import AlarmState, AlarmType, Role, RunState
from firmware_model.firmware.event_log import LogType
from firmware_model.memory import CutMode
from firmware_model.pump import Pump
from firmware_model.pump_state import restored, save
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_SECOND
from firmware_model.write_faults import Region
from tests.firmware_model.invariants.deed_values import seldom
from tests.firmware_model.invariants.fault_book import MEMORY
from tests.firmware_model.invariants.program_deeds import transact
from tests.firmware_model.invariants.therapy_deeds import refill_with
from tests.firmware_model.invariants.told import Flip
from tests.firmware_model.invariants.ward import Ward
from tests.firmware_model.random_faults import a_fault
from tests.firmware_model.random_programs import any_scale

_DAY_US = SECONDS_PER_DAY * US_PER_SECOND
_MILD = tuple(verb for verb in FAULTS if verb not in MEMORY)


def a_duration_us(ward: Ward, random: Random) -> int:
    """From nothing to years; often to the very instant at which something is due, or beside it."""
    match random.randrange(16):
        case 0 | 1 | 2 | 3:
            due_us = ward.pump.next_deadline()
            duration_us = max(0, (due_us or 0) - ward.pump.now_us + random.choice((-1, 0, 0, 1)))
        case 4 | 5 | 6:
            duration_us = any_scale(random, 0, 100 * US_PER_SECOND)
        case 7 | 8 | 9:
            duration_us = random.randint(0, 3_600 * US_PER_SECOND)
        case 10 | 11 | 12:
            duration_us = random.randint(0, _DAY_US)
        case 13 | 14:
            duration_us = random.randint(0, 4 * _DAY_US)
        case _:
            duration_us = random.randint(0, 60 * _DAY_US)
            if seldom(random, 50):
                duration_us = _rest_of_life_us(ward) + random.choice((-1, 0, _DAY_US))
    # So long that no more happens than elsewhere in months: samples of the rotor, and doses, come fast.
    pump, interval_s = ward.pump, ward.books.program.dose_interval_s
    if pump.plant.rotor_is_doubtful or not pump.firmware.counting:
        return min(duration_us, random.choice((1, 1, 1, 1, 3)) * _DAY_US)
    return min(duration_us, 60 * interval_s * US_PER_SECOND) if interval_s and not seldom(random, 20) else duration_us


def _rest_of_life_us(ward: Ward) -> int:
    """Years, until the pump's service ends."""
    return max(1, ward.books.end_of_service_us() - ward.books.elapsed_us)


def wait(ward: Ward, random: Random) -> None:
    ward.pump.advance(ward.pump.now_us + a_duration_us(ward, random))


def wait_in_pieces(ward: Ward, random: Random) -> None:
    """The same time at one go and in pieces, with two pumps that were one."""
    ward.take_events()
    pump, total_us = ward.pump, min(a_duration_us(ward, random), 4 * _DAY_US)
    at_once = restored(save(pump), ward.profile)
    until_us = pump.now_us + total_us
    at_once.advance(until_us)
    for at_us in sorted(random.randint(pump.now_us, until_us) for _ in range(random.randint(1, 4))):
        pump.advance(at_us)
    pump.advance(until_us)
    ward.step.pieces.append((ward.take_events(), list(iter(at_once.next_event, None))))
    ward.step.pieces.append((pump.digest(), at_once.digest()))


def save_and_restore(ward: Ward, _random: Random) -> None:
    ward.take_events()
    before = ward.pump
    ward.pump = restored(save(before), ward.profile)
    ward.step.pieces.append((before.digest(), ward.pump.digest()))


def arm_fault(ward: Ward, random: Random) -> None:
    """Any fault of the registry with any values; often one waits for what comes of it."""
    verbs = tuple(FAULTS) if seldom(random, 2) else _MILD
    fault = a_fault(random, verbs)
    try:
        ward.pump.arm_fault(fault, ward.pump.now_us)
    except TooManyDeviceFaults:
        ward.clear_faults()
    if not seldom(random, 3):
        days = 2 if fault.verb in MEMORY else 1
        ward.pump.advance(ward.pump.now_us + random.randint(0, days * _DAY_US))


def clear_faults(ward: Ward, _random: Random) -> None:
    ward.clear_faults()


def cut_power(ward: Ward, random: Random) -> None:
    """Now, or at a write; it comes back, or not yet; and perhaps goes again while the pump boots."""
    if seldom(random, 3):
        ward.pump.cut_power(ward.pump.now_us)
    else:
        arm_cut(ward, random)
        ward.bedside.ask(commands.NumberSession(Role.READER, random.randint(0, 1)))
        ward.bedside.stop()
    while not seldom(random, 3):
        if seldom(random):
            arm_cut(ward, random)
        restore_power(ward, random)


def arm_cut(ward: Ward, random: Random) -> None:
    at_write = any_scale(random, 1, 60)
    ward.pump.arm_power_cut(at_write, random.choice(tuple(CutMode)), random.randint(1, 8), ward.pump.now_us)


def restore_power(ward: Ward, _random: Random) -> None:
    pump = ward.pump
    certain = pump.memory.armed_cut is None
    ward.chances += 1
    pump.restore_power(pump.now_us)
    ward.must_run = certain and not pump.browned_out


def open_session(ward: Ward, random: Random) -> None:
    """A number, an attempt that is counted, and what comes of it; telemetry; other keys; a session that ends."""
    pump, bedside = ward.pump, ward.bedside
    match random.randrange(6):
        case 0:
            pump.set_telemetry(on=seldom(random, 2), now=pump.now_us)
        case 1:
            bedside.ask(commands.NoteKeysReplaced(seldom(random, 2)))
        case 2:
            raise_counter(ward, random)
        case _:
            pump.end_session(random.choice((1, 2, 3)), pump.now_us)
    role, port = random.choice(tuple(Role)), random.choice((0, 0, 1, 20))
    for _ in range(random.choice((1, 1, 8))):
        bedside.ask(commands.NumberSession(role, port))
        bedside.ask(commands.CountAttempt(role, port))
        if seldom(random, 3):
            bedside.ask(commands.ConfirmAttempt(role, port, 7, random.choice((None, 8))))
        else:
            bedside.ask(commands.NoteFailure(port, random.choice((None, role))))


def raise_counter(ward: Ward, random: Random) -> None:
    """A driver knows of numbers that this pump cannot remember."""
    pump, floor = ward.pump, max(0, ward.notes.session_high + random.randint(-5, 5))
    pump.raise_session_counter(floor, pump.now_us)
    record = pump.firmware.security.record
    if pump.powered and record is not None and record.session_counter >= floor:
        ward.notes.session_high = max(ward.notes.session_high, floor)


def look(ward: Ward, _random: Random) -> None:
    """Everything that may be read; it changes nothing."""
    bedside, before = ward.bedside, ward.pump.digest()
    for question in (
        commands.ListOps(),
        commands.ReadBattery(),
        commands.ReadReservoir(),
        commands.ReadTime(),
        commands.ReadLogRange(),
        commands.ReadAlarm(1),
        commands.ReadIdentity(),
        commands.ReadLimits(),
        commands.QueryOp(Role.CLINICIAN, bedside.op_high()),
        commands.FindLog(1, 1_000),
    ):
        bedside.ask(question)
    bedside.self_test()
    ward.step.pieces.append((before, ward.pump.digest()))


def flip_a_bit(ward: Ward, random: Random) -> None:
    """A bit of a sound memory falls over in a copy of the pump, or one of each copy of a record; then both boot."""
    memory = ward.pump.memory
    if not ward.books.judged or memory.check(memory.control) or memory.check(memory.security):
        return
    ward.take_events()
    region = random.choice(tuple(Region))
    saved = save(ward.pump)
    sound, struck = (restored(saved, ward.profile) for _ in range(2))
    bits, both = struck.memory.bits(region), region is Region.CONTROL and seldom(random, 2)
    bit = random.randrange(bits)
    struck.memory.flip_bit(region, bit)
    if both:
        struck.memory.flip_bit(region, (bit + bits // 2) % bits)
    for copy in (sound, struck):
        copy.cut_power(copy.now_us)
        copy.restore_power(copy.now_us)
    if sound.powered and struck.powered:
        ward.step.flips.append(_flip(region, bit, both, sound, struck))


def _flip(region: Region, bit: int, both: bool, sound: Pump, struck: Pump) -> Flip:
    record, flow = struck.firmware.record, struck.firmware.flow
    failed = record.run_state is RunState.FAILED
    types = {alarm.type for alarm in record.alarms if alarm.state is not AlarmState.CLEARED}
    same = _kept(sound) == _kept(struck)
    if region is Region.SECURITY:
        mine, other = struck.firmware.security.record, sound.firmware.security.record
        same = same and mine is not None and other is not None and mine.session_counter >= other.session_counter
    return Flip(
        region.value,
        bit,
        both,
        same=same and _readable(sound, struck),
        told=failed or AlarmType.MEMORY_REPAIRED in types,
        failed=failed,
        flows=bool(flow.base.gain) or flow.bolus is not None,
    )


def _kept(pump: Pump) -> tuple[object, ...]:
    """What a boot takes up of therapy."""
    record = pump.firmware.record
    therapy = (record.program, record.run_state, record.stop_reason, record.reservoir_nl, record.mixture)
    return (*therapy, record.lockout_until_s, record.doses, record.ledger, record.next_bolus_id, record.therapy_rev)


def _readable(sound: Pump, struck: Pump) -> bool:
    """Whether each record of the log is as it was, or says itself that it is bad."""
    ring, other = sound.firmware.ring, struck.firmware.ring
    after = min(sound.firmware.record.log_next, struck.firmware.record.log_next)
    pairs = [(ring.read(at), other.read(at)) for at in range(ring.first(after), after)]
    return all(
        mine == theirs or theirs.type is LogType.CORRUPT for mine, theirs in pairs if mine.type is not LogType.BOOT
    )


def put_right(ward: Ward, random: Random) -> None:
    """Everything is mended: faults, power, reservoir, alarms; a program runs. What cannot be mended is replaced."""
    pump, bedside = ward.pump, ward.bedside
    ward.clear_faults()
    pump.disarm_power_cut()
    pump.memory.armed_fault = None
    restore_power(ward, random)
    if not pump.powered or ward.is_lost:
        ward.replace_pump()
        return
    refill_with(ward, random, ward.profile.reservoir.capacity_nl, ward.books.mixture)
    for alarm in bedside.alarms():
        if alarm.state is not AlarmState.CLEARED:
            bedside.clear(alarm.instance)
    bedside.set_time(1_893_456_000 + random.randint(0, 7 * SECONDS_PER_DAY))
    if bedside.status().run_state is not RunState.RUNNING:
        bedside.start()
    ward.take_events()
    if seldom(random, 3):
        transact(ward, random, ward.books.program)
