"""Shell completion by the protocols of bash, zsh, fish and PowerShell, and a real bash where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aiplan import completion
from aiplan.cli import COMMANDS
from aiplan.completion import CATALOG_KEYS
from aiplan.resources import scenario_names, shipped
from tests.cli.runner import ROOT, Outcome, environment, run

IDS: dict[str, dict[str, str]] = json.loads((shipped("hardware_catalog") / "index.json").read_bytes())["entries"]


class Shell:
    """Asks as a shell does, through the environment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    def ask(self, shell: str, **environ: str) -> Outcome:
        for name in ("COMP_WORDS", "COMP_CWORD", "_TYPER_COMPLETE_ARGS", "_TYPER_COMPLETE_WORD_TO_COMPLETE"):
            self.patch.setenv(name, "")  # so that it is put back after the test, whatever a request does to it
            self.patch.delenv(name)
        for name, value in {"_AIPLAN_COMPLETE": f"complete_{shell}", **environ}.items():
            self.patch.setenv(name, value)
        outcome = run()
        assert outcome.err == ""
        return outcome

    def bash(self, *words: str) -> list[str]:
        """Words as bash splits them, the last being typed; bash ends words at ``=``."""
        joined = "\n".join(("aiplan", *words))
        outcome = self.ask("bash", COMP_WORDS=joined, COMP_CWORD=str(len(words)))
        assert outcome.code == 0
        return outcome.out.split()

    def fish(self, line: str) -> list[str]:
        outcome = self.ask("fish", _TYPER_COMPLETE_FISH_ACTION="get-args", _TYPER_COMPLETE_ARGS=line)
        return [item.split("\t")[0] for item in outcome.out.splitlines()]

    def zsh(self, line: str) -> list[str]:
        out = self.ask("zsh", _TYPER_COMPLETE_ARGS=line).out.strip()
        if out in ("", "_files"):
            return []
        assert out.startswith("_arguments '*: :((")
        assert out.endswith("))'")
        items = out.removeprefix("_arguments '*: :((").removesuffix("))'")
        return [item.split('"')[1] for item in items.splitlines()]

    def powershell(self, line: str, word: str) -> list[str]:
        out = self.ask("powershell", _TYPER_COMPLETE_ARGS=line, _TYPER_COMPLETE_WORD_TO_COMPLETE=word).out
        return [item.split(":::")[0] for item in out.splitlines()]

    def all(self, line: str) -> list[str]:
        """What every shell offers for a line, once it is known that they agree."""
        words = line.split(" ")[1:]
        pieces = [piece for word in words for piece in split_at_equals(word)]
        prefix = words[-1].rpartition("=")[0] + "=" if "=" in words[-1] else ""
        answers = [
            [prefix + item for item in self.bash(*pieces)],
            self.fish(line),
            self.zsh(line),
            self.powershell(line.rstrip(" "), words[-1]),
        ]
        assert all(answer == answers[0] for answer in answers), answers
        return answers[0]


def split_at_equals(word: str) -> list[str]:
    """``a=b`` as bash hands it over: three words, two where nothing follows yet."""
    before, equals, after = word.partition("=")
    return [part for part in (before, equals, after) if part] or [""]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(monkeypatch)


def test_commands(shell: Shell) -> None:
    first = list(dict.fromkeys(name.split(" ")[0] for name in COMMANDS))
    assert sorted(shell.all("aiplan ")) == sorted(first)
    assert shell.all("aiplan en") == ["energy"]
    second = [name.split(" ")[1] for name in COMMANDS if name.startswith("catalog ")]
    assert shell.all("aiplan catalog ") == second
    assert shell.all("aiplan schema s") == ["scenario"]


def test_scenarios_and_second_words(shell: Shell) -> None:
    assert shell.all("aiplan energy ") == [*scenario_names(), "published", "measured"]
    assert shell.all("aiplan energy pub") == ["published"]
    assert shell.all("aiplan energy ovi") == ["oviedo-2025", "oviedo-2026"]
    assert shell.all("aiplan init --template front") == ["frontier-chat"]


def test_options_of_the_right_command(shell: Shell) -> None:
    assert shell.all("aiplan energy --sam") == ["--samples"]
    assert shell.all("aiplan energy published --bound") == ["--boundary"]
    assert "--boundary" not in shell.all("aiplan energy --")
    assert "--samples" not in shell.all("aiplan energy published --")
    assert shell.all("aiplan energy --format ") == ["table", "json", "csv", "md", "html"]
    assert shell.all("aiplan energy oviedo-2026 --format j") == ["json"]


