"""Jobs that several tests of training steps hold to published and measured figures."""

from __future__ import annotations

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.architecture import architecture_of
from aiplan.planners.serving.chip import chip_of
from aiplan.planners.stabilize.parallelism import Plan
from aiplan.planners.stabilize.work import Machine, Work, machine_of, work_of

CATALOG = Catalog()
SEQUENCES, TOKENS = 2048, 8192
"""Batch and length of Llama 3 405B: 16 M tokens (second-hand)."""


def model(name: str, sequence_tokens: float) -> Work:
    return work_of(architecture_of(CATALOG.get("models", name)), sequence_tokens)


def h100(precision: str = "bf16") -> Machine:
    port = CATALOG.get("servers", "dgx-h100").scaleout_gbit_per_s.value
    chip = chip_of(CATALOG.get("accelerators", "h100-sxm"))
    return machine_of(chip, port, "fp8" if precision == "fp8" else "bf16")


def llama(accelerators: int = 16_384, interleaving: int = 8) -> Plan:
    """The plan of Llama 3 405B, TP 8 and PP 16 (second-hand); its v was not seen published."""
    return Plan(accelerators, 8, 16, 1, interleaving, 1, SEQUENCES, TOKENS)


GPT3 = Plan(512, 4, 8, 1, 6, 2, 2048, 2048)
"""GPT-3 on 64 nodes: 512 accelerators, 64 micro-batches from its log; TP, PP and v assumed."""
GPT3_STEP_S = 10.627
"""Its step as the trainer reports it (shared/data/power/README.md)."""
