"""What a measured power says beside the statistics: quantiles by block bootstrap, and caps it would have met."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiplan.planners.power.bootstrap import block_steps, bootstrap_servers, bootstrap_sum
from aiplan.planners.power.build import Values
from aiplan.planners.power.capping import cap_events
from aiplan.planners.power.case import Case
from aiplan.planners.power.multiplexing import exceedance, quantile_w, sum_moments

PROBABILITIES = (0.95, 0.99, 0.999)
MORE = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Servers over those by nameplate for which caps are counted [1]."""
DRAWS = 200


def trace_rows(case: Case, values: Values, servers: int) -> list[dict[str, Any]]:
    """Quantiles of the sum of the servers that were measured: bootstrap with its band, and by the shape of the tail.

    The rating over the quantile says how many servers the same feed would have carried. Beside it the servers of the
    class behind the fullest node, drawn from those measured, all in step.

    Parameters
    ----------
    servers : of the class behind the node [1]
    """
    assert case.traced is not None  # noqa: S101 - a trace is read with its class
    power = case.trace.server_w
    total = power.sum(axis=1)
    block, seed = block_steps(total), case.inputs.uncertainty.seed
    wanted = np.array(PROBABILITIES)
    drawn = bootstrap_sum(total, wanted, block=block, draws=DRAWS, seed=seed)
    node = bootstrap_servers(power, [servers], wanted, block=block, draws=DRAWS, seed=seed) if servers else None
    rating = values["power.trace_rated_w"] * power.shape[1]
    by_moments = quantile_w(sum_moments([case.traced[1]]), wanted, case.inputs.power.tail)
    return [
        {
            "probability": probability,
            "measured_kw": float(np.quantile(total, probability)) / 1e3,
            "bootstrap_low_kw": float(drawn.low_w[place]) / 1e3,
            "bootstrap_high_kw": float(drawn.high_w[place]) / 1e3,
            "by_moments_kw": float(by_moments[place]) / 1e3,
            "servers_factor": rating / float(np.quantile(total, probability)),
            "node_servers": servers,
            "node_low_kw": None if node is None else float(node.low_w[place]) / 1e3,
            "node_kw": None if node is None else float(node.quantile_w[place]) / 1e3,
            "node_high_kw": None if node is None else float(node.high_w[place]) / 1e3,
        }
        for place, probability in enumerate(PROBABILITIES)
    ]


def cap_rows(case: Case, values: Values) -> list[dict[str, Any]]:
    """Caps that the measured sum would have met behind a feed sized for more servers than its rating carries.

    Counted on the trace, with the band of its bootstrap, and by the moments.
    """
    assert case.traced is not None  # noqa: S101 - a trace is read with its class
    total = case.trace.server_w.sum(axis=1)
    rating = values["power.trace_rated_w"] * case.trace.server_w.shape[1]
    capacities = rating / (1.0 + np.array(MORE))
    drawn = bootstrap_sum(total, PROBABILITIES, block=block_steps(total), draws=DRAWS,
                          seed=case.inputs.uncertainty.seed, capacities_w=capacities)  # fmt: skip
    by_moments = exceedance(sum_moments([case.traced[1]]), capacities, case.inputs.power.tail)
    out = []
    for place, (more, capacity) in enumerate(zip(MORE, capacities.tolist(), strict=True)):
        counted = cap_events(total, capacity, case.trace.step_s)
        out.append(
            {
                "more_fraction": more,
                "capacity_kw": capacity / 1e3,
                "over_fraction": counted.share,
                "bootstrap_low_fraction": float(drawn.exceedance_low[place]),
                "bootstrap_high_fraction": float(drawn.exceedance_high[place]),
                "by_moments_fraction": float(by_moments[place]),
                "events": counted.events,
                "longest_s": counted.longest_s,
                "capped_energy_kwh": counted.capped_energy_wh / 1e3,
                "deepest_fraction": counted.deepest_fraction,
            }
        )
    return out
