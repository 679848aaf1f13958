"""`aiplan energy measured`: watts and J per token of rows whose throughput somebody measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiplan.catalog.names import canonical_precision, precision_hint
from aiplan.errors import InputError, Problem
from aiplan.inputs.table import Rows, read_csv
from aiplan.planners.serving.load import EXPERT_BYTES, decode_fields, peak_tflops
from aiplan.planners.serving.power import (
    DecodeLoad,
    Device,
    accelerator_power_w,
    activity,
    energy_j_per_output_token,
    power_interval_w,
)
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.report.model import Column, Line, Origin, Report, Table, Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

# Each quantity under the names it goes by in the wild; the first is ours.
COLUMNS: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_id", "model_name"),
    "hardware": ("hardware", "gpu_model", "accelerator", "gpu"),
    "n_gpus": ("n_gpus", "num_gpus", "accelerator_count"),
    "precision": ("precision", "weight_precision"),
    "output_tok_s": ("output_tok_s", "output_throughput_tokens_per_sec", "output_tokens_per_s"),
    "concurrency": ("concurrency", "avg_batch_size", "batch", "batch_size", "max_num_seqs"),
    "isl": ("isl", "avg_input_len", "input_tokens"),
    "osl": ("osl", "avg_output_len", "output_tokens"),
    "dp": ("dp", "data_parallel"),
    "task": ("task",),
}
REQUIRED = ("model", "hardware", "output_tok_s")

# Prompt lengths by task where a row states none: what the constants of the power law were fitted with.
PROMPT_BY_TASK = {
    "lm-arena-chat": 250.0,
    "gpqa": 250.0,
    "image-chat": 1000.0,
    "video-chat": 1000.0,
    "sourcegraph-fim": 6000.0,
}
DEFAULT_PROMPT = 250.0
DEFAULT_OUTPUT = 500.0

# What a deployment can have; outside, a cell is a slip.
LIMITS = {
    "n_gpus": (1, 1e5),
    "dp": (1, 1e5),
    "concurrency": (1e-3, 1e7),
    "isl": (0, 1e8),
    "osl": (1, 1e8),
    "output_tok_s": (1e-6, 1e9),
}
WHOLE = frozenset({"n_gpus", "dp"})
UNSAID = frozenset({"", "-", "n/a", "na", "none", "null", "auto", "nan"})

_OUT = (
    "power_w",
    "energy_j_per_token",
    "energy_j_per_token_low",
    "energy_j_per_token_high",
    "method",
    "warning",
)


@dataclass(slots=True)
class Placed:
    """A row with everything found, ready for the power law."""

    number: int
    fields: dict[str, float]
    device: tuple[float, float, float]
    group: str
    notes: list[str]


def measured_report(path: Path, catalog: Catalog) -> tuple[Report, int]:
    """Rows of a file with power and energy beside them, and how many could not be placed.

    Parameters
    ----------
    path : CSV of measured throughput
    catalog : where models and accelerators are looked up

    Raises
    ------
    InputError for a file that cannot be read or lacks a required column.
    """
    rows = read_csv(path)
    names = find_columns(rows)
    out: list[dict[str, Any]] = [dict.fromkeys(_OUT) for _ in rows.rows]
    placed: list[Placed] = []
    for number, row in enumerate(rows.rows):
        try:
            placed.append(place(number, cells_of(row, names), catalog))
        except (InputError, ValueError) as error:
            hint = getattr(error, "hint", "")
            out[number]["warning"] = f"{error}; {hint}" if hint else str(error)
    for group in sorted({item.group for item in placed}):
        _predict([item for item in placed if item.group == group], group, out)
    unknown = sum(1 for row in out if row["power_w"] is None)
    names_out = (*rows.columns, *(name for name in _OUT if name not in rows.columns))
    columns = tuple(Column(name, keep=name in _OUT[:2]) for name in names_out)
    cells = tuple(
        tuple(out[number].get(column.id, row.get(column.id)) for column in columns)
        for number, row in enumerate(rows.rows)
    )
    done = len(cells) - unknown
    return (
        Report(
            planner="energy-measured",
            title="Power and energy of measured throughput",
            headline=f"{done} of {len(cells)} rows placed; accelerators only, no host, idle or PUE.",
            scenario=Origin(rows.name, ""),
            catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
            seed=0,
            samples=0,
            lines=(
                Line("rows_placed", "Rows with a prediction", done, None, grade="measured"),
                Line("rows_unknown", "Rows without", unknown, None, grade="measured"),
            ),
            tables=(Table("rows", "Rows", columns, cells),),
            warnings=(Warn("W-ENERGY-ROWS", f"rows that could not be placed: {unknown}; see their 'warning'"),)
            if unknown
            else (),
            not_modelled=("host, network, idle time and PUE",),
            boundary="accelerator",
        ),
        unknown,
    )


def find_columns(rows: Rows) -> dict[str, tuple[str, ...]]:
    """Which columns of the file hold which quantity, best first; headers in any case.

    Raises
    ------
    InputError naming every required column that is missing.
    """
    by_lower = {column.lower(): column for column in rows.columns}
    found = {key: tuple(by_lower[name] for name in names if name in by_lower) for key, names in COLUMNS.items()}
    if len(rows.columns) == 1 and ";" in rows.columns[0]:
        hint = "save it with commas between the cells"
        raise InputError(Problem("E139", "has semicolons between its columns", "", rows.name, 1, 1, hint=hint))
    problems = [
        Problem("E139", f"has no column '{key}'", "", rows.name, 1, 1, hint=f"name it one of {', '.join(COLUMNS[key])}")
        for key in REQUIRED
        if not found[key]
    ]
    if problems:
        raise InputError(problems)
    return found


def cells_of(row: dict[str, str], columns: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """A row's texts by quantity: the first of its columns that says something."""
    said = {
        key: next((row[name] for name in names if row[name].strip().lower() not in UNSAID), "")
        for key, names in columns.items()
    }
    return {key: text for key, text in said.items() if text}


