"""The documentation is under test: its commands run, its numbers are those of a run, its tables are complete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import tomli
from pydantic import BaseModel

from aiplan.cli import COMMANDS
from aiplan.inputs.quantity import parse_quantity
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.throughput import TRANSFER_MEDIAN_FACTOR, TRANSFER_P90_FACTOR
from aiplan.planners.energy.throughput_fit import (
    POOLED_PRIOR,
    Prior,
    fit_loglinear,
    fit_physical,
    leave_one_out,
    mean_absolute_error,
)
from aiplan.planners.serving.power_fit import fit_power, predicted_share
from aiplan.planners.serving.power_fit import leave_one_out as leave_models_out
from aiplan.uncertainty.distributions import KINDS
from tests.conftest import ROOT
from tests.docs.blocks import Block, anchors, blocks, links, rows, slug, steps
from tests.docs.sessions import Player, check, make_targets
from tests.energy.throughput_series import LONG, fitted_ids, points
from tests.serving.mlenergy import CLASSES, MeasuredSet, load_measured

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
ENERGY, SERVING, ERRORS = (ROOT / "docs" / name for name in ("energy.md", "serving-power.md", "errors.md"))
PLAYED = [README, *DOCS]
PAGES = [*PLAYED, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
SESSIONS = [block for block in ALL_BLOCKS if block.kind == "console" and block.page in PLAYED]
CODE = re.compile(r"\b(?:E\d{3}|W\d{3}|W-[A-Z]+(?:-[A-Z]+)*)\b")


# ---- commands ----


@pytest.fixture(scope="module")
def players(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Player]:
    return {
        page: Player(tmp_path_factory.mktemp(page.stem), [block for block in SESSIONS if block.page == page])
        for page in PLAYED
    }


@pytest.mark.parametrize("block", SESSIONS, ids=lambda block: block.id)
def test_a_session_prints_what_the_page_shows(
    block: Block, players: dict[Path, Player], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIPLAN_DEBUG", raising=False)
    missing: set[str] = set()
    for step, outcome in players[block.page].outcomes(block):
        if outcome.missing:
            missing.add(outcome.missing)
        else:
            check(step, outcome)
    if missing:
        pytest.skip(f"not installed here, so its command was not run: {', '.join(sorted(missing))}")


def command_lines() -> Iterator[str]:
    """Every `aiplan` command in a session, up to a pipe."""
    for block in ALL_BLOCKS:
        if block.kind == "console":
            for step in steps(block):
                if step.words[0] == "aiplan":
                    yield step.command.split(" | ")[0].strip()


def command_of(line: str) -> str:
    """The command a line calls, the longest name that fits."""
    words = line.removeprefix("aiplan ")
    return max((name for name in COMMANDS if f"{words} ".startswith(f"{name} ")), key=len, default="")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_two_examples(name: str) -> None:
    examples = {line for line in command_lines() if command_of(line) == name}
    assert len(examples) >= 2, examples


def test_contributing_names_targets_and_modules_that_exist() -> None:
    found = 0
    for block in ALL_BLOCKS:
        if block.kind != "console" or block.page in PLAYED:
            continue
        for step in steps(block):
            if step.words[0] == "make":
                assert set(step.words[1:]) <= make_targets(), step.command
            elif module := re.search(r"python -m ([\w.]+)", step.command):
                file = ROOT / module[1].replace(".", "/")
                assert module[1] in ("pytest", "venv") or file.with_suffix(".py").is_file() or file.is_dir(), module[1]
            elif step.words[0] == "aiplan":
                assert command_of(step.command), step.command
            found += 1
    assert found >= 5


# ---- blocks, links ----


@pytest.mark.parametrize(
    "block", [block for block in ALL_BLOCKS if block.kind in ("toml", "json")], ids=lambda block: block.id
)
def test_a_data_block_parses(block: Block) -> None:
    assert (tomli if block.kind == "toml" else json).loads(block.text)


def test_blocks_are_of_known_kinds() -> None:
    assert {block.kind for block in ALL_BLOCKS} <= {"console", "toml", "json", "text", "csv", "bibtex", "python"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_page_is_reached_from_the_readme(page: Path) -> None:
    assert f"docs/{page.name}" in {target.partition("#")[0] for target in links(README)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_this_machine(page: Path) -> None:
    assert not re.search(r"/(?:home|root|tmp|work)/|file://", page.read_text(encoding="utf-8"))


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


# ---- complete tables ----


def codes_in_use() -> set[str]:
    return {
        code
        for path in (ROOT / "aiplan").rglob("*.py")
        for code in CODE.findall(path.read_text(encoding="utf-8"))
    }  # fmt: skip


def test_the_page_of_errors_holds_every_code_and_no_other() -> None:
    page = ERRORS.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([EW][\w-]+)` \|", page, re.MULTILINE))
    assert documented == codes_in_use()


def test_every_code_says_what_to_do() -> None:
    found = re.findall(r"^\| `([EW][\w-]+)` \| (.+?) \| (.+?) \|$", ERRORS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == len(codes_in_use())
    assert all(len(meaning) > 10 and len(remedy) > 5 for _, meaning, remedy in found)


def scenario_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted paths of every key a scenario may hold; names in tables by name as ``NAME``."""
    for name, item in model.model_fields.items():
        path = f"{prefix}{name}"
        inner = [part for part in _parts(item.annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
        by_name = "dict" in str(item.annotation)
        listed = "tuple[" in str(item.annotation) and inner
        if inner:
            yield from scenario_keys(inner[0], f"{path}.NAME." if by_name else f"{path}[]." if listed else f"{path}.")
        else:
            yield f"{path}.NAME" if by_name else path


def _parts(annotation: Any) -> list[Any]:
    return [annotation, *(part for inner in get_args(annotation) for part in _parts(inner))]


def test_the_table_of_scenario_keys_is_complete() -> None:
    page = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w.\[\]]+)` \|", page, re.MULTILINE)) == set(scenario_keys(EnergyInputs))


def test_the_page_of_uncertainty_shows_every_kind_in_a_form_that_is_read() -> None:
    page = ROOT / "docs" / "uncertainty.md"
    shown: set[str] = set()
    for block in blocks(page):
        if block.kind == "toml":
            for value in tomli.loads(block.text).values():
                if isinstance(value, dict) and any(key in KINDS or key == "value" for key in value):
                    parse_quantity(value, (0.0, float("inf")))
                    shown |= value.keys() & KINDS.keys()
    assert shown == set(KINDS)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    from aiplan import errors

    told = {int(row[0]) for row in rows(ROOT / "docs" / "output.md", "code")}
    raised = {item.exit_code for item in vars(errors).values() if hasattr(item, "exit_code")}
    assert raised | {0, 130, 143} == told


# ---- accuracy, as the pages state it ----


@cache
def left_out(prior: Prior = POOLED_PRIOR) -> dict[str, float]:
    """Mean absolute error of left-out points of every long series."""
    fit = partial(fit_physical, prior=prior)
    return {name: mean_absolute_error(leave_one_out(points(name), fit)) for name in fitted_ids(LONG)}


def number(text: str, pattern: str) -> tuple[float, ...]:
    """Numbers in the groups of the one place where a pattern fits."""
    found = re.findall(pattern, " ".join(text.split()))
    assert len(found) == 1, (pattern, found)
    groups = found[0] if isinstance(found[0], tuple) else (found[0],)
    return tuple(float(group) for group in groups)


@pytest.mark.parametrize("page", [README, ENERGY], ids=lambda page: page.name)
def test_the_stated_error_of_the_throughput_law_is_that_of_the_catalog(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    errors = np.array(list(left_out().values()))
    series, median, met, worst = number(
        text, r"(\d+) published series .*?median ([\d.]+) %.*?(\d+) of them within 7 %.*?worst ([\d.]+) %"
    )
    assert (series, met) == (len(errors), np.sum(errors <= 0.07))
    assert 100 * np.median(errors) == pytest.approx(median, abs=0.05)
    assert 100 * errors.max() == pytest.approx(worst, abs=0.05)
    paper = [mean_absolute_error(leave_one_out(points(name), fit_loglinear)) for name in fitted_ids(LONG)]
    assert 100 * np.median(paper) == pytest.approx(number(text, r"law of the paper[^.]*? (\d+) %")[0], abs=0.5)


@pytest.mark.parametrize("page", [README, ENERGY], ids=lambda page: page.name)
def test_the_caveat_on_the_prior_is_what_other_weights_give(page: Path) -> None:
    low, high = number(page.read_text(encoding="utf-8"), r"between (\d+) and (\d+) %")
    # The two ends of all 81 combinations of weights halved, kept and doubled.
    ends = {(0.5, 0.5, 2.0, 0.5): low, (2.0, 1.0, 0.5, 0.5): high}
    weights = ("prefill_weight", "context_weight", "reservation_weight", "attention_weight")
    for factors, stated in ends.items():
        changed = {name: by * getattr(POOLED_PRIOR, name) for name, by in zip(weights, factors, strict=True)}
        errors = np.array(list(left_out(replace(POOLED_PRIOR, **changed)).values()))
        assert 100 * np.mean(errors <= 0.07) == pytest.approx(stated, abs=0.5)


def test_every_series_that_is_missed_is_listed() -> None:
    listed = {row[0].strip("`"): float(row[2].removesuffix(" %")) for row in rows(ENERGY, "series missed")}
    missed = {name: 100 * error for name, error in left_out().items() if error > 0.07}
    assert listed == pytest.approx(missed, abs=0.05)


