"""A scenario with every name looked up: requests, promises, machines, prices, and where each number comes from."""

from __future__ import annotations

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.split.case import SYNC_S, UTILISATION, Case, build_case
from aiplan.planners.split.demand import LEAST_REQUESTS
from aiplan.planners.split.design import Design
from aiplan.planners.split.inputs import SplitInputs
from aiplan.planners.split.replay import SIMULATOR
from aiplan.report.model import InputRecord

MODEL, PROFILE = "split-70b", "splitwise-2024"


def case(name: str, *overrides: str) -> Case:
    return build_case(load_scenario(name, SplitInputs, list(overrides), "split").inputs, Catalog())


def codes(found: Case) -> list[str]:
    return [warning.code for warning in found.warnings]


def recorded(found: Case) -> dict[str, InputRecord]:
    return {record.path: record for record in found.parameters.records()}


def test_the_shipped_scenarios() -> None:
    found = case(MODEL, "workload.requests_per_s=300")
    assert [one.name for one in found.prompt] == ["dgx-h100 TP4", "dgx-h200 TP4"]
    assert [one.accelerators for one in found.token] == [4.0, 4.0, 4.0]
    assert [limit.name for limit in found.limits][-1] == "E2E P99 < 30 s"
    assert (found.demand.rate_per_s, found.demand.cv2, found.utilisation, found.pue) == (300.0, 1.0, 0.85, 1.15)
    assert found.policy.layer_wise
    assert not found.simulator
    paper = case(PROFILE)
    assert len(paper.limits) == 9
    assert all(limit.slowdown for limit in paper.limits)
    assert paper.reference is not None
    assert (paper.reference.name, paper.policy, paper.simulator) == ("dgx-a100", SIMULATOR, True)
    assert codes(paper) == ["W-SPLIT-PCAP"]
    assert codes(case(PROFILE, 'hardware.token=["dgx-a100"]')) == []


def test_names_once_given_twice_count_once() -> None:
    found = case(PROFILE, 'hardware.prompt=["dgx-a100", "dgx-a100"]')
    assert [one.name for one in found.prompt] == ["dgx-a100"]


def test_what_is_not_said_is_recorded_as_an_assumption() -> None:
    records = recorded(case(PROFILE))
    for path, default in (("split.utilisation_fraction", UTILISATION), ("transfer.sync_s", SYNC_S)):
        assert records[path].value == default
        assert records[path].grade == "assumption"
        assert records[path].sources == ("default of aiplan",)
    given = recorded(case(PROFILE, "transfer.sync_s=0.25", "split.utilisation_fraction=0.5",
                          "serving.decode_model=measured"))  # fmt: skip
    assert given["transfer.sync_s"].value == 0.25
    assert "default of aiplan" not in given["transfer.sync_s"].sources
    changed = case(PROFILE, "transfer.sync_s=0.25", "serving.decode_model=measured", "transfer.layer_wise=false")
    assert (changed.policy.sync_s, changed.policy.layer_wise) == (0.25, False)


def test_what_changes_nothing_is_not_recorded_unless_given() -> None:
    neutral = {"facility.pue", "workload.cache_hit_fraction", "workload.peak_to_mean"}
    assert not neutral & recorded(case(PROFILE)).keys()
    given = recorded(case(PROFILE, "facility.pue=1", "workload.cache_hit_fraction=0", "workload.peak_to_mean=1"))
    assert neutral <= given.keys()
    assert "default of aiplan" not in given["facility.pue"].sources


def test_times_name_their_source_and_grade() -> None:
    catalog = Catalog()
    entry = catalog.get("profiles", "splitwise-bloom-176b")
    # Nothing was measured on the capped machine.
    assert case(PROFILE).times == (entry.source, "assumption")
    assert case(PROFILE, 'hardware.token=["dgx-a100"]').times == (entry.source, entry.grade)
    assert entry.grade != "assumption"
    source, grade = case(MODEL).times
    assert "InferenceX" in catalog.title(source)
    assert grade == "measured"


