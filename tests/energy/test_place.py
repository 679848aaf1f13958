"""Where PUE, water and carbon come from when several could give them."""

from __future__ import annotations

from pathlib import Path

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.plan import plan

CATALOG = Catalog()


def value(path: str, *changes: str) -> float:
    loaded = load_scenario("frontier-chat", EnergyInputs, ["uncertainty.samples=200", *changes], "energy")
    return plan(loaded.inputs, CATALOG).case.parameters.items[path].quantity.value


def test_another_operator_changes_pue_and_water() -> None:
    assert value("facility.pue", "facility.operator=google") == 1.09
    assert value("facility.wue_l_per_kwh", "facility.operator=google") == 1.15


def test_a_site_gives_carbon_and_water_before_the_grid() -> None:
    site, grid = CATALOG.get("sites", "dublin-ie"), CATALOG.get("grids", "country-fra").carbon_g_per_kwh.value
    assert value("facility.carbon_g_per_kwh", "facility.site=dublin-ie") == site.carbon_g_per_kwh.value
    assert value("facility.carbon_g_per_kwh", "facility.grid=country-fra") == grid


def test_a_number_given_wins() -> None:
    assert value("facility.pue", "facility.operator=google", "facility.pue=1.5") == 1.5
    assert value("facility.carbon_g_per_kwh", "facility.site=dublin-ie", "facility.carbon_g_per_kwh=1") == 1


def test_a_scenario_on_a_base_brings_its_own_blend(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        """
        [scenario]
        name = "mine"
        base = "frontier-chat"
        [serving]
        models = ["llama-3.3-70b"]
        [energy.blend]
        name = "one small model"
        [energy.blend.weights]
        "llama-3.3-70b" = 1
        """,
        encoding="utf-8",
    )
    loaded = load_scenario(str(file), EnergyInputs, ["uncertainty.samples=200"], "energy")
    assert list(plan(loaded.inputs, CATALOG).case.blend) == ["llama-3.3-70b"]


def test_a_table_carried_over_is_of_a_precision_the_accelerator_has() -> None:
    loaded = load_scenario("frontier-chat", EnergyInputs, ["serving.server=mi300x-8gpu", "uncertainty.samples=200"])
    for model in plan(loaded.inputs, CATALOG).case.models:
        assert model.profile.carried_from
        assert model.profile.precision not in ("fp4", "nvfp4"), model.id
