"""Layouts of replicas, and why a generation serves nothing, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from aiplan.planners.lifecycle.machines_search import SPANS, Candidates

EIGHT_BIT, FOUR_BIT = ("fp8", "int8"), ("nvfp4", "fp4")


def layout_words(found: Candidates, row: int) -> str:
    """A layout in the field's short form, with the replicas of a server or the servers of a replica."""
    layout, replicas = found.deployment.layout, float(found.per_server[row, 0])
    degrees = {name: float(getattr(layout, name)[row, 0]) for name in ("tp", "pp", "dp", "ep")}
    text = " ".join(f"{name.upper()}{value:g}" for name, value in degrees.items() if value > 1 or name == "tp")
    return f"{replicas:g} x {text}" if replicas >= 1 else f"{text} over {1.0 / replicas:g} servers"


def all_layouts(by_use: Mapping[str, str]) -> str:
    """Layouts of all uses, once where they are the same.

    >>> all_layouts({"prefill": "8 x TP1", "decode": "8 x TP1"}), all_layouts({"prefill": "", "decode": "1 x TP8"})
    ('8 x TP1', 'decode 1 x TP8')
    """
    known = {use: text for use, text in by_use.items() if text}
    if len(set(known.values())) == 1 and len(known) == len(by_use):
        return next(iter(known.values()))
    return ", ".join(f"{use} {text}" for use, text in known.items())


PROMISES = {"prefill": "TTFT", "decode": "TBT", "mixed": "TTFT or TBT"}


def why_nothing(slack: Mapping[str, float], weights_bytes: float, memory_bytes: float) -> str:
    """Why uses serve nothing; empty where all serve.

    Parameters
    ----------
    slack : least time over time allowed of each use, see `machines_search.Done`; NaN where the model does not fit [1]
    weights_bytes, memory_bytes : of the model, and of all accelerators of a server [B]

    >>> why_nothing({"prefill": 1.25, "decode": 0.5}, 0, 0)
    'prefill misses TTFT by 25.0% with one request alone'
    """
    if any(math.isnan(value) for value in slack.values()):
        return (
            f"does not fit: {weights_bytes / 1e9:,.0f} GB of weights, {memory_bytes / 1e9:,.0f} GB of memory in a "
            f"server, and no layout of up to {SPANS[-1]} servers holds both them and a sequence"
        )
    return "; ".join(
        f"{use} misses {PROMISES[use]} by {value - 1.0:.1%} with one request alone"
        for use, value in slack.items()
        if value > 1.0
    )


def wider_format(precision: str, has_fp8: bool, has_fp4: bool) -> str:
    """What a part does with a format it has no units for; empty where it has them or nothing narrows arithmetic."""
    if precision not in (*EIGHT_BIT, *FOUR_BIT) or (has_fp4 if precision in FOUR_BIT else has_fp8):
        return ""
    wider = "FP8" if precision in FOUR_BIT and has_fp8 else "16-bit"
    return f"{precision} weights are stored small and computed at the {wider} rate: no units for them"
