"""CSV through the guarded door."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import MAX_PROBLEMS_SHOWN, InputError, Problem
from aiplan.inputs import table
from aiplan.inputs.table import Rows, read_csv


def read(folder: Path, content: str | bytes) -> Rows:
    path = folder / "rows.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_csv(path)


def refusal(folder: Path, content: str | bytes) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read(folder, content)
    assert caught.value.exit_code == 2
    return caught.value.problems


def test_rows_are_dictionaries_of_text(tmp_path: Path) -> None:
    rows = read(tmp_path, 'model, watts\nllama-3.1 ,700\n"a, b","say ""hi"""\n')
    assert rows.columns == ("model", "watts")
    assert rows.rows == ({"model": "llama-3.1", "watts": "700"}, {"model": "a, b", "watts": 'say "hi"'})


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\n1,2", "\ufeffa,b\n1,2\n", "a,b\n\n1,2\n\n"])
def test_line_ends_byte_order_marks_and_empty_lines(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content).rows == ({"a": "1", "b": "2"},)


def test_only_a_header(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n").rows == ()


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("", "E010", 0), ("\n", "E010", 0), ("a,a\n1,2\n", "E010", 1), ("a,b\n1\n", "E011", 2),
        ("a,b\n1,2\n1,2,3\n", "E011", 3),
        ('a,b\n"1,2\n', "E010", 2), ('a,b\n"1"x,2\n', "E010", 2), (b"a,b\n1,\xff\n", "E003", 2),
        ("a,b\n1,\x1b[31m\n", "E006", 2), ("a,b\n1,\u202e2\n", "E006", 2), ("a,b\n1,\x00\n", "E006", 2),
        ("a\x1b,b\n1,2\n", "E006", 1), ("a,b\n" + "x" * 200_000 + ",1\n", "E010", 2),
        (",".join(f"c{i}" for i in range(1001)), "E010", 1),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, content: str | bytes, code: str, line: int) -> None:
    (problem,) = refusal(tmp_path, content)
    assert (problem.code, problem.line) == (code, line)
    assert problem.file == str(tmp_path / "rows.csv")
    assert problem.hint
    assert all(char.isprintable() or char == "\n" for char in problem.render())


def test_all_bad_rows_are_reported_at_once(tmp_path: Path) -> None:
    problems = refusal(tmp_path, "a,b\n1\n1,2\n1,2,3\nx,\x07\n")
    assert [(problem.code, problem.line) for problem in problems] == [("E011", 2), ("E011", 4), ("E006", 5)]


def test_not_a_csv_file(tmp_path: Path) -> None:
    for path, code in ((tmp_path, "E008"), (tmp_path / "missing", "E001"), (Path("/dev/zero"), "E008")):
        with pytest.raises(InputError) as caught:
            read_csv(path)
        assert caught.value.code == code


def test_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_CSV_BYTES", 100)
    assert refusal(tmp_path, "a\n" + "1\n" * 100)[0].code == "E002"
    monkeypatch.setattr(table, "MAX_CSV_BYTES", 1000)
    monkeypatch.setattr(table, "MAX_ROWS", 10)
    assert refusal(tmp_path, "a\n" + "1\n" * 11)[0].code == "E012"
    assert len(read(tmp_path, "a\n" + "1\n" * 10).rows) == 10


def test_a_file_of_bad_rows_is_not_read_to_its_end(tmp_path: Path) -> None:
    before = time.process_time()
    problems = refusal(tmp_path, "a,b\n" + "1\n" * 2_000_000)
    assert time.process_time() - before < 2.0
    assert len(problems) < MAX_PROBLEMS_SHOWN + 5
    assert problems[-1].code == "E012"


CELLS = st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029"), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_what_a_writer_quotes_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out).writerows([("a", "b"), *rows])
    found = read(tmp_path_factory.getbasetemp(), out.getvalue())
    assert [(row["a"], row["b"]) for row in found.rows] == [(a.strip(), b.strip()) for a, b in rows]
