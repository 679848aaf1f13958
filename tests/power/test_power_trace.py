"""Traces from files: what is read, and what is refused, each with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aiplan.errors import InputError
from aiplan.planners.power.power_trace import read_power_trace

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "trace.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def table(header: str = "t_s,sum_kw", rows: int = 20, **changes: str) -> str:
    """Rows at 2 s with 10 in every column; ``row3="..."`` replaces the fourth."""
    columns = header.count(",")
    lines = [changes.get(f"row{row}", f"{2 * row}" + ",10" * columns) for row in range(rows)]
    return "\n".join([header, *lines]) + "\n"


def problems(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, int]]:
    return [(problem.code, problem.line) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("header", "total", "servers", "watts"),
    [
        ("t_s,sum_kw", "sum_kw", 0, 10_000),
        ("t_s,it_load_mw", "it_load_mw", 0, 1e7),
        ("t_s,power_w", "power_w", 0, 10),
        ("t_s,rack_total_kw,mean_w", "rack_total_kw", 0, 10_000),
        ("t_s,node_01_w,node_02_kw", "", 2, 10_010),
        ("t_s,node_sum_mw,node_1_w,node_2_w,node_3_w", "node_sum_mw", 3, 1e7),
        ("t_s,a_kw,temperature_c,note", "a_kw", 0, 10_000),
    ],
)
def test_columns_are_known_by_their_names(write: Write, header: str, total: str, servers: int, watts: float) -> None:
    found = read_power_trace(write(table(header)))
    assert (found.sum_column, found.server_w.shape) == (total, (20, servers))
    assert found.sum_w == pytest.approx(np.full(20, watts))
    assert (found.step_s, found.resampled, found.t_s[-1]) == (2.0, False, 38.0)


def test_columns_may_be_named(write: Write) -> None:
    path = write(table("t_s,hall_w,room_w,a_w,b_kw"))
    found = read_power_trace(path, sum_column="hall_w", server_columns=["a_w", "b_kw"])
    assert (found.sum_column, found.server_columns, found.left_out) == ("hall_w", ("a_w", "b_kw"), ("room_w",))
    assert found.server_w[0].tolist() == [10.0, 10_000.0]


def test_rows_are_trimmed_at_both_ends_unread(write: Write) -> None:
    text = table(rows=24, row0="0,none", row1="2,-5", row23="999,10", row5="10,3")
    found = read_power_trace(write(text), trim_rows=2)
    assert (found.t_s[0], found.t_s[-1], found.sum_w[3]) == (4.0, 42.0, 3_000.0)


def test_a_grid_is_a_straight_line_between_samples(write: Write) -> None:
    lines = [f"{2 * row + (0.5 if row % 2 else 0.0)},{row % 2}" for row in range(21)]
    path = write("t_s,power_w\n" + "\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        read_power_trace(path)
    assert {code for code, _ in problems(error)} == {"E239"}
    found = read_power_trace(path, resample_s=1.0)
    assert found.resampled
    assert found.t_s.tolist() == list(range(41))
    assert found.sum_w[:5] == pytest.approx([0.0, 0.4, 0.8, 2 / 3, 0.0])


def test_jitter_of_meters_is_no_gap(write: Write) -> None:
    lines = [f"{2.005 * row + 0.01 * (row % 2):.3f},5" for row in range(30)]
    assert read_power_trace(write("t_s,power_w\n" + "\n".join(lines))).step_s == pytest.approx(2.005, abs=0.011)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("time,sum_kw", "no column 't_s'"),
        ("t_s,note", "no column of power"),
        ("t_s,power_pct", "no column of power"),
        ("t_s,energy_kwh", "no column of power"),
        ("t_s,a_total_w,b_total_w", "several columns may be the sum: a_total_w, b_total_w"),
        ("t_s,a_w,b_w", "several columns may be the sum: a_w, b_w"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(write: Write, header: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        read_power_trace(write(table(header)))
    assert problems(error) == [("E236", 1)]


def test_all_missing_columns_are_named_at_once(write: Write) -> None:
    with pytest.raises(InputError) as error:
        read_power_trace(write(table("time,x_w")), sum_column="y_w", server_columns=["x_w", "z_w"])
    assert problems(error) == [("E236", 1)] * 3
    assert "power columns: x_w" in error.value.render()


def test_all_bad_cells_are_named_at_once_with_their_lines(write: Write) -> None:
    text = table("t_s,node_1_w,node_2_w", row2="4,,nan", row4="8,1_000,5", row7="14,inf,0x10", row9="now,1e999,4")
    text = text.replace("8,1_000", "\n\n8,1_000")  # blank lines are no rows, and count as lines
    with pytest.raises(InputError) as error:
        read_power_trace(write(text))
    lines = [4, 4, 8, 11, 11, 13, 13]
    assert problems(error) == [("E237", line) for line in lines]
    assert "node_1_w is empty" in error.value.render()


def test_impossible_power_and_times_are_named_at_once(write: Write) -> None:
    text = table("t_s,power_gw", row3="6,-1", row6="6,10", row8="10,10", row10="20,1e6", row12="1e12,1")
    with pytest.raises(InputError) as error:
        read_power_trace(write(text))
    assert problems(error) == [
        ("E238", 5), ("E238", 8), ("E238", 10), ("E238", 12), ("E238", 14), ("E238", 15)
    ]  # fmt: skip
    assert "must not be negative" in error.value.render()


def test_gaps_are_refused_with_their_lines(write: Write) -> None:
    lines = [f"{2 * row + 60 * (row > 9) + (row > 14)},5" for row in range(20)]
    path = write("t_s,power_w\n" + "\n".join(lines))
    with pytest.raises(InputError) as error:
        read_power_trace(path)
    assert problems(error) == [("E239", 12), ("E239", 17)]
    with pytest.raises(InputError, match="comes 62 s after the row above") as error:
        read_power_trace(path, resample_s=2.0)
    assert problems(error) == [("E239", 12)]


def test_thousands_of_problems_are_counted_not_listed(write: Write) -> None:
    with pytest.raises(InputError) as error:
        read_power_trace(write("t_s,power_w\n" + "0,x\n" * 5_000))
    assert len(error.value.problems) == 50
    assert "4,950 more problems" in error.value.render()


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan"), float("inf"), 1e-300, 1e-9, 1e3])
def test_grids_that_cannot_be_are_refused(write: Write, step: float) -> None:
    with pytest.raises(InputError, match="cannot be resampled") as error:
        read_power_trace(write(table()), resample_s=step)
    assert problems(error)[0][0] == "E239"


@pytest.mark.parametrize(("rows", "trim"), [(15, 0), (20, 3), (20, 10_000), (20, -1), (0, 0)])
def test_what_is_too_short_is_refused(write: Write, rows: int, trim: int) -> None:
    with pytest.raises(InputError) as error:
        read_power_trace(write(table(rows=rows)), trim_rows=trim)
    assert problems(error)[0][0] == "E239"


@pytest.mark.parametrize(
    "text",
    ["", "t_s,power_w\n1,2,3\n", 't_s,power_w\n"1,2\n', "t_s,t_s\n", "t_s,power_w\n1,\x07\n", "\u202e_w,t_s\n"],
)
def test_hostile_files_end_in_an_error(write: Write, text: str) -> None:
    with pytest.raises(InputError):
        read_power_trace(write(text))


def test_numbers_at_the_edge_of_float_end_in_an_error(write: Write) -> None:
    for row in ("8,1e308", "1e308,1", "-1e308,1"):
        with pytest.raises(InputError):
            read_power_trace(write(table("t_s,power_gw", row4=row)))


def test_codes_are_documented(root: Path) -> None:
    page = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    for code in ("E236", "E237", "E238", "E239"):
        assert f"| `{code}` |" in page
