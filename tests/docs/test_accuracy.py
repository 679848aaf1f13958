"""The accuracy that README and docs state is computed again, from the catalog and from the measured rows."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.planners.energy.throughput_fit import (
    POOLED_PRIOR,
    Prior,
    fit_loglinear,
    fit_physical,
    leave_one_out,
    mean_absolute_error,
)
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.serving.power_fit import fit_power, predicted_share
from aiplan.planners.serving.power_fit import leave_one_out as leave_models_out
from aiplan.planners.serving.throughput import TRANSFER_MEDIAN_FACTOR, TRANSFER_P90_FACTOR
from tests.conftest import ROOT
from tests.docs.blocks import rows
from tests.energy.throughput_series import LONG, fitted_ids, points
from tests.serving.mlenergy import CLASSES, MeasuredSet, load_measured

README, ENERGY, SERVING = ROOT / "README.md", ROOT / "docs" / "energy.md", ROOT / "docs" / "serving-power.md"


@cache
def left_out(prior: Prior = POOLED_PRIOR) -> dict[str, float]:
    """Mean absolute error of left-out points of every long series."""
    fit = partial(fit_physical, prior=prior)
    return {name: mean_absolute_error(leave_one_out(points(name), fit)) for name in fitted_ids(LONG)}


def number(text: str, pattern: str) -> tuple[float, ...]:
    """Numbers in the groups of the one place where a pattern fits."""
    found = re.findall(pattern, " ".join(text.split()))
    assert len(found) == 1, (pattern, found)
    groups = found[0] if isinstance(found[0], tuple) else (found[0],)
    return tuple(float(group) for group in groups)


@pytest.mark.parametrize("page", [README, ENERGY], ids=lambda page: page.name)
def test_the_stated_error_of_the_throughput_law_is_that_of_the_catalog(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    errors = np.array(list(left_out().values()))
    series, median, met, worst = number(
        text, r"(\d+) published series .*?median ([\d.]+) %.*?(\d+) of them within 7 %.*?worst ([\d.]+) %"
    )
    assert (int(series), int(met)) == (len(errors), int(np.sum(errors <= 0.07)))
    assert 100 * np.median(errors) == pytest.approx(median, abs=0.05)
    assert 100 * errors.max() == pytest.approx(worst, abs=0.05)
    paper = [mean_absolute_error(leave_one_out(points(name), fit_loglinear)) for name in fitted_ids(LONG)]
    assert 100 * np.median(paper) == pytest.approx(number(text, r"law of the paper[^.]*? (\d+) %")[0], abs=0.5)


@pytest.mark.parametrize("page", [README, ENERGY], ids=lambda page: page.name)
def test_the_caveat_on_the_prior_is_what_other_weights_give(page: Path) -> None:
    low, high = number(page.read_text(encoding="utf-8"), r"between (\d+) and (\d+) %")
    # The two ends of all 81 combinations of weights halved, kept and doubled.
    ends = {(0.5, 0.5, 2.0, 0.5): low, (2.0, 1.0, 0.5, 0.5): high}
    weights = ("prefill_weight", "context_weight", "reservation_weight", "attention_weight")
    for factors, stated in ends.items():
        changed = {name: by * getattr(POOLED_PRIOR, name) for name, by in zip(weights, factors, strict=True)}
        errors = np.array(list(left_out(replace(POOLED_PRIOR, **changed)).values()))
        assert 100 * np.mean(errors <= 0.07) == pytest.approx(stated, abs=0.5)


def test_every_series_that_is_missed_is_listed() -> None:
    listed = {row[0].strip("`"): float(row[2].removesuffix(" %")) for row in rows(ENERGY, "series missed")}
    missed = {name: 100 * error for name, error in left_out().items() if error > 0.07}
    assert listed == pytest.approx(missed, abs=0.05)


def test_everything_not_reproduced_is_listed() -> None:
    from aiplan.planners.energy.validation import NOT_REPRODUCED

    assert [row[0] for row in rows(ENERGY, "published, not reproduced")] == [item.what for item in NOT_REPRODUCED]


def test_the_number_of_checks_is_as_stated() -> None:
    from aiplan.study.validate import CHECKED

    modules = [import_module(f"aiplan.planners.{name}.validation") for name in CHECKED]
    checks = [check for module in modules for check in module.CHECKS]
    kinds = [sum(check.evidence == kind for check in checks) for kind in ("published", "second-hand", "derived")]
    pattern = r"(\d+) of (\d+) expected values are met: (\d+) printed in a source, (\d+) read at second hand and (\d+)"
    text = README.read_text(encoding="utf-8")
    assert number(text, pattern) == (len(checks), len(checks), *kinds)
    missing = sum(len(module.NOT_REPRODUCED) for module in modules)
    assert number(text, r"(\d+) more are not reproduced") == (missing,)


@pytest.mark.parametrize("page", [README, ENERGY], ids=lambda page: page.name)
def test_the_stated_error_of_a_law_carried_elsewhere_is_the_measured_one(page: Path) -> None:
    # tests/energy derives both constants from all pairs of series.
    stated = number(page.read_text(encoding="utf-8"), r"factor of ([\d.]+) \(median\) and ([\d.]+) \(P90\)")
    assert stated == (TRANSFER_MEDIAN_FACTOR, TRANSFER_P90_FACTOR)


@pytest.fixture(scope="module")
def measured(shared_data: Path) -> MeasuredSet:
    return load_measured(shared_data)


@pytest.fixture(scope="module")
def ratio(measured: MeasuredSet) -> Any:
    """Predicted over measured J per token, all variants of a model's shape left out of the fit."""
    return leave_models_out(measured.sample(), measured.shape_id) / measured.share


