"""What the class behind a ``model_type`` adds to the keys of its config: biases, norms, windows, names of keys.

Read in the classes of transformers 5.23.0; Kimi K2, which ships its own, derives from DeepSeek-V3's. A config says how
wide a layer is; only the class says whether it has biases, how many norms stand in it, and which layers keep a
window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class Switch(NamedTuple):
    """A yes or no of a class: the key that sets it, if one does, and what holds without the key."""

    key: str = ""
    default: bool = False


YES = Switch(default=True)
NO = Switch()


@dataclass(frozen=True, kw_only=True)
class Family:
    """Small print of a class of models.

    Attributes
    ----------
    tied : whether the head is the embedding where the config is silent
    qkv_bias, output_bias, ffn_bias, head_bias, routing_bias, qk_norm_on, gate : what a key may switch
    qk_norm : kind of norm where ``qk_norm_on``
    sinks, expert_bias, shared_gate : as in `Shape`
    matrices, norms_per_block, shared_norm, norm_bias, outer_norms : as in `Shape`
    position_offset : rows of a learned table of positions beyond the longest sequence; None without a table
    expert_width : keys that hold the width of an expert
    dense_width : keys that hold the width of a dense network; four times the hidden size where ``wide`` and absent
    window_every : every how many layers one keeps the whole context, the others a window; 1 means that none does,
        0 that the class has no window unless layers are named one by one
    window_flag : key that must be true for a window to hold; the layers before ``max_window_layers`` have none
    chunked : whether the window moves in chunks
    linear_every : every how many layers one has softmax attention, the others a recurrence; 0 without
    shared_expert : width of the one shared expert is that of an expert, though no key says so
    latent : whether the attention is latent
    defaults : what holds where the class leaves a key out of the config
    """

    tied: bool = False
    qkv_bias: Switch = NO
    output_bias: Switch = NO
    ffn_bias: Switch = NO
    head_bias: Switch = NO
    routing_bias: Switch = NO
    qk_norm_on: Switch = NO
    qk_norm: str = "head"
    gate: Switch = NO
    sinks: bool = False
    expert_bias: bool = False
    shared_gate: bool = False
    matrices: int = 3
    norms_per_block: int = 1
    shared_norm: bool = False
    norm_bias: bool = False
    outer_norms: int = 1
    position_offset: int | None = None
    expert_width: tuple[str, ...] = ("moe_intermediate_size",)
    dense_width: tuple[str, ...] = ("intermediate_size", "ffn_hidden_size")
    wide: bool = False
    window_every: int = 0
    window_flag: str = ""
    chunked: bool = False
    linear_every: int = 0
    shared_expert: bool = False
    latent: bool = False
    defaults: Mapping[str, int] = field(default_factory=dict)


_ATTENTION = Switch("attention_bias")
_EXPERTS_PLAIN = ("intermediate_size",)

_LLAMA = Family(qkv_bias=_ATTENTION, output_bias=_ATTENTION, ffn_bias=Switch("mlp_bias"))
_MISTRAL = Family(window_every=1)
_QWEN2 = Family(qkv_bias=YES, window_every=1, window_flag="use_sliding_window")
_QWEN3 = Family(
    qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm_on=YES, window_every=1, window_flag="use_sliding_window",
    defaults={"head_dim": 128},
)  # fmt: skip
_QWEN3_MOE = replace(_QWEN3, defaults={})
_QWEN3_NEXT = Family(
    qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm_on=YES, gate=Switch("attn_output_gate", True),
    shared_gate=True, linear_every=4,
    defaults={"head_dim": 256, "linear_num_key_heads": 16, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
              "linear_conv_kernel_dim": 4},
)  # fmt: skip
_DEEPSEEK_V2 = Family(qkv_bias=_ATTENTION, output_bias=_ATTENTION, latent=True)
_DEEPSEEK_V3 = replace(_DEEPSEEK_V2, routing_bias=YES)
_GEMMA = Family(tied=True, qkv_bias=_ATTENTION, output_bias=_ATTENTION, defaults={"head_dim": 256})
_GEMMA2 = replace(_GEMMA, norms_per_block=2, window_every=2)
_GEMMA3 = replace(
    _GEMMA2, qk_norm_on=YES, window_every=6,
    defaults={"head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 26,
              "hidden_size": 2304, "intermediate_size": 9216, "vocab_size": 262_208, "sliding_window": 4096,
              "max_position_embeddings": 131_072},
)  # fmt: skip
_LLAMA4 = Family(
    qkv_bias=_ATTENTION, output_bias=_ATTENTION, shared_expert=True, expert_width=_EXPERTS_PLAIN,
    dense_width=("intermediate_size_mlp",), window_every=4, chunked=True,
    defaults={"head_dim": 128, "num_attention_heads": 40, "num_key_value_heads": 8, "num_hidden_layers": 48,
              "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16_384, "vocab_size": 202_048,
              "num_local_experts": 16, "num_experts_per_tok": 1, "interleave_moe_layer_step": 1,
              "attention_chunk_size": 8192},
)  # fmt: skip
_GPT2 = Family(
    tied=True, qkv_bias=YES, output_bias=YES, ffn_bias=YES, matrices=2, norm_bias=True, position_offset=0,
    dense_width=("n_inner", "intermediate_size"), wide=True,
)  # fmt: skip
_COHERE = Family(
    tied=True, qkv_bias=_ATTENTION, output_bias=_ATTENTION, qk_norm_on=Switch("use_qk_norm"), qk_norm="full",
    shared_norm=True,
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    "llama": _LLAMA,
    "granite": _LLAMA,
    "smollm3": replace(_LLAMA, tied=True),
    "seed_oss": replace(_LLAMA, qkv_bias=Switch("attention_bias", True), output_bias=Switch("attention_out_bias")),
    "olmo2": replace(_LLAMA, qk_norm_on=YES, qk_norm="full"),
    "nemotron": replace(_LLAMA, matrices=2, norm_bias=True),
    "mistral": _MISTRAL,
    "ministral3": _MISTRAL,
    "mixtral": replace(_MISTRAL, expert_width=_EXPERTS_PLAIN),
    "phi3": _MISTRAL,
    "phimoe": replace(
        _MISTRAL, qkv_bias=_ATTENTION, output_bias=_ATTENTION, head_bias=Switch("lm_head_bias"), norm_bias=True,
        expert_width=_EXPERTS_PLAIN,
    ),
    "starcoder2": Family(
        tied=True, qkv_bias=Switch("use_bias", True), output_bias=Switch("use_bias", True),
        ffn_bias=Switch("use_bias", True), matrices=2, norm_bias=True, window_every=1,
    ),
    "phi": Family(qkv_bias=YES, output_bias=YES, ffn_bias=YES, head_bias=YES, matrices=2, shared_norm=True,
                  norm_bias=True),
    "qwen2": _QWEN2,
    "qwen2_moe": replace(_QWEN2, qkv_bias=Switch("qkv_bias", True), shared_gate=True),
    "qwen2_vl": _QWEN2,
    "qwen2_5_vl": _QWEN2,
    "qwen2_5_vl_text": _QWEN2,
    "qwen3": _QWEN3,
    "qwen3_moe": _QWEN3_MOE,
    "qwen3_vl_text": _QWEN3,
    "qwen3_vl_moe_text": _QWEN3_MOE,
    "qwen3_omni_moe_text": _QWEN3_MOE,
    "qwen3_next": _QWEN3_NEXT,
    "qwen3_5_text": _QWEN3_NEXT,
    "qwen3_5_moe_text": _QWEN3_NEXT,
    "deepseek_v2": _DEEPSEEK_V2,
    "deepseek_v3": _DEEPSEEK_V3,
    "deepseek_v32": _DEEPSEEK_V3,
    "kimi_k2": _DEEPSEEK_V3,
    "glm4_moe_lite": _DEEPSEEK_V3,
    "glm_moe_dsa": _DEEPSEEK_V3,
    "glm4_moe": Family(qkv_bias=_ATTENTION, qk_norm_on=Switch("use_qk_norm"), routing_bias=YES),
    "glm4v_moe_text": Family(qkv_bias=_ATTENTION, qk_norm_on=Switch("use_qk_norm"), routing_bias=YES),
    "gpt_oss": Family(
        qkv_bias=Switch("attention_bias", True), output_bias=Switch("attention_bias", True), routing_bias=YES,
        sinks=True, expert_bias=True, expert_width=_EXPERTS_PLAIN, window_every=2, defaults={"head_dim": 64},
    ),
    "gemma": _GEMMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA3,
    "llama4_text": _LLAMA4,
    "minimax_m2": Family(
        qk_norm_on=Switch("use_qk_norm", True), qk_norm="full", routing_bias=Switch("use_routing_bias", True),
        expert_width=_EXPERTS_PLAIN, defaults={"head_dim": 128},
    ),
    "nemotron_h": Family(
        qkv_bias=_ATTENTION, output_bias=_ATTENTION, ffn_bias=Switch("mlp_bias"), routing_bias=YES, matrices=2,
        defaults={"head_dim": 128},
    ),
    "falcon": Family(
        tied=True, qkv_bias=Switch("bias"), output_bias=Switch("bias"), ffn_bias=Switch("bias"), matrices=2,
        norm_bias=True, dense_width=("ffn_hidden_size",), wide=True,
    ),
    "gptj": Family(ffn_bias=YES, head_bias=YES, matrices=2, shared_norm=True, norm_bias=True,
                   dense_width=("n_inner",), wide=True),
    "bloom": replace(_GPT2, outer_norms=2, position_offset=None),
    "opt": replace(_GPT2, position_offset=2, dense_width=("ffn_dim",)),
    "gpt2": _GPT2,
    "gpt_neox": replace(_GPT2, tied=False, position_offset=None, qkv_bias=Switch("attention_bias", True),
                        output_bias=Switch("attention_bias", True)),
    "cohere": _COHERE,
    "cohere2": replace(_COHERE, window_every=4),
}  # fmt: skip
"""Small print by ``model_type``."""

NESTED: dict[str, str] = {
    "gemma3": "gemma3_text",
    "llama4": "llama4_text",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
    "mistral3": "mistral",
    "kimi_k25": "kimi_k2",
    "glm4v_moe": "glm4v_moe_text",
    "qwen3_vl": "qwen3_vl_text",
    "qwen3_vl_moe": "qwen3_vl_moe_text",
    "qwen3_omni_moe_thinker": "qwen3_omni_moe_text",
}
"""Type of the text model inside a config of several parts, where the inner one does not say."""

ORDINARY = replace(_LLAMA, expert_width=("moe_intermediate_size", "intermediate_size"))
"""What is assumed of a type that is not listed: gated networks, one norm before each block, no biases."""

RECURRENT_KEYS = (
    "mamba_d_state", "mamba_n_heads", "mamba_num_heads", "ssm_state_size", "state_size", "ssm_cfg",
    "attn_layer_period", "attn_layer_indices", "layers_block_type", "hybrid_override_pattern", "linear_attn_config",
    "linear_num_value_heads", "attn_type_list", "lru_width", "rwkv_version",
)  # fmt: skip
"""Keys that tell of layers with a recurrence; how such a layer is built only its class says."""

UNREAD_KEYS = (
    "block_configs", "moe_latent_size", "num_kv_shared_layers", "hidden_size_per_layer_input", "global_head_dim",
    "swa_num_key_value_heads", "cross_attention_layers",
)  # fmt: skip
"""Keys that change the arithmetic in ways that are not built here."""
