"""Fixtures of the energy tests."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def entries(root: Path) -> dict[str, dict[str, Any]]:
    """Catalog entries of published estimates, as written."""
    return tomllib.loads((root / "hardware_catalog" / "published.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def measured(shared_data: Path) -> list[dict[str, str]]:
    """ML.ENERGY v3 rows of the chat and reasoning tasks."""
    with (shared_data / "energy" / "mlenergy_v3.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["task"] in ("lm-arena-chat", "gpqa")]
