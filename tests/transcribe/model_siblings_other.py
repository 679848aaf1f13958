"""Kimi, GLM, MiniMax, Phi, Cohere and other models that the table of shapes does not list."""

from __future__ import annotations

from dataclasses import replace

from tests.transcribe.model_formula import Mla, Moe, Shape
from tests.transcribe.model_records import Count, Family, Record

_RECALLED = "recalled-model-cards"
_NAME = "model-name"
_LITGPT = "litgpt-0.5.13"
_AIC = "aiconfigurator-0.12.0"
_GENZ = "genz-091bdd0"
_TF = "transformers-5.23.0"
_DATES = ("released", "licence")

KIMI = Family(file="kimi-glm-minimax", family="kimi", vendor="Moonshot AI", licence="Modified MIT")
GLM = Family(file="kimi-glm-minimax", family="glm", vendor="Z.ai", licence="MIT")
MINIMAX = Family(file="kimi-glm-minimax", family="minimax", vendor="MiniMax", licence="MIT")
_KIMI_VISION = {"extra_params": 400_000_000, "extra_modules": "MoonViT vision encoder 0.4"}
_AIR = Shape(
    layers=46, hidden=4096, heads=96, kv=8, head_dim=128, ffn=10944, vocab=151552, context=131072,
    qkv_bias=True,
    moe=Moe(experts=128, active=8, width=1408, shared=1, shared_width=1408, first_dense=1, layers=45,
            routing_bias=True),
    mtp=1,
)  # fmt: skip
_FLASH_47 = Shape(
    layers=47, hidden=2048, heads=20, kv=20, head_dim=256, ffn=10240, vocab=154880, context=202752,
    mla=Mla(q_rank=768, kv_rank=512, nope=192, rope=64, value=256),
    moe=Moe(experts=64, active=4, width=1536, shared=1, shared_width=1536, first_dense=1, layers=46,
            routing_bias=True),
    mtp=1,
)  # fmt: skip

KIMIS = [
    KIMI.same(
        "kimi-k2-0905", "Kimi K2 0905", "kimi-k2", _RECALLED, released="2025-09-05", unverified=_DATES,
        context=262144,
        hf=("moonshotai/Kimi-K2-Instruct-0905",),
    ),
    KIMI.same(
        "kimi-k2-thinking", "Kimi K2 Thinking", "kimi-k2", "kimi-k2-thinking-card-copy",
        released="2025-11-06", evidence="unverified",
        unverified=_DATES, context=262144, precision="int4", hf=("moonshotai/Kimi-K2-Thinking",),
        note="The card copy states native INT4 and 256k; dimensions are taken to be K2's.",
    ),
    KIMI.same(
        "kimi-k2.6", "Kimi K2.6", "kimi-k2.5", _AIC, unverified=_DATES, context=262144, **_KIMI_VISION,
        hf=("moonshotai/Kimi-K2.6", "nvidia/Kimi-K2.6-NVFP4"),
        note="Shape: model_configs/nvidia--Kimi-K2.6-NVFP4_config.json.",
    ),
    KIMI.same(
        "kimi-k2.7-code", "Kimi K2.7 Code", "kimi-k2.5", _AIC, unverified=_DATES, context=262144,
        **_KIMI_VISION,
        hf=("moonshotai/Kimi-K2.7-Code", "nvidia/Kimi-K2.7-Code-NVFP4"),
        note="Shape: model_configs/nvidia--Kimi-K2.7-Code-NVFP4_config.json.",
    ),
]  # fmt: skip

