"""The replay against the reference simulator's runs, against closed forms, and against itself compiled."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.split.replay import SIMULATOR, Cluster, Policy, Replayed, replay
from aiplan.planners.split.replay_state import MIXED_POOL
from aiplan.planners.split.slo import SPLITWISE, alone, judge, times
from tests.split.machines import cluster_of, offer, steady, trace_of

RUNS = 16
BORROWED = {
    "bloom_code70_aa_55_15": (13, 0, 0),
    "bloom_conv130_hh_25_15": (5, 13, 7),
    "bloom_conv70_hh_12_12": (7, 0, 0),
}
"""Token machines borrowed, prompt machines borrowed, transfers tried again: phase-splitting.md, 5.2."""


def reference(data: Path) -> list[dict[str, str]]:
    with (data / "splitwise" / "reference_runs.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.shared_data
@pytest.mark.parametrize("number", range(RUNS))
def test_every_percentile_of_the_reference_runs(shared_data: Path, number: int) -> None:
    """Within 0.1 %, and 0.5 % where machines are borrowed: who joins which batch hangs on the last digits of times."""
    runs = reference(shared_data)
    assert len(runs) == RUNS
    run = runs[number]
    cluster = cluster_of(run["kind"], run["model"], int(run["n_prompt"]), int(run["n_token"]))
    arrival, prompts, outputs = trace_of(shared_data, run["trace"])
    found = replay(arrival, prompts, outputs, cluster, SIMULATOR, compiled=False)
    seen = times(found.ttft_s, found.e2e_s, outputs, simulator=True)
    within = 5e-3 if run["name"] in BORROWED else 1e-3
    for metric in ("ttft", "tbt", "e2e"):
        values = getattr(seen, f"{metric}_s")
        for at in (50, 90, 99):
            assert np.percentile(values, at) == pytest.approx(float(run[f"{metric}_p{at}"]), rel=within), (metric, at)
    a100 = offer(run["model"], "dgx-a100")
    judged = judge(seen, SPLITWISE, alone(a100.machine, prompts, outputs, a100.step_by_tokens_s))
    for met in judged.met:
        expected = float(run[f"slowdown_{met.limit.metric}{met.limit.percentile:g}"])
        assert met.value == pytest.approx(expected, rel=within), met.limit.name
    assert judged.kept is (run["slo_ok"] == "True")
    assert (found.borrowed_token, found.borrowed_prompt, found.retries) == BORROWED.get(run["name"], (0, 0, 0))
    assert found.unserved == 0


def test_a_capped_machine_takes_1_30_times_for_prompts_and_as_long_for_tokens() -> None:
    """The simulator's profile of it; no run of the reference has one."""
    asked = (np.array([0.0]), np.array([1020]), np.array([129]))
    plain = replay(*asked, cluster_of("hh", "bloom-176b", 1, 1), SIMULATOR)
    capped = replay(*asked, cluster_of("cc", "bloom-176b", 1, 1), SIMULATOR)
    assert capped.ttft_s == pytest.approx(1.30 * plain.ttft_s, rel=1e-12)
    assert capped.e2e_s - capped.ttft_s == pytest.approx(plain.e2e_s - plain.ttft_s, rel=1e-12)


@pytest.mark.shared_data
def test_capped_token_machines_change_nothing_unless_borrowed(shared_data: Path) -> None:
    for trace, borrowed in (("rr_conv_70_2min", False), ("rr_conv_130_2min", True)):
        requests = trace_of(shared_data, trace)
        plain = replay(*requests, cluster_of("hh", "bloom-176b", 25, 15), SIMULATOR)
        capped = replay(*requests, cluster_of("hc", "bloom-176b", 25, 15), SIMULATOR)
        assert (capped.borrowed_token > 0) is borrowed
        assert np.array_equal(plain.e2e_s, capped.e2e_s) is not borrowed


