"""The checks that `aiplan validate` runs for `aiplan power`."""

from __future__ import annotations

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.planners.power.validation import CHECKS, NOT_REPRODUCED
from aiplan.study.validate import Check, Results


@pytest.fixture(scope="module")
def results() -> Results:
    return Results(Catalog())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_every_check_is_met(check: Check, results: Results) -> None:
    got = check.got(results)
    assert abs(got / check.expected - 1) <= check.tolerance, (got, check.expected)


def test_sources_are_known(results: Results) -> None:
    for item in (*CHECKS, *NOT_REPRODUCED):
        assert results.catalog.title(item.source) != item.source
