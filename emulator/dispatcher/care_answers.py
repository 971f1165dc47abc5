"""Outcomes of care as answers: alarms, cell, reservoir, counts, allowance, self-test, refill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from emulator.dispatcher.words import flags, known_u32, word
from firmware_model import commands
from firmware_model.firmware.supervisor import SelfTestPart
from protocol.errands import Request
from protocol.fields import table_of
from protocol.messages import alarm, read, routine
from protocol.messages import codes as wire


def _alarm_words(entry: commands.Alarm) -> dict[str, Any]:
    words = entry._asdict()
    critical = words.pop("critical")
    return words | {
        "type": word(wire.AlarmType, entry.type),
        "priority": wire.Priority.CRITICAL if critical else wire.Priority.NON_CRITICAL,
        "state": word(wire.AlarmState, entry.state),
    }


def _alarms(_request: Request, outcome: commands.AlarmsAnswer) -> object:
    page = outcome.alarms[: alarm.ALARMS_PER_PAGE]
    entries = tuple(alarm.AlarmEntry(**_alarm_words(entry)) for entry in page)
    return alarm.AlarmListAnswer(total=outcome.total, alarms=entries)


def _cleared(_request: Request, outcome: commands.AlarmCleared) -> object:
    state = word(wire.AlarmState, outcome.state)
    return alarm.AlarmClearAnswer(instance=outcome.instance, state=state, raised_again=outcome.raised_again)


def _battery(_request: Request, outcome: commands.BatteryAnswer) -> object:
    return read.BatteryAnswer(
        idle_mv=outcome.idle_mv,
        loaded_mv=outcome.loaded_mv,
        temperature_cc=outcome.temperature_cc,
        replacement_since_s=known_u32(outcome.replacement_since_s),
        end_of_service_s=known_u32(outcome.end_of_service_s),
    )


def _reservoir(_request: Request, outcome: commands.ReservoirAnswer) -> object:
    return read.ReservoirAnswer(
        volume_nl=outcome.volume_nl,
        capacity_nl=outcome.capacity_nl,
        refilled_s=known_u32(outcome.refilled_s),
        filled_nl=outcome.filled_nl,
        discrepancy_nl=outcome.discrepancy_nl,
        low_in_s=known_u32(outcome.dates.low_in_s),
        refill_in_s=known_u32(outcome.dates.refill_in_s),
        stability_in_s=known_u32(outcome.dates.stability_in_s),
    )


def _as_it_is(answer: type[Any]) -> Callable[[Request, Any], object]:
    """For an outcome that has just the numbers of its answer, under the same names."""
    names = [field.name for field in table_of(answer)]
    return lambda _request, outcome: answer(**{name: getattr(outcome, name) for name in names})


CARE_ANSWERS: Final[Mapping[type, Callable[[Request, Any], object]]] = MappingProxyType(
    {
        commands.AllowanceAnswer: _as_it_is(read.LimitsAnswer),
        commands.CountersAnswer: _as_it_is(read.CountersAnswer),
        commands.BatteryAnswer: _battery,
        commands.ReservoirAnswer: _reservoir,
        commands.AlarmsAnswer: _alarms,
        commands.Alarm: lambda _, outcome: alarm.AlarmSnapshotAnswer(**_alarm_words(outcome)),
        commands.AlarmAcknowledged: lambda _, outcome: alarm.AlarmAckAnswer(
            instance=outcome.instance, state=word(wire.AlarmState, outcome.state)
        ),
        commands.AlarmCleared: _cleared,
        commands.AlarmSilenced: _as_it_is(alarm.AlarmSilenceAnswer),
        commands.SelfTestDone: lambda _, outcome: routine.SelftestAnswer(
            failed=flags(wire.SelfTestPart, SelfTestPart(outcome.failed))
        ),
        commands.RefillBegun: _as_it_is(routine.RefillBeginAnswer),
    }
)
