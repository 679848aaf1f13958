"""`aiplan thermal` as a whole: golden answer, levers, limits, hostile halls, VMs from files."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aiplan.errors import InfeasibleError, InputError
from aiplan.planners.thermal import plan, row_configuration
from aiplan.planners.thermal.placement_milp import place_exact
from aiplan.planners.thermal.plan import POLICIES
from aiplan.planners.thermal.report import LINES
from aiplan.planners.thermal.validation import NOT_REPRODUCED
from aiplan.report.formats import render
from aiplan.report.model import Report
from tests.cli.runner import run
from tests.energy.test_golden import assert_same
from tests.thermal.cases import SMALL, write_vms
from tests.thermal.golden import FOLDER, NAME, answer, small


@pytest.fixture(scope="module")
def full() -> Report:
    return answer()


@pytest.fixture(scope="module")
def report() -> Report:
    return small()


def value(report: Report, line: str) -> Any:
    return report.line(line).value


def codes(report: Report) -> list[str]:
    return [warning.code for warning in report.warnings]


def test_golden(report: Report) -> None:
    golden = json.loads((FOLDER / f"{NAME}-small.json").read_text(encoding="utf-8"))
    assert_same(json.loads(render(report, "json")), golden)


def test_same_seed_same_bytes_and_another_seed_another_answer(report: Report) -> None:
    assert render(small(), "json") == render(report, "json")
    assert value(small("uncertainty.seed=1"), "row_peak_kw") != value(report, "row_peak_kw")


def test_every_line_is_described(full: Report) -> None:
    assert [line.id for line in full.lines] == list(LINES)
    assert all(line.formula and line.label for line in full.lines)


def test_the_hall_that_does_not_exist_says_so(full: Report) -> None:
    assert full.headline.startswith("Synthetic hall: ")
    assert "W-THERMAL-SYNTHETIC" in codes(full)
    assert "synthetic" in full.table("published").title
    assert all(line.grade == "assumption" for line in full.lines)
    assert all(record.evidence != "published" for record in full.inputs)


def test_the_shipped_hall(full: Report) -> None:
    assert value(full, "vms_placed") == value(full, "servers") == 960
    assert value(full, "gpus") == 7680
    assert 0.0 <= value(full, "placement_gap_fraction") < 0.01
    assert value(full, "row_peak_kw") < value(full, "packed_row_peak_kw")
    assert value(full, "balance_row_peak_kw") <= value(full, "row_peak_kw")
    assert value(full, "max_gpu_temperature_c") < value(full, "random_gpu_temperature_c") - 3.0
    assert value(full, "row_steps_over_fraction") == 0.0
    assert 0.4 <= value(full, "added_capacity_fraction") <= 0.5


def test_every_policy_stands_beside_both_baselines(full: Report) -> None:
    rows = full.table("levers").records()
    assert [row["policy"] for row in rows] == list(POLICIES.values())
    by_name = {row["policy"]: row for row in rows}
    assert by_name["random"]["against_random"] == 0.0
    assert by_name[POLICIES["packed"]]["against_packed"] == 0.0
    peaks = [float(row["row_peak_kw"]) for row in rows]  # type: ignore[arg-type]
    assert min(peaks) >= value(full, "balance_row_peak_kw") * (1 - 1e-9)
    # Routing loses no request, shedding saves what it sheds.
    energy = {name: float(row["energy_kwh"]) for name, row in by_name.items()}  # type: ignore[arg-type]
    assert energy[POLICIES["route"]] == pytest.approx(energy["random"])
    assert energy[POLICIES["all"]] <= energy[POLICIES["place_route"]] * (1 + 1e-12)


UNEQUAL = """
[scenario]
name = "unequal"
planner = "thermal"
base = "thermal-hall"

[replay]
days = 1
step_min = 60

