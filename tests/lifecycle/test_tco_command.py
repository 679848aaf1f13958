"""`aiplan tco` and `aiplan refresh` on the command line: formats, exit codes, what is refused and how."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aiplan.errors import InfeasibleError, InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.lifecycle.case import build_case
from aiplan.planners.lifecycle.command import REFRESH, TCO
from aiplan.planners.lifecycle.inputs import LifecycleInputs
from tests.cli.runner import Outcome, run, spawn
from tests.lifecycle.golden import answer, result, shipped

SITE = "site-1gw-gb200"
"""One design, one policy, one generation: answered in a moment."""


def tco(*arguments: str) -> Outcome:
    return run("tco", SITE, *arguments)


def refused(*overrides: str, name: str = "lifecycle-2026") -> list[tuple[str, str]]:
    """Codes and paths of what is wrong with a scenario."""
    with pytest.raises(InputError) as caught:
        build_case(load_scenario(name, LifecycleInputs, list(overrides), None).inputs, shipped())
    return [(problem.code, problem.path) for problem in caught.value.problems]


# ---- formats ----


def test_json() -> None:
    found = tco("--format", "json")
    assert found.code == 0
    written = json.loads(found.out)
    assert written["schema"] == "aiplan/tco/1"
    assert {"strategies", "years", "fleet"} <= set(written["tables"])
    assert {"tco_usd", "npv_usd", "saving_joint", "regret"} <= {line["id"] for line in written["lines"]}


def test_years_are_a_table_for_a_spreadsheet() -> None:
    found = tco("--table", "years", "--format", "csv")
    assert found.code == 0
    rows = list(csv.DictReader(io.StringIO(found.out)))
    baseline = [row for row in rows if row["strategy"] == "baseline"]
    total = answer(SITE).line("tco_usd").value
    assert sum(float(row["total_usd"]) for row in baseline) == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(("format_", "start"), [("table", "A site of 1 GW"), ("md", "# "), ("html", "<!doctype html>")])
def test_formats_for_people(format_: str, start: str) -> None:
    found = tco("--format", format_)
    assert found.code == 0
    assert found.out.startswith(start)
    assert "Total cost" in found.out
    assert not found.raw_characters


def test_same_inputs_same_bytes_and_another_seed_other_draws() -> None:
    drawn = ("--set", "market.energy_usd_per_kwh={ lognormal = { median = 0.08, gsd = 1.5 } }", "--samples", "16",
             "--format", "json")  # fmt: skip
    first, again, other = tco(*drawn), tco(*drawn), tco(*drawn, "--seed", "7")
    assert (first.code, other.code) == (0, 0)
    assert first.out == again.out

    def spread(found: Outcome) -> float:
        line = next(line for line in json.loads(found.out)["lines"] if line["id"] == "npv_sampled_usd")
        return float(line["p95"]) - float(line["p5"])

    assert spread(first) > 0
    assert spread(first) != spread(other)


def test_explain_names_what_a_line_rests_on() -> None:
    found = tco("--explain", "usd_per_mw_year")
    assert found.code == 0
    assert "npv_usd / discounted megawatt-years" in found.out
    assert "roadmap.price_usd.gb200-nvl72-rack" in found.out


def test_defaults_are_shipped_for_both_commands() -> None:
    for planner in (TCO, REFRESH):
        inputs = load_scenario(planner.default, LifecycleInputs, [], planner.name).inputs
        assert bool(inputs.fleet) == (planner is REFRESH)


def test_the_command_imports_nothing_heavy() -> None:
    code = "import sys, aiplan.planners.lifecycle.command; print([m for m in ('numpy', 'scipy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# ---- exit codes ----


def test_a_wrong_key_is_exit_2_with_a_suggestion() -> None:
    found = tco("--set", "demand.loda_fraction=0.5")
    assert found.code == 2
    assert "did you mean 'load_fraction'" in found.err
    assert "Traceback" not in found.err


def test_demand_that_cannot_be_served_is_exit_4_and_says_what_binds() -> None:
    found = tco("--set", "demand.requests_per_s=1e7")
    assert found.code == 4
    assert found.err.startswith("error[E291]: from 2026 on, the power of the site cannot serve the demand")
    assert re.search(r"least change that is enough by itself: .* MW more", found.err)
    assert not found.out


def test_the_smallest_change_is_enough_and_less_is_not() -> None:
    asked = ("demand.requests_per_s=4e6",)
    with pytest.raises(InfeasibleError) as caught:
        result(SITE, *asked)
    more = re.search(r"([\d.,]+) MW more", caught.value.hint or "")
    assert more is not None
    needed = 1e9 + float(more.group(1).replace(",", "")) * 1e6
    assert result(SITE, *asked, f"site.most_w={needed * 1.001}").start.feasible
    with pytest.raises(InfeasibleError):
        result(SITE, *asked, f"site.most_w={needed * 0.99}")


def test_a_scenario_of_the_other_command_is_refused() -> None:
    found = run("refresh", "lifecycle-2026")
    assert found.code == 2
    assert "E112" in found.err


def test_a_process_ends_with_these_codes(tmp_path: Path) -> None:
    assert spawn("tco", SITE, "--set", "demand.requests_per_s=1e7", cwd=tmp_path).returncode == 4
    assert spawn("tco", SITE, "--format", "json", "-o", "x.json", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["schema"] == "aiplan/tco/1"


# ---- bad input ----


@pytest.mark.parametrize("path", ["account.discount_fraction", "account.tax_fraction", "market.energy_usd_per_kwh",
                                  "upkeep.failure_fraction", "demand.load_fraction"])  # fmt: skip
def test_negative_rates_are_refused(path: str) -> None:
    assert [found for _, found in refused(f"{path}=-0.05")] == [path]


def test_an_unbounded_roadmap_is_refused() -> None:
    found = refused("roadmap.interval_years=0.25", "horizon.years=60", "roadmap.end_year=2200")
    assert [code for code, _ in found] == ["E272"]


@pytest.mark.parametrize("servers", [
    '["dgx-h100", "dgx-a100", "dgx-b200"]', '["dgx-h100", "dgx-h100", "dgx-b200"]',
])  # fmt: skip
def test_overlapping_generations_are_refused(servers: str) -> None:
    assert refused(f"roadmap.servers={servers}") == [("E273", "roadmap.servers")]


def test_generations_that_come_at_the_same_time_overlap() -> None:
    assert refused("roadmap.released_year={ dgx-h200 = 2026.0, dgx-b200 = 2025.0 }") == [("E273", "roadmap.servers")]


def test_lives_beyond_the_horizon_are_refused() -> None:
    assert refused("policies.fixed-7.life_years=30") == [("E276", "policies.fixed-7.life_years")]


def test_all_that_is_wrong_with_the_baseline_is_said_at_once() -> None:
    found = refused("baseline.policy=never", "baseline.cooling=immersion")
    assert found == [("E278", "baseline.cooling"), ("E278", "baseline.policy")]


@pytest.mark.parametrize(("override", "code"), [
    ('roadmap.servers=["dgx-b200", "abacus"]', "E121"),
    ("market.tariff=building-us-2025", "E285"),
    ("site.cooling=[\"hybrid\", \"hybrid\"]", "E288"),
    ("policies.lazy.life_years=5", "E276"),
    ("horizon.years=14.5", "E276"),
    ("operation.precision=fp7", "E275"),
])  # fmt: skip
def test_other_refusals(override: str, code: str) -> None:
    assert code in {found for found, _ in _refused_later(override)}


def _refused_later(override: str) -> list[tuple[str, str]]:
    """As `refused`, with what only the ways to run the fleet find out."""

    def build() -> None:
        build_case(load_scenario("lifecycle-2026", LifecycleInputs, [override], "tco").inputs, shipped()).setup(
            "baseline"
        )

    with pytest.raises(InputError) as caught:
        build()
    return [(problem.code, problem.path) for problem in caught.value.problems]


# ---- documentation ----


def test_every_code_of_the_planner_is_documented(root: Path) -> None:
    page = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    code = "".join(
        file.read_text(encoding="utf-8") for file in (root / "aiplan" / "planners" / "lifecycle").glob("*.py")
    )
    used = set(re.findall(r'"(E2[789]\d|W-TCO-[A-Z]+)"', code))
    assert len(used) > 20
    assert [one for one in sorted(used) if f"| `{one}` |" not in page] == []
    section = page.split("## Lifecycle: the study")[1].split("\n## ")[0]
    described = set(re.findall(r"^\| `([EW][\w-]+)` \|", section, re.MULTILINE))
    assert described <= used
