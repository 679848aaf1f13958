"""Draws of the recipe of Oviedo et al. (arXiv:2509.20241), written out a second time as an oracle.

Only NumPy and the published constants of the authors' code (8xH100, v2) are used, nothing of the planner.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

DRAWS = 200_000
Z95 = 1.645
# node kW, then throughput: (b0, b1, b2, cap) of the log-linear law, or a constant rate
MODELS: dict[str, tuple[float, tuple[float, ...]]] = {
    "deepseek-r1": (12.8, (10.559, -0.539, -0.005, 1300.0)),
    "llama-3.1-405b": (10.2, (9.762, -0.585, 0.227, 4572.23)),
    "nemotron-ultra-253b": (10.2, (5200.0,)),
}
INPUT_TOKENS = 500
MEDIAN_OUTPUT = {"short": 300, "long": 5000}


def lognormal(rng: np.random.Generator, p5: float, p95: float, size: int) -> Array:
    sigma = np.log(p95 / p5) / (2 * Z95)
    return np.exp(np.log(p5 * p95) / 2 + sigma * rng.standard_normal(size))


def rate(law: tuple[float, ...], output_tokens: Array) -> Array:
    if len(law) == 1:
        return np.full_like(output_tokens, law[0])
    b0, b1, b2, cap = law
    log_rate = b0 + b1 * np.log(INPUT_TOKENS) + b2 * np.log(np.maximum(output_tokens, 1e-6))
    return np.minimum(np.exp(log_rate), cap)


@cache
def model_energies(regime: str, seed: int = 7) -> tuple[Array, ...]:
    """Untrimmed Wh per query of each model."""
    rng = np.random.default_rng(seed)
    energies = []
    for node_kw, law in MODELS.values():
        tokens = np.round(rng.exponential(MEDIAN_OUTPUT[regime] / np.log(2), DRAWS))
        power_fraction = lognormal(rng, 0.4, 0.9, DRAWS)
        pue = lognormal(rng, 1.05, 1.6, DRAWS)
        energies.append(pue * node_kw * power_fraction * tokens / (3.6 * rate(law, tokens)))
    return tuple(energies)


def trim(energy_wh: Array) -> Array:
    """P5-P95 of the draws, then P10-P90 of what is left."""
    for low, high in ((5, 95), (10, 90)):
        below, above = np.percentile(energy_wh, (low, high))
        energy_wh = energy_wh[(energy_wh >= below) & (energy_wh <= above)]
    return energy_wh


def trimmed_blend(regime: str) -> Array:
    return np.concatenate([trim(energy_wh) for energy_wh in model_energies(regime)])


def untrimmed_blend(regime: str) -> Array:
    return np.concatenate(model_energies(regime))
