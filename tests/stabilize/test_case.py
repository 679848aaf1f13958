"""Look-ups of a stabilize scenario: what becomes of each number, and everything that is refused, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from aiplan.errors import InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.serving.load import power_class
from aiplan.planners.serving.power_constants import POWER_CONSTANTS
from aiplan.planners.stabilize.case import Case, build_case
from aiplan.planners.stabilize.fits import MOST_SEGMENTS, segments_of
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.measures import measures
from aiplan.planners.stabilize.timeline import Schedule, segments
from tests.stabilize.golden import DEFAULT, SHORT, shipped

TRAINING = (
    'jobs.main={accelerators=512, restart_s=60, jitter_fraction=0, skew_s=0, training={model="llama-3.1-70b", '
    "tensor_parallel=8, pipeline_parallel=4, micro_batch_sequences=1, global_batch_sequences=256, "
    "sequence_tokens=4096, kernel_efficiency_fraction=0.6, data_overlap_fraction=0.5, tensor_overlap_fraction=0.5}}"
)


def case(*overrides: str, name: str = DEFAULT) -> Case:
    return build_case(load_scenario(name, StabilizeInputs, list(overrides), "stabilize").inputs, shipped())


def refused(*overrides: str, name: str = DEFAULT) -> list[tuple[str, str]]:
    """Code and path of everything that is wrong with a scenario, sorted."""
    with pytest.raises(InputError) as caught:
        measures(case(*overrides, name=name))
    assert all(problem.hint and problem.path in problem.message for problem in caught.value.problems)
    return sorted((problem.code, problem.path) for problem in caught.value.problems)


# ---- what becomes of the numbers ----


def test_default_as_it_is_in_the_notes() -> None:
    """Reference job of the notes: 100,000 x (1,200 W TDP and 350 W around it), phases at 0.95 and 0.35 of TDP."""
    found = case()
    job = found.site.jobs[0]
    assert (found.tdp_w, found.site.constant_w, found.site.idle_w) == pytest.approx((1200.0, 350.0, 180.0))
    assert [phase.power_w for phase in job.phases] == pytest.approx([1140.0, 420.0])
    assert [phase.duration_s for phase in job.phases] == [1.6, 0.4]
    assert found.site.step_s == 0.02
    assert found.edpp_w == pytest.approx(1320.0)
    assert found.prices.energy_usd_per_wh == pytest.approx(6e-5)
    assert found.rates.starts == pytest.approx(4 * 365)
    assert found.rates.checkpoints == pytest.approx(48 * 365)


def test_what_the_scenario_leaves_out_comes_from_the_catalog() -> None:
    found = case(name="stabilize-405b-h100")
    server = shipped().get("servers", "dgx-h100")
    assert found.site.constant_w == pytest.approx(server.host_power_w.distribution.median / 8)
    share = POWER_CONSTANTS[power_class(server.accelerator)].idle_share
    assert found.site.idle_w == pytest.approx(share * found.tdp_w)
    records = {record.path: record for record in found.parameters.records()}
    assert records["machine.idle_fraction"].grade == "estimate"
    assert records["servers.dgx-h100.host_power_w"].sources
    assert found.prices.gpu_usd_per_h > 0


def test_every_number_of_the_scenario_is_an_input_with_a_source() -> None:
    found = case("search.most_storage_mwh=5", *SHORT)
    records = {record.path: record for record in found.parameters.records()}
    wanted = {"machine.constant_w", "jobs.main.phases.compute.duration_s", "jobs.main.checkpoint.power_fraction",
              "facility.load_fraction", "search.most_energy_overhead_fraction", "search.most_slowdown_fraction",
              "search.most_storage_wh", "year.uptime_fraction", "cost.rate_fraction",
              "grids.egrid-srvc.carbon_g_per_kwh", "limits.most_w"}  # fmt: skip
    assert wanted <= set(records)
    assert all(record.sources for record in records.values())


def test_failures_of_the_catalog_become_restarts() -> None:
    found = case(name="stabilize-405b-h100")
    each = shipped().get("costs", "interruptions-all").interruptions_per_year.distribution.median
    assert found.rates.restarts == pytest.approx(each * 16_384 * 0.95)
    assert case().rates.restarts == 0


def test_checkpoints_of_a_year_follow_the_run_where_nothing_is_said() -> None:
    """One per 300 iterations, with the checkpoint's own time between them."""
    found = case(name="stabilize-405b-h100")
    job = found.site.jobs[0]
    assert found.rates.checkpoints == pytest.approx(0.95 * 8760 * 3600 / (300 * job.iteration_s + 20))


