"""Inputs to result: node-seconds, watts and boundaries composed, once for a sample and once for a point.

Everything here is a function of named values: arrays give the sample, medians the point that grades and explains
it. A query's energy is the law's seconds times Wh per second at a boundary; the seconds vary from query to
query, the Wh per second hold what we do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiplan.planners.energy import fleet as fleets
from aiplan.planners.energy.case import Case, build_case
from aiplan.planners.energy.footprint import (
    carbon_embodied_g,
    carbon_operational_g,
    water_offsite_ml,
    water_onsite_ml,
)
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.levers import combined_multiplier
from aiplan.planners.energy.query import BOUNDARIES
from aiplan.planners.energy.serve import Array, Served, serve
from aiplan.planners.parameters import Evidence, Value, Values
from aiplan.uncertainty.quantiles import summary, trim_two_stage

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
    points: dict[str, float] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    boundaries: list[tuple[str, Summary, float | None]] = field(default_factory=list)
    levers: dict[str, list[tuple[str, Summary, float, str]]] = field(default_factory=dict)
    fleet: list[dict[str, float | str | None]] = field(default_factory=list)
    comparisons: list[tuple[str, float, float]] = field(default_factory=list)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    bars: list[tuple[str, float, float]] = field(default_factory=list)


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
    served = {(model.id, regime): serve(case, model, values, regime) for regime in REGIMES for model in case.models}
    result = Result(case)
    _fill_models(result, served)
    _fill_queries(result, served, values)
    _fill_fleet(result, served, values)
    result.evidence = case.parameters.evidence(lambda at: point(case, at))
    result.points = point(case, case.parameters.medians())
    return result


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
                    "seconds": summary(_stretch(one.group_seconds, size))["p50"] if size else None,
                    "prompt_share": float(np.mean(one.prompt_share)),
                    "case": model,
                }
            )


def _weights(case: Case, values: Values) -> dict[str, float]:
    """Share of each model in the blend, summing to one."""
    raw = {model: float(np.mean(values[path])) for model, path in case.blend.items()}
    total = sum(raw.values())
    return {model: weight / total for model, weight in raw.items() if weight > 0}


def _keep(
    case: Case, values: Values, served: Mapping[tuple[str, str], Served], regime: str
) -> dict[str, NDArray[np.bool_]]:
    """Which draws of each model the quoted blend holds: trimmed if asked, in proportion to the weights."""
    size, energy = case.inputs.uncertainty.samples, case.inputs.energy
    weights = _weights(case, values)
    heaviest = max(weights.values())
    kept = {}
    for model, weight in weights.items():
        mask = np.arange(size) < round(size * weight / heaviest)
        if energy.trim == "two-stage":
            draws = _stretch(served[model, regime].energy_wh(energy.boundary), size)
            trimmed = trim_two_stage(draws)
            mask &= (draws >= trimmed.min()) & (draws <= trimmed.max())
        kept[model] = mask
    return kept


def _gather(kept: Mapping[str, NDArray[np.bool_]], parts: Mapping[str, Value]) -> Array:
    """The blend's draws of some quantity known per model."""
    return np.concatenate([_stretch(parts[model], mask.size)[mask] for model, mask in kept.items()])


def _fill_queries(result: Result, served: Mapping[tuple[str, str], Served], values: Values) -> None:
    """Energy, boundaries, levers, water and carbon of the blend."""
    case = result.case
    boundary = case.inputs.energy.boundary
    quoted: dict[str, Array] = {}
    kept = {regime: _keep(case, values, served, regime) for regime in REGIMES}

    def of_blend(regime: str, quantity: Mapping[str, Value]) -> Array:
        return _gather(kept[regime], quantity)

    for regime, line in (("short", "energy_per_query_wh"), ("long", "energy_per_long_query_wh")):
        quoted[regime] = of_blend(regime, {m: served[m, regime].energy_wh(boundary) for m in case.blend})
        result.lines[line] = summary(quoted[regime])
        _fill_levers(result, quoted[regime], kept[regime], values, regime)
    short, long = (result.lines[line]["p50"] for line in ("energy_per_query_wh", "energy_per_long_query_wh"))
    result.lines["long_to_short_ratio"] = {"value": long / short if long is not None and short else None}
    _fill_boundaries(result, lambda b: of_blend("short", {m: served[m, "short"].energy_wh(b) for m in case.blend}))
    if case.inputs.serving.law == "physical":
        prompt = of_blend("short", {m: served[m, "short"].prompt_share for m in case.blend})
        result.lines["prompt_energy_share"] = summary(prompt)
    facility = {m: served[m, "short"].energy_wh("facility") for m in case.blend}
    for line, quantity in _footprint(case, facility, served, values).items():
        result.lines[line] = summary(of_blend("short", quantity))


