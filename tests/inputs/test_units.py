"""The registry of unit suffixes against pint, and conversion as the door does it."""

from __future__ import annotations

import itertools
from typing import Any

import pint
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from aiplan.catalog.schema import KINDS
from aiplan.inputs.conversion import section_of
from aiplan.inputs.fields import quantity_bounds
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.units import _BASE, UNITLESS, UNITLESS_NAMES, convertible, spellings, stem, symbol_of, unit_of

# Our suffix: pint's unit, and pint's name of the base unit of our dimension.
PINT = {
    "w": "watt", "kw": "kilowatt", "mw": "megawatt", "gw": "gigawatt",
    "va": "volt * ampere", "kva": "kilovolt * ampere", "mva": "megavolt * ampere", "gva": "gigavolt * ampere",
    "wh": "watt_hour", "kwh": "kilowatt_hour", "mwh": "megawatt_hour", "gwh": "gigawatt_hour", "twh": "terawatt_hour",
    "j": "joule",
    "us": "microsecond", "ms": "millisecond", "s": "second", "min": "minute", "h": "hour",
    "day": "day", "days": "day", "month": "month", "months": "month", "year": "year", "years": "year",
    "usd": "USD", "musd": "megaUSD", "token": "token", "tokens": "token", "mtoken": "megatoken", "mtokens": "megatoken",
    "query": "query", "queries": "query", "gpu": "gpu",
    "bytes": "byte", "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "tb": "terabyte", "gib": "gibibyte",
    "tib": "tebibyte", "gbit": "gigabit",
    "flops": "flop / second", "tflops": "teraflop / second", "pflops": "petaflop / second",
    "g": "gram", "kg": "kilogram", "t": "metric_ton", "ml": "milliliter", "l": "liter", "m3": "meter ** 3",
    "c": "delta_degC", "deg": "degree", "percent": "percent", "meters": "meter", "acre": "acre", "hz": "hertz",
    "kelvin": "kelvin", "pa": "pascal", "kpa": "kilopascal", "cfm": "foot ** 3 / minute", "local": "local",
}  # fmt: skip
BASE = {
    "power": "watt", "apparent power": "volt * ampere", "energy": "watt_hour", "time": "second", "money": "USD",
    "token": "token", "query": "query", "gpu": "gpu", "data": "byte", "compute": "flop / second", "mass": "gram",
    "volume": "liter",
    "temperature": "delta_degC", "angle": "degree", "percent": "percent", "length": "meter", "area": "acre",
    "frequency": "hertz", "local money": "local", "temperature difference": "kelvin", "pressure": "pascal",
    "air flow": "foot ** 3 / minute",
}  # fmt: skip


@pytest.fixture(scope="module")
def pints() -> Any:
    registry = pint.UnitRegistry()
    for name in ("USD", "token", "query", "gpu", "flop", "local"):
        registry.define(f"{name} = [{name}]")
    return registry


def test_every_suffix_has_an_oracle() -> None:
    assert set(PINT) == set(_BASE)
    assert set(BASE) == {dimension for _, dimension, _ in _BASE.values()}


@pytest.mark.parametrize("suffix", PINT)
def test_size_of_every_unit(suffix: str, pints: Any) -> None:
    unit = unit_of(f"thing_{suffix}")
    assert unit is not None
    assert unit.suffix == suffix
    ((dimension, power),) = unit.dimension
    assert power == 1
    expected = pints.Quantity(1.0, PINT[suffix]).to(BASE[dimension]).magnitude
    assert unit.factor == pytest.approx(expected, rel=1e-12)


SUFFIXES = st.sampled_from(sorted(PINT))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(SUFFIXES, st.lists(SUFFIXES, min_size=1, max_size=2))
def test_size_of_composed_units(pints: Any, over: str, under: list[str]) -> None:
    unit = unit_of("_per_".join([f"thing_{over}", *under]))
    assert unit is not None
    ours = pints.Quantity(1.0, PINT[over])
    theirs = pints.Quantity(1.0, BASE[_BASE[over][1]])
    for suffix in under:
        ours = ours / pints.Quantity(1.0, PINT[suffix])
        theirs = theirs / pints.Quantity(1.0, BASE[_BASE[suffix][1]])
    assert unit.factor == pytest.approx((ours / theirs).to("dimensionless").magnitude, rel=1e-12)
    assert unit.symbol == "/".join(_BASE[part][0] for part in [over, *under])


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(SUFFIXES, min_size=1, max_size=3), st.lists(SUFFIXES, min_size=1, max_size=3))
def test_convertible_is_consistent(one: list[str], other: list[str]) -> None:
    """There and back is 1; a third unit in between changes nothing; other dimensions are refused both ways."""
    first, second = f"thing_{'_per_'.join(one)}", f"thing_{'_per_'.join(other)}"
    there, back = convertible(first, [second]), convertible(second, [first])
    assert (there is None) == (back is None)
    dimensions = [unit.dimension for unit in (unit_of(first), unit_of(second)) if unit]
    assert (there is not None) == (dimensions[0] == dimensions[1])
    if there and back:
        assert (there[0], back[0]) == (second, first)
        assert there[1] * back[1] == pytest.approx(1.0, rel=1e-14)


