"""The registry of unit suffixes, and conversion at the door.

A name with a dimension ends in its unit: ``power_w``, ``price_usd_per_kwh``. The registry turns such a name into
a unit with a dimension and a factor, so that ``rated_power_kw = 10.2`` may be written where a planner asks for
``rated_power_w``. Inside aiplan no unit library runs; the tests check this registry against pint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

Dimension = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: the suffix that names it, its symbol, its dimension and its size in base units."""

    suffix: str
    symbol: str
    dimension: Dimension
    factor: float


# suffix: (symbol, dimension, size in the base unit of that dimension). Energy and time are kept apart on purpose:
# a planner that wants Wh per query must not silently receive joules per second.
_BASE: dict[str, tuple[str, str, float]] = {
    "w": ("W", "power", 1.0),
    "kw": ("kW", "power", 1e3),
    "mw": ("MW", "power", 1e6),
    "gw": ("GW", "power", 1e9),
    "va": ("VA", "apparent power", 1.0),
    "kva": ("kVA", "apparent power", 1e3),
    "mva": ("MVA", "apparent power", 1e6),
    "gva": ("GVA", "apparent power", 1e9),
    "wh": ("Wh", "energy", 1.0),
    "kwh": ("kWh", "energy", 1e3),
    "mwh": ("MWh", "energy", 1e6),
    "gwh": ("GWh", "energy", 1e9),
    "twh": ("TWh", "energy", 1e12),
    "j": ("J", "energy", 1 / 3600),
    "us": ("µs", "time", 1e-6),
    "ms": ("ms", "time", 1e-3),
    "s": ("s", "time", 1.0),
    "min": ("min", "time", 60.0),
    "h": ("h", "time", 3600.0),
    "day": ("day", "time", 86_400.0),
    "days": ("days", "time", 86_400.0),
    "month": ("month", "time", 2_629_800.0),
    "months": ("months", "time", 2_629_800.0),
    "year": ("year", "time", 31_557_600.0),
    "years": ("years", "time", 31_557_600.0),
    "usd": ("USD", "money", 1.0),
    "musd": ("M USD", "money", 1e6),
    "token": ("token", "token", 1.0),
    "tokens": ("tokens", "token", 1.0),
    "mtoken": ("M tokens", "token", 1e6),
    "mtokens": ("M tokens", "token", 1e6),
    "query": ("query", "query", 1.0),
    "queries": ("queries", "query", 1.0),
    "gpu": ("GPU", "gpu", 1.0),
    "bytes": ("B", "data", 1.0),
    "kb": ("kB", "data", 1e3),
    "mb": ("MB", "data", 1e6),
    "gb": ("GB", "data", 1e9),
    "tb": ("TB", "data", 1e12),
    "gib": ("GiB", "data", 2.0**30),
    "tib": ("TiB", "data", 2.0**40),
    "gbit": ("Gbit", "data", 1.25e8),
    "flops": ("FLOP/s", "compute", 1.0),
    "tflops": ("TFLOP/s", "compute", 1e12),
    "pflops": ("PFLOP/s", "compute", 1e15),
    "g": ("g", "mass", 1.0),
    "kg": ("kg", "mass", 1e3),
    "t": ("t", "mass", 1e6),
    "ml": ("mL", "volume", 1e-3),
    "l": ("L", "volume", 1.0),
    "m3": ("m³", "volume", 1e3),
    "c": ("°C", "temperature", 1.0),
    "kelvin": ("K", "temperature difference", 1.0),
    "pa": ("Pa", "pressure", 1.0),
    "kpa": ("kPa", "pressure", 1e3),
    "cfm": ("CFM", "air flow", 1.0),
    "deg": ("°", "angle", 1.0),
    "percent": ("%", "percent", 1.0),
    "meters": ("m", "length", 1.0),
    "acre": ("acre", "area", 1.0),
    "hz": ("Hz", "frequency", 1.0),
    "local": ("local currency", "local money", 1.0),
}
# Units too short or too common as words to be recognised without a quantity before them, or ambiguous for people.
_FORBIDDEN = {"m": "metre, minute, month or million", "pct": "write a fraction in 0..1"}

UNITLESS = ("fraction", "share", "count", "ratio", "factor", "exponent", "multiplier")
"""Endings that say on purpose that a number has no unit."""

