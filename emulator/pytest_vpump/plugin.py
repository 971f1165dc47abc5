"""What pytest sees of the plugin: options, ini values, marker, fixtures, and what is said when a test fails."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from .evidence import Evidence, new_directory
from .process import PumpFailed, PumpProcess
from .pump import EmulatedPump, Pump, Pumps, Target, control_words
from .scenario import ScenarioFailed, ScenarioRun
from .settings import NAMED, SETTINGS, SettingError, Settings, Value, checked, defaults, serve_words
from .snapshot import save_state

DEADLINE_S = 30.0
MOST_PUMPS = 64
"""Of one test; more are a loop that does not end."""

_OF_SESSION = pytest.StashKey[Settings]()
_EVIDENCE = pytest.StashKey[list[Evidence]]()
_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and ini values: one of each for every setting of a session, and those of the plugin itself."""
    group = parser.getgroup("vpump", "emulated pumps (vpump)")
    for setting in SETTINGS:
        if setting.of_session:
            meaning = f"{setting.meaning}: {setting.allowed} [default: {setting.default}]"
            group.addoption(setting.option, metavar="VALUE", help=meaning)
            parser.addini(setting.ini_name, meaning)
    target = "run the tests on the device at this port (as pyserial's serial_for_url takes it), not on emulated pumps"
    group.addoption("--vpump-target", metavar="URL", help=target)
    artefacts = "where journal and capture of failed tests are kept [default: in pytest's temporary directory]"
    group.addoption("--vpump-artefacts", metavar="DIR", help=artefacts)
    deadline = f"how long a pump may take to come up, and to end [default: {DEADLINE_S:g}]"
    group.addoption("--vpump-deadline", metavar="SECONDS", help=deadline)
    for name, meaning in (("target", target), ("artefacts", artefacts), ("deadline", deadline)):
        parser.addini(f"vpump_{name}", meaning)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse settings that cannot be."""
    config.addinivalue_line(
        "markers", "vpump_scenario(name): the scenario of the fixture `scenario`: a name or a file."
    )
    config.addinivalue_line("markers", f"vpump({', '.join(NAMED)}): settings of this test's pumps; see docs/pytest.md.")
    try:
        config.stash[_OF_SESSION] = _settings_of_session(config)
        _deadline_s(config)
    except SettingError as error:
        raise pytest.UsageError(f"{error}.") from None
    if _plugin_value(config, "target") and len(getattr(config.option, "tx", None) or ()) > 1:
        raise pytest.UsageError(
            f"--vpump-target is one device, and {len(config.option.tx)} workers would share it; run without -n."
        )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a test that would pass without its scenario."""
    asks = "scenario" in getattr(item, "fixturenames", ())
    if not asks and any(mark.name == "vpump_scenario" for mark in item.own_markers):
        raise _failure(
            "this test has the marker vpump_scenario, and does not ask for the fixture `scenario`, which runs it."
        )


@pytest.fixture
def pumps(request: pytest.FixtureRequest) -> Iterator[Pumps]:
    """Starts pumps for this test: `pumps(seed=2)`. Each ends with the test."""
    item = request.node
    of_test = _settings_of_test(item)
    target = _plugin_value(request.config, "target")
    with ExitStack() as running:
        number = 0

        def start(**settings: object) -> Pump:
            nonlocal number
            number += 1
            if number > MOST_PUMPS:
                raise _failure(f"this test has {MOST_PUMPS} pumps already; more are not allowed.")
            chosen = dict(of_test) | dict(_checked("pumps()", settings, request.config.rootpath))
            if target:
                return _device(target, request.config.stash[_OF_SESSION], chosen, number)
            return running.enter_context(_running_pump(item, request, chosen))

        yield start


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Iterator[ScenarioRun]:
    """The scenario that the marker `vpump_scenario` names, with this test as its programmer."""
    item = request.node
    mark = item.get_closest_marker("vpump_scenario")
    if mark is None or len(mark.args) != 1 or mark.kwargs:
        raise _failure(
            'the fixture `scenario` wants a marker such as @pytest.mark.vpump_scenario("lost-answer-to-bolus").'
        )
    if target := _plugin_value(request.config, "target"):
        Target(target).lacks(f"the scenario {mark.args[0]}")
    of_session: Settings = request.config.stash[_OF_SESSION]
    chosen = _settings_of_test(item)
    others = [name for name, value in chosen.items() if value != of_session[name] and name not in ("seed", "port_kind")]
    if others:
        raise _failure(f"a scenario says itself which pump it is about; @pytest.mark.vpump has {' and '.join(others)}.")
    directory = _directory(item, request)
    evidence = Evidence(
        directory, title=f"scenario {mark.args[0]}", recordings=Path(mark.args[0]).stem, capture_name="line.pcapng"
    )
    item.stash.setdefault(_EVIDENCE, []).append(evidence)
    run = ScenarioRun(
        mark.args[0],
        out=directory,
        errors=evidence.errors,
        folder=request.config.rootpath,
        port_kind=str(chosen["port_kind"]),
        seed=None if chosen["seed"] == NAMED["seed"].default else int(str(chosen["seed"])),
        wall_s=_deadline_s(request.config),
    )
    try:
        yield run
        # A test that has failed has left tasks undone for a reason.
        if not item.stash.get(_FAILED, False):
            run.finish()
    except ScenarioFailed as failed:
        raise _failure(str(failed)) from None
    finally:
        run.kill()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """A verdict within the body of a test is a sentence, and no traceback."""
    try:
        return (yield)
    except ScenarioFailed as failed:
        raise _failure(str(failed)) from None


