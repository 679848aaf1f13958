"""Roadmaps: the reference's set-ups by hand, loops as second method, breaks, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.roadmap import FIELDS, Form, Known, Roadmap, Trend, price_usd, project
from aiplan.planners.lifecycle.roadmap_breaks import capability_shock, on_trend, price_shock
from aiplan.planners.lifecycle.roadmap_faults import FaultyNumbersError
from aiplan.planners.lifecycle.roadmap_fit import fit_trend

# Set-up of table 6.2 of the lifecycle reference [assumed there]: release; k$; kW; dense TF and TB/s per GPU, 8 GPUs.
LIST = {"P100": (2016.0, 90, 3.2, 21.2, 0.732), "V100": (2018.0, 149, 3.5, 125, 0.9),
        "A100": (2021.25, 200, 6.5, 312, 2.04), "H100": (2023.75, 375, 10.2, 989, 3.35),
        "H200": (2024.75, 400, 10.2, 989, 4.8), "B200": (2025.75, 500, 14.3, 2250, 8.0)}  # fmt: skip


def listed(*names: str) -> Known:
    rows = np.array([LIST[name] for name in names]).T
    ones = np.ones(len(names))
    return Known(names, rows[0], rows[1] * 1e3, rows[2] * 1e3, 8e12 * rows[3], 8e12 * rows[4], ones, ones)


ALL, FORWARD = listed(*LIST), listed("A100", "H100", "H200", "B200")


def trend(interval: Any = 1.0, flops: Any = 1.35, bandwidth: Any = 1.25, price: Any = 1.12, power: Any = 1.12,
          **more: Any) -> Trend:  # fmt: skip
    return Trend(interval, flops, bandwidth, more.pop("memory", 1.0), more.pop("link", 1.0), power, price, **more)


def forward(**more: Any) -> Roadmap:
    return project(FORWARD, trend(**more), 0.0, 4.0, 2025.0, 2040.0)


def test_forward_roadmap_of_table_6_2() -> None:
    roadmap = forward()
    assert roadmap.names[3:6] == ("B200", "projected-1", "projected-2")
    assert len(roadmap.names) == 4 + 14  # 2026.75 to 2039.75
    assert roadmap.release_years[-1] == 2039.75
    assert roadmap.base.tolist() == [0, 1, 2] + [3] * 15
    assert roadmap.projected.tolist() == [False] * 4 + [True] * 14
    first, second = ([roadmap.values(FORWARD, name)[place] for name in ("flops", "bandwidth", "price", "power")]
                     for place in (4, 5))  # fmt: skip
    assert first == pytest.approx([8 * 3037.5e12, 8 * 10e12, 560e3, 16_016])
    assert second == pytest.approx([8 * 4100.625e12, 8 * 12.5e12, 627.2e3, 17_937.92])
    assert roadmap.flops[-1] == pytest.approx(1.35**14)
    assert roadmap.values(FORWARD, "price")[:4].tolist() == [200e3, 375e3, 400e3, 500e3]
    assert roadmap.last_sale_years[4] == 2030.75


@pytest.mark.parametrize(
    ("flops", "bandwidth", "price", "power", "tf", "tb", "kusd", "kw"),
    [(1.2, 1.15, 1.1, 1.1, 2700, 9.2, 550, 15.73), (1.6, 1.4, 1.12, 1.12, 3600, 11.2, 560, 16.016)],
)
def test_slow_and_fast_roadmaps_of_table_6_2(
    flops: float, bandwidth: float, price: float, power: float, tf: float, tb: float, kusd: float, kw: float
) -> None:
    roadmap = forward(flops=flops, bandwidth=bandwidth, price=price, power=power)
    got = [roadmap.values(FORWARD, name)[4] for name in ("flops", "bandwidth", "price", "power")]
    assert got == pytest.approx([8e12 * tf, 8e12 * tb, 1e3 * kusd, 1e3 * kw])


def test_historical_roadmap_of_table_6_2_goes_on_along_lines_floored_at_half() -> None:
    roadmap = project(ALL, fit_trend(ALL, "linear", interval_years=1.0), 0.0, 4.0, 2016.0, 2031.0)
    assert roadmap.names == (*LIST, *(f"projected-{number}" for number in range(1, 6)))
    # By hand: slope 13979.383 / 76.20833 = 183.4364 TF/year through 781.0333 TF at 2021.58333.
    assert roadmap.values(ALL, "flops")[6:8] / 8e12 == pytest.approx([1728.788, 1912.224], abs=2e-3)
    # Price: slope 3059.417 / 76.20833 = 40.14544 k$/year through 285.6667 k$.
    assert roadmap.values(ALL, "price")[6] / 1e3 == pytest.approx(493.085, abs=2e-3)
    for name, of_known in FIELDS.items():
        values = getattr(ALL, of_known)
        lined = np.polyval(np.polyfit(ALL.release_years - 2020, values, 1), roadmap.release_years[6:] - 2020)
        assert roadmap.values(ALL, name)[6:] == pytest.approx(np.maximum(lined, values[-1] / 2), rel=1e-9), name


def test_floor_holds_a_line_that_starts_below_half_of_the_last_value() -> None:
    steep = replace(ALL, flops=np.array([1.0, 1.0, 1.0, 1.0, 1.0, 100.0]))
    roadmap = project(steep, fit_trend(steep, "linear", interval_years=1.0), 0.0, 4.0, 2025.0, 2027.0)
    assert roadmap.values(steep, "flops")[-1] == 50.0


def test_exponential_fit_is_a_line_through_logarithms_and_goes_on_from_the_last_generation() -> None:
    fitted = fit_trend(ALL, "exponential")
    slope = np.polyfit(ALL.release_years - 2020, np.log(ALL.flops), 1)[0]
    assert fitted.flops == pytest.approx(math.exp(slope), rel=1e-9)
    assert fitted.interval_years == pytest.approx(9.75 / 5)
    roadmap = project(ALL, fitted, 0.0, 4.0, 2026.0, 2030.0)
    assert roadmap.flops[6] == pytest.approx(math.exp(slope * 1.95))


@given(st.floats(0.6, 2.5), st.sampled_from(["exponential", "linear"]), st.integers(2, 6))
@settings(deadline=None)
def test_fit_finds_a_trend_that_is_there_and_looks_no_further_than_told(growth: float, form: Form, seen: int) -> None:
    years = np.arange(6.0) * 1.5 + 2016
    after = years - years[-1]
    values = growth**after if form == "exponential" else 20 + (growth - 1) * after
    later = np.where(np.arange(6) < seen, values, values * 7)
    later[-1] = values[-1]  # the trend goes on from here; everything between is hidden
    known = Known(tuple("abcdef"), years, values, values, later, values, values, values)
    fitted = fit_trend(known, form, until_year=years[seen - 1])
    expected = growth if form == "exponential" else 1 + (growth - 1) / 20
    assert fitted.flops == pytest.approx(expected, rel=1e-6)
    assert fitted.factor("flops", np.array([3.0]))[0] == pytest.approx(
        growth**3 if form == "exponential" else max(0.5, 1 + (growth - 1) * 3 / 20), rel=1e-6
    )


def looped(known: Known, one: dict[str, float], delay: float, sale: float, end: float) -> list[dict[str, float]]:
    """Generations of one draw that are released by the end, one after the other."""
    found = [dict.fromkeys(FIELDS, 1.0) | {"release": year, "base": place}
             for place, year in enumerate(known.release_years)]  # fmt: skip
    number = 1
    while (year := known.release_years[-1] + number * one["interval"]) <= end:
        found.append({name: one[name] ** (number * one["interval"]) for name in FIELDS}
                     | {"release": year, "base": len(known.names) - 1})  # fmt: skip
        number += 1
    for generation in found:
        generation["available"] = generation["release"] + delay
        generation["last_sale"] = generation["available"] + sale
    return found


@given(st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0]), min_size=1, max_size=4), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_draws_equal_a_loop_over_draws_and_generations(intervals: list[float], seed: int) -> None:
    rng, draws = np.random.Generator(np.random.PCG64(seed)), len(intervals)
    growth: dict[str, Any] = {name: rng.uniform(0.8, 1.6, draws) for name in FIELDS}
    delay, end = rng.uniform(0, 1, draws), float(rng.integers(2020, 2045))
    roadmap = project(FORWARD, Trend(np.array(intervals), **growth), delay, 4.0, 2019.0, end)
    prices = price_usd(roadmap, FORWARD, [2026.0, 2033.5], -0.1)
    for draw, interval in enumerate(intervals):
        one = {name: growth[name][draw] for name in FIELDS} | {"interval": interval}
        expected = looped(FORWARD, one, delay[draw], 4.0, end)
        for place, generation in enumerate(expected):
            assert roadmap.release_years[draw, place] == pytest.approx(generation["release"])
            assert roadmap.available_years[draw, place] == pytest.approx(generation["available"])
            assert roadmap.last_sale_years[draw, place] == pytest.approx(generation["last_sale"])
            assert roadmap.base[place] == generation["base"]
            for name in FIELDS:
                assert getattr(roadmap, name)[draw, place] == pytest.approx(generation[name])
            base_price = FORWARD.price_usd[int(generation["base"])] * generation["price"]
            for column, year in enumerate((2026.0, 2033.5)):
                aged = 0.9 ** max(0.0, year - generation["available"])
                assert prices[draw, place, column] == pytest.approx(base_price * aged)
        assert np.all(roadmap.release_years[draw, len(expected) :] > end + 900)
    assert np.all(np.isfinite(prices))


def test_shape_follows_what_is_drawn_and_count_the_shortest_interval() -> None:
    assert forward().flops.shape == (18,)
    drawn = forward(interval=np.array([1.0, 2.0, 1.5]))
    assert drawn.flops.shape == drawn.release_years.shape == drawn.price.shape == (3, 18)
    assert (drawn.release_years <= 2040).sum(axis=1).tolist() == [18, 11, 13]
    # Growth is per year, so a longer interval leaves the path where it was.
    assert drawn.flops[1, 5] == pytest.approx(drawn.flops[0, 7])
    assert project(FORWARD, trend(), np.array([0.5, 1.0]), 4.0, 2025.0, 2040.0).available_years.shape == (2, 18)
    assert price_usd(drawn, FORWARD, np.arange(2025.0, 2040.0), np.array([0.0, -0.1, 0.05])).shape == (3, 18, 15)


def test_last_year_of_the_trend_ends_releases_draw_by_draw() -> None:
    roadmap = forward(last_year=np.array([2030.0, 2035.0, math.inf]))
    assert (roadmap.release_years <= 2040).sum(axis=1).tolist() == [8, 13, 18]
    assert np.all(np.diff(roadmap.release_years) > 0)
    assert project(FORWARD, trend(), 0.0, math.inf, 2020.0, 2025.0).names == FORWARD.names


def test_generations_never_reached_keep_the_numbers_of_the_last_year() -> None:
    roadmap = forward(interval=np.array([1.0, 60.0]))
    assert roadmap.flops[1, 4:] == pytest.approx(1.35**14.25)
    extreme = forward(interval=np.array([0.5, 90.0]), flops=1e6)
    assert np.all(np.isfinite(extreme.flops))


@pytest.mark.parametrize("interval", [0.05, 0.1, 0.15, 0.7])
@pytest.mark.parametrize("count", [3, 7, 12])
def test_generation_on_the_last_day_counts_whatever_the_rounding(interval: float, count: int) -> None:
    for end in (2025.75 + count * interval, sum([interval] * count, 2025.75), round(2025.75 + count * interval, 6)):
        roadmap = project(FORWARD, trend(interval=interval), 0.0, 4.0, 2025.0, end)
        assert len(roadmap.names) == 4 + count
        assert roadmap.release_years[-1] == pytest.approx(end)


@pytest.mark.parametrize("interval", [0.05, 0.1, 0.15, 0.7])
def test_generation_released_at_the_break_comes_after_it_whatever_the_rounding(interval: float) -> None:
    roadmap = project(FORWARD, trend(interval=interval), 0.0, 4.0, 2025.0, 2035.0)
    for number in (3, 7, 11):
        year = sum([interval] * number, 2025.75)
        up = capability_shock(roadmap.release_years, roadmap.flops, 3.0, year, 0.05)
        assert up[2 + number : 5 + number] == pytest.approx([1.0, 3.0, 3 * (1 + 0.05 * interval) / 1.35**interval])
        down = price_shock(roadmap.release_years, roadmap.price, 0.6, year, 0.1)
        assert down[2 + number : 4 + number] == pytest.approx([1.0, 0.6])


def test_zero_growth_repeats_the_last_generation() -> None:
    for form in ("exponential", "linear"):
        roadmap = forward(flops=1.0, bandwidth=1.0, price=1.0, power=1.0, form=form)
        assert all(np.all(getattr(roadmap, name) == 1.0) for name in FIELDS)


def test_linear_and_exponential_meet_after_a_year() -> None:
    lines, powers = forward(form="linear"), forward()
    assert lines.flops[4] == pytest.approx(powers.flops[4])
    assert lines.flops[17] == pytest.approx(1 + 0.35 * 14)


@given(st.floats(0.5, 2.0), st.floats(0.01, 0.5), st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_more_growth_is_more_and_money_scales(growth: float, more: float, scale: float) -> None:
    low, high = forward(flops=growth), forward(flops=growth + more)
    assert np.all(high.flops[4:] > low.flops[4:])
    rich = replace(FORWARD, price_usd=FORWARD.price_usd * scale)
    years = np.arange(2025.0, 2040.0)
    assert price_usd(low, rich, years, -0.05) == pytest.approx(scale * price_usd(low, FORWARD, years, -0.05))


@given(st.floats(-0.5, 0.0), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
@settings(deadline=None)
def test_price_falls_from_availability_on(change: float, one: float, other: float) -> None:
    roadmap = project(FORWARD, trend(), 0.5, 4.0, 2025.0, 2040.0)
    early, late = sorted((2026.0 + one, 2026.0 + other))
    prices = price_usd(roadmap, FORWARD, [2000.0, early, late], change)
    assert prices[:, 0] == pytest.approx(roadmap.values(FORWARD, "price"))
    assert np.all(prices[:, 2] <= prices[:, 1] * (1 + 1e-12))


def test_price_by_hand() -> None:
    roadmap = project(FORWARD, trend(), 0.25, 4.0, 2025.0, 2040.0)
    # B200: sold from 2026.0 at 500 k$, two years later at 10 % less a year.
    assert price_usd(roadmap, FORWARD, [2028.0], -0.1)[3, 0] == pytest.approx(405e3)
    with pytest.raises(ValueError, match="above -1"):
        price_usd(roadmap, FORWARD, [2028.0], -1.0)


def test_capability_shock_by_hand() -> None:
    roadmap = forward()
    factor = capability_shock(roadmap.release_years, roadmap.values(FORWARD, "flops"), 3.0, 2030.0, 0.05)
    assert np.all(factor[:8] == 1.0)  # until 2029.75
    # P(2030) is 0.25 years past 2029.75, and 2030.75 is 0.75 years after the break.
    assert factor[8] == pytest.approx(3 * 1.0375 / 1.35**0.75)
    assert factor[12] == pytest.approx(3 * (1 + 0.05 * 4.75) / 1.35**4.75)
    assert factor[12] < 1  # as published, the line after the jump is overtaken by a trend of 35 % a year
    kept = capability_shock(roadmap.release_years, roadmap.flops, 3.0, 2030.0, 0.05, at_least_trend=True)
    assert kept == pytest.approx(np.maximum(factor, 1.0))


def test_price_shock_by_hand_and_capped_at_the_projection() -> None:
    roadmap = forward()
    prices = roadmap.values(FORWARD, "price")
    factor = price_shock(roadmap.release_years, prices, 0.6, 2030.0, 0.1)
    assert np.all(factor[:8] == 1.0)
    assert factor[8] == pytest.approx(0.6 * 1.075 / 1.12**0.75)
    flat = price_shock(roadmap.release_years, np.full(18, 5e5), 0.6, 2030.0, 0.1)
    assert flat[8:] == pytest.approx(np.minimum(1.0, 0.6 * (1 + 0.1 * (roadmap.release_years[8:] - 2030))))
    assert flat[-1] == pytest.approx(1.0)
    assert flat[10] < 1
    assert np.all(factor <= 1.0)


@given(st.floats(0.2, 5.0), st.floats(2026.0, 2039.0), st.floats(0.0, 0.5), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_breaks_equal_a_loop(jump: float, year: float, slope: float, seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    roadmap = forward(interval=np.array([1.0, 1.5, 2.0]))
    capacity = roadmap.values(FORWARD, "flops") * np.cumprod(rng.uniform(0.8, 1.2, (3, 18)), axis=-1)
    years = roadmap.release_years
    up = capability_shock(years, capacity, jump, year, slope)
    down = price_shock(years, capacity, jump, year, slope)
    for draw in range(3):
        at_break = math.exp(np.interp(year, years[draw], np.log(capacity[draw])))
        assert on_trend(years, capacity, year)[draw] == pytest.approx(at_break)
        for place, release in enumerate(years[draw]):
            line = jump * at_break * (1 + slope * (release - year)) / capacity[draw, place]
            assert up[draw, place] == pytest.approx(line if release >= year else 1.0)
            assert down[draw, place] == pytest.approx(min(line, 1.0) if release >= year else 1.0)


def test_break_without_jump_is_continuous_and_broadcasts_over_draws_and_classes() -> None:
    roadmap = forward()
    for shock in (capability_shock, price_shock):
        assert shock(roadmap.release_years, roadmap.flops, 1.0, 2030.75, 0.1)[8] == pytest.approx(1.0)
    classes = np.stack([roadmap.flops, roadmap.bandwidth])  # (W, G)
    both = capability_shock(roadmap.release_years, classes, 3.0, 2030.0, 0.05)
    for row in (0, 1):
        assert both[row] == pytest.approx(capability_shock(roadmap.release_years, classes[row], 3.0, 2030.0, 0.05))
    drawn = price_shock(roadmap.release_years, roadmap.price, np.array([0.6, 1.0]), np.array([2028.0, 2099.0]), 0.1)
    assert drawn.shape == (2, 18)
    assert np.all(drawn[1] == 1.0)
    assert capability_shock([2020.0], [2.0], 3.0, 2019.0, 0.0) == pytest.approx([3.0])


@pytest.mark.parametrize(("gamma", "slope", "text"), [(0.0, 0.1, "gamma"), (2.0, -0.1, "epsilon_per_year: -0.1")])
def test_breaks_refuse_negative_numbers(gamma: float, slope: float, text: str) -> None:
    with pytest.raises(FaultyNumbersError, match=text):
        capability_shock([2020.0, 2021.0], [1.0, 2.0], gamma, 2020.5, slope)
    with pytest.raises(FaultyNumbersError, match=r"delta: 0|eta_per_year: -0.1"):
        price_shock([2020.0, 2021.0], [1.0, 2.0], gamma, 2020.5, slope)


def altered(**more: Any) -> Known:
    return replace(FORWARD, **more)


REFUSED: list[tuple[Known, Trend, dict[str, Any], str]] = [
    (altered(names=("A100", "H100", "H100", "B200")), trend(), {}, "'H100' stands there twice: generations overlap"),
    (altered(names=("A100", "projected-1", "H200", "B200")), trend(), {}, "a name that projected generations"),
    (altered(release_years=np.array([2021.0, 2023.0, 2023.0, 2025.0])), trend(), {}, "'H100' and 'H200' overlap"),
    (altered(release_years=np.array([2021.0, 2024.0, 2023.0, 2025.0])), trend(), {}, "not in order of release"),
    (altered(release_years=np.array([2021.0, math.nan, 2024.0, 2025.0])), trend(), {}, "release_years: nan"),
    (altered(price_usd=-FORWARD.price_usd), trend(), {}, "price_usd: -200000 is not a number above 0"),
    (altered(flops=np.ones(3)), trend(), {}, "flops: needs 4 numbers"),
    (FORWARD.until(2000.0), trend(), {}, "no known generation"),
    (FORWARD, trend(flops=0.0), {}, "flops: 0 is not a number above 0"),
    (FORWARD, trend(price=np.array([1.1, -1.1])), {}, "price: -1.1"),
    (FORWARD, trend(flops=-0.5, form="linear"), {}, "flops: -0.5"),
    (FORWARD, trend(interval=-1.0), {}, "interval_years: -1"),
    (FORWARD, trend(interval=np.array([1.0, math.nan])), {}, "interval_years: nan"),
    (FORWARD, trend(last_year=math.nan), {}, "last_year: is no number"),
    (FORWARD, trend(levels={"speed": 1.0}), {}, "'speed' follows no trend"),
    (FORWARD, trend(levels={"flops": 0.0}), {}, "levels.flops: 0"),
    (FORWARD, trend(levels={"flops": math.inf}, form="linear"), {}, "levels.flops: inf"),
    (FORWARD, trend(), {"delay_years": -0.5}, "delay_years: -0.5 is negative"),
    (FORWARD, trend(), {"sale_years": math.nan}, "sale_years: nan"),
    (FORWARD, trend(), {"end_year": 2025.0}, "is not after the start"),
    (FORWARD, trend(), {"end_year": math.inf}, "end_year: inf is no finite number"),
    (FORWARD, trend(), {"end_year": 2125.5}, "end_year: unbounded roadmap: 2125.5 is more than 100 years"),
    (FORWARD, trend(interval=0.01), {}, "interval_years: unbounded roadmap: one generation every 0.01 years"),
    (FORWARD, trend(flops=1e30), {}, "flops: unbounded roadmap: this growth leaves"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "path", "more", "text"), REFUSED, ids=[each[3][:40] for each in REFUSED])
def test_refused(known: Known, path: Trend, more: dict[str, Any], text: str) -> None:
    asked = {"delay_years": 0.0, "sale_years": 4.0, "start_year": 2025.0, "end_year": 2040.0} | more
    with pytest.raises(FaultyNumbersError) as raised:
        project(known, path, **asked)
    assert text in str(raised.value)
    assert len(raised.value.faults) == 1


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(FaultyNumbersError) as raised:
        project(altered(names=("A", "A", "B", "C"), rated_w=np.zeros(4)), trend(flops=-1.0), -1.0, -2.0, 2025.0, 2040.0)
    assert [fault.field for fault in raised.value.faults] == [
        "rated_w", "names", "flops", "delay_years", "sale_years",
    ]  # fmt: skip


def test_fits_that_mean_nothing_are_refused() -> None:
    with pytest.raises(FaultyNumbersError, match="needs two generations, 1 released"):
        fit_trend(FORWARD, "linear", until_year=2022.0)
    with pytest.raises(FaultyNumbersError, match="flops: a line through its values falls"):
        fit_trend(altered(flops=np.array([1e6, 1e5, 1e3, 1.0])), "linear")


def test_known_until_a_year() -> None:
    assert FORWARD.until(2024.75).names == ("A100", "H100", "H200")
    early: Array = FORWARD.until(2024.0).price_usd
    assert early.tolist() == [200e3, 375e3]
