"""What a report of `aiplan stabilize` hands to `power` and `lifecycle`, what they make of it, and hostile files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import InputError
from aiplan.planners.lifecycle.optimise import optimise
from aiplan.planners.lifecycle.problem import all_vintages, problem
from aiplan.planners.lifecycle.world import SiteStorage
from aiplan.planners.stabilize.annual import Episodes, Rates
from aiplan.planners.stabilize.handover import moments, weights
from aiplan.planners.stabilize.handover_file import MAX_BYTES, SCHEMA, read_handover
from aiplan.planners.stabilize.wave import CHECKPOINT, IDLE, ITERATION, START, STOP
from tests.cli.runner import Outcome, run
from tests.lifecycle.worlds import changed, small_world

RATED_W = 120_000 / 72
"""Rating of a GB200 NVL72 rack in the catalog, per accelerator [W]."""
COUNT = 100_000
SQUARE = ("jobs.main.jitter_fraction=0", "machine.device_time_constant_s=0", "year.checkpoints_per_day=0",
          "year.starts_per_day=0")  # fmt: skip
SITE_STORAGE = ('mitigation.storage.bank.technology="supercapacitor"', 'mitigation.storage.bank.level="site"',
                "mitigation.storage.bank.energy_mwh=0.3", "mitigation.storage.bank.power_mw=110",
                "mitigation.storage.bank.time_constant_s=3")  # fmt: skip
Edit = Callable[..., str]


def sets(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def stabilized(path: Path, *changes: str) -> dict[str, Any]:
    done = run("stabilize", *sets(*changes), "--format", "json", "-o", str(path))
    assert done.code in (0, 4), done.err
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("handover")


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    """The shipped job with its recommended mix, storage at the site."""
    return stabilized(folder / "grid.json")


@pytest.fixture
def edit(report: dict[str, Any], tmp_path: Path) -> Edit:
    """A copy of the report with other values in its table, and storage in place of its own where given."""

    def changed(storage: list[tuple[float, float, float | None]] | None = None, **values: Any) -> str:
        copy = json.loads(json.dumps(report))
        copy["lines"][0]["value"] = values.pop("verdict", "pass")
        rows = copy["tables"]["handover"]
        if storage is not None:
            rows = [row for row in rows if not row["path"].startswith("storage_")]
            values["storage_count"] = len(storage)
            for number, (price, upkeep, life) in enumerate(storage, start=1):
                start = f"storage_{number}"
                values |= {f"{start}_name": "cells, site", f"{start}_usd_per_w": price,
                           f"{start}_upkeep_usd_per_w_per_year": upkeep, f"{start}_life_years": life}  # fmt: skip
        known = {row["path"]: row for row in rows}
        for path, value in values.items():
            if path in known:
                known[path]["value"] = value
            else:
                rows.append({"planner": "lifecycle", "path": path, "value": value})
        copy["tables"]["handover"] = rows
        file = tmp_path / "edited.json"
        file.write_text(json.dumps(copy), encoding="utf-8")
        return str(file)

    return changed


def lines_of(report: dict[str, Any]) -> dict[str, Any]:
    return {line["id"]: line["value"] for line in report["lines"]}


def answer(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--format", "json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def power(file: str, *changes: str) -> dict[str, Any]:
    return answer("power", *sets(f"power.stabilized={json.dumps(file)}", 'power.stabilized_class="training"', *changes))


ALONE = ("classes.training.share_fraction=1", "classes.inference.share_fraction=0")


def tco(*changes: str, file: str | None = None, scenario: str = "site-1gw-gb200") -> dict[str, Any]:
    named = () if file is None else (f"site.stabilized={json.dumps(file)}",)
    return answer("tco", scenario, *sets(*named, *changes))


def cost(report: dict[str, Any], line: str, kind: str | None = None) -> float:
    rows = report["tables"]["cost_lines"]
    return float(sum(row["total_usd"] for row in rows if row["line"] == line and kind in (None, row["kind"])))


# What is handed over


def test_a_square_wave_has_its_closed_forms(folder: Path) -> None:
    """1.6 s at 0.95 and 0.4 s at 0.35 of 1,200 W beside 350 W; no start, no checkpoint in the year."""
    found = stabilized(folder / "square.json", *SQUARE, "mitigation.period_factor=1")
    told = read_handover(folder / "square.json")
    high, low = (0.95 * 1200 + 350) / RATED_W, (0.35 * 1200 + 350) / RATED_W
    duty = 0.8
    assert told.power["mean_fraction"] == pytest.approx(duty * high + (1 - duty) * low, rel=2e-3)
    assert told.power["sd_fraction"] == pytest.approx((high - low) * (duty * (1 - duty)) ** 0.5, rel=5e-3)
    assert told.power["skewness"] == pytest.approx((1 - 2 * duty) / (duty * (1 - duty)) ** 0.5, rel=2e-2)
    assert told.power["excess_kurtosis"] == pytest.approx((1 - 6 * duty * (1 - duty)) / (duty * (1 - duty)), abs=0.03)
    assert told.power["peak_fraction"] == pytest.approx(high, rel=1e-9)
    # The checkpoint that the run shows is the least, though the year has none.
    assert told.power["floor_fraction"] == pytest.approx((0.20 * 1200 + 350) / RATED_W, rel=1e-9)
    assert told.power["constant_fraction"] == pytest.approx(350 / RATED_W, rel=1e-9)
    assert (told.server, told.storage, told.power["rho_within"]) == ("gb200-nvl72-rack", (), 1.0)
    assert told.lifecycle["energy_overhead_share"] == pytest.approx(0.0, abs=1e-12)
    assert told.power["connection_before_mw"] == pytest.approx(told.power["connection_peak_mw"], rel=1e-12)
    assert told.verdict == lines_of(found)["verdict"] == "fail"


def test_lines_and_rows_agree(report: dict[str, Any], folder: Path) -> None:
    told, lines = read_handover(folder / "grid.json"), lines_of(report)
    assert told.verdict == "pass"
    assert told.grade == report["lines"][0]["grade"]
    assert told.scenario == "stabilize-100k"
    assert told.lifecycle["energy_overhead_share"] == lines["energy_overhead_share"]
    assert told.lifecycle["slowdown_share"] == lines["slowdown_share"]
    assert told.power["connection_peak_mw"] == pytest.approx(lines["peak_mw"], rel=1e-12)
    assert told.power["connection_before_mw"] > told.power["connection_peak_mw"]
    (bank,) = told.storage
    assert bank.usd_per_w * COUNT * RATED_W == pytest.approx(lines["capital_cost_usd"], rel=1e-9)
    assert bank.life_years == lines["storage_life_years"]
    # 0.95 of a year's hours, and what the bank loses in it.
    it_mwh = told.power["mean_fraction"] * COUNT * RATED_W / 1e6 * 8760 * 0.95
    lost = sum(row["losses_mwh_per_year"] for row in report["tables"]["storage"])
    assert told.power["site_loss_share"] == pytest.approx(lost / it_mwh, rel=1e-6)
    # The job itself is not changed by storage at the site, so that its losses are all of the energy added.
    assert lost == pytest.approx(lines["energy_overhead_mwh_per_year"], rel=1e-6)


def test_storage_in_the_rack_is_in_the_power_of_a_server(folder: Path) -> None:
    """It counts once: in a server's power, not in the losses at the site."""
    stabilized(folder / "plain.json", *SQUARE, "mitigation.period_factor=1")
    rack = [one.replace('"site"', '"rack"').replace("bank.energy_mwh=0.3", "bank.energy_j_per_gpu=5000")
            for one in SITE_STORAGE]  # fmt: skip
    stabilized(folder / "rack.json", *SQUARE, *rack)
    stabilized(folder / "site.json", *SQUARE, *SITE_STORAGE)
    plain, inside, outside = (read_handover(folder / f"{name}.json") for name in ("plain", "rack", "site"))
    assert inside.power["sd_fraction"] < 0.5 * plain.power["sd_fraction"]
    assert inside.power["mean_fraction"] > plain.power["mean_fraction"]
    assert inside.power["site_loss_share"] == 0.0 < inside.storage[0].usd_per_w
    for name in ("mean_fraction", "sd_fraction", "peak_fraction", "floor_fraction"):
        assert outside.power[name] == pytest.approx(plain.power[name], rel=1e-12)
    assert outside.power["site_loss_share"] > 0


