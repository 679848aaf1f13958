"""The shipped calibrations: which public rows they are fitted to, and how far off they are.

Three studies: served runs of InferenceX, maxima of TensorRT-LLM, and ML.ENERGY's vLLM 0.11, whose streaming server is
slower. Everything comes from the files of a data folder; none of them is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array
from aiplan.planners.serving.calibration import (
    About,
    Study,
    bands_of,
    entry_of,
    measured_bands,
    sample_of,
    shape_of,
)
from aiplan.planners.serving.calibration_recipes import Recipe, offline_recipe, online_recipe, release_recipe
from aiplan.planners.serving.datasets import read_rows
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power import activity
from aiplan.planners.serving.power_fit import PowerSample, fit_power, predicted_share
from aiplan.planners.serving.rows import Row, Shelf
from aiplan.planners.serving.rows_power import loads_of
from aiplan.planners.serving.time_fit import Errors, errors, fit_time

AGGREGATED = Path("throughput") / "inferencex_agg.csv"
SPLIT = Path("throughput") / "inferencex_disagg.csv"
MAXIMA = Path("throughput") / "trtllm.csv"
MLPERF = Path("throughput") / "mlperf.csv"
ENERGY = Path("energy") / "mlenergy_v3.csv"
FILES = (AGGREGATED, SPLIT, MAXIMA, MLPERF, ENERGY)

KEPT_AS_TEST = "qwen3.5"
"""Models whose rows are scored only: the newest in InferenceX, with recurrent layers that no other row has."""
TEST_REASON = "kept as a test"
POWER_CLASSES = ("h100", "b200")


@dataclass
class PublicData:
    """The public tables as studies, each read and fitted when first asked for."""

    folder: Path
    shelf: Shelf

    @cached_property
    def online(self) -> Study:
        """InferenceX, aggregated serving."""
        rows = read_rows(self.folder / AGGREGATED, self.shelf)
        for row in rows:
            if row.model.startswith(KEPT_AS_TEST):
                row.left_out = row.left_out or TEST_REASON
        return _study(rows, self.shelf, online_recipe())

    @cached_property
    def offline(self) -> Study:
        """TensorRT-LLM's tables of maxima and static batches; pipelines are scored only."""
        rows = read_rows(self.folder / MAXIMA, self.shelf)
        for row in rows:
            if row.pp > 1:
                row.left_out = row.left_out or "a pipeline"
        return _study(rows, self.shelf, offline_recipe())

    @cached_property
    def release(self) -> Study:
        """ML.ENERGY: one release of vLLM, from the constants of `online`."""
        rows = read_rows(self.folder / ENERGY, self.shelf)
        study = _study(rows, self.shelf, release_recipe(self.online.constants, "vllm"))
        study.recipe_without = self._release_without
        return study

    def _release_without(self, by: str, label: str) -> Recipe:
        """Recipe of `release` from served runs that know neither the model nor the accelerator left out."""
        rows, shelf = self.online.rows, self.shelf
        if by == "hardware":
            same = np.array([row.hardware == label for row in rows])
        else:
            same = np.array([shape_of(row.model, shelf) == shape_of(label, shelf) for row in rows])
        if not same.any():
            return self.release.recipe
        recipe = self.online.recipe
        kept = self.online.sample.pick(self.online.fitted & ~same)
        start = fit_time(kept, recipe.start, recipe.unknowns)
        return release_recipe(start, "vllm")

    @cached_property
    def split(self) -> list[Row]:
        """InferenceX, split serving: decode workers."""
        return read_rows(self.folder / SPLIT, self.shelf)

    @cached_property
    def mlperf(self) -> list[Row]:
        """MLPerf Inference, offline scenario."""
        return read_rows(self.folder / MLPERF, self.shelf)

    @cached_property
    def mlperf_errors(self) -> Errors:
        """Errors of `mlperf` under the constants of `offline`, in which none of them was fitted."""
        return errors(sample_of(self.mlperf, self.shelf), self.offline.constants)

    @cached_property
    def power_models_out(self) -> Array:
        """ln(predicted / measured) of J per token at the measured rate, the row's model left out of the power law."""
        study = self.release
        return joules_left_out(study, np.zeros(len(study.rows)), study.labels("model"))

    @cached_property
    def energy_in_sample(self) -> Array:
        """ln(predicted / measured) of J per token from first principles, time and power fitted to all rows."""
        return joules_left_out(self.release, self.release.after.throughput, np.zeros(len(self.release.rows)))

    @cached_property
    def energy_models_out(self) -> Array:
        """The same with the row's model left out of both fits."""
        return joules_left_out(self.release, self.release.left_out("model").throughput, self.release.labels("model"))

    @cached_property
    def energy_hardware_out(self) -> Array:
        """The same with the row's accelerator left out of both fits."""
        study = self.release
        return joules_left_out(study, study.left_out("hardware").throughput, study.labels("hardware"), one_class=True)


