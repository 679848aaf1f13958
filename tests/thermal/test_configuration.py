"""Configurations of SaaS VMs and pools of instances: brute force, limits, traps."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.thermal.configuration import (
    STOPPED,
    ConfigurationProblem,
    Configurations,
    Configured,
    airflow_of_power_cfm,
    heat_allows,
    latency_allows,
    lost_seconds,
)
from aiplan.planners.thermal.configuration_search import configure
from aiplan.planners.thermal.hall import equal_hall

# Directions as in section 4 of the reference; the numbers are made up.
TABLE = Configurations(
    ("full", "full, slow", "8 bit", "small", "small, slow", "TP 2"), np.array([0, 0, 1, 2, 2, 3]),
    np.array([1000.0, 800, 1100, 1800, 1500, 600]), np.array([6000.0, 4800, 5600, 4200, 3500, 3000]),
    np.array([380.0, 300, 360, 280, 240, 395]), np.array([800.0, 650, 760, 600, 520, 480]),
    np.array([1.0, 1, 0.99, 0.9, 0.9, 1]), np.array([200.0, 260, 180, 100, 130, 300]),
    np.array([20.0, 25, 18, 10, 13, 40]),
)  # fmt: skip


def case(
    seed: int, count: int, rows: int, endpoints: int, budget: float = 0.7, demand: float = 0.8
) -> ConfigurationProblem:
    chance = np.random.default_rng(seed)
    row, endpoint = chance.integers(0, rows, count), chance.integers(0, endpoints, count)
    held = np.bincount(row, minlength=rows)
    aisle = np.arange(rows) // 2
    return ConfigurationProblem(
        TABLE, endpoint, row, np.zeros(count, dtype=np.int64),
        np.bincount(endpoint, minlength=endpoints) * 1000.0 * demand * chance.uniform(0.8, 1.3, endpoints),
        np.full(endpoints, 400.0), np.full(endpoints, 50.0), chance.uniform(25, 42, count), 0.11, 80.0, held * 1000.0,
        held * (1000 + 6000.0 * budget) * chance.uniform(0.9, 1.1, rows), aisle, np.zeros(aisle[-1] + 1),
        np.bincount(aisle, weights=held) * 780.0, stopped_w=1600.0, stopped_cfm=300.0,
    )  # fmt: skip


def allowed(problem: ConfigurationProblem, choice: tuple[int, ...]) -> bool:
    """Every limit, one VM at a time."""
    power, air = problem.fixed_w.copy(), problem.fixed_cfm.copy()
    idle = problem.fixed_w + np.bincount(problem.row, minlength=power.size) * problem.stopped_w
    for i, c in enumerate(choice):
        r = problem.row[i]
        power[r] += problem.stopped_w if c == STOPPED else TABLE.server_w[c]
        air[problem.aisle_of_row[r]] += problem.stopped_cfm if c == STOPPED else TABLE.airflow_cfm[c]
        if c != STOPPED:
            e = problem.endpoint[i]
            if TABLE.ttft_ms[c] > problem.ttft_limit_ms[e] or TABLE.tpot_ms[c] > problem.tpot_limit_ms[e]:
                return False
            if problem.base_c[i] + 0.11 * TABLE.gpu_w_max[c] > problem.limit_c:
                return False
    return bool((power <= np.maximum(problem.budget_w, idle) + 1e-6).all() and (air <= problem.supply_cfm + 1e-6).all())


def stages(problem: ConfigurationProblem, choice: tuple[int, ...]) -> tuple[float, ...]:
    count = len(choice)
    tokens = [0.0 if c == STOPPED else float(TABLE.tokens_s[c]) for c in choice]
    unmet = sum(
        max(0.0, float(problem.demand_tokens_s[e]) - sum(t for i, t in enumerate(tokens) if problem.endpoint[i] == e))
        for e in range(problem.demand_tokens_s.size)
    )
    quality = sum(0.0 if c == STOPPED else 1 - float(TABLE.quality[c]) for c in choice) / count
    # From configuration 0: nothing lost by staying or stopping, 0.1 s by frequency, 60 s by loading, of 1800 s.
    lost = {0: 0.0, STOPPED: 0.0, 1: 0.1}
    slow = sum(1 - t / 1800.0 + lost.get(c, 60.0) / 1800.0 for c, t in zip(choice, tokens, strict=True)) / count
    power = sum(problem.stopped_w if c == STOPPED else float(TABLE.server_w[c]) for c in choice)
    return round(unmet, 4), round(quality, 7), round(slow, 7), round(power, 3)


@pytest.mark.parametrize("seed", range(6))
def test_exact_is_the_best_of_all_choices(seed: int) -> None:
    problem = case(seed, 4, 2, 2, budget=0.3 + 0.1 * seed)
    best = min(
        stages(problem, choice) for choice in itertools.product(range(-1, 6), repeat=4) if allowed(problem, choice)
    )
    plan = configure(problem)
    assert plan.status == "optimal"
    assert plan.stages == pytest.approx(best, abs=1e-3, rel=1e-6)
    assert stages(problem, tuple(plan.choice.tolist())) == pytest.approx(best, abs=1e-3)
    assert all(bound <= value + 1e-6 * max(1, value) for bound, value in zip(plan.bounds, plan.stages, strict=True))


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 30), budget=st.floats(0.1, 1.1), demand=st.floats(0.0, 2.0))
def test_no_choice_breaks_a_limit(seed: int, count: int, budget: float, demand: float) -> None:
    problem = case(seed, count, 3, 2, budget, demand)
    plan = configure(problem, exact=False)
    assert allowed(problem, tuple(plan.choice.tolist()))
    check_numbers(problem, plan)
    assert all(bound <= value + 1e-6 * max(1, value) for bound, value in zip(plan.bounds, plan.stages, strict=True))


def check_numbers(problem: ConfigurationProblem, plan: Configured) -> None:
    assert plan.stages == pytest.approx(stages(problem, tuple(plan.choice.tolist())), abs=1e-3)
    power = problem.fixed_w.copy()
    for i, c in enumerate(plan.choice.tolist()):
        power[problem.row[i]] += 1600.0 if c == STOPPED else TABLE.server_w[c]
    assert plan.row_w == pytest.approx(power)
    assert plan.changed.tolist() == (plan.choice != 0).tolist()


def test_many_vms_are_near_the_bound() -> None:
    # Demand is met, and quality, performance and power are close to what no choice beats.
    problem = case(1, 480, 24, 12, budget=0.6)
    plan = configure(problem)
    assert plan.status == "heuristic"
    assert plan.unmet_tokens_s.sum() == 0
    assert plan.quality_loss - plan.bounds[1] < 0.003
    assert plan.performance_loss <= 1.02 * plan.bounds[2]
    assert plan.power_w <= 1.02 * plan.bounds[3]
    again = configure(problem)
    assert again.choice.tolist() == plan.choice.tolist()


def test_exact_beats_or_equals_the_heuristic() -> None:
    for seed in range(4):
        problem = case(seed, 24, 3, 2, budget=0.5)
        exact, quick = configure(problem, exact=True), configure(problem, exact=False)
        assert [round(x, 6) for x in exact.stages] <= [round(x, 6) + 1e-6 for x in quick.stages]


def test_less_power_may_be_hotter() -> None:
    # TP 2 halves the server's power on fewer GPUs that draw more each: in a warm slot it is out, full is not.
    problem = replace(case(0, 1, 1, 1), base_c=np.array([38.0]), budget_w=np.array([1e5]))
    ok = heat_allows(problem)[0]
    assert TABLE.server_w[5] == TABLE.server_w.min()
    assert ok.tolist() == [True, True, True, True, True, False]
    cool = replace(problem, base_c=np.array([30.0]))
    assert heat_allows(cool)[0].all()
    # In a slot hotter still only what draws less per GPU is left.
    assert heat_allows(replace(problem, base_c=np.array([50.0])))[0].tolist() == [
        False,
        False,
        False,
        False,
        True,
        False,
    ]


def test_latency_is_a_filter() -> None:
    problem = replace(case(0, 1, 1, 1), ttft_limit_ms=np.array([190.0]), tpot_limit_ms=np.array([15.0]))
    assert latency_allows(problem)[0].tolist() == [False, False, False, True, True, False]


def test_changes_cost_time() -> None:
    problem = replace(case(0, 3, 1, 1), now=np.array([0, 2, STOPPED]))
    lost = lost_seconds(problem)
    assert lost[0].tolist() == [0.0, 0.1, 60.0, 60.0, 60.0, 60.0, 0.0]
    assert lost[1].tolist() == [60.0, 60.0, 0.0, 60.0, 60.0, 60.0, 0.0]
    assert lost[2].tolist() == [60.0] * 6 + [0.0]
    # A short horizon makes a reload not worth the speed it brings.
    free = replace(case(3, 4, 1, 1, budget=1.2, demand=0.1), budget_w=np.array([1e6]), supply_cfm=np.array([1e6]))
    full = replace(free, table=replace(TABLE, quality=np.ones(6)), base_c=np.full(4, 25.0))
    assert configure(replace(full, horizon_s=1e6)).choice.tolist() == [3] * 4
    assert configure(replace(full, horizon_s=100.0)).choice.tolist() == [0] * 4


def test_what_no_choice_helps_is_named() -> None:
    problem = case(0, 6, 2, 1)
    buried = replace(problem, budget_w=np.array([100.0, 1e6]))
    plan = configure(buried)
    assert plan.over_rows == (0,)
    assert all(c == STOPPED for c, r in zip(plan.choice, problem.row, strict=True) if r == 0)
    assert plan.unmet_tokens_s.sum() >= 0


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 500), what=st.sampled_from(["budget", "air", "cold"]), factor=st.floats(1.0, 1.4))
def test_more_room_never_worsens_the_best_choice(seed: int, what: str, factor: float) -> None:
    # Check 15: the stages in their order.
    tight = case(seed, 6, 2, 2, budget=0.5)
    wider = {
        "budget": replace(tight, budget_w=tight.budget_w * factor),
        "air": replace(tight, supply_cfm=tight.supply_cfm * factor),
        "cold": replace(tight, base_c=tight.base_c - 10 * (factor - 1)),
    }[what]
    before, after = configure(tight), configure(wider)
    for old, new in zip(before.stages, after.stages, strict=True):
        scale = 1e-5 * max(1.0, abs(old))
        assert new <= old + scale
        if new < old - scale:
            break


def test_more_saas_never_worsens_the_best_choice() -> None:
    # Check 15: an opaque VM at full load becomes SaaS that may also stay at full load.
    for seed in range(5):
        mixed = case(seed, 4, 1, 1, budget=0.45, demand=0.5)
        opaque = replace(
            mixed, fixed_w=mixed.fixed_w + 6000.0, fixed_cfm=mixed.fixed_cfm + 800.0,
            budget_w=mixed.budget_w + 6000.0, supply_cfm=mixed.supply_cfm + 800.0,
        )  # fmt: skip
        more = replace(
            opaque, fixed_w=mixed.fixed_w, fixed_cfm=mixed.fixed_cfm, row=np.zeros(5, dtype=np.int64),
            endpoint=np.zeros(5, dtype=np.int64), now=np.zeros(5, dtype=np.int64), base_c=np.append(mixed.base_c, 25.0),
        )  # fmt: skip
        assert configure(more).unmet_tokens_s.sum() <= configure(opaque).unmet_tokens_s.sum() + 1e-6


def test_air_follows_power() -> None:
    hall = equal_hall(1, 1, 1, 1e4, 840.0)
    assert airflow_of_power_cfm(hall, np.array([1600.0, 4050.0, 6500.0])) == pytest.approx([300.0, 570.0, 840.0])
