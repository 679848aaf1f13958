"""The designs of the Splitwise paper: equal budgets, what was published of them, and the same study by replay.

Four ways to split a cluster between prompt and token machines of two generations, against the same machines unsplit,
at the power or at the cost of 40 DGX H100, or at one rate. Published numbers are data here, each with how it is known;
a study puts what the replay finds beside them and changes nothing to meet them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aiplan.planners.arrays import require
from aiplan.planners.split.rate_search import TOLERANCE, Limiting, Splits, Trial, best_split, max_rate, run
from aiplan.planners.split.replay import Cluster, Machine

Budget = Literal["power", "cost"]
Evidence = Literal["published", "second-hand", "derived"]
"""How a number of others is known: seen in the source itself, through someone's transcription, computed from those."""

A100, H100, H100_CAP = "a100", "h100", "h100-cap"
DESIGNS = {"AA": (A100, A100), "HH": (H100, H100), "HA": (H100, A100), "HHcap": (H100, H100_CAP)}
"""Prompt and token machine of each design. HHcap caps token machines at 70 % of their rated power, each accelerator
at half of its own; a prompt machine under such a cap would be slower, a token machine is taken not to be."""
BASELINES = {"Baseline-A100": A100, "Baseline-H100": H100}
"""Machines of one pool that do both, with mixed batching."""
BUDGET_H100 = 40
"""Machines of the paper's budgets [1]."""
ISO_RATE_PER_S = 70.0
"""Rate at which the paper looks for the cheapest design [1/s]."""
GRID_MACHINES, GRID_RATE_PER_S = 5, 10.0
"""Steps of the paper's own search for the highest rate: machines [1], and requests a second, on traces of 10 minutes
[1/s]. From the simulator's experiment files (configs/experiment/splitwise_*_iso*.yaml) and generate_trace.py."""
ROUNDING = 1e-9
"""What a count may fall short of a whole number by and still be one, e.g. 35 / 0.7 [1]."""


class Design(NamedTuple):
    """A published split.

    Attributes
    ----------
    budget, workload, design : what it is for
    prompt, token : machines [1]
    evidence : how it is known
    """

    budget: Budget
    workload: str
    design: str
    prompt: int
    token: int
    evidence: Evidence


PUBLISHED = (
    Design("power", "coding", "AA", 55, 15, "second-hand"),
    Design("power", "coding", "HH", 35, 5, "second-hand"),
    Design("power", "coding", "HA", 35, 8, "second-hand"),
    Design("power", "coding", "HHcap", 35, 7, "second-hand"),
    Design("power", "conversation", "AA", 45, 25, "second-hand"),
    Design("power", "conversation", "HH", 25, 15, "second-hand"),
    Design("power", "conversation", "HA", 25, 26, "second-hand"),
    Design("power", "conversation", "HHcap", 25, 21, "second-hand"),
    Design("cost", "coding", "AA", 66, 20, "published"),
    Design("cost", "coding", "HH", 35, 5, "published"),
    Design("cost", "coding", "HA", 35, 10, "published"),
    # 42 machines where the budget is 40 of the same price: the split of equal power, not searched anew.
    Design("cost", "coding", "HHcap", 35, 7, "published"),
    Design("cost", "conversation", "AA", 51, 35, "published"),
    Design("cost", "conversation", "HH", 25, 15, "published"),
    Design("cost", "conversation", "HA", 30, 21, "published"),
    Design("cost", "conversation", "HHcap", 30, 10, "published"),
)
"""Designs of BLOOM-176B. Equal power: arXiv 2311.18677v2, through a transcription. Equal cost: the plotting notebook of
github.com/Mutinifni/splitwise-sim@8f99e7d."""


class Ratio(NamedTuple):
    """A published ratio, for conversation: rate of a design over a baseline's, or its cost or power at one rate."""

    budget: Literal["power", "cost", "rate"]
    of: Literal["rate", "cost", "power"]
    design: str
    baseline: str
    value: float
    evidence: Evidence


