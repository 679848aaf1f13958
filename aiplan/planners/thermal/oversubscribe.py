"""How many more servers the rows of a hall carry: by replay, and by the moments of their power."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.power.multiplexing import ServerClass, servers_at
from aiplan.planners.thermal.hall import HOURS, Floats, Hall, Ints, Vms
from aiplan.planners.thermal.model import server_power_w
from aiplan.planners.thermal.placement_problem import placement_problem
from aiplan.planners.thermal.placement_search import by_load, fill
from aiplan.planners.thermal.placement_state import State
from aiplan.planners.thermal.simulate import Rules, Run, simulate
from aiplan.planners.thermal.synthetic import Demand, stream

UNBOUND = 4.0
"""Factor on all limits under which a placement balances and warms least, whatever limits say."""
HANDFUL = 0.5


@dataclass(frozen=True, slots=True)
class Wider:
    """A hall with servers added, and the VMs in them."""

    hall: Hall
    demand: Demand


@dataclass(frozen=True, slots=True)
class Level:
    """Replays with servers added.

    Attributes
    ----------
    added : share of servers added, as far as rows hold whole servers
    servers : in the hall
    packed, random, levers : VMs of an endpoint side by side; by chance; placed, routed and reconfigured
    """

    added: float
    servers: int
    packed: Run
    random: Run
    levers: Run


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most servers by replay.

    Attributes
    ----------
    added : largest share of servers added that keeps to both risks; 0 where none does
    binding : what the next larger one breaks: "row power", "temperature", or "" where the search ended
    """

    added: float
    binding: str


@dataclass(frozen=True, slots=True)
class ByMoments:
    """Servers of a row by the moments of their power.

    Attributes
    ----------
    mean_w, sd_w, rho : of one server's power, and the correlation of two
    servers : (R,) servers each row carries; `added` their sum over the slots there are, less 1
    """

    mean_w: float
    sd_w: float
    rho: float
    servers: Ints
    added: float


def packed_slots(vms: Vms) -> Ints:
    """VMs of an endpoint side by side from the first row on, opaque VMs behind them; (V,)."""
    order = np.argsort(np.where(vms.saas, vms.endpoint, np.iinfo(np.int64).max), kind="stable")
    slots = np.empty(vms.count, dtype=np.int64)
    slots[order] = np.arange(vms.count)
    return slots


def random_slots(hall: Hall, vms: Vms, seed: int) -> Ints:
    """Slots by chance, (V,)."""
    return stream(seed, 20).permutation(hall.slots)[: vms.count].astype(np.int64)


def balanced_slots(hall: Hall, vms: Vms, outside_c: float) -> Ints:
    """Slots by the greedy placement with all limits out of the way, so that every VM has one; (V,)."""
    problem = placement_problem(hall, vms, outside_c)
    wide = replace(problem, budget_w=problem.budget_w * UNBOUND, supply_cfm=problem.supply_cfm * UNBOUND,
                   limit_c=problem.limit_c * UNBOUND)  # fmt: skip
    state = State(wide)
    fill(state, by_load(wide))
    return np.asarray(state.slots(), dtype=np.int64)


def levers_run(wider: Wider, outside_c: float, rules: Rules) -> Run:
    """Replay with all three levers."""
    slots = balanced_slots(wider.hall, wider.demand.vms, outside_c)
    return _run(wider, slots, rules, levers=True)


def _run(wider: Wider, slots: Ints, rules: Rules, *, levers: bool = False) -> Run:
    asked = wider.demand
    return simulate(wider.hall, asked.vms, slots, asked.load, asked.outside_c, asked.step_s, route=levers,
                    configure=levers, rules=rules)  # fmt: skip


