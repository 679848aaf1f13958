"""Bytes per number of the formats that weights and caches are kept in, and the weights of a model by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.serving.architecture import Architecture

EXPERT_BYTES = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "nvfp4": 4.5 / 8, "fp4": 4.5 / 8,
                "mxfp4": 4.25 / 8, "int4": 4.5 / 8, "w4a16": 4.5 / 8}  # fmt: skip
"""Bytes per weight of routed experts, scales included [B]."""

# Four-bit checkpoints made for experts keep everything else at 16 bit; NVIDIA's keep the other matrices at 8.
FIXED_BYTES = {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "nvfp4": 4.5 / 8, "fp4": 4.5 / 8,
               "mxfp4": 2.0, "int4": 2.0, "w4a16": 4.5 / 8}  # fmt: skip
"""Bytes per weight of everything else but the output head, which stays at 16 bit [B]."""

KV_BYTES = 2.0
"""Engines keep a 16-bit cache unless told otherwise [B]."""

# A four-bit cache has one scale of 8 bits for 16 values (SGLang, model_runner_kv_cache_mixin.py@001ccef).
CACHE_BYTES = {"auto": KV_BYTES, "fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 4.5 / 8,
               "nvfp4": 4.5 / 8}  # fmt: skip
"""Bytes per value of a KV cache by its format, scales included [B]; ``auto`` is what engines do unasked."""

_WIDE = {"fp32": 4.0}
"""Formats wider than 16 bit keep embedding, head and norms as wide as the rest."""


def bytes_of(table: Mapping[str, float], precision: str | Sequence[str]) -> Array:
    """Bytes of each of the named formats: a number for one name, shape (rows,) for a sequence [B].

    Raises ValueError for a name that the table does not have.

    >>> bytes_of(EXPERT_BYTES, ["bf16", "mxfp4"]).tolist()
    [2.0, 0.53125]
    """
    names = [precision] if isinstance(precision, str) else list(precision)
    if unknown := sorted(set(names) - set(table)):
        raise ValueError(f"unknown format {unknown[0]!r}, expected one of {', '.join(table)}")
    values = np.array([table[name] for name in names], dtype=np.float64)
    return values[0] if isinstance(precision, str) else values


def kv_bytes(precision: str | Sequence[str]) -> Array:
    """Bytes of one cached value by the format of the cache, see `CACHE_BYTES` [B]."""
    return bytes_of(CACHE_BYTES, precision)


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """Bytes of a model's weights, all layers and one copy, by how engines store and cut them [B].

    Attributes
    ----------
    routed : routed experts
    matrices : attention, recurrent layers, dense feed-forward networks and shared experts
    embedding : input embedding; 0 where it is the head
    head : output head
    other : norms, routers, biases and positions
    """

    routed: Array
    matrices: Array
    embedding: Array
    head: Array
    other: Array

    @property
    def sixteen_bit(self) -> Array:
        """What stays at 16 bit in quantised checkpoints [B]."""
        return self.embedding + self.head + self.other

    @property
    def total(self) -> Array:
        """All of it [B]."""
        return self.routed + self.matrices + self.sixteen_bit


def weight_bytes(architecture: Architecture, precision: str | Sequence[str]) -> WeightBytes:
    """Bytes of all weights of a model by part.

    ``routed = P_routed b_e``, ``matrices = (P_attention + P_dense) b_f``, the rest at 2 B (4 B for fp32)

    Parameters
    ----------
    architecture : shapes, one or one row per model
    precision : canonical format of the weights, one or one name per row

    Source of the bytes: the formats' definitions, scales included (NVFP4 and INT4 4.5 bit, MXFP4 4.25 bit);
    gpt-oss 120B gives the published 60.8 GiB. FP8 leaves out one 32-bit scale per 128 x 128 block (0.02 %).
    Limits: checkpoints that leave more matrices at 16 bit are larger. Meta's FP8 of Llama 3.1 405B, with 16-bit
    attention, loads 57.75 GiB per device at TP8 (vLLM issue 6746) where uniform FP8 gives 48 GiB.

    Raises ValueError for an unknown format, and for parts that exceed the stored total.
    """
    wide = bytes_of({name: _WIDE.get(name, 2.0) for name in EXPERT_BYTES}, precision)
    head = as_array(architecture.head_params)
    matrices = as_array(architecture.attention_params) + as_array(architecture.dense_params)
    routed, other = as_array(architecture.routed_params), as_array(architecture.other_params)
    # A tied matrix is stored once, so what the other parts leave over is the input embedding or nothing.
    embedding = as_array(architecture.stored_params) - (head + matrices + routed + other)
    require(embedding > -0.5, "the parts of the model add up to more parameters than it stores")
    return WeightBytes(
        routed=np.asarray(routed * bytes_of(EXPERT_BYTES, precision)),
        matrices=np.asarray(matrices * bytes_of(FIXED_BYTES, precision)),
        embedding=np.asarray(np.maximum(embedding, 0.0) * wide),
        head=np.asarray(head * wide),
        other=np.asarray(other * wide),
    )
