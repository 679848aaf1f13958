"""Racks into domains: brute force, bound, closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.planners.arrays import Array
from aiplan.planners.power.packing import (
    Domains,
    fit_counts,
    maximal_patterns,
    most_racks,
    pack,
    split_counts,
    stranded_fraction,
)

# Share of a domain lost to whole units [%] by unit and domain in kW; derived for the lifecycle study's floor rule.
DOMAINS_KW = (40, 50, 150, 300, 1250, 2500)
STRANDED_PERCENT = {6.5: (2.5, 9.0, 0.3, 0.3, 0.2, 0.2), 10.2: (23.5, 18.4, 4.8, 1.4, 0.4, 0.0),
                    14.3: (28.5, 14.2, 4.7, 4.7, 0.5, 0.5)}  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "domain", "percent"),
    [(unit, domain, percent) for unit, row in STRANDED_PERCENT.items()
     for domain, percent in zip(DOMAINS_KW, row, strict=True)],
)  # fmt: skip
def test_floor_rule_gives_the_table_of_the_lifecycle_study(unit: float, domain: float, percent: float) -> None:
    assert 100 * stranded_fraction(domain * 1e3, unit * 1e3) == pytest.approx(percent, abs=0.051)


@st.composite
def small(draw: st.DrawFn) -> tuple[Array, Array, Domains]:
    kinds, rows, feeds = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 2))
    watts = np.array([float(draw(st.integers(10, 60))) for _ in range(kinds)])
    weights = np.array([float(draw(st.integers(1, 5))) for _ in range(kinds)])
    domains = Domains(
        (np.array([float(draw(st.integers(40, 150))) for _ in range(rows)]),
         np.array([float(draw(st.integers(60, 250))) for _ in range(feeds)]),
         np.array([float(draw(st.integers(60, 400)))])),
        (np.array([draw(st.integers(0, feeds - 1)) for _ in range(rows)]), np.zeros(feeds, dtype=np.int64)),
        np.array([float(draw(st.integers(1, 3))) for _ in range(rows)]),
    )  # fmt: skip
    return watts, weights / weights.sum(), domains


def brute_force(watts: Array, shares: Array, domains: Domains) -> int:
    """The largest number of racks in these shares of which every one finds a place, by trying all."""
    paths = domains.paths()

    def fits(wanted: Array) -> bool:
        items = [kind for kind in np.argsort(-watts) for _ in range(int(wanted[kind]))]
        left, places = [limit * (1 + 1e-9) for limit in domains.limit_w], domains.places.copy()
        seen: set[tuple[object, ...]] = set()

        def place(number: int) -> bool:
            if number == len(items):
                return True
            key = (number, *(tuple(np.round(level, 3)) for level in left), tuple(places))
            if key in seen:
                return False
            seen.add(key)
            for row in range(len(places)):
                need = watts[items[number]]
                if places[row] < 1 or any(level[path[row]] < need for level, path in zip(left, paths, strict=True)):
                    continue
                places[row] -= 1
                for level, path in zip(left, paths, strict=True):
                    level[path[row]] -= need
                if place(number + 1):
                    return True
                places[row] += 1
                for level, path in zip(left, paths, strict=True):
                    level[path[row]] += need
            return False

        return place(0)

    return max((n for n in range(int(domains.places.sum()) + 1) if fits(split_counts(n, shares))), default=0)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(small())
def test_packing_lies_between_nothing_wrong_and_the_bound(case: tuple[Array, Array, Domains]) -> None:
    watts, shares, domains = case
    packed = pack(watts, shares, domains)
    found, best, bound = int(packed.counts.sum()), brute_force(watts, shares, domains), most_racks(*case)
    assert found <= best <= bound + 1e-6
    if len(watts) == 1:
        assert found == best == bound
    for path, limit in zip(domains.paths(), domains.limit_w, strict=True):
        used = np.bincount(path, weights=packed.row_w, minlength=len(limit))
        assert np.all(used <= limit * (1 + 1e-9))
    assert np.all(packed.racks.sum(axis=0) <= domains.places)


def test_mixes_are_placed_as_well_as_the_best_but_for_a_rack() -> None:
    # Measured: the best in 95 %, one behind in the rest, as docs/power.md says; a change for the worse shows.
    rng = np.random.Generator(np.random.PCG64(5))
    behind = []
    for _ in range(60):
        watts, shares = rng.integers(10, 60, 2).astype(float), rng.dirichlet(np.ones(2))
        domains = Domains((rng.integers(60, 150, 3).astype(float), np.array([300.0])), (np.zeros(3, dtype=np.int64),),
                          np.full(3, 4.0))  # fmt: skip
        behind.append(brute_force(watts, shares, domains) - pack(watts, shares, domains).counts.sum())
    assert max(behind) <= 1
    assert np.mean(behind) <= 0.05


def test_bound_by_patterns_is_sharper_than_by_watts() -> None:
    # Two racks of 60 in a row of 100: by watts 1.67 fit per row, by patterns one.
    domains = Domains((np.full(10, 100.0), np.array([np.inf])), (np.zeros(10, dtype=np.int64),), np.full(10, 9.0))
    watts, shares = np.array([60.0, 55.0]), np.array([0.5, 0.5])
    assert pack(watts, shares, domains).counts.sum() == 10
    assert most_racks(watts, shares, domains) == pytest.approx(10.0)


def test_maximal_patterns_leave_no_room() -> None:
    assert sorted(maximal_patterns(np.array([2.0, 3.0]), 6.0, 9.0) or []) == [(0, 2), (1, 1), (3, 0)]
    assert maximal_patterns(np.array([1.0, 1.1, 1.2, 1.3]), 1e3, 1e3) is None


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_split_counts_are_whole_and_near_their_shares(total: int, weights: list[int]) -> None:
    shares = np.array(weights) / sum(weights)
    counts = split_counts(total, shares)
    assert counts.sum() == total
    assert np.all(np.abs(counts - total * shares) < 1 + 1e-6)


def test_what_does_not_fit_stays_out() -> None:
    domains = Domains((np.array([100.0]), np.array([1e9])), (np.zeros(1, dtype=np.int64),), np.array([9.0]))
    assert fit_counts(np.array([5.0, 5.0]), np.array([60.0, 20.0]), domains).counts.tolist() == [1.0, 2.0]
