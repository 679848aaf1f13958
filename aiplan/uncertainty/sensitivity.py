"""What moves a result: local effects, tornado bars, variance shares.

Every form asks the model once, with all its cases side by side, so a model that broadcasts is graded at the price of
one evaluation. numpy is loaded when something is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from aiplan.uncertainty.base import Distribution
from aiplan.uncertainty.discrete import Constant

if TYPE_CHECKING:
    from aiplan.uncertainty._special import FloatArray
    from aiplan.uncertainty.sampling import Method

Model = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Inputs by name -> result lines by id, in their own units; arrays in, arrays out."""

Effects = dict[str, dict[str, float | None]]
"""Line id -> input name -> relative change [1]; None where the line is zero but for the input's rise."""

MOVES = 0.01
"""An input whose rise by 10 % changes a line by more than this moves the line [1]."""


class TornadoBar(NamedTuple):
    """Result with one input at its 5th and at its 95th percentile, in the line's unit.

    `low` belongs to the input's P5 and may exceed `high`.
    """

    name: str
    low: float
    high: float


class SobolIndex(NamedTuple):
    """Share of the output's variance [1] due to an input alone, and with all its interactions.

    None where the output does not vary.
    """

    first: float | None
    total: float | None


def vary(model: Model, medians: Mapping[str, float], moves: Sequence[tuple[str, float]]) -> dict[str, FloatArray]:
    """Lines of a model at the medians and with one input moved at a time, in a single call.

    Parameters
    ----------
    model : inputs -> lines; is given one column per input and must broadcast
    medians : value of each input, in its unit
    moves : input and value to move it to, one per case; an input may come several times

    Returns
    -------
    line -> array of 1 + len(moves) values: the medians first, then the cases in order.

    >>> vary(lambda x: {"sum": x["a"] + x["b"]}, {"a": 1.0, "b": 2.0}, [("a", 5.0), ("b", 0.0)])["sum"].tolist()
    [3.0, 7.0, 1.0]
    """
    import numpy as np

    columns = {name: np.full(len(moves) + 1, float(value)) for name, value in medians.items()}
    for row, (name, value) in enumerate(moves, start=1):
        columns[name][row] = value
    shape = (len(moves) + 1,)
    return {line: np.broadcast_to(np.asarray(found, float), shape) for line, found in model(columns).items()}


def effects(
    model: Model, medians: Mapping[str, float], bump: float = 0.1, highs: Mapping[str, float] | None = None
) -> Effects:
    """Relative change of each line when each input in turn is raised by a tenth.

    Parameters
    ----------
    model : inputs -> lines, see `vary`
    medians : value of each input, in its unit
    bump : relative rise [1], not 0
    highs : upper bounds; an input that cannot rise that far is lowered by as much, and the sign of the answer
        turned

    Returns
    -------
    line -> input -> (line(raised) - line(base))/line(base). Where the base is zero: 0 if the line stays
    zero, else None, since a change from nothing has no relative size. None also where a line is not finite.

    One-sided and local: an input at 0 has no effect here, steps and thresholds beyond the bump are not seen, and
    interactions are left to :func:`sobol_indices`.

    >>> found = effects(lambda x: {"energy": x["power"] * x["time"] ** 2}, {"power": 3.0, "time": 2.0})
    >>> round(found["energy"]["power"], 9), round(found["energy"]["time"], 9)
    (0.1, 0.21)
    """
    if not (math.isfinite(bump) and bump != 0.0):
        raise ValueError(f"bump must be a finite number other than 0, got {bump}")
    signs = {
        name: -1.0 if value * (1.0 + bump) > (highs or {}).get(name, math.inf) else 1.0
        for name, value in medians.items()
    }
    found = vary(model, medians, [(name, value * (1.0 + signs[name] * bump)) for name, value in medians.items()])
    result: Effects = {}
    for line, values in found.items():
        base = float(values[0])
        changes = {name: _relative_change(base, float(after)) for name, after in zip(signs, values[1:], strict=True)}
        result[line] = {name: None if size is None else signs[name] * size + 0.0 for name, size in changes.items()}
    return result


def _relative_change(before: float, after: float) -> float | None:
    if not (math.isfinite(before) and math.isfinite(after)):
        return None
    if after == before:
        return 0.0
    if before == 0.0:
        return None
    change = (after - before) / before
    return change if math.isfinite(change) else None


