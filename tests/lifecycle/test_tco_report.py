"""Reports of `aiplan tco` and `aiplan refresh`: what stands in them, and that their numbers follow from each other."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from aiplan.planners.lifecycle.ledger import standing_w
from aiplan.planners.lifecycle.report import DETAILED
from aiplan.planners.lifecycle.report_lines import LINES
from aiplan.planners.lifecycle.report_risk import robustness_table
from aiplan.planners.lifecycle.robustness import PUBLISHED_FRACTIONS
from aiplan.report.check import problems
from aiplan.report.formats import render
from aiplan.report.model import Bars, Report
from tests.energy.test_golden import assert_same
from tests.lifecycle.golden import FOLDER, KEPT, PLAIN, answer, result

STABLE = ("tco_usd", "npv_usd", "capex_usd", "opex_usd", "usd_per_million_tokens", "saving_build", "saving_refresh",
          "saving_operate", "saving_joint", "regret")  # fmt: skip
STABLE_TABLES = ("strategies", "years", "fleet")
TCO = ("lifecycle-2026", *PLAIN)
# One design, so that its optima are found in no time; breaks and trends with it.
SOLVED = ("refresh-2026", "uncertainty.samples=32", "study.breaks=true", "study.robustness=true")  # fmt: skip
SITE = ("site-1gw-gb200",)


def value(report: Report, line: str) -> Any:
    return report.line(line).value


def records(report: Report, table: str) -> list[dict[str, Any]]:
    return [dict(record) for record in report.table(table).records()]


def of(report: Report, table: str, **wanted: Any) -> list[dict[str, Any]]:
    """Rows of a table that have these values."""
    return [row for row in records(report, table) if all(row[key] == one for key, one in wanted.items())]


# ---- what is there ----


@pytest.mark.parametrize("name", KEPT)
def test_golden(name: str) -> None:
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert_same(json.loads(render(answer(name, *PLAIN), "json")), golden)


@pytest.mark.parametrize("case", [TCO, SOLVED, SITE])
def test_every_report_is_sound(case: tuple[str, ...]) -> None:
    report = answer(*case)
    assert problems(report) == []
    lines = [line.id for line in report.lines]
    assert set(STABLE) <= set(lines)
    assert lines == [name for name in LINES if name in lines]
    assert all(line.formula and line.inputs and line.sources for line in report.lines)
    assert set(STABLE_TABLES) <= {table.id for table in report.tables}
    assert report.not_modelled


@pytest.mark.parametrize("case", [TCO, SOLVED])
def test_no_number_of_the_json_is_missing_by_accident(case: tuple[str, ...]) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    json.loads(render(answer(*case), "json"), parse_constant=refuse)


def test_every_table_of_a_full_study_is_there() -> None:
    found = {table.id for table in answer(*SOLVED).tables}
    assert found == {
        "strategies", "years", "fleet", "accountings", "cash_flow", "fleet_brief", "designs", "levers", "policies",
        "generations", "cost_lines", "optimum", "shadow_prices", "uncertainty", "tornado", "shares", "breaks",
        "robustness", "rent",
    }  # fmt: skip


def test_the_accounting_is_always_named() -> None:
    for case in (TCO, SITE):
        report = answer(*case)
        mode = result(*case).accounting
        assert value(report, "accounting") == mode
        assert f"{mode} accounting" in report.headline
        assert mode in report.line("saving_joint").label
        assert dict(report.context)["Accounting"].startswith(f"{mode}:")
        assert mode in report.table("strategies").title


def test_refresh_puts_policies_first() -> None:
    report = answer("refresh-2026", *PLAIN)
    assert report.planner == "refresh"
    first = report.tables[0]
    assert (first.id, first.shown) == ("policies", True)
    costs = {row["policy"]: row["cost_usd"] for row in records(report, "policies") if row["cost_usd"] is not None}
    assert f" {min(costs, key=lambda name: costs[name])} costs least" in report.headline
    assert not answer(*TCO).table("policies").shown


# ---- sums ----


@pytest.mark.parametrize("case", [TCO, SOLVED, SITE])
def test_costs_add_up(case: tuple[str, ...]) -> None:
    report = answer(*case)
    total = value(report, "tco_usd")
    parts = [value(report, f"{kind}_usd") for kind in ("capex", "opex", "tax", "terminal")]
    assert sum(parts) == pytest.approx(total, rel=1e-12)
    assert value(report, "tco_without_terminal_usd") + parts[-1] == pytest.approx(total, rel=1e-12)
    rows = of(report, "years", strategy="baseline")
    assert sum(row["total_usd"] for row in rows) == pytest.approx(total, rel=1e-12)
    assert sum(row["discounted_usd"] for row in rows) == pytest.approx(value(report, "npv_usd"), rel=1e-12)
    *lines, last = records(report, "cost_lines")
    assert sum(row["total_usd"] for row in lines) == pytest.approx(total, rel=1e-12)
    assert (last["total_usd"], last["present_usd"]) == pytest.approx((total, value(report, "npv_usd")), rel=1e-12)
    flow = records(report, "cash_flow")
    assert sum(row["total_musd"] for row in flow) == pytest.approx(total / 1e6, rel=1e-12)
    assert flow[0]["capex_musd"] == pytest.approx(value(report, "upfront_usd") / 1e6, rel=1e-12)


@pytest.mark.parametrize("case", [TCO, SOLVED])
def test_a_year_is_the_sum_of_its_cost_lines(case: tuple[str, ...]) -> None:
    report = answer(*case)
    for row in records(report, "years"):
        parts = [cell for name, cell in row.items() if name.endswith("_usd")
                 and name not in ("total_usd", "discounted_usd")]  # fmt: skip
        assert math.fsum(parts) == pytest.approx(row["total_usd"], rel=1e-9, abs=1e-3)
    entries = [row["entry"] for row in of(report, "years", strategy="baseline")]
    assert entries == ["year"] * (len(entries) - 1) + ["terminal value"]
    assert {row["strategy"] for row in records(report, "years")} <= set(DETAILED["tco"]) | set(DETAILED["refresh"])


@pytest.mark.parametrize("case", [TCO, SOLVED, SITE])
def test_rows_of_strategies_add_up(case: tuple[str, ...]) -> None:
    report, base = answer(*case), value(answer(*case), "npv_usd")
    for row in records(report, "strategies"):
        assert sum(row[f"{kind}_usd"] for kind in ("capex", "opex", "tax", "terminal")) == pytest.approx(row["tco_usd"])
        if row["saving_fraction"] is not None:
            assert row["saving_fraction"] == pytest.approx(1 - row["npv_usd"] / base, abs=1e-12)
    start = of(report, "strategies", id="baseline")[0]
    assert (start["npv_usd"], start["tco_usd"]) == (base, value(report, "tco_usd"))


def test_paper_accounting_discounts_nothing() -> None:
    report = answer(*SITE)
    assert value(report, "npv_usd") == pytest.approx(value(report, "tco_usd"), rel=1e-12)
    assert value(report, "terminal_usd") == 0
    assert value(answer(*TCO), "npv_usd") < value(answer(*TCO), "tco_usd")


@pytest.mark.parametrize("case", [TCO, SOLVED])
def test_the_fleet_is_that_of_the_plans(case: tuple[str, ...]) -> None:
    report, found = answer(*case), result(*case)
    for name in {row["strategy"] for row in records(report, "fleet")}:
        plan = found.rows[name].plan
        for number, year in enumerate(sorted({row["year"] for row in of(report, "fleet", strategy=name)})):
            rows = of(report, "fleet", strategy=name, year=year)
            assert sum(row["servers"] for row in rows) == pytest.approx(plan.serve[:, number].sum(), rel=1e-6)
            room = sum(row["hall_mw"] for row in rows)
            assert room <= standing_w(found.rows[name].problem, plan)[number] / 1e6 * (1 + 1e-6)
            assert all(row["age_mean_years"] is None or row["age_mean_years"] >= 0 for row in rows)
        bought = sum(row["bought"] for row in of(report, "fleet", strategy=name))
        assert bought == pytest.approx(plan.buy.sum(), rel=1e-6)


def test_servers_bought_last_or_leave() -> None:
    # What is there, less what fails, less what is retired, with what is bought, is there a year later.
    report, found = answer("refresh-2026", *PLAIN), result("refresh-2026", *PLAIN)
    failed = found.case.parameters.medians()["upkeep.failure_fraction"]
    fleet = records(report, "fleet")
    held = {(row["year"], row["generation"]): row for row in fleet if row["strategy"] == "baseline"}
    compared = 0
    for (year, generation), row in held.items():
        before = held.get((year - 1, generation))
        if before is not None:
            left = before["servers"] * (1 - failed) - row["retired"] + row["bought"]
            assert left == pytest.approx(row["servers"], rel=1e-9, abs=1e-6)
            compared += 1
    assert compared > 10


def test_grouped_years_of_shorter_periods_are_those_of_the_same_money() -> None:
    report = answer(*SITE, "horizon.step_years=0.25")
    rows = of(report, "years", strategy="baseline")
    assert [row["year"] for row in rows] == [2026, 2027, 2028, 2029, 2030, 2031]
    assert sum(row["total_usd"] for row in rows) == pytest.approx(value(report, "tco_usd"), rel=1e-12)
    assert value(report, "energy_usd_per_year") == pytest.approx(value(answer(*SITE), "energy_usd_per_year"), rel=1e-9)


# ---- savings, optimum, risk ----


@pytest.mark.parametrize("case", [TCO, SOLVED])
def test_savings_are_those_of_the_strategies(case: tuple[str, ...]) -> None:
    report = answer(*case)
    base = value(report, "npv_usd")
    for stage in ("build", "refresh", "operate", "joint"):
        cost = of(report, "strategies", id=stage)[0]["npv_usd"]
        assert value(report, f"saving_{stage}") == pytest.approx(1 - cost / base, abs=1e-9)
    parts = [value(report, f"shapley_{stage}") for stage in ("build", "refresh", "operate")]
    assert sum(parts) == pytest.approx(value(report, "saving_joint"), abs=1e-12)
    assert value(report, "saving_joint") >= max(value(report, f"saving_{stage}") for stage in
                                                ("build", "refresh", "operate")) - 1e-12  # fmt: skip
    for row in records(report, "accountings"):
        parts = [row[f"shapley_{stage}_fraction"] for stage in ("build", "refresh", "operate")]
        assert sum(parts) == pytest.approx(row["saving_joint_fraction"], abs=1e-12)
    own = of(report, "accountings", used=True)[0]
    assert own["saving_joint_fraction"] == value(report, "saving_joint")


def test_designs_of_the_table_are_all_of_them() -> None:
    report, found = answer(*TCO), result(*TCO)
    rows, site = records(report, "designs"), found.case.inputs.site
    every = len(site.power) * len(site.cooling) * len(site.network)
    assert len(rows) == len({(row["power"], row["cooling"], row["network"]) for row in rows}) == every > 10
    best = min(row["cost_usd"] for row in rows)
    assert 1 - best / value(report, "npv_usd") == pytest.approx(value(report, "saving_build"), abs=1e-12)
    marked = {column for _, column in report.table("designs").assumed}
    assert "throughput_factor" in marked or "derate_fraction" in marked
    assert len(records(report, "generations")) == len(found.case.roadmap.names)


def test_the_optimum_is_below_every_policy_and_computed_again() -> None:
    report = answer(*SOLVED)
    least = value(report, "optimum_usd")
    start = of(report, "strategies", id="baseline")[0]
    for row in records(report, "strategies"):
        same = all(row[name] == start[name] for name in ("power", "cooling", "network", "way"))
        if same and row["feasible"] and row["id"] != "rent":
            assert row["npv_usd"] >= least * (1 - 1e-9)
            assert row["regret_fraction"] == pytest.approx(row["npv_usd"] / least - 1, abs=1e-9)
    assert value(report, "regret") == pytest.approx(value(report, "npv_usd") / least - 1, abs=1e-12)
    for row in records(report, "optimum"):
        assert row["recomputed_usd"] == pytest.approx(row["objective_usd"], rel=1e-9)
        assert row["bound_usd"] <= row["objective_usd"] * (1 + 1e-9)
        assert row["certified"]
        assert row["status"] == "optimal"
    assert value(report, "optimum_joint_usd") <= least * (1 + 1e-9)


def test_shadow_prices_are_not_negative_and_there_for_every_period() -> None:
    report, found = answer(*SOLVED), result(*SOLVED)
    rows = records(report, "shadow_prices")
    assert len(rows) == found.case.clock.periods
    for row in rows:
        assert min(row["demand_usd_s"], row["power_usd_per_w"], row["budget_usd_per_usd"]) >= -1e-6
    prices = [row["demand_usd_s"] for row in rows]
    assert value(report, "request_mean_usd_s") == pytest.approx(np.mean(prices), rel=1e-12)
    assert value(report, "request_first_usd_s") == prices[0]


def test_uncertainty_is_told_per_policy() -> None:
    report, found = answer(*SOLVED), result(*SOLVED)
    assert found.risk is not None
    rows = records(report, "uncertainty")
    assert sum(row["cheapest_fraction"] for row in rows) == pytest.approx(1)
    for row in rows:
        assert row["p5_usd"] <= row["p25_usd"] <= row["p50_usd"] <= row["p75_usd"] <= row["p95_usd"]
        assert row["p95_usd"] <= row["cvar_usd"] * (1 + 1e-12)
    base = of(report, "uncertainty", policy=found.start.strategy.policy)[0]
    assert base["difference_usd"] == 0
    line = report.line("npv_sampled_usd")
    assert (line.p5, line.p95, line.value) == (base["p5_usd"], base["p95_usd"], base["p50_usd"])
    swings = [row["swing_usd"] for row in records(report, "tornado")]
    assert swings == sorted(swings, reverse=True)
    assert any(warning.code == "W-TCO-DRAWS" for warning in report.warnings)
    assert "not tested" in dict(report.context)["Draws"]


def test_breaks_and_trends_stand_beside_what_was_published() -> None:
    report = answer(*SOLVED)
    for row in records(report, "breaks"):
        assert row["clairvoyant_usd"] <= row["adaptive_usd"] * (1 + 1e-9)
        if row["saving_fraction"] is not None:
            assert row["saving_fraction"] == pytest.approx(1 - row["adaptive_usd"] / row["policy_usd"], abs=1e-12)
    published = {row["kind"]: row["published_fraction"] for row in records(report, "breaks")}
    assert (published["demand"], published["model"]) == (0.31, 0.43)
    rows = records(report, "robustness")
    for row in rows:
        assert (row["published_best_fraction"], row["published_top_fraction"]) == PUBLISHED_FRACTIONS[row["trend"]]
        assert row["best_fraction"] <= row["top_fraction"]
    ours, theirs = ([row[name] for row in rows] for name in ("best_fraction", "published_best_fraction"))
    assert len(set(ours)) > 1
    told = re.search(r"rank correlation with the published (-?[\d.]+)\)", report.table("robustness").title)
    assert told is not None
    assert float(told[1]) == pytest.approx(float(spearmanr(ours, theirs).statistic), abs=0.0051)


def test_ranges_that_are_all_equal_have_no_rank_to_compare() -> None:
    # As with few policies, of which one is best whatever the trend does.
    found = result(*SOLVED)
    assert found.robustness is not None
    alike = {name: replace(each, best_fraction=1.0, top_fraction=1.0) for name, each in found.robustness.items()}
    for some in (alike, {}, dict(list(alike.items())[:1])):
        table = robustness_table(replace(found, robustness=some))
        assert "correlation" not in table.title
        assert len(table.rows) == len(some)


def test_two_stage_plans_are_bounded() -> None:
    report = answer("refresh-2026", "optimum.scenarios_count=3", "uncertainty.samples=8", "study.breaks=false",
                    "study.robustness=false", "horizon.years=6")  # fmt: skip
    best, least = records(report, "staged")
    assert best["bound_usd"] <= best["expected_usd"] * (1 + 1e-6)
    assert best["expected_usd"] <= least["expected_usd"] * (1 + 1e-6)
    assert least["worst_regret_usd"] <= best["worst_regret_usd"] * (1 + 1e-6) + 1
    assert best["evpi_fraction"] >= -1e-9


# ---- pictures ----


def test_pictures_show_what_the_tables_have() -> None:
    report = answer(*TCO)
    charts = {chart.id: chart for chart in report.charts}
    assert set(charts) == {"cost_by_year", "fleet_by_generation_baseline", "tornado"}
    cost, fleet = charts["cost_by_year"], charts["fleet_by_generation_baseline"]
    assert isinstance(cost, Bars)
    assert isinstance(fleet, Bars)
    rows = of(report, "years", strategy="baseline", entry="year")
    income = ("total_usd", "discounted_usd", "resale_usd", "tax_usd")
    for number, row in enumerate(rows):
        spent = sum(cell for name, cell in row.items() if name.endswith("_usd") and name not in income)
        drawn = sum(part.values[number] or 0.0 for part in cost.segments)
        assert drawn == pytest.approx(spent / 1e6, rel=1e-9)
        held = sum(part.values[number] or 0.0 for part in fleet.segments)
        there = sum(one["accelerators"] for one in of(report, "fleet", strategy="baseline", year=row["year"]))
        assert held == pytest.approx(there, rel=1e-6)


# ---- words ----


def test_calendar_years_are_names() -> None:
    for row in records(answer(*TCO), "generations"):
        for column in ("released_year", "available_year", "last_sale_year"):
            assert row[column] is None or re.fullmatch(r"\d{4}(\.\d{1,2})?", row[column])
    years = {row["generation"]: row["available_year"] for row in records(answer(*TCO), "generations")}
    assert any("." in year for year in years.values())


def test_one_of_a_kind_is_told_as_one() -> None:
    soon = [f"breaks.{name}.after_years=0.5" for name in ("demand-shock", "model-contraction", "capability-shock",
                                                          "price-shock")]  # fmt: skip
    report = answer("lifecycle-2026", *PLAIN, "horizon.years=1", "horizon.step_years=0.25", 'site.power=["per-pdu"]',
                    'site.cooling=["hybrid"]', 'site.network=["network-2025"]', *soon)  # fmt: skip
    context = dict(report.context)
    assert report.headline.startswith("1 year costs $")
    assert context["Horizon"] == "2026 to 2027 in steps of 0.25 years"
    assert ": 1 design x 10 policies x 7 ways to run the fleet;" in context["Strategies"]


def test_what_has_no_number_says_why() -> None:
    silent = answer("lifecycle-paper", *PLAIN)
    assert value(silent, "payback_years") == value(silent, "return_on_owning_fraction") == "nothing is offered for rent"
    assert silent.line("payback_years").unit is None
    never = answer("lifecycle-2026", *PLAIN, "market.rent_usd_per_h=0.01")
    assert value(never, "payback_years") == "never"
    assert isinstance(value(answer(*TCO), "payback_years"), float)
    assert answer(*TCO).line("payback_years").unit == "years"


def test_published_savings_stand_beside_the_same_break_alone() -> None:
    other = answer(*SOLVED[:3], "breaks.demand-shock.after_years=4", "optimum.run=false")
    published = {row["kind"]: row["published_fraction"] for row in records(other, "breaks")}
    assert (published["demand"], published["model"]) == (None, 0.43)


# ---- rent ----

FULL = (*TCO, "site.most_w=8e5")


def test_renting_is_told_where_the_site_is_full() -> None:
    report, found = answer(*FULL), result(*FULL)
    plan, asked = found.start.plan, found.start.problem.demand_per_s
    part = value(report, "rented_fraction")
    assert 0.5 < part == pytest.approx(plan.rent_per_s.sum() / asked.sum(), rel=1e-12)
    served = (plan.use * found.start.problem.capacity_per_s).sum(axis=0)
    assert served.sum() / asked.sum() == pytest.approx(1 - part, rel=1e-6)
    for row in records(report, "strategies"):
        assert row["rented_fraction"] == (1 if row["id"] == "rent" else pytest.approx(row["rented_fraction"]))
        assert 0 <= row["rented_fraction"] <= 1
    assert f"; {part:.0%} of the demand is rented;" in report.headline
    told = next(warning.message for warning in report.warnings if warning.code == "W-TCO-RENT")
    assert f"baseline {part:.0%}" in told
    assert "(first in 2026, when the power of the site is used up)" in told
    for name in ("build", "refresh", "operate", "joint"):
        assert f"{name} {of(report, 'strategies', id=name)[0]['rented_fraction']:.0%}" in told


def test_renting_is_told_where_nothing_is_sold() -> None:
    report = answer(*TCO, "roadmap.trend=none", "roadmap.sale_years=2")
    told = next(warning.message for warning in report.warnings if warning.code == "W-TCO-RENT")
    assert "nothing is on sale" in told


def test_what_rents_nothing_says_nothing_of_rent() -> None:
    report = answer(*TCO)
    assert value(report, "rented_fraction") == 0
    assert "rented" not in report.headline
    assert all(warning.code != "W-TCO-RENT" for warning in report.warnings)


# ---- warnings ----


def test_a_baseline_that_does_not_serve_the_demand_has_no_savings() -> None:
    report = answer("lifecycle-paper", *PLAIN, "site.most_w=70e6", 'site.power=["per-pdu"]',
                    'site.cooling=["air"]', 'site.network=["ethernet"]')  # fmt: skip
    assert problems(report) == []
    assert not of(report, "strategies", id="baseline")[0]["feasible"]
    assert of(report, "strategies", id="joint")[0]["feasible"]
    for line in ("saving_build", "saving_joint", "shapley_refresh", "regret", "usd_per_million_tokens"):
        assert value(report, line) is None
    assert all(row["saving_fraction"] is None for row in records(report, "strategies"))
    assert report.headline.endswith("the baseline does not serve all of the demand.")
    assert any(warning.code == "W-TCO-UNSERVED" and "baseline" in warning.message for warning in report.warnings)


def test_what_cannot_be_cooled_is_said() -> None:
    report = answer(*TCO)
    short = {row["cooling"] for row in records(report, "designs") if not _all_hosted(row["hosted"])}
    told = [warning.message.split(" ")[0] for warning in report.warnings if warning.code == "W-TCO-HOSTS"]
    assert set(told) == short


def _all_hosted(text: str) -> bool:
    some, every = text.split(" of ")
    return some == every


def test_stages_that_do_not_add_are_said() -> None:
    report = answer(*TCO)
    apart = sum(value(report, f"saving_{stage}") for stage in ("build", "refresh", "operate"))
    said = any(warning.code == "W-TCO-STAGES" for warning in report.warnings)
    assert said == (abs(apart - value(report, "saving_joint")) > 0.005)
