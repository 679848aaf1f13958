"""Where work goes in a fleet: whether servers suffice, how many are missing, and which are at work.

One or two classes of work. ``uniform`` loads every server alike. ``aware`` knows the servers: work goes to those with
the least energy per request, and of two classes each goes where it loses least of the other.

A fleet of n_k servers with capacities c_kw serves demands D_w of two classes just when, for all weights l >= 0,
``sum_w l_w D_w <= sum_k n_k max_w(l_w c_kw)`` (linear programming duality). The difference is convex and piecewise
linear along l, so that it suffices to look at the ends and at the weights (1/c_k1, 1/c_k2) where a server does both
classes equally well. Effects of servers on these sums add up, which makes counts of servers closed forms.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import numpy as np

from aiplan.planners.arrays import Array, require
from aiplan.planners.lifecycle.problem import Problem, pick
from aiplan.planners.lifecycle.world import Bools, Ints

Placement = Literal["uniform", "aware"]
TOGETHER = 1 << 17
"""Numbers worked on at once: enough to hide Python's share, few enough to stay in fast memory."""


class Fit(Protocol):
    """Whether servers suffice. Servers count by their effect, shape (..., K, J); effects add up to a supply, and the
    demand wants some of each."""

    effect: Array

    def wanted(self, demand_per_s: Array) -> Array:
        """What a demand, shape (..., W), wants of each effect, shape (..., J)."""

    def balance(self, supply: Array, wanted: Array, effect: Array) -> Array:
        """Servers of an effect (..., J) to add to a supply (..., J), negative: that can go; infinite where no number
        helps, negative infinite where any can go, shape (...) [1]."""

    def share(self, supply: Array, wanted: Array) -> Array:
        """Largest share of the demand that the supply can serve, at most 1, shape (...) [1]."""


def fit(capacity_per_s: Array, placement: Placement) -> Fit:
    """Rule for servers of capacity (..., K, W) at the start [1/s]; demand is to be given net of better software."""
    require(capacity_per_s.shape[-1] in (1, 2), "work is of one class or two")
    if placement == "uniform" or capacity_per_s.shape[-1] == 1:
        return _Alike(capacity_per_s)
    return _Aware(capacity_per_s)


