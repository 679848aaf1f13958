"""Curation of the throughput tables: names, notes and the tables that no gathered CSV holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OVERVIEW_017 = "trtllm-perf-overview-0.17"
OVERVIEW_10 = "trtllm-perf-overview-1.0"
OVERVIEW_1X = "trtllm-perf-overview-1.x"
STATIC_061 = "trtllm-performance-0.6.1"
R1_GUIDE = "nvidia-deepseek-r1-guide"
OVIEDO = "oviedo-2026-throughput"

MODELS: dict[str, tuple[str, str]] = {
    "Falcon 180B": ("falcon-180b", "Falcon 180B"),
    "GPT-J 6B": ("gpt-j-6b", "GPT-J 6B"),
    "LLaMA 7B": ("llama-2-7b", "LLaMA 7B"),
    "LLaMA 70B": ("llama-2-70b", "LLaMA 70B"),
    "LLaMA v3.1 8B": ("llama-3.1-8b", "Llama 3.1 8B"),
    "LLaMA v3.1 70B": ("llama-3.1-70b", "Llama 3.1 70B"),
    "LLaMA v3.1 405B": ("llama-3.1-405b", "Llama 3.1 405B"),
    "Llama 3.1 8B": ("llama-3.1-8b", "Llama 3.1 8B"),
    "Llama 3.1 405B": ("llama-3.1-405b", "Llama 3.1 405B"),
    "Llama 3.3 70B": ("llama-3.3-70b", "Llama 3.3 70B"),
    "Llama 4 Scout": ("llama-4-scout", "Llama 4 Scout"),
    "Llama 4 Maverick": ("llama-4-maverick", "Llama 4 Maverick"),
    "Mistral 7B": ("mistral-7b", "Mistral 7B"),
    "Mixtral 8x7B": ("mixtral-8x7b", "Mixtral 8x7B"),
    "Mixtral 8x22B": ("mixtral-8x22b", "Mixtral 8x22B"),
    "Qwen3-30B-A3B": ("qwen3-30b-a3b", "Qwen3 30B-A3B"),
    "Qwen3-235B-A22B": ("qwen3-235b-a22b", "Qwen3 235B-A22B"),
}
"""Name in the tables -> catalog id and name for people."""

MIXTURES = ("llama-4-scout", "llama-4-maverick", "qwen3-30b-a3b", "qwen3-235b-a22b")

ACCELERATORS: dict[str, tuple[str, str]] = {
    "A100-80G": ("a100-80gb-sxm", "A100 SXM 80 GB"),
    "B200": ("b200-sxm", "B200"),
    "GB200": ("gb200-nvl72", "GB200 NVL72"),
    "GH200": ("gh200-96", "GH200 96 GB"),
    "H100": ("h100-sxm", "H100 SXM"),
    "H200": ("h200-sxm", "H200"),
    "L40S": ("l40s", "L40S"),
    "RTX6000": ("rtx-pro-6000-bse", "RTX PRO 6000 BSE"),
}
"""Name in the tables -> catalog id and name for people."""


@dataclass(frozen=True, slots=True)
class Release:
    """What holds for every series of one table."""

    prefix: str
    version: str
    measured_on: dt.date
    source: str
    regime: str = "offline_max"


RELEASES: dict[str, Release] = {
    "TensorRT-LLM 0.17": Release("trtllm-0.17", "0.17", dt.date(2025, 2, 1), OVERVIEW_017),
    "TensorRT-LLM v1.0": Release("trtllm-1.0", "1.0", dt.date(2025, 9, 1), OVERVIEW_10),
    "TensorRT-LLM 0.6.1 static batching": Release(
        "trtllm-0.6.1-static", "0.6.1", dt.date(2023, 12, 1), STATIC_061, "static_batch"
    ),
}
"""`framework` of the CSV -> release. Days are the engine release's, from memory: marked unverified."""

NOTE_MIXTURE = "Attention data parallelism was on: TP names the group of GPUs, not pure tensor parallelism."
NOTE_STATIC_7B = "First or second generation, same shape."
NOTE_STATIC_70B = "Read as Llama 2: the first generation had no 70B."
NOTE_STATIC_A100 = "The page's rate is read as per GPU and multiplied by TP."
NOTE_MISTRAL = "The page names no version; read as 0.3, without sliding window."


