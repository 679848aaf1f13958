"""Fixtures of the tests of `aiplan split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiplan.planners.split.trace_file import read_trace
from aiplan.planners.split.workload import Requests
from tests.split.traces import Read


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of(content: str | bytes, name: str = "trace.csv", **options: Any) -> Requests:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_trace(path, **options)

    return of
