"""Measures of a scenario as a mix: units, sizes, order, and what the search may combine."""

from __future__ import annotations

import pytest

from aiplan.planners.stabilize.candidates import Options
from aiplan.planners.stabilize.measures import measures
from aiplan.planners.stabilize.mitigation import INFINITE, Mix
from tests.stabilize.golden import DEFAULT, SHORT, answer
from tests.stabilize.test_case import case


def asked(*overrides: str) -> Mix:
    found = measures(case(*SHORT, *overrides))[0]
    assert found is not None
    return found


def allowed(*overrides: str) -> Options:
    return measures(case(*SHORT, *overrides))[1]


def storage(**fields: str) -> str:
    text = ", ".join(f"{key}={value}" for key, value in {"time_constant_s": "3", **fields}.items())
    return f"mitigation.storage.bank={{{text}}}"


def test_without_measures_the_search_decides() -> None:
    assert measures(case(*SHORT))[0] is None
    assert asked("mitigation={}") == Mix()


def test_levels_are_shares_of_tdp() -> None:
    mix = asked("mitigation.gpu={floor_fraction=0.65, ramp_up_w_per_s=50, hysteresis_s=2}",
                "mitigation.software={level_fraction=0.9, delay_s=0.1, back_off_s=0.2, slowdown_fraction=0.05}",
                "mitigation.start_cap={duration_s=20, initial_fraction=0.3}")  # fmt: skip
    assert mix.gpu is not None
    assert (mix.gpu.floor_w, mix.gpu.ramp_up_w_per_s, mix.gpu.ramp_down_w_per_s, mix.gpu.hysteresis_s) == pytest.approx(
        (780.0, 50.0, INFINITE, 2.0)
    )
    assert mix.secondary is not None
    assert (mix.secondary.level_w, mix.secondary.delay_s, mix.secondary.back_off_s) == pytest.approx((1080.0, 0.1, 0.2))
    assert (mix.secondary.ceiling_w, mix.secondary.slowdown_fraction) == pytest.approx((1320.0, 0.05))
    assert mix.start_cap is not None
    assert (mix.start_cap.duration_s, mix.start_cap.initial_w) == pytest.approx((20.0, 360.0))


def test_storage_at_the_site_is_one() -> None:
    one = asked(storage(technology='"supercapacitor"', level='"site"', energy_mwh="0.5", power_mw="120",
                        ramp_up_mw_per_s="9", initial_fraction="0.7")).storage[0]  # fmt: skip
    assert (one.energy_j, one.power_w) == pytest.approx((0.5 * 3.6e9, 120e6))
    assert (one.ramp_up_w_per_s, one.ramp_down_w_per_s, one.initial_fraction) == pytest.approx((9e6, INFINITE, 0.7))


def test_storage_in_racks_is_shared_by_accelerators() -> None:
    one = asked(storage(technology='"li-ion"', level='"rack"', energy_mwh="10", ramp_up_mw_per_s="9")).storage[0]
    assert one.energy_j == pytest.approx(10 * 3.6e9 / 100_000)
    assert one.ramp_up_w_per_s == pytest.approx(90.0)
    by_gpu = asked(storage(technology='"li-ion"', level='"rack"', energy_j_per_gpu="360000")).storage[0]
    assert by_gpu.energy_j == pytest.approx(one.energy_j)
    assert by_gpu.power_w == pytest.approx(one.power_w)


def test_a_rating_is_what_one_discharge_in_the_least_time_needs() -> None:
    found = case(*SHORT, storage(technology='"li-ion"', level='"site"', energy_mwh="10"))
    mix = measures(found)[0]
    assert mix is not None
    assert mix.storage[0].power_w == pytest.approx(10 * 3.6e9 / found.technologies["li-ion"].least_duration_s)


def test_storage_of_power_supplies_comes_with_its_energy() -> None:
    found = case(*SHORT, storage(technology='"psu-electrolytic"', level='"psu"'))
    mix = measures(found)[0]
    assert mix is not None
    assert mix.storage[0].energy_j == pytest.approx(65.0)