@dataclass(frozen=True, slots=True)
class Series:
    """One entry that is not in the gathered CSV; fields as in the catalog."""

    id: str
    head: Mapping[str, Any]
    points: tuple[tuple[float, float, float], ...]


def _series(entry_id: str, points: tuple[tuple[float, float, float], ...], **head: Any) -> Series:
    return Series(entry_id, head, points)


def _oviedo(model: str, name: str, accelerator: str, **head: Any) -> dict[str, Any]:
    return {
        "name": name,
        "model": model,
        "accelerator": accelerator,
        "accelerator_count": 8,
        "tensor_parallel": 8,
        "precision": "fp8",
        "engine": "not stated",
        **head,
        "regime": "offline_max",
        "source": OVIEDO,
        "grade": "paper",
    }


_DATED = {"unverified_fields": ["measured_on"]}

PAPER = (
    _series(
        "oviedo-2026.llama-3.1-405b.h100-sxm.tp8.fp8",
        (
            (128, 128, 3732.40),
            (2048, 128, 448.89),
            (5000, 500, 579.14),
            (500, 2000, 3661.85),
            (128, 2048, 4572.23),
            (500, 2000, 2050),
            (5000, 500, 480),
        ),
        **_oviedo(
            "llama-3.1-405b",
            "Llama 3.1 405B on 8 x H100 SXM, points of Oviedo et al.",
            "h100-sxm",
            engine="TensorRT-LLM",
            engine_version="0.19",
            measured_on=dt.date(2025, 5, 1),
            **_DATED,
            note="The last two points are read off Llama-Nemotron (arXiv:2505.00949) Fig. 4, batch 250: "
            "another setting, half the rate at 500/2000.",
        ),
    ),
    _series(
        "oviedo-2026.llama-3.1-70b.h100-sxm.tp8.fp8",
        (
            (128, 128, 14686.01),
            (128, 2048, 17463.99),
            (2048, 128, 1840.12),
            (5000, 500, 2399.78),
            (500, 2000, 14630.41),
        ),
        **_oviedo(
            "llama-3.1-70b",
            "Llama 3.1 70B on 8 x H100 SXM, points of Oviedo et al.",
            "h100-sxm",
            engine="TensorRT-LLM",
            engine_version="0.19",
            measured_on=dt.date(2025, 5, 1),
            **_DATED,
        ),
    ),
    _series(
        "oviedo-2026.mixtral-8x22b.h100-sxm.tp8.fp8",
        (
            (128, 128, 21876.08),
            (128, 2048, 25150.03),
            (2048, 128, 2794.97),
            (500, 2000, 21421.86),
            (5000, 500, 3645.27),
        ),
        **_oviedo(
            "mixtral-8x22b",
            "Mixtral 8x22B on 8 x H100 SXM, points of Oviedo et al.",
            "h100-sxm",
            engine="TensorRT-LLM",
            engine_version="0.17",
            measured_on=dt.date(2025, 2, 1),
            **_DATED,
        ),
    ),
    _series(
        "oviedo-2026.deepseek-r1.h200-sxm.tp8.fp8",
        ((1024, 1024, 886), (500, 2000, 1300), (5000, 500, 378)),
        **_oviedo(
            "deepseek-r1",
            "DeepSeek-R1 on 8 x H200 (one point: H100), points of Oviedo et al.",
            "h200-sxm",
            measured_on=dt.date(2025, 2, 1),
            **_DATED,
            note="886 tok/s: two H100 servers read off a figure and normalised to 8 GPUs, TensorRT-LLM, "
            "2025-02. The others: 8 x H200, batch 250, read off Llama-Nemotron (arXiv:2505.00949) Fig. 4. "
            "NVIDIA's guide gives 9 times as much: see nvidia-r1-guide. The paper rates the server 12.8 kW.",
        ),
    ),
    _series(
        "oviedo-2026.nemotron-ultra-253b.h100-sxm.tp8.fp8",
        ((500, 2000, 5200), (5000, 500, 720)),
        **_oviedo(
            "nemotron-ultra-253b",
            "Nemotron Ultra 253B on 8 x H100 SXM, points of Oviedo et al.",
            "h100-sxm",
            measured_on=dt.date(2025, 5, 1),
            **_DATED,
            note="Read off Llama-Nemotron (arXiv:2505.00949) Fig. 4, batch 250. The authors' table calls it "
            "235 B, and their scripts ignore its column of server power.",
        ),
    ),
)
"""Rows in the order of the authors' table, without its FP16 rows, which their scripts filter out."""


