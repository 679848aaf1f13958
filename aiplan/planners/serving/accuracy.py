"""Accuracy tables of `aiplan validate --data`: how far the time and energy models are off on public measurements.

Every line is held against a goal set beforehand, met or not. Groups are left out whole; rows that were set aside are
counted and scored too.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.inputs.table import read_csv
from aiplan.planners.arrays import Array
from aiplan.planners.serving.calibration import Mask, Score, Study, sample_of, score
from aiplan.planners.serving.calibration_public import FILES, KEPT_AS_TEST, MLPERF, PublicData
from aiplan.planners.serving.cells import cells_of, find_columns
from aiplan.planners.serving.predict import predict
from aiplan.planners.serving.rows import place
from aiplan.planners.serving.service import decode_only
from aiplan.report.model import Cell, Column, Table

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.serving.rows import Row

PEERS_TPOT = "AIConfigurator 0.12: median 21.0 % on 112 such rows"
PEERS_TTFT = "AIConfigurator 0.12: median 41.6 % on 112 such rows"
PEERS_ENERGY = "EcoLogits: median 56 % and 69 %"
MODELLED_TASKS = ("lm-arena-chat", "gpqa")
"""Tasks of ML.ENERGY whose prompts are short against their answers, so that assumed lengths matter little."""


class Goal(NamedTuple):
    """Largest error wanted in sample, with a model and with an accelerator left out [1]; NaN where none is set."""

    statistic: str = "median"
    in_sample: float = math.nan
    model_out: float = math.nan
    hardware_out: float = math.nan

    @property
    def text(self) -> str:
        """As printed."""
        parts = (self.in_sample, self.model_out, self.hardware_out)
        if all(map(math.isnan, parts)):
            return ""
        return f"{self.statistic} {' / '.join('-' if math.isnan(one) else f'{100 * one:.0f}' for one in parts)} %"

    def verdict(self, scores: tuple[Score, Score, Score]) -> str:
        """Whether every part is met, and which is not."""
        names = ("in sample", "model out", "accelerator out")
        wanted = (self.in_sample, self.model_out, self.hardware_out)
        if all(map(math.isnan, wanted)):
            return ""
        missed = [name for name, limit, found in zip(names, wanted, scores, strict=True)
                  if not math.isnan(limit) and not getattr(found, self.statistic) <= limit]  # fmt: skip
        return f"missed: {', '.join(missed)}" if missed else "met"


NO_GOAL = Goal()

COLUMNS = (
    Column("what", "what", keep=True), Column("rows", "rows"), Column("left_out", "not fitted"),
    Column("mean", "mean"), Column("median", "median", keep=True),
    Column("model_mean", "model out, mean"), Column("model_median", "model out, median", keep=True),
    Column("worst_model", "worst model"), Column("worst_model_median", "its median"),
    Column("hardware_mean", "accelerator out, mean"), Column("hardware_median", "accelerator out, median", keep=True),
    Column("worst_hardware", "worst accelerator"), Column("worst_hardware_median", "its median"),
    Column("goal", "goal"), Column("verdict", "verdict", keep=True), Column("others", "others"),
)  # fmt: skip
"""Errors are ``|predicted / measured - 1|``; a time that is twice too long counts 100 %, half as long 50 %."""


def data_tables(catalog: Catalog, folder: Path) -> list[Table]:
    """Every table.

    Raises
    ------
    InputError (E185) where the folder lacks a file.
    """
    from aiplan.planners.serving.rows import Shelf

    missing = [str(name) for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(Problem("E185", f"the folder lacks {', '.join(missing)}", file=str(folder),
                                 hint="give the folder of public data to --data"))  # fmt: skip
    data = PublicData(folder, Shelf(catalog))
    return [online_table(data), offline_table(data), split_table(data), mlperf_table(data), energy_table(data),
            wall_table(data)]  # fmt: skip


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _worst(labels: Any, error: Array, mask: Mask) -> tuple[str | None, float | None]:
    """The label whose median error is largest, and that."""
    medians = {str(name): score(error, mask & (labels == name)).median for name in np.unique(labels[mask])}
    known = {name: value for name, value in medians.items() if not math.isnan(value)}
    name = max(known, key=lambda one: known[one], default=None)
    return (None, None) if name is None else (name, known[name])


def _line(
    what: str,
    study: Study,
    found: tuple[Array, Array, Array],
    mask: Mask,
    goal: Goal = NO_GOAL,
    others: str = "",
) -> tuple[Any, ...]:
    """One line: errors in sample, with a model, with an accelerator left out, over some rows."""
    scores = (score(found[0], mask), score(found[1], mask), score(found[2], mask))
    cells: list[Any] = [_number(scores[0].mean), _number(scores[0].median)]
    for by, error, one in (("model", found[1], scores[1]), ("hardware", found[2], scores[2])):
        cells += [_number(one.mean), _number(one.median), *_worst(study.labels(by), error, mask)]
    not_fitted = int((mask & ~study.fitted & ~np.isnan(found[0])).sum())
    return (what, max(one.rows for one in scores), not_fitted, *cells, goal.text, goal.verdict(scores), others)


def _three(study: Study, quantity: str, *, every: bool = False) -> tuple[Array, Array, Array]:
    """Errors in sample, with a model, with an accelerator left out."""
    inside = study.every if every else study.after
    return (getattr(inside, quantity), getattr(study.left_out("model"), quantity),
            getattr(study.left_out("hardware"), quantity))  # fmt: skip


def _by_class(what: str, study: Study, found: tuple[Array, Array, Array], goals: dict[str, Goal]) -> list[Any]:
    names = {"dense": "dense", "moe": "with experts", "fp4": "four-bit weights"}
    return [_line(f"{what}, {text}", study, found, study.fitted & (study.kinds == kind), goals.get(kind, NO_GOAL))
            for kind, text in names.items()]  # fmt: skip


def online_table(data: PublicData) -> Table:
    """Served runs of InferenceX."""
    study = data.online
    tpot, ttft = _three(study, "tpot"), _three(study, "ttft")
    everything = np.ones(len(study.rows), dtype=np.bool_)
    test = np.array([row.model.startswith(KEPT_AS_TEST) for row in study.rows])
    # Rows left out of the fit have no fold of their own beyond that of their group.
    rows = [
        _line("time per token", study, tpot, study.fitted, Goal("median", 0.10, 0.12, 0.12), PEERS_TPOT),
        _line("time to first token", study, ttft, study.fitted, Goal("median", 0.22, 0.32, 0.28), PEERS_TTFT),
        *_by_class("time per token", study, tpot, {}),
        *_by_class("time to first token", study, ttft, {}),
        _line("time per token, every row", study, _three(study, "tpot", every=True), everything),
        _line("time to first token, every row", study, _three(study, "ttft", every=True), everything),
        _line("time per token, Qwen3.5, never fitted", study, tpot, test),
        _line("time to first token, Qwen3.5, never fitted", study, ttft, test),
    ]
    title = "Served with a fixed number of requests in flight, InferenceX aggregated"
    return Table("perf_online", title, COLUMNS, tuple(rows))


def offline_table(data: PublicData) -> Table:
    """TensorRT-LLM's maxima."""
    study = data.offline
    found = _three(study, "throughput")
    experts = np.array([bool(data.shelf.architecture(row.model).experts) for row in study.rows])
    everything = np.ones(len(study.rows), dtype=np.bool_)
    rows = [
        _line("dense, every precision", study, found, study.fitted & ~experts, Goal("mean", 0.09, 0.11),
              "performance-model: 10.5 % mean with three constants"),
        _line("all", study, found, study.fitted, Goal("mean", 0.13, 0.15, 0.15)),
        *_by_class("class", study, found, {}),
        _line("every row", study, _three(study, "throughput", every=True), everything),
    ]  # fmt: skip
    return Table("perf_offline", "Throughput of queues that never empty, TensorRT-LLM", COLUMNS, tuple(rows))


