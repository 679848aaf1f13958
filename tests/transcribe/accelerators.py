"""Transcribe ``hardware_catalog/accelerators.toml`` from the gathered tables.

Numbers come from ``hardware/hardware_catalog.csv``; release days and differences above 1 % come from
``hardware/epoch_ml_hardware.csv``; everything else is curated in
``accelerators_nvidia.py``, ``accelerators_others.py`` and ``accelerators_achieved.py``. Accelerators that those tables
lack stand in ``accelerators_historical.py``.

Run ``python -m tests.transcribe.accelerators [--data DIR]`` to rewrite the file.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

from tests.transcribe import accelerators_historical, accelerators_nvidia, accelerators_others
from tests.transcribe.accelerators_achieved import ACHIEVED, CLASHES
from tests.transcribe.accelerators_curated import EPOCH, NVLINK_BRIDGE, TCO_MODEL, Curated
from tests.transcribe.rewrite import rewrite
from tests.transcribe.toml_text import Num, entry

OUTPUT = "hardware_catalog/accelerators.toml"
DIFFERENCE = 0.01
CURATED: dict[str, Curated] = {**accelerators_nvidia.ROWS, **accelerators_others.ROWS}

SPEC_COLUMNS = {
    "bf16_dense_tflops": "bf16_tflops_dense",
    "fp8_dense_tflops": "fp8_tflops_dense",
    "fp4_dense_tflops": "fp4_tflops_dense",
    "hbm_gb": "hbm_gb",
    "hbm_tb_per_s": "hbm_tb_s",
    "scaleup_gb_per_s": "scaleup_gb_s_unidir",
    "scaleup_domain_count": "scaleup_domain",
    "tdp_w": "tdp_w",
}
MODEL_COLUMNS = {
    "provisioned_kw_per_gpu": "allin_kw_per_gpu",
    "hyperscaler_usd_per_h": "usd_per_gpu_hr_hyperscaler",
    "neocloud_usd_per_h": "usd_per_gpu_hr_neocloud",
    "rental_3y_usd_per_h": "usd_per_gpu_hr_rental3y",
}
# Epoch's columns in FLOP/s, byte, byte/s (two-way) and W; the divisor gives the catalog's unit.
EPOCH_COLUMNS = {
    "bf16_dense_tflops": ("Tensor-FP16/BF16 performance (FLOP/s)", 1e12),
    "fp8_dense_tflops": ("FP8 performance (FLOP/s)", 1e12),
    "fp4_dense_tflops": ("FP4 performance (FLOP/s)", 1e12),
    "hbm_gb": ("Memory size per board (Byte)", 1e9),
    "hbm_tb_per_s": ("Memory bandwidth (byte/s)", 1e12),
    "scaleup_gb_per_s": ("Intranode bandwidth (byte/s)", 2e9),
    "tdp_w": ("TDP (W)", 1.0),
    "price_usd": ("Release price (USD)", 1.0),
}

HEAD = """\
# Accelerators: one entry per GPU or chip.
#
# FLOP/s are dense (no sparsity). FP8 is 2 x BF16 and FP4 is 2 x FP8 within 3 %, or the entry says why not
# in `exceptions`. Bandwidth between GPUs is one way. Memory is in 10^9 bytes; some vendors print GiB, and
# what a driver reports differs again: see `conflicts`.
#
# provisioned_kw_per_gpu is the source's all-in figure (13.8 kW for a server of 8 H100 rated 10.2 kW). Whether
# PUE is inside is unverified: do not multiply it by PUE. Rents and all-in power come from a cost model, not
# from invoices. Epoch AI's table is read as a transcription of datasheets: evidence second-hand.
#
# What benchmarks reached (..._achieved_...) stands below the datasheet; protocols differ between sources. BF16
# is the best shape of a search, FP8 mostly a square product with random data after long warm-up, bandwidth
# the Triad of BabelStream. Blackwell holds its best shapes only in short bursts.
#
# P100 and V100 have FP16 and no BF16: their dense FP16 rate stands in bf16_dense_tflops. None of their figures was
# read in a datasheet.
#
# Written by tests/transcribe/accelerators.py; change the curation there, not this file.
"""


def read_rows(path: Path, key: str) -> dict[str, dict[str, str]]:
    """Rows of a CSV by the value of one column."""
    with path.open(newline="", encoding="utf-8") as handle:
        return {row[key]: row for row in csv.DictReader(handle)}


def released(row: dict[str, str], epoch_row: dict[str, str] | None) -> dt.date:
    """Release day: Epoch's where it falls in the CSV's month, else the first day of the period."""
    year, _, rest = row["release"].partition("-")
    if rest in ("H1", "H2"):
        return dt.date(int(year), 1 if rest == "H1" else 7, 1)
    if epoch_row and epoch_row["Release date"].startswith(row["release"]):
        return dt.date.fromisoformat(epoch_row["Release date"])
    return dt.date(int(year), int(rest), 1)


def figure(cell: str, mark: dict[str, Any] | None) -> Any:
    """A bare number, or an inline table when the figure differs from the entry in source or grade."""
    if mark is None:
        return Num(cell)
    return {"value": Num(cell), **mark}


def spec_fields(row: dict[str, str], curated: Curated) -> dict[str, Any]:
    """Datasheet fields of a row; empty cells are left out."""
    fields: dict[str, Any] = {}
    for name, column in SPEC_COLUMNS.items():
        if row[column]:
            fields[name] = figure(row[column], curated.marks.get(name))
        if name == "bf16_dense_tflops" and "int8_dense_tops" in curated.extra:
            fields["int8_dense_tops"] = curated.extra["int8_dense_tops"]
    return fields


def money_fields(row: dict[str, str], curated: Curated) -> dict[str, Any]:
    """All-in power, rents and price."""
    fields: dict[str, Any] = {}
    for name, column in MODEL_COLUMNS.items():
        if row[column]:
            year = {"currency_year": 2026} if name.endswith("_usd_per_h") else {}
            model = {"source": TCO_MODEL, "grade": "estimate"}
            if curated.evidence != "published":
                model["evidence"] = "published"
            fields[name] = figure(row[column], {**model, **year, **curated.marks.get(name, {})})
    if row["capex_usd_per_gpu"]:
        fields["price_usd"] = figure(row["capex_usd_per_gpu"], curated.marks["price_usd"])
    return fields


def achieved_fields(curated: Curated) -> dict[str, Any]:
    """Rates that benchmarks reached; an entry that was read itself need not repeat its evidence."""
    rates = ACHIEVED.get(curated.id, {})
    if curated.evidence != "published":
        return dict(rates)
    return {name: {key: value for key, value in mark.items() if key != "evidence"} for name, mark in rates.items()}


def plain(value: Any) -> float:
    """The number inside a bare or inline figure."""
    inner = value["value"] if isinstance(value, dict) else value
    return float(inner)


def epoch_conflicts(fields: dict[str, Any], epoch_row: dict[str, str], curated: Curated) -> list[dict[str, Any]]:
    """Figures of Epoch's table that differ by more than 1 % from the entry."""
    rows: list[dict[str, Any]] = []
    for name, (column, divisor) in EPOCH_COLUMNS.items():
        if name not in fields or not epoch_row[column]:
            continue
        other = float(epoch_row[column]) / divisor
        if abs(other / plain(fields[name]) - 1.0) <= DIFFERENCE:
            continue
        text = NVLINK_BRIDGE if name == "scaleup_gb_per_s" and "PCIe" in curated.name else curated.epoch_note
        row: dict[str, Any] = {"field": name, "value": round(other, 4), "source": EPOCH}
        if other.is_integer():
            row["value"] = int(other)
        rows.append({**row, "note": text} if text else row)
    return rows


