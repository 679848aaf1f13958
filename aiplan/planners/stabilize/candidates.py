"""The mixes a search looks at, with rates that fit the limits.

Of what acts in an accelerator (smoothing, software load, cap on start) one at a time, with any schedule, without
storage and with each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from aiplan.planners.stabilize.facility import poi_power_w
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Level, Mix, SecondaryLoad, StartCap, Storage
from aiplan.planners.stabilize.scene import Site
from aiplan.planners.stabilize.sizing import boundless, template
from aiplan.planners.stabilize.technology import Technology

WITHIN = 0.998
"""Set-point's ramp over the limit, so that rounding does not pass it [1]."""
WITHIN_EACH = 0.99
"""The same for storage behind conversion: it recharges beyond full load, where devices lose more at the margin [1]."""
RETURN_FACTOR = 7.0
"""A set-point of time constant dP / (7 R) comes back without overshoot after a ramp at R; see `storage.buffer` [1]."""
LASTING = 1e6
"""Full cycles from which a technology can take the swing of every iteration [1]: assumed."""

RATING_SHARES = (0.2, 0.4, 0.6)
"""Ratings of converters over the swing of the site, beside the one that takes all of it [1]."""
LEVELS: tuple[Level, ...] = ("psu", "rack", "site")
"""In the order in which storage sees the load."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a search may combine; powers per accelerator.

    Attributes
    ----------
    floors_w : 0 for none [W]
    ramp_factors : ramp of all accelerators over the limit of the grid; 0 for none [1]
    hysteresis_s : of accelerators that hold ramps [s]
    secondary : software loads
    start_cap_w : cap at a start from which it may rise; None for no such measure [W]
    technologies, levels, time_constants_s, power_factors : of storage; rating over that which is needed [1]
    period_factors, stagger : of the schedule
    """

    floors_w: tuple[float, ...]
    ramp_factors: tuple[float, ...]
    hysteresis_s: float
    secondary: tuple[SecondaryLoad, ...]
    start_cap_w: float | None
    technologies: tuple[Technology, ...]
    levels: tuple[Level, ...]
    time_constants_s: tuple[float, ...]
    period_factors: tuple[float, ...]
    stagger: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Slopes:
    """Steepest rise and fall that the limits allow at the point of interconnection [W/s], and of one accelerator.

    ``gain`` is power at the point of interconnection over that of one accelerator, at the margin, cooling included.
    """

    up_w_per_s: float
    down_w_per_s: float
    gain: float


def slopes(limits: Limits, site: Site) -> Slopes:
    """What ramps and range allow together: within a window of range D no steady slope may exceed D over the window."""
    up = min((one.up_w_per_s for one in limits.ramps), default=INFINITE)
    down = min((one.down_w_per_s for one in limits.ramps), default=INFINITE)
    if limits.range_w is not None:
        up, down = (min(one, limits.range_w / limits.range_window_s) for one in (up, down))
    return Slopes(up, down, marginal_gain(site))


def marginal_gain(site: Site) -> float:
    """Power at the point of interconnection over that of one accelerator, at the margin of full load [1]."""
    each = max(phase.power_w for job in site.jobs for phase in job.phases) + site.constant_w
    full = site.accelerators * each
    both = poi_power_w(np.array([full, full * (1.0 + 1e-6)]), 1.0, site.conversion, 0.0, 0.0)
    slope = float(both.total_w[1] - both.total_w[0]) / (full * 1e-6)
    return site.accelerators * (slope + site.cooling_fraction)


def before_storage(options: Options, allowed: Slopes, tdp_w: float, swing_w: float) -> Iterator[Mix]:
    """Every mix of schedule, accelerators and software, without storage, once; the plain job is the first.

    Parameters
    ----------
    tdp_w : where a cap on start ends [W per accelerator]
    swing_w : of the site, which a ramp at the limit takes its time for [W]
    """
    yield from dict.fromkeys([Mix(), *_without_storage(options, allowed, tdp_w, swing_w)])


