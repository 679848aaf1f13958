"""Transcribe ``hardware_catalog/profiles/*.toml`` from the measurements of SplitwiseSim: medians of their repeats.

The file has 21 configurations of prompt length, batch and answer length for each model, accelerator and tensor
parallelism, five repeats each or more; nothing here is fitted.

Run ``python -m tests.transcribe.profiles [--data DIR]`` to rewrite the files.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.transcribe.profiles_curated import CAPPED, HEAD, MACHINES, MODELS, Machine, Profile
from tests.transcribe.rewrite import rewrite
from tests.transcribe.toml_text import Num, header, scalar

FILE = "hardware_catalog/profiles/splitwise.toml"
COLUMNS = ("prompt_size", "batch_size", "token_size", "prompt_time", "token_time", "peak_power", "average_power")
PROMPT, OUTPUT = 512, 128
"""Prompt and output of the cells by batch [tokens]."""

Row = Mapping[str, float]
Cell = tuple[str, str, int]


def read_rows(path: Path) -> dict[Cell, list[Row]]:
    """Rows by model, hardware and tensor parallelism; times in ms, power over TDP, 0 where it was not measured."""
    found: dict[Cell, list[Row]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cell = (row["model"], row["hardware"], int(row["tensor_parallel"]))
            found.setdefault(cell, []).append({name: float(row[name] or 0) for name in COLUMNS})
    return found


def medians(rows: Iterable[Row], by: Callable[[Row], float], *columns: str) -> list[list[float]]:
    """Rows of a key and the median of each column over the rows of that key, keys in order; six decimals.

    >>> medians([{"x": 2.0, "y": 5.0}, {"x": 1.0, "y": 3.0}, {"x": 1.0, "y": 4.0}], lambda row: row["x"], "y")
    [[1.0, 3.5], [2.0, 5.0]]
    """
    groups: dict[float, list[Row]] = {}
    for row in rows:
        groups.setdefault(by(row), []).append(row)
    return [[key, *(round(median(row[name] for row in group), 6) for name in columns)] for key, group in
            sorted(groups.items())]  # fmt: skip


def batched_tokens(row: Row) -> float:
    """Tokens of the prompts of a batch."""
    return row["prompt_size"] * row["batch_size"]


def tables(rows: Sequence[Row], most_batch: int) -> dict[str, list[list[float]]]:
    """Tables of a machine; cells by batch up to ``most_batch``, `by_batched_tokens` whatever the batch."""
    single = [row for row in rows if row["batch_size"] == 1]
    batches = [row for row in rows if row["prompt_size"] == PROMPT and row["batch_size"] <= most_batch]
    steps = [row for row in batches if row["token_size"] == OUTPUT]
    context = [row for row in single if row["token_size"] == OUTPUT]
    powered = [row for row in rows if row["peak_power"] > 0]
    found = {
        "by_batched_tokens": medians(rows, batched_tokens, "prompt_time", "token_time"),
        "prompt_by_length": medians(single, lambda row: row["prompt_size"], "prompt_time"),
        "prompt_by_batch": medians(batches, lambda row: row["batch_size"], "prompt_time"),
        "decode_by_batch": medians(steps, lambda row: row["batch_size"], "token_time"),
        "decode_by_context": medians(context, lambda row: row["prompt_size"] + OUTPUT / 2, "token_time"),
        "power_prompt": medians(powered, batched_tokens, "peak_power"),
    }
    return {name: table for name, table in found.items() if table}


def token_power(rows: Sequence[Row]) -> float | None:
    """Median of the mean power over runs of 512 + 128 tokens, nearly all of which is decoding; None if unmeasured."""
    found = [row["average_power"] for row in rows
             if row["average_power"] > 0 and row["prompt_size"] == PROMPT and row["token_size"] == OUTPUT]  # fmt: skip
    return round(median(found), 4) if found else None


def table_text(name: str, rows: Sequence[Sequence[float]]) -> str:
    """A table of numbers, one row per line; whole numbers without a decimal point."""
    shown = [[Num(str(int(cell)) if cell == int(cell) else repr(cell)) for cell in row] for row in rows]
    return "\n".join([f"{name} = [", *(f"  {scalar(row)}," for row in shown), "]"])


def machine_text(profile: Profile, name: str, machine: Machine, rows: Sequence[Row]) -> str:
    """One machine of a profile."""
    lines = [header(profile.id, "machines", name)]
    lines += [f"{key} = {scalar(value)}" for key, value in machine.facts.items()]
    if machine.note:
        lines.append(f"note = {scalar(machine.note)}")
    power = token_power(rows)
    if power is not None:
        lines.append(f"power_token_fraction = {scalar(power)}")
    lines += [table_text(key, table) for key, table in tables(rows, machine.most_batch).items()]
    return "\n".join(lines) + "\n"


def render(shared_data: Path) -> dict[str, str]:
    """Text of the catalog file, by path relative to the repository root."""
    rows = read_rows(shared_data / "splitwise" / "perf_model.csv")
    blocks = [HEAD]
    for profile in MODELS:
        lines = [header(profile.id), *(f"{key} = {scalar(value)}" for key, value in profile.facts.items())]
        conflicts: list[Any] = profile.conflicts
        lines += ["conflicts = [", *(f"  {scalar(one)}," for one in conflicts), "]"]
        blocks.append("\n".join(lines) + "\n")
        for name, machine in MACHINES.items():
            cell = (profile.csv_model, machine.csv_hardware, machine.tensor_parallel)
            if cell in rows:
                blocks.append(machine_text(profile, name, machine, rows[cell]))
        blocks.append(machine_text(profile, "dgx-h100-pcap", CAPPED, []))
    return {FILE: "\n".join(blocks)}


if __name__ == "__main__":
    rewrite(render, __doc__)
