"""Configs written from the facts of published shapes, in the spelling of each model's class, by id of the catalog.

Keys that lie are written as the vendors' files have them: the width of a dense network in models whose layers all
have experts, KV heads and a head dimension beside latent attention, windows that a flag switches off.
"""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]


def decoder(kind: str, layers: int, hidden: int, heads: int, vocab: int, context: int, **more: Any) -> Config:
    """Keys that most classes share."""
    return {
        "model_type": kind, "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "vocab_size": vocab, "max_position_embeddings": context, "torch_dtype": "bfloat16",
    } | more  # fmt: skip


def experts(number: int, active: int, width: int, **more: Any) -> Config:
    """Keys of routed experts as Qwen spells them."""
    return {"num_experts": number, "num_experts_per_tok": active, "moe_intermediate_size": width} | more


def latent(number: int, active: int, width: int, first: int, query_rank: int | None, **more: Any) -> Config:
    """Keys of latent attention and of experts as DeepSeek spells them."""
    return {
        "q_lora_rank": query_rank, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "v_head_dim": 128, "n_routed_experts": number, "num_experts_per_tok": active,
        "moe_intermediate_size": width, "n_shared_experts": 1, "first_k_dense_replace": first, "moe_layer_freq": 1,
    } | more  # fmt: skip


def deltanet(value_heads: int) -> Config:
    """Keys of gated DeltaNet."""
    return {
        "linear_num_key_heads": 16, "linear_key_head_dim": 128, "linear_num_value_heads": value_heads,
        "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, "head_dim": 256, "num_key_value_heads": 2,
    }  # fmt: skip


FP8 = {"quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}}
INT4 = {
    "quantization_config": {
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 32}}},
    },
}  # fmt: skip
NANO_9B = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"
KIMI = decoder(
    "kimi_k2", 61, 7168, 64, 163_840, 131_072, num_key_value_heads=64, intermediate_size=18_432,
    num_nextn_predict_layers=0, **latent(384, 8, 2048, 1, 1536),
)  # fmt: skip