def _without_storage(options: Options, allowed: Slopes, tdp_w: float, swing_w: float) -> Iterator[Mix]:
    for period, stagger in product(options.period_factors, options.stagger):
        for gpu in _smoothings(options, allowed):
            yield Mix(gpu=gpu, period_factor=period, stagger=stagger)
        for secondary in options.secondary:
            yield Mix(secondary=secondary, period_factor=period, stagger=stagger)
        if options.start_cap_w is not None and allowed.up_w_per_s < INFINITE:
            # The cap goes on to TDP: it must take longer than the swing of a job that stays below.
            span = max(swing_w, allowed.gain * (tdp_w - options.start_cap_w))
            duration = span / (WITHIN * allowed.up_w_per_s)
            yield Mix(start_cap=StartCap(duration, options.start_cap_w, tdp_w), period_factor=period, stagger=stagger)


def _smoothings(options: Options, allowed: Slopes) -> Iterator[GpuSmoothing | None]:
    for floor, factor in product(options.floors_w, options.ramp_factors):
        if factor == 0.0 or allowed.up_w_per_s == allowed.down_w_per_s == INFINITE:
            yield GpuSmoothing(floor) if floor > 0 else None
        else:
            yield GpuSmoothing(floor, factor * allowed.up_w_per_s / allowed.gain,
                               factor * allowed.down_w_per_s / allowed.gain, options.hysteresis_s)  # fmt: skip


def storages(options: Options, allowed: Slopes, swing_w: float) -> Iterator[tuple[Storage, ...]]:
    """Every storage, still without a size, alone and a lasting one before one that is cheap by energy.

    Parameters
    ----------
    swing_w : of the site [W]
    """
    taus = list(options.time_constants_s)
    slowest = min(allowed.up_w_per_s, allowed.down_w_per_s)
    if slowest < INFINITE and taus and swing_w / (RETURN_FACTOR * slowest) > max(taus):
        taus.append(swing_w / (RETURN_FACTOR * slowest))
    alone = list(_alone(options, allowed, taus, swing_w))
    yield from ((one,) for one in alone)
    lasting = {one.id for one in options.technologies if one.cycle_life >= LASTING}
    if not taus:
        return
    for fast, slow in product(options.technologies, options.technologies):
        if fast.id in lasting and slow.id not in lasting and fast.energy_j_per_gpu is slow.energy_j_per_gpu is None:
            for fast_level, slow_level in product(_levels(fast, options), _levels(slow, options)):
                if LEVELS.index(fast_level) <= LEVELS.index(slow_level):
                    # The fast one sees the load first and flattens iterations, the slow one takes the ramps left.
                    yield (template(fast, fast_level, min(taus), INFINITE, INFINITE),
                           _ramped(slow, slow_level, max(taus), allowed))  # fmt: skip


def _weaker(storage: Storage, allowed: Slopes, swing_w: float) -> Iterator[Storage]:
    """The same with converters for part of the swing, which will do where nothing limits ramps."""
    if min(allowed.up_w_per_s, allowed.down_w_per_s) == INFINITE:
        units = 1.0 if storage.level == "site" else allowed.gain
        for share in RATING_SHARES:
            yield boundless(replace(storage, power_w=share * swing_w / units, rating_held=True))


def _alone(options: Options, allowed: Slopes, taus: list[float], swing_w: float) -> Iterator[Storage]:
    for technology in options.technologies:
        for level, tau in product(_levels(technology, options), taus):
            made = _ramped(technology, level, tau, allowed)
            if technology.energy_j_per_gpu is None:
                yield from _weaker(made, allowed, swing_w)
            if technology.energy_j_per_gpu is not None:
                energy = technology.energy_j_per_gpu
                power = energy / technology.least_duration_s if technology.least_duration_s > 0 else INFINITE
                made = Storage(made.technology, made.level, energy, power, made.round_trip_fraction, tau)
            yield made


def _levels(technology: Technology, options: Options) -> tuple[Level, ...]:
    return tuple(level for level in options.levels if level in technology.levels)


def _ramped(technology: Technology, level: Level, tau: float, allowed: Slopes) -> Storage:
    share = WITHIN if level == "site" else WITHIN_EACH / allowed.gain
    return template(technology, level, tau, allowed.up_w_per_s * share, allowed.down_w_per_s * share)


__all__ = ["Options", "Slopes", "before_storage", "marginal_gain", "slopes", "storages"]
