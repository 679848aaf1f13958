"""The search: what it may never do, whatever is asked, on clusters small enough to be searched in half a second."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InfeasibleError, InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.split.case import build_case
from aiplan.planners.split.design import Design
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.plan import Result, _slower, plan
from aiplan.planners.split.search import Search
from aiplan.planners.split.slo import prompt_seconds

SMALL = ("workload.duration_s=20", "workload.requests_per_s=20", "split.seeds=1", "hardware.mixed=[]",
         'hardware.prompt=["dgx-h100"]', 'hardware.token=["dgx-h100"]', "failures.spares=false")  # fmt: skip
BUDGET = ("workload.duration_s=60", "workload.requests_per_s=10", "split.budget_kw=88", 'hardware.prompt=["dgx-h100"]',
          'hardware.token=["dgx-a100"]', "hardware.mixed=[]")  # fmt: skip


@lru_cache(maxsize=128)
def result(*overrides: str, name: str = "split-70b") -> Result:
    inputs: Any = load_scenario(name, SplitInputs, [*SMALL, *overrides], "split").inputs
    return plan(inputs, Catalog())


@lru_cache(maxsize=16)
def within(*overrides: str) -> Result:
    inputs: Any = load_scenario("splitwise-2024", SplitInputs, [*BUDGET, *overrides], "split").inputs
    return plan(inputs, Catalog())


def usd(*overrides: str) -> float:
    return result(*overrides).best.design.usd_per_h


# ---- what must hold for every plan ----


def test_a_higher_rate_is_never_cheaper() -> None:
    costs = [usd(f"workload.requests_per_s={rate}") for rate in (5, 20, 40, 80, 120)]
    assert costs == sorted(costs)
    assert costs[-1] > 3 * costs[0]


@pytest.mark.parametrize(
    ("promise", "strict"), [("slo.ttft_p90_s", 0.2), ("slo.tbt_p90_s", 0.013), ("slo.tbt_p50_s", 0.012)]
)
def test_a_looser_promise_is_never_dearer(promise: str, strict: float) -> None:
    asked = ("workload.requests_per_s=80", "slo.tbt_p50_s=0.05", "slo.tbt_p90_s=0.06", "slo.tbt_p99_s=0.2",
             "slo.ttft_p50_s=0.15")  # fmt: skip
    costs = [usd(*asked, f"{promise}={strict * factor}") for factor in (1.0, 1.3, 2.0, 4.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_more_kinds_of_machine_are_never_dearer() -> None:
    one = usd("workload.requests_per_s=60")
    two = usd("workload.requests_per_s=60", 'hardware.token=["dgx-h100", "mi300x-8gpu"]')
    three = usd("workload.requests_per_s=60", 'hardware.prompt=["dgx-h100", "dgx-h200"]',
                'hardware.token=["dgx-h100", "mi300x-8gpu", "dgx-h200"]')  # fmt: skip
    assert three <= two <= one


@pytest.mark.parametrize("objective", ["usd", "power", "machines"])
def test_the_first_design_is_the_best_of_those_that_keep_every_promise(objective: str) -> None:
    found = result(f"split.objective={objective}", 'hardware.token=["dgx-h100", "dgx-h200", "mi300x-8gpu"]').found
    keys = [one.design.key(objective) for one in found.verified if one.kept]
    assert keys == sorted(keys)
    assert found.verified[0].kept
    for one in found.verified:
        for replay, judged in zip(one.replays, one.judged, strict=True):
            assert np.all(np.isfinite(replay.e2e_s))
            assert judged.kept is all(met.value < met.limit.below for met in judged.met)


def test_one_machine_less_breaks_a_promise() -> None:
    """Minimal: the search has stopped where neither pool can spare one."""
    inputs: Any = load_scenario("split-70b", SplitInputs, [*SMALL, "workload.requests_per_s=60"], "split").inputs
    search = Search(build_case(inputs, Catalog()))
    best = search.answer().verified[0].design
    assert best.prompts > 2
    fewer = [best.with_counts(best.prompts - 1, best.tokens)]
    fewer += [best.with_counts(best.prompts, best.tokens - 1)] if best.tokens > 1 else []
    for one in fewer:
        assert not search.verify(one, 60.0).kept, one.label


def test_a_design_replayed_twice_is_the_same_and_remembered() -> None:
    inputs: Any = load_scenario("split-70b", SplitInputs, [*SMALL], "split").inputs
    search, other = (Search(build_case(inputs, Catalog())) for _ in range(2))
    design = Design(search.case.prompt[0], 3, search.case.token[0], 2)
    first = search.verify(design, 20.0)
    assert search.verify(design, 20.0) is first
    assert np.array_equal(first.seen.e2e_s, other.verify(design, 20.0).seen.e2e_s)


def test_caches_that_leave_late_make_answers_late() -> None:
    times = {}
    for layer_wise in ("true", "false"):
        inputs: Any = load_scenario(
            "split-70b", SplitInputs, [*SMALL, f"transfer.layer_wise={layer_wise}", "transfer.sync_s=0"], "split"
        ).inputs
        search = Search(build_case(inputs, Catalog()))
        # Over a network so slow that a late cache misses several steps, not the jitter of one.
        prompt, token = (_slower(one, link=0.03) for one in (search.case.prompt[0], search.case.token[0]))
        times[layer_wise] = search.verify(Design(prompt, 4, token, 3), 20.0).seen
    assert np.array_equal(times["true"].ttft_s, times["false"].ttft_s)
    assert np.median(times["false"].e2e_s) > np.median(times["true"].e2e_s)
    assert np.nanmedian(times["false"].tbt_s) > np.nanmedian(times["true"].tbt_s)


def test_prompt_machines_are_no_busier_than_allowed() -> None:
    idle, busy = (result("workload.requests_per_s=60", f"split.utilisation_fraction={one}") for one in (0.3, 0.85))
    assert idle.best.design.prompts > 1.5 * busy.best.design.prompts


def test_a_short_replay_does_not_make_an_overloaded_cluster_do() -> None:
    found = result("workload.requests_per_s=300", "workload.duration_s=1")
    prompts = found.case.demand.sample(0, 4096).prompt_tokens
    # One by one; prompts worked on together take as long as one of all their tokens, which saves a quarter at most.
    work_s = 300 * float(np.mean(prompt_seconds(found.best.design.prompt.machine, prompts)))
    assert 0.75 * work_s / found.best.design.prompts < 1.0


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.85])
def test_no_design_is_busier_than_allowed_in_closed_form(fraction: float) -> None:
    inputs: Any = load_scenario(
        "split-70b", SplitInputs, [*SMALL, "workload.requests_per_s=60", f"split.utilisation_fraction={fraction}"],
        "split",
    ).inputs  # fmt: skip
    search = Search(build_case(inputs, Catalog()))
    for one in search.answer().verified:
        found = search.pair_of(one.design).predict(one.design.prompts, one.design.tokens, 60.0).found
        assert found.prompt_load <= fraction
        assert one.kept


@pytest.mark.parametrize("objective", ["usd", "power"])
def test_what_is_best_is_judged_with_spares(objective: str) -> None:
    """Fragile machines: many small ones, cheap to keep spares of, win over fewer large ones that cost less."""
    found = result("failures.spares=true", "failures.accelerator_mttf_h=300", "hardware.tensor_parallel=[2, 4]",
                   "split.finalists=4", 'hardware.token=["dgx-h100", "mi300x-8gpu"]',
                   f"split.objective={objective}")  # fmt: skip
    designs = [one.design for one in found.found.verified if one.kept]
    keys = [found.case.bought(one).key(objective) for one in designs]
    assert keys == sorted(keys)
    assert found.bought.key(objective) == keys[0]
    bare = [one.key(objective) for one in designs]
    assert min(bare) < bare[0]


def test_power_and_energy_add_up() -> None:
    found = result("workload.requests_per_s=60", "facility.pue=1.5")
    plain = result("workload.requests_per_s=60", "facility.pue=1")
    assert found.best.design.label == plain.best.design.label
    assert found.energy.total_wh == pytest.approx(1.5 * plain.energy.total_wh, rel=1e-12)
    machine = found.best.design.prompt.watts
    busy = sum(float(one.busy_prompt_s.sum()) for one in found.best.replays)
    count = sum(len(one.ttft_s) for one in found.best.replays)
    assert plain.energy.prompt_wh == pytest.approx(machine.prompt_w * busy / count / 3600)


def test_what_the_counts_hang_on() -> None:
    changes = {one.what: one for one in result("workload.requests_per_s=120").changes}
    plain = changes["as asked, closed form"]
    assert changes["10 % more requests"].prompts >= plain.prompts
    assert changes["prompts take 10 % longer"].prompts > plain.prompts
    slow = next(one for what, one in changes.items() if what.startswith("steps take"))
    assert slow.tokens is None or slow.tokens > plain.tokens
    assert changes["network a tenth as fast"].tokens >= plain.tokens


# ---- within a budget ----


def test_every_design_within_a_budget_stays_within() -> None:
    for one in within().found.verified:
        assert one.design.power_w <= 88e3
    for budget, most in (("budget_kw=40", 40e3), ("budget_machines=7", 7), ("budget_usd_per_h=45", 45)):
        found = result("split.objective=rate", f"split.{budget}", "failures.spares=true")
        for one in (*found.found.verified, *found.found.baselines):
            bought = found.case.bought(one.design)
            assert bought.machines > one.design.machines
            assert {"budget_kw=40": bought.power_w, "budget_machines=7": bought.machines}.get(
                budget, bought.usd_per_h) <= most  # fmt: skip
    assert within("split.budget_machines=6").best.design.machines <= 6
    assert within("split.budget_usd_per_h=200").best.design.usd_per_h <= 200


def test_a_larger_budget_carries_more_and_the_tightest_one_counts() -> None:
    rates = [within(f"split.budget_kw={kw}").found.rate_per_s for kw in (50, 88, 132)]
    assert rates == sorted(rates)
    assert rates[2] > 2 * rates[0]
    both = within("split.budget_machines=6").found.rate_per_s
    assert both < rates[1]


def test_a_rate_is_proved_by_every_replay_on_the_same_requests() -> None:
    found = within("split.seeds=3", 'hardware.mixed=["dgx-h100"]')
    checked = (*found.found.verified, *found.found.baselines)
    assert len(checked) == 2
    for one in checked:
        assert len(one.judged) == len(one.replays) == 3
        assert one.kept
        assert all(judged.kept for judged in one.judged)
    asked = [tuple(len(replay.ttft_s) for replay in one.replays) for one in checked]
    assert asked[0] == asked[1]
    assert len(set(asked[0])) == 3  # each replay draws requests of its own
    # More replays can only lower the rate.
    assert found.found.rate_per_s <= within('hardware.mixed=["dgx-h100"]').found.rate_per_s


@pytest.mark.parametrize("guess", [0.1, 1.0, 60.0])
def test_the_rate_hangs_on_no_guess(guess: float) -> None:
    found = within(f"workload.requests_per_s={guess}")
    assert found.best.kept
    assert found.found.rate_per_s == pytest.approx(within().found.rate_per_s, rel=0.05)


def test_the_rate_is_the_highest() -> None:
    found = within()
    design, rate = found.best.design, found.found.rate_per_s
    inputs: Any = load_scenario("splitwise-2024", SplitInputs, [*BUDGET], "split").inputs
    search = Search(build_case(inputs, Catalog()))
    assert search.verify(design, 0.8 * rate).kept
    assert not search.verify(design, 1.25 * rate).kept


# ---- nothing keeps the promises ----


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("slo.ttft_p50_s=0.001", "TTFT P50 < 0.001 s"),
        ("slo.tbt_p99_s=0.002", "TBT P99 < 0.002 s"),
        ("slo.e2e_p99_s=0.1", "E2E P99 < 0.1 s"),
        ("split.budget_machines=2", "within the budget"),
        ("split.budget_kw=4", "within the budget"),
        ("split.budget_usd_per_h=0.5", "within the budget"),
    ],
)
def test_the_nearest_is_told(override: str, says: str) -> None:
    with pytest.raises(InfeasibleError, match="nearest") as caught:
        result(override, "workload.requests_per_s=60")
    assert (caught.value.code, caught.value.exit_code) == ("E223", 4)
    assert says in caught.value.render()
    assert "dgx-h100 TP4" in caught.value.render()


def test_no_rate_within_too_small_a_budget() -> None:
    with pytest.raises(InfeasibleError, match="within the budget") as caught:
        within("split.budget_kw=5")
    assert caught.value.code == "E223"


def test_requests_beyond_memory_are_no_matter_of_counts() -> None:
    inputs: Any = load_scenario("splitwise-2024", SplitInputs, [*BUDGET], "split").inputs
    given = load_scenario("splitwise-2024", SplitInputs,
                          ["workload.input_tokens=100000", "workload.output_tokens=10"], "split").inputs  # fmt: skip
    work = inputs.workload.model_copy(
        update={"statistics": None, "input_tokens": given.workload.input_tokens,
                "output_tokens": given.workload.output_tokens}
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        plan(inputs.model_copy(update={"workload": work}), Catalog())
    assert caught.value.problems[0].code == "E221"
    assert "100,010" in caught.value.problems[0].message