CONFIGS: dict[str, Config] = {
    "llama-3.1-8b": decoder("llama", 32, 4096, 32, 128_256, 131_072, num_key_value_heads=8, intermediate_size=14_336),
    "llama-3.2-1b": decoder("llama", 16, 2048, 32, 128_256, 131_072, num_key_value_heads=8, intermediate_size=8192,
                            head_dim=64, tie_word_embeddings=True),
    "llama-2-7b": decoder("llama", 32, 4096, 32, 32_000, 4096, intermediate_size=11_008, torch_dtype="float16"),
    "mistral-7b": decoder("mistral", 32, 4096, 32, 32_768, 32_768, num_key_value_heads=8, intermediate_size=14_336,
                          sliding_window=None),
    "mistral-7b-v0.1": decoder("mistral", 32, 4096, 32, 32_000, 32_768, num_key_value_heads=8,
                               intermediate_size=14_336, sliding_window=4096),
    # The window is as long as the longest sequence, so there is none.
    "ministral-8b": decoder("mistral", 36, 4096, 32, 131_072, 32_768, num_key_value_heads=8, head_dim=128,
                            intermediate_size=12_288, sliding_window=32_768),
    "mistral-small-3.1-24b": {
        "model_type": "mistral3", "torch_dtype": "bfloat16", "vision_config": {"model_type": "pixtral"},
        "text_config": decoder("mistral", 40, 5120, 32, 131_072, 131_072, num_key_value_heads=8, head_dim=128,
                               intermediate_size=32_768),
    },
    "mixtral-8x7b": decoder("mixtral", 32, 4096, 32, 32_000, 32_768, num_key_value_heads=8, intermediate_size=14_336,
                            num_local_experts=8, num_experts_per_tok=2),
    "qwen2.5-7b": decoder("qwen2", 28, 3584, 28, 152_064, 32_768, num_key_value_heads=4, intermediate_size=18_944,
                          use_sliding_window=False, sliding_window=131_072, max_window_layers=28),
    "qwen3-32b": decoder("qwen3", 64, 5120, 64, 151_936, 40_960, num_key_value_heads=8, intermediate_size=25_600,
                         head_dim=128, use_sliding_window=False, sliding_window=None, max_window_layers=64),
    "qwen3-235b-a22b": decoder("qwen3_moe", 94, 4096, 64, 151_936, 40_960, num_key_value_heads=4, head_dim=128,
                               intermediate_size=12_288, decoder_sparse_step=1, mlp_only_layers=[],
                               **experts(128, 8, 1536)),
    "qwen3-next-80b-a3b": decoder("qwen3_next", 48, 2048, 16, 151_936, 262_144, intermediate_size=5120,
                                  full_attention_interval=4, **deltanet(32),
                                  **experts(512, 10, 512, shared_expert_intermediate_size=512)),
    "qwen3.5-397b-a17b": {
        "model_type": "qwen3_5_moe", "vision_config": {"depth": 27},
        "text_config": decoder("qwen3_5_moe_text", 60, 4096, 32, 248_320, 262_144, mtp_num_hidden_layers=1,
                               layer_types=[*["linear_attention"] * 3, "full_attention"] * 15, **deltanet(64),
                               **experts(512, 10, 1024, shared_expert_intermediate_size=1024)),
    },
    "deepseek-v2": decoder("deepseek_v2", 60, 5120, 128, 102_400, 163_840, num_key_value_heads=128,
                           intermediate_size=12_288, **latent(160, 6, 1536, 1, 1536, n_shared_experts=2)),
    "deepseek-v2-lite": decoder("deepseek_v2", 27, 2048, 16, 102_400, 163_840, num_key_value_heads=16,
                                intermediate_size=10_944, **latent(64, 6, 1408, 1, None, n_shared_experts=2)),
    "deepseek-v3": decoder("deepseek_v3", 61, 7168, 128, 129_280, 163_840, num_key_value_heads=128,
                           intermediate_size=18_432, num_nextn_predict_layers=1, **latent(256, 8, 2048, 3, 1536),
                           **FP8),
    "deepseek-v3.2": decoder("deepseek_v32", 61, 7168, 128, 129_280, 163_840, num_key_value_heads=128,
                             intermediate_size=18_432, index_n_heads=64, index_head_dim=128, index_topk=2048,
                             **latent(256, 8, 2048, 3, 1536), **FP8),
    "kimi-k2": KIMI | FP8,
    "kimi-k2.5": {"model_type": "kimi_k25", "vision_config": {}, "text_config": KIMI | INT4},
    "glm-5": decoder("glm_moe_dsa", 78, 6144, 64, 154_880, 202_752, num_key_value_heads=64, head_dim=64,
                     intermediate_size=12_288, index_n_heads=32, index_head_dim=128, index_topk=2048,
                     **latent(256, 8, 2048, 3, 2048, qk_nope_head_dim=192, v_head_dim=256)),
    "glm-4.5": decoder("glm4_moe", 92, 5120, 96, 151_552, 131_072, num_key_value_heads=8, head_dim=128,
                       intermediate_size=12_288, attention_bias=True, use_qk_norm=True, n_routed_experts=160,
                       num_experts_per_tok=8, moe_intermediate_size=1536, n_shared_experts=1,
                       first_k_dense_replace=3, num_nextn_predict_layers=1),
    "gpt-oss-120b": decoder("gpt_oss", 36, 2880, 64, 201_088, 131_072, num_key_value_heads=8, head_dim=64,
                            intermediate_size=2880, attention_bias=True, sliding_window=128, num_local_experts=128,
                            experts_per_token=4, layer_types=["sliding_attention", "full_attention"] * 18,
                            quantization_config={"quant_method": "mxfp4"}),
    "gemma-2-27b": decoder("gemma2", 46, 4608, 32, 256_000, 8192, num_key_value_heads=16, head_dim=128,
                           intermediate_size=36_864, sliding_window=4096),
    # The text part leaves out what its class has: heads, head dimension, vocabulary.
    "gemma-3-4b": {
        "model_type": "gemma3", "torch_dtype": "bfloat16", "vision_config": {"num_hidden_layers": 27},
        "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10_240,
                        "num_hidden_layers": 34, "sliding_window": 1024},
    },
    "gemma-3-27b": {
        "model_type": "gemma3", "torch_dtype": "bfloat16", "vision_config": {"num_hidden_layers": 27},
        "text_config": {"model_type": "gemma3_text", "hidden_size": 5376, "intermediate_size": 21_504,
                        "num_hidden_layers": 62, "sliding_window": 1024, "num_attention_heads": 32,
                        "num_key_value_heads": 16, "head_dim": 128},
    },
    "gemma-3-1b": decoder("gemma3_text", 26, 1152, 4, 262_144, 32_768, num_key_value_heads=1, head_dim=256,
                          intermediate_size=6912, sliding_window=512, sliding_window_pattern=6),
    "llama-4-scout": {
        "model_type": "llama4", "torch_dtype": "bfloat16", "vision_config": {},
        "text_config": decoder("llama4_text", 48, 5120, 40, 202_048, 10_485_760, num_key_value_heads=8, head_dim=128,
                               intermediate_size=8192, intermediate_size_mlp=16_384, num_local_experts=16,
                               num_experts_per_tok=1, interleave_moe_layer_step=1, attention_chunk_size=8192,
                               no_rope_layers=[]),
    },
    "llama-4-maverick": {
        "model_type": "llama4", "torch_dtype": "bfloat16", "vision_config": {},
        "text_config": decoder("llama4_text", 48, 5120, 40, 202_048, 1_048_576, num_key_value_heads=8, head_dim=128,
                               intermediate_size=8192, intermediate_size_mlp=16_384, num_local_experts=128,
                               num_experts_per_tok=1, interleave_moe_layer_step=2, attention_chunk_size=8192,
                               no_rope_layers=[1, 1, 1, 0] * 12),
    },
    "phi-4": decoder("phi3", 40, 5120, 40, 100_352, 16_384, num_key_value_heads=10, intermediate_size=17_920,
                     sliding_window=None),
    "phi-3-mini": decoder("phi3", 32, 3072, 32, 32_064, 131_072, num_key_value_heads=32, intermediate_size=8192,
                          sliding_window=262_144),
    "minimax-m2": decoder("minimax_m2", 62, 3072, 48, 200_064, 196_608, num_key_value_heads=8, head_dim=128,
                          intermediate_size=1536, num_local_experts=256, num_experts_per_tok=8, use_qk_norm=True,
                          qk_norm_type="per_layer", use_routing_bias=True, attn_type_list=[1] * 62, **FP8),
    # Classes of this kind write an infinite time step, which no shape needs.
    "nemotron-nano-9b-v2": decoder("nemotron_h", 56, 4480, 40, 131_072, 131_072, num_key_value_heads=8, head_dim=128,
                                   intermediate_size=15_680, hybrid_override_pattern=NANO_9B, mamba_num_heads=128,
                                   mamba_head_dim=80, ssm_state_size=128, n_groups=8, conv_kernel=4,
                                   time_step_limit=[0.0, float("inf")]),
    "nemotron-3-nano-30b-a3b": decoder(
        "nemotron_h", 52, 2688, 32, 131_072, 262_144, num_key_value_heads=2, head_dim=128, intermediate_size=1856,
        hybrid_override_pattern="ME" * 17 + "M*E" * 6, mamba_num_heads=64, mamba_head_dim=64, ssm_state_size=128,
        n_groups=8, conv_kernel=4, n_routed_experts=128, num_experts_per_tok=6, moe_intermediate_size=1856,
        n_shared_experts=1, moe_shared_expert_intermediate_size=3712,
    ),
    "falcon-7b": decoder("falcon", 32, 4544, 71, 65_024, 2048, multi_query=True, parallel_attn=True, bias=False),
    "falcon-180b": decoder("falcon", 80, 14_848, 232, 65_024, 2048, num_kv_heads=8, new_decoder_architecture=True,
                           multi_query=True, parallel_attn=True, bias=False),
    "gpt-j-6b": {"model_type": "gptj", "n_layer": 28, "n_embd": 4096, "n_head": 16, "n_inner": None,
                 "vocab_size": 50_400, "n_positions": 2048, "tie_word_embeddings": False, "torch_dtype": "float32"},
    "gpt-neox-20b": decoder("gpt_neox", 44, 6144, 64, 50_432, 2048, intermediate_size=24_576, torch_dtype="float16",
                            tie_word_embeddings=False),
    "bloom-176b": {"model_type": "bloom", "n_layer": 70, "n_embed": 14_336, "num_attention_heads": 112,
                   "vocab_size": 250_880, "seq_length": 2048, "torch_dtype": "bfloat16"},
    "opt-66b": decoder("opt", 64, 9216, 72, 50_272, 2048, ffn_dim=36_864, word_embed_proj_dim=9216,
                       torch_dtype="float16"),
    "command-r": decoder("cohere", 40, 8192, 64, 256_000, 131_072, num_key_value_heads=64, intermediate_size=22_528,
                         use_qk_norm=False, torch_dtype="float16"),
    "command-r7b": decoder("cohere2", 32, 4096, 32, 256_000, 131_072, num_key_value_heads=8, head_dim=128,
                           intermediate_size=14_336, sliding_window=4096, sliding_window_pattern=4),
}  # fmt: skip
