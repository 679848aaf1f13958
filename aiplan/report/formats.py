"""The table of formats: name -> renderer, each imported only when it is asked for."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import PurePath

from aiplan.errors import InputError, Problem
from aiplan.report.model import Report
from aiplan.report.sanitize import clean_line
from aiplan.report.terminal import Terminal

FORMATS = ("table", "json", "csv", "md", "html")
DEFAULT_FORMAT = "table"
SUFFIXES = {
    ".json": "json",
    ".csv": "csv",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".txt": "table",
}
EXTRAS = {"html": ("jinja2", "matplotlib")}
"""Packages that a format needs beyond those aiplan always brings; the extra has the format's name."""
EXPLAINED = ("table", "json")
"""Formats that can answer ``--explain``."""


def _input_error(code: str, message: str, option: str, hint: str) -> InputError:
    return InputError(Problem(code, message, file=option, hint=hint))


def format_from_suffix(path: str) -> str | None:
    """Format that a file name asks for; None when its suffix says nothing.

    >>> format_from_suffix("plan.JSON"), format_from_suffix("plan"), format_from_suffix("plan.xyz")
    ('json', None, None)
    """
    return SUFFIXES.get(PurePath(path).suffix.lower())


def _agreed(wanted: str | None, output: str | None) -> str:
    """The format that name and suffix lead to, or E205 and E206."""
    if wanted is not None and wanted not in FORMATS:
        hint = f"choose one of {', '.join(FORMATS)}"
        raise _input_error("E205", f"no format is called {clean_line(wanted)[:40]!r}", "--format", hint)
    if output is None or output == "-":
        return wanted or DEFAULT_FORMAT
    suffix = PurePath(output).suffix
    implied = format_from_suffix(output)
    if implied is None:
        if wanted is None and suffix:
            known = ", ".join(SUFFIXES)
            message = f"the suffix {clean_line(suffix)[:40]!r} does not say which format to write"
            raise _input_error("E206", message, "-o", f"give --format, or a name ending in {known}")
        return wanted or DEFAULT_FORMAT
    if wanted is not None and wanted != implied:
        message = f"--format {wanted} disagrees with the suffix {suffix!r} of the output file"
        raise _input_error("E206", message, "-o", f"leave out --format, or name a file for {wanted}")
    return implied


def choose_format(wanted: str | None, output: str | None) -> str:
    """The one format that ``--format`` and ``-o`` agree on; ``table`` when neither says.

    Raises InputError: E205 for an unknown name, E206 when the two disagree or the suffix is not known and
    nothing else names a format, E209 when packages of the format are not installed.
    """
    chosen = _agreed(wanted, output)
    missing = [name for name in EXTRAS.get(chosen, ()) if find_spec(name) is None]
    if missing:
        message = f"{chosen} needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed"
        raise _input_error("E209", message, "--format", f"pip install 'aiplan[{chosen}]'")
    return chosen


def _explain(report: Report, fmt: str, line_id: str | None, terminal: Terminal) -> str:
    if fmt not in EXPLAINED:
        hint = f"choose one of {', '.join(EXPLAINED)}"
        raise _input_error("E207", f"--explain cannot be written as {fmt}", "--explain", hint)
    from aiplan.report import explain

    if fmt == "json":
        return explain.render_explain_json(report, line_id)
    return explain.render_explain(report, line_id, terminal)


def render(
    report: Report,
    fmt: str = DEFAULT_FORMAT,
    *,
    table: str | None = None,
    explain: bool | str = False,
    terminal: Terminal | None = None,
) -> str:
    """The report as text in one of ``FORMATS``.

    Parameters
    ----------
    table : print or keep this table only
    explain : True explains every line, a line's id that one; False prints the report
    terminal : what the table format draws for; the default suits a file

    Raises InputError for an unknown format, table or line, and for options that exclude each other.
    """
    choose_format(fmt, None)
    screen = terminal or Terminal()
    if explain is not False:
        if table is not None:
            raise _input_error("E207", "--explain and --table exclude each other", "--explain", "drop one")
        return _explain(report, fmt, None if explain is True else explain, screen)
    if fmt == "json":
        from aiplan.report.json import render_json

        return render_json(report, table=table)
    if fmt == "csv":
        from aiplan.report.csv import render_csv

        return render_csv(report, table)
    if fmt == "md":
        from aiplan.report.md import render_md

        return render_md(report, table=table)
    if fmt == "html":
        from aiplan.report.html import render_html

        return render_html(report, table=table)
    from aiplan.report.table import render_table

    return render_table(
        report,
        table=table,
        is_terminal=screen.is_terminal,
        width=screen.width,
        color=screen.color,
        encoding=screen.encoding,
    )
