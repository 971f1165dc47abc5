"""A journal replays to the same bytes, events and digest; whatever is changed in one is the first divergence, there."""

from __future__ import annotations

import contextlib
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.faults.arming import arming
from emulator.faults.catalogue import DEVICE
from emulator.inputs import Advance, ArmDeviceFault, Bytes, Control
from emulator.journal.fields import Fields, JournalError
from emulator.journal.input_lines import InputReading, input_document, read_input
from emulator.wire import FaultNames
from firmware_model.pump import Pump
from tests.journal.journaled import FAULTS, OWN_KEYS, journal_of, replay_of, session_by_chance

seeds = st.integers(0, 2**32 - 1)


def journal_by_chance(seed: int, steps: int = 40, *, close: bool = True) -> list[str]:
    return journal_of(session_by_chance(Random(seed), steps), close=close)  # noqa: S311 - it can be repeated


@settings(max_examples=20)
@given(seeds)
def test_any_session_with_faults_of_both_kinds_replays_to_the_same(seed: int) -> None:
    inputs = session_by_chance(Random(seed), 60)  # noqa: S311
    lines = journal_of(inputs)
    replayed = replay_of(lines)
    assert replayed.divergence is None
    assert replayed.ended
    assert (replayed.inputs, replayed.digest) == (len(inputs), json.loads(lines[-1])["digest"])


@settings(max_examples=20)
@given(seeds, st.data())
def test_a_changed_output_is_a_divergence_at_that_line(seed: int, data: st.DataObject) -> None:
    lines = journal_by_chance(seed)
    places = [at for at, line in enumerate(lines) if not line.startswith(('{"input"', '{"journal"'))]
    at = data.draw(st.sampled_from(places))
    document = json.loads(lines[at])
    if "digest" in document:
        document["digest"] = document["digest"][::-1] + "0"
    elif document["sent"] and data.draw(st.booleans()):
        first = document["sent"][0]
        first["data"] = f"{int(first['data'][:2], 16) ^ 1:02x}" + first["data"][2:]
    else:
        document["events"] = [*document["events"], "frame 0123456789abcdef"]
    lines[at] = json.dumps(document) + "\n"
    divergence = replay_of(lines).divergence
    assert divergence is not None
    assert divergence.line == at + 1
    assert divergence.input == document.get("output", divergence.input)


@settings(max_examples=20)
@given(seeds, st.data())
def test_a_lost_output_is_a_divergence_at_its_input(seed: int, data: st.DataObject) -> None:
    lines = journal_by_chance(seed)
    at = data.draw(st.sampled_from([at for at, line in enumerate(lines) if line.startswith('{"output"')]))
    number = json.loads(lines.pop(at))["output"]
    divergence = replay_of(lines).divergence
    assert divergence is not None
    assert (divergence.input, divergence.expected) == (number, "nothing")


@settings(max_examples=20)
@given(seeds, st.data())
def test_a_changed_input_is_a_divergence_where_first_something_else_comes_of_it(seed: int, data: st.DataObject) -> None:
    """The oracle: what the changed inputs themselves bring about, line by line."""
    inputs = session_by_chance(Random(seed), 40)  # noqa: S311
    at = data.draw(st.sampled_from([at for at, each in enumerate(inputs) if isinstance(each, Bytes)]))
    old = inputs[at]
    assert isinstance(old, Bytes)
    changed = [*inputs]
    changed[at] = Bytes(old.at_us, old.port, bytes([old.data[0] ^ 0x55]) + old.data[1:])
    then, now = journal_of(inputs), journal_of(changed)
    mixed = [
        one if not one.startswith('{"input"') else other for one, other in zip(then, inputs_in(then, now), strict=True)
    ]
    divergence = replay_of(mixed).divergence
    outputs = [effects_in(then), effects_in(now)]
    numbers = [number for number in range(len(inputs) + 1) if outputs[0].get(number) != outputs[1].get(number)]
    if divergence is None:
        assert not numbers
    elif divergence.what == "digest":
        assert not numbers or numbers[0] > divergence.input
    else:
        assert divergence.input == numbers[0] >= at + 1


def inputs_in(then: list[str], now: list[str]) -> list[str]:
    """The lines of the first journal, with the inputs of the second."""
    others = iter([line for line in now if line.startswith('{"input"')])
    return [next(others) if line.startswith('{"input"') else line for line in then]


def effects_in(lines: list[str]) -> dict[int, str]:
    return {json.loads(line)["output"]: line for line in lines if line.startswith('{"output"')}


@settings(max_examples=15)
@given(seeds, st.data())
def test_a_journal_of_a_pump_that_was_killed_replays_to_its_end(seed: int, data: st.DataObject) -> None:
    """Cut at any byte behind the header: the torn line is left out."""
    lines = journal_by_chance(seed, close=False)
    text = "".join(lines)
    cut = data.draw(st.integers(len(lines[0]), len(text)))
    replayed = replay_of([text[:cut]])
    assert replayed.divergence is None
    assert not replayed.ended
    assert replayed.inputs == text[:cut].count('\n{"input"') - (
        not text[:cut].endswith("\n") and torn_input(text[:cut])
    )


