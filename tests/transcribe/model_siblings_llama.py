"""Llama and Nemotron models that the table of shapes does not list."""

from __future__ import annotations

from dataclasses import replace

from tests.transcribe.model_formula import Linear, Moe, Shape
from tests.transcribe.model_records import Count, Family

_RECALLED = "recalled-model-cards"
_NAME = "model-name"
_LITGPT = "litgpt-0.5.13"
_AIC = "aiconfigurator-0.12.0"
_TT = "tt-metal-model-params"

LLAMA = Family(file="llama", family="llama", vendor="Meta")
_LLAMA_1 = {
    "licence": "LLaMA (research only)",
    "released": "2023-02-24",
    "unverified": ("released", "licence"),
}
_LLAMA_3 = {"licence": "Llama 3 Community", "released": "2024-04-18", "unverified": ("released", "licence")}
_CODE = {"licence": "Llama 2 Community", "unverified": ("released", "licence", "native_precision")}
_CODE_7 = Shape(
    layers=32,
    hidden=4096,
    heads=32,
    kv=32,
    head_dim=128,
    ffn=11008,
    vocab=32016,
    context=16384,
    precision="fp16",
)
_CODE_13 = replace(_CODE_7, layers=40, hidden=5120, heads=40, kv=40, ffn=13824)
_CODE_34 = replace(_CODE_7, layers=48, hidden=8192, heads=64, kv=8, ffn=22016, vocab=32000)
_CODE_70 = replace(_CODE_34, layers=80, ffn=28672, vocab=32016)
_LLAMA_65 = replace(_CODE_34, layers=80, kv=64, context=2048)

LLAMAS = [
    LLAMA.same(
        "llama-1-7b", "LLaMA 7B (first generation)", "llama-2-7b", _RECALLED, **_LLAMA_1,
        hf=("huggyllama/llama-7b",), aliases=("LLaMA 1 7B", "LLaMA v1 7B"), context=2048,
        total=Count(6.7, _RECALLED), note="The bare name 'LLaMA 7B' of the benchmarks stands for llama-2-7b.",
    ),
    LLAMA.same(
        "llama-1-13b", "LLaMA 13B (first generation)", "llama-2-13b", _RECALLED, **_LLAMA_1,
        hf=("huggyllama/llama-13b",), aliases=("LLaMA 1 13B", "LLaMA v1 13B"), context=2048,
        total=Count(13.0, _RECALLED),
    ),
    LLAMA.own(
        "llama-1-65b", "LLaMA 65B (first generation)", _LLAMA_65, "third-party", _RECALLED, **_LLAMA_1,
        hf=("huggyllama/llama-65b",), aliases=("LLaMA 65B", "LLaMA 1 65B"), total=Count(65.2, _RECALLED),
        note="Multi-head attention: the KV cache is eight times that of Llama 2 70B.",
    ),
    LLAMA.same(
        "llama-3-8b", "Llama 3 8B", "llama-3.1-8b", _LITGPT, **_LLAMA_3, context=8192, total=Count(8, _NAME),
        hf=("meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct"), aliases=("LLaMA v3 8B",),
    ),
    LLAMA.same(
        "llama-3-70b", "Llama 3 70B", "llama-3.1-70b", _LITGPT, **_LLAMA_3, context=8192, total=Count(70,
        _NAME),
        hf=("meta-llama/Meta-Llama-3-70B", "meta-llama/Meta-Llama-3-70B-Instruct"), aliases=("LLaMA v3 70B",),
    ),
    LLAMA.same(
        "llama-3.2-11b-vision", "Llama 3.2 11B Vision", "llama-3.1-8b", "transformers-5.23.0",
        released="2024-09-25", licence="Llama 3.2 Community", extra_params=2_612_680_227,
        hf=("meta-llama/Llama-3.2-11B-Vision", "meta-llama/Llama-3.2-11B-Vision-Instruct"),
        extra_modules="8 cross-attention layers with FFN, projector, vision encoder 40 layers x 1280",
        aliases=("Llama 3.2 11B",), total=Count(10.6, _RECALLED),
        note="The text path is Llama 3.1 8B; the cross-attention layers work only on requests with an image. "
        "Shape: configuration_mllama.py (defaults); the extra parameters are counted on that class.",
    ),
    LLAMA.same(
        "llama-3.2-90b-vision", "Llama 3.2 90B Vision", "llama-3.1-70b", _TT,
        released="2024-09-25", licence="Llama 3.2 Community", extra_params=18_039_648_827,
        hf=("meta-llama/Llama-3.2-90B-Vision", "meta-llama/Llama-3.2-90B-Vision-Instruct"),
        extra_modules="20 cross-attention layers with FFN, projector, vision encoder 40 layers x 1280",
        aliases=("Llama 3.2 90B",), total=Count(88.8, _RECALLED),
        note="The text path is Llama 3.1 70B; the cross-attention layers work only on requests with an "
        "image.",
    ),
    LLAMA.own(
        "codellama-7b", "Code Llama 7B", _CODE_7, "third-party", _LITGPT, released="2023-08-24", **_CODE,
        hf=("codellama/CodeLlama-7b-hf", "codellama/CodeLlama-7b-Instruct-hf"), total=Count(7, _NAME,
        "rounded name"),
        aliases=("Code Llama 7B",), note="The Python variant has vocabulary 32000.",
    ),
    LLAMA.own(
        "codellama-13b", "Code Llama 13B", _CODE_13, "third-party", _LITGPT, released="2023-08-24", **_CODE,
        hf=("codellama/CodeLlama-13b-hf", "codellama/CodeLlama-13b-Instruct-hf"), aliases=("Code Llama 13B",),
        total=Count(13, _NAME, "rounded name"), note="The Python variant has vocabulary 32000.",
    ),
    LLAMA.own(
        "codellama-34b", "Code Llama 34B", _CODE_34, "third-party", _LITGPT, released="2023-08-24", **_CODE,
        hf=("codellama/CodeLlama-34b-hf", "codellama/CodeLlama-34b-Instruct-hf"), aliases=("Code Llama 34B",),
        total=Count(34, _NAME, "rounded name"),
    ),
    LLAMA.own(
        "codellama-70b", "Code Llama 70B", _CODE_70, "third-party", _LITGPT, released="2024-01-29", **_CODE,
        hf=("codellama/CodeLlama-70b-hf", "codellama/CodeLlama-70b-Instruct-hf"), aliases=("Code Llama 70B",),
        total=Count(70, _NAME, "rounded name"), note="litgpt gives block_size 16384 for every size.",
    ),
]  # fmt: skip

