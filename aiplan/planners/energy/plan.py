"""Inputs to result: node-seconds, watts and boundaries composed, once for a sample and once for a point.

Everything here is a function of named values: arrays give the sample, medians the point that grades and explains
it. A query's energy is the law's seconds times Wh per second at a boundary; the seconds vary from query to
query, the Wh per second hold what we do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array
from aiplan.planners.energy import fleet as fleets
from aiplan.planners.energy.case import Case
from aiplan.planners.energy.collect import build_case
from aiplan.planners.energy.footprint import (
    carbon_embodied_g,
    carbon_operational_g,
    water_offsite_ml,
    water_onsite_ml,
)
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.levers import combined_multiplier
from aiplan.planners.energy.query import BOUNDARIES
from aiplan.planners.energy.serve import ALL, Served, Span, pick, serve, slowdown
from aiplan.planners.parameters import Evidence, Value, Values
from aiplan.report.model import worst_grade
from aiplan.uncertainty.quantiles import quantiles, summary, trim_two_stage
from aiplan.uncertainty.sensitivity import TornadoBar

if TYPE_CHECKING:
    from datetime import date

    from aiplan.catalog.loader import Catalog

Summary = Mapping[str, float | None]
REGIMES = ("short", "long")
SECONDS_PER_YEAR = 31_557_600.0


@dataclass(slots=True)
class Result:
    """Everything the report prints, as numbers."""

    case: Case
    lines: dict[str, Summary] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    boundaries: list[tuple[str, Summary, float | None]] = field(default_factory=list)
    levers: dict[str, list[tuple[str, Summary, float, str]]] = field(default_factory=dict)
    fleet: list[dict[str, float | str | None]] = field(default_factory=list)
    comparisons: list[tuple[str, float, float]] = field(default_factory=list)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    bars: list[TornadoBar] = field(default_factory=list)


def plan(inputs: EnergyInputs, catalog: Catalog, as_of: date | None = None) -> Result:
    """Answer a scenario.

    Parameters
    ----------
    inputs : the checked scenario
    catalog : the catalog
    as_of : day the scenario speaks of

    Raises
    ------
    InputError for names the catalog does not know, missing throughput tables and impossible correlations.
    """
    case = build_case(inputs, catalog, as_of)
    values = case.parameters.draw(inputs.uncertainty)
    served = serve(case, values, REGIMES)
    result = Result(case)
    _fill_models(result, served)
    _fill_queries(result, served, values)
    _fill_fleet(result, served, values)
    result.evidence = case.parameters.evidence(lambda at: point(case, at))
    for line in RATIOS & result.evidence.keys():
        result.evidence[line] = _with_tables(result.evidence[line], case)
    result.bars = case.parameters.tornado(lambda at: point(case, at), "energy_per_query_wh")
    return result


RATIOS = frozenset({"long_to_short_ratio", "prompt_energy_share"})
"""Lines in which a throughput table cancels out as a factor and yet decides the answer."""


def _with_tables(evidence: Evidence, case: Case) -> Evidence:
    """Evidence of a ratio, with the tables its shape comes from."""
    profiles = [model.profile for model in case.models if model.id in case.blend]
    grade = worst_grade([evidence.grade, *(profile.grade for profile in profiles)])
    sources = tuple(dict.fromkeys([*evidence.sources, *(profile.source for profile in profiles)]))
    return replace(evidence, grade=grade, sources=sources)


def _stretch(value: Value, size: int) -> Array:
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (size,))


def _fill_models(result: Result, served: Mapping[tuple[str, str], Served]) -> None:
    """Quantiles of each model on its own, never trimmed."""
    case = result.case
    size, boundary = case.inputs.uncertainty.samples, case.inputs.energy.boundary
    for model in case.models:
        for regime in REGIMES:
            one = served[model.id, regime]
            result.models.append(
                {
                    "model": model.id,
                    "regime": regime,
                    "energy": summary(_stretch(one.energy_wh(boundary), size)),
                    "seconds": quantiles(np.atleast_1d(one.group_seconds), (0.5,))[0],
                    "prompt_share": float(np.mean(one.prompt_share)),
                    "case": model,
                }
            )


def _weights(case: Case, values: Values) -> dict[str, Value]:
    """Share of each model in the blend, summing to one; element by element where values are arrays."""
    raw = {model: values[path] for model, path in case.blend.items()}
    total = sum(raw.values())
    return {model: weight / total for model, weight in raw.items()}


def _mean_weights(case: Case, values: Values) -> dict[str, float]:
    """Share of each model of a sample, models without a share left out."""
    means = {model: float(np.mean(weight)) for model, weight in _weights(case, values).items()}
    return {model: weight for model, weight in means.items() if weight > 0}


@dataclass(frozen=True, slots=True)
class Blended:
    """Which draws stand for each model in a regime's blend.

    Each model gets its share of the draws and no draw is used twice, so the blend has as many independent draws as
    the sample. ``index`` lists them in order; inputs all models share are looked up with it.
    """

    spans: Mapping[str, NDArray[np.intp]]
    index: NDArray[np.intp]

    def of(self, value: Value) -> Value:
        """Draws of an input all models share."""
        return pick(value, self.index)

    def gather(self, parts: Callable[[str, NDArray[np.intp]], Value]) -> Array:
        """Draws of a quantity known per model: ``parts`` gives it for a model at some of the draws."""
        return np.concatenate([_stretch(parts(model, span), span.size) for model, span in self.spans.items()])


def _blend(case: Case, weights: Mapping[str, float], served: Mapping[tuple[str, str], Served], regime: str) -> Blended:
    """The blend of a regime; trimming, where asked for, cuts each model's own tails as the paper does."""
    size, energy = case.inputs.uncertainty.samples, case.inputs.energy
    spans: dict[str, NDArray[np.intp]] = {}
    start = 0.0
    for model, weight in weights.items():
        first = min(round(start * size), size - 1)
        span = np.arange(first, max(round((start + weight) * size), first + 1))
        start += weight
        if energy.trim == "two-stage":
            draws = _stretch(served[model, regime].energy_wh(energy.boundary, span), span.size)
            try:
                trimmed = trim_two_stage(draws)
            except ValueError as error:
                hint = 'raise --samples, or set energy.trim = "none"'
                raise InputError(Problem("E119", f"{model}: {error}", "uncertainty.samples", hint=hint)) from None
            span = span[(draws >= trimmed.min()) & (draws <= trimmed.max())]
        spans[model] = span
    return Blended(spans, np.concatenate(list(spans.values())))


