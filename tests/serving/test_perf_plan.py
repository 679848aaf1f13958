"""One configuration: what its lines say of one another, what moves them, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.errors import InfeasibleError, InputError
from aiplan.planners.serving.collect import ACCELERATOR, Desk, build_case
from aiplan.planners.serving.plan import goodput, plan
from aiplan.planners.serving.predict import Predicted, predict
from aiplan.planners.serving.report import LINES
from tests.catalog.overlays import SOURCE, write
from tests.serving.perf_cases import case, catalog, lines, report, result, scenario

OFFLINE = "load={input_tokens=2000,output_tokens=500}"
SHORT = "load={input_tokens=100,output_tokens=100,concurrency=4}"
TP4 = ("deployment.tp=4", "deployment.copies=2")


def codes(*changes: str) -> set[str]:
    found = result(*changes)
    return {warning.code for warning in (*found.case.warnings, *found.warnings)}


# Lines agree with one another.


@pytest.mark.parametrize(
    "changes",
    [(), TP4, (OFFLINE,), ("deployment.pp=2",), ("load.concurrency=0.5",), ("facility.busy_fraction=0.4",),
     ('deployment.model="deepseek-r1"', 'deployment.hardware="b200"')],
    ids=["default", "tp4", "offline", "pp2", "fraction", "busy", "experts"],
)  # fmt: skip
def test_lines_agree(changes: tuple[str, ...]) -> None:
    found, asked = lines(*changes), result(*changes).case
    values = asked.parameters.medians()
    gpus, answer = asked.row.n_gpus, asked.row.osl
    busy, pue = values["facility.busy_fraction"], values["facility.pue"]
    share = gpus / asked.server_accelerators
    host, idle = values["power.host_power_w"] * share, values["power.rated_power_w"] * share
    idle *= values["power.idle_power_fraction"]
    assert found["output_tok_s"] == pytest.approx(found["tok_s_per_gpu"] * gpus)
    assert found["requests_per_s"] * answer == pytest.approx(found["output_tok_s"])
    assert found["power_w"] == pytest.approx(found["energy_j_per_token"] * found["output_tok_s"])
    assert found["server_power_w"] == pytest.approx(found["power_w"] + host)
    assert found["facility_power_w"] == pytest.approx(pue * found["server_power_w"])
    # An hour: busy for a share of it, idle for the rest, all of it paid by the queries of the busy share.
    hour_wh = pue * (busy * found["server_power_w"] + (1 - busy) * idle)
    assert found["energy_per_query_wh"] == pytest.approx(hour_wh / (3600 * busy * found["requests_per_s"]))
    assert found["wh_per_million_tokens"] == pytest.approx(found["energy_per_query_wh"] / answer * 1e6)
    tokens = 3600 * busy * found["output_tok_s"]
    assert found["usd_per_million_tokens"] == pytest.approx(values[asked.price] * gpus / tokens * 1e6)
    assert 0 < found["speed_of_light_share"] < 1
    if not asked.row.offline:
        # Little's law: requests in flight = rate x time in service, a request's own prefill included, where all fit.
        others = max(found["batch"] - 1.0, 0.0)
        own = (found["tpot_ms"] - found["itl_ms"]) / others if others else 0.0
        in_flight = found["output_tok_s"] * (found["tpot_ms"] + own) / 1e3
        assert in_flight <= asked.row.concurrency * (1 + 1e-9)
        if others:
            assert in_flight == pytest.approx(asked.row.concurrency)
        assert found["ttft_idle_ms"] <= found["ttft_steady_ms"] <= found["ttft_ms"]


def test_every_line_has_label_and_formula() -> None:
    found = report()
    assert [line.id for line in found.lines] == list(LINES)
    assert all(line.formula and line.inputs for line in found.lines)
    known = {record.path for record in found.inputs}
    assert all(path in known for line in found.lines for path in line.inputs)
    assert set(found.sources) >= {source for line in found.lines for source in line.sources}


@pytest.mark.parametrize(
    "changes",
    [(), (OFFLINE,), ("load.speculative=true",), (OFFLINE, "load.speculative=true"), ("deployment.pp=4",),
     ("load.concurrency=3",)],
)  # fmt: skip
def test_the_parts_of_a_token_add_up(changes: tuple[str, ...]) -> None:
    found = result(*changes)
    assert sum(part.share for part in found.breakdown) == pytest.approx(1.0, rel=1e-9)
    steps = [part for part in found.breakdown if part.phase == "decode step"]
    if "load.speculative=true" not in changes:
        assert sum(part.time_ms for part in steps) == pytest.approx(found.lines["itl_ms"], rel=1e-9)


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm", "sglang"])
def test_memory_adds_up(engine: str) -> None:
    table = report(f"deployment.engine={engine}").table("memory")
    parts = {row["part"]: row["memory_gb"] for row in table.records()}
    total = parts.pop("all")
    assert sum(parts.values()) == pytest.approx(total)  # type: ignore[arg-type]
    assert total == pytest.approx(141 * 2**30 / 1e9)  # type: ignore[arg-type]
    assert all(value >= 0 for value in parts.values())  # type: ignore[operator]


def test_bands_enclose_the_estimate() -> None:
    for row in report().table("accuracy").records():
        assert row["low"] < row["value"] < row["high"]  # type: ignore[operator]


# Scaling.


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12), st.integers(1, 400))
def test_copies_scale_rates_and_leave_times(copies: int, in_flight: int) -> None:
    one = lines("deployment.tp=2", "deployment.n_gpus=2", f"load.concurrency={in_flight}")
    many = lines("deployment.tp=2", f"deployment.n_gpus={2 * copies}", f"deployment.copies={copies}",
                 f"load.concurrency={in_flight * copies}")  # fmt: skip
    for name in ("tpot_ms", "ttft_ms", "tok_s_per_gpu", "energy_per_query_wh", "usd_per_million_tokens"):
        assert many[name] == pytest.approx(one[name]), name
    for name in ("output_tok_s", "power_w", "server_power_w"):
        assert many[name] == pytest.approx(one[name] * copies), name


def test_half_a_server_takes_half_the_host() -> None:
    found = result("deployment.n_gpus=4", "deployment.tp=4")
    assert found.lines["server_power_w"] - found.lines["power_w"] == pytest.approx(
        found.case.parameters.medians()["power.host_power_w"] / 2
    )


@pytest.mark.parametrize("model", ["llama-3.1-70b", "deepseek-r1"])
def test_power_rises_with_the_load_from_idle_to_what_memory_holds(model: str) -> None:
    asked = case(f"deployment.model={model}")
    loads = [0.001, 0.1, 1.0, 4.0, 8.0, 9.0, 32.0, 256.0, 1e3, 1e4, 1e6]
    found = predict([replace(asked.row, concurrency=load) for load in loads], asked.shelf).power_w
    # Near saturation prefill crowds out decoding, which draws a little more.
    assert (found[1:] >= found[:-1] * 0.999).all()
    tdp_w = asked.row.n_gpus * asked.accelerator.tdp_w.value
    # One request in a thousand seconds' worth: idle. A queue changes nothing for the accelerators.
    assert found[0] < 0.2 * tdp_w
    assert found[-1] == pytest.approx(found[-2])
    assert found[-1] < tdp_w


def test_rounds_spread_the_burst() -> None:
    short, long = (lines(f"load.rounds={rounds}") for rounds in (1, 1e6))
    assert short["ttft_ms"] > lines()["ttft_ms"] > long["ttft_ms"]
    assert long["ttft_ms"] == pytest.approx(long["ttft_steady_ms"], rel=1e-3)
    assert short["tpot_ms"] == long["tpot_ms"]


def test_a_stated_memory_fraction_counts() -> None:
    low, high = (lines(f"deployment.memory_fraction={share}") for share in (0.7, 0.9))
    # vLLM: a share of all memory, so that the difference is that share of it.
    assert high["kv_gb_per_gpu"] - low["kv_gb_per_gpu"] == pytest.approx(0.2 * 141 * 2**30 / 1e9)
    assert high["batch_limit"] > low["batch_limit"]


# What moves a line.


@pytest.mark.parametrize(
    ("path", "change"),
    [("load.input_tokens", "load.input_tokens=2200"), ("load.concurrency", "load.concurrency=281.6"),
     ("load.output_tokens", "load.output_tokens=550"), ("power.host_power_w", "power.host_power_w={host}")],
)  # fmt: skip
def test_effects_are_what_a_change_does(path: str, change: str) -> None:
    before = result()
    host = before.case.parameters.medians()["power.host_power_w"]
    after = lines(change.format(host=1.1 * host))
    for name in ("tpot_ms", "facility_power_w", "usd_per_million_tokens"):
        evidence = before.evidence[name]
        found = dict(zip(evidence.inputs, evidence.effects, strict=False)).get(path, 0.0)
        expected = after[name] / before.lines[name] - 1
        assert found == pytest.approx(expected if abs(expected) > 0.01 else 0.0, abs=1e-9), name


def test_a_number_of_the_accelerator_moves_what_it_should() -> None:
    evidence = result().evidence
    power = dict(zip(evidence["power_w"].inputs, evidence["power_w"].effects, strict=False))
    # Chips of a higher TDP at the same load draw more, but not in proportion: part of it is set by the work.
    assert 0.01 < power["accelerators.h200-sxm.tdp_w"] <= 0.1
    assert "accelerators.h200-sxm.hbm_gb" in evidence["batch_limit"].inputs
    assert "accelerators.h200-sxm.hbm_gb" not in evidence["tpot_ms"].inputs
    times = dict(zip(evidence["itl_ms"].inputs, evidence["itl_ms"].effects, strict=False))
    assert times["accelerators.h200-sxm.hbm_achieved_tb_per_s"] < -0.01


@pytest.mark.parametrize(
    "name", ["hbm_achieved_tb_per_s", "tdp_w", "hbm_gb", "scaleup_gb_per_s", "fp8_achieved_tflops"]
)
def test_effects_of_the_accelerator_against_another_catalog(name: str, tmp_path: Path) -> None:
    entry = catalog().get("accelerators", "h200-sxm")
    numbers = {field: getattr(entry, field).value for field in ACCELERATOR if getattr(entry, field) is not None}
    numbers["scaleup_domain_count"], numbers[name] = 8, 1.1 * numbers[name]
    head = 'name = "Mine"\nvendor = "NVIDIA"\nsource = "mine"\ngrade = "datasheet"\nreleased = 2025-01-31\n'
    body = "".join(f"{field} = {value!r}\n" for field, value in numbers.items())
    write(tmp_path, {"sources.toml": SOURCE, "accelerators.toml": f"[mine]\n{head}{body}"})
    changed = scenario(*TP4, "deployment.hardware=mine", 'deployment.server=""', "price.gpu_usd_per_h=1.74")
    after = plan(build_case(changed, Catalog(tmp_path))).lines
    before = result(*TP4, "price.gpu_usd_per_h=1.74")
    for line in ("tpot_ms", "ttft_ms", "power_w", "batch_limit", "energy_j_per_token", "usd_per_million_tokens"):
        found = dict(zip(before.evidence[line].inputs, before.evidence[line].effects, strict=False))
        expected = after[line] / before.lines[line] - 1
        assert found.get(f"accelerators.h200-sxm.{name}", 0.0) == pytest.approx(
            expected if abs(expected) > 0.01 else 0.0, abs=1e-9
        ), line


@pytest.mark.parametrize(
    "changes",
    [('deployment.hardware="h100"',), ('deployment.hardware="h20"',),
     (OFFLINE, 'deployment={model="llama-70b",hardware="h200",n_gpus=4,tp=4,precision="fp8",engine="tensorrt-llm"}')],
    ids=["its own power law", "rates of its siblings", "a table of its own"],
)  # fmt: skip
def test_a_variant_with_the_same_numbers_is_the_accelerator_itself(changes: tuple[str, ...]) -> None:
    asked = case(*changes)
    shelf = Desk(asked.shelf, asked.row.hardware, {"variant": asked.accelerator})
    found = predict([asked.row, replace(asked.row, hardware="variant")], shelf)
    assert shelf.chip("variant") == shelf.chip(asked.row.hardware)
    assert len(set(found.method)) == 1
    numbers = [name for name in Predicted.__slots__ if name not in ("method", "bottleneck")]
    assert [name for name in numbers if not np.array_equal(*getattr(found, name), equal_nan=True)] == []


def test_a_server_named_alone_is_used_whole() -> None:
    found = result('deployment={model="llama-3.1-8b",server="dgx-b200"}').case
    assert (found.row.n_gpus, found.row.hardware, found.row.replicas) == (8, "b200-sxm", 8)
    assert found.server_accelerators == 8


def test_the_load_is_a_question_and_no_evidence() -> None:
    line = report().line("tpot_ms")
    assert "load.concurrency" in line.inputs
    assert line.grade != "assumption"
    assert report().line("energy_per_query_wh").grade == "assumption"  # the host is assumed


# Promises.


@pytest.mark.parametrize("tpot_ms", [25, 45, 50, 80])
def test_goodput_is_the_highest_load_that_keeps_the_promise(tpot_ms: float) -> None:
    asked = case(f"slo.tpot_ms={tpot_ms}", "slo.ttft_ms=560", "deployment.n_gpus=2")
    found = goodput(asked, asked.row, predict([asked.row], asked.shelf))
    assert found is not None
    loads = [float(load) for load in range(1, 400)]
    every = predict([replace(asked.row, concurrency=load) for load in loads], asked.shelf)
    kept = [load for load, tpot, ttft in zip(loads, every.tpot_ms, every.ttft_steady_ms, strict=True)
            if tpot <= tpot_ms and ttft <= 560]  # fmt: skip
    assert found.concurrency == max(kept, default=0.0)
    at = loads.index(found.concurrency)
    assert found.requests_per_s == pytest.approx(every.output_tok_s[at] / asked.row.osl)


def test_promises_that_cannot_be_kept_are_said() -> None:
    assert result("slo.tpot_ms=1").goodput.concurrency == 0.0  # type: ignore[union-attr]
    assert "W-PERF-SLO" in codes("slo.tpot_ms=1")
    assert "W-PERF-SLO" in codes("load.concurrency=800")
    assert "W-PERF-SLO" not in codes()
    assert result("slo={}").goodput is None
    assert "goodput_requests_per_s" not in {line.id for line in report("slo={}").lines}


# Warnings.


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("W-PERF-QUEUE", ("load.concurrency=4000",)),
        ("W-PERF-CONTEXT", ("load.input_tokens=200000", "load.concurrency=1", "deployment.tp=8")),
        ("W-PERF-HOST", ('deployment.hardware="l40s"',)),
        ("W-PERF-PRICE", ('deployment.hardware="l40s"',)),
        (
            "W-PERF-FRACTION",
            ("deployment.model=llama-2-70b", "deployment.precision=bf16", "deployment.n_gpus=1", SHORT),
        ),
        ("W-PERF-POWER", ()),
        ("W-PERF-MEDIAN", ("load.input_tokens={lognormal={p5=500,p95=4000}}",)),
        ("W-PERF-ASSUMED", ("deployment.engine=homemade",)),
        ("W-PERF-LAYOUT", ("deployment.dp=2",)),
        ("W-PERF-DOMAIN", ("deployment.n_gpus=16", "deployment.tp=16")),
    ],
)
def test_warnings(code: str, changes: tuple[str, ...]) -> None:
    assert code in codes(*changes)


def test_h100_is_measured() -> None:
    assert codes('deployment.hardware="h100"', "deployment.tp=8", "slo={}") == set()


# What is refused.


def test_a_model_that_does_not_fit_says_what_would_do() -> None:
    big = 'deployment.model="llama-3.1-405b"'
    with pytest.raises(InfeasibleError, match=r"GB are missing; 4 devices would do") as caught:
        result(big, "deployment.n_gpus=2", "load.concurrency=1")
    assert (caught.value.code, caught.value.exit_code) == ("E156", 4)
    assert result(big, "deployment.n_gpus=4", "load.concurrency=1").lines["batch_limit"] >= 1
    # A request longer than the cache holds.
    with pytest.raises(InfeasibleError, match="does not fit"):
        result("load.input_tokens=3e6", "load.concurrency=1")


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        (("deployment.tp=3",), "E102", "deployment.n_gpus"),
        (("deployment.copies=3",), "E102", "deployment.n_gpus"),
        (("deployment.ep=3",), "E102", "deployment.ep"),
        (("deployment.precision=fp7",), "E102", "deployment.precision"),
        (("deployment.kv_precision=fp7",), "E102", "deployment.kv_precision"),
        (("deployment.model=llama-9",), "E121", "deployment.model"),
        (("deployment.hardware=b900",), "E121", "deployment.hardware"),
        (("deployment.server=dgx-b200",), "E102", "deployment.hardware"),
        (('deployment.hardware=""',), "E103", "deployment.hardware"),
        (('deployment.model=""',), "E103", "deployment.model"),
        (('facility.operator=""',), "E135", "facility.pue"),
        (("load.output_tokens=0",), "E102", "load.output_tokens"),
        (("deployment.hardware=rubin-ultra-nvl576",), "E134", "deployment.hardware"),
    ],
)
def test_refusals_name_the_input(changes: tuple[str, ...], code: str, path: str) -> None:
    with pytest.raises(InputError) as caught:
        case(*changes)
    assert caught.value.code == code
    assert caught.value.problems[0].path in (path, "")
    assert path in str(caught.value)


def test_all_unknown_names_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        case("deployment.model=llama-9", "deployment.hardware=b900", "facility.operator=nobody")
    assert len(caught.value.problems) == 3


# A model by its config.json.

LLAMA = {
    "model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16", "tie_word_embeddings": False,
}  # fmt: skip


def test_a_config_gives_what_the_catalog_gives(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(LLAMA))
    found = plan(case(f"deployment.config={json.dumps(str(file))}"))
    for name, value in lines().items():
        assert found.lines[name] == pytest.approx(value, nan_ok=True), name


def test_a_scenario_file_reads_no_config_outside_its_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    text = '[scenario]\nname = "own"\nbase = "llama-70b-h200"\n[deployment]\nconfig = "{}"\n'
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    (inside / "config.json").write_text(json.dumps(LLAMA))
    file = inside / "own.toml"
    file.write_text(text.format("config.json"))
    assert build_case(scenario(file=file), catalog()).model.name
    for outside in ("../config.json", str(tmp_path / "config.json")):
        file.write_text(text.format(outside))
        with pytest.raises(InputError, match="scenario's folder"):
            build_case(scenario(file=file), catalog())
    # A link out of the folder is outside too.
    (inside / "link.json").symlink_to(tmp_path / "config.json")
    file.write_text(text.format("link.json"))
    with pytest.raises(InputError, match="scenario's folder"):
        build_case(scenario(file=file), catalog())


def test_offline_has_no_first_token_to_promise() -> None:
    found = lines(OFFLINE)
    assert math.isnan(found["ttft_ms"])
    assert report(OFFLINE).line("ttft_ms").value is None
    assert found["output_tok_s"] > 0
