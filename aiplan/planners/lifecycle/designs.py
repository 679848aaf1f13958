"""Designs of a site: where power is pooled, how servers are cooled, what connects them.

A design changes costs per watt, and it changes what a watt carries: power stranded in domains that whole units do not
fill, servers beyond nameplate where their loads level out, fans that are not there, throughput lost to heat or won by
links. Pure functions of numbers; the catalog is read in `site_designs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.power.demand import Demand, Mix
from aiplan.planners.power.multiplexing import ServerClass
from aiplan.planners.power.packing import SLACK, stranded_fraction

Bools = npt.NDArray[np.bool_]
PLATE_W = 1e6
"""Rating that statistics of a load are scaled to: the power planner rounds limits to 1 mW [W]."""


@dataclass(frozen=True, slots=True)
class PowerOption:
    """Where power is pooled: watts of one domain, and cost of the power plant per watt of IT power."""

    name: str
    domain_w: float
    usd_per_w: float

    def __post_init__(self) -> None:
        require(0 < self.domain_w < np.inf, f"{self.name}: domain_w must be above 0 and finite")
        require(0 <= self.usd_per_w < np.inf, f"{self.name}: usd_per_w must be 0 or more")


@dataclass(frozen=True, slots=True)
class CoolingOption:
    """A cooling plant at a place.

    Attributes
    ----------
    usd_per_w : cost of the plant per watt of IT power
    pue_mean, pue_peak : facility over IT power, in the mean of the energy, and at full load in the worst hour; chillers
        at part load may make the mean the larger one [1]
    wue_l_per_kwh : water on site over IT energy; nan where not known
    derate : throughput lost to heat [1]
    fan_saved : power of a server that its fans no longer draw [1]
    rack_limit_w : heat of one rack that it removes [W]
    liquid_fraction : share of the IT heat that goes into liquid [1]
    """

    name: str
    usd_per_w: float
    pue_mean: float
    pue_peak: float
    wue_l_per_kwh: float = np.nan
    derate: float = 0.0
    fan_saved: float = 0.0
    rack_limit_w: float = np.inf
    liquid_fraction: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.usd_per_w < np.inf, f"{self.name}: usd_per_w must be 0 or more")
        pue = as_array([self.pue_mean, self.pue_peak])
        require((pue >= 1) & np.isfinite(pue), f"{self.name}: pue_mean and pue_peak must be 1 or more")
        require(not self.wue_l_per_kwh < 0, f"{self.name}: wue_l_per_kwh must be 0 or more")
        require(
            0 <= self.derate < 1 and 0 <= self.fan_saved < 1, f"{self.name}: derate, fan_saved must be 0 to below 1"
        )
        require(self.rack_limit_w > 0, f"{self.name}: rack_limit_w must be above 0")
        require(0 <= self.liquid_fraction <= 1, f"{self.name}: liquid_fraction must be 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOption:
    """A network, per server of eight accelerators.

    Attributes
    ----------
    usd_per_server, usd_per_server_year : cost and upkeep
    throughput : requests served over those with the plain network, a number or shape (G,) [1]
    price_fraction : cost on top of ``usd_per_server``, over the price of the server [1]
    """

    name: str
    usd_per_server: float
    usd_per_server_year: float
    throughput: float | Array = 1.0
    price_fraction: float = 0.0

    def __post_init__(self) -> None:
        money = as_array([self.usd_per_server, self.usd_per_server_year, self.price_fraction])
        require((money >= 0) & np.isfinite(money), f"{self.name}: costs must be 0 or more")
        require((as_array(self.throughput) > 0) & np.isfinite(self.throughput), f"{self.name}: throughput must be > 0")


@dataclass(frozen=True, slots=True, eq=False)
class Designs:
    """Every combination of options: D designs, power outermost and network innermost, for G generations.

    Attributes
    ----------
    power, cooling, network : names of the options, length D
    stranding : power set aside beyond nameplate, over nameplate, shape (D, G) [1]
    oversubscription : servers behind a domain over those by nameplate, shape (D, G) [1]
    fan_saved, derate, throughput : shape (D, G) [1]; the first two are 0 for units cooled by liquid alone
    hosts : whether a design can cool a generation's unit, shape (D, G)
    pue_mean, pue_peak : shape (D,) [1]
    wue_l_per_kwh : shape (D,), nan where not known
    power_usd_per_w, cooling_usd_per_w : per watt of IT power, shape (D,)
    network_usd, network_usd_per_year : per unit, shape (D, G)
    network_price_fraction : network cost on top, over the price of the unit, shape (D,) [1]
    """

    power: tuple[str, ...]
    cooling: tuple[str, ...]
    network: tuple[str, ...]
    stranding: Array
    oversubscription: Array
    fan_saved: Array
    derate: Array
    throughput: Array
    hosts: Bools
    pue_mean: Array
    pue_peak: Array
    wue_l_per_kwh: Array
    power_usd_per_w: Array
    cooling_usd_per_w: Array
    network_usd: Array
    network_usd_per_year: Array
    network_price_fraction: Array

    @property
    def size(self) -> int:
        """Number of designs D."""
        return len(self.power)

    @property
    def names(self) -> tuple[str, ...]:
        """Power, cooling and network of every design in one text."""
        return tuple(" / ".join(parts) for parts in zip(self.power, self.cooling, self.network, strict=True))

    @property
    def hall_share(self) -> Array:
        """Watts of a hall that a watt of nameplate takes, ``(1 - f) (1 + st) / os``, shape (D, G) [1]."""
        return np.asarray((1.0 - self.fan_saved) * (1.0 + self.stranding) / self.oversubscription)

    @property
    def useful(self) -> Array:
        """Requests served over those of the plain server, ``throughput (1 - derate)``, shape (D, G) [1]."""
        return np.asarray(self.throughput * (1.0 - self.derate))

    def place(self, power: str, cooling: str, network: str) -> int:
        """Where a design stands; ValueError where there is none of these names."""
        wanted = (power, cooling, network)
        found = [at for at, one in enumerate(zip(self.power, self.cooling, self.network, strict=True)) if one == wanted]
        require(bool(found), f"no design {' / '.join(wanted)}")
        return found[0]


def stranding(domain_w: npt.ArrayLike, unit_w: npt.ArrayLike) -> Array:
    """Power set aside for whole units beyond what they are rated at, over that rating [1].

    ``dom / (floor(dom / P) P) - 1`` for units that fit into a domain, ``ceil(P / dom) dom / P - 1`` for larger ones,
    which take whole domains. Relative to power used; the share of the domain that is lost is ``st / (1 + st)``.

    Parameters
    ----------
    domain_w, unit_w : above 0, any shapes that broadcast [W]

    Source: floor rule of Stojkovic et al. 2026 (published); the form for larger units is derived.

    >>> [round(float(one), 4) for one in stranding([40e3, 300e3], 10.2e3)]
    [0.3072, 0.0139]
    """
    domain, unit = np.broadcast_arrays(as_array(domain_w), as_array(unit_w))
    require((domain > 0) & np.isfinite(domain) & (unit > 0) & np.isfinite(unit), "domain and unit must be above 0 W")
    found = np.empty(domain.shape)
    for at in np.ndindex(domain.shape):
        found[at] = _stranding(float(domain[at]), float(unit[at]))
    return found


def _stranding(domain: float, unit: float) -> float:
    if unit > domain * (1 + SLACK):
        return float(_domains_of(unit, domain)) * domain / unit - 1.0
    return max(1.0 / (1.0 - stranded_fraction(domain, unit)) - 1.0, 0.0)


def _domains_of(power: float, domain: float) -> int:
    """Whole domains that one unit larger than a domain takes."""
    return max(int(np.ceil(power / domain * (1 - SLACK))), 1)


def oversubscription(
    domain_w: npt.ArrayLike, rated_w: npt.ArrayLike, load: ServerClass | Mix | None, probability: float = 0.999
) -> Array:
    """Servers behind a domain when their sum may be planned, over those that fit by nameplate [1].

    The percentile rule of the power planner: as many as keep the sum below the domain with a probability. Goes with
    `stranding`, which counts nameplate in whole units: ``P (1 + st) / os`` is the power that a server takes. A unit
    larger than a domain takes as many whole domains as keep it within them with that probability.

    Parameters
    ----------
    domain_w, rated_w : any shapes that broadcast [W]
    load : mean, deviation, floor and peak of one server in shares of its rating, peak at most 1, and correlation; the
        count is not read. Several classes as a `Mix` of such shares. None: rule nameplate, 1 everywhere
    probability : share of time in which a domain's sum stays below its limit, 0.5 to below 1 [1]

    Raises ValueError where no load is like that. Equations: aiplan.planners.power.multiplexing.
    """
    domain, rated = np.broadcast_arrays(as_array(domain_w), as_array(rated_w))
    require((domain > 0) & np.isfinite(domain) & (rated > 0) & np.isfinite(rated), "domain and unit must be above 0 W")
    if load is None:
        return np.ones(domain.shape)
    require(0.5 <= probability < 1, "probability must be at least 0.5 and below 1")
    mix = _mix(load)
    # In shares of a server's rating, so that one mix serves units of every size.
    room = domain / rated
    found = np.ones(room.shape)
    fits = room >= 1 - SLACK
    demand = Demand("percentile", PLATE_W, mix=mix, probability=1.0 - probability)
    planned = demand.rated_w(room[fits] * (1 + SLACK) * PLATE_W) / PLATE_W
    found[fits] = np.maximum(planned / np.floor(room[fits] * (1 + SLACK)), 1.0)
    for at in np.argwhere(~fits):
        one = float(room[tuple(at)])
        by_plate = _domains_of(1.0, one)
        over = mix.over(np.ones(by_plate), np.arange(1, by_plate + 1) * one * (1 + SLACK) * PLATE_W)
        found[tuple(at)] = by_plate / (1.0 + np.count_nonzero(over[:-1] > 1.0 - probability))
    return found


def _mix(load: ServerClass | Mix) -> Mix:
    """Classes in shares of a rating as classes of servers of `PLATE_W`."""
    mix = load if isinstance(load, Mix) else Mix((load,), np.ones(1), np.zeros((1, 1)))
    require(mix.peak_w <= 1, "the peak of a server must be at most its rating")
    watts = tuple(
        replace(one, count=1, mean_w=_watts(one.mean_w), sd_w=_watts(one.sd_w), peak_w=_watts(one.peak_w),
                floor_w=_watts(one.floor_w))
        for one in mix.classes
    )  # fmt: skip
    return replace(mix, classes=watts, constant_w=mix.constant_w * PLATE_W)


def _watts(share: npt.ArrayLike) -> Array:
    return as_array(share) * PLATE_W


def enumerate_designs(
    power: Sequence[PowerOption],
    cooling: Sequence[CoolingOption],
    network: Sequence[NetworkOption],
    rated_w: npt.ArrayLike,
    network_scale: npt.ArrayLike,
    *,
    liquid_only: npt.ArrayLike = False,
    load: ServerClass | Mix | None = None,
    probability: float = 0.999,
) -> Designs:
    """Every combination of options, with what each does to the unit of every generation.

    Parameters
    ----------
    power, cooling, network : options, at least one of each, names without repetition
    rated_w : nameplate of a generation's unit (server, or rack sold as one), shape (G,) [W]
    network_scale : its accelerators over eight, shape (G,) [1]
    liquid_only : whether it must have liquid, shape (G,) or one for all
    load, probability : see `oversubscription`; by nameplate where None

    Stranding is counted at the plate of the server that stands there: one without its fans has a smaller one. Units
    that must have liquid have neither fans to save nor heat to lose throughput to.
    """
    rated, scale = as_array(rated_w), as_array(network_scale)
    require(rated.ndim == 1 and rated.shape == scale.shape and rated.size > 0, "one rating and scale per generation")
    require((rated > 0) & np.isfinite(rated) & (scale > 0) & np.isfinite(scale), "ratings and scales must be above 0")
    for kind, options in (("power", power), ("cooling", cooling), ("network", network)):
        names = [one.name for one in options]
        require(bool(names) and len(set(names)) == len(names), f"{kind}: one option or more, no name twice")
    shape = len(power), len(cooling), len(network)
    p, c, n = (np.asarray(one).ravel() for one in np.indices(shape))
    generations = rated.size
    wet = np.broadcast_to(np.asarray(liquid_only, dtype=np.bool_), (generations,))
    domain = as_array([one.domain_w for one in power])[:, None]
    limit = as_array([one.rack_limit_w for one in cooling])[:, None]
    liquid = as_array([one.liquid_fraction for one in cooling])[:, None] > 0

    def cooled(name: str) -> Array:
        return np.asarray(as_array([getattr(one, name) for one in cooling])[c])

    def dry_only(name: str) -> Array:
        return np.where(wet, 0.0, cooled(name)[:, None])

    def linked(name: str) -> Array:
        return np.asarray(as_array([getattr(one, name) for one in network])[n])

    # A server without its fans has a smaller plate, and a domain holds whole servers.
    plate = rated * (1.0 - dry_only("fan_saved"))
    gains = np.stack([np.broadcast_to(as_array(one.throughput), (generations,)) for one in network])
    return Designs(
        tuple(power[at].name for at in p), tuple(cooling[at].name for at in c), tuple(network[at].name for at in n),
        stranding=stranding(domain[p], plate), oversubscription=oversubscription(domain[p], plate, load, probability),
        fan_saved=dry_only("fan_saved"), derate=dry_only("derate"), throughput=gains[n],
        hosts=((rated <= limit * (1 + SLACK)) & (liquid | ~wet))[c],
        pue_mean=cooled("pue_mean"), pue_peak=cooled("pue_peak"), wue_l_per_kwh=cooled("wue_l_per_kwh"),
        power_usd_per_w=as_array([one.usd_per_w for one in power])[p], cooling_usd_per_w=cooled("usd_per_w"),
        network_usd=linked("usd_per_server")[:, None] * scale,
        network_usd_per_year=linked("usd_per_server_year")[:, None] * scale,
        network_price_fraction=linked("price_fraction"),
    )  # fmt: skip
