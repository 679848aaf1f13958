"""Traces made to break the reader: every one is answered by an error that says what, where, why and what to do."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.errors import InputError
from aiplan.planners.split import trace_file, trace_stream
from aiplan.planners.split.trace_file import read_trace
from aiplan.planners.split.workload import Requests
from tests.split.traces import AZURE, COUNTS, PLAIN, STAMPS, TIMES, Read, refused, told


@pytest.mark.parametrize(
    ("rows", "problems", "message"),
    [
        ("0,1,1\nnan,2,2\n", [("E175", 3, 1)], "TIMESTAMP must be a finite number, got nan"),
        ("0,1,1\n-inf,2,2\n", [("E175", 3, 1)], "TIMESTAMP must be a finite number, got -inf"),
        ("0,1,1\nsoon,2,2\n", [("E175", 3, 1)], "TIMESTAMP must be a number, got 'soon'"),
        ("0,1,1\n,2,2\n", [("E175", 3, 1)], "TIMESTAMP is empty"),
        ("-1,1,1\n", [("E176", 2, 1)], "TIMESTAMP must not be negative, got -1"),
        ("1e300,1,1\n", [("E176", 2, 1)], "TIMESTAMP must be at most 1e+10 s, got 1e300"),
        ("0,0,1\n", [("E176", 2, 3)], "ContextTokens must be at least 1, got 0"),
        ("0,5,0\n", [("E176", 2, 5)], "GeneratedTokens must be at least 1, got 0"),
        ("0,5,-3\n", [("E176", 2, 5)], "GeneratedTokens must be at least 1, got -3"),
        ("0,2.5,3\n", [("E176", 2, 3)], "ContextTokens must be a whole number, got 2.5"),
        ("0,123456789,3\n", [("E176", 2, 3)], "ContextTokens must be at most 10,000,000, got 123456789"),
        ("0,many,inf\n", [("E175", 2, 3), ("E175", 2, 8)], "GeneratedTokens must be a finite number, got inf"),
        ("0,1\n", [("E011", 2, 1)], "has 2 cells, the header has 3"),
        ("0,1,2,3\n", [("E011", 2, 1)], "quote cells that hold commas"),
        ("0,1,2\n1,3", [("E011", 3, 1)], "is the file cut off here?"),
        ("0,1,2\n1,3,\n", [("E175", 3, 5)], "GeneratedTokens is empty"),
        ("5,1,1\n4,1,1\n", [("E177", 3, 1)], "TIMESTAMP is 1 s before the row above it\n"),
        ("5,1,1\n4,1,1\n6,1,1\n3,1,1\n", [("E177", 3, 1)], "before the row above it; so is 1 more"),
        ("2023-11-16 18:15:46,1,1\n5,1,1\n", [("E175", 3, 1)], "TIMESTAMP must be a date and time, got '5'"),
        ("5,1,1\n2023-11-16 18:15:46,1,1\n", [("E175", 3, 1)], "must be a number, got '2023-11-16 18:15:46'"),
        ("2023-11-31 18:15:46,1,1\n", [("E175", 2, 1)], "is no day of the calendar"),
        ("2023-11-30 24:15:46,1,1\n", [("E175", 2, 1)], "is no time of the day"),
        ("2023-11-30 00:00:00,1,1\n2623-11-30 00:00:00,1,1\n", [("E176", 3, 1)], "lies centuries from the first row"),
        ("\x1b[31m0,1,1\n", [("E175", 2, 1)], "got ' [31m0'"),
        ("0,\u202e1,1\n", [("E175", 2, 3)], "must be a number"),
        ('0,1,1\n"1,2,2\n', [("E010", 3, 1)], "is no CSV: unexpected end of data"),
        ('0,1,1\n"1""",2,2\n2,\r3,"4\n"\n', [("E175", 3, 2), ("E010", 4, 1)], "a carriage return inside a line"),
        ("", [("E178", 1, 1)], "has a header and no requests"),
        ("\n\r\n\n", [("E178", 1, 1)], "has a header and no requests"),
    ],
)
def test_rows_that_are_refused(read: Read, rows: str, problems: list[tuple[str, int, int]], message: str) -> None:
    error = refused(read, AZURE + rows)
    assert told(error) == problems
    assert message in error.render()
    assert all(problem.hint for problem in error.problems)


