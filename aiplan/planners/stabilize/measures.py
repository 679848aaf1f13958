"""Measures of a scenario as a mix, and what its search may combine."""

from __future__ import annotations

from aiplan.errors import InputError, Problem
from aiplan.inputs.quantity import Quantity
from aiplan.planners.stabilize.candidates import Options
from aiplan.planners.stabilize.case import Case
from aiplan.planners.stabilize.fits import unfit
from aiplan.planners.stabilize.inputs import Mitigation, StorageMeasure
from aiplan.planners.stabilize.mitigation import INFINITE, GpuSmoothing, Mix, SecondaryLoad, StartCap, Storage

DAY_S = 86_400.0


def measures(case: Case) -> tuple[Mix | None, Options]:
    """The measures a scenario takes as they stand, None where it leaves them to the search, and what that may combine.

    Raises
    ------
    InputError for storage without a size or with two (E313), storage larger than the site (E314), technologies that
    cannot stand there (E315), levels above what an accelerator draws (E316), and runs too short or too long (E312).
    """
    made = _Measures(case)
    asked = None if case.inputs.mitigation is None else made.mix(case.inputs.mitigation)
    allowed = made.options()
    problems = [*made.problems, *unfit(case, asked, allowed)]
    if problems:
        raise InputError(problems)
    return asked, allowed


