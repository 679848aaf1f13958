"""What is wrong with numbers given to the lifecycle's physics: every fault with its field, all raised at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import as_array


class Fault(NamedTuple):
    """One thing wrong: the field it stands in, and a sentence on it."""

    field: str
    text: str


class FaultyNumbersError(ValueError):
    """Numbers no plan can be made of; ``faults`` has them one by one, the message all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.field}: {fault.text}" for fault in self.faults))


def raise_if_any(faults: list[Fault]) -> None:
    """Raise FaultyNumbersError where there are faults."""
    if faults:
        raise FaultyNumbersError(faults)


def positive(field: str, value: npt.ArrayLike) -> list[Fault]:
    """A fault unless every number is finite and above 0."""
    numbers = as_array(value)
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    return [Fault(field, f"{_first(numbers, bad)} is not a number above 0")] if bad.any() else []


def not_negative(field: str, value: npt.ArrayLike, endless: bool = False) -> list[Fault]:
    """A fault unless every number is 0 or more, and finite unless it may be endless."""
    numbers = as_array(value)
    bad = ~(numbers >= 0) | (np.isinf(numbers) & (not endless))
    return [Fault(field, f"{_first(numbers, bad)} is negative or no number")] if bad.any() else []


def finite(field: str, value: npt.ArrayLike) -> list[Fault]:
    """A fault unless every number is finite."""
    numbers = as_array(value)
    bad = ~np.isfinite(numbers)
    return [Fault(field, f"{_first(numbers, bad)} is no finite number")] if bad.any() else []


def share(field: str, value: npt.ArrayLike) -> list[Fault]:
    """A fault unless every number lies between 0 and 1."""
    numbers = as_array(value)
    bad = ~((numbers >= 0) & (numbers <= 1))
    return [Fault(field, f"{_first(numbers, bad)} is not between 0 and 1")] if bad.any() else []


def _first(numbers: npt.NDArray[np.float64], bad: npt.NDArray[np.bool_]) -> str:
    return f"{np.atleast_1d(numbers)[np.atleast_1d(bad)][0]:g}"
