"""What is served on what: a model, a chip, a layout, formats and an engine, many deployments side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiplan.planners.arrays import Array, as_array
from aiplan.planners.serving import architecture as shapes
from aiplan.planners.serving import chip as chips
from aiplan.planners.serving.architecture import Architecture
from aiplan.planners.serving.chip import Chip
from aiplan.planners.serving.layout import Layout
from aiplan.planners.serving.precision import EXPERT_BYTES, FIXED_BYTES, bytes_of, kv_bytes

KV_PRECISION = {"fp8": "fp8", "nvfp4": "fp8", "fp4": "fp8"}
"""Format of the cache by that of the weights where nothing is said: recipes for FP8 and NVFP4 keep it at 8 bit."""

# Weights of four or eight bit that are widened before they are multiplied.
_WIDENED = frozenset({"int4", "w4a16"})


@dataclass(frozen=True, slots=True)
class Numerics:
    """Formats as numbers, one row per deployment.

    Attributes
    ----------
    precision, kv_precision : names, as `precision` knows them
    expert_bytes, matrix_bytes, cache_bytes : per routed weight, other weight, cached value [B]
    expert_flops, matrix_flops : peak rate of their products [FLOP/s]
    expert_reach, matrix_reach : see `Chip` [1]
    """

    precision: tuple[str, ...]
    kv_precision: tuple[str, ...]
    expert_bytes: Array
    matrix_bytes: Array
    cache_bytes: Array
    expert_flops: Array
    matrix_flops: Array
    expert_reach: Array
    matrix_reach: Array


def whole_format(precision: str, native_precision: str | None) -> str:
    """Format that a model is really stored in.

    MXFP4 and INT4 of a checkpoint that was published so keep all but the experts at 16 bit; anyone else's are a
    quantisation of every matrix, like NVFP4 and W4A16.

    >>> whole_format("int4", "int4"), whole_format("int4", "bf16"), whole_format("mxfp4", "bf16")
    ('int4', 'w4a16', 'nvfp4')
    """
    whole = {"mxfp4": "nvfp4", "int4": "w4a16"}
    return whole.get(precision, precision) if precision != native_precision else precision


def numerics(chip: Chip, precision: Sequence[str], kv_precision: Sequence[str | None]) -> Numerics:
    """Formats of many deployments as numbers.

    Parameters
    ----------
    chip : arrays of shape (rows,)
    precision : format of the weights, one name per row, see `whole_format`
    kv_precision : format of the cache; None takes what recipes for that precision do (`KV_PRECISION`)

    A format the chip has no units for runs at the rate of the next wider one it has. MXFP4 experts with 16-bit or
    8-bit activations run at FP8's rate where there are four-bit units and at BF16's elsewhere.
    """
    names = tuple(precision)
    caches = tuple(given or KV_PRECISION.get(name, "bf16") for name, given in zip(names, kv_precision, strict=True))
    text = np.array(names)
    four = np.isin(text, ("nvfp4", "fp4"))
    eight = np.isin(text, ("fp8", "int8"))
    blocks = text == "mxfp4"
    matrix_flops = np.where(four, chip.fp4_flops, np.where(eight, chip.fp8_flops, chip.bf16_flops))
    expert_flops = np.where(blocks & (as_array(chip.has_fp4) > 0), chip.fp8_flops, matrix_flops)
    low = four | eight
    return Numerics(
        precision=names,
        kv_precision=caches,
        expert_bytes=bytes_of(EXPERT_BYTES, names),
        matrix_bytes=bytes_of(FIXED_BYTES, names),
        cache_bytes=kv_bytes(caches),
        expert_flops=expert_flops,
        matrix_flops=matrix_flops,
        expert_reach=np.where(low | (expert_flops > matrix_flops), chip.low_reach, chip.bf16_reach),
        matrix_reach=np.where(low, chip.low_reach, chip.bf16_reach),
    )


@dataclass(frozen=True, slots=True)
class Deployment:
    """Copies of a model on devices, one row each; see the parts for shapes and units.

    Attributes
    ----------
    architecture, chip, layout, numerics : the parts, arrays of shape (rows,)
    engine : engine by name, ``other`` where unknown
    replicas : independent copies [1]
    grouped_cache_factor : reads of the cache per read that grouped heads would need; above 1 only for engines that
        could not share them yet [1]
    decode_clock, prompt_clock : clock of decode steps and of prefill over the highest, see `power_cap` [1]
    """

    architecture: Architecture
    chip: Chip
    layout: Layout
    numerics: Numerics
    engine: tuple[str, ...]
    replicas: Array
    grouped_cache_factor: Array
    decode_clock: Any = 1.0
    prompt_clock: Any = 1.0

    @property
    def devices(self) -> Array:
        """Devices of all copies [1]."""
        return np.asarray(self.layout.devices * self.replicas, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.engine)


def deploy(
    architectures: Sequence[Architecture],
    accelerators: Sequence[Chip],
    layout: Layout,
    precision: Sequence[str],
    *,
    kv_precision: Sequence[str | None] | None = None,
    engine: Sequence[str],
    replicas: Any = 1.0,
    grouped_cache_factor: Any = 1.0,
) -> Deployment:
    """Put the parts of many deployments side by side.

    Parameters
    ----------
    architectures, accelerators, precision, kv_precision, engine : one item per row
    layout : arrays of shape (rows,)
    replicas, grouped_cache_factor : broadcast to (rows,)
    """
    rows = len(engine)
    chip = chips.stack(accelerators)
    spread = Layout(*(np.broadcast_to(as_array(getattr(layout, name)), (rows,)) for name in Layout.__slots__))
    return Deployment(
        architecture=shapes.stack(architectures),
        chip=chip,
        layout=spread,
        numerics=numerics(chip, precision, kv_precision or [None] * rows),
        engine=tuple(engine),
        replicas=np.broadcast_to(as_array(replicas), (rows,)),
        grouped_cache_factor=np.broadcast_to(as_array(grouped_cache_factor), (rows,)),
    )


def pick(deployment: Deployment, rows: Any) -> Deployment:
    """Some rows of a deployment: a boolean mask or indices of shape (rows,)."""
    index = np.asarray(rows)
    index = np.flatnonzero(index) if index.dtype == bool else index

    def arrays(part: Any) -> Any:
        return type(part)(*(_pick(getattr(part, name), index) for name in type(part).__slots__))

    return Deployment(
        architecture=arrays(deployment.architecture),
        chip=arrays(deployment.chip),
        layout=arrays(deployment.layout),
        numerics=arrays(deployment.numerics),
        engine=_pick(deployment.engine, index),
        replicas=deployment.replicas[index],
        grouped_cache_factor=deployment.grouped_cache_factor[index],
        decode_clock=np.broadcast_to(deployment.decode_clock, (len(deployment),))[index],
        prompt_clock=np.broadcast_to(deployment.prompt_clock, (len(deployment),))[index],
    )


def _pick(values: Any, index: Any) -> Any:
    return tuple(values[int(number)] for number in index) if isinstance(values, tuple) else values[index]
