"""Which configuration each SaaS VM runs: model size, quantisation, parallelism, frequency, batch.

Of all choices within power of rows, air of aisles, temperature of GPUs and latency, the first in this order: least
unmet demand, least loss of quality, least loss of performance, least power. The problem is that of TAPAS (arXiv
2501.02600) as restated in the project's notes; directions of the effects are second-hand, numbers are the user's.

Lower power is not lower temperature: the same work on fewer GPUs draws less in all and more in each. So a row's
power is checked by `server_w` and a GPU's temperature by `gpu_w_max`, apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import require
from aiplan.planners.thermal.hall import Bools, Floats, Hall, Ints
from aiplan.planners.thermal.model import airflow_cfm

STOPPED = -1
"""The choice of a VM that serves nothing."""
RELOAD_S, FREQUENCY_S, HORIZON_S = 60.0, 0.1, 1800.0
"""Service lost by loading a model and by a change of frequency, and time a choice lasts; assumed [s]."""
STAGES = ("unmet", "quality", "performance", "power")


@dataclass(frozen=True, slots=True)
class Configurations:
    """A table of configurations, C of them, at the load each is used at.

    Attributes
    ----------
    name : (C,)
    loaded : (C,) what is loaded; two configurations with the same number differ in frequency only
    tokens_s : (C,) throughput [token/s]
    server_w : (C,) power of the server [W]
    gpu_w_max : (C,) power of its most loaded GPU [W]
    airflow_cfm : (C,) [CFM]
    quality : (C,) index, 1 for the full model [1]
    ttft_ms, tpot_ms : (C,) latencies [ms]
    """

    name: tuple[str, ...]
    loaded: Ints
    tokens_s: Floats
    server_w: Floats
    gpu_w_max: Floats
    airflow_cfm: Floats
    quality: Floats
    ttft_ms: Floats
    tpot_ms: Floats


@dataclass(frozen=True, slots=True)
class ConfigurationProblem:
    """I SaaS VMs of E endpoints in R rows and A aisles.

    Attributes
    ----------
    table : the C configurations; every VM may run each that its endpoint's latency and its slot's heat allow
    endpoint, row : (I,)
    now : (I,) configuration that runs, STOPPED for none
    demand_tokens_s : (E,) [token/s]
    ttft_limit_ms, tpot_limit_ms : (E,) [ms]
    base_c : (I,) temperature of the slot's hottest GPU at no GPU power, margin included [C]
    warmth_c_per_w : b [K/W]
    limit_c : [C]
    fixed_w, budget_w : (R,) drawn by others, and allowed [W]
    aisle_of_row : (R,)
    fixed_cfm, supply_cfm : (A,) [CFM]
    stopped_w, stopped_cfm : of a server whose VM is stopped [W, CFM]
    reload_s, frequency_s, horizon_s : see the constants [s]
    """

    table: Configurations
    endpoint: Ints
    row: Ints
    now: Ints
    demand_tokens_s: Floats
    ttft_limit_ms: Floats
    tpot_limit_ms: Floats
    base_c: Floats
    warmth_c_per_w: float
    limit_c: float
    fixed_w: Floats
    budget_w: Floats
    aisle_of_row: Ints
    fixed_cfm: Floats
    supply_cfm: Floats
    stopped_w: float = 0.0
    stopped_cfm: float = 0.0
    reload_s: float = RELOAD_S
    frequency_s: float = FREQUENCY_S
    horizon_s: float = HORIZON_S


@dataclass(frozen=True, slots=True)
class Configured:
    """A choice for every VM.

    Attributes
    ----------
    choice : (I,) configuration, STOPPED for none
    unmet_tokens_s : (E,) [token/s]
    quality_loss : mean over VMs of 1 - Q, a stopped VM counting 0 (what it does not serve is unmet) [1]
    performance_loss : mean over VMs of throughput lost against the fastest its latency allows, reloading included [1]
    power_w : of all SaaS servers [W]
    bounds : least possible of each stage, for choices no worse in the stages before; same order and units
    status : "optimal", "heuristic", or "stopped before a proof"
    changed : (I,) true where the configuration changes
    lost_s : (I,) service lost by the change [s]
    row_w, aisle_cfm : (R,), (A,) [W, CFM]
    hottest_c : (I,) [C]
    over_rows, over_aisles : over their limit with all SaaS stopped; no choice helps, the rest is planned within
    """

    choice: Ints
    unmet_tokens_s: Floats
    quality_loss: float
    performance_loss: float
    power_w: float
    bounds: tuple[float, float, float, float]
    status: str
    changed: Bools
    lost_s: Floats
    row_w: Floats
    aisle_cfm: Floats
    hottest_c: Floats
    over_rows: tuple[int, ...]
    over_aisles: tuple[int, ...]

    @property
    def stages(self) -> tuple[float, float, float, float]:
        """(unmet, quality loss, performance loss, power), in the order in which they are minimised."""
        return float(self.unmet_tokens_s.sum()), self.quality_loss, self.performance_loss, self.power_w


def airflow_of_power_cfm(hall: Hall, server_w: Floats) -> Floats:
    """Air a server moves at a power: that of the load which draws as much [CFM].

    Assumes that fans follow heat whatever configuration makes it. Beyond the largest power it stays at the largest.
    """
    share = (server_w - hall.idle_w) / hall.dynamic_w
    return airflow_cfm(hall, np.interp(share, hall.curve_share, hall.curve_load))


def latency_allows(problem: ConfigurationProblem) -> Bools:
    """(I, C) configurations within TTFT and TPOT of each VM's endpoint."""
    table = problem.table
    ok = (table.ttft_ms <= problem.ttft_limit_ms[:, None]) & (table.tpot_ms <= problem.tpot_limit_ms[:, None])
    return np.asarray(ok[problem.endpoint])


