"""What `aiplan validate` says of `aiplan split`, with the measured data and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.split import validation_data
from aiplan.planners.split.compiled import SWITCH, numba_installed
from aiplan.planners.split.validation import CHECKS, NOT_REPRODUCED
from aiplan.report.model import Table
from aiplan.study.validate import EVIDENCE, PLANNERS, Check, Results, validation_report
from tests.split.machines import trace_of

CATALOG = Catalog()
compiled_only = pytest.mark.skipif(not numba_installed(), reason="thousands of replays need numba")


@pytest.fixture(scope="module")
def results() -> Results:
    return Results(CATALOG)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_published_number(check: Check, results: Results) -> None:
    assert check.got(results) == pytest.approx(check.expected, rel=check.tolerance)


def test_nothing_that_was_read_at_second_hand_counts_as_published() -> None:
    """Of the sources here only the abstract, the notebook and the profile were seen themselves."""
    seen = {source: CATALOG.get("sources", source).evidence for source in {check.source for check in CHECKS}}
    assert set(seen.values()) == {"second-hand"}
    assert all(check.evidence in ("second-hand", "derived") for check in CHECKS)
    for item in NOT_REPRODUCED:
        assert CATALOG.title(item.source)
        told = item.reason.startswith("second-hand") or "abstract" in item.reason
        assert told or item.source.startswith("splitwise-sim-"), item.what


def test_the_headline_tells_the_evidence() -> None:
    report, failed = validation_report(CATALOG, None)
    rows = report.table("checks").records()
    assert failed == 0
    known = {name: sum(row["evidence"] == name for row in rows) for name in EVIDENCE}
    assert sum(known.values()) == len(rows) == report.line("checks").value
    assert all(f"{count} {EVIDENCE[name]}" in report.headline for name, count in known.items())
    assert {check.what for check in CHECKS} <= {row["what"] for row in rows}
    assert {item.what for item in NOT_REPRODUCED} <= {row["what"] for row in report.table("not_reproduced").records()}


@pytest.mark.parametrize("scenario", ["deepseek-2025", "size-70b-h200", "llama-70b-h200", "frontier-chat"])
def test_a_check_reads_any_planners_scenario(scenario: str, results: Results) -> None:
    report = results.report(scenario)
    assert report.planner in PLANNERS
    assert report.lines
    assert results.report(scenario) is report


def test_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        validation_data.data_tables(CATALOG, tmp_path)
    assert caught.value.code == "E185"
    assert "reference_runs.csv" in str(caught.value)


@pytest.mark.shared_data
def test_without_numba_the_long_studies_are_left_out(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    monkeypatch.setattr(validation_data, "runs_table", lambda *_: Table("split_runs", "", (), ()))
    assert [table.id for table in validation_data.data_tables(CATALOG, shared_data)] == ["split_runs"]
    assert validation_data.data_checks(CATALOG, shared_data) == ()


@pytest.mark.shared_data
@compiled_only
def test_the_replay_beside_the_reference_runs(shared_data: Path) -> None:
    rows = validation_data.runs_table(CATALOG, shared_data).records()
    assert len(rows) == 16
    for row in rows:
        metrics = [float(row[f"{metric}_error"] or 0) for metric in validation_data.METRICS]
        assert row["worst_error"] == max(metrics) < 1e-3, row["run"]
        assert row["slo_agrees"] is True
    assert sum(row["slo_ok"] is True for row in rows) == 11
    lent = {row["run"]: (row["borrowed_token"], row["borrowed_prompt"]) for row in rows if row["borrowed_token"]}
    assert lent == {
        "bloom_code70_aa_55_15": (13, 0),
        "bloom_conv130_hh_25_15": (5, 13),
        "bloom_conv70_hh_12_12": (7, 0),
    }


@pytest.mark.shared_data
def test_the_recipe_gives_the_reference_trace(shared_data: Path) -> None:
    drawn = validation_data.conversation(shared_data, validation_data.SEED)
    arrival, prompts, outputs = trace_of(shared_data, "rr_conv_70_2min")
    assert drawn.arrival_s == pytest.approx(arrival, abs=1e-6)
    assert (drawn.prompt_tokens == prompts).all()
    assert (drawn.output_tokens == outputs).all()


@pytest.mark.shared_data
@compiled_only
def test_the_closed_form_beside_the_replay(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_data, "SCENARIOS", 4)
    table = validation_data.analytic_table(CATALOG, shared_data)
    rows = table.records()
    assert [(row["metric"], row["percentile"]) for row in rows] == [
        (metric, at) for metric in validation_data.METRICS for at in validation_data.AT
    ]
    for row in rows:
        means = [float(row[f"{name}_error"] or 0) for name in ("in_sample", "other_requests", "other_machines")]
        assert 0 < max(means) <= float(row["worst_error"] or 0)
        assert abs(float(row["bias"] or 0)) <= max(means)
        assert row["verdict"] == ("met" if max(means) <= float(row["goal"] or 0) else "missed")


@pytest.mark.shared_data
@compiled_only
def test_the_papers_designs(shared_data: Path) -> None:
    rows = validation_data.designs_table(CATALOG, shared_data).records()
    assert len(rows) == 12
    by = {(row["decode_model"], row["design"]): row for row in rows}
    for row in rows:
        assert (row["evidence"] == "second-hand") is (row["token_machines"] is not None)
        if row["token_machines"] is None:
            continue
        assert float(row["paper_split_ratio"] or 0) <= float(row["ratio"] or 0) * 1.001
        assert int(row["plateau_least_prompts"] or 0) <= int(row["prompt_machines"] or 0)
    best = max(("AA", "HH", "HA", "HHcap"), key=lambda name: float(by["measured", name]["requests_per_s"] or 0))
    assert best == "HHcap"
    assert float(by["measured", "HA"]["ratio"] or 0) < 1.0 < float(by["simcompat", "HA"]["ratio"] or 0)


@pytest.mark.shared_data
@compiled_only
def test_the_papers_splits_and_ratios(shared_data: Path, results: Results) -> None:
    checks = validation_data.data_checks(CATALOG, shared_data)
    assert len(checks) == 10
    assert {check.evidence for check in checks} == {"second-hand"}
    for check in checks:
        assert check.got(results) == pytest.approx(check.expected, rel=check.tolerance), check.what