RATIOS = (
    Ratio("power", "rate", "AA", "Baseline-A100", 2.15, "second-hand"),
    Ratio("power", "rate", "HA", "Baseline-H100", 1.18, "second-hand"),
    Ratio("power", "cost", "HA", "Baseline-H100", 0.90, "second-hand"),
    Ratio("cost", "rate", "AA", "Baseline-H100", 1.4, "second-hand"),
    Ratio("cost", "power", "AA", "Baseline-H100", 1.25, "second-hand"),
    Ratio("rate", "power", "HHcap", "Baseline-H100", 0.75, "second-hand"),
    Ratio("rate", "cost", "AA", "Baseline-H100", 0.75, "second-hand"),
)
"""Section VI of arXiv 2311.18677v2, through a transcription; the baseline of HA is taken from the context."""


@dataclass(frozen=True, slots=True, eq=False)
class Priced:
    """A kind of machine with what it counts against a budget.

    Attributes
    ----------
    machine : its times
    usd_per_h : cost of one [$/h]
    power_w : power provisioned for one [W]
    """

    machine: Machine
    usd_per_h: float
    power_w: float

    def unit(self, budget: Budget) -> float:
        """What one counts against a budget, in W or $/h."""
        return self.power_w if budget == "power" else self.usd_per_h


def token_machines(budget: float, prompt_unit: float, token_unit: float, prompt: int) -> int:
    """Token machines that the rest of a budget buys: ``floor((budget - n_P u_P) / u_T)``.

    Parameters
    ----------
    budget : in any unit: W, $/h, machines
    prompt_unit, token_unit : what a prompt and a token machine count against it
    prompt : prompt machines n_P [1]

    Source: the configurations of github.com/Mutinifni/splitwise-sim@8f99e7d, floor everywhere; they divide with
    floats, so that where a count comes out whole (35 / 0.7) they may buy one machine less.

    >>> token_machines(40 * 44, 44, 24.8, 25), token_machines(40 * 44, 44, 30.8, 25)
    (26, 21)
    """
    require(token_unit > 0, "a machine must count against the budget")
    return int((budget - prompt * prompt_unit) / token_unit + ROUNDING)


def budget_line(budget: float, prompt_unit: float, token_unit: float) -> list[tuple[int, int]]:
    """All splits of a budget with at least one machine on each side, in order of prompt machines."""
    require(prompt_unit > 0, "a machine must count against the budget")
    splits = []
    for prompt in range(1, int(budget / prompt_unit + ROUNDING) + 1):
        token = token_machines(budget, prompt_unit, token_unit, prompt)
        if token >= 1:
            splits.append((prompt, token))
    return splits


def split_cluster(machines: Mapping[str, Priced], design: str) -> Callable[[int, int], Cluster]:
    """The cluster of a design for given counts of prompt and token machines."""
    prompt, token = (machines[name].machine for name in DESIGNS[design])
    return lambda count, other: Cluster(((prompt, count),), ((token, other),))


def totals(machines: Mapping[str, Priced], design: str, prompt: int, token: int) -> tuple[float, float]:
    """Cost [$/h] and power [W] of a design; of a baseline where ``token`` is 0."""
    names = (BASELINES[design],) * 2 if design in BASELINES else DESIGNS[design]
    kinds = [machines[name] for name in names]
    cost, power = ([getattr(kind, field) for kind in kinds] for field in ("usd_per_h", "power_w"))
    return prompt * cost[0] + token * cost[1], prompt * power[0] + token * power[1]


class Row(NamedTuple):
    """What a design reaches for a budget.

    Attributes
    ----------
    budget, design : which
    prompt, token : machines of the best split; all of them and 0 for a baseline [1]
    limiting : its highest rate
    usd_per_h, power_w : what it comes to [$/h], [W]
    over : its rate over each baseline's of the same budget [1]
    splits : all splits tried; none for a baseline
    published : the paper's split; none for a baseline
    published_limiting : the highest rate of that, under the same trial
    """

    budget: Budget
    design: str
    prompt: int
    token: int
    limiting: Limiting
    usd_per_h: float
    power_w: float
    over: dict[str, float]
    splits: Splits | None = None
    published: Design | None = None
    published_limiting: Limiting | None = None


