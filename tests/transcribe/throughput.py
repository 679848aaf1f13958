"""Transcribe ``hardware_catalog/throughput/*.toml`` from NVIDIA's and the paper's tables.

Series of TensorRT-LLM 0.6.1, 0.17 and 1.0 come from ``throughput/trtllm.csv``; names, notes and the tables
that the CSV does not hold are curated in ``throughput_curated.py``.

Run ``python -m tests.transcribe.throughput [--data DIR]`` to rewrite the files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiplan.planners.energy.profiles import fit_law
from aiplan.planners.serving.throughput import PhysicalLaw
from tests.transcribe.rewrite import rewrite
from tests.transcribe.throughput_curated import (
    ACCELERATORS,
    GUIDE,
    LATER,
    LATER_LENGTHS,
    MIXTURES,
    MODELS,
    NOTE_LATER_OSS,
    NOTE_MISTRAL,
    NOTE_MIXTURE,
    NOTE_STATIC_7B,
    NOTE_STATIC_70B,
    NOTE_STATIC_A100,
    OVERVIEW_1X,
    PAPER,
    RELEASES,
    Later,
    Series,
)
from tests.transcribe.toml_text import header, scalar

FOLDER = "hardware_catalog/throughput"
HEAD = """\
# {title}
#
# points: input tokens, output tokens, output tokens per second of the whole group of accelerators.
{remark}
# Written by tests/transcribe/throughput.py; change the curation there, not this file.
"""
OFFLINE = "# Offline maximum, requests queued without limit, no latency target: not production throughput.\n#"
STATIC = "# Static batch of the size stated, no in-flight batching: for comparison, not for fitting a law.\n#"
NO_DATE = "# The page states neither version nor day: after 1.0, before or with 1.2. Its rates are per GPU.\n"

FAMILIES = {
    "hopper": ("H100 and H200", ("H100", "H200")),
    "blackwell": ("B200 and GB200", ("B200", "GB200")),
    "rtx-pro-6000": ("RTX PRO 6000 Blackwell Server Edition", ("RTX6000",)),
}
"""File -> title and names in the CSV."""

Row = Mapping[str, str]


def number(text: str) -> str:
    """TOML text of a length or rate: whole numbers without a decimal point.

    >>> number("14156.0"), number("29526.04"), number("128")
    ('14156', '29526.04', '128')
    """
    value = float(text)
    return str(int(value)) if value.is_integer() else repr(value)


def render_series(entry_id: str, head: Mapping[str, Any], points: Sequence[Sequence[Any]]) -> str:
    """TOML text of one series, one point per line."""
    lines = [header(entry_id), *(f"{key} = {scalar(value)}" for key, value in head.items()), "points = ["]
    lines += ["  [" + ", ".join(number(str(cell)) for cell in point) + "]," for point in points]
    closing = [fit_line(points)] if head["regime"] == "offline_max" else []
    return "\n".join([*lines, "]", *closing]) + "\n"


def fit_line(points: Sequence[Sequence[Any]]) -> str:
    """The law fitted to the points, so that a run need not; eight digits, as many as survive another LAPACK."""
    law, loo_error = fit_law([[float(cell) for cell in point] for point in points], "physical")
    assert isinstance(law, PhysicalLaw)
    values = {name: getattr(law, name) for name in ("a", "b", "d", "e", "f")}
    if loo_error is not None:
        values["loo_error"] = loo_error
    return "fit = { " + ", ".join(f"{name} = {_eight_digits(value)}" for name, value in values.items()) + " }"


def _eight_digits(value: float) -> str:
    text = repr(float(f"{value:.8g}"))
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def pipeline_stages(row: Row) -> int:
    """Pipeline parallelism of a row; the CSV has it in the note only."""
    found = re.match(r"PP(\d+);", row["note"])
    return int(found[1]) if found else 1


def series_key(row: Row) -> tuple[str, ...]:
    """What makes rows one series."""
    static = row["concurrency"] if RELEASES[row["framework"]].regime == "static_batch" else ""
    columns = ("framework", "model", "hardware", "n_gpus", "tp", "precision")
    return (*(row[column] for column in columns), str(pipeline_stages(row)), static)


def notes(row: Row, model: str) -> str:
    """What a reader of the series must know."""
    texts: list[str] = []
    if row["framework"].endswith("v1.0") and model in MIXTURES and int(row["n_gpus"]) > 1:
        texts.append(NOTE_MIXTURE)
    if model == "mistral-7b":
        texts.append(NOTE_MISTRAL)
    if row["model"] == "LLaMA 7B":
        texts.append(NOTE_STATIC_7B)
    if row["model"] == "LLaMA 70B":
        texts.append(NOTE_STATIC_70B)
    if row["framework"].startswith("TensorRT-LLM 0.6.1") and row["hardware"] == "A100-80G" and row["tp"] != "1":
        texts.append(NOTE_STATIC_A100)
    return " ".join(texts)


def measured_entry(rows: Sequence[Row]) -> tuple[str, str]:
    """Accelerator name and TOML text of one series of the CSV."""
    row = rows[0]
    release = RELEASES[row["framework"]]
    model, model_name = MODELS[row["model"]]
    accelerator, accelerator_name = ACCELERATORS[row["hardware"]]
    stages, precision = pipeline_stages(row), row["precision"].lower()
    static = release.regime == "static_batch"
    layout = f"tp{row['tp']}" + (f"-pp{stages}" if stages > 1 else "")
    entry_id = ".".join([release.prefix, model, accelerator, layout, precision])
    title = f"{model_name} on {row['n_gpus']} x {accelerator_name}, {layout.upper()}, {precision.upper()}"
    head: dict[str, Any] = {
        "name": f"{title}, TensorRT-LLM {release.version}" + (f", batch {row['concurrency']}" if static else ""),
        "model": model,
        "accelerator": accelerator,
        "accelerator_count": int(row["n_gpus"]),
        "tensor_parallel": int(row["tp"]),
        "pipeline_parallel": stages,
        "precision": precision,
    }
    if release.version == "0.17":
        head["kv_precision"] = precision
    head |= {
        "engine": "TensorRT-LLM",
        "engine_version": release.version,
        "measured_on": release.measured_on,
        "unverified_fields": ["measured_on"],
        "regime": release.regime,
    }
    if static:
        entry_id += f".b{row['concurrency']}"
        head["batch"] = int(row["concurrency"])
    head |= {"source": release.source, "grade": "vendor_claim"}
    if note := notes(row, model):
        head["note"] = note
    points = [(cell["isl"], cell["osl"], cell["output_tok_s"]) for cell in rows]
    return row["hardware"], render_series(entry_id, head, points)


def measured_series(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Series of the CSV by ``framework``: accelerator name and TOML text, in the order of the CSV."""
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["framework"] in RELEASES]
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(series_key(row), []).append(row)
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in RELEASES}
    for key, members in groups.items():
        found[key[0]].append(measured_entry(members))
    return found


