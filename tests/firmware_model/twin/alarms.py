"""The twin's alarms: a list of instances, each raised, silenced, acknowledged, cleared, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, StopReason
from firmware_model.profile import Profile
from tests.firmware_model.twin.delivery import Delivery
from tests.firmware_model.twin.story import CLINICIAN, NOBODY, SECOND

_STOP_REASONS = {
    AlarmType.EMPTY_RESERVOIR: StopReason.EMPTY_RESERVOIR,
    AlarmType.END_OF_SERVICE: StopReason.END_OF_SERVICE,
}
_BOLUS_ENDS = {AlarmType.EMPTY_RESERVOIR: BolusEnd.EMPTY, AlarmType.MOTOR_STALL: BolusEnd.STALL}


@dataclass
class TwinAlarm:
    """One instance, with what was frozen when it was raised."""

    instance: int
    type: AlarmType
    elapsed_s: int
    steps: int
    rate_nl_per_day: int
    reservoir_nl: int
    last_op_id: int
    state: AlarmState = AlarmState.RAISED
    silent_until_s: int = 0
    silent: bool = False

    @property
    def stands(self) -> bool:
        return self.state is not AlarmState.CLEARED


class Alarms(Delivery):
    """How an alarm behaves, the profile's table says."""

    def __init__(self, profile: Profile) -> None:
        self.alarms: list[TwinAlarm] = []
        self.raised_ever = 0
        super().__init__(profile)

    def is_there(self, kind: AlarmType) -> bool:
        """Whether the cause of an alarm is there now."""
        match kind:
            case AlarmType.LOW_RESERVOIR:
                return self.reservoir_nl <= self.program.low_reservoir_nl
            case AlarmType.EMPTY_RESERVOIR:
                return self.reservoir_nl <= self.profile.reservoir.empty_nl
            case AlarmType.STOPPED_TOO_LONG:
                limit_s = self.profile.supervisor.stopped_too_long_s
                return not self.running and self.now >= (self.stopped_since_s + limit_s) * SECOND
            case AlarmType.MOTOR_STALL:
                return not self.counting
            case AlarmType.CLOCK_LOST:
                return not self.clock_valid
        raise AssertionError(f"the twin knows no {kind.name}")

    def stands(self, kind: AlarmType) -> bool:
        return any(alarm.type is kind and alarm.stands for alarm in self.alarms)

    def holding(self) -> AlarmType | None:
        """The alarm that stands and forbids all flow."""
        flows = self.profile.alarm
        return next((alarm.type for alarm in self.alarms if alarm.stands and flows[alarm.type].flow == "stop"), None)

    def reason_to_hold(self) -> StopReason:
        """Why a program that was committed does not run; NONE when it does."""
        kind = self.holding()
        return StopReason.NONE if kind is None else _STOP_REASONS[kind]

    def raise_alarm(self, kind: AlarmType) -> None:
        row = self.profile.alarm[kind]
        self.raised_ever += 1
        alarm = TwinAlarm(
            self.raised_ever, kind, self.now_s, self.steps, self.flow_nl_per_day, self.reservoir_nl, self.newest_op
        )
        self.tell(
            "ALARM_RAISED",
            instance=alarm.instance,
            type=kind,
            priority=2 if row.critical else 1,
            reservoir_nl=alarm.reservoir_nl,
            steps=alarm.steps,
        )
        if len(self.alarms) == self.profile.memory.alarm_capacity:
            self.alarms.remove(next(over for over in self.alarms if not over.stands))
        self.alarms.append(alarm)
        if row.flow == "stop":
            if self.running:
                self.halt(_STOP_REASONS[kind])
            self.void_leases()
        if row.critical or row.flow == "stop":
            reason = _BOLUS_ENDS.get(kind, BolusEnd.ALARM)
            self.end_bolus(reason)
            self.end_dose(reason)
        self.sound(alarm)
        self.follow()

    def raise_anew(self, kind: AlarmType) -> None:
        """Its cause has come again: what stands for the last time gives way."""
        for alarm in self.alarms:
            if alarm.stands and alarm.type is kind:
                alarm.state = AlarmState.CLEARED
                self._tell_of("ALARM_CLEARED", alarm, NOBODY)
        self.raise_alarm(kind)

    def void_leases(self) -> None:
        """Nothing that was prepared holds any more: see `boluses.py`."""
        raise NotImplementedError

    def sound(self, alarm: TwinAlarm) -> None:
        if self.profile.alarm[alarm.type].tone != "none":
            self.tones.append((self.now, alarm.type))

    def acknowledge(self, ago: int) -> str:
        alarm = self._raised(ago)
        if isinstance(alarm, str):
            return alarm
        alarm.state = AlarmState.ACKNOWLEDGED
        self._tell_of("ALARM_ACKNOWLEDGED", alarm, CLINICIAN)
        return ""

    def silence(self, ago: int) -> str:
        alarm = self._raised(ago)
        if isinstance(alarm, str):
            return alarm
        alarm.silent, alarm.silent_until_s = True, self.now_s + self.profile.tones.silence_min * 60
        self._tell_of("ALARM_SILENCED", alarm, CLINICIAN)
        return ""

    def clear(self, ago: int) -> str:
        alarm = self._instance(ago)
        if alarm is None:
            return "NO_SUCH_ALARM"
        if not alarm.stands:
            return "ALREADY_IN_STATE"
        alarm.state = AlarmState.CLEARED
        self._tell_of("ALARM_CLEARED", alarm, CLINICIAN)
        if self.is_there(alarm.type):
            self.raise_alarm(alarm.type)
        self.follow()
        return ""

    def clear_gone(self) -> None:
        """What does not latch goes with its cause."""
        for alarm in self.alarms:
            if alarm.stands and not self.profile.alarm[alarm.type].latching and not self.is_there(alarm.type):
                alarm.state = AlarmState.CLEARED
                self._tell_of("ALARM_CLEARED", alarm, NOBODY)

    def sound_again(self) -> bool:
        """The alarms whose silence ends now."""
        ended = [alarm for alarm in self.alarms if alarm.silent and alarm.silent_until_s * SECOND <= self.now]
        for alarm in ended:
            alarm.silent = False
            if alarm.state is AlarmState.RAISED:
                self.sound(alarm)
        return bool(ended)

    def _instance(self, ago: int) -> TwinAlarm | None:
        return next((alarm for alarm in self.alarms if alarm.instance == self.raised_ever - ago), None)

    def _raised(self, ago: int) -> TwinAlarm | str:
        alarm = self._instance(ago)
        if alarm is None:
            return "NO_SUCH_ALARM"
        return alarm if alarm.state is AlarmState.RAISED else "ALREADY_IN_STATE"

    def _tell_of(self, word: str, alarm: TwinAlarm, actor: dict[str, int]) -> None:
        self.tell(word, **actor, instance=alarm.instance, type=alarm.type)