def _number(row: dict[str, str], key: str, default: float) -> float:
    """A number of a row; raises ValueError for what no deployment can have."""
    text = row.get(key, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{key} is no number: '{text[:40]}'") from None
    low, high = LIMITS[key]
    if not low <= value <= high:
        raise ValueError(f"{key} must lie between {low:g} and {high:g}, got {text[:40]}")
    if key in WHOLE and value != int(value):
        raise ValueError(f"{key} must be a whole number, got {text[:40]}")
    return value


def place(number: int, row: dict[str, str], catalog: Catalog) -> Placed:
    """Look a row's names up and turn its texts into numbers.

    Raises
    ------
    InputError or ValueError saying why it cannot be placed.
    """
    notes: list[str] = []
    missing = [key for key in REQUIRED if key not in row]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing")
    model = catalog.get("models", row["model"])
    accelerator_id = catalog.resolve("accelerators", row["hardware"])
    accelerator = catalog.get("accelerators", accelerator_id)
    given = row.get("precision", "")
    precision = canonical_precision(given) if given else precision_hint(row["model"]) or model.native_precision
    if precision not in EXPERT_BYTES:
        raise ValueError(f"precision '{given[:40]}' is not known; one of {', '.join(EXPERT_BYTES)}")
    rate = _number(row, "output_tok_s", 0.0)
    prompt = _number(row, "isl", math.nan)
    if math.isnan(prompt):
        prompt = PROMPT_BY_TASK.get(row.get("task", ""), DEFAULT_PROMPT)
        notes.append(f"prompt length assumed {prompt:g}")
    output = _number(row, "osl", math.nan)
    if math.isnan(output):
        output = DEFAULT_OUTPUT
        notes.append(f"answer length assumed {output:g}")
    fields = decode_fields(
        model,
        accelerators=_number(row, "n_gpus", 1.0),
        tokens_per_s=rate,
        batch=_number(row, "concurrency", math.nan),
        precision=precision,
        replicas=_number(row, "dp", 1.0),
        prompt_tokens=prompt,
        output_tokens=output,
    )
    if accelerator.tdp_w is None or accelerator.hbm_tb_per_s is None:
        raise ValueError(f"the catalog has no TDP or bandwidth of {accelerator_id}")
    device = (accelerator.tdp_w.value, accelerator.hbm_tb_per_s.value, peak_tflops(accelerator, precision))
    return Placed(number, fields, device, _class_of(accelerator_id), notes)


def _class_of(accelerator_id: str) -> str:
    """Which measured constants an accelerator takes."""
    return {"h100-sxm": "h100", "b200-sxm": "b200"}.get(accelerator_id, "other")


def _predict(items: list[Placed], group: str, out: list[dict[str, Any]]) -> None:
    """Power, energy and band of all rows of one class of accelerator."""
    constants = POWER_CONSTANTS[group]
    load = DecodeLoad(**{name: np.array([item.fields[name] for item in items]) for name in items[0].fields})
    device = Device(*np.array([item.device for item in items]).T)
    busy = activity(load, device)
    inferred = busy.batch_inferred
    beyond = (busy.mbu > 1) | (busy.compute > 1)
    power = accelerator_power_w(load, device, constants)
    low, high = power_interval_w(power, constants, inferred)
    rate = np.array([item.fields["tokens_per_s"] for item in items])
    energy = [energy_j_per_output_token(watts, rate) for watts in (power, low, high)]
    for index, item in enumerate(items):
        notes = [*item.notes, *(["batch inferred"] if inferred[index] else [])]
        if beyond[index]:
            notes.append("the throughput is beyond the accelerators' peak: check the row")
        if group == "other":
            notes.append("accelerator not measured: constants of H100 and B200 pooled")
        values = [float(power[index]), *(float(part[index]) for part in energy)]
        row = [*values, f"power law {group}, data of {constants.data_date}", "; ".join(notes) or None]
        out[item.number].update(zip(_OUT, row, strict=True))
