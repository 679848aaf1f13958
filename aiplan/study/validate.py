"""Published numbers against what aiplan computes, and what is published but not reproduced.

Each planner keeps its own list of checks; this gathers them, runs every scenario once, and reports. With the
folder of measured data at hand it adds the accuracy of the models on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiplan.report.model import Cell, Column, Line, Origin, Report, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog


@dataclass(frozen=True, slots=True)
class Check:
    """One number somebody published, or derived from what was published.

    Attributes
    ----------
    what : the quantity, for people
    expected : the number
    tolerance : allowed relative difference [1]
    source : id of the catalog's source
    evidence : ``published`` where the source prints the number, ``derived`` where it was computed from it
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


class Results:
    """Reports of shipped scenarios, each run once when first asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._reports: dict[str, Report] = {}

    def report(self, scenario: str) -> Report:
        """The report of a shipped scenario."""
        if scenario not in self._reports:
            from aiplan.inputs.scenario import load_scenario
            from aiplan.planners.energy.command import ENERGY

            loaded = load_scenario(scenario, ENERGY.inputs(), (), ENERGY.name)
            self._reports[scenario] = ENERGY.answer(loaded, self.catalog)
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
    from aiplan.planners.energy import validation as energy

    results = Results(catalog)
    rows = [_row(check, results) for check in energy.CHECKS]
    failed = sum(row[6] == "missed" for row in rows)
    tables = [_checks_table(rows), _missing_table(energy.NOT_REPRODUCED), *energy.accuracy_tables(catalog, data)]
    if data is not None:
        from aiplan.planners.serving.accuracy import accuracy_tables

        tables += accuracy_tables(catalog, data)
    sources = dict.fromkeys([check.source for check in energy.CHECKS] + [item.source for item in energy.NOT_REPRODUCED])
    worst = max((abs(float(row[4] or 0.0)) for row in rows), default=0.0)
    printed = sum(check.evidence == "published" for check in energy.CHECKS)
    report = Report(
        planner="validate",
        title="Published numbers against aiplan",
        headline=f"{len(rows) - failed} of {len(rows)} expected values are met ({printed} printed in a source, "
        f"{len(rows) - printed} derived from one), the worst off by {worst:.1%}; "
        f"{len(energy.NOT_REPRODUCED)} more are published but not reproduced.",
        scenario=Origin("validate", ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=(
            Line("checks", "Numbers checked", len(rows), None, grade="measured"),
            Line("met", "met", len(rows) - failed, None, grade="measured"),
            Line("missed", "missed", failed, None, grade="measured"),
            Line("not_reproduced", "Published, not reproduced", len(energy.NOT_REPRODUCED), None, grade="measured"),
        ),
        tables=tuple(tables),
        sources={source: catalog.title(source) for source in sources},
        context=(() if data else (("Accuracy on measured data", "give --data DIR"),)),
    )
    return report, failed


def _row(check: Check, results: Results) -> tuple[Any, ...]:
    got = check.got(results)
    error = got / check.expected - 1 if check.expected else got
    verdict = "met" if abs(error) <= check.tolerance else "missed"
    return (
        check.what,
        check.expected,
        got,
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


def _missing_table(items: tuple[NotReproduced, ...]) -> Table:
    columns = (
        Column("what", "what"),
        Column("published", "published"),
        Column("source", "source"),
        Column("reason", "why not", keep=True),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple((item.what, item.published, item.source, item.reason) for item in items)
    return Table("not_reproduced", "Published, but not reproduced", columns, rows)
