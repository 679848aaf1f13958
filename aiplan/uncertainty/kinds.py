"""Table of the kinds of distribution a file may name: parameters, meaning, example, constructor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiplan.uncertainty.base import Distribution
from aiplan.uncertainty.bounded import Pert, Triangular, Uniform
from aiplan.uncertainty.discrete import Choice, Empirical
from aiplan.uncertainty.fitted import Percentiles
from aiplan.uncertainty.unbounded import Exponential, Lognormal, Normal


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kind.

    Attributes
    ----------
    name : key in the table
    help : meaning, for documentation and schema
    above : exclusive lower limit, or None
    is_list : whether it is a list of numbers
    """

    name: str
    help: str
    above: float | None = None
    is_list: bool = False

    def schema(self) -> dict[str, object]:
        """JSON Schema of the parameter."""
        number: dict[str, object] = {"type": "number"}
        if self.above is not None:
            number["exclusiveMinimum"] = self.above
        if self.is_list:
            return {"type": "array", "items": number, "minItems": 1, "description": self.help}
        return {**number, "description": self.help}


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """Parameters that together determine a distribution, and its constructor."""

    parameters: tuple[Parameter, ...]
    build: Callable[..., Distribution]

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the parameters, in the order they are documented."""
        return tuple(parameter.name for parameter in self.parameters)

    def schema(self) -> dict[str, object]:
        """JSON Schema of the table."""
        return {
            "type": "object",
            "properties": {parameter.name: parameter.schema() for parameter in self.parameters},
            "required": list(self.names),
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of distribution: its name in files, what it is for, its parameter sets, an example in TOML."""

    name: str
    help: str
    sets: tuple[ParameterSet, ...]
    example: str

    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters of all sets, without repetition."""
        return tuple({parameter.name: parameter for one in self.sets for parameter in one.parameters}.values())

    def usage(self) -> str:
        """The parameter sets in words: ``p5 and p95, or median and gsd``."""
        return ", or ".join(" and ".join(one.names) for one in self.sets)

    def schema(self) -> dict[str, object]:
        """JSON Schema of the table under the kind's name."""
        schemas = [one.schema() for one in self.sets]
        return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


_LOW = Parameter("low", "lowest possible value")
_MODE = Parameter("mode", "most likely value, low <= mode <= high")
_HIGH = Parameter("high", "highest possible value")
_P5 = Parameter("p5", "value not exceeded with probability 5 %")
_P50 = Parameter("p50", "median")
_P95 = Parameter("p95", "value not exceeded with probability 95 %")
_MEAN = Parameter("mean", "expected value")
_MEDIAN = Parameter("median", "value exceeded half the time", above=0.0)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "uniform",
            "Every value between two limits equally likely.",
            (ParameterSet((_LOW, _HIGH), Uniform),),
            "{ uniform = { low = 0.8, high = 1.2 } }",
        ),
        Kind(
            "triangular",
            "Two limits and a most likely value.",
            (ParameterSet((_LOW, _MODE, _HIGH), Triangular),),
            "{ triangular = { low = 25000, mode = 30000, high = 40000 } }",
        ),
        Kind(
            "pert",
            "Two limits and a most likely value, with thinner tails than triangular (a beta distribution).",
            (ParameterSet((_LOW, _MODE, _HIGH), Pert),),
            "{ pert = { low = 25000, mode = 30000, high = 40000 } }",
        ),
        Kind(
            "normal",
            "Symmetric errors around a mean; reaches below zero.",
            (ParameterSet((_MEAN, Parameter("sd", "standard deviation", above=0.0)), Normal),),
            "{ normal = { mean = 10, sd = 2 } }",
        ),
        Kind(
            "lognormal",
            "A positive number known up to a factor.",
            (
                ParameterSet(
                    (
                        Parameter("p5", _P5.help, above=0.0),
                        Parameter("p95", _P95.help, above=0.0),
                    ),
                    Lognormal.from_percentiles,
                ),
                ParameterSet(
                    (_MEDIAN, Parameter("gsd", "geometric standard deviation, a factor", above=1.0)),
                    Lognormal.from_median,
                ),
            ),
            "{ lognormal = { p5 = 1.05, p95 = 1.6 } }",
        ),
        Kind(
            "exponential",
            "Waiting times and lengths without memory.",
            (
                ParameterSet((_MEDIAN,), Exponential.from_median),
                ParameterSet((Parameter("mean", _MEAN.help, above=0.0),), Exponential.from_mean),
            ),
            "{ exponential = { median = 300 } }",
        ),
        Kind(
            "choice",
            "One of a few values, each with a probability.",
            (
                ParameterSet(
                    (
                        Parameter("values", "possible values", is_list=True),
                        Parameter("weights", "their probabilities, >= 0 and summing to 1", is_list=True),
                    ),
                    Choice,
                ),
            ),
            "{ choice = { values = [4, 8], weights = [0.25, 0.75] } }",
        ),
        Kind(
            "empirical",
            "Measured values, drawn again with equal probability.",
            (ParameterSet((Parameter("values", "measurements", is_list=True),), Empirical),),
            "{ empirical = { values = [0.9, 1.0, 1.3] } }",
        ),
        Kind(
            "percentiles",
            "Three percentiles; a normal if symmetric within 1 %, else a shifted lognormal.",
            (ParameterSet((_P5, _P50, _P95), Percentiles),),
            "{ percentiles = { p5 = 8, p50 = 10, p95 = 13 } }",
        ),
    )
}
"""Kinds by name, in the order documentation lists them."""
