"""Sweeps: which configurations are tried, what is said of each, and which of them nothing beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiplan.errors import InputError
from aiplan.planners.serving.plan import outcome
from aiplan.planners.serving.sweep import batches, pareto, parse_keys, sweep
from tests.serving.perf_cases import case, report

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30)


@given(points)
def test_pareto_against_every_pair(found: list[tuple[int, int]]) -> None:
    user, gpu = np.array(found, dtype=np.float64).T
    best = pareto(user, gpu)
    for index, one in enumerate(found):
        beaten = any(other != one and other[0] >= one[0] and other[1] >= one[1] for other in found)
        first = found.index(one) == index
        assert best[index] == (not beaten and first)


@given(st.floats(1.0, 1e6))
def test_batches_reach_from_one_to_what_fits(most: float) -> None:
    found = batches(most)
    assert found[0] == 1.0
    assert found[-1] == min(int(most), 4096)
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ((), ("tp", "batch", "precision")),
        (('deployment.model="deepseek-r1"', 'deployment.hardware="b200"'), ("tp", "dp", "ep", "batch")),
        (("deployment.n_gpus=6",), ("tp", "engine")),
        (("deployment.pp=2",), ("tp", "batch")),
    ],
)
def test_every_configuration_uses_all_gpus_and_fits(changes: tuple[str, ...], keys: tuple[str, ...]) -> None:
    asked = case(*changes)
    found = sweep(asked, keys)
    assert len(set(map(str, found.rows))) == len(found.rows) > 1
    for row in found.rows:
        assert row.tp * row.pp * row.dp * row.replicas == asked.row.n_gpus
        assert (row.tp * row.dp) % row.ep == 0
    assert (found.lines["batch_limit"] >= 1).all()
    if "batch" in keys:  # only what memory holds at once
        assert (found.lines["batch"] <= found.lines["batch_limit"] + 1e-9).all()
    assert found.best.any()


def test_a_swept_configuration_is_the_one_asked_for_alone() -> None:
    found = sweep(case(), ("tp", "precision", "batch"))
    place = next(place for place, row in enumerate(found.rows)
                 if (row.tp, row.precision, row.concurrency) == (4.0, "bf16", 64.0))  # fmt: skip
    alone = case("deployment.tp=4", "deployment.copies=2", "deployment.precision=bf16", "load.concurrency=64")
    values = alone.parameters.medians()
    _, lines = outcome(alone, [alone.row_at(values)], alone.shelf, values)
    for name, value in lines.items():
        assert found.lines[name][place] == pytest.approx(value[0]), name


def test_a_sweep_of_formats_tries_those_the_accelerator_has() -> None:
    def formats(*changes: str) -> set[str]:
        return {row.precision for row in sweep(case(*changes), ("precision", "tp")).rows}

    assert formats() == {"bf16", "fp8"}
    assert formats('deployment.hardware="b200"') == {"bf16", "fp8", "nvfp4"}
    assert formats('deployment.hardware="a100-80gb-sxm"', "deployment.precision=bf16") == {"bf16"}
    assert formats('deployment.model="gpt-oss-120b"') == {"mxfp4"}


def test_layouts_without_room_are_counted() -> None:
    found = sweep(case(), ("tp", "precision"))
    assert found.refused == 1  # 141 GB of BF16 weights on one H200
    assert {(row.tp, row.precision) for row in found.rows} == {
        (1.0, "fp8"), (2.0, "fp8"), (4.0, "fp8"), (8.0, "fp8"), (2.0, "bf16"), (4.0, "bf16"), (8.0, "bf16"),
    }  # fmt: skip


def test_no_configuration_fits() -> None:
    asked = case()
    with pytest.raises(InputError, match="none of 4 configurations fits"):
        sweep(replace(asked, row=replace(asked.row, memory_fraction=0.05)), ("tp",))


@pytest.mark.parametrize(("text", "named"), [("tp,batc", "batc"), ("", "nothing"), (",", "nothing")])
def test_keys_that_cannot_be_swept(text: str, named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        parse_keys(text)
    assert "precision" in caught.value.hint
    assert parse_keys(" TP, batch,tp ") == ("tp", "batch")


def test_tables_hold_the_sweep() -> None:
    asked = case()
    found = report(swept=sweep(asked, ("tp", "batch", "precision")))
    whole, best = found.table("sweep").records(), found.table("pareto").records()
    assert [row for row in whole if row["pareto"]] == best
    users = [row["tok_s_per_user"] for row in whole]
    assert users == sorted(users, reverse=True)  # type: ignore[type-var]
    # None of these waits two seconds for a first token in steady state: the time per token decides.
    assert {row["keeps_slo"] for row in whole} == {True, False}
    assert all(row["keeps_slo"] == (float(row["tpot_ms"] or 0) <= 50) for row in whole)
