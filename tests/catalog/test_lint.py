"""Every rule of lint: a small overlay trips it, and the shipped catalog trips none."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest

from aiplan.catalog import lint_view, loader
from aiplan.catalog.lint import RULES, lint_catalog
from aiplan.catalog.lint_entries import COUNTS, is_count
from aiplan.catalog.loader import Catalog
from aiplan.catalog.schema import KINDS
from aiplan.errors import Problem
from aiplan.inputs.quantity import Quantity
from aiplan.resources import shipped
from aiplan.units import unit_of
from tests.catalog.overlays import ACCELERATOR, MODEL, OPERATOR, SERVER, SOURCE, THROUGHPUT, write, write_used

PRICE = '{{ value = 9, currency_year = {year}, {more} grade = "estimate", range = [1, 20] }}'
RATES = "bf16_dense_tflops = 100\nfp8_dense_tflops = {fp8}\n"
EXCUSE = 'exceptions = [{ field = "fp8_dense_tflops", reason = "no FP8 units" }]\n'
SEEN = SOURCE.replace("[mine]", "[heard]") + 'evidence = "second-hand"\n'
WHOLE = """\
[my-model]
name = "My model"
family = "mine"
vendor = "Me"
source = "mine"
grade = "datasheet"
layers = 1
hidden_size = 8
attention_heads = 1
kv_heads = 1
head_dim = 8
attention = "mha"
vocab_size = 10
tied_embeddings = true
params_embedding = 80
params_other = 20
total_params = 100
active_params = 100
matmul_params = 100
"""


def price(year: int, more: str = "") -> str:
    return "price_usd = " + PRICE.format(year=year, more=more) + "\n"


def accelerator(more: str, **files: str) -> dict[str, str]:
    return {"accelerators.toml": ACCELERATOR + more, **files}


TRIPS: list[tuple[str, dict[str, str], str, int]] = [
    # code, files, file and line of the problem
    ("E140", {"accelerators.toml": ACCELERATOR.replace('"mine"', '"azure-llm-2032"')}, "accelerators.toml", 4),
    ("E140", accelerator('conflicts = [{ field = "tdp_w", value = 1, source = "nowhere" }]\n'), "accelerators.toml", 8),
    ("E140", accelerator('tdp_w = { value = 1, source = "nowhere" }\n'), "accelerators.toml", 8),
    ("E141", {"sources/idle.toml": SOURCE.replace("[mine]", "[idle]")}, "sources/idle.toml", 1),
    ("E142", accelerator("tdp_m = 700\n"), "accelerators.toml", 8),
    ("E142", accelerator("power_pct = 70\n"), "accelerators.toml", 8),
    ("E142", accelerator("rate_usd_per_fortnight = 70\n"), "accelerators.toml", 8),
    ("E143", accelerator("price_usd = 30_000\n"), "accelerators.toml", 8),
    ("E143", accelerator("[my-gpu.price_usd]\nvalue = 30_000\n"), "accelerators.toml", 8),
    ("E144", accelerator(RATES.format(fp8=400)), "accelerators.toml", 9),
    ("E144", accelerator(RATES.format(fp8=206.1)), "accelerators.toml", 9),
    ("E145", accelerator(RATES.format(fp8=200) + EXCUSE), "accelerators.toml", 10),
    ("E145", accelerator(EXCUSE), "accelerators.toml", 8),
    ("E145", {"servers.toml": SERVER + EXCUSE.replace("fp8_dense_tflops", "price_usd")}, "servers.toml", 11),
    ("E146", {"accelerators.toml": ACCELERATOR.replace("2025-01-31", "2026-12-01")}, "accelerators.toml", 6),
    ("E146", {"sources/mine.toml": SOURCE.replace("2026-11-01", "2027-01-01")}, "sources/mine.toml", 5),
    (
        "E146",
        {"sources/mine.toml": SOURCE.replace("published = 2026", 'published = "2026-12"')},
        "sources/mine.toml",
        4,
    ),
    ("E146", accelerator(price(2027)), "accelerators.toml", 8),
    ("E146", {"operators.toml": OPERATOR + "year = 2027\n"}, "operators.toml", 7),
    ("E147", {"servers.toml": SERVER.replace("h100-sxm", "h100")}, "servers.toml", 6),
    ("E147", {"throughput/a.toml": THROUGHPUT.replace("llama-3.1-8b", "llama-9")}, "throughput/a.toml", 5),
    ("E147", {"operators.toml": OPERATOR + 'site = "atlantis"\n'}, "operators.toml", 7),
    ("E148", accelerator('aliases = ["NVIDIA_H100 80GB-HBM3"]\n'), "accelerators.toml", 8),
    ("E148", accelerator('aliases = ["L4"]\n'), "accelerators.toml", 8),
    ("E149", {"operators.toml": OPERATOR + 'evidence = "unverified"\n'}, "operators.toml", 1),
    ("E149", accelerator('tdp_w = { value = 700, evidence = "unverified" }\n'), "accelerators.toml", 8),
    (
        "E149",
        accelerator('tdp_w = { value = 700, evidence = "assumed", grade = "estimate" }\n'),
        "accelerators.toml",
        8,
    ),
    (
        "E149",
        accelerator(price(2026, 'evidence = "second-hand",').replace('"estimate"', '"paper"')),
        "accelerators.toml",
        8,
    ),
    (
        "E150",
        accelerator('tdp_w = { value = 7, source = "heard" }\n', **{"sources/b.toml": SEEN}),
        "accelerators.toml",
        8,
    ),
    (
        "E150",
        accelerator('tdp_w = { value = 7, source = "aiplan-choice", evidence = "second-hand" }\n'),
        "accelerators.toml",
        8,
    ),
    ("E151", {"models/a.toml": WHOLE.replace("params_other = 20", "params_other = 21")}, "models/a.toml", 17),
    ("E151", {"models/a.toml": WHOLE.replace("active_params = 100", "active_params = 101")}, "models/a.toml", 18),
    ("E152", {"servers/a.toml": SERVER, "servers/b.toml": SERVER}, "servers/b.toml", 1),
    ("E153", {"grids.toml": 'version = "2"\n'}, "grids.toml", 1),
    ("E153", {"operators.toml": OPERATOR.replace("my-operator", "My_Operator")}, "operators.toml", 1),
    ("E154", accelerator('unverified_fields = ["releases"]\n'), "accelerators.toml", 8),
    ("E154", accelerator('conflicts = [{ field = "tpd_w", value = 1, source = "mine" }]\n'), "accelerators.toml", 8),
    ("E155", accelerator("tdp_w = { value = 700, range = [750, 800] }\n"), "accelerators.toml", 8),
    ("W141", accelerator(price(2024)), "accelerators.toml", 8),
    (
        "W141",
        accelerator(price(2025), **{"sources/mine.toml": SOURCE.replace("published = 2026", "published = 2025-04-30")}),
        "accelerators.toml",
        8,
    ),
]
ALSO = {"E142": {"E100"}}
"""Codes of the schema that an example cannot help tripping too."""


def lint(folder: Path | None) -> tuple[list[Problem], list[Problem]]:
    return lint_catalog(Catalog(folder, check=False))


def label(number: int, file: str) -> str:
    """File name of one example among all of them, laid over the shipped catalog together."""
    kind, _, rest = file.removesuffix(".toml").partition("/")
    return f"{kind}/x{number}{rest}.toml"


def write_all(folder: Path, examples: list[dict[str, str]]) -> Path:
    """A folder of all examples, each with ids and file names of its own."""
    for number, files in enumerate(examples):
        whole = {
            "sources/mine.toml": SOURCE,
            "operators/used.toml": OPERATOR.replace("my-operator", "my-user"),
            **files,
        }
        for file, content in whole.items():
            own = content.replace("my-", f"x{number}-").replace("[mine]", f"[x{number}-mine]")
            write(folder, {label(number, file): own.replace('source = "mine"', f'source = "x{number}-mine"')})
    return folder


@pytest.fixture(scope="module")
def tripped(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Problem], list[Problem]]:
    return lint(write_all(tmp_path_factory.mktemp("all") / "over", [files for _, files, _, _ in TRIPS]))


@pytest.fixture(scope="module")
def clean() -> tuple[list[Problem], list[Problem]]:
    return lint(None)


def test_the_shipped_catalog_breaks_no_rule(clean: tuple[list[Problem], list[Problem]]) -> None:
    errors, warnings = clean
    assert [problem.render() for problem in errors] == []
    assert {problem.code for problem in warnings} == {"W141"}


@pytest.mark.parametrize("number", range(len(TRIPS)), ids=[f"{number}-{trip[0]}" for number, trip in enumerate(TRIPS)])
def test_each_rule_is_tripped_where_it_is_broken(tripped: tuple[list[Problem], list[Problem]], number: int) -> None:
    code, _, file, line = TRIPS[number]
    errors, warnings = tripped
    found = [one for one in [*errors, *warnings] if re.search(rf"/x{number}(?!\d)", one.file)]
    assert {problem.code for problem in found} == {code, *ALSO.get(code, set())}
    (problem,) = [one for one in found if one.code == code]
    assert (problem.file, problem.line) == (f"over/{label(number, file)}", line)
    assert problem.column > 0
    assert problem.hint
    assert problem in (errors if code[0] == "E" else warnings)


def test_a_version_is_a_year_and_a_month(tmp_path: Path) -> None:
    errors, _ = lint(write(tmp_path / "over", {"catalog.toml": '[catalog]\nversion = "2026.13"\n'}))
    assert [(problem.code, problem.file, problem.line) for problem in errors] == [("E153", "over/catalog.toml", 2)]


def test_every_rule_has_an_example_and_says_what_it_asks_for() -> None:
    assert {code for code, *_ in TRIPS} | {"W140"} == set(RULES)
    texts = [(rule.__doc__ or "").split("\n")[0] for rule in RULES.values()]
    assert all(text.endswith(".") for text in texts)
    assert len(set(texts)) == len(RULES)


GOOD: list[dict[str, str]] = [
    {"accelerators.toml": ACCELERATOR, "servers.toml": SERVER.replace("h100-sxm", "my-gpu")},
    {"throughput/a.toml": THROUGHPUT},
    {"models/a.toml": MODEL},
    {"models/a.toml": WHOLE},
    accelerator(RATES.format(fp8=206)),  # the edge of 3 %
    accelerator(RATES.format(fp8=400) + EXCUSE),
    accelerator(price(2026)),
    accelerator(price(2025)),  # may be of December 2025: 11 months
    accelerator("tdp_kw = 0.7\n"),
    accelerator('aliases = ["my gpu", "MY-GPU"]\n'),
    # A roadmap may lie ahead.
    {"accelerators.toml": ACCELERATOR.replace("2025-01-31", "2027-06-30") + 'status = "roadmap"\n'},
    accelerator('tdp_w = { value = 7, source = "aiplan-choice", evidence = "assumed", grade = "assumption" }\n'),
    accelerator('tdp_w = { value = 7, evidence = "second-hand" }\n'),
    accelerator('unverified_fields = ["released"]\n'),
    # An overlay may replace what a shipped source is used for.
    {"operators.toml": OPERATOR + OPERATOR.replace("my-operator", "aws")},
]


def test_good_overlays_pass(tmp_path: Path, clean: tuple[list[Problem], list[Problem]]) -> None:
    errors, warnings = lint(write_all(tmp_path, GOOD))
    assert [problem.render() for problem in errors] == []
    assert [problem.render() for problem in warnings if problem not in clean[1]] == []


def test_an_overlay_reviewed_later_may_be_dated_later(tmp_path: Path) -> None:
    sources = {"sources/mine.toml": SOURCE.replace("2026-11-01", "2027-01-31")}
    write_used(tmp_path, {"catalog.toml": '[catalog]\nversion = "2027.01"\n', **sources})
    assert lint(tmp_path)[0] == []


def test_an_entry_that_does_not_fit_does_not_stop_the_rules(tmp_path: Path) -> None:
    text = ACCELERATOR + 'hbm_gib = "x"\nprice_usd = 1\nconflicts = [3, { field = 4 }]\nexceptions = 5\naliases = 6\n'
    errors, _ = lint(write_used(tmp_path, {"accelerators.toml": text, "grids.toml": "[g]\nyear = 3\n"}))
    assert {"E143", "E101"} <= {problem.code for problem in errors}


def test_a_stale_index_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hardware_catalog"
    shutil.copytree(shipped("hardware_catalog"), folder)
    monkeypatch.setattr(loader, "shipped", lambda name: tmp_path / name)
    with (folder / "servers.toml").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    errors, warnings = lint(None)
    assert errors == []
    (stale,) = [problem for problem in warnings if problem.code == "W140"]
    assert (stale.file, stale.hint) == ("hardware_catalog/index.json", "run `aiplan catalog index`")


def test_a_scenarios_sources_exist_and_count_as_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: tuple[list[Problem], list[Problem]]
) -> None:
    text = '[facility]\npue = { value = 1.2, source = "nowhere" }\nwue_l_per_kwh = { value = 1, source = "idle" }\n'
    write(tmp_path / "scenarios", {"one.toml": text})
    overlay = write_used(tmp_path / "over", {"sources/idle.toml": SOURCE.replace("[mine]", "[idle]")})
    unused = {problem.path for problem in lint(overlay)[0]}
    assert unused == {"idle"}
    monkeypatch.setattr(lint_view, "shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(lint_view, "scenario_names", lambda: ["one"])
    errors, _ = lint(overlay)
    (problem,) = [problem for problem in errors if problem.code == "E140"]
    assert (problem.file, problem.line, problem.path) == ("scenarios/one.toml", 2, "facility.pue.source")
    assert "idle" not in {problem.path for problem in errors}


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_a_schema_has_a_unit_or_counts(kind: str) -> None:
    for name, field in KINDS[kind].model_fields.items():
        if {int, float, Quantity} & set(parts(field.annotation)):
            # A table of named numbers carries its units in their names.
            keyed = name in ("points", "constants", "engines", "bands")
            assert unit_of(name) is not None or is_count(kind, name) or keyed, name


def parts(annotation: object) -> Iterator[object]:
    """An annotation and everything it is made of, but for the values of a Literal."""
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from parts(part)


def test_listed_counts_are_fields() -> None:
    fields = {name for model in KINDS.values() for name in model.model_fields}
    assert fields >= COUNTS
    assert all(unit_of(name) is None for name in COUNTS)
