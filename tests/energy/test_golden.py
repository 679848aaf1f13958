"""Whole commands against their golden answers, numbers to twelve digits and texts to the letter."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.energy.golden import COMMANDS, FOLDER, answer

# They name the version of the catalog and of aiplan, which may move without any number moving.
PASSING = ("sha256", "version", "aiplan_version")


def assert_same(found: Any, golden: Any, where: str = "") -> None:
    """Compare two JSON values, numbers approximately: platforms differ in the last bits of exp and log."""
    if isinstance(golden, dict):
        assert list(found) == list(golden), where
        for key, value in golden.items():
            if key not in PASSING:
                assert_same(found[key], value, f"{where}.{key}")
    elif isinstance(golden, list):
        assert len(found) == len(golden), where
        for index, value in enumerate(golden):
            assert_same(found[index], value, f"{where}[{index}]")
    elif isinstance(golden, float):
        assert found == pytest.approx(golden, rel=1e-9, abs=1e-15), where
    else:
        assert found == golden, where


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.endswith(".json")])
def test_json(name: str) -> None:
    assert_same(json.loads(answer(COMMANDS[name])), json.loads((FOLDER / name).read_text(encoding="utf-8")))


def test_csv() -> None:
    found, golden = (
        list(csv.reader(io.StringIO(text)))
        for text in (answer(COMMANDS["published.csv"]), (FOLDER / "published.csv").read_text(encoding="utf-8"))
    )
    assert len(found) == len(golden)
    for row, expected in zip(found, golden, strict=True):
        for cell, wanted in zip(row, expected, strict=True):
            try:
                assert float(cell) == pytest.approx(float(wanted), rel=1e-9)
            except ValueError:
                assert cell == wanted
