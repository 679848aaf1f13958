"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def find_shared_data() -> Path | None:
    """Folder of measured data: ``AIPLAN_SHARED_DATA``, else ``shared/data`` beside the checkout."""
    configured = os.environ.get("AIPLAN_SHARED_DATA")
    folder = Path(configured) if configured else ROOT.parent / "shared" / "data"
    return folder if (folder / "README.md").is_file() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = find_shared_data()
    if folder is None:
        pytest.skip("measured data not found: set AIPLAN_SHARED_DATA or put shared/data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
