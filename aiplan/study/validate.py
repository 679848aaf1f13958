"""Published numbers against what aiplan computes, and what is published but not reproduced.

Each planner keeps its own list of checks; this gathers them, runs every scenario once, and reports. With the
folder of measured data at hand it adds the accuracy of the models on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiplan.report.model import Cell, Column, Line, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.door import Planner


@dataclass(frozen=True, slots=True)
class Check:
    """One number somebody published, or derived from what was published.

    Attributes
    ----------
    what : the quantity, for people
    expected : the number
    tolerance : allowed relative difference [1]
    source : id of the catalog's source
    evidence : ``published`` where the source prints the number and was read itself, ``second-hand`` where it was read
        through others, ``derived`` where the number was computed from what the source states
    got : the number aiplan gives, from the results of the scenarios
    unit : of both
    """

    what: str
    expected: float
    tolerance: float
    source: str
    evidence: str
    got: Callable[[Results], float]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class NotReproduced:
    """A published number that aiplan does not reproduce, and why."""

    what: str
    published: str
    source: str
    reason: str


PLANNERS = {
    "energy": ("aiplan.planners.energy.command", "ENERGY"),
    "perf": ("aiplan.planners.serving.command", "PERF"),
    "size": ("aiplan.planners.size.command", "SIZE"),
    "split": ("aiplan.planners.split.command", "SPLIT"),
    "power": ("aiplan.planners.power.command", "POWER"),
    "cooling": ("aiplan.planners.cooling.command", "COOLING"),
    "thermal": ("aiplan.planners.thermal.command", "THERMAL"),
    "site": ("aiplan.planners.site.command", "SITE"),
    "tco": ("aiplan.planners.lifecycle.command", "TCO"),
    "refresh": ("aiplan.planners.lifecycle.command", "REFRESH"),
    "stabilize": ("aiplan.planners.stabilize.command", "STABILIZE"),
}
"""Where the planner of each command that takes a scenario is described."""
CHECKED = ("energy", "split", "power", "cooling", "thermal", "lifecycle", "stabilize")
"""Planners with a module ``validation`` that holds CHECKS and NOT_REPRODUCED."""
WITH_DATA = ("serving.accuracy", "split.validation_data", "cooling.validation", "stabilize.validation_data")
"""Modules whose ``data_tables``, and ``data_checks`` where they have them, need the folder of measured data."""
EVIDENCE = {"published": "printed in a source", "second-hand": "read at second hand", "derived": "derived from one"}
"""How the headline tells the evidence of checks."""


class Results:
    """Reports of shipped scenarios, each run once when first asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._reports: dict[str, Report] = {}

    def report(self, scenario: str) -> Report:
        """The report of a shipped scenario."""
        if scenario not in self._reports:
            import tomli

            from aiplan.inputs.scenario import find_scenario, load_scenario

            meant = tomli.loads(find_scenario(scenario).read_text(encoding="utf-8"))["scenario"]["planner"]
            module, name = PLANNERS[meant]
            planner: Planner = getattr(import_module(module), name)
            loaded = load_scenario(scenario, planner.inputs(), (), planner.name)
            self._reports[scenario] = planner.answer(loaded, self.catalog)
        return self._reports[scenario]

    def line(self, scenario: str, line: str, field: str = "value") -> float:
        """One field of one line."""
        return float(getattr(self.report(scenario).line(line), field))

    def cell(self, scenario: str, table: str, column: str, **where: str) -> float:
        """One cell of a table, by the values of its other columns."""
        for record in self.report(scenario).table(table).records():
            if all(record.get(key) == value for key, value in where.items()):
                return float(record[column])  # type: ignore[arg-type]
        raise KeyError(f"{table} has no row {where}")


def validation_report(catalog: Catalog, data: Path | None) -> tuple[Report, int]:
    """Every check, and how many fail.

    Parameters
    ----------
    catalog : what the scenarios run on
    data : folder of measured data, for the accuracy tables

    Raises
    ------
    InputError when the data folder lacks the files.
    """
    modules = [import_module(f"aiplan.planners.{name}.validation") for name in CHECKED]
    checks: list[Check] = [check for module in modules for check in module.CHECKS]
    missing: list[NotReproduced] = [item for module in modules for item in module.NOT_REPRODUCED]
    tables: list[Table] = modules[0].accuracy_tables(catalog, data)
    context: list[tuple[str, str]] = []
    if data is None:
        context.append(("Accuracy on measured data", "give --data DIR"))
    else:
        for module in (import_module(f"aiplan.planners.{name}") for name in WITH_DATA):
            tables += module.data_tables(catalog, data)
            if hasattr(module, "data_checks"):
                found = module.data_checks(catalog, data)
                checks += found
                if not found:
                    context.append(module.NO_CHECKS)
    results = Results(catalog)
    rows = [_row(check, results) for check in checks]
    failed = sum(row[6] == "missed" for row in rows)
    sources = dict.fromkeys([check.source for check in checks] + [item.source for item in missing])
    worst = max((abs(float(row[4] or 0.0)) for row in rows), default=0.0)
    report = Report(
        planner="validate",
        title="Published numbers against aiplan",
        headline=f"{len(rows) - failed} of {len(rows)} expected values are met ({_evidence(checks)}), the worst off by "
        f"{worst:.1%}; {len(missing)} more are published but not reproduced.",
        scenario=Origin("validate", ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=(
            Line("checks", "Numbers checked", len(rows), None, grade="measured"),
            Line("met", "met", len(rows) - failed, None, grade="measured"),
            Line("missed", "missed", failed, None, grade="measured"),
            Line("not_reproduced", "Published, not reproduced", len(missing), None, grade="measured"),
        ),
        tables=(_checks_table(rows), _missing_table(missing), *tables),
        sources={source: catalog.title(source) for source in sources},
        context=tuple(context),
    )
    return report, failed


def _evidence(checks: Sequence[Check]) -> str:
    """How many checks are of which evidence, in words."""
    known = {name: sum(check.evidence == name for check in checks) for name in EVIDENCE}
    return ", ".join(f"{count} {EVIDENCE[name]}" for name, count in known.items() if count)


def _row(check: Check, results: Results) -> tuple[Any, ...]:
    got = check.got(results)
    error = got / check.expected - 1 if check.expected else got
    verdict = "met" if abs(error) <= check.tolerance else "missed"
    return (
        check.what,
        check.expected,
        int(got) if isinstance(check.expected, int) and got.is_integer() else got,  # whole numbers print in full
        check.unit or None,
        error,
        check.tolerance,
        verdict,
        check.evidence,
        check.source,
    )


def _checks_table(rows: list[tuple[Any, ...]]) -> Table:
    columns = (
        Column("what", "what"),
        Column("expected", "expected"),
        Column("got", "got"),
        Column("unit", "unit"),
        Column("error", "error"),
        Column("tolerance", "allowed"),
        Column("verdict", "verdict"),
        Column("evidence", "evidence"),
        Column("source", "source"),
    )
    return Table("checks", "Expected and got", columns, tuple(rows))


def _missing_table(items: Sequence[NotReproduced]) -> Table:
    columns = (
        Column("what", "what"),
        Column("published", "published"),
        Column("source", "source"),
        Column("reason", "why not", keep=True),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple((item.what, item.published, item.source, item.reason) for item in items)
    return Table("not_reproduced", "Published, but not reproduced", columns, rows)
