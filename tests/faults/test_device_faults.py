"""Device faults as lines: all that the registry allows is written and read back, with the units that people use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.faults.device_faults import fault_text, parameters_of
from emulator.faults.parameters import DURATION, UNITS, allowed_text, form_of
from emulator.faults.registry import REGISTRY, parse_fault
from emulator.faults.syntax import FaultSyntaxError
from emulator.wire import FaultNames
from firmware_model.faults import FAULTS, DeviceFault, FaultKind, Parameter, device_fault

HOUR_US = 3_600_000_000
YEARS = "7320d"
COUNTED = {"", "pulses", "steps", "bit", "bytes", "writes"}
A_DURATION = f"but allowed is a duration from 0s to {YEARS} with its unit d, h, min, s, ms or us, such as 90s or 1d12h"


def read(line: str) -> DeviceFault:
    fault = parse_fault(line, FaultNames({}))
    assert isinstance(fault, DeviceFault)
    return fault


def refusal(line: str) -> str:
    with pytest.raises(FaultSyntaxError) as caught:
        parse_fault(line, FaultNames({}))
    return str(caught.value)


@st.composite
def device_faults(draw: st.DrawFn) -> DeviceFault:
    """Any fault that the registry makes: each parameter is left out, or anywhere in its range, its ends not seldom."""
    kind = FAULTS[draw(st.sampled_from(list(FAULTS)))]
    values = {}
    for parameter in parameters_of(kind):
        low, high = parameter.minimum, parameter.maximum
        value = draw(st.none() | st.sampled_from([low, high]) | st.integers(low, high))
        if value is not None:
            values[parameter.name] = value
    fault = made(kind, values)
    # What cannot come again at all comes once.
    return fault if fault is not None else device_fault(kind.verb, **(values | {"count": 1}))


def made(kind: FaultKind, values: dict[str, int]) -> DeviceFault | None:
    try:
        return device_fault(kind.verb, **values)
    except ValueError:
        return None


@given(device_faults())
def test_what_a_fault_is_written_as_is_what_it_is_read_from(fault: DeviceFault) -> None:
    assert parse_fault(fault_text(fault), FaultNames({})) == fault


@given(device_faults(), st.randoms(use_true_random=False), st.sampled_from([" ", "  ", "\t", "\n "]))
def test_the_order_of_parameters_and_the_width_of_gaps_mean_nothing(
    fault: DeviceFault, random: object, gap: str
) -> None:
    verb, *words = fault_text(fault).split()
    random.shuffle(words)  # type: ignore[attr-defined]
    assert parse_fault(gap.join([verb, *words]) + gap, FaultNames({})) == fault


@given(st.sampled_from(list(FAULTS)), st.data())
def test_a_value_outside_of_its_range_is_refused_with_the_range(verb: str, data: st.DataObject) -> None:
    parameter = data.draw(st.sampled_from(parameters_of(FAULTS[verb])))
    beyond = data.draw(st.sampled_from([parameter.minimum - 1, parameter.maximum + 1]))
    unit = DURATION if parameter.unit == DURATION else ""
    said = refusal(f"{verb} {parameter.name}={beyond}{unit}")
    assert f"'{beyond}{unit}'" in said
    assert allowed_text(parameter) in said
    assert "\n" not in said


def test_the_two_kinds_share_no_verb() -> None:
    assert not REGISTRY.keys() & FAULTS.keys()


@pytest.mark.parametrize("verb", FAULTS)
def test_every_fault_explains_itself_with_an_example_that_works(verb: str) -> None:
    kind = FAULTS[verb]
    assert kind.meaning
    fault = read(kind.example)
    assert fault.verb == verb
    assert sorted(fault_text(fault).split()) == sorted(kind.example.split()), "an example says all that it means"
    names = [parameter.name for parameter in parameters_of(kind)]
    assert len(set(names)) == len(names)
    for parameter in parameters_of(kind):
        assert parameter.meaning
        assert parameter.choices or parameter.unit == DURATION or parameter.unit in {*UNITS, *COUNTED}
        assert form_of(parameter).startswith(f"{parameter.name}=")


def test_what_is_not_said_is_the_kinds_own() -> None:
    assert read("stall") == DeviceFault("stall")
    assert read("gain-error") == DeviceFault("gain-error", (("ppm", 150_000),))
    again = read("intermittent-stall")
    assert (again.for_us, again.every_us, again.times) == (HOUR_US // 2, 8 * HOUR_US, 9)
    assert fault_text(again) == "intermittent-stall for=30min every=8h count=9"
    once = read("intermittent-stall for=0s count=1")
    assert (once.for_us, once.times) == (0, 1)
    assert fault_text(once) == "intermittent-stall for=0s every=8h count=1"


def test_times_are_written_as_people_say_them() -> None:
    fault = read("stall after=10min for=1d12h")
    assert (fault.after_us, fault.for_us) == (HOUR_US // 6, 36 * HOUR_US)
    assert fault_text(fault) == "stall after=10min for=1d12h"
    assert read("stall for=90s") == read("stall for=1min30s") == read("stall for=1.5min")
    assert read("field for=40min recovery=3h reverse=200") == device_fault(
        "field", **{"for": HOUR_US * 2 // 3}, recovery=3 * HOUR_US, reverse=200
    )


@pytest.mark.parametrize(
    ("with_unit", "plain"),
    [
        ("gain-error ppm=15%", "gain-error ppm=150000"),
        ("gain-error ppm=-0.5%", "gain-error ppm=-5000"),
        ("gain-error ppm=+7ppm", "gain-error ppm=7"),
        ("catheter-cut nl=0.02mL", "catheter-cut nl=20000"),
        ("catheter-cut nl=20ul", "catheter-cut nl=20000"),
        ("internal-short na=2mA", "internal-short na=2000000"),
        ("internal-short na=2\N{MICRO SIGN}A", "internal-short na=2000"),
        ("cell-film mohm=0.4kohm", "cell-film mohm=400000"),
        ("cell-film mohm=400\N{GREEK CAPITAL LETTER OMEGA}", "cell-film mohm=400000"),
        ("voltage-lie mv=-0.4V", "voltage-lie mv=-400"),
        ("voltage-lie mv=\N{MINUS SIGN}0.4V", "voltage-lie mv=-400"),
        ("temperature cc=41C", "temperature cc=4100"),
        ("temperature cc=40.05\N{DEGREE SIGN}C", "temperature cc=4005"),
        ("clock-jump s=-1h", "clock-jump s=-3600"),
    ],
)
def test_a_value_may_have_a_unit(with_unit: str, plain: str) -> None:
    assert read(with_unit) == read(plain)
    assert fault_text(read(with_unit)).startswith(plain)


def test_words_are_taken_for_choices() -> None:
    assert dict(read("write-cut at=3 mode=torn bytes=4").values) == {"at": 3, "mode": 2, "bytes": 4}
    assert dict(read("emf-lie shows=motion").values) == {"shows": 1}


REFUSED = {
    "stall for=2": f"for is '2', {A_DURATION}",
    "stall for=": f"for is '', {A_DURATION}",
    "stall for=0": f"for is '0', {A_DURATION}",
    "stall for=-1h": f"for is '-1h', {A_DURATION}",
    "stall for=7321d": f"for is '7321d', {A_DURATION}",
    "stall for=2hours": f"for is '2hours', {A_DURATION}",
    "stall for=0.5us": f"for is '0.5us', {A_DURATION}",
    "stall fro=2h": "parameter 'fro' is not known (did you mean for=DURATION?);"
    " allowed are after=DURATION, for=DURATION, every=DURATION, count=N",
    "stall 2h": "parameter '2h' is not known; allowed are after=DURATION, for=DURATION, every=DURATION, count=N",
    "stall for=1d for=2d": "for is given twice",
    "stall for=1h 30min": "parameter '30min' is not known;"
    " allowed are after=DURATION, for=DURATION, every=DURATION, count=N",
    "stall count=0": "count is '0', but allowed is a whole number from 1 to 1000000",
    "stall count=two": "count is 'two', but allowed is a whole number from 1 to 1000000",
    "missed-steps one_in=2x": "one_in is '2x', but allowed is a whole number from 1 to 1000000",
    "missed-steps one_in=\N{ARABIC-INDIC DIGIT THREE}": "one_in is '\N{ARABIC-INDIC DIGIT THREE}',"
    " but allowed is a whole number from 1 to 1000000",
    "write-cut mode=tron": "mode 'tron' is not known (did you mean torn?);"
    " allowed are before, after, torn, garbage, ignored, late",
    "write-cut mode=2": "mode '2' is not known; allowed are before, after, torn, garbage, ignored, late",
    "gain-error ppm=0.00005%": "ppm is '0.00005%', but allowed is a whole number of ppm from -1000000 to 10000000,"
    " or a number with its unit ppm or %",
    "internal-short na=2000A": "na is '2000A', but allowed is a whole number of nA from 1 to 1000000000,"
    " or a number with its unit nA, uA, mA or A",
    "internal-short na=2MA": "na is '2MA', but allowed is a whole number of nA from 1 to 1000000000,"
    " or a number with its unit nA, uA, mA or A",
    "stall count=2 for=1h": "to come 2 times, every must be longer than for",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_that_says_nothing_known_is_refused_with_one_sentence(line: str) -> None:
    assert refusal(line) == f"fault {line!r}: {REFUSED[line]}"


@pytest.mark.parametrize("digits", ["9" * 5_000, "0" * 5_000, "-" * 5_000])
@pytest.mark.parametrize("word", ["stall for", "stall count", "clock-jump s"])
def test_a_number_of_any_length_is_read_or_refused_as_every_other(word: str, digits: str) -> None:
    assert "but allowed is a" in refusal(f"{word}={digits}")


def test_every_kind_of_value_is_named() -> None:
    forms = {form_of(parameter).partition("=")[2] for kind in FAULTS.values() for parameter in parameters_of(kind)}
    assert forms == {"DURATION", "WORD", "N"}
    nameless = Parameter("x", "", "", 0, 0, 5)
    assert allowed_text(nameless) == "a whole number from 0 to 5"
