"""The command where nothing can be measured: one clear message, exit code 2, no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aiplan import cli
from tests.cli.runner import Outcome, environment, run

MODULE = "aiplan.planners.serving.measure.command"


@pytest.fixture(autouse=True)
def _without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the extra, whatever this one has."""
    monkeypatch.setitem(cli.COMMANDS, "perf measure", cli.Command(MODULE, "measure", "time a model on this GPU"))
    for module in ("torch", "pynvml"):
        monkeypatch.setitem(sys.modules, module, None)


def measure(*arguments: str) -> Outcome:
    return run("perf", "measure", *arguments)


def test_what_is_missing_how_to_get_it_and_nothing_written(tmp_path: Path) -> None:
    target = tmp_path / "profile.toml"
    outcome = measure("llama-3.1-8b", "-o", str(target))
    assert (outcome.code, outcome.out) == (2, "")
    assert "error[E170]: torch and nvidia-ml-py are not installed" in outcome.err
    assert "nothing was written" in outcome.err
    assert "pip install 'aiplan[gpu]'" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "profile.toml"
    target.write_text("mine")
    assert "E201" in measure("llama-3.1-8b", "-o", str(target)).err
    assert "E170" in measure("llama-3.1-8b", "-o", str(target), "--force").err
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no-such-model"], "E121"),
        (["deepseek-r1"], "E172"),
        (["llama-3.1-8b", "--tensor-parallel", "3"], "E172"),
        (["llama-3.1-8b", "--precision", "int3"], "E172"),
        (["qwen3-30b-a3b", "--precision", "fp8"], "E172"),
        (["qwen3-30b-a3b", "--tensor-parallel", "64"], "E172"),
        (["llama-3.1-8b", "--format", "csv"], "E205"),
        (["llama-3.1-8b", "--format", "json", "-o", "a.toml"], "E206"),
        (["llama-3.1-8b", "-o", "a.csv"], "E206"),
        (["llama-3.1-8b", "-o", "no/such/folder/a.toml"], "E210"),
        (["llama-3.1-70b", "--tensor-parallel", "8", "--precision", "fp8"], "E170"),
        (["qwen3-30b-a3b", "--prompt", "64", "--batch", "2", "--context", "99", "--format", "json"], "E170"),
    ],
)
def test_wrong_arguments_come_before_the_machine(arguments: list[str], code: str) -> None:
    outcome = measure(*arguments)
    assert outcome.code == (6 if code == "E210" else 2)
    assert outcome.out == ""
    assert f"error[{code}]" in outcome.err


@pytest.mark.parametrize("arguments", [["llama-3.1-8b", "--batch", "0"], ["llama-3.1-8b", "--budget", "0"], []])
def test_numbers_out_of_range(arguments: list[str]) -> None:
    outcome = measure(*arguments)
    assert (outcome.code, outcome.out) == (2, "")


def test_help_says_what_it_needs() -> None:
    outcome = measure("--help")
    assert outcome.code == 0
    assert "aiplan[gpu]" in outcome.out
    assert "aiplan perf measure llama-3.1-8b" in outcome.out


def test_importing_the_command_loads_nothing_heavy() -> None:
    """Nor does a run that ends at its door load what measures."""
    code = (
        f"import sys, {MODULE} as command\n"
        "heavy = {'torch', 'pynvml', 'numpy', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from aiplan.planners.serving.measure import device, forward, run, torch_backend\n"
        "heavy = {'torch', 'pynvml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
