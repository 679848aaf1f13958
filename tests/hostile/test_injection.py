"""Text that is allowed in and must come out as text: no markup, no formula, no escape, whatever the format.

Source: engineering reference, section 7 (injection) and checks 13 and 14.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.runner import Outcome, run
from tests.hostile.toml_writer import dumps

MARKUP = ["[red]x[/red]", "[/x]", "[bold]", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "`id`", "**x** | y",
          "\\x1b[31m"]  # fmt: skip
FORMULAS = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "＝1+1", ";=1+1"]
REFUSED = ["\x1b[31mred", "\x1b]8;;http://x\x07y", "\x00", "\x7f", "\x9b31m", "\u202e", "\u2066x\u2069", "\x08", "\r"]


def scenario_with(label: str, folder: Path) -> Path:
    path = folder / "labels.toml"
    lever = {"label": label, "multiplier": 2.0}
    data = {
        "scenario": {"name": "labels", "base": "frontier-chat", "title": label, "description": label},
        "energy": {"blend": {"name": label}},
        "levers": {"gain": {"routing": lever}},
    }
    path.write_text(dumps(data), encoding="utf-8")
    return path


def answer(label: str, folder: Path, *options: str) -> Outcome:
    outcome = run("energy", str(scenario_with(label, folder)), "--samples", "16", *options)
    assert outcome.code == 0, outcome.err
    assert outcome.raw_characters == []
    return outcome


@pytest.mark.parametrize("label", MARKUP)
def test_markup_is_printed_literally(label: str, tmp_path: Path) -> None:
    assert label in answer(label, tmp_path).out
    parsed = json.loads(answer(label, tmp_path, "--format", "json").out)
    assert label in [row["label"] for row in parsed["tables"]["levers_long"]]


def test_markdown_shows_markup_as_text(tmp_path: Path) -> None:
    text = answer("<b>a|b</b>", tmp_path, "--format", "md").out
    assert "<b>" not in text
    assert "&lt;b&gt;a\\|b&lt;/b&gt;" in text


@pytest.mark.parametrize("label", FORMULAS)
def test_a_spreadsheet_sees_text(label: str, tmp_path: Path) -> None:
    text = answer(label, tmp_path, "--format", "csv", "--table", "levers_long").out
    rows = list(csv.DictReader(io.StringIO(text)))
    cells = [row["label"] for row in rows]
    assert not any(cell.lstrip()[:1] in set("=+-@\t\r＝＋－＠") for cell in cells if cell)
    assert any(cell.startswith("'") or ";'" in cell for cell in cells)
    # JSON is for programs and keeps the text as it was written.
    parsed = json.loads(answer(label, tmp_path, "--format", "json").out)
    assert label in [row["label"] for row in parsed["tables"]["levers_long"]]


@pytest.mark.parametrize("label", REFUSED)
def test_control_and_direction_characters_are_refused(label: str, tmp_path: Path) -> None:
    outcome = run("energy", str(scenario_with(label, tmp_path)))
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.count("error[E006]") == 4
    assert f"U+{ord(next(char for char in label if not char.isprintable())):04X}" in outcome.err
    assert outcome.raw_characters == []


@pytest.mark.parametrize("argument", ["\x1b[31m", "a\x00b", "\u202eevil", "\ud800", "\x9b1m"])
@pytest.mark.parametrize("place", ["energy {}", "{}", "energy --set {}", "energy --table {}", "catalog show {}"])
def test_arguments_cannot_reach_the_terminal_raw(argument: str, place: str) -> None:
    outcome = run(*place.format(argument).split(" "))
    assert outcome.code == 2
    assert "E114" in outcome.err
    assert outcome.out == ""
    assert outcome.raw_characters == []


def test_messages_keep_their_lines(tmp_path: Path) -> None:
    """A line break in an argument must not fake a second message."""
    outcome = run("energy", "x\nerror[E000]: forged")
    assert outcome.code == 2
    assert "\nerror[E000]" not in outcome.err
    outcome = run("enrgy\nerror[E000]: forged")
    assert "\nerror[E000]" not in outcome.err
