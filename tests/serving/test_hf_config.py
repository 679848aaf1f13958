"""Models read from a config.json: the same architecture as the catalog's, and a clear refusal of everything else."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError, Problem
from aiplan.planners.serving.architecture import FIELDS, architecture_of
from aiplan.planners.serving.hf_config import HfModel, read_hf_config
from aiplan.planners.serving.hf_families import FAMILIES
from tests.serving.hf_configs import CONFIGS, INT4, KIMI

CATALOG = Catalog()
LLAMA = CONFIGS["llama-3.1-8b"]


def read(folder: Path, config: Any) -> HfModel:
    """The model of a config written to a file."""
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return read_hf_config(path)


def problems(folder: Path, content: Any) -> list[Problem]:
    """What is wrong with a config, or with the bytes of a file."""
    path = folder / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(InputError) as raised:
        read_hf_config(path)
    assert str(raised.value)
    for problem in raised.value.problems:
        assert problem.file == str(path)
        assert problem.message
        assert problem.hint
        assert problem.render().replace("\n", " ").isprintable()
    return raised.value.problems


# ---- the same as the catalog ----


@pytest.mark.parametrize("model", CONFIGS)
def test_a_config_gives_the_architecture_of_the_catalog(model: str, tmp_path: Path) -> None:
    found, expected = architecture_of(read(tmp_path, CONFIGS[model])), architecture_of(CATALOG.get("models", model))
    assert {name: getattr(found, name) for name in FIELDS} == {name: getattr(expected, name) for name in FIELDS}


@pytest.mark.parametrize("model", CONFIGS)
def test_a_config_gives_the_fields_of_the_catalog(model: str, tmp_path: Path) -> None:
    found, entry = read(tmp_path, CONFIGS[model]), CATALOG.get("models", model)
    same = ("native_precision", "attention", "total_params", "active_params", "matmul_params", "kv_values_per_token",
            "window_tokens", "window_kind", "index_topk")  # fmt: skip
    assert {name: getattr(found, name) for name in same} == {name: getattr(entry, name) for name in same}


def test_the_configs_cover_the_types_that_matter() -> None:
    used = {(config.get("text_config") or config)["model_type"] for config in CONFIGS.values()}
    assert used <= set(FAMILIES)
    assert len(used) >= 25


def test_bloom_to_the_last_parameter(tmp_path: Path) -> None:
    """Published by bigscience: 176,247,271,424."""
    assert read(tmp_path, CONFIGS["bloom-176b"]).total_params == 176_247_271_424


@pytest.mark.parametrize(
    ("config", "total"),
    [
        # By hand: 50257 x 768 + 1024 x 768 + 12 x 7,087,872 + 1536; known as the 124 M model.
        ({"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50_257,
          "n_positions": 1024, "n_ctx": 1024}, 124_439_808),
        # By hand, layer by layer: attention 20,453,888 with biases, network 75,512,832, two norms of 6,144.
        ({"model_type": "starcoder2", "num_hidden_layers": 30, "hidden_size": 3072, "num_attention_heads": 24,
          "num_key_value_heads": 2, "intermediate_size": 12_288, "vocab_size": 49_152, "use_bias": True,
          "sliding_window": 4096, "max_position_embeddings": 16_384},
         49_152 * 3072 + 30 * (20_453_888 + 75_512_832 + 2 * 6144) + 6144),
    ],
)  # fmt: skip
def test_classes_that_the_catalog_does_not_have(config: dict[str, Any], total: int, tmp_path: Path) -> None:
    assert read(tmp_path, config).total_params == total


def test_what_newer_classes_write_reads_the_same(tmp_path: Path) -> None:
    """transformers 5 names layers one by one and calls the number format dtype."""
    old = CONFIGS["deepseek-v3.2"]
    new = {key: value for key, value in old.items() if key not in ("first_k_dense_replace", "torch_dtype")} | {
        "dtype": "bfloat16", "mlp_layer_types": ["dense"] * 3 + ["sparse"] * 58,
        "layer_types": ["indexed_attention"] * 61, "indexer_types": ["full"] * 61,
    }  # fmt: skip
    assert read(tmp_path, new) == read(tmp_path, old)
    nano = CONFIGS["nemotron-nano-9b-v2"]
    words = {"M": "linear_attention", "*": "full_attention", "-": "mlp"}
    named = {key: value for key, value in nano.items() if key not in ("hybrid_override_pattern", "num_hidden_layers")}
    named["layers_block_type"] = [words[char] for char in nano["hybrid_override_pattern"]]
    assert read(tmp_path, named) == read(tmp_path, nano)


# ---- traps of the small print ----


def test_qwen_window_holds_only_where_its_flag_is_set(tmp_path: Path) -> None:
    config = CONFIGS["qwen2.5-7b"] | {"sliding_window": 4096, "max_window_layers": 20}
    assert read(tmp_path, config).windowed_layers == 0
    model = read(tmp_path, config | {"use_sliding_window": True})
    assert (model.window_tokens, model.windowed_layers) == (4096, 8)


def test_a_window_that_is_null_is_none_though_the_class_has_one(tmp_path: Path) -> None:
    text = CONFIGS["llama-4-scout"]["text_config"]
    for chunk, windowed in ((8192, 36), (None, 0)):
        config = CONFIGS["llama-4-scout"] | {"text_config": text | {"attention_chunk_size": chunk}}
        assert read(tmp_path, config).windowed_layers == windowed
    without = {key: value for key, value in text.items() if key != "attention_chunk_size"}
    assert read(tmp_path, CONFIGS["llama-4-scout"] | {"text_config": without}).windowed_layers == 36


def test_layers_named_one_by_one_win_over_the_pattern(tmp_path: Path) -> None:
    types = ["sliding_attention"] * 25 + ["full_attention"]
    assert read(tmp_path, CONFIGS["gemma-3-1b"] | {"layer_types": types}).windowed_layers == 25
    assert read(tmp_path, CONFIGS["gemma-3-1b"]).windowed_layers == 22


def test_experts_on_some_layers_only(tmp_path: Path) -> None:
    """Qwen1.5-MoE-A2.7B: 14.3 B parameters, 2.7 B activated, by the vendor's announcement."""
    config = {
        "model_type": "qwen2_moe", "num_hidden_layers": 24, "hidden_size": 2048, "num_attention_heads": 16,
        "num_key_value_heads": 16, "intermediate_size": 5632, "vocab_size": 151_936, "num_experts": 60,
        "num_experts_per_tok": 4, "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632,
        "decoder_sparse_step": 1, "max_position_embeddings": 8192, "torch_dtype": "bfloat16",
    }  # fmt: skip
    model = read(tmp_path, config)
    assert model.total_params == pytest.approx(14.3e9, rel=0.01)
    assert model.active_params == pytest.approx(2.7e9, rel=0.01)
    assert read(tmp_path, config | {"decoder_sparse_step": 2}).moe_layers == 12
    assert read(tmp_path, config | {"mlp_only_layers": [0, 5]}).moe_layers == 22


