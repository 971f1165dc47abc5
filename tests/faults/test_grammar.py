"""A fault is one line; whoever mistypes it is told which word, and what it could have been."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.faults.arming import arming, as_written
from emulator.faults.registry import MOST_NTH, PARAMETERS, REGISTRY, parse_fault
from emulator.faults.spec import ANY, FaultSpec
from emulator.faults.syntax import FaultSyntaxError
from emulator.wire import Direction
from firmware_model.faults import FAULTS
from protocol.messages.operations import OPERATIONS

NAMES = tuple(operation.name for operation in OPERATIONS)
ALL_NAMES = ", ".join([*NAMES, ANY])
ALL_VERBS = ", ".join([*REGISTRY, *FAULTS])

_numbers = st.one_of(st.integers(1, 9), st.integers(1, MOST_NTH))
_faults = st.builds(
    FaultSpec,
    st.sampled_from(list(REGISTRY)),
    st.sampled_from(Direction),
    st.sampled_from([*NAMES, ANY]),
    _numbers,
    _numbers,
)


@given(_faults)
def test_what_a_fault_is_written_as_is_what_it_is_read_from(fault: FaultSpec) -> None:
    assert parse_fault(str(fault), NAMES) == fault


@given(_faults, st.permutations(["nth", "count"]), st.sampled_from([" ", "  ", "\t", "\n "]))
def test_the_order_of_parameters_the_width_of_gaps_and_the_case_of_names_mean_nothing(
    fault: FaultSpec, order: list[str], gap: str
) -> None:
    values = {"nth": fault.nth, "count": fault.count}
    words = [fault.verb, fault.direction.value, fault.name.lower(), *(f"{name}={values[name]}" for name in order)]
    assert parse_fault(gap.join(words) + gap, NAMES) == fault


def test_what_is_not_said_is_once_and_at_once() -> None:
    fault = parse_fault("drop answer STATUS", NAMES)
    assert fault == FaultSpec("drop", Direction.ANSWER, "STATUS", nth=1, count=1)
    assert parse_fault("drop answer STATUS nth=007", NAMES) == FaultSpec("drop", Direction.ANSWER, "STATUS", nth=7)
    assert parse_fault("drop answer ANY", NAMES) == FaultSpec("drop", Direction.ANSWER, ANY)


@pytest.mark.parametrize("verb", REGISTRY)
def test_every_kind_of_fault_explains_itself_with_an_example_that_works(verb: str) -> None:
    kind = REGISTRY[verb]
    assert kind.verb == verb
    assert kind.meaning
    assert str(parse_fault(kind.example, NAMES)) == kind.example
    assert all(parameter.meaning for parameter in PARAMETERS)


NUMBER = "but allowed is a number from 1 to 1000000"
REFUSED = {
    "": "fault '' is empty: it begins with a verb, such as 'drop answer BOLUS_EXECUTE nth=1 count=1' or 'stall for=2h'",
    "drop answer": "fault 'drop answer' is too short: it is VERB DIRECTION OPERATION,"
    " such as 'drop answer BOLUS_EXECUTE nth=1 count=1'",
    "drp answer STATUS": "fault 'drp answer STATUS': verb 'drp' is not known (did you mean drop?);"
    f" allowed are {ALL_VERBS}",
    "stal answer STATUS": "fault 'stal answer STATUS': verb 'stal' is not known (did you mean stall?);"
    f" allowed are {ALL_VERBS}",
    "quench answer STATUS": f"fault 'quench answer STATUS': verb 'quench' is not known; allowed are {ALL_VERBS}",
    "drop answers STATUS": "fault 'drop answers STATUS': direction 'answers' is not known (did you mean answer?);"
    " allowed are request, answer, event",
    "drop up STATUS": "fault 'drop up STATUS': direction 'up' is not known; allowed are request, answer, event",
    "drop answer bolus_execut": "fault 'drop answer bolus_execut': operation 'bolus_execut' is not known"
    f" (did you mean BOLUS_EXECUTE?); allowed are {ALL_NAMES}",
    "drop answer MANY": f"fault 'drop answer MANY': operation 'MANY' is not known; allowed are {ALL_NAMES}",
    "drop answer STATUS often": "fault 'drop answer STATUS often': parameter 'often' is not known;"
    " allowed are nth=N, count=N",
    "drop answer STATUS counts=2": "fault 'drop answer STATUS counts=2': parameter 'counts' is not known"
    " (did you mean count=N?); allowed are nth=N, count=N",
    "drop answer STATUS nth": "fault 'drop answer STATUS nth': parameter 'nth' is not known"
    " (did you mean nth=N?); allowed are nth=N, count=N",
    "drop answer STATUS nth=1 nth=2": "fault 'drop answer STATUS nth=1 nth=2': nth is given twice",
    "drop answer STATUS nth=0": f"fault 'drop answer STATUS nth=0': nth is '0', {NUMBER}",
    "drop answer STATUS nth=-1": f"fault 'drop answer STATUS nth=-1': nth is '-1', {NUMBER}",
    "drop answer STATUS count=": f"fault 'drop answer STATUS count=': count is '', {NUMBER}",
    "drop answer STATUS count=two": f"fault 'drop answer STATUS count=two': count is 'two', {NUMBER}",
    "drop answer STATUS count=²": f"fault 'drop answer STATUS count=²': count is '²', {NUMBER}",
    "drop answer STATUS count=٣": f"fault 'drop answer STATUS count=٣': count is '٣', {NUMBER}",
    "drop answer STATUS nth=1000001": f"fault 'drop answer STATUS nth=1000001': nth is '1000001', {NUMBER}",
    "drop answer STATUS nth=000000010000000": "fault 'drop answer STATUS nth=000000010000000':"
    f" nth is '000000010000000', {NUMBER}",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_that_says_nothing_known_is_refused_with_one_sentence(line: str) -> None:
    with pytest.raises(FaultSyntaxError) as caught:
        parse_fault(line, NAMES)
    assert str(caught.value) == REFUSED[line]


@pytest.mark.parametrize("line", ["", "drop answer"])
def test_the_example_is_one_that_this_wire_knows(line: str) -> None:
    with pytest.raises(FaultSyntaxError, match="such as 'drop answer READ nth=1 count=1'"):
        parse_fault(line, ("READ", "GIVE"))


@pytest.mark.parametrize("digits", ["9" * 5_000, "00000001" + "9" * 5_000, "0" * 5_000])
def test_a_number_of_any_length_is_read_or_refused_as_every_other(digits: str) -> None:
    with pytest.raises(FaultSyntaxError, match=NUMBER):
        parse_fault(f"drop answer STATUS nth={digits}", NAMES)


@given(st.text(alphabet="droprequstanwe ANYSTATUS=0123456789nthcou_\n", max_size=60))
def test_any_line_is_a_fault_or_one_sentence(line: str) -> None:
    try:
        arms = arming(line, NAMES)
    except FaultSyntaxError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either way is a story to its end
    else:
        assert arming(as_written(arms), NAMES) == arms