def try_levels(
    widen: Callable[[float], Wider], levels: Sequence[float], slots: int, outside_c: float, rules: Rules, seed: int
) -> list[Level]:
    """Replay each level under the three policies; `slots` is what the hall has now."""
    found = []
    for asked in levels:
        wider = widen(asked)
        hall, vms = wider.hall, wider.demand.vms
        found.append(
            Level(
                (hall.slots - slots) / slots,
                hall.slots,
                _run(wider, packed_slots(vms), rules),
                _run(wider, random_slots(hall, vms, seed), rules),
                levers_run(wider, outside_c, rules),
            )
        )
    return found


def breaks(run: Run, over_share: float, throttle_share: float) -> str:
    """Which risk a replay exceeds, empty for none."""
    if run.over_share > over_share:
        return "row power"
    return "temperature" if run.throttled_share > throttle_share else ""


def most_added(
    widen: Callable[[float], Wider],
    levels: Sequence[Level],
    slots_of_row: Ints,
    outside_c: float,
    rules: Rules,
    risks: tuple[float, float],
) -> Capacity:
    """Largest share of servers added that keeps to both risks, to a server in the longest row.

    Looked for between the last level that keeps to them and the first that does not; above all levels nothing is tried.
    """
    kept, binding, limit = 0.0, "", None
    for level in sorted(levels, key=lambda one: one.added):
        binding = breaks(level.levers, *risks)
        if binding:
            limit = level.added
            break
        kept = max(kept, level.added)
    if limit is None:
        return Capacity(kept, "")
    slots = int(slots_of_row.sum())
    step = 1.0 / float(slots_of_row.max())
    while limit - kept > (1.0 + HANDFUL) * step:
        middle = round((kept + limit) / 2.0 / step) * step
        wider = widen(middle)
        added = (wider.hall.slots - slots) / slots
        if not kept < added < limit:
            break
        broken = breaks(levers_run(wider, outside_c, rules), *risks)
        kept, limit, binding = (kept, added, broken) if broken else (added, limit, binding)
    return Capacity(kept, binding)


def by_moments(hall: Hall, demand: Demand, probability: float, *, peak_hour: bool = False) -> ByMoments:
    """Servers each row carries by mean, spread and correlation of their power.

    Parameters
    ----------
    probability : that a row stays below its budget, above 0.5
    peak_hour : take the moments of the hour of day in which the hall draws most, not of all hours

    What a row holds counts as drawn by chance from all VMs; placement and levers do better.
    """
    power = server_power_w(hall, demand.load)
    if peak_hour:
        hour = (np.arange(power.shape[1]) * demand.step_s / 3600.0).astype(np.int64) % HOURS
        total = np.bincount(hour, power.sum(axis=0), HOURS) / np.maximum(np.bincount(hour, minlength=HOURS), 1)
        power = power[:, hour == int(np.argmax(total))]
    mean, sd, rho = moments_of(power)
    # Servers of a sample may oppose each other a little; however many are added, they would not go on doing so.
    one = ServerClass(1, mean, sd, peak_w=hall.max_w, rho=max(rho, 0.0), floor_w=hall.idle_w)
    servers = servers_at([one], hall.row_budget_w, probability, "normal")
    return ByMoments(mean, sd, rho, servers, float((servers.sum() - hall.slots) / hall.slots))


def moments_of(power_w: Floats) -> tuple[float, float, float]:
    """Mean and standard deviation of a server picked by chance at any time, and the correlation of two; (V, T) [W].

    >>> mean, sd, rho = moments_of(np.array([[1.0, 3.0], [1.0, 3.0]]))
    >>> (mean, sd, rho)
    (2.0, 1.0, 1.0)
    """
    count = power_w.shape[0]
    mean, variance = float(power_w.mean()), float(power_w.var())
    if variance == 0.0 or count == 1:
        return mean, float(np.sqrt(variance)), 0.0
    # Var of the sum over VMs at one time, whoever the VMs are, less what they vary by on their own.
    total = float(power_w.sum(axis=0).var())
    own = float(((power_w - mean) ** 2).sum() / power_w.shape[1])
    covariance = (total - own) / (count * (count - 1))
    return mean, float(np.sqrt(variance)), min(covariance / variance, 1.0)
