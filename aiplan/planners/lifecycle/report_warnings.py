"""What a reader of a lifecycle must know to use its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from aiplan.planners.lifecycle.operations import BASELINE
from aiplan.planners.lifecycle.plan import Result, Row
from aiplan.planners.lifecycle.problem import on_sale
from aiplan.planners.lifecycle.report_values import RENTED_MUCH, rented, share
from aiplan.planners.lifecycle.strategies import STAGES, Strategy
from aiplan.planners.lifecycle.words import year_text
from aiplan.report.model import Warn

NOT_ADDED = 0.005
"""Difference of the sum of savings to their joint one that is worth a word [1]."""
FEW = 6
FULL = 1.0 - 1e-6
"""Share of a limit from which it counts as used up [1]."""
BEST = ("baseline", *STAGES, "joint")
"""Rows whose renting is told."""


def warnings_of(result: Result) -> tuple[Warn, ...]:
    """Everything that holds of this result."""
    return tuple(found for part in (_unserved, _rented, _hosts, _silent, _stages, _optimum, _draws, _breaks, _staged)
                 for found in part(result))  # fmt: skip


def _some(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _unserved(result: Result) -> Iterator[Warn]:
    failed = [name for name, row in result.rows.items() if not row.feasible]
    if failed:
        text = (f"{_some(failed)} {'does' if len(failed) == 1 else 'do'} not serve all of the demand: their costs "
                "cannot be compared")  # fmt: skip
        yield Warn("W-TCO-UNSERVED", text, "site" if "baseline" in failed else "policies")


def _rented(result: Result) -> Iterator[Warn]:
    """Renting keeps a plan possible that the site or the market would not: that must not go unseen."""
    seen: set[Strategy] = set()
    told: dict[str, list[str]] = {}
    for name in BEST:
        row = result.rows.get(name)
        if row is None or row.strategy in seen or rented(row) <= RENTED_MUCH:
            continue
        seen.add(row.strategy)
        period, clock = int(np.argmax(row.plan.rent_per_s.sum(axis=-1) > 0)), result.case.clock
        year = year_text(clock.start_year + float(clock.starts_years[period]))
        told.setdefault(f"first in {year}, when {_why_rented(row, period)}", []).append(f"{name} {rented(row):.0%}")
    if told:
        which = "; ".join(f"{', '.join(names)} ({why})" for why, names in told.items())
        yield Warn("W-TCO-RENT", f"rented servers serve a part of the demand: {which}", "market.rent_usd_per_h")


def _why_rented(row: Row, period: int) -> str:
    """What keeps a plan from buying in a period."""
    world = row.problem.world
    serve = row.plan.serve[:, period]
    if not on_sale(world)[..., period].any():
        return "nothing is on sale that serves the model and that the site can cool"
    if float(serve @ np.broadcast_to(row.problem.power_w, serve.shape)) >= FULL * float(np.asarray(world.site.most_w)):
        return "the power of the site is used up"
    if float(serve @ np.broadcast_to(row.problem.racks_count, serve.shape)) >= FULL * world.site.most_racks_count:
        return "the racks of the site are used up"
    if np.isfinite(world.market.budget_usd[period]):
        return "the budget allows no more"
    return "its policy buys no more"


def _hosts(result: Result) -> Iterator[Warn]:
    table = result.case.designs(BASELINE)
    for cooling in dict.fromkeys(table.cooling):
        same = [at for at, name in enumerate(table.cooling) if name == cooling]
        hosts: list[bool] = np.asarray(table.hosts[same].any(axis=0)).tolist()
        left = [name for name, fits in zip(result.case.roadmap.names, hosts, strict=True) if not fits]
        if left:
            text = (f"{cooling} cannot cool {len(left)} of {len(hosts)} generations ({_some(left)}): designs with it "
                    "buy what they can cool as long as that is sold")  # fmt: skip
            yield Warn("W-TCO-HOSTS", text, "site.cooling")


def _silent(result: Result) -> Iterator[Warn]:
    setup = result.case.setup(BASELINE)
    left = [name for name, rate in zip(result.case.roadmap.names, setup.capacity_per_s.min(axis=-1), strict=True)
            if rate <= 0]  # fmt: skip
    if left:
        text = f"{_some(left)} cannot serve {result.case.model} as asked; see the table generations for why"
        yield Warn("W-TCO-SILENT", text, "roadmap.servers")


def _stages(result: Result) -> Iterator[Warn]:
    saved = result.savings.get(result.accounting)
    if saved is None:
        return
    base = result.grids[result.accounting].best(frozenset())[1]
    apart, joint = float(share(sum(saved.alone.values()), base) or 0.0), float(share(saved.joint, base) or 0.0)
    if abs(apart - joint) > NOT_ADDED:
        text = (f"savings of the {len(STAGES)} stages alone sum to {apart:.1%}, together they are {joint:.1%}: "
                "stages do not add up, the Shapley parts do")  # fmt: skip
        yield Warn("W-TCO-STAGES", text)


def _optimum(result: Result) -> Iterator[Warn]:
    if result.optimum is None:
        return
    for name, found in (("the baseline's design", result.optimum.start), ("the best design", result.optimum.best)):
        best = found.optimum
        if not best.certified:
            text = (f"the optimum in {name} is not proven: {best.status}, gap {best.gap:.2%}, worst violation "
                    f"{best.worst_violation:.1e}")  # fmt: skip
            yield Warn("W-TCO-UNPROVEN", text, "optimum")


def _draws(result: Result) -> Iterator[Warn]:
    if result.risk is None:
        return
    found, number = result.risk.convergence, len(result.risk.costs.usd)
    if found.state == "not tested":
        yield Warn("W-TCO-DRAWS", f"convergence is not tested below 4,000 draws, these are {number:,}; standard "
                   "errors stand in the table uncertainty", "uncertainty.samples")  # fmt: skip
    elif found.state == "not converged":
        yield Warn("W-TCO-DRAWS", f"the running mean still moves by {found.change:.1%} over the last 2,000 of "
                   f"{number:,} draws", "uncertainty.samples")  # fmt: skip
    short = [name for at, name in enumerate(result.risk.costs.names) if not result.risk.costs.feasible[:, at].all()]
    if short:
        yield Warn("W-TCO-UNSERVED", f"{_some(short)} cannot serve the demand in some draws, whose costs count all "
                   "the same; see the table uncertainty", "uncertainty")  # fmt: skip


def _breaks(result: Result) -> Iterator[Warn]:
    failed = [name for name, shock in result.shocks.items() if not shock.policy_feasible
              or np.any(shock.adaptive.unmet_per_s > 1e-9 * shock.adaptive.problem.demand_per_s.max())]  # fmt: skip
    if failed:
        yield Warn("W-TCO-BREAK", f"demand is not served after {_some(failed)}: what adapting saves cannot be told",
                   "breaks")  # fmt: skip


def _staged(result: Result) -> Iterator[Warn]:
    if result.staged is not None and result.staged.expected.mean_plan_failed:
        number = len(result.staged.expected.mean_plan_failed)
        yield Warn("W-TCO-MEAN", f"what is best in the mean leaves {number} of {result.staged.scenarios} draws without "
                   "a plan", "optimum.scenarios_count")  # fmt: skip