def test_weights_are_the_year_that_energy_is_counted_by() -> None:
    kinds = (
        [IDLE] * 30 + [START] * 20 + [ITERATION] * 400 + [CHECKPOINT] * 15 + [ITERATION] * 400 + [STOP, *[IDLE] * 30]
    )
    episodes = Episodes.of(np.array(kinds, dtype=np.int8), 0.5, 10.0)
    rates = Rates(0.9, 700.0, 5_000.0, 40.0)
    weight = weights(episodes, rates)
    assert weight.sum() == pytest.approx(0.9 * 8760, rel=1e-12)
    values = np.random.Generator(np.random.PCG64(7)).uniform(1.0, 5.0, len(kinds)) * episodes.busy
    assert weight @ values == pytest.approx(episodes.annual(values, rates), rel=1e-9)
    # More starts than a year has room for: the run as it is.
    crowded = weights(episodes, Rates(0.9, 1e9, 0.0, 0.0))
    assert np.array_equal(crowded > 0, episodes.busy)
    assert np.ptp(crowded[episodes.busy]) == 0.0


def test_moments_by_weight_are_those_of_repeated_values() -> None:
    values, often = np.array([1.0, 2.0, 5.0]), np.array([3, 1, 2])
    long = np.repeat(values, often)
    mean, sd, skewness, kurtosis = moments(values, often.astype(float))
    assert (mean, sd) == pytest.approx((long.mean(), long.std()), rel=1e-12)
    assert skewness == pytest.approx(((long - mean) ** 3).mean() / sd**3, rel=1e-12)
    assert kurtosis == pytest.approx(((long - mean) ** 4).mean() / sd**4 - 3, rel=1e-12)
    assert moments(np.full(5, 2.0), np.ones(5)) == (2.0, 0.0, 0.0, 0.0)