def _guide(name: str, accelerator: str, precision: str, kv_precision: str | None, **head: Any) -> dict[str, Any]:
    return {
        "name": name,
        "model": "deepseek-r1",
        "accelerator": accelerator,
        "accelerator_count": 8,
        "tensor_parallel": 8,
        "expert_parallel": 8,
        "precision": precision,
        **({"kv_precision": kv_precision} if kv_precision else {}),
        "engine": "TensorRT-LLM",
        **head,
        "regime": "offline_max",
        "source": R1_GUIDE,
        "grade": "vendor_claim",
    }


_GUIDE_COMMIT = "commit b6261862"
GUIDE = (
    _series(
        "nvidia-r1-guide.deepseek-r1.h200-sxm.tp8-ep8.fp8",
        ((1024, 2048, 11489.2671),),
        **_guide(
            "DeepSeek-R1 on 8 x H200, EP8, FP8, NVIDIA's guide",
            "h200-sxm",
            "fp8",
            None,
            measured_on=dt.date(2025, 3, 18),
            **_DATED,
            note="Attention data parallelism, concurrency 1024.",
        ),
    ),
    _series(
        "nvidia-r1-guide.deepseek-r1.b200-sxm.tp8-ep8.fp4",
        ((1024, 2048, 36384.0838),),
        **_guide(
            "DeepSeek-R1 on 8 x B200, EP8, FP4, 16-bit KV cache, NVIDIA's guide",
            "b200-sxm",
            "fp4",
            "fp16",
            engine_version=_GUIDE_COMMIT,
            measured_on=dt.date(2025, 6, 1),
            **_DATED,
            note="Attention data parallelism, concurrency 3072.",
        ),
    ),
    _series(
        "nvidia-r1-guide.deepseek-r1.b200-sxm.tp8-ep8.fp4-kv-fp8",
        ((1024, 2048, 43146.2042),),
        **_guide(
            "DeepSeek-R1-0528 on 8 x B200, EP8, FP4, FP8 KV cache, NVIDIA's guide",
            "b200-sxm",
            "fp4",
            "fp8",
            engine_version=_GUIDE_COMMIT,
            measured_on=dt.date(2025, 6, 1),
            **_DATED,
            note="Attention data parallelism, concurrency 7168. The printed totals imply 1042 input tokens.",
        ),
    ),
)

LATER_LENGTHS = ((1000, 1000), (1024, 1024), (1024, 8192), (1024, 32768), (8192, 1024), (32768, 1024))


@dataclass(frozen=True, slots=True)
class Later:
    """A column of the tables after 1.0: rates per GPU at `LATER_LENGTHS`, 0 where the cell is empty."""

    model: str
    name: str
    accelerator: str
    accelerator_name: str
    layout: str
    precision: str
    per_gpu: tuple[int, ...]
    head: Mapping[str, Any] = field(default_factory=dict)


_B, _G = ("b200-sxm", "B200"), ("gb200-nvl72", "GB200 NVL72")
_H, _H2, _R = ("h100-sxm", "H100 SXM"), ("h200-sxm", "H200"), ("rtx-pro-6000-bse", "RTX PRO 6000 BSE")
_R1, _M = ("deepseek-r1", "DeepSeek-R1-0528"), ("llama-4-maverick", "Llama 4 Maverick")
_O120, _O20 = ("gpt-oss-120b", "gpt-oss-120b"), ("gpt-oss-20b", "gpt-oss-20b")
_L, _Q30, _Q235 = ("llama-3.3-70b", "Llama 3.3 70B"), MODELS["Qwen3-30B-A3B"], MODELS["Qwen3-235B-A22B"]