def test_everything_not_reproduced_is_listed() -> None:
    from aiplan.planners.energy.validation import NOT_REPRODUCED

    assert [row[0] for row in rows(ENERGY, "published, not reproduced")] == [item.what for item in NOT_REPRODUCED]


def test_the_number_of_checks_is_as_stated() -> None:
    from aiplan.planners.energy.validation import CHECKS, NOT_REPRODUCED

    printed = sum(check.evidence == "published" for check in CHECKS)
    pattern = r"(\d+) of (\d+) expected values[^.]*?(\d+) [^.]*?printed[^.]*?(\d+) [^.]*?(?:derived|computed)"
    stated = number(README.read_text(encoding="utf-8"), pattern)
    assert stated == (len(CHECKS), len(CHECKS), printed, len(CHECKS) - printed)
    assert len(NOT_REPRODUCED) == 10


@pytest.mark.parametrize("page", [README, ENERGY], ids=lambda page: page.name)
def test_the_stated_error_of_a_law_carried_elsewhere_is_the_measured_one(page: Path) -> None:
    # tests/energy derives both constants from all pairs of series.
    stated = number(page.read_text(encoding="utf-8"), r"factor of ([\d.]+) \(median\) and ([\d.]+) \(P90\)")
    assert stated == (TRANSFER_MEDIAN_FACTOR, TRANSFER_P90_FACTOR)