GLMS = [
    GLM.own(
        "glm-4.5-air", "GLM-4.5-Air 106B-A12B", _AIR, "third-party", _TF, released="2025-07-28",
        hf=("zai-org/GLM-4.5-Air", "zai-org/GLM-4.5-Air-FP8", "zai-org/GLM-4.5-Air-Base"),
        aliases=("GLM-4.5-Air",),
        total=Count(106, "glm-4.5-readme", "rounded name"), active=Count(12, "glm-4.5-readme",
        "rounded name"),
        note="heads x head_dim = 12288, not hidden 4096. Shape: configuration_glm4_moe.py (defaults), "
        "confirmed by "
        "Megatron-Bridge and slime; biases on q, k, v and no QK norm, as slime has them. 106.85 is the text "
        "model "
        "without its MTP layer.",
    ),
    GLM.same(
        "glm-4.5v", "GLM-4.5V 106B-A12B", "glm-4.5-air", _RECALLED, released="2025-08-11", unverified=_DATES,
        context=65536, hf=("zai-org/GLM-4.5V", "zai-org/GLM-4.5V-FP8"), extra_modules="vision encoder",
    ),
    GLM.same(
        "glm-4.6", "GLM-4.6 355B-A32B", "glm-4.5", "xinference-glm-4.6", released="2025-09-30",
        evidence="unverified",
        unverified=_DATES,
        context=202752, hf=("zai-org/GLM-4.6", "zai-org/GLM-4.6-FP8"), aliases=("GLM-4.6",),
        total=Count(355, "xinference-glm-4.6", "rounded name"),
        note="The context was read; the shape is taken to be GLM-4.5's, not read from its own config.json.",
    ),
    GLM.same(
        "glm-4.7", "GLM-4.7 355B-A32B", "glm-4.5", _RECALLED, released="2025-12-22", unverified=_DATES,
        context=202752, hf=("zai-org/GLM-4.7", "zai-org/GLM-4.7-FP8"), aliases=("GLM-4.7",),
        note="Taken to share GLM-4.5's shape; not read from its own config.json.",
    ),
    GLM.own(
        "glm-4.7-flash", "GLM-4.7-Flash 30B-A3B", _FLASH_47, "third-party", _TF, unverified=_DATES,
        hf=("zai-org/GLM-4.7-Flash",), aliases=("GLM-4.7-Flash",), total=Count(30, _RECALLED, "rounded name"),
        active=Count(3, _RECALLED, "rounded name"),
        note="Shape: configuration_glm4_moe_lite.py (defaults). The active count leaves embeddings out.",
    ),
    GLM.same(
        "glm-5.1", "GLM-5.1 744B-A40B", "glm-5", _AIC, unverified=_DATES, context=202752,
        hf=("zai-org/GLM-5.1", "zai-org/GLM-5.1-FP8", "nvidia/GLM-5.1-NVFP4"), aliases=("GLM-5.1",),
        note="Shape: model_configs/zai-org--GLM-5.1_config.json, equal to GLM-5's.",
    ),
]  # fmt: skip

MINIMAXES = [
    MINIMAX.same(
        "minimax-m2.1", "MiniMax M2.1", "minimax-m2", _RECALLED, released="2025-12-22", unverified=_DATES,
        context=196608, hf=("MiniMaxAI/MiniMax-M2.1",), total=Count(230, _RECALLED, "rounded name"),
        active=Count(10, _RECALLED, "rounded name"),
        note="Web pages give it lightning attention: that is MiniMax-01 and M1.",
    ),
    MINIMAX.same(
        "minimax-m2.7", "MiniMax M2.7", "minimax-m2.5", _AIC, licence="Modified MIT", unverified=_DATES,
        context=204800, hf=("MiniMaxAI/MiniMax-M2.7", "nvidia/MiniMax-M2.7-NVFP4"),
        note="Shape: model_configs/MiniMaxAI--MiniMax-M2.7_config.json; it lists 3 MTP modules.",
    ),
]  # fmt: skip

PHI = Family(file="other", family="phi", vendor="Microsoft", licence="MIT")
_PHI_3_MINI = Shape(layers=32, hidden=3072, heads=32, kv=32, head_dim=96, ffn=8192, vocab=32064, context=131072)
_PHI_3_MEDIUM = replace(_PHI_3_MINI, layers=40, hidden=5120, heads=40, kv=10, head_dim=128, ffn=17920, context=131072)
_PHI_35_MOE = Shape(
    layers=32, hidden=4096, heads=32, kv=8, head_dim=128, vocab=32064, context=131072, qkv_bias=True,
    out_bias=True, norm=(4, 2), head_bias=True, moe=Moe(experts=16, active=2, width=6400, layers=32),
)  # fmt: skip
_PHI_4_MINI = replace(_PHI_3_MINI, heads=24, kv=8, head_dim=128, vocab=200064, tied=True)
_PHI_2 = Shape(
    layers=32, hidden=2560, heads=32, kv=32, head_dim=80, ffn=10240, vocab=51200, context=2048, matrices=2,
    activation="gelu_tanh", all_bias=True, head_bias=True, norm=(2, 2), precision="fp16",
)  # fmt: skip