# What power makes of it


def test_power_plans_with_the_stabilised_class(report: dict[str, Any], folder: Path) -> None:
    told = read_handover(folder / "grid.json")
    found = power(str(folder / "grid.json"))
    inputs = {one["path"]: one for one in found["inputs"]}
    for name in ("mean_fraction", "sd_fraction", "peak_fraction", "floor_fraction", "skewness", "excess_kurtosis",
                 "rho_within"):  # fmt: skip
        record = inputs[f"classes.training.{name}"]
        assert record["value"] == told.power[name]
        assert (record["sources"], record["evidence"]) == (["grid.json"], "derived")
    assert inputs["classes.inference.mean_fraction"]["sources"] != ["grid.json"]
    note = next(row["text"] for row in found["context"] if row["label"] == "Stabilised")
    assert "mean 0.805 in place of 0.76" in note
    table = {row["quantity"]: row for row in found["tables"]["stabilized"]}
    each = table["accelerators of the class"]["stabilized"] / COUNT
    assert table["accelerators of the class"]["stabilized"] == pytest.approx(0.4 * lines_of(found)["gpus"])
    shown = table["their peak at a connection, with all measures"]["stabilized"]
    assert shown == pytest.approx(each * lines_of(report)["peak_mw"])
    assert {one["code"] for one in found["warnings"]} >= {"W-POWER-STABILIZED"}


def test_servers_by_the_peak_rule(folder: Path, report: dict[str, Any]) -> None:
    """A limit carries nameplate over the factor ``(peak + network) / (1 + network)``; classes by their shares."""
    peak = read_handover(folder / "grid.json").power["peak_fraction"]
    flat = ('power.rule="peak"', 'power.topology="flat"')
    for changes, expected in ((ALONE, peak), ((), 0.4 * peak + 0.6 * 0.82)):
        found = lines_of(power(str(folder / "grid.json"), *flat, *changes))
        planned = found["it_power_mw"] / (found["servers"] * 14.3e-3 * 1.05)
        assert planned == pytest.approx((expected + 0.05) / 1.05, rel=1e-6)


