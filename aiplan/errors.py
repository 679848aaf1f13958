"""One hierarchy of errors, each with the exit code it leads to.

A planner raises one of these; the command line prints it and exits. Anything else that escapes is a bug
(exit code 1). Codes such as ``E102`` are stable and explained in ``docs/errors.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

MAX_PROBLEMS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where, what, why, and what to do about it.

    Attributes
    ----------
    code : stable identifier, ``E`` and three digits
    message : what is wrong and why, in one line
    path : dotted field path, empty when the whole file is meant
    file : file as the user named it, or ``--set`` / ``command line``
    line, column : 1-based position, 0 when unknown
    source_line : the offending text, a part of it where the line is long
    length : characters to underline
    hint : what to do
    offset : characters of the line left out before ``source_line``
    """

    code: str
    message: str
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    source_line: str = ""
    length: int = 1
    hint: str = ""
    offset: int = 0

    def render(self) -> str:
        """Text of this problem in the layout compilers have taught people to read."""
        text = [f"error[{self.code}]: {self.message}"]
        if self.file:
            is_option = self.file.startswith("--")
            position = f":{self.line}:{max(self.column, 1)}" if self.line and not is_option else ""
            text.append(f"  --> {self.file}{position}")
        if self.source_line and self.line:
            gutter = f"{self.line} | "
            before = max(self.column - self.offset - 1, 0)
            carets = max(min(self.length, len(self.source_line) - before), 1)
            text += [gutter + self.source_line, " " * (len(gutter) - 2) + "| " + " " * before + "^" * carets]
        if self.hint:
            text.append(f"help: {self.hint}")
        return "\n".join(text)


def in_reading_order(problems: list[Problem]) -> list[Problem]:
    """Problems of each file from top to bottom, files in the order they first appear."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return sorted(problems, key=lambda problem: (files.index(problem.file), problem.line, problem.column))


class AiplanError(Exception):
    """Base of every error a user can cause or meet."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, code: str = "E000", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

    def render(self) -> str:
        """What the command line prints on stderr."""
        return Problem(self.code, str(self), hint=self.hint).render()


class InputError(AiplanError):
    """Bad input: one or many problems, all of them reported at once.

    ``more`` counts problems beyond those in the list, which a hostile file may have by the thousand.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: Problem | list[Problem], more: int = 0) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        self.more = more
        first = self.problems[0]
        super().__init__(first.message, code=first.code, hint=first.hint)

    def under(self, path: str) -> list[Problem]:
        """The problems as those of an input path; a problem that has a place in a file keeps it."""
        return [
            problem if problem.file else replace(problem, message=f"{path}: {problem.message}", path=path)
            for problem in self.problems
        ]

    def render(self) -> str:
        shown = [problem.render() for problem in self.problems[:MAX_PROBLEMS_SHOWN]]
        found = len(self.problems) + self.more
        if hidden := found - len(shown):
            shown.append(f"... and {hidden:,} more problem{'s' * (hidden > 1)}")
        if found > 1:
            shown.append(f"{found:,} problems found")
        return "\n\n".join(shown)


class PolicyViolatedError(AiplanError):
    """A limit the user set is exceeded."""

    exit_code: ClassVar[int] = 3


class InfeasibleError(AiplanError):
    """No plan satisfies the constraints."""

    exit_code: ClassVar[int] = 4


class UnprovenError(AiplanError):
    """A solver stopped without a proof of its answer."""

    exit_code: ClassVar[int] = 5


class OutputError(AiplanError):
    """The result could not be written."""

    exit_code: ClassVar[int] = 6
