"""Telemetry from files: what is read, and every way a file can be wrong, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiplan.errors import InputError
from aiplan.planners.thermal.telemetry_file import Telemetry, read_telemetry

HEADER = "time,server,gpu,inlet_c,power_w,temp_c\n"


def read(tmp_path: Path, text: str | bytes) -> Telemetry:
    file = tmp_path / "telemetry.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_telemetry(file)


def refused(tmp_path: Path, text: str | bytes) -> list[tuple[str, int, str]]:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    return [(problem.code, problem.line, problem.message) for problem in caught.value.problems]


def test_sorted_by_gpu_and_kept_in_time(tmp_path: Path) -> None:
    text = "Time, server ,gpu,inlet_c,power_w,temp_c,load,row,other\n"
    text += (
        "10,b,1,20,100,40,0.5,r2,x\n10,a,0,21,110,41,0.5,r1,x\n20,b,1,22,120,42,0.6,r2,x\n20,a,0,23,130,43,0.6,r1,x\n"
    )
    found = read(tmp_path, text)
    assert found.servers == ("b", "a")
    assert found.row_of_server == ("r2", "r1")
    assert found.gpu.tolist() == [0, 0, 1, 1]
    assert found.time_s.tolist() == [0.0, 10.0, 0.0, 10.0]
    assert found.values["inlet_c"].tolist() == [20.0, 22.0, 21.0, 23.0]
    assert found.values["load"].tolist() == [0.5, 0.6, 0.5, 0.6]
    assert found.position.tolist() == [1, 0]


@pytest.mark.parametrize("stamps", [("2026-11-22 18:15:46.5", "2026-11-22 18:15:56.5"),
                                    ("2026-11-22T18:15:46+01:00", "2026-11-22T17:15:56Z")])  # fmt: skip
def test_dates(tmp_path: Path, stamps: tuple[str, str]) -> None:
    found = read(tmp_path, HEADER + "".join(f"{stamp},a,0,20,100,40\n" for stamp in stamps))
    assert found.time_s.tolist() == [0.0, 10.0]


def test_byte_order_mark_crlf_blank_lines_and_no_last_line_feed(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b"0,a,0,20,100,40\r\n\r\n1,a,0,20,100,40"
    assert read(tmp_path, text).time_s.tolist() == [0.0, 1.0]


def test_missing_columns_are_named_with_what_comes_near(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "time,server,gpu,inlet,power_w,temp_c\n")
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("E250", 1)
    assert "'inlet_c'" in problem.message
    assert "'inlet'" in problem.hint


def test_all_problems_at_once(tmp_path: Path) -> None:
    rows = ["0,a,0,20,100,40", "10,a,0,warm,100,40", "20,a,0,20,100,400", "30,a,0,20,-5,40", "40,a,0,20,100,nan",
            "50,a,0,20,100", "", "60,,0,20,100,40", "70,a,0,20,1_0,40", "soon,a,0,20,100,40"]  # fmt: skip
    found = refused(tmp_path, HEADER + "\n".join(rows) + "\n")
    assert [(code, line) for code, line, _ in found] == [
        ("E251", 3), ("E252", 4), ("E252", 5), ("E251", 6), ("E011", 7), ("E251", 9), ("E251", 10), ("E251", 11),
    ]  # fmt: skip
    assert "'warm'" in found[0][2]
    assert "400" in found[1][2]


def test_times_must_rise_for_each_gpu(tmp_path: Path) -> None:
    rows = ["0,a,0,20,100,40", "10,a,0,20,100,40", "10,a,0,20,100,40", "5,a,0,20,100,40", "3,a,1,20,100,40"]
    found = refused(tmp_path, HEADER + "\n".join(rows))
    assert [(code, line) for code, line, _ in found] == [("E253", 4), ("E253", 5)]
    assert "is that of line 3" in found[0][2]
    assert "lies before that of line 4" in found[1][2]


def test_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, HEADER + "".join(f"{at},a,0,x,100,40\n" for at in range(500)))
    assert len(caught.value.problems) + caught.value.more == 500


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "E010"),
        (b"\n\n", "E010"),
        (HEADER.encode(), "E250"),
        (HEADER.replace("gpu", "server").encode(), "E250"),
        (b"time,server,gpu,inlet_c,power_w,temp_c,temp_c\n0,a,0,1,1,1,1\n", "E010"),
        (HEADER.encode() + b"0,\xff,0,20,100,40\n", "E003"),
        (HEADER.encode() + b'0,"a,0,20,100,40\n', "E010"),
        (HEADER.encode() + b'0,"a\nb",0,20,100,40\n', "E010"),
        (HEADER.encode() + b"0,a\x00,0,20,100,40\n", "E251"),
        (HEADER.encode() + "0,a\u202e,0,20,100,40\n".encode(), "E251"),
        (HEADER.encode() + "0,a,0,٢٠,100,40\n".encode(), "E251"),
        (HEADER.encode() + b"0,a,0,1e999,100,40\n", "E252"),
        (HEADER.encode() + b"0,a,0,,100,40\n", "E251"),
        (HEADER.encode() + b"2026-02-30 00:00:00,a,0,20,100,40\n", "E251"),
        (HEADER.encode() + b"2026-02-03 00:00:00,a,0,20,100,40\n17,a,0,20,100,40\n", "E251"),
        (HEADER.encode() + b"0;a;0;20;100;40\n", "E011"),
        (HEADER.encode() + b"0," + b"a" * 300 + b",0,20,100,40\n", "E251"),
    ],
)
def test_hostile_files(tmp_path: Path, text: bytes, code: str) -> None:
    assert refused(tmp_path, text)[0][0] == code


def test_no_file_and_no_regular_file(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.csv", "E001"), (tmp_path, "E008")):
        with pytest.raises(InputError) as caught:
            read_telemetry(path)
        assert caught.value.problems[0].code == code