UNITLESS_NAMES = frozenset({"pue", "pst", "value", "weight", "seed", "samples"})


def unit_of(name: str) -> Unit | None:
    """The unit a field name ends in.

    Parameters
    ----------
    name : a field name such as ``price_usd_per_kwh``

    Returns
    -------
    Unit, or None when the name carries no unit (``pue``, ``busy_fraction``, ``layers``).

    Raises
    ------
    ValueError for an ending that looks like a unit but is ambiguous (``_m``, ``_pct``), or for a ``_per_`` whose
    denominator is no known unit.

    >>> unit_of("price_usd_per_kwh").symbol
    'USD/kWh'
    >>> unit_of("busy_fraction") is None
    True
    """
    parts = name.split("_")
    if parts[-1] in _FORBIDDEN and len(parts) > 1:
        raise ValueError(f"'{name}' ends in '_{parts[-1]}', which is ambiguous: {_FORBIDDEN[parts[-1]]}")
    if name in UNITLESS_NAMES or parts[-1] in UNITLESS:
        return None
    # Walk back over "<unit> per <unit> per <unit>", the numerator last.
    denominators: list[str] = []
    index = len(parts) - 1
    while index >= 2 and parts[index - 1] == "per":
        if parts[index] not in _BASE:
            raise ValueError(f"'{name}' ends in an unknown unit '{parts[index]}'")
        denominators.insert(0, parts[index])
        index -= 2
    numerator = parts[index] if (index >= 1 or denominators) and parts[index] in _BASE else None
    if numerator is None and not denominators:
        return None
    return _compose(numerator, denominators)


def _compose(numerator: str | None, denominators: list[str]) -> Unit:
    powers: dict[str, int] = {}
    factor = 1.0
    if numerator is not None:
        symbol, dimension, size = _BASE[numerator]
        powers[dimension] = 1
        factor = size
    else:
        symbol = "1"
    for suffix in denominators:
        under, dimension, size = _BASE[suffix]
        powers[dimension] = powers.get(dimension, 0) - 1
        factor /= size
        symbol += f"/{under}"
    suffix = "_per_".join([numerator or "", *denominators]).lstrip("_")
    dimension_key = tuple(sorted((key, power) for key, power in powers.items() if power))
    return Unit(suffix, symbol, dimension_key, factor)


def symbol_of(name: str) -> str | None:
    """The printed unit of a field name, None when it has none.

    >>> symbol_of("carbon_g_per_kwh")
    'g/kWh'
    """
    unit = unit_of(name)
    return unit.symbol if unit else None


def stem(name: str) -> str:
    """A field name without its unit: ``rated_power_kw`` -> ``rated_power``, ``tokens_per_s`` -> nothing."""
    unit = unit_of(name)
    return name.removesuffix(unit.suffix).removesuffix("_") if unit else name


def convertible(key: str, fields: Iterable[str]) -> tuple[str, float] | None:
    """The field that a differently suffixed key stands for, and the factor to multiply by.

    >>> convertible("rated_power_kw", ["rated_power_w", "pue"])
    ('rated_power_w', 1000.0)
    >>> convertible("rated_power_gb", ["rated_power_w"]) is None
    True
    """
    given = _unit_if_any(key)
    if given is None:
        return None
    for name in fields:
        wanted = _unit_if_any(name)
        if wanted and wanted.dimension == given.dimension and stem(name) == stem(key):
            return name, given.factor / wanted.factor
    return None


def spellings(name: str) -> list[str]:
    """A field's name in every unit it may be written in, its own first; rates such as ``usd_per_kwh`` as they are.

    >>> spellings("rated_power_w")
    ['rated_power_w', 'rated_power_kw', 'rated_power_mw', 'rated_power_gw']
    """
    unit = _unit_if_any(name)
    if unit is None or "_per_" in unit.suffix or stem(name) == "":
        return [name]
    (dimension, _), *_ = unit.dimension
    others = [suffix for suffix, (_, of, _) in _BASE.items() if of == dimension and suffix != unit.suffix]
    return [name, *(f"{stem(name)}_{suffix}" for suffix in others)]


@lru_cache(maxsize=1024)
def _unit_if_any(name: str) -> Unit | None:
    try:
        return unit_of(name)
    except ValueError:
        return None