def _footprint(
    case: Case, facility_wh: Mapping[str, Value], served: Mapping[tuple[str, str], Served], values: Values
) -> dict[str, dict[str, Value]]:
    """Water and carbon per query of each model, for the figures whose inputs are given."""
    out: dict[str, dict[str, Value]] = {}
    for line, key in (
        ("water_per_query_ml", "facility.wue_l_per_kwh"),
        ("water_offsite_per_query_ml", "facility.offsite_water_l_per_kwh"),
        ("carbon_per_query_g", "facility.carbon_g_per_kwh"),
        ("carbon_market_per_query_g", "facility.market_carbon_g_per_kwh"),
    ):
        if key not in values:
            continue
        if line == "water_per_query_ml":
            out[line] = {m: water_onsite_ml(wh, values["facility.pue"], values[key]) for m, wh in facility_wh.items()}
        else:
            rule = water_offsite_ml if "water" in line else carbon_operational_g
            out[line] = {model: rule(wh, values[key]) for model, wh in facility_wh.items()}
    by_id = {model.id: model for model in case.models}
    if "embodied.lifetime_years" in values and all(by_id[m].accelerator_kg for m in facility_wh):
        life = values["embodied.lifetime_years"] * SECONDS_PER_YEAR
        busy = values.get("embodied.utilisation_fraction", values["power.busy_fraction"])
        out["carbon_embodied_per_query_g"] = {
            m: carbon_embodied_g(
                served[m, "short"].group_seconds,
                life,
                busy,
                values["embodied.host_kg"] * by_id[m].share,
                values[str(by_id[m].accelerator_kg)],
                by_id[m].profile.accelerator_count,
            )
            for m in facility_wh
        }
    return out


def _fill_boundaries(result: Result, energy_of: object) -> None:
    """The same blend at every boundary, and the factor from each to the next."""
    assert callable(energy_of)  # noqa: S101
    previous: float | None = None
    for boundary in BOUNDARIES:
        found = summary(energy_of(boundary))
        value = found["p50"]
        factor = value / previous if previous and value is not None else None
        result.boundaries.append((boundary, found, factor))
        previous = value
    for name, row in zip(("host", "idle", "pue"), result.boundaries[1:], strict=True):
        result.lines[f"boundary_factor_{name}"] = {"value": row[2]}


def _fill_levers(
    result: Result, energy_wh: Array, kept: Mapping[str, NDArray[np.bool_]], values: Values, regime: str
) -> None:
    """Each lever alone on the quoted blend, then those that combine, independent and overlapping."""
    levers = result.case.inputs.levers
    if levers is None:
        return
    base = summary(energy_wh)["p50"] or 0.0
    active = {name: lever for name, lever in levers.gain.items() if regime in lever.applies_to}
    rows: list[tuple[str, Summary, float, str]] = []

    def add(name: str, multiplier: Value, label: str) -> None:
        found = summary(energy_wh / _gather(kept, dict.fromkeys(kept, multiplier)))
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


def _fill_fleet(result: Result, served: Mapping[tuple[str, str], Served], values: Values) -> None:
    """GWh per day of the four cases, from untrimmed means, with the band of what is not known.

    The band holds one draw of the uncertain inputs per fleet: the queries' own spread averages out over a day,
    what we do not know about PUE, power or throughput does not.
    """
    case = result.case
    fleet = case.inputs.fleet
    if fleet is None:
        return
    boundary = case.inputs.energy.boundary
    weights = _weights(case, values)
    overhead = np.asarray(1.0)
    for name in fleet.overhead:
        overhead = overhead * values[f"fleet.overhead.{name}"]
    queries, share = values["workload.queries_per_day"], values["workload.long_share"]
    mean, band = {}, {}
    for regime in REGIMES:
        for improved in (False, True):
            gain = values[f"fleet.improved_{regime}_multiplier"] if improved else 1.0
            parts = {m: fleets.improved_energy_wh(served[m, regime].energy_wh(boundary), gain) for m in weights}
            mean[regime, improved] = sum(w * float(np.mean(parts[m])) for m, w in weights.items())
            band[regime, improved] = sum(
                w * float(np.mean(served[m, regime].seconds)) * served[m, regime].per_second.at(boundary) / gain
                for m, w in weights.items()
            )
    for name, improved in (
        ("base", False),
        ("base_improved", True),
        ("mixed", False),
        ("mixed_improved", True),
    ):
        mixed = name.startswith("mixed")
        weight = share if mixed else 0.0
        gwh_mean = (1 - np.mean(weight)) * mean["short", improved] + np.mean(weight) * mean["long", improved]
        per_day = (1 - weight) * band["short", improved] + weight * band["long", improved]
        total = float(gwh_mean * np.mean(queries) * np.mean(overhead) / fleets.WH_PER_GWH)
        spread = np.asarray(per_day * queries * overhead / fleets.WH_PER_GWH)
        known = summary(spread) if spread.ndim else {}
        row: dict[str, float | str | None] = {"case": name, "energy_gwh_per_day": total}
        row |= {key: known.get(key) for key in ("p5", "p25", "p50", "p75", "p95")}
        row["average_power_mw"] = float(fleets.average_power_mw(total))
        row["servers"] = None if improved else _servers(case, served, weights, values, mixed)
        result.fleet.append(row)
        if name == fleet.case:
            quantiles = {key: known.get(key) for key in ("p5", "p25", "p50", "p75", "p95")}
            result.lines["fleet_energy_gwh_per_day"] = {"value": total, "mean": total, **quantiles}
            result.lines["fleet_average_power_mw"] = {"value": row["average_power_mw"]}  # type: ignore[dict-item]
            result.lines["fleet_servers"] = {"value": _servers(case, served, weights, values, mixed)}
    quoted = result.lines["fleet_energy_gwh_per_day"]["value"] or 0.0
    for label, gwh in (
        ("a billion web searches at 0.3 Wh", float(fleets.searches_gwh())),
        ("a 30 MW site at 80 % load for a day", float(fleets.site_gwh())),
    ):
        result.comparisons.append((label, gwh, quoted / gwh))


