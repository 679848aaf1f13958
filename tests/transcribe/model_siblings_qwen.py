"""Qwen and DeepSeek models that the table of shapes does not list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.transcribe.model_formula import Linear, Mla, Moe, Shape
from tests.transcribe.model_records import Count, Family, Record

_RECALLED = "recalled-model-cards"
_NAME = "model-name"
_LITGPT = "litgpt-0.5.13"
_AIC = "aiconfigurator-0.12.0"
_TT = "tt-metal-model-params"
_CARDS = "qwen2.5-card-copies"
_README = "qwen3-readme"
_VL = "qwen3-vl-readme"

QWEN = Family(file="qwen", family="qwen", vendor="Alibaba", licence="Apache-2.0")
_25 = {"released": "2024-09-19", "unverified": ("licence",)}
_CODER_25 = {"released": "2024-11-12", "unverified": ("released", "licence"), "context": 32768}
_Q25_05 = Shape(
    layers=24, hidden=896, heads=14, kv=2, head_dim=64, ffn=4864, vocab=151936, context=32768, tied=True,
    qkv_bias=True,
)  # fmt: skip
_Q25_15 = replace(_Q25_05, layers=28, hidden=1536, heads=12, head_dim=128, ffn=8960)
_Q25_3 = replace(_Q25_15, layers=36, hidden=2048, heads=16, ffn=11008)
_Q25_14 = replace(_Q25_15, layers=48, hidden=5120, heads=40, kv=8, ffn=13824, vocab=152064, context=131072, tied=False)
_Q25_32 = replace(_Q25_14, layers=64, ffn=27648)
_Q3_06 = Shape(
    layers=28, hidden=1024, heads=16, kv=8, head_dim=128, ffn=3072, vocab=151936, context=40960, tied=True,
    qk_norm="head",
)  # fmt: skip
_Q3_17 = replace(_Q3_06, hidden=2048, ffn=6144)
_Q3_4 = replace(_Q3_06, layers=36, hidden=2560, heads=32, ffn=9728)


def _delta(layers: int, value_heads: int) -> Linear:
    return Linear(kind="gated-deltanet", layers=layers, heads=value_heads, head_dim=128, state=128, groups=16)


_NEXT = Shape(
    layers=48, hidden=2048, heads=16, kv=2, head_dim=256, vocab=151936, context=262144, attention_layers=12,
    qk_norm="head", gated_query=True, linear=_delta(36, 32), mtp=1,
    moe=Moe(experts=512, active=10, width=512, shared=1, shared_width=512, layers=48, shared_gate=True),
)  # fmt: skip
_Q35_9 = Shape(
    layers=32, hidden=4096, heads=16, kv=4, head_dim=256, ffn=12288, vocab=248320, context=262144,
    attention_layers=8, qk_norm="head", gated_query=True, linear=_delta(24, 32), mtp=1,
)  # fmt: skip
_Q35_27 = replace(_Q35_9, layers=64, hidden=5120, heads=24, ffn=17408, attention_layers=16, linear=_delta(48, 48))
_Q35_35 = replace(
    _Q35_9, layers=40, hidden=2048, kv=2, ffn=0, attention_layers=10, linear=_delta(30, 32),
    moe=Moe(experts=256, active=8, width=512, shared=1, shared_width=512, layers=40, shared_gate=True),
)  # fmt: skip
_Q35_122 = replace(
    _Q35_35, layers=48, hidden=3072, heads=32, attention_layers=12, linear=_delta(36, 64),
    moe=Moe(experts=256, active=8, width=1024, shared=1, shared_width=1024, layers=48, shared_gate=True),
)  # fmt: skip
_VIT = "vision encoder 27 layers x 1152"
_YARN = "131072 only with YaRN; config.json of the instruct model says 32768 [unverified]."


def _hf(name: str, *suffixes: str) -> tuple[str, ...]:
    return tuple(f"Qwen/{name}{suffix}" for suffix in suffixes)


def _qwen25(size: str, shape: Shape, total: float, note: str = "", licence: str = "Apache-2.0") -> Record:
    name = f"Qwen2.5-{size.upper()}"
    return QWEN.own(
        f"qwen2.5-{size}", name.replace("-", " "), shape, "third-party", _LITGPT, total=Count(total, _CARDS),
        hf=_hf(name, "", "-Instruct"), aliases=(f"Qwen 2.5 {size.upper()}",), **(_25 | {"licence": licence}),
        note=note,
    )  # fmt: skip


def _coder25(size: str) -> Record:
    name = f"Qwen2.5-Coder-{size.upper()}"
    return QWEN.same(
        f"qwen2.5-coder-{size}", name.replace("-", " ", 1).replace("-", " "), f"qwen2.5-{size}", _LITGPT,
        hf=_hf(name, "", "-Instruct"), aliases=(f"Qwen 2.5 Coder {size.upper()}",), **_CODER_25,
    )  # fmt: skip


def _vl(size: str, of: str, released: str, extra: int, total: float) -> Record:
    name = f"Qwen3-VL-{size.upper()}"
    config = f"model_configs/Qwen--{name}-Instruct_config.json"
    return QWEN.same(
        f"qwen3-vl-{size}", name.replace("-", " ", 2).replace("Qwen3 VL", "Qwen3-VL"), of, _AIC,
        released=released,
        context=262144, extra_params=extra, total=Count(total, _VL, "rounded name"),
        extra_modules=f"{_VIT if extra > 5e8 else 'vision encoder 24 layers x 1024'} with mergers",
        hf=_hf(name, "-Instruct", "-Thinking", "-Instruct-FP8", "-Thinking-FP8"), note=f"Shape: {config}.",
        aliases=(f"Qwen 3 VL {size.upper().replace('-', ' ')}",),
    )  # fmt: skip


def _2507(parent: str, variant: str, released: str) -> Record:
    kind = variant.capitalize()
    name = f"Qwen3-{parent.removeprefix('qwen3-').upper()}"
    measured = parent != "qwen3-4b"
    return QWEN.same(
        f"{parent}-{variant}-2507", f"{name} {kind} 2507", parent, _LITGPT, released=released, context=262144,
        hf=() if measured else _hf(name, f"-{kind}-2507", f"-{kind}-2507-FP8"),
        note=f"The measured data call this release {parent}, so its Hugging Face ids stand there; "
        "ask for this id where the longer context matters." if measured else "",
    )  # fmt: skip


def _qwen35(version: str, size: str, shape: Shape | None, extra: int, **rest: Any) -> Record:
    name = f"Qwen{version}-{size.upper()}"
    common: dict[str, Any] = {
        "hf": _hf(name, "", "-FP8"), "aliases": (f"Qwen {version} {size.upper().replace('-', ' ')}",),
        "extra_params": extra, "extra_modules": f"{_VIT}; 1 MTP layer not counted",
        "unverified": ("released", "licence"),
        "total": Count(float(size.split("b")[0]), _NAME, "rounded name"), **rest,
    }  # fmt: skip
    identity = (f"qwen{version}-{size}", name.replace("-", " ", 1))
    if shape is None:
        return QWEN.same(*identity, f"qwen3.5-{size}", _AIC, **common)
    source = _TT if size == "9b" else _AIC
    return QWEN.own(*identity, shape, "third-party" if size == "9b" else "config", source, **common)


QWENS = [
    QWEN.same(
        "qwen2-7b", "Qwen2 7B", "qwen2.5-7b", _RECALLED, released="2024-06-06", unverified=("licence",),
        hf=_hf("Qwen2-7B", "", "-Instruct"), aliases=("Qwen 2 7B",), total=Count(7.62, _RECALLED),
    ),
    QWEN.same(
        "qwen2-72b", "Qwen2 72B", "qwen2.5-72b", _RECALLED, released="2024-06-06", licence="Tongyi Qianwen",
        unverified=("licence",), hf=_hf("Qwen2-72B", "", "-Instruct"), aliases=("Qwen 2 72B",),
        total=Count(72.7, _RECALLED),
    ),
    _qwen25("0.5b", _Q25_05, 0.49),
    _qwen25("1.5b", _Q25_15, 1.54, "litgpt gives block_size 131072; the card says 32768."),
    _qwen25("3b", _Q25_3, 3.09, licence="Qwen Research"),
    _qwen25("14b", _Q25_14, 14.7, _YARN),
    _qwen25("32b", _Q25_32, 32.5, _YARN),
    *(_coder25(size) for size in ("0.5b", "1.5b", "3b", "7b", "14b", "32b")),
    QWEN.same(
        "qwen2.5-vl-3b", "Qwen2.5-VL 3B", "qwen2.5-3b", _RECALLED, released="2025-01-28",
        licence="Qwen Research",
        unverified=("licence",), context=128000, extra_modules="vision encoder 32 layers x 1280",
        hf=_hf("Qwen2.5-VL-3B", "-Instruct"), aliases=("Qwen 2.5 VL 3B",),
    ),
    QWEN.same(
        "qwen2.5-vl-7b", "Qwen2.5-VL 7B", "qwen2.5-7b", _TT, released="2025-01-28", unverified=("licence",),
        context=128000, extra_params=676_550_144, extra_modules="vision encoder 32 layers x 1280",
        hf=_hf("Qwen2.5-VL-7B", "-Instruct"), aliases=("Qwen 2.5 VL 7B",), total=Count(8.29, _RECALLED),
    ),
    QWEN.same(
        "qwen2.5-vl-32b", "Qwen2.5-VL 32B", "qwen2.5-32b", _RECALLED, released="2025-03-25",
        unverified=("licence",),
        context=128000, extra_modules="vision encoder 32 layers x 1280",
        hf=_hf("Qwen2.5-VL-32B", "-Instruct"), aliases=("Qwen 2.5 VL 32B",),
    ),
    QWEN.same(
        "qwen2.5-vl-72b", "Qwen2.5-VL 72B", "qwen2.5-72b", _RECALLED, released="2025-01-28",
        licence="Qwen License",
        unverified=("licence",), context=128000, extra_modules="vision encoder 32 layers x 1280",
        hf=_hf("Qwen2.5-VL-72B", "-Instruct"), aliases=("Qwen 2.5 VL 72B",),
    ),
    QWEN.same(
        "qwq-32b", "QwQ 32B", "qwen2.5-32b", _LITGPT, released="2025-03-05", unverified=("released",
        "licence"),
        context=131072, hf=_hf("QwQ-32B", "", "-AWQ"), total=Count(32, _NAME, "rounded name"),
    ),
    QWEN.own(
        "qwen3-0.6b", "Qwen3 0.6B", _Q3_06, "config", _AIC, released="2025-04-29", aliases=("Qwen 3 0.6B",),
        hf=_hf("Qwen3-0.6B", "", "-Base", "-FP8"), total=Count(0.6, _README, "rounded name"),
    ),
    QWEN.own(
        "qwen3-1.7b", "Qwen3 1.7B", _Q3_17, "config", _AIC, released="2025-04-29", aliases=("Qwen 3 1.7B",),
        hf=_hf("Qwen3-1.7B", "", "-Base", "-FP8"), total=Count(1.7, _README, "rounded name"),
    ),
    QWEN.own(
        "qwen3-4b", "Qwen3 4B", _Q3_4, "third-party", _LITGPT, released="2025-04-29", aliases=("Qwen 3 4B",),
        hf=_hf("Qwen3-4B", "", "-Base", "-FP8"), total=Count(4, _README, "rounded name"),
        note="Confirmed by the text part of Qwen3-VL 4B's config.json (aiconfigurator).",
    ),
    _2507("qwen3-4b", "instruct", "2025-08-06"),
    _2507("qwen3-4b", "thinking", "2025-08-06"),
    _2507("qwen3-30b-a3b", "instruct", "2025-07-30"),
    _2507("qwen3-30b-a3b", "thinking", "2025-07-31"),
    _2507("qwen3-235b-a22b", "instruct", "2025-07-21"),
    _2507("qwen3-235b-a22b", "thinking", "2025-07-25"),
    QWEN.same(
        "qwen3-coder-30b-a3b", "Qwen3-Coder 30B-A3B", "qwen3-30b-a3b", "qwen3-coder-30b-card-copy",
        context=262144,
        released="2025-07-31", unverified=("released",), total=Count(30.5, "qwen3-coder-30b-card-copy"),
        active=Count(3.3, "qwen3-coder-30b-card-copy"), aliases=("Qwen 3 Coder 30B A3B",),
        hf=_hf("Qwen3-Coder-30B-A3B-Instruct", "", "-FP8"),
        note="The card gives layers, heads and experts; widths are taken to be the parent's.",
    ),
    _vl("2b", "qwen3-1.7b", "2025-10-21", 406_957_056, 2),
    _vl("4b", "qwen3-4b", "2025-10-15", 415_347_712, 4),
    _vl("8b", "qwen3-8b", "2025-10-15", 576_388_336, 8),
    _vl("32b", "qwen3-32b", "2025-10-21", 595_266_800, 32),
    _vl("30b-a3b", "qwen3-30b-a3b", "2025-10-04", 538_631_408, 30),
    _vl("235b-a22b", "qwen3-235b-a22b", "2025-09-23", 576_388_336, 235),
    QWEN.same(
        "qwen3-omni-30b-a3b-thinking", "Qwen3-Omni 30B-A3B Thinking", "qwen3-omni-30b-a3b", _RECALLED,
        released="2025-09-22", unverified=("released", "licence"), hf=_hf("Qwen3-Omni-30B-A3B-Thinking", ""),
        extra_modules="ViT 27 x 1152, audio encoder 32 x 1280; no talker", context=65536,
        aliases=("Qwen 3 Omni 30B A3B Thinking",),
    ),
    QWEN.own(
        "qwen3-next-80b-a3b", "Qwen3-Next 80B-A3B", _NEXT, "third-party", "transformers-5.23.0",
        released="2025-09-11", unverified=("released", "licence", "max_context_tokens"),
        hf=_hf("Qwen3-Next-80B-A3B", "-Instruct", "-Thinking", "-Instruct-FP8", "-Thinking-FP8"),
        aliases=("Qwen 3 Next 80B A3B",), total=Count(80, _NAME, "rounded name"),
        active=Count(3, _NAME, "rounded name"),
        note="Every 4th layer full attention (12), 36 gated-DeltaNet layers; q_proj is doubled (output "
        "gate). "
        "Shape: configuration_qwen3_next.py (defaults). The active count in the name leaves embeddings out.",
    ),
    _qwen35("3.5", "9b", _Q35_9, 456_010_480, released="2026-03-02"),
    _qwen35("3.5", "27b", _Q35_27, 460_730_096, released="2026-02-24"),
    _qwen35("3.5", "35b-a3b", _Q35_35, 446_571_248, released="2026-02-24", active=Count(3, _NAME,
    "rounded name")),
    _qwen35("3.5", "122b-a10b", _Q35_122, 451_290_864, released="2026-02-24", active=Count(10, _NAME,
    "rounded name")),
    _qwen35("3.6", "27b", None, 460_730_096, context=262144),
    _qwen35("3.6", "35b-a3b", None, 446_571_248, context=262144),
]  # fmt: skip

DEEPSEEK = Family(file="deepseek", family="deepseek", vendor="DeepSeek", licence="MIT")
_V2 = Shape(
    layers=60, hidden=5120, heads=128, kv=128, head_dim=192, ffn=12288, vocab=102400, context=163840,
    mla=Mla(q_rank=1536, kv_rank=512, nope=128, rope=64, value=128),
    moe=Moe(experts=160, active=6, width=1536, shared=2, shared_width=1536, first_dense=1, layers=59),
)  # fmt: skip
_V2_LITE = Shape(
    layers=27, hidden=2048, heads=16, kv=16, head_dim=192, ffn=10944, vocab=102400, context=163840,
    mla=Mla(q_rank=0, kv_rank=512, nope=128, rope=64, value=128),
    moe=Moe(experts=64, active=6, width=1408, shared=2, shared_width=1408, first_dense=1, layers=26),
)  # fmt: skip
_V32 = Shape(
    layers=61, hidden=7168, heads=128, kv=128, head_dim=192, ffn=18432, vocab=129280, context=163840,
    mla=Mla(q_rank=1536, kv_rank=512, nope=128, rope=64, value=128, index=(64, 128, 2048)),
    moe=Moe(experts=256, active=8, width=2048, shared=1, shared_width=2048, first_dense=3, layers=58,
            routing_bias=True),
    precision="fp8", mtp=1,
)  # fmt: skip
_OLD = {"licence": "DeepSeek Model License", "unverified": ("released", "licence")}
_SAME_AS_V3 = {"unverified": ("released", "licence"), "context": 163840}


def _distill(size: str, of: str | None, base: str, licence: str, source: str, **rest: Any) -> Record:
    name = f"DeepSeek-R1-Distill-{base}-{size.upper()}"
    common: dict[str, Any] = {
        "hf": (f"deepseek-ai/{name}",), "released": "2025-01-20", "licence": licence,
        "aliases": (f"R1-Distill-{base}-{size.upper()}",),
        "unverified": ("licence",), "total": Count(float(size.removesuffix("b")), "deepseek-r1-readme",
        "rounded name"), **rest,
    }  # fmt: skip
    identity = (name.lower(), name.replace("-", " "))
    if of is None:
        return DEEPSEEK.own(*identity, replace(_Q25_15, tied=False, context=131072), "third-party", source, **common)
    return DEEPSEEK.same(*identity, of, source, context=131072, **common)


DEEPSEEKS = [
    DEEPSEEK.same(
        "deepseek-v3-0324", "DeepSeek V3 0324", "deepseek-v3", _AIC, released="2025-03-24", **_SAME_AS_V3,
        evidence="derived",
        hf=("deepseek-ai/DeepSeek-V3-0324", "nvidia/DeepSeek-V3-0324-FP4"), total=Count(671, _RECALLED),
    ),
    DEEPSEEK.same(
        "deepseek-r1-0528", "DeepSeek R1 0528", "deepseek-r1", _AIC, released="2025-05-28", context=163840,
        evidence="derived",
        total=Count(671, _RECALLED),
        note="The measured data call this release deepseek-r1, so its Hugging Face ids stand there.",
    ),
    DEEPSEEK.same(
        "deepseek-v3.1-terminus", "DeepSeek V3.1 Terminus", "deepseek-v3.1", _RECALLED, released="2025-09-22",
        hf=("deepseek-ai/DeepSeek-V3.1-Terminus",), **_SAME_AS_V3,
    ),
    DEEPSEEK.own(
        "deepseek-v3.2", "DeepSeek V3.2", _V32, "config", _AIC, released="2025-12-01",
        unverified=("released",),
        hf=("deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V3.2-Speciale", "nvidia/DeepSeek-V3.2-NVFP4"),
        aliases=("DeepSeek-V3.2",), total=Count(671, _RECALLED),
        note="V3 with a sparse indexer: attention reads at most the 2048 tokens the indexer picks; the "
        "indexer itself "
        "reads 128 values per token of all tokens. The indexer adds 0.85 B.",
    ),
    DEEPSEEK.same(
        "deepseek-v3.2-exp", "DeepSeek V3.2 Exp", "deepseek-v3.2", "deepseek-v3.2-exp-readme",
        released="2025-09-29", evidence="unverified",
        unverified=("released",), context=163840, hf=("deepseek-ai/DeepSeek-V3.2-Exp",),
        note="The README names the sparse attention and the base V3.1 Terminus; dimensions are taken to be "
        "V3.2's.",
    ),
    DEEPSEEK.own(
        "deepseek-v2", "DeepSeek V2", _V2, "third-party", "maxtext-5505348", released="2024-05-06", **_OLD,
        hf=("deepseek-ai/DeepSeek-V2", "deepseek-ai/DeepSeek-V2-Chat", "deepseek-ai/DeepSeek-V2.5"),
        aliases=("DeepSeek-V2", "DeepSeek-V2.5"), total=Count(236, _RECALLED), active=Count(21, _RECALLED),
    ),
    DEEPSEEK.own(
        "deepseek-v2-lite", "DeepSeek V2 Lite", _V2_LITE, "third-party", "maxtext-5505348",
        released="2024-05-15",
        **_OLD, hf=("deepseek-ai/DeepSeek-V2-Lite", "deepseek-ai/DeepSeek-V2-Lite-Chat"),
        aliases=("DeepSeek-V2-Lite",), total=Count(15.7, _RECALLED), active=Count(2.4, _RECALLED),
        note="The query is not compressed (q_lora_rank 0). The active count leaves embeddings out.",
    ),
    DEEPSEEK.same(
        "deepseek-coder-v2", "DeepSeek Coder V2", "deepseek-v2", _RECALLED, released="2024-06-17", **_OLD,
        hf=("deepseek-ai/DeepSeek-Coder-V2-Instruct", "deepseek-ai/DeepSeek-Coder-V2-Base"), context=163840,
    ),
    DEEPSEEK.same(
        "deepseek-coder-v2-lite", "DeepSeek Coder V2 Lite", "deepseek-v2-lite", _RECALLED,
        released="2024-06-17",
        **_OLD, hf=("deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct", "deepseek-ai/DeepSeek-Coder-V2-Lite-Base"),
        context=163840,
    ),
    _distill("1.5b", None, "Qwen", "MIT", "deepseek-r1-readme", total=Count(1.78, _RECALLED),
    evidence="unverified",
             note="Qwen2.5-Math 1.5B with an output head of its own: untied, from memory. The name leaves it "
             "out."),
    _distill("7b", "qwen2.5-7b", "Qwen", "MIT", "deepseek-r1-readme", total=Count(7.62, _RECALLED)),
    _distill("14b", "qwen2.5-14b", "Qwen", "MIT", "deepseek-r1-readme", total=Count(14.8, _RECALLED)),
    _distill("32b", "qwen2.5-32b", "Qwen", "MIT", "deepseek-r1-readme", total=Count(32.8, _RECALLED)),
    _distill("8b", "llama-3.1-8b", "Llama", "MIT + Llama 3.1", _LITGPT),
    _distill("70b", "llama-3.3-70b", "Llama", "MIT + Llama 3.3", _LITGPT),
    DEEPSEEK.same(
        "deepseek-r1-0528-qwen3-8b", "DeepSeek R1 0528 Qwen3 8B", "qwen3-8b", _RECALLED,
        released="2025-05-29",
        unverified=("released", "licence"), hf=("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",), context=131072,
    ),
]  # fmt: skip