NEMOTRON = Family(file="nemotron", family="nemotron", vendor="NVIDIA", licence="NVIDIA Open Model")
_NANO_3 = Shape(
    layers=52, hidden=2688, heads=32, kv=2, head_dim=128, vocab=131072, context=262144, matrices=2,
    activation="relu2", attention_layers=6, ffn_layers=0, norm=(1, 1),
    linear=Linear(kind="mamba2", layers=23, heads=64, head_dim=64, state=128, groups=8),
    moe=Moe(experts=128, active=6, width=1856, shared=1, shared_width=3712, layers=23, routing_bias=True),
)  # fmt: skip
_H_56 = Shape(
    layers=118, hidden=8192, heads=64, kv=8, head_dim=128, ffn=32768, vocab=131072, context=8192, matrices=2,
    activation="relu2", attention_layers=10, ffn_layers=54, norm=(1, 1),
    linear=Linear(kind="mamba2", layers=54, heads=256, head_dim=64, state=256, groups=8),
)  # fmt: skip
# FFN width by ffn_mult, with the number of blocks: 2/3 x mult x hidden, rounded up to a multiple of 256.
_SUPER_FFN = {5.25: 49, 1.3125: 10, 1.0: 8, 0.5: 6, 2.625: 6, 3.28125: 1}
_SUPER_WIDTHS = sum(-(-int(2 * mult * 8192 / 3) // 256) * 256 * blocks for mult, blocks in _SUPER_FFN.items())
_SUPER_49 = Shape(
    layers=80, hidden=8192, heads=64, kv=8, head_dim=128, vocab=128256, context=131072, attention_layers=49,
    ffn_params=3 * 8192 * _SUPER_WIDTHS, norm=(0, 49 + 80 + 1),
)  # fmt: skip
_NEMOTRON_340 = Shape(
    layers=96, hidden=18432, heads=96, kv=8, head_dim=192, ffn=73728, vocab=256000, context=4096, matrices=2,
    activation="relu2", norm=(4, 2),
)  # fmt: skip
_LLAMA_NEMOTRON = {"licence": "NVIDIA Open Model + Llama 3.1", "unverified": ("released", "licence")}

NEMOTRONS = [
    NEMOTRON.same(
        "llama-3.1-nemotron-70b", "Llama 3.1 Nemotron 70B", "llama-3.1-70b", _LITGPT, **_LLAMA_NEMOTRON,
        hf=("nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", "nvidia/Llama-3.1-Nemotron-70B-Instruct"),
        released="2024-10-15", aliases=("Nemotron 70B",), total=Count(70, _NAME, "rounded name"),
    ),
    NEMOTRON.same(
        "llama-3.1-nemotron-nano-8b", "Llama 3.1 Nemotron Nano 8B v1", "llama-3.1-8b", _RECALLED,
        **_LLAMA_NEMOTRON, hf=("nvidia/Llama-3.1-Nemotron-Nano-8B-v1",), released="2025-03-18",
        aliases=("Nemotron Nano 8B",), total=Count(8, _NAME, "rounded name"),
    ),
    NEMOTRON.own(
        "nemotron-super-49b", "Llama 3.3 Nemotron Super 49B v1", _SUPER_49, "config", _AIC,
        hf=("nvidia/Llama-3_3-Nemotron-Super-49B-v1", "nvidia/Llama-3_3-Nemotron-Super-49B-v1-FP8"),
        licence="NVIDIA Open Model + Llama 3.3", released="2025-03-18", unverified=("released", "licence"),
        aliases=("Nemotron Super 49B", "Llama-3.3-Nemotron-Super-49B"), total=Count(49, _NAME,
        "rounded name"),
        note="80 blocks: 49 with attention (8 KV heads), 31 without; all 80 with an FFN, 2816 to 28672 wide.",
    ),
    NEMOTRON.same(
        "nemotron-super-49b-v1.5", "Llama 3.3 Nemotron Super 49B v1.5", "nemotron-super-49b", _RECALLED,
        hf=("nvidia/Llama-3_3-Nemotron-Super-49B-v1_5", "nvidia/Llama-3_3-Nemotron-Super-49B-v1_5-FP8"),
        licence="NVIDIA Open Model + Llama 3.3", released="2025-07-25", unverified=("released", "licence"),
        total=Count(49, _NAME, "rounded name"),
    ),
    NEMOTRON.same(
        "nemotron-nano-12b-v2-vl", "NVIDIA Nemotron Nano 12B v2 VL", "nemotron-nano-12b-v2", _RECALLED,
        hf=("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-FP8"),
        released="2025-10-28", unverified=("released", "licence"),
        extra_modules="vision encoder and projector",
    ),
    NEMOTRON.own(
        "nemotron-3-nano-30b-a3b", "NVIDIA Nemotron 3 Nano 30B-A3B", _NANO_3, "config", _AIC,
        hf=("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8",
            "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"),
        aliases=("Nemotron 3 Nano", "NVIDIA-Nemotron-3-Nano-30B-A3B"), released="2025-12-15",
        unverified=("released", "licence"), total=Count(31.6, _RECALLED), active=Count(3.6, _RECALLED),
        note="Each of the 52 layers is one mixer: 23 Mamba-2, 6 attention, 23 mixture of experts. Experts "
        "are plain "
        "(squared ReLU, 2 matrices).",
    ),
    NEMOTRON.own(
        "nemotron-h-56b", "Nemotron-H 56B Base", _H_56, "config", _AIC,
        hf=("nvidia/Nemotron-H-56B-Base-8K",), aliases=("Nemotron-H 56B",), released="2025-03-21",
        unverified=("released", "licence"), total=Count(56, _NAME, "rounded name"),
        note="Each of the 118 layers is one mixer: 54 Mamba-2, 10 attention, 54 FFN.",
    ),
    NEMOTRON.own(
        "nemotron-4-340b", "Nemotron-4 340B", _NEMOTRON_340, "vendor", "nemo-2.4.0",
        hf=("nvidia/Nemotron-4-340B-Instruct", "nvidia/Nemotron-4-340B-Base"), aliases=("Nemotron-4 340B",),
        released="2024-06-14", unverified=("released", "licence"),
        total=Count(340, _NAME, "rounded name"),
        note="Shape: nemo/collections/llm/gpt/model/nemotron.py; vocabulary as in GenZ.",
    ),
]  # fmt: skip