def split_table(data: PublicData) -> Table:
    """Decode workers of split deployments, with the constants of aggregated ones."""
    known = [row for row in data.split if not row.left_out]
    sample = sample_of(known, data.shelf)
    served = decode_only(sample.deployment, data.online.constants, sample.load, sample.limit)
    error = np.log(served.tpot_s / sample.tpot_s)
    two_nodes = np.array([row.hardware == "h100-sxm" for row in known])
    everything = np.ones(len(known), dtype=np.bool_)
    lines = [("all with known worker counts", everything, 0.11), ("without H100", ~two_nodes, math.nan)]
    systems = sorted({(row.hardware, row.engine, row.precision) for row in known})
    for system in systems:
        mine = np.array([(row.hardware, row.engine, row.precision) == system for row in known])
        lines.append((" ".join(system), mine, math.nan))
    rows = []
    for what, mask, goal in lines:
        found = score(error, mask)
        bias = float(np.exp(np.median(error[mask])))
        verdict = "" if math.isnan(goal) else "met" if found.median <= goal else "missed"
        text = "" if math.isnan(goal) else f"median {100 * goal:.0f} %"
        rows.append((what, found.rows, found.mean, found.median, bias, text, verdict))
    columns = (
        Column("what", "what", keep=True), Column("rows", "rows"), Column("mean", "mean"),
        Column("median", "median", keep=True), Column("ratio", "predicted / measured, median"),
        Column("goal", "goal"), Column("verdict", "verdict", keep=True),
    )  # fmt: skip
    unknown = len(data.split) - len(known)
    title = (
        f"Time per token of split deployments, InferenceX; nothing fitted. {unknown} more rows do not say how many "
        f"workers. The {int(two_nodes.sum())} of H100 divide tensors over two nodes"
    )
    return Table("perf_disagg", title, columns, tuple(rows))


