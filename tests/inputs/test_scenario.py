"""From files and ``--set`` to checked inputs: bases, confinement, units, provenance, all problems at once."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import tomli

from aiplan.errors import InputError, Problem
from aiplan.inputs.fields import Positive, Section, Text
from aiplan.inputs.quantity import Quantity
from aiplan.inputs.scenario import MAX_BASES, Header, Scenario, Uncertainty, find_scenario, load_scenario
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.resources import scenario_names, shipped
from aiplan.study.command import PLANNERS


class Plant(Section):
    power_w: Positive
    pue: Positive | None = None
    by_model_w: dict[Text, Positive] = {}  # noqa: RUF012 - pydantic copies it
    names: dict[Text, Text] = {}  # noqa: RUF012


class Model(Section):
    scenario: Header
    uncertainty: Uncertainty = Uncertainty()
    plant: Plant


class Folder:
    """Scenario files of one test."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        monkeypatch.chdir(path)

    def write(self, name: str, text: str, head: str = "") -> str:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'[scenario]\nname = "x"\n{head}\n{text}', encoding="utf-8")
        return name

    def load(self, name: str = "a.toml", *overrides: str, planner: str | None = None) -> Scenario[Model]:
        return load_scenario(name, Model, overrides, planner)

    def refusal(self, name: str = "a.toml", *overrides: str, planner: str | None = None) -> list[Problem]:
        with pytest.raises(InputError) as caught:
            self.load(name, *overrides, planner=planner)
        return caught.value.problems


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


def provenance(quantity: Quantity | None) -> tuple[str | None, str | None, str | None]:
    assert quantity is not None
    return quantity.source, quantity.grade, quantity.evidence


# Finding.


def test_every_shipped_scenario_loads() -> None:
    for name in scenario_names():
        file = shipped("scenarios") / f"{name}.toml"
        planner = tomli.loads(file.read_text(encoding="utf-8"))["scenario"]["planner"]
        module, inputs = PLANNERS[planner]
        found = load_scenario(name, getattr(import_module(module), inputs), planner=planner)
        assert found.header.name == name
        assert find_scenario(name) == shipped("scenarios") / f"{name}.toml"


def test_a_mistyped_name_gets_a_suggestion() -> None:
    with pytest.raises(InputError) as caught:
        find_scenario("frontier-caht")
    assert (caught.value.code, caught.value.hint) == ("E111", "did you mean 'frontier-chat'?")
    with pytest.raises(InputError) as caught:
        find_scenario("zzz")
    assert caught.value.hint == f"shipped scenarios: {', '.join(scenario_names())}"


@pytest.mark.parametrize("text", ["", "x" * 5000, "a/" * 3000, "~", "\x00", "con\nfig"])
def test_odd_names_are_only_unknown(text: str) -> None:
    with pytest.raises(InputError) as caught:
        find_scenario(text)
    assert caught.value.code == "E111"
    # The help below it lists every scenario there is.
    assert len(caught.value.render().splitlines()[0]) < 120


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_scenario(folder: Folder) -> None:
    (folder.path / "frontier-chat").mkdir()
    assert find_scenario("frontier-chat").suffix == ".toml"
    (folder.path / "other").mkdir()
    with pytest.raises(InputError) as caught:
        folder.load("other")
    assert caught.value.code == "E008"


# Layers.


