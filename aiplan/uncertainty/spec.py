"""Reader of the TOML form of an uncertain number, and the table of kinds it goes by.

``1.2`` is certain; ``{ lognormal = { p5 = 1.05, p95 = 1.6 } }`` is not; a continuous kind may be cut with
``truncate = { low = 1 }`` beside it, or ``truncate = true`` for the limits of the field it is given to.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiplan.uncertainty.base import Distribution
from aiplan.uncertainty.discrete import Constant
from aiplan.uncertainty.fitted import truncated
from aiplan.uncertainty.kinds import KINDS, Kind, Parameter, ParameterSet

__all__ = ["KINDS", "Kind", "Parameter", "ParameterSet", "SpecError", "SpecProblem", "json_schema", "parse"]

Path = tuple[str | int, ...]

TRUNCATE = "truncate"
_LONGEST_ECHO = 40
_LONGEST_LIST = 1_000_000


class SpecProblem(NamedTuple):
    """One thing wrong with a specification.

    Attributes
    ----------
    path : keys and list positions from the specification down to the culprit; empty when the whole is meant
    message : what is wrong
    hint : what to write instead, or empty
    """

    path: Path
    message: str
    hint: str = ""


class SpecError(ValueError):
    """A specification that cannot be read; `problems` holds everything wrong with it.

    `path`, `message` and `hint` are those of the first problem.
    """

    def __init__(self, problems: Sequence[SpecProblem]) -> None:
        self.problems = tuple(problems)
        self.path, self.message, self.hint = self.problems[0]
        super().__init__("; ".join(problem.message for problem in self.problems))


def parse(spec: object, *, bounds: tuple[float, float] | None = None) -> Distribution:
    """Distribution described by a number or a table.

    Parameters
    ----------
    spec : a number, or a mapping with one kind of :data:`KINDS` and optionally ``truncate``
    bounds : limits of the field, in its unit, used by ``truncate = true``

    Raises :class:`SpecError`, and nothing else, for anything that is not a usable specification.

    >>> parse({"lognormal": {"p5": 0.4, "p95": 0.9}}).text()
    'lognormal, P5-P95 0.4-0.9'
    """
    if isinstance(spec, Mapping):
        return _from_table(spec, bounds)
    problems: list[SpecProblem] = []
    value = _number(spec, (), "the value", problems)
    if value is None:
        raise SpecError(problems)
    try:
        return Constant(value)
    except ValueError as reason:
        raise SpecError([SpecProblem((), str(reason))]) from None


def _from_table(spec: Mapping[object, object], bounds: tuple[float, float] | None) -> Distribution:
    problems: list[SpecProblem] = []
    _check_keys(spec, problems)
    found = [_read_kind(kind, spec[name], problems) for name, kind in KINDS.items() if name in spec]
    limits = _read_limits(spec[TRUNCATE], bounds, problems) if TRUNCATE in spec else None
    distribution = found[0] if found else None
    if distribution is not None and limits is not None:
        try:
            distribution = truncated(distribution, *limits)
        except ValueError as reason:
            problems.append(SpecProblem((TRUNCATE,), str(reason)))
    if problems or distribution is None:
        raise SpecError(problems)
    return distribution


def _check_keys(spec: Mapping[object, object], problems: list[SpecProblem]) -> None:
    """One kind, perhaps ``truncate``, and nothing else."""
    kinds = [name for name in KINDS if name in spec]
    unknown = [key for key in spec if key != TRUNCATE and key not in KINDS]
    if len(kinds) > 1:
        problems.append(SpecProblem((), f"give one kind of distribution, got {_listed(kinds, 'and')}"))
    if "kind" in unknown:
        named = spec["kind"]
        example = KINDS[named] if isinstance(named, str) and named in KINDS else KINDS["triangular"]
        problems.append(
            SpecProblem(("kind",), "the kind is written as a key, not as a value", f"write {example.example}")
        )
        return
    for key in unknown:
        problems.append(
            SpecProblem(
                (_as_key(key),),
                f"unknown kind of distribution {_echo(key)}",
                _suggestion(key, [*KINDS, TRUNCATE]) or f"known kinds: {', '.join(KINDS)}",
            )
        )
    if not kinds and not unknown:
        problems.append(
            SpecProblem((), "no kind of distribution is given", f"for example {KINDS['lognormal'].example}")
        )


def _read_kind(kind: Kind, body: object, problems: list[SpecProblem]) -> Distribution | None:
    """The distribution of one kind, or None after noting why not."""
    before = len(problems)
    if not isinstance(body, Mapping):
        problems.append(
            SpecProblem((kind.name,), f"{kind.name} needs a table, got {_found(body)}", f"write {kind.example}")
        )
        return None
    chosen = _choose_set(kind, body, problems)
    arguments: dict[str, object] = {}
    for parameter in kind.parameters():
        if parameter.name in body:
            path = (kind.name, parameter.name)
            read = _numbers if parameter.is_list else _number
            arguments[parameter.name] = read(body[parameter.name], path, parameter.name, problems)
    if len(problems) > before:
        return None
    try:
        return chosen.build(**arguments)
    except ValueError as reason:
        problems.append(SpecProblem((kind.name,), str(reason), f"for example {kind.example}"))
        return None


def _choose_set(kind: Kind, body: Mapping[object, object], problems: list[SpecProblem]) -> ParameterSet:
    """The parameter set the table comes closest to; notes unknown, missing and mixed parameters."""
    known = [parameter.name for parameter in kind.parameters()]
    given = [name for name in known if name in body]
    for key in body:
        if key not in known:
            problems.append(
                SpecProblem(
                    (kind.name, _as_key(key)),
                    f"{kind.name} has no parameter {_echo(key)}",
                    _suggestion(key, known) or f"{kind.name} takes {kind.usage()}",
                )
            )
    chosen = max(kind.sets, key=lambda choice: sum(name in given for name in choice.names))
    missing = [name for name in chosen.names if name not in given]
    if missing:
        problems.append(
            SpecProblem((kind.name,), f"{kind.name} needs {_listed(missing, 'and')}", f"write {kind.example}")
        )
    surplus = [name for name in given if name not in chosen.names]
    if surplus:
        problems.append(
            SpecProblem(
                (kind.name, surplus[0]),
                f"{_listed(surplus, 'and')} cannot go together with {_listed(list(chosen.names), 'and')}",
                f"{kind.name} takes {kind.usage()}",
            )
        )
    return chosen


def _read_limits(
    given: object, bounds: tuple[float, float] | None, problems: list[SpecProblem]
) -> tuple[float, float] | None:
    """Limits of ``truncate``; None after noting why not."""
    hint = "write truncate = { low = 0, high = 1 }, either end may be left out"
    if given is True:
        if bounds is None:
            problems.append(SpecProblem((TRUNCATE,), "this field has no limits of its own to truncate to", hint))
        return bounds
    if not isinstance(given, Mapping) or not given:
        problems.append(SpecProblem((TRUNCATE,), f"truncate needs true or a table, got {_found(given)}", hint))
        return None
    before = len(problems)
    limits = {"low": -math.inf, "high": math.inf}
    for key, value in given.items():
        if isinstance(key, str) and key in limits:
            number = _number(value, (TRUNCATE, key), key, problems)
            limits[key] = limits[key] if number is None else number
        else:
            problems.append(
                SpecProblem(
                    (TRUNCATE, _as_key(key)),
                    f"truncate has no parameter {_echo(key)}",
                    _suggestion(key, list(limits)) or hint,
                )
            )
    return None if len(problems) > before else (limits["low"], limits["high"])


def _number(given: object, path: Path, name: str, problems: list[SpecProblem]) -> float | None:
    """The value as a finite float; None after noting why not."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        problems.append(SpecProblem(path, f"{name} must be a number, got {_found(given)}"))
        return None
    try:
        value = float(given)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        found = "not a number (nan)" if math.isnan(value) else "an infinite or far too large number"
        problems.append(SpecProblem(path, f"{name} must be a finite number, got {found}"))
        return None
    return value


