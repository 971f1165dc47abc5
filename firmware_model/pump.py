"""The pump: commands in, replies and events out, and time that passes. The one door to plant and firmware.

Every call gives the virtual time `now` in microseconds, which never goes back. A power cut that comes within a call
unwinds to here: what was volatile is gone, the call has no reply, and nothing answers until power is restored.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from firmware_model import delivery, state, truth
from firmware_model.agenda import MOST_AT_ONE_INSTANT, NEVER
from firmware_model.calendar import CALENDAR, plan
from firmware_model.commands import Command, Reason, Refusal, Reply
from firmware_model.faults import FAULTS, ArmedFault, DeviceFault, FaultBoard
from firmware_model.firmware import bolus, housekeeping, refill, security, staging, stall, supervisor
from firmware_model.firmware.boot import boot, fail, format_memory, new_memory
from firmware_model.firmware.change import Change
from firmware_model.firmware.clock import notice_clock
from firmware_model.firmware.codes import AlarmType, ResetReason, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.flow import STANDSTILL
from firmware_model.firmware.security_record import HIGHEST_COUNTER
from firmware_model.handlers import HANDLERS
from firmware_model.memory import ArmedCut, CutMode, Memory, MemoryFailed, PowerLost
from firmware_model.plant import Plant, new_plant
from firmware_model.plant.condition import Condition, Environment
from firmware_model.plant.mixture import Mixture
from firmware_model.profile import Profile
from firmware_model.pump_events import FaultChanged, FlagsSet, PowerCut, PowerRestored, PumpEvent, Recorded, ToneSounded
from firmware_model.quantities import US_PER_DAY, first_instant

LATEST_FIRST_POWER_UP_US = 36_525 * US_PER_DAY
"""Its memory counts the seconds of virtual time in 32 bits, which are 136 years; it needs some of them for its life."""


@dataclass(slots=True)
class Pump:
    """One pump from its first power-up on.

    cut         the tester has taken the power away
    browned_out the cell cannot hold the electronics up
    """

    profile: Profile
    serial_number: int
    seed: int = 0
    now_us: int = 0
    cut: bool = False
    browned_out: bool = False
    _memory: Memory = field(init=False, repr=False)
    plant: Plant = field(init=False)
    firmware: Firmware = field(init=False)
    faults: FaultBoard = field(default_factory=FaultBoard)
    environment: Environment = field(default_factory=Environment)
    _faults_due_us: int = field(default=NEVER, init=False, repr=False)
    _announced: int = field(default=1, init=False, repr=False)
    _events: deque[PumpEvent] = field(default_factory=deque, init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for one that begins too late."""
        if self.now_us > LATEST_FIRST_POWER_UP_US:
            raise ValueError("100 years of virtual time have passed, and a pump begins within these")
        profile = self.profile
        self._memory = new_memory(profile)
        self.plant = new_plant(profile)
        self.firmware = self._new_firmware()
        format_memory(self.firmware)
        security.format_security(self.firmware)
        plan(self.firmware, self.plant)
        self._announce()

    @property
    def memory(self) -> Memory:
        """The memory, with all in it that was committed."""
        if self.powered:
            self.firmware.write_out()
        return self._memory

    @property
    def powered(self) -> bool:
        """Whether the electronics run."""
        return not (self.cut or self.browned_out)

    def command(self, command: Command, now: int) -> Reply | None:
        """Ask the pump something. None: it has no power, or lost it on the way; there will be no reply."""
        self.advance(now)
        if not self.powered:
            return None
        answer, moves = HANDLERS[type(command)]
        try:
            reply = answer(self.firmware, command)
            if moves or self.firmware.unplanned:
                plan(self.firmware, self.plant, moves)
            self._announce()
        except PowerLost as lost:
            self._lose_power(lost.point.value)
            return None
        except MemoryFailed:
            self._fail_memory()
            reply = Refusal(Reason.MEMORY_FAILURE)
        return None if self.browned_out else reply

    @property
    def open_sessions(self) -> tuple[int, ...]:
        """The sessions that something is held for, which no other session can use."""
        held = (*self.firmware.leases, *self.firmware.stages, self.firmware.refill)
        return tuple(dict.fromkeys(each.session for each in held if each is not None))

    def end_session(self, session: int, now: int) -> None:
        """A session of the wire has ended: its leases, its stage and its refill are void."""
        self.advance(now)
        if not self.powered:
            return
        try:
            bolus.end_session(self.firmware, session)
            refill.end_session(self.firmware, session)
            staging.end_session(self.firmware, session)
            plan(self.firmware, self.plant)
            self._announce()
        except PowerLost as lost:
            self._lose_power(lost.point.value)
        except MemoryFailed:
            self._fail_memory()

    def set_telemetry(self, *, on: bool, now: int) -> None:
        """Telemetry is on while a session is open, and drains the cell."""
        self.advance(now)
        if self.powered:
            self.plant.cell.set_telemetry(on)

    def raise_session_counter(self, floor: int, now: int) -> None:
        """Give no session number up to `floor` any more: a driver knows of numbers that this pump cannot remember.

        Without power nothing is raised, as with any other write to memory.
        """
        if not 0 <= floor <= HIGHEST_COUNTER:
            raise ValueError(f"session counter {floor} is not within 0 to {HIGHEST_COUNTER}")
        self.advance(now)
        if self.powered:
            try:
                security.raise_session_counter(self.firmware, floor)
            except PowerLost as lost:
                self._lose_power(lost.point.value)
            except MemoryFailed:
                self._fail_memory()

    def advance(self, now: int) -> None:
        """Let time pass up to and including `now`. Raises ValueError when it would go back."""
        if now < self.now_us:
            raise ValueError(f"time cannot go back from {self.now_us} to {now}")
        at_one_instant = 0
        while True:
            due_us = self._first_due()
            if due_us > now:
                if self.now_us == now or self._settle(now):
                    return
                continue
            if due_us > self.now_us:
                at_one_instant = 0
                if not self._settle(due_us):
                    continue
            at_one_instant += 1
            if at_one_instant > MOST_AT_ONE_INSTANT:
                raise RuntimeError(f"what is due at {self.now_us} does not settle: {self._what_is_due()}")
            self._act(due_us)

    def next_deadline(self) -> int | None:
        """When something will next happen by itself."""
        due_us = self._first_due()
        if self.powered:
            firmware = self.firmware
            steps = firmware.level_steps - firmware.steps_total
            wait_us = firmware.flow.us_until(steps) if steps < NEVER // 2 and firmware.hung_since_us is None else None
            if wait_us is not None:
                due_us = min(due_us, self.now_us + wait_us)
        return None if due_us >= NEVER else max(due_us, self.now_us)

    def next_event(self) -> PumpEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def cut_power(self, now: int) -> None:
        """Take the power away, between two writes."""
        self.advance(now)
        if self.powered:
            self._lose_power("")
        self.cut = True

    def arm_power_cut(self, at_write: int, mode: CutMode, torn_bytes: int, now: int) -> None:
        """Take the power away at the `at_write`-th primitive write from now (1 = the next)."""
        self.advance(now)
        self.memory.armed_cut = ArmedCut(at_write, mode, torn_bytes)

    def disarm_power_cut(self) -> None:
        """Forget an armed power cut."""
        self.memory.armed_cut = None

    def restore_power(self, now: int) -> None:
        """Give the power back: boot from memory, if the cell has voltage enough."""
        self.advance(now)
        if self.cut:
            self.cut = False
            if not self.browned_out:
                self._power_up(ResetReason.POWER)

    def arm_fault(self, fault: DeviceFault, now: int) -> int:
        """Let a device fault begin, now or later; returns its number. Raises TooManyDeviceFaults."""
        self.advance(now)
        number = self.arm_fault_now(fault)
        self.advance(now)
        return number

    def clear_faults(self, now: int) -> None:
        """End all device faults, and forget those to come."""
        self.advance(now)
        self.faults.armed.clear()
        self._take_condition()

    def set_environment(self, environment: Environment, now: int) -> None:
        """Let other things be around the pump; a fault that lasts and says otherwise goes before. Raises ValueError."""
        environment.check()
        self.advance(now)
        self.environment = environment
        self._take_condition()

    def syringe(self, withdraw_nl: int, inject_nl: int, mixture: Mixture, now: int) -> tuple[int, int]:
        """A syringe at the port of the reservoir: returns what came out, and what went in."""
        self.advance(now)
        return self.plant.syringe(withdraw_nl, inject_nl, mixture)

    def truth(self) -> dict[str, object]:
        """What is physically so, and beside it what the firmware believes. For the control plane only."""
        return truth.of_pump(self)

    @property
    def has_events(self) -> bool:
        """Whether something has happened that nobody has taken notice of yet."""
        return bool(self._events)

    @classmethod
    def from_whole_state(cls, whole: tuple[Any, ...], profile: Profile) -> Pump:
        """The pump that `whole_state` tells of, its parts joined again."""
        pump = cls.__new__(cls)
        (_, pump.serial_number, pump.seed), (pump.now_us, pump.cut, pump.browned_out), *parts = whole
        pump.plant, pump._memory, pump.faults, pump.environment, pump._announced, firmware = parts
        pump.profile = pump.plant.profile = profile
        pump._faults_due_us = pump.faults.next_change()
        pump._events = deque()
        if firmware is None:
            pump.firmware = pump._new_firmware()
        else:
            pump.firmware = firmware
            firmware.join(profile, pump._memory, pump.plant)
        return pump

    def digest(self) -> str:
        """The digest of the whole state: plant, memory, firmware, faults, time."""
        return state.digest(self.whole_state())

    def whole_state(self) -> tuple[object, ...]:
        """All that this pump is, but for its profile and the events that nobody has taken yet."""
        identity = (self.profile.name, self.serial_number, self.seed)
        power = (self.now_us, self.cut, self.browned_out)
        volatile = self.firmware if self.powered else None
        return identity, power, self.plant, self.memory, self.faults, self.environment, self._announced, volatile

    def delivery_digest(self) -> str:
        """The digest of all that decides what is delivered, and of its account: see `firmware/delivery_state.py`."""
        return delivery.digest_of(self)

    def reset(self) -> None:
        """Power goes away for an instant: the pump boots anew. Only a device fault does this."""
        if self.powered:
            self._lose_power("")
            self.cut = False
            self._power_up(ResetReason.COMMANDED)

    def arm_fault_now(self, fault: DeviceFault) -> int:
        """Arm a fault at this instant, without letting anything else happen."""
        number = self.faults.arm(fault, self.now_us).number
        self._faults_due_us = self.faults.next_change()
        return number

    def _first_due(self) -> int:
        due_us = min(self.firmware.agenda.due_us) if not (self.cut or self.browned_out) else NEVER
        return due_us if due_us < self._faults_due_us else self._faults_due_us

    def _settle(self, to: int) -> bool:
        """Let all flow go on to an instant, but no further than where a level is reached or the cell gives out.

        Returns whether nothing of the kind came.
        """
        elapsed_us = to - self.now_us
        plant = self.plant
        if self.cut or self.browned_out:
            plant.run_down(0, elapsed_us)
            self.now_us = to
            return True
        firmware = self.firmware
        left = firmware.level_steps - firmware.steps_total if firmware.counting else NEVER
        ahead = firmware.flow.ahead(elapsed_us) if firmware.hung_since_us is None else STANDSTILL
        if ahead[0] < left and plant.turn(ahead[0], elapsed_us):
            firmware.pass_time(elapsed_us, ahead)
            self.now_us = to
            return True
        elapsed_us = first_instant(elapsed_us, lambda us: self._is_reached(us, left))
        ahead = firmware.ahead(elapsed_us)
        plant.run_down(ahead[0], elapsed_us)
        firmware.pass_time(elapsed_us, ahead)
        self.now_us += elapsed_us
        if ahead[0] >= left:
            plan(firmware, plant)
        if not plant.has_supply():
            self._brown_out()
        return False

    def _is_reached(self, elapsed_us: int, left: int) -> bool:
        steps = self.firmware.ahead(elapsed_us)[0]
        return steps >= left or not self.plant.holds_out(elapsed_us, steps)

    def _act(self, due_us: int) -> None:
        """Let the first thing act that is due at this instant, or was before: the plant's before the firmware's."""
        if self._faults_due_us <= self.now_us:
            self._turn_fault()
            return
        firmware = self.firmware
        entry = CALENDAR[firmware.agenda.due_us.index(due_us)]
        try:
            entry.act(firmware)
            if entry.moves or firmware.unplanned:
                plan(firmware, self.plant, entry.moves)
            self._announce()
        except PowerLost as lost:
            self._lose_power(lost.point.value)
        except MemoryFailed:
            self._fail_memory()

    def _turn_fault(self) -> None:
        """A device fault begins or ends."""
        armed = self.faults.due(self.now_us)
        if armed is None:
            raise RuntimeError(f"no fault is due at {self.now_us}")
        kind, values = FAULTS[armed.fault.verb], dict(armed.fault.values)
        armed.turn()
        began = armed.active
        self._tell_fault(armed, began=began)
        if kind.lasting is None:
            # A sudden fault has struck, and that was all of it.
            armed.active = False
            armed.change_us = armed.begins_us if armed.left else NEVER
        self.faults.drop_spent()
        self._faults_due_us = self.faults.next_change()
        self._take_condition()
        (kind.begin if began else kind.end)(self, values)
        self._notice()

    def _take_condition(self) -> None:
        """Let the plant be as all faults together make it."""
        condition = Condition(field_on=self.environment.field_on, temperature_cc=self.environment.temperature_cc)
        for armed in self.faults.armed:
            lasting = FAULTS[armed.fault.verb].lasting
            if armed.active and lasting is not None:
                lasting(condition, dict(armed.fault.values))
        if self.powered:
            self._take_samples()
        self.plant.take(condition, self.now_us)
        self._faults_due_us = self.faults.next_change()
        self._notice()

    def _take_samples(self) -> None:
        firmware = self.firmware
        if firmware.counting and not firmware.stall.bad and not self.plant.rotor_is_doubtful:
            stall.catch_up(firmware)

    def _notice(self) -> None:
        """The plant is another than before: what of it the electronics feel at once."""
        plant = self.plant
        if self.browned_out:
            if plant.may_restart():
                self.browned_out = False
                if not self.cut:
                    self._power_up(ResetReason.LOW_BATTERY)
        elif not plant.has_supply():
            self._brown_out()
        if not self.powered:
            return
        firmware = self.firmware
        try:
            supervisor.hang(firmware, hung=plant.condition.hung)
            notice_clock(firmware)
            plan(firmware, plant)
            self._announce()
        except PowerLost as lost:
            self._lose_power(lost.point.value)
        except MemoryFailed:
            self._fail_memory()

    def _new_firmware(self) -> Firmware:
        return Firmware(
            profile=self.profile,
            serial_number=self.serial_number,
            memory=self._memory,
            sensors=self.plant,
            now_us=self.now_us,
        )

    def _power_up(self, reason: ResetReason) -> None:
        self.plant.supply(on=True)
        self.firmware = self._new_firmware()
        try:
            boot(self.firmware, reason)
            security.boot_security(self.firmware)
            supervisor.hang(self.firmware, hung=self.plant.condition.hung)
            plan(self.firmware, self.plant)
        except PowerLost as lost:
            self._lose_power(lost.point.value)
            return
        except MemoryFailed:
            self._stand_still()
        self._events.append(PowerRestored(self.now_us))
        try:
            self._announce()
        except PowerLost as lost:
            self._lose_power(lost.point.value)
        except MemoryFailed:
            self._fail_memory()

    def _fail_memory(self) -> None:
        """Memory takes no more: the pump stands still, and says so."""
        self._stand_still()
        self._announce()

    def _stand_still(self) -> None:
        """What the pump did from now on could not be known after a reset, so it does nothing."""
        self.firmware.behind.clear()
        fail(self.firmware)
        plan(self.firmware, self.plant)

    def _brown_out(self) -> None:
        """The cell cannot hold the electronics up any more."""
        if not self.browned_out:
            if self.powered:
                self._lose_power("", by_cell=True)
            self.browned_out = True

    def _lose_power(self, write: str, *, by_cell: bool = False) -> None:
        self.firmware.write_out()
        self._memory.journal = self.firmware.journal()
        self._memory.armed_cut = None
        if not by_cell:
            self.cut = True
        self.plant.supply(on=False)
        self._events.append(PowerCut(self.now_us, write))

    def _announce(self) -> None:
        """Tell observers of log records that have become true since the last time, and of tones."""
        firmware, events, now_us = self.firmware, self._events, self.now_us
        if self._memory.repairs != firmware.repairs_told and firmware.record.run_state is not RunState.FAILED:
            self._tell_repairs()
        if firmware.fresh_tones:
            events.extend([ToneSounded(now_us, alarm.type, alarm.critical) for alarm in firmware.fresh_tones])
            firmware.fresh_tones.clear()
            if not self.plant.has_supply():
                self._brown_out()
                return
        if firmware.fresh_flags:
            events.extend([FlagsSet(now_us, role) for role in dict.fromkeys(firmware.fresh_flags)])
            firmware.fresh_flags.clear()
        after, fresh = firmware.record.log_next, firmware.fresh_records
        if (self._announced == after and not fresh) or firmware.record.run_state is RunState.FAILED:
            return
        if fresh and fresh[0].sequence > self._announced:
            # What a commit made true in which the power went: nobody has heard of it yet.
            ring = firmware.ring
            first = max(self._announced, ring.first(after))
            events.extend(Recorded(now_us, ring.read(sequence)) for sequence in range(first, fresh[0].sequence))
        for record in fresh:
            events.append(Recorded(now_us, record))
        fresh.clear()
        self._announced = after

    def _tell_repairs(self) -> None:
        change = Change(self.firmware)
        housekeeping.look_after_memory(change)
        change.commit()
        plan(self.firmware, self.plant)

    def _tell_fault(self, armed: ArmedFault, *, began: bool) -> None:
        self._events.append(FaultChanged(self.now_us, armed.number, armed.fault, began))

    def _what_is_due(self) -> list[str]:
        due_us = self.firmware.agenda.due_us
        return [entry.act.__name__ for entry, at in zip(CALENDAR, due_us, strict=True) if at <= self.now_us]


__all__ = ["AlarmType", "FaultChanged", "PowerCut", "PowerRestored", "Pump", "PumpEvent", "Recorded", "ToneSounded"]