def test_conversions_compose() -> None:
    """kW to MW to GW is kW to GW, in every dimension that has three units."""
    by_dimension: dict[str, list[str]] = {}
    for suffix, (_, dimension, _) in _BASE.items():
        by_dimension.setdefault(dimension, []).append(f"x_{suffix}")
    triples = [triple for names in by_dimension.values() for triple in itertools.permutations(names, 3)]
    assert len(triples) > 500
    for a, b, c in triples:
        ab, bc, ac = convertible(a, [b]), convertible(b, [c]), convertible(a, [c])
        assert ab is not None and bc is not None and ac is not None  # noqa: PT018
        assert ab[1] * bc[1] == pytest.approx(ac[1], rel=1e-13)


@pytest.mark.parametrize(
    ("key", "field", "factor"),
    [
        ("rated_power_kw", "rated_power_w", 1e3),
        ("lifetime_months", "lifetime_years", 1 / 12),
        ("hbm_gib", "hbm_gb", 1.073741824),
        ("hbm_gb_per_s", "hbm_tb_per_s", 1e-3),
        ("carbon_kg_per_mwh", "carbon_g_per_kwh", 1.0),
        ("price_usd_per_mwh", "price_usd_per_kwh", 1e-3),
        ("energy_j_per_token", "energy_wh_per_token", 1 / 3600),
        ("queries_per_s", "queries_per_day", 86_400.0),
        ("output_mtokens", "output_tokens", 1e6),
        ("wait_per_h", "wait_per_s", 1 / 3600),
    ],
)
def test_known_conversions(key: str, field: str, factor: float) -> None:
    found = convertible(key, ["pue", field, "other_w"])
    assert found == (field, pytest.approx(factor, rel=1e-12))


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("rated_power_gb", "rated_power_w"),
        ("host_power_kw", "rated_power_w"),
        ("rated_power_kwh", "rated_power_w"),
        ("power_wh_per_s", "power_w"),  # energy over time is not silently taken for power
        ("busy_percent", "busy_fraction"),
        ("power_m", "power_w"),
        ("power_w", "power_m"),
        ("tokens_per_s", "gb_per_s"),
        ("pue", "pue"),
    ],
)
def test_what_is_never_converted(key: str, field: str) -> None:
    assert convertible(key, [field]) is None


@pytest.mark.parametrize("name", ["length_m", "price_m", "busy_pct", "x_per_m", "cost_usd_per_pct"])
def test_ambiguous_endings_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        unit_of(name)


@pytest.mark.parametrize("name", ["price_usd_per_parsec", "rate_per_furlong", "x_kwh_per_mole", "a_per_b_per_kwh"])
def test_unknown_denominators_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="unknown unit"):
        unit_of(name)


@pytest.mark.parametrize("name", ["pue", "layers", "busy_fraction", "w", "kwh", "gpu_count", "overlap_exponent", "m"])
def test_names_without_a_unit(name: str) -> None:
    assert unit_of(name) is None
    assert symbol_of(name) is None
    assert stem(name) == name


def test_stem() -> None:
    assert stem("rated_power_kw") == "rated_power"
    assert stem("price_usd_per_kwh") == "price"
    assert stem("tokens_per_s") == ""
    assert stem("wait_per_h") == "wait"


def quantities(model: type[BaseModel], seen: set[type[BaseModel]]) -> list[str]:
    """Names of the quantity fields of a section and those below it."""
    if model in seen:
        return []
    seen.add(model)
    found = [name for name, field in model.model_fields.items() if quantity_bounds(field) is not None]
    inner = [section_of(field.annotation) for field in model.model_fields.values()]
    return found + [name for section in inner if section for name in quantities(section, seen)]


def test_every_quantity_says_its_unit_or_that_it_has_none() -> None:
    """A name with a dimension ends in its unit; what is left is a ratio or a count by its name."""
    seen: set[type[BaseModel]] = set()
    names = [name for model in (EnergyInputs, *KINDS.values()) for name in quantities(model, seen)]
    assert len(names) > 60
    unitless = {name for name in names if unit_of(name) is None}
    plain = {name for name in unitless if name.rsplit("_", 1)[-1] not in UNITLESS and name not in UNITLESS_NAMES}
    # Counts and weights by name; parameters in billions and TOP/s as the data sheets and model cards print them.
    assert plain == {"batch", "input_token_weight", "weights", "overhead", "weight_bits", "int8_dense_tops",
                     "published_active_params_b", "published_total_params_b"}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["contract_w", "idle_kw", "t_max_c", "flow_cfm", "price_usd_per_kwh", "pue", "share_fraction"]
)
def test_every_spelling_stands_for_the_field(name: str) -> None:
    own, *others = spellings(name)
    assert own == name
    assert all(convertible(other, [name]) for other in others)
    assert bool(others) == (name in ("contract_w", "idle_kw"))