def _numbers(given: object, path: Path, name: str, problems: list[SpecProblem]) -> tuple[float, ...] | None:
    """The list as finite floats; None after noting the first element that is not one."""
    if not isinstance(given, list | tuple):
        problems.append(SpecProblem(path, f"{name} must be a list of numbers, got {_found(given)}"))
        return None
    if len(given) > _LONGEST_LIST:
        problems.append(SpecProblem(path, f"{name} has {len(given)} entries, at most {_LONGEST_LIST} are read"))
        return None
    values: list[float] = []
    for place, element in enumerate(given):
        value = _number(element, (*path, place), f"{name}[{place}]", problems)
        if value is None:
            return None
        values.append(value)
    return tuple(values)


def _found(given: object) -> str:
    """What was found instead, in the words of TOML; never the value itself, which may be huge."""
    words: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        (str, "text"),
        ((int, float), "a number"),
        (Mapping, "an empty table" if isinstance(given, Mapping) and not given else "a table"),
        ((list, tuple), "a list"),
        (type(None), "nothing"),
    ]
    return next((word for kind, word in words if isinstance(given, kind)), f"a {type(given).__name__}")


def _as_key(key: object) -> str:
    return key if isinstance(key, str) else type(key).__name__


def _echo(key: object) -> str:
    """A key quoted for a message: escaped and cut."""
    text = _as_key(key)
    return ascii(text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "...")


def _suggestion(key: object, known: list[str]) -> str:
    if not isinstance(key, str) or len(key) > _LONGEST_ECHO:
        return ""
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""


def _listed(names: Sequence[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def json_schema() -> dict[str, object]:
    """JSON Schema (2020-12) of what :func:`parse` reads, generated from :data:`KINDS`.

    It covers shape, names and signs; the order of parameters and the sum of weights remain for :func:`parse`.
    """
    number: dict[str, object] = {"type": "number"}
    limits: dict[str, object] = {
        "type": "object",
        "properties": {"low": number, "high": number},
        "additionalProperties": False,
        "minProperties": 1,
    }
    truncate: dict[str, object] = {
        "description": "Limits to cut the distribution at; true takes those of the field.",
        "oneOf": [{"const": True}, limits],
    }
    tables: list[dict[str, object]] = [
        {
            "type": "object",
            "description": kind.help,
            "properties": {kind.name: kind.schema(), TRUNCATE: truncate},
            "required": [kind.name],
            "additionalProperties": False,
        }
        for kind in KINDS.values()
    ]
    return {"description": "A number, certain or uncertain.", "oneOf": [number, *tables]}
