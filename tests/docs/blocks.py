"""Reads the documentation: fenced blocks, the commands in them, headings and links.

A ``console`` block is a session: a line that starts with ``$ `` is a command (with its continuation lines, or its
here-document), what follows is output. A line of three dots stands for output that is left out. A command must end
with exit code 0 unless ``$ echo $?`` behind it says otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^```(?P<kind>[a-z]*)[^\n]*\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
HERE = re.compile(r"<<'?(?P<end>[A-Z]+)'?$")
SKIPPED = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: Path
    line: int
    kind: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass
class Step:
    """One command of a session and the output shown below it."""

    command: str
    shown: list[str] = field(default_factory=list)
    code: int = 0

    @property
    def words(self) -> list[str]:
        return self.command.split()


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match["kind"], match["text"])
        for match in FENCE.finditer(text)
    ]


def steps(block: Block) -> list[Step]:
    """The commands of a session, each with the output shown and the exit code expected."""
    found: list[Step] = []
    lines = iter(block.text.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            assert found, f"{block.id}: a session starts with a command, not with {line!r}"
            found[-1].shown.append(line.rstrip())
            continue
        command = line[2:]
        while command.endswith("\\"):
            command = command[:-1].rstrip() + " " + next(lines).strip()
        if here := HERE.search(command):
            body = [command]
            while body[-1] != here["end"]:
                body.append(next(lines))
            command = "\n".join(body)
        found.append(Step(command))
    return _with_codes(found, block)


def _with_codes(found: list[Step], block: Block) -> list[Step]:
    """Fold each ``echo $?`` into the command before it."""
    kept: list[Step] = []
    for step in found:
        if step.command != "echo $?":
            kept.append(step)
            continue
        assert kept, f"{block.id}: echo $? needs a command before it"
        kept[-1].code = int(step.shown[0])
    return kept


def first_missing(shown: list[str], real: str) -> str | None:
    """The first shown line that does not follow the ones before it in the real output; None when all do.

    >>> first_missing(["a", "...", "c"], "a\\nb\\nc\\n") is None
    True
    >>> first_missing(["a", "c"], "a\\nb\\nc\\n")
    'c'
    """
    lines = [line.rstrip() for line in real.splitlines()]
    at, skipping = 0, True
    for line in shown:
        if line == SKIPPED:
            skipping = True
            continue
        if not skipping and (at >= len(lines) or lines[at] != line):
            return line
        try:
            at = lines.index(line, at) + 1
        except ValueError:
            return line
        skipping = False
    return None


def anchors(page: Path) -> set[str]:
    """Names by which the headings of a page can be linked to."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(title) for title in HEADING.findall(text)}


def slug(title: str) -> str:
    """The anchor a heading gets on the code hosts.

    >>> slug("What `--set` does, and why")
    'what---set-does-and-why'
    """
    kept = "".join(char for char in title.lower() if char.isalnum() or char in " -_")
    return kept.replace(" ", "-")


def links(page: Path) -> list[str]:
    """Targets of the links of a page, blocks and code left out."""
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
    return [match["target"] for match in LINK.finditer(text)]


def rows(page: Path, first: str) -> list[list[str]]:
    """Cells of the table whose heading starts with ``first``, without heading and rule."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found
