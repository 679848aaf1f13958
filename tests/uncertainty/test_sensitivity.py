"""Local effects, tornado bars and variance shares against closed forms."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aiplan.uncertainty.distributions import Constant, Distribution, Lognormal, Normal, Uniform
from aiplan.uncertainty.sensitivity import TornadoBar, effects, moved_by, sobol_indices, tornado

FloatArray = NDArray[np.float64]


def cost(x: Mapping[str, float]) -> dict[str, float]:
    energy_kwh = x["power_kw"] * x["time_h"]
    return {
        "energy_kwh": energy_kwh,
        "cost_usd": energy_kwh * x["price_usd_per_kwh"] + x["fixed_usd"],
        "nothing": 0.0,
        "surplus": x["power_kw"] - 10.0,
    }


MEDIANS = {"power_kw": 10.0, "time_h": 2.0, "price_usd_per_kwh": 0.1, "fixed_usd": 3.0}


def test_effects_by_hand() -> None:
    found = effects(cost, MEDIANS)
    assert list(found) == ["energy_kwh", "cost_usd", "nothing", "surplus"]
    assert found["energy_kwh"] == pytest.approx(
        {"power_kw": 0.1, "time_h": 0.1, "price_usd_per_kwh": 0.0, "fixed_usd": 0.0}
    )
    assert found["cost_usd"] == pytest.approx(
        {"power_kw": 0.04, "time_h": 0.04, "price_usd_per_kwh": 0.04, "fixed_usd": 0.06}
    )
    assert found["nothing"] == dict.fromkeys(MEDIANS, 0.0)
    assert found["surplus"] == {"power_kw": None, "time_h": 0.0, "price_usd_per_kwh": 0.0, "fixed_usd": 0.0}


def test_movers_are_ordered_and_the_unknown_counts() -> None:
    assert moved_by(effects(cost, MEDIANS)) == {
        "energy_kwh": ["power_kw", "time_h"],
        "cost_usd": ["fixed_usd", "power_kw", "price_usd_per_kwh", "time_h"],
        "nothing": [],
        "surplus": ["power_kw"],
    }
    assert moved_by({"x": {"a": 0.01, "b": -0.0101}}) == {"x": ["b"]}
    assert moved_by({"x": {"a": 0.05, "b": -0.2}}, threshold=0.1) == {"x": ["b"]}


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(-3, 3), min_size=1))
def test_the_effect_on_a_power_law_is_its_exponent(exponents: dict[str, float]) -> None:
    def law(x: Mapping[str, float]) -> dict[str, float]:
        return {"y": math.prod(x[name] ** power for name, power in exponents.items())}

    found = effects(law, dict.fromkeys(exponents, 2.0))
    for name, power in exponents.items():
        assert found["y"][name] == pytest.approx(1.1**power - 1.0, abs=1e-12)


def test_a_negative_line_moves_by_its_own_sign() -> None:
    found = effects(lambda x: {"saving": -x["a"]}, {"a": 5.0}, bump=0.2)
    assert found["saving"]["a"] == pytest.approx(0.2)


def test_a_value_that_cannot_rise_is_lowered_instead() -> None:
    asked: list[float] = []

    def model(x: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        asked.extend(x["share"])
        return {"idle": 100.0 * (1.25 - x["share"])}

    found = effects(model, {"share": 0.95}, highs={"share": 1.0})
    assert max(asked) <= 1.0
    assert found["idle"]["share"] == pytest.approx(-0.095 / 0.3)


def test_a_line_that_explodes_has_no_effect_size() -> None:
    def model(x: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {"steady": np.ones(2), "endless": np.where(x["a"] > 1.0, math.inf, 1.0)}

    found = effects(model, {"a": 1.0})
    assert {line: by["a"] for line, by in found.items()} == {"steady": 0.0, "endless": None}


def test_the_model_is_asked_once() -> None:
    calls = []

    def model(x: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        calls.append(1)
        return {"y": x["a"] + x["b"]}

    effects(model, {"a": 1.0, "b": 2.0})
    assert len(calls) == 1


@pytest.mark.parametrize("bump", [0.0, math.nan, math.inf])
def test_a_bump_must_move_something(bump: float) -> None:
    with pytest.raises(ValueError, match="bump must be"):
        effects(cost, MEDIANS, bump)


def test_tornado_by_hand() -> None:
    parameters: dict[str, Distribution | float] = {
        "power_kw": Uniform(5, 15),
        "time_h": 2.0,
        "price_usd_per_kwh": Lognormal.from_percentiles(0.05, 0.2),
        "fixed_usd": Constant(3.0),
    }
    bars = tornado(cost, parameters, "cost_usd")
    assert [bar.name for bar in bars] == ["price_usd_per_kwh", "power_kw"]
    assert bars[0] == pytest.approx(TornadoBar("price_usd_per_kwh", 4.0, 7.0))
    assert bars[1] == pytest.approx(TornadoBar("power_kw", 5.5 * 0.2 + 3, 14.5 * 0.2 + 3))


def test_tornado_keeps_falling_bars_and_orders_ties_by_name() -> None:
    parameters = {name: Uniform(0, 1) for name in ("b", "c", "a")}
    bars = tornado(lambda x: {"y": x["a"] - x["b"] + 2 * x["c"]}, parameters, "y")
    assert [bar.name for bar in bars] == ["c", "a", "b"]
    assert bars[2].low > bars[2].high
    assert bars[2].low - bars[2].high == pytest.approx(0.9)


def test_tornado_refuses_an_unknown_line() -> None:
    with pytest.raises(ValueError, match="no line 'profit'"):
        tornado(cost, {**MEDIANS, "time_h": Uniform(1, 2)}, "profit")


def ishigami(x: Mapping[str, FloatArray | float]) -> FloatArray:
    x1, x2, x3 = (np.asarray(x[name]) for name in ("x1", "x2", "x3"))
    return np.asarray(np.sin(x1) + 7.0 * np.sin(x2) ** 2 + 0.1 * x3**4 * np.sin(x1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ishigami_indices(seed: int) -> None:
    """Ishigami and Homma 1990, a = 7, b = 0.1; engineering reference, check 5: within 2 % of 1."""
    inputs = {name: Uniform(-math.pi, math.pi) for name in ("x1", "x2", "x3")}
    found = sobol_indices(ishigami, inputs, n=8192, seed=seed)
    first = {name: index.first for name, index in found.items()}
    total = {name: index.total for name, index in found.items()}
    assert first == pytest.approx({"x1": 0.3139, "x2": 0.4424, "x3": 0.0}, abs=0.02)
    assert total == pytest.approx({"x1": 0.5576, "x2": 0.4424, "x3": 0.2437}, abs=0.02)


def test_additive_model_with_plain_random_samples() -> None:
    """y = a + 2 b: shares of variance 1/5 and 4/5, nothing shared; constants explain nothing."""
    inputs: dict[str, Distribution] = {"a": Normal(0, 1), "b": Normal(0, 1), "k": Constant(5)}
    found = sobol_indices(lambda x: np.asarray(x["a"] + 2 * x["b"] + x["k"]), inputs, n=40_000, method="random")
    assert found["a"] == pytest.approx((0.2, 0.2), abs=0.02)
    assert found["b"] == pytest.approx((0.8, 0.8), abs=0.02)
    assert found["k"] == (0.0, 0.0)


def test_an_output_that_does_not_vary_has_no_shares() -> None:
    found = sobol_indices(lambda x: np.zeros(16), {"a": Uniform(0, 1)}, n=16, method="random")
    assert found["a"] == (None, None)
