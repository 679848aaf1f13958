"""The guarded way back: the JSON report of `aiplan stabilize` as what `power` and `lifecycle` take from it.

Only schema, verdict and the table ``handover`` are read. Nothing here asks another planner, so that any may ask it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.inputs.reader import printable, read_bytes
from aiplan.report.model import GRADES

SCHEMA = "aiplan/stabilize/1"
MAX_BYTES = 16 << 20
MAX_ROWS = 1_000
MAX_DIGITS = 400
MAX_STORAGE = 20
SHOWN = 80
HINT = "write it anew: aiplan stabilize SCENARIO --format json -o FILE"
VERDICTS = ("pass", "fail", "undetermined")
INFINITE = float("inf")
ROUNDING = 1e-9

POWER = {
    "accelerators_per_server": (1.0, 1e6),
    "accelerators_count": (1.0, 1e10),
    "jobs_count": (1.0, 1e6),
    "mean_fraction": (1e-6, 10.0),
    "sd_fraction": (0.0, 10.0),
    "skewness": (-100.0, 100.0),
    "excess_kurtosis": (-3.0, 10_000.0),
    "peak_fraction": (1e-6, 10.0),
    "floor_fraction": (-10.0, 10.0),
    "rho_within": (-1.0, 1.0),
    "constant_fraction": (0.0, 10.0),
    "site_loss_share": (0.0, 10.0),
    "connection_before_mw": (0.0, 1e9),
    "connection_peak_mw": (0.0, 1e9),
}
"""Numbers for power, and the range that each may have."""
LIFECYCLE = {"energy_overhead_share": (-0.9, 10.0), "slowdown_share": (0.0, 100.0), "storage_count": (0.0, MAX_STORAGE)}
STORAGE = {"usd_per_w": (0.0, 1e9), "upkeep_usd_per_w_per_year": (0.0, 1e9)}


@dataclass(frozen=True, slots=True)
class StorageHandover:
    """A storage per watt that servers are rated at.

    Attributes
    ----------
    usd_per_w, upkeep_usd_per_w_year : price, and upkeep of a year [USD/W, USD/(W y)]
    life_years : infinite where it does not wear out [y]
    """

    name: str
    usd_per_w: float
    upkeep_usd_per_w_year: float
    life_years: float


@dataclass(frozen=True, slots=True)
class Handover:
    """What a report of `aiplan stabilize` says to other planners.

    Attributes
    ----------
    file, scenario : the file's name, and that of the scenario it answers
    verdict, grade : of the measures, and of what they rest on
    server : of the catalog
    power, lifecycle : numbers by the names of `POWER` and `LIFECYCLE`
    storage : of the measures
    """

    file: str
    scenario: str
    verdict: str
    grade: str
    server: str
    power: Mapping[str, float]
    lifecycle: Mapping[str, float]
    storage: tuple[StorageHandover, ...]

    def quantity(self, value: float) -> Quantity:
        """A number of the file as an input, with the file as its source."""
        return constant(value, self.file, self.grade, "derived", f"aiplan stabilize, {self.scenario}: {self.verdict}")

    @property
    def words(self) -> str:
        """The file, its scenario and the verdict, for people."""
        return f"{self.file} ({self.scenario}: {self.verdict})"


def read_handover(path: Path) -> Handover:
    """What a report of `aiplan stabilize` in JSON hands to other planners.

    Raises
    ------
    InputError for a file that cannot be read (E001 to E008), that is no such report (E321), or whose table ``handover``
    lacks rows or holds what they cannot be (E322), all of it at once.
    """
    shown = str(path)
    return _Reader(shown, _report(path, shown)).read()


def _report(path: Path, shown: str) -> dict[str, Any]:
    """The envelope of a report of `aiplan stabilize`."""
    raw = read_bytes(path, shown, MAX_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(Problem("E003", "is not valid UTF-8", "", shown, line, 1, hint=HINT)) from None
    try:
        data = json.loads(text, parse_constant=_no_number, parse_int=_integer)
    except json.JSONDecodeError as error:
        text = f"JSON syntax: {printable(error.msg)[:SHOWN]}"
        raise InputError(Problem("E321", text, "", shown, error.lineno, error.colno, hint=HINT)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else printable(str(error))[:SHOWN]
        raise InputError(Problem("E321", f"cannot be read: {reason}", "", shown, hint=HINT)) from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InputError(Problem("E321", _no_report(schema), "", shown, hint=HINT))
    return dict(data)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _integer(digits: str) -> int | float:
    """An integer, or infinity for one so long that its digits alone would take time."""
    return int(digits) if len(digits) <= MAX_DIGITS else math.inf


def _no_report(schema: Any) -> str:
    """Why an envelope is not the one that is asked for."""
    found = re.fullmatch(r"aiplan/([a-z-]{1,40})/([0-9]{1,6})", schema) if isinstance(schema, str) else None
    if found is None:
        return "is no report of `aiplan stabilize`"
    if found[1] == "stabilize":
        return f"is a report of `aiplan stabilize` in version {found[2]} of its form; this aiplan reads version 1"
    return f"is a report of `aiplan {found[1].replace('-', ' ')}`, not of `aiplan stabilize`"


class _Reader:
    """Reads rows, and gathers what is wrong with them."""

    def __init__(self, shown: str, data: Mapping[str, Any]) -> None:
        self.shown, self.data = shown, data
        self.problems: list[Problem] = []
        self.rows: dict[tuple[str, str], Any] = {}

    def read(self) -> Handover:
        """The rows as numbers in the units of their names.

        Raises
        ------
        InputError (E321, E322) with every row that is missing, twice there or wrong.
        """
        self._table()
        verdict, grade = self._line()
        power = {name: self._number("power", name, *bounds) for name, bounds in POWER.items()}
        lifecycle = {name: self._number("lifecycle", name, *bounds) for name, bounds in LIFECYCLE.items()}
        count = lifecycle["storage_count"]
        if count != int(count):
            self._complain("lifecycle storage_count", f"is {count:g}, no whole number")
        storage = tuple(self._storage(number) for number in range(1, int(count) + 1))
        server = self._text("power", "server")
        self._ordered(power)
        if self.problems:
            raise InputError(self.problems)
        scenario = self.data.get("scenario")
        name = scenario.get("name") if isinstance(scenario, dict) else None
        told = printable(name)[:SHOWN] if isinstance(name, str) else "unnamed"
        return Handover(printable(Path(self.shown).name), told, verdict, grade, server, power, lifecycle, storage)

    def _complain(self, row: str, what: str) -> None:
        self.problems.append(Problem("E322", f"handover, {row}: {what}", file=self.shown, hint=HINT))

    def _table(self) -> None:
        """Rows of the table by planner and path."""
        tables = self.data.get("tables")
        found = tables.get("handover") if isinstance(tables, dict) else None
        if not isinstance(found, list) or len(found) > MAX_ROWS:
            text = "has no table 'handover'" if found is None else "has a table 'handover' that is none"
            raise InputError(Problem("E321", text, file=self.shown, hint=HINT))
        for number, row in enumerate(found, start=1):
            key = (row.get("planner"), row.get("path")) if isinstance(row, dict) else (None, None)
            if not isinstance(key[0], str) or not isinstance(key[1], str):
                self._complain(f"row {number}", "has no planner or path")
            elif key in self.rows:
                self._complain(printable(f"{key[0]} {key[1]}")[:SHOWN], "stands there twice")
            else:
                self.rows[key[0], key[1]] = row.get("value")

    def _line(self) -> tuple[str, str]:
        """Verdict of the report, and the grade of what it rests on."""
        lines = self.data.get("lines")
        found = [one for one in lines if isinstance(one, dict)] if isinstance(lines, list) else []
        line = next((one for one in found if one.get("id") == "verdict"), {})
        verdict, grade = line.get("value"), line.get("grade")
        if not isinstance(verdict, str) or verdict not in VERDICTS:
            self.problems.append(Problem("E322", f"its line 'verdict' is none of {', '.join(VERDICTS)}",
                                         file=self.shown, hint=HINT))  # fmt: skip
            verdict = "undetermined"
        known = isinstance(grade, str) and grade in GRADES
        return verdict, str(grade) if known else "assumption"

    def _number(self, planner: str, path: str, low: float, high: float) -> float:
        """A number within its range; the least of it, with a problem noted, where there is none."""
        least = max(low, 0.0)
        row = f"{planner} {path}"
        if (planner, path) not in self.rows:
            self._complain(row, "is missing")
            return least
        value = self.rows[planner, path]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._complain(row, "is no number")
            return least
        if not low <= value <= high:
            self._complain(row, f"must be {low:g} to {high:g}, is {value:g}")
            return least
        return float(value)

    def _text(self, planner: str, path: str) -> str:
        value = self.rows.get((planner, path))
        if not isinstance(value, str) or not value:
            self._complain(f"{planner} {path}", "is missing" if value is None else "is no text")
            return ""
        return printable(value)[:SHOWN]

    def _storage(self, number: int) -> StorageHandover:
        start = f"storage_{number}"
        name = self._text("lifecycle", f"{start}_name")
        price, upkeep = (self._number("lifecycle", f"{start}_{one}", *bounds) for one, bounds in STORAGE.items())
        endless = self.rows.get(("lifecycle", f"{start}_life_years"), 0.0) is None
        life = INFINITE if endless else self._number("lifecycle", f"{start}_life_years", 1e-3, 1e6)
        return StorageHandover(name, price, upkeep, life)

    def _ordered(self, power: Mapping[str, float]) -> None:
        """Refuse a mean outside floor and peak, and a deviation that such powers cannot have."""
        if self.problems:
            return
        floor, mean, peak, sd = (power[f"{one}_fraction"] for one in ("floor", "mean", "peak", "sd"))
        if not floor - ROUNDING <= mean <= peak + ROUNDING:
            self._complain("power", f"a mean of {mean:g} does not lie between floor {floor:g} and peak {peak:g}")
        elif sd**2 > (peak - mean) * (mean - floor) * (1 + 1e-6) + ROUNDING:
            self._complain(
                "power", f"no power between {floor:g} and {peak:g} with a mean of {mean:g} deviates by {sd:g}"
            )


__all__ = ["Handover", "StorageHandover", "read_handover"]
