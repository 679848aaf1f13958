"""How large storage has to be: what it would do without limits of its own says it.

Set-point and feedback do not depend on energy and rating, so that one run with storage that is never full, empty or
too weak tells the rating and the swing of energy it takes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aiplan.planners.stabilize.annual import Episodes, Rates
from aiplan.planners.stabilize.mitigation import Level, Mix, Storage
from aiplan.planners.stabilize.scene import Outcome, Scene, Stored
from aiplan.planners.stabilize.technology import Technology

BOUNDLESS = 1e13
"""Energy [J] and rating [W] that no site needs; energies near it still resolve a millijoule."""
SPARE = 0.02
"""Energy and rating beyond what the run took [1]."""


def template(
    technology: Technology,
    level: Level,
    time_constant_s: float,
    ramp_up_w_per_s: float,
    ramp_down_w_per_s: float,
) -> Storage:
    """Storage that never runs out, to be sized by what it does."""
    return Storage(technology.id, level, BOUNDLESS, BOUNDLESS, technology.round_trip, time_constant_s,
                   ramp_up_w_per_s, ramp_down_w_per_s)  # fmt: skip


def sized(
    scene: Scene, mix: Mix, technologies: dict[str, Technology], episodes: Episodes, rates: Rates, life_years: float
) -> Outcome:
    """A mix whose boundless storage is cut to what it does, or to what lasts long enough where that is more.

    Parameters
    ----------
    mix : with storage from `template`, or with a size that is kept
    episodes, rates, life_years : a year of it, and how long it has to last [years]
    """
    outcome = scene.apply(mix)
    found = tuple(
        _cut(one, technologies[one.storage.technology], episodes, rates, life_years)
        if one.storage.energy_j >= BOUNDLESS
        else one
        for one in outcome.storage
    )
    return replace(outcome, mix=replace(mix, storage=tuple(one.storage for one in found)), storage=found)


def _cut(stored: Stored, technology: Technology, episodes: Episodes, rates: Rates, life_years: float) -> Stored:
    least, most = float(stored.state_j.min()), float(stored.state_j.max())
    swing = most - least
    power = float(np.abs(stored.discharge_w).max()) * (1.0 + SPARE)
    one_way = stored.storage.round_trip_fraction**0.5
    yearly = 3600.0 * episodes.annual(np.maximum(stored.discharge_w, 0.0), rates) / one_way
    lasting = yearly * life_years / technology.cycle_life if technology.depth_exponent == 1.0 else 0.0
    energy = max(swing * (1.0 + 2.0 * SPARE), lasting, power * technology.least_duration_s)
    # What is spare stands half above and half below what is used.
    bottom = (energy - swing) / 2.0
    initial = (bottom + float(stored.state_j[0]) - least) / energy if energy > 0 else 0.5
    state = stored.state_j - least + bottom
    storage = replace(stored.storage, energy_j=energy / stored.count, power_w=power / stored.count,
                      initial_fraction=min(max(initial, 0.0), 1.0))  # fmt: skip
    return replace(stored, storage=storage, state_j=state)


__all__ = ["BOUNDLESS", "sized", "template"]