def test_all_problems_come_at_once_in_the_order_of_the_file(read: Read) -> None:
    error = refused(read, AZURE + "5,0,1\nx,1,1\n4,1\n4,1,y\n3,9,9\n2,1,1\n", context_max=10)
    assert [line for _, line, _ in told(error)] == sorted(line for _, line, _ in told(error))
    assert {code for code, _, _ in told(error)} == {"E011", "E175", "E176", "E177"}


@pytest.mark.parametrize("rows", [51, 5000])
def test_problems_beyond_the_first_fifty_are_counted(read: Read, rows: int) -> None:
    error = refused(read, AZURE + "0,x,1\n" * rows)
    assert (len(error.problems), error.more) == (50, rows - 50)
    assert f"{rows:,} problems found" in error.render()


def test_a_file_of_problems_only_is_not_read_to_its_end(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "MAX_PROBLEMS", 1000)
    monkeypatch.setattr(trace_stream, "BLOCK_BYTES", 600)
    error = refused(read, AZURE + "0,x,1\n" * 5000)
    assert 1000 <= error.more + 50 <= 1200
    quoted = AZURE + '"""",1,1\n' * 60_000
    assert refused(read, quoted).more < 25_000


@pytest.mark.parametrize(
    ("header", "code", "message", "hint"),
    [
        ("", "E010", "is empty", "TIMESTAMP,ContextTokens,GeneratedTokens"),
        ("\n\n", "E010", "has no header", "TIMESTAMP,ContextTokens,GeneratedTokens"),
        ("TIMESTAMP,ContextTokens\n", "E174", "has no column 'GeneratedTokens'; of the two formats it is nearest to "
         "Azure's", "will do as well"),
        ("timestamp,context_tokens,generated_tokens\n", "E174", "has no columns 'ContextTokens', 'GeneratedTokens'",
         "did you mean 'context_tokens'? name it 'ContextTokens'"),
        ("request_id,arrival_timestamp,prompt_size\n", "E174", "has no column 'token_size'; of the two formats it is "
         "nearest to the simulator's: arrival_timestamp, prompt_size, token_size", "TIMESTAMP, ContextTokens"),
        ("TIMESTAMP;ContextTokens;GeneratedTokens\n1;2;3\n", "E174", "has no columns", "separate the columns"),
        ("1,2,3\n", "E174", "has no columns 'TIMESTAMP', 'ContextTokens', 'GeneratedTokens'", "in the first line"),
        ("TIMESTAMP,timestamp,ContextTokens,GeneratedTokens\n", "E010", "names column 'TIMESTAMP' twice", "rename"),
        ('"TIMESTAMP,ContextTokens\n', "E010", "is no CSV", "quotes"),
        (AZURE.replace("\n", "\r") + "0,1,1\r", "E010", "a carriage return inside the first line", "line feed"),
        ("\x1b]0;title\x07,a\n", "E174", "has no columns", "in the first line"),
    ],
)  # fmt: skip
def test_headers_that_are_refused(read: Read, header: str, code: str, message: str, hint: str) -> None:
    error = refused(read, header)
    (problem,) = error.problems
    assert (problem.code, problem.file.endswith("trace.csv")) == (code, True)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        ((AZURE + "0,1,1").encode("utf-16"), {"E003"}),
        (b"\xff" * 5000, {"E003"}),
        (bytes(range(256)) * 40, {"E174", "E010", "E003"}),
        (AZURE.encode() + bytes(range(256)) * 40, {"E011", "E175", "E010"}),
        (AZURE.encode() + b"\x00" * 5000, {"E011"}),
        (AZURE.encode() + b"\xff,\xfe,\xfd\n", {"E175"}),
        (b"PK\x03\x04" + bytes(5000), {"E003", "E174", "E010"}),
    ],
)
def test_binary_files_are_refused(read: Read, content: bytes, codes: set[str]) -> None:
    error = refused(read, content)
    assert {problem.code for problem in error.problems} <= codes


def packed_trace() -> bytes:
    rows = "".join(f"{k},{k % 900 + 1},7\n" for k in range(5000))
    return gzip.compress((AZURE + rows).encode())


