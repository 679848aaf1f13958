"""Why there is no plan, and the least that would be enough."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from aiplan.errors import InfeasibleError
from aiplan.planners.lifecycle.optimise import optimise
from aiplan.planners.lifecycle.problem import Problem, Vintages, problem
from aiplan.planners.lifecycle.relax import Infeasibility, explain_infeasible
from tests.lifecycle.worlds import changed, flexible, small_world


def explained(made: Problem) -> Infeasibility:
    with pytest.raises(InfeasibleError):
        optimise(made)
    found = explain_infeasible(made)
    assert found is not None
    return found


def amount(found: Infeasibility, resource: str) -> float:
    return next(cure.amount for cure in found.relaxations if cure.resource == resource)


def test_what_has_a_plan_needs_no_reason() -> None:
    assert explain_infeasible(flexible(small_world())) is None


def test_a_site_too_small() -> None:
    """Demand grows 25 % a year against software of 5 %: the newest server outgrows 0.35 MW at some time."""
    most = 3.5e5
    found = explained(flexible(small_world(most_w=np.array(most))))
    assert found.resources == ("site",)
    extra = amount(found, "site")
    assert optimise(flexible(small_world(most_w=np.array(most + extra * 1.0001)))).certified
    with pytest.raises(InfeasibleError):
        optimise(flexible(small_world(most_w=np.array(most + extra * 0.999))))
    # The period named is the first: the demand before it can be served, with it cannot.
    made = flexible(small_world(most_w=np.array(most)))
    for periods, possible in ((found.period, True), (found.period + 1, False)):
        demand = np.where(np.arange(6)[:, None] < periods, made.demand_per_s, 0.0)
        cut = replace(made, demand_per_s=demand)
        assert (explain_infeasible(cut) is None) == possible
    assert found.year == 2026 + found.period
    assert f"{found.year:g}" in found.sentence()
    assert f"from {found.year:g} on" in found.sentence()
    told = re.search(r"([\d.]+) kW more", found.hint())
    assert told is not None
    # What is told is rounded up by less than a thousandth, so that following it is enough.
    assert extra <= float(told[1]) * 1e3 < extra * 1.001
    assert optimise(flexible(small_world(most_w=np.array(most + float(told[1]) * 1e3)))).certified
    assert found.error().exit_code == 4


def test_serving_less_is_a_cure_too() -> None:
    world = small_world(most_w=np.array(3.5e5))
    made = flexible(world)
    cure = next(c for c in explained(made).relaxations if c.resource == "demand")
    less = replace(made, demand_per_s=made.demand_per_s - cure.by_period[:, None] * (1 + 1e-6))
    assert optimise(less).certified


def test_what_is_missing_is_told_without_the_reserve_and_as_a_share_of_the_year() -> None:
    made = flexible(small_world(most_w=np.array(3.5e5)))
    found = explained(made)
    told = re.search(r": ([\d.]+) requests/s of the reference kind are missing then, ([\d.]+)% of", found.sentence())
    assert told is not None
    short, demand = float(found.unmet_per_s[0]), float(made.demand_per_s[found.period, 0])
    assert short / 1.05 <= float(told[1]) <= short / 1.05 * 1.001
    assert short / demand <= float(told[2]) / 100 <= short / demand + 1e-3
    # Serving the share less that is told, in every year, is enough.
    less = re.search(r"requests/s less in (\d+), ([\d.]+)% of its demand", found.hint())
    assert less is not None
    cure = next(c for c in found.relaxations if c.resource == "demand")
    worst = int((cure.by_period / made.demand_per_s[:, 0]).argmax())
    assert int(less[1]) == 2026 + worst
    assert optimise(replace(made, demand_per_s=made.demand_per_s * (1 - float(less[2]) / 100))).certified


def test_of_two_classes_no_more_is_missing_than_is_asked_for() -> None:
    found = explained(flexible(small_world(classes=2, most_w=np.array(3.5e5))))
    shares = [float(one) for one in re.findall(r"([\d.]+)% of (?:that year's|its) demand",
                                               found.sentence() + found.hint())]  # fmt: skip
    assert len(shares) == 2
    assert max(shares) <= 100


def test_no_server_that_serves() -> None:
    found = explained(flexible(changed(small_world(), capacity_per_s=np.zeros((3, 1)))))
    assert found.sentence().startswith("no server of the roadmap serves anything")
    assert "demand.ttft_s" in found.hint()
    assert "less" not in found.hint()


def test_a_budget_too_small() -> None:
    budget = np.array([4e6, np.inf, np.inf, np.inf, np.inf, np.inf])
    found = explained(flexible(small_world(budget_usd=budget)))
    assert found.resources == ("budget",)
    assert found.period == 0
    told = re.search(r"([\d.]+) M USD more of budget in every year$", found.hint())
    assert told is not None
    assert amount(found, "budget") <= float(told[1]) * 1e6 < amount(found, "budget") * 1.001
    assert "requests/s less in 2026, " in found.hint()
    more = budget + next(c.by_period for c in found.relaxations if c.resource == "budget") * 1.0001
    assert optimise(flexible(small_world(budget_usd=more))).certified


def test_a_budget_that_is_the_same_every_year_is_raised_alike_in_every_year() -> None:
    budget = np.full(6, 2e6)
    found = explained(flexible(small_world(budget_usd=budget)))
    more = amount(found, "budget")
    assert optimise(flexible(small_world(budget_usd=budget + more * 1.0001))).certified
    with pytest.raises(InfeasibleError):
        optimise(flexible(small_world(budget_usd=budget + more * 0.999)))


def test_racks_too_few() -> None:
    found = explained(flexible(small_world(most_racks_count=40.0)))
    assert found.resources == ("racks",)
    told = re.search(r"(\d+) racks more", found.hint())
    assert told is not None
    assert int(told[1]) - 1 < amount(found, "racks") <= int(told[1])
    enough = 40.0 + amount(found, "racks") * 1.0001
    assert optimise(flexible(small_world(most_racks_count=enough))).certified


def test_nothing_on_sale() -> None:
    world = small_world()
    found = explained(flexible(changed(world, available_years=np.array([1.0, 1.0, 2.0]))))
    assert found.resources == ("hardware",)
    assert found.period == 0
    assert found.unmet_per_s == pytest.approx(100 * 1.05)
    assert [cure.resource for cure in found.relaxations] == ["demand"]


def test_two_limits_at_once_name_both() -> None:
    world = small_world(most_w=np.array(3.5e5), most_racks_count=40.0)
    found = explained(flexible(world))
    assert set(found.resources) <= {"site", "racks"}
    # Neither is enough alone, so only serving less cures by itself.
    assert [cure.resource for cure in found.relaxations] == ["demand"]


def test_a_site_that_holds_too_much_already() -> None:
    found = explained(flexible(small_world(most_w=np.array(1e5), standing_w=2e5)))
    assert found.resources == ("site",)
    assert "forbids what stands" in found.sentence()


def test_owned_servers_that_must_be_kept_and_do_not_fit() -> None:
    world = small_world(most_racks_count=10.0, hosts=np.zeros(3, dtype=bool), rent_usd_per_year=np.full((6, 1), 1e5))
    made = problem(world, Vintages(np.array([0]), np.array([-1]), np.array([50.0]), np.array([1e5])))
    assert optimise(made).certified
    keep = np.array([True])
    found = explain_infeasible(made, keep=keep)
    assert found is not None
    assert found.resources == ("racks",)
    assert explain_infeasible(made) is None
