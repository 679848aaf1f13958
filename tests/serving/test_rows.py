"""Rows of text: columns, names, formats and layouts as found in the wild, and cells that no deployment has."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.serving.cells import COLUMNS, LIMITS, WHOLE, cells_of, find_columns, number
from aiplan.planners.serving.precision import CACHE_BYTES
from aiplan.planners.serving.rows import (
    BENCHMARK_LENGTHS,
    BENCHMARK_SPELLING,
    DEFAULT_OUTPUT,
    DEFAULT_PROMPT,
    Row,
    Shelf,
    deployment_of,
    load_of,
    place,
)

SHELF = Shelf(Catalog())
BASE = {
    "model": "llama-3.1-8b",
    "hardware": "h100",
    "precision": "bf16",
    "framework": "vllm",
    "isl": "100",
    "osl": "100",
}


def row(**cells: object) -> Row:
    return place({**BASE, **{key: str(value) for key, value in cells.items()}}, SHELF)


def bare(**cells: object) -> Row:
    return place({key: str(value) for key, value in cells.items()}, SHELF)


def degrees(found: Row) -> tuple[float, ...]:
    return (found.tp, found.pp, found.dp, found.ep, found.replicas)


# --- columns ---


@pytest.mark.parametrize(("key", "name"), [(key, name) for key, names in COLUMNS.items() for name in names])
@pytest.mark.parametrize("spelling", [str, str.upper, str.title])
def test_every_column_alias_is_found_in_any_case(key: str, name: str, spelling: object) -> None:
    header = spelling(name)  # type: ignore[operator]
    columns = find_columns(["note", header])
    assert columns[key] == (header,)
    assert all(found == () for other, found in columns.items() if other != key)
    assert cells_of({"note": "x", header: " 7 "}, columns) == {key: "7"}


def test_our_own_name_comes_first_and_the_next_column_fills_its_gaps() -> None:
    columns = find_columns(["batch", "max_num_seqs", "avg_batch_size", "concurrency"])
    assert columns["concurrency"] == ("concurrency", "avg_batch_size", "batch", "max_num_seqs")
    said = {"batch": "3", "max_num_seqs": "4", "avg_batch_size": "2", "concurrency": "n/a"}
    assert cells_of(said, columns) == {"concurrency": "2"}


@pytest.mark.parametrize("text", ["", " ", "-", "N/A", "na", "None", "NULL", "auto", "NaN", "UNSET"])
def test_words_for_nothing_say_nothing(text: str) -> None:
    assert cells_of({"tp": text}, find_columns(["tp"])) == {}


# --- names ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b200_sxm", "b200-sxm"), ("H100", "h100-sxm"), ("h200", "h200-sxm"), ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("MI300X", "mi300x"), ("AMD Instinct MI300X 192GB HBM3", "mi300x"), ("L40S", "l40s"), ("GB200", "gb200-nvl72"),
        ("A100", "a100-80gb-sxm"), ("h100_sxm", "h100-sxm"), ("B200", "b200-sxm"),
    ],
)  # fmt: skip
def test_accelerators_as_found_in_the_wild(text: str, expected: str) -> None:
    assert row(hardware=text).hardware == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meta-llama/Llama-3.1-70B", "llama-3.1-70b"), ("LLaMA v3.1 8B", "llama-3.1-8b"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"), ("nvidia/Llama-3.3-70B-Instruct-FP8", "llama-3.3-70b"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"), ("llama3_1-8b-fp8_dyn", "llama-3.1-8b"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"), ("llama2-70b-99.9", "llama-2-70b"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
    ],
)  # fmt: skip
def test_models_as_found_in_the_wild(text: str, expected: str) -> None:
    found = row(model=text).model
    assert found == expected


def test_unknown_names_are_input_errors_with_the_nearest() -> None:
    for cells, near in (({"model": "llama-3.1-9b"}, "llama-3.1-8b"), ({"hardware": "h1000"}, "h100-sxm")):
        with pytest.raises(InputError, match="in the catalog") as caught:
            row(**cells)
        assert near in caught.value.hint
    for key in ("model", "hardware"):
        with pytest.raises(ValueError, match=f"{key} missing"):
            place({name: text for name, text in BASE.items() if name != key}, SHELF)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bfloat16", "bf16"), ("BF16", "bf16"), ("FP16", "fp16"), ("float16", "fp16"), ("half", "fp16"),
        ("fp8", "fp8"), ("FP8", "fp8"), ("fp8_e4m3", "fp8"), ("fp4", "nvfp4"), ("nvfp4", "nvfp4"), ("NVFP4", "nvfp4"),
        ("mxfp4", "nvfp4"), ("INT8", "int8"), ("int4", "w4a16"), ("w4a16", "w4a16"), ("AWQ", "w4a16"),
        ("fp8/bf16", "fp8"), ("FP32", "fp32"),
    ],
)  # fmt: skip
def test_precisions(text: str, expected: str) -> None:
    assert row(precision=text).precision == expected


def test_a_checkpoints_own_four_bits() -> None:
    for said in ("fp4", "mxfp4", "nvfp4"):
        found = row(model="gpt-oss-120b", precision=said)
        assert found.precision == "mxfp4"
        assert not any("read as" in note for note in found.notes)
    other = row(model="gpt-oss-120b", precision="bf16")
    assert other.precision == "mxfp4"
    assert any("read as mxfp4" in note for note in other.notes)
    assert row(model="kimi-k2-thinking", precision="int4").precision == "int4"
    assert row(model="llama-3.1-70b", precision="int4").precision == "w4a16"


def test_a_format_in_the_name_counts_before_the_models_own() -> None:
    assert bare(model="nvidia/DeepSeek-R1-0528-NVFP4-v2", hardware="b200").precision == "nvfp4"
    assert bare(model="meta-llama/Llama-3.1-70B", hardware="h100").precision == "bf16"
    assert bare(model="deepseek-r1", hardware="h200").precision == "fp8"
    assert row(model="nvidia/Llama-3.3-70B-Instruct-FP8", precision="bf16").precision == "bf16"
    with pytest.raises(ValueError, match="precision 'fp6'"):
        row(precision="fp6")


@pytest.mark.parametrize(
    ("text", "expected"), [("fp8", "fp8"), ("FP8_E4M3", "fp8"), ("bfloat16", "bf16"), ("fp4", "nvfp4")]
)
def test_cache_formats(text: str, expected: str) -> None:
    assert row(kv_precision=text).kv_precision == expected
    assert row().kv_precision is None


@pytest.mark.parametrize("text", ["mxfp4", "fp6", "int4"])
def test_cache_formats_that_no_engine_has(text: str) -> None:
    assert text not in CACHE_BYTES
    with pytest.raises(ValueError, match="kv_precision"):
        row(kv_precision=text)


@pytest.mark.parametrize(
    ("text", "engine", "version"),
    [
        ("trtllm", "tensorrt-llm", ""), ("TensorRT-LLM v1.0", "tensorrt-llm", "1.0"), ("vLLM", "vllm", ""),
        ("TensorRT 10.2.0, CUDA 12.4", "tensorrt-llm", "10.2.0"), ("SGLang 0.5.9", "sglang", "0.5.9"),
        ("vLLM 0.9.0.2.dev108+g71faa1880", "vllm", "0.9.0.2.dev108+g71faa1880"),
    ],
)  # fmt: skip
def test_engines(text: str, engine: str, version: str) -> None:
    found = row(framework=text)
    assert (found.engine, found.engine_version) == (engine, version)
    assert not any("engine" in note for note in found.notes)


def test_an_unknown_engine_is_another_and_says_so() -> None:
    found = row(framework="jetstream")
    assert found.engine == "other"
    assert "engine 'jetstream' not known" in found.notes
    assert "engine not stated" in place({"model": "llama-3.1-8b", "hardware": "h100"}, SHELF).notes


# --- layouts ---


def test_the_number_of_gpus_is_authoritative() -> None:
    # Experts over all GPUs and attention not cut: eight ranks of attention.
    assert degrees(row(model="deepseek-r1", n_gpus=8, tp=1, ep=8)) == (1, 1, 8, 8, 1)
    assert degrees(row(model="deepseek-r1", n_gpus=16, tp=4, ep=16)) == (4, 1, 4, 16, 1)
    too_many = row(n_gpus=8, tp=64)
    assert degrees(too_many) == (8, 1, 1, 1, 1)
    assert any("does not divide 8 GPUs" in note for note in too_many.notes)
    stages = row(n_gpus=4, tp=1)
    assert degrees(stages) == (1, 4, 1, 1, 1)
    assert any("PP4 derived" in note for note in stages.notes)


def test_a_group_stated_as_both_tensor_and_data_parallel_is_data_parallel() -> None:
    found = row(model="deepseek-r1", n_gpus=8, tp=8, dp=8, ep=8)
    assert degrees(found) == (1, 1, 8, 8, 1)
    assert any("read as DP8" in note for note in found.notes)


def test_nothing_stated() -> None:
    found = bare(model="llama-3.1-8b", hardware="h100")
    assert found.n_gpus == 1
    assert degrees(found) == (1, 1, 1, 1, 1)
    assert any("n_gpus not stated" in note for note in found.notes)


def test_degrees_alone_state_the_gpus() -> None:
    found = row(model="deepseek-r1", tp=2, dp=4)
    assert found.n_gpus == 8
    assert not any("not stated" in note for note in found.notes)


def test_gpus_alone_become_the_smallest_copies_that_leave_room() -> None:
    assert degrees(row(n_gpus=8)) == (1, 1, 1, 1, 8)
    big = row(model="llama-3.1-70b", n_gpus=8, precision="bf16")
    assert degrees(big) == (4, 1, 1, 1, 2)
    assert any("2 copies of TP4 assumed" in note for note in big.notes)
    assert degrees(row(model="llama-3.1-405b", n_gpus=8, precision="bf16")) == (8, 1, 1, 1, 1)


def test_ep_counts_only_where_it_can() -> None:
    assert row(n_gpus=8, tp=1, ep=8).pp == 8  # dense: no experts to divide
    for cells in ({"n_gpus": 16, "tp": 8, "pp": 2, "ep": 16}, {"n_gpus": 8, "tp": 8, "ep": 3}):
        found = row(model="deepseek-r1", **cells)
        assert found.ep == 1
        assert any("does not divide 8 GPUs: left out" in note for note in found.notes)


def test_no_pipeline_stage_without_a_layer() -> None:
    # Llama 3.1 8B has 32 layers.
    assert row(n_gpus=32, tp=1).pp == 32
    found = row(n_gpus=64, tp=1)
    assert degrees(found) == (1, 1, 1, 1, 64)
    assert any("more stages than layers" in note for note in found.notes)
    with pytest.raises(ValueError, match="pp = 64 exceeds the 32 layers"):
        row(pp=64)


def test_published_maxima_of_models_with_experts_ran_attention_in_parallel() -> None:
    cells = {"model": "deepseek-r1", "hardware": "b200", "n_gpus": 8, "tp": 8, "precision": "fp8"}
    assert degrees(row(**cells, framework="TensorRT-LLM v1.0")) == (1, 1, 8, 8, 1)
    assert degrees(row(**cells, framework="TensorRT-LLM v1.0", concurrency=64)) == (8, 1, 1, 1, 1)
    assert degrees(row(**cells, framework="TensorRT-LLM 0.17")) == (8, 1, 1, 1, 1)
    assert degrees(row(**cells, framework="vllm")) == (8, 1, 1, 1, 1)


maybe = st.one_of(st.none(), st.integers(1, 24))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["llama-3.1-8b", "deepseek-r1", "gpt-oss-120b", "llama-3.1-405b"]),
    st.sampled_from(["vllm", "trtllm", "TensorRT-LLM v1.0", "SGLang", "static"]),
    st.one_of(st.none(), st.integers(1, 200)), maybe, maybe, maybe, maybe, st.one_of(st.none(), st.just(7)),
)  # fmt: skip
def test_every_layout_uses_every_gpu(
    model: str, engine: str, n_gpus: int | None, tp: int | None, pp: int | None, dp: int | None, ep: int | None,
    concurrency: int | None,
) -> None:  # fmt: skip
    stated = {"n_gpus": n_gpus, "tp": tp, "pp": pp, "dp": dp, "ep": ep, "concurrency": concurrency}
    cells = {key: str(value) for key, value in stated.items() if value is not None}
    found = place({**BASE, "model": model, "framework": engine, **cells}, SHELF)
    assert found.tp * found.pp * found.dp * found.replicas == found.n_gpus
    assert (found.tp * found.dp) % found.ep == 0
    if n_gpus is not None:
        assert found.n_gpus == n_gpus
    elif any(degree is not None for degree in (tp, pp, dp)):
        assert found.n_gpus == math.prod(degree or 1 for degree in (tp, pp, dp))
    known = math.prod(degree or 1 for degree in (tp, pp, dp))
    if found.n_gpus % known == 0 and "TensorRT" not in engine and "trtllm" not in engine:
        # What is stated and possible is kept; only what is left over is added to.
        assert tp is None or found.tp == tp
        assert pp is None or found.pp % pp == 0
        assert dp is None or found.dp % dp == 0
    assert deployment_of([found], SHELF).devices[0] == found.n_gpus


# --- loads and lengths ---


def test_concurrency_may_be_fractional_and_empty_means_saturation() -> None:
    assert row(concurrency="7.935").concurrency == 7.935
    assert not row(concurrency="7.935").offline
    assert math.isnan(row().concurrency)
    assert row().offline
    assert row(framework="TensorRT-LLM 0.6.1 static batch", concurrency=64).offline


def test_empty_lengths_are_assumed_and_said() -> None:
    found = bare(model="llama-3.1-70b", hardware="h100", concurrency=1)
    assert (found.isl, found.osl) == (DEFAULT_PROMPT, DEFAULT_OUTPUT)
    assert f"prompt length {DEFAULT_PROMPT:g} assumed" in found.notes
    assert f"answer length {DEFAULT_OUTPUT:g} assumed" in found.notes
    assert not any("length" in note for note in row().notes)
    assert bare(model="llama-3.1-70b", hardware="h100", task="image-chat", concurrency=1).isl == 1000
    assert row(isl=0).isl == 1


@pytest.mark.parametrize("model_id", BENCHMARK_LENGTHS)
def test_benchmark_lengths_where_nothing_is_stated(model_id: str) -> None:
    model = BENCHMARK_SPELLING.get(model_id, model_id)
    found = bare(model=model, hardware="h200", n_gpus=8)
    assert (found.isl, found.osl) == BENCHMARK_LENGTHS[model_id]
    assert any("MLPerf" in note for note in found.notes)
    assert found.precision == "fp8"
    assert bare(model=model, hardware="b200", n_gpus=8).precision == "nvfp4"
    assert (row(model=model).isl, row(model=model).osl) == (100, 100)
    stated = bare(model=model, hardware="h200", n_gpus=8, concurrency=8)
    assert (stated.isl, stated.osl) == (DEFAULT_PROMPT, DEFAULT_OUTPUT)


def test_a_bare_row_of_an_everyday_model_is_no_benchmark() -> None:
    found = bare(model="meta-llama/Llama-3.1-8B", hardware="h100")
    assert (found.isl, found.osl, found.precision) == (DEFAULT_PROMPT, DEFAULT_OUTPUT, "bf16")


def test_measured_numbers_are_kept() -> None:
    found = row(output_tok_s="1234.5", ttft_ms="10", tpot_ms=2, power_w=700)
    assert (found.output_tok_s, found.ttft_ms, found.tpot_ms, found.power_w) == (1234.5, 10, 2, 700)
    load = load_of([found, row(concurrency=3)])
    assert load.prompt_tokens.tolist() == [100, 100]
    assert load.concurrency[1] == 3
    assert load.speculative.tolist() == [0, 0]


# --- hostile cells ---

HOSTILE = ["nan", "inf", "-inf", "1e999", "-1", "-1e-9", "1e308", "9" * 400, "x", "1,000", "0x10", "1e", "--1", "\x00",
           "1 2", "=1+1", "<b>1</b>", "１２３x", "1" * 5000, "{}", "true", "1/2"]  # fmt: skip


@pytest.mark.parametrize("key", sorted(LIMITS))
@pytest.mark.parametrize("text", HOSTILE)
def test_what_no_deployment_has_names_its_column(key: str, text: str) -> None:
    with pytest.raises(ValueError, match=key) as caught:
        row(**{key: text})
    assert len(str(caught.value)) < 300
    with pytest.raises(ValueError, match=key):
        number({key: text}, key)


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_counts_are_whole(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} must be a whole number"):
        row(**{key: "1.5"})
    assert number({key: "4.0"}, key) == 4


def test_degrees_that_multiply_beyond_any_cluster() -> None:
    with pytest.raises(ValueError, match=r"tp x pp x dp is .* GPUs"):
        row(tp=10000, dp=100000)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            key: st.one_of(st.text(max_size=30), st.floats().map(str), st.integers(-10, 10**6).map(str))
            for key in (*LIMITS, "precision", "kv_precision", "framework", "task")
        },
    )
)
def test_any_text_gives_a_row_or_an_error_that_says_what(cells: dict[str, str]) -> None:
    texts = {**BASE, **cells}
    said = cells_of(texts, find_columns(list(texts)))
    try:
        found = place(said, SHELF)
    except ValueError as error:
        message = str(error)
    else:
        message = "placed"
        assert found.tp * found.pp * found.dp * found.replicas == found.n_gpus
    assert message


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_any_name_is_known_or_an_input_error(model: str, hardware: str) -> None:
    message = "placed"
    try:
        place({"model": model, "hardware": hardware}, SHELF)
    except (InputError, ValueError) as error:
        message = str(error)
    assert message


# --- every name in the measured data ---

# Not in the catalog: two consumer parts, a module with another memory, mixed systems, and logs that name none.
UNKNOWN_HARDWARE = frozenset(
    {
        "N/A",
        "NVIDIA GH200 Grace Hopper Superchip 144GB",
        "NVIDIA GeForce RTX 4090",
        "NVIDIA Jetson AGX Orin 64G",
        "AMD Instinct MI300X 192GB HBM3 (x32), AMD Instinct MI325X 256GB HBM3e (x16)",
        "AMD Instinct MI325X 256GB HBM3E (x16), AMD Instinct MI300X 192GB HBM3 (x8)",
    }
)


def names_in(data: Path, file: str, columns: tuple[str, ...]) -> set[str]:
    with (data / file).open(encoding="utf-8", newline="") as source:
        return {row[name].strip() for row in csv.DictReader(source) for name in columns if row.get(name, "").strip()}


FILES = ("throughput/trtllm.csv", "throughput/inferencex_agg.csv", "throughput/inferencex_disagg.csv",
         "throughput/mlperf.csv", "energy/mlenergy_v3.csv")  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_every_name_in_the_measured_data_is_known_or_listed(shared_data: Path, file: str) -> None:
    for kind, columns, unknown in (
        ("models", ("model", "model_id", "model_path"), frozenset()),
        ("accelerators", ("hardware", "gpu_model", "system"), UNKNOWN_HARDWARE),
    ):
        found = names_in(shared_data, file, columns)
        assert found
        missing = set()
        for name in found:
            try:
                SHELF.resolve(kind, name)
            except InputError:
                missing.add(name)
        assert missing <= unknown