PHIS = [
    PHI.own(
        "phi-2", "Phi-2 2.7B", _PHI_2, "third-party", _LITGPT, released="2023-12-12",
        unverified=(*_DATES, "native_precision"), hf=("microsoft/phi-2",), aliases=("Phi-2",),
        total=Count(2.78, _RECALLED),
    ),
    PHI.own(
        "phi-3-mini", "Phi-3 mini 3.8B", _PHI_3_MINI, "third-party", _LITGPT, released="2024-04-23",
        unverified=_DATES,
        hf=("microsoft/Phi-3-mini-128k-instruct", "microsoft/Phi-3-mini-4k-instruct",
            "microsoft/Phi-3.5-mini-instruct"),
        aliases=("Phi-3 mini", "Phi-3.5 mini"), total=Count(3.82, _RECALLED),
        note="The 4k variant has 4096 of context and a window of 2047 on every layer.",
    ),
    PHI.own(
        "phi-3-medium", "Phi-3 medium 14B", _PHI_3_MEDIUM, "third-party", _GENZ, released="2024-05-21",
        unverified=(*_DATES, "max_context_tokens"), aliases=("Phi-3 medium",), total=Count(14, _NAME,
        "rounded name"),
        hf=("microsoft/Phi-3-medium-128k-instruct", "microsoft/Phi-3-medium-4k-instruct"),
        note="10 KV heads do not divide by TP 4 or 8. The 4k variant has a window of 2047 on every layer.",
    ),
    PHI.own(
        "phi-3.5-moe", "Phi-3.5-MoE 42B-A6.6B", _PHI_35_MOE, "third-party", _TF, released="2024-08-20",
        unverified=_DATES, hf=("microsoft/Phi-3.5-MoE-instruct",), aliases=("Phi-3.5-MoE", "Phi-3.5 MoE"),
        total=Count(41.9, _RECALLED), active=Count(6.6, _RECALLED),
        note="Shape: configuration_phimoe.py (defaults), confirmed by GenZ; the biases of attention and "
        "output head "
        "are from memory (0.0003 % of the total).",
    ),
    PHI.own(
        "phi-4-mini", "Phi-4-mini 3.8B", _PHI_4_MINI, "third-party", _LITGPT, released="2025-02-26",
        unverified=_DATES,
        hf=("microsoft/Phi-4-mini-instruct", "microsoft/Phi-4-mini-reasoning"), aliases=("Phi-4 mini",),
        total=Count(3.84, _RECALLED), note="Tied embeddings are from memory; litgpt does not record them.",
    ),
    PHI.same(
        "phi-4-reasoning", "Phi-4-reasoning 14B", "phi-4", _LITGPT, released="2025-04-30", unverified=_DATES,
        context=32768, hf=("microsoft/Phi-4-reasoning", "microsoft/Phi-4-reasoning-plus"),
        aliases=("Phi-4-reasoning-plus",),
    ),
]  # fmt: skip

COHERE = Family(file="other", family="command", vendor="Cohere", licence="CC-BY-NC 4.0 + use policy")
_COMMAND_R = Shape(
    layers=40, hidden=8192, heads=64, kv=64, head_dim=128, ffn=22528, vocab=256000, context=131072, tied=True,
    norm=(1, 1), precision="fp16",
)  # fmt: skip
_COMMAND_R_08 = replace(_COMMAND_R, kv=8, ffn=24576)
_COMMAND_A = replace(
    _COMMAND_R_08,
    layers=64,
    hidden=12288,
    heads=96,
    ffn=36864,
    context=262144,
    window=(4096, 48),
    precision="bf16",
)
_COMMAND_R7B = replace(_COMMAND_A, layers=32, hidden=4096, heads=32, ffn=14336, context=131072, window=(4096, 24))

COHERES = [
    COHERE.own(
        "command-r", "Command R 35B", _COMMAND_R, "third-party", _TF, released="2024-03-11",
        unverified=(*_DATES, "max_context_tokens"), aliases=("Command R",), total=Count(35, _NAME,
        "rounded name"),
        hf=("CohereForAI/c4ai-command-r-v01", "CohereLabs/c4ai-command-r-v01"),
        note="Parallel attention and FFN; 64 KV heads. Shape: configuration_cohere.py (defaults).",
    ),
    COHERE.own(
        "command-r-08-2024", "Command R 32B (08-2024)", _COMMAND_R_08, "third-party", _RECALLED,
        released="2024-08-30",
        unverified=_DATES, hf=("CohereForAI/c4ai-command-r-08-2024", "CohereLabs/c4ai-command-r-08-2024"),
        total=Count(32.3, _RECALLED),
    ),
    COHERE.same(
        "command-r-plus-08-2024", "Command R+ 104B (08-2024)", "command-r-plus", _RECALLED,
        released="2024-08-30",
        unverified=_DATES, context=131072, total=Count(104, _RECALLED, "rounded name"),
        hf=("CohereForAI/c4ai-command-r-plus-08-2024", "CohereLabs/c4ai-command-r-plus-08-2024"),
    ),
    COHERE.own(
        "command-r7b", "Command R7B (12-2024)", _COMMAND_R7B, "third-party", _RECALLED, released="2024-12-13",
        unverified=_DATES, hf=("CohereForAI/c4ai-command-r7b-12-2024", "CohereLabs/c4ai-command-r7b-12-2024"),
        aliases=("Command R7B",), total=Count(8.03, _RECALLED), note="3 local : 1 global without RoPE.",
    ),
    COHERE.own(
        "command-a", "Command A 111B (03-2025)", _COMMAND_A, "third-party", _RECALLED, released="2025-03-13",
        unverified=_DATES, hf=("CohereForAI/c4ai-command-a-03-2025", "CohereLabs/c4ai-command-a-03-2025"),
        aliases=("Command A",), total=Count(111, _RECALLED), note="3 local : 1 global without RoPE.",
    ),
]  # fmt: skip

