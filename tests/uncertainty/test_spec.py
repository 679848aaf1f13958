"""The TOML form: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from aiplan.uncertainty.distributions import (
    KINDS,
    Choice,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Lognormal,
    Normal,
    Percentiles,
    Pert,
    SpecError,
    Triangular,
    Truncated,
    Uniform,
    json_schema,
    parse,
)

READ: list[tuple[str, Distribution]] = [
    ("1.2", Constant(1.2)),
    ("700", Constant(700.0)),
    ("{ uniform = { low = 0.8, high = 1.2 } }", Uniform(0.8, 1.2)),
    ("{ triangular = { low = 25000, mode = 30000, high = 40000 } }", Triangular(25_000, 30_000, 40_000)),
    ("{ pert = { low = 1, mode = 2, high = 4 } }", Pert(1, 2, 4)),
    ("{ normal = { mean = 10, sd = 2 } }", Normal(10, 2)),
    ("{ lognormal = { p5 = 1.05, p95 = 1.6 } }", Lognormal.from_percentiles(1.05, 1.6)),
    ("{ lognormal = { median = 30, gsd = 1.5 } }", Lognormal.from_median(30, 1.5)),
    ("{ exponential = { median = 300 } }", Exponential.from_median(300)),
    ("{ exponential = { mean = 432.8 } }", Exponential.from_mean(432.8)),
    ("{ choice = { values = [4, 8], weights = [0.25, 0.75] } }", Choice((4, 8), (0.25, 0.75))),
    ("{ empirical = { values = [3, 1] } }", Empirical((1, 3))),
    ("{ percentiles = { p5 = 8, p50 = 10, p95 = 13 } }", Percentiles(8, 10, 13)),
    ("{ normal = { mean = 1, sd = 1 }, truncate = { low = 0 } }", Truncated(Normal(1, 1), 0, math.inf)),
    ("{ normal = { mean = 1, sd = 1 }, truncate = { low = 0, high = 2 } }", Truncated(Normal(1, 1), 0, 2)),
]


def read(text: str) -> object:
    return tomli.loads(f"value = {text}")["value"]


@pytest.mark.parametrize(("text", "expected"), READ, ids=[text for text, _ in READ])
def test_read(text: str, expected: Distribution) -> None:
    assert parse(read(text)) == expected


def test_every_documented_example_reads_as_its_kind() -> None:
    for name, kind in KINDS.items():
        assert parse(read(kind.example)).kind == name
        assert kind.help.endswith(".")
        assert all(parameter.help for parameter in kind.parameters())


def test_truncate_true_takes_the_limits_of_the_field() -> None:
    spec = {"lognormal": {"p5": 0.4, "p95": 0.9}, "truncate": True}
    assert parse(spec, bounds=(0.0, 1.0)) == Truncated(Lognormal.from_percentiles(0.4, 0.9), 0, 1)
    with pytest.raises(SpecError, match="no limits of its own"):
        parse(spec)


REFUSED: list[tuple[str, list[tuple[tuple[str | int, ...], str, str]]]] = [
    ("true", [((), "the value must be a number, got true or false", "")]),
    ('"1.5"', [((), "the value must be a number, got text", "")]),
    ("[1, 2]", [((), "the value must be a number, got a list", "")]),
    ("nan", [((), "the value must be a finite number, got not a number (nan)", "")]),
    ("inf", [((), "the value must be a finite number, got an infinite or far too large number", "")]),
    ("1e200", [((), "value must lie between -1e100 and 1e100, got 1e+200", "")]),
    ("{}", [((), "no kind of distribution is given", "for example { lognormal = ")]),
    (
        "{ lognormal = 3 }",
        [(("lognormal",), "lognormal needs a table, got a number", "write { lognormal = {")],
    ),
    (
        "{ lognorml = { p5 = 1, p95 = 2 } }",
        [(("lognorml",), "unknown kind of distribution 'lognorml'", "did you mean lognormal?")],
    ),
    (
        "{ zzz = 1 }",
        [(("zzz",), "unknown kind of distribution 'zzz'", "known kinds: uniform, triangular")],
    ),
    (
        '{ kind = "pert", low = 1, mode = 2, high = 3 }',
        [(("kind",), "the kind is written as a key, not as a value", "write { pert = ")],
    ),
    (
        "{ lognormal = { p5 = 1, p96 = 2 } }",
        [
            (("lognormal", "p96"), "lognormal has no parameter 'p96'", "did you mean p9"),
            (("lognormal",), "lognormal needs p95", "write { lognormal = "),
        ],
    ),
    (
        "{ lognormal = { p5 = 1, p95 = 2, gsd = 1.2 } }",
        [
            (
                ("lognormal", "gsd"),
                "gsd cannot go together with p5 and p95",
                "takes p5 and p95, or median and gsd",
            )
        ],
    ),
    ("{ triangular = { low = 1 } }", [(("triangular",), "triangular needs mode and high", "write {")]),
    (
        "{ normal = { mean = true, sd = [1] } }",
        [
            (("normal", "mean"), "mean must be a number, got true or false", ""),
            (("normal", "sd"), "sd must be a number, got a list", ""),
        ],
    ),
    ("{ normal = { mean = 1, sd = -1 } }", [(("normal",), "sd must be > 0, got -1", "for example {")]),
    (
        "{ uniform = { low = 2, high = 1 } }",
        [(("uniform",), "low must be below high, got low = 2 and high = 1", "for example {")],
    ),
    (
        '{ choice = { values = [1, "x"], weights = 3 } }',
        [
            (("choice", "values", 1), "values[1] must be a number, got text", ""),
            (("choice", "weights"), "weights must be a list of numbers, got a number", ""),
        ],
    ),
    (
        "{ choice = { values = [1, 2], weights = [0.5, 0.4] } }",
        [(("choice",), "weights must sum to 1, got 0.9", "for example {")],
    ),
    ("{ truncate = { low = 1 } }", [((), "no kind of distribution is given", "for example {")]),
    (
        "{ normal = { mean = 1, sd = 1 }, truncate = false }",
        [(("truncate",), "truncate needs true or a table, got true or false", "write truncate = {")],
    ),
    (
        "{ normal = { mean = 1, sd = 1 }, truncate = {} }",
        [(("truncate",), "truncate needs true or a table, got an empty table", "write truncate = {")],
    ),
    (
        '{ normal = { mean = 1, sd = 1 }, truncate = { lo = 1, high = "x" } }',
        [
            (("truncate", "lo"), "truncate has no parameter 'lo'", "did you mean low?"),
            (("truncate", "high"), "high must be a number, got text", ""),
        ],
    ),
    (
        "{ normal = { mean = 1, sd = 1 }, truncate = { low = 9 } }",
        [(("truncate",), "the limits (>= 9) keep only", "")],
    ),
    (
        "{ normal = { mean = 1, sd = 0 }, pert = { low = 1, mode = 5, high = 3 }, extra = 1, truncate = 1 }",
        [
            ((), "give one kind of distribution, got pert and normal", ""),
            (("extra",), "unknown kind of distribution 'extra'", "known kinds"),
            (("pert",), "mode must lie between low and high", "for example"),
            (("normal",), "sd must be > 0", "for example"),
            (("truncate",), "truncate needs true or a table, got a number", "write"),
        ],
    ),
]


@pytest.mark.parametrize(("text", "problems"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refused_with_every_problem_at_once(text: str, problems: list[tuple[tuple[str | int, ...], str, str]]) -> None:
    with pytest.raises(SpecError) as caught:
        parse(read(text))
    found = caught.value.problems
    assert [problem.path for problem in found] == [path for path, _, _ in problems]
    for problem, (_, message, hint) in zip(found, problems, strict=True):
        assert problem.message.startswith(message)
        assert hint in problem.hint
        assert bool(hint) == bool(problem.hint)
    first = found[0]
    assert (caught.value.path, caught.value.message, caught.value.hint) == first
    assert str(caught.value) == "; ".join(problem.message for problem in found)


@pytest.mark.parametrize("spec", [10**400, {"normal": {"mean": -(10**5000), "sd": 1}}])
def test_integers_beyond_floating_point_are_refused(spec: object) -> None:
    with pytest.raises(SpecError, match="finite number, got an infinite or far too large number"):
        parse(spec)


def test_overlong_lists_and_keys_are_not_echoed() -> None:
    with pytest.raises(SpecError, match="has 1000001 entries, at most 1000000"):
        parse({"empirical": {"values": [0] * 1_000_001}})
    with pytest.raises(SpecError) as caught:
        parse({"\x1b[31m" + "x" * 10_000: 1})
    assert len(str(caught.value)) < 120
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_slip_of_the_pen_gets_the_right_suggestion(kind: str) -> None:
    body = read(KINDS[kind].example)
    assert isinstance(body, dict)
    for slip in (kind[:-1], kind + "s", kind[1] + kind[0] + kind[2:], kind.upper()):
        with pytest.raises(SpecError) as caught:
            parse({slip: body[kind]})
        assert caught.value.hint == f"did you mean {kind}?"


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from((0, 1, 2, 0.5, 1e99, 1e308, -1)),
)
keys = st.one_of(
    st.sampled_from(
        (*KINDS, "truncate", "kind", "low", "mode", "high", "mean", "sd", "p5", "p50", "p95", "median", "gsd")
    ),
    st.sampled_from(("values", "weights")),
    st.text(max_size=4),
)
json_like = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


@st.composite
def near_misses(draw: st.DrawFn) -> dict[str, Any]:
    """The right keys with any values, which reach further than wholly arbitrary input."""
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    chosen = draw(st.sampled_from(kind.sets))
    values = st.one_of(leaves, st.floats(allow_nan=False), st.lists(st.floats(), max_size=4), st.just([0.5, 0.5]))
    spec: dict[str, Any] = {kind.name: {name: draw(values) for name in chosen.names}}
    if draw(st.booleans()):
        spec["truncate"] = draw(st.one_of(leaves, st.dictionaries(st.sampled_from(("low", "high")), st.floats())))
    return spec


@given(st.one_of(json_like, near_misses()), st.sampled_from((None, (0.0, 1.0), (1.0, math.inf), (3.0, 2.0))))
def test_arbitrary_input_is_read_or_refused_but_never_crashes(spec: object, bounds: tuple[float, float] | None) -> None:
    refusal: SpecError | None = None
    try:
        distribution = parse(spec, bounds=bounds)
    except SpecError as error:
        refusal = error
    if refusal is not None:
        assert refusal.problems
        assert all(problem.message for problem in refusal.problems)
        return
    # What was read is usable: finite figures, one line of text.
    assert all(math.isfinite(distribution.quantile(p)) for p in (0.0, 0.05, 0.5, 0.95, 1.0))
    assert math.isfinite(distribution.mean)
    assert distribution.text()


def test_json_schema_lists_every_kind_and_parameter() -> None:
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    choices: Any = schema["oneOf"]
    assert choices[0] == {"type": "number"}
    tables = {table["required"][0]: table for table in choices[1:]}
    assert list(tables) == list(KINDS)
    for name, kind in KINDS.items():
        table = tables[name]
        assert table["additionalProperties"] is False
        assert set(table["properties"]) == {name, "truncate"}
        body = table["properties"][name]
        variants = body.get("oneOf", [body])
        assert [variant["required"] for variant in variants] == [list(one.names) for one in kind.sets]
        for variant in variants:
            assert variant["additionalProperties"] is False
            assert sorted(variant["properties"]) == sorted(variant["required"])
            assert all(field["description"] for field in variant["properties"].values())
    assert tables["lognormal"]["properties"]["lognormal"]["oneOf"][1]["properties"]["gsd"] == {
        "type": "number",
        "exclusiveMinimum": 1.0,
        "description": "geometric standard deviation, a factor",
    }
    assert tables["empirical"]["properties"]["empirical"]["properties"]["values"] == {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 1,
        "description": "measurements",
    }