def test_window_as_long_as_the_context_is_none(tmp_path: Path) -> None:
    model = read(tmp_path, CONFIGS["ministral-8b"])
    assert (model.window_tokens, model.window_kind, model.windowed_layers) == (None, None, 0)


def test_cohere_norms_of_queries_and_keys(tmp_path: Path) -> None:
    """One value per head and dimension: 40 layers x (64 + 64) heads x 128."""
    plain, with_norm = (read(tmp_path, CONFIGS["command-r"] | {"use_qk_norm": flag}) for flag in (False, True))
    assert with_norm.total_params - plain.total_params == 40 * (64 + 64) * 128


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"torch_dtype": "float16"}, "fp16"),
        ({"torch_dtype": None, "dtype": "torch.bfloat16"}, "bf16"),
        ({"torch_dtype": None}, None),
        ({"torch_dtype": "complex64"}, None),
        (INT4, "int4"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "int4"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 8}}, "int8"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "int4"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}, "nvfp4"),
        ({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}}, "nvfp4"),
        ({"quantization_config": {"quant_method": "compressed-tensors",
                                  "config_groups": {"a": {"weights": {"num_bits": 8, "type": "float"}}}}}, "fp8"),
        ({"quantization_config": {"quant_method": "secret"}}, "bf16"),
    ],
)  # fmt: skip
def test_number_format_of_the_weights(keys: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    model = read(tmp_path, LLAMA | keys)
    assert model.native_precision == expected
    known = expected is not None and "secret" not in str(keys)
    assert ("number format" in " ".join(model.warnings)) is not known


# ---- names and warnings ----


def test_a_model_is_called_by_its_repository_else_by_its_folder(tmp_path: Path) -> None:
    assert read(tmp_path, LLAMA | {"_name_or_path": "someone/a-model"}).name == "someone/a-model"
    (tmp_path / "my-model").mkdir()
    assert read(tmp_path / "my-model", LLAMA).name == "my-model"
    named = tmp_path / "llama.json"
    named.write_text(json.dumps(LLAMA))
    assert read_hf_config(named).name == "llama"


def test_hostile_names_become_harmless(tmp_path: Path) -> None:
    model = read(tmp_path, LLAMA | {"_name_or_path": "a\x1b[31m\u202eb\ud800" + "x" * 9999})
    assert model.name.isprintable()
    assert len(model.name) <= 80


def test_an_unknown_type_with_ordinary_keys_is_read_with_a_warning(tmp_path: Path) -> None:
    model = read(tmp_path, LLAMA | {"model_type": "llama-of-tomorrow"})
    assert architecture_of(model) == architecture_of(read(tmp_path, LLAMA))
    assert [text for text in model.warnings if "'llama-of-tomorrow' is not known" in text]
    assert read(tmp_path, LLAMA).warnings == ()


def test_a_window_that_no_key_places_is_left_out_with_a_warning(tmp_path: Path) -> None:
    model = read(tmp_path, LLAMA | {"model_type": "unheard-of", "sliding_window": 512})
    assert model.windowed_layers == 0
    assert "sliding_window" in " ".join(model.warnings)


def test_what_the_class_adds_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    told = " ".join(read(tmp_path, CONFIGS["gemma-3-4b"]).warnings)
    assert "num_attention_heads is not given; 8 is what its class has" in told
    assert "not counted: vision" in told


# ---- refusals ----


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E190"),
        (b"not json", "E190"),
        (json.dumps(LLAMA).encode()[:-10], "E190"),
        (b'{"a": 1,}', "E190"),
        (b'{"hidden_size": 1, "hidden_size": 2}', "E190"),
        (b'{"a": "\x01"}', "E190"),
        (b'{"model_type": "\xff"}', "E003"),
        (b"\xfe\xff\x00{", "E003"),
        (b"[" * 100_000, "E005"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "E005"),
        (b" " * (2 << 20), "E002"),
        (b"[1, 2]", "E191"),
        (b"null", "E191"),
        (b'"text"', "E191"),
        (b"3", "E191"),
        (b"NaN", "E191"),
    ],
)
def test_a_file_that_is_no_config(content: bytes, code: str, tmp_path: Path) -> None:
    assert [problem.code for problem in problems(tmp_path, content)] == [code]


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, code in ((tmp_path / "none", "E001"), (tmp_path, "E008"), (tmp_path / "pipe", "E008")):
        with pytest.raises(InputError) as raised:
            read_hf_config(path)
        assert [(item.code, item.hint) for item in raised.value.problems] == [(code, "give the config.json of a model")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("4096", "E192"),
        (True, "E192"),
        ([4096], "E192"),
        ({}, "E192"),
        (4096.5, "E192"),
        (0, "E193"),
        (-1, "E193"),
        (10**12, "E193"),
        (10**399, "E193"),
        (float("nan"), "E193"),
        (float("inf"), "E193"),
        (None, "E194"),
    ],
)
@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size"])
def test_a_number_that_is_none(key: str, value: Any, code: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, LLAMA | {key: value})
    assert (problem.code, problem.path) == (code, key)
    assert problem.line == 1
    assert key in problem.message


