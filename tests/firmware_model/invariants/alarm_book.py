"""The alarms in the books: which instances stand, as the log has told of each raising, acknowledging and clearing."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.commands import Alarm
from firmware_model.firmware.codes import AlarmState, AlarmType
from firmware_model.profile import Profile
from firmware_model.quantities import US_PER_SECOND


@dataclass(slots=True)
class Standing:
    """An instance that has not been cleared. `silent_until_s`: elapsed seconds, 0 when it sounds."""

    instance: int
    type: AlarmType
    state: AlarmState
    raised_us: int
    silent_until_s: int = 0


class AlarmBook:
    """Instances in the order in which they were raised; which types stand, and what those do to the flow."""

    def __init__(self, profile: Profile) -> None:
        self._rows = profile.alarm
        self._silence_s = profile.tones.silence_min * 60
        self.standing: dict[int, Standing] = {}
        self.types: set[AlarmType] = set()
        self.lowers = self.holds = False

    def raised(self, instance: int, kind: AlarmType, at_us: int) -> None:
        self.standing[instance] = Standing(instance, kind, AlarmState.RAISED, at_us)
        self._look()

    def acknowledged(self, instance: int) -> None:
        self.standing[instance].state = AlarmState.ACKNOWLEDGED

    def silenced(self, instance: int, elapsed_s: int) -> None:
        alarm = self.standing[instance]
        if self._rows[alarm.type].tone != "none":
            alarm.silent_until_s = elapsed_s + self._silence_s

    def sounded(self, kind: AlarmType) -> int:
        """A tone of this type; returns until when, in elapsed time, it was to be silent."""
        alarm = self.of(kind)
        if alarm is None:
            return 0
        until_us, alarm.silent_until_s = alarm.silent_until_s * US_PER_SECOND, 0
        return until_us

    def cleared(self, instance: int) -> None:
        self.standing.pop(instance, None)
        self._look()

    def silent_until(self, elapsed_us: int) -> list[Standing]:
        """Those whose silence has ended by then, and who have not sounded: each once."""
        over = [
            alarm
            for alarm in self.standing.values()
            if alarm.silent_until_s and alarm.silent_until_s * US_PER_SECOND <= elapsed_us
        ]
        for alarm in over:
            alarm.silent_until_s = 0
        return over

    def adopt(self, alarms: tuple[Alarm, ...], at_us: int) -> None:
        """Take up what stands."""
        self.standing = {
            alarm.instance: Standing(alarm.instance, alarm.type, alarm.state, at_us)
            for alarm in alarms
            if alarm.state is not AlarmState.CLEARED
        }
        self._look()

    def of(self, kind: AlarmType) -> Standing | None:
        return next((alarm for alarm in self.standing.values() if alarm.type is kind), None)

    def _look(self) -> None:
        self.types = {alarm.type for alarm in self.standing.values()}
        flows = {self._rows[kind].flow for kind in self.types}
        self.lowers, self.holds = "minimum" in flows, "stop" in flows