@pytest.fixture(scope="module")
def measured(shared_data: Path) -> MeasuredSet:
    return load_measured(shared_data)


@pytest.fixture(scope="module")
def ratio(measured: MeasuredSet) -> Any:
    """Predicted over measured J per token, all variants of a model's shape left out of the fit."""
    return leave_models_out(measured.sample(), measured.shape_id) / measured.share


@pytest.mark.parametrize("page", [README, SERVING], ids=lambda page: page.name)
def test_the_stated_error_of_the_power_law_is_that_of_the_measured_rows(
    page: Path, measured: MeasuredSet, ratio: Any
) -> None:
    for index, (name, row) in enumerate(zip(CLASSES, rows(page, "accelerator"), strict=True)):
        mine = ratio[measured.group == index]
        assert row[0].lower() == name
        found = [mine.size, 100 * np.median(np.abs(mine - 1)), *np.percentile(mine, [10, 90])]
        low, high = re.findall(r"[\d.]+", row[3])
        stated = [float(row[1]), float(row[2].removesuffix(" %")), float(low), float(high)]
        assert stated == pytest.approx(found, abs=0.06)
        assert stated[2:] == pytest.approx(found[2:], abs=0.006)


@pytest.mark.parametrize("page", [README, SERVING], ids=lambda page: page.name)
def test_the_stated_error_on_an_accelerator_never_seen_is_the_measured_one(page: Path, measured: MeasuredSet) -> None:
    sample = replace(measured.sample(), group=np.zeros_like(measured.group))
    errors = np.empty(measured.share.shape)
    for index in range(len(CLASSES)):
        held = measured.group == index
        found = predicted_share(fit_power(sample.pick(~held)), sample.pick(held))
        errors[held] = np.abs(found / measured.share[held] - 1)
    stated = number(page.read_text(encoding="utf-8"), r"fitted on one accelerator[^.]*?([\d.]+) %")
    assert stated[0] == pytest.approx(100 * np.median(errors), abs=0.05)


def test_the_table_of_models_is_that_of_the_measured_rows(measured: MeasuredSet, ratio: Any) -> None:
    table = rows(SERVING, "model left out")
    assert {row[0].strip("`") for row in table} == set(measured.shape_id)
    for row in table:
        for index in range(len(CLASSES)):
            mine = ratio[(measured.shape_id == row[0].strip("`")) & (measured.group == index)]
            cell = row[1 + index]
            if not mine.size:
                assert cell == "-"
                continue
            count, median, low, high = (float(text) for text in re.findall(r"[\d.]+", cell))
            assert count == mine.size
            assert (median, low, high) == pytest.approx((np.median(mine), mine.min(), mine.max()), abs=0.006)


# ---- the reader itself ----


def test_slugs_follow_the_code_hosts() -> None:
    assert slug("Errors, warnings and `--set`") == "errors-warnings-and---set"
