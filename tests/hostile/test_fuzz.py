"""Made-up scenarios, bytes and command lines: whatever comes in, an answer or a clear refusal comes out.

A release is fuzzed with far more examples: ``AIPLAN_FUZZ=10000 pytest tests/hostile/test_fuzz.py``.
"""

from __future__ import annotations

import contextlib
import copy
import os
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aiplan.catalog.loader import Catalog
from aiplan.inputs.conversion import section_of
from aiplan.inputs.fields import quantity_bounds
from aiplan.inputs.quantity import EVIDENCE
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.report.model import GRADES
from aiplan.uncertainty.distributions import KINDS
from tests.cli.runner import ROOT, Outcome, run
from tests.hostile.toml_writer import dumps

ALLOWED = {0, 2, 3, 4}
FACTOR = max(int(os.environ.get("AIPLAN_FUZZ", "500")) / 500, 0.01)
SHIPPED = {path.stem: path.read_bytes() for path in sorted((ROOT / "scenarios").glob("*.toml"))}
# Few samples, but enough for the paper's trimming to leave some.
SAMPLES = ("--samples", "32")


def examples(count: int) -> settings:
    """The same examples on every run; more of them when the environment asks."""
    return settings(
        max_examples=max(round(count * FACTOR), 1),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def assert_civil(outcome: Outcome) -> None:
    assert outcome.code in ALLOWED, outcome.err
    assert "E900" not in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.raw_characters == []
    if outcome.code == 0:
        assert outcome.out
        assert "error[" not in outcome.err
    else:
        assert outcome.err
        assert outcome.out == ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def answer(folder: Path, content: bytes, *options: str) -> Outcome:
    path = folder / "scenario.toml"
    path.write_bytes(content)
    return run("energy", str(path), *SAMPLES, *options)


NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 0.5, 1.2, 1e-9, 1e9, 1e15, 1e29, 1e-29, 1e308, 5e-324, 2**63, 2**62]),
    st.floats(),
    st.floats(0, 2),
    st.integers(-(2**65), 2**65),
)
PARAMETERS = sorted({parameter.name for kind in KINDS.values() for parameter in kind.parameters()})
DISTRIBUTIONS = st.dictionaries(
    st.sampled_from([*KINDS, "truncate", "lognorml"]),
    st.one_of(
        st.dictionaries(st.sampled_from(PARAMETERS), st.one_of(NUMBERS, st.lists(NUMBERS, max_size=4)), max_size=3),
        st.booleans(),
    ),
    min_size=1,
    max_size=2,
)
QUANTITIES = st.fixed_dictionaries(
    {},
    optional={
        "value": NUMBERS,
        "dist": DISTRIBUTIONS,
        "source": st.sampled_from(["oviedo-2026-code", "nobody", ""]),
        "grade": st.sampled_from([*GRADES, "guess"]),
        "evidence": st.sampled_from([*EVIDENCE, "rumour"]),
        "range": st.lists(NUMBERS, max_size=3),
        "currency_year": NUMBERS,
    },
)
WORDS = st.one_of(
    st.sampled_from(["dgx-h100", "gpt-oss-120b", "country-fra", "google", "component", "fraction", "load", "server",
                     "accelerator", "loglinear", "physical", "two-stage", "none", "base", "mixed_improved", "sobol"]),
    st.text(max_size=12),
)  # fmt: skip
VALUES = st.one_of(
    NUMBERS,
    NUMBERS,
    DISTRIBUTIONS,
    QUANTITIES,
    WORDS,
    st.booleans(),
    st.dates(),
    st.lists(st.one_of(WORDS, NUMBERS), max_size=3),
    st.dictionaries(WORDS, NUMBERS, max_size=3),
)
Path_ = tuple[str, ...]


def valid_numbers(field: FieldInfo) -> st.SearchStrategy[Any] | None:
    """Numbers and distributions inside the bounds of a quantity; None for another kind of field."""
    bounds = quantity_bounds(field)
    if bounds is None:
        return None
    low, high = bounds[0] or 0.0, bounds[1]
    numbers = st.floats(low, high) if high is not None else st.floats(-9, 12).map(lambda power: 10.0**power)

    def pair(kind: str, least: str, most: str) -> st.SearchStrategy[Any]:
        def build(start: float, width: float, cut: bool) -> dict[str, Any]:
            spec: dict[str, Any] = {kind: {least: start, most: start * (1 + width)}}
            return {**spec, "truncate": True} if cut else spec

        return st.builds(build, numbers, st.floats(0.01, 3), st.booleans())

    return st.one_of(numbers, pair("uniform", "low", "high"), pair("lognormal", "p5", "p95"))


