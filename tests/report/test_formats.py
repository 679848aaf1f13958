"""The table of formats: which one is meant, and that each loads only what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aiplan.errors import InputError
from aiplan.report.formats import FORMATS, choose_format, format_from_suffix, render
from tests.report.sample import sample_report


@pytest.mark.parametrize(
    ("wanted", "output", "chosen"),
    [
        (None, None, "table"),
        (None, "-", "table"),
        ("csv", "-", "csv"),
        (None, "a.json", "json"),
        (None, "dir.csv/plan.MD", "md"),
        (None, "a.markdown", "md"),
        (None, "a.txt", "table"),
        (None, "a.html", "html"),
        ("html", "a.HTM", "html"),
        (None, "plan", "table"),
        ("json", "plan.data", "json"),
        ("csv", "a.csv", "csv"),
    ],
)
def test_choice(wanted: str | None, output: str | None, chosen: str) -> None:
    assert choose_format(wanted, output) == chosen


@pytest.mark.parametrize(
    ("wanted", "output", "code"),
    [("json", "x.csv", "E206"), (None, "x.pdf", "E206"), ("yaml", None, "E205"), ("yaml", "x.json", "E205")],
)
def test_conflicts_are_input_errors(wanted: str | None, output: str | None, code: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_format(wanted, output)
    assert caught.value.code == code
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_suffixes() -> None:
    assert format_from_suffix("a.tar.JSON") == "json"
    assert format_from_suffix("a.xyz") is None
    assert format_from_suffix(".json") is None  # a hidden file, not a suffix


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_renders_and_ends_in_one_newline(fmt: str) -> None:
    for table in (None, "models"):
        text = render(sample_report(), fmt, table=table)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_explain_is_text_or_json() -> None:
    assert "facility.pue" in render(sample_report(), explain="energy_per_query_wh")
    assert "nodes" in json.loads(render(sample_report(), "json", explain=True))
    for fmt in ("csv", "md", "html"):
        with pytest.raises(InputError, match="explain"):
            render(sample_report(), fmt, explain=True)
    with pytest.raises(InputError, match="exclude"):
        render(sample_report(), explain=True, table="models")
    with pytest.raises(InputError, match="no format"):
        render(sample_report(), "yaml")


def modules_after(statement: str, root: Path) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.splitlines()[-1].split())


HEAVY = {"rich", "numpy", "scipy", "pydantic", "typer", "jinja2", "matplotlib"}


@pytest.mark.parametrize("fmt", ["json", "csv", "md"])
def test_formats_for_machines_load_no_heavy_module(fmt: str, root: Path) -> None:
    make = "from tests.report.sample import charted_report; from aiplan.report.formats import render"
    assert not HEAVY & modules_after(f"{make}; render(charted_report(), {fmt!r})", root)


def test_a_page_without_charts_needs_no_plotting(root: Path) -> None:
    make = "from tests.report.sample import sample_report; from aiplan.report.formats import render"
    assert HEAVY & modules_after(f"{make}; render(sample_report(), 'html')", root) == {"jinja2"}


def test_a_missing_extra_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiplan.report.formats.find_spec", lambda name: None)
    for wanted, output in (("html", None), (None, "plan.html")):
        with pytest.raises(InputError, match="jinja2 and matplotlib, which are not installed") as caught:
            choose_format(wanted, output)
        assert caught.value.code == "E209"
        assert caught.value.hint == "pip install 'aiplan[html]'"
    assert choose_format("md", None) == "md"
    monkeypatch.setattr("aiplan.report.formats.find_spec", lambda name: None if name == "jinja2" else object())
    with pytest.raises(InputError, match="needs jinja2, which is not installed"):
        render(sample_report(), "html")


def test_the_table_loads_rich_only_when_drawn(root: Path) -> None:
    modules = ("table", "explain", "write", "html", "svg")
    assert not HEAVY & modules_after("; ".join(f"import aiplan.report.{name}" for name in modules), root)
    make = "from tests.report.sample import charted_report; from aiplan.report.formats import render"
    assert HEAVY & modules_after(f"{make}; render(charted_report())", root) == {"rich"}
