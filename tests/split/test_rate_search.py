"""The highest rate and the best split, against closed forms, against trying everything, against runs to the end."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.split.rate_search import (
    Limiting,
    Load,
    Splits,
    Trial,
    Tried,
    backlog_limit,
    best_split,
    max_rate,
    run,
)
from aiplan.planners.split.replay import Cluster, Machine, Policy, replay
from aiplan.planners.split.slo import Limit, alone, judge, times
from aiplan.planners.split.workload import Requests

STEADY = settings(max_examples=40, deadline=None, derandomize=True, database=None)
PROMPT_S = 0.25
POLICY = Policy(batch_max=16, layer_wise=False)


def machine(prompt_s: float = 0.0, per_token_s: float = 2e-4, step_s: float = 0.02, room: float = 1e5) -> Machine:
    """Prompts take a fixed time or one by length; steps grow a little with the batch."""
    tokens, batch = np.arange(5001.0), np.arange(17.0)
    table = np.full(5001, prompt_s) if prompt_s else 0.01 + per_token_s * tokens
    return Machine("m", table, step_s * (1 + 0.02 * batch), np.zeros(17), room, 1e6)


def requests(seed: int, count: int = 60, rate_per_s: float = 1.0) -> Requests:
    rng = np.random.default_rng(seed)
    arrival_s = np.cumsum(rng.exponential(1 / rate_per_s, count))
    prompt, output = rng.integers(50, 3000, count), rng.integers(1, 60, count)
    return Requests(arrival_s, prompt.astype(np.int32), output.astype(np.int32))


def trial(seed: int = 0, limits: tuple[Limit, ...] = (), count: int = 60, **how: bool) -> Trial:
    asked = requests(seed, count)
    limits = limits or (Limit("ttft", 90, 3.0, slowdown=True), Limit("e2e", 50, 2.0, slowdown=True))
    load = Load(asked, alone(machine(), asked.prompt_tokens, asked.output_tokens))
    return Trial((load,), limits, POLICY, compiled=False, **how)


def one(count: int = 1) -> Cluster:
    return Cluster(mixed=((machine(), count),))


def pools(prompt: int, token: int) -> Cluster:
    return Cluster(((machine(), prompt),), ((machine(), token),))


# --- the highest rate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [11, 60, 301])
@pytest.mark.parametrize("guess_per_s", [None, 0.05, 400.0])
def test_one_machine_and_a_metronome_have_a_closed_form(count: int, guess_per_s: float | None) -> None:
    # Prompts too long to share a batch: request i waits i (D - 1/rate), and the median is the middle one's.
    arrival_s = np.arange(count, dtype=np.float64)
    load = Load(Requests(arrival_s, np.full(count, 1500, np.int32), np.ones(count, np.int32)))
    below = 3.3 * PROMPT_S
    how = Trial((load,), (Limit("ttft", 50, below),), POLICY, compiled=False)
    cluster = Cluster(mixed=((machine(PROMPT_S), 1),))
    exact = 1.0 / (PROMPT_S - (below - PROMPT_S) / ((count - 1) / 2))
    for tolerance in (0.02, 0.002):
        found = max_rate(cluster, how, guess_per_s=guess_per_s, tolerance=tolerance)
        assert found.rate_per_s <= exact < found.rate_per_s * (1 + tolerance) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cluster", [one(2), pools(2, 1)])
def test_as_trying_every_rate(seed: int, cluster: Cluster) -> None:
    how, tolerance = trial(seed, count=50), 0.02
    found = max_rate(cluster, how, tolerance=tolerance).rate_per_s
    rungs = range(round(math.log(0.5) / math.log1p(tolerance)), round(math.log(90.0) / math.log1p(tolerance)))
    kept = [run(cluster, how, how.loads[0], (1 + tolerance) ** rung).kept for rung in rungs]
    tops = [
        (1 + tolerance) ** rung
        for place, rung in enumerate(rungs)
        if kept[place] and not any(kept[place + 1 : place + 3])
    ]
    assert any(found == pytest.approx(top) for top in tops)
    first = next(place for place in range(len(kept)) if not any(kept[place : place + 2]))
    # On a short trace promises come and go; what was found is not below where they first go.
    assert found >= (1 + tolerance) ** rungs[first - 1] * (1 - 1e-9)


def test_where_no_rate_is_too_high_or_low_enough() -> None:
    easy, hard = (Limit("e2e", 99, 1e6),), (Limit("ttft", 50, 1e-6),)
    assert max_rate(one(), trial(limits=easy)).rate_per_s == math.inf
    assert max_rate(one(), trial(limits=hard)) == Limiting(0.0, (0.0,), 0.0)


def test_the_pace_of_the_trace_does_not_matter() -> None:
    slow, fast = trial(3), trial(3)
    quick = fast.loads[0].requests.stretched(7.0)
    fast = dataclasses.replace(fast, loads=(Load(quick, fast.loads[0].reference),))
    assert max_rate(one(), slow) == max_rate(one(), fast)


def test_several_traces_are_averaged() -> None:
    alone_rates = [max_rate(one(), trial(seed)).rate_per_s for seed in range(3)]
    together = dataclasses.replace(trial(0), loads=tuple(trial(seed).loads[0] for seed in range(3)))
    found = max_rate(one(), together)
    assert found.by_load == pytest.approx(alone_rates)
    assert found.rate_per_s == pytest.approx(np.mean(alone_rates))
    assert found.spread_per_s == pytest.approx(np.std(alone_rates, ddof=1))
    assert max_rate(one(), trial(0)).spread_per_s == 0.0


def test_pools_of_their_own_borrow_nothing() -> None:
    short = dataclasses.replace(POLICY, queue_tokens_max=2000)
    trials = [dataclasses.replace(trial(own_pools=own), policy=short) for own in (False, True)]
    shared, own = (max_rate(pools(1, 4), how) for how in trials)
    assert shared.borrowed > 0
    assert own.borrowed == 0


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        max_rate(one(), trial(), tolerance=0.0)
    with pytest.raises(ValueError, match="needs requests"):
        Trial((), ())
    with pytest.raises(ValueError, match="reference"):
        backlog_limit(np.arange(3.0), [Limit("e2e", 50, 2.0, slowdown=True)], None)
    with pytest.raises(ValueError, match="at least one split"):
        best_split([], pools, trial())


# --- giving up early --------------------------------------------------------------------------------------------------


@STEADY
@given(
    seed=st.integers(0, 10**6),
    rate_per_s=st.floats(0.3, 60.0),
    percentile=st.sampled_from([50, 90, 99]),
    below=st.floats(1.01, 6.0),
    machines=st.integers(1, 3),
)
def test_giving_up_never_changes_the_verdict(
    seed: int, rate_per_s: float, percentile: float, below: float, machines: int
) -> None:
    how = trial(seed, (Limit("e2e", percentile, below, slowdown=True),))
    (load,) = how.loads
    asked = load.requests.stretched(rate_per_s)
    whole = replay(asked.arrival_s, asked.prompt_tokens, asked.output_tokens, one(machines), POLICY, compiled=False)
    seen = times(whole.ttft_s, whole.e2e_s, asked.output_tokens)
    assert run(one(machines), how, load, rate_per_s).kept == judge(seen, how.limits, load.reference).kept


def test_overload_is_given_up() -> None:
    how = trial(0, (Limit("e2e", 90, 3.0, slowdown=True),), count=2000)
    (load,) = how.loads
    limit = backlog_limit(load.requests.arrival_s / 50.0, how.limits, load.reference)
    asked = load.requests.stretched(50.0)
    policy = dataclasses.replace(POLICY, backlog_max=limit)
    found = replay(asked.arrival_s, asked.prompt_tokens, asked.output_tokens, one(), policy, compiled=False)
    assert 0 < limit < 500
    assert found.unserved > 1000
    assert backlog_limit(load.requests.arrival_s, (Limit("ttft", 90, 1.0),), None) == 0


# --- the best split ---------------------------------------------------------------------------------------------------

LINE = [(prompt, 9 - prompt) for prompt in range(1, 9)]


def test_a_whole_curve_is_each_split_by_itself() -> None:
    how = trial(1)
    found = best_split(LINE, pools, how, within=1.0, stride=1)
    assert [one[:2] for one in found.tried] == LINE
    for tried in found.tried:
        assert tried.limiting == max_rate(pools(*tried[:2]), how)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("stride", [1, 2, None])
def test_dropping_and_halving_find_the_same(seed: int, stride: int | None) -> None:
    how = trial(seed)
    every = best_split(LINE, pools, how, within=1.0, stride=1)
    found = best_split(LINE, pools, how, stride=stride)
    # Promises on 60 requests come and go over a few per cent of rate, and where a climb begins decides between those.
    assert found.best.rate_per_s == pytest.approx(every.best.rate_per_s, rel=0.05)
    known = {tried[:2]: tried.rate_per_s for tried in every.tried}
    dropped = [tried for tried in found.tried if tried.limiting is None]
    assert dropped
    for tried in dropped:
        assert known[tried[:2]] < tried.under_per_s * 1.05 < found.best.rate_per_s * 1.05


def test_of_equals_the_one_that_borrows_least() -> None:
    tried = [
        Tried(prompt, 9 - prompt, Limiting(rate, (rate,), borrowed))
        for prompt, rate, borrowed in ((2, 90.0, 0.0), (3, 99.5, 1.0), (4, 100.0, 7.0), (5, 99.2, 3.0))
    ]
    splits = Splits((*tried, Tried(6, 3, None, 99.0)))
    assert splits.best == tried[2]
    assert splits.plateau() == tuple(tried[1:])
    assert splits.steadiest() == tried[1]
    assert splits.steadiest(0.2) == tried[0]
    assert splits.tried[-1].rate_per_s == 0.0