def valid_edits() -> st.SearchStrategy[tuple[Path_, Any]]:
    """Paths of fields of a scenario, each with a value it allows."""
    found: list[st.SearchStrategy[tuple[Path_, Any]]] = []

    def walk(model: type[BaseModel], path: Path_) -> None:
        for name, field in model.model_fields.items():
            values = valid_numbers(field)
            if get_origin(field.annotation) is Literal:
                values = st.sampled_from(get_args(field.annotation))
            elif field.annotation is bool:
                values = st.booleans()
            elif get_origin(field.annotation) is dict and values is not None:
                values = st.dictionaries(st.sampled_from(MODELS), values, max_size=3)
            if values is not None:
                found.append(st.tuples(st.just((*path, name)), values))
            elif section := section_of(field.annotation):
                walk(section, (*path, "routing", name)[:-1] if name == "gain" else (*path, name))

    walk(EnergyInputs, ())
    catalog = Catalog()
    for path, kind in (("serving.server", "servers"), ("facility.operator", "operators"), ("facility.grid", "grids"),
                       ("facility.site", "sites")):  # fmt: skip
        found.append(st.tuples(st.just(tuple(path.split("."))), st.sampled_from(catalog.ids(kind))))
    found.append(st.tuples(st.just(("serving", "models")), st.lists(st.sampled_from(MODELS), min_size=1, max_size=6)))
    return st.one_of(found)


MODELS = ["deepseek-r1", "llama-3.1-405b", "llama-3.1-70b", "llama-3.3-70b", "qwen3-235b-a22b", "gpt-oss-120b",
          "nemotron-ultra-253b", "mixtral-8x22b", "kimi-k2"]  # fmt: skip
EDITS = st.tuples(st.integers(0, 10**6), st.sampled_from(["set", "set", "set", "rename", "drop", "add"]), WORDS, VALUES)


def sections(data: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every key of a document with the table it stands in."""
    found = []
    for key, value in data.items():
        found.append((data, key))
        if isinstance(value, dict):
            found += sections(value)
    return found


def edit(data: dict[str, Any], where: int, what: str, word: str, value: Any) -> None:
    places = sections(data)
    if not places:
        return
    table, key = places[where % len(places)]
    if what == "set":
        table[key] = value
    elif what == "add":
        table[word] = value
    else:
        old = table.pop(key)
        if what == "rename":
            table[key[: len(key) // 2] + word[:2] + key[len(key) // 2 :]] = old


@examples(170)
@given(name=st.sampled_from(sorted(SHIPPED)), edits=st.lists(EDITS, min_size=1, max_size=3), as_table=st.booleans())
def test_scenarios_with_other_keys_and_values(folder: Path, name: str, edits: list[Any], as_table: bool) -> None:
    data = copy.deepcopy(tomli.loads(SHIPPED[name].decode()))
    for where, what, word, value in edits:
        edit(data, where, what, word, value)
    assert_civil(answer(folder, dumps(data).encode(), "--format", "table" if as_table else "json"))


@examples(170)
@given(name=st.sampled_from(sorted(SHIPPED)), edits=st.lists(valid_edits(), min_size=1, max_size=4))
def test_scenarios_with_valid_values(folder: Path, name: str, edits: list[tuple[tuple[str, ...], Any]]) -> None:
    """Values each field allows, in combinations nobody planned for: most get as far as the physics."""
    data = copy.deepcopy(tomli.loads(SHIPPED[name].decode()))
    for path, value in edits:
        table = data
        for part in path[:-1]:
            table = table.setdefault(part, {})
        table[path[-1]] = value
    assert_civil(answer(folder, dumps(data).encode(), "--format", "json"))


@examples(100)
@given(
    name=st.sampled_from(sorted(SHIPPED)),
    cuts=st.lists(
        st.one_of(
            st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=6)),
            st.tuples(st.floats(0, 1), st.just(1), st.sampled_from([b"", b"0", b"9", b".", b"-", b"_", b"#", b"="])),
        ),
        min_size=1,
        max_size=2,
    ),
)
def test_scenarios_with_other_bytes(folder: Path, name: str, cuts: list[tuple[float, int, bytes]]) -> None:
    content = SHIPPED[name]
    for share, length, instead in cuts:
        at = int(share * len(content))
        content = content[:at] + instead + content[at + length :]
    assert_civil(answer(folder, content, "--format", "json"))


TOML_LIKE = st.lists(
    st.sampled_from(["[", "]", "{", "}", "=", ",", ".", '"', "'", '"""', "'''", "#", "\n", " ", "\\", "a", "power",
                     "[scenario]\n", 'name = "x"\n', 'base = "frontier-chat"\n', "[facility]\n", "pue", "1.2", "1e9",
                     "nan", "true", "2026-01-01", "\\u0000", "\u202e", "\x00", "\r", "é", "\U0001f4a5", "lognormal"]),
    max_size=60,
).map("".join)  # fmt: skip


