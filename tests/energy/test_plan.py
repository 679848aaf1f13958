"""What must hold of any answer, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.energy.command import ENERGY
from aiplan.planners.energy.inputs import EnergyInputs
from aiplan.planners.energy.plan import Result, plan
from aiplan.report.formats import render
from aiplan.report.model import Report

CATALOG = Catalog()
FEW = "uncertainty.samples=2000"


def answer(*changes: str, scenario: str = "frontier-chat") -> Result:
    loaded = load_scenario(scenario, EnergyInputs, [FEW, *changes], "energy")
    return plan(loaded.inputs, CATALOG, loaded.header.as_of)


def report(*changes: str, scenario: str = "frontier-chat") -> Report:
    loaded = load_scenario(scenario, EnergyInputs, [FEW, *changes], "energy")
    return ENERGY.answer(loaded, CATALOG)


def median(found: Result, line: str = "energy_per_query_wh") -> float:
    value = found.lines[line].get("p50") or found.lines[line].get("value")
    assert value is not None
    return value


def test_same_seed_same_bytes_other_seed_other_draws() -> None:
    first, again, other = (render(report(f"uncertainty.seed={seed}"), "json") for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_adding_a_model_moves_no_other_models_draws() -> None:
    fewer = answer('serving.models=["deepseek-r1"]', "energy.blend.weights={deepseek-r1=1}")
    more = answer('serving.models=["deepseek-r1", "llama-3.3-70b"]', "energy.blend.weights={deepseek-r1=1}")
    assert fewer.models[0]["energy"] == more.models[0]["energy"]


def test_boundaries_contain_each_other() -> None:
    found = answer()
    values = [row[1]["p50"] for row in found.boundaries]
    assert values == sorted(values)
    assert [row[0] for row in found.boundaries] == ["accelerator", "server", "server+idle", "facility"]


@pytest.mark.parametrize("boundary", ["accelerator", "server", "server+idle", "facility"])
def test_the_chosen_boundary_is_what_is_quoted(boundary: str) -> None:
    found = answer(f"energy.boundary={boundary}")
    rows = {name: row["p50"] for name, row, _ in found.boundaries}
    assert median(found) == rows[boundary]


def test_no_idle_and_perfect_pue_leave_the_server() -> None:
    found = answer("power.busy_fraction=1", "facility.pue=1")
    rows = {name: row["p50"] for name, row, _ in found.boundaries}
    assert rows["facility"] == rows["server"]
    assert found.lines["boundary_factor_idle"]["value"] == 1.0


def test_a_fixed_pue_is_the_facility_factor() -> None:
    assert answer("facility.pue=1.25").lines["boundary_factor_pue"]["value"] == pytest.approx(1.25, rel=1e-12)


def test_energy_is_proportional_to_pue_and_inverse_to_production() -> None:
    base = median(answer("facility.pue=1.2", "serving.production_fraction=0.5"))
    assert median(answer("facility.pue=1.5", "serving.production_fraction=0.5")) == pytest.approx(base * 1.25, rel=1e-9)
    assert median(answer("facility.pue=1.2", "serving.production_fraction=1")) == pytest.approx(base / 2, rel=1e-9)


def test_water_and_carbon_follow_their_factors() -> None:
    found = answer("facility.carbon_g_per_kwh=500", "facility.pue=1.2", "facility.wue_l_per_kwh=0.6",
                   "facility.offsite_water_l_per_kwh=2", "facility.market_carbon_g_per_kwh=100")  # fmt: skip
    energy = median(found)
    assert median(found, "carbon_per_query_g") == pytest.approx(energy * 0.5, rel=1e-9)
    assert median(found, "carbon_market_per_query_g") == pytest.approx(energy * 0.1, rel=1e-9)
    assert median(found, "water_per_query_ml") == pytest.approx(energy / 1.2 * 0.6, rel=1e-9)
    assert median(found, "water_offsite_per_query_ml") == pytest.approx(energy * 2, rel=1e-9)


def test_water_and_carbon_do_not_depend_on_the_boundary_quoted() -> None:
    inner, outer = (answer(f"energy.boundary={name}") for name in ("accelerator", "facility"))
    assert inner.lines["carbon_per_query_g"] == outer.lines["carbon_per_query_g"]


def test_twice_the_queries_twice_the_fleet() -> None:
    one, two = (answer(f"workload.queries_per_day={count}") for count in ("1e9", "2e9"))
    for before, after in zip(one.fleet, two.fleet, strict=True):
        assert after["energy_gwh_per_day"] == pytest.approx(2 * before["energy_gwh_per_day"], rel=1e-12)  # type: ignore[operator]
        assert after["servers"] == before["servers"] or after["servers"] == pytest.approx(2 * before["servers"])  # type: ignore[operator]


def test_a_fixed_lever_divides_by_its_multiplier() -> None:
    found = answer("levers.gain.model.multiplier=4", "levers.gain.serving.multiplier=2",
                   "levers.gain.hardware.multiplier=2", "levers.overlap_exponent=0.5")  # fmt: skip
    rows = {name: times for name, _, times, _ in found.levers["short"]}
    assert rows == pytest.approx({"model": 4, "serving": 2, "hardware": 2, "combined_independent": 16, "combined": 4})


def test_a_blend_of_one_model_is_that_model() -> None:
    found = answer("energy.blend.weights={deepseek-r1=1}")  # fmt: skip
    row = next(row for row in found.models if (row["model"], row["regime"]) == ("deepseek-r1", "short"))
    assert median(found) == pytest.approx(row["energy"]["p50"], rel=1e-12)


def test_nothing_uncertain_gives_one_number() -> None:
    changes = ["workload.input_tokens=500", "workload.output_tokens=300", "workload.long_output_tokens=5000",
               "serving.production_fraction=0.5", "serving.law_error=false", "power.tdp_fraction=0.7",
               "power.host_power_w=2400", "power.busy_fraction=0.8", "facility.pue=1.1"]  # fmt: skip
    row = answer(*changes).models[0]["energy"]
    assert row["p5"] == row["p50"] == row["p95"] == pytest.approx(row["mean"])


def test_units_are_converted_at_the_door() -> None:
    watts, kilowatts = (answer(change) for change in ("power.host_power_w=2400", "power.host_power_kw=2.4"))
    assert median(watts) == median(kilowatts)


def test_load_mode_draws_less_at_low_throughput() -> None:
    fixed, coupled = (
        answer(f"power.mode={mode}", "power.rated_power_fraction=1", scenario="oviedo-2026")
        for mode in ("fraction", "load")
    )
    assert median(coupled) < 0.81 * median(fixed)


def test_prompt_tokens_are_priced() -> None:
    short, long = (answer(f"workload.input_tokens={tokens}") for tokens in (100, 10_000))
    assert median(long) > 2 * median(short)
    assert 0 < median(short, "prompt_energy_share") < median(long, "prompt_energy_share") < 1


def test_grade_is_the_worst_of_what_moves_the_line() -> None:
    line = report().line("energy_per_query_wh")
    assert line.grade == "assumption"
    assert "power.busy_fraction" in line.inputs
    assert "workload.long_output_tokens" not in line.inputs
    assert list(map(abs, line.effects)) == sorted(map(abs, line.effects), reverse=True)


def test_every_line_can_be_explained() -> None:
    found = report()
    known = {record.path for record in found.inputs}
    for line in found.lines:
        assert line.formula
        assert set(line.inputs) <= known
        assert line.id in render(found, "table", explain=line.id)


def test_a_set_value_says_so() -> None:
    found = report("facility.pue=1.2")
    record = next(record for record in found.inputs if record.path == "facility.pue")
    assert record.sources == ("--set facility.pue",)
    assert record.grade == "assumption"


def test_a_model_without_a_table_here_is_carried_over_and_said() -> None:
    codes = {warning.code for warning in report("serving.server=mi300x-8gpu").warnings}
    assert "W-ENERGY-CARRIED" in codes
    found = report("serving.server=dgx-h100")
    # In FP8 it needs more than eight H100: nothing for the roofline to say.
    assert "W-ENERGY-SCALED" in {warning.code for warning in found.warnings}
    row = next(row for row in found.table("throughput").records() if row["model"] == "deepseek-r1")
    assert row["grade"] == "estimate"


def test_every_shipped_server_answers() -> None:
    for server in CATALOG.ids("servers"):
        found = answer(f"serving.server={server}")
        assert median(found) > 0


@pytest.mark.parametrize(
    ("change", "code", "hint"),
    [
        ('serving.models=["deepseek-r1", "llama-9"]', "E121", "did you mean"),
        ("serving.server=dgx-h1000", "E121", "dgx-h100"),
        ("energy.blend.weights={mixtral-8x22b=1}", "E130", "energy.blend.weights"),
        ("power.mode=fraction", "E132", "rated_power_fraction"),
        ("serving.profiles={deepseek-r1='nothing'}", "E121", ""),
        ("facility.operator=gogle", "E121", "google"),
    ],
)
def test_names_that_lead_nowhere(change: str, code: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        answer(change)
    assert code in {problem.code for problem in caught.value.problems}
    assert any(hint in problem.hint for problem in caught.value.problems)


GPT3 = ('serving.models=["gpt3-175b"]', "energy.blend.weights={gpt3-175b=1}")


def test_a_model_nobody_measured_is_computed_and_said() -> None:
    found = report(*GPT3)
    (warning,) = [one for one in found.warnings if one.code == "W-ENERGY-ROOFLINE"]
    assert "gpt3-175b (roofline, calibration offline" in warning.message
    (row,) = found.table("throughput").records()
    assert (row["engine"], row["grade"], row["measured_on"]) == ("roofline, calibration offline", "estimate", None)
    assert 0.03 < row["law_error_loo"] < 0.3
    line = next(line for line in found.lines if line.id == "energy_per_query_wh")
    assert line.value is not None
    assert line.value > 0


def test_the_law_of_the_paper_needs_a_table() -> None:
    with pytest.raises(InputError) as caught:
        answer(*GPT3, "serving.law=loglinear")
    assert ("E136", "models with a table") in {(one.code, one.hint[:19]) for one in caught.value.problems}


def test_all_wrong_names_are_reported_together() -> None:
    with pytest.raises(InputError) as caught:
        answer("serving.server=nope", "facility.grid=nope", "facility.operator=nope", 'serving.models=["nope"]')
    assert len(caught.value.problems) >= 4


POSITIVE = st.floats(0.05, 1.0)


@settings(max_examples=25, deadline=None)
@given(busy=POSITIVE, production=POSITIVE, pue=st.floats(1.0, 3.0), tokens=st.integers(1, 20_000))
def test_energy_is_finite_and_positive(busy: float, production: float, pue: float, tokens: int) -> None:
    changes = [
        f"power.busy_fraction={busy}",
        f"serving.production_fraction={production}",
        f"facility.pue={pue}",
        f"workload.output_tokens={tokens}",
        "uncertainty.samples=64",
    ]
    found = answer(*changes)
    assert median(found) > 0
    assert found.lines["boundary_factor_pue"]["value"] == pytest.approx(pue, rel=1e-9)


@pytest.mark.parametrize("method", ["lhs", "sobol"])
def test_other_ways_of_sampling_agree(method: str) -> None:
    random = median(answer("uncertainty.samples=65536"))
    other = median(answer("uncertainty.samples=65536", f"uncertainty.sampling={method}"))
    assert other == pytest.approx(random, rel=0.02)


def test_correlated_inputs_widen_the_band() -> None:
    free = answer("uncertainty.samples=65536")
    pair = 'a="workload.input_tokens", b="workload.output_tokens", rho=0.9'
    tied = answer("uncertainty.samples=65536", f"uncertainty.correlations=[{{{pair}}}]")

    def spread(found: Result) -> float:
        line = found.lines["energy_per_query_wh"]
        assert line["p95"]
        assert line["p5"]
        return line["p95"] / line["p5"]

    assert spread(tied) > 1.2 * spread(free)