@pytest.mark.parametrize("page", [README, SERVING], ids=lambda page: page.name)
def test_the_stated_error_of_the_power_law_is_that_of_the_measured_rows(
    page: Path, measured: MeasuredSet, ratio: Any
) -> None:
    for index, (name, row) in enumerate(zip(CLASSES, rows(page, "accelerator"), strict=True)):
        mine = ratio[measured.group == index]
        assert row[0].lower() == name
        found = [mine.size, 100 * np.median(np.abs(mine - 1)), *np.percentile(mine, [10, 90])]
        low, high = re.findall(r"[\d.]+", row[3])
        stated = [float(row[1]), float(row[2].removesuffix(" %")), float(low), float(high)]
        assert stated == pytest.approx(found, abs=0.06)
        assert stated[2:] == pytest.approx(found[2:], abs=0.006)


@pytest.mark.parametrize("page", [README, SERVING], ids=lambda page: page.name)
def test_the_stated_error_on_an_accelerator_never_seen_is_the_measured_one(page: Path, measured: MeasuredSet) -> None:
    sample = replace(measured.sample(), group=np.zeros_like(measured.group))
    errors = np.empty(measured.share.shape)
    for index in range(len(CLASSES)):
        held = measured.group == index
        found = predicted_share(fit_power(sample.pick(~held)), sample.pick(held))
        errors[held] = np.abs(found / measured.share[held] - 1)
    stated = number(page.read_text(encoding="utf-8"), r"fitted on one accelerator[^.]*?([\d.]+) %")
    assert stated[0] == pytest.approx(100 * np.median(errors), abs=0.05)


def test_the_table_of_models_is_that_of_the_measured_rows(measured: MeasuredSet, ratio: Any) -> None:
    table = rows(SERVING, "model left out")
    assert {row[0].strip("`") for row in table} == set(measured.shape_id)
    for row in table:
        for index in range(len(CLASSES)):
            mine = ratio[(measured.shape_id == row[0].strip("`")) & (measured.group == index)]
            cell = row[1 + index]
            if not mine.size:
                assert cell == "-"
                continue
            count, median, low, high = (float(text) for text in re.findall(r"[\d.]+", cell))
            assert count == mine.size
            assert (median, low, high) == pytest.approx((np.median(mine), mine.min(), mine.max()), abs=0.006)