JUDGED = ("h100-sxm", "h200-sxm", "b200-sxm", "mi300x", "mi325x", "mi355x")
"""Named parts of one kind on their usual board; others are reported."""
WITHIN = 0.25
"""Goal of MLPerf's systems: predicted over measured throughput, distance from 1."""


def mlperf_table(data: PublicData) -> Table:
    """MLPerf Inference, offline: predicted over measured by system."""
    systems: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row, error in zip(data.mlperf, data.mlperf_errors.throughput, strict=True):
        # Throughput counts as time: positive means that the model is too slow.
        systems[_system(row, data)].append(float(np.exp(-error)))
    rows: list[tuple[Cell, ...]] = []
    for key, ratios in sorted(systems.items()):
        middle = float(np.median(ratios))
        near, note = abs(middle - 1.0) <= WITHIN, key[-1]
        verdict = ("met" if near else "missed") if not note else "within" if near else "beyond"
        rows.append((*key[:-1], len(ratios), middle, min(ratios), max(ratios), verdict, note))
    columns = (
        Column("round", "round"), Column("model", "model", keep=True), Column("hardware", "accelerator", keep=True),
        Column("precision", "precision"), Column("engine", "engine"), Column("rows", "rows"),
        Column("ratio", "predicted / measured, median", keep=True), Column("ratio_low", "lowest"),
        Column("ratio_high", "highest"), Column("verdict", "+-25 %", keep=True), Column("note", "why not judged"),
    )  # fmt: skip
    title = "MLPerf Inference offline by system; nothing fitted, lengths assumed"
    return Table("perf_mlperf", title, columns, tuple(rows))