class _Measures:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.problems: list[Problem] = []

    def mix(self, given: Mitigation) -> Mix:
        """The measures as they stand, powers per accelerator [W]; what is wrong goes to ``problems``."""
        gpu = secondary = start_cap = None
        if given.gpu is not None:
            path = "mitigation.gpu"
            floor = self._level(f"{path}.floor_fraction", "floor of accelerators over TDP", given.gpu.floor_fraction)
            gpu = GpuSmoothing(
                floor, self._rate(f"{path}.ramp_up_w_per_s", "rise of an accelerator", given.gpu.ramp_up_w_per_s),
                self._rate(f"{path}.ramp_down_w_per_s", "fall of an accelerator", given.gpu.ramp_down_w_per_s),
                0.0 if given.gpu.hysteresis_s is None
                else self._value(f"{path}.hysteresis_s", "hysteresis of accelerators", given.gpu.hysteresis_s),
            )  # fmt: skip
        if given.software is not None:
            path = "mitigation.software"
            secondary = SecondaryLoad(
                self._level(f"{path}.level_fraction", "software load over TDP", given.software.level_fraction),
                self._value(f"{path}.delay_s", "delay of telemetry", given.software.delay_s),
                self._value(f"{path}.back_off_s", "back-off of the software load", given.software.back_off_s),
                self.case.edpp_w,
                self._value(f"{path}.slowdown_fraction", "slowdown beside it", given.software.slowdown_fraction),
            )
        if given.start_cap is not None:
            path = "mitigation.start_cap"
            start_cap = StartCap(
                self._value(f"{path}.duration_s", "length of the cap on start", given.start_cap.duration_s),
                self._level(f"{path}.initial_fraction", "cap at the start over TDP", given.start_cap.initial_fraction),
                self.case.tdp_w,
            )
        storage = tuple(self._storage(f"mitigation.storage.{name}", one) for name, one in given.storage.items())
        factor = 1.0
        if given.period_factor is not None:
            factor = self._value(
                "mitigation.period_factor", "work of an iteration over that asked", given.period_factor
            )
        # Storage near the accelerators sees the load first.
        ordered = sorted(
            (one for one in storage if one is not None), key=lambda one: ("psu", "rack", "site").index(one.level)
        )
        return Mix(gpu, secondary, start_cap, tuple(ordered), factor, given.stagger)

    def _value(self, path: str, label: str, quantity: Quantity) -> float:
        self.case.parameters.add(path, label, quantity, low=0.0)
        return float(quantity.distribution.median)

    def _rate(self, path: str, label: str, quantity: Quantity | None) -> float:
        return INFINITE if quantity is None else self._value(path, label, quantity)

    def _level(self, path: str, label: str, quantity: Quantity) -> float:
        """A level over TDP as power [W]."""
        return self._within(path, self._value(path, label, quantity))

    def _within(self, path: str, share: float) -> float:
        """A share of TDP as power, which must not pass what an accelerator draws for a moment [W]."""
        watts = share * self.case.tdp_w
        if watts > self.case.edpp_w * (1 + 1e-9):
            most = self.case.edpp_w / self.case.tdp_w
            self._problem("E316", f"is {watts / self.case.tdp_w:g} of TDP, more than the {most:g} an accelerator draws "
                          "for a moment", path, "lower it, or raise machine.edpp_factor")  # fmt: skip
        return watts

    def options(self) -> Options:
        """What the search may combine, powers per accelerator [W]; what is wrong goes to ``problems``."""
        case, search = self.case, self.case.inputs.search
        delay = self._value("search.software_delay_s", "delay of telemetry", search.software_delay_s)
        slower = self._value("search.software_slowdown_fraction", "slowdown beside a software load",
                             search.software_slowdown_fraction)  # fmt: skip
        levels = self._levels("search.software_fractions", search.software_fractions)
        secondary = tuple(SecondaryLoad(level, delay, delay, case.edpp_w, slower) for level in levels if level > 0)
        floors = self._levels("search.floor_fractions", search.floor_fractions)
        possible = self.case.smoothing if search.floor_possible is None else search.floor_possible
        if not possible:
            floors = ()
        several = any(job.count > 1 for job in case.site.jobs)
        named = [case.catalog.resolve("storage", name) for name in search.technologies]
        return Options(
            floors or (0.0,), (search.ramp_factors if possible else ()) or (0.0,), search.hysteresis_s,
            secondary, case.site.idle_w if search.start_cap else None,
            tuple(case.technologies[name] for name in dict.fromkeys(named)), search.levels,
            search.time_constants_s or (0.0,), search.period_factors or (1.0,),
            (False, True) if search.stagger and several else (False,),
        )  # fmt: skip

    def _levels(self, path: str, shares: tuple[float, ...]) -> tuple[float, ...]:
        """Levels over TDP as power [W]."""
        return tuple(self._within(f"{path}.{place}", share) for place, share in enumerate(shares))

    def _problem(self, code: str, message: str, path: str, hint: str) -> None:
        self.problems.append(Problem(code, f"{path}: {message}", path, hint=hint))

    def _storage(self, path: str, given: StorageMeasure) -> Storage | None:
        case, before = self.case, len(self.problems)
        site = case.site
        technology = case.technologies[case.catalog.resolve("storage", given.technology)]
        if given.level not in technology.levels:
            self._problem("E315", f"{technology.name} does not stand at level '{given.level}'", f"{path}.level",
                          f"one of {', '.join(technology.levels)}")  # fmt: skip
        if given.energy_wh is not None and given.energy_j_per_gpu is not None:
            self._problem("E313", "has energy in all and energy per accelerator", path, "keep one of the two")
            return None
        if given.energy_wh is not None:
            energy = 3600.0 * self._value(f"{path}.energy_wh", "energy of storage", given.energy_wh)
        elif given.energy_j_per_gpu is not None:
            each = self._value(f"{path}.energy_j_per_gpu", "energy of storage per accelerator", given.energy_j_per_gpu)
            energy = each * site.accelerators
        elif technology.energy_j_per_gpu is not None:
            energy = technology.energy_j_per_gpu * site.accelerators
        else:
            self._problem("E313", "says nothing of its energy", path, "give energy_mwh or energy_j_per_gpu")
            return None
        if given.power_w is not None:
            power = self._value(f"{path}.power_w", "rating of storage", given.power_w)
        peak = max(phase.power_w for job in site.jobs for phase in job.phases) + site.constant_w
        draws = peak * site.accelerators
        if given.power_w is None:
            # No more than the job itself draws: a larger rating would never be used.
            power = min(energy / technology.least_duration_s if technology.least_duration_s > 0 else INFINITE, draws)
        if power > 2.0 * draws:
            self._problem("E314", f"is rated at {power / 1e6:,.4g} MW, more than twice the {draws / 1e6:,.4g} MW that "
                          "the jobs draw", f"{path}.power_w", "check the unit")  # fmt: skip
        if energy > DAY_S * draws:
            self._problem("E314", f"holds {energy / 3.6e9:,.4g} MWh, more than the jobs use in a day", path,
                          "check the unit")  # fmt: skip
        if len(self.problems) > before:
            return None
        count = 1.0 if given.level == "site" else site.accelerators
        start = 0.5
        if given.initial_fraction is not None:
            start = self._value(f"{path}.initial_fraction", "state of charge at the beginning", given.initial_fraction)
        return Storage(
            technology.id, given.level, energy / count, power / count, technology.round_trip,
            self._value(f"{path}.time_constant_s", "time constant of storage", given.time_constant_s),
            self._rate(f"{path}.ramp_up_w_per_s", "rise of the grid behind storage", given.ramp_up_w_per_s) / count,
            self._rate(f"{path}.ramp_down_w_per_s", "fall of the grid behind storage", given.ramp_down_w_per_s) / count,
            start,
        )  # fmt: skip


__all__ = ["measures"]
