"""Telemetry to fitted models, flags, and the scenario that uses them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.thermal.fit import INLET_RANGE, LEAST_POWER_RANGE, Fit, fit
from aiplan.planners.thermal.fit_shape import FEW_SAMPLES, Samples, UnfitError
from aiplan.planners.thermal.inlet_fit import OUTSIDE_KNOTS_C, InletFit, InletSamples, fit_inlet
from aiplan.planners.thermal.regression import Floats, Ints
from aiplan.planners.thermal.synthetic import PREFIX
from aiplan.planners.thermal.telemetry_file import Telemetry
from aiplan.report.model import Warn

DRIFT_C_PER_DAY = 0.1
"""Slope of the residual against time above which something changes; a rule of thumb."""


@dataclass(slots=True)
class FitResult:
    """Everything the report prints, as numbers.

    Attributes
    ----------
    memory : the same model for memory temperatures; None where the file has none
    inlet : None where the file has no outside temperature, or it tells nothing
    tdp_w : power that counts as the GPUs' most, and whether it was given
    synthetic : every server's name says that it does not exist
    """

    telemetry: Telemetry
    fit: Fit
    memory: Fit | None
    inlet: InletFit | None
    tdp_w: float
    tdp_given: bool
    synthetic: bool
    flags: list[Warn]


def fit_plan(telemetry: Telemetry, tdp_w: float | None = None) -> FitResult:
    """Fit GPU, memory and inlet temperature.

    Raises
    ------
    InputError (E254) where the samples do not tell inlet from power.
    """
    values = telemetry.values
    samples = Samples(telemetry.time_s, telemetry.gpu, values["inlet_c"], values["power_w"], values["temp_c"],
                      telemetry.position)  # fmt: skip
    try:
        found = fit(samples)
        memory = fit(replace(samples, temp_c=values["mem_temp_c"])) if "mem_temp_c" in values else None
    except UnfitError as error:
        raise InputError(Problem("E254", f"cannot be fitted: {error}", "", telemetry.name,
                                 hint="record at several loads and inlet temperatures")) from None  # fmt: skip
    inlet = fit_inlet(_inlet_samples(telemetry)) if "outside_c" in values else None
    most = float(values["power_w"].max())
    synthetic = all(name.startswith(PREFIX) for name in telemetry.servers)
    result = FitResult(telemetry, found, memory, inlet, tdp_w or most, tdp_w is not None, synthetic, [])
    result.flags = _flags(result)
    return result


def _inlet_samples(telemetry: Telemetry) -> InletSamples:
    """One sample per server and time: the mean over its GPUs, which share the inlet."""
    every, period = np.unique(telemetry.time_s, return_inverse=True)
    server = telemetry.server_of_gpu[telemetry.gpu]
    cell, place = np.unique(server * np.int64(every.size) + period, return_inverse=True)
    count = np.bincount(place)

    def mean(name: str) -> Floats:
        return np.asarray(np.bincount(place, telemetry.values[name]) / count, dtype=np.float64)

    at = (cell % every.size).astype(np.int64)
    hall_load = None
    if "load" in telemetry.values:
        own = mean("load")
        # The hall is all servers heard of at that time.
        hall_load = (np.bincount(at, own, every.size) / np.maximum(np.bincount(at, minlength=every.size), 1))[at]
    rows: Ints | None = None
    names = telemetry.row_of_server
    if all(names):
        number = {name: index for index, name in enumerate(dict.fromkeys(names))}
        rows = np.array([number[name] for name in names], dtype=np.int64)
    return InletSamples(every[at], mean("inlet_c"), mean("outside_c"), hall_load, (cell // every.size).astype(np.int64),
                        rows)  # fmt: skip


def _flags(result: FitResult) -> list[Warn]:
    """What makes the fit doubtful."""
    telemetry, found = result.telemetry, result.fit
    count = np.bincount(telemetry.gpu)
    power = telemetry.values["power_w"]
    start = np.searchsorted(telemetry.gpu, np.arange(count.size))
    span = np.maximum.reduceat(power, start) - np.minimum.reduceat(power, start)
    flags = []

    def flag(code: str, where: np.ndarray, text: str) -> None:
        if where.any():
            first = gpu_name(telemetry, int(np.flatnonzero(where)[0]))
            flags.append(Warn(code, f"{int(where.sum()):,} of {count.size:,} GPUs {text}; the first is {first}"))

    if result.synthetic:
        flags.append(Warn("W-THERMAL-SYNTHETIC", "all servers are synthetic: the fit says nothing of any real hall"))
    flag(
        "W-THERMAL-SIGN", found.power_slopes <= 0.0, "grow no warmer with power: wrong columns, or fans at their limit"
    )
    odd = (found.inlet_slopes < INLET_RANGE[0]) | (found.inlet_slopes > INLET_RANGE[1])
    flag("W-THERMAL-INLET", odd, f"follow the inlet with a slope outside {INLET_RANGE[0]:g} to {INLET_RANGE[1]:g}")
    flag("W-THERMAL-FEW", count < FEW_SAMPLES, f"have fewer than {FEW_SAMPLES} samples and borrow their slopes")
    what = "the TDP" if result.tdp_given else "the most seen (give --gpu-tdp-w)"
    flag("W-THERMAL-RANGE", span < LEAST_POWER_RANGE * result.tdp_w,
         f"span less than {LEAST_POWER_RANGE:.0%} of {what} in power")  # fmt: skip
    if abs(found.trend_c_per_day) > DRIFT_C_PER_DAY:
        flags.append(Warn("W-THERMAL-DRIFT", f"the residual moves by {found.trend_c_per_day:+.2f} C a day: something "
                          "changed that the model does not know"))  # fmt: skip
    if result.inlet is not None and not all(result.inlet.fitted):
        missing = [
            f"{knot:g} C" for knot, fitted in zip(OUTSIDE_KNOTS_C, result.inlet.fitted, strict=True) if not fitted
        ]
        flags.append(Warn("W-THERMAL-WEATHER", f"hardly a sample lies above {' and '.join(missing)} outside: the slope "
                          "there is that before"))  # fmt: skip
    return flags


def gpu_name(telemetry: Telemetry, gpu: int) -> str:
    """Server and GPU as the file names them."""
    return f"{telemetry.servers[int(telemetry.server_of_gpu[gpu])]}/{telemetry.gpus[gpu]}"


def hottest_offsets(result: FitResult) -> Floats:
    """Offset of each server's hottest GPU against the mean GPU, (S,) [K]."""
    out = np.full(len(result.telemetry.servers), -np.inf)
    np.maximum.at(out, result.telemetry.server_of_gpu, result.fit.offset_c)
    return out


