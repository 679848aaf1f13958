"""Search, fleet, watts and dollars of rows, and their order.

A row is an option; for the sensitivities of inputs it is one option again and again, each time with one input moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.deployment import Deployment, pick
from aiplan.planners.serving.load import decode_load, device_of, power_class
from aiplan.planners.serving.power import accelerator_power_w
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.time_constants import TimeConstants
from aiplan.planners.size.fleet import Fleet, fleet
from aiplan.planners.size.options import Case, Option
from aiplan.planners.size.search import Ask, Found, ask, search, times

At = Callable[[str], Array]
ORDER = {"gpus": ("gpus", "usd", "power"), "usd": ("usd", "power", "gpus"), "power": ("power", "gpus", "usd")}
"""What decides, first to last, by objective."""
P99 = 0.99
HOURS_PER_YEAR = 8766.0
SECONDS_PER_HOUR = 3600.0
SETTLE_STEPS = 6
SMALLEST_BATCH = 1e-3


@dataclass(frozen=True, slots=True)
class Change:
    """A constraint moved: factors on the fields of `Ask`, 0 for no spares; numbers, or one per row."""

    what: str
    factors: Mapping[str, Any] = field(default_factory=dict)
    spares: Any = 1.0


PLAIN = Change("as asked")


@dataclass(frozen=True, slots=True)
class Solved:
    """Rows with everything that is reported of them; NaN where a row keeps no promise."""

    found: Found
    fleet: Fleet
    devices: Array
    tok_s_per_gpu: Array
    accelerator_w: Array
    facility_w: Array
    usd_per_h: Array

    def key(self, name: str) -> Array:
        """What an objective makes least; infinite where unknown."""
        values = {"gpus": self.fleet.accelerators, "usd": self.usd_per_h, "power": self.facility_w}[name]
        return np.where(np.isnan(values), np.inf, values)


def of_options(case: Case, options: list[Option]) -> At:
    """Inputs at their medians, one value per option; NaN where an option has none."""
    medians = case.parameters.medians()

    def at(name: str) -> Array:
        return np.array([medians[option.paths[name]] if name in option.paths else np.nan for option in options])

    return at


def solve(case: Case, options: list[Option], deployment: Deployment, at: At, change: Change = PLAIN) -> Solved:
    """Batch, replicas, fleet, watts and dollars of rows.

    Parameters
    ----------
    case : what is asked
    options, deployment : the option of each row, and the same as arrays
    at : values of an input by its short name, shape (rows,)
    change : constraint that is moved
    """
    asked = _asked(case, len(options), at, change)
    found = search(deployment, case.constants, asked)
    good = found.feasible
    target = at("availability_fraction") * float(case.inputs.failures.spares) * change.spares
    devices = np.array([option.devices for option in options])
    seats = np.array([float(option.per_server) for option in options])
    rows = np.flatnonzero(good)
    paid = _spread(len(options), rows, fleet(
        found.replicas[rows], devices[rows], seats[rows], at("accelerator_mttf_h")[rows], at("mttr_h")[rows],
        target[rows], whole_servers=case.inputs.hardware.whole_servers,
    ))  # fmt: skip
    watts = np.full(len(options), np.nan)
    watts[rows] = _accelerator_w(case, options, deployment, asked, at("tdp_w"), found, paid, rows)
    facility = at("pue") * (watts + at("host_power_w") * paid.accelerators / seats)
    per_gpu = np.where(good, found.replica_tok_s / devices, np.nan)
    return Solved(found, paid, devices, per_gpu, watts, facility, _usd_per_h(case, at, seats, paid, facility))


def _spread(total: int, rows: Any, some: Fleet) -> Fleet:
    out = {name: np.full(total, np.nan) for name in Fleet.__slots__}
    for name, values in out.items():
        values[rows] = getattr(some, name)
    return Fleet(**out)


def _asked(case: Case, rows: int, at: At, change: Change) -> Ask:
    inputs = case.inputs
    factors = change.factors

    def moved(name: str, value: Any) -> Any:
        return value * factors.get(name, 1.0)

    return ask(
        rows,
        requests_per_s=moved("requests_per_s", at("requests_per_s")),
        prompt_tokens=moved("prompt_tokens", at("input_tokens")),
        output_tokens=np.maximum(moved("output_tokens", at("output_tokens")), 1.0),
        ttft_s=moved("ttft_s", at("ttft_s")),
        tpot_s=moved("tpot_s", at("tpot_s")),
        utilisation_max=np.minimum(moved("utilisation_max", at("utilisation_fraction")), 1.0),
        wait_quantile=P99 if inputs.slo.wait == "p99" else np.nan,
        arrival_cv2=moved("arrival_cv2", at("arrival_cv2")),
        service_cv2=moved("service_cv2", at("service_cv2")),
        one_queue=float(inputs.serving.shared_queue),
        batch_max=moved("batch_max", float(inputs.serving.batch_max)),
        tpot_factor=moved("tpot_factor", at("tpot_factor")),
        ttft_factor=moved("ttft_factor", at("ttft_factor")),
        memory_factor=moved("memory_factor", 1.0),
    )


def _usd_per_h(case: Case, at: At, seats: Array, paid: Fleet, facility_w: Array) -> Array:
    """Cost of what is paid for: rent of each accelerator, or servers written off and their electricity [USD/h]."""
    price = at("price")
    if case.inputs.cost.basis != "server":
        return np.asarray(price * paid.accelerators, dtype=np.float64)
    capital = price / (at("lifetime_years") * HOURS_PER_YEAR) * paid.accelerators / seats
    return np.asarray(capital + facility_w / 1e3 * at("electricity_usd_per_kwh"), dtype=np.float64)


def settled_batch(
    deployment: Deployment, constants: TimeConstants, asked: Ask, rank_tok_s: Array, start: Array
) -> Array:
    """Sequences per rank in use at a token rate below the most, ``B = x TPOT(B)`` (Little's law) [1].

    Parameters
    ----------
    deployment, constants, asked : see `search.times`
    rank_tok_s : x, output tokens of one rank, at most those of a full batch [1/s]
    start : the full batch, where the secants begin [1]
    """

    def excess(batch: Array) -> Array:
        return batch - rank_tok_s * times(deployment, constants, asked, batch)[0]

    before, after = start, start / 2.0
    high, low = excess(before), excess(after)
    for _ in range(SETTLE_STEPS):
        slope = high - low
        step = np.divide(low * (before - after), slope, out=np.zeros_like(low), where=np.abs(slope) > 0)
        following = np.clip(after - step, SMALLEST_BATCH, start)
        before, after, high, low = after, following, low, excess(following)
    return after


def _accelerator_w(
    case: Case, options: list[Option], deployment: Deployment, asked: Ask, tdp_w: Array, found: Found, paid: Fleet,
    rows: Any,
) -> Array:  # fmt: skip
    """Power of all accelerators paid for at the load asked, replicas sharing it evenly [W]."""
    some = [options[number] for number in rows]
    if not some:
        return np.zeros(0)
    of = Ask(*(getattr(asked, name)[rows] for name in Ask.__slots__))
    part = pick(deployment, rows)
    replicas, devices = paid.replicas[rows], np.array([option.devices for option in some])
    rate = of.requests_per_s * of.output_tokens / replicas
    ranks = np.asarray(part.layout.dp, dtype=np.float64)
    batch = settled_batch(part, case.constants, of, rate / ranks, found.batch[rows])
    idle = (paid.accelerators[rows] - replicas * devices) * tdp_w[rows]
    watts = np.zeros(len(some))
    classes = np.array([power_class(option.accelerator) for option in some])
    for name in np.unique(classes):
        index = np.flatnonzero(classes == name)
        precision = [some[number].row.precision for number in index]
        load = decode_load(
            [case.shelf.architecture(some[number].row.model) for number in index],
            precision,
            accelerators=devices[index],
            ranks=ranks[index],
            tokens_per_s=rate[index],
            batch=np.maximum(batch * ranks, 1e-6)[index],
            prompt_tokens=of.prompt_tokens[index],
            output_tokens=of.output_tokens[index],
        )
        device = device_of([case.shelf.accelerator(some[number].accelerator) for number in index], precision)
        device = replace(device, tdp_w=tdp_w[rows][index])
        constants = POWER_CONSTANTS[str(name)]
        watts[index] = replicas[index] * accelerator_power_w(load, device, constants)
        watts[index] += idle[index] * constants.idle_share
    return watts


def ranked(solved: Solved, objective: str) -> list[int]:
    """Rows that keep the promises, best first; equals by the next objective, then by TTFT."""
    rows = np.flatnonzero(solved.found.feasible)
    keys = [solved.key(name)[rows] for name in ORDER[objective]]
    order = np.lexsort((solved.found.ttft_s[rows], *reversed(keys)))
    return [int(rows[number]) for number in order]
