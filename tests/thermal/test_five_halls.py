"""Figures of docs/thermal.md and of the list of what is not reproduced are those that `aiplan thermal` gives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from aiplan.planners.thermal.plan import POLICIES
from aiplan.planners.thermal.validation import NOT_REPRODUCED
from aiplan.report.model import Report
from tests.conftest import ROOT
from tests.thermal.golden import answer

SEEDS = range(5)
PAGE = re.sub(r"\s+", " ", (ROOT / "docs" / "thermal.md").read_text(encoding="utf-8"))


@cache
def halls() -> tuple[Report, ...]:
    """What `aiplan thermal --seed 0` to `--seed 4` answer."""
    return tuple(answer(f"uncertainty.seed={seed}") for seed in SEEDS)


def value(report: Report, line: str) -> Any:
    """The value of a line."""
    return report.line(line).value


def levers(report: Report) -> dict[str, dict[str, Any]]:
    """The table of levers by policy."""
    by_label = {row["policy"]: dict(row) for row in report.table("levers").records()}
    return {name: by_label[label] for name, label in POLICIES.items()}


def more(report: Report) -> dict[str, Any]:
    """The level of 40 % more servers."""
    return next(dict(row) for row in report.table("oversubscription").records() if row["servers"] == 1344)


def between(shares: Iterable[float], digits: int = 1) -> str:
    """Least and largest of some shares, in per cent."""
    low, high = min(shares := sorted(shares)), max(shares)
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} %"


def below(what: str, name: str) -> list[float]:
    """How far all levers lie below a baseline, in each hall."""
    return [1.0 - levers(hall)["all"][what] / levers(hall)[name][what] for hall in halls()]


def test_what_the_levers_do() -> None:
    assert f"the row peak is {between(below('row_peak_kw', 'packed'))} below `packed`" in PAGE
    balance = [1.0 - value(hall, "balance_row_peak_kw") / levers(hall)["packed"]["row_peak_kw"] for hall in halls()]
    assert f"({between(balance)} is the most balance allows)" in PAGE
    assert f"{between(below('row_peak_kw', 'random'))} below `random`" in PAGE
    assert f"the hottest GPU is {between(below('hottest_c', 'random'))} cooler than in `random`" in PAGE
    assert f"{between(below('hottest_c', 'packed'))} cooler than in `packed`" in PAGE


def test_more_servers() -> None:
    levels = [more(hall) for hall in halls()]
    assert f"{between(level['packed_over_share'] for level in levels)} packed" in PAGE
    assert f"{between(level['random_over_share'] for level in levels)} random" in PAGE
    assert {level["levers_over_share"] for level in levels} == {0.0}
    assert f"{between(level['levers_quality_loss'] for level in levels)} of quality index" in PAGE
    assert sum(level["packed_over_share"] < level["random_over_share"] for level in levels) == 4
    added = between(value(hall, "added_capacity_fraction") for hall in halls())
    assert f"`added_capacity_fraction` is {added}" in PAGE


def test_the_list_of_what_is_not_reproduced_says_the_same() -> None:
    told = {item.what: item.reason for item in NOT_REPRODUCED}

    def fallen(what: str, name: str) -> str:
        return "-" + between(below(what, name)).replace("to ", "to -")

    assert f"{fallen('hottest_c', 'random')} against random" in told["TAPAS: maximum GPU temperature"]
    power = told["TAPAS: peak row power"]
    assert f"{fallen('row_peak_kw', 'packed')} against endpoints side by side" in power
    assert f"{fallen('row_peak_kw', 'random')} against random" in power
    added = between(value(hall, "added_capacity_fraction") for hall in halls())
    assert f"+{added.replace('to ', 'to +')}" in told["TAPAS: servers added"]


def test_five_percent_is_for_batch_only() -> None:
    gaps = [value(hall, "placement_gap_fraction") for hall in halls()]
    assert f"the gap is {between(gaps, 2)}" in PAGE
    assert all(value(hall, "vms_placed") == 960 for hall in halls())
    online = answer("place.mode=online")
    gap, placed = (value(online, name) for name in ("placement_gap_fraction", "vms_placed"))
    assert gap == pytest.approx(0.057, abs=0.0005)
    assert f"`online` leaves {960 - placed} of 960 VMs out there and lies {100 * gap:.1f} % above" in PAGE
