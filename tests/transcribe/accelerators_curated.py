"""What the accelerator table cannot say: ids, aliases, the source of each figure, and where sources disagree.

Only numbers that are not in ``hardware_catalog.csv`` stand here. ``marks`` tells, per CSV row and catalog
field, how a figure differs from the entry's own source and grade; ``{"value": ...}`` replaces a CSV figure
that a better source contradicts (the CSV figure then appears among the conflicts).
The rows themselves are in ``accelerators_nvidia.py`` and ``accelerators_others.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.transcribe.toml_text import Num

AIC = "aiconfigurator-systems"
EPOCH = "epoch-ml-hardware"
SPECS = "inferencex-app-specs"
SPECS_LATER = "inferencex-app-specs-39a9911"
TCO_MODEL = "inferencex-app-tco"
LIFECYCLE = "azure-lifecycle-compass"
TPU_DOCS = "google-tpu-docs"
NEURON = "aws-neuron-docs"
RUBIN = "mirrorfrog-rubin"
RUBIN_ULTRA = "futuretechstocks-rubin-ultra"


def second_hand(source: str, grade: str = "datasheet", **more: Any) -> dict[str, Any]:
    """A figure of a datasheet or page that was read through a third party."""
    return {"source": source, "grade": grade, "evidence": "second-hand", **more}


def published(source: str, grade: str = "datasheet", **more: Any) -> dict[str, Any]:
    """A figure read in its source, in an entry whose other figures were not."""
    return {"source": source, "grade": grade, "evidence": "published", **more}


def unverified(source: str, **more: Any) -> dict[str, Any]:
    """A figure from memory; the source is where it should be checked."""
    return {"source": source, "grade": "assumption", "evidence": "unverified", **more}


def derived(source: str, grade: str = "estimate", **more: Any) -> dict[str, Any]:
    """A figure computed from another one."""
    return {"source": source, "grade": grade, "evidence": "derived", **more}


def price(source: str, year: int, low: int, high: int, note: str, **more: Any) -> dict[str, Any]:
    """A price estimate with its year and range; an input of the lifecycle model was read, others were not."""
    mark = {"source": source, "grade": "estimate"}
    if source != LIFECYCLE:
        mark["evidence"] = "second-hand"
    return {**mark, "currency_year": year, "range": [low, high], "note": note, **more}


def power_fraction(p5: float, p95: float, runs: int) -> dict[str, Any]:
    """Measured GPU power as a share of TDP under LLM serving, cut where the reference model clips it."""
    quantiles = {
        "percentiles": {"p5": p5, "p50": Num("0.70"), "p95": p95},
        "truncate": {"low": 0.15, "high": 1},
    }
    text = f"GPU only, share of TDP, {runs} vLLM 0.11 configurations; percentiles computed from the table"
    mark = {"source": "mlenergy-leaderboard-v3", "grade": "measured", "evidence": "derived"}
    return {"value": Num("0.70"), **mark, "dist": quantiles, "note": text}


def clash(name: str, value: float, source: str, note: str) -> dict[str, Any]:
    """One recorded disagreement between sources."""
    return {"field": name, "value": value, "source": source, "note": note}


@dataclass(frozen=True, slots=True)
class Curated:
    """Curation of one CSV row."""

    id: str
    name: str
    aliases: tuple[str, ...]
    source: str
    epoch: str = ""
    grade: str = "datasheet"
    evidence: str = "second-hand"
    status: str = "shipping"
    note: str = ""
    marks: dict[str, dict[str, Any]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    conflicts: tuple[dict[str, Any], ...] = ()
    epoch_note: str = ""
    exceptions: dict[str, str] = field(default_factory=dict)
    unverified_fields: tuple[str, ...] = ()


PLACEHOLDER = {
    "grade": "assumption",
    "evidence": "assumed",
    "note": "placeholder in the source: 1.2 x predecessor",
}
ULTRA = "Blackwell Ultra runs FP4 at 1.5 x the rate of Blackwell: 3 x FP8"
USABLE = "usable memory differs from the physical stack"
NVLINK_BRIDGE = "600 GB/s both ways over an NVLink bridge between two cards; the value here is PCIe"
GIB_AS_GB = "printed in GiB by the vendor; the value here takes the number as GB"
