"""Quantities: exact, with units, and back again."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.quantities import (
    CONCENTRATION_UNITS_NG_PER_ML,
    CURRENT_UNITS_NA,
    DURATION_UNITS_US,
    MASS_UNITS_FG,
    MAX_CONCENTRATION_NG_PER_ML,
    MAX_DURATION_US,
    MAX_RATE_NL_PER_DAY,
    MAX_VOLUME_NL,
    PER_DAY,
    RESISTANCE_UNITS_MOHM,
    SHARE_UNITS_PPM,
    TEMPERATURE_UNITS_CC,
    UNKNOWN_U32,
    VOLTAGE_UNITS_MV,
    VOLUME_UNITS_NL,
    QuantityError,
    format_amount,
    format_concentration,
    format_dose_a_day,
    format_duration_us,
    format_rate,
    format_volume_nl,
    parse_amount,
    parse_concentration_ng_per_ml,
    parse_duration_us,
    parse_level_nl,
    parse_rate_nl_per_day,
    parse_volume_nl,
)

PARSERS: list[Callable[[str], int]] = [
    parse_volume_nl,
    parse_duration_us,
    parse_rate_nl_per_day,
    parse_concentration_ng_per_ml,
]


AMOUNTS: list[Mapping[str, int]] = [
    CURRENT_UNITS_NA,
    MASS_UNITS_FG,
    RESISTANCE_UNITS_MOHM,
    SHARE_UNITS_PPM,
    VOLTAGE_UNITS_MV,
    VOLUME_UNITS_NL,
]


@given(st.integers(1, MAX_VOLUME_NL))
def test_a_volume_that_was_printed_is_read_as_itself(volume_nl: int) -> None:
    assert parse_volume_nl(format_volume_nl(volume_nl)) == volume_nl


@given(st.integers(1, MAX_RATE_NL_PER_DAY))
def test_a_rate_that_was_printed_is_read_as_itself(rate_nl_per_day: int) -> None:
    assert parse_rate_nl_per_day(format_rate(rate_nl_per_day)) == rate_nl_per_day


@given(st.integers(1, MAX_DURATION_US))
def test_a_duration_that_was_printed_is_read_as_itself(duration_us: int) -> None:
    assert parse_duration_us(format_duration_us(duration_us)) == duration_us


@given(st.integers(1, MAX_CONCENTRATION_NG_PER_ML))
def test_a_concentration_that_was_printed_is_read_as_itself(concentration_ng_per_ml: int) -> None:
    assert parse_concentration_ng_per_ml(format_concentration(concentration_ng_per_ml)) == concentration_ng_per_ml


@given(st.integers(0, MAX_VOLUME_NL))
def test_a_level_is_a_volume_that_may_be_zero(level_nl: int) -> None:
    assert parse_level_nl(format_volume_nl(level_nl)) == level_nl


@given(st.integers(0, MAX_RATE_NL_PER_DAY), st.integers(1, MAX_CONCENTRATION_NG_PER_ML))
def test_a_dose_a_day_is_exact(rate_nl_per_day: int, concentration_ng_per_ml: int) -> None:
    number, _, unit = format_dose_a_day(rate_nl_per_day * concentration_ng_per_ml).partition(" ")
    millilitres, nanograms = Fraction(rate_nl_per_day, 10**6), Fraction(concentration_ng_per_ml)
    assert Fraction(number) * {"ug/day": 10**3, "mg/day": 10**6}[unit] == millilitres * nanograms


@given(st.integers(-(10**12), 10**12), st.sampled_from(AMOUNTS))
def test_an_amount_that_was_printed_is_read_as_itself_with_or_without_its_unit(
    amount: int, units: Mapping[str, int]
) -> None:
    assert parse_amount(format_amount(amount, units), units) == amount
    assert parse_amount(str(amount), units) == amount


@pytest.mark.parametrize(
    ("text", "units", "amount"),
    [
        ("-0.4V", VOLTAGE_UNITS_MV, -400),
        ("\N{MINUS SIGN}400 mV", VOLTAGE_UNITS_MV, -400),
        ("+2mA", CURRENT_UNITS_NA, 2_000_000),
        ("2\N{MICRO SIGN}A", CURRENT_UNITS_NA, 2_000),
        ("2.5k\N{OHM SIGN}", RESISTANCE_UNITS_MOHM, 2_500_000),
        ("15%", SHARE_UNITS_PPM, 150_000),
        ("0.0001 %", SHARE_UNITS_PPM, 1),
        ("41\N{DEGREE SIGN}C", TEMPERATURE_UNITS_CC, 4_100),
        ("20ul", VOLUME_UNITS_NL, 20_000),
        ("0", {}, 0),
    ],
)
def test_the_ways_to_write_an_amount(text: str, units: Mapping[str, int], amount: int) -> None:
    assert parse_amount(text, units) == amount


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no amount; write a number with a unit mV, V"),
        ("much", "no amount"),
        ("--1V", "no amount"),
        ("1e3", "no amount|not known"),
        ("1A", "the unit 'A', which is not known here"),
        ("0.5mV", "finer than the smallest step"),
        ("\N{FULLWIDTH DIGIT FIVE}V", "no amount"),
        ("1" * 100, "no amount"),
    ],
)
def test_what_is_no_amount_is_told_why(text: str, said: str) -> None:
    with pytest.raises(QuantityError, match=said):
        parse_amount(text, VOLTAGE_UNITS_MV)


@given(st.text(max_size=80), st.sampled_from(AMOUNTS))
def test_any_text_is_an_amount_or_one_sentence(text: str, units: Mapping[str, int]) -> None:
    try:
        amount = parse_amount(text, units)
    except QuantityError:
        return
    assert parse_amount(format_amount(amount, units), units) == amount


@given(st.integers(1, 4_000), st.integers(0, 9), st.sampled_from(sorted(VOLUME_UNITS_NL)))
def test_decimals_are_exact_or_refused(number: int, places: int, unit: str) -> None:
    decimal = Decimal(number).scaleb(-places)
    exact = decimal * VOLUME_UNITS_NL[unit]
    text = f"{decimal:f}{unit}"
    if exact == int(exact) and exact <= MAX_VOLUME_NL:
        assert parse_volume_nl(text) == int(exact)
    else:
        with pytest.raises(QuantityError):
            parse_volume_nl(text)


@given(st.lists(st.sampled_from(sorted(DURATION_UNITS_US)), min_size=1, max_size=6, unique=True), st.data())
def test_sums_of_durations(units: list[str], data: st.DataObject) -> None:
    falling = sorted(units, key=lambda unit: -DURATION_UNITS_US[unit])
    counts = [data.draw(st.integers(1, 40)) for _ in falling]
    text = "".join(f"{count}{unit}" for count, unit in zip(counts, falling, strict=True))
    wanted = sum(count * DURATION_UNITS_US[unit] for count, unit in zip(counts, falling, strict=True))
    assert parse_duration_us(text) == wanted


@pytest.mark.parametrize(("unit", "factor"), PER_DAY.items())
def test_rates_by_every_time(unit: str, factor: int) -> None:
    assert parse_rate_nl_per_day(f"20uL/{unit}") == 20_000 * factor


@pytest.mark.parametrize(
    "text", ["50uL", "50\N{MICRO SIGN}L", "50\N{GREEK SMALL LETTER MU}l", "0.05mL", "50000nL", "50 uL"]
)
def test_the_ways_to_write_a_volume(text: str) -> None:
    assert parse_volume_nl(text) == 50_000


@pytest.mark.parametrize(
    "text", ["500ug/mL", "500 mcg/ml", "500\N{MICRO SIGN}g/mL", "0.5mg/mL", "500000ng/mL", "500.ug/mL"]
)
def test_the_ways_to_write_a_concentration(text: str) -> None:
    assert parse_concentration_ng_per_ml(text) == 500_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("500", "no unit.*ng/mL, ug/mL or mg/mL"),
        ("500ug", "'ug'"),
        ("500g/mL", "'g/mL'"),
        ("500ug/uL", "'ug/uL'"),
        ("0.5ng/mL", "finer than 1 ng/mL"),
        ("0ug/mL", "above zero"),
        ("5000mg/mL", "at most 4294.967294 mg/mL"),
    ],
)
def test_what_is_no_concentration_is_told_why(text: str, said: str) -> None:
    with pytest.raises(QuantityError, match=said):
        parse_concentration_ng_per_ml(text)


@pytest.mark.parametrize("unit", CONCENTRATION_UNITS_NG_PER_ML)
def test_a_level_has_the_units_of_a_volume(unit: str) -> None:
    with pytest.raises(QuantityError, match="not known here"):
        parse_level_nl(f"0{unit}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("50", "no unit.*nL, uL or mL"),
        ("0.5", "no unit"),
        ("1e3", "no unit"),
        ("0,5mL", "decimal point"),
        ("1,000uL", "comma"),
        ("-5uL", "above zero"),
        ("0uL", "above zero"),
        ("0.0005uL", "finer than 1 nL"),
        ("5000mL", "at most 4294.967294 mL"),
        ("nan", "not a number"),
        ("nanuL", "not a number"),
        ("infmL", "not a number"),
        ("1e3uL", "not a number|not known"),
        ("50ML", "'ML'"),
        ("50L", "'L'"),
        ("50s", "'s'"),
        ("", "empty"),
        ("1" * 100 + "uL", "too long"),
        ("\N{FULLWIDTH DIGIT FIVE}uL", "not a number"),
    ],
)
def test_what_is_no_volume_is_told_why(text: str, said: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_volume_nl(text)
    assert re.search(said, str(caught.value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "no unit"),
        ("5m", "'m'"),
        ("12h1d", "larger ones first"),
        ("1h1h", "larger ones first"),
        ("1d5", "without a unit"),
    ],
)
def test_what_is_no_duration_is_told_why(text: str, said: str) -> None:
    with pytest.raises(QuantityError, match=said):
        parse_duration_us(text)


@given(st.text(max_size=80), st.sampled_from(PARSERS))
def test_any_text_is_a_quantity_or_one_sentence(text: str, parse: Callable[[str], int]) -> None:
    try:
        value = parse(text)
    except QuantityError:
        return
    assert value > 0


def test_the_wires_unknown_is_no_number() -> None:
    assert format_volume_nl(UNKNOWN_U32) == format_rate(UNKNOWN_U32) == "unknown"
    assert format_concentration(UNKNOWN_U32) == "unknown"
