"""`aiplan site` as a whole: the sum of the parts, the planners it stands on, refusals, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.errors import InfeasibleError, InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.cooling.inputs import CoolingInputs
from aiplan.planners.cooling.plan import plan as plan_cooling
from aiplan.planners.power.inputs import PowerInputs
from aiplan.planners.power.plan import plan as plan_power
from aiplan.planners.site.annual import hall_loss
from aiplan.planners.site.plan import mean_load
from aiplan.planners.site.report import LINES, ORDER
from aiplan.report.formats import render
from tests.cli.runner import run
from tests.energy.test_golden import assert_same
from tests.site.golden import FOLDER, NAME, answer, result, shipped

STABLE = ("servers", "gpus", "stranded_power_mw", "capping_probability", "pue_annual", "pue_worst_hour",
          "wue_annual_l_per_kwh", "it_power_mw", "facility_power_mw")  # fmt: skip


def value(line: str, *overrides: str) -> Any:
    return answer(*overrides).line(line).value


# ---- the shipped case ----


def test_golden() -> None:
    found = json.loads(render(answer(), "json"))
    assert_same(found, json.loads((FOLDER / f"{NAME}.json").read_text(encoding="utf-8")))


def test_stable_lines_are_there_and_every_line_is_described() -> None:
    lines = [line.id for line in answer().lines]
    assert set(STABLE) <= set(lines)
    assert lines == [name for name in ORDER if name in lines]
    assert set(LINES) <= set(ORDER)
    assert all(line.formula and line.sources and line.inputs for line in answer().lines)


# ---- the sum of the parts is the whole ----


@pytest.mark.parametrize("system", ["hyperscale-water-side", "hyperscale-air-side", "direct-to-chip-40c-dry"])
def test_energy_adds_up_part_by_part_and_hour_by_hour(system: str) -> None:
    found = result(f"cooling.system={system}")
    hours, mechanical = found.weather.hours, found.hourly.pue - 1.0
    grid = found.chain.grid_w(mechanical)
    parts = found.chain.it_w * (1.0 + sum(found.hourly.power.values())) + found.chain.other_w
    parts = parts + sum(found.chain.losses_w(mechanical).values())
    np.testing.assert_allclose(np.broadcast_to(parts, grid.shape), grid, rtol=1e-12)
    assert sum(found.energy_mwh.values()) == pytest.approx(float(grid @ hours) / 1e6, rel=1e-9)
    record = answer(f"cooling.system={system}").table("energy").records()
    assert record[-1]["energy_mwh"] == pytest.approx(sum(row["energy_mwh"] for row in record[:-1]), rel=1e-9)


def test_water_adds_up() -> None:
    found = result()
    assert sum(found.water_m3.values()) == pytest.approx(
        float(found.hourly.wue @ found.weather.hours) * found.chain.it_w / 1e6, rel=1e-9
    )


def test_lines_follow_from_each_other() -> None:
    found = result()
    lines, place = found.lines, found.case.parameters.medians()
    energy = sum(found.energy_mwh.values())
    assert lines["carbon_t"]["p50"] == pytest.approx(
        lines["energy_mwh"]["p50"] * place["site.carbon_g_per_kwh"] / 1e3, rel=1e-9
    )
    assert lines["electricity_usd"]["p50"] == pytest.approx(
        lines["energy_mwh"]["p50"] * 1e3 * place["site.price_usd_per_kwh"], rel=1e-9
    )
    assert energy / found.energy_mwh["IT"] == pytest.approx(float(lines["pue_annual"]["p50"] or 0), rel=0.01)


# ---- it is what the planners it stands on say ----


def test_capacity_is_the_power_planners_with_this_cooling() -> None:
    found = result()
    worst, mean = found.power.mechanical
    inputs = load_scenario("power-100mw", PowerInputs, [
        f"facility.mechanical_worst_fraction={worst!r}", f"facility.mechanical_mean_fraction={mean!r}",
        *(f"levels.{kind}.count={len(level.names)}" for kind, level in
          ((level.kind, level) for level in found.found.design.levels)),
    ], "power").inputs  # fmt: skip
    alone = plan_power(inputs, shipped()).found
    assert (alone.servers, alone.gpus, alone.binding) == (found.found.servers, found.found.gpus, found.found.binding)
    assert alone.worst.grid_w == pytest.approx(found.found.worst.grid_w, rel=1e-9)


def test_cooling_is_the_cooling_planners_beside_its_losses() -> None:
    # A load of one, no electrical losses but those of the chain, given as lighting.
    found = result("classes={}", "power.rule=nameplate")
    assert mean_load(found.found) == 1.0
    loss = hall_loss(found.found.design.levels, found.found.mean) + 0.001
    inputs = load_scenario("cooling-ashburn", CoolingInputs, [
        "cooling.ups_efficiency_fraction=1", "cooling.distribution_loss_fraction=0",
        f"cooling.lighting_fraction={loss!r}",
    ], "cooling").inputs  # fmt: skip
    alone = plan_cooling(inputs, shipped()).hourly
    np.testing.assert_allclose(found.hourly.wue, alone.wue, rtol=1e-9)
    np.testing.assert_allclose(found.hourly.pue - 1.0, alone.pue - 1.0 - loss, rtol=1e-9)


def test_the_worst_hour_sizes_and_the_year_is_billed() -> None:
    found = result()
    assert found.found.worst.grid_w <= found.found.design.contract_w * (1 + 1e-9)
    assert found.power.mechanical[0] == pytest.approx(found.found.worst.mechanical_w / found.found.worst.it_w)
    assert found.power.mechanical[0] > found.power.mechanical[1]
    assert value("pue_worst_hour") > value("pue_annual") > 1.0


# ---- what changes what ----


def test_blocks_are_the_fewest_that_use_up_the_connection() -> None:
    assert value("binding") == "contract"
    blocks = value("blocks")
    fewer = result(f"blocks.count={blocks - 1}")
    assert fewer.found.binding != "contract"
    assert fewer.found.servers < value("servers")


@pytest.mark.parametrize("contract_mw", [1000, 3000])
def test_large_connections_take_proportionally_many_blocks(contract_mw: int) -> None:
    # The search once began with one block behind the whole connection, and overshot above 2 GW.
    scale = contract_mw / 100
    assert value("blocks", f"grid.contract_mw={contract_mw}") == pytest.approx(scale * value("blocks"), rel=0.1)
    assert value("servers", f"grid.contract_mw={contract_mw}") == pytest.approx(scale * value("servers"), rel=0.01)


def test_more_blocks_than_can_be_laid_out_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        answer("grid.contract_mw=1000000")
    assert caught.value.code == "E261"


def test_twice_the_connection_carries_twice_the_servers() -> None:
    one, two = value("servers"), value("servers", "grid.contract_mw=200")
    assert two == pytest.approx(2 * one, rel=0.01)


def test_on_the_same_blocks_more_redundancy_never_adds_servers() -> None:
    for blocks in (8, 12, 18):
        servers = [value("servers", f"redundancy.scheme={name}", f"blocks.count={blocks}") for name in
                   ("n", "4n/3", "2n")]  # fmt: skip
        assert servers == sorted(servers, reverse=True)


@pytest.mark.parametrize(("worse", "better"), [
    (("redundancy.scheme=2n", "blocks.count=10"), ("redundancy.scheme=n", "blocks.count=10")),
    (("site.place=singapore",), ("site.place=lulea-se",)),
    (("power.rule=nameplate",), ()),
])  # fmt: skip
def test_servers_never_rise_with(worse: tuple[str, ...], better: tuple[str, ...]) -> None:
    assert value("servers", *worse) < value("servers", *better)


def test_flat_power_strands_no_more() -> None:
    assert value("stranded_power_mw", "power.topology=flat") <= value("stranded_power_mw") + 1e-9


def test_numbers_of_the_scenario_win_over_the_places() -> None:
    overrides = ("site.carbon_g_per_kwh=100", "site.price_usd_per_kwh=0.05")
    assert value("carbon_t", *overrides) == pytest.approx(value("energy_mwh", *overrides) * 0.1, rel=1e-9)
    assert value("electricity_usd", *overrides) == pytest.approx(value("energy_mwh", *overrides) * 50, rel=1e-9)


def test_there_is_one_price_of_electricity() -> None:
    cheap, dear = (answer("cost.basis=server", f"site.price_usd_per_kwh={price}") for price in (0.05, 0.15))
    rise = (dear.line("usd_per_h").value - cheap.line("usd_per_h").value) * 8760
    nominal = cheap.line("energy_nominal_mwh").value
    # Transformers lose with the square of the load: the mean hour's loss is not quite the mean of the hours'.
    assert rise == pytest.approx(nominal * 1e3 * 0.1, rel=1e-5)


def test_servers_without_a_price_of_electricity_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        answer("site.place=4A", "cost.basis=server")
    assert caught.value.code == "E260"


def test_totals_at_medians_are_those_of_the_tables() -> None:
    found = answer()
    for line, table, column in (
        ("energy_nominal_mwh", "energy", "energy_mwh"),
        ("water_nominal_m3", "water", "water_m3"),
    ):
        assert found.line(line).value == pytest.approx(found.table(table).records()[-1][column], rel=1e-12)
    ratio = found.line("energy_nominal_mwh").value / found.line("it_energy_mwh").value
    assert found.line("pue_nominal").value == pytest.approx(ratio, rel=1e-12)


def test_a_figure_given_beside_the_catalogs_is_said() -> None:
    codes = [warning.code for warning in answer("site.place=singapore").warnings]
    assert "W-SITE-GIVEN" in codes
    assert "W-SITE-GIVEN" not in [warning.code for warning in answer().warnings]


def test_what_nobody_knows_is_left_out_and_said() -> None:
    found = answer("site.place=4A", "site.shell_usd_per_w=11.7")
    assert "W-SITE-UNKNOWN" in [warning.code for warning in found.warnings]
    lines = {line.id for line in found.lines}
    assert lines.isdisjoint({"carbon_t", "electricity_usd", "offsite_water_m3"})
    assert "energy_mwh" in lines
    assert found.line("shell_usd_per_kw").value == pytest.approx(11_700)


def test_weather_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mild.csv"
    file.write_text("drybulb_c,rh_fraction,pressure_pa,hours\n15,0.6,101325,8760\n", encoding="utf-8")
    mild = answer(f'site.weather_file="{file}"')
    assert mild.line("servers").value > value("servers")
    # Every hour is the same; what is left between the two is load and loss of the chain.
    assert mild.line("pue_worst_hour").value == pytest.approx(mild.line("pue_annual").value, abs=0.02)


# ---- bad input ----


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        answer("site.place=atlantis", "cooling.system=magic")
    assert {problem.path for problem in caught.value.problems} == {"site.place", "cooling.system"}


def test_bounds_are_those_of_the_power_planner() -> None:
    with pytest.raises(InputError, match="other_fraction"):
        answer("facility.other_fraction=2")


def test_nothing_fits() -> None:
    with pytest.raises(InfeasibleError, match="not one"):
        answer("grid.contract_kw=20", "blocks.count=1")


@pytest.mark.slow
def test_exit_codes_of_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    good = run("site", "--format", "json")
    assert good.code == 0
    assert json.loads(good.out)["schema"] == "aiplan/site/1"
    wrong = run("site", "--set", "site.plaec=x")
    assert wrong.code == 2
    assert "did you mean 'place'" in wrong.err
    assert "Traceback" not in wrong.err
