"""The page: everything on it, nothing fetched, every text only text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aiplan.errors import InputError
from aiplan.report import html
from aiplan.report.html import render_html
from aiplan.report.model import Column, Report, Table
from tests.report.sample import (
    NASTY_TEXTS,
    charted_report,
    nasty_charts,
    nasty_pictures,
    nasty_report,
    pictured_report,
    sample_report,
)

VOID = {"meta", "br", "hr", "img", "link", "input"}
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer", "h1", "h2", "p", "dl",
    "dt", "dd", "div", "table", "thead", "tbody", "tr", "th", "td", "small", "strong", "code", "a", "ul", "ol", "li",
    "figure", "figcaption", "svg", "g", "defs", "path", "use", "text", "tspan",
}  # fmt: skip


class Page(HTMLParser):
    """Tags, attributes and text of a page; what is left open or closed twice is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.tags for key, value in attributes.items() if key == name]


REPORTS = [sample_report(), charted_report(), pictured_report(), nasty_report(), nasty_charts(), nasty_pictures()]
NAMES = ["sample", "charts", "pictures", "nasty", "nasty charts", "nasty pictures"]


def test_everything_of_the_report_is_there() -> None:
    report = charted_report()
    page = Page(render_html(report))
    ids = page.values("id")
    assert {f"line-{line.id}" for line in report.lines} <= set(ids)
    assert {"chart-load", "chart-cost", "table-models"} <= set(ids)
    assert "table-levers" not in ids  # not meant for the screen
    words = [report.title, report.headline, "2026.11", "0.162 – 0.607", "1,300*", "TensorRT-LLM v0.19"]
    words += [line.label for line in report.lines] + [warning.message for warning in report.warnings]
    words += [*report.not_modelled, *report.sources.values(), *(text for _, text in report.context)]
    words += ["promised 50 ms", "left out: 1 point", "rests on an assumption: facility.wue_l_per_kwh"]
    for word in words:
        assert word in page.text, word


@pytest.mark.parametrize("report", REPORTS, ids=NAMES)
def test_the_page_is_sound_and_reaches_for_nothing(report: Report) -> None:
    page = Page(render_html(report))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "src"]
    assert all(link.startswith("#") for link in page.values("href") + page.values("xlink:href"))
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in page.values("href")} <= set(ids)
    assert "default-src 'none'" in " ".join(page.values("content"))


def test_a_style_reaches_for_nothing_either() -> None:
    sheet = Path(html.__file__).with_name("page.css").read_text(encoding="utf-8")
    assert not re.search(r"url|@import|http", sheet)
    assert "prefers-color-scheme: dark" in sheet
    assert "@media print" in sheet
    # Every colour that a drawing asks for is stated for light, dark and paper.
    for name in ("ink", "quiet", "rule", *(f"series-{i}" for i in range(1, 8))):
        assert sheet.count(f"--{name}:") == 3


@pytest.mark.parametrize(
    "report", [nasty_report(), nasty_charts(), nasty_pictures()], ids=["nasty", "nasty charts", "nasty pictures"]
)
def test_hostile_text_is_only_text(report: Report) -> None:
    text = render_html(report)
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not set("\x1b\x07\x00\x7f\x9b\u202e\u200b\ufeff\ud800") & set(text)
    for literal in ("<script>alert(1)</script>", "[red]x[/red]", "`code` **bold**", "usertxt.exe", "=1+1", "a|b|c"):
        assert literal in page.text


@pytest.mark.parametrize(
    "text", [*NASTY_TEXTS, '"><img src=x onerror=alert(1)>', "</style>", "{{ 7 * 7 }}", "{% raw %}"]
)
def test_hostile_ids_stay_inside_their_attribute(text: str) -> None:
    base = charted_report()
    table = Table(text, text, (Column(text),), ((text,),))
    chart = replace(base.charts[0], id=text, table=text)
    line = replace(base.lines[0], id=text)
    page = Page(render_html(replace(base, lines=(line,), tables=(table,), charts=(chart,))))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert len([value for value in page.values("id") if value.startswith(("line-", "table-", "chart-"))]) == 3
    assert "49" not in page.text.replace(".49", "")


def test_sources_are_numbered_and_listed() -> None:
    text = render_html(sample_report())
    assert '<td class="sources"><a href="#source-1">1</a>, <a href="#source-2">2</a></td>' in text
    assert '<li id="source-2">NVIDIA TensorRT-LLM 0.19 performance overview <code>trtllm-0.19</code></li>' in text
    assert '<li id="source-5"> <code>scenario.toml:14</code></li>' in text


def test_one_table() -> None:
    page = Page(render_html(charted_report(), table="levers"))
    assert "serving platform" in page.text
    assert "Energy per query" not in page.text
    assert not {"svg", "figure"} & {tag for tag, _ in page.tags}
    assert "* rests on an assumption" in Page(render_html(charted_report(), table="models")).text
    with pytest.raises(InputError, match="no table"):
        render_html(charted_report(), table="x")


def test_a_chart_names_where_its_numbers_are() -> None:
    text = render_html(charted_report())
    assert '<a href="#table-models">models</a>' in text
    assert "<code>--table levers</code>" in text


def test_same_report_same_bytes() -> None:
    assert render_html(charted_report()) == render_html(charted_report())


def test_an_empty_report_still_makes_a_page() -> None:
    empty = replace(
        charted_report(), lines=(), warnings=(), not_modelled=(), sources={}, context=(), headline="",
        tables=(Table("t", "", (Column("a"),), ()),), charts=(replace(charted_report().charts[0], series=()),),
    )  # fmt: skip
    page = Page(render_html(empty))
    assert "no rows" in page.text
    assert "no points to draw" in page.text


def test_nan_never_reaches_the_page() -> None:
    chart = charted_report().charts[0]
    bad = replace(chart, series=(replace(chart.series[0], y=(float("nan"),) * 39),))
    with pytest.raises(ValueError, match="chart load, series DGX H100"):
        render_html(replace(charted_report(), charts=(bad,)))