def _study(rows: list[Row], shelf: Shelf, recipe: Any) -> Study:
    return Study(rows, np.array([not row.left_out for row in rows]), recipe, shelf)


def power_sample(rows: Sequence[Row], tokens_per_s: Array, shelf: Shelf) -> PowerSample:
    """Rows with measured power as the power law's fit wants them, at a token rate that may be a predicted one."""
    load, device = loads_of(rows, shelf, tokens_per_s, np.array([row.concurrency for row in rows]))
    share = np.array([row.power_w / row.n_gpus for row in rows]) / np.asarray(device.tdp_w)
    group = np.array([POWER_CLASSES.index(power_class(row.hardware)) for row in rows], dtype=np.intp)
    return PowerSample(activity(load, device), device, share, group)


def joules_left_out(study: Study, time_error: Array, labels: Any, *, one_class: bool = False) -> Array:
    """ln(predicted / measured) of J per output token, rows of one label left out of the power law's fit together.

    Parameters
    ----------
    time_error : ln(measured / predicted) of throughput, already without the label's rows
    labels : what is left out together; one label for all rows leaves nothing out
    one_class : fit one class, as for an accelerator without rows

    Predicted power is that at the predicted rate, so that an error in time counts twice, against itself.
    """
    measured_rate = np.array([row.output_tok_s for row in study.rows])
    measured = power_sample(study.rows, measured_rate, study.shelf)
    predicted = power_sample(study.rows, measured_rate / np.exp(time_error), study.shelf)
    if one_class:
        measured, predicted = (replace(one, group=np.zeros_like(one.group)) for one in (measured, predicted))
    names, share = np.asarray(labels), np.empty(measured.share.shape)
    for name in np.unique(names):
        held = names == name
        train = measured if bool(held.all()) else measured.pick(~held)
        share[held] = predicted_share(fit_power(train), predicted.pick(held))
    return np.asarray(np.log(share / measured.share) + time_error, dtype=np.float64)


def vendors(rows: Sequence[Row], shelf: Shelf) -> np.ndarray:
    """Mask of rows whose accelerator is not NVIDIA's and whose model is whole."""
    return np.array([shelf.accelerator(row.hardware).vendor != "NVIDIA" and not row.left_out for row in rows])


def shipped_entries(data: PublicData, fitted_on: date) -> dict[str, dict[str, Any]]:
    """The shipped calibrations by id, fitted anew."""
    groups = ("model", "hardware")
    online, offline, release = data.online, data.offline, data.release
    other = vendors(data.mlperf, data.shelf)
    offline_bands = measured_bands(offline, groups)
    offline_bands += bands_of("throughput", [data.mlperf_errors.throughput], np.full(len(data.mlperf), "vendor"), other)
    joules = [data.energy_models_out, data.energy_hardware_out]
    release_bands = measured_bands(release, groups) + bands_of("energy", joules, release.kinds, release.fitted)
    return {
        "online": entry_of(
            online,
            About(
                "Continuous batching, InferenceX",
                "inferencex-aiconfigurator-0.12",
                "InferenceX aggregated serving on H100, H200 and B200; left out: Qwen3.5 as a test, rows set aside",
                fitted_on,
            ),
            measured_bands(online, groups),
        ),
        "offline": entry_of(
            offline,
            About(
                "Queue that never empties, TensorRT-LLM",
                "trtllm-published-maxima",
                "TensorRT-LLM maxima of 0.17 and 1.0, static batches of 0.6.1; left out: pipelines, first tokens",
                fitted_on,
            ),
            offline_bands,
        ),
        "vllm-0-11": entry_of(
            release,
            About(
                "vLLM 0.11 behind its streaming server, ML.ENERGY",
                "mlenergy-leaderboard-v3",
                "ML.ENERGY leaderboard v3, all tasks, H100 and B200; prompt lengths assumed",
                fitted_on,
                "vllm",
                "0.11",
            ),
            release_bands,
        ),
    }
