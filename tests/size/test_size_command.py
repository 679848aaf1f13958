"""`aiplan size` as a whole: the reference case, objectives, machines, exit codes."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiplan.cli import COMMANDS, Command
from aiplan.errors import InfeasibleError, InputError
from aiplan.planners.size.report import LINES
from aiplan.planners.size.search import ask, times
from aiplan.planners.size.solve import ORDER, settled_batch
from aiplan.report.formats import render
from aiplan.report.model import Report
from tests.catalog.overlays import SERVER, SOURCE
from tests.cli.runner import run
from tests.energy.test_golden import assert_same
from tests.size.cases import REPLICAS, constants, deployment
from tests.size.golden import FOLDER, NAME, answer

# AIConfigurator 0.12 `recommend` on this case, TensorRT-LLM 1.3.0rc20: 11 x TP4 (a prediction, not a measurement).
AICONFIGURATOR_GPUS = 44
AICONFIGURATOR_TOK_S_PER_GPU = 571.0
ALL = 'hardware.servers=["all"]'
FORMATS = 'serving.precisions=["bf16", "fp8"]'


def value(report: Report, line: str) -> Any:
    return report.line(line).value


def rows(report: Report, table: str = "all_candidates") -> list[dict[str, Any]]:
    return report.table(table).records()


def codes(report: Report) -> list[str]:
    return [warning.code for warning in report.warnings]


def feasible(report: Report) -> list[dict[str, Any]]:
    return [row for row in rows(report) if row["gpus"] is not None]


# ---- the reference case ----


def test_golden() -> None:
    golden = json.loads((FOLDER / f"{NAME}.json").read_text(encoding="utf-8"))
    assert_same(json.loads(render(answer(), "json")), golden)


def test_on_the_same_terms_the_reference_case_takes_as_many_gpus_as_aiconfigurator_within_a_fifth() -> None:
    report = answer("size.utilisation_fraction=1", "failures.spares=false", "workload.arrival_cv2=0",
                    "workload.service_cv2=0")  # fmt: skip
    assert value(report, "gpus") == pytest.approx(AICONFIGURATOR_GPUS, rel=0.2)
    tp4 = next(row for row in rows(report) if row["option"] == "TP4")
    assert tp4["tok_s_per_gpu"] == pytest.approx(AICONFIGURATOR_TOK_S_PER_GPU, rel=0.1)
    assert value(report, "gpus") == value(answer(), "gpus_bare")


def test_one_gpu_per_replica_is_starved_of_memory() -> None:
    last = feasible(answer())[-1]
    assert (last["option"], last["binding"]) == ("TP1", "KV capacity")


def test_lines_are_those_of_the_best_row_and_all_are_described() -> None:
    report = answer()
    assert [line.id for line in report.lines] == list(LINES)
    best = rows(report, "candidates")[0]
    for name in ("gpus", "replicas", "batch", "ttft_ms", "tpot_ms", "binding", "cost_usd_per_h", "spare_replicas"):
        assert value(report, name) == best[name]
    assert value(report, "cost_usd_per_h") == pytest.approx(1.74 * value(report, "gpus"))  # catalog: neocloud H200
    million = 50 * 500 * 3600 / 1e6
    assert value(report, "usd_per_million_tokens") == pytest.approx(value(report, "cost_usd_per_h") / million)
    host, pue = 1600 / 8, 1.15  # host of a DGX H200 and PUE of a hyperscaler, medians near these
    rough = pue * (value(report, "power_kw") + host * value(report, "gpus") / 1e3)
    assert value(report, "facility_power_kw") == pytest.approx(rough, rel=0.05)
    for line in report.lines:
        if line.id not in ("binding", "gpus_per_replica", "spare_replicas", "ttft_ms", "wait_ms"):
            assert line.inputs, line.id


# ---- what must hold for every plan ----


@settings(max_examples=12, deadline=None)
@given(
    st.floats(0.1, 500.0), st.floats(100.0, 8000.0), st.floats(50.0, 2000.0), st.booleans(),
    st.sampled_from(["gpus", "usd", "power"]),
)  # fmt: skip
def test_gpus_are_replicas_times_layout_and_the_best_is_first(
    rate: float, prompt: float, output: float, whole: bool, objective: str
) -> None:
    report = answer(
        f"workload.requests_per_s={rate}", f"workload.input_tokens={prompt}", f"workload.output_tokens={output}",
        f"hardware.whole_servers={str(whole).lower()}", f"size.objective={objective}",
        'hardware.servers=["dgx-h200", "dgx-b200"]', FORMATS,
    )  # fmt: skip
    found = feasible(report)
    for row in found:
        product = row["replicas"] * row["gpus_per_replica"]
        degrees = [int(degree) for name, degree in re.findall(r"(TP|PP|DP)(\d+)", row["option"])]
        assert row["gpus_per_replica"] == math.prod(degrees)
        assert row["gpus"] == product if not whole else row["gpus"] % 8 == 0 and row["gpus"] >= product
    columns = {"gpus": "gpus", "usd": "cost_usd_per_h", "power": "facility_power_kw"}
    keys = [tuple(row[columns[name]] for name in ORDER[objective]) for row in found]
    assert keys == sorted(keys)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 1000.0), st.floats(1.0, 4.0))
def test_more_requests_never_take_fewer_gpus(rate: float, factor: float) -> None:
    few, many = (value(answer(f"workload.requests_per_s={one}"), "gpus") for one in (rate, rate * factor))
    assert many >= few


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["slo.tpot_ms", "slo.ttft_ms"]), st.floats(1.0, 4.0))
def test_looser_promises_never_take_more_gpus(name: str, factor: float) -> None:
    strict = {"slo.tpot_ms": 30.0, "slo.ttft_ms": 600.0}[name]
    first, second = (value(answer(f"{name}={one}"), "gpus") for one in (strict, strict * factor))
    assert second <= first


def test_headroom_spares_bursts_and_own_queues_cost() -> None:
    plain = value(answer(), "gpus")
    assert value(answer("size.utilisation_fraction=0.5"), "gpus") > plain
    assert value(answer("failures.availability_fraction=0.999999"), "gpus") > plain
    assert value(answer("workload.arrival_cv2=200"), "gpus") > plain
    assert value(answer("serving.shared_queue=false"), "gpus") > plain
    assert value(answer("failures.spares=false"), "spare_replicas") == 0


def test_relaxing_what_binds_saves_and_the_error_of_the_model_moves_the_answer() -> None:
    report = answer()
    by_name = {row["what"]: row for row in rows(report, "sensitivity")}
    assert value(report, "binding") == "TPOT"
    assert by_name["TPOT 10 % longer"]["saved_gpus"] > 0
    assert by_name["TTFT 10 % longer"]["saved_gpus"] == 0
    assert by_name["TPOT 10 % longer"]["gpus"] == value(answer("slo.tpot_ms=55"), "gpus")
    assert by_name["10 % fewer requests"]["gpus"] == value(answer("workload.requests_per_s=45"), "gpus")
    assert value(report, "gpus_low") < value(report, "gpus") < value(report, "gpus_high")


def test_cheapest_is_not_fewest_and_a_server_price_is_written_off() -> None:
    many = (ALL, 'serving.precisions=["nvfp4", "fp8"]')
    fewest, cheapest = (answer(*many, f"size.objective={aim}") for aim in ("gpus", "usd"))
    assert value(cheapest, "cost_usd_per_h") < value(fewest, "cost_usd_per_h")
    assert value(cheapest, "gpus") >= value(fewest, "gpus")
    assert codes(fewest).count("W-SIZE-PRICE") == 1
    owned = answer("cost.basis=server", "cost.electricity_usd_per_kwh=0.1", "cost.lifetime_years=4")
    capital = 386_000 / 8 / (4 * 8766) * value(owned, "gpus")  # catalog: price of a DGX H200
    power = 0.1 * value(owned, "facility_power_kw")
    assert value(owned, "cost_usd_per_h") == pytest.approx(capital + power)


def test_a_model_larger_than_a_server_spans_several() -> None:
    report = answer("serving.model=kimi-k2", 'hardware.servers=["dgx-h100"]')
    assert value(report, "gpus_per_replica") > 8
    assert "W-SIZE-SCALEOUT" in codes(report)


def test_a_plan_that_hinges_on_ttft_says_so() -> None:
    report = answer(f"slo.ttft_ms={1.05 * value(answer(), 'ttft_ms')}")
    assert "W-SIZE-TTFT" in codes(report)


def test_plans_on_the_edge_are_warned_of() -> None:
    fastest = min(row["tpot_ms"] for row in feasible(answer("serving.batch_max=1")))
    assert "W-SIZE-FRAGILE" in codes(answer(f"slo.tpot_ms={1.05 * fastest}"))
    assert "W-SIZE-MEMORY" in codes(answer("serving.engine=sglang", "serving.tensor_parallel=[1]"))
    assert codes(answer()) == []


def test_a_server_that_cannot_be_timed_is_left_out(tmp_path: Path) -> None:
    server = SERVER.replace('"h100-sxm"', '"rubin-ultra-nvl576"').replace("my-server", "next-year")
    (tmp_path / "servers.toml").write_text(server, encoding="utf-8")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "mine.toml").write_text(SOURCE, encoding="utf-8")
    report = answer('hardware.servers=["dgx-h200", "next-year"]', overlay=tmp_path)
    assert "W-SIZE-SKIPPED" in codes(report)
    assert {row["server"] for row in rows(report)} == {"dgx-h200"}


def test_the_batch_in_use_obeys_littles_law() -> None:
    asked = ask(len(REPLICAS), prompt_tokens=2000.0, output_tokens=500.0)
    full = np.array([6.0, 58.0, 116.0, 60.0, 120.0, 60.0])
    top = full / times(deployment(), constants(), asked, full)[0]
    for share in (0.05, 0.5, 0.9, 0.999):
        batch = settled_batch(deployment(), constants(), asked, share * top, full)
        assert batch / times(deployment(), constants(), asked, batch)[0] == pytest.approx(share * top, rel=1e-6)


def test_hundreds_of_options_take_about_a_second() -> None:
    many = (ALL, 'serving.precisions=["bf16", "fp8", "nvfp4"]', "serving.model=deepseek-r1")
    answer(*many)
    start = time.process_time()
    report = answer(*many)
    assert len(rows(report)) > 500
    assert time.process_time() - start < 5.0


# ---- what cannot be ----


def test_no_plan_says_which_promise_fails_and_by_how_much() -> None:
    with pytest.raises(
        InfeasibleError, match=r"fail on TPOT; closest is TP8 in bf16 on dgx-h200, \d\.\d\d x"
    ) as caught:
        answer("slo.tpot_ms=5")
    assert caught.value.code == "E157"
    with pytest.raises(InfeasibleError, match="does not fit") as caught:
        answer("serving.model=deepseek-r1", "serving.gpus_per_replica_max=2")
    assert caught.value.code == "E158"


@pytest.mark.parametrize(
    "overrides",
    [
        ("serving.engine=mlx",),
        ('serving.precisions=["fp3"]',),
        ("serving.kv_precision=fp3",),
        ("serving.tensor_parallel=[3]",),
        ("size.objective=usd", 'hardware.servers=["dgx-a100"]'),
    ],
)
def test_what_cannot_be_priced_is_refused(overrides: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        answer(*overrides)
    assert caught.value.problems[0].code == "E159"


def test_unknown_names_are_refused_with_their_path() -> None:
    for override, path in (("serving.model=gpt-9", "serving.model"), ('hardware.servers=["tpu"]', "hardware.servers"),
                           ("facility.operator=nobody", "facility.operator")):  # fmt: skip
        with pytest.raises(InputError) as caught:
            answer(override)
        assert caught.value.problems[0].path == path


# ---- the command ----


@pytest.fixture
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "size", Command("aiplan.planners.size.command", "size", "GPUs for a request rate"))


@pytest.mark.usefixtures("_listed")
def test_exit_codes_and_formats() -> None:
    done = run("size", "--format", "csv", "--table", "candidates")
    assert done.code == 0
    assert "TP2" in done.out
    assert run("size").out.splitlines()[1].endswith("TPOT binds.")
    assert run("size", "--set", "slo.tpot_ms=5").code == 4
    assert run("size", "--set", "serving.model=deepseek-r1", "--set", "serving.gpus_per_replica_max=1").code == 4
    assert run("size", "--set", "serving.engine=mlx").code == 2
    assert "calibrations.online" in run("size", "--explain", "gpus").out