@settings(max_examples=20)
@given(seeds, st.integers(1, 40))
def test_what_a_driver_that_failed_has_not_taken_came_of_the_last_input_too(seed: int, steps: int) -> None:
    inputs = session_by_chance(Random(seed), 40)[:steps]  # noqa: S311
    lines = journal_of(inputs, taken=False)
    assert replay_of(lines).divergence is None
    assert lines == journal_of(inputs), "as if it had been taken"


def torn_input(text: str) -> bool:
    return text.rpartition("\n")[2].startswith('{"input"')


def test_until_a_virtual_time_it_goes_no_further() -> None:
    lines = journal_of([Advance(5_000_000), Advance(60_000_000), Advance(90_000_000)])
    replayed = replay_of(lines, until_us=70_000_000)
    assert (replayed.inputs, replayed.now_us, replayed.divergence) == (2, 70_000_000, None)


def test_a_pump_with_keys_of_its_own_has_none_in_its_journal() -> None:
    lines = journal_of([Advance(5_000_000)], keys=OWN_KEYS)
    assert not any(key.hex() in line for key in OWN_KEYS.values() for line in lines)
    assert replay_of(lines).divergence is None
    others = journal_of([], keys=dict.fromkeys(OWN_KEYS, b"\x09" * 16))
    with pytest.raises(JournalError, match="give the file that has them with --keys"):
        replay_of(others)


def test_a_defect_that_is_new_is_a_divergence_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = journal_of([Advance(5_000_000), Advance(60_000_000)])
    advance = Pump.advance

    def broken(pump: Pump, now: int) -> None:
        if now > 5_000_000:
            raise RuntimeError("the rotor has left")
        advance(pump, now)

    monkeypatch.setattr(Pump, "advance", broken)
    divergence = replay_of(lines).divergence
    assert divergence is not None
    assert (divergence.input, divergence.what, divergence.found) == (2, "raised", "RuntimeError (the rotor has left)")


@pytest.mark.parametrize("fault", FAULTS[DEVICE])
@given(odd_us=st.integers(1, 10**12))
@settings(max_examples=5)
def test_a_fault_is_armed_again_to_the_microsecond(fault: str, odd_us: int) -> None:
    arms = arming(fault, FaultNames({}))
    assert isinstance(arms, ArmDeviceFault)
    given_then = Control(7, ArmDeviceFault(arms.fault._replace(after_us=odd_us)))
    document = json.loads(json.dumps(input_document(1, given_then)))
    fields = Fields(2, document)
    fields.whole("input", 1, 1)
    assert read_input(fields, InputReading(FaultNames({}), lambda _roles, _mark: None)) == given_then
    fields.end()


WRONG = {
    "no JSON": ("{", "line 3: this is no JSON object; a journal has one in each line."),
    "kind": ('{"inputs":1}', "line 3: this is no line of a journal; allowed are input, output, check, end."),
    "number": (
        '{"input":7,"at_us":0,"kind":"advance"}',
        "line 3: input is 7; allowed is 1 here, for inputs are numbered",
    ),
    "missing": ('{"input":1,"kind":"advance"}', "line 3: the field at_us is missing."),
    "unknown": (
        '{"input":1,"at_us":0,"kind":"advance","x":1}',
        "line 3: the field 'x' is not known here; leave it out.",
    ),
    "word": (
        '{"input":1,"at_us":0,"kind":"line","port":0,"change":"up"}',
        'line 3: change is "up"; allowed is opened,',
    ),
    "fault": ('{"input":1,"at_us":0,"kind":"control","action":"fault","fault":"x"}', "line 3: fault 'x': "),
    "hex": (
        '{"input":1,"at_us":0,"kind":"bytes","port":0,"data":"0"}',
        'line 3: data is "0"; allowed is bytes in hex.',
    ),
}


@pytest.mark.parametrize(("line", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_a_bad_line_is_one_sentence_with_line_field_and_what_is_allowed(line: str, sentence: str) -> None:
    lines = journal_of([])[:2]
    with pytest.raises(JournalError) as raised:
        replay_of([*lines, line + "\n"])
    assert str(raised.value).startswith(sentence)


@settings(max_examples=60)
@given(seeds, st.data())
def test_a_damaged_journal_is_a_sentence_or_a_replay(seed: int, data: st.DataObject) -> None:
    text = "".join(JOURNAL)
    random = Random(seed)  # noqa: S311
    at = random.randrange(len(text))
    damaged = text[:at] + data.draw(st.characters(codec="utf-8")) + text[at + 1 :]
    with contextlib.suppress(JournalError):
        replay_of([damaged])


JOURNAL = journal_by_chance(7)
