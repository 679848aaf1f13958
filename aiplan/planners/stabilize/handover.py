"""What other planners take from this one: power of a server for `power`, storage and energy for `lifecycle`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiplan.planners.stabilize.plan import Result
from aiplan.planners.stabilize.wave import BUSY_KINDS, of_kinds
from aiplan.report.model import Cell


def handover_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """Planner, path, value, unit and what it is.

    Powers are of a server over its rating while the job runs, storage in racks and power supplies included; energy,
    storage and peak are those of the site.
    """
    run, case = result.run, result.case
    assert run.poi.kind is not None  # noqa: S101 - what is simulated has kinds
    busy = of_kinds(run.poi.kind, BUSY_KINDS)
    server = run.it_w[busy] / case.site.accelerators / case.rated_w
    for name, value, what in (
        ("mean_fraction", float(server.mean()), "mean power of a server over its rating"),
        ("sd_fraction", float(server.std()), "its standard deviation"),
        ("peak_fraction", float(server.max()), "the most it draws"),
        ("floor_fraction", float(server.min()), "the least it draws while the job runs"),
        ("rho_within", 1.0, "servers of one job move together"),
    ):
        yield "power", f"classes.training.{name}", value, None, what
    it_mean = float(run.it_w[busy].mean())
    yield "power", "grid.contract_mw", float(run.poi.power_w.max()) / 1e6, "MW", "peak at the connection, with measures"
    storage = sum(one.capital_usd for one in result.chosen.storage)
    yield (
        "lifecycle",
        "storage_usd_per_w",
        storage / float(np.max(run.it_w)),
        "USD/W",
        "capital of storage per watt of IT",
    )
    yearly = sum(one.annual_usd for one in result.chosen.storage)
    yield "lifecycle", "storage_usd_per_year", yearly, "USD/year", "capital as a yearly payment, and upkeep"
    yield "lifecycle", "energy_overhead_share", result.chosen.overhead_fraction, None, "energy that measures add"
    yield "lifecycle", "slowdown_share", result.chosen.slowdown_fraction, None, "time that measures add"
    yield "lifecycle", "it_mean_mw", it_mean / 1e6, "MW", "mean IT power while the job runs"


__all__ = ["handover_rows"]
