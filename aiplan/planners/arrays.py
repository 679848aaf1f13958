"""Arrays at the entrance of physics: what a caller may pass, and the check that it is physical."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def as_array(value: npt.ArrayLike) -> Array:
    """The numbers as float64 of their own shape, copied only where they are of another type."""
    return np.asarray(value, dtype=np.float64)


def require(condition: npt.ArrayLike, message: str) -> None:
    """Raise ValueError with the message unless the condition holds for every element."""
    if not np.all(condition):
        raise ValueError(message)


def keep_freed() -> None:
    """Let memory of freed arrays, up to 16 MiB each, stay with the process for the next ones.

    The GNU C library hands blocks above a threshold back to the system, and fetching them again costs as much as
    computing on them. It raises the threshold to the largest block it has seen freed; other libraries lose nothing.
    """
    np.empty(1 << 24, dtype=np.uint8)
