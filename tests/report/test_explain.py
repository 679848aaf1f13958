"""--explain: formula, inputs with effect and source, and the same as a graph."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.cells import cell_len

from aiplan.errors import InputError
from aiplan.report.explain import explain_graph, render_explain, render_explain_json
from aiplan.report.model import Line
from aiplan.report.terminal import Terminal
from tests.report.sample import nasty_report, sample_report


def test_text_says_formula_inputs_effects_and_sources() -> None:
    text = render_explain(sample_report(), "energy_per_query_wh")
    for part in (
        "0.308 Wh",
        "middle half 0.162 – 0.607",
        "pue * output_tokens / (3600 * tokens_per_s)",
        "serving.tokens_per_s",
        "-9.1 %",
        "lognormal(p5 1.05, p95 1.6)",
        "NVIDIA TensorRT-LLM 0.19 performance overview (trtllm-0.19)",
        "measured",
    ):
        assert part in text
    assert "Carbon" not in text


def test_a_line_without_inputs_shows_its_own_sources() -> None:
    text = render_explain(sample_report(), "node_power_w")
    assert text.endswith("\nNVIDIA DGX H100 datasheet (dgx-h100-ds)\n")


def test_without_an_id_every_line_is_explained() -> None:
    text = render_explain(sample_report())
    assert all(line.id in text for line in sample_report().lines)


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_text_keeps_to_the_width(width: int) -> None:
    text = render_explain(sample_report(), None, Terminal(True, width))
    assert max(map(cell_len, text.splitlines())) <= width


def test_unknown_line_names_the_nearest() -> None:
    for call in (render_explain, explain_graph):
        with pytest.raises(InputError, match="energy_per_querry_wh") as caught:
            call(sample_report(), "energy_per_querry_wh")
        assert caught.value.exit_code == 2
        assert caught.value.hint.startswith("did you mean energy_per_query_wh")
    with pytest.raises(InputError) as far:
        render_explain(sample_report(), "zzz")
    assert "energy_per_query_node_wh" in far.value.hint


def test_a_hostile_id_is_shown_cleaned() -> None:
    with pytest.raises(InputError) as caught:
        render_explain(sample_report(), "\x1b[31mx")
    assert "\x1b" not in caught.value.render()


def test_graph() -> None:
    graph = explain_graph(sample_report(), "energy_per_query_wh")
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"]) == 1 + 4 + 2
    assert nodes["facility.pue"]["distribution"] == "lognormal(p5 1.05, p95 1.6)"
    assert nodes["source:oviedo-2026"]["title"].startswith("Oviedo")
    effects = {edge["from"]: edge["effect"] for edge in graph["edges"] if edge["to"] == "energy_per_query_wh"}
    assert effects == dict(zip(sample_report().lines[0].inputs, sample_report().lines[0].effects, strict=True))
    assert all(edge["from"] in nodes and edge["to"] in nodes for edge in graph["edges"])


def test_an_input_that_is_a_line_is_followed() -> None:
    total = Line("total_wh", "Total", 1.0, "Wh", grade="paper", inputs=("energy_per_query_wh", "nowhere.known"))
    report = replace(sample_report(), lines=(total, *sample_report().lines))
    graph = explain_graph(report, "total_wh")
    kinds = {node["id"]: node["kind"] for node in graph["nodes"]}
    assert kinds["energy_per_query_wh"] == "line"
    assert kinds["facility.pue"] == "input"
    assert kinds["nowhere.known"] == "input"
    assert {"from": "energy_per_query_wh", "to": "total_wh", "effect": None} in graph["edges"]
    assert "energy_per_query_wh  0.308  Wh" in render_explain(report, "total_wh")


def test_lines_that_name_each_other_end() -> None:
    lines = (Line("a", "a", 1.0, None, inputs=("b",)), Line("b", "b", 1.0, None, inputs=("a",)))
    graph = explain_graph(replace(sample_report(), lines=lines), "a")
    assert [node["id"] for node in graph["nodes"]] == ["a", "b"]


def test_json_has_an_envelope() -> None:
    content = json.loads(render_explain_json(sample_report(), "fleet_nodes"))
    assert content["schema"] == "aiplan/energy/explain/1"
    assert content["nodes"][0]["value"] == 4821
    assert content["edges"] == [{"from": "source:trtllm-0.19", "to": "fleet_nodes"}]


def test_hostile_texts_are_harmless() -> None:
    text = render_explain(nasty_report())
    assert "\x1b" not in text
    assert "[red]x[/red]" in text