def test_losses_at_the_site_are_part_of_other_load(folder: Path, report: dict[str, Any]) -> None:
    told = read_handover(folder / "grid.json").power
    found = power(str(folder / "grid.json"), *ALONE)
    chain = {row["part"]: row for row in found["tables"]["chain"]}
    servers = lines_of(found)["servers"]
    loss_mw = told["site_loss_share"] * told["mean_fraction"] * servers * 14.3e-3
    lighting_mw = 0.001 * chain["IT"]["mean_mw"]
    assert chain["other"]["mean_mw"] == pytest.approx(lighting_mw + loss_mw, rel=1e-6)
    half = power(str(folder / "grid.json"))
    table = {row["quantity"]: row for row in half["tables"]["stabilized"]}
    over = table["lighting, losses of storage and the like over IT"]
    mix = 0.4 * told["mean_fraction"] + 0.6 * 0.55 + 0.05
    expected = 0.001 + told["site_loss_share"] * 0.4 * told["mean_fraction"] / mix
    assert over == {**over, "scenario": 0.001, "stabilized": pytest.approx(expected, rel=1e-9)}


def test_a_higher_peak_never_fits_more_servers(edit: Edit) -> None:
    for rule in ("peak", "oversubscribed"):
        fits = [lines_of(power(edit(peak_fraction=peak), f'power.rule="{rule}"', *ALONE))["servers"]
                for peak in (0.87, 0.9, 0.95, 1.0)]  # fmt: skip
        assert fits == sorted(fits, reverse=True), rule
        assert fits[0] > fits[-1], rule


def test_servers_in_step_gain_nothing_from_their_number(edit: Edit) -> None:
    """Correlation 1: the sum's deviation grows as the number, so that a hall plans as one server does."""
    found = lines_of(power(edit(site_loss_share=0.0), *ALONE, 'power.topology="flat"'))
    other = lines_of(power(edit(rho_within=0.0, site_loss_share=0.0), *ALONE, 'power.topology="flat"'))
    assert other["servers"] > found["servers"]


def test_site_takes_the_class_too(folder: Path, report: dict[str, Any]) -> None:
    file = folder / "grid.json"
    named = sets(f"power.stabilized={json.dumps(str(file))}", 'power.stabilized_class="training"')
    found = answer("site", "--samples", "10", *named)
    plain = answer("site", "--samples", "10")
    energy, before = (
        {row["part"]: row["over_it_fraction"] for row in one["tables"]["energy"]} for one in (found, plain)
    )
    other = next(part for part in energy if "other" in part or "lighting" in part)
    assert energy[other] > before[other]


# What lifecycle makes of it


def test_cost_lines_by_hand(report: dict[str, Any], folder: Path, edit: Edit) -> None:
    """1 GW of halls for five years, undiscounted."""
    told = read_handover(folder / "grid.json")
    plain, found = tco(), tco(file=str(folder / "grid.json"))
    (bank,) = told.storage
    assert cost(found, "stabilisation storage") == pytest.approx(1e9 * bank.usd_per_w, rel=1e-9)
    assert cost(found, "storage upkeep") == pytest.approx(5e9 * bank.upkeep_usd_per_w_year, rel=1e-9)
    assert cost(found, "storage replacement") == 0.0
    more = 1.0 + lines_of(report)["energy_overhead_share"]
    for line in ("energy", "water"):
        assert cost(found, line) == pytest.approx(more * cost(plain, line), rel=1e-9)
    for line in ("servers", "network", "shell", "power plant", "maintenance"):
        assert cost(found, line) == pytest.approx(cost(plain, line), rel=1e-12)
    assert "stabilize-100k: pass" in next(row["text"] for row in found["context"] if row["label"] == "Stabilised")
    record = {one["path"]: one for one in found["inputs"]}["site.stabilized.storage_1.usd_per_w"]
    assert (record["unit"], record["sources"]) == ("USD/W", ["grid.json"])


