"""A mix of measures as the keys of a scenario that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

from aiplan.planners.stabilize.mitigation import INFINITE, Mix, Storage
from aiplan.report.model import Cell

Row = tuple[Cell, ...]


def settings(mix: Mix, tdp_w: float, accelerators: float) -> Iterator[Row]:
    """Key, value and unit of everything that makes the mix, as ``--set`` takes them.

    Parameters
    ----------
    tdp_w : of an accelerator, which levels are shares of [W]
    accelerators : of the site, over which storage beside accelerators is summed [1]
    """
    if mix.gpu is not None:
        yield "mitigation.gpu.floor_fraction", mix.gpu.floor_w / tdp_w, None
        yield from _rates("mitigation.gpu", mix.gpu.ramp_up_w_per_s, mix.gpu.ramp_down_w_per_s)
        yield "mitigation.gpu.hysteresis_s", mix.gpu.hysteresis_s, "s"
    if mix.secondary is not None:
        yield "mitigation.software.level_fraction", mix.secondary.level_w / tdp_w, None
        yield "mitigation.software.delay_s", mix.secondary.delay_s, "s"
        yield "mitigation.software.back_off_s", mix.secondary.back_off_s, "s"
        yield "mitigation.software.slowdown_fraction", mix.secondary.slowdown_fraction, None
    if mix.start_cap is not None:
        yield "mitigation.start_cap.duration_s", mix.start_cap.duration_s, "s"
        yield "mitigation.start_cap.initial_fraction", mix.start_cap.initial_w / tdp_w, None
    for place, storage in enumerate(mix.storage, start=1):
        yield from _storage(f"mitigation.storage.storage-{place}", storage, accelerators)
    if mix.period_factor != 1.0:
        yield "mitigation.period_factor", mix.period_factor, None
    if mix.stagger:
        yield "mitigation.stagger", True, None


def _storage(path: str, storage: Storage, accelerators: float) -> Iterator[Row]:
    count = 1.0 if storage.level == "site" else accelerators
    yield f"{path}.technology", storage.technology, None
    yield f"{path}.level", storage.level, None
    yield f"{path}.energy_wh", storage.energy_j * count / 3600.0, "Wh"
    yield f"{path}.power_w", storage.power_w * count, "W"
    yield f"{path}.time_constant_s", storage.time_constant_s, "s"
    yield from _rates(path, storage.ramp_up_w_per_s * count, storage.ramp_down_w_per_s * count)
    yield f"{path}.initial_fraction", storage.initial_fraction, None


def _rates(path: str, up_w_per_s: float, down_w_per_s: float) -> Iterator[Row]:
    for name, rate in (("ramp_up_w_per_s", up_w_per_s), ("ramp_down_w_per_s", down_w_per_s)):
        if rate < INFINITE:
            yield f"{path}.{name}", rate, "W/s"


__all__ = ["settings"]
