"""What published benchmarks reached on each accelerator, and where they disagree.

One protocol a field, so that vendors compare: BF16 is the best shape of the mamf-finder search, FP8 the best square
product of the Azure guide (random data, 10,000 runs of warm-up), bandwidth the Triad of BabelStream. Where that
protocol was not run, another one stands in and the note says so.
"""

from __future__ import annotations

from typing import Any

from tests.transcribe.accelerators_curated import clash
from tests.transcribe.toml_text import Num

BOOK = "ml-engineering-mamf"
SEARCH = "gpu-benchmark-mamf"
AZURE = "azure-ai-benchmarking-guide"
AZURE_GB200 = "azure-nd-gb200-v6-record"
AMD = "amd-max-achievable-flops-2"
AMD_MLPERF = "amd-mlperf-v5-mi325x"
GH200_ISSUE = "babelstream-issue-194"
TPU_PEDIA = "gpu-tpu-pedia-v6e"

BF16, FP8, HBM = "bf16_achieved_tflops", "fp8_achieved_tflops", "hbm_achieved_tb_per_s"


def reached(value: str, source: str, note: str = "", grade: str = "measured") -> dict[str, Any]:
    """A rate that was read in the report of the benchmark itself."""
    mark: dict[str, Any] = {"value": Num(value), "source": source, "grade": grade, "evidence": "published"}
    return {**mark, "note": note} if note else mark


ACHIEVED: dict[str, dict[str, dict[str, Any]]] = {
    "a100-80gb-sxm": {BF16: reached("271.2", BOOK), HBM: reached("1.70", AZURE, "Triad; Dot, which only reads, 1.75")},
    "a100-80gb-pcie": {BF16: reached("252.9", BOOK)},
    "h100-sxm": {
        BF16: reached("794.5", BOOK),
        FP8: reached("1382.2", AZURE, "32,768 cubed"),
        HBM: reached("2.97", AZURE, "Triad; Dot, which only reads, 3.18"),
    },
    "h100-pcie": {BF16: reached("499.5", SEARCH)},
    "h100-nvl": {BF16: reached("488.5", SEARCH)},
    "h200-sxm": {
        BF16: reached("794.5", BOOK, "row of H100 SXM: 'H200 is the same'"),
        FP8: reached("1366.3", AZURE, "16,384 cubed"),
        HBM: reached("4.15", AZURE, "Triad; Dot, which only reads, 4.48"),
    },
    "l40s": {BF16: reached("252.0", SEARCH)},
    "l4": {BF16: reached("91.4", SEARCH)},
    "gh200-96": {
        BF16: reached("842.5", SEARCH, "GH200 480GB; search not finished"),
        HBM: reached("3.31", GH200_ISSUE, "Triad of the Julia version, GH200 120GB"),
    },
    "b200-sxm": {
        BF16: reached("1745.0", BOOK),
        FP8: reached("3432.5", BOOK, "best shape, not after a long warm-up: see GB200 for the difference"),
    },
    "b300-sxm": {
        BF16: reached("1769.0", BOOK),
        FP8: reached("3353.3", BOOK, "best shape, not after a long warm-up: see GB200 for the difference"),
    },
    "gb200-nvl72": {
        BF16: reached("1822.0", BOOK),
        FP8: reached("2906.9", AZURE, "16,384 cubed"),
        HBM: reached("7.35", AZURE_GB200, "kernel not named"),
    },
    "gb300-nvl72": {FP8: reached("3308.5", AZURE, "16,384 cubed")},
    "mi300x": {
        BF16: reached("668.4", BOOK),
        FP8: reached("1222.9", AZURE, "8192 cubed"),
        HBM: reached("4.10", AZURE, "Triad; Dot, which only reads, 4.0"),
    },
    "mi325x": {
        BF16: reached("784.9", BOOK),
        FP8: reached("1519", AMD, "4096 x 3648 x 32,896, hipBLASLt", grade="vendor_claim"),
    },
    "mi355x": {BF16: reached("1565.0", BOOK)},
    "tpu-v6e": {BF16: reached("689", TPU_PEDIA, "timed on the host; device time gives about 79 % of peak")},
    "gaudi3": {BF16: reached("1243.0", BOOK), FP8: reached("1289.5", BOOK)},
}
"""Rates by id of the accelerator."""

CLASHES: dict[str, tuple[dict[str, Any], ...]] = {
    "h100-sxm": (clash(FP8, 1402.6, BOOK, "best shape"),),
    "h200-sxm": (
        clash(BF16, 745, BOOK, "sustained at the power limit over 4 s: 743-746"),
        clash(FP8, 1453.4, BOOK, "best shape"),
    ),
    "b200-sxm": (clash(BF16, 1425, BOOK, "sustained at the power limit over 4 s: 1,421-1,428"),),
    "gb200-nvl72": (
        clash(FP8, 2744, AZURE_GB200, "sustained, earlier run"),
        clash(FP8, 3615.6, BOOK, "best shape"),
    ),
    "mi300x": (
        clash(BF16, 708, AMD, "the vendor's own, 4096 x 4864 x 32,896, at 1,207 MHz of 2,100"),
        clash(FP8, 1273, AMD, "the vendor's own, at 1,230 MHz of 2,100; its footnote prints 1,223.6"),
    ),
    "mi325x": (
        clash(BF16, 843, AMD, "the vendor's own, 4096 x 4864 x 32,896, at 1,447 MHz of 2,100"),
        clash(FP8, 1400, AMD_MLPERF, "products of Llama 2 70B: 1.5 PFLOP/s at 65,000 tokens, 1.4 at 2,048"),
    ),
}
"""Other figures for the same rates, by id of the accelerator."""
