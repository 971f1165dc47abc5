"""How the books begin anew: with a pump as it says that it is, after its memory has failed or fallen back."""

from __future__ import annotations

from firmware_model.firmware.codes import RunState
from firmware_model.firmware.core import Firmware
from firmware_model.pump import Pump
from tests.firmware_model.invariants.books import Books
from tests.firmware_model.invariants.flow_book import Running


def adopt(books: Books, pump: Pump) -> None:
    """What it did before is not judged any more; programs, security and the tester's faults stay known."""
    firmware, record, flow = pump.firmware, pump.firmware.record, books.flow
    adopt_counter(books, pump)
    books.clock.valid, books.clock.offset_min = record.clock_valid, record.offset_min
    books.clock.base_us = record.clock_base_us
    flow.take_program(record.program)
    flow.now_us, flow.powered = pump.now_us, pump.powered
    flow.failed = record.run_state is RunState.FAILED
    flow.running = record.run_state is RunState.RUNNING
    _adopt_flow(books, firmware, pump.plant.motor.pulses)
    books.adopt_alarms(record.alarms)
    books.stop_reason, books.programming = record.stop_reason, record.programming
    books.stopped_since_s, books.replacement_s = record.stopped_since_s, record.replacement_since_s
    books.hung_since_us = firmware.hung_since_us
    flow.hung = firmware.hung_since_us is not None
    books.offset_us, books.boot, books.next_sequence = firmware.elapsed_offset_us, record.boot, record.log_next
    books.said_nl, books.said_steps = record.reservoir_nl, record.reservoir_steps
    books.told_steps, books.dead_steps = record.told_steps, record.dead_volume_steps
    books.mixture, books.dose_spent = record.mixture, record.dose_spent
    books.plan_doses(record.dose_anchor_us)
    books.slack = books.lockout_until_us = 0
    books.reviving = books.fell_back = False
    books.given.clear()
    books.taps.clear()
    books.effects.clear()


def adopt_counter(books: Books, pump: Pump) -> None:
    """The clock's counter as it truly is."""
    clock = pump.plant.clock
    books.clock.adopt(clock.anchor_us, clock.anchor_reading_ps, clock.drift_ppm, lost=clock.lost)


def _adopt_flow(books: Books, firmware: Firmware, pulses: int) -> None:
    flow, record = books.flow, firmware.record
    flow.bolus = flow.dose = None
    for held, channel, done in (
        (record.bolus, firmware.flow.bolus, firmware.bolus_steps),
        (record.dose, firmware.flow.dose, firmware.dose_steps),
    ):
        if held is None or channel is None:
            continue
        due = done * channel.threshold + channel.phase
        running = Running(
            held.bolus_id, held.kind, held.role, held.op_id, held.steps, channel.threshold, flow.now_us, due
        )
        if held is record.bolus:
            flow.bolus = running
        else:
            flow.dose = running
    flow.adopt_counts(
        firmware.steps_total, firmware.stalled_pulses, pulses, firmware.flow.base.phase, counting=firmware.counting
    )
