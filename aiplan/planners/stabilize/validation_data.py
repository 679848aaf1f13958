"""What `aiplan validate --data` holds `aiplan stabilize` to: a measured training run, and the same made from its log.

The run is GPT-3 175B on 64 nodes with 512 H100 (MLPerf Training v4.0). Its log says how often it steps and evaluates;
three levels of power were read off the trace, one low duration follows from the measured mean, one smear is the
meters' own. Nothing is fitted to the spectrum, and no level is predicted: frequencies and shape are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiplan.errors import InputError, Problem
from aiplan.planners.arrays import Array
from aiplan.planners.stabilize.spectrum import Line, Spectra, largest_line, spectra
from aiplan.planners.stabilize.timeline import Pause, Phase, Schedule, segments
from aiplan.planners.stabilize.wave import Wave
from aiplan.planners.stabilize.wave_file import read_wave
from aiplan.planners.stabilize.waveform import meter, sample
from aiplan.report.model import Column, Table
from aiplan.study.validate import Check, Results

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

RUN = Path("power") / "smc_gpt3_node_sum.csv"
SOURCE = "smc-mlperf-training-4"

BLOCKS, STEPS = 24, 12
"""Blocks of the run, each with an evaluation after it, and steps of a block [1]."""
BLOCK_S, EVALUATION_S, BEGIN_S = 129.188, 12.974, -1.104
"""Mean lengths, and when the first block begins by the file's clock [s]; from the log of the run."""
TOP_KW, TROUGH_KW, FIRST_KW = 454.5, 409.0, 387.0
"""Flat top of a step, trough between steps and evaluation, first seconds of an evaluation; read off the trace [kW]."""
MEAN_KW = 438.28
"""Measured mean, from which the low duration follows [kW]."""
METER_S = 2.005
"""Time between two reports of a meter, taken as the window it averages over: assumed [s]."""
GRID_S = 0.05
TRIM_STEPS = 60
"""Left out at both ends for the spectrum: start and stop [1]."""
BANDS_HZ = (0.05, 0.14), (0.15, 0.24)
"""Where the two lines are looked for [Hz]."""
BIN_HZ = 0.000315
"""Width of a line of the record's spectrum [Hz]."""
WITHIN = 0.12
"""How far figures made from the log may be from those measured [1]."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a meter shows of the run, and its figures.

    Attributes
    ----------
    power_kw : shape (N,), at equal steps [kW]
    step_s : between two values [s]
    """

    power_kw: Array
    step_s: float

    @cached_property
    def spectrum(self) -> Spectra:
        """Of everything between the trimmed ends, through one window; meters' means are taken as they are."""
        kept = self.power_kw[TRIM_STEPS:-TRIM_STEPS]
        return spectra(kept, self.step_s, kept.size * self.step_s, means=False)

    def line(self, number: int) -> Line:
        """The largest line of one of `BANDS_HZ`, amplitude in kW."""
        return largest_line(self.spectrum, *BANDS_HZ[number]) or Line(0.0, 0.0, 0.0)

    @property
    def figures(self) -> dict[str, tuple[float, str]]:
        """Mean, standard deviation, peak over mean and both lines, with units."""
        mean = float(self.power_kw.mean())
        return {
            "mean power": (mean, "kW"),
            "standard deviation": (float(self.power_kw.std()), "kW"),
            "peak over mean": (float(self.power_kw.max()) / mean, ""),
            "first line": (self.line(0).amplitude_w, "kW"),
            "second line": (self.line(1).amplitude_w, "kW"),
        }


def low_s() -> float:
    """How long power is low around the end of a step, and lowest in an evaluation: what makes the mean right [s]."""
    surplus = TOP_KW * BLOCK_S + TROUGH_KW * EVALUATION_S - MEAN_KW * (BLOCK_S + EVALUATION_S)
    return surplus / (STEPS * (TOP_KW - TROUGH_KW) + (TROUGH_KW - FIRST_KW))