def test_a_number_of_a_million_digits_is_refused_unread(tmp_path: Path) -> None:
    content = json.dumps(LLAMA).replace("14336", "1" * 1_000_000).encode()
    assert [problem.code for problem in problems(tmp_path, content)] == ["E193"]


def test_every_problem_is_told_at_once_and_where(tmp_path: Path) -> None:
    config = CONFIGS["deepseek-v3"] | {
        "hidden_size": "wide", "kv_lora_rank": None, "v_head_dim": -3, "tie_word_embeddings": "no",
        "num_experts_per_tok": 257, "quantization_config": [],
    }  # fmt: skip
    path = tmp_path / "config.json"
    found = problems(tmp_path, json.dumps(config, indent=1).encode())
    assert {problem.path: problem.code for problem in found} == {
        "hidden_size": "E192", "kv_lora_rank": "E194", "v_head_dim": "E193", "tie_word_embeddings": "E192",
        "num_experts_per_tok": "E193", "quantization_config": "E192",
    }  # fmt: skip
    lines = path.read_text().split("\n")
    assert all(f'"{problem.path}"' in lines[problem.line - 1] for problem in found)


def test_a_nested_key_is_named_with_its_part(tmp_path: Path) -> None:
    nested = CONFIGS["mistral-small-3.1-24b"]
    broken = nested | {"text_config": nested["text_config"] | {"hidden_size": None}}
    assert [problem.path for problem in problems(tmp_path, broken)] == ["text_config.hidden_size"]
    assert [problem.code for problem in problems(tmp_path, nested | {"text_config": 3})] == ["E192"] + ["E194"] * 5


def test_a_config_without_the_ordinary_keys_says_which_are_missing(tmp_path: Path) -> None:
    found = problems(tmp_path, {"model_type": "unheard-of", "hidden_size": 64})
    missing = ["num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"]
    assert [(problem.code, problem.path) for problem in found] == [("E194", key) for key in missing]
    assert "n_layer" in found[0].hint


