"""Small stacks that a CPU computes in a moment, and a backend that counts what it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aiplan.planners.serving.measure.backend import NumpyBackend
from aiplan.planners.serving.measure.stack import StackShape

DENSE = StackShape(
    hidden_size=12,
    heads=4,
    kv_heads=2,
    head_dim=3,
    layers=(6, 0),
    dense_width=20,
    experts=0,
    experts_active=0,
    expert_width=0,
    shared_width=0,
    vocab_size=17,
    gated=True,
)
PLAIN = replace(DENSE, kv_heads=4, gated=False)
MOE = replace(DENSE, layers=(0, 6), dense_width=0, experts=5, experts_active=2, expert_width=8)
MIXED = replace(MOE, layers=(3, 7), dense_width=20, shared_width=6)
SHAPES = {"dense": DENSE, "plain": PLAIN, "moe": MOE, "mixed": MIXED}


class CountingBackend(NumpyBackend):
    """Counts the multiplications and additions of every product; its clock shows 1 s per GFLOP, and 1 ms per product.

    Attention is counted for the pairs that the mask leaves, as a kernel that skips the others would compute it.
    """

    def __init__(self, **options: Any) -> None:
        self.flop, self.products = 0.0, 0
        super().__init__(clock=lambda: self.flop * 1e-9 + self.products * 1e-3, **options)

    def _count(self, rows: int, inner: int, outer: int) -> None:
        self.flop += 2.0 * rows * inner * outer
        self.products += 1

    def linear(self, x: Any, weight: Any) -> Any:
        self._count(x.size // x.shape[-1], weight.shape[1], weight.shape[0])
        return super().linear(x, weight)

    def grouped(self, rows: Any, weights: Any, ends: Any) -> Any:
        self._count(rows.shape[0], weights.shape[2], weights.shape[1])
        return super().grouped(rows, weights, ends)

    def attend(self, q: Any, k: Any, v: Any, *, causal: bool) -> Any:
        batch, heads, tokens, width = q.shape
        pairs = int(np.tri(tokens, k.shape[2]).sum()) if causal else tokens * k.shape[2]
        self._count(batch * heads * pairs, width, 2)  # one product with keys, one with values
        return super().attend(q, k, v, causal=causal)
