"""What measures for the grid cost a site over its years: storage per watt, energy and time, by `aiplan stabilize`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import constant
from aiplan.planners.arrays import Array, as_array
from aiplan.planners.lifecycle.world import Site, SiteStorage
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.planners.lifecycle.inputs import Place
    from aiplan.planners.stabilize.handover_file import Handover

SECTION = "site.stabilized"
SHARE = "site.stabilized_share_fraction"
OVERHEAD, SLOWDOWN = f"{SECTION}.energy_overhead_share", f"{SECTION}.slowdown_share"


@dataclass(frozen=True, slots=True)
class Stabilized:
    """A report of `aiplan stabilize` that a site is planned with; numbers stand among the inputs by the paths above."""

    handover: Handover

    def energy_factor(self, values: Mapping[str, Any]) -> Array:
        """Energy at the connection with measures over without, of the whole site [1]."""
        return np.asarray(1.0 + as_array(values[SHARE]) * values[OVERHEAD])

    def useful_fraction(self, values: Mapping[str, Any]) -> Array:
        """Work done in the same time with measures over without, of the whole site [1]."""
        slower = as_array(values[SLOWDOWN])
        return np.asarray(1.0 - as_array(values[SHARE]) * slower / (1.0 + slower))

    def storage(self, values: Mapping[str, Any]) -> tuple[SiteStorage, ...]:
        """Storage per watt of hall."""
        share = as_array(values[SHARE])
        return tuple(
            SiteStorage(one.name, np.asarray(share * values[f"{path}.usd_per_w"]),
                        np.asarray(share * values[f"{path}.upkeep_usd_per_w_per_year"]), one.life_years)
            for path, one in self._numbered()
        )  # fmt: skip

    def site(self, plain: Site, values: Mapping[str, Any]) -> Site:
        """A site with the measures: they draw power at the connection, take time and need storage."""
        energy, useful = self.energy_factor(values), self.useful_fraction(values)
        return replace(
            plain, pue_mean=plain.pue_mean * energy, pue_peak=plain.pue_peak * energy,
            wue_l_per_kwh=plain.wue_l_per_kwh * energy, throughput=plain.throughput * useful[..., None],
            storage=self.storage(values),
        )  # fmt: skip

    def _numbered(self) -> list[tuple[str, Any]]:
        return [(f"{SECTION}.storage_{number}", one) for number, one in enumerate(self.handover.storage, start=1)]

    def add(self, add: Callable[..., None], place: Place) -> None:
        """Put the numbers among the inputs."""
        told = self.handover
        share = place.stabilized_share_fraction
        if share is None:
            share = constant(1.0, "aiplan-choice", "assumption", "assumed", "the whole site")
        add(SHARE, "share of the site that measures for the grid act on", share, low=0.0, high=1.0)
        add(OVERHEAD, "energy that measures for the grid add", told.quantity(told.lifecycle["energy_overhead_share"]),
            low=-1.0)  # fmt: skip
        add(SLOWDOWN, "time that measures for the grid add", told.quantity(told.lifecycle["slowdown_share"]), low=0.0)
        for path, one in self._numbered():
            add(f"{path}.usd_per_w", f"{one.name}, per watt of servers", told.quantity(one.usd_per_w), low=0.0)
            add(f"{path}.upkeep_usd_per_w_per_year", f"{one.name}, upkeep",
                told.quantity(one.upkeep_usd_per_w_year), low=0.0)  # fmt: skip
            if np.isfinite(one.life_years):
                add(f"{path}.life_years", f"{one.name}, life", told.quantity(one.life_years), low=0.0)

    @property
    def words(self) -> str:
        """What the file adds, for people."""
        told = self.handover
        parts = [f"{told.lifecycle['energy_overhead_share']:.2%} more energy",
                 f"{told.lifecycle['slowdown_share']:.2%} more time"]  # fmt: skip
        parts += [f"{one.name} at {one.usd_per_w:.3g} USD/W for {one.life_years:.3g} years" for one in told.storage]
        return f"{told.words}: {', '.join(parts)}"

    def warnings(self, place: Place) -> list[Warn]:
        """Where the file does not carry over as it is."""
        told, out = self.handover, []
        if told.verdict != "pass":
            out.append(f"the verdict of {told.file} is '{told.verdict}': its measures do not make the job fit its grid")
        stands = place.standing_w is not None and place.standing_w.distribution.median > 0
        if stands and told.storage:
            out.append("halls that stand are taken to have their storage: its upkeep counts, neither its price nor "
                       "its replacement")  # fmt: skip
        return [Warn("W-TCO-STABILIZED", text, SECTION) for text in out]


def stabilized_site(place: Place) -> Stabilized | None:
    """What a site's file of `aiplan stabilize` says; None where none is named.

    Raises
    ------
    InputError for a share without a file (E323), and what is wrong with the file, see `handover_file.read_handover`.
    """
    if place.stabilized is None:
        if place.stabilized_share_fraction is not None:
            raise InputError(Problem("E323", f"{SHARE} is given without a file", SHARE, hint=f"give {SECTION}, too"))
        return None
    from aiplan.planners.stabilize.handover_file import read_handover

    return Stabilized(read_handover(Path(place.stabilized)))


__all__ = ["Stabilized", "stabilized_site"]
