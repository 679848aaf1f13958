"""What other planners take from this one: a server's power for `power`, storage and energy for `lifecycle`.

Rows of the table ``handover``; their paths are kept stable, since `handover_file` reads them back.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.annual import (
    AT_CHECKPOINT,
    AT_RESTART,
    AT_START,
    AT_STOP,
    HOURS_PER_YEAR,
    STEADY,
    Episodes,
    Rates,
)
from aiplan.planners.stabilize.mitigation import INFINITE
from aiplan.planners.stabilize.plan import Result
from aiplan.report.model import Cell

MW = 1e6


def handover_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """Planner, path, value, unit and what it is, see `power_rows` and `lifecycle_rows`."""
    yield from power_rows(result)
    yield from lifecycle_rows(result)


def power_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """The job as a class of servers.

    Powers are those of a server, what stands around its accelerators and storage in supplies and racks included, over
    its rating; storage at the site is not in them. Mean, deviation and higher moments are of the hours in which the job
    runs, starts and checkpoints as often as a year has them; peak and floor are of the run.
    """
    case, run = result.case, result.run
    episodes = result.judge.raw(result.chosen.mix)[1]
    rated = case.site.accelerators * case.rated_w
    server = run.it_w / rated
    mean, sd, skewness, kurtosis = moments(server, weights(episodes, case.rates))
    it_wh = episodes.annual(run.it_w * episodes.busy, case.rates)
    lost_wh = sum(one.losses_wh for one in result.chosen.storage if one.level == "site")
    before = run.it_w + run.cooling_w + run.conversion_w + case.site.other_w
    name = case.catalog.resolve("servers", case.inputs.machine.server)
    count = float(case.catalog.get("servers", name).accelerator_count)
    for path, value, unit, note in (
        ("server", name, None, "server of the catalog; its rating is what powers are shares of"),
        ("accelerators_per_server", count, None, "accelerators of one"),
        ("accelerators_count", case.site.accelerators, None, "accelerators of all jobs that limits were held to"),
        ("jobs_count", float(sum(job.count for job in case.site.jobs)), None, "jobs that powers below are the mean of"),
        ("mean_fraction", mean, None, "mean power of a server over its rating, while the job runs"),
        ("sd_fraction", sd, None, "its standard deviation"),
        ("skewness", skewness, None, "its skewness"),
        ("excess_kurtosis", kurtosis, None, "its excess kurtosis"),
        ("peak_fraction", float(server.max()), None, "the most a server draws in the run"),
        ("floor_fraction", float(server[episodes.busy].min()), None, "the least it draws while the job runs"),
        ("rho_within", 1.0, None, "correlation of two servers: those of one job move together"),
        ("constant_fraction", case.site.constant_w / case.rated_w, None,
         "part of all of them that host, fans and network around the accelerators draw all the time"),
        ("site_loss_share", lost_wh / it_wh, None, "losses of storage at the site over IT energy"),
        ("connection_before_mw", float(before.max()) / MW, "MW", "peak at the connection before storage at the site"),
        ("connection_peak_mw", float(run.poi.power_w.max()) / MW, "MW", "peak at the connection, with all measures"),
    ):  # fmt: skip
        yield "power", path, value, unit, note


def lifecycle_rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    """What measures add over the years: energy, time, and storage per watt that its servers are rated at."""
    chosen = result.chosen
    rated = result.case.site.accelerators * result.case.rated_w
    note = "a year's energy at the connection with measures over without, less 1; losses of storage are in it"
    yield "lifecycle", "energy_overhead_share", chosen.overhead_fraction, None, note
    yield "lifecycle", "slowdown_share", chosen.slowdown_fraction, None, "time that measures add for the same work"
    yield "lifecycle", "storage_count", float(len(chosen.storage)), None, "kinds of storage, numbered below"
    for number, one in enumerate(chosen.storage, start=1):
        start, name = f"storage_{number}", f"{one.technology.name}, {one.level}"
        life = one.life_years if one.life_years < INFINITE else None
        yield "lifecycle", f"{start}_name", name, None, "technology, and where it stands"
        yield "lifecycle", f"{start}_usd_per_w", one.capital_usd / rated, "USD/W", "price per watt of servers' rating"
        upkeep = one.technology.upkeep * one.capital_usd / rated
        yield "lifecycle", f"{start}_upkeep_usd_per_w_per_year", upkeep, "USD/(W year)", "upkeep of a year"
        yield "lifecycle", f"{start}_life_years", life, "years", "until cycles or calendar life are used up"


def weights(episodes: Episodes, rates: Rates) -> Array:
    """Hours of a year that each step of a run stands for, 0 where the job does not run, shape (N,) [h].

    The linear form of `annual.Episodes.annual`: episodes count as often as a year has them, steady steps are the rest.
    Where episodes leave no rest, or the run has no steady state, every step in which the job runs counts alike.
    """
    step_h = episodes.step_s / 3600.0
    busy = episodes.busy
    restarts = rates.restarts if episodes.counts[AT_RESTART] == 0 else 0.0
    times = {AT_START: rates.starts + restarts, AT_STOP: rates.starts + restarts, AT_CHECKPOINT: rates.checkpoints,
             AT_RESTART: rates.restarts}  # fmt: skip
    found = np.zeros(busy.size)
    for what, often in times.items():
        if episodes.counts[what]:
            found[(episodes.label == what) & busy] = often * step_h / episodes.counts[what]
    steady = (episodes.label == STEADY) & busy
    rest = HOURS_PER_YEAR * rates.uptime - float(found.sum())
    if not steady.any() or rest <= 0:
        return np.asarray(busy * step_h)
    found[steady] = rest / np.count_nonzero(steady)
    return found


def moments(values: Array, weight: Array) -> tuple[float, float, float, float]:
    """Mean, standard deviation, skewness and excess kurtosis, the last two 0 of what does not vary.

    Parameters
    ----------
    values, weight : shape (N,); the weights not negative, not all 0
    """
    mean = float(np.average(values, weights=weight))
    away = values - mean
    sd = float(np.sqrt(np.average(away**2, weights=weight)))
    if sd <= 1e-9 * abs(mean):
        return mean, sd, 0.0, 0.0
    return (mean, sd, float(np.average(away**3, weights=weight)) / sd**3,
            float(np.average(away**4, weights=weight)) / sd**4 - 3.0)  # fmt: skip


__all__ = ["handover_rows", "lifecycle_rows", "moments", "power_rows", "weights"]