def test_a_share_of_the_site(edit: Edit) -> None:
    file = edit([(0.2, 0.01, None)], energy_overhead_share=0.1, slowdown_share=0.05)
    plain, found = tco(), tco("site.stabilized_share_fraction=0.25", file=file)
    assert cost(found, "stabilisation storage") == pytest.approx(0.25 * 0.2e9, rel=1e-9)
    assert cost(found, "energy") == pytest.approx(1.025 * cost(plain, "energy"), rel=1e-9)
    none = tco("site.stabilized_share_fraction=0", file=file)
    assert lines_of(none)["tco_usd"] == lines_of(plain)["tco_usd"]
    assert lines_of(none)["usd_per_million_tokens"] == lines_of(plain)["usd_per_million_tokens"]


def test_carbon_and_demand_charge_rise_with_energy(edit: Edit) -> None:
    file = edit([], energy_overhead_share=0.1)
    priced = ("market.carbon_usd_per_t=100", 'market.tariff="dominion-gs5"')
    plain, found = tco(*priced), tco(*priced, file=file)
    for line in ("energy", "carbon", "demand charge"):
        assert cost(plain, line) > 0
        assert cost(found, line) == pytest.approx(1.1 * cost(plain, line), rel=1e-9), line


def test_a_slower_job_costs_more_for_the_same_work(edit: Edit) -> None:
    """The site is filled: as many servers do less, so that a token costs as much more as it takes longer."""
    quick, slow = (lines_of(tco(file=edit([], energy_overhead_share=0.0, slowdown_share=one))) for one in (0.0, 0.1))
    assert slow["servers_start"] == pytest.approx(quick["servers_start"], rel=1e-9)
    assert slow["usd_per_million_tokens"] == pytest.approx(1.1 * quick["usd_per_million_tokens"], rel=1e-9)


@pytest.mark.parametrize(
    ("life", "again", "left"),
    [(2.0, 2.0, 0.5), (5.0, 0.0, 0.0), (0.5, 9.0, 0.0), (1.5, 3.0, 2 / 3), (8.0, 0.0, 3 / 8), (None, 0.0, 2 / 3)],
)
def test_storage_is_bought_again_when_it_is_worn_out(edit: Edit, life: float, again: float, left: float) -> None:
    """Five years: a store of two years is bought at 0, 2 and 4, and half of the last is left. Halls last fifteen."""
    found = tco('account.mode="book"', file=edit([(0.1, 0.0, life)]))
    assert cost(found, "stabilisation storage") == pytest.approx(1e8, rel=1e-9)
    assert cost(found, "storage replacement") == pytest.approx(again * 1e8, rel=1e-9)
    assert cost(found, "terminal value of storage") == pytest.approx(-left * 1e8, rel=1e-9, abs=1.0)


@settings(max_examples=60, deadline=None)
@given(
    life=st.one_of(st.floats(0.13, 12.0), st.sampled_from([0.5, 1.0, 2.0, 3.0, np.inf])),
    hall=st.sampled_from([1.0, 2.0, 5.0, 20.0]), dt=st.sampled_from([0.25, 0.5, 1.0]), periods=st.integers(1, 9),
)  # fmt: skip
def test_purchases_of_storage_one_by_one(life: float, hall: float, dt: float, periods: int) -> None:
    """The cost lines against a plain count of every store bought for a watt that opens in each period."""
    world = small_world(periods, accounting="book")
    world = replace(world, clock=replace(world.clock, dt_years=dt))
    store = SiteStorage("cells", np.array(2.0), np.array(0.1), life)
    world = changed(world, storage=(store,), hall_life_years=hall)
    made = problem(world, all_vintages(world, None))
    lines = {
        line.name: line.usd
        for line in made.lines
        if line.name.startswith(("storage", "stabil", "terminal value of st"))
    }
    again, left = np.zeros((periods, periods)), np.zeros(periods)
    end = periods * dt
    for opened in range(periods):
        begin, gone = opened * dt, min(opened * dt + hall, end)
        bought = begin
        while bought + life < gone - 1e-9:
            bought += life
            again[opened, int(np.floor(bought / dt + 1e-9))] += 2.0
        # What a hall leaves no time for is lost with it.
        last = min(life, hall)
        used = (end - bought) / last if begin + hall >= end - 1e-9 else 1.0
        left[opened] = 2.0 * (1.0 - min(used, 1.0))
    assert lines["stabilisation storage"] == pytest.approx(np.full(periods, 2.0))
    assert lines["storage upkeep"] == pytest.approx(np.full(periods, 0.1 * dt))
    assert lines.get("storage replacement", np.zeros_like(again)) == pytest.approx(again, abs=1e-9)
    assert -lines.get("terminal value of storage", np.zeros(periods)) == pytest.approx(left, abs=1e-9)


