"""An accelerator as the numbers that time needs: rates it reaches, memory it has, links to its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

REFERENCE_BF16_SHARE = 0.803
"""Share of its dense BF16 peak that an H100 SXM reaches in the same published benchmark as the others [1]."""
REFERENCE_FP8_SHARE = 0.698
"""The same for FP8 [1]."""
REFERENCE_HBM_SHARE = 0.887
"""Share of its memory bandwidth that an H100 SXM reaches in a stream benchmark [1]."""
PCIE_GB_PER_S = 64.0
"""Links no faster than this are PCIe: higher latency, no switch [GB/s]."""
GIB = 2.0**30


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator; every field a number, or an array with one row per deployment.

    Attributes
    ----------
    bf16_flops, fp8_flops, fp4_flops : dense rates [FLOP/s]; a format without units of its own has the next wider one's
    has_fp4 : 1 where there are units for four-bit products [1]
    hbm_bytes_per_s : memory bandwidth [B/s]
    memory_bytes : memory as the driver states it [B]
    link_bytes_per_s : to the devices of its scale-up domain, one way [B/s]
    domain : devices in that domain [1]
    pcie : 1 where the links are PCIe [1]
    tdp_w : thermal design power [W]
    bf16_reach, low_reach, hbm_reach : share of those rates that a published benchmark reached, over the share that an
        H100 SXM reaches; at most 1. ``low`` is FP8 and below [1]
    """

    bf16_flops: Any
    fp8_flops: Any
    fp4_flops: Any
    has_fp4: Any
    hbm_bytes_per_s: Any
    memory_bytes: Any
    link_bytes_per_s: Any
    domain: Any
    pcie: Any
    tdp_w: Any
    bf16_reach: Any
    low_reach: Any
    hbm_reach: Any


FIELDS = tuple(Chip.__slots__)


def chip_of(accelerator: Any, siblings: Iterable[Any] = ()) -> Chip:
    """Numbers of a catalog entry (anything with the fields of `aiplan.catalog.schema.Accelerator`).

    Parameters
    ----------
    accelerator : the entry
    siblings : other entries of its vendor; where the entry has no measured rate, the median of theirs stands in

    Memory is ``hbm_gb`` GiB: data sheets write GB where drivers report binary units (H100 "80 GB" 79.6 GiB, H200
    "141 GB" 140.4 GiB).

    The reach puts vendors on one scale: constants of time are fitted on NVIDIA parts, whose matrix units come about
    as close to their peak as an H100's; others do not (MI300X 0.64 of it). It never exceeds 1, because the best
    published figures are bursts.

    Raises ValueError naming what the catalog does not say.
    """
    missing = [name for name in ("hbm_tb_per_s", "bf16_dense_tflops", "tdp_w") if _of(accelerator, name) is None]
    if missing:
        raise ValueError(f"the catalog has no {' and no '.join(missing)} of this accelerator")
    bf16 = 1e12 * _need(accelerator, "bf16_dense_tflops")
    eight, four = _of(accelerator, "fp8_dense_tflops"), _of(accelerator, "fp4_dense_tflops")
    fp8 = bf16 if eight is None else 1e12 * eight
    link = _of(accelerator, "scaleup_gb_per_s")
    family = [accelerator, *siblings]
    bf16_reach = _reach(family, "bf16_achieved_tflops", "bf16_dense_tflops", REFERENCE_BF16_SHARE)
    low_reach = _reach(family, "fp8_achieved_tflops", "fp8_dense_tflops", REFERENCE_FP8_SHARE)
    hbm_reach = _reach(family, "hbm_achieved_tb_per_s", "hbm_tb_per_s", REFERENCE_HBM_SHARE)
    own_bf16 = _reach([accelerator], "bf16_achieved_tflops", "bf16_dense_tflops", REFERENCE_BF16_SHARE)
    own_low = _reach([accelerator], "fp8_achieved_tflops", "fp8_dense_tflops", REFERENCE_FP8_SHARE)
    return Chip(
        bf16_flops=bf16,
        fp8_flops=fp8,
        fp4_flops=fp8 if four is None else 1e12 * four,
        has_fp4=float(four is not None),
        hbm_bytes_per_s=1e12 * _need(accelerator, "hbm_tb_per_s"),
        memory_bytes=GIB * _need(accelerator, "hbm_gb"),
        # Without fast links devices meet over PCIe.
        link_bytes_per_s=1e9 * (link or PCIE_GB_PER_S / 2.0),
        domain=_of(accelerator, "scaleup_domain_count") or 1.0,
        pcie=float((link or 0.0) <= PCIE_GB_PER_S),
        tdp_w=_need(accelerator, "tdp_w"),
        bf16_reach=1.0 if bf16_reach is None else bf16_reach,
        # A chip measured in one format only is as far from its peak in the other.
        low_reach=next((one for one in (own_low, own_bf16, low_reach, bf16_reach) if one is not None), 1.0),
        hbm_reach=1.0 if hbm_reach is None else hbm_reach,
    )


def _of(entry: Any, name: str) -> float | None:
    quantity = getattr(entry, name, None)
    return None if quantity is None else float(quantity.value)


def _need(entry: Any, name: str) -> float:
    value = _of(entry, name)
    if value is None:
        raise ValueError(f"the catalog has no {name} of this accelerator")
    return value


def _reach(family: Sequence[Any], measured: str, stated: str, reference: float) -> float | None:
    """Reach of the first entry, or the median of the others' where it has none; None where nobody has one."""
    shares = [None if (top := _of(one, stated)) is None or (got := _of(one, measured)) is None else got / top
              for one in family]  # fmt: skip
    if shares[0] is not None:
        return min(shares[0] / reference, 1.0)
    known = [share for share in shares if share is not None]
    return min(median(known) / reference, 1.0) if known else None


def stack(rows: Sequence[Chip]) -> Chip:
    """Many accelerators as one `Chip` of arrays of shape (rows,)."""
    return Chip(*np.array([[getattr(row, name) for row in rows] for name in FIELDS], dtype=np.float64))
