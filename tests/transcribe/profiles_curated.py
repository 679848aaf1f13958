"""What the file of measurements does not say: machines, money, power, bytes, and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SIM, CONFIGS, NOTEBOOK = "splitwise-sim-profile", "splitwise-sim-configs", "splitwise-sim-notebook"
PAPER = "splitwise-2024"
GIB = 2**30

HEAD = """\
# Times of prompt passes and decode steps measured for Splitwise: BLOOM-176B and Llama 2 70B on A100 and H100.
#
# Medians computed by aiplan over the rows of SplitwiseSim's data/perf_model.csv, MIT License, Copyright (c) 2024
# Pratyush Patel. by_batched_tokens is over all rows of a product of prompt length and batch, as the simulator has
# it; the other tables are over the repeats of one configuration. Times in ms, power over the accelerator's TDP.
#
# usd_per_h     8 x the simulator's cost of 2.21 (A100) and 4.76 (H100). It states no unit; the paper's $17.6 and $38
#               per machine and hour say that it is dollars per GPU and hour.
# cost ratios   the paper's Table V, which disagrees with that: 2.35 and 2.5 against 38.08 / 17.68 = 2.15.
# power         rated_w is the simulator's file of machines; power_unit_count its equal-power budgets;
#               provisioned_w those units taken as kW of a rack of four machines.
#
# Written by tests/transcribe/profiles.py; change the curation there, not this file.
"""

KV_NOTE = "2 x layers x width of keys and values x 2 bytes"


@dataclass(frozen=True)
class Profile:
    """One entry: its id, the model's name in the file, its fields."""

    id: str
    csv_model: str
    facts: dict[str, Any]
    conflicts: list[dict[str, Any]]


@dataclass(frozen=True)
class Machine:
    """One machine: hardware and tensor parallelism in the file, its fields, the largest batch that fits."""

    csv_hardware: str
    tensor_parallel: int
    facts: dict[str, Any]
    note: str = ""
    most_batch: int = field(default=64)


def _model(entry_id: str, csv_model: str, model: str, name: str, kv: tuple[int, int], weights: tuple[int, int, str],
           note: str) -> Profile:  # fmt: skip
    true, simulated = kv
    published, counted, source = weights
    facts = {
        "name": f"{name} on A100 and H100, SplitwiseSim's measurements",
        "model": model,
        "engine": "vLLM",
        "source": SIM,
        "grade": "measured",
        "evidence": "derived",
        "note": note,
        "kv_bytes_per_token": {"value": true, "grade": "paper", "note": KV_NOTE},
        "simulator_kv_bytes_per_token": {"value": simulated, "source": CONFIGS, "grade": "paper",
                                         "note": "2 x layers x hidden size x 2 bytes, whatever the heads"},
        "weights_bytes": {"value": published, "source": CONFIGS, "grade": "estimate", "evidence": "published"},
        "profile_context_tokens": {"value": 576, "note": "512 and half of 128"},
    }  # fmt: skip
    conflicts = [{"field": "weights_bytes", "value": counted, "source": source, "evidence": "derived",
                  "note": "2 bytes for each of the catalog's parameters"}]  # fmt: skip
    return Profile(entry_id, csv_model, facts, conflicts)


_SAME = "Medians; repeats vary by 2.5 % (prompt) and 0.6 % (token). No cell has both a large batch and a long context."
MODELS = (
    _model(
        "splitwise-bloom-176b",
        "bloom-176b",
        "bloom-176b",
        "BLOOM 176B",
        (4_014_080, 4_014_080),
        (329_000_000_000, 352_494_542_848, "bigscience-9e64ede"),
        f"{_SAME} The simulator's weights are 328 GiB written as GB.",
    ),
    _model(
        "splitwise-llama2-70b",
        "llama2-70b",
        "llama-2-70b",
        "Llama 2 70B",
        (327_680, 2_621_440),
        (135_000_000_000, 137_953_296_384, "llama-models-a9c89c4"),
        f"{_SAME} The simulator's KV cache is eight times too large: the model shares keys and values among heads.",
    ),
)


