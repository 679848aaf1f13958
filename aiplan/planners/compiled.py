"""Plain functions of numbers and flat sequences, compiled where numba is installed and as they are where it is not.

Both are the same text, with the same results to the last bit. Compiled code is kept on disk between runs under a name
that holds the hash of the text of a function and of all it calls, so that an edit in any of the files is noticed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

SWITCH = "AIPLAN_NUMBA"
"""Environment variable; 0 keeps numba out."""


def numba_installed() -> bool:
    """Whether numba can be had and is not switched off."""
    from importlib.util import find_spec

    return os.environ.get(SWITCH) != "0" and find_spec("numba") is not None


def kept(entry: Any) -> bool:
    """Whether an earlier run has left compiled code of this function beside it."""
    code = entry.__code__
    path = Path(code.co_filename)
    found = (path.parent / "__pycache__").glob(f"{path.stem}.{code.co_qualname}_{_digest(_reached(entry))}-*.nbi")
    return any(found)


def compile_function(entry: Any, kinds: Callable[[Any], Mapping[str, Any]]) -> Any:
    """A plain function compiled by numba, with all the plain functions it calls.

    Parameters
    ----------
    entry : allocates nothing, nor does anything it calls; every parameter is annotated
    kinds : from numba to its type of each annotation, as written

    Raises
    ------
    ImportError without numba
    """
    numba: Any = import_module("numba")
    types = kinds(numba)
    functions = _reached(entry)
    # Clones see each other instead of the plain functions.
    names: dict[str, Any] = {}
    for function in functions:
        names.update(function.__globals__)
    text = _digest(functions)
    for function in functions:
        code = function.__code__.replace(co_qualname=f"{function.__code__.co_qualname}_{text}")
        clone = FunctionType(code, names, function.__name__)
        clone.__qualname__, clone.__module__ = code.co_qualname, function.__module__
        # Types are given, so that a number written out does not get a version of its own.
        given = tuple(types[kind] for name, kind in function.__annotations__.items() if name != "return")
        names[function.__name__] = _compile(numba, clone, given, inline=function is not entry)
    return names[entry.__name__]


def _reached(entry: FunctionType) -> list[FunctionType]:
    """The function and all plain ones it calls, who is called before who calls."""
    found: dict[str, FunctionType] = {}
    calls: dict[str, list[str]] = {}
    open_ = [entry]
    while open_:
        function = open_.pop()
        if function.__name__ in found:
            continue
        found[function.__name__] = function
        called = {name: function.__globals__.get(name) for name in function.__code__.co_names}
        others = [one for one in called.values() if isinstance(one, FunctionType) and one is not function]
        calls[function.__name__] = [other.__name__ for other in others]
        open_.extend(others)
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


def _compile(numba: Any, function: FunctionType, types: tuple[Any, ...], *, inline: bool) -> Any:
    # Nothing is allocated, so nothing needs counting (_nrt); the entry holds all the others.
    options = {"_nrt": False, "error_model": "numpy", "forceinline": inline}
    try:
        return numba.njit(types, cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: compiled anew in every run
        return numba.njit(types, **options)(function)
