"""The invariants: each with what it says, whom it speaks of, what suspends it, its check, and where it comes from."""

from __future__ import annotations

from typing import Final

from tests.firmware_model.invariants import alarm, bolus, dose, memory, program
from tests.firmware_model.invariants.fault_book import CLOCK, ROTOR
from tests.firmware_model.invariants.invariant import Invariant, Side
from tests.firmware_model.invariants.ward import Ward

_MEMORY: Final = frozenset({"memory-flip", "write-fault"})


def _of(*verbs: str) -> frozenset[str]:
    return frozenset(verbs)


INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "D1",
        "The pulses given are the integral of the commanded rates over all time that is powered, running and not hung, "
        "to the step; a sound rotor makes one step of each. A boot or an ended bolus loses its fraction of a step.",
        Side.BOTH,
        ROTOR | _MEMORY,
        dose.delivered_is_commanded,
        "Open PCA R5.1.0(3); exact integers instead of its 0.5 mL/h",
    ),
    Invariant(
        "D2",
        "The lifetime counter never falls: over loss of power, restoring, setting the clock, refills.",
        Side.BELIEF,
        _of(),
        dose.counter_never_falls,
        "Open PCA R6.6.0; atomic counters that may skip and never repeat (Microchip ATECC)",
    ),
    Invariant(
        "D3",
        "Reservoir, path, tip and pocket hold what was filled in, to the nanolitre, and never less than nothing; "
        "a pump whose computed reservoir is empty does not run.",
        Side.BOTH,
        _of(),
        dose.fluid_is_conserved,
        "FDA and TGA notices on pumps that ran empty; GPCA hazards",
    ),
    Invariant(
        "D4",
        "The reservoir that is told is the last fill that was told, less the steps counted since; it is the true one "
        "unless a fault, a wrong refill or a loss of power has come between.",
        Side.BELIEF,
        ROTOR | _MEMORY | _of("pocket-fill"),
        dose.computed_reservoir,
        "Codman MedStream fill-level sensor recall, 2013",
    ),
    Invariant(
        "D5",
        "Base, dose and bolus together are never faster than the motor makes.",
        Side.BELIEF,
        _MEMORY,
        dose.rate_is_possible,
        "Open PCA R5.2.0(2), R5.3.0(2)",
    ),
    Invariant(
        "D6",
        "The rotor turns backwards only when a magnetic field turns it.",
        Side.PLANT,
        _of("field"),
        dose.rotor_never_turns_back,
        "Open PCA R6.2.0(3), R7.2.0(2)",
    ),
    Invariant(
        "D7",
        "A bolus is admitted only if it, the boluses of the last 24 hours and the most that the program gives in "
        "any 24 hours fit into the limit; so no 24 hours of one program and one clock hold more.",
        Side.BOTH,
        CLOCK | _MEMORY,
        dose.window_holds,
        "Open PCA R5.2.0(5); Vasicek et al., ICLP 2024",
    ),
    Invariant(
        "D8",
        "The logged deliveries add up to the lifetime counter, exactly.",
        Side.BELIEF,
        _MEMORY,
        dose.log_adds_up,
        "Open PCA R6.6.0",
    ),
    Invariant(
        "D9",
        "What happens does not depend on the pieces in which time passes: same state, same events.",
        Side.BOTH,
        _of(),
        dose.pieces_are_the_whole,
        "TigerBeetle and FoundationDB: deterministic simulation",
    ),
    Invariant(
        "B1",
        "No patient bolus begins while the lockout runs: since the last one, the last program, the last refill; a loss "
        "of power and a new time make it no shorter.",
        Side.BELIEF,
        _MEMORY,
        bolus.lockout_holds,
        "Open PCA R5.2.0; GIP safety requirements (FDA/UPenn)",
    ),
    Invariant(
        "B2",
        "In no window are there more patient boluses than the program allows.",
        Side.BELIEF,
        _MEMORY,
        bolus.activations_hold,
        "Prometra Patient Therapy Controller guide",
    ),
    Invariant(
        "B3",
        "A refused bolus gives not one step, and takes nothing of what is allowed: no lockout, activation or window.",
        Side.BOTH,
        _MEMORY,
        bolus.refused_bolus_gives_nothing,
        "Open PCA R5.2.0(5)",
    ),
    Invariant(
        "B4",
        "An operation has its effect once, however often its command comes, and whenever power goes.",
        Side.BELIEF,
        _MEMORY,
        bolus.nothing_twice,
        "TigerBeetle: unique ids, processed at most once; LoopKit/OmniBLE #16",
    ),
    Invariant(
        "B5",
        "What a bolus has given and what is left of it are what was commanded; it ends once, and its end says what it "
        "gave: exactly, after a reset within a journal interval, after a stall since the last sample with motion.",
        Side.BELIEF,
        _MEMORY,
        bolus.ends_are_exact,
        "LoopKit/OmniBLE #144; Smiths Medfusion Class I recall (interrupt, prime, resume)",
    ),
    Invariant(
        "B6",
        "With a stop, or an alarm that is critical or stops, boluses and doses are over at that instant.",
        Side.BELIEF,
        _MEMORY,
        bolus.stops_and_alarms_end_it,
        "Open PCA R7.2.0(1), (6), (7)",
    ),
    Invariant(
        "B7",
        "Priming and bridge give exactly what lies in tubing and catheter by the program, and are counted apart.",
        Side.BELIEF,
        _MEMORY,
        bolus.dead_volume_is_apart,
        "SynchroMed priming-bolus Class I recalls, 2013 and 2016",
    ),
    Invariant(
        "P1",
        "The active program is always one whole program that was validated and read back, old or new, never a mixture.",
        Side.BELIEF,
        _MEMORY,
        program.one_whole_program,
        "Open PCA R8.3.0(4): a single unitary block; littlefs, SQLite: old or new",
    ),
    Invariant(
        "P2",
        "No value beyond the pump's hard limits is ever in force, whoever wrote it.",
        Side.BELIEF,
        _of(),
        program.within_hard_limits,
        "Open PCA R6.5.0(9), (10)",
    ),
    Invariant(
        "P3",
        "What is read back, what memory holds and what flows are one and the same program.",
        Side.BELIEF,
        _MEMORY,
        program.readback_is_stored_is_run,
        "B. Braun Infusomat, CVE-2021-33886: a display that lies",
    ),
    Invariant(
        "P4",
        "A program is committed only under the checksum that VALIDATE showed for its stage, with therapy "
        "unchanged since.",
        Side.BELIEF,
        _of(),
        program.commit_needs_what_was_seen,
        "CVE-2020-27252 (time of check, time of use)",
    ),
    Invariant(
        "P5",
        "With another mixture in the reservoir than the program is meant for, no therapy is started.",
        Side.BELIEF,
        _MEMORY,
        program.mismatch_stays_stopped,
        "Open PCA R6.9.0(4)",
    ),
    Invariant(
        "P6",
        "An update that is abandoned, at whatever point, leaves the old program running, or in profiles that stop for "
        "it a standstill with an alarm. The pump never stands still without a command or an alarm that says why.",
        Side.BELIEF,
        _MEMORY,
        program.never_silently_stopped,
        "HSA 2021 and HK 2020 notices: eight pumps left stopped by an incomplete update",
    ),
    Invariant(
        "P7",
        "The rate in force is that of the schedule at this very local time, over midnights, weeks and set clocks; each "
        "programmed dose begins at its instant, none twice, none missing.",
        Side.BELIEF,
        _MEMORY,
        program.schedule_is_followed,
        "LoopKit/OmniBLE #94: stale after a change of the clock",
    ),
    Invariant(
        "A1",
        "Every cause raises its alarm within its declared time, and nothing else raises it.",
        Side.BOTH,
        _MEMORY | _of("emf-lie", "voltage-lie"),
        alarm.told_in_time_and_truly,
        "Open PCA table 4; GPCA",
    ),
    Invariant(
        "A2",
        "An alarm stands until it is cleared, over any loss of power; a latching one does not clear itself; with its "
        "cause still there, clearing raises it anew in the same commit.",
        Side.BELIEF,
        _MEMORY,
        alarm.latched_until_cleared,
        "IEC 60601-1-8; Open PCA R6.6.0",
    ),
    Invariant(
        "A3",
        "Each alarm is told with the priority and tone of its row, once while it stands, in the order of raising.",
        Side.BELIEF,
        _MEMORY,
        alarm.critical_is_said,
        "Open PCA table 3 (IEC 60601-1-8 table 201)",
    ),
    Invariant(
        "A4",
        "While an alarm stands, flow is what its row says: stopped, at the minimum, or on.",
        Side.BELIEF,
        _MEMORY,
        alarm.flow_is_as_alarms_say,
        "Open PCA R7.4.0",
    ),
    Invariant(
        "A5",
        "Silencing clears nothing, and the alarm sounds again when its time is over, not earlier. Right after a boot "
        "all alarms sound.",
        Side.BELIEF,
        _MEMORY,
        alarm.silence_ends,
        "Open PCA R6.4.3(5)",
    ),
    Invariant(
        "A6",
        "Log records have numbers without a gap, ticks that never fall, and the clock's label; when the ring is "
        "full the oldest go, and who asks for one is told where the log begins.",
        Side.BELIEF,
        _MEMORY,
        alarm.log_has_no_gap,
        "Open PCA R6.6.0: at least 1,000 records, the oldest go first",
    ),
    Invariant(
        "A7",
        "What the pump is doing follows from its log alone: every change that touches delivery is in it, committed "
        "with it, once.",
        Side.BELIEF,
        _MEMORY,
        alarm.states_are_logged,
        "SQLite crash tests: one of the legal states",
    ),
    Invariant(
        "A8",
        "A stall's beginning and end are logged; pulses between them are counted apart and belong to no bolus; nothing "
        "is made up for afterwards.",
        Side.BELIEF,
        _MEMORY,
        alarm.stall_is_told,
        "Medtronic MRI guidelines; Open PCA R6.4.0",
    ),
    Invariant(
        "M1",
        "After any loss of power one boot leads to the old state, the new state, or a standstill with its alarm.",
        Side.BELIEF,
        _of(),
        memory.boots_once,
        "littlefs mount tests; Deltec Cozmo brown-out ladder",
    ),
    Invariant(
        "M2",
        "Any one bit of the memory that falls over is found or does no harm: the other copy is used; with none "
        "the pump stands still and says so. The other copy may be older by one commit.",
        Side.BELIEF,
        _of(),
        memory.flips_are_found_or_harmless,
        "CADD manual: memory is checked before use; Open PCA R7.4.0(4)",
    ),
    Invariant(
        "M3",
        "The cell's charge never rises; replacement is told within a day of its level; behind the end of service "
        "no step is made.",
        Side.BOTH,
        _MEMORY | _of("cell-sag", "cell-film", "temperature", "voltage-lie"),
        memory.thresholds_fire_in_order,
        "Medtronic UK and US: 90 days from ERI, seven years at most",
    ),
    Invariant(
        "M4",
        "A motor scheduler that is blocked is found when supervisor.watchdog_s is over, at that instant; the pump "
        "is made safe, and the log says why.",
        Side.BELIEF,
        _MEMORY,
        memory.watchdog_makes_safe,
        "Open PCA R7.4.0",
    ),
    Invariant(
        "M5",
        "Session numbers never come twice, and no attempt is gained, over any loss of power and any one bit.",
        Side.BELIEF,
        _of(),
        memory.numbers_never_come_twice,
        "Coldcard and Trezor: the count is written before the check; Microchip ATECC counter",
    ),
    Invariant(
        "M6",
        "While the cell shows less, under the motor's load, than the electronics start with, no bolus that somebody "
        "asks for begins, and no therapy is started.",
        Side.BELIEF,
        _MEMORY | _of("cell-sag", "cell-film", "temperature", "voltage-lie"),
        memory.nothing_begins_on_a_weak_cell,
        "Deltec Cozmo brown-out ladder; Health Canada and HSA notices on low-battery resets",
    ),
)
"""By family, in the order of their numbers."""


def check_all(ward: Ward) -> None:
    """Hold all invariants against a pump. Those that a loss in its memory suspends wait for the next step."""
    for invariant in INVARIANTS:
        if not (ward.suspended and invariant.suspended_by & _MEMORY):
            try:
                invariant.check(ward)
            except AssertionError as error:
                raise AssertionError(f"{invariant.code}: {invariant.sentence}\n{error}") from error
