"""How many servers a limit carries: by their rating, by what was measured, or by the statistics of their sum.

Four rules, each a `Demand`:

- nameplate: every server at its rating;
- peak: every server at the most that was measured;
- percentile and oversubscribed: as many as keep the sum below the limit with a probability, see `multiplexing`.

The rules hold at every node of the tree, not only at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.multiplexing import (
    Moments,
    ServerClass,
    exceedance,
    expected_excess_w,
    quantile_w,
    sum_moments,
)
from aiplan.planners.power.packing import SLACK
from aiplan.planners.power.tail_forms import Method

MOST_SERVERS = 1e9
"""A limit that allows more than this limits nothing [1]."""
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Mix:
    """Classes of servers with their shares, and what each server adds that does not vary (network).

    Attributes
    ----------
    classes : their counts are not read
    shares : of each class in the number of servers, sum 1, shape (k,) [1]
    between : correlation of servers of two classes, shape (k, k) [1]
    constant_w : drawn by every server beside its class's power [W]
    method : shape of the sum's tail, see `multiplexing.quantile_w`
    """

    classes: tuple[ServerClass, ...]
    shares: Array
    between: Array
    constant_w: float = 0.0
    method: Method = "bounded"

    def counts(self, servers: npt.ArrayLike) -> Array:
        """Whole servers of each class, near their shares: largest remainders first; shape (..., k)."""
        total = as_array(servers)[..., None]
        exact = total * self.shares
        counts = np.floor(exact + SLACK)
        rank = np.argsort(np.argsort(counts - exact, axis=-1, kind="stable"), axis=-1, kind="stable")
        return np.asarray(counts + (rank < np.rint(total - counts.sum(axis=-1, keepdims=True))))

    def moments(self, servers: npt.ArrayLike) -> Moments:
        """Moments of the power of so many servers, whole numbers, any shape; without what is constant."""
        counts = self.counts(servers)
        some: Sequence[ServerClass] = [replace(item, count=counts[..., place])
                                       for place, item in enumerate(self.classes)]  # fmt: skip
        return sum_moments(some, self.between)

    def over(self, servers: npt.ArrayLike, limit_w: npt.ArrayLike) -> Array:
        """Probability that so many servers draw more than a limit [1]."""
        count, limit = np.broadcast_arrays(as_array(servers), as_array(limit_w))
        return exceedance(self.moments(count), limit - count * self.constant_w, self.method)

    def quantile_w(self, servers: npt.ArrayLike, probability: float) -> Array:
        """Power that so many servers do not exceed with a probability [W]."""
        count = as_array(servers)
        return quantile_w(self.moments(count), probability, self.method) + count * self.constant_w

    @property
    def peak_w(self) -> float:
        """The most that one server of any class draws; infinite where one is unknown [W]."""
        return float(max(float(item.peak_w) for item in self.classes) + self.constant_w)

    @property
    def mean_w(self) -> float:
        """Mean power of one server [W]."""
        return float(sum(share * float(item.mean_w) for share, item in zip(self.shares, self.classes, strict=True))
                     + self.constant_w)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Demand:
    """A sizing rule, in watts of nameplate: how many of them a limit carries, and what they are planned to draw.

    Attributes
    ----------
    rule : name of the rule
    reference_w : nameplate of the server that the mix describes, with its share of the network [W]
    factor : power that a server counts with over its nameplate, where no statistics are used [1]
    mix : classes of servers, where known
    probability : share of time in which the sum may be above a limit; None for rules without statistics [1]
    known : limits that were asked before, with their answers, since many nodes are alike
    """

    rule: str
    reference_w: float
    factor: float = 1.0
    mix: Mix | None = None
    probability: float | None = None
    known: dict[float, float] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        require(self.reference_w > 0 and self.factor > 0, "a server must draw more than 0 W")
        require(self.probability is None or self.mix is not None, "a probability needs classes of servers")

    def rated_w(self, limit_w: npt.ArrayLike) -> Array:
        """Nameplate watts within each limit; whole servers by statistics; infinite for an infinite limit [W]."""
        limit = as_array(limit_w)
        if self.mix is None or self.probability is None:
            return np.asarray(limit / self.factor)
        # Limits that differ by rounding are equal.
        distinct, place = np.unique(np.round(limit, 3), return_inverse=True)
        new = np.array([one for one in distinct.tolist() if one not in self.known and one < np.inf])
        if new.size:
            most = self._most(new, self.mix, self.probability) * self.reference_w
            self.known.update(zip(new.tolist(), most.tolist(), strict=True))
        found = np.array([self.known.get(one, np.inf) for one in distinct.tolist()])
        return np.asarray(found[place].reshape(limit.shape))

    @staticmethod
    def _most(limit: Array, mix: Mix, probability: float) -> Array:
        """Most servers within each limit, between all at their peak and all at their mean.

        Several counts are tried at a time: by statistics many cost little more than one.
        """
        high = np.minimum(np.floor(limit / mix.mean_w * (1 + SLACK)) + 1.0, MOST_SERVERS)
        low = np.minimum(np.floor(limit / mix.peak_w * (1 - SLACK)), MOST_SERVERS)
        while np.any(high - low > 1):
            tried = np.floor(low[:, None] + (high - low)[:, None] * np.arange(1, AT_ONCE) / AT_ONCE)
            tried = np.maximum(tried, low[:, None])
            good = (mix.over(tried, limit[:, None]) <= probability) | (tried <= low[:, None])
            # The first count that is too many ends the search from below.
            first_bad = np.where(good.all(axis=1), AT_ONCE - 1, np.argmin(good, axis=1))
            rows = np.arange(len(limit))
            above = np.where(first_bad < AT_ONCE - 1, tried[rows, np.minimum(first_bad, AT_ONCE - 2)], high)
            below = np.where(first_bad > 0, tried[rows, np.maximum(first_bad - 1, 0)], low)
            done = high - low <= 1
            low, high = np.where(done, low, below), np.where(done, high, above)
        return low

    def planned_w(self, rated_w: npt.ArrayLike) -> Array:
        """Power that nameplate watts are planned to draw [W]."""
        rated = as_array(rated_w)
        if self.mix is None or self.probability is None:
            return np.asarray(rated * self.factor)
        return self.mix.quantile_w(np.rint(rated / self.reference_w), 1.0 - self.probability)

    def loads(self, rated_w: Array, limit_w: Array) -> tuple[Array, Array, Array] | None:
        """Of nameplate watts at a limit each: plan [W], probability to exceed it, and what a cap then holds back [1].

        The last is a share of what is drawn in the mean. None without classes.
        """
        if self.mix is None:
            return None
        # Servers much smaller than the reference count as one at least.
        servers = np.maximum(np.rint(as_array(rated_w) / self.reference_w), 1.0)
        moments, fixed = self.mix.moments(servers), servers * self.mix.constant_w
        method = self.mix.method
        over = exceedance(moments, limit_w - fixed, method)
        held = expected_excess_w(moments, limit_w - fixed, method) / (moments.mean_w + fixed)
        if self.probability is None:
            return np.asarray(rated_w * self.factor), over, held
        return np.asarray(quantile_w(moments, 1.0 - self.probability, method) + fixed), over, held
