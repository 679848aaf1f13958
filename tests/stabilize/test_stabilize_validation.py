"""The checks that `aiplan validate` runs for `aiplan stabilize`, and what its reasons say of our own job."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.errors import InputError
from aiplan.planners.arrays import as_array
from aiplan.planners.stabilize import validation_data as data_room
from aiplan.planners.stabilize.closed_forms import longest_flat_period_s
from aiplan.planners.stabilize.mitigation import GpuSmoothing, Mix
from aiplan.planners.stabilize.validation import CHECKS, NOT_REPRODUCED, band_mw, floored, line_mw, ran, scene, software
from aiplan.planners.stabilize.validation_tables import ACCELERATORS, AROUND_W, FLOORS, HIGH_W, LOW_W, TDP_W, cost_musd
from aiplan.study.validate import Check, Results
from tests.stabilize import test_measured_synthesis as log

CATALOG = Catalog()
RESULTS = Results(CATALOG)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.what)
def test_every_check_is_met(check: Check) -> None:
    got = check.got(RESULTS)
    assert abs(got / check.expected - 1) <= check.tolerance, (got, check.expected)


def test_names_differ_and_sources_are_known() -> None:
    names = [check.what for check in CHECKS] + [item.what for item in NOT_REPRODUCED]
    assert len(set(names)) == len(names)
    for source in [check.source for check in CHECKS] + [item.source for item in NOT_REPRODUCED]:
        assert CATALOG.title(source) != source


def test_nothing_of_our_own_is_called_published() -> None:
    """All is derived; of what others state only NVIDIA's 30 % was read where it is published."""
    assert {check.evidence for check in CHECKS} == {"derived"}
    said = [item for item in NOT_REPRODUCED if "second-hand" not in item.published]
    assert [item.published for item in said] == ["up to 30 % lower"]


def test_the_job_is_that_of_the_closed_forms() -> None:
    """Scenario and constants of the checks agree."""
    site = scene(CATALOG).site
    (job,) = site.jobs
    assert job.accelerators * job.count == ACCELERATORS
    assert sorted((phase.power_w, phase.duration_s) for phase in job.phases) == [(LOW_W, 0.4), (HIGH_W, 1.6)]
    assert site.constant_w == AROUND_W
    assert not site.conversion
    assert site.cooling_fraction == site.other_w == 0.0


def test_figures_in_the_reasons_are_those_of_the_job() -> None:
    floor, _, swing, *rest = NOT_REPRODUCED
    own = ran(CATALOG, floored(0.9))
    assert re.findall(r"([\d.]+) %", floor.reason) == [f"{100 * own.steady_energy:.1f}", f"{100 * own.energy:.1f}"]
    high, low = (float(text) for text in re.findall(r"\d\.\d", swing.reason))
    assert high - low == pytest.approx(0.2)
    flat = next(item.reason for item in rest if item.source == "nvidia-gb300-power")
    told = re.findall(r"periods up to ([\d.]+) to ([\d.]+) s", flat)
    assert told == [tuple(f"{float(longest_flat_period_s(65.0, 700.0, duty)):.1f}" for duty in (0.5, 0.8))]


def test_more_floor_costs_more_and_leaves_less_and_later_is_worse() -> None:
    """Check 17 of the reference."""
    floors = [ran(CATALOG, Mix()), *(ran(CATALOG, floored(floor)) for floor in FLOORS)]
    assert [one.energy for one in floors] == sorted(one.energy for one in floors)
    assert [line_mw(one) for one in floors] == sorted((line_mw(one) for one in floors), reverse=True)
    late = [band_mw(ran(CATALOG, software(delay))) for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)]
    assert late == sorted(late)


def test_another_physics_misses_the_checks() -> None:
    """They are no tautologies: a floor at all of TDP, cells that last for ever."""
    burnt = ran(CATALOG, Mix(gpu=GpuSmoothing(TDP_W)))
    wanted = {check.what: check for check in CHECKS}
    energy = wanted["100,000 GPUs, floor of 90%: energy in steady state"]
    assert abs(100 * burnt.steady_energy / energy.expected - 1) > energy.tolerance
    assert cost_musd(0.35, (250.0, 350.0, 1e12)) < 0.5 * cost_musd(0.35, (250.0, 350.0, 8e3))


def test_a_folder_without_the_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="smc_gpt3_node_sum"):
        data_room.data_checks(CATALOG, tmp_path)


def test_times_are_the_means_of_the_log() -> None:
    """Held to the whole log as it is transcribed in the tests."""
    blocks = log.BLOCKS
    assert (len(blocks), log.STEPS, blocks[0, 0]) == (data_room.BLOCKS, data_room.STEPS, data_room.BEGIN_S)
    assert float(np.mean(blocks[:, 1] - blocks[:, 0])) == pytest.approx(data_room.BLOCK_S, abs=1e-3)
    assert float(np.mean(blocks[:, 2] - blocks[:, 1])) == pytest.approx(data_room.EVALUATION_S, abs=1e-3)
    assert data_room.low_s() == pytest.approx(log.low_s(), abs=1e-3)
    assert data_room.schedule().total_s == pytest.approx(blocks[-1, 2] - blocks[0, 0], abs=0.02)


@pytest.mark.shared_data
def test_the_measured_run_is_met(shared_data: Path) -> None:
    checks = data_room.data_checks(CATALOG, shared_data)
    for check in checks:
        assert abs(check.got(RESULTS) / check.expected - 1) <= check.tolerance, check.what
    assert len({check.what for check in checks}) == len(checks) == 16
    made = [check for check in checks if "from its log" in check.what and "frequency" not in check.what]
    assert [check.tolerance for check in made] == [0.12] * 5


@pytest.mark.shared_data
def test_table_and_checks_say_the_same(shared_data: Path) -> None:
    (table,) = data_room.data_tables(CATALOG, shared_data)
    checks = {check.what: check for check in data_room.data_checks(CATALOG, shared_data)}
    for row in table.records():
        assert row["verdict"] == "met"
        name = f"GPT-3 on 512 H100, from its log: {row['what']}"
        if name in checks:
            assert (row["measured"], row["from_log"]) == (checks[name].expected, checks[name].got(RESULTS))


@pytest.mark.shared_data
def test_without_evaluation_the_run_is_missed(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check 15 of the reference: steps alone put the first line out of its bin."""
    plain = replace(data_room.schedule(), evaluation=None)
    monkeypatch.setattr(data_room, "schedule", lambda: plain)
    seen = data_room.made(as_array(2.0 * np.arange(1705)), 2.0)
    assert 0.0927 < seen.line(0).f_hz < 0.0940
    assert abs(seen.line(0).f_hz - 0.09148) > data_room.BIN_HZ