def layout_fields(layout: str) -> dict[str, int]:
    """GPU count and parallelism of a layout such as ``dep4``, ``tp1-pp2``.

    >>> layout_fields("dep2-pp2")
    {'accelerator_count': 4, 'pipeline_parallel': 2, 'expert_parallel': 2}
    """
    first, _, second = layout.partition("-pp")
    stages = int(second or 1)
    width = int(first.removeprefix("dep").removeprefix("tp"))
    kind = "expert_parallel" if first.startswith("dep") else "tensor_parallel"
    fields = {"accelerator_count": width * stages, kind: width, "pipeline_parallel": stages}
    order = ("accelerator_count", "tensor_parallel", "pipeline_parallel", "expert_parallel")
    return {name: fields[name] for name in order if name in fields}


def later_entry(column: Later) -> str:
    """TOML text of a series published after 1.0; the page's per-GPU rates times the GPUs."""
    fields = layout_fields(column.layout)
    count = fields["accelerator_count"]
    title = f"{column.name} on {count} x {column.accelerator_name}, {column.layout.upper()}"
    head: dict[str, Any] = {
        "name": f"{title}, {column.precision.upper()}, TensorRT-LLM after 1.0",
        "model": column.model,
        "accelerator": column.accelerator,
        **fields,
        "precision": column.precision,
        "engine": "TensorRT-LLM",
        "engine_version": "1.x",
        "regime": "offline_max",
        "source": OVERVIEW_1X,
        "grade": "vendor_claim",
    }
    texts = [NOTE_LATER_OSS] if column.model.startswith("gpt-oss") else []
    if column.layout.startswith("dep"):
        texts.append("Attention data parallel, experts parallel.")
    if texts:
        head["note"] = " ".join(texts)
    cells = zip(LATER_LENGTHS, column.per_gpu, strict=True)
    points = [(*lengths, rate * count) for lengths, rate in cells if rate]
    entry_id = f"trtllm-1.x.{column.model}.{column.accelerator}.{column.layout}.{column.precision}"
    return render_series(entry_id, head, points)


def file_text(title: str, remark: str, blocks: Sequence[str]) -> str:
    """A catalog file: head and entries."""
    return HEAD.format(title=title, remark=remark) + "\n" + "\n".join(blocks)


def render(shared_data: Path) -> dict[str, str]:
    """Text of the catalog files, by path relative to the repository root."""
    series = measured_series(shared_data / "throughput" / "trtllm.csv")
    old, new, static = (series[name] for name in RELEASES)
    files: dict[str, str] = {}

    def put(name: str, title: str, remark: str, blocks: Sequence[str]) -> None:
        files[f"{FOLDER}/{name}.toml"] = file_text(title, remark, blocks)

    for hardware in ("A100-80G", "L40S", "H100", "H200", "GH200"):
        accelerator, name = ACCELERATORS[hardware]
        blocks = [text for found, text in old if found == hardware]
        put(f"trtllm-0.17-{accelerator}", f"TensorRT-LLM 0.17 on {name}.", OFFLINE, blocks)
    for hardware in ("A100-80G", "L40S", "H100"):
        accelerator, name = ACCELERATORS[hardware]
        blocks = [text for found, text in static if found == hardware]
        put(f"trtllm-0.6.1-{accelerator}", f"TensorRT-LLM 0.6.1 on {name}, static batching.", STATIC, blocks)
    for family, (title, members) in FAMILIES.items():
        ids = [ACCELERATORS[name][0] for name in members]
        blocks = [text for found, text in new if found in members]
        put(f"trtllm-1.0-{family}", f"TensorRT-LLM 1.0 on {title}.", OFFLINE, blocks)
        blocks = [later_entry(column) for column in LATER if column.accelerator in ids]
        put(f"trtllm-1.x-{family}", f"TensorRT-LLM after 1.0 on {title}.", NO_DATE + OFFLINE, blocks)
    curated: dict[str, tuple[str, tuple[Series, ...]]] = {
        "nvidia-r1-guide": ("NVIDIA's guide to DeepSeek-R1 in TensorRT-LLM, maximum throughput.", GUIDE),
        "oviedo-2026": ("Points behind Oviedo et al. (Joule 2026), as in the authors' table.", PAPER),
    }
    for name, (title, entries) in curated.items():
        put(name, title, OFFLINE, [render_series(one.id, one.head, one.points) for one in entries])
    return files


if __name__ == "__main__":
    rewrite(render, __doc__)