@pytest.mark.parametrize("accounting", ["paper", "book", "finance"])
def test_storage_that_lasts_is_as_a_dearer_hall(accounting: Any) -> None:
    """Without upkeep and wear its price is one more cost of the hall, for the optimum as for the ledger."""
    plain = small_world(accounting=accounting, hall_maintenance_fraction=np.array(0.0), tax_rate=0.25)
    stored = changed(plain, storage=(SiteStorage("cells", np.array(1.5), np.array(0.0)),))
    dearer = changed(plain, hall_usd_per_w={**plain.site.hall_usd_per_w, "cells": np.array(1.5)})
    by_store, by_hall, cheaper = (optimise(problem(one, all_vintages(one, None))).objective_usd
                                  for one in (stored, dearer, plain))  # fmt: skip
    assert by_store == pytest.approx(by_hall, rel=1e-9)
    assert by_store > cheaper


def test_several_kinds_of_storage_add_up(edit: Edit) -> None:
    both = tco(file=edit([(0.1, 0.002, 2.0), (0.3, 0.001, None)]))
    assert cost(both, "stabilisation storage") == pytest.approx(4e8, rel=1e-9)
    assert cost(both, "storage upkeep") == pytest.approx(5 * 3e6, rel=1e-9)
    assert cost(both, "storage replacement") == pytest.approx(2e8, rel=1e-9)


def test_cost_rises_with_each_number(edit: Edit) -> None:
    for values in (
        [{"energy_overhead_share": one} for one in (-0.05, 0.0, 0.02, 0.3)],
        [{"slowdown_share": one} for one in (0.0, 0.01, 0.2)],
        [{"storage": [(one, 0.0, 10.0)]} for one in (0.0, 0.1, 1.0)],
        [{"storage": [(0.1, 0.0, one)]} for one in (10.0, 4.0, 1.0, 0.3)],
    ):
        price = [lines_of(tco(file=edit(**one)))["usd_per_million_tokens"] for one in values]
        assert price == sorted(price), values
        assert price[0] < price[-1], values


def test_a_file_that_adds_nothing_changes_nothing(edit: Edit) -> None:
    file = edit([], energy_overhead_share=0.0, slowdown_share=0.0)
    assert lines_of(tco(file=file)) == lines_of(tco())


def test_the_optimum_and_taxes_know_of_storage(edit: Edit) -> None:
    """All policies and the optimum are charged by the same coefficients."""
    file = edit([(0.5, 0.01, 4.0)], energy_overhead_share=0.05, slowdown_share=0.02)
    found = tco("study.breaks=false", 'account.mode="finance"', "account.tax_fraction=0.2", file=file,
                scenario="lifecycle-paper")  # fmt: skip
    lines = lines_of(found)
    assert lines["optimum_status"] == "optimal"
    assert lines["optimum_violation"] < 1e-6
    assert lines["regret"] > 0
    assert all(
        row["regret_fraction"] > -1e-9 for row in found["tables"]["policies"] if row["regret_fraction"] is not None
    )
    assert cost(found, "storage replacement") > 0 > cost(found, "terminal value of storage")
    assert cost(found, "tax") != 0


# Without a file, and what carries over badly


def test_nothing_is_said_without_a_file() -> None:
    for arguments in (("power",), ("tco", "site-1gw-gb200")):
        text = run(*arguments, "--format", "json").out.lower()
        assert '"tables"' in text
        assert "stabili" not in text