FALCON = Family(file="other", family="falcon", vendor="TII", licence="Apache-2.0")
_FALCON_40 = Shape(
    layers=60, hidden=8192, heads=128, kv=8, head_dim=64, ffn=32768, vocab=65024, context=2048, tied=True,
    matrices=2,
    activation="gelu", norm=(4, 2),
)  # fmt: skip
_FALCON_7 = replace(_FALCON_40, layers=32, hidden=4544, heads=71, kv=1, ffn=18176, norm=(2, 2))
_TIED = (*_DATES, "native_precision", "tied_embeddings")
OPT = Family(file="other", family="opt", vendor="Meta", licence="OPT (research only)")
_OPT_67 = Shape(
    layers=32, hidden=4096, heads=32, kv=32, head_dim=128, ffn=16384, vocab=50272, context=2048, tied=True,
    matrices=2,
    activation="relu", all_bias=True, norm=(4, 2), positions=2050, precision="fp16",
)  # fmt: skip
_OPTS = {"6.7b": _OPT_67, "30b": replace(_OPT_67, layers=48, hidden=7168, heads=56, kv=56, ffn=28672),
         "66b": replace(_OPT_67, layers=64, hidden=9216, heads=72, kv=72, ffn=36864)}  # fmt: skip


def _opt(size: str, shape: Shape) -> Record:
    return OPT.own(
        f"opt-{size}", f"OPT {size.upper()}", shape, "third-party", _GENZ, released="2022-05-03",
        unverified=(*_DATES, "native_precision"), hf=(f"facebook/opt-{size}",),
        total=Count(float(size[:-1]), _NAME, "rounded name"),
    )  # fmt: skip


MIXED = Family(file="other", family="", vendor="")
_DBRX = Shape(
    layers=40, hidden=6144, heads=48, kv=8, head_dim=128, vocab=100352, context=32768, norm=(2, 1),
    moe=Moe(experts=16, active=4, width=10752, layers=40),
)  # fmt: skip
_GROK_1 = Shape(
    layers=64, hidden=6144, heads=48, kv=8, head_dim=128, vocab=131072, context=8192, tied=True,
    activation="gelu", norm=(4, 1), moe=Moe(experts=8, active=2, width=32768, layers=64),
)  # fmt: skip
_NEOX = Shape(
    layers=44, hidden=6144, heads=64, kv=64, head_dim=96, ffn=24576, vocab=50432, context=2048, matrices=2,
    activation="gelu", all_bias=True, norm=(4, 2), precision="fp16",
)  # fmt: skip
_SEED = Shape(
    layers=64,
    hidden=5120,
    heads=80,
    kv=8,
    head_dim=128,
    ffn=27648,
    vocab=155136,
    context=524288,
    qkv_bias=True,
)
_TINY = Shape(layers=22, hidden=2048, heads=32, kv=4, head_dim=64, ffn=5632, vocab=32000, context=2048)
_SMOL = replace(_TINY, layers=24, kv=32, ffn=8192, vocab=49152, context=8192, tied=True)
_OLMO_7 = Shape(
    layers=32,
    hidden=4096,
    heads=32,
    kv=32,
    head_dim=128,
    ffn=11008,
    vocab=100352,
    context=4096,
    qk_norm="full",
)
_OLMO_13 = replace(_OLMO_7, layers=40, hidden=5120, heads=40, kv=40, ffn=13824)

