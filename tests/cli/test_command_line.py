"""The contract of the command line: help, streams, formats, suggestions, what is imported.

Source: engineering reference, sections 5.1 to 5.3 and 6.3, checks 15, 16, 18 and 19.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aiplan import __version__
from aiplan.cli import COMMANDS
from tests.cli.runner import environment, run, spawn

FAST = ("--samples", "32")


# What is loaded.


def loaded_by(*arguments: str) -> set[str]:
    """Modules of a fresh interpreter after this command line."""
    script = (
        "import sys\n"
        "from aiplan.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.stderr.write('\\nLOADED ' + ' '.join(sys.modules) + '\\n')\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment(), check=True
    )
    return set(done.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["catalog"], ["schema", "--help"]])
def test_help_and_version_load_next_to_nothing(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    heavy = {"numpy", "scipy", "pydantic", "rich", "typer", "importlib.metadata", "tomli", "json", "asyncio", "socket"}
    assert not loaded & heavy
    assert {name for name in loaded if name.startswith("aiplan")} <= {
        "aiplan", "aiplan.cli", "aiplan.errors", "aiplan._version",
    }  # fmt: skip


def test_energy_as_json_loads_numpy_and_no_more() -> None:
    loaded = loaded_by("energy", "--format", "json", *FAST)
    assert "numpy" in loaded
    assert not loaded & {"scipy", "rich", "xlsxwriter", "importlib.metadata", "jinja2", "socket", "asyncio", "click"}
    tables = loaded_by("energy", *FAST)
    assert not tables & {"scipy", "importlib.metadata"}


@pytest.mark.parametrize("command", ["perf", "size"])
def test_perf_and_size_as_json_load_numpy_and_no_more(command: str) -> None:
    loaded = loaded_by(command, "--format", "json")
    assert "numpy" in loaded
    assert not loaded & {"scipy", "rich", "xlsxwriter", "importlib.metadata", "jinja2", "socket", "asyncio", "click"}
    # What fits, measures, sweeps and reads tables of others is loaded where it is asked for.
    serving = {name.rpartition(".")[2] for name in loaded if name.startswith("aiplan.planners.serving.")}
    assert not serving & {"accuracy", "calibration", "datasets", "hf_config", "measure", "sweep", "tables", "time_fit"}


# Help.


def test_overview_names_every_command() -> None:
    outcome = run("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for name, row in COMMANDS.items():
        assert f"  {name} " in outcome.out
        assert row.help in outcome.out
    assert run().out == run("help").out == run("-h").out == outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_two_examples(name: str) -> None:
    outcome = run(*name.split(), "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: aiplan {name} ")
    examples = outcome.out.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    commands = [line.strip() for line in examples if line.strip().startswith("aiplan ")]
    assert len(commands) == 2
    assert all(line == f"aiplan {name}" or line.startswith(f"aiplan {name} ") for line in commands)
    # Every option says what it does.
    options = outcome.out.partition("Options:\n")[2].partition("\n\n")[0]
    for entry in re.split(r"\n  (?=-)", options):
        assert len(entry.split("  ", 1)[-1].strip()) > 5, entry


@pytest.mark.parametrize("group", ["catalog", "schema"])
def test_a_group_lists_its_commands(group: str) -> None:
    outcome = run(group)
    assert outcome.code == 0
    assert outcome.out == run(group, "--help").out
    for name in COMMANDS:
        assert (f"  {name} " in outcome.out) == name.startswith(group + " ")


def test_version() -> None:
    assert run("--version").out == f"aiplan {__version__}\n"
    verbose = run("--version", "--verbose").out
    assert re.search(r"^catalog \d{4}\.\d\d [0-9a-f]{64}$", verbose, re.MULTILINE)
    assert f"python {sys.version.split()[0]}" in verbose


def test_as_a_module_and_as_a_script() -> None:
    assert spawn("--version").stdout == f"aiplan {__version__}\n"
    script = Path(sys.executable).with_name("aiplan")
    if script.exists():
        done = subprocess.run([script, "--version"], capture_output=True, text=True, env=environment(), check=True)
        assert done.stdout == f"aiplan {__version__}\n"


# Suggestions.


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["enery"], "E115", "did you mean `aiplan energy`?"),
        (["catalog", "lst"], "E115", "did you mean `aiplan catalog list`?"),
        (["energy-published"], "E115", "did you mean `aiplan energy published`?"),
        (["zzz"], "E115", "see `aiplan --help`"),
        (["energy", "oviedo-2062"], "E111", "did you mean 'oviedo-2026'?"),
        (["energy", "--format", "jsn"], "E205", "choose one of table, json"),
        (["energy", "--table", "model", *FAST], "E203", "did you mean models"),
        (["energy", "--explain", "energy_per_querry_wh", *FAST], "E204", "energy_per_query_wh"),
        (["energy", "--set", "facility.peu=1"], "E100", "did you mean 'pue'?"),
        (["energy", "--set", "serving.server=dgx-h10", *FAST], "E121", "dgx-h100"),
        (["energy", "--catalog", "/nowhere"], "E120", "existing folder"),
        (["energy", "published", "--boundary", "moon"], "E138", "server"),
        (["catalog", "show", "h100-sxmm"], "E121", "h100-sxm"),
        (["catalog", "list", "servrs"], "E122", "did you mean 'servers'?"),
        (["catalog", "schema", "server"], "E122", "servers"),
        (["schema", "scenario", "enrgy"], "E117", "energy"),
        (["init", "--template", "oviedo"], "E111", "oviedo-2026"),
    ],
)
def test_what_is_not_known_gets_a_suggestion(arguments: list[str], code: str, hint: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert f"error[{code}]" in outcome.err
    assert hint in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [["energy", "--bogus"], ["energy", "a", "b"], ["energy", "--samples", "1"], ["energy", "--samples", "nan"],
     ["energy", "--seed", "-1"], ["energy", "published", "--pue", "nan"], ["energy", "published", "--pue", "1e999"],
     ["energy", "published", "--input-tokens", "inf"], ["energy", "measured"], ["catalog", "show"],
     ["energy", "--samples", "3.5"], ["energy", "--samples"]],
)  # fmt: skip
def test_options_out_of_range(arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Error: " in outcome.err
    assert "Traceback" not in outcome.err


# Streams and formats.


def test_data_on_stdout_talk_on_stderr() -> None:
    outcome = run("energy", "--format", "json", *FAST)
    assert outcome.code == 0
    assert json.loads(outcome.out)["warnings"]
    assert "warning[" in outcome.err
    assert run("energy", "--format", "json", "-o", "-", *FAST).out == outcome.out


@pytest.mark.parametrize("name", ["out.json", "out.csv", "out.md", "out.txt", "out.html"])
def test_the_ending_of_the_file_decides(name: str, tmp_path: Path) -> None:
    outcome = run("energy", "-o", str(tmp_path / name), *FAST)
    assert (outcome.code, outcome.out) == (0, "")
    fmt = {"json": "json", "csv": "csv", "md": "md", "txt": "table", "html": "html"}[name.split(".")[1]]
    assert (tmp_path / name).read_text(encoding="utf-8") == run("energy", "--format", fmt, *FAST).out


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--format", "csv", "-o", "x.json"], "E206"), (["-o", "x.docx"], "E206"), (["-o", ""], "E208"),
     (["--explain", "--table", "models"], "E207"), (["--explain", "--format", "csv"], "E207")],
)  # fmt: skip
def test_options_that_contradict_each_other(
    options: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("energy", *FAST, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"error[{code}]" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_same_inputs_same_bytes_in_any_process() -> None:
    texts = {
        spawn("energy", "oviedo-2026", "--format", "json", *FAST, env=environment(PYTHONHASHSEED=seed)).stdout
        for seed in ("0", "1")
    }
    assert texts == {run("energy", "oviedo-2026", "--format", "json", *FAST).out}


def test_seed_and_samples_are_overrides_too() -> None:
    short = json.loads(run("energy", "--format", "json", "--samples", "32", "--seed", "5").out)
    long = json.loads(
        run("energy", "--format", "json", "--set", "uncertainty.samples=32", "--set", "uncertainty.seed=5").out
    )
    assert short == long
    assert short["seed"] == 5


def test_the_time_of_the_run_is_only_told_when_asked() -> None:
    first, second = (json.loads(run("energy", "--format", "json", *FAST, *extra).out) for extra in ([], ["--stamp"]))
    assert not any("stamp" in key for key in first)
    added = {key: second[key] for key in set(second) - set(first)}
    assert len(added) == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", next(iter(added.values())))


@pytest.mark.parametrize("error", [OverflowError("too large"), ZeroDivisionError("by zero"), FloatingPointError("x")])
def test_numbers_beyond_computing_are_bad_input(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number is allowed, together they overflow: that is for the user to mend, not a bug."""

    def overflowing(*_: object) -> None:
        raise error

    monkeypatch.setattr("aiplan.planners.energy.plan.plan", overflowing)
    outcome = run("energy", *FAST)
    assert (outcome.code, outcome.out) == (2, "")
    assert "error[E118]" in outcome.err
    assert str(error) in outcome.err


# Explanations.


def test_bare_explain_explains_every_line() -> None:
    outcome = run("energy", "--explain", *FAST)
    assert outcome.code == 0
    lines = [line["id"] for line in json.loads(run("energy", "--format", "json", *FAST).out)["lines"]]
    assert all(f"  {name}" in outcome.out for name in lines)
    assert outcome.out == run("energy", *FAST, "--explain").out == run("energy", "--explain=all", *FAST).out
    one = run("energy", "--explain", "energy_per_query_wh", *FAST).out
    assert one.strip() in outcome.out
    assert len(one) < len(outcome.out) / 3


def test_explain_as_json_is_a_graph() -> None:
    graph = json.loads(run("energy", "--explain", "energy_per_query_wh", "--format", "json", *FAST).out)
    ids = {node["id"] for node in graph["nodes"]}
    assert "energy_per_query_wh" in ids
    assert all(edge["from"] in ids and edge["to"] in ids for edge in graph["edges"])


def test_after_two_dashes_nothing_is_an_option() -> None:
    outcome = run("energy", "--", "--explain")
    assert outcome.code == 2
    assert "no scenario '--explain'" in outcome.err
