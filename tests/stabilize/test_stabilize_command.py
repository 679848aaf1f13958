"""`aiplan stabilize` on the command line: exit codes, what is written before them, hostile files, speed of help."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aiplan.resources import scenario_names
from tests.cli.runner import run, spawn
from tests.stabilize.golden import BANK, FLOOR, SHORT

SHIPPED = ("stabilize-100k", "stabilize-405b-h100", "stabilize-reference")
QUICK = tuple(part for override in (*SHORT, BANK) for part in ("--set", override))
FAILING = tuple(part for override in (*SHORT, FLOOR) for part in ("--set", override))


def sets(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


# ---- exit codes ----


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_pass(name: str) -> None:
    assert name in scenario_names()
    done = run("stabilize", name, "--format", "json")
    assert done.code == 0, done.err
    found = {line["id"]: line["value"] for line in json.loads(done.out)["lines"]}
    assert found["verdict"] == "pass"
    assert found["storage_mwh"] > 0


def test_default_needs_no_name() -> None:
    done = run("stabilize", *QUICK, "--format", "json")
    assert (done.code, json.loads(done.out)["scenario"]["name"]) == (0, "stabilize-100k")


@pytest.mark.parametrize("kind", ["table", "json", "csv", "md"])
def test_what_fails_is_reported_before_exit_4(kind: str) -> None:
    done = run("stabilize", *FAILING, "--format", kind)
    assert done.code == 4
    assert "error[E320]" in done.err
    assert "do not pass reference-a with the measures asked" in done.err
    assert "fail" in done.out
    if kind == "json":
        assert json.loads(done.out)["lines"][0]["value"] == "fail"


def test_what_fails_is_written_to_its_file(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    done = run("stabilize", *FAILING, "-o", str(out))
    assert done.code == 4
    assert json.loads(out.read_text(encoding="utf-8"))["lines"][0]["value"] == "fail"


def test_a_search_that_finds_nothing_names_the_nearest() -> None:
    done = run("stabilize", *sets(*SHORT, "limits.most_mw=60"), "--format", "csv")
    assert done.code == 4
    assert "with any mix looked at; nearest is" in done.err
    assert re.search(r"most power in (steady state|transients)", done.err)
    assert ",verdict,Verdict of the grid,fail," in done.out


def test_undetermined_is_exit_4_and_says_the_rate() -> None:
    done = run("stabilize", *sets("simulation.sampling_hz=5", BANK), "--format", "csv")
    assert done.code == 4
    assert ",verdict,Verdict of the grid,undetermined," in done.out
    assert "needs 40 values a second" in done.err
    assert "help: give simulation.sampling_hz" in done.err


def test_bad_input_is_exit_2_with_its_place_and_no_report() -> None:
    done = run("stabilize", *sets(*SHORT, "mitigation.gpu.floor_fraction=1.9", "search.floor_fractions=[1.5]"))
    assert (done.code, done.out) == (2, "")
    assert "--set mitigation.gpu.floor_fraction=1.9" in done.err
    assert "2 problems found" in done.err


@pytest.mark.parametrize(
    ("override", "near"),
    [("machin.server=x", "machine"), ("mitigation.gpu.flor_fraction=0.9", "floor_fraction"),
     ("limits.ramp_up_mw_per_m=1", "ramp_up_"), ("jobs.main.phases.compute.durations=1", "duration_s")],
)  # fmt: skip
def test_wrong_keys_are_put_right(override: str, near: str) -> None:
    done = run("stabilize", *sets(override))
    assert done.code == 2
    assert f"did you mean '{near}" in done.err


SECOND_JOB = """[scenario]
name = "two"
base = "stabilize-100k"
[jobs.second]
accelerators = 5_000
count = 2
start_s = 10
start_up_s = 10
start_up_fraction = 0.3
restart_s = 20
failures_s = [40]
jitter_fraction = 0.02
skew_s = 0.05
phases = { work = { duration_s = 3, power_fraction = 0.9 }, swap = { duration_s = 1, power_fraction = 0.3 } }
evaluation = { every_iterations = 10, duration_s = 5, power_fraction = 0.6 }
"""


def test_several_jobs_that_start_fail_and_evaluate(tmp_path: Path) -> None:
    two = tmp_path / "two.toml"
    two.write_text(SECOND_JOB, encoding="utf-8")
    done = run("stabilize", str(two), *QUICK, "--format", "json")
    assert done.code in (0, 4), done.err
    report = json.loads(done.out)
    assert {row["label"]: row["text"] for row in report["context"]}["Job"].startswith("110,000 x NVIDIA GB200")
    alone = json.loads(run("stabilize", *QUICK, "--format", "json").out)
    mean, before = (next(line["value"] for line in one["lines"] if line["id"] == "mean_mw") for one in (report, alone))
    assert 1.03 * before < mean < 1.10 * before


def test_a_scenario_of_another_planner_is_refused() -> None:
    done = run("stabilize", "power-100mw")
    assert (done.code, done.out) == (2, "")


# ---- around it ----


def test_init_and_schema(tmp_path: Path) -> None:
    assert run("init", str(tmp_path), "--template", "stabilize-100k").code == 0
    done = run("stabilize", str(tmp_path / "stabilize-100k.toml"), *QUICK, "--format", "csv")
    assert (done.code, "Verdict of the grid,pass" in done.out) == (0, True)
    schema = json.loads(run("schema", "scenario", "stabilize").out)
    assert {"machine", "jobs", "facility", "limits", "mitigation", "search", "year", "cost"} <= set(
        schema["properties"]
    )


def test_help_names_both_commands_and_loads_no_numpy() -> None:
    done = run("stabilize", "--help")
    assert done.code == 0
    assert "aiplan stabilize check" in done.out
    code = ("import sys; from aiplan.cli import main; main(['stabilize', '--help']); "
            "print([name for name in ('numpy', 'scipy') if name in sys.modules], file=sys.stderr)")  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stderr.strip() == "[]"


def test_explain_of_every_line_has_sources() -> None:
    done = run("stabilize", *QUICK, "--explain", "all")
    assert done.code == 0
    assert "max (P(t + w) - P(t)) / w" in done.out
    assert "jobs.main.phases.compute.power_fraction" in done.out


def test_one_table_as_csv() -> None:
    done = run("stabilize", *QUICK, "--table", "limits", "--format", "csv")
    assert done.out.startswith("limit,name,regime,value,allowed,unit,margin_fraction,verdict,at_s,at_hz,counts,why\n")


def test_same_bytes_in_processes_of_their_own() -> None:
    one, two = (spawn("stabilize", *QUICK, "--format", "json") for _ in range(2))
    assert one.returncode == 0
    assert one.stdout == two.stdout


# ---- made to break it ----


HOSTILE = (
    "jobs={}",
    "jobs.main.phases={}",
    'jobs.main={accelerators=1e3, phases="x"}',
    "jobs.main.accelerators=1",
    "jobs.main.accelerators=100000000",
    "jobs.main.accelerators=1e30",
    "jobs.main.count=64",
    "jobs.main.phases.compute.duration_s=1e-12",
    "jobs.main.phases.compute.duration_s=99999",
    "jobs.main.phases.compute.power_fraction=nan",
    "jobs.main.phases.compute.power_fraction=0",
    "jobs.main.checkpoint.every_iterations=1",
    "jobs.main.checkpoint.duration_s=1e-9",
    "jobs.main.skew_s=100",
    "jobs.main.jitter_fraction=0.5",
    "jobs.main.restart_s=1e5",
    "jobs.main.failures_s=[1, 1, 1, 2, 3, 50]",
    "jobs.main.failures_s=[-1]",
    "jobs.main.start_s=1e5",
    "machine.constant_w=0",
    "machine.tdp_w=1e-30",
    "machine.tdp_w=1e30",
    "machine.device_time_constant_s=0",
    "facility.cooling_time_constant_s=0",
    "facility.cooling_fraction=5",
    "facility.load_fraction=1e-9",
    "facility.other_w=1e30",
    "simulation.idle_s=0",
    "simulation.idle_s=60",
    "simulation.settle_s=0",
    "simulation.settle_s=86400",
    "limits.ramp_up_mw_per_s=1e-20",
    "limits.ramp_up_mw_per_s=1e20",
    "limits.ramp_window_s=1e-6",
    "limits.ramp_window_s=86400",
    "limits.bands.critical.low_hz=1e-9",
    "limits.bands.critical.high_hz=500",
    "limits.most_mw=1e-9",
    "mitigation={}",
    "mitigation.period_factor=0.01",
    "mitigation.stagger=true",
    "mitigation.gpu={floor_fraction=0, ramp_up_w_per_s=1e-20, ramp_down_w_per_s=1e20, hysteresis_s=1e5}",
    "mitigation.software={level_fraction=1.1, delay_s=1000, back_off_s=1e5, slowdown_fraction=1}",
    "mitigation.start_cap={duration_s=1e-9, initial_fraction=0}",
    'mitigation.storage.x={technology="li-ion", level="rack", energy_wh=0, power_w=0, time_constant_s=0}',
    'mitigation.storage.x={technology="flywheel", level="site", energy_wh=1e-20, time_constant_s=1e5}',
    'mitigation.storage.x={technology="psu-electrolytic", level="psu", time_constant_s=1}',
    "year.uptime_fraction=1e-12",
    "year.starts_per_day=86400",
    "year.checkpoints_per_day=0",
    "cost.rate_fraction=1",
    "cost.lifetime_years=1e-9",
    "cost.electricity_usd_per_kwh=1e30",
    "cost.gpu_usd_per_h=0",
)  # fmt: skip


@pytest.mark.parametrize("override", HOSTILE)
def test_hostile_inputs_get_an_answer_or_an_error(override: str) -> None:
    """With measures asked, so that one run is all it takes; the search is tried below."""
    asked = [] if override.startswith("mitigation") else [BANK]
    done = run("stabilize", *sets(*SHORT, "simulation.idle_s=20", *asked, override), "--format", "json")
    assert done.code in (0, 2, 4), done.err
    assert (done.code == 2) == (done.out == "")
    assert ("error[E" in done.err) == (done.code != 0)
    assert "E900" not in done.err
    if done.out:
        json.loads(done.out, parse_constant=lambda text: pytest.fail(text))


@pytest.mark.parametrize(
    "override",
    [
        'search.levels=["psu", "rack", "site"]', "search.start_cap=true", "search.time_constants_s=[1e12]",
        "search.ramp_factors=[1e12]", "search.hysteresis_s=1e5", "search.software_delay_s=1000",
        "search.most_storage_wh=1e-9", "search.most_energy_overhead_fraction=0", "search.floor_fractions=[1.1]",
        "jobs.main.phases.compute.power_fraction=0", "facility.other_w=1e12",
    ],
)  # fmt: skip
def test_hostile_searches(override: str) -> None:
    few = ('search.technologies=["supercapacitor", "psu-electrolytic"]', "search.floor_fractions=[0, 0.9]",
           "search.time_constants_s=[3]", "search.ramp_factors=[0, 0.95]", *SHORT)  # fmt: skip
    done = run("stabilize", *sets(*few, override), "--format", "json")
    assert done.code in (0, 4), done.err
    json.loads(done.out, parse_constant=lambda text: pytest.fail(text))
