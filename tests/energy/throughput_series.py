"""The catalog's throughput series, read without the loader."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.conftest import ROOT

FITTED_VERSIONS = ("0.17", "1.0")
"""TensorRT-LLM releases whose tables the law and its prior are judged on."""

LONG = 9
"""Points from which a series counts as long."""

MIXED_NAMES = {"llama-3.3-70b": "llama-3.1-70b"}
"""Models of one shape under two names."""


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Every series of the catalog by id."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((ROOT / "hardware_catalog" / "throughput").glob("*.toml")):
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        assert not found.keys() & tables.keys(), f"ids of {path.name} stand elsewhere too"
        found |= tables
    return found


def points(entry_id: str) -> npt.NDArray[np.float64]:
    """Points of one series, shape (n, 3)."""
    return np.array(entries()[entry_id]["points"], dtype=np.float64)


def fitted_ids(min_points: int = 1, max_points: int = 1000) -> list[str]:
    """Ids of the 0.17 and 1.0 series, by number of points."""
    return [
        name
        for name, entry in entries().items()
        if name.startswith(tuple(f"trtllm-{version}." for version in FITTED_VERSIONS))
        and min_points <= len(entry["points"]) <= max_points
    ]


def shape_of(entry_id: str) -> str:
    """Model of a series, with names of one shape made one."""
    model = str(entries()[entry_id]["model"])
    return MIXED_NAMES.get(model, model)