def test_a_verdict_that_fails_is_told(edit: Edit) -> None:
    for verdict in ("fail", "undetermined"):
        for found in (power(edit(verdict=verdict)), tco(file=edit(verdict=verdict))):
            told = [one["message"] for one in found["warnings"] if one["code"].endswith("-STABILIZED")]
            assert any(f"is '{verdict}'" in one for one in told)


def test_more_accelerators_than_limits_were_held_to_are_told(edit: Edit) -> None:
    told = [one["message"] for one in power(edit(accelerators_count=1000))["warnings"]]
    assert any("limits were held to 1,000 accelerators" in one for one in told)


def test_several_jobs_are_told(edit: Edit) -> None:
    """Staggered jobs are flat together; a row with servers of one is not."""
    told = [one["message"] for one in power(edit(jobs_count=4))["warnings"]]
    assert any("the mean of 4 jobs" in one for one in told)
    assert not any("jobs" in one["message"] for one in power(edit())["warnings"])


def test_halls_that_stand_are_told(folder: Path, report: dict[str, Any]) -> None:
    found = tco("site.standing_mw=100", file=str(folder / "grid.json"))
    assert any("halls that stand" in one["message"] for one in found["warnings"])
    (bank,) = read_handover(folder / "grid.json").storage
    assert cost(found, "stabilisation storage") == pytest.approx(0.9e9 * bank.usd_per_w, rel=1e-9)
    assert cost(found, "storage upkeep") == pytest.approx(5e9 * bank.upkeep_usd_per_w_year, rel=1e-9)


