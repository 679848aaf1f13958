"""The pool of instances that serves classes of requests at least power: how many of each parallelism and frequency.

    min sum n[k,c] P[k,c]   s.t.  sum_c n[k,c] theta[k,c] + unmet_k >= demand_k,  sum n[k,c] gpus[c] <= GPUs,  n whole

after the least unmet demand. The form is DynamoLLM's (arXiv 2408.00741) as restated in the project's notes; classes
are kinds of requests by input and output length. Choices that miss the latency promise are to be left out before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.thermal.hall import Floats, Ints

OPTIMAL, UNPROVEN = "optimal", "stopped before a proof"


@dataclass(frozen=True, slots=True)
class Pool:
    """Instances of each choice.

    Attributes
    ----------
    count : (K, C) instances by class and choice
    unmet : (K,) demand no instance serves, in the unit of demand
    power_w : of all instances [W]
    bound_w : no pool that serves as much draws less [W]
    gpus : GPUs in use
    status : "optimal", or "stopped before a proof"
    """

    count: Ints
    unmet: Floats
    power_w: float
    bound_w: float
    gpus: int
    status: str


def least_power_pool(
    rate: Floats, power_w: Floats, gpus_each: Ints, demand: Floats, gpus: int, *, time_limit_s: float = 30.0
) -> Pool:
    """Serve as much as the GPUs can, with least power among pools that do.

    Parameters
    ----------
    rate : (K, C) load of class k one instance of choice c serves; 0 where it may not
    power_w : (K, C) its power at that load [W]
    gpus_each : (C,) GPUs of an instance
    demand : (K,) in the unit of `rate`
    gpus : GPUs there are
    time_limit_s : of each of two solver runs [s]

    Raises ValueError for negative numbers and instances without a GPU.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack, kron

    require(rate >= 0, "rates must not be negative")
    require((power_w >= 0) & np.isfinite(power_w), "power must not be negative")
    require(gpus_each >= 1, "an instance needs a GPU")
    require((demand >= 0) & (np.asarray(gpus) >= 0), "demand and GPUs must not be negative")
    classes, choices = rate.shape
    unit = np.where(demand > 0, demand, 1.0)
    columns = classes * choices
    serve = hstack([kron(eye_array(classes), np.ones((1, choices))).multiply((rate / unit[:, None]).ravel()),
                    eye_array(classes)], format="csr")  # fmt: skip
    hold = csr_array(np.r_[np.tile(gpus_each, classes), np.zeros(classes)][None, :].astype(np.float64))
    # More instances of one choice than its class needs never help.
    needed = np.where(rate > 0, np.ceil(demand[:, None] / np.where(rate > 0, rate, 1.0)), 0.0).ravel()
    upper = np.r_[np.minimum(needed, np.tile(gpus // gpus_each, classes)), np.where(demand > 0, 1.0, 0.0)]
    whole = np.r_[np.ones(columns), np.zeros(classes)]
    rules = [LinearConstraint(serve, (demand > 0).astype(float), np.inf), LinearConstraint(hold, 0.0, float(gpus))]
    watts = max(float(power_w.max(initial=0.0)), 1.0)
    unmet_cost = np.r_[np.zeros(columns), np.where(demand > 0, unit, 0.0) / unit.max(initial=1.0)]
    costs = (unmet_cost, np.r_[power_w.ravel() / watts, np.zeros(classes)])
    count, bound, proven = np.zeros((classes, choices), dtype=np.int64), 0.0, True
    for cost in costs:
        found = milp(cost, constraints=rules, integrality=whole, bounds=Bounds(0.0, upper),
                     options={"time_limit": time_limit_s, "mip_rel_gap": 1e-9})  # fmt: skip
        proven = proven and found.status == 0
        if found.x is None:
            break
        count = np.rint(found.x[:columns]).astype(np.int64).reshape(rate.shape)
        bound = max(0.0, float(found.mip_dual_bound)) * watts
        rules.append(LinearConstraint(cost[None, :], -np.inf, found.fun + 1e-9))
    power = float((count * power_w).sum())
    return Pool(
        count, np.maximum(demand - (count * rate).sum(axis=1), 0.0), power, min(bound, power) if proven else 0.0,
        int((count * gpus_each).sum()), OPTIMAL if proven else UNPROVEN,
    )  # fmt: skip
