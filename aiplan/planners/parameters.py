"""The uncertain inputs of a study, under the names people know them by.

A planner collects every number it uses here, from the scenario or the catalog, with its source. From then on the
numbers are a plain mapping from name to value: medians for a point, arrays for a sample. One physics function of
that mapping then gives the answer, its error band, what each input does to it, and the grade of the evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.report.model import InputRecord, Warn, worst_grade
from aiplan.uncertainty.discrete import Constant
from aiplan.uncertainty.sensitivity import TornadoBar, effects, moved_by, tornado
from aiplan.units import symbol_of

if TYPE_CHECKING:
    from aiplan.inputs.scenario import Uncertainty

Value = float | NDArray[np.float64]
Values = Mapping[str, Value]

# A lognormal that strays over a bound this rarely is a fair description and not worth a warning.
TOLERATED_TAIL = 0.001


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input: its path, what it is called, its unit, the quantity, and its physical bounds."""

    path: str
    label: str
    unit: str | None
    quantity: Quantity
    low: float = float("-inf")
    high: float = float("inf")


@dataclass(slots=True)
class Parameters:
    """Inputs by path, in the order they were added; a path is added once and kept."""

    items: dict[str, Parameter] = field(default_factory=dict)

    def add(
        self,
        path: str,
        label: str,
        quantity: Quantity,
        *,
        low: float = float("-inf"),
        high: float = float("inf"),
        unit: str | None = None,
        unitless: bool = False,
    ) -> str:
        """Add an input unless its path is there already; the path, for the planner to keep.

        The unit is read off the end of the path where none is given; ``unitless`` says that there is none.
        """
        if path not in self.items:
            name = path.rsplit(".", 1)[-1]
            self.items[path] = Parameter(
                path, label, None if unitless else unit or symbol_of(name), quantity, low, high
            )
        return path

    def medians(self) -> dict[str, float]:
        """Every input at its median."""
        return {path: item.quantity.distribution.median for path, item in self.items.items()}

    def uncertain(self) -> list[str]:
        """Paths of the inputs that are not fixed."""
        return [path for path, item in self.items.items() if item.quantity.uncertain]

    def draw(self, how: Uncertainty) -> dict[str, Value]:
        """Draws of every uncertain input, fixed ones as they are.

        Raises
        ------
        InputError for correlations that name no uncertain input or cannot hold, and for Sobol points that are
        no power of two.
        """
        from aiplan.uncertainty.sampling import Sampler

        names = self.uncertain()
        try:
            pairs = [(pair.a, pair.b, pair.rho) for pair in how.correlations]
            sampler = Sampler(how.seed, how.samples, how.sampling, pairs, names)
        except ValueError as error:
            path = f"uncertainty.{'correlations' if 'correlation' in str(error) else 'samples'}"
            raise InputError(Problem("E116", f"{path}: {error}", path,
                                     hint=f"uncertain inputs here: {', '.join(names)}")) from None  # fmt: skip
        drawn: dict[str, Value] = {}
        for path, item in self.items.items():
            fixed = isinstance(item.quantity.distribution, Constant)
            drawn[path] = item.quantity.value if fixed else sampler.draw(path, item.quantity.distribution)
        return drawn

    def records(self) -> tuple[InputRecord, ...]:
        """What ``--explain`` and the assumption marks are made from."""
        return tuple(
            InputRecord(
                item.path,
                item.label,
                item.quantity.distribution.median,
                item.unit,
                item.quantity.distribution.text() if item.quantity.uncertain else "",
                item.quantity.grade or "assumption",
                item.quantity.evidence or "assumed",
                (item.quantity.source,) if item.quantity.source else (),
            )
            for item in self.items.values()
        )

    def tail_warnings(self) -> list[Warn]:
        """Inputs whose distribution reaches beyond what is physical, and how often."""
        found = []
        for item in self.items.values():
            outside = item.quantity.distribution.share_outside(item.low, item.high)
            if outside > TOLERATED_TAIL:
                found.append(
                    Warn(
                        "W-TAIL",
                        f"{outside:.1%} of the draws of {item.path} lie outside {item.low:g} to {item.high:g}; "
                        f"{_cut_advice(item)} cuts them",
                        item.path,
                    )
                )
        return found

    def evidence(self, point: Callable[[Values], Mapping[str, Value]]) -> dict[str, Evidence]:
        """What moves each output of ``point``: inputs by effect, worst grade, sources.

        An input counts when raising it by a tenth moves the output by more than 1 %. ``point`` is called once,
        with all inputs varied side by side, and must broadcast.
        """
        highs = {path: item.high for path, item in self.items.items()}
        found = effects(point, self.medians(), highs=highs)
        out: dict[str, Evidence] = {}
        for line, paths in moved_by(found).items():
            used = [self.items[path].quantity for path in paths]
            out[line] = Evidence(
                tuple(paths),
                tuple(found[line][path] or 0.0 for path in paths),
                worst_grade([quantity.grade or "assumption" for quantity in used]),
                tuple(dict.fromkeys(quantity.source for quantity in used if quantity.source)),
            )
        return out

    def tornado(self, point: Callable[[Values], Mapping[str, Value]], line: str) -> list[TornadoBar]:
        """One output with each uncertain input at its P5 and P95, longest bar first."""
        return tornado(point, {path: item.quantity.distribution for path, item in self.items.items()}, line)


def _cut_advice(item: Parameter) -> str:
    """What to write beside a distribution to keep it inside its bounds."""
    ends = [f"{name} = {end:g}" for name, end in (("low", item.low), ("high", item.high)) if abs(end) < float("inf")]
    return f"truncate = {{ {', '.join(ends)} }} beside the distribution"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an output rests on; see `Parameters.evidence`."""

    inputs: tuple[str, ...] = ()
    effects: tuple[float, ...] = ()
    grade: str = "assumption"
    sources: tuple[str, ...] = ()
