"""Measured constants of the power law in `power`: one frozen record per class of accelerator.

`power_fit.fit_power` yields the coefficients; a test derives them and their errors from the measured rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FALLBACK_SHARE = 0.67
"""Share of TDP to assume when neither the token rate nor the model is known."""
FALLBACK_RATIO_BAND = (0.72, 1.37)
"""P10 and P90 of `FALLBACK_SHARE` over the measured share, all 452 rows behind `POWER_CONSTANTS`."""


@dataclass(frozen=True, slots=True)
class PowerConstants:
    """Coefficients of the power law for one class of accelerator, with their provenance.

    Attributes
    ----------
    idle_share : power at zero activity over TDP [1]
    memory_pj_per_byte : energy of one byte read from device memory, chip and memory together [pJ/B]
    compute_gain : slope of the activity on the share of peak FLOP/s [1]
    scatter_gain : extra compute cost of eight small experts per token, over a dense layer [1]
    rows : the rows the coefficients were fitted on
    data_date : date of the data
    n_rows : number of rows of this class
    ratio_p10, ratio_p90 : predicted over measured energy per token, tenth and ninetieth percentile
    ratio_p10_no_batch, ratio_p90_no_batch : the same when the batch had to be inferred
    median_error : median of abs(predicted / measured - 1)
    validation : how rows were held out for the errors above
    """

    idle_share: float
    memory_pj_per_byte: float
    compute_gain: float
    scatter_gain: float
    rows: str
    data_date: str
    n_rows: int
    ratio_p10: float
    ratio_p90: float
    ratio_p10_no_batch: float
    ratio_p90_no_batch: float
    median_error: float
    validation: str


_ROWS = "ML.ENERGY leaderboard v3: chat, GPQA, image chat and code fill-in under vLLM 0.11.1"
_DATE = "2026-02-16"

POWER_CONSTANTS: Mapping[str, PowerConstants] = MappingProxyType(
    {
        "h100": PowerConstants(
            idle_share=0.10732995995271871,
            memory_pj_per_byte=236.32671712419182,
            compute_gain=9.040500381309423,
            scatter_gain=1.3969230321369175,
            rows=_ROWS,
            data_date=_DATE,
            n_rows=231,
            ratio_p10=0.884,
            ratio_p90=1.133,
            ratio_p10_no_batch=0.837,
            ratio_p90_no_batch=1.161,
            median_error=0.063,
            validation="leave one model out",
        ),
        "b200": PowerConstants(
            idle_share=0.10732995995271871,
            memory_pj_per_byte=236.32671712419182,
            compute_gain=7.021968475392556,
            scatter_gain=1.3969230321369175,
            rows=_ROWS,
            data_date=_DATE,
            n_rows=221,
            ratio_p10=0.864,
            ratio_p90=1.192,
            ratio_p10_no_batch=0.846,
            ratio_p90_no_batch=1.410,
            median_error=0.071,
            validation="leave one model out",
        ),
        "other": PowerConstants(
            idle_share=0.09666619296230113,
            memory_pj_per_byte=243.32412946346108,
            compute_gain=8.30970286443204,
            scatter_gain=1.3243458410060827,
            rows=_ROWS,
            data_date=_DATE,
            n_rows=452,
            ratio_p10=0.876,
            ratio_p90=1.176,
            ratio_p10_no_batch=0.845,
            ratio_p90_no_batch=1.320,
            median_error=0.069,
            validation="leave one accelerator out",
        ),
    }
)
"""Constants per class: ``h100`` and ``b200`` were measured, ``other`` is one fit to both for any other.

Idle share, energy per byte and scatter gain are common to both measured classes. ``other`` was tested on the
class left out of its fit: median error 7 %, against 18 % for `FALLBACK_SHARE` times TDP. Two classes are few.
"""