def test_requests_come_as_often_and_as_long_as_asked() -> None:
    demand = case(MODEL, "workload.duration_s=200", "workload.requests_per_s=300").demand
    found = demand.requests(3, 300.0)
    assert found.count == pytest.approx(300 * 200, rel=0.02)
    assert found.arrival_s[-1] == pytest.approx(200, rel=0.01)
    assert found.prompt_tokens.mean() == pytest.approx(1155, rel=0.05)  # Azure 2023, conversation
    assert found.output_tokens.mean() == pytest.approx(211, rel=0.05)
    assert np.array_equal(found.prompt_tokens, demand.requests(3, 300.0).prompt_tokens)
    assert not np.array_equal(found.prompt_tokens[:100], demand.requests(4, 300.0).prompt_tokens[:100])
    assert demand.requests(3, 30.0).count == pytest.approx(6000, rel=0.05)


@pytest.mark.parametrize("rate", [0.001, 0.5, 20.0])
def test_a_replay_lasts_until_a_percentile_means_something(rate: float) -> None:
    demand = case(MODEL, "workload.duration_s=1").demand
    for seed in range(5):
        found = demand.requests(seed, rate)
        assert 0.8 * LEAST_REQUESTS <= found.count <= 1.2 * LEAST_REQUESTS
        assert found.count / found.arrival_s[-1] == pytest.approx(rate, rel=0.15)


def test_a_trace_keeps_its_requests_at_any_rate() -> None:
    plain = load_scenario(PROFILE, SplitInputs, ["split.objective=usd"], "split").inputs
    work = plain.workload.model_copy(update={"statistics": None, "trace": "conversation-synthetic",
                                             "requests_per_s": None})  # fmt: skip
    demand = build_case(plain.model_copy(update={"workload": work}), Catalog()).demand
    own, fast = demand.requests(0, demand.rate_per_s), demand.requests(1, 4 * demand.rate_per_s)
    assert demand.trace is not None
    assert np.array_equal(own.arrival_s, demand.trace.arrival_s)
    assert np.array_equal(own.prompt_tokens, fast.prompt_tokens)
    assert np.diff(fast.arrival_s) == pytest.approx(np.diff(own.arrival_s) / 4, abs=1e-9)


def test_lengths_may_be_given_as_spreads() -> None:
    plain = load_scenario(MODEL, SplitInputs, [], "split").inputs
    spread = load_scenario(
        MODEL, SplitInputs,
        ["workload.input_tokens={uniform={low=100,high=300}}", "workload.output_tokens=50"], "split",
    ).inputs  # fmt: skip
    assert plain.workload.statistics is not None
    inputs = spread.model_copy(update={"workload": spread.workload.model_copy(update={"statistics": None})})
    found = build_case(inputs, Catalog()).demand.requests(0, 100.0)
    assert 100 <= found.prompt_tokens.min() < 110
    assert 290 < found.prompt_tokens.max() <= 300
    assert found.prompt_tokens.mean() == pytest.approx(200, rel=0.02)
    assert set(found.output_tokens) == {50}


def test_bursts_are_those_asked_for() -> None:
    for cv2 in (0.0, 4.0):
        found = case(MODEL, f"workload.arrival_cv2={cv2}", "workload.duration_s=100").demand.requests(0, 100.0)
        gaps = np.diff(found.arrival_s)
        assert gaps.var() / gaps.mean() ** 2 == pytest.approx(cv2, rel=0.25, abs=1e-9)


def test_hits_shorten_what_is_computed_not_what_is_held() -> None:
    found = case(MODEL, "workload.cache_hit_fraction=0.75").demand.requests(0, 100.0)
    assert found.computed_tokens is not None
    assert found.computed_tokens.sum() == pytest.approx(0.25 * found.prompt_tokens.sum(), rel=0.01)
    assert found.computed_tokens.min() >= 1


def test_promises_of_slowdown_and_of_seconds_stand_side_by_side() -> None:
    found = case(PROFILE, "slo.ttft_p99_s=2")
    assert [limit.name for limit in found.limits if not limit.slowdown] == ["TTFT P99 < 2 s"]
    assert len(found.limits) == 10


