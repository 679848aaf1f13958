"""Stored hostile scenarios: every one refused with all its errors at once, each at its line, and nothing else.

Sources of the cases: engineering reference, section 6.1 and checks 11 to 13; the rest are mistakes people make.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.runner import Outcome, run
from tests.hostile.expectations import CORPUS, MANY, Expected, Said, expected_of, said

FILES = sorted(CORPUS.glob("*.toml"))


def test_the_corpus_is_large() -> None:
    assert len(FILES) >= 45
    marked = [path for path in FILES if expected_of(path.read_text(encoding="utf-8"))]
    assert len(marked) >= len(FILES) - 2  # the empty file, and the one with more errors than are shown


def assert_well_behaved(outcome: Outcome) -> None:
    """What holds for any refusal."""
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.raw_characters == []
    assert "Traceback" not in outcome.err
    assert "E900" not in outcome.err


def matches(complaint: Said, wanted: Expected) -> bool:
    return complaint.code == wanted.code and complaint.line == wanted.line and wanted.help in complaint.help


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_error_is_reported_at_its_line(path: Path) -> None:
    outcome = run("energy", str(path))
    assert_well_behaved(outcome)
    complaints = said(outcome.err)
    text = path.read_text(encoding="utf-8")
    if many := MANY.search(text):
        assert len(complaints) == 50
        assert f"... and {int(many[1]) - 50} more problems" in outcome.err
        assert f"{many[1]} problems found" in outcome.err
        return
    wanted = expected_of(text) or [Expected("E103", 1, "")] * len(complaints)
    assert Counter((c.code, c.line) for c in complaints) == Counter((w.code, w.line) for w in wanted), outcome.err
    for item in wanted:
        assert any(matches(complaint, item) for complaint in complaints), (item, outcome.err)
    for complaint in complaints:
        assert complaint.column >= 1, complaint
        # The last loop is found in the other file.
        assert Path(complaint.file) in (path, *FILES), complaint
    if len(complaints) > 1:
        assert outcome.err.rstrip().endswith(f"{len(complaints)} problems found")
    if not re.search("@|E004", text):
        lines = [complaint.line for complaint in complaints]
        assert lines == sorted(lines)