@examples(120)
@given(text=st.one_of(TOML_LIKE, TOML_LIKE.map(lambda text: '[scenario]\nname = "x"\nbase = "oviedo-2026"\n' + text),
                      st.text(max_size=200)))  # fmt: skip
def test_arbitrary_text(folder: Path, text: str) -> None:
    assert_civil(answer(folder, text.encode("utf-8", "surrogatepass"), "--format", "json"))


KEYS = st.sampled_from(["facility.pue", "serving.server", "serving.models", "power", "workload.input_tokens",
                        "scenario", "scenario.base", "energy.blend.weights", "uncertainty.sampling", '"a b".c',
                        "levers.gain.x.multiplier", "fleet.case", "a.b.c.d", ""])  # fmt: skip
SIGNS = st.sampled_from(["=", " = ", "==", ""])
CHANGES = st.one_of(
    st.tuples(KEYS, SIGNS, st.one_of(st.text(max_size=20), NUMBERS.map(str), TOML_LIKE)).map("".join),
    valid_edits().map(lambda edit: f"{'.'.join(edit[0])}={dumps({'x': edit[1]})[4:].strip()}"),
    st.tuples(KEYS, VALUES).map(lambda pair: f"{pair[0]}={dumps({'x': pair[1]})[4:].strip()}"),
    st.text(max_size=30),
)


@examples(120)
@given(changes=st.lists(CHANGES, min_size=1, max_size=3), name=st.sampled_from(sorted(SHIPPED)))
def test_changes_on_the_command_line(changes: list[str], name: str) -> None:
    options = [part for change in changes for part in ("--set", change)]
    assert_civil(run("energy", name, *options, *SAMPLES, "--format", "json"))


NAMES = st.one_of(
    st.text("abcxyz019-_=.,*?[]{}'\"\\ \té€", max_size=10),
    st.text("abcxyz019-_=.,*?[]{}'\"\\ \té€", max_size=10),
    st.text(st.characters(exclude_characters="/\x00"), max_size=6),
)
WORDS_OF_OPTIONS = {
    "--format": ["table", "json", "csv", "md", "xlsx", "jsn"],
    "--table": ["fleet", "models", "estimates", "rows", "nothing"],
    "--explain": ["all", "energy_per_query_wh", "fleet_energy_gwh_per_day", "nothing"],
    "--seed": ["0", "7", "-1", "1e3", "99999999999999999999"],
    "--samples": ["32", "1", "nan", "1e9", "2097152"],
    "--set": ["facility.pue=1.1", "facility.pue=0", "serving.server=dgx-h200", "energy.boundary=server", "x"],
    "--catalog": [".", "nowhere"],
    "--pue": ["1", "1.5", "nan", "1e999", "0"],
    "--boundary": ["server", "facility", "moon"],
    "--input-tokens": ["0", "1e9", "inf", "-3"],
    "--output-tokens": ["1", "1e9", "0"],
    "--kind": ["servers", "models", "serves"],
    "--template": ["oviedo-2026", "oviedo"],
    "--output": ["-", "out.json", "out.xyz", ""],
}
OPTIONS = st.sampled_from(sorted(WORDS_OF_OPTIONS)).flatmap(
    lambda name: st.tuples(st.just(name), st.one_of(st.sampled_from(WORDS_OF_OPTIONS[name]), NAMES))
)
TOKENS = st.one_of(
    st.sampled_from(["oviedo-2026", "frontier-chat", "h100-sxm", "servers", "energy", "--explain", "--force",
                     "--stamp", "--strict", "--help", "--version", "--verbose", "--", "-", "--bogus", ""]).map(
        lambda word: [word]
    ),
    OPTIONS.map(list),
    OPTIONS.map(list),
    NAMES.map(lambda name: [name]),
)  # fmt: skip


@examples(160)
@given(
    command=st.sampled_from(["energy", "energy", "energy published", "energy measured", "catalog", "catalog list",
                             "catalog show", "catalog schema", "schema scenario", "schema result", "init", ""]),
    rest=st.lists(TOKENS, max_size=3),
)  # fmt: skip
def test_arbitrary_command_lines(folder: Path, command: str, rest: list[list[str]]) -> None:
    words = [*(command.split(" ") if command else []), *(word for words in rest for word in words)]
    if words[:1] == ["energy"] and words[1:2] not in (["published"], ["measured"]):
        words[1:1] = SAMPLES
    work = folder / "work"
    work.mkdir(exist_ok=True)
    with contextlib.chdir(work):
        outcome = run(*words)
    assert outcome.code in ALLOWED, outcome.err
    assert "E900" not in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.raw_characters == []
    if outcome.code:
        assert outcome.err
