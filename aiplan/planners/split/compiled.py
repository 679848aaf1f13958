"""The replay's functions, compiled where numba is installed and as they are where it is not.

Both are the same text. Compiled code is kept on disk between runs under a name that holds the hash of the text, so
that an edit in any of the files is noticed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from aiplan.planners.split import replay_batch, replay_machine, replay_router, replay_state
from aiplan.planners.split.replay_state import World

PARTS = (replay_state, replay_batch, replay_machine, replay_router)
SWITCH = "AIPLAN_NUMBA"
"""Environment variable; 0 keeps numba out."""
LOADED_FROM, COMPILED_FROM = 15_000, 300_000
"""Requests from which compiled code is sooner: loading it takes about a second, compiling it some 20 [1]."""


def numba_installed() -> bool:
    """Whether numba can be had and is not switched off."""
    from importlib.util import find_spec

    return os.environ.get(SWITCH) != "0" and find_spec("numba") is not None


def worth_compiling(requests: int) -> bool:
    """Whether compiled code replays so many requests sooner, its loading or its compilation included."""
    return numba_installed() and requests > (LOADED_FROM if _kept() else COMPILED_FROM)


def _kept() -> bool:
    """Whether an earlier run has left compiled code beside the functions."""
    folder = Path(replay_router.__file__).parent / "__pycache__"
    return any(folder.glob(f"replay_router.advance_{_digest(_functions())}-*.nbi"))


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
    numba: Any = import_module("numba")
    kinds = {"int": numba.int64, "float": numba.float64, "World": numba.typeof(example())}
    functions = _functions()
    # Clones see each other instead of the plain functions.
    names: dict[str, Any] = {}
    for part in PARTS:
        names.update(vars(part))
    text = _digest(functions)
    for function in functions:
        code = function.__code__.replace(co_qualname=f"{function.__code__.co_qualname}_{text}")
        clone = FunctionType(code, names, function.__name__)
        clone.__qualname__, clone.__module__ = code.co_qualname, function.__module__
        # Types are given, so that a number written out does not get a version of its own.
        types = tuple(kinds[kind] for name, kind in function.__annotations__.items() if name != "return")
        names[function.__name__] = _compile(numba, clone, types)
    found: Callable[[World, int], float] = names["advance"]
    return found


def _functions() -> list[FunctionType]:
    """All functions of the parts, who is called before who calls."""
    found = {
        name: value
        for part in PARTS
        for name, value in vars(part).items()
        if isinstance(value, FunctionType) and value.__module__ == part.__name__
    }
    calls = {
        name: [other for other in value.__code__.co_names if other in found and other != name]
        for name, value in found.items()
    }
    return [found[name] for name in TopologicalSorter(calls).static_order()]


def _digest(functions: list[FunctionType]) -> str:
    """Short hash of what the functions do and of the constants they use."""
    found = hashlib.sha256()
    for function in functions:
        code = function.__code__
        values = [function.__globals__.get(name) for name in code.co_names]
        constants = [value for value in values if isinstance(value, int | float)]
        found.update(code.co_code + repr((code.co_consts, code.co_names, constants)).encode())
    return found.hexdigest()[:12]


def _compile(numba: Any, function: FunctionType, types: tuple[Any, ...]) -> Any:
    # Nothing is allocated, so nothing needs counting (_nrt); one function holds all the others.
    options = {"_nrt": False, "error_model": "numpy", "forceinline": function.__name__ != "advance"}
    try:
        return numba.njit(types, cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: compiled anew in every run
        return numba.njit(types, **options)(function)
