"""The timeline of a scenario: which step is next, and whether its time has come. Sans-IO; it moves nothing itself.

Rules of this file:

- Steps are done in the order of the file, each when its condition holds after the one before is done.
- It is told every event and every end of a task, whoever the programmer is, and asked with the virtual time at hand.
- A task waits until the programmer has ended the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.events import Event
from emulator.scenario.expectations import Judgement, Told
from emulator.scenario.plan import After, At, Begin, Deed, Ended, On, Pass, Scenario, Step
from emulator.scenario.tasks import Task


@dataclass(slots=True)
class Conductor:
    """One run of a timeline.

    began_us   when the timeline began
    running    the task that the programmer, or another one, is at
    """

    scenario: Scenario
    began_us: int = 0
    running: Task | None = None
    begun: bool = False
    judgement: Judgement = field(init=False)
    _place: int = 0
    _since_us: int = 0
    _seen: int = 0

    def __post_init__(self) -> None:
        self.judgement = Judgement(self.scenario.expectations)

    def begin(self, now_us: int) -> None:
        """The timeline begins."""
        self.began_us = self._since_us = now_us
        self.begun = True

    def happened(self, event: Event) -> None:
        """An event of the device; what was before the timeline began counts for nothing."""
        if not self.begun:
            return
        self.judgement.see(event)
        step = self._step()
        if step is not None and isinstance(step.when, On) and step.when.matches(event):
            self._seen += 1

    def ended(self, report: Told | None) -> None:
        """The programmer has ended its task, or was ended. What another one has done, nobody reports."""
        self.running = None
        if report is not None:
            self.judgement.told.append(report)

    def next_deed(self, now_us: int) -> Deed | None:
        """What is to be done now, each once; None: nothing, as things stand."""
        step = self._step() if self.begun else None
        if step is None or not self._is_time(step, now_us):
            return None
        self._place += 1
        self._since_us, self._seen = now_us, 0
        if isinstance(step.deed, Pass):
            self._since_us += step.deed.duration_us
        if isinstance(step.deed, Begin):
            self.running = step.deed.task
        return step.deed

    @property
    def current_step(self) -> int:
        """The number of the step that was done last, from 1."""
        return self._place

    @property
    def finished(self) -> bool:
        """Whether every step is done, and the programmer at rest."""
        return self._step() is None and self.running is None

    @property
    def awaits_event(self) -> bool:
        """Whether the next step waits for an event."""
        step = self._step()
        return step is not None and isinstance(step.when, On)

    def wake_us(self) -> int | None:
        """When time alone lets the next step be done; None: never."""
        step = self._step()
        match step.when if step is not None else None:
            case At(elapsed_us):
                return max(self.began_us + elapsed_us, self._since_us)
            case After(duration_us):
                return self._since_us + duration_us
            case _:
                return None

    def _step(self) -> Step | None:
        steps = self.scenario.steps
        return steps[self._place] if self._place < len(steps) else None

    def _is_time(self, step: Step, now_us: int) -> bool:
        if isinstance(step.deed, Begin) and self.running is not None:
            return False
        match step.when:
            case Ended():
                return self.running is None
            case On(nth=nth):
                return self._seen >= nth
            case At() | After():
                due_us = self.wake_us()
                return due_us is not None and now_us >= due_us
            case _:
                return now_us >= self._since_us
