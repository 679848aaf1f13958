"""Published rows of the ML.ENERGY v3 table with the shapes of their models: tests without the data files."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from aiplan.planners.serving.power import DecodeLoad, Device

H100 = Device(700.0, 3.35, 989.0)
B200 = Device(1000.0, 8.0, 2250.0)


class Shape(NamedTuple):
    """Parameters in 1e9; cache in 16-bit elements per token that grow with context, and a constant part."""

    layers: int
    matmul: float
    head: float
    routed: float = 0.0
    experts: int = 0
    active: int = 0
    cache: float = 0.0
    cache_constant: float = 0.0
    kv_heads: int = 8


SHAPES = {
    "qwen3-235b": Shape(94, 21.568, 0.622, 227.096, 128, 8, 96_256, kv_heads=4),
    "qwen3-30b": Shape(48, 3.042, 0.311, 28.991, 128, 8, 49_152, kv_heads=4),
    "deepseek-r1": Shape(61, 36.626, 0.927, 653.909, 256, 8, 35_136, kv_heads=1),
    "405b": Shape(126, 403.752, 2.101, cache=258_048),
    "70b": Shape(80, 69.503, 1.051, cache=163_840),
    "8b": Shape(32, 7.505, 0.525, cache=65_536),
    "maverick": Shape(48, 16.150, 1.034, 386.547, 128, 1, 98_304),
    "gpt-oss-20b": Shape(24, 3.608, 0.579, 19.117, 32, 4, 12_288, 12_288 * 128),
}


class Anchor(NamedTuple):
    model: str
    device: str
    accelerators: int
    precision: str
    batch: float
    output_tokens: float
    tokens_per_s: float
    power_w: float
    j_per_token: float


ANCHORS = [
    Anchor("qwen3-235b", "h100", 8, "fp8", 511, 881, 5342, 3961, 0.741),
    Anchor("qwen3-235b", "h100", 8, "fp8", 8, 877, 316, 3596, 11.39),
    Anchor("qwen3-235b", "b200", 2, "fp8", 256, 876, 3776, 1891, 0.501),
    Anchor("qwen3-235b", "h100", 8, "fp8", 128, 9297, 2830, 3918, 1.385),
    Anchor("qwen3-235b", "b200", 4, "fp8", 512, 9123, 7940, 3317, 0.418),
    Anchor("qwen3-30b", "h100", 2, "bf16", 1019, 920, 12640, 1123, 0.089),
    Anchor("deepseek-r1", "b200", 8, "fp8", 128, 11287, 2999, 7126, 2.376),
    Anchor("deepseek-r1", "b200", 8, "fp8", 8, 11861, 433, 4278, 9.874),
    Anchor("405b", "b200", 8, "bf16", 3589, 370, 7419, 7530, 1.015),
    Anchor("70b", "h100", 4, "bf16", 898, 351, 6827, 2548, 0.373),
    Anchor("70b", "h100", 4, "bf16", 8, 350, 470, 1765, 3.759),
    Anchor("8b", "h100", 1, "bf16", 511, 397, 9806, 688, 0.070),
    Anchor("maverick", "h100", 8, "fp8", 383, 408, 7149, 3462, 0.484),
    Anchor("gpt-oss-20b", "h100", 1, "mxfp4", 1536, 2190, 13521, 598, 0.044),
]


def anchor_load(anchor: Anchor) -> tuple[DecodeLoad, Device]:
    shape, prompt = SHAPES[anchor.model], 250.0
    fixed = shape.matmul - shape.head
    if shape.experts:
        fixed -= shape.routed * shape.active / shape.experts
    # Runs of models with experts had a copy of attention on every accelerator, see `mlenergy.attention_ranks`.
    ranks = anchor.accelerators if shape.experts else 1
    bytes_each = {"bf16": (2.0, 2.0), "fp8": (1.0, 1.0), "mxfp4": (2.0, 4.25 / 8)}[anchor.precision]
    context = prompt + anchor.output_tokens / 2
    device = {"h100": H100, "b200": B200}[anchor.device]
    load = DecodeLoad(
        accelerators=anchor.accelerators,
        tokens_per_s=anchor.tokens_per_s,
        batch=anchor.batch,
        layers=shape.layers,
        matmul_params=shape.matmul * 1e9,
        fixed_weight_bytes=ranks * (fixed * bytes_each[0] + shape.head * 2.0) * 1e9,
        routed_weight_bytes=shape.routed * bytes_each[1] * 1e9,
        experts=shape.experts,
        experts_active=shape.active,
        state_bytes_per_sequence=2.0 * (shape.cache * context + shape.cache_constant),
        state_shards=ranks if ranks > 1 else min(anchor.accelerators, shape.kv_heads),
        prompt_tokens=prompt,
        output_tokens=anchor.output_tokens,
        block_scaled_fp8=anchor.precision == "fp8",
    )
    peak = float(np.asarray(device.peak_tflops)) * (2.0 if anchor.precision == "fp8" else 1.0)
    return load, replace(device, peak_tflops=peak)


def anchor_table() -> tuple[DecodeLoad, Device]:
    """All anchors as one load of arrays."""
    pairs = [anchor_load(anchor) for anchor in ANCHORS]
    load = {name: np.array([getattr(pair[0], name) for pair in pairs]) for name in DecodeLoad.__slots__}
    device = (np.array([getattr(pair[1], name) for pair in pairs]) for name in Device.__slots__)
    return DecodeLoad(**load), Device(*device)