def paper_study(
    trial: Trial,
    machines: Mapping[str, Priced],
    *,
    workload: str = "conversation",
    budget: Budget = "power",
    designs: Sequence[str] = tuple(DESIGNS),
    stride: int | None = None,
    within: float = 0.01,
    tolerance: float = TOLERANCE,
) -> list[Row]:
    """Both baselines and the best split of each design for the power or the cost of 40 DGX H100.

    Parameters
    ----------
    trial : requests, promises and policy; `replay.SIMULATOR` and ``simulator_tbt`` for the paper's
    machines : `A100`, `H100` and `H100_CAP`
    workload : whose published designs stand beside
    budget : what is equal
    designs : keys of `DESIGNS` to look at
    stride, within, tolerance : as in `rate_search.best_split`

    Source: arXiv 2311.18677, section VI; of how its splits were found see `GRID_MACHINES`.

    Of the published splits for conversation at equal power this finds HA's and HHcap's within a machine. HH's lies on
    a top that is flat from 23 to 36 prompt machines, since pools lend each other machines. AA's (45, 25) lies at the
    foot of such a top, 2 to 4 % below it; where pools do not lend (``own_pools``) the best is (46, 24). At equal cost
    AA's (51, 35) lies 12 % below the best, which nothing here explains (five traces; derived).
    """
    whole = BUDGET_H100 * machines[H100].unit(budget)
    rows = []
    for name, kind in BASELINES.items():
        unit = machines[kind]
        count = int(whole / unit.unit(budget) + ROUNDING)
        limiting = max_rate(Cluster(mixed=((unit.machine, count),)), trial, tolerance=tolerance)
        rows.append(Row(budget, name, count, 0, limiting, *totals(machines, name, count, 0), {}))
    bases = {row.design: row.limiting.rate_per_s for row in rows}
    rows = [row._replace(over=_over(row.limiting, bases)) for row in rows]
    for name in designs:
        units = [machines[kind].unit(budget) for kind in DESIGNS[name]]
        build = split_cluster(machines, name)
        line = budget_line(whole, *units)
        splits = best_split(line, build, trial, stride=stride, within=within, tolerance=tolerance)
        best = splits.best
        if best.limiting is None:
            continue
        published = next((one for one in PUBLISHED if one[:3] == (budget, workload, name)), None)
        own = next((one.limiting for one in splits.tried if published and one[:2] == published[3:5]), None)
        if own is None and published:
            guess = best.rate_per_s or None
            own = max_rate(build(published.prompt, published.token), trial, guess_per_s=guess, tolerance=tolerance)
        price = totals(machines, name, best.prompt, best.token)
        over = _over(best.limiting, bases)
        rows.append(Row(budget, name, best.prompt, best.token, best.limiting, *price, over, splits, published, own))
    return rows


def _over(limiting: Limiting, bases: Mapping[str, float]) -> dict[str, float]:
    return {name: limiting.rate_per_s / rate for name, rate in bases.items() if rate > 0}


class Sized(NamedTuple):
    """Machines of a design that keep a rate, cheapest by one measure.

    Attributes
    ----------
    design : which
    by : what was made least
    prompt, token : machines; all of them and 0 for a baseline [1]
    usd_per_h, power_w : what they come to [$/h], [W]
    """

    design: str
    by: Budget
    prompt: int
    token: int
    usd_per_h: float
    power_w: float


