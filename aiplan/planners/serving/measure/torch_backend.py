"""The torch backend: 16-bit or row-scaled FP8 matrices, CUDA graphs, CUDA events.

Torch is imported when a backend is made and not before. On a CPU, which only a developer's check asks for, nothing
is recorded and a clock stands in for the events.
"""

from __future__ import annotations

import time
from importlib import import_module
from itertools import pairwise
from typing import Any

from aiplan.planners.serving.measure.backend import Step

PRECISIONS = ("bf16", "fp8")
FP8_MAX = 448.0
"""Largest number of the E4M3 format."""
FP8_MULTIPLE = 16
"""Sides of FP8 matrices must be multiples of this, a rule of the library's kernels."""
GROUPED_MULTIPLE = 8
"""The same for grouped products of 16-bit rows, which must start at multiples of 16 bytes."""


def import_torch() -> Any:
    """The module, by name: type checks and this package's other files need no torch."""
    return import_module("torch")


class TorchBackend:
    """One device of torch.

    Parameters
    ----------
    precision : ``bf16``, or ``fp8``: E4M3 with a scale per row of weights and per token, the token's found anew at
        every product; the output head stays at 16 bit, and routed experts are not built
    device : torch's name of it
    dtype : torch's name of the 16-bit format; another one is for checks on a CPU
    """

    def __init__(self, precision: str = "bf16", device: str = "cuda", dtype: str = "bfloat16", seed: int = 0):
        self.torch: Any = import_torch()
        self.memory_error: type[Exception] = self.torch.OutOfMemoryError
        self.functional: Any = self.torch.nn.functional
        self.device = self.torch.device(device)
        self.dtype = getattr(self.torch, dtype)
        self.fp8 = precision == "fp8"
        self.bytes_per_weight = 1.0 if self.fp8 else float(self.dtype.itemsize)
        self._generator = self.torch.Generator(self.device).manual_seed(seed)

    def normal(self, size: tuple[int, ...], scale: float) -> Any:
        draws = self.torch.randn(size, generator=self._generator, device=self.device, dtype=self.dtype)
        return draws.mul_(scale)

    def packed(self, weight: Any) -> Any:
        return self._scaled(weight) if self.fp8 else weight

    def _scaled(self, x: Any) -> tuple[Any, Any]:
        scale = x.abs().amax(-1, keepdim=True).float().clamp(min=1e-12) / FP8_MAX
        return (x / scale).to(self.torch.float8_e4m3fn), scale

    def linear(self, x: Any, weight: Any) -> Any:
        if not isinstance(weight, tuple):
            return self.functional.linear(x, weight)
        matrix, scale = weight
        rows, row_scale = self._scaled(x.reshape(-1, x.shape[-1]))
        by_row = self.functional.ScalingType.RowWise
        out = self.functional.scaled_mm(rows, matrix.t(), row_scale, by_row, scale.t(), by_row, output_dtype=self.dtype)
        return out.reshape(*x.shape[:-1], -1)

    def grouped(self, rows: Any, weights: Any, ends: Any) -> Any:
        return self.functional.grouped_mm(rows, weights.transpose(-2, -1), offs=ends)

    def route(self, logits: Any, active: int) -> tuple[Any, Any, Any]:
        best, chosen = logits.float().topk(active, dim=-1)
        visits, order = chosen.reshape(-1).sort(stable=True)
        # Not bincount: it waits for the device, and a graph cannot wait.
        experts = self.torch.arange(logits.shape[-1], device=self.device)
        ends = self.torch.searchsorted(visits, experts, right=True).int()
        return order, ends, best.softmax(-1).to(self.dtype)

    def inverse(self, order: Any) -> Any:
        return order.argsort()

    def normalised(self, x: Any) -> Any:
        return self.functional.rms_norm(x, x.shape[-1:], eps=1e-6)

    def silu(self, x: Any) -> Any:
        return self.functional.silu(x)

    def attend(self, q: Any, k: Any, v: Any, *, causal: bool) -> Any:
        grouped = q.shape[1] != k.shape[1]
        return self.functional.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=grouped)

    def recorded(self, step: Step) -> Step:
        """The step as a CUDA graph that replays it without the host; on the CPU the step itself."""
        if self.device.type != "cuda":
            return step
        side = self.torch.cuda.Stream()
        side.wait_stream(self.torch.cuda.current_stream())
        with self.torch.cuda.stream(side):
            for _ in range(3):  # libraries choose kernels and take their memory before the recording
                step()
        self.torch.cuda.current_stream().wait_stream(side)
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            step()
        replay: Step = graph.replay
        return replay

    def time_s(self, step: Step, repeats: int) -> list[float]:
        """Time of each of ``repeats`` steps in a row, by CUDA events or the host's clock [s]."""
        if self.device.type != "cuda":
            times = [time.perf_counter()]
            for _ in range(repeats):
                step()
                times.append(time.perf_counter())
            return [after - before for before, after in pairwise(times)]
        marks = [self.torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
        marks[0].record()
        for mark in marks[1:]:
            step()
            mark.record()
        self.torch.cuda.synchronize()
        return [before.elapsed_time(after) / 1e3 for before, after in pairwise(marks)]

    def free_bytes(self) -> float:
        if self.device.type != "cuda":
            return 4e9
        self.torch.cuda.empty_cache()
        return float(self.torch.cuda.mem_get_info(self.device)[0])
