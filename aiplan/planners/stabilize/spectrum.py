"""Lines and bands of a wave: amplitude of each line, and root mean square within a band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from aiplan.planners.arrays import Array, as_array, require
from aiplan.planners.stabilize.wave import Flags

Starts = npt.NDArray[np.intp]

LEAST_SAMPLES = 16
"""Fewer make no spectrum."""
LEAST_PERIODS = 3.0
"""A segment resolves frequencies of which it holds so many periods."""
EDGE_BINS = 0.02
"""A line this far outside a band, in bins of 1 / segment, counts as inside: that is how well its frequency is known."""
LEAK_FACTOR = 2.0
"""A maximum below this many times the side lobe of a stronger line is that side lobe: two lines, or a line and its
mirror image at negative frequency, can add up."""
NOTHING = 1e-7
"""Amplitude over the largest power below which there is no line but rounding and sums of far side lobes."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line: frequency [Hz], amplitude as the peak of its sine [W], beginning of the segment it was read in [s]."""

    f_hz: float
    amplitude_w: float
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Spectra of the segments of a wave, S segments and K frequencies.

    Attributes
    ----------
    frequency_hz : shape (K,), from 0 to half the rate, finer than 1 / segment_s [Hz]
    amplitude_w : shape (S, K), peak of a sine of that frequency [W]
    density_w2_per_hz : shape (K,), one-sided power spectral density, mean over segments [W²/Hz]
    at_s : shape (S,), at which each segment begins [s]
    segment_s : length of a segment [s]
    floor_w : amplitude below which nothing counts [W]
    """

    frequency_hz: Array
    amplitude_w: Array
    density_w2_per_hz: Array
    at_s: Array
    segment_s: float
    floor_w: float

    @property
    def bin_hz(self) -> float:
        """Distance of two frequencies [Hz]."""
        return float(self.frequency_hz[1])


def segment_starts(usable: Flags, length: int) -> Starts:
    """First steps of the segments of ``length`` that overlap by half and hold nothing unusable.

    Each stretch of usable steps gets its own, the last one flush with its end. A shorter stretch gets none.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], usable.astype(np.int8), [0]))))
    hop = max(1, length // 2)
    out: list[int] = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        last = end - length
        if last >= first:
            out += [*range(first, last, hop), last]
    return np.asarray(out, dtype=np.intp)


@lru_cache(maxsize=8)
def _window(length: int) -> tuple[Array, Array]:
    """Hann window at the middle of each step, and the time from the segment's middle times it, shape (length,)."""
    place = (np.arange(length) + 0.5) / length
    window = np.sin(np.pi * place) ** 2
    lever = window * (place - 0.5)
    window.flags.writeable = lever.flags.writeable = False
    return window, lever


@lru_cache(maxsize=8)
def _padded(length: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(2 * length, real=True))


def spectra(
    power_w: Array,
    step_s: float,
    segment_s: float,
    starts: Starts | None = None,
    start_s: float = 0.0,
    means: bool = True,
) -> Spectra:
    """Amplitudes and density of the segments of a wave.

    Hann window, 50 % overlap, amplitude ``2 |X| / sum(window)``, density ``2 |X|² / (rate sum(window²))``. Mean and
    straight trend of each segment are taken away (weighted by the window, so that a line that is cut off at the ends
    leaves nothing behind). Zero padded to twice the length. What a mean over a step loses, sinc(f step), is made good
    (24 % at 20 Hz and 50 values a second) unless ``means`` says that the values are none.

    Parameters
    ----------
    power_w : shape (N,), mean over each step [W]; pass it through `edges.soften` first if it may jump
    step_s, segment_s : [s]; the segment is rounded to whole steps
    starts : first step of each segment, as `segment_starts` gives; None for all of the wave
    start_s : time of the first step [s]

    Raises ValueError where no segment of 16 steps or more fits.
    Source: reference power-stabilisation, section 4.2; Welch (1967) for overlap and mean.
    """
    length = round(segment_s / step_s)
    require(length >= LEAST_SAMPLES, f"a segment needs {LEAST_SAMPLES} steps")
    if starts is None:
        starts = segment_starts(np.ones(power_w.shape, dtype=np.bool_), length)
    require(starts.size > 0, "no segment fits into the wave")
    window, lever = _window(length)
    total, square = float(window.sum()), float(window @ window)
    rows = np.lib.stride_tricks.sliding_window_view(power_w, length)[starts]
    place = (np.arange(length) + 0.5) / length - 0.5
    rows -= ((rows @ window) / total)[:, None]
    rows -= ((rows @ lever) / float(lever @ place))[:, None] * place
    rows *= window
    padded = _padded(length)
    amplitude: Array = np.abs(np.fft.rfft(rows, padded, axis=1))
    frequency: Array = np.arange(amplitude.shape[1]) / (padded * step_s)
    amplitude *= 2.0 / (total * np.sinc(frequency * step_s)) if means else 2.0 / total
    # |X|² = (amplitude total / 2)².
    density = np.einsum("sk,sk->k", amplitude, amplitude) * (total**2 * step_s / (2.0 * square * starts.size))
    floor = NOTHING * max(float(power_w.max()), -float(power_w.min()))
    return Spectra(frequency, amplitude, density, as_array(start_s + step_s * starts), length * step_s, floor)


@lru_cache(maxsize=8)
def _side_lobes(count: int, bins: float) -> Array:
    """Upper bound of a Hann window's side lobes 0, 1, 2... frequencies away, over its main lobe, shape (count,) [1].

    ``1 / (pi x (x² - 1))`` at x bins of 1 / segment; 0 within the main lobe (x < 2), which has one maximum only.
    """
    x = np.arange(count) * bins
    far = x >= 2.0
    out = np.zeros(count)
    out[far] = 1.0 / (np.pi * x[far] * (x[far] ** 2 - 1.0))
    return out


def _leak(found: Spectra, column: int) -> Array:
    """Side lobes a line at one frequency has at all others, over its amplitude, shape (K,) [1]."""
    count = found.frequency_hz.size
    lobes = _side_lobes(count, found.bin_hz * found.segment_s)
    return np.concatenate((lobes[column:0:-1], lobes[: count - column]))


def _refined(found: Spectra, row: int, column: int) -> Line:
    """The line at a maximum: parabola through the logarithms for its place, the window's shape for its height."""
    amplitude = found.amplitude_w[row, column - 1 : column + 2].tolist()
    left, middle, right = (math.log(max(value, 1e-300)) for value in amplitude)
    bend = left - 2.0 * middle + right
    offset = 0.5 * (left - right) / bend if bend < 0.0 else 0.0
    x = offset * found.bin_hz * found.segment_s
    shape = math.sin(math.pi * x) / (math.pi * x * (1.0 - x * x)) if abs(x) > 1e-9 else 1.0
    return Line((column + offset) * found.bin_hz, amplitude[1] / shape, float(found.at_s[row]))


def _maxima(found: Spectra, low_hz: float, high_hz: float) -> tuple[int, Array]:
    """First column of a band, and its amplitudes with all that is no local maximum set to 0 [W]."""
    first = max(1, math.floor(low_hz / found.bin_hz))
    last = min(found.frequency_hz.size - 2, math.ceil(min(high_hz, found.frequency_hz[-1]) / found.bin_hz))
    if last < first:
        return first, np.zeros((found.at_s.size, 0))
    inside = found.amplitude_w[:, first : last + 1]
    top = (inside >= found.amplitude_w[:, first - 1 : last]) & (inside > found.amplitude_w[:, first + 1 : last + 2])
    return first, np.where(top & (inside > found.floor_w), inside, 0.0)


def _next_line(found: Spectra, first: int, level: Array, low_hz: float, high_hz: float) -> Line | None:
    """The largest maximum that lies in the band and is no side lobe; those passed over are set to 0 in ``level``."""
    slack = EDGE_BINS / found.segment_s
    while level.size:
        row, place = divmod(int(level.argmax()), level.shape[1])
        height = float(level[row, place])
        if height <= 0.0:
            return None
        level[row, place] = 0.0
        column = first + place
        line = _refined(found, row, column)
        if not low_hz - slack <= line.f_hz <= high_hz + slack:
            continue
        blame = found.amplitude_w[row] * _leak(found, column)
        culprit = int(blame.argmax())
        if LEAK_FACTOR * blame[culprit] < height:
            return line
        lobes = LEAK_FACTOR * float(found.amplitude_w[row, culprit]) * _leak(found, culprit)
        own = level[row]
        own[own <= lobes[first : first + own.size]] = 0.0
    return None


def largest_line(found: Spectra, low_hz: float, high_hz: float) -> Line | None:
    """The largest line within a band, both ends included, over all segments; None where there is none.

    A line is a local maximum of a segment's spectrum. What merely rises towards a band's edge is the flank of a line
    outside, and a maximum that a stronger line's side lobe explains is that side lobe: neither counts. A line weaker
    than twice a side lobe of its neighbour therefore goes unseen (5 % of it 2.5 bins away, 0.8 % at 5, 0.07 % at 10;
    a bin is 1 / segment).
    """
    first, level = _maxima(found, low_hz, high_hz)
    return _next_line(found, first, level, low_hz, high_hz)


def lines(found: Spectra, count: int) -> tuple[Line, ...]:
    """The largest lines over all segments, largest first; no two within a main lobe, none a side lobe of another.

    From 3 / segment on: below, taking the trend away leaves remains that look like lines.
    """
    low_hz, top_hz = LEAST_PERIODS / found.segment_s, float(found.frequency_hz[-1])
    first, level = _maxima(found, low_hz, top_hz)
    out: list[Line] = []
    while len(out) < count:
        line = _next_line(found, first, level, low_hz, top_hz)
        if line is None:
            break
        out.append(line)
        columns = found.frequency_hz[first : first + level.shape[1]]
        level[:, np.abs(columns - line.f_hz) < 2.0 / found.segment_s] = 0.0
    return tuple(out)


def mean_square_w2(found: Spectra, low_hz: float, high_hz: float) -> float:
    """Mean square of what lies in a band [W²]; a frequency at the edge counts with the part of its bin inside."""
    bin_hz = found.bin_hz
    first = max(0, math.floor(low_hz / bin_hz))
    last = min(found.frequency_hz.size, math.ceil(min(high_hz, found.frequency_hz[-1] + bin_hz) / bin_hz) + 1)
    centre = found.frequency_hz[first:last]
    width = np.minimum(centre + 0.5 * bin_hz, high_hz) - np.maximum(centre - 0.5 * bin_hz, low_hz)
    return float(found.density_w2_per_hz[first:last] @ np.maximum(width, 0.0))


def band_rms_w(found: Spectra, low_hz: float, high_hz: float) -> float:
    """Root mean square of everything in a band, mean over segments [W].

    A line within 2 / segment of the band's edge counts in part, on whichever side it lies.
    """
    return math.sqrt(mean_square_w2(found, low_hz, high_hz))
