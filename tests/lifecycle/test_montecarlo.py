"""What is said of draws: closed forms, plain loops, and a fleet in many futures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aiplan.inputs.scenario import load_scenario
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.case import build_case
from aiplan.planners.lifecycle.inputs import LifecycleInputs
from aiplan.planners.lifecycle.montecarlo import cheaper, convergence, costs, cvar, paired, rows_of, spread
from aiplan.planners.lifecycle.policies import BASELINE, LAZY, POLICIES, fixed, skipping
from aiplan.planners.lifecycle.problem import Vintages
from aiplan.planners.lifecycle.risk import drawn_values
from aiplan.planners.lifecycle.shares import first_order
from aiplan.planners.lifecycle.simulate import outcome
from aiplan.planners.lifecycle.strategies import Study
from aiplan.planners.lifecycle.world import World
from aiplan.uncertainty.sampling import Sampler
from tests.lifecycle.golden import shipped
from tests.lifecycle.worlds import Setup, changed, reference_world, small_world

N = 20_000


samples = st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=40).map(np.array)


@given(samples)
def test_spread_is_numpys(usd: Array) -> None:
    found = spread(usd)
    assert found.mean == pytest.approx(usd.mean(axis=0), abs=1e-9)
    assert found.sd == pytest.approx(usd.std(axis=0, ddof=1), abs=1e-9)
    for name in ("p5", "p25", "p50", "p75", "p95"):
        assert getattr(found, name) == pytest.approx(np.quantile(usd, int(name[1:]) / 100, axis=0), abs=1e-9)
    assert found.standard_error == pytest.approx(found.sd / math.sqrt(len(usd)))
    assert (found.cvar >= found.p95 - 1e-9).all()


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40), st.floats(0.01, 1.0))
def test_the_mean_of_the_worst_by_minimising(values: list[float], tail: float) -> None:
    # Rockafellar and Uryasev 2000: CVaR = min over c of c + E[max(X - c, 0)]/tail, attained at one of the draws.
    x = np.array(values)
    want = min(c + np.maximum(x - c, 0.0).mean() / tail for c in values)
    assert float(cvar(x[:, None], tail)[0]) == pytest.approx(want, abs=1e-8)


def test_the_worst_five_of_a_hundred() -> None:
    assert float(cvar(np.arange(100.0))) == pytest.approx(97.0)
    assert float(cvar(np.arange(10.0))) == pytest.approx(9.0)  # less than one draw: the worst


@given(samples)
def test_cheaper_by_counting(usd: Array) -> None:
    found = cheaper(usd)
    for a in (0, 1):
        for b in (0, 1):
            assert found[a, b] == pytest.approx(sum(row[a] < row[b] for row in usd) / len(usd))
    ties = sum(row[0] == row[1] for row in usd) / len(usd)
    assert found[0, 1] + found[1, 0] + ties == pytest.approx(1.0)


def test_paired_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        common = rng.normal(0, 50, 200)
        usd = np.stack([common + rng.normal(0, 1, 200), common + 0.3 + rng.normal(0, 1, 200)], axis=1)
        found = paired(usd, 0)
        assert found.mean[0] == found.standard_error[0] == 0.0
        covered += bool(found.low[1] <= 0.3 <= found.high[1])
        assert found.standard_error[1] < 0.2  # common random numbers: the spread of 50 cancels
    assert 0.93 <= covered / 1000 <= 0.97


def test_convergence_is_not_claimed_below_four_thousand() -> None:
    rng = np.random.default_rng(0)
    usd = rng.normal(100, 10, 4000)
    assert convergence(usd[:3999]).state == "not tested"
    assert math.isnan(convergence(usd[:3999]).change)
    found = convergence(usd)
    assert found.state == "converged"
    running = [usd[:n].mean() for n in range(2000, 4001)]
    assert found.change == pytest.approx(max(abs(m - running[-1]) for m in running) / running[-1])
    late = np.where(np.arange(4000) == 1999, 4000.0, 1.0)  # what jumps is the mean of the first 2,000
    assert convergence(late).change == pytest.approx(abs(late[:2000].mean() / late.mean() - 1))
    wild = np.concatenate([usd, np.full(2000, 200.0)])
    assert convergence(wild).state == "not converged"


def test_a_spread_needs_numbers() -> None:
    with pytest.raises(ValueError, match="two draws"):
        spread(np.ones((1, 2)))
    with pytest.raises(ValueError, match="finite"):
        spread(np.array([[1.0], [np.inf]]))


def test_shares_of_a_sum_of_independent_inputs() -> None:
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=N) for name in "abc"}
    usd = 3 * inputs["a"] + 2 * inputs["b"] + 0 * inputs["c"] + 5
    for correlated, method in (((), "regression"), ("abc", "bins")):
        found = first_order(inputs, usd, correlated)
        for name, want in (("a", 9 / 13), ("b", 4 / 13), ("c", 0.0)):
            assert found[name].fraction == pytest.approx(want, abs=0.02)
            assert found[name].method == method


def test_bins_see_what_a_line_does_not() -> None:
    rng = np.random.default_rng(0)
    inputs = {"a": rng.normal(size=N), "b": rng.integers(4, 7, N).astype(float)}
    usd = inputs["a"] ** 2 + 0.1 * inputs["b"]
    assert first_order(inputs, usd)["a"].fraction < 0.01
    assert first_order(inputs, usd, ("a",))["a"].fraction > 0.95


def test_bins_find_nothing_where_there_is_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [first_order({"a": rng.normal(size=500)}, rng.normal(size=500), ("a",))["a"].fraction for _ in range(200)]
    assert abs(np.mean(found)) < 0.004  # ten bins alone would show 9/499


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.4])
def test_shares_of_correlated_inputs(rho: float) -> None:
    # X1 + X2 of correlation rho: E[sum | X1] = (1 + rho) X1, so the share is (1 + rho)^2/(2 + 2 rho) = (1 + rho)/2.
    rng = np.random.default_rng(1)
    first = rng.normal(size=N)
    inputs = {"a": first, "b": rho * first + math.sqrt(1 - rho**2) * rng.normal(size=N)}
    found = first_order(inputs, inputs["a"] + inputs["b"], ("a", "b"))
    for name in inputs:
        assert found[name].fraction == pytest.approx((1 + rho) / 2, abs=0.02)


def test_shares_agree_with_sobol() -> None:
    from aiplan.uncertainty.bounded import Uniform
    from aiplan.uncertainty.sensitivity import sobol_indices

    kinds = {"a": Uniform(0, 1), "b": Uniform(0, 2), "c": Uniform(1, 2)}

    def model(x: Any) -> Array:
        return np.asarray(x["a"] + x["b"] * x["c"])

    sobol = sobol_indices(model, kinds, n=4096)
    sampler = Sampler(0, N)
    inputs = {name: np.asarray(sampler.draw(name, kind)) for name, kind in kinds.items()}
    for how in ((), tuple(kinds)):
        found = first_order(inputs, model(inputs), how)
        for name in kinds:
            assert found[name].fraction == pytest.approx(sobol[name].first, abs=0.03)


def test_shares_of_what_does_not_vary() -> None:
    rng = np.random.default_rng(0)
    found = first_order({"a": rng.normal(size=100), "b": np.ones(100)}, np.ones(100), ("b",))
    assert [one.fraction for one in found.values()] == [0.0, 0.0]
    with pytest.raises(ValueError, match="not among"):
        first_order({"a": np.ones(9)}, np.ones(9), ("z",))
    with pytest.raises(ValueError, match="more draws"):
        first_order({"a": np.ones(2)}, np.ones(2))


INPUTS = ("demand growth", "gain", "price", "interval", "electricity", "pue", "life")


def futures(n: int, only: tuple[str, ...] = INPUTS, seed: int = 0, median: float = 1.15) -> tuple[World, Array]:
    """The forward set-up with inputs drawn, and lives by draw; those not named at their middle.

    Spreads of Stojkovic et al. 2026, Table IV (published); demand, price and PUE about the set-up's own.
    """
    base = reference_world(Setup(accounting="finance", rate=0.08, resale=True, afr=0.04, ageing=0.05))
    rng, years = np.random.default_rng(seed), np.arange(15)
    size = (n, len(base.generations.names))

    def drawn(name: str, values: Array, middle: float) -> Array:
        return values if name in only else np.full(n, middle)

    gain = rng.normal(0.0, 1.0, size)
    dear = -0.5 * gain + math.sqrt(0.75) * rng.normal(0.0, 1.0, size)
    change = stats.triang.ppf(stats.norm.cdf(dear), 0.15 / 0.35, loc=-0.15, scale=0.35)
    growth = drawn("demand growth", median * np.exp(rng.normal(0.0, 0.05, n)), median)
    interval = drawn("interval", rng.choice([1.0, 1.5, 2.0], n), 1.5)
    power = drawn("electricity", 0.06 * np.exp(rng.normal(0.0, 0.15, n)), 0.06)
    pue = drawn("pue", np.maximum(rng.normal(1.3, 0.05, n), 1.02), 1.3)
    life = drawn("life", rng.choice([4.0, 5.0, 6.0], n), 5.0)
    later = np.cumsum(base.generations.available_years > 0)
    came = np.where(later > 0, 0.75 + (later - 1) * interval[:, None], base.generations.available_years)
    better = np.cumprod(np.where(later > 0, (1.25 + 0.025 * gain) / 1.25, 1.0), axis=-1) ** float("gain" in only)
    dearer = np.where(later > 0, 1.0 + change, 1.0) ** float("price" in only)
    world = changed(
        base, available_years=came, last_sale_years=came + 4.0,
        capacity_per_s=base.generations.capacity_per_s * better[..., None],
        price_usd=base.generations.price_usd * dearer[..., None],
        demand_per_s=(300.0 * growth[:, None] ** years * (1 + 0.1 * years))[..., None],
        energy_usd_per_kwh=np.repeat(power[:, None], 15, axis=1), pue_mean=pue,
    )  # fmt: skip
    return world, life


def test_draws_of_a_shipped_scenario_follow_table_iv() -> None:
    """Stojkovic et al. 2026, Table IV (published): correlations, prices and intervals of generations."""
    inputs = load_scenario("lifecycle-2026", LifecycleInputs, [], "tco").inputs
    drawn = drawn_values(Study.of(build_case(inputs, shipped())), 4000)
    numbers = [name.rsplit(".", 1)[1] for name in drawn if name.startswith("roadmap.gain_factor.")]
    gain, price = (np.stack([drawn[f"roadmap.{name}_factor.{number}"] for number in numbers])
                   for name in ("gain", "price"))  # fmt: skip
    assert len(gain) >= 5

    def rank(one: Array, other: Array) -> float:
        return float(stats.spearmanr(one, other).statistic)

    for g in range(len(gain)):
        # Rank correlation of a Gaussian copula: 6/pi asin(rho/2). A generation's own gain and price, no other's.
        assert rank(gain[g], price[g]) == pytest.approx(-6 / math.pi * math.asin(0.25), abs=0.06)
        assert abs(rank(gain[g], price[g - 1])) < 0.07
        assert abs(rank(gain[g], gain[g - 1])) < 0.07
        assert stats.kstest(price[g], stats.triang(c=0.15 / 0.35, loc=0.85, scale=0.35).cdf).pvalue > 1e-4
    growth = drawn["demand.growth_fraction"], drawn["demand.model_growth_fraction"]
    assert rank(*growth) == pytest.approx(6 / math.pi * math.asin(0.2), abs=0.06)
    values, counts = np.unique(drawn["roadmap.interval_years"], return_counts=True)
    assert values.tolist() == [1.0, 1.5, 2.0]
    assert counts / 4000 == pytest.approx([1 / 3] * 3, abs=0.03)
    assert np.log1p(growth[0]).std() == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_moves_the_cost(name: str) -> None:
    world, life = futures(40, (name,))
    found = costs(world, [fixed(life, "drawn")], 40)
    assert found.usd.std() > 1e-5 * found.usd.mean()
    still, life = futures(40, ())
    assert np.ptp(costs(still, [fixed(life, "drawn")], 40).usd) == pytest.approx(0.0, abs=1.0)


def test_chunks_make_no_difference() -> None:
    world, life = futures(37)
    policies = [fixed(life, "drawn"), skipping(0), LAZY]
    owned = Vintages(np.array([0, 1]), np.array([-2, -1]), np.linspace(5.0, 10.0, 74).reshape(37, 2), np.full(2, 2e5))
    whole, parts = costs(world, policies, 37, owned), costs(world, policies, 37, owned, chunk=10)
    np.testing.assert_allclose(whole.usd, parts.usd, rtol=1e-12)
    assert (whole.feasible == parts.feasible).all()
    assert whole.names == ("drawn", "every-generation", "lazy")
    one = rows_of(world, slice(5, 6), 37)
    alone = outcome(
        one, fixed(float(life[5])), Vintages(owned.generation, owned.bought, owned.owned[5], owned.paid_usd)
    )
    assert float(alone.money.total()[0]) == pytest.approx(whole.usd[5, 0], rel=1e-12)


def test_draws_must_be_the_one_leading_axis() -> None:
    with pytest.raises(ValueError, match="one leading axis"):
        costs(changed(small_world(), pue_mean=np.full(3, 1.2)), [BASELINE], 4)


def test_a_fleet_in_many_futures() -> None:
    # Reference section 7: coefficients of variation .65 with growth of median 1.15 and .39 with 1.05, from a linear
    # programme in draws of another set-up; here they need only lie in .2 to .8, and in that order.
    policies = [fixed(3.0), BASELINE, skipping(0)]
    found = {median: costs(futures(1000, median=median)[0], policies, 1000) for median in (1.05, 1.15)}
    cv = {median: spread(one.usd).cv[1] for median, one in found.items()}
    assert 0.2 < cv[1.05] < cv[1.15] < 0.8
    usd = found[1.15].usd
    wins = cheaper(usd)
    assert wins[1, 2] > 0.99  # replacing on every generation is dearer in nearly every future
    assert wins[1, 0] > 0.5
    assert paired(usd, 1).low[2] > 0
    assert convergence(usd[:, 1]).state == "not tested"


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_costs(seed: int) -> None:
    pair = [costs(futures(8, seed=seed)[0], POLICIES[:2], 8).usd for _ in range(2)]
    assert (pair[0] == pair[1]).all()
