"""Fields of a catalog entry that follow from a model's shape: parameters by part, KV values, state values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Moe:
    """Mixture of experts; ``matrices`` as in `Shape`."""

    experts: int
    active: int
    width: int
    shared: int = 0
    shared_width: int = 0
    first_dense: int = 0
    layers: int
    """Layers that route."""
    routing_bias: bool = False
    """One bias value per expert, used for load balance only."""
    shared_gate: bool = False


@dataclass(frozen=True, kw_only=True)
class Mla:
    """Multi-head latent attention; ``q_rank`` 0 means the query is not compressed."""

    q_rank: int
    kv_rank: int
    nope: int
    rope: int
    value: int
    index: tuple[int, int, int] | None = None
    """Heads, head dimension and tokens kept by a sparse indexer."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Linear-attention layers: ``mamba2`` or ``gated-deltanet``."""

    kind: str
    layers: int
    heads: int
    """Mamba-2 heads, or DeltaNet value heads."""
    head_dim: int
    state: int
    """Mamba-2 state size, or DeltaNet key dimension."""
    groups: int
    """Mamba-2 groups, or DeltaNet key heads."""
    kernel: int = 4

    @property
    def channels(self) -> int:
        """Channels that pass the short convolution."""
        return self.heads * self.head_dim + 2 * self.groups * self.state

    def params(self, hidden: int) -> int:
        """Parameters of all linear layers."""
        inner = self.heads * self.head_dim
        if self.kind == "mamba2":
            one = hidden * (inner + self.channels + self.heads) + self.channels * (self.kernel + 1)
            one += 3 * self.heads + inner + inner * hidden
        else:
            one = hidden * (self.channels + inner + 2 * self.heads) + self.channels * self.kernel
            one += 2 * self.heads + self.head_dim + inner * hidden
        return self.layers * one

    def fields(self) -> dict[str, Any]:
        """Catalog fields."""
        return {
            "linear_layers": self.layers,
            "linear_kind": self.kind,
            "linear_state_values": self.layers * self.heads * self.head_dim * self.state,
            "linear_conv_values": self.layers * self.channels * (self.kernel - 1),
        }


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder. ``norm`` counts norm values in units of the hidden size: per layer, and at the end."""

    layers: int
    hidden: int
    heads: int
    kv: int
    head_dim: int
    ffn: int = 0
    vocab: int
    context: int
    tied: bool = False
    matrices: int = 3
    activation: str = "silu"
    attention_layers: int | None = None
    ffn_params: int | None = None
    """All dense FFN parameters where their widths differ by layer."""
    ffn_layers: int | None = None
    window: tuple[int, int] | None = None
    """Window and number of layers that have it."""
    moe: Moe | None = None
    mla: Mla | None = None
    linear: Linear | None = None
    qkv_bias: bool = False
    out_bias: bool = False
    all_bias: bool = False
    """Every linear map of attention and FFN has a bias."""
    head_bias: bool = False
    qk_norm: str = ""
    """``head``: one vector per head dimension; ``full``: over all heads."""
    gated_query: bool = False
    positions: int = 0
    """Rows of a learned position table."""
    norm: tuple[int, int] = (2, 1)
    precision: str = "bf16"
    mtp: int = 0

    @property
    def _attention_layers(self) -> int:
        return self.layers if self.attention_layers is None else self.attention_layers

    def _attention_params(self) -> int:
        h, n, g, d = self.hidden, self.heads, self.kv, self.head_dim
        if self.mla:
            return self._mla_params()
        one = h * n * d * (2 if self.gated_query else 1) + 2 * h * g * d + n * d * h
        if self.qkv_bias or self.all_bias:
            one += (n + 2 * g) * d
        one += h if self.out_bias or self.all_bias else 0
        one += {"": 0, "head": 2 * d, "full": (n + g) * d}[self.qk_norm]
        return self._attention_layers * one

    def _mla_params(self) -> int:
        assert self.mla is not None
        h, n, m = self.hidden, self.heads, self.mla
        qk = m.nope + m.rope
        one = h * m.q_rank + m.q_rank + m.q_rank * n * qk if m.q_rank else h * n * qk
        one += h * (m.kv_rank + m.rope) + m.kv_rank + m.kv_rank * n * (m.nope + m.value) + n * m.value * h
        if m.index:
            i, e, _ = m.index
            one += m.q_rank * i * e + h * e + 2 * e + h * i
        return self.layers * one

    def params(self) -> dict[str, int]:
        """Parameters by part, in the order of the catalog."""
        h, moe = self.hidden, self.moe
        dense_layers = self._dense_layers()
        ffn_bias = self.ffn + h if self.all_bias else 0
        other = self.layers * self.norm[0] * h + self.norm[1] * h + self.positions * h
        other += self.vocab if self.head_bias else 0
        routed = shared = 0
        if moe:
            routed = moe.layers * moe.experts * self.matrices * h * moe.width
            shared = moe.layers * moe.shared * self.matrices * h * moe.shared_width
            router = h * moe.experts + (moe.experts if moe.routing_bias else 0) + (h if moe.shared_gate else 0)
            other += moe.layers * router
        return {
            "params_embedding": self.vocab * h,
            "params_output_head": 0 if self.tied else self.vocab * h,
            "params_attention": self._attention_params(),
            "params_linear_attention": self.linear.params(h) if self.linear else 0,
            "params_dense_ffn": self.ffn_params or dense_layers * (self.matrices * h * self.ffn + ffn_bias),
            "params_routed_experts": routed,
            "params_shared_experts": shared,
            "params_other": other,
        }

    def _dense_layers(self) -> int:
        if self.ffn_layers is not None:
            return self.ffn_layers
        return self.layers - (self.moe.layers if self.moe else 0)

    def fields(self) -> dict[str, Any]:
        """Every catalog field that follows from the shape, None where it does not apply."""
        values: dict[str, Any] = {
            "layers": self.layers,
            "hidden_size": self.hidden,
            "attention_heads": self.heads,
            "kv_heads": None if self.mla else self.kv,
            "head_dim": self.mla.nope + self.mla.rope if self.mla else self.head_dim,
            "attention": self._attention_kind(),
            "attention_layers": self._attention_layers if self._attention_layers != self.layers else None,
            "vocab_size": self.vocab,
            "tied_embeddings": self.tied,
            "max_context_tokens": self.context,
            "mtp_layers": self.mtp or None,
            "native_precision": self.precision,
            "activation": self.activation,
            "ffn_matrices": self.matrices,
            "dense_layers": self._dense_layers(),
            "dense_ffn_width": "varies" if self.ffn_params else (self.ffn if self._dense_layers() else None),
        }
        return values | self._special_fields() | self._count_fields()

    def _attention_kind(self) -> str:
        if self.mla:
            return "mla"
        if self.kv == self.heads:
            return "mha"
        return "mqa" if self.kv == 1 else "gqa"

    def _special_fields(self) -> dict[str, Any]:
        values: dict[str, Any] = self.linear.fields() if self.linear else {}
        if self.window:
            values |= {
                "window_tokens": self.window[0],
                "windowed_layers": self.window[1],
                "window_kind": "sliding",
            }
        if self.mla:
            m = self.mla
            values |= {
                "q_lora_rank": m.q_rank or None,
                "kv_lora_rank": m.kv_rank,
                "qk_nope_head_dim": m.nope,
                "qk_rope_head_dim": m.rope,
                "v_head_dim": m.value,
            }
            if m.index:
                values |= dict(zip(("index_heads", "index_head_dim", "index_topk"), m.index, strict=True))
        if self.moe:
            values |= {
                "experts": self.moe.experts,
                "experts_active": self.moe.active,
                "expert_width": self.moe.width,
                "shared_experts": self.moe.shared or None,
                "shared_width": self.moe.shared_width or None,
                "first_dense_layers": self.moe.first_dense,
                "moe_every": None if self.linear and self.linear.kind == "mamba2" else 1,
                "moe_layers": self.moe.layers,
            }
        return values

    def _count_fields(self) -> dict[str, Any]:
        parts = self.params()
        total = sum(parts.values())
        active = total
        if self.moe:
            active -= parts["params_routed_experts"] * (self.moe.experts - self.moe.active) // self.moe.experts
        lookup = (0 if self.tied else parts["params_embedding"]) + self.positions * self.hidden
        per_layer = 2 * self.kv * self.head_dim
        if self.mla:
            per_layer = self.mla.kv_rank + self.mla.rope + (self.mla.index[1] if self.mla.index else 0)
        full_layers = self._attention_layers - (self.window[1] if self.window else 0)
        return {
            "kv_values_per_token": self._attention_layers * per_layer,
            "kv_values_per_token_full_layers": full_layers * per_layer,
            "total_params": total,
            "active_params": active,
            "matmul_params": active - lookup,
            **parts,
        }