def gpu_spread(result: FitResult) -> float:
    """Spread s with which the largest of n |N(0, s)| has the mean of the servers' hottest offsets [K]."""
    per_server = len(result.telemetry.gpus) / len(result.telemetry.servers)
    return max(float(hottest_offsets(result).mean()), 0.0) / largest_of(max(round(per_server), 1))


def largest_of(count: int) -> float:
    """Mean of the largest of several |N(0, 1)|: the integral of 1 - erf(x / sqrt 2)^n.

    >>> round(largest_of(1), 4), round(largest_of(8), 3)
    (0.7979, 1.783)
    """
    step = 1e-3
    inside = [math.erf((number + 0.5) * step / math.sqrt(2.0)) for number in range(8000)]
    return step * sum(1.0 - value**count for value in inside)


def scenario_text(result: FitResult, name: str) -> str:
    """A scenario that lays the fitted numbers over the shipped hall."""
    found, inlet, telemetry = result.fit, result.inlet, result.telemetry
    source = telemetry.name.replace("\\", "\\\\").replace('"', '\\"')
    grade, evidence = ("assumption", "assumed") if result.synthetic else ("measured", "derived")
    made = "of SYNTHETIC telemetry: no hall was measured" if result.synthetic else "of telemetry"
    lines = [
        f"# Fit {made}, by `aiplan thermal fit`. Rows, servers and limits are still those of the base: give your own.",
        "[scenario]",
        f'name = "{name}"',
        'planner = "thermal"',
        'base = "thermal-hall"',
        f'source = "fit of {source}"',
        f'grade = "{grade}"',
        f'evidence = "{evidence}"',
        "",
        "[thermal]",
        f"inlet_coefficient = {found.inlet_coefficient:.6g}  # +- {found.errors[0]:.2g}",
        f"power_coefficient_kelvin_per_w = {found.power_coefficient:.6g}  # +- {found.errors[1]:.2g}",
        f"intercept_c = {found.intercept_c:.6g}  # +- {found.errors[2]:.2g}",
        f"margin_kelvin = {max(found.p99_residual_c, 0.0):.6g}  # P99 of the residual",
    ]
    if inlet is not None:
        lines += [
            f"inlet_base_c = {inlet.base_c:.6g}",
            f"inlet_knots_c = [{', '.join(f'{knot:g}' for knot in OUTSIDE_KNOTS_C)}]",
            f"inlet_slopes = [{', '.join(f'{slope:.6g}' for slope in inlet.slopes)}]",
        ]
        lines += [f"hall_load_kelvin = {max(inlet.load_kelvin, 0.0):.6g}"] if inlet.load_kelvin is not None else []
    lines += ["", "[hall]", f"gpu_spread_kelvin = {gpu_spread(result):.6g}"]
    if inlet is not None:
        lines.append(f"server_spread_kelvin = {_sd(inlet.server_c):.6g}")
        lines += [f"row_spread_kelvin = {_sd(inlet.row_c):.6g}"] if inlet.row_c.size > 1 else []
    return "\n".join(lines) + "\n"


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else 0.0
