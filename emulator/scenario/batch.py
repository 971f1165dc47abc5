"""Many scenarios, one after another or several at once in processes of their own: the verdicts are the same."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from multiprocessing import resource_tracker
from pathlib import Path
from types import FrameType
from typing import Final

from emulator.assembly import DEFAULT_SERIAL_NUMBER, build_device
from emulator.scenario.evidence import VERDICT, EvidenceFailed
from emulator.scenario.outside import run_outside
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import load_scenario
from emulator.scenario.samples.naive import sample_named
from emulator.scenario.verdict import Verdict
from emulator.scenario.virtual import run_virtual
from emulator.wire import FaultNames


@dataclass(frozen=True, slots=True)
class Job:
    """A scenario to run. `sample`: the sample programmer's name; `command`: another programmer's, instead.

    port    where its line is, as for `vpump serve --listen`
    seed    None: the one in the file
    speed   virtual seconds in a second, instead of lockstep
    folder  where evidence goes, None for nowhere
    """

    file: str
    sample: str = "good"
    command: tuple[str, ...] = ()
    port: str = "pty"
    seed: int | None = None
    speed: Fraction | None = None
    folder: Path | None = None


EXIT_INTERRUPTED = 130
LOOK_S: Final = 0.1
"""How often it is looked whether somebody has interrupted."""
_INTERRUPT = (signal.SIGINT,)


@cache
def fault_names() -> FaultNames:
    """The operations that a fault can name on our wire."""
    device = build_device("reference-20", seed=0, serial_number=DEFAULT_SERIAL_NUMBER, insecure=True, session_floor=0)
    return device.fault_names


def scenario_of(job: Job) -> Scenario:
    """The scenario of a job. Raises ScenarioFileError."""
    scenario = load_scenario(job.file, fault_names())
    return scenario if job.seed is None else replace(scenario, pump=replace(scenario.pump, seed=job.seed))


def perform(job: Job) -> Verdict:
    """Run a job. Raises ScenarioFileError, EvidenceFailed, ProgrammerNotStarted and PortError."""
    scenario = scenario_of(job)
    if job.command:
        verdict = run_outside(scenario, job.command, folder=job.folder, port_spec=job.port, speed=job.speed)
    else:
        sample = sample_named(job.sample)
        if sample is None:
            raise KeyError(job.sample)
        verdict = run_virtual(scenario, sample, folder=job.folder)
    if job.folder is not None:
        try:
            text = json.dumps(verdict.as_json(), indent=2)
            (job.folder / VERDICT).write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise EvidenceFailed(f"{error.filename} cannot be written: {error.strerror}.") from None
    return verdict


def perform_all(jobs: Sequence[Job], processes: int, done: Callable[[int, Verdict], None]) -> None:
    """Run all, and call `done` with the place and the verdict of each as it is finished.

    Whoever is interrupted ends what runs; of what was finished by then nothing is lost, but it may be told twice.
    """
    if processes <= 1 or len(jobs) <= 1:
        for place, job in enumerate(jobs):
            done(place, perform(job))
        return
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, initializer=_begin_worker)
    places: dict[Future[Verdict], int] = {}
    untold: set[Future[Verdict]] = set()
    with _noted_interrupts() as interrupted:
        try:
            with _held_interrupts():
                for place, job in enumerate(jobs):
                    future = pool.submit(perform, job)
                    places[future] = place
                    untold.add(future)
            while untold:
                finished = wait(untold, LOOK_S, FIRST_COMPLETED).done
                if interrupted():
                    raise KeyboardInterrupt
                for future in sorted(finished, key=places.__getitem__):
                    done(places[future], future.result())
                    untold.remove(future)
        except BaseException:
            # Once told not to wait, a pool never waits.
            ending = threading.Thread(target=partial(pool.shutdown, cancel_futures=True))
            ending.start()
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
            # Behind this, what was on its way from a worker has come.
            ending.join()
            for future in sorted(untold, key=places.__getitem__):
                if future.done() and not future.cancelled() and future.exception() is None:
                    done(places[future], future.result())
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """The terminal's Ctrl-C is for who started us; it ends us, and with us the programmers that we have started."""
    # Not SIG_IGN, which the programmers would inherit.
    signal.signal(signal.SIGINT, _leave_it)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
    signal.signal(signal.SIGTERM, _end_worker)


def _leave_it(number: int, frame: FrameType | None) -> None:
    del number, frame


def _end_worker(number: int, frame: FrameType | None) -> None:
    del number, frame
    # One is enough: the next must not come in the way of what is being put in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(EXIT_INTERRUPTED)


@contextlib.contextmanager
def _noted_interrupts() -> Iterator[Callable[[], bool]]:
    """A Ctrl-C is noted, and whoever asks learns of it where nothing is half done; one more changes nothing.

    As an exception out of nowhere it would break a lock of the pool, and a second one what the first had begun to put
    in order.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _held_interrupts() -> Iterator[None]:
    """A Ctrl-C comes to us behind this, and not to processes that are started now before they have begun their work."""
    # Its start would let them through.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
