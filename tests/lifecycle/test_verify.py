"""Plans that were tampered with are caught, each by the rule it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from aiplan.errors import UnprovenError
from aiplan.planners.lifecycle.ledger import Plan
from aiplan.planners.lifecycle.optimise import accepted_usd, optimise
from aiplan.planners.lifecycle.problem import Problem, Vintages, all_vintages, joined, problem
from aiplan.planners.lifecycle.verify import verify, worst_violation
from tests.lifecycle.worlds import changed, fixed_life, flexible, small_world


def made_problem() -> Problem:
    """Limits that bind or nearly do, owned servers, rent in some periods."""
    rent = np.full((6, 1), np.inf)
    rent[3:] = 6e4
    world = small_world(rent_usd_per_year=rent, most_w=np.array(1.2e6), budget_usd=np.full(6, 30e6),
                        most_racks_count=95.0)  # fmt: skip
    owned = Vintages(np.array([0]), np.array([-2]), np.array([20.0]), np.array([150e3]))
    return problem(world, joined(owned, all_vintages(world)))


def scaled(name: str, factor: float) -> Callable[[Problem, Plan], Plan]:
    def tamper(_: Problem, plan: Plan) -> Plan:
        return replace(plan, **{name: getattr(plan, name) * factor})

    return tamper


def negative(name: str) -> Callable[[Problem, Plan], Plan]:
    def tamper(_: Problem, plan: Plan) -> Plan:
        values = getattr(plan, name).copy()
        values.flat[int(np.argmin(values))] = -1e-3 * values.max()
        return replace(plan, **{name: values})

    return tamper


def serve_after_life(made: Problem, plan: Plan) -> Plan:
    serve = plan.serve.copy()
    k, t = np.argwhere(~made.serves & (np.arange(6) > made.vintages.bought[:, None]))[0]
    serve[k, t] = 1.0
    return replace(plan, serve=serve)


def serve_too_early(made: Problem, plan: Plan) -> Plan:
    serve = plan.serve.copy()
    k, t = np.argwhere(np.arange(6) < made.vintages.bought[:, None])[0]
    serve[k, t] = 1.0
    return replace(plan, serve=serve)


def serve_without_failures(made: Problem, plan: Plan) -> Plan:
    k, t = np.argwhere((plan.serve[:, 1:] > 0.1) & (plan.serve[:, :-1] > 0.1))[0]
    serve = plan.serve.copy()
    serve[k, t + 1] = serve[k, t]
    return replace(plan, serve=serve)


def buy_owned_ones(made: Problem, plan: Plan) -> Plan:
    return replace(plan, buy=np.where(made.vintages.old, 5.0, plan.buy))


def rent_where_none_is(made: Problem, plan: Plan) -> Plan:
    return replace(plan, rent_per_s=np.where(made.rentable, plan.rent_per_s, 10.0))


def halls_all_over(made: Problem, plan: Plan) -> Plan:
    return replace(plan, halls_w=plan.halls_w + 1e6)


TAMPERED = {
    "fewer bought": (scaled("buy", 0.999), "more in service than bought"),
    "fewer at work": (scaled("use", 0.999), "demand is not served"),
    "more at work": (scaled("use", 1.5), "more at work than in service"),
    "smaller halls": (scaled("halls_w", 0.999), "servers take more power than halls have"),
    "more halls": (halls_all_over, "more halls than the site may hold"),
    "more bought": (scaled("buy", 30.0), "more capital than the budget"),
    "more in service": (scaled("serve", 3.0), "more racks than may stand"),
    "negative purchase": (negative("buy"), "servers bought must not be negative"),
    "negative service": (negative("serve"), "servers in service must not be negative"),
    "negative work": (negative("use"), "servers at work must not be negative"),
    "negative halls": (negative("halls_w"), "halls must not be negative"),
    "negative rent": (negative("rent_per_s"), "rented capacity must not be negative"),
    "after life": (serve_after_life, "in service outside its life"),
    "too early": (serve_too_early, "in service before it is bought"),
    "immortal": (serve_without_failures, "more in service than survive"),
    "owned bought": (buy_owned_ones, "bought what is not on sale"),
    "rented": (rent_where_none_is, "rented what is not offered"),
}  # fmt: skip


def test_the_optimum_keeps_every_rule() -> None:
    made = made_problem()
    plan = optimise(made).plan
    assert verify(made, plan) == ()
    assert worst_violation(made, plan) < 1e-9
    assert plan.rent_per_s.max() > 0


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_plan_is_caught(name: str) -> None:
    made = made_problem()
    tamper, rule = TAMPERED[name]
    plan = tamper(made, optimise(made).plan)
    assert rule in [found.rule for found in verify(made, plan)]
    with pytest.raises(UnprovenError, match="breaks a rule") as raised:
        accepted_usd(made, plan)
    assert raised.value.exit_code == 5


def test_violations_say_where_and_how_much() -> None:
    made = made_problem()
    plan = optimise(made).plan
    use = plan.use.copy()
    use[:, 4] *= 0.9
    rent = plan.rent_per_s.copy()
    rent[4] *= 0.9
    found = next(v for v in verify(made, replace(plan, use=use, rent_per_s=rent)) if v.rule == "demand is not served")
    assert found.period == 4
    assert found.relative == pytest.approx(0.1, rel=1e-6)
    assert found.amount == pytest.approx(0.1 * made.demand_per_s[4, 0], rel=1e-6)


def test_work_on_a_class_that_cannot_be_served() -> None:
    world = small_world(classes=2)
    capacity = world.generations.capacity_per_s.copy()
    capacity[0, 1] = 0.0
    made = flexible(changed(world, capacity_per_s=capacity))
    plan = optimise(made).plan
    assert plan.use[made.vintages.generation == 0, :, 1].max() == 0.0
    use = plan.use.copy()
    k = int(np.argmax(plan.serve.max(axis=1) * (made.vintages.generation == 0)))
    use[k, :, 1] = 1.0
    assert "at work on a class it cannot serve" in [v.rule for v in verify(made, replace(plan, use=use))]


def test_a_fixed_life_plan_that_retires_early_is_caught() -> None:
    made = fixed_life(small_world(), 4.0)
    keep = np.ones(len(made.allowed), dtype=bool)
    plan = optimise(made, keep=keep).plan
    assert verify(made, plan, keep=keep) == ()
    k, t = np.argwhere(plan.serve > 1.0)[0]
    serve = plan.serve.copy()
    serve[k, t + 1 :] *= 0.5
    assert "retired before its life ends" in [v.rule for v in verify(made, replace(plan, serve=serve), keep=keep)]


def test_shapes_and_numbers_that_cannot_be() -> None:
    made = made_problem()
    plan = optimise(made).plan
    for broken in (replace(plan, buy=plan.buy[:-1]), replace(plan, halls_w=np.full(6, np.nan))):
        assert verify(made, broken)[0].relative == np.inf