def heat_allows(problem: ConfigurationProblem) -> Bools:
    """(I, C) configurations whose most loaded GPU stays within the limit in each VM's slot."""
    warm = problem.base_c[:, None] + problem.warmth_c_per_w * problem.table.gpu_w_max
    return np.asarray(warm <= problem.limit_c)


def lost_seconds(problem: ConfigurationProblem) -> Floats:
    """(I, C + 1) service lost when a VM changes to each configuration; the last column is stopping [s]."""
    table, now = problem.table, problem.now
    loaded = np.append(table.loaded, STOPPED)
    index = np.arange(loaded.size)
    lost = np.where(loaded[now][:, None] == loaded, problem.frequency_s, problem.reload_s)
    lost[:, -1] = 0.0
    return np.where(index == np.where(now < 0, loaded.size - 1, now)[:, None], 0.0, lost)


@dataclass(frozen=True, slots=True)
class Groups:
    """VMs that are alike: same row, endpoint, present and possible configurations; G groups, C + 1 choices.

    Attributes
    ----------
    of_vm : (I,) group of each VM
    size : (G,) VMs in each
    row, endpoint : (G,)
    allowed : (G, C + 1)
    tokens_s, power_w, air_cfm : (C + 1,) of each choice
    quality_loss, performance_loss : (G, C + 1) of one VM, as parts of the mean over all VMs
    """

    of_vm: Ints
    size: Ints
    row: Ints
    endpoint: Ints
    allowed: Bools
    tokens_s: Floats
    power_w: Floats
    air_cfm: Floats
    quality_loss: Floats
    performance_loss: Floats


