"""`aiplan catalog`: look into the catalog, check it, index it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiplan.completion import complete_entry, complete_kind
from aiplan.planners.door import (
    CatalogOption,
    ForceOption,
    FormatOption,
    OutputOption,
    TableOption,
    emit,
    open_catalog,
    with_examples,
)
from aiplan.report.talk import talk
from aiplan.report.write import write_output

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.report.model import Report, Table

KindArgument = Annotated[
    str | None,
    typer.Argument(metavar="KIND", help="Only entries of this kind.", autocompletion=complete_kind, show_default=False),
]


@with_examples("aiplan catalog list", "aiplan catalog list servers --format csv")
def list_entries(
    kind: KindArgument = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    catalog: CatalogOption = None,
    force: ForceOption = False,
) -> None:
    """What the catalog holds: accelerators, servers, models, throughput tables, grids, sites, operators, sources."""
    from aiplan.report.model import Column, Table

    opened = open_catalog(catalog)
    kinds = [_kind(kind, opened.kinds())] if kind else opened.kinds()
    rows = []
    for one in kinds:
        for entry_id in opened.ids(one):
            raw, _ = opened.raw(one, entry_id)
            name = raw.get("name") or raw.get("title") or ""
            grade = raw.get("grade")
            rows.append((one, entry_id, str(name), grade and str(grade), str(raw.get("evidence", "published"))))
    columns = (Column("kind"), Column("id"), Column("name"), Column("grade"), Column("evidence"))
    table = Table("entries", "Entries of the catalog", columns, tuple(rows))
    headline = f"{len(rows)} entries of {len(kinds)} kind{'s' * (len(kinds) != 1)}"
    emit(
        _report(opened, "catalog-list", headline, [table]),
        format_=format_,
        output=output,
        table="entries",
        force=force,
    )


@with_examples("aiplan catalog show h100-sxm", 'aiplan catalog show "meta-llama/Llama-3.1-405B-Instruct" --format json')
def show(
    entry: Annotated[
        str,
        typer.Argument(metavar="ENTRY", help="Id or any name it is known under.", autocompletion=complete_entry),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Kind, where a name has several.",
            autocompletion=complete_kind,
            show_default=False,
        ),
    ] = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    force: ForceOption = False,
) -> None:
    """One entry: every value with its source, its grade and how it was seen."""
    from aiplan.catalog.describe import describe_entry

    opened = open_catalog(catalog)
    one, entry_id = _find(opened, entry, _kind(kind, opened.kinds()) if kind else None)
    headline, tables = describe_entry(opened, one, entry_id)
    as_csv = format_ == "csv" or (output or "").endswith(".csv")
    wanted = table or ("values" if as_csv else None)
    emit(_report(opened, "catalog-show", headline, tables), format_=format_, output=output, table=wanted, force=force)


@with_examples("aiplan catalog lint", "aiplan catalog lint my-catalog --strict")
def lint(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder laid over the shipped catalog.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")] = False,
) -> None:
    """Check a catalog: every number sourced, every source used, units in names, dense FLOP/s, names unambiguous."""
    from aiplan.catalog.lint import lint_catalog
    from aiplan.catalog.loader import Catalog
    from aiplan.errors import InputError

    problems, warnings = lint_catalog(Catalog(folder, check=False))
    if folder is not None:  # what the shipped catalog is warned of is not the overlay's business
        known = lint_catalog(Catalog(check=False))[1]
        warnings = [warning for warning in warnings if warning not in known]
    if strict:
        problems, warnings = problems + warnings, []
    for warning in warnings:
        talk(warning.render().replace("error[", "warning[", 1) + "\n")
    if problems:
        raise InputError(problems)
    write_output(f"no errors, {len(warnings)} warning{'s' * (len(warnings) != 1)}\n", None)


@with_examples("aiplan catalog schema servers", "aiplan catalog schema throughput > throughput.schema.json")
def schema(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Kind of entry.", autocompletion=complete_kind)],
) -> None:
    """JSON Schema of a file of one kind of entry."""
    import json

    from aiplan.catalog.schema import KINDS
    from aiplan.inputs.schema import DRAFT, json_schema

    entry = json_schema(KINDS[_kind(kind, list(KINDS))])
    definitions = entry.pop("$defs", {})
    entry.pop("$schema", None)
    whole = {"$schema": DRAFT, "title": f"aiplan catalog: {kind}", "type": "object", "additionalProperties": entry,
             "$defs": definitions}  # fmt: skip
    write_output(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", None)


@with_examples("aiplan catalog index", "aiplan catalog index a-checkout/hardware_catalog")
def index(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Catalog folder; the shipped one where absent.", show_default=False),
    ] = None,
) -> None:
    """Check every entry and rebuild the index of the shipped catalog after editing it. Without a fresh index runs are
    slower, never wrong; a folder given with --catalog is always read in full.
    """
    from aiplan.catalog.index import INDEX
    from aiplan.catalog.loader import rebuild_index
    from aiplan.resources import shipped

    target = folder or shipped("hardware_catalog")
    text = rebuild_index(target)
    write_output(text, str(target / INDEX), force=True, inputs=())
    talk(f"wrote {target / INDEX}\n")


def _kind(text: str, kinds: list[str]) -> str:
    import difflib

    from aiplan.errors import InputError, Problem

    if text in kinds:
        return text
    near = difflib.get_close_matches(text, kinds, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"kinds: {', '.join(kinds)}"
    raise InputError(Problem("E122", f"'{text[:80]}' is not a kind of entry", hint=hint))


def _find(catalog: Catalog, text: str, kind: str | None) -> tuple[str, str]:
    """Kind and id of the entry a name stands for, in any kind or the given one."""
    from aiplan.errors import InputError, Problem

    kinds = [kind] if kind else catalog.kinds()
    found = [(one, entry_id) for one in kinds if (entry_id := catalog.names(one).resolve(text))]
    exact = [item for item in found if item[1] == text]
    chosen = exact or found
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        hint = "say which: " + " or ".join(f"--kind {one}" for one, _ in chosen)
        raise InputError(Problem("E123", f"'{text[:80]}' names {len(chosen)} entries", hint=hint))
    near = list(dict.fromkeys(name for one in kinds for name in catalog.names(one).nearest(text)))[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "see `aiplan catalog list`"
    raise InputError(Problem("E121", f"no entry '{text[:80]}' in the catalog", hint=hint))


def _report(catalog: Catalog, planner: str, headline: str, tables: list[Table]) -> Report:
    from aiplan.report.model import Origin, Report

    used: dict[str, str] = {}
    for table in tables:
        for record in table.records():
            source: Any = record.get("source")
            if isinstance(source, str) and source:
                used[source] = catalog.title(source)
    return Report(
        planner=planner,
        title="aiplan catalog",
        headline=headline,
        scenario=Origin(planner, ""),
        catalog=Origin("hardware_catalog", catalog.sha256, catalog.version),
        seed=0,
        samples=0,
        lines=(),
        tables=tuple(tables),
        sources=used,
    )