[oversubscribe]
levels = [0.5]
""" + "".join(f"""
[[row]]
servers = 40
aisle = {aisle}
budget_kw = {budget_kw}
""" for aisle, budget_kw in ((1, 400), (1, 220), (2, 220), (2, 220)))  # fmt: skip


def test_the_least_row_peak_is_one_whatever_the_budgets(tmp_path: Path) -> None:
    # A row of 400 kW beside three of 220 once raised this "bound" above what placements reach.
    file = tmp_path / "unequal.toml"
    file.write_text(UNEQUAL, encoding="utf-8")
    outcome = run("thermal", str(file), "--format", "json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    lines = {line["id"]: line["value"] for line in found["lines"]}
    peaks = {row["policy"]: row["row_peak_kw"] for row in found["tables"]["levers"]}
    untouched = [peaks[POLICIES[name]] for name in ("random", "packed", "route", "place", "place_route")]
    assert 0.8 * min(untouched) < lines["balance_row_peak_kw"] <= min(untouched)


def test_forty_percent_more_servers(full: Report) -> None:
    row = next(row for row in full.table("oversubscription").records() if row["servers"] == 1344)
    assert row["levers_over_share"] == 0.0
    assert float(row["random_over_share"]) > 0.1  # type: ignore[arg-type]
    assert float(row["packed_over_share"]) > 0.1  # type: ignore[arg-type]
    assert row["breaks"] == "nothing"


def test_a_smaller_budget_eats_the_gain(full: Report) -> None:
    less = answer("hall.row_budget_share=0.9")
    assert value(less, "added_capacity_fraction") < value(full, "added_capacity_fraction")


def test_tables_agree_with_lines(report: Report) -> None:
    rows = report.table("all_rows").records()
    assert max(row["peak_kw"] for row in rows) == value(report, "row_peak_kw")  # type: ignore[type-var]
    assert 1.0 - value(report, "row_headroom_fraction") == pytest.approx(
        max(row["peak_kw"] / row["budget_kw"] for row in rows)  # type: ignore[operator]
    )
    assert sum(row["vms"] for row in rows) == value(report, "vms_placed")  # type: ignore[misc]
    aisles = report.table("aisles").records()
    assert max(row["use_share"] for row in aisles) == value(report, "aisle_use_fraction")  # type: ignore[type-var]
    placed = report.table("placement").records()
    assert len({(row["row"], row["slot"]) for row in placed}) == len(placed) == value(report, "vms_placed")


def test_online_is_no_better_than_batch_by_much(report: Report) -> None:
    online = small("place.mode=online")
    assert value(online, "placement_objective") >= value(online, "lp_bound") * (1 - 1e-9)
    assert dict(online.context)["Placement"].startswith("online")
    assert value(online, "vms_placed") == value(report, "vms_placed")


def test_exact_is_no_worse_than_batch_and_takes_few_vms() -> None:
    tiny = ("hall.rows=2", "hall.row_servers=6")
    exact, batch = (small(*tiny, f"place.mode={mode}") for mode in ("exact", "batch"))
    assert value(exact, "placement_objective") <= value(batch, "placement_objective") * (1 + 1e-12)
    assert value(exact, "lp_bound") >= value(batch, "lp_bound") * (1 - 1e-9)
    assert dict(exact.context)["Placement"] == "by mixed-integer programme, optimal, gap allowed 0.1%"
    assert 0.0 <= value(exact, "placement_gap_fraction") <= 0.001
    assert "W-THERMAL-UNPROVEN" not in codes(exact)
    with pytest.raises(InputError, match="exact takes up to 200 VMs, not 960"):
        answer("place.mode=exact")


def test_a_solver_without_a_proof_is_told(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    # No node and no time for the solvers: what the greedy search and the relaxed programme found is what is left.
    assert {row["status"] for row in report.table("row_configuration").records()} == {"optimal"}
    assert "W-THERMAL-UNPROVEN" not in codes(report)
    monkeypatch.setattr(plan, "place_exact", partial(place_exact, time_limit_s=0.0))
    monkeypatch.setattr(row_configuration, "SOLVER_S", 0.0)
    stopped = small("place.mode=exact")
    told = [warning for warning in stopped.warnings if warning.code == "W-THERMAL-UNPROVEN"]
    assert [warning.path for warning in told] == ["place.mode", "serving"]
    assert "normal and emergency" in told[1].message
    assert dict(stopped.context)["Placement"].split(", ")[1] == "stopped before a proof"
    assert {row["status"] for row in stopped.table("row_configuration").records()} == {"stopped before a proof"}
    assert value(stopped, "vms_placed") == value(report, "vms_placed")


def test_what_does_not_fit_is_named_and_left_out() -> None:
    tight = small("hall.row_budget_share=0.6")
    told = next(warning.message for warning in tight.warnings if warning.code == "W-THERMAL-UNPLACED")
    most = int(re.search(r"more than (\d+)", told)[1])  # type: ignore[index]
    assert value(tight, "vms_placed") <= most < value(tight, "vms")
    left = [row for row in tight.table("placement").records() if row["row"] is None]
    assert "W-THERMAL-UNPLACED" in codes(tight)
    assert len(left) == value(tight, "vms") - value(tight, "vms_placed") > 0
    assert all("power" in str(row["reason"]) for row in left)
    # What was placed was placed within the limits at its P99, so the replay hardly breaks them.
    assert value(tight, "row_steps_over_fraction") < 0.01
    # Where today's VMs do not fit, nothing is added and nothing compared with halls that carry all of them.
    assert value(tight, "added_capacity_fraction") == 0
    assert "against" not in tight.headline


def test_nothing_fits() -> None:
    with pytest.raises(InfeasibleError) as caught:
        small("thermal.t_max_c=30")
    assert caught.value.code == "E258"
    assert run("thermal", *(part for one in (*SMALL, "thermal.t_max_c=30") for part in ("--set", one))).code == 4


def test_more_air_and_cooler_weather_never_hurt(report: Report) -> None:
    cooler = small("weather.mean_c=12")
    assert value(cooler, "max_gpu_temperature_c") <= value(report, "max_gpu_temperature_c") + 1e-9
    starved = small("hall.aisle_airflow_share=0.7")
    assert value(starved, "aisle_use_fraction") > value(report, "aisle_use_fraction")


def test_weather_of_a_place() -> None:
    hot = small("weather.site=2B", "weather.mean_c=20")
    assert "Tucson" in dict(hot.context)["Weather"]
    with pytest.raises(InputError, match=r"weather\.site"):
        small("weather.site=atlantis")


def test_vms_of_a_file(tmp_path: Path) -> None:
    vms = [(f"vm{number}", "saas" if number % 2 else "iaas", f"e{number % 3}", 0.4, 0.8) for number in range(30)]
    file = write_vms(tmp_path / "vms.csv", vms)
    found = small(f"vms.file='{file}'")
    assert value(found, "vms") == value(found, "vms_placed") == 30
    assert "drawn" not in found.headline
    assert found.line("servers").grade == "assumption"  # the offsets of servers still are


def test_a_hall_given_whole_is_not_called_synthetic(tmp_path: Path) -> None:
    file = write_vms(tmp_path / "vms.csv", [(f"vm{number}", "iaas", "", 0.4, 0.8) for number in range(30)])
    none = [f"hall.{name}_spread_kelvin=0" for name in ("row", "server", "gpu")]
    found = small(f"vms.file='{file}'", *none)
    assert "W-THERMAL-SYNTHETIC" not in codes(found)
    assert not found.headline.startswith("Synthetic")


LISTED = """
[scenario]
name = "listed"
planner = "thermal"
base = "thermal-hall"

