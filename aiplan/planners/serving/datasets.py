"""Public benchmark tables as rows: which file is which, and what is wrong with each.

The files are read where the user has them, never shipped. Every rule here mends or sets aside rows for a reason
found in the data; a row set aside keeps the reason and is scored, not fitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aiplan.errors import InputError
from aiplan.inputs.table import Rows, read_csv
from aiplan.planners.serving.cells import cells_of, find_columns, number
from aiplan.planners.serving.precision import EXPERT_BYTES
from aiplan.planners.serving.rows import Row, Shelf, place

if TYPE_CHECKING:
    from collections.abc import Callable

HARNESS_SHARE = 0.9
"""Mean length over nominal of InferenceX's harness, which draws uniformly from 0.8 to 1.0 of it [1]."""
SAME = 2e-4
"""Relative difference below which two measurements of one configuration are copies [1]."""
TENSORRT_RUNS = {
    (128, 128): 30_000, (128, 2048): 3_000, (2048, 128): 3_000, (1000, 1000): 3_000, (500, 2000): 3_000,
    (128, 4096): 1_500, (1000, 2000): 1_500, (2048, 2048): 1_500, (5000, 500): 1_500, (20000, 2000): 1_000,
}  # fmt: skip
"""Requests of TensorRT-LLM's published offline runs by prompt and answer (perf-overview.md@00f37686) [1]."""
MLPERF_REQUESTS = 24_576.0
"""Requests of MLPerf's offline scenario for Llama 2 70B, and about those of the others; assumed [1]."""


def read_rows(path: Path, shelf: Shelf, most_copies: bool = False, refused: list[str] | None = None) -> list[Row]:
    """Rows of a known layout, or of a user's own, in the file's order; copies left out unless ``most_copies``.

    Raises InputError for a file that cannot be read. Rows whose names are unknown are left out; ``refused`` collects
    why, one text each.
    """
    table = read_csv(path)
    columns = set(table.columns)
    reader: Callable[[Rows, Shelf, list[str]], Iterable[Row]] = _own
    if {"silicon_tpot_ms", "silicon_ttft_ms"} <= columns:
        reader = _inferencex
    elif {"activated_params_billions", "avg_batch_size"} <= columns:
        reader = _mlenergy
    rows = list(reader(table, shelf, [] if refused is None else refused))
    return rows if most_copies else without_copies(rows)


def _own(table: Rows, shelf: Shelf, refused: list[str]) -> Iterable[Row]:
    """Rows in our own columns; tables of TensorRT-LLM and MLPerf, which share them, by their ``source``."""
    columns = find_columns(table.columns)
    for cells_in in table.rows:
        cells = cells_of(cells_in, columns)
        note, source = cells_in.get("note", ""), cells_in.get("source", "")
        if stages := re.match(r"PP(\d+)", note):
            cells["pp"] = stages[1]
        if source.startswith("MLPerf") and not _mlperf_cells(cells, note):
            continue
        try:
            row = place(cells, shelf)
        except (InputError, ValueError) as error:
            refused.append(str(error))
            continue
        row.group = source
        if source.startswith("TRT-LLM"):
            row.requests = float(TENSORRT_RUNS.get((int(row.isl), int(row.osl)), 3_000))
        if row.static:
            row.requests = row.concurrency
        if source.startswith("MLPerf"):
            row.requests = MLPERF_REQUESTS / row.replicas
            changed = re.search(r"sys=\S*(Pruned|Sparse)", note) or "pruned" in row.model
            row.left_out = "open division: the model was pruned or made sparse" if changed else ""
        if not math.isnan(row.ttft_ms) and math.isnan(row.output_tok_s) and "first-token" in note:
            row.left_out = "first-token latency of one request"
        yield row


def _mlperf_cells(cells: dict[str, str], note: str) -> bool:
    """Fill in what an MLPerf log says elsewhere; False for rows that are no offline run of one kind of accelerator."""
    if "scenario=Offline" not in note or "output_tok_s" not in cells or cells.get("n_gpus", "0") in ("", "0"):
        return False
    if (power := re.search(r"power_result=([\d.]+)", note)) is not None:
        cells["power_w"] = power[1]
    return "(x" not in cells.get("hardware", "")


def _mlenergy(table: Rows, shelf: Shelf, refused: list[str]) -> Iterable[Row]:
    """ML.ENERGY's leaderboard: vLLM, steady state, no prompt lengths; expert parallelism shares attention ranks."""
    columns = find_columns(table.columns)
    for cells_in in table.rows:
        cells = {**cells_of(cells_in, columns), "framework": "vllm 0.11"}
        # Its data_parallel counts copies of attention only sometimes; GPUs over TP does always.
        cells.pop("dp", None)
        try:
            row = place(cells, shelf)
        except (InputError, ValueError) as error:
            refused.append(str(error))
            continue
        row.group = cells_in["task"]
        yield row


def _inferencex(table: Rows, shelf: Shelf, refused: list[str]) -> Iterable[Row]:
    """InferenceX runs as redistributed by aiconfigurator: GPU counts mended, odd rows set aside."""
    for cells in table.rows:
        concurrency = re.search(r"silicon_concurrency=([\d.]+)", cells["silicon_data_source"])
        if concurrency is None:
            continue
        try:
            split = cells["mode"] == "disagg"
            row = _inferencex_row(cells, shelf, "decode_" if split else "", float(concurrency[1]))
        except (InputError, ValueError) as error:
            refused.append(str(error))
            continue
        yield row


