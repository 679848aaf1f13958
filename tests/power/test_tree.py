"""Trees: counts and names, and everything that can be wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.flows import ancestors, chain
from aiplan.planners.power.losses import Losses
from aiplan.planners.power.redundancy import scheme
from aiplan.planners.power.tree import Kind, Node, TreeError, from_counts, from_nodes
from tests.power.designs import UPS


def node(name: str, kind: str, *parents: str, kw: float = 1000.0, over: float = 1.0) -> Node:
    return Node(name, kind, parents, kw * 1e3, 1.0, over)


GOOD = [
    node("poi", "grid", kw=9000),
    node("t1", "transformer", "poi", kw=4500), node("t2", "transformer", "poi", kw=4500),
    node("u1", "ups", "t1", kw=2000), node("u2", "ups", "t1", kw=2000), node("u3", "ups", "t2", kw=2000),
    node("p1", "pdu", "u1", "u2", kw=300), node("p2", "pdu", "u1", "u3", kw=300), node("p3", "pdu", "u2", "u3", kw=300),
]  # fmt: skip


def faults(nodes: list[Node]) -> list[str]:
    with pytest.raises(TreeError) as caught:
        from_nodes(nodes, {})
    return [fault.message for fault in caught.value.faults]


def test_named_nodes_become_levels_with_their_feeds() -> None:
    levels = from_nodes(GOOD, {"ups": UPS})
    assert [level.kind for level in levels] == ["transformer", "ups", "pdu"]
    assert levels[2].feeds.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert levels[1].losses == UPS
    assert levels[0].losses == Losses()


def test_every_fault_is_named_at_once() -> None:
    nodes = [
        *GOOD,
        node("other", "grid", kw=10),
        node("x", "pdu", "nowhere", kw=10),
        node("p1", "pdu", "u1", kw=10),
        node("c1", "pdu", "c2", kw=10),
        node("c2", "pdu", "c1", kw=10),
        node("big", "pdu", "u1", kw=2100),
        node("allowed", "pdu", "u1", kw=2100, over=1.1),
        node("minus", "pdu", "u1", kw=-5),
        node("three", "pdu", "u1", "u2", "u3", kw=5),
    ]
    found = faults(nodes)
    for told in ("second root", "nowhere", "'p1' already", "'c1' feeds itself", "'c2' feeds itself", "'big' is rated",
                 "'minus' is rated", "'three' needs one parent"):  # fmt: skip
        assert sum(told in message for message in found) == 1, (told, found)
    assert not any("allowed" in message for message in found)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ([node("odd", "pdu", "t1", kw=10)], "among nodes of kind ups"),
        ([node("bare", "ups", "t2", kw=10)], "feeds nothing"),
        ([node("mixed", "pdu", "t1", "u1", kw=10)], "fed from two levels"),
        ([node("deep", "ups", "p1", kw=10)], "stand on two levels"),
    ],
)
def test_levels_must_be_whole(extra: list[Node], told: str) -> None:
    assert any(told in message for message in faults([*GOOD, *extra]))


def test_a_tree_needs_rows_and_a_root() -> None:
    assert faults([node("poi", "grid")]) == ["below the grid a level with rows (PDU or busway) is missing"]
    assert any("stand for the grid" in message for message in faults([node("a", "pdu", "b"), node("b", "ups", "a")]))


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ([Kind("ups", UPS, count=5, rated_w=1e6), Kind("pdu", UPS, count=9, rated_w=1e5)], "groups of 4"),
        ([Kind("ups", UPS, count=4, rated_w=1e6)], "rows"),
        ([Kind("pdu", UPS, count=4, rated_w=1e6)], "needs a level 'ups'"),
        ([Kind("ups", UPS, count=4, rated_w=0.0), Kind("pdu", UPS, count=9, rated_w=-1.0)], "above 0"),
        ([Kind("ups", UPS, count=4, rated_w=1e6), Kind("ups", UPS, count=4, rated_w=1e6)], "already"),
        ([Kind("ups", UPS, count=4, rated_w=1e6), Kind("pdu", UPS, count=9, rated_w=2e6)], "above the 1000 kW"),
        ([], "at least one level"),
    ],
)
def test_counts_that_are_no_tree_are_refused(kinds: list[Kind], told: str) -> None:
    with pytest.raises(TreeError, match=told):
        from_counts(kinds, scheme("4n/3"))


@settings(deadline=None, derandomize=True, database=None)
@given(st.sampled_from(["n", "n+1", "2n", "3n/2", "4n/3"]), st.integers(1, 4), st.integers(1, 60))
def test_rows_are_dealt_out_evenly(name: str, groups: int, rows: int) -> None:
    how = scheme(name, 3 if name == "n+1" else None)
    kinds = [Kind("ups", UPS, count=how.group * groups, rated_w=1e6), Kind("pdu", UPS, count=rows, rated_w=1e5)]
    ups, pdu = from_counts(kinds, how)
    pairs, many = np.unique(pdu.feeds, axis=0, return_counts=True)
    if rows >= how.domains * groups:
        assert len(pairs) == how.domains * groups
        assert many.max() - many.min() <= 1
    assert not np.any(ups.spare[pdu.feeds])
    assert np.all((pdu.feeds[:, 0] != pdu.feeds[:, 1]) == how.shared)


def test_rows_of_a_pair_behind_one_transformer_have_one_ancestor() -> None:
    levels = from_nodes(GOOD, {})
    assert ancestors(levels, 0) is None  # u1 and u3 hang on different transformers
    same = from_nodes([one for one in GOOD if one.name in ("poi", "t1", "u1", "u2", "p1")], {})
    assert ancestors(same, 0) is not None


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(0.0, 3e5), min_size=3, max_size=3), st.floats(0.0, 0.5), st.floats(0.0, 0.01))
def test_power_in_is_it_and_losses_and_cooling(rows: list[float], mechanical: float, other: float) -> None:
    levels = from_nodes(GOOD, {"ups": UPS, "transformer": Losses(0.001, 0.0, 0.005), "pdu": Losses(0.002, 0.001, 0.0)})
    found = chain(levels, np.array(rows), mechanical, other)
    it = sum(rows)
    beside = (mechanical + other) * it
    balance = it + beside + found.loss_w
    assert found.grid_w == pytest.approx(balance, rel=1e-9, abs=1e-6)
    # Level by level: what one level draws is what the one above gives out, cooling joins above the UPS.
    assert found.flows[2].input_w.sum() == pytest.approx(found.flows[1].output_w.sum(), rel=1e-12, abs=1e-9)
    assert found.flows[1].input_w.sum() + beside == pytest.approx(found.flows[0].output_w.sum(), rel=1e-9, abs=1e-6)