[hall]
server_spread_kelvin = 0
gpu_spread_kelvin = 0

[[row]]
servers = 4
aisle = 1
budget_kw = 20
offset_kelvin = 1

[[row]]
servers = 6
aisle = 2

[[aisle]]
airflow_cfm = 4000

[[aisle]]
airflow_cfm = 6000

[replay]
days = 1
step_min = 60

[oversubscribe]
levels = [0.5]
"""


def test_listed_rows_and_aisles(tmp_path: Path) -> None:
    file = tmp_path / "listed.toml"
    file.write_text(LISTED, encoding="utf-8")
    outcome = run("thermal", str(file), "--format", "json")
    assert outcome.code == 0, outcome.err
    tables = json.loads(outcome.out)["tables"]
    assert [row["budget_kw"] for row in tables["all_rows"]] == [20.0, 6 * 6.5]
    assert [row["servers"] for row in tables["all_rows"]] == [4, 6]
    assert [row["supply_cfm"] for row in tables["aisles"]] == [4000.0, 6000.0]


def test_implausible_air_is_told() -> None:
    assert "W-THERMAL-AIR" in codes(small("server.airflow_idle_cfm=3000"))
    assert "W-THERMAL-AIR" not in codes(small())


def test_uncertain_inputs_are_taken_at_the_median() -> None:
    found = small("thermal.intercept_c={normal={mean=3, sd=1}, truncate={low=0, high=6}}")
    assert "W-THERMAL-MEDIAN" in codes(found)
    assert value(found, "max_gpu_temperature_c") == value(small(), "max_gpu_temperature_c")


@pytest.mark.parametrize(
    ("override", "code"),
    [
        ("server.idle_w=7000", "E255"),
        ("server.gpu_idle_w=500", "E255"),
        ("thermal.t_max_c=90", "E255"),
        ("thermal.inlet_slopes=[0.6]", "E255"),
        ("thermal.inlet_knots_c=[25, 15]", "E255"),
        ("server.power_curve=[[0, 0], [1, 0.9]]", "E255"),
        ("server.power_curve=[[0, 0], [0.5, 0.7], [0.5, 0.8], [1, 1]]", "E255"),
        ("hall.rows=900", "E255"),
        ("place.saas_share_range=[0.8, 0.2]", "E255"),
        ("vms.count=100000", "E102"),
        ("vms.count=50", "E256"),
        ("replay.step_s=5", "E102"),
        ("weather.site=4A", ""),
        ("hall.rows=0", "E102"),
        ("vms.saas_share=2", "E102"),
        ("vms.file=/none.csv", "E001"),
        ("weather.file=/none.csv", "E001"),
    ],
)
def test_halls_that_cannot_be(override: str, code: str) -> None:
    more = ("hall.row_servers=900",) if override == "hall.rows=900" else ()
    outcome = run("thermal", *(part for text in (*SMALL, *more, override) for part in ("--set", text)))
    assert outcome.code == (2 if code else 0)
    assert f"error[{code}]" in outcome.err or not code


def test_all_that_is_wrong_with_vms_at_once(tmp_path: Path) -> None:
    file = write_vms(tmp_path / "vms.csv", [("a", "iaas", "", 0.4, 0.8), ("a", "saas", "", 0.4, 0.8),
                                            ("", "paas", "", 0.9, 0.8), ("d", "iaas", "", 0.4, 1.8)])  # fmt: skip
    outcome = run("thermal", "--set", f"vms.file='{file}'")
    assert outcome.code == 2
    for told in ("given twice", "names no endpoint", "id is empty", "must be iaas or saas", "below its p50", "0 to 1"):
        assert told in outcome.err


def test_listed_vms_are_checked_too(tmp_path: Path) -> None:
    flat = f"p50 = [{', '.join(['0.5'] * 24)}]\np99 = [{', '.join(['0.4'] * 24)}]\n"
    text = LISTED + f'[[vm]]\nid = "a"\nkind = "iaas"\n{flat}[[vm]]\nid = "a"\nkind = "saas"\n{flat}'
    file = tmp_path / "vms.toml"
    file.write_text(text, encoding="utf-8")
    outcome = run("thermal", str(file))
    assert outcome.code == 2
    assert "given twice" in outcome.err
    assert "p99 below its p50" in outcome.err


def test_what_is_second_hand_is_never_called_ours(full: Report) -> None:
    published = full.table("published")
    assert "not reproduced" in next(column.label for column in published.columns if column.id == "published")
    assert {row["evidence"] for row in published.records() if "TAPAS" in str(row["source"])} == {"second-hand"}
    assert all("second-hand" in item.reason for item in NOT_REPRODUCED if item.source == "tapas-2025")


def test_an_emergency_by_three_policies() -> None:
    report = small("hall.row_budget_share=0.8")
    rows = [row for row in report.table("emergency").records() if row["lost"] == "power"]
    uniform, saas, away = rows
    assert [row["policy"] for row in rows] == ["uniform cap", "SaaS only", "reroute"]
    assert float(uniform["needed"]) == pytest.approx(value(report, "emergency_shed_kw"))  # type: ignore[arg-type]
    assert saas["iaas_performance_loss"] == away["iaas_performance_loss"] == 0.0
    assert float(uniform["iaas_performance_loss"]) > 0.0  # type: ignore[arg-type]
    assert 0.0 < value(report, "emergency_saas_fraction") <= 0.35
    assert float(saas["uncovered"]) == pytest.approx(value(report, "emergency_uncovered_kw"))  # type: ignore[arg-type]


def test_an_emergency_of_one_row_asks_for_less_than_one_of_all() -> None:
    every, one = (small("hall.row_budget_share=0.8", f"emergency.struck={which}") for which in ("all", "fullest"))
    assert 0.0 < value(one, "emergency_shed_kw") < value(every, "emergency_shed_kw")
    first = one.table("emergency").records()[0]
    assert first["short"] == 1


def test_no_policy_in_time_is_told() -> None:
    late = small("hall.row_budget_share=0.8", "emergency.deadline_s=1")
    assert "W-THERMAL-EMERGENCY" in codes(late)
    assert "W-THERMAL-EMERGENCY" not in codes(small("emergency.row_power_share=1", "emergency.aisle_airflow_share=1"))
