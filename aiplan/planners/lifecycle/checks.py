"""Choices of a scenario that cannot be together, found before anything is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aiplan.errors import InputError, Problem

if TYPE_CHECKING:
    from aiplan.inputs.quantity import Quantity
    from aiplan.planners.lifecycle.inputs import LifecycleInputs

STEPS_YEARS = (1.0, 0.5, 0.25)
GROWTHS = ("growth_fraction", "model_growth_fraction", "input_growth_fraction", "output_growth_fraction")
READ = {"fixed": ("life_years",), "extend": ("life_years", "extend_years"), "skip": ("skip_count",)}
"""Fields of a policy that its rule reads; the other rules read none."""


def check(inputs: LifecycleInputs) -> None:
    """Refuse what cannot be together, all of it at once.

    Raises
    ------
    InputError with every problem.
    """
    found = [*_horizon(inputs), *_policies(inputs), *_baseline(inputs), *_demand(inputs), *_pairs(inputs)]
    if found:
        raise InputError(found)


def median(quantity: Quantity) -> float:
    """What an input is planned at."""
    return float(quantity.distribution.median)


def _horizon(inputs: LifecycleInputs) -> Iterator[Problem]:
    horizon = inputs.horizon
    if horizon.step_years not in STEPS_YEARS:
        text = f"horizon.step_years: {horizon.step_years:g} is no period"
        yield Problem("E276", text, "horizon.step_years", hint="1, 0.5 or 0.25")
    elif abs(horizon.years / horizon.step_years - round(horizon.years / horizon.step_years)) > 1e-9:
        hint = f"a multiple of {horizon.step_years:g}"
        yield Problem("E276", "horizon.years is no whole number of periods", "horizon.years", hint=hint)
    for name, happens in inputs.breaks.items():
        if median(happens.after_years) >= horizon.years:
            hint = "bring it forward, or lengthen horizon.years"
            yield Problem("E276", f"breaks.{name} comes after the horizon", f"breaks.{name}.after_years", hint=hint)


def _policies(inputs: LifecycleInputs) -> Iterator[Problem]:
    horizon, service = inputs.horizon.years, inputs.roadmap.life_years
    for name, policy in inputs.policies.items():
        for field in ("life_years", "skip_count", "extend_years"):
            given, read = getattr(policy, field) is not None, field in READ.get(policy.rule, ())
            if given != read:
                text = f"policies.{name}: rule {policy.rule} {'does not read' if given else 'needs'} {field}"
                hint = "leave it out" if given else "give it"
                yield Problem("E276", text, f"policies.{name}", hint=hint)
        own = 0.0 if policy.life_years is None else median(policy.life_years)
        life = own + (policy.extend_years or 0.0)
        if life > max(horizon, service):
            path = f"policies.{name}.life_years"
            text = f"{path}: {life:g} years are beyond horizon ({horizon:g}) and service ({service:g})"
            yield Problem("E276", text, path, hint="shorten it, or lengthen horizon.years")


def _baseline(inputs: LifecycleInputs) -> Iterator[Problem]:
    baseline, site = inputs.baseline, inputs.site
    options = {"power": site.power, "cooling": site.cooling, "network": site.network, "policy": tuple(inputs.policies)}
    for name, among in options.items():
        if getattr(baseline, name) not in among:
            where = "policies" if name == "policy" else f"site.{name}"
            text = f"baseline.{name}: '{getattr(baseline, name)}' is not among {where}"
            yield Problem("E278", text, f"baseline.{name}", hint=f"one of {', '.join(among)}")


def _demand(inputs: LifecycleInputs) -> Iterator[Problem]:
    demand, site = inputs.demand, inputs.site
    grows = [name for name in GROWTHS if median(getattr(demand, name)) > 0]
    if demand.requests_per_s is None and grows:
        text = f"a site is filled by demand that stays, and demand.{grows[0]} is above 0"
        yield Problem("E278", text, "demand.requests_per_s", hint="give it, or set the growth to 0")
    if demand.requests_per_s is None and site.most_w is None:
        text = "demand.requests_per_s is missing, and so is a site to fill"
        yield Problem("E278", text, "demand.requests_per_s", hint="give it, or site.most_w")
    if site.standing_w is not None and site.most_w is not None and median(site.standing_w) > median(site.most_w):
        text = "more stands than may be built: site.standing_w is above site.most_w"
        yield Problem("E278", text, "site.standing_w", hint="raise site.most_w")


def _pairs(inputs: LifecycleInputs) -> Iterator[Problem]:
    upkeep, market = inputs.upkeep, inputs.market
    pairs = (
        ("upkeep", "interruptions_per_year", upkeep.interruptions_per_year, "interruption_h", upkeep.interruption_h),
        ("market", "rent_usd_per_h", market.rent_usd_per_h, "rent_server", market.rent_server),
    )
    for section, first, one, second, other in pairs:
        if (one is None) != (other is None):
            text = f"{section}.{first} and {second} go together"
            yield Problem("E277", text, f"{section}.{second}", hint="give both, or neither")
    if market.energy_file is not None and market.energy_usd_per_kwh is not None:
        text = "market.energy_usd_per_kwh and energy_file are both given"
        yield Problem("E277", text, "market.energy_file", hint="keep one of the two")
