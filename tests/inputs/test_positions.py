"""Positions against documents whose layout is known, because the test made them.

Target: engineering reference, check 17: no key on a wrong line, at least 93 % of the paths located exactly.
"""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.inputs.positions import Positions, as_written, dotted_path
from aiplan.inputs.reader import Document, Path_
from tests.inputs.toml_maker import Maker


def positions(text: str) -> Positions:
    return Positions(Document(tomli.loads(text), text, "a.toml"))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32))
def test_every_key_of_a_made_document_is_on_its_line(seed: int) -> None:
    maker = Maker(random.Random(seed))
    text = maker.document()
    where = positions(text)
    for path, line in maker.places.items():
        assert where.of(path)[0] == line, (path, text)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32))
def test_the_underlined_text_is_the_key(seed: int) -> None:
    """Column and length: what is underlined names the key, however it is quoted."""
    maker = Maker(random.Random(seed))
    text = maker.document()
    lines = text.split("\n")
    where = positions(text)
    for path in maker.places:
        line, column, length = where.of(path)
        if isinstance(path[-1], str):
            underlined = lines[line - 1][column - 1 : column - 1 + length]
            number = re.match(r"k\d+", path[-1])
            assert number is not None
            assert number[0] in underlined


def test_all_paths_of_the_made_documents_are_paths_of_the_parser() -> None:
    """The maker knows what it made: its paths are those tomli finds."""
    for seed in range(200):
        maker = Maker(random.Random(seed))
        data = tomli.loads(maker.document())
        assert {path for path in paths_of(data, ()) if isinstance(path[-1], str)} == {
            path for path in maker.places if isinstance(path[-1], str)
        }


def paths_of(value: Any, path: Path_) -> list[Path_]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[Path_] = []
    for key, child in items:
        found += [(*path, key), *paths_of(child, (*path, key))]
    return found


def test_share_located_in_the_shipped_files(root: Any) -> None:
    """Every path of every scenario and catalog file is located, and its line holds the key."""
    located = wrong = total = 0
    for file in [*sorted((root / "scenarios").glob("*.toml")), *sorted((root / "hardware_catalog").rglob("*.toml"))]:
        text = file.read_text(encoding="utf-8")
        document = Document(tomli.loads(text), text, file.name)
        where, lines = Positions(document), text.split("\n")
        for path in paths_of(document.data, ()):
            total += 1
            line = where.of(path)[0]
            located += line > 0
            wrong += isinstance(path[-1], str) and path[-1] not in lines[line - 1]
    assert total > 8000
    assert wrong == 0
    assert located / total >= 0.93


TEXT = """\
# a comment
name = "x"
[power]
rated_power_kw = 10.2
busy_fraction = { lognormal = { p5 = 0.4, p95 = 0.9 } }

[[stage]]
a = 1
[[stage]]
b = 2
"llama-3.1" = 3
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("name",), (2, 1, 4)),
        (("power",), (3, 1, 7)),
        (("power", "busy_fraction"), (5, 1, 13)),
        (("power", "busy_fraction", "lognormal", "p95"), (5, 43, 3)),
        (("power", "rated_power_w"), (4, 1, 14)),  # as written: in kilowatts
        (("power", "absent"), (3, 1, 7)),
        (("power", "busy_fraction", "lognormal", "absent"), (5, 19, 9)),
        (("stage",), (7, 1, 9)),
        (("stage", 0, "a"), (8, 1, 1)),
        (("stage", 1), (9, 1, 9)),
        (("stage", 1, "llama-3.1"), (11, 1, 11)),
        (("stage", 2), (7, 1, 9)),
        (("absent",), (0, 0, 0)),
        ((), (0, 0, 0)),
    ],
)
def test_places(path: Path_, expected: tuple[int, int, int]) -> None:
    assert positions(TEXT).of(path) == expected


def test_a_problem_quotes_its_line() -> None:
    problem = positions(TEXT).problem("E102", "must be > 0", ("power", "busy_fraction"), "give a share")
    assert problem.render() == (
        "error[E102]: power.busy_fraction must be > 0\n"
        "  --> a.toml:5:1\n"
        "5 | busy_fraction = { lognormal = { p5 = 0.4, p95 = 0.9 } }\n"
        "  | ^^^^^^^^^^^^^\n"
        "help: give a share"
    )
    missing = positions(TEXT).problem("E103", "is missing", ("facility",))
    assert (missing.line, missing.column, missing.source_line) == (1, 1, "")
    whole = positions(TEXT).problem("E006", "has too many keys", ())
    assert (whole.line, whole.message) == (0, "has too many keys")


def test_source_of_a_number() -> None:
    assert positions(TEXT).source(("power", "busy_fraction")) == "a.toml:5"
    assert positions(TEXT).source(("absent",)) == "a.toml"


def test_text_that_is_no_toml_costs_places_only() -> None:
    """The walker is only given text tomli has accepted; given other text it must still come to an end."""
    for text in ("a = [}", "a = ]", "[", "a", '"', "a = {b", "= = =", "[[a]", "a.b.", "'''"):
        where = Positions(Document({"a": 1}, text, "a.toml"))
        assert where.of(("a",))[0] in (0, 1)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.text(st.sampled_from("a.=[]{}\"'#,\n \\"), max_size=40))
def test_the_walker_ends_on_any_text(text: str) -> None:
    assert Positions(Document({"a": {"b": 1}}, text, "a.toml")).of(("a", "b"))[0] >= 0


def test_dotted_path() -> None:
    assert dotted_path(("levers", "model", 0)) == "levers.model[0]"
    assert dotted_path(("a", "llama-3.1", "x")) == 'a."llama-3.1".x'
    assert dotted_path(()) == ""
    assert dotted_path(("a\x1b[31m",)) == '"a [31m"'
    assert len(dotted_path(("k" * 10_000,))) < 100


def test_as_written() -> None:
    data = {"power": {"rated_power_kw": 10.2, "list": [{"energy_kwh": 1}]}}
    assert as_written(data, ("power", "rated_power_w")) == ("power", "rated_power_kw")
    assert as_written(data, ("power", "list", 0, "energy_wh")) == ("power", "list", 0, "energy_kwh")
    assert as_written(data, ("power", "list", 1)) == ("power", "list")
    assert as_written(data, ("power", "rated_power_gb")) == ("power",)
    assert as_written(data, ("power", "rated_power_m")) == ("power",)