def test_the_table_of_constants_is_that_of_the_law() -> None:
    fields = ("idle_share", "memory_pj_per_byte", "scatter_gain", "compute_gain")
    for row, field in zip(rows(SERVING, "constant"), fields, strict=True):
        stated = [float(cell) for cell in row[1:]]
        assert stated == pytest.approx(
            [getattr(POWER_CONSTANTS[name], field) for name in (*CLASSES, "other")], rel=5e-3
        )


PERFORMANCE = ROOT / "docs" / "serving.md"

# What the pages state, by the start of a row: table, row of it, and mean or median.
STATED = {
    "TPOT, InferenceX": ("perf_online", "time per token", "median"),
    "time per output token": ("perf_online", "time per token", "median"),
    "TTFT, InferenceX": ("perf_online", "time to first token", "median"),
    "time to first token": ("perf_online", "time to first token", "median"),
    "throughput, TensorRT-LLM maxima, dense": ("perf_offline", "dense, every precision", "mean"),
    "throughput, TensorRT-LLM maxima, all": ("perf_offline", "all", "mean"),
    "offline throughput": ("perf_offline", "all", "mean"),
    "TPOT, decode side": ("perf_disagg", "all with known worker counts", "median"),
    "J per token": ("perf_energy", "J/token from first principles", "median"),
}


@pytest.fixture(scope="module")
def accuracy(shared_data: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Accuracy tables of the time model by id, their rows by name."""
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.serving.accuracy import data_tables

    tables = data_tables(Catalog(), shared_data)
    return {table.id: {str(row.get("what")): row for row in table.records()} for table in tables}


@pytest.mark.parametrize("page", [README, PERFORMANCE], ids=lambda page: page.name)
def test_the_stated_error_of_the_time_model_is_the_measured_one(page: Path, accuracy: Any) -> None:
    table = rows(page, "what")
    assert len(table) == (6 if page is PERFORMANCE else 4)
    for cells in table:
        start = next(start for start in STATED if cells[0].startswith(start))
        name, what, kind = STATED[start]
        found = accuracy[name][what]
        assert int(cells[1].replace(",", "")) == found["rows"]
        columns = ([kind] if page is PERFORMANCE else []) + [f"model_{kind}", f"hardware_{kind}"]
        for text, column in zip(cells[2:], columns, strict=False):
            if text.strip():
                assert float(text.removesuffix(" %")) == pytest.approx(100 * found[column], abs=0.15), (start, column)
        worst = [number / 100 for number in map(float, re.findall(r"(\d+) %", cells[-1]))]
        known = [found.get(f"worst_{group}_median") for group in ("model", "hardware")]
        for stated, measured in zip(worst, (one for one in known if one is not None), strict=False):
            assert stated == pytest.approx(measured, abs=0.011), start


def test_the_stated_error_of_the_profiles_is_that_of_left_out_points() -> None:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.split.curves import decode_left_out, decode_way, prompt_left_out
    from aiplan.planners.split.profile_machines import decode_cells, prompt_cells

    page = (ROOT / "docs" / "split.md").read_text(encoding="utf-8")
    steps, prompts, worst = number(
        page, r"steps are missed by ([\d.]+) % and prompts by ([\d.]+) % on average \(BLOOM on A100: ([\d.]+) %\)"
    )
    catalog = Catalog()
    measured = {
        (name, machine): found
        for name in ("splitwise-bloom-176b", "splitwise-llama2-70b")
        for machine, found in catalog.get("profiles", name).machines.items()
        if found.scaled_from is None
    }
    by_machine = {key: float(np.mean(prompt_left_out(*prompt_cells(found)))) for key, found in measured.items()}
    every = np.concatenate([prompt_left_out(*prompt_cells(found)) for found in measured.values()])
    assert 100 * float(np.mean(every)) == pytest.approx(prompts, abs=0.1)
    assert 100 * by_machine["splitwise-bloom-176b", "dgx-a100"] == pytest.approx(worst, abs=0.1)
    steps_measured = [decode_cells(found.decode_by_batch) for found in measured.values()]
    left = np.concatenate([decode_left_out(*cells, decode_way(*cells)) for cells in steps_measured])
    assert 100 * float(np.mean(left)) == pytest.approx(steps, abs=0.1)
