"""The cell: its charge only falls, its voltage is exact, and it lasts as long as it should."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.plant.cell import FC_PER_MAH, FC_PER_UC, Cell, Load, height, open_circuit, resistance
from firmware_model.profile import CellModel
from firmware_model.quantities import US_PER_DAY
from firmware_model.state import canonical
from tests.firmware_model.pump_profiles import shipped

SHIPPED = ("reference-20", "reference-40")
REFERENCE = shipped("reference-20").cell
OCV_MV = ("ocv_0_mv", "ocv_250_mv", "ocv_500_mv", "ocv_750_mv", "ocv_900_mv", "ocv_1000_mv")
LOADS = st.sampled_from(Load)


@st.composite
def models(draw: st.DrawFn) -> CellModel:
    """A cell of any size and strength whose voltage falls as it is used up, now and then along a level stretch."""
    falling_mv = sorted(draw(st.lists(st.integers(1_500, 3_500), min_size=6, max_size=6)), reverse=True)
    return replace(
        REFERENCE,
        **dict(zip(OCV_MV, falling_mv, strict=True)),
        capacity_mah=draw(st.sampled_from([1, 7, 1_600, 2_399])),
        motor_na=draw(st.integers(0, 20_000_000)),
        resistance_0c_mohm=draw(st.integers(0, 90_000)),
        resistance_37c_mohm=draw(st.integers(0, 90_000)),
    )


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """A cell in the middle of its life: sound or sick, warm or cold, often at a knot or a charge beside it."""
    cell = Cell(
        draw(models()),
        temperature_centidegrees=draw(st.one_of(st.integers(-1_000, 7_000), st.sampled_from([-500, 0, 3_700, 6_500]))),
        film_mohm=draw(st.sampled_from([0, 0, 1, 80_000])),
        sag_mv=draw(st.sampled_from([0, 0, 1, 300, 5_000])),
    )
    knot_fc = cell.capacity_fc * draw(st.sampled_from([0, 100, 250, 500, 750, 1_000])) // 1_000
    beside_fc = st.integers(-2, 2).map(lambda off: knot_fc + off)
    charge_fc = draw(st.one_of(beside_fc, st.integers(0, cell.capacity_fc)))
    cell.charge_fc = min(max(charge_fc, 0), cell.capacity_fc)
    return cell


def on_line(knots: tuple[tuple[int, int], ...], at: Fraction) -> Fraction:
    """The exact value of a curve, level beyond its ends."""
    at = min(max(at, Fraction(knots[0][0])), Fraction(knots[-1][0]))
    (left, a), (right, b) = next(pair for pair in pairwise(knots) if at <= pair[1][0])
    return a + Fraction(b - a, right - left) * (at - left)


def naive_voltage_mv(cell: Cell, load: Load) -> int:
    """Ohm's law in volts, ohms and amperes, rounded as the cell says."""
    model = cell.model
    if cell.charge_fc == 0:
        return 0
    depth = 1_000 - Fraction(1_000 * cell.charge_fc, model.capacity_mah * FC_PER_MAH)
    ohms = Fraction(floor(on_line(resistance(model), Fraction(cell.temperature_centidegrees))) + cell.film_mohm, 1_000)
    extra_na = {Load.IDLE: 0, Load.MOTOR: model.motor_na, Load.TELEMETRY: model.telemetry_na}[load]
    drop_volts = ohms * Fraction(model.base_na + extra_na, 10**9)
    return max(0, floor(on_line(open_circuit(model), depth)) - ceil(drop_volts * 1_000) - cell.sag_mv)


@given(cells(), LOADS)
def test_the_voltage_is_that_of_the_naive_cell(cell: Cell, load: Load) -> None:
    assert cell.voltage_mv(load) == naive_voltage_mv(cell, load)


def shown_at_knot_mv(cell: Cell, load: Load, knot: str) -> int:
    """The voltage under a load at a knot of the open-circuit curve."""
    level = replace(cell.model, **dict.fromkeys(OCV_MV, getattr(cell.model, knot)))
    return Cell(level, cell.temperature_centidegrees, cell.film_mohm, cell.sag_mv).voltage_mv(load)


