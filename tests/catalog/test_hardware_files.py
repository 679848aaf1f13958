"""Rules that the hardware and place files keep, read straight from the TOML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli

ROOT = Path(__file__).resolve().parents[2] / "hardware_catalog"
FILES = {
    "accelerators": "accelerators.toml",
    "servers": "servers.toml",
    "grids": "grids.toml",
    "sites": "sites/sites.toml",
    "operators": "operators.toml",
}
OWN_SOURCES = ("sources/hardware.toml", "sources/places.toml")
ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
GRADES = ("measured", "datasheet", "paper", "vendor_claim", "estimate", "assumption")
EVIDENCE = ("published", "second-hand", "derived", "unverified", "assumed")
LB_KG = 0.45359237


def load(name: str) -> dict[str, dict[str, Any]]:
    return tomli.loads((ROOT / name).read_text(encoding="utf-8"))


CATALOG = {kind: load(name) for kind, name in FILES.items()}
SOURCES: dict[str, dict[str, Any]] = {}
for file in sorted((ROOT / "sources").glob("*.toml")):
    SOURCES |= tomli.loads(file.read_text(encoding="utf-8"))
ENTRIES = [(kind, key, found) for kind, table in CATALOG.items() for key, found in table.items()]


def value(raw: Any) -> float:
    return float(raw["value"] if isinstance(raw, dict) else raw)


def figures(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Figures written as tables, with the entry's grade, source and evidence filled in."""
    base = {name: found[name] for name in ("source", "grade")} | {"evidence": found.get("evidence", "published")}
    for name, raw in found.items():
        if isinstance(raw, dict) and "value" in raw:
            yield name, {**base, **raw}
        elif isinstance(raw, dict):
            yield name, raw  # normals carry their own


