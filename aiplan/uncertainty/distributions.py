"""Every kind of distribution and the reader of their TOML form, in one place to import from.

Nothing here loads numpy until values are drawn, nor scipy unless an array of probabilities is inverted: a
catalog full of uncertain numbers can be read and listed without either.
"""

from aiplan.uncertainty.base import Distribution
from aiplan.uncertainty.bounded import Pert, Triangular, Uniform
from aiplan.uncertainty.discrete import Choice, Constant, Empirical
from aiplan.uncertainty.fitted import Percentiles, ShiftedLognormal, Truncated, truncated
from aiplan.uncertainty.spec import (
    KINDS,
    Kind,
    Parameter,
    ParameterSet,
    SpecError,
    SpecProblem,
    json_schema,
    parse,
)
from aiplan.uncertainty.unbounded import Exponential, Lognormal, Normal, NormalBased

__all__ = [
    "KINDS",
    "Choice",
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "Kind",
    "Lognormal",
    "Normal",
    "NormalBased",
    "Parameter",
    "ParameterSet",
    "Percentiles",
    "Pert",
    "ShiftedLognormal",
    "SpecError",
    "SpecProblem",
    "Triangular",
    "Truncated",
    "Uniform",
    "json_schema",
    "parse",
    "truncated",
]