def same(one: Replayed, other: Replayed) -> None:
    """Every number of two replays, to the last bit."""
    for name in Replayed.__slots__:
        assert np.array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name)), equal_nan=True), name


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
@pytest.mark.slow
def test_compiled_and_plain_replay_agree_to_the_last_bit() -> None:
    chance = np.random.default_rng(1)
    count = 4_000
    arrival = np.cumsum(chance.exponential(1 / 40.0, count))
    prompts, outputs = chance.integers(1, 3000, count), chance.integers(1, 300, count)
    # Slow and short of memory, so that machines are borrowed and tasks preempted.
    small = steady(prompt_s_per_token=2e-4, step_s=0.03, slope=1e-4, room=12_000.0, link=2e5, context=1e-8)
    large = steady(prompt_s_per_token=1e-4, step_s=0.02, slope=2e-4, room=40_000.0, link=3e5)
    clusters = (
        Cluster(((large, 6),), ((small, 5), (large, 3))),
        Cluster(mixed=((small, 9), (large, 3))),
    )
    policies = (SIMULATOR, Policy(), Policy(mixed_sum=True, batch_max=16, batch_tokens_max=1024))
    borrowed = 0
    for cluster in clusters:
        for policy in policies:
            plain = replay(arrival, prompts, outputs, cluster, policy, compiled=False)
            same(plain, replay(arrival, prompts, outputs, cluster, policy, compiled=True))
            borrowed += plain.borrowed_prompt + plain.borrowed_token
    assert borrowed > 0


def test_a_request_alone_takes_prompt_transfer_and_steps() -> None:
    machine = steady(link=50_000.0)
    cluster = Cluster(((machine, 1),), ((machine, 1),))
    found = replay(np.array([3.0]), np.array([1000]), np.array([11]), cluster, SIMULATOR)
    assert found.ttft_s[0] == pytest.approx(0.11)
    assert found.e2e_s[0] == pytest.approx(0.11 + 1000 / 50_000 + 10 * 0.02)
    layers = replay(np.array([3.0]), np.array([1000]), np.array([11]), cluster, Policy(sync_s=0.005))
    # 20 ms to send beside 110 ms to compute: the last of 4 layers is left.
    assert layers.e2e_s[0] == pytest.approx(0.11 + 0.005 + 0.005 + 10 * 0.02)
    slow = steady(link=5_000.0)
    behind = replay(np.array([0.0]), np.array([1000]), np.array([11]), Cluster(((slow, 1),), ((slow, 1),)), Policy())
    # 200 ms to send: what the prompt does not hide.
    assert behind.e2e_s[0] == pytest.approx(0.11 + (0.2 - 0.11 * 3 / 4) + 0.005 + 10 * 0.02)


def test_context_makes_steps_longer() -> None:
    machine = steady(context=1e-5)
    found = replay(np.array([0.0]), np.array([100]), np.array([5]), Cluster(mixed=((machine, 1),)))
    steps = sum(0.02 + 1e-5 * (100 + done) for done in range(1, 5))
    assert found.e2e_s[0] == pytest.approx(0.01 + 0.01 + steps)


def test_a_joining_sequence_ends_the_run_after_the_iteration_under_way() -> None:
    machine = steady(step_s=0.1, base_s=0.0, prompt_s_per_token=1e-3, link=1e12)
    cluster = Cluster(((machine, 1),), ((machine, 1),))
    found = replay(np.array([0.0, 0.25]), np.array([100, 100]), np.array([20, 3]), cluster, SIMULATOR)
    # The second is ready at 0.35, in the third step of the first (0.3 to 0.4), and joins at 0.4.
    assert found.e2e_s[1] == pytest.approx(0.4 + 0.2 - 0.25)
    assert found.e2e_s[0] == pytest.approx(0.1 + 19 * 0.1)


def test_one_token_is_done_with_its_prompt_and_has_no_time_between_tokens() -> None:
    cluster = Cluster(((steady(), 1),), ((steady(), 1),))
    found = replay(np.array([0.0, 0.1]), np.array([10, 10]), np.array([1, 2]), cluster)
    assert found.e2e_s[0] == found.ttft_s[0]
    assert found.unserved == 0
    seen = times(found.ttft_s, found.e2e_s, found.output_tokens)
    assert np.isnan(seen.tbt_s).tolist() == [True, False]


def test_what_is_answered_by_the_cache_is_not_computed_but_held() -> None:
    cluster = Cluster(((steady(), 1),), ((steady(link=1e5), 1),))
    asked = (np.array([0.0]), np.array([1000]), np.array([2]), cluster, SIMULATOR)
    found = replay(*asked, computed_tokens=np.array([100]))
    assert found.ttft_s[0] == pytest.approx(0.02)
    assert found.e2e_s[0] == pytest.approx(0.02 + 0.01 + 0.02)


