"""The analytic level: closed forms it must contain, published and worked values, and what may never happen."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.size.queueing import erlang_c, wait_s
from aiplan.planners.split.analytic import Analytic, Prepared, analyse, places, prepare, representative
from aiplan.planners.split.analytic_decode import mean_steps_s, token_batch, token_work
from aiplan.planners.split.analytic_flow import flow_balance, token_rate_pools
from aiplan.planners.split.analytic_prompt import PromptWork, packed_tokens, prompt_queue, prompt_work
from aiplan.planners.split.replay import SIMULATOR, Machine, Policy
from aiplan.planners.split.slo import SPLITWISE, alone, judge
from aiplan.planners.split.trace_file import read_trace
from tests.split.machines import offer, steady

PERCENTILES = (50, 90, 99)


def work_of(mean_s: float, cv2: float, packed_s: float | None = None) -> PromptWork:
    """Prompts by their moments alone."""
    one = np.array([mean_s])
    return PromptWork(one, mean_s, cv2, packed_s or mean_s, one * (1.0 + cv2), np.array([1.0, 0.0]))


@cache
def lengths(count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(7)
    prompts = np.clip(np.rint(np.exp(6.6 + 0.9 * generator.standard_normal(count))), 1, 8000).astype(np.int64)
    outputs = np.clip(np.rint(np.exp(4.5 + 0.8 * generator.standard_normal(count))), 1, 1000).astype(np.int64)
    return prompts, outputs


@cache
def chat(model: str = "bloom-176b", way: str = "measured") -> Prepared:
    machine = offer(model, "dgx-h100", way).machine
    return prepare(*lengths(), machine, machine, most=1024)


def seen(found: Analytic) -> list[float]:
    return [found.percentile(metric, at) for metric in ("ttft", "tbt", "e2e") for at in PERCENTILES]


# --- closed forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [0.1, 0.5, 0.85, 0.97])
def test_one_machine_and_one_length_is_distserve(load: float) -> None:
    service = 0.2
    queue = prompt_queue(work_of(service, 0.0), 1, load / service)
    assert queue is not None
    rate = load / service
    assert service + queue.waits * queue.excess_s == pytest.approx(
        service + rate * service**2 / (2 * (1 - load)), rel=1e-9
    )
    assert queue.utilisation == pytest.approx(load, rel=1e-12)


@pytest.mark.parametrize("speedup", [1.0, 1.7, 4.0])
def test_tensor_parallel_form_of_distserve(speedup: float) -> None:
    service, rate = 0.3, 2.5
    queue = prompt_queue(work_of(service / speedup, 0.0), 1, rate)
    assert queue is not None
    wanted = service / speedup + rate * service**2 / (2 * speedup * (speedup - rate * service))
    assert service / speedup + queue.waits * queue.excess_s == pytest.approx(wanted, rel=1e-9)
    if speedup == 1.0:
        assert wanted == pytest.approx(service + rate * service**2 / (2 * (1 - rate * service)), rel=1e-12)


@pytest.mark.parametrize("load", [0.2, 0.8])
@pytest.mark.parametrize("cv2", [0.3, 1.0, 4.0])
def test_one_machine_is_pollaczek_and_khinchine(load: float, cv2: float) -> None:
    queue = prompt_queue(work_of(1.0, cv2), 1, load)
    assert queue is not None
    assert queue.waits * queue.excess_s == pytest.approx(load * (1 + cv2) / (2 * (1 - load)), rel=1e-9)
    assert queue.waits * queue.excess_s == pytest.approx(float(wait_s(load, 1, 1.0, 1.0, cv2)), rel=1e-9)


def test_one_machine_with_exponential_times_is_mm1_in_every_quantile() -> None:
    queue = prompt_queue(work_of(1.0, 1.0), 1, 0.7)
    assert queue is not None
    at = np.array([0.1, 0.5, 0.9, 0.99])
    wanted = np.where(at > 0.3, np.log(np.maximum(0.7 / (1 - at), 1.0)) / 0.3, 0.0)
    np.testing.assert_allclose(queue.excess(at), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(queue.longer(queue.excess(at[1:])), 1 - at[1:], rtol=1e-9)


def test_erlang_c_with_one_server_and_mmc() -> None:
    load = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(erlang_c(load, 1), load, rtol=1e-9)
    offered, machines = 3.2, 4
    terms = [offered**k / math.factorial(k) for k in range(machines)]
    last = offered**machines / math.factorial(machines) / (1 - offered / machines)
    chance = last / (sum(terms) + last)
    assert float(wait_s(offered, machines, 0.5)) == pytest.approx(chance * 0.5 / (machines - offered), rel=1e-9)


def test_many_machines_wait_more_rarely_than_one_queue_but_not_never() -> None:
    work = prompt_work(steady(), lengths()[0], Policy(), np.arange(3000))
    for machines in (2, 8, 32):
        queue = prompt_queue(work, machines, 0.8 * machines / work.packed_s)
        assert queue is not None
        common = float(erlang_c(queue.utilisation * machines, machines))
        assert 0.3 * common < queue.waits < common


def test_bursts_of_one_machine_follow_kraemer_and_langenbach_belz() -> None:
    # Whitt 1983, equation 48, by hand for u = 0.5, ca2 = 2, cs2 = 1: 0.5 + 0.25 * 4 * 0.5/(2 + 0.25 * 9)
    queue = prompt_queue(work_of(1.0, 1.0), 1, 0.5, 2.0)
    assert queue is not None
    assert queue.waits == pytest.approx(0.5 + 0.25 * 2.0 / 4.25, rel=1e-9)
    even = prompt_queue(work_of(1.0, 1.0), 1, 0.5, 0.5)
    assert even is not None
    assert even.waits < 0.5


def test_batches_relieve_a_queue() -> None:
    single, shared = (prompt_queue(work_of(1.0, 1.0, packed), 4, 3.4) for packed in (1.0, 0.7))
    assert single is not None
    assert shared is not None
    assert shared.waits * shared.excess_s < single.waits * single.excess_s
    assert shared.load < shared.utilisation < single.utilisation
    beyond = prompt_queue(work_of(1.0, 1.0, 0.7), 4, 5.0)  # more than it could take one by one
    assert beyond is not None
    assert 0.875 < beyond.utilisation < 1.0


def test_packing() -> None:
    assert packed_tokens(np.array([2048, 1, 2047, 5000, 1, 1]), 2048, 512).tolist() == [2048, 2048, 5000, 2]
    assert packed_tokens(np.ones(10, dtype=int), 2048, 4).tolist() == [4, 4, 2]


# --- flows ----------------------------------------------------------------------------------------------------------


def test_deepseek_identity() -> None:
    pools = token_rate_pools(608e9 / 86400, 168e9 / 86400, 73.7e3, 14.8e3, 0.563)
    assert pools.prompt == pytest.approx(95.48, abs=0.005)
    assert pools.token == pytest.approx(131.38, abs=0.005)
    assert sum(pools) == pytest.approx(226.75, rel=1e-3)
    assert pools.token / pools.prompt == pytest.approx(1.376, abs=5e-4)
    hits = 1 - 342 / 608
    computed = token_rate_pools(608e9 / 86400, 0.0, 73.7e3 * hits, 14.8e3, 342 / 608, rate_counts_hits=False)
    assert computed.prompt == pytest.approx(pools.prompt, rel=1e-12)


def test_flow_balance_by_hand() -> None:
    machine = steady(prompt_s_per_token=1e-4, base_s=0.0, step_s=0.02, slope=1e-3, room=11_000.0)
    prepared = prepare(np.full(64, 1000), np.full(64, 101), machine, machine)
    # Ten sequences fit 11,000 tokens at 1101 each less one; nine do: 29 ms. Two prompts fit 2048 tokens: 0.1 s each.
    pools = flow_balance(prepared, 20.0, utilisation_max=0.8)
    assert pools.prompt == pytest.approx(20 * 0.1 / 0.8)
    assert pools.token == pytest.approx(20 * 100 * 0.029 / 9)
    assert flow_balance(prepared, 20.0, step_max_s=0.0255).token == pytest.approx(20 * 100 * 0.025 / 5)
    assert pools.whole == (3, 7)
    with pytest.raises(ValueError, match="not even one"):
        flow_balance(prepared, 20.0, step_max_s=0.01)


def test_flow_balance_is_a_bound_from_below() -> None:
    prepared = chat()
    for rate in (5.0, 40.0, 120.0):
        prompts, tokens = flow_balance(prepared, rate, utilisation_max=1.0).whole
        assert analyse(prepared, max(prompts - 1, 1), 10 * tokens, rate).unstable or prompts == 1
        assert not analyse(prepared, 3 * prompts, 3 * tokens, rate).unstable


# --- decode ---------------------------------------------------------------------------------------------------------


def test_flat_steps_give_littles_law() -> None:
    machine = steady(step_s=0.03)
    work = token_work(machine, *lengths(), 512)
    batch = token_batch(work, 3, 12.0)
    assert batch is not None
    assert batch.mean == pytest.approx(12.0 * work.mean_steps * 0.03 / 3, rel=1e-9)
    assert batch.step_s == pytest.approx(0.03, rel=1e-12)
    assert batch.pull == 1.0
    np.testing.assert_allclose(mean_steps_s(work, batch, np.linspace(-3, 3, 3000)), 0.03, rtol=1e-12)


def test_fixed_point_of_a_straight_line() -> None:
    machine = steady(step_s=0.03, slope=1e-3)
    work = token_work(machine, np.full(8, 500), np.full(8, 201), 512)
    batch = token_batch(work, 4, 2.0)
    assert batch is not None
    # All alike: only the pool's own number varies. b = load f, f = 0.03 + 0.001 seen, seen = b + pull^-0.5/4.
    load = 2.0 * 200 / 4
    assert batch.mean == pytest.approx(load * batch.step_s, rel=1e-12)
    assert batch.step_s == pytest.approx(0.03 + 1e-3 * batch.seen, rel=1e-9)
    assert batch.seen - batch.mean == pytest.approx(batch.pull**-0.5 / 4, rel=0.02)
    assert batch.mixed_sd == 0.0


def test_no_fixed_point_where_steps_grow_faster_than_sequences_leave() -> None:
    work = token_work(steady(step_s=0.03, slope=1e-3), np.full(8, 500), np.full(8, 201), 512)
    assert token_batch(work, 1, 5.1) is None  # 5.1/s * 200 steps * 1 ms per sequence > 1
    assert token_batch(work, 1, 4.0) is not None


def test_context_is_seen_in_proportion_to_steps() -> None:
    work = token_work(steady(context=1e-7), np.array([100, 1000]), np.array([11, 101]), 64)
    assert work.context_tokens == pytest.approx((10 * 105.5 + 100 * 1050.5) / 110)
    assert work.step_s[10] == pytest.approx(0.02 + 1e-7 * 10 * work.context_tokens)


# --- the whole ------------------------------------------------------------------------------------------------------


def test_worked_value(shared_data: Path) -> None:
    trace = read_trace(shared_data / "traces" / "azure_llm_2023_conv.csv")
    machine = offer("bloom-176b", "dgx-h100", "simcompat").machine
    prepared = prepare(trace.prompt_tokens, trace.output_tokens, machine, machine, SIMULATOR)
    found = analyse(prepared, 25, 15, 70.0, simulator_tbt=True)
    work = prepared.prompt_work
    assert work.packed_s == pytest.approx(0.1592, rel=0.02)
    assert work.mean_s == pytest.approx(0.1677, rel=0.01)
    assert work.cv2 == pytest.approx(1.043, rel=0.01)
    assert found.prompt_load == pytest.approx(0.446, rel=0.02)
    assert found.waits < 0.001
    assert found.batch == pytest.approx(34.7, rel=0.01)
    ttft, tbt, e2e = np.reshape(seen(found), (3, 3))
    np.testing.assert_allclose(ttft, [0.132, 0.385, 0.658], rtol=0.01)
    np.testing.assert_allclose(tbt, [0.0354, 0.0359, 0.0372], rtol=0.01)
    np.testing.assert_allclose(e2e, [4.74, 15.17, 21.42], rtol=0.02)
    # The reference's slack of 4.0 sd is that of machines left to chance; evened out by the router it is far more.
    assert (1 - found.memory_share) / found.memory_alone_sd_share == pytest.approx(4.0, rel=0.3)
    assert found.memory_sd_share == pytest.approx(found.memory_alone_sd_share / math.sqrt(15), rel=0.01)
    assert found.trusted
    reference = offer("bloom-176b", "dgx-a100").machine
    assert judge(found.times, SPLITWISE, alone(reference, prepared.prompts, prepared.outputs)).kept


def test_memory_is_littles_law() -> None:
    prepared = chat()
    found = analyse(prepared, 30, 20, 40.0)
    assert found.memory_share == pytest.approx(
        40.0 * float(np.mean(prepared.size * found.times.e2e_s)) / 20 / prepared.token.room_tokens, rel=1e-12
    )


def test_too_little_is_flagged() -> None:
    prepared = chat()
    load = 40.0 * prepared.prompt_work.packed_s
    few_prompts, few_tokens = analyse(prepared, max(int(load), 1), 40, 40.0), analyse(prepared, 30, 1, 40.0)
    for found in (few_prompts, few_tokens):
        assert found.unstable
        assert not found.trusted
        assert all(math.isinf(value) for value in seen(found))
    assert few_prompts.prompt_load >= 1.0
    small = Machine(**{**{name: getattr(prepared.token, name) for name in ("name", "prompt_s", "decode_s", "context_s",
                       "link_tokens_per_s", "layers")}, "room_tokens": 8_000.0})  # fmt: skip
    cramped = analyse(prepare(*lengths(), prepared.prompt, small, most=1024), 30, 20, 40.0)
    assert cramped.unstable
    assert math.isfinite(cramped.percentile("e2e", 99))
    busy = analyse(prepared, math.ceil(load / 0.97), 60, 40.0)
    assert busy.spill_share > analyse(prepared, 40, 60, 40.0).spill_share


def test_requests_of_one_token_end_with_it() -> None:
    machine = steady()
    found = analyse(prepare(np.array([10, 20, 30]), np.array([1, 1, 50]), machine, machine), 2, 2, 1.0)
    single = np.isnan(found.times.tbt_s)
    assert single.sum() == 2
    np.testing.assert_array_equal(found.times.e2e_s[single], found.times.ttft_s[single])
    only = analyse(prepare(np.full(5, 10), np.ones(5, dtype=int), machine, machine), 2, 2, 1.0)
    assert not only.unstable
    assert math.isnan(only.percentile("tbt", 50))


def test_a_prefix_cache_shortens_prompts_and_not_transfers() -> None:
    prompts, outputs = lengths()
    machine = steady()
    policy = Policy(layer_wise=False)
    whole = prepare(prompts, outputs, machine, machine, policy)
    half = prepare(prompts, outputs, machine, machine, policy, computed_tokens=np.maximum(prompts // 2, 1))
    np.testing.assert_array_equal(whole.transfer_s, half.transfer_s)
    assert half.prompt_work.mean_s < whole.prompt_work.mean_s
    np.testing.assert_allclose(whole.transfer_s, whole.prompts / machine.link_tokens_per_s)


def test_layers_hide_a_transfer_behind_the_prompt() -> None:
    machine = steady(link=1e5)
    prepared = prepare(*lengths(), machine, machine, Policy(layer_wise=True, sync_s=0.005))
    serial = prepared.prompts / 1e5
    hidden = np.maximum(serial / 4, serial - prepared.prompt_work.alone_s * 3 / 4)
    np.testing.assert_allclose(prepared.transfer_s, hidden + 0.005)


def test_tbt_of_the_simulator_divides_by_all_tokens() -> None:
    prepared = chat()
    one, other = (analyse(prepared, 30, 20, 40.0, simulator_tbt=way).times.tbt_s for way in (False, True))
    several = prepared.outputs > 1
    ratio = (prepared.outputs[several] - 1) / prepared.outputs[several]
    np.testing.assert_allclose(other[several] / one[several], ratio)


def test_a_sample_stands_for_all() -> None:
    prompts, outputs = lengths()
    computed = np.maximum(prompts // 3, 1)
    found = representative(prompts, computed, outputs, 500)
    for values, kept in zip((prompts, computed, outputs), found, strict=True):
        assert len(kept) == 500
        assert kept.min() >= 1
        assert kept.mean() == pytest.approx(values.mean(), rel=2e-3)
        for at in (10, 50, 90, 99):
            assert np.percentile(kept, at) == pytest.approx(np.percentile(values, at), rel=0.03)
    assert np.all(found[1] <= found[0])
    assert np.corrcoef(found[0], found[1])[0, 1] > 0.999
    assert abs(np.corrcoef(found[0], found[2])[0, 1] - np.corrcoef(prompts, outputs)[0, 1]) < 0.03


def test_a_small_sample_is_kept_as_it_is() -> None:
    rows = set(zip(*(values.tolist() for values in lengths()), strict=True))
    prompts, outputs = lengths()
    n, _, answers = representative(prompts, prompts, outputs, 10_000)
    assert len(n) == 3000
    assert set(zip(n.tolist(), answers.tolist(), strict=True)) == rows


def test_lengths_that_go_together_still_do() -> None:
    generator = np.random.default_rng(1)
    prompts = generator.integers(1, 5000, 20_000)
    n, _, answers = representative(prompts, prompts, prompts // 10 + 1, 1000)
    assert np.max(np.abs(n / 10 + 1 - answers)) < 12


def test_places_are_even_and_the_same() -> None:
    wait, join, normal, order = places(1024)
    for column in (wait, join):
        np.testing.assert_allclose(np.sort(column), (np.arange(1024) + 0.5) / 1024)
        assert abs(np.corrcoef(column, np.arange(1024))[0, 1]) < 0.01
    assert abs(normal.mean()) < 1e-9
    assert normal.std() == pytest.approx(1.0, abs=0.01)
    assert np.max(np.abs(np.corrcoef([wait, join, normal]) - np.eye(3))) < 0.03
    assert sorted(order) == list(range(1024))
    assert places(1024)[0] is wait


@pytest.mark.parametrize("bad", [{"prompts": 0}, {"tokens": 0}, {"rate": 0.0}, {"cv2": -1.0}])
def test_nonsense_is_refused(bad: dict[str, float]) -> None:
    given_ = {"prompts": 2, "tokens": 2, "rate": 1.0, "cv2": 1.0} | bad
    with pytest.raises(ValueError, match=r"must be|positive"):
        analyse(chat(), int(given_["prompts"]), int(given_["tokens"]), given_["rate"], given_["cv2"])


def test_lengths_must_be_lengths() -> None:
    machine = steady()
    with pytest.raises(ValueError, match="1 or more"):
        prepare(np.array([0]), np.array([1]), machine, machine)
    with pytest.raises(ValueError, match="as many"):
        prepare(np.array([1, 2]), np.array([1]), machine, machine)


CASES = st.tuples(
    # Llama 2 in the simulator has steps that shorten as batches grow, so that more machines are worse there.
    st.sampled_from([("bloom-176b", "simcompat"), ("bloom-176b", "measured"), ("llama2-70b", "measured")]),
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0.5, 150.0),
    st.sampled_from([1.0, 0.5, 1.3, 3.0]),
)


@settings(max_examples=100, deadline=None)
@given(CASES, st.integers(1, 5), st.integers(1, 5), st.floats(1.0, 1.5))
def test_more_machines_are_never_worse_and_more_requests_never_better(
    case: tuple[tuple[str, str], int, int, float, float], prompts: int, tokens: int, factor: float
) -> None:
    kind, prompt_count, token_count, rate, cv2 = case
    prepared = chat(*kind)
    before = analyse(prepared, prompt_count, token_count, rate, cv2)
    more = analyse(prepared, prompt_count + prompts, token_count + tokens, rate, cv2)
    busier = analyse(prepared, prompt_count, token_count, rate * factor, cv2)
    for better, worse in ((more, before), (before, busier)):
        assert not better.unstable or worse.unstable
        assert better.prompt_load <= worse.prompt_load
        for low, high in zip(seen(better), seen(worse), strict=True):
            assert low <= high * (1 + 2e-3)
