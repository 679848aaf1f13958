"""Markdown: every section, every text literal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from aiplan.errors import InputError
from aiplan.report.md import render_md
from aiplan.report.model import Picture
from tests.report.sample import (
    NASTY_TEXTS,
    bars_of,
    chart_of,
    charted_report,
    heat_map_of,
    nasty_report,
    sample_report,
)

UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")


def test_sections_and_order() -> None:
    text = render_md(sample_report())
    marks = ["# Energy per query", "**A chat query", "- Boundary: site", "| Energy per query, site"]
    marks += [
        "\\* rests on",
        "## Models in the blend",
        "## Warnings",
        "## Not modelled",
        "## Sources",
        "9 lines:",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert text.endswith("catalog 2026.11\n")
    assert "What would lower it" not in text


def test_screen_and_export_round_alike() -> None:
    text = render_md(sample_report())
    for shown in ("0.308", "0.162 – 0.607", "10,200", r"0.205\*", r"1,300\*", "yes"):
        assert f" {shown} |" in text


def test_every_row_has_as_many_cells_as_its_head() -> None:
    for report in (sample_report(), nasty_report()):
        for block in render_md(report).split("\n\n"):
            rows = block.splitlines()
            if rows[0].startswith("|"):
                assert len({len(UNESCAPED_PIPE.findall(row)) for row in rows}) == 1


def test_html_links_code_and_emphasis_are_literal() -> None:
    text = render_md(nasty_report())
    assert "<" not in text
    assert ">" not in text
    assert not re.search(r"(?<!\\)`", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert r"\[red\]x\[/red\]" in text


def test_one_table() -> None:
    text = render_md(sample_report(), table="levers")
    assert text.startswith("## What would lower it\n\n| lever ")
    assert "Energy per query" not in text
    assert render_md(sample_report(), table="models").endswith("\n\n\\* rests on an assumption\n")
    with pytest.raises(InputError, match="no table"):
        render_md(sample_report(), table="x")


def test_charts_are_drawings_in_a_fence() -> None:
    text = render_md(charted_report())
    assert "## Time per token against load\n\n```text\ntime per token (ms)\n" in text
    assert text.index("Time per token against load") < text.index("## Models in the blend")
    assert text.count("```") == 4


@pytest.mark.parametrize("text", ["```", "````\n# out", "~~~", "a ``````` b", *NASTY_TEXTS])
@pytest.mark.parametrize("picture_of", [chart_of, heat_map_of, bars_of])
def test_no_text_closes_the_fence_of_a_picture(picture_of: Callable[[str], Picture], text: str) -> None:
    report = replace(charted_report(), charts=(picture_of(text),))
    lines = render_md(report).splitlines()
    opening = next(i for i, line in enumerate(lines) if line.endswith("`text"))
    fence = lines[opening].removesuffix("text")
    assert set(fence) == {"`"}
    closing = next(i for i in range(opening + 1, len(lines)) if re.fullmatch(r" {0,3}`{3,}\s*", lines[i]))
    assert lines[closing] == fence
    assert lines[closing - 1] != ""
    assert all(fence not in line for line in lines[opening + 1 : closing])
    assert lines[closing + 2].startswith("## Models in the blend")
