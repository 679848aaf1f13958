"""Failures: how many units die, how many stand still, and what an interruption costs.

Two kinds are kept apart. A *permanent* failure takes a unit out of the fleet: its annualised failure rate (AFR, the
share of units lost in a year) enters survival, and a failed unit has no resale value. An *interruption* (a fault that a
restart clears) enters nothing but goodput. Fed into survival, interruptions would bury units that went on working:
419 interruptions in 54 days on 16,384 GPUs are 17 % per GPU-year, permanent failures about 4 %.

Defaults: AFR 2.5, 4 and 6 % (low, central, high) for the H100 class, second-hand (research-viewer.pages.dev, after
Cui et al. 2025 and Meta); maintenance grows 5 % a year (assumed) and 15 % when life is extended (published in the
configuration of github.com/Azure/AI-Lifecycle-Compass).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.size.fleet import spare_units

DAYS_PER_YEAR = 365.0
HOURS_PER_YEAR = 8760.0
PERMANENT_AFR = 0.04
PERMANENT_AFR_LOW = 0.025
PERMANENT_AFR_HIGH = 0.06
"""Share of H100-class accelerators that fail for good in a year [1]: second-hand."""
MAINTENANCE_YEARLY_GROWTH = 0.05
"""Growth of maintenance with age [1 per year]: assumed."""
EXTENDED_LIFE_FACTOR = 1.15
"""Maintenance of a server kept beyond its planned life, against before [1]: published (G)."""


def _not_negative(value: npt.ArrayLike, what: str) -> Array:
    numbers = as_array(value)
    require(np.isfinite(numbers) & (numbers >= 0), f"{what} must be finite and not negative")
    return numbers


def _share(value: npt.ArrayLike, what: str) -> Array:
    numbers = as_array(value)
    require((numbers >= 0) & (numbers <= 1), f"{what} must lie in 0 to 1")
    return numbers


def failures_per_unit_year(events: npt.ArrayLike, units: npt.ArrayLike, days: npt.ArrayLike) -> Array:
    """Rate of failures observed, ``events / (units days / 365)`` [1/unit-year]; shapes broadcast.

    Llama 3 training (second-hand): 148 GPU faults in 54 days on 16,384 GPUs.

    >>> round(float(failures_per_unit_year(148, 16_384, 54)), 4)
    0.0611
    """
    count, many, span = _not_negative(events, "events"), as_array(units), as_array(days)
    require((many > 0) & (span > 0), "units and days must be above 0")
    return np.asarray(count * DAYS_PER_YEAR / (many * span))


def afr_from_rate(rate_per_year: npt.ArrayLike) -> Array:
    """Share of units that fail within a year at a constant rate, ``1 - exp(-rate)`` [1].

    Failures counted in a fleet whose failed units are replaced give a rate; survival needs the share.

    >>> round(float(afr_from_rate(failures_per_unit_year(148, 16_384, 54))), 4)
    0.0592
    """
    return np.asarray(-np.expm1(-_not_negative(rate_per_year, "rates")))


def rate_from_afr(afr_fraction: npt.ArrayLike) -> Array:
    """Constant rate at which a share of units fails within a year, ``-log(1 - AFR)`` [1/unit-year]."""
    afr = as_array(afr_fraction)
    require((afr >= 0) & (afr < 1), "an annualised failure rate lies in 0 to 1, 1 excluded")
    return np.asarray(-np.log1p(-afr))


def server_afr(
    accelerator_afr: npt.ArrayLike,
    accelerators: npt.ArrayLike,
    rest_afr: npt.ArrayLike = 0.0,
    repaired_fraction: npt.ArrayLike = 0.0,
) -> Array:
    """Share of servers lost in a year when one accelerator or the rest fails for good [1].

    ``1 - (1 - a)^(n (1 - q)) (1 - b)``: parts fail independently at constant rates, and a share q of the accelerator
    failures is repaired by a new part, which leaves the server in the fleet (its price is maintenance).

    Parameters
    ----------
    accelerator_afr : a, of one accelerator [1]
    accelerators : n, in the server [1]
    rest_afr : b, of all else in the server [1]
    repaired_fraction : q; 0 throws a server away with its first dead accelerator, which 4 % a year turns into 28 % of
        8-GPU servers, 1 always swaps the part [1]

    Where servers with a dead part go on serving with what is left, or lend their parts to others, the fleet loses
    capacity by `capacity_loss_fraction` instead.

    >>> round(float(server_afr(0.04, 8)), 3)
    0.279
    """
    part, rest = _share(accelerator_afr, "failure rates"), _share(rest_afr, "failure rates")
    repaired = _share(repaired_fraction, "the repaired fraction")
    parts = as_array(accelerators)
    require(np.isfinite(parts) & (parts >= 1), "a server has one accelerator or more")
    return np.asarray(1.0 - (1.0 - part) ** (parts * (1.0 - repaired)) * (1.0 - rest))


def capacity_loss_fraction(accelerator_afr: npt.ArrayLike, rest_afr: npt.ArrayLike = 0.0) -> Array:
    """Share of accelerator capacity lost in a year when only what failed stands still, ``1 - (1 - a)(1 - b)`` [1]."""
    part, rest = _share(accelerator_afr, "failure rates"), _share(rest_afr, "failure rates")
    return np.asarray(1.0 - (1.0 - part) * (1.0 - rest))


def survival_fraction(afr_fraction: npt.ArrayLike, dt_years: npt.ArrayLike) -> Array:
    """Share of units that survive a period, ``(1 - AFR)^dt`` [1]; shapes broadcast, AFR of permanent failures only."""
    return np.asarray((1.0 - _share(afr_fraction, "failure rates")) ** _not_negative(dt_years, "periods"))


def survival_to_age(afr_by_year: npt.ArrayLike, age_years: npt.ArrayLike) -> Array:
    """Share of units alive at an age when the AFR depends on age [1].

    Parameters
    ----------
    afr_by_year : AFR in the first, second, ... year of age, ``[..., Y]``, below 1; the last one holds from then on [1]
    age_years : ``[A]`` [years]

    Returns
    -------
    ``[..., A]``. Within a year of age the rate is constant, so that periods of any length chain: survival over a period
    from age a to b is ``S(b) / S(a)``.

    >>> round(float(survival_to_age([0.06, 0.04], [2.5])[0]), 4)
    0.8842
    """
    rates = rate_from_afr(afr_by_year)
    ages = _not_negative(age_years, "ages")
    require(rates.ndim >= 1 and rates.shape[-1] >= 1 and ages.ndim == 1, "rates by year of age and a row of ages")
    starts = np.arange(rates.shape[-1])
    lengths = np.append(np.ones(rates.shape[-1] - 1), np.inf)
    spent = np.clip(ages[:, None] - starts, 0.0, lengths)
    return np.asarray(np.exp(-np.sum(rates[..., None, :] * spent, axis=-1)))


def maintenance_usd_per_year(
    age_years: npt.ArrayLike,
    new_usd_per_year: npt.ArrayLike,
    yearly_growth: npt.ArrayLike = MAINTENANCE_YEARLY_GROWTH,
    planned_life_years: npt.ArrayLike = np.inf,
    extended_factor: npt.ArrayLike = EXTENDED_LIFE_FACTOR,
) -> Array:
    """Maintenance of a unit at an age, ``m0 (1 + g)^age``, times a factor from the planned life on [USD/year].

    Parameters
    ----------
    age_years : at the time that is paid for [years]
    new_usd_per_year : m0, of a new unit [USD/year]
    yearly_growth : g, above -1 [1 per year]
    planned_life_years : age from which life counts as extended; infinite for no step [years]
    extended_factor : what is paid then against before [1]

    Published (G) is the step alone, so use it with g = 0 or the growth without the step, unless both are meant.
    """
    age, new = _not_negative(age_years, "ages"), _not_negative(new_usd_per_year, "maintenance")
    growth, factor = as_array(yearly_growth), _not_negative(extended_factor, "the factor of an extended life")
    planned = as_array(planned_life_years)
    require(np.isfinite(growth) & (growth > -1), "growth of maintenance must be above -1")
    require(planned > 0, "a planned life must be above 0")
    return np.asarray(new * (1.0 + growth) ** age * np.where(age >= planned, factor, 1.0))


def spare_fraction(needed: npt.ArrayLike, survival: npt.ArrayLike, target: npt.ArrayLike) -> Array:
    """Spares to hold, as a share of the units needed, so that enough work with the target probability [1].

    Parameters
    ----------
    needed : k units that must work, whole [1]
    survival : share of units that work until a new one arrives, e.g. `survival_fraction` over the delivery time [1]
    target : probability in [0, 1) [1]

    The fewest spares by the binomial sum of `aiplan.planners.size.fleet.spare_units`; units fail independently, which
    a common cause (a batch, a cooling failure) breaks.
    """
    return np.asarray(spare_units(needed, survival, target) / as_array(needed))


@dataclass(frozen=True, slots=True)
class Recovery:
    """What happens after a failure in a job of many units that stops as one; shapes broadcast.

    Attributes
    ----------
    job_units : J, units of the job [1]
    blast_units : B, of them out of service through the fault, at most J [1]
    detect_h : d, until the fault is noticed [h]
    checkpoint_h : c, between checkpoints; for serving, the age of the state that is lost, twice its mean [h]
    restart_h : i, to load the state and start again [h]
    repair_h : r, until the failed units work again or a spare from the shelf is in their place [h]
    failover_h : f, until the survivors of a fault-tolerant job go on [h]

    Derivation. Let the fault strike at an even chance between two checkpoints. Work since the last one, c / 2 on
    average, is lost by all J; from the fault to its detection nothing useful is done; then the state is loaded. These
    follow one another, so they add up (they are not the larger of each other):

    - hot spare: units stand ready and take the place of the failed ones at the restart,
      ``loss = (d + c / 2 + i) J``;
    - cold spare: nobody stands ready, and a job that stops as one waits for the repair as well,
      ``loss = (d + c / 2 + r + i) J``. The wait costs J units, not B: the survivors stand idle;
    - fault tolerant, with the same hot spare: survivors hold the state of the failed units, so nothing is rolled back.
      All stop for d + f, and the B places are empty while the spare starts, ``d J + f J + i B``. A controller that
      would lose less by a plain restart does that: ``loss = d J + min(f J + i B, (c / 2 + i) J)``.

    Hence loss(fault tolerant) <= loss(hot) <= loss(cold) for every valid input. Not in the loss of a failure: what a
    hot spare costs while it waits (`spare_fraction`) and what fault tolerance costs in every hour
    (``overhead_fraction`` of `goodput_fraction`): with few failures these may well decide for the cold spare.
    """

    job_units: npt.ArrayLike
    blast_units: npt.ArrayLike
    detect_h: npt.ArrayLike
    checkpoint_h: npt.ArrayLike
    restart_h: npt.ArrayLike
    repair_h: npt.ArrayLike
    failover_h: npt.ArrayLike = 0.0

    def __post_init__(self) -> None:
        job, blast = as_array(self.job_units), as_array(self.blast_units)
        require(np.isfinite(job) & (blast > 0) & (blast <= job), "the blast radius lies above 0 and within the job")
        for name in ("detect_h", "checkpoint_h", "restart_h", "repair_h", "failover_h"):
            _not_negative(getattr(self, name), name)

    @property
    def hot_loss_unit_h(self) -> Array:
        """Goodput lost in a failure with a hot spare, ``(d + c / 2 + i) J`` [unit-hours]."""
        return np.asarray(self._stopped_h() * as_array(self.job_units))

    @property
    def cold_loss_unit_h(self) -> Array:
        """Goodput lost in a failure with a cold spare, ``(d + c / 2 + i + r) J`` [unit-hours]."""
        return np.asarray((self._stopped_h() + as_array(self.repair_h)) * as_array(self.job_units))

    @property
    def tolerant_loss_unit_h(self) -> Array:
        """Goodput lost in a failure of a fault-tolerant job, ``d J + min(f J + i B, (c / 2 + i) J)`` [unit-hours]."""
        job, restart = as_array(self.job_units), as_array(self.restart_h)
        goes_on = (as_array(self.detect_h) + as_array(self.failover_h)) * job + restart * as_array(self.blast_units)
        return np.minimum(goes_on, self.hot_loss_unit_h)

    def _stopped_h(self) -> Array:
        return np.asarray(as_array(self.detect_h) + 0.5 * as_array(self.checkpoint_h) + as_array(self.restart_h))


def goodput_fraction(
    failures_per_unit_year: npt.ArrayLike, loss_unit_h: npt.ArrayLike, overhead_fraction: npt.ArrayLike = 0.0
) -> Array:
    """Share of a job's capacity that does useful work, ``(1 - o) / (1 + rate L / 8760)`` [1].

    Parameters
    ----------
    failures_per_unit_year : all interruptions of one unit, per year in which the job runs [1/unit-year]
    loss_unit_h : L, goodput that the job loses in one failure, from `Recovery` [unit-hours]
    overhead_fraction : o, share of every running hour spent on checkpoints or on redundancy, in 0..1 [1]

    Failures come at a constant rate while the job runs, so running and lost time alternate (a renewal process). A job
    of J units fails J times as often as a unit and loses L / J hours each time: J cancels, but L grows with J. Work
    done twice counts as lost time, which holds while failures are rare beside checkpoints. For failures counted in
    calendar time use `effective_time_fraction`.
    """
    rate, loss = _not_negative(failures_per_unit_year, "rates"), _not_negative(loss_unit_h, "losses")
    overhead = _share(overhead_fraction, "the overhead")
    return np.asarray((1.0 - overhead) / (1.0 + rate * loss / HOURS_PER_YEAR))


def effective_time_fraction(interruptions_per_year: npt.ArrayLike, lost_h: npt.ArrayLike) -> Array:
    """Share of calendar time that was useful, ``1 - n h / 8760``, with n interruptions counted in calendar time [1].

    Parameters
    ----------
    interruptions_per_year : of the whole job, planned and unplanned [1/year]
    lost_h : hours lost by each, its time out and the work done twice [h]

    Raises ValueError where more hours are lost than there are: such a rate cannot have been counted.
    """
    count, lost = _not_negative(interruptions_per_year, "interruptions"), _not_negative(lost_h, "hours lost")
    share = 1.0 - count * lost / HOURS_PER_YEAR
    require(share >= 0, "more hours are lost than the year has")
    return np.asarray(share)
