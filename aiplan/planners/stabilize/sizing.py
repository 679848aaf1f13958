"""How large storage has to be: what it would do without limits of its own says it.

Set-point and feedback do not depend on energy and rating, so that one run with storage that is never full, empty or
too weak tells the rating and the swing of energy it takes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from aiplan.planners.stabilize.annual import Episodes, Rates
from aiplan.planners.stabilize.cycle_life import equivalent_full_cycles, least_energy_j, rainflow
from aiplan.planners.stabilize.mitigation import Level, Mix, Storage
from aiplan.planners.stabilize.scene import Outcome, Part, Scene, Stored
from aiplan.planners.stabilize.technology import Technology

BOUNDLESS = 1e13
"""Energy [J] and rating [W] that no site needs; energies near it still resolve a millijoule."""
BOUNDLESS_EACH = 1e9
"""Energy that no accelerator needs [J]; energies near it resolve a microjoule, of which a site has 100,000."""
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
    return boundless(Storage(technology.id, level, 0.0, 0.0, technology.round_trip, time_constant_s,
                             ramp_up_w_per_s, ramp_down_w_per_s))  # fmt: skip


def boundless(storage: Storage) -> Storage:
    """The same storage with more energy, and unless its rating is held more power, than it can need; half full."""
    power = storage.power_w if storage.rating_held else BOUNDLESS
    return replace(storage, energy_j=_enough_j(storage), power_w=power, initial_fraction=0.5)


def is_boundless(storage: Storage) -> bool:
    """Whether storage still has to be cut to size."""
    return storage.energy_j >= _enough_j(storage)


def _enough_j(storage: Storage) -> float:
    return BOUNDLESS if storage.level == "site" else BOUNDLESS_EACH


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
        if is_boundless(one.storage)
        else one
        for one in outcome.storage
    )
    return replace(outcome, mix=replace(mix, storage=tuple(one.storage for one in found)), storage=found)


def cycles_per_year(stored: Stored, technology: Technology, episodes: Episodes, rates: Rates) -> float:
    """Equivalent full cycles a year of the unit that is used most [1]; 0 for storage without energy."""
    if stored.storage.energy_j <= 0:
        return 0.0
    energy, exponent = stored.storage.energy_j, technology.depth_exponent
    found = [0.0]
    for part in stored.parts:
        if exponent == 1.0:
            found.append(_discharged_j(part, stored.storage, episodes, rates) / energy)
        else:
            once = float(equivalent_full_cycles(part[2].state_j, energy, exponent))
            found.append(once * _runs_per_year(part, episodes, rates))
    return max(found)


def _cut(stored: Stored, technology: Technology, episodes: Episodes, rates: Rates, life_years: float) -> Stored:
    """All units are equal: each has room for the highest and the lowest that one of any job goes."""
    states = [done.state_j for _, _, done in stored.parts]
    below = max(float(state[0] - state.min()) for state in states)
    swing = below + max(float(state.max() - state[0]) for state in states)
    power = stored.storage.power_w
    if not stored.storage.rating_held:
        power = max(float(np.abs(load - done.grid_w).max()) for _, load, done in stored.parts) * (1.0 + SPARE)
    lasting = max(_lasting_j(part, stored.storage, technology, episodes, rates, life_years) for part in stored.parts)
    energy = max(swing * (1.0 + 2.0 * SPARE), lasting, power * technology.least_duration_s)
    # What is spare stands half above and half below what is used.
    initial = (energy - swing) / 2.0 + below
    fraction = min(max(initial / energy, 0.0), 1.0) if energy > 0 else 0.5
    storage = replace(stored.storage, energy_j=energy, power_w=power, initial_fraction=fraction)
    parts = tuple(
        (many, load, replace(done, state_j=done.state_j - done.state_j[0] + initial))
        for many, load, done in stored.parts
    )
    state = stored.state_j - stored.state_j[0] + stored.count * initial
    return replace(stored, storage=storage, parts=parts, state_j=state)


def _lasting_j(
    part: Part, storage: Storage, technology: Technology, episodes: Episodes, rates: Rates, life_years: float
) -> float:
    """Energy with which cycles wear a unit out in just so many years [J]."""
    if technology.depth_exponent == 1.0:
        return _discharged_j(part, storage, episodes, rates) * life_years / technology.cycle_life
    depths, counts = rainflow(part[2].state_j)
    if depths.size == 0:
        return 0.0
    yearly = counts * _runs_per_year(part, episodes, rates)
    return float(least_energy_j(depths, yearly, life_years, technology.cycle_life, technology.depth_exponent, 1.0))


def _discharged_j(part: Part, storage: Storage, episodes: Episodes, rates: Rates) -> float:
    """A year's energy out of the store of one unit [J]: more than what arrives, one way of the round trip is lost."""
    return 3600.0 * _given_wh(part, episodes, rates) / math.sqrt(storage.round_trip_fraction)


def _runs_per_year(part: Part, episodes: Episodes, rates: Rates) -> float:
    """A year's discharge over that of the run, by which its cycles are multiplied [1]."""
    _, load, done = part
    once = float(np.maximum(load - done.grid_w, 0.0).sum()) * episodes.step_s / 3600.0
    return _given_wh(part, episodes, rates) / once if once > 0 else 0.0


def _given_wh(part: Part, episodes: Episodes, rates: Rates) -> float:
    """What one unit gives in a year, without what it takes [Wh]."""
    _, load, done = part
    return max(episodes.annual(np.maximum(load - done.grid_w, 0.0), rates), 0.0)


__all__ = ["BOUNDLESS", "boundless", "cycles_per_year", "is_boundless", "sized", "template"]
