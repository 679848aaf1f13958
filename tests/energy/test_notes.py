"""What a reader is told beside the numbers, and that a model of one shape finds its twin's table."""

from __future__ import annotations

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.plan import Result, plan

CATALOG = Catalog()


def answer(*changes: str, scenario: str = "frontier-chat") -> Result:
    loaded = load_scenario(scenario, EnergyInputs, ["uncertainty.samples=500", *changes], "energy")
    return plan(loaded.inputs, CATALOG, loaded.header.as_of)


def warnings(found: Result) -> dict[str, str]:
    return {warning.code: warning.message for warning in found.case.warnings}


def test_models_of_one_shape_share_tables() -> None:
    """Llama 3.3 70B on A100 is Llama 3.1 70B on A100, measured, not an FP4 table of another card."""
    found = answer(
        "serving.server=dgx-a100", 'serving.models=["llama-3.3-70b"]', "energy.blend.weights={'llama-3.3-70b'=1}"
    )
    (model,) = found.case.models
    assert (model.profile.accelerator, model.profile.precision, model.profile.carried_from) == (
        "a100-80gb-sxm",
        "fp16",
        "",
    )


def test_a_format_the_server_lacks_costs_wider_weights() -> None:
    """An FP8 table carried to A100 runs in BF16: decode reads twice the bytes at 2.039/3.35 of the bandwidth."""
    found = answer(
        "serving.server=dgx-a100", 'serving.models=["llama-3.1-405b"]', "energy.blend.weights={'llama-3.1-405b'=1}"
    )
    (model,) = found.case.models
    here = CATALOG.get("throughput", model.profile.id).fit
    fit = here if isinstance(here, dict) else here.model_dump()
    assert model.profile.precision == "bf16"
    assert model.profile.law.a == pytest.approx(fit["a"] * 2 * 3.35 / 2.039)  # type: ignore[union-attr]
    assert model.profile.law.b == pytest.approx(fit["b"] * 1979 / 312)  # type: ignore[union-attr]
    assert "405b (bf16 on 640 GB)" in warnings(found)["W-ENERGY-DOES-NOT-FIT"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("power.rated_power_fraction=0.6", "power.rated_power_fraction"),
        ("serving.input_token_weight=0.03", "serving.input_token_weight"),
        ("serving.profiles.gemma-3-27b=trtllm-1.0.llama-3.1-8b.h100-sxm.tp1.fp8", "gemma-3-27b"),
    ],
)
def test_what_has_no_effect_is_said(change: str, names: str) -> None:
    base, changed = answer(), answer(change)
    assert names in warnings(changed)["W-ENERGY-INACTIVE"]
    assert changed.lines == base.lines


def test_a_server_that_draws_more_than_its_rating_is_said() -> None:
    assert (
        "W of 10,000 W" in warnings(answer("power.rated_power_w=10000", "power.host_power_w=9000"))["W-ENERGY-RATING"]
    )


def test_names_of_models_resolve_wherever_they_are_keys() -> None:
    base = answer(scenario="oviedo-2026")
    changed = answer('power.rated_power_by_model_w={"DeepSeek R1" = 25600}', scenario="oviedo-2026")
    before, after = (next(row for row in found.models if row["model"] == "deepseek-r1") for found in (base, changed))
    assert after["energy"]["p50"] == pytest.approx(2 * before["energy"]["p50"], rel=1e-9)


@pytest.mark.parametrize("table", ["power.rated_power_by_model_w", "serving.profiles", "energy.blend.weights"])
def test_an_unknown_model_is_refused_wherever_it_is_a_key(table: str) -> None:
    value = '"x"' if table == "serving.profiles" else "5"
    with pytest.raises(InputError) as caught:
        answer(f"{table}={{ llama-9 = {value} }}")
    assert caught.value.problems[0].code == "E121"


def test_load_mode_takes_the_place_of_the_given_share() -> None:
    low, high = (
        answer("power.mode=load", f"power.rated_power_fraction={share}", scenario="oviedo-2026") for share in (0.2, 0.9)
    )
    assert low.lines == high.lines


@pytest.mark.parametrize(
    "changes",
    [
        ["power.tdp_fraction=0", "power.host_power_w=0"],
        ["workload.input_tokens=0", "workload.least_output_tokens=0", "workload.output_tokens=0"],
    ],
)
def test_nothing_to_divide_by_is_null_and_no_crash(changes: list[str]) -> None:
    found = answer(*changes)
    assert None in (found.lines["boundary_factor_host"]["value"], found.lines["long_to_short_ratio"]["value"])
