"""A synthetic hall: slots with offsets, VMs with daily loads, outside air, telemetry. Nothing here was measured.

Every number is assumed. Streams of random numbers are separate for each thing drawn and filled slot by slot or VM by
VM, so that a hall with more servers holds the smaller one.
"""

from dataclasses import dataclass, replace

import numpy as np

from aiplan.planners.thermal.hall import HOURS, NO_ENDPOINT, Floats, Hall, Ints, Vms, equal_hall

PREFIX = "synthetic-"
"""Starts the name of every server that does not exist."""
GPUS = 8
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of lasting offsets [K]."""

    row_kelvin: float = 0.8
    server_kelvin: float = 0.6
    gpu_kelvin: float = 3.0


@dataclass(frozen=True, slots=True)
class Outside:
    """Outside air as a daily wave with noise: mean + swing sin(2 pi (t - 9) / 24) + N(0, noise) [C, K]."""

    mean_c: float = 20.0
    swing_kelvin: float = 7.0
    noise_kelvin: float = 0.7


@dataclass(frozen=True, slots=True)
class Mix:
    """Who the VMs are: share of SaaS, its endpoints."""

    saas_share: float = 0.5
    endpoints: int = 12


@dataclass(frozen=True, slots=True)
class Demand:
    """VMs and what they ask for over T steps.

    Attributes
    ----------
    vms : with hourly profiles taken from a history of its own, not from the steps below
    load : (V, T) asked of each VM before any routing, 0 to 1
    outside_c : (T,)
    step_s : length of a step
    """

    vms: Vms
    load: Floats
    outside_c: Floats
    step_s: float

    @property
    def days(self) -> float:
        """Length of the replay."""
        return float(self.load.shape[1]) * self.step_s / (SECONDS_PER_HOUR * HOURS)


def stream(seed: int, purpose: int) -> np.random.Generator:
    """Random numbers for one purpose."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, purpose))))


def with_offsets(hall: Hall, spread: Spread, seed: int, row_offset_c: Floats | None = None) -> Hall:
    """The hall with offsets drawn for rows, servers and hottest GPUs; those of rows may be given instead (R,).

    The hottest of a server's eight GPUs lies above the mean GPU by the largest of eight |N(0, gpu)|.
    """
    rows, row = hall.rows, hall.row
    by_row = stream(seed, 1).normal(0.0, spread.row_kelvin, rows) if row_offset_c is None else row_offset_c
    place = np.zeros(hall.slots, dtype=np.int64)
    counts = np.bincount(row, minlength=rows)
    place[np.argsort(row, kind="stable")] = np.concatenate([np.arange(count) for count in counts])
    # Drawn place by place over all rows, so that longer rows keep the offsets of their first servers.
    most = int(counts.max())
    server = stream(seed, 2).normal(0.0, spread.server_kelvin, (most, rows))
    gpu = np.abs(stream(seed, 3).normal(0.0, spread.gpu_kelvin, (most, rows, GPUS))).max(axis=2)
    return replace(hall, slot_offset_c=by_row[row] + server[place, row], gpu_offset_c=gpu[place, row])


def hours_of(days: float, step_s: float) -> Floats:
    """Hour of each step from midnight of the first day, (T,)."""
    return np.asarray(np.arange(round(days * HOURS * SECONDS_PER_HOUR / step_s)) * (step_s / SECONDS_PER_HOUR))


def outside_c(hours: Floats, outside: Outside, seed: int) -> Floats:
    """Outside temperature at each step, (T,) [C]."""
    wave = outside.mean_c + outside.swing_kelvin * np.sin(2.0 * np.pi * (hours - 9.0) / HOURS)
    return np.asarray(wave + stream(seed, 4).normal(0.0, 1.0, hours.size) * outside.noise_kelvin, dtype=np.float64)


def design_outside_c(outside: Outside) -> float:
    """Warmest hour of the wave and 2.65 standard deviations of the noise (its P99.6) [C]."""
    return outside.mean_c + outside.swing_kelvin + 2.652 * outside.noise_kelvin


def saas_loads(hours: Floats, endpoints: int, seed: int, history: bool) -> Floats:
    """Load of each endpoint, shared by all its VMs, (E, T); the history has noise of its own."""
    draw = stream(seed, 5)
    base, swing = draw.uniform(0.35, 0.5, endpoints), draw.uniform(0.25, 0.45, endpoints)
    peak = draw.normal(14.0, 2.5, endpoints)
    wave = base[:, None] + swing[:, None] * np.sin(2.0 * np.pi * (hours - peak[:, None] + 6.0) / HOURS)
    noise = stream(seed, 6 + history).normal(0.0, 0.03, (endpoints, hours.size))
    return np.clip(wave + noise, 0.05, 1.0)


def iaas_loads(hours: Floats, count: int, seed: int, history: bool) -> Floats:
    """Load of each opaque VM, (count, T)."""
    level = stream(seed, 8).uniform(0.3, 1.0, count)
    peak = stream(seed, 9).normal(14.0, 4.0, count)
    wave = level[:, None] * (0.75 + 0.25 * np.sin(2.0 * np.pi * (hours - peak[:, None] + 6.0) / HOURS))
    noise = stream(seed, 10 + history).normal(0.0, 0.03, (count, hours.size))
    return np.clip(wave + noise, 0.0, 1.0)


