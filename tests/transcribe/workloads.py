"""Compute ``hardware_catalog/workloads.toml`` from the Azure LLM inference traces: statistics, never the rows.

Nothing of aiplan takes part, so that the entries check its reader and its statistics. Quantiles interpolate linearly,
standard deviations divide by n - 1, seconds count from the first request.

Run ``python -m tests.transcribe.workloads [--data DIR]`` to rewrite the file.
"""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tests.transcribe.rewrite import rewrite
from tests.transcribe.toml_text import entry

FILE = "hardware_catalog/workloads.toml"
HEAD = """\
# Workloads: how long the requests of services are and how they arrive.
#
# *_quantile_tokens  rows of probability and tokens; 0 is the shortest, 1 the longest. Linear between order statistics.
# arrival_cv2_ratio  squared coefficient of variation of the gaps between requests; 1 is Poisson.
# dispersion_ratio   variance over mean of the requests in one second; 1 is Poisson.
#
# Written by tests/transcribe/workloads.py; change it there, not here.

"""
PROBABILITIES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
TRACES = {
    "azure-2023-conversation": (
        "azure_llm_2023_conv.csv",
        "Azure LLM inference, conversation, one hour of 2023",
        "Stamped 16 November 2023, which the page of the data gives as 11 November. Prompts and answers are nearly "
        "independent: correlation -0.11 (Pearson), +0.07 (Spearman). Arrivals are close to Poisson, with a rate that "
        "moves between 3.2 and 8.5 requests per second from minute to minute.",
    ),
    "azure-2023-code": (
        "azure_llm_2023_code.csv",
        "Azure LLM inference, code completion, one hour of 2023",
        "Stamped 16 November 2023, which the page of the data gives as 11 November. Prompts and answers are "
        "independent: correlation 0.00 (Pearson), -0.02 (Spearman). Arrivals come in bursts with pauses of minutes: 46 "
        "of 58 minutes have requests, at 0.25 to 10.5 per second, so that a Poisson process of the mean rate "
        "underestimates waits.",
    ),
}


def render(shared_data: Path) -> dict[str, str]:
    """Text of the catalog file, by path relative to the repository root."""
    blocks = [workload(entry_id, shared_data / "traces" / file, name, note)
              for entry_id, (file, name, note) in TRACES.items()]  # fmt: skip
    return {FILE: HEAD + "\n".join(blocks)}


def workload(entry_id: str, path: Path, name: str, note: str) -> str:
    """One entry."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stamps = np.array([row["TIMESTAMP"] for row in rows], dtype="datetime64[ns]")
    ticks = (stamps - stamps[0]).astype(np.int64)
    gaps = np.diff(ticks / 1e9)
    span = float(ticks[-1] / 1e9)
    seconds = int(span)
    whole = ticks // 1_000_000_000
    counts = np.bincount(whole[whole < seconds], minlength=seconds)
    head: dict[str, Any] = {
        "name": name,
        "source": "azure-llm-2023",
        "grade": "measured",
        "evidence": "derived",
        "note": note,
        "measured_on": day(rows[0]["TIMESTAMP"]),
    }
    arrivals = {
        "requests_count": len(rows),
        "span_s": round(span, 3),
        "requests_per_s": round(float(1 / gaps.mean()), 4),
        "arrival_cv2_ratio": round(float(gaps.var(ddof=1) / gaps.mean() ** 2), 3),
        "dispersion_ratio": round(float(counts.var(ddof=1) / counts.mean()), 3),
    }
    lengths: dict[str, Any] = {}
    for field, column in (("input", "ContextTokens"), ("output", "GeneratedTokens")):
        tokens = np.array([int(row[column]) for row in rows])
        lengths[f"{field}_mean_tokens"] = round(float(tokens.mean()), 3)
        lengths[f"{field}_sd_tokens"] = round(float(tokens.std(ddof=1)), 3)
        found = np.quantile(tokens, PROBABILITIES)
        lengths[f"{field}_quantile_tokens"] = [list(map(tidy, pair)) for pair in zip(PROBABILITIES, found, strict=True)]
    return entry(entry_id, [head, arrivals, lengths], {})


def day(stamp: str) -> date:
    """Day of a time stamp."""
    return datetime.fromisoformat(stamp[:19]).date()


def tidy(value: float) -> float:
    """A quantile with at most two decimals, whole where it is."""
    rounded = round(float(value), 2)
    return int(rounded) if rounded.is_integer() else rounded


if __name__ == "__main__":
    rewrite(render, __doc__)
