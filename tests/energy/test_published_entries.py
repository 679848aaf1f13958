"""Catalog entries of published estimates: format, evidence, and agreement with the measured data."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aiplan.planners.energy.query import BOUNDARIES

Entries = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def sources(root: Path) -> Entries:
    path = root / "hardware_catalog" / "sources" / "published.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_entries_keep_the_format(entries: Entries, sources: Entries) -> None:
    grades = {"measured", "datasheet", "paper", "vendor_claim", "estimate", "assumption"}
    for name, entry in entries.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,79}", name)
        assert entry["boundary"] in {*BOUNDARIES, "life_cycle", "not_stated"}, name
        assert entry["grade"] in grades, name
        assert entry.get("statistic", "point") in {"median", "mean", "point"}, name
        cited = {entry["source"]} | {v["source"] for v in entry.values() if isinstance(v, dict) and "source" in v}
        assert cited <= set(sources), name
    for source in sources.values():
        assert {"title", "locator", "accessed"} <= set(source)
        assert "url" in source or "doi" in source


def test_every_entry_says_something(entries: Entries) -> None:
    values = (
        "energy_wh",
        "energy_j_per_token",
        "carbon_g",
        "water_ml",
        "method",
        "energy_slope_wh_per_token",
    )
    for name, entry in entries.items():
        assert any(key in entry for key in values), name
        assert "energy_wh" not in entry or "energy_j_per_token" not in entry, name


def test_evidence_follows_the_source(entries: Entries, sources: Entries) -> None:
    # A value seen only through a third party is never printed as published.
    for name, entry in entries.items():
        for key, value in [("entry", entry), *entry.items()]:
            if isinstance(value, dict):
                source = sources[value.get("source", entry["source"])]
                evidence = value.get("evidence", entry["evidence"])
                if source.get("evidence") == "second-hand":
                    assert evidence != "published", f"{name}.{key}"


def test_never_printed_as_published(entries: Entries) -> None:
    second_hand = re.compile(r"jegham|muxup|ai-energy-score|samsi|mistral-large-2-lca|openai-altman|.*-narrow")
    names = [name for name in entries if second_hand.match(name)]
    assert len(names) == 21 + 11 + 3 + 2 + 1 + 1 + 1
    assert {entries[name]["evidence"] for name in names} == {"second-hand"}
    assert entries["google-gemini-2025"]["carbon_g"]["evidence"] == "second-hand"
    for name in ("oviedo-2025-short", "oviedo-2025-long"):
        assert entries[name]["pue"]["evidence"] == "assumed"


def test_counts_by_evidence(entries: Entries) -> None:
    assert Counter(entry["evidence"] for entry in entries.values()) == {
        "published": 36,
        "second-hand": 43,
        "derived": 2,
    }


def test_headline_values(entries: Entries) -> None:
    # Abstracts of arXiv:2509.20241 v1 and v2, and of arXiv:2508.15734.
    short, long = entries["oviedo-2026-short"]["energy_wh"], entries["oviedo-2026-long"]["energy_wh"]
    assert (short["value"], *short["range"]) == (0.31, 0.16, 0.60)
    assert (long["value"], *long["range"]) == (3.91, 2.15, 7.05)
    assert entries["oviedo-2025-short"]["energy_wh"]["value"] == 0.34
    assert entries["oviedo-2025-long"]["energy_wh"] == 4.32
    assert entries["google-gemini-2025"]["energy_wh"] == 0.24


@pytest.mark.shared_data
def test_mlenergy_rows_are_those_of_the_data(entries: Entries, measured: list[dict[str, str]]) -> None:
    rows = {name: entry for name, entry in entries.items() if name.startswith("mlenergy-v3-")}
    assert len(rows) == 14
    for name, entry in rows.items():
        count, gpu = entry["hardware"].split("x ")
        matching = [
            row
            for row in measured
            if (row["num_gpus"], row["gpu_model"]) == (count, gpu)
            and round(float(row["avg_output_len"])) == entry["output_tokens"]
            and abs(float(row["avg_batch_size"]) - entry["batch"]) < 0.6
            and float(row["energy_per_request_joules"]) / 3600 == pytest.approx(entry["energy_wh"], rel=0.005)
        ]
        assert len(matching) == 1, name
        watts = round(float(matching[0]["avg_power_watts"]))
        assert f"{watts:,} W" in entry["note"], name