@given(models())
def test_the_curves_are_exact_at_their_knots_and_never_above_the_line(model: CellModel) -> None:
    for curve in (open_circuit(model), resistance(model)):
        for at, value in curve:
            assert height(curve, at) == height(curve, at * 7, 7) == value
        last = curve[-1][0]
        for at in range(-3 * last // 20, 23 * last, last // 20 + 1):
            assert height(curve, at, 20) == floor(on_line(curve, Fraction(at, 20)))


@given(cells(), LOADS, st.integers(0, 10**19))
def test_the_voltage_never_rises_while_the_charge_falls(cell: Cell, load: Load, spent_fc: int) -> None:
    before_mv = cell.voltage_mv(load)
    cell.spend(spent_fc)
    assert cell.voltage_mv(load) <= before_mv


@given(cells(), LOADS, st.integers(1, 100_000), st.integers(1, 1_000))
def test_film_and_sag_take_from_the_voltage(cell: Cell, load: Load, film_mohm: int, sag_mv: int) -> None:
    before_mv = cell.voltage_mv(load)
    cell.film_mohm += film_mohm
    filmed_mv = cell.voltage_mv(load)
    cell.sag_mv += sag_mv
    assert cell.voltage_mv(load) == max(0, filmed_mv - sag_mv)
    assert filmed_mv <= before_mv


@given(cells(), LOADS, st.one_of(st.integers(1, 4_500), st.sampled_from(OCV_MV)), st.integers(-1, 1))
def test_the_charge_below_a_voltage_is_the_greatest_that_shows_less(
    cell: Cell, load: Load, sought: int | str, off_mv: int
) -> None:
    """Also of a voltage that the cell shows just at a knot of its curve."""
    voltage_mv = sought if isinstance(sought, int) else max(1, shown_at_knot_mv(cell, load, sought) + off_mv)
    level_fc = cell.charge_fc_below(voltage_mv, load)
    assert 0 <= level_fc <= cell.capacity_fc
    cell.charge_fc = level_fc
    assert cell.voltage_mv(load) < voltage_mv
    if level_fc < cell.capacity_fc:
        cell.charge_fc = level_fc + 1
        assert cell.voltage_mv(load) >= voltage_mv


Life = tuple[str, int, int]
_lives = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), st.integers(0, 400 * US_PER_DAY), st.integers(0, 10_000_000)),
        st.tuples(st.just("tone"), st.integers(0, 1), st.integers(1, 1_000)),
        st.tuples(st.just("telemetry"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("electronics"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("short"), st.sampled_from([0, 5_000, 3_000_000]), st.just(0)),
    ),
    max_size=12,
)


def live(cell: Cell, what: str, amount: int, count: int) -> None:
    """Let one thing happen to a cell."""
    match what:
        case "draw":
            cell.draw(amount, count)
        case "tone":
            cell.spend(cell.tone_fc(dual=bool(amount)) * count)
        case "telemetry":
            cell.set_telemetry(bool(amount))
        case "electronics":
            cell.set_electronics(bool(amount))
        case _:
            cell.set_short(amount)


@given(_lives)
def test_the_charge_is_what_an_accountant_in_coulombs_has_left(life: list[Life]) -> None:
    cell, model = Cell(REFERENCE), REFERENCE
    left = Fraction(model.capacity_mah * 36, 10)
    flags = {"telemetry": 0, "electronics": 1, "short": 0}
    for what, amount, count in life:
        before_fc = cell.charge_fc
        foreseen_fc = cell.charge_fc_after(amount, count)
        live(cell, what, amount, count)
        if what == "draw":
            assert cell.charge_fc == foreseen_fc
            electronics_na = model.base_na + flags["telemetry"] * model.telemetry_na
            amperes = Fraction(model.self_discharge_na + flags["short"] + flags["electronics"] * electronics_na, 10**9)
            left -= amperes * Fraction(amount, 10**6) + Fraction(model.step_nc * count, 10**9)
        elif what == "tone":
            left -= Fraction((model.tone_dual_uc if amount else model.tone_single_uc) * count, 10**6)
        else:
            flags[what] = amount
        left = max(left, Fraction(0))
        assert Fraction(cell.charge_fc, 10**15) == left
        assert 0 <= cell.charge_fc <= before_fc


@given(_lives, st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 10**6), st.integers(0, 10**6))
def test_time_in_pieces_takes_what_time_as_a_whole_takes(
    life: list[Life], first_us: int, second_us: int, first_pulses: int, second_pulses: int
) -> None:
    whole, pieces = Cell(REFERENCE), Cell(REFERENCE)
    for cell in (whole, pieces):
        for happening in life:
            live(cell, *happening)
    whole.draw(first_us + second_us, first_pulses + second_pulses)
    pieces.draw(first_us, first_pulses)
    pieces.draw(second_us, second_pulses)
    assert canonical(pieces) == canonical(whole)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_cell_falls_and_warms_in_order(name: str) -> None:
    model = shipped(name).cell
    for higher, lower in pairwise(open_circuit(model)):
        assert higher[1] > lower[1]
    for colder, warmer in pairwise(resistance(model)):
        assert colder[1] > warmer[1]
    assert model.ocv_1000_mv < model.brownout_mv < model.restart_mv < model.eri_mv < model.ocv_750_mv
    fresh = Cell(model)
    assert fresh.voltage_mv(Load.MOTOR) > model.eri_mv
    assert fresh.voltage_mv(Load.TELEMETRY) > model.eri_mv


