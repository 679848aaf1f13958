"""What a mix of measures does and costs in a year, and whether it is good enough."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aiplan.planners.stabilize.annual import HOURS_PER_YEAR, Episodes, Rates
from aiplan.planners.stabilize.check import check
from aiplan.planners.stabilize.cycle_life import life_years
from aiplan.planners.stabilize.limits import Finding, Limits, Verdict, whole_verdict
from aiplan.planners.stabilize.mitigation import Mix
from aiplan.planners.stabilize.scene import Outcome, Scene, Stored
from aiplan.planners.stabilize.sizing import cycles_per_year
from aiplan.planners.stabilize.storage_cost import capital_usd, storage_annual_usd
from aiplan.planners.stabilize.technology import Technology

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost: energy [USD/Wh], an accelerator's hour [USD], capital [1 per year], and the carbon of energy.

    ``years`` is the time that storage is written off over.
    """

    energy_usd_per_wh: float
    gpu_usd_per_h: float
    rate: float
    years: float
    carbon_g_per_wh: float


@dataclass(frozen=True, slots=True)
class Caps:
    """What measures must keep to: energy and time they add, over the job's [1]; energy stored [J]; life of storage."""

    energy_overhead: float
    slowdown: float
    storage_j: float
    life_years: float


@dataclass(frozen=True, slots=True)
class StorageFigures:
    """One storage over a year.

    Attributes
    ----------
    energy_j, power_w : all units together
    cycles_per_year : equivalent full cycles, shallow ones credited by the technology's exponent [1]
    life_years : until its cycles or its calendar life are used up
    saturated_fraction : share of the run in which it cannot do what it should [1]
    losses_wh, standby_wh : a year's, and what of them keeps it ready
    capital_usd, annual_usd : price, and that as a yearly payment with upkeep
    """

    technology: Technology
    level: str
    energy_j: float
    power_w: float
    cycles_per_year: float
    life_years: float
    saturated_fraction: float
    losses_wh: float
    standby_wh: float
    capital_usd: float
    annual_usd: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """A mix held to limits and caps.

    Attributes
    ----------
    findings, verdict : by the limits
    overhead_wh, overhead_fraction : energy that measures add to a year's work, and over the job's
    withheld_fraction, slowdown_fraction : work held back over the job's; with what a filler slows down and what a
        shorter iteration costs, the time that measures add over the job's [1]
    energy_usd, slowdown_usd, storage_usd : parts of a year's cost
    carbon_g : of the energy added in a year
    rejected : ids of caps that are broken, empty for none
    """

    mix: Mix
    findings: tuple[Finding, ...]
    verdict: Verdict
    overhead_wh: float
    overhead_fraction: float
    withheld_fraction: float
    slowdown_fraction: float
    energy_usd: float
    slowdown_usd: float
    storage_usd: float
    carbon_g: float
    storage: tuple[StorageFigures, ...]
    rejected: tuple[str, ...]

    @property
    def annual_usd(self) -> float:
        """A year's cost of the measures [USD]."""
        return self.energy_usd + self.slowdown_usd + self.storage_usd

    @property
    def feasible(self) -> bool:
        """Whether limits and caps are kept."""
        return self.verdict == "pass" and not self.rejected

    @property
    def storage_j(self) -> float:
        """Energy of all storage [J]."""
        return sum(one.energy_j for one in self.storage)

    @property
    def storage_w(self) -> float:
        """Rating of all converters [W]."""
        return sum(one.power_w for one in self.storage)