def test_sampling_follows_the_limits() -> None:
    assert 1 / case("limits.bands.high={low_hz=30, high_hz=100, line_mw=1}").site.step_s == pytest.approx(250)
    assert 1 / case("simulation.sampling_hz=10").site.step_s == pytest.approx(10)


def test_slow_ramps_get_the_time_they_take() -> None:
    """At 10 MW/min 96 MW take ten minutes: idle ends, settling and length of the run follow."""
    slow = ("limits.ramp_up_mw_per_min=10", "limits.ramp_down_mw_per_min=10")
    found = case(*slow)
    assert found.site.idle_s > 576
    assert found.settle_s > 576
    assert found.site.duration_s > 2 * found.site.idle_s + found.settle_s


def test_training_in_place_of_phases() -> None:
    found = case(TRAINING, "machine.server=dgx-h100", "machine.constant_w=300")
    computed = found.computed["main"]
    assert sum(phase.duration_s for phase in computed.phases) == pytest.approx(computed.step.total_s)
    assert found.site.jobs[0].phases == computed.phases


def test_uncertain_inputs_count_at_their_median() -> None:
    found = case("machine.constant_w={uniform={low=300, high=400}}",
                 "search.most_slowdown_fraction={triangular={low=0.01, mode=0.02, high=0.09}}")  # fmt: skip
    assert found.site.constant_w == pytest.approx(350)
    assert 0.02 < found.caps.slowdown < 0.09
    assert found.parameters.uncertain() == ["machine.constant_w", "search.most_slowdown_fraction"]


# ---- what is refused ----


def test_all_unknown_names_at_once() -> None:
    found = refused("machine.server=nope", "limits.preset=nope", "facility.equipment.ups=nope", "cost.grid=nope",
                    'search.technologies=["nope"]', "year.failures=nope", "jobs.main.start_up_s=10")  # fmt: skip
    assert found == [
        ("E121", "cost.grid"), ("E121", "facility.equipment.ups"), ("E121", "machine.server"),
        ("E121", "search.technologies.0"), ("E121", "year.failures"), ("E309", "limits.preset"), ("E310", "jobs.main"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("override", "near"),
    [
        ('search.technologies=["li-on"]', "li-ion"),
        ("cost.grid=egrid-srv", "egrid-srvc"),
        ("machine.server=gb200-nvl72-rak", "gb200-nvl72-rack"),
        ("limits.preset=reference-c", "reference-a"),
        (TRAINING.replace("llama-3.1-70b", "llama-3.1-70bb"), "llama-3.1-70b"),
    ],
)
def test_names_that_are_nearly_right(override: str, near: str) -> None:
    with pytest.raises(InputError) as caught:
        case(override)
    assert any(near in problem.hint for problem in caught.value.problems)


def test_jobs_that_are_not_whole() -> None:
    both = TRAINING.replace("skew_s=0,", "skew_s=0, phases={a={duration_s=1, power_fraction=0.5}},")
    neither = "jobs.other={accelerators=8, restart_s=0, jitter_fraction=0, skew_s=0}"
    assert refused(both, neither) == [("E310", "jobs.main"), ("E310", "jobs.other")]


def test_training_that_cannot_be_carried_out() -> None:
    found = refused(TRAINING.replace("pipeline_parallel=4", "pipeline_parallel=7"), "machine.server=dgx-h100")
    assert set(found) == {("E311", "jobs.main.training")}


def test_a_site_without_power() -> None:
    nothing = [f"{path}=0" for path in (
        "machine.constant_w", "machine.idle_fraction", "jobs.main.phases.compute.power_fraction",
        "jobs.main.phases.communication.power_fraction")]  # fmt: skip
    assert refused(*nothing) == [("E310", "jobs")]


TENTHS = "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1]"


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        (("simulation.duration_s=10",), "simulation.duration_s"),
        (("simulation.duration_s=86400",), "simulation.duration_s"),
        (("simulation.sampling_hz=10000",), "simulation.sampling_hz"),
        ((*SHORT, "jobs.main.start_s=90"), "simulation.duration_s"),
        ((*SHORT, "mitigation.period_factor=100"), "mitigation.period_factor"),
        ((*SHORT, "search.period_factors=[1, 50]"), "search.period_factors.1"),
        ((*SHORT, "jobs.main.count=64", "jobs.main.accelerators=1000", "search.stagger=true",
          "search.period_factors=[1,2,3,4,5,6]", "simulation.sampling_hz=5000"), "jobs"),
        ((f"search.floor_fractions={TENTHS}", f"search.ramp_factors={TENTHS}", "search.period_factors=[0.5,1,2,4]",
          "search.time_constants_s=[1,2,3,4,5,6,7,8,9]", 'search.levels=["site", "rack"]'), "search"),
    ],
)  # fmt: skip
def test_runs_too_short_too_long_and_too_many(overrides: tuple[str, ...], path: str) -> None:
    assert refused(*overrides) == [("E312", path)]


