"""Layouts: GPUs counted, missing degrees filled in, layouts enumerated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiplan.planners.serving.layout import Layout, check_layout, complete_layout, layouts

small = st.sampled_from([1, 2, 3, 4, 8])


def test_tensor_times_data_parallel_is_sixteen_devices() -> None:
    # InferenceX pull request 2354 counted TP4 x DP4 as 4; multiplying by ep as well would give 64 or 256.
    layout = Layout(tp=4, dp=4, ep=16)
    assert float(layout.devices) == 16
    assert float(Layout(tp=4, pp=2, dp=4, ep=4).devices) == 32


@given(small, small, small, st.integers(1, 6))
def test_devices_are_the_product_whatever_the_experts_do(tp: int, pp: int, dp: int, copies: int) -> None:
    for ep in (1, tp, dp, tp * dp):
        layout = Layout(tp, pp, dp, ep)
        assert check_layout(layout) == ()
        assert float(layout.devices) == tp * pp * dp
        completed = complete_layout(copies * tp * pp * dp, tp, pp, dp, ep, moe=True)
        assert completed.devices == copies * tp * pp * dp
        assert (float(completed.tp), float(completed.pp), float(completed.dp)) == (tp, pp, copies * dp)


@given(
    st.integers(1, 96),
    st.one_of(st.just(np.nan), st.integers(1, 16)),
    st.one_of(st.just(np.nan), st.integers(1, 4)),
    st.one_of(st.just(np.nan), st.integers(1, 8)),
    st.booleans(),
)
def test_completed_layouts_use_every_gpu(n_gpus: int, tp: float, pp: float, dp: float, moe: bool) -> None:
    known = np.nanprod([tp, pp, dp])
    assume(n_gpus % known == 0)
    layout = complete_layout(n_gpus, tp, pp, dp, moe=moe)
    assert layout.devices == n_gpus
    # Only one degree takes what is left over; the others stay as stated, or 1.
    takes = "tp" if np.isnan(tp) else "dp" if moe else "pp"
    for name, given_degree in (("tp", tp), ("pp", pp), ("dp", dp)):
        stated = 1.0 if np.isnan(given_degree) else given_degree
        degree = float(getattr(layout, name))
        assert degree % stated == 0 if name == takes else degree == stated


def test_rest_becomes_attention_data_parallel_or_pipeline() -> None:
    nan = np.nan
    # The last two state a degree that is one group of several: 16 GPUs win over TP4 x DP2, 8 over TP2 x PP2.
    layout = complete_layout(
        [16, 16, 16, 16, 8, 16, 16, 8],
        [4, 4, 8, 4, nan, 4, 4, 2],
        [nan, nan, nan, nan, nan, nan, nan, 2],
        [nan, nan, nan, nan, nan, nan, 2, nan],
        [16, nan, nan, nan, 8, 4, nan, nan],
        moe=[True, True, False, False, True, True, True, False],
    )
    assert layout.dp.tolist() == [4, 4, 1, 1, 1, 4, 4, 1]
    assert layout.pp.tolist() == [1, 1, 2, 4, 1, 1, 1, 4]
    assert layout.tp.tolist() == [4, 4, 8, 4, 8, 4, 4, 2]
    assert layout.ep.tolist() == [16, 1, 1, 1, 8, 4, 1, 1]
    with pytest.raises(ValueError, match="ep must divide"):
        complete_layout(16, 4, ep=16, moe=False)


def test_degrees_that_do_not_divide_the_gpus_are_rejected() -> None:
    for n_gpus, tp in ((12, 8), (4, 8)):
        with pytest.raises(ValueError, match="must divide the number of GPUs"):
            complete_layout(n_gpus, tp)


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(tp=0), "tp must be a whole number"),
        (Layout(pp=1.5), "pp must be a whole number"),
        (Layout(dp=np.nan), "dp must be a whole number"),
        (Layout(tp=4, ep=3), "ep must divide tp"),
        (Layout(tp=4, ep=8), "ep must divide tp"),
        (Layout(pp=40), "pp must not exceed"),
    ],
)
def test_impossible_layouts_are_rejected(layout: Layout, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_layout(layout, layers=32)


def test_unusual_layouts_are_named() -> None:
    assert check_layout(Layout(tp=8, dp=2, ep=16), experts=128, layers=36, heads=64) == ()
    assert "attention heads" in check_layout(Layout(tp=[8, 16]), heads=40)[0]
    assert "copies of the model" in check_layout(Layout(dp=2), experts=0)[0]
    assert "without experts" in check_layout(Layout(tp=2, ep=2), experts=0)[0]
    assert "held twice" in check_layout(Layout(tp=8, dp=4, ep=32), experts=16)[0]


@given(
    st.integers(1, 256),
    st.sampled_from([1, 2, 8, 64, 72]),
    st.sampled_from([0, 8, 128, 256]),
    st.sampled_from([None, 32, 40, 64]),
    st.sampled_from([None, 3, 61]),
)
def test_enumerated_layouts(most: int, domain: int, experts: int, heads: int | None, layers: int | None) -> None:
    found = layouts(most, domain, heads=heads, experts=experts, layers=layers)
    assert check_layout(found, experts=experts, layers=layers, heads=heads) == ()
    assert np.all((found.devices >= 1) & (found.devices <= most))
    assert np.all(found.tp * found.pp * found.dp == found.devices)
    assert np.all(found.tp <= domain)
    assert np.all((found.dp == 1) | (experts > 0))
    # Experts that are cut rather than divided stay on the fast links.
    assert np.all((found.ep > 1) | (found.tp * found.dp <= domain))
    rows = np.stack([found.tp, found.pp, found.dp, found.ep], axis=1)
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert [1.0, 1.0, 1.0, 1.0] in rows.tolist()


def test_layouts_of_one_node() -> None:
    dense = layouts(8, 8, heads=64)
    assert dense.tp.tolist() == [1, 2, 4, 8]
    assert set(dense.pp.tolist()) == {1}
    sparse = layouts(8, 8, heads=64, experts=128)
    assert {(float(tp), float(dp)) for tp, dp in zip(sparse.tp, sparse.dp, strict=True)} == {
        (tp, dp) for tp in (1, 2, 4, 8) for dp in (1, 2, 4, 8) if tp * dp <= 8
    }
    assert layouts(16, 8).pp.tolist() == [1, 1, 1, 1, 2]


def test_domain_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        layouts(8, 0)
