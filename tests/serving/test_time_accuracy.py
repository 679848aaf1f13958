"""Accuracy of time and energy on measured rows, groups left out: the gates of the issue, and the shipped constants.

Goals that are not met are held at the figure reached, so that it cannot slip: TTFT in sample (goal 22 %, reached
23 %), split deployments (goal 11 %, reached 11.4 %, 10.9 % without the eight rows over two nodes).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.serving import accuracy
from aiplan.planners.serving.accuracy import data_tables
from aiplan.planners.serving.calibration import score
from aiplan.planners.serving.calibration_public import PublicData, shipped_entries
from aiplan.planners.serving.calibration_recipes import OWN_TTFT_WEIGHT, unknowns_for
from aiplan.planners.serving.rows import Shelf
from aiplan.planners.serving.time_constants import NAMES, TimeConstants, constants_of
from aiplan.planners.serving.time_fit import errors, fit_time
from aiplan.report.model import Table


@pytest.fixture(scope="module")
def data(shared_data: Path) -> PublicData:
    return PublicData(shared_data, Shelf(Catalog()))


def records(table: Table, column: str = "what") -> dict[Any, dict[str, Any]]:
    return {record[column]: record for record in table.records()}


@pytest.fixture(scope="module")
def online(data: PublicData) -> dict[str, dict[str, Any]]:
    return records(accuracy.online_table(data))


@pytest.fixture(scope="module")
def energy(data: PublicData) -> dict[str, dict[str, Any]]:
    return records(accuracy.energy_table(data))


# --- the gates ---


def test_time_per_token_of_served_runs(online: dict[str, dict[str, Any]]) -> None:
    line = online["time per token"]
    assert line["rows"] == 1585
    assert line["median"] <= 0.10
    assert line["model_median"] <= 0.12
    assert line["hardware_median"] <= 0.12
    assert line["verdict"] == "met"


def test_time_to_first_token_of_served_runs(online: dict[str, dict[str, Any]]) -> None:
    line = online["time to first token"]
    assert line["median"] <= 0.235
    assert line["model_median"] <= 0.32
    assert line["hardware_median"] <= 0.28
    assert line["verdict"] == ("met" if line["median"] <= 0.22 else "missed: in sample")


def test_every_row_is_scored_and_the_left_out_are_counted(online: dict[str, dict[str, Any]]) -> None:
    for quantity in ("time per token", "time to first token"):
        line = online[f"{quantity}, every row"]
        assert (line["rows"], line["left_out"]) == (1735, 150)
        assert line["mean"] > online[quantity]["mean"]


def test_a_model_that_was_never_fitted(online: dict[str, dict[str, Any]]) -> None:
    line = online["time per token, Qwen3.5, never fitted"]
    assert (line["rows"], line["left_out"]) == (114, 114)
    assert line["median"] <= 0.17


def test_throughput_of_published_maxima(data: PublicData) -> None:
    lines = records(accuracy.offline_table(data))
    dense, everything = lines["dense, every precision"], lines["all"]
    assert dense["mean"] <= 0.09
    assert dense["model_mean"] <= 0.11
    assert everything["rows"] == 669
    assert everything["mean"] <= 0.13
    assert everything["model_mean"] <= 0.15
    assert everything["hardware_mean"] <= 0.15
    assert {dense["verdict"], everything["verdict"]} == {"met"}


def test_time_per_token_of_split_deployments(data: PublicData) -> None:
    lines = records(accuracy.split_table(data))
    assert lines["all with known worker counts"]["rows"] == 92
    assert lines["all with known worker counts"]["median"] <= 0.125
    assert lines["without H100"]["rows"] == 84
    assert lines["without H100"]["median"] <= 0.12


def test_mlperf_systems_within_a_quarter(data: PublicData) -> None:
    table = accuracy.mlperf_table(data)
    verdicts = defaultdict(list)
    for record in table.records():
        verdicts[record["verdict"]].append(record)
    assert not verdicts["missed"]
    assert len(verdicts["met"]) >= 11
    assert {record["hardware"] for record in verdicts["met"]} >= {"h100-sxm", "h200-sxm", "mi300x", "mi325x", "mi355x"}
    assert all(record["note"] for record in verdicts["beyond"] + verdicts["within"])
    assert any("pruned" in str(record["model"]) for record in verdicts["beyond"])


def test_joules_per_token_at_the_measured_rate(energy: dict[str, dict[str, Any]]) -> None:
    h100 = energy["J/token at measured rate, H100, chat and GPQA"]
    b200 = energy["J/token at measured rate, B200, chat and GPQA"]
    assert h100["model_median"] <= 0.07
    assert b200["model_median"] <= 0.12
    both = [energy[f"J/token at measured rate, {name}, all tasks"]["rows"] for name in ("H100", "B200")]
    assert both == [231, 221]


def test_joules_per_token_from_first_principles(energy: dict[str, dict[str, Any]]) -> None:
    line = energy["J/token from first principles"]
    assert line["rows"] == 452
    assert line["model_median"] <= 0.18
    assert line["hardware_median"] <= 0.20
    assert line["verdict"] == "met"


def test_power_at_the_wall(data: PublicData) -> None:
    lines = accuracy.wall_table(data).records()
    assert len(lines) == 8
    for line in lines:
        assert line["ratio"] == pytest.approx(1.0, abs=0.10)


# --- the shipped file, and a user's own ---


def test_shipped_calibrations_are_what_the_command_writes(data: PublicData) -> None:
    catalog = Catalog()
    for name in ("online", "offline", "vllm-0-11"):
        shipped = catalog.get("calibrations", name)
        assert shipped.grade == "measured"
    found = shipped_entries(data, catalog.get("calibrations", "online").fitted_on)
    assert sorted(found) == sorted(catalog.ids("calibrations"))
    for name, entry in found.items():
        shipped = catalog.get("calibrations", name)
        constants = constants_of(shipped)
        for constant in NAMES:
            assert getattr(constants, constant) == pytest.approx(entry["constants"][constant], rel=1e-3), (
                name,
                constant,
            )
        assert (shipped.rows_fitted, shipped.rows_left_out) == (entry["rows_fitted"], entry["rows_left_out"])
        bands = {(band["quantity"], band["kind"]): band for band in entry["bands"]}
        assert len(bands) == len(shipped.bands)
        for band in shipped.bands:
            got = band if isinstance(band, dict) else vars(band)
            want = bands[got["quantity"], got["kind"]]
            assert (got["p10"], got["p90"]) == pytest.approx((want["p10"], want["p90"]), abs=0.01)


@pytest.fixture(scope="module")
def starts(data: PublicData) -> dict[str, TimeConstants]:
    """Constants that never saw a model, by model."""
    study, models = data.online, data.online.labels("model")
    return {
        str(name): fit_time(
            study.sample.pick(study.fitted & (models != name)),
            study.recipe.start,
            study.recipe.unknowns,
        )
        for name in np.unique(models[study.fitted])
    }


@pytest.mark.parametrize(("rows", "tpot", "ttft"), [(1, 0.095, 0.23), (5, 0.080, 0.18)])
def test_a_row_of_a_deployment_says_much_of_its_other_rows(
    data: PublicData, starts: dict[str, TimeConstants], rows: int, tpot: float, ttft: float
) -> None:
    """From constants that never saw the model: 11.5 and 30 % before any row of the deployment."""
    study = data.online
    models = study.labels("model")
    cells = defaultdict(list)
    for number, row in enumerate(study.rows):
        if study.fitted[number]:
            key = (models[number], row.hardware, row.engine, row.precision, row.tp, row.dp, row.speculative)
            cells[key].append(number)
    random = np.random.default_rng(1)
    found: dict[str, list[float]] = {"tpot": [], "ttft": []}
    # Every third deployment, to save time.
    for (model, _, engine, *_), numbers in sorted(cells.items())[::3]:
        if len(numbers) >= rows + 3:
            drawn = random.permutation(numbers)
            free = unknowns_for(starts[model], "online", rows, 1, {engine: rows})
            constants = fit_time(study.sample.pick(drawn[:rows]), starts[model], free, OWN_TTFT_WEIGHT)
            rest = errors(study.sample.pick(drawn[rows:]), constants)
            found["tpot"] += rest.tpot.tolist()
            found["ttft"] += rest.ttft.tolist()
    assert score(np.array(found["tpot"])).median <= tpot
    assert score(np.array(found["ttft"])).median <= ttft


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        data_tables(Catalog(), tmp_path)
    assert caught.value.code == "E185"
    assert "inferencex_agg.csv" in str(caught.value)


def test_goals_are_judged_part_by_part() -> None:
    good, bad = score(np.log([1.05])), score(np.log([1.5]))
    goal = accuracy.Goal("median", 0.1, 0.1, 0.1)
    assert goal.verdict((good, good, good)) == "met"
    assert goal.verdict((good, bad, good)) == "missed: model out"
    assert accuracy.Goal("median", 0.1).verdict((good, bad, bad)) == "met"
    assert accuracy.NO_GOAL.verdict((bad, bad, bad)) == ""
    # What was not measured cannot meet a goal.
    assert goal.verdict((good, score(np.array([])), good)) == "missed: model out"