def test_a_base_holds_where_the_file_is_silent(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npue = 1.1", 'base = "sub/b.toml"')
    b = "[plant]\npower_w = 5\npue = 1.5\n[uncertainty]\nseed = 7"
    folder.write("sub/b.toml", b, 'base = "c.toml"\ntitle = "B"')
    folder.write("sub/c.toml", "[plant]\npower_kw = 9\nnames = { a = 'b' }\n[uncertainty]\nseed = 8\nsamples = 99")
    found = folder.load()
    plant = found.inputs.plant
    assert plant.power_w.value == 5  # nearer than the base's base, though in another unit
    assert plant.pue is not None
    assert plant.pue.value == 1.1
    assert plant.names == {"a": "b"}
    assert (found.inputs.uncertainty.seed, found.inputs.uncertainty.samples) == (7, 99)
    assert [path.name for path in found.files] == ["a.toml", "b.toml", "c.toml"]
    # A header speaks for its own file.
    assert (found.header.name, found.header.title) == ("x", "")


def test_a_shipped_scenario_is_a_base_anywhere(folder: Folder) -> None:
    folder.write("a.toml", "[facility]\npue = 1.3", 'base = "oviedo-2025"')
    found = load_scenario("a.toml", EnergyInputs)
    assert [path.name for path in found.files] == ["a.toml", "oviedo-2025.toml", "oviedo-2026.toml"]


def chain(folder: Folder, length: int) -> None:
    for number in range(length):
        folder.write(f"{number}.toml", "[plant]\npower_w = 1", f'base = "{number + 1}.toml"')
    folder.write(f"{length}.toml", "[plant]\npower_w = 1")


def test_depth_of_bases(folder: Folder) -> None:
    chain(folder, MAX_BASES)
    assert len(folder.load("0.toml").files) == MAX_BASES + 1
    chain(folder, MAX_BASES + 1)
    (problem,) = folder.refusal("0.toml")
    assert (problem.code, problem.file, problem.line) == ("E113", f"{MAX_BASES}.toml", 3)


@pytest.mark.parametrize("names", [["a.toml"], ["b.toml", "a.toml"], ["b.toml", "c.toml", "b.toml"], ["./a.toml"]])
def test_circles(folder: Folder, names: list[str]) -> None:
    for name, base in zip(["a.toml", *names], names, strict=False):
        folder.write(name, "[plant]\npower_w = 1", f'base = "{base}"')
    (problem,) = folder.refusal()
    assert problem.code == "E113"
    assert "circle" in problem.hint


def test_a_circle_through_a_link(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npower_w = 1", 'base = "link.toml"')
    (folder.path / "link.toml").symlink_to(folder.path / "a.toml")
    assert folder.refusal()[0].code == "E113"


@pytest.mark.parametrize(
    "base",
    ["../outside.toml", "sub/../../outside.toml", "sub/../b.toml", "link.toml", "linked/outside.toml", "missing.toml",
     ".", "sub", "", "/etc/hostname", "b" * 3000, "loop", "~/b.toml"],
)  # fmt: skip
def test_a_base_stays_in_the_folder(folder: Folder, base: str) -> None:
    """Relative, resolved, inside: engineering reference, section 6.2 (1)."""
    inside = folder.path / "plans"
    inner = Folder.__new__(Folder)
    inner.path = inside
    folder.write("outside.toml", "[plant]\npower_w = 1")
    inner.write("sub/b.toml", "[plant]\npower_w = 1")
    inner.write("b.toml", "[plant]\npower_w = 1")
    (inside / "link.toml").symlink_to(folder.path / "outside.toml")
    (inside / "linked").symlink_to(folder.path)
    (inside / "loop").symlink_to(inside / "loop")
    inner.write("a.toml", "", f'base = "{base}"')
    (problem,) = folder.refusal("plans/a.toml")
    assert (problem.code, problem.file, problem.line) == ("E113", "plans/a.toml", 3)


def test_a_base_may_be_below_or_a_link_inside(folder: Folder) -> None:
    folder.write("sub/b.toml", "[plant]\npower_w = 3")
    (folder.path / "link.toml").symlink_to(folder.path / "sub" / "b.toml")
    for base in ("sub/b.toml", "link.toml", "./sub/b.toml"):
        folder.write("a.toml", "", f'base = "{base}"')
        assert folder.load().inputs.plant.power_w.value == 3


def test_a_base_is_guarded_like_any_file(folder: Folder) -> None:
    folder.write("a.toml", "", 'base = "b.toml"')
    (folder.path / "b.toml").write_bytes(b"a = nan")
    (problem,) = folder.refusal()
    assert (problem.code, problem.file) == ("E006", "b.toml")


def test_headers_of_bases_are_checked(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npower_w = 1", 'base = "b.toml"')
    folder.write("b.toml", "[plant]\npower_w = 1", "source = 5\ngrade = 'best'\nbogus = 1")
    assert [(p.code, p.file, p.line) for p in folder.refusal()] == [
        ("E101", "b.toml", 3), ("E102", "b.toml", 4), ("E100", "b.toml", 5),
    ]  # fmt: skip


# Provenance.


def test_a_bare_number_is_an_assumption_of_its_file_and_line(folder: Folder) -> None:
    folder.write("plans/a.toml", "[plant]\npue = 1.1\nby_model_w = { m = 3 }", 'base = "b.toml"')
    folder.write("plans/b.toml", "\n[plant]\npower_kw = 5\npue = 1.5")
    plant = folder.load("plans/a.toml").inputs.plant
    assert provenance(plant.pue) == ("plans/a.toml:5", "assumption", "assumed")
    assert provenance(plant.power_w) == ("plans/b.toml:6", "assumption", "assumed")
    assert provenance(plant.by_model_w["m"]) == ("plans/a.toml:6", "assumption", "assumed")


def test_a_scenario_may_speak_for_its_numbers(folder: Folder) -> None:
    text = "[plant]\npower_w = 1\npue = { value = 1.1, source = 'own' }"
    folder.write("a.toml", text, "source = 's'\ngrade = 'paper'")
    plant = folder.load().inputs.plant
    assert provenance(plant.power_w) == ("s", "paper", "published")
    assert provenance(plant.pue) == ("own", "paper", "published")


def test_a_base_speaks_for_its_own_numbers_only(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npue = 1.1", 'base = "b.toml"')
    folder.write("b.toml", "[plant]\npower_w = 5\npue = 1.5", "source = 's'\ngrade = 'measured'\nevidence = 'derived'")
    plant = folder.load().inputs.plant
    assert provenance(plant.power_w) == ("s", "measured", "derived")
    assert provenance(plant.pue) == ("a.toml:5", "assumption", "assumed")


def test_what_is_set_on_the_command_line_is_an_assumption_from_there(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npower_w = 1\npue = 1.1", "source = 's'\ngrade = 'measured'")
    changes = ("plant.power_kw=2", "plant.by_model_w.m=3", "plant.pue={uniform={low=1,high=2}}")
    plant = folder.load("a.toml", *changes).inputs.plant
    assert plant.power_w.value == 2000
    assert provenance(plant.power_w) == ("--set plant.power_kw", "assumption", "assumed")
    assert provenance(plant.by_model_w["m"]) == ("--set plant.by_model_w.m", "assumption", "assumed")
    assert provenance(plant.pue) == ("--set plant.pue", "assumption", "assumed")
    own = folder.load("a.toml", "plant.pue={value=1.3,source='t',grade='paper'}").inputs.plant
    assert provenance(own.pue) == ("t", "paper", "published")


def test_names_of_shipped_files_are_the_same_everywhere() -> None:
    """No path of this machine in a source: the same inputs give the same bytes wherever aiplan is installed."""
    found = load_scenario("frontier-chat", EnergyInputs)
    sources = {item.source for item in found.inputs.energy.blend.weights.values()}
    assert all(source and source.startswith("scenarios/frontier-chat.toml:") for source in sources)


# Overrides.


def test_the_last_override_wins(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npower_w = 1")
    assert folder.load("a.toml", "plant.power_w=2", "plant.power_w=3").inputs.plant.power_w.value == 3
    assert folder.load("a.toml", "plant.power_w=2", "plant.power_kw=3").inputs.plant.power_w.value == 3000
    assert folder.load("a.toml", "scenario.name=y").header.name == "y"


def test_a_base_comes_too_late_on_the_command_line(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npower_w = 1")
    (problem,) = folder.refusal("a.toml", "scenario.base=oviedo-2026")
    assert (problem.code, problem.file) == ("E113", "--set scenario.base=oviedo-2026")


# Problems.


def test_all_problems_at_once_each_where_its_value_stands(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npue = 'x'\nbogus = 1\n[other]\n", 'base = "b.toml"\nas_of = 5')
    folder.write("b.toml", "[plant]\npower_kw = -5\nby_model_w = { m = 0, n = true }\n[uncertainty]\nseed = 1.5")
    problems = folder.refusal("a.toml", "plant.names.a=3", "uncertainty.sampling=sobel", "plant.pwer_w=1")
    assert {(p.code, p.file, p.line) for p in problems} == {
        ("E101", "a.toml", 4), ("E102", "a.toml", 6), ("E100", "a.toml", 7), ("E100", "a.toml", 8),
        ("E102", "b.toml", 5), ("E102", "b.toml", 6), ("E101", "b.toml", 8),
        ("E101", "--set plant.names.a=3", 1), ("E102", "--set uncertainty.sampling=sobel", 1),
        ("E100", "--set plant.pwer_w=1", 1),
    }  # fmt: skip
    assert len(problems) == 11
    for problem in problems:
        assert problem.column >= 1
        assert problem.source_line


def test_what_is_missing_is_missed_in_the_file_not_on_the_command_line(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npue = 1")
    (problem,) = folder.refusal("a.toml", "plant.names.a=x")
    assert (problem.code, problem.path, problem.file, problem.line) == ("E103", "plant.power_w", "a.toml", 4)


def test_another_planner_is_told_before_anything_else(folder: Folder) -> None:
    folder.write("a.toml", "[nonsense]\nx = 1", 'planner = "split"')
    (problem,) = folder.refusal(planner="energy")
    assert (problem.code, problem.line) == ("E112", 3)
    assert problem.hint == "run `aiplan split a.toml`"
    folder.write("a.toml", "[plant]\npower_w = 1", 'planner = "energy"\nas_of = 2026-11-22')
    assert folder.load(planner="energy").header.as_of == date(2026, 11, 22)


def test_a_planners_problem_is_placed_by_its_path(folder: Folder) -> None:
    folder.write("a.toml", '[plant]\nnames = { "llama-3.1" = "x" }', 'base = "b.toml"')
    folder.write("b.toml", "[plant]\npower_w = 5")
    found = folder.load("a.toml", "plant.pue=1.2")

    def place(path: str) -> tuple[str, int, str]:
        placed = found.placed(Problem("E121", "unknown", path))
        assert (placed.code, placed.message) == ("E121", "unknown")
        return placed.file, placed.line, placed.source_line

    assert place("plant.names.llama-3.1")[:2] == ("a.toml", 5)
    assert place("plant.power_w") == ("b.toml", 5, "power_w = 5")
    assert place("plant.pue")[0] == "--set plant.pue=1.2"
    assert place("nowhere.at.all")[1] <= 1
    elsewhere = Problem("E121", "unknown", file="x.csv", line=3)
    assert found.placed(elsewhere) is elsewhere


def test_the_hash_is_of_what_was_resolved(folder: Folder) -> None:
    folder.write("a.toml", "[plant]\npower_w = 1")
    first = folder.load()
    folder.write("b.toml", "# the same, with a comment\n[plant]\npower_w   =  1")
    assert folder.load("b.toml").sha256 == first.sha256
    assert folder.load("a.toml", "plant.power_w=2").sha256 != first.sha256


def test_notes_of_every_file(folder: Folder) -> None:
    folder.write("a.toml", "", 'base = "b.toml"')
    (folder.path / "b.toml").write_bytes(b"\xef\xbb\xbf[plant]\npower_w = 1\n[scenario]\nname = 'b'")
    assert [note.split(":")[0] for note in folder.load().notes] == ["b.toml"]


def test_header_of_another_type(folder: Folder) -> None:
    (folder.path / "a.toml").write_text("scenario = 5\n[plant]\npower_w = 1")
    (problem,) = folder.refusal()
    assert (problem.code, problem.line) == ("E101", 1)


def test_uncertainty_is_bounded(folder: Folder) -> None:
    def codes(text: str) -> list[str]:
        folder.write("a.toml", f"[plant]\npower_w = 1\n[uncertainty]\n{text}")
        return [problem.code for problem in folder.refusal()]

    for text in ("samples = 1", "samples = 1048577", "seed = -1", "sampling = 'x'", "samples = 1e3",
                 "correlations = {}", "correlations = [{ a = 'x', b = 'y', rho = 1.1 }]"):  # fmt: skip
        assert len(codes(text)) == 1
    pair: Any = "{ a = 'x', b = 'y', rho = 0.5 }"
    assert codes(f"correlations = [{', '.join([pair] * 201)}]") == ["E102"]
