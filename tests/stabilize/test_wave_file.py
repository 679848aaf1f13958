"""Measured waves from files: any sampling, gaps reported and bridged, everything impossible refused with its line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import InputError
from aiplan.planners.stabilize.figures import figures
from aiplan.planners.stabilize.limits import Band, Limits
from aiplan.planners.stabilize.wave_file import Gap, WaveFile, read_wave
from tests.stabilize.waves import line_w, square

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "wave.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def table(header: str = "t_s,site_mw", rows: int = 20, step: float = 2.0, **changes: str) -> str:
    """Rows with the number of the row in every column of power; ``row3="..."`` replaces the fourth."""
    columns = header.count(",")
    lines = [changes.get(f"row{row}", f"{step * row:.10g}" + f",{row}" * columns) for row in range(rows)]
    return "\n".join([header, *lines]) + "\n"


def of(times: list[str] | list[float], power: list[float] | None = None) -> str:
    values = power or [10.0] * len(times)
    return "t_s,site_kw\n" + "".join(f"{t},{p:.12g}\n" for t, p in zip(times, values, strict=True))


def problems(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, int]]:
    return [(problem.code, problem.line) for problem in error.value.problems]


def refused(path: Path, column: str = "") -> pytest.ExceptionInfo[InputError]:
    with pytest.raises(InputError) as error:
        read_wave(path, column)
    return error


@pytest.mark.shared_data
def test_the_measured_run_reads_unchanged(shared_data: Path) -> None:
    """README of shared/data/power: 1,705 rows of 2 s; mean 438.28 kW, sd 19.32, min 323.2, max 458.42."""
    found = read_wave(shared_data / "power" / "smc_gpt3_node_sum.csv")
    power = found.wave.power_w / 1e3
    assert (found.columns, found.rows, found.gaps, found.resampled) == (("node_sum_kw",), 1705, (), False)
    assert (found.wave.step_s, found.wave.start_s, found.wave.known) == (2.0, 0.0, None)
    assert found.name == "smc_gpt3_node_sum.csv"
    assert power.mean() == pytest.approx(438.28, abs=0.005)
    assert power.std() == pytest.approx(19.32, abs=0.005)
    assert (power.min(), power.max()) == pytest.approx((323.2, 458.42), abs=0.05)
    with_column = read_wave(shared_data / "power" / "smc_gpt3_node_sum.csv", "node_09_w")
    assert with_column.columns == ("node_09_w",)
    assert with_column.wave.power_w[0] == 4685.0


@pytest.mark.parametrize(
    ("header", "columns", "watts"),
    [
        ("t_s,sum_kw", ("sum_kw",), 1e3),
        ("t_s,poi_mw,temperature_c", ("poi_mw",), 1e6),
        ("t_s,node_1_w,node_2_kw", ("node_1_w", "node_2_kw"), 1001.0),
        ("t_s,total_gw,node_1_w", ("total_gw",), 1e9),
        ("t_s,node1_mw,node2_mw,node_temperature_c", ("node1_mw", "node2_mw"), 2e6),
    ],
)
def test_columns_and_units(write: Write, header: str, columns: tuple[str, ...], watts: float) -> None:
    found = read_wave(write(table(header)))
    assert found.columns == columns
    assert found.wave.power_w == pytest.approx(watts * np.arange(20))


@pytest.mark.parametrize(
    ("name", "step_s"), [("t_ms", 0.002), ("t_min", 120.0), ("time_s", 2.0), ("elapsed_h", 7200.0), ("t_us", 2e-6)]
)
def test_times_in_other_units(write: Write, name: str, step_s: float) -> None:
    assert read_wave(write(table(f"{name},site_mw"))).wave.step_s == pytest.approx(step_s, rel=1e-9)


def test_times_as_dates(write: Write) -> None:
    lines = [f"2026-01-01T00:00:{row // 2:02d}.{5 * (row % 2)}00Z,{row}" for row in range(40)]
    found = read_wave(write("timestamp,site_mw\n" + "\n".join(lines)))
    assert (found.wave.step_s, found.wave.start_s, found.begins) == (0.5, 0.0, "2026-01-01T00:00:00.000Z")
    assert found.wave.power_w.size == 40


def test_dates_with_and_without_a_zone_do_not_mix(write: Write) -> None:
    lines = [f"2026-01-01 00:00:{row:02d}{'+01:00' if row == 5 else ''},1" for row in range(20)]
    assert problems(refused(write("time,site_mw\n" + "\n".join(lines)))) == [("E302", 7)]


@pytest.mark.parametrize("rate", [24, 30, 50, 60, 120])
def test_rounded_clocks_make_equal_steps(write: Write, rate: int) -> None:
    """A clock of milliseconds at 60 values a second steps by 16 and 17 ms; the grid must not drift from it."""
    count = 6_000
    decimals = 3 if rate <= 60 else 4
    power = 100.0 + 50.0 * np.sin(2 * np.pi * 0.37 * np.arange(count) / rate)
    found = read_wave(write(of([f"{k / rate:.{decimals}f}" for k in range(count)], power.tolist())))
    assert not found.resampled
    assert found.wave.step_s == pytest.approx(1 / rate, rel=1e-6)
    assert found.gaps == ()
    assert found.wave.power_w / 1e3 == pytest.approx(power, rel=1e-10)


def test_unequal_steps_are_interpolated_to_the_median(write: Write) -> None:
    times = [0.0, 0.9, 2.0, 3.2, 4.1, 5.0, 6.1, 7.0, 8.0, 9.2, 10.0, 11.1, 12.0, 12.9, 14.0, 15.0, 16.0, 17.0, 18.2]
    found = read_wave(write(of(times, [3.0 * t for t in times])))
    assert found.resampled
    assert found.gaps == ()
    assert found.wave.step_s == pytest.approx(1.0)
    # A straight line stays one.
    assert found.wave.power_w == pytest.approx(3e3 * found.wave.time_s, abs=1e-6)


def test_gaps_of_both_kinds_are_found_and_bridged(write: Write) -> None:
    text = table(rows=40, row5="10,", row6="12,NaN", row7="14, n/a", row39="78,")
    text = text.replace("40,20\n42,21\n", "")  # rows 20 and 21 are missing altogether
    found = read_wave(write(text))
    assert found.gaps == (Gap(10.0, 16.0, 3, 3), Gap(40.0, 44.0, 2, 0, bridged=True))
    assert (found.trimmed_rows, found.rows, found.wave.power_w.size) == (1, 38, 39)
    assert found.wave.known is not None
    assert np.flatnonzero(~found.wave.known).tolist() == [5, 6, 7]
    assert found.gap_share == pytest.approx(3 / 39)
    assert found.wave.power_w == pytest.approx(1e6 * np.arange(39))  # the straight line is the wave itself here


def test_a_jump_of_one_and_a_half_steps_is_no_gap_and_a_longer_one_is(write: Write) -> None:
    before, after = [float(t) for t in range(20)], [float(t) for t in range(40)]
    for jump, gaps in ((1.5, 0), (1.6, 1), (3.0, 1), (5.0, 1)):
        found = read_wave(write(of([*before, *(19.0 + jump + t for t in after)])))
        assert len(found.gaps) == gaps, jump
        unknown = 0 if found.wave.known is None else int((~found.wave.known).sum())
        assert sum(gap.steps for gap in found.gaps if not gap.bridged) == unknown
        assert (unknown > 0) == (jump == 5.0)


def test_a_server_without_a_value_leaves_a_gap_in_the_sum(write: Write) -> None:
    found = read_wave(write(table("t_s,node_1_w,node_2_w", row4="8,,9")))
    assert found.gaps == (Gap(8.0, 10.0, 1, 1, bridged=True),)


@settings(max_examples=60, deadline=None)
@given(
    step=st.sampled_from([0.01, 0.02, 0.1, 1.0, 2.0, 60.0]),
    power=st.lists(st.floats(0.0, 1e4), min_size=40, max_size=80),
    missing=st.sets(st.integers(1, 38), max_size=15),
    empty=st.booleans(),
)
def test_what_stands_in_the_file_stands_in_the_wave(
    tmp_path_factory: pytest.TempPathFactory, step: float, power: list[float], missing: set[int], empty: bool
) -> None:
    """Every value at its place, every missing one marked or bridged, whatever is missing and however."""
    power[0] = power[-1] = 1.0
    rows = [f"{step * k:.10g},{'' if k in missing else repr(power[k])}" for k in range(len(power))
            if empty or k not in missing]  # fmt: skip
    path = tmp_path_factory.mktemp("wave") / "wave.csv"
    path.write_text("t_s,x_w\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found: WaveFile = read_wave(path)
    known = found.wave.known if found.wave.known is not None else np.ones(len(power), dtype=bool)
    there = [k for k in range(len(power)) if k not in missing]
    long = {k for low, high in pairwise(there) if high - low > 3 for k in range(low + 1, high)}
    assert set(np.flatnonzero(~known).tolist()) == long
    assert sum(gap.steps for gap in found.gaps if gap.bridged) == len(missing - long)
    assert found.wave.power_w[there].tolist() == [power[k] for k in there]
    assert sum(gap.steps for gap in found.gaps) == len(missing)
    assert found.wave.step_s == pytest.approx(step, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (table("time,site_mw"), "no column of times"),
        (table("t_s,t_ms,site_mw").replace("t_s", "elapsed_s"), "several columns of times: elapsed_s, t_ms"),
        (table("t_s,note"), "no column of power"),
        (table("t_s,a_w,b_w"), "several columns may be the sum"),
        ("t_s,site_mw\n", "has 0 values"),
    ],
)
def test_columns_that_cannot_be_told(write: Write, text: str, says: str) -> None:
    assert says in refused(write(text)).value.render()


def test_a_column_that_is_not_there(write: Write) -> None:
    error = refused(write(table("t_s,a_w,b_w")), "c_w")
    assert problems(error) == [("E300", 1)]
    assert "power columns: a_w, b_w" in error.value.render()
    assert read_wave(write(table("t_s,a_w,b_w")), "b_w").columns == ("b_w",)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"row3": "6,-1", "row5": "10,-0.5"}, [("E303", 5), ("E303", 7)]),
        ({"row3": "6,x", "row5": "10,inf", "row6": "12,1e999", "row7": "14,-inf"}, [("E302", n) for n in (5, 7, 8, 9)]),
        ({"row3": ",3", "row5": "nan,5", "row6": "inf,5"}, [("E302", n) for n in (5, 7, 8)]),
        ({"row3": "4,3", "row9": "2,9"}, [("E303", 5), ("E303", 11)]),
        ({"row3": "6,1e7", "row19": "1e11,3"}, [("E303", 5), ("E303", 21)]),
    ],
)
def test_impossible_cells_are_refused_with_their_lines(
    write: Write, changes: dict[str, str], expected: list[tuple[str, int]]
) -> None:
    assert problems(refused(write(table(**changes)))) == expected


@pytest.mark.parametrize(
    "text",
    [
        table(rows=15),
        table(rows=20, **{f"row{k}": f"{2 * k}," for k in range(5)}),
        table(rows=30, **{f"row{k}": f"{2 * k},nan" for k in range(30)}),
        of([*range(20), *range(100, 120)]),  # 80 of 120 steps unknown
        of([*(1e-6 * k for k in range(20)), *(1e6 + 1e-6 * k for k in range(20))]),  # 10^12 steps
    ],
)
def test_too_little_is_refused(write: Write, text: str) -> None:
    assert problems(refused(write(text)))[0][0] == "E304"


def test_no_power_at_all_is_refused(write: Write) -> None:
    assert problems(refused(write(of(list(range(20)), [1e-300] + [0.0] * 19).replace("1e-300", "0"))))[0][0] == "E303"


def test_thousands_of_problems_are_counted_not_listed(write: Write) -> None:
    error = refused(write("t_s,site_mw\n" + "".join(f"{row},-1\n" for row in range(5_000))))
    assert len(error.value.problems) == 50
    assert "4,950 more problems" in error.value.render()


@pytest.mark.parametrize(
    "text",
    ["", "t_s,site_mw\n1,2,3\n", 't_s,site_mw\n"1,2\n', "t_s,t_s\n", "t_s,site_mw\n1,\x07\n", "\u202e_w,t_s\n", "\x00"],
)
def test_hostile_files_end_in_an_error(write: Write, text: str) -> None:
    refused(write(text))


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("every", [7, 10])
def test_a_value_missing_now_and_then_leaves_the_lines(write: Write, every: int, empty: bool) -> None:
    """Every 7th or 10th value missing: bridged and told, line 1 of a square wave within 1 % of its closed form."""
    power = square(100e3, 40e3, 0.8, 2.0, 12_000, 0.1)
    rows = [f"{k / 50:.2f},{'' if k % every == 3 else format(power[k], '.12g')}" for k in range(power.size)
            if empty or k % every != 3]  # fmt: skip
    found = read_wave(write("t_s,site_kw\n" + "\n".join(rows)))
    assert found.wave.known is None
    assert found.gap_share == 0.0
    assert len(found.gaps) == 12_000 // every + (12_000 % every > 3)
    assert all(gap.bridged and gap.steps == 1 for gap in found.gaps)
    told = figures(found.wave, Limits("x", bands=(Band("b", 0.1, 20.0),)))
    assert told is not None
    assert told.steady is not None
    assert told.steady.line is not None
    assert told.steady.line.amplitude_w == pytest.approx(line_w(100e6, 40e6, 0.8, 1), rel=0.01)


def test_clocks_that_stray_have_no_gaps_but_interruptions_are(write: Write) -> None:
    """Steps of 10 to 50 ms at random, and 20 ms with +-8 ms of jitter; and 5 s without a value within each."""
    draw = np.random.Generator(np.random.PCG64(4))
    random = np.cumsum(draw.uniform(0.01, 0.05, 3_000))
    jitter = 0.02 * np.arange(3_000) + draw.uniform(-0.008, 0.008, 3_000)
    for times in (random, jitter):
        found = read_wave(write(of([f"{t:.6f}" for t in times])))
        assert (found.gaps, found.wave.known, found.resampled) == ((), None, True)
        late = times + np.where(np.arange(3_000) < 1_500, 0.0, 5.0)
        (gap,) = read_wave(write(of([f"{t:.6f}" for t in late]))).gaps
        assert not gap.bridged
        assert gap.end_s - gap.start_s == pytest.approx(5.0, abs=0.1)


def test_extremes_between_steps_are_kept(write: Write) -> None:
    """100 MW every second, and 20 values of 500 MW within 0.2 s: the median step is 1 s, and none of them on it."""
    times = sorted([*(float(t) for t in range(120)), *(60.4 + 0.01 * k for k in range(20))])
    power = [500e3 if 60.3 < t < 60.7 else 100e3 for t in times]
    found = read_wave(write(of(times, power)))
    assert found.wave.power_w.max() < 500e6
    assert found.extremes is not None
    assert (found.extremes[0].max(), found.extremes[1].min()) == (500e6, 100e6)
    assert found.between == 20
    line = read_wave(write(of([0.0, 0.9, *(float(t) for t in range(2, 30))], [0.0, 0.9, *range(2, 30)])))
    assert line.extremes is not None
    for kept in line.extremes:
        assert kept == pytest.approx(line.wave.power_w)  # a value on the straight line is no extreme
    assert read_wave(write(of(list(range(20))))).extremes is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (table().replace(",", ";"), "looks separated by semicolons"),
        (table(step=0.5).replace(",", ";").replace(".", ","), "looks separated by semicolons"),
        (table().replace(",", "\t"), "looks separated by tabs"),
        (table("t_s,power_mw", row3="6,-100"), "power_mw must not be negative, got -100 MW"),
        (table("t_s,power_mw", row3="6,2e6"), "power_mw must be at most 1e+06 MW, got 2e+06 MW"),
        (table("t_s,server_a_mw,server_b_mw"), "end in a number before the unit, such as node_01_mw"),
        (table("t_s,node1_mw,rack2_mw"), "several columns may be the sum: node1_mw, rack2_mw"),
        (table("t_s,node1_mw,site_mw"), "several columns may be the sum: node1_mw, site_mw"),
    ],
)
def test_messages_help(write: Write, text: str, says: str) -> None:
    assert says in " ".join(refused(write(text)).value.render().split())