def test_it_gives_up_on_overload() -> None:
    count = 2_000
    arrival = np.arange(count) * 1e-3
    asked = (arrival, np.full(count, 2000), np.full(count, 10), Cluster(((steady(), 1),), ((steady(), 1),)))
    found = replay(*asked, Policy(backlog_max=100))
    assert found.unserved > count - 300
    assert replay(*asked).unserved == 0


@pytest.mark.parametrize(
    ("arrival", "lengths", "message"),
    [([1.0, 0.5], [1, 1], "ascending"), ([0.0, 1.0], [0, 1], "1 or more"), ([0.0, np.nan], [1, 1], "ascending")],
)
def test_what_cannot_be_replayed(arrival: list[float], lengths: list[int], message: str) -> None:
    cluster = Cluster(mixed=((steady(), 1),))
    with pytest.raises(ValueError, match=message):
        replay(np.array(arrival), np.array([1, 1]), np.array(lengths), cluster)


def test_clusters_that_make_no_sense() -> None:
    for sides in ({}, {"prompt": ((steady(), 1),)}, {"mixed": ((steady(), 0),)}):
        with pytest.raises(ValueError, match=r"split|counts"):
            Cluster(**sides)


@st.composite
def traffic(draw: st.DrawFn) -> tuple[Any, ...]:
    count = draw(st.integers(1, 60))
    gaps = draw(st.lists(st.floats(0.0, 0.5), min_size=count, max_size=count))
    prompts = draw(st.lists(st.integers(1, 4000), min_size=count, max_size=count))
    outputs = draw(st.lists(st.integers(1, 60), min_size=count, max_size=count))
    machine = steady(room=draw(st.floats(5_000, 50_000)), link=draw(st.floats(1e4, 1e7)))
    count_p, count_t = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    split = draw(st.booleans())
    cluster = Cluster(((machine, count_p),), ((machine, count_t),)) if split else Cluster(mixed=((machine, count_p),))
    policy = draw(st.sampled_from([SIMULATOR, Policy(), Policy(mixed_sum=True), Policy(batch_max=4)]))
    return np.cumsum(gaps), np.array(prompts), np.array(outputs), cluster, policy


@settings(max_examples=150, deadline=None)
@given(traffic())
def test_everyone_is_served_and_nothing_is_faster_than_alone(asked: tuple[Any, ...]) -> None:
    _, prompts, outputs, cluster, policy = asked
    found = replay(*asked, compiled=False)
    machine = cluster.pools[0][0]
    assert found.unserved == 0
    lone = alone(machine, prompts, outputs)
    assert np.all(found.ttft_s >= lone.ttft_s - 1e-9)
    if policy.mixed_floor:
        assert np.all(found.e2e_s >= lone.e2e_s - 1e-9)
    # Work is conserved: every token is computed once, and machines are busy no longer than the replay lasts.
    assert found.prompt_tokens.sum() == prompts.sum()
    assert found.decode_tokens.sum() == (outputs - 1).sum()
    assert np.all(found.busy_prompt_s + found.busy_decode_s <= found.end_s + 1e-6)
    assert np.all(found.room_used <= 1.0)
    if not cluster.split:
        assert set(found.pool.tolist()) == {MIXED_POOL}


@settings(max_examples=30, deadline=None)
@given(traffic(), st.floats(0.1, 100.0))
def test_time_has_no_unit_of_its_own(asked: tuple[Any, ...], factor: float) -> None:
    """All times scaled by a power of two: all results scaled by it, to the last bit."""
    scale = 2.0 ** round(np.log2(factor))
    arrival, prompts, outputs, cluster, policy = asked
    machine = cluster.pools[0][0]
    slower = steady(1e-4 * scale, 0.02 * scale, room=machine.room_tokens, link=machine.link_tokens_per_s / scale,
                    base_s=0.01 * scale)  # fmt: skip
    sides = {
        name: tuple((slower, count) for _, count in getattr(cluster, name)) for name in ("prompt", "token", "mixed")
    }
    moved = replace(policy, sync_s=policy.sync_s * scale, retry_s=policy.retry_s * scale)
    before = replay(*asked, compiled=False)
    after = replay(arrival * scale, prompts, outputs, Cluster(**sides), moved, compiled=False)
    assert after.e2e_s == pytest.approx(before.e2e_s * scale, rel=1e-9)
