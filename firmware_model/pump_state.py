"""A whole pump as a save-state, and back.

All of it is saved but three kinds of thing: its profile, which whoever restores it gives; what can be worked out again;
and events that nobody has taken, of which there must be none.
"""

from __future__ import annotations

from typing import Final

from firmware_model.agenda import Agenda
from firmware_model.commands import Alarm, LedgerEntry
from firmware_model.faults import ArmedFault, DeviceFault, FaultBoard
from firmware_model.firmware import codes
from firmware_model.firmware.changed_flags import ChangedFlags
from firmware_model.firmware.core import Firmware, Lease, RefillInHand, Stage, StallWatch
from firmware_model.firmware.flow import Channel, Flow
from firmware_model.firmware.ledger import Ledger, RoleLedger
from firmware_model.firmware.program import Drug, PatientBolusSetting, Program
from firmware_model.firmware.record import BolusRecord, ControlRecord, GivenDose
from firmware_model.firmware.schedule import Change
from firmware_model.firmware.security_record import Security, SecurityRecord, WrongAuthentications
from firmware_model.memory import ArmedCut, CutMode, Journal, Memory, WritePoint
from firmware_model.plant import Plant
from firmware_model.plant.catheter import Catheter, Column
from firmware_model.plant.cell import Cell
from firmware_model.plant.clock import Clock
from firmware_model.plant.condition import Condition, Environment
from firmware_model.plant.mixture import Mixture, Plug, Pool
from firmware_model.plant.motor import Motor
from firmware_model.plant.reservoir import Reservoir
from firmware_model.profile import CellModel, Profile
from firmware_model.pump import Pump
from firmware_model.record_pair import RecordPair
from firmware_model.savestate import SaveStateError, open_sealed, seal
from firmware_model.state import canonical
from firmware_model.state_reading import Branch, Classes, StateError, Tree, restore
from firmware_model.write_faults import ArmedWriteFault, Place, Region, WriteFaultKind

_CODES: Final = (
    codes.AlarmState,
    codes.AlarmType,
    codes.BolusKind,
    codes.Mode,
    codes.OpKind,
    codes.OpState,
    codes.Role,
    codes.RunState,
    codes.StopReason,
)
CLASSES: Final = Classes(
    [
        *_CODES,
        Agenda,
        Alarm,
        ArmedCut,
        ArmedFault,
        ArmedWriteFault,
        BolusRecord,
        Catheter,
        Cell,
        CellModel,
        Change,
        ChangedFlags,
        Channel,
        Clock,
        Column,
        Condition,
        ControlRecord,
        CutMode,
        DeviceFault,
        Drug,
        Environment,
        FaultBoard,
        Firmware,
        Flow,
        GivenDose,
        Journal,
        Lease,
        Ledger,
        LedgerEntry,
        Memory,
        Mixture,
        Motor,
        PatientBolusSetting,
        Place,
        Plant,
        Plug,
        Pool,
        Program,
        RecordPair,
        RefillInHand,
        Region,
        Reservoir,
        RoleLedger,
        Security,
        SecurityRecord,
        Stage,
        StallWatch,
        WriteFaultKind,
        WritePoint,
        WrongAuthentications,
    ]
)
"""Every class that a pump's state is made of."""


IDENTITY: Final = ("profile", "serial_number", "seed")
POWER: Final = ("now_us", "cut", "browned_out")
PARTS: Final = ("plant", "memory", "faults", "environment", "announced", "firmware")
"""The names of what `Pump.whole_state` holds: those of its first and of its second item, then of the others."""


def named(held: Tree) -> Tree:
    """The tree of a whole pump with the names of its parts; any other tree as it is."""
    match held:
        case Branch("tuple", items=(Branch("tuple", items=identity), Branch("tuple", items=power), *parts)):
            names, items = (*IDENTITY, *POWER, *PARTS), (*identity, *power, *parts)
            if len(identity) == len(IDENTITY) and len(power) == len(POWER) and len(items) == len(names):
                return Branch("dataclass", Pump.__name__, names, items)
    return held


def save(pump: Pump) -> bytes:
    """The save-state of a pump. Raises SaveStateError while events wait to be taken."""
    if pump.has_events:
        raise SaveStateError("events wait to be taken; a save-state would lose them.")
    return kept(pump)


def kept(pump: Pump) -> bytes:
    """The same for `resumed`, whatever events wait: they are for observers, who are others then."""
    return seal(canonical(pump.whole_state()), pump.profile, pump.serial_number)


def restored(data: bytes, profile: Profile) -> Pump:
    """The pump that `save` saved, under the same profile. Raises SaveStateError."""
    sealed = open_sealed(data, profile)
    try:
        whole = restore(sealed.content, CLASSES)
    except StateError as error:
        raise SaveStateError(str(error)) from None
    return Pump.from_whole_state(whole, profile)


def resumed(data: bytes, profile: Profile) -> Pump:
    """The pump that `kept` kept, booted from its memory as after a cut of its power at that instant.

    Its plant is as it was then. The faults that somebody had armed in it are not. Raises SaveStateError.
    """
    pump = restored(data, profile)
    now_us = pump.now_us
    pump.cut_power(now_us)
    pump.clear_faults(now_us)
    pump.memory.armed_fault = None
    pump.restore_power(now_us)
    return pump