def days_to(voltage_mv: int, name: str, rate_nl_per_day: int) -> Fraction:
    """Days at a constant rate until the voltage under the motor's load falls below a voltage, steps spread evenly."""
    profile = shipped(name)
    cell = Cell(profile.cell)
    steps_per_day = Fraction(rate_nl_per_day, profile.motor.step_volume_nl)
    used_fc = cell.capacity_fc - cell.charge_fc_below(voltage_mv, Load.MOTOR)
    return used_fc / (cell.drain_na * US_PER_DAY + steps_per_day * cell.step_fc)


def test_a_pump_at_its_first_rate_asks_for_its_replacement_after_six_years() -> None:
    """0.620 mL a day: 24,800 steps of 13.5 uC and a day of 23.325 uA are 2.35 C a day, of 5,180 C to ERI."""
    assert floor(days_to(REFERENCE.eri_mv, "reference-20", 620_000)) == 2_204
    cell = Cell(REFERENCE)
    cell.draw(2_204 * US_PER_DAY, 2_204 * 24_800)
    assert cell.voltage_mv(Load.MOTOR) == REFERENCE.eri_mv
    cell.draw(US_PER_DAY, 24_800)
    assert cell.voltage_mv(Load.MOTOR) == REFERENCE.eri_mv - 1


@pytest.mark.parametrize(
    ("rate_nl_per_day", "days"),
    [(48_000, 2_537), (620_000, 2_204), (1_500_000, 1_833), (24_000_000, 345)],
    ids=["lowest", "first", "1.5 mL a day", "highest"],
)
def test_the_more_a_pump_delivers_the_sooner_its_cell_is_used_up(rate_nl_per_day: int, days: int) -> None:
    """Common therapy lands within the five to seven years that the manufacturer states."""
    assert floor(days_to(REFERENCE.eri_mv, "reference-20", rate_nl_per_day)) == days


@pytest.mark.parametrize(("name", "rate_nl_per_day"), [("reference-20", 1_500_000), ("reference-40", 1_500_000)])
def test_between_eri_and_the_end_of_service_the_cell_holds_the_electronics(name: str, rate_nl_per_day: int) -> None:
    model = shipped(name).cell
    days = days_to(model.brownout_mv, name, rate_nl_per_day) - days_to(model.eri_mv, name, rate_nl_per_day)
    assert days > model.eos_after_eri_days


def test_a_film_resets_the_pump_at_a_step_although_the_cell_is_half_full() -> None:
    """The battery film of the recalls: at rest nothing shows, under load the voltage is gone."""
    cell = Cell(REFERENCE)
    cell.spend(cell.capacity_fc // 2)
    assert (cell.voltage_mv(Load.IDLE), cell.voltage_mv(Load.MOTOR)) == (2_789, 2_739)
    cell.film_mohm = 150_000
    assert cell.voltage_mv(Load.IDLE) == 2_786
    assert cell.voltage_mv(Load.MOTOR) < REFERENCE.brownout_mv


def test_a_cold_cell_is_weak_and_recovers_in_the_warmth() -> None:
    cell = Cell(REFERENCE)
    warm_mv = cell.voltage_mv(Load.MOTOR)
    cell.temperature_centidegrees = 0
    assert cell.voltage_mv(Load.MOTOR) == warm_mv - 150
    cell.temperature_centidegrees = 3_700
    assert cell.voltage_mv(Load.MOTOR) == warm_mv


def test_ten_minutes_of_telemetry_cost_three_coulombs() -> None:
    idle, open_session = Cell(REFERENCE), Cell(REFERENCE)
    open_session.set_telemetry(on=True)
    for cell in (idle, open_session):
        cell.draw(600_000_000, 0)
    assert idle.charge_fc - open_session.charge_fc == 3_000_000 * FC_PER_UC


def test_a_cell_without_its_electronics_is_drained_by_itself_and_a_short_alone() -> None:
    cell = Cell(REFERENCE)
    cell.set_telemetry(on=True)
    cell.set_electronics(on=False)
    assert cell.drain_na == REFERENCE.self_discharge_na
    cell.set_short(1_000_000)
    assert cell.drain_na == REFERENCE.self_discharge_na + 1_000_000
    cell.set_electronics(on=True)
    cell.set_short(0)
    assert cell.drain_na == REFERENCE.self_discharge_na + REFERENCE.base_na + REFERENCE.telemetry_na


def test_a_cell_that_is_used_up_gives_nothing_whatever_its_curve_says() -> None:
    cell = Cell(replace(REFERENCE, ocv_1000_mv=2_500))
    cell.spend(cell.capacity_fc - 1)
    assert cell.voltage_mv(Load.IDLE) == 2_499
    cell.draw(1, 0)
    assert (cell.charge_fc, cell.voltage_mv(Load.IDLE)) == (0, 0)
