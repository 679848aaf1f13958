"""Mistral, Gemma and gpt-oss models that the table of shapes does not list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.transcribe.model_formula import Shape
from tests.transcribe.model_records import Count, Family

_RECALLED = "recalled-model-cards"
_NAME = "model-name"
_LITGPT = "litgpt-0.5.13"
_TT = "tt-metal-model-params"
_BRIDGE = "megatron-bridge-10648a5"
_GENZ = "genz-091bdd0"
_OPEN = {"licence": "Apache-2.0", "unverified": ("released", "licence")}
_RESEARCH = {"licence": "Mistral Research (MRL)", "unverified": ("released", "licence")}
_PIXTRAL = {
    "extra_params": 438_958_080,
    "extra_modules": "Pixtral vision encoder 24 layers x 1024 with projector",
}

MISTRAL = Family(file="mistral", family="mistral", vendor="Mistral AI")
_7B_V02 = Shape(layers=32, hidden=4096, heads=32, kv=8, head_dim=128, ffn=14336, vocab=32000, context=32768)
_NEMO = replace(_7B_V02, layers=40, hidden=5120, vocab=131072, context=131072)
_SMALL_22 = replace(_7B_V02, layers=56, hidden=6144, heads=48, ffn=16384, vocab=32768)
_SMALL_24 = replace(_NEMO, ffn=32768, context=32768)
_DEVSTRAL_123 = replace(
    _7B_V02, layers=88, hidden=12288, heads=96, ffn=28672, vocab=131072, context=262144, precision="fp8"
)
_MINISTRAL_8B = replace(_7B_V02, layers=36, ffn=12288, vocab=131072)
_MINISTRAL_3_3B = replace(_NEMO, layers=26, hidden=3072, ffn=9216, context=262144, tied=True, precision="fp8")
_MINISTRAL_3_8B = replace(_MINISTRAL_3_3B, layers=34, hidden=4096, ffn=14336, tied=False)
_MINISTRAL_3_14B = replace(_MINISTRAL_3_8B, layers=40, hidden=5120, ffn=16384)
_MINISTRAL = _OPEN | {
    "released": "2025-12-02", "extra_params": 400_000_000, "extra_modules": "Pixtral vision encoder with "
    "projector (about 0.4)",
    "unverified": ("released", "licence", "native_precision"),
}  # fmt: skip


def _small(version: str, stamp: str, released: str, context: int, *, vision: bool) -> dict[str, Any]:
    extra: dict[str, Any] = _PIXTRAL if vision else {}
    return _OPEN | {
        "id": f"mistral-small-{version}-24b", "name": f"Mistral Small {version} 24B",
        "hf": (f"mistralai/Mistral-Small-{version}-24B-Instruct-{stamp}",), "released": released,
        "aliases": (f"Mistral Small {version}",), "context": context, **extra,
    }  # fmt: skip


MISTRALS = [
    MISTRAL.own(
        "mistral-7b-v0.2", "Mistral 7B v0.2", _7B_V02, "third-party", _LITGPT, **_OPEN, released="2023-12-11",
        hf=("mistralai/Mistral-7B-Instruct-v0.2", "mistral-community/Mistral-7B-v0.2"),
        aliases=("Mistral 7B v0.2",),
        total=Count(7.24, _RECALLED), note="No window; v0.3 differs by its vocabulary of 32768 only.",
    ),
    MISTRAL.same(
        "mathstral-7b", "Mathstral 7B v0.1", "mistral-7b", _LITGPT, **_OPEN, released="2024-07-16",
        hf=("mistralai/Mathstral-7B-v0.1",), total=Count(7, _NAME, "rounded name"),
        note="litgpt also gives it a 4096 window on every layer, which no other source here repeats.",
    ),
    MISTRAL.own(
        "mistral-nemo-12b", "Mistral NeMo 12B (2407)", _NEMO, "third-party", _GENZ, **_OPEN,
        released="2024-07-18",
        hf=("mistralai/Mistral-Nemo-Instruct-2407", "mistralai/Mistral-Nemo-Base-2407"),
        aliases=("Mistral NeMo", "Mistral NeMo 12B", "Mistral-Nemo-12B-Instruct"),
        total=Count(12.2, _RECALLED),
        note="heads x head_dim = 4096, not hidden 5120. Shape also in nemo 2.4.0 mistral.py.",
        conflicts=(
            {"field": "max_context_tokens", "value": 1_024_000, "source": "nemo-2.4.0",
             "note": "max_position_embeddings of the first config.json; the card says 128k"},
        ),
    ),
    MISTRAL.own(
        "ministral-8b", "Ministral 8B (2410)", _MINISTRAL_8B, "third-party", _GENZ, **_RESEARCH,
        released="2024-10-16", hf=("mistralai/Ministral-8B-Instruct-2410",), aliases=("Ministral 8B",),
        total=Count(8.02, _RECALLED),
        note="128k of context needs the window of 32768 on 3 of 4 layers that only Mistral's own stack has; "
        "config.json and this entry stop at 32768 [unverified].",
    ),
    MISTRAL.own(
        "ministral-3-3b", "Ministral 3 3B (2512)", _MINISTRAL_3_3B, "third-party", _BRIDGE, **_MINISTRAL,
        evidence="unverified", hf=("mistralai/Ministral-3-3B-Instruct-2512",
        "mistralai/Ministral-3-3B-Base-2512"),
        aliases=("Ministral 3 3B",), total=Count(3.8, _BRIDGE),
        note="The FFN width, tied embeddings and vocabulary are from memory; with 0.4 B of vision they give "
        "the "
        "3.8 B that Megatron-Bridge states.",
    ),
    MISTRAL.own(
        "ministral-3-8b", "Ministral 3 8B (2512)", _MINISTRAL_3_8B, "third-party", "transformers-5.23.0",
        **_MINISTRAL, hf=("mistralai/Ministral-3-8B-Instruct-2512", "mistralai/Ministral-3-8B-Base-2512"),
        aliases=("Ministral 3 8B",), total=Count(8.9, _BRIDGE),
        note="Shape: configuration_ministral3.py (defaults), confirmed by Megatron-Bridge's 34 layers, "
        "hidden 4096, "
        "32/8 heads.",
    ),
    MISTRAL.own(
        "ministral-3-14b", "Ministral 3 14B (2512)", _MINISTRAL_3_14B, "third-party", _BRIDGE, **_MINISTRAL,
        evidence="unverified", hf=("mistralai/Ministral-3-14B-Instruct-2512",
        "mistralai/Ministral-3-14B-Base-2512"),
        aliases=("Ministral 3 14B",), total=Count(13.9, _BRIDGE),
        note="The FFN width and the vocabulary are from memory; they give the 13.9 B with 0.4 B of vision "
        "that "
        "Megatron-Bridge states.",
    ),
    MISTRAL.own(
        "mistral-small-22b", "Mistral Small 22B (2409)", _SMALL_22, "third-party", _GENZ, **_RESEARCH,
        released="2024-09-17", hf=("mistralai/Mistral-Small-Instruct-2409",), aliases=("Mistral Small 2409",),
        total=Count(22.2, _RECALLED),
    ),
    MISTRAL.same(
        "codestral-22b", "Codestral 22B v0.1", "mistral-small-22b", _RECALLED, released="2024-05-29",
        licence="Mistral Non-Production (MNPL)", unverified=("released", "licence"),
        hf=("mistralai/Codestral-22B-v0.1",), aliases=("Codestral 22B",), total=Count(22.2, _RECALLED),
    ),
    MISTRAL.own(
        "mistral-small-3-24b", "Mistral Small 3 24B (2501)", _SMALL_24, "third-party", _TT, **_OPEN,
        evidence="derived",
        released="2025-01-30", total=Count(23.6, _RECALLED), aliases=("Mistral Small 3", "Mistral Small 24B"),
        hf=("mistralai/Mistral-Small-24B-Instruct-2501", "mistralai/Mistral-Small-24B-Base-2501"),
        note="Shape read in the config.json of Devstral Small 2, which the 24B line shares; heads x head_dim "
        "= 4096, "
        "not hidden 5120.",
    ),
    MISTRAL.same(of="mistral-small-3-24b", source=_RECALLED, **_small("3.1", "2503", "2025-03-17", 131072,
    vision=True)),
    MISTRAL.same(of="mistral-small-3-24b", source=_RECALLED, **_small("3.2", "2506", "2025-06-20", 131072,
    vision=True)),
    MISTRAL.same(
        "magistral-small-24b", "Magistral Small 24B (2506, 2507, 2509)", "mistral-small-3-24b", _RECALLED,
        **_OPEN,
        released="2025-06-10", context=40960, aliases=("Magistral Small",),
        hf=("mistralai/Magistral-Small-2506", "mistralai/Magistral-Small-2507",
        "mistralai/Magistral-Small-2509"),
        note="2509 has the vision encoder of Mistral Small 3.2 and 131072 tokens of context.",
    ),
    MISTRAL.same(
        "devstral-small-24b", "Devstral Small 24B (2505, 2507)", "mistral-small-3-24b", _RECALLED, **_OPEN,
        released="2025-05-21", context=131072, aliases=("Devstral Small",),
        hf=("mistralai/Devstral-Small-2505", "mistralai/Devstral-Small-2507"),
    ),
    MISTRAL.same(
        "devstral-small-2-24b", "Devstral Small 2 24B (2512)", "mistral-small-3-24b", _TT, **_OPEN,
        **_PIXTRAL,
        released="2025-12-09", context=393216, precision="fp8", aliases=("Devstral Small 2",),
        hf=("mistralai/Devstral-Small-2-24B-Instruct-2512",),
    ),
    MISTRAL.own(
        "devstral-2-123b", "Devstral 2 123B (2512)", _DEVSTRAL_123, "third-party", _TT, released="2025-12-09",
        licence="Modified MIT", unverified=("released", "licence"), aliases=("Devstral 2",),
        hf=("mistralai/Devstral-2-123B-Instruct-2512",), total=Count(123, _NAME, "rounded name"),
        note="Mistral Large 2 with a vocabulary of 131072.",
    ),
    MISTRAL.same(
        "mistral-large-2411", "Mistral Large 2.1 (2411)", "mistral-large-2", _LITGPT, **_RESEARCH,
        released="2024-11-18", context=131072, hf=("mistralai/Mistral-Large-Instruct-2411",),
        aliases=("Mistral Large 2411",), total=Count(123, _RECALLED, "rounded name"),
    ),
    MISTRAL.same(
        "pixtral-large", "Pixtral Large 124B (2411)", "mistral-large-2", _RECALLED, **_RESEARCH,
        released="2024-11-18", context=131072, hf=("mistralai/Pixtral-Large-Instruct-2411",),
        extra_modules="vision encoder (about 1 B)", aliases=("Pixtral Large 124B",),
    ),
    MISTRAL.same(
        "pixtral-12b", "Pixtral 12B (2409)", "mistral-nemo-12b", _RECALLED, **_OPEN, released="2024-09-17",
        hf=("mistralai/Pixtral-12B-2409", "mistral-community/pixtral-12b"), aliases=("Pixtral 12B 2409",),
        extra_modules="vision encoder 24 layers x 1024 with projector (about 0.4 B)",
    ),
]  # fmt: skip

GEMMA = Family(file="gemma", family="gemma", vendor="Google", licence="Gemma Terms")
_GEMMA_2B = Shape(
    layers=18, hidden=2048, heads=8, kv=1, head_dim=256, ffn=16384, vocab=256000, context=8192, tied=True,
    activation="gelu_tanh",
)  # fmt: skip
_GEMMA_7B = replace(_GEMMA_2B, layers=28, hidden=3072, heads=16, kv=16, ffn=24576)
_GEMMA_2_2B = replace(_GEMMA_2B, layers=26, hidden=2304, kv=4, ffn=9216, window=(4096, 13), norm=(4, 1))
_GEMMA_3_1B = replace(
    _GEMMA_2_2B,
    hidden=1152,
    heads=4,
    kv=1,
    ffn=6912,
    vocab=262144,
    context=32768,
    window=(512, 22),
    qk_norm="head",
)
_GEMMA_3_4B = replace(
    _GEMMA_3_1B,
    layers=34,
    hidden=2560,
    heads=8,
    kv=4,
    ffn=10240,
    vocab=262208,
    context=131072,
    window=(1024, 29),
)
_PYTORCH = "gemma-pytorch-03e6575"

GEMMAS = [
    GEMMA.own(
        "gemma-2b", "Gemma 2B", _GEMMA_2B, "vendor", _PYTORCH, released="2024-02-21", unverified=("released",
        ),
        hf=("google/gemma-2b", "google/gemma-2b-it"), aliases=("Gemma 2B",), total=Count(2.51, _RECALLED),
    ),
    GEMMA.own(
        "gemma-7b", "Gemma 7B", _GEMMA_7B, "vendor", _PYTORCH, released="2024-02-21", unverified=("released",
        ),
        hf=("google/gemma-7b", "google/gemma-7b-it"), aliases=("Gemma 7B",), total=Count(8.54, _RECALLED),
        note="heads x head_dim = 4096, not hidden 3072.",
    ),
    GEMMA.same(
        "codegemma-7b", "CodeGemma 7B", "gemma-7b", _LITGPT, released="2024-04-09", unverified=("released",),
        hf=("google/codegemma-7b", "google/codegemma-7b-it"), aliases=("CodeGemma 7B",), context=8192,
    ),
    GEMMA.own(
        "gemma-2-2b", "Gemma 2 2B", _GEMMA_2_2B, "third-party", _LITGPT, released="2024-07-31",
        unverified=("released",), hf=("google/gemma-2-2b", "google/gemma-2-2b-it"), aliases=("Gemma 2 2B",),
        total=Count(2.61, _RECALLED), note="Shape also in GenZ.",
    ),
    GEMMA.own(
        "gemma-3-1b", "Gemma 3 1B", _GEMMA_3_1B, "third-party", _LITGPT, released="2025-03-12",
        hf=("google/gemma-3-1b-it", "google/gemma-3-1b-pt"), aliases=("Gemma 3 1B",), total=Count(1.0,
        _RECALLED),
        note="Text only. 5 local : 1 global; 4 of 26 layers are global.",
        conflicts=(
            {"field": "max_context_tokens", "value": 131072, "source": _LITGPT,
            "note": "block_size; GenZ says 32768"},
        ),
    ),
    GEMMA.own(
        "gemma-3-4b", "Gemma 3 4B", _GEMMA_3_4B, "third-party", _LITGPT, released="2025-03-12",
        hf=("google/gemma-3-4b-it", "google/gemma-3-4b-pt"), aliases=("Gemma 3 4B",), total=Count(4.3,
        _RECALLED),
        extra_params=419_816_304, extra_modules="SigLIP vision 27 x 1152 with projector",
        note="5 local : 1 global; 5 of 34 layers are global. Hugging Face vocabulary 262208 (litgpt: "
        "262144).",
    ),
    GEMMA.same(
        "medgemma-27b", "MedGemma 27B", "gemma-3-27b", _RECALLED, released="2025-05-20",
        licence="Health AI Developer Foundations Terms", unverified=("released", "licence"), context=131072,
        hf=("google/medgemma-27b-text-it", "google/medgemma-27b-it"), aliases=("MedGemma 27B",),
    ),
]  # fmt: skip

GPT_OSS = Family(file="gpt-oss", family="gpt-oss", vendor="OpenAI", licence="Apache-2.0")

GPT_OSSES = [
    GPT_OSS.same(
        f"gpt-oss-safeguard-{size}", f"gpt-oss-safeguard {size.upper()}", f"gpt-oss-{size}", _RECALLED,
        released="2025-10-29", unverified=("released", "licence"), hf=(f"openai/gpt-oss-safeguard-{size}",),
    )
    for size in ("20b", "120b")
]  # fmt: skip
