"""Closed forms beside a run: they agree where the run is what they are of, losses and cooling included."""

from __future__ import annotations

from functools import cache

import pytest

from aiplan.catalog.loader import Catalog
from aiplan.inputs.scenario import load_scenario
from aiplan.planners.stabilize.closed_rows import closed_rows
from aiplan.planners.stabilize.inputs import StabilizeInputs
from aiplan.planners.stabilize.plan import plan
from aiplan.report.model import Cell

STILL = ("jobs.main.jitter_fraction=0", "machine.device_time_constant_s=0", "mitigation.gpu.floor_fraction=0.9",
         "jobs.main.checkpoint.every_iterations=100000", "year.checkpoints_per_day=0", "year.starts_per_day=0",
         "simulation.duration_s=200")  # fmt: skip


@cache
def rows(name: str, *changes: str) -> dict[str, tuple[Cell, ...]]:
    inputs = load_scenario(name, StabilizeInputs, (*STILL, *changes), "stabilize").inputs
    return {str(row[0]): row for row in closed_rows(plan(inputs, Catalog()))}


@pytest.mark.parametrize("name", ["stabilize-reference", "stabilize-100k"])
def test_lines_of_the_run_are_those_of_the_closed_form(name: str) -> None:
    """Within 1 %, with and without a building: cooling is too slow to take part in a swing of 2 s."""
    for harmonic, at in ((1, "0.5"), (2, "1"), (3, "1.5")):
        _, closed, run, unit = rows(name)[f"line {harmonic} at {at} Hz, peak of the sine"]
        assert unit == "MW"
        assert run == pytest.approx(closed, rel=0.01)


def test_the_floor_costs_what_the_closed_form_says() -> None:
    """Without checkpoints and starts a year is the steady state: within 0.1 points (check 3 of the reference)."""
    _, closed, run, _ = rows("stabilize-reference")["energy of the floor in steady state; the run's is that of a year"]
    assert closed == pytest.approx(0.0981, abs=1e-4)
    assert run == pytest.approx(closed, abs=1e-3)


def test_storage_by_hand() -> None:
    """Without losses: 72 MW of swing, 96 MW from idle, 10 MW/s."""
    told = rows("stabilize-reference")
    assert told["storage that flattens an iteration"][1] == pytest.approx(23.04e6 / 3.6e9)
    assert told["converter that flattens an iteration"][1] == pytest.approx(57.6)
    assert told["storage for a start at the ramp allowed"][1] == pytest.approx(96.0**2 / 20.0 / 3600.0)
    assert told["time of that start"][1] == pytest.approx(9.6)


def test_other_jobs_have_no_closed_form() -> None:
    assert rows("stabilize-reference", "jobs.main.count=2", "jobs.main.accelerators=50_000") == {}
