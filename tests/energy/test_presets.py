"""The presets give what was published, and what the authors' code gives when run."""

from __future__ import annotations

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.plan import plan
from aiplan.planners.energy.validation import CHECKS, NOT_REPRODUCED
from aiplan.study.validate import Check, Results, validation_report


@pytest.fixture(scope="module")
def results() -> Results:
    return Results(Catalog())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.what} ({check.source}, {check.tolerance:.3g})")
def test_published_number(check: Check, results: Results) -> None:
    assert check.got(results) == pytest.approx(check.expected, rel=check.tolerance)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_headline_does_not_hang_on_the_seed(seed: int) -> None:
    """200,000 draws: 1 % on medians and fleet, 2 % on quartiles (Oviedo et al. 2026, authors' code)."""
    scenario = load_scenario("oviedo-2026", EnergyInputs, [f"uncertainty.seed={seed}"], "energy")
    found = plan(scenario.inputs, Catalog())
    short, long = found.lines["energy_per_query_wh"], found.lines["energy_per_long_query_wh"]
    assert short["p50"] == pytest.approx(0.308, rel=0.01)
    assert [short["p25"], short["p75"]] == pytest.approx([0.162, 0.607], rel=0.02)
    assert [long["p25"], long["p50"], long["p75"]] == pytest.approx([2.13, 3.90, 7.05], rel=0.02)
    fleet = {row["case"]: row["energy_gwh_per_day"] for row in found.fleet}
    assert [fleet["base"], fleet["mixed"], fleet["mixed_improved"]] == pytest.approx([0.731, 1.710, 0.804], rel=0.01)


def test_constant_throughput_has_a_closed_form(results: Results) -> None:
    """E[E] = P E[PU] E[PUE] E[L] / (3.6 TPS) for Nemotron, whose law is constant (reference, section 4)."""
    mean_fraction, mean_pue, mean_tokens = 0.6185, 1.3068, 432.8
    expected = 10.2 * mean_fraction * mean_pue * mean_tokens / (3.6 * 5200)
    got = results.cell("oviedo-2026", "models", "energy_wh_mean", model="nemotron-ultra-253b", regime="short")
    assert expected == pytest.approx(0.1906, rel=0.005)
    assert got == pytest.approx(expected, rel=0.01)


def test_untrimmed_blend(results: Results) -> None:
    """Short 0.119/0.308/0.694 (mean 0.551), long mean 7.94, 2 % (reference, check 7)."""
    scenario = load_scenario("oviedo-2026", EnergyInputs, ["energy.trim=none"], "energy")
    found = plan(scenario.inputs, results.catalog)
    short = found.lines["energy_per_query_wh"]
    assert [short["p25"], short["p50"], short["p75"], short["mean"]] == pytest.approx(
        [0.119, 0.308, 0.694, 0.551], rel=0.02
    )
    assert found.lines["energy_per_long_query_wh"]["mean"] == pytest.approx(7.94, rel=0.02)


def test_the_preprint_marks_its_calibrated_input(results: Results) -> None:
    report = results.report("oviedo-2025")
    record = next(record for record in report.inputs if record.path == "facility.pue")
    assert record.grade == "assumption"
    assert "alibrated" in report.sources[record.sources[0]]
    assert "calibrated" in report.title
    assert report.line("energy_per_query_wh").grade == "assumption"


def test_the_journal_preset_rests_on_the_paper_alone(results: Results) -> None:
    line = results.report("oviedo-2026").line("energy_per_query_wh")
    assert line.grade == "paper"
    assert set(line.sources) <= {"oviedo-2026-code", "oviedo-2026-throughput"}


def test_validation_lists_what_is_not_reproduced() -> None:
    report, failed = validation_report(Catalog(), None)
    assert failed == 0
    assert report.line("checks").value >= len(CHECKS) >= 60
    rows = report.table("not_reproduced").records()
    assert {item.what for item in NOT_REPRODUCED} <= {str(row["what"]) for row in rows}
    assert all(row["reason"] for row in rows)
    assert any("8-20x" in str(row["published"]) for row in rows)
