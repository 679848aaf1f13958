"""The catalog's storage: marks that must not get better by themselves, and the values of the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from tests.catalog.overlays import SOURCE, write

ENTRIES = {"li-ion", "lto", "supercapacitor", "flywheel", "psu-electrolytic"}
PRICES = ("converter_usd_per_kw", "energy_usd_per_kwh")
MINE = """\
[mine]
name = "My storage"
source = "mine"
grade = "datasheet"
levels = ["rack"]
round_trip_fraction = 0.9
depth_exponent = 1
calendar_life_years = 10
response_s = 0.01
least_duration_s = 10
"""


@pytest.fixture(scope="module")
def entries() -> dict[str, Any]:
    catalog = Catalog()
    return {name: catalog.get("storage", name) for name in catalog.ids("storage")}


def test_the_entries(entries: dict[str, Any]) -> None:
    assert set(entries) == ENTRIES
    assert {level for entry in entries.values() for level in entry.levels} == {"psu", "rack", "site"}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("li-ion", "converter_usd_per_kw", 250),
        ("li-ion", "energy_usd_per_kwh", 350),
        ("li-ion", "cycle_life_count", 8_000),
        ("supercapacitor", "converter_usd_per_kw", 150),
        ("supercapacitor", "energy_usd_per_kwh", 10_000),
        ("supercapacitor", "cycle_life_count", 50e6),
    ],
)
def test_values_of_the_reference_are_assumed(entries: dict[str, Any], name: str, field: str, value: float) -> None:
    """Section 8 of the reference on power stabilisation: prices and cycle lives assumed."""
    found = getattr(entries[name], field)
    assert (found.value, found.grade, found.evidence) == (value, "assumption", "assumed")


def test_no_price_is_more_than_assumed(entries: dict[str, Any]) -> None:
    for name, entry in entries.items():
        for field in PRICES:
            price = getattr(entry, field)
            assert (price is None) == (entry.levels == ("psu",)), name
            if price is not None:
                assert (price.grade, price.evidence) == ("assumption", "assumed"), name


def test_energy_in_the_power_supply_is_second_hand(entries: dict[str, Any]) -> None:
    found = entries["psu-electrolytic"].energy_j_per_gpu
    assert (found.value, found.evidence) == (65, "second-hand")
    rule = entries["psu-electrolytic"].conflicts[0]
    value = rule["value"] if isinstance(rule, dict) else rule.value
    assert value == pytest.approx(5_000 / 72, rel=1e-3)


def test_what_was_remembered_says_so(entries: dict[str, Any]) -> None:
    assert entries["flywheel"].cycle_life_count.evidence == "unverified"
    assert entries["flywheel"].cycle_life_count.grade == "assumption"
    assert entries["lto"].cycle_life_count.grade == "vendor_claim"


def test_no_credit_for_shallow_cycles_is_given_away(entries: dict[str, Any]) -> None:
    assert {entry.depth_exponent.value for entry in entries.values()} == {1.0}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('levels = ["rack"]', "levels = []"),
        ('levels = ["rack"]', 'levels = ["roof"]'),
        ("round_trip_fraction = 0.9", "round_trip_fraction = 1.1"),
        ("round_trip_fraction = 0.9", "round_trip_fraction = 0"),
        ("depth_exponent = 1", "depth_exponent = 0"),
        ("least_duration_s = 10", "least_duration_s = 0"),
        ("response_s = 0.01", ""),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, old: str, new: str) -> None:
    write(tmp_path, {"storage.toml": MINE, "sources/mine.toml": SOURCE})
    assert Catalog(tmp_path).get("storage", "mine").levels == ("rack",)
    write(tmp_path, {"storage.toml": MINE.replace(old, new)})
    with pytest.raises(InputError):
        Catalog(tmp_path)
