"""Mixes of measures in words, and families they belong to."""

from __future__ import annotations

from aiplan.planners.stabilize.mitigation import INFINITE, Mix, Storage

NOTHING = "nothing"
_LIMITS = {"most": "most power", "least": "least power", "range": "range of power"}
_CAPS = {
    "energy": "cap on energy added",
    "slowdown": "cap on time added",
    "size": "room for storage",
    "cycle life": "cycle life of storage",
}


def mix_words(mix: Mix, tdp_w: float, accelerators: float, *, ratings: bool = False) -> str:
    """A mix in one line; with the ratings of converters where asked."""
    parts: list[str] = []
    if mix.period_factor != 1.0:
        parts.append(f"iterations {mix.period_factor:g} times as long")
    if mix.stagger:
        parts.append("jobs staggered")
    if mix.start_cap is not None:
        parts.append(f"power cap that rises over {mix.start_cap.duration_s:.3g} s at every start")
    if mix.secondary is not None:
        parts.append(f"software load to {mix.secondary.level_w / tdp_w:.0%} of TDP")
    if mix.gpu is not None:
        gpu = []
        if mix.gpu.floor_w > 0:
            gpu.append(f"floor {mix.gpu.floor_w / tdp_w:.0%} of TDP")
        if min(mix.gpu.ramp_up_w_per_s, mix.gpu.ramp_down_w_per_s) < INFINITE:
            gpu.append(f"ramps of {mix.gpu.ramp_up_w_per_s:.3g} up and {mix.gpu.ramp_down_w_per_s:.3g} W/s down")
        parts.append("GPU " + ", ".join(gpu) if gpu else "GPU smoothing without settings")
    parts += [storage_words(one, accelerators, ratings=ratings) for one in mix.storage]
    return "; ".join(parts) or NOTHING


def storage_words(storage: Storage, accelerators: float, *, ratings: bool = False) -> str:
    """A storage in a few words; its size is that of all units."""
    count = 1.0 if storage.level == "site" else accelerators
    energy, power = storage.energy_j * count / 3.6e9, storage.power_w * count / 1e6
    where = {"psu": "in power supplies", "rack": "in racks", "site": "at the site"}[storage.level]
    rated = f" and {power:.3g} MW" if ratings else ""
    return f"{storage.technology} of {energy:.3g} MWh{rated} {where}"


def reason_words(reason: str) -> str:
    """Why a mix is refused, in words that stand alone: the search names limits and caps by their ids."""
    first, _, rest = reason.partition(" ")
    return _CAPS.get(reason) or " ".join((_LIMITS.get(first, first), rest)).strip()


def family(mix: Mix) -> str:
    """What kinds of measure a mix is made of."""
    parts = []
    if mix.period_factor != 1.0:
        parts.append("iteration")
    if mix.stagger:
        parts.append("stagger")
    if mix.start_cap is not None:
        parts.append("start cap")
    if mix.secondary is not None:
        parts.append("software")
    if mix.gpu is not None:
        parts.append("GPU")
    parts += [one.technology for one in mix.storage]
    return " + ".join(parts) or NOTHING


__all__ = ["NOTHING", "family", "mix_words", "reason_words", "storage_words"]