def test_caps_and_degrees_multiply() -> None:
    found = case(MODEL, "hardware.token_caps_w=[400, 500]", "hardware.tensor_parallel=[4, 8]",
                 'hardware.token=["dgx-h100"]')  # fmt: skip
    assert [one.name for one in found.token] == [
        "dgx-h100 TP4", "dgx-h100 TP4 400 W", "dgx-h100 TP4 500 W", "dgx-h100", "dgx-h100 400 W", "dgx-h100 500 W",
    ]  # fmt: skip
    assert len(found.prompt) == 4
    free, tight, loose = (one.watts for one in found.token[:3])
    assert tight.provisioned_w == pytest.approx(free.provisioned_w - 300 * 4)
    assert tight.provisioned_w < loose.provisioned_w < free.provisioned_w
    assert found.token[3].watts.provisioned_w == pytest.approx(2 * free.provisioned_w)
    assert tight.prompt_w <= loose.prompt_w <= free.prompt_w
    for one in found.token:
        assert 0 < one.watts.idle_w <= one.watts.token_w <= one.watts.prompt_w
        assert one.watts.prompt_w <= one.watts.provisioned_w, one.name


def test_a_machine_without_memory_is_left_out_with_a_warning() -> None:
    found = case(MODEL, "serving.precision=bf16", "hardware.tensor_parallel=[1, 4]")
    assert "dgx-h100 TP1" not in [one.name for one in found.prompt]
    assert "W-SPLIT-SKIPPED" in codes(found)
    assert any("dgx-h100 TP1 is left out" in warning.message for warning in found.warnings)


def test_prices_by_basis() -> None:
    own, rented = (case(PROFILE, f"cost.basis={basis}") for basis in ("profile", "neocloud"))
    by_name = {one.name: one for one in own.prompt}
    assert by_name["dgx-h100"].usd_per_h.value > by_name["dgx-a100"].usd_per_h.value > 0
    records = recorded(rented)
    assert "accelerators.h100-sxm.neocloud_usd_per_h" in records
    assert not any(path.startswith("profiles.") and path.endswith("usd_per_h") for path in records)
    assert "profiles.splitwise-bloom-176b.machines.dgx-h100.usd_per_h" in recorded(own)
    # What is recorded is what the catalog says, of one accelerator; the machine has eight.
    one = next(one for one in rented.prompt if one.name == "dgx-h100")
    each = records["accelerators.h100-sxm.neocloud_usd_per_h"].value
    assert one.usd_per_h.distribution.median == pytest.approx(8 * each)


def test_without_prices_there_is_no_cheapest() -> None:
    """Machines of the serving model have no rent in a profile."""
    free = ("cost.basis=profile",)
    for asked in ((), ("split.objective=power", "split.budget_usd_per_h=300")):
        with pytest.raises(InputError, match="has a price by basis 'profile'") as caught:
            case(MODEL, *free, *asked)
        problem = caught.value.problems[0]
        assert (problem.code, problem.path) == ("E222", "cost.basis")
    for objective in ("power", "machines"):
        found = case(MODEL, *free, f"split.objective={objective}")
        assert all(one.usd_per_h is None for one in (*found.prompt, *found.token))


def test_the_price_of_a_machine_is_that_of_its_accelerators() -> None:
    for one in case(MODEL).prompt:
        price = Catalog().get("accelerators", one.accelerator).neocloud_usd_per_h
        assert one.usd_per_h is not None
        assert one.usd_per_h.value == pytest.approx(4 * price.value)
        assert one.usd_per_h.distribution.median == pytest.approx(4 * price.distribution.median)


def test_what_is_bought_has_spares_of_each_pool() -> None:
    found = case(MODEL)
    design = Design(found.prompt[0], 6, found.token[2], 3)
    bought = found.bought(design)
    assert bought.pair == design.pair
    assert bought.prompts > 6
    assert bought.tokens > 3
    assert bought.usd_per_h == pytest.approx(4 * (1.69 * bought.prompts + 1.40 * bought.tokens))  # catalog: neocloud
    assert bought.power_w > design.power_w
    alone = Design(found.mixed[0], 8)
    assert found.bought(alone).tokens == 0
    assert 8 < found.bought(alone).prompts < 20
    assert case(MODEL, "failures.spares=false").bought(design) is design
    assert case(PROFILE).reserve is None
    fragile = case(MODEL, "failures.accelerator_mttf_h=100").bought(design)
    assert fragile.prompts > bought.prompts