def test_catalog_ids_after_a_key(shell: Shell) -> None:
    keys = shell.all("aiplan energy --set ")
    assert keys == [f"{key}=" for key in CATALOG_KEYS]
    assert shell.all("aiplan energy --set serv") == ["serving.server="]
    for key, kind in CATALOG_KEYS.items():
        assert shell.all(f"aiplan energy --set {key}=") == [f"{key}={name}" for name in sorted(IDS[kind])]
    assert shell.all("aiplan energy --set serving.server=dgx-h") == [
        "serving.server=dgx-h100", "serving.server=dgx-h200",
    ]  # fmt: skip
    assert shell.all("aiplan energy --set facility.grid=country-fra --set serving.server=gb300") != []
    assert shell.all("aiplan energy --set facility.grid=country-fra --sam") == ["--samples"]
    assert shell.all("aiplan energy --set unknown.key=x") == []


def test_entries_and_kinds(shell: Shell) -> None:
    assert shell.all("aiplan catalog list ser") == ["servers"]
    assert shell.all("aiplan catalog show dgx-h") == ["dgx-h100", "dgx-h200"]
    assert shell.all("aiplan catalog show --kind gr") == ["grids"]


def test_fish_asks_whether_there_is_anything(shell: Shell) -> None:
    for line, code in (("aiplan energy ovi", 0), ("aiplan energy zzz", 1)):
        asked = shell.ask("fish", _TYPER_COMPLETE_FISH_ACTION="is-args", _TYPER_COMPLETE_ARGS=line)
        assert (asked.code, asked.out) == (code, "")


@pytest.mark.parametrize(
    "environ",
    [
        {}, {"COMP_WORDS": "aiplan"}, {"COMP_WORDS": "", "COMP_CWORD": "0"},
        {"COMP_WORDS": "aiplan", "COMP_CWORD": "x"}, {"COMP_WORDS": "aiplan energy", "COMP_CWORD": "99"},
        {"COMP_WORDS": "aiplan energy", "COMP_CWORD": "-5"}, {"COMP_WORDS": "aiplan 'energy", "COMP_CWORD": "1"},
        {"COMP_WORDS": 'aiplan energy --set "a', "COMP_CWORD": "3"}, {"COMP_WORDS": "= = =", "COMP_CWORD": "1"},
        {"COMP_WORDS": "aiplan zzz x", "COMP_CWORD": "2"}, {"COMP_WORDS": "aiplan \\", "COMP_CWORD": "1"},
        {"COMP_WORDS": "aiplan energy --bogus x", "COMP_CWORD": "3"},
        {"_TYPER_COMPLETE_ARGS": "'"}, {"_TYPER_COMPLETE_ARGS": "aiplan energy \x1b[31m"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "powershell", "nosuch"])
def test_no_request_is_answered_with_a_message(name: str, environ: dict[str, str], shell: Shell) -> None:
    outcome = shell.ask(name, **environ)  # nothing on stderr: see `Shell.ask`
    assert outcome.code in (0, 1)
    assert outcome.raw_characters == []


def test_a_broken_installation_is_silent(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    completion._entries.cache_clear()
    try:
        for content in (None, "", "{", "[]", '{"entries": 5}', '{"entries": {"servers": 5}}'):
            if content is not None:
                (tmp_path / "index.json").write_text(content)
            monkeypatch.setattr("aiplan.resources.shipped", lambda _: tmp_path)
            completion._entries.cache_clear()
            assert shell.bash("energy", "--set", "serving.server", "=") == []
        monkeypatch.setattr("aiplan.completion._application", lambda: 1 / 0)
        assert shell.bash("energy", "") == []
    finally:
        completion._entries.cache_clear()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "powershell"])
def test_the_script_can_be_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: name)
    outcome = run("--show-completion")
    assert outcome.code == 0
    assert "_AIPLAN_COMPLETE" in outcome.out


def test_an_unknown_shell_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "tcsh")
    outcome = run("--show-completion")
    assert (outcome.code, outcome.out) == (2, "")
    assert "tcsh" in outcome.err


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_real_bash(tmp_path: Path) -> None:
    """The script that is shown, loaded by bash, fills COMPREPLY."""
    program = tmp_path / "aiplan"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m aiplan "$@"\n')
    program.chmod(0o755)
    script = f"""
    export PATH="{tmp_path}:$PATH"
    source <(_AIPLAN_COMPLETE=source_bash aiplan)
    complete -p aiplan
    answer() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _aiplan_completion aiplan; echo "${{COMPREPLY[*]}}"; }}
    answer aiplan energy --set serving.server = dgx-h
    answer aiplan energy pub
    """
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment(), cwd=ROOT, check=True
    )
    declared, servers, second = done.stdout.splitlines()
    assert "_aiplan_completion" in declared
    assert servers.split() == ["dgx-h100", "dgx-h200"]
    assert second == "published"
    assert done.stderr == ""
