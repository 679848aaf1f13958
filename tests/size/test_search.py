"""The search against brute force, and what must hold for every fleet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.serving.deployment import pick
from aiplan.planners.serving.service import Load, batch_limit, online
from aiplan.planners.size.queueing import wait_s
from aiplan.planners.size.search import BINDING, EVERY, LARGEST, TPOT, Found, ask, batches, search
from tests.size.cases import REPLICAS, constants, deployment

BASE: dict[str, Any] = {
    "requests_per_s": 50.0, "prompt_tokens": 2000.0, "output_tokens": 500.0, "ttft_s": 2.0, "tpot_s": 0.05,
    "utilisation_max": 0.85, "wait_quantile": 0.99,
}  # fmt: skip

rates = st.floats(0.01, 2000.0)
loads = st.fixed_dictionaries(
    {
        "requests_per_s": rates,
        "prompt_tokens": st.floats(1.0, 30_000.0),
        "output_tokens": st.floats(1.0, 8000.0),
        "ttft_s": st.floats(0.05, 20.0),
        "tpot_s": st.floats(0.005, 0.5),
        "utilisation_max": st.floats(0.2, 1.0),
        "wait_quantile": st.sampled_from([0.99, float("nan")]),
        "arrival_cv2": st.floats(1.0, 10.0),
        "service_cv2": st.floats(0.0, 4.0),
        "one_queue": st.sampled_from([0.0, 1.0]),
        "batch_max": st.sampled_from([8.0, 300.0, 2048.0]),
    }
)


def size(**values: Any) -> Found:
    return search(deployment(), constants(), ask(len(REPLICAS), **{**BASE, **values}))


def brute_force(candidate: int, batch_max: int, **values: Any) -> tuple[float, float]:
    """Batch and replicas of a candidate, one batch and one number of replicas after the other."""
    one = pick(deployment(), [candidate])
    given_ = {**BASE, "arrival_cv2": 1.0, "service_cv2": 1.0, **values}
    prompt, output = np.array([given_["prompt_tokens"]]), np.array([given_["output_tokens"]])
    room = float(batch_limit(one, prompt, output)[0])
    ranks = float(one.layout.dp[0])
    best = (0.0, np.inf)
    for batch in range(1, min(batch_max, int(room)) + 1):
        load = Load(prompt, output, np.array([batch * ranks]), np.zeros(1))
        served = online(one, constants(), load, np.array([float(batch)]))
        tpot, ttft = float(served.tpot_s[0]), float(served.ttft_steady_s[0])
        if tpot > given_["tpot_s"] or ttft > given_["ttft_s"]:
            continue
        demand = given_["requests_per_s"] * given_["output_tokens"]
        replicas = max(int(np.ceil(demand / (float(served.output_tok_s[0]) * given_["utilisation_max"]) - 1e-9)), 1)
        # Little's law: a slot is held as long as its share of the throughput says, its own prompt included.
        held = given_["output_tokens"] * batch * ranks / float(served.output_tok_s[0])
        for count in range(replicas, replicas + 5000):
            wait = wait_s(given_["requests_per_s"] * held, batch * ranks * count, held, given_["arrival_cv2"],
                          given_["service_cv2"], given_["wait_quantile"])  # fmt: skip
            if ttft + float(wait) <= given_["ttft_s"]:
                break
        else:
            count = np.inf
        if count <= best[1] and np.isfinite(count):
            best = (float(batch), float(count))
    return best


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, len(REPLICAS) - 1), st.floats(0.05, 300.0), st.floats(0.2, 5.0), st.floats(0.01, 0.2),
    st.floats(0.5, 1.0), st.sampled_from([0.99, float("nan")]),
)  # fmt: skip
def test_the_search_finds_what_brute_force_finds(
    candidate: int, rate: float, ttft: float, tpot: float, utilisation: float, quantile: float
) -> None:
    values = {"requests_per_s": rate, "ttft_s": ttft, "tpot_s": tpot, "utilisation_max": utilisation,
              "wait_quantile": quantile}  # fmt: skip
    batch, replicas = brute_force(candidate, EVERY, **values)
    found = size(**values, batch_max=float(EVERY))
    if not np.isfinite(replicas):
        assert not found.feasible[candidate]
    else:
        assert (found.batch[candidate], found.replicas[candidate]) == (batch, replicas)


def test_the_last_batch_between_the_steps_is_found() -> None:
    found = size()
    for candidate in np.flatnonzero(found.feasible & (found.batch > EVERY) & (found.binding == TPOT)):
        one = pick(deployment(), [candidate])
        times = [
            float(online(one, constants(), Load(np.array([2000.0]), np.array([500.0]),
                                                np.array([batch * float(one.layout.dp[0])]), np.zeros(1)),
                         np.array([batch])).tpot_s[0])
            for batch in (found.batch[candidate], found.batch[candidate] + 1.0)
        ]  # fmt: skip
        assert times[0] <= 0.05 < times[1]


@settings(max_examples=60, deadline=None)
@given(loads)
def test_every_plan_keeps_its_promises(load: dict[str, float]) -> None:
    found = size(**load)
    good = found.feasible
    assert np.all(found.tpot_s[good] <= load["tpot_s"])
    assert np.all(found.ttft_s[good] + found.wait_s[good] <= load["ttft_s"])
    assert np.all(found.utilisation[good] <= load["utilisation_max"] + 1e-9)
    assert np.all(found.batch[good] <= np.minimum(found.batch_limit[good] + 1e-6, load["batch_max"]))
    carried = found.replicas[good] * found.replica_tok_s[good]
    assert np.all(carried >= load["requests_per_s"] * load["output_tokens"] * (1 - 1e-9))
    assert np.all(found.excess[good] == 1.0)
    assert np.all(np.isnan(found.replicas[~good]))


@settings(max_examples=60, deadline=None)
@given(loads, st.floats(1.0, 5.0))
def test_more_requests_never_need_fewer_replicas(load: dict[str, float], factor: float) -> None:
    few, many = size(**load), size(**{**load, "requests_per_s": load["requests_per_s"] * factor})
    both = few.feasible & many.feasible
    assert np.all(many.replicas[both] >= few.replicas[both])


@settings(max_examples=60, deadline=None)
@given(loads, st.sampled_from(["tpot_s", "ttft_s", "utilisation_max"]), st.floats(1.0, 3.0))
def test_a_looser_promise_never_needs_more_replicas(load: dict[str, float], name: str, factor: float) -> None:
    load = {**load, "batch_max": float(EVERY)}
    loose = {**load, name: min(load[name] * factor, 1.0 if name == "utilisation_max" else np.inf)}
    strict, relaxed = size(**load), size(**loose)
    assert np.all(relaxed.feasible[strict.feasible])
    assert np.all(relaxed.replicas[strict.feasible] <= strict.replicas[strict.feasible])


def test_what_binds_is_named() -> None:
    plain = size()
    names = [BINDING[int(code)] for code in plain.binding]
    assert names[0] == "KV capacity"  # weights of 141 GB leave one H200 room for six sequences
    assert names[1] == names[2] == "TPOT"
    assert BINDING[int(size(batch_max=16.0).binding[2])] == "batch limit"
    assert BINDING[int(size(requests_per_s=0.1).binding[2])] == "one replica"
    assert BINDING[int(size(ttft_s=0.98 * float(plain.ttft_s[2])).binding[2])] == "TTFT"
    assert BINDING[int(size(utilisation_max=1.0).binding[2])] == "waiting"


def test_what_fails_is_named_with_the_factor() -> None:
    found = size(tpot_s=0.005)
    assert not found.feasible.any()
    assert BINDING[int(found.binding[2])] == "TPOT"
    one = size(tpot_s=0.005 * float(found.excess[2]) * 1.0001)
    assert one.feasible[2]
    assert not size(tpot_s=0.005 * float(found.excess[2]) * 0.999).feasible[2]


def test_a_promise_met_to_the_last_digit_leaves_no_room_to_wait() -> None:
    exact = float(size(wait_quantile=np.nan).ttft_s[2])
    found = size(wait_quantile=np.nan, ttft_s=exact)
    assert found.feasible[2]
    assert found.ttft_s[2] + found.wait_s[2] <= exact


def test_fleets_beyond_counting_come_to_an_end() -> None:
    found = size(requests_per_s=1e6, output_tokens=1e6, ttft_s=1e4, utilisation_max=1.0, wait_quantile=np.nan)
    assert np.all(found.replicas[found.feasible] > 1e6)


@pytest.mark.parametrize("most", [1, 2, 31, 32, 33, 1000, LARGEST])
def test_batches_rise_to_the_largest(most: int) -> None:
    found = batches(most)
    assert found[0] == 1
    assert found[-1] == most
    assert np.all(np.diff(found) >= 1)
    assert np.all(found[1:] <= np.maximum(found[:-1] + 1.0, found[:-1] * 1.06))