def test_storage_near_the_accelerators_sees_the_load_first() -> None:
    mix = asked('mitigation.storage={a={technology="li-ion", level="site", energy_mwh=1, time_constant_s=1}, '
                'b={technology="supercapacitor", level="rack", energy_mwh=1, time_constant_s=1}}')  # fmt: skip
    assert [one.level for one in mix.storage] == ["rack", "site"]


def test_uncertain_measures_count_at_their_median() -> None:
    found = case(*SHORT, "mitigation.gpu={floor_fraction={uniform={low=0.5, high=0.7}}}")
    mix = measures(found)[0]
    assert mix is not None
    assert mix.gpu is not None
    assert mix.gpu.floor_w == pytest.approx(720.0)
    assert found.parameters.uncertain() == ["mitigation.gpu.floor_fraction"]


def test_what_the_search_may_combine() -> None:
    found = allowed()
    assert found.floors_w == pytest.approx((0.0, 600.0, 780.0, 960.0, 1080.0))
    assert [one.level_w for one in found.secondary] == pytest.approx([1080.0])
    assert [one.id for one in found.technologies] == ["li-ion", "supercapacitor", "flywheel"]
    assert found.start_cap_w is None
    assert allowed("search.start_cap=true").start_cap_w == pytest.approx(180.0)


def test_accelerators_without_a_floor_are_left_alone() -> None:
    found = allowed("search.floor_possible=false")
    assert (found.floors_w, found.ramp_factors) == ((0.0,), (0.0,))


def test_empty_lists_leave_things_as_they_are() -> None:
    lists = ("floor_fractions", "ramp_factors", "software_fractions", "technologies", "time_constants_s",
             "period_factors")  # fmt: skip
    found = allowed(*(f"search.{name}=[]" for name in lists))
    assert (found.floors_w, found.ramp_factors, found.secondary, found.technologies) == ((0.0,), (0.0,), (), ())
    assert (found.time_constants_s, found.period_factors) == ((0.0,), (1.0,))


def test_one_job_cannot_be_staggered() -> None:
    assert allowed("search.stagger=true").stagger == (False,)
    assert allowed("search.stagger=true", "jobs.main.count=2").stagger == (False, True)


def test_a_technology_named_twice_is_looked_at_once() -> None:
    found = allowed('search.technologies=["li-ion", "li-ion"]')
    assert [one.id for one in found.technologies] == ["li-ion"]


@pytest.mark.parametrize("share", [0.96, 1.0, 1.1])
def test_a_floor_above_what_the_job_draws_is_answered(share: float) -> None:
    found = answer(DEFAULT, *SHORT, f"mitigation.gpu.floor_fraction={share}")
    assert found.line("energy_overhead_share").value > 0.1
    assert found.table("closed_forms").rows


def test_storage_without_a_rating_has_that_of_the_site_at_most() -> None:
    found = answer(DEFAULT, *SHORT, 'mitigation.storage.a={technology="supercapacitor", level="site", energy_mwh=3, '
                   "time_constant_s=3}")  # fmt: skip
    assert found.line("storage_mw").value == pytest.approx(100_000 * (0.95 * 1200 + 350) / 1e6)


def test_a_floor_on_accelerators_that_have_none_is_said() -> None:
    floor = "mitigation.gpu.floor_fraction=0.8"
    codes = {one.code for one in answer(DEFAULT, *SHORT, 'machine.server="dgx-h100"', floor).warnings}
    assert "W-STABILIZE-FLOOR" in codes
    assert "W-STABILIZE-FLOOR" not in {one.code for one in answer(DEFAULT, *SHORT, floor).warnings}
    hopper = answer(DEFAULT, *SHORT, 'machine.server="dgx-h100"', "cost.gpu_usd_per_h=2")
    assert not any("GPU" in str(row["family"]) for row in hopper.table("families").records())
