"""The model files hold together: counts follow from shapes, names are unique, sources exist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli

from aiplan.catalog.names import Names, normalise
from aiplan.catalog.schema import Model
from tests.catalog import model_counting as counting
from tests.catalog.model_names import NAMES

FOLDER = Path(__file__).resolve().parents[2] / "hardware_catalog"
MODELS: dict[str, dict[str, Any]] = {
    entry_id: entry
    for path in sorted((FOLDER / "models").glob("*.toml"))
    for entry_id, entry in tomli.loads(path.read_text(encoding="utf-8")).items()
}
SHAPES = {entry_id: entry for entry_id, entry in MODELS.items() if "shape_of" not in entry}
SIBLINGS = {entry_id: entry for entry_id, entry in MODELS.items() if "shape_of" in entry}
SOURCES = tomli.loads((FOLDER / "sources" / "models.toml").read_text(encoding="utf-8"))
PARTS = (
    "params_embedding", "params_output_head", "params_attention", "params_linear_attention",
    "params_dense_ffn",
    "params_routed_experts", "params_shared_experts", "params_other",
)  # fmt: skip
# Counted by building the transformers class without weights (5.23.0, meta device).
SECOND_COUNTS = {
    "bloom-176b": 176_247_271_424,
    "llama-3.1-405b": 405_853_388_800,
    "deepseek-v3": 671_026_419_200,
    "deepseek-v3.2": 671_877_944_064,
    "gpt-oss-120b": 116_829_156_672,
    "minimax-m2.5": 228_689_764_864,
    "nemotron-3-nano-30b-a3b": 31_577_940_288,
    "nemotron-h-56b": 56_324_350_464,
    "qwen3.5-35b-a3b": 34_660_610_688,
    "qwen3.5-27b": 26_895_998_464,
    "gemma-2-2b": 2_614_341_888,
    "phi-3.5-moe": 41_873_153_344,
    "falcon-40b": 41_303_293_952,
    "glm-4.7-flash": 29_943_393_920,
}
PUBLISHED = "published_total_params_b"
OWN_FIELDS = {"max_context_tokens", "native_precision", "extra_params", "extra_modules", "shape_of"}
IDENTITY = {
    "name", "family", "vendor", "released", "licence", "source", "grade", "evidence", "hf_ids", "aliases",
    "unverified_fields", "published_total_params_b", "published_active_params_b", "published_kind",
    "conflicts",
    "note",
}  # fmt: skip

each_shape = pytest.mark.parametrize("entry_id", SHAPES)
each_model = pytest.mark.parametrize("entry_id", MODELS)


def _value(number: object) -> float:
    value = number["value"] if isinstance(number, dict) else number
    assert isinstance(value, int | float)
    return float(value)


def _whole(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry with the shape of its parent."""
    return {**SHAPES[entry["shape_of"]], **entry} if "shape_of" in entry else entry