def test_a_compressed_file_that_is_cut_off(read: Read) -> None:
    packed = packed_trace()
    for end in (3, 12, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        (problem,) = refused(read, packed[:end], "trace.csv.gz").problems
        assert (problem.code, problem.message) == ("E179", "the compressed file ends in the middle")
    # What could be read counts: the problem stands behind it, and those of rows before it are told too.
    (problem,) = refused(read, packed[: len(packed) // 2], "trace.csv.gz").problems
    assert 1000 < problem.line < 5000
    assert "E176" in {code for code, _, _ in told(refused(read, packed[:-9], "trace.csv.gz", context_max=904))}


def test_a_compressed_file_that_is_damaged(read: Read) -> None:
    packed = packed_trace()
    for place in (len(packed) - 6, len(packed) - 2):  # check sum and length
        broken = packed[:place] + bytes([packed[place] ^ 255]) + packed[place + 1 :]
        (problem,) = refused(read, broken, "trace.csv.gz").problems
        assert (problem.code, problem.message) == ("E179", "the compressed file is damaged")
    for place in range(10, len(packed) - 8, 997):
        broken = packed[:place] + bytes(40) + packed[place + 40 :]
        error = refused(read, broken, "trace.csv.gz")
        assert "E179" in {problem.code for problem in error.problems} or error.more
    (problem,) = refused(read, packed + b"rubbish behind", "trace.csv.gz").problems
    assert problem.code == "E179"


def test_a_plain_file_named_as_compressed(read: Read) -> None:
    error = refused(read, PLAIN, "trace.csv.gz")
    assert told(error) == [("E179", 0, 0)]
    assert told(refused(read, "", "trace.csv.gz"))[0][0] == "E010"


def test_bombs_are_bounded(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(AZURE.encode() + bytes(64 << 20))
    assert len(bomb) < 100_000
    error = refused(read, bomb, "bomb.csv.gz")
    assert told(error) == [("E179", 2, 1)]
    assert "the line has more than 4,194,304 bytes" in error.render()
    blank = gzip.compress(AZURE.encode() + b"\n" * 1_100_000)
    assert "more than 1,000,000 blank lines" in refused(read, blank, "bomb.csv.gz").render()
    rows = gzip.compress(AZURE.encode() + b"0,1,1\n" * 200_000)
    monkeypatch.setattr(trace_file, "MAX_ROWS", 100_000)
    assert "has more than 100,000 requests" in refused(read, rows, "bomb.csv.gz").render()
    monkeypatch.setattr(trace_stream, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(trace_stream, "MAX_UNPACKED_BYTES", 50_000)
    error = refused(read, rows, "bomb.csv.gz")
    assert "has more than 50,000 bytes and is not read further" in error.render()
    assert told(error)[0][0] == "E179"


def test_the_stated_limits() -> None:
    assert (trace_stream.MAX_UNPACKED_BYTES, trace_file.MAX_ROWS) == (64 << 30, 2**31 - 1)


def test_memory_that_runs_out_is_an_error_of_the_file(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(trace_file, "_joined", full)
    assert "more requests than fit into memory" in refused(read, PLAIN).render()


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, code in (
        (tmp_path, "E008"),
        (tmp_path / "pipe", "E008"),
        (Path("/dev/zero"), "E008"),
        (tmp_path / "missing.csv", "E001"),
        (tmp_path / ("a" * 5000), "E007"),
        (f"{tmp_path}/nul\0.csv", "E007"),
    ):
        with pytest.raises(InputError) as caught:
            read_trace(path)
        assert [problem.code for problem in caught.value.problems] == [code]
        assert caught.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(PLAIN)
    path.chmod(0)
    with pytest.raises(InputError) as caught:
        read_trace(path)
    assert caught.value.problems[0].code == "E007"


def test_a_file_that_fails_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError) as caught:
        list(trace_stream.blocks(Failing(b"x"), "disk.csv"))  # type: ignore[arg-type]
    assert "cannot be read: Input/output error" in caught.value.render()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.lists(st.lists(st.one_of(TIMES, COUNTS, STAMPS), min_size=1, max_size=4).map(",".join), max_size=8).map(
            lambda rows: (AZURE + "\n".join(rows)).encode()
        ),
    ),
    packed=st.booleans(),
)
def test_any_file_gives_requests_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        found: Requests | InputError = read_trace(path, context_max=10_000)
    except InputError as error:
        found = error
    if isinstance(found, InputError):
        assert found.exit_code == 2
        assert found.render().startswith("error[E")
    else:
        assert found.count >= 1


def test_codes_are_documented(root: Path) -> None:
    page = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    for code in ("E174", "E175", "E176", "E177", "E178", "E179"):
        assert f"| `{code}` |" in page
