"""Demand over the years: published values, loops as second method, breaks, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.lifecycle.demand import (
    Break,
    Demand,
    Growth,
    Model,
    Phases,
    Table,
    When,
    demand,
    efficiency,
    load_factor,
)
from aiplan.planners.lifecycle.roadmap_faults import FaultyNumbersError

WHENS: tuple[When, ...] = ("start", "mid", "end", "larger")


def table(*pairs: tuple[float, float]) -> Table:
    years, values = np.array(pairs).T
    return Table(years, values)


def test_published_demand_of_100_thousand_growing_15_percent_is_352_thousand_after_nine_years() -> None:
    # Stojkovic et al. 2026, III-B and figure 4: 100K requests/s in 2015, about 350K in 2024 (published).
    path = demand(Demand(100_000, 1.15), 15, when="start")[:, 0]
    assert path[9] == pytest.approx(351_788, abs=1)
    assert path[9] == pytest.approx(350_000, rel=0.01)
    assert path[0] == 100_000


def test_forward_demand_of_table_6_2() -> None:
    # 1.15^t (1 + 0.10 t), and 2000 reference servers at the peak of 15 annual steps; an assumed set-up.
    path = demand(Demand(1.0, 1.15, model=Model(1.10, "linear")), 15, when="start")[:, 0]
    assert path == pytest.approx([1.15**year * (1 + 0.10 * year) for year in range(15)])
    assert 2000 * path[0] / path.max() == pytest.approx(117.77, abs=0.01)


def test_historical_demand_of_table_6_2() -> None:
    # Median sizes 2015 to 2025, then the larger of 0.9e12 and a line through them; an assumed set-up.
    sizes = [1e8, 2e8, 3e8, 1e9, 1.5e9, 1.75e10, 2e10, 5e10, 7e10, 4e11, 1e12]
    slope, level = np.polyfit(np.arange(11), sizes, 1)
    sizes += [max(0.9e12, level + slope * year) for year in range(11, 16)]
    model = Table(np.arange(-1.0, 15.0), np.array(sizes))  # a plan that starts in 2016
    requests = 1e5 * 1.15 * 0.1 * 2e8
    path = demand(Demand(requests, 1.15, model=Model(table=model)), 15, when="start")[:, 0]
    assert path == pytest.approx([1e5 * 1.15 ** (year - 2015) * 0.1 * sizes[year - 2015] for year in range(2016, 2031)])


def test_forms_of_growth_meet_after_a_year() -> None:
    times = np.array([0.0, 1.0, 4.0])
    assert Model(1.2).at(times) == pytest.approx([1, 1.2, 1.2**4])
    assert Model(1.2, "linear").at(times) == pytest.approx([1, 1.2, 1.8])
    assert Model(1.2, "sublinear").at(times) == pytest.approx([1, 1.2, 1.4])
    assert Model(1.2, "sublinear", exponent=0.75).at(times) == pytest.approx([1, 1.2, 1 + 0.2 * 4**0.75])


def test_table_is_interpolated_geometrically_and_never_left() -> None:
    path = Demand(table=table((0, 100.0), (2, 400.0), (4, 400.0)))
    assert path.requests([0.0, 1.0, 2.0, 3.0]) == pytest.approx([100, 200, 400, 400])
    assert demand(path, 4, when="end")[:, 0] == pytest.approx([200, 400, 400, 400])
    with pytest.raises(ValueError, match="years 0 to 4 after the start does not cover the plan"):
        demand(path, 5)
    drawn = Demand(table=Table(np.array([0.0, 2.0]), np.array([[1.0, 4.0], [1.0, 1.0]])))
    assert drawn.requests([1.0]) == pytest.approx(np.array([[2.0], [1.0]]))


def test_both_classes_and_the_mixed_one() -> None:
    path = Demand(100.0, model=Model(1.5), phases=Phases(1.3, 1.1, 0.25), software_factor=1.2)
    two, one = demand(path, 3, classes=2, when="start"), demand(path, 3, when="start")
    assert two.shape == (3, 2)
    assert two[2] == pytest.approx([100 * 1.5**2 * 1.3**2 / 1.2**2, 100 * 1.5**2 * 1.1**2 / 1.2**2])
    assert one[2, 0] == pytest.approx(0.25 * two[2, 0] + 0.75 * two[2, 1])
    gross = demand(path, 3, classes=2, when="start", software=False)
    assert gross / two == pytest.approx(np.repeat(efficiency(path, 3, when="start")[:, None], 2, axis=1))


def test_moments_of_a_period() -> None:
    path = Demand(100.0, 1.21)
    assert [float(demand(path, 2, when=when)[1, 0]) for when in WHENS] == pytest.approx([121, 133.1, 146.41, 146.41])
    assert demand(path, 4, 0.5, when="start")[1, 0] == pytest.approx(110)
    falling = Demand(100.0, 0.81, software_factor=1.1)
    assert demand(falling, 2) == pytest.approx(demand(falling, 2, when="start"))
    assert efficiency(falling, 2).tolist() == pytest.approx([1.0, 1.1])
    assert efficiency(falling, 2, when="mid") == pytest.approx([1.1**0.5, 1.1**1.5])
    assert efficiency(Demand(software_factor=0.9), 1) == pytest.approx([0.9])


def test_demand_shock_of_table_2_5() -> None:
    # alpha 3 at 5 years (published): 3 D(5) and no growth from then on.
    path = Demand(100.0, 1.15, shock=Break(3.0, 5.0))
    starts, most = demand(path, 10, when="start")[:, 0], demand(path, 10)[:, 0]
    assert starts[:5] == pytest.approx(100 * 1.15 ** np.arange(5))
    assert starts[5:] == pytest.approx(300 * 1.15**5)
    assert most[4] == pytest.approx(100 * 1.15**5)  # the break on the end of a period is the next one's
    assert most[5:] == pytest.approx(300 * 1.15**5)
    inside = demand(Demand(100.0, 1.15, shock=Break(3.0, 4.5)), 6)[:, 0]
    assert inside[3:] == pytest.approx([100 * 1.15**4, 300 * 1.15**4.5, 300 * 1.15**4.5])


def test_model_contraction_of_table_2_5() -> None:
    # beta 0.8 at 5 years (published): the work in a request, while requests go on growing.
    path = Demand(100.0, 1.15, model=Model(1.1, "linear"), contraction=Break(0.8, 5.0))
    starts, most = demand(path, 10, when="start")[:, 0], demand(path, 10)[:, 0]
    assert starts[4] == pytest.approx(100 * 1.15**4 * 1.4)
    assert starts[5:] == pytest.approx(100 * 1.15 ** np.arange(5, 10) * 0.8 * 1.5)
    assert most[4] == pytest.approx(100 * 1.15**5 * 1.5)
    assert most[5] == pytest.approx(100 * 1.15**6 * 0.8 * 1.5)
    # Flat demand that contracts inside a period must be met before the break as well.
    flat = demand(Demand(100.0, contraction=Break(0.8, 4.7)), 6)[:, 0]
    assert flat == pytest.approx([100, 100, 100, 100, 100, 80])


@pytest.mark.parametrize("dt", [0.1, 0.25, 0.3, 1 / 3, 1.0])
def test_break_on_the_edge_of_a_period_is_the_next_ones_whatever_the_rounding(dt: float) -> None:
    for edge in (1, 3, 6, 7):
        for year in (edge * dt, sum([dt] * edge)):
            path = demand(Demand(1.0, shock=Break(3.0, year)), 9, dt)[:, 0]
            assert path == pytest.approx([1.0] * edge + [3.0] * (9 - edge))


@given(st.floats(0.8, 1.5), st.floats(0.8, 1.3), st.floats(0.8, 1.3), st.floats(0.3, 4.0), st.integers(0, 600),
       st.floats(0.3, 2.0), st.integers(0, 600), st.sampled_from([0.25, 0.5, 1.0]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_larger_end_is_the_largest_of_many_moments(
    growth: float, work: float, software: float, alpha: float, shocked: int, beta: float, contracted: int, dt: float
) -> None:
    shock, contraction = shocked / 100, contracted / 100  # on the grid of the scan
    path = Demand(100.0, growth, model=Model(work), software_factor=software,
                  shock=Break(alpha, shock), contraction=Break(beta, contraction))  # fmt: skip
    periods = round(5 / dt)
    most = demand(path, periods, dt)[:, 0]
    for period in range(periods):
        fine = (period + np.linspace(0, 1, 2001)[:-1]) * dt
        scanned = 0.0
        for time in fine:
            requests = 100 * growth**time if time < shock - 1e-9 else alpha * 100 * growth**shock
            compute = work**time if time < contraction - 1e-9 else beta * work**contraction
            scanned = max(scanned, requests * compute / software**time)
        assert most[period] >= scanned * (1 - 1e-9)
        assert most[period] <= scanned * (1 + 2e-3)


@given(st.integers(1, 4), st.integers(1, 2), st.integers(0, 10_000), st.sampled_from(["exponential", "linear"]))
@settings(max_examples=40, deadline=None)
def test_draws_equal_plans_of_their_own(draws: int, classes: int, seed: int, form: Growth) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    names = ("requests", "growth", "work", "software", "input", "output", "alpha", "year")
    drawn = {name: rng.uniform(0.9, 1.3, draws) for name in names} | {"year": rng.uniform(0, 8, draws)}

    def one(numbers: dict[str, Any]) -> Demand:
        return Demand(numbers["requests"], numbers["growth"], None, Model(numbers["work"], form),
                      Phases(numbers["input"], numbers["output"]), numbers["software"],
                      shock=Break(numbers["alpha"], numbers["year"]))  # fmt: skip

    for when in WHENS:
        together = demand(one(drawn), 8, 1.0, classes, when)
        assert together.shape == (draws, 8, classes)
        for draw in range(draws):
            alone = demand(one({name: float(values[draw]) for name, values in drawn.items()}), 8, 1.0, classes, when)
            assert together[draw] == pytest.approx(alone)


@given(st.floats(0.1, 1e5), st.floats(0.7, 1.6), st.floats(0.01, 0.4), st.sampled_from(WHENS))
@settings(deadline=None)
def test_homogeneous_in_requests_and_rising_in_growth(start: float, growth: float, more: float, when: When) -> None:
    low, high = demand(Demand(start, growth), 10, when=when), demand(Demand(start, growth + more), 10, when=when)
    assert low == pytest.approx(start * demand(Demand(1.0, growth), 10, when=when))
    assert np.all(high >= low)
    worked = Demand(start, growth, model=Model(1 + more, "sublinear"))
    assert np.all(demand(worked, 10, when=when) >= low)
    saved = Demand(start, growth, software_factor=1 + more)
    assert np.all(demand(saved, 10, when=when) <= low * (1 + 1e-12))


@pytest.mark.parametrize("when", WHENS)
def test_no_growth_is_constant_and_no_break_is_the_trend(when: When) -> None:
    assert np.all(demand(Demand(7.0), 6, 0.5, 2, when) == 7.0)
    trend = Demand(7.0, 1.2, model=Model(1.1))
    late = Demand(7.0, 1.2, model=Model(1.1), shock=Break(3.0, 50.0), contraction=Break(0.8, 50.0))
    assert demand(late, 6, when=when) == pytest.approx(demand(trend, 6, when=when))
    plateau = Demand(7.0, 1.2, shock=Break(1.0, 3.0))
    assert plateau.requests([3.0], ending=True) == pytest.approx(plateau.requests([3.0]))


def test_load_factor() -> None:
    assert load_factor([[1.0, 3.0], [2.0, 2.0]]) == pytest.approx([2 / 3, 1.0])


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50).filter(any), st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_load_factor_is_a_share_that_no_unit_moves(hours: list[float], scale: float) -> None:
    factor = float(load_factor(hours))
    assert 1 / len(hours) - 1e-12 <= factor <= 1 + 1e-12
    if max(hours) > 1e-200:
        assert load_factor(np.array(hours) * scale) == pytest.approx(factor)


REFUSED: list[tuple[Demand, dict[str, Any], str]] = [
    (Demand(-1.0), {}, "requests_per_s: -1 is negative"),
    (Demand(math.inf), {}, "requests_per_s: inf"),
    (Demand(1.0, -0.5), {}, "growth_factor: -0.5 is not a number above 0"),
    (Demand(1.0, np.array([1.1, math.nan])), {}, "growth_factor: nan"),
    (Demand(1.0, 1e20), {}, "growth_factor: grows or shrinks beyond the range"),
    (Demand(1.0, model=Model(0.0)), {}, "model.growth_factor: 0"),
    (Demand(1.0, model=Model(0.85, "linear")), {}, "model.growth_factor: work per request falls to nothing"),
    (Demand(1.0, model=Model(1.1, "sublinear", 0.0)), {}, "model.exponent: 0"),
    (Demand(1.0, model=Model(table=table((0, 1.0), (20, -1.0)))), {}, "model.table.values: -1"),
    (Demand(1.0, phases=Phases(0.0)), {}, "phases.input_factor: 0"),
    (Demand(1.0, phases=Phases(1.0, -1.0)), {}, "phases.output_factor: -1"),
    (Demand(1.0, phases=Phases(prefill_share=1.2)), {}, "phases.prefill_share: 1.2 is not between 0 and 1"),
    (Demand(1.0, software_factor=0.0), {}, "software_factor: 0"),
    (Demand(1.0, shock=Break(-3.0, 5.0)), {}, "shock.factor: -3"),
    (Demand(1.0, contraction=Break(0.8, -5.0)), {}, "contraction.year: -5 is negative"),
    (Demand(table=table((0, 1.0), (20, 0.0))), {}, "table.values: 0"),
    (Demand(table=table((0, 1.0), (0, 2.0))), {}, "table.years: must rise"),
    (Demand(table=Table(np.array([0.0]), np.array([1.0]))), {}, "table: needs two years or more"),
    (Demand(1.0), {"periods": 0}, "periods: 0 periods"),
    (Demand(1.0), {"dt_years": -1.0}, "dt_years: -1"),
    (Demand(1.0), {"classes": 3}, "classes: 3"),
]


@pytest.mark.parametrize(("path", "more", "text"), REFUSED, ids=[each[2][:40] for each in REFUSED])
def test_refused(path: Demand, more: dict[str, Any], text: str) -> None:
    asked: dict[str, Any] = {"periods": 10, "dt_years": 1.0, "classes": 1} | more
    with pytest.raises(FaultyNumbersError) as raised:
        demand(path, **asked)
    assert text in str(raised.value)
    assert len(raised.value.faults) == 1


def test_all_faults_are_named_at_once_and_shapes_refused() -> None:
    with pytest.raises(FaultyNumbersError, match=r"growth_factor: 0 .*; software_factor: -1 .*; shock.year: nan"):
        demand(Demand(1.0, 0.0, software_factor=-1.0, shock=Break(3.0, math.nan)), 5)
    for shape, text in (([], "no hours"), ([1.0, -1.0], "-1 is negative"), ([0.0, 0.0], "no hour above 0")):
        with pytest.raises(FaultyNumbersError, match=text):
            load_factor(shape)