@dataclass(slots=True)
class Judge:
    """Assesses mixes of one scene; the run without measures is computed once for each schedule.

    ``hasty`` leaves the spectrum out where a limit in time is broken already.
    """

    scene: Scene
    limits: Limits
    settle_s: float
    rates: Rates
    prices: Prices
    caps: Caps
    technologies: dict[str, Technology]
    hasty: bool = False
    _raw: dict[tuple[float, bool], tuple[Outcome, Episodes, float, float]] = field(default_factory=dict)

    def raw(self, mix: Mix) -> tuple[Outcome, Episodes, float, float]:
        """The run without measures on a mix's schedule, and a year's energy at the connection and of the work [Wh]."""
        key = (mix.period_factor, mix.stagger)
        if key not in self._raw:
            found = self.scene.apply(Mix(period_factor=mix.period_factor, stagger=mix.stagger))
            assert found.poi.kind is not None  # noqa: S101 - what is simulated has kinds
            episodes = Episodes.of(found.poi.kind, found.poi.step_s, self.settle_s)
            drawn = episodes.annual(found.poi.power_w * episodes.busy, self.rates)
            around = self.scene.site.constant_w * self.scene.site.accelerators
            work = episodes.annual((found.it_w - around) * episodes.busy, self.rates)
            self._raw[key] = (found, episodes, drawn, work)
        return self._raw[key]

    def judge(self, mix: Mix) -> Assessment:
        """Assess one mix."""
        return self.assess(self.scene.apply(mix))

    def held(self, outcome: Outcome) -> tuple[Finding, ...]:
        """The limits held to a run: in time first, and in frequency only where that can still pass."""
        wave, limits = outcome.poi, self.limits
        found = check(wave, replace(limits, bands=(), flicker=None), self.settle_s)
        if self.hasty and whole_verdict(found) == "fail":
            return found
        rest = replace(limits, ramps=(), range_w=None, most_w=None, least_w=None)
        return found + check(wave, rest, self.settle_s)

    def assess(self, outcome: Outcome) -> Assessment:
        """Assess what has been simulated."""
        mix, prices = outcome.mix, self.prices
        raw, episodes, drawn_wh, work_wh = self.raw(mix)
        held = self.held(outcome)
        added = outcome.poi.power_w - raw.poi.power_w - outcome.exchange_w
        period_energy, period_time = self._period(mix.period_factor)
        storage = tuple(self._storage(one, episodes) for one in outcome.storage)
        overhead = episodes.annual(added, self.rates) + period_energy * drawn_wh
        overhead += sum(one.standby_wh for one in storage)
        withheld = episodes.annual(outcome.withheld_w, self.rates) / work_wh if work_wh > 0 else 0.0
        beside = 0.0
        if mix.secondary is not None:
            busy_h = HOURS_PER_YEAR * self.rates.uptime
            beside = mix.secondary.slowdown_fraction * episodes.annual(outcome.beside, self.rates) / busy_h
        slowdown = withheld + beside + period_time
        # Work that is held back or slowed is done later, at the job's own power.
        overhead += (withheld + beside) * drawn_wh
        gpu_hours = self.scene.site.accelerators * HOURS_PER_YEAR * self.rates.uptime
        fraction = overhead / drawn_wh
        return Assessment(
            mix, held, whole_verdict(held), overhead, fraction, withheld, slowdown,
            overhead * prices.energy_usd_per_wh, slowdown * gpu_hours * prices.gpu_usd_per_h,
            sum(one.annual_usd for one in storage), overhead * prices.carbon_g_per_wh, storage,
            self._rejected(fraction, slowdown, storage),
        )  # fmt: skip

    def _period(self, factor: float) -> tuple[float, float]:
        """Energy and time that another length of the iteration adds for the same work, over the job's [1].

        Only what it costs counts: a longer iteration hides more of its exchange, but what a larger batch does to
        learning is not modelled.
        """
        energy = time = drawn = 0.0
        for job in self.scene.site.jobs:
            other, many = job.with_period(factor), job.accelerators * job.count
            before = job.iteration_j + self.scene.site.constant_w * job.iteration_s
            after = (other.iteration_j + self.scene.site.constant_w * other.iteration_s) / factor
            drawn += many * before / job.iteration_s
            energy += many * max(after - before, 0.0) / job.iteration_s
            time += many * max(other.iteration_s / factor / job.iteration_s - 1.0, 0.0)
        return energy / drawn, time / self.scene.site.accelerators

    def _storage(self, stored: Stored, episodes: Episodes) -> StorageFigures:
        technology = self.technologies[stored.storage.technology]
        cycles = cycles_per_year(stored, technology, episodes, self.rates)
        life = float(life_years(cycles, technology.cycle_life, technology.calendar_years))
        capital = float(capital_usd(stored.power_w, stored.energy_j, technology.usd_per_w, technology.usd_per_j))
        yearly = float(storage_annual_usd(stored.power_w, stored.energy_j, technology.usd_per_w, technology.usd_per_j,
                                          self.prices.rate, self.prices.years, life, technology.upkeep))  # fmt: skip
        standby_wh = technology.standby * stored.power_w * HOURS_PER_YEAR
        return StorageFigures(
            technology, stored.storage.level, stored.energy_j, stored.power_w, cycles, life,
            float(stored.saturated.mean()), episodes.annual(stored.loss_w, self.rates) + standby_wh, standby_wh,
            capital, yearly,
        )  # fmt: skip

    def _rejected(self, overhead: float, slowdown: float, storage: tuple[StorageFigures, ...]) -> tuple[str, ...]:
        broken = {
            "energy": overhead > self.caps.energy_overhead + ROUNDING,
            "slowdown": slowdown > self.caps.slowdown + ROUNDING,
            "size": sum(one.energy_j for one in storage) > self.caps.storage_j * (1 + ROUNDING),
            "cycle life": any(one.life_years < self.caps.life_years * (1 - 1e-6) for one in storage),
        }
        return tuple(name for name, over in broken.items() if over)


__all__ = ["Assessment", "Caps", "Judge", "Prices", "StorageFigures"]
