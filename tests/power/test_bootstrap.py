"""Block bootstrap: coverage, correlation kept, block lengths against closed forms, and what it cannot exceed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.bootstrap import (
    autocorrelation,
    block_steps,
    bootstrap_servers,
    bootstrap_sum,
    groups_of,
    period_steps,
    politis_white_steps,
)

Floats = npt.NDArray[np.float64]


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def autoregressive(phi: float, size: int, seed: int) -> Floats:
    noise = generator(seed).standard_normal(size)
    trace = np.empty(size)
    trace[0] = noise[0] / math.sqrt(1 - phi**2)
    for step in range(1, size):
        trace[step] = phi * trace[step - 1] + noise[step]
    return 100.0 + trace


def test_autocorrelation_is_the_direct_sum() -> None:
    trace = autoregressive(0.6, 200, 1)
    away = trace - trace.mean()
    direct = [np.sum(away[lag:] * away[: 200 - lag]) / np.sum(away**2) for lag in range(200)]
    assert autocorrelation(trace) == pytest.approx(direct, abs=1e-12)
    assert autocorrelation(np.full(20, 3.3)).tolist() == [1.0] + [0.0] * 19


@pytest.mark.parametrize("phi", [0.3, 0.6, 0.8])
def test_the_block_length_is_that_of_theory_for_an_autoregressive_trace(phi: float) -> None:
    """``(3/2 (2 phi/(1 - phi^2))^2 T)^(1/3)``: G and the spectrum at 0 in closed form."""
    size = 20_000
    expected = (1.5 * (2 * phi / (1 - phi**2)) ** 2 * size) ** (1 / 3)
    found = [politis_white_steps(autoregressive(phi, size, seed)) for seed in range(10)]
    assert np.mean(found) == pytest.approx(expected, rel=0.15)


def test_noise_wants_short_blocks() -> None:
    assert np.median([politis_white_steps(generator(seed).standard_normal(2_000)) for seed in range(9)]) <= 5


def test_the_period_is_found_and_covered_by_a_block() -> None:
    """Steps of 5 in blocks of 71, as the training job has them: the longer one counts."""
    time = np.arange(1_500)
    trace = np.where(time % 71 < 6, 400.0, 450.0) - 10.0 * (time % 5 == 0) + generator(2).standard_normal(1_500)
    assert period_steps(trace) == 71
    assert block_steps(trace) >= 71
    assert block_steps(trace, 200) >= 200
    assert period_steps(generator(3).standard_normal(1_500)) is None
    assert period_steps(np.full(100, 5.0)) is None
    assert period_steps(np.linspace(1.0, 2.0, 100)) is None


def test_bands_hold_the_truth_as_often_as_they_say() -> None:
    """90 % bands of the median of an autoregressive trace, 120 traces; single samples for blocks hold it too rarely."""
    size, hits, naive = 600, 0, 0
    for seed in range(120):
        trace = autoregressive(0.7, size, 1_000 + seed)
        for block in (politis_white_steps(trace), 1):
            found = bootstrap_sum(trace, 0.5, block=block, draws=200, seed=seed)
            inside = bool(found.low_w[0] <= 100.0 <= found.high_w[0])
            hits, naive = hits + (inside and block > 1), naive + (inside and block == 1)
    assert 0.78 <= hits / 120 <= 0.97
    assert naive / 120 < 0.7


def test_one_sample_blocks_are_the_plain_bootstrap() -> None:
    """Exceedance is then binomial: mean p, s.d. sqrt(p (1 - p)/T)."""
    trace = generator(4).uniform(0, 1, 400)
    found = bootstrap_sum(trace, 0.5, block=1, draws=4000, capacities_w=[0.8], seed=1)
    p = float(np.mean(trace > 0.8))
    sd = math.sqrt(p * (1 - p) / 400)
    assert found.exceedance[0] == pytest.approx(p, abs=4 * sd / math.sqrt(4000))
    assert found.exceedance_high[0] - found.exceedance_low[0] == pytest.approx(2 * 1.645 * sd, rel=0.1)


def test_a_block_as_long_as_the_trace_gives_the_trace() -> None:
    trace = autoregressive(0.5, 100, 5)
    found = bootstrap_sum(trace, [0.0, 0.3, 1.0], block=100, draws=20)
    assert found.low_w == pytest.approx(np.quantile(trace, [0.0, 0.3, 1.0]), rel=1e-12)
    assert found.high_w == pytest.approx(found.low_w, rel=1e-12)


@given(st.integers(16, 80), st.integers(1, 80), st.integers(1, 30), st.integers(0, 5))
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
def test_nothing_exceeds_what_was_measured(size: int, block: int, draws: int, seed: int) -> None:
    trace = generator(seed).gamma(2.0, 100.0, size)
    found = bootstrap_sum(trace, [0.0, 0.5, 1.0], block=min(block, size), draws=draws, seed=seed)
    assert trace.min() <= found.low_w[0]
    assert found.peak_w <= trace.max()
    assert np.all(found.low_w <= found.quantile_w + 1e-9)
    assert np.all(found.quantile_w <= found.high_w + 1e-9)
    assert np.all(np.diff(found.quantile_w) >= 0)


def test_a_seed_gives_the_same_bytes() -> None:
    trace = autoregressive(0.5, 200, 6)
    one, two, other = (bootstrap_sum(trace, 0.9, block=10, draws=50, seed=seed).quantile_w[0] for seed in (1, 1, 2))
    assert one == two
    assert one != other


# ---- servers ----


def job(servers: int, size: int, rho: float, seed: int) -> Floats:
    draw = generator(seed)
    shared, own = draw.standard_normal((size, 1)), draw.standard_normal((size, servers))
    return np.asarray(100.0 + 10.0 * (math.sqrt(rho) * shared + math.sqrt(1 - rho) * own))


def test_groups_keep_step_within_and_not_between() -> None:
    """``var = sum over groups of m s^2 (1 + (m - 1) rho')``, ``rho' = rho + (1 - rho)/n`` for copies."""
    power = job(12, 1_200, 0.6, 7)
    s2 = float(np.mean(np.var(power, axis=0)))
    rho = (np.var(power.sum(axis=1)) / (12 * s2) - 1) / 11
    copies = rho + (1 - rho) / 12
    for groups in ([30], [15, 15], [1] * 30, [20, *[1] * 10]):
        found = bootstrap_servers(power, groups, [0.5], block=20, draws=150, seed=8)
        expected = math.sqrt(sum(m * s2 * (1 + (m - 1) * copies) for m in groups))
        assert found.sd_w == pytest.approx(expected, rel=0.04)
        assert found.mean_w == pytest.approx(30 * power.mean(), rel=2e-3)


def test_more_in_step_is_a_higher_tail() -> None:
    power = job(10, 800, 0.8, 9)
    tails = [
        bootstrap_servers(power, groups_of(40, share), [0.999], block=10, draws=60, seed=1).quantile_w[0]
        for share in (0.0, 0.3, 0.6, 1.0)
    ]
    assert np.all(np.diff(tails) > 0)
    assert tails[-1] <= 40 * power.max()


def test_one_server_in_one_group_is_the_bootstrap_of_that_server() -> None:
    power = np.tile(autoregressive(0.5, 300, 10)[:, None], (1, 3))
    found = bootstrap_servers(power, [1], [0.9], block=12, draws=300, seed=3, capacities_w=[101.0])
    alone = bootstrap_sum(power[:, 0], [0.9], block=12, draws=300, seed=4, capacities_w=[101.0])
    assert found.quantile_w[0] == pytest.approx(alone.quantile_w[0], abs=0.05)
    assert found.exceedance[0] == pytest.approx(alone.exceedance[0], abs=0.02)


@pytest.mark.parametrize(
    ("count", "share", "groups"),
    [(4, 0.0, [1, 1, 1, 1]), (4, 1.0, [4]), (4, 0.5, [2, 1, 1]), (3, 0.5, [2, 1]), (1, 0.4, [1])],
)
def test_shares_in_step(count: int, share: float, groups: list[int]) -> None:
    assert groups_of(count, share) == groups


def test_impossible_questions_are_refused() -> None:
    trace = np.linspace(1, 2, 30)
    for change in ({"block": 0}, {"block": 31}, {"draws": 0}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            bootstrap_sum(trace, 0.9, **{"block": 3, **change})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="probabilities"):
        bootstrap_sum(trace, 1.1, block=3)
    with pytest.raises(ValueError, match="at least 16"):
        bootstrap_sum(trace[:10], 0.9, block=3)
    with pytest.raises(ValueError, match="finite"):
        bootstrap_sum([*trace, math.nan], 0.9, block=3)
    with pytest.raises(ValueError, match="two axes"):
        bootstrap_servers(trace, [1], 0.9, block=3)
    with pytest.raises(ValueError, match="groups"):
        bootstrap_servers(trace[:, None], [], 0.9, block=3)
    with pytest.raises(ValueError, match="synchronised_share"):
        groups_of(3, 1.5)
    with pytest.raises(ValueError, match="period"):
        block_steps(trace, 31)
