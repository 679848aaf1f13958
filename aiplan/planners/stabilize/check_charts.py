"""Pictures of waves and their spectra with what limits them, and the tables that hold the same numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.figures import Figures
from aiplan.planners.stabilize.limits import Band, Limits
from aiplan.planners.stabilize.wave import Wave
from aiplan.report.model import Axis, Cell, Chart, Column, Mark, Series, Table

MOST_POINTS = 1500
"""Points of a line in a picture, its extremes among them."""
SHOWN_SHARE = 1e-4
"""Amplitudes below this share of the largest are left out of the picture of a spectrum, not out of its table."""
_MEGA = 1e6


def thinned(values: Array, most: int = MOST_POINTS) -> npt.NDArray[np.intp]:
    """Places of at most ``most`` values that keep the outline: first, last, smallest and largest of equal stretches."""
    if values.size <= most:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, most // 2).astype(np.intp)
    kept = [0, values.size - 1]
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = values[first:end]
        kept += [first + int(part.argmin()), first + int(part.argmax())]
    return np.unique(np.asarray(kept, dtype=np.intp))


def waveform_table(
    waves: Sequence[tuple[str, Wave]], table_id: str = "waveform", title: str = "Power over time, thinned out"
) -> Table:
    """Power over time, thinned out; each value holds from its time on for a step of the wave."""
    columns = (
        Column("wave", "wave", keep=True),
        Column("t_s", "time", "s", keep=True),
        Column("power_mw", "power", "MW", keep=True),
        Column("known", "known"),
    )
    rows: list[tuple[Cell, ...]] = []
    for label, wave in waves:
        places = thinned(wave.power_w)
        known = np.ones(places.size, dtype=np.bool_) if wave.known is None else wave.known[places]
        cells = zip(wave.time_s[places].tolist(), (wave.power_w[places] / _MEGA).tolist(), known.tolist(), strict=True)
        rows += [(label, *row) for row in cells]
    return Table(table_id, title, columns, tuple(rows), shown=False)


def waveform_chart(
    waves: Sequence[tuple[str, Wave]], limits: Limits, table_id: str = "waveform", title: str = "Power over time"
) -> Chart:
    """Power over time of each wave; gaps as points, and the most and the least that the connection allows as marks.

    The first wave is drawn over the others.
    """
    series = []
    for label, wave in waves:
        places = thinned(wave.power_w)
        x, y = wave.time_s[places], wave.power_w[places] / _MEGA
        series.append(Series(label, tuple(x.tolist()), tuple(y.tolist())))
        if wave.known is not None and not wave.known.all():
            gone = ~wave.known[places]
            series.append(Series(f"{label}, not known", tuple(x[gone].tolist()), tuple(y[gone].tolist()), "points"))
    marks = [Mark(power / _MEGA, f"{name} {power / _MEGA:g} MW", "y")
             for name, power in (("most", limits.most_w), ("least", limits.least_w)) if power is not None]  # fmt: skip
    return Chart(table_id, title, Axis("time", "s"), Axis("power", "MW"), tuple(series), tuple(marks),
                 table_id)  # fmt: skip


def _spectrum(figures: Figures) -> tuple[Array, Array] | None:
    """Frequencies and amplitudes [W], the largest of all segments, thinned out; of steady state where there is any."""
    parts = [one.found for one in (figures.steady, figures.transient) if one is not None and one.found is not None]
    if not parts:
        return None
    frequency, amplitude = parts[0].frequency_hz[1:], parts[0].amplitude_w[:, 1:].max(axis=0)
    if frequency.size > MOST_POINTS:
        # Equal stretches on a scale of decades: the largest of each stands for it.
        ends = np.geomspace(frequency[0], frequency[-1] * (1 + 1e-9), MOST_POINTS // 2)
        place = np.searchsorted(ends, frequency)
        firsts = np.flatnonzero(np.diff(place, prepend=-1))
        pairs = zip(firsts.tolist(), [*firsts[1:].tolist(), frequency.size], strict=True)
        kept = np.asarray([first + int(amplitude[first:end].argmax()) for first, end in pairs], dtype=np.intp)
        frequency, amplitude = frequency[kept], amplitude[kept]
    return frequency, amplitude


def spectrum_table(waves: Sequence[tuple[str, Figures]]) -> Table:
    """Amplitude by frequency, thinned out: peak of a sine, the largest of all segments."""
    columns = (
        Column("wave", "wave", keep=True),
        Column("frequency_hz", "frequency", "Hz", keep=True),
        Column("amplitude_mw", "amplitude, peak of the sine", "MW", keep=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for label, figures in waves:
        if (found := _spectrum(figures)) is not None:
            rows += [(label, f, a / _MEGA) for f, a in zip(found[0].tolist(), found[1].tolist(), strict=True)]
    return Table("spectrum", "Spectrum, thinned out", columns, tuple(rows), shown=False)


def spectrum_charts(waves: Sequence[tuple[str, Figures]], limits: Limits) -> tuple[Chart, ...]:
    """The spectrum of each wave with the limits of lines, each across its band; none where no wave has a spectrum."""
    found = [(label, one) for label, figures in waves if (one := _spectrum(figures)) is not None]
    largest = max((float(amplitude.max()) for _, (_, amplitude) in found), default=0.0)
    if largest <= 0.0:
        return ()
    series, ends = [], [math.inf, 0.0]
    for label, (frequency, amplitude) in found:
        shown = amplitude >= SHOWN_SHARE * largest
        x, y = frequency[shown], amplitude[shown] / _MEGA
        if x.size:
            series.append(Series(label, tuple(x.tolist()), tuple(y.tolist())))
            ends = [min(ends[0], float(x[0])), max(ends[1], float(x[-1]))]
    for band in limits.bands:
        allowed = _line_limit(band, waves[0][1].reference_w)
        low, high = max(band.low_hz, ends[0]), min(band.high_hz, ends[1])
        if allowed is not None and low < high:
            label = f"limit of {band.name}, {allowed / _MEGA:.3g} MW"
            series.append(Series(label, (low, high), (allowed / _MEGA, allowed / _MEGA)))
    x_axis, y_axis = Axis("frequency", "Hz", log=True), Axis("amplitude, peak of the sine", "MW", log=True)
    return (Chart("spectrum", "Spectrum and limits of lines", x_axis, y_axis, tuple(series), (), "spectrum"),)


def _line_limit(band: Band, reference_w: float) -> float | None:
    """The stricter of a band's two limits of lines [W]; None where it has none."""
    both = [] if band.line_w is None else [band.line_w]
    both += [] if band.line_fraction is None else [band.line_fraction * reference_w]
    return min((one for one in both if one > 0.0), default=None)
