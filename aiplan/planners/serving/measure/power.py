"""Power of an accelerator while steps run: NVML's energy counter, or samples of its power, over one window.

NVML's own limits bound what can be said. ``nvmlDeviceGetPowerUsage`` averages over 1 s on Ampere (except GA100) and
later (NVML API reference), so a window's first second still shows what ran before; the field
``NVML_FI_DEV_POWER_INSTANT`` does not and is preferred. On A100 and H100 the sensor sees only a quarter of the time
(Yang, Adamek and Armour, SC24, arXiv:2312.02741): fair for a step repeated many times, not for a single one. The
energy counter moves every 0.1 s or so, which is 5 % of a window of 2 s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import as_array, require

MIN_WINDOW_S = 1.0
"""Shorter windows get no power: the counter's steps and the sensor's average would be most of it [s]."""
SAMPLE_INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True)
class PowerReading:
    """Power over one window.

    Attributes
    ----------
    power_w : mean [W]; None where the window is too short or the driver says nothing
    method : ``energy-counter``, ``samples``, or empty without a power
    sm_clock_mhz : mean clock of the processors [MHz]; None where not known
    """

    power_w: float | None
    method: str
    sm_clock_mhz: float | None = None


class Sensor(Protocol):
    """What a driver can tell; None for what it cannot."""

    def power_w(self) -> float | None:
        """Power now [W]."""

    def energy_j(self) -> float | None:
        """Energy since some moment in the past [J]."""

    def sm_clock_mhz(self) -> float | None:
        """Clock of the processors now [MHz]."""


def mean_over_window(times_s: npt.ArrayLike, values: npt.ArrayLike, start_s: float, end_s: float) -> float:
    """Mean of a sampled quantity over a window, by the trapezoidal rule.

    ``1/(t1 - t0) * integral of the polyline through the samples``; at the window's ends the polyline is cut, and
    beyond the first and last sample it is level.

    Parameters
    ----------
    times_s, values : samples at any distances, shape (samples,), times rising [s]
    start_s, end_s : window [s]

    Raises
    ------
    ValueError without samples, for times that do not rise, or for an empty window.

    >>> mean_over_window([0, 1, 3], [100, 200, 200], 0, 3)
    183.33333333333334
    """
    times, watts = as_array(times_s), as_array(values)
    require(times.ndim == 1 and times.size > 0 and times.shape == watts.shape, "samples must be pairs, at least one")
    require(np.diff(times) > 0, "times of samples must rise")
    require(end_s > start_s, "the window must not be empty")
    inside = times[(times > start_s) & (times < end_s)]
    edges = np.concatenate(([start_s], inside, [end_s]))
    return float(np.trapezoid(np.interp(edges, times, watts), edges) / (end_s - start_s))


class PowerMeter:
    """Reads a sensor in a thread from entering to leaving; `reading` says what it saw in between.

    Parameters
    ----------
    sensor : see `Sensor`
    clock : seconds for the samples
    """

    def __init__(
        self, sensor: Sensor, clock: Callable[[], float] = time.perf_counter, interval_s: float = SAMPLE_INTERVAL_S
    ):
        self._sensor, self._clock, self._interval_s = sensor, clock, interval_s
        self._samples: list[tuple[float, float | None, float | None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._from: tuple[float, float | None] = (0.0, None)
        self._to: tuple[float, float | None] = (0.0, None)

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._samples.append((self._clock(), self._sensor.power_w(), self._sensor.sm_clock_mhz()))

    def __enter__(self) -> PowerMeter:
        self._from = (self._clock(), self._sensor.energy_j())
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._to = (self._clock(), self._sensor.energy_j())
        self._stop.set()
        self._thread.join()

    @property
    def reading(self) -> PowerReading:
        """Mean power from entering to leaving."""
        return read_window(self._from, self._to, self._samples)


def read_window(
    start: tuple[float, float | None],
    end: tuple[float, float | None],
    samples: list[tuple[float, float | None, float | None]],
) -> PowerReading:
    """Power of a window: from the energy counter where it moved, else from the samples.

    Parameters
    ----------
    start, end : time [s] and energy counter [J] at both ends
    samples : time [s], power [W] and clock [MHz] in between
    """
    (start_s, start_j), (end_s, end_j) = start, end
    clocks = [clock for at, _, clock in samples if clock is not None and start_s <= at <= end_s]
    clock = sum(clocks) / len(clocks) if clocks else None
    if end_s - start_s < MIN_WINDOW_S:
        return PowerReading(None, "", clock)
    if start_j is not None and end_j is not None and end_j > start_j:
        return PowerReading((end_j - start_j) / (end_s - start_s), "energy-counter", clock)
    known = [(at, power) for at, power, _ in samples if power is not None]
    if not known:
        return PowerReading(None, "", clock)
    times, watts = zip(*known, strict=True)
    return PowerReading(mean_over_window(times, watts, start_s, end_s), "samples", clock)


class NvmlSensor:
    """One accelerator through NVML (package ``nvidia-ml-py``), which is loaded here and not before.

    Parameters
    ----------
    uuid : of the device, as NVML writes it (``GPU-...``); the order of devices differs between libraries

    Raises
    ------
    RuntimeError where NVML or the device cannot be reached.
    """

    def __init__(self, uuid: str):
        self._nvml: Any = import_module("pynvml")
        try:
            self._nvml.nvmlInit()
            self._device = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
        except self._nvml.NVMLError as error:
            raise RuntimeError(str(error)) from None

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self._nvml.NVMLError:
            return None

    def _scaled(self, question: Callable[[], Any], factor: float) -> float | None:
        answer = self._ask(question)
        return None if answer is None else float(answer) * factor

    def power_w(self) -> float | None:
        field = getattr(self._nvml, "NVML_FI_DEV_POWER_INSTANT", None)
        if field is not None:
            values = self._ask(lambda: self._nvml.nvmlDeviceGetFieldValues(self._device, [field]))
            if values and values[0].nvmlReturn == self._nvml.NVML_SUCCESS:
                return float(values[0].value.uiVal) / 1e3
        return self._scaled(lambda: self._nvml.nvmlDeviceGetPowerUsage(self._device), 1e-3)

    def energy_j(self) -> float | None:
        return self._scaled(lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._device), 1e-3)

    def sm_clock_mhz(self) -> float | None:
        return self._scaled(lambda: self._nvml.nvmlDeviceGetClockInfo(self._device, self._nvml.NVML_CLOCK_SM), 1.0)

    def power_limit_w(self) -> float | None:
        """Power limit in force [W]."""
        return self._scaled(lambda: self._nvml.nvmlDeviceGetEnforcedPowerLimit(self._device), 1e-3)

    def driver(self) -> str:
        """Version of the driver; empty where not known."""
        return str(self._ask(self._nvml.nvmlSystemGetDriverVersion) or "")
