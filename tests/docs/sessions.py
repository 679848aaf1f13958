"""Plays the sessions of a page in one temporary folder, in their order."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from aiplan.cli import main
from tests.conftest import ROOT
from tests.docs.blocks import Block, Step, first_missing, steps

SHELL = re.compile(r"[|<>;&$`]|\n")
ONLY_CHECKED = ("make", "git", "pip")
"""Commands that build or change the checkout: looked at, never run."""

TIMEOUT_S = 120


@dataclass(frozen=True)
class Outcome:
    """What a step did: its exit code and everything it said, or why it could not be run."""

    code: int
    output: str
    missing: str = ""


def make_targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def play(step: Step, folder: Path) -> Outcome:
    """Run one command in a folder."""
    if step.words[0] in ONLY_CHECKED:
        if step.words[0] == "make":
            unknown = set(step.words[1:]) - make_targets()
            assert not unknown, f"the Makefile has no target {unknown}"
        return Outcome(step.code, "\n".join(step.shown))
    if step.words[0] == "aiplan" and not SHELL.search(_without_quoted(step.command)):
        return _in_process(shlex.split(step.command)[1:], folder)
    return _in_shell(step, folder)


def _without_quoted(command: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", command)


def _in_process(arguments: list[str], folder: Path) -> Outcome:
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(arguments)
    return Outcome(code, said.getvalue())


def _in_shell(step: Step, folder: Path) -> Outcome:
    if "jq" in step.words and shutil.which("jq") is None:
        return Outcome(step.code, "", missing="jq")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    keep = {key: value for key, value in os.environ.items() if not key.startswith("AIPLAN")}
    done = subprocess.run(
        ["bash", "-c", step.command],
        cwd=folder,
        env={**keep, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout)


class Player:
    """Sessions of one page: a block may use what the blocks above it wrote."""

    def __init__(self, folder: Path, blocks: list[Block]) -> None:
        self._folder = folder
        self._waiting = list(blocks)
        self._played: dict[str, list[tuple[Step, Outcome]]] = {}

    def outcomes(self, block: Block) -> list[tuple[Step, Outcome]]:
        """Steps of a block and what they did; plays the blocks above it first."""
        while block.id not in self._played:
            following = self._waiting.pop(0)
            self._played[following.id] = [(step, play(step, self._folder)) for step in steps(following)]
        return self._played[block.id]


def check(step: Step, outcome: Outcome) -> None:
    """Assert that a step did what the page shows."""
    shown = f"$ {step.command}\n{outcome.output}"
    assert outcome.code == step.code, f"exit code {outcome.code}, expected {step.code}\n{shown}"
    missing = first_missing(step.shown, outcome.output)
    assert missing is None, f"the page shows a line that is not printed (in this place):\n{missing}\n{shown}"