@pytest.fixture
def pump(pumps: Pumps) -> Pump:
    """A pump at a port of its own, for this test alone."""
    return pumps()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a test that failed what is kept of its pumps; of one that passed, remove it."""
    del call
    report = yield
    kept = item.stash.get(_EVIDENCE, [])
    if report.failed and kept and not item.stash.get(_FAILED, False):
        item.stash[_FAILED] = True
        for evidence in kept:
            evidence.save_state()
        report.sections += [(f"vpump: {evidence.title}", "\n".join(evidence.lines())) for evidence in kept]
    if report.when == "teardown":
        if not item.stash.get(_FAILED, False):
            for evidence in kept:
                evidence.remove()
        # The same test may run again.
        item.stash[_EVIDENCE], item.stash[_FAILED] = [], False
    return report


class _running_pump:  # noqa: N801 - a context manager is named as a function is
    """An emulated pump for as long as the context lasts."""

    def __init__(self, item: pytest.Item, request: pytest.FixtureRequest, chosen: Settings) -> None:
        config = request.config
        directory = _directory(item, request)
        keys = chosen["keys"]
        self._evidence = Evidence(directory, keys=None if keys is None else str(keys))
        self._words = (*serve_words(chosen), *control_words(directory), *self._evidence.words())
        self._deadline_s = _deadline_s(config)
        self._item = item
        self._chosen = chosen

    def __enter__(self) -> Pump:
        evidence = self._evidence
        try:
            self._process = PumpProcess(
                self._words,
                folder=self._item.config.rootpath,
                errors=evidence.errors,
                running=evidence.running,
                deadline_s=self._deadline_s,
            )
        except PumpFailed as failed:
            evidence.remove()
            raise _failure(str(failed)) from None
        ready = self._process.ready
        title = f"pump {ready['serial_number']} ({ready['profile']}, seed {ready['seed']})"
        state_of = partial(save_state, ready["control"], ready.get("control_token"), self._deadline_s)
        self._item.stash.setdefault(_EVIDENCE, []).append(replace(evidence, title=title, state_of=state_of))
        # They stand in JUnit XML as the properties of the test.
        facts = ("serial_number", "profile", "seed")
        self._item.user_properties.extend((f"vpump_{fact}", ready[fact]) for fact in facts)
        return EmulatedPump(self._process, evidence)

    def __exit__(self, *_exception: object) -> None:
        try:
            self._process.end()
            with suppress(OSError):
                self._evidence.running.rmdir()
        except PumpFailed as failed:
            raise _failure(str(failed)) from None


def _directory(item: pytest.Item, request: pytest.FixtureRequest) -> Path:
    """Where what a pump of the test leaves behind is."""
    artefacts = _plugin_value(request.config, "artefacts")
    temporary: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    parent = request.config.invocation_params.dir / artefacts if artefacts else temporary.getbasetemp() / "vpump"
    return new_directory(parent, item.nodeid, os.environ.get("PYTEST_XDIST_WORKER", ""))


def _device(url: str, of_session: Settings, chosen: Settings, number: int) -> Target:
    """The device, for a test that chooses nothing itself: only an emulated pump can be what a test chooses."""
    device = Target(url)
    wanted = [name for name, value in chosen.items() if value != of_session[name]]
    if wanted:
        device.lacks(" and ".join(f"{name}={chosen[name]!r}" for name in wanted if name != "emulated") or "an emulator")
    if number > 1:
        device.lacks("a second pump")
    return device


def _settings_of_session(config: pytest.Config) -> Settings:
    """Defaults, ini file and command line, the later before the earlier."""
    settings: dict[str, Value] = dict(defaults())
    for setting in SETTINGS:
        if not setting.of_session:
            continue
        if written := config.getini(setting.ini_name):
            settings |= checked(f"ini value {setting.ini_name}", {setting.name: written}, config.rootpath)
        if (given := config.getoption(setting.option)) is not None:
            settings |= checked(setting.option, {setting.name: given}, config.invocation_params.dir)
    return settings


def _settings_of_test(item: pytest.Item) -> Settings:
    """Those of the session, and over them what markers say, the closest last."""
    of_session: Settings = item.config.stash[_OF_SESSION]
    settings = dict(of_session)
    for mark in reversed(list(item.iter_markers("vpump"))):
        if mark.args:
            raise _failure(f"@pytest.mark.vpump takes names only, such as seed=1, and was given {mark.args[0]!r}.")
        settings |= _checked("@pytest.mark.vpump", mark.kwargs, item.config.rootpath)
    return settings


def _checked(where: str, chosen: Mapping[str, Value], folder: Path) -> Settings:
    try:
        return checked(where, chosen, folder)
    except SettingError as error:
        raise _failure(f"{error}.") from None


def _failure(sentence: str) -> BaseException:
    """What fails a test with a sentence and no traceback: it is no line of the test that is wrong."""
    return pytest.fail.Exception(sentence, pytrace=False)


def _plugin_value(config: pytest.Config, name: str) -> str:
    """An option of the plugin itself, or its ini value, or nothing."""
    return str(config.getoption(f"--vpump-{name}") or config.getini(f"vpump_{name}"))


def _deadline_s(config: pytest.Config) -> float:
    text = _plugin_value(config, "deadline") or str(DEADLINE_S)
    try:
        deadline_s = float(text)
    except ValueError:
        deadline_s = 0.0
    if not 0 < deadline_s < float("inf"):
        raise SettingError(f"--vpump-deadline is {text!r}, but allowed is a number of seconds above 0")
    return deadline_s
