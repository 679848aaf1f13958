"""Requests, their lengths and their statistics: the Azure traces as published, and what is drawn from the catalog."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.split.arrivals import Arrivals
from aiplan.planners.split.lengths import (
    Independent,
    QuantileLengths,
    constant_lengths,
)
from aiplan.planners.split.trace_file import read_trace
from aiplan.planners.split.workload import Requests, generate, statistics
from tests.catalog.overlays import SOURCE, write
from tests.split import synthetic
from tests.transcribe import workloads

KINDS = ("azure-2023-code", "azure-2023-conversation")
PUBLISHED: dict[str, dict[str, Any]] = {
    # Section 8 of the reference on phase splitting, computed there from the Azure files.
    "azure-2023-code": {
        "rows": 8819, "span": 3436, "rate": 2.57, "cv2": 173, "dispersion": 13.2, "correlation": 0.00, "context": 2126,
        "prompt": (578, 1469, 2744, 5188, 7303, 7436, 7437), "prompt_mean": 2047.8, "prompt_sd": 1973.9,
        "output": (9, 13, 24, 55, 90, 251, 1899), "output_mean": 27.9, "output_sd": 59.9,
        "prompt_square": 8.09e6, "output_square": 4361, "shortest": (3, 6),
    },
    "azure-2023-conversation": {
        "rows": 19366, "span": 3502, "rate": 5.53, "cv2": 1.20, "dispersion": 1.39, "correlation": -0.11,
        "context": 1323, "prompt": (396, 1020, 1189, 2734, 4083, 4142, 14050), "prompt_mean": 1154.7,
        "prompt_sd": 1108.8, "output": (85, 129, 395, 424, 451, 601, 1000), "output_mean": 211.1, "output_sd": 162.9,
        "prompt_square": 2.56e6, "output_square": 71100, "shortest": (2, 7),
    },
}  # fmt: skip
FILES = {"azure-2023-code": "azure_llm_2023_code.csv", "azure-2023-conversation": "azure_llm_2023_conv.csv"}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def some(count: int = 50, seed: int = 0) -> Requests:
    return generate(seed, Arrivals(4.0), synthetic.lengths_of("azure-2023-conversation"), count=count)


# --- the Azure traces -------------------------------------------------------------------------------------------------


@pytest.mark.shared_data
@pytest.mark.parametrize("kind", KINDS)
def test_published_statistics_of_the_azure_traces(shared_data: Path, kind: str) -> None:
    told = PUBLISHED[kind]
    found = statistics(read_trace(shared_data / "traces" / FILES[kind]))
    assert found.count == told["rows"]
    assert round(found.span_s) == told["span"]
    assert found.rate_per_s == pytest.approx(told["rate"], abs=0.005)
    for what in ("prompt", "output"):
        one = getattr(found, what)
        assert one.mean == pytest.approx(told[f"{what}_mean"], abs=0.1)
        assert one.sd == pytest.approx(told[f"{what}_sd"], abs=0.1)
        assert one.second_moment == pytest.approx(told[f"{what}_square"], rel=2e-3)
        # Whole tokens as printed: quantiles between two rows were cut or rounded, so half a token is allowed.
        quantiles = (one.p25, one.p50, one.p75, one.p90, one.p95, one.p99, one.maximum)
        assert all(abs(have - want) <= 0.5 for have, want in zip(quantiles, told[what], strict=True)), quantiles
    assert (found.prompt.minimum, found.output.minimum) == told["shortest"]
    assert found.context_tokens == pytest.approx(told["context"], abs=0.5)
    assert found.arrival_cv2 == pytest.approx(told["cv2"], rel=0.005)
    assert found.dispersion_ratio == pytest.approx(told["dispersion"], rel=0.005)
    assert found.correlation == pytest.approx(told["correlation"], abs=0.005)
    assert found.single_token_fraction == 0.0


@pytest.mark.shared_data
def test_the_catalog_file_is_what_the_script_computes(shared_data: Path, root: Path) -> None:
    for name, text in workloads.render(shared_data).items():
        assert (root / name).read_bytes() == text.encode(), name


def test_the_catalog_states_the_published_numbers() -> None:
    assert Catalog().ids("workloads") == sorted(KINDS)
    for kind in KINDS:
        entry, told = Catalog().get("workloads", kind), PUBLISHED[kind]
        assert entry.requests_count == told["rows"]
        assert entry.input_mean_tokens.value == pytest.approx(told["prompt_mean"], abs=0.06)
        assert entry.output_mean_tokens.value == pytest.approx(told["output_mean"], abs=0.06)
        assert entry.arrival_cv2_ratio.value == pytest.approx(told["cv2"], rel=0.005)
        assert [pair[0] for pair in entry.input_quantile_tokens] == [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1]
        assert (entry.input_mean_tokens.grade, entry.input_mean_tokens.evidence) == ("measured", "derived")


WORKLOAD = """\
[mine]
name = "Mine"
source = "mine"
grade = "measured"
requests_count = 2
span_s = 10
requests_per_s = 1
arrival_cv2_ratio = 1
input_mean_tokens = 10
output_mean_tokens = 10
input_quantile_tokens = [[0, 5], [1, 20]]
output_quantile_tokens = QUANTILES
"""


@pytest.mark.parametrize(
    ("quantiles", "message"),
    [
        ("[[0, 5], [0.5, 4], [1, 20]]", "tokens that start at 1 or more and do not fall"),
        ("[[0, 0], [1, 20]]", "tokens that start at 1 or more"),
        ("[[0.1, 5], [1, 20]]", "probabilities that rise from 0 to 1"),
        ("[[0, 5], [0.9, 20]]", "probabilities that rise from 0 to 1"),
        ("[[0, 5], [0.5, 6], [0.5, 7], [1, 20]]", "probabilities that rise from 0 to 1"),
        ("[[0, 5]]", "at least 2 items"),
        ("[[0, 5, 1], [1, 20, 1]]", "at most 2 items"),
    ],
)
def test_quantiles_of_an_entry_must_be_in_order(tmp_path: Path, quantiles: str, message: str) -> None:
    write(tmp_path, {"workloads.toml": WORKLOAD.replace("QUANTILES", quantiles), "sources/a.toml": SOURCE})
    with pytest.raises(InputError) as caught:
        Catalog(tmp_path)
    assert message in caught.value.render()


def test_an_entry_of_ones_own_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"workloads.toml": WORKLOAD.replace("QUANTILES", "[[0, 5], [1, 20]]"), "sources/a.toml": SOURCE})
    entry = Catalog(tmp_path).get("workloads", "mine")
    assert QuantileLengths.through(entry.output_quantile_tokens, entry.output_mean_tokens.value).mean == pytest.approx(
        10
    )


# --- requests ---------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    gaps=st.lists(st.floats(0, 1e6), min_size=2, max_size=40),
    rate=st.floats(1e-3, 1e4),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_requests_scale_and_cache_as_told(gaps: list[float], rate: float, fraction: float, seed: int) -> None:
    times = np.cumsum([0.0, *gaps])
    tokens = generator(seed).integers(1, 5000, times.size)
    requests = Requests(times, tokens, tokens[::-1])
    cached = requests.with_cache_hits(fraction)
    assert np.all(cached.cached_tokens >= 0)
    assert np.all(cached.computed_tokens >= 1)
    assert np.all(cached.cached_tokens + cached.computed_tokens == tokens)
    assert np.all(np.abs(cached.cached_tokens - fraction * tokens) <= 1.0)
    if requests.span_s > 1e-3:
        other = cached.stretched(rate)
        assert other.rate_per_s == pytest.approx(rate, rel=1e-9)
        assert np.all(np.diff(other.arrival_s) >= 0)
        assert np.array_equal(other.prompt_tokens, tokens)
        assert np.array_equal(other.cached_tokens, cached.cached_tokens)
        before, after = statistics(requests), statistics(other)
        assert after.arrival_cv2 == pytest.approx(before.arrival_cv2, rel=1e-6, abs=1e-9)


def test_a_cache_answers_the_fraction_asked_for() -> None:
    requests = some(5000).with_cache_hits(0.563)
    assert statistics(requests).cached_fraction == pytest.approx(0.563, abs=1e-4)
    full = some(50).with_cache_hits(1.0)
    assert set(full.computed_tokens.tolist()) == {1}
    assert not some(50).with_cache_hits(0.0).cached_tokens.any()


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan])
def test_a_cache_cannot_answer_more_than_everything(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in 0\.\.1"):
        some().with_cache_hits(fraction)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        some().stretched(rate)


def test_requests_at_one_moment_have_no_rate() -> None:
    requests = Requests(np.array([3.0, 3.0]), np.array([5, 6]), np.array([1, 2]))
    with pytest.raises(ValueError, match="no rate"):
        _ = requests.rate_per_s
    found = statistics(requests)
    assert (found.rate_per_s, found.arrival_cv2, found.dispersion_ratio) == (None, None, None)
    assert found.single_token_fraction == 0.5
    alone = statistics(Requests(np.array([3.0]), np.array([5]), np.array([1])))
    assert (alone.count, alone.prompt.sd, alone.correlation) == (1, 0.0, None)


@pytest.mark.parametrize(
    ("times", "prompts", "outputs", "cached"),
    [
        ([], [], [], []),
        ([1.0, 0.5], [1, 1], [1, 1], []),
        ([0.0, math.nan], [1, 1], [1, 1], []),
        ([0.0, math.inf], [1, 1], [1, 1], []),
        ([-1.0, 0.0], [1, 1], [1, 1], []),
        ([0.0, 1.0], [1], [1, 1], []),
        ([0.0, 1.0], [1, 0], [1, 1], []),
        ([0.0, 1.0], [1, 2], [1, 0], []),
        ([0.0, 1.0], [1, 2.5], [1, 1], []),
        ([0.0, 1.0], [1, 2], [1, 1], [1, 0]),
        ([0.0, 1.0], [1, 2], [1, 1], [0, -1]),
        ([0.0, 1.0], [1, 2], [1, 1], [0]),
        ([[0.0, 1.0]], [1, 2], [1, 1], []),
    ],
)
def test_what_are_no_requests(times: list[Any], prompts: list[Any], outputs: list[Any], cached: list[int]) -> None:
    with pytest.raises(ValueError, match="must"):
        Requests(np.array(times), np.array(prompts), np.array(outputs), np.array(cached, dtype=int))


def test_requests_cannot_be_changed_and_are_small() -> None:
    requests = some(100)
    sizes = 0
    for name in ("arrival_s", "prompt_tokens", "output_tokens", "cached_tokens"):
        values = getattr(requests, name)
        sizes += values.itemsize
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1
    assert sizes == 20


def test_statistics_of_a_worked_case() -> None:
    """Three requests by hand; context 20 + (1 + 9 + 25)/3 / (2 x 3)."""
    requests = Requests(np.array([0.0, 1.0, 4.0]), np.array([10, 20, 30]), np.array([1, 3, 5]), np.array([5, 0, 10]))
    found = statistics(requests)
    assert (found.rate_per_s, found.prompt.mean, found.prompt.sd, found.output.second_moment) == (0.5, 20, 10, 35 / 3)
    assert found.context_tokens == pytest.approx(20 + 35 / 3 / 6)
    assert found.arrival_cv2 == pytest.approx(2 / 4)  # gaps 1 and 3: variance 2, mean 2
    assert found.dispersion_ratio == pytest.approx(((2 * 0.25 + 2 * 0.25) / 3) / 0.5)  # 1, 1, 0, 0 in four seconds
    assert found.cached_fraction == pytest.approx(15 / 60)
    assert found.correlation == pytest.approx(1.0)
    assert found.single_token_fraction == pytest.approx(1 / 3)


# --- generation -------------------------------------------------------------------------------------------------------


def test_changing_one_stream_leaves_the_others_alone() -> None:
    lengths = synthetic.lengths_of("azure-2023-conversation")
    base = generate(7, Arrivals(5.0), lengths, count=300)
    burst = generate(7, Arrivals(9.0, cv2=30.0), lengths, count=300)
    assert np.array_equal(base.prompt_tokens, burst.prompt_tokens)
    assert np.array_equal(base.output_tokens, burst.output_tokens)
    assert not np.array_equal(base.arrival_s, burst.arrival_s)
    other = generate(7, Arrivals(5.0), Independent(constant_lengths(9), lengths.outputs), count=300)
    assert np.array_equal(base.arrival_s, other.arrival_s)
    assert np.array_equal(base.output_tokens, other.output_tokens)
    again, seed = generate(7, Arrivals(5.0), lengths, count=300), generate(8, Arrivals(5.0), lengths, count=300)
    assert np.array_equal(base.arrival_s, again.arrival_s)
    assert not np.array_equal(base.prompt_tokens, seed.prompt_tokens)
    longer = generate(7, Arrivals(5.0), lengths, count=20_000)
    for name in ("arrival_s", "prompt_tokens", "output_tokens"):
        assert np.array_equal(getattr(longer, name)[:300], getattr(base, name))


def test_no_request_in_a_short_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="no request comes within 1e-09 s"):
        generate(0, Arrivals(1.0), Independent(constant_lengths(9), constant_lengths(9)), duration_s=1e-9)


def test_the_shipped_trace_is_what_the_generator_draws() -> None:
    assert synthetic.FILE.read_bytes() == synthetic.text().encode()
    shipped, drawn = read_trace(synthetic.FILE), synthetic.requests()
    assert shipped.count == 2000
    assert np.array_equal(shipped.prompt_tokens, drawn.prompt_tokens)
    assert np.allclose(shipped.arrival_s, drawn.arrival_s - drawn.arrival_s[0], atol=2e-6)
    assert shipped.rate_per_s == pytest.approx(5.5, rel=3 * math.sqrt(1.2 / 2000))
