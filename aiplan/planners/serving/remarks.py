"""What is unusual about a deployment: layouts engines refuse, lengths a model does not allow, chips nobody measured."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aiplan.planners.serving.layout import Layout, check_layout
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.rows import Row, Shelf


def longest_context(model: Any) -> float:
    """Most tokens of prompt and answer that a model allows; infinite where that is not known [tokens]."""
    stated = model.max_context_tokens
    return float("inf") if stated is None else float(getattr(stated, "value", stated))


def remarks(row: Row, shelf: Shelf) -> list[tuple[str, str]]:
    """Code and text of every warning that a row's own numbers give rise to."""
    model, accelerator = shelf.model(row.model), shelf.accelerator(row.hardware)
    found = [
        ("W-PERF-LAYOUT", text)
        for text in _unusual(
            row.tp, row.pp, row.dp, row.ep, float(model.experts or 0), float(model.layers), float(model.attention_heads)
        )
    ]
    domain = shelf.chip(row.hardware).domain
    if row.tp * row.dp > domain:
        text = f"{row.tp * row.dp:g} GPUs share each layer, {domain:g} have fast links: the rest meet over a network"
        found.append(("W-PERF-DOMAIN", f"{text} that is assumed"))
    longest = longest_context(model)
    if row.isl + row.osl > longest:
        text = f"prompt and answer take {row.isl + row.osl:,.0f} tokens, the model allows {longest:,.0f}"
        found.append(("W-PERF-CONTEXT", text))
    if power_class(shelf.listed(row.hardware)) == "other":
        text = f"power of {accelerator.name} was not measured: constants of H100 and B200 pooled"
        found.append(("W-PERF-POWER", text))
    return found


@lru_cache(maxsize=4096)
def _unusual(
    tp: float, pp: float, dp: float, ep: float, experts: float, layers: float, heads: float
) -> tuple[str, ...]:
    """`layout.check_layout`; files repeat a few layouts many times."""
    return check_layout(Layout(tp, pp, dp, ep), experts=experts, layers=layers, heads=heads)
