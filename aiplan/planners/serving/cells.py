"""A row of a user's CSV as texts by quantity: columns under any of their names, cells that say something, numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from aiplan.errors import InputError, Problem
from aiplan.inputs.table import Rows

COLUMNS: dict[str, tuple[str, ...]] = {
    "model": ("model", "model_id", "model_name", "model_path"),
    "hardware": ("hardware", "gpu_model", "accelerator", "gpu", "system"),
    "n_gpus": ("n_gpus", "num_gpus", "accelerator_count"),
    "tp": ("tp", "tensor_parallel", "tp_size"),
    "pp": ("pp", "pipeline_parallel", "pp_size"),
    "dp": ("dp", "attention_dp", "data_parallel", "attention_dp_size"),
    "ep": ("ep", "expert_parallel", "moe_ep_size"),
    "precision": ("precision", "weight_precision"),
    "kv_precision": ("kv_precision", "kv_cache_dtype"),
    "framework": ("framework", "engine", "backend"),
    "isl": ("isl", "avg_input_len", "input_tokens"),
    "osl": ("osl", "avg_output_len", "output_tokens"),
    "concurrency": ("concurrency", "avg_batch_size", "batch_size", "batch", "max_num_seqs"),
    "output_tok_s": ("output_tok_s", "output_throughput_tokens_per_sec", "output_tokens_per_s"),
    "ttft_ms": ("ttft_ms",),
    "tpot_ms": ("tpot_ms",),
    "power_w": ("power_w", "avg_power_watts"),
    "cap_w": ("cap_w", "power_cap_w", "power_limit_w"),
    "task": ("task",),
}
"""Each quantity under the names it goes by in the wild; the first is ours."""

LIMITS = {
    "n_gpus": (1, 1e5), "tp": (1, 1e4), "pp": (1, 1e3), "dp": (1, 1e5), "ep": (1, 1e5),
    "isl": (0, 1e8), "osl": (1, 1e8), "concurrency": (1e-3, 1e7), "output_tok_s": (1e-6, 1e9),
    "ttft_ms": (1e-6, 1e9), "tpot_ms": (1e-6, 1e9), "power_w": (1e-3, 1e9),
    "cap_w": (1, 1e5),
}  # fmt: skip
"""What a deployment can have; outside, a cell is a slip."""
WHOLE = frozenset({"n_gpus", "tp", "pp", "dp", "ep"})
UNSAID = frozenset({"", "-", "n/a", "na", "none", "null", "auto", "nan", "unset"})


def find_columns(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Which columns of a file hold which quantity, best first; headers in any case."""
    by_lower = {column.lower(): column for column in columns}
    return {key: tuple(by_lower[name] for name in names if name in by_lower) for key, names in COLUMNS.items()}


def cells_of(row: Mapping[str, str], columns: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """A row's texts by quantity: the first of its columns that says something."""
    said = {
        key: next((row[name].strip() for name in names if row[name].strip().lower() not in UNSAID), "")
        for key, names in columns.items()
    }
    return {key: text for key, text in said.items() if text}


def number(cells: Mapping[str, str], key: str) -> float:
    """A number of a row, NaN where it states none; raises ValueError for what no deployment can have."""
    text = cells.get(key, "")
    if not text:
        return math.nan
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


def require_columns(table: Rows, required: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`find_columns` of a file that must have some of them.

    Raises InputError naming every required column that is missing.
    """
    columns = find_columns(table.columns)
    if len(table.columns) == 1 and ";" in table.columns[0]:
        hint = "save it with commas between the cells"
        raise InputError(Problem("E139", "has semicolons between its columns", "", table.name, 1, 1, hint=hint))
    hints = {key: f"name it one of {', '.join(COLUMNS[key])}" for key in required if not columns[key]}
    if hints:
        raise InputError(
            [Problem("E139", f"has no column '{key}'", "", table.name, 1, 1, hint=hint) for key, hint in hints.items()]
        )
    return columns
