"""Ways to run a fleet, each through serving: what a server of every generation answers and draws under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array
from aiplan.planners.lifecycle.machines import Machines, Operation, Rates, rates
from aiplan.planners.serving.rows import engine_of

if TYPE_CHECKING:
    from aiplan.planners.lifecycle.inputs import Demand, Lever
    from aiplan.planners.lifecycle.inputs import Operation as AskedOperation
    from aiplan.planners.serving.rows import Shelf

BASELINE, ALL = "baseline", "all"
STEP = 1.1
"""Change of a machine's number that elasticities are taken over [1]."""
SCALED = ("flops", "bandwidth", "memory", "link")


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run the fleet, names looked up.

    Attributes
    ----------
    name : of the lever; ``baseline`` and ``all`` are the scenario's operation alone and with every lever
    placement : all servers loaded alike, or each with the work it is best at
    oversubscribed : whether servers are placed by a percentile of their sum
    model, routed : model that takes a share of the requests, and the share [1]
    alone : whether it is only compared, and no saving is counted from it
    """

    name: str
    operation: Operation
    placement: Literal["uniform", "aware"]
    oversubscribed: bool
    model: str | None
    routed: float
    alone: bool

    @property
    def classes(self) -> int:
        """Classes of work: prefill and decode where they have pools."""
        return 1 if self.operation.interference else 2


@dataclass(frozen=True, slots=True)
class Setup:
    """What servers do when run in a way, arrays of shape (G,) and (G, W).

    Attributes
    ----------
    capacity_per_s : requests/s by class [1/s]
    active_w, idle_w, rated_w : drawn at work, without, and set aside [W]
    prefill_share : share of a mixed server's time that prompts take, shape (G,) [1]
    rates : as serving gave them for the scenario's model, for the report
    """

    way: Way
    capacity_per_s: Array
    active_w: Array
    idle_w: Array
    rated_w: Array
    prefill_share: Array
    rates: Rates


def ways(base: AskedOperation, levers: dict[str, Lever], shelf: Shelf) -> dict[str, Way]:
    """The scenario's operation, each lever on it alone, and all levers together but those that stand alone.

    Later levers win over earlier ones where both set the same thing.

    Raises InputError for models that the catalog does not know and shares without one.
    """
    found = {BASELINE: _way(BASELINE, base, (), shelf)}
    for name, lever in levers.items():
        if name in (BASELINE, ALL):
            raise InputError(Problem("E274", f"a lever cannot be called '{name}'", f"levers.{name}",
                                     hint="give it another name"))  # fmt: skip
        found[name] = _way(name, base, (lever,), shelf)
    found[ALL] = _way(ALL, base, tuple(lever for lever in levers.values() if not lever.alone), shelf)
    return found


def _way(name: str, base: AskedOperation, levers: Sequence[Lever], shelf: Shelf) -> Way:
    def last(field: str) -> Any:
        layers = (*reversed(levers), base)
        return next((value for layer in layers if (value := getattr(layer, field)) is not None), None)

    cap, share, model = last("cap_fraction"), last("model_share_fraction"), last("model")
    path = _path(name)
    if (share is None) != (model is None):
        raise InputError(Problem("E274", f"{path}: model and model_share_fraction go together", path,
                                 hint="give both, or neither"))  # fmt: skip
    if model is not None:
        try:
            model = shelf.resolve("models", model)
        except InputError as error:
            raise InputError(error.under(f"{path}.model")) from None
    engine, _ = engine_of(base.engine, [])
    if engine == "other":
        raise InputError(Problem("E275", f"operation.engine '{base.engine[:40]}' is not known", "operation.engine",
                                 hint="vllm, tensorrt-llm or sglang"))  # fmt: skip
    operation = Operation(
        last("precision"), last("kv_precision"), base.engine, float(last("batch_max")),
        1.0 if cap is None else cap.distribution.median, not last("pools"),
    )  # fmt: skip
    routed = 0.0 if share is None else share.distribution.median
    alone = len(levers) == 1 and levers[0].alone
    return Way(name, operation, last("placement") or "uniform", bool(last("oversubscribed")), model, routed, alone)


def _path(name: str) -> str:
    """Where a way stands in the scenario."""
    return "operation" if name in (BASELINE, ALL) else f"levers.{name}"


def set_up(way: Way, machines: Machines, demand: Demand, model: str, shelf: Shelf) -> Setup:
    """Rates of every generation under a way to run them.

    Raises InputError for formats that serving does not know.
    """
    own = _rates(way, machines, demand, model, shelf)
    capacity, active = _by_class(way, own)
    if way.model is not None and way.routed > 0:
        other = _rates(way, machines, demand, way.model, shelf)
        capacity, active = _routed(way.routed, (capacity, active), _by_class(way, other))
    with np.errstate(divide="ignore", invalid="ignore"):
        times = 1.0 / own.prefill_per_s, 1.0 / own.decode_per_s
        share = np.nan_to_num(times[0] / (times[0] + times[1]), nan=0.5)
    return Setup(way, capacity, active, own.idle_w, own.rated_w, share, own)


def span_factors(setup: Setup, machines: Machines, demand: Demand, model: str, shelf: Shelf, port: float) -> Array:
    """Throughput over another network between servers, over that of serving's own, shape (G,) [1].

    Parameters
    ----------
    port : of an accelerator [GB/s]

    1 where a replica stays in a server.
    """
    if not (setup.rates.devices > machines.count).any():
        return np.ones(len(machines.names))
    other = _rates(setup.way, machines, demand, model, shelf, port).mixed_per_s
    own = setup.rates.mixed_per_s
    return np.divide(other, own, out=np.ones_like(own), where=own > 0)


def elasticities(way: Way, machines: Machines, demand: Demand, model: str, shelf: Shelf) -> dict[str, Array]:
    """Relative change of requests/s over that of a machine's number, by number, each of shape (G, W) [1].

    By finite differences over a tenth; 0 where the machine serves nothing.
    """
    base = set_up(way, machines, demand, model, shelf).capacity_per_s
    out: dict[str, Array] = {}
    for name in SCALED:
        raised = replace(machines, **{name: getattr(machines, name) * STEP})
        more = set_up(way, raised, demand, model, shelf).capacity_per_s
        with np.errstate(divide="ignore", invalid="ignore"):
            out[name] = np.nan_to_num(np.log(more / base) / np.log(STEP), nan=0.0, posinf=0.0, neginf=0.0)
    return out


def _rates(way: Way, machines: Machines, demand: Demand, model: str, shelf: Shelf, port: float | None = None) -> Rates:
    lengths = demand.input_tokens.distribution.median, demand.output_tokens.distribution.median
    promises = demand.ttft_s.distribution.median, demand.tbt_s.distribution.median
    try:
        return rates(machines, model, *lengths, *promises, way.operation, shelf, scaleout_gb_per_s=port)
    except ValueError as error:
        path = _path(way.name)
        raise InputError(Problem("E275", f"{path}: {error}", path, hint="see `aiplan perf --help`")) from None


def _by_class(way: Way, found: Rates) -> tuple[Array, Array]:
    """Requests/s and watts by class, shape (G, W)."""
    if way.classes == 1:
        return found.mixed_per_s[:, None], found.mixed_w[:, None]
    return (np.stack([found.prefill_per_s, found.decode_per_s], axis=-1),
            np.stack([found.prefill_w, found.decode_w], axis=-1))  # fmt: skip


def _routed(share: float, own: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    """A share of the requests asks another model: times add up, watts are those of the time each takes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        times = (1.0 - share) / own[0], share / other[0]
        capacity = 1.0 / (times[0] + times[1])
        watts = (times[0] * own[1] + times[1] * other[1]) * capacity
    serves = (own[0] > 0) & (other[0] > 0)
    return np.where(serves, capacity, 0.0), np.where(serves, watts, own[1])
