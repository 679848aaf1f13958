"""What `aiplan validate` holds `aiplan tco` to, and published results that it cannot reproduce."""

from __future__ import annotations

from collections.abc import Callable

from aiplan.study.validate import Check, NotReproduced, Results

PAPER, SITE = "lifecycle-paper", "site-1gw-gb200"
STUDY, EPOCH, OURS, LLAMA = "stojkovic-2026-lifecycle", "epoch-cost-2026", "aiplan-choice", "llama3-interruptions"
STAGES = (("build", 0.15), ("refresh", 0.23), ("operate", 0.19), ("joint", 0.40))
POINTS = 0.08
"""Distance from a published saving that counts as reproduced; the published ones do not add up themselves [1]."""
SITE_LINES = (
    ("1 GW site: cost of five years, per year", "tco_usd", 5.0, 8.5e9),
    ("1 GW site: servers, per year", "servers_usd_per_year", 1.0, 5.0e9),
    ("1 GW site: energy, per year", "energy_usd_per_year", 1.0, 0.6e9),
    ("1 GW site: paid upfront", "upfront_usd", 1.0, 38e9),
)
"""What, line, years it is divided by, published [USD]."""


def _saving(stage: str) -> Callable[[Results], float]:
    return lambda results: results.line(PAPER, f"saving_{stage}")


def _site(line: str, years: float) -> Callable[[Results], float]:
    return lambda results: results.line(SITE, line) / years


def _failures(events: float) -> Callable[[Results], float]:
    def got(_: Results) -> float:
        from aiplan.planners.lifecycle.failures import failures_per_unit_year

        return 100.0 * float(failures_per_unit_year(events, 16_384.0, 54.0))

    return got


def _annuity(years: float, rate: float) -> Callable[[Results], float]:
    def got(_: Results) -> float:
        from aiplan import finance

        return float(finance.capital_recovery_factor(years, rate))

    return got


def _demand(_: Results) -> float:
    """Requests/s of 2024 from those of 2015."""
    from aiplan.planners.lifecycle.demand import Demand

    return float(Demand(100_000.0, 1.15).requests([9.0])[0])


def _demand_charge(_: Results) -> float:
    from aiplan.planners.lifecycle.tariff import demand_usd_per_mwh

    return float(demand_usd_per_mwh(14.57, 0.8))


def _sums(results: Results) -> float:
    """Cash flows of all years over the total."""
    rows = results.report(PAPER).table("years").records()
    total = sum(float(row["total_usd"] or 0.0) for row in rows if row["strategy"] == "baseline")
    return total / results.line(PAPER, "tco_usd")


def _optimum(results: Results) -> float:
    """The optimum over the best strategy of its design and operation: never above 1."""
    cost = {row["id"]: float(row["npv_usd"] or 0.0) for row in results.report(PAPER).table("strategies").records()}
    policies = [usd for name, usd in cost.items() if str(name).startswith("policy:")]
    return max(cost["optimum"] / min(policies), 1.0)


CHECKS: tuple[Check, ...] = (
    *(Check(f"Lifecycle study: saving of {stage}, paper accounting (within 8 points)", expected, POINTS / expected,
            STUDY, "published", _saving(stage)) for stage, expected in STAGES),
    *(Check(what, expected, 0.10, EPOCH, "published", _site(line, years), "USD")
      for what, line, years, expected in SITE_LINES),
    *(Check(f"Failures per accelerator-year from {events:g} in 54 days on 16,384", expected, 0.01 / expected, LLAMA,
            "derived", _failures(events), "%") for events, expected in ((148.0, 6.11), (220.0, 9.08), (419.0, 17.29))),
    *(Check(f"Annuity over {years:g} years at {rate:.2%}", expected, 1e-5, OURS, "derived", _annuity(years, rate))
      for years, rate, expected in ((5.0, 0.08, 0.250456), (15.0, 0.08, 0.116830), (5.0, 0.0624, 0.238948))),
    Check("Lifecycle study: requests/s of 2024 from 100,000 in 2015", 350e3, 0.01, STUDY, "published", _demand, "1/s"),
    Check("Demand charge of 14.57 USD/kW-month at 80 % load", 24.9, 0.005, "dominion-schedule-gs3", "derived",
          _demand_charge, "USD/MWh"),
    Check("Cash flows of all years over the total cost", 1.0, 1e-9, OURS, "derived", _sums),
    Check("The optimum over the best policy, at most 1", 1.0, 1e-9, OURS, "derived", _optimum),
)  # fmt: skip

NOT_REPRODUCED: tuple[NotReproduced, ...] = (
    NotReproduced("Lifecycle study: adapting to a demand shock", "31 % less", STUDY,
                  "set-up not stated; `aiplan tco lifecycle-paper --table breaks` has ours"),
    NotReproduced("Lifecycle study: adapting to smaller models", "43 % less", STUDY,
                  "set-up not stated; `aiplan tco lifecycle-paper --table breaks` has ours"),
    NotReproduced("Lifecycle study: all techniques of operation together", "above 60 % less", STUDY,
                  "moving to newer models is among them, whose size and quality are not stated"),
    NotReproduced("Lifecycle study: power pooled over the hall, hybrid cooling, hierarchical network",
                  "4.2, 9, 6 % less", STUDY, "effects on capacity are assumed here; `--table designs` has ours"),
    NotReproduced("Lifecycle study: how far trends may be wrong (Table X)", "35 to 55 % of a trend's rate", STUDY,
                  "its policies differ; `--set study.robustness=true --table robustness` has ours beside it"),
    NotReproduced("Lifecycle model of the same authors: Monte Carlo", "mean 73.9 B$, median 7.1 B$",
                  "azure-lifecycle-compass",
                  "a yearly factor applied every quarter, and half of the draws with negative cooling cost"),
)  # fmt: skip
