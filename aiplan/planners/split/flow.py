"""Pools known by their token rates alone: how many machines carry the tokens of a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.split.analytic_flow import token_rate_pools
from aiplan.planners.split.inputs import TokenRates

SECONDS_PER_DAY = 86_400.0
HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True)
class Flow:
    """Machines that carry a day's tokens at full use.

    Attributes
    ----------
    prompts, tokens : prompt and token machines, unrounded [1]
    prompt_units, token_units : whole units of them [1]
    usd_per_day : rent of the unrounded machines [USD/day]
    usd_per_million_output_tokens : of it, over the answer tokens [USD/M tokens]
    power_w : of the unrounded machines; NaN where unknown [W]
    """

    prompts: float
    tokens: float
    prompt_units: int
    token_units: int
    usd_per_day: float
    usd_per_million_output_tokens: float
    power_w: float

    @property
    def machines(self) -> float:
        """Both pools, unrounded [1]."""
        return self.prompts + self.tokens


def balance(rates: TokenRates) -> Flow:
    """Machines, dollars and watts of two pools; see `analytic_flow.token_rate_pools`.

    There is no queue in it: machines are busy all of the time, so it is a lower bound.
    """
    prompts, tokens = token_rate_pools(
        rates.input_tokens_per_day.value / SECONDS_PER_DAY,
        rates.output_tokens_per_day.value / SECONDS_PER_DAY,
        rates.input_tokens_per_s.value,
        rates.output_tokens_per_s.value,
        rates.cache_hit_fraction.value if rates.cache_hit_fraction is not None else 0.0,
        rate_counts_hits=rates.counts_cache_hits,
    )
    usd = (prompts + tokens) * rates.accelerator_count * rates.accelerator_usd_per_h.value * HOURS_PER_DAY
    return Flow(
        prompts=prompts,
        tokens=tokens,
        prompt_units=int(np.ceil(prompts / rates.prompt_unit_machines)),
        token_units=int(np.ceil(tokens / rates.token_unit_machines)),
        usd_per_day=usd,
        usd_per_million_output_tokens=usd / (rates.output_tokens_per_day.value / 1e6),
        power_w=(prompts + tokens) * rates.machine_w.value if rates.machine_w is not None else float("nan"),
    )
