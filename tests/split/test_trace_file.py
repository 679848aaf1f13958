"""The reader of traces: the formats it knows, equality of its fast and its careful way, and files made to break it."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.split import trace_cells, trace_file, trace_stream
from aiplan.planners.split.trace_file import read_trace
from tests.split import synthetic
from tests.split.traces import AZURE, COUNTS, PLAIN, STAMPS, TIMES, Read, refused, told

SIMULATOR = "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"


# --- measured traces --------------------------------------------------------------------------------------------------


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "workload", "rate", "count", "prompts", "outputs", "first"),
    [
        # Section 5.1 of the reference on phase splitting.
        ("rr_code_70_2min", 1, 70, 8396, 16_952_148, 235_967, (0.00333822, 3622, 7)),
        ("rr_conv_70_2min", 2, 70, 8446, 9_746_400, 1_783_778, (0.00632508, 381, 63)),
        ("rr_conv_30_2min", 2, 30, 3555, None, None, None),
        ("rr_conv_100_2min", 2, 100, 12_055, None, None, None),
        ("rr_conv_130_2min", 2, 130, 15_604, None, None, None),
        ("rr_code_100_2min", 1, 100, 12_074, None, None, None),
    ],
)
def test_traces_of_the_reference_runs_follow_their_recipe(
    shared_data: Path,
    name: str,
    workload: int,
    rate: int,
    count: int,
    prompts: int | None,
    outputs: int | None,
    first: tuple[float, int, int] | None,
) -> None:
    source = read_trace(shared_data / "traces" / f"azure_llm_2023_{'code' if workload == 1 else 'conv'}.csv")
    state = np.random.RandomState(1000 * workload + rate)
    # The reference writes a division; the files were made by multiplying with 1/rate, one unit in the last place apart.
    times = np.cumsum(state.standard_exponential(40_000) * (1 / rate))
    i, j = (state.randint(0, source.count, 40_000) for _ in range(2))
    kept = times < 120.0
    found = read_trace(shared_data / "splitwise" / "traces" / f"{name}.csv.gz")
    assert found.count == count
    assert np.array_equal(found.arrival_s, times[kept])
    assert np.array_equal(found.prompt_tokens, source.prompt_tokens[i][kept])
    assert np.array_equal(found.output_tokens, source.output_tokens[j][kept])
    if first is not None:
        row = (round(float(found.arrival_s[0]), 8), int(found.prompt_tokens[0]), int(found.output_tokens[0]))
        assert row == first
        assert (int(found.prompt_tokens.sum()), int(found.output_tokens.sum())) == (prompts, outputs)


@pytest.mark.shared_data
def test_the_real_hour_is_the_azure_file_one_second_later(shared_data: Path) -> None:
    azure = read_trace(shared_data / "traces" / "azure_llm_2023_conv.csv")
    found = read_trace(shared_data / "splitwise" / "traces" / "real_conv_1h.csv.gz")
    assert found.count == 19_366
    assert np.abs(azure.arrival_s + 1.0 - found.arrival_s).max() < 1e-12
    assert np.array_equal(azure.prompt_tokens, found.prompt_tokens)
    assert np.array_equal(azure.output_tokens, found.output_tokens)


@pytest.mark.shared_data
@pytest.mark.parametrize("file", ["azure_llm_2023_code.csv", "azure_llm_2023_conv.csv"])
def test_every_row_of_an_azure_file_reads_as_the_standard_library_reads_it(shared_data: Path, file: str) -> None:
    path = shared_data / "traces" / file
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    stamps = np.array([row["TIMESTAMP"] for row in rows], dtype="datetime64[ns]")
    found = read_trace(path)
    assert np.array_equal(found.arrival_s, (stamps - stamps[0]).astype(np.int64) / 1e9)
    assert found.prompt_tokens.tolist() == [int(row["ContextTokens"]) for row in rows]
    assert found.output_tokens.tolist() == [int(row["GeneratedTokens"]) for row in rows]


# --- forms that are read ----------------------------------------------------------------------------------------------

ROWS = ([0.0, 0.5, 2.0], [5, 7, 9], [6, 8, 10])
DATED = "2024-02-29 23:59:59{a},5,6\n2024-02-29 23:59:59{b},7,8\n2024-03-01 00:00:01{a},9,10\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r\n").rstrip("\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace("\n10.5", "\n\n10.5") + "\n\r\n\n",
        PLAIN.upper(),
        PLAIN.replace("ContextTokens", " contexttokens "),
        PLAIN.replace(",", " , ").replace("10.5", "1.05e1").replace(" 7 ", " 7.0 "),
        "x,GeneratedTokens,y,TIMESTAMP,ContextTokens\nü,6,,10,5\n\x00,8,-1,10.5,7\nnan,10,z,12,9\n",
        '"TIMESTAMP","ContextTokens","GeneratedTokens"\n"10","5","6"\n10.5,"7",8\n"12","9","10"\n',
        'TIMESTAMP,note,ContextTokens,GeneratedTokens\n10,"a, b",5,6\n10.5,"a ""b""",7,8\n12,"two\nlines",9,10\n',
        'TIMESTAMP,note,ContextTokens,GeneratedTokens\r\n10,"a, b",5,6\r\n10.5,"",7,8\r\n12,"two\r\nlines",9,10',
        AZURE + DATED.format(a="", b=".5"),
        AZURE + DATED.format(a=".0000000", b=".5000000").replace(" ", "T"),
        AZURE + DATED.format(a=".123456789", b=".623456789"),
        AZURE + DATED.format(a="Z", b=".50Z"),
        AZURE + DATED.format(a=".25+05:30", b=".75+05:30"),
        AZURE + "2024-02-29 23:59:59+00:00,5,6\n2024-02-29 22:59:59.5-01:00,7,8\n2024-03-01 01:00:01+0100,9,10\n",
        "timestamp,x,prompt_size,token_size,arrival_timestamp\n9,9,5,6,0\n9,9,7,8,0.5\n9,9,9,10,2.0\n",
        SIMULATOR + "0,2,0,0.0,1,5,6\n1,2,0,5e-1,1,7,8\n2,2,0,2,1,9,10\n",
        SIMULATOR + "0,2,0,2024-02-29 23:59:58,1,5,6\n1,2,0,2024-02-29 23:59:58.5,1,7,8\n"
        "2,2,0,2024-03-01 00:00:00,1,9,10",
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_forms_of_a_trace(read: Read, content: str, packed: bool) -> None:
    raw = content.encode()
    found = read(gzip.compress(raw) if packed else raw, "trace.csv.gz" if packed else "trace.csv")
    assert (found.arrival_s.tolist(), found.prompt_tokens.tolist(), found.output_tokens.tolist()) == ROWS


