"""The door for weather: what a good file gives, and what every kind of bad one is told."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiplan.errors import InputError
from aiplan.planners.cooling.synthesis import Monthly
from aiplan.planners.cooling.weather import Weather
from aiplan.planners.cooling.weather_file import WeatherFile, read_weather
from tests.cooling.years import hourly_year, monthly_of

HEADER = (
    "LOCATION,Nowhere Intl,XX,USA,TMY3,999999,40.00,-90.00,-6.0,100.0",
    "DESIGN CONDITIONS,0",
    "TYPICAL/EXTREME PERIODS,0",
    "GROUND TEMPERATURES,0",
    "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
    "COMMENTS 1,made for a test",
    "COMMENTS 2,",
    "DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31",
)
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DRY, RH, PRESSURE = 6, 8, 9


def made() -> Weather:
    """A year in order with temperatures to 0.1 K, humidity in whole percent and pressure to 10 Pa."""
    mean = 12.0 - 12.0 * np.cos(2 * np.pi * (np.arange(12) + 0.2) / 12)
    year = hourly_year(Monthly(mean + 5, mean - 5, mean, mean - 4, np.array(99_000.0)), 5)
    return Weather(np.round(year.drybulb_c, 1), np.round(year.rh_fraction, 2), np.round(year.pressure_pa, -1),
                   year.hours, year.month, year.hour)  # fmt: skip


YEAR = made()


def epw_rows(days: Sequence[int] = DAYS) -> list[list[str]]:
    """Cells of every hour; a 29 February repeats the day before."""
    rows, source = [], 0
    for month, length in enumerate(days, 1):
        for day in range(1, length + 1):
            start = source - 24 if (month, day) == (2, 29) else source
            for hour in range(24):
                at = start + hour
                dry, rh = YEAR.drybulb_c[at], YEAR.rh_fraction[at] * 100
                rows.append(
                    ["1999", str(month), str(day), str(hour + 1), "0", "?9*9", f"{dry:.1f}", "1.0", f"{rh:.0f}",
                     f"{YEAR.pressure_pa[at]:.0f}", "0", "0", "300"]
                )  # fmt: skip
            source = start + 24
    return rows


ROWS = epw_rows()


def epw(rows: Sequence[Sequence[str]] = ROWS, header: Sequence[str] = HEADER, end: str = "\r\n") -> bytes:
    return end.join([*header, *(",".join(row) for row in rows), ""]).encode()


def changed(**cells: str) -> list[list[str]]:
    """The year with cells of line 100 changed, keyed ``c6`` for cell 6."""
    rows = [list(row) for row in ROWS]
    for name, text in cells.items():
        rows[91][int(name[1:])] = text
    return rows


def read(tmp_path: Path, content: bytes, name: str = "w.epw", zone: str | None = None) -> WeatherFile:
    path = tmp_path / name
    path.write_bytes(content)
    return read_weather(path, zone=zone)


def refused(tmp_path: Path, content: bytes, name: str = "w.epw", zone: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, name, zone)
    assert caught.value.exit_code == 2
    assert all(problem.file and problem.hint for problem in caught.value.problems)
    return caught.value


def test_an_epw_is_read_as_written(tmp_path: Path) -> None:
    found = read(tmp_path, epw())
    assert (found.name, found.kind, found.notes) == ("Nowhere Intl, XX, USA", "epw", ())
    for name in ("drybulb_c", "rh_fraction", "pressure_pa", "month", "hour"):
        assert np.array_equal(getattr(found.weather, name), getattr(YEAR, name)), name
    assert found.weather.total_hours == 8760.0
    assert monthly_of(found.weather).annual_mean_c == pytest.approx(YEAR.mean(YEAR.drybulb_c), abs=1e-9)


def test_a_leap_year_has_8784_hours(tmp_path: Path) -> None:
    found = read(tmp_path, epw(epw_rows((31, 29, *DAYS[2:]))))
    assert found.weather.total_hours == 8784.0


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_mark_and_latin_comments_do_not_matter(tmp_path: Path, end: str) -> None:
    header = [*HEADER[:5], "COMMENTS 1,25\u00b0 N", *HEADER[6:]]
    text = epw(header=header, end=end).decode()
    for raw in (text.encode("latin-1"), b"\xef\xbb\xbf" + text.encode(), text.encode().rstrip()):
        assert np.array_equal(read(tmp_path, raw).weather.drybulb_c, YEAR.drybulb_c)


def test_hours_out_of_order_are_sorted(tmp_path: Path) -> None:
    found = read(tmp_path, epw([*ROWS[4000:], *ROWS[:4000]]))
    assert np.array_equal(found.weather.drybulb_c, YEAR.drybulb_c)
    assert "sorted" in found.notes[0]


def test_a_little_too_humid_is_saturated_and_said(tmp_path: Path) -> None:
    found = read(tmp_path, epw(changed(c8="103")))
    assert found.weather.rh_fraction[91] == 1.0
    assert found.notes == ("relative humidity was above saturation in 1 rows and is taken as 100",)


@pytest.mark.parametrize(
    ("cell", "text", "code", "message"),
    [
        (DRY, "99.9", "E246", "dry bulb is marked as missing"),
        (RH, "999", "E246", "relative humidity is marked as missing"),
        (PRESSURE, "999999", "E246", "pressure is marked as missing"),
        (DRY, "", "E246", "dry bulb is empty"),
        (DRY, "warm", "E246", "dry bulb is 'warm', which is no finite number"),
        (DRY, "nan", "E246", "no finite number"),
        (DRY, "inf", "E246", "no finite number"),
        (DRY, "1_0", "E246", "no finite number"),
        (DRY, "293.15", "E247", "dry bulb is 293.15, which is outside -80 to 60"),
        (RH, "111", "E247", "relative humidity is 111, which is outside 0 to 110"),
        (RH, "-1", "E247", "outside 0 to 110"),
        (PRESSURE, "1013", "E247", "pressure is 1013, which is outside 40000 to 110000"),
        (1, "13", "E248", "month is 13, which is not one of 1 to 12"),
        (2, "32", "E248", "day is 32"),
        (3, "0", "E248", "hour is 0, which is not one of 1 to 24"),
        (3, "2.5", "E248", "hour is 2.5"),
    ],
)
def test_one_bad_cell_is_named_with_its_line(tmp_path: Path, cell: int, text: str, code: str, message: str) -> None:
    error = refused(tmp_path, epw(changed(**{f"c{cell}": text})))
    (first, *_) = [problem for problem in error.problems if problem.line == 100]
    assert first.code == code
    assert message in first.message
    assert first.source_line.startswith("1999,")


def test_all_bad_cells_are_told_at_once(tmp_path: Path) -> None:
    rows = [list(row) for row in ROWS]
    rows[10][DRY], rows[20][RH], rows[30][PRESSURE], rows[40][DRY] = "99.9", "150", "x", "80"
    error = refused(tmp_path, epw(rows))
    assert [(problem.line, problem.code) for problem in error.problems] == [
        (19, "E246"), (29, "E247"), (39, "E246"), (49, "E247"),
    ]  # fmt: skip


def test_a_bad_column_is_one_problem(tmp_path: Path) -> None:
    kelvin = [[*row[:DRY], f"{float(row[DRY]) + 273.15:.2f}", *row[DRY + 1 :]] for row in ROWS]
    (problem,) = refused(tmp_path, epw(kelvin)).problems
    assert problem.code == "E247"
    assert "so are 8,759 more rows" in problem.message


def test_humidity_as_a_fraction_is_not_taken_for_percent(tmp_path: Path) -> None:
    rows = [[*row[:RH], f"{float(row[RH]) / 100:.2f}", *row[RH + 1 :]] for row in ROWS]
    (problem,) = refused(tmp_path, epw(rows)).problems
    assert (problem.code, problem.message) == ("E247", "no relative humidity is above 1: it looks like a fraction")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:5000], "lacks 3,760 of the year's 8,760 hours, the first month 7, day 28, hour 9"),
        (ROWS[:100] + ROWS[124:], "lacks 24 of the year's 8,760 hours, the first month 1, day 5, hour 5"),
        ([*ROWS[:100], ROWS[99], *ROWS[100:]], "month 1, day 5, hour 4 comes a second time"),
        ([*ROWS[:99], ROWS[98], *ROWS[100:]], "lacks 1 of the year's 8,760 hours"),
    ],
)
def test_hours_missing_or_doubled(tmp_path: Path, rows: list[list[str]], message: str) -> None:
    error = refused(tmp_path, epw(rows))
    assert {problem.code for problem in error.problems} == {"E248"}
    assert any(message in problem.message for problem in error.problems)


def test_a_day_that_is_none(tmp_path: Path) -> None:
    error = refused(tmp_path, epw(changed(c1="4", c2="31")))
    assert "month 4, day 31, hour 20 is no hour of the year" in error.problems[0].message


def test_a_file_cut_inside_a_line(tmp_path: Path) -> None:
    content = epw()
    error = refused(tmp_path, content[: len(content) // 2])
    assert [problem.code for problem in error.problems] == ["E011", "E248"]
    assert "is the file cut off here?" in error.problems[0].hint


WRONG_FILES: list[tuple[Callable[[], bytes], str, str, str]] = [
    (lambda: epw(rows=[]), "w.epw", "E245", "has a header and no hours"),
    (lambda: epw(header=HEADER[:7]), "w.epw", "E245", "its header has no line DATA PERIODS"),
    (lambda: HEADER[0].encode(), "w.epw", "E245", "its header has no line DATA PERIODS"),
    (lambda: epw(header=HEADER[1:]), "w.epw", "E245", "its first line does not begin with 'LOCATION,'"),
    (lambda: epw(header=[*HEADER[:7], "DATA PERIODS,1,4,Data,Sunday,1/1,12/31"]), "w.epw", "E248", "4 records an hour"),
    (lambda: epw(header=[*HEADER[:7], "DATA PERIODS,2,1,Data,Sunday,1/1,12/31"]), "w.epw", "E248", "holds 2 periods"),
    (lambda: gzip.compress(epw()), "w.epw.gz", "E245", "is compressed"),
    (lambda: b"PK\x03\x04" + bytes(50), "w.zip", "E245", "is compressed"),
    (lambda: bytes(range(256)) * 20, "w.epw", "E245", "is no text"),
    (lambda: b"", "w.csv", "E245", "is empty"),
    (lambda: b"\n\n \n", "w.csv", "E245", "is empty"),
    (lambda: b"drybulb_c,rh_fraction,pressure_pa\n", "w.csv", "E245", "has a header and no rows"),
    (lambda: b"\xff\xfe1,2\n", "w.csv", "E003", "is not valid UTF-8"),
    (lambda: b"drybulb_c,drybulb_c\n1,2\n", "w.csv", "E010", "twice"),
    (lambda: b"drybulb_c,rh_fraction,pressure_pa\n1,2\n", "w.csv", "E011", "has 2 cells"),
]


@pytest.mark.parametrize(("content", "name", "code", "message"), WRONG_FILES)
def test_files_that_are_no_weather(
    tmp_path: Path, content: Callable[[], bytes], name: str, code: str, message: str
) -> None:
    (problem,) = refused(tmp_path, content(), name).problems
    assert problem.code == code
    assert message in problem.message


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "no.epw", "E001"), (tmp_path, "E008")):
        with pytest.raises(InputError) as caught:
            read_weather(path)
        assert caught.value.problems[0].code == code


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(InputError) as caught:
        read_weather(path)
    assert caught.value.problems[0].code == "E002"


def csv(columns: Mapping[str, Any]) -> bytes:
    out = io.StringIO()
    out.write(",".join(columns) + "\n")
    for row in zip(*columns.values(), strict=True):
        out.write(",".join(str(cell) for cell in row) + "\n")
    return out.getvalue().encode()


def hours_csv(**more: Sequence[object]) -> dict[str, Sequence[object]]:
    return {"drybulb_c": YEAR.drybulb_c.tolist(), "rh_fraction": YEAR.rh_fraction.tolist(),
            "pressure_pa": YEAR.pressure_pa.tolist(), **more}  # fmt: skip


def test_a_csv_of_hours(tmp_path: Path) -> None:
    assert YEAR.month is not None
    assert YEAR.hour is not None
    plain = read(tmp_path, csv(hours_csv()), "w.csv")
    assert (plain.name, plain.kind, plain.notes) == ("w", "csv", ())
    assert np.array_equal(plain.weather.drybulb_c, YEAR.drybulb_c)
    assert plain.weather.month is None
    dated = read(tmp_path, csv(hours_csv(month=YEAR.month.tolist(), hour=YEAR.hour.tolist())), "w.csv")
    assert np.array_equal(dated.weather.month, YEAR.month)  # type: ignore[arg-type]


def test_a_csv_of_weighted_points(tmp_path: Path) -> None:
    columns = {"drybulb_c": [10, 20], "rh_fraction": [0.5, 1.0], "pressure_pa": [1e5, 1e5], "hours": [8000, 760.2],
               "ghi": [1, 2], "zone": ["4A", "4A"]}  # fmt: skip
    found = read(tmp_path, csv(columns), "w.csv")
    assert found.weather.hours.tolist() == [8000.0, 760.2]
    assert found.name == "4A"
    assert found.notes == ("columns that are not used: ghi",)


@pytest.mark.parametrize(
    ("change", "code", "message", "line"),
    [
        ({"rh_fraction": [50, 70]}, "E247", "rh_fraction is 50, which is outside 0 to 1.1", 2),
        ({"hours": [8000, 700]}, "E248", "hours sum to 8700", 1),
        ({"hours": [8760, 0]}, "E247", "hours is 0, which is not above 0", 3),
        ({"hours": [8760, "x"]}, "E246", "hours is 'x'", 3),
        ({"pressure_pa": [1013, 1e5]}, "E247", "pressure_pa is 1013", 2),
        ({"drybulb_c": [10, 90]}, "E247", "drybulb_c is 90", 3),
        ({"month": [0, 12]}, "E248", "month is 0, which is not one of 1 to 12", 2),
        ({"hour": [24, 1]}, "E248", "hour is 24, which is not one of 0 to 23", 2),
    ],
)
def test_bad_points(tmp_path: Path, change: dict[str, Sequence[object]], code: str, message: str, line: int) -> None:
    columns: dict[str, Sequence[object]] = {"drybulb_c": [10, 20], "rh_fraction": [0.5, 0.7],
                                            "pressure_pa": [1e5, 1e5], "hours": [8000, 760]}  # fmt: skip
    error = refused(tmp_path, csv({**columns, **change}), "w.csv")
    problem = error.problems[0]
    assert (problem.code, problem.line) == (code, line)
    assert message in problem.message


def test_a_csv_of_some_hours_needs_weights(tmp_path: Path) -> None:
    columns = {name: column[:100] for name, column in hours_csv().items()}
    (problem,) = refused(tmp_path, csv(columns), "w.csv").problems
    assert (problem.code, problem.message[:33]) == ("E248", "has 100 rows and no column hours;")


def test_columns_missing_are_named_with_the_nearest(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, b"drybulb,rh_percent,pressure_pa\n1,2,3\n", "w.csv").problems
    assert problem.message == "has no column drybulb_c (is it 'drybulb'?), rh_fraction (is it 'rh_percent'?)"


PLACES = {"zone": ["4A", "4A", "5B"], "city": ["A", "B", "C"], "drybulb_c": [1, 2, 3], "rh_fraction": [0.5] * 3,
          "pressure_pa": [1e5] * 3, "hours": [8760, 8760, 8760]}  # fmt: skip


@pytest.mark.parametrize(("zone", "dry", "name"), [("5b", 3.0, "5B"), ("A", 1.0, "A"), (" b ", 2.0, "B")])
def test_one_place_of_several(tmp_path: Path, zone: str, dry: float, name: str) -> None:
    found = read(tmp_path, csv(PLACES), "w.csv", zone)
    assert (found.weather.drybulb_c.tolist(), found.name) == ([dry], name)


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        (None, "holds several places in column 'zone': 4A, 5B"),
        ("4A", "holds several places in column 'city': A, B"),
        ("4B", "holds no zone '4B' in column 'zone': 4A, 5B"),
    ],
)
def test_several_places_need_a_choice(tmp_path: Path, zone: str | None, message: str) -> None:
    (problem,) = refused(tmp_path, csv(PLACES), "w.csv", zone).problems
    assert (problem.code, problem.message) == ("E249", message)


def test_a_zone_of_a_file_without_any(tmp_path: Path) -> None:
    for content, name in ((epw(), "w.epw"), (csv(hours_csv()), "w.csv")):
        assert refused(tmp_path, content, name, "4A").problems[0].code == "E249"


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    text = b"drybulb_c,rh_fraction,pressure_pa,hours\n\n10,0.5,100000,8000\n\n99,0.5,100000,760\n"
    (problem,) = refused(tmp_path, text, "w.csv").problems
    assert (problem.line, problem.source_line) == (5, "99,0.5,100000,760")


@pytest.mark.shared_data
def test_the_reference_s_bins_are_read(tmp_path: Path, shared_data: Path) -> None:
    for zone, city in (("0A", "Singapore"), ("5A", ""), ("8", "")):
        found = read_weather(shared_data / "cooling" / "climate_bins.csv", zone=zone)
        assert found.weather.total_hours == 8760.0
        assert found.name == zone or found.name == city


CELL = st.text(alphabet="0123456789.-eE,;_ \"'\n\rxNn\x00\u0660", max_size=12)


def csv_of(cells: list[str]) -> bytes:
    return ("drybulb_c,rh_fraction,pressure_pa,hours\n" + ",".join(cells)).encode()


def hour_of(cells: list[str]) -> bytes:
    return "\n".join([*HEADER, "1999,1,1,1," + ",".join(cells)]).encode()


def year_with(at: int, text: str) -> bytes:
    return epw([[*ROWS[0][:at], text, *ROWS[0][at + 1 :]], *ROWS[1:30]])


ANY_CONTENT = st.one_of(
    st.binary(max_size=400),
    st.lists(CELL, max_size=20).map(csv_of),
    st.lists(CELL, max_size=20).map(hour_of),
    st.builds(year_with, st.integers(0, 12), CELL),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    database=None,
)
@given(content=ANY_CONTENT)
def test_any_file_gives_weather_or_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    try:
        found: WeatherFile | InputError = read_weather(path)
    except InputError as error:
        found = error
    if isinstance(found, InputError):
        assert found.render().startswith("error[E")
    else:
        assert found.weather.total_hours >= 8759.0


def test_codes_are_documented(root: Path) -> None:
    page = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    for code in ("E245", "E246", "E247", "E248", "E249"):
        assert f"| `{code}` |" in page
