"""Recursions from step to step: plain functions over rows, as they are on lists or compiled on arrays.

The same text runs both ways with the same results to the last bit. Nothing here allocates; who calls gives the rows
that are written to.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.compiled import compile_function, kept, numba_installed

Row: TypeAlias = Any
"""A list of floats where the function runs as it is, a float64 array where it is compiled."""
Marks: TypeAlias = Any
"""The same of bool."""

LOADED_FROM, COMPILED_FROM = 3_000_000, 10_000_000
"""Steps from which compiled code is sooner, at some 0.35 µs each as plain Python: importing numba takes about 1 s,
compiling some 2 s more [1]."""


def follow(target: Row, rise: float, fall: float, out: Row) -> None:
    """What follows a target by at most ``rise`` up and ``fall`` down from step to step; it begins on it."""
    last = target[0]
    for at, wanted in enumerate(target):
        if wanted > last + rise:
            last = last + rise
        elif wanted < last - fall:
            last = last - fall
        else:
            last = wanted
        out[at] = last


def store(
    load: Row,
    kept_share: float,
    lag_share: float,
    lead_per_s: float,
    led_to: float,
    rise: float,
    fall: float,
    power: float,
    energy: float,
    drain: float,
    gain: float,
    lost_out: float,
    lost_in: float,
    grid: Row,
    state: Row,
    bound: Marks,
) -> None:
    """What the grid supplies to a load beside storage, step by step; `storage.buffer` says which law this is.

    Parameters
    ----------
    load : L, mean over each step [W]
    kept_share : of the filter's distance from its input, left at the end of a step [1]
    lag_share : the same as mean over the step [1]
    lead_per_s : power for each J that the state is away from ``led_to`` [1/s]
    led_to : state it is led back to, and the one it begins with [J]
    rise, fall : most that the grid changes from step to step [W]
    power : rating of the converter [W]
    energy : the most that is stored [J]
    drain, gain : taken from and added to the state by 1 W given and taken over a step [s]
    lost_out, lost_in : lost in giving and taking 1 W [1]
    grid : shape (N,), out: what the grid supplies [W]
    state : shape (N + 1,), out: energy stored at the beginning and after each step [J]
    bound : shape (N,), out: True where the converter or the energy left no room; False before
    """
    last = load[0]
    mean = last
    lost = 0.0
    stored = led_to
    state[0] = stored
    for at, asked in enumerate(load):
        needed = asked + lost
        away = mean - needed
        mean = needed + away * kept_share
        wanted = needed + away * lag_share + lead_per_s * (led_to - stored)
        if wanted > last + rise:
            wanted = last + rise
        elif wanted < last - fall:
            wanted = last - fall
        if wanted < 0.0:
            wanted = 0.0
        given = asked - wanted
        if given > 0.0:
            if given > power:
                given = power
                wanted = asked - given
                bound[at] = True
            if given * drain > stored:
                given = stored / drain
                wanted = asked - given
                bound[at] = True
                stored = 0.0
            else:
                stored = stored - given * drain
            lost = given * lost_out
        elif given < 0.0:
            if given < -power:
                given = -power
                wanted = asked - given
                bound[at] = True
            if stored - given * gain > energy:
                given = (stored - energy) / gain
                wanted = asked - given
                bound[at] = True
                stored = energy
            else:
                stored = stored - given * gain
            lost = -given * lost_in
        else:
            lost = 0.0
        grid[at] = wanted
        state[at + 1] = stored
        last = wanted


@dataclass(frozen=True, slots=True)
class Kernels:
    """The functions above, and the rows they work on.

    Attributes
    ----------
    compiled : whether they are; rows are arrays then and lists otherwise
    """

    follow: Callable[[Row, float, float, Row], None]
    store: Callable[..., None]
    compiled: bool

    def row(self, values: Array) -> Row:
        """These numbers as a row."""
        return np.require(values, np.float64, ["C", "W"]) if self.compiled else values.tolist()

    def empty(self, size: int) -> Row:
        """A row of zeros to be written to."""
        # numpy reads an array of the standard library as it is; a list of floats it must visit one by one.
        return np.zeros(size) if self.compiled else array("d", bytes(8 * size))

    def marks(self, size: int) -> Marks:
        """A row of False to be written to."""
        return np.zeros(size, dtype=np.bool_) if self.compiled else bytearray(size)


PLAIN = Kernels(follow, store, compiled=False)


def kernels(compiled: bool) -> Kernels:
    """The functions compiled by numba, or as they are.

    Raises
    ------
    ImportError where ``compiled`` is asked for without numba
    """
    return _compiled() if compiled else PLAIN


def worth_compiling(steps: int) -> bool:
    """Whether compiled code is sooner for so many steps of all runs together, its loading or compilation included."""
    known = kept(follow) and kept(store)
    return numba_installed() and steps > (LOADED_FROM if known else COMPILED_FROM)


@cache
def _compiled() -> Kernels:
    return Kernels(compile_function(follow, _kinds), compile_function(store, _kinds), compiled=True)


def _kinds(numba: Any) -> dict[str, Any]:
    return {"float": numba.float64, "Row": numba.float64[::1], "Marks": numba.boolean[::1]}