def _fill_queries(result: Result, served: Mapping[tuple[str, str], Served], values: Values) -> None:
    """Energy, boundaries, levers, water and carbon of the blend."""
    case = result.case
    boundary = case.inputs.energy.boundary
    weights = _mean_weights(case, values)
    blends = {regime: _blend(case, weights, served, regime) for regime in REGIMES}

    def energy(regime: str, where: str) -> Array:
        return blends[regime].gather(lambda model, span: served[model, regime].energy_wh(where, span))

    for regime, line in (("short", "energy_per_query_wh"), ("long", "energy_per_long_query_wh")):
        energy_wh = energy(regime, boundary)
        result.lines[line] = summary(energy_wh)
        _fill_levers(result, energy_wh, blends[regime], values, regime)
    short, long = (result.lines[line]["p50"] for line in ("energy_per_query_wh", "energy_per_long_query_wh"))
    result.lines["long_to_short_ratio"] = {"value": long / short if long is not None and short else None}
    by_boundary = {where: energy("short", where) for where in BOUNDARIES}
    _fill_boundaries(result, by_boundary)
    blend = blends["short"]
    if case.inputs.serving.law == "physical":
        shares = blend.gather(lambda model, span: pick(served[model, "short"].prompt_share, span))
        result.lines["prompt_energy_share"] = summary(shares)
    shared = {path: blend.of(value) for path, value in values.items() if path.startswith("facility.")}
    for line, quantity in _footprint(by_boundary["facility"], shared).items():
        result.lines[line] = summary(quantity)
    if _embodied_known(case, weights):
        embodied = blend.gather(lambda model, span: _embodied_g(case, model, served, values, span))
        result.lines["carbon_embodied_per_query_g"] = summary(embodied)


def _footprint(facility_wh: Value, values: Values) -> dict[str, Value]:
    """Water and operational carbon per query, for the figures whose inputs are given."""
    out: dict[str, Value] = {}
    if "facility.wue_l_per_kwh" in values:
        wue = values["facility.wue_l_per_kwh"]
        out["water_per_query_ml"] = water_onsite_ml(facility_wh, values["facility.pue"], wue)
    if "facility.offsite_water_l_per_kwh" in values:
        out["water_offsite_per_query_ml"] = water_offsite_ml(facility_wh, values["facility.offsite_water_l_per_kwh"])
    if "facility.carbon_g_per_kwh" in values:
        out["carbon_per_query_g"] = carbon_operational_g(facility_wh, values["facility.carbon_g_per_kwh"])
    if "facility.market_carbon_g_per_kwh" in values:
        market = values["facility.market_carbon_g_per_kwh"]
        out["carbon_market_per_query_g"] = carbon_operational_g(facility_wh, market)
    return out


def _embodied_known(case: Case, models: Iterable[str]) -> bool:
    """Whether every model's hardware has a footprint of its own."""
    known = {model.id for model in case.models if model.accelerator_kg is not None}
    return "embodied.lifetime_years" in case.parameters.items and known.issuperset(models)


