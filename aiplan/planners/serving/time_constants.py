"""Constants of the time model: what a data sheet does not say about kernels, engines and schedulers.

They come from a calibration of the catalog (kind ``calibrations``), which says on which rows they were fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array

ENGINE_FACTORS = ("overhead", "compute", "first_token_s", "first_token_steps")
"""What differs between engines: factor on the time per layer, factor on matrix rates, and what comes before the
first token beside its prefill: seconds, and decode steps that streaming and scheduling wait."""


@dataclass(frozen=True, slots=True)
class TimeConstants:
    """Effective values, identifiable only together; none of them is a property of silicon.

    Attributes
    ----------
    compute_efficiency : share of peak FLOP/s of a matrix product that nothing else limits [1]
    memory_efficiency : share of memory bandwidth at which weights are read [1]
    feed_ratio : products run at ``1 / (1 + r / feed_ratio)`` of their rate, r being the rate over BF16's: the faster
        the units, the harder they are to feed [1]
    expert_feed_ratio : the same, once more, for routed experts [1]
    expert_tokens : tokens per expert at which its product reaches half its rate [1]
    expert_imbalance : time of experts over that of even routing, for models of 32 experts and more; on one device too,
        so that it stands for more than the busiest device [1]
    expert_traffic_bytes : moved per token, active expert and hidden value, beside the products [B]
    elementwise_bytes : moved per token, layer and hidden value by norms, residuals and activations [B]
    cache_read_factor : time to read the cache over that of as many bytes of weights [1]
    attention_efficiency : share of BF16 peak that attention products reach [1]
    layer_overhead_s : per layer and pass, what neither memory nor arithmetic explain [s]
    step_overhead_s : per decode step [s]
    sequence_overhead_s : per decode step and sequence: sampling, scheduling, detokenising [s]
    link_latency_s : of one collective over the fast links [s]
    link_efficiency : share of link bandwidth that collectives reach [1]
    speculative_factor : time per token with speculative decoding over that without [1]
    rank_wait_steps : decode steps that a request waits where ranks of attention data parallelism start together [1]
    engines : factors by engine, see `ENGINE_FACTORS`; ``other`` for engines not fitted
    """

    compute_efficiency: float
    memory_efficiency: float
    feed_ratio: float
    expert_feed_ratio: float
    expert_tokens: float
    expert_imbalance: float
    expert_traffic_bytes: float
    elementwise_bytes: float
    cache_read_factor: float
    attention_efficiency: float
    layer_overhead_s: float
    step_overhead_s: float
    sequence_overhead_s: float
    link_latency_s: float
    link_efficiency: float
    speculative_factor: float
    rank_wait_steps: float
    engines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def factor(self, name: str, engine: str) -> float:
        """A factor of an engine, that of ``other`` where the engine has none."""
        return float(self.engines.get(engine, self.engines["other"])[name])

    def factors(self, name: str, engines: Sequence[str]) -> Array:
        """A factor of many rows' engines, shape (rows,)."""
        known = {engine: self.factor(name, engine) for engine in set(engines)}
        return np.array([known[engine] for engine in engines], dtype=np.float64)


NAMES = tuple(one.name for one in fields(TimeConstants) if one.name != "engines")


def constants_of(calibration: Any) -> TimeConstants:
    """Constants of a catalog entry of kind ``calibrations``."""
    return TimeConstants(
        **{name: float(calibration.constants[name]) for name in NAMES},
        engines={name: dict(row) for name, row in calibration.engines.items()},
    )
