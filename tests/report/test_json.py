"""The JSON envelope: keys, order, exact numbers, and no NaN ever."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from aiplan import __version__
from aiplan.errors import InputError
from aiplan.report.json import envelope, render_json
from aiplan.report.model import Column, InputRecord, Line, Report, Table
from tests.report.sample import nasty_report, sample_report

KEYS = [
    "schema",
    "aiplan_version",
    "seed",
    "samples",
    "boundary",
    "scenario",
    "catalog",
    "lines",
    "tables",
    "warnings",
    "not_modelled",
    "inputs",
    "sources",
    "title",
    "headline",
    "context",
    "table_info",
]


def loaded(report: Report, **options: Any) -> dict[str, Any]:
    content = json.loads(render_json(report, **options))
    assert isinstance(content, dict)
    return content


def test_envelope_has_its_keys_in_order() -> None:
    content = loaded(sample_report())
    assert list(content) == KEYS
    assert content["schema"] == "aiplan/energy/1"
    assert content["aiplan_version"] == __version__
    assert content["scenario"] == {"name": "frontier-chat", "sha256": "6f1c" * 16}
    assert content["catalog"] == {"version": "2026.11", "sha256": "ab12" * 16}
    assert content["sources"]["dgx-h100-ds"] == "NVIDIA DGX H100 datasheet"
    assert list(content["warnings"][0]) == ["code", "path", "message"]


def test_a_stamp_appears_only_when_given() -> None:
    assert loaded(replace(sample_report(), stamp="2026-11-22T00:00:00Z"))["stamp"] == "2026-11-22T00:00:00Z"


def test_quantiles_only_on_sampled_lines() -> None:
    lines = {line["id"]: line for line in loaded(sample_report())["lines"]}
    sampled, fixed = lines["energy_per_query_wh"], lines["fleet_nodes"]
    assert list(sampled)[:12] == [
        "id", "label", "value", "unit", "p5", "p25", "p50", "p75", "p95", "mean", "grade", "sources",
    ]  # fmt: skip
    assert list(fixed) == ["id", "label", "value", "unit", "grade", "sources"]
    assert fixed["unit"] is None
    assert lines["energy_cost_usd_per_mtoken"]["value"] is None
    assert lines["fits_in_memory"]["value"] is True


def test_tables_are_flat_records() -> None:
    content = loaded(sample_report())
    assert list(content["tables"]) == ["models", "levers"]
    assert content["tables"]["models"][2]["energy_wh_p95"] is None
    for records in content["tables"].values():
        assert all(not isinstance(value, dict | list) for record in records for value in record.values())


def test_inputs_have_eight_fields_and_null_for_absent() -> None:
    record = loaded(sample_report())["inputs"][1]
    assert list(record) == ["path", "label", "value", "unit", "distribution", "grade", "evidence", "sources"]
    assert record["distribution"] is None


def test_one_table_narrows_the_envelope() -> None:
    content = loaded(sample_report(), table="levers")
    assert list(content["tables"]) == list(content["table_info"]) == ["levers"]
    assert list(content) == KEYS


def test_unknown_table_is_an_input_error_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="modles") as caught:
        render_json(sample_report(), table="modles")
    assert caught.value.exit_code == 2
    assert "models" in caught.value.hint


@pytest.mark.parametrize("report", [sample_report(), nasty_report()], ids=["sample", "nasty"])
def test_text_comes_back_exactly(report: Report) -> None:
    assert json.loads(render_json(report)) == envelope(report)


def test_layout() -> None:
    text = render_json(sample_report())
    assert text.endswith("}\n")
    assert "\r" not in text
    assert text.startswith('{\n  "schema": "aiplan/energy/1",\n  "aiplan_version"')
    assert '"effects": [0.1, -0.0909, 0.1, 0.1]' in text
    assert render_json(sample_report()) == text


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 1.7976931348623157e308, 10**25, -0.0])
def test_numbers_are_shortest_and_exact(value: float | int) -> None:
    report = replace(sample_report(), lines=(Line("x", "x", value, "W"),))
    (line,) = loaded(report)["lines"]
    assert line["value"] == value
    assert f'"value": {value!r},' in render_json(report)


BAD = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", ["value", "p5", "p25", "p50", "p75", "p95", "mean"])
def test_a_line_that_is_not_finite_is_named(name: str, value: float) -> None:
    base = sample_report().lines[0]
    report = replace(sample_report(), lines=(replace(base, **{name: value}),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"line energy_per_query_wh, {name}"):
        render_json(report)


def test_bad_effects_cells_and_inputs_are_named() -> None:
    report = sample_report()
    line = replace(report.lines[0], effects=(math.nan,) * 4)
    with pytest.raises(ValueError, match="line energy_per_query_wh, effects"):
        render_json(replace(report, lines=(line,)))
    table = Table("t", "t", (Column("a"), Column("b")), ((1.0, 2.0), (1.0, math.nan)))
    with pytest.raises(ValueError, match="table t, row 1, column b"):
        render_json(replace(report, tables=(table,)))
    with pytest.raises(ValueError, match=r"input facility\.pue"):
        render_json(replace(report, inputs=(InputRecord("facility.pue", "PUE", math.inf),)))


def test_numpy_integers_are_refused_by_name() -> None:
    numpy = pytest.importorskip("numpy")
    report = replace(sample_report(), lines=(Line("n", "n", numpy.int64(3), None),))
    with pytest.raises(ValueError, match="line n, value: int64"):
        render_json(report)


def test_empty_report_is_still_a_whole_envelope() -> None:
    empty = replace(
        sample_report(), lines=(), tables=(), warnings=(), not_modelled=(), inputs=(), sources={}, context=()
    )
    content = loaded(empty)
    assert list(content) == KEYS
    assert content["tables"] == {}
    assert content["lines"] == []