def equal_rate_study(
    trial: Trial,
    machines: Mapping[str, Priced],
    *,
    rate_per_s: float = ISO_RATE_PER_S,
    designs: Sequence[str] = tuple(DESIGNS),
    most: int = 140,
) -> list[Sized]:
    """The least cost and the least power at which each baseline and each design keeps a rate on every trace.

    Parameters
    ----------
    trial, machines : as in `paper_study`
    rate_per_s : mean rate of requests [1/s]
    designs : keys of `DESIGNS` to look at
    most : machines of a pool to look at [1]

    Designs that do not keep the rate with ``most`` machines are left out.
    """
    found = []
    for name, kind in BASELINES.items():
        machine = machines[kind].machine
        count = least_count(lambda many, one=machine: Cluster(mixed=((one, many),)), trial, rate_per_s, most)  # type: ignore[misc]
        if count is not None:
            found += [Sized(name, by, count, 0, *totals(machines, name, count, 0)) for by in ("power", "cost")]
    for name in designs:
        kinds = [machines[kind] for kind in DESIGNS[name]]
        measures: tuple[Budget, Budget] = ("power", "cost")
        prices = [(kinds[0].unit(by), kinds[1].unit(by)) for by in measures]
        counts = least_machines(split_cluster(machines, name), trial, rate_per_s, (most, most), prices)
        for by, sized in zip(measures, counts, strict=True):
            if sized is not None:
                found.append(Sized(name, by, *sized, *totals(machines, name, *sized)))
    return found


def least_count(build: Callable[[int], Cluster], trial: Trial, rate_per_s: float, most: int) -> int | None:
    """Fewest machines of a mixed pool, up to ``most``, that keep a rate [1/s] on every trace; none where too few."""

    def enough(count: int) -> bool:
        return all(run(build(count), trial, load, rate_per_s).kept for load in trial.loads)

    if not enough(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def least_machines(
    build: Callable[[int, int], Cluster],
    trial: Trial,
    rate_per_s: float,
    most: tuple[int, int],
    prices: Sequence[tuple[float, float]],
) -> list[tuple[int, int] | None]:
    """Prompt and token machines that keep a rate on every trace at the least price, for one price or several.

    Parameters
    ----------
    build : the cluster of so many prompt and token machines
    trial : how it is tried
    rate_per_s : mean rate of requests [1/s]
    most : largest counts to look at [1]
    prices : of a prompt and of a token machine, in any unit: dollars an hour, watts, 1

    Returns
    -------
    Counts, one pair per price; none where even the largest do not keep the rate.

    Walks along the border of what is enough, since a machine more never hurts, in at most as many steps as there are
    machines; then looks two machines around the cheapest, since a replay may break that by a hair. Of equally cheap
    counts the ones that borrow fewest machines between pools.
    """
    known: dict[tuple[int, int], float] = {}

    def borrowed(counts: tuple[int, int]) -> float:
        """Machines borrowed while the rate is kept; infinite where it is not."""
        if counts not in known:
            cluster, known[counts] = build(*counts), 0.0
            for load in trial.loads:
                found = run(cluster, trial, load, rate_per_s)
                if not found.kept:
                    known[counts] = math.inf
                    break
                known[counts] += found.borrowed
        return known[counts]

    prompt, token = most[0], 1
    while prompt >= 1 and token <= most[1]:
        enough = borrowed((prompt, token)) < math.inf
        prompt, token = (prompt - 1, token) if enough else (prompt, token + 1)
    return [_cheapest(known, borrowed, each) for each in prices]


def _cheapest(
    known: Mapping[tuple[int, int], float],
    borrowed: Callable[[tuple[int, int]], float],
    prices: tuple[float, float],
) -> tuple[int, int] | None:
    """The cheapest of the counts known to be enough, and of those around it that turn out to be."""

    def price(counts: tuple[int, int]) -> float:
        # Equal sums of floats differ in the last place.
        return round(counts[0] * prices[0] + counts[1] * prices[1], 6)

    def worth(counts: tuple[int, int]) -> tuple[float, float]:
        return price(counts), borrowed(counts)

    best = min((one for one, moves in known.items() if moves < math.inf), key=worth, default=None)
    while best:
        near = {(best[0] + one, best[1] + two) for one in range(-2, 3) for two in range(-2, 3)} - {best}
        cheaper = sorted((one for one in near if min(one) >= 1 and price(one) <= price(best)), key=price)
        better = next((one for one in cheaper if borrowed(one) < math.inf and worth(one) < worth(best)), None)
        if better is None:
            return best
        best = better
    return None