def schedule() -> Schedule:
    """All nodes together by the mean times of the log."""
    low = low_s()
    steps = Phase("low", low, 1e3 * TROUGH_KW), Phase("top", BLOCK_S / STEPS - low, 1e3 * TOP_KW)
    evaluation = Phase("first", low, 1e3 * FIRST_KW), Phase("evaluation", EVALUATION_S - low, 1e3 * TROUGH_KW)
    lasts_s = BLOCKS * (BLOCK_S + EVALUATION_S)
    return Schedule(steps, lasts_s, 1e3 * TROUGH_KW, evaluation=Pause(STEPS, evaluation))


def made(at_s: Array, step_s: float) -> Seen:
    """What the meters would show of that schedule at these times by the file's clock [s]."""
    power = sample(segments(schedule(), 0), GRID_S).power_w
    return Seen(meter(power, GRID_S, METER_S, at_s - BEGIN_S) / 1e3, step_s)


@lru_cache(maxsize=2)
def _both(data: Path) -> tuple[Seen, Seen]:
    """Measured and made from the log.

    Raises
    ------
    InputError (E002) where the folder lacks the file.
    """
    path = data / RUN
    if not path.is_file():
        raise InputError(Problem("E002", f"the folder of measured data has no {RUN.name}", file=str(path),
                                 hint="give the folder that holds power/"))  # fmt: skip
    wave: Wave = read_wave(path, "node_sum_kw").wave
    return Seen(wave.power_w / 1e3, wave.step_s), made(wave.time_s, wave.step_s)


def data_checks(_: Catalog, data: Path) -> tuple[Check, ...]:
    """Figures of the file as its description prints them; those made from the log against those measured."""
    measured, found = _both(data)
    low, high = (float(one) for one in np.percentile(measured.power_kw, (1, 99)))
    own, theirs = found.figures, measured.figures
    told = (
        ("mean power", 438.28, theirs["mean power"][0]), ("standard deviation", 19.32, theirs["standard deviation"][0]),
        ("1st percentile", 392.9, low), ("99th percentile", 457.3, high),
        ("most power", 458.4, float(measured.power_kw.max())),
    )  # fmt: skip

    def check(what: str, expected: float, within: float, got: float, unit: str) -> Check:
        return Check(f"GPT-3 on 512 H100, {what}", expected, within, SOURCE, "derived", _constant(got), unit)

    out = [check(f"as measured: {what}", expected, 1e-3, got, "kW") for what, expected, got in told]
    for number, (hz, kw) in enumerate(((0.09148, 18.7), (0.18297, 7.5))):
        name, line = f"line near {hz:.2g} Hz", measured.line(number)
        out.append(check(f"as measured: {name}, amplitude", kw, 0.03, line.amplitude_w, "kW"))
        out.append(check(f"as measured: {name}, frequency", hz, BIN_HZ / hz, line.f_hz, "Hz"))
        out.append(
            check(f"from its log: {name}, frequency", line.f_hz, BIN_HZ / line.f_hz, found.line(number).f_hz, "Hz")
        )
    out += [check(f"from its log: {what}", value, WITHIN, own[what][0], unit) for what, (value, unit) in theirs.items()]
    return tuple(out)


def _constant(value: float) -> Callable[[Results], float]:
    return lambda _: value


def data_tables(_: Catalog, data: Path) -> list[Table]:
    """The run as measured beside the run made from its log."""
    measured, found = _both(data)
    rows: list[tuple[str, float, float, str | None, float, float, str]] = []
    for what, (value, unit) in measured.figures.items():
        mine = found.figures[what][0]
        error = mine / value - 1.0
        rows.append((what, value, mine, unit or None, error, WITHIN, "met" if abs(error) <= WITHIN else "missed"))
    for number, what in enumerate(("frequency of the first line", "frequency of the second line")):
        theirs, mine = measured.line(number).f_hz, found.line(number).f_hz
        error, within = mine / theirs - 1.0, BIN_HZ / theirs
        rows.append((what, theirs, mine, "Hz", error, within, "met" if abs(error) <= within else "missed"))
    columns = (
        Column("what", "what", keep=True), Column("measured", "measured", keep=True),
        Column("from_log", "from its log", keep=True), Column("unit", "unit"), Column("error", "error", keep=True),
        Column("allowed", "allowed"), Column("verdict", "verdict"),
    )  # fmt: skip
    title = "GPT-3 on 512 H100, power at the nodes: measured, and made from the log's times and three levels of power"
    return [Table("stabilize_measured", title, columns, tuple(rows))]