def test_seconds_of_the_simulator_stay_and_those_of_azure_start_at_the_first_row(read: Read) -> None:
    rows = "0,2,0,7.5,1,5,6\n1,2,0,8,1,7,8\n"
    assert read(SIMULATOR + rows).arrival_s.tolist() == [7.5, 8.0]
    assert read(AZURE + "7.5,5,6\n8,7,8\n").arrival_s.tolist() == [0.0, 0.5]


def test_plain_files_never_go_cell_by_cell(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    def careful(text: str) -> None:
        raise AssertionError(text)

    for name in ("read_count", "read_seconds", "read_date_time"):
        monkeypatch.setattr(trace_cells, name, careful)
    assert read_trace(synthetic.FILE).count == 2000
    rows = "".join(f"2023-11-16 18:15:{k:02d}.{k:07d},{10 ** (k % 8)},{k + 1}\n" for k in range(60))
    assert read(AZURE + rows).count == 60
    quoted = "".join('"' + row.replace(",", '","') + '"\r\n' for row in rows.splitlines())
    assert np.array_equal(read(AZURE + quoted).arrival_s, read(AZURE + rows).arrival_s)
    assert read(SIMULATOR + "0,2,0,119.97791484262615,1,117,76\n").arrival_s[0] == 119.97791484262615


def test_members_and_names_of_compressed_files(read: Read) -> None:
    head, tail = PLAIN[:50].encode(), PLAIN[50:].encode()
    assert read(gzip.compress(head) + gzip.compress(tail), "a.csv.gz").count == 3
    assert read(gzip.compress(PLAIN.encode()), "named-plainly.csv").count == 3


def test_context_may_be_filled_and_not_more(read: Read) -> None:
    assert read(PLAIN, context_max=19).count == 3
    error = refused(read, PLAIN, context_max=14)
    assert told(error) == [("E176", 3, 6), ("E176", 4, 4)]
    assert "ContextTokens and GeneratedTokens are 15 tokens, more than the context's 14" in error.render()


@pytest.mark.parametrize("size", [1, 7, 40, 200])
def test_blocks_of_any_size_read_alike(read: Read, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    rows = "".join(f"{0.1 * k:.3f},{k + 1},{k % 7 + 1}\n" for k in range(300))
    whole = read(AZURE + rows)
    monkeypatch.setattr(trace_stream, "BLOCK_BYTES", max(size, 41))
    for content in (AZURE + rows, AZURE + rows.replace("\n", "\r\n").rstrip(), gzip.compress((AZURE + rows).encode())):
        again = read(content)
        assert np.array_equal(whole.arrival_s, again.arrival_s)
        assert np.array_equal(whole.prompt_tokens, again.prompt_tokens)
    quoted = 'note,TIMESTAMP,ContextTokens,GeneratedTokens\n"a\nb",0,1,1\n' + "".join(
        f'"{k}""",{0.1 * k:.3f},{k + 1},{k % 7 + 1}\n' for k in range(1, 300)
    )
    monkeypatch.setattr(trace_file, "_BATCH_ROWS", size)
    assert np.array_equal(whole.prompt_tokens, read(quoted).prompt_tokens)
    error = refused(read, quoted + 'x,nan,1,1\n"y\nz",40,0,1\n')
    assert told(error)[-2:] == [("E175", 303, 3), ("E176", 305, 7)]


def cells_of(texts: list[str]) -> trace_cells.Cells:
    block = "".join(text.replace(",", ";").replace("\n", " ").replace('"', "'") + "\n" for text in texts).encode()
    return trace_cells.split_block(block, 1, (0,), 1)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(TIMES, min_size=1, max_size=8))
def test_seconds_seen_together_are_seconds_read_alone(texts: list[str]) -> None:
    cells = cells_of(["1.5", *texts])
    values, odd = trace_cells.plain_seconds(cells, 0)
    for row in range(cells.lines.size):
        value, code, _ = trace_cells.read_seconds(cells.text(row, 0))
        assert odd[row] or (code == "" and value == values[row])


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(STAMPS, min_size=1, max_size=8), st.sampled_from(["", "Z", "+00:00", "-0330"]))
def test_dates_seen_together_are_dates_read_alone(texts: list[str], zone: str) -> None:
    cells = cells_of([f"2023-11-16 18:15:46.6805900{zone}", *texts])
    seconds, nanos, odd = trace_cells.date_times(cells, 0, zone)
    assert not odd[0]
    for row in range(cells.lines.size):
        second, nano, reason = trace_cells.read_date_time(cells.text(row, 0))
        assert odd[row] or (reason == "" and (second, nano) == (seconds[row], nanos[row])), cells.text(row, 0)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(COUNTS, min_size=1, max_size=8))
def test_counts_seen_together_are_counts_read_alone(texts: list[str]) -> None:
    cells = cells_of(["12", *texts])
    values, odd = trace_cells.whole_numbers(cells, 0)
    assert (values[0], odd[0]) == (12, False)
    for row in range(cells.lines.size):
        value, code, _ = trace_cells.read_count(cells.text(row, 0))
        plain = not odd[row] and 1 <= values[row] <= trace_cells.MAX_TOKENS
        assert not plain or (code == "" and value == values[row])


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.lists(st.text(st.sampled_from('ab1,"\n\r '), max_size=4), min_size=3, max_size=3), max_size=6))
def test_cells_seen_together_are_those_of_a_csv_reader(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    block = text.getvalue().encode()
    if rows and trace_cells.is_plainly_quoted(block):
        cells = trace_cells.split_block(block, 3, (0, 1, 2), 1)
        assert not cells.short
        found = [[cells.text(row, column) for column in range(3)] for row in range(cells.lines.size)]
        assert found == [[cell.strip() for cell in row] for row in rows]
