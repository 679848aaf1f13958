"""The analytic level against the replay."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from aiplan.catalog.loader import Catalog
from aiplan.planners.split.accuracy import (
    TARGETS,
    Compared,
    Lengths,
    catalog_kinds,
    compared,
    mean_errors,
    replayed,
    scenario,
)
from aiplan.planners.split.analytic import analyse, prepare
from aiplan.planners.split.replay import Policy, replay
from aiplan.planners.split.trace_file import read_trace
from tests.split.machines import cluster_of, offer

pytest.importorskip("numba", reason="the replay of so many requests needs compiled code")
SEED, SCENARIOS = 2311, 16


@cache
def traces(data: Path) -> dict[str, Lengths]:
    found = {kind: read_trace(data / "traces" / f"azure_llm_2023_{kind}.csv") for kind in ("code", "conv")}
    return {kind: (one.prompt_tokens, one.output_tokens) for kind, one in found.items()}


@cache
def some(data: Path) -> list[Compared]:
    return compared(SEED, SCENARIOS, catalog_kinds(Catalog()), traces(data))


def test_mean_errors(shared_data: Path) -> None:
    errors, bias = mean_errors(some(shared_data))
    assert np.all(errors <= TARGETS), (errors * 100).round(2).tolist()
    assert np.all(np.abs(bias) <= np.array(TARGETS) * 0.75), (bias * 100).round(2).tolist()


def test_utilisation(shared_data: Path) -> None:
    for one in some(shared_data):
        assert one.utilisation[0] == pytest.approx(one.utilisation[1], rel=0.05), one.name


def test_scenarios_are_those_of_the_seed(shared_data: Path) -> None:
    kinds = catalog_kinds(Catalog())
    one, again, other = (scenario(3, number, kinds, traces(shared_data), 2000) for number in (0, 0, 1))
    assert one.name == again.name != other.name
    np.testing.assert_array_equal(one.arrival_s, again.arrival_s)
    assert replayed(one).unserved == 0


def test_spilling_begins_where_it_is_said_to(shared_data: Path) -> None:
    """Prompt machines so few that queues grow beyond their limit, and token machines so few that memory runs out."""
    prompts, outputs = traces(shared_data)["conv"]
    machine = offer("bloom-176b", "dgx-h100", "simcompat").machine
    generator, rate, requests = np.random.default_rng(0), 70.0, 30_000
    rows = generator.integers(0, len(prompts), (2, requests))
    n, outs = prompts[rows[0]], outputs[rows[1]]
    arrival = np.cumsum(generator.exponential(1 / rate, requests))
    prepared = prepare(n, outs, machine, machine)
    for prompt_count, token_count in ((13, 40), (14, 40), (40, 12), (40, 11), (40, 10)):
        found = analyse(prepared, prompt_count, token_count, rate)
        run = replay(arrival, n, outs, cluster_of("hh", "bloom-176b", prompt_count, token_count), Policy())
        if token_count == 40:
            assert found.spill_share * requests == pytest.approx(run.borrowed_token, rel=1.5, abs=30)
        elif not found.unstable:
            assert run.borrowed_prompt == 0
        else:
            assert run.borrowed_prompt > 0 or found.memory_share + 3 * found.memory_sd_share < 1.0