@pytest.mark.parametrize("seconds", ["1e-9", "1e-6", "1e-5"])
def test_phases_too_short_to_be_laid_out(seconds: str) -> None:
    phases = f"a={{duration_s={seconds}, power_fraction=0.9}}, b={{duration_s={seconds}, power_fraction=0.4}}"
    job = f"jobs.main={{accelerators=1000, restart_s=0, jitter_fraction=0, skew_s=0, phases={{{phases}}}}}"
    assert refused(job) == [("E312", "jobs.main")]
    assert refused(job, "simulation.duration_s=86400", "simulation.sampling_hz=40") == [("E312", "jobs.main")]


def test_the_count_of_segments_is_that_of_the_schedule() -> None:
    """What is refused is counted without laying it out: a pause that does not fall due any more is counted in part."""
    site = case("jobs.main.jitter_fraction=0").site
    job = site.jobs[0]
    run_s = site.duration_s - 2 * site.idle_s
    laid_out = segments(Schedule(job.phases, run_s, 0.0, checkpoint=job.checkpoint), 0)
    assert segments_of(job, run_s) == pytest.approx(laid_out.duration_s.size, rel=0.02)
    assert segments_of(job, run_s) < MOST_SEGMENTS


def test_storage_and_levels_all_at_once() -> None:
    def bank(name: str, **fields: Any) -> str:
        text = ", ".join(f"{key}={value}" for key, value in {"time_constant_s": 1, **fields}.items())
        return f"mitigation.storage.{name}={{{text}}}"

    li, site = '"li-ion"', '"site"'
    found = refused(
        *SHORT, "simulation.duration_s=30",
        bank("day", technology=li, level=site, energy_mwh=1e6),
        bank("strong", technology=li, level=site, energy_mwh=1, power_mw=1e6),
        bank("away", technology=li, level='"psu"', energy_mwh=1),
        bank("none", technology=li, level=site),
        bank("twice", technology=li, level=site, energy_mwh=1, energy_j_per_gpu=5),
        "mitigation.gpu={floor_fraction=1.5}", "search.floor_fractions=[0, 1.9]", "search.software_fractions=[1.2]",
    )  # fmt: skip
    assert found == [
        ("E312", "simulation.duration_s"),
        ("E313", "mitigation.storage.none"), ("E313", "mitigation.storage.twice"),
        ("E314", "mitigation.storage.day"), ("E314", "mitigation.storage.strong.power_w"),
        ("E315", "mitigation.storage.away.level"),
        ("E316", "mitigation.gpu.floor_fraction"), ("E316", "search.floor_fractions.1"),
        ("E316", "search.software_fractions.0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "override",
    [
        "jobs.main.phases.compute.power_fraction=-1", "jobs.main.phases.compute.power_fraction=2.1",
        "jobs.main.phases.compute.duration_s=0", "jobs.main.accelerators=0", "jobs.main.count=65",
        "jobs.main.jitter_fraction=0.6", "facility.other_w=-1", "facility.load_fraction=0", "machine.edpp_factor=0.9",
        "simulation.duration_s=100000", "simulation.sampling_hz=0", "search.period_factors=[0]",
        "search.period_factors=[1e12]", "search.floor_fractions=[-0.1]", "year.starts_per_day=1e20",
        "mitigation.period_factor=0", 'search.levels=["roof"]', "machine.tdp_w=1e308", "cost.lifetime_years=0",
    ],
)  # fmt: skip
def test_numbers_out_of_their_range_are_refused_by_the_reader(override: str) -> None:
    with pytest.raises(InputError) as caught:
        case(override)
    assert caught.value.problems[0].path.startswith(override.split("=")[0].split("[")[0])