def _inferencex_row(cells: Mapping[str, str], shelf: Shelf, side: str, concurrency: float) -> Row:
    """One run; for a split deployment, its decode workers."""
    degrees = {key: _degree(cells.get(f"{side}{name}", "")) for key, name in _DEGREES.items()}
    tp, dp, ep, note = _gpus(cells, shelf, side, degrees)
    workers = _degree(cells.get("decode_num_workers", "")) if side else 1.0
    texts = {
        "model": cells["model_path"],
        "hardware": cells["system"],
        "precision": cells["precision"] or "bf16",
        "framework": f"{cells['backend']} {cells['backend_version']}",
        "n_gpus": f"{tp * dp:g}",
        "tp": f"{tp:g}",
        "dp": f"{dp:g}",
        "ep": f"{ep:g}",
        "isl": f"{HARNESS_SHARE * float(cells['isl']):g}",
        "osl": f"{HARNESS_SHARE * float(cells['osl']):g}",
        "concurrency": f"{concurrency / workers:g}",
        "ttft_ms": cells["silicon_ttft_ms"],
        "tpot_ms": cells["silicon_tpot_ms"],
    }
    row = place(texts, shelf)
    row.notes = [note] if note else []
    row.group = cells["id"]
    if side and (not cells.get("decode_num_workers") or not cells.get("prefill_num_workers")):
        row.left_out = "number of workers unknown"
    _set_aside(row, cells)
    return row


_DEGREES = {"tp": "tp_size", "dp": "attention_dp_size", "moe_tp": "moe_tp_size", "ep": "moe_ep_size"}


def _degree(text: str) -> float:
    value = number({"tp": text}, "tp")
    return 1.0 if math.isnan(value) else value


def _gpus(
    cells: Mapping[str, str], shelf: Shelf, side: str, degrees: Mapping[str, float]
) -> tuple[float, float, float, str]:
    """Tensor, data and expert parallelism after mending counts that cannot be.

    Where both expert degrees are x > 1 and TP x DP is x^2, one factor was filled with the product of both. Where the
    weights do not fit the GPUs stated but the expert degrees name more, those count.
    """
    tp, dp, ways, ep = degrees["tp"], degrees["dp"], degrees["moe_tp"], degrees["ep"]
    said = re.findall(r"tp(\d+)", cells["id"])
    agrees = bool(side) or ("epnone" not in cells["id"] and all(int(one) == int(ways) for one in said))
    if ways == ep and ways > 1 and tp * dp == ways * ways and agrees:
        if dp == 1:
            return ways, 1.0, ep, "GPU count mended: TP was counted twice"
        return (1.0 if side else tp), ways, ep, "GPU count mended: attention DP was counted twice"
    if not side and tp * dp < ways * ep:
        model = shelf.model(shelf.resolve("models", cells["model_path"]))
        per_weight = EXPERT_BYTES[{"fp4": "nvfp4", "": "bf16"}.get(cells["precision"], cells["precision"])]
        memory = shelf.chip(shelf.resolve("accelerators", cells["system"])).memory_bytes
        if model.total_params * per_weight > tp * dp * memory:
            return ways * ep, dp, ep, "GPU count mended: the weights do not fit fewer"
    return tp, dp, ep, ""


def _set_aside(row: Row, cells: Mapping[str, str]) -> None:
    """Mark speculative runs, and rows that measure something else than they say."""
    day = re.search(r"measured=(\d{4}-\d\d-\d\d)", cells["silicon_data_source"])
    deepseek = "deepseek" in row.model
    version = cells["backend_version"]
    if row.engine == "tensorrt-llm" and deepseek:
        row.speculative = version == "1.2.0rc6.post3" or (day is not None and day[1] == "2026-01-14")
    if row.model == "gpt-oss-120b" and row.hardware == "h100-sxm" and row.engine == "vllm" and row.concurrency == 512:
        row.left_out = "the server ran fewer sequences than were sent"
    if cells["model_path"] == "nvidia/Llama-3.1-8B-Instruct-FP8":
        row.left_out = "faster than arithmetic allows: a prefix cache"
    limited = version in ("1.3.0rc1", "1.3.0rc5") and row.precision == "nvfp4" and cells["isl"] == "4000"
    if deepseek and limited and 80.0 < row.tpot_ms < 95.0:
        row.left_out = "time per token the same at every load: a rate limit"
    if row.engine == "sglang" and row.precision == "nvfp4" and deepseek and day is not None and day[1] == "2025-11-10":
        row.ttft_left_out = "seconds of start-up in the timed window"


def without_copies(rows: Iterable[Row]) -> list[Row]:
    """Rows without those that repeat another's configuration and both of its latencies to `SAME`."""
    kept: list[Row] = []
    seen: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if math.isnan(row.ttft_ms) or math.isnan(row.tpot_ms):
            kept.append(row)
            continue
        family = "deepseek" if row.model.startswith("deepseek") else row.model
        key = (family, row.hardware, row.engine, row.precision, row.isl, row.osl, row.concurrency)
        same = seen.setdefault(key, [])
        if not any(_close(row.ttft_ms, one.ttft_ms) and _close(row.tpot_ms, one.tpot_ms) for one in same):
            same.append(row)
            kept.append(row)
    return kept


def _close(one: float, other: float) -> bool:
    return abs(math.log(one / other)) < SAME
