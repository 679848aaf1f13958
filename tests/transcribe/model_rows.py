"""Rows of the table of LLM shapes, completed with what is curated by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tests.transcribe.model_records import Count

TABLE = "hardware/llm_shapes.csv"

# File, family and vendor by the start of the id; the longest start that fits holds.
FAMILIES: dict[str, tuple[str, str, str]] = {
    "llama": ("llama", "llama", "Meta"),
    "mistral": ("mistral", "mistral", "Mistral AI"),
    "mixtral": ("mistral", "mistral", "Mistral AI"),
    "qwen": ("qwen", "qwen", "Alibaba"),
    "deepseek": ("deepseek", "deepseek", "DeepSeek"),
    "gpt-oss": ("gpt-oss", "gpt-oss", "OpenAI"),
    "gemma": ("gemma", "gemma", "Google"),
    "nemotron": ("nemotron", "nemotron", "NVIDIA"),
    "kimi": ("kimi-glm-minimax", "kimi", "Moonshot AI"),
    "glm": ("kimi-glm-minimax", "glm", "Z.ai"),
    "minimax": ("kimi-glm-minimax", "minimax", "MiniMax"),
    "phi": ("other", "phi", "Microsoft"),
    "bloom": ("other", "bloom", "BigScience"),
    "opt": ("other", "opt", "Meta"),
    "falcon": ("other", "falcon", "TII"),
    "gpt-j": ("other", "gpt-j", "EleutherAI"),
    "gpt3": ("other", "gpt-3", "OpenAI"),
    "command": ("other", "command", "Cohere"),
}

# Source of the shape where the tier does not decide it.
_SOURCES = {
    "llama-3.1-405b-pruned": "mlperf-5.1-amd-prune",
    "llama": "llama-models-a9c89c4",
    "gemma": "gemma-pytorch-014acb7",
    "nemotron-ultra": "nemo-2.4.0",
    "nemotron": "megatron-bridge-067f987",
    "glm-4.5": "slime-glm-4.5",
    "bloom": "bigscience-9e64ede",
    "opt": "metaseq-f7ffa5f",
    "gpt-j": "mesh-transformer-jax-f8315e3",
    "qwen3-omni": "maxtext-e591f30",
    "gpt3": "maxtext-e591f30",
    "command": "cohere-config-table",
}

# Where a published count was read, by the start of the table's text.
_PUBLISHED = {
    "meta-llama": "llama-models-a9c89c4",
    "recall": "recalled-model-cards",
    "mistral.ai": "recalled-model-cards",
    "Hugging Face model card": "recalled-model-cards",
    "Gemma": "recalled-model-cards",
    "ai4c.news": "ai4c-mixtral",
    "promptingguide": "promptingguide-mixtral",
    "model card via amallo.ai": "amallo-qwen3",
    "model card via apxml.com": "apxml-qwen3-30b",
    "model card via b-lab.team": "b-lab-qwen3",
    "QwenLM/Qwen3-Coder": "qwen3-coder-0ae30f5",
    "QwenLM/Qwen3.5": "qwen3.5-7e103ae",
    "name": "model-name",
    "model name": "model-name",
    "deepseek-ai": "deepseek-v3-9b4e978",
    "gpt-oss model card": "fitmygpu-gpt-oss",
    "fitmygpu.com/models/phi-4": "fitmygpu-phi-4",
    "model card of NVIDIA": "nemotron-12b-base-card",
    "GLM-4.5 report": "glm-4.5-report-table",
    "as K2": "glm-4.5-report-table",
    "transformers docs glm4_moe": "glm-5-report-table",
    "zai-org/GLM-5": "glm-5-218be52",
    "emergentmind": "emergentmind-minimax-m2.5",
    "README formula": "bigscience-9e64ede",
    "arXiv 2205.01068": "opt-paper",
    "kingoflolz": "mesh-transformer-jax-f8315e3",
    "model card copy lumenpearson": "command-r-plus-card-copy",
}
_ACTIVE = {"kimi-k2": "kimi-k2-c6157be", "kimi-k2.5": "kimi-k2.5-3e60763"}

# Ids that belong to a point release with an entry of its own.
MOVED = {
    "deepseek-ai/DeepSeek-V3-0324", "nvidia/DeepSeek-V3-0324-FP4", "moonshotai/Kimi-K2-Instruct-0905",
    "zai-org/GLM-4.6", "zai-org/GLM-4.7", "zai-org/GLM-5.1",
}  # fmt: skip

_EXTRA_LAYER = (
    "1043 is the shape plus one more MoE layer with its projection (1043.57); config.json has none, so "
    "1026.4 is "
    "what memory holds."
)
NOTES = {
    "kimi-k2": _EXTRA_LAYER,
    "kimi-k2.5": _EXTRA_LAYER,
    "glm-4.5": "355 leaves both embeddings out and counts one MTP layer (355.23).",
    "llama-4-scout": "109 counts the vision tower and projector.",
    "gemma-3-12b": "12.2 counts the vision tower.",
    "gemma-3-27b": "27.4 counts the vision tower.",
}

_REPLICATED = "KV heads replicated for 16-way model parallelism, variant bf16-mp16"
_PLACEHOLDER = "placeholder in sku_list.py: the model card says no GQA"
_PAIRS = "counts pairs of layers"
CONFLICTS: dict[str, tuple[tuple[str, float, str, str], ...]] = {
    "llama-2-7b": (("kv_heads", 8, "llama-models-a9c89c4", _PLACEHOLDER),),
    "llama-2-13b": (("kv_heads", 8, "llama-models-a9c89c4", _PLACEHOLDER),),
    "llama-3.1-405b": (("kv_heads", 16, "llama-models-a9c89c4", _REPLICATED),),
    "mistral-7b": (("published_total_params_b", 7.3, "recalled-model-cards", "Mistral's own rounding"),),
    "mistral-7b-v0.1": (("max_context_tokens", 4096, "litgpt-0.5.13", "block_size"),),
    "mistral-large-2": (("max_context_tokens", 32768, "litgpt-0.5.13", "block_size"),),
    "mixtral-8x22b": (("vocab_size", 32768, "mistral-inference-2557e12", "Instruct-v0.1 and v0.3"),),
    "gpt-oss-20b": (("published_total_params_b", 21, "gpt-oss-7b58334", "rounded"),),
    "gpt-oss-120b": (("published_total_params_b", 117, "gpt-oss-7b58334", "rounded"),),
    "gemma-2-27b": (
        ("layers", 23, "maxtext-e591f30", _PAIRS),
        ("vocab_size", 256128, "maxtext-e591f30", "padded"),
    ),
    "gemma-3-12b": (("vocab_size", 262144, "litgpt-0.5.13", "the tokenizer's size"),),
    "gemma-3-27b": (("vocab_size", 262144, "litgpt-0.5.13", "the tokenizer's size"),),
    "kimi-k2": (("published_total_params_b", 1000, "kimi-k2-c6157be", "1T in the README"),),
    "kimi-k2.5": (("published_total_params_b", 1000, "kimi-k2.5-3e60763", "1T in the README"),),
    "minimax-m2": (
        ("published_total_params_b", 230, "minimax-m2-2e575ef", "rounded"),
        ("published_active_params_b", 10, "minimax-m2-2e575ef", "rounded"),
    ),
}

# Catalog field -> column, in the order of the catalog.
_INTEGERS = {
    "layers": "layers", "hidden_size": "hidden_size", "attention_heads": "attention_heads",
    "kv_heads": "kv_heads",
    "head_dim": "head_dim", "attention_layers": "attention_layers", "window_tokens": "sliding_window",
    "windowed_layers": "sliding_layers", "linear_layers": "linear_layers",
    "linear_state_values": "recurrent_state_elements_per_sequence",
    "linear_conv_values": "conv_state_elements_per_sequence", "q_lora_rank": "q_lora_rank",
    "kv_lora_rank": "kv_lora_rank", "qk_nope_head_dim": "qk_nope_head_dim",
    "qk_rope_head_dim": "qk_rope_head_dim",
    "v_head_dim": "v_head_dim", "index_heads": "index_heads", "index_head_dim": "index_head_dim",
    "index_topk": "index_topk", "dense_layers": "dense_layers", "ffn_matrices": "ffn_matrices",
    "experts": "experts",
    "experts_active": "experts_active", "expert_width": "expert_width", "shared_experts": "shared_experts",
    "shared_width": "shared_width", "first_dense_layers": "first_dense_layers", "moe_every": "moe_every",
    "moe_layers": "moe_layers", "vocab_size": "vocab_size", "max_context_tokens": "max_context",
    "mtp_layers": "mtp_layers", "kv_values_per_token": "kv_elements_per_token",
    "kv_values_per_token_full_layers": "kv_elements_per_token_full_layers", "total_params": "total_params",
    "active_params": "active_params", "matmul_params": "active_params_no_input_embedding",
    "params_embedding": "params_embedding", "params_output_head": "params_output_head",
    "params_attention": "params_attention", "params_linear_attention": "params_linear_attention",
    "params_dense_ffn": "params_dense_ffn", "params_routed_experts": "params_routed_experts",
    "params_shared_experts": "params_shared_experts", "params_other": "params_other",
}  # fmt: skip
_KINDS = {"GDN": "gated-deltanet", "Mamba-2": "mamba2"}


def read_table(shared_data: Path) -> list[dict[str, str]]:
    """Rows of the table of shapes."""
    with (shared_data / TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_start(table: dict[str, Any], text: str) -> Any:
    """Value of the longest key that ``text`` starts with."""
    return table[max((key for key in table if text.startswith(key)), key=len)]


def source_of(row: dict[str, str]) -> str:
    """Source id of a row's shape."""
    if row["source_tier"] == "config":
        return "aiconfigurator-0.12.0"
    if row["source_tier"] == "third-party" and not row["id"].startswith(("qwen3-omni", "gpt3", "command")):
        return "litgpt-0.5.13"
    return str(by_start(_SOURCES, row["id"]))


def published(row: dict[str, str], column: str) -> Count | None:
    """A published count of a row, None when there is none."""
    if not row[column]:
        return None
    source = by_start(_PUBLISHED, row["published_source"])
    if column.startswith("active"):
        source = _ACTIVE.get(row["id"], source)
    return Count(float(row[column]), source, "rounded name" if row["published_kind"] == "rounded" else "stated")


def shape_fields(row: dict[str, str]) -> dict[str, Any]:
    """Catalog fields of a row's shape, None where the row says nothing."""
    values: dict[str, Any] = {name: int(row[col]) if row[col] else None for name, col in _INTEGERS.items()}
    if values["attention_layers"] == values["layers"]:
        values["attention_layers"] = None
    width = row["dense_ffn_width"]
    values |= {
        "attention": row["attention_kind"].split(" ")[0].lower(),
        "window_kind": row["sliding_kind"] or None,
        "linear_kind": _KINDS.get(row["linear_kind"]),
        "dense_ffn_width": int(width) if width.isdigit() else (width or None),
        "activation": row["activation"],
        "tied_embeddings": row["tied_embeddings"] == "true",
        "native_precision": row["native_precision"],
    }
    return values
