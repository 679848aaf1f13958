"""The replay's functions, compiled where numba is installed and worth its time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from aiplan.planners.compiled import SWITCH, compile_function, kept, numba_installed
from aiplan.planners.split.replay_router import advance
from aiplan.planners.split.replay_state import World

__all__ = ["COMPILED_FROM", "LOADED_FROM", "SWITCH", "compile_advance", "numba_installed", "worth_compiling"]

LOADED_FROM, COMPILED_FROM = 15_000, 300_000
"""Requests from which compiled code is sooner: loading it takes about a second, compiling it some 20 [1]."""


def worth_compiling(requests: int) -> bool:
    """Whether compiled code replays so many requests sooner, its loading or its compilation included."""
    return numba_installed() and requests > (LOADED_FROM if kept(advance) else COMPILED_FROM)


@cache
def compile_advance(example: Callable[[], World]) -> Callable[[World, int], float]:
    """`replay_router.advance` compiled by numba, with all it calls.

    Parameters
    ----------
    example : makes a state, whose types the code is compiled for; called once

    Raises
    ------
    ImportError without numba
    """
    found: Callable[[World, int], float] = compile_function(
        advance, lambda numba: {"int": numba.int64, "float": numba.float64, "World": numba.typeof(example())}
    )
    return found
