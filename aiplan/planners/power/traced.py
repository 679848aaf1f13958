"""What a measured power says beside the statistics: quantiles by block bootstrap, and caps it would have met."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.power.bootstrap import block_steps, bootstrap_sum
from aiplan.planners.power.build import Values
from aiplan.planners.power.case import Case
from aiplan.planners.power.multiplexing import quantile_w, sum_moments

PROBABILITIES = (0.95, 0.99, 0.999)
DRAWS = 200


def trace_rows(case: Case, values: Values) -> list[dict[str, Any]]:
    """Quantiles of the sum of the servers that were measured: bootstrap with its band, and by the shape of the tail.

    The rating over the quantile says how many servers the same feed would have carried.
    """
    assert case.traced is not None  # noqa: S101 - a trace is read with its class
    servers = case.trace.server_w
    total = servers.sum(axis=1)
    block = block_steps(total)
    drawn = bootstrap_sum(total, np.array(PROBABILITIES), block=block, draws=DRAWS, seed=case.inputs.uncertainty.seed)
    method = case.inputs.power.tail
    rating = values["power.trace_rated_w"] * servers.shape[1]
    by_moments = quantile_w(sum_moments([case.traced[1]]), np.array(PROBABILITIES), method)
    return [
        {
            "probability": probability,
            "measured_kw": float(np.quantile(total, probability)) / 1e3,
            "bootstrap_low_kw": float(drawn.low_w[place]) / 1e3,
            "bootstrap_high_kw": float(drawn.high_w[place]) / 1e3,
            "by_moments_kw": float(by_moments[place]) / 1e3,
            "servers_factor": rating / float(np.quantile(total, probability)),
        }
        for place, probability in enumerate(PROBABILITIES)
    ]
