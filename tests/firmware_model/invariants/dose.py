"""D1 to D9: what is delivered is what was commanded, to the step, and is accounted for once."""

from __future__ import annotations

from firmware_model.commands import CountersAnswer, ReadCounters
from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusKind
from firmware_model.firmware.event_log import LogType
from firmware_model.quantities import HIGHEST_U32
from tests.firmware_model.invariants.fault_book import CLOCK, ROTOR, STANDSTILLS
from tests.firmware_model.invariants.ward import Ward, held_nl

_PPM = 1_000_000
_MOST_GAIN_PPM = 1 << 40


def delivered_is_commanded(ward: Ward) -> None:
    """D1: pulses are the integral of all commanded rates; the rotor makes of each what its faults leave of it."""
    flow, now, before = ward.books.flow, ward.seen, ward.before
    if not flow.failed:
        assert now.pulses == flow.pulses, f"{now.pulses} pulses, commanded were {flow.pulses}"
        if flow.powered:
            firmware = ward.pump.firmware
            counted = (firmware.steps_total, firmware.stalled_pulses)
            assert counted == (flow.counted, flow.stalled), f"{counted} counted, not {flow.counted, flow.stalled}"
    pulses, steps = now.pulses - before.pulses, now.steps - before.steps + ward.step.turned_back
    assert 0 <= steps <= pulses
    faults, motor = ward.books.faults, ward.pump.plant.motor
    if ward.step.turned_back or motor.pulses > motor.wear_pulses or not ROTOR.isdisjoint(ward.step.faults_changed):
        return
    volume_nl = now.delivered_nl - before.delivered_nl
    if faults.any_of(STANDSTILLS):
        assert steps == volume_nl == 0
    elif not faults.any_of(("missed-steps", "occlusion")):
        assert steps == pulses
        gain_ppm = faults.total("gain-error", "ppm", -_PPM, _MOST_GAIN_PPM)
        due_nl = steps * motor.step_volume_nl * (_PPM + gain_ppm) // _PPM
        assert volume_nl <= due_nl + 1
        assert volume_nl >= due_nl or not now.reservoir_nl


def counter_never_falls(ward: Ward) -> None:
    """D2: the lifetime counter as it is told."""
    status, notes = ward.status(), ward.notes
    if status is not None:
        assert status.delivered_nl >= notes.delivered_nl, f"{status.delivered_nl} nl, {notes.delivered_nl} nl before"
        notes.delivered_nl = status.delivered_nl
    if ward.ending:
        counters = ward.bedside.ask(ReadCounters())
        assert not isinstance(counters, CountersAnswer) or counters.delivered_nl == notes.delivered_nl


def fluid_is_conserved(ward: Ward) -> None:
    """D3: reservoir, path, tip, pocket: nothing is lost or made; and an empty pump claims to deliver nothing."""
    plant, books = ward.pump.plant, ward.books
    assert plant.reservoir.volume_nl >= 0
    came_nl = ward.injected_nl - ward.withdrawn_nl + plant.catheter.entered_nl
    assert held_nl(plant) == ward.held_at_first_nl + came_nl
    if books.judged and books.flow.running:
        assert books.reservoir_nl > ward.profile.reservoir.empty_nl, "an empty pump runs"


def computed_reservoir(ward: Ward) -> None:
    """D4: what is said to be in the reservoir is the last fill less what was counted; without faults it is so."""
    books = ward.books
    for told in ward.step.of(LogType.REFILLED):
        less_nl = told.reservoir_nl - told.record.detail["computed_nl"]
        assert 0 <= less_nl <= told.slack * books.flow.step_nl
    status = ward.status() if books.judged else None
    if status is not None:
        assert status.reservoir_nl == books.reservoir_nl, f"{status.reservoir_nl} nl said, not {books.reservoir_nl}"
        assert not ward.sound or status.reservoir_nl == ward.seen.reservoir_nl


def rate_is_possible(ward: Ward) -> None:
    """D5: base, dose and bolus together are no faster than the motor makes."""
    most = ward.profile.motor.rate_max_nl_per_day
    for start in ward.step.starts:
        assert start.rate_nl_per_day <= most, f"{start.rate_nl_per_day} nl/d commanded"
    assert ward.books.flow.rate_nl_per_day() <= most


def rotor_never_turns_back(ward: Ward) -> None:
    """D6: but for what a field turned it back by."""
    assert ward.seen.steps >= ward.before.steps - ward.step.turned_back


def window_holds(ward: Ward) -> None:
    """D7: a bolus is admitted only if it, those of a day, and the most that the program gives fit; and so they do."""
    books = ward.books
    for start in ward.step.starts:
        counts = start.kind not in DEAD_VOLUME_KINDS and start.kind is not BolusKind.PROGRAMMED
        if counts and start.told.program is books.program:
            all_nl = start.given_nl + start.told.record.detail["volume_nl"] + books.peak_nl()
            assert all_nl <= books.window_max_nl(), f"{all_nl} nl admitted for a day"
    if books.faults.any_of(("clock-drift",)) or not CLOCK.isdisjoint(ward.step.faults_changed):
        # The schedule's fullest hours come again, or last longer.
        books.taps.clear()
    books.tap()
    flowed_nl = books.taps[-1].volume_nl - books.taps[0].volume_nl
    assert flowed_nl <= books.window_max_nl() + books.flow.step_nl, f"{flowed_nl} nl within a day"


def log_adds_up(ward: Ward) -> None:
    """D8: each record of what was delivered goes on where the last one ended."""
    books = ward.books
    for told, from_steps in ward.step.days:
        detail = told.record.detail
        assert 0 <= detail["steps"] - told.counted <= told.slack
        assert detail["volume_nl"] == min((detail["steps"] - from_steps) * books.flow.step_nl, HIGHEST_U32)
    if books.judged:
        assert ward.pump.firmware.record.told_steps == books.told_steps


def pieces_are_the_whole(ward: Ward) -> None:
    """D9: time in pieces does what time at one go does."""
    for in_pieces, at_once in ward.step.pieces:
        assert in_pieces == at_once