def _published(value: float, source: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "source": source, "grade": "paper", "evidence": "published", **more}


def _usd(rate: float, count: int) -> dict[str, Any]:
    return {
        "value": round(rate * count, 2),
        "source": NOTEBOOK,
        "grade": "estimate",
        "evidence": "derived",
        "currency_year": 2024,
        "note": f"{count} x {rate}; dollars per GPU and hour by the paper's Table I",
    }


def _power(rated: float, units: float, note: str = "") -> dict[str, Any]:
    about = {"note": note} if note else {}
    provisioned = {"value": round(units * 250), "source": NOTEBOOK, "grade": "estimate", "evidence": "derived",
                   "note": f"{units} taken as kW of a rack of four"}  # fmt: skip
    return {
        "rated_w": _published(rated, CONFIGS),
        "provisioned_w": provisioned,
        "power_unit_count": _published(units, NOTEBOOK, **about),
    }


def _ratio(value: float) -> dict[str, Any]:
    return {"value": value, "source": PAPER, "grade": "paper", "evidence": "second-hand", "note": "Table V"}


def _part(accelerator: str, count: int, rate: float) -> dict[str, Any]:
    """Fields of a group of accelerators, or of all eight of a server."""
    seen = {"evidence": "published"} if count == 8 else {}
    return {
        "accelerator": accelerator,
        "accelerator_count": count,
        "tensor_parallel": count,
        "memory_bytes": {"value": count * 80 * GIB, "source": CONFIGS, "grade": "paper", **seen,
                         "note": f"{count} x 80 GiB"},
        "usd_per_h": _usd(rate, count),
    }  # fmt: skip


_DGX_A100 = {
    "server": "dgx-a100",
    **_part("a100-80gb-sxm", 8, 2.21),
    **_power(6500, 24.8),
    "prompt_cost_ratio": _ratio(1),
    "token_cost_ratio": _ratio(1),
    "power_ratio": _ratio(1),
}
_DGX_H100 = {
    "server": "dgx-h100",
    **_part("h100-sxm", 8, 4.76),
    **_power(10_200, 44),
    "prompt_cost_ratio": _ratio(2.35),
    "token_cost_ratio": _ratio(2.5),
    "power_ratio": _ratio(1.75),
}
_ASSUMED = {"grade": "assumption", "evidence": "assumed"}
CAPPED = Machine(
    "h100-80gb-pcap",
    8,
    {
        "server": "dgx-h100",
        **_part("h100-sxm", 8, 4.76),
        "scaled_from": "dgx-h100",
        "prompt_factor": {"value": 1.3, **_ASSUMED, "note": "exactly so in every row of the file"},
        "token_factor": {"value": 1, **_ASSUMED, "note": "exactly so in every row of the file"},
        **_power(7140, 30.8, "0.7 x 44"),
        "token_cost_ratio": _ratio(2.5),
        "power_ratio": _ratio(1.23),
    },
    "H100 held to 70 % of the server's power, each GPU to 350 W. Its rows in the file are those of the H100 times "
    "1.30 and 1.00, end-to-end times unchanged: no measurement of a power cap.",
)
_TOO_LARGE = (
    "Batch 64 did not fit in memory; its rows are left out, except from the simulator's curves, by_batched_tokens."
)
MACHINES = {
    "dgx-a100": Machine("a100-80gb", 8, _DGX_A100),
    "a100-tp4": Machine("a100-80gb", 4, _part("a100-80gb-sxm", 4, 2.21)),
    "a100-tp2": Machine("a100-80gb", 2, _part("a100-80gb-sxm", 2, 2.21), _TOO_LARGE, 32),
    "dgx-h100": Machine("h100-80gb", 8, _DGX_H100),
    "h100-tp4": Machine("h100-80gb", 4, _part("h100-sxm", 4, 4.76)),
    "h100-tp2": Machine("h100-80gb", 2, _part("h100-sxm", 2, 4.76), _TOO_LARGE, 32),
}
"""Machines by name, in the order they are written in; one without rows of a model is left out of its entry."""
