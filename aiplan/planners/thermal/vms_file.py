"""VMs from a CSV or from `[[vm]]`: checked, with every problem at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.reader import printable
from aiplan.inputs.table import read_csv
from aiplan.planners.thermal.hall import HOURS, NO_ENDPOINT, Vms

if TYPE_CHECKING:
    from aiplan.planners.thermal.inputs import VmSection

MOST_VMS = 20_000
PROFILES = [f"{name}_{hour}" for name in ("p50", "p99") for hour in range(HOURS)]
COLUMNS = ["id", "kind", "endpoint", *PROFILES]


def read_vms(path: Path) -> Vms:
    """VMs of a CSV.

    Parameters
    ----------
    path : columns `COLUMNS`, others are ignored

    Raises
    ------
    InputError (E256) with every problem and its line.
    """
    table = read_csv(path)
    problems: list[Problem] = []

    def complain(message: str, line: int, hint: str) -> None:
        problems.append(Problem("E256", message, "", table.name, line, 1, hint=hint))

    if missing := [name for name in COLUMNS if name not in table.columns]:
        listed = ", ".join(f"'{name}'" for name in missing[:5]) + (
            f" and {len(missing) - 5} more" if missing[5:] else ""
        )
        complain(f"has no column{'s' * (len(missing) > 1)} {listed}", 1,
                 "columns are id, kind, endpoint, p50_0 to p50_23, p99_0 to p99_23")  # fmt: skip
        raise InputError(problems)
    if not 1 <= len(table.rows) <= MOST_VMS:
        complain(f"has {len(table.rows):,} VMs, 1 to {MOST_VMS:,} are possible", 1, "give one row for each VM")
        raise InputError(problems)
    profiles = np.zeros((len(table.rows), len(PROFILES)))
    for number, row in enumerate(table.rows):
        line = number + 2
        if row["kind"] not in ("iaas", "saas"):
            complain(f"kind must be iaas or saas, got '{printable(row['kind'])[:40]}'", line, "choose one")
        for place, name in enumerate(PROFILES):
            profiles[number, place] = share = _share(row[name])
            if math.isnan(share):
                complain(f"{name} must be a number from 0 to 1, got '{printable(row[name])[:40]}'", line,
                         "loads are shares of a server")  # fmt: skip
    names = [row["id"] for row in table.rows]
    found = _checked(names, [row["kind"] for row in table.rows], [row["endpoint"] for row in table.rows],
                     profiles[:, :HOURS], profiles[:, HOURS:])  # fmt: skip
    if isinstance(found, Vms) and not problems:
        return found
    if not isinstance(found, Vms):
        for number, message in found:
            complain(message, number + 2, "see docs/thermal.md")
    raise InputError(problems)


def listed_vms(sections: Sequence[VmSection]) -> Vms:
    """VMs of `[[vm]]`.

    Raises
    ------
    InputError (E256) with every problem and its path.
    """
    found = _checked(
        [one.id for one in sections],
        [one.kind for one in sections],
        [one.endpoint for one in sections],
        np.array([one.p50 for one in sections]),
        np.array([one.p99 for one in sections]),
    )
    if isinstance(found, Vms):
        return found
    raise InputError([Problem("E256", f"vm.{number}: {message}", "vm", hint="see docs/thermal.md")
                      for number, message in found])  # fmt: skip


def _share(text: str) -> float:
    """A number from 0 to 1, else NaN."""
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan
    return value if 0.0 <= value <= 1.0 else math.nan


def _checked(
    names: list[str], kinds: list[str], endpoints: list[str], p50: np.ndarray, p99: np.ndarray
) -> Vms | list[tuple[int, str]]:
    """The VMs, or index and reason of each that is wrong."""
    wrong: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    number_of: dict[str, int] = {}
    endpoint = np.full(len(names), NO_ENDPOINT, dtype=np.int64)
    for number, (name, kind, served) in enumerate(zip(names, kinds, endpoints, strict=True)):
        if not name:
            wrong.append((number, "the id is empty"))
        elif name in seen:
            wrong.append((number, f"'{printable(name)[:60]}' is given twice"))
        seen.setdefault(name, number)
        if kind == "saas" and not served:
            wrong.append((number, f"'{printable(name)[:60]}' is saas and names no endpoint"))
        if kind == "saas":
            endpoint[number] = number_of.setdefault(served, len(number_of))
        if np.any(p99[number] < p50[number]):
            wrong.append((number, f"'{printable(name)[:60]}' has a p99 below its p50"))
    if wrong:
        return wrong
    saas = np.array([kind == "saas" for kind in kinds])
    return Vms(tuple(names), saas, endpoint, np.asarray(p50, dtype=np.float64), np.asarray(p99, dtype=np.float64))
