"""Redundancy: fractions, the loss of every UPS, the linear programme."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.power.redundancy import (
    after_loss_w,
    best_pairs_w,
    equal_pairs_w,
    flex_usable,
    normal_w,
    scheme,
)


def survives(loads_w: npt.NDArray[np.float64], capacity_w: npt.ArrayLike) -> bool:
    """Whether no UPS is above its capacity, in normal state and after the loss of any one other, counted one by one."""
    units = range(len(loads_w))
    capacity = np.broadcast_to(capacity_w, len(loads_w)) * (1 + 1e-9)
    if any(sum(loads_w[i]) / 2 > capacity[i] for i in units):
        return False
    # After the loss of j, what i shared with j is i's alone.
    return all(
        sum(loads_w[i, k] if k == j else loads_w[i, k] / 2 for k in units) <= capacity[i]
        for i in units for j in units if i != j
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "group", "usable"),
    [("n", None, 1.0), ("n+1", 4, 3 / 4), ("2n", None, 0.5), ("3n/2", None, 2 / 3), ("4n/3", None, 3 / 4),
     ("distributed", 5, 4 / 5)],
)  # fmt: skip
def test_usable_share_is_that_of_the_scheme(name: str, group: int | None, usable: float) -> None:
    found = scheme(name, group)
    assert found.usable == pytest.approx(usable, abs=1e-15)
    assert found.domains * found.domain_w(1.0) == pytest.approx(usable * found.group, abs=1e-12)


@pytest.mark.parametrize("units", [2, 3, 4, 5, 8])
def test_equal_pairs_fill_every_ups_after_any_loss(units: int) -> None:
    loads = equal_pairs_w(1.0, units)
    assert normal_w(loads) == pytest.approx(np.full(units, (units - 1) / units), abs=1e-15)  # 4: 0.75 C; 3: 0.667 C
    after = after_loss_w(loads)
    assert after[~np.eye(units, dtype=bool)] == pytest.approx(1.0, abs=1e-15)
    assert survives(loads, 1.0)
    assert not survives(loads * 1.0001, 1.0)


def test_flex_takes_four_thirds_of_4n_3_with_a_quarter_to_shed() -> None:
    # Flex, ISCA 2021: up to 33 % more servers.
    assert flex_usable(0.75, 0.25) / 0.75 - 1 == pytest.approx(1 / 3)
    assert flex_usable(0.75, 0.0) == 0.75
    assert flex_usable(0.5, 1.0) == 1.0


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(2, 5), st.data())
def test_best_pairs_survive_every_loss_and_are_not_beaten(units: int, data: st.DataObject) -> None:
    capacity = np.array([data.draw(st.floats(0.5, 2.0)) for _ in range(units)])
    limit = np.zeros((units, units))
    for i, j in combinations(range(units), 2):
        limit[i, j] = limit[j, i] = data.draw(st.sampled_from([0.0, 0.3, 1.0, 3.0]))
    loads = best_pairs_w(capacity, limit)
    assert survives(loads, capacity * (1 + 1e-7))
    assert np.all(loads <= limit * (1 + 1e-9) + 1e-12)
    # No single pair can carry more beside the others: what is full stays full.
    for i, j in combinations(range(units), 2):
        if limit[i, j] > loads[i, j] + 1e-6:
            more = loads.copy()
            more[i, j] += 1e-4
            more[j, i] += 1e-4
            assert not survives(more, capacity)


def test_best_pairs_of_equal_ups_are_the_closed_form() -> None:
    for units in (2, 3, 4, 6):
        wide = np.full((units, units), 10.0)
        np.fill_diagonal(wide, 0.0)
        assert best_pairs_w(1.0, wide) == pytest.approx(equal_pairs_w(1.0, units), abs=1e-9)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.integers(3, 5), st.floats(0.0, 0.6), st.data())
def test_shedding_never_carries_less(units: int, shed: float, data: st.DataObject) -> None:
    limit = np.zeros((units, units))
    for i, j in combinations(range(units), 2):
        limit[i, j] = limit[j, i] = data.draw(st.floats(0.1, 2.0))
    loads = best_pairs_w(1.0, limit, shed)
    assert loads.sum() >= best_pairs_w(1.0, limit).sum() * (1 - 1e-7)
    assert np.all(normal_w(loads) <= 1 + 1e-7)
    assert np.all(after_loss_w(loads) * (1 - shed) <= 1 + 1e-7)


@pytest.mark.parametrize(("name", "group"), [("4n/3", 3), ("n+1", None), ("distributed", 1), ("5n/4", None)])
def test_schemes_that_cannot_be_are_refused(name: str, group: int | None) -> None:
    with pytest.raises(ValueError, match=r"group|scheme|at least 2"):
        scheme(name, group)


def test_loads_must_be_symmetric() -> None:
    with pytest.raises(ValueError, match="symmetric"):
        after_loss_w([[0.0, 1.0], [0.0, 0.0]])