def moved_by(found: Mapping[str, Mapping[str, float | None]], threshold: float = MOVES) -> dict[str, list[str]]:
    """Inputs that move each line, strongest first; an effect of unknown size counts as strongest.

    Parameters
    ----------
    found : result of :func:`effects`
    threshold : relative change [1] that must be exceeded

    >>> moved_by({"cost": {"price": 0.1, "colour": 0.0, "power": -0.05}})
    {'cost': ['price', 'power']}
    """
    movers: dict[str, list[str]] = {}
    for line, by_input in found.items():
        sizes = {name: math.inf if change is None else abs(change) for name, change in by_input.items()}
        strong = [name for name, size in sizes.items() if size > threshold]
        movers[line] = sorted(strong, key=lambda name: (-sizes[name], name))
    return movers


def tornado(model: Model, parameters: Mapping[str, Distribution | float], line: str) -> list[TornadoBar]:
    """One line of a result with each uncertain input at its P5 and P95, the others at their medians.

    Parameters
    ----------
    model : inputs -> lines, see `vary`
    parameters : distribution or plain number of each input, in its unit; numbers and constants stay put
    line : id of the line

    Returns
    -------
    Bars sorted by length, longest first; equal ones by name. Correlations are not followed.

    Raises ValueError when the model has no such line.

    >>> from aiplan.uncertainty.bounded import Uniform
    >>> tornado(lambda x: {"cost": x["a"] + x["b"]}, {"a": Uniform(0, 10), "b": 1.0}, "cost")
    [TornadoBar(name='a', low=1.5, high=10.5)]
    """
    medians = {name: _median(value) for name, value in parameters.items()}
    moves = [
        (name, value.quantile(p))
        for name, value in parameters.items()
        if isinstance(value, Distribution) and not isinstance(value, Constant)
        for p in (0.05, 0.95)
    ]
    lines = vary(model, medians, moves)
    if line not in lines:
        raise ValueError(f"the model has no line {line!r}")
    ends = [float(value) for value in lines[line][1:]]
    names = [name for name, _ in moves[::2]]
    bars = [TornadoBar(*bar) for bar in zip(names, ends[::2], ends[1::2], strict=True)]
    return sorted(bars, key=lambda bar: (-abs(bar.high - bar.low), bar.name))


def _median(value: Distribution | float) -> float:
    return value.median if isinstance(value, Distribution) else float(value)


def sobol_indices(
    model: Callable[[Mapping[str, FloatArray | float]], FloatArray],
    distributions: Mapping[str, Distribution],
    n: int = 4096,
    seed: int = 0,
    method: Method = "sobol",
) -> dict[str, SobolIndex]:
    """Shares of the variance of an output: first-order and total Sobol index of each independent input.

    Parameters
    ----------
    model : arrays of shape (n,) by input name (plain numbers for constants) -> output, shape (n,)
    distributions : of the inputs, taken as independent
    n : base samples [1], a power of two for ``sobol``; the model runs once per uncertain input and twice more
    seed : integer
    method : of sampling, see :class:`aiplan.uncertainty.sampling.Sampler`; ``random`` avoids scipy

    With base samples A and B, AB_i = A with column i from B, f centred on its mean:
    first S_i = mean(f_B (f_ABi - f_A))/V, total T_i = mean((f_A - f_ABi)^2)/(2 V).
    Source: Saltelli et al. 2010, Computer Physics Communications 181, table 2, estimators (b) and (f, Jansen
    1999). Estimates may leave 0..1 by their sampling error; not valid for correlated inputs.

    >>> from aiplan.uncertainty.bounded import Uniform
    >>> inputs = {"a": Uniform(0, 1), "b": Uniform(0, 1)}
    >>> found = sobol_indices(lambda x: x["a"] + 2 * x["b"], inputs, n=1024)
    >>> round(found["a"].first, 2), round(found["b"].total, 2)
    (0.2, 0.8)
    """
    import numpy as np

    from aiplan.uncertainty.sampling import Sampler

    uncertain = [name for name, kind in distributions.items() if not isinstance(kind, Constant)]
    names = [f"{base}:{name}" for base in ("A", "B") for name in uncertain]
    sampler = Sampler(seed, n, method, names=names)
    first = {name: sampler.draw(f"A:{name}", kind) for name, kind in distributions.items()}
    second = {name: sampler.draw(f"B:{name}", kind) for name, kind in distributions.items()}
    f_a, f_b = np.asarray(model(first)), np.asarray(model(second))
    both = np.concatenate((f_a, f_b))
    centre, variance = float(np.mean(both)), float(np.var(both))
    result = {name: SobolIndex(0.0, 0.0) for name in distributions}
    for name in uncertain:
        if variance == 0.0:
            result[name] = SobolIndex(None, None)
            continue
        f_mixed = np.asarray(model({**first, name: second[name]}))
        alone = float(np.mean((f_b - centre) * (f_mixed - f_a))) / variance
        total = float(np.mean((f_a - f_mixed) ** 2)) / (2.0 * variance)
        result[name] = SobolIndex(alone, total)
    return result