def money(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, raw in found.items():
        if re.search(r"(^|_)(usd|price_local)(_|$)", name) and name != "price_currency":
            yield name, raw


@pytest.mark.parametrize(("kind", "count"), [("accelerators", 33), ("servers", 13), ("grids", 43), ("sites", 42)])
def test_counts(kind: str, count: int) -> None:
    assert len(CATALOG[kind]) == count


@pytest.mark.parametrize(("kind", "key", "found"), ENTRIES, ids=[f"{kind}:{key}" for kind, key, _ in ENTRIES])
def test_entry_is_well_formed(kind: str, key: str, found: dict[str, Any]) -> None:
    assert ID.fullmatch(key)
    assert found["name"]
    assert found["grade"] in GRADES
    for name, raw in figures(found):
        assert raw["grade"] in GRADES, name
        assert raw["evidence"] in EVIDENCE, name
        assert raw["source"] in SOURCES, name
        if raw["evidence"] == "unverified":
            assert raw["grade"] == "assumption", name
        # A source that was read through others, or not at all, never yields a published figure.
        seen = SOURCES[raw["source"]].get("evidence", "published")
        assert not (raw["evidence"] == "published" and seen != "published"), name
        assert not (raw["evidence"] == "second-hand" and seen == "unverified"), name
        if "range" in raw:
            assert raw["range"][0] <= value(raw) <= raw["range"][1], name
    if found.get("evidence", "published") == "published":
        assert SOURCES[found["source"]].get("evidence", "published") == "published"
    for name, raw in money(found):
        assert raw["currency_year"] >= 2016, name


@pytest.mark.parametrize(("kind", "key", "found"), ENTRIES, ids=[f"{kind}:{key}" for kind, key, _ in ENTRIES])
def test_a_conflict_names_a_field_and_differs_from_it(kind: str, key: str, found: dict[str, Any]) -> None:
    for conflict in found.get("conflicts", []):
        assert conflict["source"] in SOURCES
        if conflict["field"] in found:
            assert value(found[conflict["field"]]) != conflict["value"]
        seen = SOURCES[conflict["source"]].get("evidence", "published")
        assert conflict.get("evidence", seen) == seen or conflict["evidence"] == "derived"


def test_sources_resolve_both_ways() -> None:
    used = {found["source"] for _, _, found in ENTRIES}
    for _, _, found in ENTRIES:
        used |= {raw["source"] for _, raw in figures(found)}
        used |= {conflict["source"] for conflict in found.get("conflicts", [])}
    defined = {key for name in OWN_SOURCES for key in load(name)}
    assert used <= set(SOURCES)
    assert defined <= used, f"unused: {sorted(defined - used)}"


def test_a_source_stands_in_one_file_only() -> None:
    seen: dict[str, str] = {}
    for path in sorted((ROOT / "sources").glob("*.toml")):
        for key in tomli.loads(path.read_text(encoding="utf-8")):
            assert key not in seen, f"{key} in {path.name} and {seen[key]}"
            seen[key] = path.name
    for name in OWN_SOURCES:
        for key, found in load(name).items():
            assert ID.fullmatch(key)
            assert found["title"]
            assert found["locator"]
            assert found["accessed"]


def normal_form(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


@pytest.mark.parametrize("kind", list(CATALOG))
def test_a_name_leads_to_one_entry(kind: str) -> None:
    owner: dict[str, str] = {}
    for key, found in CATALOG[kind].items():
        for name in (key, *found.get("aliases", [])):
            assert owner.setdefault(normal_form(name), key) == key, name


@pytest.mark.parametrize(
    ("name", "accelerator"),
    [
        ("H100", "h100-sxm"),
        ("b200_sxm", "b200-sxm"),
        ("A100-80G", "a100-80gb-sxm"),
        ("a100-80gb", "a100-80gb-sxm"),
        ("RTX6000", "rtx-pro-6000-bse"),
        ("GH200", "gh200-96"),
        ("GB200", "gb200-nvl72"),
        ("AMD Instinct MI300X 192GB HBM3", "mi300x"),
        ("NVIDIA H100 SXM5 80GB", "h100-sxm"),
    ],
)
def test_names_in_the_wild(name: str, accelerator: str) -> None:
    found = CATALOG["accelerators"][accelerator]
    assert normal_form(name) in {normal_form(alias) for alias in (accelerator, *found["aliases"])}


HALVINGS = [
    (key, wide, narrow)
    for key, found in CATALOG["accelerators"].items()
    for wide, narrow in (("bf16_dense_tflops", "fp8_dense_tflops"), ("fp8_dense_tflops", "fp4_dense_tflops"))
    if wide in found and narrow in found
]


@pytest.mark.parametrize(("key", "wide", "narrow"), HALVINGS)
def test_half_the_bits_is_twice_the_flops_or_an_exception(key: str, wide: str, narrow: str) -> None:
    # Guards against sparse figures quoted as dense ones.
    found = CATALOG["accelerators"][key]
    keeps = abs(value(found[narrow]) / value(found[wide]) / 2 - 1) <= 0.03
    excused = any(item["field"] == narrow and item["reason"] for item in found.get("exceptions", []))
    assert keeps != excused


def test_servers_stand_on_accelerators() -> None:
    for key, found in CATALOG["servers"].items():
        chip = CATALOG["accelerators"][found["accelerator"]]
        chips_w = found["accelerator_count"] * value(chip["tdp_w"])
        assert chips_w < value(found["max_power_w"]), key
        assert found["accelerator_count"] in (8, 72)
        host = found["host_power_w"]
        low, high = host["range"]
        assert host["dist"]["triangular"] == {"low": low, "mode": host["value"], "high": high}
        assert host["evidence"] == "assumed"
        assert found["idle_power_fraction"]["value"] == 0.24
        if "price_usd" in found:
            assert len(found["price_usd"]["range"]) == 2


def test_host_power_defaults() -> None:
    # 8 x H100/H200: 1.6 kW, 1.2-2.2; 8 x B200, air-cooled: 2.4 kW, 1.9-3.2.
    for key in ("dgx-a100", "dgx-h100", "dgx-h200", "mi300x-8gpu"):
        host = CATALOG["servers"][key]["host_power_w"]
        assert (host["value"], host["range"]) == (1600, [1200, 2200])
    for key in ("p100-8gpu", "v100-8gpu", "v100-32gb-8gpu"):
        # Half to all of what the rating leaves beside the GPUs.
        left = value(CATALOG["servers"][key]["max_power_w"]) - 8 * 300
        host = CATALOG["servers"][key]["host_power_w"]
        assert (host["value"], host["range"]) == (0.75 * left, [0.5 * left, left])
    for key in ("dgx-b200", "dgx-b300"):
        host = CATALOG["servers"][key]["host_power_w"]
        assert (host["value"], host["range"]) == (2400, [1900, 3200])
    for key in ("gb200-nvl72-rack", "gb300-nvl72-rack"):
        rack, chip = CATALOG["servers"][key], CATALOG["accelerators"][key.removesuffix("-rack")]
        assert rack["host_power_w"]["value"] == 2400 * 72 / 8
        ceiling = value(rack["max_power_w"]) - 72 * value(chip["tdp_w"])
        assert rack["host_power_w"]["range"][1] == ceiling


@pytest.mark.parametrize("key", ["dgx-h200", "dgx-b200", "mi300x-8gpu"])
def test_a_derived_server_price_is_eight_gpus_times_the_dgx_ratio(key: str) -> None:
    found = CATALOG["servers"][key]
    chip = CATALOG["accelerators"][found["accelerator"]]["price_usd"]
    ratio = 269 / 195  # DGX H100 over its 8 GPUs with baseboard
    assert found["price_usd"]["evidence"] == "derived"
    assert found["price_usd"]["value"] == pytest.approx(8 * chip["value"] * ratio, rel=2e-3)
    assert found["price_usd"]["range"][0] == pytest.approx(8 * chip["range"][0], rel=2e-3)
    assert found["price_usd"]["range"][1] == pytest.approx(8 * chip["range"][1] * ratio, rel=2e-3)


def test_rack_price_per_gpu() -> None:
    rack = CATALOG["servers"]["gb200-nvl72-rack"]["price_usd"]["value"]
    assert CATALOG["accelerators"]["gb200-nvl72"]["price_usd"]["value"] == pytest.approx(rack / 72, rel=2e-3)


@pytest.mark.parametrize(
    ("key", "like"), [("mi300x-8gpu", "dgx-h100"), ("mi325x-8gpu", "dgx-b200"), ("mi355x-8gpu", "dgx-b300")]
)
def test_amd_ratings_scale_from_a_known_server(key: str, like: str) -> None:
    def chips_w(server: str) -> float:
        found = CATALOG["servers"][server]
        return 8 * value(CATALOG["accelerators"][found["accelerator"]]["tdp_w"])

    found = CATALOG["servers"][key]
    share = chips_w(like) / value(CATALOG["servers"][like]["max_power_w"])
    assert value(found["max_power_w"]) == pytest.approx(chips_w(key) / share, rel=5e-3)
    assert found["evidence"] == "assumed"


def test_embodied_carbon_of_an_h100_server_per_second() -> None:
    # EcoLogits: (5700 + 8 x 164) kg over 3 years at 60 % use is 0.1235 g per server-second.
    host = value(CATALOG["servers"]["dgx-h100"]["embodied_kg"])
    chip = value(CATALOG["accelerators"]["h100-sxm"]["embodied_kg"])
    assert (host + 8 * chip) * 1000 / (3 * 365 * 86_400 * 0.6) == pytest.approx(0.1235, rel=0.01)


def test_power_fractions_are_measured_for_two_gpus_only() -> None:
    having = {
        key: found["power_fraction"] for key, found in CATALOG["accelerators"].items() if "power_fraction" in found
    }
    spans = {key: raw["dist"]["percentiles"] for key, raw in having.items()}
    assert spans == {
        "h100-sxm": {"p5": 0.47, "p50": 0.70, "p95": 0.97},
        "b200-sxm": {"p5": 0.36, "p50": 0.70, "p95": 0.96},
    }
    for raw in having.values():
        assert (raw["value"], raw["grade"], raw["evidence"]) == (0.70, "measured", "derived")


def test_subregions_convert_from_pounds() -> None:
    subregions = {key: found for key, found in CATALOG["grids"].items() if key.startswith("egrid-")}
    assert len(subregions) == 20
    for key, found in subregions.items():
        pounds = float(found["carbon_g_per_kwh"]["note"].removesuffix(" lb/MWh"))
        assert found["carbon_g_per_kwh"]["value"] == pytest.approx(pounds * LB_KG, abs=0.05), key
    assert value(CATALOG["grids"]["egrid-srvc"]["carbon_g_per_kwh"]) == pytest.approx(270.5, abs=0.1)


def test_sites_and_operators_refer_to_what_exists() -> None:
    for key, found in CATALOG["sites"].items():
        grid = CATALOG["grids"][found["grid"]]
        assert grid["country"] == found["country"], key
        assert value(found["carbon_g_per_kwh"]) == pytest.approx(value(grid["carbon_g_per_kwh"]), abs=0.05), key
        if "offsite_water_l_per_kwh" in found:
            assert value(found["offsite_water_l_per_kwh"]) == value(grid["water_l_per_kwh"]), key
    for key, found in CATALOG["operators"].items():
        assert found.get("site", "singapore") in CATALOG["sites"], key
        assert "pue" in found or "wue_l_per_kwh" in found, key
        assert 1.0 < value(found.get("pue", 1.1)) < 1.6, key


@pytest.mark.parametrize("key", list(CATALOG["sites"]))
def test_twelve_months_of_climate(key: str) -> None:
    normals = CATALOG["sites"][key]["normals"]
    low, mean, high, humid = (normals[name] for name in ("tmin_c", "tmean_c", "tmax_c", "rh_percent"))
    assert len(low) == len(mean) == len(high) == len(humid) == 12
    for month in range(12):
        assert -50 < low[month] < mean[month] < high[month] < 50
        assert 0 < humid[month] <= 100


def test_seasons_follow_the_hemisphere() -> None:
    for key, found in CATALOG["sites"].items():
        mean = found["normals"]["tmean_c"]
        if abs(value(found["latitude_deg"])) > 23.5:
            northern = mean[6] > mean[0]
            assert northern == (value(found["latitude_deg"]) > 0), key


@pytest.mark.parametrize("name", [*FILES.values(), *OWN_SOURCES])
def test_inline_tables_stay_short(name: str) -> None:
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if "{" in line and not line.startswith("#"):
            assert len(line) <= 200
