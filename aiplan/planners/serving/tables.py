"""Published throughput tables at the place of the roofline: what was measured beats what is computed.

A row finds a table where model, accelerator, size of a copy, precision and engine are those of the table and its
lengths lie within it. The table's law gives the rate, its leave-one-out error the band.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.catalog.names import canonical_engine
from aiplan.planners.arrays import Array
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.throughput import LengthRange, PhysicalLaw

TENTH = 1.2816
"""Standard deviations from the median of a normal to its tenth and ninetieth percentile [1]."""
MEAN_ABSOLUTE = 0.7979
"""Mean absolute error of a normal over its standard deviation [1]."""
FEW_POINTS_ERROR = 0.15
"""Relative error of a table too small to leave a point out [1]."""


@dataclass(frozen=True, slots=True)
class TableRates:
    """Rates read from tables, shape (rows,); NaN where no table applies.

    Attributes
    ----------
    tokens_per_s : output tokens of all copies [1/s]
    spread : standard deviation of its logarithm [1]
    table : id of the table, empty where none applies
    """

    tokens_per_s: Array
    spread: Array
    table: list[str]


class Tables:
    """The catalog's offline tables by what they were measured on."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._by_key: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        self._laws: dict[str, tuple[PhysicalLaw, LengthRange, float] | None] = {}
        for name, facts in shelf.catalog.facts("throughput").items():
            if facts.get("regime", "offline_max") != "offline_max":
                continue
            engine = canonical_engine(str(facts.get("engine", "")))
            precision = {"fp4": "nvfp4"}.get(str(facts["precision"]), str(facts["precision"]))
            key = (_shape(shelf, str(facts["model"])), facts["accelerator"], float(facts["accelerator_count"]),
                   precision, engine[0] if engine else "")  # fmt: skip
            self._by_key[key].append(name)

    def find(self, row: Row) -> str:
        """Id of the table that applies to a row, empty where none does; of several its release, else the newest."""
        if not row.offline or row.static or not math.isnan(row.output_tok_s):
            return ""
        engine = "tensorrt-llm" if row.engine == "other" else row.engine
        copy = row.n_gpus / row.replicas
        key = (_shape(self._shelf, row.model), self._shelf.listed(row.hardware), copy, row.precision, engine)
        found = [name for name in self._by_key.get(key, ()) if self._applies(name, row)]
        facts = self._shelf.catalog.facts("throughput")
        return max(
            found,
            key=lambda name: (
                str(facts[name].get("engine_version", "")) == row.engine_version,
                _release(str(facts[name].get("engine_version", ""))),
                name,
            ),
            default="",
        )

    def _applies(self, name: str, row: Row) -> bool:
        law = self.law(name)
        if law is None or not bool(law[1].contains(row.isl, row.osl)):
            return False
        stages = self._shelf.catalog.get("throughput", name).pipeline_parallel
        return float(stages or 1) == row.pp

    def law(self, name: str) -> tuple[PhysicalLaw, LengthRange, float] | None:
        """Law, lengths and spread of a table; None where its points do not determine a law."""
        if name not in self._laws:
            entry = self._shelf.catalog.get("throughput", name)
            fit = entry.fit
            if fit is None:
                self._laws[name] = None
            else:
                numbers = fit if isinstance(fit, dict) else fit.model_dump()
                law = PhysicalLaw(*(float(numbers[one]) for one in ("a", "b", "d", "e", "f")))
                error = numbers.get("loo_error")
                spread = (FEW_POINTS_ERROR if error is None else float(error)) / MEAN_ABSOLUTE
                self._laws[name] = (law, LengthRange.of(entry.points), spread)
        return self._laws[name]

    def rates(self, rows: Sequence[Row]) -> TableRates:
        """What tables say of each row."""
        rate, spread = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        names = [self.find(row) for row in rows]
        for index, (row, name) in enumerate(zip(rows, names, strict=True)):
            law = self.law(name) if name else None
            if law is not None:
                rate[index] = row.replicas * float(law[0].tokens_per_s(row.isl, row.osl))
                spread[index] = law[2]
        return TableRates(rate, spread, names)


def _shape(shelf: Shelf, model_id: str) -> str:
    """Models of one shape share their tables."""
    return str(shelf.catalog.facts("models").get(model_id, {}).get("shape_of") or model_id)


def _release(text: str) -> tuple[int, ...]:
    """A version for comparing; an ``x`` stands for the newest."""
    parts = text.split(".")
    return tuple(1_000 if part == "x" else int(part) for part in parts if part.isdigit() or part == "x")
