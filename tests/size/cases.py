"""Deployments that the tests of sizing ask about."""

from __future__ import annotations

from functools import lru_cache

from aiplan.catalog.loader import Catalog
from aiplan.planners.serving.deployment import Deployment
from aiplan.planners.serving.predict import calibrations
from aiplan.planners.serving.rows import Row, Shelf, deployment_of
from aiplan.planners.serving.time_constants import TimeConstants, constants_of

# Llama 3.1 70B whole and cut, and a model with experts on ranks of its own: model, accelerator, format, tp, pp, dp, ep.
REPLICAS = (
    ("llama-3.1-70b", "h200-sxm", "bf16", 1, 1, 1, 1),
    ("llama-3.1-70b", "h200-sxm", "bf16", 2, 1, 1, 1),
    ("llama-3.1-70b", "h200-sxm", "bf16", 4, 1, 1, 1),
    ("llama-3.1-70b", "h100-sxm", "fp8", 2, 2, 1, 1),
    ("deepseek-r1", "b200-sxm", "fp8", 8, 1, 1, 1),
    ("deepseek-r1", "b200-sxm", "fp8", 1, 1, 8, 8),
)


@lru_cache(maxsize=1)
def shelf() -> Shelf:
    return Shelf(Catalog())


@lru_cache(maxsize=1)
def deployment() -> Deployment:
    """One replica of each of `REPLICAS` under TensorRT-LLM."""
    rows = [
        Row(model, hardware, precision, "tensorrt-llm", n_gpus=tp * pp * dp, tp=tp, pp=pp, dp=dp, ep=ep)
        for model, hardware, precision, tp, pp, dp, ep in REPLICAS
    ]
    return deployment_of(rows, shelf())


@lru_cache(maxsize=1)
def constants() -> TimeConstants:
    return constants_of(calibrations(shelf())["online"])