class _Alike:
    """All servers share their time alike: ``sum_w D_w / sum_k n_k c_kw <= 1``. For one class this is no restriction."""

    def __init__(self, capacity_per_s: Array) -> None:
        self.effect = capacity_per_s

    def wanted(self, demand_per_s: Array) -> Array:
        """The demand itself, shape (..., W)."""
        return demand_per_s

    def balance(self, supply: Array, wanted: Array, effect: Array) -> Array:
        """Servers to buy so that supply just meets what is wanted when all are loaded alike, shape (...) [1].

        ``supply`` is what those that stand could serve, ``effect`` what one more adds, shape (..., W) [1/s].
        """
        over = supply - wanted
        if supply.shape[-1] == 1:
            return _ratio(-over[..., 0], effect[..., 0])
        # (o_1 + b e_1)(o_2 + b e_2) = D_1 D_2, on the branch where both factors are positive: the larger root.
        product = wanted[..., 0] * wanted[..., 1]
        square = effect[..., 0] * effect[..., 1]
        linear = over[..., 0] * effect[..., 1] + over[..., 1] * effect[..., 0]
        lean = over[..., 0] * effect[..., 1] - over[..., 1] * effect[..., 0]
        root = np.sqrt(lean**2 + 4.0 * square * product)
        rest = over[..., 0] * over[..., 1] - product
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = np.where(linear > 0, -2.0 * rest / (linear + root), (root - linear) / (2.0 * square))
        enough = (over >= 0).all(axis=-1) & (rest >= 0)
        found = np.where(np.isfinite(found), found, np.where(enough, -np.inf, np.inf))
        alone = np.where(wanted > 0, _ratio(-over, effect), -np.inf).max(axis=-1)
        return np.asarray(np.where(product > 0, found, alone))

    def share(self, supply: Array, wanted: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            load = np.where(wanted > 0, wanted / supply, 0.0).sum(axis=-1)
            return np.asarray(np.minimum(1.0 / load, 1.0))


class _Aware:
    """Two classes, each where it costs least of the other; see the equation at the head of the file."""

    def __init__(self, capacity_per_s: Array) -> None:
        scale = np.maximum(capacity_per_s.max(axis=-1, keepdims=True), 1e-300)
        corners = (capacity_per_s / scale)[..., ::-1]
        ends = np.broadcast_to(np.eye(2), (*corners.shape[:-2], 2, 2))
        self.weights = np.concatenate([ends, corners], axis=-2)  # (..., J, W)
        first, second = (capacity_per_s[..., None, w] * self.weights[..., None, :, w] for w in (0, 1))
        self.effect = np.maximum(first, second)

    def wanted(self, demand_per_s: Array) -> Array:
        """The demand's sums, shape (..., J)."""
        return self.weights[..., 0] * demand_per_s[..., None, 0] + self.weights[..., 1] * demand_per_s[..., None, 1]

    def balance(self, supply: Array, wanted: Array, effect: Array) -> Array:
        return np.asarray(_ratio(wanted - supply, effect).max(axis=-1))

    def share(self, supply: Array, wanted: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(np.minimum(np.where(wanted > 0, supply / wanted, 1.0).min(axis=-1), 1.0))


def _ratio(lacks: Array, effect: Array) -> Array:
    """Servers that fill a lack, infinite where they do not help."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(effect > 0, lacks / effect, np.where(lacks > 0, np.inf, -np.inf))


def at_start(problem: Problem) -> Array:
    """Requests/s of a server with the software of the start, shape (..., K, W) [1/s]."""
    return np.asarray(problem.capacity_per_s[..., 0, :] / problem.world.efficiency[..., 0, None, None])


def place(problem: Problem, serve: Array, served_per_s: Array, placement: Placement) -> Array:
    """Servers at work by class, shape (..., K, T, W) [1].

    Parameters
    ----------
    serve : in service, shape (..., K, T) [1]
    served_per_s : demand they are to serve and can, shape (..., T, W) [1/s]

    Aware placement of one class has the least energy of all. Of two classes, servers with the most energy per request
    are left idle as far as the rest can do the work, and the rest split by comparative advantage: that always fits.
    Its energy is not proven least: the same as a linear programme's for fleets of successive generations, 6 % above
    it on average, idling not counted, for fleets made up at random (480 periods; tests/lifecycle/test_placement.py).
    """
    capacity = problem.capacity_per_s
    if placement == "uniform":
        supply = (serve[..., None] * capacity).sum(axis=-3)
        load = np.divide(served_per_s, supply, out=np.zeros(np.broadcast_shapes(served_per_s.shape, supply.shape)),
                         where=supply > 0)  # fmt: skip
        return np.asarray(serve[..., None] * load[..., None, :, :])
    energy = _energy_per_request(problem)
    lead = np.broadcast_shapes(serve.shape[:-2], capacity.shape[:-3], energy.shape[:-1], served_per_s.shape[:-2])
    K, T = serve.shape[-2:]
    n = np.broadcast_to(serve, (*lead, K, T))
    out = np.zeros((*lead, K, T, problem.world.classes))
    stands = np.asarray((n > 0).reshape(-1, K, T).any(axis=0))
    most = int(stands.sum(axis=0).max(initial=0))
    together = max(TOGETHER // max(math.prod(lead) * most * (most + 2), 1), 1)
    for start in range(0, T, together):
        t = np.arange(start, min(start + together, T))[:, None]
        which = _first_true(stands[:, t[:, 0]])
        rates, cost = capacity[..., which, t, :], energy[..., which]
        rates = np.broadcast_to(rates, (*lead, *rates.shape[-3:]))
        cost = np.broadcast_to(cost, (*lead, *cost.shape[-2:]))
        out[..., which, t, :] = _at_work(n[..., which, t], rates, cost, served_per_s[..., t[:, 0], :])
    return out


def _first_true(stands: Bools) -> Ints:
    """Vintages that stand in each period, in order, shape (K, T) to (T, S); S is that of the period with most.

    Others fill up the periods with fewer.
    """
    most = int(stands.sum(axis=0).max(initial=0))
    return np.asarray(np.sort(np.argsort(~stands, axis=0, kind="stable")[:most], axis=0).T)


def _at_work(n: Array, capacity_per_s: Array, energy: Array, served_per_s: Array) -> Array:
    """Servers at work, shape (..., K, W), from servers (..., K), all with the same leading axes."""
    cheap = np.argsort(energy, axis=-1, kind="stable")
    if capacity_per_s.shape[-1] == 1:
        return _filled(n, capacity_per_s[..., 0], served_per_s[..., 0], cheap)[..., None]
    working = _without_idle(n, capacity_per_s, served_per_s, cheap)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        advantage = np.nan_to_num(capacity_per_s[..., 0] / capacity_per_s[..., 1], posinf=np.inf)
    order = np.argsort(-advantage, axis=-1, kind="stable")
    first = _filled(working, capacity_per_s[..., 0], served_per_s[..., 0], order)
    second = _filled(working - first, capacity_per_s[..., 1], served_per_s[..., 1], cheap)
    return np.stack([first, second], axis=-1)


def _energy_per_request(problem: Problem) -> Array:
    """What a request costs in power over idling, all classes in turn, shape (..., K) [J]; only its order counts."""
    world, generation = problem.world, problem.vintages.generation
    gens = world.generations
    capacity = problem.capacity_per_s[..., 0, :]
    active = np.stack([pick(gens.active_w[..., w], generation) for w in range(world.classes)], axis=-1)
    more = (active - pick(gens.idle_w, generation)[..., None]) * (1.0 - pick(world.site.fan_saved, generation))[
        ..., None
    ]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.where(capacity > 0, more / capacity, 0.0).sum(axis=-1))


def _filled(n: Array, capacity_per_s: Array, wanted_per_s: Array, order: Ints) -> Array:
    """Servers at work when they are filled one vintage after the other, shape (..., K)."""
    count, each = np.take_along_axis(n, order, axis=-1), np.take_along_axis(capacity_per_s, order, axis=-1)
    most = count * each
    before = np.cumsum(most, axis=-1) - most
    taken = np.clip(wanted_per_s[..., None] - before, 0.0, most)
    found = np.minimum(np.divide(taken, each, out=np.zeros(taken.shape), where=each > 0), count)
    out = np.empty(found.shape)
    np.put_along_axis(out, order, found, axis=-1)
    return out


def _without_idle(n: Array, capacity_per_s: Array, served_per_s: Array, cheap: Ints) -> Array:
    """Servers needed when as many as possible of the dearest in energy idle, shape (..., K); two classes."""
    rule = _Aware(capacity_per_s)
    spare = np.einsum("...k,...kj->...j", n, rule.effect) - rule.wanted(served_per_s)
    effect = np.take_along_axis(rule.effect, cheap[..., None], axis=-2)
    left = np.take_along_axis(n, cheap, axis=-1)
    # Where a vintage has no effect the inverse is too large to bind, unless nothing at all is spare.
    inverse = np.divide(1.0, effect, out=np.full(effect.shape, 1e300), where=effect > 1e-300)
    for step in range(cheap.shape[-1] - 1, -1, -1):
        go = np.clip((spare * inverse[..., step, :]).min(axis=-1), 0.0, left[..., step])
        spare -= go[..., None] * effect[..., step, :]
        left[..., step] -= go
    out = np.empty(left.shape)
    np.put_along_axis(out, cheap, left, axis=-1)
    return out