@each_shape
def test_parts_follow_from_the_shape(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    assert {part: entry[part] for part in PARTS} == counting.parts(entry_id, entry)


@each_shape
def test_total_is_the_sum_of_its_parts(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    assert entry["total_params"] == sum(entry[part] for part in PARTS)


@pytest.mark.parametrize(("entry_id", "total"), SECOND_COUNTS.items())
def test_total_equals_a_count_of_the_reference_implementation(entry_id: str, total: int) -> None:
    assert SHAPES[entry_id]["total_params"] == total


@each_shape
def test_active_leaves_idle_experts_out(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    experts, active = entry.get("experts", 1), entry.get("experts_active", 1)
    idle = entry["params_routed_experts"] * (experts - active)
    assert entry["active_params"] * experts == entry["total_params"] * experts - idle


@each_shape
def test_matmul_leaves_looked_up_rows_out(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    looked_up = 0 if entry["tied_embeddings"] else entry["params_embedding"]
    looked_up += counting.positions(entry_id, entry)
    assert entry["matmul_params"] == entry["active_params"] - looked_up


@each_shape
def test_layers_add_up(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    layers, dense, moe = entry["layers"], entry["dense_layers"], entry.get("moe_layers", 0)
    mixers = entry.get("attention_layers", layers) + entry.get("linear_layers", 0)
    if entry_id in counting.MAMBA:  # each layer is one mixer: Mamba, attention, FFN or experts
        assert mixers + dense + moe == layers
    elif entry_id in counting.FFN_MULTS:  # blocks may lack attention, FFN or both
        assert mixers <= layers
        assert sum(counting.FFN_MULTS[entry_id].values()) == dense <= layers
    else:
        assert mixers == layers
        assert dense + moe == layers


@each_shape
def test_kv_values_per_token(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    layers = entry.get("attention_layers", entry["layers"])
    per_layer = 2 * entry.get("kv_heads", 0) * entry["head_dim"]
    if entry["attention"] == "mla":
        assert "kv_heads" not in entry  # config.json repeats the head count there; it must not size a cache
        per_layer = entry["kv_lora_rank"] + entry["qk_rope_head_dim"] + entry.get("index_head_dim", 0)
        assert entry["head_dim"] == entry["qk_nope_head_dim"] + entry["qk_rope_head_dim"]
    assert entry["kv_values_per_token"] == layers * per_layer
    assert entry["kv_values_per_token_full_layers"] == (layers - entry.get("windowed_layers", 0)) * per_layer


@each_shape
def test_attention_kind_agrees_with_heads(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    heads, kv = entry["attention_heads"], entry.get("kv_heads")
    expected = {None: "mla", heads: "mha", 1: "mqa"}.get(kv, "gqa")
    assert entry["attention"] == expected
    assert kv is None or heads % kv == 0


@pytest.mark.parametrize("entry_id", [name for name, entry in SHAPES.items() if "linear_layers" in entry])
def test_state_of_linear_layers(entry_id: str) -> None:
    entry = SHAPES[entry_id]
    _, state, conv = counting.linear(entry_id, entry)
    assert (entry["linear_state_values"], entry["linear_conv_values"]) == (state, conv)


@pytest.mark.parametrize("entry_id", [name for name, entry in MODELS.items() if PUBLISHED in entry])
def test_total_reproduces_the_published_one_within_1_percent(entry_id: str) -> None:
    entry = _whole(MODELS[entry_id])
    published = _value(entry[PUBLISHED])
    text_only, extra = entry["total_params"] / 1e9, entry.get("extra_params", 0) / 1e9
    closest = min(abs(text_only / published - 1), abs((text_only + extra) / published - 1))
    explained = any(word in entry["note"] for word in ("name is rounded", "one more MoE layer"))
    assert closest < 0.01 or explained


@pytest.mark.parametrize("entry_id", SIBLINGS)
def test_sibling_says_nothing_about_its_shape(entry_id: str) -> None:
    entry = SIBLINGS[entry_id]
    assert entry["shape_of"] in SHAPES
    assert set(entry) <= IDENTITY | OWN_FIELDS
    assert "max_context_tokens" in entry  # not taken from the parent


@each_model
def test_fields_are_in_the_schema(entry_id: str) -> None:
    assert set(MODELS[entry_id]) <= set(Model.model_fields)


def test_names_are_unique() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for entry_id, entry in MODELS.items():
        for name in [entry_id, *entry.get("aliases", ()), *entry.get("hf_ids", ())]:
            owners[normalise(name)].add(entry_id)
    assert {name: ids for name, ids in owners.items() if len(ids) > 1} == {}


def _names() -> Names:
    return Names(
        (entry_id, [*entry.get("aliases", ()), *entry.get("hf_ids", ())]) for entry_id, entry in MODELS.items()
    )


def test_names_of_the_measured_data_resolve() -> None:
    names = _names()
    assert {name: names.resolve(name) for name in NAMES} == NAMES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unsloth/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b"),
        ("Qwen/Qwen3-32B-AWQ", "qwen3-32b"),
        ("Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b-instruct-2507"),
        ("LLaMA v3 70B Chat", "llama-3-70b"),
        ("glm4.6-FP8", "glm-4.6"),
        ("llama3_1-405b_pruned", "llama-3.1-405b-pruned"),
        ("Qwen3-8B-pruned", None),
        ("Llama 2.7B", None),
        ("Qwen3", None),
    ],
)
def test_unseen_names(name: str, expected: str | None) -> None:
    assert _names().resolve(name) == expected


def _numbers(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for value in entry.values():
        if isinstance(value, dict):
            yield value
    yield from entry.get("conflicts", ())


@each_model
def test_what_was_not_read_does_not_pass_for_published(entry_id: str) -> None:
    entry = MODELS[entry_id]
    for item in [entry, *_numbers(entry)]:
        source = SOURCES[item.get("source", entry["source"])]
        evidence = item.get("evidence", entry.get("evidence", "published"))
        if source.get("evidence") == "unverified" and "field" not in item:
            assert (evidence, item.get("grade", entry["grade"])) == ("unverified", "assumption")
        if evidence == "unverified" and "field" not in item:
            assert item.get("grade", entry["grade"]) == "assumption"
        if source.get("evidence") == "second-hand" and "field" not in item:
            assert evidence in ("second-hand", "unverified")


@each_model
def test_unverified_fields_are_fields_of_the_entry(entry_id: str) -> None:
    entry = MODELS[entry_id]
    assert set(entry.get("unverified_fields", ())) <= set(_whole(entry))


def test_every_source_is_used_and_every_used_source_exists() -> None:
    used = {item["source"] for entry in MODELS.values() for item in [entry, *_numbers(entry)] if "source" in item}
    assert used == set(SOURCES)
