"""Configurations from benchmarks and from the serving model, and the two levers at their worst step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from aiplan.errors import InputError
from aiplan.planners.thermal.hall import NO_ENDPOINT, Vms, equal_hall
from aiplan.planners.thermal.llm_config import LlmConfig, hottest_of, server_power_w
from aiplan.planners.thermal.model import row_power_w
from aiplan.planners.thermal.oversubscribe import random_slots
from aiplan.planners.thermal.peak_routing import route_peak
from aiplan.planners.thermal.row_configuration import configure_row
from tests.thermal.cases import small_hall
from tests.thermal.golden import small

HALL = equal_hall(1, 4, 1, 26_000.0, 840.0)
FULL = LlmConfig("full", "big", "bf16", 8, 8, 1.0, 64, 1000.0, 500.0, 50.0, 6000.0, 390.0, 1.0, "given")
SLOW = replace(FULL, name="slow", frequency_share=0.8, tokens_per_s=850.0, server_w=4200.0, gpu_w=250.0)
SMALL_MODEL = replace(FULL, name="small", model="small", tokens_per_s=4000.0, server_w=5000.0, gpu_w=330.0, quality=0.8)
LATE = replace(FULL, name="late", tokens_per_s=5000.0, tpot_ms=500.0)


def vms(saas: list[bool], load: float) -> tuple[Vms, np.ndarray]:
    kind = np.array(saas)
    flat = np.full((kind.size, 24), load)
    names = tuple(f"v{number}" for number in range(kind.size))
    return Vms(names, kind, np.where(kind, 0, NO_ENDPOINT), flat, flat), np.full((kind.size, 3), load)


def test_a_whole_budget_changes_nothing() -> None:
    known, load = vms([True, True, False, False], 0.8)
    normal, emergency = configure_row(HALL, known, np.arange(4), load, np.full(3, 20.0), [FULL, SLOW, SMALL_MODEL],
                                      (1000.0, 100.0), 0.75)  # fmt: skip
    assert normal.names == ("full", "full")
    assert normal.found.unmet_tokens_s.sum() == 0.0
    # 2 x 1.6 + 2 x 4.9 x 0.8 kW of opaque VMs leave 8.46 of 19.5 kW: enough for two slow servers.
    assert emergency.budget_w == pytest.approx(19_500.0)
    assert emergency.found.row_w[0] <= 19_500.0 + 1e-6
    assert emergency.names == ("slow", "slow")


def test_opaque_vms_keep_what_they_draw() -> None:
    known, load = vms([True, True, False, False], 1.0)
    for one in configure_row(HALL, known, np.arange(4), load, np.full(3, 20.0), [FULL, SLOW], (1000.0, 100.0), 0.5):
        saas_w = sum({"full": 6000.0, "slow": 4200.0, "": 1600.0}[name] for name in one.names)
        assert one.found.row_w[0] == pytest.approx(13_000.0 + saas_w)


def test_a_configuration_that_breaks_a_promise_is_never_taken() -> None:
    known, load = vms([True] * 4, 1.0)
    for one in configure_row(HALL, known, np.arange(4), load, np.full(3, 20.0), [FULL, LATE], (1000.0, 100.0), 0.6):
        assert "late" not in one.names


def test_a_hot_slot_runs_cooler_gpus() -> None:
    hot = replace(HALL, gpu_offset_c=np.full(4, 14.0))
    known, load = vms([True] * 4, 0.5)
    assert hottest_of(hot, FULL, 22.0) + 14.0 > hot.t_max_c > hottest_of(hot, SLOW, 22.0) + 14.0
    normal, _ = configure_row(hot, known, np.arange(4), load, np.full(3, 20.0), [FULL, SLOW], (1000.0, 100.0), 0.75)
    assert "full" not in normal.names
    assert normal.found.hottest_c.max() <= hot.t_max_c


def test_a_hall_of_opaque_vms_has_nothing_to_configure_or_route() -> None:
    known, load = vms([False] * 4, 0.5)
    assert configure_row(HALL, known, np.arange(4), load, np.zeros(3), [FULL], (1e9, 1e9), 0.75) == []
    assert route_peak(HALL, known, np.arange(4), load, np.zeros(3)) is None


def test_power_of_a_server_follows_its_gpus() -> None:
    assert server_power_w(HALL, 8, 8, 400.0) == pytest.approx(6500.0)
    assert server_power_w(HALL, 8, 2, 400.0) == pytest.approx(1600.0 + 4900.0 / 4)


def test_routing_by_programme_is_within_limits_and_no_worse_than_none() -> None:
    hall, asked = small_hall(3)
    slots = random_slots(hall, asked.vms, 3)
    found = route_peak(hall, asked.vms, slots, asked.load, asked.outside_c)
    assert found is not None
    assert found.share <= found.unrouted_share + 1e-9
    assert found.unmet_share == 0.0
    assert found.hottest_c <= max(hall.t_max_c, found.unrouted_c) + 1e-6
    now = asked.load[:, found.step].copy()
    assert found.unrouted_share == pytest.approx((row_power_w(hall, slots, now) / hall.row_budget_w).max())
    now[asked.vms.saas] = found.routing.load_per_s
    for endpoint in range(4):
        mine = asked.vms.endpoint == endpoint
        assert now[mine].sum() == pytest.approx(asked.load[mine, found.step].sum())
    assert found.share == pytest.approx((row_power_w(hall, slots, now) / hall.row_budget_w).max(), rel=1e-6)


def test_what_fits_nowhere_is_a_number() -> None:
    known, load = vms([True] * 4, 1.0)
    found = route_peak(replace(HALL, row_budget_w=np.array([16_200.0])), known, np.arange(4), load, np.zeros(3))
    assert found is not None
    # 4 idle servers draw 6.4 kW; the other 9.8 carry half of the four loads.
    assert found.unmet_share == pytest.approx(0.5)


def test_the_serving_model_keeps_the_directions() -> None:
    rows = {str(row["configuration"]): row for row in small().table("configurations").records()}
    whole, fewer, slow, other = (rows[f"llama-3.1-{name}"] for name in
                                 ("70b bf16 TP8", "70b bf16 TP4", "70b bf16 TP8 80% clock", "8b bf16 TP8"))  # fmt: skip

    def change(config: Mapping[str, object], what: str) -> float:
        return float(config[what]) - float(whole[what])  # type: ignore[arg-type]

    assert change(fewer, "server_kw") < 0.0 < change(fewer, "hottest_c")
    assert change(slow, "server_kw") < 0.0
    assert change(slow, "hottest_c") < 0.0
    assert change(slow, "tokens_per_s") < 0.0
    assert change(slow, "quality") == 0.0
    assert change(other, "server_kw") < 0.0 < change(other, "tokens_per_s")
    assert change(other, "quality") < 0.0


def test_configurations_of_ones_own_replace_those_of_serving() -> None:
    one = ('{name="a", model="m", tp=8, gpus=8, frequency_share=1, batch=8, precision="bf16", tokens_per_s=100, '
           "ttft_ms=100, tpot_ms=10, server_w=6000, gpu_w=390, quality=1}")  # fmt: skip
    report = small(f"llm_config=[{one}]")
    assert [row["configuration"] for row in report.table("configurations").records()] == ["a"]
    with pytest.raises(InputError, match="given twice"):
        small(f"llm_config=[{one}, {one}]")


@pytest.mark.parametrize("override", ['serving.models=["nonesuch"]', "serving.hardware=nonesuch"])
def test_names_that_serving_does_not_know(override: str) -> None:
    with pytest.raises(InputError, match=r"serving\."):
        small(override)