def _embodied_g(
    case: Case, model: str, served: Mapping[tuple[str, str], Served], values: Values, span: Span = ALL
) -> Array:
    """Carbon of making the hardware a short query of a model holds [g]."""
    one = next(item for item in case.models if item.id == model)
    busy = values.get("embodied.utilisation_fraction", values["power.busy_fraction"])
    return carbon_embodied_g(
        pick(served[model, "short"].group_seconds, span),
        pick(values["embodied.lifetime_years"], span) * SECONDS_PER_YEAR,
        pick(busy, span),
        pick(values["embodied.host_kg"], span) * one.share,
        pick(values[str(one.accelerator_kg)], span),
        one.profile.accelerator_count,
    )


def _fill_boundaries(result: Result, energy_wh: Mapping[str, Array]) -> None:
    """The same blend at every boundary, and the factor from each to the next."""
    previous: float | None = None
    for boundary, draws in energy_wh.items():
        found = summary(draws)
        value = found["p50"]
        factor = value / previous if previous and value is not None else None
        result.boundaries.append((boundary, found, factor))
        previous = value
    for name, row in zip(("host", "idle", "pue"), result.boundaries[1:], strict=True):
        result.lines[f"boundary_factor_{name}"] = {"value": row[2]}


def _fill_levers(result: Result, energy_wh: Array, blend: Blended, values: Values, regime: str) -> None:
    """Each lever alone on the quoted blend, then those that combine, independent and overlapping."""
    levers = result.case.inputs.levers
    if levers is None:
        return
    base = quantiles(energy_wh, (0.5,))[0]
    active = {name: lever for name, lever in levers.gain.items() if regime in lever.applies_to}
    rows: list[tuple[str, Summary, float, str]] = []

    def add(name: str, multiplier: Value, label: str) -> None:
        found = summary(energy_wh / blend.of(multiplier))
        value = found["p50"]
        rows.append((name, found, base / value if value else 1.0, label))

    for name, lever in active.items():
        add(name, values[f"levers.gain.{name}.multiplier"], lever.label or name)
    together = [values[f"levers.gain.{name}.multiplier"] for name, lever in active.items() if lever.combined]
    if len(together) > 1:
        add("combined_independent", combined_multiplier(together), "together, if independent (eta = 1)")
        eta = values["levers.overlap_exponent"]
        add("combined", combined_multiplier(together, eta), "together, overlapping (eta as given)")
    result.levers[regime] = rows


def _overhead(case: Case, values: Values) -> Value:
    """Product of the fleet's overhead factors."""
    product: Value = 1.0
    for name in case.inputs.fleet.overhead if case.inputs.fleet else ():
        product = product * values[f"fleet.overhead.{name}"]
    return product


def _fill_fleet(result: Result, served: Mapping[tuple[str, str], Served], values: Values) -> None:
    """GWh per day of the four cases, from untrimmed means, with the band of what is not known.

    The band holds one draw of the uncertain inputs per fleet: the queries' own spread averages out over a day,
    what we do not know about PUE, power or throughput does not.
    """
    case = result.case
    fleet = case.inputs.fleet
    if fleet is None:
        return
    boundary, weights, overhead = case.inputs.energy.boundary, _mean_weights(case, values), _overhead(case, values)
    queries, share = values["workload.queries_per_day"], values["workload.long_share"]
    slow = {model.id: slowdown(model, values) for model in case.models}
    mean: dict[tuple[str, bool], float] = {}
    band: dict[tuple[str, bool], Value] = {}
    for regime in REGIMES:
        for improved in (False, True):
            gain = values[f"fleet.improved_{regime}_multiplier"] if improved else 1.0
            parts = {m: fleets.improved_energy_wh(served[m, regime].energy_wh(boundary), gain) for m in weights}
            mean[regime, improved] = sum(w * float(np.mean(parts[m])) for m, w in weights.items())
            band[regime, improved] = sum(
                w * served[m, regime].wh_at(boundary, float(np.mean(served[m, regime].law_seconds)), slow[m]) / gain
                for m, w in weights.items()
            )
    for name, improved in (("base", False), ("base_improved", True), ("mixed", False), ("mixed_improved", True)):
        mixed = name.startswith("mixed")
        weight: Value = share if mixed else 0.0
        typical = float(np.mean(weight))
        wh = (1 - typical) * mean["short", improved] + typical * mean["long", improved]
        total = float(fleets.fleet_gwh_per_day(wh, np.mean(queries), np.mean(overhead)))
        per_query = (1 - weight) * band["short", improved] + weight * band["long", improved]
        spread = np.asarray(per_query * queries * overhead / fleets.WH_PER_GWH)
        known = summary(spread) if spread.ndim else {}
        spread_of = {key: known.get(key) for key in ("p5", "p25", "p50", "p75", "p95")}
        power_mw = float(fleets.average_power_mw(total))
        servers = _mean_servers(case, served, weights, values, typical)
        row: dict[str, float | str | None] = {"case": name, "energy_gwh_per_day": total, **spread_of}
        result.fleet.append({**row, "average_power_mw": power_mw, "servers": None if improved else servers})
        if name == fleet.case:
            result.lines["fleet_energy_gwh_per_day"] = {"value": total, "mean": total, **spread_of}
            result.lines["fleet_average_power_mw"] = {"value": power_mw}
            result.lines["fleet_servers"] = {"value": servers}
    quoted = result.lines["fleet_energy_gwh_per_day"]["value"] or 0.0
    for label, gwh in (
        ("a billion web searches at 0.3 Wh", float(fleets.searches_gwh())),
        ("a 30 MW site at 80 % load for a day", float(fleets.site_gwh())),
    ):
        result.comparisons.append((label, gwh, quoted / gwh))


