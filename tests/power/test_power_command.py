"""`aiplan power` as a whole: the shipped case, tables, refusals, exit codes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InfeasibleError, InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.power.inputs import PowerInputs
from aiplan.planners.power.plan import plan
from aiplan.planners.power.power_trace import read_power_trace
from aiplan.planners.power.provision import Provision
from aiplan.planners.power.report import LINES
from aiplan.report.formats import render
from aiplan.report.model import Report
from tests.cli.runner import run
from tests.energy.test_golden import assert_same
from tests.power.golden import FOLDER, NAME, answer

PLAIN = "power.rule=nameplate"
FACILITY = "facility={{pue_design={0},pue_mean={1},other_fraction=0.001{2}}}"
# Rows that no other limit touches: all UPS of a scheme can be used.
WIDE = (
    "levels.pdu.rated_kw=600",
    "hall.racks_per_row_count=40",
    "grid.contract_mw=400",
    "levels.transformer.rated_mw=40",
)


def value(report: Report, line: str) -> Any:
    return report.line(line).value


def rows(report: Report, table: str) -> dict[str, dict[str, Any]]:
    """Rows of a table by its first column."""
    records = report.table(table).records()
    return {str(next(iter(record.values()))): record for record in records}


def codes(report: Report) -> list[str]:
    return [warning.code for warning in report.warnings]


def refused(*overrides: str, scenario: str = NAME) -> dict[str, str]:
    """Paths of the problems found, with their messages."""
    with pytest.raises(InputError) as caught:
        answer(*overrides, scenario=scenario)
    return {problem.path: f"{problem.code} {problem.message}" for problem in caught.value.problems}


# ---- the shipped case ----


def test_golden() -> None:
    golden = json.loads((FOLDER / f"{NAME}.json").read_text(encoding="utf-8"))
    assert_same(json.loads(render(answer(), "json")), golden)


def test_lines_are_described_and_agree_with_the_tables() -> None:
    report = answer()
    assert [line.id for line in report.lines] == list(LINES)
    assert value(report, "gpus") == 8 * value(report, "servers")
    chain = rows(report, "chain")
    for column, line in (("design_mw", "facility_power_mw"), ("mean_mw", "facility_power_mean_mw")):
        parts = [row[column] for name, row in chain.items() if name != "grid"]
        assert math.fsum(parts) == pytest.approx(value(report, line), rel=1e-9)
        assert chain["grid"][column] == value(report, line)
    assert value(report, "pue_design") == pytest.approx(
        value(report, "facility_power_mw") / value(report, "it_power_mw")
    )
    assert value(report, "headroom_mw") == pytest.approx(100 - value(report, "facility_power_mw"))
    binding = [row["level"] for row in report.table("levels").records() if row["binds"]]
    assert binding == [value(report, "binding")]
    assert rows(report, "topologies")["per-pdu"]["servers"] == value(report, "servers")
    assert rows(report, "rules")["oversubscribed"]["servers"] == value(report, "servers")
    assert rows(report, "redundancy")["4n/3"]["servers"] == value(report, "servers")
    assert sum(row["servers"] for row in report.table("racks").records()) == value(report, "servers")
    assert 0 < value(report, "capping_probability") <= 0.01


def test_what_a_cost_planner_takes_over_is_there() -> None:
    table = rows(answer(PLAIN), "topologies")
    assert list(table) == ["per-pdu", "per-ups", "flat"]
    stranded = [row["stranded_power_mw"] for row in table.values()]
    assert all(after <= before + 1e-6 for before, after in pairwise(stranded))
    base = table["per-pdu"]
    for row in table.values():
        assert row["stranded_change_mw"] == pytest.approx(row["stranded_power_mw"] - base["stranded_power_mw"])
        assert row["change_fraction"] == pytest.approx(row["servers"] / base["servers"] - 1)


def test_by_nameplate_a_row_strands_what_the_floor_rule_says() -> None:
    # 300 kW hold 19 servers of 14.3 kW with 5 % network, in racks of two: 18.
    report = answer(PLAIN)
    assert value(report, "binding") == "pdu"
    assert value(report, "servers") == 288 * 18
    assert value(report, "it_power_mw") == pytest.approx(288 * 18 * 14.3e-3 * 1.05)


def test_rules_are_ordered_and_correlation_costs() -> None:
    table = rows(answer(), "rules")
    servers = [table[rule]["servers"] for rule in ("nameplate", "peak", "oversubscribed")]
    assert servers == sorted(servers)
    assert table["percentile"]["servers"] <= table["oversubscribed"]["servers"]
    assert table["oversubscribed, classes in step"]["servers"] < table["oversubscribed"]["servers"]
    assert "W-POWER-CORRELATION" in codes(answer())
    assert "W-POWER-OVER" in codes(answer("power.rule=peak", "power.peak_fraction=0.5"))


def test_flex_gains_a_third_of_4n_3_where_the_ups_bind() -> None:
    report = answer(*WIDE, PLAIN)
    assert value(report, "binding") == "ups"
    table = rows(report, "redundancy")
    assert table["4n/3, reserve in use"]["change_fraction"] == pytest.approx(1 / 3, abs=0.03)
    assert table["2n"]["servers"] < table["3n/2"]["servers"] < table["4n/3"]["servers"] < table["n"]["servers"]
    flex = next(row for row in report.table("published").records() if row["load"] == "reserve")
    assert (flex["evidence"], flex["reached"]) == ("published", True)
    in_use = answer(*WIDE, PLAIN, "redundancy.sheddable_fraction=0.25")
    assert value(in_use, "servers") == table["4n/3, reserve in use"]["servers"]
    assert "W-POWER-FLEX" in codes(in_use)


def test_published_gains_keep_their_evidence_and_name_no_private_trace_as_ours() -> None:
    table = answer().table("published").records()
    assert {row["evidence"] for row in table} == {"published", "second-hand"}
    for row in table:
        ours = row["design_fraction"] if row["load"] == "reserve" else row["feed_fraction"]
        assert row["reached"] == (ours >= row["published_fraction"])
    # Rows bind in the shipped design: a reserve in use carries nothing more, whatever it is behind a UPS.
    flex = next(row for row in table if row["load"] == "reserve")
    assert (flex["design_fraction"], flex["reached"]) == (0.0, False)
    without = answer(PLAIN, "power.percentile_fraction=0.99", scenario=_without_classes())
    assert all(row["reached"] is None for row in without.table("published").records() if row["load"] != "reserve")
    assert value(without, "capping_probability") is None


def _without_classes() -> str:
    path = Path(__file__).parent / "scenarios" / "nameplate.toml"
    return str(path)


# ---- cooling, serving, cost ----


@pytest.mark.parametrize("boundary", ["mechanical", "mechanical+electrical"])
def test_pue_is_taken_with_its_boundary(boundary: str) -> None:
    report = answer(FACILITY.format(1.25, 1.15, f',pue_boundary="{boundary}"'))
    design, mean = value(report, "pue_design"), value(report, "pue_mean")
    if boundary == "mechanical+electrical":
        assert (design, mean) == pytest.approx((1.25, 1.15), abs=1e-9)
    else:
        assert design > 1.25 + 0.04
        assert mean > 1.15 + 0.04


def test_a_pue_below_the_losses_of_the_chain_is_refused() -> None:
    found = refused(FACILITY.format(1.03, 1.1, ""))
    assert list(found) == ["facility.pue_design"]
    assert "leaves nothing for cooling" in found["facility.pue_design"]
    both = refused("facility.pue_design=1.2")
    assert "given beside" in both["facility.mechanical_worst_fraction"]
    neither = refused("facility={other_fraction=0.0}")
    assert set(neither) == {"facility.mechanical_worst_fraction", "facility.mechanical_mean_fraction"}


def test_a_caller_may_bring_the_cooling() -> None:
    scenario = load_scenario(NAME, PowerInputs, [], "power")

    def cooled(found: Provision | None) -> tuple[float, float]:
        worst, mean = (0.0, 0.0) if found is None else (one.loss_w / one.it_w for one in (found.worst, found.mean))
        return 0.2 * (1 + worst), 0.1 * (1 + mean)

    result = plan(scenario.inputs, Catalog(), cooled)
    assert result.mechanical[0] == pytest.approx(0.2 * (1 + result.found.worst.loss_w / result.found.worst.it_w))
    assert result.found.worst.mechanical_w == pytest.approx(result.mechanical[0] * result.found.worst.it_w)


def test_worse_cooling_carries_fewer_where_the_contract_binds() -> None:
    few, many = (value(answer("power.topology=flat", f"facility.mechanical_worst_fraction={one}"), "servers")
                 for one in (0.4, 0.1))  # fmt: skip
    assert few < many


def test_tokens_and_cost_follow_the_servers() -> None:
    report = answer()
    assert value(report, "usd_per_h") == pytest.approx(2.34 * value(report, "gpus"), rel=0.5)
    half = answer("grid.contract_mw=50")
    share = value(half, "servers") / value(report, "servers")
    assert value(half, "tokens_per_s") == pytest.approx(share * value(report, "tokens_per_s"), rel=1e-3)
    assert value(half, "usd_per_h") == pytest.approx(share * value(report, "usd_per_h"))
    owned = answer("cost.basis=server")
    capital = 441_000 / (5 * 8760) * value(owned, "servers")  # catalog: price of a DGX B200
    assert value(owned, "usd_per_h") == pytest.approx(capital + 80 * value(owned, "facility_power_mean_mw"))
    assert "W-POWER-PRICE" in codes(answer("racks.b200.server=dgx-b300", "cost.basis=server"))


def test_uncertain_inputs_are_taken_at_their_median_and_said() -> None:
    report = answer("facility.mechanical_worst_fraction={uniform={low=0.1,high=0.2}}")
    record = next(one for one in report.inputs if one.path == "facility.mechanical_worst_fraction")
    assert record.value == pytest.approx(0.15)
    assert "W-POWER-MEDIAN" in codes(report)
    assert all(line.sources for line in report.lines)


# ---- trees by name ----


def named(tmp_path: Path, changes: dict[str, str] | None = None, extra: str = "") -> str:
    """A scenario file with a tree by name: a 6 MW connection, three UPS in pairs, three rows for each."""
    nodes = {"poi": 'kind="grid"\nrated_mw=6', "t": 'kind="transformer"\nparent="poi"\nrated_mw=5'}
    nodes |= {f"u{i}": 'kind="ups"\nparent="t"\nrated_mw=1.5' for i in range(3)}
    for number, pair in enumerate((["u0", "u1"], ["u0", "u2"], ["u1", "u2"])):
        for row in range(3):
            nodes[f"p{number}{row}"] = f'kind="pdu"\nfeeds={json.dumps(pair)}\nrated_kw=400'
    nodes |= changes or {}
    text = Path(_without_classes()).read_text(encoding="utf-8")
    head, _, rest = text.partition("# counts\n")
    tail = rest.partition("# end of counts\n")[2].replace('scheme = "4n/3"', 'scheme = "distributed"\ngroup_count = 3')
    body = "\n".join(f"[nodes.{name}]\n{lines}" for name, lines in nodes.items())
    path = tmp_path / "named.toml"
    path.write_text(
        f"{head}[levels.ups]\nequipment = 'ups-double-conversion'\n{tail}\n{body}\n{extra}", encoding="utf-8"
    )
    return str(path)


def test_a_tree_by_name_survives_the_loss_of_any_ups(tmp_path: Path) -> None:
    report = answer(scenario=named(tmp_path))
    levels = rows(report, "levels")
    assert levels["ups"]["usable_mw"] == pytest.approx(3 * 1.0)  # three pairs of 2 C / 3
    assert value(report, "binding") in ("pdu", "ups")
    assert "redundancy" not in [table.id for table in report.tables]
    wide = answer(scenario=named(tmp_path, {"u0": 'kind="ups"\nparent="t"\nrated_mw=0.6'}))
    assert rows(wide, "levels")["ups"]["usable_mw"] < 0.6 * 2 + 1.5


def test_everything_wrong_with_a_tree_is_told_with_its_place(tmp_path: Path) -> None:
    wrong = {
        "u0": 'kind="ups"\nparent="t"\nrated_mw=-1',
        "u1": 'kind="ups"\nparent="p00"\nrated_mw=0.2',
        "p10": 'kind="pdu"\nfeeds=["u0", "nope"]\nrated_kw=300',
        "p20": 'kind="pdu"\nfeeds=["u1", "u2"]\nrated_kw=2000',
        "twin": 'kind="grid"\nrated_mw=1',
    }
    found = refused(scenario=named(tmp_path, wrong))
    assert {"nodes.u0", "nodes.u1", "nodes.p10", "nodes.p20", "nodes.twin"} <= set(found)
    assert all(message.startswith("E230") for message in found.values())
    outcome = run("power", named(tmp_path, wrong))
    assert outcome.code == 2
    assert "named.toml:" in outcome.err
    both = refused(scenario=named(tmp_path, {"p10": 'kind="pdu"\nparent="u1"\nfeeds=["u0", "u2"]\nrated_kw=300'}))
    assert "nodes.p10" in both


# ---- what cannot be ----


@pytest.mark.parametrize(
    ("override", "path", "told"),
    [
        ("levels.ups.count=50", "levels.ups", "E230 50 UPS do not form groups of 4"),
        ("levels.ups.equipment=air", "levels.ups.equipment", "E230"),
        ("levels.ups.equipment=nothing", "levels.ups.equipment", "E121"),
        ("levels.pdu.rated_mw=3", "levels.pdu", "E230 one pdu is rated 3000 kW"),
        ("levels.ups.efficiency_points=[[1,0.96],[0.5,0.95]]", "levels.ups.efficiency_points", "E230"),
        ("redundancy.scheme=n+1", "redundancy.group_count", "E231 redundancy.group_count: n+1 needs"),
        ("redundancy.group_count=3", "redundancy.group_count", "E231"),
        ("classes.training.share_fraction=0.5", "classes", "E233 classes: shares add up to 1.1"),
        ("classes.training.rho_within=-0.5", "classes", "E233 classes: training: rho = -0.5"),
        ("classes.training.rho_between={inference=0.7}", "classes", "E233 classes: correlations within"),
        ("classes.training.rho_between={nobody=0.7}", "classes.training.rho_between", "E233"),
        ("classes.training.peak_fraction=0.5", "classes", "E233 classes: training: mean_w"),
        ("classes.training.sd_fraction=0.6", "classes", "E233 classes: training: no power"),
        ("racks.b200.cooling=ups-double-conversion", "racks.b200.cooling", "E230"),
        ("racks.b200.server=dgx-9", "racks.b200.server", "E121"),
        ("serving.engine=mlx", "serving.engine", "E235"),
        ("serving.precision=fp3", "serving.precision", "E235"),
        ("serving.kv_precision=fp3", "serving.kv_precision", "E235"),
        ("serving.model=gpt-9", "serving.model", "E121"),
        ("serving.tensor_parallel=16", "serving.tensor_parallel", "E235"),
        ("power.trace=nothing.csv", "power.trace", "E233"),
        ("grid.contract_mw=-1", "grid.contract_w", "E102"),
        ("grid.margin_fraction=2", "grid.margin_fraction", "E102"),
        ("power.topology=star", "power.topology", "E102"),
    ],
)
def test_what_cannot_be_is_refused_by_name(override: str, path: str, told: str) -> None:
    found = refused(override)
    assert path in found, found
    assert found[path].startswith(told), found


@pytest.mark.parametrize(
    "overrides",
    [
        ("racks.b200.server=gb200-nvl72-rack",),
        ("grid.contract_kw=20",),
        ("grid.margin_fraction=1",),
        ("levels.pdu.rated_kw=20",),
        ("hall.cooling_capacity_w=1000",),
    ],
)
def test_where_nothing_fits_it_is_said(overrides: tuple[str, ...]) -> None:
    with pytest.raises(InfeasibleError, match="not one") as caught:
        answer(*overrides)
    assert caught.value.code == "E232"


@pytest.mark.parametrize(
    "override",
    [
        "grid.contract_mw=1e12",
        "levels.pdu.count=20000",
        "racks.b200.server_w=1",
        "racks.b200.slots_count=200",
        "classes.inference.sd_fraction=0",
        "classes.inference.share_fraction=1",
        "hall.network_fraction=1",
        "facility.mechanical_worst_fraction=50",
        "levels.ups.square_law_fraction=1",
        "power.capping_fraction=0.5",
        "power.tail=bounded",
        "power.tail=cornish_fisher",
        "levels.ups.count=4",
    ],
)
def test_extremes_give_an_answer_or_an_error(override: str) -> None:
    outcome = run("power", "--set", override, "--format", "json")
    assert outcome.code in (0, 2, 4), outcome.err
    assert outcome.raw_characters == []
    if outcome.code == 0:
        assert json.loads(outcome.out)["lines"]


# ---- measured power ----


@pytest.mark.shared_data
def test_a_trace_takes_the_place_of_a_class(shared_data: Path) -> None:
    trace = shared_data / "power" / "smc_gpt3_node_sum.csv"
    report = answer(f"power.trace={json.dumps(str(trace))}", "power.trace_class=training", "power.trace_rated_kw=10.2",
                    "power.trace_trim_count=60")  # fmt: skip
    table = report.table("trace").records()
    assert [row["probability"] for row in table] == [0.95, 0.99, 0.999]
    # Eight sample nodes: P99.9 57.56 kW, derived.
    assert table[2]["measured_kw"] == pytest.approx(57.56, rel=2e-3)
    for row in table:
        assert row["bootstrap_low_kw"] <= row["measured_kw"] * 1.001
        assert row["by_moments_kw"] >= row["measured_kw"] * 0.995
        assert row["servers_factor"] == pytest.approx(8 * 10.2 / row["measured_kw"])
    node = rows(report, "capping_classes")["training"]["servers"]
    for row in table:
        # Drawn in step from eight, so close to as many times the measured sum of eight.
        assert row["node_servers"] == node
        assert row["node_low_kw"] <= row["node_kw"] <= row["node_high_kw"]
        assert row["node_kw"] == pytest.approx(row["measured_kw"] * node / 8, rel=0.02)
    # The nodes were cooled by immersion: their class has a lower mean than the air-cooled one of the scenario.
    assert value(report, "servers") > value(answer(), "servers")


@pytest.mark.shared_data
def test_caps_are_counted_on_a_trace(shared_data: Path) -> None:
    path = shared_data / "power" / "smc_gpt3_node_sum.csv"
    report = answer(f"power.trace={json.dumps(str(path))}", "power.trace_class=training", "power.trace_rated_kw=10.2",
                    "power.trace_trim_count=60")  # fmt: skip
    total = read_power_trace(path, trim_rows=60).server_w.sum(axis=1)
    table = report.table("trace_caps").records()
    assert [row["more_fraction"] for row in table] == [0.2, 0.3, 0.4, 0.5, 0.6]
    for row in table:
        limit = 8 * 10_200 / (1 + row["more_fraction"])
        assert row["capacity_kw"] == pytest.approx(limit / 1e3)
        assert row["over_fraction"] == pytest.approx(np.mean(total > limit))
        assert row["bootstrap_low_fraction"] <= row["over_fraction"] <= row["bootstrap_high_fraction"]
        assert row["deepest_fraction"] == pytest.approx(max(0.0, 1 - limit / total.max()), abs=1e-12)
        assert (row["events"] > 0) == (row["longest_s"] > 0) == (row["capped_energy_kwh"] > 0)
    # 58.3 kW for 40 % more is above all that eight nodes ever drew, 54.4 kW for 50 % more is not.
    assert [row["over_fraction"] > 0 for row in table] == [False, False, False, True, True]


# ---- caps ----


def test_caps_take_from_the_lowest_priority_first() -> None:
    few = ("power.capping_fraction=0.3", "power.topology=flat")
    report = answer(*few)
    by_class = rows(report, "capping_classes")
    assert list(by_class) == ["training", "inference"]
    assert by_class["inference"]["cut_kw"] == 0 < by_class["training"]["cut_kw"]
    assert by_class["training"]["slowdown_factor"] == pytest.approx(1 + by_class["training"]["cut_fraction"])
    other = rows(answer(*few, "classes.inference.priority=0", "classes.training.priority=7"), "capping_classes")
    assert list(other) == ["inference", "training"]
    assert other["training"]["cut_kw"] == 0
    # Whoever gives, the node loses the same power.
    assert other["inference"]["cut_kw"] == pytest.approx(by_class["training"]["cut_kw"])
    assert other["inference"]["slowdown_factor"] == pytest.approx(1 + 0.5 * other["inference"]["cut_fraction"])
    for row in (*by_class.values(), *other.values()):
        often = value(report, "capping_probability")
        assert row["latency_factor"] == pytest.approx(1 + often * (row["slowdown_factor"] - 1))


def test_caps_by_level_are_those_of_its_worst_node() -> None:
    report = answer("power.capping_fraction=0.3", "power.topology=flat")
    table, levels = rows(report, "capping"), rows(report, "levels")
    for name, row in table.items():
        assert row["capping_probability"] == pytest.approx(levels[name]["capping_probability"])
    assert value(report, "capping_probability") == max(row["capping_probability"] for row in table.values())
    worst = table["contract"]
    # Held back over drawn, as the line has it: energy of a year over that of the servers, network included.
    mean = 8.760 * value(report, "it_power_mean_mw") * 1e3
    assert value(report, "capped_energy_fraction") == pytest.approx(worst["capped_energy_mwh"] / mean, rel=1e-4)
    wanted = sum(row["wanted_kw"] for row in rows(report, "capping_classes").values())
    network = value(report, "servers") * 14.3 * 0.05
    assert (wanted + network) * (1 - worst["depth_fraction"]) == pytest.approx(worst["limit_kw"], rel=1e-9)


def test_time_above_limit_at_any_node_is_bounded_by_the_sum() -> None:
    report = answer()
    one, some = value(report, "capping_probability"), value(report, "capping_probability_any")
    assert one < some < 1
    # 288 equal rows, 72 pairs of UPS, the hall; transformers and racks never exceed theirs.
    levels = {name: row["capping_probability"] for name, row in rows(report, "levels").items()}
    assert some == pytest.approx(288 * levels["pdu"] + 72 * levels["ups"] + levels["contract"], rel=1e-9)
    assert value(answer("power.capping_fraction=0.3"), "capping_probability_any") == 1.0


# ---- the command ----


def test_exit_codes_and_formats() -> None:
    done = run("power", "--format", "csv", "--table", "levels")
    assert done.code == 0
    assert "transformer" in done.out
    assert "binds" in run("power").out.splitlines()[1]
    assert run("power", "--set", "grid.contract_kw=1").code == 4
    assert run("power", "--set", "redundancy.scheme=n+1").code == 2
    assert "latif-2024" in run("power", "--explain", "servers").out


def test_the_shipped_case_needs_no_scipy() -> None:
    code = (
        "import sys; from aiplan.cli import main; main(['power', '--format', 'json']); "
        "sys.exit(int(any(name.startswith('scipy') for name in sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_class_without_servers_is_allowed() -> None:
    report = answer("classes.inference.share_fraction=0", "classes.training.share_fraction=1")
    assert value(report, "servers") > 0
    assert rows(report, "published")


def test_rows_of_one_feed_beside_rows_of_two_are_refused(tmp_path: Path) -> None:
    found = refused(scenario=named(tmp_path, {"p10": 'kind="pdu"\nparent="u1"\nrated_kw=300'}))
    assert "one feed" in found["nodes"]


def test_a_mean_hour_worse_than_the_worst_is_refused() -> None:
    assert "in the mean" in refused("facility.mechanical_mean_fraction=0.5")["facility.mechanical_mean_fraction"]
