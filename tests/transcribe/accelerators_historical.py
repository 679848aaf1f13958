"""Accelerators of before 2020, which the gathered tables do not have: read in pages, and said so.

P100 and V100 have FP16 and no BF16; engines serve BF16 models on them in FP16. Their dense FP16 rate stands in
``bf16_dense_tflops``, with a note.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.transcribe.accelerators_curated import LIFECYCLE, clash, derived, price, published, second_hand

P100_PAGE = "hothardware-tesla-p100"
V100_PAGE = "elchapuzas-tesla-v100"
V100_32_PAGE = "pcper-dgx-2"
CUDA_9 = "nvidia-cuda-9-tensor-cores"

FP16 = "FP16; this chip has no BF16"
ONE_WAY = "half of the rate both ways that the source gives"
ROWS: dict[str, list[dict[str, Any]]] = {}


def add(entry_id: str, head: dict[str, Any], specs: dict[str, Any], money: dict[str, Any], *clashes: Any) -> None:
    """One entry in the order of the file."""
    remarks = {"conflicts": list(clashes)} if clashes else {}
    ROWS[entry_id] = [group for group in (head, specs, money, remarks) if group]


def head(name: str, day: str, aliases: list[str], source: str, note: str) -> dict[str, Any]:
    """What stands at the top; days are those of the announcement, remembered."""
    return {
        "name": name, "vendor": "NVIDIA", "status": "shipping", "released": dt.date.fromisoformat(day),
        "aliases": aliases, "source": source, "grade": "datasheet", "evidence": "second-hand",
        "unverified_fields": ["released", "scaleup_domain_count"], "note": note,
    }  # fmt: skip


def of_value(value: float, mark: dict[str, Any]) -> dict[str, Any]:
    """A figure with its mark."""
    return {"value": value, **mark}


ANNOUNCED = "Month of the announcement; machines came later."

add(
    "p100-16gb-sxm",
    head("NVIDIA P100 SXM2 16 GB", "2016-04-05", ["P100", "P100-SXM2", "P100-16GB", "Tesla P100",
         "Tesla P100-SXM2-16GB", "NVIDIA Tesla P100 SXM2"], P100_PAGE, ANNOUNCED),
    {
        "bf16_dense_tflops": of_value(21.2, second_hand(P100_PAGE, note=FP16)),
        "hbm_gb": 16,
        "hbm_tb_per_s": of_value(0.732, second_hand(LIFECYCLE)),
        "scaleup_gb_per_s": of_value(80, derived(P100_PAGE, "datasheet", note=ONE_WAY)),
        "scaleup_domain_count": 8,
        "tdp_w": of_value(300, second_hand(LIFECYCLE)),
    },
    {"price_usd": of_value(9428, price(LIFECYCLE, 2016, 7500, 11_300,
                                       note="cost model, Q1 2016; range +-20 %, assumed"))},
    clash("hbm_tb_per_s", 0.72, P100_PAGE, "as announced"),
)  # fmt: skip

V100 = {
    "bf16_dense_tflops": of_value(125, published(CUDA_9, note=FP16)),
    "hbm_tb_per_s": of_value(0.9, second_hand(V100_PAGE)),
    "scaleup_gb_per_s": of_value(150, derived(LIFECYCLE, "datasheet", note=ONE_WAY)),
    "scaleup_domain_count": 8,
    "tdp_w": of_value(300, second_hand(V100_PAGE)),
}
PCIE_CARD = "that of the PCIe card"


def v100(memory_gb: int) -> dict[str, Any]:
    """Figures of one size of memory, in the order of the other entries."""
    specs = {"bf16_dense_tflops": V100["bf16_dense_tflops"], "hbm_gb": memory_gb}
    return {**specs, **{name: mark for name, mark in V100.items() if name not in specs}}


add(
    "v100-16gb-sxm",
    head("NVIDIA V100 SXM2 16 GB", "2017-05-10", ["V100-16GB", "Tesla V100-SXM2-16GB", "NVIDIA Tesla V100 SXM2 16 GB"],
         V100_PAGE, ANNOUNCED),
    v100(16),
    {},
    clash("tdp_w", 250, LIFECYCLE, PCIE_CARD),
)  # fmt: skip
add(
    "v100-32gb-sxm",
    head("NVIDIA V100 SXM2 32 GB", "2018-03-27", ["V100", "V100-SXM2", "V100-32GB", "Tesla V100",
         "Tesla V100-SXM2-32GB", "NVIDIA Tesla V100 SXM2 32 GB"], V100_32_PAGE, ANNOUNCED),
    v100(32),
    {"price_usd": of_value(11_458, price(LIFECYCLE, 2018, 9200, 13_700,
                                         note="cost model, Q1 2018; range +-20 %, assumed"))},
    clash("tdp_w", 250, LIFECYCLE, PCIE_CARD),
)  # fmt: skip