def render_entry(row: dict[str, str], epoch_rows: dict[str, dict[str, str]]) -> str:
    """TOML text of one accelerator."""
    curated = CURATED[row["name"]]
    epoch_row = epoch_rows[curated.epoch] if curated.epoch else None
    specs, money = spec_fields(row, curated), money_fields(row, curated)
    achieved = achieved_fields(curated)
    extra = curated.extra
    money |= {name: value for name, value in extra.items() if name in ("price_usd", "embodied_kg")}
    conflicts = [*curated.conflicts, *CLASHES.get(curated.id, ())]
    if epoch_row:
        conflicts += epoch_conflicts({**specs, **money}, epoch_row, curated)
    head: dict[str, Any] = {
        "name": curated.name,
        "vendor": row["vendor"],
        "status": curated.status,
        "released": released(row, epoch_row),
        "aliases": list(curated.aliases),
        "source": curated.source,
        "grade": curated.grade,
    }
    if curated.evidence != "published":
        head["evidence"] = curated.evidence
    if curated.unverified_fields:
        head["unverified_fields"] = list(curated.unverified_fields)
    if curated.note:
        head["note"] = curated.note
    remarks: dict[str, Any] = {}
    if curated.exceptions:
        remarks["exceptions"] = [{"field": key, "reason": why} for key, why in curated.exceptions.items()]
    if conflicts:
        remarks["conflicts"] = conflicts
    tables = {"power_fraction": extra["power_fraction"]} if "power_fraction" in extra else {}
    return entry(curated.id, [group for group in (head, specs, achieved, money, remarks) if group], tables)


def render(shared_data: Path) -> dict[str, str]:
    """Text of the catalog file, by path relative to the repository root."""
    rows = read_rows(shared_data / "hardware" / "hardware_catalog.csv", "name")
    epoch_rows = read_rows(shared_data / "hardware" / "epoch_ml_hardware.csv", "Hardware name")
    blocks = [entry(entry_id, groups, {}) for entry_id, groups in accelerators_historical.ROWS.items()]
    blocks += [render_entry(row, epoch_rows) for row in rows.values()]
    return {OUTPUT: HEAD + "\n" + "\n\n".join(blocks)}


if __name__ == "__main__":
    rewrite(render, __doc__)