def _mean_servers(
    case: Case,
    served: Mapping[tuple[str, str], Served],
    weights: Mapping[str, float],
    values: Values,
    long_share: float,
) -> float:
    """Servers that keep up with a day's queries, from means over the sample."""
    shares = {model.id: model.share for model in case.models}
    seconds = [
        sum(w * float(np.mean(served[m, regime].group_seconds)) * shares[m] for m, w in weights.items())
        for regime in REGIMES
    ]
    queries = float(np.mean(values["workload.queries_per_day"]))
    # Idle time is paid for as 1/u, so the servers that idle are counted the same way.
    busy = 1 / float(np.mean(1 / np.asarray(values["power.busy_fraction"])))
    return float(fleets.node_count(seconds, [queries * (1 - long_share), queries * long_share], busy))


def _ratio(over: Value, under: Value) -> Array:
    """A quotient, 0 where there is nothing to divide by: such a line is null and has no effects to show."""
    over, under = np.broadcast_arrays(np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64))
    return np.divide(over, under, out=np.zeros(over.shape), where=under != 0)


def point(case: Case, values: Values) -> dict[str, Value]:
    """Every line without sampling: one value of each input, or a column of values to vary them side by side.

    This is what effects and grades are made from. Quantiles play no part, so a line is its blend's weighted mean.
    """
    served = serve(case, values, REGIMES)
    weights, energy = _weights(case, values), case.inputs.energy

    def blended(regime: str, boundary: str) -> Value:
        return sum(w * served[m, regime].energy_wh(boundary) for m, w in weights.items())

    out: dict[str, Value] = {f"model:{m}:{r}": one.energy_wh(energy.boundary) for (m, r), one in served.items()}
    out["energy_per_query_wh"] = blended("short", energy.boundary)
    out["energy_per_long_query_wh"] = blended("long", energy.boundary)
    out["long_to_short_ratio"] = _ratio(out["energy_per_long_query_wh"], out["energy_per_query_wh"])
    by_boundary = [blended("short", boundary) for boundary in BOUNDARIES]
    for name, inner, outer in zip(("host", "idle", "pue"), by_boundary, by_boundary[1:], strict=False):
        out[f"boundary_factor_{name}"] = _ratio(outer, inner)
    out["prompt_energy_share"] = sum(w * served[m, "short"].prompt_share for m, w in weights.items())
    out |= _footprint(blended("short", "facility"), values)
    if _embodied_known(case, weights):
        out["carbon_embodied_per_query_g"] = sum(w * _embodied_g(case, m, served, values) for m, w in weights.items())
    fleet = case.inputs.fleet
    if fleet is not None:
        share: Value = values["workload.long_share"] if fleet.case.startswith("mixed") else 0.0
        total: Value = 0.0
        for regime, weight in (("short", 1 - share), ("long", share)):
            improved = fleet.case.endswith("improved")
            gain = values[f"fleet.improved_{regime}_multiplier"] if improved else 1.0
            total = total + weight * blended(regime, energy.boundary) / gain
        queries = values["workload.queries_per_day"]
        gwh = total * _overhead(case, values) * queries / fleets.WH_PER_GWH
        out["fleet_energy_gwh_per_day"] = gwh
        out["fleet_average_power_mw"] = fleets.average_power_mw(gwh)
        shares = {model.id: model.share for model in case.models}
        seconds = [
            sum(w * served[m, regime].group_seconds * shares[m] for m, w in weights.items()) for regime in REGIMES
        ]
        work = seconds[0] * (1 - share) + seconds[1] * share
        out["fleet_servers"] = fleets.node_count(
            np.asarray(work)[..., None], np.asarray(queries)[..., None], values["power.busy_fraction"]
        )
    return out
