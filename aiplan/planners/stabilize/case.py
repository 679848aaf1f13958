"""A scenario of `aiplan stabilize` with every name looked up and every number kept with its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity, constant
from aiplan.planners.lifecycle.plants import equipment_losses
from aiplan.planners.lifecycle.site_designs import cost_entry
from aiplan.planners.parameters import Parameters
from aiplan.planners.power.losses import Losses
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.stabilize.annual import DAYS_PER_YEAR, HOURS_PER_YEAR, Rates
from aiplan.planners.stabilize.assess import Caps, Prices
from aiplan.planners.stabilize.inputs import Job, StabilizeInputs
from aiplan.planners.stabilize.job_model import Computed, computed_phases
from aiplan.planners.stabilize.limits import Limits
from aiplan.planners.stabilize.limits_inputs import to_limits
from aiplan.planners.stabilize.run_length import between_checkpoints_s, run_length
from aiplan.planners.stabilize.scene import JobSpec, Site
from aiplan.planners.stabilize.storage_entries import technology_of
from aiplan.planners.stabilize.technology import Technology
from aiplan.planners.stabilize.timeline import Pause, Phase
from aiplan.report.model import Warn

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

SAMPLING_HZ = 50.0
OVER_NYQUIST = 2.5
"""Samples per second over the highest frequency limited [1]."""
INFINITE = float("inf")
WH_PER_KWH = 1e3
SMOOTHING = ("NVIDIA", date(2024, 11, 1))
"""Maker and day from which accelerators have power smoothing: Blackwell (NVML, group nvmlPowerSmoothing; published)."""

Made = TypeVar("Made")


@dataclass(slots=True)
class Case:
    """What is asked, with every name looked up.

    Attributes
    ----------
    site, limits : what is simulated, and what it is held to
    tdp_w, edpp_w : of an accelerator, sustained and for a moment [W]
    settle_s : after a transient, before the state is steady [s]
    technologies : storage by name, that of measures included
    rates : how often a year has what the run has once
    rated_w : rating of a server per accelerator [W]
    smoothing : whether its accelerators are known to hold a floor and ramps
    computed : iterations that were computed, by job
    """

    inputs: StabilizeInputs
    catalog: Catalog
    site: Site
    limits: Limits
    tdp_w: float
    edpp_w: float
    settle_s: float
    technologies: dict[str, Technology]
    prices: Prices
    caps: Caps
    rates: Rates
    parameters: Parameters
    accelerator: str
    server: str
    rated_w: float
    smoothing: bool
    computed: dict[str, Computed] = field(default_factory=dict)
    warnings: list[Warn] = field(default_factory=list)


def build_case(inputs: StabilizeInputs, catalog: Catalog) -> Case:
    """Look everything up.

    Raises
    ------
    InputError with everything that is wrong with the scenario.
    """
    return _Builder(inputs, catalog).build()


class _Builder:
    def __init__(self, inputs: StabilizeInputs, catalog: Catalog) -> None:
        self.inputs, self.catalog = inputs, catalog
        self.parameters = Parameters()
        self.problems: list[Problem] = []
        self.warnings: list[Warn] = []
        self.computed: dict[str, Computed] = {}

    def build(self) -> Case:
        """The case the scenario describes.

        Raises
        ------
        InputError with everything that is wrong with it, not only the first.
        """
        inputs = self.inputs
        limits = self._caught(lambda: to_limits(inputs.limits, self.catalog, self.parameters, self.warnings))
        for name, job in inputs.jobs.items():
            self._whole(f"jobs.{name}", job)
        conversion, technologies = self._equipment(), self._technologies()
        carbon, interruptions = self._carbon(), self._interruptions()
        entry, accelerator = self._machine()
        tdp, edpp, idle, around, rated = self._powers(entry, accelerator)
        jobs = [self._job(name, job, entry, tdp) for name, job in inputs.jobs.items()]
        prices = self._prices(accelerator, entry, carbon)
        found = [job for job in jobs if job is not None]
        if self.problems or limits is None or len(found) < len(jobs):
            raise InputError(self.problems)
        peak = sum(job.accelerators * job.count * (max(one.power_w for one in job.phases) + around) for job in found)
        if peak <= 0:
            self._problem("E310", "draw no power at all", "jobs", "give power_fraction, or machine.constant_w")
            raise InputError(self.problems)
        simulation = inputs.simulation
        run = run_length(inputs, found, limits, idle)
        rate = simulation.sampling_hz or max(SAMPLING_HZ, OVER_NYQUIST * _highest(limits))
        facility = inputs.facility
        load = self._value("facility.load_fraction", "peak load of devices over their rating", facility.load_fraction)
        site = Site(
            tuple(found), idle, around,
            self._value("machine.device_time_constant_s", "lag of an accelerator's power",
                        inputs.machine.device_time_constant_s),
            tuple((losses, peak / load) for losses in conversion),
            self._value("facility.cooling_fraction", "cooling over IT power", facility.cooling_fraction),
            self._value("facility.cooling_time_constant_s", "time constant of cooling",
                        facility.cooling_time_constant_s),
            self._value("facility.other_w", "other load", facility.other_w),
            1.0 / rate, run.duration_s, run.idle_s, inputs.uncertainty.seed,
        )  # fmt: skip
        smoothing = accelerator.vendor == SMOOTHING[0] and accelerator.released >= SMOOTHING[1]
        return Case(
            inputs, self.catalog, site, limits, tdp, edpp, run.settle_s, technologies, prices, self._caps(prices),
            self._rates(site, interruptions), self.parameters, accelerator.name, entry.name, rated, smoothing,
            self.computed, self.warnings,
        )  # fmt: skip

    def _caps(self, prices: Prices) -> Caps:
        """What measures must keep to."""
        search = self.inputs.search
        room = search.most_storage_wh
        return Caps(
            self._value("search.most_energy_overhead_fraction", "most energy that measures may add",
                        search.most_energy_overhead_fraction),
            self._value("search.most_slowdown_fraction", "most time that measures may add",
                        search.most_slowdown_fraction),
            INFINITE if room is None else 3600.0 * self._value("search.most_storage_wh", "room for storage", room),
            prices.years,
        )  # fmt: skip

    def _value(self, path: str, label: str, quantity: Quantity, high: float = INFINITE) -> float:
        """A number of the scenario, kept with its source; at its median."""
        self.parameters.add(path, label, quantity, low=0.0, high=high)
        return float(quantity.distribution.median)

    def _optional(self, path: str, label: str, quantity: Quantity | None) -> float:
        """The same of a number that may be absent, then 0."""
        return 0.0 if quantity is None else self._value(path, label, quantity)

    def _problem(self, code: str, message: str, path: str, hint: str) -> None:
        self.problems.append(Problem(code, f"{path}: {message}", path, hint=hint))

    def _caught(self, made: Callable[[], Made]) -> Made | None:
        """What a look-up gives; what is wrong with it is told with everything else."""
        try:
            return made()
        except InputError as error:
            self.problems += error.problems
            return None

    def _machine(self) -> tuple[Any, Any]:
        try:
            entry = self.catalog.get("servers", self.inputs.machine.server)
        except InputError as error:
            raise InputError([*self.problems, *error.under("machine.server")]) from None
        return entry, self.catalog.get("accelerators", entry.accelerator)

    def _powers(self, entry: Any, accelerator: Any) -> tuple[float, float, float, float, float]:
        """TDP and its ceiling, idle power, what stands around an accelerator, and a server's rating per accelerator."""
        machine, count = self.inputs.machine, float(entry.accelerator_count)
        if machine.tdp_w is not None:
            tdp = self._value("machine.tdp_w", "TDP of an accelerator", machine.tdp_w)
        elif accelerator.tdp_w is not None:
            tdp = self._value(f"accelerators.{entry.accelerator}.tdp_w", "TDP of an accelerator", accelerator.tdp_w)
        else:
            tdp = 1.0
            self._problem(
                "E310", f"the catalog has no TDP of {accelerator.name}", "machine.server", "give machine.tdp_w"
            )
        if machine.constant_w is not None:
            around = self._value("machine.constant_w", "host and network of an accelerator", machine.constant_w)
        else:
            name = self.catalog.resolve("servers", self.inputs.machine.server)
            around = self._value(f"servers.{name}.host_power_w", "host of a server", entry.host_power_w) / count
        idle = machine.idle_fraction
        if idle is None:
            share = POWER_CONSTANTS[power_class(entry.accelerator)].idle_share
            idle = constant(share, "mlenergy-leaderboard-v3", "estimate", "derived")
        share = self._value("machine.idle_fraction", "idle power of an accelerator over TDP", idle)
        edpp = self._value("machine.edpp_factor", "most power for a moment over TDP", machine.edpp_factor)
        return tdp, edpp * tdp, share * tdp, around, float(entry.max_power_w.distribution.median) / count

    def _whole(self, path: str, job: Job) -> None:
        """What is missing from a job, or there twice."""
        if bool(job.phases) == (job.training is not None):
            what = "has phases and training" if job.phases else "has neither phases nor training"
            self._problem("E310", what, path, "give the phases of an iteration, or training to compute them")
        if (job.start_up_s is None) != (job.start_up_fraction is None):
            self._problem("E310", "needs start_up_s and start_up_fraction, or neither", path, "add what is missing")

    def _job(self, name: str, job: Job, entry: Any, tdp: float) -> JobSpec | None:
        path, before = f"jobs.{name}", len(self.problems)
        if any(problem.path == path for problem in self.problems):
            return None
        if job.training is not None:
            training = job.training
            computed = self._caught(
                lambda: computed_phases(training, job.accelerators, entry, tdp, self.catalog, self.parameters,
                                        f"{path}.training")
            )  # fmt: skip
            if computed is None:
                return None
            phases, scales = computed.phases, computed.scales
            self.computed[name] = computed
            self.warnings += [Warn("W-STABILIZE-PLAN", f"{path}: {text}", path) for text in computed.remarks]
        else:
            phases = tuple(
                Phase(one, self._value(f"{path}.phases.{one}.duration_s", f"length of {one}", phase.duration_s),
                      tdp * self._value(f"{path}.phases.{one}.power_fraction", f"power of {one} over TDP",
                                        phase.power_fraction))
                for one, phase in job.phases.items()
            )  # fmt: skip
            scales = tuple(phase.scales for phase in job.phases.values())
        start_up: tuple[Phase, ...] = ()
        if job.start_up_s is not None and job.start_up_fraction is not None:
            seconds = self._value(f"{path}.start_up_s", "length of start-up", job.start_up_s)
            share = self._value(f"{path}.start_up_fraction", "power of start-up over TDP", job.start_up_fraction)
            start_up = (Phase("start-up", seconds, share * tdp),) if seconds > 0 else ()
        pauses = [self._pause(f"{path}.{kind}", kind, getattr(job, kind), tdp) for kind in ("evaluation", "checkpoint")]
        spec = JobSpec(
            job.accelerators, job.count, phases, scales, pauses[0], pauses[1], start_up, job.start_s,
            tuple(sorted(job.failures_s)), self._optional(f"{path}.restart_s", "wait after a failure", job.restart_s),
            self._optional(f"{path}.jitter_fraction", "jitter of phases", job.jitter_fraction),
            self._optional(f"{path}.skew_s", "skew of nodes", job.skew_s),
        )  # fmt: skip
        return spec if len(self.problems) == before else None

    def _pause(self, path: str, kind: str, given: Any, tdp: float) -> Pause | None:
        if given is None:
            return None
        seconds = self._value(f"{path}.duration_s", f"length of {kind}", given.duration_s)
        share = self._value(f"{path}.power_fraction", f"power of {kind} over TDP", given.power_fraction)
        return Pause(given.every_iterations, (Phase(kind, seconds, share * tdp),))

    def _equipment(self) -> list[Losses]:
        """Losses of the devices named, from the servers outwards."""
        named: dict[str, str] = {kind: name for kind, name in self.inputs.facility.equipment.items() if name}
        if not named:
            return []
        found = self._caught(lambda: equipment_losses(self.catalog, self.parameters, named, "facility.equipment"))
        return [] if found is None else [found[0][kind] for kind in ("pdu", "ups", "transformer") if kind in found[0]]

    def _carbon(self) -> float:
        """Carbon of electricity [g/kWh]."""
        name = self.inputs.cost.grid
        grid = None if name is None else self._caught(lambda: self._named("grids", name, "cost.grid"))
        if grid is None or grid.carbon_g_per_kwh is None:
            return 0.0
        return self._value(f"grids.{name}.carbon_g_per_kwh", "carbon of electricity", grid.carbon_g_per_kwh)

    def _prices(self, accelerator: Any, entry: Any, carbon_g_per_kwh: float) -> Prices:
        cost = self.inputs.cost
        energy = self._value("cost.electricity_usd_per_kwh", "price of electricity", cost.electricity_usd_per_kwh)
        if cost.gpu_usd_per_h is not None:
            hour = self._value("cost.gpu_usd_per_h", "an accelerator's hour", cost.gpu_usd_per_h)
        elif accelerator.neocloud_usd_per_h is not None:
            path = f"accelerators.{entry.accelerator}.neocloud_usd_per_h"
            hour = self._value(path, "an accelerator's hour", accelerator.neocloud_usd_per_h)
        else:
            hour = 0.0
            self._problem("E310", f"the catalog has no price of an hour of {accelerator.name}", "cost.gpu_usd_per_h",
                          "give it")  # fmt: skip
        rate = self._value("cost.rate_fraction", "cost of capital", cost.rate_fraction)
        years = self._value("cost.lifetime_years", "years that storage has to last", cost.lifetime_years)
        return Prices(energy / WH_PER_KWH, hour, rate, years, carbon_g_per_kwh / WH_PER_KWH)

    def _named(self, kind: str, name: str, path: str) -> Any:
        try:
            return self.catalog.get(kind, name)
        except InputError as error:
            raise InputError(error.under(path)) from None

    def _technologies(self) -> dict[str, Technology]:
        """Storage that may be bought or is there, by id."""
        inputs = self.inputs
        asked = [(name, f"search.technologies.{place}") for place, name in enumerate(inputs.search.technologies)]
        if inputs.mitigation is not None:
            asked += [(one.technology, f"mitigation.storage.{name}.technology")
                      for name, one in inputs.mitigation.storage.items()]  # fmt: skip
        out: dict[str, Technology] = {}
        for name, path in asked:
            entry = self._caught(lambda name=name, path=path: self._named("storage", name, path))  # type: ignore[misc]
            if entry is not None:
                known = self.catalog.resolve("storage", name)
                out[known] = technology_of(known, entry, self.parameters)
        return out

    def _interruptions(self) -> float:
        """Interruptions of an accelerator in a year."""
        name = self.inputs.year.failures
        if name is None:
            return 0.0
        entry = self._caught(lambda: cost_entry(self.catalog, name, "failures", "year.failures"))
        if entry is None or entry.interruptions_per_year is None:
            return 0.0
        return self._value(f"costs.{name}.interruptions_per_year", "interruptions of an accelerator",
                           entry.interruptions_per_year)  # fmt: skip

    def _rates(self, site: Site, interruptions: float) -> Rates:
        """How often a year has starts, checkpoints and restarts of all jobs; those of one job where jobs are equal."""
        year = self.inputs.year
        uptime = self._value("year.uptime_fraction", "share of the year in which the job runs", year.uptime_fraction)
        starts = self._value("year.starts_per_day", "starts of the job", year.starts_per_day) * DAYS_PER_YEAR
        restarts = interruptions * site.accelerators * uptime
        return Rates(uptime, starts, self._checkpoints(site, uptime), restarts)

    def _checkpoints(self, site: Site, uptime: float) -> float:
        """Checkpoints of a year, of the job that writes most."""
        given = self.inputs.year.checkpoints_per_day
        if given is not None:
            return self._value("year.checkpoints_per_day", "checkpoints of the job", given) * DAYS_PER_YEAR
        seconds = uptime * HOURS_PER_YEAR * 3600.0
        checkpoints = 0.0
        for job in site.jobs:
            if job.checkpoint is not None:
                checkpoints = max(checkpoints, seconds / between_checkpoints_s(job))
        return checkpoints


def _highest(limits: Limits) -> float:
    """The highest frequency that a limit speaks of [Hz]."""
    return max((band.high_hz for band in limits.bands), default=0.0)


__all__ = ["Case", "build_case"]
