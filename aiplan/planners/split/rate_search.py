"""Searches by replay: the highest rate a cluster keeps its promises at, and the split of a budget that keeps most.

Rates stand on a ladder, each rung a fixed share above the last, so that designs and traces are compared at the same
rates and no replay is asked for twice. Near its limit a cluster keeps and breaks its promises in turn over a per cent
or two of rate, because batches and ties fall differently; a rung that breaks them alone is therefore passed over.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.split.replay import Cluster, Policy, replay
from aiplan.planners.split.slo import Limit, Times, judge, times
from aiplan.planners.split.workload import Requests

TOLERANCE = 0.005
"""From one rung of the ladder to the next [1]."""
PLATEAU = 0.01
"""Designs this close to the best count as equal [1]: traces of two minutes tell them no better apart."""
STRIDE, NEAR_STRIDE = 16, 3
"""Rungs of the first step from a rate that is a guess, and from one that is nearly right [1]."""
REACH = 10_000.0
"""A rate this many times the trace's own is beyond every limit that can be found [1]."""
NEVER_LONG = 2**31 - 1
"""Pending prompt tokens that no queue reaches [tokens]."""


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Requests to try a cluster with, at whatever pace.

    Attributes
    ----------
    requests : lengths, order and bursts; their own rate is only where a search begins
    reference : what each would see alone (`slo.alone`), which no rate changes; for promises of slowdown
    """

    requests: Requests
    reference: Times | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """How a cluster is put to the test.

    Attributes
    ----------
    loads : traces, one or several seeds of the same workload
    limits : the promises, all of which must hold
    policy : how machines batch; its ``backlog_max`` is set here, see `backlog_limit`
    simulator_tbt : divide E2E - TTFT by N as SplitwiseSim does, not by N - 1
    own_pools : prompt and token machines do not help each other out; a run in which memory runs out fails
    compiled : run compiled code; by default wherever numba is installed, since a search replays again and again
    """

    loads: tuple[Load, ...]
    limits: tuple[Limit, ...]
    policy: Policy = field(default_factory=Policy)
    simulator_tbt: bool = False
    own_pools: bool = False
    compiled: bool | None = None

    def __post_init__(self) -> None:
        require(len(self.loads) > 0, "a trial needs requests")
        if self.compiled is None:
            from aiplan.planners.split.compiled import numba_installed

            object.__setattr__(self, "compiled", numba_installed())


class Run(NamedTuple):
    """One replay: whether it kept all promises, and how often machines were borrowed between pools [1]."""

    kept: bool
    borrowed: int


def run(cluster: Cluster, trial: Trial, load: Load, rate_per_s: float) -> Run:
    """Replay a load on a cluster at a rate.

    Parameters
    ----------
    cluster, trial : what is tried, and how
    load : one of the trial's
    rate_per_s : mean rate the arrivals are stretched to [1/s]
    """
    # Not `Requests.stretched`, which would look at every array again.
    requests = load.requests
    arrival_s = requests.arrival_s * (requests.rate_per_s / rate_per_s)
    policy = dataclasses.replace(trial.policy, backlog_max=backlog_limit(arrival_s, trial.limits, load.reference))
    if trial.own_pools:
        policy = dataclasses.replace(policy, queue_tokens_max=NEVER_LONG)
    found = replay(
        arrival_s,
        requests.prompt_tokens,
        requests.output_tokens,
        cluster,
        policy,
        computed_tokens=requests.computed_tokens,
        compiled=trial.compiled,
    )
    borrowed = found.borrowed_prompt + found.borrowed_token
    if found.unserved or (trial.own_pools and borrowed):
        return Run(False, borrowed)
    seen = times(found.ttft_s, found.e2e_s, requests.output_tokens, simulator=trial.simulator_tbt)
    return Run(judge(seen, trial.limits, load.reference).kept, borrowed)


def backlog_limit(arrival_s: Array, limits: Sequence[Limit], reference: Times | None) -> int:
    """Most requests in the house at once in any run that keeps its promises of E2E; 0 where none was made [1].

    If percentile p of R requests' E2E is below a limit, at most R - 1 - floor(p (R - 1)) of them exceed theirs. All
    others have left when their own is over, so no more are ever inside than requests within their limits at once,
    plus those. A replay that exceeds this can be stopped without being wrong.

    >>> import numpy as np
    >>> backlog_limit(np.arange(101.0), [Limit("e2e", 90, 2.0)], None)  # one within its 2 s, 10 may be late
    11
    """
    count, found = len(arrival_s), 0
    for limit in limits:
        if limit.metric != "e2e":
            continue
        if limit.slowdown and reference is None:
            raise ValueError("a promise of slowdown needs a reference")
        longest = limit.below * reference.e2e_s if limit.slowdown and reference is not None else limit.below
        ends = np.sort(arrival_s + longest)
        inside = int(np.max(np.arange(count) - np.searchsorted(ends, arrival_s, side="right")))
        late = count - 1 - math.floor((count - 1) * limit.percentile / 100.0)
        found = min(found or count + 1, max(inside + late, 1))
    return found


class Limiting(NamedTuple):
    """The highest rate of a cluster.

    Attributes
    ----------
    rate_per_s : mean over the traces [1/s]; 0 where no rate is low enough, infinite where none is too high
    by_load : of each trace [1/s]
    borrowed : machines borrowed between pools at these rates, mean over the traces [1]
    """

    rate_per_s: float
    by_load: tuple[float, ...]
    borrowed: float

    @property
    def spread_per_s(self) -> float:
        """Standard deviation between traces, 0 for one [1/s]."""
        return statistics.stdev(self.by_load) if len(self.by_load) > 1 else 0.0


def max_rate(
    cluster: Cluster, trial: Trial, *, guess_per_s: float | None = None, tolerance: float = TOLERANCE
) -> Limiting:
    """Highest rate at which a cluster keeps all promises, by stretching the arrivals of the same requests.

    Parameters
    ----------
    cluster, trial : what is tried, and how
    guess_per_s : rate to begin at; the trace's own by default [1/s]
    tolerance : from one rate tried to the next [1]

    Returns
    -------
    The rate on the ladder (1 + tolerance)^k that is kept and above which two rungs in a row are not.

    Of several traces the mean of their highest rates, with its spread. Not the rate that all traces keep: that falls
    with every trace that is added, so two studies could not be compared.

    Valid for rates at which a trace still lasts several times as long as a request: on one of 2 minutes a queue has
    no time to build up, and limits come out 2 to 5 % higher than on one of 10 (Splitwise's, conversation; derived).
    """
    require(0.0 < tolerance < 1.0, "the tolerance must lie between 0 and 1")
    guesses = [load.requests.rate_per_s if guess_per_s is None else guess_per_s for load in trial.loads]
    climbs = [_Climb(cluster, trial, load, tolerance) for load in trial.loads]
    return _limiting(climbs, [climb.rung(guess) for climb, guess in zip(climbs, guesses, strict=True)], STRIDE)


class _Climb:
    """The ladder of rates of one cluster under one load, every rung tried once at most."""

    def __init__(self, cluster: Cluster, trial: Trial, load: Load, tolerance: float) -> None:
        self.cluster, self.trial, self.load = cluster, trial, load
        self.step = math.log1p(tolerance)
        self.tried: dict[int, Run] = {}
        own = load.requests.rate_per_s
        self.lowest, self.highest = self.rung(own / REACH), self.rung(own * REACH)

    def rung(self, rate_per_s: float) -> int:
        return round(math.log(rate_per_s) / self.step)

    def rate_per_s(self, rung: int) -> float:
        return math.exp(rung * self.step)

    def keeps(self, rung: int) -> bool:
        if rung not in self.tried:
            self.tried[rung] = run(self.cluster, self.trial, self.load, self.rate_per_s(rung))
        return self.tried[rung].kept

    def top(self, start: int, stride: int) -> int | None:
        """The highest rung that is kept, see `max_rate`; none where even the lowest is not."""
        low = high = min(max(start, self.lowest), self.highest)
        if self.keeps(low):
            while self.keeps(high):
                if high == self.highest:
                    return high
                low, high, stride = high, min(high + stride, self.highest), 2 * stride
        else:
            while not self.keeps(low):
                if low == self.lowest:
                    return None
                low, high, stride = max(low - stride, self.lowest), low, 2 * stride
        while True:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self.keeps(middle) else (low, middle)
            if high >= self.highest or not self.keeps(high + 1):
                return low
            low, high = high + 1, high + 2
            while high < self.highest and self.keeps(high):
                low, high = high, high + 1


def _limiting(climbs: Sequence[_Climb], starts: Sequence[int], stride: int) -> Limiting:
    rates, borrowed = [], []
    for climb, start in zip(climbs, starts, strict=True):
        top = climb.top(start, stride)
        if top is None:
            rates.append(0.0)
            continue
        rates.append(math.inf if top == climb.highest else climb.rate_per_s(top))
        borrowed.append(climb.tried[top].borrowed)
    return Limiting(statistics.fmean(rates), tuple(rates), statistics.fmean(borrowed) if borrowed else 0.0)


class Tried(NamedTuple):
    """A split of a budget.

    Attributes
    ----------
    prompt, token : machines [1]
    limiting : its highest rate; none where one replay showed that it is below ``under_per_s``
    under_per_s : the rate it failed at, mean over the traces; 0 where its highest rate was sought [1/s]
    """

    prompt: int
    token: int
    limiting: Limiting | None
    under_per_s: float = 0.0

    @property
    def rate_per_s(self) -> float:
        """Highest rate; 0 where all that is known is a bound [1/s]."""
        return self.limiting.rate_per_s if self.limiting else 0.0


@dataclass(frozen=True, slots=True)
class Splits:
    """What became of the splits of a budget that were tried, in order of prompt machines."""

    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried:
        """The split with the highest rate; of equal ones the one with the fewest prompt machines."""
        return max(self.tried, key=lambda one: one.rate_per_s)

    def plateau(self, within: float = PLATEAU) -> tuple[Tried, ...]:
        """Splits whose rate is within a share of the best: the trace does not tell them apart."""
        least = (1.0 - within) * self.best.rate_per_s
        return tuple(one for one in self.tried if one.limiting and one.rate_per_s >= least)

    def steadiest(self, within: float = PLATEAU) -> Tried:
        """Of the splits on the plateau the one that borrows fewest machines: each pool carries its own load."""
        return min(self.plateau(within), key=lambda one: one.limiting.borrowed if one.limiting else math.inf)


def best_split(
    line: Sequence[tuple[int, int]],
    build: Callable[[int, int], Cluster],
    trial: Trial,
    *,
    stride: int | None = None,
    within: float = PLATEAU,
    guess_per_s: float | None = None,
    tolerance: float = TOLERANCE,
) -> Splits:
    """The split of a budget into prompt and token machines that keeps its promises at the highest rate.

    Parameters
    ----------
    line : prompt and token machines of each split, in order of prompt machines
    build : the cluster of a split
    trial : how it is tried
    stride : splits from one to the next on the first pass; 1 tries all; by default a twelfth of the line
    within : a split whose replays all fail at this share below the best rate so far is dropped after these; 1 drops
        none, and gives a whole curve
    guess_per_s, tolerance : as in `max_rate`

    The first pass goes from the middle outwards. Each later one halves the stride and looks at both sides of every
    split that is still within ``within`` of the best, so that a flat or jagged top is not mistaken for a peak.
    Exact where the rate rises and falls once over the line, up to the jags of ``within``.
    """
    require(len(line) > 0, "a budget needs at least one split")
    last = len(line) - 1
    stride = max(1, len(line) // 12) if stride is None else stride
    found: dict[int, Tried] = {}

    def best() -> Tried:
        return max(found.values(), key=lambda one: one.rate_per_s)

    def visit(places: Iterable[int]) -> None:
        for at in places:
            ahead = best().limiting if found else None
            climbs = [_Climb(build(*line[at]), trial, load, tolerance) for load in trial.loads]
            found[at] = _try(line[at], climbs, ahead, within, guess_per_s)

    middle = last // 2
    visit(sorted(range(middle % stride, last + 1, stride), key=lambda at: abs(at - middle)))
    while stride > 1:
        stride = (stride + 1) // 2
        while True:
            least = (1.0 - within) * best().rate_per_s
            high = [at for at, one in found.items() if one.limiting and one.rate_per_s >= least]
            sides = {at + side for at in high for side in (-stride, stride)} - found.keys()
            fresh = sorted(at for at in sides if 0 <= at <= last)
            if not fresh:
                break
            visit(fresh)
    return Splits(tuple(found[at] for at in sorted(found)))


def _try(
    split: tuple[int, int], climbs: Sequence[_Climb], ahead: Limiting | None, within: float, guess_per_s: float | None
) -> Tried:
    """The highest rate of a split, unless it fails a share below the best so far."""
    if ahead is None or within >= 1.0 or min(ahead.by_load) <= 0.0:
        owns = [climb.load.requests.rate_per_s if guess_per_s is None else guess_per_s for climb in climbs]
        starts = [climb.rung(own) for climb, own in zip(climbs, owns, strict=True)]
        return Tried(*split, _limiting(climbs, starts, STRIDE))
    least = [
        climb.highest if math.isinf(rate) else climb.rung(rate * (1.0 - within))
        for climb, rate in zip(climbs, ahead.by_load, strict=True)
    ]
    if not any(climb.keeps(rung) for climb, rung in zip(climbs, least, strict=True)):
        under = statistics.fmean(climb.rate_per_s(rung) for climb, rung in zip(climbs, least, strict=True))
        return Tried(*split, None, under)
    return Tried(*split, _limiting(climbs, least, NEAR_STRIDE))
