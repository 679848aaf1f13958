"""Public benchmark tables as rows: what is mended, left out and set aside, counted on the measured files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.serving.datasets import SAME, TENSORRT_RUNS, read_rows, without_copies
from aiplan.planners.serving.rows import Row, Shelf

SHELF = Shelf(Catalog())


@pytest.fixture(scope="module")
def together(shared_data: Path) -> list[Row]:
    """InferenceX runs of aggregated serving with their copies."""
    return read_rows(shared_data / "throughput" / "inferencex_agg.csv", SHELF, most_copies=True)


@pytest.fixture(scope="module")
def split(shared_data: Path) -> list[Row]:
    return read_rows(shared_data / "throughput" / "inferencex_disagg.csv", SHELF)


@pytest.fixture(scope="module")
def maxima(shared_data: Path) -> list[Row]:
    return read_rows(shared_data / "throughput" / "trtllm.csv", SHELF)


@pytest.fixture(scope="module")
def logs(shared_data: Path) -> list[Row]:
    return read_rows(shared_data / "throughput" / "mlperf.csv", SHELF)


def test_gpu_counts_that_cannot_be_are_mended(together: list[Row]) -> None:
    notes = Counter(note for row in together for note in row.notes)
    # 296 rows state the product of both expert degrees as one of the factors, as the data's own readme counts them;
    # 13 Qwen3-235B rows state one GPU for 235 GB.
    doubled = sum(count for note, count in notes.items() if "twice" in note)
    assert doubled == 296
    assert sum(count for note, count in notes.items() if "do not fit fewer" in note) == 13
    assert all(row.tp * row.pp * row.dp * row.replicas == row.n_gpus for row in together)
    assert max(row.n_gpus for row in together) <= 8


def test_copies_are_left_out_once(together: list[Row]) -> None:
    # 2,275 rows, one of them without concurrency.
    assert len(together) == 2274
    kept = without_copies(together)
    assert len(together) - len(kept) == 539
    assert len(kept) == 1735
    assert len(without_copies(kept)) == 1735
    assert [row.group for row in kept] == [row.group for row in together if row in kept]


def test_a_copy_repeats_both_latencies() -> None:
    def row(ttft: float, tpot: float, isl: float = 1000.0) -> Row:
        return Row("llama-3.1-8b", "h100-sxm", "fp8", "vllm", concurrency=4.0, ttft_ms=ttft, tpot_ms=tpot, isl=isl)

    first, again = row(100.0, 10.0), row(100.0 * (1 + SAME / 2), 10.0 * (1 - SAME / 2))
    assert without_copies([first, again]) == [first]
    for other in (row(100.0, 10.1), row(101.0, 10.0), row(100.0, 10.0, isl=2000.0), row(float("nan"), 10.0)):
        assert without_copies([first, other]) == [first, other]
    # DeepSeek's V3 and R1 are labels of the same runs.
    one = Row("deepseek-v3", "h200-sxm", "fp8", concurrency=4.0, ttft_ms=1.0, tpot_ms=2.0)
    two = Row("deepseek-r1", "h200-sxm", "fp8", concurrency=4.0, ttft_ms=1.0, tpot_ms=2.0)
    assert without_copies([one, two]) == [one]


def test_speculative_runs_without_a_label(together: list[Row]) -> None:
    kept = without_copies(together)
    drafted = [row for row in kept if row.speculative]
    assert len(drafted) == 99
    assert {(row.engine, row.model.startswith("deepseek")) for row in drafted} == {("tensorrt-llm", True)}


def test_rows_set_aside_keep_their_reason(together: list[Row]) -> None:
    kept = without_copies(together)
    reasons = Counter(row.left_out.split(":")[0] for row in kept if row.left_out)
    assert reasons == {
        "faster than arithmetic allows": 21,
        "the server ran fewer sequences than were sent": 9,
        "time per token the same at every load": 6,
    }
    assert sum(reasons.values()) == 36
    assert Counter(row.ttft_left_out for row in kept if row.ttft_left_out) == {
        "seconds of start-up in the timed window": 33
    }


def test_lengths_are_the_harness_mean(together: list[Row]) -> None:
    # Drawn uniformly from 0.8 to 1.0 of the nominal lengths.
    assert {(row.isl, row.osl) for row in together} >= {(921.6, 921.6), (7372.8, 921.6), (921.6, 7372.8)}
    assert not any(row.offline for row in together)


def test_blank_precisions_are_bf16_and_gpt_oss_is_mxfp4(together: list[Row]) -> None:
    small = [row for row in together if row.model == "llama-3.1-8b" and row.engine == "tensorrt-llm"]
    assert Counter(row.precision for row in small)["bf16"] >= 100
    assert {row.precision for row in together if row.model.startswith("gpt-oss")} == {"mxfp4"}


def test_split_deployments_with_known_workers(split: list[Row]) -> None:
    known = [row for row in split if not row.left_out]
    assert len(known) == 92
    assert {row.left_out for row in split} == {"", "number of workers unknown"}
    for row in known:
        assert row.tp * row.dp == row.n_gpus
        assert row.concurrency > 0


def test_published_maxima(maxima: list[Row]) -> None:
    assert len(maxima) == 719
    assert Counter(bool(row.left_out) for row in maxima)[True] == 20
    assert sum(row.pp > 1 for row in maxima) == 30
    static = [row for row in maxima if row.static]
    assert len(static) == 37
    assert all(row.requests == row.concurrency for row in static)
    runs = [row for row in maxima if not row.static and not row.left_out]
    assert all(row.offline for row in runs)
    assert all(row.requests == TENSORRT_RUNS.get((int(row.isl), int(row.osl)), 3000) for row in runs)
    # 669 without pipelines and single first tokens.
    assert sum(row.pp == 1 and not row.left_out for row in maxima) == 669


def test_offline_logs_of_one_kind_of_accelerator(logs: list[Row]) -> None:
    assert len(logs) == 133
    assert all(row.offline and row.output_tok_s > 0 for row in logs)
    powered = [row for row in logs if row.power_w > 0]
    # Wall power of nodes of eight B200: 9 to 10.4 kW by workload.
    assert powered
    assert all(4000 < row.power_w < 16000 for row in powered)


def test_energy_leaderboard(shared_data: Path) -> None:
    rows = read_rows(shared_data / "energy" / "mlenergy_v3.csv", SHELF)
    assert len(rows) == 452
    assert Counter(row.hardware for row in rows) == {"h100-sxm": 231, "b200-sxm": 221}
    assert {(row.engine, row.engine_version) for row in rows} == {("vllm", "0.11")}
    assert all(row.tp * row.pp * row.dp * row.replicas == row.n_gpus for row in rows)
    assert all(row.power_w > 0 and row.output_tok_s > 0 and row.concurrency > 0 for row in rows)


def test_a_users_own_columns(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "Model,GPU,num_gpus,tp_size,engine,avg_input_len,avg_output_len,batch,tpot_ms\n"
        "llama-3.1-8b,H100,1,1,vllm,1000,1000,16,9.5\n"
        "no-such-model,H100,1,1,vllm,1000,1000,16,9.5\n"
        "llama-3.1-8b,H100,1,1,vllm,nan,-5,16,9.5\n",
        encoding="utf-8",
    )
    rows = read_rows(path, SHELF)
    assert len(rows) == 1
    assert (rows[0].isl, rows[0].concurrency, rows[0].tpot_ms) == (1000, 16, 9.5)
    with pytest.raises(InputError):
        read_rows(tmp_path / "absent.csv", SHELF)