def groups_of(problem: ConfigurationProblem) -> Groups:
    """The groups of a problem. Exchanging alike VMs changes nothing, so counting them loses nothing.

    Raises ValueError for numbers that cannot be.
    """
    table = problem.table
    require(table.tokens_s >= 0, "throughput must not be negative")
    require((table.quality >= 0) & (table.quality <= 1), "quality must lie between 0 and 1")
    require(problem.horizon_s > 0, "the horizon must be positive")
    require((problem.now >= STOPPED) & (problem.now < table.tokens_s.size), "now names an unknown configuration")
    fast = latency_allows(problem)
    allowed = np.c_[fast & heat_allows(problem), np.ones(problem.row.size, dtype=np.bool_)]
    lost_s = lost_seconds(problem)
    best = np.where(fast, table.tokens_s, 0.0).max(axis=1, initial=0.0)
    tokens = np.append(table.tokens_s, 0.0)
    slower = np.where(best[:, None] > 0, 1.0 - np.minimum(tokens / np.maximum(best[:, None], 1e-300), 1.0), 0.0)
    # A reload costs the service of so many seconds of the time the choice lasts.
    performance = slower + np.minimum(lost_s / problem.horizon_s, 1.0)
    key = np.c_[problem.row, problem.endpoint, problem.now, allowed].astype(np.int64)
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    count = max(problem.row.size, 1)
    quality = np.append(1.0 - table.quality, 0.0) / count
    return Groups(
        group.ravel(), np.bincount(group.ravel(), minlength=first.size), problem.row[first], problem.endpoint[first],
        allowed[first], tokens, np.append(table.server_w, problem.stopped_w),
        np.append(table.airflow_cfm, problem.stopped_cfm),
        np.broadcast_to(quality, (first.size, quality.size)), performance[first] / count,
    )  # fmt: skip


def room(problem: ConfigurationProblem, groups: Groups) -> tuple[Floats, Floats]:
    """(R,) power and (A,) air that SaaS may use, never less than what it uses when all of it is stopped [W, CFM]."""
    servers = np.bincount(groups.row, weights=groups.size, minlength=problem.budget_w.size)
    by_aisle = np.bincount(problem.aisle_of_row, weights=servers, minlength=problem.supply_cfm.size)
    power = np.maximum(problem.budget_w - problem.fixed_w, servers * problem.stopped_w)
    return power, np.maximum(problem.supply_cfm - problem.fixed_cfm, by_aisle * problem.stopped_cfm)


def configured(
    problem: ConfigurationProblem, groups: Groups, counts: Ints, bounds: tuple[float, float, float, float], status: str
) -> Configured:
    """The choice for VMs from counts (G, C + 1): within a group, VMs take configurations in their order."""
    last = groups.tokens_s.size - 1
    choice = np.full(problem.row.size, STOPPED, dtype=np.int64)
    for g in range(groups.size.size):
        members = np.flatnonzero(groups.of_vm == g)
        choice[members] = np.repeat(np.arange(last + 1), counts[g])
    column = choice.copy()
    choice[choice == last] = STOPPED
    table = problem.table
    row_w = problem.fixed_w + np.bincount(problem.row, weights=groups.power_w[column], minlength=problem.fixed_w.size)
    air = np.bincount(problem.aisle_of_row[problem.row], weights=groups.air_cfm[column],
                      minlength=problem.supply_cfm.size)  # fmt: skip
    served = np.bincount(problem.endpoint, weights=groups.tokens_s[column], minlength=problem.demand_tokens_s.size)
    servers = np.bincount(problem.row, minlength=problem.fixed_w.size)
    idle_w = problem.fixed_w + servers * problem.stopped_w
    idle_cfm = problem.fixed_cfm + np.bincount(problem.aisle_of_row, weights=servers * problem.stopped_cfm,
                                               minlength=problem.supply_cfm.size)  # fmt: skip
    return Configured(
        choice, np.maximum(problem.demand_tokens_s - served, 0.0), float((groups.quality_loss * counts).sum()),
        float((groups.performance_loss * counts).sum()), float((groups.power_w * counts).sum()), bounds, status,
        choice != problem.now, lost_seconds(problem)[np.arange(choice.size), column], row_w,
        problem.fixed_cfm + air,
        problem.base_c + problem.warmth_c_per_w * np.append(table.gpu_w_max, 0.0)[column],
        tuple(np.flatnonzero(idle_w > problem.budget_w).tolist()),
        tuple(np.flatnonzero(idle_cfm > problem.supply_cfm).tolist()),
    )  # fmt: skip
