"""`aiplan catalog lint`: the rules beyond the schemas that keep a catalog honest.

Codes of errors begin with E, of warnings with W; each belongs to one rule. Problems with a schema keep the codes
they have everywhere (E100 and following).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from aiplan.catalog import lint_entries as entries
from aiplan.catalog import lint_sources as sources
from aiplan.catalog.lint_view import View
from aiplan.errors import Problem

if TYPE_CHECKING:
    from aiplan.catalog.loader import Catalog

Rule = Callable[[View], Iterator[Problem]]

RULES: dict[str, Rule] = {
    "E140": sources.unknown_sources,
    "E141": sources.unused_sources,
    "E142": entries.unknown_units,
    "E143": sources.prices_without_year,
    "E144": entries.precision_ratios,
    "E145": entries.idle_exceptions,
    "E146": sources.future_dates,
    "E147": entries.dead_references,
    "E148": entries.ambiguous_names,
    "E149": sources.grades_too_good,
    "E150": sources.evidence_too_good,
    "E151": entries.parameter_sums,
    "E152": entries.repeated_ids,
    "E153": entries.strangers,
    "E154": entries.unknown_fields,
    "E155": entries.values_outside_range,
    "W140": entries.stale_index,
    "W141": sources.old_prices,
}
"""Every rule by its code; the first line of its docstring is what it asks for."""


def lint_catalog(catalog: Catalog) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings of a catalog.

    Parameters
    ----------
    catalog : shipped or overlaid; open an overlay with ``check=False`` to see all of its problems at once

    Returns
    -------
    Errors, those of the schemas first, and warnings; each with its place where it has one.
    """
    view = View(catalog)
    errors = catalog.check_all()
    warnings: list[Problem] = []
    for code, rule in RULES.items():
        (errors if code[0] == "E" else warnings).extend(rule(view))
    return errors, warnings