OTHERS = [
    FALCON.own(
        "falcon-7b", "Falcon 7B", _FALCON_7, "third-party", _LITGPT, released="2023-05-24", unverified=_TIED,
        hf=("tiiuae/falcon-7b", "tiiuae/falcon-7b-instruct"), aliases=("Falcon 7B",),
        total=Count(7, _NAME, "rounded name"), note="Parallel attention and FFN; one KV head.",
    ),
    FALCON.own(
        "falcon-40b", "Falcon 40B", _FALCON_40, "third-party", _LITGPT, released="2023-05-24",
        unverified=_TIED,
        hf=("tiiuae/falcon-40b", "tiiuae/falcon-40b-instruct"), aliases=("Falcon 40B",),
        total=Count(40, _NAME, "rounded name"), note="Parallel attention and FFN.",
    ),
    *(_opt(size, shape) for size, shape in _OPTS.items()),
    MIXED.own(
        "dbrx", "DBRX 132B-A36B", _DBRX, "third-party", _GENZ, family="dbrx", vendor="Databricks",
        licence="Databricks Open Model", released="2024-03-27", unverified=("released",),
        hf=("databricks/dbrx-instruct", "databricks/dbrx-base"), aliases=("DBRX Instruct",),
        total=Count(132, "dbrx-readme", "rounded name"), active=Count(36, "dbrx-readme", "rounded name"),
    ),
    MIXED.own(
        "grok-1", "Grok-1 314B", _GROK_1, "vendor", "grok-1-run", family="grok", vendor="xAI",
        licence="Apache-2.0",
        released="2024-03-17", unverified=("released", "native_precision"), hf=("xai-org/grok-1",
        "hpcai-tech/grok-1"),
        aliases=("Grok 1",), total=Count(314, "grok-1-run", "rounded name"),
        note="Expert width is 2/3 of the widening factor 8 times hidden, gated; the weights ship in int8.",
    ),
    MIXED.own(
        "gpt-neox-20b", "GPT-NeoX 20B", _NEOX, "third-party", _TF, family="gpt-neox", vendor="EleutherAI",
        licence="Apache-2.0", released="2022-02-09", unverified=(*_DATES, "native_precision"),
        hf=("EleutherAI/gpt-neox-20b",), aliases=("GPT-NeoX-20B", "GPT-NeoX"), total=Count(20.6, _RECALLED),
        note="Shape: configuration_gpt_neox.py (defaults).",
    ),
    MIXED.own(
        "seed-oss-36b", "Seed-OSS 36B", _SEED, "third-party", _RECALLED, family="seed-oss",
        vendor="ByteDance",
        licence="Apache-2.0", released="2025-08-20", unverified=_DATES,
        hf=("ByteDance-Seed/Seed-OSS-36B-Instruct",),
        aliases=("Seed-OSS-36B",), total=Count(36.2, _RECALLED),
        note="transformers' defaults agree but for the hidden size, which they give as 4096.",
    ),
    MIXED.own(
        "tinyllama-1.1b", "TinyLlama 1.1B", _TINY, "third-party", _LITGPT, family="tinyllama",
        vendor="TinyLlama",
        licence="Apache-2.0", released="2023-12-30", unverified=_DATES,
        hf=("TinyLlama/TinyLlama-1.1B-Chat-v1.0",),
        aliases=("TinyLlama",), total=Count(1.1, _NAME),
    ),
    MIXED.own(
        "smollm2-1.7b", "SmolLM2 1.7B", _SMOL, "third-party", _LITGPT, family="smollm", vendor="Hugging Face",
        licence="Apache-2.0", released="2024-11-01", unverified=(*_DATES, "tied_embeddings"),
        hf=("HuggingFaceTB/SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct"), aliases=("SmolLM2-1.7B",),
        total=Count(1.71, _RECALLED),
    ),
    MIXED.own(
        "olmo-2-7b", "OLMo 2 7B", _OLMO_7, "third-party", _LITGPT, family="olmo", vendor="Ai2",
        licence="Apache-2.0",
        released="2024-11-26", unverified=_DATES, hf=("allenai/OLMo-2-1124-7B",
        "allenai/OLMo-2-1124-7B-Instruct"),
        aliases=("OLMo-2-1124-7B",), total=Count(7.3, _RECALLED),
    ),
    MIXED.own(
        "olmo-2-13b", "OLMo 2 13B", _OLMO_13, "third-party", _LITGPT, family="olmo", vendor="Ai2",
        licence="Apache-2.0", released="2024-11-26", unverified=_DATES, total=Count(13.7, _RECALLED),
        hf=("allenai/OLMo-2-1124-13B", "allenai/OLMo-2-1124-13B-Instruct"), aliases=("OLMo-2-1124-13B",),
    ),
]  # fmt: skip