def hourly(load: Floats, hours: Floats, quantile: float) -> Floats:
    """A quantile of the load by hour of day, (V, 24) from (V, T); linear between samples."""
    hour = hours.astype(np.int64) % HOURS
    out = np.empty((load.shape[0], HOURS))
    for at in range(HOURS):
        ranked = np.sort(load[:, hour == at], axis=1)
        place = quantile * (ranked.shape[1] - 1)
        low = int(place)
        high = min(low + 1, ranked.shape[1] - 1)
        out[:, at] = ranked[:, low] + (place - low) * (ranked[:, high] - ranked[:, low])
    return out


def demand(count: int, mix: Mix, outside: Outside, days: float, step_s: float, seed: int) -> Demand:
    """VMs of a synthetic hall. Kinds alternate so that any number of VMs has nearly the same mix.

    Profiles come from a week of history with the same curves and other noise: a plan does not know the future.
    """
    saas, endpoint = kinds(count, mix)
    hours, past = hours_of(days, step_s), hours_of(7.0, step_s)

    def loads(at: Floats, history: bool) -> Floats:
        out = np.empty((count, at.size))
        out[saas] = saas_loads(at, mix.endpoints, seed, history)[endpoint[saas]]
        out[~saas] = iaas_loads(at, int((~saas).sum()), seed, history)
        return out

    seen = loads(past, True)
    names = tuple(f"{PREFIX}{'saas' if kind else 'iaas'}-{number:04d}" for number, kind in enumerate(saas))
    vms = Vms(names, saas, endpoint, hourly(seen, past, 0.5), hourly(seen, past, 0.99))
    return Demand(vms, loads(hours, False), outside_c(hours, outside, seed), step_s)


def kinds(count: int, mix: Mix) -> tuple[np.ndarray, Ints]:
    """Which VMs are SaaS (V,), and their endpoints in turn; NO_ENDPOINT for the others."""
    number = np.arange(count, dtype=np.int64)
    saas = np.floor((number + 1) * mix.saas_share + 1e-9) > np.floor(number * mix.saas_share + 1e-9)
    turn = np.cumsum(saas) - 1
    return saas, np.where(saas, turn % mix.endpoints, NO_ENDPOINT)


def replayed(vms: Vms, outside: Floats, days: float, step_s: float, seed: int) -> Demand:
    """VMs known by hourly profiles only, as loads over time.

    A VM's load at a step is P50 + (P99 - P50) z / 2.326 with z normal: one z per endpoint for SaaS, one per VM for
    opaque VMs, drawn anew each step. That form is assumed.
    """
    hours = hours_of(days, step_s)
    hour = hours.astype(np.int64) % HOURS
    draw = stream(seed, 12)
    shared = stream(seed, 15).normal(0.0, 1.0, (int(vms.endpoint.max(initial=0)) + 1, hours.size))
    z = draw.normal(0.0, 1.0, (vms.count, hours.size))
    z[vms.saas] = shared[vms.endpoint[vms.saas]]
    middle, high = vms.load_p50[:, hour], vms.load_p99[:, hour]
    return Demand(vms, np.clip(middle + (high - middle) / 2.326 * z, 0.0, 1.0), outside, step_s)


@dataclass(frozen=True, slots=True)
class SyntheticTelemetry:
    """Columns of synthetic telemetry, one entry per sample, in the order of server, GPU and time."""

    time_s: Floats
    server: Ints
    gpu: Ints
    row: Ints
    inlet_c: Floats
    power_w: Floats
    temp_c: Floats
    load: Floats
    outside_c: Floats


def telemetry(
    rows: int, servers_per_row: int, days: float, step_s: float, noise_kelvin: float, seed: int
) -> SyntheticTelemetry:
    """Telemetry a hall with the default physics would show, with noise on every GPU temperature.

    Loads and offsets are those of the synthetic hall; every GPU has an offset |N(0, 3)| of its own, inlets are read
    with 0.1 K of noise.
    """
    from aiplan.planners.thermal.model import gpu_power_w, gpu_temperature_c
    from aiplan.planners.thermal.model import inlet_c as inlets

    hall = with_offsets(equal_hall(rows, servers_per_row, 2, 1.0, 1.0), Spread(), seed)
    asked = demand(hall.slots, Mix(), Outside(), days, step_s, seed)
    steps = asked.load.shape[1]
    draw = stream(seed, 13)
    inlet = inlets(hall, asked.outside_c, asked.load.mean(axis=0)).T + draw.normal(0.0, 0.1, asked.load.shape)
    offsets = np.abs(stream(seed, 14).normal(0.0, Spread().gpu_kelvin, (hall.slots, GPUS)))
    power = gpu_power_w(hall, asked.load)
    shape = (hall.slots, GPUS, steps)

    def spread_out(values: Floats) -> Floats:
        """(S, T) as one entry per sample."""
        return np.asarray(np.broadcast_to(values[:, None, :], shape).reshape(-1), dtype=np.float64)

    # The GPUs of a server share its load but not to the watt.
    watts = np.maximum(spread_out(power) * (1.0 + draw.normal(0.0, 0.03, hall.slots * GPUS * steps)), 0.0)
    true = gpu_temperature_c(hall, spread_out(inlet), watts, np.repeat(offsets.reshape(-1), steps))
    server = np.repeat(np.arange(hall.slots, dtype=np.int64), GPUS * steps)
    return SyntheticTelemetry(
        time_s=np.tile(np.arange(steps) * step_s, hall.slots * GPUS),
        server=server,
        gpu=np.tile(np.repeat(np.arange(GPUS, dtype=np.int64), steps), hall.slots),
        row=hall.row[server],
        inlet_c=spread_out(inlet),
        power_w=watts,
        temp_c=true + draw.normal(0.0, noise_kelvin, true.size),
        load=spread_out(asked.load),
        outside_c=np.tile(asked.outside_c, hall.slots * GPUS),
    )
