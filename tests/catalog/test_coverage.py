"""The catalog holds what it was promised to hold, and nothing that nobody uses."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from aiplan.catalog.lint_sources import unused_sources
from aiplan.catalog.lint_view import View
from aiplan.catalog.loader import Catalog
from aiplan.catalog.names import canonical_precision

ACCELERATORS = {
    "p100-16gb-sxm", "v100-16gb-sxm", "v100-32gb-sxm",
    "a100-40gb-sxm", "a100-80gb-sxm", "a100-80gb-pcie", "h100-sxm", "h100-pcie", "h100-nvl", "h800-sxm", "h200-sxm",
    "h20", "l40s", "l4", "gh200-96", "rtx-pro-6000-bse", "b200-sxm", "b300-sxm", "gb200-nvl72", "gb300-nvl72",
    "mi300x", "mi325x", "mi350x", "mi355x", "tpu-v5e", "tpu-v5p", "tpu-v6e", "tpu-v7", "trainium2", "trainium3",
    "gaudi3", "rubin-vr200", "rubin-ultra-nvl576",
}  # fmt: skip
SERVERS = {
    "p100-8gpu", "v100-8gpu", "v100-32gb-8gpu",
    "dgx-a100", "dgx-h100", "dgx-h200", "dgx-b200", "dgx-b300", "gb200-nvl72-rack", "gb300-nvl72-rack",
    "mi300x-8gpu", "mi325x-8gpu", "mi355x-8gpu",
}  # fmt: skip
THROUGHPUT = ("inferencex_agg.csv", "inferencex_disagg.csv", "mlperf.csv", "trtllm.csv")
HARDWARE_OF_NO_ENTRY = {"", "N/A", "mixed"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_accelerators(catalog: Catalog) -> None:
    assert len(ACCELERATORS) == 33
    assert set(catalog.ids("accelerators")) == ACCELERATORS
    for entry_id in ACCELERATORS:
        entry = catalog.get("accelerators", entry_id)
        assert entry.hbm_gb.value > 0
        complete = None not in (entry.bf16_dense_tflops, entry.hbm_tb_per_s, entry.tdp_w)
        # Only FP4 rate, memory and power of Rubin Ultra were announced.
        assert complete == (entry_id != "rubin-ultra-nvl576"), entry_id


def test_the_servers(catalog: Catalog) -> None:
    assert len(SERVERS) == 13
    assert set(catalog.ids("servers")) == SERVERS
    counts = Counter(catalog.get("servers", entry_id).accelerator_count for entry_id in SERVERS)
    assert counts == {8: 11, 72: 2}
    assert {catalog.get("servers", entry_id).accelerator for entry_id in SERVERS} <= ACCELERATORS


@pytest.mark.parametrize(
    ("kind", "count"), [("grids", 43), ("sites", 42), ("operators", 67), ("models", 193), ("published", 81)]
)
def test_counts(catalog: Catalog, kind: str, count: int) -> None:
    assert len(catalog.ids(kind)) == count


def test_grids_cover_the_united_states_and_the_countries_of_the_sites(catalog: Catalog) -> None:
    subregions = [entry_id for entry_id in catalog.ids("grids") if entry_id.startswith("egrid-")]
    countries = [entry_id for entry_id in catalog.ids("grids") if entry_id.startswith("country-")]
    assert (len(subregions), len(countries)) == (20, 22)
    assert set(catalog.ids("grids")) - {*subregions, *countries} == {"world"}
    for site in catalog.ids("sites"):
        entry = catalog.get("sites", site)
        assert entry.grid in catalog.ids("grids"), site
        assert catalog.get("grids", entry.grid).country == entry.country


def test_every_site_has_climate_and_carbon_and_most_have_a_price(catalog: Catalog) -> None:
    priceless = Counter()
    for site in catalog.ids("sites"):
        entry = catalog.get("sites", site)
        assert len(entry.normals.tmean_c) == 12
        assert entry.carbon_g_per_kwh is not None, site
        if entry.price_usd_per_kwh is None and entry.price_local_per_kwh is None:
            priceless[entry.country] += 1
    # No source was found for these countries.
    assert set(priceless) == {"ARE", "BRA", "ESP", "FRA", "IND", "ITA", "JPN", "NLD", "NOR"}
    assert sum(priceless.values()) == 13


def test_operators_state_fleets_and_campuses(catalog: Catalog) -> None:
    entries = [catalog.get("operators", entry_id) for entry_id in catalog.ids("operators")]
    assert {"Google", "Microsoft", "AWS", "Meta"} <= {entry.operator for entry in entries}
    assert all(entry.pue is not None or entry.wue_l_per_kwh is not None for entry in entries)


def test_accelerators_of_every_generation_have_throughput(catalog: Catalog) -> None:
    tables = Counter(str(facts["accelerator"]) for facts in catalog.facts("throughput").values())
    assert set(tables) >= {
        "a100-80gb-sxm", "l40s", "gh200-96", "h100-sxm", "h200-sxm", "b200-sxm", "gb200-nvl72", "rtx-pro-6000-bse",
    }  # fmt: skip
    assert sum(tables.values()) == 144
    assert set(tables) <= ACCELERATORS


@pytest.mark.shared_data
def test_every_model_named_in_the_measured_data_resolves(catalog: Catalog, shared_data: Path) -> None:
    files = [(shared_data / "throughput" / name, ("model", "model_path")) for name in THROUGHPUT]
    files.append((shared_data / "energy" / "mlenergy_v3.csv", ("model_id", "nickname")))
    files.append((shared_data / "hardware" / "llm_shapes.csv", ("id", "hf_id")))
    seen = 0
    for path, columns in files:
        found = {row[column] for row in table(path) for column in columns if row.get(column)}
        seen += len(found)
        assert [name for name in sorted(found) if catalog.names("models").resolve(name) is None] == [], path.name
    assert seen >= 83 + 52


@pytest.mark.shared_data
def test_every_accelerator_named_in_the_measured_data_resolves(catalog: Catalog, shared_data: Path) -> None:
    found = {row["name"] for row in table(shared_data / "hardware" / "hardware_catalog.csv")}
    assert len(found) == 30
    for name in ("inferencex_agg.csv", "inferencex_disagg.csv", "trtllm.csv"):
        rows = table(shared_data / "throughput" / name)
        found |= {row[column] for row in rows for column in ("hardware", "gpu") if row.get(column)}
    unknown = [name for name in found - HARDWARE_OF_NO_ENTRY if catalog.names("accelerators").resolve(name) is None]
    assert unknown == []


@pytest.mark.shared_data
def test_every_trtllm_table_has_a_profile_with_all_its_rows(catalog: Catalog, shared_data: Path) -> None:
    rows = [row for row in table(shared_data / "throughput" / "trtllm.csv") if row["output_tok_s"]]
    assert len(rows) == 699  # the other 20 are latencies of first tokens
    models, accelerators = catalog.names("models"), catalog.names("accelerators")
    wanted: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        version = re.search(r"\d+\.\d+(\.\d+)?", row["framework"])
        assert version
        precision = canonical_precision(row["precision"])
        # FP4 on Blackwell is NVIDIA's format, which the tables call FP4.
        key = (models.resolve(row["model"]), accelerators.resolve(row["hardware"]), int(row["n_gpus"]),
               "fp4" if precision == "nvfp4" else precision, version[0])  # fmt: skip
        assert None not in key, row
        wanted[key] += 1
    held: Counter[tuple[object, ...]] = Counter()
    for entry_id, facts in catalog.facts("throughput").items():
        if entry_id.startswith("trtllm-"):
            precision = "fp4" if facts["precision"] == "nvfp4" else facts["precision"]
            named = (facts[name] for name in ("model", "accelerator", "accelerator_count"))
            held[(*named, precision, facts.get("engine_version", ""))] += facts["points"]
    assert {key: held[key] for key in wanted} == dict(wanted)


def test_every_source_is_used(catalog: Catalog) -> None:
    assert [problem.path for problem in unused_sources(View(catalog))] == []