@pytest.mark.parametrize(
    ("model", "change", "code", "key"),
    [
        ("llama-3.1-8b", {"num_key_value_heads": 7}, "E193", "num_key_value_heads"),
        ("llama-2-7b", {"hidden_size": 4097}, "E194", "head_dim"),
        ("llama-3.1-8b", {"is_encoder_decoder": True}, "E195", "is_encoder_decoder"),
        ("llama-3.1-8b", {"block_configs": [{}]}, "E195", "block_configs"),
        ("llama-3.1-8b", {"model_type": "jamba", "attn_layer_period": 8}, "E195", "attn_layer_period"),
        ("gemma-2-27b", {"layer_types": ["full_attention"]}, "E193", "layer_types"),
        ("gemma-2-27b", {"layer_types": ["magic"] * 46}, "E195", "layer_types"),
        ("gemma-2-27b", {"layer_types": "all"}, "E192", "layer_types"),
        ("mistral-7b", {"layer_types": ["sliding_attention"] * 32}, "E194", "sliding_window"),
        ("deepseek-v3", {"first_k_dense_replace": 62}, "E193", "first_k_dense_replace"),
        ("deepseek-v3", {"mlp_layer_types": ["dense"] * 60 + ["thin"]}, "E193", "mlp_layer_types"),
        ("llama-4-scout", {"text_config": CONFIGS["llama-4-scout"]["text_config"] | {"moe_layers": [48]}}, "E193",
         "text_config.moe_layers"),
        ("nemotron-nano-9b-v2", {"hybrid_override_pattern": "M?" * 28}, "E193", "hybrid_override_pattern"),
        ("nemotron-nano-9b-v2", {"num_hidden_layers": 57}, "E193", "num_hidden_layers"),
        ("opt-66b", {"word_embed_proj_dim": 512}, "E195", "word_embed_proj_dim"),
        ("qwen3-235b-a22b", {"mlp_only_layers": [True]}, "E192", "mlp_only_layers"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_is_not_built(
    model: str, change: dict[str, Any], code: str, key: str, tmp_path: Path
) -> None:
    assert [(problem.code, problem.path) for problem in problems(tmp_path, CONFIGS[model] | change)] == [(code, key)]


def test_a_pattern_is_needed_where_layers_differ(tmp_path: Path) -> None:
    config = {key: value for key, value in CONFIGS["nemotron-nano-9b-v2"].items() if key != "hybrid_override_pattern"}
    assert "E194" in {problem.code for problem in problems(tmp_path, config)}


def test_the_same_key_twice_with_one_value_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA)[:-1] + ', "hidden_size": 4096}')
    assert read_hf_config(path).hidden_size == 4096


def test_thousands_of_problems_are_counted_and_not_shown(tmp_path: Path) -> None:
    pairs = ",".join(f'"k{i}":1,"k{i}":2' for i in range(30_000))
    path = tmp_path / "config.json"
    path.write_text("{" + pairs + "}")
    with pytest.raises(InputError) as raised:
        read_hf_config(path)
    assert (len(raised.value.problems), raised.value.more) == (50, 29_950)


# ---- whatever stands in a file ----


def read_or_refused(folder: Path, content: bytes) -> None:
    """A file gives a whole model or clear problems, and nothing else."""
    path = folder / "config.json"
    path.write_bytes(content)
    try:
        found = read_hf_config(path)
    except InputError as error:
        texts = [error.render().replace("\n", " ")]
    else:
        texts = [*found.warnings, found.name, found.model_type]
        numbers = [getattr(architecture_of(found), name) for name in FIELDS]
        assert all(number >= 0 for number in numbers)
        assert math.isfinite(found.total_params)
    assert all(text.isprintable() for text in texts)


HOSTILE = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 70), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["sliding_attention", "linear_attention", "nemotron_h", "falcon", "gpt2", 10**30, 1e400]),
    st.lists(st.one_of(st.integers(-1, 3), st.text(max_size=2), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
KEYS = sorted({key for config in [*CONFIGS.values(), KIMI] for key in config} | {
    "layer_types", "moe_layers", "mlp_only_layers", "moe_layer_freq", "no_rope_layers", "use_sliding_window",
    "block_configs", "shared_intermediate_size", "num_ln_in_parallel_attn", "layers_block_type",
})  # fmt: skip


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(CONFIGS)), st.dictionaries(st.sampled_from(KEYS), HOSTILE, min_size=1, max_size=4))
def test_a_config_with_anything_in_it_is_read_or_refused(tmp_path: Path, model: str, change: dict[str, Any]) -> None:
    read_or_refused(tmp_path, json.dumps(CONFIGS[model] | change).encode())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60), st.integers(0, 300), st.integers(0, 60))
def test_a_config_with_foreign_bytes_is_read_or_refused(tmp_path: Path, junk: bytes, start: int, gone: int) -> None:
    whole = json.dumps(LLAMA).encode()
    read_or_refused(tmp_path, whole[:start] + junk + whole[start + gone :])