def _servers(
    case: Case,
    served: Mapping[tuple[str, str], Served],
    weights: Mapping[str, float],
    values: Values,
    mixed: bool,
) -> float:
    """Servers that keep up with a day's queries at the busy fraction."""
    share = float(np.mean(values["workload.long_share"])) if mixed else 0.0
    shares = {model.id: model.share for model in case.models}
    seconds = {
        regime: sum(w * float(np.mean(served[m, regime].group_seconds)) * shares[m] for m, w in weights.items())
        for regime in REGIMES
    }
    queries = float(np.mean(values["workload.queries_per_day"]))
    busy = float(np.mean(values["power.busy_fraction"]))
    classes = [seconds["short"], seconds["long"]]
    return float(fleets.node_count(classes, [queries * (1 - share), queries * share], busy))


def point(case: Case, values: Mapping[str, float]) -> dict[str, float]:
    """Every line with all inputs at one value each: what effects, grades and explanations are made from."""
    served = {(m.id, r): serve(case, m, values, r) for r in REGIMES for m in case.models}
    weights = _weights(case, values)
    energy = case.inputs.energy

    def blended(regime: str, boundary: str) -> float:
        return sum(w * float(served[m, regime].energy_wh(boundary)) for m, w in weights.items())

    out = {f"model:{m}:{r}": float(one.energy_wh(energy.boundary)) for (m, r), one in served.items()}
    out["energy_per_query_wh"] = blended("short", energy.boundary)
    out["energy_per_long_query_wh"] = blended("long", energy.boundary)
    out["long_to_short_ratio"] = out["energy_per_long_query_wh"] / out["energy_per_query_wh"]
    by_boundary = [blended("short", boundary) for boundary in BOUNDARIES]
    for name, inner, outer in zip(("host", "idle", "pue"), by_boundary, by_boundary[1:], strict=False):
        out[f"boundary_factor_{name}"] = outer / inner if inner else 1.0
    out["prompt_energy_share"] = sum(w * float(served[m, "short"].prompt_share) for m, w in weights.items())
    facility: dict[str, Value] = {m: float(served[m, "short"].energy_wh("facility")) for m in weights}
    for line, quantity in _footprint(case, facility, served, values).items():
        out[line] = sum(w * float(np.asarray(quantity[m])) for m, w in weights.items())
    if case.inputs.fleet is not None:
        out |= _fleet_point(case, served, weights, values, blended)
    return out


def _fleet_point(
    case: Case,
    served: Mapping[tuple[str, str], Served],
    weights: Mapping[str, float],
    values: Mapping[str, float],
    blended: object,
) -> dict[str, float]:
    fleet = case.inputs.fleet
    assert fleet is not None and callable(blended)  # noqa: S101, PT018
    mixed, improved = fleet.case.startswith("mixed"), fleet.case.endswith("improved")
    share = values["workload.long_share"] if mixed else 0.0
    total = 0.0
    for regime, weight in (("short", 1 - share), ("long", share)):
        gain = values[f"fleet.improved_{regime}_multiplier"] if improved else 1.0
        total += weight * blended(regime, case.inputs.energy.boundary) / gain
    for name in fleet.overhead:
        total *= values[f"fleet.overhead.{name}"]
    gwh = total * values["workload.queries_per_day"] / fleets.WH_PER_GWH
    return {
        "fleet_energy_gwh_per_day": gwh,
        "fleet_average_power_mw": float(fleets.average_power_mw(gwh)),
        "fleet_servers": _servers(case, served, weights, values, mixed),
    }