def refused(done: Outcome, code: str, *words: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert f"error[{code}]" in done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


def test_contradictions(edit: Edit) -> None:
    file = json.dumps(edit())
    refused(run("power", *sets(f"power.stabilized={file}")), "E323", "stabilized_class")
    refused(run("power", *sets('power.stabilized_class="training"')), "E323", "power.stabilized is missing")
    refused(run("power", *sets(f"power.stabilized={file}", 'power.stabilized_class="batch"')), "E323", "training")
    traced = sets('power.trace="x.csv"', 'power.trace_class="training"', "power.trace_rated_kw=10")
    refused(run("power", *sets(f"power.stabilized={file}", 'power.stabilized_class="training"'), *traced), "E323")
    refused(run("tco", "site-1gw-gb200", *sets("site.stabilized_share_fraction=0.5")), "E323", "without a file")
    above = json.dumps(edit(peak_fraction=1.2))
    refused(run("power", *sets(f"power.stabilized={above}", 'power.stabilized_class="training"')), "E324", "1.2")
    below = json.dumps(edit(floor_fraction=-0.1))
    refused(run("power", *sets(f"power.stabilized={below}", 'power.stabilized_class="training"')), "E324", "least")


# Hostile files


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "E321", "JSON syntax"),
        ("{", "E321", "JSON syntax"),
        ("[]", "E321", "is no report"),
        ("null", "E321", "is no report"),
        ("[" * 100_000, "E321", "cannot be read"),
        ('{"schema": "aiplan/power/1"}', "E321", "is a report of `aiplan power`"),
        ('{"schema": "aiplan/stabilize-check/1"}', "E321", "is a report of `aiplan stabilize check`"),
        ('{"schema": "aiplan/stabilize/2"}', "E321", "version 2"),
        ('{"schema": ["aiplan/stabilize/1"]}', "E321", "is no report"),
        ('{"schema": "aiplan/\\u202e/1"}', "E321", "is no report"),
        (f'{{"schema": "{SCHEMA}"}}', "E321", "no table 'handover'"),
        (f'{{"schema": "{SCHEMA}", "tables": {{"handover": 3}}}}', "E321", "that is none"),
        (f'{{"schema": "{SCHEMA}", "tables": {{"handover": NaN}}}}', "E321", "NaN is no number"),
        (f'{{"schema": "{SCHEMA}", "tables": {{"handover": [{"0," * 1001}0]}}}}', "E321", "that is none"),
        (f'{{"schema": "{SCHEMA}", "tables": {{"handover": []}}}}', "E322", "is missing"),
        (
            f'{{"schema": "{SCHEMA}", "tables": {{"handover": [1, {{}}, {{"planner": 1, "path": []}}]}}}}',
            "E322",
            "row 3",
        ),
    ],
)
def test_files_that_are_no_report(tmp_path: Path, text: str, code: str, words: str) -> None:
    path = tmp_path / "hostile.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_handover(path)
    assert {problem.code for problem in caught.value.problems} == {code}
    assert any(words in problem.message for problem in caught.value.problems)
    assert all(problem.hint and problem.file for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mean_fraction": "0.8"}, "power mean_fraction: is no number"),
        ({"mean_fraction": True}, "is no number"),
        ({"mean_fraction": None}, "is no number"),
        ({"mean_fraction": [0.8]}, "is no number"),
        ({"mean_fraction": 10**400}, "is no number"),
        ({"mean_fraction": -0.1}, "must be"),
        ({"mean_fraction": 0.95}, "does not lie between"),
        ({"sd_fraction": 0.6}, "deviates by"),
        ({"rho_within": 1.5}, "must be -1 to 1"),
        ({"server": 3}, "is no text"),
        ({"server": ""}, "is no text"),
        ({"energy_overhead_share": -2}, "must be"),
        ({"storage_count": 1.5}, "no whole number"),
        ({"storage_count": 2}, "lifecycle storage_2_usd_per_w: is missing"),
        ({"storage_count": 10**9}, "must be 0 to 20"),
        ({"storage_1_usd_per_w": -1}, "must be"),
        ({"storage_1_life_years": 0}, "must be"),
        ({"storage_1_life_years": "long"}, "is no number"),
        ({"storage_1_name": {"a": 1}}, "is no text"),
        ({"verdict": "perhaps"}, "'verdict'"),
        ({"verdict": ["pass"]}, "'verdict'"),
    ],
)
def test_rows_that_cannot_be(edit: Edit, values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_handover(Path(edit(**values)))
    assert {problem.code for problem in caught.value.problems} == {"E322"}
    assert any(words in problem.message for problem in caught.value.problems)


def test_all_problems_are_told_at_once(edit: Edit) -> None:
    path = Path(edit(mean_fraction="x", peak_fraction=-3, server=None))
    with pytest.raises(InputError) as caught:
        read_handover(path)
    assert len(caught.value.problems) == 3
    copy = json.loads(path.read_text(encoding="utf-8"))
    rows = copy["tables"]["handover"]
    rows += [rows[0], {"planner": "power\x1b[31m", "path": "x"}, {"planner": "power\x1b[31m", "path": "x"}]
    path.write_text(json.dumps(copy), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_handover(path)
    twice = [problem.message for problem in caught.value.problems if "twice" in problem.message]
    assert len(twice) == 2
    assert all("\x1b" not in one for one in twice)


def test_files_that_are_none(tmp_path: Path) -> None:
    large, odd = tmp_path / "large.json", tmp_path / "odd.json"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    odd.write_bytes(b'{"schema": "\xff"}')
    for path, code in ((tmp_path / "none.json", "E001"), (tmp_path, "E008"), (large, "E002"), (odd, "E003")):
        with pytest.raises(InputError) as caught:
            read_handover(path)
        assert caught.value.problems[0].code == code


def test_commands_refuse_them_by_name(tmp_path: Path) -> None:
    path = tmp_path / "power.json"
    run("power", "--format", "json", "-o", str(path))
    named = json.dumps(str(path))
    refused(run("power", *sets(f"power.stabilized={named}", 'power.stabilized_class="training"')), "E321", "power.json")
    refused(run("tco", "site-1gw-gb200", *sets(f"site.stabilized={named}")), "E321", "`aiplan power`")
    gone = json.dumps(str(tmp_path / "gone.json"))
    refused(run("power", *sets(f"power.stabilized={gone}", 'power.stabilized_class="training"')), "E001")
    refused(run("refresh", *sets(f"site.stabilized={gone}")), "E001")