LATER = (
    Later(*_R1, *_B, "dep4", "fp4", (6463, 6430, 3862, 1451, 1168, 0)),
    Later(*_R1, *_G, "dep4", "fp4", (6939, 6924, 4379, 1465, 1192, 0)),
    Later(*_R1, *_H2, "dep8", "fp8", (1627, 1620, 1218, 438, 0, 0)),
    Later(*_O120, *_B, "dep2", "mxfp4", (25943, 25870, 17289, 6279, 6111, 1392)),
    Later(*_O120, *_G, "tp1", "mxfp4", (27198, 26609, 14800, 5556, 6835, 1645)),
    Later(*_O120, *_H2, "tp1", "mxfp4", (6868, 6798, 3543, 0, 1828, 519)),
    Later(*_O120, *_H, "dep4", "mxfp4", (4685, 4715, 0, 1177, 1169, 333)),
    Later(*_O20, *_B, "tp1", "mxfp4", (53812, 53491, 34702, 14589, 11904, 2645)),
    Later(*_O20, *_G, "tp1", "mxfp4", (55823, 56528, 38100, 16463, 12941, 2905)),
    Later(*_O20, *_H2, "tp1", "mxfp4", (13858, 13890, 12743, 0, 4015, 915)),
    Later(*_O20, *_H, "tp1", "mxfp4", (11557, 11403, 8617, 0, 3366, 785)),
    Later(*_L, *_B, "tp1", "fp4", (6920, 6842, 3242, 0, 1362, 274)),
    Later(*_L, *_G, "tp1", "fp4", (7769, 7751, 3805, 0, 1491, 302)),
    Later(*_L, *_H2, "tp2", "fp8", (2587, 2582, 2009, 0, 537, 120)),
    Later(*_L, *_H, "tp2", "fp8", (2209, 0, 0, 0, 398, 0)),
    Later(*_L, *_R, "tp1", "fp4", (1724, 1708, 0, 0, 296, 0)),
    Later(*_L, *_R, "tp1-pp2", "fp4", (1901, 1887, 0, 0, 327, 67)),
    Later(*_M, *_B, "dep4", "fp4", (11337, 11227, 5174, 2204, 3279, 859)),
    Later(*_M, *_G, "dep4", "fp4", (11828, 11905, 5508, 2300, 3444, 963)),
    Later(*_M, *_H2, "dep8", "fp8", (4146, 4180, 1157, 679, 1276, 0)),
    Later(*_Q235, *_B, "dep4", "fp4", (5764, 5756, 3389, 1255, 1410, 319)),
    Later(*_Q235, *_G, "dep4", "fp4", (6172, 5862, 3423, 0, 1464, 333)),
    Later(*_Q235, *_H2, "dep4", "fp8", (3288, 3268, 1417, 0, 627, 134)),
    Later(*_Q235, *_H, "dep8", "fp8", (1932, 1935, 873, 0, 0, 0)),
    Later(*_Q235, *_R, "dep2-pp2", "fp4", (1731, 1732, 644, 0, 0, 70)),
    Later(*_Q235, *_R, "dep8", "fp4", (969, 963, 711, 0, 0, 0)),
    Later(*_Q30, *_B, "tp1", "fp4", (26971, 26611, 13497, 4494, 5735, 1265)),
    Later(*_Q30, *_G, "tp1", "fp4", (22856, 22201, 14272, 4925, 6201, 1380)),
    Later(*_Q30, *_R, "dep2", "fp4", (8409, 0, 3577, 0, 0, 0)),
    Later(*_Q30, *_R, "dep2-pp2", "fp4", (7059, 7019, 0, 0, 1416, 0)),
    Later(*_Q30, *_R, "dep8", "fp4", (3985, 0, 2406, 0, 0, 180)),
    Later(*_Q30, *_R, "tp1", "fp4", (9938, 9755, 3621, 0, 1914, 374)),
)
NOTE_LATER_OSS = "Weights are MXFP4 whatever the column's heading says."
