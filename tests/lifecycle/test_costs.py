"""The catalog's costs: values and marks of the reference, what they add up to, and entries that do not fit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.lint import lint_catalog
from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from tests.catalog.overlays import SOURCE, write

ROLES = {"power-topology", "cooling-plant", "network", "site", "upkeep", "residual", "channel", "failures", "tariff",
         "rent", "capital", "benchmark"}  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def entries(catalog: Catalog, role: str) -> dict[str, Any]:
    found = {name: catalog.get("costs", name) for name in catalog.ids("costs")}
    return {name: entry for name, entry in found.items() if entry.role == role}


def test_every_role_has_entries(catalog: Catalog) -> None:
    assert {catalog.get("costs", name).role for name in catalog.ids("costs")} == ROLES
    assert len(entries(catalog, "power-topology")) == 3


def test_power_domains_nest(catalog: Catalog) -> None:
    """So that pooling further strands no more."""
    sizes = sorted(entry.domain_w.value for entry in entries(catalog, "power-topology").values())
    for below, above in pairwise(sizes):
        assert above % below == 0
    assert sizes[0] == 40e3  # the hierarchical domain of the reference, section 6.3


def test_the_shell_is_what_power_and_cooling_leave(catalog: Catalog) -> None:
    """Cushman & Wakefield 11.7 $/W, Table III 7.0 and 2.5 (lifecycle reference, 4.1 and 6.1)."""
    building = catalog.get("costs", "building-us-2025")
    plant = catalog.get("costs", "flat").usd_per_w.value + catalog.get("costs", "air").usd_per_w.value
    assert building.shell_usd_per_w.value == pytest.approx(building.build_usd_per_w.value - plant, abs=1e-9)
    assert building.land_usd_per_acre.value == pytest.approx(5.59 * 43_560, rel=3e-3)


def test_the_demand_charge_is_as_large_as_wholesale_energy(catalog: Catalog) -> None:
    """14.57 $/kW-month at 80 % load factor are 24.9 $/MWh (check 9 of the reference)."""
    tariff = catalog.get("costs", "dominion-gs3")
    parts = (tariff.distribution_usd_per_kw_per_month, tariff.generation_usd_per_kw_per_month,
             tariff.transmission_usd_per_kw_per_month)  # fmt: skip
    total = sum(part.value for part in parts)
    assert total == pytest.approx(14.57, abs=0.005)
    assert total / 730 / 0.8 * 1e3 == pytest.approx(24.9, abs=0.1)


def test_the_resale_curve_fits_its_anchors(catalog: Catalog) -> None:
    curve = catalog.get("costs", "residual-h100")
    fit = curve.kept_fraction.value ** np.arange(len(curve.anchor_fraction))
    assert np.abs(fit - curve.anchor_fraction).max() < 0.011
    assert curve.kept_fraction.evidence == "derived"
    assert curve.grade == "vendor_claim"


@pytest.mark.parametrize(("name", "count"), [("gpu", 148), ("gpu-hbm", 220), ("all", 419)])
def test_interruptions_are_counts_over_accelerator_years(catalog: Catalog, name: str, count: int) -> None:
    """Check 5 of the reference: 6.11, 9.08, 17.29 % per GPU-year."""
    found = catalog.get("costs", f"interruptions-{name}").interruptions_per_year.value
    assert found == pytest.approx(count / (16_384 * 54 / 365.25), abs=1e-4)


def test_the_whole_site_closes(catalog: Catalog) -> None:
    """Check 7: servers of 5 B$/y over 5 years are 25 k$/kW; the parts stay below the whole."""
    site = catalog.get("costs", "site-epoch-gw")
    assert site.servers_usd_per_w_per_year.value * 5 == pytest.approx(25.0)
    parts = site.servers_usd_per_w_per_year.value + site.running_usd_per_w_per_year.value
    assert parts < site.tco_usd_per_w_per_year.value
    upkeep = catalog.get("costs", "upkeep-epoch").staff_usd_per_w_per_year.value
    assert upkeep == pytest.approx(site.running_usd_per_w_per_year.value - site.energy_usd_per_w_per_year.value)


def test_every_quote_has_a_date_and_a_term(catalog: Catalog) -> None:
    quotes = {name: one for name, one in entries(catalog, "rent").items() if one.rent_usd_per_h is not None}
    assert len(quotes) >= 9
    for name, quote in quotes.items():
        assert quote.quoted, name
        assert quote.term, name
        assert quote.accelerator in catalog.ids("accelerators"), name
        assert quote.rent_usd_per_h.currency_year is not None


def test_the_capacity_effects_are_assumed(catalog: Catalog) -> None:
    """No source gives them (lifecycle reference, "Never print as published")."""
    effects = [getattr(entry, field) for role, field in (("cooling-plant", "thermal_derate_fraction"),
               ("cooling-plant", "fan_saved_fraction"), ("network", "throughput_factor"))
               for entry in entries(catalog, role).values()]  # fmt: skip
    told = [one for one in effects if one is not None]
    assert {0.06, 0.08, 1.06} <= {one.value for one in told}
    assert {(one.grade, one.evidence, one.source) for one in told} == {("assumption", "assumed", "aiplan-choice")}


@pytest.mark.parametrize(
    ("name", "field", "value", "evidence"),
    [("flat", "usd_per_w", 7.0, "published"), ("flat", "domain_w", 10e6, "assumed"),
     ("air", "usd_per_w", 2.5, "published"), ("air", "rack_limit_w", 41e3, "second-hand"),
     ("hybrid", "usd_per_w", 2.9, "assumed"), ("hybrid", "liquid_fraction", 0.75, "published"),
     ("network-table-iii", "server_usd", 2000.0, "published"), ("ethernet", "server_usd", 300.0, "published"),
     ("upkeep-table-iii", "maintenance_usd_per_year", 5000.0, "published"),
     ("upkeep-table-iii", "beyond_life_factor", 1.15, "published"),
     ("failures-h100", "annual_failure_fraction", 0.04, "second-hand"),
     ("capital-reopt", "discount_fraction", 0.0624, "published"),
     ("capital-reopt", "escalation_fraction", 0.0166, "published"),
     ("sale-broker", "price_factor", 0.85, "published"), ("lives-amazon", "it_life_years", 5.0, "second-hand"),
     ("dominion-gs5", "minimum_wires_fraction", 0.85, "unverified"),
     ("wholesale", "energy_usd_per_kwh", 0.03, "derived"),
     ("upkeep-2025", "maintenance_usd_per_year", 7500.0, "assumed")],
)  # fmt: skip
def test_values_as_the_reference_marks_them(
    catalog: Catalog, name: str, field: str, value: float, evidence: str
) -> None:
    found = getattr(catalog.get("costs", name), field)
    assert (found.value, found.evidence) == (value, evidence)


PLANT = """\
[mine]
name = "My plant"
source = "mine"
grade = "estimate"
role = "cooling-plant"
"""


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("usd_per_w = -1\n", "E102"),
        ("throughput_factor = 0\n", "E102"),
        ("rack_limit_w = inf\n", "E006"),
        ("anchor_fraction = [1.0, 1.2]\n", "E102"),
        ('cooling_systems = ["Not An Id"]\n', "E102"),
        ("petrol_usd = 3\n", "E100"),
    ],
)
def test_entries_that_do_not_fit(tmp_path: Path, more: str, code: str) -> None:
    folder = write(tmp_path, {"costs.toml": PLANT + more, "sources/mine.toml": SOURCE})
    with pytest.raises(InputError) as caught:
        Catalog(folder)
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == (code, 6)


def test_a_role_that_is_none(tmp_path: Path) -> None:
    folder = write(tmp_path, {"costs.toml": PLANT.replace("cooling-plant", "magic"), "sources/mine.toml": SOURCE})
    with pytest.raises(InputError) as caught:
        Catalog(folder)
    assert [problem.line for problem in caught.value.problems] == [5]


def test_lint_watches_over_costs(tmp_path: Path) -> None:
    """A second-hand price passed off as published, and a price without a year."""
    more = 'usd_per_w = { value = 3, source = "rack-air-limit", evidence = "published", currency_year = 2026 }\n'
    folder = write(tmp_path, {"costs.toml": PLANT + more + "shell_usd_per_w = 1\n", "sources/mine.toml": SOURCE})
    codes = {problem.code for problem in lint_catalog(Catalog(folder, check=False))[0]}
    assert {"E150", "E143"} <= codes
