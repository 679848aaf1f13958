"""The documentation is under test: its commands run and print what is shown, its tables are complete."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import tomli
from pydantic import BaseModel

from aiplan.cli import COMMANDS, main
from aiplan.inputs.quantity import parse_quantity
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.uncertainty.distributions import KINDS
from tests.conftest import ROOT
from tests.docs.blocks import Block, Step, anchors, blocks, first_missing, links, rows, slug, steps
from tests.docs.sessions import Player, check, make_targets, play

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


@pytest.mark.parametrize(
    "line", re.findall(r"`aiplan ([^`]+)`", "".join(" ".join(row) for row in rows(README, "question")))
)
def test_a_command_of_the_readmes_table_runs(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs.csv").write_text("model,hardware,output_tok_s\nLlama 3.1 8B,H100,9806\n", encoding="utf-8")
    rows = "".join(f"{0.02 * step:.2f},{100 + 0.1 * (step % 7)}\n" for step in range(6000))
    Path("wave.csv").write_text(f"t_s,power_mw\n{rows}", encoding="utf-8")
    if "telemetry.csv" in line:
        assert main(["thermal", "telemetry", "-o", "telemetry.csv"]) == 0
    assert main(shlex.split(line)) == 0
    assert capsys.readouterr().out


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


def test_contributing_lists_every_folder_of_tests() -> None:
    folders = {f"`tests/{path.parent.name}`" for path in (ROOT / "tests").glob("*/__init__.py")}
    listed = {name for row in rows(ROOT / "CONTRIBUTING.md", "folder") for name in row[0].split(", ")}
    assert listed == folders


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


# ---- the reader itself ----


def test_slugs_follow_the_code_hosts() -> None:
    assert slug("Errors, warnings and `--set`") == "errors-warnings-and---set"


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (["a", "...", "c"], None),
        (["...", "b", "c"], None),
        (["b"], None),
        ([], None),
        (["a", "c"], "c"),  # nothing between two shown lines may be left out in silence
        (["c", "...", "a"], "a"),
        (["a", "...", "x"], "x"),
        (["...", "c", "d"], "d"),
    ],
)
def test_shown_lines_must_be_printed_in_their_order(shown: list[str], missing: str | None) -> None:
    assert first_missing(shown, "a \nb\nc\n") == missing


def test_a_session_is_taken_apart() -> None:
    text = "$ cat > x <<'EOF'\n$ not a command\nEOF\n$ aiplan x \\\n    --y\nout\n...\n$ echo $?\n2\n"
    found = steps(Block(README, 1, "console", text))
    assert [step.command for step in found] == ["cat > x <<'EOF'\n$ not a command\nEOF", "aiplan x --y"]
    assert [(step.shown, step.code) for step in found] == [([], 0), (["out", "..."], 2)]


def test_a_step_that_does_something_else_is_caught(tmp_path: Path) -> None:
    unknown, changed = Step("aiplan enrgy"), Step("aiplan --version", ["aiplan 99"])
    with pytest.raises(AssertionError, match="exit code 2"):
        check(unknown, play(unknown, tmp_path))
    with pytest.raises(AssertionError, match="not printed"):
        check(changed, play(changed, tmp_path))
    with pytest.raises(AssertionError, match="no target"):
        play(Step("make coffee"), tmp_path)
