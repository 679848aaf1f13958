"""Whole renders, byte for byte: an unintended change of any format shows up as a diff."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.golden import CASES, FOLDER, scrub


@pytest.mark.parametrize("name", sorted(CASES))
def test_render_is_as_kept(name: str) -> None:
    assert scrub(CASES[name]()) == (FOLDER / name).read_bytes().decode()


def test_every_kept_file_has_a_case() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(CASES)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_bytes_do_not_depend_on_the_hash_seed_or_the_environment(hash_seed: str, root: Path) -> None:
    script = (
        "from tests.report.golden import CASES, FOLDER, scrub\n"
        "assert all(scrub(make()).encode() == (FOLDER / name).read_bytes() for name, make in CASES.items())"
    )
    environ = {
        "PYTHONHASHSEED": hash_seed,
        "COLUMNS": "33",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "LC_ALL": "C",
        "TZ": "X9",
    }
    subprocess.run([sys.executable, "-c", script], cwd=root, env=environ, check=True, timeout=120)
