"""`aiplan perf calibrate` on the command line."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiplan.errors import InputError, Problem
from aiplan.planners.door import (
    CatalogOption,
    ForceOption,
    FormatOption,
    TableOption,
    emit,
    now,
    open_catalog,
    with_examples,
)

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.serving.calibration_own import Own, Wish
    from aiplan.planners.serving.rows import Shelf
    from aiplan.report.model import Report

ENGINES = ("vllm", "tensorrt-llm", "sglang", "other")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")

FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE", show_default=False,
                   help="CSV with columns as `aiplan perf --rows` takes them, and ttft_ms, tpot_ms or output_tok_s "
                   "as measured; or a table of InferenceX or ML.ENERGY as published."),
]  # fmt: skip
TargetOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="DIR|FILE", show_default=False,
                 help="Folder to use with --catalog, or one .toml file, whole or not at all."),
]  # fmt: skip
GroupOption = Annotated[
    str, typer.Option("--group", metavar="GROUP", help="What is left out together for the error: model or hardware.")
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="ID", help="Id of the result in the catalog.", show_default=False)
]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", metavar="NAME[:VERSION]", show_default=False,
                 help="Fit rows of this engine only, and use the result for no other, e.g. vllm:0.11."),
]  # fmt: skip
RegimeOption = Annotated[
    str | None,
    typer.Option("--regime", metavar="REGIME", show_default=False,
                 help="online (a concurrency is stated) or offline; what most rows are, where absent."),
]  # fmt: skip
FromOption = Annotated[
    str,
    typer.Option("--from", metavar="START",
                 help="Where to start: shipped (constants of the catalog, few rows move little) or assumed."),
]  # fmt: skip
PublicOption = Annotated[
    Path | None,
    typer.Option("--public", metavar="DIR", show_default=False,
                 help="Instead of files: fit the shipped calibrations anew on a folder of the public tables."),
]  # fmt: skip


@with_examples(
    "aiplan perf calibrate measured.csv -o mine && aiplan perf --catalog mine",
    "aiplan perf calibrate measured.csv --engine vllm:0.18 --group hardware --format json",
)
def calibrate(
    files: FilesArgument = None,
    output: TargetOption = None,
    group: GroupOption = "model",
    name: NameOption = None,
    engine: EngineOption = None,
    regime: RegimeOption = None,
    start: FromOption = "shipped",
    public: PublicOption = None,
    format_: FormatOption = None,
    table: TableOption = None,
    catalog: CatalogOption = None,
    force: ForceOption = False,
) -> None:
    """Fit the constants of the time model to your own measurements. One row already moves the level of all times;
    more rows free more constants, each held by a prior where it was. Prints what moved, the error before and after and
    with a group left out, which rows are left out and why; -o writes a catalog folder that --catalog lays over the
    shipped one.
    """
    from aiplan.planners.serving.calibration_own import prepare
    from aiplan.planners.serving.rows import Shelf
    from aiplan.report.formats import choose_format

    choose_format(format_, None)
    today = date.fromisoformat(now()[:10])
    if public is not None:
        _public(public, files, output, today, force)
        return
    if not files:
        raise _refusal("E182", "no file of measurements is given", "command line", "name a CSV, see --help")
    wish = _wish(group, name, engine, regime, start)
    _check_target(output, name, force)
    opened = open_catalog(catalog)
    shelf = Shelf(opened)
    own = prepare(files, shelf, wish)
    entry_id = name or _default_id(own)
    _write(own, entry_id, files, today, output, group, force)
    emit(_report(own, opened, shelf, entry_id, group), format_=format_, table=table)


def _refusal(code: str, message: str, option: str, hint: str) -> InputError:
    return InputError(Problem(code, message, file=option, hint=hint))


def _wish(group: str, name: str | None, engine: str | None, regime: str | None, start: str) -> Wish:
    """Options as `prepare` wants them.

    Raises
    ------
    InputError (E182) for a word that is none of those allowed.
    """
    from aiplan.catalog.names import canonical_engine
    from aiplan.planners.serving.calibration_own import REGIMES, SOURCES, Wish

    allowed = (("--group", group, ("model", "hardware")), ("--regime", regime, REGIMES), ("--from", start, SOURCES))
    for option, text, words in allowed:
        if text is not None and text not in words:
            raise _refusal("E182", f"'{text[:40]}' is not known", option, f"choose one of {', '.join(words)}")
    if name is not None and not NAME.fullmatch(name):
        raise _refusal("E182", f"'{name[:40]}' is no id", "--name", "use lower-case letters, digits, '_' and '-'")
    if engine is None:
        return Wish(regime or "", start=start)
    given, _, version = engine.partition(":")
    found = canonical_engine(given)
    known = "" if found is None else "tensorrt-llm" if found[0] == "tensorrt" else found[0]
    if known not in ENGINES or (version and not re.fullmatch(r"[0-9A-Za-z.+_-]{1,40}", version)):
        hint = f"one of {', '.join(ENGINES[:3])}, with a release if you like: vllm:0.11"
        raise _refusal("E182", f"'{engine[:40]}' is no engine", "--engine", hint)
    return Wish(regime or "", known, version, start)


def _default_id(own: Own) -> str:
    parts = ("own", own.study.recipe.regime, own.engine, own.engine_version.replace(".", "-"))
    text = "-".join(part for part in parts if part).lower()
    return re.sub(r"[^a-z0-9_-]", "-", text)[:80]


def _is_file(output: str) -> bool:
    return output.endswith(".toml")


def _targets(output: str, entry_id: str) -> tuple[Path, ...]:
    """Files that a folder or a file as target means."""
    if _is_file(output):
        return (Path(output),)
    return (Path(output) / "sources" / f"{entry_id}.toml", Path(output) / "calibrations" / f"{entry_id}.toml")


def _check_target(output: str | None, name: str | None, force: bool) -> None:
    """Refuse a target that could not be written before anything is computed, as far as its name is known."""
    from aiplan.report.write import check_target

    if output is None or output == "-":
        if output == "-":
            raise _refusal("E183", "a catalog folder cannot go to stdout", "-o", "name a folder or a .toml file")
        return
    path = Path(output)
    if _is_file(output):
        check_target(output, force=force)
    elif path.exists() and not path.is_dir():
        raise _refusal("E183", f"'{output[:80]}' is a file and no folder", "-o", "name a folder or a .toml file")
    elif name:
        for target in _targets(output, name):
            if target.parent.is_dir():
                check_target(str(target), force=force)


def _write(
    own: Own,
    entry_id: str,
    files: list[Path],
    today: date,
    output: str | None,
    group: str,
    force: bool,
) -> None:
    """Write the overlay: a source that names the files, and the calibration."""
    from aiplan.errors import OutputError
    from aiplan.planners.serving.calibrate_report import bands_with_start
    from aiplan.planners.serving.calibration import About, entry_of, toml_text
    from aiplan.report.sanitize import clean_line
    from aiplan.report.talk import talk
    from aiplan.report.write import check_target, write_output

    if output is None:
        return
    names = clean_line(", ".join(file.name for file in files))[:200]
    source = f"{entry_id}-rows"
    about = About(f"Own measurements, {own.study.recipe.regime}", source, names, today, own.engine, own.engine_version)
    entry = entry_of(own.study, about, bands_with_start(own, group)[0])
    header = f"Fitted with `aiplan perf calibrate`, from '{own.start}'; use it with --catalog."
    texts = [toml_text({entry_id: entry}, header)]
    targets = _targets(output, entry_id)
    if len(targets) == 2:
        texts.insert(0, _source_text(source, names, today))
    for target in targets:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder '{target.parent}': {error.strerror}", code="E602") from None
        check_target(str(target), force=force, inputs=files)
    for target, text in zip(targets, texts, strict=True):
        write_output(text, str(target), force=force, inputs=files)
    talk(f"wrote {targets[-1]}\n")


def _source_text(source: str, files: str, today: date) -> str:
    quoted = files.replace("\\", "\\\\").replace('"', '\\"')
    return f'[{source}]\ntitle = "Own measurements"\npublished = {today}\naccessed = {today}\nlocator = "{quoted}"\n'


def _report(own: Own, opened: Catalog, shelf: Shelf, entry_id: str, group: str) -> Report:
    from aiplan.planners.serving.calibrate_report import report_of

    return report_of(own, opened, shelf, entry_id, group)


def _public(folder: Path, files: list[Path] | None, output: str | None, today: date, force: bool) -> None:
    """Fit the shipped calibrations anew.

    Raises
    ------
    InputError: E182 with files beside it, E184 where the folder lacks one.
    """
    from aiplan.catalog.loader import Catalog
    from aiplan.planners.serving.calibration import toml_text
    from aiplan.planners.serving.calibration_public import FILES, PublicData, shipped_entries
    from aiplan.planners.serving.rows import Shelf
    from aiplan.report.write import check_target, write_output

    if files:
        raise _refusal("E182", "files and --public exclude each other", "--public", "drop one")
    missing = [str(name) for name in FILES if not (folder / name).is_file()]
    if missing:
        raise _refusal("E184", f"the folder lacks {', '.join(missing)}", str(folder), "give the folder of public data")
    check_target(output, force=force)
    entries = shipped_entries(PublicData(folder, Shelf(Catalog())), today)
    write_output(toml_text(entries, HEADER), output, force=force)


HEADER = """Constants of the time model. Written by
`aiplan perf calibrate --public DATA -o hardware_catalog/calibrations.toml --force`; not edited by hand.
Which rows, how many and when stands with each; starts, priors and reasons are in
aiplan/planners/serving/calibration_recipes.py, figures in docs/serving.md."""