def _system(row: Row, data: PublicData) -> tuple[str, ...]:
    """Round, model, accelerator, format, engine, and why the goal does not hold for them; empty where it does."""
    benchmark, nvidia = (
        row.group.removeprefix("MLPerf Inference "),
        data.shelf.accelerator(row.hardware).vendor == "NVIDIA",
    )
    note = row.left_out
    if "pruned" in row.model:
        note += "; read with default lengths, not those of its data"
    elif not note and row.hardware not in JUDGED:
        note = "another board or clock than the data sheet's"
    elif not note and benchmark == "v5.1" and nvidia:
        note = "the goal is for v4.1, and for AMD in v5.1"
    return (benchmark, row.model, row.hardware, row.precision, row.engine, note)


def energy_table(data: PublicData) -> Table:
    """J per output token, from measured rates and from first principles, and power at the wall."""
    study = data.release
    hardware = np.array([row.hardware for row in study.rows])
    chat = np.array([row.group in MODELLED_TASKS for row in study.rows])
    nothing = np.full(len(study.rows), np.nan)
    given = (nothing, data.power_models_out, nothing)
    first = (data.energy_in_sample, data.energy_models_out, data.energy_hardware_out)
    h100, b200 = hardware == "h100-sxm", hardware == "b200-sxm"
    rows = [
        _line("J/token at measured rate, H100, chat and GPQA", study, given, chat & h100, Goal(model_out=0.07)),
        _line("J/token at measured rate, B200, chat and GPQA", study, given, chat & b200, Goal(model_out=0.12)),
        _line("J/token at measured rate, H100, all tasks", study, given, h100),
        _line("J/token at measured rate, B200, all tasks", study, given, b200),
        _line("J/token from first principles", study, first, study.fitted, Goal("median", math.nan, 0.18, 0.20),
              PEERS_ENERGY),
        *_by_class("J/token from first principles", study, first, {}),
        _line("throughput behind it", study, _three(study, "throughput"), study.fitted),
    ]  # fmt: skip
    return Table(
        "perf_energy", "Energy per output token, ML.ENERGY v3; others' figures: all rows", COLUMNS, tuple(rows)
    )


WALL_SERVER = "dgx-b200"
WALL_WITHIN = 0.10


def wall_table(data: PublicData) -> Table:
    """Power at the wall of eight B200 at the measured rate: accelerators from `predict`, and the server's host."""
    table = read_csv(data.folder / MLPERF)
    names = find_columns(table.columns)
    lines = [cells for cells in table.rows if "power_result=" in cells.get("note", "")]
    rows = [place(cells_of(cells, names), data.shelf) for cells in lines]
    host_w = float(data.shelf.catalog.get("servers", WALL_SERVER).host_power_w.value)
    found = []
    for cells, row, power_w in zip(lines, rows, predict(rows, data.shelf).power_w, strict=True):
        text = re.search(r"power_result=([\d.]+)", cells["note"])
        wall_w = float(text[1]) if text else math.nan
        scenario = re.search(r"scenario=(\w+)", cells["note"])
        total_w = float(power_w) + host_w
        verdict = "met" if abs(total_w / wall_w - 1.0) <= WALL_WITHIN else "missed"
        found.append((cells["model"], scenario[1] if scenario else "", row.hardware, row.output_tok_s, float(power_w),
                      host_w, wall_w, total_w / wall_w, verdict))  # fmt: skip
    columns = (
        Column("model", "model", keep=True), Column("scenario", "scenario"), Column("hardware", "accelerator"),
        Column("output_tok_s", "measured rate", "tok/s"), Column("accelerators_w", "accelerators", "W"),
        Column("host_w", "host", "W"), Column("wall_w", "measured", "W"),
        Column("ratio", "predicted / measured", keep=True), Column("verdict", "+-10 %", keep=True),
    )  # fmt: skip
    title = (
        "Power at the wall of 8 x B200 at the measured rate, MLPerf Inference v5.1. The catalog took the host's share "
        "from this very wall power, so that only the accelerators' part is a test"
    )
    return Table("perf_wall", title, columns, tuple(found))