@pytest.mark.parametrize(
    ("name", "overrides", "said"),
    [
        (MODEL, ("serving.decode_model=measured",), ["serving.decode_model"]),
        (PROFILE, ("serving.engine=vllm", "serving.kv_precision=fp3", "hardware.tensor_parallel=[3]"),
         ["serving.engine", "serving.kv_precision", "hardware.tensor_parallel"]),
        (PROFILE, ("hardware.token_caps_w=[400]",), ["hardware.token_caps_w"]),
    ],
)  # fmt: skip
def test_what_nothing_reads_is_said(name: str, overrides: tuple[str, ...], said: list[str]) -> None:
    assert "W-SPLIT-INACTIVE" not in codes(case(name))
    found = next(one for one in case(name, *overrides).warnings if one.code == "W-SPLIT-INACTIVE")
    assert found.message == f"nothing reads {', '.join(said)} here"
    assert found.path == said[0]


@pytest.mark.parametrize(
    "path", ["facility.pue", "split.utilisation_fraction", "failures.mttr_h", "workload.cache_hit_fraction"]
)
def test_what_is_taken_at_its_median_is_said(path: str) -> None:
    assert "W-SPLIT-MEDIAN" not in codes(case(MODEL))
    low, high = {"facility.pue": (1.1, 1.5), "failures.mttr_h": (12.0, 36.0)}.get(path, (0.3, 0.7))
    found = case(MODEL, f"{path}={{uniform={{low={low},high={high}}}}}")
    warned = [(one.code, one.path) for one in found.warnings]
    assert recorded(found)[path].value == pytest.approx((low + high) / 2)
    assert ("W-SPLIT-MEDIAN", path) in warned


@pytest.mark.parametrize(
    ("name", "overrides", "code", "path"),
    [
        (MODEL, ("serving.profile=splitwise-bloom-176b",), "E222", "serving"),
        (MODEL, ("hardware.prompt=[]",), "E222", "hardware.prompt"),
        (MODEL, ("hardware.token=[]",), "E222", "hardware.token"),
        (MODEL, ("workload.trace=conversation-synthetic",), "E222", "workload.trace"),
        (MODEL, ("workload.output_tokens=3",), "E222", "workload"),
        (MODEL, ("workload.peak_to_mean=1.5", f"workload.hourly_factors={[1.0] * 24}"), "E222",
         "workload.hourly_factors"),
        (MODEL, ("serving.engine=mlx",), "E222", "serving.engine"),
        (MODEL, ("serving.precision=fp3",), "E222", "serving.precision"),
        (MODEL, ("serving.kv_precision=fp3",), "E222", "serving.kv_precision"),
        (MODEL, ("serving.model=deepseek-r1",), "E221", "hardware.prompt"),
        (MODEL, ("hardware.tensor_parallel=[3]",), "E222", "hardware.tensor_parallel"),
        (MODEL, ("hardware.tensor_parallel=[16]",), "E222", "hardware.tensor_parallel"),
        (MODEL, ("hardware.prompt_caps_w=[5]",), "E222", "hardware.prompt_caps_w"),
        (MODEL, ("hardware.token_caps_w=[701]",), "E222", "hardware.token_caps_w"),
        (MODEL, ('hardware.mixed=["tpu"]',), "E121", "hardware.mixed"),
        (MODEL, ("split.objective=rate",), "E222", "split.objective"),
        (PROFILE, ("slowdown.reference=dgx-h200",), "E220", "slowdown.reference"),
        (PROFILE, ('hardware.mixed=["dgx-h200"]',), "E220", "hardware.mixed"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(name: str, overrides: tuple[str, ...], code: str, path: str) -> None:
    with pytest.raises(InputError) as caught:
        case(name, *overrides)
    problem = caught.value.problems[0]
    assert (problem.code, problem.path) == (code, path)
    assert problem.hint
