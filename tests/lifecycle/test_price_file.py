"""Hourly prices of electricity from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.lifecycle.case import build_case
from aiplan.planners.lifecycle.inputs import LifecycleInputs
from aiplan.planners.lifecycle.price_file import read_price

HOURS = 8760


def write(path: Path, header: str, *columns: Any) -> Path:
    rows = zip(*(np.broadcast_to(column, HOURS).tolist() for column in columns), strict=True)
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


def test_hours_weigh_by_their_load(tmp_path: Path) -> None:
    night = np.arange(HOURS) % 24 < 8
    prices, load = np.where(night, 20.0, 80.0), np.where(night, 30.0, 10.0)
    file = write(tmp_path / "p.csv", "price_usd_per_mwh,load_mw", prices, load)
    value, weighed = read_price(file)
    assert weighed
    assert value == pytest.approx((8 * 30 * 20 + 16 * 10 * 80) / (8 * 30 + 16 * 10) / 1e3, rel=1e-12)


def test_without_load_it_is_the_mean(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "price_usd_per_kwh", np.linspace(0.0, 0.2, HOURS))
    value, weighed = read_price(file)
    assert value == pytest.approx(0.1)
    assert not weighed


@pytest.mark.parametrize(
    ("header", "cells", "text"),
    [("price_usd_per_kwh", "ten", "must be a number"), ("price_usd_per_kwh", "-0.1", "0 or more"),
     ("price_usd_per_kwh", "nan", "0 or more"), ("price_usd_per_kwh", "1_0", "0 or more"),
     ("cost", "0.1", "no column")],
)  # fmt: skip
def test_what_is_no_price_is_refused(tmp_path: Path, header: str, cells: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_price(write(tmp_path / "p.csv", header, cells))
    assert all(problem.code == "E280" for problem in caught.value.problems)
    assert text in caught.value.render()


def test_a_short_year_and_an_idle_load_are_refused(tmp_path: Path) -> None:
    short = tmp_path / "s.csv"
    short.write_text("price_usd_per_kwh\n0.1\n", encoding="utf-8")
    with pytest.raises(InputError, match="8,760 hours"):
        read_price(short)
    with pytest.raises(InputError, match="0 in every hour"):
        read_price(write(tmp_path / "z.csv", "price_usd_per_kwh,load_kw", 0.1, 0))


def test_the_scenario_takes_its_price_from_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "price_usd_per_mwh", 42.0)
    sets = [f"market.energy_file={file}"]
    loaded = load_scenario("site-1gw-gb200", LifecycleInputs, sets, "tco")
    case = build_case(loaded.inputs, Catalog())
    assert case.parameters.medians()["market.energy_usd_per_kwh"] == pytest.approx(0.042)
    both = load_scenario("site-1gw-gb200", LifecycleInputs, [*sets, "market.energy_usd_per_kwh=0.1"], "tco")
    with pytest.raises(InputError, match="both given"):
        build_case(both.inputs, Catalog())
